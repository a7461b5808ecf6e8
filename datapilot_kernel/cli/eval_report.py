"""A comparison of two runs on a terminal: the figures side by side, then each question that changed, and why."""

from __future__ import annotations

from datapilot_kernel.cli.common import note
from datapilot_kernel.cli.terminal import aligned
from datapilot_kernel.engine.comparison import Comparison, Difference, Totals
from datapilot_kernel.messages import text

MOST_SHOWN = 40


def show_comparison(found: Comparison) -> None:
    """Print a comparison on standard error; the JSON report has all of it."""
    note("")
    header = ["", text("cli.compare_before"), text("cli.compare_after")]
    rows = [
        [text(f"cli.compare.{name}"), _figure(found.before, name), _figure(found.after, name)]
        for name in ("questions", "right", "wrong", "answered", "latency", "cost")
    ]
    for line in aligned(header, rows, [False, True, True]):
        note(line)
    fixed, broken, changed = found.count("fixed"), found.count("broken"), found.count("changed")
    note("\n" + text("cli.compare_summary", same=found.same, fixed=fixed, broken=broken, changed=changed))
    if found.only_before or found.only_after:
        note(text("cli.compare_only", before=found.only_before, after=found.only_after))
    if not found.differences:
        return
    note("")
    table = [_row(one) for one in found.differences[:MOST_SHOWN]]
    header = [text(f"cli.compare_column.{name}") for name in ("id", "verdict", "why", "question")]
    for line in aligned(header, table, [False] * 4):
        note(line)
    if len(found.differences) > MOST_SHOWN:
        note(text("cli.more_rows", count=len(found.differences) - MOST_SHOWN))


def _row(one: Difference) -> list[str]:
    why = ", ".join(text(f"cli.reason.{reason}") for reason in one.reasons)
    if "outcome" in one.reasons:
        why += f" ({one.before.get('outcome')} → {one.after.get('outcome')})"
    return [str(one.id), text(f"cli.verdict.{one.verdict}"), why, one.question]


def _figure(totals: Totals, name: str) -> str:
    given = totals.to_json()
    if name == "latency":
        return f"{given['latency_p50_ms']:.0f} ms"
    if name == "cost":
        return f"{totals.cost_microeuros / 1_000_000:.4f} €"
    return str(given[name])
