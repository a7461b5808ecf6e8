"""Run the bench over unknown databases: ``python -m bench.unknown.run [NAME …]``.

Starts private servers, writes each database where it is meant for (``PLACES``), asks ``NAME.jsonl`` of the automatic
draft and, where ``NAME.yaml`` (a layer as a customer would write it) exists, of that layer with ``NAME_layer.jsonl`` added.
Prints one line each, the misses below it, and leaves the outcomes in the folder ``--out``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench.unknown.make import NAMES, tables
from bench.unknown.table import TODAY, write
from tests.servers import Server, start_mariadb, start_postgres

HERE = Path(__file__).parent
PLACES = {
    "negoce": "postgres", "webshop": "mysql", "rh": "postgres", "saas": "postgres", "transport": "mysql", "compta": "files",
    "hotel": "postgres", "fabrication": "mysql", "dons": "files", "gerance": "mysql", "resto": "postgres",
    "cabinet": "postgres",
}  # fmt: skip


def _evaluate(url: str, layer: Path | None, files: list[Path]) -> list[tuple[dict[str, object], dict[str, object]]]:
    from datapilot_kernel.cli import main as datapilot

    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        asked, out = Path(folder, "questions.jsonl"), Path(folder, "out.jsonl")
        asked.write_text("\n".join(lines), encoding="utf-8")
        command = ["eval", "--source", url, "--questions", str(asked), "--out", str(out), "--rows", "6"]
        command += ["--today", TODAY.isoformat(), "--engine", "local"]
        datapilot([*command, *(["--semantic", str(layer)] if layer else [])])
        answered = {r["id"]: r for r in map(json.loads, out.read_text(encoding="utf-8").splitlines())}
    return [(question, answered[question["id"]]) for question in map(json.loads, lines)]


def verdict(question: dict[str, object], got: dict[str, object]) -> str:
    """Return right, wrong (answered, and not the gold's rows), withheld (when due), refused (when an answer was due)."""
    if question["expect"] == "answer":
        if got["outcome"] != "answer":
            return "refused"
        return "right" if got["right"] else "wrong"
    return "wrong" if got["outcome"] == "answer" else "withheld"


def _report(name: str, results: list[tuple[dict[str, object], dict[str, object]]]) -> list[int]:
    verdicts = [verdict(q, r) for q, r in results]
    answerable = sum(q["expect"] == "answer" for q, _ in results)
    counts = [verdicts.count("right"), answerable, verdicts.count("wrong"), len(results), verdicts.count("withheld")]
    print(
        f"== {name:20} right {counts[0]}/{answerable}  wrong {counts[2]}/{len(results)}"
        f"  honest {counts[4]}/{len(results) - answerable}"
    )
    for (question, got), said in zip(results, verdicts, strict=True):
        if said in {"wrong", "refused"}:
            before = f"  [{question['previous']}]" if question.get("previous") else ""
            print(f"  {said:8} {question['id']}: {question['question']}{before}\n           {got['message'] or got['sql']}")
            if said == "wrong":
                print(f"           {got['sql']}\n           {got.get('rows')}")
    return counts


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.unknown.run")
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], default=[])
    parser.add_argument("--out", type=Path, help="folder for the outcomes")
    options = parser.parse_args(arguments)
    names = options.names or list(NAMES)
    servers: dict[str, Server] = {}
    total = [0, 0, 0, 0, 0]
    try:
        for name in names:
            place = PLACES[name]
            with tempfile.TemporaryDirectory() as folder:
                if place == "files":
                    url = folder
                else:
                    if place not in servers:
                        servers[place] = start_postgres() if place == "postgres" else start_mariadb()
                    url = servers[place].new_database(name)
                write(tables(name), url)
                layer = HERE / f"{name}.yaml"
                runs = [(name, None, [HERE / f"{name}.jsonl"])]
                if layer.exists():
                    runs.append((f"{name} + layer", layer, [HERE / f"{name}.jsonl", HERE / f"{name}_layer.jsonl"]))
                for title, semantic, files in runs:
                    results = _evaluate(url, semantic, files)
                    total = [a + b for a, b in zip(total, _report(title, results), strict=True)]
                    if options.out:
                        options.out.mkdir(parents=True, exist_ok=True)
                        with (options.out / f"{title.replace(' + ', '_')}.jsonl").open("w", encoding="utf-8") as file:
                            file.writelines(json.dumps({**q, **r}, ensure_ascii=False) + "\n" for q, r in results)
    finally:
        for server in servers.values():
            server.stop()
    print(f"== all: right {total[0]}/{total[1]}  wrong {total[2]}/{total[3]}  honest {total[4]}/{total[3] - total[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
