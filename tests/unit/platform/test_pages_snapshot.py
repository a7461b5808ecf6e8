"""A dashboard's page that was made ahead: what it holds for whom, what it says of its age, filters, a period, steps into a tile."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest

from tests.ahead_support import Ahead, place
from tests.pages_support import Browser
from tests.platform_support import World
from tests.unit.platform.test_content import _call
from tests.unit.platform.test_data_sources_files import _done, _send
from tests.unit.platform.test_semantic_layers_api import _accept, _draft, _save, _with

TOTAL = {"measures": [{"alias": "ca", "measure": "ventes.ca"}]}
TOWNS = (("Nord", "Lille", 100), ("Nord", "Amiens", 50), ("Sud", "Nice", 30), ("Sud", "Toulon", 20))
TILES = (
    ("Chiffre d’affaires", TOTAL),
    ("Par région", TOTAL | {"dimensions": [{"alias": "region", "field": "ventes.region"}]}),
    ("Mois par mois", TOTAL | {"dimensions": [{"alias": "mois", "field": "ventes.date_de_vente", "grain": "month"}]}),
)
FILTERS = (
    {"field": "ventes.region", "label": "Région", "values": ["Nord", "Sud"]},
    {"field": "ventes.date_de_vente", "label": "Période", "values": None, "kind": "period"},
)


def _csv() -> bytes:
    lines = ["Région;Ville;Courriel;Date de vente;Montant HT"]
    for year in (2024, 2025):
        for month in (1, 2, 3):
            for region, town, amount in TOWNS:
                lines.append(f"{region};{town};a{amount}@exemple.fr;15/{month:02}/{year};{amount * (year - 2023)},00")
    return "\r\n".join([*lines, ""]).encode()


class Board:
    """A published dashboard of three tiles over one source with an accepted layer."""

    def __init__(self, world: World, *, row_filter: bool = False, accept: bool = True, **publish: Any) -> None:
        self.world = world
        upload = _send(world, _csv(), "ventes.csv").json()["id"]
        body = {"name": "Ventes du siège", "uploads": [upload]}
        made = world.client.post("/api/v1/data-sources/from-files", json=body, headers=world.headers("analyst")).json()
        self.source = made["source"]["id"]
        _done(world, self.source, made["job_id"])
        text = _draft(world, self.source)
        if row_filter:
            text = _with(text, row_filter='"region = {region}"')
        if accept:
            assert _accept(world, _save(world, self.source, text).json()["layer"]["id"]).status_code == 200
        self.id = _call(world, "POST", "/dashboards", json={"name": "Ventes"}).json()["id"]
        self.tiles = []
        for position, (title, plan) in enumerate(TILES):
            tile = {"title": title, "position": position, "query": {"source_id": self.source, "plan": plan}}
            added = _call(world, "POST", f"/dashboards/{self.id}/widgets", json=tile)
            assert added.status_code == 201, added.text
            self.tiles.append(added.json()["id"])
        sent = {"filters": list(FILTERS)} | publish
        published = _call(world, "POST", f"/dashboards/{self.id}/publish", json=sent)
        assert published.status_code == 200, published.text
        roles = {"items": [{"role": "viewer"}, {"role": "analyst"}]}
        _call(world, "PUT", f"/dashboards/{self.id}/rights", json=roles)
        self.path = f"/tableaux/{self.id}"

    def opened(self, email: str = "viewer@t1.example") -> tuple[Browser, Any]:
        browser = Browser(self.world)
        browser.sign_in(email)
        return browser, browser.get(self.path)

    def shown(self, browser: Browser, tile: int, *, steps: Any = None, **fields: str) -> Any:
        sent: dict[str, Any] = dict(fields) | ({"pas": json.dumps(steps)} if steps else {})
        return browser.send(f"{self.path}/tuiles/{self.tiles[tile]}", follow=False, **sent)


def _data(page: Any) -> Any:
    return json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page.text, re.DOTALL)[1])  # type: ignore[index]


def _cells(html: str) -> list[str]:
    return [unescape(cell) for cell in re.findall(r"<td[^>]*>([^<]*)</td>", html)]


def test_the_page_comes_whole_with_text_figures_charts_and_its_age(world: World) -> None:
    board, ahead = Board(world), Ahead(world)
    total, regions, months = board.tiles
    words = '<section class="dp-text"><h1>Ventes</h1><p>Le <strong>mot</strong> de l’auteur.</p></section>'
    ahead.markup = (
        words + place(total) + place(regions) + '<section class="dp-text"><h2>Suite</h2></section>' + place(months)
    )
    _, page = board.opened()
    assert page.status_code == 200
    assert "données au 12/09/2026 à 08:00" in page.text
    assert page.text.count("<h1>") == 1, "the notebook's first heading is the page's own"
    assert "Le <strong>mot</strong> de l’auteur." in page.text
    assert [
        page.text.index(title) for title in ("Chiffre d’affaires</h2>", "Par région</h2>", "Suite", "Mois par mois</h2>")
    ] == sorted(
        page.text.index(title) for title in ("Chiffre d’affaires</h2>", "Par région</h2>", "Suite", "Mois par mois</h2>")
    )
    assert "1\u202f800,00\xa0€" in page.text
    assert _cells(page.text)[:4] == ["Nord", "1\u202f350,00\xa0€", "Sud", "450,00\xa0€"]
    assert page.text.count("Gouverné") >= 3
    assert page.text.count("D’où vient ce chiffre") == 3
    data = _data(page)
    assert set(data) == {total, regions, months}
    assert data[regions]["chart"]["data"][0]["x"] == [1350.0, 450.0]
    assert data[regions]["points"] == [[0, 1]]
    assert data[regions]["rows"] == [["Nord"], ["Sud"]]
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    nonce = re.search(r"'nonce-([^']+)'", policy)[1]  # type: ignore[index]
    assert (
        len(re.findall("<script", page.text)) == len(re.findall(f'<script[^>]* nonce="{re.escape(nonce)}"', page.text)) == 3
    )
    assert "style=" not in page.text
    assert "https://" not in page.text.replace("http://www.w3.org", "")


def test_statements_and_sources_are_for_authors(world: World) -> None:
    board = Board(world)
    Ahead(world)
    _, viewers = board.opened()
    _, analysts = board.opened("analyst@t1.example")
    for hidden in ("SELECT\n", "SUM(", "Ventes du siège", board.source, "ventes.ca", '"measures"'):
        assert hidden not in viewers.text, hidden
    assert "SUM(" in analysts.text
    assert "Ventes du siège" in analysts.text
    assert f'href="{board.path}/versions"' in analysts.text
    assert "/versions" not in viewers.text
    assert board.source not in analysts.text


def test_what_failed_since_and_what_is_older_is_said(world: World) -> None:
    board, ahead = Board(world), Ahead(world)
    ahead.failure = "source"
    _, page = board.opened()
    assert "13/09/2026 à 08:00, n’a pas abouti : une source de données n’a pas répondu" in page.text
    assert "Vous voyez les données du 12/09/2026 à 08:00" in page.text
    assert "1\u202f800,00" in page.text
    ahead.failure = None
    ahead.lost = {board.tiles[1]}
    ahead.made.clear()
    _, page = board.opened()
    assert "Un élément n’a pas pu être calculé : «\u202fPar région\u202f»" in page.text
    assert "data-again" in page.text


def test_until_it_is_made_the_page_says_so_and_runs_live(world: World) -> None:
    board, ahead = Board(world), Ahead(world, ready=False)
    browser, page = board.opened()
    assert "en préparation" in page.text
    assert "1\u202f800,00" not in page.text
    assert "data-made>" not in page.text
    assert board.shown(browser, 0).json()["state"] == "shown"
    assert browser.get(f"{board.path}/etat").json()["made"] == ""
    ahead.ready = True
    assert browser.get(f"{board.path}/etat").json()["made"].startswith("2026-09-12")


def test_two_peoples_rights_never_meet_in_what_is_prepared(world: World) -> None:
    board, ahead = Board(world, row_filter=True), Ahead(world)
    seen = {}
    for name, region in (("n1", "Nord"), ("s1", "Sud"), ("n2", "Nord"), ("s2", "Sud")):
        world.add_user("t1", f"{name}@t1.example", "viewer", attributes={"region": region})
        browser, page = board.opened(f"{name}@t1.example")
        other = "Sud" if region == "Nord" else "Nord"
        assert other not in page.text.split('id="dp-board"')[1].replace('value="&#34;', "")
        seen[name] = page.text.split('id="dp-board"')[1].split("dp-data")[0]
        drawn = browser.get(f"{board.path}/vignette").text
        seen[f"{name} picture"] = drawn
    assert len(ahead.made) == 2
    assert _cells(seen["n1"]) == _cells(seen["n2"]) != _cells(seen["s1"])
    # With no attribute there is no row, and no picture of anybody else's either.
    browser, page = board.opened()
    assert "1\u202f350" not in page.text
    assert browser.get(f"{board.path}/vignette").text not in (seen["n1 picture"], seen["s1 picture"])


def test_exploratory_figures_are_shown_only_if_the_publisher_accepted_them(world: World) -> None:
    board = Board(world, accept=False, exploratory=True)
    Ahead(world)
    browser, page = board.opened()
    assert "Exploratoire" in page.text
    assert "1\u202f800,00" in page.text
    assert "1\u202f800,00" in board.shown(browser, 0).json()["head"]


def test_exploratory_figures_that_nobody_accepted_are_nowhere(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub_config.content.publishing import Publishing

    board = Board(world, accept=False, exploratory=True)
    published = Publishing.published

    def older(self: Any, principal: Any, dashboard_id: str) -> Any:
        from dataclasses import replace

        found = published(self, principal, dashboard_id)
        return replace(found, content={key: value for key, value in found.content.items() if key != "exploratory"})

    monkeypatch.setattr(Publishing, "published", older)
    Ahead(world)
    browser, page = board.opened()
    for text in (page.text, board.shown(browser, 0).text, browser.send(f"{board.path}/tuiles/{board.tiles[1]}/csv").text):
        assert "définitions qui ne sont pas encore validées" in text
        assert "1\u202f800" not in text
        assert "1\u202f350" not in text
        assert "1350" not in text


def test_a_period_is_resolved_by_the_server_and_any_two_days_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAPILOT_TODAY", "2026-02-10")
    board = Board(world)
    Ahead(world)
    browser, page = board.opened()
    assert '<option value="last-year">' in page.text
    assert "Dernière année" in page.text or "L’année dernière" in page.text or "L’an dernier" in page.text, page.text
    name: Any = "filter:ventes.date_de_vente"
    last = board.shown(browser, 0, **{name: "last-year"}).json()
    assert "1\u202f200,00\xa0€" in last["head"]
    days = {name: "jours", "du:ventes.date_de_vente": "2024-01-01", "au:ventes.date_de_vente": "2024-02-28"}
    assert "400,00\xa0€" in board.shown(browser, 0, **days).json()["head"]
    assert "1\u202f800,00" in board.shown(browser, 0, **{name: "jours"}).json()["head"], "no day was given"
    for bad in ("tomorrow", '"last-year"', "2024-01-01", "2025-01-01/2024-01-01", "x/y"):
        assert board.shown(browser, 0, **{name: bad}).status_code == 422, bad


def test_a_filter_that_has_no_part_in_a_tile_leaves_it_and_says_so(world: World) -> None:
    board = Board(world)
    upload = _send(world, b"Atelier;Heures\r\nA;3\r\nB;4\r\n", "ateliers.csv").json()["id"]
    body = {"name": "Ateliers", "uploads": [upload]}
    made = world.client.post("/api/v1/data-sources/from-files", json=body, headers=world.headers("analyst")).json()
    other = made["source"]["id"]
    _done(world, other, made["job_id"])
    plan = {"measures": [{"alias": "n", "aggregate": "count", "entity": "ateliers"}]}
    tile = {"title": "Ateliers", "position": 9, "query": {"source_id": other, "plan": plan}}
    board.tiles.append(_call(world, "POST", f"/dashboards/{board.id}/widgets", json=tile).json()["id"])
    sent = {"filters": list(FILTERS), "exploratory": True}
    assert _call(world, "POST", f"/dashboards/{board.id}/publish", json=sent).status_code == 200
    browser, _ = board.opened()
    region: Any = "filter:ventes.region"
    narrowed = board.shown(browser, 0, **{region: '"Nord"'}).json()
    assert "1\u202f350,00" in narrowed["head"]
    assert "sans effet" not in narrowed["body"]
    left = board.shown(browser, 3, **{region: '"Nord"', "filter:ventes.date_de_vente": "last-year"}).json()
    assert left["state"] == "shown"
    assert "Filtres sans effet sur cet élément : Région, Période." in left["body"]


def test_a_step_into_a_tile_and_the_way_back(world: World) -> None:
    board = Board(world)
    Ahead(world)
    browser, _ = board.opened()
    north: Any = board.shown(browser, 1, ouvrir='["Nord"]').json()
    assert (north["state"], north["said"]) == ("levels", "Nord")
    keys = {level["key"]: level["label"] for level in north["levels"]}
    assert keys["ventes.ville"] == "Ville"
    assert keys["ventes.date_de_vente/month"] == "Mois"
    assert "ventes.region" not in keys
    steps = [{"at": ["Nord"], "by": "ventes.ville"}]
    towns = board.shown(browser, 1, steps=steps).json()
    assert _cells(towns["body"]) == ["Lille", "900,00\xa0€", "Amiens", "450,00\xa0€"]
    assert "Nord · par ville" in unescape(towns["way"])
    assert 'data-depth="0"' in towns["way"]
    assert towns["rows"] == [["Lille"], ["Amiens"]]
    deeper = [*steps, {"at": ["Lille"], "by": "ventes.date_de_vente/month"}]
    months = board.shown(browser, 1, steps=deeper).json()
    assert len(months["rows"]) == 6
    assert 'data-depth="1"' in months["way"]
    last = [*deeper, {"at": ["2025-03-01"], "by": "ventes.date_de_vente/day"}]
    days = board.shown(browser, 1, steps=last).json()
    assert _cells(days["body"]) == ["15/03/2025", "200,00\xa0€"]
    # With a filter, and as a file.
    south: Any = {"filter:ventes.region": '"Sud"'}
    assert _cells(board.shown(browser, 1, steps=steps, **south).json()["body"]) == []
    csv = browser.send(f"{board.path}/tuiles/{board.tiles[1]}/csv", pas=json.dumps(steps)).content.decode("utf-8-sig")
    assert [line.split(";")[0] for line in csv.splitlines()[1:]] == ["Lille", "Amiens"]
    assert board.shown(browser, 0, ouvrir="[]").json()["levels"]


def test_only_what_was_offered_is_a_step(world: World) -> None:
    board = Board(world)
    browser, _ = board.opened()
    refused: list[Any] = [
        [{"at": ["Nord"], "by": "ventes.courriel"}], [{"at": ["Nord"], "by": "ventes.montant_ht"}],
        [{"at": ["Nord"], "by": "clients.nom"}], [{"at": [], "by": "ventes.ville"}],
        [{"at": ["Nord", "Lille"], "by": "ventes.ville"}], [{"at": [["Nord"]], "by": "ventes.ville"}],
        [{"at": ["N" * 400], "by": "ventes.ville"}], [{"by": "ventes.ville"}], {"at": ["Nord"]}, "x",
        [{"at": ["Nord"], "by": "ventes.ville"}] * 6, [{"at": ["Nord"], "by": "ventes.ville/month"}],
    ]  # fmt: skip
    for steps in refused:
        answer = board.shown(browser, 1, steps=steps)
        assert (answer.status_code, answer.json()["state"]) == (422, "problem"), steps
        assert "Lille" not in answer.text
    for field in ("pas", "ouvrir"):
        for typed in ("[{", "[" * 20_000):
            given: Any = {field: typed}
            assert browser.send(f"{board.path}/tuiles/{board.tiles[1]}", follow=False, **given).status_code == 422
    half: Any = {"ouvrir": '["\\ud800"]'}, {"pas": '[{"at": ["\\ud800"], "by": "ventes.ville"}]'}
    for given in half:
        assert browser.send(f"{board.path}/tuiles/{board.tiles[1]}", follow=False, **given).status_code == 422


def test_an_author_who_does_not_reach_the_source_learns_nothing_of_its_layer(world: World) -> None:
    board = Board(world)
    _call(world, "PUT", f"/dashboards/{board.id}/rights", json={"items": []})
    browser, _ = board.opened("analyst@t1.example")
    assert board.shown(browser, 1, ouvrir='["Nord"]').json()["state"] == "levels"
    workspace = _call(world, "POST", "/workspaces", json={"name": "Finance"}).json()["id"]
    revision = _call(world, "GET", f"/data-sources/{board.source}").json()["revision"]
    moved = {"revision": revision, "move": True, "workspace_id": workspace}
    assert _call(world, "PATCH", f"/data-sources/{board.source}", json=moved).status_code == 200
    for fields in ({"ouvrir": '["Nord"]'}, {"steps": [{"at": ["Nord"], "by": "ventes.ville"}]}, {}):
        answer = board.shown(browser, 1, **fields)
        assert (answer.status_code, answer.json()["state"]) == (404, "problem"), fields
        assert "Ville" not in answer.text


@pytest.mark.parametrize("row_filter", [False, True])
def test_values_that_only_the_layer_names_are_offered_where_everybody_sees_all_rows(world: World, row_filter: bool) -> None:
    board = Board(world, filters=[{"field": "ventes.region", "label": "Région", "values": None}])
    text = (
        _with(_draft(world, board.source), row_filter='"region = {region}"') if row_filter else _draft(world, board.source)
    )
    named = "        column: region\n        values: {Nord: [le Nord], Sud: [le Sud]}\n"
    text = text.replace("        column: region\n", named, 1)
    assert _accept(world, _save(world, board.source, text).json()["layer"]["id"]).status_code == 200
    world.add_user("t1", "nord@t1.example", "viewer", attributes={"region": "Nord"})
    browser, page = board.opened("nord@t1.example")
    assert ("le Sud" in page.text) is not row_filter
    chosen: Any = {"filter:ventes.region": "le nord" if row_filter else '"Nord"'}
    assert _cells(board.shown(browser, 1, **chosen).json()["body"])[::2] == ["le Nord"]


def test_a_step_shows_no_more_than_the_readers_own_rows(world: World) -> None:
    board = Board(world, row_filter=True)
    world.add_user("t1", "nord@t1.example", "viewer", attributes={"region": "Nord"})
    browser, _ = board.opened("nord@t1.example")
    answer = board.shown(browser, 1, steps=[{"at": ["Sud"], "by": "ventes.ville"}])
    assert answer.json()["state"] == "shown"
    assert "Nice" not in answer.text
    assert _cells(answer.json()["body"]) == []


def test_the_gallery_has_pictures_search_groups_and_ages(world: World) -> None:
    board = Board(world)
    Ahead(world)
    made = _call(world, "POST", "/workspaces", json={"name": "Direction générale"})
    assert made.status_code == 201, made.text
    assert (
        _call(world, "PATCH", f"/dashboards/{board.id}", json={"workspace_id": made.json()["id"], "move": True}).status_code
        == 200
    )
    browser, _ = board.opened()
    home = browser.get("/")
    assert f'src="{board.path}/vignette"' in home.text
    assert "Direction générale" in home.text
    assert f'href="{board.path}"' in browser.get("/?q=GENERALE%20vent").text
    none = browser.get("/?q=%22%3Emarge").text
    assert f'href="{board.path}"' not in none
    assert "Aucun tableau de bord ne correspond à" in none
    assert '"&gt;marge' in none or "&#34;&gt;marge" in none
    picture = browser.get(f"{board.path}/vignette")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.text.startswith("<svg")
    assert "private" in picture.headers["cache-control"]
    for email in ("viewer@t2.example", "administrator@t2.example"):
        other = Browser(world)
        other.sign_in(email)
        assert other.get(f"{board.path}/vignette").status_code == 404
        assert board.id not in other.get("/").text


def test_a_picture_is_nobodys_where_nothing_was_made(world: World) -> None:
    board, ahead = Board(world), Ahead(world, ready=False)
    browser, _ = board.opened()
    neutral = browser.get(f"{board.path}/vignette").text
    ahead.ready = True
    assert browser.get(f"{board.path}/vignette").text != neutral


def test_what_is_prepared_is_bounded_and_made_once(world: World) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from hub_config.pages.boards import Board as Prepared
    from hub_config.pages.boards import Boards

    boards, made = Boards(most_bytes=50_000), []

    def make() -> Prepared:
        made.append(1)
        return Prepared("x" * 5_000, "", "")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: boards.get((b"k", "fr", False), make), range(50)))
    assert len(made) == 1
    for number in range(20):
        boards.get((str(number).encode(), "fr", False), make)
    assert boards.size <= 50_000
    assert len(made) == 21

    def broken() -> Prepared:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        boards.get((b"broken", "fr", False), broken)
    assert boards.get((b"broken", "fr", False), make).body


def test_what_people_and_data_say_is_text_in_the_page_made_ahead(world: World) -> None:
    board, ahead = Board(world), Ahead(world)
    typed = "</script><script>alert(1)</script>"
    _call(world, "PATCH", f"/dashboards/{board.id}/widgets/{board.tiles[0]}", json={"title": typed})
    assert _call(world, "POST", f"/dashboards/{board.id}/publish", json={}).status_code == 200
    ahead.lost = {board.tiles[0]}
    _, page = board.opened()
    assert "<script>alert" not in page.text
    assert unescape(page.text).count(typed) >= 2


def test_the_organisations_mark_is_on_its_own_pages(world: World) -> None:
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" + b"\x1f\x3a\x93" * 2)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    board = Board(world)
    browser, page = board.opened()
    assert "dp-tenant-logo" not in page.text
    world.platform.office.set_logo(world.principal("administrator"), png)
    page = browser.get(board.path)
    assert 'class="dp-tenant-logo" src="/organisation/logo" alt="Maison t1"' in page.text
    image = browser.get("/organisation/logo")
    assert (image.headers["content-type"], image.content) == ("image/png", png)
    assert image.headers["cache-control"].startswith("private, max-age")
    other = Browser(world)
    other.sign_in("viewer@t2.example")
    assert "dp-tenant-logo" not in other.get("/").text
    assert other.get("/organisation/logo").content != png


def test_nothing_prepared_is_kept_of_a_tenant_that_goes(world: World) -> None:
    from hub_config.pages.boards import Board as Prepared
    from hub_config.pages.serving import Pages

    pages = Pages(world.settings, world.platform, None, None)  # type: ignore[arg-type]
    pages.boards.get((b"k", "fr", False), lambda: Prepared("text", "", ""))
    pages.left("t1", "somebody")
    assert pages.boards.size > 0, "a person who goes takes nothing along that others read"
    pages.left("t1", None)
    assert pages.boards.size == 0
    assert [told for told in world.platform.renderings._told if getattr(told, "__func__", None) is Pages.left], "and is told"
