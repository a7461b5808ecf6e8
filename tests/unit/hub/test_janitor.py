"""What is left of who is gone: removed on the API's clear word, said twice with time between, and on nothing less."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("jupyterhub")

from hub_config.hub.janitor import Janitor
from hub_config.hub.platform_api import Away, Departed
from hub_config.hub.spawning.leftovers import Folders, Held, Removed
from hub_config.hub_names import hub_user_name, rendering_user_name

A, B, ZOE, LEA = "a1" * 16, "b2" * 16, "c3" * 16, "d4" * 16
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


class Api:
    """Says who is gone, or is away."""

    def __init__(self) -> None:
        self.tenants: set[str] = set()
        self.people: set[str] = set()
        self.away = False
        self.asked: list[tuple[set[str], set[str]]] = []

    async def gone(self, tenants: Collection[str], people: Collection[str]) -> Departed | Away:
        self.asked.append((set(tenants), set(people)))
        if self.away:
            return Away("status 502")
        return Departed(frozenset(self.tenants & set(tenants)), frozenset(self.people & set(people)))


class World:
    """A janitor over folders, and a clock that is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.api = folder, 1_000_000.0, Api()
        self.keeper: Any = Folders(folder)
        for tenant, person in ((A, ZOE), (A, LEA), (B, ZOE)):
            home = folder / "people" / hub_user_name(tenant, person) / "home"
            home.mkdir(parents=True)
            (home / "ventes.ipynb").write_text("her own")
            (folder / "shared" / tenant).mkdir(parents=True, exist_ok=True)
        (folder / "people" / rendering_user_name(A, LEA)).mkdir()
        (folder / "people" / "somebody-else").mkdir()
        (folder / "welcome" / A).mkdir(parents=True)
        self.restart()

    def restart(self) -> None:
        """A new hub: it knows what is on disk."""
        settings: Any = SimpleNamespace(leftover_check_minutes=10, tenant_kept_hours=24, home_kept_days=30)
        api: Any = self.api
        self.janitor = Janitor(settings, api, self.keeper, memory=self.folder / "leftovers.json", clock=lambda: self.now)

    def look(self, after_s: float = 0.0) -> None:
        self.now += after_s
        asyncio.run(self.janitor.look())

    @property
    def left(self) -> set[str]:
        """Folders of people and tenants that are there."""
        found = [
            *(self.folder / "people").iterdir(),
            *(self.folder / "shared").iterdir(),
            *(self.folder / "welcome").iterdir(),
        ]
        return {f"{each.parent.name}/{each.name}" for each in found}

    @property
    def of_a(self) -> set[str]:
        people = {hub_user_name(A, ZOE), hub_user_name(A, LEA), rendering_user_name(A, LEA)}
        return {f"people/{name}" for name in people} | {f"shared/{A}", f"welcome/{A}"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_tenant_goes_once_it_was_gone_long_enough(world: World, caplog: pytest.LogCaptureFixture) -> None:
    everything = world.left
    world.look()
    assert world.api.asked[0] == ({A, B}, {hub_user_name(A, ZOE), hub_user_name(A, LEA), hub_user_name(B, ZOE)})
    world.api.tenants = {A}
    world.look(10 * MINUTE)
    world.look(10 * MINUTE)
    world.look(23 * HOUR)
    assert world.left == everything
    with caplog.at_level(logging.WARNING):
        world.look(HOUR)
    assert world.left == everything - world.of_a
    assert f"of the deleted tenant {A} were removed, none left" in caplog.text
    world.look(10 * MINUTE)
    assert json.loads((world.folder / "leftovers.json").read_text()) == {}


def test_once_is_never_enough_however_long_ago(world: World) -> None:
    everything = world.left
    world.api.tenants = {A}
    world.look()
    world.restart()
    world.look(1.0)  # a hub that starts again and again asks twice within a second
    assert world.left == everything
    world.look(2 * DAY)
    assert world.left == everything - world.of_a


@pytest.mark.parametrize("how", ["away", "back", "memory"])
def test_what_is_not_said_clearly_removes_nothing(world: World, how: str) -> None:
    everything = world.left
    world.api.tenants, world.api.people = {A}, {hub_user_name(B, ZOE)}
    world.look()
    if how == "away":
        world.api.away = True
        world.look(60 * DAY)
        assert world.left == everything
        return
    if how == "back":
        gone, world.api.tenants, world.api.people = (world.api.tenants, world.api.people), set(), set()
        world.look(60 * DAY)
        world.api.tenants, world.api.people = gone
    else:
        (world.folder / "leftovers.json").write_text('{"a1')
        world.restart()
    world.look(60 * DAY)
    assert world.left == everything, "it is counted anew"
    world.look(60 * DAY)
    assert world.left == everything - world.of_a - {f"people/{hub_user_name(B, ZOE)}"}


def test_a_clock_that_was_set_back_only_waits(world: World) -> None:
    everything = world.left
    world.api.tenants = {A}
    world.look()
    world.look(-60 * DAY)
    assert world.left == everything


def test_a_persons_home_goes_after_its_days_and_nothing_else_of_the_tenant(world: World) -> None:
    everything = world.left
    world.api.people = {hub_user_name(A, ZOE)}
    world.look()
    world.look(29 * DAY)
    assert world.left == everything
    world.restart()
    world.look(DAY)
    assert world.left == everything - {f"people/{hub_user_name(A, ZOE)}"}


def test_a_link_is_not_followed(world: World, tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere"
    kept.mkdir()
    (kept / "file").touch()
    home = world.folder / "people" / hub_user_name(A, ZOE) / "home"
    (home / "partage").symlink_to(kept, target_is_directory=True)
    (world.folder / "people" / hub_user_name(B, LEA)).symlink_to(kept, target_is_directory=True)
    world.api.tenants = {A, B}
    world.look()
    assert world.api.asked[0][1].isdisjoint({hub_user_name(B, LEA)})
    world.look(2 * DAY)
    assert (kept / "file").exists()
    assert not home.exists()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc")
def test_a_folder_in_which_something_runs_stays_until_it_has_ended(world: World, caplog: pytest.LogCaptureFixture) -> None:
    folder = world.folder / "people" / hub_user_name(A, ZOE)
    environment = {**os.environ, "HOME": str((folder / "home").resolve())}
    running = subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], env=environment, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert running.stdout is not None
        running.stdout.readline()
        world.api.tenants = {A}
        world.look()
        world.look(2 * DAY)
        assert folder.exists()
        assert f"of the deleted tenant {A} there is still left: {folder.name}" in caplog.text
    finally:
        running.communicate()
    world.look(10 * MINUTE)
    assert not folder.exists()


class Broken:
    """A keeper whose disk fails for one tenant."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def held(self) -> Held:
        return Held({A, B}, set())

    async def stop(self, tenant_id: str) -> None:
        self.done.append(f"stop {tenant_id}")

    async def remove_tenant(self, tenant_id: str) -> Removed:
        if tenant_id == A:
            raise OSError("disk")
        self.done.append(f"remove {tenant_id}")
        return Removed(["x"], [])

    async def tidy(self) -> None:
        self.done.append("tidy")


def test_one_that_fails_does_not_keep_the_others_waiting(world: World) -> None:
    world.keeper = keeper = Broken()
    world.restart()
    world.api.tenants = {A, B}
    world.look()
    world.look(10 * MINUTE)
    assert keeper.done == ["tidy", "tidy", f"stop {A}", f"stop {B}"], "what runs goes at the second look, files later"
    world.look(2 * DAY)
    assert keeper.done[-2:] == ["tidy", f"remove {B}"]
