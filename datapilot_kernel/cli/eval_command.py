"""``datapilot eval``: a file of questions, an outcome for each, right or wrong by gold SQL."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from datapilot_kernel.cli.common import add_engine_options, note, opened_engine
from datapilot_kernel.cli.model_options import add_model_options
from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import text

if TYPE_CHECKING:
    from datapilot_kernel.engine import Outcome
    from datapilot_kernel.engine.evaluate import Log


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("eval", help=text("cli.help_eval"), description=text("cli.help_eval"))
    add_engine_options(parser)
    add_model_options(parser)
    parser.add_argument("--questions", required=True, metavar="FILE", help=text("cli.help_questions"))
    parser.add_argument("--rows", type=int, default=0, metavar="N", help=text("cli.help_rows"))
    parser.add_argument("--out", required=True, metavar="FILE", help=text("cli.help_out"))
    parser.add_argument("--run-log", metavar="FILE", help=text("cli.help_run_log"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate every line; the exit code does not depend on the verdicts."""
    from datapilot_kernel.engine.evaluate import Summary, evaluate, read_questions
    from datapilot_kernel.sources.model import Limits

    try:
        lines = Path(args.questions).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("cli.unreadable_file", path=Path(args.questions).name) from error
    questions = list(read_questions(lines))
    summary = Summary()
    with (
        opened_engine(args, limits=Limits(max_rows=100_000), keep_requests=bool(args.run_log)) as engine,
        _output(args.out) as out,
        _run_log(args.run_log) as log,
    ):
        engine.prepare()
        for done, (record, line) in enumerate(evaluate(engine, questions, choice=args.engine, rows=args.rows, log=log), 1):
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            out.flush()
            summary.add(record, line)
            if sys.stderr.isatty():
                print(f"\r{done}/{len(questions)}", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    note(
        text(
            "cli.eval_summary",
            total=summary.total,
            right=summary.right,
            answerable=summary.answerable,
            right_share=_share(summary.right, summary.answerable),
            wrong=summary.wrong,
            wrong_share=_share(summary.wrong, summary.total),
            withheld=summary.withheld,
            withheld_due=summary.withheld_due,
            withheld_share=_share(summary.withheld, summary.withheld_due),
            p50=round(summary.percentile(0.5)),
            p95=round(summary.percentile(0.95)),
        )
    )
    if summary.model_calls:
        note(
            text(
                "cli.eval_model",
                questions=summary.model_questions,
                calls=summary.model_calls,
                repairs=summary.model_repairs,
                input=summary.usage.input_tokens,
                written=summary.usage.cache_write_tokens,
                read=summary.usage.cache_read_tokens,
                output=summary.usage.output_tokens,
                euros=f"{summary.cost_microeuros / 1_000_000:.4f}",
            )
        )
    return 0


@contextmanager
def _run_log(path: str | None) -> Iterator[Log | None]:
    """Yield what writes one line of the run log: everything about a question, and never the key."""
    if path is None:
        yield None
        return
    from datapilot_kernel.engine.evaluate import log_line

    with _output(path) as out:

        def write(record: dict[str, Any], outcome: Outcome, line: dict[str, Any]) -> None:
            out.write(json.dumps(log_line(record, outcome, line), ensure_ascii=False) + "\n")
            out.flush()

        yield write


def _output(path: str) -> AbstractContextManager[IO[str]]:
    if path == "-":
        return nullcontext(sys.stdout)
    try:
        return open(path, "w", encoding="utf-8")
    except OSError as error:
        raise BadInput("cli.unwritable_file", path=Path(path).name) from error


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "—"
