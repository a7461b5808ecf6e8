"""What people's containers need, from the hub's side: the gate before Docker, the images, and room for tenants' networks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from hub_config.docker_names import INSTALLATION, TENANT
from hub_config.doctor import Finding, Installation, ok, problem, skipped, warning

_WAIT = httpx.Timeout(15.0, connect=4.0)


def look(installation: Installation) -> Iterator[Finding]:
    """Look at the gate, the images and the networks."""
    containers = installation.containers
    if containers is None:
        yield skipped("gate", "gate_unseen")
        return
    lines: list[httpx.Client] = []
    try:
        if containers.url.startswith("tcp://"):
            where = urlsplit(containers.url)
            address = f"http://{where.hostname}:{where.port or 2375}"
            token = containers.token.get_secret_value() if containers.token else ""
            through = httpx.Client(
                base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=_WAIT, trust_env=False
            )
            lines.append(through)
            found = gate(through, address)
            yield found
            if found.level != "ok":
                return
            line = through
        else:
            line = direct(Path(containers.url.removeprefix("unix://")))
            lines.append(line)
            yield problem("gate", "gate_none")
        for image in dict.fromkeys(filter(None, (containers.image, containers.rendering_image))):
            yield present(line, image)
        yield networks(line, containers.installation, containers.address_pool, containers.network_prefix_bits)
    finally:
        for opened in lines:
            opened.close()


def direct(socket: Path) -> httpx.Client:
    """Return a line to the engine's own socket."""
    transport = httpx.HTTPTransport(uds=str(socket))
    return httpx.Client(transport=transport, base_url="http://docker", timeout=_WAIT, trust_env=False)


def asked(line: httpx.Client, path: str, **query: str) -> tuple[int, Any]:
    """Return an answer's status and body; 0 when nobody answers."""
    try:
        answer = line.get(path, params=query or None)
        return answer.status_code, answer.json() if answer.content else None
    except (httpx.HTTPError, ValueError):
        return 0, None


def gate(line: httpx.Client, address: str) -> Finding:
    """See that the gate lets the hub in, and nobody who has no token."""
    status, _ = asked(line, "/version")
    if status == 0:
        return problem("gate", "gate_away", address=address)
    if status in (401, 403):
        return problem("gate", "gate_token")
    if status != 200:
        return problem("gate", "gate_engine", address=address)
    with httpx.Client(base_url=address, timeout=_WAIT, trust_env=False) as stranger:
        without, _ = asked(stranger, "/version")
    return problem("gate", "gate_open", address=address) if without == 200 else ok("gate", "gate")


def present(line: httpx.Client, image: str) -> Finding:
    """See that an image is on the server: nothing is pulled when somebody starts a notebook."""
    status, _ = asked(line, f"/images/{image}/json")
    if status == 200:
        return ok("image", "image", image=image)
    return problem("image", "image_not_allowed" if status == 403 else "image_missing", image=image)


def networks(line: httpx.Client, installation: str, pool: str, prefix_bits: int) -> Finding:
    """Count the tenants' networks: each takes addresses of the pool, and is closed to the outside."""
    wanted = json.dumps({"label": [f"{INSTALLATION}={installation}", TENANT]})
    status, found = asked(line, "/networks", filters=wanted)
    if status != 200 or not isinstance(found, list):
        return skipped("networks", "networks_unseen")
    open_ones = [str(network.get("Name")) for network in found if not network.get("Internal")]
    room = 2 ** (prefix_bits - ip_network(pool).prefixlen)
    if open_ones:
        return problem("networks", "networks_open", names=", ".join(open_ones[:5]))
    few = len(found) > room * 0.9
    return (warning if few else ok)("networks", "networks_full" if few else "networks", count=len(found), room=room)
