"""« Connectez vos données » with files, and a source's own page: over HTTP, as a browser sends it."""

from __future__ import annotations

import io
import re
import time
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub_config.data_sources.drafts import Attempt, DatabaseDraft, Drafts, FilesDraft
from hub_config.database import AuditEvent, DataSource, SourceFile
from hub_config.errors import NotFound
from hub_config.pages.table import TABLE
from tests.pages_support import FETCHED, Browser, some_source
from tests.platform_support import World, make_world, wait_until

CSV = "Région;Montant HT;Date\r\nSud;1 234,50;03/01/2026\r\nNord;10,00;04/01/2026\r\n".encode("cp1252")
DOUBTFUL = b"Nom,Montant,Courriel\r\nDurand,1.234,a@exemple.fr\r\nMartin,2.345,b@exemple.fr\r\nPetit,3.210,c@exemple.fr\r\n"


def text_of(page: Any) -> str:
    """What is read on a page, its marks left out."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.text))).replace("\xa0", " ")


def upload(browser: Browser, path: str, *files: tuple[str, bytes], follow: bool = True, **fields: str) -> Any:
    """Send a form with files, the token first as on the page."""
    sent = {"Accept": "text/html", "Origin": browser.origin, **FETCHED}
    fields = {"csrf": browser.csrf} | fields
    parts = [("files", (name, content)) for name, content in files]
    return browser._seen(browser.client.post(path, data=fields, files=parts, headers=sent), follow)


def ready(browser: Browser, page: Any) -> Any:
    """Look at a page again until nothing goes on beside it, as a browser without script does."""
    end = time.monotonic() + 60
    while 'http-equiv="refresh"' in page.text:
        assert time.monotonic() < end
        time.sleep(0.1)
        page = browser.get(page.url.path)
    return page


def decide(browser: Browser, path: str, fields: Any) -> Any:
    """Send a form whose fields have dots in their names, with what the page that was seen last says it is about."""
    shown = dict(re.findall(r'name="(f\d+)" value="(\w+)"', browser.last.text))
    return browser.send(path, **(shown | fields))


def workbook() -> bytes:
    """Two sheets, each with a table."""
    import openpyxl  # type: ignore[import-untyped]

    book = openpyxl.Workbook()
    first = book.active
    first.title = "Ventes"
    second = book.create_sheet("Clients")
    for row in (("Région", "Montant"), ("Sud", 12.5), ("Nord", 7.25)):
        first.append(row)
    for row in (("Code", "Ville"), ("A1", "Lyon"), ("B2", "Brest")):
        second.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.fixture
def analyst(world: World) -> Browser:
    browser = Browser(world)
    browser.sign_in("analyst@t1.example")
    return browser


@pytest.fixture
def administrator(world: World) -> Browser:
    browser = Browser(world)
    browser.sign_in("administrator@t1.example")
    return browser


def _kept(world: World) -> list[str]:
    folder = world.settings.data_dir / "tenants" / world.tenant_id() / "uploads"
    return sorted(p.name for p in folder.rglob("files/*")) if folder.is_dir() else []


# ── the first step ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_kinds_say_who_may(analyst: Browser, administrator: Browser) -> None:
    page = administrator.get("/sources")
    assert "Aucune source connectée" in page.text
    assert 'href="/sources"' in page.text
    page = administrator.get("/sources/nouvelle")
    for href in (
        "/sources/nouvelle/base?type=postgresql",
        "/sources/nouvelle/base?type=mysql",
        "/sources/nouvelle/fichiers",
    ):
        assert f'href="{href}"' in page.text
    page = analyst.get("/sources/nouvelle")
    assert 'href="/sources/nouvelle/fichiers"' in page.text
    assert "/sources/nouvelle/base" not in page.text
    assert "Demandez à un administrateur" in page.text
    assert analyst.get("/sources/nouvelle/base").status_code == 403


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_files_are_sent_understood_kept_and_asked(world: World, analyst: Browser) -> None:
    analyst.get("/sources/nouvelle/fichiers")
    page = ready(
        analyst, upload(analyst, "/sources/nouvelle/fichiers", ("Ventes 2026.csv", CSV), ("classeur.xlsx", workbook()))
    )
    shown = text_of(page)
    assert "1\u202f234,50" in page.text
    assert "03/01/2026" in shown
    assert "Feuilles à garder" in shown
    assert 'value="Ventes 2026"' in page.text
    address = page.url.path
    # Reloaded, and come back to: all of it is still there.
    assert text_of(analyst.get(address)) == shown
    page = ready(analyst, decide(analyst, address, {"act": "read", "name": "Ventes", "f1.s1": "1"}))
    assert "Sud" in text_of(page)
    assert "12,5" not in text_of(page)  # the sheet that was left out
    assert "Lyon" in text_of(page)
    page = ready(
        analyst,
        decide(analyst, address, {"act": "keep", "name": "Ventes", "confirm": "1", "f1.s1": "1"}),
    )
    assert page.url.path.endswith("/compris")
    shown = text_of(page)
    assert "2 tables" in shown
    assert "montant HT" in shown
    assert "Créer la couche" in shown
    assert _kept(world) == []
    source = page.url.path.removesuffix("/compris")
    answer = analyst.send(f"{source}/question", question="montant HT par région")
    assert answer.status_code == 200
    assert "1\u202f234,50" in answer.text
    assert "exploratoire" in answer.text
    assert "montant_ht" in answer.text
    # The draft is over; its address starts again and says so.
    again = analyst.get(address)
    assert "Cette saisie n’est plus là" in again.text


def test_doubtful_columns_are_looked_at_before_they_are_kept(world: World, analyst: Browser) -> None:
    analyst.get("/sources/nouvelle/fichiers")
    page = ready(analyst, upload(analyst, "/sources/nouvelle/fichiers", ("clients.csv", DOUBTFUL)))
    assert "à vérifier" in page.text
    assert "trois décimales" in page.text
    address = page.url.path
    page = decide(analyst, address, {"act": "keep", "name": "Clients"})
    assert "cochez la case" in page.text
    assert page.url.path == address
    # A form of other files or columns than there are now decides nothing about these.
    page = decide(analyst, address, {"act": "read", "f0": "0" * 16, "f0.c0": "text"})
    assert '<option value="text" selected>' not in page.text
    # Decided otherwise: it is read again, and kept only then.
    page = ready(analyst, decide(analyst, address, {"act": "keep", "name": "Clients", "confirm": "1", "f0.c0": "text"}))
    assert page.url.path == address
    assert "Vos choix ont changé la lecture" in page.text
    # The choice stands at the column, wherever that stands by now; sent again as it is, it changes nothing more.
    chosen = re.search(r'name="(f0\.c\d+)">(?:(?!</select>).)*value="text" selected', page.text, re.DOTALL)
    assert chosen
    page = ready(analyst, decide(analyst, address, {"act": "keep", "name": "Clients", chosen[1]: "text"}))
    assert page.url.path.endswith("/compris")
    assert "Données personnelles" in page.text
    assert "Courriel".lower() in text_of(page).lower()
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        kept = session.scalars(select(SourceFile)).one()
        assert kept.options["columns"]["Montant"]["type"] == "text"


def test_a_file_of_no_use_is_refused_by_itself(world: World, analyst: Browser) -> None:
    analyst.get("/sources/nouvelle/fichiers")
    files = [("lettre.docx", b"PK"), ("vide.csv", b""), ("bon.csv", CSV), ("faux.xlsx", b"pas un classeur")]
    page = ready(analyst, upload(analyst, "/sources/nouvelle/fichiers", *files))
    shown = text_of(page)
    assert "« lettre.docx » : Ce type de fichier n’est pas lu" in shown
    assert "« vide.csv »" in shown
    assert "Illisible" in shown
    assert _kept(world) == ["bon.csv", "faux.xlsx"]
    drop = re.search(r'value="(drop:\w+)"[^>]*aria-label="Retirer faux', page.text)
    assert drop
    page = analyst.send(page.url.path, act=drop[1], name="Bon")
    assert "faux.xlsx" not in page.text
    assert _kept(world) == ["bon.csv"]
    # The same file again: the later one counts. Nothing at all: said.
    draft = page.url.path.rpartition("/")[2]
    page = ready(analyst, upload(analyst, "/sources/nouvelle/fichiers", ("bon.csv", CSV), draft=draft))
    assert _kept(world) == ["bon.csv"]
    assert page.url.path.endswith(draft)
    page = upload(analyst, "/sources/nouvelle/fichiers", ("", b""), draft=draft)
    assert "aucun fichier" in text_of(page)


def test_files_are_added_to_a_source_and_to_files_alone(world: World, analyst: Browser) -> None:
    source_id = some_source(world)
    page = analyst.get(f"/sources/{source_id}/fichiers")
    page = ready(analyst, upload(analyst, f"/sources/{source_id}/fichiers", ("retours.csv", CSV.replace(b"Sud", b"Est"))))
    page = ready(analyst, analyst.send(page.url.path, act="keep", confirm="1"))
    assert page.url.path == f"/sources/{source_id}/compris"
    assert "2 tables" in text_of(page)
    with world.database.tenant(world.tenant_id()) as session:
        session.add(DataSource(name="Base", type="postgres"))
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        base = session.scalars(select(DataSource.id).where(DataSource.name == "Base")).one()
    answer = upload(analyst, f"/sources/{base}/fichiers", ("a.csv", CSV))
    assert answer.status_code == 422
    assert "base de données" in answer.text


# ── what a form with files may not ───────────────────────────────────────────────────────────────────────────────


def _multipart() -> list[str]:
    return [page.path.replace("{source_id}", "0" * 32) for page in TABLE if page.uploads]


def test_no_file_is_kept_of_another_pages_form(world: World, analyst: Browser) -> None:
    """The token is judged before the first byte is on the disk, wherever in the form it stands."""
    analyst.get("/sources/nouvelle/fichiers")
    token = analyst.csrf
    other = Browser(world)
    other.sign_in("analyst@t2.example")
    assert _multipart()
    for path in _multipart():
        for headers, csrf in (
            ({"Sec-Fetch-Site": "cross-site"}, token),
            ({"Sec-Fetch-Site": "same-site"}, token),
            ({"Origin": "https://evil.example"}, token),
            ({}, ""),
            ({}, other.csrf),
        ):
            sent = {"Accept": "text/html", "Origin": analyst.origin, **FETCHED} | headers
            answer = analyst.client.post(path, data={"csrf": csrf}, files={"files": ("a.csv", CSV)}, headers=sent)
            assert answer.status_code == 403, path
        late = (
            b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\n' + CSV
            + b'\r\n--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n' + token.encode() + b"\r\n--b--\r\n"
        )  # fmt: skip
        sent = {
            "Origin": analyst.origin,
            **FETCHED,
            "Content-Type": "multipart/form-data; boundary=b",
            "Accept": "text/html",
        }
        assert analyst.client.post(path, content=late, headers=sent).status_code == 403
    assert _kept(world) == []


def test_a_multipart_form_is_taken_nowhere_else(world: World, administrator: Browser) -> None:
    for page in TABLE:
        if page.method == "POST" and page.permission is not None and not page.uploads and page.reader is None:
            path = re.sub(r"{\w+}", "0" * 32, page.path)
            assert upload(administrator, path, ("a.csv", CSV), follow=False).status_code == 403, page.path


@pytest.mark.parametrize(
    "body",
    [
        b"", b"--b", b"--b\r\n", b"--b--\r\n", b"nothing of the sort",
        b"--b\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n' + b"x" * 40_000 + b"\r\n--b--\r\n",
        b"".join(b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n1\r\n' % i for i in range(60)) + b"--b--\r\n",
    ],
)  # fmt: skip
def test_a_form_that_is_none_breaks_nothing(world: World, analyst: Browser, body: bytes) -> None:
    sent = {"Origin": analyst.origin, **FETCHED, "Content-Type": "multipart/form-data; boundary=b", "Accept": "text/html"}
    answer = analyst.client.post("/sources/nouvelle/fichiers", content=body, headers=sent)
    assert answer.status_code in (403, 422), answer.text
    assert _kept(world) == []


def test_too_much_is_said_and_nothing_stays(tmp_path: Path) -> None:
    with make_world(tmp_path, upload_max_bytes=3_000_000, tenant_storage_bytes=3_500_000) as world:
        browser = Browser(world)
        browser.sign_in("analyst@t1.example")
        browser.get("/sources/nouvelle/fichiers")
        line = b"abc;def\r\n" * 200_000  # 1.8 MB
        page = upload(browser, "/sources/nouvelle/fichiers", ("a.csv", line), ("b.csv", line), ("c.csv", line))
        assert page.status_code == 413
        assert "dépassent ensemble" in page.text
        assert "/sources/nouvelle/fichiers" in page.text
        assert _kept(world) == []
        # The second file finds no room: the first, whole by then, goes with it.
        browser.get("/sources/nouvelle/fichiers")
        page = upload(browser, "/sources/nouvelle/fichiers", ("a.csv", line), ("b.csv", line))
        assert (page.status_code, "plein" in page.text) == (413, True)
        assert _kept(world) == []
        browser.get("/sources/nouvelle/fichiers")
        assert upload(browser, "/sources/nouvelle/fichiers", ("a.csv", line)).status_code == 200
        browser.get("/sources/nouvelle/fichiers")
        page = upload(browser, "/sources/nouvelle/fichiers", ("b.csv", line))
        assert (page.status_code, "plein" in page.text) == (413, True)
        assert _kept(world) == ["a.csv"]
        part = world.settings.data_dir / "tenants" / world.tenant_id() / "uploads"
        assert not list(part.glob("*.part"))


# ── a source's own page ──────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_another_tenants_does_not_exist(world: World) -> None:
    source_id = some_source(world)
    for role in ("administrator", "analyst"):
        browser = Browser(world)
        browser.sign_in(f"{role}@t2.example")
        browser.get("/account")
        for page in TABLE:
            if not page.path.startswith("/sources/{source_id}"):
                continue
            path = page.path.replace("{source_id}", source_id).replace("{draft_id}", "0" * 32)
            path = re.sub(r"{\w+}", "0" * 32, path)
            if page.uploads:
                answer = upload(browser, path, ("a.csv", CSV), follow=False)
            elif page.method == "POST":
                answer = browser.send(path, follow=False, sure="1", name="x", question="x", revision="1")
            else:
                answer = browser.get(path, follow=False)
            assert answer.status_code in (404, 403), f"{role} {page.method} {page.path}"
            assert "Exemple" not in answer.text
        assert "Exemple" not in browser.get("/sources").text
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        assert session.get(DataSource, source_id) is not None


def test_somebody_elses_draft_is_nobodys(world: World, analyst: Browser, administrator: Browser) -> None:
    analyst.get("/sources/nouvelle/fichiers")
    page = ready(analyst, upload(analyst, "/sources/nouvelle/fichiers", ("secret.csv", CSV)))
    address, draft = page.url.path, page.url.path.rpartition("/")[2]
    seen = administrator.get(address)
    assert "secret.csv" not in seen.text
    assert "Cette saisie n’est plus là" in seen.text
    assert administrator.get(f"/sources/brouillons/{draft}/etat").json() == {"ended": True}
    assert "secret.csv" not in administrator.send(address, act="keep", name="x").text


def test_a_sources_page_by_role(world: World, analyst: Browser, administrator: Browser) -> None:
    source_id = some_source(world)
    page = administrator.get(f"/sources/{source_id}")
    for said in ("Dernière lecture", "exemple.csv", "Réglages", "Supprimer cette source", "Créer la couche"):
        assert said in page.text, said
    page = analyst.get(f"/sources/{source_id}")
    assert "Dernière lecture" in page.text
    for said in ("exemple.csv", "Réglages", "Supprimer"):
        assert said not in page.text, said
    page = administrator.send(f"/sources/{source_id}/reglages", name="Ventes du Sud", model_values="1", revision="1")
    assert "Les réglages sont enregistrés" in page.text
    assert "Ventes du Sud" in page.text
    stale = administrator.send(f"/sources/{source_id}/reglages", name="Autre", revision="1")
    assert stale.status_code == 409
    assert "entre-temps" in stale.text
    assert 'value="Autre"' in stale.text  # what was typed is kept
    page = ready(administrator, administrator.send(f"/sources/{source_id}/actualiser"))
    assert page.status_code == 200
    assert administrator.get(f"/sources/{source_id}/etat").json()["ended"] is True


def test_a_source_goes_once_its_dependents_were_named(world: World, administrator: Browser) -> None:
    source_id = some_source(world)
    headers = world.headers("administrator")
    board = world.client.post("/api/v1/dashboards", json={"name": "Pilotage"}, headers=headers).json()["id"]
    plan = {"version": 1, "measures": [{"ref": "exemple.montant_ht"}]}
    made = world.client.post(
        f"/api/v1/dashboards/{board}/widgets",
        json={"title": "CA", "query": {"source_id": source_id, "plan": plan}},
        headers=headers,
    )
    if made.status_code >= 300:
        from hub_config.database import Widget

        with world.database.tenant(world.tenant_id()) as session:
            session.add(Widget(dashboard_id=board, query_json={"source_id": source_id}, chart_type="auto"))
    page = administrator.get(f"/sources/{source_id}/supprimer")
    assert "Pilotage" in page.text
    assert "1 fichier" in text_of(page)
    assert administrator.send(f"/sources/{source_id}/supprimer").status_code == 422
    page = administrator.send(f"/sources/{source_id}/supprimer", sure="1")
    assert "La source est supprimée" in page.text
    assert administrator.get(f"/sources/{source_id}").status_code == 404
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        actions = list(session.scalars(select(AuditEvent.action)))
    assert "source.delete" in actions


def test_what_people_type_is_text(world: World, administrator: Browser) -> None:
    typed = '"><script>alert(1)</script>'
    administrator.get("/sources/nouvelle/base?type=mysql")
    page = administrator.send("/sources/nouvelle/base", type="mysql", host=typed, database=typed, user=typed, name=typed)
    assert "<script>alert" not in page.text
    assert typed in unescape(page.text)
    csv = f'"{typed.replace(chr(34), chr(34) * 2)}";B\r\n"{typed.replace(chr(34), chr(34) * 2)}";1\r\n'.encode()
    page = ready(administrator, upload(administrator, "/sources/nouvelle/fichiers", ("<b>x.csv", csv)))
    assert "<script>alert" not in page.text


# ── drafts ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_draft_is_its_persons_and_not_for_ever(world: World) -> None:
    now = [0.0]
    drafts = Drafts(clock=lambda: now[0])
    analyst, administrator = world.principal("analyst"), world.principal("administrator")
    draft = drafts.put(DatabaseDraft(analyst.tenant_id, analyst.user_id, secrets={"password": "s3cret"}))
    assert "s3cret" not in repr(draft)
    assert drafts.get(analyst, draft.id, DatabaseDraft) is draft
    for who, kind, source in (
        (administrator, DatabaseDraft, None),
        (analyst, FilesDraft, None),
        (analyst, DatabaseDraft, "x"),
    ):
        with pytest.raises(NotFound):
            drafts.get(who, draft.id, kind, source)
    now[0] = 3601
    with pytest.raises(NotFound):
        drafts.get(analyst, draft.id, DatabaseDraft)
    drafts.forget_old()
    assert not drafts._kept
    many = [drafts.put(DatabaseDraft(analyst.tenant_id, analyst.user_id)) for _ in range(12)]
    with pytest.raises(NotFound):
        drafts.get(analyst, many[0].id, DatabaseDraft)
    assert drafts.get(analyst, many[-1].id, DatabaseDraft)
    drafts.forget(analyst.tenant_id)
    assert not drafts._kept


def test_an_attempt_that_breaks_is_an_incident() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    told: list[int] = []
    attempt = Attempt(broken)
    attempt.then(lambda: told.append(1))
    wait_until(lambda: attempt.ended and told)
    assert attempt.problem is not None
    assert attempt.result is None
