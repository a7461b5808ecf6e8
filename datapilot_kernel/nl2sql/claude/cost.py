"""What a question cost, and what stops before the call that would cost too much.

Prices are settings: euros per million tokens. A million tokens at one euro is a microeuro per token, so costs are whole
microeuros and add up exactly. The defaults count a dollar of the vendor's list as a euro: too dear rather than too cheap,
until the operator writes the real prices. A model that the table does not know costs as much as the dearest that it does.

A *budget* is asked before each call: it reserves the most that the call can cost and is told afterwards what it did cost.
Several (a person's, a tenant's) are one by :class:`Budgets`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from datapilot_kernel.errors import Refused


class Price(BaseModel):
    """Euros per million tokens. ``cache_write`` is what it costs to put tokens into the prompt cache, ``cache_read`` to
    find them there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Decimal = Field(ge=0, allow_inf_nan=False)
    output: Decimal = Field(ge=0, allow_inf_nan=False)
    cache_write: Decimal = Field(ge=0, allow_inf_nan=False)
    cache_read: Decimal = Field(ge=0, allow_inf_nan=False)

    def microeuros(self, usage: Usage) -> int:
        """Return the cost, rounded up to a whole microeuro.

        >>> Price(input=3, output=15, cache_write="3.75", cache_read="0.30").microeuros(Usage(100, 20, 8, 10))
        633
        """
        exact = (
            self.input * usage.input_tokens
            + self.output * usage.output_tokens
            + self.cache_write * usage.cache_write_tokens
            + self.cache_read * usage.cache_read_tokens
        )
        return int(exact.quantize(Decimal(1), rounding=ROUND_UP))

    def most(self, input_tokens: int, output_tokens: int) -> int:
        """Return the most that a call with so many tokens can cost."""
        dearest = max(self.input, self.cache_write)
        return int((dearest * input_tokens + self.output * output_tokens).quantize(Decimal(1), rounding=ROUND_UP))


class PriceTable(BaseModel):
    """Prices by the beginning of a model's name; the longest beginning that fits wins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: Mapping[str, Price] = Field(min_length=1)

    def price(self, model: str) -> Price:
        """Return the price of a model; of one that is not known, the dearest output in the table."""
        fitting = [name for name in self.models if model.startswith(name)]
        if fitting:
            return self.models[max(fitting, key=len)]
        return max(self.models.values(), key=lambda price: price.output)

    def knows(self, model: str) -> bool:
        """Tell whether the table has the model."""
        return any(model.startswith(name) for name in self.models)


def _price(input: str, output: str) -> Price:
    base = Decimal(input)
    return Price(input=base, output=Decimal(output), cache_write=base * Decimal("1.25"), cache_read=base * Decimal("0.1"))


DEFAULT_PRICES = PriceTable(
    models={
        "claude-haiku": _price("1", "5"),
        "claude-sonnet": _price("3", "15"),
        "claude-sonnet-5": _price("2", "10"),
        "claude-opus": _price("5", "25"),
        "claude-opus-5-5": _price("4", "20"),
        "claude-fable": _price("10", "50"),
    }
)
"""The vendor's list (platform.claude.com, models overview, read 2026-11-23), a dollar counted as a euro."""


@dataclass
class Usage:
    """Tokens of one call or of several, as the service reported them.

    ``estimated``: something of it was not reported (a stream that was stopped), and is our estimate.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_tokens: int = 0
    cache_read_tokens: int = 0
    estimated: bool = False

    def add(self, other: Usage) -> None:
        """Add another call's tokens."""
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cache_write_tokens += other.cache_write_tokens
        self.cache_read_tokens += other.cache_read_tokens
        self.estimated = self.estimated or other.estimated


@dataclass(frozen=True)
class Step:
    """One reply of the model and what became of it, for the run log.

    Attributes
    ----------
    tool
        The tool it called; None when it called none.
    given
        The tool's arguments (a plan, SQL, a question…), value tokens not yet put back.
    verdict
        ``ran``, ``empty``, ``asked``, ``refused``, or why it was sent back: ``invalid``, ``no_tool``, ``unknown_tool``,
        ``several_tools``, ``plan_problem``, ``guard``, ``database``.
    detail
        The reason's code, never a value.
    """

    tool: str | None
    given: object
    verdict: str
    detail: str
    usage: Usage
    first_token_ms: float | None
    total_ms: float


