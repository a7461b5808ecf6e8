"""When a dashboard is refreshed by itself: never, every hour, every day or every working day at an hour of Paris.

What counts is the latest moment that was due: a server that was down over several of them makes up for them once. The day of
a change of clocks has every hour of the schedule exactly once: an hour that does not exist comes at the same distance from
midnight, one that exists twice is the first.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["off", "hourly", "daily", "workdays"]
AT = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
PARIS = ZoneInfo("Europe/Paris")
_FAR = 14
"""Days between two working days are fewer."""


class Schedule(BaseModel):
    """A schedule.

    Attributes
    ----------
    at
        Hour and minute in Paris, ``HH:MM``; of ``hourly`` only the minute counts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = "off"
    at: Annotated[str, Field(pattern=AT)] = "08:00"

    @classmethod
    def of(cls, stored: dict[str, Any] | None) -> Schedule:
        """Return what is kept with a dashboard."""
        stored = stored or {}
        return cls.model_validate({key: stored[key] for key in ("kind", "at") if key in stored})

    def due(self, now: datetime) -> datetime | None:
        """Return the latest moment, not after now, at which it was to be refreshed; None: it never is.

        >>> Schedule(kind="workdays", at="08:00").due(datetime(2026, 5, 10, 12, tzinfo=UTC)).isoformat()
        '2026-05-07T06:00:00+00:00'
        """
        if self.kind == "off":
            return None
        hour, minute = (int(part) for part in self.at.split(":"))
        if self.kind == "hourly":
            found = now.astimezone(UTC).replace(minute=minute, second=0, microsecond=0)
            return found if found <= now else found - timedelta(hours=1)
        today = now.astimezone(PARIS).date()
        for back in range(_FAR):
            day = today - timedelta(days=back)
            # By way of UTC: an hour that the clocks skip is the same distance on.
            moment = datetime.combine(day, time(hour, minute), PARIS).astimezone(UTC)
            if moment <= now and (self.kind == "daily" or _is_working_day(day)):
                return moment
        return None

    def following(self, now: datetime) -> datetime | None:
        """Return when it is refreshed next; None: it never is."""
        if self.kind == "off":
            return None
        if self.kind == "hourly":
            latest = self.due(now)
            return None if latest is None else latest + timedelta(hours=1)
        for ahead in range(_FAR):
            end_of_day = datetime.combine(
                now.astimezone(PARIS).date() + timedelta(days=ahead), time(23, 59, 59), PARIS
            ).astimezone(UTC)
            found = self.due(end_of_day)
            if found is not None and found > now:
                return found
        return None


def _is_working_day(day: Any) -> bool:
    from datapilot_kernel.plan.holidays import is_working_day
    from datapilot_kernel.semantic.model import Calendar

    return is_working_day(day, Calendar())
