"""Signing in at a real hub against the real API: passwords, lockouts, two tenants, who may have a server, how sessions end."""

from __future__ import annotations

import re
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from hub_config.database import User
from hub_config.hub_names import hub_user_name
from tests.hub_world import Browser, HubWorld, until
from tests.platform_support import PASSWORD

pytestmark = pytest.mark.timeout(300)


def _plain(page: httpx.Response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).split())


def _post(world: HubWorld, email: str, password: str, **more: str) -> tuple[Browser, httpx.Response]:
    browser = world.browser()
    browser.get("/hub/login")
    form = {"username": email, "password": password, "_xsrf": browser.token("/hub/login")} | more
    return browser, browser.post("/hub/login", data=form, follow_redirects=False)


def _model(world: HubWorld, name: str) -> dict[str, Any]:
    found = world.hub_api("GET", f"users/{name}")
    assert found.status_code == 200, found.text
    return dict(found.json())


def _is_in(browser: Browser) -> bool:
    """A session at the hub: its home answers, and does not lead to the sign-in."""
    found = browser.get("/hub/home", follow_redirects=False)
    return found.status_code == 200 or (found.status_code == 302 and "/hub/login" not in found.headers["Location"])


def _person(world: HubWorld, name: str, role: Any = "analyst", tenant: str = "t1") -> tuple[str, str]:
    """Somebody of their own for a test that breaks them: (address, id)."""
    email = f"{name}@{tenant}.example"
    return email, world.world.add_user(tenant, email, role)


def _change(world: HubWorld, tenant: str, user_id: str, **values: Any) -> None:
    with world.world.database.tenant(world.world.tenant_id(tenant)) as session:
        user = session.get(User, user_id)
        assert user is not None
        for name, value in values.items():
            setattr(user, name, value)


# ── the page ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_is_ours_in_french_and_loads_nothing_from_outside(platform: HubWorld) -> None:
    browser = platform.browser()
    page = browser.get("/hub/login")
    assert '<html lang="fr">' in page.text
    assert "Adresse électronique" in page.text
    assert "Se connecter avec Maison Lumière" in page.text
    assert "jupyter" not in page.text.casefold()
    loaded = re.findall(r'(?:src|href|action)="([^"]+)"', page.text)
    assert loaded
    for address in loaded:
        assert address.startswith(("/", platform.url)), address
    for address in re.findall(r'<(?:link|script|img)[^>]+(?:src|href)="([^"]+)"', page.text):
        assert browser.get(address).status_code == 200, address
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in page.text
    assert " style=" not in page.text


def test_cookies_are_for_this_host_alone_and_out_of_scripts_reach(platform: HubWorld) -> None:
    browser, answer = _post(platform, "analyst@t1.example", PASSWORD)
    cookies = answer.headers.get_list("set-cookie") + browser.get("/hub/login").headers.get_list("set-cookie")
    assert any(cookie.startswith("jupyterhub-hub-login=") for cookie in cookies)
    for cookie in cookies:
        assert "domain=" not in cookie.casefold(), cookie
        assert "samesite=lax" in cookie.casefold(), cookie
        assert "httponly" in cookie.casefold(), cookie


def test_a_form_without_its_token_signs_nobody_in(platform: HubWorld) -> None:
    _, answer = _post(platform, "analyst@t1.example", PASSWORD, _xsrf="2|another")
    assert answer.status_code == 403
    assert "restée ouverte trop longtemps" in answer.text
    assert "XSRF" not in answer.text
    assert not any(cookie.startswith("jupyterhub-hub-login") for cookie in answer.headers.get_list("set-cookie"))


def test_what_does_not_exist_is_said_in_our_words(platform: HubWorld) -> None:
    browser = platform.sign_in("analyst")
    for path in ("/hub/nothing-here", "/hub/token", "/hub/admin", "/hub/accept-share?code=x", "/hub/user/somebody/lab"):
        page = browser.get(path)
        assert page.status_code == 404, path
        assert "Page introuvable" in page.text, path
        assert "moons" not in page.text
        assert "No access" not in page.text


# ── passwords ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_password_is_answered_as_an_unknown_address(platform: HubWorld) -> None:
    email, _ = _person(platform, "wrong")
    wrong = _post(platform, email, "not it at all")[1]
    unknown = _post(platform, "nobody@nowhere.example", "not it at all")[1]
    assert wrong.status_code == unknown.status_code == 401
    assert "Adresse ou mot de passe incorrect" in wrong.text
    assert f'value="{email}"' in wrong.text  # what was typed is kept, the password is not
    assert "not it at all" not in wrong.text
    assert _plain(wrong).replace(email, "") == _plain(unknown).replace("nobody@nowhere.example", "")


