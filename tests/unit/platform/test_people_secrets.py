"""Every flow once, with every logger open: none of the secrets that were used is anywhere in what was written."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from hub_config.database import AuditEvent
from hub_config.operations import logs
from hub_config.people import hub_user_name
from hub_config.people.secrets import new_secret, read_secret
from tests.hub_server import hub_server
from tests.mail_server import mail_server
from tests.pages_support import Browser
from tests.platform_support import PASSWORD, make_world, wait_until

AUTH = "/api/v1/auth"


class _Everything(logging.Handler):
    """Keeps every record: its text, its arguments, its exception, its stack."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(("httpx2", "httpcore2")):
            return  # the test's own client
        text = logging.Formatter("%(name)s %(message)s").format(record)
        self.lines.append(f"{text} {record.__dict__!r}")


def test_no_secret_is_written_anywhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    secrets: dict[str, str] = {}
    everything, root = _Everything(), logging.getLogger()
    before, handlers = root.level, root.handlers[:]
    with mail_server(tmp_path) as mails, hub_server() as hub:
        given: dict[str, Any] = {
            "smtp_host": "127.0.0.1",
            "smtp_port": mails.port,
            "ca_bundle_file": mails.ca,
            "smtp_user": "datapilot",
            "smtp_password": "mail-secret-9-battery",
            "hub_api_url": hub.url,
            "hub_api_token": "service-secret-token-77",
            "hub_key": "hub-key-secret-88-0123456789-abcdef",
            "log_level": "debug",
            "login_attempts_per_address": 1000,
        }
        with make_world(tmp_path, **given) as world:
            logs.configure(world.settings)
            root.setLevel(logging.NOTSET)
            for name in ("uvicorn.access", "httpx", "httpcore", "sqlalchemy.engine"):
                logging.getLogger(name).setLevel(logging.NOTSET)
            root.addHandler(everything)
            try:
                secrets |= _every_flow(world, mails, hub)
                said = _everything_kept(world)
            finally:
                root.handlers[:] = handlers
                root.setLevel(before)
                for name in ("uvicorn.access", "httpx", "httpcore", "sqlalchemy.engine"):
                    logging.getLogger(name).setLevel(logging.NOTSET)
        secrets |= {"smtp_password": "mail-secret-9-battery", "hub_api_token": "service-secret-token-77"}
        secrets["hub_key"] = "hub-key-secret-88-0123456789-abcdef"
    written = capfd.readouterr()
    haystacks = {
        "log": "\n".join(everything.lines),
        "stdout": written.out,
        "stderr": written.err,
        "repr": said,
    }
    assert len(everything.lines) > 50
    assert "POST /api/v1/auth/login" in haystacks["log"]
    assert len(secrets) > 25
    for name, secret in secrets.items():
        assert len(secret) >= 8, name
        for where, text in haystacks.items():
            assert secret not in text, f"{name} in {where}"


