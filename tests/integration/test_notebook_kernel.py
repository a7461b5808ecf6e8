"""The magics in a real kernel, started from the DataPilot kernelspec, driven as a front end drives it."""

from __future__ import annotations

import json
import os
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from datapilot_kernel.notebook.kernelspec import install

ROOT = Path(__file__).parents[2]
SCRIPTED = """
from tests.scripted_client import ScriptedClient
shell = get_ipython()
shell._datapilot_magics.session.open_client = ScriptedClient
"""


class Kernel:
    """A kernel and what its cells gave."""

    def __init__(self, manager: KernelManager) -> None:
        self.manager = manager
        self.client = manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str, *, interrupt_once: Callable[[Cell], object] | None = None, stdin: str | None = None) -> Cell:
        request = self.client.execute(code, allow_stdin=stdin is not None)
        cell, started = Cell(), time.monotonic()
        while time.monotonic() < started + 60:
            if interrupt_once is not None and interrupt_once(cell):
                self.manager.interrupt_kernel()
                interrupt_once = None
            if stdin is not None:
                try:
                    asked = self.client.get_stdin_msg(timeout=0.05)
                    cell.prompts.append(asked["content"])
                    self.client.input(stdin)
                except queue.Empty:
                    pass
            try:
                message = self.client.get_iopub_msg(timeout=0.1)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") == request and cell.take(message):
                break
        else:
            raise AssertionError("the cell did not end")
        cell.took_s = time.monotonic() - started
        while (reply := self.client.get_shell_msg(timeout=10))["parent_header"].get("msg_id") != request:
            pass  # a late reply to something asked before
        cell.reply = reply["content"]
        return cell


class Cell:
    """The outputs of a cell, with replacements made."""

    def __init__(self) -> None:
        self.displays: list[dict[str, Any]] = []
        self.elsewhere: list[dict[str, Any]] = []
        self.seen = ""  # every HTML that was ever shown, also what was replaced
        self.places: dict[str, int] = {}
        self.errors: list[dict[str, Any]] = []
        self.stream = ""
        self.prompts: list[dict[str, Any]] = []
        self.reply: dict[str, Any] = {}
        self.results = 0
        self.took_s = 0.0
        self.updates = 0

    def take(self, message: dict[str, Any]) -> bool:
        kind, content = message["msg_type"], message["content"]
        if kind in ("display_data", "update_display_data"):
            place = content.get("transient", {}).get("display_id")
            self.seen += content["data"].get("text/html", "")
            if kind == "update_display_data":
                self.updates += 1
                if place in self.places:
                    self.displays[self.places[place]] = content["data"]
                else:
                    self.elsewhere.append(content["data"])
            else:
                self.places[place] = len(self.displays)
                self.displays.append(content["data"])
        elif kind == "execute_result":
            self.results += 1
        elif kind == "error":
            self.errors.append(content)
        elif kind == "stream":
            self.stream += content["text"]
        return bool(kind == "status" and content["execution_state"] == "idle")

    def html(self) -> str:
        return "\n".join(d.get("text/html", "") for d in self.displays)

    def said(self) -> str:
        return self.errors[0]["evalue"]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    root = tmp_path_factory.mktemp("kernel")
    installed = install(str(root))
    manager = KernelManager(
        kernel_name="datapilot", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(installed.parent)])
    )
    env = os.environ | {
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(root / "ipython"),
        "DATAPILOT_SOURCE": "",
        "DATAPILOT_CACHE_DIR": str(root / "cache"),
    }
    manager.start_kernel(env=env, cwd=str(root))
    try:
        yield Kernel(manager)
    finally:
        manager.shutdown_kernel(now=True)


@pytest.fixture
def scripted(kernel: Kernel) -> Kernel:
    kernel.run("%reset -f")
    kernel.run("get_ipython()._datapilot_magics.session.close()")
    cell = kernel.run(SCRIPTED + "%datapilot source demo as boutique")
    assert cell.errors == []
    assert "boutique" in cell.html()
    return kernel


