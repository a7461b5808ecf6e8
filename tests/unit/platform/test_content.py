"""Workspaces, dashboards, versions, rights, requests, verified questions: who sees what, and with whose rights."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from tests.platform_support import PASSWORD, World
from tests.unit.platform.test_data_sources_files import _done, _send
from tests.unit.platform.test_semantic_layers_api import _accept, _draft, _save, _with

CSV = "Région;Montant HT\r\nSud;10,00\r\nNord;20,00\r\nNord;5,00\r\n".encode()
PLAN = {
    "measures": [{"alias": "ca", "measure": "ventes.ca"}],
    "dimensions": [{"alias": "region", "field": "ventes.region"}],
}


@pytest.fixture
def source_id(world: World) -> str:
    upload = _send(world, CSV, "ventes.csv").json()["id"]
    body = {"name": "Ventes", "uploads": [upload]}
    made = world.client.post("/api/v1/data-sources/from-files", json=body, headers=world.headers("analyst")).json()
    _done(world, made["source"]["id"], made["job_id"])
    found: str = made["source"]["id"]
    return found


@pytest.fixture
def filtered(world: World, source_id: str) -> str:
    """The source, its layer in force with a row filter by the person's region."""
    text = _with(_draft(world, source_id), row_filter='"region = {region}"')
    assert _accept(world, _save(world, source_id, text).json()["layer"]["id"]).status_code == 200
    return source_id


def _call(world: World, method: str, path: str, role: str = "administrator", **more: Any) -> Any:
    headers = more.pop("headers", None) or world.headers(role, more.pop("tenant", "t1"))
    return world.client.request(method, f"/api/v1{path}", headers=headers, **more)


def _dashboard(world: World, source_id: str, role: str = "administrator", **more: Any) -> tuple[str, str]:
    made = _call(world, "POST", "/dashboards", role, json={"name": "Ventes", **more})
    assert made.status_code == 201, made.text
    dashboard: str = made.json()["id"]
    tile = {"title": "CA", "query": {"source_id": source_id, "question": "CA par région", "plan": PLAN}}
    added = _call(world, "POST", f"/dashboards/{dashboard}/widgets", role, json=tile)
    assert added.status_code == 201, added.text
    return dashboard, added.json()["id"]


def _publish(world: World, dashboard: str, **body: Any) -> Any:
    return _call(world, "POST", f"/dashboards/{dashboard}/publish", json={"exploratory": True} | body)


def test_a_dashboard_from_draft_to_viewers_and_back(world: World, source_id: str) -> None:
    dashboard, tile = _dashboard(world, source_id, "analyst")
    assert _call(world, "POST", f"/dashboards/{dashboard}/publish", "analyst", json={}).status_code == 403
    assert _call(world, "GET", f"/dashboards/{dashboard}", "viewer").status_code == 404
    first = _publish(world, dashboard, filters=[{"field": "ventes.region", "label": "Région", "values": ["Sud", "Nord"]}])
    assert (first.status_code, first.json()["number"]) == (200, 1)
    assert _call(world, "GET", f"/dashboards/{dashboard}/published", "viewer").status_code == 404, "no right yet"
    _call(world, "PUT", f"/dashboards/{dashboard}/rights", json={"items": [{"role": "viewer"}]})
    shown = _call(world, "GET", f"/dashboards/{dashboard}/published", "viewer").json()
    assert shown["tiles"] == [{"id": tile, "title": "CA", "chart_type": "auto", "position": 0}]
    assert "plan" not in str(shown)
    data = _call(world, "POST", f"/dashboards/{dashboard}/tiles/{tile}/data", "viewer", json={})
    assert data.status_code == 200, data.text
    assert sorted(map(tuple, data.json()["rows"])) == [("Nord", "25.00"), ("Sud", "10.00")]
    assert (data.json()["sql"], data.json()["plan"]) == ("", None)

    # An edit shows nobody anything before it is published; the way back is the version before.
    _call(world, "DELETE", f"/dashboards/{dashboard}/widgets/{tile}")
    assert _call(world, "GET", f"/dashboards/{dashboard}/published", "viewer").json()["number"] == 1
    assert _publish(world, dashboard).json()["error"]["code"] == "nothing_to_publish"
    other = {"title": "Autre", "query": {"source_id": source_id, "plan": PLAN}}
    _call(world, "POST", f"/dashboards/{dashboard}/widgets", json=other)
    assert _publish(world, dashboard).json()["number"] == 2
    again = _publish(world, dashboard, version_id=first.json()["id"])
    assert again.status_code == 200
    assert _call(world, "GET", f"/dashboards/{dashboard}/published", "viewer").json()["number"] == 1
    _call(world, "POST", f"/dashboards/{dashboard}/unpublish")
    assert _call(world, "GET", f"/dashboards/{dashboard}/published", "viewer").status_code == 404
    assert _call(world, "GET", "/dashboards", "viewer").json()["items"] == []


