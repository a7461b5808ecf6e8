"""One thing of a layer's text changed, and not a character of the rest.

A layer is kept as its author wrote it: comments, order, quotes, blank lines. A form that changes a label must not rewrite
the file. So a change is a splice: the text's node tree says where the old value begins and ends, and only that span is
written anew. What comes out is read again and compared with what was meant; where the two differ (an exotic way of
writing), nothing is changed and :class:`~datapilot_kernel.errors.LayerProblem` ``semantic.not_editable`` says so.

Changes name a path and a value; ``None`` removes the key. Parents have to be there: what is new is written whole.

Rejected: writing the layer out again (``dump_layer``: comments and order are gone), and a round-trip library (it keeps
comments, yet rewraps, requotes and indents anew what nobody touched, and reads ``NO`` and ``010`` by rules of its own).
What remains: a comment on the very line of a value that is removed goes with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import yaml

from datapilot_kernel.errors import LayerProblem
from datapilot_kernel.semantic import model
from datapilot_kernel.semantic.document import Path, read_document

Value = str | bool | int | list[str] | Mapping[str, Any]
"""What a key may be given: a scalar, a list of texts, or a mapping of these."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BREAKS = {"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029", "\ufeff": "\\ufeff", "\x7f": "\\u007f"}
_ORDERS: dict[str, tuple[str, ...]] = {
    "entities": tuple(model.Entity.model_fields),
    "dimensions": tuple(model.Dimension.model_fields),
    "measures": tuple(model.Measure.model_fields),
    "joins": tuple(model.Join.model_fields),
}


class _Inexpressible(Exception):
    """A way of writing that a splice cannot serve."""


@dataclass(frozen=True)
class _Splice:
    start: int
    end: int
    text: str


def edit_text(text: str, changes: Mapping[Path, Value | None]) -> str:
    r"""Return the text with those values changed; everything else stays as it was written.

    Parameters
    ----------
    changes
        By path: ``("entities", "commande", "label")``. None removes the key; removing what is not there is nothing.

    Raises
    ------
    LayerProblem
        ``semantic.not_editable``: the text cannot be read, a parent is missing, or it is written in a way that a change of
        one value cannot be confined to.

    Examples
    --------
    >>> text = "entities:\n  a:  # ours\n    table: t\n    label: x # old\n"
    >>> print(edit_text(text, {("entities", "a", "label"): "y"}))
    entities:
      a:  # ours
        table: t
        label: y # old
    <BLANKLINE>
    """
    before = read_document(text)
    if not isinstance(before.data, dict) or any(f.severity == "error" for f in before.findings):
        raise _not_editable("the text cannot be read")
    wanted = deepcopy(before.data)
    for path, value in changes.items():
        _put(wanted, path, value)
    if wanted == before.data:
        return text
    try:
        edited = _spliced(text, changes)
    except (_Inexpressible, yaml.YAMLError) as error:
        raise _not_editable(str(error)) from None
    after = read_document(edited)
    if after.findings or after.data != wanted:
        raise _not_editable("the edited text does not say what was meant")
    return edited


def _not_editable(why: str) -> LayerProblem:
    return LayerProblem("semantic.not_editable", log=f"semantic.not_editable: {why}"[:300])


def _put(data: Any, path: Path, value: Value | None) -> None:
    for part in path[:-1]:
        data = data.get(part) if isinstance(data, dict) else None
    if not isinstance(data, dict):
        raise _not_editable("a parent is not there")
    if value is None:
        data.pop(path[-1], None)
    else:
        data[path[-1]] = _as_read(value)


