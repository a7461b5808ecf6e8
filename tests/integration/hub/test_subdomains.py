"""Each server on a host of its own, in a real browser: what production runs, here with names below ``localhost``.

Only a browser can say whether the pages' policies let a person through (the redirects after the form go to other hosts), which
cookies it sends where, and that a notebook's page reads nothing of the hub or the platform.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e import servers
from tests.hub_world import HubWorld, until
from tests.interactive_support import interactive
from tests.platform_support import PASSWORD

pytest.importorskip("jupyterhub")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not Path(servers.CHROMIUM).exists(), reason="Chromium is not on this machine"),
]
ARTEFACTS = servers.ROOT / "artefacts"
READ = """async (address) => {
  try { return 'read ' + (await (await fetch(address, {credentials: 'include'})).text()).length; } catch { return 'refused'; }
}"""


def _answers(world: HubWorld, host: str) -> bool:
    try:
        return httpx.get(f"{world.url}/hub/api/", headers={"Host": host}, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _enter(page: Any, site: str, role: str) -> None:
    page.goto(f"{site}/hub/login")
    page.fill("#username", f"{role}@t1.example")
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")


def _interactive(viewer: Any, world: HubWorld, pages: str) -> None:
    """The frame of an interactive dashboard works on the pages' host, and a slider in it."""
    dashboard, _ = interactive(world)
    viewer.goto(f"{pages}tableaux/{dashboard}/interactif")
    viewer.click("button:text-is('Ouvrir')")
    viewer.wait_for_selector("#dp-frame", timeout=120_000)
    frame = viewer.frame_locator("#dp-frame")
    frame.locator("#prevision:text-is('473.82')").wait_for()
    handle = frame.locator(".noUi-handle")
    handle.focus()
    for _ in range(5):
        handle.press("ArrowRight")
    frame.locator("#prevision:text-is('495.36')").wait_for()
    viewer.locator("button:text-is('Fermer la session interactive')").press("Enter")
    viewer.wait_for_selector("button:text-is('Relancer')")


def test_every_server_has_its_own_origin_and_nothing_crosses(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    world = HubWorld(tmp_path)
    host = f"app.localhost:{world.port}"
    site, pages = f"http://{host}", f"http://datapilot.{host}/services/datapilot/"
    world.hub.environment |= {
        "DATAPILOT_HUB_PUBLIC_URL": site,
        "DATAPILOT_HUB_SUBDOMAIN_HOST": site,
        "DATAPILOT_HUB_LISTEN_URL": world.url,
    }
    world.api.environment |= {"DATAPILOT_PUBLIC_URL": pages, "DATAPILOT_HUB_PUBLIC_URL": f"{site}/hub/"}
    world.hub.ready = lambda: _answers(world, host)
    ARTEFACTS.mkdir(exist_ok=True)
    with world, sync_playwright() as play:
        browser = servers.chromium(play)
        try:
            context = browser.new_context(locale="fr-FR", viewport={"width": 1280, "height": 800})
            outside: list[str] = []
            refused: list[str] = []
            context.on(
                "request",
                lambda r: None if "localhost" in r.url or r.url[:5] in ("data:", "blob:") else outside.append(r.url),
            )
            context.on("console", lambda m: refused.append(m.text) if "Content Security Policy" in m.text else None)
            page = context.new_page()
            page.set_default_timeout(60_000)
            page.goto(f"{site}/hub/login")
            page.screenshot(path=str(ARTEFACTS / "hub_sign_in.png"))
            _enter(page, site, "analyst")
            own = f"http://{world.name('analyst')}.{host}"
            page.wait_for_url(f"{own}/user/**")

            sent = {cookie["name"] for cookie in context.cookies(f"{own}/user/{world.name('analyst')}/")}
            assert "jupyterhub-hub-login" not in sent
            assert page.evaluate(READ, f"{own}/user/{world.name('analyst')}/api/status").startswith("read")  # the control
            for address in (f"{site}/hub/home", f"{site}/hub/api/user", pages, f"{pages}api/v1/auth/me"):
                assert page.evaluate(READ, address) == "refused", address

            page.goto(pages)
            assert page.url == pages
            assert "Bonjour" in page.inner_text("main")
            for cookie in context.cookies():
                if cookie["name"] != "jupyterhub-session-id":  # no credential: which browser it is
                    assert not cookie["domain"].startswith("."), cookie["name"]
            page.goto(f"{site}/hub/logout")
            page.wait_for_url(f"{pages}sign-out")

            viewer = browser.new_context(locale="fr-FR").new_page()
            viewer.on("console", lambda m: refused.append(m.text) if "Content Security Policy" in m.text else None)
            viewer.set_default_timeout(60_000)
            _enter(viewer, site, "viewer")
            viewer.wait_for_url(pages)
            _interactive(viewer, world, pages)
            assert outside == []
            assert refused == []
        finally:
            browser.close()
        until(lambda: world.hub_api("DELETE", f"users/{world.name('analyst')}/server").status_code in (204, 404), 60)