def test_only_listed_filters_and_values_are_taken(world: World, source_id: str) -> None:
    dashboard, tile = _dashboard(world, source_id)
    _publish(world, dashboard, filters=[{"field": "ventes.region", "label": "Région", "values": ["Sud"]}])
    path = f"/dashboards/{dashboard}/tiles/{tile}/data"
    south = _call(world, "POST", path, json={"filters": {"ventes.region": ["Sud"]}})
    assert south.json()["rows"] == [["Sud", "10.00"]]
    for filters in ({"ventes.region": ["Nord"]}, {"ventes.montant_ht": ["1"]}, {"ventes.region": []}):
        answer = _call(world, "POST", path, json={"filters": filters})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "filter_not_listed")


def test_a_dashboard_lends_nobodys_rights(world: World, filtered: str) -> None:
    dashboard, tile = _dashboard(world, filtered)
    _publish(world, dashboard)
    _call(world, "PUT", f"/dashboards/{dashboard}/rights", json={"items": [{"role": "viewer"}]})
    seen = {}
    for region in ("Nord", "Sud"):
        user = world.add_user("t1", f"{region}@t1.example", "viewer", attributes={"region": region})
        headers = {"Authorization": f"Bearer {world.token_of(world.tenant_id(), user)}"}
        answer = _call(world, "POST", f"/dashboards/{dashboard}/tiles/{tile}/data", headers=headers, json={})
        seen[region] = [row[0] for row in answer.json()["rows"]]
    assert seen == {"Nord": ["Nord"], "Sud": ["Sud"]}
    without = _call(world, "POST", f"/dashboards/{dashboard}/tiles/{tile}/data", "viewer", json={})
    assert without.json().get("rows", []) == []


def test_rights_of_one_person_and_of_nobody_else(world: World, source_id: str) -> None:
    dashboard, _ = _dashboard(world, source_id)
    _publish(world, dashboard)
    one = world.user_id("viewer")
    other = world.add_user("t1", "autre@t1.example", "viewer")
    _call(world, "PUT", f"/dashboards/{dashboard}/rights", json={"items": [{"user_id": one}]})
    assert _call(world, "GET", f"/dashboards/{dashboard}/published", "viewer").status_code == 200
    headers = {"Authorization": f"Bearer {world.token_of(world.tenant_id(), other)}"}
    assert _call(world, "GET", f"/dashboards/{dashboard}/published", headers=headers).status_code == 404
    stranger = world.user_id("viewer", "t2")
    assert _call(world, "PUT", f"/dashboards/{dashboard}/rights", json={"items": [{"user_id": stranger}]}).status_code == 404
    assert _call(world, "GET", f"/dashboards/{dashboard}/published", "administrator", tenant="t2").status_code == 404


