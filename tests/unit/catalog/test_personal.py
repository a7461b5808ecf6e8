"""What belongs to a person is recognised by name and by value; what does not is left alone."""

from __future__ import annotations

import pytest

from datapilot_kernel.catalog.personal import look_like_companies, maybe_people, named_like_people, valued_like_people


@pytest.mark.parametrize(
    ("column", "table"),
    [
        ("email", "clients"), ("adresse_mail", "x"), ("E-Mail", "x"), ("tel_portable", "contacts"), ("phone_number", "customers"), ("telephone", "x"),
        ("iban", "fournisseurs"), ("numero_secu_sociale", "salaries"), ("nir", "salaries"), ("first_name", "customers"), ("lastName", "users"),
        ("prenom", "x"), ("nom_prenom", "x"), ("adresse", "clients"), ("street_address", "customers"), ("date_naissance", "salaries"), ("birth_date", "x"),
        ("nom", "salaries"), ("name", "employees"), ("nom_commercial", "ventes"), ("full_name", "x"), ("password", "users"), ("contact_name", "suppliers"),
        ("user_name", "x"), ("civilite", "clients"),
    ],
)  # fmt: skip
def test_personal_by_name(column: str, table: str) -> None:
    assert named_like_people(column, table)


@pytest.mark.parametrize(
    ("column", "table"),
    [
        ("ville", "clients"), ("name", "products"), ("nom", "categories"), ("nom_magasin", "magasins"), ("raison_sociale", "clients"), ("code_postal", "clients"),
        ("adresse_ville", "clients"), ("email_id", "x"), ("date_signature", "contrats"), ("montant", "paiements"), ("statut", "clients"), ("company_name", "accounts"),
        ("delivery_city", "orders"), ("telephone_id", "x"), ("description", "products"),
    ],
)  # fmt: skip
def test_not_personal_by_name(column: str, table: str) -> None:
    assert not named_like_people(column, table)


def test_a_customers_name_beside_a_first_name_is_a_persons() -> None:
    assert named_like_people("nom", "clients", ["id", "nom", "prenom"])
    assert not named_like_people("nom", "clients", ["id", "nom", "ville"])
    assert maybe_people("nom", "clients")


@pytest.mark.parametrize(
    "values",
    [
        ["jean@x.fr", "a.b@example.org"], ["06 12 34 56 78", "01.23.45.67.89"], ["+33 6 12 34 56 78", "0033612345678"], ["FR76 3000 6000 0112 3456 7890 189"],
        ["1 85 05 78 006 084 36", "285057800608436"], ["12 rue de la Paix", "3 bis avenue Foch"], ["M. Durand", "Mme Petit"],
    ],
)  # fmt: skip
def test_personal_by_value(values: list[str]) -> None:
    assert valued_like_people(values)


@pytest.mark.parametrize(
    "values",
    [
        ["Lyon", "Paris"],
        ["EXP", "LIV"],
        ["2025-01-01"],
        ["75011", "69003"],
        ["P-1001", "P-1002"],
        ["00018405800022"],
        [],
        ["Rue"],
    ],
)
def test_not_personal_by_value(values: list[str]) -> None:
    assert not valued_like_people(values)


def test_companies_are_told_from_persons() -> None:
    assert look_like_companies(["Durand SARL", "Petit & Fils", "Mairie de Lyon", "Martin"])
    assert not look_like_companies(["Durand", "Petit", "Marie Martin", "Paul Roux", "Léa Blanc", "Hugo Faure"])
