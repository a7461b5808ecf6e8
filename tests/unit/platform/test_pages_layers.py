"""The semantic layer's pages over HTTP: forms, YAML, draft, versions, a question to try; who may what, and nothing lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from hub_config.audit import AuditFilter
from tests.model_server import KEY, ModelServer
from tests.pages_support import Browser, field
from tests.platform_support import World, wait_until
from tests.questions_support import add_files, asking_world, give_attributes
from tests.unit.claude.test_layer_writer import measure, proposing, questions

CSV = "region;date_vente;montant;note\n" + "".join(
    f"{region};2026-0{month}-05;{10 * month},50;interne\n" for month in (1, 2, 3) for region in ("Nord", "Sud", "Ouest")
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with asking_world(tmp_path) as made:
        yield made


@pytest.fixture
def source(world: World) -> str:
    return add_files(world, content=CSV)


def _browser(world: World, role: str = "administrator", tenant: str = "t1") -> Browser:
    browser = Browser(world)
    browser.sign_in(f"{role}@{tenant}.example")
    return browser


def _begun(world: World, source: str, role: str = "administrator") -> Browser:
    browser = _browser(world, role)
    page = browser.get(f"/sources/{source}/couche")
    assert "Pas encore de couche sémantique" in page.text
    page = browser.send(f"/sources/{source}/couche/debut", seen=field(page, "seen"))
    assert "Le premier brouillon est prêt" in page.text
    return browser


def _fields(page: Any) -> dict[str, Any]:
    """What a browser would send of the page's form, as it stands."""
    found: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", page.text):
        name = re.search(r'name="([^"]+)"', tag)
        if name is None or name[1] == "csrf" or ('type="checkbox"' in tag and " checked" not in tag):
            continue
        value = re.search(r'value="([^"]*)"', tag)
        found[unescape(name[1])] = unescape(value[1]) if value else ""
    for name, body in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\n?(.*?)</textarea>', page.text, re.DOTALL):
        found[unescape(name)] = unescape(body).replace("\n", "\r\n")
    for name, body in re.findall(r'<select[^>]*name="(f:[^"]+)"[^>]*>(.*?)</select>', page.text, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', body) or re.search(r'value="([^"]*)"', body)
        found[unescape(name)] = unescape(chosen[1]) if chosen else ""
    return found


def _text(page: Any) -> str:
    found: str = _fields(page)["text"].replace("\r\n", "\n")
    return found


def _yaml(browser: Browser, source: str) -> tuple[str, str]:
    page = browser.get(f"/sources/{source}/couche/yaml")
    return _text(page), field(page, "seen")


def _saved(browser: Browser, source: str, text: str, *, seen: str | None = None, action: str = "save", **more: Any) -> Any:
    given = seen if seen is not None else _yaml(browser, source)[1]
    return browser.send(f"/sources/{source}/couche/yaml", text=text.replace("\n", "\r\n"), seen=given, action=action, **more)


def _draft_id(browser: Browser, source: str) -> str:
    found = re.search(r"couche/versions/([0-9a-f]{32})", browser.get(f"/sources/{source}/couche").text)
    assert found
    return found[1]


def _accepted(browser: Browser, source: str) -> Any:
    path = f"/sources/{source}/couche/versions/{_draft_id(browser, source)}"
    return browser.send(f"{path}/accepter", seen=field(browser.get(path), "seen"))


def _cells(page: Any) -> list[str]:
    tried = page.text[page.text.index('id="essai"') :]
    return [unescape(cell) for cell in re.findall(r"<td>([^<]*)</td>", tried)]


# ── who ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_may_see_it(world: World, source: str) -> None:
    _begun(world, source)
    paths = ["", "/yaml", "/entreprise", "/tables/ventes", "/tables/ventes/dimensions/region", "/versions"]
    for path in paths:
        here = f"/sources/{source}/couche{path}"
        assert _browser(world, "analyst").get(here).status_code == 200, path
        assert _browser(world, "viewer").get(here).status_code == 403, path
        assert _browser(world, "administrator", "t2").get(here).status_code == 404, path
    assert _browser(world).get(f"/sources/{source}/couche/tables/rien").status_code == 404
    assert _browser(world).get(f"/sources/{source}/couche/tables/ventes/mesures/rien").status_code == 404
    assert _browser(world).get(f"/sources/{source}/couche/tables/ventes/autres/region").status_code == 404


