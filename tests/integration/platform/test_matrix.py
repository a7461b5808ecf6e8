"""Every route x (no one, viewer, analyst, administrator) x (session, notebook) x (own tenant, other tenant).

Enumerated from the application: a route that has no entry in :data:`REQUESTS` fails, whoever forgot it. What the matrix does
not grant is 401 or 403; what is granted gets through; the other tenant's things are 404, always with the same body, and are
all still there, unchanged, in the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hub_config.access import PUBLIC, roles_of
from hub_config.database.erasure import count_rows
from hub_config.documents import all_routes, permission_of
from tests.platform_support import ROLES, World, make_world
from tests.platform_world import owned_database
from tests.servers import Server
from tests.unit.platform.test_content import PLAN
from tests.unit.platform.test_data_sources_files import _done, _send
from tests.unit.platform.test_logo import png
from tests.unit.platform.test_semantic_layers_api import _draft, _save

CSV = "Région;Montant HT\r\nSud;10,00\r\nNord;20,00\r\n".encode()
NOBODY = "0" * 32
AUDIENCES = ("session", "notebook")


@dataclass
class Things:
    """What tenant t1 has, by the name of the path's parameter."""

    ids: dict[str, str] = field(default_factory=dict)
    text: str = ""


Body = Callable[[dict[str, str], Things], dict[str, Any]]


def _json(**values: Any) -> Body:
    """A body whose texts « $name » are ids."""

    def filled(value: Any, ids: dict[str, str]) -> Any:
        if isinstance(value, str) and value.startswith("$"):
            return ids[value[1:]]
        if isinstance(value, dict):
            return {k: filled(v, ids) for k, v in value.items()}
        if isinstance(value, list):
            return [filled(v, ids) for v in value]
        return value

    return lambda ids, things: {"json": {k: filled(v, ids) for k, v in values.items()}}


def _params(**values: str) -> Body:
    return lambda ids, things: {"params": {k: ids[v[1:]] if v.startswith("$") else v for k, v in values.items()}}


def _nothing(ids: dict[str, str], things: Things) -> dict[str, Any]:
    return {}


def _layer(ids: dict[str, str], things: Things) -> dict[str, Any]:
    return {"json": {"source_id": ids["source_id"], "text": things.text}}


def _file(ids: dict[str, str], things: Things) -> dict[str, Any]:
    return {"files": {"file": ("a.csv", CSV)}}


CONNECTION = {"type": "postgresql", "host": "198.51.100.7", "database": "d", "user": "u", "password": "p"}
TILE = {"source_id": "$source_id", "plan": PLAN}

