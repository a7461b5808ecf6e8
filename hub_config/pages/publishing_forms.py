"""What the forms of the pages of publishing hold: who may see, which filters are offered, what was typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from datapilot_kernel.errors import BadInput
from hub_config.content.dashboards import Right
from hub_config.database import User, email_key
from hub_config.pages.given import known_form, line
from hub_config.pages.proposal import Audience, Candidate
from hub_config.pages.serving import Visit
from hub_config.principal import Principal

ROLES = ("viewer", "analyst")
"""Roles that a right may name on these pages; administrators open everything."""


@dataclass
class Typed:
    """What a decision's form holds."""

    name: str
    workspace_id: str = ""
    mode: str = "page"
    roles: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    addresses: str = ""
    filters: set[str] = field(default_factory=set)
    exploratory: bool = False
    reason: str = ""


def names_of(visit: Visit, principal: Principal) -> dict[str, str]:
    """Return what people are called, by id: everybody to administrators, oneself to others."""
    if principal.is_administrator:
        people = visit.platform.people.accounts.list(principal, limit=2000)
        return {user.id: user.full_name or user.email for user in people}
    return {principal.user_id: visit.person.full_name or principal.email}


def addresses_of(rights: list[Right], seen: Audience) -> str:
    """Return the addresses of the people whom rights name, one a line: where a form has too many to name them."""
    named = {right.user_id for right in rights}
    return "\n".join(user.email for user in seen.people if user.id in named)


def typed_of(visit: Visit) -> Typed:
    """Return what was typed, to be shown again."""
    form = visit.form
    return Typed(
        line(visit, "nom"), form.get("espace", ""), form.get("mode", "page"),
        {role for role in ROLES if f"role.{role}" in form},
        {name.removeprefix("personne.") for name in form if name.startswith("personne.")},
        form.get("adresses", "")[:20_000],
        {name for name in form if name.startswith("filtre.")},
        form.get("exploratoire") == "oui", line(visit, "motif", 1000),
    )  # fmt: skip


def chosen_rights(visit: Visit, principal: Principal) -> list[Right]:
    """Return the rights that a form gives.

    Raises
    ------
    BadInput
        An address is nobody's of this organisation.
    """
    found = [Right(role=role) for role in ROLES if f"role.{role}" in visit.form]
    found += [
        Right(user_id=known_form(name.removeprefix("personne."))) for name in visit.form if name.startswith("personne.")
    ]
    wanted = [
        one.strip() for one in visit.form.get("adresses", "")[:20_000].replace(";", "\n").replace(",", "\n").split("\n")
    ]
    wanted = [one for one in wanted if one]
    if wanted:
        people: Sequence[User] = visit.platform.people.accounts.list(principal, limit=2000)
        by_address = {user.email_key: user.id for user in people}
        unknown = [one for one in wanted if email_key(one) not in by_address]
        if unknown:
            raise BadInput("publications.nobody", addresses=", ".join(unknown[:5])[:300])
        found += [Right(user_id=by_address[email_key(one)]) for one in wanted]
    return list(dict.fromkeys(found))


def chosen_filters(visit: Visit, possible: list[Candidate]) -> list[dict[str, Any]]:
    """Return the filters that a form ticks, of those that were possible."""
    return [one.entry for one in possible if one.key in visit.form]
