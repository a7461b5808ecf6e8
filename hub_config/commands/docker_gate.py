"""``datapilot docker-gate``: the filter between the hub and Docker's socket (:mod:`hub_config.docker_gate`)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from datapilot_kernel.messages import text


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "docker-gate", help=text("containers.gate_help"), description=text("containers.gate_help")
    )
    parser.add_argument("--listen", metavar="HOST:PORT", default="127.0.0.1:2375", help=text("containers.gate_listen"))
    parser.add_argument(
        "--socket", metavar="PATH", type=Path, default=Path("/var/run/docker.sock"), help=text("containers.gate_socket")
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until stopped; return the exit code."""
    import logging

    import uvicorn

    from hub_config.docker_gate.app import Gate
    from hub_config.docker_gate.engine import EngineLine
    from hub_config.docker_gate.settings import load_gate_settings

    host, _, port = args.listen.rpartition(":")
    if not host or not port.isdecimal():
        print(text("containers.gate_bad_address", address=args.listen), file=sys.stderr)
        return 2
    settings = load_gate_settings()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    uvicorn.run(
        Gate(settings, EngineLine(args.socket)),
        host=host.strip("[]"),
        port=int(port),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        limit_concurrency=64,
        timeout_keep_alive=30,
    )
    return 0
