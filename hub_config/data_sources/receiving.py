"""A file comes in: straight from the socket to the disk, counted as it comes, visible only once it is whole.

Multipart (a browser's form, its first file part) or a raw body with its name in ``X-File-Name`` (percent-encoded UTF-8;
never in the URL, which proxies log). python-multipart parses the stream without keeping it; FastAPI's own form would first
spool it.

:class:`FormReceiver` takes the form of a page in: some short fields, then several files. The fields come first and are
judged (a page's token stands in them) before the first byte of a file touches the disk.
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
from datapilot_kernel.messages import text
from hub_config.data_sources.storage import TenantStorage, Upload, disk_problems, safe_name
from hub_config.errors import TooLarge

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_BLOCK = 1024 * 1024
_LONGEST_HEADER_NAME = 1000
_LONGEST_HEADER = 8 * 1024
_LONGEST_FIELD = 16 * 1024
_MOST_FIELDS = 20

Sink = Callable[[bytes], object]
"""What takes a part's bytes."""


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

        def begins(field: str, file_name: str | None) -> Sink | None:
            if file_name is None or self._name is not None:
                return None  # only the first file; whatever else there is is passed over
            return self.begin(file_name)

        parts = _Parts(options.get(b"boundary", b""), begins)
        return parts.feed, parts.end

    def begin(self, file_name: str) -> Sink:
        """Take a file's name; return what its bytes are given to. Raises BadInput for a kind that cannot be read."""
        self._name = safe_name(file_name)
        return self._waiting.extend

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


class FormReceiver:
    """Takes a page's form with several files in. Not thread-safe: one request.

    A file that is of no use (another kind, empty) is refused by itself, with its sentence; the others come in. A body beyond
    the limit, or a tenant without room, ends it all, and nothing of it stays.

    Parameters
    ----------
    limit_bytes
        Of the whole form: what the proxy before this service lets through at once.
    """

    def __init__(
        self, storage: TenantStorage, user_id: str, *, limit_bytes: int, quota_bytes: int, most_files: int = 50
    ) -> None:
        self._storage = storage
        self._user_id = user_id
        self._limit_bytes = limit_bytes
        self._quota_bytes = quota_bytes
        self._most_files = most_files
        self._fields: dict[str, bytearray] = {}
        self._admit: Callable[[dict[str, str]], None] | None = None
        self._coming: list[Receiver] = []
        self._ended: list[Receiver] = []
        self._uploads: list[Upload] = []
        self._refused: list[str] = []
        self._count = 0

    async def receive(
        self,
        stream: AsyncIterator[bytes],
        *,
        content_type: str,
        content_length: int | None,
        admit: Callable[[dict[str, str]], None],
    ) -> tuple[dict[str, str], list[Upload], list[str]]:
        """Take the body in; return its fields, the uploads, and the sentences of the files that were refused.

        Parameters
        ----------
        admit
            Looks at the fields before the first file, or at the end where there is none; raises to refuse it all.

        Raises
        ------
        TooLarge
            The form, or everything the tenant keeps, is beyond its limit.
        BadInput
            It is no form, or holds too many files.
        """
        if content_length is not None and content_length > self._limit_bytes + _BLOCK:
            raise self._too_large()
        self._admit = admit
        _, options = parse_options_header(content_type)
        parts = _Parts(options.get(b"boundary", b""), self._begins, self._ends)
        size, whole = 0, False
        try:
            async for chunk in stream:
                size += len(chunk)
                if size > self._limit_bytes + _BLOCK:
                    raise self._too_large()
                parts.feed(chunk)
                if self._ended or any(len(one._waiting) >= _BLOCK for one in self._coming):
                    await anyio.to_thread.run_sync(self._write)
            parts.end()
            self._admitted()
            await anyio.to_thread.run_sync(self._write)
            whole = True
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(partial(self._leave, whole))
        return self._said(), self._uploads, self._refused

    def _too_large(self) -> TooLarge:
        return TooLarge("data_sources.form_too_large", limit=f"{self._limit_bytes // (1024 * 1024)} Mio")

    def _said(self) -> dict[str, str]:
        return {name: value.decode("utf-8", errors="replace").replace("\x00", "") for name, value in self._fields.items()}

    def _admitted(self) -> None:
        if self._admit is not None:
            admit, self._admit = self._admit, None
            admit(self._said())

    def _begins(self, field: str, file_name: str | None) -> Sink | None:
        if file_name is None:
            # What comes after the files was not judged with the rest.
            if self._admit is None or len(self._fields) >= _MOST_FIELDS:
                raise BadInput("data_sources.bad_form")
            value = self._fields.setdefault(field, bytearray())

            def take(data: bytes) -> None:
                value.extend(data)
                if len(value) > _LONGEST_FIELD:
                    raise BadInput("data_sources.bad_form")

            return take
        self._admitted()
        if not file_name:
            return None  # the field of a form in which nothing was chosen
        self._count += 1
        if self._count > self._most_files:
            raise BadInput("data_sources.too_many_files", count=self._most_files)
        receiver = Receiver(self._storage, self._user_id, limit_bytes=self._limit_bytes, quota_bytes=self._quota_bytes)
        try:
            sink = receiver.begin(file_name)
        except BadInput as refused:
            self._refuse(file_name, refused)
            return None
        self._coming.append(receiver)
        return sink

    def _ends(self) -> None:
        if self._coming and self._coming[-1] not in self._ended:
            self._ended.append(self._coming[-1])

    def _refuse(self, file_name: str, refused: BadInput) -> None:
        name = "".join(c for c in file_name.replace("\\", "/").rpartition("/")[2] if c.isprintable())[:120]
        self._refused.append(text("data_sources.file_refused", file=name, why=refused.message))

    def _write(self) -> None:
        for receiver in list(self._coming):
            if receiver not in self._ended:
                receiver._write()
                continue
            try:
                self._uploads.append(receiver._finish())
            except TooLarge:
                raise
            except BadInput as refused:
                self._refuse(receiver._name or "", refused)
                receiver._leave(whole=False)
            else:
                receiver._leave(whole=True)
            self._coming.remove(receiver)
            self._ended.remove(receiver)

    def _leave(self, whole: bool) -> None:
        for receiver in self._coming:
            receiver._leave(whole=False)
        if not whole:
            for upload in self._uploads:
                self._storage.forget_upload(upload.id)


