"""The forms of a semantic layer: one thing at a time (the company, a table, a dimension, a measure), as fields and back.

A form shows what the layer says of the thing; what was typed becomes *changes*: paths of the layer's text and their new
values, only of the fields that say something else now (:func:`changes_of`). Everything a form does not show is left to the
YAML editor, and left alone by :func:`~datapilot_kernel.semantic.editing.edit_text`.

A list is typed one item a line; a stored value and its names as ``EXP = expédiée, envoyée``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from datapilot_kernel.messages import text
from datapilot_kernel.semantic.document import Path, read_document
from datapilot_kernel.semantic.fragments import bind_attributes
from datapilot_kernel.semantic.model import Dimension, Entity, FormatKind, Layer, Measure

Kind = Literal["text", "long", "lines", "flag", "choice", "columns", "format", "values", "condition"]
Typed = dict[str, str]
"""What stands in the fields, by the field's name in the page."""

MOST_TYPED = 20_000
_DECIMALS = re.compile(r"[0-6]?")
_SIMPLE = re.compile(r'\s*"?(?P<column>[\w .éèêàùçîôûÉÈÀ-]+?)"?\s*=\s*\{(?P<name>[a-z_][a-z0-9_]*)\}\s*')


@dataclass(frozen=True)
class Field:
    """One field of a form.

    Attributes
    ----------
    options
        Of a choice: value and words; of columns: each one's name, and what is said of it.
    needed
        It cannot be left empty.
    """

    name: str
    kind: Kind
    options: tuple[tuple[str, str], ...] = ()
    needed: bool = False

    @property
    def label(self) -> str:
        """What it is called."""
        return text(f"layer_pages.field.{self.name}")

    @property
    def hint(self) -> str:
        """What to know about it."""
        return text(f"layer_pages.hint.{self.name}")


@dataclass(frozen=True)
class Thing:
    """What a form is about.

    Attributes
    ----------
    path
        In the layer.
    code
        What is shown and not changed here: SQL, as written.
    """

    kind: Literal["company", "entity", "dimension", "measure"]
    path: Path
    title: str
    fields: tuple[Field, ...]
    shown: Typed = field(default_factory=dict)
    code: tuple[tuple[str, str], ...] = ()


def company(layer: Layer) -> Thing:
    """Return the form of what holds for the whole layer."""
    months = tuple((str(n), text(f"layer_pages.month.{n}")) for n in range(1, 13))
    named = tuple((value, text(f"layer_pages.named_by.{value}")) for value in ("end", "start"))
    shown = {
        "name": layer.name,
        "description": layer.description or "",
        "currency": layer.currency,
        "fiscal_year_start": str(layer.calendar.fiscal_year_start),
        "fiscal_year_named_by": layer.calendar.fiscal_year_named_by,
        "questions": "\n".join(layer.questions),
    }
    fields = (
        Field("name", "text", needed=True),
        Field("description", "long"),
        Field("fiscal_year_start", "choice", months, needed=True),
        Field("fiscal_year_named_by", "choice", named, needed=True),
        Field("currency", "text", needed=True),
        Field("questions", "lines"),
    )
    return Thing("company", (), text("layer_pages.company"), fields, shown)


def of_entity(layer: Layer, name: str, columns: Mapping[str, str]) -> Thing:
    """Return a table's form; ``columns``: those of the source, with their types. Raises KeyError."""
    entity = layer.entities[name]
    dates = tuple((n, d.label) for n, d in entity.dimensions.items() if d.type in ("date", "timestamp"))
    names = tuple((n, d.label) for n, d in entity.dimensions.items() if not d.hidden)
    known = dict(columns) | {c: columns.get(c, "") for c in entity.masked}
    shown = _words_of(entity) | {
        "time": entity.time or "",
        "name_dimension": entity.name_dimension or "",
        "default_filters": "\n".join(entity.default_filters),
        "row_filter": entity.row_filter or "",
        "hidden_entity": "1" if entity.hidden else "",
    }
    shown |= {f"masked:{column}": "1" for column in entity.masked}
    fields = (
        Field("label", "text", needed=True),
        Field("plural", "text"),
        Field("synonyms", "lines"),
        Field("description", "long"),
        Field("time", "choice", (("", text("layer_pages.none_chosen")), *dates)),
        Field("name_dimension", "choice", (("", text("layer_pages.none_chosen")), *names)),
        Field("default_filters", "lines"),
        Field("row_filter", "condition"),
        Field("masked", "columns", tuple(known.items())),
        Field("hidden_entity", "flag"),
    )
    return Thing("entity", ("entities", name), entity.label, fields, shown, ((text("layer_pages.table"), entity.table),))


