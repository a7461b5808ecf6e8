"""Layers through the API: drafted, checked by line, accepted, gone back to; what they mask and filter holds at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.platform_support import World
from tests.unit.platform.test_data_sources_files import _done, _send

CSV = "Région;Montant HT;E-mail\r\nSud;10,00;a@x.fr\r\nNord;20,00;b@x.fr\r\nNord;5,00;c@x.fr\r\n".encode()


@pytest.fixture
def source_id(world: World) -> str:
    upload = _send(world, CSV, "ventes.csv").json()["id"]
    body = {"name": "Ventes", "uploads": [upload]}
    made = world.client.post("/api/v1/data-sources/from-files", json=body, headers=world.headers("analyst")).json()
    _done(world, made["source"]["id"], made["job_id"])
    found: str = made["source"]["id"]
    return found


def _draft(world: World, source_id: str) -> str:
    answer = world.client.get(
        "/api/v1/semantic-layers/draft", params={"source_id": source_id}, headers=world.headers("analyst")
    )
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["text"]
    return text


def _save(world: World, source_id: str, text: str) -> Any:
    return world.client.post(
        "/api/v1/semantic-layers", json={"source_id": source_id, "text": text}, headers=world.headers("analyst")
    )


def _accept(world: World, layer_id: str, role: str = "administrator") -> Any:
    return world.client.post(f"/api/v1/semantic-layers/{layer_id}/accept", headers=world.headers(role))


def _rows(world: World, source_id: str, headers: dict[str, str]) -> Any:
    return world.client.get(f"/api/v1/data-sources/{source_id}/preview", params={"table": "main.ventes"}, headers=headers)


def _with(text: str, **keys: str) -> str:
    """The draft with keys added to its first entity."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip().startswith("table:"))
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    lines[at + 1 : at + 1] = [f"{indent}{key}: {value}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def test_drafted_saved_accepted_and_gone_back_to(world: World, source_id: str) -> None:
    text = _draft(world, source_id)
    first = _save(world, source_id, f"# notre définition\n{text}")
    assert first.status_code == 201, first.text
    assert (first.json()["layer"]["number"], first.json()["layer"]["status"]) == (1, "draft")
    one = first.json()["layer"]["id"]
    assert _accept(world, one, "analyst").status_code == 403
    assert _accept(world, one).json()["status"] == "accepted"
    two = _save(world, source_id, text).json()["layer"]["id"]
    _accept(world, two)
    params = {"source_id": source_id}
    items = world.client.get("/api/v1/semantic-layers", params=params, headers=world.headers("analyst")).json()["items"]
    assert [(i["number"], i["status"], i["text"]) for i in items] == [(2, "accepted", None), (1, "superseded", None)]
    assert _accept(world, one).json()["status"] == "accepted", "the way back"
    in_force = world.client.get("/api/v1/semantic-layers/in-force", params=params, headers=world.headers("analyst")).json()
    assert in_force["layer"]["id"] == one
    assert in_force["layer"]["text"].startswith("# notre définition")


def test_what_is_wrong_is_said_by_line_and_cannot_be_accepted(world: World, source_id: str) -> None:
    text = _draft(world, source_id).replace("montant_ht", "montant_qui_manque")
    body = {"source_id": source_id, "text": text}
    found = world.client.post("/api/v1/semantic-layers/check", json=body, headers=world.headers("analyst")).json()
    errors = [f for f in found["findings"] if f["severity"] == "error"]
    assert errors
    assert "montant_qui_manque" in text.splitlines()[errors[0]["line"] - 1]
    layer_id = _save(world, source_id, text).json()["layer"]["id"]
    refused = _accept(world, layer_id)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid")
    assert refused.json()["error"]["details"]["findings"][0]["line"] == errors[0]["line"]


def test_a_text_is_never_taken_for_a_path(world: World, source_id: str, tmp_path: Path) -> None:
    secret = tmp_path / "layer.yaml"
    secret.write_text(_draft(world, source_id))
    answer = _save(world, source_id, str(secret))
    assert answer.status_code == 422
    body = {"source_id": source_id, "text": str(secret)}
    found = world.client.post("/api/v1/semantic-layers/check", json=body, headers=world.headers("analyst")).json()
    assert [f for f in found["findings"] if f["severity"] == "error"]


def test_masked_columns_do_not_exist_for_analysts(world: World, source_id: str) -> None:
    drafted = _draft(world, source_id)
    dimension = drafted[drafted.index("      e_mail:") : drafted.index("    measures:")]
    text = _with(drafted.replace(dimension, ""), masked="[e_mail]")
    saved = _save(world, source_id, text).json()
    assert _accept(world, saved["layer"]["id"]).status_code == 200, saved

    def columns(role: str) -> list[str]:
        catalog = world.client.get(f"/api/v1/data-sources/{source_id}/catalog", headers=world.headers(role)).json()
        return [c["name"] for c in catalog["tables"][0]["columns"]]

    assert columns("analyst") == ["region", "montant_ht"]
    assert columns("administrator") == ["region", "montant_ht", "e_mail"]
    for role in ("analyst", "administrator"):
        shown = _rows(world, source_id, world.headers(role))
        assert "@" not in shown.text
    assert (
        "values" not in world.client.get(f"/api/v1/data-sources/{source_id}/catalog", headers=world.headers("analyst")).text
    )


def test_row_filters_bind_the_persons_attributes(world: World, source_id: str) -> None:
    text = _with(_draft(world, source_id), row_filter='"region = {region}"')
    _accept(world, _save(world, source_id, text).json()["layer"]["id"])
    north = world.add_user("t1", "nord@t1.example", "analyst", attributes={"region": "Nord"})
    token = world.token_of(world.tenant_id(), north)
    shown = _rows(world, source_id, {"Authorization": f"Bearer {token}"})
    assert {row[0] for row in shown.json()["rows"]} == {"Nord"}
    without = _rows(world, source_id, world.headers("analyst"))
    assert without.status_code != 200 or without.json()["rows"] == []
    assert "Sud" not in without.text


def test_two_acceptances_at_once_leave_one_in_force(world: World, source_id: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    text = _draft(world, source_id)
    ids = [_save(world, source_id, text).json()["layer"]["id"] for _ in range(6)]
    principal = world.principal("administrator")
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda i: world.platform.sources.layers.accept(principal, i), ids))
    items = world.client.get(
        "/api/v1/semantic-layers", params={"source_id": source_id}, headers=world.headers("analyst")
    ).json()["items"]
    assert sorted(i["status"] for i in items) == ["accepted"] + ["superseded"] * 5


