"""The administrators' pages over HTTP: people, invitations, workspaces, quotas, the record, approvals, the organisation."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub_config.access import MATRIX
from hub_config.database import AuditEvent, Invitation, Tenant, UsageCounter, User, VerifiedQuestion, utc_now
from hub_config.pages import approvals, corners, inviting, journal, organisation, spend, team
from tests.mail_server import mail_server
from tests.pages_support import FETCHED, SAMPLES, Browser
from tests.platform_support import PASSWORD, World, make_world, wait_until
from tests.questions_support import accept_layer, add_files, give_attributes, slow_down

PAGES = (
    *team.PAGES, *inviting.PAGES, *corners.PAGES, *spend.PAGES, *journal.PAGES, *approvals.PAGES, *organisation.PAGES,
)  # fmt: skip
LINK = re.compile(r'value="(http[^"]+#dp[iw]_[^"]+)"')
NOBODYS = "0" * 32


@pytest.fixture
def admin(world: World) -> Browser:
    browser = Browser(world)
    browser.sign_in("administrator@t1.example")
    browser.get("/personnes")
    return browser


def _user(world: World, user_id: str, tenant: str = "t1") -> User | None:
    with world.database.tenant(world.tenant_id(tenant), read_only=True) as session:
        found: User | None = session.get(User, user_id)
        return found


def _events(world: World, action: str, tenant: str = "t1") -> list[AuditEvent]:
    with world.database.tenant(world.tenant_id(tenant), read_only=True) as session:
        return list(session.scalars(select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.at)))


def _said(answer: Any) -> str:
    """What is read on a page: without markup, its no-break spaces as spaces."""
    words = unescape(re.sub(r"<[^>]+>", " ", answer.text)).replace("\xa0", " ").replace("\u202f", " ")
    return " ".join(words.split())


# ── who may, and whose ───────────────────────────────────────────────────────────────────────────────────────────────


def _filled(path: str, world: World) -> str:
    return re.sub(r"{(\w+)}", lambda m: SAMPLES[m[1]](world) if m[1] in SAMPLES else NOBODYS, path)


@pytest.mark.parametrize("role", ["analyst", "viewer"])
def test_nobody_but_an_administrator_does_anything_here(world: World, role: str) -> None:
    browser = Browser(world)
    browser.sign_in(f"{role}@t1.example")
    before = _everything(world)
    for page in PAGES:
        if page.permission == "account.read":
            continue  # the organisation's mark is everybody's to see
        assert role not in MATRIX[page.permission or "people.manage"].session
        path = _filled(page.path, world)
        answer = browser.get(path) if page.method == "GET" else browser.send(path, name="Volé", value="1", etat="disabled")
        assert answer.status_code == 403, page.path
        browser.get("/")
    assert _everything(world) == before


def _everything(world: World) -> dict[str, str]:
    """What of tenant t1 could have been changed: people, workspaces' names, quotas, decisions."""
    found = {}
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        for user in session.scalars(select(User)):
            found[user.id] = f"{user.role} {user.status} {user.attributes} {user.full_name}"
        found["tenant"] = session.scalars(select(Tenant.name)).one()
        found["invitations"] = str(len(session.scalars(select(Invitation)).all()))
    return found


def test_what_is_another_tenants_is_nothing(world: World, admin: Browser) -> None:
    """404 for the very ids of the other tenant, whatever is asked of them, and nothing of it changes."""
    theirs = Browser(world)
    theirs.sign_in("administrator@t2.example")
    theirs.get("/espaces")
    workspace = str(theirs.send("/espaces", name="Chez eux").url).rpartition("/")[2].partition("?")[0]
    theirs.send("/personnes/inviter", addresses="loin@t2.example", role="viewer")
    other = world.tenant_id("t2")
    source = add_files(world, "t2")
    with world.database.tenant(other) as session:
        invitation = session.scalars(select(Invitation.id)).one()
        row = VerifiedQuestion(data_source_id=source, question="CA ?", question_key="ca ?", plan_json={})
        session.add(row)
        session.flush()
        question = row.id
    ids = {
        "user_id": world.user_id("viewer", "t2"),
        "workspace_id": workspace,
        "invitation_id": invitation,
        "question_id": question,
    }
    fields = {"role": "administrator", "full_name": "Volé", "etat": "disabled", "email": "viewer@t2.example", "name": "Volé",
              "decision": "approve", "workspace_id": workspace, "user_id": ids["user_id"]}  # fmt: skip
    for page in PAGES:
        if "{" not in page.path:
            continue
        path = page.path.format(**ids)
        answer = admin.get(path) if page.method == "GET" else admin.send(path, **fields)
        assert answer.status_code == 404, page.path
        admin.get("/personnes")
    mine = world.user_id("viewer")
    for path, sent in (
        (f"/personnes/{mine}/espaces", {"workspace_id": workspace}),
        ("/quotas/valeurs", {"source_id": source, "revision": "1", "etat": "on"}),
        ("/personnes/inviter", {"addresses": "a@b.fr", "role": "viewer", "workspace_id": workspace}),
    ):
        assert admin.send(path, **sent).status_code == 404, path
        admin.get("/personnes")
    viewer = _user(world, ids["user_id"], "t2")
    assert viewer is not None
    assert (viewer.role, viewer.status, viewer.full_name) == ("viewer", "active", "Viewer")
    for path in ("/personnes", "/personnes/inviter", "/espaces", "/quotas", "/journal", "/approbations"):
        page = admin.get(path).text
        assert "t2.example" not in page
        assert "Chez eux" not in page


