"""A file comes in: straight from the socket to the disk, counted as it comes, visible only once it is whole.

Multipart (a browser's form, its first file part) or a raw body with its name in ``X-File-Name`` (percent-encoded UTF-8;
never in the URL, which proxies log). python-multipart parses the stream without keeping it; FastAPI's own form would first
spool it.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote
from uuid import uuid4

import anyio.to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from datapilot_kernel.errors import BadInput
from hub_config.data_sources.storage import TenantStorage, Upload, disk_problems, safe_name
from hub_config.errors import TooLarge

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_BLOCK = 1024 * 1024
_LONGEST_HEADER_NAME = 1000


class Receiver:
    """Takes one upload in. Not thread-safe: one request.

    Parameters
    ----------
    limit_bytes
        Of one file.
    quota_bytes
        Of everything the tenant keeps.
    """

    def __init__(self, storage: TenantStorage, user_id: str, *, limit_bytes: int, quota_bytes: int) -> None:
        self._storage = storage
        self._user_id = user_id
        self._limit_bytes = limit_bytes
        self._quota_bytes = quota_bytes
        self._id = uuid4().hex
        self._name: str | None = None
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._size = 0
        self._reserved = 0
        self._waiting = bytearray()

    async def receive(
        self, stream: AsyncIterator[bytes], *, content_type: str, file_name: str | None, content_length: int | None
    ) -> Upload:
        """Take the body in; return the upload.

        Raises
        ------
        TooLarge
            The file, or everything the tenant keeps, is beyond its limit.
        BadInput
            There is no file in it, or it is of a kind that cannot be read.
        PlatformUnavailable
            The disk is full.
        """
        if content_length is not None and content_length > self._limit_bytes + _BLOCK:
            raise TooLarge("data_sources.file_too_large", limit=self._limit_shown())
        whole = False
        try:
            feed, end = self._parser(content_type, file_name)
            async for chunk in stream:
                feed(chunk)
                if len(self._waiting) >= _BLOCK:
                    await anyio.to_thread.run_sync(self._write)
            end()
            upload = await anyio.to_thread.run_sync(self._finish)
            whole = True
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(partial(self._leave, whole))
        return upload

    def _parser(self, content_type: str, file_name: str | None) -> tuple[Callable[[bytes], object], Callable[[], None]]:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data":
            if not file_name or len(file_name) > _LONGEST_HEADER_NAME:
                raise BadInput("data_sources.file_name_missing")
            self._name = safe_name(unquote(file_name))
            return self._waiting.extend, lambda: None
        parts = _Parts(self._part_begins, self._waiting.extend)
        parser = MultipartParser(options.get(b"boundary", b""), parts.callbacks())

        def feed(chunk: bytes) -> None:
            try:
                parser.write(chunk)
            except FormParserError:
                raise BadInput("data_sources.bad_form") from None

        def end() -> None:
            if not parts.ended:
                raise BadInput("data_sources.bad_form")

        return feed, end

    def _part_begins(self, file_name: str) -> None:
        self._name = safe_name(file_name)

    def _write(self) -> None:
        block = bytes(self._waiting)
        self._waiting.clear()
        self._size += len(block)
        if self._size > self._limit_bytes:
            raise TooLarge("data_sources.file_too_large", limit=self._limit_shown())
        self._storage.reserve(len(block), self._quota_bytes)
        self._reserved += len(block)
        self._hash.update(block)
        with disk_problems():
            if self._file is None:
                self._file = (self._folder() / (self._name or "file")).open("wb")
            self._file.write(block)

    def _folder(self) -> Path:
        folder = self._storage.part(self._id) / "files"
        folder.mkdir(mode=0o700)
        return folder

    def _finish(self) -> Upload:
        if self._name is None:
            raise BadInput("data_sources.no_file")
        self._write()
        assert self._file is not None
        if self._size == 0:
            raise BadInput("data_sources.file_empty", file=self._name)
        with disk_problems():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            upload = Upload(self._id, self._name, self._size, self._hash.hexdigest(), self._user_id, time.time())
            self._storage.finish(upload)
        return upload

    def _leave(self, whole: bool) -> None:
        try:
            if self._file is not None:
                with disk_problems():
                    self._file.close()
        finally:
            if not whole:
                self._storage.give_up(self._id)
            self._storage.release(self._reserved)

    def _limit_shown(self) -> str:
        return f"{self._limit_bytes // (1024 * 1024)} Mio"


class _Parts:
    """Finds the first file part of a form; other parts are passed over."""

    def __init__(self, begins: Callable[[str], None], data: Callable[[bytes], object]) -> None:
        self._begins = begins
        self._data = data
        self._field = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._found = False
        self._inside = False
        self.ended = False

    def callbacks(self) -> MultipartCallbacks:
        """Return what python-multipart calls."""
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def _on_part_begin(self) -> None:
        self._headers = {}

    def _on_header_end(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"filename")
        if name is not None and not self._found:
            self._found = self._inside = True
            self._begins(name.decode("utf-8", errors="replace"))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            self._data(data[start:end])

    def _on_part_end(self) -> None:
        self._inside = False

    def _on_end(self) -> None:
        self.ended = True
