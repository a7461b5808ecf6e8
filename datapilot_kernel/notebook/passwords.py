"""Keeps passwords out of the notebook: out of its cells, its outputs and the shell's history.

A notebook is a file that gets shared. A URL with a password, typed in a cell, is saved with it; so the magic does not take
it: it puts the cell back without the password, forgets what was typed, says why, and asks for the password in a prompt
that is stored nowhere (or reads the URL from an environment variable).
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

_WITH_PASSWORD = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.\-]*://[^\s:/@]*):(?P<password>\S*)@")
_NAMES = re.compile(r"(?i)([?&](?:password|passwd|pwd|sslpassword)=)[^&\s]*")


def without_password(source: str) -> str:
    """Return a text whose URLs have no password.

    >>> without_password("%datapilot source postgresql://lea:s3cr@t@db/ventes as v")
    '%datapilot source postgresql://lea@db/ventes as v'
    """
    return _NAMES.sub(r"\1", _WITH_PASSWORD.sub(r"\g<before>@", source))


def has_password(source: str) -> bool:
    """Tell whether a text holds a URL with a password."""
    return without_password(source) != source


def needs_password(location: str) -> bool:
    """Tell whether a URL names a user and no password."""
    if "://" not in location:
        return False
    parts = urlsplit(location)
    return bool(parts.username) and parts.password is None


def with_password(location: str, password: str) -> str:
    """Return the URL with a password, quoted as URLs want it."""
    parts = urlsplit(location)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def forget(shell: Any) -> None:
    """Take passwords out of what the shell remembers of this cell, and put the cell back without them.

    The history that IPython writes to its own database is written by a thread a moment later: its queue is cleaned too.
    """
    history = getattr(shell, "history_manager", None)
    if history is not None:
        for name in ("input_hist_raw", "input_hist_parsed"):
            lines = getattr(history, name, None)
            if isinstance(lines, list):
                lines[:] = [without_password(line) for line in lines]
        cache = getattr(history, "db_input_cache", None)
        if isinstance(cache, list):
            cache[:] = [tuple(without_password(p) if isinstance(p, str) else p for p in entry) for entry in cache]
        for name in ("_i", "_ii", "_iii", "_i00"):
            value = getattr(history, name, None)
            if isinstance(value, str):
                setattr(history, name, without_password(value))
    for name, value in list(shell.user_ns.items()):
        if name.startswith("_i") and isinstance(value, str) and has_password(value):
            shell.user_ns[name] = without_password(value)
