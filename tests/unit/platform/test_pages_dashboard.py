"""A published dashboard's page: who sees what of it, at every request anew, and what nobody is told."""

from __future__ import annotations

import gzip
import io
import json
import re
from html import unescape
from typing import Any

import pytest

from hub_config.pages import static
from tests.pages_support import Browser
from tests.platform_support import World
from tests.unit.platform.test_content import PLAN, _call, _dashboard, _publish, filtered, source_id

__all__ = ["filtered", "source_id"]
LISTED = {"field": "ventes.region", "label": "Région", "values": ["Sud", "Nord"]}
VIEWERS = {"items": [{"role": "viewer"}]}


class Board:
    """A published dashboard with one tile, and browsers that look at it."""

    def __init__(self, world: World, source: str, *, filters: Any = (LISTED,), rights: Any = VIEWERS, **tile: Any) -> None:
        self.world = world
        self.id, self.tile = _dashboard(world, source)
        if tile:
            assert _call(world, "PATCH", f"/dashboards/{self.id}/widgets/{self.tile}", json=tile).status_code == 200
        assert _publish(world, self.id, filters=list(filters)).status_code == 200
        _call(world, "PUT", f"/dashboards/{self.id}/rights", json=rights)
        self.path = f"/tableaux/{self.id}"
        self.data = f"{self.path}/tuiles/{self.tile}"

    def opened(self, email: str = "viewer@t1.example") -> tuple[Browser, Any]:
        browser = Browser(self.world)
        browser.sign_in(email)
        return browser, browser.get(self.path)

    def shown(self, browser: Browser, **filters: str) -> Any:
        fields: dict[str, Any] = {f"filter:ventes.{name}": value for name, value in filters.items()}
        return browser.send(self.data, **fields, follow=False)


def _cells(answer: Any) -> list[str]:
    return [unescape(cell) for cell in re.findall(r"<td[^>]*>([^<]*)</td>", answer.json()["body"])]


def test_a_viewer_opens_it_from_the_gallery_and_sees_the_figures(world: World, source_id: str) -> None:
    board = Board(world, source_id)
    browser, page = board.opened()
    assert f'href="{board.path}"' in browser.get("/").text
    assert page.status_code == 200
    assert "<h1>Ventes</h1>" in page.text
    assert "Maison t1" in page.text
    assert '<option value="&#34;Nord&#34;">Nord</option>' in page.text
    assert not re.search(r"25,00|25\.00|10,00", page.text), "the page itself holds no figure"
    answer = board.shown(browser)
    assert (answer.status_code, answer.json()["state"]) == (200, "shown")
    assert _cells(answer) == ["Nord", "25,00\xa0€", "Sud", "10,00\xa0€"]
    assert 'class="dp-sentence"' in answer.json()["head"]
    assert "Exploratoire" in answer.json()["head"]
    assert re.search(r"Données au \d+\s\w+\s20\d\d à \d\d:\d\d", answer.json()["body"])
    assert answer.json()["chart"]["data"]


def test_no_statement_and_no_plan_for_a_viewer(world: World, source_id: str) -> None:
    board = Board(world, source_id, rights={"items": [{"role": "viewer"}, {"role": "analyst"}]})
    viewer, page = board.opened()
    for text in (page.text, board.shown(viewer).text):
        assert "SELECT" not in text.upper().replace("SELECTED", "").replace("<SELECT", "").replace("</SELECT", "")
        assert "measures" not in text
        assert source_id not in text
    analyst, _ = board.opened("analyst@t1.example")
    assert "SELECT" in board.shown(analyst).json()["body"]


def test_rows_are_the_viewers_own(world: World, filtered: str) -> None:
    board = Board(world, filtered)
    for region in ("Nord", "Sud"):
        world.add_user("t1", f"{region.lower()}@t1.example", "viewer", attributes={"region": region})
        browser, _ = board.opened(f"{region.lower()}@t1.example")
        assert _cells(board.shown(browser))[::2] == [region]
        content = browser.send(f"{board.data}/csv").content.decode("utf-8-sig")
        assert [line.split(";")[0] for line in content.splitlines()[1:]] == [region]
    without, _ = board.opened()
    answer = board.shown(without)
    assert "Nord" not in answer.text
    assert "Sud" not in answer.text


def test_only_what_the_publisher_listed_is_a_filter(world: World, source_id: str) -> None:
    board = Board(world, source_id)
    browser, _ = board.opened()
    south = board.shown(browser, region='"Sud"')
    assert _cells(south) == ["Sud", "10,00\xa0€"]
    assert "Nord" not in south.text
    for filters in (
        {"region": '"Est"'},
        {"region": "Sud"},
        {"region": '["Sud"]'},
        {"montant_ht": "10"},
        {"region": "x" * 400},
    ):
        for path in (board.data, f"{board.data}/csv"):
            fields: dict[str, Any] = {f"filter:ventes.{name}": value for name, value in filters.items()}
            answer = browser.send(path, follow=False, **fields)
            assert answer.status_code == 422, (path, filters)
            assert "prévu par l’auteur" in answer.text
            assert "Nord" not in answer.text
    assert board.shown(browser, region="").json()["state"] == "shown"


