"""What production mode refuses to start with: :func:`problems_of` says which, in sentences for the operator."""

from __future__ import annotations

import stat
from pathlib import Path
from urllib.parse import urlsplit

from datapilot_kernel.messages import text
from hub_config.pages.rendering import hub_of
from hub_config.settings import Settings

_EXAMPLES = (
    "changeme",
    "change-me",
    "change_me",
    "example",
    "secret",
    "password",
    "motdepasse",
    "todo",
    "xxxx",
    "datapilot",
)
_SECRETS = ("database_url", "database_admin_url", "hub_api_token", "hub_key", "smtp_password", "metrics_token", "model_key")


def problems_of(settings: Settings) -> list[str]:
    """Return what is unsafe for production, a sentence each; empty outside production mode."""
    if settings.mode != "production":
        return []
    found: list[str] = []
    if "*" in settings.cors_origins:
        found.append(text("hub.production.wildcard_cors"))
    if urlsplit(settings.public_url).scheme != "https":
        found.append(text("hub.production.plain_http"))
    if settings.hub_public_url is not None and hub_of(settings) is None:
        found.append(text("hub.production.half_a_hub"))
    found += _database(settings)
    for name in _SECRETS:
        secret = getattr(settings, name)
        if secret is not None and _is_an_example(secret.get_secret_value()):
            found.append(text("hub.production.default_secret", name=f"DATAPILOT_{name.upper()}"))
    for path in (settings.resolved_vault_key_file(), settings.resolved_signing_key_file()):
        if readable_by_others(path):
            found.append(text("hub.production.readable_key", path=path))
    return found


def readable_by_others(path: Path) -> bool:
    """Tell whether accounts besides the owner may read the file; False when there is none yet."""
    try:
        return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except FileNotFoundError:
        return False


def _database(settings: Settings) -> list[str]:
    if settings.database_url is None or not settings.database_url.get_secret_value().startswith("postgres"):
        return [text("hub.production.sqlite")]
    if settings.database_admin_url is None:
        return [text("hub.production.no_admin_url")]
    owner, application = (urlsplit(u.get_secret_value()) for u in (settings.database_admin_url, settings.database_url))
    return [text("hub.production.same_role")] if owner.username == application.username else []


def _is_an_example(secret: str) -> bool:
    password = urlsplit(secret).password if "://" in secret else secret
    return not password or password.casefold() in _EXAMPLES or len(password) < 8
