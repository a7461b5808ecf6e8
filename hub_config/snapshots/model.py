"""What travels between snapshots and whoever shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from datapilot_kernel.messages import text

Failure = Literal[
    "source", "author", "timeout", "not_started", "lost", "fault", "quota", "needs_hub", "too_large", "too_many"
]
"""Why one could not be made. ``source``: a tile's source did not answer; ``author``: a cell of the notebook raised."""


@dataclass(frozen=True)
class Snapshot:
    """The last good page for one set of rights.

    Attributes
    ----------
    version
        The number of the version it is of: older than the one in force while nothing newer was made.
    made_at
        When its first figure was read: nothing on it is older.
    markup
        Cleaned; a tile's place is ``<section class="dp-tile" data-tile="ID">``.
    tiles
        The outcome of each tile as JSON (:meth:`hub_config.queries.Ended.to_json`), by its id; of a viewer's without SQL and
        plan. ``read_at`` in it: ISO 8601, when its rows were read.
    failed_at, failure
        The last try that failed since, and why (:data:`Failure`; :func:`why` in words); None: none did.
    making
        A newer one is queued or under way.
    content
        Of that version (``content_json``): titles, layout, filters.
    """

    dashboard_id: str
    version: int
    made_at: datetime
    markup: str = field(repr=False)
    tiles: Mapping[str, bytes] = field(repr=False)
    failed_at: datetime | None = None
    failure: str | None = None
    making: bool = False
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Progress:
    """How far the snapshots of the version in force are, for whoever edits the dashboard.

    Attributes
    ----------
    rights
        How many distinct rights there are to make one for; ``done`` of them have one of this version, ``queued`` and
        ``running`` are still to be made, the last try of ``failed`` went wrong.
    cells_done, cells
        Of one that runs; ``cells`` 0: not known, or none runs.
    made_at
        The oldest of those there are; None: none.
    failed_at, failure, cell
        The latest failure, and which cell of the notebook it was (from 0), if it was one.
    trace
        The author's error, only when it came about with exactly the rights of whoever asks: it may quote values.
    """

    version: int
    rights: int
    done: int
    queued: int
    running: int
    failed: int
    cells_done: int = 0
    cells: int = 0
    made_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str | None = None
    cell: int | None = None
    trace: str | None = field(default=None, repr=False)

    @property
    def busy(self) -> bool:
        """Whether something is still to come."""
        return self.queued + self.running > 0


def why(failure: str) -> str:
    """Return a failure's reason in words, without a value or a name of anybody's.

    >>> why("source")
    'une source de données n’a pas répondu'
    """
    return text(f"snapshots.why_{failure}")
