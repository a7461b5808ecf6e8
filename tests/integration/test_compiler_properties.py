"""Any plan, any rows: PostgreSQL, MariaDB and DuckDB give what loops in Python give. No fan-out, ever."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from datapilot_kernel.plan.compiler import compile_plan
from datapilot_kernel.plan.model import (
    CalendarPeriod,
    Comparison,
    DimensionItem,
    Filter,
    Having,
    MeasureItem,
    Order,
    Plan,
    Related,
)
from tests.integration.brute_force import Range, Shop, base_of, computed, truncate
from tests.integration.shop import LAYER, Data, Engines, loaded, normal
from tests.servers import Server

TODAY = dt.date(2026, 11, 22)
PARIS = ZoneInfo("Europe/Paris")
SEEDS = range(8)


# ── rows ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def random_shop(seed: int) -> Data:
    """Few rows, many ties, every flaw: no parent, no date, no amount, equal names, names that differ by case or accent."""
    pick = random.Random(seed)

    def maybe(value: Any, share: float = 0.12) -> Any:
        return None if pick.random() < share else value

    def day() -> dt.date:
        return dt.date(2023, 11, 1) + dt.timedelta(days=pick.randrange(900))

    def amount() -> Decimal:
        return Decimal(pick.choice([0, 0, 1999, 5000, 10000, 12345, 25050, pick.randrange(-5000, 60000)])) / 100

    size = (0, 1, 6, 40, 40, 80, 80, 80)[seed % 8]
    clients, products = max(1, size // 6), max(1, size // 8)
    data: Data = {
        "regions": [{"id": 1, "nom": "Île-de-France"}, {"id": 2, "nom": "Rhône"}, {"id": 3, "nom": None}, {"id": 4, "nom": "Rhône"}],
        "clients": [
            {"id": i, "nom": maybe(pick.choice(["Durand", "durand", "Élise", "Elise", "Petit"])), "inscrit": day(),
             "ville": maybe(pick.choice(["Lyon", "LYON", "Paris", "L'Haÿ"])), "region_id": maybe(pick.choice([1, 2, 3, 4, 99]))}
            for i in range(1, clients + 1)
        ],
        "magasins": [{"id": 1, "nom": "Centre", "region_id": 1}, {"id": 2, "nom": "Gare", "region_id": 2}],
        "produits": [
            {"id": i, "nom": f"P{i}", "categorie": maybe(pick.choice(["Lampe", "Table"])), "prix": amount()} for i in range(1, products + 1)
        ],
        "commandes": [],
        "lignes": [],
        "objectifs": [
            {"id": i, "mois": maybe(day().replace(day=1)), "region_id": maybe(pick.choice([1, 2, 4])), "montant": maybe(amount())}
            for i in range(size // 4)
        ],
        "stocks": [],
    }  # fmt: skip
    for i in range(1, size + 1):
        date = maybe(day(), 0.05)
        moment = None if date is None else dt.datetime.combine(date, dt.time(pick.randrange(24), 30))
        data["commandes"].append({
            "id": i, "jour": date, "cree": moment, "instant": moment and moment.replace(tzinfo=PARIS),
            "statut": maybe(pick.choice(["EXP", "EXP", "exp", "ANN", "OK"])), "montant": maybe(amount()),
            "client_id": maybe(pick.randrange(1, clients + 2)), "livre_id": maybe(pick.randrange(1, clients + 1)),
            "magasin_id": maybe(pick.choice([1, 2])),
        })  # fmt: skip
    for i in range(1, 3 * size + 1):
        data["lignes"].append({
            "id": i, "commande_id": maybe(pick.randrange(1, size + 2), 0.05), "produit_id": maybe(pick.randrange(1, products + 1)),
            "qte": maybe(pick.randrange(1, 9)), "montant": maybe(amount()),
        })  # fmt: skip
    return data


DATA = {seed: random_shop(seed) for seed in SEEDS}


@pytest.fixture(scope="module")
def engines(postgres: Server, mariadb: Server) -> Iterator[Engines]:
    with loaded(postgres, mariadb, DATA) as found:
        yield found


# ── plans ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

MEASURES = {
    "commande": ["commande.ca", "commande.nb", "commande.expedie", "commande.panier", "commande.mediane"],
    "ligne": ["ligne.quantite", "ligne.vendu"],
    "objectif": ["objectif.objectif"],
    "client": ["client.nb_clients"],
}
AD_HOC = [("avg", "commande.montant"), ("min", "commande.montant"), ("max", "commande.montant"), ("count", "commande.montant"),
          ("count_distinct", "commande.statut"), ("sum", "ligne.qte"), ("count_distinct", "ligne.qte")]  # fmt: skip
BASES = [("commande",), ("commande",), ("ligne",), ("commande", "ligne"), ("commande", "objectif"), ("client",), ("commande", "client"),
         ("commande", "ligne", "objectif")]  # fmt: skip
SERIES = ["day", "week", "month", "quarter", "semester", "year"]
CYCLES = ["day_of_week", "month_of_year", "quarter_of_year", "day_of_month"]


@st.composite
def dimensions(draw: st.DrawFn, bases: tuple[str, ...]) -> tuple[DimensionItem, ...]:
    by_region = st.sampled_from([("client_region",), ("magasin_region",)])
    jour = st.sampled_from(SERIES + CYCLES).map(
        lambda grain: DimensionItem(alias="jour", field="commande.jour", grain=cast("Any", grain))
    )
    region = by_region.map(lambda via: DimensionItem(alias="region", field="region.nom", via=via))
    choices: list[st.SearchStrategy[DimensionItem]]
    if "objectif" in bases:
        choices = [jour, region]
    elif "client" in bases:
        choices = [st.just(DimensionItem(alias="region", field="region.nom", via=("client_region",)))]
        choices += [
            st.sampled_from(["client.ville", "client.nom"]).map(lambda ref: DimensionItem(alias="client", field=ref))
        ]
    else:
        refs = ["client.ville", "client.nom", "magasin.nom", "commande.statut", "commande.gros"]
        refs += ["produit.categorie", "produit.nom"] if bases == ("ligne",) else []
        livre = DimensionItem(alias="livre", field="client.nom", via=("client_livre",))
        bins = DimensionItem(alias="tranche", field="commande.montant", bins=(Decimal(100), Decimal("19.99"), Decimal(0)))
        choices = [
            jour,
            region,
            st.sampled_from(refs).map(lambda ref: DimensionItem(alias="dim", field=ref)),
            st.sampled_from([livre, bins]),
        ]
    found = draw(st.lists(st.one_of(choices), max_size=2, unique_by=lambda item: item.alias))
    return tuple(found)


@st.composite
def filters(draw: st.DrawFn, bases: tuple[str, ...]) -> Filter:
    if "objectif" in bases:
        field, values = "region.nom", ["Rhône", "Île-de-France"]
    elif "client" in bases and "commande" in bases:
        field, values = "client.ville", ["Lyon", "LYON", "Paris"]
    else:
        pools = {"client.ville": ["Lyon", "LYON", "L'Haÿ"], "client.nom": ["Durand", "Élise"], "commande.statut": ["EXP", "exp"],
                 "magasin.nom": ["Centre"], "produit.categorie": ["Lampe", "Table"]}  # fmt: skip
        field = draw(st.sampled_from([*pools, "commande.montant", "ligne.qte", "commande.jour"]))
        if field in ("commande.montant", "ligne.qte"):
            bounds: list[Any] = [3, 5] if field == "ligne.qte" else [Decimal("19.99"), 100]
            op = draw(st.sampled_from(["lt", "le", "gt", "ge", "eq", "ne", "between", "is_null", "not_null"]))
            return Filter(field=field, op=cast("Any", op), values=_some(op, bounds))
        if field == "commande.jour":
            op = draw(st.sampled_from(["lt", "le", "gt", "ge", "eq", "ne", "between"]))
            return Filter(field=field, op=cast("Any", op), values=_some(op, [dt.date(2024, 3, 1), dt.date(2025, 2, 28)]))
        values = pools[field]
    op = draw(
        st.sampled_from(
            ["eq", "ne", "in", "not_in", "contains", "not_contains", "starts_with", "ends_with", "is_null", "not_null"]
        )
    )
    if op in ("contains", "not_contains", "starts_with", "ends_with"):
        values = [draw(st.sampled_from(["e", "ON", "É", "lam", "'", "%", "du", "Hay"]))]
    via = ("client_region",) if field == "region.nom" else ()
    return Filter(field=field, op=cast("Any", op), values=_some(op, values), via=via)


def _some(op: str, values: list[Any]) -> tuple[Any, ...]:
    return tuple(values[: {"is_null": 0, "not_null": 0, "between": 2, "in": 3, "not_in": 3}.get(op, 1)])


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    bases = draw(st.sampled_from(BASES))
    dims = draw(dimensions(bases))
    items: list[MeasureItem] = []
    for base in bases:
        for ref in draw(st.lists(st.sampled_from(MEASURES[base]), min_size=1, max_size=2, unique=True)):
            own = (draw(filters(bases)),) if draw(st.integers(0, 5)) == 0 else ()
            items.append(MeasureItem(alias=f"m{len(items)}", measure=ref, filters=own))
    if draw(st.booleans()):
        fitting = [(function, field) for function, field in AD_HOC if field.partition(".")[0] in bases]
        if fitting:
            function, field = draw(st.sampled_from(fitting))
            items.append(MeasureItem(alias=f"m{len(items)}", aggregate=cast("Any", function), field=field))
    series = [item for item in dims if item.grain in SERIES]
    transform = draw(st.sampled_from([None, None, "share", "rank", "running_total"]))
    additive = [
        item
        for item in items
        if item.measure in ("commande.ca", "commande.nb", "ligne.quantite", "ligne.vendu", "client.nb_clients")
    ]
    if transform and additive and (transform != "running_total" or series):
        within = draw(st.sampled_from([None, *(item.alias for item in dims)])) if transform != "running_total" else None
        items.append(additive[0].model_copy(update={"alias": "t", "transform": transform, "within": within}))
    period: CalendarPeriod | None = None
    comparison: Comparison | None = None
    if "client" not in bases:
        unit, last = draw(st.sampled_from([("year", None), ("month", 12), ("quarter", 4), ("semester", 2)]))
        number = None if last is None else draw(st.integers(1, last))
        if draw(st.booleans()):
            period = CalendarPeriod(unit=cast("Any", unit), number=number, year=draw(st.sampled_from([2024, 2025])))
        kinds = ["previous_period", "previous_year"] if period or series else []
        if any(item.grain == "week" for item in dims):
            kinds = kinds[:1]
        if kinds and draw(st.booleans()) and not (len(series) > 1):
            comparison = Comparison(kind=cast("Any", draw(st.sampled_from(kinds))))
    exact = [
        item.alias
        for item in items
        if item.measure in ("commande.ca", "commande.nb", "ligne.quantite", "objectif.objectif", "client.nb_clients")
        and not item.transform
    ]
    order: tuple[Order, ...] = ()
    if exact and draw(st.booleans()):
        order = (Order(by=draw(st.sampled_from(exact)), descending=draw(st.booleans())),)
    limit = draw(st.sampled_from([None, None, 1, 2, 5]))
    per = draw(st.sampled_from([None, *(item.alias for item in dims)])) if limit and order else None
    ties = bool(limit and order and draw(st.booleans()))
    having: tuple[Having, ...] = ()
    if exact and draw(st.integers(0, 3)) == 0:
        op = draw(st.sampled_from(["gt", "le", "eq", "between"]))
        having = (Having(measure=exact[0], op=cast("Any", op), values=(2, 200) if op == "between" else (2,)),)
    related: tuple[Related, ...] = ()
    if bases == ("client",):
        op, value = draw(st.sampled_from([("ge", 1), ("ge", 3), ("lt", 3), ("eq", 0), ("le", 1), ("eq", 2), ("gt", 0)]))
        narrowed = (Filter(field="commande.statut", values=("EXP",)),) if draw(st.booleans()) else ()
        related = (Related(entity="commande", op=cast("Any", op), value=value, negated=draw(st.booleans()), filters=narrowed,
                           period=CalendarPeriod(unit="year", year=2025) if draw(st.booleans()) else None, via=("client_facture",)),)  # fmt: skip
    return Plan(
        measures=tuple(items), dimensions=dims, filters=tuple(draw(st.lists(filters(bases), max_size=2))),
        any_of=(tuple(draw(st.lists(filters(bases), min_size=2, max_size=2))),) if draw(st.integers(0, 4)) == 0 else (),
        period=period, comparison=comparison, order=order, limit=limit, limit_per=per, ties=ties, having=having, related=related,
    )  # fmt: skip


# ── what it should be ──────────────────────────────────────────────────────────────────────────────────────────────────


def months_on(day: dt.date, count: int) -> dt.date:
    years, month = divmod(day.month - 1 + count, 12)
    for last in range(day.day, 0, -1):
        try:
            return dt.date(day.year + years, month + 1, last)
        except ValueError:
            continue
    raise AssertionError


UNIT = {"month": 1, "quarter": 3, "semester": 6, "year": 12}


def span(period: CalendarPeriod) -> tuple[dt.date, dt.date]:
    length = UNIT[period.unit]
    start = months_on(dt.date(period.year or 0, 1, 1), length * ((period.number or 1) - 1))
    return start, months_on(start, length)


def step(bucket: Any, grain: str, count: int) -> Any:
    if grain in ("day", "week"):
        return bucket + dt.timedelta(days=count * (7 if grain == "week" else 1))
    return bucket + count if grain == "year" else months_on(bucket, UNIT[grain] * count)


def first_day(bucket: Any) -> dt.date:
    return dt.date(bucket, 1, 1) if isinstance(bucket, int) else bucket


class Expected:
    """The rows of a plan, computed by loops."""

    def __init__(self, shop: Shop, plan: Plan) -> None:
        self.shop, self.plan = shop, plan
        self.items = [item for item in plan.measures if item.transform is None]
        # What a share is a share of is a measure too, without the share's own filters; it is not shown.
        shares = [item for item in plan.measures if item.transform == "share" and item.filters]
        self.items += [item.model_copy(update={"alias": "whole", "transform": None, "filters": ()}) for item in shares]
        self.series = next((n for n, item in enumerate(plan.dimensions) if item.grain in SERIES), None)
        self.now: Range = span(cast("CalendarPeriod", plan.period)) if plan.period else None
        self.then = self._then()

    def _then(self) -> Range:
        kind = self.plan.comparison.kind if self.plan.comparison else None
        if kind is None or self.now is None:
            return None
        start, end = self.now
        assert start is not None
        assert end is not None
        if kind == "previous_year":
            return months_on(start, -12), months_on(end, -12)
        if self.series is None:
            return months_on(start, -UNIT[cast("CalendarPeriod", self.plan.period).unit]), start
        grain = str(self.plan.dimensions[self.series].grain)
        before = step(truncate(start, grain), grain, -1)
        return first_day(before), first_day(truncate(end - dt.timedelta(days=1), grain))

    def values(self, period: Range, shifted: bool) -> tuple[dict[Any, dict[str, Any]], int]:
        """Each measure of each group, and how many branches there were."""
        shop, plan = self.shop, self.plan
        related = (dt.date(2025, 1, 1), dt.date(2026, 1, 1)) if plan.related and plan.related[0].period else None
        found: dict[Any, dict[str, Any]] = {}
        # A median stands in a branch of its own.
        branches: dict[Any, list[MeasureItem]] = {}
        for item in self.items:
            branches.setdefault((base_of(item), item.alias if item.measure == "commande.mediane" else None), []).append(item)
        meeting = (
            bool(plan.dimensions)
            and (len(branches) > 1 or plan.comparison is not None)
            and not (shifted and self.series is not None)
        )
        for (base, _), mine in branches.items():
            everything = shop.groups(plan, base, period, (), related)
            own = [shop.groups(plan, base, period, item.filters, related) for item in mine]
            narrowed = [bool(item.filters) or item.measure == "commande.expedie" for item in mine]
            keys = set(everything)
            if all(narrowed):
                keys = {key for groups, item in zip(own, mine, strict=True) for key, rows in groups.items()
                        if item.measure != "commande.expedie" or any(row["statut"] == "EXP" for row in rows)}  # fmt: skip
            if not plan.dimensions:
                keys = {()}
            for key in keys:
                for groups, item in zip(own, mine, strict=True):
                    moved = self._moved(key) if shifted else key
                    cell = found.setdefault(moved, {})
                    # Two days of a leap year may meet on one: their rows are taken together.
                    rows = [
                        row
                        for other, members in groups.items()
                        if (self._moved(other) if shifted else other) == moved
                        for row in members
                    ]
                    cell[item.alias] = computed(shop, item, rows, plan)
                    if item.measure == "commande.panier" and rows and meeting:
                        # Of amounts that are all missing, the sum is 0 where branches meet, and so is the average.
                        cell[item.alias] = cell[item.alias] or 0.0
        return found, len(branches)

    def _moved(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        if self.series is None or key[self.series][0] is None:
            return key
        grain = str(self.plan.dimensions[self.series].grain)
        bucket = key[self.series][0]
        if self.plan.comparison is not None and self.plan.comparison.kind == "previous_year":
            moved = bucket + 1 if grain == "year" else months_on(bucket, 12)
        else:
            moved = step(bucket, grain, 1)
        return (*key[: self.series], (moved, None), *key[self.series + 1 :])

    def rows(self) -> list[tuple[Any, ...]]:
        plan = self.plan
        cells, branches = self.values(self.now, False)
        before: dict[Any, dict[str, Any]] = {}
        meets = branches > 1 or plan.comparison is not None
        if plan.comparison is not None:
            before, _ = self.values(self.then, True)
            if self.series is None:
                for key in before:
                    cells.setdefault(key, {})
        table: dict[Any, dict[str, Any]] = {}
        for key, cell in cells.items():
            made: dict[str, Any] = {}
            for item in self.items:
                made[item.alias] = self._or_zero(item, cell.get(item.alias), meets)
                if plan.comparison is not None:
                    then = self._or_zero(item, before.get(key, {}).get(item.alias), meets and self.series is None)
                    now = made[item.alias]
                    made[f"{item.alias}_previous"] = then
                    known = now is not None and then is not None
                    made[f"{item.alias}_difference"] = float(now) - float(then) if known else None
                    made[f"{item.alias}_growth"] = (float(now) - float(then)) / abs(float(then)) if known and then else None
            table[key] = made
        self._transformed(table)
        kept = [(key, made) for key, made in table.items() if all(self._passes(having, made) for having in plan.having)]
        return self._cut(kept)

    def _or_zero(self, item: MeasureItem, value: Any, meets: bool) -> Any:
        if value is not None or not (meets and self.plan.dimensions):
            return value
        parts = {"commande.panier", "commande.mediane"}
        zero = item.measure not in parts if item.measure else item.aggregate in ("count", "count_distinct", "sum")
        return 0 if zero else None

    def _transformed(self, table: dict[Any, dict[str, Any]]) -> None:
        plan = self.plan
        item = next((one for one in plan.measures if one.transform), None)
        if item is None:
            return
        source = next(one.alias for one in self.items if one.measure == item.measure and one.filters == item.filters)
        within = next((n for n, one in enumerate(plan.dimensions) if one.alias == item.within), None)
        whole = {k: v["whole" if item.filters and item.transform == "share" else source] for k, v in table.items()}
        for key, made in table.items():
            value = made[source]
            peers = [other for other in table if within is None or other[within] == key[within]]
            if item.transform == "share":
                known = [whole.get(other) for other in peers if whole.get(other) is not None]
                total = float(sum(known)) if known else None
                made["t"] = float(value) / total if value is not None and total else None
            elif item.transform == "rank":
                better = [
                    other
                    for other in peers
                    if table[other][source] is not None and (value is None or table[other][source] > value)
                ]
                made["t"] = 1 + len(better)
            else:
                assert self.series is not None
                at = self.series
                line = [other for other in table if _without(other, at) == _without(key, at)]
                up_to = [other for other in line if _after(other[at][0]) <= _after(key[at][0])]
                known = [table[other][source] for other in up_to if table[other][source] is not None]
                made["t"] = sum(known) if known else None

    def _passes(self, having: Having, made: dict[str, Any]) -> bool:
        value = made[having.measure]
        if value is None:
            return False
        low, high = having.values[0], having.values[-1]
        return bool({"gt": value > low, "le": value <= low, "eq": value == low, "between": low <= value <= high}[having.op])

    def _cut(self, rows: list[tuple[Any, dict[str, Any]]]) -> list[tuple[Any, ...]]:
        plan = self.plan
        order = plan.order or ((Order(by=plan.measures[0].alias),) if plan.limit else ())
        for position in reversed(range(len(plan.dimensions))):
            rows.sort(key=lambda row: (_after(row[0][position][0]), _after(row[0][position][1])))
        for one in reversed(order):
            rows.sort(
                key=lambda row: (
                    row[1][one.by] is None,
                    0 if row[1][one.by] is None else (-1 if one.descending else 1) * row[1][one.by],
                )
            )
        if plan.limit is not None:
            per = next((n for n, item in enumerate(plan.dimensions) if item.alias == plan.limit_per), None)
            groups: dict[Any, list[Any]] = {}
            for row in rows:
                groups.setdefault(None if per is None else row[0][per], []).append(row)
            kept = []
            for members in groups.values():
                last = members[: plan.limit][-1][1]
                kept += members[: plan.limit]
                if plan.ties:
                    kept += [row for row in members[plan.limit :] if all(row[1][one.by] == last[one.by] for one in order)]
            rows = [row for row in rows if any(row is one for one in kept)]
            if per is not None:
                rows.sort(key=lambda row: (_after(row[0][per][0]), _after(row[0][per][1])))
        return [self._shown(key, made) for key, made in rows]

    def _shown(self, key: Any, made: dict[str, Any]) -> tuple[Any, ...]:
        labels = ["moins de 0", "de 0 à moins de 19.99", "de 19.99 à moins de 100", "100 et plus"]
        cells = [
            labels[part[0]] if item.bins and part[0] is not None else part[0]
            for item, part in zip(self.plan.dimensions, key, strict=True)
        ]
        for item in self.plan.measures:
            cells.append(made[item.alias])
            if self.plan.comparison is not None and item.transform is None:
                cells += [made[f"{item.alias}_{role}"] for role in ("previous", "difference", "growth")]
        return tuple(cells)


def _without(key: tuple[Any, ...], position: int) -> tuple[Any, ...]:
    return (*key[:position], *key[position + 1 :])


def _after(value: Any) -> tuple[bool, Any]:
    return (value is None, 0 if value is None else value)


def same(left: list[tuple[Any, ...]], right: list[tuple[Any, ...]]) -> bool:
    return len(left) == len(right) and all(
        len(a) == len(b) and all(_same_cell(x, y) for x, y in zip(a, b, strict=True))
        for a, b in zip(left, right, strict=True)
    )


def _same_cell(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return abs(left - right) <= 2e-4 + 1e-9 * abs(left)
    return type(left) is type(right) and bool(left == right)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=plans(), seed=st.sampled_from(SEEDS))
def test_every_engine_gives_what_loops_give(engines: Engines, plan: Plan, seed: int) -> None:
    expected = normal(Expected(Shop(DATA[seed]), plan).rows())
    for dialect in ("duckdb", "postgres", "mysql"):
        compiled = compile_plan(plan, LAYER, dialect=cast("Any", dialect), today=TODAY)
        note(f"{dialect}\n{compiled.sql}")
        found = normal(engines[dialect, seed](compiled.sql))
        assert same(found, expected), f"{dialect}\n{found}\nexpected\n{expected}"
        assert all(len(row) == len(compiled.columns) for row in found)
