"""The panel in the hub: two companies ask the same and see their own, and the browser is given no credential for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.test_hub_browser import ARTEFACTS, sign_in, visit
from tests.e2e.test_lab_panel import PANEL
from tests.hub_world import HubWorld

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not (PANEL / "datapilot_lab" / "labextension" / "package.json").is_file(),
        reason="the panel is not built (no node): make install says how",
    ),
]
OWN = {"t1": ("300,25", "7\u202f777,77"), "t2": ("7\u202f777,77", "300,25")}


@pytest.mark.parametrize("tenant", ["t1", "t2"])
def test_somebody_signs_in_asks_and_sees_their_own_companys_figures(hub_world: HubWorld, tenant: str) -> None:
    mine, theirs = OWN[tenant]
    with visit(hub_world) as page:
        bodies: list[str] = []
        page.on("response", lambda response: bodies.append(_read(response)))
        page.set_viewport_size({"width": 1280, "height": 720})
        sign_in(page, hub_world, "analyst", tenant)
        page.wait_for_selector(".dp-Composer-text", timeout=120_000)
        page.wait_for_selector(".dp-Source option:not([value=''])", state="attached")
        page.wait_for_selector(".dp-Suggestions button")
        page.screenshot(path=str(ARTEFACTS / f"panel_hub_{tenant}.png"))
        before = page.locator(".dp-Turn").count()
        page.locator(".dp-Composer-text").fill("montant par région")
        page.keyboard.press("Enter")
        page.wait_for_function(
            "n => { const all = [...document.querySelectorAll('.dp-Turn')];"
            " return all.length > n && all.at(-1).getAttribute('aria-busy') === 'false' }",
            arg=before,
        )
        turn = page.locator(".dp-Turn").last
        assert mine in turn.inner_text()
        assert theirs not in page.locator("body").inner_text()
        page.screenshot(path=str(ARTEFACTS / f"panel_hub_{tenant}_answer.png"))
        # What the browser was given of the panel holds no token: neither the hub's nor the notebook's.
        said = "".join(bodies)
        assert '"connected":true' in said
        assert "access_token" not in said
        assert "eyJ" not in said, "a signed token"


def _read(response: Any) -> str:
    if "/datapilot/" not in response.url or "/user/" not in response.url:
        return ""
    from playwright.sync_api import Error

    try:
        return str(response.text())
    except Error:  # the body of a redirect, of a stream that has not ended
        return ""