def test_analysts_propose_and_administrators_accept(world: World, source: str) -> None:
    analyst = _begun(world, source, "analyst")
    draft = _draft_id(analyst, source)
    path = f"/sources/{source}/couche/versions/{draft}"
    page = analyst.get(path)
    assert "Mettre en vigueur" not in page.text
    overview = analyst.get(f"/sources/{source}/couche")
    assert analyst.send(f"{path}/accepter", seen="x").status_code == 403
    seen = field(overview, "seen")
    assert (
        "proposé aux administrateurs"
        in analyst.send(f"/sources/{source}/couche/proposer", seen=seen, note="Le CA est <enfin> juste").text
    )
    administrator = _browser(world)
    page = administrator.get(f"/sources/{source}/couche")
    assert "Proposé par Analyst" in page.text
    assert "Le CA est &lt;enfin&gt; juste" in page.text
    waiting = world.platform.sources.layers.drafts.proposals(world.principal("administrator"))
    assert [(entry[0], entry[3].note) for entry in waiting] == [(source, "Le CA est <enfin> juste")]
    page = administrator.get("/approbations")
    assert "Couches sémantiques proposées" in page.text
    assert path in page.text
    assert "Couches sémantiques proposées" not in _browser(world, "administrator", "t2").get("/approbations").text
    assert "Cette version est en vigueur" in _accepted(administrator, source).text
    assert "Couches sémantiques proposées" not in administrator.get("/approbations").text
    assert world.platform.sources.layers.drafts.proposals(world.principal("administrator")) == []
    assert world.platform.sources.layers.in_force(world.principal("analyst"), source).number == 1


# ── forms ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_form_changes_one_thing_and_no_comment(world: World, source: str) -> None:
    browser = _begun(world, source)
    text, seen = _yaml(browser, source)
    assert "est enregistré" in _saved(browser, source, f"# Notre couche.\n{text}", seen=seen).text
    page = browser.get(f"/sources/{source}/couche/tables/ventes")
    fields = _fields(page) | {"f:label": "encaissement", "f:synonyms": "vente\r\nrecette, caisse", "f:masked:note": "1"}
    page = browser.send(f"/sources/{source}/couche/tables/ventes", action="save", **fields)
    # A masked column is used by its own dimension: said at the form, with what was typed, and nothing kept.
    assert page.status_code == 422
    assert "recette, caisse" in page.text
    del fields["f:masked:note"]
    page = browser.send(f"/sources/{source}/couche/tables/ventes", action="save", **fields)
    assert page.status_code == 200, page.text
    assert "Le brouillon est enregistré" in page.text
    now, _ = _yaml(browser, source)
    assert now.startswith("# Notre couche.\n")
    assert "    label: encaissement\n" in now
    assert '    synonyms: [vente, "recette, caisse"]\n' in now
    changed = [line for line in now.splitlines() if line not in f"# Notre couche.\n{text}".splitlines()]
    assert len(changed) == 2, changed
    assert len(world.platform.sources.layers.listed(world.principal("analyst"), source, limit=10)) == 1, "one draft"


def test_every_form_says_nothing_new_when_nothing_was_typed(world: World, source: str) -> None:
    browser = _begun(world, source)
    before, _ = _yaml(browser, source)
    here = f"/sources/{source}/couche"
    pages = browser.get(f"{here}/tables/ventes").text
    things = ["/entreprise", "/tables/ventes", *sorted(set(re.findall(r"couche(/tables/ventes/\w+/\w+)", pages)))]
    assert len(things) >= 5
    for thing in things:
        page = browser.get(f"{here}{thing}")
        assert browser.send(f"{here}{thing}", action="save", **_fields(page)).status_code == 200, thing
        assert _yaml(browser, source)[0] == before, thing


