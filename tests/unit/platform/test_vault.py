"""The vault: bound to tenant and source, silent about what it holds, its key file guarded, its keys gone with the tenant."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select, update

from datapilot_kernel.cli import main
from hub_config.data_sources.connection import ConnectionConfig
from hub_config.database import Database, DataSource, Tenant, TenantKey, delete_tenant, migrate
from hub_config.vault import KeyFileProblem, MasterKeys, SecretUnreadable, Vault, rotate, rotation, status

PASSWORD = "s3cr3t-é€-{{pw}}"


def config(number: int = 0) -> ConnectionConfig:
    return ConnectionConfig(
        type="postgresql",
        host=f"db{number}.exemple.fr",
        database="ventes",
        user="lea",
        password=f"{PASSWORD}{number}",  # type: ignore[arg-type]
    )


@dataclass
class Kept:
    """A database with tenants and their secrets."""

    database: Database
    vault: Vault
    secrets: dict[tuple[str, str], ConnectionConfig] = field(default_factory=dict)

    def add(self, tenants: int = 2, sources: int = 2) -> None:
        for _ in range(tenants):
            number = len({tenant for tenant, _ in self.secrets})
            tenant = Tenant(name=f"Maison {number}", slug=f"maison-{number}")
            with self.database.tenant(tenant.id) as session:
                session.add(tenant)
                session.flush()
                for place in range(sources):
                    row = DataSource(name=f"source {place}", type="postgres")
                    given = config(len(self.secrets))
                    row.connection_config_encrypted = self.vault.encrypt(session, tenant.id, row.id, given.plain())
                    session.add(row)
                    self.secrets[(tenant.id, row.id)] = given

    def token(self, tenant_id: str, source_id: str) -> str:
        with self.database.tenant(tenant_id, read_only=True) as session:
            found = session.get(DataSource, source_id).connection_config_encrypted
        assert isinstance(found, str)
        return found

    def read(self, tenant_id: str, source_id: str, token: str | None = None, vault: Vault | None = None) -> ConnectionConfig:
        token = token or self.token(tenant_id, source_id)
        with self.database.tenant(tenant_id, read_only=True) as session:
            return (vault or self.vault).decrypt(session, tenant_id, source_id, token)

    def check_all(self) -> None:
        fresh = Vault(self.vault.master.path)
        for (tenant_id, source_id), expected in self.secrets.items():
            assert self.read(tenant_id, source_id, vault=fresh) == expected


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    url = f"sqlite:///{tmp_path}/platform.sqlite3"
    migrate(url)
    made = Kept(Database(url), Vault(tmp_path / "keys" / "vault.keys"))
    made.vault.prepare(made.database)
    made.add()
    yield made
    made.database.dispose()


def test_what_goes_in_comes_out_and_only_ciphertext_is_kept(kept: Kept, tmp_path: Path) -> None:
    kept.check_all()
    files = b"".join(path.read_bytes() for path in tmp_path.glob("platform.sqlite3*"))
    assert b"connection_config_encrypted" in files
    for hidden in (b"s3cr3t", b"db0.exemple.fr", *kept.vault.master.path.read_bytes().split()[:1]):
        assert hidden not in files


def test_equal_secrets_look_different(kept: Kept) -> None:
    (tenant, source), given = next(iter(kept.secrets.items()))
    with kept.database.tenant(tenant) as session:
        tokens = {kept.vault.encrypt(session, tenant, source, given) for _ in range(3)}
    assert len(tokens) == 3


def test_a_ciphertext_that_was_moved_does_not_decrypt(kept: Kept) -> None:
    (a1, a2, b1, _) = kept.secrets
    for place, moved in ((a2, kept.token(*a1)), (b1, kept.token(*a1)), (a1, kept.token(*b1))):
        with pytest.raises(SecretUnreadable):
            kept.read(*place, token=moved)
    # With the name of the other tenant's own key written into it, too.
    forged = ".".join(["v1", kept.token(*b1).split(".")[1], kept.token(*a1).split(".")[2]])
    with pytest.raises(SecretUnreadable):
        kept.read(*b1, token=forged)


def test_a_wrapped_key_that_was_moved_does_not_unwrap(kept: Kept) -> None:
    (a1, _, b1, _) = kept.secrets
    wrapped = []
    for tenant, _ in (a1, b1):
        with kept.database.tenant(tenant, read_only=True) as session:
            wrapped.append(session.scalars(select(TenantKey.wrapped_key)).one())
    with kept.database.tenant(b1[0]) as session:
        session.execute(update(TenantKey).values(wrapped_key=wrapped[0]))
    with pytest.raises(SecretUnreadable):
        kept.read(*b1)


@pytest.mark.parametrize("token", ["", "v1", "v1.x.y", "v2.a.b", "{}", "v1..", "a.b.c.d"])
def test_what_is_no_token_does_not_decrypt(kept: Kept, token: str) -> None:
    place = next(iter(kept.secrets))
    with kept.database.tenant(place[0], read_only=True) as session, pytest.raises(SecretUnreadable):
        kept.vault.decrypt(session, *place, token)


def test_a_changed_byte_does_not_decrypt(kept: Kept) -> None:
    place = next(iter(kept.secrets))
    token = kept.token(*place)
    for position in range(40, len(token), 37):
        other = "A" if token[position] != "A" else "B"
        with pytest.raises(SecretUnreadable):
            kept.read(*place, token=token[:position] + other + token[position + 1 :])


def test_another_tenants_session_is_refused(kept: Kept) -> None:
    (a1, _, b1, _) = kept.secrets
    with kept.database.tenant(b1[0]) as session:
        with pytest.raises(SecretUnreadable):
            kept.vault.decrypt(session, *a1, kept.token(*a1))
        with pytest.raises(SecretUnreadable):
            kept.vault.encrypt(session, *a1, config())


def test_it_tells_nobody(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    place = next(iter(kept.secrets))
    key = kept.vault.master.path.read_text().split()[0]
    shown = f"{kept.vault!r} {kept.vault.master!r} {kept.vault.master.all()!r} {vars(kept.vault)} {vars(kept.vault.master)}"
    for wrong in ("v1.x.y", kept.token(*list(kept.secrets)[1])):
        with pytest.raises(SecretUnreadable) as caught:
            kept.read(*place, token=wrong)
        problem = caught.value
        assert (problem.__cause__, problem.__context__) == (None, None)
        shown += "".join(traceback.format_exception(problem)) + problem.log + repr(problem) + str(problem)
    shown += caplog.text
    for hidden in (PASSWORD, "s3cr3t", key, key.rstrip("="), kept.token(*place)):
        assert hidden not in shown
    for thing in (kept.vault, kept.vault.master, kept.vault.master.newest()):
        with pytest.raises(TypeError):
            pickle.dumps(thing)
        with pytest.raises(TypeError):
            copy.deepcopy(thing)


def test_a_plaintext_that_is_no_json_is_not_quoted(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    place = next(iter(kept.secrets))
    with kept.database.tenant(place[0]) as session:
        monkeypatch.setattr(json, "dumps", lambda *a, **k: f"broken {PASSWORD}")
        token = kept.vault.encrypt(session, *place, config())
        monkeypatch.undo()
        with pytest.raises(SecretUnreadable) as caught:
            kept.vault.decrypt(session, *place, token)
    assert caught.value.__context__ is None


def test_deleting_a_tenant_deletes_its_keys(kept: Kept) -> None:
    (a1, *_, b2) = kept.secrets
    token = kept.token(*a1)
    assert delete_tenant(kept.database, a1[0])["tenant_keys"] == 1
    with pytest.raises(SecretUnreadable):
        kept.read(*a1, token=token)
    assert kept.read(*b2) == kept.secrets[b2]


# The key file.


def test_the_file_is_its_owners_alone_and_refused_otherwise(kept: Kept) -> None:
    path = kept.vault.master.path
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    for mode in (0o640, 0o604, 0o660, 0o644):
        path.chmod(mode)
        with pytest.raises(KeyFileProblem) as caught:
            MasterKeys(path).all()
        assert caught.value.reason == "readable_by_others"
        with pytest.raises(SecretUnreadable):
            kept.read(*next(iter(kept.secrets)))
    path.chmod(0o600)
    kept.check_all()


@pytest.mark.parametrize(
    "content", ["", "\n# rien\n", "abc 1\n", "Zm9v" * 10 + "Zm8= hier\n", "A" * 43 + "= 1\n", "\xff\xfe"]
)
def test_a_file_of_something_else_is_refused_without_a_word_of_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "k"
    path.write_text(content, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(KeyFileProblem) as caught:
        MasterKeys(path).all()
    shown = "".join(traceback.format_exception(caught.value))
    assert not [word for word in content.split() if len(word) > 2 and word in shown and word != "hier"]


def test_a_lost_file_is_not_replaced(kept: Kept) -> None:
    saved = kept.vault.master.path.rename(kept.vault.master.path.with_name("ailleurs"))
    again = Vault(kept.vault.master.path)
    with pytest.raises(KeyFileProblem) as caught:
        again.prepare(kept.database)
    assert caught.value.reason == "lost"
    assert not kept.vault.master.path.exists()
    saved.rename(kept.vault.master.path)
    again.prepare(kept.database)
    kept.check_all()


def test_the_keys_may_come_as_a_value(kept: Kept, tmp_path: Path) -> None:
    key = kept.vault.master.path.read_text().split()[0]
    newer = Fernet.generate_key().decode()
    vault = Vault(tmp_path / "absent", keys=f"{newer}, {key}")
    vault.prepare(kept.database)
    for place, expected in kept.secrets.items():
        assert kept.read(*place, vault=vault) == expected
    with pytest.raises(KeyFileProblem) as caught:
        vault.master.prepend()
    assert caught.value.reason == "value_elsewhere"
    # The operator put a new key in front: the command finishes.
    assert rotate(kept.database, vault).done["encrypted"] == len(kept.secrets)
    alone = Vault(tmp_path / "absent", keys=newer)
    for place, expected in kept.secrets.items():
        assert kept.read(*place, vault=alone) == expected
    assert not (tmp_path / "absent").exists()


def test_two_processes_make_one_file(tmp_path: Path) -> None:
    first, second = MasterKeys(tmp_path / "k"), MasterKeys(tmp_path / "k")
    assert first.create()
    assert not second.create()
    assert first.all() == second.all()


# Rotation.


def _master(kept: Kept) -> list[str]:
    return [key.kid for key in Vault(kept.vault.master.path).master.all()]


def test_a_rotation_changes_every_key_and_token_and_nothing_else(kept: Kept) -> None:
    before = {place: kept.token(*place) for place in kept.secrets}
    rows = {}
    for tenant, source in kept.secrets:
        with kept.database.tenant(tenant, read_only=True) as session:
            row = session.get(DataSource, source)
            rows[source] = (row.revision, row.updated_at)
    progress = rotate(kept.database, kept.vault)
    assert progress.done == {"master": 1, "rewrapped": 2, "tenant_key": 2, "encrypted": 4, "retired": 2}
    assert (progress.resumed, progress.pending_tenants, progress.unreadable, progress.kept_master_keys) == (False, 0, 0, 1)
    kept.check_all()
    for place, token in before.items():
        assert kept.token(*place).split(".")[1] != token.split(".")[1]
        with kept.database.tenant(place[0], read_only=True) as session:
            row = session.get(DataSource, place[1])
            assert (row.revision, row.updated_at) == rows[place[1]]
    # The service of before, which holds no file open, goes on.
    assert kept.read(*next(iter(kept.secrets))) is not None
    found = status(kept.database, kept.vault)
    assert (found.tenants, found.tenant_keys, found.retired_keys, found.secrets) == (2, 4, 2, 4)
    assert (found.pending_tenants, found.unreadable_secrets) == (0, 0)


def test_old_keys_go_when_nothing_uses_them(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    rotate(kept.database, kept.vault)
    monkeypatch.setattr(rotation, "LONGEST_TRANSACTION_S", -1)
    monkeypatch.setattr(rotation, "DELETED_AFTER", timedelta(seconds=-1))
    first = _master(kept)
    progress = rotate(kept.database, kept.vault)
    assert progress.done["removed"] == 1
    assert progress.done["deleted"] == 4
    assert progress.kept_master_keys == 0
    assert len(_master(kept)) == 1
    assert _master(kept)[0] not in first
    kept.check_all()


def test_a_master_key_that_wraps_something_stays(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "LONGEST_TRANSACTION_S", -1)
    monkeypatch.setattr(rotation._Tenant, "rotate", lambda self: False)
    assert rotate(kept.database, kept.vault).kept_master_keys == 1
    assert len(_master(kept)) == 2
    kept.check_all()


def test_a_change_meanwhile_wins(kept: Kept) -> None:
    """Somebody edits a connection between the reading and the writing of its secret."""
    place = next(iter(kept.secrets))
    given = config(99)
    real = kept.vault.encrypted

    def edited(tenant_id: str, source_id: str, plain: Any, key: TenantKey) -> str:
        token = real(tenant_id, source_id, plain, key)
        if (tenant_id, source_id) == place and plain != given.plain():
            # SQLite has one writer: the edit is made in this transaction, which is what a faster one looks like.
            session: Any = edited.session  # type: ignore[attr-defined]
            mine = real(tenant_id, source_id, given.plain(), session.scalars(select(TenantKey)).first())
            session.execute(update(DataSource).where(DataSource.id == source_id).values(connection_config_encrypted=mine))
        return token

    newest = kept.vault.newest_key

    def watched(session: Any) -> Any:
        edited.session = session  # type: ignore[attr-defined]
        return newest(session)

    kept.vault.encrypted = edited  # type: ignore[method-assign]
    kept.vault.newest_key = watched  # type: ignore[method-assign]
    assert rotate(kept.database, kept.vault).pending_tenants == 0
    kept.secrets[place] = given
    kept.check_all()


def test_a_secret_that_is_broken_stops_nothing(kept: Kept) -> None:
    (broken, *others) = kept.secrets
    with kept.database.tenant(broken[0]) as session:
        token = kept.token(*others[0])
        session.execute(update(DataSource).where(DataSource.id == broken[1]).values(connection_config_encrypted=token))
    for _ in range(2):
        progress = rotate(kept.database, kept.vault)
        assert (progress.unreadable, progress.pending_tenants, progress.resumed) == (1, 0, False)
    assert kept.token(*broken) == token
    del kept.secrets[broken]
    kept.check_all()
    assert status(kept.database, kept.vault).unreadable_secrets == 1


def test_a_missing_master_key_stops_its_tenants_alone(kept: Kept) -> None:
    path = kept.vault.master.path
    old = path.read_text()
    path.write_text(f"{Fernet.generate_key().decode()} 0\n")
    kept.add(tenants=1)
    progress = rotate(kept.database, kept.vault)
    assert (progress.unreadable, progress.pending_tenants) == (2, 2)
    path.write_text(path.read_text() + old)
    progress = rotate(kept.database, kept.vault)
    assert (progress.resumed, progress.pending_tenants) == (True, 0)
    kept.check_all()


def test_a_clock_that_is_ahead_changes_nothing(kept: Kept) -> None:
    for tenant in {tenant for tenant, _ in kept.secrets}:
        with kept.database.tenant(tenant) as session:
            session.execute(update(TenantKey).values(created_at=TenantKey.created_at))
            row = session.scalars(select(TenantKey)).one()
            row.created_at += timedelta(hours=5)
    assert rotate(kept.database, kept.vault).done["encrypted"] == 4
    assert status(kept.database, kept.vault).pending_tenants == 0
    kept.check_all()


# The command.


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("DATAPILOT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATAPILOT_SECRETS_DIR", str(tmp_path / "none"))
    return tmp_path / "data"


def test_the_command(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--data", str(data)]
    assert main(["vault", "init", *where]) == 0
    assert str(data / "keys" / "vault.keys") in capsys.readouterr().out
    assert main(["vault", "init", "--json", *where]) == 1
    assert json.loads(capsys.readouterr().out)["made"] is False
    kept = Kept(Database(f"sqlite:///{data}/platform.sqlite3"), Vault(data / "keys" / "vault.keys"))
    kept.add(tenants=3)
    assert main(["vault", "rotate", *where]) == 0
    told = capsys.readouterr()
    assert re.search(r"3 clients, 3 clés remballées, 6 secrets rechiffrés", told.out)
    assert "client 3 sur 3" in told.err
    assert main(["vault", "status", "--json", *where]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["secrets"], found["pending_tenants"], len(found["master_keys"])) == (6, 0, 2)
    kept.check_all()
    kept.vault.master.path.unlink()
    assert main(["vault", "init", *where]) == 2
    assert "Remettez-le en place" in capsys.readouterr().err
    assert main(["vault", "rotate", *where]) == 2
    kept.database.dispose()
    shown = told.out + told.err
    assert PASSWORD not in shown
