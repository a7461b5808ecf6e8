"""What the operator's commands work with: the settings, the migrated database, the managers they name."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datapilot_kernel.messages import text

if TYPE_CHECKING:
    from hub_config.database import Database, Tenant
    from hub_config.people import People
    from hub_config.platform import Platform
    from hub_config.settings import Settings


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--data DIR``."""
    parser.add_argument("--data", metavar="DIR", type=Path, help=text("people.command.data"))


def settings_of(args: argparse.Namespace) -> Settings:
    """Return the settings, ``--data`` over the environment; the folder is there."""
    from hub_config.settings import load_settings

    given: dict[str, Any] = {"data_dir": args.data} if args.data is not None else {}
    settings = load_settings(**given)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return settings


@contextmanager
def opened_database(settings: Settings) -> Iterator[Database]:
    """Open the platform's database, migrated."""
    from hub_config.database import Database, migrate

    url = settings.resolved_database_url()
    admin_url = settings.database_admin_url.get_secret_value() if settings.database_admin_url else None
    if admin_url is None:
        migrate(url)
    else:
        migrate(admin_url, application_url=url)
    database = Database(url, admin_url=admin_url, pool_size=2)
    try:
        yield database
    finally:
        database.dispose()


@contextmanager
def opened_people(settings: Settings) -> Iterator[tuple[Database, People]]:
    """Open the database and the people."""
    from hub_config.audit import Audit
    from hub_config.people import People

    with opened_database(settings) as database:
        people = People(settings, database, Audit(database))
        try:
            yield database, people
        finally:
            people.close()


@contextmanager
def opened_platform(settings: Settings) -> Iterator[Platform]:
    """Open every manager over the migrated database; nothing runs in the background."""
    from hub_config.platform import Platform

    with opened_database(settings):
        pass
    platform = Platform.build(settings)
    try:
        yield platform
    finally:
        platform.stop()


def tenant_named(database: Database, name: str) -> Tenant:
    """Return the tenant with this id or short name.

    Raises
    ------
    BadInput
        There is none.
    """
    from sqlalchemy import or_, select

    from datapilot_kernel.errors import BadInput
    from hub_config.database import Tenant

    with database.operator() as session:
        found = session.scalars(select(Tenant).where(or_(Tenant.id == name, Tenant.slug == name))).first()
    if found is None:
        raise BadInput("people.command.unknown_tenant", name=name)
    return found
