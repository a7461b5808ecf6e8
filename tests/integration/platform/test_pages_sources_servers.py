"""« Connectez vos données » with databases, over HTTP on real servers: tested, kept, understood, changed; secrets stay out."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub_config.database import DataSource
from tests import ssh_server
from tests.integration.platform.test_data_sources_servers import READER, SECRET, connection
from tests.pages_support import Browser
from tests.platform_support import World, make_world
from tests.servers import Server
from tests.unit.platform.test_pages_sources import decide, ready, text_of

__all__ = ["connection"]  # a fixture
FORM = "/sources/nouvelle/base"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path, source_networks_allowed=("127.0.0.0/8", "localhost")) as made:
        yield made


@pytest.fixture
def administrator(world: World) -> Browser:
    browser = Browser(world)
    browser.sign_in("administrator@t1.example")
    browser.get("/account")
    return browser


def _typed(connection: dict[str, Any], **more: str) -> dict[str, str]:
    return {name: str(value) for name, value in connection.items()} | {"name": "Base", "act": "test"} | more


def _draft(page: Any) -> str:
    found = re.search(r'name="draft" value="(\w+)"', page.text)
    assert found, page.text
    return found[1]


def _tested(browser: Browser, fields: Any, path: str = FORM) -> Any:
    return ready(browser, decide(browser, path, fields))


def _kept(browser: Browser, connection: dict[str, Any]) -> str:
    """Connect a database through the pages; return its page's address."""
    page = _tested(browser, _typed(connection))
    assert "La connexion fonctionne" in page.text, text_of(page)
    # The password was typed once: the form comes back without it, and is kept as it is shown.
    page = ready(browser, decide(browser, FORM, _typed(connection, password="", act="keep", draft=_draft(page))))
    assert page.url.path.endswith("/compris"), text_of(page)
    return str(page.url.path.removesuffix("/compris"))


def test_a_database_in_three_steps(world: World, administrator: Browser, connection: dict[str, Any]) -> None:
    page = administrator.get(f"{FORM}?type={connection['type']}")
    assert f'value="{connection["type"]}"' in page.text
    seen = [page.text]
    page = _tested(administrator, _typed(connection))
    address, shown = page.url.path, text_of(page)
    seen.append(page.text)
    assert "La connexion fonctionne, et le compte ne peut que lire" in shown or "Bon à savoir" in shown
    assert "Déjà donné, et jamais réaffiché" in shown
    # Reloaded or come back to: the same, and nothing is sent again.
    assert text_of(administrator.get(address)) == shown
    with world.database.tenant(world.tenant_id(), read_only=True) as session:
        assert session.scalars(select(DataSource)).all() == []
    source = _kept(administrator, connection)
    page = ready(administrator, administrator.get(f"{source}/compris"))
    shown = text_of(page)
    seen.append(page.text)
    for said in ("2 tables", "7 colonnes", "1 lien", "Ventes", "Clients", "montant HT", "déduit", "Créer la couche"):
        assert said in shown, said
    question = re.search(r'name="question" value="([^"]+)"', page.text)
    assert question, "no first question is suggested"
    answer = administrator.send(f"{source}/question", question="montant HT total par région")
    seen.append(answer.text)
    assert "24,50" in text_of(answer)
    page = administrator.get(source)
    seen.append(page.text)
    assert "enregistré, chiffré" in page.text
    page = ready(administrator, administrator.send(f"{source}/tester"))
    assert "La connexion fonctionne" in page.text
    seen.append(page.text)
    seen.append(administrator.get(f"{source}/connexion").text)
    assert SECRET not in "".join(seen)
    # An analyst sees what was understood, and neither the connection nor a way to it.
    analyst = Browser(world)
    analyst.sign_in("analyst@t1.example")
    page = analyst.get(source)
    for hidden in (READER, "127.0.0.1", "/connexion", "/supprimer"):
        assert hidden not in page.text
    assert "2 tables" in text_of(analyst.get(f"{source}/compris"))
    for path in ("/connexion", "/supprimer"):
        assert analyst.get(f"{source}{path}").status_code == 403


