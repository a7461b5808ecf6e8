"""A model writes the layer once, from a glossary; the local engine answers ever after. Scripted server, real SDK."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datapilot_kernel.cli import main
from datapilot_kernel.cli.layer_review import chosen
from datapilot_kernel.engine import Answer, Engine
from datapilot_kernel.engine.layer_effects import layer_ground, layer_writer
from datapilot_kernel.nl2sql.claude.adapter import ClaudeModel
from datapilot_kernel.nl2sql.claude.cost import LimitBudget
from datapilot_kernel.nl2sql.claude.layer_apply import Ground
from datapilot_kernel.nl2sql.claude.layer_items import LISTS, propose_tool, questions_tool
from datapilot_kernel.nl2sql.claude.layer_prompt import MOST_ENTITIES, parts_of
from datapilot_kernel.nl2sql.claude.layer_writer import Written, accept
from datapilot_kernel.nl2sql.claude.paying import PaidModel
from datapilot_kernel.nl2sql.claude.settings import ModelSettings
from datapilot_kernel.semantic import draft_layer, load_layer
from datapilot_kernel.semantic.model import Layer
from datapilot_kernel.sources import open_source
from datapilot_kernel.sources.model import OpenedSource
from tests.model_server import KEY, ModelServer, Reply, Usage, error, tool
from tests.unit.claude.conftest import TODAY

FILES = {
    "tournees.csv": """num;dt;cli;nb_f;nb_r;mt;st
1;2026-05-04;7;12;10;840,00;F
2;2026-05-11;8;5;5;350,00;F
3;2026-06-02;7;3;0;210,00;X
4;2026-06-09;9;20;4;1400,00;F
5;2025-09-15;8;6;6;420,00;F
""",
    "cafes.csv": """cli;rs;typ;dep;tel
