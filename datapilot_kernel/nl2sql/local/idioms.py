"""Turns of phrase that a question's items mean together, settled between the cover and the reader.

« encaissé depuis lundi » is what was cashed, « combien nous doivent les clients » is what is outstanding, « ventes en
quantité » is a quantity: none of the words says so alone. Each turn is tried in one place and changes items only where the
layer has exactly what it stands for; otherwise the words stay as they were, and an unexplained one is refused.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import cast

from datapilot_kernel.nl2sql.local.asides import settle_asides
from datapilot_kernel.nl2sql.local.cover import Cover, Item
from datapilot_kernel.nl2sql.local.gaps import settle_gap
from datapilot_kernel.nl2sql.local.grammar import Grammar, phrase
from datapilot_kernel.nl2sql.local.lexicon import SHORT, Lexicon, Option, content
from datapilot_kernel.nl2sql.local.neighbours import settle_neighbours
from datapilot_kernel.nl2sql.local.ordering import from_end_to_end
from datapilot_kernel.nl2sql.local.periods import TimeSpan
from datapilot_kernel.nl2sql.local.tokens import stem, tokenize
from datapilot_kernel.plan.model import CalendarPeriod, Grain, LastPeriod, Period, ToDate
from datapilot_kernel.semantic.model import Measure

_PARTICIPLE = re.compile(r"(?:é|ée|és|ées|u|ue|us|ues|ed|sold)$", re.IGNORECASE)
_GENERIC = {
    stem(w)
    for w in (
        "montant", "total", "somme", "valeur", "quantite", "qte", "nombre", "nb", "ca", "chiffre", "affaires",
        "amount", "quantity",
    )
}  # fmt: skip
_NOUN_ENDINGS = ("", "ement", "ation", "ition", "age")
_DONE = {"gener", "reali", "effec", "passe", "faite", "faits", "fait", "enreg"}
_OF = {"de", "d", "des", "du", "of"}
_OWED = (
    "encours client", "encours clients", "encours", "reste à payer", "reste à encaisser", "montant restant dû", "restant dû",
    "reste dû", "créances clients", "créances",
)  # fmt: skip
_NOUN_OF_WAY = {"retir": stem("retrait"), "factur": stem("facturation"), "livr": stem("livraison")}
_BY_NUMBER = {"quantite", "quantites", "qte", "unites", "pieces", "quantity", "volume", "units"}
_BY_MONEY = {"valeur", "montant", "euros", "euro", "€", "value", "amount"}
_QUANTITIES = ("quantité vendue", "quantité", "units sold", "quantity")
_VALUES = ("chiffre d'affaires", "ca", "montant des ventes", "revenue", "montant")


def settle(found: Cover, lexicon: Lexicon, words: Grammar) -> Cover:
    """Settle the turns of phrase of a cover, in place; return it."""
    settle_neighbours(found, lexicon, words)
    settle_asides(found, lexicon)
    settle_gap(found)
    _from_one_to_the_next(found)
    _and_in(found, lexicon)
    _what_is_owed(found, lexicon)
    _what_was_done(found, lexicon)
    _how_much_did_we(found, lexicon, words)
    _remarked(found)
    _all_told(found)
    _end_of_month(found, lexicon)
    _amount_of_before(found, words)
    _paid_by(found)
    _picked_up(found, lexicon)
    _at_each_end(found, lexicon)
    _in_quantity_or_value(found, lexicon)
    _left_in_stock(found)
    from_end_to_end(found, lexicon, words)
    _in_order(found)
    _top_and_most(found)
    _by_whom(found)
    _share_of(found)
    _figures(found)
    _sold_of(found, lexicon)
    _before_that(found)
    return found


def _solid(items: list[Item]) -> list[int]:
    return [i for i, item in enumerate(items) if item.kind != "filler"]


def _light(item: Item) -> None:
    item.kind, item.options, item.ops, item.nouns, item.ranked_by = "filler", (), (), (), ()


def _is(item: Item, options: tuple[Option, ...]) -> None:
    item.kind, item.options, item.ops, item.nouns, item.ranked_by = "lex", options, (), (), ()


def _first_known(lexicon: Lexicon, names: tuple[str, ...]) -> tuple[Option, ...]:
    for name in names:
        found = tuple(o for o in lexicon.lookup(name) if o.kind == "measure" and o.quality >= 0.95)
        if found:
            return found
    return ()


# ── what somebody owes ─────────────────────────────────────────────────────────────────────────────────────────────────


def _what_is_owed(found: Cover, lexicon: Lexicon) -> None:
    """« combien nos clients nous doivent »: the outstanding amount, where the layer has one."""
    items = found.items
    for i, item in enumerate(items):
        if item.norm not in ("doivent", "doit", "owe", "owes") or item.kind not in ("unknown", "filler", "verb"):
            continue
        us = {"nous", "us"} & {found.tokens[p].norm for p in (item.start - 1, item.end) if 0 <= p < len(found.tokens)}
        owed = _first_known(lexicon, _OWED) if us else ()
        if len(owed) != 1:
            continue
        _is(item, owed)
        counts = [c for c in items if c.is_op("count")]
        for count in counts:
            _light(count)
        asked = [x for x in items if x.kind == "lex" and x.norm == "combien" and x.of("measure")]
        for who in asked:
            _light(who)  # « combien les clients nous doivent » asks for no number of clients
        if counts:
            for j, other in enumerate(items):
                grouped = j and items[j - 1].is_op("by")
                if (
                    j != i
                    and other.kind == "lex"
                    and not other.of("value", "measure")
                    and other.of("entity")
                    and not grouped
                ):
                    _light(other)
        return


# ── what was done ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _what_was_done(found: Cover, lexicon: Lexicon) -> None:
    """« facturé en mai », « combien a-t-on encaissé »: the one measure that this participle names."""
    items = found.items
    for i in _solid(items):
        item = items[i]
        if item.kind == "time" or (item.is_op("count", "sum", "which", "amount", "list", "neg") and not item.is_op("neg")):
            continue
        if item.kind == "op" or item.end - item.start != 1 or not _PARTICIPLE.search(item.text):
            return
        # « abonnés » is what the layer calls them, « commandé » is not « commande ».
        entity_only = item.kind == "lex" and not item.of("measure", "value", "way") and item.options[0].quality < 0.95
        if not (entity_only or item.kind in ("verb", "unknown")):
            return
        after = items[i + 1] if i + 1 < len(items) else None
        if after is not None and after.norm in _OF and after.kind == "filler":
            return
        following = next((items[j] for j in range(i + 1, len(items)) if items[j].kind != "filler"), None)
        if following is not None and following.kind == "lex" and following.of("entity", "measure"):
            return
        counted = any(items[j].is_op("count") for j in range(i))
        if counted and found.tokens[item.start - 1].norm in _OF:
            return  # « combien de facturés »
        options = _named_by(stem(item.norm), lexicon)
        if options and item.nouns:
            # « vendu » is the quantity sold or the sales, where the layer has both.
            nouns = tuple(
                o for noun in item.nouns for o in lexicon.lookup(noun) if o.kind == "measure" and o.quality >= 0.95
            )
            options = tuple({o.ref: Option("measure", o.ref) for o in (*options, *nouns)}.values())
        if options:
            _is(item, options)
            for count in items[:i]:
                if count.is_op("count"):
                    _light(count)
        return


def _named_by(participle: str, lexicon: Lexicon) -> tuple[Option, ...]:
    """Return the measures that a participle names: by themselves (« montant facturé »), else by its noun."""
    said: dict[str, int] = {}
    for entity_name, entity in lexicon.layer.entities.items():
        for name, measure in entity.measures.items() if not entity.hidden else ():
            if measure.hidden:
                continue
            for text in (measure.label, *measure.synonyms):
                rank = _names(text, participle)
                if rank:
                    ref = f"{entity_name}.{name}"
                    said[ref] = max(rank, said.get(ref, 0))
    best = max(said.values(), default=0)
    refs = [ref for ref, rank in said.items() if rank == best]
    if best == 1 and len(refs) > 1:
        return ()
    return tuple(Option("measure", ref) for ref in refs)


def _names(text: str, participle: str) -> int:
    """3: « montant facturé »; 2: « encaissements »; 1: « remises accordées sur facturé »; 0: nothing of it."""
    typed = [t for t in tokenize(text) if t.kind == "word"]
    done = [t for t in typed if t.stem == participle and _PARTICIPLE.search(t.text)]
    rest = set(content(t.stem for t in typed)) - _GENERIC
    if done:
        return 3 if rest <= {participle} else 0
    root = participle
    nouns = {w for w in rest if any(w == stem(root + e) or w == root + e for e in _NOUN_ENDINGS[1:])}
    return 2 if nouns and rest == nouns else 0


# ── in quantity, in value ──────────────────────────────────────────────────────────────────────────────────────────────


def _money(measure: Measure) -> bool:
    return measure.format.kind == "currency"


def _in_quantity_or_value(found: Cover, lexicon: Lexicon) -> None:
    """« ventes en quantité », « top 5 produits en valeur »: the measure in that unit."""
    items = found.items
    for i, item in enumerate(items):
        before = items[i - 1] if i else None
        single = item.end - item.start == 1
        if before is None or before.norm not in ("en", "in", "by") or before.kind != "filler" or not single:
            continue
        if item.is_op("count") and item.norm == "nombre" and _measure_before(items, i) is not None:
            item.kind, item.ops = "unknown", ()  # « CA en nombre »
            continue
        by_number, by_money = item.norm in _BY_NUMBER, item.norm in _BY_MONEY
        if (
            item.kind == "filler"
            or not (by_number or by_money)
            or (item.kind == "op" and not item.is_op("amount", "count", "share"))
        ):
            continue
        measured = _measure_before(items, i)
        sold = items[i - 2] if i > 1 and items[i - 2].ranked_by and items[i - 2].kind == "verb" else None
        if sold is not None and measured is None:
            # « les produits les plus vendus en valeur »
            options = _first_known(lexicon, _VALUES if by_money else _QUANTITIES)
            if len(options) == 1:
                _is(sold, options)
                _light(item)
        elif measured is not None:
            _convert(measured, item, lexicon, money=by_money)
        elif item.kind != "lex":
            options = _first_known(lexicon, _VALUES if by_money else _QUANTITIES)
            if len(options) == 1:
                _is(item, options)


def _measure_before(items: list[Item], i: int) -> Item | None:
    for j in range(i - 2, -1, -1):
        if items[j].kind == "lex" and items[j].of("measure"):
            best = max(o.quality for o in items[j].options)
            return items[j] if any(o.kind == "measure" and o.quality >= best - 0.06 for o in items[j].options) else None
    return None


def _convert(measured: Item, unit: Item, lexicon: Lexicon, *, money: bool) -> None:
    layer = lexicon.layer
    fitting = tuple(o for o in measured.of("measure") if _money(layer.measure(o.ref)) == money)
    best = max(o.quality for o in measured.options)
    if fitting and max(o.quality for o in fitting) >= best - 0.06:
        measured.options = fitting
        _light(unit)
        return
    homes = {o.entity for o in measured.of("measure")}
    other = tuple(
        o
        for o in _first_known(lexicon, _VALUES if money else _QUANTITIES)
        if o.entity in homes and _money(layer.measure(o.ref)) == money
    )
    if len(other) == 1:
        measured.options = other
        _light(unit)
    elif unit.kind == "lex":
        unit.kind, unit.options = "unknown", ()  # « encaissements en quantité »


# ── what is left ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _left_in_stock(found: Cover) -> None:
    """« il nous reste combien de suspensions en stock »: the stock of them, and « reste » says no more than « en stock »."""
    items = found.items
    for i, item in enumerate(items):
        if i == 0 or item.kind != "lex" or item.norm != "stock" or items[i - 1].norm not in ("en", "in"):
            continue
        counts = [c for c in items[:i] if c.is_op("count")]
        named = [x for x in items[:i] if x.kind == "lex" and x.norm[:4] != "rest"]
        kept = item.of("measure")
        if (
            len(kept) == 1
            and len(counts) == 1
            and named
            and all(x.of("value") and not x.of("entity", "measure") for x in named)
        ):
            item.options = kept
            _light(counts[0])
    stocked = any("stock" in phrase(item.text) for item in found.items if item.kind == "lex")
    for item in found.items:
        alone = item.end - item.start == 1 and item.kind in ("unknown", "lex")
        if stocked and alone and item.norm in ("reste", "restent", "restant", "restants", "left", "remain", "remaining"):
            _light(item)


# ── in what order ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _in_order(found: Cover) -> None:
    """« classé par CA » is an order, « classé par région » are groups."""
    items = found.items
    for i, item in enumerate(items):
        if not item.is_op("by") or item.norm[:4] not in ("clas", "rang", "ordo"):
            continue
        following = next((items[j] for j in range(i + 1, len(items)) if items[j].kind != "filler"), None)
        if following is None:
            continue
        if following.is_op("ascending", "descending", "sort"):
            _light(item)
        elif following.kind == "lex" and following.of("measure"):
            best = max(o.quality for o in following.options)
            if any(o.kind == "measure" and o.quality >= best - 0.06 for o in following.options):
                item.ops = ("sort",)


# ── the share of something in a whole ──────────────────────────────────────────────────────────────────────────────────


def _share_of(found: Cover) -> None:
    """« poids du web dans le CA », « que représente le web dans le CA »: a share, not a weight."""
    items = found.items
    if any(x.is_op("share", "share_by") for x in items):
        return
    for i, item in enumerate(items):
        weighs = item.norm in ("poids", "weight") and item.kind == "lex" and not item.of("measure", "entity")
        stands = item.norm in ("represente", "representent", "pese", "pesent") and item.kind == "filler"
        if not (weighs or stands):
            continue
        for j in range(i + 1, len(items) - 1):
            if items[j].norm in ("dans", "in") and items[j].kind == "filler":
                whole = next((x for x in items[j + 1 :] if x.kind != "filler"), None)
                parts = [x for x in items[i + 1 : j] if x.kind == "lex"]
                if whole is not None and whole.of("measure") and parts:
                    item.kind, item.options, item.ops = "op", (), ("share",)
                    return


def _by_whom(found: Cover) -> None:
    """« CA généré par les clients professionnels » is theirs, not one for each of them."""
    items = found.items
    for i, item in enumerate(items):
        if not (item.is_op("by") and item.norm == "par" and i and items[i - 1].norm[:5] in _DONE):
            continue
        solid = [j for j in range(i + 1, len(items)) if items[j].kind != "filler"][:2]
        if len(solid) == 2 and all(items[j].kind == "lex" for j in solid):
            who, value = (items[j] for j in solid)
            if (
                who.of("entity")
                and who.text[-1:].lower() in "sx"
                and value.of("value")
                and not value.of("entity", "measure")
            ):
                _light(item)
                _light(who)
        return


def _top_and_most(found: Cover) -> None:
    """« top 5 des produits les plus vendus » ranks once."""
    items = found.items
    for i, item in enumerate(items):
        if item.is_op("top") and item.norm == "top" and i + 1 < len(items) and items[i + 1].kind == "number":
            if any(x.is_op("most", "least") for x in items[i + 2 :]):
                _light(item)
            return


def _figures(found: Cover) -> None:
    """« le chiffre » is the turnover, « chiffres » may be any."""
    for item in found.items:
        loose = item.kind == "lex" and item.norm == "chiffres" and item.end - item.start == 1
        if loose and max(o.quality for o in item.options) < SHORT:
            item.kind, item.options, item.ops = "op", (), ("nothing",)


def _sold_of(found: Cover, lexicon: Lexicon) -> None:
    """« combien avons-nous vendu de suspensions »: how many, whatever « combien avons-nous vendu » alone may be."""
    items = found.items
    for i, item in enumerate(items):
        following = items[i + 1 : i + 3]
        if len(following) < 2 or following[0].norm not in _OF or following[1].kind != "lex" or following[1].of("measure"):
            continue
        first, last = found.tokens[item.start].norm, found.tokens[item.end - 1].norm
        phrase_of_it = item.kind == "lex" and first == "combien" and bool(_PARTICIPLE.search(last)) and item.of("measure")
        counts = [x for x in items[:i] if x.is_op("count")]
        verb = item.kind == "verb" and any(r.startswith("quantite") for r in item.ranked_by) and len(counts) == 1
        if not (phrase_of_it or verb):
            continue
        options = _first_known(lexicon, _QUANTITIES)
        if len(options) == 1:
            _is(item, options)
            for count in counts:
                _light(count)
        elif phrase_of_it:
            item.kind, item.options = "unknown", ()


def _before_that(found: Cover) -> None:
    """« la semaine dernière vs la semaine d'avant », « … vs les 30 jours précédents »: what is before it, not the same."""
    items = found.items
    for place, item in enumerate(items):
        said = {t.norm[:8] for t in found.tokens[item.start : item.end]} & {"avant", "preceden", "previous"}
        earlier = [x for x in items[:place] if x.kind == "time" and x.time is not None and x.time.period is not None]
        sliding = item.kind == "time" and item.time is not None and isinstance(item.time.period, LastPeriod)
        base = earlier[0].time if len(earlier) == 1 else None
        same = base is not None and item.time is not None and base.period == item.time.period
        if said and sliding and same and any(x.is_op("versus", "compare") for x in items):
            item.kind, item.time, item.ops = "op", None, ("previous_period",)
            return
    periods = [x for x in items if x.kind == "time" and _last_one(x) is not None]
    if len(periods) != 2 or periods[0].time is None or periods[1].time is None:
        return
    first, second = periods
    joined = any(x.is_op("versus", "compare") for x in items)
    said = {t.norm[:8] for t in found.tokens[second.start : second.end]} & {"avant", "preceden"}
    if joined and said and first.time is not None and second.time is not None and first.time.period == second.time.period:
        second.kind, second.time, second.ops = "op", None, ("previous_period",)


