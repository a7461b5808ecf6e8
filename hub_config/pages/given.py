"""What a browser gave, made into what managers take: ids of addresses, one-line texts, numbers; and notices after an act."""

from __future__ import annotations

import re
from datetime import datetime

from datapilot_kernel.messages import has_text, text
from hub_config.api.paging import cursor_of
from hub_config.errors import NotFound
from hub_config.pages.serving import Visit

_ID = re.compile("[0-9a-f]{32}")


def ident(visit: Visit, name: str) -> str:
    """Return an id of the address. Raises NotFound where it can be none."""
    return known_form(str(visit.request.path_params[name]))


def known_form(value: str) -> str:
    """Return an id that came in a field. Raises NotFound where it can be none."""
    if _ID.fullmatch(value) is None:
        raise NotFound(log="malformed id")
    return value


def line(visit: Visit, name: str, most: int = 200) -> str:
    """Return a field as one line of printable text, without spaces at its ends."""
    shown = "".join(c if c.isprintable() or c.isspace() else "" for c in visit.form.get(name, ""))
    return " ".join(shown.split())[:most]


def asked(visit: Visit, name: str, most: int = 200) -> str:
    """Return a parameter of the address, as one line without control characters."""
    return "".join(c for c in visit.request.query_params.get(name, "") if c.isprintable()).strip()[:most]


def one_of(value: str, *possible: str) -> str | None:
    """Return a value if it is one of those foreseen; None: it is not."""
    return value if value in possible else None


def notice(visit: Visit, room: str) -> str | None:
    """Return what the act before this page came to (``?fait=…``), in words; None: there was none."""
    key = f"{room}.done.{asked(visit, 'fait', 40)}"
    return text(key) if has_text(key) else None


def following(rows: list[tuple[datetime, str]], limit: int) -> str | None:
    """Return the cursor of the next page of a list; None: this was the last."""
    return cursor_of(*rows[-1]) if len(rows) >= limit else None
