"""What hatchling adds to the wheel: the JupyterLab panel, when it has been built, and its server half's configuration.

The panel is made by ``extension/build_panel.py`` (node is needed for it, and for nothing else), so a wheel without it is
whole in every other respect. ``DATAPILOT_REQUIRE_PANEL=1`` makes its absence an error: images and releases set it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = Path("extension") / "datapilot_lab" / "labextension"
CONFIGURATION = Path("extension") / "jupyter-config" / "datapilot_lab.json"


class PanelHook(BuildHookInterface[Any]):
    """Adds the shared data of the panel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Say what goes where; an editable installation is linked by ``extension/build_panel.py`` instead."""
        if self.target_name != "wheel" or version == "editable":
            return
        root = Path(self.root)
        if (root / BUNDLE / "package.json").is_file():
            shared = build_data.setdefault("shared_data", {})
            shared[str(root / BUNDLE)] = "share/jupyter/labextensions/datapilot-lab"
            shared[str(root / CONFIGURATION)] = "etc/jupyter/jupyter_server_config.d/datapilot_lab.json"
            return
        if os.environ.get("DATAPILOT_REQUIRE_PANEL") == "1":
            raise RuntimeError("the JupyterLab panel is not built: python extension/build_panel.py --require")
        self.app.display_warning("The wheel has no JupyterLab panel: python extension/build_panel.py makes it.")