def _last_one(item: Item) -> CalendarPeriod | None:
    period = item.time.period if item.time is not None else None
    return period if isinstance(period, CalendarPeriod) and period.offset == -1 else None


def _and_in(found: Cover, lexicon: Lexicon) -> None:
    """« et en magasin ? »: where the layer calls a value « en magasin », it is that, and no shop."""
    for before, item in pairwise(found.items):
        if before.kind == "op" and before.text.lower() == "et en" and item.kind == "lex" and item.of("value"):
            named = tuple(
                o for o in lexicon.lookup(f"en {item.text}") if o.kind == "value" and o.quality >= 0.95 and o in item.options
            )
            item.options = named or item.options


_STEPS = {"mois": "month", "trimestre": "quarter", "semaine": "week"}
_LENGTHS = ("day", "week", "month", "quarter", "semester", "year")


def _from_one_to_the_next(found: Cover) -> None:
    """« d'un mois sur l'autre entre janvier et mai »: each month with the one before; of May alone, May with April."""
    items = found.items
    for i, item in enumerate(items):
        said = [t.norm for t in found.tokens[item.start : item.end]]
        if not item.is_op("previous_period") or said[:2] not in (["d", "un"], ["d", "une"]) or said[-1] != "autre":
            continue
        step = _STEPS.get(said[2])
        periods = [x.time.period for x in items if x.time is not None and x.time.period is not None]
        if step is None or not any(_longer(p, step) for p in periods):
            return
        if not any(x.is_op("growth") for x in items):
            items.insert(i, Item("op", item.start, item.start, item.text, ops=("growth",), norm="evolution"))
        item.kind, item.ops = "time", ()
        item.time = TimeSpan(item.start, item.end, grain=cast("Grain", step))
        return


