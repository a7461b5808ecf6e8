"""The hub, from the API: it answers, and knows this service's token as this service's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx

from hub_config.doctor import Finding, Installation, ok, problem, skipped
from hub_config.people.hub import new_client


def look(installation: Installation) -> Iterator[Finding]:
    """Look at the hub."""
    settings = installation.settings
    if settings.hub_api_url is None:
        yield skipped("hub", "hub_none")
        return
    address = settings.hub_api_url.rstrip("/")
    token = settings.hub_api_token.get_secret_value() if settings.hub_api_token else ""
    with new_client(settings) as line:
        try:
            answer = line.get(f"{address}/")
            version = str(answer.json()["version"])
            who = line.get(f"{address}/user", headers={"Authorization": f"token {token}"})
            if who.status_code == 403:
                # A hub whose database was restarted says this once, of a connection that it has not given up yet.
                who = line.get(f"{address}/user", headers={"Authorization": f"token {token}"})
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
            yield problem("hub", "hub_away", address=address)
            return
    yield ok("hub", "hub", version=version)
    name = who.json().get("name") if who.status_code == 200 else None
    known = who.status_code == 200 and name == settings.hub_service
    yield ok("hub_token", "hub_token") if known else problem("hub_token", "hub_token_unknown", service=settings.hub_service)
    told = answer.headers.get("date")
    if told:
        skew = abs(parsedate_to_datetime(told).timestamp() - time.time())
        if skew > 5:
            yield problem("clock_hub", "clock_skew", who="hub", seconds=round(skew))
