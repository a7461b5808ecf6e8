"""Interactive dashboards: what a page may say, what a grant opens, when one ends. The hub is a stand-in; the test plays the
process. Over real processes: ``tests/integration/hub/test_interactive.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards.interactive import files
from dashboards.interactive.messages import (
    COMM_TARGET,
    MOST_FROM_VIEWER_BYTES,
    Message,
    Refused,
    entry_of,
    frame_of,
    from_viewer,
    read_frame,
    to_viewer,
)
from hub_config.database import Dashboard, DashboardVersion
from hub_config.hub_names import rendering_of
from hub_config.interactive.mailbox import Mailbox
from tests.pages_support import Browser
from tests.platform_support import World, make_world, wait_until
from tests.questions_support import add_files
from tests.rendering_hub import TOKEN, RenderingHub, rendering_hub
from tests.unit.platform.test_content import PLAN, _call, _dashboard, _publish, filtered, source_id
from tests.unit.platform.test_semantic_layers_api import _accept, _draft, _save, _with

__all__ = ["filtered", "source_id"]  # fixtures

COMM = {"comm_id": "c1", "data": {"method": "update", "state": {"value": 3}}}
NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [{"id": "c1", "cell_type": "code", "metadata": {}, "source": "1 + 1", "outputs": [], "execution_count": None}],
}


def said(kind: str, content: Any, *, channel: Any = "shell", metadata: Any = None, **header: Any) -> str:
    made = {"msg_id": "m1", "session": "s1", "username": "x", "version": "5.3", "msg_type": kind} | header
    body = {
        "header": made,
        "parent_header": {"msg_id": "p"},
        "metadata": metadata or {},
        "content": content,
        "channel": channel,
    }
    return json.dumps(body)


# ── what may be said ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("comm_msg", COMM),
        ("comm_close", {"comm_id": "c1", "data": {}}),
        ("comm_open", {"comm_id": "c1", "target_name": COMM_TARGET, "data": {}}),
        ("comm_info_request", {"target_name": "jupyter.widget"}),
        ("kernel_info_request", {}),
    ],
)
def test_widgets_say_what_they_need(kind: str, content: dict[str, Any]) -> None:
    found = from_viewer(said(kind, content | {"code": "x"}, metadata={"version": "2.1.0", "other": 1}))
    assert (found.kind, found.channel, found.id, found.session) == (kind, "shell", "m1", "s1")
    assert found.content == content, "nothing but what is known of it"
    assert (found.metadata, found.parent) == ({"version": "2.1.0"}, {})


FORBIDDEN = (
    "execute_request", "complete_request", "inspect_request", "history_request", "is_complete_request", "input_reply",
    "debug_request", "interrupt_request", "shutdown_request", "create_subshell_request", "connect_request", "comm_info_reply",
    "execute_input", "stream", "usage_request", "", "Execute_Request", "comm_msg ", "comm_msg\x00",
)  # fmt: skip


@pytest.mark.parametrize("channel", ["shell", "control", "stdin", "iopub"])
@pytest.mark.parametrize("kind", FORBIDDEN)
def test_nothing_else_is_said_on_any_channel(kind: str, channel: str) -> None:
    with pytest.raises(Refused):
        from_viewer(said(kind, {"code": "1", "comm_id": "c1", "data": {}}, channel=channel))


@pytest.mark.parametrize("channel", ["control", "stdin", "iopub", "", None, 1, ["shell"], "Shell"])
def test_what_may_be_said_is_said_on_one_channel(channel: Any) -> None:
    with pytest.raises(Refused):
        from_viewer(said("comm_msg", COMM, channel=channel))


@pytest.mark.parametrize(
    "frame",
    [
        "", "x", "[]", "null", "{}", '{"header": []}', "[" * 5000,
        said("comm_msg", None), said("comm_msg", []), said("comm_msg", COMM | {"comm_id": ["c"]}), said("comm_msg", {"data": {}}),
        said("comm_msg", COMM | {"data": "x"}), said("comm_msg", COMM | {"comm_id": "../x y"}), said("comm_msg", COMM, msg_id=1),
        said("comm_msg", COMM, msg_id="x" * 129), said("comm_msg", COMM, session=None), said("comm_msg", COMM, msg_type=["comm_msg"]),
        said("comm_open", {"comm_id": "c", "target_name": "jupyter.widget", "data": {}}),
        said("comm_open", {"comm_id": "c", "target_name": "datapilot", "data": {}}), said("comm_open", {"comm_id": "c", "data": {}}),
        said("comm_info_request", {"target_name": "datapilot"}), said("comm_msg", COMM | {"data": {"x": "y" * MOST_FROM_VIEWER_BYTES}}),
        b"", b"\x00\x00", b"\x00\x00\x00\x01\x00\x00\x00\x00", b"\xff\xff\xff\xff" + b"\x00" * 40,
        Message("shell", "kernel_info_request", "m", "s", {}, buffers=(b"x",)).frame(),
        Message("shell", "execute_request", "m", "s", {"code": "1"}, buffers=(b"x",)).frame(),
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(frame: str | bytes) -> None:
    with pytest.raises(Refused):
        from_viewer(frame)


def test_buffers_travel_both_ways() -> None:
    frame = Message("shell", "comm_msg", "m", "s", COMM, buffers=(b"abc", b"", b"\x00\xff")).frame()
    found = from_viewer(frame_of(json.loads(json.dumps(entry_of(frame)))))
    assert found.buffers == (b"abc", b"", b"\x00\xff")
    assert found.content == COMM
    for entry in (None, 1, {"b64": "!"}, {"b64": 1}, {"b64": "YQ==", "x": 1}, ["x"]):
        with pytest.raises(Refused):
            frame_of(entry)


def test_a_viewer_sees_no_traceback_and_an_author_does() -> None:
    error = Message("iopub", "error", "m", "s", {"ename": "KeyError", "evalue": "secret", "traceback": ["secret"]}).frame()
    assert "secret" not in str(to_viewer(error, author=False).frame())
    assert "secret" in str(to_viewer(error, author=True).frame())
    stream = Message("iopub", "stream", "m", "s", {"name": "stderr", "text": "secret"}).frame()
    with pytest.raises(Refused):
        to_viewer(stream, author=False)
    for kind, channel in (
        ("execute_input", "iopub"),
        ("input_request", "stdin"),
        ("execute_reply", "shell"),
        ("comm_msg", "shell"),
    ):
        with pytest.raises(Refused):
            to_viewer(Message(channel, kind, "m", "s", {"code": "secret"}).frame(), author=True)


# ── the files of the script ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_files_are_the_installed_ones() -> None:
    pytest.importorskip("voila")
    assert files.installed() == files.known(), "python -m dashboards.interactive.files writes them anew"
    assert files.is_known("channel.js", files.read("channel.js") or b"")
    assert not files.is_known("channel.js", b"alert(1)")
    assert not files.is_known("other.js", b"")


def test_the_widgets_manager_looks_once_more_before_it_gives_up() -> None:
    pytest.importorskip("voila")
    waiting = [
        text for name in files.known() if b"widget model not found" in (text := files.read(name) or b"") and b"2e3" in text
    ]
    assert len(waiting) == 1
    assert b'if(void 0===(t=this._models[e]))throw Error("widget model not found")' in waiting[0]


def test_no_file_but_these_is_read() -> None:
    pytest.importorskip("voila")
    for name in (
        "../worker.py", "static/../../../etc/passwd", "static//etc/passwd", "labextensions/datapilot-lab/static/style.js", "static",
        "labextensions/@jupyter-widgets/jupyterlab-manager/package.json", "labextensions/../../../../bin/activate.js", "files.json", "",
        "static/\x00.js", "templates/lab/index.html.j2",
    ):  # fmt: skip
        assert files.read(name) is None, name


# ── one that is open ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def hub() -> Iterator[RenderingHub]:
    with rendering_hub() as made:
        yield made


@pytest.fixture
def world(tmp_path: Path, hub: RenderingHub) -> Iterator[World]:
    with make_world(tmp_path, hub_api_url=hub.url, hub_api_token=TOKEN, interactive_dashboards_per_tenant=2) as made:
        yield made


def _interactive(world: World, source: str, **content: Any) -> tuple[str, str]:
    """(dashboard, tile) in force as interactive, open to viewers and analysts."""
    dashboard, tile = _dashboard(world, source)
    assert _publish(world, dashboard).status_code == 200
    rights = {"items": [{"role": "viewer"}, {"role": "analyst"}]}
    assert _call(world, "PUT", f"/dashboards/{dashboard}/rights", json=rights).status_code == 200
    _version(world, dashboard, {"mode": "interactive", "notebook": NOTEBOOK} | content)
    return dashboard, tile


def _version(world: World, dashboard: str, content: dict[str, Any]) -> None:
    with world.database.tenant(world.tenant_id()) as session:
        row = session.get(Dashboard, dashboard)
        last = session.get(DashboardVersion, row.published_version_id)
        made = DashboardVersion(
            dashboard_id=dashboard,
            number=last.number + 1,
            content_json=last.content_json | content,
            created_by=last.created_by,
        )
        session.add(made)
        session.flush()
        row.published_version_id = made.id


@pytest.fixture
def open_one(world: World, source_id: str) -> str:
    return _interactive(world, source_id)[0]


def _session(world: World, role: str = "viewer") -> Browser:
    """A browser in which somebody has a session (this world's pages sign in by the hub)."""
    browser = Browser(world)
    with world.database.tenant(world.tenant_id()) as session:
        from hub_config.database import User

        begun = world.platform.people.page_sessions.begin(session, session.get(User, world.user_id(role)), label="test")
    browser.client.cookies.set("datapilot", begun.text, path="/")
    return browser


def _here(dashboard: str, more: str = "") -> str:
    return f"/tableaux/{dashboard}/interactif{more}"


def _begin(world: World, hub: RenderingHub, dashboard: str, role: str = "viewer") -> tuple[Browser, dict[str, str]]:
    """(the browser, the headers of its process), with a page handed in."""
    known, browser = set(hub.grants), _session(world, role)
    browser.get(_here(dashboard))
    assert browser.send(_here(dashboard), follow=False).status_code == 303, browser.last.text
    (name,) = set(hub.grants) - known
    assert rendering_of(name) is not None
    process = {"Authorization": f"Bearer {hub.grants[name]}"}
    assert _grant(world, "GET", "/job", process).status_code == 200
    assert _grant(world, "POST", "/page", process, json={"markup": "<p>la page</p>"}).status_code == 204
    browser.get(_here(dashboard))
    return browser, process


def _grant(world: World, method: str, path: str, headers: dict[str, str], **more: Any) -> Any:
    return world.client.request(method, f"/api/v1/interactive{path}", headers=headers, **more)


def _state(browser: Browser, dashboard: str) -> str:
    return str(browser.client.get(browser._at(_here(dashboard, "/etat"))).json()["state"])


def _say(browser: Browser, dashboard: str, *frames: Any) -> Any:
    return browser.send(_here(dashboard, "/messages"), frames=json.dumps(list(frames)), follow=False)


def test_from_the_button_to_the_kernel_and_back(world: World, hub: RenderingHub, source_id: str) -> None:
    dashboard, tile = _interactive(world, source_id)
    browser, process = _begin(world, hub, dashboard)
    job = _grant(world, "GET", "/job", process).json()
    assert [cell["source"] for cell in job["notebook"]["cells"]] == ["1 + 1", f"%tile {tile}"]
    outcome = _grant(world, "POST", f"/tiles/{tile}", process).json()
    assert sorted(map(tuple, outcome["rows"])) == [("Nord", "25.00"), ("Sud", "10.00")]
    assert (outcome["sql"], outcome["plan"]) == ("", None), "a viewer's"
    assert _say(browser, dashboard, said("comm_msg", COMM)).status_code == 204
    found = _grant(world, "GET", "/orders", process).json()
    assert [json.loads(order["message"])["header"]["msg_type"] for order in found["orders"]] == ["comm_msg"]
    answer = Message("iopub", "comm_msg", "m2", "k", COMM).frame()
    assert _grant(world, "POST", "/messages", process, json={"entries": [answer]}).status_code == 204
    heard = browser.client.get(browser._at(_here(dashboard, "/etat?after=0"))).json()
    assert [read_frame(frame)[0]["content"] for frame in heard["frames"]] == [COMM]


def test_the_authors_page_has_no_origin_no_network_and_no_script(world: World, hub: RenderingHub, open_one: str) -> None:
    browser, _ = _begin(world, hub, open_one)
    page = browser.get(_here(open_one))
    assert 'sandbox="allow-scripts"' in page.text
    assert "<p>la page</p>" not in page.text, "the author's markup is no part of ours"
    frames = re.search(r"frame-src (\S+)", page.headers["content-security-policy"])
    assert frames is not None
    assert frames[1].endswith(f"/tableaux/{open_one}/interactif/page")
    shown = browser.client.get(browser._at(_here(open_one, "/page")), headers={"Sec-Fetch-Dest": "iframe"})
    policy = {part.split()[0]: part.split()[1:] for part in shown.headers["content-security-policy"].split("; ")}
    assert shown.text == "<p>la page</p>"
    assert policy["sandbox"] == ["allow-scripts"]
    assert policy["default-src"] == policy["connect-src"] == policy["frame-src"] == policy["form-action"] == ["'none'"]
    (files_at,) = policy["script-src"]
    assert re.fullmatch(r"[\w.:-]+/interactif/[\w-]{43}/", files_at)
    assert set(policy["img-src"]) == {files_at, "data:", "blob:"}
    assert policy["frame-ancestors"] == ["'self'"]
    # By itself, as a window's own document, it is not shown.
    for wanted in ("document", "script", "object", "embed"):
        alone = browser.client.get(browser._at(_here(open_one, "/page")), headers={"Sec-Fetch-Dest": wanted})
        assert (alone.status_code, alone.text) == (303, "")


def test_what_may_not_be_said_is_handed_to_nobody(world: World, hub: RenderingHub, open_one: str) -> None:
    browser, process = _begin(world, hub, open_one)
    good = said("comm_msg", COMM)
    for frame in (said("execute_request", {"code": "1"}), said("comm_msg", COMM, channel="control"), "x", 1, None):
        assert _say(browser, open_one, good, frame).status_code == 403
    for text in ("", "{}", "x", "[" * 9000, json.dumps([good] * 201)):
        assert browser.send(_here(open_one, "/messages"), frames=text, follow=False).status_code == 403
    assert _say(browser, open_one, good).status_code == 204
    assert len(_grant(world, "GET", "/orders", process).json()["orders"]) == 1, "of all these, one"


def test_a_grant_opens_its_own_and_nothing_else(world: World, hub: RenderingHub, open_one: str, source_id: str) -> None:
    other, foreign = _interactive(world, source_id)
    _, process = _begin(world, hub, open_one)
    assert _grant(world, "POST", f"/tiles/{foreign}", process).status_code == 404, "another dashboard's tile"
    for path in ("/auth/me", "/data-sources", f"/dashboards/{other}/published", "/queries", "/rendering/job"):
        assert world.client.get(f"/api/v1{path}", headers=process).status_code == 401, path
    asked = {"source_id": source_id, "plan": PLAN}
    assert world.client.post("/api/v1/ai/query", json=asked, headers=process).status_code == 401
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}, world.headers("viewer")):
        for method, path in (
            ("GET", "/job"),
            ("GET", "/orders"),
            ("POST", f"/tiles/{foreign}"),
            ("POST", f"/files/{'0' * 32}"),
        ):
            assert _grant(world, method, path, headers).status_code == 401, path
    assert _grant(world, "POST", "/page", process, json={"markup": "<p>autre</p>"}).status_code == 409, "it is open already"


