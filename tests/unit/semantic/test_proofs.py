"""What a layer's joins claim is counted where no key is declared: right claims are proved, wrong ones are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from datapilot_kernel.catalog import introspect
from datapilot_kernel.semantic import check_layer, parse_layer
from datapilot_kernel.semantic.proofs import with_proved_keys
from datapilot_kernel.sources import open_source

LAYER = """\
version: 1
name: essai
entities:
  factures:
    table: factures
    label: facture
    measures:
      nombre: {{expression: COUNT(*), label: nombre de factures}}
  commandes:
    table: commandes
    label: commande
    measures:
      nb: {{expression: COUNT(*), label: nombre de commandes}}
joins:
  lien: {{from_entity: factures, from_columns: [ref], to_entity: commandes, to_columns: [ref], cardinality: {cardinality}}}
"""


@pytest.mark.parametrize(
    ("orders", "invoices", "cardinality", "wrong"),
    [
        (["A", "B"], ["A", "B"], "one_to_one", []),
        (["A", "B"], ["A", "A"], "many_to_one", []),
        (["A", "B"], ["A", "A"], "one_to_one", ["factures"]),
        (["A", "A"], ["A", "B"], "many_to_one", ["commandes"]),
        (["A", ""], ["A", ""], "one_to_one", []),
    ],
)
def test_joins_of_files(tmp_path: Path, orders: list[str], invoices: list[str], cardinality: str, wrong: list[str]) -> None:
    for name, refs in (("commandes", orders), ("factures", invoices)):
        (tmp_path / f"{name}.csv").write_text("montant;ref\n" + "".join(f"{i},5;{r}\n" for i, r in enumerate(refs)))
    text = LAYER.format(cardinality=cardinality)
    layer, _ = parse_layer(text)
    assert layer is not None
    source = open_source(str(tmp_path))
    try:
        catalog = with_proved_keys(source, introspect(source), layer)
    finally:
        source.close()
    found = [f.message for f in check_layer(text, catalog) if f.code == "join_not_unique"]
    assert [any(f"« {table} »" in message for message in found) for table in wrong] == [True] * len(found)
    assert len(found) == len(wrong)
