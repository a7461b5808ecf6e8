"""The pages: who may open which, what a session is and is not, and what another page in the same browser can do: nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from hub_config.access import MATRIX
from hub_config.database import AuditEvent, RefreshToken, utc_now
from hub_config.pages import forms
from hub_config.pages.table import TABLE
from tests.mail_server import mail_server
from tests.pages_support import FETCHED, SAMPLES, Browser, field
from tests.platform_support import PASSWORD, ROLES, World, make_world

LINK = re.compile(r"#(\S+)")


@pytest.fixture
def browser(world: World) -> Browser:
    return Browser(world)


NOBODYS = "0" * 32


def _path(page: Any, dashboard: str = NOBODYS, world: World | None = None) -> str:
    """The page's address; with a world, of things that are there (:data:`tests.pages_support.SAMPLES`)."""
    known = {"name": "datapilot.css", "dashboard_id": dashboard, "tile_id": NOBODYS, "kind": "csv"}

    def filled(found: re.Match[str]) -> str:
        made = known.get(found[1])
        if made is None and world is not None and found[1] in SAMPLES:
            made = SAMPLES[found[1]](world)
        return made or NOBODYS

    return re.sub(r"{(\w+)}", filled, page.path)


# ── who may ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_page_names_a_permission_or_why_it_needs_none() -> None:
    for page in TABLE:
        assert (page.permission in MATRIX) != bool(page.why), page.path
    assert len({(page.method, page.path) for page in TABLE}) == len(TABLE)


def test_without_a_session_every_page_of_a_person_leads_to_the_door(world: World) -> None:
    for page in TABLE:
        browser = Browser(world)
        browser.get("/sign-in")
        answer = browser.get(_path(page), follow=False) if page.method == "GET" else browser.send(_path(page), follow=False)
        if page.permission is not None:
            assert answer.status_code == 303, page.path
            assert answer.headers["location"].startswith("/sign-in"), page.path
        else:
            assert answer.status_code < 500, page.path


@pytest.mark.parametrize("role", ROLES)
def test_every_page_of_a_person_opens_as_the_matrix_says(world: World, role: Any) -> None:
    dashboard = _dashboard(world, "Ventes", roles=ROLES)
    for page in TABLE:
        if page.permission is None or page.method != "GET":
            continue
        browser = Browser(world)
        browser.sign_in(f"{role}@t1.example")
        granted = role in MATRIX[page.permission].session
        assert browser.get(_path(page, dashboard, world)).status_code == (200 if granted else 403), page.path


def test_no_token_of_any_kind_opens_a_page(world: World) -> None:
    """Wall 1: what a notebook holds, an API client holds, or stands in a refresh token is no browser's session."""
    login = {"email": "administrator@t1.example", "password": PASSWORD}
    opened = world.client.post("/api/v1/auth/login", json=login).json()
    name = "datapilot"
    tokens = [opened["access_token"], opened["refresh_token"], world.token("administrator", audience="notebook")]
    tokens += ["a-hub-token-of-a-notebook-0123456789", opened["refresh_token"].replace("dpr_", "dps_"), "", "x" * 5000, "é"]
    for token in tokens:
        browser = Browser(world)
        if token.isascii():
            browser.client.cookies.set(name, token)
        for headers in ({"Authorization": f"Bearer {token}"}, {"Authorization": f"token {token}"}, {}):
            if token.isascii():
                answer = browser.client.get("/account", headers=headers | {"Accept": "text/html"})
                assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Faccount")


def test_a_pages_session_opens_nothing_of_the_api(world: World, browser: Browser) -> None:
    browser.sign_in("administrator@t1.example")
    cookie = browser.cookie("datapilot")
    assert cookie
    assert browser.client.get("/api/v1/auth/me").status_code == 401  # the cookie was sent
    for scheme in ("Bearer", "token"):
        headers = {"Authorization": f"{scheme} {cookie}"}
        assert world.client.get("/api/v1/auth/me", headers=headers).status_code == 401
    assert world.client.post("/api/v1/auth/refresh", json={"refresh_token": cookie}).status_code == 401


