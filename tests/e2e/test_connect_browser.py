"""« Connectez vos données » in a real browser: the three steps for a database and for files, with and without script.

Pictures are kept in ``artefacts/``: light and dark, wide and narrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import sync_playwright

from datapilot_kernel.cli import main
from tests.e2e import servers
from tests.e2e.test_pages_browser import _complaints, _picture
from tests.platform_support import PASSWORD, World, make_world
from tests.served import Service
from tests.servers import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path(servers.CHROMIUM).exists(), reason="Chromium is not on this machine"),
]
READER, SECRET = "lecture_navigateur", "mot-de-passe-du-navigateur"
CLIENTS = (
    "Code client;Nom;Courriel;Ville;Depuis;Remise\r\n"
    "00123;Durand SA;contact@durand.example;Lyon;03/04/2024;1.250\r\n"
    "00124;Martin et fils;martin@exemple.example;Brest;11/12/2023;2.500\r\n"
    "00125;Établissements Petit;petit@exemple.example;Nîmes;07/08/2025;3.125\r\n"
).encode("cp1252")
# What a screen reader needs of a page: a name for every field, one of every id, headings that skip no level.
WRONG = """() => {
  const found = [];
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  found.push(...ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => "id twice: " + id));
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea, progress, summary, a, button")) {
    const named = (field.labels && field.labels.length) || field.getAttribute("aria-label") || field.textContent.trim();
    if (!named) { found.push("no name: " + field.outerHTML.slice(0, 80)); }
    for (const id of (field.getAttribute("aria-describedby") || "").split(" ").filter(Boolean)) {
      if (!document.getElementById(id)) { found.push("described by nothing: " + id); }
    }
  }
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const now = Number(heading.tagName[1]);
    if (now > level + 1) { found.push("heading skips: " + heading.textContent.trim()); }
    level = now;
  }
  if (document.querySelectorAll("h1").length !== 1 || !document.documentElement.lang) { found.push("no h1, or no language"); }
  return found;
}"""


@pytest.fixture(scope="module")
def database(postgres: Server) -> dict[str, str]:
    """The demonstration's data in a database, and an account that only reads them."""
    import psycopg

    url = postgres.new_database()
    assert main(["demo-data", "--to", url, "--today", "2026-06-17"]) == 0
    where = urlsplit(url)
    with psycopg.connect(url, autocommit=True) as made:
        made.execute(f"DROP ROLE IF EXISTS {READER}")
        made.execute(f"CREATE ROLE {READER} LOGIN PASSWORD '{SECRET}'")
        made.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}")
    return {
        "host": "127.0.0.1", "port": str(where.port), "database": where.path.lstrip("/"), "user": READER, "password": SECRET,
        "owner": where.username or "", "owners_password": unquote(where.password or ""),
    }  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    port = servers.free_port()
    address = f"http://127.0.0.1:{port}/services/datapilot"
    world = make_world(
        tmp_path_factory.mktemp("connect"), public_url=f"{address}/", source_networks_allowed=("127.0.0.0/8",)
    )
    try:
        with Service(world.settings, port=port):
            yield world, address
    finally:
        world.platform.people.close()
        world.platform.database.dispose()