class _Parts:
    """A form's parts, as they come: each begins with its names, and its bytes go where ``begins`` says (None: nowhere)."""

    def __init__(
        self, boundary: bytes, begins: Callable[[str, str | None], Sink | None], ends: Callable[[], None] = lambda: None
    ) -> None:
        self._begins = begins
        self._ends = ends
        self._field = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._sink: Sink | None = None
        self._ended = False
        try:
            self._parser = MultipartParser(boundary, self._callbacks())
        except FormParserError:
            raise BadInput("data_sources.bad_form") from None

    def feed(self, chunk: bytes) -> None:
        """Take some more of the body."""
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise BadInput("data_sources.bad_form") from None

    def end(self) -> None:
        """Raise BadInput unless the form came to its end."""
        if not self._ended:
            raise BadInput("data_sources.bad_form")

    def _callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": lambda data, start, end: self._header(self._field, data[start:end]),
            "on_header_value": lambda data, start, end: self._header(self._value, data[start:end]),
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def _header(self, kept: bytearray, data: bytes) -> None:
        kept.extend(data)
        if len(kept) > _LONGEST_HEADER:
            raise BadInput("data_sources.bad_form")

    def _on_header_end(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"filename")
        field = options.get(b"name", b"").decode("utf-8", errors="replace")
        self._sink = self._begins(field, None if name is None else name.decode("utf-8", errors="replace"))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._sink is not None:
            self._sink(data[start:end])

    def _on_part_end(self) -> None:
        if self._sink is not None:
            self._sink = None
            self._ends()

    def _on_end(self) -> None:
        self._ended = True