@pytest.mark.parametrize("path", ["/personnes/x", "/personnes/" + "f" * 31, "/espaces/%2e%2e", "/approbations/questions/1"])
def test_an_id_that_is_none_is_no_page(admin: Browser, path: str) -> None:
    assert admin.get(path).status_code == 404


# ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_people_are_listed_found_and_paged(world: World, admin: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add_user("t1", "zoe@t1.example", "viewer", full_name="Zoé Martin", attributes={"region": "Sud"})
    page = _said(admin.get("/personnes"))
    for expected in ("Zoé Martin", "zoe@t1.example", "Lecteur", "region = Sud", "jamais", "(vous)"):
        assert expected in page
    assert "Zoé Martin" in _said(admin.get("/personnes?q=MARTIN"))
    found = admin.get("/personnes?role=administrator").text
    assert "zoe@t1.example" not in found
    assert "Personne ne correspond" in _said(admin.get("/personnes?q=personne-de-ce-nom"))
    monkeypatch.setattr(team, "_PER_PAGE", 3)
    first = admin.get("/personnes?role=&q=t1.example")
    more = re.search(r'href="([^"]+suite=[^"]+)"', first.text)
    assert more
    second = admin.get(unescape(more[1]))
    assert "zoe@t1.example" in second.text
    assert "zoe@t1.example" not in first.text
    assert admin.get("/personnes?suite=rien").status_code == 422


def test_role_name_and_attributes_change_at_once(world: World, admin: Browser) -> None:
    user_id = world.user_id("analyst")
    analyst = Browser(world)
    analyst.sign_in("analyst@t1.example")
    fields = {"full_name": "Ana  Lyste", "role": "viewer", "attribut_nom": "region", "attribut_valeur": "Sud"}
    page = admin.send(f"/personnes/{user_id}", **fields)
    assert "valent dès maintenant" in _said(page)
    user = _user(world, user_id)
    assert user is not None
    assert (user.full_name, user.role, user.attributes) == ("Ana Lyste", "viewer", {"region": "Sud"})
    assert "Sources de données" not in analyst.get("/").text
    # An emptied field goes, one that the form did not hold stays.
    fields = {"full_name": "Ana Lyste", "role": "viewer", "attribut_nom": "magasin", "attribut_valeur": "12"}
    admin.send(f"/personnes/{user_id}", **fields)
    admin.send(f"/personnes/{user_id}", full_name="Ana Lyste", role="viewer", **{"attribut.region": " "})
    user = _user(world, user_id)
    assert user is not None
    assert user.attributes == {"magasin": "12"}
    changed = _events(world, "user.update")[0]
    assert changed.details["role_before"] == "analyst"
    assert changed.actor_email == "administrator@t1.example"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"role": "roi"}, "Ce choix n’est pas dans la liste"),
        ({"full_name": " "}, "Indiquez le nom"),
        ({"attribut_nom": "ré gion"}, "Le nom d’un attribut"),
        ({"attribut_nom": "region", "attribut_valeur": ""}, "Donnez une valeur"),
    ],
)
def test_a_wrong_field_loses_nothing_of_what_was_typed(
    world: World, admin: Browser, sent: dict[str, str], said: str
) -> None:
    user_id = world.user_id("viewer")
    fields = {"full_name": "Vera Lux", "role": "analyst", "attribut_nom": "region", "attribut_valeur": "Nord"} | sent
    page = admin.send(f"/personnes/{user_id}", **fields)
    assert page.status_code == 422
    assert said in _said(page)
    for name in ("full_name", "attribut_nom", "attribut_valeur"):
        kept = " ".join(fields[name].split())
        assert f'name="{name}" value="{kept}"' in page.text
    if fields["role"] == "analyst":
        assert '<option value="analyst" selected>' in page.text
    user = _user(world, user_id)
    assert user is not None
    assert (user.full_name, user.role, user.attributes) == ("Viewer", "viewer", {})


def test_the_last_administrator_stays_one(world: World, admin: Browser) -> None:
    me = world.user_id("administrator")
    page = admin.send(f"/personnes/{me}", full_name="Moi", role="viewer")
    assert page.status_code == 409
    assert "dernier administrateur" in _said(page)
    # With a second one it is possible to step down, but nobody disables or deletes the account they are signed in with.
    world.add_user("t1", "second@t1.example", "administrator")
    for path, fields in (("etat", {"etat": "disabled"}), ("suppression", {"email": "administrator@t1.example"})):
        page = admin.send(f"/personnes/{me}/{path}", **fields)
        assert page.status_code == 409
        assert "un autre administrateur doit" in _said(page)
    user = _user(world, me)
    assert user is not None
    assert (user.role, user.status) == ("administrator", "active")
    # Stepping down closes these pages at once.
    page = admin.send(f"/personnes/{me}", full_name="Moi", role="viewer")
    assert page.status_code == 200
    assert page.url.path == "/"
    assert admin.get("/personnes").status_code == 403


