"""A platform to test against: settings in a folder, a migrated database, two tenants with one person of each role.

::

    world = make_world(tmp_path)                                  # SQLite
    world = make_world(tmp_path, admin_url=owned_database(postgres))   # PostgreSQL, as the application's role
    with world:
        answer = world.client.get("/api/v1/auth/me", headers=world.headers("analyst"))
        principal = world.principal("viewer", tenant="t2", audience="notebook")

Everybody's password is :data:`PASSWORD`. Hashes are cheap and refusals quick, so that tests are; pass ``real=True`` for the real ones.
Addresses are ``role@tenant.example``. ``world.platform`` is the real :class:`hub_config.platform.Platform`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from argon2 import PasswordHasher
from fastapi import FastAPI
from starlette.testclient import TestClient

from hub_config.app import create_app
from hub_config.audit import Audit
from hub_config.database import Database, Tenant, User, email_key, migrate
from hub_config.database.base import new_id
from hub_config.operations.metrics import Metrics
from hub_config.people import People
from hub_config.principal import Audience, Principal, Role
from hub_config.settings import Settings
from tests.platform_world import application_url

PASSWORD = "quatre mots sans rapport"
ROLES: tuple[Role, ...] = ("administrator", "analyst", "viewer")
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@cache
def _hashed() -> str:
    return CHEAP.hash(PASSWORD)


def make_settings(folder: Path, *, admin_url: str | None = None, **given: Any) -> Settings:
    """Settings whose data lie in the folder; nothing of the environment but what is given."""
    values: dict[str, Any] = {"data_dir": folder / "data", "request_timeout_seconds": 60, "shutdown_grace_seconds": 1}
    values["parallel_refreshes"] = 0  # nothing is asked beside a test that does not say so
    if admin_url is not None:
        values |= {"database_url": application_url(admin_url), "database_admin_url": admin_url}
    return Settings(_secrets_dir=None, **(values | given))


@dataclass
class SomeTenant:
    """A tenant and the ids of its people, by role."""

    id: str
    slug: str
    users: dict[str, str] = field(default_factory=dict)


class World:
    """A platform, its application, a client, and two tenants."""

    def __init__(self, settings: Settings, *, real: bool = False) -> None:
        self.settings = settings
        self.platform: Any = _platform(settings, real=real)
        self.app: FastAPI = create_app(settings, platform=self.platform)
        self.client = TestClient(self.app)
        self.tenants = {name: self.add_tenant(name) for name in ("t1", "t2")}

    @property
    def database(self) -> Database:
        return self.platform.database

    @property
    def people(self) -> People:
        return self.platform.people

    def __enter__(self) -> World:
        self.client.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.client.__exit__(None, None, None)
        self.platform.people.close()
        self.platform.database.dispose()

    def add_tenant(self, name: str) -> SomeTenant:
        """A tenant with an administrator, an analyst and a viewer."""
        tenant = Tenant(id=new_id(), name=f"Maison {name}", slug=name)
        with self.database.tenant(tenant.id) as session:
            session.add(tenant)
            session.flush()
        made = SomeTenant(tenant.id, name)
        for role in ROLES:
            made.users[role] = self.add_user(made, f"{role}@{name}.example", role)
        return made

    def add_user(self, tenant: SomeTenant | str, email: str, role: Role, **values: Any) -> str:
        """One more person; return their id."""
        where = self.tenants[tenant] if isinstance(tenant, str) else tenant
        given = {"hashed_password": _hashed(), "full_name": role.title()} | values
        user = User(email=email, email_key=email_key(email), role=role, **given)
        with self.database.tenant(where.id) as session:
            session.add(user)
        return user.id

    def tenant_id(self, tenant: str = "t1") -> str:
        return self.tenants[tenant].id

    def user_id(self, role: str, tenant: str = "t1") -> str:
        return self.tenants[tenant].users[role]

    def token(self, role: str, tenant: str = "t1", audience: Audience = "session") -> str:
        """An access token of the person of that role."""
        return self.token_of(self.tenant_id(tenant), self.user_id(role, tenant), audience)

    def token_of(self, tenant_id: str, user_id: str, audience: Audience = "session") -> str:
        state = self.people.states.of(tenant_id, user_id)
        assert state is not None
        token, _ = self.people.tokens.issue(
            tenant_id=tenant_id, user_id=user_id, role=state.role, epoch=state.epoch, audience=audience
        )
        return token

    def headers(self, role: str, tenant: str = "t1", audience: Audience = "session") -> dict[str, str]:
        """The headers of a signed-in person's request."""
        return {"Authorization": f"Bearer {self.token(role, tenant, audience)}"}

    def principal(self, role: str, tenant: str = "t1", audience: Audience = "session") -> Principal:
        """What a manager is called with for that person."""
        return self.people.authenticate(self.token(role, tenant, audience))


def make_world(folder: Path, *, admin_url: str | None = None, real: bool = False, **given: Any) -> World:
    """Migrate and build. Enter it (``with world:``) to start the platform's background work and stop it again."""
    settings = make_settings(folder, admin_url=admin_url, **given)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if admin_url is None:
        migrate(settings.resolved_database_url())
    else:
        migrate(admin_url, application_url=settings.resolved_database_url())
    return World(settings, real=real)


def _platform(settings: Settings, *, real: bool) -> Any:
    from hub_config.platform import Platform

    try:
        platform: Any = Platform.build(settings)
    except ImportError:
        # While managers are being written: those there are.
        platform = _partial(settings)
    if not real:
        platform.people.close()
        platform.people = People(settings, platform.database, platform.audit, hasher=CHEAP, floor_s=0)
        platform.renderings.people = platform.people
    return platform


def _partial(settings: Settings) -> Any:
    admin = settings.database_admin_url
    database = Database(settings.resolved_database_url(), admin_url=admin.get_secret_value() if admin else None)
    audit = Audit(database)
    from hub_config.data_sources import DataSources

    sources: Any = DataSources(settings, database, None, audit)  # type: ignore[arg-type]
    return SimpleNamespace(
        sources=sources,
        settings=settings,
        metrics=Metrics(),
        database=database,
        audit=audit,
        people=People(settings, database, audit),
        start=sources.start,
        stop=sources.stop,
        begin_stopping=lambda: None,
        is_ready=database.is_current,
    )


def wait_until(condition: Any, *, seconds: float = 30.0) -> None:
    """Wait for something that happens beside the test."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.01)
