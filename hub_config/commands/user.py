"""``datapilot user password-link``: a link for a person who cannot sign in, when no administrator can make one."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from datapilot_kernel.messages import text


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command and its action."""
    from hub_config.commands.opening import add_data_option

    help_ = text("people.command.user_help")
    parser = subparsers.add_parser("user", help=help_, description=help_)
    actions = parser.add_subparsers(dest="action", metavar=text("people.command.action"), required=True)
    link_help = text("people.command.password_link_help")
    link = actions.add_parser("password-link", help=link_help, description=link_help)
    link.add_argument("--tenant", required=True, metavar="ID", help=text("people.command.tenant"))
    link.add_argument("--email", required=True, help=text("people.command.email"))
    link.add_argument("--json", action="store_true", help=text("people.command.json"))
    add_data_option(link)
    link.set_defaults(run=password_link)


def password_link(args: argparse.Namespace) -> int:
    """Print the link."""
    from datapilot_kernel.errors import BadInput
    from hub_config.commands.opening import opened_people, settings_of, tenant_named
    from hub_config.errors import NotFound
    from hub_config.people.letters import shown_moment

    with opened_people(settings_of(args)) as (database, people):
        tenant = tenant_named(database, args.tenant)
        try:
            user = people.accounts.find(tenant.id, args.email)
        except NotFound:
            raise BadInput("people.command.unknown_user", email=args.email) from None
        link = people.resets.link(None, tenant.id, user.id)
    if args.json:
        print(json.dumps({"user_id": user.id, "link": link.url, "expires_at": link.expires_at.isoformat()}))
        return 0
    said = text("people.command.link_made", email=user.email, until=shown_moment(link.expires_at))
    print(said, file=sys.stderr)
    print(link.url)
    return 0
