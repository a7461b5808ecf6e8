"""Ways round a source's rights that a review found: each was open once, and the test failed then."""

from __future__ import annotations

from typing import Any

import pytest

from tests.platform_support import World
from tests.unit.platform.test_data_sources_files import _done, _send

PAY = b"nom;region;salaire\r\nAlice;Sud;1000\r\nBob;Nord;2000\r\nCarl;Nord;3000\r\n"

LAYER = """\
version: 1
name: Paie
sql_dialect: duckdb
entities:
  paie:
    table: paie
    masked: [salaire]
    row_filter: "region = {region}"
    label: paie
    dimensions:
      nom: {column: nom, label: nom}
      region: {column: region, label: région}
    measures:
      nombre: {expression: COUNT(*), label: nombre de paies}
"""


def _source(world: World, content: bytes = PAY, name: str = "paie.csv", *, role: str = "administrator") -> str:
    upload = _send(world, content, name, role=role).json()["id"]
    body = {"name": "Paie", "uploads": [upload]}
    made = world.client.post("/api/v1/data-sources/from-files", json=body, headers=world.headers(role)).json()
    source_id: str = made["source"]["id"]
    assert _done(world, source_id, made["job_id"])["status"] == "done"
    return source_id


def _govern(world: World, source_id: str, layer: str = LAYER) -> None:
    body = {"source_id": source_id, "text": layer}
    headers = world.headers("administrator")
    saved = world.client.post("/api/v1/semantic-layers", json=body, headers=headers)
    assert saved.status_code == 201, saved.text
    accepted = world.client.post(f"/api/v1/semantic-layers/{saved.json()['layer']['id']}/accept", headers=headers)
    assert accepted.status_code == 200, accepted.text


@pytest.fixture
def governed(world: World) -> str:
    """A source whose salaries are masked and whose rows are filtered by region; the analyst is of the South."""
    source_id = _source(world)
    _govern(world, source_id)
    world.client.patch(
        f"/api/v1/users/{world.user_id('analyst')}",
        json={"attributes": {"region": "Sud"}},
        headers=world.headers("administrator"),
    )
    return source_id


def _sql(world: World, source_id: str, sql: str, role: str = "analyst", **more: Any) -> Any:
    body = {"source_id": source_id, "sql": sql}
    return world.client.post("/api/v1/ai/query", json=body, headers=world.headers(role, **more)).json()


def _add(world: World, source_id: str, content: bytes, name: str, files: dict[str, Any] | None = None, **more: Any) -> Any:
    upload = _send(world, content, name, **more).json()["id"]
    body = {"uploads": [upload], "files": files or {}}
    headers = world.headers(more.pop("role", "analyst"), **more)
    return world.client.post(f"/api/v1/data-sources/{source_id}/files", json=body, headers=headers)


def _tables(world: World, source_id: str) -> list[str]:
    found = world.client.get(f"/api/v1/data-sources/{source_id}/catalog", headers=world.headers("administrator")).json()
    return [table["name"] for table in found["tables"]]


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("aaa.csv", {"aaa.csv": {"table": "paie"}}),
        ("Paie.csv", {}),
        ("PAIE.txt", {}),
        ("autre.csv", {"autre.csv": {"table": "Paie"}}),
    ],
)
def test_a_file_that_is_added_cannot_rename_a_table_out_of_its_rights(
    world: World, governed: str, name: str, files: dict[str, Any]
) -> None:
    answer = _add(world, governed, b"a;b\r\n1;2\r\n", name, files)
    assert answer.status_code == 202, answer.text
    job = _done(world, governed, answer.json()["job_id"])
    assert (job["status"], _tables(world, governed)) == ("failed", ["paie"])
    assert "nom" in job["problem"], "says what to do"
    shown = _sql(world, governed, "SELECT * FROM paie")
    assert [row[:2] for row in shown["rows"]] == [["Alice", "Sud"]]
    assert "1000" not in str(shown["rows"])