7;Zinc de Louviers;CHR;Eure;06 11 22 33 44
8;Épicerie Vauquelin;GMS;Calvados;06 55 66 77 88
9;Bar du Robec;CHR;Seine-Maritime;06 99 88 77 66
""",
}
STORED = (
    "Louviers", "Vauquelin", "Robec", "Calvados", "Seine-Maritime", "06 11", "06 55", "06 99", "840", "1400", "350", "2026-05-04",
)  # fmt: skip
"""What stands in the rows, and neither in a name nor in the glossary."""

GLOSSARY = """# Les mots de la cidrerie
- Une tournée livre des fûts à un café ; on dit aussi « livraison ».
- fûts livrés : nb_f. Fûts rendus : nb_r.
- encours de fûts (ou « consignes dehors ») : fûts livrés moins fûts rendus.
- taux de retour : fûts rendus sur fûts livrés.
- CA : mt, hors tournées annulées. On dit aussi « facturé cidre ».
- st vaut F (faite) ou X (annulée).
- Les tournées annulées ne comptent jamais.
- typ : CHR = cafés et restaurants ; GMS = grandes surfaces.
- rs est l'enseigne du café.
- dep : département.
- L'exercice commence en septembre et porte le nom de l'année où il finit.
- Une tournée est datée par dt.
- Un café est un client.
- Nous parlons en euros hors taxes.
"""
ASKED = "consignes dehors par département"


def measure(entity: str, name: str, **more: Any) -> dict[str, Any]:
    whole = {
        "entity": entity, "name": name, "expression": "", "formula": "", "filter": "", "label": name, "plural": "",
        "synonyms": [], "description": "", "format": "integer", "additivity": "additive", "unfiltered": False, "time": "",
        "lower_is_better": False, "why": "",
    }  # fmt: skip
    return {**whole, **more}


def proposing(**lists: Any) -> Reply:
    return tool("propose", {name: lists.get(name, []) for name in LISTS})


def questions(*asked: str) -> Reply:
    return tool("first_questions", {"questions": list(asked)})


GOOD = proposing(
    calendar=[
        {"fiscal_year_start": 9, "fiscal_year_named_by": "end", "week_start": "monday", "worked_saturday": False,
         "why": "L'exercice commence en septembre"},
    ],
    values=[
        {"ref": "cafes.typ", "stored": "CHR", "names": ["cafés et restaurants"], "why": "CHR = cafés et restaurants"},
        {"ref": "cafes.typ", "stored": "GMS", "names": ["grandes surfaces", "grande surface"], "why": "GMS"},
    ],
    default_filters=[{"entity": "tournees", "condition": "st <> 'X'", "why": "ne comptent jamais"}],
    measures=[
        # The formula before what it stands on: the order is not the model's to get right.
        measure("tournees", "encours", formula="{futs_livres} - {futs_rendus}", label="encours de fûts",
                synonyms=["consignes dehors"], why="livrés moins rendus"),
        measure("tournees", "futs_livres", expression="SUM(nb_f)", label="fûts livrés"),
        measure("tournees", "futs_rendus", expression="SUM(nb_r)", label="fûts rendus"),
        measure("tournees", "ca", expression="SUM(mt)", label="chiffre d'affaires", synonyms=["CA", "facturé cidre"],
                format="currency", why="CA : mt"),
    ],
    words=[
        {"ref": "cafes.dep", "label": "département", "plural": "départements", "synonyms": [], "description": "",
         "why": "dep : département"},
        {"ref": "tournees", "label": "", "plural": "", "synonyms": ["livraison"], "description": "", "why": "aussi « livraison »"},
    ],
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("cidre")
    for name, content in FILES.items():
        (made / name).write_text(content, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def cidre(folder: Path) -> Iterator[OpenedSource]:
    source = open_source(str(folder))
    yield source
    source.close()


def settings(server: ModelServer, **more: Any) -> ModelSettings:
    return ModelSettings(key=KEY, base_url=server.url, **more)


def written(
    source: OpenedSource, server: ModelServer, *, layer: Layer | None = None, budget: LimitBudget | None = None, **more: Any
) -> tuple[Written, Ground]:
    engine = Engine(source, layer=layer, fixed_today=TODAY)
    model = ClaudeModel(settings(server, **more))
    try:
        ground = layer_ground(engine)
        writer = layer_writer(engine, PaidModel(model, model.settings, budget=budget), ground)
        return writer.write(engine.layer, GLOSSARY), ground
    finally:
        model.close()


def about(found: Written) -> dict[str, str]:
    return {f"{one.proposal.kind} {one.place}": one.effect.text for one in found.proposed}


def everything_sent(server: ModelServer) -> str:
    return "\n".join(seen.everything for seen in server.requests)


# ── the whole of it ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_the_bare_draft_refuses_the_written_layer_answers(
    folder: Path, cidre: OpenedSource, server: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    bare = Engine(cidre, fixed_today=TODAY).ask(ASKED)
    assert not isinstance(bare, Answer), "the bare draft does not know the word"

    (tmp_path / "mots.md").write_text(GLOSSARY, encoding="utf-8")
    server.play([GOOD, questions("encours de fûts par département", "chiffre d'affaires cette année")])
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    line = ["semantic", "draft", "--source", str(folder), "--engine", "claude", "--glossary", str(tmp_path / "mots.md")]
    assert main([*line, "--today", TODAY.isoformat(), "--yes"]) == 0
    out, err = capsys.readouterr()
    assert "écartées" in err
    assert "Écarté," not in err, err

    (tmp_path / "couche.yaml").write_text(out, encoding="utf-8")
    assert main(["semantic", "check", str(tmp_path / "couche.yaml"), "--source", str(folder)]) == 0
    layer = load_layer(out)
    assert layer.calendar.fiscal_year_start == 9
    assert layer.questions == ("encours de fûts par département", "chiffre d'affaires cette année")
    asked = len(server.requests)
    answer = Engine(cidre, layer=layer, fixed_today=TODAY).ask(ASKED)
    assert isinstance(answer, Answer)
    assert answer.engine == "local"
    assert len(server.requests) == asked, "the layer was written once; nothing is asked of the model any more"
    assert sorted((str(r[0]), int(r[1])) for r in answer.table.rows) == [
        ("Calvados", 0),
        ("Eure", 2),
        ("Seine-Maritime", 16),
    ]
    # Tournée 3 is cancelled, by the glossary's default filter: 840 + 350 + 1400 + 420
    total = Engine(cidre, layer=layer, fixed_today=TODAY).ask("facturé cidre")
    assert isinstance(total, Answer)
    assert [int(v) for v in total.table.rows[0]] == [3010]


def test_each_proposal_shows_its_effect_on_real_numbers(cidre: OpenedSource, server: ModelServer) -> None:
    server.play([GOOD, questions("encours de fûts par département")])
    found, _ = written(cidre, server)
    effects = about(found)
    assert not found.dropped
    assert "concerne 2 lignes sur 3" in effects["value cafes.typ=CHR"]
    assert "garde 4 lignes sur 5" in effects["default_filter tournees"]
    assert "18" in effects["measure tournees.encours"], "43 delivered, 25 returned, the cancelled round left out"
    assert "du 2025-09-01" in effects["calendar calendar"]
    assert "(3 lignes)" in effects["question encours de fûts par département"]
    ca = next(one for one in found.proposed if one.place == "tournees.ca")
    # The draft counted the cancelled round too.
    assert (ca.effect.before, ca.effect.after) == ("3220.00", "3010.00")
    assert ca.proposal.why == "CA : mt"


@pytest.mark.parametrize("openness", ["metadata", "values"])
def test_nothing_of_the_rows_leaves(cidre: OpenedSource, server: ModelServer, openness: str) -> None:
    wrong = proposing(
        values=[{"ref": "cafes.dep", "stored": "Manche", "names": ["50"], "why": ""}],
        default_filters=[{"entity": "tournees", "condition": "st <> 'annulé'", "why": ""}],
        measures=[measure("tournees", "ca", expression="SUM(montant)", label="CA")],
    )
    server.play([wrong, wrong, questions("combien de zorglubs", "fûts livrés"), questions("chiffre d'affaires par mois")])
    found, _ = written(cidre, server, openness=openness)
    sent = everything_sent(server)
    assert len(server.requests) == 4, "each part was sent back once"
    leaked = [value for value in STORED if value in sent]
    if openness == "metadata":
        assert leaked == []
        assert "Manche" not in str(server.requests[1].body["messages"][2]), "that a value is not stored is not told"
    else:
        assert not {"06 11", "06 55", "06 99", "840", "1400", "350", "2026-05-04"} & set(leaked), (
            "figures and personal data never"
        )
        assert "Calvados" in leaked
        assert "Manche" in str(server.requests[1].body["messages"][2])
    assert KEY not in sent
    assert len([one for one in found.dropped if "Manche" in one.problem]) == (1 if openness == "values" else 2)


# ── what does not fit ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_does_not_check_goes_back_once_and_is_then_dropped(cidre: OpenedSource, server: ModelServer) -> None:
    first = proposing(
        measures=[
            measure("tournees", "litres", expression="SUM(nb_f * contenance)", label="litres"),
            measure("tournees", "rendus", expression="SUM(nb_rendus)", label="fûts rendus"),
            measure("tournees", "livres", expression="nb_f", label="fûts livrés"),
            {"entity": "tournees"},
        ],
        joins=[{"from_entity": "cafes", "from_columns": ["cli"], "to_entity": "tournees", "to_columns": ["cli"], "label": "",
                "synonyms": [], "preferred": False, "why": ""}],
    )  # fmt: skip
    second = proposing(
        measures=[
            measure("tournees", "litres", expression="SUM(contenance)", label="litres"),
            measure("tournees", "rendus", expression="SUM(nb_r)", label="fûts rendus"),
        ]
    )
    server.play([first, second, questions()])
    found, _ = written(cidre, server)
    assert [one.place for one in found.proposed] == ["tournees.rendus"]
    back = server.requests[1].body["messages"][2]["content"][0]
    assert back["type"] == "tool_result"
    for said in ("contenance", "nb_rendus", "measures[2]", "measures[3]", "cafes->tournees"):
        assert said in back["content"], said
    assert [one.about for one in found.dropped] == ["measures[0] tournees.litres"]
    assert "contenance" in found.dropped[0].problem


def test_one_word_means_one_thing(cidre: OpenedSource, server: ModelServer) -> None:
    """A measure takes its words from the draft's synonyms; a clash of labels goes back."""
    one = proposing(measures=[measure("tournees", "facture", expression="SUM(mt)", label="facturé", synonyms=["CA"])])
    clash = proposing(measures=[measure("tournees", "autre", expression="SUM(nb_f)", label="facturé")])
    server.play([one, questions()])
    found, ground = written(cidre, server)
    layer, _ = accept(found.draft, found.proposed, ground)
    assert not any("CA" in m.synonyms for n, m in layer.entities["tournees"].measures.items() if n != "facture")
    server.play([clash, proposing(), questions()])
    found, _ = written(cidre, server, layer=layer)
    assert not found.proposed
    assert "facturé" in server.requests[1].everything


