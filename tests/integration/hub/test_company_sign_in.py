"""A company's own sign-in through a real hub, a real API and a provider that can be made to answer wrongly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from hub_config.hub_names import hub_user_name
from tests.hub_world import Browser, HubWorld
from tests.oidc_server import Oidc

pytestmark = pytest.mark.timeout(300)

START = "/hub/company/maison"


@pytest.fixture(autouse=True)
def _right(company: Oidc) -> Iterator[None]:
    """Somebody whom the API knows, and a provider that answers rightly."""
    company.person = {"sub": "zoe-1", "email": "administrator@t1.example", "email_verified": True, "name": "Zoé"}
    yield
    company.claims, company.sign, company.error, company.away = (lambda claims: claims), None, None, False


def _go(browser: Browser, address: str = START) -> httpx.Response:
    """To the provider and back; the answer of our callback."""
    leaving = browser.get(address, follow_redirects=False)
    assert leaving.status_code == 302, leaving.text
    coming = browser.get(leaving.headers["Location"], follow_redirects=False)
    assert coming.status_code == 302
    return browser.get(coming.headers["Location"], follow_redirects=False)


def _is_in(answer: httpx.Response) -> bool:
    return any(cookie.startswith("jupyterhub-hub-login=") for cookie in answer.headers.get_list("set-cookie"))


def test_somebody_known_signs_in_and_keeps_their_role(platform: HubWorld, company: Oidc) -> None:
    browser = platform.browser()
    answer = _go(browser, f"{START}?next=/hub/home")
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"] == "/hub/home"
    assert _is_in(answer)
    assert browser.get("/hub/home", follow_redirects=False).status_code == 200
    model = platform.hub_api("GET", f"users/{platform.name('administrator')}").json()
    assert f"tenant-{platform.world.tenant_id()}-administrator" in model["groups"]
    asked = company.asked("/authorize")[-1]
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["nonce"]) >= 32
    assert asked["redirect_uri"] == f"{platform.url}/hub/company/maison/callback"


def test_somebody_new_is_made_with_the_rules_role_in_the_rules_tenant(platform: HubWorld, company: Oidc) -> None:
    company.person = {"sub": "new-2", "email": "neue@elsewhere.example", "email_verified": True, "hd": "t2"}
    answer = _go(platform.browser())
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"{platform.url}/services/datapilot/"  # a viewer: the dashboards
    names = [user["name"] for user in platform.hub_api("GET", "users").json()]
    tenant = hub_user_name(platform.world.tenant_id("t2"), "0" * 32).partition("-")[0]
    assert any(name.startswith(tenant) for name in names)


@pytest.mark.parametrize(
    "person",
    [
        {"email": "administrator@t1.example", "email_verified": False},
        {"email": "administrator@t1.example"},
        {"email": "unknown@t1.example", "email_verified": True},  # the rule takes nobody new
        {"email": "zoe@third.example", "email_verified": True},  # no rule fits
        {"email": "zoe@third.example", "email_verified": True, "hd": "t1"},  # a claim of another rule's value
    ],
    ids=["unverified", "unsaid", "new", "foreign domain", "foreign claim"],
)
def test_who_has_no_place_here_is_told_so(platform: HubWorld, company: Oidc, person: dict[str, Any]) -> None:
    company.person = {"sub": "other-3"} | person
    answer = _go(platform.browser())
    assert answer.status_code == 403
    assert not _is_in(answer)
    assert "n’est rattaché à aucune organisation" in answer.text


def _unsigned(company: Oidc, claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "", algorithm="none")


def _by_our_secret(company: Oidc, claims: dict[str, Any]) -> str:
    return jwt.encode(claims, company.client_secret * 2, algorithm="HS256", headers={"kid": company.kid})


def _by_another(company: Oidc, claims: dict[str, Any]) -> str:
    from cryptography.hazmat.primitives.asymmetric import rsa

    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims, other, algorithm="RS256", headers={"kid": company.kid})


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another-client"},
        {"aud": ["datapilot-hub", "another-client"]},
        {"azp": "another-client"},
        {"iss": "https://another.example"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": int(time.time()) - 600},
        {"iat": int(time.time()) + 7 * 86_400},
        {"sub": None},
    ],
    ids=lambda wrong: "-".join(str(name) for name in wrong),
)
def test_a_token_that_is_not_the_answer_signs_nobody_in(platform: HubWorld, company: Oidc, wrong: dict[str, Any]) -> None:
    company.claims = lambda claims: {k: v for k, v in (claims | wrong).items() if v is not None}
    answer = _go(platform.browser())
    assert answer.status_code == 403
    assert not _is_in(answer)
    assert "n’est pas valable" in answer.text


@pytest.mark.parametrize("sign", [_unsigned, _by_our_secret, _by_another])
def test_a_token_that_the_provider_did_not_sign_signs_nobody_in(
    platform: HubWorld, company: Oidc, sign: Callable[[Oidc, dict[str, Any]], str]
) -> None:
    company.sign = sign
    answer = _go(platform.browser())
    assert answer.status_code == 403
    assert not _is_in(answer)


def test_an_answer_belongs_to_the_browser_that_asked_and_works_once(platform: HubWorld) -> None:
    browser, other = platform.browser(), platform.browser()
    leaving = browser.get(START, follow_redirects=False).headers["Location"]
    coming = browser.get(leaving, follow_redirects=False).headers["Location"]
    stolen = other.get(coming, follow_redirects=False)  # no cookie of that sign-in
    other.get(START, follow_redirects=False)
    swapped = other.get(coming, follow_redirects=False)  # a cookie of another
    for answer in (stolen, swapped):
        assert answer.status_code == 400
        assert not _is_in(answer)
        assert "Recommencez" in answer.text
    assert _is_in(browser.get(coming, follow_redirects=False))
    browser.cookies.clear()
    assert not _is_in(browser.get(coming, follow_redirects=False))


def test_the_cookie_of_the_way_reaches_our_callback_alone(platform: HubWorld) -> None:
    leaving = platform.browser().get(START, follow_redirects=False)
    [cookie] = [each for each in leaving.headers.get_list("set-cookie") if each.startswith("datapilot-company=")]
    assert "path=/hub/company/" in cookie.casefold()
    assert "httponly" in cookie.casefold()
    assert "samesite=lax" in cookie.casefold()


def test_nothing_but_a_path_of_ours_comes_after(platform: HubWorld) -> None:
    for address in ("https://evil.example/x", "//evil.example", "/\\evil.example"):
        answer = _go(platform.browser(), str(httpx.URL(START, params={"next": address})))
        where = urlsplit(answer.headers["Location"])
        assert where.netloc in ("", urlsplit(platform.url).netloc), answer.headers["Location"]
        assert not answer.headers["Location"].startswith("//")


def test_a_cancelled_sign_in_and_an_absent_provider_are_said(platform: HubWorld, company: Oidc) -> None:
    company.error = "access_denied"
    answer = _go(platform.browser())
    assert answer.status_code == 400
    assert "annulée ou refusée" in answer.text
    company.error, browser = None, platform.browser()
    leaving = browser.get(START, follow_redirects=False).headers["Location"]
    coming = browser.get(leaving, follow_redirects=False).headers["Location"]
    company.away = True
    answer = browser.get(coming, follow_redirects=False)
    assert answer.status_code == 503
    assert "ne répond pas" in answer.text
    assert parse_qs(urlsplit(coming).query)["code"][0] not in answer.text