def test_it_is_for_one_person(world: World, hub: RenderingHub, open_one: str) -> None:
    _begin(world, hub, open_one)
    other = _session(world, "analyst")
    assert _state(other, open_one) == "none"
    assert other.client.get(other._at(_here(open_one, "/page")), headers={"Sec-Fetch-Dest": "iframe"}).status_code == 303
    other.get(_here(open_one))
    assert _say(other, open_one, said("comm_msg", COMM)).status_code == 404
    nobody = Browser(world)
    for path in ("", "/etat", "/page", "/etat?after=0"):
        answer = nobody.client.get(nobody._at(_here(open_one, path)), headers={"X-Forwarded-User": "viewer@t1.example"})
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")
    assert nobody.client.get(nobody._at("/interactif/x/channel.js")).status_code == 404


def test_a_file_of_the_script_is_taken_by_its_digest(world: World, hub: RenderingHub, open_one: str) -> None:
    """The notebook's code could hand in a file of its own: it would be a script of the author's in the reader's page."""
    import threading

    _, process = _begin(world, hub, open_one)
    assets = _grant(world, "GET", "/job", process).json()["assets"]
    content = Path(files.__file__).with_name("channel.js").read_bytes()
    answers: list[Any] = []

    def fetched() -> None:
        answers.append(world.client.get(f"{assets}channel.js"))

    for body, status in ((b"alert(1)", 404), (content, 200)):
        asking = threading.Thread(target=fetched)
        asking.start()
        wait_until(lambda: any("file" in o for o in _waiting(world)))
        (order,) = [o for o in _waiting(world) if "file" in o]
        assert _grant(world, "POST", f"/files/{order['id']}", process, content=body).status_code == 204
        asking.join(60)
        assert answers[-1].status_code == status
        (sitting,) = world.platform.interactives.sittings.live()
        sitting.to_process.taken(sitting.to_process.last)
    assert answers[-1].content == content
    assert answers[-1].headers["content-security-policy"] == "sandbox; default-src 'none'"
    for name in ("other.js", "..%2Fworker.py", "static/../../x.js", "files.json"):
        assert world.client.get(f"{assets}{name}").status_code == 404


