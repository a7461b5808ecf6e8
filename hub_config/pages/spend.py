"""Quotas, what is used of them, what the language model cost, and whether it is asked at all.

Days are those of the counters (UTC), so that this page and a refusal say the same. A quota is lowered here, or brought back
up to what the operator allows. The model's budget at zero is the model switched off: a call is only made once the most that
it can cost is set aside.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from starlette.responses import Response

from datapilot_kernel.answers.formats import Formatter
from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import current_language, text
from hub_config.database import utc_now
from hub_config.errors import NotFound, PlatformUnavailable, status_of
from hub_config.pages.given import asked, known_form, line, notice, one_of
from hub_config.pages.serving import Page, Visit, run
from hub_config.tenant.office import STORAGE
from hub_config.tenant.spending import Month, month_of

if TYPE_CHECKING:
    from hub_config.tenant.office import QuotaView

_MIB = 1024 * 1024
_MONTHLY = "model_euros_per_month"
_PERSONAL = "person_model_euros_per_month"
_ZERO_IS_UNLIMITED = frozenset({"queries_per_day", "database_seconds_per_day", _PERSONAL})
_MONTHS_BACK = 24
_HEIGHT = 100


@dataclass(frozen=True)
class Gauge:
    """One quota as it is shown.

    Attributes
    ----------
    share
        Used, of a hundred; None: not a matter of use, or without a limit.
    typed
        What stands in its field.
    """

    key: str
    name: str
    hint: str
    reached: str
    used: str | None
    limit: str
    bound: str
    share: int | None
    typed: str
    most: int | None
    problem: str | None = None


@dataclass(frozen=True)
class Bar:
    """One day's bar; measures are those of the picture."""

    x: float
    y: float
    width: float
    height: float
    says: str


# ── numbers in words ──────────────────────────────────────────────────────────────────────────────────────────────────


def number(value: int) -> str:
    """Return a whole number as it is written here."""
    return Formatter(language=current_language()).count(value)


def euros(microeuros: int) -> str:
    """Return an amount in euros; a small one that is not nothing is not written as nothing.

    >>> euros(1_234_500_000), euros(1_000)
    ('1 234,50 €', '< 0,01 €')
    """
    from babel.numbers import format_currency

    if 0 < microeuros < 10_000:
        return "< " + euros(10_000)
    return str(format_currency(microeuros / 1_000_000, "EUR", locale=current_language()))


def size(size_bytes: int) -> str:
    """Return a size with the unit that fits.

    >>> size(5 * 1024**3), size(700 * 1024)
    ('5 Gio', '0,7 Mio')
    """
    unit, name = (1024 * _MIB, "spend.gib") if size_bytes >= 1024 * _MIB else (_MIB, "spend.mib")
    shown = f"{size_bytes / unit:.1f}".removesuffix(".0")
    return text(name, number=shown.replace(".", ",") if current_language() == "fr" else shown)


def _amount(key: str, value: int) -> str:
    if value == 0 and key in _ZERO_IS_UNLIMITED:
        return text("spend.unlimited")
    if key == STORAGE:
        return size(value)
    if "euros" in key:
        return euros(value * 1_000_000)
    return text(f"spend.unit.{key}", count=value, number=number(value))


def _share(used: int, limit: int) -> int:
    return min(100, round(100 * used / limit)) if limit else (100 if used else 0)


