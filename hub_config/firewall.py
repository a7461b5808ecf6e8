"""The host's own wall towards tenants' networks: from a bridge ``dpt-*`` nothing reaches the host, or another network.

Docker's ``internal`` networks keep their containers from the outside, not from the host: every port that the host listens
on, on whatever address, answered. Our networks have no address of the host on their bridge, which closes that; these
rules close it once more, and for IPv6 and ARP too, whatever a later engine does with its options.

A table of nftables of our own, one for all bridges by the beginning of their name: Docker's chains are not touched, so
neither its restart nor ``iptables -F`` takes it away, and a packet that it drops no other table takes back. Applying it
replaces it in one transaction. It is gone after the machine's restart: the compose file's service applies it at each start
and looks again every minute; who prefers the host's own file puts :data:`RULES` into ``/etc/nftables.conf``.

Rejected: rules in ``INPUT`` and ``DOCKER-USER`` (IPv4 only by default, order matters, other tools rewrite them). Between two
ports of one bridge nothing is dropped, also where ``br_netfilter`` shows such frames to these chains.
"""

from __future__ import annotations

import shutil
import subprocess

from hub_config.docker_names import BRIDGES

TABLE = "datapilot_tenants"
_FAMILIES = ("inet", "arp")

RULES = f"""\
table inet {TABLE} {{
  chain to_the_host {{
    type filter hook input priority -10; policy accept;
    iifname "{BRIDGES}*" counter drop
  }}
  chain through_the_host {{
    type filter hook forward priority -10; policy accept;
    iifname "{BRIDGES}*" oifname != "{BRIDGES}*" counter drop
    iifname != "{BRIDGES}*" oifname "{BRIDGES}*" counter drop
  }}
}}
table arp {TABLE} {{
  chain to_the_host {{
    type filter hook input priority 0; policy accept;
    iifname "{BRIDGES}*" counter drop
  }}
}}
"""


class FirewallFailed(Exception):
    """The rules could not be put in place, or not be looked at."""


def apply() -> tuple[str, ...]:
    """Put the rules in place, in one transaction; return the families they hold for.

    Raises
    ------
    FirewallFailed
        ``nft`` is missing or refuses; says what it said.
    """
    # A table that is made first may be deleted whether it was there or not.
    _nft(
        "-f", "-", given="".join(f"table {family} {TABLE}\ndelete table {family} {TABLE}\n" for family in _FAMILIES) + RULES
    )
    return _FAMILIES


def in_place() -> bool:
    """Tell whether the rules are there.

    Raises
    ------
    FirewallFailed
        ``nft`` does not say.
    """
    listed = _nft("list", "tables")
    return all(f"table {family} {TABLE}" in listed for family in _FAMILIES) and all(
        "drop" in _nft("list", "table", family, TABLE) for family in _FAMILIES
    )


def remove() -> None:
    """Take the rules away; nothing when there are none."""
    _nft("-f", "-", given="".join(f"table {family} {TABLE}\ndelete table {family} {TABLE}\n" for family in _FAMILIES))


def _nft(*arguments: str, given: str | None = None) -> str:
    command = shutil.which("nft") or "/usr/sbin/nft"
    try:
        ran = subprocess.run([command, *arguments], input=given, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FirewallFailed(str(error)) from error
    if ran.returncode:
        raise FirewallFailed(" ".join(ran.stderr.split())[:300])
    return ran.stdout
