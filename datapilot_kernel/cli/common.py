"""What several commands share: their options, how they open a source, how they print an outcome."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import text

if TYPE_CHECKING:
    from datapilot_kernel.engine import Engine, Outcome
    from datapilot_kernel.sources.model import Limits


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add ``--source`` (required)."""
    parser.add_argument("--source", required=True, metavar="S", help=text("cli.help_source"))


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command that asks takes: source, layer, engine, reference day."""
    add_source(parser)
    parser.add_argument("--semantic", metavar="FILE", help=text("cli.help_semantic"))
    parser.add_argument("--engine", choices=("auto", "local", "claude"), default="auto", help=text("cli.help_engine"))
    parser.add_argument("--today", metavar="YYYY-MM-DD", help=text("cli.help_today"))


def parse_day(value: str | None) -> date | None:
    """Return the day of ``--today``; None when it is not given.

    Raises
    ------
    BadInput
        Not an ISO date.
    """
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise BadInput("engine.bad_today", value=value) from error


@contextmanager
def opened_engine(
    args: argparse.Namespace, *, limits: Limits | None = None, keep_requests: bool = False
) -> Iterator[Engine]:
    """Open the source, layer and model of the arguments; close them at the end."""
    from datapilot_kernel.cli.model_options import configured_model
    from datapilot_kernel.engine import Engine
    from datapilot_kernel.semantic import load_layer
    from datapilot_kernel.sources import open_source

    day = parse_day(getattr(args, "today", None))
    semantic = getattr(args, "semantic", None)
    layer = load_layer(Path(semantic)) if semantic else None
    with configured_model(args) as (model, transport):
        source = open_source(args.source)
        engine = Engine(
            source,
            layer=layer,
            limits=limits,
            fixed_today=day,
            model=model,
            transport=transport,
            keep_requests=keep_requests,
        )
        try:
            yield engine
        finally:
            engine.close()
            source.close()


def outcome_code(outcome: Outcome) -> int:
    """Return the contract's exit code of an outcome."""
    from datapilot_kernel.engine import Answer, Failure

    match outcome:
        case Answer():
            return 0
        case Failure():
            return 3
        case _:
            return 1


def print_json(value: Any) -> None:
    """Print one JSON document on standard output, accents as they are."""
    json.dump(value, sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")


def note(message: str) -> None:
    """Print a line for people on standard error."""
    print(message, file=sys.stderr)
