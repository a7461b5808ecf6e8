"""Sign-in to the pages by the hub: what it is asked, what it may answer, and what becomes of its answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from hub_config.hub_names import hub_user_name
from hub_config.pages.rendering import hub_of
from hub_config.settings import Settings
from tests.hub_server import SERVICE_TOKEN, HubServer, hub_server
from tests.pages_support import Browser
from tests.platform_support import PASSWORD, World, make_world

PUBLIC = "https://datapilot.app.example/services/datapilot/"
NAME = "__Host-datapilot"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with hub_server() as server:
        yield server


@pytest.fixture
def hubbed(tmp_path: Path, hub: HubServer) -> Iterator[World]:
    given = {"hub_api_url": hub.url, "hub_api_token": SERVICE_TOKEN, "hub_public_url": "https://app.example/"}
    with make_world(tmp_path, public_url=PUBLIC, hub_tidy_seconds=3600, **given) as world:
        yield world


def _asked(browser: Browser, path: str = "/sign-in") -> dict[str, str]:
    """What the browser is sent to the hub with."""
    answer = browser.get(path, follow=False)
    assert answer.status_code == 303
    where = urlsplit(answer.headers["location"])
    assert (where.scheme, where.netloc, where.path) == ("https", "app.example", "/hub/api/oauth2/authorize")
    return {name: values[0] for name, values in parse_qs(where.query).items()}


def _code(world: World, hub: HubServer, asked: dict[str, str], role: str = "viewer", **more: Any) -> str:
    """What the hub's authorize page sends the browser back with, for somebody signed in there."""
    name = more.pop("name", None) or hub_user_name(world.tenant_id(), world.user_id(role))
    token = hub.add(f"oauth-token-of-{role}-{len(hub.users)}", name, **more)
    return hub.code_for(token, challenge=asked["code_challenge"], redirect_uri=asked["redirect_uri"])


def _back(browser: Browser, state: str, code: str) -> Any:
    return browser.get(f"/oauth_callback?code={code}&state={state}", follow=False, Sec_Fetch_Site="same-site")


def test_the_hub_says_who_it_is_and_the_person_lands_where_they_were_going(hubbed: World, hub: HubServer) -> None:
    browser = Browser(hubbed)
    door = browser.get("/account", follow=False).headers["location"]
    asked = _asked(browser, door.removeprefix(browser.base))
    assert asked["client_id"] == "service-datapilot"
    assert asked["redirect_uri"] == f"{PUBLIC}oauth_callback"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 32
    assert _asked(Browser(hubbed))["state"] != asked["state"]
    answer = _back(browser, asked["state"], _code(hubbed, hub, asked))
    assert (answer.status_code, answer.headers["location"]) == (303, "/services/datapilot/account")
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(f"{NAME}="))
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    page = browser.get("/account")
    assert "viewer@t1.example" in page.text
    assert "form-action 'self' https://app.example;" in page.headers["content-security-policy"]


def test_what_the_hub_says_of_role_and_rights_is_not_believed(hubbed: World, hub: HubServer) -> None:
    browser = Browser(hubbed)
    asked = _asked(browser)
    _back(browser, asked["state"], _code(hubbed, hub, asked, admin=True, groups=["administrators"]))
    page = browser.get("/")
    assert "Sources de données" not in page.text
    assert "/spawn" not in page.text
    author = Browser(hubbed)
    asked = _asked(author)
    _back(author, asked["state"], _code(hubbed, hub, asked, "analyst"))
    assert 'href="https://app.example/hub/spawn"' in author.get("/").text


def test_two_tabs_have_a_sign_in_each(hubbed: World, hub: HubServer) -> None:
    browser = Browser(hubbed)
    first, second = _asked(browser), _asked(browser)
    assert _back(browser, first["state"], _code(hubbed, hub, first)).status_code == 303
    assert _back(browser, second["state"], _code(hubbed, hub, second)).status_code == 303