def _longer(period: Period, step: str) -> bool:
    if isinstance(period, CalendarPeriod | ToDate):
        return period.unit not in _LENGTHS or _LENGTHS.index(period.unit) > _LENGTHS.index(step)
    if isinstance(period, LastPeriod):
        return period.count > 1
    return True


def _end_of_each(found: Cover, lexicon: Lexicon) -> None:
    """« stock en fin de mois », « à la fin de chaque trimestre »: month by month how things stood, where they stand."""
    items = found.items
    measured = [o for x in items if x.kind == "lex" for o in x.of("measure")]
    if not measured or any(lexicon.layer.measure(o.ref).additivity != "semi_additive" for o in measured):
        return
    for i, item in enumerate(items):
        if item.kind != "unknown" or item.norm not in ("fin", "end") or i + 1 >= len(items):
            continue
        following = next((x for x in items[i + 1 :] if x.kind != "filler"), None)
        time = following.time if following is not None and following.kind == "time" else None
        if following is not None and time is not None and time.period is None and (time.unit or time.grain):
            following.time = replace(time, grain=time.grain or time.unit, unit=None)
            _light(item)


# ── how much did we …, with all of …, at the end of … ──────────────────────────────────────────────────────────────────


def _how_much_did_we(found: Cover, lexicon: Lexicon, words: Grammar) -> None:
    """« how much did we invoice in May »: an amount, never a number of invoices."""
    items, norms = found.items, [t.norm for t in found.tokens]
    if norms[:2] != ["how", "much"] or not {"did", "have", "do"} & set(norms[2:4]):
        return
    for item in items:
        if item.start < 4 or item.kind in ("time", "op", "number"):
            continue
        if item.norm in words.done and norms[item.start - 1] in ("we", "i", "they"):
            options = _first_known(lexicon, words.done[item.norm])
            if any(x.kind == "lex" and x.of("measure") and x is not item for x in items):
                return
            if options:
                _is(item, options)
                for count in items[: items.index(item)]:
                    if count.is_op("count"):
                        _light(count)
            elif item.kind != "filler":
                item.kind, item.options, item.ops = "unknown", (), ()
            return


