"""The administrators' pages on PostgreSQL, under row-level security: every list, every name that is looked up, every act."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest

from hub_config.database import PublicationRequest, UsageCounter, utc_now
from tests.pages_support import Browser, some_question
from tests.platform_support import World
from tests.unit.platform.test_pages_administration import _image, _said, _send_logo

pytestmark = pytest.mark.postgres


def test_an_administrators_round(world: World) -> None:
    browser, other = Browser(world), Browser(world)
    browser.sign_in("administrator@t1.example")
    other.sign_in("administrator@t2.example")
    question = some_question(world)
    analyst, today = world.user_id("analyst"), utc_now().date()
    with world.database.tenant(world.tenant_id()) as session:
        content = {"name": "Ventes 2026", "layout": {}, "filters": [], "tiles": []}
        session.add(PublicationRequest(content_json=content, requested_by=analyst))
        for back in range(3):
            session.add(UsageCounter(day=today - timedelta(days=back), key="queries", value=7))
            session.add(
                UsageCounter(day=today - timedelta(days=back), key="model_microeuros", value=10_000, user_id=analyst)
            )

    browser.get("/espaces")
    page = browser.send("/espaces", name="Ventes")
    workspace = str(page.url).rpartition("/")[2].partition("?")[0]
    assert "1 membre " in _said(browser.send(f"/espaces/{workspace}/membres", user_id=analyst))
    page = browser.send("/personnes/inviter", addresses="zoe@x.fr max@x.fr", role="viewer", workspace_id=workspace)
    assert page.text.count("#dpi_") == 2
    again = re.search(r'action="([^"]+/renvoi)"', browser.get("/personnes/inviter").text)
    assert again
    assert browser.send(again[1]).text.count("#dpi_") == 1
    assert "valent dès maintenant" in _said(
        browser.send(f"/personnes/{analyst}", full_name="Ana", role="analyst", attribut_nom="region", attribut_valeur="Sud")
    )
    assert "1 question dans l’historique" not in _said(browser.get(f"/personnes/{analyst}"))
    assert "Ventes" in _said(browser.get("/personnes?q=ana"))
    assert "Ana" in _said(browser.get("/quotas"))
    browser.send("/quotas", key="queries_per_day", value="100")
    assert "7 questions sur 100 questions (7 %)" in _said(browser.get("/quotas"))
    listed = _said(browser.get("/approbations"))
    assert "Combien ?" in listed
    assert "Ventes 2026" in listed
    page = browser.send(f"/approbations/questions/{question}/essai")
    assert page.status_code == 200
    assert "approuvée : elle répond" in _said(
        browser.send(f"/approbations/questions/{question}/decision", decision="approve")
    )
    assert "Le logo est enregistré" in _said(_send_logo(browser, _image()))
    assert browser.get("/organisation/logo").content == _image()
    assert other.get("/organisation/logo").content != _image()

    said = _said(browser.get("/journal"))
    for expected in (
        "a approuvé une question vérifiée",
        "a ajouté un membre à un espace Ventes",
        "a fixé une limite Questions par jour",
    ):
        assert expected in said, expected
    file = browser.send("/journal/export", objet="workspace").content.decode("utf-8-sig")
    assert "a créé un espace" in file
    assert "a fixé une limite" not in file
    assert "t1.example" not in unescape(other.get("/journal").text)
    for path in (f"/personnes/{analyst}", f"/espaces/{workspace}", f"/approbations/questions/{question}"):
        assert other.get(path).status_code == 404
    assert "La personne est supprimée" in _said(
        browser.send(f"/personnes/{analyst}/suppression", email="analyst@t1.example")
    )
    assert "Personne supprimée 0," in _said(browser.get("/quotas"))
