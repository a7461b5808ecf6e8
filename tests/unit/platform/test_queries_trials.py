"""A question over a draft: what the draft says holds, and never more rights than the layer in force gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from datapilot_kernel.engine.outcome import Answer, Refusal
from datapilot_kernel.semantic.model import Layer
from hub_config.audit import AuditFilter
from hub_config.database import Conversation
from hub_config.queries.model import Asked, Ended, Trial
from tests.platform_support import World
from tests.questions_support import TODAY, accept_layer, add_files, asking_world, give_attributes

QUESTION = "montant par region"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with asking_world(tmp_path) as made:
        yield made


def _changed(layer: Layer, **changes: Any) -> Layer:
    (name, entity), *_ = layer.entities.items()
    return layer.model_copy(update={"entities": {name: entity.model_copy(update=changes)}})


def _tried(world: World, source: str, layer: Layer, *, role: str = "analyst", **given: Any) -> Ended:
    attributes = given.pop("attributes", {})
    asked = Asked(source, given.pop("question", QUESTION), engine="local", today=date.fromisoformat(TODAY), alone=True)
    asked = replace(asked, trial=Trial(layer, tuple(sorted(attributes.items()))), **given)
    ended: Ended = world.platform.queries.run(world.principal(role), asked)
    return ended


def _regions(ended: Ended) -> list[str]:
    assert isinstance(ended.outcome, Answer), ended.outcome
    return [row[0] for row in ended.outcome.table.rows]


def test_a_drafts_words_answer_before_it_is_kept_and_nothing_else_changes(world: World) -> None:
    source = add_files(world)
    layer = accept_layer(world, source)
    (_, entity), *_ = layer.entities.items()
    (key, measure), *_ = entity.measures.items()
    renamed = _changed(layer, measures={**entity.measures, key: measure.model_copy(update={"label": "encaissement"})})
    ended = _tried(world, source, renamed, question="encaissement par region")
    assert isinstance(ended.outcome, Answer)
    assert ended.outcome.trust == "exploratory"
    assert _regions(ended) == ["Ouest", "Sud", "Nord"]
    in_force = Asked(source, "encaissement par region", engine="local", today=date.fromisoformat(TODAY), alone=True)
    assert isinstance(world.platform.queries.run(world.principal("analyst"), in_force).outcome, Refusal)
    again = world.platform.queries.run(world.principal("analyst"), replace(in_force, question=QUESTION))
    assert again.outcome.trust == "governed", "what was tried is kept nowhere"


def test_a_row_filter_of_the_draft_is_tried_with_the_attributes_given(world: World) -> None:
    source = add_files(world)
    layer = accept_layer(world, source)
    filtered = _changed(layer, row_filter="region = {region}")
    assert _regions(_tried(world, source, filtered, attributes={"region": "Nord"})) == ["Nord"]
    assert _regions(_tried(world, source, filtered, attributes={"region": "Sud"})) == ["Sud"]
    assert isinstance(_tried(world, source, filtered).outcome, Refusal)


@pytest.mark.parametrize("role", ["analyst", "administrator"])
def test_a_draft_never_opens_what_the_layer_in_force_closes(world: World, role: str) -> None:
    source = add_files(world)
    give_attributes(world, role, region="Nord")
    layer = accept_layer(world, source, row_filter="region = {region}")
    for row_filter in (None, "1 = 1", "region = {region}", "region <> 'x') OR (1 = 1"):
        ended = _tried(world, source, _changed(layer, row_filter=row_filter), role=role, attributes={"region": "Sud"})
        if isinstance(ended.outcome, Answer):
            assert set(_regions(ended)) <= {"Nord"}, row_filter
    assert _regions(_tried(world, source, _changed(layer, row_filter=None), role=role)) == ["Nord"]


def test_a_column_masked_in_force_stays_masked(world: World) -> None:
    source = add_files(world)
    bare = accept_layer(world, source)
    (_, entity), *_ = bare.entities.items()
    dimensions = {n: d for n, d in entity.dimensions.items() if n != "region"}
    accept_layer(world, source, masked=("region",), dimensions=dimensions)
    outcome = _tried(world, source, bare).outcome
    assert isinstance(outcome, Refusal)
    assert outcome.reason == "masked_column"


def test_it_is_written_down_as_a_trial_and_begins_no_conversation(world: World) -> None:
    source = add_files(world)
    layer = accept_layer(world, source)
    ended = _tried(world, source, layer)
    events = world.platform.audit.search(world.tenant_id(), AuditFilter(action="query.ask"), limit=10)
    assert [(e.query_id, e.details["layer"], e.details["trust"]) for e in events] == [
        (ended.query_id, "trial", "exploratory")
    ]
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        assert session.scalar(select(func.count()).select_from(Conversation)) == 0


def test_engines_over_drafts_are_few_and_go_with_their_source(world: World) -> None:
    source = add_files(world)
    layer = accept_layer(world, source)
    for number in range(8):
        _tried(world, source, layer.model_copy(update={"name": f"essai {number}"}))
    kept = world.platform.queries.trials._kept
    assert len(kept) == 6
    world.platform.queries.forget(world.tenant_id("t2"))
    assert len(kept) == 6
    world.platform.queries.forget(world.tenant_id(), source)
    assert len(kept) == 0
