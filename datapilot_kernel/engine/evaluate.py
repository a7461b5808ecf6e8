"""``datapilot eval``: questions in, outcomes out, right or wrong by gold SQL. Formats and rule: the contract.

Gold statements are statements like any other: they pass the guard, with the same rights. A gold that this engine does not
take (another dialect's) is skipped; ``right`` is null when none ran. In place of gold, a question may carry the ``plan``
that someone approved or corrected for it: the platform's list of verified questions is such a file as it is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import ValidationError

from datapilot_kernel.engine.differences import Reason, Side, digest, reasons
from datapilot_kernel.engine.engine import Choice, Engine
from datapilot_kernel.engine.matching import results_match
from datapilot_kernel.engine.outcome import Answer, Outcome
from datapilot_kernel.engine.wire import kind_of, wire_value
from datapilot_kernel.errors import BadInput
from datapilot_kernel.nl2sql.claude.cost import ModelUse, Usage
from datapilot_kernel.nl2sql.conversation import Conversation
from datapilot_kernel.plan.compact import compact_plan
from datapilot_kernel.plan.model import Plan

_OWN_KEYS = frozenset(
    {
        "outcome",
        "trust",
        "engine",
        "sql",
        "columns",
        "row_count",
        "latency_ms",
        "message",
        "right",
        "rows",
        "model",
        "model_before",
        "plan",
        "digest",
        "reasons",
    }
)
Log = Callable[[dict[str, Any], Outcome, dict[str, Any]], None]
"""Told of each question (as it came in), its outcome and its output line."""


def read_questions(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the questions of JSON lines; blank lines are passed over.

    Raises
    ------
    BadInput
        A line that is not such JSON, with its number.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise BadInput("engine.bad_question_line", line=number) from error
        if not isinstance(record, dict) or not isinstance(record.get("question"), str) or "id" not in record:
            raise BadInput("engine.bad_question_line", line=number)
        yield record


def question_lines(content: str) -> list[str]:
    """Return the lines of a questions' file: JSON lines as they are, or the platform's list of verified questions.

    Of that list (``GET /verified-questions``, one page or several in an array), those that were not rejected.
    """
    try:
        whole = json.loads(content)
    except ValueError:
        return content.splitlines()
    pages = whole if isinstance(whole, list) else [whole]
    if not all(isinstance(page, dict) and isinstance(page.get("items"), list) for page in pages):
        return content.splitlines()
    items = [item for page in pages for item in page["items"]]
    kept = [item for item in items if isinstance(item, dict) and item.get("status") != "rejected"]
    return [json.dumps(item, ensure_ascii=False) for item in kept]


@dataclass
class Summary:
    """Counts over a run. ``wrong`` are answers whose rows are not the gold's, or that should not have been answers."""

    total: int = 0
    answerable: int = 0
    right: int = 0
    wrong: int = 0
    withheld: int = 0
    withheld_due: int = 0
    model_questions: int = 0
    model_calls: int = 0
    model_repairs: int = 0
    cost_microeuros: int = 0
    usage: Usage = field(default_factory=Usage)
    latencies_ms: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)

    def add(self, record: dict[str, Any], line: dict[str, Any]) -> None:
        """Count one question."""
        expected = record.get("expect", "answer")
        outcome = line["outcome"]
        self.total += 1
        self.outcomes[outcome] += 1
        self.latencies_ms.append(line["latency_ms"])
        if outcome == "answer":
            self.reasons.update(line["reasons"])
        self.model_questions += line["model"] is not None
        self._add_model(line["model"])
        self._add_model(line.get("model_before"))
        if expected == "answer":
            self.answerable += 1
            self.right += line["right"] is True
            self.wrong += line["right"] is False and outcome == "answer"
        else:
            self.withheld_due += 1
            self.withheld += outcome in ("refusal", "clarification")
            self.wrong += outcome == "answer"

    def _add_model(self, used: dict[str, Any] | None) -> None:
        if used is None:
            return
        self.model_calls += used["calls"]
        self.model_repairs += used["repairs"]
        self.cost_microeuros += used["cost_microeuros"]
        kinds = ("input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens")
        self.usage.add(Usage(**{kind: used[kind] for kind in kinds}))

    def percentile(self, share: float) -> float:
        """Return a percentile of the latencies in milliseconds, 0 when there are none."""
        ranked = sorted(self.latencies_ms)
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0