def test_a_literal_is_settled_to_what_is_stored(cidre: OpenedSource, server: ModelServer) -> None:
    item = measure("tournees", "annulees", expression="COUNT(*)", filter="st = 'x'", label="tournées annulées")
    server.play([proposing(measures=[item]), questions()])
    found, _ = written(cidre, server)
    assert found.proposed[0].proposal.filter == "st = 'X'"  # type: ignore[union-attr]
    assert found.proposed[0].effect.after == 1


def test_personal_columns_stay_personal(cidre: OpenedSource, server: ModelServer) -> None:
    draft = draft_layer(Engine(cidre).catalog)
    assert draft.entities["cafes"].dimensions["tel"].personal
    same = {"entity": "cafes", "type": "text", "plural": "", "synonyms": [], "why": ""}
    server.play([
        proposing(
            dimensions=[
                {**same, "name": "portable", "column": "tel", "expression": "", "label": "portable"},
                {**same, "name": "indicatif", "column": "", "expression": "SUBSTRING(tel, 1, 2)", "label": "indicatif"},
            ],
            values=[{"ref": "cafes.tel", "stored": "06 11 22 33 44", "names": ["le zinc"], "why": ""}],
        ),
        proposing(),
        questions(),
    ])  # fmt: skip
    found, ground = written(cidre, server)
    layer, _ = accept(found.draft, found.proposed, ground)
    assert layer.entities["cafes"].dimensions["portable"].personal
    assert layer.entities["cafes"].dimensions["indicatif"].personal
    assert len(found.proposed) == 2


