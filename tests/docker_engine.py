"""A Docker engine for tests: the one that runs, else (as root, where ``dockerd`` is installed) a private one.

What the tests make carries the label :data:`LABEL` with this run's own value and goes at the end; images stay, they are the
cache of the next run. No registry is asked for an image: the base comes from ``debootstrap`` (:func:`Engine.base_image`).
How pip reaches its registry inside a build is the machine's business: :func:`pip_build_args` hands its variables down as
build arguments, and the base image holds the machine's own file of authorities.

``DATAPILOT_TEST_DOCKER=off`` leaves all of it out. :func:`missing` says in one line why there is no engine.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
from docker.errors import APIError, BuildError, DockerException, ImageNotFound, NotFound

LABEL = "fr.datapilot.test"
BASE = "dp-base:bookworm"
_SUITE = "bookworm"
_CACHE = Path("/var/tmp/datapilot-docker-tests")  # overlay2 wants a real disk, and the base image outlives the run
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


@cache
def missing() -> str | None:
    """Say why no engine can be used; None: there is one, or one can be started."""
    if os.environ.get("DATAPILOT_TEST_DOCKER") == "off":
        return "no Docker engine: DATAPILOT_TEST_DOCKER=off"
    client = _running()
    if client is not None:
        client.close()
        return None
    if shutil.which("dockerd") is None:
        return "no Docker engine: none runs, and dockerd is not installed (apt-get install docker.io)"
    if os.geteuid() != 0:
        return "no Docker engine: none runs that this account may use, and only root can start one"
    if shutil.which("debootstrap") is None:
        return "no Docker engine: debootstrap is not installed, and nothing else makes a base image without a registry"
    return None


def _running(url: str | None = None) -> docker.DockerClient | None:
    if not _listens(url or os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")):
        return None
    client = None
    try:
        client = docker.DockerClient(base_url=url, timeout=60) if url else docker.from_env(timeout=60)
        client.ping()
    except (DockerException, OSError):
        if client is not None:
            client.close()
        return None
    return client


def _listens(url: str) -> bool:
    # docker-py leaves its socket open when nobody answers, and a warning about that fails whichever test runs then.
    if not url.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.connect(url.removeprefix("unix://"))
        except OSError:
            return False
    return True


@dataclass
class Engine:
    """A usable engine.

    Attributes
    ----------
    run
        Value of :data:`LABEL` on everything this run makes (``engine.labels``).
    private
        Ends the engine, when this run started it.
    """

    client: docker.DockerClient
    private: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    run: str = field(default_factory=lambda: uuid4().hex[:8])

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL: self.run}

    @property
    def socket(self) -> Path:
        """Path of its unix socket, for what must be handed it."""
        url = self.client.api.base_url
        if url.startswith("http+docker://"):
            return Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
        raise RuntimeError(f"the engine is not reached by a unix socket: {url}")

    @property
    def version(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.client.version()["Version"].split("+")[0].split("-")[0].split(".")[:2])

    def base_image(self) -> str:
        """Return the name of a Debian image with python3, venv and the machine's authorities; made once per engine."""
        with _one_at_a_time("base"):
            if not self.has_image(BASE):
                _debootstrap(self.client)
        return BASE

    def has_image(self, name: str) -> bool:
        try:
            self.client.images.get(name)
        except ImageNotFound:
            return False
        return True

    def build(
        self,
        folder: Path,
        tag: str,
        *,
        dockerfile: str | None = None,
        args: Mapping[str, str] | None = None,
        pip: bool = True,
    ) -> str:
        """Build an image by the engine's own builder (layers are its cache); return ``tag``.

        Parameters
        ----------
        dockerfile
            Path inside ``folder``; None: ``Dockerfile``.
        args
            Build arguments; ``BASE`` is :meth:`base_image` unless given.
        pip
            Hand down how this machine's pip reaches its registry.

        Raises
        ------
        AssertionError
            The build failed; says its last lines.
        """
        given = {"BASE": self.base_image(), **(pip_build_args() if pip else {}), **(args or {})}
        with _one_at_a_time(tag):
            try:
                self.client.images.build(
                    path=str(folder), dockerfile=dockerfile, tag=tag, buildargs=given, rm=True, forcerm=True, pull=False
                )  # fmt: skip
            except BuildError as error:
                said = "".join(str(line.get("stream") or line.get("error") or "") for line in error.build_log)
                raise AssertionError(f"the image {tag} was not built:\n{said[-3000:]}") from error
        return tag

    def clean(self) -> None:
        """Remove every container, network and volume of this run."""
        only = {"label": f"{LABEL}={self.run}"}
        for container in self.client.containers.list(all=True, filters=only, ignore_removed=True):
            with contextlib.suppress(APIError):
                container.remove(force=True, v=True)
        for network in self.client.networks.list(filters=only):
            with contextlib.suppress(APIError):
                self.remove_network(network.name)
        for volume in self.client.volumes.list(filters=only):
            with contextlib.suppress(APIError):
                volume.remove(force=True)

    def remove_network(self, name: str) -> None:
        """Remove a network, whoever is still attached to it."""
        with contextlib.suppress(NotFound):
            network = self.client.networks.get(name)
            for attached in network.attrs.get("Containers") or {}:
                with contextlib.suppress(APIError):
                    network.disconnect(attached, force=True)
            network.remove()

    def stop(self) -> None:
        """Clean up; end the private engine if this run started it."""
        self.clean()
        self.client.close()
        self.private.close()


