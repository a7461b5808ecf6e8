"""A client of the notebook that answers from a script: the magics' tests need no engine and no data."""

from __future__ import annotations

import time
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

from datapilot_kernel.answers import answer_columns, compose
from datapilot_kernel.engine.outcome import Answer, Clarification, Outcome, Refusal, Timings
from datapilot_kernel.errors import Cancelled, SourceProblem
from datapilot_kernel.nl2sql.understanding import Choice
from datapilot_kernel.notebook.client import SourceStatus
from datapilot_kernel.plan.compiled import Compiled, CompiledColumn, DateRange
from datapilot_kernel.plan.model import CalendarPeriod, DimensionItem, MeasureItem, Order, Plan
from datapilot_kernel.semantic.model import Dimension, Entity, Format, Layer, Measure
from datapilot_kernel.sources.model import CancelToken, ResultColumn, ResultTable

LAYER = Layer(
    name="Boutique",
    status="accepted",
    entities={
        "commande": Entity(
            table="commandes",
            label="Commande",
            plural="Commandes",
            gender="f",
            time="date",
            default_filters=("statut <> 'ANN'",),
            dimensions={
                "date": Dimension(column="date_commande", type="date", label="Date de commande"),
                "statut": Dimension(column="statut", label="Statut", values={"ANN": ("annulée",), "EXP": ("expédiée",)}),
                "region": Dimension(column="region", label="Région", plural="régions"),
            },
            measures={
                "ca": Measure(expression="SUM(mt_ht)", label="Chiffre d'affaires", format=Format(kind="currency")),
                "nb": Measure(expression="COUNT(*)", label="Nombre de commandes", format=Format(kind="integer")),
            },
        )
    },
)
REGIONS = ["Bretagne", "Île-de-France", "Occitanie", "<b>Nord</b> & Est", None, "Grand Est", "Normandie"]


def plan(*, by: str | None = "region", unit: str = "month") -> Plan:
    dimensions = ()
    if by == "region":
        dimensions = (DimensionItem(alias="region", field="commande.region"),)
    elif by == "month":
        dimensions = (DimensionItem(alias="mois", field="commande.date", grain="month"),)
    return Plan(
        measures=(MeasureItem(alias="ca", measure="commande.ca"),),
        dimensions=dimensions,
        period=CalendarPeriod(unit=unit, offset=-1),  # type: ignore[arg-type]
        order=(Order(by="ca"),) if by == "region" else (),
    )


class ScriptedClient:
    """Answers « région », « mois », « total », « ambigu », « lent »; refuses anything else."""

    name = "boutique"
    dialect = "duckdb"

    def __init__(self, location: str = "", semantic: str | None = None) -> None:
        if location == "introuvable":
            raise SourceProblem("errors.cancelled")
        self.location = location
        self.closed = False
        self.cancelled = False
        self.plans: list[Plan] = []

    def new_conversation(self) -> Any:
        return []

    def layer(self) -> Layer:
        return LAYER

    def status(self) -> SourceStatus:
        return SourceStatus(self.name, "duckdb", 3, LAYER.name, True, date(2026, 5, 31))

    def close(self) -> None:
        self.closed = True

    def ask(self, question: str, *, engine: str = "auto", today: Any = None, conversation: Any = None,
            cancel: CancelToken | None = None, progress: Any = None) -> Outcome:  # fmt: skip
        if conversation is not None:
            conversation.append(question)
        progress("understand")
        if "lent" in question:
            progress("execute")
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                if cancel is not None and cancel.cancelled:
                    self.cancelled = True
                    raise Cancelled
                time.sleep(0.02)
        if "ambigu" in question:
            choices = (Choice("Par région", plan()), Choice("Par mois", plan(by="month")))
            return Clarification(uuid4().hex, "Que voulez-vous voir ?", (), "local", Timings(), choices)
        for word, by in (("région", "region"), ("mois", "month"), ("total", None)):
            if word in question:
                return self.run_plan(plan(by=by), question=question)
        return Refusal(uuid4().hex, "Je ne connais pas ce mot.", (), "local", Timings(), "unknown_word", question)

    def run_plan(self, plan: Plan, *, question: str = "", today: Any = None, conversation: Any = None,
                 cancel: CancelToken | None = None, progress: Any = None) -> Outcome:  # fmt: skip
        self.plans.append(plan)
        columns = [
            CompiledColumn(
                d.alias, "Région" if d.grain is None else "Mois", "dimension", Format(kind="text"), d.field, grain=d.grain
            )
            for d in plan.dimensions
        ]
        columns.append(CompiledColumn("ca", "Chiffre d'affaires", "measure", Format(kind="currency"), "commande.ca"))
        rows: list[tuple[Any, ...]] = [(Decimal("123456.78"),)]
        if plan.dimensions:
            names: list[Any] = [date(2026, m, 1) for m in range(1, 13)] if plan.dimensions[0].grain else REGIONS
            rows = [(name, Decimal(98765 - 12345 * i) / 7) for i, name in enumerate(names)]
            if plan.order and not plan.order[0].descending:
                rows.reverse()
            rows = rows[: plan.limit] if plan.limit else rows
        period = DateRange(date(2026, 4, 1), date(2026, 5, 1), "avril 2026") if plan.period else None
        compiled = Compiled("SELECT 1", tuple(columns), period)
        kinds = {"dimension": "date" if plan.dimensions and plan.dimensions[0].grain else "text", "measure": "decimal"}
        table = ResultTable(tuple(ResultColumn(c.name, kinds[c.role]) for c in columns), rows)  # type: ignore[arg-type]
        return self._answer(
            table, plan, compiled, question, "SELECT region, SUM(mt_ht) AS ca FROM commandes GROUP BY region"
        )

    def run_sql(self, sql: str, *, cancel: CancelToken | None = None, progress: Any = None) -> Outcome:
        if not sql.lower().startswith("select"):
            return Refusal(uuid4().hex, "Seules les lectures sont permises.", (), "sql", Timings(), "guard", sql)
        table = ResultTable((ResultColumn("n", "integer"),), [(42,)])
        return self._answer(table, None, None, "", sql)

    def _answer(self, table: ResultTable, plan: Plan | None, compiled: Compiled | None, question: str, sql: str) -> Answer:
        columns = answer_columns(compiled, table, LAYER)
        made = compose(table, columns, plan=plan, compiled=compiled, layer=LAYER, sql=sql, dialect="duckdb")
        engine = "local" if plan else "sql"
        return Answer(
            uuid4().hex, made.sentence, (), engine, Timings(1, 1, 1, 1, 4.2), question, "governed", made.sentence,  # type: ignore[arg-type]
            made.reading, plan, sql, columns, table, made.chart, compiled,
        )  # fmt: skip
