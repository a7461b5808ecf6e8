"""The page on Claude documents every setting, with its default."""

from __future__ import annotations

from pathlib import Path

from datapilot_kernel.nl2sql.claude.settings import _VARIABLES, ModelSettings

PAGE = (Path(__file__).parents[3] / "docs" / "fr" / "claude.md").read_text(encoding="utf-8")


def test_every_variable_is_documented_with_its_default() -> None:
    rows = {
        line.split("|")[1].strip().strip("`"): line.split("|")[2].strip().strip("`")
        for line in PAGE.splitlines()
        if line.startswith("| `")
    }
    for name, field in _VARIABLES.items():
        assert name in rows, name
        default = ModelSettings.model_fields[field].default
        if isinstance(default, str | int) and field not in ("key",):
            assert rows[name] == str(default), name
