"""Data, publishing and history in a real JupyterLab over a real API: from a dropped French CSV to a request for publication."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.e2e import servers
from tests.lab_world import LabWorld, lab_world

PANEL = servers.ROOT / "extension"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path(servers.CHROMIUM).exists(), reason="Chromium is not on this machine"),
    pytest.mark.skipif(
        not (PANEL / "datapilot_lab" / "labextension" / "package.json").is_file(),
        reason="the panel is not built (no node): make install says how",
    ),
]
ARTEFACTS = servers.ROOT / "artefacts"
SETTLED = """n => {
  const turns = [...document.querySelectorAll('.dp-Turn')];
  return turns.length > n && turns.every(turn => turn.getAttribute('aria-busy') === 'false');
}"""
# As Excel in France writes it: semicolons, decimal commas, days first, no UTF-8. No day is above 12: which of the two
# numbers is the month cannot be told, and a person is to say it.
CSV = "\r\n".join(
    [
        "Date de vente;Région;Vendeur;Montant",
        *(
            f"{1 + n % 12:02d}/{1 + n % 6:02d}/2026;{('Île-de-France', 'Bretagne', 'Occitanie')[n % 3]};{('Zoé', 'Anaïs')[n % 2]};"
            f"{1000 + n * 7},{n % 100:02d}"
            for n in range(120)
        ),
    ]
).encode("cp1252")
DROP = """async ({ name, bytes }) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type: 'text/csv' }));
  const target = document.querySelector('.dp-Drop');
  for (const type of ['dragenter', 'dragover', 'drop']) {
    target.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    await new Promise(resolve => setTimeout(resolve, 100));
    if (type === 'dragover' && !document.querySelector('.dp-mod-over')) { throw new Error('nothing shows that it may be dropped'); }
  }
}"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabWorld]:
    ARTEFACTS.mkdir(exist_ok=True)
    with lab_world(tmp_path_factory.mktemp("lab")) as made:
        yield made


class Panel:
    """The panel of a page, as a person handles it."""

    def __init__(self, page: Any, world: LabWorld) -> None:
        self.page, self.world = page, world
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.set_default_timeout(30_000)

    def open(self, path: str = "", query: str = "?reset") -> Panel:
        self.page.goto(f"{self.world.lab_url}{path}{query}")
        self.page.wait_for_function("() => window.jupyterapp?.commands.hasCommand('datapilot:open')", timeout=90_000)
        self.page.evaluate("() => window.jupyterapp.restored")
        self.page.evaluate("() => window.jupyterapp.commands.execute('datapilot:open', { panel: 'chat' })")
        self.page.wait_for_selector(".dp-Composer-text:not([disabled])", timeout=90_000)
        self.page.wait_for_selector(".dp-Source option:not([value=''])", state="attached", timeout=30_000)
        return self

    def tab(self, name: str) -> None:
        self.page.locator("[role=tab].dp-Tab", has_text=name).click()

    def settled(self, before: int = 0) -> Any:
        self.page.wait_for_function(SETTLED, arg=before, timeout=60_000)
        return self.page.locator(".dp-Turn").last

    def shot(self, name: str) -> None:
        self.page.screenshot(path=str(ARTEFACTS / f"panel_{name}.png"))

    def check(self) -> None:
        """No serious fault of accessibility in what is shown now."""
        self.page.add_script_tag(path=str(PANEL / "node_modules" / "axe-core" / "axe.min.js"))
        found = self.page.evaluate("() => axe.run('.dp-Sidebar', { resultTypes: ['violations'] })")
        bad = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
        assert [(v["id"], [n["html"][:200] for n in v["nodes"]][:4]) for v in bad] == []


@pytest.fixture
def panel(world: LabWorld) -> Iterator[Panel]:
    with servers.page(width=1280, height=720) as (page, outside):
        made = Panel(page, world)
        yield made
        assert outside == [], "the panel asked for something that is not on this machine"
        assert made.problems == []


