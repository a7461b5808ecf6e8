"""Passwords: what is asked of one, how it is kept (argon2id), and work that is the same whether there is one or not.

A password is put into one Unicode form first (NFC): the same keys pressed on two systems are the same password. Sixteen
characters of spaces are allowed, sixteen times the same letter is not. No rule asks for digits or signs: length is what
holds.

One hash costs 64 MiB and some 100 ms of two cores, on purpose. How many are computed at once is bounded by whoever
calls (:mod:`hub_config.people.work`), never here.
"""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from datapilot_kernel.errors import BadInput

MIN_LENGTH = 12
MAX_LENGTH = 256
_DISTINCT = 5


def check_rules(password: str, *, email: str) -> None:
    """Refuse a password that is too short, too long, too uniform or made of the address.

    Raises
    ------
    BadInput
        Says what to choose instead; never repeats the password.
    """
    normal = unicodedata.normalize("NFC", password)
    if len(normal) < MIN_LENGTH:
        raise BadInput("people.password_too_short", minimum=MIN_LENGTH)
    if len(normal) > MAX_LENGTH:
        raise BadInput("people.password_too_long", maximum=MAX_LENGTH)
    local = email.partition("@")[0].casefold()
    folded = normal.casefold()
    made_of_address = folded == email.strip().casefold() or (len(local) >= 4 and len(folded.replace(local, "")) < 6)
    if len(set(normal)) < _DISTINCT or made_of_address:
        raise BadInput("people.password_too_simple")


class Passwords:
    """Hashes and verifies.

    Parameters
    ----------
    hasher
        None: argon2id with the library's present parameters (RFC 9106, 64 MiB). A test may pass a cheap one.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._dummy: str | None = None

    def hash(self, password: str) -> str:
        """Return the hash to keep."""
        return self._hasher.hash(unicodedata.normalize("NFC", password))

    def verify(self, hashed: str | None, password: str) -> bool:
        """Tell whether this is the password; without a hash, work as long and say no."""
        if hashed is None:
            if self._dummy is None:
                self._dummy = self._hasher.hash("nobody has this password")
            self._check(self._dummy, password)
            return False
        return self._check(hashed, password)

    def needs_rehash(self, hashed: str) -> bool:
        """Tell whether the parameters have changed since."""
        return self._hasher.check_needs_rehash(hashed)

    def _check(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, unicodedata.normalize("NFC", password))
        except (VerificationError, InvalidHashError):
            return False
