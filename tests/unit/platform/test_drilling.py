"""Steps into a tile, without a platform: which levels a layer offers, and what a row becomes in the plan."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from datapilot_kernel.errors import BadInput
from datapilot_kernel.plan.compiler import compile_plan
from datapilot_kernel.plan.model import Between, Plan
from datapilot_kernel.semantic.model import Layer
from hub_config.content.drilling import Step, descend, descends, levels, said

TODAY = date(2026, 6, 17)


def _dimension(column: str, **more: Any) -> dict[str, Any]:
    return {"column": column, "label": column.replace("_", " ").capitalize(), **more}


LAYER = Layer.model_validate(
    {
        "name": "Boutique",
        "status": "accepted",
        "sql_dialect": "postgres",
        "entities": {
            "ventes": {
                "table": "ventes", "label": "Vente", "key": ["id"], "time": "jour", "masked": ["marge_brute"],
                "dimensions": {
                    "id": _dimension("id"), "canal": _dimension("canal", values={"W": ["site", "web"], "M": ["magasin"]}),
                    "jour": _dimension("jour", type="date"), "livree": _dimension("livree", type="boolean"),
                    "saisie": _dimension("saisie", hidden=True), "note": _dimension("note", personal=True),
                    "marge": _dimension("marge_brute"), "quantite": _dimension("quantite", type="number"),
                },
                "measures": {"ca": {"expression": "SUM(montant)", "label": "CA"}},
            },
            "clients": {
                "table": "clients", "label": "Client", "key": ["id"], "name_dimension": "nom",
                "dimensions": {"nom": _dimension("nom"), "ville": _dimension("ville"), "mail": _dimension("mail", personal=True)},
            },
            "technique": {"table": "technique", "label": "Technique", "hidden": True, "dimensions": {"x": _dimension("x")}},
        },
        "joins": {
            "v_c": {"from_entity": "ventes", "from_columns": ["client_id"], "to_entity": "clients", "to_columns": ["id"]},
            "v_t": {"from_entity": "ventes", "from_columns": ["t_id"], "to_entity": "technique", "to_columns": ["id"]},
        },
    }
)  # fmt: skip
CA = {"measures": [{"alias": "ca", "measure": "ventes.ca"}]}


def _plan(*dimensions: dict[str, Any], **more: Any) -> Plan:
    return Plan.model_validate(CA | {"dimensions": [{"alias": f"d{n}", **d} for n, d in enumerate(dimensions)]} | more)


def _keys(plan: Plan) -> list[str]:
    return [level.key for level in levels(plan, LAYER)]


def test_levels_are_what_the_layer_shows_and_nothing_else() -> None:
    by_channel = _keys(_plan({"field": "ventes.canal"}))
    assert set(by_channel) == {"ventes.livree", "clients.nom", "clients.ville", "ventes.jour/month"}
    assert by_channel[0] == "ventes.livree", "what the row itself is of comes first"
    assert set(_keys(_plan())) == {"ventes.canal", "ventes.livree", "clients.nom", "clients.ville", "ventes.jour/month"}
    fixed = {"filters": [{"field": "clients.ville", "op": "eq", "values": ["Lille"]}]}
    assert "clients.ville" not in _keys(_plan({"field": "ventes.canal"}, **fixed))


@pytest.mark.parametrize(
    ("grain", "finer"),
    [("year", ["quarter", "month"]), ("quarter", ["month"]), ("month", ["week", "day"]), ("week", ["day"]), ("day", [])],
)
def test_dates_go_one_grain_finer(grain: str, finer: list[str]) -> None:
    keys = _keys(_plan({"field": "ventes.jour", "grain": grain}))
    assert [key for key in keys if key.startswith("ventes.jour")] == [f"ventes.jour/{one}" for one in finer]


@pytest.mark.parametrize(
    "plan",
    [
        _plan({"field": "ventes.jour", "grain": "day_of_week"}),
        _plan({"field": "ventes.quantite", "bins": [1, 5]}),
        _plan({"field": "ventes.canal"}, rollup={"function": "count"}),
        Plan.model_validate({"kind": "rows", "entity": "ventes", "columns": [{"alias": "c", "field": "ventes.canal"}]}),
    ],
)
def test_what_cannot_be_named_again_leads_nowhere(plan: Plan) -> None:
    assert not descends(plan)
    assert levels(plan, LAYER) == []


def test_a_unit_of_the_calendar_is_cut_to_the_plans_own_period() -> None:
    months = _plan(
        {"field": "ventes.jour", "grain": "month"}, period={"kind": "last", "count": 30, "unit": "day", "complete": False}
    )
    may = descend(months, LAYER, Step(("2026-05-01",), "ventes.jour/day"), today=TODAY)
    assert may.period == Between(start=date(2026, 5, 19), end=date(2026, 5, 31))
    june = descend(months, LAYER, Step(("2026-06-01T00:00:00",), "ventes.canal"), today=TODAY)
    assert june.period == Between(start=date(2026, 6, 1), end=date(2026, 6, 17))
    year = _plan({"field": "ventes.jour", "grain": "year"})
    assert descend(year, LAYER, Step(("2025-01-01",), "ventes.jour/quarter"), today=TODAY).period == Between(
        start=date(2025, 1, 1), end=date(2025, 12, 31)
    )


def test_a_row_becomes_conditions_and_what_hung_on_it_goes() -> None:
    plan = _plan(
        {"field": "ventes.canal"}, {"field": "clients.ville"},
        order=[{"by": "d0"}], limit=5, limit_per="d0", having=[{"measure": "ca", "op": "gt", "values": [10]}],
    )  # fmt: skip
    found = descend(plan, LAYER, Step(("W", None), "clients.nom"), today=TODAY)
    assert [(one.field, one.op, one.values) for one in found.filters] == [
        ("ventes.canal", "eq", ("W",)), ("clients.ville", "is_null", ()),
    ]  # fmt: skip
    assert (found.limit, found.limit_per, found.having) == (None, None, ())
    assert [order.by for order in found.order] == ["ca"]
    sql = compile_plan(found, LAYER, dialect="postgres", today=TODAY).sql
    assert "'W'" in sql
    assert "IS NULL" in sql
    assert said(plan, LAYER, ("W", None)) == "site, (non renseigné)"


@pytest.mark.parametrize("step", [Step(("W",), "ventes.note"), Step(("W",), "ventes.marge"), Step(("W",), "ventes.id"),
                                  Step(("W", "x"), "ventes.livree"), Step((), "ventes.livree"), Step(("W",), "ventes.canal"),
                                  Step(("W",), "ventes.jour/hour_of_day"), Step(("W",), "clients.mail")])  # fmt: skip
def test_no_other_step_is_taken(step: Step) -> None:
    with pytest.raises(BadInput):
        descend(_plan({"field": "ventes.canal"}), LAYER, step, today=TODAY)


def test_a_date_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput):
        descend(_plan({"field": "ventes.jour", "grain": "month"}), LAYER, Step(("demain",), "ventes.jour/day"), today=TODAY)


def test_the_librarys_archive_is_the_one_that_is_meant() -> None:
    from hub_config.face import library

    with pytest.raises(ValueError, match="digest"):
        library.unpacked(b"another archive")
