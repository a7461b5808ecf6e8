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
