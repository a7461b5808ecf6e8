"""The place of an answer in a cell: four outputs that are filled, and filled again when a chip is edited.

Head, chips, chart, table, in slots of their own (:mod:`slots`): what a person sees after an edit is what is saved.
The chart is an output of Plotly's own type (JupyterLab and Voilà draw it with their own script, nothing is fetched); the
chips are widgets when somebody is there to click them, and text in the head when the notebook is only read.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

from datapilot_kernel.answers import apply_edit, formatter_for
from datapilot_kernel.engine.outcome import Answer, Outcome
from datapilot_kernel.errors import BadInput, DataPilotError
from datapilot_kernel.notebook import card
from datapilot_kernel.notebook.running import Said, run
from datapilot_kernel.notebook.slots import Slot, Slots, new_slots

if TYPE_CHECKING:
    from datapilot_kernel.notebook.client import AskClient, Progress
    from datapilot_kernel.notebook.result import AskResult
    from datapilot_kernel.plan.model import Plan
    from datapilot_kernel.semantic.model import Layer
    from datapilot_kernel.sources.model import CancelToken, Dialect

PLOTLY = "application/vnd.plotly.v1+json"
_CONFIG = {"displaylogo": False, "responsive": True, "displayModeBar": False}


class Place:
    """Where one result is shown, and what runs when it is edited.

    Parameters
    ----------
    chart
        False: no chart (``--no-chart``).
    conversation
        Continued by what is run here; None for SQL.
    """

    def __init__(
        self, shell: Any, client: AskClient, *, chart: bool = True, today: date | None = None, conversation: Any = None
    ) -> None:
        self._shell, self._client = shell, client
        self._with_chart, self._today, self._conversation = chart, today, conversation
        self._slots: Slots | None = None
        self._chips: Any = None
        self.question = ""
        self.result: AskResult | None = None

    # ── running ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def answer(self, work: Callable[[CancelToken, Progress], Outcome]) -> AskResult:
        """Run a question for the first time, show it, and return its result."""
        from datapilot_kernel.notebook.result import AskResult

        self._slots = new_slots()
        self._fill("head", {"text/html": card.nothing(), "text/plain": ""})
        try:
            outcome = self._run(work)
        except (Said, DataPilotError):
            self._fill("head", {"text/html": card.nothing(), "text/plain": ""})  # the cell itself says it, once
            raise
        self.result = AskResult(outcome, self)
        self._show(outcome)
        self.result.displayed_in(self.cell_now())
        return self.result

    def run_plan(self, plan: Plan) -> None:
        """Run another plan in this place: an edited chip, a clicked choice."""
        outcome = self._run(
            lambda cancel, progress: self._client.run_plan(
                plan, question=self.question, today=self._today, conversation=self._conversation,
                cancel=cancel, progress=progress,
            )
        )  # fmt: skip
        if self.result is not None:
            self.result.become(outcome)
        self._show(outcome)

    def edit(self, path: str, value: Any) -> None:
        """Change one part of the plan and run it.

        Raises
        ------
        BadInput
            There is no plan here, or the edit makes none that is possible.
        """
        plan = self.result.answer.plan if self.result is not None else None
        if plan is None:
            raise BadInput("notebook.no_plan")
        self.run_plan(apply_edit(plan, path, value, layer=self._client.layer()))

    def _run(self, work: Callable[[CancelToken, Progress], Outcome]) -> Outcome:
        try:
            return run(work, lambda step: self._fill("head", {"text/html": card.progress(step), "text/plain": "…"}))
        except (Said, DataPilotError) as error:
            self._fill("head", {"text/html": card.message(str(error), "refusal"), "text/plain": str(error)})
            raise

    # ── showing ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def show_again(self, outcome: Outcome) -> None:
        """Show the result in another cell; edits go on there."""
        self._slots = new_slots()
        self._chips = None
        self._show(outcome)

    def _show(self, outcome: Outcome) -> None:
        formatter = formatter_for(self.layer())
        self._fill("head", {"text/html": card.head(outcome, formatter), "text/plain": card.plain(outcome, formatter)})
        self._show_chips(outcome)
        answer = outcome if isinstance(outcome, Answer) else None
        self.show_chart(answer.chart if answer is not None else None)
        below = card.table(answer, formatter, self.dialect()) if answer is not None else card.nothing()
        self._fill("table", {"text/html": below, "text/plain": ""})

    def show_chart(self, figure: dict[str, Any] | None) -> None:
        """Fill the chart's place, or empty it."""
        if figure is None or not self._with_chart:
            self._fill("chart", {"text/html": card.nothing(), "text/plain": ""})
            return
        self._fill("chart", {PLOTLY: {**figure, "config": _CONFIG}, "text/plain": ""})

    def _show_chips(self, outcome: Outcome) -> None:
        from datapilot_kernel.notebook.chips import Chips, available

        if self._chips is None:
            if not available(self._shell):
                return
            self._chips = Chips(self)
            if self._slots is not None:
                self._slots.put_chips(self._chips.widget)
        self._chips.show(outcome)

    def _fill(self, slot: Slot, bundle: dict[str, Any]) -> None:
        if self._slots is not None:
            self._slots.fill(slot, bundle)

    # ── what the result and the chips ask ──────────────────────────────────────────────────────────────────────────────

    def layer(self) -> Layer | None:
        """Return the source's layer; None while it has none (SQL before the first question)."""
        return self._client.layer()

    def dialect(self) -> Dialect | None:
        """Return the source's dialect."""
        return self._client.dialect

    def cell_now(self) -> int | None:
        """Return the number of the cell that runs, None outside of one."""
        number = getattr(self._shell, "execution_count", None)
        return number if isinstance(number, int) else None