def evaluate(
    engine: Engine,
    questions: Iterable[dict[str, Any]],
    *,
    choice: Choice = "auto",
    rows: int = 0,
    log: Log | None = None,
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (input, output line) for each question, as each is done.

    Parameters
    ----------
    rows
        How many rows of the result to put in the output; 0: none, and no ``rows`` key.
    log
        Told of each question, for a run log.
    """
    for record in questions:
        conversation = Conversation()
        previous = record.get("previous") or ()
        before = ModelUse()
        for earlier in [previous] if isinstance(previous, str) else previous:
            used = engine.ask(earlier, engine=choice, conversation=conversation).model
            if used is not None:
                before.add(used)
        outcome = engine.ask(record["question"], engine=choice, conversation=conversation)
        line = _line(engine, record, outcome, rows)
        if before.calls:
            line["model_before"] = before.to_json()
        if log is not None:
            log(record, outcome, line)
        yield record, line


def log_line(record: dict[str, Any], outcome: Outcome, line: dict[str, Any]) -> dict[str, Any]:
    """Return a question's line of the run log: what went out, what came of each step, what it cost. No row, no key."""
    used = outcome.model
    return {
        "id": record["id"],
        "question": record["question"],
        "previous": record.get("previous"),
        **{key: line[key] for key in ("outcome", "engine", "trust", "sql", "right", "latency_ms", "message", "model")},
        "notes": list(outcome.notes),
        "plan": compact_plan(outcome.plan) if isinstance(outcome, Answer) and outcome.plan is not None else None,
        "steps": [asdict(step) for step in used.steps] if used is not None else [],
        "requests": used.requests if used is not None else [],
    }


def _line(engine: Engine, record: dict[str, Any], outcome: Outcome, rows: int) -> dict[str, Any]:
    answer = outcome if isinstance(outcome, Answer) else None
    line: dict[str, Any] = {key: value for key, value in record.items() if key not in _OWN_KEYS}
    right, why = _verdict(engine, record, answer)
    line |= {
        "outcome": kind_of(outcome),
        "trust": answer.trust if answer else None,
        "engine": outcome.engine,
        "sql": answer.sql if answer else None,
        "columns": [column.name for column in answer.columns] if answer else [],
        "row_count": len(answer.table.rows) if answer else 0,
        "latency_ms": round(outcome.timings_ms.total or 0.0, 2),
        "message": outcome.message,
        "right": right,
        "reasons": why,
        "model": outcome.model.to_json() if outcome.model is not None else None,
        "plan": compact_plan(answer.plan) if answer and answer.plan is not None else None,
        "digest": digest(answer.table.rows).to_json() if answer else None,
    }
    if rows:
        taken = answer.table.rows[:rows] if answer else []
        line["rows"] = [[wire_value(value) for value in row] for row in taken]
    return line


def _verdict(engine: Engine, record: dict[str, Any], answer: Answer | None) -> tuple[bool | None, list[Reason]]:
    """Return whether an answer is right, and, when it is wrong, why: what it differs in from the nearest gold."""
    expected = list(_expected(engine, record))
    if not record.get("gold") and not record.get("plan"):
        return None, []
    if answer is None:
        return False, ["outcome"]
    ordered = bool(record.get("ordered"))
    nearest: list[Reason] | None = None
    for one in expected:
        if results_match(one.table.rows, answer.table.rows, ordered=ordered):
            return True, []
        why = reasons(_side(one), _side(answer), engine.source.dialect, ordered=ordered, differ=True)
        if nearest is None or len(why) < len(nearest):
            nearest = why
    return (False, nearest) if nearest is not None else (None, [])


def _expected(engine: Engine, record: dict[str, Any]) -> Iterator[Answer]:
    """Yield the results that are right: of each gold statement that runs, or of the approved plan."""
    gold = record.get("gold")
    if gold:
        outcomes: Iterable[Outcome] = (engine.run_sql(one) for one in ([gold] if isinstance(gold, str) else gold))
    elif record.get("plan"):
        try:
            outcomes = [engine.run_plan(Plan.model_validate(record["plan"]))]
        except ValidationError:
            return  # a plan of a later version, or a file that somebody wrote by hand
    else:
        return
    for outcome in outcomes:
        if isinstance(outcome, Answer):
            yield outcome


def _side(answer: Answer) -> Side:
    plan = compact_plan(answer.plan) if answer.plan is not None else None
    return Side("answer", answer.sql, plan, digest(answer.table.rows))
