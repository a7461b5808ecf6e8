"""The hub's client of the API: every answer becomes one of few values, and none of them is an exception."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hub_config.hub.platform_api import (
    Away,
    ChooseTenant,
    Departed,
    Gone,
    NotAdmitted,
    Person,
    PlatformApi,
    TooMany,
    WrongCredentials,
)
from hub_config.hub_names import hub_user_name

KEY = "k" * 40
TENANT, USER = "0" * 31 + "1", "f" * 32
ZOE = {
    "name": hub_user_name(TENANT, USER),
    "tenant_id": TENANT,
    "tenant_name": "Maison",
    "user_id": USER,
    "role": "analyst",
    "full_name": "Zoé",
    "email": "zoe@maison.example",
    "groups": [f"tenant-{TENANT}", f"tenant-{TENANT}-analyst"],
    "epoch": 3,
    "something_new": True,
}


class Fake:
    """One answer for all, and what was asked."""

    url = ""
    status = 200
    body: Any = ZOE
    retry_after = ""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, Any]]] = []


@pytest.fixture
def fake() -> Iterator[Fake]:
    found = Fake()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.asked.append((self.path, self.headers["Authorization"], given))
            content = found.body if isinstance(found.body, bytes) else json.dumps(found.body).encode()
            self.send_response(found.status)
            self.send_header("Content-Length", str(len(content)))
            if found.retry_after:
                self.send_header("Retry-After", found.retry_after)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}/services/datapilot/"
    yield found
    server.shutdown()
    server.server_close()
    thread.join(5)


def _error(code: str, **details: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": "…", "details": details, "incident": None}}


def _ask(fake: Fake, question: str) -> Any:
    async def once() -> Any:
        api = PlatformApi(fake.url, KEY, timeout_s=5)
        try:
            if question == "sign-in":
                return await api.sign_in("zoe@maison.example", "secret", tenant_id=None, client="198.51.100.7")
            if question == "company":
                return await api.company_sign_in(
                    issuer="https://id",
                    subject="z",
                    email="zoe@maison.example",
                    email_verified=True,
                    full_name="",
                    claims={},
                )
            return await api.person(ZOE["name"])  # type: ignore[arg-type]
        finally:
            await api.close()

    return asyncio.run(once())


def test_a_person_comes_with_all_that_the_hub_needs(fake: Fake) -> None:
    found = _ask(fake, "sign-in")
    assert isinstance(found, Person)
    assert (found.name, found.role, found.epoch) == (ZOE["name"], "analyst", 3)
    [(path, authorization, given)] = fake.asked
    assert path == "/services/datapilot/api/v1/hub/sign-in"
    assert authorization == f"Bearer {KEY}"
    assert given == {"email": "zoe@maison.example", "password": "secret", "client": "198.51.100.7"}


@pytest.mark.parametrize(
    ("question", "status", "body", "answer"),
    [
        ("sign-in", 401, _error("wrong_credentials"), WrongCredentials()),
        ("sign-in", 401, _error("unauthenticated"), Away("the API has another key")),
        ("sign-in", 422, _error("bad_request"), WrongCredentials()),
        ("sign-in", 404, _error("not_found"), Away("status 404, not_found")),
        ("sign-in", 409, _error("choose_tenant", tenants=[{"id": "1", "name": "A"}]), ChooseTenant((("1", "A"),))),
        ("sign-in", 409, _error("choose_tenant"), Away("tenants missing")),
        ("sign-in", 429, _error("too_many_attempts"), TooMany(300)),
        ("sign-in", 500, _error("fault"), Away("status 500, fault")),
        ("sign-in", 502, b"<html>Bad gateway</html>", Away("status 502, not JSON")),
        ("sign-in", 200, ZOE | {"role": "root"}, Away("not a person")),
        ("sign-in", 200, ZOE | {"name": "another"}, Away("a name that is not the person's")),
        ("sign-in", 200, [], Away("not a person")),
        ("sign-in", 200, b"x" * 300_000, Away("too long an answer")),
        ("company", 403, _error("company_refused"), NotAdmitted()),
        ("company", 401, _error("unauthenticated"), Away("status 401, unauthenticated")),
        ("person", 404, _error("not_found"), Gone()),
        # A proxy's own 404 while the API starts is no reason to sign everybody out.
        ("person", 404, b"404 page not found", Away("status 404, not JSON")),
        ("person", 404, {}, Away("status 404")),
        ("person", 503, _error("unavailable"), Away("status 503")),
        (
            "person",
            200,
            ZOE | {"user_id": "e" * 32, "name": hub_user_name(TENANT, "e" * 32)},
            Away("another person"),
        ),
    ],
)
def test_every_answer_is_one_of_few(fake: Fake, question: str, status: int, body: Any, answer: Any) -> None:
    fake.status, fake.body, fake.retry_after = status, body, "300"
    assert _ask(fake, question) == answer


def test_an_api_that_is_not_there_is_away(fake: Fake) -> None:
    fake.url = "http://127.0.0.1:9/"
    for question in ("sign-in", "company", "person"):
        assert isinstance(_ask(fake, question), Away)


def _gone(fake: Fake, tenants: list[str], people: list[str]) -> Any:
    async def once() -> Any:
        api = PlatformApi(fake.url, KEY, timeout_s=5)
        try:
            return await api.gone(tenants, people)
        finally:
            await api.close()

    return asyncio.run(once())


def test_who_is_gone_is_asked_in_parts(fake: Fake) -> None:
    fake.body = {"tenants": [], "people": []}
    tenants = [f"{number:032x}" for number in range(700)]
    assert _gone(fake, tenants, ["zoe"]) == Departed(frozenset(), frozenset())
    assert [len(given["tenants"]) + len(given["people"]) for _, _, given in fake.asked] == [500, 201]
    fake.body = {"tenants": [TENANT], "people": ["zoe"]}
    assert _gone(fake, [TENANT], ["zoe", "lea"]) == Departed(frozenset({TENANT}), frozenset({"zoe"}))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, _error("not_found")),
        (401, _error("unauthenticated")),
        (500, {"tenants": [TENANT], "people": []}),
        (503, _error("unavailable")),
        (502, b"<html>Bad gateway</html>"),
        (200, b""),
        (200, []),
        (200, {}),
        (200, {"tenants": [TENANT]}),
        (200, {"tenants": TENANT, "people": []}),
        (200, {"tenants": ["0" * 32], "people": []}),
        (200, {"tenants": [{}], "people": []}),
        (200, {"tenants": [], "people": ["lea"]}),
    ],
)
def test_nobody_is_gone_by_any_other_answer(fake: Fake, status: int, body: Any) -> None:
    fake.status, fake.body = status, body
    assert isinstance(_gone(fake, [TENANT], ["zoe"]), Away)