# ── signing in and out ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_person_signs_in_lands_where_they_were_going_and_signs_out(world: World, browser: Browser) -> None:
    assert browser.get("/account", follow=False).headers["location"] == "/sign-in?next=%2Faccount"
    page = browser.get("/account")
    assert "Connexion" in page.text
    answer = browser.send("/sign-in", email="viewer@t1.example", password=PASSWORD, next=field(page, "next"), follow=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "Mon compte" in browser.get("/account").text
    session = browser.cookie("datapilot")
    page = browser.send("/sign-out")
    assert "Vous êtes déconnecté" in page.text
    assert browser.cookie("datapilot") == ""
    # The session is over, not only forgotten by this browser.
    other = Browser(world)
    other.client.cookies.set("datapilot", session)
    assert other.get("/account", follow=False).status_code == 303
    with world.database.tenant(world.tenant_id(), read_only=True) as scoped:
        actions = [event.action for event in scoped.scalars(select(AuditEvent).order_by(AuditEvent.at))]
    assert actions == ["session.begin", "session.end"]


def test_a_wrong_password_says_so_and_keeps_the_address_alone(browser: Browser) -> None:
    page = browser.sign_in("viewer@t1.example", "faux faux faux")
    assert page.status_code == 401
    assert "Adresse ou mot de passe incorrect" in page.text
    assert 'value="viewer@t1.example"' in page.text
    assert "faux faux" not in page.text
    for _ in range(5):
        page = browser.sign_in("viewer@t1.example", "faux faux faux")
    assert page.status_code == 429
    assert int(page.headers["Retry-After"]) > 0


def test_an_address_of_two_tenants_chooses_without_typing_twice(world: World, browser: Browser) -> None:
    for tenant in ("t1", "t2"):
        world.add_user(tenant, "both@maison.example", "viewer")
    page = browser.sign_in("both@maison.example")
    assert "Quelle organisation" in page.text
    assert PASSWORD not in page.text
    sealed = field(page, "sealed")
    chosen = {"email": "both@maison.example", "tenant_id": world.tenant_id("t2")}
    # Sealed for this browser: in another it is worth nothing.
    other = Browser(world)
    other.get("/sign-in")
    assert other.send("/sign-in", sealed=sealed, **chosen).status_code == 200
    assert other.cookie("datapilot") == ""
    assert "Maison t2" in browser.send("/sign-in", sealed=sealed, **chosen).text


def test_a_session_is_always_a_new_one(world: World, browser: Browser) -> None:
    """Fixation: what stood in the browser before the sign-in is worth nothing after it."""
    attacker = Browser(world)
    attacker.sign_in("viewer@t1.example")
    planted = attacker.cookie("datapilot")
    browser.client.cookies.set("datapilot", planted)
    browser.get("/sign-out", Sec_Fetch_Site="cross-site")
    browser.client.cookies.delete("datapilot")
    browser.sign_in("administrator@t1.example")
    assert browser.cookie("datapilot") not in ("", planted)
    assert browser.cookie("datapilot-door") == ""
    # Signing in over a session ends that one.
    again = Browser(world)
    again.sign_in("analyst@t1.example")
    first = again.cookie("datapilot")
    answer = again.client.post(
        "/sign-in",
        data={"csrf": forms.token_of(first), "email": "viewer@t1.example", "password": PASSWORD},
        headers={"Origin": again.origin, **FETCHED},
    )
    assert answer.status_code == 303
    left = Browser(world)
    left.client.cookies.set("datapilot", first)
    assert left.get("/account", follow=False).status_code == 303


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "/%09/evil.example", "javascript:alert(1)",
     "/\t/evil.example", "///evil.example", "evil.example", "", "http:evil.example", "/\r\nSet-Cookie: a=b", "/" + "a" * 2000],
)  # fmt: skip
def test_nobody_is_sent_elsewhere_after_signing_in(world: World, wanted: str) -> None:
    browser = Browser(world)
    browser.get("/sign-in")
    answer = browser.send("/sign-in", email="viewer@t1.example", password=PASSWORD, next=wanted, follow=False)
    assert answer.status_code == 303
    location = answer.headers["location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert "evil.example" not in location.split("?")[0].split("/")[:2]
    assert browser.client.get(location).status_code in (200, 303, 404)
    signed_in = Browser(world)
    signed_in.client.cookies.set("datapilot", browser.cookie("datapilot"))
    again = signed_in.client.get("/sign-in", params={"next": wanted})
    assert again.headers["location"].startswith("/")
    assert not again.headers["location"].startswith("//")


def test_another_site_cannot_sign_anybody_out(world: World, browser: Browser) -> None:
    browser.sign_in("viewer@t1.example")
    page = browser.get("/sign-out", Sec_Fetch_Site="cross-site")
    assert "Voulez-vous vous déconnecter" in page.text
    assert browser.get("/account", follow=False).status_code == 200
    assert "Vous êtes déconnecté" in browser.get("/sign-out", Sec_Fetch_Site="same-site").text
    assert browser.get("/account", follow=False).status_code == 303


# ── what ends a session ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("end", ["disabled", "deleted", "sessions", "password", "expired", "tenant"])
def test_a_session_ends_at_once_with_what_it_stood_on(world: World, end: str) -> None:
    browser = Browser(world)
    browser.sign_in("viewer@t1.example")
    assert browser.get("/account", follow=False).status_code == 200
    path, administrator = f"/api/v1/users/{world.user_id('viewer')}", world.headers("administrator")
    if end == "disabled":
        assert world.client.patch(path, json={"status": "disabled"}, headers=administrator).status_code == 200
    elif end == "deleted":
        assert world.client.delete(path, headers=administrator).status_code == 204
    elif end == "sessions":
        assert world.client.delete("/api/v1/auth/me/sessions", headers=world.headers("viewer")).status_code == 204
    elif end == "password":
        body = {"current_password": PASSWORD, "new_password": "cinq autres mots sans rapport"}
        assert world.client.post("/api/v1/auth/me/password", json=body, headers=world.headers("viewer")).status_code == 200
    elif end == "expired":
        with world.database.tenant(world.tenant_id()) as session:
            session.execute(update(RefreshToken).values(expires_at=utc_now() - timedelta(seconds=1)))
    else:
        body = {"name": "Maison t1", "password": PASSWORD}
        assert world.client.post("/api/v1/tenant/deletion", json=body, headers=administrator).status_code == 200
    assert browser.get("/account", follow=False).status_code == 303


def test_a_role_that_changed_is_the_pages_role_at_once(world: World, browser: Browser) -> None:
    browser.sign_in("analyst@t1.example")
    assert "Sources de données" in browser.get("/").text
    path = f"/api/v1/users/{world.user_id('analyst')}"
    world.client.patch(path, json={"role": "viewer"}, headers=world.headers("administrator"))
    assert "Sources de données" not in browser.get("/").text


# ── forms of other pages ─────────────────────────────────────────────────────────────────────────────────────────

FOREIGN: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},  # a notebook's origin, with subdomains
    {"Sec-Fetch-Site": "none"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://["},
    {"Origin": "http://127.0.0.1:8000.evil.example"},
    {"Origin": "http://analyste.127.0.0.1:8000"},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/json"},
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
def test_no_form_is_taken_from_another_origin(world: World, foreign: dict[str, str]) -> None:
    """With the right token even: each wall is enough by itself."""
    browser = Browser(world)
    browser.sign_in("viewer@t1.example")
    for page in TABLE:
        if page.method == "POST":
            answer = browser.send(_path(page), follow=False, headers=foreign, full_name="Volé")
            assert answer.status_code == 403, page.path
            assert "Accès refusé" in answer.text
    assert "Volé" not in browser.get("/account").text


def test_no_form_is_taken_without_this_browsers_token(world: World) -> None:
    victim, attacker = Browser(world), Browser(world)
    victim.sign_in("viewer@t1.example")
    attacker.sign_in("viewer@t2.example")
    for page in TABLE:
        if page.method != "POST":
            continue
        for token in ("", "0" * 64, attacker.csrf, "é"):
            answer = victim.send(_path(page), follow=False, csrf=token, full_name="Volé")
            assert answer.status_code == 403, page.path
    assert "Volé" not in victim.get("/account").text
    assert victim.get("/account", follow=False).status_code == 200


def test_nobody_is_signed_in_to_somebody_elses_account(world: World) -> None:
    """Login CSRF: the form of one browser is worth nothing in another, with a door's cookie or without."""
    attacker, victim, fresh = Browser(world), Browser(world), Browser(world)
    attacker.get("/sign-in")
    victim.get("/sign-in")
    for browser in (victim, fresh):
        answer = browser.send("/sign-in", csrf=attacker.csrf, email="viewer@t2.example", password=PASSWORD)
        assert answer.status_code == 403
        assert browser.cookie("datapilot") == ""


def test_a_browser_that_says_nothing_needs_the_token(world: World) -> None:
    browser = Browser(world)
    browser.get("/sign-in")
    data = {"csrf": browser.csrf, "email": "viewer@t1.example", "password": PASSWORD}
    assert browser.client.post("/sign-in", data=data | {"csrf": "x"}).status_code == 403
    assert browser.client.post("/sign-in", data=data).status_code == 303


@pytest.mark.parametrize(
    "body", [b"a=" + b"b" * 70_000, b"&".join(b"a=b" for _ in range(100)), b"\xff\xfe=%ff", b"csrf=%00"]
)
def test_a_form_that_is_none_breaks_nothing(world: World, body: bytes) -> None:
    browser = Browser(world)
    browser.sign_in("viewer@t1.example")
    headers = {"Origin": browser.origin, **FETCHED, "Content-Type": "application/x-www-form-urlencoded"}
    assert browser.client.post("/account/name", content=body, headers=headers).status_code in (403, 413)


# ── headers and cookies ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "name", "path"),
    [
        ({}, "datapilot", "/"),
        ({"public_url": "http://127.0.0.1:8000/services/datapilot/"}, "datapilot", "/services/datapilot/"),
        ({"public_url": "https://datapilot.example"}, "__Host-datapilot", "/"),
        ({"public_url": "https://datapilot.example/services/datapilot"}, "__Secure-datapilot", "/services/datapilot/"),
    ],
)
def test_the_flags_of_the_cookies(tmp_path: Path, given: dict[str, str], name: str, path: str) -> None:
    with make_world(tmp_path, **given) as world:
        browser = Browser(world)
        browser.get("/sign-in")
        door = browser.last.headers["set-cookie"]
        answer = browser.send("/sign-in", email="viewer@t1.example", password=PASSWORD, follow=False)
        session = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(f"{name}="))
        for cookie in (door, session):
            parts = {part.strip().lower() for part in cookie.split(";")[1:]}
            assert "httponly" in parts
            assert "samesite=lax" in parts
            assert f"path={path}" in parts
            assert ("secure" in parts) == given.get("public_url", "").startswith("https")
            assert not any(part.startswith("domain") for part in parts)
        assert browser.get("/account").status_code == 200
        assert browser.get("/account").url.path == f"{browser.base}/account"


