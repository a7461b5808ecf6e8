"""Requests parsed in C (``httptools``), with a bound on what is collected of one before it says anything.

uvicorn bounds heads only where h11 parses them, in Python, which costs a good part of a millisecond for each request.
httptools collects names and values of a head, or of what trails a body in chunks, for as long as they come. Here the bytes
are counted that came since the request last moved on (its head was complete, a piece of its body was there, it ended), and
a client that sends more than anybody needs is answered 400 and left.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 64 * 1024


class BoundedHead(HttpToolsProtocol):
    """The protocol of one connection."""

    _collected = 0
    _moved = False

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._moved = False
        super().data_received(data)
        # What shares its piece with something complete is forgiven: a piece is bounded by the socket's own reading.
        self._collected = 0 if self._moved else self._collected + len(data)
        if self._collected > LARGEST_HEAD and not self.transport.is_closing():
            self.logger.warning("the head of a request is too large")
            if self.cycle is None or self.cycle.response_complete:
                self.send_400_response("Invalid HTTP request received.")
            else:
                self.transport.close()

    def on_headers_complete(self) -> None:
        """Move on: the head was complete."""
        self._moved = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Move on: a piece of the body, which the application bounds."""
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Move on: the request ended."""
        self._moved = True
        super().on_message_complete()
