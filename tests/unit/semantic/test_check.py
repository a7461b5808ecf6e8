"""Every thing a layer can say that is not so of its source, found at its line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from datapilot_kernel.catalog import Catalog, Column, Table
from datapilot_kernel.semantic import check_layer, load_layer


def _column(name: str, kind: str, **more: object) -> Column:
    return Column(name=name, type=kind, native_type=kind, **more)  # type: ignore[arg-type]


CATALOG = Catalog(
    dialect="postgres",
    default_schema="public",
    version="1",
    taken_at=datetime(2026, 1, 1, tzinfo=UTC),
    tables=(
        Table(
            db_schema="public", name="commandes", primary_key=("id",),
            columns=(
                _column("id", "integer"), _column("id_client", "integer"), _column("mt_ht", "decimal"), _column("date_commande", "date"),
                _column("statut", "text", values=("EXP", "LIV", "ANN")), _column("actif", "boolean"), _column("agence", "text"), _column("Nom", "text"),
            ),
        ),
        Table(db_schema="public", name="clients", primary_key=("id",), unique_keys=(("code",),), columns=(_column("id", "integer"), _column("code", "text"), _column("ville", "text"), _column("email", "text"))),
    ),
)  # fmt: skip

GOOD = """\
version: 1
name: Essai
entities:
  commande:
    table: commandes
    label: commande
    key: [id]
    time: date_commande
    default_filters: ["statut <> 'ANN'"]
    row_filter: agence = {agence}
    dimensions:
      date_commande: {column: date_commande, type: date, label: date de commande}
      statut: {column: statut, label: statut, values: {EXP: [expédiée]}}
      nom: {expression: UPPER("Nom"), label: nom}
    measures:
      ca: {expression: SUM(mt_ht), label: chiffre d'affaires, synonyms: [CA]}
      nombre: {expression: COUNT(*), label: nombre de commandes, filter: actif}
      panier: {formula: "{ca} / {nombre}", label: panier moyen}
  client:
    table: public.clients
    label: client
    key: [id]
    name_dimension: ville
    masked: [email]
    dimensions:
      ville: {column: ville, label: ville}
joins:
  vers_client: {from_entity: commande, from_columns: [id_client], to_entity: client, to_columns: [id]}
"""


def test_a_good_layer_has_no_findings() -> None:
    assert check_layer(GOOD, CATALOG) == []
    assert check_layer(load_layer(GOOD), CATALOG) == []
    assert check_layer(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "code"),
    [
        ("table: commandes", "table: comandes", 5, "unknown_table"),
        ("key: [id]\n    time", "key: [idd]\n    time", 7, "unknown_column"),
        ("column: date_commande, type: date", "column: date_cde, type: date", 12, "unknown_column"),
        ("SUM(mt_ht)", "SUM(mt_hht)", 16, "unknown_column"),
        ("SUM(mt_ht)", "SUM(Nom)", 16, "unknown_column"),
        ("{expression: SUM(mt_ht),", "{expression: 'SUM(mt_ht',", 16, "sql_unreadable"),
        ("SUM(mt_ht)", "mt_ht", 16, "not_an_aggregate"),
        ("SUM(mt_ht)", "SUM(SUM(mt_ht))", 16, "nested_aggregate"),
        ("SUM(mt_ht)", "SUM(mt_ht) / mt_ht", 16, "column_outside_aggregate"),
        ("SUM(mt_ht)", "SUM(commandes.mt_ht)", 16, "sql_qualified"),
        ("{expression: SUM(mt_ht),", "{expression: '(SELECT 1)',", 16, "sql_forbidden"),
        ("{expression: SUM(mt_ht),", "{expression: 'SUM(mt_ht) OVER ()',", 16, "sql_forbidden"),
        ("filter: actif", "filter: mt_ht + 1", 17, "not_a_condition"),
        ("filter: actif", "filter: agence", 17, "not_a_condition"),
        ("filter: actif", "filter: SUM(mt_ht) > 1", 17, "aggregate_not_allowed"),
        ("statut <> 'ANN'", "statuts <> 'ANN'", 9, "unknown_column"),
        ("agence = {agence}", "agence = '{agence}'", 10, "attribute_quoted"),
        ("agence = {agence}", "agence = {Agence}", 10, "attribute_name"),
        ("agence = {agence}", "agences = {agence}", 10, "unknown_column"),
        ("{ca} / {nombre}", "{caa} / {nombre}", 18, "unknown_measure"),
        ("{ca} / {nombre}", "ca / {nombre}", 18, "formula_not_braced"),
        ("{ca} / {nombre}", "{panier} / {nombre}", 18, "formula_cycle"),
        ("{ca} / {nombre}", "{ca} / ", 18, "formula_unreadable"),
        ("{ca} / {nombre}", "1 / 2", 18, "formula_empty"),
        ("{ca} / {nombre}", "SUM({ca})", 18, "formula_unreadable"),
        ("time: date_commande", "time: statut", 8, "time_not_a_date"),
        ("time: date_commande", "time: dates", 8, "unknown_dimension"),
        ("column: statut, label: statut", "column: statut, type: date, label: statut", 13, "type_mismatch"),
        ("name_dimension: ville", "name_dimension: nom", 23, "unknown_dimension"),
        ("masked: [email]", "masked: [mail]", 24, "unknown_column"),
        ("masked: [email]", "masked: [ville]", 26, "masked_used"),
        ("to_columns: [id]", "to_columns: [ville]", 28, "join_not_unique"),
        ("to_columns: [id]", "to_columns: [code]", 28, "join_types"),
        ("to_columns: [id]", "to_columns: [idd]", 28, "unknown_column"),
        ("to_columns: [id]", "to_columns: [id, code]", 28, "join_widths"),
        ("to_entity: client", "to_entity: clients", 28, "unknown_entity"),
        ("synonyms: [CA]}", "synonyms: [CA], finer: commande.ca}", 16, "finer_itself"),
    ],
)  # fmt: skip
def test_each_error_at_its_line(old: str, new: str, line: int, code: str) -> None:
    assert old in GOOD
    found = [(f.line, f.code) for f in check_layer(GOOD.replace(old, new, 1), CATALOG) if f.severity == "error"]
    assert (line, code) in found


@pytest.mark.parametrize(
    ("old", "new", "line", "code"),
    [
        ("EXP: [expédiée]", "EXPE: [expédiée]", 13, "unknown_value"),
        ("label: panier moyen", "label: CA", 18, "same_words"),
        ("    label: client\n", "    label: client\n    synonyms: [commande]\n", 22, "same_words_entity"),
        ("label: nom}", "label: statut}", 14, "same_label"),
    ],
)
def test_warnings(old: str, new: str, line: int, code: str) -> None:
    found = check_layer(GOOD.replace(old, new, 1), CATALOG)
    assert [(f.line, f.code, f.severity) for f in found] == [(line, code, "warning")]


def test_the_nearest_name_is_suggested() -> None:
    (finding,) = check_layer(GOOD.replace("SUM(mt_ht)", "SUM(mt_th)"), CATALOG)
    assert "« mt_ht »" in finding.message
    assert finding.column > 10
    assert finding.to_json()["path"] == "entities.commande.measures.ca.expression"


def test_a_cycle_through_two_measures() -> None:
    text = GOOD.replace(
        "label: panier moyen}",
        'label: panier moyen}\n      a: {formula: "{b}", label: a}\n      b: {formula: "{a} + 1", label: b}',
    )
    assert [(f.line, f.code) for f in check_layer(text, CATALOG)] == [(19, "formula_cycle"), (20, "formula_cycle")]


def test_percent_is_a_word_of_its_own() -> None:
    text = GOOD.replace("label: panier moyen}", 'label: "CA %"}')
    assert check_layer(text, CATALOG) == []


def test_unreadable_text_gives_its_findings() -> None:
    assert [f.code for f in check_layer("name: [", CATALOG)] == ["not_yaml"]
