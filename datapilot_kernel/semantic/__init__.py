"""The room of the semantic layer: what the tenant says its source means.

``load_layer``, ``dump_layer``, ``check_layer``, ``draft_layer``, ``json_schema``. Loaded when first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datapilot_kernel.semantic.check import check_layer
    from datapilot_kernel.semantic.draft import draft_layer
    from datapilot_kernel.semantic.findings import Finding
    from datapilot_kernel.semantic.loading import dump_layer, load_layer, parse_layer
    from datapilot_kernel.semantic.model import Layer
    from datapilot_kernel.semantic.schema import json_schema

__all__ = ["Finding", "Layer", "check_layer", "draft_layer", "dump_layer", "json_schema", "load_layer", "parse_layer"]

_HOMES = {
    "Finding": "findings", "Layer": "model", "check_layer": "check", "draft_layer": "draft", "dump_layer": "loading",
    "json_schema": "schema",
    "load_layer": "loading", "parse_layer": "loading",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
