"""Where one lands: the gallery for everybody; for authors before it what they work with.

The gallery is what the person may open, by workspace, with how old its figures are for them. Each card's picture is an
address of its own (:func:`hub_config.pages.dashboards.picture`): asked for by the browser when the card comes into sight,
with the right looked at anew; this page waits for none of them.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.responses import Response

from hub_config.access import permitted
from hub_config.pages.approvals import waiting_of
from hub_config.pages.serving import Visit, run

if TYPE_CHECKING:
    from hub_config.content.dashboards import Shown

_MOST = 200
_MOST_TYPED = 100
_SEARCH_FROM = 7


@dataclass(frozen=True)
class Card:
    """A dashboard on the gallery; ``made_at`` None: its figures are computed when it is opened."""

    shown: Shown
    made_at: datetime | None


async def home(visit: Visit) -> Response:
    """Show the dashboards that the person may open, and to authors their notebook and the sources."""
    principal = visit.person.principal
    gallery = await run(visit.platform.content.dashboards.gallery, principal, limit=_MOST)
    made = await run(visit.platform.content.viewing.made, principal) if gallery else {}
    asked = visit.request.query_params.get("q", "")[:_MOST_TYPED].strip()
    found = [Card(one, made.get(one.id)) for one in gallery if fits(asked, one.name, one.workspace or "")]
    sources = None
    if permitted(principal, "catalog.read"):
        sources = await run(visit.platform.sources.administration.listed, principal, limit=_MOST)
    return visit.page(
        "home.html",
        current="home",
        gallery=groups(found),
        any=bool(gallery),
        searching=bool(asked) or len(gallery) >= _SEARCH_FROM,
        asked=asked,
        sources=sources,
        waits=await waiting_of(visit),
    )


def groups(cards: list[Card]) -> list[tuple[str, list[Card]]]:
    """Return the cards by workspace (empty: the whole organisation's, first), workspaces by name."""
    found: dict[str, list[Card]] = {}
    for card in cards:
        found.setdefault(card.shown.workspace or "", []).append(card)
    return sorted(found.items(), key=lambda pair: (bool(pair[0]), _plain(pair[0])))


def fits(asked: str, *words: str) -> bool:
    """Tell whether every word that was asked for begins or stands in these, accents and case aside.

    >>> fits("region vente", "Ventes par région"), fits("marge", "Ventes par région")
    (True, False)
    """
    text = _plain(" ".join(words))
    return all(part in text for part in _plain(asked).split())


def _plain(words: str) -> str:
    letters = unicodedata.normalize("NFKD", words.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
