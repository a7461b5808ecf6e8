"""The host's firewall rule against tenants' bridges, where this process sees the host's network."""

from __future__ import annotations

import os
from collections.abc import Iterator

from hub_config.doctor import Finding, Installation, ok, problem, skipped


def look(installation: Installation) -> Iterator[Finding]:
    """Look whether the rules are in place."""
    from hub_config.firewall import FirewallFailed, in_place

    inside = os.path.exists("/.dockerenv")
    # A container with a network of its own sees its own rules: that there are none says nothing of the host. And a machine
    # without Docker has no tenants' networks.
    seen = os.path.isdir("/sys/class/net/docker0") if inside else installation.docker_socket.exists()
    if not seen:
        yield skipped("firewall", "firewall_unseen")
        return
    try:
        there = in_place()
    except FirewallFailed:
        yield skipped("firewall", "firewall_unseen")
        return
    yield ok("firewall", "firewall") if there else problem("firewall", "firewall_missing")
