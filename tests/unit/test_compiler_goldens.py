"""Plans and their SQL, side by side in ``goldens/compiler/*.sql``: a plan as JSON, then what each engine is asked.

``DATAPILOT_WRITE_GOLDENS=1`` writes them anew; the difference is then read by a person before it is committed.
"""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from datapilot_kernel.plan.compiler import compile_plan
from datapilot_kernel.plan.model import Plan
from tests.integration.shop import LAYER

FOLDER = Path(__file__).parent / "goldens" / "compiler"
FILES = sorted(FOLDER.glob("*.sql"))
TODAY = date(2026, 11, 22)
DIALECTS = ("postgres", "mysql", "duckdb")


def plan_of(file: Path) -> str:
    found = re.match(r"-- plan\n(.*?)\n(?=-- |\Z)", file.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, file
    return found[1]


def written(plan: str) -> str:
    parts = [f"-- plan\n{plan}\n"]
    for dialect in DIALECTS:
        compiled = compile_plan(Plan.model_validate_json(plan), LAYER, dialect=cast("Any", dialect), today=TODAY)
        columns = "".join(
            f"--   {c.name}: {c.role}, {c.format.kind}{f', {c.grain}' if c.grain else ''}{f', of {c.of}' if c.of else ''} « {c.label} »\n"
            for c in compiled.columns
        )
        notes = "".join(f"--   {note}\n" for note in compiled.notes)
        head = f"-- columns\n{columns}" + (f"-- notes\n{notes}" if notes else "") if dialect == "postgres" else ""
        parts.append(f"{head}-- {dialect}\n{compiled.sql}\n")
    return "".join(parts)


def test_there_are_goldens() -> None:
    assert len(FILES) >= 12


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_golden(file: Path) -> None:
    found = written(plan_of(file))
    if os.environ.get("DATAPILOT_WRITE_GOLDENS"):
        file.write_text(found, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == found
