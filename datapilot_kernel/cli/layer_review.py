"""Proposals for a layer on a terminal: each with its effect, taken or left by a person; all of it on standard error, so that
standard output holds the layer alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from datapilot_kernel.cli.common import note
from datapilot_kernel.messages import text
from datapilot_kernel.nl2sql.claude.layer_items import (
    DefaultFilter,
    FirstQuestion,
    Naming,
    NewCalendar,
    NewDimension,
    NewJoin,
    NewMeasure,
    Proposal,
    ValueNames,
    Words,
)
from datapilot_kernel.nl2sql.claude.layer_writer import Dropped, Proposed, Written

_YES, _NO, _ALL, _STOP = frozenset("oOyY"), frozenset("nN"), frozenset("tTaA"), frozenset("qQ")


def definition(proposal: Proposal) -> str:
    """Return what a proposal says, on one line."""
    match proposal:
        case Words(label=label, synonyms=synonyms):
            return " · ".join(part for part in (label or "", ", ".join(synonyms)) if part)
        case NewMeasure(label=label, expression=expression, formula=formula, filter=condition, synonyms=synonyms):
            how = formula or (expression or "") + (f" WHERE {condition}" if condition else "")
            said = f" ({', '.join(synonyms)})" if synonyms else ""
            return f"{label}{said} = {how}"
        case NewDimension(label=label, column=column, expression=expression):
            return f"{label} = {column or expression}"
        case ValueNames(stored=stored, names=names):
            return f"{stored} = {', '.join(names)}"
        case DefaultFilter(condition=condition):
            return condition
        case Naming(time=time, name_dimension=name):
            return ", ".join(f"{key}: {value}" for key, value in (("time", time), ("name_dimension", name)) if value)
        case NewJoin(from_columns=here, to_columns=there, label=label):
            return f"{', '.join(here)} -> {', '.join(there)}" + (f" « {label} »" if label else "")
        case NewCalendar(fiscal_year_start=start, fiscal_year_named_by=named, week_start=week):
            return f"fiscal_year_start: {start}, fiscal_year_named_by: {named}, week_start: {week}"
        case FirstQuestion(text=asked):
            return asked


def show(number: int, total: int, one: Proposed) -> None:
    """Print one proposal."""
    note(f"\n{number}/{total} {text(f'claude.kind.{one.proposal.kind}')} · {one.place}")
    if not isinstance(one.proposal, FirstQuestion):
        note(f"    {definition(one.proposal)}")
    if one.proposal.why:
        note("    " + text("claude.layer_why", why=one.proposal.why))
    note(f"    → {one.effect.text}")


def chosen(written: Written, *, everything: bool, read: Callable[[], str] | None = None) -> list[Proposed]:
    """Show every proposal and return those that the person takes.

    Parameters
    ----------
    everything
        Take all, asking nothing.
    read
        Reads one answer (an empty text: the end of the input); None: standard input.
    """
    read = read or sys.stdin.readline
    taken: list[Proposed] = []
    for number, one in enumerate(written.proposed, 1):
        show(number, len(written.proposed), one)
        answer = "t" if everything else _answer(read)
        if answer in _STOP:
            break
        everything = everything or answer in _ALL
        if answer in _YES | _ALL:
            taken.append(one)
    return taken


def _answer(read: Callable[[], str]) -> str:
    while True:
        print("    " + text("claude.layer_accept") + " ", end="", file=sys.stderr, flush=True)
        line = read()
        if not line:
            return "q"
        first = line.strip()[:1]
        if first in _YES | _NO | _ALL | _STOP and first:
            return first


def show_dropped(dropped: Sequence[Dropped]) -> None:
    """Print what did not hold, and why."""
    for one in dropped:
        note(text("claude.layer_dropped", about=one.about, problem=one.problem))
