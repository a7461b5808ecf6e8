"""``datapilot tenant create``: an organisation and its first administrator, for the operator of the installation."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from datapilot_kernel.messages import text


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command and its actions."""
    help_ = text("people.command.tenant_help")
    parser = subparsers.add_parser("tenant", help=help_, description=help_)
    actions = parser.add_subparsers(dest="action", metavar=text("people.command.action"), required=True)
    _register_create(actions)
    _register_departure(actions)


def _register_create(actions: argparse._SubParsersAction[Any]) -> None:
    from hub_config.commands.opening import add_data_option

    help_ = text("people.command.tenant_create_help")
    create = actions.add_parser("create", help=help_, description=help_)
    create.add_argument("name", metavar="NAME", help=text("people.command.tenant_name"))
    create.add_argument("--email", required=True, help=text("people.command.email"))
    create.add_argument("--full-name", default="", metavar="NAME", help=text("people.command.full_name"))
    create.add_argument("--json", action="store_true", help=text("people.command.json"))
    add_data_option(create)
    create.set_defaults(run=create_tenant)


def _register_departure(actions: argparse._SubParsersAction[Any]) -> None:
    from hub_config.commands.opening import add_data_option

    delete = actions.add_parser(
        "delete", help=text("operations.tenant_delete_help"), description=text("operations.tenant_delete_help")
    )
    delete.add_argument("--confirm", metavar="NAME", default="", help=text("operations.tenant_delete_yes"))
    delete.set_defaults(run=delete_tenant)
    export = actions.add_parser(
        "export", help=text("operations.tenant_export_help"), description=text("operations.tenant_export_help")
    )
    export.add_argument("--to", metavar="FILE", required=True, help=text("operations.tenant_export_to"))
    export.set_defaults(run=export_tenant)
    quota = actions.add_parser(
        "quota", help=text("operations.tenant_quota_help"), description=text("operations.tenant_quota_help")
    )
    for parser in (delete, export, quota):
        parser.add_argument("tenant", metavar="TENANT", help=text("people.command.tenant_name"))
        add_data_option(parser)
    quota.add_argument("key", metavar="KEY", help=text("operations.tenant_quota_key"))
    quota.add_argument("value", metavar="VALUE", type=int, help=text("operations.tenant_quota_value"))
    quota.set_defaults(run=set_quota)


def delete_tenant(args: argparse.Namespace) -> int:
    """Delete a tenant, and print the certificate."""
    from hub_config.commands.opening import opened_platform, settings_of, tenant_named
    from hub_config.tenant.departure import plain

    with opened_platform(settings_of(args)) as platform:
        tenant = tenant_named(platform.database, args.tenant)
        if args.confirm != tenant.slug:
            print(text("operations.tenant_not_confirmed", slug=tenant.slug), file=sys.stderr)
            return 1
        certificate = platform.departure.delete(tenant.id)
    rows = sum(certificate.rows.values())
    print(text("operations.tenant_deleted", rows=rows, files=certificate.files), file=sys.stderr)
    print(json.dumps(vars(certificate), default=plain))
    return 0


def export_tenant(args: argparse.Namespace) -> int:
    """Write a tenant's export into a new file, readable by its owner alone."""
    import os
    from pathlib import Path

    from datapilot_kernel.errors import BadInput
    from hub_config.commands.opening import opened_platform, settings_of, tenant_named

    target = Path(args.to)
    with opened_platform(settings_of(args)) as platform:
        tenant = tenant_named(platform.database, args.tenant)
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise BadInput("operations.file_exists", name=target.name) from None
        with os.fdopen(descriptor, "wb") as file:
            for block in platform.departure.export(tenant.id):
                file.write(block)
    print(str(target))
    return 0


def set_quota(args: argparse.Namespace) -> int:
    """Set what a tenant may use at most."""
    from hub_config.commands.opening import opened_platform, settings_of, tenant_named

    with opened_platform(settings_of(args)) as platform:
        tenant = tenant_named(platform.database, args.tenant)
        platform.office.set_bound(tenant.id, args.key, args.value)
    print(text("operations.tenant_quota_set", key=args.key, value=args.value), file=sys.stderr)
    return 0


def create_tenant(args: argparse.Namespace) -> int:
    """Create, then print the administrator's password link: no password is ever given on a command line."""
    from hub_config.commands.opening import opened_people, settings_of
    from hub_config.people.letters import shown_moment

    with opened_people(settings_of(args)) as (_, people):
        tenant, user = people.registration.create(tenant_name=args.name, email=args.email, full_name=args.full_name)
        link = people.resets.link(None, tenant.id, user.id)
    if args.json:
        made = {"tenant_id": tenant.id, "slug": tenant.slug, "user_id": user.id, "link": link.url}
        print(json.dumps(made | {"expires_at": link.expires_at.isoformat()}))
        return 0
    until = shown_moment(link.expires_at)
    said = text("people.command.created", name=tenant.name, slug=tenant.slug, email=user.email, until=until)
    print(said, file=sys.stderr)
    print(link.url)
    return 0
