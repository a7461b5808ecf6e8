"""The pages and the hub's routes on PostgreSQL, under row-level security, as the application's role."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from hub_config.company import CompanyRule
from hub_config.database import RefreshToken, User
from hub_config.hub_names import hub_user_name
from tests.pages_support import Browser
from tests.platform_support import PASSWORD, World
from tests.unit.platform.test_pages import _dashboard

pytestmark = pytest.mark.postgres
ISSUER = "https://login.example/maison"


def test_in_through_the_pages_and_out(world: World) -> None:
    _dashboard(world, "Ventes", workspace="Finance", roles=("viewer",))
    browser, other = Browser(world), Browser(world)
    assert browser.get("/account", follow=False).status_code == 303
    assert "Ventes" in browser.sign_in("viewer@t1.example").text
    other.sign_in("viewer@t1.example")
    assert "Ventes" not in Browser(world).sign_in("viewer@t2.example").text
    browser.get("/account")
    assert "Votre nom est enregistré" in browser.send("/account/name", full_name="Zoé").text
    page = browser.send("/account/password", current=PASSWORD, new="cinq autres mots sans rapport")
    assert "Votre mot de passe est changé" in page.text
    assert other.get("/account", follow=False).status_code == 303
    forged = browser.cookie("datapilot").replace(world.tenant_id("t1"), world.tenant_id("t2"))
    foreign = Browser(world)
    foreign.client.cookies.set("datapilot", forged)
    assert foreign.get("/account", follow=False).status_code == 303
    path = f"/api/v1/users/{world.user_id('viewer')}"
    world.client.patch(path, json={"status": "disabled"}, headers=world.headers("administrator"))
    assert browser.get("/account", follow=False).status_code == 303


def _company(world: World, **said: Any) -> Any:
    given = {"issuer": ISSUER, "subject": "zoe", "email": "zoe@t1.example", "email_verified": True} | said
    return world.people.hub_sign_in.company(**given)


def test_the_hub_asks_and_a_companys_person_is_made_once(world: World) -> None:
    ground = world.people.hub_sign_in._ground
    rule = CompanyRule(issuer=ISSUER, tenant=world.tenant_id(), domain="t1.example", new_role="analyst")
    object.__setattr__(ground, "settings", ground.settings.model_copy(update={"company_sign_in": (rule,)}))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: _company(world), range(4)))
    assert len({person.user_id for person in found}) == 1
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        made = session.scalars(select(User).where(User.email == "zoe@t1.example")).all()
        assert [(user.role, user.company_subject) for user in made] == [("analyst", "zoe")]
        assert session.scalars(select(RefreshToken)).all() == []
    name = hub_user_name(world.tenant_id(), made[0].id)
    assert world.people.hub_sign_in.person(name).role == "analyst"
    signed_in = world.people.hub_sign_in.sign_in(email="analyst@t2.example", password=PASSWORD)
    assert signed_in.tenant_id == world.tenant_id("t2")
