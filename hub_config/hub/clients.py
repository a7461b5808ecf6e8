"""Which address a browser came from, as far as proxies can be believed.

The hub's port is within reach of notebooks' containers (they need its API), so a header alone proves nothing: the chain of
``X-Forwarded-For`` is walked from its near end, and each step is believed only when the one who said it is a trusted proxy.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any


def client_of(peer: str, forwarded: str, trusted: Sequence[str]) -> str:
    """Return the client's address; "" when the peer has none (a socket file).

    >>> client_of("127.0.0.1", "198.51.100.7, 203.0.113.9", ["127.0.0.1"])
    '203.0.113.9'
    >>> client_of("127.0.0.1", "198.51.100.7, 203.0.113.9", ["127.0.0.1", "203.0.113.0/24"])
    '198.51.100.7'
    >>> client_of("10.213.0.4", "198.51.100.7", ["127.0.0.1"])
    '10.213.0.4'
    """
    networks = [ip_network(each, strict=False) for each in trusted]
    current = _address(peer)
    if current is None:
        return ""
    for said in reversed([part.strip() for part in forwarded.split(",") if part.strip()]):
        if not _is_in(current, networks):
            break
        further = _address(said)
        if further is None:
            break
        current = further
    return str(current)


def client_of_request(request: Any, trusted: Sequence[str]) -> str:
    """Return the client's address of a tornado request, whatever tornado itself made of its headers."""
    address = getattr(request.connection.context, "address", None)
    peer = address[0] if isinstance(address, tuple) and address else ""
    return client_of(peer, ",".join(request.headers.get_list("X-Forwarded-For")), trusted)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _is_in(address: IPv4Address | IPv6Address, networks: list[IPv4Network | IPv6Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
