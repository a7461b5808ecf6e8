"""Run the application under uvicorn: one process, announced once it is ready, drained when it is told to stop.

Told to stop (SIGTERM, SIGINT): no new connection is taken and ``/readyz`` says no; queries under way have the grace to
finish. Then they are cancelled, at the source too, and whoever waits for one is told with a 503; only what does not end by
that is cut a little later. The exit code of a stop that was asked for is 0. A second SIGINT does not wait.
"""

from __future__ import annotations

import gc
import signal
import socket
import sys
import threading
from collections.abc import Callable

import uvicorn

from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import text
from hub_config.app import create_app
from hub_config.database import migrate, problems
from hub_config.operations.heads import BoundedHead
from hub_config.platform import Platform
from hub_config.settings import Settings

_TO_ANSWER_S = 5
"""For the answers of what was cancelled at the end of the grace."""
_SWITCH_S = 0.001
"""How long a thread that computes keeps the interpreter when another wants it (Python's own: five times that). A request
changes threads, and waits for sockets, a dozen times: each time it is behind whatever computes."""
_COLLECT_AFTER = (10_000, 20, 50)
"""New objects before Python looks for cycles among them (its own: 700, 10, 10). A look at all there are stops every request;
the modules' own, which are most of them and never go, are left out of it."""


def serve(settings: Settings, *, host: str, port: int, announce: Callable[[str], None]) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code.

    Parameters
    ----------
    port
        0: a free one.
    announce
        Called once with ``http://host:port``, when requests are answered.

    Raises
    ------
    BadInput
        The address cannot be taken, or (production) the database's role is more than it must be.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    url, admin = settings.resolved_database_url(), settings.database_admin_url
    if admin is None:
        migrate(url)
    else:
        migrate(admin.get_secret_value(), application_url=url)
    _refuse_too_mighty(settings, url)
    sys.setswitchinterval(_SWITCH_S)
    platform = Platform.build(settings)
    listening = _listen(host, port)
    config = uvicorn.Config(
        create_app(settings, platform=platform),
        http=BoundedHead,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=settings.shutdown_grace_seconds + _TO_ANSWER_S,
        timeout_keep_alive=65,
    )
    bound_host, bound_port = listening.getsockname()[:2]
    shown = f"[{bound_host}]" if ":" in bound_host else bound_host
    platform.sources.wall.add_own(f"{shown}:{bound_port}")
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            # uvicorn has handlers of its own while it runs, and raises what it caught once more for those of before.
            signal.signal(number, _nothing_more)
    _Server(config, lambda: announce(f"http://{shown}:{bound_port}"), platform).run(sockets=[listening])
    return 0


def _refuse_too_mighty(settings: Settings, url: str) -> None:
    """Refuse to serve in production with a database role that row-level security does not hold.

    Raises
    ------
    BadInput
        The application's role is more than it must be; says in what.
    """
    if settings.mode == "production" and (found := problems(url)):
        raise BadInput("operations.role_too_mighty", problems=", ".join(text(f"operations.role.{name}") for name in found))


def _nothing_more(*_: object) -> None:
    """Stopped as it was told to: the process ends by itself, with 0."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None], platform: Platform) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._platform = platform

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets=sockets)
        if self.started:
            gc.collect()
            gc.freeze()
            gc.set_threshold(*_COLLECT_AFTER)
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that no more questions are taken, then let what runs finish."""
        self._platform.begin_stopping()
        # Beside the server's own waiting: what is cancelled at the end of the grace is still answered.
        threading.Thread(target=self._platform.drain, name="drain", daemon=True).start()
        await super().shutdown(sockets=sockets)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Asyncio turns Nagle off (40 ms an answer) only for sockets that say they are TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise BadInput("operations.address_taken", address=f"{host}:{port}") from error
    return listening