def test_after_too_many_the_person_waits_even_with_the_right_one(platform: HubWorld) -> None:
    email, _ = _person(platform, "locked")
    answers = [_post(platform, email, "not it at all")[1] for _ in range(6)]
    assert [answer.status_code for answer in answers][:4] == [401] * 4
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert re.search(r"réessayez dans \d minutes", answers[-1].text)
    assert _post(platform, email, PASSWORD)[1].status_code == 429


def test_an_analyst_is_who_the_api_says_and_nothing_more(platform: HubWorld) -> None:
    platform.sign_in("analyst")
    name, tenant = platform.name("analyst"), platform.world.tenant_id()
    model = _model(platform, name)
    assert model["name"] == hub_user_name(tenant, platform.world.user_id("analyst"))
    assert sorted(model["groups"]) == [f"tenant-{tenant}", f"tenant-{tenant}-analyst"]
    assert model["admin"] is False
    assert model["user_info"]["tenant_name"] == "Maison t1"
    assert PASSWORD not in str(model)


def test_nobody_can_make_hub_tokens_or_see_others(platform: HubWorld) -> None:
    browser = platform.sign_in("administrator")
    own, other = platform.name("administrator"), platform.name("analyst", "t2")
    headers = {"X-XSRFToken": browser.token("/hub/")}
    assert browser.post(f"/hub/api/users/{own}/tokens", headers=headers, json={}).status_code == 403
    platform.sign_in("analyst", "t2")
    for method, path in (
        ("GET", "users"), ("GET", "groups"), ("GET", f"users/{other}"), ("POST", f"users/{other}/server"),
        ("DELETE", f"users/{other}/server"), ("POST", "users/somebody"), ("GET", "services"), ("GET", "proxy"),
        ("POST", "shutdown"), ("POST", f"users/{own}/servers/second"),
    ):  # fmt: skip
        answer = browser.request(method, f"/hub/api/{path}", headers=headers)
        assert answer.status_code in (400, 403, 404), (method, path, answer.status_code)


# ── several tenants ───────────────────────────────────────────────────────────────────────────────────────────────


def _shared(world: HubWorld, name: str) -> tuple[str, dict[str, str]]:
    email = f"{name}@both.example"
    return email, {tenant: world.world.add_user(tenant, email, "analyst") for tenant in ("t1", "t2")}


def _choice(page: httpx.Response) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', page.text)
    assert found is not None, _plain(page)
    return found[1]


def test_an_address_of_two_tenants_chooses_once(platform: HubWorld) -> None:
    email, ids = _shared(platform, "twice")
    browser, page = _post(platform, email, PASSWORD)
    assert page.status_code == 200
    assert "Quelle organisation" in page.text
    assert "Maison t1" in page.text
    assert "Maison t2" in page.text
    assert PASSWORD not in page.text
    form = {"_xsrf": browser.token("/hub/login"), "ticket": _choice(page), "tenant_id": platform.world.tenant_id("t2")}
    answer = browser.post("/hub/login", data=form, follow_redirects=False)
    assert answer.status_code == 302
    assert (
        _model(platform, hub_user_name(platform.world.tenant_id("t2"), ids["t2"]))["user_info"]["tenant_name"] == "Maison t2"
    )
    again = platform.browser()
    again.get("/hub/login")
    answer = again.post("/hub/login", data=form | {"_xsrf": again.token("/hub/login")}, follow_redirects=False)
    assert answer.status_code == 401
    assert "Connectez-vous de nouveau" in answer.text


def test_a_tenant_that_was_not_offered_cannot_be_chosen(platform: HubWorld) -> None:
    email, _ = _shared(platform, "sneaky")
    browser, page = _post(platform, email, PASSWORD)
    form = {"_xsrf": browser.token("/hub/login"), "ticket": _choice(page), "tenant_id": "f" * 32}
    assert browser.post("/hub/login", data=form, follow_redirects=False).status_code == 401


