"""Processes below this one: none of them outlives it, whatever becomes of whom.

The hub has children (proxy, API, servers), they have theirs (kernels, and what a notebook's author started). Asked to stop,
the hub stops its own. What is left then, because somebody in between was killed or something went its own way, has been
handed to this process, which told the system to have it so (Linux: child subreaper), and is ended here. A child that
:func:`end_with_parent` is told to stop by the system when its parent dies, even killed. Other systems have neither:
there, the hub's own stop has to do.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_SET_DEATH_SIGNAL, _SET_SUBREAPER = 1, 36
_PROC = Path("/proc")


def adopt_orphans() -> None:
    """Have the orphans among our descendants handed to this process instead of the system's first one."""
    _prctl(_SET_SUBREAPER, 1)


def end_with_parent() -> None:
    """Be told to stop (SIGTERM) when the parent dies. For a child, before it becomes another program.

    It also hears SIGINT again, by which a hub stops its services: a shell without a terminal hands it down ignored, and
    then each of them would be waited for half a minute.
    """
    _prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def stop(process: subprocess.Popen[bytes], *, grace_s: float) -> None:
    """Ask a process to stop; after the grace, and for whatever it leaves behind, do not ask."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
    end_descendants()


def end_descendants(*, grace_s: float = 3.0) -> None:
    """End everything below this process: asked, then not asked; what they leave meanwhile, too."""
    asked: set[int] = set()
    deadline = time.monotonic() + grace_s
    while left := descendants():
        late = time.monotonic() > deadline
        for pid in left:
            if late or pid not in asked:
                _send(pid, signal.SIGKILL if late else signal.SIGTERM)
                asked.add(pid)
        if late and time.monotonic() > deadline + grace_s:
            return  # not ours to kill: it changed its owner
        time.sleep(0.05)
    _reap()


def descendants() -> list[int]:
    """Return the ids of all living processes below this one."""
    children: dict[int, list[int]] = {}
    for pid, parent in _processes():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _processes() -> list[tuple[int, int]]:
    """Return (process, parent) of what lives; nothing where the system does not tell this way."""
    found = []
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdecimal():
            try:
                said = (entry / "stat").read_bytes()
            except OSError:
                continue  # it has just ended
            # The name, in parentheses, may have spaces and parentheses itself.
            state, parent, *_ = said[said.rindex(b")") + 2 :].split()
            if state != b"Z":
                found.append((int(entry.name), int(parent)))
    return found


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _reap() -> None:
    """Take the leave of dead orphans."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
