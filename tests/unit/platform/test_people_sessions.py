"""Refresh tokens: used once, rotated, and worthless once two have them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from hub_config.database import AuditEvent, RefreshToken, User
from hub_config.errors import Unauthenticated
from tests.platform_support import PASSWORD, World

AUTH = "/api/v1/auth"
EMAIL = "analyst@t1.example"


def _login(world: World, password: str = PASSWORD) -> dict[str, Any]:
    answer = world.client.post(
        f"{AUTH}/login", json={"email": EMAIL, "password": password}, headers={"user-agent": "Essai/1"}
    )
    assert answer.status_code == 200
    return answer.json()  # type: ignore[no-any-return]


def _refresh(world: World, token: str) -> Any:
    return world.client.post(f"{AUTH}/refresh", json={"refresh_token": token})


def _me(world: World, access_token: str) -> int:
    return world.client.get(f"{AUTH}/me", headers={"Authorization": f"Bearer {access_token}"}).status_code


def _later(world: World, seconds: float) -> None:
    """Let time pass for every refresh token of the tenant."""
    back = timedelta(seconds=seconds)
    with world.database.tenant(world.tenant_id()) as session:
        for token in session.scalars(select(RefreshToken)):
            token.issued_at -= back
            token.expires_at -= back
            token.used_at = token.used_at and token.used_at - back


def _actions(world: World) -> list[str]:
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        return list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.at)))


def test_every_use_gives_the_next_pair(world: World) -> None:
    tokens = _login(world)
    seen = {tokens["refresh_token"]}
    for _ in range(5):
        answer = _refresh(world, tokens["refresh_token"])
        assert answer.status_code == 200
        tokens = answer.json()
        assert tokens["refresh_token"] not in seen
        assert tokens["refresh_expires_in_s"] == 7 * 86400
        assert _me(world, tokens["access_token"]) == 200
        seen.add(tokens["refresh_token"])


def test_only_hashes_are_kept(world: World) -> None:
    tokens = _login(world)
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        (row,) = session.scalars(select(RefreshToken)).all()
    secret = tokens["refresh_token"].partition(".")[2]
    assert tokens["refresh_token"].startswith(f"dpr_{world.tenant_id()}.")
    assert len(secret) == 43
    kept = str({column.key: getattr(row, column.key) for column in RefreshToken.__table__.columns})
    assert secret not in kept
    assert row.label == "Essai/1"


def test_a_second_use_ends_the_whole_family(world: World) -> None:
    first = _login(world)
    other_device = _login(world)
    second = _refresh(world, first["refresh_token"]).json()
    _later(world, 60)
    assert _refresh(world, first["refresh_token"]).status_code == 401  # the thief, or the person
    assert _refresh(world, second["refresh_token"]).status_code == 401  # and now the other of the two
    assert _me(world, second["access_token"]) == 401
    assert "session.reuse_detected" in _actions(world)
    assert _refresh(world, other_device["refresh_token"]).status_code == 200  # another sign-in is not concerned


def test_a_lost_answer_may_be_asked_for_again(world: World) -> None:
    first = _login(world)
    lost = _refresh(world, first["refresh_token"]).json()
    again = _refresh(world, first["refresh_token"])
    assert again.status_code == 200
    goes_on = _refresh(world, again.json()["refresh_token"])
    assert goes_on.status_code == 200
    # If it was not lost but stolen, whoever has the other one ends everything.
    assert _refresh(world, lost["refresh_token"]).status_code == 401
    assert _refresh(world, goes_on.json()["refresh_token"]).status_code == 401
    assert "session.reuse_detected" in _actions(world)


def test_the_grace_ends_once_the_successor_was_used(world: World) -> None:
    first = _login(world)
    second = _refresh(world, first["refresh_token"]).json()
    third = _refresh(world, second["refresh_token"]).json()
    assert _refresh(world, first["refresh_token"]).status_code == 401
    assert _refresh(world, third["refresh_token"]).status_code == 401


def test_the_grace_ends_by_itself(world: World) -> None:
    first = _login(world)
    _refresh(world, first["refresh_token"])
    _later(world, 11)
    assert _refresh(world, first["refresh_token"]).status_code == 401


def test_one_token_used_by_many_at_once_leaves_at_most_one_session(world: World) -> None:
    first = _login(world)

    def use(_: int) -> str | None:
        try:
            return world.people.sessions.refresh(first["refresh_token"]).refresh_token
        except Unauthenticated:
            return None

    with ThreadPoolExecutor(8) as pool:
        got = [token for token in pool.map(use, range(16)) if token]
    assert got
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        alive = select(func.count()).select_from(RefreshToken)
        alive = alive.where(RefreshToken.used_at.is_(None), RefreshToken.revoked_at.is_(None))
        assert session.execute(alive).scalar_one() <= 1


def test_a_refresh_token_lives_seven_days(world: World) -> None:
    first = _login(world)
    _later(world, 7 * 86400 - 30)
    second = _refresh(world, first["refresh_token"])
    assert second.status_code == 200
    _later(world, 7 * 86400 + 1)
    assert _refresh(world, second.json()["refresh_token"]).status_code == 401
    third = _login(world)  # and what is over is forgotten
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        assert session.execute(select(func.count()).select_from(RefreshToken)).scalar_one() == 1
    assert _refresh(world, third["refresh_token"]).status_code == 200


@pytest.mark.parametrize("change", ["x", "", "dpi_", "other_tenant", "upper", "space"])
def test_what_is_no_refresh_token_is_refused_alike(world: World, change: str) -> None:
    token = _login(world)["refresh_token"]
    forged = {
        "x": token[:-1] + ("A" if token[-1] != "A" else "B"),
        "": "x",
        "dpi_": token.replace("dpr_", "dpi_"),
        "other_tenant": token.replace(world.tenant_id(), world.tenant_id("t2")),
        "upper": token.upper(),
        "space": token + " ",
    }[change]
    answer = _refresh(world, forged)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthenticated"
    assert _refresh(world, token).status_code == 200


def test_an_access_token_is_no_refresh_token_nor_the_other_way_round(world: World) -> None:
    tokens = _login(world)
    assert _refresh(world, tokens["access_token"]).status_code == 401
    assert _me(world, tokens["refresh_token"]) == 401


def test_logging_out_ends_this_session_at_once_and_no_other(world: World) -> None:
    here, there = _login(world), _login(world)
    for _ in range(2):  # the second time says the same
        assert world.client.post(f"{AUTH}/logout", json={"refresh_token": here["refresh_token"]}).status_code == 204
    assert _refresh(world, here["refresh_token"]).status_code == 401
    assert _me(world, here["access_token"]) == 401
    assert _refresh(world, there["refresh_token"]).status_code == 200
    assert _actions(world).count("session.end") == 1
    assert world.client.post(f"{AUTH}/logout", json={"refresh_token": "nothing of ours"}).status_code == 204


def test_a_person_sees_and_ends_their_own_sessions(world: World) -> None:
    here, there = _login(world), _login(world)
    headers = {"Authorization": f"Bearer {here['access_token']}"}
    path = f"{AUTH}/me/sessions"
    listed = world.client.get(path, headers=headers).json()["items"]
    assert [one["label"] for one in listed] == ["Essai/1", "Essai/1"]
    assert here["refresh_token"] not in str(listed)
    others = world.client.get(path, headers=world.headers("viewer")).json()["items"]
    assert others == []
    stranger = world.client.delete(f"{path}/{listed[0]['id']}", headers=world.headers("viewer"))
    assert stranger.status_code == 404
    assert world.client.delete(f"{path}/{listed[0]['id']}", headers=headers).status_code == 204
    assert _refresh(world, there["refresh_token"]).status_code == 401
    goes_on = _refresh(world, here["refresh_token"])
    assert goes_on.status_code == 200
    headers = {"Authorization": f"Bearer {goes_on.json()['access_token']}"}
    assert [one["id"] for one in world.client.get(path, headers=headers).json()["items"]] == [listed[1]["id"]]
    assert world.client.delete(f"{path}/{listed[0]['id']}", headers=headers).status_code == 404


def test_ending_all_sessions_ends_all(world: World) -> None:
    here, there = _login(world), _login(world)
    notebook = world.token("analyst", audience="notebook")
    headers = {"Authorization": f"Bearer {here['access_token']}"}
    assert world.client.delete(f"{AUTH}/me/sessions", headers=headers).status_code == 204
    for tokens in (here, there):
        assert _refresh(world, tokens["refresh_token"]).status_code == 401
        assert _me(world, tokens["access_token"]) == 401
    assert _me(world, notebook) == 401
    assert _login(world)


def test_a_notebook_ends_no_sessions_and_changes_no_password(world: World) -> None:
    headers = world.headers("analyst", audience="notebook")
    assert world.client.delete(f"{AUTH}/me/sessions", headers=headers).status_code == 403
    body = {"current_password": PASSWORD, "new_password": "une autre phrase entière"}
    answer = world.client.post(f"{AUTH}/me/password", headers=headers, json=body)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "session_needed"


def test_a_new_password_ends_the_other_sessions_and_goes_on_here(world: World) -> None:
    here, there = _login(world), _login(world)
    headers = {"Authorization": f"Bearer {here['access_token']}"}
    body = {"current_password": PASSWORD, "new_password": "une autre phrase entière"}
    answer = world.client.post(f"{AUTH}/me/password", headers=headers, json=body)
    assert answer.status_code == 200
    tokens = answer.json()
    assert _me(world, tokens["access_token"]) == 200
    assert _me(world, here["access_token"]) == _me(world, there["access_token"]) == 401
    assert _refresh(world, there["refresh_token"]).status_code == 401
    assert _refresh(world, here["refresh_token"]).status_code == 401
    assert _refresh(world, tokens["refresh_token"]).status_code == 200
    assert world.client.post(f"{AUTH}/login", json={"email": EMAIL, "password": PASSWORD}).status_code == 401
    assert _login(world, "une autre phrase entière")


def test_a_new_password_needs_the_old_one_and_guesses_are_counted(world: World) -> None:
    headers = world.headers("analyst")

    def change(current: str, new: str) -> Any:
        body = {"current_password": current, "new_password": new}
        return world.client.post(f"{AUTH}/me/password", headers=headers, json=body)

    assert change(PASSWORD, "court").json()["error"]["code"] == "password_too_short"
    answers = [change(f"une phrase {n}", "une autre phrase entière") for n in range(6)]
    assert [a.status_code for a in answers] == [422] * 5 + [429]
    assert answers[0].json()["error"]["code"] == "wrong_password"
    assert change(PASSWORD, "une autre phrase entière").status_code == 429


def test_disabling_somebody_ends_their_sessions(world: World) -> None:
    tokens = _login(world)
    user = f"/api/v1/users/{world.user_id('analyst')}"
    admin = world.headers("administrator")
    assert world.client.patch(user, headers=admin, json={"status": "disabled"}).status_code == 200
    assert _me(world, tokens["access_token"]) == 401
    assert _refresh(world, tokens["refresh_token"]).status_code == 401
    assert world.client.patch(user, headers=admin, json={"status": "active"}).status_code == 200
    assert _refresh(world, tokens["refresh_token"]).status_code == 401
    assert _login(world)


def test_deleting_somebody_ends_their_sessions(world: World) -> None:
    tokens = _login(world)
    user = f"/api/v1/users/{world.user_id('analyst')}"
    assert world.client.delete(user, headers=world.headers("administrator")).status_code == 204
    assert _me(world, tokens["access_token"]) == 401
    assert _refresh(world, tokens["refresh_token"]).status_code == 401
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        assert session.execute(select(func.count()).select_from(RefreshToken)).scalar_one() == 0


def test_a_person_renames_themselves_and_nothing_else(world: World) -> None:
    headers = world.headers("viewer")
    answer = world.client.patch(f"{AUTH}/me", headers=headers, json={"full_name": "  Élodie  "})
    assert answer.status_code == 200
    assert answer.json()["full_name"] == "Élodie"
    for change in ({"role": "administrator"}, {"attributes": {"region": "Sud"}}, {"email": "a@b.fr"}):
        answer = world.client.patch(f"{AUTH}/me", headers=headers, json={"full_name": "x", **change})
        assert answer.status_code == 422
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        assert session.get(User, world.user_id("viewer")).role == "viewer"
