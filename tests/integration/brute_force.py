"""The shop's plans computed the slow way: loops over rows in Python, sharing nothing with the compiler but the plan's model.

Every route from a table to another is written out by hand below. What a result should be is said here in the plainest
terms; where the compiler documents a rule (NULL kept by « ne », 0 for an absent sum when measures of several grains meet…), the
rule is written again.
"""

from __future__ import annotations

import datetime as dt
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from datapilot_kernel.plan.model import Filter, MeasureItem, Plan, Related
from tests.integration.shop import Data, Row

TABLE = {
    "region": "regions", "client": "clients", "magasin": "magasins", "produit": "produits", "commande": "commandes",
    "ligne": "lignes", "objectif": "objectifs", "stock": "stocks",
}  # fmt: skip
POINTS = {
    "client_region": ("region_id", "region"), "magasin_region": ("region_id", "region"), "client_facture": ("client_id", "client"),
    "client_livre": ("livre_id", "client"), "commande_magasin": ("magasin_id", "magasin"), "ligne_commande": ("commande_id", "commande"),
    "ligne_produit": ("produit_id", "produit"), "objectif_region": ("region_id", "region"), "stock_produit": ("produit_id", "produit"),
}  # fmt: skip
ROUTES: dict[tuple[str, str], list[str]] = {
    ("commande", "client"): ["client_facture"],
    ("commande", "magasin"): ["commande_magasin"],
    ("ligne", "commande"): ["ligne_commande"],
    ("ligne", "produit"): ["ligne_produit"],
    ("ligne", "client"): ["ligne_commande", "client_facture"],
    ("ligne", "magasin"): ["ligne_commande", "commande_magasin"],
    ("client", "region"): ["client_region"],
    ("objectif", "region"): ["objectif_region"],
    ("stock", "produit"): ["stock_produit"],
}
VIA: dict[tuple[str, str, tuple[str, ...]], list[str]] = {
    ("commande", "region", ("client_region",)): ["client_facture", "client_region"],
    ("commande", "region", ("magasin_region",)): ["commande_magasin", "magasin_region"],
    ("ligne", "region", ("client_region",)): ["ligne_commande", "client_facture", "client_region"],
    ("ligne", "region", ("magasin_region",)): ["ligne_commande", "commande_magasin", "magasin_region"],
    ("client", "region", ("client_region",)): ["client_region"],
    ("objectif", "region", ("client_region",)): ["objectif_region"],
    ("objectif", "region", ("magasin_region",)): ["objectif_region"],
    ("commande", "client", ("client_livre",)): ["client_livre"],
    ("ligne", "client", ("client_livre",)): ["ligne_commande", "client_livre"],
}
"""Routes that take a join asked for."""
TIMES = {
    "commande": ("commande", "jour"),
    "ligne": ("commande", "jour"),
    "objectif": ("objectif", "mois"),
    "stock": ("stock", "jour"),
}
BACK = {("commande", "produit"): "ligne", ("commande", "ligne"): "ligne", ("client", "commande"): "commande", ("client", "magasin"): "commande",
        ("client", "produit"): "ligne", ("client", "ligne"): "ligne"}  # fmt: skip
"""The rows in between, for a filter on the many side."""
NAMED = {"client.nom", "region.nom", "magasin.nom", "produit.nom"}
Range = tuple[dt.date | None, dt.date | None] | None


