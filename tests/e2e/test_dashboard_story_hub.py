"""A notebook becomes a page that managers open: through the hub, Lab, the pages, a PostgreSQL, by three roles of two companies.

One platform of its own (pages are made ahead in it), one story: an analyst asks for publication from Lab, an administrator
decides what will be seen and by whom, two viewers open it and see their own rows, and then what can go wrong goes wrong: the
source is down, the API is killed, a newer version has an author's error, the right is withdrawn while the page lies open.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from hub_config.database import User
from hub_config.hub_names import hub_user_name
from tests.e2e.lab_panel import MARKS
from tests.e2e.test_hub_browser import ARTEFACTS, sign_in, visit, write_notebook
from tests.hub_world import HubWorld, running_hub_world, until
from tests.platform_support import PASSWORD
from tests.rendering_support import client
from tests.served import connected
from tests.servers import Server
from tests.unit.platform.test_semantic_layers_api import _with

pytestmark = [*MARKS, pytest.mark.timeout(600)]
CELLS = ['%datapilot source "Entrepôt"', "%ask montant par ville", "%ask montant par mois"]
BROKEN = [*CELLS, "raise ValueError('le brouillon de Zoé')"]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, postgres: Server) -> Iterator[tuple[HubWorld, str]]:
    """(the platform, the database): the source « Entrepôt », each viewer held to a region by the layer."""
    url = postgres.new_database()
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(
            "CREATE TABLE ventes (id int PRIMARY KEY, region text NOT NULL, ville text NOT NULL, montant numeric(12,2) NOT NULL,"
            " date_vente date NOT NULL);"
            "INSERT INTO ventes SELECT n, (ARRAY['Nord','Sud'])[1 + n % 2], (ARRAY['Lille','Nice','Amiens','Toulon'])[1 + n % 4],"
            " n * 1.25, date '2026-01-05' + n % 60 FROM generate_series(1, 400) n; ANALYZE ventes"
        )
    settings = {"source_networks_allowed": ("127.0.0.1",), "parallel_refreshes": 1}
    with running_hub_world(tmp_path_factory.mktemp("story"), api=settings) as world:
        with client(world, "administrator") as admin:
            source = connected(admin, url, name="Entrepôt")
            draft = admin.get("/semantic-layers/draft", params={"source_id": source}).json()["text"]
            body = {"source_id": source, "text": _with(draft, row_filter='"region = {region}"')}
            saved = admin.post("/semantic-layers", json=body).raise_for_status().json()
            admin.post(f"/semantic-layers/{saved['layer']['id']}/accept").raise_for_status()
        for name, region in (("nadia", "Nord"), ("simon", "Sud")):
            world.world.add_user("t1", f"{name}@t1.example", "viewer", full_name=name.title(), attributes={"region": region})
        write_notebook(world, "analyst", "t1", "ventes.ipynb", CELLS)
        write_notebook(world, "analyst", "t1", "casse.ipynb", BROKEN)
        yield world, url


def test_a_notebook_becomes_a_page(story: tuple[HubWorld, str]) -> None:
    world, url = story
    _attributes(world, "analyst", "Nord")
    request = _asked_from_lab(world)
    board = _decided(world, request)
    pages = f"{world.url}/services/datapilot"
    here = f"{pages}/tableaux/{board}"
    with visit(world) as nadia, _another(nadia) as simon:
        for page, name in ((nadia, "nadia"), (simon, "simon")):
            _sign_in(page, world, name)
            _made(page, here)
        assert _towns(nadia) == ["Amiens", "Lille"] or _towns(nadia) == ["Nice", "Toulon"]
        assert not set(_towns(nadia)) & set(_towns(simon)), "each their own rows"
        nadia.screenshot(path=str(ARTEFACTS / "story_board.png"), full_page=True)
        mine = _towns(nadia)
        nadia.select_option(".dp-filters select >> nth=0", label="Ce mois-ci")
        nadia.click("text=Appliquer")
        nadia.wait_for_selector(".dp-tile:not([aria-busy])")
        nadia.reload()

        # By hand: a viewer has no server, no kernel, no contents; a stranger has no page.
        assert nadia.context.request.get(f"{world.url}/hub/spawn").url == f"{pages}/", "where a viewer belongs"
        for user in (world.name("analyst"), _hub_name(world, "nadia@t1.example")):
            for what in ("api/kernels", "api/contents", "api/terminals"):
                answer = nadia.context.request.get(f"{world.url}/user/{user}/{what}")
                assert answer.status in (403, 404, 424, 503), (what, answer.status, answer.url)
        stranger = nadia.context.browser.new_context(locale="fr-FR").new_page()
        stranger.set_default_timeout(60_000)
        sign_in(stranger, world, "viewer", "t2")
        stranger.wait_for_url("**/services/datapilot/**")
        assert stranger.goto(here).status == 404
        stranger.context.close()

        # The database is away: the page is as it was, and says that it could not be made again.
        with psycopg.connect(url.rpartition("/")[0] + "/postgres", autocommit=True) as server:
            name = url.rpartition("/")[2]
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            try:
                _refresh(world, board, fails=True)
                _made(nadia, here)
                assert _towns(nadia) == mine
                nadia.wait_for_selector("text=n’a pas abouti")
                nadia.screenshot(path=str(ARTEFACTS / "story_source_away.png"))
                # The API is killed meanwhile: as soon as it is back, so is the page.
                world.api.restart(kill=True)
                _made(nadia, here)
                assert _towns(nadia) == mine
            finally:
                server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        _refresh(world, board, fails=False)

        # A newer version whose code fails: readers keep the page, the author gets the trace; then the way back.
        with client(world, "analyst") as author:
            content = author.get(f"/dashboards/{board}/versions").json()["items"]
            assert len(content) == 1
        _new_version(world, board)
        until(lambda: _progress(world, board).get("failure") == "author", 120)
        _made(simon, here)
        assert set(_towns(simon)).isdisjoint(mine)
        assert "Zoé" not in simon.inner_text("body")
        nadia.context.clear_cookies()
        sign_in(nadia, world, "administrator")
        nadia.wait_for_url("**/user/**", timeout=120_000)
        nadia.goto(f"{here}/versions")
        nadia.screenshot(path=str(ARTEFACTS / "story_versions.png"), full_page=True)
        nadia.click("button:text-is('Remettre en vigueur') >> nth=0")
        nadia.wait_for_selector("[role=status]")
        with client(world, "administrator") as admin:
            assert admin.get(f"/dashboards/{board}/published").json()["number"] == 1

        # The right is withdrawn while it lies open.
        _made(simon, here)
        with client(world, "administrator") as admin:
            admin.put(f"/dashboards/{board}/rights", json={"items": []}).raise_for_status()
        simon.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        simon.wait_for_selector(".dp-tile", state="detached")
        assert simon.goto(here).status == 404


def _asked_from_lab(world: HubWorld) -> str:
    """The analyst has the open notebook checked, and asks; return where it is decided."""
    with visit(world) as page:
        sign_in(page, world, "analyst")
        page.wait_for_url("**/user/**", timeout=120_000)
        page.goto(f"{world.url}/user/{world.name('analyst')}/lab/tree/ventes.ipynb")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
        page.locator("[role=tab].dp-Tab", has_text="Publier").click()
        page.locator(".dp-Check .dp-Go").click()
        page.locator(".dp-Findings .dp-mod-good", has_text="de haut en bas").wait_for(timeout=120_000)
        page.locator(".dp-Request .dp-Field input").fill("Ventes des villes")
        page.locator(".dp-Request fieldset label", has_text="Période").first.locator("input").check()
        page.locator(".dp-Request button[type=submit]").click()
        page.locator(".dp-mod-sent", has_text="Ventes des villes").wait_for()
        page.screenshot(path=str(ARTEFACTS / "story_asked.png"))
        return str(page.locator(".dp-mod-sent a").get_attribute("href"))


def _decided(world: HubWorld, address: str) -> str:
    """The administrator opens that page, lets all viewers see it, publishes; return the dashboard."""
    with visit(world) as page:
        sign_in(page, world, "administrator")
        page.wait_for_url("**/user/**", timeout=120_000)  # the hub sends nobody anywhere any more
        page.goto(address)
        assert "Ventes des villes" in page.inner_text("h1")
        page.locator("label", has_text="Tous les lecteurs").locator("input").check()
        doubt = page.locator("input[name=exploratoire]")
        if doubt.count():
            doubt.check()
        page.screenshot(path=str(ARTEFACTS / "story_decide.png"), full_page=True)
        page.click("button[value=accepter]")
        page.wait_for_selector("[role=status]")
        link = page.locator("a[href*='/tableaux/']").first.get_attribute("href")
        return str(link).rpartition("/tableaux/")[2].partition("/")[0]


def _hub_name(world: HubWorld, email: str) -> str:
    from sqlalchemy import select

    with world.world.database.tenant(world.world.tenant_id("t1")) as session:
        user_id = session.scalars(select(User.id).where(User.email == email)).one()
    return hub_user_name(world.world.tenant_id("t1"), user_id)


def _another(page: Any) -> Any:
    from contextlib import contextmanager

    @contextmanager
    def opened() -> Iterator[Any]:
        made = page.context.browser.new_context(locale="fr-FR").new_page()
        made.set_default_timeout(60_000)
        yield made

    return opened()


def _sign_in(page: Any, world: HubWorld, name: str) -> None:
    page.goto(world.url)
    page.fill("input[name=username]", f"{name}@t1.example")
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit], input[type=submit]")
    page.wait_for_url("**/services/datapilot/**")


def _made(page: Any, address: str, *, seconds: float = 180) -> None:
    """Open the page until it comes made ahead."""
    end = time.monotonic() + seconds
    while True:
        page.goto(address)
        if page.locator("#dp-preparing").count() == 0 and page.locator(".dp-made").count():
            return
        assert time.monotonic() < end, page.inner_text("body")[:2000]
        page.wait_for_timeout(1000)


def _towns(page: Any) -> list[str]:
    found = page.eval_on_selector_all(
        ".dp-tile:nth-child(1) tbody td:first-child", "cells => cells.map(c => c.textContent.trim())"
    )
    return sorted(found)


def _attributes(world: HubWorld, role: str, region: str) -> None:
    with client(world, "administrator") as admin:
        changed = {"attributes": {"region": region}}
        admin.patch(f"/users/{world.world.user_id(role)}", json=changed).raise_for_status()


def _progress(world: HubWorld, board: str) -> dict[str, Any]:
    with client(world, "administrator") as admin:
        found: dict[str, Any] = admin.get(f"/dashboards/{board}/refresh/progress").raise_for_status().json()
    return found


def _refresh(world: HubWorld, board: str, *, fails: bool) -> None:
    with client(world, "administrator") as admin:
        admin.post(f"/dashboards/{board}/refresh").raise_for_status()

    def over() -> bool:
        found = _progress(world, board)
        return not found["queued"] and not found["running"] and bool(found["failed_at"]) == fails

    until(over, 150)


def _new_version(world: HubWorld, board: str) -> None:
    """The analyst asks for a version whose code fails; the administrator did not look."""
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in BROKEN])
    with client(world, "administrator") as admin:
        first = admin.get(f"/dashboards/{board}/versions").json()["items"][0]["id"]
        content = admin.get(f"/dashboards/{board}/versions/{first}").json()["content"]
        tiles = [
            {name: tile[name] for name in ("title", "source_id", "question", "plan", "chart_type", "cell")}
            for tile in content["tiles"]
        ]
        body = {"name": "Ventes des villes", "dashboard_id": board, "tiles": tiles, "notebook": notebook}
        asked = admin.post("/dashboards/publication-requests", json=body).raise_for_status().json()
        decision = {"accept": True, "exploratory": True}
        admin.post(f"/dashboards/publication-requests/{asked['id']}/decision", json=decision).raise_for_status()
