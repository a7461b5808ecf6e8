"""Pieces from a query's thread to the client, at the client's pace; a client that goes away is heard of at once.

The thread waits when the client is slow; the event loop never does, and no other thread is held. A stream that broke after
its beginning is cut without its end: a status can no longer be sent, and every reader of these formats notices.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Send

from datapilot_kernel.errors import Cancelled
from hub_config.operations.streaming import StreamedWhileHeard

_AHEAD = 8


class Pipe:
    """Pieces from one thread to one event loop; the thread waits when the client is slow, and holds no other."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ready = asyncio.Event()
        self._room = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._ended: BaseException | bool = False
        self._left = False

    def put(self, piece: bytes) -> None:
        """Hand a piece on; raises Cancelled when nobody wants it any more."""
        with self._room:
            while len(self._pieces) >= _AHEAD and not self._left:
                self._room.wait()
            if self._left:
                raise Cancelled
            self._pieces.append(piece)
        self._wake()

    def end(self, error: BaseException | None = None) -> None:
        """Say that this was all, or why there is no more."""
        with self._room:
            self._ended = error if error is not None else True
        self._wake()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:
            # The loop is closed: nobody reads any more.
            self.leave()

    def leave(self) -> None:
        """The client has gone: whoever puts is told."""
        with self._room:
            self._left = True
            self._room.notify_all()

    async def get(self) -> bytes | None:
        """Return the next piece; None: that was all. Raises what ended it."""
        while True:
            self._ready.clear()
            with self._room:
                if self._pieces:
                    piece = self._pieces.popleft()
                    self._room.notify_all()
                    return piece
                ended = self._ended
            if isinstance(ended, BaseException):
                raise ended
            if ended:
                return None
            await self._ready.wait()


class Frame:
    """A frame on its way."""

    def __init__(self, pipe: Pipe, cancel: Callable[[], None]) -> None:
        self.pipe = pipe
        self._cancel = cancel

    def stop(self) -> None:
        """Nobody wants it any more."""
        self._cancel()
        self.pipe.leave()

    async def response(self, media_type: str, headers: dict[str, str]) -> Response:
        """Wait for the first piece (what fails before it is an answer of its own), then return the stream."""
        try:
            first = await self.pipe.get()
        except BaseException:
            self.stop()
            raise
        return _Streamed(self, first or b"", media_type, headers)


class _Streamed(StreamedWhileHeard):
    def __init__(self, frame: Frame, first: bytes, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(headers=headers, media_type=media_type)
        self._frame, self._first = frame, first

    def stop(self) -> None:
        """Stop the statement."""
        self._frame.stop()

    async def send_pieces(self, send: Send) -> None:
        """Send what is read, as it is read."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self._first, "more_body": True})
        while (piece := await self._frame.pipe.get()) is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
