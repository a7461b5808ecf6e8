"""The model writes the layer once, the local engine answers ever after.

::

    automatic draft ─┐                          ┌─ wrong ──► back to the model, once ──► dropped, with a note
    glossary ────────┴─► model ─► items ─► each ┤
                     (one part of the           └─ fits ──► its effect on real numbers ──► a person accepts it, or not
                      source at a time)

Then, over the layer with all of that, twenty first questions; one that the local engine cannot answer goes the same way.

What leaves the machine: the glossary, and of the source what a question's prompt may hold. What an effect came to (a total,
a count, that a value is not stored) never goes back: it is for the person. How an effect is had is not known here:
:class:`Effects` is given by the engine, which has guard and source.

Rejected: letting the model write the YAML (one wrong line spoils the file, and nobody can accept the half of it); agents
that try measures out and look at the figures (rows would leave).

Remaining risk: a definition that checks and is not what the company means. So nothing is taken without a person, and each
proposal shows what it changes and the words of the glossary that it comes from.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.claude.context import SourceContext
from datapilot_kernel.nl2sql.claude.cost import ModelUse, OverBudget
from datapilot_kernel.nl2sql.claude.layer_apply import Ground, Unfit, put
from datapilot_kernel.nl2sql.claude.layer_items import (
    MOST_QUESTIONS,
    PROPOSE,
    QUESTIONS,
    FirstQuestion,
    Proposal,
    Wrong,
    place_of,
    read_items,
    read_questions,
)
from datapilot_kernel.nl2sql.claude.layer_prompt import (
    MAX_GLOSSARY_CHARACTERS,
    OUTPUT_TOKENS,
    part_request,
    parts_of,
    questions_request,
)
from datapilot_kernel.nl2sql.claude.paying import PaidModel, followed
from datapilot_kernel.nl2sql.claude.wire import ModelProblem, ModelReply, ModelRequest
from datapilot_kernel.semantic.model import Layer
from datapilot_kernel.sources.model import CancelToken, Dialect

PART_TIMEOUT_S = 300.0
"""For one part with its correction: a long reply takes a model minutes."""

EffectKind = Literal["total", "rows", "period", "answer", "none"]


@dataclass(frozen=True)
class Effect:
    """What a proposal changes, for a person.

    Attributes
    ----------
    text
        One sentence, the numbers formatted.
    before, after
        As the wire has them: a measure's total in the draft (None: it had none) and with the proposal.
    rows, of_rows
        How many rows it concerns, and of how many.
    """

    kind: EffectKind
    text: str
    before: Any = None
    after: Any = None
    rows: int | None = None
    of_rows: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, without what it has not."""
        given = {"before": self.before, "after": self.after, "rows": self.rows, "of_rows": self.of_rows}
        return {"kind": self.kind, "text": self.text, **{k: v for k, v in given.items() if v is not None}}


class Effects(Protocol):
    """Tries a proposal on the data, with the person's rights."""

    def of(self, draft: Layer, layer: Layer, proposal: Proposal) -> Effect:
        """Return what a proposal changes.

        Parameters
        ----------
        layer
            With the proposal in it.

        Raises
        ------
        Unfit
            It cannot be run, or concerns no row.
        """


@dataclass(frozen=True)
class Proposed:
    """A proposal that checks, and its effect."""

    proposal: Proposal
    effect: Effect

    @property
    def place(self) -> str:
        """What it is about, in a few characters."""
        return place_of(self.proposal)

    def to_json(self, number: int) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "number": number,
            "kind": self.proposal.kind,
            "about": self.place,
            "why": self.proposal.why,
            "proposal": self.proposal.model_dump(mode="json", exclude={"kind", "why"}, exclude_defaults=True),
            "effect": self.effect.to_json(),
        }


@dataclass(frozen=True)
class Dropped:
    """What did not check, twice; ``problem`` is for the person."""

    about: str
    problem: str
    given: Any = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"about": self.about, "problem": self.problem, "given": self.given}


@dataclass
class Written:
    """What a model proposed for a layer.

    Attributes
    ----------
    trouble
        Why it stopped before the end (the service, the budget); None: it did not.
    """

    draft: Layer
    proposed: list[Proposed] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    trouble: str | None = None
    use: ModelUse = field(default_factory=ModelUse)


