"""Build our own wheel for an image: only the packages that may be in it.

``python own_wheel.py SOURCE TARGET PACKAGE …`` copies those packages (folders below ``SOURCE``), writes a ``pyproject.toml``
that knows nothing of the others, and builds the wheel into ``TARGET``. So the notebook's image holds no line of
``hub_config``, not even in its metadata. The built JupyterLab panel goes with ``extension/datapilot_lab`` where it is there.
Needs hatchling; run inside a build only.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

PANEL = "extension/datapilot_lab/labextension"
SHARED = {
    PANEL: "share/jupyter/labextensions/datapilot-lab",
    "extension/jupyter-config/datapilot_lab.json": "etc/jupyter/jupyter_server_config.d/datapilot_lab.json",
}


def kept_entry_points(groups: dict[str, dict[str, str]], packages: list[str]) -> dict[str, dict[str, str]]:
    """Return the entry points whose module is in one of the packages."""
    names = {Path(package).name for package in packages}
    kept = {
        group: {name: target for name, target in points.items() if target.partition(".")[0].partition(":")[0] in names}
        for group, points in groups.items()
    }
    return {group: points for group, points in kept.items() if points}


def project_file(whole: dict[str, Any], packages: list[str], shared: dict[str, str]) -> str:
    """Write the ``pyproject.toml`` of these packages. Dependencies are the lock's business, not the wheel's.

    Parameters
    ----------
    shared
        Files and folders that go below the environment's own folder, and where.
    """
    project = whole["project"]
    lines = ["[build-system]", 'requires = ["hatchling"]', 'build-backend = "hatchling.build"', "[project]"]
    lines += [f"{key} = {json.dumps(project[key])}" for key in ("name", "version", "description", "requires-python")]
    scripts = kept_entry_points({"scripts": project.get("scripts", {})}, packages)
    groups = kept_entry_points(project.get("entry-points", {}), packages)
    for name, points in [("project.scripts", scripts.get("scripts", {}))] + [
        (f"project.entry-points.{json.dumps(group)}", points) for group, points in sorted(groups.items())
    ]:
        lines.append(f"[{name}]")
        lines += [f"{json.dumps(key)} = {json.dumps(target)}" for key, target in sorted(points.items())]
    lines += ["[tool.hatch.build.targets.wheel]", f"packages = {json.dumps(packages)}", f"exclude = [{json.dumps(PANEL)}]"]
    lines += ["[tool.hatch.build.targets.wheel.shared-data]"]
    lines += [f"{json.dumps(source)} = {json.dumps(place)}" for source, place in sorted(shared.items())]
    return "\n".join(lines) + "\n"


def main(source: Path, target: Path, packages: list[str]) -> None:
    """Build the wheel."""
    whole = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))
    shared = dict(SHARED) if "extension/datapilot_lab" in packages and (source / PANEL / "package.json").is_file() else {}
    with tempfile.TemporaryDirectory() as folder:
        for package in packages:
            shutil.copytree(source / package, Path(folder, package), ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        for name in shared:
            if name != PANEL:
                Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / name, Path(folder, name))
        Path(folder, "pyproject.toml").write_text(project_file(whole, packages, shared), encoding="utf-8")
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target.resolve())]
        subprocess.run(command, cwd=folder, check=True)  # noqa: S603 - our own arguments


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