def _every_flow(world: Any, mails: Any, hub: Any) -> dict[str, str]:
    client, found = world.client, {}
    admin = world.headers("administrator")
    found["admin_token"] = admin["Authorization"].removeprefix("Bearer ")

    def post(path: str, body: Any, headers: Any = None, status: int | None = None) -> Any:
        answer = client.post(path if path.startswith("/") else f"{AUTH}/{path}", json=body, headers=headers)
        assert status is None or answer.status_code == status, (path, answer.status_code)
        return answer

    def keep(name: str, answer: Any) -> Any:
        body = answer.json()
        for field in ("access_token", "refresh_token"):
            if field in body:
                found[f"{name}.{field}"] = body[field]
                found[f"{name}.{field}.end"] = body[field][-30:]
        return body

    found["password"] = PASSWORD
    for number, (email, wrong) in enumerate(
        [("analyst@t1.example", "wrong-password-number-1"), ("nobody@t1.example", "wrong-password-number-2")]
    ):
        found[f"wrong_{number}"] = wrong
        for _ in range(7):
            post("login", {"email": email, "password": wrong})
    viewer = keep("login", post("login", {"email": "viewer@t1.example", "password": PASSWORD}, status=200))
    bearer = {"Authorization": f"Bearer {viewer['access_token']}"}
    again = keep("refresh", post("refresh", {"refresh_token": viewer["refresh_token"]}, status=200))
    post("refresh", {"refresh_token": again["refresh_token"]}, status=200)
    post("refresh", {"refresh_token": viewer["refresh_token"]}, status=401)
    found["short_password"] = "kurz-7-x"
    for body in (
        {"tenant_name": "X", "email": "x@y.fr", "password": "kurz-7-x"},
        {"tenant_name": "X", "email": ["x"], "password": "kurz-7-x"},
        {"tenant_name": "X", "email": "x@y.fr", "password": {"kurz-7-x": "kurz-7-x"}},
        {"tenant_name": "X", "email": "x@y.fr", "kurz-7-x": 1},
    ):
        answer = post("register", body, status=422)
        assert "kurz-7-x" not in answer.text
    found["malformed_body"] = "malformed-secret-body"
    assert client.post(f"{AUTH}/login", content='{"password": "malformed-secret-body').status_code == 422
    found["registered"] = "ein ganz neues passwort"
    keep("register", post("register", {"tenant_name": "X", "email": "x@y.fr", "password": found["registered"]}, status=201))
    found["query_token"] = "eyJhbGciOiJub25lIn0.e30.query-secret"
    client.get(f"{AUTH}/me?token={found['query_token']}")
    client.get(f"{AUTH}/{found['query_token']}")
    for bad in ("eyJhbGciOiJub25lIn0.e30.c2VjcmV0c2VjcmV0", "not-a-token-but-a-secret"):
        found[f"bad_token_{len(bad)}"] = bad
        assert client.get(f"{AUTH}/me", headers={"Authorization": f"Bearer {bad}"}).status_code == 401

    # Links: by mail, and shown when the mail server does not take them.
    found["accepted"] = "passwort der eingeladenen"
    post("/api/v1/users/invitations", {"email": "n@t1.example", "role": "viewer"}, admin, 201)
    mails.refuse = True
    shown = post("/api/v1/users/invitations", {"email": "m@t1.example", "role": "viewer"}, admin, 201).json()["link"]
    mails.refuse = False
    links = [_link_in(mails.mails[-1]), shown]
    for number, link in enumerate(links):
        found[f"invitation_{number}"] = token = link.partition("#")[2]
        post("invitations/preview", {"token": token}, status=200)
        post("invitations/accept", {"token": token, "full_name": "N", "password": "kurz-7-x"}, status=422)
        body = {"token": token, "full_name": "N", "password": found["accepted"]}
        keep(f"accept_{number}", post("invitations/accept", body, status=201))
        post("invitations/accept", body, status=404)
    sent = len(mails.mails)
    post("password/forgotten", {"email": "n@t1.example"}, status=202)
    wait_until(lambda: len(mails.mails) > sent)
    wait_until(lambda: not world.people.mailing._waiting)
    mails.refuse = True
    post("password/forgotten", {"email": "n@t1.example"}, status=202)
    wait_until(lambda: not world.people.mailing._waiting)
    mails.refuse = False
    found["reset"] = _link_in(mails.mails[-1]).partition("#")[2]
    found["new"] = "noch ein anderes passwort"
    post("password/reset", {"token": found["reset"], "password": found["new"]}, status=204)
    post("password/reset", {"token": found["reset"], "password": found["new"]}, status=404)

    # Own password, ends, the hub.
    found["newest"] = "das allerneueste passwort"
    bearer = {
        "Authorization": f"Bearer {keep('l2', post('login', {'email': 'n@t1.example', 'password': found['new']}))['access_token']}"
    }
    post("me/password", {"current_password": found["wrong_0"], "new_password": found["newest"]}, bearer, 422)
    changed = keep(
        "changed", post("me/password", {"current_password": found["new"], "new_password": found["newest"]}, bearer, 200)
    )
    post("logout", {"refresh_token": changed["refresh_token"]}, status=204)
    found["hub_token"] = hub.add("hub-secret-token-0123456789", hub_user_name(world.tenant_id(), world.user_id("analyst")))
    found["bad_hub_token"] = "bad-hub-secret-token-0123456789"
    keep("exchange", post("exchange", {"token": found["hub_token"]}, status=200))
    post("exchange", {"token": found["bad_hub_token"]}, status=401)
    hub.answer = (500, b"hub-secret-token-0123456789")
    post("exchange", {"token": "another-secret-token-0123456789"}, status=503)
    found["another_hub_token"] = "another-secret-token-0123456789"
    for name in [n for n in found if n.startswith(("login.refresh", "invitation", "reset"))]:
        found[f"hash of {name}"] = hashlib.sha256(found[name].encode()).hexdigest()

    # The hub's own questions, and a browser on the pages.
    asked = {"email": "administrator@t1.example", "password": PASSWORD}
    key = {"Authorization": "Bearer hub-key-secret-88-0123456789-abcdef"}
    post("/api/v1/hub/sign-in", asked, key, 200)
    found["wrong_at_hub"] = "wrong-password-at-the-hub"
    post("/api/v1/hub/sign-in", asked | {"password": found["wrong_at_hub"]}, key, 401)
    found["wrong_hub_key"] = "wrong-hub-key-99-0123456789-abcdef"
    post("/api/v1/hub/person", {"name": "x"}, {"Authorization": f"Bearer {found['wrong_hub_key']}"}, 401)
    browser = Browser(world)
    found["wrong_on_page"] = "wrong-password-on-the-page"
    browser.sign_in("administrator@t1.example", found["wrong_on_page"])
    found["door"] = browser.cookie("datapilot-door")
    browser.sign_in("administrator@t1.example")
    found["page_session"], found["csrf"] = browser.cookie("datapilot"), browser.csrf
    found["hash of page_session"] = hashlib.sha256(found["page_session"].encode()).hexdigest()
    browser.send("/account/password", current=found["wrong_on_page"], new=found["newest"])
    browser.send("/account/name", csrf="another-browsers-csrf", full_name="X")
    found["pasted"] = "dpi_a-link-that-is-none-0123456789"
    browser.get("/invitation")
    browser.send("/invitation", token=found["pasted"])
    browser.send("/sign-out")

    # A fault in the middle of a sign-in: the foreign text quotes the password.
    def broken(*args: Any, **options: Any) -> Any:
        raise RuntimeError(f"cannot verify {PASSWORD}")

    world.people.signing_in.sign_in = broken
    quiet = TestClient(world.app, raise_server_exceptions=False)
    answer = quiet.post(f"{AUTH}/login", json={"email": "viewer@t1.example", "password": PASSWORD})
    assert answer.status_code == 500
    assert answer.json()["error"]["incident"]
    assert PASSWORD not in answer.text
    return found


def _link_in(mail: Any) -> str:
    return str(next(line for line in mail.get_content().splitlines() if "#" in line))


def _everything_kept(world: Any) -> str:
    """The audit, and what the objects say of themselves."""
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        events = [
            json.dumps({c.key: str(getattr(e, c.key)) for c in AuditEvent.__table__.columns})
            for e in session.scalars(select(AuditEvent))
        ]
    assert len(events) > 10
    secret = new_secret("dpw", world.tenant_id())
    read = read_secret("dpw", secret.text)
    assert read == secret
    assert secret.text not in f"{secret} {read!r}"
    tokens = world.people.sessions.access(
        world.people.accounts.read(world.principal("administrator"), world.user_id("viewer"))
    )
    assert tokens.access_token not in repr(tokens)
    key = world.people.keys.newest()
    assert str(key.private.private_bytes_raw()) not in repr(key)
    objects = [vars(world.people), vars(world.people.tokens), vars(world.people.keys), vars(world.people.signing_in)]
    return "\n".join([*events, repr(world.settings), repr(world.principal("viewer")), *(repr(o) for o in objects)])
