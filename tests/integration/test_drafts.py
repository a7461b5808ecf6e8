"""Drafts of five databases that have nothing in common: what people would type is there, nothing is said twice, and it runs."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datapilot_kernel.catalog import Catalog, Column, ForeignKey, Table, introspect
from datapilot_kernel.catalog.lexicon import words
from datapilot_kernel.semantic import Layer, check_layer, draft_layer, dump_layer, load_layer
from datapilot_kernel.semantic.fragments import read_fragment
from datapilot_kernel.sources import open_source
from tests import schemas
from tests.servers import Server

NAMES = sorted(schemas.ALL)


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Catalog]:
    found = {}
    for name, make in schemas.ALL.items():
        source = open_source(str(schemas.load_duckdb(make(), tmp_path_factory.mktemp(name) / f"{name}.duckdb")))
        found[name] = introspect(source)
        source.close()
    return found


@pytest.fixture(scope="module")
def drafts(catalogs: dict[str, Catalog]) -> dict[str, Layer]:
    return {name: draft_layer(catalog) for name, catalog in catalogs.items()}


def measure_called(layer: Layer, phrase: str) -> tuple[str, str]:
    """Return entity and expression of the one measure that answers to a phrase."""
    found = [
        (entity_name, measure.expression or measure.formula or "")
        for entity_name, entity in layer.entities.items()
        for measure in entity.measures.values()
        if not entity.hidden and words(phrase) in {words(p) for p in (measure.label, *measure.synonyms)}
    ]
    assert len(found) == 1, (phrase, found)
    return found[0]


def entity_called(layer: Layer, phrase: str) -> str:
    found = [
        name
        for name, entity in layer.entities.items()
        if not entity.hidden and phrase.lower() in {p.lower() for p in (entity.label, entity.plural or "", *entity.synonyms)}
    ]
    assert len(found) == 1, (phrase, found)
    return found[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_draft_passes_its_own_check_without_a_warning(
    catalogs: dict[str, Catalog], drafts: dict[str, Layer], name: str
) -> None:
    assert check_layer(dump_layer(drafts[name]), catalogs[name]) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_draft_is_deterministic_and_comes_back_from_its_text(
    catalogs: dict[str, Catalog], drafts: dict[str, Layer], name: str
) -> None:
    layer = drafts[name]
    assert layer.status == "draft"
    assert load_layer(dump_layer(layer)) == layer
    shuffled = catalogs[name].model_copy(update={"tables": tuple(reversed(catalogs[name].tables))})
    assert draft_layer(catalogs[name]) == layer
    assert set(draft_layer(shuffled).entities) == set(layer.entities)


@pytest.mark.parametrize("name", NAMES)
def test_no_filter_is_invented(drafts: dict[str, Layer], name: str) -> None:
    for entity in drafts[name].entities.values():
        assert entity.default_filters == ()
        assert entity.row_filter is None
        assert all(m.filter is None for m in entity.measures.values())


@pytest.mark.parametrize("name", NAMES)
def test_questions_are_french_and_about_something_there(drafts: dict[str, Layer], name: str) -> None:
    questions = drafts[name].questions
    assert 6 <= len(questions) <= 12
    assert len(set(questions)) == len(questions)
    for question in questions:
        assert question[0].isupper()
        assert not re.search(r"\bde [aeéèêiou]|\ble [aeéiou]|\bdu [aeéiou]|_|\bNone\b", question), question


def test_erp(drafts: dict[str, Layer]) -> None:
    layer = drafts["erp"]
    assert {entity_called(layer, p) for p in ("commandes", "clients", "factures", "articles", "familles", "représentants", "lignes de commande")} == {
        "cde", "cli", "fact", "art", "fam", "rep", "cde_lig",
    }  # fmt: skip
    assert entity_called(layer, "produits") == "art"
    assert measure_called(layer, "chiffre d'affaires") == ("cde", 'SUM("MT_HT")')
    assert measure_called(layer, "CA") == ("cde", 'SUM("MT_HT")')
    assert measure_called(layer, "CA TTC") == ("cde", 'SUM("MT_TTC")')
    assert measure_called(layer, "montant facturé") == ("fact", 'SUM("MT_HT")')
    assert measure_called(layer, "quantité vendue") == ("cde_lig", 'SUM("QTE")')
    assert measure_called(layer, "panier moyen") == ("cde", "{ca} / {nombre}")
    assert measure_called(layer, "prix d’achat moyen")[0] == "art"
    # « par article » is answered by the lines: their amount, discount taken off.
    finer = layer.measure("cde.ca").finer
    assert finer is not None
    assert layer.measure(finer).expression == 'SUM("QTE" * "PU_HT" * (1 - COALESCE("TX_REM", 0) / 100.0))'
    assert layer.entity("cde").time == "dt_cde"
    assert layer.entity("fact").time == "dt_fact"
    assert layer.entity("cli").name_dimension == "rais_soc"
    assert layer.dimension("cde.st_cde").values["EXP"][:2] == ("expédiée", "expédié")
    assert layer.dimension("cli.vil").label == "ville"
    assert all(join.inferred and join.label is None for join in layer.joins.values())


def test_webshop(drafts: dict[str, Layer]) -> None:
    layer = drafts["webshop"]
    for english, french in [
        ("orders", "commandes"),
        ("customers", "clients"),
        ("products", "produits"),
        ("order_items", "lignes de commande"),
        ("reviews", "avis"),
    ]:
        assert entity_called(layer, french) == english
    assert entity_called(layer, "order items") == "order_items"
    assert layer.entity("orders").gender == "f"
    assert measure_called(layer, "chiffre d'affaires") == ("orders", "SUM(total_amount)")
    assert layer.measure("orders.ca").finer == "order_items.montant_calcule"
    assert measure_called(layer, "montant encaissé") == ("payments", "SUM(amount)")
    assert measure_called(layer, "note moyenne") == ("reviews", "AVG(rating)")
    assert measure_called(layer, "nombre de clients") == ("customers", "COUNT(*)")
    assert measure_called(layer, "stock") == ("products", "SUM(stock_quantity)")
    assert "SUM(cost)" not in {
        m.expression for m in layer.entity("products").measures.values()
    }  # a unit cost does not add up
    assert layer.entity("orders").time == "order_date"
    assert layer.entity("payments").time == "paid_at"
    assert layer.dimension("customers.country").values["Germany"] == (
        "Allemagne", "allemand", "allemande", "allemands", "allemandes",
    )  # fmt: skip
    assert layer.dimension("orders.status").values["cancelled"][0] == "annulée"
    assert layer.dimension("products.is_active").values["true"][0] == "actif"
    assert layer.dimension("orders.updated_at").hidden
    assert layer.dimension("payments.method").label == "mode de paiement"
    assert layer.entity("customers").name_dimension == "last_name"  # two columns name a person; the first name stands beside
    assert layer.dimension("customers.last_name").label == "client"
    assert layer.dimension("customers.nom_complet").personal
    assert layer.entity("schema_migrations").hidden
    assert layer.dimension("categories.name").label == "catégorie"


def test_hr(drafts: dict[str, Layer]) -> None:
    layer = drafts["hr"]
    assert measure_called(layer, "effectif") == ("salaries", "COUNT(*)")
    assert measure_called(layer, "masse salariale") == ("salaries", "SUM(salaire_brut)")
    assert measure_called(layer, "salaire moyen") == ("salaries", "AVG(salaire_brut)")
    assert measure_called(layer, "embauches")[0] == "salaries"
    assert measure_called(layer, "jours de congé") == ("conges", "SUM(DATE_DIFF('day', date_debut, date_fin) + 1)")
    assert entity_called(layer, "absences") == "conges"
    assert layer.entity("conges").time == "date_debut"
    assert layer.entity("bulletins_paie").time == "periode"
    assert layer.dimension("bulletins_paie.periode").type == "date"
    assert layer.dimension("salaries.sexe").values == {"F": ("femme", "femmes"), "M": ("homme", "hommes")}
    assert layer.dimension("conges.type_conge").values["MAL"] == ("maladie",)
    manager = next(j for j in layer.joins.values() if j.from_entity == j.to_entity)
    assert manager.label == "manager"


def test_factory(drafts: dict[str, Layer]) -> None:
    layer = drafts["factory"]
    assert measure_called(layer, "taux de rebut") == ("work_orders", "{total_scrap_qty} / {total_qty_produced}")
    assert measure_called(layer, "quantité produite")[0] == "work_orders"
    assert measure_called(layer, "temps d’arrêt machine") == ("machine_downtime", "SUM(duration_minutes)")
    assert entity_called(layer, "arrêts") == "machine_downtime"
    assert entity_called(layer, "OF") == "work_orders"
    assert entity_called(layer, "pièces") == "parts"
    stock = layer.measure("stock_levels.total_quantity")
    assert stock.additivity == "semi_additive"
    assert "stock" in stock.synonyms
    assert layer.dimension("machine_downtime.reason").values["breakdown"] == ("panne",)
    assert layer.entity("stock_levels").time == "snapshot_date"


def test_saas(drafts: dict[str, Layer]) -> None:
    layer = drafts["saas"]
    assert entity_called(layer, "clients") == "accounts"
    assert entity_called(layer, "abonnements") == "subscriptions"
    assert measure_called(layer, "chiffre d'affaires") == ("invoices", 'SUM("totalAmount")')
    assert measure_called(layer, "revenu récurrent mensuel") == ("subscriptions", "SUM(mrr)")
    assert measure_called(layer, "délai moyen de résolution")[0] == "tickets"
    assert measure_called(layer, "résiliations") == ("subscriptions", 'COUNT("endDate")')
    assert layer.measure("subscriptions.nb_resiliations").time == "enddate"
    assert layer.dimension("accounts.countrycode").values["DE"][0] == "Allemagne"
    assert "pays" in layer.dimension("accounts.countrycode").synonyms
    assert layer.entity("accounts").name_dimension == "companyname"
    people = {j.label for j in layer.joins.values() if j.from_entity == "tickets" and j.to_entity == "users"}
    assert people == {"assigné", "créateur"}


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "duckdb"])
def test_everything_drafted_runs(postgres: Server, mariadb: Server, tmp_path: Path, dialect: str) -> None:
    """Each measure's and dimension's SQL is sent to the engine it was drafted for."""
    ran = 0
    for name, make in schemas.ALL.items():
        if dialect == "duckdb":
            location = str(schemas.load_duckdb(make(), tmp_path / f"{name}.duckdb"))
        else:
            location = (postgres if dialect == "postgres" else mariadb).new_database(name)
            (schemas.load_postgres if dialect == "postgres" else schemas.load_mysql)(make(), location)
        source = open_source(location)
        catalog = introspect(source)
        layer = draft_layer(catalog)
        assert layer.sql_dialect == dialect
        assert check_layer(layer, catalog) == []
        quote = "`" if dialect == "mysql" else '"'
        for entity in layer.entities.values():
            table = ".".join(f"{quote}{p}{quote}" for p in entity.table.split("."))
            fragments = [m.expression for m in entity.measures.values() if m.expression]
            fragments += [f"COUNT({d.expression})" for d in entity.dimensions.values() if d.expression]
            for fragment in fragments:
                assert read_fragment(fragment, dialect).tree is not None
                ((value,),) = source.introspect_rows(f"SELECT {fragment} FROM {table}")
                assert value is not None or entity.hidden, (entity.table, fragment)
                ran += 1
        source.close()
    assert ran > 60


def _column(name: str, kind: str, **more: object) -> Column:
    return Column(name=name, type=kind, native_type=str(more.pop("native", kind)), **more)  # type: ignore[arg-type]


def _catalog(*tables: Table) -> Catalog:
    return Catalog(
        dialect="postgres", default_schema="public", tables=tables, version="1", taken_at=datetime(2026, 1, 1, tzinfo=UTC)
    )


def test_two_ways_to_the_same_table_are_told_apart() -> None:
    airports = Table(
        db_schema="public",
        name="aeroports",
        primary_key=("id_aeroport",),
        columns=(_column("id_aeroport", "integer"), _column("nom", "text")),
    )
    flights = Table(
        db_schema="public", name="vols", primary_key=("id_vol",),
        columns=(_column("id_vol", "integer"), _column("id_aeroport_depart", "integer"), _column("id_aeroport_arrivee", "integer"), _column("date_vol", "date"), _column("nb_passagers", "integer")),
        foreign_keys=tuple(ForeignKey(columns=(f"id_aeroport_{way}",), ref_table="public.aeroports", ref_columns=("id_aeroport",)) for way in ("depart", "arrivee")),
    )  # fmt: skip
    layer = draft_layer(_catalog(airports, flights))
    assert {(j.label, j.preferred) for j in layer.joins.values()} == {
        ("aéroport de départ", False),
        ("aéroport d’arrivée", False),
    }
    clients = Table(
        db_schema="public", name="clients", primary_key=("id",), columns=(_column("id", "integer"), _column("nom", "text"))
    )
    orders = Table(
        db_schema="public", name="commandes", primary_key=("id",),
        columns=(_column("id", "integer"), *(_column(f"id_client_{r}", "integer") for r in ("facture", "livraison")), _column("id_client", "integer", comment="Client qui commande")),
        foreign_keys=tuple(ForeignKey(columns=(c,), ref_table="public.clients", ref_columns=("id",)) for c in ("id_client_facture", "id_client_livraison", "id_client")),
    )  # fmt: skip
    layer = draft_layer(_catalog(clients, orders))
    assert {(j.label, j.preferred) for j in layer.joins.values()} == {
        ("client facturé", False),
        ("client livré", False),
        ("client qui commande", True),
    }


def test_comments_give_labels_and_the_meaning_of_codes() -> None:
    table = Table(
        db_schema="public", name="f_xq12", comment="Interventions sur site", primary_key=("zz1",),
        columns=(
            _column("zz1", "integer", comment="Identifiant"),
            _column("zz2", "text", comment="Niveau d'urgence : A1 = très urgent, B2 = normal, C3 = différé", values=("A1", "B2", "C3")),
            _column("zz3", "decimal", comment="Montant HT, en euros"),
            _column("zz4", "date", comment="Date de l'intervention"),
        ),
    )  # fmt: skip
    layer = draft_layer(_catalog(table))
    (entity,) = layer.entities.values()
    assert entity.label.startswith("intervention")
    assert entity.dimensions["zz2"].label == "niveau d'urgence"
    assert entity.dimensions["zz2"].values == {"A1": ("très urgent",), "B2": ("normal",), "C3": ("différé",)}
    assert entity.dimensions["zz3"].label == "montant HT"
    assert entity.time == "zz4"


def test_words_that_two_measures_want_go_to_neither() -> None:
    def document(name: str, key: str) -> Table:
        return Table(
            db_schema="public",
            name=name,
            primary_key=(key,),
            columns=(_column(key, "integer"), _column("poids_kg", "decimal"), _column("date_envoi", "date")),
        )

    layer = draft_layer(_catalog(document("expeditions", "id_expedition"), document("retours", "id_retour")))
    labels = {m.label for e in layer.entities.values() for m in e.measures.values()}
    assert {"poids des expéditions", "poids des retours"} <= labels
    assert not any(
        words("poids") == words(p)
        for e in layer.entities.values()
        for m in e.measures.values()
        for p in (m.label, *m.synonyms)
    )


def test_a_bridge_is_hidden_and_a_purchase_is_no_turnover() -> None:
    bridge = Table(
        db_schema="public", name="produit_fournisseur", primary_key=("id_produit", "id_fournisseur"), columns=(_column("id_produit", "integer"), _column("id_fournisseur", "integer")),
        foreign_keys=(ForeignKey(columns=("id_produit",), ref_table="public.produits", ref_columns=("id",)), ForeignKey(columns=("id_fournisseur",), ref_table="public.fournisseurs", ref_columns=("id",))),
    )  # fmt: skip
    things = [
        Table(db_schema="public", name=n, primary_key=("id",), columns=(_column("id", "integer"), _column("nom", "text")))
        for n in ("produits", "fournisseurs")
    ]
    purchases = Table(
        db_schema="public", name="commandes", primary_key=("id",), columns=(_column("id", "integer"), _column("id_fournisseur", "integer"), _column("montant_ht", "decimal"), _column("date_commande", "date")),
        foreign_keys=(ForeignKey(columns=("id_fournisseur",), ref_table="public.fournisseurs", ref_columns=("id",)),),
    )  # fmt: skip
    layer = draft_layer(_catalog(bridge, *things, purchases))
    assert layer.entity("produit_fournisseur").hidden
    assert not any(m.label == "chiffre d’affaires" for e in layer.entities.values() for m in e.measures.values())


def test_empty_and_odd_catalogs() -> None:
    assert draft_layer(_catalog()).entities == {}
    odd = Table(
        db_schema="public",
        name="Été 2025 (%)",
        columns=(
            _column("a b", "decimal"),
            _column("a_b", "decimal"),
            _column("é", "other"),
            _column("x", "json"),
            _column("1", "text"),
        ),
    )
    layer = draft_layer(_catalog(odd))
    assert check_layer(layer, _catalog(odd)) == []
    same = [
        Table(
            db_schema=s,
            name="ventes",
            primary_key=("id",),
            columns=(_column("id", "integer"), _column("montant", "decimal")),
        )
        for s in ("nord", "sud")
    ]
    layer = draft_layer(_catalog(*same))
    assert len(layer.entities) == 2
    assert check_layer(layer, _catalog(*same)) == []


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "datapilot_kernel.cli", "semantic", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=90,
    )


def test_the_command(tmp_path: Path) -> None:
    source = str(schemas.load_duckdb(schemas.webshop(), tmp_path / "boutique.duckdb"))
    (tmp_path / "mots.txt").write_text(
        "# nos mots\nchiffre d'affaires = prise d'affaires, CA\nclient = tiers\n", encoding="utf-8"
    )
    drafted = _command("draft", "--source", source, "--glossary", str(tmp_path / "mots.txt"))
    assert drafted.returncode == 0, drafted.stderr
    layer = load_layer(drafted.stdout)
    assert "prise d'affaires" in layer.measure("orders.ca").synonyms
    assert layer.measure("orders.ca").synonyms.count("CA") == 1
    assert "tiers" in layer.entity("customers").synonyms
    path = tmp_path / "couche.yaml"
    path.write_text(drafted.stdout, encoding="utf-8")
    clean = _command("check", str(path), "--source", source)
    assert (clean.returncode, clean.stdout) == (0, "")
    path.write_text(drafted.stdout.replace("SUM(total_amount)", "SUM(total_amont)"), encoding="utf-8")
    wrong = _command("check", str(path), "--source", source)
    line = next(i for i, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if "total_amont" in text)
    assert wrong.returncode == 1
    assert f":{line}:" in wrong.stdout
    assert "total_amount" in wrong.stdout
    as_json = _command("check", str(path), "--source", source, "--json")
    assert '"ok": false' in as_json.stdout
    assert _command("check", str(tmp_path / "absente.yaml"), "--source", source).returncode == 2
    assert _command("schema").stdout.startswith("{")


def test_accounts_are_linked_by_their_number_though_nothing_is_called_a_code(tmp_path: Path) -> None:
    """Files have no keys: ``compte`` of a chart of accounts is proved by counting, and entries point at it by its name."""
    (tmp_path / "plan_comptable.csv").write_text(
        "compte;intitule;type_compte\n" + "".join(f"{600000 + i * 1000};Compte {i};Charge\n" for i in range(30)), "utf-8"
    )
    (tmp_path / "tiers.csv").write_text(
        "compte_tiers;nom_tiers;ville\n" + "".join(f"F{i:04};Tiers {i};Lyon\n" for i in range(20)), "utf-8"
    )
    lines = [f"{1 + i % 28:02}/01/2026;P{i};{600000 + i % 30 * 1000};F{i % 20:04};Achat;{i},50;0,00" for i in range(200)]
    (tmp_path / "ecritures.csv").write_text(
        "date_ecriture;num_piece;compte;compte_tiers;libelle;debit;credit\n" + "\n".join(lines) + "\n", "utf-8"
    )
    source = open_source(str(tmp_path))
    catalog = introspect(source)
    source.close()
    links = {(t.name, fk.columns, fk.ref_table.split(".")[-1]) for t in catalog.tables for fk in t.foreign_keys}
    assert links == {("ecritures", ("compte",), "plan_comptable"), ("ecritures", ("compte_tiers",), "tiers")}
    layer = draft_layer(catalog)
    assert layer.entity("plan_comptable").label == "compte"
    assert measure_called(layer, "solde") == ("ecritures", "{total_debit} - {total_credit}")
