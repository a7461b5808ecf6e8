"""Access tokens: who, which tenant, which kind, until when; signed, and small enough for every request.

A JWT (EdDSA, the algorithm pinned; the key by its name in the header) with ``iss``, ``aud`` (``session`` or ``notebook``),
``sub``, ``tid``, ``role``, ``epoch``, ``jti``, ``iat``, ``exp``. It proves who somebody is; what they may do is read from
the database's present state (:mod:`hub_config.people.states`): the role in the token is for whoever reads a log.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import jwt

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


@dataclass(frozen=True)
class Claims:
    """What a verified token says."""

    tenant_id: str
    user_id: str
    role: str
    audience: Audience
    epoch: int
    token_id: str


class AccessTokens:
    """Issues and verifies."""

    def __init__(self, settings: Settings, keys: KeyRing) -> None:
        self._keys = keys
        self._seconds: dict[Audience, int] = {
            "session": settings.access_token_minutes * 60,
            "notebook": settings.notebook_token_minutes * 60,
        }

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
        return _claims(found)


def _claims(found: dict[str, Any]) -> Claims:
    tenant_id, user_id, epoch = found["tid"], found["sub"], found["epoch"]
    audience: Any = found["aud"]
    ids = (tenant_id, user_id, found["jti"])
    if not all(isinstance(value, str) and _ID.fullmatch(value) for value in ids) or audience not in _AUDIENCES:
        raise Unauthenticated(log="access token: malformed claims")
    if type(epoch) is not int:
        raise Unauthenticated(log="access token: malformed epoch")
    return Claims(tenant_id, user_id, str(found["role"]), audience, epoch, found["jti"])
