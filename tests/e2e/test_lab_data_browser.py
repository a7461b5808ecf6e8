"""Data, publishing and history in a real JupyterLab over a real API: from a dropped French CSV to a request for publication."""

from __future__ import annotations

import json

import nbformat

from tests.e2e import servers
from tests.e2e.lab_panel import CSV, DROP, MARKS, Panel
from tests.lab_world import LabWorld
from tests.served import finished

pytestmark = MARKS


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
    panel.insert(turn, "%ask")
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
    cells = [*first, "%ask et par canal ?", "%%sql\nSELECT count(*) AS n FROM clients", "%ask meilleurs clients"]
    write("ventes.ipynb", cells)
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
    panel.choose("Maison Lumière")
    turn = panel.ask("nombre de clients par région")
    panel.pin(turn, "Pour un nouveau tableau de bord")
    turn.locator(".dp-Pin > button", has_text="Épinglée").wait_for()
    panel.tab("Publier")
    go.click()
    page.locator(".dp-Findings .dp-mod-good", has_text="de haut en bas").wait_for(timeout=90_000)
    page.locator(".dp-Tiles li .dp-Tag").nth(2).wait_for()  # the pinned one's plan is fetched
    left = page.locator(".dp-Findings .dp-mod-left").all_inner_texts()
    assert all(any(why in one for one in left) for why in ("SQL", "précision")), left
    assert page.locator(".dp-Tiles li .dp-Tag").all_inner_texts() == ["Gouverné"] * 3
    page.locator(".dp-Request .dp-Field input").fill("Ventes de la maison")
    for filtered in ("Période", "région"):
        page.locator(".dp-Request fieldset label", has_text=filtered).first.locator("input").check()
    page.locator(".dp-Request fieldset label", has_text="Page interactive").locator("input").check()
    panel.shot("publish")
    panel.check()
    page.locator(".dp-Request button[type=submit]").click()
    page.locator(".dp-mod-sent", has_text="Ventes de la maison").wait_for()
    panel.shot("publish_sent")
    asked = world.api("administrator").get("/dashboards/publication-requests").json()["items"]
    assert [one["name"] for one in asked] == ["Ventes de la maison"]
    assert page.locator(".dp-mod-sent a").get_attribute("href").endswith(f"/publications/{asked[0]['id']}")
    content = asked[0]["content"]
    assert [(t["question"], t["cell"]) for t in content["tiles"]] == [
        ("chiffre d'affaires par région", 1), ("et par canal ?", 2), ("nombre de clients par région", None),
    ]  # fmt: skip
    assert [(one["kind"], one["values"]) for one in content["filters"]] == [("period", None), ("values", None)]
    # The notebook is sent as its author wrote it, and nothing of what it shows.
    assert [cell["source"] for cell in content["notebook"]["cells"]] == cells
    assert [cell["outputs"] for cell in content["notebook"]["cells"]] == [[]] * len(cells)
    assert content["mode"] == "interactive"
    # The plan of the follow-up is whole: it is run without the conversation.
    assert content["tiles"][1]["plan"]["measures"] == content["tiles"][0]["plan"]["measures"]
    # The request says what became of it, when one comes back from the page where it is decided.
    mine = page.locator(".dp-Mine li", has_text="Ventes de la maison")
    assert mine.locator(".dp-Tag").inner_text() == "En attente"
    api = world.api("administrator")
    made = api.post(
        f"/dashboards/publication-requests/{asked[0]['id']}/decision", json={"accept": True, "exploratory": True}
    ).json()
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    mine.locator(".dp-Tag", has_text="Publié").wait_for()
    page.locator(".dp-mod-sent").wait_for(state="detached")
    assert mine.locator("a").get_attribute("href").endswith(f"/tableaux/{made['dashboard_id']}")
    tile = api.get(f"/dashboards/{made['dashboard_id']}/published").json()["tiles"][1]
    shown = api.post(f"/dashboards/{made['dashboard_id']}/tiles/{tile['id']}/data", json={"filters": {}}).json()
    assert shown["outcome"] == "answer", shown
    assert shown["row_count"] > 1
    # Another answer is pinned to it at once: asked for, decided where the first was; refused, it says why.
    panel.tab("Discussion")
    turn = panel.ask("nombre de commandes par région")
    panel.pin(turn, "Ajouter à «\u00a0Ventes de la maison\u00a0»")
    turn.locator("[role=status] a", has_text="Voir la demande").wait_for()
    added = api.get("/dashboards/publication-requests", params={"status": "requested"}).json()["items"]
    assert [(one["dashboard_id"], len(one["content"]["tiles"])) for one in added] == [(made["dashboard_id"], 1)]
    api.post(f"/dashboards/publication-requests/{added[0]['id']}/decision", json={"accept": False, "reason": "Déjà montré."})
    panel.tab("Publier")
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    refused = page.locator(".dp-Mine li").first
    refused.locator(".dp-Tag", has_text="Refusé").wait_for()
    assert "Déjà montré." in refused.inner_text()
    panel.shot("publish_mine")
    panel.check()
    # The notebook itself is as it was: nothing ran in it, no kernel is left over.
    untouched = nbformat.read(world.notebooks / "ventes.ipynb", as_version=4)
    assert all(not cell.outputs for cell in untouched.cells)
    sessions = json.loads(page.evaluate("async url => (await fetch(url)).text()", f"{world.base_url}/api/sessions"))
    assert not [one["path"] for one in sessions if ".datapilot-" in one["path"]]


