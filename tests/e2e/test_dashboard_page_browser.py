"""A published dashboard in a real browser, under its policy: two viewers and their rows, a filter, a file, a right withdrawn.

Pictures are kept in ``artefacts/``: light and dark, wide and narrow, and what comes out of the printer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright
from sqlalchemy import select

from hub_config.database import User
from tests.e2e import servers
from tests.e2e.test_pages_browser import OVERFLOW, _complaints
from tests.platform_support import PASSWORD, World, make_world
from tests.unit.platform.test_content import _call
from tests.unit.platform.test_data_sources_files import _done, _send
from tests.unit.platform.test_semantic_layers_api import _accept, _draft, _save, _with

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path(servers.CHROMIUM).exists(), reason="Chromium is not on this machine"),
]
ARTEFACTS = servers.ROOT / "artefacts"
DRAWN = ".dp-chart.js-plotly-plot:not([hidden]) .main-svg"
CHARTS = "[...document.querySelectorAll('.dp-chart.js-plotly-plot:not([hidden])')]"
TOTAL = {"measures": [{"alias": "ca", "measure": "ventes.ca"}]}


def _csv() -> bytes:
    """A year of sales of four towns in two regions."""
    lines = ["Région;Ville;Date de vente;Montant HT"]
    towns = (("Nord", "Lille"), ("Nord", "Amiens"), ("Sud", "Nice"), ("Sud", "Toulon"))
    for month in range(1, 13):
        for rank, (region, town) in enumerate(towns):
            amount = 4000 + 900 * rank + 350 * month * (1 if rank % 2 else -1) + 97 * ((month * (rank + 3)) % 7)
            lines.append(f"{region};{town};15/{month:02}/2025;{amount},50")
    return "\r\n".join([*lines, ""]).encode()


def _by(field: str, **more: Any) -> dict[str, Any]:
    return TOTAL | {"dimensions": [{"alias": "par", "field": field, **more}]}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str, str]]:
    """The platform served for browsers; a dashboard of four tiles over a source with a row filter by region."""
    import socket
    import threading

    import uvicorn

    # Bound now: nobody else takes the port meanwhile, and who asks before the server runs waits for it.
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}/services/datapilot"
    with make_world(tmp_path_factory.mktemp("board"), public_url=f"{address}/", parallel_refreshes=1) as world:
        upload = _send(world, _csv(), "ventes.csv").json()["id"]
        body = {"name": "Ventes", "uploads": [upload]}
        made = world.client.post("/api/v1/data-sources/from-files", json=body, headers=world.headers("analyst")).json()
        source = made["source"]["id"]
        _done(world, source, made["job_id"])
        layer = _with(_draft(world, source), row_filter='"region = {region}"')
        assert _accept(world, _save(world, source, layer).json()["layer"]["id"]).status_code == 200
        dashboard = _call(world, "POST", "/dashboards", json={"name": "Ventes 2025"}).json()["id"]
        tiles = (
            ("Chiffre d’affaires", TOTAL),
            ("Par ville", _by("ventes.ville")),
            ("Mois par mois", _by("ventes.date_de_vente", grain="month")),
            ("Par région", _by("ventes.region")),
        )
        for position, (title, plan) in enumerate(tiles):
            tile = {"title": title, "position": position, "query": {"source_id": source, "plan": plan}}
            assert _call(world, "POST", f"/dashboards/{dashboard}/widgets", json=tile).status_code == 201
        filters = [{"field": "ventes.ville", "label": "Ville", "values": ["Amiens", "Lille", "Nice", "Toulon"]}]
        assert (
            _call(
                world, "POST", f"/dashboards/{dashboard}/publish", json={"filters": filters, "exploratory": True}
            ).status_code
            == 200
        )
        _call(world, "PUT", f"/dashboards/{dashboard}/rights", json={"items": [{"role": "viewer"}]})
        for name, region in (("Nadia", "Nord"), ("Simon", "Sud")):
            world.add_user("t1", f"{name.lower()}@t1.example", "viewer", full_name=name, attributes={"region": region})
        # The very application that the tests' client has entered: its life is the client's.
        server = uvicorn.Server(uvicorn.Config(world.app, lifespan="off", log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield world, address, dashboard
        finally:
            server.should_exit = True
            thread.join(10)


def _sign_in(page: Any, address: str, name: str) -> None:
    page.goto(f"{address}/sign-in")
    page.fill("#email", f"{name}@t1.example")
    page.fill("#secret", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/")


def _until(page: Any, expression: str, *, seconds: float = 60) -> None:
    """Wait for what a script says of the page; from outside of it, for its policy lets nothing be evaluated inside."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"{expression}: {page.inner_text('body')[:2000]}"
        page.wait_for_timeout(50)


