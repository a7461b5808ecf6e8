"""Two runs of the same questions, side by side: what was put right, what was broken, what changed and why.

Runs are the output files of ``datapilot eval``: with another engine, another model, a changed layer, another day. Questions
are matched by ``id``; one that only one of the runs has is counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from datapilot_kernel.engine.differences import Reason, Side, reasons
from datapilot_kernel.sources.model import Dialect

Verdict = Literal["fixed", "broken", "changed", "same"]


@dataclass(frozen=True)
class Difference:
    """One question whose outcome is another one than before."""

    id: Any
    question: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        kept = ("outcome", "engine", "trust", "right", "row_count", "sql", "message")
        return {
            "id": self.id,
            "question": self.question,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "before": {key: self.before.get(key) for key in kept},
            "after": {key: self.after.get(key) for key in kept},
        }


@dataclass
class Totals:
    """One run in figures."""

    questions: int = 0
    right: int = 0
    wrong: int = 0
    answered: int = 0
    cost_microeuros: int = 0
    latencies_ms: list[float] = field(default_factory=list)

    def add(self, line: Mapping[str, Any]) -> None:
        """Count one question."""
        answered = line.get("outcome") == "answer"
        withheld_due = line.get("expect", "answer") != "answer"
        self.questions += 1
        self.answered += answered
        self.right += right_of(line) is True
        self.wrong += answered and (line.get("right") is False or withheld_due)
        used = line.get("model")
        self.cost_microeuros += used.get("cost_microeuros", 0) if isinstance(used, dict) else 0
        self.latencies_ms.append(float(line.get("latency_ms") or 0.0))

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        ranked = sorted(self.latencies_ms)
        return {
            "questions": self.questions,
            "right": self.right,
            "wrong": self.wrong,
            "answered": self.answered,
            "cost_microeuros": self.cost_microeuros,
            "latency_p50_ms": ranked[len(ranked) // 2] if ranked else 0.0,
        }


def right_of(line: Mapping[str, Any]) -> bool | None:
    """Tell whether an outcome is right: by its gold, or, where none is to be answered, by having withheld."""
    if line.get("expect", "answer") != "answer":
        return line.get("outcome") in ("refusal", "clarification")
    return line.get("right")


@dataclass
class Comparison:
    """A run against an earlier one."""

    before: Totals = field(default_factory=Totals)
    after: Totals = field(default_factory=Totals)
    differences: list[Difference] = field(default_factory=list)
    same: int = 0
    only_before: int = 0
    only_after: int = 0

    def count(self, verdict: Verdict) -> int:
        """Return how many differences are of a verdict."""
        return sum(one.verdict == verdict for one in self.differences)

    def reasons(self) -> Counter[Reason]:
        """Return how often each reason was given."""
        return Counter(reason for one in self.differences for reason in one.reasons)

    def to_json(self) -> dict[str, Any]:
        """Return the report."""
        return {
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "fixed": self.count("fixed"),
            "broken": self.count("broken"),
            "changed": self.count("changed"),
            "same": self.same,
            "only_before": self.only_before,
            "only_after": self.only_after,
            "reasons": dict(self.reasons()),
            "differences": [one.to_json() for one in self.differences],
        }


def compare(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]], dialect: Dialect) -> Comparison:
    """Return how a run differs from an earlier one; broken questions first, then fixed, then merely changed ones."""
    earlier = {_id(line): line for line in before}
    found = Comparison()
    for line in earlier.values():
        found.before.add(line)
    seen: set[str] = set()
    for line in after:
        found.after.add(line)
        seen.add(_id(line))
        old = earlier.get(_id(line))
        if old is None:
            found.only_after += 1
            continue
        why = reasons(
            Side.of_line(dict(old)), Side.of_line(dict(line)), dialect, ordered=bool(line.get("ordered")),
            differ=right_of(old) != right_of(line),
        )  # fmt: skip
        verdict = _verdict(right_of(old), right_of(line), bool(why))
        if verdict == "same":
            found.same += 1
        else:
            given = tuple(why) or ("other_rows",)
            found.differences.append(Difference(line.get("id"), str(line.get("question", "")), verdict, given, old, line))
    found.only_before = len(earlier.keys() - seen)
    order: dict[Verdict, int] = {"broken": 0, "fixed": 1, "changed": 2, "same": 3}
    found.differences.sort(key=lambda one: order[one.verdict])
    return found


def _id(line: Mapping[str, Any]) -> str:
    return str(line.get("id"))


def _verdict(before: bool | None, after: bool | None, differs: bool) -> Verdict:
    if before is not True and after is True and before is not None:
        return "fixed"
    if before is True and after is not True and after is not None:
        return "broken"
    return "changed" if differs else "same"
