"""The rows: which page is kept for whom, which is to be made, who makes it, and what became of it.

A row is one version for one rights key. Its *content* is the last good page, whatever its *state* says of the next:
``idle``, ``queued``, ``running`` (until the lease of whoever makes it runs out: a process that died leaves it to another).
Every change of state is a compare-and-swap on the state or the attempt, so that of two processes one wins, and a page that
was made for a row that is gone meanwhile is nobody's.

Content is JSON, compressed, sealed with the tenant's key for this row (:meth:`hub_config.vault.Vault.seal`): a copy of the
database opens none of it, and one row's content in another's place does not open either.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import ColumnElement, CursorResult, and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub_config.database import Dashboard, DashboardSnapshot, DashboardVersion, ScopedSession, TenantKey, utc_now
from hub_config.database.base import new_id
from hub_config.snapshots.model import Failure

if TYPE_CHECKING:
    from hub_config.vault import Vault

Row = DashboardSnapshot
PURPOSE = "snapshot"
LEASE = timedelta(seconds=60)


@dataclass(frozen=True)
class Made:
    """What a page came to.

    Attributes
    ----------
    tiles
        Outcomes as JSON, with SQL and plan: what of it a reader gets is decided when it is read.
    made_at
        When its first figure was read.
    """

    markup: str = field(repr=False)
    tiles: Mapping[str, bytes] = field(repr=False)
    made_at: datetime

    def packed(self) -> bytes:
        """Return it as it is kept, before it is sealed."""
        return zlib.compress(self._json(), 6)

    @property
    def size_bytes(self) -> int:
        """How large it is, unpacked."""
        return len(self._json())

    def _json(self) -> bytes:
        tiles = {tile: body.decode() for tile, body in self.tiles.items()}
        return json.dumps({"markup": self.markup, "tiles": tiles}, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Held:
    """A row without what is sealed in it."""

    id: str
    version: int
    attributes_key: str
    rights_key: str
    state: str
    kept: bool
    made_at: datetime | None
    failed_at: datetime | None
    failure: str | None
    cell: int | None
    not_before: datetime | None
    leased_until: datetime | None
    cells_done: int
    cells: int
    traced: bool

    def open_at(self, now: datetime) -> bool:
        """Tell whether somebody may take it up now."""
        if self.state == "queued":
            return self.not_before is None or self.not_before <= now
        return self.state == "running" and self.leased_until is not None and self.leased_until <= now


_HELD = (
    Row.id, Row.version, Row.attributes_key, Row.rights_key, Row.state, Row.content_encrypted.is_not(None), Row.made_at,
    Row.failed_at, Row.failure, Row.cell, Row.not_before, Row.leased_until, Row.cells_done, Row.cells,
    Row.trace_encrypted.is_not(None),
)  # fmt: skip


def held(session: ScopedSession, *conditions: ColumnElement[bool]) -> list[Held]:
    """Return the rows that fit, without what is sealed."""
    statement = select(*_HELD).where(*conditions).order_by(Row.asked_at, Row.id)
    return [Held(*values) for values in map(tuple, session.execute(statement))]


def held_by_board(session: ScopedSession) -> dict[str, list[Held]]:
    """Return every row of the tenant, by dashboard."""
    found: dict[str, list[Held]] = {}
    for board, *row in session.execute(select(Row.dashboard_id, *_HELD).order_by(Row.asked_at, Row.id)):
        found.setdefault(board, []).append(Held(*row))
    return found


# ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────────────


_INSERTS: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def ask(
    session: ScopedSession,
    dialect: str,
    dashboard_id: str,
    version: int,
    keys: Iterable[tuple[str, str]],
    *,
    asked_by: str | None,
) -> list[str]:
    """Queue a page for each ``(attributes key, rights key)``; return the rows' ids.

    One that is under way already is not begun twice; one that waits for another try is tried now.
    """
    found = []
    for attributes, rights in keys:
        given = {
            "id": new_id(), "dashboard_id": dashboard_id, "version": version, "attributes_key": attributes,
            "rights_key": rights, "state": "queued", "asked_by": asked_by, "asked_at": utc_now(), "attempts": 0,
            "cells_done": 0, "cells": 0, "size_bytes": 0,
        }  # fmt: skip
        session.execute(_INSERTS[dialect](Row).values(given).on_conflict_do_nothing())
        mine = (Row.dashboard_id == dashboard_id, Row.version == version, Row.rights_key == rights)
        waiting = update(Row).where(*mine, Row.state != "running")
        again = {"state": "queued", "asked_by": asked_by, "asked_at": utc_now(), "not_before": None, "attempts": 0}
        _changed(session, waiting.values(**again))
        found.append(session.scalars(select(Row.id).where(*mine)).one())
    return found


# ── making ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def claim(session: ScopedSession, row_id: str, *, lease: timedelta = LEASE) -> tuple[DashboardSnapshot, str] | None:
    """Take a row up; None: it is somebody else's, done, or gone."""
    now, attempt = utc_now(), new_id()
    open_now = or_(
        and_(Row.state == "queued", or_(Row.not_before.is_(None), Row.not_before <= now)),
        and_(Row.state == "running", Row.leased_until <= now),
    )
    taken = {
        "state": "running", "attempt": attempt, "leased_until": now + lease, "attempts": Row.attempts + 1, "cells_done": 0,
        "cells": 0,
    }  # fmt: skip
    if not _changed(session, update(Row).where(Row.id == row_id, open_now).values(**taken)):
        return None
    from sqlalchemy.orm import defer

    sealed = (defer(Row.content_encrypted), defer(Row.trace_encrypted))
    return session.scalars(select(Row).options(*sealed).where(Row.id == row_id)).one(), attempt


