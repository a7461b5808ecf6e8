"""Who is asking: one person of one tenant, with one kind of token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["administrator", "analyst", "viewer"]
Audience = Literal["session", "notebook"]
"""``session``: the person's own signed-in session. ``notebook``: what a container holds; it opens only what wall 1 says."""


@dataclass(frozen=True)
class Principal:
    """A person, verified.

    Attributes
    ----------
    attributes
        For row filters: ``{"region": "Sud"}``.
    token_id
        The access token's own id, for the log.
    """

    tenant_id: str
    user_id: str
    email: str = field(repr=False)
    role: Role
    audience: Audience
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    token_id: str = ""

    @property
    def is_administrator(self) -> bool:
        """True for a tenant's administrator."""
        return self.role == "administrator"