def test_each_problem_is_one_sentence_and_nothing_typed_is_lost(
    world: World, administrator: Browser, connection: dict[str, Any]
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        closed = str(silent.getsockname()[1])
    for change, said in (
        ({"password": "faux-mot-de-passe"}, "l’utilisateur ou le mot de passe"),
        ({"port": closed}, "ne répond pas à cette adresse"),
        ({"database": "n_existe_pas"}, "base"),
        ({"host": "10.0.0.8"}, "n’est pas une adresse publique"),
        ({"host": "169.254.169.254"}, "n’est pas une adresse publique"),
        ({"host": "http://bd.exemple.fr"}, "n’en est pas un"),
        ({"host": ""}, "Indiquez le serveur"),
        ({"port": "99999"}, "de 1 à 65535"),
        ({"ca_certificate": "pas un certificat"}, "n’est pas lisible"),
        ({"tls": "verify"}, "chiffr"),
    ):
        page = _tested(administrator, _typed(connection, **change))
        shown = text_of(page)
        assert said in shown, (change, shown)
        assert "La connexion fonctionne" not in shown
        assert 'role="alert"' in page.text
        kept = _typed(connection, **change)
        for name in ("host", "database", "user", "name"):
            assert f'id="{name}" name="{name}" value="{kept[name]}"' in page.text, (change, name)
        assert kept["password"] not in page.text
    assert administrator.get("/sources").text.count("dp-card") == 0


def test_a_secret_is_for_the_server_that_it_was_typed_for(
    world: World, administrator: Browser, connection: dict[str, Any]
) -> None:
    """Whoever names another server, port, account or database system types the password again; the old one goes nowhere."""
    received: list[bytes] = []
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        trap.settimeout(5)

        def serve() -> None:
            while True:
                try:
                    taken, _ = trap.accept()
                except TimeoutError:
                    continue
                except OSError:
                    return
                with taken:
                    taken.settimeout(1)
                    try:
                        received.append(taken.recv(4096))
                    except OSError:
                        received.append(b"")

        threading.Thread(target=serve, daemon=True).start()
        elsewhere = {"port": str(trap.getsockname()[1])}
        page = _tested(administrator, _typed(connection))
        draft = _draft(page)
        page = _tested(administrator, _typed(connection, password="", draft=draft, **elsewhere))
        assert "Donnez de nouveau le mot de passe" in page.text
        assert "Déjà donné" not in page.text
        page = _tested(administrator, _typed(connection, password="", draft=draft, user="autre"))
        assert "La connexion fonctionne" not in page.text
        source = _kept(administrator, connection)
        # Of a kept source: its own password is never shown, and goes to no server that is named later.
        page = administrator.get(f"{source}/connexion")
        assert SECRET not in page.text
        for change in (elsewhere, {"user": "autre"}, {"host": "localhost"}):
            page = _tested(administrator, _typed(connection, password="", **change), f"{source}/connexion")
            assert "Donnez de nouveau le mot de passe" in page.text, text_of(page)
            page = _tested(
                administrator,
                _typed(connection, password="", act="keep", draft=_draft(page), **change),
                f"{source}/connexion",
            )
            assert not page.url.path.endswith("/compris")
    assert SECRET.encode() not in b"".join(received)
    assert ready(administrator, administrator.send(f"{source}/tester")).text.count("La connexion fonctionne") == 1


def test_a_connection_is_changed_and_its_password_replaced(
    world: World, administrator: Browser, connection: dict[str, Any]
) -> None:
    source = _kept(administrator, connection)
    form = f"{source}/connexion"
    page = administrator.get(form)
    assert READER in page.text
    page = _tested(administrator, _typed(connection, password="faux"), form)
    assert "l’utilisateur ou le mot de passe" in text_of(page)
    page = _tested(administrator, _typed(connection, password=SECRET, host="localhost"), form)
    assert "La connexion fonctionne" in page.text, text_of(page)
    draft = _draft(page)
    # Another word than what was tested is another test, not kept.
    page = _tested(
        administrator, _typed(connection, password="", host="localhost", database="autre", act="keep", draft=draft), form
    )
    assert page.url.path == f"{form}/{draft}"
    page = _tested(administrator, _typed(connection, password="", host="localhost", draft=draft), form)
    page = ready(
        administrator,
        decide(administrator, form, _typed(connection, password="", host="localhost", act="keep", draft=draft)),
    )
    assert page.url.path == f"{source}/compris", text_of(page)
    assert "localhost" in administrator.get(source).text
    assert "2 tables" in text_of(page)


def test_an_account_that_can_write_is_said_with_the_sql_of_one_that_cannot(
    world: World, administrator: Browser, postgres: Server, mariadb: Server
) -> None:
    from urllib.parse import urlsplit

    for server, kind, says in ((postgres, "postgresql", "CREATE ROLE"), (mariadb, "mariadb", "CREATE USER")):
        where = urlsplit(server.new_database())
        given = {
            "type": kind, "host": "127.0.0.1", "port": where.port, "database": where.path.lstrip("/"),
            "user": where.username, "password": where.password or "", "tls": "disable",
        }  # fmt: skip
        page = _tested(administrator, _typed(given, name=f"Base {kind}"))
        shown = text_of(page)
        assert "Ce compte peut faire plus que lire" in shown, shown
        assert f"{says} " in shown
        assert "datapilot_lecture" in shown
        assert "«mot de passe»" in shown
        page = ready(
            administrator,
            decide(administrator, FORM, _typed(given, name=f"Base {kind}", password="", act="keep", draft=_draft(page))),
        )
        assert page.url.path.endswith("/compris"), text_of(page)
        assert "Ce compte peut faire plus que lire" in text_of(page)


def test_a_name_that_is_taken_is_said_at_the_form(world: World, administrator: Browser, connection: dict[str, Any]) -> None:
    _kept(administrator, connection)
    page = _tested(administrator, _typed(connection))
    page = decide(administrator, FORM, _typed(connection, password="", act="keep", draft=_draft(page)))
    assert "porte déjà ce nom" in page.text
    page = decide(administrator, FORM, _typed(connection, password="", name="Autre", act="keep", draft=_draft(page)))
    page = ready(administrator, page)
    if not page.url.path.endswith("/compris"):  # another name is no other connection, and yet another word
        page = decide(administrator, FORM, _typed(connection, password="", name="Autre", act="keep", draft=_draft(page)))
    assert ready(administrator, page).url.path.endswith("/compris")


@pytest.mark.skipif(ssh_server.missing() is not None, reason=str(ssh_server.missing()))
def test_a_tunnel_is_confirmed_by_a_person(world: World, administrator: Browser, connection: dict[str, Any]) -> None:
    with ssh_server.ssh_server() as bastion:
        way = {
            "ssh_host": "127.0.0.1", "ssh_port": str(bastion.port), "ssh_user": bastion.user,
            "ssh_private_key": bastion.client_key,
        }  # fmt: skip
        again = way | {"password": "", "ssh_private_key": ""}
        missing = _tested(administrator, _typed(connection, **(way | {"ssh_private_key": ""})))
        assert "Donnez la clé privée" in missing.text
        page = _tested(administrator, _typed(connection, **way))
        assert "Est-ce bien votre serveur SSH" in page.text, text_of(page)
        fingerprint = re.search(r'name="fingerprint" value="(SHA256:[^"]+)"', page.text)
        assert fingerprint
        assert "Accepted" not in bastion.log
        draft = _draft(page)
        confirmed = again | {"fingerprint": fingerprint[1], "confirm": "1", "draft": draft}
        # Not confirmed, or another fingerprint than the one that was shown: asked again, and nothing secret is sent.
        for wrong in ({"confirm": ""}, {"fingerprint": "SHA256:autre"}):
            page = _tested(administrator, _typed(connection, **(confirmed | wrong)))
            assert "Est-ce bien votre serveur SSH" in page.text
            assert "Accepted" not in bastion.log
        page = _tested(administrator, _typed(connection, **confirmed))
        assert "La connexion fonctionne" in page.text, text_of(page)
        page = ready(administrator, decide(administrator, FORM, _typed(connection, **again, draft=draft) | {"act": "keep"}))
        assert page.url.path.endswith("/compris"), text_of(page)
        source = page.url.path.removesuffix("/compris")
        for path in (source, f"{source}/connexion"):
            shown = administrator.get(path).text
            assert bastion.client_key.split("\n")[1] not in shown
            assert SECRET not in shown
        assert fingerprint[1] in administrator.get(source).text
        # Through another server nothing that is kept goes.
        other = again | {"ssh_port": "1"}
        page = _tested(administrator, _typed(connection, **other), f"{source}/connexion")
        assert "Donnez de nouveau le mot de passe" in page.text


def test_a_reading_that_takes_long_is_shown_as_it_goes(world: World, administrator: Browser) -> None:
    """The page says how far it is, looks again without a script, and a server that never answers freezes nobody."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        given = {"type": "postgresql", "host": "127.0.0.1", "port": silent.getsockname()[1], "database": "d", "user": "u",
                 "password": "p", "tls": "disable"}  # fmt: skip
        page = decide(administrator, FORM, _typed(given))
        assert "Test en cours" in page.text
        assert '<noscript><meta http-equiv="refresh"' in page.text
        assert "disabled" in page.text
        state = re.search(r'data-state="([^"]+)"', page.text)
        assert state
        assert administrator.get(state[1]).json() == {"ended": False}
        assert administrator.get("/sources").status_code == 200
    page = ready(administrator, page)
    assert "La connexion fonctionne" not in page.text
