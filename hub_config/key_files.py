"""How a file of keys is changed: its owner's alone (0600), under a lock, written beside and renamed.

Killed half-way, the old one stands; what such a process left beside (it holds keys) is removed by the next change.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_HALF = ".half"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from changing the file."""
    handle = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace(path: Path, lines: Iterable[str]) -> None:
    """Put these lines in the file's place, at once or not at all. Call it under :func:`locked`."""
    prefix = f".{path.name}-"
    for left in path.parent.glob(f"{prefix}*{_HALF}"):
        left.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=_HALF)  # mkstemp: 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.writelines(lines)
            out.flush()
            os.fsync(out.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
