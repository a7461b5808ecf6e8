"""Shared servers, started once for the whole run (also under xdist) and handed to workers by the environment."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests import servers, ssh_server
from tests.e2e import quiet_network

if TYPE_CHECKING:
    from tests.docker_engine import Engine
    from tests.hub_world import HubWorld

_ENV = {"postgres": "DATAPILOT_TEST_POSTGRES_PORT", "mysql": "DATAPILOT_TEST_MARIADB_PORT"}
_running: list[servers.Server] = []
_ROOT = Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-servers", action="store_true", help="start no database server; tests that need one are skipped")


def pytest_configure(config: pytest.Config) -> None:
    # A runner that starts the tests in the background of a shell without a terminal hands SIGINT down ignored.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput") or config.option.no_servers or config.option.collectonly:
        return
    starters = {"postgres": servers.start_postgres, "mysql": servers.start_mariadb}
    wanted = [d for d in starters if servers.missing(d) is None and _ENV[d] not in os.environ]
    with ThreadPoolExecutor() as pool:
        for server in pool.map(lambda d: starters[d](), wanted):
            os.environ[_ENV[server.dialect]] = str(server.port)
            _running.append(server)


@cache
def _group(path: str) -> str:
    """Name what the tests of a file are kept together with: those that share Docker's engine, the platform of processes, or
    the JupyterLab with the panel.

    Everything else is kept by file.
    """
    if path.startswith("tests/integration/docker/"):
        return "docker"
    if path.startswith("tests/integration/hub/") or "hub_world" in (_ROOT / path).read_text(encoding="utf-8"):
        return "hub"
    if path.startswith("tests/e2e/test_lab_"):
        return "lab"
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest groups first, so that the two workers end together."""

    def turn(item: pytest.Item) -> int:
        group = _group(item.path.relative_to(_ROOT).as_posix())
        return {"docker": 0, "hub": 1}.get(group, 3 if group.startswith("tests/unit/") else 2)

    items.sort(key=turn)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    # xdist 3.8's own « loadgroup » writes a private attribute that pytest 9.2 no longer reads, and then spreads test by test.
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid.partition("::")[0])

    return ByGroup(config, log)


def pytest_unconfigure(config: pytest.Config) -> None:
    while _running:
        server = _running.pop()
        os.environ.pop(_ENV[server.dialect], None)
        server.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for dialect in _ENV:
        reason = servers.missing(dialect)
        if reason:
            terminalreporter.write_line(f"SKIPPED ON THIS MACHINE: {reason}")
    if reason := quiet_network.missing():
        terminalreporter.write_line(f"NOT ON THIS MACHINE: {reason}")
    if reason := ssh_server.missing():
        terminalreporter.write_line(f"SKIPPED ON THIS MACHINE: {reason}")
    from tests import docker_engine as engines

    if reason := engines.missing():
        terminalreporter.write_line(f"SKIPPED ON THIS MACHINE: {reason}")


def _shared(dialect: str, config: pytest.Config) -> servers.Server:
    port = os.environ.get(_ENV[dialect])
    if port is None:
        pytest.skip("--no-servers" if config.option.no_servers else str(servers.missing(dialect)))
    gone: object = SimpleNamespace()
    return servers.Server(dialect, int(port), Path(), gone)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _patient_connections(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform gives its database three seconds for a connection: a test machine at its limit may take longer."""
    if "postgres" in request.fixturenames:
        monkeypatch.setattr("hub_config.database.engine.CONNECT_TIMEOUT_S", 30)


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> servers.Server:
    """The shared PostgreSQL server: make your own database with ``new_database``."""
    return _shared("postgres", request.config)


@pytest.fixture(scope="session")
def mariadb(request: pytest.FixtureRequest) -> servers.Server:
    """The shared MariaDB server: make your own database with ``new_database``."""
    return _shared("mysql", request.config)


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """The Docker engine of this machine, or a private one; what carries ``engine.labels`` is removed at the end."""
    from tests import docker_engine as engines

    reason = engines.missing()
    if reason is not None:
        pytest.skip(reason)
    engine = engines.start()
    try:
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="session")
def hub_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubWorld]:
    """A whole platform of real processes (:mod:`tests.hub_world`), one for the whole run: leave it as it was found."""
    pytest.importorskip("jupyterhub")
    from tests.hub_world import running_hub_world

    with running_hub_world(tmp_path_factory.mktemp("hub world")) as world:
        yield world
