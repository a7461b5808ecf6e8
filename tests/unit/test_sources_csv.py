"""French CSV files as Excel and accounting programs write them: what comes in, and what is said about the rest.

Each case is a small file with what a careful person would read in it. Every case is read on both roads (the quick one and
the sure one) and must come out the same.
"""

# ruff: noqa: DTZ001, DTZ007 -- files hold times without a zone

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datapilot_kernel.messages import text
from datapilot_kernel.sources.files_import import load
from datapilot_kernel.sources.files_import.load import import_files
from datapilot_kernel.sources.files_import.problems import Unreadable
from datapilot_kernel.sources.files_import.report import ColumnOverride, FileOptions, FileReport
from datapilot_kernel.sources.names import clean_name, clean_names

D = Decimal


@dataclass
class Case:
    """A file and what must come of it."""

    name: str
    content: bytes | str
    types: dict[str, str]
    rows: list[tuple[Any, ...]]
    notes: tuple[str, ...] = ()
    doubts: dict[str, str] = field(default_factory=dict)
    bad: list[tuple[int, str, str]] = field(default_factory=list)
    options: FileOptions = field(default_factory=FileOptions)
    encoding: str = "utf-8"
    header_line: int = 1


CASES = [
    Case(
        "excel_cp1252",
        "Date;Libellé;Montant HT (€)\r\n01/02/2026;Café à l’œuvre;1 234,50 €\r\n15/02/2026;Thé;-12,00 €\r\n".encode(
            "cp1252"
        ),
        {"date": "date", "libelle": "text", "montant_ht_eur": "decimal"},
        [(date(2026, 2, 1), "Café à l’œuvre", D("1234.50")), (date(2026, 2, 15), "Thé", D("-12.00"))],
        encoding="cp1252",
    ),
    Case(
        "spaces_of_three_kinds",
        "Id;Montant\n1;1 234,56\n2;1\u00a0234,56\n3;1\u202f234\u202f567,89\n",
        {"id": "integer", "montant": "decimal"},
        [(1, D("1234.56")), (2, D("1234.56")), (3, D("1234567.89"))],
    ),
    Case(
        "negative_forms",
        "Compte solde;Montant\nA;-5,00\nB;5,25-\nC;(1 005,50)\nD;\u22125,00\nE;- 5,00\nF;+5,00\nG;5\n",
        {"compte_solde": "text", "montant": "decimal"},
        [
            ("A", D("-5")),
            ("B", D("-5.25")),
            ("C", D("-1005.50")),
            ("D", D("-5")),
            ("E", D("-5")),
            ("F", D("5")),
            ("G", D("5")),
        ],
    ),
    Case(
        "percent_keeps_what_is_written",
        "Produit;Taux\nA;12,5 %\nB;-3%\nC;\n",
        {"produit": "text", "taux": "decimal"},
        [("A", D("12.5")), ("B", D("-3")), ("C", None)],
        doubts={"taux": "sources.note_percent"},
    ),
    Case(
        "utf8_mark_and_tabs",
        b"\xef\xbb\xbfNom\tQuantit\xc3\xa9\nA\t1 000\nB\t-2\n",
        {"nom": "text", "quantite": "integer"},
        [("A", 1000), ("B", -2)],
    ),
    Case("pipe", "a|b\n1|x;y,z\n2|w\n", {"a": "integer", "b": "text"}, [(1, "x;y,z"), (2, "w")]),
    Case(
        "comma_with_quoted_decimals",
        'Ville,Montant\nLyon,"12,50"\n"Paris, 1er","1 000,00"\n',
        {"ville": "text", "montant": "decimal"},
        [("Lyon", D("12.50")), ("Paris, 1er", D("1000.00"))],
    ),
    Case(
        "semicolon_though_commas_abound",
        "Montant;Taux;Coef\n12,5;1,2;3,4\n13,5;1,3;3,5\n14,5;1,4;3,6\n",
        {"montant": "decimal", "taux": "decimal", "coef": "decimal"},
        [(D("12.5"), D("1.2"), D("3.4")), (D("13.5"), D("1.3"), D("3.5")), (D("14.5"), D("1.4"), D("3.6"))],
    ),
    Case(
        "utf16_unicode_text",
        "Nom\tPrix\r\nÉté\t1,50\r\nNoël\t2,00\r\n".encode("utf-16"),
        {"nom": "text", "prix": "decimal"},
        [("Été", D("1.5")), ("Noël", D("2"))],
        encoding="utf-16-le",
    ),
    Case(
        "cp850_of_an_old_program",
        "Libellé;Ville\nélève;Orléans\npièce détachée;Besançon\nà régler;Nîmes\n".encode("cp850"),
        {"libelle": "text", "ville": "text"},
        [("élève", "Orléans"), ("pièce détachée", "Besançon"), ("à régler", "Nîmes")],
        encoding="cp850",
    ),
    Case(
        "quoted_line_breaks_and_quotes",
        'Id;Adresse;Note\n1;"12, rue X\n75001 Paris";"dit ""bob"""\n2;"a;b";\n',
        {"id": "integer", "adresse": "text", "note": "text"},
        [(1, "12, rue X\n75001 Paris", 'dit "bob"'), (2, "a;b", None)],
    ),
    Case(
        "stray_quote",
        'Id;Article\n1;Tube 12" acier\n2;"Vis" inox\n3;Clou\n',
        {"id": "integer", "article": "text"},
        [(1, 'Tube 12" acier'), (2, "Vis inox"), (3, "Clou")],
    ),
    Case(
        "ragged_last_columns",
        "Id;Nom;Remarque\n1;A\n2;B;vu\n3\n4;D;;;\n",
        {"id": "integer", "nom": "text", "remarque": "text"},
        [(1, "A", None), (2, "B", "vu"), (3, None, None), (4, "D", None)],
    ),
    Case(
        "a_line_with_too_much_is_named",
        "Id;Nom\n1;A\n2;B;perdu\n3;C\n",
        {"id": "integer", "nom": "text", "colonne_3": "text"},
        [(1, "A", None), (2, "B", "perdu"), (3, "C", None)],
    ),
    Case(
        "headers_empty_repeated_accented",
        "Réf.;;Date d'échéance;Date d'échéance\nx;1;01/01/2026;02/01/2026\n",
        {"ref": "text", "colonne_2": "integer", "date_d_echeance": "date", "date_d_echeance_2": "date"},
        [("x", 1, date(2026, 1, 1), date(2026, 1, 2))],
    ),
    Case(
        "accounting_export_with_preamble_and_total",
        "SARL Dupont;;;\nGrand livre du;01/01/2025;au;31/12/2025\n\nDate;Compte;Libellé;Débit\n"
        "05/01/2025;411000;Facture 1;100,00\n06/01/2025;411000;Facture 2;50,50\n;;Total général;150,50\n",
        {"date": "date", "compte": "text", "libelle": "text", "debit": "decimal"},
        [(date(2025, 1, 5), "411000", "Facture 1", D("100.00")), (date(2025, 1, 6), "411000", "Facture 2", D("50.50"))],
        notes=("sources.note_totals", "sources.note_preamble"),
        doubts={"date": "sources.note_day_or_month"},
        header_line=4,
    ),
    Case(
        "totals_and_a_footer",
        "Région;CA;Qté\nNord;10,00;1\nSud;20,00;2\nTotal;30,00;3\n\nÉdité le 03/02/2026\n",
        {"region": "text", "ca": "decimal", "qte": "integer"},
        [("Nord", D("10"), 1), ("Sud", D("20"), 2)],
        notes=("sources.note_totals", "sources.note_footers"),
    ),
    Case(
        "a_client_called_total",
        "Client;Ville;CA\nDurand;Lyon;10,00\nTotal Énergies;Paris;20,00\n",
        {"client": "text", "ville": "text", "ca": "decimal"},
        [("Durand", "Lyon", D("10")), ("Total Énergies", "Paris", D("20"))],
    ),
    Case(
        "identifiers_stay_text",
        "Code postal;SIRET;Téléphone;Réf;N° facture\n01000;73282932000074;0612345678;12;1\n75001;40483304800022;+33612345678;13;2\n",
        {"code_postal": "text", "siret": "text", "telephone": "text", "ref": "text", "num_facture": "integer"},
        [("01000", "73282932000074", "0612345678", "12", 1), ("75001", "40483304800022", "+33612345678", "13", 2)],
    ),
    Case(
        "leading_zeros_without_a_telling_header",
        "Tiers;X\n0012;1\n113;2\n",
        {"tiers": "text", "x": "integer"},
        [("0012", 1), ("113", 2)],
        doubts={"tiers": "sources.note_code_leading_zero"},
    ),
    Case("every_line_ends_with_a_delimiter", "A;B;\n1;2;\n3;4;\n", {"a": "integer", "b": "integer"}, [(1, 2), (3, 4)]),
    Case(
        "text_that_excel_was_made_to_keep",
        'Client;Q\n="00123";1\n="00124";2\n',
        {"client": "text", "q": "integer"},
        [("00123", 1), ("00124", 2)],
    ),
    Case(
        "days_above_numbers",
        "Client;01/01/2025;01/02/2025\nA;1,5;2\nB;2,5;3\n",
        {"client": "text", "c_01_01_2025": "decimal", "c_01_02_2025": "integer"},
        [("A", D("1.5"), 2), ("B", D("2.5"), 3)],
    ),
    Case(
        "one_column_of_sentences",
        "Commentaire\nbonjour ; ça va\nrien\nsuite, et fin\n",
        {"commentaire": "text"},
        [("bonjour ; ça va",), ("rien",), ("suite, et fin",)],
    ),
    Case(
        "siret_without_a_telling_header",
        "Tiers\n73282932000074\n40483304800022\n55208131766522\n",
        {"tiers": "text"},
        [("73282932000074",), ("40483304800022",), ("55208131766522",)],
        doubts={"tiers": "sources.note_code_siret"},
    ),
    Case(
        "yes_and_no",
        "A;B;C;D\noui;VRAI;O;x\nnon;FAUX;N;\nOui;;O;x\n",
        {"a": "boolean", "b": "boolean", "c": "boolean", "d": "text"},
        [(True, True, True, "x"), (False, False, False, None), (True, None, True, "x")],
    ),
    Case(
        "words_for_nothing",
        "Nom;Montant;Le\nNULL;-;N/A\nA;1,00;01/01/2026\n-;n/a;\nB;2,00;NULL\n",
        {"nom": "text", "montant": "decimal", "le": "date"},
        [(None, None, None), ("A", D("1"), date(2026, 1, 1)), (None, None, None), ("B", D("2"), None)],
    ),
    Case(
        "dates_of_all_kinds",
        "A;B;C;D;E;F\n1/5/2026;01/05/26;2026-05-01;01/05/2026 08:30;2026-05-01T08:30:15;01.05.2026\n"
        "13/5/2026;13/05/99;2026-05-13;13/05/2026 23:59;2026-05-13T00:00:00;13.05.2026\n",
        {"a": "date", "b": "date", "c": "date", "d": "timestamp", "e": "timestamp", "f": "date"},
        [
            (
                date(2026, 5, 1),
                date(2026, 5, 1),
                date(2026, 5, 1),
                datetime(2026, 5, 1, 8, 30),
                datetime(2026, 5, 1, 8, 30, 15),
                date(2026, 5, 1),
            ),
            (
                date(2026, 5, 13),
                date(1999, 5, 13),
                date(2026, 5, 13),
                datetime(2026, 5, 13, 23, 59),
                datetime(2026, 5, 13),
                date(2026, 5, 13),
            ),
        ],
    ),
    Case(
        "midnight_is_a_day",
        "Le;X\n01/05/2026 00:00;1\n31/05/2026 00:00:00;2\n",
        {"le": "date", "x": "integer"},
        [(date(2026, 5, 1), 1), (date(2026, 5, 31), 2)],
    ),
    Case(
        "day_or_month_is_a_doubt",
        "Le;X\n01/05/2026;1\n02/06/2026;2\n",
        {"le": "date", "x": "integer"},
        [(date(2026, 5, 1), 1), (date(2026, 6, 2), 2)],
        doubts={"le": "sources.note_day_or_month"},
    ),
    Case(
        "american_dates_when_they_say_so",
        "Le;X\n01/31/2026;1\n02/06/2026;2\n",
        {"le": "date", "x": "integer"},
        [(date(2026, 1, 31), 1), (date(2026, 2, 6), 2)],
    ),
    Case(
        "one_column_tells_the_order_of_days_for_all",
        "Le;Du\n01/02/2026;01/31/2026\n02/06/2026;02/06/2026\n",
        {"le": "date", "du": "date"},
        [(date(2026, 1, 2), date(2026, 1, 31)), (date(2026, 2, 6), date(2026, 2, 6))],
    ),
    Case(
        "subtotals_inside_are_kept_and_told",
        "Compte;Libellé;Débit\n411;Vente;10,00\n;Sous-total 411;10,00\n512;Banque;5,00\n",
        {"compte": "text", "libelle": "text", "debit": "decimal"},
        [("411", "Vente", D("10")), (None, "Sous-total 411", D("10")), ("512", "Banque", D("5"))],
        notes=("sources.note_subtotals",),
    ),
    Case(
        "three_decimals_without_doubt",
        "Poids\n1,250\n0,500\n",
        {"poids": "decimal"},
        [(D("1.250"),), (D("0.500"),)],
        doubts={},
    ),
    Case(
        "english_numbers",
        "A;B\n1,234.56;0.5\n1,000,000.00;1.25\n",
        {"a": "decimal", "b": "decimal"},
        [(D("1234.56"), D("0.5")), (D("1000000"), D("1.25"))],
    ),
    Case(
        "point_groups_where_commas_are_decimal",
        "A;B\n1.234,56;1.500\n2.000,00;12.000\n",
        {"a": "decimal", "b": "integer"},
        [(D("1234.56"), 1500), (D("2000"), 12000)],
    ),
    Case(
        "bad_cells_are_named",
        "Date;Montant\n" + "".join(f"{i:02d}/01/2026;{i},00\n" for i in range(1, 20)) + "31/02/2026;abc\n20/01/2026;5,00\n",
        {"date": "date", "montant": "decimal"},
        [(date(2026, 1, i), D(i)) for i in range(1, 20)] + [(None, None), (date(2026, 1, 20), D("5"))],
        bad=[(21, "Date", "31/02/2026"), (21, "Montant", "abc")],
    ),
    Case(
        "bad_cell_after_a_quoted_line_break",
        'Id;Note;Montant\n1;"deux\nlignes";1,00\n' + "".join(f"{i};n;{i},50\n" for i in range(2, 9)) + "9;n;??,?\n",
        {"id": "integer", "note": "text", "montant": "decimal"},
        [(1, "deux\nlignes", D("1"))] + [(i, "n", D(f"{i}.5")) for i in range(2, 9)] + [(9, "n", None)],
        bad=[(11, "Montant", "??,?")],
    ),
    Case(
        "codes_with_some_letters_are_text",
        "Lot;Q\n12;1\n13;2\n14B;3\n15;4\n",
        {"lot": "text", "q": "integer"},
        [("12", 1), ("13", 2), ("14B", 3), ("15", 4)],
    ),
    Case(
        "no_header",
        "1;01/01/2026;12,5\n2;02/01/2026;13,5\n3;13/01/2026;14,5\n",
        {"colonne_1": "integer", "colonne_2": "date", "colonne_3": "decimal"},
        [(1, date(2026, 1, 1), D("12.5")), (2, date(2026, 1, 2), D("13.5")), (3, date(2026, 1, 13), D("14.5"))],
        notes=("sources.note_no_header",),
        header_line=0,
    ),
    Case(
        "years_above_numbers",
        "Compte;2024;2025\nVentes;10,0;20,0\nAchats;5,0;6,0\n",
        {"compte": "text", "c_2024": "decimal", "c_2025": "decimal"},
        [("Ventes", D("10"), D("20")), ("Achats", D("5"), D("6"))],
    ),
    Case(
        "fec",
        "JournalCode\tEcritureDate\tCompteNum\tDebit\nVE\t20250131\t411000\t120,00\nVE\t20250228\t706000\t0,00\n",
        {"journal_code": "text", "ecriture_date": "date", "compte_num": "text", "debit": "decimal"},
        [("VE", date(2025, 1, 31), "411000", D("120")), ("VE", date(2025, 2, 28), "706000", D("0"))],
    ),
    Case("old_mac_line_ends", b"A;B\r1;x\r2;y\r", {"a": "integer", "b": "text"}, [(1, "x"), (2, "y")]),
    Case("mixed_line_ends", b"A;B\r\n1;x\n2;y\r\n\r\n3;z", {"a": "integer", "b": "text"}, [(1, "x"), (2, "y"), (3, "z")]),
    Case("one_column", "Ville\nLyon\nParis\n", {"ville": "text"}, [("Lyon",), ("Paris",)]),
    Case("header_only", "A;B;C\n", {"a": "text", "b": "text", "c": "text"}, []),
    Case("sep_directive", "sep=,\nA,B\n1,x\n", {"a": "integer", "b": "text"}, [(1, "x")], header_line=2),
    Case(
        "glued_encodings",
        "Nom;V\nÉté;1\nNoël;2\nà côté;3\n".encode() + "café;4\n".encode("cp1252"),
        {"nom": "text", "v": "integer"},
        [("Été", 1), ("Noël", 2), ("à côté", 3), ("café", 4)],
        notes=("sources.note_mixed_encoding",),
    ),
    Case(
        "many_decimals_and_science",
        "A;B\n1,5E+03;0,123456\n2,0E-01;0,5\n",
        {"a": "float", "b": "decimal"},
        [(1500.0, D("0.123456")), (0.2, D("0.5"))],
    ),
    Case(
        "overridden",
        "Code;Le;M;N\n1;01/05/2026;1.234;x\n2;02/06/2026;2.500;y\n",
        {"code": "integer", "jour": "date", "m": "decimal", "n": "text"},
        [(1, date(2026, 1, 5), D("1.234"), "x"), (2, date(2026, 2, 6), D("2.5"), "y")],
        options=FileOptions(
            columns={
                "Code": ColumnOverride(type="integer"),
                "Le": ColumnOverride(format="mdy", name="jour"),
                "m": ColumnOverride(format="point"),
            }
        ),
    ),
]


