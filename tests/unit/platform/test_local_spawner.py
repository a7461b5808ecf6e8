"""Servers as processes: a process id that was given again is nobody's server, and is neither taken for one nor stopped."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("jupyterhub")

from hub_config.hub.spawning.local import LocalSpawner, moment_of
from hub_config.hub_names import hub_user_name, rendering_user_name

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process was started, by /proc")


@pytest.fixture
def spawner() -> LocalSpawner:
    return LocalSpawner()


def _remembered(spawner: LocalSpawner, pid: int, started: str | None) -> None:
    """As a hub that was restarted reads it from its database."""
    spawner.load_state({"pid": pid, **({"started": started} if started is not None else {})})


def test_a_process_that_an_earlier_hub_started_is_taken_up(spawner: LocalSpawner) -> None:
    _remembered(spawner, os.getpid(), moment_of(os.getpid()))
    assert asyncio.run(spawner.poll()) is None
    assert spawner.get_state() == {"pid": os.getpid(), "started": moment_of(os.getpid())}


def test_another_process_of_that_id_is_not_it_and_is_left_alone(spawner: LocalSpawner) -> None:
    other = subprocess.Popen(["sleep", "60"])
    try:
        _remembered(spawner, other.pid, "1")
        assert asyncio.run(spawner.poll()) == 0
        _remembered(spawner, other.pid, "1")
        asyncio.run(spawner.stop())
        assert other.poll() is None
        assert spawner.get_state() == {}
    finally:
        other.kill()
        other.wait()


def test_a_dead_process_that_nobody_took_leave_of_is_dead(spawner: LocalSpawner) -> None:
    dying = subprocess.Popen(["sleep", "60"])
    started = moment_of(dying.pid)
    assert started is not None
    dying.kill()
    os.waitid(os.P_PID, dying.pid, os.WEXITED | os.WNOWAIT)
    assert moment_of(dying.pid) is None
    _remembered(spawner, dying.pid, started)
    assert asyncio.run(spawner.poll()) == 0
    dying.wait()


def test_a_rendering_shares_nothing_and_leaves_nothing(spawner: LocalSpawner, tmp_path: Path) -> None:
    spawner.data_dir = str(tmp_path)
    spawner.user = SimpleNamespace(name=rendering_user_name("0" * 32, "f" * 32))
    spawner._make_folders()
    assert spawner.home.is_dir()
    assert not (spawner.home / "partage").exists()
    asyncio.run(spawner.delete_forever())
    assert not spawner.folder.exists()
    spawner.user = SimpleNamespace(name=hub_user_name("0" * 32, "f" * 32))
    spawner._make_folders()
    assert (spawner.home / "partage").is_dir()
    asyncio.run(spawner.delete_forever())
    assert spawner.home.is_dir(), "a person's files are theirs"
