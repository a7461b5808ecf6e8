"""The one module that imports ``docker``: the client, its errors, and how the engine behind the gate is reached.

What a container, a network or a volume of ours looks like is its neighbours' business; they get the client from here.
"""

from __future__ import annotations

from docker import APIClient as DockerLine
from docker.errors import APIError, DockerException, NotFound
from docker.utils import version_lt

from hub_config.hub.spawning.container_settings import ContainerSettings

__all__ = ["APIError", "DockerException", "DockerLine", "NotFound", "line_to_docker"]

_PROTOCOL = "1.41"


def line_to_docker(given: ContainerSettings) -> DockerLine:
    """Return a client that speaks the oldest protocol that both sides know: what was tried, on engines of any age."""

    def line(version: str) -> DockerLine:
        made = DockerLine(base_url=given.url, version=version, timeout=120)
        made.trust_env = False  # the gate is ours: no proxy of the environment is between
        if given.token is not None:
            made.headers["Authorization"] = f"Bearer {given.token.get_secret_value()}"
        return made

    oldest = line(_PROTOCOL)
    least = str(oldest.version(api_version=False).get("MinAPIVersion") or _PROTOCOL)
    return line(least) if version_lt(_PROTOCOL, least) else oldest