def test_nobody_of_another_tenant_and_nobody_without_a_right(world: World, source_id: str) -> None:
    board = Board(world, source_id, rights={"items": []})
    for email in ("viewer@t1.example", "viewer@t2.example", "analyst@t2.example", "administrator@t2.example"):
        browser, page = board.opened(email)
        assert page.status_code == 404, email
        assert "Page introuvable" in page.text
        answer = board.shown(browser)
        assert (answer.status_code, answer.json()["state"]) == (404, "closed"), email
        assert browser.send(f"{board.data}/csv").status_code == 404, email
        assert browser.get(f"{board.path}/etat").status_code == 404, email
        assert "Ventes" not in page.text + answer.text
    for nothing in ("x", "0" * 32, "..%2f", "é" * 32):
        assert browser.get(f"/tableaux/{nothing}").status_code == 404


@pytest.mark.parametrize("how", ["right", "unpublished", "disabled", "deleted"])
def test_what_is_withdrawn_while_it_lies_open(world: World, source_id: str, how: str) -> None:
    board = Board(world, source_id)
    browser, _ = board.opened()
    assert board.shown(browser).json()["state"] == "shown"
    assert browser.get(f"{board.path}/etat").json() == {"state": "open", "number": 1, "made": ""}
    if how == "right":
        _call(world, "PUT", f"/dashboards/{board.id}/rights", json={"items": []})
    elif how == "unpublished":
        _call(world, "POST", f"/dashboards/{board.id}/unpublish")
    elif how == "deleted":
        assert _call(world, "DELETE", f"/dashboards/{board.id}").status_code == 204
    else:
        _call(world, "PATCH", f"/users/{world.user_id('viewer')}", json={"status": "disabled"})
        for answer in (board.shown(browser), browser.get(f"{board.path}/etat", follow=False)):
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in")
        return
    for answer in (board.shown(browser), browser.get(f"{board.path}/etat")):
        assert (answer.status_code, answer.json()["state"]) == (404, "closed")
        assert "ne vous est plus ouvert" in answer.json()["title"]
        assert "Nord" not in answer.text
    assert browser.send(f"{board.data}/csv").status_code == 404


def test_another_version_is_told_and_its_lost_tile_is_not_an_error(world: World, source_id: str) -> None:
    board = Board(world, source_id)
    browser, _ = board.opened()
    tile = {"title": "Autre", "query": {"source_id": source_id, "plan": PLAN}}
    _call(world, "POST", f"/dashboards/{board.id}/widgets", json=tile)
    _call(world, "DELETE", f"/dashboards/{board.id}/widgets/{board.tile}")
    assert _publish(world, board.id).json()["number"] == 2
    assert board.shown(browser).json() == {"state": "stale"}
    assert browser.get(f"{board.path}/etat").json()["number"] == 2


def test_no_figure_without_this_browsers_token_or_from_elsewhere(world: World, source_id: str) -> None:
    board = Board(world, source_id)
    browser, _ = board.opened()
    for fields, headers in (
        ({"csrf": ""}, {}), ({"csrf": "0" * 64}, {}), ({}, {"Origin": "https://evil.example"}),
        ({}, {"Sec-Fetch-Site": "same-site"}), ({}, {"Content-Type": "application/json"}),
    ):  # fmt: skip
        answer = browser.send(board.data, headers=headers, follow=False, **fields)
        assert (answer.status_code, answer.json()["state"]) == (403, "closed")
        assert "Accès refusé" in answer.text
        assert browser.send(f"{board.data}/csv", headers=headers, follow=False, **fields).status_code == 403


def test_files_in_french_form_with_the_chosen_filter(world: World, source_id: str) -> None:
    from openpyxl import load_workbook  # type: ignore[import-untyped]

    board = Board(world, source_id, title="Chiffre d’affaires")
    browser, page = board.opened()
    assert f'formaction="{board.data}/csv"' in page.text
    chosen: dict[str, Any] = {"filter:ventes.region": '"Nord"'}
    csv = browser.send(f"{board.data}/csv", **chosen)
    assert csv.headers["content-disposition"] == 'attachment; filename="chiffre-d-affaires.csv"'
    assert csv.content.decode("utf-8-sig").splitlines() == ["Région;Chiffre d’affaires", "Nord;25,00"]
    xlsx = browser.send(f"{board.data}/xlsx")
    rows = list(load_workbook(io.BytesIO(xlsx.content)).active.iter_rows(values_only=True))
    assert {row[0]: row[1] for row in rows[1:]} == {"Nord": 25, "Sud": 10}
    for kind in ("json", "parquet", "arrow", "pdf"):
        assert browser.send(f"{board.data}/{kind}").status_code == 404