def test_the_fiscal_year_the_format_and_what_is_wrong_in_a_field(world: World, source: str) -> None:
    browser = _begun(world, source)
    here = f"/sources/{source}/couche"
    page = browser.get(f"{here}/entreprise")
    wrong = browser.send(f"{here}/entreprise", **(_fields(page) | {"f:currency": "euros", "f:name": "Ma couche"}))
    assert wrong.status_code == 422
    assert "trois majuscules" in wrong.text
    assert 'value="Ma couche"' in wrong.text
    browser.send(f"{here}/entreprise", **(_fields(page) | {"f:fiscal_year_start": "7", "f:questions": "a\r\nb"}))
    measure = re.search(r"tables/ventes/mesures/(\w+)", browser.get(f"{here}/tables/ventes").text)
    assert measure
    path = f"{here}/tables/ventes/mesures/{measure[1]}"
    fields = _fields(browser.get(path)) | {"f:format:kind": "decimal", "f:format:decimals": "3", "f:format:unit": "kg"}
    browser.send(path, action="save", **fields)
    text, _ = _yaml(browser, source)
    assert "  fiscal_year_start: 7\n" in text
    assert "questions: [a, b]\n" in text
    assert "format: {kind: decimal, decimals: 3, unit: kg}\n" in text


# ── the YAML ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_broken_yaml_points_at_its_line_and_nothing_is_lost(world: World, source: str) -> None:
    browser = _begun(world, source)
    text, seen = _yaml(browser, source)
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if line.strip().startswith("label:"))
    lines[at] = "    label: [ouvert"
    for action in ("check", "save", "try"):
        page = _saved(browser, source, "\n".join(lines), seen=seen, action=action, question="montant")
        assert page.status_code == (200 if action == "check" else 422)
        assert _text(page).splitlines() == lines
        number = int(re.findall(r'data-line="(\d+)"', page.text)[0])
        assert number in (at + 1, at + 2), "at the bracket that stays open, or where it is noticed"
        assert f"ligne {number}" in page.text
        assert unescape(re.findall(r'<span class="dp-number">\d+</span>([^\n]*)\n', page.text)[0]) == lines[number - 1]
    assert _yaml(browser, source)[0] == text, "nothing kept"
    page = _saved(browser, source, text.replace("column: region", "column: regoin"), seen=seen, action="check")
    assert "regoin" in page.text
    assert re.search(r"Vouliez-vous dire «\sregion\s»", page.text)
    assert "Rien à corriger" in _saved(browser, source, text, seen=seen, action="check").text


def test_a_draft_with_errors_is_kept_and_cannot_be_accepted(world: World, source: str) -> None:
    browser = _begun(world, source)
    text, _ = _yaml(browser, source)
    assert "est enregistré" in _saved(browser, source, text.replace("column: region", "column: regoin")).text
    assert "regoin" in browser.get(f"/sources/{source}/couche").text, "the overview says what is to be put right"
    page = _accepted(browser, source)
    assert page.status_code == 422
    assert "ne va pas avec la source" in page.text
    assert "regoin" in page.text
    assert world.platform.sources.layers.in_force(world.principal("analyst"), source) is None


def test_two_people_at_once_lose_nothing(world: World, source: str) -> None:
    one, other = _begun(world, source), _browser(world, "analyst")
    text, seen = _yaml(one, source)
    _, same = _yaml(other, source)
    assert seen == same
    assert "est enregistré" in _saved(other, source, f"# de l'analyste\n{text}", seen=same).text
    page = _saved(one, source, f"# de l'administrateur\n{text}", seen=seen)
    assert page.status_code == 409
    assert "Analyst a enregistré la version 2" in page.text
    assert _text(page).startswith("# de l'administrateur\n")
    assert "# de l&#39;analyste" in page.text
    assert _yaml(one, source)[0].startswith("# de l'analyste\n"), "nothing was written over"
    over = one.send(f"/sources/{source}/couche/yaml", action="save", **_fields(page))
    assert over.status_code == 200
    assert _yaml(other, source)[0].startswith("# de l'administrateur\n")
    listed = world.platform.sources.layers.listed(world.principal("analyst"), source, limit=10)
    assert [view.number for view in listed] == [3, 2, 1], "what somebody else wrote stays"


def test_a_form_that_is_out_of_date_is_a_conflict_too(world: World, source: str) -> None:
    browser = _begun(world, source)
    here = f"/sources/{source}/couche/tables/ventes"
    old = _fields(browser.get(here))
    browser.send(here, action="save", **(old | {"f:label": "recette"}))
    page = browser.send(here, action="save", **(old | {"f:plural": "ventes du jour"}))
    assert page.status_code == 409
    assert "ventes du jour" in _text(page)
    assert "label: recette\n" in _yaml(browser, source)[0]


