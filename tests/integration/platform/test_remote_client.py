"""The notebook's two clients, the engine in process and the API, held to the same; what only the remote one has to bear."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from datapilot_kernel.engine.outcome import Answer, Clarification, Refusal
from datapilot_kernel.errors import BadInput, Cancelled, DataPilotError, Refused, SourceProblem
from datapilot_kernel.notebook.client import AskClient, LocalClient
from datapilot_kernel.notebook.hub_token import HubToken
from datapilot_kernel.notebook.remote import INLINE_ROWS, RemoteClient
from datapilot_kernel.notebook.session import Session, open_here
from datapilot_kernel.sources import CancelToken
from tests.integration.platform.test_queries_servers import served
from tests.platform_support import World, wait_until
from tests.questions_support import CSV, add_files, asking_world, slow_down

TODAY = date(2026, 3, 10)
LINES = CSV + "".join(f"R{i};2025-12-{i % 28 + 1:02d};{i},25\n" for i in range(2 * INLINE_ROWS))


class IssuedToken(HubToken):
    """What the exchange gives, without a hub: a token of audience notebook."""

    def __init__(self, world: World, role: str = "analyst", tenant: str = "t1") -> None:
        super().__init__("hub-token")
        self.world, self.role, self.tenant = world, role, tenant
        self.exchanged = 0

    def _exchange(self, client: httpx.Client) -> None:
        self.exchanged += 1
        self._token = self.world.token(self.role, self.tenant, "notebook")
        self._until = self._clock() + 570


class Place:
    """The API with its sources, and the same file on the disk."""

    def __init__(self, world: World, address: str, folder: Path) -> None:
        self.world, self.address = world, address
        self.source = add_files(world, content=LINES, name="Ventes")
        self.folder = folder / "Ventes"
        self.folder.mkdir()
        (self.folder / "ventes.csv").write_text(LINES, encoding="utf-8")

    def remote(self, source: str = "Ventes", **options: Any) -> RemoteClient:
        return RemoteClient(source, base_url=self.address, token=options.pop("token", IssuedToken(self.world)), **options)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with asking_world(tmp_path_factory.mktemp("world")) as world, served(world) as address:
        yield Place(world, address, tmp_path_factory.mktemp("files"))


@pytest.fixture(params=["local", "remote"])
def client(request: pytest.FixtureRequest, place: Place) -> Iterator[AskClient]:
    made: AskClient = LocalClient(str(place.folder)) if request.param == "local" else place.remote()
    yield made
    made.close()


# ── the same for both ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_says_what_it_is(client: AskClient) -> None:
    status = client.status()
    assert (status.name, status.dialect, status.tables, status.accepted) == ("Ventes", "duckdb", 1, False)
    assert client.dialect == "duckdb"
    assert next(iter(client.layer().entities.values())).dimensions["region"].label == "région"


def test_a_question_a_follow_up_and_an_edited_plan(client: AskClient) -> None:
    steps: list[str] = []
    talk = client.new_conversation()
    first = client.ask("montant par region en 2026", today=TODAY, conversation=talk, progress=steps.append)
    assert isinstance(first, Answer)
    assert first.table.rows == [("Ouest", Decimal("300.25")), ("Sud", Decimal(200)), ("Nord", Decimal(50))]
    assert [c.type for c in first.table.columns] == ["text", "decimal"]
    assert (first.columns[1].format.kind, first.columns[1].role, first.engine) == ("currency", "measure", "local")
    assert first.reading[0].label == "Mesure"
    assert first.chart is not None
    assert first.timings_ms.total is not None
    assert steps[0] == "understand"
    assert set(steps) <= {"understand", "guard", "execute", "answer"}
    assert first.plan is not None
    second = client.ask("et en janvier 2026 ?", today=TODAY, conversation=talk)
    assert isinstance(second, Answer)
    assert dict(second.table.rows) == {"Sud": Decimal("120.5"), "Nord": Decimal(10)}
    edited = client.run_plan(first.plan.model_copy(update={"limit": 1}), question="q", today=TODAY, conversation=talk)
    assert isinstance(edited, Answer)
    assert (edited.table.rows, edited.engine, edited.question) == ([("Ouest", Decimal("300.25"))], "plan", "q")


def test_what_is_not_answered_is_the_same_outcome(client: AskClient) -> None:
    refused = client.ask("supprime les ventes")
    assert isinstance(refused, Refusal)
    assert refused.reason == "write_request"
    guarded = client.run_sql("DELETE FROM ventes")
    assert isinstance(guarded, Refusal)
    asked = client.ask("montant total par region")
    if isinstance(asked, Clarification):
        assert isinstance(client.run_plan(asked.choices[0].plan), Answer)


def test_every_type_and_many_rows_come_whole(client: AskClient) -> None:
    few = client.run_sql(
        "SELECT 12.50::DECIMAL(8,2) AS d, 0.1::DOUBLE AS f, 2::BIGINT AS i, DATE '2026-05-03' AS j, TIMESTAMP '2026-05-03 01:02:03' AS m, "
        "TIME '01:02:03' AS t, INTERVAL 90 MINUTE AS v, [1, 2] AS l, true AS b, NULL AS n FROM ventes LIMIT 1"
    )
    assert isinstance(few, Answer), few
    from datetime import datetime, time, timedelta

    assert few.table.rows == [
        (
            Decimal("12.50"),
            0.1,
            2,
            date(2026, 5, 3),
            datetime.fromisoformat("2026-05-03T01:02:03"),
            time(1, 2, 3),
            timedelta(minutes=90),
            [1, 2],
            True,
            None,
        )
    ]
    many = client.run_sql("SELECT region, montant FROM ventes")
    assert isinstance(many, Answer)
    assert len(many.table.rows) == 2 * INLINE_ROWS + 5
    assert sum(row[1] for row in many.table.rows) == Decimal("750.00") - Decimal("199.75") + sum(
        Decimal(i) + Decimal("0.25") for i in range(1000)
    )
    assert not many.truncated


def test_a_cancelled_token_asks_nothing(client: AskClient) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        client.ask("montant par region", cancel=token)


# ── the remote one alone ───────────────────────────────────────────────────────────────────────────────────────────────


def test_stop_stops_the_query_in_the_api(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = slow_down(place.world, place.source, monkeypatch)
    client, token = place.remote(), CancelToken()
    caught: list[BaseException] = []

    def ask() -> None:
        try:
            client.run_sql("SELECT 7 AS sept FROM ventes", cancel=token)
        except DataPilotError as error:
            caught.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: slow.running == 1)
    began = time.monotonic()
    token.cancel()
    asking.join(30)
    assert time.monotonic() - began < 30
    assert isinstance(caught[0], Cancelled)
    wait_until(lambda: slow.stopped == 1)
    slow.go.set()
    place.world.platform.queries.engines.forget(place.world.tenant_id())
    client.close()


def test_a_whole_result_beyond_the_limit(place: Place) -> None:
    client = place.remote()
    outcome = client.run_sql("SELECT region, montant FROM ventes")
    assert client.whole(outcome.id).num_rows == 2 * INLINE_ROWS + 5
    client.close()


def test_errors_are_the_apis_sentences(place: Place) -> None:
    with pytest.raises(BadInput, match="Ventes"):
        place.remote("inconnue")
    other = RemoteClient("", base_url=place.address, token=IssuedToken(place.world))
    assert other.name == "Ventes"
    other.close()
    with pytest.raises(Refused) as refused:
        place.remote(token=IssuedToken(place.world, "viewer"))
    assert refused.value.reason == "forbidden"
    assert "rôle" in refused.value.message
    with pytest.raises(SourceProblem) as away:
        RemoteClient("Ventes", base_url="http://127.0.0.1:9", token=IssuedToken(place.world))
    assert away.value.reason == "unreachable"


def test_a_token_that_ended_is_exchanged_anew_once(place: Place) -> None:
    token = IssuedToken(place.world)
    client = place.remote(token=token)
    assert token.exchanged == 1
    client.status()
    assert token.exchanged == 1
    token._token = "x" * 40
    assert isinstance(client.ask("montant par region", today=TODAY), Answer)
    assert token.exchanged == 2
    client.close()


def test_the_exchange_sends_the_hubs_token_and_waits_for_its_end() -> None:
    now, seen = [0.0], []

    def answered(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        return httpx.Response(200, json={"access_token": f"t{len(seen)}", "expires_in_s": 600})

    token = HubToken("hub-secret", clock=lambda: now[0])
    with httpx.Client(base_url="http://x/api/v1", transport=httpx.MockTransport(answered)) as http:
        assert [token.current(http), token.current(http)] == ["t1", "t1"]
        now[0] = 569
        assert token.current(http) == "t1"
        now[0] = 571
        assert token.current(http) == "t2"
    assert seen == [{"token": "hub-secret"}] * 2
    assert "secret" not in repr(token)
    refusing = httpx.MockTransport(lambda r: httpx.Response(401, json={}))
    with httpx.Client(base_url="http://x/api/v1", transport=refusing) as http, pytest.raises(BadInput) as refused:
        HubToken("hub-secret").current(http)
    assert "secret" not in str(refused.value)


def test_a_stream_that_is_cut_is_said(place: Place) -> None:
    class Cut(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if "data-sources" in request.url.path:
                return httpx.Response(200, json={"items": [{"id": "a" * 32, "name": "x"}], "next": None})
            return httpx.Response(200, content=b'event: queued\ndata: {"id": "' + b"b" * 32 + b'"}\n\nevent: step\n')

    client = RemoteClient("x", base_url="http://x", token=IssuedToken(place.world), transport=Cut())
    with pytest.raises(SourceProblem) as cut:
        client.ask("montant")
    assert cut.value.reason == "cut"
    with pytest.raises(SourceProblem):
        client.whole("b" * 32)


def test_in_the_hub_the_magics_reach_the_api(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAPILOT_API_URL", place.address)
    monkeypatch.setenv("DATAPILOT_SOURCE", "Ventes")
    monkeypatch.setattr(HubToken, "_exchange", IssuedToken(place.world)._exchange.__func__)  # type: ignore[attr-defined]
    monkeypatch.setattr(HubToken, "world", place.world, raising=False)
    monkeypatch.setattr(HubToken, "role", "analyst", raising=False)
    monkeypatch.setattr(HubToken, "tenant", "t1", raising=False)
    monkeypatch.setattr(HubToken, "exchanged", 0, raising=False)
    session = Session(open_here)
    name, client = session.client()
    assert name == "Ventes"
    assert isinstance(client, RemoteClient)
    session.close()
    monkeypatch.delenv("DATAPILOT_SOURCE")
    alone = Session(open_here)
    assert alone.client()[0] == "Ventes"  # the only one: nobody has to name it
    alone.close()
    monkeypatch.setattr(HubToken, "tenant", "t2", raising=False)
    with pytest.raises(BadInput) as none:
        Session(open_here).client()
    assert none.value.reason == "no_sources"
    with pytest.raises(BadInput) as refused:
        open_here("Ventes", "couche.yaml")
    assert refused.value.reason == "no_semantic"
