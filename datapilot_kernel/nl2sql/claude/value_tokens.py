"""Stored values that may not leave the machine, and what stands for them in a prompt.

A question says « Part-Dieu »; the value index knows that a shop is stored as « Boutique Lyon Part-Dieu ». Where the tenant
has not opened that column, the prompt says that the words name ``@v1``, a value of ``magasins.nom``; the model writes
``@v1`` into its plan or SQL, and it is put back here, on this machine. Where the column is open, the value is written.

*Opened* are the values that an accepted layer names itself (``values`` of a dimension: its author wrote them for people to
read), and with the openness ``values`` those of every dimension that is not personal. Whatever is not a stored value (a
word of the question, a number, a date) is no secret here: the person typed it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from datapilot_kernel.catalog.values import ValueIndex, value_words
from datapilot_kernel.nl2sql.claude.settings import Openness
from datapilot_kernel.plan.compact import compact_plan
from datapilot_kernel.plan.filters import map_filters
from datapilot_kernel.plan.model import Filter, Plan
from datapilot_kernel.semantic.model import Layer

_TOKEN = re.compile(r"(?<!\w)@v\d+\b")
"""Not in « contact@v2.fr »."""
_QUOTED = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*\"""", re.DOTALL)
"""Texts and names of a statement. A name may hold an apostrophe (« AS "chiffre d'affaires" »), and so may a comment: read
past, they do not begin a text.
"""
_FENCE = re.compile(r"<(?=/?[a-zA-Z])|[\x00-\x1f\x7f-\x9f]")
_LONGEST_SHOWN = 200
_SHORTEST_HIDDEN = 3
"""Characters of a stored value that is looked for inside other text: « O » or « de » would be found everywhere."""
_SMALL_WORDS = frozenset({"a", "au", "aux", "d", "de", "des", "du", "en", "et", "l", "la", "le", "les", "of", "the"})


def stored_values(values: ValueIndex) -> dict[str, tuple[str, ...]]:
    """Return every stored value with the dimensions that have it. Made once: there may be a hundred thousand."""
    found: dict[str, tuple[str, ...]] = {}
    for ref, stored in values.values.items():
        for value in stored:
            found[value] = (*found.get(value, ()), ref)
    return found


