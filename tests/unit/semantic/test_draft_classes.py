"""What a draft must make of a class of tables, whatever they are called: dates, names of totals, states, codes, people."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from datapilot_kernel.catalog import Catalog, Column, ForeignKey, Table
from datapilot_kernel.catalog.lexicon import words
from datapilot_kernel.catalog.names import read_name
from datapilot_kernel.semantic import Layer, check_layer, draft_layer, dump_layer


def col(name: str, kind: str = "text", **more: Any) -> Column:
    return Column(name=name, type=kind, native_type=str(more.pop("native", kind)), **more)


def table(name: str, *columns: Column, to: dict[str, str] | None = None, **more: Any) -> Table:
    keys = tuple(
        ForeignKey(columns=(c,), ref_table=f"public.{t.split('.')[0]}", ref_columns=(t.split(".")[1],))
        for c, t in (to or {}).items()
    )
    key = more.pop("key", (columns[0].name,))
    return Table(
        db_schema="public", name=name, columns=columns, primary_key=key, foreign_keys=keys, row_estimate=1000, **more
    )


def draft(*tables: Table) -> Layer:
    catalog = Catalog(
        dialect="postgres", default_schema="public", tables=tables, version="1", taken_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    layer = draft_layer(catalog)
    assert check_layer(dump_layer(layer), catalog) == []
    return layer


def called(layer: Layer, phrase: str) -> list[str]:
    """Return the SQL of every measure that answers to a phrase."""
    return [
        m.expression or m.formula or ""
        for e in layer.entities.values()
        for m in e.measures.values()
        if not e.hidden and words(phrase) in {words(p) for p in (m.label, *m.synonyms)}
    ]


CUSTOMERS = table("customers", col("id", "integer"), col("company_name"), col("created_at", "timestamp"))


# ── dates ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_row_is_dated_by_what_every_row_has() -> None:
    layer = draft(
        CUSTOMERS,
        table(
            "orders", col("id", "integer"), col("customer_id", "integer"), col("shipped_at", "timestamp", null_share=0.12),
            col("created_at", "timestamp", null_share=0.0), col("total_amount", "decimal"), to={"customer_id": "customers.id"},
        ),
        table("tickets", col("id", "integer"), col("customer_id", "integer"), col("closed_at", "timestamp", null_share=0.3),
              col("opened_at", "timestamp", null_share=0.0), to={"customer_id": "customers.id"}),
    )  # fmt: skip
    assert layer.entity("orders").time == "created_at"
    assert layer.entity("tickets").time == "opened_at"
    # An order's creation is its date; a customer's is an arrival.
    assert layer.dimension("orders.created_at").label == "date de commande"
    assert layer.dimension("customers.created_at").label == "date de création"


def test_its_own_date_stays_though_some_rows_have_none() -> None:
    layer = draft(
        table(
            "livraisons",
            col("id", "integer"),
            col("date_livraison", "date", null_share=0.05),
            col("created_at", "timestamp"),
        )
    )
    assert layer.entity("livraisons").time == "date_livraison"


def test_lines_are_dated_by_their_order_and_not_by_their_product() -> None:
    layer = draft(
        table("produits", col("id_produit", "integer"), col("designation"), col("date_lancement", "date")),
        table("commandes", col("id_commande", "integer"), col("date_commande", "date"), col("mt_ht", "decimal")),
        table("lignes_commande", col("id_ligne", "integer"), col("id_commande", "integer"), col("id_produit", "integer"),
              col("qte", "integer"), to={"id_commande": "commandes.id_commande", "id_produit": "produits.id_produit"}),
    )  # fmt: skip
    assert [n for n, e in layer.entities.items() if e.time] == ["commandes"]
    assert layer.dimension("produits.date_lancement").type == "date"
    assert layer.measure("produits.nouveaux_produits").time == "date_lancement"


def test_a_thing_alone_keeps_its_date() -> None:
    layer = draft(table("produits", col("id_produit", "integer"), col("designation"), col("date_lancement", "date")))
    assert layer.entity("produits").time == "date_lancement"


# ── totals as people say them ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "column", "phrases"),
    [
        ("absences", col("nb_jours", "integer"), ["jours d’absence", "nombre de jours d’absence", "nombre de jours"]),
        ("tournees", col("km_parcourus", "integer"), ["kilomètres parcourus", "kilomètres", "km", "kilométrage"]),
        ("trajets", col("distance_km", "decimal"), ["kilomètres", "km parcourus"]),
        ("tournees", col("litres_carburant", "decimal"), ["litres de carburant", "litres", "carburant consommé"]),
        ("colis", col("poids_kg", "decimal"), ["poids", "poids en kg", "poids total"]),
        ("usage_monthly", col("api_calls", "integer"), ["appels API", "nombre d’appels API"]),
        ("subscriptions", col("mrr", "decimal"), ["MRR", "MRR des abonnements", "MRR total"]),
        ("subscriptions", col("seats", "integer"), ["sièges", "nombre de sièges"]),
        ("budget", col("montant_budget", "decimal"), ["budget", "montant du budget", "montant budgété"]),
        ("factures", col("mt_ttc", "decimal"), ["montant TTC facturé", "montant facturé", "montant TTC des factures"]),
        ("refunds", col("amount", "decimal"), ["montant remboursé", "montant total des remboursements"]),
    ],
)  # fmt: skip
def test_totals_answer_to_what_people_say(name: str, column: Column, phrases: list[str]) -> None:
    layer = draft(CUSTOMERS, table(name, col("id", "integer"), col("customer_id", "integer"), col("month", "date"), column,
                                   to={"customer_id": "customers.id"}))  # fmt: skip
    for phrase in phrases:
        assert called(layer, phrase) == [f"SUM({column.name})"], phrase


def test_a_bare_name_that_two_totals_wish_for_is_nobodys() -> None:
    layer = draft(
        table("tournees", col("id_tournee", "integer"), col("date_tournee", "date"), col("km_parcourus", "integer")),
        table("trajets", col("id_trajet", "integer"), col("date_trajet", "date"), col("distance_km", "integer")),
        table("orders", col("id", "integer"), col("order_date", "date"), col("total_amount", "decimal")),
        table("refunds", col("id", "integer"), col("created_at", "timestamp"), col("amount", "decimal")),
    )
    assert called(layer, "kilométrage") == []
    assert called(layer, "montant") == called(layer, "montant total") == []
    assert called(layer, "montant total des commandes") == ["SUM(total_amount)"]
    assert called(layer, "montant des remboursements") == ["SUM(amount)"]


def test_what_was_paid_or_spent_is_not_the_amount_of_the_document() -> None:
    layer = draft(
        table("factures", col("id_facture", "integer"), col("date_facture", "date"), col("mt_ttc", "decimal"),
              col("mt_regle", "decimal"), col("mt_cout", "decimal")),
    )  # fmt: skip
    assert called(layer, "montant total des factures") == []
    assert called(layer, "reste à payer") == ["SUM(mt_ttc - COALESCE(mt_regle, 0))"]
    assert called(layer, "encours clients") == ["SUM(mt_ttc - COALESCE(mt_regle, 0))"]


def test_averages_where_a_sum_says_nothing() -> None:
    layer = draft(
        table("contrats", col("id_contrat", "integer"), col("date_debut", "date"), col("salaire_brut_mensuel", "decimal"),
              col("temps_travail", "integer", comment="Temps de travail en % d'un temps plein")),
        table("formations", col("id_formation", "integer"), col("intitule"), col("cout", "decimal", comment="Coût par participant")),
        table("absences", col("id_absence", "integer"), col("date_debut", "date"), col("nb_jours", "integer")),
        table("plan_comptable", col("compte"), col("intitule"), col("classe", "integer")),
    )  # fmt: skip
    assert called(layer, "salaire moyen") or called(layer, "salaire brut mensuel moyen") == ["AVG(salaire_brut_mensuel)"]
    assert called(layer, "temps de travail moyen") == ["AVG(temps_travail)"]
    assert called(layer, "nombre moyen de jours d’absence") == ["AVG(nb_jours)"]
    expressions = {m.expression for e in layer.entities.values() for m in e.measures.values()}
    assert not expressions & {"SUM(cout)", "SUM(classe)", "SUM(temps_travail)"}


def test_debit_credit_and_balance() -> None:
    layer = draft(
        table("ecritures", col("date_ecriture", "date"), col("num_piece"), col("num_ligne", "integer"), col("debit", "decimal"),
              col("credit", "decimal"), key=())
    )  # fmt: skip
    assert called(layer, "total des débits") == called(layer, "débits") == ["SUM(debit)"]
    assert called(layer, "solde") == ["{total_debit} - {total_credit}"]
    assert called(layer, "nombre de pièces") == ["COUNT(DISTINCT num_piece)"]


def test_the_number_of_a_line_counts_no_documents() -> None:
    layer = draft(
        table("commandes", col("id_commande", "integer"), col("date_commande", "date")),
        table("lignes_commande", col("id_ligne", "integer"), col("num_ligne", "integer"), col("id_commande", "integer"),
              col("qte", "integer"), to={"id_commande": "commandes.id_commande"}),
    )  # fmt: skip
    assert not any("num_ligne" in (m.expression or "") for m in layer.entity("lignes_commande").measures.values())


def test_discounts_and_returns() -> None:
    layer = draft(
        table("commandes", col("id_commande", "integer"), col("date_commande", "date"), col("mt_ht", "decimal")),
        table("lignes_commande", col("id_ligne", "integer"), col("id_commande", "integer"), col("qte", "integer"),
              col("prix_unitaire_ht", "decimal"), col("taux_remise", "decimal"), col("mt_ht", "decimal"),
              to={"id_commande": "commandes.id_commande"}),
        table("retours", col("id_retour", "integer"), col("id_ligne", "integer"), col("date_retour", "date"),
              col("qte_retournee", "integer"), to={"id_ligne": "lignes_commande.id_ligne"}),
    )  # fmt: skip
    assert called(layer, "remises accordées") == ["SUM(qte * prix_unitaire_ht - (mt_ht))"]
    assert called(layer, "taux de retour") == ["{total_qte_retournee} / {lignes_commande.total_qte}"]


# ── values and states ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_statuses_mean_what_they_mean_for_an_invoice() -> None:
    layer = draft(
        table("invoices", col("id", "integer"), col("issued_on", "date"), col("amount", "decimal"),
              col("status", values=("paid", "open", "void"))),
        table("tickets", col("id", "integer"), col("opened_at", "timestamp"), col("status", values=("open", "closed"))),
    )  # fmt: skip
    invoice = layer.dimension("invoices.status").values
    assert {"impayée", "impayé"} <= set(invoice["open"])
    assert "annulée" in invoice["void"]
    assert "impayé" not in layer.dimension("tickets.status").values["open"]


def test_a_flag_is_called_as_its_comment_says() -> None:
    layer = draft(
        table(
            "art",
            col("cd_art"),
            col("lib_art"),
            col("actif", values=("O", "N"), comment="O = actif, N = retiré du catalogue"),
        )
    )
    actif = layer.dimension("art.actif")
    assert {"retiré du catalogue", "retiré"} <= set(actif.values["N"])
    assert "o" not in actif.synonyms


def test_flags_of_every_kind() -> None:
    layer = draft(
        table("clients", col("id", "integer"), col("raison_sociale"), col("newsletter", "boolean")),
        table("absences", col("id", "integer"), col("date_debut", "date"), col("justifiee", "boolean")),
        table("produits", col("id", "integer"), col("designation"), col("actif", "boolean")),
    )
    assert "abonnés à la newsletter" in layer.dimension("clients.newsletter").values["true"]
    assert layer.dimension("absences.justifiee").values["false"][0] == "non justifiée"
    assert "retirés du catalogue" in layer.dimension("produits.actif").values["false"]


def test_evident_states() -> None:
    layer = draft(
        table("salaries", col("matricule"), col("nom", personal=True), col("prenom", personal=True), col("date_entree", "date"),
              col("date_sortie", "date", null_share=0.8)),
        table("tickets", col("id", "integer"), col("opened_at", "timestamp"), col("closed_at", "timestamp", null_share=0.1)),
        table("products", col("id", "integer"), col("name"), col("stock", "integer")),
    )  # fmt: skip
    assert layer.dimension("salaries.present").expression == "date_sortie IS NULL"
    assert layer.dimension("tickets.encore_ouvert").expression == "closed_at IS NULL"
    assert "rupture" in layer.dimension("products.en_rupture").values["true"]
    # « fermés en mai » asks for the date: the state does not take the bare participle.
    names = {n for values in layer.dimension("tickets.encore_ouvert").values.values() for n in values}
    assert not names & {"fermé", "fermés", "ouvert", "ouverts", "clos"}


def test_no_state_where_a_column_holds_it_or_no_row_has_it() -> None:
    layer = draft(
        table("tickets", col("id", "integer"), col("opened_at", "timestamp"), col("closed_at", "timestamp", null_share=0.1),
              col("status", values=("open", "closed"))),
        table("salaries", col("matricule"), col("nom", personal=True), col("date_entree", "date"),
              col("date_sortie", "date", null_share=1.0)),
    )  # fmt: skip
    assert "encore_ouvert" not in layer.entity("tickets").dimensions
    assert "present" not in layer.entity("salaries").dimensions


# ── names, codes, people ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("num_piece", "numéro de pièce"), ("type_tiers", "type de tiers"), ("date_prise_en_charge", "date de prise en charge"),
        ("date_mise_en_service", "date de mise en service"), ("km_parcourus", "kilomètres parcourus"),
        ("litres_carburant", "litres de carburant"), ("employee_count", "nombre d’employés"), ("due_on", "échéance"),
        ("qte_cde", "quantité commandée"), ("qte_liv", "quantité livrée"), ("seats", "sièges"), ("prix_litre", "prix de litre"),
        ("date_fermeture", "date de fermeture"), ("first_response_at", "date de première réponse"),
    ],
)  # fmt: skip
def test_names_are_read_as_people_say_them(name: str, label: str) -> None:
    assert read_name(name).label == label


def test_an_abbreviation_is_read_by_the_table_it_belongs_to_or_points_at() -> None:
    layer = draft(
        table("depot", col("cd_dep"), col("lib_dep")),
        table("stk", col("cd_art"), col("cd_dep"), col("qte_stk", "integer"), key=("cd_art", "cd_dep"), to={"cd_dep": "depot.cd_dep"}),
    )  # fmt: skip
    assert layer.dimension("depot.cd_dep").label == "code dépôt"
    assert all(j.label is None for j in layer.joins.values())


def test_a_comment_settles_what_an_abbreviation_means() -> None:
    layer = draft(table("cli", col("cd_cli"), col("rs_cli"), col("enc_max", "decimal", comment="Encours maximum autorisé")))
    dimension = layer.dimension("cli.enc_max")
    assert dimension.label == "encours maximum autorisé"
    assert not any("encaissement" in s for s in dimension.synonyms)
    assert dimension.format is not None
    assert dimension.format.kind == "currency"


def test_tables_of_codes_are_named_by_their_wording() -> None:
    layer = draft(
        table("journaux", col("journal"), col("libelle_journal")),
        table("plan_comptable", col("compte"), col("intitule"), col("type_compte")),
        table("ecritures", col("date_ecriture", "date"), col("journal"), col("compte"), col("debit", "decimal"), key=(),
              to={"journal": "journaux.journal", "compte": "plan_comptable.compte"}),
    )  # fmt: skip
    assert layer.dimension("journaux.journal").label == "code journal"
    assert layer.dimension("journaux.libelle_journal").label == "journal"
    assert layer.dimension("ecritures.journal").hidden
    assert layer.entity("plan_comptable").label == "compte"
    assert "plan comptable" in layer.entity("plan_comptable").synonyms
    assert layer.dimension("plan_comptable.intitule").label == "compte"


def test_two_columns_name_a_person() -> None:
    layer = draft(
        table("chauffeurs", col("id_chauffeur", "integer"), col("nom", personal=True), col("prenom", personal=True))
    )
    entity = layer.entity("chauffeurs")
    assert entity.name_dimension == "nom"
    assert (layer.dimension("chauffeurs.nom").label, layer.dimension("chauffeurs.prenom").label) == ("chauffeur", "prénom")


def test_the_usual_way_to_a_table_is_called_by_the_table() -> None:
    layer = draft(
        table("magasins", col("id_magasin", "integer"), col("nom_magasin")),
        table("commandes", col("id_commande", "integer"), col("date_commande", "date"), col("id_magasin", "integer"),
              col("id_magasin_retrait", "integer"), to={"id_magasin": "magasins.id_magasin", "id_magasin_retrait": "magasins.id_magasin"}),
    )  # fmt: skip
    assert {(j.label, j.preferred) for j in layer.joins.values()} == {(None, True), ("magasin de retrait", False)}


def test_the_price_of_a_thing_has_its_usual_names() -> None:
    layer = draft(table("produits", col("id", "integer"), col("designation"), col("prix_vente_ht", "decimal")))
    assert called(layer, "prix de vente moyen") == called(layer, "prix catalogue moyen") == ["AVG(prix_vente_ht)"]
    assert {"prix de vente", "prix catalogue"} <= set(layer.dimension("produits.prix_vente_ht").synonyms)


def test_bounds_of_dates_do_not_matter_to_a_draft() -> None:
    with_bounds = col("date_commande", "date", minimum=date(2024, 1, 1), maximum=date(2026, 1, 1))
    one = draft(table("commandes", col("id", "integer"), with_bounds))
    other = draft(table("commandes", col("id", "integer"), col("date_commande", "date")))
    assert one == other


def test_a_prefix_that_is_the_tables_is_not_read() -> None:
    layer = draft(
        table("t_cli", col("cli_id", "integer"), col("cli_nom"), col("cli_tel"), col("cli_ville")),
        table("devis", col("date_devis", "date"), col("date_envoi", "date"), col("date_fin", "date"), key=()),
    )
    entity = next(e for n, e in layer.entities.items() if e.label == "client")
    assert {d.label for d in entity.dimensions.values()} == {"numéro de client", "client", "téléphone", "ville"}
    assert layer.dimension("devis.date_envoi").label == "date d’envoi"


def test_a_comment_that_only_lists_codes_is_no_label() -> None:
    layer = draft(table("t_or", col("id", "integer"), col("etat", values=("O", "C"), comment="O=ouvert, C=clos")))
    dimension = next(d for e in layer.entities.values() for d in e.dimensions.values() if d.column == "etat")
    assert dimension.label == "état"
    assert dimension.values["C"][0] == "clos"


def test_an_entry_is_a_hiring_only_among_staff() -> None:
    stays = table("sejours", col("num_sejour", "integer"), col("date_entree", "date"), col("date_sortie", "date"))
    staff = table("salaries", col("matricule"), col("date_entree", "date"), col("date_sortie", "date"))
    layer = draft(stays, staff)
    assert layer.dimension("sejours.date_entree").label == "date d’entrée"
    assert layer.dimension("salaries.date_entree").label == "date d’embauche"
    assert called(layer, "durée moyenne des séjours") == ["AVG((date_sortie - date_entree))"]


def test_a_part_of_an_amount_is_not_the_documents() -> None:
    layer = draft(
        table(
            "factures",
            col("id", "integer"),
            col("date_facture", "date"),
            col("mt_pieces_ht", "decimal"),
            col("mt_ht", "decimal"),
        )
    )
    assert called(layer, "montant HT des factures") == ["SUM(mt_ht)"]


def test_the_volume_of_what_lasts_is_not_taken_for_its_number() -> None:
    layer = draft(
        table("absences", col("id", "integer"), col("date_debut", "date"), col("nb_jours", "integer")),
        table("commandes", col("id", "integer"), col("date_commande", "date")),
    )
    assert called(layer, "volume d’absences") == []
    assert called(layer, "volume de commandes") == ["COUNT(*)"]


# ── words that mean something else here, names of totals, codes ────────────────────────────────────────────────────────


def test_a_homograph_is_settled_by_the_columns_around_it() -> None:
    layer = draft(
        table("locations", col("location_id", "integer"), col("location_name"), col("city")),
        table("checks", col("check_id", "integer"), col("location_id", "integer"), col("opened_at", "timestamp"),
              col("net_sales", "decimal"), to={"location_id": "locations.location_id"}),
    )  # fmt: skip
    assert layer.entity("locations").label == "site"
    assert layer.dimension("locations.location_name").label == "site"
    assert layer.entity("checks").label == "addition"
    assert called(layer, "chiffre d’affaires") == ["SUM(net_sales)"]
    rentals = draft(
        table("locations", col("id", "integer"), col("date_debut", "date"), col("ville"), col("loyer", "decimal")),
        table("checks", col("id", "integer"), col("checked_at", "timestamp"), col("result")),
    )
    assert rentals.entity("locations").label == "location"
    assert rentals.entity("checks").label == "contrôle"


def test_what_is_called_by_money_or_by_hours_is_asked_for_by_it() -> None:
    layer = draft(
        table("dons", col("id", "integer"), col("date_don", "date"), col("montant", "decimal")),
        table("heures_formation", col("id", "integer"), col("jour", "date"), col("nb_heures", "decimal")),
    )
    assert called(layer, "dons") == ["SUM(montant)"]
    assert called(layer, "nombre de dons") == ["COUNT(*)"]
    assert called(layer, "nombre d’heures de formation") == ["SUM(nb_heures)"]


def test_a_total_is_nobodys_where_there_are_several_amounts() -> None:
    layer = draft(
        table("quittances", col("id", "integer"), col("periode", "date"), col("loyer", "decimal"), col("charges", "decimal"),
              col("total", "decimal")),
        table("baux", col("id", "integer"), col("date_debut", "date"), col("charges", "decimal")),
    )  # fmt: skip
    assert called(layer, "total") == called(layer, "montant total") == called(layer, "charges") == []
    assert called(layer, "charges des quittances") == called(layer, "charges des baux") == ["SUM(charges)"]
    assert called(layer, "total des quittances") != ["COUNT(*)"]
    bare = draft(table("visites", col("id", "integer"), col("date_visite", "date")))
    assert called(bare, "total des visites") == ["COUNT(*)"]


def test_a_coded_number_is_what_its_comment_says_and_no_quantity() -> None:
    layer = draft(
        table("baux", col("id", "integer"), col("date_debut", "date"),
              col("etat", "integer", comment="1 : en cours, 2 : terminé, 3 = préavis"))
    )  # fmt: skip
    assert layer.dimension("baux.etat").values == {"1": ("en cours",), "2": ("terminé",), "3": ("préavis",)}
    assert called(layer, "état") == []


def test_codes_worded_in_the_same_table_have_no_words_of_their_own() -> None:
    layer = draft(
        table("motifs", col("cd_motif", values=("PAN", "REG")), col("lib_motif", values=("Panne", "Réglage"))),
        table(
            "arrets", col("id", "integer"), col("date_arret", "date"), col("cd_motif"), to={"cd_motif": "motifs.cd_motif"}
        ),
    )
    assert layer.dimension("motifs.cd_motif").values == {}


def test_how_often_rows_end_in_a_state_that_has_a_noun() -> None:
    layer = draft(
        table("reservations", col("id", "integer"), col("date_reservation", "date"),
              col("statut", values=("Confirmée", "Annulée")), col("montant", "decimal"))
    )  # fmt: skip
    assert called(layer, "taux d’annulation") == ["AVG(1.0 * CASE WHEN statut IN ('Annulée') THEN 1 ELSE 0 END)"]
    assert called(layer, "annulations") == ["SUM(CASE WHEN statut IN ('Annulée') THEN 1 ELSE 0 END)"]


def test_countries_have_their_people() -> None:
    layer = draft(table("clients", col("id", "integer"), col("nom"), col("pays", values=("France", "Allemagne", "Suisse"))))
    assert layer.dimension("clients.pays").values["Allemagne"] == (
        "Allemagne", "allemand", "allemande", "allemands", "allemandes",
    )  # fmt: skip


def test_a_flag_named_by_a_noun_is_had_or_not() -> None:
    layer = draft(
        table("dons", col("id", "integer"), col("date_don", "date"), col("recu_fiscal", "boolean"), col("urgent", "boolean"))
    )
    assert layer.dimension("dons.recu_fiscal").values["true"] == ("reçu fiscal", "avec reçu fiscal")
    assert set(layer.dimension("dons.urgent").values["true"]) == {"urgent", "urgente", "urgents", "urgentes"}


def test_how_long_rows_last_is_added_up_and_averaged() -> None:
    layer = draft(table("arrets", col("id", "integer"), col("date_arret", "date"), col("duree_min", "integer")))
    assert called(layer, "durée des arrêts") == ["SUM(duree_min)"]
    assert called(layer, "durée moyenne d’un arrêt") == called(layer, "durée moyenne") == ["AVG(duree_min)"]


def test_an_hourly_wage_is_no_payroll() -> None:
    layer = draft(table("employees", col("id", "integer"), col("hire_date", "date"), col("hourly_wage", "decimal")))
    assert called(layer, "masse salariale") == []
    assert called(layer, "salaire horaire moyen") == ["AVG(hourly_wage)"]
