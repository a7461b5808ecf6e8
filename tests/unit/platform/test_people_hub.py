"""Wall 1: what a hub's token opens, and that it opens nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from hub_config.database import AuditEvent
from hub_config.people import hub_user_name, person_of
from hub_config.people.hub import Hub
from tests.hub_server import SCOPES, HubServer, hub_server
from tests.platform_support import World, make_settings, make_world, wait_until
from tests.servers import free_port

EXCHANGE = "/api/v1/auth/exchange"
IDS = st.text("0123456789abcdef", min_size=32, max_size=32)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with hub_server() as server:
        yield server


@pytest.fixture
def hubbed(tmp_path: Path, hub: HubServer) -> Iterator[World]:
    with make_world(tmp_path, hub_api_url=hub.url, hub_cache_seconds=60, login_attempts_per_address=1000) as world:
        yield world


def _token_of(world: World, hub: HubServer, role: str, tenant: str = "t1", **more: Any) -> str:
    token = f"{role}-{tenant}-hub-token-0123456789"
    return hub.add(token, hub_user_name(world.tenant_id(tenant), world.user_id(role, tenant)), **more)


def _exchange(world: World, token: str) -> Any:
    return world.client.post(EXCHANGE, json={"token": token})


def _bearer(answer: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@given(IDS, IDS)
def test_a_hub_name_is_one_person_of_one_tenant(tenant_id: str, user_id: str) -> None:
    name = hub_user_name(tenant_id, user_id)
    assert person_of(name) == (tenant_id, user_id)
    assert len(name) == 53
    assert name == name.lower()
    assert name.replace("-", "").isalnum()
    # Two names are never one person: nothing but the canonical name is read.
    for other in (
        name.upper(),
        name + "a",
        name[:-1],
        name[:25] + "b" + name[26:],
        name[:-1] + "b",
        f" {name}",
        name + "\n",
    ):
        assert other == name or person_of(other) != (tenant_id, user_id)


@pytest.mark.parametrize("name", ["", "alice", "-", "a" * 26 + "-" + "b" * 26, "é" * 26 + "-" + "a" * 26, "a" * 32])
def test_other_hub_names_are_nobody(name: str) -> None:
    assert person_of(name) is None or hub_user_name(*person_of(name)) == name  # type: ignore[misc]


@pytest.mark.parametrize("role", ["administrator", "analyst"])
def test_a_hub_token_becomes_ten_minutes_of_a_notebooks_token(hubbed: World, hub: HubServer, role: str) -> None:
    answer = _exchange(hubbed, _token_of(hubbed, hub, role))
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == {"access_token", "token_type", "expires_in_s", "tenant_id", "user_id", "role"}
    assert body["expires_in_s"] == 600
    me = hubbed.client.get("/api/v1/auth/me", headers=_bearer(answer)).json()
    assert (me["id"], me["audience"], me["role"]) == (hubbed.user_id(role), "notebook", role)
    assert me["tenant"]["id"] == hubbed.tenant_id()
    for method, path in [
        ("GET", "/api/v1/users"),
        ("DELETE", "/api/v1/auth/me/sessions"),
        ("POST", "/api/v1/users/invitations"),
    ]:
        assert hubbed.client.request(method, path, headers=_bearer(answer)).status_code == 403
    assert hub.paths == ["/hub/api/user"]
    with hubbed.database.tenant(hubbed.tenant_id(), read_only=True) as session:
        (event,) = session.scalars(select(AuditEvent)).all()
    assert (event.action, event.audience, event.actor_id) == ("session.exchange", "notebook", hubbed.user_id(role))


def test_what_the_hub_says_of_a_person_is_not_believed(hubbed: World, hub: HubServer) -> None:
    token = _token_of(
        hubbed, hub, "analyst", admin=True, roles=["admin"], groups=["administrators"], tenant_id=hubbed.tenant_id("t2")
    )
    answer = _exchange(hubbed, token)
    assert answer.json()["role"] == "analyst"
    assert answer.json()["tenant_id"] == hubbed.tenant_id()


def test_a_viewer_has_no_notebook(hubbed: World, hub: HubServer) -> None:
    answer = _exchange(hubbed, _token_of(hubbed, hub, "viewer"))
    assert answer.status_code == 403
    assert "access_token" not in answer.text


def test_a_hub_token_alone_opens_nothing(hubbed: World, hub: HubServer) -> None:
    token = _token_of(hubbed, hub, "administrator")
    for headers in ({"Authorization": f"Bearer {token}"}, {"Authorization": f"token {token}"}):
        assert hubbed.client.get("/api/v1/auth/me", headers=headers).status_code == 401


def _refusals(world: World, hub: HubServer) -> dict[str, str]:
    name = hub_user_name(world.tenant_id(), world.user_id("analyst"))
    cross = hub_user_name(world.tenant_id("t2"), world.user_id("analyst", "t1"))
    made = {
        "unknown": "unknown-token-0123456789",
        "service": hub.add("service-token-0123456789", name, kind="service"),
        "no_kind": hub.add("kindless-token-0123456789", name, kind=None),
        "not_for_us": hub.add("other-token-0123456789", name, scopes=["access:services!service=grafana", "self"]),
        "no_scopes": hub.add("scopeless-token-0123456789", name, scopes=[]),
        "scopes_as_text": hub.add("text-token-0123456789", name, scopes="access:services!service=datapilot"),
        "scopes_of_lists": hub.add("lists-token-0123456789", name, scopes=[["access:services"], None, 1]),
        "like_us": hub.add("like-token-0123456789", name, scopes=["access:services!service=datapilot2"]),
        "not_a_person": hub.add("alice-token-0123456789", "alice"),
        "tenant_of_another": hub.add("cross-token-0123456789", cross),
        "nobody": hub.add("nobody-token-0123456789", hub_user_name("0" * 32, "0" * 32)),
        "upper_case": hub.add("upper-token-0123456789", name.upper()),
        "name_is_a_list": hub.add("list-token-0123456789", [name]),  # type: ignore[arg-type]
        "short": "abc",
        "with_a_header": "abcdefghijklmnop\r\nX-Admin: 1",
        "not_ascii": "é" * 20,
        "long": "a" * 600,
    }
    world.client.patch(
        f"/api/v1/users/{world.user_id('analyst', 't2')}",
        headers=world.headers("administrator", "t2"),
        json={"status": "disabled"},
    )
    made["disabled"] = _token_of(world, hub, "analyst", "t2")
    return made


def test_every_token_that_is_not_good_gets_the_same_answer(hubbed: World, hub: HubServer) -> None:
    answers = {}
    for name, token in _refusals(hubbed, hub).items():
        answer = _exchange(hubbed, token)
        answers[name] = (answer.status_code, answer.text)
    assert set(answers.values()) == {answers["unknown"]}
    assert answers["unknown"][0] == 401


def test_the_hub_is_asked_once_in_a_while(hubbed: World, hub: HubServer) -> None:
    token = _token_of(hubbed, hub, "analyst")
    for _ in range(5):
        assert _exchange(hubbed, token).status_code == 200
    assert len(hub.asked) == 1
    hub.users.clear()  # revoked at the hub: believed until it is forgotten
    assert _exchange(hubbed, token).status_code == 200


def test_no_cache_when_the_setting_says_so(tmp_path: Path, hub: HubServer) -> None:
    with make_world(tmp_path, hub_api_url=hub.url, hub_cache_seconds=0) as world:
        token = _token_of(world, hub, "analyst")
        assert _exchange(world, token).status_code == 200
        hub.users.clear()
        assert _exchange(world, token).status_code == 401
        assert len(hub.asked) == 2


def test_what_was_believed_is_forgotten_in_time(tmp_path: Path, hub: HubServer) -> None:
    now = [0.0]
    asking = Hub(make_settings(tmp_path, hub_api_url=hub.url, hub_cache_seconds=30), clock=lambda: now[0])
    hub.add("a-token-of-alice-0123", "alice")
    for now[0] in (0.0, 29.0, 31.0, 60.0, 62.0):
        assert asking.name_of("a-token-of-alice-0123") == "alice"
    assert len(hub.asked) == 3
    asking.close()


def test_a_refusal_is_not_remembered(hubbed: World, hub: HubServer) -> None:
    token = "analyst-t1-hub-token-0123456789"
    assert _exchange(hubbed, token).status_code == 401
    _token_of(hubbed, hub, "analyst")
    assert _exchange(hubbed, token).status_code == 200


def test_disabling_ends_the_notebooks_at_once_whatever_the_hub_says(hubbed: World, hub: HubServer) -> None:
    token = _token_of(hubbed, hub, "analyst")
    notebook = _bearer(_exchange(hubbed, token))
    user = f"/api/v1/users/{hubbed.user_id('analyst')}"
    hubbed.client.patch(user, headers=hubbed.headers("administrator"), json={"status": "disabled"})
    assert hubbed.client.get("/api/v1/auth/me", headers=notebook).status_code == 401
    assert _exchange(hubbed, token).status_code == 401
    hubbed.client.patch(user, headers=hubbed.headers("administrator"), json={"status": "active", "role": "viewer"})
    assert _exchange(hubbed, token).status_code == 403


@pytest.mark.parametrize(
    "answer",
    [
        (500, b"{}"),
        (503, b""),
        (429, b"{}"),
        (302, b""),
        (200, b"not json"),
        (200, b"[]"),
        (200, b"null"),
        (200, b'{"name": "x"}'),
        (200, b"\xff\xfe"),
        (200, b'{"kind": "user", "name": "a", "scopes": [], "x": "' + b"a" * 300_000 + b'"}'),
    ],
    ids=lambda answer: f"{answer[0]}-{len(answer[1])}",
)
def test_a_hub_that_answers_what_no_hub_would_is_an_outage(hubbed: World, hub: HubServer, answer: tuple[int, bytes]) -> None:
    hub.answer = answer
    hub.headers = {"Location": "http://127.0.0.1:1/"} if answer[0] == 302 else {}
    refused = _exchange(hubbed, "analyst-t1-hub-token-0123456789")
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "unavailable"
    assert int(refused.headers["retry-after"]) > 0


def test_an_outage_is_said_at_once_and_ends_by_itself(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/hub/api"
    with make_world(tmp_path, hub_api_url=nobody, login_attempts_per_address=3) as world:
        started = time.monotonic()
        statuses = [_exchange(world, "analyst-t1-hub-token-0123456789").status_code for _ in range(10)]
        assert statuses == [503] * 10  # and nobody is blamed for it
        assert time.monotonic() - started < 15
        with hub_server() as back:
            world.people.hub._settings = world.settings.model_copy(update={"hub_api_url": back.url})
            time.sleep(1.1)
            assert _exchange(world, _token_of(world, back, "analyst")).status_code == 200


def test_what_was_believed_outlives_a_short_outage(hubbed: World, hub: HubServer) -> None:
    token = _token_of(hubbed, hub, "analyst")
    assert _exchange(hubbed, token).status_code == 200
    hub.answer = (503, b"")
    assert _exchange(hubbed, "another-hub-token-0123456789").status_code == 503
    assert _exchange(hubbed, token).status_code == 200


def test_a_slow_hub_holds_up_nobody_else(hubbed: World, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    class Slow(dict[str, Any]):
        def __contains__(self, key: object) -> bool:
            answers.wait(60)
            return False

    hub.users = Slow()
    monkeypatch.setattr("hub_config.people.hub._TIMEOUT", 60)
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(_exchange, hubbed, f"slow-hub-token-0123456789-{n}") for n in range(20)]
        try:
            wait_until(lambda: hub.asked)
            assert hubbed.client.get("/api/v1/auth/me", headers=hubbed.headers("analyst")).status_code == 200
            assert not any(future.done() for future in waiting)
        finally:
            answers.set()
        assert {future.result().status_code for future in waiting} == {401}


def test_without_a_hub_there_is_no_exchange(world: World) -> None:
    assert _exchange(world, "analyst-t1-hub-token-0123456789").status_code == 404


def test_a_client_that_guesses_waits(tmp_path: Path, hub: HubServer) -> None:
    with make_world(tmp_path, hub_api_url=hub.url, login_attempts_per_address=3) as world:
        statuses = [_exchange(world, f"guessed-hub-token-0123456789-{n}").status_code for n in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        assert len(hub.asked) == 3


def test_a_token_for_every_service_is_for_this_one_too(hubbed: World, hub: HubServer) -> None:
    assert "access:services" not in SCOPES
    assert _exchange(hubbed, _token_of(hubbed, hub, "analyst", scopes=["access:services", "self"])).status_code == 200


def test_no_proxy_of_the_environment_sees_a_hub_token(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    asking = Hub(make_settings(tmp_path, hub_api_url=hub.url))
    hub.add("a-token-of-alice-0123", "alice")
    assert asking.name_of("a-token-of-alice-0123") == "alice"
    asking.close()
