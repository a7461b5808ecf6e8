"""One's own account: name, password, open sessions."""

from __future__ import annotations

import re

from starlette.responses import Response

from datapilot_kernel.errors import BadInput
from datapilot_kernel.messages import text
from hub_config.database import ScopedSession, Tenant, User
from hub_config.errors import NotFound, PlatformUnavailable, status_of
from hub_config.pages.door import entered
from hub_config.pages.serving import Visit, run
from hub_config.people.page_sessions import PageSession

_ID = re.compile("[0-9a-f]{32}")
_DONE = ("name", "password", "session")


async def account(visit: Visit) -> Response:
    """Show it."""
    done = visit.request.query_params.get("done", "")
    return await _shown(visit, done=text(f"pages.account.done_{done}") if done in _DONE else None)


async def rename(visit: Visit) -> Response:
    """Change one's name."""
    full_name = " ".join(visit.form.get("full_name", "").split())[:200]
    if not full_name or not full_name.isprintable():
        return await _shown(visit, status=422, name_problem=text("pages.name_missing"))
    await run(visit.platform.people.accounts.rename_self, visit.person.principal, full_name)
    return visit.go("/account?done=name")


async def change_password(visit: Visit) -> Response:
    """Change one's password: every other session ends, and this one goes on under another secret."""
    people, label = visit.platform.people, visit.label

    def begin(session: ScopedSession, user: User, tenant: Tenant) -> PageSession:
        return people.page_sessions.begin(session, user, label=label)

    try:
        begun = await people.work.run(
            people.accounts.new_password,
            begin,
            visit.person.principal,
            current=visit.form.get("current", "")[:1024],
            new=visit.form.get("new", "")[:1024],
        )
    except PlatformUnavailable:
        raise
    except BadInput as error:
        return await _shown(visit, status=status_of(error), password_problem=error.message)
    return await entered(visit, begun, "/account?done=password")


async def end_session(visit: Visit) -> Response:
    """End one of one's sessions, perhaps this one."""
    session_id = visit.form.get("session_id", "")
    if _ID.fullmatch(session_id) is None:
        raise NotFound(log="malformed session id")
    await run(visit.platform.people.sessions.end_one, visit.person.principal, session_id)
    return visit.go("/account?done=session")


async def end_sessions(visit: Visit) -> Response:
    """End all of them, this one and the notebooks' tokens too."""
    await run(visit.platform.people.sessions.end_all, visit.person.principal)
    return visit.go("/sign-out")


async def _shown(
    visit: Visit,
    *,
    status: int = 200,
    done: str | None = None,
    name_problem: str | None = None,
    password_problem: str | None = None,
) -> Response:
    sessions = await run(visit.platform.people.sessions.list, visit.person.principal)
    return visit.page(
        "account.html",
        status=status,
        current="account",
        sessions=sessions,
        done=done,
        name_problem=name_problem,
        password_problem=password_problem,
    )
