"""What dates a row: the business date before the bookkeeping one, and dates in disguise (``2025-03``, 20250301)."""

from __future__ import annotations

import re

from datapilot_kernel.catalog.lexicon import fold, words
from datapilot_kernel.catalog.model import Column
from datapilot_kernel.catalog.names import read_name
from datapilot_kernel.semantic.drafting.context import Draft, TableDraft, of, safe_name, same
from datapilot_kernel.semantic.drafting.reserved import quoted
from datapilot_kernel.semantic.model import Dimension

YEAR = re.compile(r"^(annee|year|an|exercice|millesime|fiscal_?year)$")
_MONTH = re.compile(r"^(mois|month|num_?mois|month_?(no|num|number))$")

_DATE_RANK: dict[str, int] = {
    "date de commande": 2, "date de vente": 2, "date de facture": 2, "date de paiement": 4, "date de réservation": 3,
    "date de début": 5, "début": 5,
    "date d’émission": 4, "date de signature": 4, "date d’embauche": 3, "date d’inscription": 4, "date d’ouverture": 5,
    "date d’arrivée": 4,
    "date de réception": 6, "date d’expédition": 6, "date de livraison": 7, "date de retour": 5, "date de lancement": 6,
    "date de départ": 12,
    "date de création": 8, "date prévue": 13, "date de fin": 13, "fin": 13, "échéance": 14, "date de clôture": 12,
    "date d’annulation": 15,
    "date de résiliation": 14, "date d’expiration": 15, "date de naissance": 18, "date de mise à jour": 19,
    "date de suppression": 20,
    "date limite": 14,
}  # fmt: skip
_OWN_DATES: dict[str, tuple[str, ...]] = {
    "commande": ("date de commande",), "ligne de commande": ("date de commande",), "vente": ("date de vente",),
    "facture": ("date de facture", "date d’émission"),
    "paiement": ("date de paiement",), "règlement": ("date de paiement",), "encaissement": ("date de paiement",),
    "livraison": ("date de livraison", "date d’expédition"), "expédition": ("date d’expédition", "date de livraison"),
    "employé": ("date d’embauche",),
    "salarié": ("date d’embauche",), "abonnement": ("date de début", "date d’inscription"), "contrat": ("date de signature",
    "date de début"),
    "retour": ("date de retour",), "réservation": ("date de réservation", "date d’arrivée"), "ticket": ("date d’ouverture",
    "date de création"),
    "ordre de fabrication": ("date de lancement", "date de début"), "absence": ("date de début",),
    "congé": ("date de début",),
    "produit": ("date de lancement", "date de création"), "commande d’achat": ("date de commande",),
    "client": ("date d’inscription", "date de création"),
    "utilisateur": ("date d’inscription", "date de création"), "avoir": ("date d’émission",),
}  # fmt: skip


def main_date(table: TableDraft) -> str | None:
    """Return the time dimension that dates a row by default; None when there is none that does."""
    best: tuple[float, int, str] | None = None
    own = _OWN_DATES.get(table.concept, ())
    for position, (name, dimension) in enumerate(table.dimensions.items()):
        if dimension.type not in {"date", "timestamp"}:
            continue
        column = next((c for c in table.table.columns if c.name == dimension.column), None)
        rank = _rank(table, column, name, own)
        rank += _unfilled(column)
        if best is None or (rank, position) < best[:2]:
            best = (rank, position, name)
    if best is None or best[0] >= 17:
        return None
    if table.dimensions[best[2]].hidden:
        table.dimensions[best[2]] = table.dimensions[best[2]].model_copy(update={"hidden": False})
    return best[2]


def dated_as_itself(table: TableDraft) -> None:
    """Call the creation of a fact's row by the fact: an order's ``created_at`` is the « date de commande ».

    A thing (a customer) keeps its « date de création »: there it is an arrival, not what the thing is about.
    """
    if table.role != "fact" or table.time is None or not table.concept:
        return
    old = table.dimensions[table.time]
    column = next((c for c in table.table.columns if c.name == old.column), None)
    if column is None or table.concept_of(column) != "date de création":
        return
    label = f"date {of(table.label)}"
    if not any(same(d.label, label) for n, d in table.dimensions.items() if n != table.time):
        table.dimensions[table.time] = old.model_copy(
            update={"label": label, "plural": f"dates {of(table.label)}", "synonyms": ()}
        )


def details_by_their_event(draft: Draft) -> None:
    """Let order lines be dated by their order: a product beside it (launched one day) gives up dating its own rows.

    A table without a date is dated by the nearest that has one, and by none when two are equally near. Where one of them is
    what happened and the other a thing, only the first can be meant. The thing keeps its date as a dimension.
    """
    tables = {t.name: t for t in draft.tables.values()}
    targets: dict[str, set[str]] = {}
    for join in draft.joins.values():
        if join.from_entity != join.to_entity:
            targets.setdefault(join.from_entity, set()).add(join.to_entity)
    for table in draft.tables.values():
        if table.time is not None or table.role == "technical":
            continue
        seen, level = {table.name}, targets.get(table.name, set())
        while level:
            dated = [tables[name] for name in sorted(level) if tables[name].time is not None]
            if dated:
                if len(dated) > 1 and any(t.role == "fact" for t in dated):
                    for thing in (t for t in dated if t.role == "thing"):
                        thing.time = None
                break
            seen |= level
            level = {n for name in level for n in targets.get(name, set())} - seen


