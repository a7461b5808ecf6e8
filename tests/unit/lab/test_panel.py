"""The panel's two halves, as far as they can be looked at without a server: one protocol, one list, two languages."""

from __future__ import annotations

import ast
import json
import re
import string
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from datapilot_lab import editing, routes, shown, wire
from datapilot_lab.routes import RULES, rule_for

ROOT = Path(__file__).parents[3]
PANEL = ROOT / "extension"
HALF = PANEL / "datapilot_lab"


# ── one protocol ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_panels_types_are_those_of_the_models() -> None:
    import panel_protocol

    assert panel_protocol.TARGET.read_text(encoding="utf-8") == panel_protocol.generated(), (
        "run: python extension/panel_protocol.py"
    )


def test_every_rule_is_a_route_of_the_api_that_a_notebooks_token_opens() -> None:
    from hub_config.access import MATRIX
    from hub_config.api import ai, auth, conversations, dashboards, data_sources, queries, semantic_layers, workspaces

    known: dict[tuple[str, str], str | None] = {}
    for module in (ai, auth, conversations, dashboards, data_sources, queries, semantic_layers, workspaces):
        for route in module.routes.router.routes:
            for method in route.methods:
                path = re.sub(r"\{\w+\}", "0" * 32, route.path).removeprefix("/api/v1/")
                known[(method, path)] = (route.openapi_extra or {}).get("x-permission")
    for rule in RULES:
        path = rule.path.replace(routes._ID, "0" * 32)
        assert (rule.method, path) in known, rule
        permission = known[(rule.method, path)]
        assert permission is None or MATRIX[permission].notebook, rule  # type: ignore[index]


@pytest.mark.parametrize("path", ["queries", f"queries/{'0' * 32}", "auth/me"])
def test_a_rule_takes_its_path_and_nothing_around_it(path: str) -> None:
    assert rule_for("GET", path) is not None
    for other in (f"/{path}", f"{path}/", f"{path}/..", f"{path}?x", f"{path}\n", f"{path}%00", path.upper(), f"x{path}"):
        assert rule_for("GET", other) is None, other
    assert rule_for("PUT", path) is None


def test_the_half_imports_nothing_privileged() -> None:
    for path in HALF.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {n.split(".")[0] for n in names} & {"hub_config", "dashboards", "migrations", "psycopg", "duckdb"}, (
                path
            )


# ── two languages ─────────────────────────────────────────────────────────────────────────────────────────────────────

_CALL = re.compile(r"trans\s*\.\s*(?:__|_n)\(\s*'((?:[^'\\]|\\.)*)'(?:\s*,\s*'((?:[^'\\]|\\.)*)')?", re.DOTALL)


def _said() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for path in sorted((PANEL / "src").rglob("*.ts*")):
        for match in _CALL.finditer(path.read_text(encoding="utf-8")):
            plural = match.group(2) if "_n(" in match.group(0) else None
            found[match.group(1).replace("\\'", "'")] = plural
    return found


def _french() -> dict[str, Any]:
    path = HALF / "locale" / "fr_FR" / "LC_MESSAGES" / "datapilot.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_everything_the_panel_says_has_its_french() -> None:
    said, french = _said(), _french()
    assert len(said) > 100
    assert set(french) - {""} == set(said)
    for english, plural in said.items():
        translated = french[english]
        assert len(translated) == (2 if plural else 1), english
        for one in translated:
            assert one, english
            assert set(re.findall(r"%\d", one)) == set(re.findall(r"%\d", english)), english
            # French typography: no plain space before a sign, none inside quotes, no straight apostrophe.
            assert not re.search(r" [;:!?»]|« |\w'\w", one), one


def test_the_halfs_sentences_are_in_both_languages() -> None:
    french, english = (
        tomllib.loads((HALF / "locale" / language / "lab.toml").read_text(encoding="utf-8")) for language in ("fr", "en")
    )
    fields = {key: {f for _, f, _, _ in string.Formatter().parse(text) if f} for key, text in french.items()}
    assert fields == {key: {f for _, f, _, _ in string.Formatter().parse(text) if f} for key, text in english.items()}


def test_no_file_of_the_panel_names_a_registry() -> None:
    lock = (PANEL / "yarn.lock").read_text(encoding="utf-8")
    assert "__archiveUrl" not in lock
    assert "://" not in lock
    assert "registry" not in (PANEL / ".yarnrc.yml").read_text(encoding="utf-8").casefold()


# ── values, tables, editors ───────────────────────────────────────────────────────────────────────────────────────────

COLUMNS = [
    {"name": n, "label": n, "type": t, "format": {"kind": k}, "role": r, "grain": None, "ref": None, "of": None,
     "lower_is_better": False, "values": {}}
    for n, t, k, r in (("ville", "text", "text", "dimension"), ("ca", "decimal", "currency", "measure"), ("evo", "decimal", "percent", "growth"))
]  # fmt: skip
ROWS = [["Lyon", "1234.50", "0.125"], [None, "10.00", None], ["Évry", None, "-0.05"], ["=1+1", "-3.00", "0"]]


@pytest.fixture
def table() -> shown.Table:
    return shown.read_table(COLUMNS, ROWS, truncated=False)


