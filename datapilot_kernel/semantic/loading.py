"""Text to layer and back.

``load_layer`` raises on the first file that is not a layer, with every line that is wrong; whether what it says is true
of a database is :mod:`.check`'s question. ``dump_layer`` writes what a person would have written: defaults left out,
short lists on one line, the same text for the same layer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from datapilot_kernel.errors import LayerProblem
from datapilot_kernel.messages import text as message
from datapilot_kernel.semantic.document import Document, read_document
from datapilot_kernel.semantic.findings import Finding
from datapilot_kernel.semantic.model import Layer

_SHOWN = 10


def load_layer(source: str | Path) -> Layer:
    """Return the layer that a text or a file holds (YAML or JSON).

    Parameters
    ----------
    source
        A ``Path``, or the text itself. A one-line string that ends in ``.yaml``, ``.yml`` or ``.json`` is a path.

    Raises
    ------
    LayerProblem
        ``semantic.file_missing``, ``semantic.file_unreadable``, or ``semantic.invalid``, whose ``values["findings"]``
        are the :class:`Finding` s and whose message says the lines.
    """
    layer, findings = parse_layer(read_layer_text(source))
    errors = [f for f in findings if f.severity == "error"]
    if layer is None or errors:
        raise LayerProblem(
            "semantic.invalid",
            log="semantic.invalid: " + ", ".join(f"{f.code}@{f.line}" for f in errors[:_SHOWN]),
            count=len(errors),
            details="\n".join(message("semantic.at_line", line=f.line, message=f.message) for f in errors[:_SHOWN]),
            findings=tuple(errors),
        )
    return layer


def read_layer_text(source: str | Path) -> str:
    """Return the text of a layer given as a path or as itself. Raises LayerProblem."""
    if isinstance(source, str):
        one_line = source.strip()
        if "\n" in one_line or not one_line.lower().endswith((".yaml", ".yml", ".json")):
            return source
        source = Path(one_line)
    try:
        return source.expanduser().read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise LayerProblem("semantic.file_missing", name=source.name) from None
    except (OSError, UnicodeDecodeError) as error:
        raise LayerProblem("semantic.file_unreadable", name=source.name, log=type(error).__name__) from None


def parse_layer(text: str) -> tuple[Layer | None, list[Finding]]:
    """Return the layer (None when it is not one) and what is wrong with its form."""
    layer, document = parse_document(text)
    return layer, document.findings


def parse_document(text: str) -> tuple[Layer | None, Document]:
    """Return the layer, if the text is one, and the document with places and findings."""
    document = read_document(text)
    if document.data is None:
        return None, document
    if not isinstance(document.data, dict):
        document.findings.append(document.finding("not_a_layer", ()))
        return None, document
    try:
        layer = Layer.model_validate(document.data)
    except ValidationError as error:
        document.findings.extend(
            _explain(document, problem) for problem in error.errors(include_url=False, include_input=False)
        )
        document.findings.sort()
        return None, document
    return layer, document


def _explain(document: Document, problem: Any) -> Finding:
    """Turn one of pydantic's errors into a sentence at a line; the offending value is not repeated (it may be long)."""
    path = tuple(str(part) for part in problem["loc"] if part != "[key]")
    kind, context, name = problem["type"], problem.get("ctx") or {}, path[-1] if path else "version"
    if "[key]" in problem["loc"]:
        return document.finding("bad_name", path, name=name)
    match kind:
        case "extra_forbidden":
            return document.finding("unknown_key", path, name=name, known=", ".join(_known_keys(path)))
        case "missing":
            return document.finding("missing_key", path, name=name)
        case "literal_error":
            return document.finding("not_one_of", path, value=True, name=name, expected=str(context.get("expected", "")))
        case "string_pattern_mismatch":
            return document.finding("bad_pattern", path, value=True, name=name, pattern=str(context.get("pattern", "")))
        case "int_parsing" | "int_type" | "int_from_float":
            return document.finding("not_a_number", path, value=True, name=name)
        case "bool_parsing" | "bool_type":
            return document.finding("not_a_boolean", path, value=True, name=name)
        case "string_type":
            return document.finding("not_a_text", path, value=True, name=name)
        case "tuple_type" | "list_type":
            return document.finding("not_a_list", path, value=True, name=name)
        case "dict_type" | "model_type" | "model_attributes_type":
            return document.finding("not_a_mapping", path, value=True, name=name)
        case "greater_than_equal" | "less_than_equal":
            limit = context.get("ge", context.get("le"))
            return document.finding("out_of_range", path, value=True, name=name, limit=str(limit))
        case "too_short":
            return document.finding("too_short", path, value=True, name=name)
        case "value_error":
            # The three rules of the model that span two keys; their place in the tree says which one.
            if "dimensions" in path:
                return document.finding("dimension_origin", path, name=name)
            filtered = isinstance(_value_at(document.data, path), dict) and "filter" in _value_at(document.data, path)
            both = "formula" in (_value_at(document.data, path) or {}) and "expression" not in (
                _value_at(document.data, path) or {}
            )
            return document.finding("formula_filter" if filtered and both else "measure_origin", path, name=name)
        case _:
            return document.finding("bad_value", path, value=True, name=name)


def _value_at(data: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data


def _known_keys(path: tuple[str, ...]) -> list[str]:
    """Return the keys allowed where an unknown one stands."""
    from datapilot_kernel.semantic import model

    owner: type[Any] = Layer
    parents = path[:-1]
    if parents:
        kinds = {"calendar": model.Calendar, "format": model.Format, "joins": model.Join, "entities": model.Entity}
        kinds |= {"dimensions": model.Dimension, "measures": model.Measure}
        for part in parents[::1]:
            owner = kinds.get(part, owner)
    return sorted(owner.model_fields)


class _Dumper(yaml.SafeDumper):
    """Block style for mappings, one line for short lists of scalars and for formats."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_list(dumper: _Dumper, data: list[Any]) -> yaml.Node:
    short = all(isinstance(item, str) for item in data) and sum(len(item) + 2 for item in data) <= 90
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=short)


def _represent_dict(dumper: _Dumper, data: dict[str, Any]) -> yaml.Node:
    flow = bool(data) and "kind" in data and set(data) <= {"kind", "decimals", "currency", "unit"}
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=flow)


_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(dict, _represent_dict)

_ALWAYS = ("version", "name", "description", "status", "language", "sql_dialect", "currency", "calendar")


def dump_layer(layer: Layer) -> str:
    """Return the layer as YAML; ``load_layer(dump_layer(layer)) == layer``."""
    whole = layer.model_dump(mode="json")
    short = layer.model_dump(mode="json", exclude_defaults=True)
    data: dict[str, Any] = {}
    for key in _ALWAYS:
        if whole[key] is not None:
            data[key] = whole[key]
    for key in ("questions", "entities", "joins"):
        if short.get(key) or key == "entities":
            data[key] = short.get(key, {})
    return str(yaml.dump(data, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120, default_flow_style=False))
