"""What ``%ask`` gives to Python: the outcome, and what an analyst does with it next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from datapilot_kernel.answers import Formatter, formatter_for
from datapilot_kernel.answers.model import ReadingPart
from datapilot_kernel.engine.outcome import Answer, Clarification, Outcome
from datapilot_kernel.errors import BadInput
from datapilot_kernel.notebook import card

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from datapilot_kernel.nl2sql.understanding import Choice
    from datapilot_kernel.notebook.place import Place
    from datapilot_kernel.plan.model import Plan


class AskResult:
    """The result of a cell. After a chip is edited or a choice clicked, it holds the new outcome.

    ``df``, ``arrow``, ``sql``, ``figure``, ``plan``, ``reading`` and ``sentence`` are those of an answer; asked of anything
    else they raise ``BadInput`` with the outcome's own message.
    """

    def __init__(self, outcome: Outcome, place: Place) -> None:
        self._outcome = outcome
        self._place = place
        self._displayed_in: int | None = None

    # ── the outcome ────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def outcome(self) -> Outcome:
        """The outcome as it is now: an answer, a clarification, a refusal or a failure."""
        return self._outcome

    @property
    def answer(self) -> Answer:
        """The answer. Raises BadInput when there is none."""
        if not isinstance(self._outcome, Answer):
            raise BadInput("notebook.not_an_answer", message=self._outcome.message)
        return self._outcome

    @property
    def sentence(self) -> str:
        """The answer in a sentence."""
        return self.answer.sentence

    @property
    def reading(self) -> tuple[ReadingPart, ...]:
        """« Ce que j'ai compris »."""
        return self.answer.reading

    @property
    def plan(self) -> Plan | None:
        """The plan that ran; None when SQL was run."""
        return self.answer.plan

    @property
    def sql(self) -> str:
        """The statement that ran."""
        return self.answer.sql

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The readings of a clarification; empty for anything else."""
        return self._outcome.choices if isinstance(self._outcome, Clarification) else ()

    # ── the data ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def arrow(self) -> pa.Table:
        """The table as Arrow: exact (decimals stay decimals)."""
        return self.answer.table.to_arrow()

    @property
    def df(self) -> pd.DataFrame:
        """The table as a pandas DataFrame, columns named as in the SQL; decimals become floats, to plot and compute with."""
        import pyarrow as pa

        found = self.arrow
        fields = [pa.field(f.name, pa.float64()) if pa.types.is_decimal(f.type) else f for f in found.schema]
        return found.cast(pa.schema(fields)).to_pandas()

    @property
    def figure(self) -> Any:
        """The chart as a Plotly figure; None when a chart would say nothing."""
        if self.answer.chart is None:
            return None
        import plotly.graph_objects as go

        return go.Figure(self.answer.chart)

    def to_csv(self, path: str | Path) -> Path:
        """Write the table as French Excel opens it (``;``, decimal comma), and return the path."""
        from datapilot_kernel.answers.exports import to_csv

        target = Path(path).expanduser()
        target.write_bytes(to_csv(self.answer.columns, self.answer.table, self.formatter))
        return target

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as the contract's JSON."""
        from datapilot_kernel.engine.wire import to_json

        return to_json(self._outcome)

    # ── going on ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def choose(self, number: int) -> AskResult:
        """Take a reading of a clarification, counted from 1, and run it."""
        choices = self.choices
        if not 1 <= number <= len(choices):
            raise BadInput("notebook.no_such_choice", number=number, count=len(choices))
        self._place.run_plan(choices[number - 1].plan)
        return self

    def edit(self, path: str, value: Any) -> AskResult:
        """Change a part of the reading (its ``path``) and run again: what the chips do."""
        self._place.edit(path, value)
        return self

    def become(self, outcome: Outcome) -> None:
        """Hold another outcome from now on: a chip was edited, a choice was clicked."""
        self._outcome = outcome

    # ── display ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def formatter(self) -> Formatter:
        """What writes this result's values."""
        return formatter_for(self._place.layer())

    def displayed_in(self, cell: int | None) -> None:
        """Remember that a cell already shows this result: as the cell's value it is not shown twice."""
        self._displayed_in = cell

    def _ipython_display_(self) -> None:
        if self._displayed_in is None or self._displayed_in != self._place.cell_now():
            self._place.show_again(self._outcome)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        html = card.head(self._outcome, self.formatter)
        if isinstance(self._outcome, Answer):
            html += card.table(self._outcome, self.formatter, self._place.dialect())
        return {"text/html": html, "text/plain": card.plain(self._outcome, self.formatter)}

    def __repr__(self) -> str:
        return card.plain(self._outcome, self.formatter)
