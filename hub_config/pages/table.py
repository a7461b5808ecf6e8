"""Every page. The tests enumerate this table: role by role, without a session, with foreign forms."""

from __future__ import annotations

from hub_config.pages import (
    account,
    approvals,
    connect,
    corners,
    dashboards,
    door,
    home,
    interactive,
    inviting,
    journal,
    layers,
    links,
    organisation,
    publications,
    spend,
    static,
    team,
)
from hub_config.pages.serving import Page

_BOARD = "/tableaux/{dashboard_id}"

TABLE: tuple[Page, ...] = (
    Page("GET", "/", "account.read", home.home),
    Page("GET", "/sign-in", None, door.sign_in, why="opens a session"),
    Page("POST", "/sign-in", None, door.sign_in_by_form, why="opens a session"),
    Page("GET", "/oauth_callback", None, door.callback, why="the hub's code and this browser's state are the credential"),
    Page("GET", "/sign-out", None, door.signed_out, why="ends the session, if there is one"),
    Page("POST", "/sign-out", None, door.sign_out, why="ends the session, if there is one"),
    Page("GET", "/invitation", None, links.invitation, why="the link's token is the credential"),
    Page("POST", "/invitation", None, links.show_invitation, why="the link's token is the credential"),
    Page("POST", "/invitation/accept", None, links.accept, why="the link's token is the credential"),
    Page("GET", "/password", None, links.password, why="the link's token is the credential"),
    Page("POST", "/password", None, links.show_password, why="the link's token is the credential"),
    Page("POST", "/password/reset", None, links.reset, why="the link's token is the credential"),
    Page("GET", "/forgotten", None, links.forgotten, why="sends a link by mail, says nothing"),
    Page("POST", "/forgotten", None, links.send_link, why="sends a link by mail, says nothing"),
    Page("GET", "/account", "account.write", account.account),
    Page("POST", "/account/name", "account.write", account.rename),
    Page("POST", "/account/password", "account.write", account.change_password),
    Page("POST", "/account/session", "account.write", account.end_session),
    Page("POST", "/account/sessions", "account.write", account.end_sessions),
    Page("GET", _BOARD, "dashboards.read", dashboards.dashboard),
    Page("GET", f"{_BOARD}/vignette", "dashboards.read", dashboards.picture),
    Page("GET", f"{_BOARD}/etat", "dashboards.read", dashboards.state, problem=dashboards.part_problem),
    Page("POST", f"{_BOARD}/tuiles/{{tile_id}}", "dashboards.read", dashboards.tile, problem=dashboards.part_problem),
    Page(
        "POST", f"{_BOARD}/tuiles/{{tile_id}}/{{kind}}", "dashboards.read", dashboards.file, problem=dashboards.file_problem
    ),
    Page("GET", "/static/{name}", None, static.static, why="the face, the charts' library"),
    *connect.PAGES,
    *layers.PAGES,
    *inviting.PAGES,
    *team.PAGES,
    *corners.PAGES,
    *spend.PAGES,
    *journal.PAGES,
    *approvals.PAGES,
    *organisation.PAGES,
    *publications.PAGES,
    *interactive.PAGES,
)
