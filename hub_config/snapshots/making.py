"""One page for one set of rights: through the hub and Voilà, or, where no hub is set, from the plans of its tiles alone.

The second road needs no kernel, and so makes no page of a notebook with code of its own: it says so. In both, figures are
asked of the sources anew, as the principal ``refresh`` with exactly the attributes of these rights, each tile once. A tile
whose source fails fails the page: what was kept, whole, is worth more than a page with a hole. What the guard refuses to
these rights is part of their page.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from datapilot_kernel.errors import Cancelled, DataPilotError
from datapilot_kernel.plan.model import Plan
from hub_config.database import utc_now
from hub_config.errors import NotFound, PlatformUnavailable, TooMany
from hub_config.snapshots.keys import refresher
from hub_config.snapshots.model import Failure
from hub_config.snapshots.outcomes import is_failure, outcome_of
from hub_config.snapshots.store import Made

if TYPE_CHECKING:
    from hub_config.queries import Asked, Ended, QueryService
    from hub_config.rendering import Job, Renderings

_BEAT_S = 2.0
_TILE = re.compile(r"^%tile ([0-9a-f]{32})(?: -o \w+)?$", re.MULTILINE)


class NotMade(Exception):
    """There is no page, and why. ``trace``: the author's error; it may quote values of these rights."""

    def __init__(self, failure: Failure, *, cell: int | None = None, trace: str = "") -> None:
        super().__init__(failure)
        self.failure: Failure = failure
        self.cell = cell
        self.trace = trace


class GivenUp(Exception):
    """Nobody wants the page any more: another version is in force, the dashboard is gone, the service stops."""


class NotNow(Exception):
    """There is no room for it at the moment; worth trying again soon."""


@dataclass
class Work:
    """What is to be made: a version, for somebody with these attributes."""

    tenant_id: str
    dashboard_id: str
    version: int
    content: Mapping[str, Any] = field(repr=False)
    attributes: Mapping[str, str] = field(repr=False)
    stopped: threading.Event = field(default_factory=threading.Event)


Beat = Callable[[int, int], bool]
"""Told of ``(done, of)`` every few seconds; False: :class:`GivenUp`."""


class Maker:
    """Makes pages. Thread-safe; every call takes as long as the page does."""

    def __init__(self, queries: QueryService) -> None:
        self._queries = queries
        self.renderings: Renderings | None = None

    def make(self, work: Work, beat: Beat) -> Made:
        """Return the page.

        Raises
        ------
        NotMade, GivenUp, NotNow
        """
        asked = asked_of(work.content)
        if self.renderings is not None and self.renderings.available:
            return self._rendered(self.renderings, work, asked, beat)
        from hub_config.content.notebooks import own_code

        if own_code(dict(work.content)):
            raise NotMade("needs_hub")
        return self._asked_alone(work, asked, beat)

    # ── through the hub ───────────────────────────────────────────────────────────────────────────────────────────

    def _rendered(self, renderings: Renderings, work: Work, asked: Mapping[str, Asked], beat: Beat) -> Made:
        from hub_config.rendering.notebook import notebook_of

        principal = refresher(work.tenant_id, work.attributes)
        began = utc_now()
        try:
            job = renderings.begin_ahead(principal, work.dashboard_id, work.version, notebook_of(dict(work.content)), asked)
        except TooMany:
            raise NotNow from None
        except PlatformUnavailable:
            raise NotMade("not_started") from None
        try:
            while not job.over.wait(_BEAT_S):
                if work.stopped.is_set() or not beat(job.done, job.of):
                    raise GivenUp
        finally:
            renderings.end(job)
        if work.stopped.is_set():
            raise GivenUp
        if job.state != "ready":
            raise NotMade(job.failure or "fault", cell=job.cell, trace=job.trace if job.failure == "author" else "")
        return _whole(job, began)

    # ── without one ───────────────────────────────────────────────────────────────────────────────────────────────

    def _asked_alone(self, work: Work, asked: Mapping[str, Asked], beat: Beat) -> Made:
        from hub_config.content.notebooks import run_of

        markup, began = markup_of(run_of(dict(work.content))), utc_now()
        tiles: dict[str, bytes] = {}
        for number, (tile_id, question) in enumerate(asked.items()):
            if work.stopped.is_set() or not beat(number, len(asked)):
                raise GivenUp
            tiles[tile_id] = self._tile(work, question, partial(beat, number, len(asked)))
            if is_failure(tiles[tile_id]):
                raise NotMade("source")
        return Made(markup, tiles, began)

    def _tile(self, work: Work, question: Asked, beat: Callable[[], bool]) -> bytes:
        from hub_config.api.ai import dumps

        def shape(ended: Ended) -> bytes:
            return dumps(outcome_of(self._queries, work.tenant_id, ended))

        try:
            running = self._queries.ask(refresher(work.tenant_id, work.attributes), question, reach=False, shape=shape)
            while True:
                try:
                    return running.future.result(_BEAT_S).body
                except NotYet:
                    if work.stopped.is_set() or not beat():
                        running.cancel()
                        raise GivenUp from None
        except TooMany as busy:
            if busy.key.startswith("queries.quota"):
                raise NotMade("quota") from None
            raise NotNow from None
        except NotFound:
            raise NotMade("source") from None
        except (Cancelled, PlatformUnavailable):
            # The source was changed meanwhile, or the service is stopping: the next try knows.
            raise NotNow from None
        except DataPilotError:
            raise NotMade("fault") from None


def asked_of(content: Mapping[str, Any]) -> dict[str, Asked]:
    """Return what each tile of a version asks, in order: anew, and outside of any conversation."""
    from hub_config.queries import Asked

    tiles = sorted(content.get("tiles", ()), key=lambda tile: int(tile.get("position", 0)))
    return {
        tile["id"]: Asked(
            tile["source_id"], question=tile.get("question") or "", plan=Plan.model_validate(tile["plan"]), fresh=True,
            alone=True,
        )
        for tile in tiles
    }  # fmt: skip


def markup_of(notebook: Mapping[str, Any]) -> str:
    r"""Return the page of a notebook whose code is tiles alone: what Voilà's template makes of it, without a kernel.

    >>> markup_of({"cells": [{"cell_type": "markdown", "source": "# Ventes"}]})
    '<section class="dp-text"><h1>Ventes</h1>\n</section>'
    """
    import mistune

    from hub_config.rendering.markup import cleaned

    markdown = mistune.create_markdown(escape=False, plugins=["strikethrough", "table", "url"])
    parts = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            parts.append(f'<section class="dp-text">{markdown(cell["source"])}</section>')
        else:
            found = _TILE.findall(cell["source"])
            parts += [f'<section class="dp-tile" data-tile="{tile}"></section>' for tile in found]
    return cleaned("\n".join(parts))


def _whole(job: Job, began: datetime) -> Made:
    if any(is_failure(body) for body in job.outcomes.values()):
        raise NotMade("source")
    return Made(job.markup, dict(job.outcomes), began)
