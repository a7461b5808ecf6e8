"""docker-compose.yml and ./datapilot-server as an operator uses them, on a real engine: one installation, told from its first day.

Images come from the repository's Dockerfiles on a Debian base, PostgreSQL from a stand-in of the same conventions (no image can
be pulled here). The installation has ports, addresses and a name of its own, and everything of it goes at the end.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket
from docker.errors import APIError

from hub_config import docker_names as names
from hub_config.hub_names import hub_user_name
from tests.docker_engine import Engine, run_shell
from tests.hub_world import Browser, Kernel, until
from tests.served import finished
from tests.servers import free_port

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
DOMAIN = "carnets.dptest.example"
PASSWORD = "Une phrase de passe assez longue 7"
CSV = "region;date_vente;montant\nSud;2026-01-03;120,50\nNord;2026-01-04;10,00\nOuest;2026-02-06;300,25\n"
pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        shutil.which("docker") is None or shutil.which("docker-compose") is None,
        reason="docker-compose is not installed (apt-get install docker-compose)",
    ),
]


class Installation:
    """The folder an operator has, and ways in for the people of it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.name = f"dptest-{engine.run}-{secrets.token_hex(2)}"
        self.port = free_port()
        self.hub, self.api = f"https://{DOMAIN}:{self.port}", f"https://api.{DOMAIN}:{self.port}"
        place = random.randrange(64)  # several runs on one engine
        self._settings = {
            "COMPOSE_PROJECT_NAME": self.name, "DATAPILOT_INSTALLATION": self.name, "DATAPILOT_VERSION": "latest",
            "DATAPILOT_IMAGES": "dptest-", "DATAPILOT_DOMAIN": DOMAIN, "DATAPILOT_BIND_ADDRESS": "127.0.0.1",
            "DATAPILOT_HTTP_PORT": str(free_port()), "DATAPILOT_HTTPS_PORT": str(self.port),
            "DATAPILOT_URL_PORT": str(self.port), "DATAPILOT_NETWORK": f"10.215.{place}",
            "DATAPILOT_TENANT_NETWORKS": f"10.216.{4 * place}.0/22", "DATAPILOT_HUB_DOCKER_MEMORY_BYTES": str(1024**3),
            "DATAPILOT_POSTGRES_IMAGE": "dptest-postgres:latest", "DATAPILOT_DOCKER_SOCKET": str(engine.socket),
            "DATAPILOT_TODAY": "2026-03-10",
        }  # fmt: skip
        self.tls: ssl.SSLContext | None = None
        self._browsers: list[httpx.Client] = []

    def lay_out(self) -> None:
        """Make the folder as a bundle does, with a filled-in .env."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "hub_config/images").mkdir(parents=True)
        for name in ("docker-compose.yml", "datapilot-server", ".env.example"):
            shutil.copy(ROOT / name, self.folder)
        shutil.copytree(ROOT / "hub_config/images/postgres", self.folder / "hub_config/images/postgres")
        text = (self.folder / ".env.example").read_text(encoding="utf-8")
        for name, value in self._settings.items():
            text, found = re.subn(rf"(?m)^{name}=.*$", f"{name}={value}", text)
            text += "" if found else f"{name}={value}\n"
        (self.folder / ".env").write_text(text, encoding="utf-8")

    def server(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ./datapilot-server."""
        done = subprocess.run(
            ["./datapilot-server", *arguments], cwd=self.folder, capture_output=True, text=True, timeout=600,
            stdin=subprocess.DEVNULL, env={k: v for k, v in os.environ.items() if not k.startswith("DATAPILOT_")},
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}\n{done.stderr[-5000:]}"
        return done

    def container(self, service: str) -> Any:
        """One of the platform's own containers."""
        only = [f"com.docker.compose.project={self.name}", f"com.docker.compose.service={service}"]
        (found,) = self.engine.client.containers.list(filters={"label": only})
        return found

    def trust(self) -> None:
        """Take the installation's own certificate as the only authority."""
        _, pem = run_shell(self.container("nginx"), "cat /certificates/self-signed/fullchain.pem")
        self.tls = ssl.create_default_context(cadata=pem)

    def browser(self, url: str) -> Browser:
        """A browser that trusts the installation's certificate, and no other."""
        assert self.tls is not None
        made = Browser(base_url=url, verify=self.tls, follow_redirects=True, timeout=60, trust_env=False)
        self._browsers.append(made)
        return made

    def remove(self) -> None:
        """Take away everything of this installation from the engine."""
        for browser in self._browsers:
            browser.close()
        client = self.engine.client
        for label in (f"com.docker.compose.project={self.name}", f"{names.INSTALLATION}={self.name}"):
            only = {"label": label}
            for container in client.containers.list(all=True, filters=only, ignore_removed=True):
                with contextlib.suppress(APIError):
                    container.remove(force=True, v=True)
            for network in client.networks.list(filters=only):
                self.engine.remove_network(network.id)
            for volume in client.volumes.list(filters=only):
                with contextlib.suppress(APIError):
                    volume.remove(force=True)


