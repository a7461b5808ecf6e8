"""What one request may take of the hub's own server: :class:`BoundedServer` in the place of tornado's.

Tornado keeps a whole body in memory before anybody has looked at who sends it, by default a hundred megabytes for as long as
it takes. The hub is asked with forms and small JSON alone, by anybody, and by notebooks' containers past the web server: a
few such bodies would be all of its memory. JupyterHub has no setting for it; its server is made from the name that
:func:`bound_requests` gives another meaning to, in the hub's process alone.

What remains: how many connections there are is not bounded here.
"""

from __future__ import annotations

from typing import Any

import tornado.httpserver

LARGEST_BODY = 1024 * 1024
BODY_S = 60
IDLE_S = 120
"""How long a connection may say nothing: longer than a proxy before us keeps it (traefik: 90 s)."""


class BoundedServer(tornado.httpserver.HTTPServer):
    """An HTTP server for small requests. A body that is announced or grows larger is answered 400 or cut off."""

    def initialize(self, *given: Any, **options: Any) -> None:
        """Take tornado's own options."""
        bounds = {"max_body_size": LARGEST_BODY, "body_timeout": BODY_S, "idle_connection_timeout": IDLE_S}
        super().initialize(*given, **(bounds | options))


def bound_requests() -> None:
    """Have the hub, which is about to start in this process, serve with it."""
    tornado.httpserver.HTTPServer = BoundedServer  # type: ignore[misc]  # the name that JupyterHub makes its server from
