"""Pages made ahead: whose they are, when they are made, what stays when that fails, and what goes.

Without threads: the test looks and makes by hand (:func:`_make`), so that nothing happens beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from hub_config.content.publishing import Published
from hub_config.database import AuditEvent, Dashboard, DashboardSnapshot, Query, utc_now
from hub_config.errors import NotFound
from hub_config.principal import Principal
from hub_config.snapshots import Schedule, Snapshot, store
from hub_config.snapshots.keys import REFRESH, attributes_key, rights_key
from hub_config.snapshots.making import NotMade, Work
from tests.platform_support import World, make_world
from tests.unit.platform.test_content import _call, _dashboard, _publish, filtered, source_id
from tests.unit.platform.test_semantic_layers_api import _accept, _draft, _save, _with

__all__ = ["filtered", "source_id"]  # fixtures


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, parallel_refreshes=1)
    made.platform.content.snapshots.keeper.start = lambda: None
    with made:
        yield made


def _make(world: World, *, now: datetime | None = None) -> None:
    """Do what the threads do: look through the tenant, and make what is queued."""
    keeper = world.platform.content.snapshots.keeper
    for _ in range(3):
        keeper.look(world.tenant_id(), now=now)
        keeper.work_off()


def _rights(world: World, dashboard: str, *items: dict[str, str]) -> None:
    assert _call(world, "PUT", f"/dashboards/{dashboard}/rights", json={"items": list(items)}).status_code == 200


def _person(world: World, name: str, role: Any = "viewer", **attributes: str) -> Principal:
    user = world.add_user("t1", f"{name}@t1.example", role, attributes=attributes)
    return world.people.authenticate(world.token_of(world.tenant_id(), user))


def _published(world: World, principal: Principal, dashboard: str) -> Published:
    found: Published = world.platform.content.publishing.published(principal, dashboard)
    return found


def _of(world: World, principal: Principal, dashboard: str) -> Snapshot | None:
    found: Snapshot | None = world.platform.content.snapshots.of(principal, _published(world, principal, dashboard))
    return found


def _rows(snapshot: Snapshot | None) -> list[list[Any]]:
    assert snapshot is not None
    (body,) = snapshot.tiles.values()
    rows: list[list[Any]] = sorted(json.loads(body).get("rows", []))  # of a refusal: none
    return rows


def _queries(world: World) -> list[tuple[str, Any]]:
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        return [(row.user_id, row.conversation_id) for row in session.scalars(select(Query))]


def _held(world: World, dashboard: str) -> list[DashboardSnapshot]:
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        wanted = select(DashboardSnapshot).where(DashboardSnapshot.dashboard_id == dashboard)
        return list(session.scalars(wanted.order_by(DashboardSnapshot.version)))


@pytest.fixture
def open_to_viewers(world: World, filtered: str) -> str:
    dashboard, _ = _dashboard(world, filtered)
    assert _publish(world, dashboard).status_code == 200
    _rights(world, dashboard, {"role": "viewer"})
    return dashboard


# ── whose they are ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_is_made_for_each_distinct_rights_and_shared_by_equal_ones_alone(world: World, open_to_viewers: str) -> None:
    north, south, too = (_person(world, *given) for given in (("n",), ("s",), ("n2",)))
    for person, region in ((north, "Nord"), (south, "Sud"), (too, "Nord")):
        _call(world, "PATCH", f"/users/{person.user_id}", json={"attributes": {"region": region}})
    north, south, too = (world.people.as_now(person) for person in (north, south, too))
    before = len(_queries(world))
    _make(world)
    made = _queries(world)[before:]
    assert len(made) == 3, "for the north, the south, and those without a region"
    assert {user for user, _ in made} == {REFRESH}
    assert {conversation for _, conversation in made} == {None}
    assert _rows(_of(world, north, open_to_viewers)) == [["Nord", "25.00"]]
    assert _rows(_of(world, south, open_to_viewers)) == [["Sud", "10.00"]]
    assert _rows(_of(world, too, open_to_viewers)) == [["Nord", "25.00"]]
    assert len(_queries(world)) == before + 3, "reading asks nothing of a source"
    keys = {row.rights_key for row in _held(world, open_to_viewers)}
    assert len(keys) == 3


def test_a_viewers_has_neither_statement_nor_plan_and_says_how_old_it_is(world: World, open_to_viewers: str) -> None:
    for role in ("viewer", "administrator"):
        _call(world, "PATCH", f"/users/{world.user_id(role)}", json={"attributes": {"region": "Sud"}})
    began = utc_now()
    _make(world)
    viewer, author = world.principal("viewer"), world.principal("administrator")
    seen = _of(world, viewer, open_to_viewers)
    assert seen is not None
    (shown,) = (json.loads(body) for body in seen.tiles.values())
    assert (shown["sql"], shown["plan"]) == ("", None)
    assert began <= seen.made_at <= utc_now()
    assert datetime.fromisoformat(shown["read_at"]) >= began - timedelta(seconds=1)
    assert shown["currency"] == "EUR"
    again = _of(world, author, open_to_viewers)
    assert again is not None
    (whole,) = (json.loads(body) for body in again.tiles.values())
    assert "SELECT" in whole["sql"] and whole["plan"] is not None  # noqa: PT018 -- one thought
    assert "data-tile" in seen.markup


def test_an_author_whom_no_right_names_needs_the_source_by_themselves(world: World, filtered: str) -> None:
    dashboard, _ = _dashboard(world, filtered)
    _publish(world, dashboard)
    _rights(world, dashboard, {"role": "viewer"})
    _make(world)
    analyst = world.principal("analyst")
    assert not _published(world, analyst, dashboard).by_right
    assert _of(world, analyst, dashboard) is not None
    finance = _call(world, "POST", "/workspaces", json={"name": "Finance"}).json()["id"]
    source = _call(world, "GET", f"/data-sources/{filtered}").json()
    moved = {"revision": source["revision"], "move": True, "workspace_id": finance}
    assert _call(world, "PATCH", f"/data-sources/{filtered}", json=moved).status_code == 200
    _make(world)
    assert _of(world, world.principal("viewer"), dashboard) is not None, "the dashboard's right lends the source"
    asked = len(_queries(world))
    assert _of(world, analyst, dashboard) is None
    _make(world)
    assert len(_queries(world)) == asked, "and none is made for them"


def test_another_layer_another_attribute_another_connection_find_nothing_of_before(
    world: World, filtered: str, open_to_viewers: str
) -> None:
    _make(world)
    viewer = world.principal("viewer")
    assert _rows(_of(world, viewer, open_to_viewers)) == []
    # Another layer in force: no filter any more.
    made = _save(world, filtered, _with(_draft(world, filtered), row_filter="null"))
    assert _accept(world, made.json()["layer"]["id"]).status_code == 200
    assert _of(world, viewer, open_to_viewers) is None
    _make(world)
    assert len(_rows(_of(world, viewer, open_to_viewers))) == 2
    # Back to a filter: what was made without it is found no more, whatever a reader's moment.
    made = _save(world, filtered, _with(_draft(world, filtered), row_filter='"region = {region}"'))
    _accept(world, made.json()["layer"]["id"])
    assert _of(world, viewer, open_to_viewers) is None
    _make(world)
    _call(world, "PATCH", f"/users/{viewer.user_id}", json={"attributes": {"region": "Sud"}})
    assert _of(world, world.principal("viewer"), open_to_viewers) is None, "made for who they were"
    _make(world)
    assert _rows(_of(world, world.principal("viewer"), open_to_viewers)) == [["Sud", "10.00"]]


def test_nothing_of_another_tenant_and_nothing_without_the_right(world: World, open_to_viewers: str) -> None:
    _make(world)
    published = _published(world, world.principal("administrator"), open_to_viewers)
    stranger = world.principal("viewer", tenant="t2")
    assert world.platform.content.snapshots.of(stranger, published) is None
    for act in ("refresh", "progress", "schedule"):
        with pytest.raises(NotFound):
            getattr(world.platform.content.snapshots, act)(world.principal("administrator", tenant="t2"), open_to_viewers)
        with pytest.raises(NotFound):
            getattr(world.platform.content.snapshots, act)(world.principal("viewer"), open_to_viewers)


def test_what_is_kept_is_sealed_for_its_row_and_tenant(world: World, open_to_viewers: str) -> None:
    _call(world, "PATCH", f"/users/{world.user_id('viewer')}", json={"attributes": {"region": "Sud"}})
    _make(world)
    rows = _held(world, open_to_viewers)
    assert len(rows) == 2, "the viewer's, and the administrator's who published"
    for row in rows:
        assert row.content_encrypted is not None
        assert "Sud" not in row.content_encrypted
    one, other = rows
    with world.database.tenant(world.tenant_id()) as session:
        swapped = update(DashboardSnapshot).where(DashboardSnapshot.id == one.id)
        session.execute(swapped.values(content_encrypted=other.content_encrypted))
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        assert store.read(session, world.platform.vault, one.id) is None
        assert store.read(session, world.platform.vault, other.id) is not None


# ── when they are made ────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_finds_none_has_one_made(world: World, open_to_viewers: str) -> None:
    _make(world)
    late = _person(world, "tard", "analyst", region="Nord")
    assert _of(world, late, open_to_viewers) is None
    world.platform.content.snapshots.keeper.work_off()
    assert _rows(_of(world, late, open_to_viewers)) == [["Nord", "25.00"]]


def test_a_newer_version_is_made_and_the_older_stays_until_then(world: World, open_to_viewers: str) -> None:
    _make(world)
    viewer = world.principal("viewer")
    tile = {"title": "Autre", "query": {"source_id": _source_of(world, open_to_viewers), "plan": _plan()}}
    assert _call(world, "POST", f"/dashboards/{open_to_viewers}/widgets", json=tile).status_code == 201
    _publish(world, open_to_viewers)
    seen = _of(world, viewer, open_to_viewers)
    assert seen is not None
    assert (seen.version, seen.making, len(seen.content["tiles"])) == (1, True, 1)
    _make(world)
    seen = _of(world, viewer, open_to_viewers)
    assert seen is not None
    assert (seen.version, seen.making, len(seen.tiles)) == (2, False, 2)
    assert [row.version for row in _held(world, open_to_viewers)] == [2], "what it stands in for is let go"
    # Going back withdraws the newer one at once, made or not.
    versions = _call(world, "GET", f"/dashboards/{open_to_viewers}/versions").json()["items"]
    _publish(world, open_to_viewers, version_id=next(v["id"] for v in versions if v["number"] == 1))
    assert _of(world, viewer, open_to_viewers) is None
    _make(world)
    seen = _of(world, viewer, open_to_viewers)
    assert seen is not None
    assert seen.version == 1


def test_a_refresh_on_demand_reads_the_sources_anew_once_for_equal_rights(world: World, open_to_viewers: str) -> None:
    for name in ("a", "b", "c"):
        _person(world, name)
    _make(world)
    before = len(_queries(world))
    first = _of(world, world.principal("viewer"), open_to_viewers)
    answer = _call(world, "POST", f"/dashboards/{open_to_viewers}/refresh")
    assert answer.status_code == 202, answer.text
    assert (answer.json()["rights"], answer.json()["queued"]) == (1, 1)
    world.platform.content.snapshots.keeper.work_off()
    assert len(_queries(world)) == before + 1
    second = _of(world, world.principal("viewer"), open_to_viewers)
    assert first is not None and second is not None and second.made_at > first.made_at  # noqa: PT018 -- one thought
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        actors = session.execute(select(AuditEvent.actor_id, AuditEvent.actor_email, AuditEvent.action))
        found = [tuple(row) for row in actors if row.action in ("dashboard.refresh", "dashboard.refresh_asked")]
    assert (REFRESH, REFRESH, "dashboard.refresh") in found
    assert found[-2][2] == "dashboard.refresh_asked" or found[-1][2] == "dashboard.refresh_asked"


def test_a_schedule_makes_up_once_for_what_was_missed(world: World, open_to_viewers: str) -> None:
    _make(world)
    path = f"/dashboards/{open_to_viewers}/refresh"
    assert _call(world, "GET", path).json()["kind"] == "off"
    wanted = {"kind": "daily", "at": "08:00"}
    answer = _call(world, "PUT", path, "analyst", json=wanted)
    assert answer.status_code == 200, answer.text
    assert answer.json()["next_at"] is not None
    before = len(_queries(world))
    _make(world)
    assert len(_queries(world)) == before, "not at once"
    later = utc_now() + timedelta(days=3)
    _make(world, now=later)
    assert len(_queries(world)) == before + 1, "three were missed, one is made up for"
    _make(world, now=later + timedelta(minutes=1))
    assert len(_queries(world)) == before + 1
    _make(world, now=later + timedelta(days=1))
    assert len(_queries(world)) == before + 2
    assert _call(world, "PUT", path, "viewer", json=wanted).status_code == 403
    assert _call(world, "PUT", path, json=wanted, tenant="t2").status_code == 404
    assert _call(world, "PUT", path, json={"kind": "daily", "at": "25:00"}).status_code == 422


@pytest.mark.parametrize(
    ("kind", "at", "now", "due"),
    [
        ("hourly", "00:15", "2026-06-17T10:14:59+00:00", "2026-06-17T09:15:00+00:00"),
        ("hourly", "08:15", "2026-06-17T10:15:00+00:00", "2026-06-17T10:15:00+00:00"),
        ("daily", "08:00", "2026-06-17T05:59:00+00:00", "2026-06-16T06:00:00+00:00"),
        ("daily", "08:00", "2026-12-17T07:00:00+00:00", "2026-12-17T07:00:00+00:00"),
        ("daily", "02:30", "2026-03-29T02:00:00+00:00", "2026-03-29T01:30:00+00:00"),  # the hour that does not exist
        ("daily", "02:30", "2026-10-25T05:00:00+00:00", "2026-10-25T00:30:00+00:00"),  # the first of two
        ("workdays", "08:00", "2026-07-14T12:00:00+00:00", "2026-07-13T06:00:00+00:00"),  # a holiday
        ("workdays", "08:00", "2026-11-22T12:00:00+00:00", "2026-11-20T07:00:00+00:00"),  # a Sunday
        ("off", "08:00", "2026-11-22T12:00:00+00:00", None),
    ],
)
def test_the_latest_moment_that_was_due(kind: Any, at: str, now: str, due: str | None) -> None:
    found = Schedule(kind=kind, at=at).due(datetime.fromisoformat(now))
    assert (found.isoformat() if found else None) == due


@pytest.mark.parametrize(
    ("kind", "now", "following"),
    [
        ("hourly", "2026-06-17T10:14:59+00:00", "2026-06-17T11:00:00+00:00"),
        ("daily", "2026-06-17T06:00:00+00:00", "2026-06-18T06:00:00+00:00"),
        ("daily", "2026-06-17T05:00:00+00:00", "2026-06-17T06:00:00+00:00"),
        ("workdays", "2026-12-24T12:00:00+00:00", "2026-12-28T07:00:00+00:00"),
        ("off", "2026-12-24T12:00:00+00:00", None),
    ],
)
def test_when_it_is_refreshed_next(kind: Any, now: str, following: str | None) -> None:
    found = Schedule(kind=kind, at="08:00").following(datetime.fromisoformat(now))
    assert (found.isoformat() if found else None) == following


def test_keys_differ_by_everything_that_decides_and_by_nothing_else() -> None:
    person = {"region": "Sud", "agence": "3"}
    stood = {"s1": ("1", "c1", "l1"), "s2": ("1", "c1", "l1")}
    key = rights_key("t1", person, stood)
    assert rights_key("t1", {"agence": "3", "region": "Sud"}, dict(reversed(stood.items()))) == key
    others = [
        rights_key("t2", person, stood),
        rights_key("t1", person | {"region": "Nord"}, stood),
        rights_key("t1", {"region": "Sud"}, stood),
        rights_key("t1", {"region": "Sud3", "agence": ""}, stood),
        *(rights_key("t1", person, stood | {"s2": changed}) for changed in (("2", "c1", "l1"), ("1", "c2", "l1"), ("1", "c1", ""))),
        rights_key("t1", person, {"s1": stood["s1"]}),
    ]  # fmt: skip
    assert len({key, *others}) == len(others) + 1
    assert attributes_key("t1", {}) != attributes_key("t2", {})


# ── what stays, and what goes ─────────────────────────────────────────────────────────────────────────────────────────


def _failing(world: World, monkeypatch: pytest.MonkeyPatch, failed: NotMade) -> None:
    def make(work: Work, beat: Any) -> store.Made:
        raise failed

    monkeypatch.setattr(world.platform.content.snapshots.maker, "make", make)


def test_a_failed_refresh_keeps_the_last_good_page_and_says_so(
    world: World, open_to_viewers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _make(world)
    viewer = world.principal("viewer")
    good = _of(world, viewer, open_to_viewers)
    with monkeypatch.context() as patched:
        _failing(world, patched, NotMade("source"))
        _call(world, "POST", f"/dashboards/{open_to_viewers}/refresh")
        world.platform.content.snapshots.keeper.work_off()
    seen = _of(world, viewer, open_to_viewers)
    assert good is not None and seen is not None  # noqa: PT018 -- one thought
    assert (seen.markup, dict(seen.tiles), seen.made_at) == (good.markup, dict(good.tiles), good.made_at)
    assert seen.failure == "source"
    assert seen.failed_at is not None
    assert seen.failed_at > seen.made_at
    (row,) = _held(world, open_to_viewers)
    assert row.state == "queued" and row.not_before is not None and row.not_before > utc_now()  # noqa: PT018
    with world.database.tenant(world.tenant_id()) as session:
        session.execute(update(DashboardSnapshot).values(not_before=utc_now() - timedelta(seconds=1)))
    _make(world)
    seen = _of(world, viewer, open_to_viewers)
    assert seen is not None
    assert (seen.failed_at, seen.failure) == (None, None)
    assert seen.made_at > good.made_at


def test_the_authors_error_is_for_whoever_has_the_rights_it_came_about_with(
    world: World, open_to_viewers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _call(world, "PATCH", f"/users/{world.user_id('viewer')}", json={"attributes": {"region": "Sud"}})

    def make(work: Work, beat: Any) -> store.Made:
        raise NotMade("author", cell=2, trace=f"ValueError: {work.attributes.get('region', 'rien')}")

    monkeypatch.setattr(world.platform.content.snapshots.maker, "make", make)
    _make(world)
    snapshots = world.platform.content.snapshots
    for row in _held(world, open_to_viewers):
        assert row.trace_encrypted is not None
        assert "ValueError" not in row.trace_encrypted
    seen = snapshots.progress(world.principal("administrator"), open_to_viewers)
    assert (seen.failed, seen.failure, seen.cell, seen.trace) == (2, "author", 2, "ValueError: rien")
    _call(world, "PATCH", f"/users/{world.user_id('analyst')}", json={"attributes": {"region": "Est"}})
    seen = snapshots.progress(world.principal("analyst"), open_to_viewers)
    assert (seen.failure, seen.cell, seen.trace) == ("author", 2, None), "what others' rights show is not theirs"
    answer = _call(world, "GET", f"/dashboards/{open_to_viewers}/refresh/progress", "analyst")
    assert answer.status_code == 200
    assert "Sud" not in answer.text


def test_a_row_that_its_maker_left_is_taken_up_by_another(world: World, open_to_viewers: str) -> None:
    keeper = world.platform.content.snapshots.keeper
    keeper.look(world.tenant_id())
    (row,) = _held(world, open_to_viewers)
    with world.database.tenant(world.tenant_id()) as session:
        claimed = store.claim(session, row.id, lease=timedelta(seconds=-1))
        assert claimed is not None
    with world.database.tenant(world.tenant_id()) as session:
        again = store.claim(session, row.id)
        assert again is not None
        assert store.claim(session, row.id) is None, "one at a time"
        made = store.Made("<p>a</p>", {}, utc_now())
        assert not store.keep(session, world.platform.vault, row.id, claimed[1], made, made.packed()), "who lost it"
        assert store.renew(session, row.id, again[1], 1, 2)
        assert store.keep(session, world.platform.vault, row.id, again[1], made, made.packed())
    seen = _of(world, world.principal("viewer"), open_to_viewers)
    assert seen is not None
    assert seen.markup == "<p>a</p>"


def test_a_publication_meanwhile_wins(world: World, open_to_viewers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = world.platform.content.snapshots.maker
    published: list[int] = []
    real = maker.make

    def make(work: Work, beat: Any) -> store.Made:
        made = real(work, beat)
        if not published:
            published.append(work.version)
            assert _publish(world, open_to_viewers).status_code == 200
        found: store.Made = made
        return found

    monkeypatch.setattr(maker, "make", make)
    _make(world)
    seen = _of(world, world.principal("viewer"), open_to_viewers)
    assert published == [1]
    assert seen is not None
    assert (seen.version, seen.failed_at) == (2, None)
    assert [row.version for row in _held(world, open_to_viewers) if row.content_encrypted] == [2]


def test_a_layer_accepted_meanwhile_makes_the_page_nobodys(
    world: World, filtered: str, open_to_viewers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = world.platform.content.snapshots.maker
    accepted: list[int] = []
    real = maker.make

    def make(work: Work, beat: Any) -> store.Made:
        found: store.Made = real(work, beat)
        if not accepted:
            accepted.append(1)
            saved = _save(world, filtered, _with(_draft(world, filtered), row_filter="\"region = 'Nord'\""))
            assert _accept(world, saved.json()["layer"]["id"]).status_code == 200
        return found

    monkeypatch.setattr(maker, "make", make)
    _make(world)
    assert _rows(_of(world, world.principal("viewer"), open_to_viewers)) == [["Nord", "25.00"]]


def test_what_nobody_has_the_rights_of_any_more_is_let_go(world: World, open_to_viewers: str) -> None:
    south = _person(world, "sud", region="Sud")
    _make(world)
    assert len(_held(world, open_to_viewers)) == 2
    assert _call(world, "DELETE", f"/users/{south.user_id}").status_code == 204
    _make(world)
    assert len(_held(world, open_to_viewers)) == 1
    _call(world, "POST", f"/dashboards/{open_to_viewers}/unpublish")
    _make(world)
    assert _held(world, open_to_viewers) == []


def test_a_dashboard_takes_its_pages_along(world: World, open_to_viewers: str) -> None:
    _make(world)
    assert len(_held(world, open_to_viewers)) == 1
    _call(world, "POST", f"/dashboards/{open_to_viewers}/unpublish")
    assert _call(world, "DELETE", f"/dashboards/{open_to_viewers}").status_code == 204
    assert _held(world, open_to_viewers) == []


def test_pages_that_were_not_made_again_are_not_kept_for_ever(world: World, open_to_viewers: str) -> None:
    _make(world)
    world.platform.retention.sweep(world.tenant_id())
    assert len(_held(world, open_to_viewers)) == 1
    old = utc_now() - timedelta(days=world.settings.snapshot_retention_days + 1)
    with world.database.tenant(world.tenant_id()) as session:
        session.execute(update(DashboardSnapshot).values(made_at=old))
    world.platform.retention.sweep(world.tenant_id())
    assert _held(world, open_to_viewers) == []


def test_a_tenants_pages_have_bounds(world: World, open_to_viewers: str) -> None:
    _person(world, "sud", region="Sud")
    _make(world)
    assert len(_held(world, open_to_viewers)) == 2
    newest = max(_held(world, open_to_viewers), key=lambda row: row.made_at or datetime.min.replace(tzinfo=UTC))
    with world.database.tenant(world.tenant_id()) as session:
        assert store.make_room(session, newest.size_bytes, but=newest.id) == 1
    assert [row.id for row in _held(world, open_to_viewers)] == [newest.id]


def test_what_is_made_by_itself_leaves_a_part_of_the_day_to_people(world: World, open_to_viewers: str) -> None:
    assert _call(world, "PUT", "/tenant/quotas", json={"key": "queries_per_day", "value": 1}).status_code == 200
    before = len(_queries(world))
    _make(world)
    (row,) = _held(world, open_to_viewers)
    assert (len(_queries(world)), row.failure, row.state) == (before, "quota", "queued")
    assert row.not_before is not None
    assert row.not_before > utc_now()


def test_nobody_can_be_the_one_who_makes_them(world: World) -> None:
    assert world.people.states.of(world.tenant_id(), REFRESH) is None
    forged, _ = world.people.tokens.issue(
        tenant_id=world.tenant_id(), user_id=REFRESH, role="viewer", epoch=0, audience="session"
    )
    assert world.client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {forged}"}).status_code == 401
    invited = _call(world, "POST", "/users/invitations", json={"email": REFRESH, "role": "viewer"})
    assert invited.status_code in (404, 422)


def test_a_notebook_with_code_needs_a_hub_and_says_so(world: World, open_to_viewers: str) -> None:
    with world.database.tenant(world.tenant_id()) as session:
        board = session.scalars(select(Dashboard).where(Dashboard.id == open_to_viewers)).one()
        from hub_config.database import DashboardVersion

        version = session.get(DashboardVersion, board.published_version_id)
        cells = [{"cell_type": "code", "source": "total = 1 + 1", "metadata": {}, "id": "a"}]
        version.content_json = version.content_json | {"notebook": {"nbformat": 4, "cells": cells}}
    _make(world)
    (row,) = _held(world, open_to_viewers)
    assert (row.failure, row.state) == ("needs_hub", "idle")


def test_text_of_a_notebook_without_code_is_in_the_page_and_nothing_that_runs(world: World, open_to_viewers: str) -> None:
    with world.database.tenant(world.tenant_id()) as session:
        board = session.scalars(select(Dashboard).where(Dashboard.id == open_to_viewers)).one()
        from hub_config.database import DashboardVersion

        version = session.get(DashboardVersion, board.published_version_id)
        source = "# Ventes\n\n<script>alert(1)</script><img src=x onerror=alert(1)>"
        cells = [{"cell_type": "markdown", "source": source, "metadata": {}, "id": "a"}]
        version.content_json = version.content_json | {"notebook": {"nbformat": 4, "cells": cells}}
    _make(world)
    seen = _of(world, world.principal("viewer"), open_to_viewers)
    assert seen is not None
    assert "<h1>Ventes</h1>" in seen.markup
    assert "data-tile" in seen.markup
    assert "alert" not in seen.markup.replace("&lt;", "<").split("<h1>")[0]
    for word in ("<script", "onerror", "<img"):
        assert word not in seen.markup


def _source_of(world: World, dashboard: str) -> str:
    content = _published(world, world.principal("administrator"), dashboard).content
    found: str = content["tiles"][0]["source_id"]
    return found


def _plan() -> dict[str, Any]:
    return {"measures": [{"alias": "ca", "measure": "ventes.ca"}], "dimensions": []}