def test_effects_are_had_with_the_rights_of_the_person(cidre: OpenedSource, server: ModelServer) -> None:
    draft = draft_layer(Engine(cidre).catalog)
    mine = draft.entities["tournees"].model_copy(update={"row_filter": "cli = {client}", "masked": ("nb_r",)})
    own = {n: d for n, d in mine.dimensions.items() if d.column != "nb_r"}
    kept = {n: m for n, m in mine.measures.items() if "nb_r" not in str(m.expression) + str(m.formula)}
    mine = mine.model_copy(update={"dimensions": own, "measures": kept})
    layer = draft.model_copy(update={"entities": {**draft.entities, "tournees": mine}})
    engine = Engine(cidre, layer=layer, attributes={"client": "8"}, fixed_today=TODAY)
    seen = measure("tournees", "livres", expression="SUM(nb_f)", label="fûts livrés")
    masked = measure("tournees", "rendus", expression="SUM(nb_r)", label="fûts rendus")
    near = measure("tournees", "proches", expression="SUM(nb_rr)", label="fûts repris")
    server.play([proposing(measures=[seen, masked, near]), proposing(), questions()])
    model = ClaudeModel(settings(server))
    try:
        writer = layer_writer(engine, PaidModel(model, model.settings), layer_ground(engine))
        found = writer.write(engine.layer, "fûts")
    finally:
        model.close()
    assert [(one.place, one.effect.after) for one in found.proposed] == [("tournees.livres", 11)]
    assert "nb_r" not in server.requests[0].body["messages"][0]["content"], "a masked column does not exist"
    back = server.requests[1].body["messages"][2]["content"][0]["content"]
    assert "nb_rr" in back
    assert "« nb_r »" not in back.replace("« nb_r » n’existe pas", ""), "nor is it the nearest name"


def test_another_layer_lends_no_rights(cidre: OpenedSource) -> None:
    draft = draft_layer(Engine(cidre).catalog)
    engine = Engine(cidre, layer=draft, fixed_today=TODAY)
    table = engine.guard.policy.tables["main.tournees"]
    engine.use_policy(
        engine.guard.policy.model_copy(
            update={"tables": {"main.tournees": table.model_copy(update={"row_filter": "cli = 8"})}}
        )
    )
    outcome = engine.over(draft).run_sql("SELECT COUNT(*) FROM tournees")
    assert isinstance(outcome, Answer)
    assert outcome.table.rows[0][0] == 2
    assert not isinstance(engine.over(draft).run_sql("SELECT COUNT(*) FROM cafes"), Answer)


# ── accepting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_by_one_and_what_stood_on_a_rejected_one_falls(cidre: OpenedSource, server: ModelServer) -> None:
    server.play([GOOD, questions()])
    found, ground = written(cidre, server)
    rejected = "tournees.futs_rendus"
    answers = ["peut-être\n", *("n\n" if one.place == rejected else "o\n" for one in found.proposed)]
    taken = chosen(found, everything=False, read=io.StringIO("".join(answers)).readline)
    assert len(taken) == len(found.proposed) - 1
    layer, fallen = accept(found.draft, taken, ground)
    assert [one.about for one in fallen] == ["tournees.encours"]
    assert "encours" not in layer.entities["tournees"].measures
    assert "futs_livres" in layer.entities["tournees"].measures
    assert chosen(found, everything=False, read=io.StringIO("o\nq\n").readline) == found.proposed[:1]
    assert chosen(found, everything=False, read=io.StringIO("n\nt\n").readline) == found.proposed[1:]
    assert chosen(found, everything=False, read=io.StringIO("").readline) == []