# What each route is sent. A route that takes nothing but its path has an entry too: nobody may forget one.
REQUESTS: dict[str, Body] = {
    "GET /ai/sources/{source_id}": _nothing,
    "POST /ai/query": _json(source_id="$source_id", question="CA par région"),
    "GET /audit": _nothing,
    "GET /audit/export": _nothing,
    "GET /auth/me": _nothing,
    "PATCH /auth/me": _json(full_name="Autre nom"),
    "POST /auth/me/password": _json(current_password="faux faux faux", new_password="encore quatre mots"),
    "GET /auth/me/sessions": _nothing,
    "DELETE /auth/me/sessions": _nothing,
    "DELETE /auth/me/sessions/{session_id}": _nothing,
    "GET /conversations": _nothing,
    "GET /conversations/{conversation_id}": _nothing,
    "PATCH /conversations/{conversation_id}": _json(title="Autre"),
    "DELETE /conversations/{conversation_id}": _nothing,
    "GET /dashboards": _nothing,
    "POST /dashboards": _json(name="Autre", workspace_id="$workspace_id"),
    "GET /dashboards/publishable": _nothing,
    "GET /dashboards/publication-requests": _nothing,
    "GET /dashboards/publication-requests/mine": _nothing,
    "POST /dashboards/publication-requests": _json(name="Autre", tiles=[TILE]),
    "POST /dashboards/publication-requests/{request_id}/decision": _json(accept=False),
    "GET /dashboards/{dashboard_id}": _nothing,
    "PATCH /dashboards/{dashboard_id}": _json(name="Autre"),
    "DELETE /dashboards/{dashboard_id}": _nothing,
    "POST /dashboards/{dashboard_id}/publish": _json(exploratory=True),
    "GET /dashboards/{dashboard_id}/published": _nothing,
    "POST /dashboards/{dashboard_id}/renderings": _nothing,
    "GET /dashboards/{dashboard_id}/refresh": _nothing,
    "PUT /dashboards/{dashboard_id}/refresh": _json(kind="daily", at="08:00"),
    "POST /dashboards/{dashboard_id}/refresh": _nothing,
    "GET /dashboards/{dashboard_id}/refresh/progress": _nothing,
    "GET /renderings/{rendering_id}": _nothing,
    "GET /dashboards/{dashboard_id}/rights": _nothing,
    "PUT /dashboards/{dashboard_id}/rights": _json(items=[]),
    "POST /dashboards/{dashboard_id}/tiles/{tile_id}/data": _json(),
    "POST /dashboards/{dashboard_id}/unpublish": _nothing,
    "GET /dashboards/{dashboard_id}/versions": _nothing,
    "GET /dashboards/{dashboard_id}/versions/{version_id}": _nothing,
    "GET /dashboards/{dashboard_id}/widgets": _nothing,
    "POST /dashboards/{dashboard_id}/widgets": _json(query=TILE),
    "PATCH /dashboards/{dashboard_id}/widgets/{widget_id}": _json(title="Autre"),
    "DELETE /dashboards/{dashboard_id}/widgets/{widget_id}": _nothing,
    "GET /data-sources": _nothing,
    "POST /data-sources": _json(name="Autre", workspace_id="$workspace_id", uploads=["$upload_id"]),
    "POST /data-sources/from-files": _json(name="Autre", uploads=["$upload_id"]),
    "POST /data-sources/test": _json(**CONNECTION),
    "POST /data-sources/upload": _file,
    "DELETE /data-sources/uploads/{upload_id}": _nothing,
    "POST /data-sources/uploads/{upload_id}/preview": _json(),
    "GET /data-sources/{source_id}": _nothing,
    "PATCH /data-sources/{source_id}": _json(revision=1, name="Autre"),
    "DELETE /data-sources/{source_id}": _nothing,
    "GET /data-sources/{source_id}/catalog": _nothing,
    "GET /data-sources/{source_id}/connection": _nothing,
    "POST /data-sources/{source_id}/files": _json(uploads=["$upload_id"]),
    "GET /data-sources/{source_id}/jobs/{job_id}": _nothing,
    "GET /data-sources/{source_id}/preview": _params(table="main.ventes"),
    "POST /data-sources/{source_id}/refresh": _nothing,
    "POST /data-sources/{source_id}/test": _nothing,
    "GET /queries": _nothing,
    "GET /queries/{query_id}": _nothing,
    "POST /queries/{query_id}/cancel": _nothing,
    "POST /queries/{query_id}/feedback": _json(verdict="up"),
    "GET /queries/{query_id}/result": _nothing,
    "GET /semantic-layers": _params(source_id="$source_id"),
    "POST /semantic-layers": _layer,
    "POST /semantic-layers/check": _layer,
    "GET /semantic-layers/draft": _params(source_id="$source_id"),
    "GET /semantic-layers/in-force": _params(source_id="$source_id"),
    "GET /semantic-layers/{layer_id}": _nothing,
    "POST /semantic-layers/{layer_id}/accept": _nothing,
    "POST /semantic-layers/{layer_id}/reject": _nothing,
    "GET /tenant": _nothing,
    "PATCH /tenant": _json(name="Autre"),
    "POST /tenant/deletion": _json(name="Pas le bon nom", password="faux faux faux"),
    "GET /tenant/export": _nothing,
    "GET /tenant/model-spend": _nothing,
    "GET /tenant/quotas": _nothing,
    "GET /tenant/logo": _nothing,
    "PUT /tenant/logo": lambda _ids, _things: {"files": {"file": ("logo.png", png(), "image/png")}},
    "DELETE /tenant/logo": _nothing,
    "PUT /tenant/quotas": _json(key="queries_per_day", value=4000),
    "GET /users": _nothing,
    "GET /users/invitations": _nothing,
    "POST /users/invitations": _json(email="n@t.example", role="viewer", workspace_ids=["$workspace_id"]),
    "DELETE /users/invitations/{invitation_id}": _nothing,
    "GET /users/{user_id}": _nothing,
    "PATCH /users/{user_id}": _json(full_name="Autre"),
    "DELETE /users/{user_id}": _nothing,
    "POST /users/{user_id}/password-link": _nothing,
    "GET /verified-questions": _params(source_id="$source_id"),
    "DELETE /verified-questions/{question_id}": _nothing,
    "POST /verified-questions/{question_id}/decision": _json(approve=False),
    "GET /workspaces": _nothing,
    "POST /workspaces": _json(name="Autre"),
    "GET /workspaces/{workspace_id}": _nothing,
    "PATCH /workspaces/{workspace_id}": _json(name="Autre"),
    "DELETE /workspaces/{workspace_id}": _nothing,
    "GET /workspaces/{workspace_id}/members": _nothing,
    "PUT /workspaces/{workspace_id}/members": _json(user_ids=["$user_id"]),
}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("matrix")
    admin_url = None
    if request.param == "postgres":
        server: Server = request.getfixturevalue("postgres")
        admin_url = owned_database(server)
    with make_world(folder, admin_url=admin_url) as made:
        yield made


