"""Writes a demo tenant's data into a source: PostgreSQL, MySQL/MariaDB or a folder of French CSV files.

Tables of a tenant are replaced, others are left alone. Everything is generated before the first byte is written, so a
source is never left with half a tenant by a fault of the generation.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable

from datapilot_kernel.demo.tables import DEFAULT_SEED, DemoTenant
from datapilot_kernel.sources.writer import open_writer

Progress = Callable[[str, int], None]
"""Called with a table's name and its number of rows, once they are written."""


def tenants() -> dict[str, DemoTenant]:
    """Return the demo tenants by slug, the main one first."""
    from datapilot_kernel.demo.atelier_roche import ATELIER_ROCHE
    from datapilot_kernel.demo.maison_lumiere import MAISON_LUMIERE

    return {tenant.slug: tenant for tenant in (MAISON_LUMIERE, ATELIER_ROCHE)}


def layer_path(tenant: DemoTenant) -> Traversable:
    """Return the tenant's accepted semantic layer, as a packaged file."""
    return files("datapilot_kernel.demo").joinpath(tenant.layer_file)


def load_tenant(
    tenant: DemoTenant,
    location: str,
    *,
    today: date,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Generate a tenant's data and write it to ``location``.

    Parameters
    ----------
    location
        ``postgresql://…``, ``mysql://…``, or a folder for French CSV files.
    today
        The reference day: the last day with data.

    Returns
    -------
    dict
        Number of rows by table.

    Raises
    ------
    SourceProblem
        The location cannot be reached or written.
    """
    rows = tenant.generate(today, seed)
    with open_writer(location, replace=True) as writer:
        for table in tenant.tables:
            writer.create_table(
                table.name,
                [(column.name, column.type, column.comment) for column in table.columns],
                (table.primary_key,),
                [((key.column,), key.table, (key.target,)) for key in table.foreign_keys],
                table.comment,
            )
            writer.load(table.name, table.column_names, rows[table.name])
            if progress is not None:
                progress(table.name, len(rows[table.name]))
        writer.finish()
    return {name: len(table_rows) for name, table_rows in rows.items()}
