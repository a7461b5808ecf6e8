"""The notebook run by Voilà's executor in a kernel that stays, and its page made by Voilà's exporter with our template.

The page asks nobody outside for anything: Voilà's script, its styles and the widgets' come from where the API puts them
(:mod:`.files`); the template is ours, because Voilà's own names a CDN for a font. Outputs stand in it as data, which that
script draws. HTML of the notebook's own is in the page as well; script of its own is not run: the frame's policy knows no
script but these files (:mod:`hub_config.pages.interactive`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Any

from dashboards.interactive.files import page_config
from dashboards.rendering.execution import CellFailed, _NoFiles, _plain

KERNEL_EXTENSION = "dashboards.interactive.tiles"


@dataclass
class Opened:
    """A notebook that ran, its kernel, and the page's markup.

    Attributes
    ----------
    kernel_id
        What the page's script takes for the kernel's id: it opens nothing.
    """

    manager: Any
    client: Any
    kernel_id: str
    markup: str

    async def close(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        await self.manager.shutdown_kernel(now=True)


async def opened(
    notebook: Mapping[str, Any],
    *,
    kernel_id: str,
    assets: str,
    language: str,
    on_cell: Callable[[int, int], None] = lambda done, of: None,
    cell_timeout_s: int = 120,
) -> Opened:
    """Run every cell, and keep the kernel.

    Parameters
    ----------
    notebook
        nbformat 4, as JSON; outputs in it are dropped before anything runs.
    assets
        Where browsers find the files of :mod:`.files`; ends with a slash.

    Raises
    ------
    CellFailed
        A cell raised, or took too long.
    """
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from voila.execute import VoilaExecutor

    node = nbformat.from_dict(dict(notebook))  # type: ignore[no-untyped-call]
    nbformat.validate(node)
    code = [index for index, cell in enumerate(node.cells) if cell.cell_type == "code"]
    for index in code:
        node.cells[index].outputs, node.cells[index].execution_count = [], None
    manager = AsyncKernelManager(kernel_name="python3", transport="ipc")
    extension = f"--IPKernelApp.extra_extensions={KERNEL_EXTENSION}"
    strict = "--IPKernelApp.reraise_ipython_extension_failures=True"
    environment = {**os.environ, "PLOTLY_RENDERER": "plotly_mimetype"}
    await manager.start_kernel(extra_arguments=[extension, strict], env=environment)
    executor = VoilaExecutor(node, km=manager, timeout=cell_timeout_s, show_tracebacks=True, store_widget_state=False)
    try:
        executor.kc = await executor.async_start_new_kernel_client()
        for done, index in enumerate(code):
            on_cell(done, len(code))
            try:
                await executor.async_execute_cell(node.cells[index], index, store_history=False)
            except CellTimeoutError:
                raise CellFailed(done, "Timeout", "") from None
            except (CellExecutionError, DeadKernelError) as error:
                raise CellFailed(done, getattr(error, "ename", type(error).__name__), _plain(str(error))) from None
        on_cell(len(code), len(code))
        markup = await _exported(node, kernel_id=kernel_id, assets=assets, language=language)
    except BaseException:
        if executor.kc is not None:
            executor.kc.stop_channels()
        await manager.shutdown_kernel(now=True)
        raise
    return Opened(manager, executor.kc, kernel_id, markup)


async def _exported(node: Any, *, kernel_id: str, assets: str, language: str) -> str:
    from traitlets.config import Config
    from voila.exporter import VoilaExporter

    config = page_config() | {
        "baseUrl": "/", "kernelId": kernel_id, "fullStaticUrl": f"{assets}static",
        "fullLabextensionsUrl": f"{assets}labextensions", "jupyterLabTheme": "light",
    }  # fmt: skip
    with as_file(files("dashboards.interactive").joinpath("template")) as folder:
        exporter = VoilaExporter(
            template_paths=[str(folder)],
            template_file="interactive.html.j2",
            config=Config(),
            contents_manager=_NoFiles(),
            exclude_anchor_links=True,
        )
        # Finished as it is: a « </script> » of somebody's text must not end ours.
        exporter.register_filter("as_data", _as_data)
        more = {"page": config, "assets": assets, "language": language}
        pieces = [
            piece
            async for piece, _ in exporter.generate_from_notebook_node(
                node, resources={"metadata": {"name": ""}}, extra_context=more
            )
        ]
    return "".join(pieces).strip()


def _as_data(value: Any) -> str:
    r"""Return JSON that can stand in a script's element.

    >>> _as_data({"a": "</script><!--"})
    '{"a": "\\u003c/script>\\u003c!--"}'
    """
    import json

    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