def test_from_a_dropped_csv_to_an_answer_in_a_notebook(panel: Panel, world: LabWorld) -> None:
    """The five minutes of somebody who never saw Jupyter."""
    page = panel.open().page
    panel.tab("Données")
    page.wait_for_selector(".dp-TableView")
    panel.shot("data")
    # What is no table is refused in a sentence.
    page.evaluate(DROP, {"name": "photo.png", "bytes": [137, 80, 78, 71]})
    page.locator(".dp-Incoming [role=alert]", has_text="n’est pas un fichier CSV").wait_for()
    assert page.locator(".dp-Keep").count() == 0
    page.locator("button[aria-label='Renoncer à «\u00a0photo.png\u00a0»']").click()
    page.wait_for_selector(".dp-Incoming", state="detached")
    page.evaluate(DROP, {"name": "ventes_printemps.csv", "bytes": list(CSV)})
    page.wait_for_selector(".dp-FileView")
    said = page.locator(".dp-Understood").inner_text()
    assert all(one in said for one in ("120 lignes", "point-virgule")), said
    # What cannot be told from the file is asked; what was read is confirmed by a click.
    doubt = page.locator(".dp-Doubt", has_text="Date de vente")
    doubt.wait_for()
    assert page.locator("select[aria-label='Type de Montant']").first.input_value() == "decimal"
    assert "1" in page.locator(".dp-Sample tbody tr").first.inner_text()
    panel.shot("file")
    panel.check()
    doubt.locator(".dp-Go").click()
    page.wait_for_selector(".dp-Doubt", state="detached")
    assert page.locator("select[aria-label='Format de Date de vente']").input_value() == "dmy"
    assert page.locator(".dp-Keep input[type=text]").input_value() == "ventes printemps"
    page.locator(".dp-Keep .dp-Go").click()
    page.wait_for_selector(".dp-Said", timeout=60_000)
    page.wait_for_selector(".dp-TableView-body .dp-Suggestions button")
    panel.shot("kept")
    # One click asks; the answer goes into a notebook.
    page.locator(".dp-TableView-body .dp-Suggestions button", has_text="région").first.click()
    turn = panel.settled()
    assert turn.locator(".dp-Sentence").count() == 1
    assert page.locator(".dp-Source").evaluate("s => s.selectedOptions[0].text") == "ventes printemps"
    turn.locator(".dp-Views .dp-Menu-host > button").click()
    page.locator(".dp-Menu [role=menuitem]", has_text="%ask").click()
    page.wait_for_selector(".jp-Notebook .dp-sentence", timeout=90_000)
    panel.shot("data_notebook")
    sources = {s["name"]: s for s in world.api().get("/data-sources").json()["items"]}
    assert sources["ventes printemps"]["type"] == "files"


