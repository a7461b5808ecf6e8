"""What Claude costs besides Claude: our own time per question, and the size of the prompt, over 20, 100 and 500 tables.

    .venv/bin/python -m bench.claude [--tables 20 100 500] [--questions 60]

A DuckDB file of invented tables, an accepted layer over it, a scripted server that speaks the Messages API to the real SDK.
Each question goes the whole way: local engine, context, request, stream, validation, compiler, guard, DuckDB, answer. Our
own time is the wall's, without what the server took (from the request's last byte to the reply's) and without DuckDB's.

The other side, in the same run: what most tools do, the whole schema with every question (as bare DDL, and as the layer's
own text). Tokens are estimated as the engine does (three characters each); costs are of the default price table.

Target: own time p95 at most 40 ms on 500 tables; every table that a question needs is in its prompt.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path

from bench.understanding import invent
from datapilot_kernel.catalog.values import ValueIndex
from datapilot_kernel.engine import Answer, Engine
from datapilot_kernel.engine.policy import visible_columns
from datapilot_kernel.nl2sql.claude.asking import Question
from datapilot_kernel.nl2sql.claude.context import SourceContext
from datapilot_kernel.nl2sql.claude.cost import DEFAULT_PRICES, Usage
from datapilot_kernel.nl2sql.claude.handover import hear
from datapilot_kernel.nl2sql.claude.settings import DEFAULT_MODEL, ModelSettings
from datapilot_kernel.nl2sql.claude.wire import ModelRequest, estimate_tokens
from datapilot_kernel.semantic.model import Join, Layer
from datapilot_kernel.sources import open_source
from tests.model_server import KEY, ModelServer, Reply, tool

TODAY = date(2026, 6, 17)
TARGET_MS = 40.0
OUTPUT_TOKENS = 150


def with_few_joins(layer: Layer, most: int = 8) -> Layer:
    """Return the layer with at most so many ways out of a table: as invented, each of 200 facts would have 43."""
    kept: dict[str, Join] = {}
    counts: dict[str, int] = {}
    for name, join in layer.joins.items():
        counts[join.from_entity] = counts.get(join.from_entity, 0) + 1
        if counts[join.from_entity] <= most:
            kept[name] = join
    return layer.model_copy(update={"joins": kept})


def write_tables(layer: Layer, path: Path) -> str:
    """Write a DuckDB file with the layer's tables, a few rows each; return its DDL."""
    import duckdb

    statements = []
    for name, entity in layer.entities.items():
        columns = {"id": "INTEGER"}
        columns |= {d.column: "DATE" if d.type == "date" else "VARCHAR" for d in entity.dimensions.values() if d.column}
        columns |= {m: "DECIMAL(12,2)" for m in entity.measures if m != "nombre"}
        columns |= {j.from_columns[0]: "INTEGER" for j in layer.joins.values() if j.from_entity == name}
        statements.append(f"CREATE TABLE {entity.table} ({', '.join(f'{c} {kind}' for c, kind in columns.items())})")
    with duckdb.connect(str(path)) as made:
        for statement, entity in zip(statements, layer.entities.values(), strict=True):
            made.execute(statement)
            made.execute(f"INSERT INTO {entity.table} (id) VALUES (1), (2), (3)")
    return ";\n".join(statements)


def asked(layer: Layer, count: int) -> list[tuple[str, dict[str, object], set[str]]]:
    """Return questions, the plan a model would give for each, and the entities that it needs."""
    joins = list(layer.joins.values())
    found = []
    for number in range(count):
        join = joins[(number * 7919) % len(joins)]
        fact, thing = layer.entities[join.from_entity], layer.entities[join.to_entity]
        measure, dimension = f"m{number % 8}", f"d{number % 15}"
        question = (
            f"à combien se monte le {fact.measures[measure].label} pondéré de nos {thing.plural} "
            f"selon leur {thing.dimensions[dimension].label} depuis mai ?"
        )
        plan: dict[str, object] = {
            "measures": [{"alias": "m", "measure": f"{join.from_entity}.{measure}"}],
            "dimensions": [{"alias": "d", "field": f"{join.to_entity}.{dimension}"}],
            "period": {"kind": "calendar", "unit": "month", "number": 5, "year": 2026},
        }
        found.append((question, plan, {join.from_entity, join.to_entity}))
    return found


def measure(tables: int, count: int, server: ModelServer) -> None:
    """Print one line of times and one of sizes."""
    layer, values, _ = invent(tables)
    layer = with_few_joins(layer.model_copy(update={"status": "accepted", "sql_dialect": "duckdb"}))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inventée.duckdb"
        ddl = write_tables(layer, path)
        source = open_source(str(path))
        settings = ModelSettings(key=KEY, base_url=server.url)
        engine = Engine(source, layer=layer, fixed_today=TODAY, model=settings)
        try:
            began = time.perf_counter()
            engine.prepare()
            prepared = time.perf_counter() - began
            _times(engine, asked(layer, count), server, tables, prepared)
            _sizes(engine, asked(layer, count), tables, ddl, values)
        finally:
            engine.close()
            source.close()


