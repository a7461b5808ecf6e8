"""Pages made ahead, for tests of who reads them: made at once, in the test's own thread, by the very queries of the tiles.

::

    ahead = Ahead(world)                    # in the place of the platform's snapshots
    ahead.markup = '<section class="dp-text"><p>…</p></section>' + place(tile)
    ahead.failure = "source"                # the last refresh failed

Keyed by what the real ones are keyed by first: the attributes of the reader's rights. A viewer's outcomes hold no SQL, no plan.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hub_config.queries import Asked
from hub_config.snapshots import Snapshot
from tests.platform_support import World

MADE = datetime(2026, 9, 12, 6, 0, tzinfo=UTC)


def place(tile: str) -> str:
    """A tile's place in cleaned markup."""
    return f'<section class="dp-tile" data-tile="{tile}"></section>'


class Ahead:
    """Stands in for :class:`hub_config.snapshots.Snapshots`; None of a page until :attr:`ready`."""

    def __init__(self, world: World, *, ready: bool = True) -> None:
        self.world = world
        self.ready = ready
        self.markup: str | None = None
        self.failure: str | None = None
        self.made_at = MADE
        self.lost: set[str] = set()
        self.made: dict[tuple[Any, ...], Snapshot] = {}
        self.real = world.platform.content.snapshots
        world.platform.content.snapshots = self

    def __getattr__(self, name: str) -> Any:
        # Its life, a schedule: whatever is not read by pages is the platform's own.
        return getattr(self.real, name)

    def of(self, principal: Any, published: Any) -> Snapshot | None:
        if not self.ready:
            return None
        rights = tuple(sorted(principal.attributes.items()))
        viewer = principal.role == "viewer"
        key = (principal.tenant_id, published.dashboard_id, published.number, rights, viewer)
        if key not in self.made:
            tiles = {
                tile["id"]: self._outcome(principal, tile, viewer=viewer)
                for tile in published.content["tiles"]
                if tile["id"] not in self.lost
            }
            markup = self.markup or "".join(place(tile["id"]) for tile in published.content["tiles"])
            self.made[key] = Snapshot(
                published.dashboard_id, published.number, self.made_at, markup, tiles, content=published.content
            )
        found = replace(self.made[key], made_at=self.made_at)
        if self.failure is not None:
            found = replace(found, failed_at=datetime(2026, 9, 13, 6, 0, tzinfo=UTC), failure=self.failure)
        return found

    def _outcome(self, principal: Any, tile: Any, *, viewer: bool) -> bytes:
        asked = Asked(tile["source_id"], question=tile.get("question") or "", plan=_plan(tile))
        ended = self.world.platform.queries.run(principal, asked, reach=False)
        said = ended.to_json(inline_rows=500) | {"read_at": MADE.isoformat()}
        if viewer and said["outcome"] == "answer":
            said |= {"sql": "", "plan": None}
        return json.dumps(said).encode()


def _plan(tile: Any) -> Any:
    from datapilot_kernel.plan.model import Plan

    return Plan.model_validate(tile["plan"])