@pytest.fixture(scope="module")
def things(world: World) -> Things:
    """One of everything in tenant t1, the analyst's own where it is somebody's."""

    def call(method: str, path: str, role: str = "administrator", **more: Any) -> Any:
        answer = world.client.request(method, f"/api/v1{path}", headers=world.headers(role), **more)
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    made = Things()
    ids = made.ids
    ids["user_id"] = world.user_id("viewer")
    ids["upload_id"] = _send(world, CSV, "ventes.csv").json()["id"]
    source = call("POST", "/data-sources/from-files", "analyst", json={"name": "Ventes", "uploads": [ids["upload_id"]]})
    ids["source_id"], ids["job_id"] = source["source"]["id"], source["job_id"]
    _done(world, ids["source_id"], ids["job_id"])
    made.text = _draft(world, ids["source_id"])
    ids["layer_id"] = _save(world, ids["source_id"], made.text).json()["layer"]["id"]
    ids["upload_id"] = _send(world, CSV, "autre.csv").json()["id"]
    question = {"source_id": ids["source_id"], "question": "CA par région"}
    asked = call("POST", "/ai/query", "analyst", json=question)
    ids["query_id"], ids["conversation_id"] = asked["id"], asked["conversation_id"]
    liked = {"verdict": "up", "propose_verified": True}
    ids["question_id"] = call("POST", f"/queries/{asked['id']}/feedback", "analyst", json=liked)["verified_question_id"]
    ids["workspace_id"] = call("POST", "/workspaces", json={"name": "Finance"})["id"]
    call("PUT", f"/workspaces/{ids['workspace_id']}/members", json={"user_ids": [world.user_id("analyst")]})
    invited = {"email": "invite@t1.example", "role": "viewer", "workspace_ids": []}
    ids["invitation_id"] = call("POST", "/users/invitations", json=invited)["id"]
    ids["dashboard_id"] = call("POST", "/dashboards", json={"name": "Ventes"})["id"]
    tile = {"title": "CA", "query": {"source_id": ids["source_id"], "plan": PLAN}}
    ids["widget_id"] = ids["tile_id"] = call("POST", f"/dashboards/{ids['dashboard_id']}/widgets", json=tile)["id"]
    ids["version_id"] = call("POST", f"/dashboards/{ids['dashboard_id']}/publish", json={"exploratory": True})["id"]
    rights = {"items": [{"role": role} for role in ROLES]}
    call("PUT", f"/dashboards/{ids['dashboard_id']}/rights", json=rights)
    analyst = world.principal("analyst")
    ids["rendering_id"] = world.platform.renderings.jobs.add(analyst, ids["dashboard_id"], 1, {})[0].id
    wanted = {"name": "Du notebook", "tiles": [{"source_id": ids["source_id"], "plan": PLAN}]}
    ids["request_id"] = call("POST", "/dashboards/publication-requests", "analyst", json=wanted)["id"]
    login = {"email": "analyst@t1.example", "password": "quatre mots sans rapport"}
    assert world.client.post("/api/v1/auth/login", json=login).status_code == 200
    ids["session_id"] = call("GET", "/auth/me/sessions", "analyst")["items"][0]["id"]
    return made