def _remarked(found: Cover) -> None:
    """« produits remisés » are those with a discount, not the sum of the discounts: it is a condition."""
    solid = [item for item in found.items if item.kind != "filler"]
    for noun, item in pairwise(solid):
        if noun.kind != "lex" or item.kind != "lex" or noun.end != item.start or item.end - item.start != 1:
            continue
        if noun.of("entity") and item.text.lower().endswith(("é", "ée", "és", "ées")):
            sums = [o for o in item.options if o.kind == "measure" and o.participle is False and o.quality < 0.95]
            if sums and len(sums) == len(item.options):
                item.kind, item.options = "unknown", ()


def _all_told(found: Cover) -> None:
    """« toutes régions confondues » leaves nothing out."""
    items = found.items
    for i, item in enumerate(items):
        if item.norm[:7] != "confond" or item.kind not in ("unknown", "filler") or i < 2:
            continue
        if items[i - 1].kind == "lex" and items[i - 2].norm in ("tous", "toutes") and not items[i - 1].of("value"):
            for j in (i - 2, i - 1, i):
                _light(items[j])


def _amount_of_before(found: Cover, words: Grammar) -> None:
    """« unpaid invoices amount », « credit notes value »: the amount of what stands before it."""
    items = found.items
    if words.language != "en":
        return
    for i, item in enumerate(items):
        said = item.norm in ("amount", "value", "amounts") and (item.end - item.start == 1 or item.is_op("amount"))
        if i == 0 or not said or item.of("measure"):
            continue
        first = i
        while first and items[first - 1].kind == "lex" and items[first - 1].end == items[first].start:
            first -= 1
        if first < i and any(x.of("entity") for x in items[first:i]):
            item.kind, item.options, item.ops = "op", (), ("amount",)
            items.insert(first, items.pop(i))
            return