def _as_read(value: Any) -> Any:
    """Return a value as the reader of layers gives it: every scalar is text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _as_read(one) for key, one in value.items()}
    return [_as_read(one) for one in value] if isinstance(value, list) else value


# ── where ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _spliced(text: str, changes: Mapping[Path, Value | None]) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    by_parent: dict[Path, dict[str, Value | None]] = {}
    for path, value in changes.items():
        by_parent.setdefault(path[:-1], {})[path[-1]] = value
    splices: list[_Splice] = []
    for parent, given in by_parent.items():
        node = _at(root, parent)
        plain = not (isinstance(root, yaml.MappingNode) and root.flow_style)  # a JSON file stays one: all is quoted
        splices += _in_flow(text, node, given, plain) if node.flow_style else _in_block(text, node, given, parent)
    return _applied(text, splices)


def _at(node: Any, path: Path) -> yaml.MappingNode:
    for part in path:
        found = next((v for k, v in node.value if k.value == part), None) if isinstance(node, yaml.MappingNode) else None
        node = found
    if not isinstance(node, yaml.MappingNode):
        raise _Inexpressible("a parent is not a mapping")
    return node


def _applied(text: str, splices: list[_Splice]) -> str:
    ordered: list[_Splice] = []
    for splice in sorted(splices, key=lambda s: (s.start, s.end)):
        last = ordered[-1] if ordered else None
        if last is not None and splice.start < last.end:
            if last.text or splice.text:
                raise _Inexpressible("two changes meet")
            ordered[-1] = _Splice(last.start, max(last.end, splice.end), "")
            continue
        ordered.append(splice)
    for splice in reversed(ordered):
        text = text[: splice.start] + splice.text + text[splice.end :]
    return text


def _in_block(text: str, node: yaml.MappingNode, given: Mapping[str, Value | None], parent: Path) -> list[_Splice]:
    entries = {key.value: (key, value) for key, value in node.value}
    splices = []
    for name, value in given.items():
        if name not in entries:
            continue
        key, old = entries[name]
        if value is None:
            splices.append(_line_of(text, key, old))
        else:
            splices.append(_replaced(text, key, old, value))
    gone = {name for name, value in given.items() if value is None}
    staying = [(k, v) for k, v in node.value if k.value not in gone]
    new = {name: value for name, value in given.items() if value is not None and name not in entries}
    if new and not staying:
        raise _Inexpressible("nothing stays beside what is new")
    order = _order(parent)
    by_place: dict[int, list[str]] = {}
    indent = " " * node.value[0][0].start_mark.column
    for name in sorted(new, key=lambda n: order.index(n) if n in order else len(order)):
        place, before_first = _place_for(text, name, staying, order)
        line = f"{_scalar(name, flow=False)}: {_written(new[name], flow=False)}"
        by_place.setdefault(place, []).append(f"{line}\n{indent}" if before_first else f"\n{indent}{line}")
    return splices + [_Splice(place, place, "".join(lines)) for place, lines in by_place.items()]


def _order(parent: Path) -> tuple[str, ...]:
    if not parent:
        return tuple(model.Layer.model_fields)
    if parent == ("calendar",):
        return tuple(model.Calendar.model_fields)
    return _ORDERS.get(parent[-2], ()) if len(parent) >= 2 else ()


def _place_for(text: str, name: str, staying: list[tuple[Any, Any]], order: tuple[str, ...]) -> tuple[int, bool]:
    """Return where a new key is written: behind the last one that comes before it in the format, or in front of all."""
    if name in order:
        before = [(k, v) for k, v in staying if k.value in order and order.index(k.value) < order.index(name)]
        if not before:
            return staying[0][0].start_mark.index, True
        after = max(before, key=lambda entry: entry[0].start_mark.index)
    else:
        after = staying[-1]
    return _line_end(text, _end(text, after[1])), False


def _replaced(text: str, key: Any, old: Any, value: Value, *, flow: bool = False, plain: bool = True) -> _Splice:
    colon = text.index(":", key.end_mark.index) + 1
    written = _written(value, flow=flow, plain=plain)
    same_line = old.start_mark.line == key.end_mark.line and old.start_mark.index > colon
    start = old.start_mark.index if same_line else colon
    return _Splice(start, max(_end(text, old), colon), written if same_line else f" {written}")


def _line_of(text: str, key: Any, old: Any) -> _Splice:
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    if text[start : key.start_mark.index].strip():
        raise _Inexpressible("the key does not begin its line")
    return _Splice(start, min(_line_end(text, max(_end(text, old), key.end_mark.index)) + 1, len(text)), "")


def _in_flow(text: str, node: yaml.MappingNode, given: Mapping[str, Value | None], plain: bool) -> list[_Splice]:
    splices, entries = [], list(node.value)
    for at, (key, old) in enumerate(entries):
        if key.value not in given:
            continue
        value = given[key.value]
        if value is not None:
            splices.append(_replaced(text, key, old, value, flow=True, plain=plain))
        elif at + 1 < len(entries):
            splices.append(_Splice(key.start_mark.index, entries[at + 1][0].start_mark.index, ""))
        else:
            start = _end(text, entries[at - 1][1]) if at else key.start_mark.index
            splices.append(_Splice(start, _end(text, old), ""))
    known = {key.value for key, _ in entries}
    new = [
        f"{_scalar(name, flow=True, plain=plain)}: {_written(value, flow=True, plain=plain)}"
        for name, value in given.items()
        if value is not None and name not in known
    ]
    if new and entries:
        place = _end(text, entries[-1][1])
        splices.append(_Splice(place, place, "".join(f", {one}" for one in new)))
    elif new:
        place = node.start_mark.index + 1
        splices.append(_Splice(place, place, ", ".join(new)))
    return splices


def _end(text: str, node: Any) -> int:
    """Return where a node's own text ends: a block's ends with its last leaf, not with what follows it."""
    if isinstance(node, yaml.ScalarNode):
        end: int = node.end_mark.index
        if node.style in ("|", ">"):
            return len(text[:end].rstrip())
        return end
    if node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(text, last[1] if isinstance(node, yaml.MappingNode) else last)


def _line_end(text: str, index: int) -> int:
    found = text.find("\n", index)
    return len(text) if found < 0 else found


# ── what ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _written(value: Any, *, flow: bool, plain: bool = True) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        inside = (
            f"{_scalar(str(k), flow=True, plain=plain)}: {_written(v, flow=True, plain=plain)}" for k, v in value.items()
        )
        return "{" + ", ".join(inside) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_written(one, flow=True, plain=plain) for one in value) + "]"
    return _scalar(value, flow=flow, plain=plain)


def _scalar(value: str, *, flow: bool, plain: bool = True) -> str:
    """Return a text as it is where YAML reads it as it is, else between double quotes.

    >>> _scalar("chiffre d’affaires", flow=False), _scalar("a: b", flow=False), _scalar("a, b", flow=True)
    ('chiffre d’affaires', '"a: b"', '"a, b"')
    """
    if plain and value not in _NULLS and "\n" not in value and _reads_as_itself(value, flow):
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    for character, escape in _BREAKS.items():
        quoted = quoted.replace(character, escape)
    return quoted


def _reads_as_itself(value: str, flow: bool) -> bool:
    # As an item and as a key: it may come to stand as either.
    for sample in (f"[{value}]", f"{{{value}: 0}}") if flow else (f"- {value}", f"{value}: 0"):
        try:
            node = yaml.compose(sample, Loader=yaml.SafeLoader)
        except yaml.YAMLError:
            return False
        if not isinstance(node, yaml.CollectionNode) or len(node.value) != 1:
            return False
        leaf = node.value[0] if isinstance(node, yaml.SequenceNode) else node.value[0][0]
        if not isinstance(leaf, yaml.ScalarNode) or leaf.style is not None or leaf.value != value:
            return False
    return True