def _routes(world: World) -> list[tuple[str, str, Any]]:
    found = []
    for route in all_routes(world.app):
        for method in sorted(route.methods or ()):
            permission = permission_of(route)
            if permission is None:
                assert (method, route.path) in PUBLIC, f"{method} {route.path} needs no permission and is not public"
                continue
            found.append((method, route.path.removeprefix("/api/v1"), permission))
    return found


def _request(method: str, path: str, things: Things, ids: dict[str, str]) -> tuple[str, dict[str, Any]]:
    return re.sub(r"\{(\w+)\}", lambda m: ids[m[1]], path), REQUESTS[f"{method} {path}"](ids, things)


def _send_it(world: World, method: str, path: str, options: dict[str, Any], headers: dict[str, str]) -> Any:
    return world.client.request(method, f"/api/v1{path}", headers=headers, **options)


def test_every_route_is_in_the_table_and_nothing_else_is(world: World) -> None:
    assert {f"{method} {path}" for method, path, _ in _routes(world)} == REQUESTS.keys()


def test_nobody_without_a_token(world: World, things: Things) -> None:
    for method, path, _ in _routes(world):
        filled, options = _request(method, path, things, things.ids)
        answers = [
            _send_it(world, method, filled, options, headers)
            for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eDp5"})
        ]
        for answer in answers:
            assert answer.status_code == 401, f"{method} {path}: {answer.text}"
            assert answer.json() == answers[0].json()


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("role", ROLES)
def test_own_tenant(world: World, things: Things, role: str, audience: Any) -> None:
    """What is not granted is 403 before anything is looked at; what is granted gets through, and nothing breaks."""
    nothing = dict.fromkeys(things.ids, NOBODY)
    for method, path, permission in _routes(world):
        granted = role in roles_of(permission, audience)
        # Changes are tried on what is not there: the things are needed again.
        filled, options = _request(method, path, things, things.ids if method == "GET" or not granted else nothing)
        if (method, path) == ("GET", "/tenant/logo"):
            # The one thing that has no id, and that a route before this one removes.
            world.platform.office.set_logo(world.principal("administrator"), png())
        answer = _send_it(world, method, filled, options, world.headers(role, audience=audience))
        said = f"{role}/{audience} {method} {path}: {answer.status_code} {answer.text[:300]}"
        if granted:
            assert answer.status_code not in (401, 403), said
            assert answer.status_code < 500 or answer.json()["error"]["incident"] is None, said
            if method == "GET" and role in ("administrator", "analyst"):
                mine = (
                    not any(part in path for part in ("{query_id}", "{conversation_id}", "{rendering_id}"))
                    or role == "analyst"
                )
                assert answer.status_code == (200 if mine else 404), said
        else:
            assert answer.status_code == 403, said
            assert answer.json()["error"]["code"] in ("forbidden", "session_needed"), said


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("role", ROLES)
def test_other_tenant(world: World, things: Things, role: str, audience: Any) -> None:
    """The other tenant's things are not found, always in the same words; lists do not hold them."""
    headers = world.headers(role, tenant="t2", audience=audience)
    with world.database.tenant(world.tenant_id("t1"), read_only=True) as session:
        before = count_rows(session)
    never = {
        "error": {
            "code": "not_found",
            "message": "Cet élément n’existe pas, ou vous n’y avez pas accès.",
            "details": {},
            "incident": None,
        }
    }
    for method, path, permission in _routes(world):
        if role not in roles_of(permission, audience) or path == "/auth/me/sessions":
            continue
        filled, options = _request(method, path, things, things.ids)
        names_things = filled != path or any(i in str(options) for i in things.ids.values())
        answer = _send_it(world, method, filled, options, headers)
        said = f"{role}/{audience} {method} {path}: {answer.status_code} {answer.text[:300]}"
        if names_things:
            assert (answer.status_code, answer.json()) == (404, never), said
        else:
            assert answer.status_code < 500 or answer.json()["error"]["incident"] is None, said
            assert not [name for name, i in things.ids.items() if i in answer.text], said
            assert "t1.example" not in answer.text, said
    with world.database.tenant(world.tenant_id("t1"), read_only=True) as session:
        assert count_rows(session) == before
