"""The sentence: goldens to read, and the property that no number is in it that is not in the table."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapilot_kernel.answers import Formatter
from datapilot_kernel.answers.formats import as_decimal
from datapilot_kernel.answers.grammar import gender_of, in_period, of, of_the, the, to_period
from datapilot_kernel.answers.model import AnswerColumn
from datapilot_kernel.answers.sentence import write_sentence
from datapilot_kernel.answers.shape import shape_of
from datapilot_kernel.plan.compiled import CompiledColumn, DateRange
from datapilot_kernel.plan.model import ColumnItem, Comparison, MeasureItem, Order, Plan
from datapilot_kernel.semantic.model import Format, Layer
from datapilot_kernel.sources.model import ResultColumn, ResultTable
from tests.unit.answers.results import BY_MONTH, BY_REGION, CA, FR, LAYER, MAY, MAY_2025, MONTH, NB, REGION, plan, result

PERCENT = Format(kind="percent")
PREVIOUS = CompiledColumn("ca_n1", "CA (mai 2025)", "previous", CA.format, of="ca")
GROWTH = CompiledColumn("ca_evo", "Évolution", "growth", PERCENT, of="ca")
SHARE = CompiledColumn("part", "Part", "share", PERCENT, of="ca")
DELAY = CompiledColumn("delai", "Délai moyen", "measure", Format(kind="days"), "commande.delai", lower_is_better=True)
ACTIVE = CompiledColumn("actifs", "Clients actifs", "measure", Format(kind="integer"), "commande.actifs")
SALES = CompiledColumn("ventes", "Ventes", "measure", Format(kind="currency"), "commande.ventes")
QUANTITY = CompiledColumn("qte", "Quantité vendue", "measure", Format(kind="integer"), "commande.qte")
BASKET = CompiledColumn("panier", "Panier moyen", "measure", Format(kind="currency"), "commande.panier")
TOTAL = CompiledColumn("cumul", "Chiffre d'affaires (cumul)", "running_total", Format(kind="currency"), of="ca")
ZORG = CompiledColumn("zorg", "Zorglub", "measure", Format(kind="decimal"), "commande.zorg")
LIST = Plan(kind="rows", entity="commande", columns=(ColumnItem(alias="region", field="commande.region"),))
NEXT_YEAR = Comparison(kind="previous_year")
COUNT = Plan(measures=(MeasureItem(alias="n", aggregate="count", entity="commande"),))
N_COLUMN = CompiledColumn("n", "Nombre de commandes", "measure", Format(kind="integer"))


def written(
    columns: list[CompiledColumn], rows: list[tuple[Any, ...]], of_plan: Plan | None, formatter: Formatter = FR, **more: Any
) -> str:
    compiled, shown, table = result(columns, rows, **more)
    said = write_sentence(of_plan, compiled, shown, table, LAYER, formatter)
    return said.replace("\u202f", " ").replace("\u00a0", " ")


D = Decimal
GOLDENS: list[tuple[str, dict[str, Any]]] = [
    ("En mai 2026, le chiffre d’affaires est de 1 234 567,89 €.",
     {"columns": [CA], "rows": [(D("1234567.89"),)], "of_plan": plan(), "period": MAY}),
    ("Le délai moyen est de 2,5 jours.", {"columns": [DELAY], "rows": [(D("2.5"),)], "of_plan": plan()}),
    ("On compte 345 clients actifs.", {"columns": [ACTIVE], "rows": [(345,)], "of_plan": plan()}),
    ("Clients actifs : 1.", {"columns": [ACTIVE], "rows": [(1,)], "of_plan": plan()}),
    ("Les ventes s’élèvent à 12,00 €.", {"columns": [SALES], "rows": [(D(12),)], "of_plan": plan()}),
    ("A arrive en tête avec 9 clients actifs, devant B (7).",
     {"columns": [REGION, ACTIVE], "rows": [("A", 9), ("B", 7)], "of_plan": plan(dimensions=(BY_REGION,))}),
    ("Zorglub : 3,00.", {"columns": [ZORG], "rows": [(D("3.00"),)], "of_plan": plan()}),
    ("Chiffre d’affaires : aucune valeur, rien ne correspond (mai 2026).",
     {"columns": [CA], "rows": [(None,)], "of_plan": plan(), "period": MAY}),
    ("Le chiffre d’affaires est de 10,00 € et le nombre de commandes est de 3.",
     {"columns": [CA, NB], "rows": [(D(10), 3)], "of_plan": plan()}),
    ("En mai 2026, le chiffre d’affaires est de 90,00 €, en baisse de 10,0 % par rapport à mai 2025 (100,00 €).",
     {"columns": [CA, PREVIOUS, GROWTH], "rows": [(D(90), D(100), D("-0.1"))], "of_plan": plan(comparison=NEXT_YEAR, period={"kind": "all"}),
      "period": MAY, "previous": MAY_2025}),
    ("En mai 2026, le chiffre d’affaires est de 90,00 €, stable par rapport à mai 2025 (90,00 €).",
     {"columns": [CA, PREVIOUS, GROWTH], "rows": [(D(90), D(90), D(0))], "of_plan": plan(comparison=NEXT_YEAR, period={"kind": "all"}),
      "period": MAY, "previous": MAY_2025}),
    ("En mai 2026, le chiffre d’affaires est de 90,00 € ; rien à comparer par rapport à mai 2025.",
     {"columns": [CA, PREVIOUS, GROWTH], "rows": [(D(90), None, None)], "of_plan": plan(comparison=NEXT_YEAR, period={"kind": "all"}),
      "period": MAY, "previous": MAY_2025}),
    ("Bretagne arrive en tête avec 100,00 € de chiffre d’affaires, devant Corse (50,00 €).",
     {"columns": [REGION, CA], "rows": [("Corse", D(50)), ("Bretagne", D(100))], "of_plan": plan(dimensions=(BY_REGION,))}),
    ("Sur 5 régions, A arrive en tête avec 9 commandes, devant B (7) et C (5) ; E ferme la marche (1).",
     {"columns": [REGION, NB], "rows": [("A", 9), ("B", 7), ("C", 5), ("D", 3), ("E", 1)], "of_plan": plan(dimensions=(BY_REGION,))}),
    ("A arrive en tête avec une quantité vendue de 64 (mai 2026), devant B (46).",
     {"columns": [REGION, QUANTITY], "rows": [("A", 64), ("B", 46)], "of_plan": plan(dimensions=(BY_REGION,)), "period": MAY}),
    ("A arrive en tête avec un panier moyen de 64,00 €, devant B (46,00 €).",
     {"columns": [REGION, BASKET], "rows": [("A", D(64)), ("B", D(46))], "of_plan": plan(dimensions=(BY_REGION,))}),
    ("C’est mars 2026, avec 5,00 € de chiffre d’affaires.",
     {"columns": [MONTH, CA], "rows": [(date(2026, 3, 1), D(5))],
      "of_plan": plan(dimensions=(BY_MONTH,), order=(Order(by="ca"),), limit=1)}),
    ("Le chiffre d’affaires (cumul) atteint 3,00 € (février 2026).",
     {"columns": [MONTH, CA, TOTAL], "rows": [(date(2026, 1, 1), D(1), D(1)), (date(2026, 2, 1), D(2), D(3))],
      "of_plan": plan(dimensions=(BY_MONTH,))}),
    # No name is no first one either.
    ("A arrive en tête avec 9 commandes, devant B (7) ; (non renseigné) : 500.",
     {"columns": [REGION, NB], "rows": [(None, 500), ("A", 9), ("B", 7)], "of_plan": plan(dimensions=(BY_REGION,))}),
    # No name is no last one.
    ("A arrive en tête avec 9 commandes, devant B (7) et C (5) ; E ferme la marche (2).",
     {"columns": [REGION, NB], "rows": [("A", 9), ("B", 7), ("C", 5), ("D", 3), ("E", 2), (None, 1)],
      "of_plan": plan(dimensions=(BY_REGION,))}),
    # Limited to the first: nothing is said of the others, which were not looked at.
    ("A arrive en tête avec 9 commandes, devant B (7) et C (5).",
     {"columns": [REGION, NB], "rows": [("A", 9), ("B", 7), ("C", 5), ("D", 3), ("E", 1)],
      "of_plan": plan(dimensions=(BY_REGION,), limit=5)}),
    ("A et B arrivent en tête à égalité avec 9 commandes.",
     {"columns": [REGION, NB], "rows": [("A", 9), ("B", 9)], "of_plan": plan(dimensions=(BY_REGION,))}),
    ("Délai moyen : maximum de 9 jours (A), minimum de 2 jours (B).",
     {"columns": [REGION, DELAY], "rows": [("A", D(9)), ("B", D(2))], "of_plan": plan(dimensions=(BY_REGION,))}),
    ("Le chiffre d’affaires passe de 1,00 € (janvier 2026) à 3,00 € (mars 2026) ; maximum de 5,00 € (février 2026), minimum de 1,00 € (janvier 2026).",
     {"columns": [MONTH, CA], "rows": [(date(2026, 1, 1), D(1)), (date(2026, 2, 1), D(5)), (date(2026, 3, 1), D(3))],
      "of_plan": plan(dimensions=(BY_MONTH,))}),
    ("A représente 60,0 % du total, devant B (40,0 %).",
     {"columns": [REGION, SHARE], "rows": [("A", D("0.6")), ("B", D("0.4"))], "of_plan": plan(dimensions=(BY_REGION,))}),
    ("A représente 60,0 % du chiffre d’affaires, devant B (40,0 %).",
     {"columns": [REGION, CA, SHARE], "rows": [("A", D(6), D("0.6")), ("B", D(4), D("0.4"))], "of_plan": plan(dimensions=(BY_REGION,))}),
    ("Chiffre d’affaires par rapport à mai 2025 : plus forte hausse pour A (+20,0 %), plus forte baisse pour B (-5,0 %).",
     {"columns": [REGION, CA, PREVIOUS, GROWTH], "rows": [("A", D(12), D(10), D("0.2")), ("B", D(95), D(100), D("-0.05"))],
      "of_plan": plan(dimensions=(BY_REGION,), comparison=NEXT_YEAR), "previous": MAY_2025}),
    ("2 commandes correspondent (mai 2026).", {"columns": [REGION], "rows": [("A",), ("B",)], "of_plan": LIST, "period": MAY}),
    ("Aucune commande ne correspond (mai 2026).", {"columns": [REGION], "rows": [], "of_plan": LIST, "period": MAY}),
    ("Aucun résultat (mai 2026).", {"columns": [REGION, CA], "rows": [], "of_plan": plan(dimensions=(BY_REGION,)), "period": MAY}),
    ("Seules les 2 premières lignes sont affichées : le résultat en compte davantage.",
     {"columns": [REGION], "rows": [("A",), ("B",)], "of_plan": LIST, "truncated": True}),
    ("Il y a 12 commandes (mai 2026).", {"columns": [N_COLUMN], "rows": [(12,)], "of_plan": COUNT, "period": MAY}),
    ("Il y a 1 commande.", {"columns": [N_COLUMN], "rows": [(1,)], "of_plan": COUNT}),
    ("Il n’y a aucune commande.", {"columns": [N_COLUMN], "rows": [(0,)], "of_plan": COUNT}),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "case"), GOLDENS, ids=lambda v: v[:40] if isinstance(v, str) else "")
def test_goldens(expected: str, case: dict[str, Any]) -> None:
    assert written(**case) == expected


def test_sql_has_no_claims_about_what_it_means() -> None:
    from datapilot_kernel.answers import answer_columns
    from datapilot_kernel.sources.model import ResultColumn, ResultTable

    table = ResultTable((ResultColumn("annee", "integer"), ResultColumn("ville", "text")), [(2025, "Lyon"), (2026, "Nice")])
    assert write_sentence(None, None, answer_columns(None, table), table, None, FR) == "2 lignes."


# ── the property ───────────────────────────────────────────────────────────────────────────────────────────────────────

_NUMBER = re.compile(r"\d[\d\u202f\u00a0.,]*")
_NAMES = st.one_of(st.none(), st.text(alphabet="abcdefghé –", min_size=1, max_size=8))
_FIGURES = st.one_of(st.none(), st.decimals(min_value=-(10**9), max_value=10**9, places=2))


def _digits(text: str) -> set[str]:
    return {match.strip("\u202f\u00a0.,") for match in _NUMBER.findall(text)}


def _allowed(table: Any, columns: Any, labels: list[str], limit: int | None) -> set[str]:
    allowed: set[str] = {FR.count(n) for n in (len(table.rows), limit) if n}
    for row in table.rows:
        for value, column in zip(row, columns, strict=True):
            allowed |= _digits(FR.cell(value, column))
            number = as_decimal(value)
            if number is not None:
                allowed |= _digits(FR.value(abs(number), column.format))
    for label in labels:
        allowed |= _digits(label)
    return allowed


@given(
    names=st.lists(_NAMES, max_size=9, unique=True),
    figures=st.lists(_FIGURES, min_size=9, max_size=9),
    others=st.lists(_FIGURES, min_size=9, max_size=9),
    shape=st.sampled_from(["value", "ranking", "trend", "share", "growth", "two", "list", "sql"]),
    descending=st.booleans(),
    limit=st.one_of(st.none(), st.integers(1, 12)),
    truncated=st.booleans(),
    period=st.sampled_from([None, MAY, DateRange(date(2026, 3, 3), date(2026, 11, 23), "du 3 mars au 22 novembre 2026")]),
)
def test_no_number_that_is_not_in_the_table(
    names: list[str | None], figures: list[Any], others: list[Any], shape: str, descending: bool, limit: int | None,
    truncated: bool, period: DateRange | None,
) -> None:  # fmt: skip
    order = (Order(by="ca", descending=descending),)
    count = len(names)
    months = [date(2025 + i // 12, i % 12 + 1, 1) for i in range(count)]
    cases: dict[str, tuple[list[CompiledColumn], list[tuple[Any, ...]], Plan | None]] = {
        "value": ([CA, PREVIOUS, GROWTH], [(figures[0], others[0], others[1])], plan()),
        "ranking": ([REGION, CA], list(zip(names, figures, strict=False)), plan(dimensions=(BY_REGION,), order=order, limit=limit)),
        "trend": ([MONTH, CA], list(zip(months, figures, strict=False)), plan(dimensions=(BY_MONTH,))),
        "share": ([REGION, CA, SHARE], list(zip(names, figures, others, strict=False)), plan(dimensions=(BY_REGION,))),
        "growth": ([REGION, CA, PREVIOUS, GROWTH], list(zip(names, figures, others, others, strict=False)), plan(dimensions=(BY_REGION,))),
        "two": ([MONTH, REGION, CA], list(zip(months, names, figures, strict=False)), plan(dimensions=(BY_MONTH, BY_REGION))),
        "list": ([REGION], [(n,) for n in names], LIST.model_copy(update={"limit": limit})),
        "sql": ([REGION, CA], list(zip(names, figures, strict=False)), None),
    }  # fmt: skip
    columns, rows, of_plan = cases[shape]
    compiled, shown, table = result(columns, rows, period=period, previous=MAY_2025, truncated=truncated)
    sentence = write_sentence(of_plan, compiled, shown, table, LAYER, FR)
    labels = [period.label if period else "", "mai 2025"]
    assert _digits(sentence) <= _allowed(table, shown, labels, limit)
    assert sentence.endswith(".")
    assert "None" not in sentence


# ── French ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("label", "expected"),
    [("chiffre d’affaires", "le chiffre d’affaires"), ("marge brute", "la marge brute"), ("encours", "l’encours"),
     ("ventes", "les ventes"), ("prix moyen", "le prix moyen"), ("taux de marge", "le taux de marge"),
     ("quantité vendue", "la quantité vendue"), ("heures", "les heures"), ("rentabilité", "la rentabilité"), ("zorglub", None),
     ("satisfaction", "la satisfaction"), ("hausse", "la hausse"), ("CA", "le CA")],
)  # fmt: skip
def test_articles(label: str, expected: str | None) -> None:
    assert the(label) == expected


def test_contractions_and_elision() -> None:
    assert of_the("chiffre d’affaires") == "du chiffre d’affaires"
    assert of_the("ventes") == "des ventes"
    assert of_the("encours") == "de l’encours"
    assert (of("mai"), of("avril"), of("hausse"), of("heures")) == ("de mai", "d’avril", "de hausse", "d’heures")
    assert gender_of("") is None


@pytest.mark.parametrize(
    ("label", "inside", "to"),
    [("mai 2026", "en mai 2026", "à mai 2026"), ("T2 2026", "au T2 2026", "au T2 2026"), ("2026", "en 2026", "à 2026"),
     ("3 mai 2026", "le 3 mai 2026", "au 3 mai 2026"), ("exercice 2026", "sur l’exercice 2026", "à l’exercice 2026"),
     ("avril à mai 2026", "d’avril à mai 2026", "à la période d’avril à mai 2026"),
     ("du 3 mars au 4 mai 2026", "du 3 mars au 4 mai 2026", "à la période du 3 mars au 4 mai 2026")],
)  # fmt: skip
def test_periods_in_a_sentence(label: str, inside: str, to: str) -> None:
    assert in_period(label, "fr") == inside
    assert to_period(label, "fr") == to


def test_english() -> None:
    said = written(
        [REGION, CA], [("A", Decimal(6)), ("B", Decimal(4))], plan(dimensions=(BY_REGION,)), Formatter(language="en")
    )
    assert said == "A leads with €6.00 (chiffre d’affaires), ahead of B (€4.00)."


def test_details_of_a_named_thing_are_not_read_out() -> None:
    """A company has no first name, and nobody calls it by its code: the name alone stands in sentence and chart."""
    layer = Layer.model_validate(
        {
            "name": "essai",
            "entities": {
                "clients": {
                    "table": "clients",
                    "label": "client",
                    "gender": "m",
                    "name_dimension": "nom",
                    "dimensions": {
                        "nom": {"column": "nom", "label": "nom du client"},
                        "prenom": {"column": "prenom", "label": "prénom"},
                        "ville": {"column": "ville", "label": "ville"},
                    },
                    "measures": {
                        "ca": {"expression": "SUM(x)", "label": "chiffre d'affaires", "format": {"kind": "currency"}}
                    },
                }
            },
        }
    )
    columns = (
        AnswerColumn("nom", "Nom", "text", Format(kind="text"), "dimension", ref="clients.nom"),
        AnswerColumn("prenom", "Prénom", "text", Format(kind="text"), "dimension", ref="clients.prenom"),
        AnswerColumn("ca", "CA", "decimal", Format(kind="currency"), "measure", ref="clients.ca"),
    )
    types = (ResultColumn("nom", "text"), ResultColumn("prenom", "text"), ResultColumn("ca", "decimal"))
    plan = Plan.model_validate(
        {
            "measures": [{"alias": "ca", "measure": "clients.ca"}],
            "dimensions": [{"alias": "nom", "field": "clients.nom"}, {"alias": "prenom", "field": "clients.prenom"}],
            "order": [{"by": "ca"}],
            "limit": 3,
        }
    )
    rows = [("Roux SA", None, Decimal(30)), ("Dupont", "Léa", Decimal(20)), ("Petit", "Zoé", Decimal(10))]
    shape = shape_of(columns, ResultTable(types, rows), plan, layer)
    assert (shape.kind, shape.dimensions) == ("ranking", (0,))
    twins = [*rows, ("Dupont", "Noé", Decimal(5))]
    assert shape_of(columns, ResultTable(types, twins), plan, layer).dimensions == (0, 1)
