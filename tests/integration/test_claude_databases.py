"""A model's plans and SQL on real servers, with a person's rights: other rows do not exist, in results, prompts or errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from datapilot_kernel.engine import Answer, Engine, Failure
from datapilot_kernel.nl2sql.claude.settings import ModelSettings
from datapilot_kernel.semantic import load_layer
from datapilot_kernel.sources import open_source
from tests.integration.test_engine import DDL, LAYER, TODAY, run_on
from tests.model_server import KEY, ModelServer, Reply, model_server, tool

ODD = "la pondération des bidules à Lyon"


@pytest.fixture(params=["postgres", "mariadb"])
def asked(request: pytest.FixtureRequest) -> Iterator[tuple[Engine, ModelServer]]:
    url = request.getfixturevalue(request.param).new_database("claude")
    run_on(url, *DDL)
    source = open_source(url)
    with model_server() as server:
        settings = ModelSettings(key=KEY, base_url=server.url, openness="values")  # type: ignore[arg-type]  # made secret
        engine = Engine(source, layer=load_layer(LAYER), attributes={"region": "Sud"}, fixed_today=TODAY, model=settings)
        yield engine, server
        engine.close()
    source.close()


def sql(statement: str) -> Reply:
    return tool("give_sql", {"sql": statement, "note": ""})


def only(outcome: Any) -> list[str]:
    assert isinstance(outcome, Answer), outcome
    return [str(cell) for row in outcome.table.rows for cell in row]


def test_rights_hold_whatever_the_model_writes(asked: tuple[Engine, ModelServer]) -> None:
    engine, server = asked
    server.play([sql("SELECT SUM(montant) AS ca FROM ventes"), sql("SELECT ville FROM ventes WHERE region = 'Nord'")])
    assert only(engine.ask(ODD)) == ["150.50"], "999 of another region is not in it"
    assert only(engine.ask(ODD)) == []
    server.play(
        [
            tool(
                "give_plan",
                {
                    "plan": {
                        "measures": [{"alias": "ca", "measure": "ventes.ca"}],
                        "filters": [{"field": "ventes.ville", "values": ["LYON"]}],
                    }
                },
            )
        ]
    )
    assert only(engine.ask(ODD)) == ["150.50"]
    sent = "".join(seen.everything for seen in server.requests)
    assert "Lyon" in sent
    assert "Secretville" not in sent, "open values are those that this person may see"
    assert "{region}" not in sent
    assert "marge" not in server.requests[0].body["system"][1]["text"], "a masked column is not there"


def test_errors_of_the_server_go_back_by_class(asked: tuple[Engine, ModelServer]) -> None:
    engine, server = asked
    dialect = engine.source.dialect
    # PostgreSQL quotes the value that could not be cast; MariaDB casts, and turns down several rows where one may be
    broken = (
        "SELECT SUM(CAST(ville AS integer)) AS n FROM ventes"
        if dialect == "postgres"
        else "SELECT (SELECT ville FROM ventes) AS v"
    )
    server.play([sql(broken)] * 3)
    outcome = engine.ask("combien de bidules")
    assert isinstance(outcome, Failure)
    assert outcome.reason == "gave_up"
    told = server.requests[1].body["messages"][-1]["content"][0]["content"]
    assert told.startswith(("This could not be run: database ", "This could not be run: guard "))
    assert "Lyon" not in told
    assert "Secretville" not in "".join(seen.everything for seen in server.requests)
