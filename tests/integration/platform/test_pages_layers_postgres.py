"""The semantic layer's pages over the demo's company in PostgreSQL; and two who save at once, the platform itself on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from datapilot_kernel.demo.loader import layer_path, load_tenant, tenants
from hub_config.errors import Conflict, NotFound
from tests.pages_support import field
from tests.platform_support import World
from tests.platform_world import owned_database
from tests.questions_support import add_database, add_files, asking_world
from tests.servers import Server
from tests.unit.platform.test_pages_layers import _accepted, _browser, _cells, _draft_id, _fields, _saved, _yaml

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300)]
LUMIERE = tenants()["maison-lumiere"]
LAYER = layer_path(LUMIERE).read_text(encoding="utf-8")
REVENUE = "chiffre d'affaires par canal de vente en 2025"


class Shop:
    """A world with the demo's company in PostgreSQL and its own layer in force."""

    def __init__(self, world: World, url: str) -> None:
        self.world = world
        self.source = add_database(world, url, name="Maison Lumière")
        self.here = f"/sources/{self.source}/couche"
        self.browser = _browser(world)
        page = self.browser.get(self.here)
        assert "premier brouillon est prêt" in self.browser.send(f"{self.here}/debut", seen=field(page, "seen")).text
        assert "est enregistré" in _saved(self.browser, self.source, LAYER).text
        assert "Cette version est en vigueur" in _accepted(self.browser, self.source).text


@pytest.fixture(scope="module")
def shop(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    url = postgres.new_database("lumiere")
    load_tenant(LUMIERE, url, today=date(2026, 6, 17))
    with asking_world(tmp_path_factory.mktemp("layers")) as world:
        yield Shop(world, url)


def test_a_row_filter_tried_with_somebodys_attribute(shop: Shop) -> None:
    browser, here = shop.browser, shop.here
    path = f"{here}/tables/commandes"
    fields = _fields(browser.get(path)) | {"f:row_filter": "canal = {canal}", "question": REVENUE, "a:canal": "WEB"}
    page = browser.send(path, action="try", **fields)
    draft, in_force = page.text[page.text.index('id="essai"') :].split("Avec la version en vigueur")
    assert "site internet" in draft
    assert "téléphone" not in draft
    assert "téléphone" in in_force
    assert "Exploratoire" in draft
    assert "Gouverné" in in_force
    assert "site internet" in _cells(page)


def test_another_company_and_a_reader_see_nothing(shop: Shop) -> None:
    foreign, reader = _browser(shop.world, "administrator", "t2"), _browser(shop.world, "viewer")
    for path in ("", "/yaml", "/versions", "/tables/commandes"):
        assert foreign.get(f"{shop.here}{path}").status_code == 404
        assert reader.get(f"{shop.here}{path}").status_code == 403
    assert _browser(shop.world, "analyst").get(shop.here).status_code == 200


def test_a_measure_renamed_tried_kept_and_taken_back(shop: Shop) -> None:
    world, browser, source, here = shop.world, shop.browser, shop.source, shop.here
    path = f"{here}/tables/lignes_commande/mesures/ca"
    fields = _fields(browser.get(path)) | {"f:label": "activité encaissée", "question": "activité encaissée en 2025"}
    page = browser.send(path, action="try", **fields)
    draft, in_force = page.text[page.text.index('id="essai"') :].split("Avec la version en vigueur")
    assert "Réponse" in draft
    assert "Refus" in in_force or "Question en retour" in in_force
    assert "est enregistré" in browser.send(path, action="save", **fields).text
    assert browser.send(path, action="save", **_fields(browser.get(path))).status_code == 200
    now = _yaml(browser, source)[0].splitlines()
    assert [line for line in LAYER.splitlines() if line not in now] == ["        label: chiffre d'affaires"]
    assert [line for line in now if line not in LAYER.splitlines()] == ["        label: activité encaissée"]
    page = browser.get(f"{here}/versions/{_draft_id(browser, source)}")
    assert "ligne de commande › activité encaissée" in page.text
    assert "(Libellé)" in page.text
    first = world.platform.sources.layers.in_force(world.principal("analyst"), source)
    _accepted(browser, source)
    former = f"{here}/versions/{first.id}"
    assert "de nouveau en vigueur" in browser.send(f"{former}/accepter", seen=field(browser.get(former), "seen")).text
    assert world.platform.sources.layers.in_force(world.principal("analyst"), source).id == first.id


def test_of_two_who_save_at_the_same_moment_one_is_told(tmp_path: Path, postgres: Server) -> None:
    with asking_world(tmp_path, admin_url=owned_database(postgres)) as world:
        # The server of the platform's own database is no source: files are.
        source = add_files(world)
        drafts = world.platform.sources.layers.drafts
        people = [world.principal("administrator"), world.principal("analyst")] * 3
        text = drafts.begin(people[0], source, seen=drafts.working(people[0], source).token).text
        seen = drafts.working(people[0], source).token

        def save(number: int) -> Any:
            try:
                return drafts.keep(people[number], source, f"# {number}\n{text}", seen=seen, findings=[])[0]
            except Conflict as told:
                return told

        with ThreadPoolExecutor(6) as pool:
            ended = list(pool.map(save, range(6)))
        kept = [one for one in ended if not isinstance(one, Conflict)]
        assert len(kept) == 1
        assert drafts.working(people[0], source).text == kept[0].text
        with pytest.raises(NotFound):
            drafts.working(world.principal("administrator", "t2"), source)
        with pytest.raises(NotFound):
            drafts.version(world.principal("administrator", "t2"), source, kept[0].id)
