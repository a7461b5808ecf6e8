"""Whether a measure is net of tax or with it, by the columns it is made of.

What labels say comes first (the builder reads them). Where they say nothing, a column named ``mt_ht`` or ``total_ttc`` does,
and a formula is what its amounts are. Columns of both kinds (a tax as their difference) make neither.
"""

from __future__ import annotations

import re
from typing import Literal

from datapilot_kernel.semantic.model import Layer

Tax = Literal["net_of_tax", "with_tax"]

_NAME = re.compile(r"[^\W\d]\w*")
_PART = re.compile(r"\{([^{}]+)\}")


def tax_of_columns(layer: Layer, ref: str) -> Tax | None:
    """Return what the columns of a measure of money say of its tax; None: nothing, or both."""
    words = _words(layer, ref, 0)
    if words == {"ht"}:
        return "net_of_tax"
    return "with_tax" if words == {"ttc"} else None


def _words(layer: Layer, ref: str, depth: int) -> set[str]:
    measure = layer.measure(ref)
    if measure.formula is not None:
        if depth > 4:
            return set()
        found: set[str] = set()
        for part in _PART.findall(measure.formula):
            inner = part if "." in part else f"{ref.partition('.')[0]}.{part}"
            try:
                found |= _words(layer, inner, depth + 1)
            except KeyError:
                return set()
        return found
    if measure.format.kind != "currency" or measure.expression is None:
        return set()
    return {w for name in _NAME.findall(measure.expression.lower()) for w in name.split("_")} & {"ht", "ttc"}
