"""A notebook run and made a page by Voilà's own executor and exporter, with our template.

Outputs of the cells are *data*: a tile (``application/vnd.datapilot.tile+json``) becomes a place in the page, which the
API fills from its own record; text and Markdown stay. Whatever else a cell shows (HTML of its own, scripts, widgets) is
left out here, and what is kept is cleaned again by the API, which trusts nothing that comes out of this process.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Any

TILE = "application/vnd.datapilot.tile+json"
KERNEL_EXTENSION = "dashboards.rendering.tiles"


class CellFailed(Exception):
    """A cell ended with an error.

    Attributes
    ----------
    index
        Which of the code cells, from 0.
    trace
        The traceback without colours, for the author alone: it may quote values.
    """

    def __init__(self, index: int, name: str, trace: str) -> None:
        super().__init__(f"cell {index}: {name}")
        self.index = index
        self.name = name
        self.trace = trace


@dataclass(frozen=True)
class Page:
    """The page's markup, and the ids of the tiles in the order of their places."""

    markup: str
    tiles: tuple[str, ...]


async def render(
    notebook: Mapping[str, Any],
    *,
    on_cell: Callable[[int, int], None] = lambda done, of: None,
    environment: Mapping[str, str] | None = None,
    cell_timeout_s: int = 120,
) -> Page:
    """Run every cell in a kernel of its own, and return the page.

    Parameters
    ----------
    notebook
        nbformat 4, as JSON; outputs in it are dropped before anything runs.
    on_cell
        Told of ``(cells done, cells there are)``.
    environment
        The kernel's environment; None: this process's.

    Raises
    ------
    CellFailed
        A cell raised, or took longer than ``cell_timeout_s``.
    """
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from voila.execute import VoilaExecutor

    node = nbformat.from_dict(dict(notebook))  # type: ignore[no-untyped-call]
    nbformat.validate(node)
    code = [index for index, cell in enumerate(node.cells) if cell.cell_type == "code"]
    for index in code:
        node.cells[index].outputs, node.cells[index].execution_count = [], None
    manager = AsyncKernelManager(kernel_name="python3", transport="ipc")
    extension = f"--IPKernelApp.extra_extensions={KERNEL_EXTENSION}"
    strict = "--IPKernelApp.reraise_ipython_extension_failures=True"
    options: dict[str, Any] = {"extra_arguments": [extension, strict]}
    if environment is not None:
        options["env"] = dict(environment)
    await manager.start_kernel(**options)
    executor = VoilaExecutor(node, km=manager, timeout=cell_timeout_s, show_tracebacks=True, store_widget_state=False)
    try:
        executor.kc = await executor.async_start_new_kernel_client()
        for done, index in enumerate(code):
            on_cell(done, len(code))
            await _run(executor, node.cells[index], index, done)
        on_cell(len(code), len(code))
    finally:
        if executor.kc is not None:
            executor.kc.stop_channels()
        await manager.shutdown_kernel(now=True)
    for index in code:
        node.cells[index].outputs = [kept for kept in map(_kept, node.cells[index].outputs) if kept is not None]
    return await _exported(node)


async def _run(executor: Any, cell: Any, index: int, number: int) -> None:
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    try:
        await executor.async_execute_cell(cell, index, store_history=False)
    except CellTimeoutError:
        raise CellFailed(number, "Timeout", "") from None
    except (CellExecutionError, DeadKernelError) as error:
        raise CellFailed(number, getattr(error, "ename", type(error).__name__), _plain(str(error))) from None


def _kept(output: Any) -> Any:
    """Return the output with what a page may hold of it; None: nothing."""
    import nbformat

    if output.output_type not in ("display_data", "execute_result"):
        return None
    data = output.data
    kept = {kind: data[kind] for kind in (TILE, "text/markdown") if kind in data}
    return nbformat.v4.new_output("display_data", data=kept) if kept else None  # type: ignore[no-untyped-call]


async def _exported(node: Any) -> Page:
    from traitlets.config import Config
    from voila.exporter import VoilaExporter

    found: list[str] = []

    def place(output: Any) -> str:
        tile = str(output.data[TILE].get("id", ""))
        found.append(tile)
        return tile

    with as_file(files("dashboards.rendering").joinpath("template")) as folder:
        exporter = VoilaExporter(
            template_paths=[str(folder)],
            template_file="page.html.j2",
            config=Config(),
            contents_manager=_NoFiles(),
            exclude_anchor_links=True,
        )
        exporter.register_filter("tile_id", place)
        pieces = [
            piece async for piece, _ in exporter.generate_from_notebook_node(node, resources={"metadata": {"name": ""}})
        ]
    return Page("".join(pieces).strip(), tuple(found))


class _NoFiles:
    """Voilà inlines images that Markdown names from the server's folder; a published page has none."""

    def file_exists(self, path: str) -> bool:
        return False


def _plain(trace: str) -> str:
    from nbconvert.filters import strip_ansi

    return str(strip_ansi(trace))  # type: ignore[no-untyped-call]


def main_of(notebook_json: str) -> str:
    """Return the page's markup of a notebook's JSON, in a loop of its own: for scripts and tests."""
    return asyncio.run(render(json.loads(notebook_json))).markup