def of_dimension(layer: Layer, entity: str, name: str) -> Thing:
    """Return a dimension's form. Raises KeyError."""
    one = layer.entities[entity].dimensions[name]
    shown = (
        _words_of(one)
        | _format_of(one)
        | {
            "personal": "1" if one.personal else "",
            "hidden": "1" if one.hidden else "",
            "values": "\n".join(f"{stored} = {', '.join(said)}" for stored, said in one.values.items()),
        }
    )
    fields = (
        Field("label", "text", needed=True),
        Field("plural", "text"),
        Field("synonyms", "lines"),
        Field("description", "long"),
        *((Field("format", "format", _kinds()),) if one.type == "number" else ()),
        Field("values", "values"),
        Field("personal", "flag"),
        Field("hidden", "flag"),
    )
    code = [(text("layer_pages.column"), one.column)] if one.column else []
    code += [(text("layer_pages.expression"), one.expression)] if one.expression else []
    return Thing("dimension", ("entities", entity, "dimensions", name), one.label, fields, shown, tuple(code))


def of_measure(layer: Layer, entity: str, name: str) -> Thing:
    """Return a measure's form. Raises KeyError."""
    owner = layer.entities[entity]
    one = owner.measures[name]
    dates = tuple((n, d.label) for n, d in owner.dimensions.items() if d.type in ("date", "timestamp"))
    shown = (
        _words_of(one)
        | _format_of(one)
        | {
            "time": one.time or "",
            "lower_is_better": "1" if one.lower_is_better else "",
            "hidden": "1" if one.hidden else "",
        }
    )
    fields = (
        Field("label", "text", needed=True),
        Field("plural", "text"),
        Field("synonyms", "lines"),
        Field("description", "long"),
        Field("format", "format", _kinds()),
        Field("time", "choice", (("", text("layer_pages.as_the_table")), *dates)),
        Field("lower_is_better", "flag"),
        Field("hidden", "flag"),
    )
    said = (("expression", one.expression), ("formula", one.formula), ("filter", one.filter))
    code = tuple((text(f"layer_pages.{key}"), value) for key, value in said if value)
    return Thing("measure", ("entities", entity, "measures", name), one.label, fields, shown, code)


def _words_of(thing: Entity | Dimension | Measure) -> Typed:
    return {
        "label": thing.label,
        "plural": thing.plural or "",
        "synonyms": "\n".join(thing.synonyms),
        "description": thing.description or "",
    }


def _format_of(thing: Dimension | Measure) -> Typed:
    given = thing.format
    if given is None:
        return {"format:kind": "", "format:decimals": "", "format:unit": ""}
    decimals = "" if given.decimals is None else str(given.decimals)
    return {"format:kind": given.kind, "format:decimals": decimals, "format:unit": given.unit or ""}


def _kinds() -> tuple[tuple[str, str], ...]:
    return tuple((kind, text(f"layer_pages.format_{kind}")) for kind in get_args(FormatKind))


# ── what was typed ────────────────────────────────────────────────────────────────────────────────────────────────────


def typed(thing: Thing, form: Mapping[str, str]) -> Typed:
    """Return what stands in the fields that were sent, line ends as a file has them."""
    found: Typed = {}
    for one in thing.fields:
        parts = {
            "format": [f"{one.name}:{part}" for part in ("kind", "decimals", "unit")],
            "columns": [f"{one.name}:{column}" for column, _ in one.options],
        }.get(one.kind, [one.name])
        for part in parts:
            found[part] = form.get(f"f:{part}", "").replace("\r\n", "\n").replace("\r", "\n")[:MOST_TYPED]
    return found


def problems(thing: Thing, given: Typed) -> dict[str, str]:
    """Return what cannot be meant, by field."""
    found: dict[str, str] = {}
    for one in thing.fields:
        value = given.get(one.name, "").strip()
        if one.needed and not value:
            found[one.name] = text("layer_pages.problem.needed")
        elif one.kind == "choice" and value and value not in {option for option, _ in one.options}:
            found[one.name] = text("layer_pages.problem.choice")
        elif one.kind == "values" and any("=" not in line for line in _lines(value)):
            wrong = next(line for line in _lines(value) if "=" not in line)
            found[one.name] = text("layer_pages.problem.values", line=wrong[:60])
        elif one.kind == "format":
            if given["format:kind"] not in ("", *get_args(FormatKind)):
                found[one.name] = text("layer_pages.problem.choice")
            elif not _DECIMALS.fullmatch(given["format:decimals"].strip()):
                found[one.name] = text("layer_pages.problem.decimals")
        elif one.name == "currency" and not re.fullmatch("[A-Z]{3}", value):
            found[one.name] = text("layer_pages.problem.currency")
    return found


