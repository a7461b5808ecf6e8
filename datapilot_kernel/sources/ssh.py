"""An SSH server on the way to a database: what is said about it, as data. Nothing here connects, nothing here is heavy.

A company's database often stands behind a machine that alone is reachable from outside. The connection then goes through
that machine, and the database's name is resolved *there*; :mod:`datapilot_kernel.sources.ssh_tunnel` does it.

Whom we talk to is known before anything secret is sent: the server's public key is part of the settings, whole (a
fingerprint alone would not tell which of a server's several keys to ask for). It is read once, by the connection test, and
shown as the SHA256 fingerprint that ``ssh-keygen -lf`` prints on the server; a person confirms it. What was rejected: to
trust the first key that answers, and a switch to turn the check off.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from datapilot_kernel.errors import SourceProblem

# Each sort of key with the signatures that it may make, in the order in which they are asked for. No SHA-1, no DSA.
HOST_KEY_SORTS: dict[str, tuple[str, ...]] = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}

LONGEST_KEY = 16 * 1024
# ssh-keygen's own default is 16 (24 since OpenSSH 9.4): each costs some milliseconds of our processor.
_MOST_ROUNDS = 256
_ARMOUR = re.compile(r"-----BEGIN ((?:[A-Z]+ )?PRIVATE KEY)-----\s(.*?)-----END \1-----", re.DOTALL)
_OPENSSH_MAGIC = b"openssh-key-v1\0"


@dataclass(frozen=True)
class HostKey:
    """An SSH server's public key.

    Attributes
    ----------
    sort
        ``ssh-ed25519`` and the like, one of ``HOST_KEY_SORTS``.
    blob
        The key itself.
    """

    sort: str
    blob: bytes

    @classmethod
    def parse(cls, line: str) -> HostKey:
        """Read a line of ``ssh-keyscan``, of ``known_hosts`` or of a ``.pub`` file: with or without host and comment.

        Raises
        ------
        SourceProblem
            It is none (``ssh_host_key_unreadable``).
        """
        words = line.split()
        start = next((i for i, word in enumerate(words[:2]) if word in HOST_KEY_SORTS), None)
        if start is None or len(words) < start + 2 or len(line) > LONGEST_KEY:
            raise SourceProblem("sources.ssh_host_key_unreadable")
        try:
            blob = base64.b64decode(words[start + 1], validate=True)
        except (binascii.Error, ValueError):
            raise SourceProblem("sources.ssh_host_key_unreadable") from None
        # The blob begins with its own sort, and is whole: a line that lost its end is another key.
        rest, parts = blob, []
        try:
            while rest:
                part, rest = _string(rest)
                parts.append(part)
        except ValueError:
            parts = []
        if len(parts) < 2 or parts[0] != words[start].encode():
            raise SourceProblem("sources.ssh_host_key_unreadable")
        return cls(words[start], blob)

    @property
    def line(self) -> str:
        """The key's one spelling."""
        return f"{self.sort} {base64.b64encode(self.blob).decode()}"

    @property
    def fingerprint(self) -> str:
        """What ``ssh-keygen -lf`` prints: ``SHA256:…``."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


@dataclass(frozen=True)
class SshServer:
    """The SSH server before a database. ``repr`` shows neither secrets nor the account.

    Attributes
    ----------
    host_key
        The key that was confirmed; None: none was, and nothing secret is sent.
    private_key
        PEM or OpenSSH text; None: the account has a password.
    addresses
        Called before every new connection: the addresses to connect to, already checked. It may raise SourceProblem.
        None: the machine's resolver is asked.
    """

    host: str
    port: int = 22
    user: str = field(default="", repr=False)
    host_key: HostKey | None = None
    private_key: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    addresses: Callable[[], Sequence[str]] | None = field(default=None, repr=False, compare=False)


def checked_armour(key: str) -> str:
    """Return a private key's text in its one spelling, after what can be said of it without a key library.

    Raises
    ------
    SourceProblem
        It is no private key; its protection would cost us too much to open; or it is protected in a way (PKCS #8) that
        hides the cost.
    """
    text = key.replace("\r\n", "\n").strip()
    found = _ARMOUR.fullmatch(text)
    if found is None or len(text) > LONGEST_KEY or not text.isascii():
        raise SourceProblem("sources.ssh_key_unreadable")
    if found[1] == "ENCRYPTED PRIVATE KEY":
        raise SourceProblem("sources.ssh_key_format")
    if found[1] == "OPENSSH PRIVATE KEY" and _rounds(found[2]) > _MOST_ROUNDS:
        raise SourceProblem("sources.ssh_key_costly")
    return text + "\n"


def _rounds(body: str) -> int:
    """Return how often bcrypt is asked to open a key of OpenSSH's form; 0: it is not protected."""
    try:
        data = base64.b64decode("".join(body.split()), validate=True)
        if not data.startswith(_OPENSSH_MAGIC):
            raise ValueError
        _, rest = _string(data[len(_OPENSSH_MAGIC) :])
        kdf, rest = _string(rest)
        options, _ = _string(rest)
        if kdf == b"none":
            return 0
        _salt, count = _string(options)
        return int.from_bytes(count[:4], "big")
    except (binascii.Error, ValueError):
        raise SourceProblem("sources.ssh_key_unreadable") from None


def _string(data: bytes) -> tuple[bytes, bytes]:
    """Take a string of the SSH wire format off the front."""
    size = int.from_bytes(data[:4], "big")
    if len(data) < 4 + size:
        raise ValueError
    return data[4 : 4 + size], data[4 + size :]
