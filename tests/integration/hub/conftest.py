"""One platform for the tests of signing in: hub, API and proxy as processes, and a company's own sign-in beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.hub_world import HubWorld
from tests.oidc_server import Oidc, oidc_server

pytest.importorskip("jupyterhub")


@pytest.fixture(scope="package")
def company() -> Iterator[Oidc]:
    with oidc_server() as found:
        yield found


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory, company: Oidc) -> Iterator[HubWorld]:
    provider = {
        "id": "maison",
        "name": "Maison Lumière",
        "issuer": company.issuer,
        "client_id": company.client_id,
        "client_secret": company.client_secret,
    }
    world = HubWorld(tmp_path_factory.mktemp("hub"), providers=json.dumps([provider]), refresh_seconds="5")
    rules = [
        {"issuer": company.issuer, "tenant": world.world.tenant_id("t1"), "domain": "t1.example"},
        {
            "issuer": company.issuer,
            "tenant": world.world.tenant_id("t2"),
            "claim": "hd",
            "value": "t2",
            "new_role": "viewer",
        },
    ]
    world.api.environment["DATAPILOT_COMPANY_SIGN_IN"] = json.dumps(rules)
    with world:
        yield world
