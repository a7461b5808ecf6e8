"""Where a source is, read from the one string that a person types: a URL or a path.

``postgresql://user:pw@host:port/db`` (also ``postgres://``, ``postgresql+psycopg://``), ``mysql://…`` (also
``mariadb://``, ``mysql+pymysql://``), or a path: one CSV, Excel or Parquet file, a folder of them, or a ``.duckdb`` file.

The standard library parses it (SQLAlchemy's ``make_url`` would cost its import before it is known whether a database is
meant). Options after ``?`` are taken from a list: a connection string is a way into a driver's settings, and some of
them read files or run commands.

The platform makes a :class:`DatabaseLocation` itself, without a URL, and sets ``tls`` and ``addresses``: then nothing of the
process's environment or home folder takes part in the connection (no ``PGPASSWORD``, ``.pgpass``, client certificate or
Kerberos ticket of ours goes to a server that a tenant named), and the driver resolves no name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from datapilot_kernel.errors import SourceProblem
from datapilot_kernel.sources.ssh import SshServer
from datapilot_kernel.sources.tls import Tls

Kind = Literal["postgres", "mysql", "files", "duckdb"]

_SCHEMES: dict[str, Kind] = {
    "postgresql": "postgres",
    "postgres": "postgres",
    "postgresql+psycopg": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "mysql+pymysql": "mysql",
    "mariadb+pymysql": "mysql",
}
_PORTS: dict[Kind, int] = {"postgres": 5432, "mysql": 3306}
_OPTIONS: dict[Kind, frozenset[str]] = {
    "postgres": frozenset({"sslmode", "sslrootcert", "connect_timeout"}),
    "mysql": frozenset({"ssl_mode", "ssl_ca", "connect_timeout"}),
}
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]*://")


@dataclass(frozen=True)
class DatabaseLocation:
    """A database server and one database on it. ``repr`` shows neither the password nor the user.

    Attributes
    ----------
    host
        The server's name (or literal address): what its certificate must carry.
    options
        Of a URL, from the list of what is allowed; not read where ``tls`` is set.
    tls
        What is demanded of the server; None: what the URL's options say, and the driver's own ways (a person's own
        machine).
    addresses
        Called before every new connection: the addresses to connect to, in order, already checked; the driver resolves
        nothing. It may raise SourceProblem: then there is no connection. None: the driver resolves ``host``.
    ssh
        The SSH server on the way: ``host`` is then found at its end, and ``addresses`` not asked. None: a direct way.
    """

    kind: Kind
    host: str
    port: int
    database: str
    user: str = field(repr=False)
    password: str | None = field(repr=False)
    options: dict[str, str] = field(default_factory=dict, repr=False)
    tls: Tls | None = None
    addresses: Callable[[], Sequence[str]] | None = field(default=None, repr=False, compare=False)
    ssh: SshServer | None = None

    @property
    def connect_timeout_s(self) -> int:
        """Seconds to wait for the server; 10 unless the URL says."""
        given = self.options.get("connect_timeout", "")
        return max(1, int(given)) if given.isdigit() else 10


@dataclass(frozen=True)
class FileLocation:
    """A file, a folder of files, or a DuckDB database."""

    kind: Kind
    path: Path


def is_url(location: str) -> bool:
    """Tell a URL from a path."""
    return bool(_URL.match(location.strip()))


def parse_location(location: str) -> DatabaseLocation | FileLocation:
    """Read what a person typed.

    Raises
    ------
    SourceProblem
        Empty, of an unknown kind, without a database name, or with an option that is not on the list.
    """
    location = location.strip()
    if not location:
        raise SourceProblem("sources.location_empty")
    if not is_url(location):
        path = Path(location).expanduser()
        return FileLocation("duckdb" if path.suffix.lower() in {".duckdb", ".ddb"} else "files", path)
    try:
        parts = urlsplit(location)
        port = parts.port
    except ValueError:
        raise SourceProblem("sources.location_unreadable") from None
    kind = _SCHEMES.get(parts.scheme.lower())
    if kind is None:
        raise SourceProblem("sources.location_scheme", scheme=parts.scheme.lower())
    database = unquote(parts.path.lstrip("/"))
    if not database or "/" in database or not parts.hostname:
        raise SourceProblem("sources.location_no_database")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for option in options:
        if option not in _OPTIONS[kind]:
            raise SourceProblem("sources.location_option", option=option)
    return DatabaseLocation(
        kind=kind,
        host=parts.hostname,
        port=port or _PORTS[kind],
        database=database,
        user=unquote(parts.username or ""),
        password=None if parts.password is None else unquote(parts.password),
        options=options,
    )


def redact(location: str) -> str:
    """Return a location that may be shown and logged: a URL without its user, password and options.

    >>> redact("postgresql://lea:s3cret@db.example:5432/ventes?sslmode=require")
    'postgresql://***@db.example:5432/ventes'
    """
    location = location.strip()
    if not is_url(location):
        return location
    scheme, _, rest = location.partition("://")
    # A password may hold "/", "?" or "#" that nobody escaped: the last "@" ends the secret part, wherever it is.
    if "@" in rest:
        rest = "***@" + rest.rpartition("@")[2]
    return f"{scheme}://{re.split('[?#]', rest, maxsplit=1)[0]}"


def cache_folder() -> Path:
    """Return where this package keeps what it can make again: ``DATAPILOT_CACHE_DIR``, else the XDG cache folder.

    It is made if it is not there, for its owner alone. Raises OSError when that cannot be.
    """
    given = os.environ.get("DATAPILOT_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME")
    folder = Path(given) if given else (Path(base) if base else Path.home() / ".cache") / "datapilot"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
