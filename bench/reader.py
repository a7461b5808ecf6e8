"""A reader's browser: Chromium as somebody has it who does not look into it, told where to go over its debugging socket.

What usually drives a browser (Playwright, Selenium, the developer tools) enables the protocol's domain « Runtime ». From
then on the engine notes for each error that a script throws, caught ones too, where every function on the stack stands, and
for that reads whole files again: 150 to 170 ms each time the charts' library is started (two cores; measured by the page's
own « long-animation-frame » entries, with the domain and in a browser that nobody drives). No reader waits for that, so the
domain stays off here: a page is evaluated once, to wait for what is measured, and once more to read it.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import websocket

from tests.e2e.quiet_network import CHROMIUM, FLAGS

WAIT_S = 60
SETTLE_S = 3
"""What the browser's own start takes: its toolbar is pages too, a quarter of a second of processor time. A reader's browser
has that behind it."""


class Tab:
    """One tab; ``script`` runs in each page before the page's own."""

    def __init__(self, address: str, script: str) -> None:
        # The browser refuses what says that it comes from a page.
        self._socket = websocket.create_connection(address, timeout=WAIT_S, suppress_origin=True)
        self._count = 0
        self.send("Page.enable")
        self.send("Page.addScriptToEvaluateOnNewDocument", source=script)

    def send(self, method: str, **given: Any) -> dict[str, Any]:
        """Send a command and return its result.

        Raises
        ------
        RuntimeError
            The browser refused it.
        """
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": given}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._count:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return dict(message["result"])

    def sign_in(self, cookie: str, address: str) -> None:
        """Give the browser a cookie (``name=value``) for an address."""
        name, _, value = cookie.partition("=")
        self.send("Network.setCookie", name=name, value=value, url=address)

    def open(self, address: str) -> None:
        """Go there; returns when the page has begun to come.

        Raises
        ------
        RuntimeError
            Nobody answers there.
        """
        if error := self.send("Page.navigate", url=address).get("errorText"):
            raise RuntimeError(f"{address}: {error}")

    def ask(self, expression: str) -> Any:
        """Return what an expression of JavaScript gives, or its promise when that is kept.

        Raises
        ------
        RuntimeError
            It throws.
        """
        answer = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression is true in the page that is open, looking 20 times a second.

        Raises
        ------
        TimeoutError
            It was not within a minute.
        """
        met = self.ask(
            f"new Promise(done => {{ const ends = Date.now() + {WAIT_S * 900}; const look = () => ({condition}) ? done(true)"
            " : Date.now() > ends ? done(false) : setTimeout(look, 50); look(); })"
        )
        if not met:
            raise TimeoutError(str(self.ask("document.body.innerText"))[:1000])

    def close(self) -> None:
        self._socket.close()


class Reader:
    """A browser that was just started, with an empty cache."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tabs: list[Tab] = []

    def tab(self, script: str = "") -> Tab:
        """Open a tab in front."""
        asked = Request(f"http://127.0.0.1:{self._port}/json/new?about:blank", method="PUT")
        with urlopen(asked, timeout=WAIT_S) as answer:
            tab = Tab(json.load(answer)["webSocketDebuggerUrl"], script)
        self._tabs.append(tab)
        return tab

    def close(self) -> None:
        for tab in self._tabs:
            tab.close()


@contextmanager
def reader(*, width: int = 1280, height: int = 1600) -> Iterator[Reader]:
    """Start the browser, with an empty cache, and let it come to rest; stop it at the end.

    Raises
    ------
    TimeoutError
        It did not start within a minute.
    """
    with tempfile.TemporaryDirectory(prefix="datapilot-bench-", ignore_cleanup_errors=True) as folder:
        command = [
            CHROMIUM, "--headless=new", *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={folder}",
            f"--window-size={width},{height}", "--lang=fr-FR", "about:blank",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            told = Path(folder) / "DevToolsActivePort"
            ends = time.monotonic() + WAIT_S
            while not (told.exists() and "\n" in told.read_text(encoding="ascii")):
                if time.monotonic() > ends or process.poll() is not None:
                    raise TimeoutError("Chromium did not start")
                time.sleep(0.05)
            time.sleep(SETTLE_S)
            found = Reader(int(told.read_text(encoding="ascii").split("\n")[0]))
            try:
                yield found
            finally:
                found.close()
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
