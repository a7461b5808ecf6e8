"""A real ``datapilot serve``: a process of its own, started on a free port, stopped, killed, started again.

::

    world = make_world(tmp_path, source_networks_allowed=("127.0.0.1",))    # the tenants and people, not entered
    with Service(world.settings) as service:
        service.client(world.headers("analyst")).get("/auth/me")
        service.kill()
        service.start()

The settings that were given to the world are the process's environment, and nothing else of ``DATAPILOT_*`` is. People,
tokens and rows come from the world's own managers over the same database and keys.
"""

from __future__ import annotations

import os
import queue
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from hub_config.settings import Settings

START_S = 60


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings that were given, as the environment of a process."""
    found = {k: v for k, v in os.environ.items() if not k.startswith("DATAPILOT_")}
    found["DATAPILOT_SECRETS_DIR"] = str(settings.data_dir / "no-secrets")
    for name in settings.model_fields_set - {"data_dir"}:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        elif isinstance(value, tuple):
            value = ",".join(value)
        if value is not None:
            found[f"DATAPILOT_{name.upper()}"] = str(value)
    return found


class Service:
    """The process. Entered: started; left: killed if it still runs."""

    def __init__(self, settings: Settings, *, largest_file_bytes: int | None = None, port: int = 0) -> None:
        self.settings = settings
        self.port = port
        self.address = ""
        self.process: subprocess.Popen[str] | None = None
        self.log = Path(settings.data_dir).parent / "serve.log"
        self._largest_file_bytes = largest_file_bytes
        self._clients: list[httpx.Client] = []

    def __enter__(self) -> Service:
        return self.start()

    def __exit__(self, *problem: object) -> None:
        self.kill()
        for client in self._clients:
            client.close()

    def start(self) -> Service:
        """Start it and wait until it says its address."""
        command = [sys.executable, "-m", "datapilot_kernel.cli", "serve", "--port", str(self.port)]
        with self.log.open("a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [*command, "--data", str(self.settings.data_dir)],
                env=environment_of(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=self._limit if self._largest_file_bytes is not None else None,
            )
        said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=lambda out: said.put(out.readline()), args=(self.process.stdout,), daemon=True).start()
        try:
            self.address = said.get(timeout=START_S).strip()
        except queue.Empty:
            self.kill()
        assert self.address.startswith("http://"), self.log.read_text(encoding="utf-8")[-3000:]
        return self

    def _limit(self) -> None:
        size = self._largest_file_bytes
        assert size is not None
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    def kill(self) -> None:
        """SIGKILL: no last word, nothing written."""
        self.signal(signal.SIGKILL)
        self.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, seconds: float = 30) -> int:
        """Wait for its end; return the exit code."""
        assert self.process is not None
        code = self.process.wait(seconds)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.address = ""
        return code

    def client(self, headers: dict[str, str] | None = None, *, timeout: float = 60) -> httpx.Client:
        """A client of the API, of whoever the headers are. Good until the next start, which has another port."""
        made = httpx.Client(base_url=f"{self.address}/api/v1", headers=headers, timeout=timeout, trust_env=False)
        self._clients.append(made)
        return made


def finished(client: httpx.Client, source_id: str, job_id: str, *, seconds: float = 60) -> dict[str, Any]:
    """Wait for a job's end; return it."""
    deadline = time.monotonic() + seconds
    while True:
        job: dict[str, Any] = client.get(f"/data-sources/{source_id}/jobs/{job_id}").json()
        if job["status"] not in ("queued", "running"):
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.05)


def connected(client: httpx.Client, url: str, *, name: str = "Base") -> str:
    """Make a PostgreSQL database a source, as an administrator does; return its id once its catalog was read."""
    where = httpx.URL(url)
    connection = {
        "type": "postgresql",
        "host": where.host,
        "port": where.port,
        "database": where.path.strip("/"),
        "user": where.username,
        "password": where.password,
        "tls": "disable",
    }
    made = client.post("/data-sources", json={"name": name, "connection": connection})
    assert made.status_code == 201, made.text
    source_id: str = made.json()["source"]["id"]
    job = finished(client, source_id, made.json()["job_id"])
    assert job["status"] == "done", job
    return source_id
