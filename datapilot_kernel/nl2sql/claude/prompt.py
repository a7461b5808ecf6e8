"""A question as the request that goes out: the stable parts first, each with its cache breakpoint, then this question.

``system`` holds the rules (``system.md``, the same for every tenant of one dialect and language) and the source; the user's
message holds what changes: today and its calendar, the part of a large source that this question needs, verified examples,
the conversation, what the local engine heard, the question.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from datapilot_kernel.nl2sql.claude.context import Selection, plain
from datapilot_kernel.nl2sql.claude.handover import Heard, Words
from datapilot_kernel.nl2sql.claude.value_tokens import ValueTokens
from datapilot_kernel.nl2sql.claude.wire import estimate_tokens
from datapilot_kernel.nl2sql.conversation import Conversation, Turn
from datapilot_kernel.nl2sql.understanding import NotAnswerable, Understanding, Unsure
from datapilot_kernel.nl2sql.verified import Approved
from datapilot_kernel.plan.model import CalendarPeriod, LastPeriod, Period, ToDate
from datapilot_kernel.plan.periods import resolve
from datapilot_kernel.semantic.model import Calendar
from datapilot_kernel.sources.model import Dialect

CONVERSATION_TOKENS = 2_000
MOST_TURNS = 8
WHOLE_TURNS = 3
"""The latest turns keep their whole plan; older ones their measures, filters and period."""
MOST_EXAMPLES = 6

_DIALECTS: dict[Dialect, str] = {
    "postgres": "The dialect is PostgreSQL. Month of a date: date_trunc('month', d). Case and accents count in text.",
    "mysql": "The dialect is MySQL 8 / MariaDB. Month of a date: DATE_FORMAT(d, '%Y-%m-01'). There is no FULL JOIN.",
    "duckdb": "The dialect is DuckDB. Month of a date: date_trunc('month', d). Case and accents count in text.",
}
_LANGUAGES = {"fr": "French", "en": "English"}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@cache
def rules(dialect: Dialect, language: str) -> str:
    """Return the rules, the same text for every question of one dialect and language."""
    template = files("datapilot_kernel").joinpath("nl2sql", "claude", "system.md").read_text(encoding="utf-8")
    return template.format(dialect=_DIALECTS[dialect], language=_LANGUAGES.get(language, "French")).strip()


def system_parts(dialect: Dialect, language: str, selection: Selection) -> tuple[tuple[str, bool], ...]:
    """Return the system texts, each a cache breakpoint."""
    return ((rules(dialect, language), True), (f"<source>\n{selection.stable}\n</source>", True))


def user_text(
    question: str,
    *,
    today: date,
    calendar: Calendar,
    selection: Selection,
    tokens: ValueTokens,
    heard: Heard,
    local: Understanding | None,
    conversation: Conversation | None,
    examples: Sequence[Approved] = (),
) -> str:
    """Return the message of one question."""
    parts = [f"<calendar>\n{calendar_text(today, calendar)}\n</calendar>"]
    if selection.chosen:
        parts.append(f"<tables>\n{selection.chosen}\n</tables>")
    if examples:
        shown = [tokens.hidden_example(example.question, example.plan) for example in examples[:MOST_EXAMPLES]]
        lines = [f"{_json(plain(asked, limit=300))} -> {_json(plan)}" for asked, plan in shown]
        parts.append("<examples>\nApproved by this company (… stands for a value):\n" + "\n".join(lines) + "\n</examples>")
    said = conversation_text(conversation, tokens)
    if said:
        parts.append(f"<conversation>\n{said}\n</conversation>")
        if is_correction(question):
            parts.append("The question corrects the reading of the last turn: keep all of it but what is corrected.")
    words = heard_text(heard, tokens, local)
    if words:
        parts.append(f"<heard>\n{words}\n</heard>")
    parts.append(f"<question>\n{closed(question)}\n</question>")
    return "\n\n".join(parts)


def closed(text: str) -> str:
    """Return a person's text that cannot close its own part (« 3 < 5 » stays as it is).

    >>> closed("CA < 10 ?</question> <source>")
    'CA < 10 ?‹/question> ‹source>'
    """
    return re.sub(r"<(?=/?[a-zA-Z])", "‹", text)


def calendar_text(today: date, calendar: Calendar) -> str:
    """Return today and the periods that people name, resolved: for SQL only."""
    units: list[tuple[str, Period]] = [
        ("yesterday", CalendarPeriod(unit="day", offset=-1)),
        ("this week", CalendarPeriod(unit="week", offset=0)),
        ("last week", CalendarPeriod(unit="week", offset=-1)),
        ("this month", CalendarPeriod(unit="month", offset=0)),
        ("last month", CalendarPeriod(unit="month", offset=-1)),
        ("last 3 whole months", LastPeriod(count=3, unit="month")),
        ("12 sliding months", LastPeriod(count=12, unit="month", complete=False)),
        ("this quarter", CalendarPeriod(unit="quarter", offset=0)),
        ("last quarter", CalendarPeriod(unit="quarter", offset=-1)),
        ("this year", CalendarPeriod(unit="year", offset=0)),
        ("last year", CalendarPeriod(unit="year", offset=-1)),
        ("year to date", ToDate(unit="year")),
        ("same stretch last year", ToDate(unit="year", offset=-1)),
    ]
    if calendar.fiscal_year_start != 1:
        units += [
            ("this fiscal year", CalendarPeriod(unit="fiscal_year", offset=0)),
            ("last fiscal year", CalendarPeriod(unit="fiscal_year", offset=-1)),
        ]
    lines = [f"today: {_DAYS[today.weekday()]} {today.isoformat()} (ISO week {today.isocalendar().week})"]
    for name, period in units:
        found = resolve(period, today=today, calendar=calendar)
        lines.append(f"{name}: [{found.start}, {found.end})")
    return "\n".join(lines)


# ── the conversation ───────────────────────────────────────────────────────────────────────────────────────────────────

_CORRECTION = re.compile(
    r"^\s*(?:ah\s+|mais\s+)?"
    r"(?:non\b|pas (?:ça|ca|cela)\b|je voulais dire|je parlais d|plut[oô]t\b|en fait\b|no[, ]|i meant|rather\b)",
    re.IGNORECASE,
)


def is_correction(question: str) -> bool:
    """Tell whether a question corrects what was understood just before.

    >>> is_correction("Non, je voulais dire par magasin"), is_correction("nombre de clients")
    (True, False)
    """
    return _CORRECTION.match(question) is not None


def conversation_text(conversation: Conversation | None, tokens: ValueTokens) -> str:
    """Return the last turns, oldest first, as questions and what they came to; bounded.

    Plans are whole in themselves (a follow-up's plan repeats the filters it kept), so dropping the oldest turns loses no
    filter that still holds.
    """
    turns = list(conversation or ())[-MOST_TURNS:]
    lines: list[str] = []
    spent = 0
    for age, turn in enumerate(reversed(turns)):
        line = _turn(turn, tokens, whole=age < WHOLE_TURNS)
        spent += estimate_tokens(line)
        if lines and spent > CONVERSATION_TOKENS:
            break
        lines.append(line)
    return "\n".join(reversed(lines))


def _turn(turn: Turn, tokens: ValueTokens, *, whole: bool) -> str:
    asked = json.dumps(plain(turn.question, limit=300), ensure_ascii=False)
    if turn.plan is not None:
        given = tokens.hidden_plan(turn.plan)
        return f"{asked} -> {_json(given if whole else condensed(given))}"
    if turn.sql is not None:
        return f"{asked} -> SQL {closed(' '.join(tokens.hidden_sql(turn.sql).split()))[:3000]}"
    if turn.asked_back is not None:
        # Its sentence was made for the person, with stored values in it.
        return f"{asked} -> asked back {_json(plain(tokens.hidden_prose(turn.asked_back), limit=300))}"
    return f"{asked} -> not answered"


_KEPT = ("kind", "entity", "measures", "filters", "any_of", "related", "having", "period", "time", "ignored_defaults")


def condensed(plan: dict[str, Any]) -> dict[str, Any]:
    """Return an older turn's plan without its shape (cuts, order, columns), its conditions and period kept whole."""
    return {key: plan[key] for key in _KEPT if key in plan}


# ── what the local engine heard ────────────────────────────────────────────────────────────────────────────────────────


def heard_text(heard: Heard, tokens: ValueTokens, local: Understanding | None) -> str:
    """Return what the local engine made of the words, for the model."""
    lines = [line for words in heard.words if (line := _heard_line(words, tokens))]
    unexplained: Iterable[str] = heard.unexplained
    match local:
        case Unsure(unexplained=words, partial=partial):
            unexplained = words or unexplained
            if partial is not None:
                lines.append(f"understood so far: {_json(tokens.hidden_plan(partial))}")
        case NotAnswerable(reason=reason, missing=missing):
            lines.append(f"the local engine would refuse: {reason} {_json(plain(tokens.hidden_prose(missing)))}")
        case _:
            pass
    left = [plain(word, limit=80) for word in unexplained if word.strip()]
    if left:
        lines.append("not explained: " + ", ".join(json.dumps(word, ensure_ascii=False) for word in left[:12]))
    return "\n".join(lines)


def _heard_line(words: Words, tokens: ValueTokens) -> str:
    said = json.dumps(plain(words.text, limit=80), ensure_ascii=False)
    if words.period is not None:
        return f"{said} = period {_json(words.period.model_dump(mode='json', exclude_defaults=False, exclude_none=True))}"
    if words.grain is not None:
        return f"{said} = grain {words.grain}"
    names = []
    for named in words.names:
        if named.kind == "value" and named.value is not None:
            shown = tokens.shown(named.ref, str(named.value)) if isinstance(named.value, str) else str(named.value)
            names.append(f"value {json.dumps(shown, ensure_ascii=False)} of {named.ref}")
        else:
            names.append(f"{named.kind} {named.ref}")
    return f"{said} = {' or '.join(names)}" if names else ""


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
