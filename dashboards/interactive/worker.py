"""The process: tell the hub that it lives, fetch the notebook, run it, hand in the page; then carry messages.

It is over when the API no longer takes the grant (the page was closed, rights went, the API was started anew), or does not
answer for :data:`_AWAY_S`. Nothing but the API is ever asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from dashboards.hub import answering
from dashboards.interactive import files
from dashboards.interactive.messages import (
    MOST_TO_VIEWER_BYTES,
    Message,
    Refused,
    entry_of,
    frame_of,
    from_viewer,
    to_viewer,
)
from dashboards.interactive.page import Opened, opened
from dashboards.notebooks import CellFailed
from dashboards.rendering.api import GRANT_VARIABLE, ROUTES_VARIABLE, URL_VARIABLE

log = logging.getLogger("dashboards.interactive")
_AWAY_S = 30.0
_ACTIVITY_S = 240.0
_LOOK_S = 3.0
_AT_ONCE = 200
ROUTES = "interactive"


def main() -> int:
    """Return the exit code: 0 over, 3 a fault of ours."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    os.environ[ROUTES_VARIABLE] = ROUTES  # for the kernel's %tile
    try:
        return asyncio.run(_main())
    except KeyboardInterrupt:
        return 0  # the hub's way of ending it


async def _main() -> int:
    async with answering(), _api() as api:
        return await _work(api)


@asynccontextmanager
async def _api() -> AsyncIterator[httpx.AsyncClient]:
    base = f"{os.environ[URL_VARIABLE].rstrip('/')}/api/v1/{ROUTES}"
    headers = {"Authorization": f"Bearer {os.environ[GRANT_VARIABLE]}", "User-Agent": "datapilot-interactive"}
    async with httpx.AsyncClient(
        base_url=base, headers=headers, timeout=httpx.Timeout(60.0, connect=5.0), trust_env=False
    ) as client:
        yield client


async def _work(api: httpx.AsyncClient) -> int:
    tasks: set[asyncio.Task[Any]] = set()

    def told(done: int, of: int) -> None:
        task = asyncio.ensure_future(_quietly(api, "/progress", {"done": done, "of": of}))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    try:
        job = (await api.get("/job")).raise_for_status().json()
        kernel_id = str(uuid.uuid4())
        try:
            page = await opened(
                job["notebook"], kernel_id=kernel_id, assets=job["assets"], language=job["language"], on_cell=told,
                cell_timeout_s=job["cell_timeout_s"],
            )  # fmt: skip
        except CellFailed as failed:
            log.info("cell %s failed: %s", failed.index, failed.name)
            await _quietly(api, "/failure", {"cell": failed.index, "name": failed.name[:200], "trace": failed.trace[-8000:]})
            return 0
        try:
            (await api.post("/page", json={"markup": page.markup})).raise_for_status()
            await _Channel(api, page).run()
        finally:
            await page.ran.end()
    except httpx.HTTPError as error:
        log.info("over: %s", type(error).__name__)
        return 0
    except Exception as error:  # noqa: BLE001 -- the process's edge: the API is told what it is told, the log has the class
        log.error("interactive dashboard failed: %s", type(error).__name__)
        await _quietly(api, "/failure", {"cell": None, "name": type(error).__name__, "trace": ""})
        return 3
    return 0