def test_the_magics_are_there_and_nothing_heavy_is_loaded(kernel: Kernel) -> None:
    cell = kernel.run(
        "import sys; print('ask' in get_ipython().magics_manager.magics['cell'],"
        " sorted({'pandas', 'plotly', 'pyarrow', 'sqlglot', 'duckdb', 'ipywidgets', 'pydantic', 'babel'} & set(sys.modules)))"
    )
    assert cell.stream.strip() == "True []"


def test_without_a_source_one_sentence_says_what_to_do(kernel: Kernel) -> None:
    kernel.run("get_ipython()._datapilot_magics.session.close()")
    cell = kernel.run("%ask ca par région")
    assert "%datapilot source" in cell.said()
    assert cell.errors[0]["traceback"] == [cell.said()]


def test_an_answer_in_a_cell(scripted: Kernel) -> None:
    cell = scripted.run("%ask -o ca chiffre d'affaires par région")
    assert cell.errors == []
    assert cell.results == 0
    assert "Bretagne arrive en tête" in cell.html()
    assert "Gouverné" in cell.html()
    assert "SELECT" in cell.html()
    charts = [d["application/vnd.plotly.v1+json"] for d in cell.displays if "application/vnd.plotly.v1+json" in d]
    assert charts[0]["data"][0]["orientation"] == "h"
    assert any("application/vnd.jupyter.widget-view+json" in d for d in cell.displays)
    assert cell.updates >= 1  # the place was there first, and was filled


def test_the_result_object(scripted: Kernel) -> None:
    scripted.run("%ask -o ca ca par région")
    cell = scripted.run(
        "print(list(ca.df.columns), ca.df['ca'].dtype, ca.arrow.schema.field('ca').type, ca.plan.measures[0].measure,"
        " len(ca.reading), type(ca.figure).__name__, ca.sql[:6], ca.sentence[:8], ca.choices)\n"
        "ca.to_csv('ca.csv'); print(open('ca.csv', encoding='utf-8-sig').readline())"
    )
    assert cell.errors == []
    assert cell.stream.startswith("['region', 'ca'] float64 decimal128")
    assert "commande.ca 5 Figure SELECT Bretagne ()" in cell.stream
    assert "Région;Chiffre d’affaires" in cell.stream


def test_a_result_is_shown_once_and_can_be_shown_again(scripted: Kernel) -> None:
    first = scripted.run("r = %ask ca par région\nr")
    assert first.html().count("arrive en tête") == 1
    assert scripted.run("r").html().count("arrive en tête") == 1


def test_an_edit_runs_again_in_the_same_place(scripted: Kernel) -> None:
    scripted.run("%ask -o ca ca par région")
    edited = scripted.run("_ = ca.edit('/limit', 2)")
    assert edited.displays == []
    assert any("Limite" in d.get("text/html", "") for d in edited.elsewhere)
    cell = scripted.run("print(len(ca.df), ca.plan.limit); ca.edit('/limit', 0)")
    assert cell.stream.strip() == "2 2"
    assert cell.errors


def test_a_clicked_chip_runs_again(scripted: Kernel) -> None:
    """What a front end sends when a chip, then « Appliquer », is clicked."""
    scripted.run("%ask -o ca ca par région")
    cell = scripted.run(
        "chips = ca._place._chips\n"
        "limit = next(b for b in chips._bar.children if b.description.startswith('Tri'))\n"
        "limit.click(); chips._editor.children[0].click()\n"
        "print(ca.plan.order[0].descending, len(chips._editor.children))"
    )
    assert cell.errors == []
    assert cell.stream.strip() == "False 0"


