"""A small picture of a tile, drawn here from what its reader may see: bars, a line, or the figure itself.

Plain SVG without a script, a font or a word but the figure; colours follow the reader's theme. It stands on the gallery's
cards (as a picture of its own address, asked for with the reader's own session).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from datapilot_kernel.engine.outcome import Answer

WIDTH, HEIGHT = 320, 120
_MOST = 24
_STYLE = (
    "<style>.a{fill:#2f7ed8}.l{fill:none;stroke:#2f7ed8;stroke-width:3;stroke-linejoin:round;stroke-linecap:round}"
    ".g{stroke:#8b91a3;stroke-opacity:.35}.t{fill:#1b2138;font:650 40px system-ui,sans-serif}"
    "@media (prefers-color-scheme:dark){.a{fill:#7fb0f0}.l{stroke:#7fb0f0}.t{fill:#eceef6}}</style>"
)


def sketch(answer: Answer, chart: dict[str, Any] | None) -> str:
    """Return a picture of an answer as SVG; empty: there is nothing to draw."""
    if chart is not None:
        trace = chart["data"][0] if chart["data"] else {}
        match trace.get("type"):
            case "bar" if trace.get("orientation") == "h":
                return _bars(_numbers(trace.get("x")), flat=True)
            case "bar":
                return _bars(_numbers(trace.get("y")))
            case "pie":
                return _bars(_numbers(trace.get("values")), flat=True)
            case "scatter":
                return _line(_numbers(trace.get("y")))
            case _:
                return _grid(trace.get("z") or [])
    return _figure(answer)


def nothing() -> str:
    """Return the picture of a dashboard that this reader has not been shown yet."""
    bars = "".join(
        f'<rect class="n" x="{24 + 46 * i}" y="{HEIGHT - 16 - h}" width="30" height="{h}" rx="4"/>'
        for i, h in enumerate((34, 58, 44, 76, 62, 88))
    )
    return _svg("<style>.n{fill:#8b91a3;fill-opacity:.28}</style>" + bars)


def _numbers(values: Any) -> list[float]:
    return [float(v) if isinstance(v, (int, float)) else 0.0 for v in (values or ())]


def _bars(numbers: list[float], *, flat: bool = False) -> str:
    numbers = numbers[: _MOST if not flat else 6]
    low, high = min([0.0, *numbers]), max([0.0, *numbers])
    if not numbers or high == low:
        return ""
    across, along = (WIDTH - 24, HEIGHT - 20) if flat else (HEIGHT - 20, WIDTH - 24)
    step = along / len(numbers)
    thick = max(2.0, step * 0.68)
    parts = []
    for index, number in enumerate(numbers):
        size = max(1.5, abs(number) / (high - low) * across)
        place = (index + 0.5) * step - thick / 2
        start = (min(0.0, number) - low) / (high - low) * across
        if flat:
            parts.append(_rect(12 + start, 10 + place, size, thick))
        else:
            parts.append(_rect(12 + place, HEIGHT - 10 - start - size, thick, size))
    return _svg(_STYLE + "".join(parts))


def _line(numbers: list[float]) -> str:
    if len(numbers) < 2:
        return ""
    numbers = [numbers[round(i * (len(numbers) - 1) / min(99, len(numbers) - 1))] for i in range(min(100, len(numbers)))]
    low, high = min([0.0, *numbers]), max([0.0, *numbers])
    span = (high - low) or 1.0
    points = " ".join(
        f"{12 + i * (WIDTH - 24) / (len(numbers) - 1):.1f},{HEIGHT - 12 - (n - low) / span * (HEIGHT - 26):.1f}"
        for i, n in enumerate(numbers)
    )
    base = f'<line class="g" x1="12" x2="{WIDTH - 12}" y1="{HEIGHT - 10}" y2="{HEIGHT - 10}"/>'
    return _svg(_STYLE + base + f'<polyline class="l" points="{points}"/>')


def _grid(rows: list[list[Any]]) -> str:
    rows = [row[:_MOST] for row in rows[:6]]
    numbers = [float(v) for row in rows for v in row if isinstance(v, (int, float))]
    if not numbers or max(numbers) <= 0:
        return ""
    high = max(numbers)
    tall = (HEIGHT - 20) / len(rows)
    parts = []
    for y, row in enumerate(rows):
        wide = (WIDTH - 24) / max(1, len(row))
        for x, value in enumerate(row):
            share = max(0.0, float(value)) / high if isinstance(value, (int, float)) else 0.0
            place = f'x="{12 + x * wide:.1f}" y="{10 + y * tall:.1f}" width="{wide - 1.5:.1f}" height="{tall - 1.5:.1f}"'
            parts.append(f'<rect class="a" fill-opacity="{0.12 + 0.88 * share:.2f}" {place}/>')
    return _svg(_STYLE + "".join(parts))


def _figure(answer: Answer) -> str:
    from datapilot_kernel.answers.formats import Formatter
    from datapilot_kernel.answers.shape import shape_of
    from datapilot_kernel.messages import current_language

    shape = shape_of(answer.columns, answer.table, answer.plan)
    if shape.kind != "value" or shape.main < 0:
        return ""
    column = answer.columns[shape.main]
    shown = Formatter(language=current_language()).compact(answer.table.rows[0][shape.main], column.format)
    middle = f'x="{WIDTH / 2:.0f}" y="{HEIGHT / 2 + 14:.0f}" text-anchor="middle"'
    return _svg(f'{_STYLE}<text class="t" {middle}>{escape(shown[:18])}</text>')


def _rect(x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="a" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2"/>'


def _svg(inside: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{inside}</svg>'
