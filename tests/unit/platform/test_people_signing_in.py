"""Signing in: what is told, to whom, and how often it may be tried."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub_config.database import AuditEvent, User, utc_now
from hub_config.errors import PlatformUnavailable, TooMany
from hub_config.people import People
from hub_config.people.limits import Attempts, Windows
from hub_config.people.problems import WrongCredentials
from tests.platform_support import CHEAP, PASSWORD, World, make_world

LOGIN = "/api/v1/auth/login"
KNOWN = "analyst@t1.example"
UNKNOWN = "personne@t1.example"


def _login(world: World, email: str = KNOWN, password: str = PASSWORD, **more: Any) -> Any:
    return world.client.post(LOGIN, json={"email": email, "password": password, **more})


def _comparable(answer: Any) -> tuple[Any, ...]:
    headers = {k: v for k, v in answer.headers.items() if k not in ("x-request-id", "date")}
    return answer.status_code, answer.json(), sorted(headers.items())


def test_a_person_signs_in_and_is_who_they_are(world: World) -> None:
    answer = _login(world)
    assert answer.status_code == 200
    tokens = answer.json()
    me = world.client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"}).json()
    assert me["email"] == KNOWN
    assert me["tenant"]["id"] == world.tenant_id()
    assert me["audience"] == "session"
    assert "people.manage" not in me["permissions"]
    assert "questions.ask" in me["permissions"]
    assert me["last_login_at"] is not None


@pytest.mark.parametrize("email", ["ANALYST@T1.example", "  analyst@t1.example ", "ａnalyst@t1.example"])
def test_an_address_may_be_written_in_other_ways(world: World, email: str) -> None:
    assert _login(world, email).status_code == 200


def test_unknown_wrong_disabled_and_without_a_password_look_the_same(world: World) -> None:
    world.add_user("t1", "muet@t1.example", "analyst", hashed_password=None)
    world.add_user("t1", "parti@t1.example", "analyst", status="disabled")
    answers = [
        _login(world, KNOWN, "une autre phrase"),
        _login(world, UNKNOWN),
        _login(world, "muet@t1.example"),
        _login(world, "parti@t1.example"),
        _login(world, "parti@t1.example", "une autre phrase"),
        _login(world, "", "x"),
        _login(world, "pas une adresse"),
        _login(world, KNOWN, PASSWORD, tenant_id=world.tenant_id("t2")),
        _login(world, KNOWN, PASSWORD, tenant_id="0" * 32),
    ]
    seen = [_comparable(answer) for answer in answers]
    assert seen[0][0] == 401
    assert seen[0][1]["error"]["code"] == "wrong_credentials"
    assert all(one == seen[0] for one in seen)


def test_known_and_unknown_accounts_wait_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [utc_now()]  # a clock that stands still: how long one has to wait is said in whole seconds
    monkeypatch.setattr("hub_config.people.signing_in.utc_now", lambda: now[0])
    with make_world(tmp_path, login_attempts=3, login_wait_seconds=5) as world:
        world.people.signing_in._unknown._clock = lambda: now[0].timestamp()
        known = [_login(world, KNOWN, "une autre phrase") for _ in range(5)]
        unknown = [_login(world, UNKNOWN, "une autre phrase") for _ in range(5)]
        assert [answer.status_code for answer in known] == [401, 401, 401, 429, 429]
        assert [_comparable(answer) for answer in known] == [_comparable(answer) for answer in unknown]
        assert int(known[-1].headers["retry-after"]) in range(1, 7)
        assert known[-1].json()["error"]["code"] == "too_many_attempts"
        assert _login(world).status_code == 429  # the right password waits too
        now[0] += timedelta(seconds=5.1)
        again = [_login(world, KNOWN, "une autre phrase").status_code for _ in range(4)]
        assert again == [_login(world, UNKNOWN, "une autre phrase").status_code for _ in range(4)] == [401, 401, 401, 429]


def test_the_count_of_an_account_outlives_the_process(tmp_path: Path) -> None:
    with make_world(tmp_path, login_attempts=3) as world:
        for _ in range(3):
            assert _login(world, KNOWN, "une autre phrase").status_code == 401
        settings = world.settings
        other = People(settings, world.database, world.platform.audit, hasher=CHEAP, floor_s=0)
        with pytest.raises(TooMany):
            other.signing_in.sign_in(email=KNOWN, password=PASSWORD, client="192.0.2.1")
        with world.database.tenant(world.tenant_id()) as session:  # the wait is over
            session.get(User, world.user_id("analyst")).locked_until = utc_now() - timedelta(seconds=1)
        assert other.signing_in.sign_in(email=KNOWN, password=PASSWORD, client="192.0.2.1").role == "analyst"
        other.close()
        with world.database.tenant(world.tenant_id(), read_only=True) as session:
            user = session.get(User, world.user_id("analyst"))
            assert (user.failed_logins, user.locked_until) == (0, None)


def test_a_hundred_guesses_at_once_are_no_more_than_the_limit(tmp_path: Path) -> None:
    with make_world(tmp_path, login_attempts=5, login_attempts_per_address=1000) as world:

        def guess(number: int) -> str:
            try:
                world.people.signing_in.sign_in(email=KNOWN, password=f"une phrase {number}", client="192.0.2.1")
            except TooMany:
                return "waits"
            except WrongCredentials:
                return "wrong"
            return "in"

        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(guess, range(60)))
        assert answers.count("wrong") == 5
        assert answers.count("waits") == 55


def test_a_right_password_starts_the_count_anew(tmp_path: Path) -> None:
    with make_world(tmp_path, login_attempts=3) as world:
        for _ in range(4):
            assert _login(world, KNOWN, "une autre phrase").status_code == 401
            assert _login(world, KNOWN, "une autre phrase").status_code == 401
            assert _login(world).status_code == 200


def test_a_client_that_guesses_everywhere_waits_and_others_do_not(tmp_path: Path) -> None:
    with make_world(tmp_path, login_attempts_per_address=4) as world:
        statuses = [_login(world, f"a{n}@x.example", "une autre phrase").status_code for n in range(6)]
        assert statuses == [401, 401, 401, 401, 429, 429]
        assert _login(world).status_code == 429
        assert world.people.signing_in.sign_in(email=KNOWN, password=PASSWORD, client="198.51.100.9").role == "analyst"


def test_right_passwords_do_not_use_up_a_clients_attempts(tmp_path: Path) -> None:
    with make_world(tmp_path, login_attempts_per_address=3) as world:
        assert {_login(world).status_code for _ in range(10)} == {200}


def test_nobody_is_blamed_while_the_database_is_away(tmp_path: Path) -> None:
    with make_world(tmp_path, login_attempts_per_address=2) as world:
        reserve = world.people.signing_in._accounts

        def away(*args: Any) -> Any:
            raise PlatformUnavailable(log="away")

        world.people.signing_in._accounts = away  # type: ignore[method-assign]
        answers = [_login(world) for _ in range(5)]
        assert [a.status_code for a in answers] == [503] * 5
        assert answers[0].headers["retry-after"]
        world.people.signing_in._accounts = reserve  # type: ignore[method-assign]
        assert _login(world).status_code == 200


def test_limits_count_windows_and_forget_the_least_recent() -> None:
    now = [0.0]
    windows = Windows(2, 10, clock=lambda: now[0], size=3)
    windows.reserve("a")
    windows.reserve("a")
    with pytest.raises(TooMany) as waits:
        windows.reserve("a")
    assert waits.value.retry_after_s in (10, 11)
    now[0] = 10.0
    windows.reserve("a")
    windows.give_back("a")
    windows.reserve("a")
    windows.reserve("a")
    for key in "bcd":
        windows.reserve(key)
    windows.reserve("a")  # forgotten: its count starts anew
    attempts = Attempts(2, 10, clock=lambda: now[0])
    attempts.reserve("a")
    attempts.reserve("a")
    with pytest.raises(TooMany):
        attempts.reserve("a")


def test_one_address_in_several_tenants_chooses_after_the_password(world: World) -> None:
    for name in ("t1", "t2"):
        world.add_user(name, "camille@partout.example", "viewer")
    world.add_user(
        world.add_tenant("t3"), "camille@partout.example", "viewer", hashed_password=CHEAP.hash("une autre phrase")
    )
    wrong = _login(world, "camille@partout.example", "ni l'une ni l'autre")
    assert wrong.status_code == 401
    assert "Maison" not in wrong.text
    choose = _login(world, "camille@partout.example")
    assert choose.status_code == 409
    assert choose.json()["error"]["code"] == "choose_tenant"
    offered = choose.json()["error"]["details"]["tenants"]
    assert offered == [{"id": world.tenant_id(n), "name": f"Maison {n}"} for n in ("t1", "t2")]  # not t3: another password
    chosen = _login(world, "camille@partout.example", tenant_id=offered[1]["id"])
    assert chosen.status_code == 200
    assert chosen.json()["tenant_id"] == world.tenant_id("t2")
    alone = _login(world, "camille@partout.example", "une autre phrase")
    assert alone.status_code == 200
    assert alone.json()["tenant_id"] not in (world.tenant_id("t1"), world.tenant_id("t2"))


def test_wrong_guesses_count_in_every_tenant_of_an_address(tmp_path: Path) -> None:
    with make_world(tmp_path, login_attempts=3) as world:
        for name in ("t1", "t2"):
            world.add_user(name, "camille@partout.example", "viewer")
        for _ in range(3):
            assert _login(world, "camille@partout.example", "ni l'une ni l'autre").status_code == 401
        for name in ("t1", "t2"):
            assert _login(world, "camille@partout.example", tenant_id=world.tenant_id(name)).status_code == 429


def test_sign_ins_and_refusals_are_on_the_record(world: World) -> None:
    _login(world, KNOWN, "une autre phrase")
    _login(world)
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        events = session.scalars(select(AuditEvent).order_by(AuditEvent.at)).all()
    assert [(e.action, e.object_id, e.actor_id) for e in events] == [
        ("session.refused", world.user_id("analyst"), None),
        ("session.begin", world.user_id("analyst"), world.user_id("analyst")),
    ]
    assert all(e.request_id for e in events)


@pytest.mark.parametrize(
    "change",
    [{"status": "disabled"}, {"hashed_password": CHEAP.hash("une tout autre phrase")}],
    ids=["disabled", "password"],
)
def test_what_changed_while_the_password_was_hashed_counts(world: World, change: dict[str, str]) -> None:
    people = world.people
    real = people.signing_in._is_right

    def slow(account: Any, password: str) -> bool:
        right = real(account, password)
        with world.database.tenant(world.tenant_id()) as session:
            for name, value in change.items():
                setattr(session.get(User, world.user_id("analyst")), name, value)
        return right

    people.signing_in._is_right = slow  # type: ignore[method-assign]
    assert _login(world).status_code == 401


# ── registration ──────────────────────────────────────────────────────────────────────────────────────────────────────

REGISTER = "/api/v1/auth/register"


def test_anybody_registers_a_tenant_and_is_its_administrator(world: World) -> None:
    body = {"tenant_name": "Café de l'Été & Fils", "email": "Zoé@cafe.example", "password": PASSWORD, "full_name": "Zoé"}
    answer = world.client.post(REGISTER, json=body)
    assert answer.status_code == 201
    me = world.client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {answer.json()['access_token']}"}).json()
    assert me["role"] == "administrator"
    assert me["tenant"]["name"] == "Café de l'Été & Fils"
    assert me["tenant"]["slug"].startswith("cafe-de-l-ete-fils-")
    people = world.client.get("/api/v1/users", headers={"Authorization": f"Bearer {answer.json()['access_token']}"}).json()
    assert [user["email"] for user in people["items"]] == ["Zoé@cafe.example"]


def test_registering_tells_nothing_of_existing_accounts(world: World) -> None:
    known, unknown = (
        world.client.post(REGISTER, json={"tenant_name": "Maison t1", "email": email, "password": PASSWORD})
        for email in (KNOWN, "nouveau@t9.example")
    )
    assert known.status_code == unknown.status_code == 201
    assert known.json().keys() == unknown.json().keys()
    assert known.json()["tenant_id"] != world.tenant_id()


def test_closed_registration_says_so(tmp_path: Path) -> None:
    with make_world(tmp_path, registration="closed") as world:
        answer = world.client.post(REGISTER, json={"tenant_name": "X", "email": "a@b.example", "password": PASSWORD})
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "registration_closed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"password": "court"}, "password_too_short"),
        ({"email": "personne"}, "email_malformed"),
        ({"email": "a@b.fr, c@d.fr"}, "email_malformed"),
        ({"email": "a@b.fr>\u00a0<c@d.fr"}, "email_malformed"),
        ({"email": "a\nBcc: c@d.fr"}, "bad_request"),
        ({"tenant_name": ""}, "bad_request"),
        ({"tenant_name": "   "}, "bad_request"),
        ({"tenant_name": "a\u0000b"}, "bad_json"),
        ({"full_name": "a\nb"}, "bad_request"),
        ({"role": "administrator"}, "bad_request"),
        ({"email": "\ud800@b.fr"}, "bad_json"),
    ],
)
def test_what_cannot_be_registered_is_named(world: World, change: dict[str, str], code: str) -> None:
    body = {"tenant_name": "X", "email": "a@b.example", "password": PASSWORD} | change
    answer = world.client.post(REGISTER, content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == code
    assert PASSWORD not in answer.text


def test_a_client_makes_only_so_many_tenants(world: World) -> None:
    body = {"tenant_name": "X", "email": "a@b.example", "password": PASSWORD}
    statuses = [world.client.post(REGISTER, json=body).status_code for _ in range(11)]
    assert statuses == [201] * 10 + [429]
