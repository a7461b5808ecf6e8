"""The adapter, through the real SDK, against the scripted server: streams, errors, retries, limits, stop, threads."""

from __future__ import annotations

import asyncio
import gc
import re
import threading
import time
from collections.abc import Iterator
from types import AsyncGeneratorType
from typing import Any, get_args

import pytest

from datapilot_kernel.errors import Cancelled
from datapilot_kernel.nl2sql.claude import adapter
from datapilot_kernel.nl2sql.claude.adapter import EVENT_KINDS, KINDS, ClaudeModel, kind_of
from datapilot_kernel.nl2sql.claude.settings import ModelSettings
from datapilot_kernel.nl2sql.claude.wire import Meter, ModelProblem, ModelReply, ModelRequest
from datapilot_kernel.sources.model import CancelToken
from tests.model_server import KEY, ModelServer, Usage, error, model_server, text, tool, tools

TOOL = {
    "name": "give_sql", "description": "d", "strict": True,
    "input_schema": {"type": "object", "properties": {"sql": {"type": "string"}}, "required": ["sql"], "additionalProperties": False},
}  # fmt: skip
REQUEST = ModelRequest(
    "claude-x", (("règles", True), ("source", False)), (TOOL,), ({"role": "user", "content": "CA ?"},), 500
)


@pytest.fixture(scope="module")
def shared() -> Iterator[ModelServer]:
    server = ModelServer()
    yield server
    server.close()


@pytest.fixture
def server(shared: ModelServer) -> ModelServer:
    shared.play(())
    return shared


_made: list[ClaudeModel] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _made:
        _made.pop().close()


def reaching(base_url: str, **settings: Any) -> ClaudeModel:
    model = ClaudeModel(ModelSettings(key=KEY, base_url=base_url, **settings))
    _made.append(model)
    return model


def make(server: ModelServer, **settings: Any) -> ClaudeModel:
    return reaching(server.url, **settings)


def send(
    model: ClaudeModel, *, meter: Meter | None = None, whole_s: float = 20.0, cancel: CancelToken | None = None
) -> ModelReply:
    return model.send(REQUEST, meter=meter or Meter(), deadline=time.monotonic() + whole_s, cancel=cancel)


def test_a_tool_in_fragments_after_text(server: ModelServer) -> None:
    arguments = {"sql": "SELECT « é » FROM t", "n": [1, {"a": None}]}
    server.play([tool("give_sql", arguments, before="Je regarde…", usage=Usage(900, 77, 300, 5000)).but(fragments=17)])
    meter = Meter()
    reply = send(make(server), meter=meter)
    assert reply.text == "Je regarde…"
    assert [(c.name, c.arguments) for c in reply.calls] == [("give_sql", arguments)]
    assert reply.stop_reason == "tool_use"
    usage = meter.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_write_tokens, usage.cache_read_tokens) == (
        900,
        77,
        300,
        5000,
    )
    assert not usage.estimated
    assert reply.first_token_ms is not None
    assert reply.first_token_ms <= reply.total_ms


def test_what_is_sent(server: ModelServer) -> None:
    server.play([text("rien")])
    send(make(server))
    seen = server.requests[0]
    assert seen.path == "/v1/messages"
    assert KEY in seen.headers["authorization"]
    assert seen.body == {**REQUEST.body(), "stream": True}
    assert seen.body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in seen.body["system"][1]
    assert seen.headers["x-stainless-retry-count"] == "0"


def test_two_tools_and_arguments_that_are_no_json(server: ModelServer) -> None:
    server.play([tools(("give_sql", {"sql": "a"}), ("refuse", {"x": 1})).but(raw_arguments='{"x": ')])
    calls = send(make(server)).calls
    assert [(c.name, c.arguments) for c in calls] == [("give_sql", {"sql": "a"}), ("refuse", None)]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "bad_request"), (401, "bad_key"), (402, "no_credit"), (403, "bad_key"), (404, "no_model"), (413, "bad_request"),
     (429, "rate_limited"), (500, "down"), (503, "down"), (504, "timeout"), (529, "overloaded"), (302, "down")],
)  # fmt: skip
def test_each_status_is_a_kind_and_its_text_is_never_shown(server: ModelServer, status: int, kind: str) -> None:
    server.play([error(status)])
    meter = Meter()
    with pytest.raises(ModelProblem) as caught:
        send(make(server, max_retries=0), meter=meter)
    assert caught.value.kind == kind
    assert "SECRET" not in str(caught.value) + caught.value.log + repr(caught.value)
    assert caught.value.__cause__ is None
    assert meter.usage.output_tokens == 0


@pytest.mark.parametrize("status", [429, 500, 529])
def test_what_was_turned_away_is_sent_again_when_the_service_says(server: ModelServer, status: int) -> None:
    server.play([error(status, retry_after="0.2"), text("ok")])
    assert send(make(server)).text == "ok"
    assert len(server.requests) == 2
    assert server.requests[1].at - server.requests[0].at >= 0.2
    assert server.requests[0].body == server.requests[1].body


