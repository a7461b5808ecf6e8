"""``datapilot platform``: the operator's work on the platform's database: migrate it, sweep what is kept too long."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from datapilot_kernel.messages import text
from hub_config.commands.opening import add_data_option


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command and its actions."""
    help_ = text("operations.platform_help")
    parser = subparsers.add_parser("platform", help=help_, description=help_)
    actions = parser.add_subparsers(dest="action", metavar=text("people.command.action"), required=True)
    help_ = text("operations.migrate_help")
    migrate = actions.add_parser("migrate", help=help_, description=help_)
    migrate.add_argument("--erase-everything", action="store_true", help=text("operations.migrate_erase"))
    migrate.add_argument("--to", metavar="REVISION", default="head", help=text("operations.migrate_to"))
    add_data_option(migrate)
    migrate.set_defaults(run=migrate_database)
    sweep = actions.add_parser(
        "retention", help=text("operations.retention_help"), description=text("operations.retention_help")
    )
    sweep.add_argument("--json", action="store_true", help=text("people.command.json"))
    add_data_option(sweep)
    sweep.set_defaults(run=sweep_all)


def migrate_database(args: argparse.Namespace) -> int:
    """Bring the database to a revision: the newest, or back to an older one before an older release is installed."""
    from hub_config.commands.opening import settings_of
    from hub_config.database import migrate

    if args.to == "base" and not args.erase_everything:
        print(text("operations.migrate_not_confirmed"), file=sys.stderr)
        return 1
    settings = settings_of(args)
    url, admin = settings.resolved_database_url(), settings.database_admin_url
    if admin is None:
        migrate(url, args.to)
    else:
        migrate(admin.get_secret_value(), args.to, application_url=url)
    print(text("operations.migrated", revision=args.to), file=sys.stderr)
    return 0


def sweep_all(args: argparse.Namespace) -> int:
    """Sweep every tenant, and say how many rows went."""
    from hub_config.commands.opening import opened_database, settings_of
    from hub_config.operations.retention import Retention

    settings = settings_of(args)
    with opened_database(settings) as database:
        swept = Retention(settings, database).sweep_all()
    if args.json:
        print(json.dumps({tenant: vars(rows) for tenant, rows in swept.items()}))
        return 0
    for tenant, rows in swept.items():
        print(
            text(
                "operations.swept",
                tenant=tenant,
                history=rows.history_rows,
                audit=rows.audit_rows,
                other=rows.other_rows,
            )
        )
    return 0
