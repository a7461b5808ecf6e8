"""One platform in containers for all tests of this folder; the notebook's image is built once per machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container_world import ROOT, ContainerWorld
from tests.docker_engine import Engine

NOTEBOOK = "dptest-notebook:latest"


@pytest.fixture(scope="session")
def notebook_image(docker_engine: Engine) -> str:
    """The notebook's own image, from its Dockerfile; ``DATAPILOT_TEST_NOTEBOOK_IMAGE`` names one that is there."""
    given = os.environ.get("DATAPILOT_TEST_NOTEBOOK_IMAGE")
    if given and docker_engine.has_image(given):
        return given
    return docker_engine.build(ROOT, NOTEBOOK, dockerfile="hub_config/images/notebook/Dockerfile")


@pytest.fixture(scope="session")
def container_world(docker_engine: Engine, notebook_image: str) -> Iterator[ContainerWorld]:
    """The platform, running."""
    folder = Path(tempfile.mkdtemp(prefix="dp-containers-"))
    try:
        with ContainerWorld(docker_engine, folder, notebook_image) as world:
            yield world
    finally:
        shutil.rmtree(folder, ignore_errors=True)
