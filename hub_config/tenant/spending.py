"""What a tenant asked and spent, month by month: by day, and by person.

Read from the counters of :mod:`hub_config.queries.quotas`, whose days are UTC: a question asked between midnight in Paris
and midnight UTC counts for the day before. The quotas begin anew by the same clock, so that page and refusal agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from hub_config.database import UsageCounter, User, utc_now
from hub_config.queries.quotas import MODEL_MICROEUROS, QUERIES

if TYPE_CHECKING:
    from hub_config.database import Database
    from hub_config.principal import Principal


@dataclass(frozen=True)
class Spender:
    """What one person spent on the language model.

    Attributes
    ----------
    email
        None: the person is gone.
    """

    user_id: str
    email: str | None
    full_name: str
    microeuros: int


@dataclass(frozen=True)
class Month:
    """One month, or what there is of it.

    Attributes
    ----------
    days
        Every day up to the month's end or today, with the questions asked and the microeuros spent.
    people
        Who spent, the most first.
    """

    first: date
    days: tuple[tuple[date, int, int], ...]
    people: tuple[Spender, ...]

    @property
    def queries(self) -> int:
        """Questions of the month."""
        return sum(day[1] for day in self.days)

    @property
    def microeuros(self) -> int:
        """Money of the month."""
        return sum(day[2] for day in self.days)


def month_of(database: Database, principal: Principal, first: date) -> Month:
    """Return the month that begins on a day."""
    following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    last = min(following - timedelta(days=1), utc_now().date())
    within = UsageCounter.day.between(first, last)
    spent = func.sum(UsageCounter.value).label("spent")
    with database.tenant(principal.tenant_id, read_only=True) as session:
        rows = session.execute(
            select(UsageCounter.day, UsageCounter.key, UsageCounter.value).where(
                UsageCounter.user_id == "", UsageCounter.key.in_((QUERIES, MODEL_MICROEUROS)), within
            )
        ).all()
        people = session.execute(
            select(UsageCounter.user_id, spent)
            .where(UsageCounter.user_id != "", UsageCounter.key == MODEL_MICROEUROS, within)
            .group_by(UsageCounter.user_id)
        ).all()
        ids = [row.user_id for row in people]
        known = {user.id: user for user in session.scalars(select(User).where(User.id.in_(ids)))} if ids else {}
    by_day = {(row.day, row.key): row.value for row in rows}
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    spenders = [_spender(row.user_id, known.get(row.user_id), int(row.spent)) for row in people if row.spent]
    return Month(
        first,
        tuple((day, by_day.get((day, QUERIES), 0), by_day.get((day, MODEL_MICROEUROS), 0)) for day in days),
        tuple(sorted(spenders, key=lambda one: (-one.microeuros, one.user_id))),
    )


def _spender(user_id: str, user: User | None, microeuros: int) -> Spender:
    return Spender(user_id, user.email if user else None, user.full_name if user else "", microeuros)
