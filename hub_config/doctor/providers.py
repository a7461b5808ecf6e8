"""Companies' own sign-ins, from the hub: each provider answers, is who the settings say, and its client has a secret."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx

from datapilot_kernel.errors import BadInput
from hub_config.doctor import Finding, Installation, ok, problem, skipped

_WAIT = httpx.Timeout(10.0, connect=5.0)


def look(installation: Installation) -> Iterator[Finding]:
    """Look at the providers. Nobody is signed in."""
    if installation.hub is None:
        yield skipped("providers", "providers_unseen")
        return
    try:
        providers = installation.hub.all_providers()
    except BadInput:
        yield problem("providers", "providers_unreadable", path=installation.hub.providers_file)
        return
    if not providers:
        yield ok("providers", "providers_none")
        return
    context = ssl.create_default_context()
    if installation.hub.ca_bundle_file is not None:
        context.load_verify_locations(installation.hub.ca_bundle_file)
    with httpx.Client(timeout=_WAIT, verify=context, follow_redirects=False) as line:
        for provider in providers:
            path = provider.client_secret_file
            if path is not None and not (path.is_file() and path.stat().st_size):
                yield problem("provider_secret", "provider_secret", name=provider.name, path=path)
            yield from one(line, provider.name, provider.issuer)


def one(line: httpx.Client, name: str, issuer: str) -> Iterator[Finding]:
    """Ask a provider for its configuration, which is public."""
    try:
        answer = line.get(issuer.rstrip("/") + "/.well-known/openid-configuration")
        said = answer.json()["issuer"] if answer.status_code == 200 else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        said = None
    if said is None:
        yield problem("provider", "provider_away", name=name, issuer=issuer)
        return
    if said != issuer:
        yield problem("provider", "provider_other", name=name, issuer=issuer)
        return
    yield ok("provider", "provider", name=name)
    told = answer.headers.get("date")
    # A token's times are looked at to the minute.
    if told and (skew := abs(parsedate_to_datetime(told).timestamp() - time.time())) > 30:
        yield problem("clock_provider", "clock_skew", who=name, seconds=round(skew))
