"""The pages in a real browser: a mailed link, a sign-in, the home, the account; under their policy, with nothing asked elsewhere.

Pictures are kept in ``artefacts/``: light and dark, wide and narrow.
"""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.e2e import servers
from tests.platform_support import PASSWORD, World, make_world
from tests.served import Service
from tests.unit.platform.test_pages import _dashboard

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path(servers.CHROMIUM).exists(), reason="Chromium is not on this machine"),
]
ARTEFACTS = servers.ROOT / "artefacts"
OVERFLOW = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    """The service below a path of its own port, as browsers reach it."""
    port = servers.free_port()
    address = f"http://127.0.0.1:{port}/services/datapilot"
    world = make_world(tmp_path_factory.mktemp("pages"), public_url=f"{address}/")
    _dashboard(world, "Ventes par région", workspace="Direction commerciale", roles=("viewer",))
    try:
        with Service(world.settings, port=port):
            yield world, address
    finally:
        world.platform.people.close()
        world.platform.database.dispose()


def _complaints(page: Any) -> list[str]:
    """What the browser complains of: a policy that was broken, a script that failed."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def _picture(page: Any, name: str) -> None:
    page.wait_for_load_state()  # what was waited for may stand in a page that is still read
    ARTEFACTS.mkdir(exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 860})
            assert not page.evaluate(OVERFLOW), f"{name} is wider than {width}"
            page.screenshot(path=str(ARTEFACTS / f"pages_{name}_{scheme}_{width}.png"), full_page=True)
    page.set_viewport_size({"width": 1280, "height": 860})


def test_an_invited_person_comes_in_by_their_link(served: tuple[World, str]) -> None:
    world, address = served
    invited = world.people.invitations.create(world.principal("administrator"), email="zoe@t1.example", role="viewer")
    assert invited.url is not None
    with servers.page() as (page, outside):
        complaints = _complaints(page)
        page.goto(invited.url)
        page.wait_for_selector("#full_name")
        assert "#" not in page.url  # neither in the address nor in the history
        _picture(page, "invitation")
        page.fill("#full_name", "Zoé Martin")
        page.fill("#secret", PASSWORD)
        page.click("text=Ouvrir mon compte")
        page.wait_for_url(f"{address}/")
        assert page.inner_text("h1") == "Bonjour Zoé Martin"
        assert "Ventes par région" in page.inner_text("main")
        _picture(page, "home")
        page.click("[title='Mon compte']")
        page.wait_for_url(f"{address}/account")
        _picture(page, "account")
        assert page.evaluate("document.cookie") == ""  # out of reach of scripts
        page.click("text=Se déconnecter")
        page.wait_for_selector("h1:text-is('Vous êtes déconnecté')")
        page.goto(f"{address}/account")
        assert page.url.startswith(f"{address}/sign-in?next=")
        _picture(page, "sign_in")
        page.fill("#email", "zoe@t1.example")
        page.fill("#secret", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{address}/account")
        assert complaints == []
        page.goto(f"{address}/nulle-part")
        _picture(page, "missing")
        assert outside == []


def test_without_script_the_link_is_pasted(served: tuple[World, str]) -> None:
    world, _ = served
    invited = world.people.invitations.create(world.principal("administrator"), email="max@t1.example", role="viewer")
    assert invited.url is not None
    with sync_playwright() as play:
        browser = servers.chromium(play)
        page = browser.new_context(java_script_enabled=False, locale="fr-FR").new_page()
        page.set_default_timeout(60_000)
        try:
            page.goto(invited.url)
            page.fill("#token", invited.url)
            page.click("text=Continuer")
            assert page.input_value("#email") == "max@t1.example"
        finally:
            browser.close()


def test_another_origins_page_does_nothing_in_somebodys_session(served: tuple[World, str], tmp_path: Path) -> None:
    """A form of another origin of the same site, with the browser's own cookies, as a notebook's page would send it."""
    _, address = served
    (tmp_path / "trap.html").write_text(
        f'<form method="post" action="{address}/account/name"><input name="full_name" value="Volé"></form>'
        "<script>document.forms[0].submit()</script>",
        encoding="utf-8",
    )
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as trap:
        threading.Thread(target=trap.serve_forever, daemon=True).start()
        try:
            with servers.page() as (page, _):
                page.goto(f"{address}/sign-in")
                page.fill("#email", "analyst@t1.example")
                page.fill("#secret", PASSWORD)
                page.keyboard.press("Enter")
                page.wait_for_url(f"{address}/")
                # Another port is another origin of the same site: the cookie goes along.
                page.goto(f"http://127.0.0.1:{trap.server_address[1]}/trap.html")
                page.wait_for_url(f"{address}/account/name")
                assert page.inner_text("h1") == "Accès refusé"
                page.goto(f"{address}/account")
                assert page.input_value("#full_name") == "Analyst"
        finally:
            trap.shutdown()
