"""A source as people browse it: the catalog's tables in the layer's words, with questions that each can answer.

Questions of a table are the layer's own that speak of it, then what its measures and its groups make: « Chiffre d’affaires
par canal ». They are put into the chat's input, not answered here: whether one is answered is the engine's business, and it
says when it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web

from datapilot_kernel.messages import text
from datapilot_lab.handlers import Handler
from datapilot_lab.wire_data import Browsed, BrowsedColumn, BrowsedTable

if TYPE_CHECKING:
    from datapilot_kernel.semantic.model import Dimension, Entity, Layer
    from datapilot_lab.wire import About

_MOST_QUESTIONS = 3
_GROUPS = 2


def browsed(catalog: dict[str, Any], layer: Layer, about: About) -> Browsed:
    """Return a source's tables: those of the layer first, by label, then the others by name."""
    default = catalog["default_schema"]
    entities: dict[str, tuple[str, Entity]] = {}
    for name, entity in layer.entities.items():
        if not entity.hidden:
            table = entity.table if "." in entity.table else f"{default}.{entity.table}"
            entities.setdefault(table.casefold(), (name, entity))
    tables = []
    for table in catalog["tables"]:
        full = f"{table['db_schema']}.{table['name']}"
        known = entities.get(full.casefold())
        tables.append(_table(full, table, known, layer))
    tables.sort(key=lambda t: (t.label is None, (t.label or t.name).casefold()))
    return Browsed(id=about.id, name=about.name, layer=about.layer, accepted=about.accepted, tables=tables)


def _table(full: str, table: dict[str, Any], known: tuple[str, Entity] | None, layer: Layer) -> BrowsedTable:
    columns = [_column(column, known) for column in table["columns"]]
    entity = known[1] if known is not None else None
    return BrowsedTable(
        name=full,
        label=_upper(entity.plural or entity.label) if entity is not None else None,
        description=(entity.description if entity is not None else None) or table.get("comment"),
        row_estimate=table.get("row_estimate"),
        columns=columns,
        measures=[m.label for m in entity.measures.values() if not m.hidden] if entity is not None else [],
        questions=questions_of(known[0], layer) if known is not None else [],
    )


def _column(column: dict[str, Any], known: tuple[str, Entity] | None) -> BrowsedColumn:
    name, dimension = _dimension(column["name"], known)
    shown = dimension is not None and not dimension.hidden
    return BrowsedColumn(
        name=column["name"],
        label=dimension.label if dimension is not None and shown else None,
        type=column["type"],
        description=(dimension.description if dimension is not None else None) or column.get("comment"),
        personal=bool(column.get("personal")) or (dimension is not None and dimension.personal),
        field=f"{known[0]}.{name}" if known is not None and shown else None,
    )


def _dimension(column: str, known: tuple[str, Entity] | None) -> tuple[str, Dimension | None]:
    for name, dimension in (known[1].dimensions if known is not None else {}).items():
        if (dimension.column or "").casefold() == column.casefold():
            return name, dimension
    return "", None


def questions_of(name: str, layer: Layer) -> list[str]:
    """Return a few questions that a table of the layer can answer."""
    entity = layer.entities[name]
    measures = [m for m in entity.measures.values() if not m.hidden]
    found = [question for question in layer.questions if _speaks_of(question, entity)][: _MOST_QUESTIONS - 1]
    groups = [d for d in entity.dimensions.values() if d.type == "text" and not d.hidden and not d.personal]
    groups = [d for d in groups if d is not entity.dimensions.get(entity.name_dimension or "")]
    for measure in measures[:_GROUPS]:
        for group in groups[:_GROUPS]:
            found.append(text("lab.measure_by", measure=_upper(measure.label), group=group.label, language=layer.language))
        if entity.time is not None or measure.time is not None:
            found.append(text("lab.measure_by_month", measure=_upper(measure.label), language=layer.language))
    found.append(text("lab.how_many", what=_of(entity.plural or entity.label, layer.language), language=layer.language))
    return list(dict.fromkeys(found))[:_MOST_QUESTIONS]


def _speaks_of(question: str, entity: Entity) -> bool:
    from datapilot_kernel.catalog.lexicon import fold

    said = f" {fold(question)} ".replace("’", "'").replace("'", " ")
    words = [entity.plural or entity.label, *(m.label for m in entity.measures.values() if not m.hidden)]
    return any(f" {fold(word).replace('’', ' ').replace(chr(39), ' ')} " in said for word in words)


def _of(word: str, language: str) -> str:
    if language != "fr":
        return word
    from datapilot_kernel.semantic.drafting.context import of

    return of(word)


def _upper(label: str) -> str:
    return label[:1].upper() + label[1:]


class BrowseHandler(Handler):
    """A source to be browsed."""

    @web.authenticated
    @authorized
    async def get(self, source_id: str) -> None:
        """Give it, with the person's rights of now."""
        fresh = self.get_query_argument("fresh", "") == "1"
        catalog = await self.half.platform.json("GET", f"data-sources/{source_id}/catalog", timeout_s=60.0)
        source = await self.half.answers.source(source_id, fresh=fresh)
        self.give(browsed(catalog, source.layer, source.about))


def add_handlers(web_app: Any) -> None:
    """Add the route; before the others, whose last refuses everything else."""
    base = url_path_join(web_app.settings["base_url"], "datapilot")
    web_app.add_handlers(".*$", [(base + r"/sources/([0-9a-f]{32})/tables", BrowseHandler)])