def renew(session: ScopedSession, row_id: str, attempt: str, done: int, of: int, *, lease: timedelta = LEASE) -> bool:
    """Hold a row on, and say how far it is; False: it is no longer ours, or its version is no longer in force."""
    row = session.execute(
        select(Row.dashboard_id, Row.version).where(Row.id == row_id, Row.attempt == attempt, Row.state == "running")
    ).one_or_none()
    if row is None or number_in_force(session, row.dashboard_id) != row.version:
        return False
    values = {"leased_until": utc_now() + lease, "cells_done": done, "cells": of}
    return _changed(session, update(Row).where(Row.id == row_id, Row.attempt == attempt).values(**values))


def give_back(session: ScopedSession, row_id: str, attempt: str, *, not_before: datetime | None = None) -> bool:
    """Put a row back into the queue as if it had not been taken up."""
    values = {
        "state": "queued",
        "attempt": None,
        "leased_until": None,
        "not_before": not_before,
        "attempts": Row.attempts - 1,
    }
    return _changed(session, _mine(row_id, attempt).values(**values))


def keep(session: ScopedSession, vault: Vault, row_id: str, attempt: str, made: Made, packed: bytes) -> bool:
    """Keep a page, and let go of what it stands in for; False: nobody wants it any more."""
    row = session.execute(
        select(Row.dashboard_id, Row.version, Row.attributes_key).where(Row.id == row_id, Row.attempt == attempt)
    ).one_or_none()
    if row is None:
        return False
    # Locked: a publication that is on its way is either seen here, or comes after this page and tells of itself.
    session.scalars(select(Dashboard.id).where(Dashboard.id == row.dashboard_id).with_for_update(read=True)).one_or_none()
    if number_in_force(session, row.dashboard_id) != row.version:
        return False
    sealed, key_id = vault.seal(session, PURPOSE, row_id, packed)
    values = {
        "state": "idle", "attempt": None, "leased_until": None, "not_before": None, "attempts": 0, "sealed_by": key_id,
        "content_encrypted": sealed, "size_bytes": len(sealed), "made_at": made.made_at, "failed_at": None, "failure": None,
        "cell": None, "trace_encrypted": None,
    }  # fmt: skip
    if not _changed(session, _mine(row_id, attempt).values(**values)):
        return False
    others = (Row.dashboard_id == row.dashboard_id, Row.attributes_key == row.attributes_key, Row.id != row_id)
    session.execute(delete(Row).where(*others).execution_options(synchronize_session=False))
    return True


def fail(
    session: ScopedSession,
    vault: Vault,
    row_id: str,
    attempt: str,
    failure: Failure,
    *,
    cell: int | None = None,
    trace: str = "",
    again_at: datetime | None = None,
) -> bool:
    """Note a failure; what was kept stays. ``again_at``: when to try again by itself, None: not."""
    sealed = vault.seal(session, f"{PURPOSE} trace", row_id, trace.encode())[0] if trace else None
    values: dict[str, Any] = {
        "state": "queued" if again_at is not None else "idle", "attempt": None, "leased_until": None, "not_before": again_at,
        "failed_at": utc_now(), "failure": failure, "cell": cell, "trace_encrypted": sealed,
    }  # fmt: skip
    return _changed(session, _mine(row_id, attempt).values(**values))


