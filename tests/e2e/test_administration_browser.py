"""The administrators' pages in a real browser: a team is made, quotas are read, a question is tried and approved, the record
is searched and taken away. Under the pages' policy, with nothing asked elsewhere, readable in both themes and on a telephone.

Pictures are kept in ``artefacts/``.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub_config.database import PublicationRequest, UsageCounter, User, VerifiedQuestion, utc_now
from tests.e2e import servers
from tests.e2e.test_pages_browser import OVERFLOW, _complaints
from tests.platform_support import PASSWORD, World, make_world
from tests.questions_support import accept_layer, add_files

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path(servers.CHROMIUM).exists(), reason="Chromium is not on this machine"),
]
ARTEFACTS = servers.ROOT / "artefacts"
PLAN = {
    "measures": [{"alias": "ca", "measure": "ventes.ca"}],
    "dimensions": [{"alias": "region", "field": "ventes.region"}],
}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    """A company with people, a source with a row filter, a month of use, things to approve; served for browsers."""
    import uvicorn

    # Bound now: nobody else takes the port meanwhile, and who asks before the server runs waits for it.
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}/services/datapilot"
    given = {"public_url": f"{address}/", "model_key": "k" * 20}
    with make_world(tmp_path_factory.mktemp("administration"), **given) as world:  # type: ignore[arg-type]
        source = add_files(world, name="Ventes des magasins")
        accept_layer(world, source, row_filter="region = {region}")
        _filled(world, source)
        # The very application that the tests' client has entered: its life is the client's.
        server = uvicorn.Server(uvicorn.Config(world.app, lifespan="off", log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield world, address
        finally:
            server.should_exit = True
            thread.join(10)


def _filled(world: World, source: str) -> None:
    for name, role, region in (("Nadia Belkacem", "viewer", "Nord"), ("Simon Le Goff", "viewer", "Sud"),
                               ("Zoé Martin", "analyst", ""), ("Hélène de La Rochefoucauld", "viewer", "Ouest")):  # fmt: skip
        email = name.split()[0].casefold().replace("é", "e").replace("è", "e") + "@t1.example"
        world.add_user("t1", email, role, full_name=name, attributes={"region": region} if region else {})  # type: ignore[arg-type]
    today, analyst = utc_now().date(), world.user_id("analyst")
    with world.database.tenant(world.tenant_id()) as session:
        session.get(User, world.user_id("administrator")).attributes = {"region": "Sud"}
        for back in range(40):
            day = today - timedelta(days=back)
            session.add(UsageCounter(day=day, key="queries", value=40 + (back * 37) % 90))
            spent = (back * 7919) % 1_400_000
            session.add(UsageCounter(day=day, key="model_microeuros", value=spent))
            session.add(UsageCounter(day=day, key="model_microeuros", value=spent * 3 // 4, user_id=analyst))
            session.add(UsageCounter(day=day, key="model_microeuros", value=spent // 4, user_id="0" * 32))
        session.add(VerifiedQuestion(data_source_id=source, question="Quel est le chiffre d’affaires par région ?",
                                     question_key="ca", plan_json=PLAN, proposed_by=analyst))  # fmt: skip
        content = {"name": "Ventes 2026", "layout": {}, "filters": [], "tiles": []}
        session.add(PublicationRequest(content_json=content, requested_by=analyst))


def _picture(page: Any, name: str) -> None:
    page.wait_for_load_state()  # what was waited for may stand in a page that is still read
    ARTEFACTS.mkdir(exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 860})
            assert not page.evaluate(OVERFLOW), f"{name} is wider than {width}"
            page.screenshot(path=str(ARTEFACTS / f"administration_{name}_{scheme}_{width}.png"), full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 860})


def _go(page: Any, word: str) -> None:
    """Go to a section of the navigation, through its menu where it stands in one."""
    page.wait_for_load_state()
    link = page.locator("nav.dp-nav a", has_text=word).first
    if not link.is_visible():
        page.click("nav.dp-nav summary")
    before = page.url
    link.click()
    page.wait_for_url(lambda url: url != before)


def test_an_administrators_morning(company: tuple[World, str]) -> None:
    _, address = company
    with servers.page() as (page, outside):
        complaints = _complaints(page)
        page.goto(f"{address}/sign-in")
        page.fill("#email", "administrator@t1.example")
        page.fill("#secret", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{address}/")
        assert "1 demande de publication, 1 question proposée" in page.inner_text("main").replace("\xa0", " ")

        # A workspace, then two people invited into it; their links are there once, to be copied.
        _go(page, "Personnes")
        _picture(page, "people")
        page.click("text=Espaces")
        page.fill("#name", "Direction commerciale")
        page.click("text=Créer l’espace")
        page.select_option("#user", label="Zoé Martin (zoe@t1.example)")
        page.wait_for_load_state()
        page.click("main >> text=Ajouter >> visible=true >> nth=-1")
        page.wait_for_selector("text=La liste des membres est à jour")
        _picture(page, "workspace")
        page.goto(f"{address}/personnes/inviter")
        page.fill("#addresses", "lea@exemple.fr, max@exemple.fr")
        page.select_option("#workspace", label="Direction commerciale")
        page.fill("[name='attribut.region']", "Nord")
        _picture(page, "invite")
        page.click("button >> text=Inviter")
        page.wait_for_selector("text=ne seront plus montrés")
        links = [page.input_value(f"#link-{place}") for place in (1, 2)]
        assert all(f"{address}/invitation#dpi_" in link for link in links)
        _picture(page, "links")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.click("[data-copy=link-1]")
        page.wait_for_selector("text=Copié")
        assert page.evaluate("navigator.clipboard.readText()") == links[0]
        page.click("text=J’ai transmis les liens")
        page.wait_for_selector("main >> text=lea@exemple.fr")
        page.wait_for_load_state()
        assert "dpi_" not in page.content()
        _picture(page, "invitations")

        # One person: what their attributes open, by the keyboard alone.
        page.goto(f"{address}/personnes?q=nadia")
        page.focus("text=Nadia Belkacem")
        page.keyboard.press("Enter")
        page.wait_for_selector("h1 >> text=Nadia Belkacem")
        page.wait_for_load_state()
        assert "celles où « région » est « Nord »" in page.inner_text("main").replace("\xa0", " ")
        page.fill("[name='attribut.region']", "Ouest")
        page.focus("text=Enregistrer")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=valent dès maintenant")
        page.wait_for_load_state()
        assert "celles où « région » est « Ouest »" in page.inner_text("main").replace("\xa0", " ")
        _picture(page, "person")

        _go(page, "Quotas")
        assert page.locator(".dp-bars rect").count() > 10
        _picture(page, "quotas")
        with page.expect_navigation():
            page.click("text=Mois précédent")
        assert page.locator(".dp-bars").count() == 2

        _go(page, "À approuver")
        _picture(page, "approvals")
        page.click("main >> text=Quel est le chiffre")
        page.wait_for_selector("button >> text=Essayer")
        page.click("button >> text=Essayer")
        page.wait_for_selector("main td >> text=Sud")
        page.wait_for_load_state()
        assert page.locator("main tbody tr").count() == 1  # the administrator's own rows
        page.click("summary >> text=Voir le SQL")
        _picture(page, "approval")
        page.click("button >> text=Approuver")
        page.wait_for_selector("text=elle répond dès maintenant")

        _go(page, "Journal")
        page.click("summary >> text=Détail >> nth=0")
        _picture(page, "journal")
        page.select_option("#action", label="a approuvé une question vérifiée")
        with page.expect_navigation():
            page.click("button >> text=Chercher")
        assert page.locator(".dp-when").count() == 1
        with page.expect_download() as saved:
            page.click("text=Télécharger en CSV")
        written = Path(saved.value.path()).read_text(encoding="utf-8-sig")
        assert saved.value.suggested_filename.endswith(".csv")
        assert "a approuvé une question vérifiée" in written

        _go(page, "Organisation")
        page.fill("#again", "Autre nom")
        page.fill("#secret", "faux faux faux")
        page.click("text=Supprimer définitivement l’organisation")
        page.wait_for_selector("text=n’est pas celui de votre organisation")
        page.wait_for_load_state()
        assert page.input_value("#again") == "Autre nom"
        assert page.input_value("#secret") == ""
        _picture(page, "organisation")
        assert [one for one in complaints if "status of 422" not in one] == []  # the form that came back
        assert outside == []