def test_a_hub_with_subdomains_leaves_the_pages_a_host_of_their_own(tmp_path: Path) -> None:
    from hub_config.pages.cookies import Cookies
    from hub_config.settings import Settings

    url = "https://datapilot.app.example/services/datapilot/"
    alone = Cookies.of(Settings(data_dir=tmp_path, public_url=url, hub_public_url="https://app.example"))
    shared = Cookies.of(Settings(data_dir=tmp_path, public_url=url, hub_public_url="https://datapilot.app.example"))
    assert (alone.session, alone.path) == ("__Host-datapilot", "/")
    assert (shared.session, shared.path) == ("__Secure-datapilot", "/services/datapilot/")


def test_the_policy_of_every_page(world: World, browser: Browser) -> None:
    seen = set()
    browser.sign_in("administrator@t1.example")
    dashboard = _dashboard(world, "Ventes", roles=ROLES)
    pages = [_path(page, dashboard, world) for page in TABLE if page.method == "GET" and not page.path.startswith("/static")]
    for path in [path for path in pages if not path.endswith(("/etat", "/vignette", "/logo"))] + ["/rien"]:
        answer = browser.get(path, Sec_Fetch_Site="cross-site")
        policy = answer.headers["content-security-policy"]
        nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
        assert nonce, path
        assert nonce[1] not in seen
        seen.add(nonce[1])
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        # Nothing from elsewhere, no style and no script outside of the policy.
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', answer.text), path
        assert "style=" not in answer.text
        assert not re.search(r"\son\w+=", answer.text)
        assert all(f'nonce="{nonce[1]}"' in tag for tag in re.findall(r"<script[^>]*>", answer.text))


