"""The pages of publishing: what is asked and decided, versions and rights, a dashboard as it is edited."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from tests.pages_support import Browser
from tests.platform_support import World
from tests.unit.platform.test_content import PLAN, _call, _dashboard, _publish, filtered, source_id  # noqa: F401 -- fixtures
from tests.unit.platform.test_publishing import ask, body, cell, decide, notebook


def signed_in(world: World, role: str = "administrator", tenant: str = "t1") -> Browser:
    browser = Browser(world)
    browser.sign_in(f"{role}@{tenant}.example")
    return browser


def said(answer: Any) -> str:
    """A page's text, without its marks."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).replace("\xa0", " ").replace("\u202f", " ").split())


@pytest.fixture
def people(world: World) -> dict[str, str]:
    """Two readers whose attributes open different rows."""
    return {
        region: world.add_user(
            "t1", f"{region.lower()}@t1.example", "viewer", full_name=region, attributes={"region": region}
        )
        for region in ("Nord", "Sud")
    }


def test_from_the_request_to_a_reader(world: World, filtered: str, people: dict[str, str]) -> None:  # noqa: F811
    asked = ask(world, body(filtered)).json()
    path = asked["url"].removeprefix(world.settings.public_url)
    page = signed_in(world).get(path)
    assert page.status_code == 200, page.text
    words = said(page)
    for expected in (
        "Ce qui sera vu : un élément", "« CA par région »", "Gouverné", "Aucun secret repéré dans ses 6 cellules",
        "Cellule 4 : une requête SQL", "Cellule 6 : cette question", "celles où « région » est « Nord »", "Il leur manque l’attribut : region",
    ):  # fmt: skip
        assert expected in words, expected
    assert "print(ca.df)" in page.text, "the author's code, as it will run"
    assert "SELECT 1" in page.text
    assert "J’accepte de publier" not in words, "nothing exploratory, nothing to accept"

    # The author reads what becomes of it, and decides nothing.
    author = signed_in(world, "analyst")
    own = author.get(path)
    assert "attend la décision" in said(own)
    assert "Nord" not in said(own), "other people's attributes are not the author's to read"
    assert author.send(path, decision="accepter", nom="x").status_code == 403

    admin = signed_in(world)
    admin.get(path)
    fields = {f"personne.{people['Nord']}": "oui", "filtre.ventes.region": "oui"}
    done = admin.send(path, decision="accepter", nom="Ventes du Nord", dans="", espace="", mode="page", **fields)
    assert (done.status_code, "C’est publié." in said(done)) == (200, True), said(done)
    found = re.search(r"/tableaux/([0-9a-f]{32})", done.text)
    assert found
    shown = {}
    for region, user in people.items():
        headers = {"Authorization": f"Bearer {world.token_of(world.tenant_id(), user)}"}
        shown[region] = _call(world, "GET", f"/dashboards/{found[1]}/published", headers=headers)
    assert (shown["Nord"].status_code, shown["Sud"].status_code) == (200, 404)
    assert shown["Nord"].json()["name"] == "Ventes du Nord"
    assert [f["field"] for f in shown["Nord"].json()["filters"]] == ["ventes.region"]
    assert "Accepté par" in said(signed_in(world, "analyst").get(path))
    again = admin.send(path, decision="accepter", nom="x")
    assert again.status_code == 409


def test_what_is_exploratory_is_accepted_expressly(world: World, source_id: str) -> None:  # noqa: F811
    asked = ask(world, body(source_id)).json()
    admin = signed_in(world)
    page = admin.get(f"/publications/{asked['id']}")
    assert "J’accepte de publier un élément exploratoire" in said(page)
    refused = admin.send(f"/publications/{asked['id']}", decision="accepter", nom="Titre à moi", **{"role.viewer": "oui"})
    assert refused.status_code == 409
    assert 'value="Titre à moi"' in refused.text, "what was typed stays"
    assert re.search(r'name="role.viewer" value="oui" checked', refused.text)
    done = admin.send(f"/publications/{asked['id']}", decision="accepter", nom="Titre", exploratoire="oui")
    assert "C’est publié." in said(done)


def test_a_rejection_reaches_the_author(world: World, source_id: str) -> None:  # noqa: F811
    asked = ask(world, body(source_id)).json()
    admin = signed_in(world)
    admin.get(f"/publications/{asked['id']}")
    admin.send(f"/publications/{asked['id']}", decision="refuser", motif="Il manque <la> période")
    author = signed_in(world, "analyst")
    assert "« Il manque <la> période »" in said(author.get(f"/publications/{asked['id']}"))
    assert "Refusée" in said(author.get("/publications"))


