"""A catalog in the platform's database: compressed JSON, read back once per version and kept.

500 tables of 20 columns are some megabytes of JSON; compressed they are a tenth, and a version already in memory is not read
again: it is immutable.
"""

from __future__ import annotations

import base64
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from datapilot_kernel.catalog.model import Catalog

_FORMAT = 1
_MOST_KEPT = 128


def pack(catalog: Catalog) -> dict[str, Any]:
    """Return what is stored in ``data_sources.schema_cache``."""
    raw = catalog.model_dump_json().encode()
    return {
        "format": _FORMAT,
        "tables": len(catalog.tables),
        "zlib": base64.b64encode(zlib.compress(raw, 6)).decode("ascii"),
    }


def unpack(stored: dict[str, Any]) -> Catalog | None:
    """Return the catalog that was stored; None when it is in a form of another release (it is then introspected again)."""
    if stored.get("format") != _FORMAT:
        return None
    return Catalog.model_validate_json(zlib.decompress(base64.b64decode(stored["zlib"])))


class CatalogCache:
    """The catalogs lately used, by tenant, source and moment. Thread-safe."""

    def __init__(self, most_kept: int = _MOST_KEPT) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str, str], Catalog] = OrderedDict()
        self._most_kept = most_kept

    def get(self, tenant_id: str, source_id: str, stamp: str, read: Callable[[], dict[str, Any] | None]) -> Catalog | None:
        """Return the catalog stored at ``stamp``, from memory when it is there, else by ``read``."""
        key = (tenant_id, source_id, stamp)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        stored = read()
        found = unpack(stored) if stored is not None else None
        if found is not None:
            with self._lock:
                self._kept[key] = found
                while len(self._kept) > self._most_kept:
                    self._kept.popitem(last=False)
        return found

    def forget(self, tenant_id: str, source_id: str | None = None) -> None:
        """Drop what is kept of a source; of the whole tenant: None."""
        with self._lock:
            for key in [k for k in self._kept if k[0] == tenant_id and source_id in (None, k[1])]:
                del self._kept[key]