def test_every_editor_of_the_chips_opens(scripted: Kernel) -> None:
    scripted.run("%ask -o ca ca par région")
    scripted.run(
        "_ = ca.edit('/limit', 3); _ = ca.edit('/filters/-', {'field': 'commande.region', 'op': 'in', 'values': ['A', 'B']})"
    )
    cell = scripted.run(
        "chips = ca._place._chips\n"
        "for b in [b for b in chips._bar.children if hasattr(b, 'click')]:\n"
        "    b.click(); print(b.description[:7], len(chips._editor.children))"
    )
    assert cell.errors == []
    counts = dict(line.rsplit(" ", 1) for line in cell.stream.strip().splitlines())
    assert len(counts) >= 7
    assert all(int(n) >= 1 for n in counts.values())


def test_a_clarification_is_answered_by_number_or_by_click(scripted: Kernel) -> None:
    cell = scripted.run("%ask -o q ambigu")
    assert "Que voulez-vous voir" in cell.html()
    assert "Par région" in cell.html()
    assert "arrive en tête" in scripted.run("%ask 1").html()
    scripted.run("%ask -o q ambigu")
    assert "n° 7" in scripted.run("%ask 7").said()
    clicked = scripted.run("q._place._chips._bar.children[1].click(); print(q.plan.dimensions[0].grain)")
    assert clicked.stream.strip() == "month"


def test_a_refusal_is_a_sentence(scripted: Kernel) -> None:
    cell = scripted.run("%ask -o n la météo")
    assert "Je ne connais pas ce mot." in cell.html()
    assert "ne connais pas" in scripted.run("n.df").errors[0]["evalue"]


def test_sql_goes_through_the_client(scripted: Kernel) -> None:
    assert "42" in scripted.run("%%sql -o n\nSELECT 42 AS n").html()
    assert "lectures" in scripted.run("%sql DROP TABLE x").html()
    assert "SQL" in scripted.run("n.edit('/limit', 1)").errors[0]["evalue"]


def test_stop_is_heard_and_cancels_the_query(scripted: Kernel) -> None:
    # It would take half a minute; it is stopped once it interrogates the data.
    cell = scripted.run("%ask -o x une question lente", interrupt_once=lambda cell: "J’interroge les données" in cell.seen)
    assert cell.took_s < 20
    assert "Arrêté" in cell.said()
    assert cell.reply["status"] == "error"  # « Run all » stops here
    assert "J’interroge les données" in cell.seen  # while it ran
    assert "J’interroge les données" not in cell.html()
    after = scripted.run("print(get_ipython()._datapilot_magics.session.clients['boutique'].cancelled)")
    assert after.stream.strip() == "True"
    assert "arrive en tête" in scripted.run("%ask ca par région").html()


def test_options_and_their_faults(scripted: Kernel) -> None:
    assert "--inconnu" in scripted.run("%ask --inconnu ca").said()
    assert "« autre »" in scripted.run("%ask -s autre ca").said().replace("\u00a0", " ")
    assert "1 2 3" in scripted.run('%ask -o "1 2 3" ca par région').said()
    no_chart = scripted.run("%ask --no-chart ca par région")
    assert not any("application/vnd.plotly.v1+json" in d for d in no_chart.displays)


def test_completion(scripted: Kernel) -> None:
    def complete(code: str) -> list[str]:
        scripted.client.complete(code)
        while True:
            message = scripted.client.get_shell_msg(timeout=10)
            if message["msg_type"] == "complete_reply":
                return list(message["content"]["matches"])

    assert "--no-chart" in complete("%ask --no")
    assert complete("%ask -s bou") == ["boutique"]
    assert complete("%ask --engine lo") == ["local"]
    assert "status" in complete("%datapilot st")
    assert "--today" in complete("%%ask --to")


