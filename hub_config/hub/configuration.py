"""JupyterHub's configuration, from the settings: :func:`apply_config`. It sets, and never appends.

What a reader would look for: people in :mod:`hub_config.hub.authenticator`, rights in :mod:`hub_config.hub.roles`, pages in
:mod:`hub_config.hub.pages`, servers in ``hub_config.hub.spawning.WAY`` (``configure(settings, c)`` of the chosen way
runs last, and sets what is its own).
"""

from __future__ import annotations

import importlib
import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from datapilot_kernel.errors import BadInput
from hub_config.hub import pages, roles
from hub_config.hub.authenticator import PlatformAuthenticator
from hub_config.hub.settings import HubSettings

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# Variables of the hub alone; the API that the hub starts gets the other DATAPILOT_* of its environment.
_HUB_ONLY = "DATAPILOT_HUB_"
_SHARED = ("DATAPILOT_HUB_KEY", "DATAPILOT_HUB_SERVICE")


def apply_config(settings: HubSettings, c: Any) -> None:
    """Set the whole configuration.

    Parameters
    ----------
    c
        traitlets' configuration object, as JupyterHub's configuration file has it.

    Raises
    ------
    BadInput
        There is no key: nobody could sign in.
    """
    if settings.key is None:
        raise BadInput("hub.bad_settings", names="DATAPILOT_HUB_KEY")
    _folders(settings)
    api_token = settings.api_token.get_secret_value() if settings.api_token is not None else secrets.token_hex(32)
    _addresses(settings, c)
    _records(settings, c)
    _people(settings, c)
    _look(settings, c)
    _services(settings, c, api_token)
    _servers(settings, c)
    _proxy(settings, c)


def _folders(settings: HubSettings) -> None:
    # The hub's database is in it, as readable as it is made: the folder is nobody else's.
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in (settings.data_dir / "keys", settings.data_dir / "proxy"):
        folder.mkdir(parents=True, exist_ok=True)
    (settings.data_dir / "keys").chmod(0o700)


def _addresses(settings: HubSettings, c: Any) -> None:
    c.JupyterHub.base_url = "/"
    c.JupyterHub.bind_url = (settings.listen_url or settings.public_url) + "/"
    c.JupyterHub.public_url = settings.public_url + "/"
    c.JupyterHub.hub_ip = settings.ip
    c.JupyterHub.hub_port = settings.port
    if settings.connect_url is not None:
        # Without it JupyterHub listens on the address that others connect to, not on the one that it was given.
        c.JupyterHub.hub_bind_url = f"http://{settings.ip}:{settings.port}"
        c.JupyterHub.hub_connect_url = settings.connect_url
    c.JupyterHub.trusted_downstream_ips = [each for each in settings.trusted_proxies if "/" not in each]
    if settings.subdomain_host is not None:
        c.JupyterHub.subdomain_host = settings.subdomain_host
        c.JupyterHub.subdomain_hook = host_name_of


def host_name_of(name: str, domain: str, kind: str) -> str:
    """Return the host name of a person's server or of a service: the name itself.

    People's names are 53 characters of a-z and 2-7 with one hyphen; no service is called so.

    >>> host_name_of("datapilot", "app.example.fr", "service")
    'datapilot.app.example.fr'
    """
    return f"{name}.{domain}"


def _records(settings: HubSettings, c: Any) -> None:
    c.JupyterHub.db_url = settings.resolved_db_url()
    c.JupyterHub.upgrade_db = True  # the hub's own migrations, at its start; SQLite files are copied aside before
    c.JupyterHub.cookie_secret_file = str(settings.resolved_cookie_secret_file())
    c.JupyterHub.log_level = _LEVELS[settings.log_level]
    c.JupyterHub.cookie_max_age_days = settings.session_days
    c.JupyterHub.oauth_require_pkce = True
    # A cookie of the prefix is for exactly one host and all of its paths: right only where each server has its own host.
    c.JupyterHub.cookie_host_prefix_enabled = settings.subdomain_host is not None and settings.is_https
    c.JupyterHub.tornado_settings = {
        "headers": pages.headers(settings),
        "cookie_options": {"samesite": "Lax", "httponly": True, "secure": settings.is_https},
        "xsrf_cookie_kwargs": {"samesite": "Lax", "httponly": True, "secure": settings.is_https},
        "slow_spawn_timeout": 0,  # to the progress page at once
    }
    c.JupyterHub.authenticate_prometheus = True


def _people(settings: HubSettings, c: Any) -> None:
    c.JupyterHub.authenticator_class = PlatformAuthenticator
    c.PlatformAuthenticator.settings = settings
    c.Authenticator.allow_all = True  # the API decides; nobody signs in whom it did not name
    c.Authenticator.admin_users = set()
    c.Authenticator.manage_groups = True
    c.Authenticator.manage_roles = True
    c.Authenticator.enable_auth_state = False  # nothing of a company's provider is kept, so there is nothing to encrypt
    c.Authenticator.auth_refresh_age = settings.refresh_seconds
    c.Authenticator.auth_refresh_strict = True
    c.Authenticator.refresh_pre_spawn = True
    c.Authenticator.refresh_pre_stop = False  # one's own server can be stopped, whatever else
    c.Authenticator.delete_invalid_users = False
    c.JupyterHub.admin_access = False