def test_a_file_that_is_replaced_keeps_its_place_before_one_that_wants_its_name(world: World, governed: str) -> None:
    first = _add(world, governed, b"a;b\r\n1;2\r\n", "aaa.csv", {"aaa.csv": {"table": "paie"}})
    _done(world, governed, first.json()["job_id"])
    again = _add(world, governed, PAY.replace(b"Alice", b"Anne"), "paie.csv", role="administrator")
    _done(world, governed, again.json()["job_id"], "administrator")
    assert _tables(world, governed) == ["paie"]
    assert [row[0] for row in _sql(world, governed, "SELECT nom FROM paie")["rows"]] == ["Anne"]


def test_a_notebook_does_not_replace_what_somebody_else_sent(world: World, governed: str) -> None:
    answer = _add(world, governed, PAY, "paie.csv", audience="notebook")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "session_needed")
    mine = _add(world, governed, b"a;b\r\n1;2\r\n", "mes_notes.csv", audience="notebook")
    _done(world, governed, mine.json()["job_id"])
    assert _add(world, governed, b"a;b\r\n1;3\r\n", "mes_notes.csv", audience="notebook").status_code == 202
    assert _add(world, governed, PAY, "paie.csv").status_code == 202, "in a session it is a decision of the person"


def test_the_check_of_a_layer_tells_no_value_of_the_data(world: World, governed: str) -> None:
    text = LAYER.replace("region: {column: region, label: région}", "region: {column: region, label: r, values: {Nor: [n]}}")
    body = {"source_id": governed, "text": text}
    for path in ("/api/v1/semantic-layers/check", "/api/v1/semantic-layers"):
        found = world.client.post(path, json=body, headers=world.headers("analyst")).json()["findings"]
        assert "Nord" not in str(found), "a row that the analyst may not see"
    known = world.client.post("/api/v1/semantic-layers/check", json=body, headers=world.headers("administrator")).json()
    assert [f["code"] for f in known["findings"]] == ["unknown_value"], "the administrator is told"


def _dashboard(world: World, source_id: str, rights: list[dict[str, str]]) -> str:
    """A dashboard of the whole tenant, published by the administrator."""
    headers = world.headers("administrator")
    made = world.client.post("/api/v1/dashboards", json={"name": "Paie"}, headers=headers).json()["id"]
    plan = {"measures": [{"alias": "n", "measure": "paie.nombre"}]}
    body = {"title": "Combien", "query": {"source_id": source_id, "plan": plan}}
    added = world.client.post(f"/api/v1/dashboards/{made}/widgets", json=body, headers=headers)
    assert added.status_code == 201, added.text
    assert (
        world.client.post(f"/api/v1/dashboards/{made}/publish", json={"exploratory": True}, headers=headers).status_code
        == 200
    )
    put = world.client.put(f"/api/v1/dashboards/{made}/rights", json={"items": rights}, headers=headers)
    assert put.status_code == 200, put.text
    found: str = made
    return found


def _tile(world: World, dashboard_id: str, role: str) -> Any:
    headers = world.headers(role)
    shown = world.client.get(f"/api/v1/dashboards/{dashboard_id}/published", headers=headers)
    if shown.status_code != 200:
        return shown
    tile = shown.json()["tiles"][0]["id"]
    return world.client.post(f"/api/v1/dashboards/{dashboard_id}/tiles/{tile}/data", json={}, headers=headers)


def test_a_dashboard_opens_a_source_to_those_whom_its_rights_name_and_to_nobody_else(world: World, governed: str) -> None:
    headers = world.headers("administrator")
    corner = world.client.post("/api/v1/workspaces", json={"name": "Direction"}, headers=headers).json()["id"]
    moved = world.client.patch(
        f"/api/v1/data-sources/{governed}", json={"revision": 1, "move": True, "workspace_id": corner}, headers=headers
    )
    assert moved.status_code == 200, moved.text
    assert "Paie" not in world.client.get("/api/v1/data-sources", headers=world.headers("analyst")).text
    closed = _dashboard(world, governed, [{"user_id": world.user_id("viewer")}])
    assert _tile(world, closed, "analyst").status_code == 404, "an author of the tenant, named by no right"
    assert _tile(world, closed, "administrator").status_code == 200
    opened = _dashboard(world, governed, [{"role": "analyst"}])
    assert _tile(world, opened, "analyst").json()["outcome"] == "answer"


def test_authors_see_tiles_over_what_they_reach_anyway(world: World, governed: str) -> None:
    mine = _dashboard(world, governed, [])
    assert _tile(world, mine, "analyst").json()["outcome"] == "answer"
    assert _tile(world, mine, "viewer").status_code == 404


