"""Interactive dashboards over the wire, by a real hub with processes of this machine: a widget changes a figure; and whatever a
viewer tries by hand besides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import websocket

from tests.hub_world import Browser, HubWorld, until
from tests.integration.hub.test_renderings import processes_of
from tests.interactive_support import Opened, frame, interactive, moved, notebook, republish, slider_answers, widgets
from tests.rendering_support import published

pytest.importorskip("voila")
pytestmark = pytest.mark.timeout(300)

# What shows whether the kernel was made to run something: nobody but the notebook may.
WITNESS = "import builtins\nbuiltins.temoin = 'intact'"
WORD = """
import ipywidgets
mot = ipywidgets.Text(description="temoin")
mot.observe(lambda change: setattr(mot, "placeholder", builtins.temoin), "value")
mot
"""


@pytest.fixture(scope="module")
def opened(hub_world: HubWorld) -> Iterator[Opened]:
    """One that a viewer has open, for every test that leaves it open."""
    dashboard, _ = interactive(hub_world, WITNESS, WORD)
    found = Opened(hub_world, hub_world.sign_in("viewer"), dashboard).begin()
    assert found.state() == "ready", (found.page().text[-3000:], hub_world.hub.last_words())
    found.page()
    yield found
    found.page()
    found.post("/fermer")


def test_a_slider_changes_a_figure(opened: Opened) -> None:
    slider_answers(opened)


FORBIDDEN: tuple[tuple[str, dict[str, Any]], ...] = (
    ("execute_request", {"code": "__import__('builtins').temoin = 'perdu'", "silent": False, "user_expressions": {}}),
    ("complete_request", {"code": "op", "cursor_pos": 2}),
    ("inspect_request", {"code": "ventes", "cursor_pos": 3, "detail_level": 1}),
    ("history_request", {"hist_access_type": "tail", "n": 10, "output": True, "raw": True}),
    ("is_complete_request", {"code": "1"}),
    ("input_reply", {"value": "x"}),
    ("debug_request", {"type": "request", "seq": 1, "command": "evaluate", "arguments": {"expression": "1"}}),
    ("interrupt_request", {}),
    ("shutdown_request", {"restart": False}),
    ("create_subshell_request", {}),
    ("comm_open", {"comm_id": "x", "target_name": "jupyter.widget", "data": {}}),
    ("comm_open", {"comm_id": "x", "target_name": "datapilot", "data": {}}),
)


def test_no_message_but_the_widgets_reaches_the_kernel(opened: Opened) -> None:
    for kind, content in FORBIDDEN:
        for channel in ("shell", "control", "stdin", "iopub"):
            assert opened.say(frame(kind, content, channel=channel)).status_code == 403, (kind, channel)
    good = frame("comm_info_request", {"target_name": "jupyter.widget"}, msg_id="ceci")
    assert opened.say(frame("execute_request", FORBIDDEN[0][1]), good).status_code == 403, "not beside a good one either"
    assert opened.say(good).status_code == 204
    kinds = set()

    def answered(message: dict[str, Any]) -> bool:
        kinds.add(message["parent_header"].get("msg_type"))
        return bool(message["header"]["msg_type"] == "comm_info_reply")

    opened.until_heard(answered)
    assert kinds <= {"comm_info_request", "comm_msg", "comm_open"}, "the kernel was asked nothing else"
    comm, _ = widgets(opened)["TextModel temoin"]
    assert moved(opened, comm, value="a").status_code == 204
    heard = opened.until_heard(lambda m: m["content"].get("data", {}).get("state", {}).get("placeholder"))
    assert heard["content"]["data"]["state"]["placeholder"] == "intact"


PATHS = (
    "api", "api/kernels", "api/kernelspecs", "api/contents", "api/contents/x.ipynb", "api/sessions", "api/terminals", "api/me",
    "api/status", "api/shutdown", "terminals/websocket/1", "voila/files/x.ipynb", "voila/api/shutdown/x", "voila/query/x",
    "voila/execution/x", "voila/render/x.ipynb", "files/x", "tree", "lab", "doc", "nbconvert/html/x",
)  # fmt: skip


def test_there_is_no_jupyter_server_to_ask(opened: Opened) -> None:
    """Neither at our pages nor where the hub's proxy leads to the process: it says that it lives, whatever is asked."""
    at = f"/user/{opened.name}/"
    anonymous = opened.world.browser()
    for browser in (opened.browser, anonymous):
        for path in PATHS:
            opened.state()  # as its page goes on asking: a session that nobody looks at ends
            for method in ("GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"):
                answer = browser.request(
                    method, f"{at}{path}", json={} if method == "POST" else None, follow_redirects=False
                )
                assert (answer.status_code, answer.content) == (204, b""), (method, path)
    for path in PATHS:
        opened.state()
        for method in ("GET", "POST", "DELETE"):
            for base in (f"{opened.here}/", "/services/datapilot/"):
                answer = opened.browser.request(method, f"{base}{path}", follow_redirects=False)
                assert answer.status_code in (404, 405), (method, base, path, answer.status_code)
    url = opened.world.url.replace("http", "ws", 1)
    for path in ("api/kernels/x/channels", "voila/query/x", "voila/execution/x", "terminals/websocket/1"):
        for base in (at, f"{opened.here}/"):
            with pytest.raises((websocket.WebSocketException, OSError)):
                websocket.create_connection(f"{url}{base}{path}", origin=opened.world.url, timeout=10)
    assert opened.state() == "ready", "none of it did anything"


