"""The options of a magic, read from its line.

Not argparse and not shlex: what follows the options is a French question, full of apostrophes (« chiffre d'affaires »), and
must come through untouched. Options stand first; the first word that is none begins the question; ``--`` ends them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from datapilot_kernel.errors import BadInput


@dataclass(frozen=True)
class Option:
    """An option of a magic: its long and short names, whether it takes a value, and which ones are possible."""

    long: str
    short: str | None = None
    takes_value: bool = True
    values: tuple[str, ...] = ()


SOURCE = Option("--source", "-s")
OUTPUT = Option("--output", "-o")
ENGINE = Option("--engine", values=("auto", "local", "claude"))
TODAY = Option("--today")
NO_CHART = Option("--no-chart", takes_value=False)
NEW = Option("--new", takes_value=False)
NAMED = Option("--as")
ENVIRONMENT = Option("--env")
LAYER = Option("--semantic")

ASK = (SOURCE, OUTPUT, ENGINE, TODAY, NO_CHART, NEW)
SQL = (SOURCE, OUTPUT, NO_CHART)

_WORD = re.compile(r"""\s*("[^"]*"|'[^']*'(?=\s|$)|\S+)""")


@dataclass(frozen=True)
class Parsed:
    """What a line said: options by long name without dashes (flags: ``""``), and the rest, untouched."""

    values: Mapping[str, str] = field(default_factory=dict)
    rest: str = ""

    def get(self, option: Option) -> str | None:
        """Return an option's value, None when it was not given."""
        return self.values.get(option.long)

    def has(self, option: Option) -> bool:
        """Tell whether a flag was given."""
        return option.long in self.values


def parse(line: str, known: tuple[Option, ...]) -> Parsed:
    """Read the options at the start of a line.

    >>> parse("-o ca --no-chart chiffre d'affaires de l'année", ASK).rest
    "chiffre d'affaires de l'année"

    Raises
    ------
    BadInput
        An unknown option, one without its value, or a value that is not possible.
    """
    names = {name: option for option in known for name in (option.long, option.short) if name}
    values: dict[str, str] = {}
    rest = line.strip()
    while rest.startswith("-") and len(rest) > 1 and not rest[1].isspace() and not rest[1].isdigit():
        word, after = _next(rest)
        if word == "--":
            rest = after
            break
        name, equals, value = word.partition("=")
        option = names.get(name)
        if option is None:
            raise BadInput("notebook.unknown_option", name=name, known=", ".join(o.long for o in known))
        if option.takes_value:
            if not equals:
                value, after = _next(after)
            if not value:
                raise BadInput("notebook.option_without_value", name=name)
            if option.values and value not in option.values:
                raise BadInput("notebook.option_value", name=name, values=", ".join(option.values))
        values[option.long] = value
        rest = after.strip()
    return Parsed(values, rest)


def words(line: str) -> list[str]:
    """Return the words of a line, quotes taken off."""
    found = []
    rest = line.strip()
    while rest:
        word, rest = _next(rest)
        found.append(word)
    return found


def _next(line: str) -> tuple[str, str]:
    match = _WORD.match(line)
    if match is None:
        return "", ""
    word = match.group(1)
    if len(word) >= 2 and word[0] == word[-1] and word[0] in "\"'":
        word = word[1:-1]
    return word, line[match.end() :].lstrip()
