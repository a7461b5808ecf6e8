"""The people of a tenant, as its administrators keep them; and one's own account.

The last active administrator can be neither removed, nor disabled, nor given another role: every change that could do so is
made under the tenant's lock, where counting is true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select

from hub_config.database import ScopedSession, Tenant, User, email_key
from hub_config.errors import Conflict, NotFound
from hub_config.people.ground import (
    Ground,
    active_administrators,
    contains,
    end_sessions,
    lock_tenant,
    the_user,
    the_user_locked,
    void_password_links,
)
from hub_config.people.hub_leavers import HubLeavers
from hub_config.people.passwords import check_rules
from hub_config.people.sessions import Sessions, Tokens
from hub_config.people.signing_in import Beginning, Begun, SigningIn
from hub_config.principal import Principal


@dataclass(frozen=True)
class UserChanges:
    """What to change of a person; None: as it is."""

    full_name: str | None = None
    role: str | None = None
    attributes: Mapping[str, str] | None = None
    status: str | None = None


class Accounts:
    """Reads and changes people."""

    def __init__(self, ground: Ground, sessions: Sessions, signing_in: SigningIn, leavers: HubLeavers) -> None:
        self._ground = ground
        self._sessions = sessions
        self._signing_in = signing_in
        self._leavers = leavers

    def list(
        self,
        principal: Principal,
        *,
        limit: int = 50,
        after: tuple[datetime, str] | None = None,
        words: str | None = None,
        role: str | None = None,
        status: str | None = None,
    ) -> Sequence[User]:
        """Return people of the caller's tenant, oldest account first; ``after`` is (created_at, id) of the last one seen."""
        statement = select(User).order_by(User.created_at, User.id).limit(limit)
        if after is not None:
            at, user_id = after
            statement = statement.where(or_(User.created_at > at, and_(User.created_at == at, User.id > user_id)))
        if words:
            statement = statement.where(contains((User.email, User.full_name), words))
        if role is not None:
            statement = statement.where(User.role == role)
        if status is not None:
            statement = statement.where(User.status == status)
        with self._ground.database.tenant(principal.tenant_id, read_only=True) as session:
            return session.scalars(statement).all()

    def read(self, principal: Principal, user_id: str) -> User:
        """Return a person of the caller's tenant, or raise :class:`~hub_config.errors.NotFound`."""
        with self._ground.database.tenant(principal.tenant_id, read_only=True) as session:
            return the_user(session, user_id)

    def me(self, principal: Principal) -> tuple[User, Tenant]:
        """Return the caller's account and tenant."""
        with self._ground.database.tenant(principal.tenant_id, read_only=True) as session:
            tenant = session.get(Tenant, principal.tenant_id)
            if tenant is None:
                raise NotFound(log="no such tenant")
            return the_user(session, principal.user_id), tenant

    def change(self, principal: Principal, user_id: str, changes: UserChanges) -> User:
        """Change a person.

        Raises
        ------
        NotFound
            Not of the caller's tenant.
        Conflict
            The tenant would be without an active administrator.
        """
        with self._ground.database.tenant(principal.tenant_id) as session:
            lock_tenant(session)
            user = the_user_locked(session, user_id)
            before = {"role": user.role, "status": user.status}
            attributes = user.attributes if changes.attributes is None else dict(changes.attributes)
            wanted = {"full_name": changes.full_name, "role": changes.role, "status": changes.status}
            changed = [name for name, new in wanted.items() if new is not None and new != getattr(user, name)]
            if attributes != user.attributes:
                changed.append("attributes")
            user.full_name = user.full_name if changes.full_name is None else changes.full_name
            user.role = changes.role or user.role
            user.status = changes.status or user.status
            user.attributes = attributes
            _keep_an_administrator(session, before["role"], before["status"], user)
            if before["status"] == "active" and user.status != "active":
                end_sessions(session, user)
                void_password_links(session, user)
            if changed:
                now = {"role": user.role, "status": user.status}
                details: dict[str, object] = {
                    "changed": changed,
                    **{f"{k}_before": v for k, v in before.items() if v != now[k]},
                }
                details |= {k: v for k, v in now.items() if v != before[k]}
                self._record(session, principal, "user.update", user_id, details)
        self._ground.states.forget(principal.tenant_id, user_id)
        if {"role", "status"} & set(changed):
            self._leavers.look(principal.tenant_id, user_id)
        return user

    def delete(self, principal: Principal, user_id: str) -> None:
        """Delete a person and what is theirs alone.

        Raises
        ------
        NotFound
            Not of the caller's tenant.
        Conflict
            The tenant would be without an active administrator.
        """
        with self._ground.database.tenant(principal.tenant_id) as session:
            lock_tenant(session)
            user = the_user_locked(session, user_id)
            role, status = user.role, user.status
            user.status = "disabled"
            _keep_an_administrator(session, role, status, user)
            session.delete(user)
            self._record(session, principal, "user.delete", user_id, {"role": role})
        self._ground.states.forget(principal.tenant_id, user_id)
        self._leavers.look(principal.tenant_id, user_id)

    def rename_self(self, principal: Principal, full_name: str) -> User:
        """Change the caller's own name."""
        with self._ground.database.tenant(principal.tenant_id) as session:
            user = the_user(session, principal.user_id)
            user.full_name = full_name
            self._record(session, principal, "user.update", user.id, {"changed": ["full_name"]})
        return user

    def change_password(self, principal: Principal, *, current: str, new: str, label: str = "") -> Tokens:
        """Give the caller another password; raises what :meth:`new_password` does."""
        return self.new_password(
            lambda session, user, tenant: self._sessions.begin(session, user, label=label),
            principal,
            current=current,
            new=new,
        )

    def new_password(self, beginning: Beginning[Begun], principal: Principal, *, current: str, new: str) -> Begun:
        """Give the caller another password; ends every session, and returns the one that begins in place of this.

        Raises
        ------
        BadInput
            The present password is another, or the new one is too weak.
        TooMany
            Too many wrong ones.
        """
        check_rules(new, email=principal.email)
        self._signing_in.confirm(principal, current)
        hashed = self._ground.passwords.hash(new)
        with self._ground.database.tenant(principal.tenant_id) as session:
            user = the_user_locked(session, principal.user_id)
            user.hashed_password = hashed
            end_sessions(session, user)
            void_password_links(session, user)
            session.flush()
            begun = beginning(session, user, session.get(Tenant, session.tenant_id))
            self._record(session, principal, "user.password_change", user.id, {})
        self._ground.states.forget(principal.tenant_id, principal.user_id)
        return begun

    def find(self, tenant_id: str, email: str) -> User:
        """Return the person of a tenant with an address (for the operator's commands)."""
        with self._ground.database.tenant(tenant_id, read_only=True) as session:
            user = session.scalars(select(User).where(User.email_key == email_key(email))).one_or_none()
        if user is None:
            raise NotFound(log="no such user")
        return user

    def _record(
        self, session: ScopedSession, who: Principal, action: str, user_id: str, details: Mapping[str, object]
    ) -> None:
        self._ground.audit.record(session, who, action=action, object_type="user", object_id=user_id, details=details)


def _keep_an_administrator(session: ScopedSession, role: str, status: str, user: User) -> None:
    was = role == "administrator" and status == "active"
    still = user.role == "administrator" and user.status == "active"
    if was and not still and active_administrators(session, besides=user.id) == 0:
        raise Conflict("people.last_administrator")