def _whole(page: Any) -> None:
    _until(page, "!document.querySelector('.dp-tile[aria-busy]') && !!document.querySelector('.dp-as-of')")


def _towns(page: Any) -> list[str]:
    """The names in the table of the towns."""
    found: list[str] = page.eval_on_selector_all(
        ".dp-tile:nth-child(2) tbody td:first-child", "cells => cells.map(c => c.textContent)"
    )
    return sorted(found)


def _picture(page: Any, name: str) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 860})
            page.wait_for_timeout(300)
            _fits(page)  # once the charts have taken the new width
            page.screenshot(path=str(ARTEFACTS / f"dashboard_{name}_{scheme}_{width}.png"), full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 860})
    _fits(page)


def _fits(page: Any) -> None:
    """Wait until every chart is as wide as its place, and nothing wider than the page."""
    _until(page, f"{CHARTS}.every(host => Math.abs(host._fullLayout?.width - host.clientWidth) < 2)")
    _until(page, f"!({OVERFLOW})")


def test_two_viewers_a_filter_a_file_and_a_right_withdrawn(board: tuple[World, str, str]) -> None:
    world, address, dashboard = board
    with servers.page() as (page, outside):
        complaints = _complaints(page)
        _sign_in(page, address, "nadia")
        page.click("text=Ventes 2025")
        page.wait_for_url(f"{address}/tableaux/{dashboard}")
        _whole(page)
        _until(page, f"document.querySelectorAll('{DRAWN}').length >= 4")
        assert _towns(page) == ["Amiens", "Lille"]
        assert "Nice" not in page.content().split("<article", 1)[1]
        assert "Gouverné" in page.inner_text(".dp-tile:nth-child(1)")
        assert "Données au" in page.inner_text(".dp-tile:nth-child(1)")
        assert "SELECT" not in page.inner_text("main")
        _picture(page, "nadia")

        # A filter: every tile anew, the reader's place kept.
        page.evaluate("window.scrollTo(0, 400)")
        before = page.inner_text(".dp-tile:nth-child(1) .dp-figures b")
        page.select_option("select", label="Lille")
        _until(page, f"document.querySelector('.dp-figures b').textContent !== {before!r}")
        _whole(page)
        assert _towns(page) == ["Lille"]
        assert page.evaluate("window.scrollY") == 400

        with page.expect_download() as saved:
            page.click(".dp-tile:nth-child(3) >> text=CSV")
        lines = Path(saved.value.path()).read_text(encoding="utf-8-sig").splitlines()
        assert saved.value.suggested_filename == "mois-par-mois.csv"
        assert len(lines) == 13
        assert lines[1].startswith("janvier 2025;")
        page.click("text=Réinitialiser")
        _until(page, f"document.querySelector('.dp-figures b').textContent === {before!r}")

        _whole(page)
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 720, "height": 1020})
        page.wait_for_timeout(300)
        _until(page, f"!({OVERFLOW})")  # no wider than the paper
        assert not page.is_visible("text=CSV")
        page.screenshot(path=str(ARTEFACTS / "dashboard_printed.png"), full_page=True)
        page.emulate_media(media="screen")
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")

        # Taken away while it lies open: it says so, and shows nothing more.
        _call(world, "PUT", f"/dashboards/{dashboard}/rights", json={"items": []})
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_selector("#dp-closed")
        assert "ne vous est plus ouvert" in page.inner_text("main")
        assert "Lille" not in page.content()
        page.screenshot(path=str(ARTEFACTS / "dashboard_closed.png"))
        _call(world, "PUT", f"/dashboards/{dashboard}/rights", json={"items": [{"role": "viewer"}]})
        # The browser's own word on that refusal, and nothing that the policy had to turn away.
        assert [said for said in complaints if "404" not in said] == []
        assert outside == []


