"""Templates, and the headers that go with a page.

The policy of a page lets in the style and the pictures of its own origin, the one script that carries this answer's nonce,
and forms to itself (and to the hub, where signing out goes on to it). ``Referrer-Policy: same-origin`` and not the API's
``no-referrer``: with that one browsers hide the origin of their own forms.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from starlette.responses import HTMLResponse

from datapilot_kernel.messages import current_language, text
from hub_config import face
from hub_config.access import Permission
from hub_config.operations.base_path import base_of
from hub_config.people.passwords import MIN_LENGTH
from hub_config.settings import Settings

if TYPE_CHECKING:
    from jinja2 import Environment


_SECTIONS: tuple[tuple[str, str, Permission], ...] = (
    ("/sources", "connect", "catalog.read"),
    ("/approbations", "approvals", "verified.decide"),
    ("/publications", "publications", "publication.request"),
    ("/personnes", "team", "people.manage"),
    ("/quotas", "spend", "quotas.manage"),
    ("/journal", "journal", "audit.read"),
    ("/organisation", "organisation", "tenant.manage"),
)
"""What the navigation leads to beside the home: path, word of the catalogue and ``current`` of its pages, who sees it."""
_ADMINISTERING: frozenset[Permission] = frozenset(
    {"verified.decide", "people.manage", "quotas.manage", "audit.read", "tenant.manage"}
)
"""Sections of these stand together in one menu: they are visited now and then, and would take a second line."""


@cache
def _environment() -> Environment:
    from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound

    class Packaged(BaseLoader):
        def get_source(self, environment: Environment, template: str) -> tuple[str, str, Any]:
            try:
                found = files("hub_config").joinpath("pages", "templates", template).read_text(encoding="utf-8")
            except FileNotFoundError:
                raise TemplateNotFound(template) from None
            return found, template, lambda: True

    environment = Environment(
        loader=Packaged(), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {
        "sections": _SECTIONS, "administering": _ADMINISTERING,
        "administered": frozenset(name for _, name, permission in _SECTIONS if permission in _ADMINISTERING),
        "t": text, "language": current_language, "face": face.version, "minimum": MIN_LENGTH,
    }  # fmt: skip
    environment.filters |= {"day": day, "moment": moment, "clock": clock, "browser": browser}
    return environment


def day(value: datetime) -> str:
    r"""Return a day in words, in Paris, in the language in force.

    >>> from datetime import UTC
    >>> day(datetime(2026, 6, 30, 22, 30, tzinfo=UTC))
    '1\xa0juillet\xa02026'
    """
    from babel.dates import format_date

    said = format_date(value.astimezone(ZoneInfo("Europe/Paris")), "d MMMM y", locale=current_language())
    return str(said).replace(" ", "\xa0")  # a day is not cut at the end of a line


def moment(value: datetime) -> str:
    """Return a day and the time, in Paris."""
    here = value.astimezone(ZoneInfo("Europe/Paris"))
    return text("pages.moment", day=day(value), time=f"{here:%H:%M}")


def clock(value: datetime) -> str:
    """Return a day and the time in figures, in Paris: what stands beside figures.

    >>> from datetime import UTC
    >>> clock(datetime(2026, 9, 12, 6, 0, tzinfo=UTC))
    '12/09/2026 à 08:00'
    """
    here = value.astimezone(ZoneInfo("Europe/Paris"))
    return text(
        "pages.moment",
        day=text("pages.day_in_figures", day=f"{here:%d}", month=f"{here:%m}", year=f"{here:%Y}"),
        time=f"{here:%H:%M}",
    )


_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("Windows", "Windows"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"),
    ("Mac OS", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


def browser(label: str) -> str:
    """Return what a client calls itself, as a person would say it.

    >>> browser("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    'Firefox sur Linux'
    """
    found = next((name for mark, name in _BROWSERS if mark in label), None)
    system = next((name for mark, name in _SYSTEMS if mark in label), None)
    if found is not None and system is not None:
        return text("pages.account.session_on", browser=found, system=system)
    return label[:60] or text("pages.account.session_unknown")


class Renderer:
    """Makes answers from templates, for one installation."""

    def __init__(self, settings: Settings) -> None:
        self.base = base_of(settings.public_url)
        self.hub = hub_of(settings)
        self._form_action = "'self'" + (f" {_origin(self.hub)}" if self.hub is not None else "")

    def url(self, path: str) -> str:
        """Return a path of ours as browsers know it."""
        return f"{self.base}{path}"

    def part(self, template: str, **values: Any) -> str:
        """Return a piece of a page that a script puts into its place; what people typed is escaped as in a page."""
        return _environment().get_template(template).render(url=self.url, **values)

    def page(self, template: str, *, status: int = 200, connects: bool = False, **values: Any) -> HTMLResponse:
        """Return a page; ``connects``: its script asks this origin for more."""
        connect = "connect-src 'self'; " if connects else ""
        nonce = secrets.token_urlsafe(16)
        html = _environment().get_template(template).render(url=self.url, hub=self.hub, nonce=nonce, **values)
        headers = {
            "Content-Security-Policy": f"default-src 'none'; style-src 'self'; img-src 'self'; script-src 'nonce-{nonce}'; "
            f"{connect}form-action {self._form_action}; base-uri 'none'; frame-ancestors 'none'",
            "Referrer-Policy": "same-origin",
            "Content-Language": current_language(),
            "Vary": "Accept-Language, Cookie",
        }
        return HTMLResponse(html, status, headers=headers)


def hub_of(settings: Settings) -> str | None:
    """Return the address of the hub's pages as browsers know it, without a slash at its end; None: there is no hub.

    >>> hub_of(Settings(hub_public_url="https://app.example", hub_api_url="http://hub/hub/api", hub_api_token="x" * 32))
    'https://app.example/hub'
    """
    if settings.hub_public_url is None or settings.hub_api_url is None or settings.hub_api_token is None:
        return None
    url = settings.hub_public_url.rstrip("/")
    return url if url.endswith("/hub") else f"{url}/hub"


def _origin(url: str) -> str:
    where = urlsplit(url)
    return f"{where.scheme}://{where.netloc}"
