"""The demo's data for a notebook on its own (``%datapilot demo``): made once, kept in the person's cache."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import as_file


def demo_source(slug: str | None, told: Callable[[], None]) -> tuple[str, str, str | None]:
    """Return name, location and layer of a demo tenant, as French CSV files made when they are not there for this month.

    Parameters
    ----------
    slug
        None: the main one.
    told
        Called before data are made, which takes some seconds.

    Raises
    ------
    BadInput
        No demo tenant of that name.
    """
    from datapilot_kernel.demo.loader import layer_path, load_tenant, tenants
    from datapilot_kernel.engine import today
    from datapilot_kernel.errors import BadInput
    from datapilot_kernel.sources.location import cache_folder

    known = tenants()
    chosen = slug or next(iter(known))
    if chosen not in known:
        raise BadInput("notebook.unknown_demo", name=chosen, known=", ".join(known))
    tenant, day = known[chosen], today()
    folder = cache_folder() / "demo" / f"{chosen}-{day:%Y-%m}"
    done = folder.with_suffix(".complete")
    if not done.exists():
        told()
        load_tenant(tenant, str(folder), today=day)
        done.write_text(day.isoformat(), encoding="utf-8")
    with as_file(layer_path(tenant)) as layer:
        return chosen, str(folder), str(layer) if layer.exists() else None
