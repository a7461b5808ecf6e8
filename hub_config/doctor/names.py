"""The names that browsers use: known to DNS, all of them the same machine, and the ports behind them open.

Where each person's server has a name of its own, a name that nobody made up before is asked for: only a wildcard answers.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from hub_config.data_sources.network import system_resolver
from hub_config.doctor import Finding, Installation, ok, problem, skipped, warning

Resolver = Callable[[str], Sequence[str]]
_WAIT_S = 5.0


def look(installation: Installation) -> Iterator[Finding]:
    """Look at the names and the ports."""
    yield from resolved(installation, system_resolver)
    for host, port in places(installation):
        yield port_open(host, port)
        if port == 443:
            closed = port_open(host, 80)
            # Plain http only sends browsers on to https.
            yield closed if closed.level == "ok" else warning("port_80", "port_80_closed", host=host)


def places(installation: Installation) -> list[tuple[str, int]]:
    """Return host and port of each public address, the hub's first."""
    urls = [installation.settings.hub_public_url, installation.settings.public_url]
    if installation.hub is not None:
        urls = [installation.hub.public_url, *urls]
    found = []
    for url in urls:
        parts = urlsplit(url or "")
        if parts.hostname:
            found.append((parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)))
    return list(dict.fromkeys(found))


def wildcard_of(installation: Installation) -> str | None:
    """Return the domain below which people's servers have names of their own; None: there is one name for all."""
    if installation.one_origin:
        return None
    if installation.hub is not None:
        domain = installation.hub.subdomain_host
        return urlsplit(domain).hostname if domain else None
    names = [host for host, _ in places(installation)]
    # The API's pages then stand below the hub's own name.
    return names[0] if len(names) > 1 and names[1].endswith(f".{names[0]}") else None


def resolved(installation: Installation, resolver: Resolver) -> Iterator[Finding]:
    """Ask DNS for the names."""
    hosts = list(dict.fromkeys(host for host, _ in places(installation)))
    if all(host in ("localhost", "127.0.0.1", "::1") for host in hosts):
        yield skipped("names", "names_local")
        return
    first: set[str] = set()
    for host in hosts:
        found = _asked(resolver, host)
        if not found:
            yield problem("name", "name_unknown", host=host)
            continue
        first = first or set(found)
        yield ok("name", "name", host=host, addresses=", ".join(found))
    domain = wildcard_of(installation)
    if domain is None:
        yield warning("wildcard", "wildcard_none")
    else:
        found = _asked(resolver, f"dp-{secrets.token_hex(6)}.{domain}")
        if not found:
            yield problem("wildcard", "wildcard_unknown", domain=domain)
        elif set(found) != first:
            yield problem("wildcard", "wildcard_elsewhere", domain=domain, addresses=", ".join(found))
        else:
            yield ok("wildcard", "wildcard", domain=domain)


def _asked(resolver: Resolver, host: str) -> list[str]:
    try:
        return list(resolver(host))
    except (OSError, UnicodeError):
        return []


def port_open(host: str, port: int) -> Finding:
    """Knock at a port, from here."""
    name = f"port_{port}"
    try:
        socket.create_connection((host, port), _WAIT_S).close()
    except (OSError, UnicodeError):
        return problem(name, "port_closed", host=host, port=port)
    return ok(name, "port", host=host, port=port)
