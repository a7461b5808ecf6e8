"""The pages' session by a real hub's sign-in: only the browser that is signed in to the hub gets one, and it ends with the person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.hub_world import Browser, HubWorld, until

BASE = "/services/datapilot"
FETCHED = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
SESSION = "datapilot"


def _session(browser: httpx.Client) -> str:
    return next((c.value or "" for c in browser.cookies.jar if c.name == SESSION), "")


def _csrf(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', page.text)
    assert found, page.text[:1000]
    return found[1]


def _new_person(world: HubWorld, name: str, role: Any = "analyst") -> tuple[str, str]:
    """One more person of t1, for a test that ends them: their id and hub name."""
    from hub_config.hub_names import hub_user_name

    user_id = world.world.add_user("t1", f"{name}@t1.example", role)
    return user_id, hub_user_name(world.world.tenant_id(), user_id)


def _begun(world: HubWorld, name: str) -> dict[str, str]:
    """Since when somebody's servers run; when they were last used changes by itself."""
    servers = world.hub_api("GET", f"users/{name}").json().get("servers") or {}
    return {server: str(found["started"]) for server, found in servers.items()}


@pytest.fixture
def stranger(hub_world: HubWorld) -> Iterator[Browser]:
    """A browser without a sign-in, that follows nothing by itself."""
    browser = hub_world.browser()
    browser.follow_redirects = False
    return browser


def test_whoever_is_signed_in_to_the_hub_is_in_the_pages_too(hub_world: HubWorld) -> None:
    for role in ("viewer", "administrator"):
        browser = hub_world.sign_in(role)
        page = browser.get(f"{BASE}/account", headers={"Accept": "text/html"})
        assert page.status_code == 200, page.text[:1000]
        assert page.url.path == f"{BASE}/account"
        assert f"{role}@t1.example" in page.text
        cookie = next(c for c in browser.cookies.jar if c.name == SESSION)
        # Never sent to a notebook's server, which shares the host here.
        assert (cookie.path, cookie.has_nonstandard_attr("HttpOnly")) == (f"{BASE}/", True)
        assert SESSION not in [part.split("=")[0].strip() for part in browser.cookie_header("/user/x/").split(";")]
        assert not [c for c in browser.cookies.jar if c.name.startswith("datapilot-oauth")]


def test_a_notebooks_token_gets_no_session_of_the_pages(hub_world: HubWorld, stranger: Browser) -> None:
    """Wall 1: with all that a container holds, the hub's authorize page gives no code, and the callback no session."""
    kernel = hub_world.server("administrator").kernel()
    token = kernel.run("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])").strip()
    client_id = kernel.run("import os; print(os.environ['JUPYTERHUB_CLIENT_ID'])").strip()
    kernel.close()
    assert len(token) >= 16
    asked = httpx.get(
        f"{hub_world.hub_url}/hub/api/user", headers={"Authorization": f"token {token}"}, trust_env=False, timeout=60
    )
    assert "access:services!service=datapilot" in asked.json()["scopes"]  # it is good for what it is for
    door = stranger.get(f"{BASE}/sign-in", headers=FETCHED)
    assert door.status_code == 303
    authorize = door.headers["location"]
    state = parse_qs(urlsplit(authorize).query)["state"][0]
    given: list[dict[str, str]] = [{"Authorization": f"{scheme} {token}"} for scheme in ("token", "Bearer", "bearer")]
    given += [{"Cookie": f"{name}={token}"} for name in ("jupyterhub-hub-login", "jupyterhub-session-id", client_id)]
    for headers in given:
        for url in (authorize, f"{authorize}&token={token}"):
            for method in ("GET", "POST"):
                answer = httpx.request(method, url, headers=headers, trust_env=False, timeout=60)
                where = answer.headers.get("location", "")
                assert "code=" not in urlsplit(where).query, (headers, where)
                assert answer.status_code in (302, 403), answer.text[:500]
                assert not where or "/hub/login" in where
    # Nor is the token itself, or one of its own client, a code.
    for code in (token, "0" * 30):
        answer = stranger.get(f"{BASE}/oauth_callback", params={"code": code, "state": state}, headers=FETCHED)
        assert answer.status_code in (401, 403)
        assert _session(stranger) == ""
        door = stranger.get(f"{BASE}/sign-in", headers=FETCHED)
        state = parse_qs(urlsplit(door.headers["location"]).query)["state"][0]
    for headers in (
        {"Authorization": f"token {token}"},
        {"Authorization": f"Bearer {token}"},
        {"Cookie": f"{SESSION}={token}"},
    ):
        answer = httpx.get(f"{hub_world.url}{BASE}/account", headers=headers, trust_env=False, timeout=60)
        assert answer.status_code == 303


def _code_of(hub_world: HubWorld, role: str, tenant: str = "t1") -> tuple[Browser, str]:
    """Somebody's browser and the callback's address, with a code, that it was about to open."""
    browser = hub_world.sign_in(role, tenant)
    browser.follow_redirects = False
    door = browser.get(f"{BASE}/sign-in", headers=FETCHED)
    back = browser.get(door.headers["location"])
    assert back.status_code == 302, back.text[:1000]
    where = back.headers["location"]
    assert urlsplit(where).path == f"{BASE}/oauth_callback"
    return browser, where


