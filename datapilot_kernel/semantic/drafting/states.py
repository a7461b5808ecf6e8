"""States that no column says but a date or a quantity makes evident: still there, not yet closed, out of stock.

A missing date of departure is a presence and a missing date of closing an open case, where rows of both kinds exist and
no column holds the state already. Participles that the date itself answers (« fermés en mai ») are not given to the state:
they ask for the date; nor is a negation (« pas
encore fermés »), which a question has a verb for. Rejected: the same for shipping and payment, which statuses nearly
always tell, and better. Remaining risk: a departure that is planned and already written; the description says what is
counted.
"""

from __future__ import annotations

from datapilot_kernel.catalog.model import Column
from datapilot_kernel.semantic.drafting.context import Draft, TableDraft, safe_name
from datapilot_kernel.semantic.drafting.reserved import quoted
from datapilot_kernel.semantic.model import Dimension

_STAFF = ("employé", "salarié", "collaborateur", "opérateur", "commercial", "vendeur", "technicien", "agent", "chauffeur",
    "adhérent", "membre")  # fmt: skip
_CASES = ("ticket", "demande", "incident", "réclamation", "dossier", "sinistre", "tâche", "affaire")
_GOODS = ("produit", "article", "référence", "pièce", "composant", "matière première")
_DATES = {"date", "timestamp", "timestamptz"}
_SAYS_STATE = ("statut", "état", "actif", "inactif", "étape")


def draft_states(draft: Draft) -> None:
    """Add the boolean dimensions that are evident."""
    for table in draft.visible():
        if table.is_a(*_STAFF):
            _present(draft, table)
        elif table.is_a(*_CASES):
            _pending(draft, table)
        elif table.is_a(*_GOODS):
            _out_of_stock(draft, table)


def _date(table: TableDraft, *french: str) -> Column | None:
    return next((c for c in table.table.columns if c.type in _DATES and table.concept_of(c) in french), None)


def _told(table: TableDraft) -> bool:
    return any(table.column_readings[c.name].has(*_SAYS_STATE) for c in table.table.columns)


def _mixed(column: Column) -> bool:
    """Tell whether some rows have the date and some have not."""
    return column.null_share is None or 0 < column.null_share < 1


def _present(draft: Draft, table: TableDraft) -> None:
    start = _date(table, "date d’embauche", "date de début", "date d’inscription", "date d’arrivée")
    end = _date(table, "date de départ", "date de fin", "date de résiliation")
    if start is None or end is None or not _mixed(end) or _told(table):
        return
    _add(
        table, "present", "présent", f"{quoted(draft, end.name)} IS NULL",
        yes=("présent", "présente", "présents", "présentes", "toujours présents", "encore présents", "actuellement présents",
             "présents dans l’entreprise", "en poste", "encore en poste"),
        no=("non présents",),
        description=f"Vrai tant que la « {table.label_of(end)} » n’est pas remplie.",
    )  # fmt: skip


def _pending(draft: Draft, table: TableDraft) -> None:
    end = _date(table, "date de clôture", "date de fin")
    if end is None or not _mixed(end) or _told(table):
        return
    _add(
        table, "encore_ouvert", "encore ouvert", f"{quoted(draft, end.name)} IS NULL",
        yes=("encore ouverts", "toujours ouverts", "en cours", "à traiter", "en attente", "non clôturés", "non clos",
             "non fermés", "non résolus"),
        no=("déjà clôturés", "déjà fermés", "déjà résolus"),
        description=f"Vrai tant que la « {table.label_of(end)} » n’est pas remplie.",
    )  # fmt: skip


def _out_of_stock(draft: Draft, table: TableDraft) -> None:
    stock = next(
        (
            c for c in table.table.columns
            if c.type in {"integer", "decimal", "float"} and not c.personal and table.column_readings[c.name].label in
            {"stock", "quantité en stock", "stock disponible", "stock actuel"}
        ),
        None,
    )  # fmt: skip
    if stock is None:
        return
    _add(
        table, "en_rupture", "en rupture de stock", f"COALESCE({quoted(draft, stock.name)}, 0) <= 0",
        yes=("en rupture de stock", "en rupture", "rupture de stock", "rupture", "épuisés", "épuisé", "hors stock"),
        no=("non en rupture", "encore en stock"),
        description=f"Vrai quand « {table.label_of(stock)} » vaut zéro, est négatif ou n’est pas rempli.",
    )  # fmt: skip


def _add(
    table: TableDraft, name: str, label: str, expression: str, *, yes: tuple[str, ...], no: tuple[str, ...], description: str
) -> None:
    free = safe_name(name, dict.fromkeys(table.dimensions), "d")
    table.dimensions[free] = Dimension(
        expression=expression, type="boolean", label=label, description=description, values={"true": yes, "false": no}
    )
