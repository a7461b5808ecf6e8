"""An interactive dashboard in a running platform: published, opened in a browser's session, spoken to by hand."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

import httpx
from sqlalchemy import select

from hub_config.database import Dashboard, DashboardVersion
from tests.hub_world import Browser, HubWorld, until
from tests.rendering_support import client, published

SLIDER = """
import ipywidgets as widgets
from IPython.display import display
import plotly.graph_objects as go

total = float(ventes.df["ca"].sum())
curseur = widgets.IntSlider(value=10, min=0, max=50, description="Hausse")
texte = widgets.HTML()

def montre(change):
    texte.value = f"<b id='prevision'>{total * (100 + curseur.value) / 100:.2f}</b>"

curseur.observe(montre, "value")
montre(None)
display(curseur, texte)
"""
BAR = "go.Figure(go.Bar(x=list(ventes.df['region']), y=list(ventes.df['ca'])))"


def notebook(*sources: str) -> dict[str, Any]:
    """nbformat 4: text, and the cells of code."""
    text = {"id": "texte", "cell_type": "markdown", "metadata": {}, "source": "## Prévision"}
    cells: list[dict[str, Any]] = [
        {"id": f"c{n}", "cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
        for n, source in enumerate(sources)
    ]
    spec = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": spec, "cells": [text, *cells]}


def interactive(world: HubWorld, *more: str, tenant: str = "t1") -> tuple[str, str]:
    """(dashboard, tile): in force, open to viewers, with a slider that changes a figure."""
    dashboard, tile = published(world, tenant)
    content = {"notebook": notebook("%ask -o ventes montant par région", SLIDER, BAR, *more), "mode": "interactive"}
    republish(world, dashboard, content, cell=1, tenant=tenant)
    return dashboard, tile


def republish(world: HubWorld, dashboard: str, content: dict[str, Any], *, cell: int | None, tenant: str = "t1") -> None:
    """Put another version in force."""
    with world.world.database.tenant(world.world.tenant_id(tenant)) as session:
        row = session.get(Dashboard, dashboard)
        versions = select(DashboardVersion).where(DashboardVersion.dashboard_id == dashboard)
        last = max(session.scalars(versions), key=lambda one: one.number)
        tiles = [tile | ({"cell": cell} if cell is not None else {}) for tile in last.content_json["tiles"]]
        version = DashboardVersion(
            dashboard_id=dashboard, number=last.number + 1, content_json=last.content_json | content | {"tiles": tiles},
            created_by=last.created_by,
        )  # fmt: skip
        session.add(version)
        session.flush()
        row.published_version_id = version.id


def started(world: HubWorld) -> dict[str, str]:
    """The grants of the processes that the hub has begun, by their hub users."""
    users = world.hub_api("GET", "users").json()
    found = [user for user in users if user["name"].startswith("rendu-") and user["servers"]]
    return {user["name"]: str(user["servers"][""]["user_options"]["grant"]) for user in found}


class Opened:
    """What one browser has open, without a script: its page, its messages."""

    def __init__(self, world: HubWorld, browser: Browser, dashboard: str) -> None:
        self.world, self.browser, self.dashboard = world, browser, dashboard
        self.here = f"/services/datapilot/tableaux/{dashboard}/interactif"
        self.after = 0
        self.csrf = ""
        self.name = self.grant = ""

    def page(self) -> httpx.Response:
        page = self.browser.get(self.here)
        found = re.search(r'name="csrf" value="(\w+)"', page.text)
        self.csrf = found[1] if found else self.csrf
        return page

    def post(self, path: str = "", **fields: str) -> httpx.Response:
        origin = {"Origin": self.world.url, "Sec-Fetch-Site": "same-origin"}
        return self.browser.post(
            f"{self.here}{path}", data={"csrf": self.csrf} | fields, headers=origin, follow_redirects=False
        )

    def state(self) -> str:
        return str(self.browser.get(f"{self.here}/etat").json()["state"])

    def begin(self, seconds: float = 120) -> Opened:
        self.page()
        known = started(self.world)
        answer = self.post()
        assert answer.status_code == 303, (answer.status_code, answer.text[:2000])
        self.name, self.grant = next((n, g) for n, g in started(self.world).items() if n not in known)
        until(
            lambda: self.state() not in ("starting", "running"),
            seconds,
            lambda: f"{self.state()} {self.world.hub.last_words()}",
        )
        return self

    def document(self) -> httpx.Response:
        return self.browser.get(f"{self.here}/page", headers={"Sec-Fetch-Dest": "iframe"}, follow_redirects=False)

    def say(self, *frames: Any) -> httpx.Response:
        return self.post("/messages", frames=json.dumps(list(frames)))

    def heard(self) -> list[dict[str, Any]]:
        """What came since; frames with buffers as their JSON."""
        from dashboards.interactive.messages import frame_of, read_frame

        found = self.browser.get(f"{self.here}/etat", params={"after": self.after}).json()
        self.after = found["next"]
        return [read_frame(frame_of(entry))[0] for entry in found["frames"]]

    def until_heard(self, wanted: Any, seconds: float = 60) -> dict[str, Any]:
        """The first message that fits."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for message in self.heard():
                if wanted(message):
                    return message
        raise AssertionError("not heard")


def frame(kind: str, content: dict[str, Any], *, channel: str = "shell", **header: Any) -> str:
    """A message as JupyterLab's script writes it."""
    made = {"msg_id": uuid.uuid4().hex, "session": "page", "username": "", "version": "5.3", "msg_type": kind} | header
    return json.dumps(
        {"header": made, "parent_header": {}, "metadata": {"version": "1.0.0"}, "content": content, "channel": channel}
    )


__all__ = ["Opened", "client", "frame", "interactive", "notebook", "republish"]


def widgets(opened: Opened) -> dict[str, tuple[str, dict[str, Any]]]:
    """By name of the model: (comm, state), as the widgets' script asks for them."""
    control = {"comm_id": "controle", "target_name": "jupyter.widget.control", "data": {}}
    ask = {"comm_id": "controle", "data": {"method": "request_states"}}
    assert opened.say(frame("comm_open", control), frame("comm_msg", ask)).status_code == 204
    heard = opened.until_heard(lambda m: m["content"].get("data", {}).get("method") == "update_states")
    states = heard["content"]["data"]["states"]
    return {f"{s['model_name']} {s['state'].get('description', '')}".strip(): (i, s["state"]) for i, s in states.items()}


def moved(opened: Opened, comm: str, **state: Any) -> httpx.Response:
    data = {"method": "update", "state": state, "buffer_paths": []}
    return opened.say(frame("comm_msg", {"comm_id": comm, "data": data}))


def slider_answers(opened: Opened) -> None:
    """The slider of :func:`interactive` is moved, and its figure follows."""
    found = widgets(opened)
    slider, html = found["IntSliderModel Hausse"][0], found["HTMLModel"]
    assert "473.82" in html[1]["value"], "of 430,75, ten in a hundred more"
    assert moved(opened, slider, value=20).status_code == 204
    heard = opened.until_heard(
        lambda m: m["header"]["msg_type"] == "comm_msg" and "value" in m["content"]["data"].get("state", {})
        and m["content"]["comm_id"] == html[0]
    )  # fmt: skip
    assert "516.90" in heard["content"]["data"]["state"]["value"]
