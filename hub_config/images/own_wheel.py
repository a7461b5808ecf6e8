"""Build our own wheel for an image: the whole project, or only the packages that may enter a notebook's container.

``python own_wheel.py SOURCE TARGET [PACKAGE …]`` copies the project's packages that were named (all without names) from
``SOURCE``, writes a ``pyproject.toml`` that knows nothing of the others, and builds the wheel into ``TARGET``. So the
notebook's image holds no line of ``hub_config``, not even in its metadata. Needs hatchling; run inside the build only.
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


def kept_entry_points(groups: dict[str, dict[str, str]], packages: list[str]) -> dict[str, dict[str, str]]:
    """Return the entry points whose module is in one of the packages."""
    kept = {
        group: {name: target for name, target in points.items() if target.partition(".")[0].partition(":")[0] in packages}
        for group, points in groups.items()
    }
    return {group: points for group, points in kept.items() if points}


def project_file(whole: dict[str, Any], packages: list[str]) -> str:
    """Write the ``pyproject.toml`` of these packages. Dependencies are the lock's business, not the wheel's."""
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
    lines += ["[tool.hatch.build.targets.wheel]", f"packages = {json.dumps(packages)}"]
    return "\n".join(lines) + "\n"


def main(source: Path, target: Path, packages: list[str]) -> None:
    """Build the wheel."""
    whole = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))
    packages = packages or whole["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    with tempfile.TemporaryDirectory() as folder:
        for package in packages:
            shutil.copytree(source / package, Path(folder, package), ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        Path(folder, "pyproject.toml").write_text(project_file(whole, packages), encoding="utf-8")
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target.resolve())]
        subprocess.run(command, cwd=folder, check=True)  # noqa: S603 - our own arguments


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