def _waiting(world: World) -> list[Any]:
    (sitting,) = world.platform.interactives.sittings.live()
    return list(sitting.to_process.after(0)[0])


# ── ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _withdrawn(world: World, dashboard: str) -> None:
    _call(world, "PUT", f"/dashboards/{dashboard}/rights", json={"items": [{"role": "analyst"}]})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda w, d, b: _version(w, d, {}), "version"),
        (lambda w, d, b: _withdrawn(w, d), "rights"),
        (lambda w, d, b: w.platform.people.page_sessions.end(b.cookie("datapilot")), "rights"),
        (lambda w, d, b: _call(w, "PATCH", f"/users/{w.user_id('viewer')}", json={"status": "disabled"}), "rights"),
        (
            lambda w, d, b: _call(w, "PATCH", f"/users/{w.user_id('viewer')}", json={"attributes": {"region": "Sud"}}),
            "rights",
        ),
        (lambda w, d, b: _call(w, "POST", f"/dashboards/{d}/unpublish"), "rights"),
    ],
)
def test_it_ends_with_what_it_stands_on(world: World, hub: RenderingHub, open_one: str, change: Any, why: str) -> None:
    browser, process = _begin(world, hub, open_one)
    (sitting,) = world.platform.interactives.sittings.live()
    change(world, open_one, browser)
    world.platform.interactives.look()
    assert (sitting.state, sitting.why, sitting.markup) == ("ended", why, "")
    assert _grant(world, "GET", "/job", process).status_code == 401
    assert _grant(world, "GET", "/orders", process).status_code == 401
    wait_until(lambda: hub.removed)
    assert not hub.users