def test_the_face_comes_from_here_and_may_be_kept(browser: Browser) -> None:
    page = browser.get("/sign-in")
    style = re.search(r'href="([^"]+\.css\?v=\w+)"', page.text)
    assert style
    answer = browser.client.get(style[1])
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert browser.client.get("/static/datapilot.css?v=old").headers["cache-control"] == "no-cache"
    for name in ("__init__.py", "..%2f__init__.py", "nothing.css"):
        assert browser.client.get(f"/static/{name}").status_code == 404


def test_what_people_type_is_text(world: World, browser: Browser) -> None:
    browser.sign_in("viewer@t1.example")
    typed = '"><script>alert(1)</script>'
    browser.send("/account/name", full_name=typed)
    for path in ("/", "/account"):
        page = browser.get(path)
        assert "<script>alert" not in page.text
        assert typed in unescape(page.text)


# ── home, account ────────────────────────────────────────────────────────────────────────────────────────────────


def _dashboard(world: World, name: str, *, workspace: str | None = None, roles: tuple[str, ...] = ()) -> str:
    from hub_config.database import Dashboard, DashboardRight, DashboardVersion, Workspace

    with world.database.tenant(world.tenant_id()) as session:
        corner = Workspace(name=workspace) if workspace else None
        if corner is not None:
            session.add(corner)
            session.flush()
        row = Dashboard(name=name, workspace_id=corner.id if corner else None, created_by=None)
        session.add(row)
        session.flush()
        plan = {"measures": [{"alias": "n", "measure": "exemple.nombre"}]}
        tiles = [
            {
                "id": mark * 32,
                "title": f"Élément {mark}",
                "chart_type": "auto",
                "position": 0,
                "source_id": NOBODYS,
                "plan": plan,
            }
            for mark in "ab"
        ]
        content = {"name": name, "layout": {}, "filters": [], "tiles": tiles}
        version = DashboardVersion(dashboard_id=row.id, number=1, content_json=content, created_by=None)
        session.add(version)
        session.flush()
        row.status, row.published_version_id = "published", version.id
        session.add_all(DashboardRight(dashboard_id=row.id, role=role) for role in roles)
    return row.id


