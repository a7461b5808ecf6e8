"""Ways along the joins: shortest first, never from one to many, and a question where two are equally good."""

from __future__ import annotations

from typing import Any

import pytest

from datapilot_kernel.plan.paths import JoinGraph, find_paths
from datapilot_kernel.plan.problems import AmbiguousPath, PlanProblem
from datapilot_kernel.semantic.model import Layer
from tests.integration.shop import LAYER


def layer(joins: dict[str, str], **more: dict[str, Any]) -> Layer:
    """``{"a_b": "a b"}`` is a join from a to b."""
    names = sorted({name for ends in joins.values() for name in ends.split()})
    return Layer.model_validate({
        "name": "t",
        "entities": {name: {"table": name, "label": name.upper()} for name in names},
        "joins": {
            name: {"from_entity": ends.split()[0], "to_entity": ends.split()[1], "from_columns": ["x"], "to_columns": ["id"], **more.get(name, {})}
            for name, ends in joins.items()
        },
    })  # fmt: skip


def ways(found: list[Any]) -> list[tuple[str, ...]]:
    return [path.joins for path in found]


def test_an_entity_reaches_itself_without_a_join() -> None:
    assert ways(find_paths(LAYER, "client", "client")) == [()]


def test_shortest_first() -> None:
    two = layer({"a_b": "a b", "b_c": "b c", "a_c": "a c"})
    assert ways(find_paths(two, "a", "c")) == [("a_c",), ("a_b", "b_c")]
    found = JoinGraph(two).best("a", "c", ref="c", label="C")
    assert found is not None
    assert found.joins == ("a_c",)


def test_never_from_one_to_many() -> None:
    assert find_paths(LAYER, "client", "commande") == []
    assert find_paths(LAYER, "region", "objectif") == []


def test_one_to_one_both_ways() -> None:
    both = layer({"a_b": "a b"}, a_b={"cardinality": "one_to_one"})
    assert ways(find_paths(both, "b", "a")) == [("a_b",)]
    assert ways(find_paths(both, "a", "b")) == [("a_b",)]


def test_the_preferred_one_settles_it() -> None:
    found = JoinGraph(LAYER).best("commande", "client", ref="client.nom", label="Client")
    assert found is not None
    assert found.joins == ("client_facture",)


def test_a_preferred_join_without_a_parallel_one_settles_between_entities() -> None:
    two = layer({"a_b": "a b", "a_c": "a c", "b_d": "b d", "c_d": "c d"}, a_c={"preferred": True})
    found = JoinGraph(two).best("a", "d", ref="d", label="D")
    assert found is not None
    assert found.joins == ("a_c", "c_d")


def test_via_goes_the_other_way() -> None:
    assert ways(find_paths(LAYER, "commande", "client", ("client_livre",))) == [("client_livre",)]


def test_two_equally_good_ones_are_a_question() -> None:
    with pytest.raises(AmbiguousPath) as caught:
        JoinGraph(LAYER).best("commande", "region", ref="region.nom", label="Région")
    asked = caught.value
    assert asked.reason == "ambiguous_path"
    assert (asked.from_entity, asked.to_entity, asked.ref) == ("commande", "region", "region.nom")
    # The billed client is preferred to the delivered one; that does not make it better than the shop.
    assert {choice.joins for choice in asked.candidates} == {
        ("commande_magasin", "magasin_region"),
        ("client_facture", "client_region"),
    }
    for choice in asked.candidates:
        found = JoinGraph(LAYER).best("commande", "region", choice.joins, ref="region.nom", label="Région")
        assert found is not None
        assert found.joins == choice.joins
        assert choice.label in str(asked)


def test_joins_of_another_way_do_not_bind() -> None:
    found = JoinGraph(LAYER).best("objectif", "region", ("client_region",), ref="region.nom", label="Région")
    assert found is not None
    assert found.joins == ("objectif_region",)


def test_to_itself_only_when_asked() -> None:
    boss = layer({"chef": "salarie salarie"})
    assert ways(find_paths(boss, "salarie", "salarie")) == [()]
    assert ways(find_paths(boss, "salarie", "salarie", ("chef",))) == [("chef",)]


def test_cycles_end() -> None:
    ring = layer({"a_b": "a b", "b_c": "b c", "c_a": "c a", "c_d": "c d"})
    assert ways(find_paths(ring, "a", "d")) == [("a_b", "b_c", "c_d")]


def test_names_that_are_not_there() -> None:
    with pytest.raises(PlanProblem, match="nimporte") as caught:
        find_paths(LAYER, "nimporte", "client")
    assert caught.value.reason == "unknown_reference"
    with pytest.raises(PlanProblem) as caught:
        find_paths(LAYER, "commande", "client", ("nimporte",))
    assert caught.value.reason == "unknown_join"
