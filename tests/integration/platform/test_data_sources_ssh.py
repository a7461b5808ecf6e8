"""Databases behind an SSH server, over the API: the server's key is confirmed by a person, its secrets come out nowhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import ssh_server
from tests.integration.platform.test_data_sources_servers import SECRET, _connected, connection, world
from tests.platform_support import World, wait_until
from tests.unit.platform.test_content import _call

__all__ = ["connection", "world"]  # fixtures
pytestmark = pytest.mark.skipif(ssh_server.missing() is not None, reason=str(ssh_server.missing()))
PHRASE = "phrase-qui-n-est-nulle-part"


@pytest.fixture(scope="module")
def bastion() -> Iterator[ssh_server.SshServer]:
    with ssh_server.ssh_server() as server:
        yield server


@pytest.fixture
def way(bastion: ssh_server.SshServer, tmp_path: Path) -> dict[str, Any]:
    """An SSH server as an administrator types it: without the server's key, with a key that has a passphrase."""
    key = ssh_server.new_key(tmp_path / "key", passphrase=PHRASE)
    (bastion.folder / "authorized").write_text((tmp_path / "key.pub").read_text())
    return {"host": "127.0.0.1", "port": bastion.port, "user": bastion.user, "private_key": key, "passphrase": PHRASE}


def _confirmed(world: World, connection: dict[str, Any], way: dict[str, Any]) -> dict[str, Any]:
    """Test the connection, and take the key that the server shows, as the page does once the person has compared."""
    tested = _call(world, "POST", "/data-sources/test", json=connection | {"ssh": way}).json()
    assert (tested["ok"], tested["code"]) == (False, "ssh_host_key_unconfirmed"), tested
    return connection | {"ssh": way | {"host_key": tested["ssh_host_key"]["host_key"]}}


def test_tested_confirmed_asked_and_the_secrets_are_nowhere(
    world: World,
    connection: dict[str, Any],
    way: dict[str, Any],
    bastion: ssh_server.SshServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[str] = []
    before = len(bastion.log)
    with caplog.at_level(logging.DEBUG):
        first = _call(world, "POST", "/data-sources/test", json=connection | {"ssh": way}).json()
        assert first["ssh_host_key"]["fingerprint"].startswith("SHA256:")
        wait_until(lambda: bool(bastion.connections(before)))
        assert not [told for told in bastion.connections(before) if "Accepted publickey" in told]
        unconfirmed = _call(world, "POST", "/data-sources", json={"name": "x", "connection": connection | {"ssh": way}})
        assert (unconfirmed.status_code, unconfirmed.json()["error"]["code"]) == (422, "ssh_unconfirmed")
        whole = _confirmed(world, connection, way)
        assert _call(world, "POST", "/data-sources/test", json=whole).json()["ok"] is True
        source_id = _connected(world, whole)
        for path in ("", "/connection", "/catalog"):
            told.append(_call(world, "GET", f"/data-sources/{source_id}{path}").text)
        asked = {"source_id": source_id, "question": "montant HT total des ventes par région", "today": "2026-06-17"}
        answer = _call(world, "POST", "/ai/query", "analyst", json=asked)
        told += [answer.text, _call(world, "GET", "/audit").text, _call(world, "GET", "/audit/export").text]
    assert sorted(map(tuple, answer.json()["rows"])) == [("Nord", "24.50"), ("Sud", "100.50")], answer.text
    shown = json.loads(told[1])["connection"]["ssh"]
    assert (shown["has_private_key"], shown["has_passphrase"], shown["has_password"]) == (True, True, False)
    assert shown["fingerprint"] == first["ssh_host_key"]["fingerprint"]
    assert "connection" not in json.loads(told[0])
    logged = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    stored = b"".join(p.read_bytes() for p in world.settings.data_dir.rglob("*") if p.is_file())
    for secret in (SECRET, PHRASE, *way["private_key"].split("\n")[1:4]):
        assert secret not in "".join(told) + logged
        assert secret.encode() not in stored


def test_kept_secrets_go_through_no_other_server(world: World, connection: dict[str, Any], way: dict[str, Any]) -> None:
    whole = _confirmed(world, connection, way)
    source_id = _connected(world, whole)
    path = f"/data-sources/{source_id}"

    def change(**fields: Any) -> tuple[int, str | None]:
        revision = _call(world, "GET", path).json()["revision"]
        done = _call(world, "PATCH", path, json={"revision": revision, "connection": fields})
        return done.status_code, done.json().get("error", {}).get("code")

    other = {"host_key": whole["ssh"]["host_key"].replace("AAAAI", "AAAAJ")[:30]}
    for ssh in ({"host": "localhost"}, {"port": 1}, {"user": "autre"}):
        assert change(ssh=ssh) == (422, "password_again")
        assert change(ssh=ssh, password=SECRET) == (422, "ssh_secret_again")
        assert change(ssh=ssh | {"private_key": None}, password=SECRET) == (422, "ssh_secret_again")
    assert change(ssh=None) == (422, "password_again")
    assert change(ssh=other, password=SECRET)[0] == 422
    assert change(ssh={"host_key": None}, password=SECRET)[0] == 422
    # Another key for the same account of the same server: nobody new sees the database's password.
    assert change(ssh={"private_key": way["private_key"], "passphrase": PHRASE}) == (200, None)
    assert change(ssh={"passphrase": "fausse"}) == (422, "ssh_key_passphrase")
    moved = {"host": "localhost", "private_key": way["private_key"], "passphrase": PHRASE}
    assert change(ssh=moved, password=SECRET) == (200, None)
    assert _call(world, "POST", f"{path}/test").json()["ok"] is True
    assert change(ssh=None, password=SECRET) == (200, None)
    assert "ssh" not in _call(world, "GET", f"{path}/connection").json()["connection"]
    assert _call(world, "POST", f"{path}/test").json()["ok"] is True


def test_a_replaced_server_is_shown_and_waits_for_a_person(
    world: World, connection: dict[str, Any], way: dict[str, Any], tmp_path: Path
) -> None:
    with ssh_server.ssh_server() as bastion:
        (bastion.folder / "authorized").write_text((tmp_path / "key.pub").read_text())
        whole = _confirmed(world, connection, way | {"port": bastion.port})
        source_id = _connected(world, whole)
        bastion.new_host_key("-t", "ecdsa")
        tested = _call(world, "POST", f"/data-sources/{source_id}/test").json()
        assert (tested["ok"], tested["code"]) == (False, "ssh_host_key_changed")
        assert tested["ssh_host_key"]["sort"] == "ecdsa-sha2-nistp256"
        assert bastion.host_key.startswith(tested["ssh_host_key"]["host_key"])


@pytest.mark.parametrize("host", ["10.0.0.8", "169.254.169.254", "::1", "0x7f000001", "metadata.google.internal"])
def test_ssh_servers_that_are_not_for_tenants(
    world: World, connection: dict[str, Any], way: dict[str, Any], host: str
) -> None:
    body = connection | {"ssh": way | {"host": host}}
    tested = _call(world, "POST", "/data-sources/test", json=body)
    assert tested.status_code == 422 or tested.json()["ok"] is False, tested.text
    assert tested.status_code == 422 or tested.json()["ssh_host_key"] is None
    made = _call(world, "POST", "/data-sources", json={"name": "x", "connection": body})
    assert made.status_code == 422, made.text
    assert _call(world, "GET", "/data-sources").json()["items"] == []
