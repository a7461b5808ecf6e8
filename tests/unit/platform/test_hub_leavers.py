"""Whoever goes here goes at the hub: at once, or when the hub is back; nobody else does; and no act waits for the hub."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub_config.database.base import new_id
from hub_config.hub_names import hub_user_name, rendering_user_name, role_group, tenant_group
from hub_config.people.hub_leavers import HubAway
from tests.hub_server import SERVICE_TOKEN, HubServer, hub_server
from tests.platform_support import PASSWORD, World, make_world, wait_until


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with hub_server() as server:
        yield server


def _settings(hub: HubServer) -> dict[str, Any]:
    return {"hub_api_url": hub.url, "hub_api_token": SERVICE_TOKEN, "hub_tidy_seconds": 3600}


@pytest.fixture
def hubbed(tmp_path: Path, hub: HubServer) -> Iterator[World]:
    with make_world(tmp_path, **_settings(hub)) as world:
        # The thread's first look through the (empty) hub is over: from here on it is woken by what happens.
        wait_until(lambda: hub.answered)
        yield world


def _at_hub(world: World, hub: HubServer, role: str, *servers: str, tenant: str = "t1") -> str:
    tenant_id = world.tenant_id(tenant)
    groups = (tenant_group(tenant_id), role_group(tenant_id, role))  # type: ignore[arg-type]
    return hub.add_person(hub_user_name(tenant_id, world.user_id(role, tenant)), *servers, groups=groups)


def _change(world: World, who: str, **changes: Any) -> None:
    path = f"/api/v1/users/{world.user_id(who)}"
    answer = world.client.patch(path, json=changes, headers=world.headers("administrator"))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("act", [{"status": "disabled"}, {"role": "viewer"}, None])
def test_their_servers_stop_and_they_are_removed_at_once(hubbed: World, hub: HubServer, act: dict[str, str] | None) -> None:
    name = _at_hub(hubbed, hub, "analyst", "", "named one")
    other = _at_hub(hubbed, hub, "administrator", "")
    far = _at_hub(hubbed, hub, "analyst", "", tenant="t2")
    if act is not None:
        _change(hubbed, "analyst", **act)
    else:
        path = f"/api/v1/users/{hubbed.user_id('analyst')}"
        assert hubbed.client.delete(path, headers=hubbed.headers("administrator")).status_code == 204
    wait_until(lambda: name not in hub.people)
    assert hub.acts == [f"DELETE /users/{name}/server", f"DELETE /users/{name}/servers/named%20one", f"DELETE /users/{name}"]
    assert set(hub.people) == {other, far}


def test_a_server_that_takes_its_time_is_waited_for(hubbed: World, hub: HubServer) -> None:
    hub.slow_stops = 2
    name = _at_hub(hubbed, hub, "analyst", "")
    _change(hubbed, "analyst", status="disabled")
    wait_until(lambda: name not in hub.people)
    assert hub.acts == [f"DELETE /users/{name}/server", f"DELETE /users/{name}"]


def test_other_changes_touch_nothing(hubbed: World, hub: HubServer) -> None:
    name = _at_hub(hubbed, hub, "analyst", "")
    _change(hubbed, "analyst", full_name="Autre nom")
    _change(hubbed, "analyst", attributes={"region": "Sud"})
    _change(hubbed, "analyst", role="administrator")
    before = hub.answered
    hubbed.people.hub_leavers.look_at_all()
    wait_until(lambda: hub.answered > before)
    assert hub.acts == []
    assert name in hub.people


def test_a_deleted_tenant_goes_whole(hubbed: World, hub: HubServer) -> None:
    gone = [_at_hub(hubbed, hub, role, "") for role in ("administrator", "analyst")]
    gone += [_at_hub(hubbed, hub, "viewer"), hub.add_person(rendering_user_name(hubbed.tenant_id(), new_id()), "")]
    far = _at_hub(hubbed, hub, "analyst", "", tenant="t2")
    theirs = hub.add_person(rendering_user_name(hubbed.tenant_id("t2"), new_id()), "")
    for role in ("administrator", "analyst", "viewer"):
        hubbed.headers(role)  # everybody's state is remembered for some seconds
    body = {"name": "Maison t1", "password": PASSWORD}
    answer = hubbed.client.post("/api/v1/tenant/deletion", json=body, headers=hubbed.headers("administrator"))
    assert answer.status_code == 200, answer.text
    wait_until(lambda: not set(gone) & set(hub.people))
    assert set(hub.people) == {far, theirs}


def test_a_hub_that_is_away_fails_no_act_and_is_tidied_when_it_is_back(
    hubbed: World, hub: HubServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hub_config.people.hub_leavers._RETRY_S", 0.05)
    name = _at_hub(hubbed, hub, "analyst", "")
    hub.answer = (503, b"starting")
    started = time.monotonic()
    _change(hubbed, "analyst", status="disabled")
    assert time.monotonic() - started < 15
    wait_until(lambda: any("not tidied" in record.message for record in caplog.records))
    assert name in hub.people
    hub.answer = None
    wait_until(lambda: name not in hub.people)
    # Said once, however often it was tried.
    assert sum("not tidied" in record.message for record in caplog.records) == 1


def test_what_was_missed_is_made_good_at_the_next_start(tmp_path: Path, hub: HubServer) -> None:
    with make_world(tmp_path, **_settings(hub)) as world:
        wait_until(lambda: hub.answered)
        world.people.hub_leavers.stop()  # as if the process had been killed between the act and this
        gone = _at_hub(world, hub, "analyst", "")
        _change(world, "analyst", status="disabled")
        stays = _at_hub(world, hub, "viewer")
        never = hub.add_person(hub_user_name(new_id(), new_id()), "")
        strangers = [hub.add_person("alice", ""), hub.add_person("renderer", "")]
        hub.page_size = 2  # fewer a page than we ask for
        world.people.hub_leavers._stopping = False
        world.people.hub_leavers._all = True
        world.people.hub_leavers.start()
        wait_until(lambda: {gone, never}.isdisjoint(hub.people))
        assert set(hub.people) == {stays, *strangers}


def test_a_database_that_is_away_removes_nobody(hubbed: World, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub_config.errors import PlatformUnavailable
    from hub_config.people.hub import new_client

    name = _at_hub(hubbed, hub, "analyst", "")

    def away(*ids: str) -> None:
        raise PlatformUnavailable(log="away")

    monkeypatch.setattr(hubbed.people.states, "of", away)
    with new_client(hubbed.settings) as client, pytest.raises(PlatformUnavailable):
        hubbed.people.hub_leavers.tidy(client, names=set(), everybody=True)
    assert name in hub.people
    assert hub.acts == []


@pytest.mark.parametrize(
    "answer", [(200, b"[]x"), (200, b'"x"'), (200, b'{"items": 3}'), (403, b"{}"), (302, b""), (200, b"")]
)
def test_what_no_hub_would_answer_removes_nobody(hubbed: World, hub: HubServer, answer: tuple[int, bytes]) -> None:
    from hub_config.people.hub import new_client

    hub.answer = answer
    with new_client(hubbed.settings) as client, pytest.raises(HubAway):
        hubbed.people.hub_leavers.tidy(client, names=set(), everybody=True)


def test_an_answer_that_breaks_a_look_does_not_end_the_looking(
    hubbed: World, hub: HubServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hub_config.people.hub_leavers._RETRY_S", 0.05)
    name = hub_user_name(hubbed.tenant_id(), hubbed.user_id("viewer"))
    hub.people[name] = {"servers": {}, "groups": [{}]}  # groups that are no names
    hubbed.people.hub_leavers.look_at_all()
    wait_until(lambda: any("incident" in record.message for record in caplog.records))
    hub.people[name]["groups"] = []
    gone = _at_hub(hubbed, hub, "analyst", "")
    _change(hubbed, "analyst", status="disabled")
    wait_until(lambda: gone not in hub.people)
    assert name in hub.people


def test_a_stop_does_not_wait_for_a_server_that_hangs(tmp_path: Path, hub: HubServer) -> None:
    hub.slow_stops = 10_000
    with make_world(tmp_path, **_settings(hub)) as world:
        wait_until(lambda: hub.answered)
        name = _at_hub(world, hub, "analyst", "")
        _change(world, "analyst", status="disabled")
        wait_until(lambda: hub.acts)
        started = time.monotonic()
    assert time.monotonic() - started < 20
    assert name in hub.people


@pytest.mark.parametrize("given", [{}, {"hub_api_url": "http://127.0.0.1:9/hub/api"}])
def test_without_a_hub_nothing_runs(tmp_path: Path, given: dict[str, str]) -> None:
    with make_world(tmp_path, **given) as world:
        _change(world, "analyst", status="disabled")
        assert world.people.hub_leavers._thread is None


def test_a_rendering_that_nobody_remembers_goes_once_it_has_long_ended(
    hubbed: World, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub_config.people.hub import new_client

    runs, ended, begins = (rendering_user_name(hubbed.tenant_id(), new_id()) for _ in range(3))
    hub.add_person(runs, "")
    hub.add_person(ended)
    leavers = hubbed.people.hub_leavers
    with new_client(hubbed.settings) as client:
        leavers.tidy(client, names=set(), everybody=True)
        assert set(hub.people) == {runs, ended}, "a rendering that begins has no process for a moment"
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 3600, sleep=time.sleep)
        monkeypatch.setattr("hub_config.people.hub_leavers.time", later)
        hub.add_person(begins)
        leavers.tidy(client, names=set(), everybody=True)
    assert set(hub.people) == {runs, begins}
