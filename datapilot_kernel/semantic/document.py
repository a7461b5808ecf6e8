"""A layer's text as data that remembers its lines.

YAML is read through its node tree, never through constructors: no tag can make an object, no alias can blow up, a key
given twice is refused, and every key and value keeps its line and column. Plain scalars stay text: the model knows what
is a number and what is a yes, the file's author need not (YAML 1.1 would read the status ``NO`` as false, and the code
``010`` as eight). JSON is read as the YAML it is; where YAML is stricter (tabs), as JSON, without places.

Rejected: ``yaml.safe_load`` (no places, last duplicate wins, ``ON`` is true).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import yaml

from datapilot_kernel.messages import text as message
from datapilot_kernel.semantic.findings import Finding

Path = tuple[str, ...]
MAX_CHARACTERS = 5_000_000
_NULLS = {"", "~", "null", "Null", "NULL"}
_MAX_DEPTH = 20


@dataclass
class Document:
    """Data, the place of every path, and what could not be read. ``data`` is None when nothing could."""

    data: Any = None
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    value_places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def place(self, path: Path, *, value: bool = False) -> tuple[int, int]:
        """Return line and column of a path, or of the nearest one above it that is in the file."""
        for end in range(len(path), -1, -1):
            if value and path[:end] in self.value_places:
                return self.value_places[path[:end]]
            if path[:end] in self.places:
                return self.places[path[:end]]
        return (1, 1)

    def finding(self, code: str, path: Path, *, severity: str = "error", value: bool = False, **values: Any) -> Finding:
        """Make a finding about a path; ``value`` points at what stands after the colon."""
        line, column = self.place(path, value=value)
        return Finding(
            line, column, "error" if severity == "error" else "warning", message(f"semantic.{code}", **values), path, code
        )


def read_document(text: str) -> Document:
    """Read YAML or JSON. Never raises: what cannot be read is a finding."""
    document = Document(places={(): (1, 1)})
    if len(text) > MAX_CHARACTERS:
        document.findings.append(document.finding("too_long", (), limit=MAX_CHARACTERS))
        return document
    try:
        if any(isinstance(token, yaml.AliasToken | yaml.AnchorToken) for token in yaml.scan(text, Loader=yaml.SafeLoader)):
            line, column = _anchor_place(text)
            document.findings.append(Finding(line, column, "error", message("semantic.no_aliases"), (), "no_aliases"))
            return document
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        if text.lstrip().startswith("{"):
            return _read_json(text)
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        document.findings.append(Finding(line, column, "error", message("semantic.not_yaml"), (), "not_yaml"))
        return document
    except yaml.YAMLError:  # characters that YAML does not allow
        document.findings.append(document.finding("not_yaml", ()))
        return document
    if node is None:
        document.findings.append(document.finding("empty", ()))
        return document
    document.data = _build(node, (), document, 0)
    return document


def _anchor_place(text: str) -> tuple[int, int]:
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.AliasToken | yaml.AnchorToken):
            return token.start_mark.line + 1, token.start_mark.column + 1
    return 1, 1


def _build(node: yaml.Node, path: Path, document: Document, depth: int) -> Any:
    here = (node.start_mark.line + 1, node.start_mark.column + 1)
    document.value_places[path] = here
    document.places.setdefault(path, here)
    if depth > _MAX_DEPTH:
        document.findings.append(document.finding("too_deep", path))
        return None
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, path)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, str(index)), document, depth + 1) for index, item in enumerate(node.value)]
    built: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            document.findings.append(document.finding("key_not_text", path))
            continue
        key = str(key_node.value)
        place = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if key in built:
            first = document.places[(*path, key)][0]
            document.findings.append(
                Finding(
                    *place, "error", message("semantic.duplicate_key", key=key, first=first), (*path, key), "duplicate_key"
                )
            )
            continue
        document.places[(*path, key)] = place
        built[key] = _build(value_node, (*path, key), document, depth + 1)
    return built


def _scalar(node: yaml.ScalarNode, path: Path) -> Any:
    value = str(node.value)
    if node.style is None:
        if value in _NULLS:
            return None
        if path == ("version",) and value.isdigit():  # the one field whose type is the number itself
            return int(value)
    return value


class _DuplicateKeyError(ValueError):
    pass


def _read_json(text: str) -> Document:
    document = Document(places={(): (1, 1)})

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in items:
            if key in seen:
                raise _DuplicateKeyError(key)
            seen[key] = value
        return seen

    try:
        document.data = json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        document.findings.append(Finding(error.lineno, error.colno, "error", message("semantic.not_yaml"), (), "not_yaml"))
    except _DuplicateKeyError as error:
        document.findings.append(document.finding("duplicate_key_json", (), key=str(error)))
    except RecursionError:
        document.findings.append(document.finding("too_deep", ()))
    return document