class _Channel:
    """What goes to and fro once the page is there. Whatever ends first ends all."""

    def __init__(self, api: httpx.AsyncClient, page: Opened) -> None:
        self._api, self._page = api, page
        self._out: asyncio.Queue[Message] = asyncio.Queue(maxsize=2000)
        self._files: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        kernel = self._page.ran.client
        parts = [
            self._pull(),
            self._push(),
            self._listen("iopub", kernel.get_iopub_msg),
            self._listen("shell", kernel.get_shell_msg),
            self._watch(),
            _tell_the_hub(),
        ]
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (*tasks, *self._files):
                task.cancel()
            await asyncio.gather(*tasks, *self._files, return_exceptions=True)

    async def _pull(self) -> None:
        """Fetch what is for us: messages for the kernel, names of files."""
        after, away_since = 0, None
        while True:
            try:
                answer = await self._api.get("/orders", params={"after": after})
                if answer.status_code in (401, 403, 404):
                    return
                answer.raise_for_status()
                found = answer.json()
            except (httpx.HTTPError, ValueError):
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > _AWAY_S:
                    return
                await asyncio.sleep(1.0)
                continue
            away_since, after = None, int(found["next"])
            for order in found["orders"]:
                self._do(order)

    def _do(self, order: dict[str, Any]) -> None:
        if "file" in order:
            task = asyncio.ensure_future(self._file(str(order["id"]), str(order["file"])))
            self._files.add(task)
            task.add_done_callback(self._files.discard)
            return
        try:
            said = from_viewer(frame_of(order["message"]))
        except Refused as why:
            log.warning("a message of the page was not handed on: %s", why)
            return
        session = self._page.ran.client.session
        message = session.msg(said.kind, content=dict(said.content), metadata=dict(said.metadata))
        # The page finds its answers by these two; who sends, and that it may, is this process's own signature.
        message["header"] |= {"msg_id": said.id, "session": said.session}
        message["msg_id"] = said.id
        message["buffers"] = list(said.buffers)
        self._page.ran.client.shell_channel.send(message)

    async def _file(self, order_id: str, name: str) -> None:
        found = await asyncio.to_thread(files.read, name)
        status = "none" if found is None else "found"
        with contextlib.suppress(httpx.HTTPError):
            await self._api.post(f"/files/{order_id}", params={"status": status}, content=found or b"")

    async def _listen(self, channel: str, receive: Any) -> None:
        while True:
            raw = await receive(timeout=None)
            header, parent = raw["header"], raw.get("parent_header") or {}
            try:
                said = Message(
                    channel, header["msg_type"], header["msg_id"], header["session"], raw["content"],
                    raw.get("metadata") or {}, parent, tuple(bytes(part) for part in raw.get("buffers") or ()),
                )  # fmt: skip
                await self._out.put(to_viewer(said.frame(), author=True))  # the API takes out what is the author's alone
            except (Refused, KeyError):
                continue

    async def _push(self) -> None:
        while True:
            entries = [entry_of((await self._out.get()).frame())]
            size = _size(entries[0])
            while not self._out.empty() and len(entries) < _AT_ONCE and size < MOST_TO_VIEWER_BYTES // 4:
                entries.append(entry_of(self._out.get_nowait().frame()))
                size += _size(entries[-1])
            answer = await self._api.post("/messages", json={"entries": entries})
            if answer.status_code in (401, 403, 404):
                return
            answer.raise_for_status()

    async def _watch(self) -> None:
        while await self._page.ran.manager.is_alive():  # noqa: ASYNC110 -- a process's end is not an event of this loop
            await asyncio.sleep(_LOOK_S)
        await _quietly(self._api, "/failure", {"cell": None, "name": "DeadKernel", "trace": ""})


def _size(entry: Any) -> int:
    return len(entry if isinstance(entry, str) else entry["b64"])


async def _tell_the_hub() -> None:
    """Say at the hub that somebody works here: its culler counts requests that pass its proxy, and none does."""
    url, token = os.environ.get("JUPYTERHUB_ACTIVITY_URL"), os.environ.get("JUPYTERHUB_API_TOKEN")
    while True:
        await asyncio.sleep(_ACTIVITY_S)
        if not url or not token:
            continue
        now = datetime.now(UTC).isoformat()
        body = {"last_activity": now, "servers": {"": {"last_activity": now}}}
        with contextlib.suppress(httpx.HTTPError):
            async with httpx.AsyncClient(trust_env=False, timeout=10) as hub:
                await hub.post(url, json=body, headers={"Authorization": f"token {token}"})


async def _quietly(api: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    try:
        await api.post(path, json=body)
    except httpx.HTTPError as error:
        log.warning("not told: %s", type(error).__name__)
