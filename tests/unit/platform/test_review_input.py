"""What comes in and breaks something later: found by a review, each once open."""

from __future__ import annotations

import json

import pytest

from hub_config.api.bodies import DEEPEST, is_keepable
from tests.platform_support import World

POISON = {
    "half a pair": r'"\ud800"',
    "half a pair as a key": r'{"\udfff": 1}',
    "nul": r'"\u0000"',
    "not a number": "NaN",
    "beyond every float": "1e400",
    "deep": "[" * 900 + "]" * 900,
    "deeper": "[" * 20_000 + "]" * 20_000,
}


@pytest.mark.parametrize("path", ["dashboards", "workspaces", "tenant"])
@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_what_nobody_could_answer_again_is_refused(world: World, path: str, poison: str) -> None:
    headers = world.headers("administrator") | {"Content-Type": "application/json"}
    field = "layout" if path == "dashboards" else "settings"
    body = f'{{"name": "x", "{field}": {{"a": {poison}}}}}'
    method = "PATCH" if path == "tenant" else "POST"
    sent = world.client.request(method, f"/api/v1/{path}", content=body, headers=headers)
    assert (sent.status_code, sent.json()["error"]["code"]) == (422, "bad_json")
    assert world.client.get(f"/api/v1/{path}", headers=headers).status_code == 200


@pytest.mark.parametrize("field", ["question", "sql"])
def test_nul_in_a_question_is_refused(world: World, field: str) -> None:
    body = {"source_id": "0" * 32, field: "SELECT 'a\x00b'"}
    sent = world.client.post("/api/v1/ai/query", json=body, headers=world.headers("analyst"))
    assert (sent.status_code, sent.json()["error"]["code"]) == (422, "bad_json")


@pytest.mark.parametrize("name", ["q", "action", "outcome"])
@pytest.mark.parametrize("path", ["audit", "audit/export"])
def test_nul_in_a_search_of_the_record_is_refused(world: World, path: str, name: str) -> None:
    found = world.client.get(f"/api/v1/{path}", params={name: "a\x00"}, headers=world.headers("administrator"))
    assert found.status_code == 422


def test_what_people_write_comes_through(world: World) -> None:
    layout = {"😀": "é\u202f« » \\u0000 1e400 NaN", "n": 10**300, "l": [[[1.5, None, True]]] * 100}
    sent = world.client.post(
        "/api/v1/dashboards", json={"name": "Ventes", "layout": layout}, headers=world.headers("analyst")
    )
    assert (sent.status_code, sent.json()["layout"]) == (201, layout)


def test_depth_is_counted_in_lists_and_objects() -> None:
    nested: object = 1
    for _ in range(DEEPEST):
        nested = [nested]
    assert is_keepable(nested)
    assert not is_keepable({"a": nested})
    assert is_keepable(json.loads('{"a": [{"b": "c"}]}'))