def _picked_up(found: Cover, lexicon: Lexicon) -> None:
    """« commandes retirées à Lyon Bellecour »: the way that the layer calls by that noun (« magasin de retrait »)."""
    joins = lexicon.layer.joins
    for i, item in enumerate(found.items):
        noun = next((n for root, n in _NOUN_OF_WAY.items() if item.norm.startswith(root)), None)
        place = next((x for x in found.items[i + 1 :] if x.kind != "filler"), None)
        if noun is None or item.end - item.start != 1 or not _PARTICIPLE.search(item.text) or place is None:
            continue
        subject = {o.entity for x in found.items[:i] if x.kind == "lex" for o in x.of("entity", "measure")}
        ways = [
            name for name, join in joins.items()
            if noun in {w for t in (join.label or "", *join.synonyms) for w in phrase(t)} and join.from_entity in subject
            and any(o.entity == join.to_entity for o in place.of("value"))
        ]  # fmt: skip
        if len(ways) == 1:
            _is(item, (Option("way", ways[0]),))
            place.options = tuple(o for o in place.of("value") if o.entity == joins[ways[0]].to_entity)
            return


def _paid_by(found: Cover) -> None:
    """« part des encaissements réglée par carte »: how it was paid, no state of an invoice."""
    items = found.items
    measured = {o.entity for x in items if x.kind == "lex" for o in x.of("measure")}
    for i, item in enumerate(items):
        values = item.of("value")
        after = [x for x in items[i + 1 : i + 4] if x.kind != "filler" or x.norm in ("en", "via")]
        if not values or len(values) != len(item.options) or not _PARTICIPLE.search(item.text) or len(after) < 2:
            continue
        link, by = after[0], after[1]
        how = {o.entity for o in by.of("value")} if by.kind == "lex" else set()
        if (link.is_op("by") or link.kind == "filler") and how & measured and not {o.entity for o in values} & how:
            _light(item)