@dataclass
class ModelUse:
    """What the model did for one question: filled as it happens, so that a stopped question is counted too."""

    model: str = ""
    usage: Usage = field(default_factory=Usage)
    calls: int = 0
    repairs: int = 0
    cost_microeuros: int = 0
    model_ms: float = 0.0
    steps: list[Step] = field(default_factory=list)
    requests: list[dict[str, object]] = field(default_factory=list, repr=False)

    def add(self, other: ModelUse) -> None:
        """Add what another question used: its figures, not its steps."""
        self.model = other.model
        self.usage.add(other.usage)
        self.calls += other.calls
        self.repairs += other.repairs
        self.cost_microeuros += other.cost_microeuros
        self.model_ms += other.model_ms

    def to_json(self) -> dict[str, object]:
        """Return what an outcome shows of it."""
        return {
            "name": self.model,
            "calls": self.calls,
            "repairs": self.repairs,
            "input_tokens": self.usage.input_tokens,
            "output_tokens": self.usage.output_tokens,
            "cache_write_tokens": self.usage.cache_write_tokens,
            "cache_read_tokens": self.usage.cache_read_tokens,
            "estimated": self.usage.estimated,
            "cost_microeuros": self.cost_microeuros,
            "model_ms": round(self.model_ms, 1),
        }


class OverBudget(Refused):
    """The call could pass a budget; nothing was sent. ``who`` says whose: ``person``, ``tenant`` or ``installation``."""

    def __init__(self, who: str = "tenant") -> None:
        super().__init__(f"claude.over_budget_{who}")
        self.reason = "over_budget"


class Reservation(Protocol):
    """Money set aside for one call."""

    def settle(self, microeuros: int) -> None:
        """Say what the call did cost (0: nothing was billed). Called exactly once, whatever happened."""


class Budget(Protocol):
    """What may be spent. Thread-safe."""

    def reserve(self, microeuros: int) -> Reservation:
        """Set aside the most that a call can cost.

        Raises
        ------
        OverBudget
            That would pass what is left.
        """


class LimitBudget:
    """A budget in memory: so many microeuros in all.

    Parameters
    ----------
    limit_microeuros
        None: counts, never stops.
    who
        Whose it is, for the sentence that a person reads.
    """

    def __init__(self, limit_microeuros: int | None, *, who: str = "tenant") -> None:
        self.limit_microeuros = limit_microeuros
        self.who = who
        self._lock = threading.Lock()
        self._spent = 0
        self._reserved = 0

    @property
    def spent_microeuros(self) -> int:
        """What was settled so far."""
        return self._spent

    def reserve(self, microeuros: int) -> Reservation:
        """Set aside; raises OverBudget."""
        with self._lock:
            if self.limit_microeuros is not None and self._spent + self._reserved + microeuros > self.limit_microeuros:
                raise OverBudget(self.who)
            self._reserved += microeuros
        return _Held(self, microeuros)

    def settled(self, reserved: int, spent: int) -> None:
        """Give a reservation back and count what was spent."""
        with self._lock:
            self._reserved -= reserved
            self._spent += spent


@dataclass
class _Held:
    budget: LimitBudget
    microeuros: int

    def settle(self, microeuros: int) -> None:
        self.budget.settled(self.microeuros, microeuros)


class Budgets:
    """Several budgets as one: all of them must have room."""

    def __init__(self, parts: Sequence[Budget]) -> None:
        self._parts = tuple(parts)

    def reserve(self, microeuros: int) -> Reservation:
        """Set aside in each; raises OverBudget, and then none keeps anything."""
        held: list[Reservation] = []
        try:
            for part in self._parts:
                held.append(part.reserve(microeuros))
        except BaseException:
            # Also when the budget's own database is away: what another part set aside may not stay so.
            _AllHeld(tuple(held)).settle(0)
            raise
        return _AllHeld(tuple(held))


@dataclass
class _AllHeld:
    parts: tuple[Reservation, ...]

    def settle(self, microeuros: int) -> None:
        with ExitStack() as each:  # one that cannot be settled does not keep the others from it
            for part in self.parts:
                each.callback(part.settle, microeuros)