def test_a_workspace_hides_what_it_groups(world: World, source_id: str) -> None:
    made = _call(world, "POST", "/workspaces", json={"name": "Finance"}).json()["id"]
    source = _call(world, "GET", f"/data-sources/{source_id}").json()
    moved = {"revision": source["revision"], "move": True, "workspace_id": made}
    assert _call(world, "PATCH", f"/data-sources/{source_id}", json=moved).status_code == 200
    dashboard, _ = _dashboard(world, source_id, workspace_id=made)
    for path in (f"/data-sources/{source_id}", f"/dashboards/{dashboard}", f"/workspaces/{made}"):
        assert _call(world, "GET", path, "analyst").status_code == 404
    question = {"source_id": source_id, "question": "CA par région"}
    assert _call(world, "POST", "/ai/query", "analyst", json=question).status_code == 404
    _call(world, "PUT", f"/workspaces/{made}/members", json={"user_ids": [world.user_id("analyst")]})
    for path in (f"/data-sources/{source_id}", f"/dashboards/{dashboard}", f"/workspaces/{made}"):
        assert _call(world, "GET", path, "analyst").status_code == 200
    assert _call(world, "POST", "/ai/query", "analyst", json=question).status_code == 200
    assert _call(world, "DELETE", f"/workspaces/{made}").json()["error"]["code"] == "workspace_in_use"
    assert _call(world, "POST", "/workspaces", json={"name": "Finance"}).status_code == 409


def test_a_notebook_asks_and_an_administrator_decides(world: World, source_id: str) -> None:
    notebook = world.headers("analyst", audience="notebook")
    body = {"name": "Du notebook", "tiles": [{"title": "CA", "source_id": source_id, "plan": PLAN}]}
    asked = _call(world, "POST", "/dashboards/publication-requests", headers=notebook, json=body)
    assert asked.status_code == 201, asked.text
    path = f"/dashboards/publication-requests/{asked.json()['id']}/decision"
    assert _call(world, "POST", path, headers=notebook, json={"accept": True}).status_code == 403
    assert _call(world, "POST", path, "analyst", json={"accept": True}).status_code == 403
    decided = _call(world, "POST", path, json={"accept": True, "exploratory": True}).json()
    assert decided["status"] == "accepted"
    published = _call(world, "GET", f"/dashboards/{decided['dashboard_id']}/published").json()
    assert [tile["title"] for tile in published["tiles"]] == ["CA"]
    assert _call(world, "POST", path, json={"accept": False}).json()["error"]["code"] == "already_decided"


def test_a_tile_over_a_source_that_one_does_not_reach(world: World, source_id: str) -> None:
    made = _call(world, "POST", "/dashboards", tenant="t2", json={"name": "x"}).json()["id"]
    tile = {"title": "CA", "query": {"source_id": source_id, "plan": PLAN}}
    assert _call(world, "POST", f"/dashboards/{made}/widgets", tenant="t2", json=tile).status_code == 404
    body = {"name": "x", "tiles": [{"source_id": source_id, "plan": PLAN}]}
    assert _call(world, "POST", "/dashboards/publication-requests", tenant="t2", json=body).status_code == 404


def test_verified_questions_answer_once_approved(world: World, source_id: str) -> None:
    _accept(world, _save(world, source_id, _draft(world, source_id)).json()["layer"]["id"])
    asked = {"source_id": source_id, "question": "chiffre d'affaires par région"}
    first = _call(world, "POST", "/ai/query", "analyst", json=asked).json()
    assert first["trust"] != "verified", first
    liked = {"verdict": "up", "propose_verified": True}
    proposed = _call(world, "POST", f"/queries/{first['id']}/feedback", "analyst", json=liked)
    listed = _call(world, "GET", "/verified-questions", params={"source_id": source_id}).json()["items"]
    assert proposed.status_code == 201, proposed.text
    assert [(i["question"], i["status"], i["problem"]) for i in listed] == [(asked["question"], "proposed", None)]
    path = f"/verified-questions/{listed[0]['id']}/decision"
    assert _call(world, "POST", path, "analyst", json={"approve": True}).status_code == 403
    assert _call(world, "POST", path, json={"approve": True}).json()["status"] == "approved"
    assert _call(world, "POST", "/ai/query", "analyst", json=asked).json()["trust"] == "verified"
    _call(world, "POST", path, json={"approve": False})
    assert _call(world, "POST", "/ai/query", "analyst", json=asked).json()["trust"] != "verified"


