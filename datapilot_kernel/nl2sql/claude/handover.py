"""What the local engine did understand of a question, as words and what they name: handed to the model with the question.

The local engine is exact about what it knows: which measure « CA » is, which stored value « Part-Dieu » is part of, which
symbolic period « les 3 derniers mois » is. A model that is told so need not guess, and sees which words are left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from datapilot_kernel.nl2sql.local import LocalEngine
from datapilot_kernel.nl2sql.local.cover import cover
from datapilot_kernel.nl2sql.local.grammar import grammar
from datapilot_kernel.nl2sql.local.numbers import merge_numbers
from datapilot_kernel.nl2sql.local.tokens import tokenize
from datapilot_kernel.plan.model import Period

MOST_NAMES = 4
"""Of one phrase: what may name more things than this names none in particular."""


@dataclass(frozen=True)
class Named:
    """A thing of the layer that words may name: ``kind`` is ``entity``, ``measure``, ``dimension``, ``value`` or ``way``."""

    kind: str
    ref: str
    value: str | bool | None = None


@dataclass(frozen=True)
class Words:
    """Some words of the question: what they may name, or the period, or the grain of time that they say."""

    text: str
    names: tuple[Named, ...] = ()
    period: Period | None = None
    grain: str | None = None


@dataclass(frozen=True)
class Heard:
    """A question as far as the layer's words, its values and the grammar of periods explain it."""

    words: tuple[Words, ...] = ()
    unexplained: tuple[str, ...] = ()


def hear(local: LocalEngine, question: str, *, today: date) -> Heard:
    """Return what the words of a question name. Never raises; a question too long for the local engine is not heard."""
    if len(question) > 1000:
        return Heard()
    language = local.language
    tokens = merge_numbers(tokenize(question, language=language), language=language)
    if not tokens or len(tokens) > 120:
        return Heard()
    found = cover(tokens, local.lexicon, grammar(language), today=today)
    words: list[Words] = []
    for item in found.items:
        if item.kind == "lex":
            names = tuple(
                dict.fromkeys(
                    Named(o.kind, o.ref if o.ref else o.entity, o.value if o.kind == "value" else None) for o in item.options
                )
            )
            if 0 < len(names) <= MOST_NAMES * 3:
                words.append(Words(item.text, names[:MOST_NAMES]))
        elif item.kind == "time" and item.time is not None and item.time.possible:
            grain = item.time.grain or item.time.unit
            if item.time.period is not None or grain is not None:
                words.append(Words(item.text, period=item.time.period, grain=grain))
    unknown = {place for item in found.unknown for place in range(item.start, item.end)}
    for start, end, hits in local.values.spans([token.norm for token in tokens]) if unknown else ():
        # A value that the cover gave up for other readings of its words (« Part-Dieu » for a share) still explains them.
        if unknown & set(range(start, end)) and 0 < len(hits) <= MOST_NAMES:
            named = tuple(dict.fromkeys(Named("value", hit.ref, hit.value) for hit in hits))
            words.append(Words(" ".join(token.text for token in tokens[start:end]), named))
    return Heard(tuple(words), tuple(item.text for item in found.unknown))
