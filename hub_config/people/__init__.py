"""People: who belongs to which tenant, what proves it, and what ends it.

::

    people.authenticate(token)          every request: who is this?
    people.signing_in                   passwords, and how often they may be wrong
    people.sessions                     refresh tokens: rotation, reuse, ends
    people.registration                 a new tenant and its first administrator
    people.accounts                     a tenant's people; one's own account
    people.page_sessions                a browser's session on the pages
    people.invitations, people.resets   links
    people.exchange                     a hub token for a notebook's token (wall 1)
    people.hub_sign_in                  what the hub's authenticator asks
    people.hub_leavers                  whoever goes here goes at the hub

What hashes runs in :attr:`People.work`: ``await people.work.run(people.signing_in.sign_in, email=…, password=…)``. All
else is quick and touches the platform's database alone, but the exchange, which asks the hub (:attr:`People.outside`),
and mails (:attr:`People.mailing`).

Secrets (passwords, tokens, links) are never in a ``repr``, a log line or an exception: a test runs every flow and looks
for them.
"""

from __future__ import annotations

from dataclasses import replace

from argon2 import PasswordHasher

from hub_config.audit import Audit
from hub_config.database import Database
from hub_config.errors import Unauthenticated
from hub_config.hub_names import hub_user_name, person_of
from hub_config.people.accounts import Accounts, UserChanges
from hub_config.people.ground import Ground
from hub_config.people.hub import Exchange, Hub
from hub_config.people.hub_leavers import HubLeavers
from hub_config.people.hub_sign_in import HubSignIn
from hub_config.people.invitations import Invitations, Link, Preview
from hub_config.people.keyring import KeyRing
from hub_config.people.letters import Letters
from hub_config.people.mail import Mailer
from hub_config.people.page_sessions import PageSessions
from hub_config.people.passwords import Passwords
from hub_config.people.registration import Registration
from hub_config.people.resets import Resets
from hub_config.people.sessions import Sessions, Tokens
from hub_config.people.signing_in import SigningIn
from hub_config.people.states import State, States
from hub_config.people.tokens import AccessTokens, Claims
from hub_config.people.work import FLOOR_S, Work
from hub_config.principal import Principal
from hub_config.settings import Settings

__all__ = ["Link", "People", "Preview", "Tokens", "UserChanges", "hub_user_name", "person_of"]


class People:
    """Everything about people.

    Parameters
    ----------
    hasher, floor_s
        For tests: a cheap password hash, and how long a refusal takes at least.

    Raises
    ------
    BadInput
        The file of signing keys cannot be read or made.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        audit: Audit,
        *,
        hasher: PasswordHasher | None = None,
        floor_s: float = FLOOR_S,
    ) -> None:
        self.keys = KeyRing(settings.resolved_signing_key_file())
        self.states = States(database)
        self.tokens = AccessTokens(settings, self.keys)
        ground = Ground(settings, database, audit, Passwords(hasher), self.states, self.tokens, Mailer(settings))
        letters = Letters(ground)
        self.hub = Hub(settings)
        self.hub_leavers = HubLeavers(settings, database, self.states)
        self.sessions = Sessions(ground)
        self.page_sessions = PageSessions(ground)
        self.signing_in = SigningIn(ground, self.sessions)
        self.registration = Registration(ground, self.sessions)
        self.accounts = Accounts(ground, self.sessions, self.signing_in, self.hub_leavers)
        self.invitations = Invitations(ground, self.sessions, letters)
        self.resets = Resets(ground, letters)
        self.exchange = Exchange(ground, self.hub)
        self.hub_sign_in = HubSignIn(ground, self.signing_in, self.invitations)
        self.work = Work(floor_s=floor_s)
        self.outside = Work(8, floor_s=0)
        self.mailing = Work(2, floor_s=0)

    def authenticate(self, token: str) -> Principal:
        """Return who holds this access token, as they are now.

        Raises
        ------
        Unauthenticated
            The token is not good, or no longer: over, its session ended, its person disabled or gone.
        PlatformUnavailable
            The platform's database is away.
        """
        claims = self.tokens.verify(token)
        return _principal(claims, self.states.of(claims.tenant_id, claims.user_id))

    def remembered(self, token: str) -> Principal | None:
        """Return what :meth:`authenticate` would, when memory alone says it; None: ask that one, from a thread.

        For an event loop: it waits for nothing.

        Raises
        ------
        Unauthenticated
            See :meth:`authenticate`.
        """
        claims = self.tokens.remembered(token)
        if claims is None:
            return None
        known, state = self.states.known(claims.tenant_id, claims.user_id)
        return _principal(claims, state) if known else None

    def as_now(self, principal: Principal) -> Principal:
        """Return somebody who was verified earlier as they are now: role, attributes.

        Raises
        ------
        Unauthenticated
            They are disabled or gone meanwhile.
        PlatformUnavailable
            The platform's database is away.
        """
        state = self.states.of(principal.tenant_id, principal.user_id)
        if state is None or not state.active:
            raise Unauthenticated(log="the person is no longer active")
        return replace(principal, email=state.email, role=state.role, attributes=state.attributes)

    def close(self) -> None:
        """Let what runs finish and give everything back. Safe twice."""
        self.hub_leavers.stop()
        self.work.close()
        self.outside.close()
        self.mailing.close()
        self.hub.close()


def _principal(claims: Claims, state: State | None) -> Principal:
    if state is None or not state.active or state.epoch != claims.epoch:
        raise Unauthenticated(log="access token: its session has ended")
    return Principal(
        tenant_id=claims.tenant_id,
        user_id=claims.user_id,
        email=state.email,
        role=state.role,
        audience=claims.audience,
        attributes=state.attributes,
        token_id=claims.token_id,
    )
