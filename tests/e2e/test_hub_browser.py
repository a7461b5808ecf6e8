"""The platform in a real browser: sign in, open the notebook, ask; somebody of another company sees nothing of it; a viewer
has no notebook. Pictures of what was seen are in ``artefacts/``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.e2e import servers
from tests.e2e.test_notebook_browser import KERNEL_IS_READY
from tests.hub_world import HubWorld, until
from tests.platform_support import PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path(servers.CHROMIUM).exists(), reason="Chromium is not on this machine"),
]
ARTEFACTS = servers.ROOT / "artefacts"


@contextmanager
def visit(world: HubWorld) -> Iterator[Any]:
    """A browser of somebody who has not been here; it must ask nothing of the outside."""
    ARTEFACTS.mkdir(exist_ok=True)
    with servers.page(width=1400, height=1000) as (page, outside):
        page.set_default_timeout(60_000)
        try:
            yield page
        except BaseException:
            page.screenshot(path=str(ARTEFACTS / "hub_failed.png"))
            raise
        assert outside == []


def sign_in(page: Any, world: HubWorld, role: str, tenant: str = "t1") -> None:
    """As a person does: the address, the form."""
    page.goto(world.url)
    page.fill("input[name=username]", f"{role}@{tenant}.example")
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit], input[type=submit]")


def write_notebook(world: HubWorld, role: str, tenant: str, name: str, cells: list[str]) -> None:
    """Lay a notebook into somebody's folder."""
    home = world.hub_data / "people" / world.name(role, tenant) / "home"
    home.mkdir(parents=True, exist_ok=True)
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    made.metadata["kernelspec"] = {"name": "datapilot", "display_name": "DataPilot", "language": "python"}
    nbformat.write(made, home / name)


def run_all(page: Any) -> None:
    """Run every cell of the open notebook, by the menu that is there in French."""
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.wait_for_function(KERNEL_IS_READY, timeout=90_000)
    page.click(".lm-MenuBar-itemLabel:text-is('Exécution')")
    page.click(".lm-Menu-itemLabel:text-is('Exécuter toutes les cellules')")


def test_an_analyst_signs_in_opens_the_notebook_and_asks(hub_world: HubWorld) -> None:
    write_notebook(hub_world, "analyst", "t1", "question.ipynb", ["%ask montant par région"])
    with visit(hub_world) as page:
        page.goto(hub_world.url)
        page.wait_for_selector("input[name=password]")
        assert page.evaluate("document.documentElement.lang") == "fr"
        page.screenshot(path=str(ARTEFACTS / "hub_sign_in.png"))
        sign_in(page, hub_world, "analyst")
        page.wait_for_selector(".jp-DirListing-item:has-text('question.ipynb')", timeout=120_000)
        page.wait_for_selector(".jp-LauncherCard:has-text('DataPilot')")
        # JupyterLab is in French, and its news, updates and extension manager are not there.
        page.locator(".lm-MenuBar-itemLabel:text-is('Fichier')").wait_for()
        page.screenshot(path=str(ARTEFACTS / "hub_lab.png"))
        page.dblclick(".jp-DirListing-item:has-text('question.ipynb')")
        run_all(page)
        page.wait_for_selector("text=300,25\u00a0€", timeout=90_000)
        page.wait_for_selector(".js-plotly-plot .bars")
        page.locator("table.dp-table").first.wait_for()
        page.locator("text=Gouverné").first.wait_for()
        page.screenshot(path=str(ARTEFACTS / "hub_ask.png"))


def test_somebody_of_another_company_sees_nothing_of_it(hub_world: HubWorld) -> None:
    write_notebook(hub_world, "analyst", "t1", "question.ipynb", ["%ask montant par région"])
    write_notebook(
        hub_world, "analyst", "t2", "ailleurs.ipynb",
        ["%ask montant par région", f"%datapilot source {hub_world.sources['t1']}"],
    )  # fmt: skip
    theirs = hub_world.server("analyst", "t1")  # runs, so that there is something to be kept from
    with visit(hub_world) as page:
        sign_in(page, hub_world, "analyst", "t2")
        page.wait_for_selector(".jp-FileBrowser", timeout=120_000)
        assert page.locator(".jp-DirListing-item:has-text('question.ipynb')").count() == 0
        page.dblclick(".jp-DirListing-item:has-text('ailleurs.ipynb')")
        run_all(page)
        page.wait_for_selector("text=7\u202f777,77\u00a0€", timeout=90_000)
        page.wait_for_selector("text=Aucune source ne s’appelle")
        assert "300,25" not in page.inner_text("body")
        page.screenshot(path=str(ARTEFACTS / "hub_other_company.png"))
        for path in (f"{theirs.path}lab", f"{theirs.path}api/contents/question.ipynb", f"/hub/spawn/{theirs.name}"):
            answer = page.goto(f"{hub_world.url}{path}")
            assert answer.status in (403, 404), (path, answer.status)
            assert "300,25" not in page.inner_text("body")
            assert "question.ipynb" not in page.inner_text("body")
        page.screenshot(path=str(ARTEFACTS / "hub_not_yours.png"))


def test_a_viewer_has_dashboards_and_no_notebook(hub_world: HubWorld) -> None:
    with visit(hub_world) as page:
        sign_in(page, hub_world, "viewer")
        page.wait_for_url(re.compile(r"/services/datapilot/"))
        page.wait_for_selector("h1")
        assert "Tableaux de bord" in page.inner_text("body")
        page.screenshot(path=str(ARTEFACTS / "hub_viewer.png"))
        name = hub_world.name("viewer")
        answer = page.goto(f"{hub_world.url}/hub/spawn/{name}")
        assert answer.status == 403 or "/services/datapilot/" in page.url
        assert not hub_world.is_running(name)
        answer = page.goto(f"{hub_world.url}/user/{name}/lab")
        assert "jupyter-config-data" not in page.content()
        page.screenshot(path=str(ARTEFACTS / "hub_viewer_refused.png"))
    # Nor by the hub's API, with whatever they hold.
    browser = hub_world.sign_in("viewer")
    asked = browser.post(f"/hub/api/users/{name}/server", headers={"X-XSRFToken": browser.token("/hub/")})
    assert asked.status_code in (403, 404), asked.text
    assert not hub_world.is_running(name)


def test_an_administrator_has_a_notebook_and_nobody_is_the_hubs_administrator(hub_world: HubWorld) -> None:
    with visit(hub_world) as page:
        sign_in(page, hub_world, "administrator")
        page.wait_for_selector(".jp-FileBrowser", timeout=120_000)
        page.screenshot(path=str(ARTEFACTS / "hub_administrator.png"))
        page.goto(f"{hub_world.url}/services/datapilot/")
        page.wait_for_selector("h1")
        page.screenshot(path=str(ARTEFACTS / "hub_administrator_home.png"))
        assert page.goto(f"{hub_world.url}/hub/admin").status in (403, 404)
    found = hub_world.hub_api("GET", "users").json()
    assert found
    assert not any(user["admin"] for user in found), json.dumps(found)


def test_signing_out_ends_what_the_browser_could(hub_world: HubWorld) -> None:
    with visit(hub_world) as page:
        sign_in(page, hub_world, "analyst", "t2")
        page.wait_for_selector(".jp-FileBrowser", timeout=120_000)
        page.goto(f"{hub_world.url}/hub/logout")
        name = hub_world.name("analyst", "t2")
        page.goto(f"{hub_world.url}/user/{name}/lab")
        page.wait_for_selector("input[name=password]")
    until(lambda: hub_world.is_running(name), 30)  # the notebook goes on: signing out is the browser's end, not the work's
