"""An SSH server as data: its key's line and fingerprint, private keys before any library opens them, and what the wall judges."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.sources.ssh import HostKey, checked_armour
from hub_config.data_sources.connection import ConnectionConfig
from hub_config.data_sources.network import HostRefused, NetworkWall

# RFC 8032's first test key, as an SSH server's.
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"


def _wire(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _armoured(kdf: bytes, options: bytes) -> str:
    body = b"openssh-key-v1\0" + _wire(b"aes256-ctr", kdf, options) + bytes(64)
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{base64.b64encode(body).decode()}\n-----END OPENSSH PRIVATE KEY-----\n"


def _config(**ssh: Any) -> ConnectionConfig:
    way = {"host": "bastion.client.fr", "user": "passage", "host_key": LINE, "private_key": _armoured(b"none", b""), **ssh}
    return ConnectionConfig(type="postgresql", host="10.1.2.3", database="d", user="u", ssh=way)


@pytest.mark.parametrize(
    "line", [LINE, f"{LINE} root@bastion", f"bastion.client.fr {LINE}\n", f"[bastion]:2222 {LINE} x y", f"  {LINE}  "]
)
def test_a_keys_line_has_one_spelling(line: str) -> None:
    key = HostKey.parse(line)
    assert key.line == LINE
    assert key.fingerprint == "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8"


@pytest.mark.parametrize(
    "line",
    [
        "", "ssh-ed25519", LINE[:-8], LINE.replace("ssh-ed25519", "ssh-rsa", 1), LINE.replace("ssh-ed25519", "ssh-dss", 1),
        "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8", LINE + "é=", "a b " + LINE, "ssh-ed25519 " + "A" * 20_000,
    ],
)  # fmt: skip
def test_what_is_no_key_is_said_to_be_none(line: str) -> None:
    with pytest.raises(SourceProblem) as caught:
        HostKey.parse(line)
    assert caught.value.reason == "ssh_host_key_unreadable"


def test_a_key_that_would_cost_us_hours_is_not_opened() -> None:
    assert checked_armour(_armoured(b"bcrypt", _wire(b"sel") + (24).to_bytes(4, "big")))
    for rounds in (257, 2**32 - 1):
        with pytest.raises(SourceProblem) as caught:
            checked_armour(_armoured(b"bcrypt", _wire(b"sel") + rounds.to_bytes(4, "big")))
        assert caught.value.reason == "ssh_key_costly"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ssh_key_unreadable"),
        (LINE, "ssh_key_unreadable"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n!!!\n-----END OPENSSH PRIVATE KEY-----", "ssh_key_unreadable"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "ssh_key_unreadable"),
        ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----", "ssh_key_unreadable"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "ssh_key_unreadable"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----", "ssh_key_format"),
        ("-----BEGIN PRIVATE KEY-----\n" + "A" * 20_000 + "\n-----END PRIVATE KEY-----", "ssh_key_unreadable"),
    ],
)
def test_what_is_no_private_key_is_said_to_be_none(text: str, reason: str) -> None:
    with pytest.raises(SourceProblem) as caught:
        checked_armour(text)
    assert caught.value.reason == reason


def test_the_wall_judges_the_ssh_server_and_not_the_far_side() -> None:
    wall = NetworkWall(resolver={"bastion.client.fr": ["8.8.8.8"], "interne.client.fr": ["10.9.9.9"]}.__getitem__)
    where = _config().location(wall)
    assert where.host == "10.1.2.3"
    assert where.addresses is None
    assert where.ssh is not None
    assert where.ssh.addresses is not None
    assert where.ssh.addresses() == ("8.8.8.8",)
    for host in ("interne.client.fr", "10.0.0.8", "127.0.0.1", "169.254.169.254"):
        with pytest.raises(HostRefused):
            _config(host=host).location(wall)
    with pytest.raises(HostRefused):
        _config(host="0x7f.1")


def test_the_way_to_the_vault_and_back_loses_nothing_and_shows_nothing() -> None:
    config = _config(passphrase="sésame")
    assert ConnectionConfig.model_validate(config.plain()) == config
    shown = config.shown()["ssh"]
    assert shown == {
        "host": "bastion.client.fr", "port": 22, "user": "passage", "host_key": LINE, "has_private_key": True,
        "has_passphrase": True, "has_password": False, "fingerprint": HostKey.parse(LINE).fingerprint,
    }  # fmt: skip
    secrets = ("sésame", _armoured(b"none", b"").split("\n")[1])
    for said in (repr(config), str(config), repr(shown), str(config.model_dump()), config.model_dump_json()):
        assert not any(secret in said for secret in secrets)


@pytest.mark.parametrize(
    "ssh",
    [
        {"port": 0},
        {"port": "22"},
        {"user": ""},
        {"user": "a\nb"},
        {"proxy_command": "nc"},
        {"password": "a\0b"},
        {"host": ""},
    ],
)
def test_there_are_no_free_parameters(ssh: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _config(**ssh)


def test_the_kernel_does_without_the_library(tmp_path: Path) -> None:
    """A notebook's image has no asyncssh: everything imports, and a source with a tunnel says what is missing."""
    code = """
import sys
sys.modules["asyncssh"] = None
from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.sources import DatabaseLocation, HostKey, SshServer, Tls, open_source
key = HostKey.parse(sys.argv[1])
where = DatabaseLocation("postgres", "bd", 5432, "d", "u", "p", tls=Tls(), ssh=SshServer("b", 22, "u", key, password="x"))
source = open_source(where)
try:
    source.execute("SELECT 1")
except SourceProblem as problem:
    print(problem.reason)
source.close()
"""
    done = subprocess.run([sys.executable, "-c", code, LINE], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "ssh_not_installed", done.stderr
