"""The process that reads files: a job as JSON on standard input, a report as JSON on standard output.

A process of its own, because reading a stranger's file may cost much memory or bring the reader down; the memory goes
back when it ends, and a crash is one import that failed.
"""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict
from pathlib import Path

from datapilot_kernel.sources.files_import.load import import_files
from datapilot_kernel.sources.files_import.problems import Unreadable
from datapilot_kernel.sources.files_import.report import FileOptions


def main() -> None:
    """Do the one job."""
    job = json.load(sys.stdin)
    memory = int(job["memory_bytes"])
    resource.setrlimit(resource.RLIMIT_AS, (memory * 2 + (4 << 30),) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    options = {name: FileOptions.from_data(given) for name, given in job["options"].items()}
    answer: dict[str, object]
    try:
        report = import_files([Path(p) for p in job["paths"]], options, Path(job["target"]), memory)
    except Unreadable as unreadable:
        answer = {"unreadable": asdict(unreadable.note)}
    except Exception as error:  # noqa: BLE001 -- the process's edge; texts of errors quote cells, the class does not
        answer = {"failed": type(error).__name__}
    else:
        answer = {"report": report.to_data()}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