def test_into_one_that_stands_says_what_changes(world: World, source_id: str) -> None:  # noqa: F811
    dashboard, _ = _dashboard(world, source_id)
    _publish(world, dashboard)
    _call(world, "PUT", f"/dashboards/{dashboard}/rights", json={"items": [{"role": "viewer"}]})
    tiles = [
        {"title": "CA", "source_id": source_id, "plan": {**PLAN, "limit": 5}},
        {"title": "Neuf", "source_id": source_id, "plan": {**PLAN, "limit": 6}},
    ]
    asked = ask(world, {"name": "Ventes", "tiles": tiles}).json()
    admin = signed_in(world)
    assert "Ce qui change" not in said(admin.get(f"/publications/{asked['id']}"))
    words = said(admin.get(f"/publications/{asked['id']}?dans={dashboard}"))
    assert "Ce qui change par rapport à la version 1 Ajouté Neuf Changé CA" in words
    assert re.search(r'name="role.viewer" value="oui" checked', admin.last.text), "rights stay unless changed"
    admin.send(f"/publications/{asked['id']}", decision="accepter", nom="Ventes 2", dans=dashboard, exploratoire="oui",
               **{"role.viewer": "oui"})  # fmt: skip
    shown = _call(world, "GET", f"/dashboards/{dashboard}/published", "viewer").json()
    assert (shown["number"], shown["name"], [t["title"] for t in shown["tiles"]]) == (2, "Ventes 2", ["CA", "Neuf"])


def test_nothing_of_another_organisation(world: World, source_id: str) -> None:  # noqa: F811
    asked = ask(world, body(source_id)).json()
    dashboard = decide(world, ask(world, body(source_id)).json()["id"]).json()["dashboard_id"]
    stranger = signed_in(world, tenant="t2")
    for path in (f"/publications/{asked['id']}", f"/tableaux/{dashboard}/versions", f"/tableaux/{dashboard}/modifier"):
        assert stranger.get(path).status_code == 404, path
    stranger.get("/publications")
    for path in ("retrait", "droits", "rythme", "actualisation", "suppression", "publier", "versions"):
        sent = stranger.send(f"/tableaux/{dashboard}/{path}", version="0" * 32, rythme="daily", nom="Du notebook")
        assert sent.status_code == 404, path
    assert stranger.send(f"/publications/{asked['id']}", decision="refuser").status_code == 404
    other = world.add_user("t1", "autre@t1.example", "analyst")
    assert other
    colleague = Browser(world)
    colleague.sign_in("autre@t1.example")
    assert colleague.get(f"/publications/{asked['id']}").status_code == 404, "a colleague's request"
    for path in ("/publications", f"/tableaux/{dashboard}/versions", f"/tableaux/{dashboard}/modifier"):
        assert signed_in(world, "viewer").get(path).status_code == 403, path


def test_versions_and_the_way_back(world: World, source_id: str) -> None:  # noqa: F811
    dashboard = decide(world, ask(world, body(source_id)).json()["id"]).json()["dashboard_id"]
    more = {"dashboard_id": dashboard, "add_tiles": True, "tiles": [{"title": "Deux", "source_id": source_id, "plan": PLAN}]}
    decide(world, ask(world, more).json()["id"])
    admin, path = signed_in(world), f"/tableaux/{dashboard}/versions"
    words = said(admin.get(path))
    assert "Version 2 en vigueur" in words
    assert "notebook" in words
    versions = re.findall(r'name="version" value="(\w+)"', admin.last.text)
    assert len(versions) == 1, "the one in force has no such button"
    assert "Version 1 en vigueur" in said(admin.send(path, version=versions[0]))
    author = signed_in(world, "analyst")
    assert 'name="version"' not in author.get(path).text
    assert author.send(path, version=versions[0]).status_code == 403

    admin.get(path)
    saved = admin.send(f"/tableaux/{dashboard}/droits", **{"role.viewer": "oui"})
    assert "Les droits sont enregistrés" in said(saved)
    assert _call(world, "GET", f"/dashboards/{dashboard}/published", "viewer").status_code == 200
    assert "Le rythme est enregistré" in said(admin.send(f"/tableaux/{dashboard}/rythme", rythme="daily", heure="07:30"))
    assert re.search(r'value="daily" selected', admin.last.text)
    assert admin.send(f"/tableaux/{dashboard}/rythme", rythme="weekly", heure="07:30").status_code == 422
    assert "n’est plus publié" in said(admin.send(f"/tableaux/{dashboard}/retrait"))
    assert _call(world, "GET", f"/dashboards/{dashboard}/published", "viewer").status_code == 404
    assert admin.send(f"/tableaux/{dashboard}/suppression", nom="autre").status_code == 422
    assert "est supprimé" in said(admin.send(f"/tableaux/{dashboard}/suppression", nom="Du notebook"))
    assert admin.get(path).status_code == 404


