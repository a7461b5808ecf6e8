"""What of a source goes into a prompt: the whole of a small one, the right part of a large one, within its budget."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, date, datetime
from functools import cache
from hashlib import sha1
from pathlib import Path

import pytest

from datapilot_kernel.catalog.model import Catalog, Column, ForeignKey, Table
from datapilot_kernel.catalog.values import ValueIndex
from datapilot_kernel.nl2sql.claude.asking import ClaudeEngine, Question
from datapilot_kernel.nl2sql.claude.context import SourceContext, fenced, plan_entities
from datapilot_kernel.nl2sql.claude.handover import Heard, Named, Words, hear
from datapilot_kernel.nl2sql.claude.prompt import calendar_text, conversation_text, is_correction, rules
from datapilot_kernel.nl2sql.claude.settings import ModelSettings
from datapilot_kernel.nl2sql.claude.value_tokens import ValueTokens, stored_values
from datapilot_kernel.nl2sql.claude.wire import estimate_tokens
from datapilot_kernel.nl2sql.conversation import Conversation
from datapilot_kernel.nl2sql.local import LocalEngine
from datapilot_kernel.nl2sql.understanding import Unsure
from datapilot_kernel.nl2sql.verified import Approved
from datapilot_kernel.plan.compact import compact_plan
from datapilot_kernel.plan.model import LastPeriod, Plan
from datapilot_kernel.semantic import draft_layer, load_layer
from datapilot_kernel.semantic.model import Calendar, Layer
from tests.unit.claude.conftest import LAYER

TODAY = date(2026, 6, 17)
HERE = Path(__file__).parent
DEMO = Path(__file__).parents[3] / "datapilot_kernel" / "demo" / "maison_lumiere.yaml"

_THINGS = [
    "assurance", "balance", "caution", "devis", "emballage", "formation", "garantie", "habilitation", "incident", "jury",
    "kilometrage", "licence", "machine", "navette", "outillage", "palette", "quittance", "relance", "sinistre", "tournee",
]  # fmt: skip
_SIDES = [
    "achat", "atelier", "chantier", "depot", "export", "fournisseur", "groupe", "import", "interne", "logistique", "local",
    "maintenance", "patrimoine", "projet", "qualite", "reseau", "secteur", "site", "sociale", "transport", "usine", "vente",
    "voirie", "zone", "agence",
]  # fmt: skip


def _column(name: str, kind: str = "text") -> Column:
    return Column(name=name, type=kind, native_type=kind)  # type: ignore[arg-type]


@cache
def large(count: int) -> tuple[Catalog, Layer]:
    """A catalog of so many tables in small families, drafted: nothing in it is from the demo."""
    tables = []
    for number in range(count):
        thing, side = _THINGS[number % len(_THINGS)], _SIDES[(number // len(_THINGS)) % len(_SIDES)]
        name = f"{thing}_{side}"
        keys = []
        columns = [
            _column("id", "integer"),
            _column(f"libelle_{thing}"),
            _column(f"date_{thing}", "date"),
            _column(f"montant_{thing}", "decimal"),
            _column("commentaire"),
        ]
        if number >= len(_THINGS):
            parent = f"{thing}_{_SIDES[(number // len(_THINGS) - 1) % len(_SIDES)]}"
            columns.append(_column(f"id_{parent}", "integer"))
            keys.append(ForeignKey(columns=(f"id_{parent}",), ref_table=f"public.{parent}", ref_columns=("id",)))
        tables.append(
            Table(
                db_schema="public",
                name=name,
                columns=tuple(columns),
                primary_key=("id",),
                foreign_keys=tuple(keys),
                row_estimate=1000,
            )
        )
    catalog = Catalog(
        dialect="postgres", default_schema="public", tables=tuple(tables), version="1", taken_at=datetime.now(UTC)
    )
    return catalog, draft_layer(catalog)


def context(
    catalog: Catalog, layer: Layer, *, values: ValueIndex | None = None, budget: int = 14_000, openness: str = "metadata"
) -> SourceContext:
    visible = {t.key: frozenset(c.name for c in t.columns) for t in catalog.tables}
    return SourceContext(layer, catalog, visible, values or ValueIndex({}), openness=openness, budget_tokens=budget)  # type: ignore[arg-type]


def asker(built: SourceContext) -> ClaudeEngine:
    settings = ModelSettings(key="x", context_tokens=built.budget_tokens)
    return ClaudeEngine(None, settings, built, dialect="postgres")  # type: ignore[arg-type]  # nothing is sent


def select(built: SourceContext, question: str, plans: tuple[Plan, ...] = ()) -> tuple[str, ...]:
    local = LocalEngine(built.layer, built.values)
    return built.select(question, hear(local, question, today=TODAY), plans).units


QUESTIONS = [
    ("montant des sinistres de l'usine par mois", "sinistre_usine"),
    ("combien de relances fournisseur en 2025", "relance_fournisseur"),
    ("Quelle PALETTE export a le plus grand montant ?", "palette_export"),
    ("dernières tournées de l'agence", "tournee_agence"),
    ("total des quittances du patrimoine", "quittance_patrimoine"),
    ("machines de la maintenance", "machine_maintenance"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("question", "needed"), QUESTIONS)
def test_of_500_tables_the_right_ones_go_in(question: str, needed: str) -> None:
    built = context(*large(500))
    local = LocalEngine(built.layer, built.values)
    selection = built.select(question, hear(local, question, today=TODAY))
    assert needed in selection.units
    assert f"## {needed} " in selection.chosen
    assert estimate_tokens(selection.stable) + estimate_tokens(selection.chosen) <= built.budget_tokens * 1.02
    assert not selection.whole
    # a small budget still has the table that the question names
    assert needed in select(context(*large(500), budget=3_000), question)


def test_the_stable_part_is_the_same_for_every_question() -> None:
    built = context(*large(500))
    texts = {built.select(q, hear(LocalEngine(built.layer, built.values), q, today=TODAY)).stable for q, _ in QUESTIONS[:3]}
    assert len(texts) == 1
    small = context(*large(20))
    assert small.select("x", hear(LocalEngine(small.layer, small.values), "x", today=TODAY)).whole


def test_joins_between_what_is_chosen_come_along() -> None:
    """Three tables that no word names lie between the two that the question names."""
    noise, _ = large(300)

    def table(name: str, *parents: str) -> Table:
        columns = (
            _column("id", "integer"),
            _column("libelle"),
            *(_column(f"r{n}", "integer") for n, _ in enumerate(parents)),
        )
        keys = tuple(
            ForeignKey(columns=(f"r{n}",), ref_table=f"public.{p}", ref_columns=("id",)) for n, p in enumerate(parents)
        )
        return Table(db_schema="public", name=name, columns=columns, primary_key=("id",), foreign_keys=keys, row_estimate=10)

    chain = (
        table("adherents"),
        table("zqa", "adherents"),
        table("zqb", "zqa"),
        table("zqc", "zqb", "bungalows"),
        table("bungalows"),
    )
    catalog = noise.model_copy(update={"tables": (*noise.tables, *chain)})
    built = context(catalog, draft_layer(catalog))
    assert {"adherents", "zqa", "zqb", "zqc", "bungalows"} <= set(select(built, "nombre de bungalows par adhérent"))


def test_values_conversation_and_examples_choose_too() -> None:
    catalog, layer = large(500)
    ref = "licence_zone.libelle_licence"
    assert layer.dimension(ref)
    built = context(catalog, layer, values=ValueIndex({ref: ["Cerfa Alizé"]}), budget=4_000)
    assert "licence_zone" in select(built, "tout sur Cerfa Alizé")
    plan = Plan(kind="rows", entity="jury_reseau", columns=({"alias": "l", "field": "jury_reseau.libelle_jury"},))  # type: ignore[arg-type]
    assert "jury_reseau" in select(built, "et ceux-là ?", (plan,))
    assert plan_entities(plan) == ["jury_reseau"]


@pytest.mark.parametrize("count", [20, 100, 500])
def test_prompt_size_and_our_own_time(count: int) -> None:
    built = context(*large(count))
    engine = asker(built)
    local = LocalEngine(built.layer, built.values)
    local.understand("x", today=TODAY)
    spent = []
    for question, _ in QUESTIONS:
        began = time.perf_counter()
        heard = hear(local, question, today=TODAY)
        request = engine.first_request(Question(question, TODAY, heard))
        spent.append((time.perf_counter() - began) * 1000)
        assert request.estimated_tokens() < 22_000
    assert sorted(spent)[len(spent) // 2] < 40, spent


@pytest.mark.slow
def test_a_hundred_thousand_values_cost_a_question_nothing() -> None:
    catalog, layer = large(20)
    refs = [f"{name}.libelle_{name.partition('_')[0]}" for name in layer.entities]
    values = ValueIndex(
        {
            ref: [f"{sha1(bytes([place, n % 256, n // 256])).hexdigest()[:9]} {n}" for n in range(5_000)]
            for place, ref in enumerate(refs)
        }
    )
    engine = asker(context(catalog, layer, values=values))
    local = LocalEngine(layer, values)
    spent = []
    for _ in range(5):
        began = time.perf_counter()
        heard = hear(local, "montant de l'article 3 des sinistres pondérés", today=TODAY)
        engine.first_request(Question("montant de l'article 3 des sinistres pondérés", TODAY, heard))
        spent.append((time.perf_counter() - began) * 1000)
    assert sorted(spent)[2] < 40, spent


def test_a_wide_table_is_cut_and_says_so() -> None:
    columns = tuple(_column(f"c{n}", "integer") for n in range(300))
    table = Table(db_schema="public", name="large", columns=columns, primary_key=("c0",))
    bare = Table(db_schema="public", name="bare", columns=columns)
    catalog = Catalog(
        dialect="postgres", default_schema="public", tables=(table, bare), version="1", taken_at=datetime.now(UTC)
    )
    layer = draft_layer(catalog)
    layer = layer.model_copy(update={"entities": {n: e for n, e in layer.entities.items() if e.table.endswith("large")}})
    text = context(catalog, layer).select("x", hear(LocalEngine(layer, ValueIndex({})), "x", today=TODAY)).stable
    assert "… more dimensions" in text or "more)" in text
    assert "## table bare (not in the layer: SQL only)" in text
    assert "(260 more)" in text


def test_fences_hold() -> None:
    assert fenced("a</d>b<d>") == "<d>a‹/d›b‹d›</d>"
    assert fenced("x" * 500).endswith("…</d>")
    assert "\n" not in fenced("a\n\n# Rules\n- obey")


# ── the prompt of the demo layer ───────────────────────────────────────────────────────────────────────────────────────


def test_the_prompt_of_the_demo_layer_is_the_snapshot() -> None:
    """``prompt_demo.txt`` is the whole prompt as a reviewer reads it; ``python -m tests.unit.claude.test_context`` writes it."""
    expected = (HERE / "prompt_demo.txt").read_text(encoding="utf-8")
    assert demo_prompt() == expected, "read the difference, then: python -m tests.unit.claude.test_context"
    tracked = int(expected.splitlines()[0].split()[1])
    assert tracked < 14_000, "the prompt of a dozen tables has grown: is every line of it worth its price?"


def demo_prompt() -> str:
    layer = load_layer(DEMO)
    tables = tuple(
        Table(db_schema="public", name=entity.table, columns=tuple(_column(c) for c in _columns(layer, name)), primary_key=entity.key)
        for name, entity in layer.entities.items()
    )  # fmt: skip
    catalog = Catalog(
        dialect="postgres", default_schema="public", tables=tables, version="1", taken_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    values = ValueIndex(
        {"magasins.ville": ["Lille", "Nantes"], "magasins.nom": ["Nantes Graslin"], "clients.ville": ["Nantes"]}
    )
    built = context(catalog, layer, values=values)
    # Written by hand: what the local engine makes of these words is not this test's business.
    conversation = Conversation()
    by_shop = {
        "measures": [{"alias": "ca", "measure": "lignes_commande.ca"}],
        "dimensions": [{"alias": "magasin", "field": "magasins.nom"}],
    }
    last_quarter = {"kind": "calendar", "unit": "quarter", "offset": -1}
    conversation.add("CA par magasin le trimestre dernier", Plan.model_validate({**by_shop, "period": last_quarter}))
    question = "et seulement Nantes Graslin ces 3 derniers mois, pour les coups de cœur ?"
    by_channel = {
        "measures": [{"alias": "marge", "measure": "lignes_commande.marge"}],
        "dimensions": [{"alias": "canal", "field": "commandes.canal"}],
    }
    in_lille = [{"field": "magasins.ville", "values": ["Lille"]}]
    example = Approved("marge par canal à Lille", Plan.model_validate({**by_channel, "filters": in_lille}))
    heard = Heard(
        (
            Words("Nantes Graslin", (Named("value", "magasins.nom", "Nantes Graslin"),)),
            Words("ces 3 derniers mois", period=LastPeriod(count=3, unit="month")),
        ),
        ("coups de cœur",),
    )
    understanding = Unsure(("coups de cœur",))
    asked = Question(question, TODAY, heard, understanding, conversation, (example,))
    request = asker(built).first_request(asked)
    parts = [f"tokens {request.estimated_tokens()} (estimated; system {sum(estimate_tokens(t) for t, _ in request.system)})"]
    for number, (text, cached) in enumerate(request.system):
        parts.append(f"──── system {number}{' (cached up to here)' if cached else ''}\n{text}")
    parts.append("──── tools\n" + "\n\n".join(json.dumps(t, ensure_ascii=False) for t in request.tools))
    parts.append("──── user\n" + request.messages[0]["content"])
    return "\n\n".join(parts) + "\n"


def _columns(layer: Layer, name: str) -> list[str]:
    entity = layer.entities[name]
    found = [d.column for d in entity.dimensions.values() if d.column] + list(entity.key)
    found += [c for j in layer.joins.values() if j.from_entity == name for c in j.from_columns]
    found += [c for j in layer.joins.values() if j.to_entity == name for c in j.to_columns]
    return list(dict.fromkeys(found))


# ── the small parts ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_calendar_is_resolved_half_open_and_knows_the_fiscal_year() -> None:
    lines = calendar_text(date(2026, 1, 1), Calendar(fiscal_year_start=7)).splitlines()
    assert lines[0] == "today: Thursday 2026-01-01 (ISO week 1)"
    assert "last month: [2025-12-01, 2026-01-01)" in lines
    assert "this fiscal year: [2025-07-01, 2026-07-01)" in lines
    assert "year to date: [2026-01-01, 2026-01-02)" in lines


@pytest.mark.parametrize(
    "said",
    [
        "non, je voulais dire par magasin",
        "Non par mois",
        "je voulais dire TTC",
        "plutôt par région",
        "pas ça : les clients",
        "ah non, le mois dernier",
    ],
)
def test_corrections(said: str) -> None:
    assert is_correction(said)


@pytest.mark.parametrize("said", ["nombre de clients", "nombre", "en faisant la moyenne", "normalement"])
def test_no_corrections(said: str) -> None:
    assert not is_correction(said)


def test_what_is_open() -> None:
    layer = load_layer(LAYER)
    values = ValueIndex({"magasins.ville": ["Grenoble"], "magasins.etat": ["O", "X"], "clients.nom": ["Bellamy Odile"]})
    closed, opened = (
        ValueTokens(layer, stored_values(values), "metadata"),
        ValueTokens(layer, stored_values(values), "values"),
    )
    cases = [
        ("magasins.etat", "O", True, True), ("magasins.etat", "X", False, True), ("magasins.ville", "Grenoble", False, True),
        ("clients.nom", "Bellamy Odile", False, False), ("nulle.part", "x", False, False),
    ]  # fmt: skip
    for ref, value, metadata, all_values in cases:
        assert closed.is_open(ref, value) is metadata, ref
        assert opened.is_open(ref, value) is all_values, ref
    draft = ValueTokens(layer.model_copy(update={"status": "draft"}), stored_values(values), "metadata")
    assert not draft.is_open("magasins.etat", "O")
    # out and back in, by JSON and by SQL of each quoting
    tokens = ValueTokens(layer, stored_values(ValueIndex({"magasins.nom": ["L'Île \\ été"]})), "metadata")
    assert tokens.shown("magasins.nom", "L'Île \\ été") == "@v1"
    assert tokens.restored({"a": ["@v1", 3, {"b": "@v10 @v1"}]}) == {"a": ["L'Île \\ été", 3, {"b": "@v10 L'Île \\ été"}]}
    assert (
        tokens.restored_sql("SELECT '@v1', \"@v1\"", backslash_escapes=False) == "SELECT 'L''Île \\ été', \"L'Île \\ été\""
    )
    assert tokens.restored_sql("SELECT '@v1'", backslash_escapes=True) == "SELECT 'L''Île \\\\ été'"
    assert (
        tokens.hidden_sql("SELECT 1 WHERE nom = 'L''Île \\ été' AND x = 'libre'")
        == "SELECT 1 WHERE nom = '@v1' AND x = 'libre'"
    )
    assert tokens.restored_sql('SELECT "@v1"', backslash_escapes=True) == 'SELECT "L\'Île \\\\ été"'
    assert tokens.hidden_sql('SELECT 1 WHERE nom = "L\'Île \\ été"') == 'SELECT 1 WHERE nom = "@v1"'
    assert tokens.hidden_text("« L'Île \\ été » n’est pas une date") == "« @v1 » n’est pas une date"
    assert tokens.unknown({"a": "@v1 @v2"}) == ["@v2"]


def test_a_long_conversation_is_bounded_and_keeps_the_filters() -> None:
    layer = load_layer(DEMO)
    tokens = ValueTokens(layer, stored_values(ValueIndex({"magasins.ville": ["Nantes"]})), "metadata")
    conversation = Conversation()
    base = {
        "measures": [{"alias": "ca", "measure": "lignes_commande.ca"}], "dimensions": [{"alias": "v", "field": "magasins.ville"}],
        "filters": [{"field": "magasins.ville", "values": ["Nantes"]}], "period": {"kind": "calendar", "unit": "year", "year": 2025}, "limit": 3,
    }  # fmt: skip
    for number in range(20):
        conversation.add(f"question {number} " + "mot " * 400, Plan.model_validate(base))
    text = conversation_text(conversation, tokens)
    assert estimate_tokens(text) <= 2_500
    lines = text.splitlines()
    assert 3 <= len(lines) <= 8
    assert lines[-1].startswith('"question 19')
    for line in lines:
        assert '"filters":[{"field":"magasins.ville","values":["@v1"]}]' in line
        assert '"year":2025' in line
    assert '"limit":3' in lines[-1]
    assert '"limit":3' not in lines[0], "an older turn is condensed"


def test_the_rules_own_examples_are_plans() -> None:
    text = rules("duckdb", "fr")
    found = re.findall(r'^"[^"]+" ->\n((?:.+\n?)+?)(?:\n|\Z)', text, re.MULTILINE)
    assert len(found) == 4
    for one in found:
        plan = Plan.model_validate(json.loads(one.replace("\n", " ")))
        assert compact_plan(plan)
    periods = re.findall(r'\{"kind": "(?:calendar|last|to_date|between|all)"[^{}]*\}', text)
    assert len(periods) >= 10
    assert '{"unit"' not in text, "every period says its kind: a model copies what it sees"
    for period in periods:
        Plan.model_validate(
            {"measures": [{"alias": "n", "measure": "a.n"}], "period": json.loads(period.replace("\n", " "))}
        )


@pytest.mark.parametrize(("language", "says"), [("fr", "are in French"), ("en", "are in English")])
def test_the_rules_name_the_language_and_the_dialect(language: str, says: str) -> None:
    texts = {dialect: rules(dialect, language) for dialect in ("postgres", "mysql", "duckdb")}  # type: ignore[arg-type]
    assert all(says in text for text in texts.values())
    assert len(set(texts.values())) == 3
    assert not [text for text in texts.values() if "{language}" in text or "{dialect}" in text]


if __name__ == "__main__":
    (HERE / "prompt_demo.txt").write_text(demo_prompt(), encoding="utf-8")
