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
from collections.abc import Mapping
from typing import Any

from datapilot_kernel.catalog.values import ValueIndex
from datapilot_kernel.nl2sql.claude.settings import Openness
from datapilot_kernel.plan.compact import compact_plan
from datapilot_kernel.plan.filters import map_filters
from datapilot_kernel.plan.model import Filter, Plan
from datapilot_kernel.semantic.model import Layer

_TOKEN = re.compile(r"@v\d+\b")
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
"""In MySQL a text may stand between double quotes as well."""


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
    """

    def __init__(self, layer: Layer, stored: Mapping[str, tuple[str, ...]], openness: Openness) -> None:
        self._layer = layer
        self._openness = openness
        self._stored = stored
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
        if dimension.personal:
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
            token = f"@v{len(self._by_value) + 1}"
            self._by_value[value], self._by_token[token] = token, value
        return self._by_value[value]

    # ── out ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def hidden_plan(self, plan: Plan) -> dict[str, Any]:
        """Return a plan as JSON for a prompt: what is default left out, closed values as tokens."""
        return compact_plan(map_filters(plan, self._hidden_filter))

    def hidden_example(self, question: str, plan: Plan) -> tuple[str, dict[str, Any]]:
        """Return somebody else's approved question and plan for a prompt: every text value that is not open is « … », in the
        question too. It was approved by a colleague, who may see more than this person does.
        """
        closed: set[str] = set()

        def hide(one: Filter) -> Filter:
            hidden = tuple("…" if isinstance(v, str) and not self.is_open(one.field, v) else v for v in one.values)
            closed.update(str(v) for v, h in zip(one.values, hidden, strict=True) if h == "…")
            closed.update(one.typed)
            return one.model_copy(update={"values": hidden, "typed": ()})

        shown = compact_plan(map_filters(plan, hide))
        for value in sorted(closed, key=len, reverse=True):
            question = re.sub(re.escape(value), "…", question, flags=re.IGNORECASE)
        return question, shown

    def _hidden_filter(self, one: Filter) -> Filter:
        values = tuple(self.shown(one.field, v) if isinstance(v, str) and v in self._stored else v for v in one.values)
        return one.model_copy(update={"values": values})

    def hidden_sql(self, sql: str) -> str:
        """Return a statement for a prompt, its closed values as tokens."""

        def hide(match: re.Match[str]) -> str:
            quote = match[0][0]
            value = match[0][1:-1].replace(quote * 2, quote)
            shown = self.shown_literal(value) if value in self._stored else value
            return quote + shown.replace(quote, quote * 2) + quote

        return _QUOTED.sub(hide, sql)

    def hidden_text(self, text: str) -> str:
        """Return a sentence of ours for the model, the values that this question's tokens stand for as tokens again."""
        for value in sorted(self._by_value, key=len, reverse=True):
            text = text.replace(value, self._by_value[value])
        return text

    # ── back in ───────────────────────────────────────────────────────────────────────────────────────────────────

    def unknown(self, given: Any) -> list[str]:
        """Return the tokens in what the model gave that stand for nothing."""
        found = _TOKEN.findall(repr(given))
        return sorted({token for token in found if token not in self._by_token})

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
        """Return a statement with the tokens inside its text literals put back."""

        def restore(match: re.Match[str]) -> str:
            quote = match[0][0]

            def value(token: re.Match[str]) -> str:
                if token[0] not in self._by_token:
                    return token[0]
                stored = self._by_token[token[0]].replace(quote, quote * 2)
                return stored.replace("\\", "\\\\") if backslash_escapes else stored

            return _TOKEN.sub(value, match[0])

        return (_QUOTED if backslash_escapes else _LITERAL).sub(restore, sql)
