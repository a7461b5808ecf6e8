"""The semantic layer's pages in a real browser: begun, an error found at its line, kept, tried, accepted; nothing wider than a telephone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import servers
from tests.e2e.test_pages_browser import _complaints, _picture
from tests.platform_support import PASSWORD, World, make_world
from tests.questions_support import add_files
from tests.served import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path(servers.CHROMIUM).exists(), reason="Chromium is not on this machine"),
]
CSV = "region;date_vente;montant\n" + "".join(
    f"{region};2026-0{month}-05;{10 * month},50\n" for month in (1, 2, 3) for region in ("Nord", "Sud")
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    port = servers.free_port()
    address = f"http://127.0.0.1:{port}/services/datapilot"
    world = make_world(tmp_path_factory.mktemp("layers"), public_url=f"{address}/")
    try:
        with Service(world.settings, port=port):
            yield world, address
    finally:
        world.platform.people.close()
        world.platform.database.dispose()


def test_a_layer_from_nothing_to_in_force(served: tuple[World, str]) -> None:
    world, address = served
    here = f"{address}/sources/{add_files(world, content=CSV)}/couche"
    with servers.page() as (page, outside):
        complaints = _complaints(page)
        page.goto(here)
        page.fill("#email", "administrator@t1.example")
        page.fill("#secret", PASSWORD)
        page.keyboard.press("Enter")
        page.click("text=Faire un premier brouillon")
        page.wait_for_selector("text=Le premier brouillon est prêt")
        _picture(page, "layer_begun")

        # An error of the YAML: its line is shown, and the link puts the cursor there without losing what was typed.
        page.click("text=Éditeur YAML")
        page.wait_for_selector("#texte")
        page.wait_for_load_state()  # with all of its text
        typed = page.input_value("#texte").replace("column: region", "column: regoin")
        page.fill("#texte", typed)
        page.click("text=Vérifier")
        page.wait_for_selector(".dp-findings")
        page.wait_for_load_state()  # with the script that puts the cursor on the line
        page.click("a[data-line]")
        assert page.input_value("#texte") == typed
        selected = (
            "document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd)"
        )
        assert page.evaluate(selected).strip() == "column: regoin"
        _picture(page, "layer_yaml")

        # A word of the form, tried by the Enter key before it is kept.
        page.goto(f"{here}/tables/ventes")
        page.fill("#f-synonyms", "encaissement du jour")
        page.fill("#f-row_filter", "region = {region}")
        page.fill("#question", "montant par region")
        page.keyboard.press("Enter")
        page.wait_for_selector("#a-region")
        page.wait_for_load_state()  # with the script that makes Enter a try
        page.fill("#a-region", "Sud")
        page.keyboard.press("Enter")
        page.wait_for_selector("#essai .dp-table")
        page.wait_for_load_state()
        draft, automatic = page.locator("#essai article").all()
        assert "Nord" not in draft.inner_text()
        assert "Nord" in automatic.inner_text()
        assert page.input_value("#f-synonyms") == "encaissement du jour"
        _picture(page, "layer_tried")

        page.click("text=Enregistrer le brouillon")
        page.wait_for_selector("text=Le brouillon est enregistré")
        page.click("text=Voir le brouillon")
        page.click("text=Relire et accepter")
        page.wait_for_selector("button:has-text('Mettre en vigueur')")
        _picture(page, "layer_version")
        page.click("button:has-text('Mettre en vigueur')")
        page.wait_for_selector("text=Cette version est en vigueur")
        _picture(page, "layer_in_force")
        page.click("text=Versions")
        _picture(page, "layer_versions")
        assert (complaints, outside) == ([], [])
