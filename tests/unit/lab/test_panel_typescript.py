"""The panel's own unit tests (TypeScript), run by node from here: one ``make test`` for everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PANEL = Path(__file__).parents[3] / "extension"


@pytest.mark.slow
@pytest.mark.skipif(
    not (PANEL / "node_modules" / ".datapilot").is_file(), reason="the panel is not built (no node): make install says how"
)
def test_the_panels_unit_tests_pass() -> None:
    command = [sys.executable, str(PANEL / "build_panel.py"), "--test"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    # Their number, so that tests that are no longer found are a failure.
    passed = next(int(line.split()[-1]) for line in done.stdout.splitlines() if line.startswith("ℹ pass"))
    assert passed >= 32
