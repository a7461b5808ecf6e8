"""Words that repeat or lean on others, settled between the cover and the reader.

A unit said again (« délai moyen, en jours »), « ni » that carries a negation on, « selon que le client est pro ou
particulier » that names the groups by their values, « restent » before a state.

Like every turn of :mod:`.idioms`, each is tried in one place and changes items only where the layer has exactly what it
stands for; otherwise the words stay as they were.
"""

from __future__ import annotations

from datapilot_kernel.nl2sql.local.cover import Cover, Item
from datapilot_kernel.nl2sql.local.lexicon import Lexicon, Option

_REMAIN = {"reste", "restent", "demeure", "demeurent", "restant", "restants", "restees"}
_COUNTED = {"unite", "unites", "piece", "pieces", "article", "articles", "exemplaire", "exemplaires"}
_DAYS = {"jour", "jours"}


def settle_asides(found: Cover, lexicon: Lexicon) -> None:
    """Settle them, in place."""
    _still_in_a_state(found)
    _unit_again(found, lexicon)
    _counted_in_euros(found, lexicon)
    _neither_nor(found)
    _whether(found, lexicon)
    _in_number(found, lexicon)
    _left_out_after(found)
    _and_its_rate(found, lexicon)
    _weighing(found)


def _left_out_after(found: Cover) -> None:
    """« gestes commerciaux exclus », « le web mis à part »: the negation stands after what it leaves out."""
    items = found.items
    for i, item in enumerate(items):
        if not (item.norm.startswith("exclu") or item.norm in ("excepte", "exceptes", "exceptee", "exceptees")) or i == 0:
            continue
        before = items[i - 1]
        if before.kind == "lex" and before.of("value") and not before.of("measure") and item.end - item.start == 1:
            _light(item)
            items.insert(i - 1, Item("op", before.start, before.start, "sauf", ops=("neg",), norm="sauf"))
            return


def _and_its_rate(found: Cover, lexicon: Lexicon) -> None:
    """« la marge en euros et en pourcentage »: the margin and its rate, no share of a whole."""
    items = found.items
    for i, item in enumerate(items):
        if not item.is_op("share") or not item.text.lower().startswith("en "):
            continue
        before = [x for x in items[:i] if x.kind != "filler"]
        said = {x.norm for x in items[:i] if x.kind == "filler"}
        if len(before) < 2 or not before[-1].is_op("and") or before[-2].kind != "lex" or not said & {"euros", "€", "euro"}:
            continue
        names = [f"taux de {before[-2].text}", f"{before[-2].text} en pourcentage", f"{before[-2].text} %"]
        rates = {o.ref: o for n in names for o in lexicon.lookup(n) if o.kind == "measure" and o.quality >= 0.95}
        if len(rates) == 1:
            item.kind, item.options, item.ops = "lex", tuple(rates.values()), ()
        else:
            item.kind, item.ops = "unknown", ()


def _weighing(found: Cover) -> None:
    """« les produits qui pèsent plus de 10 kg » weigh, they are no share."""
    for i, item in enumerate(found.items):
        following = _after(found.items, i)
        weighs = item.is_op("share") and item.norm in ("pese", "pesent", "pesant")
        if weighs and following is not None and following.is_op("gt", "ge", "lt", "le", "eq", "between"):
            _light(item)


def _light(item: Item) -> None:
    item.kind, item.options, item.ops, item.nouns, item.ranked_by, item.time = "filler", (), (), (), (), None


def _after(items: list[Item], i: int) -> Item | None:
    return next((x for x in items[i + 1 :] if x.kind != "filler"), None)


def _still_in_a_state(found: Cover) -> None:
    """« combien de factures restent impayées »: those that are."""
    for i, item in enumerate(found.items):
        if item.norm not in _REMAIN or item.end - item.start != 1 or item.kind not in ("unknown", "lex", "verb"):
            continue
        following = found.items[i + 1] if i + 1 < len(found.items) else None
        if following is not None and following.kind == "lex" and following.of("value"):
            best = max(o.quality for o in following.options)
            following.options = tuple(o for o in following.options if o.kind == "value" or o.quality > best + 0.01)
            following.options = following.of("value") or following.options
            _light(item)


