"""Axes and colours of the charts: round ticks, written by the formatter, in French, without a locale file to load.

Plotly can write numbers with our separators (``layout.separators``) but neither « 1,2 M€ » nor « mars 2025 » without a
locale bundle that JupyterLab does not ship: ticks are therefore placed and written here. Grey text of middle lightness and
transparent backgrounds read on light and dark themes alike; the palette (Okabe and Ito's, reordered) is told apart by
colour-blind people.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from datapilot_kernel.answers.formats import Formatter, number_locale
from datapilot_kernel.semantic.model import Format

PALETTE = ("#2f7ed8", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8a6fd1", "#b8a800")
MUTED = "#9aa5b1"
TEXT = "#7d7d7d"
GRID = "rgba(128,128,128,0.22)"


def value_axis(numbers: list[float], format: Format, formatter: Formatter) -> dict[str, Any]:
    """Return an axis for figures, from 0, with at most seven round ticks written short."""
    scale = 100.0 if format.kind == "percent" else 1.0
    ticks = round_ticks(min([0.0, *numbers]) * scale, max([0.0, *numbers]) * scale)
    return {
        "tickvals": [t / scale for t in ticks],
        "ticktext": [formatter.compact(Decimal(repr(t)) / Decimal(repr(scale)), format) for t in ticks],
        "rangemode": "tozero",
        "gridcolor": GRID,
        "zerolinecolor": "rgba(128,128,128,0.45)",
        "automargin": True,
        "fixedrange": True,
    }


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers that span ``low`` to ``high``.

    >>> round_ticks(0, 87)
    [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    """
    if not math.isfinite(high - low) or high - low <= max(abs(low), abs(high), 1e-6) * 1e-9:
        return [0.0, 1.0]
    raw = (high - low) / most
    power = 10 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= raw * 0.999999)
    first, last = math.floor(low / step), math.ceil(high / step - 1e-9)
    digits = max(0, 2 - math.floor(math.log10(step)))
    return [round(i * step, digits) + 0.0 for i in range(first, last + 1)]


def thinned(positions: list[Any], labels: list[str], most: int = 10) -> tuple[list[Any], list[str]]:
    """Keep about ``most`` ticks, evenly, the last one always."""
    step = max(1, math.ceil(len(positions) / most))
    kept = list(range((len(positions) - 1) % step, len(positions), step))
    return [positions[i] for i in kept], [labels[i] for i in kept]


def layout(formatter: Formatter, *, height: int, legend: bool, title: str | None = None) -> dict[str, Any]:
    """Return what every chart shares. ``title`` says what is measured, where no legend does."""
    marks = number_locale(formatter.language)
    named = {"text": title, "x": 0, "xref": "container", "xanchor": "left", "font": {"size": 13}, "pad": {"l": 8}}
    return {
        **({"title": named} if title else {}),
        "autosize": True,
        "height": height,
        "margin": {"l": 8, "r": 24, "t": 40 if legend or title else 16, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13, "color": TEXT},
        "colorway": list(PALETTE),
        "separators": marks["decimal"] + marks["thousands"],
        "hoverlabel": {"font": {"size": 13}},
        "showlegend": legend,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
        "dragmode": False,
    }
