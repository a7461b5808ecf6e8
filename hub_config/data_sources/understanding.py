"""What was understood of a source, for the person who is shown it: tables, links, words, doubts, what is personal.

Read off the catalog that is kept, and off the layer in force (else a draft made of the catalog, as answers without a layer
are): no source is asked, so that a source that is down can be looked at. Files say besides what was decided when they were
read. Who is no administrator sees no masked column, no count of filtered rows and, where a layer is in force, no example of
a value (:func:`~hub_config.data_sources.layers.without_masked`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.semantic import draft_layer
from datapilot_kernel.semantic.model import Entity, Layer
from hub_config.data_sources.layers import without_masked
from hub_config.data_sources.visibility import reached

if TYPE_CHECKING:
    from datapilot_kernel.catalog.model import Catalog, Column, Table
    from hub_config.data_sources.manager import DataSources, Known
    from hub_config.principal import Principal

MOST_TABLES = 100
_MOST_COLUMNS = 100
_MOST_QUESTIONS = 6
_OVER_ONE = re.compile(r'\w+\(("[^"]+"|`[^`]+`|\w+)\)')


@dataclass(frozen=True)
class ColumnSeen:
    """A column, and the word proposed for it; ``label`` "" where none is."""

    name: str
    type: str
    label: str
    personal: bool
    masked: bool


@dataclass(frozen=True)
class TableSeen:
    """A table; ``rows`` None when unknown, ``label`` "" where it is not offered to people."""

    key: str
    name: str
    label: str
    view: bool
    rows: int | None
    column_count: int
    columns: tuple[ColumnSeen, ...]
    measures: tuple[str, ...]


@dataclass(frozen=True)
class LinkSeen:
    """A way from one table to another; ``inferred``: nobody declared it, the values say so."""

    source: str
    target: str
    columns: str
    inferred: bool


@dataclass(frozen=True)
class Understood:
    """What a page says of a source.

    Attributes
    ----------
    tables
        At most ``MOST_TABLES``; ``table_count`` are there.
    personal
        Columns that look personal and that no layer hides yet: ``(table, columns)``.
    doubts
        Sentences, what is to be looked at: of files by column, of databases what was not read.
    layer_number
        Whether the words are those of a layer in force (True) or proposed (False).
    """

    tables: tuple[TableSeen, ...]
    table_count: int
    column_count: int
    row_count: int
    links: tuple[LinkSeen, ...]
    personal: tuple[tuple[str, tuple[str, ...]], ...]
    doubts: tuple[str, ...]
    questions: tuple[str, ...]
    schemas: tuple[str, ...]
    in_force: bool


def understood(sources: DataSources, principal: Principal, source_id: str) -> Understood | None:
    """Return what was understood of a source; None: its catalog is not read yet.

    Raises
    ------
    NotFound
        The person does not reach it.
    """
    with sources.database.tenant(principal.tenant_id, read_only=True) as session:
        known = sources.known(session, reached(session, principal, source_id))
    catalog = known.catalog
    if catalog is None:
        return None
    schemas = tuple(sorted({table.db_schema for table in catalog.tables}))
    if known.layer is not None and not principal.is_administrator:
        catalog = without_masked(catalog, known.layer)
    layer = known.layer or draft_layer(catalog, name=known.name)
    by_table = {_key(entity, catalog): entity for entity in layer.entities.values()}
    shown = sorted(catalog.tables, key=lambda table: _rank(by_table.get(table.key)))
    doubts = tuple(catalog.notes)
    if known.layer is None or principal.is_administrator:
        doubts += _doubts_of_files(sources, known)
    return Understood(
        tables=tuple(_table(table, by_table.get(table.key)) for table in shown[:MOST_TABLES]),
        table_count=len(catalog.tables),
        column_count=sum(len(table.columns) for table in catalog.tables),
        row_count=sum(table.row_estimate or 0 for table in catalog.tables if table.kind == "table"),
        links=tuple(_links(layer, catalog)),
        personal=tuple(_personal(catalog, by_table)),
        doubts=doubts,
        questions=layer.questions[:_MOST_QUESTIONS],
        schemas=schemas,
        in_force=known.layer is not None,
    )


def _key(entity: Entity, catalog: Catalog) -> str:
    return entity.table if "." in entity.table else f"{catalog.default_schema}.{entity.table}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _rank(entity: Entity | None) -> int:
    """Sort what people ask about before what only joins pass through, and that before what nobody meant."""
    return 2 if entity is None else int(entity.hidden)


def _table(table: Table, entity: Entity | None) -> TableSeen:
    words: dict[str, str] = {}
    if entity is not None:
        words = {d.column: d.label for d in entity.dimensions.values() if d.column is not None and not d.hidden}
        for measure in entity.measures.values():
            # What is summed has no dimension: the measure over this column alone is its word.
            found = _OVER_ONE.fullmatch(measure.expression or "")
            if found and not measure.hidden:
                words.setdefault(found[1].strip('"`'), measure.label)
    masked = set(entity.masked) if entity is not None else set()
    return TableSeen(
        key=table.key,
        name=table.name,
        label=_capital(entity.plural or entity.label) if entity is not None and not entity.hidden else "",
        view=table.kind == "view",
        rows=table.row_estimate,
        column_count=len(table.columns),
        columns=tuple(_column(column, words, masked) for column in table.columns[:_MOST_COLUMNS]),
        measures=tuple(m.label for m in entity.measures.values() if not m.hidden) if entity is not None else (),
    )


def _column(column: Column, words: dict[str, str], masked: set[str]) -> ColumnSeen:
    return ColumnSeen(column.name, column.type, words.get(column.name, ""), column.personal, column.name in masked)


def _links(layer: Layer, catalog: Catalog) -> list[LinkSeen]:
    known = {table.key: {column.name for column in table.columns} for table in catalog.tables}
    found = []
    for join in layer.joins.values():
        one, other = layer.entities.get(join.from_entity), layer.entities.get(join.to_entity)
        if one is None or other is None:
            continue
        # Of a layer in force the columns may be masked, or gone.
        if not set(join.from_columns) <= known.get(_key(one, catalog), set()):
            continue
        if not set(join.to_columns) <= known.get(_key(other, catalog), set()):
            continue
        found.append(LinkSeen(_capital(one.label), _capital(other.label), ", ".join(join.from_columns), join.inferred))
    return found


def _personal(catalog: Catalog, by_table: dict[str, Entity]) -> list[tuple[str, tuple[str, ...]]]:
    found = []
    for table in catalog.tables:
        entity = by_table.get(table.key)
        masked = set(entity.masked) if entity is not None else set()
        columns = tuple(c.name for c in table.columns if c.personal and c.name not in masked)
        if columns:
            found.append((_capital(entity.label) if entity is not None and not entity.hidden else table.name, columns))
    return found


def _doubts_of_files(sources: DataSources, known: Known) -> tuple[str, ...]:
    """Return what the reader of files was unsure of, by column; () for a database."""
    if known.type != "files":
        return ()
    from datapilot_kernel.messages import text
    from hub_config.data_sources.uploads import shown

    try:
        with sources.turns.taken(known.tenant_id), sources.leased(known) as source:
            report = source.import_report
    except SourceProblem as problem:
        return (problem.message,)
    if report is None:
        return ()
    told: dict[str, Any] = shown(report)
    found = [text("data_sources.file_refused", file=one["file"], why=one["message"]) for one in told["skipped"]]
    for file in told["files"]:
        where = file["file"] if file["sheet"] is None else f"{file['file']} – {file['sheet']}"
        found += [text("data_sources.file_refused", file=where, why=note) for note in file["notes"]]
        for column in file["columns"]:
            if column["overridden"]:
                continue
            name = column["header"] or column["name"]
            if column["type"] != "text":  # kept as text nothing is lost, and nothing is to be looked at
                why = column["doubts"]
                found += [text("data_sources.column_doubt", column=name, file=where, why=one) for one in why]
            if column["bad_cell_count"]:
                cells = text("data_sources.bad_cells", count=column["bad_cell_count"])
                found.append(text("data_sources.column_doubt", column=name, file=where, why=cells))
    return tuple(found)