def _look(settings: HubSettings, c: Any) -> None:
    c.JupyterHub.template_paths = [str(pages.TEMPLATES)]
    c.JupyterHub.template_vars = pages.template_vars(settings)
    c.JupyterHub.logo_file = str(pages.FACE / "logo.svg")
    c.JupyterHub.default_url = pages.landing(settings)
    c.JupyterHub.redirect_to_server = True
    c.JupyterHub.shutdown_on_logout = False


def _services(settings: HubSettings, c: Any, api_token: str) -> None:
    prefix = f"/services/{settings.service}/"
    api: dict[str, Any] = {
        "name": settings.service,
        "url": settings.service_url,
        "api_token": api_token,
        "oauth_no_confirm": True,  # it is the platform itself
        "oauth_redirect_uri": settings.resolved_service_public_url() + "oauth_callback",
        "oauth_client_allowed_scopes": [f"access:services!service={settings.service}", "read:users:name!user"],
        "display": False,
    }
    if settings.service_command:
        api |= {
            "command": list(settings.service_command),
            "environment": _environment_of_the_api(settings, api_token, prefix),
            "cwd": os.getcwd(),
        }
    culler = {
        "name": "idle-culler",
        "command": [
            sys.executable,
            "-m",
            "jupyterhub_idle_culler",
            f"--timeout={settings.idle_minutes * 60}",
            f"--cull-every={settings.idle_check_minutes * 60}",
            f"--max-age={settings.server_max_hours * 3600}",
            "--cull-users=false",
        ],
        "display": False,
    }
    culls = settings.idle_minutes > 0 or settings.server_max_hours > 0
    c.JupyterHub.services = [api, culler] if culls else [api]
    c.JupyterHub.load_roles = roles.fixed_roles(settings.service, culls=culls)


def _environment_of_the_api(settings: HubSettings, api_token: str, prefix: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("DATAPILOT_") and (not name.startswith(_HUB_ONLY) or name in _SHARED)
    }
    hub = settings.connect_url or f"http://{settings.ip}:{settings.port}"
    given = {
        "DATAPILOT_HUB_API_URL": f"{hub}/hub/api",
        "DATAPILOT_HUB_API_TOKEN": api_token,
        "DATAPILOT_HUB_SERVICE": settings.service,
        "DATAPILOT_HUB_PUBLIC_URL": f"{settings.public_url}/hub/",
        "DATAPILOT_PUBLIC_URL": settings.resolved_service_public_url(),
    }
    if settings.key is not None:
        given["DATAPILOT_HUB_KEY"] = settings.key.get_secret_value()
    return {"DATAPILOT_TRUSTED_PROXIES": ",".join(settings.trusted_proxies)} | kept | given


def _servers(settings: HubSettings, c: Any) -> None:
    way = importlib.import_module(f"hub_config.hub.spawning.{settings.spawner}")
    if hasattr(way, "SPAWNER"):
        c.JupyterHub.spawner_class = way.SPAWNER
    c.Spawner.start_timeout = settings.start_timeout_seconds
    c.Spawner.http_timeout = settings.answer_timeout_seconds
    c.Spawner.poll_interval = settings.poll_seconds
    c.Spawner.consecutive_failure_limit = 0  # one tenant's broken image must not stop the hub for all
    c.PersonSpawner.api_url = settings.resolved_server_api_url()
    c.PersonSpawner.service = settings.service
    c.PersonSpawner.language = settings.language
    c.PersonSpawner.pages_url = settings.resolved_service_public_url()
    c.JupyterHub.allow_named_servers = False
    c.JupyterHub.concurrent_spawn_limit = settings.starts_at_once
    c.JupyterHub.active_server_limit = settings.servers_at_once
    c.JupyterHub.cleanup_servers = settings.stop_servers_with_hub
    c.JupyterHub.cleanup_proxy = settings.stop_servers_with_hub
    way.configure(settings, c)


def _proxy(settings: HubSettings, c: Any) -> None:
    rules = settings.resolved_proxy_rules_file()
    rules.parent.mkdir(parents=True, exist_ok=True)
    password = settings.proxy_api_password
    c.JupyterHub.proxy_class = "traefik_file"
    c.TraefikFileProviderProxy.should_start = settings.proxy_start
    c.TraefikFileProviderProxy.dynamic_config_file = str(rules)
    c.TraefikFileProviderProxy.static_config_file = str(rules.with_name("traefik.toml"))
    c.TraefikFileProviderProxy.traefik_api_url = settings.proxy_api_url
    c.TraefikFileProviderProxy.traefik_api_username = "hub"
    c.TraefikFileProviderProxy.traefik_api_password = (
        password.get_secret_value() if password is not None else secrets.token_urlsafe(32)
    )
    if settings.proxy_start:
        c.TraefikFileProviderProxy.extra_static_config = proxy_static(settings)
    _reach_traefik()


def proxy_static(settings: HubSettings) -> dict[str, Any]:
    """Return what traefik's own file says besides its addresses: no news, no look for updates, whom to believe."""
    return {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "entryPoints": {
            entry_point(settings): {
                "forwardedHeaders": {"trustedIPs": list(settings.trusted_proxies)},
                "transport": {"respondingTimeouts": {"readTimeout": "0s", "idleTimeout": "180s"}},
            }
        },
    }


def entry_point(settings: HubSettings) -> str:
    """Return the name that the hub gives to traefik's entrance."""
    return "https" if urlsplit(settings.listen_url or settings.public_url).scheme == "https" else "http"


def _reach_traefik() -> None:
    """Put the environment's own programs on the path: traefik comes as a wheel."""
    own = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "").split(os.pathsep)
    if own not in path:
        os.environ["PATH"] = os.pathsep.join([own, *path])
