"""Random secrets that people carry: refresh tokens, page sessions, invitations, password links. Only their hash is kept.

``dpr_<tenant id>.<43 characters>``: the tenant stands in the text, so that the row can be looked up in that tenant's session
(nothing is looked up across tenants); the rest is 256 random bits, so that plain SHA-256 is enough to keep it by.
A link carries its secret behind ``#``: browsers send no fragment to any server, and none ends in a log.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["dpr", "dpi", "dpw", "dps"]
"""Refresh token, invitation, password link, a browser's session on the pages."""

_FORM = re.compile(r"(?P<kind>dp[riws])_(?P<tenant>[0-9a-f]{32})\.(?P<secret>[A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class Secret:
    """A secret as its bearer has it."""

    tenant_id: str
    text: str = field(repr=False)

    @property
    def hash(self) -> str:
        """What is kept of it."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def new_secret(kind: Kind, tenant_id: str) -> Secret:
    """Return a fresh secret of a tenant."""
    return Secret(tenant_id, f"{kind}_{tenant_id}.{secrets.token_urlsafe(32)}")


def read_secret(kind: Kind, text: str) -> Secret | None:
    """Return what somebody sent as a secret, or None when it cannot be one."""
    found = _FORM.fullmatch(text)
    return Secret(found["tenant"], text) if found and found["kind"] == kind else None