class Shop:
    def __init__(self, data: Data) -> None:
        self.data = data
        self.by_id = {table: {row["id"]: row for row in rows} for table, rows in data.items()}

    def rows(self, entity: str) -> list[Row]:
        return self.data.get(TABLE[entity], [])

    def follow(self, row: Row | None, joins: Iterable[str]) -> Row | None:
        for join in joins:
            if row is None:
                return None
            column, entity = POINTS[join]
            row = self.by_id.get(TABLE[entity], {}).get(row[column])
        return row

    def reaches(self, entity: str, target: str, via: tuple[str, ...] = ()) -> list[str] | None:
        if entity == target:
            return []
        return VIA.get((entity, target, via)) or ROUTES.get((entity, target))

    def value(self, entity: str, row: Row, ref: str, via: tuple[str, ...] = ()) -> tuple[Any, Any]:
        """The value, and the id of the row that it is the name of."""
        target, _, name = ref.partition(".")
        route = self.reaches(entity, target, via)
        assert route is not None, (entity, ref)
        there = self.follow(row, route)
        if there is None:
            return None, None
        if name == "gros":
            return (None if there["montant"] is None else there["montant"] >= 100), None
        return there[name], there["id"] if ref in NAMED else None

    # ── conditions ─────────────────────────────────────────────────────────────────────────────────────────────────

    def by_default(self, entity: str, row: Row) -> bool:
        order = row if entity == "commande" else self.follow(row, ["ligne_commande"]) if entity == "ligne" else None
        if entity in ("commande", "ligne"):
            return order is not None and order["statut"] is not None and order["statut"] != "ANN"
        return True

    def passes(self, entity: str, row: Row, one: Filter) -> bool:
        target = one.field.partition(".")[0]
        if self.reaches(entity, target, one.via) is not None:
            return compare(self.value(entity, row, one.field, one.via)[0], one)
        return self.passes_back(entity, row, [one])

    def passes_back(self, entity: str, row: Row, together: list[Filter]) -> bool:
        negative = {"ne": "eq", "not_in": "in", "not_contains": "contains", "is_null": "not_null"}
        if len(together) == 1 and together[0].op in negative:
            return not self.passes_back(entity, row, [together[0].model_copy(update={"op": negative[together[0].op]})])
        between = BACK[entity, together[0].field.partition(".")[0]]
        for other in self.rows(between):
            up = self.follow(other, self.reaches(between, entity) or [])
            if up is not row or not self.by_default(between, other):
                continue
            if all(compare(self.value(between, other, one.field, one.via)[0], one) for one in together):
                return True
        return False

    def passes_all(self, entity: str, row: Row, filters: Iterable[Filter]) -> bool:
        """Positive filters on one many side speak of the same row of it."""
        together: dict[str, list[Filter]] = defaultdict(list)
        for one in filters:
            target = one.field.partition(".")[0]
            positive = one.op not in ("ne", "not_in", "not_contains", "is_null")
            if self.reaches(entity, target, one.via) is None and positive:
                together[BACK[entity, target]].append(one)
            elif not self.passes(entity, row, one):
                return False
        return all(self.passes_back(entity, row, group) for group in together.values())

    def is_related(self, entity: str, row: Row, related: Related, period: Range) -> bool:
        assert entity == "client"
        assert related.entity == "commande"
        count = 0
        for order in self.rows("commande"):
            mine = order["client_id"] == row["id"] and self.by_default("commande", order)
            if mine and inside(order["jour"], period) and self.passes_all("commande", order, related.filters):
                count += 1
        ok = {"lt": count < related.value, "le": count <= related.value, "gt": count > related.value,
              "ge": count >= related.value, "eq": count == related.value}[related.op]  # fmt: skip
        return ok != related.negated

    # ── aggregates ─────────────────────────────────────────────────────────────────────────────────────────────────

    def groups(
        self, plan: Plan, base: str, period: Range, filters: tuple[Filter, ...], related_period: Range
    ) -> dict[Any, list[Row]]:
        found: dict[Any, list[Row]] = defaultdict(list)
        for row in self.rows(base):
            if not self.by_default(base, row) or not self.passes_all(base, row, plan.filters):
                continue
            if not all(any(self.passes(base, row, one) for one in group) for group in plan.any_of):
                continue
            if not all(self.is_related(base, row, related, related_period) for related in plan.related):
                continue
            if period is not None and not inside(self.time(base, row), period):
                continue
            if not self.passes_all(base, row, filters):
                continue
            found[self.key(plan, base, row)].append(row)
        return found

    def time(self, base: str, row: Row) -> dt.date | None:
        entity, name = TIMES[base]
        there = self.follow(row, self.reaches(base, entity) or [])
        found = None if there is None else there[name]
        assert found is None or isinstance(found, dt.date)
        return found

    def key(self, plan: Plan, base: str, row: Row) -> Any:
        parts = []
        for item in plan.dimensions:
            if item.grain is not None and item.field == "commande.jour":
                day = self.time(base, row)
                parts.append((None if day is None else truncate(day, item.grain), None))
            elif item.bins:
                value, _ = self.value(base, row, item.field, item.via)
                parts.append((binned(value, item.bins), None))
            else:
                parts.append(self.value(base, row, item.field, item.via))
        return tuple(parts)


