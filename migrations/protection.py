"""What a migration does to every table it makes, besides making it.

``protect`` gives a table its wall on PostgreSQL: row-level security, forced on the owner too, with the one policy that
a row is seen and written only in a session of its tenant (``datapilot.tenant_id``, set for one transaction by
:class:`hub_config.database.Database`). ``append_only`` keeps a table from being changed: on PostgreSQL the
application's role is not granted UPDATE or DELETE (:mod:`hub_config.database.roles`), on SQLite triggers refuse. These
helpers belong to the migrations and, like them, never change what they did.
"""

from __future__ import annotations

from alembic import op

_OWN = "tenant_id = current_setting('datapilot.tenant_id', true)"


def is_postgresql() -> bool:
    """Tell whether this migration runs on PostgreSQL."""
    return bool(op.get_bind().dialect.name == "postgresql")


def protect(table: str) -> None:
    """Give a table its row-level security."""
    if is_postgresql():
        op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        op.execute(f'CREATE POLICY own_tenant ON "{table}" USING ({_OWN}) WITH CHECK ({_OWN})')


def append_only(table: str, *, deletion_if: str = "0") -> None:
    """Keep a SQLite table's rows as they are; ``deletion_if``: a condition over ``OLD`` under which one may go."""
    if not is_postgresql():
        op.execute(
            f'CREATE TRIGGER "{table}_no_update" BEFORE UPDATE ON "{table}" '
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
        op.execute(
            f'CREATE TRIGGER "{table}_no_delete" BEFORE DELETE ON "{table}" WHEN NOT ({deletion_if}) '
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