def test_somebody_is_disabled_enabled_and_deleted(world: World, admin: Browser) -> None:
    user_id = world.user_id("viewer")
    viewer = Browser(world)
    viewer.sign_in("viewer@t1.example")
    assert "sessions et notebook sont arrêtés" in _said(admin.send(f"/personnes/{user_id}/etat", etat="disabled"))
    assert viewer.get("/account", follow=False).status_code == 303
    assert admin.send(f"/personnes/{user_id}/mot-de-passe").status_code == 409  # no link into a closed account
    assert "L’accès est rétabli" in _said(admin.send(f"/personnes/{user_id}/etat", etat="active"))
    assert admin.send(f"/personnes/{user_id}/etat", etat="peut-être").status_code == 422
    wrong = admin.send(f"/personnes/{user_id}/suppression", email="une@autre.fr")
    assert wrong.status_code == 422
    assert "rien n’a été supprimé" in _said(wrong)
    assert _user(world, user_id) is not None
    assert "La personne est supprimée" in _said(admin.send(f"/personnes/{user_id}/suppression", email="Viewer@T1.example "))
    assert _user(world, user_id) is None
    assert admin.get(f"/personnes/{user_id}").status_code == 404


@pytest.mark.parametrize("act", ["role", "attributes", "disabled", "dismissed"])
def test_what_is_under_way_ends_with_the_rights_it_had(
    world: World, admin: Browser, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    from hub_config.queries import Asked

    source, analyst = add_files(world), world.user_id("analyst")
    admin.send("/espaces", name="Ventes")
    workspace = str(admin.last.url).rpartition("/")[2].partition("?")[0]
    admin.send(f"/personnes/{analyst}/espaces", workspace_id=workspace)
    slow = slow_down(world, source, monkeypatch)
    world.platform.queries.ask(world.principal("analyst"), Asked(source, sql="SELECT COUNT(*) AS n FROM ventes", fresh=True))
    wait_until(lambda: slow.running == 1)
    admin.send(f"/personnes/{analyst}", full_name="Autre Nom", role="analyst")
    assert slow.running == 1  # another name is no other right
    if act == "role":
        admin.send(f"/personnes/{analyst}", full_name="Ana", role="viewer")
    elif act == "attributes":
        admin.send(f"/personnes/{analyst}", full_name="Ana", role="analyst", attribut_nom="region", attribut_valeur="Sud")
    elif act == "disabled":
        admin.send(f"/personnes/{analyst}/etat", etat="disabled")
    else:
        admin.send(f"/espaces/{workspace}/membres/retrait", user_id=analyst)
    wait_until(lambda: slow.stopped == 1)


def test_the_page_says_what_goes_and_what_stays(world: World, admin: Browser) -> None:
    from hub_config.database import Conversation, Dashboard, DashboardRight

    source, user_id = add_files(world), world.user_id("analyst")
    with world.database.tenant(world.tenant_id()) as session:
        board = Dashboard(name="Ventes", created_by=user_id)
        session.add_all([board, Conversation(user_id=user_id, data_source_id=source)])
        session.flush()
        session.add(DashboardRight(dashboard_id=board.id, user_id=user_id))
    page = _said(admin.get(f"/personnes/{user_id}"))
    for expected in (
        "1 conversation",
        "1 droit donné en son nom",
        "1 tableau de bord, publié ou non",
        "0 source de données",
    ):
        assert expected in page


def test_the_rows_that_attributes_open_are_said(world: World, admin: Browser) -> None:
    source = add_files(world, name="Boutique")
    accept_layer(world, source, row_filter="region = {region}")
    viewer = world.user_id("viewer")
    page = _said(admin.get(f"/personnes/{viewer}"))
    assert "Aucune ligne il manque l’attribut « region »" in page
    assert "lu par le filtre de" in page
    give_attributes(world, "viewer", region="Sud")
    said = _said(admin.get(f"/personnes/{viewer}"))
    assert "Vente (source « Boutique ») celles où « région » est « Sud »" in said
    accept_layer(world, source, row_filter="region IN ({region}, 'Ouest')")
    assert "est « Sud » ou « Ouest »" in _said(admin.get(f"/personnes/{viewer}"))
    accept_layer(world, source, row_filter="region LIKE {region} OR montant < 10")
    assert "celles où : region LIKE 'Sud' OR montant < 10" in _said(admin.get(f"/personnes/{viewer}"))
    # Of another tenant's sources nothing is said.
    other = Browser(world)
    other.sign_in("administrator@t2.example")
    assert "Boutique" not in other.get(f"/personnes/{world.user_id('viewer', 't2')}").text


def test_what_an_administrator_types_is_text(world: World, admin: Browser) -> None:
    typed = '"><script>alert(1)</script>'
    user_id = world.user_id("viewer")
    admin.send(f"/personnes/{user_id}", full_name=typed, role="viewer", attribut_nom="region", attribut_valeur=typed)
    admin.send("/espaces", name=typed)
    for path in ("/personnes", f"/personnes/{user_id}", "/espaces", "/journal", "/quotas", "/personnes/inviter"):
        assert "<script>alert" not in admin.get(path).text, path


# ── invitations ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_several_are_invited_and_their_links_are_seen_once(world: World, admin: Browser) -> None:
    admin.send("/espaces", name="Ventes")
    workspace = str(admin.last.url).rpartition("/")[2].partition("?")[0]
    admin.get("/personnes/inviter")
    page = admin.send(
        "/personnes/inviter", addresses="zoe@x.fr, max@x.fr;\nviewer@t1.example pas-une-adresse", role="analyst",
        workspace_id=workspace, attribut_nom="region", attribut_valeur="Sud",
    )  # fmt: skip
    links = [unescape(link) for link in LINK.findall(page.text)]
    assert len(links) == 2
    said = _said(page)
    assert "viewer@t1.example : Cette adresse a déjà un compte" in said
    assert "pas-une-adresse : Cette adresse électronique n’en est pas une" in said
    assert page.headers["cache-control"] == "no-store"
    # Nowhere else, and not again.
    for path in ("/personnes/inviter", "/personnes", "/journal", "/"):
        text = admin.get(path).text
        assert not any(link.partition("#")[2] in text for link in links), path
    open_ones = _said(admin.get("/personnes/inviter"))
    assert "zoe@x.fr" in open_ones
    assert "region = Sud" in open_ones
    newcomer = Browser(world)
    newcomer.get("/invitation")
    newcomer.send("/invitation", token=links[0])
    newcomer.send("/invitation/accept", token=links[0], full_name="Zoé", password=PASSWORD)
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        user = session.scalars(select(User).where(User.email == "zoe@x.fr")).one()
    assert (user.role, user.attributes) == ("analyst", {"region": "Sud"})
    assert "Zoé" in _said(admin.get(f"/espaces/{workspace}"))


def test_an_invitation_is_made_anew_and_withdrawn(world: World, admin: Browser) -> None:
    page = admin.send("/personnes/inviter", addresses="zoe@x.fr", role="viewer")
    first = unescape(LINK.findall(page.text)[0])
    page = admin.get("/personnes/inviter")
    again = re.search(r'action="([^"]+/renvoi)"', page.text)
    assert again
    page = admin.send(again[1])
    second = unescape(LINK.findall(page.text)[0])
    assert second != first
    stranger = Browser(world)
    stranger.get("/invitation")
    assert stranger.send("/invitation", token=first).status_code == 404
    assert stranger.send("/invitation", token=second).status_code == 200
    page = admin.get("/personnes/inviter")
    withdraw = re.search(r'action="([^"]+/retrait)"', page.text)
    assert withdraw
    assert "Aucune invitation n’attend" in _said(admin.send(withdraw[1]))
    assert stranger.send("/invitation", token=second).status_code == 404
    assert admin.send(withdraw[1]).status_code == 404


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"addresses": " , "}, "au moins une adresse"),
        ({"addresses": " ".join(f"a{i}@x.fr" for i in range(31))}, "Au plus 30 adresses"),
        ({"role": "roi"}, "Ce choix n’est pas dans la liste"),
        ({"attribut_nom": "1"}, "Le nom d’un attribut"),
    ],
)
def test_a_wrong_invitation_keeps_the_addresses(world: World, admin: Browser, sent: dict[str, str], said: str) -> None:
    fields = {"addresses": "zoe@x.fr\nmax@x.fr", "role": "viewer"} | sent
    page = admin.send("/personnes/inviter", **fields)
    assert page.status_code == 422
    assert said in _said(page)
    assert unescape(re.search(r"<textarea[^>]*>([^<]*)<", page.text)[1]) == fields["addresses"]  # type: ignore[index]
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        assert session.scalars(select(Invitation)).all() == []