def test_a_workbook_of_several_sheets_joins_a_source_of_a_workspace(panel: Panel, world: LabWorld) -> None:
    api = world.api("administrator")
    workspace = api.post("/workspaces", json={"name": "Direction"}).json()["id"]
    api.put(f"/workspaces/{workspace}/members", json={"user_ids": [world.world.user_id("analyst")]})
    sent = api.post(
        "/data-sources/upload", content="agence;solde\nLyon;12,5\nBrest;8,0\n", headers={"X-File-Name": "soldes.csv"}
    )
    made = api.post(
        "/data-sources/from-files", json={"name": "Comptes", "workspace_id": workspace, "uploads": [sent.json()["id"]]}
    ).json()
    assert finished(api, made["source"]["id"], made["job_id"])["status"] == "done"

    page = panel.open().page
    # The picker says whose a source is.
    assert page.locator(".dp-Source optgroup").evaluate_all("all => all.map(one => one.label)") == [
        "Toute l’entreprise",
        "Direction",
    ]
    assert page.locator(".dp-Source optgroup[label=Direction] option").all_inner_texts() == ["Comptes"]
    panel.choose("Comptes")
    panel.tab("Données")
    page.wait_for_function("document.querySelectorAll('.dp-TableView').length === 1")
    page.evaluate(DROP, {"name": "budget.xlsx", "bytes": list(_workbook())})
    page.wait_for_function("document.querySelectorAll('.dp-FileView').length === 2")
    panel.shot("workbook")
    panel.check()
    # A sheet is left out, and taken back.
    sheet = page.locator(".dp-Incoming fieldset label", has_text="Février").locator("input")
    sheet.uncheck()
    page.wait_for_function("document.querySelectorAll('.dp-FileView').length === 1")
    sheet.check()
    page.wait_for_function("document.querySelectorAll('.dp-FileView').length === 2")
    page.locator(".dp-Keep label", has_text="Conserver dans").locator("select").select_option(label="Comptes")
    page.locator(".dp-Keep .dp-Go").click()
    page.wait_for_selector(".dp-Said", timeout=60_000)
    page.wait_for_function("document.querySelectorAll('.dp-TableView').length === 3")
    assert page.locator(".dp-Data-source").evaluate("s => s.selectedOptions[0].text") == "Comptes"
    february = page.locator(".dp-TableView", has_text="fevrier")
    february.locator(".dp-TableView-head").click()
    february.locator(".dp-Suggestions button", has_text="Montant des budgets par région").click()
    assert "2\u202f707,50" in panel.settled().locator(".dp-Sentence").inner_text()
    panel.shot("workbook_answer")


def _workbook() -> bytes:
    import io

    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        for name, rent in {"Janvier": 100.5, "Février": 90.25}.items():
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ("Région", "Poste", "Montant"))
            for n in range(12):
                row = (("Bretagne", "Corse", "Normandie")[n % 3], ("Loyer", "Salaires")[n % 2], rent * (n + 1))
                sheet.write_row(n + 1, 0, row)
    return out.getvalue()


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
    panel.theme("Dark")
    for name, section in (("data", "Données"), ("publish", "Publier"), ("history", "Historique")):
        panel.tab(section)
        page.wait_for_selector(f"#dp-section-{name}:not(.lm-mod-hidden) .dp-Pane-body")
        if name == "data":
            page.locator(".dp-TableView-head").first.click()
        page.wait_for_timeout(800)
        panel.shot(f"dark_{name}")
        panel.check()
    panel.theme("Light")
