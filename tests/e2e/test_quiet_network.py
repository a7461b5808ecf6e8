"""The browser of these tests sees no change of the machine's network, and has no way out."""

from __future__ import annotations

import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import quiet_network, servers

pytest.importorskip("playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path(quiet_network.CHROMIUM).exists(), reason="Chromium is not on this machine"),
    pytest.mark.skipif(quiet_network.missing() is not None, reason=str(quiet_network.missing())),
]
_SCRIPTS = 20


class _Page(http.server.BaseHTTPRequestHandler):
    """A page of many small scripts, each answered when :attr:`changed` has happened."""

    changed = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/":
            kind = "text/html"
            body = b"".join(b"<script src=/%d.js></script>" % number for number in range(_SCRIPTS))
        else:
            self.changed.wait(30)
            kind, body = "text/javascript", b"window.run = (window.run || 0) + 1;"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    _Page.changed.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root adds an interface to this machine")
def test_a_network_of_containers_that_is_made_meanwhile_breaks_no_page(address: str) -> None:
    name = f"dpq{os.getpid()}"
    with servers.page() as (page, _):
        page.goto(address, wait_until="commit")
        for line in (f"link add {name} type bridge", f"address add 198.18.77.1/28 dev {name}", f"link set {name} up"):
            subprocess.run(["ip", *line.split()], check=True)
        try:
            page.wait_for_timeout(4000)  # a browser in the machine’s own network takes 2 s to notice
            _Page.changed.set()
            page.wait_for_load_state("load")
        finally:
            subprocess.run(["ip", "link", "del", name], check=True)
        assert page.evaluate("[window.run, navigator.onLine]") == [_SCRIPTS, True]


def test_nothing_leaves(address: str) -> None:
    _Page.changed.set()
    with servers.page() as (page, _):
        page.goto(address)
        tried = (
            """async (url) => { try { await fetch(url, {mode: 'no-cors'}); return 'answered'; } catch { return 'cut'; } }"""
        )
        assert page.evaluate(tried, address) == "answered"  # the control
        assert page.evaluate(tried, address.replace("127.0.0.1", "app.localhost")) == "answered"
        for outside in ("http://192.0.2.2/", "http://10.0.0.1/", "https://example.org/"):
            assert page.evaluate(tried, outside) == "cut"