def take_back_all(session: ScopedSession) -> None:
    """Put everything that is under way back into the queue: whoever made it is dead."""
    values = {"state": "queued", "attempt": None, "leased_until": None}
    session.execute(update(Row).where(Row.state == "running").values(**values).execution_options(synchronize_session=False))


def drop_attempt(session: ScopedSession, row_id: str, attempt: str) -> None:
    """End an attempt that nobody wants any more, without a failure."""
    _changed(session, _mine(row_id, attempt).values(state="idle", attempt=None, leased_until=None))


def make_room(session: ScopedSession, most_bytes: int, *, but: str) -> int:
    """Let the tenant's oldest pages go until what is kept fits; return how many went."""
    sizes = select(Row.id, Row.size_bytes).where(Row.content_encrypted.is_not(None)).order_by(Row.made_at.desc())
    total, gone = 0, []
    rows = sorted(session.execute(sizes).all(), key=lambda row: row.id != but)  # the newest of all is the one just made
    for row in rows:
        total += row.size_bytes
        if total > most_bytes and row.id != but:
            gone.append(row.id)
    if gone:
        session.execute(delete(Row).where(Row.id.in_(gone)).execution_options(synchronize_session=False))
    return len(gone)


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def read(session: ScopedSession, vault: Vault, row_id: str) -> tuple[str, dict[str, bytes]] | None:
    """Return markup and tiles of a row; None: it has none, or none that can be read."""
    from hub_config.vault import SecretUnreadable

    token = session.scalars(select(Row.content_encrypted).where(Row.id == row_id)).one_or_none()
    if token is None:
        return None
    with suppress(SecretUnreadable, zlib.error, ValueError):
        found = json.loads(zlib.decompress(vault.unseal(session, PURPOSE, row_id, token)))
        return found["markup"], {tile: body.encode() for tile, body in found["tiles"].items()}
    return None


def trace_of(session: ScopedSession, vault: Vault, row_id: str) -> str | None:
    """Return the author's error; None: there is none, or none that can be read."""
    from hub_config.vault import SecretUnreadable

    token = session.scalars(select(Row.trace_encrypted).where(Row.id == row_id)).one_or_none()
    if token is None:
        return None
    with suppress(SecretUnreadable, UnicodeDecodeError):
        return vault.unseal(session, f"{PURPOSE} trace", row_id, token).decode()
    return None


def sealed_otherwise(session: ScopedSession, vault: Vault, *, most: int) -> list[str]:
    """Return rows that an older key of the tenant sealed."""
    key = vault.newest_of(session.scalars(select(TenantKey).where(TenantKey.retired_at.is_(None))).all())
    if key is None:
        return []
    return list(session.scalars(select(Row.id).where(Row.sealed_by.is_not(None), Row.sealed_by != key.id).limit(most)))


def seal_again(session: ScopedSession, vault: Vault, row_id: str) -> None:
    """Seal a row's content with the tenant's newest key; what cannot be read any more goes."""
    from hub_config.vault import SecretUnreadable

    token = session.scalars(select(Row.content_encrypted).where(Row.id == row_id)).one_or_none()
    if token is None:
        return
    mine = update(Row).where(Row.id == row_id, Row.content_encrypted == token)
    try:
        sealed, key_id = vault.seal(session, PURPOSE, row_id, vault.unseal(session, PURPOSE, row_id, token))
    except SecretUnreadable:
        session.execute(delete(Row).where(Row.id == row_id).execution_options(synchronize_session=False))
        return
    _changed(session, mine.values(content_encrypted=sealed, sealed_by=key_id))


def number_in_force(session: ScopedSession, dashboard_id: str) -> int | None:
    """Return the number of the version in force; None: the dashboard is not published."""
    statement = (
        select(DashboardVersion.number)
        .select_from(Dashboard)
        .join(DashboardVersion, DashboardVersion.id == Dashboard.published_version_id)
        .where(Dashboard.id == dashboard_id, Dashboard.status == "published")
    )
    return session.scalars(statement).one_or_none()


def stored_bytes(session: ScopedSession) -> int:
    """Return what the tenant's pages take."""
    return int(session.scalar(select(func.coalesce(func.sum(Row.size_bytes), 0))) or 0)


def _mine(row_id: str, attempt: str) -> Any:
    return update(Row).where(Row.id == row_id, Row.attempt == attempt, Row.state == "running")


def _changed(session: ScopedSession, statement: Any) -> bool:
    result = cast("CursorResult[Any]", session.execute(statement.execution_options(synchronize_session=False)))
    return result.rowcount == 1
