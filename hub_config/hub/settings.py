"""Every setting of the hub's process. Read from ``DATAPILOT_HUB_*`` and from files of secrets; never at import.

Three are shared with the API under the same variable: the key (``DATAPILOT_HUB_KEY``), the service's name
(``DATAPILOT_HUB_SERVICE``) and the service's token (``DATAPILOT_HUB_API_TOKEN``). ``docs/settings.md`` is generated
from the descriptions here. ``None`` and empty mean what each description says.
"""

from __future__ import annotations

import json
import os
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.functional_validators import BeforeValidator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from hub_config.settings import Words


def _providers(value: Any) -> Any:
    """Take JSON text."""
    return json.loads(value) if isinstance(value, str) else value


class Provider(BaseModel):
    """A company's own sign-in, by OpenID Connect. Of which tenant its people are, the API's rules say."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$", description="Short name; part of the address of its callback.")
    name: str = Field(min_length=1, max_length=60, description="What the button says: « Se connecter avec NAME ».")
    issuer: str = Field(description="Issuer, exactly as its tokens say; its configuration is read from there.")
    client_id: str = Field(min_length=1, description="What the provider calls this installation.")
    client_secret_file: Path | None = Field(None, description="File of the client's secret.")
    client_secret: SecretStr | None = Field(None, description="The secret itself, instead of a file.")
    scopes: tuple[str, ...] = Field(("openid", "email", "profile"), description="What is asked for.")
    email_claim: str = Field("email", description="Claim of the address.")
    claims: tuple[str, ...] = Field(
        ("hd", "tid"), description="Claims that the API's rules look at; no others leave the hub."
    )

    @field_validator("issuer")
    @classmethod
    def _plain_http_only_at_home(cls, value: str) -> str:
        where = urlsplit(value)
        if where.scheme != "https" and where.hostname not in ("127.0.0.1", "localhost"):
            raise ValueError("an issuer's address is https")
        return value


Providers = Annotated[tuple[Provider, ...], NoDecode, BeforeValidator(_providers)]


class HubSettings(BaseSettings):
    """The hub's settings."""

    model_config = SettingsConfigDict(env_prefix="DATAPILOT_HUB_", frozen=True, extra="forbid", hide_input_in_errors=True)

    # ── the installation ──────────────────────────────────────────────────────────────────────────────────────────
    data_dir: Path = Field(
        Path("datapilot-data/hub"), description="Folder of the hub's SQLite database (when no db_url), keys, proxy's rules."
    )
    language: Literal["fr", "en"] = Field("fr", description="Language of the hub's pages and of the notebooks.")
    public_url: str = Field(
        "http://127.0.0.1:8000",
        description="How browsers reach the hub: scheme, host and port; `/hub/` may follow, as the API's setting has it.",
    )
    subdomain_host: str | None = Field(
        None,
        description="Scheme and host below which each person's server has its own name (`https://app.example.fr`, with "
        "`*.app.example.fr` in DNS and in the certificate). None: one origin for all, where one person's notebook could "
        "act in another's browser session: not where people do not trust each other.",
    )
    trusted_proxies: Words = Field(
        ("127.0.0.1", "::1"),
        description="Addresses or networks whose X-Forwarded-For is believed: the proxy before the hub, and nginx.",
    )
    # ── addresses ─────────────────────────────────────────────────────────────────────────────────────────────────
    listen_url: str | None = Field(None, description="Where the hub's proxy listens. None: public_url.")
    ip: str = Field("127.0.0.1", description="Address on which the hub itself listens.")
    port: int = Field(8081, ge=1, le=65535, description="Its port.")
    connect_url: str | None = Field(
        None, description="How the proxy, the API and the servers reach the hub (`http://hub:8081`). None: ip and port."
    )
    # ── records and keys ──────────────────────────────────────────────────────────────────────────────────────────
    db_url: SecretStr | None = Field(None, description="The hub's own database (PostgreSQL). None: SQLite in data_dir.")
    cookie_secret_file: Path | None = Field(
        None, description="File of the key that signs the hub's cookies; made when absent. None: data_dir/keys/cookie."
    )
    key: SecretStr | None = Field(
        None, description="The key with which the hub speaks to the API, 32 characters at least, the same at the API."
    )
    # ── the API ───────────────────────────────────────────────────────────────────────────────────────────────────
    service: str = Field("datapilot", description="The API's name at the hub.")
    service_url: str = Field(
        "http://127.0.0.1:8001", description="Where the hub and its proxy reach the API: scheme, host and port."
    )
    service_path: str | None = Field(
        None, description="Path of the API there. None: the service's at the hub, `/services/NAME/`."
    )
    service_command: Words = Field(
        (), description="Command that starts the API, which the hub then keeps running. Empty: it runs by itself."
    )
    service_public_url: str | None = Field(
        None, description="How browsers reach the API's pages. None: the service's address at the hub."
    )
    api_token: SecretStr | None = Field(
        None,
        description="The API's token at the hub, the same there. None: made at each start, for an API that the hub starts.",
    )
    api_timeout_seconds: int = Field(20, ge=1, le=120, description="How long the hub waits for the API's answer.")
    # ── sign-in ───────────────────────────────────────────────────────────────────────────────────────────────────
    providers: Providers = Field((), description="Companies' own sign-ins, as JSON (docs/company-sign-in.md). Empty: none.")
    providers_file: Path | None = Field(None, description="File of that JSON instead. None: providers.")
    refresh_seconds: int = Field(
        60, ge=5, le=3600, description="How long the hub believes what the API said of a person; then it asks again."
    )
    session_days: float = Field(7, gt=0, le=60, description="Life of a sign-in in the browser.")
    # ── servers ───────────────────────────────────────────────────────────────────────────────────────────────────
    spawner: Literal["local", "containers"] = Field(
        "local", description="local: processes of this machine, no wall between people. containers: docker."
    )
    server_api_url: str | None = Field(
        None, description="How a notebook's server reaches the API. None: service_url and service_path."
    )
    start_timeout_seconds: int = Field(120, ge=10, le=1800, description="How long a server may take to start.")
    answer_timeout_seconds: int = Field(
        120, ge=10, le=1800, description="How long a started server may take to answer for the first time."
    )
    idle_minutes: int = Field(120, ge=0, description="A server idle for so long is stopped. 0: never.")
    idle_check_minutes: int = Field(5, ge=1, le=60, description="How often that is looked at.")
    server_max_hours: int = Field(0, ge=0, description="A server is stopped after so long even when used. 0: never.")
    poll_seconds: int = Field(20, ge=1, le=600, description="How often it is looked at whether a server still lives.")
    starts_at_once: int = Field(20, ge=1, le=1000, description="Servers starting at once; more are asked to try again.")
    servers_at_once: int = Field(0, ge=0, description="Servers running at once. 0: no limit.")
    leftover_check_minutes: float = Field(
        10, ge=0, le=1440, description="How often files of deleted people and tenants are looked for. 0: never."
    )
    tenant_kept_hours: float = Field(
        24,
        ge=0,
        description="What a deleted tenant had in volumes and folders is removed after so long: time to undo a mistake. Its "
        "containers go at once.",
    )
    home_kept_days: float = Field(
        30,
        ge=0,
        description="A deleted person's own volume or folder is removed after so long. A disabled person's stays.",
    )
    stop_servers_with_hub: bool = Field(
        False, description="true: servers, proxy and API end with the hub (the demo). false: they live on."
    )
    # ── the proxy ─────────────────────────────────────────────────────────────────────────────────────────────────
    proxy_start: bool = Field(True, description="true: the hub starts traefik. false: it runs by itself.")
    proxy_api_url: str = Field("http://127.0.0.1:8099", description="The proxy's own API.")
    proxy_api_password: SecretStr | None = Field(
        None, description="Its password (user `hub`). None: made at each start, for a proxy that the hub starts."
    )
    proxy_rules_file: Path | None = Field(
        None, description="File of routes that the hub writes and traefik watches. None: data_dir/proxy/rules.toml."
    )
    # ── operations ────────────────────────────────────────────────────────────────────────────────────────────────
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    ca_bundle_file: Path | None = Field(
        None, description="PEM file of a company's own authorities, for providers, besides the system's."
    )

    @field_validator("public_url", mode="before")
    @classmethod
    def _without_the_hubs_path(cls, value: object) -> object:
        return value.rstrip("/").removesuffix("/hub") if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            ip_network(each, strict=False)
        return value

    @field_validator("public_url", "service_url", "subdomain_host", "listen_url", "connect_url", "proxy_api_url")
    @classmethod
    def _an_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        where = urlsplit(value)
        if where.scheme not in ("http", "https") or not where.hostname or where.path not in ("", "/") or where.query:
            raise ValueError("scheme, host and port, without a path")
        return value.rstrip("/")

    @field_validator("key", "api_token", "proxy_api_password")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("a key has 32 characters at least")
        return value

    @model_validator(mode="after")
    def _what_goes_together(self) -> HubSettings:
        if self.subdomain_host is not None and self.subdomain_host != self.public_url:
            raise ValueError("subdomain_host and public_url are the same address")
        if not self.proxy_start and self.proxy_api_password is None:
            raise ValueError("a proxy that runs by itself needs proxy_api_password")
        if not self.service_command and self.api_token is None:
            raise ValueError("an API that runs by itself needs api_token")
        return self

    @property
    def is_https(self) -> bool:
        """Tell whether browsers come by https."""
        return self.public_url.startswith("https://")

    def resolved_service_path(self) -> str:
        """Return the API's path, with a slash at both ends."""
        return self.service_path if self.service_path is not None else f"/services/{self.service}/"

    def resolved_service_url(self) -> str:
        """Return the API's address as the hub reaches it."""
        return self.service_url + self.resolved_service_path()

    def resolved_server_api_url(self) -> str:
        """Return the API's address as a notebook's server reaches it."""
        return self.server_api_url or self.resolved_service_url()

    def resolved_service_public_url(self) -> str:
        """Return the API's address as browsers reach it, with a slash at its end."""
        if self.service_public_url is not None:
            return self.service_public_url.rstrip("/") + "/"
        if self.subdomain_host is not None:
            scheme, host = self.subdomain_host.split("://")
            return f"{scheme}://{self.service}.{host}/services/{self.service}/"
        return f"{self.public_url}/services/{self.service}/"

    def resolved_db_url(self) -> str:
        """Return the database's URL. Holds a password: never to be logged."""
        if self.db_url is not None:
            url = self.db_url.get_secret_value()
            scheme, separator, rest = url.partition("://")
            return f"postgresql+psycopg{separator}{rest}" if scheme in ("postgres", "postgresql") else url
        return f"sqlite:///{(self.data_dir / 'hub.sqlite3').resolve()}"

    def resolved_cookie_secret_file(self) -> Path:
        """Return where the key of the cookies is."""
        return (self.cookie_secret_file or self.data_dir / "keys" / "cookie").resolve()

    def resolved_proxy_rules_file(self) -> Path:
        """Return where the routes are written."""
        return (self.proxy_rules_file or self.data_dir / "proxy" / "rules.toml").resolve()

    def all_providers(self) -> tuple[Provider, ...]:
        """Return the companies' sign-ins, from the file when one is named.

        Raises
        ------
        BadInput
            The file is not what it must be.
        """
        if self.providers_file is None:
            return self.providers
        from pydantic import TypeAdapter, ValidationError

        from datapilot_kernel.errors import BadInput

        try:
            return TypeAdapter(tuple[Provider, ...]).validate_json(self.providers_file.read_bytes())
        except (OSError, ValidationError):
            raise BadInput("hub.bad_settings", names="DATAPILOT_HUB_PROVIDERS_FILE") from None


def load_hub_settings(**given: Any) -> HubSettings:
    """Read the environment and the files of secrets; ``given`` wins over both.

    Raises
    ------
    BadInput
        A setting is not what it must be; says which, never what was given.
    """
    from pydantic import ValidationError

    from datapilot_kernel.errors import BadInput

    named = os.environ.get("DATAPILOT_SECRETS_DIR", "")
    folder = Path(named) if named else Path("/run/secrets")
    try:
        return HubSettings(_secrets_dir=folder if folder.is_dir() else None, **given)
    except ValidationError as error:
        names = {f"DATAPILOT_HUB_{str(e['loc'][0]).upper()}" if e["loc"] else e["msg"] for e in error.errors()}
        raise BadInput("hub.bad_settings", names=", ".join(sorted(names))) from None
