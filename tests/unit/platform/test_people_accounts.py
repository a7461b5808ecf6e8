"""A tenant's people, as administrators keep them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from hub_config.database import AuditEvent, User, Workspace, WorkspaceMember
from hub_config.errors import Conflict
from hub_config.people import UserChanges
from tests.platform_support import World

USERS = "/api/v1/users"


def test_people_are_listed_in_pages(world: World) -> None:
    for number in range(7):
        world.add_user("t1", f"p{number}@t1.example", "viewer")
    admin = world.headers("administrator")
    seen: list[str] = []
    cursor: str | None = None
    pages = 0
    while True:
        params = {"limit": 4, **({"cursor": cursor} if cursor else {})}
        page = world.client.get(USERS, headers=admin, params=params).json()
        seen += [user["email"] for user in page["items"]]
        pages, cursor = pages + 1, page["next"]
        if cursor is None:
            break
    assert pages == 3
    assert len(seen) == len(set(seen)) == 10
    assert all(email.endswith("@t1.example") for email in seen)


def test_people_are_found_by_words_role_and_status(world: World) -> None:
    world.add_user("t1", "zoe@ventes.example", "viewer", full_name="Zoé 100%_Martin", status="disabled")
    admin = world.headers("administrator")

    def found(**params: str) -> list[str]:
        return [user["email"] for user in world.client.get(USERS, headers=admin, params=params).json()["items"]]

    assert found(q="VENTES") == ["zoe@ventes.example"]
    assert found(q="martin") == ["zoe@ventes.example"]
    assert found(q="100%_") == ["zoe@ventes.example"]
    assert found(q="1_0%") == []
    assert found(role="analyst") == ["analyst@t1.example"]
    assert found(status="disabled") == ["zoe@ventes.example"]


@pytest.mark.parametrize("cursor", ["x", "", "é", "AAAA", "MS4x", "9" * 99])
def test_a_cursor_that_was_not_given_out_is_refused(world: World, cursor: str) -> None:
    answer = world.client.get(USERS, headers=world.headers("administrator"), params={"cursor": cursor})
    assert answer.status_code == 422


def test_no_hash_and_no_secret_is_shown(world: World) -> None:
    answer = world.client.get(f"{USERS}/{world.user_id('viewer')}", headers=world.headers("administrator"))
    assert answer.status_code == 200
    assert answer.json()["has_password"] is True
    assert "argon2" not in answer.text
    assert "epoch" not in answer.text


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "POST"])
def test_another_tenants_person_does_not_exist(world: World, method: str) -> None:
    admin = world.headers("administrator")
    path = "/password-link" if method == "POST" else ""
    body = {"json": {"role": "viewer"}} if method == "PATCH" else {}
    theirs = world.client.request(method, f"{USERS}/{world.user_id('viewer', 't2')}{path}", headers=admin, **body)
    nobodys = world.client.request(method, f"{USERS}/{'0' * 32}{path}", headers=admin, **body)
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.text == nobodys.text


@pytest.mark.parametrize("role", ["analyst", "viewer"])
def test_only_administrators_keep_people(world: World, role: str) -> None:
    for method, path in [("GET", ""), ("GET", f"/{world.user_id('viewer')}"), ("DELETE", f"/{world.user_id('viewer')}")]:
        assert world.client.request(method, USERS + path, headers=world.headers(role)).status_code == 403
    assert world.client.get(USERS, headers=world.headers("administrator", audience="notebook")).status_code == 403


def test_a_person_is_changed_and_the_change_is_on_the_record(world: World) -> None:
    user_id, admin = world.user_id("viewer"), world.headers("administrator")
    body = {"role": "analyst", "attributes": {"region": "Île-de-France"}, "full_name": "Anne"}
    answer = world.client.patch(f"{USERS}/{user_id}", headers=admin, json=body)
    assert answer.status_code == 200
    assert {k: answer.json()[k] for k in body} == body
    again = world.client.patch(f"{USERS}/{user_id}", headers=admin, json=body)  # changes nothing: nothing to record
    assert again.json() == answer.json()
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        (event,) = session.scalars(select(AuditEvent)).all()
    assert event.action == "user.update"
    assert event.actor_id == world.user_id("administrator")
    assert event.details == {
        "changed": ["full_name", "role", "attributes"], "role_before": "viewer", "role": "analyst",
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {"role": "owner"},
        {"status": "gone"},
        {"email": "a@b.fr"},
        {"attributes": {"a b": "x"}},
        {"attributes": {"a": "x\u0000"}},
        {"attributes": {"a": 1}},
        {"attributes": {f"a{n}": "x" for n in range(51)}},
        {"attributes": {"a": "x" * 501}},
        {"hashed_password": "x"},
        {"session_epoch": 1},
    ],
)
def test_what_cannot_be_changed_is_refused(world: World, body: dict[str, Any]) -> None:
    answer = world.client.patch(f"{USERS}/{world.user_id('viewer')}", headers=world.headers("administrator"), json=body)
    assert answer.status_code == 422


def test_the_last_administrator_stays(world: World) -> None:
    me = f"{USERS}/{world.user_id('administrator')}"
    admin = world.headers("administrator")
    world.add_user("t1", "ancien@t1.example", "administrator", status="disabled")  # does not count
    for answer in (
        world.client.patch(me, headers=admin, json={"role": "viewer"}),
        world.client.patch(me, headers=admin, json={"status": "disabled"}),
        world.client.delete(me, headers=admin),
    ):
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "last_administrator"
    assert world.client.get(me, headers=admin).json()["role"] == "administrator"
    world.add_user("t1", "deux@t1.example", "administrator")
    assert world.client.delete(me, headers=admin).status_code == 204


@pytest.mark.parametrize("way", ["demote", "disable", "delete"])
def test_two_administrators_removing_each_other_at_once_leave_one(world: World, way: str) -> None:
    for _ in range(4):
        first = world.user_id("administrator")
        second = world.add_user("t1", f"deux{_}@t1.example", "administrator")
        principal = world.principal("administrator")

        def remove(user_id: str) -> bool:
            changes = UserChanges(role="viewer") if way == "demote" else UserChanges(status="disabled")
            try:
                if way == "delete":
                    world.people.accounts.delete(principal, user_id)  # noqa: B023
                else:
                    world.people.accounts.change(principal, user_id, changes)  # noqa: B023
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(remove, (first, second)))
        assert sorted(done) == [False, True]
        with world.database.tenant(world.tenant_id(), read_only=True) as session:
            left = session.scalars(select(User).where(User.role == "administrator", User.status == "active")).all()
        assert len(left) == 1
        world.tenants["t1"].users["administrator"] = left[0].id


def test_a_deleted_persons_memberships_go_and_the_record_stays(world: World) -> None:
    user_id = world.user_id("analyst")
    with world.database.tenant(world.tenant_id()) as session:
        workspace = Workspace(name="Ventes")
        session.add(workspace)
        session.flush()
        session.add(WorkspaceMember(workspace_id=workspace.id, user_id=user_id))
    assert (
        world.client.patch("/api/v1/auth/me", headers=world.headers("analyst"), json={"full_name": "A"}).status_code == 200
    )
    assert world.client.delete(f"{USERS}/{user_id}", headers=world.headers("administrator")).status_code == 204
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        assert session.scalars(select(WorkspaceMember)).all() == []
        events = session.scalars(select(AuditEvent).order_by(AuditEvent.at)).all()
    assert [(event.action, event.object_id) for event in events] == [("user.update", user_id), ("user.delete", user_id)]
    again = world.add_user("t1", "analyst@t1.example", "viewer")  # the address is free
    assert again != user_id
