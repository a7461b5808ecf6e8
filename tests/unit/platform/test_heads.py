"""What is collected of a request before it says anything is bounded, wherever it stands; an ordinary request is served."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
import uvicorn

from hub_config.operations.heads import LARGEST_HEAD, BoundedHead
from tests.platform_support import wait_until


async def _length(scope: Any, receive: Any, send: Any) -> None:
    """Answer with how long the body was, and how many headers there were."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = f"{size} {len(scope['headers'])}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(_length, http=BoundedHead, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(10)


def talk(port: int, *pieces: bytes) -> bytes:
    """Send the pieces and return what is answered until the server closes."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as connection:
        with suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
        answer = b""
        with suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
        return answer


def endless(port: int, begun: bytes, more: bytes) -> int:
    """Send ``more`` again and again; return how many bytes were sent until the server would have no more."""
    with closing(socket.socket()) as connection:
        connection.settimeout(30)
        # Set, it no longer grows by itself: what is sent and not read stays little.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST_HEAD)
        connection.connect(("127.0.0.1", port))
        connection.sendall(begun)
        sent = 0
        with suppress(ConnectionError):
            while sent < 64 * LARGEST_HEAD:
                connection.sendall(more)
                sent += len(more)
        return sent


# The kernel's buffers on both sides take some megabytes that nobody reads.
_FAR = 32 * LARGEST_HEAD


@pytest.mark.parametrize(
    ("begun", "more"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-More: " + b"a" * 4000 + b"\r\n"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ", b"a" * 4096),
        (b"GET / HTTP/1.1\r\n", b"a" * 4096),
        (b"GET /", b"a" * 4096),
        (b"", b"\r\n" * 2048),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", b"X-More: " + b"a" * 4000 + b"\r\n"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Long: ", b"a" * 4096),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a" * 4096),
    ],
)  # fmt: skip
def test_a_head_without_an_end_is_left(port: int, begun: bytes, more: bytes) -> None:
    assert endless(port, begun, more) < _FAR


def test_what_is_too_large_is_said(port: int) -> None:
    many = b"X-More: " + b"a" * 1000 + b"\r\n"
    assert talk(port, b"GET / HTTP/1.1\r\nHost: x\r\n", *[many] * 400).startswith(b"HTTP/1.1 400 ")


def test_ordinary_requests_are_served(port: int) -> None:
    close = b"Connection: close\r\n"
    head = b"POST / HTTP/1.1\r\nHost: x\r\n"
    large = b"X-Token: " + b"a" * 30_000 + b"\r\n"
    assert talk(port, head + close + large + b"Content-Length: 3\r\n\r\n", b"abc").endswith(b"3 4")
    # A body of any length, a byte at a time, or in large pieces.
    small = b"1\r\na\r\n" * 20_000
    chunked = head + close + b"Transfer-Encoding: chunked\r\n\r\n"
    assert talk(port, chunked, small, b"0\r\n\r\n").endswith(b"20000 3")
    assert talk(port, head + close + b"Content-Length: 3000000\r\n\r\n", b"a" * 3_000_000).endswith(b"3000000 3")
    # Several on one connection, more than a head's bytes together.
    again = b"GET / HTTP/1.1\r\nHost: x\r\n" + large + b"\r\n"
    answers = talk(port, *[again] * 5, b"GET / HTTP/1.1\r\nHost: x\r\n" + close + b"\r\n")
    assert answers.count(b"HTTP/1.1 200") == 6
