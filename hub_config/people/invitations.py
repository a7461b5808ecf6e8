"""Invitations by link: an administrator says who, which role, attributes and workspaces; the person chooses a name and
a password.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from hub_config.database import Invitation, ScopedSession, Tenant, User, Workspace, WorkspaceMember, email_key, utc_now
from hub_config.errors import Conflict, NotFound, TooMany
from hub_config.people.ground import Ground, clean_email, lock_tenant, principal_of
from hub_config.people.letters import Letters
from hub_config.people.passwords import check_rules
from hub_config.people.problems import LinkInvalid
from hub_config.people.secrets import Secret, new_secret, read_secret
from hub_config.people.sessions import Sessions, Tokens
from hub_config.people.signing_in import Beginning, Begun
from hub_config.principal import Principal

MOST_A_DAY = 200
"""Invitations of one tenant."""


@dataclass(frozen=True)
class Link:
    """A link that was made.

    Attributes
    ----------
    url
        None when it was sent by mail: then only its receiver has it.
    """

    id: str
    url: str | None = field(repr=False)
    sent: bool
    expires_at: datetime


@dataclass(frozen=True)
class Preview:
    """What somebody sees before they accept."""

    tenant_name: str
    email: str
    role: str
    expires_at: datetime


class Invitations:
    """Makes, shows, accepts and revokes invitations."""

    def __init__(self, ground: Ground, sessions: Sessions, letters: Letters) -> None:
        self._ground = ground
        self._sessions = sessions
        self._letters = letters

    def create(
        self,
        principal: Principal,
        *,
        email: str,
        role: str,
        attributes: Mapping[str, str] | None = None,
        workspace_ids: Sequence[str] = (),
    ) -> Link:
        """Invite somebody; an earlier invitation of the same address is revoked.

        Raises
        ------
        Conflict
            The address already has an account in this tenant.
        NotFound
            A workspace is not this tenant's.
        """
        email = clean_email(email)
        with self._ground.database.tenant(principal.tenant_id) as session:
            lock_tenant(session)
            if session.scalars(select(User.id).where(User.email_key == email_key(email))).first() is not None:
                raise Conflict("people.already_member")
            wanted = list(dict.fromkeys(workspace_ids))
            if len(_existing(session, wanted)) != len(wanted):
                raise NotFound(log="invitation into an unknown workspace")
            self._bounded(session)
            self._revoke_earlier(session, email)
            secret = new_secret("dpi", session.tenant_id)
            invitation = Invitation(
                email=email,
                role=role,
                attributes=dict(attributes or {}),
                workspace_ids=wanted,
                token_hash=secret.hash,
                created_by=principal.user_id,
                expires_at=utc_now() + timedelta(days=self._ground.settings.invitation_days),
            )
            session.add(invitation)
            session.flush()
            tenant = session.get(Tenant, session.tenant_id)
            self._record(session, principal, "invitation.create", invitation.id, {"role": role})
        url = self._letters.link("invitation", secret)
        sent = self._letters.invite(email, tenant.name, url, invitation.expires_at)
        return Link(invitation.id, None if sent else url, sent, invitation.expires_at)

    def list(
        self, principal: Principal, *, limit: int = 50, after: tuple[datetime, str] | None = None
    ) -> Sequence[Invitation]:
        """Return the invitations that can still be accepted, oldest first."""
        statement = select(Invitation).where(*_open()).order_by(Invitation.created_at, Invitation.id).limit(limit)
        if after is not None:
            at, last = after
            later = and_(Invitation.created_at == at, Invitation.id > last)
            statement = statement.where(or_(Invitation.created_at > at, later))
        with self._ground.database.tenant(principal.tenant_id, read_only=True) as session:
            return session.scalars(statement).all()

    def again(self, principal: Principal, invitation_id: str) -> tuple[str, Link]:
        """Invite the same person anew, as the same; return their address and the new link. The earlier link is worthless.

        Raises
        ------
        NotFound
            There is no such open invitation.
        """
        with self._ground.database.tenant(principal.tenant_id, read_only=True) as session:
            row = session.scalars(select(Invitation).where(Invitation.id == invitation_id, *_open())).one_or_none()
            if row is None:
                raise NotFound(log="no such open invitation")
            still = _existing(session, row.workspace_ids)
        link = self.create(principal, email=row.email, role=row.role, attributes=row.attributes, workspace_ids=still)
        return row.email, link

    def revoke(self, principal: Principal, invitation_id: str) -> None:
        """Make an invitation worthless, or raise :class:`~hub_config.errors.NotFound`."""
        with self._ground.database.tenant(principal.tenant_id) as session:
            invitation = session.scalars(select(Invitation).where(Invitation.id == invitation_id, *_open())).one_or_none()
            if invitation is None:
                raise NotFound(log="no such open invitation")
            invitation.revoked_at = utc_now()
            self._record(session, principal, "invitation.revoke", invitation.id, {})

    def preview(self, text: str) -> Preview:
        """Return what an invitation says, or raise :class:`~hub_config.people.problems.LinkInvalid`."""
        secret = _read(text)
        with self._ground.database.tenant(secret.tenant_id, read_only=True) as session:
            invitation, tenant = self._find(session, secret)
            return Preview(tenant.name, invitation.email, invitation.role, invitation.expires_at)

    def accept(self, text: str, *, full_name: str, password: str, label: str = "") -> Tokens:
        """Make the account, signed in; raises what :meth:`begin` does."""
        return self.begin(
            lambda session, user, tenant: self._sessions.begin(session, user, label=label),
            text,
            full_name=full_name,
            password=password,
        )

    def begin(self, beginning: Beginning[Begun], text: str, *, full_name: str, password: str) -> Begun:
        """Make the account, and return what the beginning makes for it in the same transaction.

        Raises
        ------
        LinkInvalid
            Unknown, expired, revoked or accepted already.
        BadInput
            The password is too weak.
        Conflict
            The address has got an account meanwhile.
        """
        secret = _read(text)
        with self._ground.database.tenant(secret.tenant_id, read_only=True) as session:
            email = self._find(session, secret)[0].email
        check_rules(password, email=email)
        hashed = self._ground.passwords.hash(password)
        try:
            return self._accept(secret, full_name, hashed, beginning)
        except IntegrityError:
            raise Conflict("people.already_member", log="invitation: account made meanwhile") from None

    def _accept(self, secret: Secret, full_name: str, hashed: str, beginning: Beginning[Begun]) -> Begun:
        with self._ground.database.tenant(secret.tenant_id) as session:
            lock_tenant(session)
            invitation, tenant = self._find(session, secret)
            user = self.make_person(session, invitation, full_name=full_name, hashed=hashed)
            return beginning(session, user, tenant)

    def open_for(self, session: ScopedSession, email: str) -> Invitation | None:
        """Return the open invitation of an address that its owner has proved otherwise; None: there is none."""
        key = email_key(email)
        return next(
            (row for row in session.scalars(select(Invitation).where(*_open())) if email_key(row.email) == key), None
        )

    def make_person(self, session: ScopedSession, invitation: Invitation, *, full_name: str, hashed: str | None) -> User:
        """Make the account that an invitation promises, in the caller's transaction and under the tenant's lock."""
        invitation.accepted_at = utc_now()
        user = User(
            email=invitation.email,
            email_key=email_key(invitation.email),
            hashed_password=hashed,
            full_name=full_name,
            role=invitation.role,
            attributes=dict(invitation.attributes),
            last_login_at=utc_now(),
        )
        session.add(user)
        session.flush()
        for workspace_id in _existing(session, invitation.workspace_ids):
            session.add(WorkspaceMember(workspace_id=workspace_id, user_id=user.id))
        self._record(session, principal_of(user), "invitation.accept", invitation.id, {"role": user.role})
        return user

    def _find(self, session: ScopedSession, secret: Secret) -> tuple[Invitation, Tenant]:
        tenant = session.get(Tenant, session.tenant_id)
        found = session.scalars(select(Invitation).where(Invitation.token_hash == secret.hash, *_open())).one_or_none()
        if found is None or tenant is None or tenant.deleting_at is not None:
            raise LinkInvalid(log="invitation: none that is open")
        return found, tenant

    def _bounded(self, session: ScopedSession) -> None:
        """Refuse when a day's are used up: whoever opens a tenant must not send mail to the world in our name."""
        now = utc_now()
        statement = select(func.count()).select_from(Invitation).where(Invitation.created_at > now - timedelta(days=1))
        if int(session.execute(statement).scalar_one()) >= MOST_A_DAY:
            raise TooMany("people.too_many_invitations", retry_after_s=3600, limit=MOST_A_DAY)

    def _revoke_earlier(self, session: ScopedSession, email: str) -> None:
        key = email_key(email)
        earlier = [row.id for row in session.scalars(select(Invitation).where(*_open())) if email_key(row.email) == key]
        if earlier:
            statement = update(Invitation).where(Invitation.id.in_(earlier)).values(revoked_at=utc_now())
            session.execute(statement.execution_options(synchronize_session=False))

    def _record(self, session: ScopedSession, who: Principal, action: str, one: str, details: dict[str, object]) -> None:
        self._ground.audit.record(session, who, action=action, object_type="invitation", object_id=one, details=details)


def _open() -> tuple[ColumnElement[bool], ...]:
    return (Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None), Invitation.expires_at > utc_now())


def _read(text: str) -> Secret:
    secret = read_secret("dpi", text)
    if secret is None:
        raise LinkInvalid(log="invitation: malformed")
    return secret


def _existing(session: ScopedSession, workspace_ids: Sequence[str]) -> list[str]:
    if not workspace_ids:
        return []
    return list(session.scalars(select(Workspace.id).where(Workspace.id.in_(workspace_ids))))
