"""Hand-made layer, plans and results for the tests of answers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from datapilot_kernel.answers import Formatter, answer_columns
from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.plan.compiled import Compiled, CompiledColumn, DateRange
from datapilot_kernel.plan.model import DimensionItem, MeasureItem, Plan
from datapilot_kernel.semantic.model import Dimension, Entity, Format, Join, Layer, Measure
from datapilot_kernel.sources.model import ResultColumn, ResultTable

LAYER = Layer(
    name="Boutique",
    entities={
        "commande": Entity(
            table="commandes",
            label="Commande",
            plural="Commandes",
            gender="f",
            time="date",
            default_filters=("statut <> 'ANN' AND mt_ht > 0",),
            dimensions={
                "date": Dimension(column="date_commande", type="date", label="Date de commande"),
                "statut": Dimension(
                    column="statut", label="Statut", values={"ANN": ("annulée", "annulé"), "EXP": ("expédiée",)}
                ),
                "region": Dimension(column="region", label="Région", plural="régions"),
                "ville": Dimension(column="ville", label="Ville"),
                "montant": Dimension(column="mt_ht", type="number", label="Montant HT", format=Format(kind="currency")),
            },
            measures={
                "ca": Measure(expression="SUM(mt_ht)", label="Chiffre d'affaires", format=Format(kind="currency")),
                "nb": Measure(expression="COUNT(*)", label="Nombre de commandes", format=Format(kind="integer")),
                "panier": Measure(formula="{ca} / {nb}", label="Panier moyen", format=Format(kind="currency")),
                "delai": Measure(
                    expression="AVG(delai)", label="Délai moyen", format=Format(kind="days"), lower_is_better=True
                ),
                "zorg": Measure(expression="SUM(z)", label="Zorglub", format=Format(kind="decimal")),
            },
        ),
        "client": Entity(
            table="clients",
            label="Client",
            plural="Clients",
            gender="m",
            name_dimension="nom",
            dimensions={
                "nom": Dimension(column="nom", label="Nom"),
                "ville": Dimension(column="ville", label="Ville"),
            },
        ),
    },
    joins={"c": Join(from_entity="commande", from_columns=("client_id",), to_entity="client", to_columns=("id",))},
)

REGION = CompiledColumn("region", "Région", "dimension", Format(kind="text"), "commande.region")
MONTH = CompiledColumn("mois", "Mois", "dimension", Format(kind="date"), "commande.date", grain="month")
CA = CompiledColumn("ca", "Chiffre d'affaires", "measure", Format(kind="currency"), "commande.ca")
NB = CompiledColumn("nb", "Nombre de commandes", "measure", Format(kind="integer"), "commande.nb")
BY_REGION = DimensionItem(alias="region", field="commande.region")
BY_MONTH = DimensionItem(alias="mois", field="commande.date", grain="month")
M_CA = MeasureItem(alias="ca", measure="commande.ca")
MAY = DateRange(date(2026, 5, 1), date(2026, 6, 1), "mai 2026")
MAY_2025 = DateRange(date(2025, 5, 1), date(2025, 6, 1), "mai 2025")
FR = Formatter()


def result(
    columns: list[CompiledColumn],
    rows: list[tuple[Any, ...]],
    *,
    period: DateRange | None = None,
    previous: DateRange | None = None,
    truncated: bool = False,
) -> tuple[Compiled, tuple[AnswerColumn, ...], ResultTable]:
    """Return what the engine has after running a plan: compiled, columns, table."""
    compiled = Compiled("SELECT 1", tuple(columns), period, previous)
    kinds: list[Any] = [_kind([row[i] for row in rows]) for i in range(len(columns))]
    table = ResultTable(tuple(ResultColumn(c.name, k) for c, k in zip(columns, kinds, strict=True)), rows, truncated)
    return compiled, answer_columns(compiled, table, LAYER), table


def _kind(values: list[Any]) -> str:
    for value in values:
        for kind, name in ((bool, "boolean"), (int, "integer"), (Decimal, "decimal"), (float, "float"), (date, "date")):
            if isinstance(value, kind):
                return name
    return "text"


def plan(**parts: Any) -> Plan:
    return Plan(**({"measures": (M_CA,)} | parts))
