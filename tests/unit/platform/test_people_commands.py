"""The operator's commands: a tenant, a link for somebody, a new signing key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datapilot_kernel.cli import main
from tests.platform_support import PASSWORD, World, make_settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("DATAPILOT_") and not name.startswith("DATAPILOT_TEST")]:
        monkeypatch.delenv(name)


def _world(folder: Path) -> World:
    """The service over the folder that the commands worked on."""
    return World(make_settings(folder, data_dir=folder, registration="closed"))


def _choose(world: World, link: str, password: str = PASSWORD) -> None:
    body = {"token": link.partition("#")[2], "password": password}
    assert world.client.post("/api/v1/auth/password/reset", json=body).status_code == 204


def _login(world: World, email: str) -> Any:
    return world.client.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})


def test_a_tenant_is_made_and_its_administrator_chooses_a_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["tenant", "create", "Café Zoé", "--email", "zoe@cafe.example", "--full-name", "Zoé"]
    assert main([*arguments, "--data", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("http://127.0.0.1:8000/password#dpw_")
    assert len(shown.out.splitlines()) == 1
    assert "Café Zoé" in shown.err
    assert "#" not in shown.err
    with _world(tmp_path) as world:
        assert _login(world, "zoe@cafe.example").status_code == 401  # no password yet
        _choose(world, shown.out.strip())
        answer = _login(world, "zoe@cafe.example")
        assert answer.status_code == 200
        assert answer.json()["role"] == "administrator"


def test_as_json_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tenant", "create", "X", "--email", "x@y.example", "--json", "--data", str(tmp_path)]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made.keys() == {"tenant_id", "slug", "user_id", "link", "expires_at"}
    for name in (made["tenant_id"], made["slug"]):
        arguments = ["user", "password-link", "--tenant", name, "--email", " X@Y.example"]
        assert main([*arguments, "--json", "--data", str(tmp_path)]) == 0
        link = json.loads(capsys.readouterr().out)
        assert link["user_id"] == made["user_id"]
    with _world(tmp_path) as world:
        _choose(world, link["link"])
        assert _login(world, "x@y.example").status_code == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["user", "password-link", "--tenant", "nulle-part", "--email", "x@y.example"], "nulle-part"),
        (["user", "password-link", "--tenant", "SLUG", "--email", "autre@y.example"], "autre@y.example"),
        (["tenant", "create", "X", "--email", "pas une adresse"], "prenom.nom@exemple.fr"),
    ],
)
def test_what_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["tenant", "create", "X", "--email", "x@y.example", "--json", "--data", str(tmp_path)]) == 0
    slug = json.loads(capsys.readouterr().out)["slug"]
    given = [slug if argument == "SLUG" else argument for argument in arguments]
    assert main([*given, "--data", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""


def test_a_rotation_by_command_ends_no_session(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    before = world.token("analyst")
    assert main(["tokens", "rotate", "--json", "--data", str(world.settings.data_dir)]) == 0
    kid = json.loads(capsys.readouterr().out)["kid"]
    assert world.people.authenticate(before).role == "analyst"
    assert world.people.keys.newest().kid == kid
    world.token("analyst")