def test_commands(scripted: Kernel) -> None:
    assert "31/05/2026" in scripted.run("%datapilot status").html()
    assert "01/02/2026" in scripted.run("%datapilot today 2026-02-01\n%datapilot status").html()
    assert "AAAA-MM-JJ" in scripted.run("%datapilot today demain").said()
    assert "Commandes" in scripted.run("%datapilot faire").said()
    scripted.run("%datapilot source x as deux")
    assert "deux (en cours)" in scripted.run("%datapilot sources").html()
    assert "boutique" in scripted.run("%datapilot use boutique").html()
    assert "fermée" in scripted.run("%datapilot close deux").html()
    assert "pas faite de fichiers" in scripted.run("%datapilot files").said()
    assert "%ask" in scripted.run("%datapilot help").html()


def test_a_password_in_a_cell_is_refused_taken_out_and_forgotten(scripted: Kernel) -> None:
    cell = scripted.run("%datapilot source postgresql://lea:s3cret-1@db.invalid/ventes as v")
    assert "mot de passe" in cell.html()
    payload = cell.reply["payload"]
    assert payload[0]["text"] == "%datapilot source postgresql://lea@db.invalid/ventes as v"
    assert payload[0]["replace"]
    assert "s3cret-1" not in json.dumps(cell.displays)
    left = scripted.run(
        "print('s3cret' + '-1' in repr((In, list(globals().items()), get_ipython().history_manager.input_hist_raw)))"
    )
    assert left.stream.strip() == "False"
    history = scripted.run("get_ipython().history_manager.writeout_cache(); %history -g s3cret")
    assert "s3cret-1" not in history.stream


def test_the_password_is_asked_for_in_a_prompt(scripted: Kernel) -> None:
    cell = scripted.run("%datapilot source postgresql://lea@db.invalid/ventes as v", stdin="p@ss")
    assert cell.prompts[0]["password"] is True
    assert "lea@db.invalid" in cell.prompts[0]["prompt"]
    seen = scripted.run("print(get_ipython()._datapilot_magics.session.clients['v'].location)")
    assert seen.stream.strip() == "postgresql://lea:p%40ss@db.invalid/ventes"
    assert "p@ss" not in json.dumps(cell.displays)


def test_an_address_comes_from_the_environment(scripted: Kernel) -> None:
    scripted.run("import os; os.environ['VENTES_URL'] = 'postgresql://lea:s3cret@db.invalid/ventes'")
    cell = scripted.run("%datapilot source --env VENTES_URL as v")
    assert cell.errors == []
    assert "s3cret" not in json.dumps(cell.displays)
    assert "VIDE_URL" in scripted.run("%datapilot source --env VIDE_URL").said()


def test_questions_over_real_files(kernel: Kernel, tmp_path: Path) -> None:
    """The whole road: a French CSV, the draft layer, the local engine, the guard, DuckDB."""
    lines = [
        "Date;Région;Montant HT",
        *(f"0{1 + i % 9}/05/2026;{'Bretagne' if i % 3 else 'Corse'};{i},50" for i in range(60)),
    ]
    (tmp_path / "ventes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    kernel.run(
        "from datapilot_kernel.notebook.session import open_local\n"
        "session = get_ipython()._datapilot_magics.session; session.close(); session.open_client = open_local"
    )
    opened = kernel.run(f'%datapilot source "{tmp_path / "ventes.csv"}" as fichier')
    assert opened.errors == []
    assert "brouillon" in opened.html()
    assert "date (jour/mois/année)" in kernel.run("%datapilot files").html()
    assert "virgule décimale" in kernel.run("%datapilot files ventes").html()
    assert "Tables" in kernel.run("%datapilot files absente").said()
    cell = kernel.run("%%sql -o t\nSELECT region, SUM(montant_ht) AS total FROM ventes GROUP BY 1 ORDER BY 2 DESC")
    assert cell.errors == []
    assert "Bretagne" in cell.html()
    expected = sum(i + 0.5 for i in range(60) if i % 3)
    assert kernel.run("print(t.df['total'].max())").stream.strip() == str(expected)
    asked = kernel.run("%ask -o r total du montant HT par région")
    assert asked.errors == []
    assert kernel.run("print(type(r.outcome).__name__, r.df.iloc[:, 1].max())").stream.strip() == f"Answer {expected}"

    kernel.run(
        "from datapilot_kernel.semantic import dump_layer\n"
        "layer = session.clients['fichier'].layer().model_copy(update={'status': 'accepted'})\n"
        f"_ = open({str(tmp_path / 'couche.yaml')!r}, 'w', encoding='utf-8').write(dump_layer(layer))"
    )
    accepted = kernel.run(f'%datapilot semantic "{tmp_path / "couche.yaml"}"')
    assert "acceptée" in accepted.html()
    dated = kernel.run("%ask --today 2026-06-15 -o r total du montant HT le mois dernier")
    assert "Gouverné" in dated.html()
    assert "mai 2026" in dated.html()
    assert "%datapilot" not in kernel.run("%datapilot semantic absent.yaml").html()
    kernel.run("session.close()")