def _unfilled(column: Column | None) -> float:
    """Return how much a date loses for rows that have none: it is a state's (shipped, paid, closed), not the row's own."""
    share = column.null_share or 0.0 if column is not None else 0.0
    return 12.0 if share > 0.5 else 6.0 if share > 0.02 else 0.0


def _rank(table: TableDraft, column: Column | None, name: str, own: tuple[str, ...]) -> float:
    if column is None:
        return 1  # made of a year and a month: there is nothing else to date by
    reading = table.reading_of(column)
    concepts = [c.french for c in reading.nouns]
    head = concepts[0] if concepts else ""
    if head in own:
        return 0.1 * own.index(head)
    if {fold(name), "_".join(reading.words)} & {
        "date",
        "jour",
        "mois",
        "periode",
        "day",
        "month",
        "period",
        "semaine",
        "week",
        "timestamp",
        "datetime",
        "date_heure",
        "horodatage",
    }:
        return 0.5
    rank = float(_DATE_RANK.get(head, 9))
    if head == "date":
        tail = concepts[1:]
        rank = 1.0 if table.concept and table.concept in tail else 3.5
        worst = {
            "fin": 13,
            "échéance": 14,
            "naissance": 18,
            "mise à jour": 19,
            "modification": 19,
            "suppression": 20,
            "sortie": 14,
            "fermeture": 14,
        }
        rank = max([rank, *(worst.get(w, 0) for w in [*tail, *words(column.name)])])
    if reading.has("prévu", "estimé", "supprimé"):
        rank += 6
    return rank


def synthetic_dates(draft: Draft, table: TableDraft) -> None:
    """Make a date of what is one in disguise: year and month columns, ``2025-03``, 20250301."""
    columns = table.table.columns
    year = next((c for c in columns if c.type == "integer" and YEAR.match(fold(c.name))), None)
    month = next((c for c in columns if c.type == "integer" and _MONTH.match(fold(c.name))), None)
    dates = [d for d in table.dimensions.values() if d.type in {"date", "timestamp"}]
    if year and month and not dates:
        y, m = quoted(draft, year.name), quoted(draft, month.name)
        expression = {
            "postgres": f"MAKE_DATE({y}, {m}, 1)",
            "duckdb": f"MAKE_DATE({y}, {m}, 1)",
            "mysql": f"STR_TO_DATE(CONCAT({y}, '-', {m}, '-01'), '%Y-%m-%d')",
        }[draft.catalog.dialect]
        _add_date(table, "periode", expression, "mois", ("période",))
        for column in (year, month):
            name = table.dimension_names[column.name]
            table.dimensions[name] = table.dimensions[name].model_copy(update={"hidden": True})
        return
    for column in columns:
        if column.type == "text" and column.values and all(re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", v) for v in column.values):
            c = quoted(draft, column.name)
            joined = f"CONCAT({c}, '-01')"
            expression = (
                f"STR_TO_DATE({joined}, '%Y-%m-%d')" if draft.catalog.dialect == "mysql" else f"CAST({joined} AS DATE)"
            )
            _disguised(table, column, expression)
        elif (
            column.type == "integer"
            and _in(column, 19500101, 21001231)
            and read_name(column.name).has("date", "jour", "mois", "période")
            | (column.name.lower().endswith(("date_key", "date_id", "_date")))
        ):
            c = quoted(draft, column.name)
            expression = {
                "postgres": f"TO_DATE(CAST({c} AS TEXT), 'YYYYMMDD')",
                "duckdb": f"CAST(STRPTIME(CAST({c} AS VARCHAR), '%Y%m%d') AS DATE)",
                "mysql": f"STR_TO_DATE(CAST({c} AS CHAR), '%Y%m%d')",
            }[draft.catalog.dialect]
            _disguised(table, column, expression)


def _in(column: Column, low: int, high: int) -> bool:
    return (
        isinstance(column.minimum, int)
        and isinstance(column.maximum, int)
        and low <= column.minimum <= column.maximum <= high
    )


def _disguised(table: TableDraft, column: Column, expression: str) -> None:
    name = table.dimension_names[column.name]
    old = table.dimensions[name]
    table.dimensions[name] = old.model_copy(update={"hidden": True})
    _add_date(table, f"{name}_date", expression, old.label, old.synonyms)


def _add_date(table: TableDraft, name: str, expression: str, label: str, synonyms: tuple[str, ...]) -> None:
    free = safe_name(name, dict.fromkeys(table.dimensions), "d")
    table.dimensions[free] = Dimension(expression=expression, type="date", label=label, synonyms=synonyms)
