"""Tokens of the hub's services: only those of now. A key that the operator replaced must open nothing any more.

JupyterHub adds the configured token to its database at each start and forgets none.
"""

from __future__ import annotations

from typing import Any

from jupyterhub import orm


def forget_old_tokens(app: Any) -> int:
    """Delete every token of the configured services but the present one; return how many there were.

    Parameters
    ----------
    app
        JupyterHub's application, with its database open and its services read.
    """
    forgotten = 0
    for name, service in app._service_map.items():
        found = orm.Service.find(app.db, name)
        if found is None or not service.api_token:
            continue
        for token in list(found.api_tokens):
            if not token.match(service.api_token):
                app.db.delete(token)
                forgotten += 1
    app.db.commit()
    return forgotten
