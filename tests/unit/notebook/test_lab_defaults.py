"""JupyterLab's defaults name what this JupyterLab has (a renamed plugin would be ignored in silence), and are found by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from datapilot_kernel.notebook import lab

pytest.importorskip("jupyterlab")
SHARE = Path(sys.prefix) / "share" / "jupyter"


def _schema(plugin: str) -> dict[str, Any]:
    package, _, name = plugin.partition(":")
    found: dict[str, Any] = json.loads((SHARE / "lab" / "schemas" / package / f"{name}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("plugin", lab.settings("fr_FR"))
def test_every_default_is_a_setting_of_this_jupyterlab(plugin: str) -> None:
    for name, value in lab.settings("fr_FR")[plugin].items():
        about = _schema(plugin)["properties"][name]
        assert about["type"] == {str: "string", bool: "boolean"}[type(value)]
        assert value != about["default"], "says nothing that JupyterLab does not say itself"


def test_every_extension_that_is_left_out_exists() -> None:
    shipped = "".join(p.read_text(encoding="utf-8") for p in (SHARE / "lab" / "static").glob("jlab_core.*.js"))
    for name in lab.PAGE["disabledExtensions"]:
        federated = SHARE / "labextensions" / name / "package.json"
        # Core plugins stand in the bundle by their id, whole packages as the beginning of one.
        assert federated.exists() or f'"{name}' in shipped or f"'{name}" in shipped, name


def test_a_server_finds_them(tmp_path: Path) -> None:
    lab.write(tmp_path / "avec espace")
    asked = """
import json
from jupyter_client.kernelspec import KernelSpecManager
from jupyterlab.labapp import LabApp
from jupyterlab_server.config import get_page_config
from jupyterlab_server.settings_utils import _get_overrides
from jupyter_server.serverapp import ServerApp
app = LabApp.initialize_server(argv=[])
print(json.dumps({
    "kernels": sorted(KernelSpecManager().find_kernel_specs()),
    "default": app.kernel_manager.default_kernel_name,
    "cull": app.kernel_manager.cull_idle_timeout,
    "terminals": app.web_app.settings.get("terminals_available"),
    "loaded": sorted(name for name, on in app.extension_manager.extensions.items() if on.enabled),
    "locale": _get_overrides("/nowhere")[0]["@jupyterlab/translation-extension:plugin"]["locale"],
    "off": sorted(get_page_config([])["disabledExtensions"]),
    "news": app.web_app.settings["page_config_data"]["news"],
}))
"""
    environment = {
        **os.environ,
        **lab.environment(tmp_path / "avec espace"),
        "HOME": str(tmp_path),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "run"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", asked],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["default"] == "datapilot"
    assert "datapilot" in found["kernels"]
    assert found["cull"] == lab.IDLE_KERNEL_S
    assert found["locale"] == "fr_FR"
    assert set(lab.PAGE["disabledExtensions"]) <= set(found["off"])
    assert found["news"] == {"disabled": True}
    assert not found["terminals"]
    assert set(lab.EXTENSIONS["ServerApp"]["jpserver_extensions"]).isdisjoint(found["loaded"])
    assert "jupyterlab" in found["loaded"]
