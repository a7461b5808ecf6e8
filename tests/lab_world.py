"""A JupyterLab with the panel, over a real ``datapilot serve``: what tests of the panel's two halves share.

::

    with lab_world(tmp_path) as world:
        page.goto(world.lab_url)

The hub is a small server that knows one token (:mod:`tests.hub_server`); the API, its database, its sources and JupyterLab are
real processes. ``python -m tests.lab_world [FOLDER]`` keeps it running for a person to look at.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from hub_config.hub_names import hub_user_name
from tests.e2e import servers
from tests.hub_server import HubServer, hub_server
from tests.platform_support import World, make_world
from tests.served import Service, connected

LAYER = Path(__file__).parents[1] / "datapilot_kernel" / "demo" / "maison_lumiere.yaml"


@dataclass
class LabWorld:
    """What runs, and where."""

    folder: Path
    lab_url: str
    hub: HubServer
    world: World
    service: Service
    source_id: str
    token: str
    notebooks: Path
    stack: ExitStack = field(repr=False, default_factory=ExitStack)

    @property
    def base_url(self) -> str:
        """The notebook server's address."""
        return self.lab_url.partition("/lab")[0]

    def api(self, role: str = "analyst") -> httpx.Client:
        """A client of the API, of that person's session."""
        return self.service.client(self.world.headers(role))


@contextmanager
def lab_world(folder: Path, *, demo: bool = True, database: str | None = None, role: str = "analyst") -> Iterator[LabWorld]:
    """Run it.

    ``demo``: with the demo tenant's data and accepted layer. ``database``: a PostgreSQL database as the source « Entrepôt ».
    """
    with ExitStack() as stack:
        hub = stack.enter_context(hub_server())
        # A question that is made to wait waits for its test, however busy the machine is.
        limits = {"query_timeout_ms": 110_000}
        world = make_world(
            folder, hub_api_url=hub.url, hub_cache_seconds=0, source_networks_allowed=("127.0.0.1",), **limits
        )
        tenant_id, user_id = world.tenant_id(), world.user_id(role)
        token = hub.add("t" * 40, hub_user_name(tenant_id, user_id))
        service = stack.enter_context(Service(world.settings))
        source_id = demo_source(service.client(world.headers("administrator"), timeout=120), folder) if demo else ""
        if database is not None:
            connected(service.client(world.headers("administrator"), timeout=120), database, name="Entrepôt")
        notebooks = folder / "notebooks"
        notebooks.mkdir()
        # The API's port stays the service's own while it runs.
        more = {"DATAPILOT_API_URL": service.address, "DATAPILOT_PAGES_URL": service.address, "JUPYTERHUB_API_TOKEN": token}
        url = stack.enter_context(servers.lab(folder, notebooks, **more))
        made = LabWorld(folder, url.removesuffix("/tree"), hub, world, service, source_id, token, notebooks, stack)
        try:
            yield made
        finally:
            world.people.close()
            world.database.dispose()


def demo_source(client: httpx.Client, folder: Path) -> str:
    """Send the demo's CSV files as a person would, keep them, accept the demo's layer; return the source's id."""
    data = folder / "demo-data"
    command = [sys.executable, "-m", "datapilot_kernel.cli", "demo-data", "--to", str(data)]
    subprocess.run(command, check=True, capture_output=True)
    uploads = []
    for path in sorted(data.glob("**/*.csv")):
        with path.open("rb") as file:
            sent = client.post("/data-sources/upload", content=file.read(), headers={"X-File-Name": path.name})
        assert sent.status_code == 201, sent.text
        uploads.append(sent.json()["id"])
    made = client.post("/data-sources/from-files", json={"name": "Maison Lumière", "uploads": uploads})
    assert made.status_code == 201, made.text
    source_id: str = made.json()["source"]["id"]
    finished(client, source_id, made.json()["job_id"])
    saved = client.post("/semantic-layers", json={"source_id": source_id, "text": LAYER.read_text(encoding="utf-8")})
    assert saved.status_code == 201, saved.text
    accepted = client.post(f"/semantic-layers/{saved.json()['layer']['id']}/accept")
    assert accepted.status_code == 200, (accepted.text, saved.json()["findings"])
    return source_id


def finished(client: httpx.Client, source_id: str, job_id: str) -> None:
    """Wait until a job is done."""
    for _ in range(600):
        job = client.get(f"/data-sources/{source_id}/jobs/{job_id}").json()
        if job["status"] not in ("queued", "running"):
            assert job["status"] == "done", job
            return
        time.sleep(0.2)
    raise AssertionError("the job does not end")


def main() -> None:
    """Keep it running."""
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="datapilot-lab-"))
    if given.exists():
        shutil.rmtree(given)
    given.mkdir(parents=True)
    with lab_world(given) as world:
        print(world.lab_url, world.source_id, flush=True)  # noqa: T201
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
