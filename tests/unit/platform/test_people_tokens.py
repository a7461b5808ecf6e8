"""Access tokens: what is believed and what is not; the file of keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from datapilot_kernel.errors import BadInput
from hub_config.database import Tenant, User, utc_now
from hub_config.errors import Unauthenticated
from hub_config.people.keyring import KeyRing
from tests.platform_support import World, wait_until


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = token.split(".")
    return tuple(json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, claims))  # type: ignore[return-value]


def _forged(header: dict[str, Any], claims: dict[str, Any], sign: Any) -> str:
    signed = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
    return f"{signed}.{_b64(sign(signed.encode()))}"


def test_a_token_says_who_and_for_how_long(world: World) -> None:
    header, claims = _parts(world.token("analyst", audience="notebook"))
    assert header["alg"] == "EdDSA"
    assert claims["aud"] == "notebook"
    assert claims["iss"] == "datapilot"
    assert claims["exp"] - claims["iat"] == 600
    assert claims["tid"] == world.tenant_id()
    assert claims["sub"] == world.user_id("analyst")
    assert claims["role"] == "analyst"
    _, session = _parts(world.token("analyst"))
    assert session["exp"] - session["iat"] == 1800
    assert session["jti"] != claims["jti"]
    principal = world.principal("analyst", audience="notebook")
    assert (principal.audience, principal.role, principal.tenant_id) == ("notebook", "analyst", world.tenant_id())


def _attacks(world: World) -> dict[str, str]:
    good = world.token("viewer")
    header, claims = _parts(good)
    key = world.people.keys.newest()
    other = Ed25519PrivateKey.generate()
    public_raw = key.public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    public_pem = key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    admin = {**claims, "sub": world.user_id("administrator"), "role": "administrator"}
    other_tenant = {**claims, "tid": world.tenant_id("t2")}

    def hs(secret: bytes) -> Any:
        return lambda data: hmac.new(secret, data, hashlib.sha256).digest()

    def ours(changed: dict[str, Any], **head: Any) -> str:
        return _forged({**header, **head}, changed, key.private.sign)

    without = [{name: value for name, value in claims.items() if name != left} for left in claims]
    attacks = {
        "none": _forged({"alg": "none", "typ": "JWT"}, admin, lambda data: b""),
        "none_with_kid": _forged({**header, "alg": "none"}, admin, lambda data: b""),
        "None": _forged({**header, "alg": "None"}, admin, lambda data: b""),
        "hs256_by_public_key": _forged({**header, "alg": "HS256"}, admin, hs(public_raw)),
        "hs256_by_public_pem": _forged({**header, "alg": "HS256"}, admin, hs(public_pem)),
        "hs256_by_kid": _forged({**header, "alg": "HS256"}, admin, hs(key.kid.encode())),
        "hs256_empty": _forged({**header, "alg": "HS256"}, admin, hs(b"")),
        "ours_but_alg_says_hs256": ours(admin, alg="HS256"),
        "another_key": _forged(header, admin, other.sign),
        "another_key_in_the_header": _forged(
            {**header, "jwk": {"kty": "OKP", "crv": "Ed25519", "x": _b64(other.public_key().public_bytes_raw())}},
            admin,
            other.sign,
        ),
        "unknown_kid": ours(claims, kid="0" * 12),
        "kid_is_a_path": ours(claims, kid="../../../dev/null"),
        "kid_is_a_number": ours(claims, kid=0),
        "kid_is_a_list": ours(claims, kid=[key.kid]),
        "no_kid": _forged({"alg": "EdDSA"}, claims, key.private.sign),
        "changed_claims": ".".join([good.split(".")[0], _b64(json.dumps(admin).encode()), good.split(".")[2]]),
        "changed_tenant": ".".join([good.split(".")[0], _b64(json.dumps(other_tenant).encode()), good.split(".")[2]]),
        "no_signature": ".".join([*good.split(".")[:2], ""]),
        "critical_header": ours(claims, crit=["b64"], b64=False),
        # What only we could sign, and did not mean:
        "over": ours({**claims, "iat": 1, "exp": int(time.time()) - 60}),
        "not_yet": ours({**claims, "iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200}),
        "another_issuer": ours({**claims, "iss": "else"}),
        "another_audience": ours({**claims, "aud": "refresh"}),
        "two_audiences": ours({**claims, "aud": ["notebook", "session"]}),
        "no_such_person": ours({**claims, "sub": "0" * 32}),
        "of_another_tenant": ours(other_tenant),
        "no_such_tenant": ours({**claims, "tid": "f" * 32}),
        "tenant_is_a_list": ours({**claims, "tid": [claims["tid"]]}),
        "tenant_is_empty": ours({**claims, "tid": ""}),
        "epoch_is_text": ours({**claims, "epoch": "0"}),
        "epoch_is_true": ours({**claims, "epoch": False}),
        "another_epoch": ours({**claims, "epoch": 1}),
        "exp_is_text": ours({**claims, "exp": "never"}),
        "not_an_object": _forged(header, [], key.private.sign),  # type: ignore[arg-type]
        "nothing": "",
        "dots": "..",
        "garbage": "a.b.c",
        "not_ascii": "é" * 30,
        "long": good + "a" * 5000,
        "nested": _forged(header, json.loads("[" * 500 + "]" * 500), key.private.sign),
        "lower_case": good.lower(),
    }
    attacks |= {f"without_{left}": ours(some) for left, some in zip(claims, without, strict=True)}
    return attacks


def _refusal_of(world: World, token: str) -> Unauthenticated | None:
    try:
        world.people.authenticate(token)
    except Unauthenticated as refused:
        return refused
    return None


def test_no_forged_token_is_believed(world: World) -> None:
    assert world.people.authenticate(world.token("viewer")).role == "viewer"
    for name, token in _attacks(world).items():
        refused = _refusal_of(world, token)
        assert refused is not None, name
        assert refused.reason == "unauthenticated", name
        # Neither the library's words nor the token go along.
        assert refused.__cause__ is None, name
        assert refused.__suppress_context__ or refused.__context__ is None, name
        assert len(token) < 10 or token not in refused.log, name


def test_every_refusal_is_the_same_answer(world: World) -> None:
    answers = set()
    for token in [t for t in _attacks(world).values() if t.isascii() and t]:
        answer = world.client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
        answers.add((answer.status_code, answer.text, answer.headers["www-authenticate"]))
    assert len(answers) == 1
    assert next(iter(answers))[0] == 401


def test_roles_and_epochs_are_the_databases_not_the_tokens(world: World) -> None:
    token = world.token("analyst")
    user_id = world.user_id("analyst")
    admin = world.headers("administrator")
    assert world.people.authenticate(token).role == "analyst"
    assert world.client.patch(f"/api/v1/users/{user_id}", headers=admin, json={"role": "viewer"}).status_code == 200
    assert world.people.authenticate(token).role == "viewer"
    changed = world.client.patch(f"/api/v1/users/{user_id}", headers=admin, json={"attributes": {"region": "Sud"}})
    assert changed.status_code == 200
    assert dict(world.people.authenticate(token).attributes) == {"region": "Sud"}
    assert world.client.patch(f"/api/v1/users/{user_id}", headers=admin, json={"status": "disabled"}).status_code == 200
    with pytest.raises(Unauthenticated):
        world.people.authenticate(token)
    assert world.client.patch(f"/api/v1/users/{user_id}", headers=admin, json={"status": "active"}).status_code == 200
    with pytest.raises(Unauthenticated):  # the old session stays ended
        world.people.authenticate(token)
    assert world.people.authenticate(world.token("analyst")).role == "viewer"


def test_a_tenant_that_is_being_deleted_lets_nobody_in(world: World) -> None:
    token = world.token("analyst")
    with world.database.tenant(world.tenant_id()) as session:
        session.get(Tenant, world.tenant_id()).deleting_at = utc_now()
    world.people.states.forget(world.tenant_id())
    with pytest.raises(Unauthenticated):
        world.people.authenticate(token)
    body = {"email": "analyst@t1.example", "password": "quatre mots sans rapport"}
    assert world.client.post("/api/v1/auth/login", json=body).status_code == 401


def test_a_reading_begun_before_a_change_is_not_kept_after_it(world: World) -> None:
    """The reader has its row, the change is made, and only then the reader comes back."""
    from hub_config.people.states import States

    tenant_id, user_id = world.tenant_id(), world.user_id("analyst")

    class Slow(States):
        def _read(self, tenant: str, user: str) -> Any:
            found = super()._read(tenant, user)
            if not changed:
                changed.append(True)
                with world.database.tenant(tenant) as session:
                    session.get(User, user).role = "viewer"
                self.forget(tenant, user)
            return found

    changed: list[bool] = []
    states = Slow(world.database)
    first = states.of(tenant_id, user_id)
    assert first is not None
    assert first.role == "analyst"
    second = states.of(tenant_id, user_id)
    assert second is not None
    assert second.role == "viewer"


def test_an_unchanged_person_is_not_asked_for_again_within_seconds(world: World) -> None:
    from hub_config.people.states import SECONDS, States

    now = [100.0]
    reads = []

    class Counting(States):
        def _read(self, tenant: str, user: str) -> Any:
            reads.append(user)
            return super()._read(tenant, user)

    states = Counting(world.database, clock=lambda: now[0])
    for _ in range(50):
        states.of(world.tenant_id(), world.user_id("analyst"))
    assert len(reads) == 1
    now[0] += SECONDS + 0.1
    states.of(world.tenant_id(), world.user_id("analyst"))
    assert len(reads) == 2


# ── the file of keys ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_file_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.keys"
    first = KeyRing(path).newest()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert KeyRing(path).newest().kid == first.kid
    assert str(first.private) not in repr(first)


def test_a_rotation_ends_no_session_and_needs_no_restart(world: World) -> None:
    before = world.token("analyst")
    path = world.settings.resolved_signing_key_file()
    KeyRing(path).rotate(keep_seconds=7200)  # another process
    assert world.people.authenticate(before).role == "analyst"
    after = world.token("analyst")
    assert _parts(before)[0]["kid"] != _parts(after)[0]["kid"]
    assert world.people.authenticate(after).role == "analyst"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_token_of_a_key_made_elsewhere_is_found_at_once(world: World) -> None:
    """Another replica rotated and signed; this one has only verified so far."""
    world.people.authenticate(world.token("analyst"))
    other = KeyRing(world.settings.resolved_signing_key_file())
    key = other.rotate(keep_seconds=7200)
    claims = _parts(world.token_of(world.tenant_id(), world.user_id("viewer")))[1]
    token = jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": key.kid})
    assert world.people.authenticate(token).role == "viewer"


def test_a_key_taken_out_of_the_file_is_believed_no_more(world: World) -> None:
    before = world.token("analyst")
    path = world.settings.resolved_signing_key_file()
    KeyRing(path).rotate(keep_seconds=7200)
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    with pytest.raises(Unauthenticated):
        world.people.authenticate(before)
    assert world.people.authenticate(world.token("analyst")).role == "analyst"


@pytest.mark.parametrize("content", [None, "damaged", ""])
def test_a_file_lost_while_serving_ends_nothing(world: World, content: str | None) -> None:
    token, path = world.token("analyst"), world.settings.resolved_signing_key_file()
    kept = path.read_text()
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert world.people.authenticate(token).role == "analyst"
    assert world.people.authenticate(world.token("viewer")).role == "viewer"
    path.write_text(kept)
    assert world.people.authenticate(token).role == "analyst"


def test_keys_go_when_nothing_alive_can_be_signed_with_them(tmp_path: Path) -> None:
    path = tmp_path / "signing.keys"
    KeyRing(path)
    kid, _, seed = path.read_text().split()
    now = int(time.time())
    # It signed until the one before it was made: two hours ago, or a minute ago.
    newer = f"{'a' * 12} {now - 60} {seed}\n{'b' * 12} {now - 7200} {seed}\n{kid} {now - 90000} {seed}\n"
    path.write_text(newer)
    ring = KeyRing(path)
    ring.rotate(keep_seconds=1800)
    kept = [line.split()[0] for line in path.read_text().splitlines()]
    assert kept[1:] == ["a" * 12, "b" * 12]
    assert ring.public(kid) is None
    assert ring.public("b" * 12) is not None


@pytest.mark.parametrize("content", ["", "\n", "x", "a 1 %%%%\n", "a b Zm9v\n", "a 1 Zm9v\n", "é 1 Zm9v\n"])
def test_a_damaged_file_is_said_and_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "signing.keys"
    path.write_text(content)
    with pytest.raises(BadInput) as refused:
        KeyRing(path)
    assert refused.value.reason == "keys_unreadable"
    assert path.read_text() == content
    assert refused.value.__cause__ is None


def test_many_starting_together_make_one_key(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.keys"
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: KeyRing(path).newest().kid, range(8)))
    assert len(set(rings)) == 1
    assert len(path.read_text().splitlines()) == 1
    assert not [name for name in os.listdir(path.parent) if name.endswith(".half")]


def test_what_a_killed_process_left_beside_goes_with_the_next_change(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "signing.keys")
    left = tmp_path / ".signing.keys-abc.half"
    left.write_text("half a key")
    ring.rotate(keep_seconds=60)
    assert not left.exists()


def test_killed_while_rotating_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "signing.keys"
    first = KeyRing(path).newest().kid
    program = (
        "import sys; from pathlib import Path; from hub_config.people.keyring import KeyRing\n"
        "ring = KeyRing(Path(sys.argv[1]))\n"
        "while True: ring.rotate(keep_seconds=7200)"
    )
    for seconds in (0.0, 0.013):
        size = path.stat().st_size
        process = subprocess.Popen([sys.executable, "-c", program, str(path)])
        try:
            wait_until(lambda before=size: path.stat().st_size != before, seconds=60)
            time.sleep(seconds)
        finally:
            process.kill()
            process.wait(30)
        ring = KeyRing(path)
        assert ring.public(first) is not None
        ring.rotate(keep_seconds=7200)  # the lock of the dead one does not stay
