"""The calls that pass, as a table: method, path, query. Whatever is not here is refused.

A path is compared as it came over the wire, undecoded: no percent sign, no double slash, no dot segment matches. What is
sent to the engine is built anew from the matched parts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Handler = Literal[
    "plain",
    "image",
    "containers",
    "create_container",
    "container",
    "service_or_container",
    "networks",
    "create_network",
    "network",
    "attach",
    "detach",
    "volumes",
    "create_volume",
    "volume",
    "disk",
]
_ID = r"(?P<id>[A-Za-z0-9][A-Za-z0-9_.-]{0,127})"
_IMAGE = r"(?P<id>[a-z0-9][A-Za-z0-9_.:@-]{0,127}(?:/[a-z0-9][A-Za-z0-9_.:@-]{0,127}){0,4})"
_YES_NO = r"0|1|true|false|True|False"
_NO = r"0|false|False"
_LISTED = {"all": _YES_NO, "size": _NO, "trunc_cmd": _NO, "limit": "-1", "filters": ".{0,2000}"}
_LOGGED = {"stdout": _YES_NO, "stderr": _YES_NO, "timestamps": _YES_NO, "follow": _NO, "tail": r"[1-9][0-9]{0,2}"}


@dataclass(frozen=True)
class Call:
    """One call that passes.

    Attributes
    ----------
    path
        A pattern, after the version.
    query
        Of each parameter that may be there, a pattern of its value.
    sends
        The engine's path; None: as it came in. ``{id}`` becomes the engine's own full id.
    """

    method: str
    path: str
    handler: Handler
    query: Mapping[str, str] = field(default_factory=dict)

    def matches(self, method: str, path: str) -> re.Match[str] | None:
        """Return the match of a call; None: it is another."""
        return re.fullmatch(self.path, path) if method == self.method else None


CALLS = (
    Call("GET", r"/_ping", "plain"),
    Call("GET", r"/version", "plain"),
    Call("GET", rf"/images/{_IMAGE}/json", "image"),
    Call("GET", r"/containers/json", "containers", _LISTED),
    Call("POST", r"/containers/create", "create_container", {"name": r"[a-z0-9][a-z0-9-]{0,62}"}),
    Call("GET", rf"/containers/{_ID}/json", "container"),
    Call("POST", rf"/containers/{_ID}/start", "container"),
    Call("POST", rf"/containers/{_ID}/stop", "container", {"t": r"[0-9]{1,2}"}),
    Call("POST", rf"/containers/{_ID}/kill", "container", {"signal": "SIGKILL|SIGTERM|SIGINT"}),
    Call("DELETE", rf"/containers/{_ID}", "container", {"v": _YES_NO, "force": _YES_NO, "link": _NO}),
    Call("GET", rf"/containers/{_ID}/logs", "container", _LOGGED),
    Call("GET", r"/networks", "networks", {"filters": ".{0,2000}"}),
    Call("POST", r"/networks/create", "create_network"),
    Call("GET", rf"/networks/{_ID}", "network"),
    Call("DELETE", rf"/networks/{_ID}", "network"),
    Call("POST", rf"/networks/{_ID}/connect", "attach"),
    Call("POST", rf"/networks/{_ID}/disconnect", "detach"),
    Call("GET", r"/volumes", "volumes", {"filters": ".{0,2000}"}),
    Call("POST", r"/volumes/create", "create_volume"),
    Call("GET", rf"/volumes/{_ID}", "volume"),
    Call("DELETE", rf"/volumes/{_ID}", "volume", {"force": _NO}),
    Call("GET", r"/system/df", "disk"),
)  # fmt: skip

_VERSIONED = re.compile(r"(?P<version>/v1\.[0-9]{2})?(?P<rest>/.*)")


def find(method: str, raw_path: str) -> tuple[Call, re.Match[str], str] | None:
    """Return the call, its match and the version as it came in (``/v1.41`` or empty); None: there is no such call.

    >>> find("POST", "/v1.41/containers/dp-a-b/start")[0].handler
    'container'
    >>> find("POST", "/v1.41/containers/dp-a-b/exec") is None
    True
    >>> find("POST", "/v1.41//containers/create") is None
    True
    """
    versioned = _VERSIONED.fullmatch(raw_path)
    if versioned is None:
        return None
    for call in CALLS:
        found = call.matches(method, versioned["rest"])
        if found is not None:
            return call, found, versioned["version"] or ""
    return None