def test_a_notebook_is_checked_and_its_publication_asked_for(panel: Panel, world: LabWorld) -> None:
    def write(name: str, cells: list[str]) -> None:
        servers.notebook(world.notebooks / name, cells)

    secret = "postgresql://lecteur:s3cr3t-42@base.example/ventes"
    first = ['%datapilot source "Maison Lumière"', "%ask chiffre d'affaires par région"]
    write("avec_secret.ipynb", [*first, f"url = '{secret}'"])
    write(
        "ventes.ipynb", [*first, "%ask et par canal ?", "%%sql\nSELECT count(*) AS n FROM clients", "%ask meilleurs clients"]
    )
    write("casse.ipynb", [*first[:1], "1 / 0", first[1]])

    page = panel.open("/tree/avec_secret.ipynb").page
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    panel.tab("Publier")
    go = page.locator(".dp-Check .dp-Go")
    go.click()
    page.locator(".dp-Findings .dp-mod-bad", has_text="Cellule 3, ligne 1").wait_for()
    assert page.locator(".dp-Request").count() == 0
    assert "s3cr3t" not in page.locator(".dp-Publish").inner_text()
    panel.shot("publish_secret")

    panel.open("/tree/casse.ipynb")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    panel.tab("Publier")
    go.click()
    page.locator(".dp-Findings .dp-mod-bad", has_text="La cellule 2 échoue").wait_for(timeout=60_000)
    assert page.locator(".dp-Request").count() == 0

    panel.open("/tree/ventes.ipynb")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    # An answer of the chat, pinned, comes with the notebook's.
    page.locator(".dp-Source").select_option(label="Maison Lumière")
    page.wait_for_selector(".dp-Suggestions, .dp-Turn")
    page.locator(".dp-Composer-text").fill("nombre de clients par région")
    page.keyboard.press("Enter")
    turn = panel.settled()
    turn.locator(".dp-Views button", has_text="Épingler").click()
    turn.locator(".dp-Views button[aria-pressed=true]", has_text="Épinglée").wait_for()
    panel.tab("Publier")
    go.click()
    page.locator(".dp-Findings .dp-mod-good", has_text="de haut en bas").wait_for(timeout=90_000)
    left = page.locator(".dp-Findings .dp-mod-left").all_inner_texts()
    assert all(any(why in one for one in left) for why in ("SQL", "précision")), left
    assert page.locator(".dp-Tiles li").count() == 3
    page.locator(".dp-Request .dp-Field input").fill("Ventes de la maison")
    page.locator(".dp-Request fieldset label", has_text="région").first.locator("input").check()
    panel.shot("publish")
    panel.check()
    page.locator(".dp-Request button[type=submit]").click()
    page.locator(".dp-mod-sent", has_text="Ventes de la maison").wait_for()
    assert page.locator(".dp-mod-sent a").get_attribute("href") == world.service.address
    panel.shot("publish_sent")
    asked = world.api("administrator").get("/dashboards/publication-requests").json()["items"]
    assert [one["name"] for one in asked] == ["Ventes de la maison"]
    content = asked[0]["content"]
    assert [t["question"] for t in content["tiles"]] == [
        "chiffre d'affaires par région", "et par canal ?", "nombre de clients par région",
    ]  # fmt: skip
    assert [one["values"] for one in content["filters"]] == [None]
    # The plan of the follow-up is whole: it is run without the conversation.
    assert content["tiles"][1]["plan"]["measures"] == content["tiles"][0]["plan"]["measures"]
    # An administrator accepts it; a tile runs.
    api = world.api("administrator")
    made = api.post(f"/dashboards/publication-requests/{asked[0]['id']}/decision", json={"accept": True}).json()
    tile = api.get(f"/dashboards/{made['dashboard_id']}/published").json()["tiles"][1]
    shown = api.post(f"/dashboards/{made['dashboard_id']}/tiles/{tile['id']}/data", json={"filters": {}}).json()
    assert shown["outcome"] == "answer", shown
    assert shown["row_count"] > 1
    # The notebook itself is as it was: nothing ran in it, no kernel is left over.
    untouched = nbformat.read(world.notebooks / "ventes.ipynb", as_version=4)
    assert all(not cell.outputs for cell in untouched.cells)
    sessions = json.loads(page.evaluate("async url => (await fetch(url)).text()", f"{world.base_url}/api/sessions"))
    assert not [one["path"] for one in sessions if ".datapilot-" in one["path"]]


def test_history_is_searched_asked_again_and_opened_again(panel: Panel, world: LabWorld) -> None:
    api = world.api()
    for question in ("quantité vendue par catégorie", "panier moyen par canal de vente"):
        api.post("/ai/query", json={"source_id": world.source_id, "question": question}, timeout=60)
    begun = api.post(
        "/ai/query", json={"source_id": world.source_id, "question": "nombre de commandes en mai 2026"}, timeout=60
    )
    assert begun.status_code == 200
    page = panel.open().page
    panel.tab("Historique")
    page.locator(".dp-Asked li").first.wait_for()
    panel.shot("history")
    page.locator(".dp-HistoryPane input[type=search]").fill("panier")
    page.wait_for_function("document.querySelectorAll('.dp-Asked li').length === 1")
    assert "panier moyen par canal de vente" in page.locator(".dp-Asked li").inner_text()
    panel.check()
    # With the keyboard alone: found, then asked again.
    page.locator(".dp-HistoryPane input[type=search]").focus()
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("(document.activeElement.getAttribute('aria-label') ?? '').startsWith('Reposer')"):
            break
    page.keyboard.press("Enter")
    turn = panel.settled()
    assert page.locator(".dp-Question").last.inner_text().strip() == "panier moyen par canal de vente"
    assert turn.locator(".dp-Sentence").count() == 1
    page.locator("button[aria-label='Nouvelle conversation']").click()
    panel.tab("Historique")
    page.locator(".dp-Asked button[aria-label^='Rouvrir']").first.click()
    page.locator(".dp-Question", has_text="panier moyen").wait_for()
    page.locator(".dp-Turn .dp-Sentence").first.wait_for()


def test_sections_in_the_dark(panel: Panel) -> None:
    page = panel.open().page
    page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })")
    page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    for name, section in (("data", "Données"), ("publish", "Publier"), ("history", "Historique")):
        panel.tab(section)
        page.wait_for_selector(f"#dp-section-{name}:not(.lm-mod-hidden) .dp-Pane-body")
        if name == "data":
            page.locator(".dp-TableView-head").first.click()
        page.wait_for_timeout(800)
        panel.shot(f"dark_{name}")
        panel.check()
    page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Light' })")