def test_with_a_mail_server_links_are_seen_by_their_receivers_alone(tmp_path: Path) -> None:
    with mail_server(tmp_path, tls="none") as mail:
        given = {"smtp_host": "127.0.0.1", "smtp_port": mail.port, "smtp_security": "none"}
        with make_world(tmp_path, **given) as world:
            browser = Browser(world)
            browser.sign_in("administrator@t1.example")
            browser.get("/personnes/inviter")
            page = browser.send("/personnes/inviter", addresses="zoe@x.fr max@x.fr", role="viewer")
            assert "parties par courriel" in _said(page)
            assert not LINK.findall(page.text)
            assert {mail["To"] for mail in mail.mails} == {"zoe@x.fr", "max@x.fr"}
            page = browser.send(f"/personnes/{world.user_id('viewer')}/mot-de-passe")
            assert "Le lien est parti" in _said(page)
            assert not LINK.findall(page.text)
            assert len(mail.mails) == 3
            # One that cannot be invited: the others are, and it stands in the form again.
            page = browser.get("/personnes/inviter")
            page = browser.send("/personnes/inviter", addresses="lea@x.fr viewer@t1.example", role="viewer")
            assert page.status_code == 422
            assert "1 invitation est partie" in _said(page)
            assert ">viewer@t1.example</textarea>" in page.text
            # A mail server that keeps one waiting does not keep the page: who is left is said.
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(inviting, "_PATIENCE_S", -1.0)
                page = browser.send("/personnes/inviter", addresses="ida@x.fr", role="viewer")
            assert "pas encore invitée" in _said(page)
            assert ">ida@x.fr</textarea>" in page.text
            mail.refuse = True
            page = browser.send("/personnes/inviter", addresses="tom@x.fr", role="viewer")
            assert len(LINK.findall(page.text)) == 1  # not sent: to be handed on


def test_a_password_link_is_seen_once(world: World, admin: Browser) -> None:
    user_id = world.user_id("viewer")
    page = admin.send(f"/personnes/{user_id}/mot-de-passe")
    (link,) = (unescape(one) for one in LINK.findall(page.text))
    assert "ne seront plus montrés" in _said(page)
    secret = link.partition("#")[2]
    for path in (f"/personnes/{user_id}", "/journal", "/personnes"):
        assert secret not in admin.get(path).text
    other = Browser(world)
    other.get("/password")
    assert other.send("/password/reset", token=link, password="cinq autres mots sans rapport").status_code == 200
    assert Browser(world).sign_in("viewer@t1.example", "cinq autres mots sans rapport").status_code == 200