def test_the_kind_of_chart_is_the_authors(world: World, source_id: str) -> None:
    kinds = {}
    for wanted in ("table", "bar", "horizontal_bar", "auto"):
        board = Board(world, source_id, chart_type=wanted)
        browser, _ = board.opened()
        chart = board.shown(browser).json()["chart"]
        kinds[wanted] = chart and chart["layout"]["meta"]["datapilot"]["type"]
    assert kinds == {"table": None, "bar": "column", "horizontal_bar": "bar", "auto": "bar"}


def test_a_source_that_is_away_is_said_so_and_what_to_look_at_is_for_authors(
    world: World, source_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datapilot_kernel.errors import SourceProblem

    board = Board(world, source_id, rights={"items": [{"role": "viewer"}, {"role": "analyst"}]})

    def away(*args: Any, **values: Any) -> Any:
        raise SourceProblem("sources.unreachable")

    monkeypatch.setattr(world.platform.queries._sources, "open", away)
    viewer, _ = board.opened()
    answer = board.shown(viewer)
    assert answer.json()["state"] == "problem"
    assert "Source indisponible" in answer.json()["body"]
    assert "pare-feu" not in answer.text
    page = viewer.send(f"{board.data}/csv")
    assert page.status_code == 424
    assert "pare-feu" not in page.text
    assert f'href="{board.path}"' in page.text
    analyst, _ = board.opened("analyst@t1.example")
    assert "pare-feu" in board.shown(analyst).json()["body"]


def test_a_fault_is_one_sentence_with_its_incident(world: World, source_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(world, source_id)
    browser, _ = board.opened()

    def broken(*args: Any, **values: Any) -> Any:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(world.platform.queries._sources, "open", broken)
    answer = board.shown(browser)
    assert (answer.status_code, answer.json()["state"]) == (500, "problem")
    assert re.search(r'class="dp-code">[0-9A-F]{4}-[0-9A-F]{4}<', answer.json()["body"])
    assert "secret of the inside" not in answer.text
    monkeypatch.setattr(world.platform.content.publishing, "published", broken)
    answer = board.shown(browser)
    assert (answer.status_code, answer.json()["state"]) == (500, "problem")
    assert answer.json()["incident"]
    assert browser.get(board.path).status_code == 500


def test_what_people_and_data_say_is_text(world: World, source_id: str) -> None:
    typed = '"><script>alert(1)</script>'
    listed = {"field": "ventes.region", "label": typed, "values": [typed, "Nord"]}
    board = Board(world, source_id, filters=[listed], title=typed)
    browser, page = board.opened()
    answer = board.shown(browser, region=json.dumps(typed))
    assert answer.json()["state"] == "shown"
    for text in (page.text, answer.json()["head"], answer.json()["body"]):
        assert "<script>alert" not in text
    assert unescape(page.text).count(typed) >= 3


def test_the_pages_policy_lets_it_ask_its_own_origin_alone(world: World, source_id: str) -> None:
    board = Board(world, source_id)
    browser, page = board.opened()
    policy = page.headers["content-security-policy"]
    assert "connect-src 'self';" in policy
    assert "unsafe" not in policy
    assert "connect-src" not in browser.get("/").headers["content-security-policy"]
    script = re.search(r'data-plotly="([^"]+)"', page.text)
    assert script
    answer = browser.client.get(script[1], headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert "plotly.js" in answer.text[:200]
    assert browser.client.get("/static/plotly.js?v=old", headers={"Accept-Encoding": "identity"}).text == answer.text


def test_the_charts_library_is_served_as_browsers_run_it_fastest(world: World, source_id: str) -> None:
    """The file that the plotly package brings and the small one have one shape; another one would be served untouched."""
    found = static.charts_library()
    assert found is not None
    script = gzip.decompress(found.packed).decode()
    assert script.count("this, (() => {") == 1
    assert script.rstrip().endswith("return Plotly;\n})));")
    assert script.count('getElementById("' + found.styles[0] + '")') == 1
    _, page = Board(world, source_id).opened()
    assert all(f'<meta id="{name}"' in page.text for name in found.styles)
    head, _, rest = page.text.partition('id="dp-library"')
    assert all(name in head and name not in rest for name in found.styles), "before the library looks for them"
    other = static.ChartsLibrary.of(b"window.Plotly = {};")
    assert (gzip.decompress(other.packed), other.styles) == (b"window.Plotly = {};", ())


def test_without_the_library_there_are_tables_and_no_chart(
    world: World, source_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static, "charts_library", lambda: None)
    board = Board(world, source_id)
    browser, page = board.opened()
    assert 'data-plotly=""' in page.text
    assert browser.client.get("/static/plotly.js").status_code == 404
    assert board.shown(browser).json()["state"] == "shown"
