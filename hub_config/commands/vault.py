"""``datapilot vault init|status|rotate``: the keys of tenants' connections, for the operator of the installation."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from datapilot_kernel.messages import text

if TYPE_CHECKING:
    from hub_config.vault.rotation import Progress, Step


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the command and its actions."""
    from hub_config.commands.opening import add_data_option

    help_ = text("vault.command.help")
    parser = subparsers.add_parser("vault", help=help_, description=help_)
    actions = parser.add_subparsers(dest="action", metavar=text("vault.command.action"), required=True)
    for name, run in (("init", run_init), ("status", run_status), ("rotate", run_rotate)):
        said = text(f"vault.command.{name}_help")
        action = actions.add_parser(name, help=said, description=said)
        action.add_argument("--json", action="store_true", help=text("vault.command.json"))
        add_data_option(action)
        action.set_defaults(run=run)


def run_init(args: argparse.Namespace) -> int:
    """Make the key file; 1 when there is one already."""
    from hub_config.commands.opening import opened_database, settings_of
    from hub_config.vault import Vault

    settings = settings_of(args)
    vault = Vault.from_settings(settings)
    made = False
    if not vault.master.exist():
        with opened_database(settings) as database:
            vault.prepare(database)
        made = True
    kid = vault.master.newest().kid
    if args.json:
        print(json.dumps({"made": made, "path": str(vault.master.path), "kid": kid}))
    else:
        print(text("vault.command.made" if made else "vault.command.there", path=vault.master.path, kid=kid))
    return 0 if made else 1


def run_status(args: argparse.Namespace) -> int:
    """Print what the vault holds; 1 when a secret cannot be decrypted."""
    from hub_config.commands.opening import opened_database, settings_of
    from hub_config.vault import Vault, status

    settings = settings_of(args)
    with opened_database(settings) as database:
        found = status(database, Vault.from_settings(settings))
    if args.json:
        print(json.dumps(asdict(found)))
    else:
        for kid, created in found.master_keys:
            made = datetime.fromtimestamp(created, UTC).strftime("%d/%m/%Y") if created else "?"
            print(text("vault.command.master", kid=kid, made=made))
        values = {k: v for k, v in asdict(found).items() if k != "master_keys"}
        print(text("vault.command.status", **values))
    return 1 if found.unreadable_secrets else 0


def run_rotate(args: argparse.Namespace) -> int:
    """Rotate, telling how far it is; 1 when something is left to be done by running it again."""
    from hub_config.commands.opening import opened_database, settings_of
    from hub_config.vault import Vault, rotate

    settings = settings_of(args)
    shown = [0]

    def tell(step: Step, progress: Progress) -> None:
        if progress.tenant_number != shown[0] and not args.json:
            shown[0] = progress.tenant_number
            print(
                text("vault.command.progress", number=progress.tenant_number, total=progress.tenants),
                end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True,
            )  # fmt: skip

    vault = Vault.from_settings(settings)
    with opened_database(settings) as database:
        vault.prepare(database)
        found = rotate(database, vault, tell)
    if args.json:
        print(json.dumps(asdict(found)))
    else:
        done = found.done
        print(
            text(
                "vault.command.rotated", kid=vault.master.newest().kid, tenants=found.tenants,
                encrypted=done.get("encrypted", 0), rewrapped=done.get("rewrapped", 0),
            )
        )  # fmt: skip
        if found.kept_master_keys:
            print(text("vault.command.kept", count=found.kept_master_keys))
        if found.pending_tenants:
            print(text("vault.command.pending", count=found.pending_tenants), file=sys.stderr)
        if found.unreadable:
            print(text("vault.command.unreadable", count=found.unreadable), file=sys.stderr)
    return 1 if found.pending_tenants or found.unreadable else 0