def _ahead(world: World, dashboard: str, email: str) -> Any:
    """Wait for the page that is made ahead for a person; return when it was."""
    from tests.platform_support import wait_until

    platform = world.platform
    with platform.database.tenant(world.tenant_id()) as session:
        user_id = session.scalars(select(User.id).where(User.email == email)).one()
    principal = platform.people.authenticate(world.token_of(world.tenant_id(), user_id))
    found: list[Any] = []

    def made() -> bool:
        published = platform.content.publishing.published(principal, dashboard)
        snapshot = platform.content.snapshots.of(principal, published)
        found[:] = [snapshot.made_at] if snapshot is not None and snapshot.version == published.number else []
        return bool(found)

    wait_until(made, seconds=90)
    return found[0]


def test_made_ahead_it_is_there_at_once_and_answers_to_clicks(board: tuple[World, str, str]) -> None:
    world, address, dashboard = board
    first = _ahead(world, dashboard, "nadia@t1.example")
    with servers.page() as (page, outside):
        complaints, asked = _complaints(page), []
        page.context.on("request", lambda request: asked.append(request.url) if "/tuiles/" in request.url else None)
        _sign_in(page, address, "nadia")
        _until(page, "[...document.querySelectorAll('.dp-sketch')].every(image => image.naturalWidth > 0)")
        page.screenshot(path=str(ARTEFACTS / "dashboard_gallery.png"))
        page.goto(f"{address}/tableaux/{dashboard}")
        _until(page, "document.getElementById('dp-board').dataset.painted === '1'")
        charts = "[...document.querySelectorAll('.dp-chart:not([hidden])')]"
        assert page.evaluate(f"{charts}.length") == 2  # one region of hers: no chart of regions
        assert page.evaluate(f"{charts}.every(host => host.dataset.painted === '1' && host.querySelector('.main-svg'))")
        assert asked == [], "made ahead: nothing is computed for a reader"
        assert "données au" in page.inner_text(".dp-made")
        assert _towns(page) == ["Amiens", "Lille"]
        _picture(page, "ahead")

        # A bar: what it can be broken down by, over the card and not moving it; one step; and back, without a question.
        page.evaluate("window.scrollTo(0, 120)")
        places = "[...document.querySelectorAll('.dp-tile')].map(tile => tile.offsetTop)"
        before = page.evaluate(places)
        bar = page.locator(".dp-tile:nth-child(2) .main-svg .point").first.bounding_box()
        middle = (bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
        page.mouse.move(*middle)
        bold = (
            "[...document.querySelectorAll('.hoverlayer tspan')].filter(one => getComputedStyle(one).fontWeight === '700')"
        )
        _until(page, f"{bold}.some(one => one.textContent.includes('€'))")
        page.mouse.click(*middle)
        page.wait_for_selector(".dp-levels")
        assert page.evaluate(places) == before
        town = page.inner_text(".dp-levels-said").partition(" · ")[0]
        assert town in ("Amiens", "Lille")
        page.click(".dp-levels >> text=Mois")
        _until(page, "!!document.querySelector('.dp-way') && !document.querySelector('.dp-tile[aria-busy]')")
        assert f"{town} · par mois" in page.inner_text(".dp-way")
        assert "janvier 2025" in page.inner_text(".dp-tile:nth-child(2)")
        assert page.evaluate("window.scrollY") == 120
        page.screenshot(path=str(ARTEFACTS / "dashboard_step.png"))
        with page.expect_download() as saved:
            page.click(".dp-tile:nth-child(2) >> text=CSV")
        assert len(Path(saved.value.path()).read_text(encoding="utf-8-sig").splitlines()) == 13
        page.click(".dp-tile:nth-child(3) tbody tr:nth-child(2) .dp-link")
        page.wait_for_selector(".dp-tile:nth-child(3) .dp-levels >> text=Jour")
        page.click(".dp-levels >> text=Fermer")
        count = len(asked)
        page.click(".dp-way >> text=Ensemble")
        _until(page, "!document.querySelector('.dp-way')")
        assert _towns(page) == ["Amiens", "Lille"]
        assert len(asked) == count

        # By the reader's theme, and on paper black on white, as wide as the paper, with whose it is and how old.
        _until(page, f"{charts}.every(host => host.dataset.painted === '1')")
        ink = f"{charts}[0]._fullLayout?.font.color"
        light = page.evaluate(ink)
        page.emulate_media(color_scheme="dark")
        _until(page, f"{ink} !== {light!r}")
        printed = page.pdf(path=str(ARTEFACTS / "dashboard_printed.pdf"), format="A4", print_background=True)
        assert printed.startswith(b"%PDF")
        page.emulate_media(color_scheme="dark", media="print")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        page.set_viewport_size({"width": 720, "height": 1020})
        assert page.is_visible("h1")
        assert page.is_visible(".dp-made")
        assert "Maison t1" in page.inner_text(".dp-board-head")
        assert not page.is_visible(".dp-nav")
        _until(page, f"{charts}.every(host => host.querySelector('.main-svg').getBoundingClientRect().width <= 660)")
        _until(page, f"!({OVERFLOW})")
        page.screenshot(path=str(ARTEFACTS / "dashboard_paper.png"), full_page=True)
        page.emulate_media(media="screen", color_scheme="light")
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")

        # Newer figures, while it lies open.
        world.platform.content.snapshots.refresh(world.principal("administrator"), dashboard)
        end = time.monotonic() + 90
        while _ahead(world, dashboard, "nadia@t1.example") == first:
            assert time.monotonic() < end
            time.sleep(0.2)
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        _until(page, "!document.getElementById('dp-news').hidden")
        assert "ont été actualisées" in page.inner_text("#dp-news")
        # A label's bold is an attribute, which the policy turns away and our sheet then reads; nothing else.
        assert [said for said in complaints if "unsafe-hashes" not in said] == []
        assert outside == []


def test_the_other_viewer_without_script_and_with(board: tuple[World, str, str]) -> None:
    _, address, dashboard = board
    with sync_playwright() as play:
        browser = servers.chromium(play)
        try:
            page = browser.new_context(java_script_enabled=False, locale="fr-FR").new_page()
            page.set_default_timeout(60_000)
            _sign_in(page, address, "simon")
            page.click("text=Ventes 2025")
            page.wait_for_url("**/tableaux/*")
            assert "JavaScript" in page.inner_text("main")
            assert "Mois par mois" in page.inner_text("main")
            page.select_option("select", label="Nice")
            with page.expect_download() as saved:
                page.click(".dp-tile:nth-child(2) >> text=CSV")
            lines = Path(saved.value.path()).read_text(encoding="utf-8-sig").splitlines()
            assert [line.split(";")[0] for line in lines[1:]] == ["Nice"]
            scripted = browser.new_context(locale="fr-FR").new_page()
            scripted.set_default_timeout(60_000)
            _sign_in(scripted, address, "simon")
            scripted.goto(f"{address}/tableaux/{dashboard}")
            _whole(scripted)
            assert _towns(scripted) == ["Nice", "Toulon"]
        finally:
            browser.close()