def _signed_in(page: Any, address: str, email: str) -> None:
    page.goto(f"{address}/sign-in")
    page.fill("#email", email)
    page.fill("#secret", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/")


def _seen(page: Any, name: str) -> None:
    page.wait_for_load_state()  # what was waited for may stand in a page that is still read
    assert page.evaluate(WRONG) == [], name
    _picture(page, f"connect_{name}")


def test_a_database_in_three_steps(served: tuple[World, str], database: dict[str, str]) -> None:
    _, address = served
    with servers.page() as (page, outside):
        complaints = _complaints(page)
        _signed_in(page, address, "administrator@t1.example")
        page.click("nav >> text=Données")
        page.click("text=Connecter des données")
        page.wait_for_selector(".dp-kind")
        _seen(page, "kind")
        page.click("a.dp-kind >> text=PostgreSQL")
        for name in ("host", "port", "database", "user"):
            page.fill(f"#{name}", database[name])
        page.fill("#name", "Ventes")
        page.fill("#password", "pas le bon")
        page.select_option("#tls", "disable")
        page.keyboard.press("Enter")
        page.wait_for_selector(".dp-bad >> text=mot de passe")
        assert page.input_value("#password") == ""
        assert page.input_value("#user") == READER
        _seen(page, "refused")
        page.fill("#password", SECRET)
        page.click("text=Tester à nouveau")
        page.wait_for_selector("text=La connexion fonctionne")
        _seen(page, "tested")
        page.reload()
        assert "La connexion fonctionne" in page.inner_text("main")
        page.click("text=Continuer : lire les tables")
        page.wait_for_selector("h1 >> text=/Lecture en cours|Ce qui a été compris/")
        page.wait_for_selector("text=Tables et mots proposés", timeout=60_000)
        page.wait_for_load_state()
        assert "Commandes" in page.inner_text("main")
        _seen(page, "understood")
        page.click(".dp-row-more summary >> nth=0")
        page.wait_for_selector(".dp-row-more[open] table")
        page.click(".dp-suggested button >> nth=0")
        page.wait_for_selector("text=exploratoire")
        _seen(page, "answer")
        page.click("nav >> text=Données")
        page.wait_for_selector("a.dp-card >> text=Ventes")
        _seen(page, "list")
        page.click("a.dp-card >> text=Ventes")
        page.wait_for_selector("text=enregistré, chiffré")
        _seen(page, "source")
        assert SECRET not in page.content()
        page.click("text=Supprimer cette source")
        page.wait_for_selector("input[name=sure]")
        _seen(page, "removal")
        assert complaints == []
        assert outside == []


def test_an_account_that_can_write_is_warned_about(served: tuple[World, str], database: dict[str, str]) -> None:
    _, address = served
    with servers.page() as (page, _):
        _signed_in(page, address, "administrator@t2.example")
        page.goto(f"{address}/sources/nouvelle/base?type=postgresql")
        for name in ("host", "port", "database"):
            page.fill(f"#{name}", database[name])
        page.fill("#user", database["owner"])
        page.fill("#password", database["owners_password"])
        page.select_option("#tls", "disable")
        page.click("text=Tester la connexion")
        page.wait_for_selector("text=Ce compte peut faire plus que lire")
        page.click("text=Le SQL d’un compte qui ne fait que lire")
        page.wait_for_selector(".dp-pre:has-text('CREATE ROLE')")
        _seen(page, "warned")


def test_files_with_doubts(served: tuple[World, str], tmp_path: Path) -> None:
    _, address = served
    (tmp_path / "clients.csv").write_bytes(CLIENTS)
    (tmp_path / "ventes.csv").write_bytes(b"Date;Montant HT;Code client\r\n14/03/2026;1 234,50;00123\r\n")
    with servers.page() as (page, outside):
        complaints = _complaints(page)
        _signed_in(page, address, "analyst@t1.example")
        page.goto(f"{address}/sources/nouvelle")
        assert page.locator("a.dp-kind").count() == 1
        page.click("a.dp-kind")
        page.wait_for_selector("#files")
        _seen(page, "files")
        page.set_input_files("#files", [tmp_path / "clients.csv", tmp_path / "ventes.csv"])
        page.click("button >> text=Envoyer")
        page.wait_for_selector("text=Durand SA")
        page.wait_for_selector("td >> text=1\u202f234,50")
        _seen(page, "files_read")
        page.click("text=Continuer : garder ces fichiers")
        page.wait_for_selector("text=cochez la case")
        page.check("input[name=confirm]")
        page.fill("#name", "Clients et ventes")
        page.click("text=Continuer : garder ces fichiers")
        page.wait_for_selector("text=Données personnelles", timeout=60_000)
        _seen(page, "files_understood")
        page.go_back()
        page.go_forward()
        assert complaints == []
        assert outside == []


def test_all_of_it_without_script(served: tuple[World, str], database: dict[str, str]) -> None:
    _, address = served
    with sync_playwright() as play:
        browser = servers.chromium(play)
        page = browser.new_context(java_script_enabled=False, locale="fr-FR").new_page()
        page.set_default_timeout(60_000)
        try:
            _signed_in(page, address, "administrator@t1.example")
            page.goto(f"{address}/sources/nouvelle/base?type=postgresql")
            for name in ("host", "port", "database", "user", "password"):
                page.fill(f"#{name}", database[name])
            page.fill("#name", "Sans script")
            page.select_option("#tls", "disable")
            page.click("text=Tester la connexion")
            page.wait_for_selector("text=La connexion fonctionne")
            page.click("text=Continuer : lire les tables")
            # The page looks again by itself.
            page.wait_for_selector("text=Tables et mots proposés", timeout=60_000)
        finally:
            browser.close()
