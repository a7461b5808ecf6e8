"""Technical names read the way people say them."""

from __future__ import annotations

import doctest
import importlib

import pytest

from datapilot_kernel.catalog import lexicon
from datapilot_kernel.catalog.names import is_code_name, read_name, restore_accents, singular_words, split_name

COLUMNS = [
    ("mt_ht", "montant HT"),
    ("MTHT", "montant HT"),
    ("mt_ttc", "montant TTC"),
    ("cd_cli", "code client"),
    ("CD_REP", "code représentant"),
    ("qte", "quantité"),
    ("dt_fact", "date de facture"),
    ("lib_prod", "libellé produit"),
    ("nb_jours", "nombre de jours"),
    ("tx_tva", "taux de TVA"),
    ("num_facture", "numéro de facture"),
    ("cust_no", "numéro de client"),
    ("societe", "société"),
    ("categorie", "catégorie"),
    ("orderDate", "date de commande"),
    ("order_date", "date de commande"),
    ("orderdate", "date de commande"),
    ("customer_name", "nom de client"),
    ("unit_price", "prix unitaire"),
    ("puht", "prix unitaire HT"),
    ("totalAmount", "montant total"),
    ("created_at", "date de création"),
    ("hire_date", "date d’embauche"),
    ("shipping_city", "ville de livraison"),
    ("qty_produced", "quantité fabriquée"),
    ("heures_prevues", "heures prévues"),
    ("stock_quantity", "quantité en stock"),
    ("date_fin_prevue", "date de fin prévue"),
    ("mode_reglement", "mode de règlement"),
    ("due_date", "échéance"),
    ("Date d’échéance", "date d’échéance"),
    ("QT_LANC", "quantité lancée"),
    ("qte_fab", "quantité fabriquée"),
    ("dt_fin_prev", "date de fin prévue"),
    ("px_rev", "prix de revient"),
    ("date_du_don", "date de don"),
    ("montant_du", "montant dû"),
    ("nb_enfants", "nombre d’enfants"),
    ("nb_occupants", "nombre d’occupants"),
    ("guest_count", "nombre de convives"),
]
TABLES = [
    ("orders", "commande", "commandes", "f"),
    ("order_items", "ligne de commande", "lignes de commande", "f"),
    ("T_CDE_LIG", "ligne de commande", "lignes de commande", "f"),
    ("tbl_lig_cde", "ligne de commande", "lignes de commande", "f"),
    ("dim_product", "produit", "produits", "m"),
    ("fact_sales", "vente", "ventes", "f"),
    ("employees", "employé", "employés", "m"),
    ("LEAVE_REQUESTS", "congé", "congés", "m"),
    ("machine_downtime", "arrêt machine", "arrêts machine", "m"),
    ("subscriptions", "abonnement", "abonnements", "m"),
    ("commerciaux", "commercial", "commerciaux", "m"),
    ("widgets", "widget", "widgets", "m"),
    ("P_MACHINE", "machine", "machines", "f"),
    ("r_clients", "client", "clients", "m"),
    ("baux", "bail", "baux", "m"),
    ("checks", "addition", "additions", "f"),
]


@pytest.mark.parametrize(("name", "label"), COLUMNS)
def test_columns(name: str, label: str) -> None:
    assert read_name(name).label == label


@pytest.mark.parametrize(("name", "label", "plural", "gender"), TABLES)
def test_tables(name: str, label: str, plural: str, gender: str) -> None:
    reading = read_name(name, "table")
    assert (reading.label, reading.plural, reading.gender) == (label, plural, gender)


@pytest.mark.parametrize(
    ("name", "label", "unit"),
    [
        ("poids_kg", "poids", "kg"),
        ("delai_jours", "délai", "jours"),
        ("surface_m2", "surface", "m²"),
        ("nb_jours", "nombre de jours", None),
    ],
)
def test_units_stand_apart(name: str, label: str, unit: str | None) -> None:
    assert (read_name(name).label, read_name(name).unit) == (label, unit)


@pytest.mark.parametrize("name", ["id", "id_client", "clientId", "customer_uuid", "fk_order"])
def test_identifiers(name: str) -> None:
    assert read_name(name).identifier


@pytest.mark.parametrize("name", ["montant", "ca", "note", "mt_ht", "idee"])
def test_not_identifiers(name: str) -> None:
    assert not read_name(name).identifier


@pytest.mark.parametrize(
    ("one", "other"),
    [("cd_cli", "code_client"), ("clients", "customer"), ("lignes_commande", "order_items"), ("id_of", "id_of")],
)
def test_same_things_compare_equal(one: str, other: str) -> None:
    assert singular_words(one) == singular_words(other)


def test_a_name_of_nothing_known_stays_itself() -> None:
    reading = read_name("xkcd_foo")
    assert (reading.label, reading.known, reading.head) == ("xkcd foo", False, None)


@pytest.mark.parametrize("name", ["", "___", "éèà", "1", "a" * 300, "日本"])
def test_odd_names_do_not_fail(name: str) -> None:
    read_name(name)
    split_name(name)


def test_codes() -> None:
    assert all(map(is_code_name, ["cd_cli", "num_facture", "sku", "siret", "code_postal"]))
    assert not any(map(is_code_name, ["client", "montant", "nom"]))


def test_accents_come_back_only_when_sure() -> None:
    words = {"numero": "numéro", "reponse": "réponse", "site": "site", "visite": "visite", "priorites": "priorités"}
    assert {w: restore_accents(w) for w in words} == words


def test_no_french_word_stands_twice_in_the_lexicon() -> None:
    seen: dict[tuple[str, ...], str] = {}
    twice = []
    for concept in lexicon.concepts():
        if concept.kind == "noun" and seen.setdefault(lexicon.words(concept.french), concept.french) != concept.french:
            twice.append(concept.french)
    assert not twice


def test_the_lexicon_is_large_and_goes_both_ways() -> None:
    assert len(lexicon.concepts()) > 400
    for english, french in [
        ("order", "commande"),
        ("invoice", "facture"),
        ("supplier", "fournisseur"),
        ("scrap", "rebut"),
        ("batch", "lot"),
        ("warehouse", "entrepôt"),
    ]:
        found = lexicon.concept_of(english)
        assert found is not None
        assert found.french == french
        assert lexicon.concept_of(french) is found


@pytest.mark.parametrize(
    "module",
    [
        "catalog.names",
        "catalog.lexicon",
        "catalog.inference",
        "semantic.fragments",
        "semantic.drafting.context",
        "semantic.drafting.comments",
        "semantic.drafting.values",
    ],
)
def test_examples_in_docstrings(module: str) -> None:
    result = doctest.testmod(importlib.import_module(f"datapilot_kernel.{module}"))
    assert result.attempted > 0
    assert result.failed == 0
