"""One value changed, and not a character of the rest: whatever the hand that wrote the file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datapilot_kernel.errors import LayerProblem
from datapilot_kernel.semantic import dump_layer, load_layer, parse_layer
from datapilot_kernel.semantic.document import read_document
from datapilot_kernel.semantic.editing import edit_text

WRITTEN = """\
# La couche de la maison.
version: 1
name: Maison    # le nom
calendar:
  fiscal_year_start: 7   # juillet

entities:
  # ── les commandes ──
  commande:
    table: commandes
    label: 'commande'
    synonyms:        # ce que l'on tape
      - bon
      - "bon de commande"
    description: >
      Une ligne
      par commande.

    masked: [note]
    dimensions:
      statut: {column: statut, label: statut, values: {NO: [non], 010: [dix]}}  # codes
      jour: {column: jour, type: date, label: jour}
    measures:
      ca:
        expression: SUM(mt)   # HT
        label: chiffre d’affaires
        format: {kind: currency, decimals: 0}
# fin
"""
COMMANDE = ("entities", "commande")


def _changed(changes: dict[tuple[str, ...], Any], text: str = WRITTEN) -> tuple[list[str], list[str]]:
    """The lines that went, and those that came."""
    before, after = text.splitlines(), edit_text(text, changes).splitlines()
    return [line for line in before if line not in after], [line for line in after if line not in before]


@pytest.mark.parametrize(
    ("changes", "gone", "come"),
    [
        ({(*COMMANDE, "label"): "ordre"}, ["    label: 'commande'"], ["    label: ordre"]),
        ({("name",): "Autre: nom"}, ["name: Maison    # le nom"], ['name: "Autre: nom"    # le nom']),
        (
            {("calendar", "fiscal_year_start"): 4},
            ["  fiscal_year_start: 7   # juillet"],
            ["  fiscal_year_start: 4   # juillet"],
        ),
        ({(*COMMANDE, "plural"): "commandes"}, [], ["    plural: commandes"]),
        ({(*COMMANDE, "row_filter"): "agence = {agence}"}, [], ["    row_filter: agence = {agence}"]),
        ({(*COMMANDE, "masked"): ["note", "e-mail"]}, ["    masked: [note]"], ["    masked: [note, e-mail]"]),
        ({(*COMMANDE, "masked"): None}, ["    masked: [note]"], []),
        (
            {(*COMMANDE, "synonyms"): ["achat, vente", "NO"]},
            ["    synonyms:        # ce que l'on tape", "      - bon", '      - "bon de commande"'],
            ['    synonyms: ["achat, vente", NO]'],
        ),
        (
            {(*COMMANDE, "description"): "Deux\nlignes"},
            ["    description: >", "      Une ligne", "      par commande."],
            ['    description: "Deux\\nlignes"'],
        ),
        (
            {(*COMMANDE, "dimensions", "statut", "label"): "état", (*COMMANDE, "dimensions", "statut", "hidden"): True},
            ["      statut: {column: statut, label: statut, values: {NO: [non], 010: [dix]}}  # codes"],
            ["      statut: {column: statut, label: état, values: {NO: [non], 010: [dix]}, hidden: true}  # codes"],
        ),
        (
            {(*COMMANDE, "dimensions", "statut", "values", "010"): None},
            ["      statut: {column: statut, label: statut, values: {NO: [non], 010: [dix]}}  # codes"],
            ["      statut: {column: statut, label: statut, values: {NO: [non]}}  # codes"],
        ),
        (
            {(*COMMANDE, "measures", "ca", "format"): {"kind": "percent", "decimals": 1}},
            ["        format: {kind: currency, decimals: 0}"],
            ["        format: {kind: percent, decimals: 1}"],
        ),
        ({(*COMMANDE, "measures", "ca", "synonyms"): ["CA"]}, [], ["        synonyms: [CA]"]),
    ],
)
def test_only_that_is_written_anew(changes: dict[tuple[str, ...], Any], gone: list[str], come: list[str]) -> None:
    assert _changed(changes) == (gone, come)


def test_nothing_changed_is_the_very_text() -> None:
    assert edit_text(WRITTEN, {("name",): "Maison", (*COMMANDE, "hidden"): None}) == WRITTEN


def test_new_keys_stand_where_the_format_has_them() -> None:
    lines = edit_text(WRITTEN, {(*COMMANDE, "plural"): "commandes", (*COMMANDE, "time"): "jour"}).splitlines()
    assert lines[lines.index("    label: 'commande'") + 1] == "    plural: commandes"
    assert lines[lines.index("    time: jour") + 2] == "    masked: [note]"


def test_a_json_file_stays_one() -> None:
    text = json.dumps({"version": 1, "name": "x", "entities": {"a": {"table": "t", "label": "l", "masked": ["c"]}}})
    edited = edit_text(text, {("entities", "a", "label"): "m", ("entities", "a", "synonyms"): ["é"], ("name",): "y"})
    entity = json.loads(edited)["entities"]["a"]
    assert entity == {"table": "t", "label": "m", "masked": ["c"], "synonyms": ["é"]}


@pytest.mark.parametrize(
    "text",
    ["a: [", "- a\n", "entities: {a: &x {label: b}}", "? a\n: b\nentities:\n  ? x\n  :\n    label: l\n"],
    ids=["broken", "list", "anchor", "explicit"],
)
def test_what_cannot_be_confined_is_refused(text: str) -> None:
    with pytest.raises(LayerProblem) as refused:
        edit_text(text, {("entities", "x", "label"): "y", ("entities", "y", "label"): "z"})
    assert refused.value.key == "semantic.not_editable"


TEXTS = st.text(
    alphabet=st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"]) | st.sampled_from(list(" :#,[]{}'\"\\-?&*!|>%@`\n")),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_text_in_any_place(data: st.DataObject) -> None:
    """By hand and by ``dump_layer``: the edit says what was meant, and no other line differs."""
    text = data.draw(st.sampled_from([WRITTEN, dump_layer(load_layer(WRITTEN))]))
    path = COMMANDE + data.draw(st.sampled_from([(), ("measures", "ca"), ("dimensions", "statut"), ("dimensions", "jour")]))
    label, words = data.draw(TEXTS), data.draw(st.lists(TEXTS, min_size=1, max_size=3, unique=True))
    changes = {(*path, "label"): label, (*path, "synonyms"): words, (*path, "description"): data.draw(st.none() | TEXTS)}
    edited = edit_text(text, changes)
    thing: Any = read_document(edited).data
    for part in path:
        thing = thing[part]
    assert (thing["label"], thing["synonyms"], thing.get("description")) == (label, words, changes[(*path, "description")])
    assert parse_layer(edited)[0] is not None
    comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert [line for line in edited.splitlines() if line.lstrip().startswith("#")] == comments
