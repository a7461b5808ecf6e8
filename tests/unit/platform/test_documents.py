"""The generated pages are the code's; settings say what they are; production refuses what is unsafe, and says which."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from datapilot_kernel.errors import BadInput
from hub_config.checks import problems_of, readable_by_others
from hub_config.documents import all_routes, permissions_page, settings_page
from hub_config.settings import Settings, load_settings
from tests.platform_support import World

ROOT = Path(__file__).parents[3]

SAFE: dict[str, Any] = {
    "mode": "production",
    "public_url": "https://datapilot.example",
    "database_url": "postgresql://application:kdh3ZZpq92LmsE@db/datapilot",
    "database_admin_url": "postgresql://owner:pO82mmWq1zzLLe@db/datapilot",
}


def test_the_page_of_settings_is_the_codes() -> None:
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == settings_page()


def test_the_page_of_permissions_is_the_codes(world: World) -> None:
    page = permissions_page(all_routes(world.app))
    assert (ROOT / "docs/permissions.md").read_text(encoding="utf-8") == page


def test_every_setting_says_what_it_is_and_its_unit() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        if field.annotation is int and not name.endswith("_port"):
            units = ("bytes", "seconds", "minutes", "days", "ms", "rows", "queries", "frames", "attempts", "address", "size",
                     "hours", "month", "day", "kept", "tenant", "renderings", "refreshes", "ahead")  # fmt: skip
            assert name.endswith(units), f"{name} says no unit"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cors_origins": ("*",)}, "CORS_ORIGINS"),
        ({"public_url": "http://datapilot.example"}, "PUBLIC_URL"),
        ({"database_url": None}, "DATABASE_URL"),
        ({"database_admin_url": None}, "DATABASE_ADMIN_URL"),
        ({"database_admin_url": SAFE["database_url"]}, "rôle"),
        ({"database_url": "postgresql://application:changeme@db/datapilot"}, "DATAPILOT_DATABASE_URL"),
        ({"metrics_token": "secret"}, "DATAPILOT_METRICS_TOKEN"),
        ({"hub_public_url": "https://datapilot.example"}, "DATAPILOT_HUB_API_TOKEN"),
    ],
)
def test_production_refuses_what_is_unsafe(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    safe = Settings(_secrets_dir=None, **(SAFE | {"data_dir": tmp_path}))
    assert problems_of(safe) == []
    (problem,) = problems_of(Settings(_secrets_dir=None, **(SAFE | {"data_dir": tmp_path} | change)))
    assert said in problem
    assert "changeme" not in problem


def test_production_refuses_a_key_that_others_can_read(tmp_path: Path) -> None:
    key = tmp_path / "vault.keys"
    key.write_text("x")
    key.chmod(0o600)
    settings = Settings(_secrets_dir=None, **(SAFE | {"data_dir": tmp_path, "vault_key_file": key}))
    assert problems_of(settings) == []
    key.chmod(0o640)
    assert readable_by_others(key)
    (problem,) = problems_of(settings)
    assert f"chmod 600 {key}" in problem


def test_the_command_refuses_and_says_which(tmp_path: Path) -> None:
    environment = {"DATAPILOT_MODE": "production", "DATAPILOT_CORS_ORIGINS": "*", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "datapilot_kernel.cli", "serve", "--data", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert "DATAPILOT_CORS_ORIGINS" in done.stderr
    assert "DATAPILOT_DATABASE_URL" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_wrong_setting_is_named_and_its_value_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAPILOT_SMTP_PORT", "hunter2")
    with pytest.raises(BadInput) as caught:
        load_settings()
    assert "DATAPILOT_SMTP_PORT" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_secrets_come_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "datapilot_metrics_token").write_text("from a file\n")
    monkeypatch.setenv("DATAPILOT_SECRETS_DIR", str(tmp_path))
    token = load_settings().metrics_token
    assert token is not None
    assert token.get_secret_value() == "from a file"
    assert "from a file" not in repr(load_settings())
