"""A small company over DuckDB, and an engine whose model is the scripted server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from datapilot_kernel.engine import Engine
from datapilot_kernel.nl2sql.claude.settings import ModelSettings
from datapilot_kernel.semantic import load_layer
from datapilot_kernel.semantic.model import Layer
from datapilot_kernel.sources import open_source
from datapilot_kernel.sources.model import OpenedSource
from tests.model_server import KEY, ModelServer

TODAY = date(2026, 6, 17)

FILES = {
    "ventes.csv": """id;jour;magasin;client;montant;secret
1;2026-05-03;1;10;100,50;zx-secret-1
2;2026-05-04;2;11;999,00;zx-secret-2
3;2026-06-01;1;12;50,00;zx-secret-3
4;2025-05-20;3;10;70,00;zx-secret-4
5;2026-05-09;3;13;20,00;zx-secret-5
""",
    "magasins.csv": """id;nom;ville;etat
1;Boutique des Quais;Grenoble;O
2;Comptoir d'Isère;Voiron;O
3;Halle Centrale;Grenoble;F
""",
    "clients.csv": """id;nom;segment
10;Bellamy Odile;Fidèle
11;Charvet Paul;Occasionnel
12;Dorlange Inès;Fidèle
13;Estève Marc;Nouveau
""",
    "parking.csv": """place;etage
1;Niveau bleu
2;Niveau vert
""",
}
LAYER = """
version: 1
name: Quais
status: accepted
sql_dialect: duckdb
entities:
  ventes:
    table: ventes
    label: vente
    gender: f
    key: [id]
    time: jour
    masked: [secret]
    dimensions:
      jour: {column: jour, type: date, label: jour de vente}
      montant: {column: montant, type: number, label: montant}
    measures:
      ca: {expression: SUM(montant), label: chiffre d'affaires, synonyms: [CA], format: {kind: currency}}
      nb: {expression: COUNT(*), label: nombre de ventes, format: {kind: integer}}
  magasins:
    table: magasins
    label: magasin
    gender: m
    key: [id]
    name_dimension: nom
    dimensions:
      nom: {column: nom, label: nom du magasin}
      ville: {column: ville, label: ville}
      etat: {column: etat, label: état, values: {O: [ouvert], F: [fermé]}}
  clients:
    table: clients
    label: client
    gender: m
    key: [id]
    dimensions:
      nom: {column: nom, label: nom du client, personal: true}
      segment: {column: segment, label: segment}
joins:
  ventes_magasins: {from_entity: ventes, from_columns: [magasin], to_entity: magasins, to_columns: [id]}
  ventes_clients: {from_entity: ventes, from_columns: [client], to_entity: clients, to_columns: [id]}
"""
STORED = (
    "Boutique des Quais", "Comptoir d'Isère", "Halle Centrale", "Grenoble", "Voiron", "Fidèle", "Occasionnel", "Nouveau",
    "Niveau bleu", "Niveau vert", "Bellamy", "Charvet", "Dorlange", "Estève", "zx-secret", "999", "100.5", "100,5",
)  # fmt: skip
"""What stands in the rows and in no name, label or comment."""


def by_city(**more: Any) -> dict[str, Any]:
    """A plan over this layer, as a model gives it."""
    return {
        "measures": [{"alias": "ca", "measure": "ventes.ca"}],
        "dimensions": [{"alias": "ville", "field": "magasins.ville"}],
        "period": {"kind": "calendar", "unit": "month", "offset": -1},
        **more,
    }


@pytest.fixture(scope="session")
def quais(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenedSource]:
    folder = tmp_path_factory.mktemp("quais")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    source = open_source(str(folder))
    yield source
    source.close()


@pytest.fixture(scope="session")
def layer() -> Layer:
    return load_layer(LAYER)


@pytest.fixture(scope="session")
def shared_server() -> Iterator[ModelServer]:
    server = ModelServer()
    yield server
    server.close()


@pytest.fixture
def server(shared_server: ModelServer) -> ModelServer:
    shared_server.play(())
    return shared_server


Make = Callable[..., Engine]


@pytest.fixture
def make(quais: OpenedSource, layer: Layer, server: ModelServer) -> Iterator[Make]:
    """Return a maker of engines: ``settings`` of the model, the rest the engine's own."""
    made: list[Engine] = []

    def one(*, settings: dict[str, Any] | None = None, **options: Any) -> Engine:
        given = {"key": KEY, "base_url": server.url, **(settings or {})}
        engine = Engine(quais, layer=options.pop("layer", layer), fixed_today=TODAY, model=ModelSettings(**given), **options)
        made.append(engine)
        return engine

    yield one
    for engine in made:
        engine.close()
