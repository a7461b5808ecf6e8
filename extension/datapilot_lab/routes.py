"""What of the API passes through, as data: every other request is refused here, before anything is sent.

A rule names a method, a pattern of the path below ``/api/v1`` and the query parameters that may come with it. The path is
matched whole and decoded; the patterns hold no character that has a meaning in a URL, so what is sent upstream cannot lead
anywhere else. A notebook's token opens nothing more at the API either; this list is the nearer of the two walls.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Method = Literal["GET", "POST", "PATCH", "DELETE"]

KIB, MIB = 1024, 1024 * 1024
_ID = r"[0-9a-f]{32}"
_PAGE = frozenset({"limit", "cursor"})


@dataclass(frozen=True)
class Rule:
    """One kind of request that passes.

    Attributes
    ----------
    most_bytes
        Of the body; 0: none may come.
    streamed
        The body is passed on as it comes in (files), never held whole.
    """

    method: Method
    path: str
    parameters: frozenset[str] = frozenset()
    most_bytes: int = 0
    streamed: bool = False

    def takes(self, method: str, path: str) -> bool:
        """Tell whether a request is of this kind."""
        return method == self.method and re.fullmatch(self.path, path, re.ASCII) is not None


RULES: tuple[Rule, ...] = (
    Rule("GET", "auth/me"),
    Rule("GET", "workspaces", _PAGE),
    # Questions, and what became of them.
    Rule("GET", f"ai/sources/{_ID}"),
    Rule("GET", "queries", _PAGE | {"q", "source_id", "outcome", "from", "to"}),
    Rule("GET", f"queries/{_ID}"),
    Rule("POST", f"queries/{_ID}/cancel"),
    Rule("POST", f"queries/{_ID}/feedback", most_bytes=512 * KIB),
    Rule("GET", f"queries/{_ID}/result", frozenset({"format", "offset", "limit", "full"})),
    Rule("GET", "conversations", _PAGE | {"source_id"}),
    Rule("GET", f"conversations/{_ID}"),
    Rule("PATCH", f"conversations/{_ID}", most_bytes=8 * KIB),
    Rule("DELETE", f"conversations/{_ID}"),
    # Sources and files. Connections and their secrets are managed on the API's own pages.
    Rule("GET", "data-sources", _PAGE),
    Rule("GET", f"data-sources/{_ID}"),
    Rule("GET", f"data-sources/{_ID}/catalog"),
    Rule("GET", f"data-sources/{_ID}/preview", frozenset({"table", "limit"})),
    Rule("POST", f"data-sources/{_ID}/refresh"),
    Rule("GET", f"data-sources/{_ID}/jobs/{_ID}"),
    Rule("GET", "semantic-layers/in-force", frozenset({"source_id"})),
    Rule("POST", "data-sources/upload", most_bytes=2048 * MIB, streamed=True),
    Rule("POST", f"data-sources/uploads/{_ID}/preview", most_bytes=4 * MIB),
    Rule("DELETE", f"data-sources/uploads/{_ID}"),
    Rule("POST", "data-sources/from-files", most_bytes=4 * MIB),
    Rule("POST", f"data-sources/{_ID}/files", most_bytes=4 * MIB),
    # Publishing is asked for here, and decided on the API's pages.
    Rule("POST", "dashboards/publication-requests", most_bytes=4 * MIB),
    Rule("GET", "dashboards/publication-requests/mine", _PAGE),
    Rule("GET", "dashboards/publishable", frozenset({"limit"})),
)


def rule_for(method: str, path: str) -> Rule | None:
    """Return what lets a request pass, None when nothing does.

    >>> rule_for("GET", "auth/me") is not None, rule_for("POST", "auth/login"), rule_for("GET", "queries/../users")
    (True, None, None)
    """
    return next((rule for rule in RULES if rule.takes(method, path)), None)