def test_a_dashboard_is_edited_and_published(world: World, source_id: str) -> None:  # noqa: F811
    dashboard, first = _dashboard(world, source_id)
    tile = {"title": "Deux", "query": {"source_id": source_id, "plan": {**PLAN, "limit": 1}}, "position": 1}
    second = _call(world, "POST", f"/dashboards/{dashboard}/widgets", json=tile).json()["id"]
    admin, path = signed_in(world), f"/tableaux/{dashboard}/modifier"
    page = admin.get(path)
    assert page.status_code == 200, page.text
    assert admin.send(f"{path}/{second}", acte="monter").status_code == 200
    admin.send(f"{path}/{first}", acte="enregistrer", titre="Chiffre d’affaires", graphique="bar")
    admin.send(path, nom="Ventes et marges")
    assert admin.send(path, nom=" ").status_code == 422
    refused = admin.send(f"/tableaux/{dashboard}/publier", **{"filtre.ventes.region": "oui"})
    assert refused.status_code == 409
    assert re.search(r'name="filtre.ventes.region" value="oui" checked', refused.text)
    done = admin.send(f"/tableaux/{dashboard}/publier", exploratoire="oui", **{"filtre.ventes.region": "oui"})
    assert "Cette version est en vigueur" in said(done)
    shown = _call(world, "GET", f"/dashboards/{dashboard}/published").json()
    assert (shown["name"], [t["title"] for t in shown["tiles"]]) == ("Ventes et marges", ["Deux", "Chiffre d’affaires"])
    assert [f["field"] for f in shown["filters"]] == ["ventes.region"]
    admin.send(f"{path}/{second}", acte="retirer")
    assert "Deux" not in said(admin.get(path))

    # An author who may not publish asks; what stands stays until it is decided.
    author = signed_in(world, "analyst")
    author.get(path)
    asked = author.send(f"/tableaux/{dashboard}/publier")
    assert "La demande est envoyée" in said(asked)
    assert len(_call(world, "GET", f"/dashboards/{dashboard}/published").json()["tiles"]) == 2
    request_id = _call(world, "GET", "/dashboards/publication-requests").json()["items"][0]["id"]
    assert "Retiré Deux" in said(signed_in(world).get(f"/publications/{request_id}"))
    decide(world, request_id)
    assert len(_call(world, "GET", f"/dashboards/{dashboard}/published").json()["tiles"]) == 1


def test_in_a_large_organisation_addresses_are_typed(world: World, source_id: str) -> None:  # noqa: F811
    for number in range(25):
        world.add_user("t1", f"lecteur{number}@t1.example", "viewer")
    asked = ask(world, body(source_id)).json()
    admin, path = signed_in(world), f"/publications/{asked['id']}"
    assert 'name="personne.' not in admin.get(path).text
    typed = {"decision": "accepter", "nom": "x", "exploratoire": "oui"}
    wrong = admin.send(path, adresses="lecteur1@t1.example\ninconnu@t1.example", **typed)
    assert wrong.status_code == 422
    assert "inconnu@t1.example" in said(wrong)
    assert "lecteur1@t1.example" in said(wrong)
    done = admin.send(path, adresses="Lecteur1@T1.example; lecteur2@t1.example", **typed)
    assert "C’est publié" in said(done)
    found = re.search(r"/tableaux/([0-9a-f]{32})", done.text)
    assert found
    rights = _call(world, "GET", f"/dashboards/{found[1]}/rights").json()["items"]
    assert len(rights) == 2


def test_what_authors_write_is_text(world: World, source_id: str) -> None:  # noqa: F811
    hostile = "<script>alert(1)</script>"
    sent = body(source_id, name=hostile, notebook=notebook(cell(hostile), cell("x"), cell(f"%ask {hostile}")))
    sent["tiles"][0] |= {"title": hostile, "question": hostile}
    asked = ask(world, sent).json()
    admin = signed_in(world)
    for path in ("/publications", f"/publications/{asked['id']}"):
        assert hostile not in admin.get(path).text
    dashboard = decide(world, asked["id"]).json()["dashboard_id"]
    for path in (f"/tableaux/{dashboard}/versions", f"/tableaux/{dashboard}/modifier"):
        page = admin.get(path)
        assert page.status_code == 200
        assert hostile not in page.text