# ── workspaces ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_workspace_and_its_members(world: World, admin: Browser) -> None:
    page = admin.send("/espaces", name="  Ventes   France ")
    assert "L’espace est créé" in _said(page)
    here = page.url.path
    workspace = here.rpartition("/")[2]
    taken = admin.send("/espaces", name="Ventes France")
    assert taken.status_code == 409
    assert 'value="Ventes France"' in taken.text
    assert admin.send("/espaces", name=" ").status_code == 422
    analyst, viewer = world.user_id("analyst"), world.user_id("viewer")
    admin.send(f"{here}/membres", user_id=analyst)
    admin.send(f"/personnes/{viewer}/espaces", workspace_id=workspace)
    page = admin.get(here)
    assert "2 membres" in _said(page)
    assert f'value="{analyst}"' in page.text
    admin.send(f"{here}/membres", user_id=analyst)  # twice is once
    admin.send(f"/personnes/{viewer}/espaces/retrait", workspace_id=workspace)
    assert "1 membre " in _said(admin.get(here))
    assert admin.send(f"{here}/membres", user_id=NOBODYS).status_code == 404
    admin.get(here)
    assert admin.send(f"{here}/membres", user_id="x").status_code == 404
    admin.get(here)
    assert "Clients" in _said(admin.send(here, name="Clients"))
    assert len(_events(world, "workspace.admit")) == 2
    source = add_files(world)
    with world.database.tenant(world.tenant_id()) as session:
        from hub_config.database import DataSource

        session.get(DataSource, source).workspace_id = workspace
    full = admin.send(f"{here}/suppression")
    assert full.status_code == 409
    assert "encore dans cet espace" in _said(full)
    with world.database.tenant(world.tenant_id()) as session:
        session.get(DataSource, source).workspace_id = None
    assert "L’espace est supprimé" in _said(admin.send(f"{here}/suppression"))
    assert admin.get(here).status_code == 404


# ── quotas and spending ──────────────────────────────────────────────────────────────────────────────────────────────


def _counted(world: World, day: date, key: str, value: int, user_id: str = "", tenant: str = "t1") -> None:
    with world.database.tenant(world.tenant_id(tenant)) as session:
        session.add(UsageCounter(day=day, key=key, value=value, user_id=user_id))


def test_what_is_used_and_spent_is_shown_by_day_and_person(world: World, admin: Browser) -> None:
    today = utc_now().date()
    analyst = world.user_id("analyst")
    _counted(world, today, "queries", 1234)
    _counted(world, today, "model_microeuros", 12_340_000)
    _counted(world, today, "model_microeuros", 9_340_000, analyst)
    _counted(world, today, "model_microeuros", 3_000_000, NOBODYS)  # deleted since
    _counted(world, today, "model_microeuros", 99_000_000, tenant="t2")
    earlier = today.replace(day=1) - timedelta(days=1)
    _counted(world, earlier, "model_microeuros", 2_500_000)
    page = admin.get("/quotas")
    said = _said(page)
    assert "1 234 questions sur 5 000 questions (25 %)" in said
    assert "12,34 € sur 50,00 € (25 %)" in said
    assert "Analyst 9,34 € 76 %" in said
    assert "Personne supprimée 3,00 € 24 %" in said
    assert "99,00" not in said
    assert f"{today:%d/%m/%Y} : 12,34 €" in unescape(page.text).replace("\xa0", " ")
    assert page.text.count('aria-label="Dépense') == 1
    before = _said(admin.get(f"/quotas?mois={earlier:%Y-%m}"))
    assert "2,50 €" in before
    assert "12,34 € sur 50,00 €" in before  # quotas are always today's
    for odd in ("2026-13", "rien", "0001-01", "9999-12", "2026-1' OR 1=1"):
        assert admin.get("/quotas", follow=True).status_code == 200, odd
        assert admin.get(f"/quotas?mois={odd}").status_code == 200, odd


def test_a_quota_is_set_within_the_operators_bound(world: World, admin: Browser) -> None:
    assert "La limite est fixée" in _said(admin.send("/quotas", key="queries_per_day", value="1 000"))
    assert "sur 1 000 questions" in _said(admin.get("/quotas"))
    admin.send("/quotas", key="storage_bytes", value="100")
    assert "100 Mio" in _said(admin.get("/quotas"))
    for key, value, said in (
        ("queries_per_day", "5001", "dépasse ce que l’exploitant permet (5 000 questions)"),
        ("queries_per_day", "0", "dépasse ce que l’exploitant permet"),  # no limit is more than a limit
        ("queries_per_day", "beaucoup", "nombre entier"),
        ("queries_per_day", "-3", "nombre entier"),
        ("storage_bytes", "999999", "dépasse ce que l’exploitant permet (5 Gio)"),
        ("nothing", "3", "n’existe pas"),
    ):
        page = admin.send("/quotas", key=key, value=value)
        assert page.status_code == 422, (key, value)
        if key != "nothing":
            assert said in _said(page)
            assert f'value="{value}"' in page.text
    assert "sur 1 000 questions" in _said(admin.get("/quotas"))
    assert [event.details["value"] for event in _events(world, "quota.set")] == [1000, 100 * 1024 * 1024]