def test_json_lists_the_proposals_with_their_effects(
    folder: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    line = ["semantic", "draft", "--source", str(folder), "--engine", "claude", "--today", TODAY.isoformat()]
    server.play([GOOD, questions()])
    assert main([*line, "--json", "--record", str(tmp_path / "trafic")]) == 0
    shown = json.loads(capsys.readouterr().out)
    one = next(p for p in shown["proposals"] if p["about"] == "tournees.ca")
    assert one["effect"]["after"] == "3010.00"
    assert one["proposal"]["expression"] == "SUM(mt)"
    assert shown["layer"]["calendar"]["fiscal_year_start"] == 9
    assert shown["model"]["calls"] == 2
    # Again without a network or a key.
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    assert main([*line, "--json", "--replay", str(tmp_path / "trafic")]) == 0
    assert json.loads(capsys.readouterr().out)["proposals"] == shown["proposals"]


def test_nobody_there_to_accept_is_said_before_anything_is_paid(
    folder: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    line = ["semantic", "draft", "--source", str(folder), "--engine", "claude"]
    assert main(line) == 2
    assert "--yes" in capsys.readouterr().err
    assert not server.requests
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert main([*line, "--yes"]) == 1


# ── trouble ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("trouble", [error(401), error(529)])
def test_trouble_keeps_what_came_before(cidre: OpenedSource, server: ModelServer, trouble: Reply) -> None:
    server.play([GOOD, trouble])
    found, _ = written(cidre, server, max_retries=0)
    assert len(found.proposed) == 10
    assert found.trouble is not None
    assert "SECRET" not in found.trouble


def test_the_budget_stops_before_the_call_that_would_pass_it(cidre: OpenedSource, server: ModelServer) -> None:
    server.play([GOOD.but(usage=Usage(input=4000, output=3000)), questions()])
    budget = LimitBudget(180_000)
    found, _ = written(cidre, server, budget=budget)
    assert len(server.requests) == 1
    assert found.proposed
    assert found.trouble is not None
    assert "budget" in found.trouble
    assert budget.spent_microeuros == found.use.cost_microeuros == 4000 * 3 + 3000 * 15


# ── the requests ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_stable_parts_are_cached_and_the_tools_are_strict(cidre: OpenedSource, server: ModelServer) -> None:
    server.play([GOOD, questions()])
    written(cidre, server)
    first, second = (seen.body for seen in server.requests)
    assert [part.get("cache_control") for part in first["system"]] == [{"type": "ephemeral"}] * 2
    assert first["system"] == second["system"], "the rules and the glossary are the same text for every part"
    assert "st vaut F (faite) ou X (annulée)" in first["system"][1]["text"]
    for definition in (propose_tool(), questions_tool()):
        assert definition["strict"]
        _closed(definition["input_schema"])


def _closed(schema: dict[str, Any]) -> None:
    """Every object is closed and every key required, as strict tools want it."""
    if schema.get("type") == "object":
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])
        for one in schema["properties"].values():
            _closed(one)
    if schema.get("type") == "array":
        _closed(schema["items"])


def test_a_large_source_goes_in_parts_the_glossary_s_own_first() -> None:
    from bench.understanding import invent
    from datapilot_kernel.catalog.model import Catalog
    from datapilot_kernel.nl2sql.claude.context import SourceContext

    layer, values, _ = invent(60)
    visible = {f"main.{e.table}": frozenset(d.column or "" for d in e.dimensions.values()) for e in layer.entities.values()}
    catalog = Catalog(dialect="duckdb", default_schema="main", tables=(), version="1", taken_at="2026-06-17T00:00:00Z")
    context = SourceContext(layer, catalog, visible, values, openness="metadata", budget_tokens=6_000)
    named = list(layer.entities)[17]
    parts = parts_of(context, f"Le mot {layer.entities[named].label} est le nôtre.")
    assert sorted(name for part in parts for name in part) == sorted(layer.entities), "each once"
    assert parts[0][0] == named
    assert all(len(part) <= MOST_ENTITIES for part in parts)
    assert all(sum(context.units[name].tokens for name in part) <= 6_000 for part in parts)
    joined = {(j.from_entity, j.to_entity) for j in layer.joins.values()}
    near = sum(any((a, b) in joined or (b, a) in joined for b in part if b != a) for part in parts for a in part)
    assert near >= len(layer.entities) * 0.6, "neighbours stand together"
