"""The keys: there, their owner's alone, readable as keys, what they wrapped opens, and apart from the backups."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from datapilot_kernel.errors import DataPilotError
from hub_config.checks import readable_by_others
from hub_config.doctor import Finding, Installation, ok, problem, skipped, warning

_LATE_BACKUP_S = 48 * 3600.0


def look(installation: Installation) -> Iterator[Finding]:
    """Look at the keys and at the backups."""
    settings = installation.settings
    files = {"signing": settings.resolved_signing_key_file()}
    if settings.vault_keys is None:
        files = {"vault": settings.resolved_vault_key_file(), **files}
    for name, path in files.items():
        yield key_file(f"{name}_key", path)
    if settings.vault_keys is not None or files["vault"].is_file():
        yield from secrets(installation)
    if settings.mode == "production":
        beside = [path for path in files.values() if path.resolve().is_relative_to(settings.data_dir.resolve())]
        if beside:
            yield warning("keys_apart", "keys_beside_data", folder=str(settings.data_dir))
    yield from backups(installation.backups, [path.name for path in files.values()])


def key_file(name: str, path: Path) -> Finding:
    """Look at one file of keys, not into it."""
    try:
        there = path.is_file()
        if there and path.stat().st_size == 0:
            return problem(name, "key_empty", path=path)
    except OSError:
        return problem(name, "key_unreadable", path=path)
    if not there:
        return problem(name, "key_missing", path=path)
    if readable_by_others(path):
        return problem(name, "key_open", path=path)
    return ok(name, "key", path=path)


def secrets(installation: Installation) -> Iterator[Finding]:
    """Open every secret that is kept, and throw it away: a key that was lost is found before a source is asked."""
    from hub_config.database import Database
    from hub_config.vault import Vault, status

    settings = installation.settings
    admin = settings.database_admin_url
    database = Database(settings.resolved_database_url(), admin_url=admin.get_secret_value() if admin else None, pool_size=1)
    try:
        if settings.database_url is None and not (settings.data_dir / "platform.sqlite3").is_file():
            return
        if not database.is_current():
            return
        found = status(database, Vault.from_settings(settings))
    except DataPilotError as error:
        yield problem("secrets", "secrets_unknown", why=error.message)
        return
    finally:
        database.dispose()
    if found.unreadable_secrets:
        yield problem("secrets", "secrets_lost", count=found.unreadable_secrets)
    else:
        yield ok("secrets", "secrets", count=found.secrets)


def backups(folder: Path | None, key_names: list[str]) -> Iterator[Finding]:
    """Look whether there is a fresh backup, and no key beside it."""
    if folder is None:
        yield skipped("backups", "backups_unknown")
        return
    try:
        files = [path for path in folder.rglob("*") if path.is_file()]
        newest = max((path.stat().st_mtime for path in files), default=0.0)
    except OSError:
        yield problem("backups", "backups_unreadable", folder=str(folder))
        return
    if not files:
        yield problem("backups", "backups_none", folder=str(folder))
        return
    beside = sorted({path.name for path in files if path.name in key_names})
    if beside:
        yield problem("keys_apart", "keys_in_backups", folder=str(folder), names=", ".join(beside))
    hours = int((time.time() - newest) // 3600)
    late = time.time() - newest > _LATE_BACKUP_S
    yield (warning if late else ok)("backups", "backups_late" if late else "backups", hours=hours, folder=str(folder))
