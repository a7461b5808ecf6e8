"""The notebook run in a kernel that stays, and its page made with our template.

The page asks nobody outside for anything: Voilà's script, its styles and the widgets' come from where the API puts them
(:mod:`.files`); the template is ours, because Voilà's own names a CDN for a font. Outputs stand in it as data, which that
script draws. HTML of the notebook's own is in the page as well; script of its own is not run: the frame's policy knows no
script but these files (:mod:`hub_config.pages.interactive`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.interactive.files import page_config
from dashboards.notebooks import Ran, exported, run

KERNEL_EXTENSION = "dashboards.interactive.tiles"


@dataclass
class Opened:
    """A notebook that ran with its kernel, and the page's markup."""

    ran: Ran
    markup: str


async def opened(
    notebook: Mapping[str, Any],
    *,
    kernel_id: str,
    assets: str,
    language: str,
    on_cell: Callable[[int, int], None] = lambda done, of: None,
    cell_timeout_s: int = 120,
) -> Opened:
    """Run every cell, and keep the kernel; other parameters and errors are :func:`dashboards.notebooks.run`'s.

    Parameters
    ----------
    kernel_id
        What the page's script takes for the kernel's id: it opens nothing.
    assets
        Where browsers find the files of :mod:`.files`; ends with a slash.
    """
    environment = {**os.environ, "PLOTLY_RENDERER": "plotly_mimetype"}
    ran = await run(
        notebook, extension=KERNEL_EXTENSION, on_cell=on_cell, environment=environment, cell_timeout_s=cell_timeout_s
    )
    config = page_config() | {
        "baseUrl": "/", "kernelId": kernel_id, "fullStaticUrl": f"{assets}static",
        "fullLabextensionsUrl": f"{assets}labextensions", "jupyterLabTheme": "light",
    }  # fmt: skip
    try:
        markup = await exported(
            ran.node, "dashboards.interactive", "interactive.html.j2", filters={"as_data": _as_data},
            context={"page": config, "assets": assets, "language": language},
        )  # fmt: skip
    except BaseException:
        await ran.end()
        raise
    return Opened(ran, markup)


def _as_data(value: Any) -> str:
    r"""Return JSON that can stand in a script's element: a « </script> » of somebody's text must not end ours.

    >>> _as_data({"a": "</script><!--"})
    '{"a": "\\u003c/script>\\u003c!--"}'
    """
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
