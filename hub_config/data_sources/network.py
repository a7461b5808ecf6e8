"""Which servers a tenant may name: the wall between what tenants type and the network that this service stands in.

A tenant's administrator types a host and a port, and the service connects there from inside the installation, where much
more answers than on the internet. So a host is resolved here, every address that it has is judged, and the connection goes
to an address that was judged: the driver resolves nothing, and a name that changes its mind between the check and the
connection (DNS rebinding) changes nothing. :meth:`NetworkWall.addresses` is asked before *every* new connection, so a
database that moves is found again and one whose name moved inside is not.

Three sorts of addresses:

- *global* ones, on the public internet: anybody may name them;
- *special* ones (private, loopback, carrier's, documentation, addresses that hold another address inside, and every address
  of this machine): only what the operator's list ``source_networks_allowed`` has, as a network or as a host's name, with a
  port or for every port;
- *never*: link-local (the clouds' metadata), multicast, unspecified, the known metadata addresses, and the platform's own
  services, whatever the list says.

A name is refused whole if one of its addresses is. A name that is unknown and a name that is inside get one and the same
sentence: the difference would let a tenant ask our resolver about the inside.

Spellings that other software reads as addresses (``2130706433``, ``0x7f.1``, ``127.1``, a trailing dot, a zone) are refused
as such, before any resolver sees them, and so are lists, paths of sockets and anything else that is not one plain host.

Remaining risks: the operator's list is of the installation, not of one tenant (two tenants may name the same allowed server;
its own accounts tell them apart); a platform's service published a second time by a gateway of its own network is not
recognised unless ``own_services`` names it.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from datapilot_kernel.errors import BadInput, SourceProblem

if TYPE_CHECKING:
    from hub_config.settings import Settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str], Sequence[str]]
"""A name's addresses, as text; raises OSError when it has none."""

_OWN_FRESH_S = 60.0

MOST_ADDRESSES = 4
"""How many addresses of one name are tried, in the resolver's order."""

# https://www.iana.org/assignments/iana-ipv4-special-registry: what is not globally reachable, or tells us nothing of who is.
_SPECIAL_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
# Of IPv6 only this is given out to hosts; of that, these hold another address, a protocol or an example.
_GLOBAL_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(IPv6Network(t) for t in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"))
_NEVER: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "::/128", "fe80::/10", "fec0::/10", "ff00::/8",
        # Metadata and host services of clouds, where they are not link-local: Alibaba, Azure, Oracle, AWS.
        "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/112", "fd20:ce::254/128",
    )
)  # fmt: skip

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")


class HostRefused(SourceProblem):
    """A host that this installation does not connect to. The log's text names the host's sort, never its addresses."""


def system_resolver(host: str) -> list[str]:
    """Ask the machine's resolver for all IPv4 and IPv6 addresses of a name."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def normalised_host(host: str) -> str:
    """Return a host's one spelling: lower case, or an address in its canonical form.

    >>> normalised_host("DB.Client.FR"), normalised_host("2A01:4F8::0:1")
    ('db.client.fr', '2a01:4f8::1')

    Raises
    ------
    HostRefused
        It is not one plain host.
    """
    host = host.lower()
    literal = _literal(host)
    if literal is not None:
        return str(literal)
    labels = host.split(".")
    # What ends in a number is read as an IPv4 address by inet_aton, in bases and with parts left out.
    if not host.isascii() or len(host) > 253 or _NUMBER.fullmatch(labels[-1]) or not all(map(_LABEL.fullmatch, labels)):
        raise HostRefused("network.host_malformed", log="host malformed")
    return host


def _literal(host: str) -> Address | None:
    try:
        # Strict: no leading zeros, four parts; a zone ("%eth0") is not an address here.
        return None if "%" in host else ip_address(host)
    except ValueError:
        return None


def is_global(address: Address) -> bool:
    """Tell whether an address is on the public internet, and is itself (holds no other address inside)."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _SPECIAL_V6)


