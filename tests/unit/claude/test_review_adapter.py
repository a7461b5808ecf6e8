"""A service that misbehaves: what no working one sends must neither hang, nor raise, nor be free, nor be believed."""

from __future__ import annotations

import gc
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from datapilot_kernel.errors import Cancelled
from datapilot_kernel.nl2sql.claude.adapter import ClaudeModel
from datapilot_kernel.nl2sql.claude.settings import ModelSettings
from datapilot_kernel.nl2sql.claude.wire import Meter, ModelProblem, ModelReply, ModelRequest
from datapilot_kernel.sources.model import CancelToken
from tests.model_server import KEY, ModelServer, error, text, tool
from tests.unit.claude.test_adapter import REQUEST

USAGE = {"input_tokens": 1200, "output_tokens": 1}
START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "m", "type": "message", "role": "assistant", "model": "x", "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": USAGE,
    },
}  # fmt: skip
STOP: list[Any] = [
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 80}},
    {"type": "message_stop"},
]


def block(index: int, **more: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": more}


def delta(index: int, **more: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": more}


def call(arguments: str) -> list[Any]:
    return [
        START, block(0, type="tool_use", id="t", name="give_sql", input={}),
        delta(0, type="input_json_delta", partial_json=arguments), *STOP,
    ]  # fmt: skip


def frames(events: list[Any]) -> bytes:
    """As the wire has them; what is bytes already goes as it is."""
    return b"".join(e if isinstance(e, bytes) else f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events)


def whole_request(connection: socket.socket) -> None:
    """Read a request to its end: closing before would reset the connection."""
    came = b""
    while b"\r\n\r\n" not in came:
        came += connection.recv(1 << 16)
    head, _, rest = came.partition(b"\r\n\r\n")
    length = int(next(line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")))
    while len(rest) < length:
        rest += connection.recv(1 << 16)


@contextmanager
def raw(body: bytes | Iterator[bytes]) -> Iterator[str]:
    """A server that answers every connection with this event stream, whatever is asked."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.05)
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            connection.settimeout(10)
            with connection, suppress(OSError):
                whole_request(connection)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
                for piece in [body] if isinstance(body, bytes) else body:
                    connection.sendall(piece)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        stopping.set()
        thread.join(3)
        listening.close()


def send(
    url: str, *, meter: Meter | None = None, whole_s: float = 8.0, cancel: CancelToken | None = None, **settings: Any
) -> ModelReply:
    model = ClaudeModel(ModelSettings(**{"key": KEY, "base_url": url, "max_retries": 0, **settings}))
    try:
        return model.send(REQUEST, meter=meter or Meter(), deadline=time.monotonic() + whole_s, cancel=cancel)
    finally:
        model.close()


def arguments(said: str) -> Any:
    with raw(frames(call(said))) as url:
        return send(url).calls[0].arguments


@pytest.mark.parametrize(
    "said",
    ['{"a":' * 1500 + "1" + "}" * 1500, "[" * 15_000, '{"a": ' + "[" * 300 + "]" * 300 + "}", '{"x": NaN}',
     '{"x": -Infinity}', '{"x": ' + "9" * 6000 + "}", "[1]", '"texte"', "null"],
    ids=["deep objects", "deep arrays", "deep enough", "NaN", "Infinity", "a number of 6000 digits", "list", "text", "null"],
)  # fmt: skip
def test_arguments_that_are_none(said: str) -> None:
    assert arguments(said) is None


def test_texts_hold_no_half_of_a_pair_and_no_control_characters() -> None:
    given = arguments(r'{"sql": "a\ud800b\u0000c\u001b[2Jd\ne \ud83d\ude00"}')
    assert given == {"sql": "abc[2Jd\ne \U0001f600"}
    json.dumps(given, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "events",
    [
        [START, {"type": "content_block_start", "index": 0}, *STOP],
        [START, {"type": "content_block_start", "index": 0, "content_block": None}, *STOP],
        [START, {"type": "message_delta"}, {"type": "message_stop"}],
        [START, b"event: content_block_start\ndata: [1]\n\n", *STOP],
        [START, b"event: content_block_start\ndata: {oh\n\n", *STOP],
        [START, b"event: content_block_start\ndata: \xff\xfe\n\n", *STOP],
        [START, b"event: content_block_start\ndata: " + b"[" * 50_000 + b"\n\n", *STOP],
    ],
)
def test_events_that_are_none_are_a_cut_stream(events: list[Any]) -> None:
    with raw(frames(events)) as url, pytest.raises(ModelProblem) as caught:
        send(url)
    assert caught.value.kind == "cut"


def test_events_of_a_later_version_are_passed_over() -> None:
    events = call('{"sql": "x"}')
    events.insert(1, {"type": "a_new_event", "index": 3, "news": {}})
    events.insert(3, delta(9, type="a_new_delta", what=1))
    with raw(frames(events)) as url:
        assert send(url).calls[0].arguments == {"sql": "x"}


def test_two_beginnings_are_counted_once_and_give_one_reply() -> None:
    with raw(frames([START, *call('{"sql": "x"}')])) as url:
        meter = Meter()
        reply = send(url, meter=meter)
    assert [c.arguments for c in reply.calls] == [{"sql": "x"}]
    assert (meter.usage.input_tokens, meter.usage.output_tokens) == (1200, 80)


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": -5, "output_tokens": -7}])
def test_a_service_that_reports_no_usage_is_not_free(usage: Any) -> None:
    start = {**START, "message": {**START["message"], "usage": usage}}
    events = [start, *call('{"sql": "' + "x" * 300 + '"}')[1:-2]]
    events += [{"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": usage}, {"type": "message_stop"}]
    meter = Meter()
    with raw(frames(events)) as url:
        send(url, meter=meter)
    assert meter.usage.input_tokens == REQUEST.estimated_tokens()
    assert meter.usage.output_tokens > 90
    assert meter.usage.estimated


def test_a_stream_without_end_is_cut_long_before_it_fills_the_memory() -> None:
    def endless() -> Iterator[bytes]:
        yield frames([START, block(0, type="text", text="")])
        piece = frames([delta(0, type="text_delta", text="x" * 1000)])
        while True:
            yield piece

    began = time.monotonic()
    with raw(endless()) as url, pytest.raises(ModelProblem) as caught:
        send(url)
    assert caught.value.kind == "cut"
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("piece", [b'event: ping\ndata: {"type": "ping"}\n\n', b": comment\n", b"x" * 100])
def test_a_flood_that_says_nothing_ends_with_the_first_token_limit(piece: bytes) -> None:
    def flood() -> Iterator[bytes]:
        while True:
            yield piece

    began = time.monotonic()
    with raw(flood()) as url, pytest.raises(ModelProblem) as caught:
        send(url, first_token_timeout_ms=700)
    assert caught.value.kind == "timeout"
    assert time.monotonic() - began < 20


def test_what_an_earlier_attempt_was_billed_stays_counted(server: ModelServer) -> None:
    server.play([text("x").but(error_event=(1, "overloaded_error")), text("ok")])
    meter = Meter()
    reply = send(server.url, meter=meter, max_retries=2)
    assert reply.text == "ok"
    assert meter.usage.input_tokens == 2 * 1200


def test_what_was_turned_away_before_a_stream_costs_nothing(server: ModelServer) -> None:
    server.play([error(529, retry_after="0"), text("ok")])
    meter = Meter()
    send(server.url, meter=meter, max_retries=2)
    assert meter.usage.input_tokens == 1200
    assert not meter.usage.estimated


def test_stopped_before_the_first_word_is_counted_as_sent(server: ModelServer) -> None:
    server.play([text("x").but(wait_s=3.0)])
    cancel, meter = CancelToken(), Meter()
    threading.Timer(0.6, cancel.cancel).start()
    with pytest.raises(Cancelled):
        send(server.url, meter=meter, cancel=cancel)
    assert meter.usage.input_tokens == REQUEST.estimated_tokens()
    assert meter.usage.estimated


@pytest.mark.parametrize("key", ["clé‑à‑moi", "", "a\nb", "  "])
def test_a_key_that_no_header_can_carry(server: ModelServer, key: str) -> None:
    with pytest.raises(ModelProblem) as caught:
        send(server.url, key=key)
    assert caught.value.kind == "bad_key"
    assert server.requests == []


def test_a_key_from_a_file_with_a_line_end(server: ModelServer) -> None:
    server.play([text("ok")])
    assert send(server.url, key=KEY + "\n").text == "ok"
    assert server.requests[0].headers["authorization"].endswith(KEY)


def test_an_error_that_quotes_the_key_is_nowhere(
    server: ModelServer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for reply in (error(401, message=f"invalid x-api-key {KEY}"), tool("give_sql", {}).but(error_event=(2, f"x {KEY}"))):
        server.play([reply])
        with pytest.raises(ModelProblem) as caught:
            send(server.url)
        problem = caught.value
        assert problem.__cause__ is None
        assert problem.__suppress_context__
        assert KEY not in f"{problem!r} {problem} {problem.log} {problem.message}"
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("datapilot"))
    assert KEY not in ours + capsys.readouterr().out + capsys.readouterr().err


def test_a_name_that_does_not_resolve_and_a_service_that_is_no_tls(server: ModelServer) -> None:
    for url in ("http://nulle-part.invalid", server.url.replace("http:", "https:")):
        began = time.monotonic()
        with pytest.raises(ModelProblem) as caught:
            send(url, connect_timeout_ms=2000)
        assert caught.value.kind in ("unreachable", "timeout")
        assert time.monotonic() - began < 5


def test_a_port_that_takes_connections_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(ModelProblem) as caught:
            send(f"http://127.0.0.1:{silent.getsockname()[1]}", first_token_timeout_ms=500)
        assert caught.value.kind == "timeout"
        with pytest.raises(ModelProblem):
            send(f"https://127.0.0.1:{silent.getsockname()[1]}", connect_timeout_ms=500, first_token_timeout_ms=900)
    assert time.monotonic() - began < 20


def test_a_handshake_that_is_stopped_half_way_closes_its_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        model = ClaudeModel(ModelSettings(key=KEY, base_url=url, connect_timeout_ms=60_000, first_token_timeout_ms=60_000))
        cancel = CancelToken()
        stopped: list[BaseException] = []

        def ask() -> None:
            try:
                model.send(REQUEST, meter=Meter(), deadline=time.monotonic() + 60, cancel=cancel)
            except Cancelled as error:
                stopped.append(error)

        asking = threading.Thread(target=ask)
        gc.disable()  # which would close it as well, some day
        try:
            asking.start()
            arrived, _ = silent.accept()
            with arrived:
                arrived.settimeout(30)
                assert arrived.recv(1), "the handshake has begun"
                cancel.cancel()
                while arrived.recv(1 << 16):
                    pass  # to its end, or the test's patience
            asking.join(30)
        finally:
            gc.enable()
            model.close()
    assert len(stopped) == 1


def test_a_request_is_never_estimated_below_what_it_can_be() -> None:
    """The most that a call can cost is asked of the budget: text that is dear in tokens may not slip under it."""
    dear = ModelRequest("m", (), (), ({"role": "user", "content": "😀漢" * 500 + "a1b2;" * 400},), 10)
    # Byte-level tokens are the worst there is for what is not Latin: up to one a byte.
    assert dear.most_tokens() >= 1000 * 2 + 2000 / 2
    assert dear.most_tokens() > dear.estimated_tokens()


@pytest.fixture(scope="module")
def shared() -> Iterator[ModelServer]:
    server = ModelServer()
    yield server
    server.close()


@pytest.fixture
def server(shared: ModelServer) -> ModelServer:
    shared.play(())
    return shared