def test_a_rejected_draft_stays_rejected(world: World, source_id: str) -> None:
    layer_id = _save(world, source_id, _draft(world, source_id)).json()["layer"]["id"]
    path = f"/api/v1/semantic-layers/{layer_id}/reject"
    assert world.client.post(path, headers=world.headers("administrator")).json()["status"] == "rejected"
    assert _accept(world, layer_id).json()["error"]["code"] == "layer_rejected"
    assert world.client.post(path, headers=world.headers("administrator")).status_code == 409


def test_another_tenant_and_a_notebook(world: World, source_id: str) -> None:
    layer_id = _save(world, source_id, _draft(world, source_id)).json()["layer"]["id"]
    path = f"/api/v1/semantic-layers/{layer_id}"
    assert world.client.get(path, headers=world.headers("administrator", "t2")).status_code == 404
    assert world.client.post(f"{path}/accept", headers=world.headers("administrator", "t2")).status_code == 404
    assert world.client.get(path, headers=world.headers("analyst", audience="notebook")).status_code == 200
    assert (
        world.client.post(f"{path}/accept", headers=world.headers("administrator", audience="notebook")).status_code == 403
    )


def test_the_schema_is_public(world: World) -> None:
    schema = world.client.get("/api/v1/semantic-layers/schema").json()
    assert "entities" in schema["properties"]
