"""Renderings: what a grant opens and what not, whose rights a tile is run with, and what becomes of the markup.

The hub is a little server that writes down what it is asked; the test plays the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub_config.hub_names import rendering_of
from hub_config.rendering.jobs import PERSON_KEPT
from hub_config.rendering.markup import cleaned, places
from tests.platform_support import World, make_world, wait_until
from tests.rendering_hub import TOKEN, RenderingHub, rendering_hub
from tests.unit.platform.test_content import PLAN, _call, _dashboard, _publish, filtered, source_id

__all__ = ["filtered", "source_id"]  # fixtures


@pytest.fixture
def hub() -> Iterator[RenderingHub]:
    with rendering_hub() as made:
        yield made


@pytest.fixture
def world(tmp_path: Path, hub: RenderingHub) -> Iterator[World]:
    with make_world(tmp_path, hub_api_url=hub.url, hub_api_token=TOKEN) as made:
        yield made


@pytest.fixture
def published(world: World, source_id: str) -> tuple[str, str]:
    """(dashboard, tile), in force and open to viewers and analysts."""
    dashboard, tile = _dashboard(world, source_id)
    assert _publish(world, dashboard).status_code == 200
    rights = {"items": [{"role": "viewer"}, {"role": "analyst"}]}
    assert _call(world, "PUT", f"/dashboards/{dashboard}/rights", json=rights).status_code == 200
    return dashboard, tile


def _begin(world: World, hub: RenderingHub, dashboard: str, role: str = "viewer") -> tuple[str, dict[str, str]]:
    """(rendering, the headers of its process)."""
    known = set(hub.grants)
    begun = _call(world, "POST", f"/dashboards/{dashboard}/renderings", role)
    assert begun.status_code == 202, begun.text
    (name,) = set(hub.grants) - known
    assert rendering_of(name) == (world.tenant_id(), begun.json()["id"])
    return begun.json()["id"], {"Authorization": f"Bearer {hub.grants[name]}"}


def _grant(world: World, method: str, path: str, headers: dict[str, str], **more: Any) -> Any:
    return world.client.request(method, f"/api/v1/rendering{path}", headers=headers, **more)


def test_from_the_start_to_the_page(world: World, hub: RenderingHub, published: tuple[str, str]) -> None:
    dashboard, tile = published
    rendering, process = _begin(world, hub, dashboard)
    job = _grant(world, "GET", "/job", process).json()
    assert [cell["source"] for cell in job["notebook"]["cells"]] == [f"%tile {tile}"]
    outcome = _grant(world, "POST", f"/tiles/{tile}", process).json()
    assert sorted(map(tuple, outcome["rows"])) == [("Nord", "25.00"), ("Sud", "10.00")]
    assert (outcome["sql"], outcome["plan"]) == ("", None), "a viewer's"
    assert _grant(world, "POST", "/progress", process, json={"done": 1, "of": 2}).status_code == 204
    shown = _call(world, "GET", f"/renderings/{rendering}", "viewer").json()
    assert (shown["state"], shown["cells_done"], shown["cells"], shown["tiles"]) == ("running", 1, 2, {})
    page = {"markup": f'<section class="dp-tile" data-tile="{tile}"></section><script>x</script>', "tiles": [tile]}
    assert _grant(world, "POST", "/page", process, json=page).status_code == 204
    shown = _call(world, "GET", f"/renderings/{rendering}", "viewer").json()
    assert (shown["state"], shown["markup"]) == ("ready", f'<section class="dp-tile" data-tile="{tile}"></section>')
    assert shown["tiles"][tile]["rows"] == outcome["rows"]
    assert _grant(world, "GET", "/job", process).status_code == 401, "the grant is over"
    wait_until(lambda: hub.removed)
    assert not hub.users


def test_a_grant_opens_its_own_rendering_and_nothing_else(
    world: World, hub: RenderingHub, published: tuple[str, str], source_id: str
) -> None:
    dashboard, _ = published
    other, foreign = _dashboard(world, source_id)
    _publish(world, other)
    _, process = _begin(world, hub, dashboard)
    assert _grant(world, "POST", f"/tiles/{foreign}", process).status_code == 404, "another dashboard's tile"
    for path in ("/auth/me", "/data-sources", f"/dashboards/{dashboard}/published", "/queries"):
        assert world.client.get(f"/api/v1{path}", headers=process).status_code == 401, path
    asked = {"source_id": source_id, "plan": PLAN}
    assert world.client.post("/api/v1/ai/query", json=asked, headers=process).status_code == 401
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}, world.headers("viewer")):
        assert _grant(world, "GET", "/job", headers).status_code == 401


def test_tiles_are_run_with_the_viewers_rights_of_the_moment(world: World, hub: RenderingHub, filtered: str) -> None:
    dashboard, tile = _dashboard(world, filtered)
    _publish(world, dashboard)
    _call(world, "PUT", f"/dashboards/{dashboard}/rights", json={"items": [{"role": "viewer"}]})
    viewer = world.user_id("viewer")
    _call(world, "PATCH", f"/users/{viewer}", json={"attributes": {"region": "Sud"}})
    _, process = _begin(world, hub, dashboard)
    rows = _grant(world, "POST", f"/tiles/{tile}", process).json()["rows"]
    assert rows == [["Sud", "10.00"]]
    # Another attribute: what was begun for the rights of before is not handed out.
    _call(world, "PATCH", f"/users/{viewer}", json={"attributes": {"region": "Nord"}})
    assert _grant(world, "POST", f"/tiles/{tile}", process).status_code == 401
    _, process = _begin(world, hub, dashboard)
    assert _grant(world, "POST", f"/tiles/{tile}", process).json()["rows"] == [["Nord", "25.00"]]
    # The right is withdrawn while it is being rendered.
    _call(world, "PUT", f"/dashboards/{dashboard}/rights", json={"items": []})
    assert _grant(world, "POST", f"/tiles/{tile}", process).status_code == 404


def test_another_version_or_a_disabled_person_ends_it(world: World, hub: RenderingHub, published: tuple[str, str]) -> None:
    dashboard, tile = published
    _, process = _begin(world, hub, dashboard)
    _publish(world, dashboard)
    assert _grant(world, "POST", f"/tiles/{tile}", process).status_code == 404
    _, process = _begin(world, hub, dashboard, "analyst")
    _call(world, "PATCH", f"/users/{world.user_id('analyst')}", json={"status": "disabled"})
    assert _grant(world, "POST", f"/tiles/{tile}", process).status_code == 401


def test_a_rendering_is_its_persons_own(world: World, hub: RenderingHub, published: tuple[str, str]) -> None:
    dashboard, _ = published
    rendering, _ = _begin(world, hub, dashboard)
    assert _call(world, "GET", f"/renderings/{rendering}", "viewer").status_code == 200
    assert _call(world, "GET", f"/renderings/{rendering}", "analyst").status_code == 404
    assert _call(world, "GET", f"/renderings/{rendering}", "administrator").status_code == 404
    assert _call(world, "GET", f"/renderings/{rendering}", "viewer", tenant="t2").status_code == 404
    assert _call(world, "POST", f"/dashboards/{dashboard}/renderings", "viewer", tenant="t2").status_code == 404


def test_the_authors_error_is_for_authors(world: World, hub: RenderingHub, published: tuple[str, str]) -> None:
    dashboard, _ = published
    failed = {"cell": 0, "name": "ValueError", "trace": "ValueError: 'Dupont'"}
    for role, trace in (("viewer", None), ("analyst", "ValueError: 'Dupont'")):
        rendering, process = _begin(world, hub, dashboard, role)
        assert _grant(world, "POST", "/failure", process, json=failed).status_code == 204
        shown = _call(world, "GET", f"/renderings/{rendering}", role).json()
        assert (shown["state"], shown["failure"], shown["trace"]) == ("failed", "author", trace)


def test_a_page_has_only_tiles_that_were_run_for_it(world: World, hub: RenderingHub, published: tuple[str, str]) -> None:
    dashboard, tile = published
    rendering, process = _begin(world, hub, dashboard)
    page = {"markup": f'<section data-tile="{tile}"></section>', "tiles": [tile]}
    _grant(world, "POST", "/page", process, json=page)
    assert _call(world, "GET", f"/renderings/{rendering}", "viewer").json()["tiles"] == {}


def test_limits_and_a_hub_that_is_away(world: World, hub: RenderingHub, published: tuple[str, str]) -> None:
    dashboard, _ = published
    hub.status = 503
    answer = _call(world, "POST", f"/dashboards/{dashboard}/renderings", "viewer")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    hub.status = None
    assert world.settings.tenant_parallel_renderings == 2
    _begin(world, hub, dashboard)
    answer = _call(world, "POST", f"/dashboards/{dashboard}/renderings", "viewer")
    assert answer.status_code == 429, "one place is left for somebody else"
    assert int(answer.headers["Retry-After"]) > 0
    _begin(world, hub, dashboard, "analyst")
    assert _call(world, "POST", f"/dashboards/{dashboard}/renderings").status_code == 429, "the tenant's are used up"


def test_a_process_that_went_away_is_noticed(world: World, hub: RenderingHub, published: tuple[str, str]) -> None:
    dashboard, _ = published
    rendering, process = _begin(world, hub, dashboard)
    _grant(world, "GET", "/job", process)
    hub.grants.clear()  # the process is gone; the hub still knows the user
    wait_until(lambda: _call(world, "GET", f"/renderings/{rendering}", "viewer").json()["state"] == "failed")
    assert _call(world, "GET", f"/renderings/{rendering}", "viewer").json()["failure"] == "lost"


def test_without_a_hub_there_is_no_rendering(tmp_path: Path) -> None:
    with make_world(tmp_path) as world:
        made = _call(world, "POST", "/dashboards", json={"name": "Ventes"}).json()["id"]
        assert _call(world, "POST", f"/dashboards/{made}/renderings").status_code == 404


@pytest.mark.parametrize(
    "markup",
    [
        "<script>fetch('//x')</script>",
        "<img src=x onerror=alert(1)>",
        '<a href="javascript:alert(1)">a</a>',
        '<a href="data:text/html,x">a</a>',
        "<svg><script>1</script></svg>",
        '<math><mtext><img src="x" onerror="1"></mtext></math>',
        '<iframe src="//x"></iframe>',
        '<form action="//x"><input name=a></form>',
        '<p style="background:url(//x)">a</p>',
        '<link rel=stylesheet href="//x">',
        '<meta http-equiv=refresh content="0;url=//x">',
        '<section data-tile="x" onclick="1" class="dp-tile dp-chrome"></section>',
        "<!--[if IE]><script>1</script><![endif]-->",
        '<base href="//x">',
        '<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>',
    ],
)
def test_nothing_in_the_markup_runs_or_loads(markup: str) -> None:
    clean = cleaned(f"<p>avant</p>{markup}<p>après</p>")
    assert clean.startswith("<p>avant</p>")
    for word in ("script", "onerror", "onclick", "//x", "data:", "style", "iframe", "<img", "<form", "<!--", "dp-chrome"):
        assert word not in clean, clean


def test_places_are_found_in_order() -> None:
    a, b = "a" * 32, "b" * 32
    markup = f'<section class="dp-tile" data-tile="{b}"></section><p>x</p><section data-tile="{a}"></section>'
    assert places(cleaned(markup)) == [b, a]


def test_a_persons_pages_do_not_fill_the_memory(world: World, hub: RenderingHub, published: tuple[str, str]) -> None:
    dashboard, _ = published
    other, process = _begin(world, hub, dashboard, "analyst")
    assert _grant(world, "POST", "/page", process, json={"markup": "", "tiles": []}).status_code == 204
    made = []
    for _ in range(PERSON_KEPT + 2):
        rendering, process = _begin(world, hub, dashboard)
        assert _grant(world, "POST", "/page", process, json={"markup": "", "tiles": []}).status_code == 204
        made.append(rendering)
    found = [_call(world, "GET", f"/renderings/{each}", "viewer").status_code for each in made]
    assert found == [404, 404] + [200] * PERSON_KEPT
    assert _call(world, "GET", f"/renderings/{other}", "analyst").status_code == 200, "another person's stays"
