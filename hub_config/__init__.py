"""The platform, privileged: the one service that owns tenants, people, secrets, the road to the data and its record.

Rooms::

    settings      every setting, documented; checks before start
    database      models, scoped sessions, migrations in process
    vault         keys, encryption of connections
    people        accounts, tokens, invitations, the hub's tokens
    data_sources  connections and the wall of networks, uploads, catalogs, layers
    queries       QueryService: rights, quota, fairness, cache, cancel, audit
    content       workspaces, dashboards, verified questions
    operations    logs, metrics, health, limits and headers
    api           the routes: they translate HTTP and hold no logic
    pages         what a browser sees: the session in a cookie, and server-rendered pages over the same managers
    face          the product's look: logo and style sheet, shared with the hub's pages
    app           create_app(settings)
    doctor        what of a server's installation is right, what is not, what to do
    company       which company's sign-in opens which tenant: the operator's rules
    hub_names     a person's name at the hub: what the hub's process and this one share

Managers hold the logic and know nothing of HTTP; a route parses, calls one manager, and shapes what comes back. Nothing here
reads the environment, the network or the clock at import. ``datapilot_kernel`` never imports this package.
"""

from __future__ import annotations

from datapilot_kernel.messages import register_catalogues

register_catalogues("hub_config")
