"""What ``%datapilot files`` shows of an import: types in words, doubts, cells that do not fit; never a cell's content."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from datapilot_kernel.answers import Formatter
from datapilot_kernel.notebook.completion import complete_command
from datapilot_kernel.notebook.files import report_card
from datapilot_kernel.sources import open_source
from datapilot_kernel.sources.files_import.report import BadCell, ColumnReport, FileReport, ImportReport, Note
from tests.unit.notebook.test_card import _checked

FR = Formatter()
EVIL = "<script>alert(1)</script>"


def test_types_are_said_in_words_and_doubts_are_unfolded(tmp_path: Path) -> None:
    (tmp_path / "ventes.csv").write_text("Jour;CP;Montant\n31/01/2026;01000;1 234,50\n28/02/2026;75002;2,50\n", "utf-8")
    (tmp_path / "sur.csv").write_text("Mois;Nombre\n1;4\n2;5\n", "utf-8")
    source = open_source(str(tmp_path))
    try:
        report = source.import_report
    finally:
        source.close()
    assert report is not None
    html, plain = report_card(report, FR)
    assert "date (jour/mois/année)" in html
    assert "nombre décimal (virgule décimale)" in html
    assert "texte (code)" in html
    assert html.count("<details open>") == 1  # the code postal deserves a look, the other file does not
    assert "commencent par un zéro" in html
    assert "commencent par un zéro" in plain
    assert "01000" not in html
    _checked(html.replace("<br>", ""))
    alone, _ = report_card(report, FR, "sur")
    assert "ventes.csv" not in alone
    assert "<details open>" in alone
    with pytest.raises(KeyError):
        report_card(report, FR, "absente")


def test_cells_that_do_not_fit_are_given_by_their_lines_only() -> None:
    cells = tuple(BadCell(line, "Montant", "secret") for line in range(3, 13))
    column = ColumnReport("montant", "Montant", "decimal", "DECIMAL(18,2)", bad_cells=cells, bad_cell_count=12_345)
    html, plain = report_card(ImportReport((FileReport("v.csv", "v", "csv", columns=(column,)),)), FR)
    for said in (html, plain):
        assert "12\u202f345 valeurs" in said
        assert "lignes 3, 4, 5, 6, 7…" in said
        assert "secret" not in said


def test_names_from_files_are_escaped() -> None:
    column = ColumnReport(EVIL, EVIL, "other", EVIL, format=EVIL, overridden=True)
    report = ImportReport(
        (FileReport(EVIL, EVIL, "xlsx", sheet=EVIL, columns=(column,)),),
        {EVIL: Note("notebook.files.overridden")},
    )
    html, _ = report_card(report, FR)
    assert EVIL not in html
    _checked(html.replace("<br>", ""))


def test_tables_are_completed() -> None:
    files = tuple(FileReport(f"{name}.csv", name, "csv") for name in ("clients", "commandes", "ventes"))
    client = SimpleNamespace(import_report=lambda: ImportReport(files))
    magics: Any = SimpleNamespace(session=SimpleNamespace(clients={"s": client, "base": SimpleNamespace()}, current="s"))
    assert complete_command("%datapilot files c", magics) == ["clients", "commandes"]
    magics.session.current = "base"
    assert complete_command("%datapilot files ", magics) == []
