"""What the hub's authenticator asks: its key and nothing else opens it, with the limits and words of every sign-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub_config.company import CompanyRule, claims_needed
from hub_config.database import AuditEvent, Invitation, RefreshToken, Tenant, User, utc_now
from hub_config.database.base import new_id
from hub_config.hub_names import hub_user_name
from hub_config.people.secrets import new_secret
from tests.platform_support import PASSWORD, World, make_world

KEY = "the-hubs-own-key-0123456789-abcdef"
ISSUER = "https://login.example/maison"
HEADERS = {"Authorization": f"Bearer {KEY}"}
ROUTES = ("sign-in", "company-sign-in", "person")


@pytest.fixture
def hubbed(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path, hub_key=KEY) as world:
        yield world


def _ask(world: World, route: str, headers: Any = None, **body: Any) -> Any:
    return world.client.post(f"/api/v1/hub/{route}", json=body, headers=HEADERS if headers is None else headers)


def _sign_in(world: World, email: str = "analyst@t1.example", password: str = PASSWORD, **more: Any) -> Any:
    return _ask(world, "sign-in", email=email, password=password, **more)


def _rules(world: World, *rules: dict[str, Any]) -> None:
    """Give the installation these rules, as its operator does at a start."""
    made = tuple(CompanyRule(**({"issuer": ISSUER, "tenant": world.tenant_id()} | rule)) for rule in rules)
    ground = world.people.hub_sign_in._ground
    object.__setattr__(ground, "settings", ground.settings.model_copy(update={"company_sign_in": made}))


def _company(world: World, email: str = "analyst@t1.example", subject: str = "s-1", **more: Any) -> Any:
    body = {"issuer": ISSUER, "subject": subject, "email": email, "email_verified": True} | more
    return _ask(world, "company-sign-in", **body)


def test_an_installation_without_a_key_has_no_such_routes(world: World) -> None:
    for route in ROUTES:
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}, HEADERS):
            answer = _ask(world, route, headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_only_the_hubs_key_opens_them(hubbed: World) -> None:
    name = hub_user_name(hubbed.tenant_id(), hubbed.user_id("analyst"))
    wrong: list[Any] = [
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
    ]
    wrong += [hubbed.headers("administrator"), hubbed.headers("administrator", audience="notebook")]
    wrong += [{"Authorization": b"Bearer \xe9"}]
    for headers in wrong:
        for route, body in (("person", {"name": name}), ("sign-in", {"email": "a@b.fr", "password": "x"})):
            assert _ask(hubbed, route, headers, **body).status_code == 401, headers
    assert _ask(hubbed, "person", name=name).status_code == 200
    # And the hub's key opens nothing else.
    assert hubbed.client.get("/api/v1/users", headers=HEADERS).status_code == 401


def test_a_right_password_says_who_it_is_and_opens_no_session(hubbed: World) -> None:
    answer = _sign_in(hubbed)
    tenant_id, user_id = hubbed.tenant_id(), hubbed.user_id("analyst")
    assert answer.status_code == 200
    assert answer.json() == {
        "name": hub_user_name(tenant_id, user_id),
        "tenant_id": tenant_id,
        "tenant_name": "Maison t1",
        "user_id": user_id,
        "role": "analyst",
        "full_name": "Analyst",
        "email": "analyst@t1.example",
        "groups": [f"tenant-{tenant_id}", f"tenant-{tenant_id}-analyst"],
        "epoch": 0,
    }
    with hubbed.database.tenant(tenant_id, read_only=True) as session:
        assert session.scalars(select(RefreshToken)).all() == []
        assert [event.action for event in session.scalars(select(AuditEvent))] == ["session.begin"]


def test_wrong_ones_get_the_words_of_every_sign_in(hubbed: World) -> None:
    hubbed.add_user("t1", "gone@t1.example", "analyst", status="disabled")
    answers = [
        _sign_in(hubbed, password="faux faux faux"),
        _sign_in(hubbed, email="nobody@t1.example"),
        _sign_in(hubbed, email="gone@t1.example"),
        _sign_in(hubbed, tenant_id=hubbed.tenant_id("t2")),
    ]
    assert {(a.status_code, a.text) for a in answers} == {(401, answers[0].text)}
    assert answers[0].json()["error"]["code"] == "wrong_credentials"


def test_the_limits_are_those_of_the_browser_not_of_the_hub(tmp_path: Path) -> None:
    with make_world(tmp_path, hub_key=KEY, login_attempts_per_address=3, login_attempts=100) as world:
        for _ in range(3):
            assert _sign_in(world, email="x@t1.example", client="192.0.2.7").status_code == 401
        held = _sign_in(world, client="192.0.2.7")
        assert (held.status_code, held.json()["error"]["code"]) == (429, "too_many_attempts")
        assert int(held.headers["Retry-After"]) > 0
        assert _sign_in(world, client="192.0.2.8").status_code == 200


def test_an_account_is_locked_here_as_at_the_apis_own_sign_in(hubbed: World) -> None:
    for _ in range(hubbed.settings.login_attempts):
        assert _sign_in(hubbed, password="faux faux faux").status_code == 401
    assert _sign_in(hubbed).status_code == 429
    login = {"email": "analyst@t1.example", "password": PASSWORD}
    assert hubbed.client.post("/api/v1/auth/login", json=login).status_code == 429


def test_an_address_of_two_tenants_chooses(hubbed: World) -> None:
    for tenant in ("t1", "t2"):
        hubbed.add_user(tenant, "both@maison.example", "analyst")
    answer = _sign_in(hubbed, email="both@maison.example")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "choose_tenant")
    tenants = answer.json()["error"]["details"]["tenants"]
    assert {t["name"] for t in tenants} == {"Maison t1", "Maison t2"}
    chosen = _sign_in(hubbed, email="both@maison.example", tenant_id=hubbed.tenant_id("t2"))
    assert chosen.json()["tenant_id"] == hubbed.tenant_id("t2")


def test_a_person_is_as_they_are_now(hubbed: World) -> None:
    tenant_id, user_id = hubbed.tenant_id(), hubbed.user_id("analyst")
    name = hub_user_name(tenant_id, user_id)
    assert _ask(hubbed, "person", name=name).json()["role"] == "analyst"
    administrator = hubbed.headers("administrator")
    hubbed.client.patch(f"/api/v1/users/{user_id}", json={"role": "viewer"}, headers=administrator)
    answer = _ask(hubbed, "person", name=name).json()
    assert (answer["role"], answer["groups"][1]) == ("viewer", f"tenant-{tenant_id}-viewer")
    hubbed.client.patch(f"/api/v1/users/{user_id}", json={"status": "disabled"}, headers=administrator)
    assert _ask(hubbed, "person", name=name).status_code == 404
    for nobody in (
        "alice",
        "",
        name.upper(),
        hub_user_name(hubbed.tenant_id("t2"), user_id),
        hub_user_name(new_id(), new_id()),
    ):
        assert _ask(hubbed, "person", name=nobody).status_code == 404
    viewer = hub_user_name(tenant_id, hubbed.user_id("viewer"))
    with hubbed.database.tenant(tenant_id) as session:
        session.get(Tenant, tenant_id).deleting_at = utc_now()
    assert _ask(hubbed, "person", name=viewer).status_code == 404


# ── a company's sign-in ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_companys_sign_in_finds_the_person_and_keeps_who_they_are(hubbed: World) -> None:
    _rules(hubbed, {"domain": "t1.example"})
    assert _company(hubbed).json()["user_id"] == hubbed.user_id("analyst")
    # Another address, the same subject: the same person.
    assert _company(hubbed, email="mariee@t1.example").json()["user_id"] == hubbed.user_id("analyst")
    # The same address, another subject: the address was given to somebody else.
    answer = _company(hubbed, subject="s-2")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "company_refused")


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://login.example/other"},
        {"issuer": ISSUER + "/"},
        {"email": "analyst@t1.example.evil.example"},
        {"email": "analyst@evil-t1.example"},
        {"email_verified": False},
        {"email": "nobody@t1.example"},
        {"email": "gone@t1.example"},
        {"email": "analyst@t2.example"},
    ],
)
def test_a_companys_sign_in_that_opens_nothing(hubbed: World, said: dict[str, Any]) -> None:
    _rules(hubbed, {"domain": "t1.example"})
    hubbed.add_user("t1", "gone@t1.example", "analyst", status="disabled")
    answer = _company(hubbed, **said)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "company_refused")


def test_a_claim_names_the_tenant(hubbed: World) -> None:
    _rules(hubbed, {"claim": "tid", "value": "aaa"}, {"claim": "groups", "value": "bi", "tenant": hubbed.tenant_id("t2")})
    assert claims_needed(hubbed.people.hub_sign_in._ground.settings.company_sign_in) == {"tid", "groups"}
    assert _company(hubbed, claims={"tid": "aaa"}).json()["tenant_id"] == hubbed.tenant_id()
    two = _company(hubbed, email="analyst@t2.example", claims={"groups": ["x", "bi"]})
    assert two.json()["tenant_id"] == hubbed.tenant_id("t2")
    for claims in ({}, {"tid": "aaab"}, {"tid": None}, {"groups": "bix"}, {"groups": ["b", "i"]}, {"tid": ["AAA"]}):
        assert _company(hubbed, claims=claims).status_code == 403


def test_two_addresses_that_fold_to_one_are_two(hubbed: World) -> None:
    _rules(hubbed, *({"domain": domain, "new_role": "viewer"} for domain in ("strasse.example", "t1.example")))
    hubbed.add_user("t1", "strasse@t1.example", "administrator")
    assert _company(hubbed, email="zoe@straße.example", subject="a").status_code == 403, "another domain, another owner"
    assert _company(hubbed, email="straße@t1.example", subject="b").status_code == 403, "no way to be the administrator"
    assert _company(hubbed, email="STRASSE@T1.Example", subject="c").status_code == 200


def test_an_unverified_address_counts_where_the_company_keeps_its_addresses(hubbed: World) -> None:
    _rules(hubbed, {"claim": "tid", "value": "aaa", "trust_email": True})
    assert _company(hubbed, email_verified=False, claims={"tid": "aaa"}).status_code == 200


def test_somebody_new_gets_the_rules_role_or_the_invitations(hubbed: World) -> None:
    _rules(hubbed, {"domain": "t1.example", "new_role": "viewer"})
    made = _company(hubbed, email="Zoe@t1.example", subject="zoe", full_name="Zoé Martin").json()
    assert (made["role"], made["full_name"], made["email"]) == ("viewer", "Zoé Martin", "Zoe@t1.example")
    assert _company(hubbed, email="zoe@t1.example", subject="zoe").json()["user_id"] == made["user_id"]
    tenant_id = hubbed.tenant_id()
    with hubbed.database.tenant(tenant_id) as session:
        secret = new_secret("dpi", tenant_id)
        session.add(
            Invitation(
                email="Max@t1.example", role="analyst", token_hash=secret.hash, expires_at=utc_now().replace(year=2999)
            )
        )
    invited = _company(hubbed, email="max@t1.example", subject="max", full_name="Max\nX").json()
    assert (invited["role"], invited["full_name"]) == ("analyst", "")
    preview = hubbed.client.post("/api/v1/auth/invitations/preview", json={"token": secret.text})
    assert preview.status_code == 404  # it has served
    with hubbed.database.tenant(tenant_id, read_only=True) as session:
        user = session.get(User, invited["user_id"])
        assert (user.hashed_password, user.company_issuer, user.company_subject) == (None, ISSUER, "max")
        actions = [event.action for event in session.scalars(select(AuditEvent).order_by(AuditEvent.at))]
    assert actions.count("user.create") == 1
    assert actions.count("invitation.accept") == 1
    # Whoever came by their company has no password to guess.
    assert _sign_in(hubbed, email="max@t1.example", password="").status_code in (401, 422)


@pytest.mark.parametrize(
    "rule",
    [{}, {"claim": "tid"}, {"value": "x"}, {"domain": "a.fr", "tenant": "maison"}, {"domain": "a.fr", "issuer": ""}],
)
def test_a_rule_that_would_take_anybody_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="CompanyRule"):
        CompanyRule(**({"issuer": ISSUER, "tenant": "0" * 32} | rule))


def test_the_rules_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from hub_config.settings import load_settings

    rule = f'[{{"issuer": "{ISSUER}", "tenant": "{"0" * 32}", "domain": "maison.fr", "new_role": "viewer"}}]'
    monkeypatch.setenv("DATAPILOT_COMPANY_SIGN_IN", rule)
    (found,) = load_settings().company_sign_in
    assert (found.domain, found.new_role, found.trust_email) == ("maison.fr", "viewer", False)
