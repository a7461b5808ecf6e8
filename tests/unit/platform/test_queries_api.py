"""Questions through the API on SQLite and files: outcomes, rights, quotas, history, conversations, results, feedback, the record."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook
from sqlalchemy import select, update

from datapilot_kernel.sources.arrow_reading import arrow_to_table
from hub_config.audit import AuditFilter
from hub_config.database import ConversationTurn, DataSource, Feedback, Query, Quota, VerifiedQuestion, utc_now
from hub_config.errors import PlatformUnavailable
from hub_config.queries import Asked
from tests.platform_support import World, wait_until
from tests.questions_support import TODAY, accept_layer, add_files, answer, asking_world, give_attributes, post, slow_down

BY_REGION = "montant par region"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str, str]]:
    """A world that tests read, and add to: with a source of each tenant."""
    with asking_world(tmp_path_factory.mktemp("world")) as world:
        yield world, add_files(world), add_files(world, "t2", content="region;date_vente;montant\nSecret;2026-01-01;1\n")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with asking_world(tmp_path) as made:
        yield made


def get(world: World, path: str, role: str = "analyst", tenant: str = "t1", **headers: str) -> Any:
    return world.client.get(f"/api/v1{path}", headers=world.headers(role, tenant) | headers)


def audit(world: World, tenant: str = "t1", **wanted: Any) -> list[Any]:
    return world.platform.audit.search(world.tenant_id(tenant), AuditFilter(**wanted), limit=200)


# ── outcomes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_question_is_answered_written_down_and_audited(shared: tuple[World, str, str]) -> None:
    world, source, _ = shared
    outcome = answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})
    assert [r[0] for r in outcome["rows"]] == ["Ouest", "Sud", "Nord"]
    assert [Decimal(str(r[1])) for r in outcome["rows"]] == [Decimal("300.25"), 200, 50]
    assert (outcome["row_count"], outcome["truncated"], outcome["engine"]) == (3, False, "local")
    kept = get(world, f"/queries/{outcome['id']}").json()
    assert (kept["status"], kept["outcome"], kept["row_count"], kept["tables"]) == ("done", "answer", 3, ["main.ventes"])
    assert kept["plan"] == outcome["plan"]
    assert kept["sql"] == outcome["sql"]
    (event,) = [e for e in audit(world, action="query.ask") if e.query_id == outcome["id"]]
    assert event.actor_id == world.user_id("analyst")
    assert (event.question, event.sql, event.tables, event.outcome, event.row_count) == (
        BY_REGION, outcome["sql"], ["main.ventes"], "answer", 3,
    )  # fmt: skip
    assert event.request_id


@pytest.mark.parametrize(
    ("body", "outcome", "reason"),
    [
        ({"question": "supprime les ventes de Lyon"}, "refusal", "write_request"),
        ({"sql": "DELETE FROM ventes"}, "refusal", None),
        ({"sql": "SELECT * FROM inconnue"}, "refusal", None),
        ({"question": BY_REGION, "engine": "claude"}, "refusal", "claude_not_configured"),
    ],
)
def test_what_is_not_answered_is_an_outcome_with_status_200(
    body: dict[str, Any], outcome: str, reason: str | None, shared: tuple[World, str, str]
) -> None:
    world, source, _ = shared
    got = post(world, {"source_id": source, **body})
    assert got.status_code == 200
    found = got.json()
    assert found["outcome"] == outcome, found
    assert reason is None or found["reason"] == reason
    row = get(world, f"/queries/{found['id']}").json()
    assert (row["status"], row["outcome"], row["reason"]) == ("done", outcome, found["reason"])
    assert get(world, f"/queries/{found['id']}/result").json()["error"]["code"] == "no_result"
    (event,) = [e for e in audit(world) if e.query_id == found["id"]]
    assert event.outcome == outcome


def test_the_language_is_the_requests(shared: tuple[World, str, str]) -> None:
    world, source, _ = shared
    body = {"source_id": source, "question": "supprime tout", "today": TODAY}
    french = post(world, body).json()
    english = post(world, body, **{"Accept-Language": "en"}).json()
    assert french["message"] != english["message"]
    assert french["reason"] == english["reason"]


def test_a_plan_runs_without_an_engine_and_a_statement_through_the_guard(shared: tuple[World, str, str]) -> None:
    world, source, _ = shared
    plan = answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})["plan"]
    again = answer(world, {"source_id": source, "plan": plan, "question": BY_REGION, "today": TODAY})
    assert again["engine"] == "plan"
    assert again["plan"] == plan
    sql = answer(world, {"source_id": source, "sql": "SELECT COUNT(*) AS n FROM ventes"})
    assert (sql["rows"], sql["trust"], sql["plan"]) == ([[5]], "exploratory", None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sql": "SELECT 1", "question": "x"},
        {"question": ""},
        {"question": "x", "unknown": 1},
        {"plan": {"kind": "rows", "sql": "SELECT 1"}},
        {"question": "x", "today": "hier"},
    ],
)
def test_a_body_that_is_none_is_named_not_echoed(body: dict[str, Any], shared: tuple[World, str, str]) -> None:
    world, source, _ = shared
    got = post(world, {"source_id": source, **body})
    assert (got.status_code, got.json()["error"]["code"]) == (422, "bad_request")
    assert "hier" not in got.text


def test_events_tell_the_steps_and_end_with_the_outcome(shared: tuple[World, str, str]) -> None:
    world, source, _ = shared
    body = {"source_id": source, "question": BY_REGION, "today": TODAY, "fresh": True}
    got = post(world, body, Accept="text/event-stream")
    assert got.headers["content-type"].startswith("text/event-stream")
    events = [block.split("\n") for block in got.text.strip().split("\n\n") if not block.startswith(":")]
    named = [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in events]
    assert [n for n, _ in named] == ["queued", "step", "step", "step", "partial", "step", "outcome"]
    assert [d["step"] for n, d in named if n == "step"] == ["understand", "guard", "execute", "answer"]
    assert named[0][1]["id"] == named[-1][1]["id"]
    assert next(d for n, d in named if n == "partial")["sql"] == named[-1][1]["sql"]
    missing = post(world, body | {"source_id": "0" * 32}, Accept="text/event-stream")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")


def test_rows_may_come_in_part(shared: tuple[World, str, str]) -> None:
    world, source, _ = shared
    outcome = answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY, "inline_rows": 1})
    assert len(outcome["rows"]) == 1
    assert (outcome["row_count"], outcome["truncated"]) == (3, False)


# ── walls between people ───────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_not_ones_own_is_not_found(shared: tuple[World, str, str]) -> None:
    world, source, foreign = shared
    outcome = answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})
    query, conversation = outcome["id"], outcome["conversation_id"]
    missing = get(world, f"/queries/{'0' * 32}").json()["error"]
    assert post(world, {"source_id": foreign, "question": BY_REGION}).json()["error"] == missing
    for role, tenant in (("administrator", "t1"), ("analyst", "t2"), ("administrator", "t2")):
        for path in (
            f"/queries/{query}",
            f"/queries/{query}/result",
            f"/queries/{query}/result?full=true&format=csv",
            f"/conversations/{conversation}",
        ):
            got = get(world, path, role, tenant)
            assert (got.status_code, got.json()["error"]) == (404, missing), (role, tenant, path)
        assert query not in get(world, "/queries", role, tenant).text
        assert conversation not in get(world, "/conversations", role, tenant).text
        headers = world.headers(role, tenant)
        assert world.client.delete(f"/api/v1/conversations/{conversation}", headers=headers).status_code == 404
        assert (
            world.client.patch(f"/api/v1/conversations/{conversation}", json={"title": "x"}, headers=headers).status_code
            == 404
        )
        assert (
            world.client.post(f"/api/v1/queries/{query}/feedback", json={"verdict": "up"}, headers=headers).status_code
            == 404
        )
        mine = source if tenant == "t1" else foreign
        follow = post(
            world, {"source_id": mine, "question": "et en janvier ?", "conversation_id": conversation}, role, tenant
        )
        assert follow.json()["error"] == missing
    assert world.client.post(f"/api/v1/queries/{query}/cancel", headers=world.headers("analyst", "t2")).status_code == 404
    assert world.client.post(f"/api/v1/queries/{query}/cancel", headers=world.headers("administrator")).json() == {
        "cancelling": False
    }


def test_a_viewer_does_not_ask(shared: tuple[World, str, str]) -> None:
    world, source, _ = shared
    got = post(world, {"source_id": source, "question": BY_REGION}, "viewer")
    assert (got.status_code, got.json()["error"]["code"]) == (403, "forbidden")


def test_people_of_different_rights_share_nothing_and_of_equal_rights_everything(world: World) -> None:
    source = add_files(world)
    accept_layer(world, source, row_filter="region = {region}")
    give_attributes(world, "analyst", region="Sud")
    give_attributes(world, "administrator", region="Nord")
    other = world.add_user("t1", "sud@t1.example", "analyst", attributes={"region": "Sud"})
    body = {"source_id": source, "question": BY_REGION, "today": TODAY}
    south = answer(world, body)
    north = answer(world, body, "administrator")
    assert [r[0] for r in south["rows"]] == ["Sud"]
    assert [r[0] for r in north["rows"]] == ["Nord"]
    assert (south["cached"], north["cached"], south["trust"]) == (False, False, "governed")
    assert answer(world, body)["cached"]
    headers = {"Authorization": f"Bearer {world.token_of(world.tenant_id(), other)}"}
    assert world.client.post("/api/v1/ai/query", json=body, headers=headers).json()["cached"]
    sql = {"source_id": source, "sql": "SELECT region, COUNT(*) AS n FROM ventes GROUP BY region"}
    assert answer(world, sql)["rows"] == [["Sud", 2]]
    assert answer(world, sql, "administrator")["rows"] == [["Nord", 2]]
    # The name of a region that is not theirs is no value they may filter by: it is not known.
    unknown = post(world, {"source_id": source, "question": "montant pour Ouest", "today": TODAY}).json()
    assert unknown["outcome"] != "answer" or unknown["rows"] in ([], [[None]], [[0]])
    assert "300" not in json.dumps(unknown)


def test_a_missing_attribute_shows_nothing(world: World) -> None:
    source = add_files(world)
    accept_layer(world, source, row_filter="region = {region}")
    got = post(world, {"source_id": source, "sql": "SELECT * FROM ventes"}).json()
    assert got["outcome"] == "refusal" or got["rows"] == []


def test_a_result_made_for_rights_of_before_is_made_again(world: World) -> None:
    source = add_files(world)
    accept_layer(world, source, row_filter="region = {region}")
    give_attributes(world, "analyst", region="Sud")
    query = answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})["id"]
    path = f"/queries/{query}/result"
    assert [r[0] for r in get(world, path).json()["rows"]] == ["Sud"]
    give_attributes(world, "analyst", region="Nord")
    assert [r[0] for r in get(world, path).json()["rows"]] == ["Nord"]
    assert b"Sud" not in get(world, path + "?format=csv&full=true").content
    accept_layer(world, source, row_filter="region = {region} AND montant > 20")
    rows = get(world, path).json()["rows"]
    assert [(r[0], Decimal(str(r[1]))) for r in rows] == [("Nord", 40)]
    world.client.delete(f"/api/v1/data-sources/{source}", headers=world.headers("administrator"))
    assert get(world, path).status_code == 404


# ── quotas ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _quota(world: World, **quotas: int) -> None:
    with world.database.tenant(world.tenant_id()) as session:
        for key, value in quotas.items():
            session.merge(Quota(tenant_id=world.tenant_id(), key=key, value=value))
    world.platform.queries.quotas.changed(world.tenant_id())


def test_queries_a_day_are_counted_and_refused_by_name(world: World) -> None:
    source, foreign = add_files(world), add_files(world, "t2")
    _quota(world, queries_per_day=2)
    body = {"source_id": source, "sql": "SELECT 1 AS un FROM ventes"}
    for _ in range(2):
        answer(world, body)
    refused = post(world, body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota_queries_per_day")
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400
    assert len(get(world, "/queries").json()["items"]) == 2
    with world.database.tenant(world.tenant_id()) as session:
        assert world.platform.queries.quotas.usage(session)["queries"] == 2
    answer(world, body | {"source_id": foreign}, tenant="t2")


def test_seconds_of_database_are_counted_and_end(world: World) -> None:
    source = add_files(world)
    answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})
    with world.database.tenant(world.tenant_id()) as session:
        used = world.platform.queries.quotas.usage(session)["database_ms"]
        (row,) = session.scalars(select(Query)).all()
        assert used == pytest.approx(row.timings_ms["execute"], abs=2)
        world.platform.queries.quotas.count(session, "database_ms", 5_000)
    _quota(world, database_seconds_per_day=5)
    refused = post(world, {"source_id": source, "question": BY_REGION})
    assert refused.json()["error"]["code"] == "quota_database_seconds_per_day"


def test_counts_are_atomic(world: World) -> None:
    from concurrent.futures import ThreadPoolExecutor

    quotas = world.platform.queries.quotas

    def count(_: int) -> int:
        with world.database.tenant(world.tenant_id()) as session:
            return int(quotas.count(session, "queries", 1))

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(count, range(40))) == list(range(1, 41))


def test_money_is_reserved_settled_and_ends(world: World) -> None:
    from datapilot_kernel.nl2sql.claude.cost import OverBudget

    _quota(world, model_euros_per_month=1)
    budget = world.platform.queries.quotas.budget(world.tenant_id())
    first = budget.reserve(900_000)
    with pytest.raises(OverBudget):
        budget.reserve(200_000)
    first.settle(100_000)
    budget.reserve(800_000).settle(0)
    with world.database.tenant(world.tenant_id()) as session:
        assert world.platform.queries.quotas.usage(session)["model_microeuros"] == 100_000


# ── conversations and history ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_follow_up_stands_on_the_turn_before(shared: tuple[World, str, str]) -> None:
    world, source, _ = shared
    first = answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})
    talk = first["conversation_id"]
    second = answer(
        world, {"source_id": source, "question": "et en janvier 2026 ?", "conversation_id": talk, "today": TODAY}
    )
    assert second["conversation_id"] == talk
    assert {r[0]: Decimal(str(r[1])) for r in second["rows"]} == {"Sud": Decimal("120.5"), "Nord": 10}
    seen = get(world, f"/conversations/{talk}").json()
    assert [t["question"] for t in seen["turns"]] == [BY_REGION, "et en janvier 2026 ?"]
    assert [t["query_id"] for t in seen["turns"]] == [first["id"], second["id"]]
    assert seen["title"] == BY_REGION
    assert "300.25" not in json.dumps(seen)
    headers = world.headers("analyst")
    renamed = world.client.patch(f"/api/v1/conversations/{talk}", json={"title": "Mes régions"}, headers=headers).json()
    assert renamed["title"] == "Mes régions"
    assert world.client.delete(f"/api/v1/conversations/{talk}", headers=headers).status_code == 204
    assert get(world, f"/conversations/{talk}").status_code == 404
    assert get(world, f"/queries/{first['id']}").status_code == 200


def test_only_so_many_turns_are_kept(world: World) -> None:
    from hub_config.queries import conversations

    source = add_files(world)
    talk = answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})["conversation_id"]
    with world.database.tenant(world.tenant_id()) as session:
        session.execute(update(ConversationTurn).values(position=conversations.KEPT_TURNS))
    answer(world, {"source_id": source, "question": BY_REGION, "conversation_id": talk, "today": TODAY})
    with world.database.tenant(world.tenant_id()) as session:
        assert session.scalars(select(ConversationTurn.position)).all() == [100, 101]
        session.execute(update(ConversationTurn).where(ConversationTurn.position == 100).values(position=1))
    answer(world, {"source_id": source, "question": BY_REGION, "conversation_id": talk, "today": TODAY})
    with world.database.tenant(world.tenant_id()) as session:
        assert sorted(session.scalars(select(ConversationTurn.position)).all()) == [101, 102]


def test_history_is_searched_and_paged(world: World) -> None:
    source = add_files(world)
    for text in ("montant par region", "montant total", "supprime tout"):
        post(world, {"source_id": source, "question": text, "today": TODAY})
    post(world, {"source_id": source, "sql": "SELECT 1 AS cent%"})
    seen: list[str] = []
    path: str | None = "/queries?limit=3"
    while path:
        page = get(world, path).json()
        seen += [item["id"] for item in page["items"]]
        path = f"/queries?limit=3&cursor={page['next']}" if page["next"] else None
    assert len(seen) == len(set(seen)) == 4
    found = {
        q: [i["question"] for i in get(world, f"/queries?{q}").json()["items"]]
        for q in ("q=MONTANT", "outcome=refusal", "q=%25")
    }
    assert found["q=MONTANT"] == ["montant total", "montant par region"]
    assert found["outcome=refusal"] == ["SELECT 1 AS cent%", "supprime tout"]
    assert found["q=%25"] == ["SELECT 1 AS cent%"]
    day = (utc_now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert get(world, f"/queries?from={day}").json()["items"] == []
    assert len(get(world, f"/queries?to={day}&source_id={source}").json()["items"]) == 4
    assert get(world, "/queries?cursor=x").json()["error"]["code"] == "bad_cursor"


def test_feedback_corrects_and_proposes(shared: tuple[World, str, str]) -> None:
    world, source, _ = shared
    outcome = answer(world, {"source_id": source, "question": "chiffre d'affaires par region", "today": TODAY})
    headers = world.headers("analyst")
    path = f"/api/v1/queries/{outcome['id']}/feedback"
    down = world.client.post(path, json={"verdict": "down", "comment": "HT ?", "plan": outcome["plan"]}, headers=headers)
    assert (down.status_code, down.json()["verified_question_id"]) == (201, None)
    up = world.client.post(path, json={"verdict": "up", "propose_verified": True}, headers=headers).json()
    with world.database.tenant(world.tenant_id()) as session:
        kept = session.get(Feedback, down.json()["id"])
        assert (kept.verdict, kept.comment, kept.plan_json) == ("down", "HT ?", outcome["plan"])
        proposed = session.get(VerifiedQuestion, up["verified_question_id"])
        assert (proposed.status, proposed.question, proposed.plan_json) == ("proposed", outcome["question"], outcome["plan"])
    both = {"verdict": "up", "plan": outcome["plan"], "sql": "SELECT 1"}
    assert world.client.post(path, json=both, headers=headers).status_code == 422
    sql = answer(world, {"source_id": source, "sql": "SELECT 1 AS un FROM ventes"})["id"]
    refused = world.client.post(
        f"/api/v1/queries/{sql}/feedback", json={"verdict": "up", "propose_verified": True}, headers=headers
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "nothing_to_propose")


def test_an_approved_question_answers_as_verified(world: World) -> None:
    source = add_files(world)
    accept_layer(world, source)
    outcome = answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})
    assert outcome["trust"] == "governed"
    with world.database.tenant(world.tenant_id()) as session:
        session.add(
            VerifiedQuestion(
                data_source_id=source,
                question=BY_REGION,
                question_key="k",
                plan_json=outcome["plan"],
                status="approved",
                decided_at=utc_now(),
            )
        )
    world.platform.queries.verified.changed(world.tenant_id())
    again = answer(world, {"source_id": source, "question": "Montant par région", "today": TODAY})
    assert (again["trust"], again["engine"]) == ("verified", "verified")


# ── results ────────────────────────────────────────────────────────────────────────────────────────────────────────────

WILD = (
    "SELECT * FROM (VALUES ('=HYPERLINK(\"x\")', 1234567.89::DECIMAL(12,2), 0.125::DOUBLE, DATE '2026-05-03', "
    "TIMESTAMP '2026-05-03 10:20:30', true, 12345678901234567, NULL), "
    "('@cmd', -1.5::DECIMAL(12,2), 1e300::DOUBLE, DATE '1850-01-01', NULL, false, 1, 'é')) "
    "AS v(texte, montant, taux, jour, instant, vrai, grand, vide) ORDER BY grand DESC"
)


@pytest.fixture(scope="module")
def wild(shared: tuple[World, str, str]) -> tuple[World, str]:
    world, source, _ = shared
    return world, answer(world, {"source_id": source, "sql": WILD})["id"]


@pytest.mark.parametrize("full", [False, True])
def test_csv_is_french_and_harmless(full: bool, wild: tuple[World, str]) -> None:
    world, query = wild
    got = get(world, f"/queries/{query}/result?format=csv&full={str(full).lower()}")
    assert got.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in got.headers["content-disposition"]
    lines = got.content.decode("utf-8-sig").split("\r\n")
    assert lines[0] == "texte;montant;taux;jour;instant;vrai;grand;vide"
    assert lines[1].startswith('"\'=HYPERLINK(""x"")";1234567,89;0,125;03/05/2026;03/05/2026 10:20:30;')
    assert lines[2].startswith("'@cmd;-1,50;") or lines[2].startswith("'@cmd;-1,5;")


@pytest.mark.parametrize("full", [False, True])
def test_xlsx_has_real_types_and_no_formula(full: bool, wild: tuple[World, str]) -> None:
    world, query = wild
    got = get(world, f"/queries/{query}/result?format=xlsx&full={str(full).lower()}")
    sheet = load_workbook(io.BytesIO(got.content)).active
    rows = list(sheet.iter_rows())
    assert [c.value for c in rows[0]] == ["texte", "montant", "taux", "jour", "instant", "vrai", "grand", "vide"]
    first, second = rows[1], rows[2]
    assert (first[0].value, first[0].data_type) == ('=HYPERLINK("x")', "s")
    assert (first[1].value, first[1].data_type) == (1234567.89, "n")
    assert first[2].value == 0.125
    assert first[3].is_date
    assert first[3].value.date().isoformat() == "2026-05-03"
    assert first[4].value.isoformat() == "2026-05-03T10:20:30"
    assert first[5].value is True
    assert first[6].value == "12345678901234567"
    assert first[7].value is None
    assert second[0].data_type == "s"
    assert second[3].value == "01/01/1850"


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_arrow_and_parquet_keep_the_types(kind: str, full: bool, wild: tuple[World, str]) -> None:
    world, query = wild
    accept = {"arrow": "application/vnd.apache.arrow.stream", "parquet": "application/vnd.apache.parquet"}[kind]
    got = get(world, f"/queries/{query}/result?full={str(full).lower()}", Accept=accept)
    assert got.headers["content-type"] == accept
    table = pa.ipc.open_stream(got.content).read_all() if kind == "arrow" else pq.read_table(io.BytesIO(got.content))
    first = table.to_pylist()[0]
    assert first["montant"] == Decimal("1234567.89")
    assert first["jour"].isoformat() == "2026-05-03"
    assert first["grand"] == 12345678901234567


def test_pages_hold_the_whole_result(shared: tuple[World, str, str]) -> None:
    world, source, _ = shared
    query = answer(world, {"source_id": source, "sql": "SELECT i FROM range(25) AS r(i) ORDER BY i", "inline_rows": 0})["id"]
    rows, offset = [], 0
    while offset is not None:
        page = get(world, f"/queries/{query}/result?offset={offset}&limit=10").json()
        rows += [r[0] for r in page["rows"]]
        offset = page["next"]
    assert rows == list(range(25))
    assert page["row_count"] == 25
    assert get(world, f"/queries/{query}/result?offset=1000").json()["rows"] == []
    assert get(world, f"/queries/{query}/result", Accept="text/html").json()["error"]["code"] == "not_acceptable"
    assert get(world, f"/queries/{query}/result?full=true").json()["error"]["code"] == "full_needs_file"


def test_a_whole_result_goes_beyond_the_limit_of_rows(tmp_path: Path) -> None:
    with asking_world(tmp_path, result_max_rows=10, frame_max_rows=50_000) as world:
        lines = "region;date_vente;montant\n" + "".join(f"R{i % 7};2026-01-01;{i}\n" for i in range(70_000))
        source = add_files(world, content=lines)
        query = answer(world, {"source_id": source, "sql": "SELECT montant FROM ventes ORDER BY montant"})
        assert (query["row_count"], query["truncated"]) == (10, True)
        got = get(world, f"/queries/{query['id']}/result?full=true&format=arrow")
        assert pa.ipc.open_stream(got.content).read_all().num_rows == 50_000
        (event,) = audit(world, action="query.frame")
        assert (event.outcome, event.row_count) == ("answer", 50_000)
        assert "LIMIT 50001" in event.sql
        lines = get(world, f"/queries/{query['id']}/result?full=true&format=csv").content.decode("utf-8-sig").split("\r\n")
        assert (len(lines), lines[1], lines[50_000]) == (50_002, "0", "49999")


def test_results_are_kept_on_the_disk_by_this_account_alone_and_end(world: World) -> None:
    source = add_files(world)
    outcome = answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})
    store = world.platform.queries.results
    store.flush()
    (file,) = (world.settings.data_dir / "results").rglob("*.arrow")
    assert file.stat().st_mode & 0o077 == 0
    kept = store.get(world.tenant_id(), outcome["id"])
    assert [list(map(str, r)) for r in kept.table.rows] == [["Ouest", "300.25"], ["Sud", "200.00"], ["Nord", "50.00"]]
    assert kept.columns[1].format.kind == "currency"
    import os

    os.utime(file, (1, 1))
    assert store.get(world.tenant_id(), outcome["id"]) is None
    store.sweep()
    assert not file.exists()
    assert [r[0] for r in get(world, f"/queries/{outcome['id']}/result").json()["rows"]] == ["Ouest", "Sud", "Nord"]


def test_a_tenants_disk_is_bounded_oldest_first(tmp_path: Path) -> None:
    with asking_world(tmp_path, result_store_bytes=30_000) as world:
        source = add_files(world)
        sql = "SELECT md5(CAST(i AS VARCHAR)) AS m FROM range({}) AS r(i)"
        ids = []
        for n in range(5):
            ids.append(answer(world, {"source_id": source, "sql": sql.format(300 + n)})["id"])
            world.platform.queries.results.flush()
        kept = list((world.settings.data_dir / "results").rglob("*.arrow"))
        left = {p.stem for p in kept}
        assert ids[-1] in left
        assert ids[0] not in left
        assert sum(p.stat().st_size for p in kept) <= 30_000


def test_the_latest_results_are_in_memory_and_older_ones_go_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub_config.queries import results

    monkeypatch.setattr(results, "_IN_MEMORY", 2)
    with asking_world(tmp_path) as world:
        source = add_files(world)
        ids = [answer(world, {"source_id": source, "sql": f"SELECT {n} AS n FROM ventes"})["id"] for n in range(5)]
        store = world.platform.queries.results
        wait_until(lambda: len(list((world.settings.data_dir / "results").rglob("*.arrow"))) == 3)
        wait_until(lambda: len(store._unwritten) == 2)
        assert [store.get(world.tenant_id(), one).table.rows[0] for one in ids] == [(n,) for n in range(5)]
        assert store._cells == 10
        store.forget(world.tenant_id())
        assert (store._cells, store.get(world.tenant_id(), ids[0])) == (0, None)


# ── faults and ends ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_answered_that_cannot_be_written_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    source = add_files(world)
    answer(world, {"source_id": source, "question": BY_REGION, "today": TODAY})
    record = world.platform.queries.record
    away = [True]
    real = record._audit.record

    def audit_away(*args: Any, **options: Any) -> None:
        real(*args, **options)
        if away[0]:
            raise PlatformUnavailable(log="test")

    monkeypatch.setattr(record._audit, "record", audit_away)
    got = post(world, {"source_id": source, "question": BY_REGION, "today": TODAY, "fresh": True})
    assert (got.status_code, got.json()["error"]["code"]) == (503, "unavailable")
    assert "300" not in got.text
    (row,) = [r for r in get(world, "/queries").json()["items"] if r["status"] != "done"]
    assert row["outcome"] is None
    assert get(world, f"/queries/{row['id']}/result").json()["error"]["code"] == "not_ended"
    assert len(get(world, "/conversations").json()["items"]) == 1
    body = {"source_id": source, "question": BY_REGION, "today": TODAY, "fresh": True}
    stream = post(world, body, Accept="text/event-stream").text
    assert stream.strip().split("\n\n")[-1].startswith("event: error")
    away[0] = False
    record.write_late()
    late = get(world, f"/queries/{row['id']}").json()
    assert (late["status"], late["reason"]) == ("failed", "not_recorded")
    (event,) = [e for e in audit(world) if e.query_id == row["id"]]
    assert (event.outcome, event.tables) == ("failure", ["main.ventes"])
    assert event.sql


def test_a_query_that_a_dead_process_left_is_ended_at_the_tenants_next(world: World) -> None:
    source = add_files(world)
    left = Query(
        user_id=world.user_id("analyst"),
        data_source_id=source,
        kind="ask",
        question="x",
        created_at=utc_now() - timedelta(days=1),
    )
    with world.database.tenant(world.tenant_id()) as session:
        session.add(left)
    post(world, {"source_id": source, "question": BY_REGION, "today": TODAY})
    row = get(world, f"/queries/{left.id}").json()
    assert (row["status"], row["outcome"], row["reason"]) == ("failed", "failure", "restarted")
    assert [e.outcome for e in audit(world) if e.query_id == left.id] == ["failure"]


def test_a_source_that_cannot_be_opened_is_a_failure_that_says_so(world: World) -> None:
    with world.database.tenant(world.tenant_id()) as session:
        row = DataSource(name="Vide", type="files")
        session.add(row)
    got = post(world, {"source_id": row.id, "question": BY_REGION})
    assert got.status_code == 200
    assert got.json()["outcome"] == "failure"
    assert got.json()["incident"] is None


def test_cancelling_by_id_while_it_runs_and_while_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with asking_world(tmp_path, tenant_parallel_queries=1) as world:
        source = add_files(world)
        queries, me = world.platform.queries, world.principal("analyst")
        slow = slow_down(world, source, monkeypatch)
        running = queries.ask(me, Asked(source, sql="SELECT 2 AS deux FROM ventes"))
        wait_until(lambda: slow.running == 1)
        assert get(world, f"/queries/{running.id}").json()["status"] == "running"
        waiting = queries.ask(me, Asked(source, sql="SELECT 1 AS un FROM ventes"))
        assert (waiting.state, get(world, f"/queries/{waiting.id}").json()["status"]) == ("waiting", "waiting")
        began = time.monotonic()
        for one, role in ((waiting, "analyst"), (running, "administrator")):
            done = world.client.post(f"/api/v1/queries/{one.id}/cancel", headers=world.headers(role))
            assert (done.status_code, done.json()) == (202, {"cancelling": True})
        wait_until(lambda: running.future.done() and waiting.future.done())
        assert time.monotonic() - began < 20
        wait_until(lambda: slow.stopped == 1)
        for one in (waiting, running):
            assert get(world, f"/queries/{one.id}").json()["status"] == "cancelled"
            assert [e.details["status"] for e in audit(world) if e.query_id == one.id] == ["cancelled"]
        assert world.client.post(f"/api/v1/queries/{running.id}/cancel", headers=world.headers("analyst")).json() == {
            "cancelling": False
        }


def test_stopping_refuses_drains_and_then_cancels(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    source = add_files(world)
    queries, me = world.platform.queries, world.principal("analyst")
    slow = slow_down(world, source, monkeypatch)
    running = queries.ask(me, Asked(source, sql="SELECT 1 AS un FROM ventes"))
    wait_until(lambda: slow.running == 1)
    queries.begin_stopping()
    refused = post(world, {"source_id": source, "question": BY_REGION})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
    began = time.monotonic()
    queries.stop(grace_s=0.2)
    assert time.monotonic() - began < 30  # it would be for ever
    assert running.future.done()
    with world.database.tenant(world.tenant_id()) as session:
        assert session.get(Query, running.id).status == "cancelled"


def test_forgetting_a_tenant_leaves_nothing_of_it(world: World) -> None:
    source, foreign = add_files(world), add_files(world, "t2")
    for tenant, one in (("t1", source), ("t2", foreign)):
        answer(world, {"source_id": one, "question": BY_REGION, "today": TODAY}, tenant=tenant)
    queries = world.platform.queries
    queries.results.flush()
    queries.forget(world.tenant_id())
    assert {key[0].tenant_id for key in queries.cache._kept} == {world.tenant_id("t2")}
    assert {scope.tenant_id for scope, _ in queries.engines._entries} == {world.tenant_id("t2")}
    assert [p.name for p in (world.settings.data_dir / "results").iterdir()] == [world.tenant_id("t2")]


def test_what_arrow_cannot_say_comes_back_equal() -> None:
    from datetime import UTC, datetime
    from datetime import time as clock

    from datapilot_kernel.sources import ResultColumn, ResultTable

    table = ResultTable(
        (
            ResultColumn("j", "json"), ResultColumn("a", "array"), ResultColumn("g", "integer"), ResultColumn("d", "decimal"),
            ResultColumn("i", "interval"), ResultColumn("b", "binary"), ResultColumn("z", "timestamptz"), ResultColumn("t", "time"),
        ),
        [
            ({"a": [1]}, [1, 2], 10**30, Decimal("1.5"), timedelta(days=2), b"\x00", datetime(2026, 1, 1, tzinfo=UTC), clock(1, 2)),
            (None, None, 1, None, None, None, None, None),
        ],
    )  # fmt: skip
    assert arrow_to_table(table.to_arrow(), [c.type for c in table.columns]).rows == table.rows