@pytest.mark.parametrize("how", ["narrowed", "out of reach"])
def test_it_ends_when_another_layer_says_what_of_the_source_is_theirs(
    world: World, hub: RenderingHub, source_id: str, open_one: str, how: str
) -> None:
    if how == "out of reach":
        _call(world, "PUT", f"/dashboards/{open_one}/rights", json={"items": []})
    browser = _session(world, "analyst")
    browser.get(_here(open_one))
    assert browser.send(_here(open_one), follow=False).status_code == 303
    (sitting,) = world.platform.interactives.sittings.live()
    world.platform.interactives.look()
    assert not sitting.ended
    if how == "narrowed":
        text = _with(_draft(world, source_id), row_filter='"region = {region}"')
        assert _accept(world, _save(world, source_id, text).json()["layer"]["id"]).status_code == 200
    else:
        workspace = _call(world, "POST", "/workspaces", json={"name": "Finance"}).json()["id"]
        revision = _call(world, "GET", f"/data-sources/{source_id}").json()["revision"]
        moved = {"revision": revision, "move": True, "workspace_id": workspace}
        assert _call(world, "PATCH", f"/data-sources/{source_id}", json=moved).status_code == 200
    world.platform.interactives.look()
    assert (sitting.state, sitting.why) == ("ended", "rights"), "what the kernel holds was fetched with the rights of before"