def test_a_viewers_home_is_the_gallery_of_what_they_may_see(world: World) -> None:
    _dashboard(world, "Ventes & marges", workspace="Finance", roles=("viewer",))
    _dashboard(world, "Salaires", roles=("administrator",))
    viewer, administrator, far = Browser(world), Browser(world), Browser(world)
    page = viewer.sign_in("viewer@t1.example")
    assert "Ventes &amp; marges" in page.text
    assert "Finance" in page.text
    assert "2 éléments" in page.text
    assert re.search(r"mis à jour le \d+\s\w+\s20\d\d", page.text)
    assert "Salaires" not in page.text
    assert "Sources de données" not in page.text
    assert "notebook" not in page.text.lower()
    assert "Salaires" in administrator.sign_in("administrator@t1.example").text
    empty = far.sign_in("viewer@t2.example")
    assert "Aucun tableau de bord" in empty.text
    assert "Ventes" not in empty.text


def test_authors_see_the_sources_they_reach(world: World) -> None:
    from hub_config.database import DataSource, Workspace

    with world.database.tenant(world.tenant_id()) as session:
        corner = Workspace(name="Finance")
        session.add(corner)
        session.flush()
        session.add(DataSource(name="Comptabilité", type="postgres", workspace_id=corner.id, status="failed"))
        for kind in ("postgres", "mysql", "files"):
            session.add(DataSource(name=f"Base {kind}", type=kind, status="ready", refreshed_at=utc_now()))
    page = Browser(world).sign_in("analyst@t1.example")
    assert "Base mysql" in page.text
    assert "Comptabilité" not in page.text
    page = Browser(world).sign_in("administrator@t1.example")
    assert "À vérifier" in page.text
    assert "Comptabilité" in page.text


