"""PostgreSQL's values as plain Python: what psycopg would make an object of its own, or refuse, comes as text.

A date of ``infinity`` (an open contract's end, in many databases) is the last day that Python knows; one before Christ
has no Python value and becomes None rather than losing the whole result.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from psycopg import errors
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Loader
from psycopg.types.datetime import DateLoader, IntervalLoader, TimestampLoader, TimestamptzLoader

_EARLIEST, _LATEST = date.min, date.max


class _Text(Loader):
    def load(self, data: Buffer) -> str:
        return bytes(data).decode("utf-8", "replace")


class _Date(DateLoader):
    def load(self, data: Buffer) -> Any:
        try:
            return super().load(data)
        except errors.DataError:
            return {b"infinity": _LATEST, b"-infinity": _EARLIEST}.get(bytes(data))


class _Timestamp(TimestampLoader):
    def load(self, data: Buffer) -> Any:
        try:
            return super().load(data)
        except errors.DataError:
            return {b"infinity": datetime.max, b"-infinity": datetime.min}.get(bytes(data))  # noqa: DTZ901


class _Timestamptz(TimestamptzLoader):
    def load(self, data: Buffer) -> Any:
        try:
            return super().load(data)
        except (errors.DataError, OverflowError):
            ends = {b"infinity": datetime.max, b"-infinity": datetime.min}  # noqa: DTZ901
            found = ends.get(bytes(data))
            return None if found is None else found.replace(tzinfo=timezone.utc)  # noqa: UP017


class _Interval(IntervalLoader):
    def load(self, data: Buffer) -> Any:
        try:
            return super().load(data)
        except (errors.DataError, OverflowError):
            return timedelta.max


class _Money(Loader):
    def load(self, data: Buffer) -> Decimal:
        # lc_monetary is fixed to C: "-$1,234.50".
        return Decimal(bytes(data).decode().replace("$", "").replace(",", ""))


def register(adapters: AdaptersMap) -> None:
    """Make a connection's results plain."""
    adapters.register_loader("date", _Date)
    adapters.register_loader("timestamp", _Timestamp)
    adapters.register_loader("timestamptz", _Timestamptz)
    adapters.register_loader("interval", _Interval)
    adapters.register_loader("money", _Money)
    texts = ("uuid", "inet", "cidr", "record", "int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange")
    ranges = ("int4multirange", "int8multirange", "nummultirange", "datemultirange", "tsmultirange", "tstzmultirange")
    for name in (*texts, *ranges):
        adapters.register_loader(name, _Text)