class ValueTokens:
    """The tokens of one question.

    Parameters
    ----------
    stored
        Of this person's value index (:func:`stored_values`): what is in it is a stored value.
    typed
        What the person typed: this question and those before. A value made of these words is no secret; a token that they
        wrote themselves stands for nothing here, and is not given to a value.
    """

    def __init__(
        self, layer: Layer, stored: Mapping[str, tuple[str, ...]], openness: Openness, typed: Iterable[str] = ()
    ) -> None:
        self._layer = layer
        self._openness = openness
        self._stored = stored
        said = "\n".join(typed)
        self._typed = frozenset(value_words(said))
        self._taken = frozenset(re.findall(r"@v\d+", said))
        self._count = 0
        self._by_value: dict[str, str] = {}
        self._by_token: dict[str, str] = {}

    def shown(self, ref: str, value: str) -> str:
        """Return what a prompt may say for a value of a dimension: itself, or its token."""
        return value if self.is_open(ref, value) else self._token(value)

    def is_open(self, ref: str, value: str) -> bool:
        """Tell whether a stored value of this dimension may leave."""
        try:
            dimension = self._layer.dimension(ref)
        except KeyError:
            return False
        if dimension.personal or len(value) > _LONGEST_SHOWN or _FENCE.search(value):
            # A stored text that looks like a part of the prompt goes as a token, whatever is open.
            return False
        if self._openness == "values":
            return True
        return self._layer.status == "accepted" and value in dimension.values

    def shown_literal(self, value: str) -> str:
        """Return what a prompt may say for a text whose column is not known."""
        refs = self._stored.get(value, ())
        return value if all(self.is_open(ref, value) for ref in refs) else self._token(value)

    def _token(self, value: str) -> str:
        if value not in self._by_value:
            self._count += 1
            while (token := f"@v{self._count}") in self._taken:
                self._count += 1
            self._by_value[value], self._by_token[token] = token, value
        return self._by_value[value]

    # ── out ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def hidden_plan(self, plan: Plan) -> dict[str, Any]:
        """Return a plan as JSON for a prompt: what is default left out, closed values as tokens, no free text (a column's
        label may quote a value).
        """
        found: dict[str, Any] = _without_texts(compact_plan(map_filters(plan, self._hidden_filter)))
        return found

    def hidden_example(self, question: str, plan: Plan) -> tuple[str, dict[str, Any]]:
        """Return somebody else's approved question and plan for a prompt: every text value that is not open, or that this
        person has not got, is « … », and so is each of its words in the question. It was approved by a colleague, who may
        see more than this person does. Of personal data no value at all is shown.
        """
        closed: set[str] = set()

        def hide(one: Filter) -> Filter:
            hidden = tuple(v if self._example_shows(one.field, v) else "…" for v in one.values)
            closed.update(str(v) for v, h in zip(one.values, hidden, strict=True) if h == "…")
            if "…" in hidden:
                closed.update(one.typed)
            return one.model_copy(update={"values": hidden, "typed": ()})

        shown: dict[str, Any] = _without_texts(compact_plan(map_filters(plan, hide)))
        for value in sorted(closed, key=len, reverse=True):
            question = re.sub(re.escape(value), "…", question, flags=re.IGNORECASE)
        # « Mme Bellamy » stands for « Bellamy Odile », « crédits » for « Crédit ».
        words = {_stemmed(w) for value in closed for w in value_words(value)} - _SMALL_WORDS

        def word(match: re.Match[str]) -> str:
            return "…" if any(_stemmed(w) in words for w in value_words(match[0])) else match[0]

        question = re.sub(r"\w+", word, question)
        return re.sub(r"…(?:[\s’'\-]*…)+", "…", question), shown

    def _example_shows(self, ref: str, value: object) -> bool:
        try:
            dimension = self._layer.dimension(ref)
        except KeyError:
            return False
        if not isinstance(value, str):
            return not dimension.personal
        named = self._layer.status == "accepted" and value in dimension.values
        return self.is_open(ref, value) and (named or value in self._stored)

    def _hidden_filter(self, one: Filter) -> Filter:
        values = tuple(self._shown_in_plan(one.field, v) if isinstance(v, str) else v for v in one.values)
        return one.model_copy(update={"values": values})

    def _shown_in_plan(self, ref: str, value: str) -> str:
        """Show a value that is open and this person's own, or that the person typed; else its token. A plan may hold others:
        approved by a colleague, or made when the person's rights were wider.
        """
        if value in self._stored:
            return self.shown(ref, value)
        words = value_words(value)
        if self._example_shows(ref, value) or (words and self._typed.issuperset(words) and not _FENCE.search(value)):
            return value
        return self._token(value)

    def hidden_sql(self, sql: str) -> str:
        """Return a statement for a prompt, its closed values as tokens, also those within a pattern (``'%Quais%'``)."""

        def hide(match: re.Match[str]) -> str:
            quote = match[0][0]
            if quote not in "'\"":
                return " "
            value = match[0][1:-1].replace(quote * 2, quote)
            for read in (value, value.replace("\\\\", "\\")):
                if read in self._stored:
                    return quote + self.shown_literal(read).replace(quote, quote * 2) + quote
            shown = self.hidden_prose(value)
            return quote + shown.replace(quote, quote * 2) + quote

        return _QUOTED.sub(hide, sql)

    def hidden_prose(self, text: str) -> str:
        """Return a text that may quote stored values (a question asked back), the closed ones as tokens. Longest first."""
        found: list[str] = []
        place = 0
        while place < len(text):
            value = next((v for v in _spans(text, place) if v in self._stored), None)
            shown = self.shown_literal(value) if value is not None else None
            if value is not None and shown is not None and shown != value:
                found.append(shown)
                place += len(value)
            else:
                found.append(text[place])
                place += 1
        return "".join(found)

    def hidden_text(self, text: str) -> str:
        """Return a sentence of ours for the model, the values that this question's tokens stand for as tokens again."""
        if not self._by_value:
            return text
        longest_first = sorted(self._by_value, key=len, reverse=True)
        # Whole words, in one pass: « Est » is not in « Estonie », and a token put in is not looked into again.
        pattern = r"(?<!\w)(?:" + "|".join(re.escape(value) for value in longest_first) + r")(?!\w)"
        return re.sub(pattern, lambda match: self._by_value[match[0]], text)

    # ── back in ───────────────────────────────────────────────────────────────────────────────────────────────────

    def unknown(self, given: Any) -> list[str]:
        """Return the tokens in what the model gave that stand for nothing."""
        found = {token for text in _texts(given) for token in _TOKEN.findall(text)}
        return sorted(token for token in found if token not in self._by_token and token not in self._taken)

    def restored(self, given: Any) -> Any:
        """Return JSON that the model gave with every token put back."""
        if isinstance(given, str):
            return _TOKEN.sub(lambda m: self._by_token.get(m[0], m[0]), given)
        if isinstance(given, list):
            return [self.restored(one) for one in given]
        if isinstance(given, Mapping):
            return {key: self.restored(value) for key, value in given.items()}
        return given

    def restored_sql(self, sql: str, *, backslash_escapes: bool) -> str:
        """Return a statement with the tokens inside its texts and its quoted names (a column's heading) put back."""

        def restore(match: re.Match[str]) -> str:
            quote = match[0][0]
            if quote not in "'\"":
                return match[0]

            def value(token: re.Match[str]) -> str:
                if token[0] not in self._by_token:
                    return token[0]
                stored = self._by_token[token[0]].replace(quote, quote * 2)
                return stored.replace("\\", "\\\\") if backslash_escapes else stored

            return _TOKEN.sub(value, match[0])

        return _QUOTED.sub(restore, sql)


def _texts(given: Any) -> Iterator[str]:
    """Yield every text of some JSON."""
    if isinstance(given, str):
        yield given
    elif isinstance(given, Mapping):
        for value in given.values():
            yield from _texts(value)
    elif isinstance(given, list):
        for value in given:
            yield from _texts(value)


def _without_texts(plan: Any) -> Any:
    if isinstance(plan, list):
        return [_without_texts(one) for one in plan]
    if isinstance(plan, dict):
        return {key: _without_texts(value) for key, value in plan.items() if key not in ("label", "typed")}
    return plan


def _stemmed(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] in "sx" else word


def _spans(text: str, start: int) -> Iterator[str]:
    """Yield the whole words from a place on, longest first; none inside a word."""
    if text[start].isspace() or (start > 0 and text[start - 1].isalnum() and text[start].isalnum()):
        return
    for end in range(min(len(text), start + _LONGEST_SHOWN), start + _SHORTEST_HIDDEN - 1, -1):
        if end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum()):
            yield text[start:end]
