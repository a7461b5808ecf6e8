"""Which company's sign-in opens which tenant: the operator's rules, shared by the hub's process and the API's.

A provider (Entra, Google, Keycloak: anything that speaks OpenID Connect) says who somebody is; a rule says of which tenant
that makes them a person. The rules are the installation's, never a tenant's: no tenant can claim another's domain. A rule
fits when the issuer is its own, and the verified address's domain or the claim's value is (:meth:`CompanyRule.fits`).

An address that the provider has not verified is worth nothing, or whoever writes one into their profile would be somebody
else here. ``trust_email`` says that the company itself keeps the addresses (an Entra directory of its own: Entra never says
« verified »); with a provider that is open to the public it must stay off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hub_config.principal import Role


class CompanyRule(BaseModel):
    """One rule.

    Attributes
    ----------
    issuer
        The provider's ``iss``, exactly.
    tenant
        The tenant's id.
    domain
        Of the address, without ``@``; None: a claim decides.
    claim, value
        A claim (``tid``, ``hd``, ``organization``…) that must have this value, or hold it when it is a list.
    new_role
        Role of somebody who comes for the first time without an invitation; None: they are refused.
    trust_email
        The company itself keeps these addresses.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(min_length=1)
    tenant: str = Field(pattern="^[0-9a-f]{32}$")
    domain: str | None = None
    claim: str | None = None
    value: str | None = None
    new_role: Role | None = None
    trust_email: bool = False

    @model_validator(mode="after")
    def _says_whom(self) -> CompanyRule:
        if (self.claim is None) != (self.value is None):
            raise ValueError("a claim needs its value")
        if self.domain is None and self.claim is None:
            raise ValueError("a rule names a domain or a claim, or anybody of the provider would be of this tenant")
        return self

    def fits(self, issuer: str, email: str, claims: Mapping[str, Any]) -> bool:
        """Tell whether somebody of this issuer, with this address and these claims, is of the rule's tenant.

        >>> rule = CompanyRule(issuer="https://id.example", tenant="0" * 32, domain="Maison.fr")
        >>> rule.fits("https://id.example", "zoe@maison.FR", {}), rule.fits("https://id.example", "zoe@not-maison.fr", {})
        (True, False)
        """
        if issuer != self.issuer:
            return False
        # Not casefold(): « straße.fr » and « strasse.fr » are two domains, and two owners.
        if self.domain is not None and email.rpartition("@")[2].lower() != self.domain.lower():
            return False
        if self.claim is None:
            return True
        said = claims.get(self.claim)
        return self.value in said if isinstance(said, list) else said == self.value


def claims_needed(rules: Sequence[CompanyRule]) -> frozenset[str]:
    """Return the names of the claims that rules look at: the others need not leave the hub."""
    return frozenset(rule.claim for rule in rules if rule.claim is not None)
