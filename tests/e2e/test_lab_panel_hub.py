"""The panel in the hub: two companies ask the same and see their own, and the browser is given no credential for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.lab_panel import CSV, DROP, MARKS
from tests.e2e.test_hub_browser import ARTEFACTS, sign_in, visit
from tests.hub_world import HubWorld

pytestmark = MARKS
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
        page.locator(".dp-Composer-text").press("Enter")  # JupyterLab's launcher takes the focus when it comes
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


def test_the_first_five_minutes_of_a_company_that_has_nothing_yet(hub_world: HubWorld) -> None:
    """From the first sign-in, by way of a French file, to an answer in a notebook that asked the platform itself."""
    if "t3" not in hub_world.world.tenants:
        hub_world.world.tenants["t3"] = hub_world.world.add_tenant("t3")
    with visit(hub_world) as page:
        page.set_viewport_size({"width": 1280, "height": 720})
        page.set_default_timeout(60_000)
        sign_in(page, hub_world, "analyst", "t3")
        page.wait_for_selector("[role=tab].dp-Tab", timeout=120_000)
        page.screenshot(path=str(ARTEFACTS / "panel_first_minute.png"))
        page.locator("[role=tab].dp-Tab", has_text="Données").click()
        page.wait_for_selector(".dp-Drop")
        page.evaluate(DROP, {"name": "ventes_printemps.csv", "bytes": list(CSV)})
        page.wait_for_selector(".dp-FileView")
        page.locator(".dp-Doubt", has_text="Date de vente").locator(".dp-Go").click()
        page.wait_for_selector(".dp-Doubt", state="detached")
        page.locator(".dp-Keep .dp-Go").click()
        page.wait_for_selector(".dp-TableView-body .dp-Suggestions button")
        page.locator(".dp-TableView-body .dp-Suggestions button", has_text="région").first.click()
        page.wait_for_selector(".dp-Turn[aria-busy=false] .dp-Sentence")
        sentence = page.locator(".dp-Turn .dp-Sentence").last.inner_text().strip()
        assert "Bretagne" in sentence or "Île-de-France" in sentence or "Occitanie" in sentence
        page.locator(".dp-Turn").last.locator(".dp-Insert > button").click()
        page.locator(".dp-Menu [role=menuitem]", has_text="%ask").click()
        page.wait_for_selector(".jp-Notebook .dp-sentence", timeout=90_000)
        assert page.locator(".jp-Notebook .dp-sentence").first.inner_text().strip() == sentence
        page.screenshot(path=str(ARTEFACTS / "panel_five_minutes.png"))


def _read(response: Any) -> str:
    if "/datapilot/" not in response.url or "/user/" not in response.url:
        return ""
    from playwright.sync_api import Error

    try:
        return str(response.text())
    except Error:  # the body of a redirect, of a stream that has not ended
        return ""
