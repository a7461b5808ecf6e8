"""What a browser sees of the platform: server-rendered pages over the same managers, in the browser's own signed-in session.

::

    table      every page: method, path, permission or why it needs none; the tests enumerate it
    serving    one request: who is in the session, may they, is the form ours; and every error as a page
    cookies    names and flags of the cookies
    forms      against forged requests: the form's token, and where the browser says it comes from
    door       signing in (by the hub, or by an own form where there is none) and out
    links      what stands in mails: an invitation, a new password
    home       where one lands, by role
    account    one's own name, password, sessions
    dashboards a published dashboard, its tiles one by one, their files; tiles: what a tile shows
    team       people, what their attributes open; inviting: invitations; corners: workspaces and their members
    spend      quotas, what is used and cost, the language model on or off
    journal    the record in words, and as a file
    approvals  what waits for an administrator's word: verified questions examined and tried, publication requests
    organisation  name and mark, export, deletion
    given      what a browser gave, made into what managers take
    rendering  templates, their headers, the style

A page works without script. Two have one: the page of a mailed link moves its secret from behind the ``#`` into the form;
a dashboard's fetches its tiles (without it the page says what is on it, and gives the files).
Nothing is fetched from elsewhere. Texts come from the catalogues (``pages.toml``), in the browser's language.

Rejected: a single-page application over the API's tokens (a token within reach of scripts, and a second set of permissions).
What remains: where the hub has no subdomains, notebooks share this origin, and a notebook's script can act in the session of
whoever opens it. The operator's guide says so; ``docs/settings.md``: ``DATAPILOT_HUB_SUBDOMAIN_HOST``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hub_config.platform import Platform
    from hub_config.settings import Settings


def install(app: FastAPI, settings: Settings, platform: Platform) -> None:
    """Add the pages to the application, after the API's routes."""
    from hub_config.pages import serving
    from hub_config.pages.table import TABLE

    serving.install(app, settings, platform, TABLE)