class LayerWriter:
    """Has a model propose a layer, part by part.

    Parameters
    ----------
    context_of
        Makes the context of a layer with this person's rights: of the draft, and of the layer that the questions are for.
    told
        Called with (parts done, parts in all) as it goes.
    """

    def __init__(
        self,
        paid: PaidModel,
        context_of: Callable[[Layer], SourceContext],
        effects: Effects,
        ground: Ground,
        *,
        dialect: Dialect,
        told: Callable[[int, int], None] | None = None,
    ) -> None:
        self._paid, self._context_of, self._effects, self._ground = paid, context_of, effects, ground
        self._dialect = dialect
        self._told = told or (lambda _done, _all: None)
        # What only the data know stays here, unless the tenant opened its values.
        self._open = paid.settings.openness == "values"
        self._output = max(OUTPUT_TOKENS, paid.settings.max_output_tokens)

    def write(self, draft: Layer, glossary: str, *, cancel: CancelToken | None = None) -> Written:
        """Return the proposals for a draft. What came before a trouble is kept.

        Raises
        ------
        Cancelled
            The token was cancelled.
        """
        written = Written(draft)
        layer = draft
        model = self._paid.settings.model
        context = self._context_of(draft)
        parts = parts_of(context, glossary[:MAX_GLOSSARY_CHARACTERS])
        try:
            for number, part in enumerate(parts):
                self._told(number, len(parts) + 1)
                request = part_request(
                    context, part, glossary[:MAX_GLOSSARY_CHARACTERS], model=model, dialect=self._dialect,
                    first=number == 0, output_tokens=self._output,
                )  # fmt: skip
                layer = self._talk(request, PROPOSE, layer, written, cancel)
            self._told(len(parts), len(parts) + 1)
            # Whatever the draft suggested is replaced: questions are proposed over the layer as it is now.
            bare = layer.model_copy(update={"questions": ()})
            request = questions_request(
                self._context_of(bare), glossary[:MAX_GLOSSARY_CHARACTERS], model=model, dialect=self._dialect,
                output_tokens=self._output,
            )  # fmt: skip
            self._talk(request, QUESTIONS, bare, written, cancel)
            self._told(len(parts) + 1, len(parts) + 1)
        except OverBudget:
            written.trouble = text("claude.layer_over_budget")
        except ModelProblem as problem:
            written.trouble = text("claude.layer_trouble", why=text(f"claude.trouble.{problem.kind}"))
        return written

    def _talk(self, request: ModelRequest, tool: str, layer: Layer, written: Written, cancel: CancelToken | None) -> Layer:
        """One part: ask, try each item, send back once what does not fit."""
        left_s = PART_TIMEOUT_S
        for last in (False, True):
            began = time.monotonic()
            reply = self._paid.send(request, use=written.use, within_s=left_s, cancel=cancel)
            left_s -= time.monotonic() - began
            found, wrong = self._read(reply, tool)
            layer, problems = self._take(found, layer, written)
            again = [*(_Problem(one.place, one.said, one.said, one.given) for one in wrong), *problems]
            back = [one for one in again if one.said is not None]
            if last or not back:
                written.dropped += [Dropped(one.about, one.message, one.given) for one in again]
                return layer
            # What is private goes to the person at once.
            written.dropped += [Dropped(one.about, one.message, one.given) for one in again if one.said is None]
            request = followed(request, reply, _told(back, tool))
        return layer

    def _read(self, reply: ModelReply, tool: str) -> tuple[list[tuple[str, Proposal]], list[Wrong]]:
        calls = [call for call in reply.calls if call.name == tool]
        if not calls:
            return [], [Wrong(tool, f"you did not call {tool}; call it once", None)]
        found: list[tuple[str, Proposal]] = []
        wrong: list[Wrong] = []
        for call in calls:
            items, bad = (read_items if tool == PROPOSE else read_questions)(call.arguments)
            found += items
            wrong += bad
        return found, wrong

    def _take(self, found: Sequence[tuple[str, Proposal]], layer: Layer, written: Written) -> tuple[Layer, list[_Problem]]:
        """Put each item in, try it; return the layer with those that fit, and the problems of the others."""
        problems: list[_Problem] = []
        waiting = list(found)
        # A formula may stand on one that comes after it, a filter's measure on a dimension: as long as it helps, once more.
        while waiting:
            problems, later = [], []
            for place, proposal in waiting:
                if isinstance(proposal, FirstQuestion) and _questions(written) >= MOST_QUESTIONS:
                    continue
                try:
                    after, settled = put(layer, proposal, self._ground)
                    if after == layer:
                        continue  # it says what is there already
                    effect = self._effects.of(written.draft, after, settled)
                except Unfit as unfit:
                    said = unfit.said or (unfit.message if self._open else None)
                    problems.append(_Problem(f"{place} {place_of(proposal)}", said, unfit.message, proposal.model_dump()))
                    later.append((place, proposal))
                    continue
                layer = after
                written.proposed.append(Proposed(settled, effect))
            if len(later) == len(waiting):
                break
            waiting = later
        return layer, problems


def _questions(written: Written) -> int:
    return sum(isinstance(one.proposal, FirstQuestion) for one in written.proposed)


@dataclass(frozen=True)
class _Problem:
    """An item that did not fit: what the model may be told (None: nothing), what the person is told."""

    about: str
    said: str | None
    message: str
    given: Any


def _told(problems: Sequence[_Problem], tool: str) -> str:
    lines = [f"- {one.about}: {one.said}" for one in problems[:60]]
    rest = "the corrected questions" if tool == QUESTIONS else "the corrected items"
    return (
        "These do not fit; all others were taken:\n" + "\n".join(lines)
        + f"\nCall {tool} once more with {rest} only (leave out what cannot be put right)."
    )  # fmt: skip


def accept(draft: Layer, proposed: Sequence[Proposed], ground: Ground) -> tuple[Layer, list[Dropped]]:
    """Return the draft with the accepted proposals, in their order, and those that stood on one that was not accepted."""
    layer = draft
    if any(isinstance(one.proposal, FirstQuestion) for one in proposed):
        layer = layer.model_copy(update={"questions": ()})
    dropped: list[Dropped] = []
    waiting = list(proposed)
    while waiting:
        dropped, later = [], []
        for one in waiting:
            try:
                layer, _ = put(layer, one.proposal, ground)
            except Unfit as unfit:
                dropped.append(Dropped(one.place, unfit.message, json.loads(one.proposal.model_dump_json())))
                later.append(one)
        if len(later) == len(waiting):
            break
        waiting = later
    return layer, dropped
