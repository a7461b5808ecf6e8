"""What goes to a model and what comes back, without a vendor's name: the seam between the engine and the adapter.

A request is the JSON that is sent (the Messages API's body); the recorder keeps exactly it, so a test can prove what left
the machine. :class:`Meter` is filled while a reply streams: whoever stops it still knows what was billed so far.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from datapilot_kernel.errors import DataPilotError
from datapilot_kernel.nl2sql.claude.cost import Usage
from datapilot_kernel.sources.model import CancelToken


@dataclass(frozen=True)
class ModelRequest:
    """One call.

    Attributes
    ----------
    system
        Texts in order, the stable first; a prompt cache breakpoint stands after each that is marked.
    messages
        The wire's own: ``{"role", "content"}``.
    """

    model: str
    system: tuple[tuple[str, bool], ...]
    tools: tuple[dict[str, Any], ...]
    messages: tuple[dict[str, Any], ...]
    max_tokens: int

    def body(self) -> dict[str, Any]:
        """Return what is sent."""
        system = [
            {"type": "text", "text": text, **({"cache_control": {"type": "ephemeral"}} if cached else {})}
            for text, cached in self.system
        ]
        return {
            "model": self.model,
            "max_tokens": self.max_tokens,
            "system": system,
            "tools": list(self.tools),
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            "messages": list(self.messages),
        }

    def key(self) -> str:
        """Return a digest of what is sent: the name of its recording."""
        canonical = json.dumps(self.body(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def estimated_tokens(self) -> int:
        """Return an estimate of the tokens of what is sent."""
        return estimate_tokens(json.dumps(self.body(), ensure_ascii=False))

    def most_tokens(self) -> int:
        """Return a number of tokens that what is sent does not exceed, for what is set aside before the call.

        Two characters a token where they are plain, a token for each byte but one where they are not (a Chinese character or
        an emoji is two or three), and the service's own words around tools.
        """
        written = json.dumps(self.body(), ensure_ascii=False)
        beyond = len(written.encode("utf-8", "replace")) - len(written)
        return (len(written) + 1) // 2 + beyond + 600


def estimate_tokens(text: str) -> int:
    """Estimate a text's tokens: French, JSON and SQL come to about three characters each.

    The service's own count is the truth, and what is billed; this one only keeps a prompt within its budget.

    >>> estimate_tokens("abcdef")
    2
    """
    return (len(text) + 2) // 3


@dataclass(frozen=True)
class ToolCall:
    """A tool the model called. ``arguments`` is None when they were no JSON object."""

    id: str
    name: str
    arguments: dict[str, Any] | None


@dataclass(frozen=True)
class ModelReply:
    """A whole reply. ``stop_reason`` is the wire's (``tool_use``, ``end_turn``, ``max_tokens``, ``refusal``…)."""

    text: str
    calls: tuple[ToolCall, ...]
    stop_reason: str
    usage: Usage
    first_token_ms: float | None = None
    total_ms: float = 0.0


@dataclass
class Meter:
    """The usage of a call while it runs."""

    usage: Usage = field(default_factory=Usage)


class ModelProblem(DataPilotError):
    """The model could not be had: not a fault of the question. ``str()`` is the one sentence that a person reads.

    ``kind`` is from a closed set, :attr:`KINDS`.
    """

    KINDS = (
        "not_configured", "not_installed", "bad_key", "no_credit", "no_model", "bad_request", "rate_limited",
        "overloaded", "down", "unreachable", "timeout", "cut", "not_recorded",
    )  # fmt: skip

    def __init__(self, kind: str, *, log: str | None = None) -> None:
        self.kind = kind
        super().__init__(f"claude.problem.{kind}", log=log)


class Model(Protocol):
    """Takes a request, gives a reply. Safe to call from many threads."""

    def send(self, request: ModelRequest, *, meter: Meter, deadline: float, cancel: CancelToken | None = None) -> ModelReply:
        """Send and wait for the whole reply.

        Parameters
        ----------
        meter
            Filled as usage is reported.
        deadline
            Of ``time.monotonic()``; nothing goes on after it.

        Raises
        ------
        ModelProblem
            It could not be had.
        Cancelled
            The token was cancelled; the stream is closed.
        """

    def warm(self) -> None:
        """Do what the first call would have to wait for; returns at once."""

    def close(self) -> None:
        """Give back connections. Safe twice."""
