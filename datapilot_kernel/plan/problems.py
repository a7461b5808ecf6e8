"""What can be wrong with a plan: understood, and not possible on this layer. Texts in ``locale/LANG/plan.toml``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from datapilot_kernel.errors import Refused


class PlanProblem(Refused):
    """A plan that cannot be compiled on this layer: an unknown reference, no join, a measure that cannot be cut so.

    ``reason`` is the last part of the key; ``values`` are the message's placeholders (labels, for a person).
    """

    def __init__(self, key: str, /, **values: Any) -> None:
        super().__init__(f"plan.{key}", **values)


@dataclass(frozen=True)
class PathChoice:
    """One of several equally good ways. ``joins`` goes into ``via``; ``label`` is for a person (« client livré »)."""

    joins: tuple[str, ...]
    label: str


class AmbiguousPath(PlanProblem):
    """Two or more equally good ways lead there: the person chooses.

    Attributes
    ----------
    from_entity, to_entity
        Names of entities.
    candidates
        The ways; put ``candidate.joins`` into the ``via`` of the part whose ``ref`` this is.
    ref
        ``entity.name`` of the dimension, filter or column that asked, or the entity's name (``related``).
    """

    def __init__(
        self, from_entity: str, to_entity: str, candidates: tuple[PathChoice, ...], *, ref: str, label: str
    ) -> None:
        self.from_entity = from_entity
        self.to_entity = to_entity
        self.candidates = candidates
        self.ref = ref
        super().__init__("ambiguous_path", label=label, choices=" ; ".join(f"« {choice.label} »" for choice in candidates))