@pytest.mark.parametrize(
    "wrong", ["state", "end of state", "no state", "no code", "code", "verifier", "nobody", "disabled", "scopes", "service"]
)
def test_a_sign_in_that_is_not_good_opens_nothing(hubbed: World, hub: HubServer, wrong: str) -> None:
    browser = Browser(hubbed)
    asked = _asked(browser)
    more: dict[str, Any] = {
        "nobody": {"name": "alice"},
        "scopes": {"scopes": ["access:services!service=another", "read:users:name!user"]},
        "service": {"kind": "service"},
    }.get(wrong, {})
    if wrong == "disabled":
        path = f"/api/v1/users/{hubbed.user_id('viewer')}"
        hubbed.client.patch(path, json={"status": "disabled"}, headers=hubbed.headers("administrator"))
    given = asked | {"code_challenge": "x" * 43} if wrong == "verifier" else asked
    code = {"no code": "", "code": "f" * 30}.get(wrong) if "code" in wrong else _code(hubbed, hub, given, **more)
    other = {"state": "f" * 43, "end of state": asked["state"][:-1] + "*", "no state": ""}
    state = other.get(wrong, asked["state"])
    answer = _back(browser, state, code or "")
    assert answer.status_code in (401, 403)
    assert "Connexion à reprendre" in answer.text
    assert browser.cookie(NAME) == ""
    if wrong in other:
        assert code in hub.codes  # another browser's code is not even tried


@pytest.mark.parametrize("code", ["%00" * 20, "%0a" * 20, "%20" * 20, "%C3%A9" * 20, "f" * 513])
def test_what_is_no_code_is_never_asked_of_the_hub(hubbed: World, hub: HubServer, code: str) -> None:
    """A hub on PostgreSQL fails on a NUL; taken for « away », that would stop everybody's notebooks for a while."""
    browser = Browser(hubbed)
    asked = _asked(browser)
    hub.answer = (500, b"the database takes no NUL")
    assert _back(browser, asked["state"], code).status_code == 403
    hub.answer = None
    hub.add("a-notebooks-own-token", hub_user_name(hubbed.tenant_id(), hubbed.user_id("analyst")))
    exchanged = hubbed.client.post("/api/v1/auth/exchange", json={"token": "a-notebooks-own-token"})
    assert exchanged.status_code == 200, exchanged.text


def test_a_hub_that_is_away_is_said_so(hubbed: World, hub: HubServer) -> None:
    browser = Browser(hubbed)
    asked = _asked(browser)
    code = _code(hubbed, hub, asked)
    hub.answer = (502, b"bad gateway")
    answer = _back(browser, asked["state"], code)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    for nonsense in (b"[]", b'{"access_token": 3}', b'{"access_token": "x"}', b"", b"\xff"):
        hub.answer = (200, nonsense)
        asked = _asked(browser)
        assert _back(browser, asked["state"], "c" * 30).status_code == 503
    assert browser.cookie(NAME) == ""


def test_where_there_is_a_hub_there_is_no_other_form(hubbed: World, hub: HubServer) -> None:
    browser = Browser(hubbed)
    browser.get("/forgotten")
    answer = browser.send("/sign-in", email="viewer@t1.example", password=PASSWORD, follow=False)
    assert answer.status_code == 404
    assert browser.cookie(NAME) == ""


def test_signing_out_goes_on_to_the_hub(hubbed: World, hub: HubServer) -> None:
    browser = Browser(hubbed)
    asked = _asked(browser)
    _back(browser, asked["state"], _code(hubbed, hub, asked))
    browser.get("/account")
    answer = browser.send("/sign-out", follow=False)
    assert answer.headers["location"] == "https://app.example/hub/logout"
    assert browser.get("/account", follow=False).headers["location"].startswith("/services/datapilot/sign-in")


def test_an_invitation_leads_to_the_hubs_sign_in(hubbed: World, hub: HubServer) -> None:
    body = {"email": "zoe@t1.example", "role": "analyst", "workspace_ids": []}
    link = hubbed.client.post("/api/v1/users/invitations", json=body, headers=hubbed.headers("administrator")).json()["link"]
    assert link.startswith(f"{PUBLIC}invitation#")
    browser = Browser(hubbed)
    browser.get("/invitation")
    browser.send("/invitation", token=link)
    page = browser.send("/invitation/accept", token=link, full_name="Zoé Martin", password=PASSWORD)
    assert "Votre compte est ouvert" in page.text
    assert browser.cookie(NAME) == ""


def test_there_is_a_hub_only_with_all_of_it(tmp_path: Path) -> None:
    whole = {"hub_public_url": "https://app.example", "hub_api_url": "http://h/hub/api", "hub_api_token": "x" * 32}
    assert hub_of(Settings(data_dir=tmp_path, **whole)) == "https://app.example/hub"  # type: ignore[arg-type]
    for missing in whole:
        assert hub_of(Settings(data_dir=tmp_path, **{k: v for k, v in whole.items() if k != missing})) is None  # type: ignore[arg-type]
