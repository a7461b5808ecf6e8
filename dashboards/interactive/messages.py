"""What may be said between a viewer's page and the kernel: an allow-list, and a message as it travels.

Both ends use it: the API before anything is handed on (it trusts neither the page nor the process), the process before
anything reaches the kernel. From the page come what widgets need and nothing else: messages of comms, on the shell channel;
no code, no completion, no inspection, no answer to a prompt, no debugger, no interrupt, no shutdown. A comm can be opened
by the page for one target alone, by which the widgets' script asks for the state of what is there.

A message is written anew from the fields that are known; whatever else it held is gone. Towards the kernel its sender is the
process's own session: a signature, an identity or a parent that the page made up goes nowhere.

On the wire between browser and API a message is what JupyterLab's own script writes: JSON, or with buffers a binary frame
(:func:`read_frame`). In JSON a frame is ``{"b64": …}`` (:func:`entry_of`).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

MOST_FROM_VIEWER_BYTES = 40_000
"""One message of the page: a form's field holds no more."""
MOST_TO_VIEWER_BYTES = 8_000_000
COMM_TARGET = "jupyter.widget.control"

_FROM_VIEWER: dict[str, tuple[str, ...]] = {
    "comm_open": ("comm_id", "target_name", "data"),
    "comm_msg": ("comm_id", "data"),
    "comm_close": ("comm_id", "data"),
    "comm_info_request": ("target_name",),
    "kernel_info_request": (),
}
TO_VIEWER: dict[str, frozenset[str]] = {
    "shell": frozenset({"comm_info_reply", "kernel_info_reply"}),
    "iopub": frozenset(
        {"comm_open", "comm_msg", "comm_close", "status", "stream", "display_data", "update_display_data",
         "execute_result", "clear_output", "error"}
    ),
}  # fmt: skip
_ID = re.compile(r"[A-Za-z0-9_\-.]{1,128}")
_MOST_BUFFERS = 64


class Refused(Exception):
    """A message that may not pass. The text is a word for the log, never what was sent."""