def _at_each_end(found: Cover, lexicon: Lexicon) -> None:
    """« valeur du stock fin de mois », « stock à chaque fin de mois »: by month, of what is kept at the end of each."""
    norms = [t.norm for t in found.tokens]
    for i, item in enumerate(found.items):
        said = item.norm == "fin" and norms[item.start : item.start + 3] in (
            ["fin", "de", "mois"],
            ["fin", "de", "trimestre"],
        )
        time = next((x for x in found.items[i + 1 : i + 3] if x.kind == "time"), None)
        if not said or item.kind not in ("unknown", "filler") or time is None or time.time is None:
            continue
        measured = [o for x in found.items if x.kind == "lex" for o in x.of("measure")]
        stands = bool(measured) and all(lexicon.layer.measure(o.ref).additivity == "semi_additive" for o in measured)
        if not stands or time.time.grain is None:
            continue
        _light(item)
        for before in found.items[max(0, i - 3) : i]:
            if before.is_op("by") and before.norm in ("chaque", "a"):
                _light(before)


def _end_of_month(found: Cover, lexicon: Lexicon) -> None:
    """« stock fin mars » is how things stood then; « CA fin mars » may be three things, and is not guessed."""
    _end_of_each(found, lexicon)
    for item in found.items:
        if item.kind != "time" or item.time is None or item.time.period is None or found.tokens[item.start].norm != "fin":
            continue
        measured = [o for x in found.items if x.kind == "lex" for o in x.of("measure")]
        stands = any(lexicon.layer.measure(o.ref).additivity == "semi_additive" for o in measured)
        if measured and not stands:
            item.kind, item.time = "unknown", None