def inside(day: dt.date | None, period: Range) -> bool:
    if period is None:
        return True
    start, end = period
    return day is not None and (start is None or day >= start) and (end is None or day < end)


def truncate(day: dt.date, grain: str) -> Any:
    if grain == "day":
        return day
    if grain == "week":
        return day - dt.timedelta(days=day.weekday())
    if grain == "month":
        return day.replace(day=1)
    if grain == "quarter":
        return dt.date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
    if grain == "semester":
        return dt.date(day.year, 1 if day.month < 7 else 7, 1)
    return {"year": day.year, "day_of_week": day.isoweekday(), "month_of_year": day.month,
            "quarter_of_year": (day.month - 1) // 3 + 1, "day_of_month": day.day}[grain]  # fmt: skip


def binned(value: Decimal | None, bins: tuple[Decimal, ...]) -> int | None:
    if value is None:
        return None
    return sum(value >= bound for bound in sorted(set(bins)))


def fold(word: str) -> str:
    accents = str.maketrans("ÉÈÊËéèêëÎîÏïÔôÇçÀàÿ", "EEEEeeeeIiIiOoCcAay")
    return word.translate(accents).lower()


def compare(value: Any, one: Filter) -> bool:
    op, wanted = one.op, [_typed(each, value) for each in one.values]
    if op in ("is_null", "not_null"):
        return (value is None) == (op == "is_null")
    if op in ("ne", "not_in"):
        return value is None or value not in wanted
    if op == "not_contains":
        return value is None or fold(str(wanted[0])) not in fold(value)
    if value is None:
        return False
    checks: dict[str, Callable[[], bool]] = {
        "eq": lambda: value == wanted[0], "in": lambda: value in wanted, "lt": lambda: value < wanted[0],
        "le": lambda: value <= wanted[0], "gt": lambda: value > wanted[0], "ge": lambda: value >= wanted[0],
        "between": lambda: wanted[0] <= value <= wanted[1], "contains": lambda: fold(wanted[0]) in fold(value),
        "starts_with": lambda: fold(value).startswith(fold(wanted[0])), "ends_with": lambda: fold(value).endswith(fold(wanted[0])),
    }  # fmt: skip
    return checks[op]()


def _typed(wanted: Any, value: Any) -> Any:
    return wanted if not isinstance(value, Decimal | int) or isinstance(value, bool) else Decimal(str(wanted))


def total(values: Iterable[Decimal | int | None]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def computed(shop: Shop, item: MeasureItem, rows: list[Row], plan: Plan) -> Any:
    """The value of a measure over some rows of its base."""
    match item.measure:
        case "commande.ca" | "ligne.vendu" | "objectif.objectif":
            return total(row["montant"] for row in rows)
        case "commande.nb" | "client.nb_clients":
            return len(rows)
        case "commande.expedie":
            return total(row["montant"] for row in rows if row["statut"] == "EXP")
        case "commande.panier":
            amount = total(row["montant"] for row in rows)
            return None if amount is None or not rows else float(amount) / len(rows)
        case "commande.mediane":
            amounts = [float(row["montant"]) for row in rows if row["montant"] is not None]
            return statistics.median(amounts) if amounts else None
        case "ligne.quantite":
            return total(row["qte"] for row in rows)
        case None:
            values = [row[(item.field or ".").partition(".")[2]] for row in rows]
            known = [value for value in values if value is not None]
            made: dict[str, Callable[[], Any]] = {
                "count": lambda: len(known), "count_distinct": lambda: len(set(known)), "sum": lambda: total(known),
                "avg": lambda: float(sum(known)) / len(known) if known else None, "min": lambda: min(known, default=None),
                "max": lambda: max(known, default=None),
            }  # fmt: skip
            return made[item.aggregate or ""]()
    raise AssertionError(item)


def base_of(item: MeasureItem) -> str:
    return (item.measure or item.field or "").partition(".")[0]
