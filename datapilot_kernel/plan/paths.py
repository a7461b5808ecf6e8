"""Ways from an entity to another along the joins, from the many side to the one side: they never multiply rows.

A one-to-one join may be walked both ways. The shortest way wins; among equally short ones, the one with most *preferred*
joins; if that does not settle it, the person chooses (:class:`AmbiguousPath`).

Rejected: weights per join (nobody can say why 3 beats 4), and walking a many-to-one join backwards (it fans out: the
compiler makes such a condition an EXISTS instead).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from datapilot_kernel.plan.problems import AmbiguousPath, PathChoice, PlanProblem
from datapilot_kernel.semantic.model import Join, Layer

MAX_STEPS = 6
"""Nobody means a way longer than this."""


@dataclass(frozen=True)
class Step:
    """One join walked: from ``from_entity``'s ``from_columns`` to ``to_entity``'s ``to_columns``, unique there."""

    join: str
    from_entity: str
    from_columns: tuple[str, ...]
    to_entity: str
    to_columns: tuple[str, ...]


@dataclass(frozen=True)
class Path:
    """A chain of steps from ``from_entity``; without steps, the entity itself."""

    from_entity: str
    steps: tuple[Step, ...] = ()

    @property
    def to_entity(self) -> str:
        """Where it leads."""
        return self.steps[-1].to_entity if self.steps else self.from_entity

    @property
    def joins(self) -> tuple[str, ...]:
        """Names of its joins, in order."""
        return tuple(step.join for step in self.steps)


_MOST_KEPT = 16
_KEPT: dict[int, JoinGraph] = {}
_KEPT_LOCK = threading.Lock()


class JoinGraph:
    """The joins of a layer, ready to be walked; :meth:`of` makes it once."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self._steps: dict[str, list[Step]] = {}
        self._reached: dict[str, dict[str, int]] = {}
        for name, join in layer.joins.items():
            self._add(Step(name, join.from_entity, join.from_columns, join.to_entity, join.to_columns))
            if join.cardinality == "one_to_one":
                self._add(Step(name, join.to_entity, join.to_columns, join.from_entity, join.from_columns))

    @classmethod
    def of(cls, layer: Layer) -> JoinGraph:
        """Return the graph of a layer; the last few layers' are kept, for a layer asks many questions and never changes.

        Two threads may each work out the same distances: they come to the same.
        """
        kept = _KEPT.get(id(layer))
        if kept is not None and kept.layer is layer:  # the graph holds its layer, so its id is nobody else's
            return kept
        graph = cls(layer)
        with _KEPT_LOCK:
            while len(_KEPT) >= _MOST_KEPT:
                _KEPT.pop(next(iter(_KEPT)))
            _KEPT[id(layer)] = graph
        return graph

    def _add(self, step: Step) -> None:
        self._steps.setdefault(step.from_entity, []).append(step)

    def distances(self, from_entity: str) -> dict[str, int]:
        """Return every entity that can be reached, with the number of joins (0 for itself), nearest first."""
        if from_entity not in self._reached:
            found = {from_entity: 0}
            queue = [from_entity]
            for entity in queue:
                for step in self._steps.get(entity, ()):
                    if step.to_entity not in found and found[entity] < MAX_STEPS:
                        found[step.to_entity] = found[entity] + 1
                        queue.append(step.to_entity)
            self._reached[from_entity] = found
        return self._reached[from_entity]

    def paths(self, from_entity: str, to_entity: str, via: tuple[str, ...] = ()) -> Iterator[list[Path]]:
        """Yield the ways of each length that use every join of ``via``, shortest length first."""
        frontier = [Path(from_entity)]
        for _ in range(MAX_STEPS + 1):
            there = [path for path in frontier if path.to_entity == to_entity and set(via) <= set(path.joins)]
            if there:
                yield there
            frontier = [
                Path(from_entity, (*path.steps, step))
                for path in frontier
                for step in self._steps.get(path.to_entity, ())
                if self._worth(path, step, to_entity, via)
            ]

    def _worth(self, path: Path, step: Step, to_entity: str, via: tuple[str, ...]) -> bool:
        seen = {path.from_entity, *(taken.to_entity for taken in path.steps)}
        # A join back to an entity already passed (an employee's manager) only when it was asked for.
        fresh = step.to_entity not in seen or (step.join in via and step.join not in path.joins)
        return fresh and to_entity in self.distances(step.to_entity)

    def relevant_via(self, from_entity: str, to_entity: str, via: tuple[str, ...]) -> tuple[str, ...]:
        """Return those joins of ``via`` that a way from one to the other can take."""
        reached = self.distances(from_entity)
        joins = ((name, self.layer.joins[name]) for name in via)
        return tuple(
            name for name, join in joins if join.from_entity in reached and to_entity in self.distances(join.to_entity)
        )

    def best(self, from_entity: str, to_entity: str, via: tuple[str, ...] = (), *, ref: str, label: str) -> Path | None:
        """Return the way to take; None when there is none.

        Raises
        ------
        AmbiguousPath
            Several are equally good.
        """
        if to_entity not in self.distances(from_entity):
            return None
        # The joins asked for may belong to another measure's way: then they do not bind this one.
        asked = self.relevant_via(from_entity, to_entity, via)
        nearest = next(self.paths(from_entity, to_entity, asked), None) or next(self.paths(from_entity, to_entity), None)
        if nearest is None:
            return None
        return self.settle(nearest, ref=ref, label=label)

    def settle(self, ways: list[Path], *, ref: str, label: str) -> Path:
        """Return the one with most preferred joins, or ask.

        Among ways through the same entities, a preferred role wins (client facturé before client livré). It says nothing
        of a way through other entities (the shop's region, the client's region): there only a preferred join without
        a parallel one does.
        """
        by_entities: dict[tuple[str, ...], list[Path]] = {}
        for path in ways:
            by_entities.setdefault(tuple(step.to_entity for step in path.steps), []).append(path)
        best = [path for alike in by_entities.values() for path in self._most(alike, self._preferred)]
        best = self._most(best, lambda name: self._preferred(name) and not self._has_parallel(name))
        if len(best) == 1:
            return best[0]
        choices = tuple(PathChoice(path.joins, self._way_label(path, best)) for path in best)
        raise AmbiguousPath(best[0].from_entity, best[0].to_entity, choices, ref=ref, label=label)

    @staticmethod
    def _most(ways: list[Path], counts: Callable[[str], bool]) -> list[Path]:
        numbers = [sum(map(counts, path.joins)) for path in ways]
        return [path for path, number in zip(ways, numbers, strict=True) if number == max(numbers)]

    def _preferred(self, name: str) -> bool:
        return self.layer.joins[name].preferred

    def _has_parallel(self, name: str) -> bool:
        join = self.layer.joins[name]
        ends = (join.from_entity, join.to_entity)
        return sum((other.from_entity, other.to_entity) == ends for other in self.layer.joins.values()) > 1

    def _way_label(self, path: Path, others: list[Path]) -> str:
        """Name a way by the joins that tell it apart from the others."""
        common = set.intersection(*(set(other.joins) for other in others))
        own = [name for name in path.joins if name not in common] or list(path.joins)
        labels = [self._join_label(self.layer.joins[name]) for name in own]
        return " › ".join(dict.fromkeys(labels))

    def _join_label(self, join: Join) -> str:
        return join.label or self.layer.entities[join.to_entity].label


def find_paths(layer: Layer, from_entity: str, to_entity: str, via: tuple[str, ...] = ()) -> list[Path]:
    """Return every way from the many side to the one side, shortest first (preferred joins first among equals).

    Parameters
    ----------
    via
        Names of joins that the way must take.

    Raises
    ------
    PlanProblem
        ``unknown_reference``, ``unknown_join``.
    """
    for name in (from_entity, to_entity):
        if name not in layer.entities:
            raise PlanProblem("unknown_reference", ref=name)
    for name in via:
        if name not in layer.joins:
            raise PlanProblem("unknown_join", name=name)
    found = [path for ways in JoinGraph(layer).paths(from_entity, to_entity, via) for path in ways]
    preferred = {path: sum(layer.joins[name].preferred for name in path.joins) for path in found}
    return sorted(found, key=lambda path: (len(path.steps), -preferred[path], path.joins))