@pytest.mark.parametrize(("moved", "passed_s", "why"), [(True, 95, "left"), (False, 0, "idle")])
def test_it_ends_when_nobody_is_there(
    world: World, hub: RenderingHub, open_one: str, moved: bool, passed_s: float, why: str
) -> None:
    _begin(world, hub, open_one)
    sittings = world.platform.interactives.sittings
    (sitting,) = sittings.live()
    world.platform.interactives.look()
    assert not sitting.ended
    if moved:
        sitting.heard_at -= passed_s
    else:
        sitting.said_at -= world.settings.interactive_idle_minutes * 60 + 1  # a page is open, and nobody moves anything
    world.platform.interactives.look()
    assert (sitting.state, sitting.why) == ("ended", why)


def test_the_person_closes_it_and_opens_it_again(world: World, hub: RenderingHub, open_one: str) -> None:
    browser, process = _begin(world, hub, open_one)
    assert browser.send(_here(open_one), follow=False).status_code == 303
    assert len(hub.grants) == 1, "what is open is not opened twice"
    browser.get(_here(open_one))
    page = browser.send(_here(open_one, "/fermer"))
    assert "Vous avez fermé" in page.text
    assert "Relancer" in page.text
    assert _grant(world, "GET", "/job", process).status_code == 401
    wait_until(lambda: hub.removed)
    browser.send(_here(open_one), follow=False)
    assert len(hub.grants) == 1
    assert _state(browser, open_one) == "starting"