def _gauge(view: QuotaView, microeuros: int, typed: tuple[str, str, str] | None) -> Gauge:
    """Return a quota as it is shown; ``typed``: key, what was typed and what was wrong, of the form that came back."""
    used, exact = view.used, view.used
    if view.key == _MONTHLY:
        used, exact = microeuros, microeuros
    limited = view.value != 0 or view.key not in _ZERO_IS_UNLIMITED
    scale = 1_000_000 if view.key == _MONTHLY else 1
    mine = typed is not None and typed[0] == view.key
    shown = view.value // _MIB if view.key == STORAGE else view.value
    unbounded = view.bound == 0 and view.key in _ZERO_IS_UNLIMITED
    return Gauge(
        key=view.key,
        name=text(f"spend.quota.{view.key}"),
        hint=text(f"spend.hint.{view.key}"),
        reached=text(f"spend.reached.{view.key}"),
        used=None if used is None else _used(view.key, used),
        limit=_amount(view.key, view.value),
        bound=_amount(view.key, view.bound),
        share=_share(exact, view.value * scale) if exact is not None and limited else None,
        typed=typed[1] if typed is not None and mine else str(shown),
        most=None if unbounded else (view.bound // _MIB if view.key == STORAGE else view.bound),
        problem=typed[2] if typed is not None and mine else None,
    )


def _used(key: str, used: int) -> str:
    if key == STORAGE:
        return size(used)
    if key == _MONTHLY:
        return euros(used)
    return text(f"spend.unit.{key}", count=used, number=number(used))


def bars(values: list[tuple[date, int, str]]) -> list[Bar]:
    """Return the bars of a month's days, values and their words in a picture as wide as its days and a hundred high."""
    most = max((value for _, value, _ in values), default=0)
    found = []
    for place, (day, value, amount) in enumerate(values):
        height = max(1.5, _HEIGHT * value / most) if value > 0 else 0.0
        says = text("spend.day_says", day=f"{day:%d/%m/%Y}", amount=amount)
        found.append(Bar(round(place + 0.12, 2), round(_HEIGHT - height, 2), 0.76, round(height, 2), says))
    return found


# ── the page ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _month(said: str) -> date:
    """Return the first day of the month that was asked for; this month, where it was none of those kept."""
    today = utc_now().date().replace(day=1)
    try:
        first = date.fromisoformat(f"{said}-01")
    except ValueError:
        return today
    return first if _months_before(today, _MONTHS_BACK) <= first <= today else today


def _months_before(first: date, count: int) -> date:
    months = first.year * 12 + first.month - 1 - count
    return date(months // 12, months % 12 + 1, 1)


async def spend(visit: Visit) -> Response:
    """Show quotas, use and spending."""
    return await _shown(visit)


async def _shown(
    visit: Visit, *, status: int = 200, problem: str | None = None, typed: tuple[str, str, str] | None = None
) -> Response:
    from babel.dates import format_date

    principal, platform = visit.person.principal, visit.platform
    stored = (await run(platform.sources.storage, principal.tenant_id)).kept_bytes
    views: list[QuotaView] = await run(platform.office.quotas, principal.tenant_id, stored_bytes=stored)
    this = utc_now().date().replace(day=1)
    first = _month(asked(visit, "mois", 7))
    month: Month = await run(month_of, platform.database, principal, first)
    now: Month = month if first == this else await run(month_of, platform.database, principal, this)
    by_key = {view.key: view for view in views}
    sources = await run(platform.sources.administration.listed, principal, limit=200)
    following = (first + timedelta(days=32)).replace(day=1)
    return visit.page(
        "spend.html",
        status=status,
        current="spend",
        done=notice(visit, "spend"),
        problem=problem,
        gauges=[_gauge(view, now.microeuros, typed) for view in views],
        month=month,
        month_name=str(format_date(first, "LLLL y", locale=current_language())),
        before=f"{_months_before(first, 1):%Y-%m}" if first > _months_before(this, _MONTHS_BACK) else None,
        after=f"{following:%Y-%m}" if following <= this else None,
        asked_bars=bars([(d, n, text("spend.asked", count=n, number=number(n))) for d, n, _ in month.days]),
        spent_bars=bars([(d, m, euros(m)) for d, _, m in month.days]),
        rows=[(f"{day:%d/%m/%Y}", number(queries), euros(spent)) for day, queries, spent in month.days if queries or spent],
        total_asked=number(month.queries),
        total_spent=euros(month.microeuros),
        people=[(one, euros(one.microeuros), _share(one.microeuros, month.microeuros)) for one in month.people],
        model=_has_model(visit),
        model_on=by_key[_MONTHLY].value > 0,
        model_possible=by_key[_MONTHLY].bound > 0,
        sources=sources,
    )


def _has_model(visit: Visit) -> bool:
    key = visit.pages.settings.model_key
    return key is not None and bool(key.get_secret_value())


# ── what is changed ───────────────────────────────────────────────────────────────────────────────────────────────────


async def set_quota(visit: Visit) -> Response:
    """Set one quota within the operator's bound."""
    key, typed = line(visit, "key", 64), line(visit, "value", 20)
    try:
        value = _whole(typed)
        await _set(visit, key, value * _MIB if key == STORAGE else value)
    except PlatformUnavailable:
        raise
    except BadInput as error:
        return await _shown(visit, status=status_of(error), typed=(key, typed, await _words(visit, key, error)))
    return visit.go("/quotas?fait=quota")


async def _words(visit: Visit, key: str, error: BadInput) -> str:
    """Return what was wrong; a bound in the unit that is shown."""
    if error.key != "content.quota_above_bound":
        return error.message
    views: list[QuotaView] = await run(visit.platform.office.quotas, visit.person.principal.tenant_id)
    bound = next(view.bound for view in views if view.key == key)
    return text("content.quota_above_bound", bound=_amount(key, bound))


def _whole(typed: str) -> int:
    """Return a whole number as people type it.

    Raises
    ------
    BadInput
        It is none.

    >>> _whole("5 000")
    5000
    """
    digits = "".join(typed.split())
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 12:
        raise BadInput("spend.not_a_number")
    return int(digits)


async def _set(visit: Visit, key: str, value: int) -> None:
    principal, platform = visit.person.principal, visit.platform
    await run(platform.office.set_quota, principal, key, value)
    await run(platform.queries.quotas.changed, principal.tenant_id)


async def switch_model(visit: Visit) -> Response:
    """Switch the language model off (nothing may be spent on it), or on again up to the operator's bound."""
    wanted = one_of(visit.form.get("etat", ""), "on", "off")
    if wanted is None:
        raise NotFound(log="state of the model")
    views: list[QuotaView] = await run(visit.platform.office.quotas, visit.person.principal.tenant_id)
    bound = next(view.bound for view in views if view.key == _MONTHLY)
    await _set(visit, _MONTHLY, bound if wanted == "on" else 0)
    return visit.go(f"/quotas?fait=modele_{wanted}")


async def open_values(visit: Visit) -> Response:
    """Say whether a source's values that are not personal may go to the language model."""
    source_id, principal = known_form(visit.form.get("source_id", "")), visit.person.principal
    wanted = one_of(visit.form.get("etat", ""), "on", "off")
    try:
        if wanted is None:
            raise NotFound(log="state of values")
        await run(
            visit.platform.sources.administration.update,
            principal, source_id, revision=_whole(line(visit, "revision", 12)), model_values=wanted == "on",
        )  # fmt: skip
    except (NotFound, PlatformUnavailable):
        raise
    except BadInput as error:
        return await _shown(visit, status=status_of(error), problem=error.message)
    return visit.go(f"/quotas?fait=valeurs_{wanted}")


PAGES: tuple[Page, ...] = (
    Page("GET", "/quotas", "quotas.manage", spend),
    Page("POST", "/quotas", "quotas.manage", set_quota),
    Page("POST", "/quotas/modele", "quotas.manage", switch_model),
    Page("POST", "/quotas/valeurs", "sources.manage", open_values),
)
