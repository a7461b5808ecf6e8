"""Importing a French CSV file of a million lines: DataPilot finds everything by itself, the two others are told.

``python -m bench.csv_import [lines]`` writes the file (cp1252, ``;``, decimal comma, dd/mm/yyyy, codes with leading zeros,
oui/non, quoted text), then measures, each in a process of its own, from a cold start to the first ``count(*)``:

- DataPilot: ``open_source`` on the file and nothing else; what it leaves is a database that the next opening finds;
- ``pandas.read_csv`` with every option given by hand, in memory;
- DuckDB's ``read_csv`` with every option given by hand, in memory. It cannot read cp1252: its file is transcoded for it by
  code, and that is shown apart (*) since it would have to be done by hand too.

Times are wall-clock medians of a few runs; "work" leaves the start of Python and the imports out.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_HEADER = "Date pièce;Code client;Libellé;Quantité;Montant HT;Payé"

_DATAPILOT = """
import time, json, sys
began = time.perf_counter()
from datapilot_kernel.sources import open_source
imported = time.perf_counter()
source = open_source(sys.argv[1])
count = source.execute("SELECT count(*), sum(montant_ht) FROM ventes").rows[0]
done = time.perf_counter()
types = {c.name: c.type for c in source.import_report.files[0].columns}
source.close()
print(json.dumps({"start": imported - began, "work": done - imported, "rows": count[0], "sum": str(count[1]),
    "types": types}))
"""
_PANDAS = """
import time, json, sys
began = time.perf_counter()
import pandas
imported = time.perf_counter()
frame = pandas.read_csv(sys.argv[1], sep=";", encoding="cp1252", decimal=",", dtype={"Code client": "str"},
    parse_dates=["Date pièce"], date_format="%d/%m/%Y", true_values=["oui"], false_values=["non"])
count, total = len(frame), round(float(frame["Montant HT"].sum()), 2)
done = time.perf_counter()
print(json.dumps({"start": imported - began, "work": done - imported, "rows": count, "sum": str(total)}))
"""
_DUCKDB = """
import time, json, sys, codecs
began = time.perf_counter()
import duckdb
imported = time.perf_counter()
target = sys.argv[1] + ".utf8"
with open(sys.argv[1], encoding="cp1252", newline="") as source, open(target, "w", encoding="utf-8", newline="") as out:
    while block := source.read(1 << 20):
        out.write(block)
transcoded = time.perf_counter()
with duckdb.connect() as connection:
    connection.execute(f'''CREATE TABLE ventes AS SELECT * FROM read_csv('{target}', auto_detect=false, header=true,
        delim=';', quote='"', escape='"', decimal_separator=',', dateformat='%d/%m/%Y', columns={{'date_piece': 'DATE',
        'code_client': 'VARCHAR', 'libelle': 'VARCHAR', 'quantite': 'BIGINT', 'montant_ht': 'DECIMAL(18,2)',
        'paye': 'VARCHAR'}})''')
    count = connection.execute("SELECT count(*), sum(montant_ht) FROM ventes").fetchone()
done = time.perf_counter()
print(json.dumps({"start": imported - began, "work": done - transcoded, "transcoding": transcoded - imported,
    "rows": count[0], "sum": str(count[1])}))
"""


def write_file(path: Path, lines: int) -> None:
    """Write the file of the bench, the same for a given number of lines."""
    dice = random.Random(7)
    words = ["Écran", "Lampe d'été", "Câble 2 m", "Fauteuil « Œuvre »", 'Tube 12""', "Table basse", "Étagère"]
    with path.open("w", encoding="cp1252", newline="") as stream:
        stream.write(_HEADER + "\r\n")
        for i in range(lines):
            word = dice.choice(words)
            label = f'"{word}"' if '"' in word else f"{word} n° {i}"
            amount = f"{dice.randrange(-50_000, 900_000) / 100:.2f}".replace(".", ",")
            day = f"{dice.randrange(1, 29):02d}/{dice.randrange(1, 13):02d}/{dice.randrange(2022, 2027)}"
            paid = "oui" if dice.random() < 0.7 else "non"
            stream.write(f"{day};{dice.randrange(90_000):05d};{label};{dice.randrange(1, 60)};{amount};{paid}\r\n")


def _run(script: str, path: Path, cache: Path) -> dict[str, object]:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        env={**os.environ, "DATAPILOT_CACHE_DIR": str(cache)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return {"whole": time.perf_counter() - began, **json.loads(done.stdout)}


def main(lines: int = 1_000_000, rounds: int = 3) -> dict[str, dict[str, object]]:
    """Measure and print; return the medians in seconds."""
    results: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory(prefix="datapilot-bench-") as work:
        path = Path(work) / "ventes.csv"
        write_file(path, lines)
        print(f"{lines} lines, {path.stat().st_size / 1e6:.0f} MB, {os.cpu_count()} cores, median of {rounds}")
        again: list[float] = []
        for name, script in (("datapilot", _DATAPILOT), ("pandas by hand", _PANDAS), ("duckdb by hand", _DUCKDB)):
            runs = []
            for turn in range(rounds):
                cache = Path(work) / f"cache{turn}"
                runs.append(_run(script, path, cache))
                if name == "datapilot":
                    again.append(float(str(_run(script, path, cache)["work"])))
            timed = [key for key in ("work", "whole", "transcoding") if key in runs[0]]
            results[name] = {
                **runs[0],
                **{key: round(statistics.median(float(str(run[key])) for run in runs), 3) for key in timed},
            }
            apart = f" (+ {results[name]['transcoding']} s transcoding*)" if "transcoding" in results[name] else ""
            print(f"{name:16} work {results[name]['work']} s{apart}, whole process {results[name]['whole']} s")
        print(f"{'datapilot again':16} work {statistics.median(again):.3f} s (found in the cache)")
        assert len({(run["rows"], run["sum"]) for run in results.values()}) == 1, results
        print("types found:", results["datapilot"]["types"])
    return results


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