def inner_addresses(address: Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses that an IPv6 address may stand for: mapped, compatible, 6to4, Teredo, NAT64, ISATAP."""
    if isinstance(address, IPv4Address):
        return ()
    number = int(address)
    low = IPv4Address(number & 0xFFFFFFFF)
    found: list[IPv4Address] = []
    if number != 1 and number >> 32 in (0, 0xFFFF, 0xFFFF0000):  # compatible (but ::1), mapped, translated
        found.append(low)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found += address.teredo
    if address in IPv6Network("64:ff9b::/32"):
        found.append(low)
    if (number >> 32) & 0xFDFFFFFF == 0x5EFE:
        found.append(low)
    return tuple(found)


@dataclass(frozen=True)
class Place:
    """One entry of the operator's lists: a network or a name, for one port or all (None)."""

    network: Network | None
    name: str | None
    port: int | None

    @classmethod
    def parse(cls, entry: str) -> Place:
        """Read ``10.8.0.0/16``, ``10.8.0.3:5432``, ``[fd12::/48]:5432``, ``db.client.lan`` or ``db.client.lan:5432``.

        Raises
        ------
        BadInput
            It is none of these.
        """
        place, port = _split(entry)
        try:
            return cls(ip_network(place), None, port)
        except ValueError:
            pass
        try:
            if "/" in place:
                raise ValueError(place)
            return cls(None, normalised_host(place), port)
        except (HostRefused, ValueError):
            raise BadInput("network.bad_place", entry=entry) from None

    def has(self, host: str, address: Address, port: int) -> bool:
        """Tell whether the entry covers this name, found at this address, on this port."""
        if not self.has_port(port):
            return False
        return host == self.name if self.network is None else address in self.network

    def has_port(self, port: int) -> bool:
        """Tell whether the entry covers this port."""
        return self.port is None or self.port == port


def _split(entry: str) -> tuple[str, int | None]:
    """Take a port off the end of a host, an address or a network."""
    if entry.startswith("["):
        place, bracket, rest = entry[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise BadInput("network.bad_place", entry=entry)
        port = rest[1:]
    elif entry.count(":") == 1:
        place, _, port = entry.partition(":")
    else:
        place, port = entry, ""
    if not port and not entry.endswith(":"):
        return place, None
    if not re.fullmatch(r"\d{1,5}", port) or not 0 < int(port) < 65536:
        raise BadInput("network.bad_place", entry=entry)
    return place, int(port)


class NetworkWall:
    """Judges hosts. Thread-safe; nothing is resolved until a host is asked about.

    Parameters
    ----------
    allowed
        The operator's list, as :meth:`Place.parse` reads it.
    own
        ``host:port`` of the platform's own services (without a port: every port of that host). Their names are resolved
        again every minute: a service of ours that moves stays ours, and one whose name fails keeps its last addresses.
    resolver
        For tests.
    """

    def __init__(
        self, allowed: Iterable[str] = (), own: Iterable[str] = (), *, resolver: Resolver = system_resolver
    ) -> None:
        self._allowed = tuple(Place.parse(entry) for entry in allowed)
        self._own = tuple(dict.fromkeys(Place.parse(entry) for entry in own))
        self._resolver = resolver
        self._own_addresses: dict[str, tuple[float, tuple[Address, ...]]] = {}

    @classmethod
    def from_settings(
        cls, settings: Settings, *, own: Iterable[str] = (), resolver: Resolver = system_resolver
    ) -> NetworkWall:
        """Return the wall of an installation; ``own``: what the settings do not know (where this service listens)."""
        return cls(settings.source_networks_allowed, (*own_services(settings), *own), resolver=resolver)

    def add_own(self, entry: str) -> None:
        """Count one more place among the platform's own services: where this one turned out to listen."""
        self._own = tuple(dict.fromkeys((*self._own, Place.parse(entry))))

    def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Return the addresses to connect to, in order, all of them judged; blocks as long as the resolver does.

        Raises
        ------
        HostRefused
            Malformed, unknown, or not for tenants.
        """
        host = normalised_host(host)
        literal = _literal(host)
        if not 0 < port < 65536:
            raise HostRefused("network.host_malformed", log="port out of range")
        found = self._resolved(host) if literal is None else (literal,)
        sort = next((sort for address in found if (sort := self._forbidden(host, address, port))), None)
        if found and sort is None:
            return tuple(str(address) for address in found[:MOST_ADDRESSES])
        key = "network.host_not_found" if literal is None else "network.address_not_public"
        raise HostRefused(key, log=f"host refused: {sort or 'unknown name'}", host=host)

    def _resolved(self, host: str) -> tuple[Address, ...]:
        try:
            given = self._resolver(host)
        except (OSError, UnicodeError):
            return ()
        found = [_literal(text) for text in given]
        # An answer that is no address (one with a zone, say) spoils the name: nothing of it is used.
        return () if None in found else tuple(dict.fromkeys(a for a in found if a is not None))

    def _forbidden(self, host: str, address: Address, port: int) -> str | None:
        """Say why not, for the log; None: this address may be connected to."""
        inner = inner_addresses(address)
        if any(one in network for one in (address, *inner) for network in _NEVER):
            return "never"
        if any(self._is_own(one, port) for one in (address, *inner)):
            return "own service"
        if is_global(address) and not inner and not is_of_this_machine(address):
            return None
        return None if any(entry.has(host, address, port) for entry in self._allowed) else "special"

    def _is_own(self, address: Address, port: int) -> bool:
        for place in self._own:
            if not place.has_port(port):
                continue
            if place.network is not None:
                if address in place.network:
                    return True
                ours: tuple[Address, ...] = (place.network.network_address,)
            else:
                ours = self._addresses_of_own(place.name or "")
            # A service of this machine answers on every address of this machine.
            if address in ours or (any(map(is_of_this_machine, ours)) and is_of_this_machine(address)):
                return True
        return False

    def _addresses_of_own(self, name: str) -> tuple[Address, ...]:
        now = time.monotonic()
        asked_at, known = self._own_addresses.get(name, (-_OWN_FRESH_S, ()))
        if now - asked_at >= _OWN_FRESH_S:
            known = self._resolved(name) or known
            self._own_addresses[name] = (now, known)
        return known


def is_of_this_machine(address: Address) -> bool:
    """Tell whether an address is one of this machine's own. Sends nothing: it asks whether one could listen there."""
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


_PORTS = {"postgresql": 5432, "postgres": 5432, "http": 80, "https": 443}


def own_services(settings: Settings) -> tuple[str, ...]:
    """Return ``host:port`` of every service of the platform that the settings name."""
    urls = [settings.public_url, settings.hub_api_url, settings.model_base_url]
    urls += [u.get_secret_value() for u in (settings.database_url, settings.database_admin_url) if u is not None]
    found = [_place(url) for url in urls if url]
    if settings.smtp_host:
        found.append(_joined(settings.smtp_host, settings.smtp_port))
    return tuple(dict.fromkeys([*settings.own_services, *(place for place in found if place)]))


def _place(url: str) -> str | None:
    parts = urlsplit(url)
    if not parts.hostname:
        return None
    return _joined(parts.hostname, parts.port or _PORTS.get(parts.scheme.partition("+")[0]))


def _joined(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"
