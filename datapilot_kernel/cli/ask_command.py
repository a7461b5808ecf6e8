"""``datapilot ask``: one question, one outcome."""

from __future__ import annotations

import argparse
from typing import Any

from datapilot_kernel.cli.common import add_engine_options, opened_engine, outcome_code, print_json
from datapilot_kernel.cli.model_options import add_model_options
from datapilot_kernel.messages import text


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("ask", help=text("cli.help_ask"), description=text("cli.help_ask"))
    parser.add_argument("question", metavar="QUESTION")
    add_engine_options(parser)
    add_model_options(parser)
    parser.add_argument("--json", action="store_true", help=text("cli.help_json"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask, print, return the exit code."""
    with opened_engine(args) as engine:
        outcome = engine.ask(args.question, engine=args.engine)
        if args.json:
            from datapilot_kernel.engine.wire import to_json

            print_json(to_json(outcome))
        else:
            from datapilot_kernel.cli.terminal import print_outcome

            print_outcome(outcome, engine.layer)
        return outcome_code(outcome)