def _read(path: Path, tmp_path: Path, options: FileOptions) -> tuple[FileReport, list[tuple[Any, ...]], list[str]]:
    target = tmp_path / "out.duckdb"
    target.unlink(missing_ok=True)
    report = import_files([path], {path.name: options}, target, 1 << 29)
    assert report.skipped == {}
    file = report.files[0]
    with duckdb.connect(str(target), read_only=True) as connection:
        rows = connection.execute(f'SELECT * FROM "{file.table}"').fetchall()
        labels = connection.execute(
            "SELECT comment FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index", [file.table]
        ).fetchall()
    return file, rows, [label for (label,) in labels]


@pytest.mark.parametrize("road", ["quick", "sure"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_corpus(case: Case, road: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if road == "sure":
        monkeypatch.setattr(load.Loader, "_quick", lambda *_: False)
    path = tmp_path / f"{case.name}.csv"
    path.write_bytes(case.content if isinstance(case.content, bytes) else case.content.encode())
    file, rows, labels = _read(path, tmp_path, case.options)
    assert {c.name: c.type for c in file.columns} == case.types
    assert rows == case.rows
    assert file.rows == len(rows)
    assert (file.encoding, file.header_line) == (case.encoding, case.header_line)
    assert [n.key for n in file.notes] == list(case.notes)
    told = {c.name: [n.key for n in c.doubts if not n.key.startswith("sources.note_code")] for c in file.columns}
    wanted = {name: [key] for name, key in case.doubts.items() if not key.startswith("sources.note_code")}
    assert {name: keys for name, keys in told.items() if keys} == wanted
    for name, doubt in case.doubts.items():
        assert doubt in [n.key for n in file.column(name).doubts]
    assert sorted((b.line, b.column, b.value) for c in file.columns for b in c.bad_cells) == case.bad
    assert [c.header or None for c in file.columns] == labels
    for column in file.columns:
        assert column.nulls == sum(1 for row in rows if row[file.columns.index(column)] is None)
    for note in (*file.notes, *(d for c in file.columns for d in c.doubts)):
        assert note.message


def test_the_quick_road_is_taken_by_a_plain_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the sure road was taken")

    monkeypatch.setattr(load.Loader, "_sure", refuse)
    path = tmp_path / "a.csv"
    path.write_bytes("Date;Libellé;Montant\r\n01/02/2026;Café;1 234,50\r\n".encode("cp1252"))
    _, rows, _ = _read(path, tmp_path, FileOptions())
    assert rows == [(date(2026, 2, 1), "Café", D("1234.50"))]


def test_what_the_sample_does_not_show_is_found_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("w", encoding="cp1252", newline="") as stream:
        stream.write("Id;Montant;Code;Texte\r\n")
        for i in range(60_000):
            stream.write(f"{i};{i % 90},50;{i + 10};{'x' * 20}\r\n")
        stream.write("60000;1\u00a0234,505;0007;fin\r\n60001;douze;8;fin\r\n")
    file, _, _ = _read(path, tmp_path, FileOptions())
    assert {c.name: c.type for c in file.columns} == {"id": "integer", "montant": "decimal", "code": "text", "texte": "text"}
    with duckdb.connect(str(tmp_path / "out.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT montant, code FROM long WHERE id >= 60000 ORDER BY id").fetchall()
    assert found == [(D("1234.505"), "0007"), (None, "8")]
    assert [(b.line, b.column, b.value) for b in file.column("montant").bad_cells] == [(60003, "Montant", "douze")]


@pytest.mark.slow
def test_two_hundred_columns(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    path.write_text(
        ";".join(f"Colonne n° {i}" for i in range(200)) + "\n" + ";".join(f"{i},5" for i in range(200)) + "\n",
        encoding="utf-8",
    )
    file, rows, _ = _read(path, tmp_path, FileOptions())
    assert len(file.columns) == 200
    assert rows == [tuple(D(f"{i}.5") for i in range(200))]


@pytest.mark.parametrize(
    ("name", "content", "key"),
    [
        ("vide.csv", b"", "file_empty"),
        ("blanc.csv", b"\xef\xbb\xbf \r\n\r\n", "file_empty"),
        ("image.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 20, "looks_binary"),
        ("classeur.csv", b"PK\x03\x04" + b"\x14\x00" * 50, "looks_like_excel"),
        ("vieux.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 500, "looks_like_excel"),
        ("doc.csv", b"%PDF-1.7\n%\xe2\xe3", "looks_like_pdf"),
        ("page.csv", b"<!DOCTYPE html>\n<html><body>1;2</body></html>", "looks_like_markup"),
        ("api.csv", b'[{"a": 1}, {"a": 2}]', "looks_like_markup"),
        ("faux.xlsx", b"Date;Montant\n1;2\n", "workbook_unreadable"),
        ("faux.parquet", b"Date;Montant\n1;2\n", "parquet_unreadable"),
        ("guillemet.csv", b'A;B\n1;"jamais fini\n' + b"x" * (9 << 20), "line_too_long"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(name: str, content: bytes, key: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Unreadable) as caught:
        import_files([path], {}, tmp_path / "out.duckdb", 1 << 29)
    assert caught.value.note.key == f"sources.{key}"
    sentence = text(caught.value.note.key, **caught.value.note.values)
    assert name in sentence
    assert sentence.endswith(".")


def test_one_unreadable_file_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("A;B\n1;2\n", encoding="utf-8")
    (tmp_path / "b.csv").write_bytes(b"")
    report = import_files([tmp_path / "a.csv", tmp_path / "b.csv"], {}, tmp_path / "out.duckdb", 1 << 29)
    assert [f.table for f in report.files] == ["a"]
    assert report.skipped["b.csv"].key == "sources.file_empty"


def _tidy(cell: str) -> str | None:
    return cell.strip(" \t\u00a0\u202f\u2009") or None


_CELLS = st.text(st.characters(codec="cp1252", exclude_categories=("Cc", "Cs")), max_size=12)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(_CELLS, _CELLS), min_size=1, max_size=12),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_any_text_comes_in_as_it_was_written(
    rows: list[tuple[str, str]], encoding: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = folder / "t.csv"
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream, delimiter=";")
        writer.writerow(["Numéro", "Premier", "Second"])
        writer.writerows((i, *row) for i, row in enumerate(rows))
    override = {name: ColumnOverride(type="text") for name in ("Premier", "Second")}
    options = FileOptions(columns=override, keep_totals=True, header_line=1, delimiter=";", encoding=encoding)
    _, read, _ = _read(path, folder, options)
    nothing = {"", "-", "–", "—", "null", "n/a", "#n/a", "#n/d", "nan", "none", "(vide)"}
    wanted = [tuple(None if (_tidy(c) or "").lower() in nothing else _tidy(c) for c in row) for row in rows]
    assert [row[1:] for row in read] == wanted


def _grouped(digits: str, space: str) -> str:
    head = len(digits) % 3
    return space.join(part for part in (digits[:head], *(digits[i : i + 3] for i in range(head, len(digits), 3))) if part)


@st.composite
def _written_amounts(draw: st.DrawFn) -> tuple[str, Decimal]:
    """An amount, and one of the ways in which French people and programs write it."""
    cents = draw(st.integers(-(10**11), 10**11))
    digits, fraction = f"{abs(cents) // 100}", f"{abs(cents) % 100:02d}"
    body = _grouped(digits, draw(st.sampled_from(["", " ", "\u00a0", "\u202f"]))) + "," + fraction
    unit = draw(st.sampled_from(["", " €", "€", "\u00a0€", " EUR"]))
    if cents >= 0:
        return draw(st.sampled_from(["", "+"])) + body + unit, Decimal(cents) / 100
    form = draw(st.sampled_from(["-{}{}", "{}{}-", "({}{})", "\u2212{}{}", "- {}{}"]))
    return form.format(body, unit), Decimal(cents) / 100


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(amounts=st.lists(_written_amounts(), min_size=1, max_size=25), encoding=st.sampled_from(["utf-8", "utf-16"]))
def test_any_amount_comes_in_right(
    amounts: list[tuple[str, Decimal]], encoding: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("amounts")
    path = folder / "t.csv"
    path.write_text("Id;Montant\n" + "".join(f"{i};{w}\n" for i, (w, _) in enumerate(amounts)), encoding=encoding)
    file, read, _ = _read(path, folder, FileOptions())
    assert file.column("montant").type == "decimal"
    assert [row[1] for row in read] == [value for _, value in amounts]


_FORMATS = (
    "%d/%m/%Y",
    "%d-%m-%Y",
    "%d.%m.%Y",
    "%d/%m/%y",
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    moments=st.lists(st.datetimes(datetime(1969, 1, 1), datetime(2068, 12, 31)), min_size=1, max_size=25),
    written=st.sampled_from(_FORMATS),
)
def test_any_day_comes_in_right(moments: list[datetime], written: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("days")
    path = folder / "t.csv"
    path.write_text("Id;Le\n" + "".join(f"{i};{m.strftime(written)}\n" for i, m in enumerate(moments)), encoding="utf-8")
    file, read, _ = _read(path, folder, FileOptions())
    wanted = [datetime.strptime(m.strftime(written), written) for m in moments]
    if file.column("le").type == "date":
        assert all(w.time() == datetime.min.time() for w in wanted)
        assert [row[1] for row in read] == [w.date() for w in wanted]
    else:
        assert file.column("le").type == "timestamp"
        assert [row[1] for row in read] == wanted


@given(st.lists(st.text(max_size=20), max_size=12))
def test_clean_names_are_distinct_and_plain(headers: list[str]) -> None:
    names = clean_names(headers)
    assert len(set(names)) == len(headers)
    assert all(name.isascii() and name.isidentifier() and name == name.lower() for name in names)
    assert all(clean_name(name) == name for name in names)
