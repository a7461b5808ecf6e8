"""``datapilot sql``: one guarded statement."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from datapilot_kernel.cli.common import add_source, opened_engine, outcome_code, print_json
from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import text


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("sql", help=text("cli.help_sql"), description=text("cli.help_sql"))
    parser.add_argument("statement", metavar="STATEMENT")
    add_source(parser)
    parser.add_argument("--policy", metavar="FILE", help=text("cli.help_policy"))
    parser.add_argument("--semantic", metavar="FILE", help=text("cli.help_semantic"))
    parser.add_argument("--json", action="store_true", help=text("cli.help_json"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Guard and run the statement, print its rows."""
    with opened_engine(args) as engine:
        if args.policy:
            engine.use_policy(_policy(Path(args.policy)))
        outcome = engine.run_sql(args.statement)
        if args.json:
            from datapilot_kernel.engine.wire import to_json

            print_json(to_json(outcome))
        else:
            from datapilot_kernel.cli.terminal import print_outcome

            print_outcome(outcome, None)
        return outcome_code(outcome)


def _policy(path: Path) -> Any:
    from pydantic import ValidationError

    from datapilot_kernel.guard import Policy

    try:
        return Policy.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput("cli.unreadable_file", path=path.name) from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise BadInput("cli.bad_policy", path=path.name) from error