def test_the_trace_is_the_authors_alone(world: World, hub: RenderingHub, open_one: str) -> None:
    for role, sees in (("viewer", False), ("analyst", True)):
        browser, process = _begin(world, hub, open_one, role)
        failure = {"cell": 1, "name": "KeyError", "trace": "KeyError: 'marge'"}
        assert _grant(world, "POST", "/failure", process, json=failure).status_code == 204
        page = browser.get(_here(open_one)).text
        assert "s’est arrêté sur une erreur" in page
        assert ("marge" in page) == sees


def test_of_one_tenant_so_many_are_open(world: World, hub: RenderingHub, open_one: str, source_id: str) -> None:
    """Two of this tenant's: one of a person's, for the other is left to somebody else."""
    second, _ = _interactive(world, source_id)
    viewer, _ = _begin(world, hub, open_one)
    assert viewer.send(_here(second), follow=False).status_code == 429
    _begin(world, hub, second, "analyst")
    admin = _session(world, "administrator")
    admin.get(_here(second))
    refused = admin.send(_here(second), follow=False)
    assert refused.status_code == 429
    assert "Trop de tableaux de bord interactifs" in refused.text


def test_a_page_that_is_not_interactive_is_not_opened(world: World, hub: RenderingHub, source_id: str) -> None:
    dashboard, _ = _interactive(world, source_id, mode="page")
    browser = _session(world)
    assert browser.get(_here(dashboard), follow=False).headers["location"] == f"/tableaux/{dashboard}"
    browser.get("/account")
    assert browser.send(_here(dashboard), follow=False).status_code == 404
    assert not hub.users


def test_without_a_hub_it_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with make_world(tmp_path) as alone:
        dashboard, _ = _dashboard(alone, add_files(alone, "t1"))
        _publish(alone, dashboard)
        _call(alone, "PUT", f"/dashboards/{dashboard}/rights", json={"items": [{"role": "viewer"}]})
        _version(alone, dashboard, {"mode": "interactive", "notebook": NOTEBOOK})
        browser = Browser(alone)
        browser.sign_in("viewer@t1.example")
        assert "ne propose pas les tableaux de bord interactifs" in browser.get(_here(dashboard)).text
        assert browser.send(_here(dashboard), follow=False).status_code == 404


def test_a_stop_is_not_held_up_by_who_waits(
    world: World, hub: RenderingHub, open_one: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading
    import time

    monkeypatch.setattr("hub_config.interactive.manager.POLL_S", 55.0)
    _, process = _begin(world, hub, open_one)
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(_grant(world, "GET", "/orders", process).status_code))
    asking.start()
    (sitting,) = world.platform.interactives.sittings.live()
    wait_until(lambda: sitting.to_process._waiting)
    began = time.monotonic()
    world.platform.interactives.begin_stopping()
    asking.join(30)
    assert answers == [401]
    assert time.monotonic() - began < 25  # it would be fifty-five
    assert sitting.why == "stopped"


def test_a_mailbox_says_what_was_lost() -> None:
    box = Mailbox(most=3, most_bytes=100)
    box.put(["a", "b"], [1, 1])
    assert box.after(0) == (["a", "b"], 2, False)
    box.put(["c", "d"], [1, 1])
    assert box.after(0) == (["b", "c", "d"], 4, True)
    assert box.after(2) == (["c", "d"], 4, False)
    assert box.after(4) == ([], 4, False)
    box.put(["e" * 200], [200])
    assert box.after(4) == (["e" * 200], 5, False), "the newest is kept, whatever its size"
    box.taken(5)
    assert box.waiting() == (0, 0)
