"""A browser of the pages: keeps cookies, sends forms as a browser does, and knows their tokens.

::

    browser = Browser(world)
    browser.sign_in("viewer@t1.example")
    page = browser.get("/account")
    page = browser.send("/account/name", full_name="Zoé")     # from the form of the page that was seen last
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.testclient import TestClient

from tests.platform_support import PASSWORD, World

FETCHED = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

SAMPLES: dict[str, Callable[[World], str]] = {"user_id": lambda world: world.user_id("viewer")}
"""What stands in an address, by the name of its placeholder: the id of something of tenant t1 that an administrator may open.
Each piece adds its own; the tests that enumerate the pages' table fill the addresses from here."""


def some_source(world: World) -> str:
    """A source of files of tenant t1, read and ready; one for each world."""
    from sqlalchemy import select

    from hub_config.database import DataSource
    from tests.platform_support import wait_until

    principal = world.principal("administrator")
    with world.database.tenant(principal.tenant_id, read_only=True) as session:
        found = session.scalars(select(DataSource.id).where(DataSource.name == "Exemple")).first()
    if found is not None:
        return found
    csv = "Région;Montant HT;Date de vente\r\nSud;1 234,50;03/01/2026\r\nNord;10,00;14/01/2026\r\n".encode()
    headers = world.headers("administrator")
    sent = world.client.post("/api/v1/data-sources/upload", files={"file": ("exemple.csv", csv)}, headers=headers)
    administration = world.platform.sources.administration
    view, job_id = administration.create_files(principal, "Exemple", [sent.json()["id"]], {})
    wait_until(lambda: administration.job(principal, view.id, job_id).status == "done", seconds=30)
    return str(view.id)


SAMPLES["source_id"] = some_source


def some_workspace(world: World) -> str:
    """A workspace of tenant t1; one for each world."""
    from sqlalchemy import select

    from hub_config.database import Workspace

    with world.database.tenant(world.tenant_id()) as session:
        found = session.scalars(select(Workspace).where(Workspace.name == "Direction")).first() or Workspace(
            name="Direction"
        )
        session.add(found)
        session.flush()
        return str(found.id)


def some_question(world: World) -> str:
    """A question proposed to be verified over :func:`some_source`; one for each world."""
    from sqlalchemy import select

    from hub_config.database import VerifiedQuestion

    plan = {"measures": [{"alias": "n", "measure": "exemple.nombre"}]}
    source = some_source(world)
    with world.database.tenant(world.tenant_id()) as session:
        found = session.scalars(select(VerifiedQuestion)).first() or VerifiedQuestion(
            data_source_id=source, question="Combien ?", question_key="combien ?", plan_json=plan
        )
        session.add(found)
        session.flush()
        return str(found.id)


SAMPLES["workspace_id"] = some_workspace
SAMPLES["question_id"] = some_question


def some_layer(world: World) -> tuple[str, Any]:
    """The first version of the semantic layer of :func:`some_source`, by id, and its one entity; one for each world."""
    from datapilot_kernel.semantic import parse_layer

    source, principal = some_source(world), world.principal("administrator")
    drafts = world.platform.sources.layers.drafts
    working = drafts.working(principal, source)
    view = working.view or drafts.begin(principal, source, seen=working.token)
    layer, _ = parse_layer(view.text)
    assert layer is not None
    return view.id, next(iter(layer.entities.items()))


SAMPLES["layer_id"] = lambda world: some_layer(world)[0]
SAMPLES["entity"] = lambda world: some_layer(world)[1][0]
SAMPLES["measure"] = lambda world: next(iter(some_layer(world)[1][1].measures))
SAMPLES["dimension"] = lambda world: next(iter(some_layer(world)[1][1].dimensions))


class Browser:
    """One browser, with cookies of its own."""

    def __init__(self, world: World, *, url: str | None = None) -> None:
        self.url = (url or world.settings.public_url).rstrip("/")
        where = urlsplit(self.url)
        self.origin = f"{where.scheme}://{where.netloc}"
        # Not entered: the world's own client runs the application's life.
        self.client = TestClient(world.app, base_url=self.origin, follow_redirects=False)
        self.base = where.path
        self.csrf = ""
        self.last: Any = None

    def get(self, path: str = "/", *, follow: bool = True, **headers: str) -> Any:
        """Open a page, as a link of our own does."""
        sent = {"Accept": "text/html", **FETCHED, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self._seen(self.client.get(self._at(path), headers=sent), follow)

    def send(self, path: str, *, follow: bool = True, headers: dict[str, str] | None = None, **fields: str) -> Any:
        """Send a form with the token that was seen last (or the one given)."""
        sent = {"Accept": "text/html", "Origin": self.origin, **FETCHED} | (headers or {})
        fields = {"csrf": self.csrf} | fields
        return self._seen(self.client.post(self._at(path), data=fields, headers=sent), follow)

    def sign_in(self, email: str, password: str = PASSWORD, **fields: str) -> Any:
        """Sign in by the own form."""
        self.get("/sign-in")
        return self.send("/sign-in", email=email, password=password, **fields)

    def cookie(self, name: str) -> str:
        """The value of a cookie, or an empty text."""
        return next((c.value or "" for c in self.client.cookies.jar if c.name == name), "")

    def _at(self, path: str) -> str:
        return (
            path
            if path.startswith(("http://", "https://")) or (path.startswith(f"{self.base}/") and self.base)
            else f"{self.base}{path}"
        )

    def _seen(self, answer: Any, follow: bool) -> Any:
        while follow and answer.status_code in (303, 307) and answer.headers["location"].startswith("/"):
            answer = self.client.get(answer.headers["location"], headers={"Accept": "text/html", **FETCHED})
        found = re.search(r'name="csrf" value="(\w+)"', answer.text)
        if found:
            self.csrf = found[1]
        self.last = answer
        return answer


def field(answer: Any, name: str) -> str:
    """The value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found, name
    return found[1]


def some_request(world: World) -> str:
    """A publication that the analyst asks for, over :func:`some_source`; one for each world."""
    principal = world.principal("analyst")
    publishing = world.platform.content.publishing
    waiting = publishing.requests(principal, status="requested", limit=1)
    if not waiting:
        plan = {"measures": [{"alias": "n", "measure": "exemple.nombre"}]}
        tile = {"title": "Ventes", "source_id": some_source(world), "question": None, "plan": plan, "chart_type": "auto"}
        waiting = [publishing.request(principal, {"name": "Ventes", "layout": {}, "filters": [], "tiles": [tile]})]
    return str(waiting[0].id)


SAMPLES["request_id"] = some_request