# ── viewers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_viewer_lands_on_the_pages_and_is_refused_a_server(platform: HubWorld) -> None:
    browser, answer = _post(platform, "viewer@t1.example", PASSWORD)
    pages = f"{platform.url}/services/datapilot/"
    assert answer.headers["Location"] == pages
    name = platform.name("viewer")
    for path in ("/hub/home", "/hub/spawn", f"/hub/spawn/{name}", "/hub/"):
        found = browser.get(path, follow_redirects=False)
        while found.status_code == 302 and found.headers["Location"].startswith("/hub"):
            found = browser.get(found.headers["Location"], follow_redirects=False)
        assert found.headers.get("Location") == pages, path
    headers = {"X-XSRFToken": browser.token("/hub/")}
    assert browser.post(f"/hub/api/users/{name}/server", headers=headers).status_code in (403, 404)
    assert browser.post(f"/hub/spawn/{name}", data=headers | {"_xsrf": headers["X-XSRFToken"]}).status_code == 403
    # Nor does anybody who holds the scope start one for them: the API's own token.
    _is_refused(platform, name)


def _is_refused(world: HubWorld, name: str) -> None:
    """The hub takes the API's request, which has the scope, and then refuses the start."""
    before = world.hub.log.stat().st_size
    assert world.hub_api("POST", f"users/{name}/server").status_code in (202, 403)
    until(lambda: _model(world, name)["pending"] is None, 60)
    assert not world.is_running(name)
    told = f"Not starting {name}'s server".encode()
    until(lambda: told in world.hub.log.read_bytes()[before:], 30, world.hub.last_words)


def test_the_api_cannot_start_a_persons_server(platform: HubWorld) -> None:
    platform.sign_in("administrator")
    _is_refused(platform, platform.name("administrator"))


# ── how sessions end ──────────────────────────────────────────────────────────────────────────────────────────────


def _sign_in(world: HubWorld, email: str) -> Browser:
    browser, answer = _post(world, email, PASSWORD)
    assert answer.status_code == 302, _plain(answer)
    return browser


def test_a_disabled_person_is_out_within_the_time_set(platform: HubWorld) -> None:
    email, user_id = _person(platform, "leaver")
    browser = _sign_in(platform, email)
    assert _is_in(browser)
    _change(platform, "t1", user_id, status="disabled")
    until(lambda: not _is_in(browser), 60)
    assert _post(platform, email, PASSWORD)[1].status_code == 401


def test_sessions_that_were_ended_are_ended_in_every_browser(platform: HubWorld) -> None:
    email, user_id = _person(platform, "everywhere")
    first, second = _sign_in(platform, email), _sign_in(platform, email)
    assert _is_in(first)
    assert _is_in(second)
    with platform.world.database.tenant(platform.world.tenant_id()) as session:
        user = session.get(User, user_id)
        assert user is not None
        user.session_epoch += 1
    # Somebody with the new password signs in: that alone must end what the old one had opened.
    third = _sign_in(platform, email)
    assert _is_in(third)
    assert not _is_in(first)
    assert not _is_in(second)


def test_another_role_is_another_right_without_a_new_sign_in(platform: HubWorld) -> None:
    email, user_id = _person(platform, "demoted")
    browser = _sign_in(platform, email)
    name = hub_user_name(platform.world.tenant_id(), user_id)
    assert browser.get("/hub/home", follow_redirects=False).status_code == 200
    _change(platform, "t1", user_id, role="viewer")

    def is_viewer() -> bool:
        return browser.get("/hub/home", follow_redirects=False).status_code != 200

    until(is_viewer, 60)
    headers = {"X-XSRFToken": browser.token("/hub/")}
    assert browser.post(f"/hub/api/users/{name}/server", headers=headers).status_code in (403, 404)


def test_signing_out_ends_it_and_another_site_cannot(platform: HubWorld) -> None:
    browser = platform.sign_in("administrator")
    page = browser.get("/hub/logout", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
    assert "Voulez-vous vous déconnecter" in page.text
    assert _is_in(browser)
    pages = "/services/datapilot/account"
    assert browser.get(pages).status_code == 200  # signed in there by the hub
    assert browser.get(pages, follow_redirects=False).status_code == 200
    page = browser.get("/hub/logout", headers={"Sec-Fetch-Site": "same-origin"})
    assert "Vous êtes déconnecté" in page.text
    assert not _is_in(browser)
    assert browser.get(pages, follow_redirects=False).status_code == 303  # and out there too


def test_while_the_api_is_away_a_sentence_is_said_and_sessions_stand(platform: HubWorld) -> None:
    browser = platform.sign_in("analyst")
    platform.api.stop()
    try:
        answer = _post(platform, "analyst@t1.example", PASSWORD)[1]
        assert answer.status_code == 503
        assert "momentanément indisponible" in answer.text
        assert "Traceback" not in answer.text
        time.sleep(6)  # past refresh_seconds: the hub asks again, and nobody answers
        assert _is_in(browser)
    finally:
        platform.api.start().wait_ready()
    assert _is_in(browser)


# ── what a request may take ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_body_that_no_form_has_is_refused_before_it_is_taken(platform: HubWorld) -> None:
    hub = urlsplit(platform.hub_url)
    with socket.create_connection((str(hub.hostname), int(hub.port or 80)), 60) as connection:
        head = f"POST /hub/login HTTP/1.1\r\nHost: {hub.netloc}\r\nContent-Length: {64 * 1024**2}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 400"), "before a byte of it"


