"""A network between two processes that tests can cut, silence and open again: a TCP proxy on a port of its own."""

from __future__ import annotations

import contextlib
import socket
import threading

from tests.servers import free_port


class Road:
    """Carries connections to a port of this machine."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = free_port()
        self.silent = False
        self._ends: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self.open()

    def __enter__(self) -> Road:
        return self

    def __exit__(self, *problem: object) -> None:
        self.cut()

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        with self._lock:
            if self._listener is not None:
                # close() alone does not wake the thread that is in accept().
                with contextlib.suppress(OSError):
                    self._listener.shutdown(socket.SHUT_RDWR)
                self._listener.close()
                self._listener = None
            for end in self._ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            self._ends.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                if self._listener is not listener:  # cut between the two: this one came through no more
                    near.close()
                    return
                self._ends.append(near)
                if self.silent:
                    continue
                far = socket.create_connection(("127.0.0.1", self.target))
                self._ends.append(far)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    @staticmethod
    def _carry(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