def test_values_are_written_as_people_read_them(table: shown.Table) -> None:
    from datapilot_kernel.answers import Formatter

    written = shown.write_rows(table, list(table.table.rows), Formatter("fr"))
    assert written[0] == ["Lyon", "1\u202f234,50\u00a0€", "+12,5\u202f%"]
    assert written[1] == ["(non renseigné)", "10,00\u00a0€", "—"]
    assert written[2][2] == "-5,0\u202f%"


@pytest.mark.parametrize(
    ("column", "descending", "expected"),
    [
        (0, False, ["=1+1", "Évry", "Lyon", None]),
        (0, True, ["Lyon", "Évry", "=1+1", None]),
        (1, False, [Decimal("-3.00"), Decimal("10.00"), Decimal("1234.50"), None]),
        (1, True, [Decimal("1234.50"), Decimal("10.00"), Decimal("-3.00"), None]),
    ],
)
def test_rows_are_sorted_by_value_and_what_is_missing_stays_last(
    table: shown.Table, column: int, descending: bool, expected: list[Any]
) -> None:
    assert [row[column] for row in shown.sorted_rows(table, column, descending=descending)] == expected


def test_sort_keys_hold_for_every_type() -> None:
    for values in (
        [True, False, None],
        [date(2026, 1, 2), date(2025, 1, 1)],
        [1.5, float("nan"), 2],
        [["a"], ["b"]],
        [b"b", b"a"],
    ):
        sorted(values, key=shown.sort_key)  # type: ignore[type-var]


def test_the_clipboard_takes_what_french_excel_reads(table: shown.Table) -> None:
    from datapilot_kernel.answers import Formatter

    text = shown.tab_separated(table, list(table.table.rows), Formatter("fr"))
    lines = text.split("\r\n")
    assert lines[0] == "ville\tca\tevo"
    assert lines[1] == "Lyon\t1234,50\t12,500%"
    assert lines[2] == "\t10,00\t"
    assert lines[4].startswith("'=1+1\t"), "text that a spreadsheet would run"


PLAN = {
    "kind": "aggregate",
    "measures": [{"alias": "ca", "measure": "lignes_commande.ca"}],
    "dimensions": [{"alias": "region", "field": "clients.region"}],
    "filters": [{"field": "clients.region", "op": "eq", "values": ["Nord"]}],
    "period": {"kind": "calendar", "unit": "month", "offset": -1},
    "order": [{"by": "ca", "descending": True}],
    "limit": 5,
}


@pytest.fixture(scope="module")
def layer() -> Any:
    from datapilot_kernel.semantic import load_layer

    return load_layer(ROOT / "datapilot_kernel" / "demo" / "maison_lumiere.yaml")


def _place(path: str, kind: str, **more: Any) -> Any:
    model = wire.EditIn if more else wire.Place
    return model.model_validate({"source_id": "0" * 32, "plan": PLAN, "path": path, "kind": kind, **more})


@pytest.mark.parametrize(
    ("path", "kind", "editor"),
    [
        ("/period", "period", "period"), ("/measures/0", "measure", "choice"), ("/dimensions/0", "dimension", "choice"),
        ("/dimensions/-", "dimension", "choice"), ("/filters/0", "filter", "values"), ("/limit", "limit", "number"),
        ("/order/0", "order", "order"), ("/ignored_defaults/commandes", "default_filter", "none"),
    ],
)  # fmt: skip
def test_each_part_of_a_reading_has_its_editor(layer: Any, path: str, kind: str, editor: str) -> None:
    found = editing.editor_for(_place(path, kind), layer)
    assert found.editor == editor
    if editor in ("choice", "period"):
        assert len(found.options) > 3


@pytest.mark.parametrize(
    ("path", "kind", "edit", "check"),
    [
        ("/filters/0", "filter", {"typed": "Nord ; Sud"}, lambda p: (p.filters[0].op, p.filters[0].values) == ("in", ("Nord", "Sud"))),
        ("/limit", "limit", {"value": 12}, lambda p: p.limit == 12),
        ("/limit", "limit", {"value": None, "typed": None}, lambda p: p.limit is None),
        ("/dimensions/-", "dimension", {"value": "commandes.date_commande", "grain": "month"}, lambda p: p.dimensions[1].grain == "month"),
        ("/order/0", "order", {"value": {"by": "ca", "descending": False}}, lambda p: not p.order[0].descending),
        ("/measures/0", "measure", {"value": "commandes.nb_commandes"}, lambda p: p.measures[0].alias == "ca"),
    ],
)  # fmt: skip
def test_an_edit_makes_another_plan(layer: Any, path: str, kind: str, edit: dict[str, Any], check: Any) -> None:
    if kind == "measure":
        edit = {"value": editing.editor_for(_place(path, kind), layer).options[0].value}
    assert check(editing.edited(_place(path, kind, **edit), layer))


@pytest.mark.parametrize(
    ("path", "kind", "edit"),
    [
        ("/filters/7", "filter", {"typed": "x"}), ("/nothing", "filter", {"value": 1}), ("/filters/0/../../limit", "filter", {"typed": "x"}),
        ("/measures/0", "measure", {"value": "clients.inconnue"}), ("/limit", "limit", {"value": "beaucoup"}),
    ],
)  # fmt: skip
def test_an_edit_that_makes_no_plan_is_told(layer: Any, path: str, kind: str, edit: dict[str, Any]) -> None:
    from datapilot_kernel.errors import BadInput

    with pytest.raises(BadInput):
        editing.edited(_place(path, kind, **edit), layer)
