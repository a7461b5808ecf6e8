"""One JupyterLab with the panel, over one platform, for the browser tests of every file that asks for it."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.e2e import servers
from tests.e2e.lab_panel import ARTEFACTS, Panel, Warehouse, warehouse
from tests.lab_world import LabWorld, lab_world
from tests.servers import Server

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture(scope="session")
def database(postgres: Server) -> Iterator[Warehouse]:
    """The database behind the source « Entrepôt »."""
    with warehouse(postgres) as made:
        yield made


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, database: Warehouse) -> Iterator[LabWorld]:
    """JupyterLab, the platform, the sources « Entrepôt » and « Maison Lumière »."""
    ARTEFACTS.mkdir(exist_ok=True)
    with lab_world(tmp_path_factory.mktemp("lab"), database=database.url) as made:
        yield made


@pytest.fixture
def panel(world: LabWorld, request: pytest.FixtureRequest) -> Iterator[Panel]:
    """The page of an analyst at 1280×720, as the first page of a browser; what a test that fails saw last is kept."""
    with servers.page(width=1280, height=720) as (page, outside):
        made = Panel(page, world)
        yield made
        if request.node.stash.get(_FAILED, False):
            made.shot(f"failed_{request.node.name.partition('[')[0]}")
            return
        assert outside == [], "the panel asked for something that is not on this machine"
        assert made.problems == []
