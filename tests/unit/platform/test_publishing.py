"""From a notebook to a version: what is kept, what is asked, what is decided, and what a rendering runs of it."""

from __future__ import annotations

from typing import Any

import pytest

from hub_config.content import notebooks
from hub_config.content.requests import MOST_OPEN
from hub_config.database import PublicationRequest
from hub_config.errors import TooLarge
from tests.platform_support import World
from tests.unit.platform.test_content import PLAN, _call, _dashboard, _publish, filtered, source_id  # noqa: F401 -- fixtures


def cell(source: str, kind: str = "code", **more: Any) -> dict[str, Any]:
    return {"cell_type": kind, "source": source, "metadata": {}} | more


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": {"name": "evil"}}, "cells": list(cells)}


WHOLE = notebook(
    cell("# Les ventes", "markdown", attachments={"a.png": {"image/png": "AAAA"}}),
    cell("%datapilot source Ventes\nx = 2"),
    cell(
        ["%ask -o ca CA par région\n", "print(ca.df)"],
        execution_count=3,
        outputs=[{"output_type": "stream", "name": "stdout", "text": "Durand 4200"}],
        metadata={"secret": "vu"},
    ),
    cell("%%sql\nSELECT 1"),
    cell("raw text", "raw"),
    cell("%ask autre question"),
)


def body(source: str, **more: Any) -> dict[str, Any]:
    tile = {"title": "CA", "source_id": source, "question": "CA par région", "plan": PLAN, "cell": 2}
    return {"name": "Du notebook", "tiles": [tile], "notebook": WHOLE} | more


def ask(world: World, sent: dict[str, Any], role: str = "analyst", audience: Any = "notebook", tenant: str = "t1") -> Any:
    headers = world.headers(role, tenant, audience)
    return _call(world, "POST", "/dashboards/publication-requests", headers=headers, json=sent)


def decide(world: World, request_id: str, **decision: Any) -> Any:
    path = f"/dashboards/publication-requests/{request_id}/decision"
    return _call(world, "POST", path, json={"accept": True, "exploratory": True} | decision)


def test_what_is_kept_is_source_alone(world: World, source_id: str) -> None:  # noqa: F811
    asked = ask(world, body(source_id))
    assert asked.status_code == 201, asked.text
    kept = asked.json()["content"]["notebook"]
    for lost in ("Durand", "AAAA", "vu", "evil", "raw text"):
        assert lost not in str(kept), lost
    assert [c["cell_type"] for c in kept["cells"]] == ["markdown", "code", "code", "code", "markdown", "code"]
    assert all(c.get("outputs", []) == [] and c.get("execution_count") is None for c in kept["cells"])
    assert asked.json()["url"] == f"{world.settings.public_url}/publications/{asked.json()['id']}"


def test_a_rendering_runs_the_authors_code_with_tiles_for_questions(world: World, source_id: str) -> None:  # noqa: F811
    made = decide(world, ask(world, body(source_id)).json()["id"])
    assert made.status_code == 200, made.text
    principal = world.principal("administrator")
    published = world.platform.content.publishing.published(principal, made.json()["dashboard_id"])
    (tile,) = published.content["tiles"]
    run = [c["source"] for c in notebooks.run_of(published.content)["cells"]]
    assert run == ["# Les ventes", "x = 2", f"%tile {tile['id']} -o ca\nprint(ca.df)"]
    assert [(left.cell, left.kind) for left in notebooks.left_out(published.content)] == [(4, "sql"), (6, "ask")]
    assert [code.cell for code in notebooks.own_code(published.content)] == [2, 3]


def test_of_several_questions_in_a_cell_each_tile_finds_its_own() -> None:
    book = {"cells": [cell("%ask a\n%ask b\n%ask c")]}
    tiles = [
        {"id": "1", "title": "", "question": "c", "cell": 0, "position": 0},
        {"id": "2", "title": "", "question": "edited since", "cell": 0, "position": 1},
        {"id": "3", "title": "", "question": None, "position": 2},
        {"id": "4", "title": "", "question": "a", "cell": 9, "position": 3},
    ]
    run = notebooks.run_of({"notebook": book, "tiles": tiles})["cells"]
    assert [c["source"] for c in run] == ["%tile 2\n%tile 1", "%tile 3", "%tile 4"]


