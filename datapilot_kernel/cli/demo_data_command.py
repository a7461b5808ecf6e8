"""``datapilot demo-data``: writes a demo tenant's data into a database or a folder of French CSV files."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import date, datetime
from zoneinfo import ZoneInfo

from datapilot_kernel.messages import text


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the main parser."""
    parser = subparsers.add_parser("demo-data", help=text("demo.help"), description=text("demo.description"))
    parser.add_argument("--to", required=True, metavar="S", help=text("demo.help_to"))
    parser.add_argument("--today", type=_day, default=None, metavar="YYYY-MM-DD", help=text("demo.help_today"))
    parser.add_argument(
        "--tenant", choices=("maison-lumiere", "atelier-roche"), default="maison-lumiere", help=text("demo.help_tenant")
    )
    parser.add_argument("--json", action="store_true", help=text("demo.help_json"))
    parser.set_defaults(run=run)


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise argparse.ArgumentTypeError(text("demo.not_a_day", value=value)) from None


def _reference_day(given: date | None) -> date:
    """Return the day asked for, else ``DATAPILOT_TODAY``, else today in Paris."""
    if given is not None:
        return given
    fixed = os.environ.get("DATAPILOT_TODAY")
    return _day(fixed) if fixed else datetime.now(ZoneInfo("Europe/Paris")).date()


def run(args: argparse.Namespace) -> int:
    """Generate and write; the rows of each table on standard error as they are written, the total at the end.

    Returns
    -------
    int
        0; 2 when ``DATAPILOT_TODAY`` is not a day. A source that cannot be written raises ``SourceProblem``.
    """
    from datapilot_kernel.demo.loader import load_tenant, tenants

    try:
        today = _reference_day(args.today)
    except argparse.ArgumentTypeError as error:
        print(error, file=sys.stderr)
        return 2
    tenant = tenants()[args.tenant]
    print(text("demo.begin", label=tenant.label, today=today.isoformat()), file=sys.stderr)

    def told(table: str, rows: int) -> None:
        print(text("demo.table", table=table, rows=rows, count=rows), file=sys.stderr)

    counts = load_tenant(tenant, args.to, today=today, progress=told)
    if args.json:
        print(json.dumps({"tenant": tenant.slug, "today": today.isoformat(), "rows": counts}, ensure_ascii=False))
    else:
        print(
            text("demo.done", label=tenant.label, tables=len(counts), rows=sum(counts.values()), count=sum(counts.values()))
        )
    return 0
