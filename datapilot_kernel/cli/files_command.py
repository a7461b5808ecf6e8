"""``datapilot files``: what was decided when files were read, per file and column, and how to decide otherwise."""

from __future__ import annotations

import argparse
from typing import Any

from datapilot_kernel.cli.common import add_source, note, print_json
from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import text


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("files", help=text("cli.help_files"), description=text("cli.help_files"))
    add_source(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help=text("cli.help_json"))
    form.add_argument("--yaml", action="store_true", help=text("cli.help_yaml"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report; 1 when a file could not be read or a cell does not fit its column."""
    from datapilot_kernel.sources import open_source
    from datapilot_kernel.sources.files_import.sidecar import write_decisions

    source = open_source(args.source)
    try:
        report = source.import_report
    finally:
        source.close()
    if report is None:
        raise BadInput("cli.files_none")
    if args.json:
        print_json(report.to_data())
    elif args.yaml:
        print(write_decisions(report), end="")
    else:
        _print(report)
    bad = any(column.bad_cell_count for file in report.files for column in file.columns)
    return 1 if bad or report.skipped else 0


def _print(report: Any) -> None:
    for file in report.files:
        said = [file.encoding, repr(file.delimiter) if file.delimiter else None, file.sheet]
        print(text("cli.files_file", file=file.file, table=file.table, count=file.rows, said=", ".join(filter(None, said))))
        for column in file.columns:
            form = f" ({column.format})" if column.format else ""
            print(f"  {column.name:<28} {column.native_type}{form}   « {column.header} »")
            for doubt in column.doubts:
                print(f"      ? {doubt.message}")
            for cell in column.bad_cells:
                print("      ! " + text("cli.files_bad_cell", line=cell.line, column=cell.column))
        for remark in file.notes:
            print(f"  · {remark.message}")
    for name, problem in report.skipped.items():
        note(f"{name} : {problem.message}")
