"""The room of the catalog: what introspection found in a source, and how its names read.

``introspect(source) -> Catalog``; ``detect_changes(old, new)``. Loaded when first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datapilot_kernel.catalog.changes import Change, detect_changes
    from datapilot_kernel.catalog.introspection import Progress, introspect
    from datapilot_kernel.catalog.model import Catalog, Column, ForeignKey, Table

__all__ = ["Catalog", "Change", "Column", "ForeignKey", "Progress", "Table", "detect_changes", "introspect"]

_HOMES = {
    "Catalog": "model", "Column": "model", "ForeignKey": "model", "Table": "model", "Change": "changes",
    "detect_changes": "changes",
    "Progress": "introspection", "introspect": "introspection",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
