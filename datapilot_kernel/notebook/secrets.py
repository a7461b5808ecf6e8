"""What looks like a secret in a notebook's cells: where it is and what it looks like, never its text.

The same rules as the sidebar's check (``extension/src/publish/secrets.ts``; a test holds the two to each other): the sidebar
tells the author at once, the server does not believe it and looks again, ``datapilot publish`` looks before it sends.

A courtesy, not a wall: what has no telling name and no telling form is not found. The wall is that a notebook in the hub
needs no secret at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SecretKind = Literal["key", "password", "connection", "token"]


@dataclass(frozen=True)
class Secret:
    """A find.

    Attributes
    ----------
    cell
        Counted from 0 among all cells of the notebook.
    line
        Counted from 1.
    """

    cell: int
    line: int
    kind: SecretKind


_I = re.IGNORECASE
# Names that are followed by a value in quotes; a value that is read from elsewhere (a call, a variable) is none.
_NAMED = (
    r"""(?:^|[^a-z])(?:pass(?:word|wd|phrase)?|pwd|mot_?de_?passe|mdp)\w*["']?\s*[:=]\s*"""
    r"""[rbuf]*(["'])(?!\1)(?:(?!\1).){3,}\1"""
)
_NAMED_KEY = (
    r"""(?:api|access|secret|private|account|shared|client)[_-]?(?:key|secret|token)\w*["']?\s*[:=]\s*"""
    r"""[rbuf]*(["'])(?!\1)(?:(?!\1).){8,}\1"""
)
_NAMED_BEARER = r"""(?:^|[^a-z])(?:token|jeton|secret|bearer)\w*["']?\s*[:=]\s*[rbuf]*(["'])(?!\1)(?:(?!\1).){8,}\1"""

_RULES: tuple[tuple[SecretKind, str, re.RegexFlag], ...] = (
    ("key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----", re.ASCII),
    ("key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", re.ASCII),
    ("key", r"\bAIza[0-9A-Za-z_-]{35}\b", re.ASCII),
    ("key", r"\bsk-[A-Za-z0-9_-]{20,}", re.ASCII),
    ("token", r"\bgh[pousr]_[A-Za-z0-9]{30,}\b|\bgithub_pat_[A-Za-z0-9_]{40,}", re.ASCII),
    ("token", r"\bglpat-[A-Za-z0-9_-]{20,}", re.ASCII),
    ("token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}", re.ASCII),
    ("token", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}", re.ASCII),
    ("token", r"\bBearer\s+[A-Za-z0-9._~+/-]{20,}", re.ASCII),
    ("key", r"\bAccountKey=[A-Za-z0-9+/=]{20,}", re.ASCII | _I),
    # user:password@host; a placeholder in braces is filled in from elsewhere.
    ("connection", r"""\b[a-z][a-z0-9+.-]*://[^\s:/@'"]*:(?!\{|\$|\*+@)[^\s@'"]+@[^\s'"]""", re.ASCII | _I),
    ("connection", r"""\b(?:password|pwd)=(?!\{|\$|\*)[^;\s'"]{3,}""", re.ASCII | _I),
    ("password", _NAMED, re.ASCII | _I),
    ("key", _NAMED_KEY, re.ASCII | _I),
    ("token", _NAMED_BEARER, re.ASCII | _I),
)
_PATTERNS = tuple((kind, re.compile(pattern, flags)) for kind, pattern, flags in _RULES)
_WINDOW, _STEP = 2_000, 1_500
"""A longer line is read in pieces that overlap: some patterns take the square of a line's length."""


def secrets_in(cells: Sequence[str]) -> list[Secret]:
    r"""Return what looks like a secret in cells' sources, one find a line.

    >>> secrets_in(["import os", "x = 1\npassword = 'hunter22'", "password = os.environ['PW']"])
    [Secret(cell=1, line=2, kind='password')]
    """
    found = []
    for number, source in enumerate(cells):
        for line, written in enumerate(source.split("\n"), 1):
            kind = next((k for piece in _pieces(written) for k, pattern in _PATTERNS if pattern.search(piece)), None)
            if kind is not None:
                found.append(Secret(number, line, kind))
    return found


def _pieces(line: str) -> list[str]:
    if len(line) <= _WINDOW:
        return [line]
    return [line[at : at + _WINDOW] for at in range(0, len(line), _STEP)]
