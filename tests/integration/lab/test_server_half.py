"""The panel's server half in a real Jupyter server: who may ask it, what passes, what is held, what is stopped."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.servers import free_port
from tests.integration.lab.upstream import ANSWER, Upstream, upstream

HUB_TOKEN = "h" * 40
SOURCE = "5" * 32
START = """import sys
from jupyter_server.serverapp import ServerApp
ServerApp.launch_instance(sys.argv[1:], jpserver_extensions={"datapilot_lab": True})
"""
ASK = {"request_id": "0" * 32, "query": {"source_id": SOURCE, "question": "combien ?"}}


class Lab:
    """A Jupyter server with this extension alone."""

    def __init__(self, folder: Path, api: str, *, grace_s: float) -> None:
        self.port = port = free_port()
        self.url = f"http://127.0.0.1:{port}/somebody"
        self.log = folder / "server.log"
        command = [
            sys.executable, "-c", START, "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=letmein",
            "--ServerApp.base_url=/somebody/",
        ]  # fmt: skip
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("DATAPILOT_", "JUPYTER"))}
        environment |= {
            "DATAPILOT_API_URL": api, "JUPYTERHUB_API_TOKEN": HUB_TOKEN, "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_NO_CONFIG": "1", "JUPYTER_RUNTIME_DIR": str(folder / "runtime"), "DATAPILOT_LAB_GRACE_S": str(grace_s),
        }  # fmt: skip
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + 90
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/api", trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        self.close()
        raise AssertionError(self.log.read_text(encoding="utf-8")[-3000:])

    @contextmanager
    def person(self) -> Iterator[httpx.Client]:
        """A browser that has signed in: a cookie and its XSRF token, no header of authorization."""
        with httpx.Client(base_url=f"{self.url}/datapilot/", timeout=60, trust_env=False) as client:
            client.get(f"{self.url}/login", params={"token": "letmein"}, follow_redirects=True)
            client.headers["X-XSRFToken"] = next(c.value for c in client.cookies.jar if c.name == "_xsrf") or ""
            yield client

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(30)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, list[Upstream]]]:
    """One server for the module; each test has an API of its own behind the same address."""
    current: list[Upstream] = []
    with upstream() as api:
        current.append(api)
        # A page that comes back does so in time, however long the machine lets its test wait.
        lab = Lab(tmp_path_factory.mktemp("half"), api.url, grace_s=110)
        try:
            yield lab, current
        finally:
            lab.close()


@pytest.fixture
def api(served: tuple[Lab, list[Upstream]]) -> Upstream:
    found = served[1][0]
    found.asked.clear()
    found.answers.clear()
    found.refused.clear()
    found.tokens = [f"token-{n}-{time.monotonic_ns()}" for n in range(5)]
    found.silent = False
    for event in (found.go, found.gone, found.queued):
        event.clear()
    # The token of the test before is good at the API as well: it is refused, so that every test exchanges its own.
    return found


@pytest.fixture
def lab(served: tuple[Lab, list[Upstream]]) -> Lab:
    return served[0]


@pytest.fixture
def person(lab: Lab) -> Iterator[httpx.Client]:
    with lab.person() as client:
        yield client


def _ask_id() -> dict[str, Any]:
    return ASK | {"request_id": os.urandom(16).hex()}


def _events(text: str) -> list[tuple[str, Any]]:
    blocks = [b for b in text.split("\n\n") if b.startswith("id: ")]
    lines = [b.split("\n") for b in blocks]
    return [(line[1].removeprefix("event: "), json.loads(line[2].removeprefix("data: "))) for line in lines]


# ── who ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path", ["status", "api/auth/me", f"sources/{SOURCE}", f"answers/{SOURCE}", "ask/" + "0" * 32, "nothing"]
)
def test_nobody_gets_in_without_signing_in(lab: Lab, api: Upstream, path: str) -> None:
    with httpx.Client(base_url=f"{lab.url}/datapilot/", timeout=60, trust_env=False) as stranger:
        assert stranger.get(path).status_code == 403
    assert api.asked == []


@pytest.mark.parametrize(
    "path", ["ask", "plan/edit", "api/data-sources/from-files", "api/data-sources/upload", f"answers/{SOURCE}/chart"]
)
def test_a_request_that_changes_something_needs_the_xsrf_token(person: httpx.Client, api: Upstream, path: str) -> None:
    del person.headers["X-XSRFToken"]
    assert person.post(path, json={}).status_code == 403
    assert api.asked == []


def test_the_browser_gets_no_credential_and_the_api_none_of_the_browsers(person: httpx.Client, api: Upstream) -> None:
    answer = person.get("api/conversations", headers={"Authorization": "token letmein", "X-Forwarded-For": "1.2.3.4"})
    assert answer.status_code == 200
    assert "secret" not in str(answer.headers)
    assert "set-cookie" not in answer.headers
    (sent,) = [r for r in api.asked if r.path.endswith("/conversations")]
    assert sent.headers["authorization"].startswith("Bearer ")
    assert "letmein" not in sent.headers["authorization"]
    assert {"cookie", "x-xsrftoken", "x-forwarded-for"}.isdisjoint(sent.headers)
    for text in (answer.text, str(answer.headers)):
        assert HUB_TOKEN not in text
        assert "token-" not in text


def test_a_token_that_is_refused_is_exchanged_once_more(person: httpx.Client, api: Upstream) -> None:
    person.get("api/conversations")
    bearer = api.asked[-1].headers["authorization"].removeprefix("Bearer ")
    api.refused.add(bearer)
    assert person.get("api/conversations").status_code == 200
    exchanged = [r for r in api.asked if r.path.endswith("/auth/exchange")]
    assert json.loads(exchanged[-1].body) == {"token": HUB_TOKEN}
    api.refused.update(api.tokens)
    api.refused.add(api.asked[-1].headers["authorization"].removeprefix("Bearer "))
    answer = person.get("api/conversations")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_signed_in")


# ── what passes ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "api/users"), ("GET", "api/tenant"), ("GET", "api/audit"), ("POST", "api/data-sources"),
        ("POST", "api/auth/exchange"), ("POST", "api/auth/login"), ("GET", "api/metrics"), ("GET", "api/openapi.json"),
        ("DELETE", f"api/data-sources/{SOURCE}"), ("GET", f"api/data-sources/{SOURCE}/connection"),
        ("POST", "api/semantic-layers"), ("GET", "api/dashboards"), ("POST", f"api/dashboards/{SOURCE}/publish"),
        ("POST", "api/ai/query"), ("GET", "api/queries/../users"), ("GET", "api/queries/%2e%2e/users"),
        ("GET", f"api/queries/{SOURCE}%2fresult"), ("GET", f"api/queries/{SOURCE}/result/../../../users"),
        ("GET", "api//users"), ("GET", "api/conversations/" + "G" * 32), ("GET", f"api/conversations/{SOURCE}%0a"),
        ("GET", f"api/conversations/{SOURCE}%3fx=1"), ("PATCH", "api/auth/me"), ("GET", "../datapilot/api/users"),
        ("GET", "api/http://127.0.0.1:1/"), ("PUT", f"api/conversations/{SOURCE}"),
    ],
)  # fmt: skip
def test_nothing_but_the_list_reaches_the_api(person: httpx.Client, api: Upstream, method: str, path: str) -> None:
    answer = person.request(
        method, httpx.URL(str(person.base_url)).copy_with(raw_path=f"/somebody/datapilot/{path}".encode())
    )
    assert answer.status_code in (403, 404, 405)
    assert api.paths("GET") + api.paths("POST") + api.paths("DELETE") + api.paths("PUT") == []


def test_parameters_that_are_not_listed_stay_behind(person: httpx.Client, api: Upstream) -> None:
    person.get("api/queries", params={"q": "chiffre & affaires", "limit": "5", "tenant_id": "other", "format": "x"})
    assert api.paths("GET") == ["/api/v1/queries?limit=5&q=chiffre+%26+affaires"]


def test_an_error_of_the_api_comes_through_as_it_is(person: httpx.Client, api: Upstream) -> None:
    body = json.dumps({"error": {"code": "not_found", "message": "Rien.", "details": {}, "incident": None}}).encode()
    api.answers[("GET", f"/api/v1/conversations/{SOURCE}")] = (404, {}, body)
    answer = person.get(f"api/conversations/{SOURCE}")
    assert (answer.status_code, answer.json()) == (404, json.loads(body))
    api.answers[("GET", f"/api/v1/conversations/{SOURCE}")] = (502, {}, b"<html>nginx of 10.0.0.7</html>")
    answer = person.get(f"api/conversations/{SOURCE}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "unreachable")
    assert "10.0.0.7" not in answer.text


def test_bodies_are_bounded(person: httpx.Client, api: Upstream) -> None:
    assert person.patch(f"api/conversations/{SOURCE}", content=b"x" * 9000).status_code == 413
    assert person.post("plan/edit", content=b"x" * (1024 * 1024 + 1)).status_code == 413
    assert person.post(f"api/queries/{SOURCE}/cancel", content=b"{}").status_code == 413
    assert api.paths("PATCH") + api.paths("POST") == []


def test_a_file_streams_through(person: httpx.Client, api: Upstream) -> None:
    content = os.urandom(3 * 1024 * 1024)
    made = json.dumps({"id": SOURCE, "name": "été.csv", "size_bytes": 3, "sha256": "0"}).encode()
    api.answers[("POST", "/api/v1/data-sources/upload")] = (201, {"Content-Type": "application/json"}, made)
    answer = person.post("api/data-sources/upload", content=content, headers={"X-File-Name": "%C3%A9t%C3%A9.csv"})
    assert (answer.status_code, answer.json()["name"]) == (201, "été.csv")
    (sent,) = [r for r in api.asked if r.path.endswith("/upload")]
    assert sent.body == content
    assert sent.headers["x-file-name"] == "%C3%A9t%C3%A9.csv"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_address_of_uploads_that_is_merely_opened_sends_nothing(api: Upstream, person: httpx.Client, method: str) -> None:
    refused = person.request(method, "api/data-sources/upload")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_allowed")
    time.sleep(0.3)
    assert not [r.path for r in api.asked], "neither an upload nor an exchange was begun"


def test_a_page_that_is_gone_ends_what_passes(person: httpx.Client, lab: Lab, api: Upstream) -> None:
    # Whatever takes long at the API: here, a result that never comes.
    api.hanging = f"/api/v1/queries/{SOURCE}/result"
    asked = person.build_request("GET", f"api/queries/{SOURCE}/result")
    head = "".join(f"{name}: {value}\r\n" for name, value in asked.headers.items())
    with socket.create_connection(("127.0.0.1", lab.port), 60) as page:
        page.sendall(f"GET {asked.url.path} HTTP/1.1\r\n{head}\r\n".encode())
        api.wait_for("GET", api.hanging)
    assert api.gone.wait(30), "the API still has its client"


# ── questions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_events_come_as_they_happen_and_the_answer_is_written_out(person: httpx.Client, api: Upstream) -> None:
    text = ""
    with person.stream("POST", "ask", json=_ask_id(), headers={"Accept-Language": "fr"}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        pieces = response.iter_text()
        while "queued" not in text:
            text += next(pieces)
        api.go.set()  # the last comes now: had the first waited for it, neither would have come
        text += "".join(pieces)
    events = _events(text)
    assert [name for name, _ in events] == ["queued", "step", "outcome"]
    assert events[-1][1]["sentence"] == ANSWER["sentence"]
    assert events[-1][1]["shown"] == [["1\u202f234,50\u00a0€"]]
    assert events[-1][1]["single"] is True
    sent = json.loads(api.wait_for("POST", "/api/v1/ai/query").body)
    assert sent["question"] == "combien ?"


def test_a_page_that_comes_back_finds_its_question(person: httpx.Client, api: Upstream) -> None:
    asked = _ask_id()
    with person.stream("POST", "ask", json=asked) as response:
        assert "queued" in next(response.iter_text())
    # Gone. Back within the grace: nothing was asked twice, what was missed comes too.
    time.sleep(0.3)
    threading.Timer(0.3, api.go.set).start()
    again = person.get(f"ask/{asked['request_id']}", params={"after": 1})
    assert [name for name, _ in _events(again.text)] == ["step", "outcome"]
    assert api.paths("POST") == ["/api/v1/ai/query"]
    # And once more after its end; the same request sent twice is one question.
    assert [n for n, _ in _events(person.get(f"ask/{asked['request_id']}").text)] == ["queued", "step", "outcome"]
    assert [n for n, _ in _events(person.post("ask", json=asked).text)][-1] == "outcome"
    assert api.paths("POST") == ["/api/v1/ai/query"]


def test_a_page_that_stays_away_has_its_question_stopped(tmp_path: Path) -> None:
    with upstream() as api:
        lab = Lab(tmp_path, api.url, grace_s=0.5)
        try:
            with lab.person() as person, person.stream("POST", "ask", json=_ask_id()) as response:
                next(response.iter_text())
            api.wait_for("POST", f"/api/v1/queries/{'a' * 32}/cancel")
        finally:
            lab.close()


def test_stop_is_passed_on_and_ends_the_stream(person: httpx.Client, lab: Lab, api: Upstream) -> None:
    asked = _ask_id()
    with lab.person() as other, person.stream("POST", "ask", json=asked) as response:
        pieces = response.iter_text()
        text = next(pieces)
        assert other.delete(f"ask/{asked['request_id']}").status_code == 202
        began = time.monotonic()
        text += "".join(pieces)
    assert time.monotonic() - began < 50
    assert _events(text)[-1][1]["error"]["code"] == "cancelled"
    api.wait_for("POST", f"/api/v1/queries/{'a' * 32}/cancel")


def test_stop_before_the_api_has_said_anything_closes_the_connection(person: httpx.Client, lab: Lab, api: Upstream) -> None:
    api.silent = True
    asked = _ask_id()
    with lab.person() as other, person.stream("POST", "ask", json=asked) as response:
        assert api.queued.wait(30)
        other.delete(f"ask/{asked['request_id']}")
        text = "".join(response.iter_text())
    assert _events(text)[-1][1]["error"]["code"] == "cancelled"
    assert api.gone.wait(30), "the API still has its client"


def test_stop_that_is_faster_than_the_question_wins(person: httpx.Client, api: Upstream) -> None:
    asked = _ask_id()
    person.delete(f"ask/{asked['request_id']}")
    assert person.post("ask", json=asked).json()["error"]["code"] == "cancelled"
    assert api.paths("POST") == []


def test_a_question_nobody_knows_says_so(person: httpx.Client) -> None:
    answer = person.get("ask/" + "f" * 32)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_such_question")


def test_the_language_of_the_panel_goes_along(person: httpx.Client, api: Upstream) -> None:
    person.get("api/conversations", headers={"Accept-Language": "en"})
    assert api.asked[-1].headers["accept-language"] == "en"
    assert "pages" in person.get("api/users", headers={"Accept-Language": "en"}).json()["error"]["message"]
    assert "DataPilot" in person.get("api/users").json()["error"]["message"]
