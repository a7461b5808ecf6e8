"""Whether what a layer says is true of a source: every finding with its line.

Errors are what would fail or mislead when a question is asked; warnings are what will surprise somebody. The check reads the
catalog only; no statement is sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from datapilot_kernel.catalog.lexicon import fold, words
from datapilot_kernel.catalog.model import Catalog, Column, Table
from datapilot_kernel.semantic.document import Document
from datapilot_kernel.semantic.findings import Finding
from datapilot_kernel.semantic.fragments import bind_attributes, formula_references, is_condition, read_fragment
from datapilot_kernel.semantic.loading import dump_layer, parse_document
from datapilot_kernel.semantic.model import Dimension, Entity, Join, Layer, Measure

Path = tuple[str, ...]
_DATES = {"date", "timestamp", "timestamptz"}
_FITS: dict[str, set[str]] = {
    "date": {"date", "timestamp", "timestamptz"},
    "timestamp": {"timestamp", "timestamptz"},
    "number": {"integer", "decimal", "float"},
    "boolean": {"boolean"},
}
_SHORT_LIST = 200


def check_layer(layer: str | Layer, catalog: Catalog | None = None) -> list[Finding]:
    """Return what is wrong, in the order of the lines.

    Parameters
    ----------
    layer
        The file's text (YAML or JSON), or a layer (its lines are then those of ``dump_layer``).
    catalog
        Of the source; None: only what can be told without one.
    """
    text = dump_layer(layer) if isinstance(layer, Layer) else layer
    parsed, document = parse_document(text)
    if parsed is None:
        return sorted(document.findings)
    return sorted([*document.findings, *_Check(parsed, document, catalog).run()])


def check_entities(layer: Layer, catalog: Catalog, names: Iterable[str]) -> list[Finding]:
    """Return what is wrong with some entities, their joins, and the words of the whole layer.

    For a layer that is not a file (yet): findings have no place, and nothing is written and read again on the way, so a
    change to one entity of five hundred is checked in milliseconds.
    """
    return _Check(layer, Document(places={(): (1, 1)}), catalog).run(frozenset(names))


class _Check:
    """One check of one layer."""

    def __init__(self, layer: Layer, document: Document, catalog: Catalog | None) -> None:
        self.layer, self.document, self.catalog = layer, document, catalog
        self.findings: list[Finding] = []
        self.tables: dict[str, Table | None] = {name: self._table(e.table) for name, e in layer.entities.items()}

    def run(self, only: frozenset[str] | None = None) -> list[Finding]:
        if not self.layer.entities:
            self._add("no_entity", ("entities",))
        for name, entity in self.layer.entities.items():
            if only is None or name in only:
                self._entity(name, entity)
        for name, join in self.layer.joins.items():
            if only is None or {join.from_entity, join.to_entity} & only:
                self._join(name, join)
        self._cycles()
        self._same_words()
        return self.findings

    def _add(self, code: str, path: Path, *, severity: str = "error", value: bool = True, **values: object) -> None:
        self.findings.append(self.document.finding(code, path, severity=severity, value=value, **values))

    # ── entities ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _table(self, name: str) -> Table | None:
        if self.catalog is None:
            return None
        key = name if "." in name else f"{self.catalog.default_schema}.{name}"
        for table in self.catalog.tables:
            if table.key == key or (self.catalog.dialect != "postgres" and table.key.lower() == key.lower()):
                return table
        return None

    def _entity(self, name: str, entity: Entity) -> None:
        path: Path = ("entities", name)
        table = self.tables[name]
        if self.catalog is not None and table is None:
            known = {t.key: t.key for t in self.catalog.tables} | {t.name: t.name for t in self.catalog.tables}
            self._add("unknown_table", (*path, "table"), name=entity.table, hint=_hint(entity.table, known))
        for field in ("key", "masked"):
            for index, column in enumerate(getattr(entity, field)):
                self._column(table, column, (*path, field, str(index)))
        for dimension_name, dimension in entity.dimensions.items():
            self._dimension(entity, table, (*path, "dimensions", dimension_name), dimension)
        for measure_name, measure in entity.measures.items():
            self._measure(name, entity, table, (*path, "measures", measure_name), measure)
        for index, condition in enumerate(entity.default_filters):
            self._condition(entity, table, condition, (*path, "default_filters", str(index)))
        if entity.row_filter is not None:
            bound, _, problem = bind_attributes(entity.row_filter)
            if problem is not None:
                self._add(problem, (*path, "row_filter"))
            else:
                self._condition(entity, table, bound, (*path, "row_filter"), masked_allowed=True)
        if entity.name_dimension is not None and entity.name_dimension not in entity.dimensions:
            self._add(
                "unknown_dimension",
                (*path, "name_dimension"),
                name=entity.name_dimension,
                hint=_hint(entity.name_dimension, entity.dimensions),
            )
        if entity.time is not None:
            self._time(entity, entity.time, (*path, "time"))
        self._labels_within(path, entity)

    def _column(self, table: Table | None, name: str, path: Path) -> Column | None:
        if table is None:
            return None
        for column in table.columns:
            if column.name == name or (
                self.catalog and self.catalog.dialect != "postgres" and column.name.lower() == name.lower()
            ):
                return column
        self._add("unknown_column", path, name=name, table=table.name, hint=_hint(name, [c.name for c in table.columns]))
        return None

    def _time(self, entity: Entity, name: str, path: Path) -> None:
        dimension = entity.dimensions.get(name)
        if dimension is None:
            self._add("unknown_dimension", path, name=name, hint=_hint(name, entity.dimensions))
        elif dimension.type not in {"date", "timestamp"}:
            self._add("time_not_a_date", path, name=name, type=dimension.type)

    def _dimension(self, entity: Entity, table: Table | None, path: Path, dimension: Dimension) -> None:
        if dimension.column is not None:
            column = self._column(table, dimension.column, (*path, "column"))
            if dimension.column in entity.masked:
                self._add("masked_used", (*path, "column"), name=dimension.column)
            if column is not None:
                self._type(dimension, column, path)
                self._values(dimension, column, path)
        elif dimension.expression is not None:
            self._fragment(entity, table, dimension.expression, (*path, "expression"))
        if not dimension.label.strip():
            self._add("empty_label", (*path, "label"))

    def _type(self, dimension: Dimension, column: Column, path: Path) -> None:
        if column.type in {"timestamp", "timestamptz"} and dimension.zoned != (column.type == "timestamptz"):
            code = "zone_missing" if column.type == "timestamptz" else "zone_too_much"
            self._add(code, (*path, "zoned"), severity="warning", name=column.name, found=column.native_type)
        fits = _FITS.get(dimension.type)
        if fits is None or column.type in fits or column.type == "other":
            return
        if dimension.type == "boolean" and column.type == "integer":
            return
        self._add("type_mismatch", (*path, "type"), name=column.name, said=dimension.type, found=column.native_type)

    def _values(self, dimension: Dimension, column: Column, path: Path) -> None:
        if column.values is None or len(column.values) >= _SHORT_LIST or column.type != "text":
            return
        for value in dimension.values:
            if value not in column.values:
                self._add(
                    "unknown_value", (*path, "values", value), severity="warning", value=False, name=value,
                    column=column.name,
                    hint=_hint(value, column.values),
                )  # fmt: skip

    # ── measures ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _measure(self, name: str, entity: Entity, table: Table | None, path: Path, measure: Measure) -> None:
        if measure.expression is not None:
            self._fragment(entity, table, measure.expression, (*path, "expression"), aggregate=True)
        if measure.filter is not None:
            self._condition(entity, table, measure.filter, (*path, "filter"))
        if measure.formula is not None:
            references, problem = formula_references(measure.formula)
            if problem is not None:
                self._add(problem, (*path, "formula"))
            for reference in references:
                if problem is None:
                    self._reference(name, reference, (*path, "formula"))
        if (
            measure.finer is not None
            and self._reference(name, measure.finer, (*path, "finer"))
            and measure.finer == f"{name}.{path[-1]}"
        ):
            self._add("finer_itself", (*path, "finer"))
        if measure.time is not None:
            self._time(entity, measure.time, (*path, "time"))
        if not measure.label.strip():
            self._add("empty_label", (*path, "label"))

    def _reference(self, entity: str, reference: str, path: Path) -> bool:
        full = reference if "." in reference else f"{entity}.{reference}"
        owner, _, measure = full.partition(".")
        if owner in self.layer.entities and measure in self.layer.entities[owner].measures:
            return True
        known = [f"{e}.{m}" for e, found in self.layer.entities.items() for m in found.measures]
        known += list(self.layer.entities[entity].measures) if entity in self.layer.entities else []
        self._add("unknown_measure", path, name=reference, hint=_hint(reference, known))
        return False

    def _fragment(
        self,
        entity: Entity,
        table: Table | None,
        sql: str,
        path: Path,
        *,
        aggregate: bool = False,
        masked_allowed: bool = False,
    ) -> None:
        fragment = read_fragment(sql, self.layer.sql_dialect, aggregate=aggregate)
        if fragment.problem is not None:
            self._add(fragment.problem, path, name=fragment.detail)
            if fragment.problem in {"sql_unreadable", "sql_forbidden", "sql_qualified"}:
                return
        self._columns(entity, table, fragment.columns, path, masked_allowed=masked_allowed)

    def _columns(
        self,
        entity: Entity,
        table: Table | None,
        columns: Iterable[tuple[str, bool]],
        path: Path,
        *,
        masked_allowed: bool = False,
    ) -> None:
        for name, quoted in columns:
            exact = self.catalog is not None and self.catalog.dialect == "postgres"
            if table is not None:
                known = {c.name for c in table.columns}
                found = (name if quoted else name.lower()) in known if exact else name.lower() in {k.lower() for k in known}
                if not found:
                    self._add("unknown_column", path, name=name, table=table.name, hint=_hint(name, known))
            if not masked_allowed and name.lower() in {m.lower() for m in entity.masked}:
                self._add("masked_used", path, name=name)

    def _condition(self, entity: Entity, table: Table | None, sql: str, path: Path, *, masked_allowed: bool = False) -> None:
        fragment = read_fragment(sql, self.layer.sql_dialect)
        if fragment.problem is not None:
            self._add(fragment.problem, path, name=fragment.detail)
            return
        booleans = (
            {c.name.lower() for c in table.columns if c.type == "boolean"}
            if table
            else {n.lower() for n, _ in fragment.columns}
        )
        if not is_condition(fragment.tree, booleans):
            self._add("not_a_condition", path)
        self._columns(entity, table, fragment.columns, path, masked_allowed=masked_allowed)

    def _cycles(self) -> None:
        edges: dict[str, list[str]] = {}
        for entity, found in self.layer.entities.items():
            for name, measure in found.measures.items():
                references = formula_references(measure.formula)[0] if measure.formula else []
                edges[f"{entity}.{name}"] = [r if "." in r else f"{entity}.{r}" for r in references]
        for start in edges:
            if _reaches(edges, start, start):
                entity, _, name = start.partition(".")
                self._add("formula_cycle", ("entities", entity, "measures", name, "formula"), name=name)
        for entity, found in self.layer.entities.items():
            for name, measure in found.measures.items():
                seen, current = {f"{entity}.{name}"}, measure.finer
                while current is not None and current not in seen:
                    seen.add(current)
                    owner, _, finer = current.partition(".")
                    next_measure = self.layer.entities.get(owner, None)
                    following = next_measure.measures.get(finer) if next_measure else None
                    current = following.finer if following else None
                if current is not None and current != measure.finer:
                    self._add("finer_cycle", ("entities", entity, "measures", name, "finer"), name=name)

    # ── joins ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _join(self, name: str, join: Join) -> None:
        path: Path = ("joins", name)
        whole = True
        for side in ("from_entity", "to_entity"):
            entity = getattr(join, side)
            if entity not in self.layer.entities:
                self._add("unknown_entity", (*path, side), name=entity, hint=_hint(entity, self.layer.entities))
                whole = False
        if len(join.from_columns) != len(join.to_columns):
            self._add("join_widths", (*path, "to_columns"))
            whole = False
        if not whole:
            return
        here, there = self.tables[join.from_entity], self.tables[join.to_entity]
        one = [self._column(here, c, (*path, "from_columns", str(i))) for i, c in enumerate(join.from_columns)]
        other = [self._column(there, c, (*path, "to_columns", str(i))) for i, c in enumerate(join.to_columns)]
        for left, right in zip(one, other, strict=True):
            if left is not None and right is not None and not _comparable(left, right):
                self._add(
                    "join_types",
                    (*path, "to_columns"),
                    left=f"{left.name} ({left.native_type})",
                    right=f"{right.name} ({right.native_type})",
                )
        if there is not None and None not in other and not _is_unique(there, join.to_columns):
            severity = "warning" if there.kind == "view" else "error"
            self._add(
                "join_not_unique",
                (*path, "to_columns"),
                severity=severity,
                columns=", ".join(join.to_columns),
                table=there.name,
            )
        if (
            join.cardinality == "one_to_one"
            and here is not None
            and None not in one
            and not _is_unique(here, join.from_columns)
        ):
            severity = "warning" if here.kind == "view" else "error"
            self._add(
                "join_not_unique",
                (*path, "from_columns"),
                severity=severity,
                columns=", ".join(join.from_columns),
                table=here.name,
            )

    # ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _labels_within(self, path: Path, entity: Entity) -> None:
        seen: dict[str, str] = {}
        for name, dimension in entity.dimensions.items():
            if dimension.hidden:
                continue
            first = seen.setdefault(fold(dimension.label), name)
            if first != name:
                self._add(
                    "same_label",
                    (*path, "dimensions", name, "label"),
                    severity="warning",
                    label=dimension.label,
                    other=first,
                )

    def _same_words(self) -> None:
        """Two measures that answer to the same words make a question that has two readings: the author should know."""
        seen: dict[tuple[str, ...], str] = {}
        entities: dict[tuple[str, ...], str] = {}
        for name, entity in self.layer.entities.items():
            if entity.hidden:
                continue
            for place, phrase in _phrases(entity.label, entity.plural, entity.synonyms):
                owner = entities.setdefault(_key(phrase), name)
                if owner != name:
                    self._add("same_words_entity", ("entities", name, *place), severity="warning", words=phrase, other=owner)
            for measure_name, measure in entity.measures.items():
                if measure.hidden:
                    continue
                ref = f"{name}.{measure_name}"
                for place, phrase in _phrases(measure.label, measure.plural, measure.synonyms):
                    owner = seen.setdefault(_key(phrase), ref)
                    if owner != ref:
                        self._add(
                            "same_words",
                            ("entities", name, "measures", measure_name, *place),
                            severity="warning",
                            words=phrase,
                            other=owner,
                        )


def _phrases(label: str, plural: str | None, synonyms: tuple[str, ...]) -> Iterable[tuple[Path, str]]:
    yield ("label",), label
    if plural:
        yield ("plural",), plural
    for index, synonym in enumerate(synonyms):
        yield ("synonyms", str(index)), synonym


def _key(phrase: str) -> tuple[str, ...]:
    """Return what makes two phrases the same: « marge % » is not « marge »."""
    return (*words(phrase), *("%" for _ in range(phrase.count("%"))))


def _hint(name: str, known: Iterable[str]) -> str:
    """Return « : vouliez-vous dire … ? » in the language in force, or nothing."""
    from datapilot_kernel.messages import text

    by_fold = {fold(k): k for k in known}
    near = get_close_matches(fold(name), list(by_fold), n=1, cutoff=0.6)
    return text("semantic.did_you_mean", name=by_fold[near[0]]) if near else ""


def _reaches(edges: dict[str, list[str]], start: str, goal: str) -> bool:
    stack, seen = list(edges.get(start, ())), set()
    while stack:
        current = stack.pop()
        if current == goal:
            return True
        if current not in seen:
            seen.add(current)
            stack += edges.get(current, ())
    return False


def _is_unique(table: Table, columns: tuple[str, ...]) -> bool:
    wanted = {c.lower() for c in columns}
    return any({c.lower() for c in key} == wanted for key in (table.primary_key, *table.unique_keys) if key)


def _comparable(one: Column, other: Column) -> bool:
    numbers = {"integer", "decimal", "float"}
    groups = [numbers, {"text"}, _DATES, {"boolean"}]
    if "other" in {one.type, other.type}:
        return True
    return one.type == other.type or any({one.type, other.type} <= group for group in groups)
