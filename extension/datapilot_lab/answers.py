"""Answers of this server's questions, for as long as they are looked at: in any order, as another chart, after a reload.

A few are held in memory; one that is no longer there is made again from the API's history (its plan or its SQL, its kept
result), with the person's rights of now. Nothing is written to the disk: rows stay where the rights are checked.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datapilot_lab import shown
from datapilot_lab.platform import Platform, Said
from datapilot_lab.wire import About, Rows

if TYPE_CHECKING:
    from datapilot_kernel.semantic.model import Layer

INLINE_ROWS = 200
"""Rows that come with an answer; the table asks for the others as it is scrolled."""

_PAGE_ROWS, _MOST_ROWS = 10_000, 200_000
_OUTCOMES, _TABLES = 60, 6
_ABOUT_S = 60.0


@dataclass(frozen=True)
class Source:
    """What is known of a source that was asked about."""

    about: About
    layer: Layer
    until: float


@dataclass
class Held:
    """A whole result, and the orders it was asked in last."""

    table: shown.Table
    source: Source | None
    truncated: bool
    order: tuple[int, bool] | None = None
    ordered: list[tuple[Any, ...]] | None = None


class Answers:
    """What this server has of answers. For the event loop; the work on tables is done on threads."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._sources: dict[tuple[str, str], Source] = {}
        self._outcomes: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._source_of: OrderedDict[str, str] = OrderedDict()
        self._tables: OrderedDict[str, asyncio.Task[Held]] = OrderedDict()

    # ── sources ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def source(self, source_id: str, *, fresh: bool = False) -> Source:
        """Return a source with its layer; asked again after a minute, so that an accepted layer is seen."""
        from datapilot_kernel.messages import current_language

        key = (source_id, current_language())
        found = self._sources.get(key)
        if found is not None and not fresh and found.until > time.monotonic():
            return found
        said = await self._platform.json("GET", f"ai/sources/{source_id}", timeout_s=120.0)
        layer = await asyncio.to_thread(shown.read_layer, said["layer"])
        about = About(
            id=said["id"],
            name=said["name"],
            dialect=said["dialect"],
            tables=said["tables"],
            layer=layer.name,
            accepted=layer.status == "accepted",
            today=said["today"],
            questions=list(layer.questions),
        )
        made = self._sources[key] = Source(about, layer, time.monotonic() + _ABOUT_S)
        return made

    async def _source_or_none(self, source_id: str | None) -> Source | None:
        if source_id is None:
            return None
        try:
            return await self.source(source_id)
        except Said:
            # Without its layer a value is still written, in the usual currency.
            return None

    # ── outcomes ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def shape(self, source_id: str, event: str, data: dict[str, Any]) -> dict[str, Any]:
        """Return the last event's data for the panel, and hold an answer."""
        if event != "outcome":
            return data
        found = await self._shaped(data, source_id)
        self._hold(found["id"], found, source_id)
        return found

    async def _shaped(self, outcome: dict[str, Any], source_id: str) -> dict[str, Any]:
        if outcome["outcome"] != "answer":
            return outcome
        source = await self._source_or_none(source_id)
        layer, dialect = (source.layer, source.about.dialect) if source is not None else (None, None)
        return outcome | await asyncio.to_thread(shown.extras, outcome, layer, dialect)

    def _hold(self, query_id: str, outcome: dict[str, Any], source_id: str) -> None:
        self._outcomes[query_id] = outcome
        self._outcomes.move_to_end(query_id)
        self._source_of[query_id] = source_id
        while len(self._outcomes) > _OUTCOMES:
            gone, _ = self._outcomes.popitem(last=False)
            self._source_of.pop(gone, None)

    async def outcome(self, query_id: str) -> dict[str, Any]:
        """Return an outcome again: the one that was held, or made from the history.

        Raises
        ------
        Said
            There is no such query of this person, or it has no result any more.
        """
        found = self._outcomes.get(query_id)
        if found is not None:
            return found
        query = await self._platform.json("GET", f"queries/{query_id}")
        made = await self._made_again(query)
        if query["status"] not in ("waiting", "running"):
            self._hold(query_id, made, query["source_id"])
        return made

    async def _made_again(self, query: dict[str, Any]) -> dict[str, Any]:
        common: dict[str, Any] = {
            "id": query["id"],
            "message": "",
            "notes": [],
            "engine": query["engine"] or "local",
            "timings_ms": dict.fromkeys(("understand", "guard", "execute", "answer", "total")) | query["timings_ms"],
            "model": query["model"],
            "conversation_id": query["conversation_id"],
        }
        if query["outcome"] != "answer":
            return common | {"outcome": query["outcome"], "status": query["status"], "reason": query["reason"]}
        held = await self._held(query["id"], query["source_id"])
        source = held.source
        layer, dialect = (source.layer, source.about.dialect) if source is not None else (None, "postgres")
        made = await asyncio.to_thread(shown.composed, query, held.table, layer, dialect)
        rows = made.pop("rows")
        answer = {
            **common,
            **made,
            "outcome": "answer",
            "question": query["question"] or "",
            "trust": query["trust"],
            "plan": query["plan"],
            "sql": query["sql"] or "",
            "columns": [_column(c) for c in held.table.columns],
            "rows": rows[:INLINE_ROWS],
            "row_count": len(rows),
            "truncated": held.truncated,
            "cached": True,
        }
        return answer | await asyncio.to_thread(shown.extras, answer, layer, dialect)

    # ── tables ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def rows(self, query_id: str, *, offset: int, limit: int, sort: int | None, descending: bool) -> Rows:
        """Return rows of a result, in the order asked for."""
        from datapilot_kernel.answers import formatter_for
        from datapilot_kernel.engine.wire import wire_value

        held = await self._held(query_id)
        every = await self._in_order(held, sort, descending)
        part = every[offset : offset + limit]
        formatter = formatter_for(held.source.layer if held.source is not None else None)
        written = await asyncio.to_thread(shown.write_rows, held.table, part, formatter)
        return Rows(
            shown=written,
            rows=[[wire_value(v) for v in row] for row in part],
            row_count=len(every),
            offset=offset,
            truncated=held.truncated,
        )

    async def copied(self, query_id: str, *, sort: int | None, descending: bool) -> str:
        """Return the whole table for the clipboard."""
        from datapilot_kernel.answers import formatter_for

        held = await self._held(query_id)
        every = await self._in_order(held, sort, descending)
        formatter = formatter_for(held.source.layer if held.source is not None else None)
        return await asyncio.to_thread(shown.tab_separated, held.table, every, formatter)

    async def chart(self, query_id: str, kind: str) -> dict[str, Any]:
        """Return a chart of that type.

        Raises
        ------
        Said
            The table makes none.
        """
        outcome = await self.outcome(query_id)
        if outcome["outcome"] != "answer":
            raise Said.ours(409, "no_chart")
        held = await self._held(query_id)
        plan = shown.read_plan(outcome["plan"])
        layer = held.source.layer if held.source is not None else None
        figure = await asyncio.to_thread(shown.chart_of, held.table, plan, layer, kind)
        if figure is None:
            raise Said.ours(409, "no_chart")
        return figure

    async def _in_order(self, held: Held, sort: int | None, descending: bool) -> list[tuple[Any, ...]]:
        if sort is None:
            return list(held.table.table.rows)
        if sort >= len(held.table.columns):
            raise Said.ours(400, "bad_request")
        if held.order != (sort, descending) or held.ordered is None:
            held.ordered = await asyncio.to_thread(shown.sorted_rows, held.table, sort, descending=descending)
            held.order = (sort, descending)
        return held.ordered

    async def _held(self, query_id: str, source_id: str | None = None) -> Held:
        """Return a whole result; asked for once, by whoever comes first."""
        task = self._tables.get(query_id)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._tables[query_id] = asyncio.ensure_future(self._fetched(query_id, source_id))
        self._tables.move_to_end(query_id)
        while len(self._tables) > _TABLES:
            _, old = self._tables.popitem(last=False)
            old.cancel()
        return await asyncio.shield(task)

    async def _fetched(self, query_id: str, source_id: str | None) -> Held:
        source_id = source_id or self._source_of.get(query_id)
        if source_id is None:
            source_id = (await self._platform.json("GET", f"queries/{query_id}"))["source_id"]
        source = await self._source_or_none(source_id)
        rows: list[list[Any]] = []
        following: int | None = 0
        while following is not None and len(rows) < _MOST_ROWS:
            page = await self._platform.json(
                "GET", f"queries/{query_id}/result", params={"offset": following, "limit": _PAGE_ROWS}, timeout_s=300.0
            )
            rows += page["rows"]
            following = page["next"]
        truncated = bool(page["truncated"]) or following is not None
        table = await asyncio.to_thread(shown.read_table, page["columns"], rows, truncated=truncated)
        return Held(table, source, truncated)


def _column(column: Any) -> dict[str, Any]:
    return {
        "name": column.name,
        "label": column.label,
        "type": column.type,
        "format": column.format.model_dump(mode="json", exclude_none=True),
        "role": column.role,
        "grain": column.grain,
        "ref": column.ref,
        "of": column.of,
        "lower_is_better": column.lower_is_better,
        "values": dict(column.values),
    }
