"""Imported files, kept: the second opening of the same files is as fast as opening a database.

A key is made of the files' paths, sizes, times of change and options, and of the reader's version. Under it lie the
database and the report. Two processes that open the same files at once import them once: the second waits for a lock and
finds the work done. A new import replaces the older ones of the same place; whoever has those open keeps them (the file
stays until it is closed). The folder is the person's own (mode 0700): it holds their data.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.sources.files_import.report import FilesOptions, ImportReport
from datapilot_kernel.sources.location import cache_folder

VERSION = "1"
PLACE_LENGTH = 16
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR", "TZ", "LANG", "LC_ALL", "SYSTEMROOT")
_IMPORT_MEMORY_BYTES = 1 << 30
_LONGEST_IMPORT_S = 1800.0
_SUFFIXES = frozenset(
    {".csv", ".tsv", ".txt", ".tab", ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".parquet"}
)  # as in load, which this module does not import: it would bring duckdb's reader into every process


def files_at(path: Path) -> list[Path]:
    """Return the files of a location, in order.

    Raises
    ------
    SourceProblem
        Nothing is there, or nothing that can be read.
    """
    if path.is_dir():
        try:
            found = [p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES and p.is_file()]
        except OSError:
            raise SourceProblem("sources.file_forbidden", file=path.name) from None
        # "~$…" is Excel's lock file, "." a hidden or unfinished one.
        found = sorted(p for p in found if not p.name.startswith((".", "~$")))
        if not found:
            raise SourceProblem("sources.folder_empty", name=path.name)
        return found
    if not path.exists():
        raise SourceProblem("sources.path_missing", name=path.name)
    if path.suffix.lower() not in _SUFFIXES:
        raise SourceProblem("sources.file_kind", file=path.name)
    return [path]


def place_of(path: Path) -> str:
    """Return what the names begin with under which a file's or a folder's database is kept, whatever its content."""
    return hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:PLACE_LENGTH]


def imported(path: Path, options: FilesOptions, cache: Path | None = None) -> tuple[Path, ImportReport]:
    """Return the database made of a file or folder, and its report; import it if that was not done before.

    Parameters
    ----------
    cache
        Where imported databases are kept; None: the person's own cache folder.

    Raises
    ------
    SourceProblem
        Nothing can be read there.
    """
    path = path.absolute()
    files = files_at(path)
    place = place_of(path)
    folder = _usable_folder(cache)
    database = folder / f"{place}-{_key(files, options)}.duckdb"
    report = _kept(database)
    if report is not None:
        return database, report
    with _locked(folder / f"{place}.lock"):
        report = _kept(database)
        if report is not None:
            return database, report
        report = _import(files, options, database)
        for old in folder.glob(f"{place}-*"):
            if not old.name.startswith(database.stem):
                with suppress(OSError):
                    old.unlink()
    return database, report


def _usable_folder(cache: Path | None) -> Path:
    try:
        folder = cache if cache is not None else cache_folder() / "files"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    if cache is not None:
        raise SourceProblem("sources.cache_unwritable")
    # A home that cannot be written (a service account): a folder of this machine's temporary ones, ours alone.
    spare = Path(tempfile.gettempdir()) / f"datapilot-{os.getuid()}"
    spare.mkdir(mode=0o700, exist_ok=True)
    if spare.stat().st_uid != os.getuid():
        raise SourceProblem("sources.cache_unwritable")
    return spare


def _key(files: list[Path], options: FilesOptions) -> str:
    said = {
        "version": VERSION,
        "files": [(str(p), (s := p.stat()).st_size, s.st_mtime_ns) for p in files],
        "options": {name: given.to_data() for name, given in sorted(options.items())},
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:24]


def _kept(database: Path) -> ImportReport | None:
    """Return the report of an earlier import; None when there is none, or when another version of us wrote it."""
    try:
        text = database.with_suffix(".json").read_text(encoding="utf-8")
        return ImportReport.from_data(json.loads(text)) if database.exists() else None
    except (OSError, ValueError):
        return None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _import(files: list[Path], options: FilesOptions, database: Path) -> ImportReport:
    with tempfile.TemporaryDirectory(prefix=".import-", dir=database.parent) as work:
        target = Path(work) / "new.duckdb"
        job = {
            "paths": [str(p) for p in files],
            "options": {name: given.to_data() for name, given in options.items()},
            "target": str(target),
            "memory_bytes": _IMPORT_MEMORY_BYTES,
        }
        try:
            done = subprocess.run(
                [sys.executable, "-m", "datapilot_kernel.sources.files_import.child"],
                input=json.dumps(job),
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=_LONGEST_IMPORT_S,
                check=False,
                # It reads strangers' files: no secret of this process's environment is within its reach.
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            )
            answer = json.loads(done.stdout)
        except (subprocess.TimeoutExpired, ValueError):
            raise SourceProblem("sources.import_failed", log="import process ended without an answer") from None
        if "unreadable" in answer:
            note = answer["unreadable"]
            raise SourceProblem(note["key"], **note["values"])
        if "report" not in answer:
            raise SourceProblem("sources.import_failed", log=f"import: {answer.get('failed')}")
        report = ImportReport.from_data(answer["report"])
        written = Path(work) / "new.json"
        written.write_text(json.dumps(report.to_data(), ensure_ascii=False), encoding="utf-8")
        # The report last: it is what says that the database beside it is whole.
        target.replace(database)
        written.replace(database.with_suffix(".json"))
    return report
