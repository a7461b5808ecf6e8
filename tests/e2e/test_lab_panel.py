"""The panel in a real JupyterLab over a real API, in Chromium: what an analyst does in it, and what may go wrong."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.e2e import servers
from tests.e2e.lab_panel import ENGLISH, MARKS, PANEL, Panel, Warehouse, until
from tests.e2e.test_notebook_browser import KERNEL_IS_READY
from tests.lab_world import LabWorld
from tests.served import connected
from tests.servers import Server

pytestmark = MARKS
ASKING = re.compile(r"/datapilot/ask(\?|$)")
FAULT = "id: 0\nevent: outcome\ndata: " + json.dumps(
    {
        "outcome": "failure", "id": "0" * 32, "message": "Une erreur inattendue s’est produite.", "notes": [], "engine": "local",
        "timings_ms": {}, "model": None, "conversation_id": None, "incident": "7f3a9c", "reason": "fault",
    }
) + "\n\n"  # fmt: skip


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
    first.locator(".js-plotly-plot .bars").first.wait_for(timeout=60_000)
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
    page.locator(".dp-Known", has_text="chiffre d'affaires par région").wait_for()


def test_stop_works_from_the_first_instant_and_the_database_lets_go(panel: Panel, database: Warehouse) -> None:
    panel.open()
    panel.choose("Entrepôt")
    stop = panel.page.locator(".dp-Running .dp-Stop")
    # Before anything but the browser knows of the question: what is not asked yet is not asked any more.
    held: list[Any] = []
    panel.page.route(ASKING, lambda route: held.append(route))  # Playwright marks what it is given: no built-in
    panel.type("montant par région")
    stop.click()
    until(lambda: held or panel.page.wait_for_timeout(20))
    held[0].continue_()
    panel.page.locator(".dp-Message.dp-mod-stopped").wait_for()
    panel.page.unroute(ASKING)
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
    panel.page.locator(".dp-Question").nth(1).wait_for(state="attached")
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
    # Scrolling at full speed: no frame takes longer than a person notices, but for a few. What counts is the page's own work,
    # not how long it stood aside on a machine that is busy elsewhere.
    meter = panel.page.context.new_cdp_session(panel.page)
    meter.send("Performance.enable", {"timeDomain": "threadTicks"})
    frames, before = [], _worked_ms(meter)
    for _ in range(60):
        scroll.evaluate(
            """node => new Promise(resolve => {
              node.scrollTop += 180;
              requestAnimationFrame(() => requestAnimationFrame(resolve));
            })"""
        )
        after = _worked_ms(meter)
        frames.append(after - before)
        before = after
    frames.sort(reverse=True)
    assert 0 < frames[5] < 250, frames
    panel.shot("ten_thousand")


def _worked_ms(meter: Any) -> float:
    """How long the page's thread has worked, by the processor's clock."""
    found = {one["name"]: one["value"] for one in meter.send("Performance.getMetrics")["metrics"]}
    return float(found["TaskDuration"]) * 1000


def test_a_source_that_is_down_is_a_failure_and_a_fault_has_its_incident(
    panel: Panel, world: LabWorld, postgres: Server
) -> None:
    import psycopg

    url = postgres.new_database()
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("CREATE TABLE paniers (id int PRIMARY KEY, ville text, montant numeric(12,2), le date)")
        owner.execute(
            "INSERT INTO paniers SELECT n, 'Ville ' || n % 4, n, date '2026-01-01' + n FROM generate_series(1, 90) n"
        )
    api = world.api("administrator")
    source_id = connected(api, url, name="Site web")
    panel.open()
    panel.choose("Site web")
    name = url.rpartition("/")[2]
    with psycopg.connect(f"{postgres.url}/postgres", autocommit=True) as owner:
        owner.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        turn = panel.ask("montant par ville")
        failure = turn.locator(".dp-Message.dp-mod-failure[role=alert]")
        assert "base de données" in failure.inner_text()
        assert name not in failure.inner_text(), "what the server says of itself is not for here"
        assert turn.locator(".dp-mod-refusal, .dp-Sentence").count() == 0
        panel.shot("failure")
        panel.check()
        owner.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true')
    # It is back: the same question, asked again in its place. A source that was down is tried again after a moment.
    until(lambda: _asked_again(panel), 60)
    # A fault of the platform itself has a number to be given to whoever looks after it.
    fault = json.loads(FAULT.removeprefix("id: 0\nevent: outcome\ndata: "))
    panel.page.route(ASKING, lambda route: route.fulfill(content_type="text/event-stream", body=FAULT))
    turn = panel.ask("montant par ville et par mois")
    failure = turn.locator(".dp-Message.dp-mod-failure[role=alert]")
    assert [word in failure.inner_text() for word in (fault["message"], "Incident 7f3a9c")] == [True, True]
    panel.page.unroute(ASKING)
    panel.shot("fault")
    revision = next(one["revision"] for one in api.get("/data-sources").json()["items"] if one["id"] == source_id)
    assert api.delete(f"/data-sources/{source_id}", params={"revision": revision}).status_code == 204


def _asked_again(panel: Panel) -> bool:
    panel.last.locator(".dp-mod-failure .dp-Go").click()
    panel.settled()
    return bool(panel.last.locator(".dp-Sentence").count())


def test_an_answer_goes_into_the_notebook_frozen_and_as_a_data_frame(panel: Panel, world: LabWorld) -> None:
    opening = '%datapilot source "Maison Lumière"'
    servers.notebook(world.notebooks / "insertions.ipynb", ["x = 1", opening])
    page = panel.open("/tree/insertions.ipynb").page
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    panel.choose("Maison Lumière")
    turn = panel.ask("nombre de clients par région")
    page.wait_for_function(KERNEL_IS_READY, timeout=90_000)
    # The source is opened further down only, and was not: what is inserted opens it itself.
    panel.insert(turn, "SQL")
    page.wait_for_selector(".jp-Notebook .js-plotly-plot .bars", timeout=90_000)
    panel.insert(turn, "tableau de données")
    frame = page.locator(".jp-Notebook table.dataframe")
    frame.wait_for(timeout=60_000)
    assert "Île-de-France" in frame.inner_text()
    sources, errors = page.evaluate(
        """() => {
          const cells = [...window.jupyterapp.shell.currentWidget.model.cells];
          const outputs = cells.flatMap(cell => cell.sharedModel.toJSON().outputs ?? []);
          return [cells.map(c => c.sharedModel.getSource()), outputs.filter(o => o.output_type === 'error').length];
        }"""
    )
    assert errors == 0
    assert [sources[0], sources[1], sources[-1]] == ["x = 1", opening, opening]
    frozen, named, shown = sources[2:-1]
    assert frozen.startswith('%%sql -s "Maison Lumière"\n-- nombre de clients par région\nSELECT')
    assert named.startswith('%%sql -s "Maison Lumière" -o nombre_clients_par_region\n')
    assert shown == "df_nombre_clients_par_region = nombre_clients_par_region.df\ndf_nombre_clients_par_region"
    panel.shot("inserted")


def test_in_english_every_word_is(panel: Panel) -> None:
    """JupyterLab in English: the panel, its two halves and the platform speak it; French is in data and definitions alone."""
    page = panel.open().page
    with panel.speaking(ENGLISH):
        panel.open()
        panel.choose("Maison Lumière")
        _no_french(panel)
        turn = panel.ask("chiffre d'affaires par région")
        assert "leads with €" in turn.locator(".dp-Sentence").inner_text()
        panel.shot("english")
        for view in ("Table", "SQL"):
            turn.locator(".dp-Segments button", has_text=view).click()
            _no_french(panel)
        turn.locator(".dp-Chip", has_text="Period").click()
        turn.locator(".dp-Editor select").first.wait_for()
        turn.locator(".dp-Trust").click()
        turn.locator(".dp-Insert > button").click()
        _no_french(panel)
        page.keyboard.press("Escape")
        assert (
            panel.ask("meilleurs clients").locator(".dp-mod-clarification").inner_text().startswith("“meilleurs”: by which")
        )
        assert "I cannot answer that" in panel.ask("quelle est la météo demain à Paris ?").inner_text()
        _no_french(panel)
        for name in ("Data", "Publish", "History"):
            panel.tab(name)
            page.wait_for_selector(f"#dp-section-{name.lower()}:not(.lm-mod-hidden) .dp-Pane-body")
            if name == "Data":
                page.locator(".dp-TableView-head").first.click()
            page.wait_for_timeout(700)
            panel.shot(f"english_{name.lower()}")
            _no_french(panel)


def _no_french(panel: Panel) -> None:
    catalogue = PANEL / "datapilot_lab" / "locale" / "fr_FR" / "LC_MESSAGES" / "datapilot.json"
    said = panel.page.evaluate(
        """() => [...document.querySelectorAll('.dp-Sidebar, .dp-Sidebar *')].flatMap(node => [
          ...[...node.childNodes].filter(n => n.nodeType === 3).map(n => n.data),
          node.getAttribute('aria-label'), node.getAttribute('title'), node.getAttribute('placeholder'),
        ]).map(text => (text ?? '').trim()).filter(text => text)"""
    )
    known = json.loads(catalogue.read_text(encoding="utf-8"))
    del known[""]
    french = {part.strip() for parts in known.values() for text in parts for part in re.split(r"%\d|«|»", text)}
    english = {part.strip() for text in known for part in re.split(r"%\d|“|”", text)}
    french |= {"Mesure", "Période", "Tri", "Par", "Par défaut", "toutes les dates", "Barres", "Colonnes"}
    assert len(said) > 20
    assert [
        text for text in said if text in french - english or any(len(p) > 12 and p in text for p in french - english)
    ] == []


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
    menu = panel.last.locator(".dp-Insert > button")
    menu.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.activeElement.innerText.includes('SQL')")
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement.getAttribute('aria-haspopup') === 'menu'")
    page.locator(".dp-Composer-text").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_function("document.querySelector('.dp-Composer-text').value === 'meilleurs clients'")
