"""``datapilot guard``: statements in, verdicts out, one JSON line each (``contracts.md``).

Each line is answered as it comes and flushed, in order; a bad line is answered too and the stream goes on. No database is
asked. Exit 0 when every line was processed, whatever the verdicts; 2 when the policy cannot be used.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from datapilot_kernel.messages import text

if TYPE_CHECKING:
    from datapilot_kernel.guard import Guard

DIALECTS = ("postgres", "mysql", "duckdb")


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("guard", help=text("guard.help_command"), description=text("guard.help_command"))
    parser.add_argument("--policy", required=True, metavar="FILE", help=text("guard.help_policy"))
    parser.add_argument("--dialect", required=True, choices=DIALECTS, help=text("guard.help_dialect"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer standard input line by line."""
    guard = _open(Path(args.policy), args.dialect)
    if guard is None:
        return 2
    stream(guard, sys.stdin.buffer, sys.stdout)
    return 0


def _open(path: Path, dialect: Any) -> Guard | None:
    """Build the guard; None when the policy cannot be used (said on standard error, in one sentence)."""
    from pydantic import ValidationError

    from datapilot_kernel.guard import Guard, Policy

    try:
        policy = Policy.model_validate_json(path.read_bytes())
    except OSError:
        print(text("guard.policy_unreadable", path=path.name), file=sys.stderr)
        return None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "JSON"
        print(text("guard.policy_invalid", path=path.name, place=place), file=sys.stderr)
        return None
    try:
        guard = Guard(policy, dialect)
    except ValueError:
        print(text("guard.policy_invalid", path=path.name, place="tables"), file=sys.stderr)
        return None
    if guard.problems:
        print(text("guard.policy_invalid", path=path.name, place="row_filter"), file=sys.stderr)
        return None
    return guard


def stream(guard: Guard, lines: BinaryIO, out: TextIO) -> None:
    """Answer every line of ``lines`` on ``out``, flushed one by one."""
    for raw in iter(lines.readline, b""):
        out.write(json.dumps(answer(guard, raw), ensure_ascii=False) + "\n")
        out.flush()


def answer(guard: Guard, raw: bytes) -> dict[str, Any]:
    """Answer one line."""
    try:
        request = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict) or "id" not in request or not isinstance(request.get("sql"), str):
        return {"id": None, "ok": False, "reason": "bad_request", "message": text("guard.bad_request")}
    verdict = guard.check(request["sql"])
    if verdict.ok:
        return {"id": request["id"], "ok": True, "sql": verdict.sql}
    return {"id": request["id"], "ok": False, "reason": verdict.reason, "message": verdict.message}
