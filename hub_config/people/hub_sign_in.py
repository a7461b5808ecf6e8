"""What the hub's authenticator asks: is this password right, whom does a company's sign-in mean, is this person still here?

The hub keeps no people of its own. It shows the form and asks here, over a key that only the two hold; the same limits,
words and equal work as for :mod:`hub_config.people.signing_in`. What it is told (:class:`HubPerson`) names the person for
the hub, and the groups that its roles are made from. Nothing of this is a session here: whoever signed in at the hub gets
one of the API's pages by the hub's OAuth, in their own browser.

Company sign-in: the operator's rules (:mod:`hub_config.company`) say which tenant; in it, the person is the one who came
with this very subject before, or else the one with this verified address (who keeps the subject from then on), or else the
one whom an open invitation names, or else somebody new if the rule says so. An address whose account belongs to another
subject of the same issuer is refused: it was given to somebody else meanwhile, and an administrator decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from hub_config.company import CompanyRule
from hub_config.database import Invitation, ScopedSession, Tenant, User, email_key, utc_now
from hub_config.errors import Forbidden, NotFound
from hub_config.hub_names import hub_user_name, person_of, role_group, tenant_group
from hub_config.people.ground import Ground, clean_email, lock_tenant, principal_of
from hub_config.people.invitations import Invitations
from hub_config.people.signing_in import SigningIn
from hub_config.principal import Role

_LONGEST = 200


@dataclass(frozen=True)
class HubPerson:
    """A person, as the hub knows them.

    Attributes
    ----------
    epoch
        Grows when the person's sessions are ended (by them, by a new password, by an administrator): a hub that remembers
        the one of the sign-in can end its own session too.
    """

    name: str
    tenant_id: str
    tenant_name: str
    user_id: str
    role: Role
    full_name: str = field(repr=False)
    email: str = field(repr=False)
    epoch: int

    @property
    def groups(self) -> list[str]:
        """The hub's groups of the person."""
        return [tenant_group(self.tenant_id), role_group(self.tenant_id, self.role)]


class HubSignIn:
    """Answers the hub's authenticator."""

    def __init__(self, ground: Ground, signing_in: SigningIn, invitations: Invitations) -> None:
        self._ground = ground
        self._signing_in = signing_in
        self._invitations = invitations

    def sign_in(self, *, email: str, password: str, tenant_id: str | None = None, client: str = "") -> HubPerson:
        """Return whose address and password these are.

        Raises
        ------
        WrongCredentials
            No such account, another password, a disabled account: nobody can tell which.
        ChooseTenant
            The password is right in several tenants.
        TooMany
            Too many wrong ones for this account or from this client.
        """
        return self._signing_in.begin(_person, email=email, password=password, tenant_id=tenant_id, client=client)

    def company(
        self,
        *,
        issuer: str,
        subject: str,
        email: str,
        email_verified: bool,
        full_name: str = "",
        claims: Mapping[str, Any] | None = None,
    ) -> HubPerson:
        """Return whom a company's sign-in means here.

        Raises
        ------
        Forbidden
            No rule fits, the address is not verified, the account is disabled or another's, or the person is new and the
            rule takes nobody new. The words are the same; the log says which.
        """
        email = clean_email(email)
        rule = self._rule(issuer, email, claims or {})
        if not (email_verified or rule.trust_email):
            raise _refused("the address is not verified")
        try:
            return self._company(rule, subject, email, full_name)
        except IntegrityError:
            # Two first sign-ins of one person at once: the other has made the account.
            return self._company(rule, subject, email, full_name)

    def person(self, name: str) -> HubPerson:
        """Return a hub user's person as they are now.

        Raises
        ------
        NotFound
            None of ours, gone, disabled, or of a tenant that is being deleted.
        """
        ids = person_of(name)
        if ids is None:
            raise NotFound(log="hub user: none of ours")
        with self._ground.database.tenant(ids[0], read_only=True) as session:
            user = session.get(User, ids[1])
            tenant = session.get(Tenant, ids[0])
            if user is None or user.status != "active" or tenant is None or tenant.deleting_at is not None:
                raise NotFound(log="hub user: gone or disabled")
            return _person(session, user, tenant)

    def _rule(self, issuer: str, email: str, claims: Mapping[str, Any]) -> CompanyRule:
        for rule in self._ground.settings.company_sign_in:
            if rule.fits(issuer, email, claims):
                return rule
        raise _refused("no rule fits")

    def _company(self, rule: CompanyRule, subject: str, email: str, full_name: str) -> HubPerson:
        with self._ground.database.tenant(rule.tenant) as session:
            tenant = session.get(Tenant, rule.tenant)
            if tenant is None or tenant.deleting_at is not None:
                raise _refused("the rule's tenant is not there")
            lock_tenant(session)
            user = self._known(session, rule.issuer, subject, email)
            if user is None:
                user = self._new(session, rule, email, full_name)
            if user.status != "active":
                raise _refused("disabled")
            user.company_issuer, user.company_subject = rule.issuer, subject
            user.last_login_at = utc_now()
            session.flush()
            self._ground.audit.record(
                session,
                principal_of(user),
                action="session.begin",
                object_type="user",
                object_id=user.id,
                details={"by": "company"},
            )
            return _person(session, user, tenant)

    def _known(self, session: ScopedSession, issuer: str, subject: str, email: str) -> User | None:
        same = select(User).where(User.company_issuer == issuer, User.company_subject == subject)
        found = session.scalars(same).one_or_none()
        if found is not None:
            return found
        by_address = session.scalars(select(User).where(User.email_key == email_key(email))).one_or_none()
        if by_address is not None and by_address.company_subject is not None and by_address.company_issuer == issuer:
            raise _refused("the address belongs to another subject")
        if by_address is not None and by_address.email.lower() != email.lower():
            # Equal by the platform's key alone (« ß » and « ss »): to a provider two mailboxes, perhaps of two people.
            raise _refused("the address is spelt like somebody else's")
        return by_address

    def _new(self, session: ScopedSession, rule: CompanyRule, email: str, full_name: str) -> User:
        name = full_name[:_LONGEST] if full_name.isprintable() else ""
        invitation: Invitation | None = self._invitations.open_for(session, email)
        if invitation is not None:
            return self._invitations.make_person(session, invitation, full_name=name, hashed=None)
        if rule.new_role is None:
            raise _refused("nobody new is taken")
        user = User(email=email, email_key=email_key(email), full_name=name, role=rule.new_role)
        session.add(user)
        session.flush()
        self._ground.audit.record(
            session, principal_of(user), action="user.create", object_type="user", object_id=user.id,
            details={"by": "company", "role": user.role},
        )  # fmt: skip
        return user


def _person(session: ScopedSession, user: User, tenant: Tenant) -> HubPerson:
    return HubPerson(
        name=hub_user_name(tenant.id, user.id),
        tenant_id=tenant.id,
        tenant_name=tenant.name,
        user_id=user.id,
        role=cast("Role", user.role),
        full_name=user.full_name,
        email=user.email,
        epoch=user.session_epoch,
    )


def _refused(why: str) -> Forbidden:
    return Forbidden("people.company_refused", log=f"company sign-in: {why}")