@dataclass(frozen=True)
class Message:
    """A message that may pass."""

    channel: str
    kind: str
    id: str
    session: str
    content: Mapping[str, Any] = field(repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    parent: Mapping[str, Any] = field(default_factory=dict, repr=False)
    buffers: tuple[bytes, ...] = field(default=(), repr=False)

    def frame(self) -> str | bytes:
        """Return it as JupyterLab's script reads and writes it."""
        header = {"msg_id": self.id, "msg_type": self.kind, "session": self.session, "username": "", "version": "5.3"}
        body = {
            "header": header, "parent_header": dict(self.parent), "metadata": dict(self.metadata),
            "content": dict(self.content), "channel": self.channel,
        }  # fmt: skip
        text = json.dumps(body, ensure_ascii=False, default=str)
        return text if not self.buffers else _packed(text, self.buffers)


def from_viewer(frame: str | bytes) -> Message:
    """Return what the page said, if it may.

    Raises
    ------
    Refused
        It may not.

    >>> header = {"msg_id": "1", "session": "s", "msg_type": "execute_request"}
    >>> from_viewer(json.dumps({"header": header, "channel": "shell", "content": {}}))
    Traceback (most recent call last):
    dashboards.interactive.messages.Refused: kind
    """
    if len(frame if isinstance(frame, bytes) else frame.encode("utf-8", "replace")) > MOST_FROM_VIEWER_BYTES:
        raise Refused("size")
    body, buffers = read_frame(frame)
    found = _message(body, buffers)
    if found.channel != "shell":
        raise Refused("channel")
    fields = _FROM_VIEWER.get(found.kind)
    if fields is None:
        raise Refused("kind")
    if found.buffers and found.kind not in ("comm_msg", "comm_open"):
        raise Refused("buffers")
    content = {name: found.content[name] for name in fields if name in found.content}
    if "comm_id" in fields and not _is_id(content.get("comm_id")):
        raise Refused("comm")
    if "data" in content and not isinstance(content["data"], dict):
        raise Refused("data")
    if found.kind == "comm_open" and content.get("target_name") != COMM_TARGET:
        raise Refused("target")
    if found.kind == "comm_info_request" and content.get("target_name") not in (None, "jupyter.widget"):
        raise Refused("target")
    version = found.metadata.get("version")
    metadata = {"version": version} if isinstance(version, str) and len(version) < 20 else {}
    return Message("shell", found.kind, found.id, found.session, content, metadata, {}, found.buffers)


def to_viewer(frame: str | bytes, *, author: bool) -> Message:
    """Return what the kernel said, as its viewer may see it: whoever is no author sees no traceback.

    Raises
    ------
    Refused
        Nothing of it is for a page.
    """
    if len(frame) > MOST_TO_VIEWER_BYTES:
        raise Refused("size")
    body, buffers = read_frame(frame)
    found = _message(body, buffers)
    if found.kind not in TO_VIEWER.get(found.channel, ()):
        raise Refused("kind")
    content = dict(found.content)
    if not author:
        if found.kind == "error":
            content = {"ename": "", "evalue": "", "traceback": []}
        elif found.kind == "stream" and content.get("name") == "stderr":
            raise Refused("stderr")
        elif found.kind == "kernel_info_reply":
            content.pop("banner", None)
    parent = {name: found.parent[name] for name in ("msg_id", "msg_type", "session") if name in found.parent}
    return Message(found.channel, found.kind, found.id, found.session, content, found.metadata, parent, found.buffers)


def _message(body: Any, buffers: tuple[bytes, ...]) -> Message:
    if not isinstance(body, dict):
        raise Refused("shape")
    header, content = body.get("header"), body.get("content")
    metadata, parent = body.get("metadata") or {}, body.get("parent_header") or {}
    if not all(isinstance(part, dict) for part in (header, content, metadata, parent)):
        raise Refused("shape")
    assert isinstance(header, dict)
    assert isinstance(content, dict)
    kind, channel = header.get("msg_type"), body.get("channel")
    if not isinstance(kind, str) or not isinstance(channel, str):
        raise Refused("shape")
    if not _is_id(header.get("msg_id")) or not _is_id(header.get("session")):
        raise Refused("id")
    return Message(channel, kind, header["msg_id"], header["session"], content, metadata, parent, buffers)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


# ── frames ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_frame(frame: str | bytes) -> tuple[Any, tuple[bytes, ...]]:
    """Return a frame's JSON and its buffers. Raises Refused: it is none.

    >>> read_frame(_packed('{"a": 1}', (b"xy", b"")))
    ({'a': 1}, (b'xy', b''))
    """
    buffers: tuple[bytes, ...] = ()
    text: str | bytes = frame
    if isinstance(frame, bytes):
        parts = _unpacked(frame)
        text, buffers = parts[0], parts[1:]
    try:
        return json.loads(text), buffers
    except (ValueError, RecursionError):
        raise Refused("shape") from None


def _packed(text: str, buffers: tuple[bytes, ...]) -> bytes:
    """How many parts there are, where each begins (four bytes each, the first first), then the parts: JSON, buffers."""
    parts = [text.encode("utf-8", "replace"), *buffers]
    offsets, at = [], 4 * (len(parts) + 1)
    for part in parts:
        offsets.append(at)
        at += len(part)
    return struct.pack(f"!{len(parts) + 1}I", len(parts), *offsets) + b"".join(parts)


def _unpacked(frame: bytes) -> tuple[bytes, ...]:
    try:
        (count,) = struct.unpack_from("!I", frame)
        if not 1 <= count <= _MOST_BUFFERS:
            raise Refused("shape")
        offsets = [*struct.unpack_from(f"!{count}I", frame, 4), len(frame)]
    except struct.error:
        raise Refused("shape") from None
    if offsets[0] < 4 * (count + 1) or offsets != sorted(offsets):
        raise Refused("shape")
    return tuple(frame[first:last] for first, last in pairwise(offsets))


def entry_of(frame: str | bytes) -> Any:
    """Return a frame as it stands in JSON.

    >>> entry_of("{}"), entry_of(b"ab")
    ('{}', {'b64': 'YWI='})
    """
    return frame if isinstance(frame, str) else {"b64": base64.b64encode(frame).decode()}


def frame_of(entry: Any) -> str | bytes:
    """Return the frame of such an entry. Raises Refused: it is none."""
    if isinstance(entry, str):
        return entry
    if isinstance(entry, dict) and set(entry) == {"b64"} and isinstance(entry["b64"], str):
        try:
            return base64.b64decode(entry["b64"], validate=True)
        except (binascii.Error, ValueError):
            raise Refused("shape") from None
    raise Refused("shape")