class Notebook(Kernel):
    """A kernel behind TLS, on its person's own host."""

    def __init__(self, installation: Installation, browser: Browser, name: str) -> None:
        self._installation, self._browser = installation, browser
        self.host = f"{name}.{DOMAIN}:{installation.port}"
        self._path = f"/user/{name}/"
        made = browser.post(
            f"https://{self.host}{self._path}api/kernels", json={"name": "datapilot"},
            headers={"X-XSRFToken": browser.token(self._path)},
        )  # fmt: skip
        assert made.status_code == 201, made.text
        super().__init__(None, made.json()["id"])  # type: ignore[arg-type]

    def connect(self) -> None:
        """Open the connection (again)."""
        self.close()
        own = [c for c in self._browser.cookies.jar if c.domain.startswith(self.host.split(":")[0].split(".")[0])]
        self._socket = websocket.create_connection(
            f"wss://{self.host}{self._path}api/kernels/{self.id}/channels", timeout=60, origin=f"https://{self.host}",
            header=["Cookie: " + "; ".join(f"{c.name}={c.value}" for c in own)],
            sslopt={"context": self._installation.tls},
        )  # fmt: skip


@pytest.fixture(scope="module")
def names_of_the_installation() -> Iterator[None]:
    """What DNS would say: every name below the domain is this machine."""
    ask = socket.getaddrinfo

    def answer(host: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return ask("127.0.0.1" if isinstance(name, str) and name.endswith(DOMAIN) else host, *rest, **more)

    socket.getaddrinfo = answer
    yield
    socket.getaddrinfo = ask


@pytest.fixture(scope="module")
def images(docker_engine: Engine, notebook_image: str) -> None:
    """The four images and the stand-in, under the names of the tests' installation. ``DATAPILOT_TEST_IMAGES=keep``: as they are."""
    wanted = [f"dptest-{part}:latest" for part in ("hub", "api", "nginx", "notebook", "postgres")]
    if os.environ.get("DATAPILOT_TEST_IMAGES") == "keep" and all(map(docker_engine.has_image, wanted)):
        return
    if notebook_image != "dptest-notebook:latest":
        docker_engine.client.images.get(notebook_image).tag("dptest-notebook", "latest")
    for part in ("hub", "api", "nginx"):
        docker_engine.build(ROOT, f"dptest-{part}:latest", dockerfile=f"hub_config/images/{part}/Dockerfile")
    docker_engine.build(HERE / "postgres_stand_in", "dptest-postgres:latest", pip=False)
    for part in ("notebook", "hub", "api", "nginx"):  # another version: the same, under another name
        docker_engine.client.images.get(f"dptest-{part}:latest").tag(f"dptest-{part}", "next")


@pytest.fixture(scope="module")
def installation(
    docker_engine: Engine, images: None, names_of_the_installation: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    made = Installation(docker_engine, tmp_path_factory.mktemp("installation"))
    made.lay_out()
    try:
        yield made
    finally:
        made.remove()


def _set_up(installation: Installation) -> None:
    installation.server("setup")
    installation.trust()


def _first_administrator(installation: Installation) -> dict[str, str]:
    link = installation.server("admin", "Maison Lumière", "admin@lumiere.example").stdout.strip()
    assert link.startswith(f"{installation.api}/"), link
    api = installation.browser(f"{installation.api}/api/v1")
    chosen = api.post("/auth/password/reset", json={"token": link.partition("#")[2], "password": PASSWORD})
    assert chosen.status_code == 204, chosen.text
    return _signed_in(installation)


def _signed_in(installation: Installation) -> dict[str, str]:
    api = installation.browser(f"{installation.api}/api/v1")
    found = api.post("/auth/login", json={"email": "admin@lumiere.example", "password": PASSWORD})
    assert found.status_code == 200, found.text
    headers = {"Authorization": f"Bearer {found.json()['access_token']}"}
    me = api.get("/auth/me", headers=headers).json()
    return {"authorization": headers["Authorization"], "tenant": me["tenant"]["id"], "user": me["id"]}


def _source(installation: Installation, me: dict[str, str]) -> str:
    api = installation.browser(f"{installation.api}/api/v1")
    api.headers["Authorization"] = me["authorization"]
    upload = api.post("/data-sources/upload", files={"file": ("ventes.csv", CSV.encode())})
    assert upload.status_code == 201, upload.text
    made = api.post("/data-sources/from-files", json={"name": "Ventes", "uploads": [upload.json()["id"]]}).json()
    source = str(made["source"]["id"])
    finished(api, source, made["job_id"])
    draft = api.get("/semantic-layers/draft", params={"source_id": source}).json()["text"]
    saved = api.post("/semantic-layers", json={"source_id": source, "text": draft})
    assert saved.status_code == 201, saved.text
    accepted = api.post(f"/semantic-layers/{saved.json()['layer']['id']}/accept")
    assert accepted.status_code == 200, accepted.text
    return source


def _notebook(installation: Installation, me: dict[str, str]) -> Notebook:
    """Sign in at the hub's form, start the server, open JupyterLab on its own host, start a kernel."""
    name = hub_user_name(me["tenant"], me["user"])
    browser = installation.browser(installation.hub)
    browser.sign_in("admin@lumiere.example", PASSWORD)
    browser.get(f"/hub/spawn/{name}")
    lab = f"https://{name}.{DOMAIN}:{installation.port}/user/{name}/lab"

    def opened() -> bool:
        page = browser.get(lab)
        assert page.status_code < 500 or page.status_code == 503, page.text[:2000]
        return page.status_code == 200 and "jupyter-config-data" in page.text and page.url.host.startswith(name)

    until(opened, 150, lambda: installation.container("hub").logs(tail=40).decode(errors="replace"))
    return Notebook(installation, browser, name)


def _asks(notebook: Notebook) -> str:
    notebook.run("%load_ext datapilot_kernel")
    return notebook.run("%ask total des montants par région", seconds=120)


def _is_the_answer(shown: str) -> bool:
    return all(value in shown.replace("\u202f", " ").replace("\xa0", " ") for value in ("120,5", "300,25", "Ouest"))


def test_an_installation_from_its_first_day_to_its_restoration(installation: Installation) -> None:
    """One test: each step stands on the one before, and an installation is too dear for several."""
    # Its first day.
    started = time.monotonic()
    _set_up(installation)
    assert time.monotonic() - started < 400
    api = installation.browser(f"{installation.api}/api/v1")
    assert api.get("/readyz").json() == {"status": "ok"}
    assert api.get("/metrics").status_code == 404
    assert api.post("/hub/sign-in", json={}).status_code == 404, "the hub's own routes are not for the internet"
    with pytest.raises(httpx.ConnectError):
        installation.browser(f"https://autre.example.{DOMAIN[8:]}:{installation.port}").get("/")
    for service in ("nginx", "proxy", "hub", "api", "postgres"):
        state = installation.container(service).attrs
        assert state["State"]["Health"]["Status"] == "healthy", service
        assert not state["HostConfig"]["Privileged"]
    assert {p.stat().st_mode & 0o077 for p in (installation.folder / "keys").glob("*.keys")} == {0}

    # What the doctor sees from each container; the installation's names are in no DNS.
    # The rules are the host's: another run on this machine may take them away, and the watch brings them back in a minute.
    until(lambda: "[ok] Le pare-feu" in installation.server("doctor", check=False).stdout, 100)
    told = installation.server("doctor", check=False).stdout
    for right in ("La porte devant Docker répond", "L’image dptest-notebook", "Docker ",
                  "La séparation par lignes est imposée", "Le hub reconnaît le jeton", "Les réglages conviennent"):  # fmt: skip
        assert f"[ok] {right}" in told, told

    me = _first_administrator(installation)
    source = _source(installation, me)
    notebook = _notebook(installation, me)
    assert _is_the_answer(_asks(notebook)), _asks(notebook)
    assert notebook.run("import pathlib; pathlib.Path('note.txt').write_text('gardée'); x = 41") == ""

    # Everything restarts under the running notebook.
    with ThreadPoolExecutor(5) as pool:
        services = [installation.container(name) for name in ("postgres", "proxy", "hub", "api", "nginx")]
        list(pool.map(lambda container: container.restart(timeout=20), services))

    def reachable() -> bool:
        with contextlib.suppress(httpx.HTTPError, websocket.WebSocketException, OSError):
            notebook.connect()
            return api.get("/readyz").status_code == 200
        return False

    until(reachable, 120)
    assert notebook.run("x + 1") == "42", "the kernel of before"
    until(lambda: _is_the_answer(_asks(notebook)), 120)  # the hub may come back after the API

    # Another version, and back, under the same notebook; before it, a backup is made, encrypted.
    (installation.folder / "secrets/backup_passphrase").write_text("une phrase, gardée ailleurs", encoding="utf-8")
    release = installation.folder / ".releases/next/docker-compose.yml"
    release.parent.mkdir(parents=True)
    of_before = (installation.folder / "docker-compose.yml").read_text(encoding="utf-8")
    release.write_text(of_before + "# next\n", encoding="utf-8")
    installation.server("upgrade", "next")
    assert (installation.folder / "docker-compose.yml").read_text(encoding="utf-8").endswith("# next\n")
    assert {installation.container(name).attrs["Config"]["Image"] for name in ("hub", "api")} == {
        "dptest-hub:next",
        "dptest-api:next",
    }
    assert "DATAPILOT_VERSION=next" in (installation.folder / ".env").read_text(encoding="utf-8")
    until(reachable, 120)
    assert notebook.run("x + 1") == "42"
    installation.server("rollback")
    assert (installation.folder / "docker-compose.yml").read_text(encoding="utf-8") == of_before
    assert "DATAPILOT_VERSION=latest" in (installation.folder / ".env").read_text(encoding="utf-8")
    until(reachable, 120)
    assert notebook.run("x + 1") == "42"
    assert _is_the_answer(_asks(notebook))
    notebook.close()

    # The installation is lost; the backup and its keys are not.
    backup = Path((installation.folder / ".upgrade/backup").read_text(encoding="utf-8").strip())
    kept = {
        name: (installation.folder / name).read_bytes() for name in (str(backup), "keys/vault.keys", "keys/signing.keys")
    }
    assert backup.suffix == ".gpg"
    assert b"datapilot.dump" not in kept[str(backup)]
    assert installation.server("restore", str(backup), check=False).returncode != 0, "not over an installation in use"
    installation.remove()
    installation.lay_out()
    for name, content in kept.items():
        path = installation.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    installation.server("setup", "--no-start")
    refused = installation.server("restore", str(backup), check=False)
    assert refused.returncode != 0
    assert "chiffrée" in refused.stderr
    (installation.folder / "secrets/backup_passphrase").write_text("une phrase, gardée ailleurs", encoding="utf-8")
    installation.server("restore", str(backup))
    installation.trust()

    again = _signed_in(installation)
    assert (again["tenant"], again["user"]) == (me["tenant"], me["user"])
    listed = installation.browser(f"{installation.api}/api/v1").get(
        "/data-sources", headers={"Authorization": again["authorization"]}
    )
    assert [row["id"] for row in listed.json()["items"]] == [source]
    notebook = _notebook(installation, again)
    assert _is_the_answer(_asks(notebook))
    assert "gardée" in notebook.run("pathlib = __import__('pathlib'); print(pathlib.Path('note.txt').read_text())")
    notebook.close()


def test_a_damaged_backup_changes_nothing(tmp_path: Path) -> None:
    """Needs no engine beyond its command: the checksums are looked at before anything is touched."""
    for name in ("datapilot-server", "docker-compose.yml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".env").write_text("DATAPILOT_DOMAIN=x.example\nDATAPILOT_VERSION=0\n", encoding="utf-8")
    for name in ("keys/vault.keys", "secrets/postgres/superuser"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        for name, content in (("SHA256SUMS", f"{'0' * 64}  ./env\n"), ("env", "x")):
            item = tarfile.TarInfo(f"datapilot-20260101T000000Z/{name}")
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content.encode()))
    done = subprocess.run(
        ["./datapilot-server", "restore", "b.tar"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "rien n’a été touché" in done.stderr
    assert json.dumps(sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".restore"))) == "[]"