def _times(
    engine: Engine,
    questions: list[tuple[str, dict[str, object], set[str]]],
    server: ModelServer,
    tables: int,
    prepared: float,
) -> None:
    replies = [tool("give_plan", {"plan": plan}) for _, plan, _ in questions]
    warm: list[Reply] = [tool("give_plan", {"plan": questions[0][1]})] * 3
    server.play([*warm, *replies])
    for _ in warm:
        engine.ask(questions[0][0], engine="claude")
    own, walls, answered, database, cpu = [], [], 0, [], []
    for question, _, _ in questions:
        before = len(server.requests)
        began, worked = time.perf_counter(), time.process_time()
        outcome = engine.ask(question, engine="claude")
        wall = (time.perf_counter() - began) * 1000
        cpu.append((time.process_time() - worked) * 1000)
        model = 0.0
        for seen in server.requests[before:]:
            seen.finished.wait(5)
            model += (seen.ended - seen.at) * 1000
        execute = outcome.timings_ms.execute or 0.0
        own.append(wall - model - execute)
        walls.append(wall)
        database.append(execute)
        answered += isinstance(outcome, Answer) and outcome.engine == "claude"
    met = "met" if _p(own, 95) <= TARGET_MS else "MISSED"
    print(
        f"{tables:>4} tables: prepared in {prepared:.1f} s; answered {answered}/{len(questions)}; DuckDB p50 "
        f"{_p(database, 50):.1f} ms, whole p50 {_p(walls, 50):.1f} ms"
    )
    print(
        f"            own time ms p50 {_p(own, 50):.1f} p95 {_p(own, 95):.1f} ({met}: target {TARGET_MS:.0f} on 500); "
        f"processor ms p50 {_p(cpu, 50):.1f} p95 {_p(cpu, 95):.1f}"
    )


def _sizes(
    engine: Engine, questions: list[tuple[str, dict[str, object], set[str]]], tables: int, ddl: str, values: ValueIndex
) -> None:
    claude = engine.claude
    assert claude is not None
    sizes, stable, there = [], [], 0
    for question, _, needed in questions:
        heard = hear(engine.local, question, today=TODAY)
        request = claude.first_request(Question(question, TODAY, heard))
        sizes.append(request.estimated_tokens())
        stable.append(_cached(request))
        there += needed <= set(claude.context.select(question, heard).units)
    whole = SourceContext(
        engine.layer, engine.catalog, visible_columns(engine.guard.policy), values,
        openness="metadata", budget_tokens=10_000_000,
    )  # fmt: skip
    every = estimate_tokens("\n\n".join(unit.text for unit in whole.units.values())) + _rules(request)
    price = DEFAULT_PRICES.price(DEFAULT_MODEL)
    size, cached = round(_p(sizes, 50)), round(_p(stable, 50))

    def euros(fresh: int, read: int) -> str:
        return f"{price.microeuros(Usage(fresh, OUTPUT_TOKENS, 0, read)) / 1_000_000:.4f} €"

    print(
        f"            prompt tokens p50 {size} p95 {round(_p(sizes, 95))} (stable, cached: {cached}); needed tables there "
        f"{there}/{len(questions)}; a question {euros(size - cached, cached)} cached, {euros(size, 0)} not"
    )
    print(
        f"            whole schema: DDL alone {estimate_tokens(ddl)}, the layer {every} tokens; a question "
        f"{euros(200, every)} cached, {euros(every + 200, 0)} not"
    )


def _cached(request: ModelRequest) -> int:
    """Return the tokens of what is the same for every question: tools, rules, the stable part of the source."""
    tools = ModelRequest(request.model, (), request.tools, (), request.max_tokens)
    return tools.estimated_tokens() + sum(estimate_tokens(text) for text, mark in request.system if mark)


def _rules(request: ModelRequest) -> int:
    return ModelRequest(request.model, request.system[:1], request.tools, (), request.max_tokens).estimated_tokens()


def _p(found: list[float] | list[int], percent: int) -> float:
    return statistics.quantiles(found, n=100, method="inclusive")[percent - 1]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, nargs="*", default=[20, 100, 500])
    parser.add_argument("--questions", type=int, default=60)
    options = parser.parse_args()
    server = ModelServer()
    try:
        for tables in options.tables:
            measure(tables, options.questions, server)
    finally:
        server.close()


if __name__ == "__main__":
    main()