def test_a_source_that_does_not_answer_is_said_and_not_kept(kernel: Kernel) -> None:
    kernel.run(
        "import os; from datapilot_kernel.notebook.session import open_local\n"
        "session = get_ipython()._datapilot_magics.session; session.close(); session.open_client = open_local\n"
        "os.environ['BAD_URL'] = 'postgresql://lea:s3cret-2@127.0.0.1:1/ventes'"
    )
    cell = kernel.run("%datapilot source --env BAD_URL as ventes")
    assert cell.said().endswith(".")
    assert len(cell.errors[0]["traceback"]) == 1
    assert "s3cret-2" not in json.dumps([cell.errors, cell.displays, cell.stream])
    assert "Aucune source" in kernel.run("%ask ca").said()
    assert "absente.csv" in kernel.run("%datapilot source absente.csv").said()


def test_the_demo_is_made_once_and_answers(kernel: Kernel) -> None:
    """The small tenant: its data made, its layer taken, a question answered; the second time nothing is made."""
    kernel.run(
        "from datapilot_kernel.notebook.session import open_local\n"
        "session = get_ipython()._datapilot_magics.session; session.close(); session.open_client = open_local"
    )
    first = kernel.run("%datapilot demo atelier-roche")
    assert first.errors == []
    assert "Préparation" in first.html()
    assert "acceptée" in first.html()
    assert "Préparation" not in kernel.run("%datapilot demo atelier-roche").html()
    assert "maison-lumiere" in kernel.run("%datapilot demo inconnue").said()
    kernel.run("session.close()")


@pytest.mark.postgres
def test_stop_ends_the_query_in_postgresql(kernel: Kernel, postgres: Any) -> None:
    import psycopg

    url = postgres.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE grande AS SELECT g AS n, g % 2 AS k FROM generate_series(1, 30000) AS g")
        kernel.run(
            "import os; from datapilot_kernel.notebook.session import open_local\n"
            "session = get_ipython()._datapilot_magics.session; session.close(); session.open_client = open_local\n"
            f"os.environ['PG_URL'] = {url!r}"
        )
        assert kernel.run("%datapilot source --env PG_URL as pg").errors == []
        statement = "SELECT COUNT(*) AS c FROM grande AS a JOIN grande AS b ON a.k = b.k WHERE a.n + b.n > 7"
        works = (
            "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%grande%' AND now() - query_start > '1 s'"
            " AND pid <> pg_backend_pid()"
        )
        cell = kernel.run(f"%%sql\n{statement}", interrupt_once=lambda _: connection.execute(works).fetchone())
        assert cell.errors, cell.html()[-600:]
        assert "Arrêté" in cell.said()
        assert 1 < cell.took_s < 25
        active = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%grande%' AND pid <> pg_backend_pid()"
        ).fetchone()
        assert active == (0,)
        # The connection went back whole: the next question is answered.
        assert "30 000" in kernel.run("%sql SELECT COUNT(*) AS c FROM grande").html().replace("\u202f", " ")
        kernel.run("session.close()")