def test_ones_own_account(world: World, browser: Browser) -> None:
    browser.sign_in("analyst@t1.example")
    other = Browser(world)
    other.sign_in("analyst@t1.example")
    assert "Votre nom est enregistré" in browser.send("/account/name", full_name="  Zoé   Martin ").text
    assert "Zoé Martin" in browser.get("/").text
    assert browser.send("/account/name", full_name=" ").status_code == 422
    page = browser.send("/account/password", current="faux", new="cinq autres mots sans rapport")
    assert page.status_code == 422
    assert "mot de passe actuel" in page.text
    before = browser.cookie("datapilot")
    page = browser.send("/account/password", current=PASSWORD, new="cinq autres mots sans rapport")
    assert "Votre mot de passe est changé" in page.text
    assert browser.cookie("datapilot") not in ("", before)
    assert other.get("/account", follow=False).status_code == 303
    assert other.sign_in("analyst@t1.example").status_code == 401
    assert other.sign_in("analyst@t1.example", "cinq autres mots sans rapport").status_code == 200
    page = browser.get("/account")
    assert page.text.count('name="session_id"') == 2
    foreign = re.findall(r'name="session_id" value="(\w+)"', page.text)
    stranger = Browser(world)
    stranger.sign_in("viewer@t1.example")
    assert stranger.send("/account/session", session_id=foreign[0]).status_code == 404
    assert stranger.send("/account/session", session_id="x").status_code == 404
    browser.get("/account")
    browser.send("/account/sessions")
    assert browser.get("/account", follow=False).status_code == 303
    assert other.get("/account", follow=False).status_code == 303


# ── links of mails ───────────────────────────────────────────────────────────────────────────────────────────────


def test_an_invitation_is_accepted_in_the_browser(world: World, browser: Browser) -> None:
    body = {"email": "zoe@t1.example", "role": "analyst", "workspace_ids": []}
    made = world.client.post("/api/v1/users/invitations", json=body, headers=world.headers("administrator")).json()
    assert made["link"].startswith("http://127.0.0.1:8000/invitation#dpi_")
    page = browser.get("/invitation")
    assert "location.hash" in page.text
    page = browser.send("/invitation", token=made["link"])  # the whole link, pasted
    assert "Bienvenue chez Maison t1" in page.text
    assert "zoe@t1.example" in page.text
    token = field(page, "token")
    page = browser.send("/invitation/accept", token=token, full_name="Zoé", password="court")
    assert page.status_code == 422
    assert "au moins 12" in page.text
    page = browser.send("/invitation/accept", token=token, full_name="", password=PASSWORD)
    assert page.status_code == 422
    page = browser.send("/invitation/accept", token=token, full_name="Zoé Martin", password=PASSWORD)
    assert "Bonjour Zoé Martin" in page.text
    again = Browser(world)
    again.get("/invitation")
    assert again.send("/invitation", token=token).status_code == 404
    assert again.send("/invitation/accept", token=token, full_name="X", password=PASSWORD).status_code == 404


def test_a_forgotten_password_is_chosen_anew_in_the_browser(tmp_path: Path) -> None:
    with mail_server(tmp_path) as mails:
        given: dict[str, Any] = {"smtp_host": "127.0.0.1", "smtp_port": mails.port, "ca_bundle_file": mails.ca}
        with make_world(tmp_path, **given, smtp_user="datapilot", smtp_password="mail-secret-9-battery") as world:
            browser = Browser(world)
            browser.get("/forgotten")
            known = browser.send("/forgotten", email="viewer@t1.example")
            browser.get("/forgotten")
            assert (
                browser.send("/forgotten", email="nobody@t1.example").text.replace(browser.csrf, "")
                == known.text.replace(browser.csrf, "")
                or "courriel" in known.text
            )
            world.people.mailing.close()
            (mail,) = mails.mails
            found = LINK.search(mail.get_content())
            assert found
            browser.get("/password")
            page = browser.send("/password", token=found[1])
            assert page.status_code == 200
            assert browser.send("/password/reset", token=found[1], password="court").status_code == 422
            new = "cinq autres mots sans rapport"
            assert "Mot de passe enregistré" in browser.send("/password/reset", token=found[1], password=new).text
            assert browser.sign_in("viewer@t1.example", new).status_code == 200
            browser.send("/sign-out")
            browser.get("/password")
            assert browser.send("/password/reset", token=found[1], password=new).status_code == 404
            assert browser.send("/password", token="").status_code == 404


