"""The server half of DataPilot in JupyterLab: what the panel in the browser asks, it asks the platform for.

The browser holds no credential of the platform. Its requests reach this half of the person's own notebook server, under
the server's own sign-in and XSRF check; this half adds the notebook's token (:mod:`datapilot_kernel.notebook.hub_token`)
and passes on what is on the list of :mod:`datapilot_lab.routes`, nothing else.

Beside passing on, it does what needs the kernel package and no data connection: values written in French form, charts of
another type, an edited reading as a plan (:mod:`datapilot_lab.shown`), and it holds a running question over a reload of
the page (:mod:`datapilot_lab.asking`).
"""

from __future__ import annotations

from typing import Any

NAME = "datapilot-lab"


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": NAME}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "datapilot_lab"}]


def _load_jupyter_server_extension(server_app: Any) -> None:
    """Add the handlers; nothing of the kernel package or of httpx is imported before the first request."""
    from datapilot_lab import browsing, handlers

    browsing.add_handlers(server_app.web_app)
    handlers.add_handlers(server_app.web_app)


load_jupyter_server_extension = _load_jupyter_server_extension