def test_a_quota_that_is_reached_says_so(world: World, admin: Browser) -> None:
    admin.send("/quotas", key="queries_per_day", value="10")
    _counted(world, utc_now().date(), "queries", 9)
    assert "Bientôt atteint" in _said(admin.get("/quotas"))
    _counted(world, utc_now().date(), "database_ms", 36_000_000)
    assert "Atteint. Une fois atteint, toute question est refusée" in _said(admin.get("/quotas"))


def test_the_model_is_switched_off_and_values_are_opened(tmp_path: Path) -> None:
    with make_world(tmp_path, model_key="k" * 20) as world:
        browser = Browser(world)
        browser.sign_in("administrator@t1.example")
        source = add_files(world, name="Boutique")
        assert "Allumé" in _said(browser.get("/quotas"))
        assert "Le modèle de langage est éteint" in _said(browser.send("/quotas/modele", etat="off"))
        with world.database.tenant(world.tenant_id(), read_only=True) as session:
            assert world.platform.queries.quotas.limits(session)["model_euros_per_month"] == 0
        assert "Le modèle de langage est allumé" in _said(browser.send("/quotas/modele", etat="on"))
        assert browser.send("/quotas/modele", etat="?").status_code == 404
        page = browser.get("/quotas")
        assert "Boutique · valeurs fermées" in _said(page)
        page = browser.send("/quotas/valeurs", source_id=source, revision="1", etat="on")
        assert "Boutique · valeurs ouvertes" in _said(page)
        # Somebody was faster.
        page = browser.send("/quotas/valeurs", source_id=source, revision="1", etat="off")
        assert page.status_code == 409
        assert "Boutique · valeurs ouvertes" in _said(page)


def test_without_a_model_the_page_says_that_nothing_leaves(admin: Browser) -> None:
    page = _said(admin.get("/quotas"))
    assert "n’a pas de modèle de langage" in page
    assert "Éteindre le modèle" not in page


# ── the record ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def recorded(world: World) -> tuple[World, Browser]:
    browser = Browser(world)
    browser.sign_in("administrator@t1.example")
    browser.get("/espaces")
    browser.send("/espaces", name="Ventes")
    browser.send(f"/personnes/{world.user_id('viewer')}", full_name="Vera", role="analyst")
    source = add_files(world, name="Boutique")
    principal = world.principal("analyst")
    with world.database.tenant(principal.tenant_id) as session:
        world.platform.audit.record(
            session, principal, action="query.sql", object_type="query", object_id="q1", data_source_id=source,
            question="=HYPERLINK(1)", sql="SELECT 'éàü'", outcome="failure", row_count=3, cost_microeuros=1500,
        )  # fmt: skip
        session.add(AuditEvent(action="rien.connu", at=utc_now() - timedelta(days=40), actor_email="vieux@t1.example"))
    return world, browser


def _lines(page: Any) -> int:
    return int(page.text.count('class="dp-when"'))


def test_the_record_is_read_in_words_and_searched(recorded: tuple[World, Browser]) -> None:
    world, browser = recorded
    page = browser.get("/journal")
    said = _said(page)
    for expected in (
        "a créé un espace Ventes",
        "a modifié une personne",
        "Rôle avant lecteur",
        "a exécuté du SQL échec",
        "rien.connu",
        "analyst@t1.example",
    ):
        assert expected in said, expected
    today = f"{utc_now():%Y-%m-%d}"
    everything = _lines(page)
    assert _lines(browser.get(f"/journal?du={today}")) in (everything - 1, everything)
    assert _lines(browser.get("/journal?au=2020-01-01")) == 0
    assert _lines(browser.get("/journal?action=query.sql")) == 1
    assert _lines(browser.get("/journal?objet=workspace")) == 1
    assert _lines(browser.get(f"/journal?objet=user&id={world.user_id('viewer')}")) == 1
    assert _lines(browser.get(f"/journal?personne={world.user_id('analyst')}")) == 1
    assert _lines(browser.get("/journal?issue=failure")) == 1
    assert _lines(browser.get("/journal?q=HYPERLINK")) == 1
    assert _lines(browser.get("/journal?q=%25")) == 0  # no pattern
    assert "Aucun événement" in _said(browser.get("/journal?action=rien"))
    for address in ("du=hier", "du=2026-02-30", "du=2026-02-02&au=2026-02-01"):
        page = browser.get(f"/journal?{address}&q=mots")
        assert page.status_code == 422
        assert 'value="mots"' in page.text
    assert browser.get("/journal?suite=x").status_code == 422


def test_the_record_is_read_page_by_page(recorded: tuple[World, Browser], monkeypatch: pytest.MonkeyPatch) -> None:
    _, browser = recorded
    everything = _lines(browser.get("/journal"))
    monkeypatch.setattr(journal, "_PER_PAGE", 2)
    page, seen = browser.get("/journal?q=t1"), []
    while True:
        seen += re.findall(r"Identifiant</dt><dd>([^<]+)|rien\.connu", page.text)
        more = re.search(r'href="([^"]+suite=[^"]+)"', page.text)
        if not more:
            break
        page = browser.get(unescape(more[1]))
        assert "q=t1" in unescape(more[1])
    assert len(seen) == everything