def _unit_again(found: Cover, lexicon: Lexicon) -> None:
    """« délai médian, en jours », « le stock, il est de combien d'unités »: the unit that the measure has anyway."""
    layer, items = lexicon.layer, found.items
    measured = [o for x in items if x.kind == "lex" for o in x.of("measure")]
    numbers = [
        o for x in items if x.kind == "lex" for o in x.of("dimension") if layer.dimension(o.ref).type == "number"
    ]  # fmt: skip
    forms = {layer.measure(o.ref).format.kind for o in measured}
    forms |= {form.kind for o in numbers if (form := layer.dimension(o.ref).format) is not None}
    for i, item in enumerate(items):
        before = items[i - 1] if i else None
        if (
            item.kind == "time"
            and item.time is not None
            and item.time.period is None
            and item.text.lower() in _DAYS
            and before is not None
            and before.norm == "en"
            and "days" in forms
        ):
            _light(item)
        if item.kind == "lex" and item.norm in _COUNTED and item.end - item.start == 1 and before is not None:
            earlier = [x for x in items[:i] if x.kind == "lex" and x.of("measure")]
            counts = [x for x in items[:i] if x.is_op("count")]
            whole = [o for x in earlier for o in x.of("measure") if layer.measure(o.ref).format.kind == "integer"]
            if len(earlier) == 1 and len(counts) == 1 and whole and items.index(counts[0]) > items.index(earlier[0]):
                earlier[0].options = tuple(dict.fromkeys(whole))
                _light(item)
                _light(counts[0])


def _counted_in_euros(found: Cover, lexicon: Lexicon) -> None:
    """« combien d'encaissements en euros »: an amount, not how many."""
    items = found.items
    for i, item in enumerate(items):
        money = item.norm in ("€", "euros", "euro") and item.kind == "filler"
        if not money or not any(x.norm == "en" for x in items[max(0, i - 2) : i]):
            continue
        counts = [x for x in items[:i] if x.is_op("count")]
        named = [x for x in items[:i] if x.kind == "lex" and x.of("measure")]
        if len(counts) == 1 and len(named) == 1:
            layer = lexicon.layer
            amounts = tuple(o for o in named[0].of("measure") if layer.measure(o.ref).format.kind == "currency")
            if amounts:
                named[0].options = amounts
                _light(counts[0])
        return


def _neither_nor(found: Cover) -> None:
    """« sans le web ni le téléphone », « ni pros ni particuliers »: the negation goes on."""
    items = found.items
    for i, item in enumerate(items):
        if item.norm != "ni" or item.kind != "unknown":
            continue
        following = _after(items, i)
        if following is None or following.kind != "lex" or not following.of("value"):
            continue
        negations = [j for j in range(i) if items[j].is_op("neg")]
        item.kind = "op"
        item.ops = ("and",) if negations else ("neg",)


def _whether(found: Cover, lexicon: Lexicon) -> None:
    """« selon que le client est pro ou particulier », « selon pro ou particulier »: grouped by what these are values of."""
    items = found.items
    for i, item in enumerate(items):
        if not item.is_op("by"):
            continue
        solid = [x for x in items[i + 1 :] if x.kind != "filler"]
        named = solid[0] if solid and solid[0].kind == "lex" and not solid[0].of("value") and solid[0].of("entity") else None
        rest = solid[1:] if named is not None else solid
        if len(rest) < 3 or not rest[1].is_op("or", "and") or rest[0].kind != "lex" or rest[2].kind != "lex":
            continue
        if item.norm == "par" and rest[1].is_op("and"):
            continue
        shared = {o.ref for o in rest[0].of("value")} & {o.ref for o in rest[2].of("value")}
        if named is not None:
            shared &= {r for r in shared if any(r.partition(".")[0] == e.ref for e in named.of("entity"))}
        if len(shared) != 1:
            continue
        ref = next(iter(shared))
        # Both values, and so each of them in a row of its own.
        item.kind, item.ops = "op", ("compare",)
        if named is not None:
            _light(named)
        for value in (rest[0], rest[2]):
            value.options = tuple(o for o in value.options if o.kind == "value" and o.ref == ref)
        rest[1].ops = ("and",)
        return


def _in_number(found: Cover, lexicon: Lexicon) -> None:
    """« part des factures impayées, en nombre »: a part of rows is one of their number anyway."""
    items = found.items
    last = [x for x in items if x.kind != "filler"][-1:]
    if not last or not last[0].is_op("count") or last[0].norm != "nombre" or not any(x.is_op("share") for x in items):
        return
    place = items.index(last[0])
    measured: list[Option] = [
        o for x in items[:place] if x.kind == "lex" and not x.of("value", "entity") for o in x.of("measure")
    ]
    if (
        place
        and items[place - 1].norm == "en"
        and all(lexicon.layer.measure(o.ref).format.kind == "integer" for o in measured)
    ):
        _light(last[0])