def test_a_code_signs_in_the_browser_that_asked_for_it_once(hub_world: HubWorld, stranger: Browser) -> None:
    attacker, callback = _code_of(hub_world, "analyst", "t2")
    # Login CSRF: somebody else's code, in a browser that never asked, or asked for itself.
    for _ in range(2):
        answer = stranger.get(callback, headers=FETCHED | {"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
        assert "Connexion à reprendre" in answer.text
        assert _session(stranger) == ""
        stranger.get(f"{BASE}/sign-in", headers=FETCHED)
    # With the state of the victim's own sign-in: the verifier does not fit.
    door = stranger.get(f"{BASE}/sign-in", headers=FETCHED)
    own = parse_qs(urlsplit(door.headers["location"]).query)["state"][0]
    code = parse_qs(urlsplit(callback).query)["code"][0]
    answer = stranger.get(f"{BASE}/oauth_callback", params={"code": code, "state": own}, headers=FETCHED)
    assert answer.status_code == 401
    assert _session(stranger) == ""
    # The code was worth nothing after that, or is worth one session to whom it belongs.
    _, callback = _code_of(hub_world, "viewer")
    assert attacker.get(callback, headers=FETCHED).status_code == 403
    browser, callback = _code_of(hub_world, "viewer")
    entered = browser.get(callback, headers=FETCHED)
    assert (entered.status_code, entered.headers["location"]) == (303, f"{BASE}/")
    assert _session(browser)
    assert browser.get(callback, headers=FETCHED).status_code == 403  # the cookie of that sign-in is gone


def test_signing_out_ends_both(hub_world: HubWorld) -> None:
    browser = hub_world.sign_in("viewer")
    page = browser.get(f"{BASE}/", headers={"Accept": "text/html"})
    session = _session(browser)
    assert session
    headers = FETCHED | {"Origin": hub_world.url}
    out = browser.post(f"{BASE}/sign-out", data={"csrf": _csrf(page)}, headers=headers, follow_redirects=False)
    assert (out.status_code, out.headers["location"]) == (303, f"{hub_world.url}/hub/logout")
    browser.get(out.headers["location"])
    assert _session(browser) == ""
    # Neither comes back by itself: the next page is the hub's form.
    back = browser.get(f"{BASE}/account", headers={"Accept": "text/html"})
    assert back.url.path == "/hub/login"
    cookie = {"Cookie": f"{SESSION}={session}"}
    answer = httpx.get(f"{hub_world.url}{BASE}/account", headers=cookie, trust_env=False, timeout=60)
    assert answer.status_code == 303


@pytest.mark.parametrize("act", ["disabled", "deleted"])
def test_somebody_who_goes_is_out_of_pages_and_hub(hub_world: HubWorld, act: str) -> None:
    user_id, name = _new_person(hub_world, f"part-{act}")
    browser = hub_world.sign_in("", email=f"part-{act}@t1.example")
    assert browser.get(f"{BASE}/account", headers={"Accept": "text/html"}).status_code == 200
    assert hub_world.hub_api("GET", f"users/{name}").status_code == 200
    administrator = hub_world.world.headers("administrator")
    path = f"{hub_world.api_url}/api/v1/users/{user_id}"
    if act == "disabled":
        done = httpx.patch(path, json={"status": "disabled"}, headers=administrator, trust_env=False, timeout=60)
    else:
        done = httpx.delete(path, headers=administrator, trust_env=False, timeout=60)
    assert done.status_code in (200, 204), done.text
    # At once: the page's session, although the hub's cookie still stands in the browser.
    page = browser.get(f"{BASE}/account", headers={"Accept": "text/html"})
    assert f"part-{act}@t1.example" not in page.text
    assert _session(browser) == "" or page.status_code != 200 or page.url.path == "/hub/login"
    until(lambda: hub_world.hub_api("GET", f"users/{name}").status_code == 404, 60)
    assert browser.get("/hub/home").url.path == "/hub/login"


def test_somebody_made_a_viewer_loses_their_server(hub_world: HubWorld) -> None:
    user_id, name = _new_person(hub_world, "retrograde")
    browser = hub_world.sign_in("", email="retrograde@t1.example")
    hub_world.server("", name=name, browser=browser)
    assert hub_world.is_running(name)
    other = _begun(hub_world, hub_world.name("administrator"))
    done = httpx.patch(
        f"{hub_world.api_url}/api/v1/users/{user_id}",
        json={"role": "viewer"},
        headers=hub_world.world.headers("administrator"),
        trust_env=False,
        timeout=60,
    )
    assert done.status_code == 200
    until(lambda: hub_world.hub_api("GET", f"users/{name}").status_code == 404, 60)
    # Others keep theirs, and the person signs in again as what they are now.
    assert _begun(hub_world, hub_world.name("administrator")) == other
    again = hub_world.sign_in("", email="retrograde@t1.example")
    assert again.get(f"{BASE}/account", headers={"Accept": "text/html"}).status_code == 200
    found = hub_world.hub_api("GET", f"users/{name}").json()
    tenant = f"tenant-{hub_world.world.tenant_id()}"
    assert set(found["groups"]) == {tenant, f"{tenant}-viewer"}