# ── errors, language, base path ──────────────────────────────────────────────────────────────────────────────────


def test_an_error_is_a_page_with_its_incident(world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    browser.sign_in("viewer@t1.example")

    def broken(*args: Any, **values: Any) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(world.platform.content.dashboards, "gallery", broken)
    page = browser.get("/")
    assert page.status_code == 500
    assert "Une erreur est survenue" in page.text
    assert re.search(r'class="dp-code">[0-9A-Z]{4}-[0-9A-Z]{4}<', page.text)
    assert "secret of the inside" not in page.text


def test_a_database_that_is_away_is_a_page_too(world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub_config.errors import PlatformUnavailable

    browser.sign_in("viewer@t1.example")

    def away(text: str) -> None:
        raise PlatformUnavailable(log="away")

    monkeypatch.setattr(world.people.page_sessions, "visitor", away)
    page = browser.get("/")
    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert "momentanément indisponible" in page.text


def test_addresses_that_are_none(world: World, browser: Browser) -> None:
    page = browser.get("/rien/du/tout")
    assert page.status_code == 404
    assert "Page introuvable" in page.text
    for path, accept in (("/api/v1/rien", "text/html"), ("/rien", "application/json"), ("/api/", "text/html")):
        answer = world.client.get(path, headers={"Accept": accept})
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"
    assert world.client.get("/api/v1/auth/login", headers={"Accept": "text/html"}).status_code == 405
    assert world.client.put("/account").json()["error"]["code"] == "method_not_allowed"


def test_in_the_browsers_language(browser: Browser) -> None:
    page = browser.get("/sign-in", Accept_Language="en-GB,en")
    assert '<html lang="en">' in page.text
    assert "Sign in" in page.text
    assert "Connexion" not in page.text


def test_everything_below_a_path_and_the_api_at_the_root_too(tmp_path: Path) -> None:
    with make_world(tmp_path, public_url="http://127.0.0.1:8000/services/datapilot/") as world:
        browser = Browser(world)
        assert browser.base == "/services/datapilot"
        page = browser.sign_in("viewer@t1.example")
        assert page.url.path == "/services/datapilot/"
        assert not re.findall(r'(?:href|action)="(/(?!services/datapilot/)[^"]*)"', page.text)
        for prefix in ("", "/services/datapilot"):
            assert world.client.get(f"{prefix}/api/v1/healthz").json() == {"status": "ok"}
            answer = world.client.get(f"{prefix}/api/v1/auth/me", headers=world.headers("viewer"))
            assert answer.status_code == 200
            assert world.client.get(f"{prefix}/api/v1/rien").status_code == 404
        for path in ("/services/datapilotx/api/v1/healthz", "/services/api/v1/healthz"):
            assert world.client.get(path).status_code == 404
        answer = world.client.get("/services/datapilot", follow_redirects=False)
        assert answer.headers["location"] == "/services/datapilot/"
        # By an internal name the pages lead to the public path.
        assert world.client.get("/account?done=name", follow_redirects=False).headers["location"] == (
            "/services/datapilot/account?done=name"
        )
        body = {"email": "zoe@t1.example", "role": "viewer", "workspace_ids": []}
        made = world.client.post("/api/v1/users/invitations", json=body, headers=world.headers("administrator")).json()
        assert made["link"].startswith("http://127.0.0.1:8000/services/datapilot/invitation#")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


def test_a_session_of_one_tenant_never_shows_another(fresh: World) -> None:
    """The cookie names its tenant: naming another one finds nothing there."""
    browser = Browser(fresh)
    browser.sign_in("viewer@t1.example")
    other = browser.cookie("datapilot").replace(fresh.tenant_id("t1"), fresh.tenant_id("t2"))
    foreign = Browser(fresh)
    foreign.client.cookies.set("datapilot", other)
    assert foreign.get("/account", follow=False).status_code == 303
