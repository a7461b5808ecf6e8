"""How the engine runs what a model gave: as anything else is run, and saying what is worth another try.

A plan that does not compile, a guard's refusal and a statement that the database turned down are worth one; a source that is
gone, or that took too long, is the question's outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from datapilot_kernel.engine.outcome import Answer
from datapilot_kernel.errors import Refused, SourceProblem
from datapilot_kernel.guard import Refusal as GuardRefusal
from datapilot_kernel.nl2sql.claude.feedback import Rejected
from datapilot_kernel.plan.model import Plan
from datapilot_kernel.plan.problems import PlanProblem

WORTH_REPAIRING = frozenset(
    {
        "statement_rejected", "object_missing", "bad_value", "out_of_range", "division_by_zero", "several_rows",
        "unsupported", "too_complex", "undefined_table", "undefined_column",
    }
)  # fmt: skip
"""What of a source's errors comes from the statement, so that another statement may do."""


class GuardSaidNo(Refused):
    """Carries the guard's own refusal up to the outcome."""

    def __init__(self, verdict: GuardRefusal) -> None:
        self.verdict = verdict
        super().__init__("engine.guard_refused", log=verdict.log, message=verdict.message)
        self.reason = verdict.reason


class ModelRunner:
    """Runs plans and statements of a model for one question; see :class:`nl2sql.claude.asking.Runner`."""

    def __init__(
        self,
        compiles: Callable[[Plan], object],
        runs_plan: Callable[[Plan, tuple[str, ...]], Answer],
        runs_sql: Callable[[str, tuple[str, ...]], Answer],
    ) -> None:
        self._compiles, self._runs_plan, self._runs_sql = compiles, runs_plan, runs_sql

    def check_plan(self, plan: Plan) -> None:
        """Compile a plan; raises Rejected."""
        with _rejecting():
            self._compiles(plan)

    def run_plan(self, plan: Plan, notes: tuple[str, ...]) -> Answer:
        """Run a plan; raises Rejected."""
        with _rejecting():
            return self._runs_plan(plan, notes)

    def run_sql(self, sql: str, notes: tuple[str, ...]) -> Answer:
        """Run a statement; raises Rejected."""
        with _rejecting():
            return self._runs_sql(sql, notes)

    def is_empty(self, result: Answer) -> bool:
        """Tell whether a result has no row, or one row of nothing (a count of 0, a sum of none)."""
        rows = result.table.rows
        return not rows or (len(rows) == 1 and all(cell is None or cell == 0 for cell in rows[0]))


@contextmanager
def _rejecting() -> Iterator[None]:
    try:
        yield
    except PlanProblem as problem:
        named = [str(value) for value in problem.values.values()]
        raise Rejected("plan_problem", problem.reason, problem.message, named) from None
    except GuardSaidNo as refused:
        named = [str(value) for value in refused.verdict.values.values()]
        raise Rejected("guard", refused.reason, refused.message, named) from None
    except SourceProblem as problem:
        if problem.reason not in WORTH_REPAIRING:
            raise
        raise Rejected("database", problem.reason, problem.message) from None
