"""A notebook run by Voilà's own executor, and made a page by Voilà's own exporter: what both kinds of dashboards share.

The kernel is reached by sockets in a folder of its own that only this account may enter, gone with the kernel. (Left to
itself, jupyter_client puts them into the working folder, where two kernels that start at once could take the same.)
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any


class CellFailed(Exception):
    """A cell ended with an error.

    Attributes
    ----------
    index
        Which of the code cells, from 0.
    name
        The error's class; « Timeout »: it took too long.
    trace
        The traceback without colours, for the author alone: it may quote values.
    """

    def __init__(self, index: int, name: str, trace: str) -> None:
        super().__init__(f"cell {index}: {name}")
        self.index = index
        self.name = name
        self.trace = trace


@dataclass
class Ran:
    """A notebook that ran, and its kernel, which lives until :meth:`end`.

    Attributes
    ----------
    node
        The notebook with its outputs (nbformat 4).
    code
        Where its code cells are.
    client
        jupyter_client's line to the kernel.
    """

    node: Any
    code: list[int]
    manager: Any
    client: Any
    folder: Path

    async def end(self) -> None:
        """End the kernel. Safe twice."""
        if self.client is not None:
            self.client.stop_channels()
        await self.manager.shutdown_kernel(now=True)
        shutil.rmtree(self.folder, ignore_errors=True)


async def run(
    notebook: Mapping[str, Any],
    *,
    extension: str,
    on_cell: Callable[[int, int], None] = lambda done, of: None,
    environment: Mapping[str, str] | None = None,
    cell_timeout_s: int = 120,
) -> Ran:
    """Run every cell in a kernel of its own.

    Parameters
    ----------
    notebook
        nbformat 4, as JSON; outputs in it are dropped before anything runs.
    extension
        The kernel's IPython extension; without it the kernel does not start.
    on_cell
        Told of ``(cells done, cells there are)``.
    environment
        The kernel's environment; None: this process's.

    Raises
    ------
    CellFailed
        A cell raised, or took longer than ``cell_timeout_s``; the kernel is ended.
    """
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from voila.execute import VoilaExecutor

    node = nbformat.from_dict(dict(notebook))  # type: ignore[no-untyped-call]
    nbformat.validate(node)
    code = [index for index, cell in enumerate(node.cells) if cell.cell_type == "code"]
    for index in code:
        node.cells[index].outputs, node.cells[index].execution_count = [], None
    folder = _folder()
    ran = Ran(node, code, AsyncKernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "line")), None, folder)
    options: dict[str, Any] = {} if environment is None else {"env": dict(environment)}
    strict = "--IPKernelApp.reraise_ipython_extension_failures=True"
    try:
        await ran.manager.start_kernel(extra_arguments=[f"--IPKernelApp.extra_extensions={extension}", strict], **options)
        executor = VoilaExecutor(
            node, km=ran.manager, timeout=cell_timeout_s, show_tracebacks=True, store_widget_state=False
        )
        executor.kc = ran.client = await executor.async_start_new_kernel_client()
        for done, index in enumerate(code):
            on_cell(done, len(code))
            await _run(executor, node.cells[index], index, done)
        on_cell(len(code), len(code))
    except BaseException:
        await ran.end()
        raise
    return ran


def _folder() -> Path:
    """Make a folder below the working folder, named from there: a socket's path has room for 107 bytes."""
    return Path(os.path.relpath(tempfile.mkdtemp(prefix=".kernel-", dir=".")))


async def _run(executor: Any, cell: Any, index: int, number: int) -> None:
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from nbconvert.filters import strip_ansi

    try:
        await executor.async_execute_cell(cell, index, store_history=False)
    except CellTimeoutError:
        raise CellFailed(number, "Timeout", "") from None
    except (CellExecutionError, DeadKernelError) as error:
        trace = str(strip_ansi(str(error)))  # type: ignore[no-untyped-call]
        raise CellFailed(number, getattr(error, "ename", type(error).__name__), trace) from None


async def exported(
    node: Any,
    package: str,
    template: str,
    *,
    filters: Mapping[str, Callable[[Any], str]],
    context: Mapping[str, Any] | None = None,
) -> str:
    """Return the notebook as a page.

    Parameters
    ----------
    package
        Whose folder ``template`` holds the template.
    filters
        What the template calls, by name.
    context
        What the template may name besides.
    """
    from traitlets.config import Config
    from voila.exporter import VoilaExporter

    with as_file(files(package).joinpath("template")) as folder:
        exporter = VoilaExporter(
            template_paths=[str(folder)], template_file=template, config=Config(), contents_manager=_NoFiles(),
            exclude_anchor_links=True,
        )  # fmt: skip
        for name, called in filters.items():
            exporter.register_filter(name, called)
        pieces = [
            piece
            async for piece, _ in exporter.generate_from_notebook_node(
                node, resources={"metadata": {"name": ""}}, extra_context=dict(context or {})
            )
        ]
    return "".join(pieces).strip()


class _NoFiles:
    """Voilà inlines images that Markdown names from the server's folder; a published page has none."""

    def file_exists(self, path: str) -> bool:
        return False