def test_a_preview_is_written_down_like_any_statement(world: World, governed: str) -> None:
    path, params = f"/api/v1/data-sources/{governed}/preview", {"table": "main.paie"}
    shown = world.client.get(path, params=params, headers=world.headers("analyst"))
    assert shown.status_code == 200
    found = world.client.get("/api/v1/audit", params={"action": "source.preview"}, headers=world.headers("administrator"))
    (event,) = found.json()["items"]
    assert (event["actor_id"], event["data_source_id"]) == (world.user_id("analyst"), governed)
    assert (event["tables"], event["outcome"], event["row_count"]) == (["main.paie"], "answer", 1)
    assert "paie" in event["sql"]


def test_the_catalog_counts_no_row_that_is_filtered(world: World, governed: str) -> None:
    def table(role: str) -> Any:
        found = world.client.get(f"/api/v1/data-sources/{governed}/catalog", headers=world.headers(role)).json()
        return found["tables"][0]

    shown = table("analyst")
    assert (shown["row_estimate"], [c["name"] for c in shown["columns"]]) == (None, ["nom", "region"])
    assert {(c["distinct_count"], c["null_share"]) for c in shown["columns"]} == {(None, None)}
    assert table("administrator")["row_estimate"] == 3


def test_the_catalog_names_no_masked_column_in_a_key() -> None:
    from datapilot_kernel.catalog.model import Catalog
    from datapilot_kernel.semantic import parse_layer
    from hub_config.data_sources.layers import without_masked

    def columns(*names: str) -> list[dict[str, str]]:
        return [{"name": n, "type": "text", "native_type": "VARCHAR"} for n in names]

    pay = {
        "db_schema": "main",
        "name": "paie",
        "columns": columns("nom", "region", "salaire"),
        "primary_key": ["nom", "salaire"],
        "unique_keys": [["salaire"], ["nom"]],
    }
    other = {
        "db_schema": "main",
        "name": "prime",
        "columns": columns("montant"),
        "foreign_keys": [{"columns": ["montant"], "ref_table": "main.paie", "ref_columns": ["salaire"]}],
    }
    about = {"dialect": "duckdb", "default_schema": "main", "version": "1", "taken_at": "2026-01-01T00:00:00Z"}
    layer, _ = parse_layer(LAYER)
    assert layer is not None
    shown = without_masked(Catalog.model_validate({**about, "tables": [pay, other]}), layer)
    assert "salaire" not in shown.model_dump_json()
    assert shown.tables[0].unique_keys == (("nom",),)


def test_a_source_goes_only_into_a_workspace_of_ones_own(world: World) -> None:
    headers = world.headers("administrator")
    corner = world.client.post("/api/v1/workspaces", json={"name": "Direction"}, headers=headers).json()["id"]
    upload = _send(world, PAY, "x.csv").json()["id"]
    body = {"name": "Intrus", "uploads": [upload], "workspace_id": corner}
    sent = world.client.post("/api/v1/data-sources/from-files", json=body, headers=world.headers("analyst"))
    assert sent.status_code == 404
    members = {"user_ids": [world.user_id("analyst")]}
    world.client.put(f"/api/v1/workspaces/{corner}/members", json=members, headers=headers)
    sent = world.client.post("/api/v1/data-sources/from-files", json=body, headers=world.headers("analyst"))
    assert sent.status_code == 201


def test_what_is_published_is_not_an_authors_to_take_away_or_to_move(world: World, governed: str) -> None:
    made = _dashboard(world, governed, [{"role": "viewer"}])
    author, path = world.headers("analyst"), f"/api/v1/dashboards/{made}"
    assert world.client.delete(path, headers=author).status_code == 403
    assert world.client.patch(path, json={"move": True}, headers=author).status_code == 403
    assert world.client.patch(path, json={"layout": {"a": 1}}, headers=author).status_code == 200, "what is edited is"
    assert world.client.get(f"{path}/published", headers=world.headers("viewer")).json()["layout"] == {}
    assert world.client.post(f"{path}/unpublish", headers=world.headers("administrator")).status_code == 200
    assert world.client.delete(path, headers=author).status_code == 204
