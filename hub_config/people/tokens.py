"""Access tokens: who, which tenant, which kind, until when; signed, and small enough for every request.

A JWT (EdDSA, the algorithm pinned; the key by its name in the header) with ``iss``, ``aud`` (``session`` or ``notebook``),
``sub``, ``tid``, ``role``, ``epoch``, ``jti``, ``iat``, ``exp``. It proves who somebody is; what they may do is read from
the database's present state (:mod:`hub_config.people.states`): the role in the token is for whoever reads a log.

A signature that was good once is good until the token is over, or its key is no longer in the file: which is all that is
looked at when the same token comes again. It is remembered by its hash, never itself.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub_config.errors import Unauthenticated
from hub_config.people.keyring import KeyRing
from hub_config.principal import Audience, Role
from hub_config.settings import Settings

ISSUER = "datapilot"
_ALGORITHM = "EdDSA"
_AUDIENCES: tuple[Audience, ...] = ("session", "notebook")
_CLAIMS = ["iss", "aud", "sub", "tid", "role", "epoch", "jti", "iat", "exp"]
_ID = re.compile(r"[0-9a-f]{32}")
_LEEWAY_S = 5
_LONGEST = 4096
_REMEMBERED = 10_000


@dataclass(frozen=True)
class Claims:
    """What a verified token says."""

    tenant_id: str
    user_id: str
    role: str
    audience: Audience
    epoch: int
    token_id: str


@dataclass(frozen=True)
class _Verified:
    claims: Claims
    kid: str
    key: Ed25519PublicKey
    over_at: float


class AccessTokens:
    """Issues and verifies. Thread-safe."""

    def __init__(self, settings: Settings, keys: KeyRing) -> None:
        self._keys = keys
        self._seconds: dict[Audience, int] = {
            "session": settings.access_token_minutes * 60,
            "notebook": settings.notebook_token_minutes * 60,
        }
        self._lock = threading.Lock()
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()

    def issue(self, *, tenant_id: str, user_id: str, role: Role, epoch: int, audience: Audience) -> tuple[str, int]:
        """Return a token and the seconds it lives."""
        now, seconds = int(time.time()), self._seconds[audience]
        key = self._keys.newest()
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "sub": user_id,
            "tid": tenant_id,
            "role": role,
            "epoch": epoch,
            "jti": uuid4().hex,
            "iat": now,
            "exp": now + seconds,
        }
        return jwt.encode(claims, key.private, algorithm=_ALGORITHM, headers={"kid": key.kid}), seconds

    def verify(self, token: str) -> Claims:
        """Return what a token says.

        Raises
        ------
        Unauthenticated
            It is not one of ours, was changed, or is over. Never says which.
        """
        if len(token) > _LONGEST:
            raise Unauthenticated(log="access token: too long")
        known = self.remembered(token)
        if known is not None:
            return known
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            key = self._keys.public(kid) if isinstance(kid, str) else None
            if key is None or header.get("alg") != _ALGORITHM:
                raise Unauthenticated(log="access token: unknown key or algorithm")
            found: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCES,
                issuer=ISSUER,
                leeway=_LEEWAY_S,
                options={"require": _CLAIMS, "strict_aud": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            # The library's text may quote the token: only its class is kept.
            raise Unauthenticated(log=f"access token: {type(error).__name__}") from None
        claims = _claims(found)
        with self._lock:
            self._verified[_digest(token)] = _Verified(claims, str(kid), key, float(found["exp"]) + _LEEWAY_S)
            while len(self._verified) > _REMEMBERED:
                self._verified.popitem(last=False)
        return claims

    def remembered(self, token: str) -> Claims | None:
        """Return what a token says that was verified before and is still good; None: it has to be verified."""
        digest = _digest(token)
        with self._lock:
            found = self._verified.get(digest)
        if found is None:
            return None
        if found.over_at > time.time() and self._keys.public(found.kid) is found.key:
            return found.claims
        with self._lock:
            self._verified.pop(digest, None)
        return None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _claims(found: dict[str, Any]) -> Claims:
    tenant_id, user_id, epoch = found["tid"], found["sub"], found["epoch"]
    audience: Any = found["aud"]
    ids = (tenant_id, user_id, found["jti"])
    if not all(isinstance(value, str) and _ID.fullmatch(value) for value in ids) or audience not in _AUDIENCES:
        raise Unauthenticated(log="access token: malformed claims")
    if type(epoch) is not int:
        raise Unauthenticated(log="access token: malformed epoch")
    return Claims(tenant_id, user_id, str(found["role"]), audience, epoch, found["jti"])
