"""The keys that sign access tokens: a file of Ed25519 keys, newest first, one a line: ``kid created seed``.

The newest signs; every one of them verifies. ``datapilot tokens rotate`` puts a new one in front, and leaves out those
that nothing alive can be signed with any more. A running service sees the change by the file's stamp, looked at every
time: a rotation needs no restart and ends nobody's session, and a key taken out is believed no more. A file that is lost
or damaged while the service runs leaves the known keys in force.

The file is the owner's alone (0600), written beside and renamed, under a lock: killed half-way, the old one stands.
Ed25519 rather than a shared secret: whoever only verifies (a renderer of dashboards) never holds what signs.
"""

from __future__ import annotations

import base64
import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from datapilot_kernel.errors import BadInput
from hub_config import key_files

log = logging.getLogger(__name__)

# The most that settings allow a token to live, and some: whatever they said when it was signed, it is over by then.
LONGEST_TOKEN_S = 2 * 3600 + 60


@dataclass(frozen=True)
class SigningKey:
    """One key.

    Attributes
    ----------
    created
        Seconds since 1970.
    """

    kid: str
    created: int
    private: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> Ed25519PublicKey:
        """What verifies."""
        return self.private.public_key()


class KeyRing:
    """The keys of one file, made at the first start.

    Raises
    ------
    BadInput
        The file holds something else, or cannot be read or made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._keys: tuple[SigningKey, ...] = ()
        self._public: dict[str, Ed25519PublicKey] = {}
        self._said = ""
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                with key_files.locked(self._path):
                    if not path.exists():
                        self._write([_new_key()])
        self._load()

    def newest(self) -> SigningKey:
        """Return the key that signs."""
        self._reload()
        return self._keys[0]

    def public(self, kid: str) -> Ed25519PublicKey | None:
        """Return the key of that name; None: there is none."""
        self._reload()
        return self._public.get(kid)

    def rotate(self, *, keep_seconds: int) -> SigningKey:
        """Put a new key in front.

        Parameters
        ----------
        keep_seconds
            How long a token lives: a key that stopped signing longer ago is left out.
        """
        with self._translated(), key_files.locked(self._path):
            keys = _parse(self._path)
            now = int(time.time())
            # A key has signed until the one before it in the file was made.
            ended = [now, *(key.created for key in keys)]
            kept = [key for key, end in zip(keys, ended, strict=False) if now - end <= keep_seconds]
            self._write([_new_key(), *kept])
        self._reload()
        return self._keys[0]

    def _reload(self) -> None:
        """Load the file if it is another; one that is away or damaged leaves what is known in force, and says so."""
        try:
            self._load()
        except BadInput as problem:
            if problem.log != self._said:
                log.error("%s: %s", problem.log, self._path.name)
            self._said = problem.log
        else:
            self._said = ""

    def _load(self) -> None:
        with self._translated(), self._lock:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            if stamp == self._stamp:
                return
            keys = _parse(self._path)
            self._keys, self._public = keys, {key.kid: key.public for key in keys}
            self._stamp = stamp

    def _write(self, keys: list[SigningKey]) -> None:
        lines = [f"{key.kid} {key.created} {base64.b64encode(key.private.private_bytes_raw()).decode()}\n" for key in keys]
        key_files.replace(self._path, lines)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BadInput("people.keys_unreadable", path=self._path, log=f"signing keys: {type(error).__name__}") from None


def _new_key() -> SigningKey:
    return SigningKey(secrets.token_hex(6), int(time.time()), Ed25519PrivateKey.generate())


def _parse(path: Path) -> tuple[SigningKey, ...]:
    keys = []
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            if line.strip():
                kid, created, seed = line.split()
                private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed, validate=True))
                keys.append(SigningKey(kid, int(created), private))
    except ValueError:
        keys = []
    if not keys:
        # The foreign exception may quote the line: not chained.
        raise BadInput("people.keys_unreadable", path=path, log="signing keys: not a key file") from None
    return tuple(keys)