def test_a_quota_is_lowered_by_the_tenant_and_raised_by_the_operator(world: World) -> None:
    def value(key: str) -> tuple[int, int]:
        items = _call(world, "GET", "/tenant/quotas").json()["items"]
        return next((i["value"], i["bound"]) for i in items if i["key"] == key)

    assert _call(world, "PUT", "/tenant/quotas", json={"key": "queries_per_day", "value": 10}).status_code == 200
    assert value("queries_per_day") == (10, 5000)
    for above in (5001, 0):
        refused = _call(world, "PUT", "/tenant/quotas", json={"key": "queries_per_day", "value": above})
        assert refused.json()["error"]["code"] == "quota_above_bound"
    world.platform.office.set_bound(world.tenant_id(), "queries_per_day", 9000)
    assert value("queries_per_day") == (10, 9000), "what the tenant lowered stays lowered"
    assert _call(world, "PUT", "/tenant/quotas", json={"key": "queries_per_day", "value": 9000}).status_code == 200
    assert _call(world, "PUT", "/tenant/quotas", json={"key": "nothing", "value": 1}).status_code == 422
    assert value("queries_per_day") == (9000, 9000)


def test_export_and_a_deletion_that_is_proved(world: World, source_id: str) -> None:
    _call(world, "POST", "/ai/query", "analyst", json={"source_id": source_id, "question": "CA par région"})
    archive = zipfile.ZipFile(io.BytesIO(_call(world, "GET", "/tenant/export").content))
    whole = b"".join(archive.read(name) for name in archive.namelist())
    assert CSV in whole
    assert b"CA par r" in whole
    assert b"argon2" not in whole
    assert b"gAAAA" not in whole
    name = _call(world, "GET", "/tenant").json()["name"]
    wrong = _call(world, "POST", "/tenant/deletion", json={"name": "autre", "password": PASSWORD})
    assert wrong.json()["error"]["code"] == "wrong_name_again"
    wrong = _call(world, "POST", "/tenant/deletion", json={"name": name, "password": "faux" * 4})
    assert wrong.status_code == 422
    done = _call(world, "POST", "/tenant/deletion", json={"name": name, "password": PASSWORD})
    assert done.status_code == 200, done.text
    certificate = done.json()
    assert (certificate["rows_left"], certificate["files_left"]) == (0, 0)
    assert certificate["rows"]["users"] == 3
    assert certificate["rows"]["source_files"] == 1
    assert certificate["files"] >= 1
    assert not list((world.settings.data_dir / "tenants").glob(f"{certificate['tenant_id']}/*"))
    assert not list((world.settings.data_dir / "results").rglob(f"*{certificate['tenant_id']}*/*"))
    assert _call(world, "GET", "/auth/me", "viewer", tenant="t2").status_code == 200, "the other tenant lives"


def test_the_record_is_searched_and_exported(world: World, source_id: str) -> None:
    _call(world, "POST", "/ai/query", "analyst", json={"source_id": source_id, "question": "=CA par région"})
    found = _call(world, "GET", "/audit", params={"q": "ca par", "limit": 5}).json()["items"]
    assert [(e["action"], e["actor_email"]) for e in found] == [("query.ask", "analyst@t1.example")]
    exported = _call(world, "GET", "/audit/export").content.decode("utf-8-sig")
    assert "'=CA par région" in exported
    assert exported.splitlines()[0].startswith("at;actor_email;")
    assert _call(world, "GET", "/audit", "analyst").status_code == 403
    assert _call(world, "GET", "/audit", tenant="t2", params={"q": "ca par"}).json()["items"] == []
    pages, cursor = [], None
    while True:
        page = _call(world, "GET", "/audit", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        pages += [e["id"] for e in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(pages) == len(set(pages)) >= 3