def test_a_viewer_opens_only_their_own(opened: Opened, hub_world: HubWorld) -> None:
    world = hub_world
    world.world.add_user("t1", "voisin@t1.example", "viewer")
    neighbour, foreign = world.sign_in("viewer", email="voisin@t1.example"), world.sign_in("viewer", "t2")
    other = Opened(world, neighbour, opened.dashboard)
    other.page()
    assert other.state() == "none"
    assert other.say(frame("kernel_info_request", {})).status_code == 404
    assert other.document().status_code == 303
    assert neighbour.get(f"{other.here}/etat", params={"after": 0}).json()["frames"] == []
    outside = Opened(world, foreign, opened.dashboard)
    assert outside.page().status_code == 404
    foreign.get("/services/datapilot/account")
    for answer in (outside.document(), foreign.get(f"{other.here}/etat")):
        assert answer.status_code == 404


def test_nothing_but_the_cookie_says_who_one_is(opened: Opened, hub_world: HubWorld) -> None:
    world = hub_world
    token = world.world.headers("viewer")
    forged: tuple[dict[str, str], ...] = (
        {}, token, {"Authorization": f"Bearer {opened.grant}"}, {"Authorization": f"token {world.hub_token}"},
        {"X-Forwarded-User": "viewer@t1.example", "Remote-User": "viewer@t1.example", "X-Forwarded-Host": "127.0.0.1"},
        {"Cookie": f"datapilot={opened.grant}"}, {"Cookie": "datapilot=dps_x"},
    )  # fmt: skip
    for headers in forged:
        anonymous: Browser = world.browser()
        for path in ("", "/page", "/etat", "/etat?after=0"):
            answer = anonymous.get(f"{opened.here}{path}", headers=headers, follow_redirects=False)
            assert answer.status_code == 303, (path, headers)
            assert "/sign-in" in answer.headers["location"]
        for path in ("", "/messages", "/fermer"):
            body = {"csrf": opened.csrf, "frames": json.dumps([frame("kernel_info_request", {})])}
            answer = anonymous.post(f"{opened.here}{path}", data=body, headers=headers, follow_redirects=False)
            assert answer.status_code == 303, (path, headers)
            assert answer.headers["location"].endswith("/sign-in")
    # With the cookie, but from another origin, from a frame without one, or without the form's token.
    opened.page()
    body = {"csrf": opened.csrf, "frames": json.dumps([frame("kernel_info_request", {})])}
    for headers in (
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        for path in ("", "/messages", "/fermer"):
            assert opened.browser.post(f"{opened.here}{path}", data=body, headers=headers).status_code == 403
    assert opened.browser.post(f"{opened.here}/messages", data=body | {"csrf": "0" * 64}).status_code == 403
    assert opened.state() == "ready"


def test_the_grant_opens_its_tiles_and_the_key_its_files(opened: Opened, hub_world: HubWorld) -> None:
    world = hub_world
    process = {"Authorization": f"Bearer {opened.grant}"}
    api = httpx.Client(base_url=f"{world.api_url}/api/v1", trust_env=False, timeout=60)
    with api:
        _, foreign = published(world)
        assert api.post(f"/interactive/tiles/{foreign}", headers=process).status_code == 404
        for path in ("/auth/me", "/data-sources", "/rendering/job", "/dashboards", "/users"):
            assert api.get(path, headers=process).status_code == 401, path
        assets = api.get("/interactive/job", headers=process).json()["assets"]
        for headers in ({}, world.world.headers("viewer"), {"Authorization": "Bearer x"}):
            assert api.get("/interactive/job", headers=headers).status_code == 401
    anonymous = world.browser()
    script = anonymous.get(f"{assets}static/voila.js")
    assert script.status_code == 200
    assert script.headers["content-type"].startswith("text/javascript")
    for name in (
        "worker.py", "static/../../../../etc/passwd", "static/%2e%2e/%2e%2e/secret.js", "labextensions/datapilot-lab/static/style.js",
        "static/nothing.js", "files.json", "",
    ):  # fmt: skip
        assert anonymous.get(f"{assets}{name}").status_code == 404, name
    assert anonymous.get("/services/datapilot/interactif/inconnue/static/voila.js").status_code == 404
    assert opened.state() == "ready"


def test_it_ends_with_its_version_and_leaves_nothing(hub_world: HubWorld) -> None:
    dashboard, _ = interactive(hub_world)
    found = Opened(hub_world, hub_world.sign_in("viewer"), dashboard).begin()
    assert found.state() == "ready"
    folder = hub_world.hub_data / "people" / found.name
    assert processes_of(folder)
    republish(hub_world, dashboard, {}, cell=1)
    until(lambda: found.state() == "ended", 60)
    assert "une autre version" in found.page().text
    process = {"Authorization": f"Bearer {found.grant}"}
    late = httpx.get(f"{hub_world.api_url}/api/v1/interactive/orders", headers=process, trust_env=False, timeout=60)
    assert late.status_code == 401
    until(lambda: hub_world.hub_api("GET", f"users/{found.name}").status_code == 404, 60, lambda: "the hub user stays")
    until(lambda: not folder.exists() and not processes_of(folder), 60, lambda: "folder or process stays")


def test_signing_out_ends_it(hub_world: HubWorld) -> None:
    dashboard, _ = interactive(hub_world)
    browser = hub_world.sign_in("viewer")
    found = Opened(hub_world, browser, dashboard).begin()
    assert found.state() == "ready"
    found.page()
    origin = {"Origin": hub_world.url, "Sec-Fetch-Site": "same-origin"}
    browser.post("/services/datapilot/sign-out", data={"csrf": found.csrf}, headers=origin, follow_redirects=False)
    again = Opened(hub_world, hub_world.sign_in("viewer"), dashboard)
    until(lambda: again.state() == "ended", 60)
    assert "votre connexion ou vos droits" in again.page().text


def test_an_authors_error_is_the_authors_to_read(hub_world: HubWorld) -> None:
    dashboard, _ = published(hub_world)
    republish(
        hub_world, dashboard, {"mode": "interactive", "notebook": notebook("secret = 'marge 42'", "{}[secret]")}, cell=None
    )
    for role, sees in (("viewer", False), ("administrator", True)):
        found = Opened(hub_world, hub_world.sign_in(role), dashboard).begin()
        assert found.state() == "ended"
        page = found.page().text
        assert "s’est arrêté sur une erreur" in page
        assert ("marge 42" in page) == sees
