"""``datapilot tokens rotate``: access tokens are signed with a new key from now on; the service need not be restarted."""

from __future__ import annotations

import argparse
import json
from typing import Any

from datapilot_kernel.messages import text


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command and its action."""
    from hub_config.commands.opening import add_data_option

    help_ = text("people.command.tokens_help")
    parser = subparsers.add_parser("tokens", help=help_, description=help_)
    actions = parser.add_subparsers(dest="action", metavar=text("people.command.action"), required=True)
    rotate_help = text("people.command.rotate_help")
    rotate = actions.add_parser("rotate", help=rotate_help, description=rotate_help)
    rotate.add_argument("--json", action="store_true", help=text("people.command.json"))
    add_data_option(rotate)
    rotate.set_defaults(run=run_rotate)


def run_rotate(args: argparse.Namespace) -> int:
    """Put a new key in front of the file."""
    from hub_config.commands.opening import settings_of
    from hub_config.people.keyring import LONGEST_TOKEN_S, KeyRing

    key = KeyRing(settings_of(args).resolved_signing_key_file()).rotate(keep_seconds=LONGEST_TOKEN_S)
    print(json.dumps({"kid": key.kid}) if args.json else text("people.command.rotated", kid=key.kid))
    return 0
