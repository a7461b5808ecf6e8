from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from datapilot_kernel.catalog.values import ValueIndex
from datapilot_kernel.nl2sql.local import LocalEngine
from datapilot_kernel.semantic.loading import load_layer
from datapilot_kernel.semantic.model import Layer

HERE = Path(__file__).parent
TODAY = date(2026, 6, 17)

VALUES = {
    "abonnes.ville": ["Annecy", "Evian", "Thonon-les-Bains"],
    "stations.ville": ["Annecy", "Sévrier"],
    "stations.nom": ["Gare", "Port", "Vieille Ville"],
    "stations.quartier": ["Centre", "Lac", "Gare"],
    "velos.marque": ["Rapido", "Montagnard"],
    "velos.modele": ["City 1", "Trek 2"],
    "reparations.motif": ["crevaison", "frein", "chaîne"],
    "tarifs.libelle": ["Jour", "Semaine"],
}


def pairs(name: str) -> list[tuple[str, str]]:
    """Read a file of questions, each followed by its indented line."""
    lines = [x for x in (HERE / name).read_text(encoding="utf-8").splitlines() if x.strip() and not x.startswith("#")]
    return [(lines[i], lines[i + 1].strip()) for i in range(0, len(lines), 2)]


def conversations(name: str = "conversations.txt") -> list[list[tuple[str, str]]]:
    """Read a file of conversations, a block for each."""
    blocks = (HERE / name).read_text(encoding="utf-8").strip().split("\n\n")
    return [
        [(b[i], b[i + 1].strip()) for i in range(0, len(b), 2)]
        for b in ([x for x in block.splitlines() if not x.startswith("#")] for block in blocks)
    ]


@pytest.fixture(scope="session")
def layer() -> Layer:
    return load_layer(HERE / "velos.yaml")


@pytest.fixture(scope="session")
def engine(layer: Layer) -> LocalEngine:
    return LocalEngine(layer, ValueIndex(VALUES))
