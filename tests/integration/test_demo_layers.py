"""The accepted layers mean what the documentation says: each measure, compiled, against SQL written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from bench.questions.golds import Run, runner
from datapilot_kernel.demo.loader import tenants
from datapilot_kernel.engine.matching import results_match
from datapilot_kernel.plan.compiler import compile_plan
from datapilot_kernel.plan.model import CalendarPeriod, DimensionItem, MeasureItem, Plan
from datapilot_kernel.semantic.loading import load_layer
from datapilot_kernel.semantic.model import Layer

TODAY = date(2026, 6, 17)
DEMO = Path(__file__).parents[2] / "datapilot_kernel" / "demo"
LAYERS = {slug: load_layer(DEMO / tenant.layer_file) for slug, tenant in tenants().items()}
OFFERED = [
    (slug, f"{entity}.{name}")
    for slug, layer in LAYERS.items()
    for entity, one in layer.entities.items()
    for name in one.measures
]
LINES = "lignes_commande l JOIN commandes c ON c.id_commande = l.id_commande WHERE c.statut <> 'ANN' AND YEAR(c.date_commande) = 2025"
ORDERS = "commandes WHERE statut <> 'ANN' AND YEAR(date_commande) = 2025"
BY_HAND = {
    "lignes_commande.ca": f"SELECT SUM(l.mt_ht) FROM {LINES}",
    "lignes_commande.ca_ttc": f"SELECT SUM(mt_ttc) FROM {ORDERS}",
    "lignes_commande.marge": f"SELECT SUM(l.mt_ht) - SUM(l.mt_cout) FROM {LINES}",
    "lignes_commande.taux_marge": f"SELECT 1 - SUM(l.mt_cout) / SUM(l.mt_ht) FROM {LINES}",
    "lignes_commande.qte_vendue": f"SELECT SUM(l.qte) FROM {LINES}",
    "lignes_commande.panier_moyen": f"SELECT SUM(mt_ht) / COUNT(*) FROM {ORDERS}",
    "lignes_commande.remises": f"SELECT SUM(l.qte * l.prix_unitaire_ht - l.mt_ht) FROM {LINES}",
    "lignes_commande.taux_retour": "SELECT (SELECT SUM(qte_retournee) FROM retours WHERE YEAR(date_retour) = 2025) "
    f"/ (SELECT SUM(l.qte) FROM {LINES})",
    "lignes_commande.taux_realisation": f"SELECT (SELECT SUM(mt_ht) FROM {ORDERS}) "
    "/ (SELECT SUM(objectif_ca_ht) FROM objectifs WHERE YEAR(mois) = 2025)",
    "commandes.nb_commandes": f"SELECT COUNT(*) FROM {ORDERS}",
    "commandes.clients_actifs": f"SELECT COUNT(DISTINCT id_client) FROM {ORDERS}",
    "clients.nouveaux_clients": "SELECT COUNT(*) FROM clients WHERE YEAR(date_inscription) = 2025",
    "factures.encours": "SELECT SUM(mt_ttc - mt_regle) FROM factures WHERE statut IN ('IMP', 'ATT') AND YEAR(date_facture) = 2025",
    "factures.montant_facture": "SELECT SUM(mt_ht) FROM factures WHERE statut <> 'ANN' AND YEAR(date_facture) = 2025",
    "reglements.encaissements": "SELECT SUM(montant) FROM reglements WHERE YEAR(date_reglement) = 2025",
    "avoirs.montant_avoirs": "SELECT SUM(mt_ht) FROM avoirs WHERE YEAR(date_avoir) = 2025",
    "stocks.qte_stock": "SELECT SUM(qte_stock) FROM stocks WHERE date_stock = DATE '2025-12-31'",
    "stocks.ruptures": "SELECT COUNT(*) FROM stocks WHERE date_stock = DATE '2025-12-31' AND qte_stock = 0",
}


@pytest.fixture(scope="module")
def databases() -> Iterator[dict[str, Run]]:
    with runner("duckdb", tenants()["maison-lumiere"]) as retail, runner("duckdb", tenants()["atelier-roche"]) as workshop:
        yield {"maison-lumiere": retail, "atelier-roche": workshop}


def sql_of(
    layer: Layer, measure: str, dialect: str = "duckdb", *, by: tuple[DimensionItem, ...] = (), unit: str = "year"
) -> str:
    plan = Plan(
        measures=(MeasureItem(alias="m", measure=measure),),
        dimensions=by,
        period=CalendarPeriod(unit=unit, year=2025),  # type: ignore[arg-type]
    )
    return compile_plan(plan, layer, dialect=dialect, today=TODAY).sql  # type: ignore[arg-type]


@pytest.mark.parametrize(("slug", "measure"), OFFERED)
def test_every_measure_has_a_value(slug: str, measure: str, databases: dict[str, Run]) -> None:
    layer = LAYERS[slug]
    entity = measure.partition(".")[0]
    undated = entity in {"produits", "categories", "magasins", "commerciaux", "machines", "operateurs", "pieces"}
    plan = Plan(
        measures=(MeasureItem(alias="m", measure=measure),),
        period=None if undated else CalendarPeriod(unit="year", year=2025 if measure != "clients.nb_clients" else 2020),
    )
    if slug == "atelier-roche" and entity == "clients":
        plan = plan.model_copy(update={"period": None})
    sql = compile_plan(plan, layer, dialect="duckdb", today=TODAY).sql
    assert databases[slug](sql)[0][0], sql
    for dialect in ("postgres", "mysql"):
        assert compile_plan(plan, layer, dialect=dialect, today=TODAY).sql  # type: ignore[arg-type]


@pytest.mark.parametrize("measure", BY_HAND)
def test_a_measure_is_what_the_documentation_says(measure: str, databases: dict[str, Run]) -> None:
    run = databases["maison-lumiere"]
    ours, gold = run(sql_of(LAYERS["maison-lumiere"], measure)), run(BY_HAND[measure])
    assert gold[0][0]
    assert float(ours[0][0]) == pytest.approx(float(gold[0][0]), rel=1e-6)


def test_a_fiscal_year_begins_in_october_at_the_workshop(databases: dict[str, Run]) -> None:
    sql = sql_of(LAYERS["atelier-roche"], "ordres_fabrication.production", unit="fiscal_year")
    gold = (
        "SELECT SUM(mt_ht) FROM ordres_fabrication WHERE statut <> 'ANN' "
        "AND date_lancement >= DATE '2024-10-01' AND date_lancement < DATE '2025-10-01'"
    )
    run = databases["atelier-roche"]
    assert results_match(run(gold), run(sql))


@pytest.mark.parametrize(
    ("measure", "dimension", "gold"),
    [
        ("lignes_commande.ca", "magasins.nom", "SELECT m.nom_magasin, SUM(l.mt_ht) FROM lignes_commande l JOIN commandes c USING (id_commande)"
         " JOIN magasins m ON m.id_magasin = c.id_magasin WHERE c.statut <> 'ANN' AND YEAR(c.date_commande) = 2025 GROUP BY 1"),
        ("lignes_commande.ca", "clients.region", "SELECT k.region, SUM(c.mt_ht) FROM commandes c LEFT JOIN clients k USING (id_client)"
         " WHERE c.statut <> 'ANN' AND YEAR(c.date_commande) = 2025 GROUP BY 1"),
        ("lignes_commande.taux_realisation", "magasins.nom", "SELECT m.nom_magasin, r.ca / o.n FROM magasins m JOIN (SELECT id_magasin, SUM(mt_ht) AS ca"
         " FROM commandes WHERE statut <> 'ANN' AND YEAR(date_commande) = 2025 GROUP BY 1) r USING (id_magasin) JOIN (SELECT id_magasin,"
         " SUM(objectif_ca_ht) AS n FROM objectifs WHERE YEAR(mois) = 2025 GROUP BY 1) o USING (id_magasin)"),
        ("factures.impayes", "clients.region", "SELECT k.region, SUM(f.mt_ttc - f.mt_regle) FROM factures f LEFT JOIN clients k USING (id_client)"
         " WHERE f.statut = 'IMP' AND YEAR(f.date_facture) = 2025 GROUP BY 1"),
        ("commandes.montant_commandes", "produits.marque", "SELECT p.marque, SUM(l.mt_ht) FROM lignes_commande l JOIN commandes c USING (id_commande)"
         " JOIN produits p USING (id_produit) WHERE c.statut <> 'ANN' AND YEAR(c.date_commande) = 2025 GROUP BY 1"),
    ],
)  # fmt: skip
def test_by_a_dimension(measure: str, dimension: str, gold: str, databases: dict[str, Run]) -> None:
    run = databases["maison-lumiere"]
    sql = sql_of(LAYERS["maison-lumiere"], measure, by=(DimensionItem(alias="d", field=dimension),))
    assert results_match(run(gold), run(sql)), sql
