"""``datapilot tenant-firewall``: the host's wall towards tenants' networks (:mod:`hub_config.firewall`)."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import Any

from datapilot_kernel.messages import text

_LOOK_AGAIN_S = 60


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    said = text("containers.firewall_help")
    parser = subparsers.add_parser("tenant-firewall", help=said, description=said)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--watch", action="store_true", help=text("containers.firewall_watch"))
    what.add_argument("--remove", action="store_true", help=text("containers.firewall_remove"))
    what.add_argument("--print", action="store_true", dest="show", help=text("containers.firewall_print"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it; return the exit code."""
    from hub_config import firewall

    if args.show:
        print(firewall.RULES, end="")
        return 0
    try:
        if args.remove:
            firewall.remove()
            print(text("containers.firewall_removed"))
            return 0
        _apply()
        if args.watch:
            _watch()
    except firewall.FirewallFailed as problem:
        print(text("containers.firewall_failed", problem=problem), file=sys.stderr)
        return 1
    return 0


def _apply() -> None:
    from hub_config import firewall

    print(text("containers.firewall_done", families=", ".join(firewall.apply())), flush=True)


def _watch() -> None:
    from hub_config import firewall

    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    while not told.wait(_LOOK_AGAIN_S):
        if not firewall.in_place():
            _apply()
