"""``datapilot serve``: the API alone, on SQLite unless a database is set. Migrates, then prints its address."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from datapilot_kernel.messages import text


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("serve", help=text("operations.serve_help"), description=text("operations.serve_help"))
    parser.add_argument("--data", metavar="DIR", type=Path, help=text("operations.serve_data"))
    parser.add_argument("--host", default="127.0.0.1", help=text("operations.serve_host"))
    parser.add_argument("--port", type=int, default=8000, help=text("operations.serve_port"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until stopped; return the exit code."""
    from hub_config.checks import problems_of
    from hub_config.operations import logs
    from hub_config.settings import load_settings

    given: dict[str, Any] = {"data_dir": args.data} if args.data is not None else {}
    settings = load_settings(**given)
    problems = problems_of(settings)
    if problems:
        print(text("hub.production.refused"), *(f"- {p}" for p in problems), sep="\n", file=sys.stderr)
        return 2
    logs.configure(settings)
    # Whatever the folder of the data was made with: what is written there is this account's alone.
    os.umask(0o077)

    from hub_config.operations.server import serve

    return serve(settings, host=args.host, port=args.port, announce=lambda address: print(address, flush=True))
