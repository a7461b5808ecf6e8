"""A semantic layer drafted from a catalog alone: what a careful colleague would write on the first day.

Deterministic: the same catalog gives the same draft. It invents no filter, no target and no meaning: what cannot be read
from names, comments, keys and values is left to the tenant. It passes its own check.
"""

from __future__ import annotations

from datapilot_kernel.catalog.model import Catalog
from datapilot_kernel.semantic.drafting.columns import draft_columns
from datapilot_kernel.semantic.drafting.dates import details_by_their_event
from datapilot_kernel.semantic.drafting.joins import draft_joins
from datapilot_kernel.semantic.drafting.measures import draft_measures
from datapilot_kernel.semantic.drafting.questions import draft_questions
from datapilot_kernel.semantic.drafting.ratios import draft_ratios
from datapilot_kernel.semantic.drafting.revenue import draft_revenue
from datapilot_kernel.semantic.drafting.states import draft_states
from datapilot_kernel.semantic.drafting.tables import draft_tables
from datapilot_kernel.semantic.drafting.wording import settle
from datapilot_kernel.semantic.model import Layer


def draft_layer(catalog: Catalog, *, name: str = "Brouillon") -> Layer:
    """Return a draft of the catalog's semantic layer (``status: draft``).

    Parameters
    ----------
    name
        Of the layer, for people: the source's name.
    """
    draft = draft_tables(catalog)
    draft_columns(draft)
    draft_states(draft)
    visible = [t for t in draft.tables.values() if t.role in {"fact", "thing", "view"}]
    measures = [m for table in visible for m in draft_measures(draft, table)]
    draft_revenue(draft, measures)
    draft_ratios(draft, measures)
    settle(measures)
    draft_joins(draft)
    details_by_their_event(draft)
    return Layer(
        name=name,
        status="draft",
        sql_dialect=catalog.dialect,
        entities={t.name: t.entity(catalog.default_schema) for t in draft.tables.values()},
        joins=draft.joins,
        questions=draft_questions(draft),
    )
