"""The layer's text: read safely, errors at their lines, written readable, the same back."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from datapilot_kernel.errors import LayerProblem
from datapilot_kernel.semantic import dump_layer, json_schema, load_layer, parse_layer
from datapilot_kernel.semantic.schema import SCHEMA_FILE, schema_text

GOOD = """\
version: 1
name: Essai
entities:
  commande:
    table: commandes
    label: commande
    dimensions:
      statut:
        column: statut
        label: statut
        values:
          ON: [actif]
          NO: [norvégien, "non"]
          010: [dix]
    measures:
      ca: {expression: SUM(mt_ht), label: chiffre d'affaires, format: {kind: currency, decimals: 0}}
"""


def _findings(text: str) -> list[tuple[int, str]]:
    return [(f.line, f.code) for f in parse_layer(text)[1]]


def test_yaml_words_stay_words() -> None:
    values = load_layer(GOOD).entity("commande").dimensions["statut"].values
    assert values == {"ON": ("actif",), "NO": ("norvégien", "non"), "010": ("dix",)}


def test_json_is_read_too_also_with_tabs() -> None:
    layer = load_layer(GOOD)
    assert load_layer(json.dumps(layer.model_dump(mode="json"), indent="\t")) == layer
    assert load_layer(json.dumps(layer.model_dump(mode="json"))) == layer


def test_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "couche.yaml"
    path.write_text("\ufeff" + GOOD, encoding="utf-8")
    assert load_layer(path) == load_layer(str(path)) == load_layer(GOOD)
    with pytest.raises(LayerProblem) as missing:
        load_layer(tmp_path / "absente.yaml")
    assert missing.value.reason == "file_missing"
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(LayerProblem) as binary:
        load_layer(tmp_path / "b.yaml")
    assert binary.value.reason == "file_unreadable"


@pytest.mark.parametrize(
    ("change", "line", "code"),
    [
        (("name: Essai", "name: Essai\nname: Deux"), 3, "duplicate_key"),
        (("    label: commande\n", "    label: commande\n    tabel: x\n"), 7, "unknown_key"),
        (("    label: commande\n", ""), 4, "missing_key"),
        (("  commande:\n", "  Commande:\n"), 4, "bad_name"),
        (("kind: currency", "kind: argent"), 16, "not_one_of"),
        (("decimals: 0", "decimals: beaucoup"), 16, "not_a_number"),
        (("decimals: 0", "decimals: 12"), 16, "out_of_range"),
        (("        column: statut\n", ""), 8, "dimension_origin"),
        (("{expression: SUM(mt_ht),", "{"), 16, "measure_origin"),
        (("{expression: SUM(mt_ht),", "{formula: '{a}', filter: x = 1,"), 16, "formula_filter"),
        (("          ON: [actif]", "          ON: actif"), 12, "not_a_list"),
        (("    dimensions:\n", "    dimensions: [a]\n    measures_:\n"), 7, "not_a_mapping"),
        (("version: 1", "version: 2"), 1, "not_one_of"),
    ],
)
def test_each_error_at_its_line(change: tuple[str, str], line: int, code: str) -> None:
    assert change[0] in GOOD
    assert (line, code) in _findings(GOOD.replace(*change, 1))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"), ("- a\n- b\n", "not_a_layer"), ("name: [", "not_yaml"), ("a: &x {b: 1}\nc: *x\n", "no_aliases"), ("{\"a\": 1, \"a\": 2}", "duplicate_key"),
        ("{\"a\":\t1,\t\"a\": }", "not_yaml"), ("\x00", "not_yaml"), ("a: !!python/object:os.system {}", "missing_key"), ("[" * 60 + "]" * 60, "too_deep"),
        ("? [a, b]\n: c\n", "key_not_text"),
    ],
)  # fmt: skip
def test_what_is_no_layer(text: str, code: str) -> None:
    assert code in [c for _, c in _findings(text)]
    with pytest.raises(LayerProblem):
        load_layer(text)


def test_the_problem_carries_lines_and_findings() -> None:
    with pytest.raises(LayerProblem) as caught:
        load_layer(GOOD.replace("kind: currency", "kind: argent"))
    assert "Ligne 16" in str(caught.value)
    assert [f.line for f in caught.value.values["findings"]] == [16]


def test_dump_is_readable_and_comes_back() -> None:
    layer = load_layer(GOOD)
    text = dump_layer(layer)
    assert load_layer(text) == layer
    assert dump_layer(load_layer(text)) == text
    assert "label: commande\n" in text
    assert "format: {kind: currency, decimals: 0}" in text
    assert "hidden" not in text


def test_the_published_schema_is_the_models() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run: python -m datapilot_kernel.semantic.schema"


def test_the_schema_accepts_and_refuses() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    good = json.loads(load_layer(GOOD).model_dump_json())
    jsonschema.validate(good, json_schema())
    good["entities"]["commande"]["tabel"] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(good, json_schema())