def start() -> Engine:
    """Return the engine that runs, or a private one. Ask :func:`missing` first."""
    client = _running()
    return Engine(client) if client is not None else _start_private()


def _start_private() -> Engine:
    """Start an engine of our own; another run's on the same data root is waited for: two would wait for each other in vain."""
    with contextlib.ExitStack() as private:
        _CACHE.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = private.enter_context((_CACHE / "lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = Path(private.enter_context(tempfile.TemporaryDirectory(prefix="dp-dockerd-", ignore_cleanup_errors=True)))
        url = f"unix://{folder}/docker.sock"
        log = private.enter_context((_CACHE / "dockerd.log").open("wb"))
        process = subprocess.Popen(
            ["dockerd", "--host", url, "--data-root", str(_CACHE / "root"), "--exec-root", str(folder / "exec"),
             "--pidfile", str(folder / "pid")],
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        private.callback(_end, process)
        end = time.monotonic() + 120
        while time.monotonic() < end:
            client = _running(url)
            if client is not None:
                os.environ["DOCKER_HOST"] = url
                private.callback(os.environ.pop, "DOCKER_HOST", None)
                return Engine(client, private.pop_all())
            if process.poll() is not None:
                break
            time.sleep(0.1)
        said = (_CACHE / "dockerd.log").read_text(errors="replace")[-1500:]
        raise RuntimeError(f"dockerd did not start:\n{said}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(30)


def pip_build_args() -> dict[str, str]:
    """Return how this machine's pip reaches its registry, as build arguments (``PIP_INDEX_URL`` …); nothing is written down.

    A Dockerfile takes what it declares (``ARG PIP_INDEX_URL``); folders of this machine do not exist inside a build.
    """
    try:
        listed = subprocess.run(["pip", "config", "list"], capture_output=True, text=True, timeout=60).stdout
    except OSError:
        listed = ""
    found: dict[str, str] = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        found[key.rpartition(".")[2].replace("-", "_")] = value.strip("'\"")
    args = {}
    for name in ("index_url", "extra_index_url", "trusted_host"):
        words = " ".join(w for w in found.get(name, "").split() if not w.startswith("file:"))
        if words:
            args[f"PIP_{name.upper()}"] = words
    if _AUTHORITIES.exists():
        args["PIP_CERT"] = str(_AUTHORITIES)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        if proxy := os.environ.get(name) or os.environ.get(name.lower()):
            args[name] = proxy
    return args


def _debootstrap(client: docker.DockerClient) -> None:
    with tempfile.TemporaryDirectory(prefix="dp-base-") as folder:
        root = Path(folder, "root")
        wanted = "python3,python3-venv,ca-certificates"
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={wanted}", _SUITE, str(root)], capture_output=True, text=True
        )
        if made.returncode:
            raise RuntimeError(f"debootstrap failed:\n{(made.stdout + made.stderr)[-1500:]}")
        shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
        if _AUTHORITIES.exists():
            shutil.copy(_AUTHORITIES, root / "etc/ssl/certs/ca-certificates.crt")
        for name in ("sources.list", "sources.list.d", "apt.conf.d"):
            source = Path("/etc/apt", name)
            if source.is_dir():
                shutil.copytree(source, root / "etc/apt" / name, dirs_exist_ok=True)
            elif source.exists():
                shutil.copy(source, root / "etc/apt" / name)
        packed = Path(folder, "base.tar")
        with tarfile.open(packed, "w") as archive:
            archive.add(root, arcname=".", filter=lambda item: None if item.ischr() or item.isblk() else item)
        repository, _, tag = BASE.partition(":")
        client.api.import_image_from_file(str(packed), repository=repository, tag=tag)


@contextlib.contextmanager
def _one_at_a_time(name: str) -> Iterator[None]:
    """Workers of one run, and helpers on one machine, do not build the same image twice."""
    path = Path(tempfile.gettempdir(), f"dp-docker-{name.replace('/', '-').replace(':', '-')}.lock")
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_shell(container: Any, script: str, *, user: str = "") -> tuple[int, str]:
    """Run a shell script in a container (over the engine's own socket, as nobody in the platform may); return code, output."""
    code, output = container.exec_run(["sh", "-c", script], user=user)
    return int(code), output.decode(errors="replace")


def put_file(container: Any, path: str, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file into a container."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        item = tarfile.TarInfo(Path(path).name)
        item.size, item.mode = len(content), mode
        archive.addfile(item, io.BytesIO(content))
    container.put_archive(str(Path(path).parent), packed.getvalue())