def test_no_retry_past_the_deadline(server: ModelServer) -> None:
    server.play([error(429, retry_after="120"), text("too late")])
    began = time.monotonic()
    with pytest.raises(ModelProblem, match=r".") as caught:
        send(make(server), whole_s=60)
    assert caught.value.kind == "rate_limited"
    assert time.monotonic() - began < 20
    assert server.left == 1


@pytest.mark.parametrize("status", [400, 401])
def test_no_retry_of_what_would_fail_again(server: ModelServer, status: int) -> None:
    server.play([error(status), text("never asked")])
    with pytest.raises(ModelProblem):
        send(make(server))
    assert len(server.requests) == 1


def test_an_overload_inside_the_stream(server: ModelServer) -> None:
    server.play([text("x").but(error_event=(1, "overloaded_error")), text("ok")])
    assert send(make(server)).text == "ok"
    # once something of the reply has come it is billed, and not asked for again
    server.play([text("abc").but(error_event=(4, "overloaded_error")), text("ok")])
    meter = Meter()
    with pytest.raises(ModelProblem) as caught:
        send(make(server), meter=meter)
    assert caught.value.kind == "overloaded"
    assert len(server.requests) == 1
    assert meter.usage.input_tokens == 1200
    assert meter.usage.estimated


def test_strict_tools_are_given_up_when_they_are_not_taken(server: ModelServer) -> None:
    model = make(server)
    server.play([error(400, message="tools.0.custom: schema is too complex for strict"), text("ok"), text("ok")])
    assert send(model).text == "ok"
    assert [("strict" in r.body["tools"][0]) for r in server.requests] == [True, False]
    send(model)
    assert "strict" not in server.requests[2].body["tools"][0]


@pytest.mark.parametrize("events", [0, 1, 4, 7])
def test_a_cut_stream(server: ModelServer, events: int) -> None:
    server.play([tool("give_sql", {"sql": "SELECT 1"}).but(cut_after=events)])
    meter = Meter()
    with pytest.raises(ModelProblem) as caught:
        send(make(server, max_retries=0), meter=meter)
    assert caught.value.kind == "cut"
    assert meter.usage.input_tokens == (1200 if events else 0)


@pytest.mark.parametrize("events", [0, 1, 5, 8])
def test_a_stream_that_ends_early_but_politely(server: ModelServer, events: int) -> None:
    server.play([tool("give_sql", {"sql": "SELECT 1"}).but(end_after=events)])
    with pytest.raises(ModelProblem) as caught:
        send(make(server))
    assert caught.value.kind == "cut", "half a statement may look whole"


def _half_read() -> list[str]:
    """Name the generators of the SDK and of its HTTP client that wait to be asked for more."""
    return [
        one.__qualname__ for one in gc.get_objects()
        if isinstance(one, AsyncGeneratorType) and one.ag_frame is not None
        and re.search("/(anthropic|httpx2|httpcore2)/", one.ag_frame.f_code.co_filename)
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["cut", "error event", "too long", "stopped", "timeout", "whole"])
def test_a_stream_left_half_way_is_let_go_at_once(server: ModelServer, how: str) -> None:
    endless = text("abcdef").but(fragments=6, pauses=((4, 30.0),))
    reply, settings, cancel = {
        "cut": (text("abc").but(cut_after=3), {}, None),
        "error event": (text("abc").but(error_event=(4, "overloaded_error")), {}, None),
        "too long": (text("x" * 200_000).but(fragments=50), {}, None),
        "stopped": (endless, {}, CancelToken()),
        "timeout": (endless, {"idle_timeout_ms": 20}, None),
        "whole": (text("abc"), {}, None),
    }[how]
    server.play([reply])
    model = make(server, max_retries=0, **settings)
    gc.collect()
    gc.disable()
    try:
        if cancel is not None:
            threading.Timer(0.3, cancel.cancel).start()
        held = None
        try:
            send(model, cancel=cancel)
        except (ModelProblem, Cancelled) as problem:
            held = problem
        assert (held is None) is (how == "whole")
        deadline = time.monotonic() + 5
        while _half_read() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert _half_read() == []
    finally:
        gc.enable()


def test_a_redirect_is_not_followed(server: ModelServer) -> None:
    with model_server([text("elsewhere")]) as other:
        server.play([error(307, location=f"{other.url}/v1/messages")])
        with pytest.raises(ModelProblem):
            send(make(server, max_retries=0))
        assert other.requests == [], "the question goes where the settings say"


def test_no_trace_carries_the_question(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_OPEN_TELEMETRY", "ANTHROPIC_OPEN_TELEMETRY_PROPAGATION"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE", "content")
    client, _ = make(server)._ready()
    assert client.open_telemetry["traces"]["enabled"] is False


