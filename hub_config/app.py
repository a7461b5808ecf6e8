"""``create_app(settings)``: the FastAPI application of the platform.

Nothing here decides anything: middleware, the error shape, and the routes of ``hub_config.api``. The tests build it with
their own settings; ``datapilot serve`` and the containers run it under uvicorn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

import anyio.to_thread
from fastapi import APIRouter, FastAPI

from datapilot_kernel import __version__
from hub_config.api import errors
from hub_config.api.routing import PREFIX
from hub_config.operations.base_path import BasePath, base_of
from hub_config.platform import Platform
from hub_config.settings import Settings


def create_app(settings: Settings, *, platform: Platform | None = None) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    platform
        None: built from the settings. Its life is the application's: started and stopped with it.
    """
    the_platform = platform or Platform.build(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Routes that touch the platform's database run in threads; questions have their own, behind the scheduler.
        anyio.to_thread.current_default_thread_limiter().total_tokens = 64
        await anyio.to_thread.run_sync(the_platform.start)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(the_platform.stop)

    app = FastAPI(
        title="DataPilot",
        version=__version__,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        # Nothing leaves the machine, whatever the environment says.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        redirect_slashes=False,
    )
    app.state.platform = the_platform
    app.state.settings = settings
    errors.install(app)
    for router in _routers():
        # Here and not on the application, whose own limit would answer outside of our middleware. A route may say more.
        app.include_router(router, max_body_size=settings.body_max_bytes)
    from hub_config import pages
    from hub_config.operations import middleware

    pages.install(app, settings, the_platform)
    middleware.install(app, settings)
    app.add_middleware(BasePath, base=base_of(settings.public_url))
    return app


_ROUTES = (
    "operations",
    "auth",
    "hub",
    "users",
    "data_sources",
    "semantic_layers",
    "workspaces",
    "dashboards",
    "rendering",
    "interactive",
    "verified",
    "audit",
    "tenant",
    "ai",
    "queries",
    "conversations",
)
"""The modules of ``hub_config.api`` that hold routes, in the order of the description."""


def _routers() -> list[APIRouter]:
    modules = [import_module(f"hub_config.api.{name}") for name in _ROUTES]
    return [module.routes.router for module in modules]
