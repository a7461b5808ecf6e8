"""``datapilot kernelspec``: installs or removes the « DataPilot » Jupyter kernel."""

from __future__ import annotations

import argparse
from typing import Any

from datapilot_kernel.cli.common import note
from datapilot_kernel.messages import text


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("kernelspec", help=text("notebook.kernelspec.help"))
    parser.add_argument("action", choices=("install", "remove"), help=text("notebook.kernelspec.help_action"))
    parser.add_argument("--prefix", metavar="DIR", help=text("notebook.kernelspec.help_prefix"))
    parser.add_argument("--user", action="store_true", help=text("notebook.kernelspec.help_user"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Install and print where, or remove."""
    from datapilot_kernel.notebook.kernelspec import install, remove

    if args.action == "remove":
        note(text("notebook.kernelspec.removed" if remove() else "notebook.kernelspec.not_there"))
        return 0
    print(text("notebook.kernelspec.installed", path=install(args.prefix, user=args.user)))
    return 0