@pytest.mark.parametrize(
    ("reply", "settings"),
    [
        (text("x").but(wait_s=30.0), {"first_token_timeout_ms": 300}),
        (text("x").but(pauses=((1, 30.0),)), {"first_token_timeout_ms": 300}),
        (text("a long text").but(pauses=((4, 30.0),)), {"idle_timeout_ms": 300}),
    ],
    ids=["no answer", "no first token", "stands still"],
)
def test_time_limits(server: ModelServer, reply: Any, settings: dict[str, int]) -> None:
    server.play([reply])
    meter = Meter()
    began = time.monotonic()
    with pytest.raises(ModelProblem) as caught:
        send(make(server, **settings), meter=meter)
    assert caught.value.kind == "timeout"
    assert time.monotonic() - began < 15
    assert meter.usage.input_tokens > 0
    assert meter.usage.estimated


def test_the_whole_time_ends_a_slow_stream_that_keeps_coming(server: ModelServer) -> None:
    server.play([text("x" * 300).but(fragments=300, pauses=tuple((n, 0.1) for n in range(1, 300)))])
    began = time.monotonic()
    with pytest.raises(ModelProblem) as caught:
        send(make(server), whole_s=1.0)
    assert caught.value.kind == "timeout"
    assert 0.8 < time.monotonic() - began < 15


def test_nobody_there() -> None:
    model = reaching("http://127.0.0.1:9")
    with pytest.raises(ModelProblem) as caught:
        send(model)
    assert caught.value.kind == "unreachable"


def test_an_address_that_is_none() -> None:
    with pytest.raises(ModelProblem) as caught:
        send(reaching("not an address"))
    assert caught.value.kind == "unreachable"


def test_a_proxy_of_the_environment(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.play([text("through the proxy")])
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("http_proxy", server.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    reply = send(reaching("http://model.example"))
    assert reply.text == "through the proxy"
    assert server.requests[0].headers["host"] == "model.example"


def test_an_authority_that_is_no_file(server: ModelServer, tmp_path: Any) -> None:
    with pytest.raises(ModelProblem) as caught:
        send(make(server, ca_file=str(tmp_path / "none.pem")))
    assert caught.value.kind == "unreachable"


def test_stop_ends_the_stream_at_once_and_counts_what_was_billed(server: ModelServer) -> None:
    server.play([text("une longue réponse " * 20).but(fragments=40, pauses=((12, 60.0),))])
    cancel, meter = CancelToken(), Meter()
    threading.Timer(0.6, cancel.cancel).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        send(make(server), meter=meter, cancel=cancel)
    assert time.monotonic() - began < 20
    assert server.requests[0].finished.wait(30)
    assert server.requests[0].left_early
    assert meter.usage.input_tokens == 1200
    assert 0 < meter.usage.output_tokens < 80
    assert meter.usage.estimated


def test_stopped_before_it_began(server: ModelServer) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        send(make(server), cancel=cancel)
    assert server.requests == []


def test_many_threads_at_once_and_inside_a_running_loop(server: ModelServer) -> None:
    server.play(lambda body: text("ok"))
    model = make(server)

    async def notebook() -> str:
        return send(model).text  # what a cell does: synchronous, inside a running loop

    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(send(model).text)) for _ in range(8)]
    for thread in threads:
        thread.start()
    found.append(asyncio.run(notebook()))
    for thread in threads:
        thread.join()
    assert found == ["ok"] * 9
    model.close()
    model.close()
    assert send(model).text == "ok"


def _classes(base: type[BaseException]) -> set[type[BaseException]]:
    return {base} | {deeper for child in base.__subclasses__() for deeper in _classes(child)}


def test_every_exception_of_the_sdk_has_its_kind() -> None:
    import anthropic
    import anthropic.lib.credentials
    import anthropic.types
    import httpx2

    abstract = {"AnthropicError", "APIError", "HTTPError", "RequestError", "TransportError", "TimeoutException", "NetworkError",
                "ProtocolError"}  # fmt: skip
    found = _classes(anthropic.AnthropicError) | _classes(httpx2.HTTPError)
    found |= {httpx2.InvalidURL, httpx2.CookieConflict, httpx2.StreamError}
    assert len(found) > 60
    for one in found:
        if one.__name__ in abstract:
            continue
        assert any(c.__name__ in KINDS for c in one.__mro__), f"{one.__module__}.{one.__name__} has no kind"
        kind = kind_of(one.__new__(one))
        assert kind in ModelProblem.KINDS


def test_every_error_event_has_its_kind() -> None:
    from anthropic.types.shared.error_type import ErrorType

    assert set(get_args(ErrorType)) == set(EVENT_KINDS)
    assert set(EVENT_KINDS.values()) <= set(ModelProblem.KINDS)


def test_the_sdk_is_loaded_by_the_first_call_only() -> None:
    import subprocess
    import sys

    code = (
        "import sys; import datapilot_kernel.engine, datapilot_kernel.nl2sql.claude.adapter as a;"
        "from datapilot_kernel.nl2sql.claude.settings import ModelSettings; a.ClaudeModel(ModelSettings(key='x'));"
        "sys.exit('anthropic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_forked_child_makes_its_own_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    first = adapter._loop_thread()
    assert adapter._loop_thread() is first
    monkeypatch.setattr(first, "pid", -1)
    assert adapter._loop_thread() is not first
