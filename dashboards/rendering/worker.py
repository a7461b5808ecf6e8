"""The process of one rendering: tell the hub that it lives, fetch the job, run it, hand in the page, end."""

from __future__ import annotations

import asyncio
import logging

import httpx

from dashboards.hub import answering
from dashboards.notebooks import CellFailed
from dashboards.rendering.api import GrantClient
from dashboards.rendering.execution import render

log = logging.getLogger("dashboards.rendering")


def main() -> int:
    """Return the exit code: 0 handed in (a page, or the author's error), 3 a fault of ours."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return asyncio.run(_main())


async def _main() -> int:
    async with answering():
        client = GrantClient()
        try:
            return await _work(client)
        finally:
            client.close()


async def _work(client: GrantClient) -> int:
    loop = asyncio.get_running_loop()
    try:
        job = await asyncio.to_thread(client.job)

        def told(done: int, of: int) -> None:
            loop.run_in_executor(None, _quietly, client, done, of)

        try:
            page = await render(job["notebook"], on_cell=told, cell_timeout_s=job["cell_timeout_s"])
        except CellFailed as failed:
            log.info("cell %s failed: %s", failed.index, failed.name)
            await asyncio.to_thread(client.failed, failed.index, failed.name, failed.trace)
            return 0
        await asyncio.to_thread(client.finished, page.markup, page.tiles)
        return 0
    except Exception as error:  # noqa: BLE001 -- the process's edge: the API is told what it is told, the log has the class
        log.error("rendering failed: %s", type(error).__name__)
        if not isinstance(error, httpx.HTTPError):
            await asyncio.to_thread(_give_up, client, type(error).__name__)
        return 3


def _quietly(client: GrantClient, done: int, of: int) -> None:
    try:
        client.progress(done, of)
    except httpx.HTTPError as error:
        log.warning("progress not told: %s", type(error).__name__)


def _give_up(client: GrantClient, name: str) -> None:
    try:
        client.failed(None, name, "")
    except httpx.HTTPError as error:
        log.warning("failure not told: %s", type(error).__name__)