def test_a_notebook_that_is_none_too_large_or_has_a_secret(world: World, source_id: str) -> None:  # noqa: F811
    for wrong in (
        {"nbformat": 3, "cells": []},
        {"nbformat": 4},
        notebook({"cell_type": "code", "source": 7}),
        notebook(*["x"]),
    ):
        answer = ask(world, body(source_id, notebook=wrong))
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "not_a_notebook"), wrong
    secret = ask(world, body(source_id, notebook=notebook(cell("x = 1\npassword = 'hunter22'"))))
    assert (secret.status_code, secret.json()["error"]["code"]) == (422, "secret_inside")
    assert "cellule 1, ligne 2" in secret.json()["error"]["message"]
    assert "hunter22" not in secret.text
    with pytest.raises(TooLarge):
        notebooks.kept(notebook(*[cell("x")] * (notebooks.MOST_CELLS + 1)))
    with pytest.raises(TooLarge):
        notebooks.kept(notebook(cell("x" * (notebooks.MOST_CHARACTERS + 1))))


def test_exploratory_is_accepted_or_not_published(world: World, source_id: str) -> None:  # noqa: F811
    asked = ask(world, body(source_id))
    assert [t["trust"] for t in asked.json()["content"]["tiles"]] == ["exploratory"]
    refused = decide(world, asked.json()["id"], exploratory=False)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "exploratory_not_accepted")
    assert decide(world, asked.json()["id"]).status_code == 200
    dashboard, _ = _dashboard(world, source_id)
    assert _publish(world, dashboard, exploratory=False).json()["error"]["code"] == "exploratory_not_accepted"


def test_trust_is_looked_up_and_never_believed(world: World, filtered: str) -> None:  # noqa: F811
    asked = ask(world, body(filtered))
    assert [t["trust"] for t in asked.json()["content"]["tiles"]] == ["governed"]
    assert decide(world, asked.json()["id"], exploratory=False).status_code == 200
    said = body(filtered)
    said["tiles"][0]["trust"] = "verified"
    assert ask(world, said).status_code == 422


def test_tiles_come_beside_those_in_force(world: World, source_id: str) -> None:  # noqa: F811
    first = decide(world, ask(world, body(source_id)).json()["id"]).json()
    dashboard = first["dashboard_id"]
    headers = world.headers("analyst", audience="notebook")
    offered = _call(world, "GET", "/dashboards/publishable", headers=headers).json()["items"]
    assert offered == [{"id": dashboard, "name": "Du notebook", "published": True}]
    before = _call(world, "GET", f"/dashboards/{dashboard}/published").json()
    more = {"dashboard_id": dashboard, "add_tiles": True, "tiles": [{"title": "Deux", "source_id": source_id, "plan": PLAN}]}
    asked = ask(world, more)
    assert (asked.status_code, asked.json()["name"]) == (201, "Du notebook"), asked.text
    assert _call(world, "GET", f"/dashboards/{dashboard}/published").json() == before, "asking changes nothing"
    decide(world, asked.json()["id"])
    after = _call(world, "GET", f"/dashboards/{dashboard}/published").json()
    assert [t["title"] for t in after["tiles"]] == ["CA", "Deux"]
    assert after["tiles"][0]["id"] == before["tiles"][0]["id"], "what stood keeps its address"
    published = world.platform.content.publishing.published(world.principal("administrator"), dashboard)
    run = [c["source"] for c in notebooks.run_of(published.content)["cells"]]
    assert run[0] == "# Les ventes", "the notebook stays"
    assert run[-1] == f"%tile {after['tiles'][1]['id']}"

    # A whole version instead of more tiles: what stood is gone, and comes back with the version before.
    whole = {"dashboard_id": dashboard, "tiles": [{"title": "Seul", "source_id": source_id, "plan": PLAN}]}
    decide(world, ask(world, whole).json()["id"])
    assert [t["title"] for t in _call(world, "GET", f"/dashboards/{dashboard}/published").json()["tiles"]] == ["Seul"]
    versions = _call(world, "GET", f"/dashboards/{dashboard}/versions").json()["items"]
    back = _call(world, "POST", f"/dashboards/{dashboard}/publish", json={"version_id": versions[1]["id"]})
    assert back.status_code == 200, back.text
    edited = _call(world, "GET", f"/dashboards/{dashboard}/widgets").json()["items"]
    assert [w["id"] for w in edited] == [t["id"] for t in after["tiles"]], "what is edited starts from it"
    again = _publish(world, dashboard).json()
    assert [t.get("cell") for t in again["content"]["tiles"]] == [2, None]
    assert again["content"]["notebook"] == published.content["notebook"], "an edit keeps the notebook"