def test_what_is_accepted_is_what_was_read(world: World, source: str) -> None:
    browser = _begun(world, source)
    path = f"/sources/{source}/couche/versions/{_draft_id(browser, source)}"
    seen = field(browser.get(path), "seen")
    text, _ = _yaml(browser, source)
    _saved(browser, source, f"# plus tard\n{text}")
    page = browser.send(f"{path}/accepter", seen=seen)
    assert page.status_code == 409
    assert world.platform.sources.layers.in_force(world.principal("analyst"), source) is None


# ── versions ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_differences_and_the_way_back(world: World, source: str) -> None:
    browser = _begun(world, source)
    _accepted(browser, source)
    first = world.platform.sources.layers.in_force(world.principal("analyst"), source)
    here = f"/sources/{source}/couche"
    fields = _fields(browser.get(f"{here}/tables/ventes")) | {"f:label": "encaissement"}
    browser.send(f"{here}/tables/ventes", action="save", **fields)
    page = browser.get(f"{here}/versions/{_draft_id(browser, source)}")
    assert re.search(r"changé</span> encaissement <span[^>]*>\(Libellé\)", page.text)
    went = re.findall(r'<tr class="dp-went">.*?<code>([^<]*)</code>', page.text)
    came = re.findall(r'<tr class="dp-came">.*?<code>([^<]*)</code>', page.text)
    assert len(went) == len(came) == 1
    assert came == ["    label: encaissement"]
    _accepted(browser, source)
    assert world.platform.sources.layers.in_force(world.principal("analyst"), source).number == 2
    history = browser.get(f"{here}/versions").text
    assert history.index("Version 2") < history.index("Version 1")
    former = f"{here}/versions/{first.id}"
    page = browser.get(former)
    assert "Remettre en vigueur" in page.text
    assert "de nouveau en vigueur" in browser.send(f"{former}/accepter", seen=field(page, "seen")).text
    assert world.platform.sources.layers.in_force(world.principal("analyst"), source).id == first.id
    assert _browser(world, "administrator", "t2").get(former).status_code == 404
    second = add_files(world, name="Autre")
    assert browser.get(f"/sources/{second}/couche/versions/{first.id}").status_code == 404


def test_a_draft_put_aside_is_no_draft_any_more(world: World, source: str) -> None:
    browser = _begun(world, source)
    path = f"/sources/{source}/couche/versions/{_draft_id(browser, source)}"
    assert "est écarté" in browser.send(f"{path}/ecarter").text
    assert "Pas encore de couche" in browser.get(f"/sources/{source}/couche").text
    assert browser.send(f"{path}/ecarter").status_code == 409


# ── a question before keeping ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_question_is_tried_over_what_stands_in_the_form(world: World, source: str) -> None:
    browser = _begun(world, source)
    _accepted(browser, source)
    here = f"/sources/{source}/couche/tables/ventes"
    measure = re.search(r"(tables/ventes/mesures/\w+)", browser.get(here).text)
    assert measure
    path = f"/sources/{source}/couche/{measure[1]}"
    fields = _fields(browser.get(path)) | {
        "f:label": "encaissement",
        "f:synonyms": "",
        "question": "encaissement par region",
    }
    page = browser.send(path, action="try", **fields)
    assert page.status_code == 200
    tried = page.text[page.text.index('id="essai"') :]
    draft, in_force = tried.split("Avec la version en vigueur")
    assert "Exploratoire" in draft
    assert "Réponse" in draft
    assert "SELECT" in draft
    assert "Refus" in in_force
    assert "Nord" in _cells(page)
    assert 'value="encaissement"' in page.text, "what was typed stays"
    listed = world.platform.sources.layers.listed(world.principal("analyst"), source, limit=5)
    assert [view.status for view in listed] == ["accepted"], "nothing kept"


