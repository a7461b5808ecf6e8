"""The hub's own process: sign-in, roles, spawner, pages. It never imports the API's managers, nor the API this.

What it knows of people it asks the API over HTTP (:mod:`hub_config.hub.platform_api`), with one shared key.
"""