def changes_of(thing: Thing, given: Typed, layer_text: str) -> dict[Path, Any]:
    """Return what was typed as changes of the layer's text: of the fields that say something else now."""
    found: dict[Path, Any] = {}
    data = read_document(layer_text).data
    for one in thing.fields:
        if one.kind == "columns":
            before = {c for c, _ in one.options if thing.shown.get(f"{one.name}:{c}")}
            now = [c for c, _ in one.options if given.get(f"{one.name}:{c}")]
            if set(now) != before:
                found[(*thing.path, one.name)] = now or None
        elif one.kind == "format":
            keys = [f"format:{part}" for part in ("kind", "decimals", "unit")]
            if any(given[key].strip() != thing.shown[key] for key in keys):
                found[(*thing.path, "format")] = _format(given, _given_at(data, (*thing.path, "format")))
        elif one.kind == "values":
            found |= _values(thing, given[one.name], _given_at(data, (*thing.path, "values")))
        elif given[one.name].strip() != thing.shown[one.name].strip():
            path = _path(thing, one.name)
            found[path] = _value(one, given[one.name])
    calendar = {path[1]: value for path, value in found.items() if path[:1] == ("calendar",)}
    if calendar and not isinstance(_given_at(data, ("calendar",)), dict):
        found = {path: value for path, value in found.items() if path[:1] != ("calendar",)} | {("calendar",): calendar}
    return found


def _path(thing: Thing, name: str) -> Path:
    if name in ("fiscal_year_start", "fiscal_year_named_by"):
        return ("calendar", name)
    return (*thing.path, "hidden" if name == "hidden_entity" else name)


def _value(one: Field, given: str) -> Any:
    if one.kind == "flag":
        return True if given.strip() else None
    if one.kind == "lines":
        return _lines(given) or None
    value = given.strip()
    return int(value) if one.name == "fiscal_year_start" else (value or None)


def _lines(given: str) -> list[str]:
    return list(dict.fromkeys(line.strip() for line in given.splitlines() if line.strip()))


def _format(given: Typed, before: Any) -> dict[str, Any] | None:
    kind, decimals, unit = (given[f"format:{part}"].strip() for part in ("kind", "decimals", "unit"))
    if not kind:
        return None
    made: dict[str, Any] = {"kind": kind}
    if decimals:
        made["decimals"] = int(decimals)
    if isinstance(before, dict) and before.get("currency") and kind == "currency":
        made["currency"] = before["currency"]
    if unit:
        made["unit"] = unit
    return made


def _values(thing: Thing, given: str, before: Any) -> dict[Path, Any]:
    """Return changes of single values, so that the others stay as they are written."""
    now: dict[str, list[str]] = {}
    for line in _lines(given):
        stored, _, said = line.partition("=")
        now[stored.strip()] = [name.strip() for name in said.split(",") if name.strip()]
    if given.strip() == thing.shown["values"].strip():
        return {}
    path = (*thing.path, "values")
    if not now:
        return {path: None}
    if not isinstance(before, dict) or not before or not (set(before) & set(now)):
        return {path: now}
    found: dict[Path, Any] = {(*path, stored): said for stored, said in now.items() if before.get(stored) != said}
    return found | {(*path, stored): None for stored in before if stored not in now}


def _given_at(data: Any, path: Path) -> Any:
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return data


# ── row filters ───────────────────────────────────────────────────────────────────────────────────────────────────────


def attributes_of(filters: Iterable[str | None]) -> list[str]:
    """Return the attributes that row filters ask of a person.

    >>> attributes_of(["agence = {agence}", None, "region IN ({region}, {agence})"])
    ['agence', 'region']
    """
    found: dict[str, None] = {}
    for condition in filters:
        found |= dict.fromkeys(bind_attributes(condition)[1] if condition else ())
    return list(found)


def explained(row_filter: str) -> str:
    """Return what a row filter does, in a sentence."""
    simple = _SIMPLE.fullmatch(row_filter)
    if simple is not None:
        return text("layer_pages.filter_simple", column=simple["column"], name=simple["name"])
    names = attributes_of([row_filter])
    if not names:
        return text("layer_pages.filter_same")
    return text(
        "layer_pages.filter_other",
        names=", ".join(text("layer_pages.quoted", name=name) for name in names),
        count=len(names),
    )
