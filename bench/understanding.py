"""How long the local engine takes: to be built, and to understand, over an invented layer of 50 tables and 20 000 values.

    .venv/bin/python -m bench.understanding [--tables 50] [--rounds 5]

Prints p50 and p95 in milliseconds. Target of the issue: p95 at most 30 ms.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from datetime import date

from datapilot_kernel.catalog.values import ValueIndex
from datapilot_kernel.nl2sql.local import LocalEngine
from datapilot_kernel.semantic.model import Dimension, Entity, Format, Join, Layer, Measure

_SYLLABLES = ("ba", "co", "di", "fu", "ga", "lo", "mi", "ne", "pa", "ri", "so", "tu", "va", "zé")
_QUESTIONS = (
    "{measure} par {dimension} en mai 2026",
    "top 5 des {entity} par {measure} cette année",
    "évolution du {measure} par mois en 2025 comparé à l'an dernier",
    "combien de {entity} ont plus de 3 {fact} ?",
    "liste des {entity} de {value}",
    "{entity} sans {fact} depuis 6 mois",
    "quelle part du {measure} vient de {value} ?",
    "{measure} de {value} hors {value} du 3 au 17 mai 2026",
    "pourquoi le {measure} baisse",
    "{measur} par {dimensoin} et par trimetre depuis mars",
    "quel {dimension} a le {measure} le plus élevé au T2 2025 ?",
    "prévision de zorglub par frobnicateur",
)


def _names() -> itertools.chain[str]:
    return itertools.chain("".join(p) for n in (3, 4, 5) for p in itertools.product(_SYLLABLES, repeat=n))


def invent(tables: int) -> tuple[Layer, ValueIndex, list[str]]:
    """Return a layer of facts and things, values, and questions over it."""
    names = iter(_names())
    entities: dict[str, Entity] = {}
    joins: dict[str, Join] = {}
    values: dict[str, list[str]] = {}
    questions: list[str] = []
    things = [f"chose_{i}" for i in range(tables * 3 // 5)]
    for thing in things:
        label = next(names)
        dimensions = {f"d{i}": Dimension(column=f"d{i}", label=next(names), synonyms=(next(names),)) for i in range(15)}
        dimensions["cree"] = Dimension(column="cree", type="date", label="date de création")
        entities[thing] = Entity(
            table=thing,
            label=label,
            plural=f"{label}s",
            key=("id",),
            name_dimension="d0",
            time="cree",
            dimensions=dimensions,
        )
        for i in range(0, 15, 3):
            values[f"{thing}.d{i}"] = [f"{next(names)} {next(names)}" for _ in range(130)]
    for number in range(tables - len(things)):
        fact, label = f"fait_{number}", next(names)
        measures = {
            f"m{i}": Measure(
                expression=f"SUM(m{i})", label=next(names), synonyms=(next(names),), format=Format(kind="currency")
            )
            for i in range(8)
        }
        measures["nombre"] = Measure(expression="COUNT(*)", label=f"nombre de {label}s", format=Format(kind="integer"))
        dimensions = {f"d{i}": Dimension(column=f"d{i}", label=next(names)) for i in range(8)}
        dimensions["jour"] = Dimension(column="jour", type="date", label=f"date de {label}")
        entities[fact] = Entity(
            table=fact, label=label, plural=f"{label}s", key=("id",), time="jour", dimensions=dimensions, measures=measures
        )
        for thing in things[number % 7 :: 7]:
            joins[f"{fact}_{thing}"] = Join(
                from_entity=fact, from_columns=(f"id_{thing}",), to_entity=thing, to_columns=("id",)
            )
            words = {
                "measure": measures["m0"].label, "measur": measures["m1"].label[:-1] + "x", "entity": entities[thing].plural,
                "dimension": entities[thing].dimensions["d3"].label,
                "dimensoin": entities[thing].dimensions["d4"].label[::-1],
                "fact": f"{label}s", "value": values[f"{thing}.d3"][7],
            }  # fmt: skip
            questions += [q.format(**words) for q in _QUESTIONS]
    return Layer(name="Inventée", entities=entities, joins=joins), ValueIndex(values), questions


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    layer, values, questions = invent(options.tables)
    builds = []
    for _ in range(5):
        began = time.perf_counter()
        engine = LocalEngine(layer, values)
        builds.append((time.perf_counter() - began) * 1000)
    taken: list[float] = []
    for _ in range(options.rounds):
        for question in questions:
            began = time.perf_counter()
            engine.understand(question, today=date(2026, 6, 17))
            taken.append((time.perf_counter() - began) * 1000)
    quantiles = statistics.quantiles(taken, n=100)
    print(f"{options.tables} tables, {len(values)} values, {len(questions)} questions x {options.rounds}")
    print(f"build ms: median {statistics.median(builds):.0f} (first {builds[0]:.0f})")
    print(f"understand ms: p50 {quantiles[49]:.1f}  p95 {quantiles[94]:.1f}  max {max(taken):.1f}")


if __name__ == "__main__":
    main()