def test_who_may_ask_for_what(world: World, source_id: str) -> None:  # noqa: F811
    workspace = _call(world, "POST", "/workspaces", json={"name": "Finance"}).json()["id"]
    hidden, _ = _dashboard(world, source_id, workspace_id=workspace)
    tile = {"title": "x", "source_id": source_id, "plan": PLAN}
    assert _call(world, "GET", "/dashboards/publishable", "analyst").json()["items"] == []
    assert ask(world, {"dashboard_id": hidden, "add_tiles": True, "tiles": [tile]}).status_code == 404
    assert ask(world, {"name": "x", "dashboard_id": hidden, "tiles": [tile]}).status_code == 404
    assert _call(world, "GET", "/dashboards/publishable", tenant="t2").json()["items"] == []
    assert _call(world, "GET", "/dashboards/publishable", "viewer").status_code == 403
    for wrong in ({"tiles": [tile]}, {"name": "x", "add_tiles": True, "tiles": [tile]}):
        assert ask(world, wrong).status_code == 422


def test_a_rejection_says_why(world: World, source_id: str) -> None:  # noqa: F811
    asked = ask(world, body(source_id)).json()
    assert decide(world, asked["id"], accept=False, reason="Il manque la période").json()["reason"] == "Il manque la période"
    publishing = world.platform.content.publishing
    mine = publishing.requests(world.principal("analyst"), status=None, limit=10)
    assert [(r.status, r.content_json["decision"]["reason"]) for r in mine] == [("rejected", "Il manque la période")]
    assert publishing.requests(world.principal("analyst", "t2"), status=None, limit=10) == []


def test_requests_that_wait_are_bounded(world: World, source_id: str) -> None:  # noqa: F811
    with world.database.tenant(world.tenant_id()) as session:
        for _ in range(MOST_OPEN):
            session.add(PublicationRequest(content_json={"name": "x"}, requested_by=world.user_id("analyst")))
    assert ask(world, body(source_id)).json()["error"]["code"] == "too_many_requests"
    assert ask(world, body(source_id), "administrator").status_code == 201


def test_a_period_that_viewers_choose_replaces_the_plans(world: World, source_id: str) -> None:  # noqa: F811
    dashboard, tile = _dashboard(world, source_id)
    listed = [{"field": "ventes.date", "label": "Période", "kind": "period"}]
    assert _publish(world, dashboard, filters=listed).status_code == 200
    principal = world.principal("administrator")

    def chosen(*values: str) -> Any:
        return world.platform.content.publishing.tile(principal, dashboard, tile, {"ventes.date": list(values)})[
            0
        ].plan.period

    assert chosen("2026-01-01", "2026-03-31").model_dump(mode="json") == {
        "kind": "between", "start": "2026-01-01", "end": "2026-03-31",
    }  # fmt: skip
    assert chosen("last-month").kind == "calendar"
    assert chosen("", "2026-03-31").start is None
    path = f"/dashboards/{dashboard}/tiles/{tile}/data"
    for wrong in (["x"], ["2026-03-31", "2026-01-01"], ["", ""], ["2026-02-30", ""], [1, 2, 3]):
        assert _call(world, "POST", path, json={"filters": {"ventes.date": wrong}}).status_code == 422, wrong
