"""The panel in a real JupyterLab over a real API, in Chromium: what an analyst does in it, and what may go wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.e2e.lab_panel import MARKS, Panel, Warehouse, until

pytestmark = MARKS


def test_a_conversation_from_a_suggestion_to_the_notebook(panel: Panel) -> None:
    page = panel.open(by_itself=True).page
    panel.choose("Maison Lumière")
    assert page.locator(".dp-Suggestions button").count() >= 4
    panel.shot("welcome")
    page.locator(".dp-Suggestions button").first.click()
    panel.settled()
    first = panel.last
    assert "Île-de-France" in first.locator(".dp-Sentence").inner_text()
    assert first.locator(".dp-Trust").inner_text() == "Gouverné"
    first.locator(".js-plotly-plot .bars").first.wait_for(timeout=30_000)
    panel.shot("answer")

    # The chart takes another type; the table is sorted by a click; the SQL is edited and runs again.
    first.locator(".dp-Chart-type select").select_option(label="Colonnes")
    page.wait_for_function("document.querySelector('.js-plotly-plot')?.data?.[0]?.orientation !== 'h'")
    first.locator(".dp-Segments button", has_text="Tableau").click()
    head = first.locator("[role=columnheader] button").first
    head.click()
    page.wait_for_function("document.querySelector('.dp-Body .dp-Cell')?.innerText.startsWith('Auvergne')")
    assert first.locator("[role=columnheader]").first.get_attribute("aria-sort") == "ascending"
    panel.shot("table")
    first.locator(".dp-Segments button", has_text="SQL").click()
    first.locator(".dp-Sql textarea").fill("SELECT count(*) AS n FROM clients")
    first.locator(".dp-Sql .dp-Go").click()
    panel.settled()
    first.locator(".dp-Trust", has_text="Exploratoire").wait_for()

    # A follow-up; its reading is edited by a chip, without an engine.
    panel.ask("chiffre d'affaires du mois dernier")
    turn = panel.ask("et par canal ?")
    turn.locator(".dp-Chip", has_text="Période").click()
    turn.locator(".dp-Editor select").first.select_option(index=5)
    turn.locator(".dp-Editor .dp-Go").click()
    turn.locator(".dp-Chip", has_text="janvier").wait_for()
    panel.settled()
    assert turn.locator(".dp-Chip", has_text="Canal de vente").count() == 1

    # A clarification's choice is a click, its answer stands in its place; a refusal looks like one.
    turn = panel.ask("meilleurs clients")
    assert turn.locator(".dp-mod-clarification .dp-Choice").count() >= 2
    panel.shot("clarification")
    turn.locator(".dp-Choice").first.click()
    turn.locator(".dp-Sentence").wait_for()
    refused = panel.ask("quelle est la météo demain à Paris ?")
    assert refused.locator(".dp-mod-refusal").count() == 1
    panel.shot("refusal")

    # Into the notebook, which is opened for it; the panel knows what the notebook asks.
    turn = panel.ask("chiffre d'affaires par région")
    panel.insert(turn, "%ask")
    page.wait_for_selector(".jp-Notebook .dp-sentence", timeout=90_000)
    sources = page.evaluate(
        "() => [...window.jupyterapp.shell.currentWidget.model.cells].map(c => c.sharedModel.getSource())"
    )
    assert sources == ['%datapilot source "Maison Lumière"', '%ask -s "Maison Lumière" chiffre d\'affaires par région']
    panel.shot("notebook")
    page.locator("button[aria-label='Nouvelle conversation']").click()
    page.wait_for_selector(".dp-Known")
    assert "chiffre d'affaires par région" in page.locator(".dp-Known").inner_text()


def test_stop_works_from_the_first_instant_and_the_database_lets_go(panel: Panel, database: Warehouse) -> None:
    panel.open()
    panel.choose("Entrepôt")
    stop = panel.page.locator(".dp-Running .dp-Stop")
    # Before anything but the browser knows of the question: what is not asked yet is not asked any more.
    held: list[Any] = []
    asking = re.compile(r"/datapilot/ask(\?|$)")
    panel.page.route(asking, lambda route: held.append(route))  # Playwright marks what it is given: no built-in
    panel.type("montant par région")
    stop.click()
    until(lambda: held or panel.page.wait_for_timeout(20))
    held[0].continue_()
    panel.page.locator(".dp-Message.dp-mod-stopped").wait_for()
    panel.page.unroute(asking)
    assert database.waiting == 0
    # While the database works.
    with database.busy():
        panel.last.locator(".dp-Go").click()
        until(lambda: database.waiting == 1)
        panel.shot("running")
        stop.click()
        panel.page.locator(".dp-Message.dp-mod-stopped").wait_for()
        until(lambda: database.waiting == 0)
    # And it can be asked again.
    panel.last.locator(".dp-Go").click()
    panel.last.locator(".dp-Sentence").wait_for()


def test_a_question_is_found_again_after_a_reload(panel: Panel, database: Warehouse) -> None:
    panel.open()
    panel.choose("Entrepôt")
    panel.ask("nombre de ventes")
    with database.busy():
        panel.type("montant moyen par région en mars 2026")
        until(lambda: database.waiting == 1)
        panel.page.locator(".dp-Composer-text").fill("une question à moitié")
        panel.open(query="")
        panel.page.locator(".dp-Running").wait_for()
        assert panel.page.locator(".dp-Composer-text").input_value() == "une question à moitié"
        assert panel.page.locator(".dp-Question").last.inner_text().startswith("montant moyen par région")
        assert database.waiting == 1, "the reload neither stopped it nor asked again"
    panel.settled()
    assert panel.last.locator(".dp-Sentence").count() == 1
    # The turn before is fetched again, and each is there once.
    assert panel.page.locator(".dp-Question").count() == 2
    panel.page.locator(".dp-Turn").first.scroll_into_view_if_needed()
    panel.page.locator(".dp-Turn").first.locator(".dp-Sentence").wait_for()


def test_ten_thousand_rows_scroll_and_are_sorted(panel: Panel) -> None:
    panel.open()
    panel.choose("Entrepôt")
    turn = panel.ask("nombre de ventes")
    turn.locator(".dp-Segments button", has_text="SQL").click()
    turn.locator(".dp-Sql textarea").fill("SELECT id, region, montant FROM ventes ORDER BY id")
    turn.locator(".dp-Sql .dp-Go").click()
    panel.settled()
    turn.locator(".dp-Segments button", has_text="Tableau").click()
    table = turn.locator("[role=table]")
    assert table.get_attribute("aria-rowcount") == "10001"
    scroll = turn.locator(".dp-Table-scroll")
    for at in (130_000, 250_000, 10**7):
        scroll.evaluate("(node, at) => { node.scrollTop = at }", at)
        panel.page.wait_for_function("![...document.querySelectorAll('.dp-Body .dp-Cell')].some(c => c.innerText === '…')")
        assert turn.locator(".dp-Body .dp-Row").count() < 60
    turn.locator(".dp-Body [role=cell]:text-is('10000')").wait_for()
    turn.locator("[role=columnheader] button", has_text="ontant").click()  # figures: the largest first
    scroll.evaluate("node => { node.scrollTop = 0 }")
    panel.page.wait_for_function(
        "document.querySelector('.dp-Body [aria-rowindex=\"2\"]')?.innerText.includes('12\u202f500,00')"
    )
    # Scrolling at full speed: no frame takes longer than a person notices, but for a few when the machine is busy elsewhere.
    frames = scroll.evaluate(
        """node => new Promise(resolve => {
          const taken = []; let last = performance.now();
          const step = now => {
            taken.push(now - last); last = now; node.scrollTop += 180;
            if (taken.length < 60) requestAnimationFrame(step); else resolve(taken.sort((a, b) => b - a));
          };
          requestAnimationFrame(step);
        })"""
    )
    assert frames[5] < 250, frames
    panel.shot("ten_thousand")


def test_a_lost_connection_is_said_and_comes_back(panel: Panel) -> None:
    panel.open()
    panel.choose("Maison Lumière")
    panel.page.context.set_offline(True)
    panel.type("nombre de clients par région")
    panel.page.locator(".dp-Banner.dp-mod-lost").wait_for()
    panel.shot("offline")
    panel.page.context.set_offline(False)
    panel.page.locator(".dp-Banner").wait_for(state="detached")
    panel.settled()
    assert panel.last.locator(".dp-Sentence").count() == 1
    # JupyterLab's own requests that nobody waits for; the panel's errors are sentences.
    panel.problems = [problem for problem in panel.problems if problem != "Failed to fetch"]


def test_an_expired_session_says_so_and_keeps_what_was_typed(panel: Panel) -> None:
    panel.open()
    page = panel.page
    panel.choose("Maison Lumière")
    page.route("**/datapilot/**", lambda route: route.fulfill(status=403, json={"message": "Forbidden", "reason": None}))
    panel.type("nombre de clients par région")
    page.locator(".dp-Banner.dp-mod-expired").wait_for()
    page.locator(".dp-Composer-text").fill("ce que je tape encore")
    panel.shot("expired")
    page.unroute("**/datapilot/**")
    page.locator(".dp-Banner button", has_text="reconnecté").click()
    page.locator(".dp-Banner").wait_for(state="detached")
    panel.settled()
    assert panel.last.locator(".dp-Sentence").count() == 1
    assert page.locator(".dp-Composer-text").input_value() == "ce que je tape encore"


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_no_serious_fault(panel: Panel, theme: str) -> None:
    panel.open()
    page = panel.page
    panel.theme(theme)
    panel.choose("Maison Lumière")
    page.wait_for_timeout(1_500)
    panel.check()
    turn = panel.ask("chiffre d'affaires par région")
    turn.locator(".dp-Trust").click()
    turn.locator(".dp-Chip").first.click()
    turn.locator(".dp-Editor select").first.wait_for()
    panel.check()
    turn.locator(".dp-Segments button", has_text="Tableau").click()
    panel.ask("meilleurs clients")
    panel.ask("quelle est la météo demain à Paris ?")
    page.locator("button[aria-label='Mes conversations']").click()
    page.locator(".dp-Drawer li").first.wait_for()
    panel.shot(f"all_{theme.lower()}")
    panel.check()


def test_the_keyboard_alone_is_enough(panel: Panel) -> None:
    panel.open()
    page = panel.page
    panel.choose("Maison Lumière")
    page.locator(".dp-Composer-text").focus()
    page.keyboard.type("meilleurs clients")
    page.keyboard.press("Enter")
    panel.settled()
    panel.last.locator(".dp-Choice").first.focus()
    page.keyboard.press("Enter")
    panel.last.locator(".dp-Sentence").wait_for()
    menu = panel.last.locator(".dp-Views .dp-Menu-host > button")
    menu.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    assert "SQL" in page.evaluate("document.activeElement.innerText")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.getAttribute('aria-haspopup')") == "menu"
    page.locator(".dp-Composer-text").focus()
    page.keyboard.press("ArrowUp")
    assert page.locator(".dp-Composer-text").input_value() == "meilleurs clients"
