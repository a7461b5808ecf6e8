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
    parser.add_argument("--baseline", metavar="FILE", help=text("cli.help_baseline"))
    parser.add_argument("--report", metavar="FILE", help=text("cli.help_report"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate every line; the exit code does not depend on the verdicts."""
    from datapilot_kernel.engine.evaluate import Summary, evaluate, question_lines, read_questions
    from datapilot_kernel.sources.model import Limits

    questions = list(read_questions(question_lines(_content(args.questions))))
    if args.report and not args.baseline:
        raise BadInput("cli.report_without_baseline")
    # Read first: it may be the file that this run writes over.
    baseline = _baseline(args.baseline) if args.baseline else None
    written: list[dict[str, Any]] = []
    summary = Summary()
    with (
        opened_engine(args, limits=Limits(max_rows=100_000), keep_requests=bool(args.run_log)) as engine,
        _output(args.out) as out,
        _run_log(args.run_log) as log,
    ):
        engine.prepare()
        dialect = engine.source.dialect
        for done, (record, line) in enumerate(evaluate(engine, questions, choice=args.engine, rows=args.rows, log=log), 1):
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            out.flush()
            summary.add(record, line)
            written.append(line)
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
    for reason, count in summary.reasons.most_common():
        note(text("cli.eval_reason", reason=text(f"cli.reason.{reason}"), count=count))
    if baseline is not None:
        from datapilot_kernel.cli.eval_report import show_comparison
        from datapilot_kernel.engine.comparison import compare

        found = compare(baseline, written, dialect)
        show_comparison(found)
        if args.report:
            with _output(args.report) as out:
                out.write(json.dumps(found.to_json(), ensure_ascii=False, indent=1) + "\n")
    return 0


def _content(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("cli.unreadable_file", path=Path(path).name) from error


def _baseline(path: str) -> list[dict[str, Any]]:
    """Return the lines of an earlier run."""
    try:
        lines = [json.loads(line) for line in _content(path).splitlines() if line.strip()]
    except ValueError as error:
        raise BadInput("cli.bad_baseline", path=Path(path).name) from error
    if not all(isinstance(line, dict) and "id" in line and "outcome" in line for line in lines):
        raise BadInput("cli.bad_baseline", path=Path(path).name)
    return lines


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
