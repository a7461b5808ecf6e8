"""What the hub wants of a process it started: that its port answers. Nobody else has business there."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

log = logging.getLogger(__name__)
_LINGER_S = 2.0


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Answer whatever is asked with the same « alive » until the block ends, and a moment longer."""
    address = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", "http://127.0.0.1:8888"))
    port = 8888 if address.port is None else address.port
    async with await asyncio.start_server(_alive, address.hostname or "127.0.0.1", port):
        yield
        await asyncio.sleep(_LINGER_S)  # a start that ended before the hub looked is a failed start to it


async def _alive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
        log.debug("a connection that said nothing")
    finally:
        writer.close()
