"""The questions of a notebook's cells, read off their source without running anything.

::

    %datapilot source "Ventes"                 settings: of the author's session, nothing of a published page
    %ask -o ca -s Ventes chiffre d'affaires    a question, on a line of its own (also ``ca = %ask …``)
    %%ask -o ca                                a question that is the whole cell
    %%sql, %sql                                a statement: it has no plan, no page shows it

What a published page runs is the author's cell with each question replaced (:func:`replaced`): by the tile that stands for
it, or by nothing. Everything else of the cell stays as its author wrote it. What IPython makes a magic of at run time only
(``get_ipython().run_line_magic("ask", …)``) is not seen here: it stays code, and has no right to ask in a rendering.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from datapilot_kernel.errors import BadInput
from datapilot_kernel.notebook import options as opt

_LINE = re.compile(r"^(?P<indent>\s*)(?:(?P<name>[A-Za-z_]\w*)\s*=\s*)?%(?P<magic>ask|sql|datapilot)(?!\w)(?P<rest>.*)$")
_CELL = re.compile(r"^\s*%%(?P<magic>ask|sql)(?!\w)(?P<rest>[^\n]*)(?:\n(?P<body>.*))?$", re.DOTALL)

Kind = Literal["ask", "sql", "datapilot"]


@dataclass(frozen=True)
class Written:
    """A magic of ours in a cell.

    Attributes
    ----------
    first, last
        Its lines, counted from 0, both included.
    text
        The question or the statement, blanks joined; what follows ``%datapilot``.
    output
        The variable that gets the result; None: none.
    source
        Which source the line names; None: the one in force.
    """

    kind: Kind
    first: int
    last: int
    text: str
    indent: str = ""
    output: str | None = None
    source: str | None = None
    chart: bool = True
    fresh: bool = False


def written_in(source: str) -> list[Written]:
    r"""Return the magics of ours in a code cell, in order.

    >>> [(w.kind, w.text, w.output) for w in written_in("x = 1\nca = %ask ventes par région\n%sql select 1")]
    [('ask', 'ventes par région', 'ca'), ('sql', 'select 1', None)]
    """
    whole = _CELL.match(source)
    if whole is not None:
        return [_read(whole["magic"], whole["rest"], more=whole["body"] or "", first=0, last=source.count("\n"))]
    if source.lstrip().startswith("%%"):
        return []  # another program's cell: what looks like a line of ours in it is none
    magics = []
    for number, line in enumerate(source.split("\n")):
        match = _LINE.match(line)
        if match is not None:
            indent, name = match["indent"], match["name"]
            magics.append(_read(match["magic"], match["rest"], first=number, last=number, indent=indent, name=name))
    return magics


def _read(
    magic: str, rest: str, *, first: int, last: int, more: str = "", indent: str = "", name: str | None = None
) -> Written:
    if magic == "datapilot":
        return Written("datapilot", first, last, rest.strip(), indent)
    try:
        parsed = opt.parse(rest, opt.ASK if magic == "ask" else opt.SQL)
    except BadInput:
        parsed = opt.Parsed({}, rest.strip())  # the cell itself says what is wrong with it when it runs
    joined = " ".join(part for part in (parsed.rest, more.strip()) if part)
    said = " ".join(joined.split()) if magic == "ask" else joined
    return Written(
        "ask" if magic == "ask" else "sql", first, last, said, indent, name or parsed.get(opt.OUTPUT),
        parsed.get(opt.SOURCE), not parsed.has(opt.NO_CHART), parsed.has(opt.NEW),
    )  # fmt: skip


def replaced(source: str, by: Callable[[Written], str | None]) -> str:
    r"""Return a cell's source with each magic of ours replaced by a line; None: by nothing.

    >>> replaced("if x:\n    %ask -o ca ventes\nprint(1)", lambda w: f"%tile a1 -o {w.output}")
    'if x:\n    %tile a1 -o ca\nprint(1)'
    """
    magics = written_in(source)
    if not magics:
        return source
    lines = source.split("\n")
    for magic in reversed(magics):
        line = by(magic)
        # A block that held nothing but a question stays a block.
        put = f"{magic.indent}{line}" if line is not None else f"{magic.indent}pass" if magic.indent else None
        lines[magic.first : magic.last + 1] = [] if put is None else [put]
    return "\n".join(lines)
