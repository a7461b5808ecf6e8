"""Every setting of the platform. Read from ``DATAPILOT_*`` in the environment and from files of secrets; never at import.

A secret may come from a file named as its variable (``DATAPILOT_DATABASE_URL``) in the folder that
``DATAPILOT_SECRETS_DIR`` names (``/run/secrets`` where that exists), as Docker mounts them. ``docs/settings.md`` is
generated from the descriptions here, and a test holds it to that. ``None`` and empty mean what each description says.

The units stand in the names. What production mode insists on is in :mod:`hub_config.checks`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr
from pydantic.functional_validators import BeforeValidator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from hub_config.company import CompanyRule


def _words(value: Any) -> Any:
    """Take a list written with commas or spaces."""
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
_MIB = 1024 * 1024


class Settings(BaseSettings):
    """The platform's settings."""

    model_config = SettingsConfigDict(env_prefix="DATAPILOT_", frozen=True, extra="forbid", hide_input_in_errors=True)

    # ── the installation ──────────────────────────────────────────────────────────────────────────────────────────
    mode: Literal["development", "production"] = Field(
        "development", description="production: refuse to start with unsafe settings, and say which."
    )
    data_dir: Path = Field(
        Path("datapilot-data"),
        description="Folder of the SQLite database (when no database_url), uploaded files, results and generated keys.",
    )
    public_url: str = Field(
        "http://127.0.0.1:8000", description="How browsers reach the API: links in mails and invitations begin with it."
    )
    trusted_proxies: Words = Field(
        (), description="Addresses or networks whose X-Forwarded-For is believed. Empty: none is."
    )
    cors_origins: Words = Field(
        (), description="Origins whose scripts may call the API. Empty: none. `*` is refused in production."
    )
    # ── the platform's database ───────────────────────────────────────────────────────────────────────────────────
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL URL of the application's role, which owns nothing. None: SQLite in data_dir."
    )
    database_admin_url: SecretStr | None = Field(
        None,
        description="PostgreSQL URL of the owner, for migrations, retention, deletion of a tenant. None: database_url.",
    )
    database_pool_size: int = Field(10, ge=1, le=100, description="Connections kept to the platform's PostgreSQL.")
    # ── keys ──────────────────────────────────────────────────────────────────────────────────────────────────────
    vault_key_file: Path | None = Field(
        None,
        description="File of the master keys that wrap the tenants' keys, newest first. None: data_dir/keys/vault.keys.",
    )
    vault_keys: SecretStr | None = Field(
        None, description="The master keys themselves, newest first, instead of vault_key_file. None: the file."
    )
    signing_key_file: Path | None = Field(
        None, description="File of the keys that sign access tokens, newest first. None: data_dir/keys/signing.keys."
    )
    # ── people and tokens ─────────────────────────────────────────────────────────────────────────────────────────
    registration: Literal["open", "closed"] = Field(
        "open", description="open: anybody may create a tenant. closed: only `datapilot tenant create` does."
    )
    access_token_minutes: int = Field(30, ge=1, le=120, description="Life of an access token.")
    refresh_token_days: int = Field(7, ge=1, le=60, description="Life of a refresh token.")
    notebook_token_minutes: int = Field(10, ge=1, le=60, description="Life of the token that a hub token is exchanged for.")
    invitation_days: int = Field(7, ge=1, le=60, description="Life of an invitation's link.")
    password_reset_minutes: int = Field(60, ge=5, le=1440, description="Life of a password reset's link.")
    login_attempts: int = Field(5, ge=1, le=100, description="Wrong passwords for one account before it waits.")
    login_attempts_per_address: int = Field(
        30, ge=1, le=10_000, description="Wrong passwords from one address before it waits."
    )
    login_wait_seconds: int = Field(300, ge=1, le=86_400, description="How long an account or an address then waits.")
    # ── the hub ───────────────────────────────────────────────────────────────────────────────────────────────────
    hub_api_url: str | None = Field(
        None, description="JupyterHub's API (`http://hub:8081/hub/api`). None: no exchange of hub tokens."
    )
    hub_api_token: SecretStr | None = Field(None, description="This service's own token at the hub.")
    hub_service: str = Field(
        "datapilot",
        description="This service's name at the hub: a hub token must have the scope `access:services!service=NAME`.",
    )
    hub_cache_seconds: int = Field(
        60, ge=0, le=600, description="How long a verified hub token is believed. 0: asked every time."
    )
    hub_public_url: str | None = Field(
        None,
        description="How browsers reach the hub (`https://datapilot.example/hub/`): people then sign in to the pages by it. "
        "None: the pages have a sign-in form of their own. Needs hub_api_url and hub_api_token.",
    )
    hub_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="Key that the hub's authenticator shows, 32 characters or more; the same at the hub. None: no such hub.",
    )
    hub_tidy_seconds: int = Field(
        60,
        ge=1,
        le=3600,
        description="How often the hub is looked through for people who are gone, besides at once when they go.",
    )
    company_sign_in: tuple[CompanyRule, ...] = Field(
        (),
        description="JSON list of which company's sign-in opens which tenant: `issuer`, `tenant` (id), `domain` of the "
        "address and/or `claim` and `value`, `new_role` (none: only who is known or invited), `trust_email`. "
        "The first that fits holds.",
    )
    page_session_hours: int = Field(12, ge=1, le=168, description="Life of a browser's session on the pages.")
    # ── mail ──────────────────────────────────────────────────────────────────────────────────────────────────────
    smtp_host: str | None = Field(
        None, description="Mail server. None: links are shown to the administrator instead of sent."
    )
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_user: str | None = Field(None, description="Its account. None: no sign-in.")
    smtp_password: SecretStr | None = Field(None, description="The account's password.")
    smtp_from: str = Field("DataPilot <noreply@localhost>", description="Sender of the mails.")
    smtp_security: Literal["starttls", "tls", "none"] = Field("starttls", description="How the mail server is spoken to.")
    # ── tenants' sources ──────────────────────────────────────────────────────────────────────────────────────────
    source_networks_allowed: Words = Field(
        (),
        description="Networks (CIDR) or host names, with an optional :port, of sources that are not on the public internet.",
    )
    own_services: Words = Field(
        (), description="host:port of the platform's other services (hub, proxy), which no source may name."
    )
    upload_max_bytes: int = Field(200 * _MIB, ge=1, description="Largest uploaded file.")
    tenant_storage_bytes: int = Field(
        5 * 1024 * _MIB, ge=1, description="Files kept per tenant, unless its quota says otherwise."
    )
    # ── questions ─────────────────────────────────────────────────────────────────────────────────────────────────
    parallel_queries: int = Field(8, ge=1, le=256, description="Queries of all tenants running at once.")
    tenant_parallel_queries: int = Field(
        4, ge=1, le=256, description="Queries of one tenant running at once; its quota may say less."
    )
    parallel_frames: int = Field(
        4, ge=1, le=64, description="Whole results being read at once, besides the queries; one tenant has at most half."
    )
    queue_per_tenant: int = Field(100, ge=1, le=10_000, description="Queries of one tenant waiting; more are refused (429).")
    queries_per_day: int = Field(5_000, ge=0, description="Queries of one tenant a day. 0: no limit.")
    database_seconds_per_day: int = Field(
        36_000, ge=0, description="Seconds of its databases one tenant uses a day. 0: no limit."
    )
    model_euros_per_month: int = Field(
        50, ge=0, description="What one tenant may spend on the language model a month. 0: nothing."
    )
    person_model_euros_per_month: int = Field(
        0, ge=0, description="Of that, what one person may spend a month. 0: as much as the tenant."
    )
    query_timeout_ms: int = Field(30_000, ge=100, description="Time limit of one statement.")
    result_max_rows: int = Field(10_000, ge=1, description="Rows of an answer.")
    frame_max_rows: int = Field(5_000_000, ge=1, description="Rows of a whole result fetched as a data frame or a file.")
    frame_timeout_ms: int = Field(300_000, ge=100, description="Time limit of the statement of such a fetch.")
    result_cache_bytes: int = Field(256 * _MIB, ge=0, description="Memory of the cache of results. 0: no cache.")
    result_cache_seconds: int = Field(300, ge=0, description="How long a result is answered from the cache. 0: never.")
    result_store_bytes: int = Field(
        512 * _MIB, ge=0, description="Disk for one tenant's results that can be fetched again; the oldest go first."
    )
    engines_kept: int = Field(
        64,
        ge=1,
        le=10_000,
        description="Prepared engines (values, layer, guard) kept, one for each source and set of rights.",
    )
    result_keep_minutes: int = Field(60, ge=1, description="How long a result can be fetched again by its URL.")
    # ── renderings of dashboards ──────────────────────────────────────────────────────────────────────────────────
    rendering_minutes: int = Field(10, ge=1, le=60, description="Longest a rendering may take; its page is kept as long.")
    rendering_cell_seconds: int = Field(120, ge=1, le=3600, description="Longest one cell of it may take.")
    tenant_parallel_renderings: int = Field(2, ge=1, le=64, description="Renderings of one tenant under way at once.")
    interactive_dashboards_per_tenant: int = Field(
        4, ge=1, le=64, description="Interactive dashboards of one tenant open at once, each with a kernel of its own."
    )
    interactive_idle_minutes: int = Field(
        10, ge=1, le=720, description="How long one stays open while nobody moves anything in it."
    )
    # ── dashboards rendered ahead ─────────────────────────────────────────────────────────────────────────────────
    parallel_refreshes: int = Field(
        2,
        ge=0,
        le=32,
        description="Dashboards' pages made ahead at once, one of a tenant. 0: none is, and readers wait for each tile.",
    )
    refresh_rights_ahead: int = Field(
        50,
        ge=1,
        le=1000,
        description="Distinct rights of a dashboard's readers that its page is made for ahead, those of the most people "
        "first; for the others it is made when the first of them opens it.",
    )
    snapshot_max_bytes: int = Field(16 * _MIB, ge=1024, description="Largest page with its tiles that is kept.")
    tenant_snapshot_bytes: int = Field(
        512 * _MIB, ge=1024, description="Pages made ahead that are kept of one tenant, as stored; the oldest go first."
    )
    snapshot_retention_days: int = Field(90, ge=1, description="How long a page that was not made again is kept.")
    # ── the language model ────────────────────────────────────────────────────────────────────────────────────────
    model_key: SecretStr | None = Field(None, description="Key of the language model. None: the local engine alone.")
    model_base_url: str | None = Field(None, description="Its address. None: the provider's own.")
    model_name: str | None = Field(None, description="Which model. None: the engine's default.")
    # ── records ───────────────────────────────────────────────────────────────────────────────────────────────────
    audit_retention_days: int = Field(365, ge=1, description="How long the audit is kept.")
    history_retention_days: int = Field(180, ge=1, description="How long questions and conversations are kept.")
    # ── operations ────────────────────────────────────────────────────────────────────────────────────────────────
    body_max_bytes: int = Field(2 * _MIB, ge=1024, description="Largest body of a request that is not an upload.")
    request_timeout_seconds: int = Field(330, ge=1, description="Longest a request may take, streams included.")
    shutdown_grace_seconds: int = Field(
        20, ge=0, description="How long running queries may finish at a stop; then they are cancelled."
    )
    metrics_token: SecretStr | None = Field(None, description="Bearer token of /metrics. None: loopback only.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_format: Literal["json", "console"] = Field("json", description="json: a line of JSON each. console: for a terminal.")
    ca_bundle_file: Path | None = Field(
        None,
        description="PEM file of a company's own authorities, for outgoing HTTPS and mail, besides the system's.",
    )

    def resolved_vault_key_file(self) -> Path:
        """Return where the vault's master keys are."""
        return self.vault_key_file or self.data_dir / "keys" / "vault.keys"

    def resolved_signing_key_file(self) -> Path:
        """Return where the signing keys are."""
        return self.signing_key_file or self.data_dir / "keys" / "signing.keys"

    def resolved_database_url(self) -> str:
        """Return the database's URL. Holds a password: never to be logged."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'platform.sqlite3').resolve()}"


def load_settings(**given: Any) -> Settings:
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
        return Settings(_secrets_dir=folder if folder.is_dir() else None, **given)
    except ValidationError as error:
        names = ", ".join(sorted({f"DATAPILOT_{str(e['loc'][0]).upper()}" for e in error.errors() if e["loc"]}))
        raise BadInput("hub.bad_settings", names=names) from None
