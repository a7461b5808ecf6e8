"""An answer that is sent piece by piece while its client is listened to: whoever goes away stops what makes the pieces."""

from __future__ import annotations

from abc import ABC, abstractmethod

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class StreamedWhileHeard(Response, ABC):
    """Sends until it is done or the client is gone, and then, in either case, stops the source of the pieces.

    Starlette's own streaming hears of a client that left only when it next sends; a query may send nothing for minutes.
    """

    def __init__(self, *, headers: dict[str, str], media_type: str | None = None) -> None:
        super().__init__(headers=headers, media_type=media_type)
        del self.headers["content-length"]

    @abstractmethod
    async def send_pieces(self, send: Send) -> None:
        """Send the start, the pieces and the end."""

    @abstractmethod
    def stop(self) -> None:
        """Stop what makes the pieces; has no effect on what has ended. Called once, whatever happened."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        try:
            async with anyio.create_task_group() as both:

                async def listen() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    both.cancel_scope.cancel()

                both.start_soon(listen)
                await self.send_pieces(send)
                both.cancel_scope.cancel()
        finally:
            self.stop()