# ── a start ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_start_of_a_server_is_told_in_french(platform: HubWorld) -> None:
    browser = platform.sign_in("analyst", "t2")
    name = platform.name("analyst", "t2")
    # It opens only once it was seen to be opening, however soon it could.
    waits = platform.hub_data / "people" / name / "home" / "waits"
    waits.parent.mkdir(parents=True, exist_ok=True)
    waits.touch()
    with (platform.hub_data / "lab" / "etc" / "jupyter" / "jupyter_server_config.py").open("a", encoding="utf-8") as config:
        config.write("import os, time\nwhile os.path.exists(os.path.expanduser('~/waits')):\n    time.sleep(0.1)\n")
    page = browser.get("/hub/spawn")
    assert "Votre notebook s’ouvre" in page.text, _plain(page)
    waits.unlink()
    events = re.search(r'data-events="([^"]+)"', page.text)
    assert events is not None
    with browser.stream("GET", events[1].replace("&amp;", "&"), timeout=120) as stream:
        told = [line.removeprefix("data: ") for line in stream.iter_lines() if line.startswith("data: ")]
    assert "Votre notebook est prêt" in told[-1].encode().decode("unicode_escape", "ignore") or "pr\\u00eat" in told[-1]
    assert "html_message" not in "".join(told)
    assert "Server ready" not in "".join(told)
    assert platform.is_running(name)
    home = browser.get("/hub/home")
    assert "Arrêter mon notebook" in home.text
    stopped = browser.delete(f"/hub/api/users/{name}/server", headers={"X-XSRFToken": browser.token("/hub/")})
    assert stopped.status_code in (202, 204)
    until(lambda: not platform.is_running(name), 60)
    # The proxy reads its rules beside us.
    until(lambda: "Votre notebook est fermé" in browser.get(f"/user/{name}/lab").text, 30)


def test_a_restart_keeps_sessions_and_forgets_a_token_that_was_replaced(platform: HubWorld) -> None:
    # Somebody of this test alone: nobody has started their server before.
    person = hub_user_name(platform.world.tenant_id(), platform.world.add_user("t1", "nouvelle@t1.example", "analyst"))
    old, browser = platform.hub_token, platform.sign_in("analyst", email="nouvelle@t1.example")
    assert platform.hub_api("GET", "users").status_code == 200
    new = "b" * 64
    for part, name in ((platform.hub, "DATAPILOT_HUB_API_TOKEN"), (platform.api, "DATAPILOT_HUB_API_TOKEN")):
        part.environment[name] = new
    platform.hub.command.append("--LocalSpawner.cmd=['/nothing/is/here']")
    platform.hub.restart()
    platform.api.restart()
    assert platform.hub_api("GET", "users").status_code == 403
    platform.hub_token = new
    assert platform.hub_api("GET", "users").status_code == 200
    assert old != new
    assert _is_in(browser)

    # The hub now starts a program that is not there: the person reads a sentence and a number, and not the program's name.
    browser.get("/hub/spawn")

    def failed() -> httpx.Response | None:
        page = browser.get(f"/hub/spawn-pending/{person}")
        if "Votre notebook est fermé" in page.text:
            browser.get("/hub/spawn")  # the hub was busy with its own start: as a person, press again
        return page if "n’a pas pu s’ouvrir" in page.text and "data-events" not in page.text else None

    until(failed, 60, lambda: f"{_plain(browser.get(f'/hub/spawn-pending/{person}'))} {platform.hub.last_words()}")
    page = failed()
    assert page is not None
    assert re.search(r"numéro d’incident [0-9a-f]{8}", page.text), _plain(page)
    assert "/nothing" not in page.text
    assert "Réessayer" in page.text
