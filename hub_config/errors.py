"""The platform's own errors, over the package's tree (:mod:`datapilot_kernel.errors`): each knows its HTTP status.

::

    BadInput                         422
    ├── SourceProblem                422  what was said of it, or is in it; 424 when it does not answer now: never ours
    ├── Unauthenticated              401
    ├── TooLarge                     413
    ├── Conflict                     409
    └── TooMany                      429  with Retry-After
    Refused                          403
    ├── Forbidden                    403
    └── NotFound                     404  always the same words: what is not yours does not exist
    Cancelled                        499
    Fault                            500
    PlatformUnavailable              503  the platform's own database or hub is away; with Retry-After
"""

from __future__ import annotations

from typing import Any, assert_never

from datapilot_kernel.errors import BadInput, Cancelled, DataPilotError, Fault, LayerProblem, Refused, SourceProblem


class Unauthenticated(BadInput):
    """No token, or one that is not, or no longer, good. Never says which."""

    def __init__(self, *, log: str | None = None) -> None:
        super().__init__("hub.unauthenticated", log=log)


class NotFound(Refused):
    """Not there, or not this tenant's, or not for this person: nobody can tell which."""

    def __init__(self, *, log: str | None = None) -> None:
        super().__init__("hub.not_found", log=log)


class Forbidden(Refused):
    """The person is known, and their role or their token's audience does not go there."""

    def __init__(self, key: str = "hub.forbidden", *, log: str | None = None, **values: Any) -> None:
        super().__init__(key, log=log, **values)


class Conflict(BadInput):
    """What is asked does not fit the present state (taken name, older revision, work in progress)."""


class TooLarge(BadInput):
    """A body, a file or a store beyond its limit."""


class TooMany(BadInput):
    """A limit of rate or a quota is reached.

    Parameters
    ----------
    retry_after_s
        Seconds after which it is worth trying again; None: not by waiting (a quota that someone must raise).
    """

    def __init__(self, key: str, /, *, retry_after_s: int | None = None, log: str | None = None, **values: Any) -> None:
        super().__init__(key, log=log, **values)
        self.retry_after_s = retry_after_s


class PlatformUnavailable(DataPilotError):
    """A part of the platform itself is away for the moment (its database, the hub)."""

    retry_after_s = 5

    def __init__(self, key: str = "hub.unavailable", *, log: str | None = None) -> None:
        super().__init__(key, log=log)


_AWAY = frozenset(
    {
        "unreachable",
        "connection_lost",
        "server_starting",
        "source_down",
        "too_many_connections",
        "timeout",
        "worker_lost",
        "busy",
    }
)
"""Reasons of a source that would answer at another moment: a failed dependency."""


def is_away(reason: str) -> bool:
    """Tell whether a failure's reason is a source that would answer at another moment.

    >>> is_away("unreachable"), is_away("fault")
    (True, False)
    """
    return reason in _AWAY


def status_of(error: DataPilotError) -> int:
    """Return the HTTP status of an error: whose fault it is decides.

    >>> status_of(NotFound())
    404
    """
    match error:
        case Unauthenticated():
            return 401
        case TooLarge():
            return 413
        case Conflict():
            return 409
        case TooMany():
            return 429
        case SourceProblem():
            return 424 if error.reason in _AWAY else 422
        case LayerProblem() | BadInput():
            return 422
        case NotFound():
            return 404
        case Refused():
            return 403
        case Cancelled():
            return 499
        case PlatformUnavailable():
            return 503
        case Fault():
            return 500
        case DataPilotError():
            return 500
        case _:
            assert_never(error)