def test_the_record_as_a_file_opens_in_french_excel(
    recorded: tuple[World, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_BATCH", 2)
    _, browser = recorded
    answer = browser.send("/journal/export")
    assert answer.headers["content-type"].startswith("text/csv")
    assert re.fullmatch(r'attachment; filename="journal-\d{4}-\d\d-\d\d\.csv"', answer.headers["content-disposition"])
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
    sql = next(row for row in rows if row["Action (code)"] == "query.sql")
    assert sql["Action"] == "a exécuté du SQL"
    assert sql["Question"] == "'=HYPERLINK(1)"  # no formula
    assert (sql["SQL"], sql["Source"], sql["Issue"], sql["Lignes"]) == ("SELECT 'éàü'", "Boutique", "échec", "3")
    assert sql["Coût du modèle (€)"] == "0,001500"
    assert re.fullmatch(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d", sql["Date et heure (Paris)"])
    assert any(row["Action (code)"] == "rien.connu" for row in rows)
    assert not any("t2.example" in str(row) for row in rows)
    # What was searched is what is in it; that it was taken is recorded, the first time too.
    answer = browser.send("/journal/export", action="query.sql")
    assert len(list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))) == 1
    taken = browser.get("/journal?action=audit.export")
    assert _lines(taken) == 2
    assert browser.send("/journal/export", du="hier").status_code == 422


def test_every_act_of_the_platform_has_words() -> None:
    """Enumerated from the code: whoever records a new act gives it words (``journal.action``)."""
    written = "".join(path.read_text(encoding="utf-8") for path in Path(journal.__file__).parents[1].rglob("*.py"))
    acts = set(re.findall(r'action="([a-z]+\.[a-z_]+)"', written))
    acts |= set(re.findall(r'_record\([^()"]*"([a-z]+\.[a-z_]+)"', written))
    assert {"user.update", "workspace.admit", "session.begin", "dashboard.publish", "verified.propose"} <= acts
    acts |= {f"query.{kind}" for kind in ("ask", "plan", "sql", "frame")}
    acts |= {
        f"{of}.{word}" for of, word in (("verified", "approved"), ("publication", "accepted"), ("publication", "rejected"))
    }
    assert acts - {name for names in journal.actions().values() for name in names} == set()


# ── approvals ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _propose(world: World, source: str, question: str = "Montant par région ?", plan: Any = None, tenant: str = "t1") -> str:
    plan = plan or {
        "measures": [{"alias": "total", "measure": "ventes.ca"}],
        "dimensions": [{"alias": "region", "field": "ventes.region"}],
    }
    with world.database.tenant(world.tenant_id(tenant)) as session:
        row = VerifiedQuestion(
            data_source_id=source, question=question, question_key=question.casefold(), plan_json=plan,
            proposed_by=world.user_id("analyst", tenant),
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row.id


def _status(world: World, question_id: str) -> str | None:
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        row = session.get(VerifiedQuestion, question_id)
        return row.status if row is not None else None


def test_a_proposed_question_is_examined_tried_approved_and_withdrawn(world: World, admin: Browser) -> None:
    source = add_files(world, name="Boutique")
    accept_layer(world, source, row_filter="region = {region}")
    question = _propose(world, source)
    here = f"/approbations/questions/{question}"
    said = _said(admin.get("/approbations"))
    for expected in ("Montant par région ?", "Boutique", "proposée par Analyst"):
        assert expected in said
    assert "1 question proposée" in _said(admin.get("/"))
    page = admin.get(here)
    assert "Ce qui a été compris" in _said(page)
    assert "GROUP BY" in page.text
    # A test run is run with the administrator's own rights, and recorded.
    assert "il manque" in _said(admin.send(f"{here}/essai")).casefold() or "attribut" in _said(admin.last).casefold()
    give_attributes(world, "administrator", region="Sud")
    tried = admin.send(f"{here}/essai")
    cells = re.findall(r"<td>([^<]*)</td>", tried.text)
    assert cells[:1] == ["Sud"]
    assert "200,00" in _said(tried)
    assert "Nord" not in cells
    assert [event.actor_email for event in _events(world, "query.plan")] == ["administrator@t1.example"] * 2
    assert "elle répond dès maintenant" in _said(admin.send(f"{here}/decision", decision="approve"))
    assert _status(world, question) == "approved"
    assert "Montant par région" in _said(admin.get("/approbations?etat=approved"))
    assert "question proposée" not in _said(admin.get("/"))
    assert "L’approbation est retirée" in _said(admin.send(f"{here}/decision", decision="reject"))
    assert _status(world, question) == "rejected"
    assert admin.send(f"{here}/decision", decision="?").status_code == 404
    admin.get(here)
    assert "La question est supprimée" in _said(admin.send(f"{here}/suppression"))
    assert _status(world, question) is None
    assert admin.get(here).status_code == 404


def test_a_question_that_does_not_hold_is_not_approved(world: World, admin: Browser) -> None:
    source = add_files(world)
    accept_layer(world, source)
    for plan in ({"measures": [{"alias": "x", "measure": "ventes.rien"}]}, {"pas": "un plan"}):
        here = f"/approbations/questions/{_propose(world, source, plan=plan)}"
        page = admin.get(here)
        assert "ne tient plus" in _said(page)
        page = admin.send(f"{here}/decision", decision="approve")
        assert page.status_code == 409
        assert admin.send(f"{here}/essai").status_code in (200, 422)
        assert "est écartée" in _said(admin.send(f"{here}/decision", decision="reject"))


def test_the_list_stands_while_a_source_is_down(world: World, admin: Browser) -> None:
    from tests.questions_support import add_database

    source = add_database(world, "postgresql://u:p@127.0.0.1:9/nothing", name="Éteinte")
    question = _propose(world, source)
    assert "Éteinte" in _said(admin.get("/approbations"))
    page = admin.get(f"/approbations/questions/{question}")
    assert page.status_code == 200
    assert "La source ne répond pas" in _said(page)
    assert "Montant par région ?" in _said(page)


def test_publication_requests_stand_there_too(world: World, admin: Browser) -> None:
    principal = world.principal("analyst")
    content = {"name": "Ventes 2026", "layout": {}, "filters": [], "tiles": []}
    publishing = world.platform.content.publishing
    with world.database.tenant(principal.tenant_id) as session:
        from hub_config.database import PublicationRequest

        row = PublicationRequest(content_json=content, requested_by=principal.user_id)
        other = PublicationRequest(
            content_json=content | {"name": "Marges"}, requested_by=principal.user_id, status="rejected",
            decided_by=world.user_id("administrator"), decided_at=utc_now(),
        )  # fmt: skip
        session.add_all([row, other])
        session.flush()
        request_id = row.id
    page = admin.get("/approbations")
    said = _said(page)
    assert f'href="/publications/{request_id}"' in page.text
    assert "Ventes 2026 demandée par Analyst" in said
    assert "1 demande décidée récemment" in said
    assert "refusée" in said
    assert "1 demande de publication" in _said(admin.get("/"))
    viewer = Browser(world)
    viewer.sign_in("analyst@t1.example")
    assert "À approuver" not in _said(viewer.get("/"))
    assert publishing is not None


# ── the organisation ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_organisation_gets_another_name(world: World, admin: Browser) -> None:
    page = admin.send("/organisation", name="  Maison   Lumière ")
    assert "Maison Lumière" in _said(page)
    wrong = admin.send("/organisation", name=" ")
    assert wrong.status_code == 422
    assert "Donnez un nom" in _said(wrong)
    assert "Maison t2" in Browser(world).sign_in("viewer@t2.example").text


def _image() -> bytes:
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = (2).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    pixels = zlib.compress(b"\x00" + b"\x1f\x3a\x93" * 2 + b"\x00" + b"\xf2\xb9\x50" * 2)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _send_logo(browser: Browser, body: bytes | None, *, csrf: str | None = None, **fields: str) -> Any:
    browser.get("/organisation")
    headers = {"Accept": "text/html", "Origin": browser.origin, **FETCHED}
    files = {"logo": ("logo.png", body or b"", "image/png")}
    data = {"csrf": browser.csrf if csrf is None else csrf} | fields
    return browser._seen(browser.client.post("/organisation/logo", data=data, files=files, headers=headers), True)


def test_the_organisation_gets_a_mark_of_its_own(world: World, admin: Browser) -> None:
    assert "svg" in admin.get("/organisation/logo").headers["content-type"]  # ours
    page = _send_logo(admin, _image())
    assert "Le logo est enregistré" in _said(page)
    for role in ("analyst", "viewer"):
        browser = Browser(world)
        browser.sign_in(f"{role}@t1.example")
        answer = browser.get("/organisation/logo")
        assert (answer.headers["content-type"], answer.content) == ("image/png", _image())
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert _send_logo(browser, _image()).status_code == 403
    other = Browser(world)
    other.sign_in("administrator@t2.example")
    assert other.get("/organisation/logo").content != _image()
    for body in (b"<svg onload='alert(1)'/>", b"", b"\x89PNG" + b"x" * 300_000, b"x" * 400_000):
        page = _send_logo(admin, body)
        assert page.status_code in (413, 422), len(body)
    assert _send_logo(admin, b"x", csrf="0" * 64).status_code == 403
    assert admin.get("/organisation/logo").content == _image()
    assert "Le logo est retiré" in _said(_send_logo(admin, None, retirer="1"))
    assert admin.get("/organisation/logo").content != _image()


def test_its_data_are_taken_as_a_file(world: World, admin: Browser) -> None:
    answer = admin.send("/organisation/export")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        users = archive.read("tables/users/000001.jsonl").decode()
    assert {json.loads(one)["email"] for one in users.splitlines()} == {
        "administrator@t1.example", "analyst@t1.example", "viewer@t1.example",
    }  # fmt: skip
    assert len(_events(world, "tenant.export")) == 1


def test_its_deletion_asks_for_name_and_password_and_leaves_nothing(world: World, admin: Browser) -> None:
    viewer = Browser(world)
    viewer.sign_in("viewer@t1.example")
    for name, password, said in (
        ("Maison t2", PASSWORD, "n’est pas celui de votre organisation"),
        ("Maison t1", "faux faux faux", "mot de passe"),
        ("", "", "n’est pas celui"),
    ):
        page = admin.send("/organisation/suppression", name=name, password=password)
        assert page.status_code in (401, 422), name
        assert said in _said(page)
        assert "saisissez-le de nouveau" in _said(page)
        assert f'name="name" value="{name}"' in page.text
        if password:
            assert password not in page.text
    page = admin.send("/organisation/suppression", name="Maison t1", password=PASSWORD)
    said = _said(page)
    assert "L’organisation est supprimée" in said
    assert "Restent, comptés ensuite : 0" in said
    assert admin.cookie("datapilot") == ""
    assert viewer.get("/account", follow=False).status_code == 303
    assert Browser(world).sign_in("administrator@t1.example").status_code == 401
    assert Browser(world).sign_in("viewer@t2.example").status_code == 200
