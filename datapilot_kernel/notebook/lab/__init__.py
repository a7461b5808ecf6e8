"""JupyterLab as DataPilot gives it: in French, quiet, asking nothing of the outside, on the DataPilot kernel.

``python -m datapilot_kernel.notebook.lab PREFIX [--locale fr_FR] [--no-kernel]`` writes these defaults under
``PREFIX/etc/jupyter`` (and the kernel under ``PREFIX/share/jupyter``). A notebook image gives its ``sys.prefix``, where
Jupyter looks by itself; the demo gives a folder of its own and names it by ``JUPYTER_CONFIG_PATH`` and ``JUPYTER_PATH``
(:func:`environment`), so that nothing is written into a virtual environment that may belong to somebody else.

They are defaults, not walls: whoever sets another language or theme in JupyterLab keeps it. Everything lies in ``etc``
(``labconfig`` holds both the settings' defaults and the page's configuration), none in JupyterLab's own application folder.

Chosen:

- Terminals are off. They open no door that ``!command`` in a cell does not open as well, so this is no wall; they are a
  process and a tile that an analyst has no use for.
- A kernel that did nothing for :data:`IDLE_KERNEL_S` and that no browser shows is ended. One that is shown is left to the
  hub's culler, which ends the whole server: a person who comes back to an open page must find what it was.
- The Python 3 kernel stays beside ours: notebooks from elsewhere name it.
- No language servers: none is installed, and looking for twenty of them at every start is work for nothing. No preview by
  Voilà's own extension: its page asks a CDN for a font, and publishing is the platform's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datapilot_kernel.notebook.kernelspec import NAME

IDLE_KERNEL_S = 2 * 3600
"""After so many seconds without work, a kernel that no browser shows is ended."""

SERVER: dict[str, Any] = {
    "ServerApp": {"terminals_enabled": False, "quit_button": False},
    "MultiKernelManager": {"default_kernel_name": NAME},
    "MappingKernelManager": {"cull_idle_timeout": IDLE_KERNEL_S, "cull_interval": 300, "cull_connected": False},
    "LabApp": {
        "news_url": None,
        "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "extension_manager": "readonly",
    },
}
"""The server's configuration (``jupyter_server_config.json``)."""

EXTENSIONS: dict[str, Any] = {
    "ServerApp": {
        "jpserver_extensions": {"jupyter_lsp": False, "jupyter_server_terminals": False, "voila.server_extension": False}
    }
}
"""Extensions of the server that are left out. In a file that is read after those of the extensions themselves."""

PAGE: dict[str, Any] = {
    "disabledExtensions": {
        "@jupyterlab/apputils-extension:announcements": True,  # news and « a newer version is there »
        "@jupyterlab/extensionmanager-extension": True,  # installs from outside; what is there is the image's business
        "@jupyterlab/help-extension:jupyter-forum": True,
        "@jupyterlab/lsp-extension": True,
        "@jupyterlab/terminal-extension": True,
        "@voila-dashboards/jupyterlab-preview": True,
    }
}
"""The page's configuration (``labconfig/page_config.json``)."""

SETTINGS: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/extensionmanager-extension:plugin": {"enabled": False},
}
"""The settings' defaults besides the language (``labconfig/default_setting_overrides.json``)."""


def settings(locale: str) -> dict[str, dict[str, Any]]:
    """Return the settings' defaults for a language (``fr_FR``, ``en``)."""
    return {"@jupyterlab/translation-extension:plugin": {"locale": locale}, **SETTINGS}


def write(prefix: Path, *, locale: str = "fr_FR", kernel: bool = True) -> None:
    """Write the defaults, over those of before.

    Parameters
    ----------
    prefix
        The folder above ``etc`` and ``share``.
    kernel
        Install the DataPilot kernel there as well, for this interpreter.
    """
    configuration = prefix / "etc" / "jupyter"
    for path, content in {
        configuration / "jupyter_server_config.json": SERVER,
        configuration / "jupyter_server_config.d" / "zz_datapilot.json": EXTENSIONS,
        configuration / "labconfig" / "page_config.json": PAGE,
        configuration / "labconfig" / "default_setting_overrides.json": settings(locale),
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if kernel:
        from datapilot_kernel.notebook.kernelspec import install

        install(str(prefix))


def environment(prefix: Path) -> dict[str, str]:
    """Return the variables by which a Jupyter server finds defaults that are not in its own ``sys.prefix``."""
    return {
        "JUPYTER_CONFIG_PATH": str(prefix / "etc" / "jupyter"),
        "JUPYTER_PATH": str(prefix / "share" / "jupyter"),
    }
