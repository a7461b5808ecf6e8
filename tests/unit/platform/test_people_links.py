"""Invitations and password links, by hand and by mail."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub_config.database import AuditEvent, Invitation, PasswordReset, Tenant, User, Workspace, WorkspaceMember, utc_now
from hub_config.people.mail import Mailer
from hub_config.people.problems import LinkInvalid, MailProblem
from tests.mail_server import MailServer, mail_server
from tests.platform_support import PASSWORD, World, make_settings, make_world, wait_until

AUTH = "/api/v1/auth"
NEW = "une phrase toute neuve"


def _invite(world: World, email: str = "nouvelle@t1.example", role: str = "analyst", **more: Any) -> Any:
    body = {"email": email, "role": role, **more}
    return world.client.post("/api/v1/users/invitations", headers=world.headers("administrator"), json=body)


def _secret(link: str) -> str:
    before, _, secret = link.partition("#")
    assert "?" not in link
    assert "dp" not in before.rpartition("/")[2]
    return secret


def _accept(world: World, secret: str, **more: str) -> Any:
    body = {"token": secret, "full_name": "Nouvelle", "password": NEW} | more
    return world.client.post(f"{AUTH}/invitations/accept", json=body)


def _preview(world: World, secret: str) -> Any:
    return world.client.post(f"{AUTH}/invitations/preview", json={"token": secret})


def _reset(world: World, secret: str, password: str = NEW) -> Any:
    return world.client.post(f"{AUTH}/password/reset", json={"token": secret, "password": password})


def _link(world: World, role: str = "viewer") -> Any:
    path = f"/api/v1/users/{world.user_id(role)}/password-link"
    return world.client.post(path, headers=world.headers("administrator"))


def _login(world: World, email: str, password: str) -> int:
    return world.client.post(f"{AUTH}/login", json={"email": email, "password": password}).status_code


# ── invitations ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_invitation_is_made_shown_and_accepted_once(world: World) -> None:
    with world.database.tenant(world.tenant_id()) as session:
        session.add_all([sales := Workspace(name="Ventes"), gone := Workspace(name="Fermé")])
    made = _invite(world, attributes={"region": "Sud"}, workspace_ids=[sales.id, gone.id])
    assert made.status_code == 201
    assert made.json()["sent"] is False
    secret = _secret(made.json()["link"])
    shown = _preview(world, secret).json()
    assert {k: shown[k] for k in ("tenant_name", "email", "role")} == {
        "tenant_name": "Maison t1", "email": "nouvelle@t1.example", "role": "analyst",
    }  # fmt: skip
    with world.database.tenant(world.tenant_id()) as session:
        session.delete(session.get(Workspace, gone.id))
    accepted = _accept(world, secret)
    assert accepted.status_code == 201
    me = world.client.get(f"{AUTH}/me", headers={"Authorization": f"Bearer {accepted.json()['access_token']}"}).json()
    assert (me["email"], me["role"], me["attributes"]) == ("nouvelle@t1.example", "analyst", {"region": "Sud"})
    assert me["tenant"]["id"] == world.tenant_id()
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        members = session.scalars(select(WorkspaceMember)).all()
        actions = session.scalars(select(AuditEvent.action).order_by(AuditEvent.at)).all()
    assert [(m.workspace_id, m.user_id) for m in members] == [(sales.id, me["id"])]
    assert actions == ["invitation.create", "invitation.accept"]
    assert _accept(world, secret).status_code == 404
    assert _preview(world, secret).status_code == 404
    assert _login(world, "nouvelle@t1.example", NEW) == 200


def test_every_link_that_is_not_good_answers_the_same(world: World) -> None:
    secrets = {}
    for name in ("accepted", "revoked", "expired", "replaced", "good"):
        made = _invite(world, f"{name}@t1.example").json()
        secrets[name] = (_secret(made["link"]), made["id"])
    assert _accept(world, secrets["accepted"][0]).status_code == 201
    path = f"/api/v1/users/invitations/{secrets['revoked'][1]}"
    assert world.client.delete(path, headers=world.headers("administrator")).status_code == 204
    assert world.client.delete(path, headers=world.headers("administrator")).status_code == 404
    with world.database.tenant(world.tenant_id()) as session:
        session.get(Invitation, secrets["expired"][1]).expires_at = utc_now() - timedelta(seconds=1)
    _invite(world, "REPLACED@t1.example")
    good = secrets["good"][0]
    bad = [
        *(secrets[name][0] for name in ("accepted", "revoked", "expired", "replaced")),
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        good.replace(world.tenant_id(), world.tenant_id("t2")),
        good.replace("dpi_", "dpw_"),
        "x",
    ]
    for ask in (_preview, _accept, lambda w, s: _reset(w, s)):
        answers = {(answer.status_code, answer.text) for answer in (ask(world, secret) for secret in bad)}
        assert len(answers) == 1
        assert next(iter(answers))[0] == 404
    assert _preview(world, good).status_code == 200


def test_two_people_with_one_link_make_one_account(world: World) -> None:
    secret = _secret(_invite(world).json()["link"])

    def accept(number: int) -> bool:
        try:
            world.people.invitations.accept(secret, full_name=f"N{number}", password=NEW)
        except LinkInvalid:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(accept, range(4))) == [False, False, False, True]


def test_who_is_there_already_is_not_invited(world: World) -> None:
    answer = _invite(world, "ANALYST@t1.example")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "already_member"


def test_inviting_tells_nothing_of_accounts_elsewhere(world: World) -> None:
    elsewhere, nowhere = _invite(world, "analyst@t2.example"), _invite(world, "personne@nulle-part.example")
    assert elsewhere.status_code == nowhere.status_code == 201
    assert elsewhere.json().keys() == nowhere.json().keys()


def test_an_account_made_meanwhile_wins(world: World) -> None:
    secret = _secret(_invite(world).json()["link"])
    world.add_user("t1", "nouvelle@t1.example", "viewer")
    answer = _accept(world, secret)
    assert answer.status_code == 409
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        assert session.scalars(select(User.role).where(User.email == "nouvelle@t1.example")).all() == ["viewer"]


@pytest.mark.parametrize(
    "body", [{"password": "court"}, {"full_name": ""}, {"full_name": "a\u0000"}, {"role": "administrator"}]
)
def test_an_acceptance_that_cannot_be_leaves_the_link_good(world: World, body: dict[str, str]) -> None:
    secret = _secret(_invite(world).json()["link"])
    assert _accept(world, secret, **body).status_code == 422
    assert _accept(world, secret).status_code == 201


def test_open_invitations_are_listed_for_their_tenant_alone(world: World) -> None:
    ids = [_invite(world, f"p{n}@t1.example").json()["id"] for n in range(3)]
    path = "/api/v1/users/invitations"
    page = world.client.get(path, headers=world.headers("administrator"), params={"limit": 2}).json()
    rest = world.client.get(path, headers=world.headers("administrator"), params={"limit": 2, "cursor": page["next"]}).json()
    assert [i["id"] for i in page["items"] + rest["items"]] == ids
    assert rest["next"] is None
    assert "token" not in str(page)
    assert world.client.get(path, headers=world.headers("administrator", "t2")).json()["items"] == []
    other = world.client.delete(f"{path}/{ids[0]}", headers=world.headers("administrator", "t2"))
    assert other.status_code == 404


def test_nobody_is_invited_into_another_tenants_workspace(world: World) -> None:
    with world.database.tenant(world.tenant_id("t2")) as session:
        session.add(workspace := Workspace(name="Ailleurs"))
    assert _invite(world, workspace_ids=[workspace.id]).status_code == 404


# ── password links ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_administrators_link_gives_a_new_password_once(world: World) -> None:
    world.client.post(f"{AUTH}/login", json={"email": "viewer@t1.example", "password": PASSWORD})
    session_before = world.headers("viewer")
    link = _link(world)
    assert link.status_code == 201
    secret = _secret(link.json()["link"])
    other = _secret(_link(world).json()["link"])
    assert _reset(world, secret, "court").status_code == 422
    assert _reset(world, secret).status_code == 204
    assert _reset(world, secret, "encore une autre phrase").status_code == 404
    assert _reset(world, other, "encore une autre phrase").status_code == 404  # the others went with it
    assert world.client.get(f"{AUTH}/me", headers=session_before).status_code == 401
    assert _login(world, "viewer@t1.example", PASSWORD) == 401
    assert _login(world, "viewer@t1.example", NEW) == 200


def test_a_new_password_ends_the_waiting(tmp_path: Path) -> None:
    with make_world(tmp_path, login_attempts=2) as world:
        assert [_login(world, "viewer@t1.example", "une autre phrase") for _ in range(3)] == [401, 401, 429]
        assert _reset(world, _secret(_link(world).json()["link"])).status_code == 204
        assert _login(world, "viewer@t1.example", NEW) == 200


@pytest.mark.parametrize("end", ["expired", "disabled", "changed", "deleted", "tenant"])
def test_a_password_link_ends_with_what_it_was_for(world: World, end: str) -> None:
    secret = _secret(_link(world).json()["link"])
    user, admin = f"/api/v1/users/{world.user_id('viewer')}", world.headers("administrator")
    if end == "expired":
        with world.database.tenant(world.tenant_id()) as session:
            for reset in session.scalars(select(PasswordReset)):
                reset.expires_at = utc_now() - timedelta(seconds=1)
    elif end == "disabled":
        world.client.patch(user, headers=admin, json={"status": "disabled"})
        world.client.patch(user, headers=admin, json={"status": "active"})
    elif end == "changed":
        body = {"current_password": PASSWORD, "new_password": "encore une autre phrase"}
        assert world.client.post(f"{AUTH}/me/password", headers=world.headers("viewer"), json=body).status_code == 200
    elif end == "deleted":
        world.client.delete(user, headers=admin)
    else:
        with world.database.tenant(world.tenant_id()) as session:
            session.get(Tenant, world.tenant_id()).deleting_at = utc_now()
    assert _reset(world, secret).status_code == 404


def test_two_with_one_password_link_set_one_password(world: World) -> None:
    secret = _secret(_link(world).json()["link"])

    def reset(number: int) -> bool:
        try:
            world.people.resets.reset(secret, password=f"une phrase numéro {number}")
        except LinkInvalid:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(reset, range(4))) == [False, False, False, True]


def test_a_disabled_account_gets_no_link(world: World) -> None:
    user = f"/api/v1/users/{world.user_id('viewer')}"
    world.client.patch(user, headers=world.headers("administrator"), json={"status": "disabled"})
    assert _link(world).status_code == 409


def test_without_a_mail_server_forgetting_says_whom_to_ask(world: World) -> None:
    answers = [
        world.client.post(f"{AUTH}/password/forgotten", json={"email": e}) for e in ("viewer@t1.example", "x@y.fr", "")
    ]
    assert {(a.status_code, a.text) for a in answers} == {(202, answers[0].text)}
    assert "administrateur" in answers[0].json()["message"]
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        assert session.scalars(select(PasswordReset)).all() == []


# ── by mail ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def mails(tmp_path: Path) -> Iterator[MailServer]:
    with mail_server(tmp_path) as server:
        yield server


@pytest.fixture
def mailing(tmp_path: Path, mails: MailServer) -> Iterator[World]:
    given = _smtp(mails, smtp_user="datapilot", smtp_password="mail-secret-9-battery")
    with make_world(tmp_path, public_url="https://datapilot.exemple.fr/", **given) as world:
        yield world


def _smtp(server: MailServer, **more: Any) -> dict[str, Any]:
    return {"smtp_host": "127.0.0.1", "smtp_port": server.port, "ca_bundle_file": server.ca} | more


def _link_in(mail: Any) -> str:
    return str(next(line for line in mail.get_content().splitlines() if line.startswith("https://")))


def test_an_invitation_goes_by_mail_and_the_administrator_sees_no_link(mailing: World, mails: MailServer) -> None:
    answer = _invite(mailing, "Zoe@t1.example")
    assert answer.json()["sent"] is True
    assert answer.json()["link"] is None
    (mail,) = mails.mails
    assert mail["to"] == "Zoe@t1.example"
    assert mail["from"] == "DataPilot <noreply@localhost>"
    assert "Maison t1" in mail["subject"]
    assert mails.encrypted == [True]
    assert mails.passwords == ["mail-secret-9-battery"]
    link = _link_in(mail)
    assert link.startswith("https://datapilot.exemple.fr/invitation#dpi_")
    assert _accept(mailing, _secret(link)).status_code == 201


def test_a_forgotten_password_comes_by_mail_to_every_account_of_the_address(mailing: World, mails: MailServer) -> None:
    for name in ("t1", "t2"):
        mailing.add_user(name, "camille@partout.example", "viewer")
    mailing.add_user(mailing.add_tenant("t3"), "camille@partout.example", "viewer", status="disabled")
    known = mailing.client.post(f"{AUTH}/password/forgotten", json={"email": "Camille@partout.example"})
    unknown = mailing.client.post(f"{AUTH}/password/forgotten", json={"email": "personne@partout.example"})
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    assert known.status_code == 202
    wait_until(lambda: not mailing.people.mailing._waiting)
    assert [mail["to"] for mail in mails.mails] == ["camille@partout.example"] * 2
    assert {n for n in ("t1", "t2", "t3") for mail in mails.mails if f"Maison {n}" in mail["subject"]} == {"t1", "t2"}
    link = _link_in(next(mail for mail in mails.mails if "Maison t2" in mail["subject"]))
    assert _reset(mailing, _secret(link)).status_code == 204
    body = {"email": "camille@partout.example", "password": NEW}
    assert mailing.client.post(f"{AUTH}/login", json=body).json()["tenant_id"] == mailing.tenant_id("t2")


def test_nobodys_mailbox_is_flooded(mailing: World, mails: MailServer) -> None:
    for _ in range(8):
        assert mailing.client.post(f"{AUTH}/password/forgotten", json={"email": "viewer@t1.example"}).status_code == 202
    wait_until(lambda: not mailing.people.mailing._waiting)
    assert len(mails.mails) == 3


def test_a_client_that_forgets_too_often_waits(tmp_path: Path) -> None:
    with make_world(tmp_path, login_attempts_per_address=2) as world:
        statuses = [
            world.client.post(f"{AUTH}/password/forgotten", json={"email": f"a{n}@b.fr"}).status_code for n in range(4)
        ]
    assert statuses == [202, 202, 429, 429]


def test_a_password_link_goes_by_mail_to_the_person_alone(mailing: World, mails: MailServer) -> None:
    answer = _link(mailing)
    assert answer.json()["link"] is None
    (mail,) = mails.mails
    assert mail["to"] == "viewer@t1.example"
    assert _reset(mailing, _secret(_link_in(mail))).status_code == 204


def test_when_the_mail_server_refuses_the_link_is_shown(mailing: World, mails: MailServer) -> None:
    mails.refuse = True
    answer = _invite(mailing).json()
    assert answer["sent"] is False
    assert _accept(mailing, _secret(answer["link"])).status_code == 201


def test_a_tenants_name_cannot_write_the_mail(mailing: World, mails: MailServer) -> None:
    name = "Banque\nBcc: x@y.fr\n\nCliquez sur https://pirate.example " + "x" * 200
    with mailing.database.tenant(mailing.tenant_id()) as session:
        session.get(Tenant, mailing.tenant_id()).name = name
    _invite(mailing)
    (mail,) = mails.mails
    assert mail["bcc"] is None
    assert [line for line in mail.get_content().splitlines() if line.startswith("https://")] == [_link_in(mail)]
    assert _link_in(mail).startswith("https://datapilot.exemple.fr/")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_mails_are_in_the_language_of_whoever_asked(mailing: World, mails: MailServer, language: str) -> None:
    headers = mailing.headers("administrator") | {"accept-language": language}
    body = {"email": "n@t1.example", "role": "viewer"}
    mailing.client.post("/api/v1/users/invitations", headers=headers, json=body)
    assert ("Bonjour" in mails.mails[0].get_content()) == (language == "fr")


def _send(folder: Path, server: MailServer, **more: Any) -> None:
    settings = make_settings(folder, **_smtp(server, **more))
    Mailer(settings).send(to="zoe@t1.example", subject="Essai", body="Bonjour à tous.\n")


@pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
def test_every_way_to_speak_to_a_mail_server(tmp_path: Path, tls: str) -> None:
    with mail_server(tmp_path, tls=tls) as server:
        _send(tmp_path, server, smtp_security=tls)
        assert server.mails[0].get_content().splitlines() == ["Bonjour à tous."]
        assert server.encrypted == [tls != "none"]


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_a_certificate_that_is_not_good_gets_no_mail(tmp_path: Path, tls: str, wrong: str) -> None:
    with mail_server(tmp_path, tls=tls, host="127.0.0.2" if wrong == "name" else "127.0.0.1") as server:
        with pytest.raises(MailProblem):
            _send(tmp_path, server, smtp_security=tls, ca_bundle_file=None if wrong == "authority" else server.ca,
                  smtp_user="u", smtp_password="mail-secret-9-battery")  # fmt: skip
        assert server.mails == []
        assert server.passwords == []


def test_a_server_without_starttls_gets_no_mail(tmp_path: Path) -> None:
    with mail_server(tmp_path, tls="none") as server:
        with pytest.raises(MailProblem):
            _send(tmp_path, server, smtp_security="starttls", smtp_user="u", smtp_password="mail-secret-9-battery")
        assert server.mails == []
        assert server.passwords == []


def test_a_password_is_not_sent_in_clear_to_another_machine(tmp_path: Path) -> None:
    with mail_server(tmp_path, tls="none") as server:
        options = {"smtp_security": "none", "smtp_user": "u", "smtp_password": "mail-secret-9-battery"}
        with pytest.raises(MailProblem):
            _send(tmp_path, server, smtp_host="0.0.0.0", **options)
        assert server.passwords == []
        _send(tmp_path, server, **options)
        assert server.passwords == ["mail-secret-9-battery"]


@pytest.mark.parametrize("how", ["wrong_password", "refused", "away"])
def test_what_a_mail_server_says_is_not_repeated(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_config.people.mail.TIMEOUT_S", 2)
    with mail_server(tmp_path) as server:
        server.refuse = how == "refused"
        more: dict[str, Any] = {"smtp_user": "u", "smtp_password": "faux-et-secret"} if how == "wrong_password" else {}
        if how == "away":
            more["smtp_port"] = 1
        with pytest.raises(MailProblem) as problem:
            _send(tmp_path, server, **more)
    said = f"{problem.value} {problem.value.log} {problem.value!r}"
    assert "anna@secret.example" not in said
    assert "faux-et-secret" not in said
    assert problem.value.__suppress_context__