def test_a_row_filter_is_explained_counted_and_tried(world: World, source: str) -> None:
    browser = _begun(world, source)
    _accepted(browser, source)
    here = f"/sources/{source}/couche/tables/ventes"
    fields = _fields(browser.get(here)) | {"f:row_filter": "region = {region}", "question": "montant par region"}
    page = browser.send(here, action="try", **fields)
    assert "où «\xa0region\xa0» est égal à son attribut «\xa0region\xa0»" in page.text
    assert "3 personnes sur 3 n’ont pas l’attribut" in page.text
    assert 'name="a:region"' in page.text
    page = browser.send(here, action="try", **(fields | {"a:region": "Sud"}))
    draft, in_force = page.text[page.text.index('id="essai"') :].split("Avec la version en vigueur")
    assert "Sud" in draft
    assert "Nord" not in draft
    assert "Nord" in in_force
    wrong = browser.send(here, action="save", **(fields | {"f:row_filter": "regoin = {region}"}))
    assert wrong.status_code == 422
    assert "regoin" in wrong.text
    browser.send(here, action="save", **fields)
    _accepted(browser, source)
    # In force now: a draft that takes it away opens nothing to somebody whose attribute says otherwise.
    give_attributes(world, "analyst", region="Ouest")
    analyst = _browser(world, "analyst")
    fields = _fields(analyst.get(here)) | {"f:row_filter": "", "question": "montant par region"}
    assert {"Nord", "Sud"}.isdisjoint(_cells(analyst.send(here, action="try", **fields)))


def test_a_trial_needs_a_question(world: World, source: str) -> None:
    browser = _begun(world, source)
    page = browser.send(f"/sources/{source}/couche/essai", question=" ")
    assert "Écrivez la question" in page.text
    page = browser.send(f"/sources/{source}/couche/essai", question="montant par region")
    assert "Sans version en vigueur" in page.text
    assert "Nord" in _cells(page)


def test_a_source_that_is_away_keeps_nobody_from_writing(world: World, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from datapilot_kernel.errors import SourceProblem

    browser = _begun(world, source)
    text, _ = _yaml(browser, source)

    def away(*_: Any, **__: Any) -> Any:
        raise SourceProblem("sources.unreachable")

    monkeypatch.setattr(world.platform.sources, "open", away)
    page = _saved(browser, source, f"# quand même\n{text}", action="check")
    assert "qui ne répond pas" in page.text
    _saved(browser, source, f"# quand même\n{text}")
    assert _yaml(browser, source)[0].startswith("# quand même")
    assert browser.get(f"/sources/{source}/couche/tables/ventes").status_code == 200


# ── the language model ────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_model_the_page_says_so(world: World, source: str) -> None:
    browser = _begun(world, source)
    page = browser.get(f"/sources/{source}/couche/modele")
    assert "Aucun modèle de langage" in page.text
    assert browser.send(f"/sources/{source}/couche/modele", glossary="CA = montant").status_code in (403, 409, 422)


def test_the_model_proposes_and_a_person_chooses(tmp_path: Path) -> None:
    server = ModelServer()
    try:
        with asking_world(tmp_path, model_key=KEY, model_base_url=server.url) as world:
            source = add_files(world, content=CSV)
            browser = _begun(world, source)
            text, _ = _yaml(browser, source)
            _saved(browser, source, f"# gardé\n{text}")
            here = f"/sources/{source}/couche/modele"
            taken = measure(
                "ventes", "ca", expression="SUM(montant)", label="chiffre du soir", format="currency", why="le CA"
            )
            left = measure("ventes", "panier", expression="AVG(montant)", label="panier du soir", format="currency")
            server.play([proposing(measures=[taken, left]), questions()])
            browser.send(here, glossary="Le CA du soir : montant.")
            wait_until(lambda: "Mettre dans le brouillon" in browser.get(here).text, seconds=40)
            page = browser.get(here)
            assert "chiffre du soir" in page.text
            assert _browser(world, "analyst").get(here).text.count("chiffre du soir") == 0, "one's own"
            boxes = re.findall(r'name="(take:\d+)"', page.text)
            assert len(boxes) == 2
            page = browser.send(f"{here}/garder", **{boxes[0]: "1"})
            assert "Le brouillon est enregistré" in page.text
            now, _ = _yaml(browser, source)
            assert now.startswith("# gardé\n")
            assert "chiffre du soir" in now
            assert "panier du soir" not in now
            assert "120.50" not in str([request.body for request in server.requests])
            with world.database.tenant(world.tenant_id()) as session:
                assert world.platform.queries.quotas.usage(session)["model_microeuros"] > 0
            (event,) = world.platform.audit.search(world.tenant_id(), AuditFilter(action="layer.model"), limit=5)
            assert event.cost_microeuros > 0
    finally:
        server.close()
