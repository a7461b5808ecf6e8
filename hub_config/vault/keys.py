"""The master keys: a file of a few Fernet keys, newest first, one a line: ``key created``.

The newest wraps; every one of them unwraps. The file is read again when its stamp changes, so that a service goes on while
``datapilot vault rotate`` puts a new key in front. It is its owner's alone (0600): a file that others can read is refused.
It is written beside and renamed, under a lock: killed half-way, the old one stands. A key's name (``kid``) is a hash of
it, so that neither the order nor a comment of the file can be wrong about which key wrapped what.

Keys may also come as a value (``DATAPILOT_VAULT_KEYS``, from a secret store): newest first, between spaces or commas. What
is kept elsewhere is changed elsewhere: then a rotation begins where the value is set, and the command finishes it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet

from datapilot_kernel.errors import BadInput
from hub_config import key_files


class KeyFileProblem(BadInput):
    """The master keys are missing, unreadable, or readable by others. For the operator: the message names the file."""


@dataclass(frozen=True)
class MasterKey:
    """One master key.

    Attributes
    ----------
    kid
        Its name: 12 hexadecimal characters, which tell nothing of the key.
    created
        Seconds since 1970; 0: not known.
    """

    kid: str
    created: int
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, text: str, created: int = 0) -> MasterKey:
        """Read a Fernet key. Raises ValueError, without the text."""
        try:
            secret = base64.urlsafe_b64decode(text.encode("ascii"))
        except (ValueError, UnicodeError):
            secret = b""
        if len(secret) != 32 or secret == bytes(32):
            raise ValueError("not a key")
        return cls(hashlib.sha256(b"datapilot vault key name\0" + secret).hexdigest()[:12], created, secret)

    @classmethod
    def new(cls) -> MasterKey:
        """Return a random key."""
        return cls.of(Fernet.generate_key().decode(), int(time.time()))

    def line(self) -> str:
        """Return the line of the file: the key in clear."""
        return f"{base64.urlsafe_b64encode(self.secret).decode()} {self.created}\n"

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled")


class MasterKeys:
    """The master keys of an installation. Thread-safe; nothing is read before it is needed.

    Parameters
    ----------
    path
        Where the file is, or will be made.
    value
        The keys themselves; then there is no file.
    """

    def __init__(self, path: Path, value: str | None = None) -> None:
        self.path = path
        self._value = value
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._keys: tuple[MasterKey, ...] = ()

    def __repr__(self) -> str:
        return f"MasterKeys({'a value' if self.is_value else str(self.path)!r})"

    def __reduce__(self) -> str:
        raise TypeError("keys are not pickled")

    @property
    def is_value(self) -> bool:
        """True: the keys were given as a value."""
        return self._value is not None

    def exist(self) -> bool:
        """Tell whether there are keys (not whether they can be read)."""
        return self.is_value or self.path.exists()

    def all(self) -> tuple[MasterKey, ...]:
        """Return the keys, newest first.

        Raises
        ------
        KeyFileProblem
            There is no file, others can read it, or it holds something else.
        """
        with self._lock:
            if self._value is not None:
                self._keys = self._keys or _parsed(self._value.replace(",", " ").split(), "DATAPILOT_VAULT_KEYS")
                return self._keys
            with _translated(self.path), self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    raise KeyFileProblem("vault.readable_by_others", path=self.path)
                stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
                if stamp != self._stamp:
                    lines = file.read(1 << 20).decode("ascii", "replace").splitlines()
                    self._keys = _parsed([line for line in lines if line.strip() and line[0] != "#"], str(self.path))
                    self._stamp = stamp
            return self._keys

    def newest(self) -> MasterKey:
        """Return the key that wraps. Raises as :meth:`all`."""
        return self.all()[0]

    def create(self) -> bool:
        """Make the file with one key; False: there is one already, which is left as it is."""
        with _translated(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with key_files.locked(self.path):
                if self.path.exists():
                    return False
                self._write([MasterKey.new()])
        return True

    def prepend(self) -> MasterKey:
        """Put a new key in front, and return it.

        Raises
        ------
        KeyFileProblem
            The keys were given as a value; or as :meth:`all`.
        """
        if self.is_value:
            raise KeyFileProblem("vault.value_elsewhere")
        with _translated(self.path), key_files.locked(self.path):
            key = MasterKey.new()
            self._write([key, *self.all()])
        return key

    def remove(self, kids: Sequence[str]) -> None:
        """Take keys out of the file; the newest stays whatever is asked."""
        with _translated(self.path), key_files.locked(self.path):
            newest, *others = self.all()
            self._write([newest, *(key for key in others if key.kid not in kids)])

    def _write(self, keys: Sequence[MasterKey]) -> None:
        key_files.replace(self.path, (key.line() for key in keys))


def _parsed(lines: Sequence[str], where: str) -> tuple[MasterKey, ...]:
    keys: list[MasterKey] = []
    for line in lines:
        text, _, created = line.strip().partition(" ")
        try:
            keys.append(MasterKey.of(text, int(created or 0)))
        except ValueError:
            keys = []
            break
    if not keys:
        raise KeyFileProblem("vault.unreadable", path=where, log="vault keys: not a key file")
    return tuple(dict.fromkeys(keys))


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    problem: KeyFileProblem | None = None
    try:
        yield
    except FileNotFoundError:
        problem = KeyFileProblem("vault.missing", path=path)
    except OSError as error:
        problem = KeyFileProblem("vault.unreadable", path=path, log=f"vault keys: {type(error).__name__}")
    if problem is not None:
        raise problem
