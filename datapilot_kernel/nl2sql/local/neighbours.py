"""Words whose place, or whose meaning, comes from the words beside them: settled between the cover and the reader.

« famille x canal » crosses two groups, « montant moyen TTC des commandes » speaks of the tax of what follows, « avec leur
date » of the date that dates the rows listed, « la marge dégagée » says no more than the margin. As in :mod:`.idioms`, an
item changes only where the layer has exactly what it stands for.
"""

from __future__ import annotations

import re

from datapilot_kernel.nl2sql.local.cover import Cover, Item
from datapilot_kernel.nl2sql.local.grammar import Grammar
from datapilot_kernel.nl2sql.local.lexicon import Lexicon, Option

_CROSSED = {"x", "×", "*"}
_DATE = {"date", "dates"}
_THEIRS = {"leur", "leurs", "sa", "ses", "son", "la", "les", "their", "its", "the"}
_BEFORE_TAX = ("avg", "min", "max", "median", "sum", "amount")
_PARTICIPLE = re.compile(r"(?:é|ée|és|ées|i|is|it|u|us|ue|ues)$", re.IGNORECASE)


def settle_neighbours(found: Cover, lexicon: Lexicon, words: Grammar) -> None:
    """Settle them, in place."""
    _this_is_not_revenue(found)
    _crossed(found)
    _tax_after(found)
    _amount_said_twice(found, lexicon)
    _their_date(found, lexicon)
    _having_done(found)
    _not_beyond(found)
    _between_two_times(found)
    _only_made(found, lexicon, words)


def _filler(item: Item) -> None:
    item.kind, item.options, item.ops, item.nouns, item.ranked_by = "filler", (), (), (), ()


def _this_is_not_revenue(found: Cover) -> None:
    """« ça » is « cela », though « ca » is the turnover."""
    for item in found.items:
        if item.text.lower() == "ça" and item.kind == "lex":
            _filler(item)


def _crossed(found: Cover) -> None:
    """« famille x canal »: by both."""
    items = found.items
    for i in range(1, len(items) - 1):
        item, before, after = items[i], items[i - 1], items[i + 1]
        if item.text.lower() not in _CROSSED or item.kind not in ("unknown", "filler"):
            continue
        groups = [
            x for x in (before, after) if x.of("dimension", "entity") or (x.time is not None and x.time.period is None)
        ]
        if len(groups) == 2:
            item.kind, item.ops = "op", ("and",)
            if not any(x.is_op("by") for x in items[:i]):
                # « CA famille x canal » says « par » by its cross.
                place = next((j for j in range(i) if items[j] is before), i - 1)
                items.insert(place, Item("op", before.start, before.start, "par", ops=("by",), norm="par"))
            return


def _tax_after(found: Cover) -> None:
    """« valeur médiane TTC des commandes »: what the tax is of comes first."""
    items = found.items
    for i, item in enumerate(items):
        if not item.is_op("net_of_tax", "with_tax") or i == 0 or not items[i - 1].is_op(*_BEFORE_TAX):
            continue
        following = next((j for j in range(i + 1, len(items)) if items[j].kind != "filler"), None)
        if following is not None and items[following].kind == "lex":
            items[i : following + 1] = [*items[i + 1 : following + 1], item]
            return


def _amount_said_twice(found: Cover, lexicon: Lexicon) -> None:
    """« montant total des avoirs », where the layer has a « total des avoirs »: an amount already."""
    layer = lexicon.layer
    for item, following in zip(found.items, found.items[1:], strict=False):
        generic = item.norm in ("montant", "valeur", "somme") and item.end - item.start == 1 and item.end == following.start
        if not generic or following.kind != "lex" or found.tokens[following.start].norm not in ("total", "totale", "totaux"):
            continue
        sums = [o for o in following.of("measure") if o.quality >= 0.94]
        if sums and all(layer.measure(o.ref).format.kind == "currency" for o in sums):
            _filler(item)


def _their_date(found: Cover, lexicon: Lexicon) -> None:
    """« avec leur date », « avec la date »: the one that dates each row."""
    items = found.items
    for i, item in enumerate(items):
        if item.kind != "unknown" or item.norm not in _DATE or i < 1 or items[i - 1].norm not in _THEIRS:
            continue
        said = [x for x in items[:i] if x.is_op("with", "and", "list")]
        layer = lexicon.layer
        dates = tuple(
            Option("dimension", f"{name}.{entity.time}", 0.9)
            for name, entity in layer.entities.items()
            if entity.time and not entity.hidden and not entity.dimensions[entity.time].hidden
        )
        listed = {o.ref for x in items[:i] for o in x.of("entity")}
        dates = tuple(d for d in dates if d.entity in listed)
        if said and len(dates) == 1:
            item.kind, item.options = "lex", dates


def _having_done(found: Cover) -> None:
    """« clients à avoir dépensé »: an auxiliary, though a credit note is « un avoir » too."""
    items = found.items
    for i, item in enumerate(items[:-1]):
        if item.norm != "avoir" or item.kind != "lex" or item.end - item.start != 1:
            continue
        after = found.tokens[item.end] if item.end < len(found.tokens) else None
        before = items[i - 1].norm if i else ""
        if after is not None and _PARTICIPLE.search(after.text) and before in ("a", "pour", "apres", "d", "sans"):
            _filler(item)


def _not_beyond(found: Cover) -> None:
    """« n'excède pas 20 € », « ne dépassent pas 10 »: at most so many."""
    items = found.items
    for first, beyond, second in zip(items, items[1:], items[2:], strict=False):
        denied = (
            first.is_op("neg") and first.norm in ("n", "ne") and second.is_op("neg") and second.norm in ("pas", "jamais")
        )
        if denied and beyond.is_op("gt", "ge", "lt", "le"):
            beyond.ops = tuple({"gt": "le", "ge": "lt", "lt": "ge", "le": "gt"}.get(o, o) for o in beyond.ops)
            _filler(first)
            _filler(second)


def _between_two_times(found: Cover) -> None:
    """« écart de CA entre mai 2026 et mai 2025 »: the one against the other."""
    items = found.items
    for i, item in enumerate(items):
        following = next((x for x in items[i + 1 :] if x.kind != "filler"), None)
        said = item.norm in ("entre", "between") and (item.is_op("between") or item.kind == "unknown")
        dated = following is not None and following.time is not None and following.time.period is not None
        if said and dated and any(x.is_op("growth", "compare") for x in items[:i]):
            _filler(item)


def _only_made(found: Cover, lexicon: Lexicon, words: Grammar) -> None:
    """« la marge dégagée », « a signé le plus gros CA »: a verb of making beside a measure says nothing more."""
    items = found.items
    for i, item in enumerate(items):
        if item.kind not in ("unknown", "verb") or item.norm not in words.making:
            continue
        if any(lexicon.lookup(noun) for noun in item.nouns):
            continue  # where contracts are signed, « signé » is one of them
        near = [
            x
            for x in items[max(0, i - 4) : i + 5]
            if x.kind == "lex"
            and (x.of("measure") or any(lexicon.layer.dimension(o.ref).type == "number" for o in x.of("dimension")))
        ]
        if near:
            _filler(item)
