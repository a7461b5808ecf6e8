"""What a person decided about files, kept beside them: ``datapilot.yaml``.

A folder's decisions stand in its ``datapilot.yaml``; a single file's too, in the folder it lies in. The keys of ``files``
are file names (``*``: every other), the rest is :class:`FileOptions` word for word::

    files:
      ventes.csv:
        delimiter: ";"
        columns:
          Code postal: {type: text}
          Date: {type: date, format: dmy}

A file beside the data rather than options of a command, so that every way in (notebook, command line, API) decides alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.sources.files_import.report import FileOptions, FilesOptions, ImportReport

NAME = "datapilot.yaml"


def read_decisions(path: Path) -> FilesOptions:
    """Return the decisions beside a file or in a folder; empty when there are none.

    Raises
    ------
    SourceProblem
        The file cannot be read, or says something that is no decision.
    """
    place = (path if path.is_dir() else path.parent) / NAME
    if not place.is_file():
        return {}
    import yaml

    try:
        given = yaml.safe_load(place.read_text(encoding="utf-8")) or {}
        files: dict[str, Any] = given["files"]
        return {str(name): FileOptions.from_data(options or {}) for name, options in files.items()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SourceProblem("sources.bad_decisions", name=NAME) from error


def write_decisions(report: ImportReport) -> str:
    """Return the decisions of an import as a ``datapilot.yaml`` to start from: what was found, ready to be corrected."""
    import yaml

    files: dict[str, Any] = {}
    for file in report.files:
        if file.kind == "parquet":
            continue
        said: dict[str, Any] = {}
        if file.kind == "csv":
            said |= {"encoding": file.encoding, "delimiter": file.delimiter, "header_line": file.header_line}
        columns = {column.header or column.name: _column(column.type, column.format) for column in file.columns}
        files[file.file] = {key: value for key, value in said.items() if value is not None} | {"columns": columns}
    return yaml.safe_dump({"files": files}, allow_unicode=True, sort_keys=False)


def _column(kind: str, form: str | None) -> dict[str, str]:
    said = {"type": kind}
    if form in ("dmy", "mdy", "ymd", "comma", "point"):
        said["format"] = form
    return said
