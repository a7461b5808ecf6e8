from __future__ import annotations

from typing import Any

import pytest

from datapilot_kernel.answers import apply_edit
from datapilot_kernel.answers.reading import read_plan
from datapilot_kernel.errors import BadInput
from datapilot_kernel.plan.model import CalendarPeriod, Filter, Having, MeasureItem, Order, Plan, Rollup
from tests.unit.answers.results import BY_MONTH, BY_REGION, FR, LAYER, M_CA, plan

WHOLE = Plan(
    measures=(M_CA, MeasureItem(alias="nb", measure="commande.nb")),
    dimensions=(BY_REGION, BY_MONTH),
    filters=(
        Filter(field="commande.region", op="in", values=("Bretagne", "Corse")),
        Filter(field="commande.ville", op="is_null"),
    ),
    having=(Having(measure="nb", op="gt", values=(3,)),),
    period=CalendarPeriod(unit="month", offset=-1),
    order=(Order(by="nb"), Order(by="mois", descending=False)),
    limit=3,
    limit_per="region",
)


def test_another_period() -> None:
    edited = apply_edit(WHOLE, "/period", {"kind": "calendar", "unit": "year", "offset": 0})
    assert edited.period == CalendarPeriod(unit="year", offset=0)
    assert apply_edit(edited, "/period", CalendarPeriod(unit="month", offset=-1)) == WHOLE
    assert apply_edit(WHOLE, "/period", None).period is None


def test_a_filter_goes_or_changes() -> None:
    assert [f.field for f in apply_edit(WHOLE, "/filters/0", None).filters] == ["commande.ville"]
    assert apply_edit(WHOLE, "/filters/0/values", ["Corse"]).filters[0].values == ("Corse",)
    assert apply_edit(WHOLE, "/filters/0/values/0", None).filters[0].values == ("Corse",)
    assert len(apply_edit(WHOLE, "/filters/-", {"field": "commande.statut", "values": ["EXP"]}).filters) == 3


def test_what_hung_on_a_part_goes_with_it() -> None:
    edited = apply_edit(WHOLE, "/measures/1", None)
    assert [o.by for o in edited.order] == ["mois"]
    assert edited.having == ()
    assert apply_edit(WHOLE, "/dimensions/0", None).limit_per is None


def test_another_measure_keeps_the_order() -> None:
    edited = apply_edit(WHOLE, "/measures/1", "commande.panier", layer=LAYER)
    assert edited.measures[1].measure == "commande.panier"
    assert [o.by for o in edited.order] == ["nb", "mois"]


def test_a_group_is_added_under_a_name_of_its_own() -> None:
    edited = apply_edit(plan(dimensions=(BY_REGION,)), "/dimensions/-", "commande.ville", layer=LAYER)
    assert edited.dimensions[1].alias == "ville"
    twice = apply_edit(edited, "/dimensions/-", "client.ville", layer=LAYER)
    assert twice.dimensions[2].alias == "ville_2"


def test_default_filters_are_left_out_and_brought_back() -> None:
    without = apply_edit(WHOLE, "/ignored_defaults/commande", None, layer=LAYER)
    assert without.ignored_defaults == ("commande",)
    assert apply_edit(without, "/ignored_defaults/commande", True) == WHOLE


def test_a_rollup_does_not_outlive_its_groups() -> None:
    folded = plan(dimensions=(BY_REGION,), rollup=Rollup(function="count"))
    assert apply_edit(folded, "/dimensions/0", None).rollup is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/limit", 0),
        ("/limit", "beaucoup"),
        ("/filters/9", None),
        ("/filters/x", None),
        ("/period", {"kind": "demain"}),
        ("/period/nothing/here", 1),
        ("/version", 2),
        ("/kind", "rows"),
        ("", None),
        ("/order/0", {"by": "inconnu; DROP TABLE"}),
        ("/measures/0", "inconnu.mesure"),
        ("/dimensions/0", "commande.inconnue"),
        ("/ignored_defaults/inconnue", None),
        ("/filters", "x"),
    ],
)
def test_what_is_not_possible_is_refused_in_words(path: str, value: Any) -> None:
    with pytest.raises(BadInput) as error:
        apply_edit(WHOLE, path, value, layer=LAYER)
    assert str(error.value).endswith(".")


def test_the_last_measure_stays() -> None:
    with pytest.raises(BadInput):
        apply_edit(plan(), "/measures/0", None)


def test_every_editable_part_of_a_reading_can_be_taken_away() -> None:
    for part in read_plan(WHOLE, LAYER, None, FR):
        if part.editable:
            assert apply_edit(WHOLE, part.path, None, layer=LAYER) != WHOLE
