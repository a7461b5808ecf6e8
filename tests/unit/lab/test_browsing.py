"""A source as people browse it, and the models of what was understood of a file held to what the API says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datapilot_lab.browsing import browsed, questions_of
from datapilot_lab.shown import read_layer
from datapilot_lab.wire import About
from datapilot_lab.wire_data import Understood

from datapilot_kernel.messages import register_catalogues

LAYER: dict[str, Any] = {
    "name": "Maison",
    "questions": ["Évolution du chiffre d'affaires par mois", "Nombre de clients par ville", "Météo de demain"],
    "entities": {
        "ventes": {
            "table": "ventes",
            "label": "vente",
            "plural": "ventes",
            "time": "jour",
            "key": ["id"],
            "dimensions": {
                "jour": {"column": "jour", "type": "date", "label": "jour de vente"},
                "canal": {"column": "canal_v", "label": "canal"},
                "cle": {"column": "id", "label": "clé", "hidden": True},
            },
            "measures": {
                "ca": {"expression": "SUM(montant)", "label": "chiffre d’affaires"},
                "cachee": {"expression": "SUM(x)", "label": "secrète", "hidden": True},
            },
        },
        "clients": {
            "table": "clients",
            "label": "client",
            "plural": "clients",
            "key": ["id"],
            "dimensions": {"courriel": {"column": "courriel", "label": "courriel", "personal": True}},
            "measures": {},
        },
        "pont": {"table": "pont", "label": "pont", "hidden": True, "key": ["id"]},
    },
}
ABOUT = About(
    id="5" * 32, name="Maison", dialect="duckdb", tables=3, layer="Maison", accepted=True, today="2026-06-17", questions=[]
)


def _table(name: str, *columns: str) -> dict[str, Any]:
    plain = {"type": "text", "native_type": "VARCHAR", "nullable": True, "comment": None, "personal": False}
    return {
        "db_schema": "main", "name": name, "comment": f"table {name}", "row_estimate": 12,
        "columns": [{"name": column, **plain} for column in columns],
    }  # fmt: skip


CATALOG = {
    "default_schema": "main",
    "tables": [_table("pont", "id"), _table("VENTES", "id", "jour", "canal_v", "montant"), _table("clients", "courriel")],
}


@pytest.fixture(autouse=True)
def _catalogues() -> None:
    register_catalogues("datapilot_lab")


def test_tables_come_in_the_layers_words_with_what_a_filter_names() -> None:
    found = browsed(CATALOG, read_layer(LAYER), ABOUT)
    assert [(t.name, t.label) for t in found.tables] == [
        ("main.clients", "Clients"), ("main.VENTES", "Ventes"), ("main.pont", None),
    ]  # fmt: skip
    sales = found.tables[1]
    assert [(c.name, c.label, c.field) for c in sales.columns] == [
        ("id", None, None),  # hidden in the layer: its words and its name are not for people
        ("jour", "jour de vente", "ventes.jour"),
        ("canal_v", "canal", "ventes.canal"),
        ("montant", None, None),
    ]
    assert sales.measures == ["chiffre d’affaires"]
    assert found.tables[0].columns[0].personal
    # What the layer hides has no questions.
    assert found.tables[2].questions == []


def test_questions_of_a_table_are_the_layers_own_then_what_its_measures_make() -> None:
    layer = read_layer(LAYER)
    assert questions_of("ventes", layer) == [
        "Évolution du chiffre d'affaires par mois",
        "Chiffre d’affaires par canal",
        "Chiffre d’affaires par mois",
    ]
    assert questions_of("clients", layer) == ["Nombre de clients par ville", "Combien de clients\u202f?"]
    english = read_layer(LAYER | {"language": "en", "questions": []})
    assert questions_of("ventes", english)[0] == "Chiffre d’affaires by canal"


def test_the_models_of_a_preview_are_what_the_api_says(tmp_path: Path) -> None:
    from datapilot_kernel.sources import open_source
    from hub_config.data_sources.uploads import shown

    file = tmp_path / "ventes.csv"
    file.write_bytes("Jour;Montant\n01/02/2026;1,5\n03/04/2026;abc\n05/06/2026;2,5\n".encode("cp1252"))
    source = open_source(str(file))
    try:
        report = source.import_report
        assert report is not None
        said = shown(report, {report.files[0].table: [["2026-02-01", "1.5"]]})
    finally:
        source.close()
    read = Understood.model_validate(said)  # every name is known, none is missing: the model forbids others
    assert read.files[0].delimiter == ";"
    assert read.model_dump(mode="json") == said
