"""What production mode would refuse to start with, and settings that do not go together."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from hub_config.checks import problems_of
from hub_config.doctor import Finding, Installation, ok, problem, warning


def look(installation: Installation) -> Iterator[Finding]:
    """Look at the settings."""
    settings = installation.settings
    found = problems_of(settings)
    for sentence in found:
        yield problem("settings", "settings_refused", sentence=sentence)
    if settings.mode != "production":
        public = urlsplit(settings.public_url).scheme == "https"
        yield (problem if public else warning)("mode", "mode_development")
    elif not found:
        yield ok("settings", "settings")
    if settings.hub_public_url is not None:
        needed = {"DATAPILOT_HUB_API_URL": settings.hub_api_url, "DATAPILOT_HUB_API_TOKEN": settings.hub_api_token}
        missing = [name for name, value in {**needed, "DATAPILOT_HUB_KEY": settings.hub_key}.items() if value is None]
        if missing:
            yield problem("hub_settings", "hub_settings_missing", names=", ".join(missing))
        if not settings.trusted_proxies:
            yield warning("proxies", "proxies_none")
