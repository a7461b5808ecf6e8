"""``python -m hub_config.demo.keeper DIR PORT``: runs the hub, and ends with everything below it, whoever dies first.

It stands between the command and the hub because the command itself may be killed, and the hub too: the system tells this
process when the command is gone, and hands it what the hub leaves behind. It ends when the hub does.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from hub_config.demo import processes, running
from hub_config.demo.folder import Folder

STOP_GRACE_S = 25.0
"""How long the hub may take to stop what is its own."""


def main() -> int:
    """Run until told to stop; return the hub's exit code, 0 when it was asked for."""
    folder, port = Folder(Path(sys.argv[1])), int(sys.argv[2])
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's is for the command, which says so
    processes.adopt_orphans()
    hub = None
    try:
        hub = running.start_hub(folder, port)
        return hub.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        if hub is not None:
            processes.stop(hub, grace_s=STOP_GRACE_S)


def _stop(*_: object) -> None:
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: None)  # once is enough: what follows must not be cut short
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
