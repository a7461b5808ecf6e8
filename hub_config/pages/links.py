"""What stands in mails: accepting an invitation, choosing a new password; and asking for such a link.

The link's secret stands behind ``#``: no browser sends it to a server, and it ends in no log. The page's one script puts it
into the form and sends that; without script the person pastes the link into a field. From there on it travels in forms.
"""

from __future__ import annotations

from starlette.responses import Response

from datapilot_kernel.errors import BadInput, DataPilotError
from datapilot_kernel.messages import text
from hub_config.database import ScopedSession, Tenant, User
from hub_config.errors import PlatformUnavailable, status_of
from hub_config.pages.door import entered
from hub_config.pages.serving import Visit, run
from hub_config.people.page_sessions import PageSession
from hub_config.people.problems import LinkInvalid


def _secret(visit: Visit) -> str:
    """Return the link's secret, whether the script sent it or somebody pasted the whole link."""
    return visit.form.get("token", "").strip().rpartition("#")[2][:1024]


async def invitation(visit: Visit) -> Response:
    """Take the secret from behind the ``#``."""
    return visit.page("link.html", kind="invitation", problem=None)


async def show_invitation(visit: Visit) -> Response:
    """Say who invites whom, and ask for a name and a password."""
    token = _secret(visit)
    try:
        found = await run(visit.platform.people.invitations.preview, token)
    except LinkInvalid as error:
        return visit.page("link.html", status=404, kind="invitation", problem=error.message)
    return visit.page("invitation.html", found=found, token=token, full_name="", problem=None)


async def accept(visit: Visit) -> Response:
    """Make the account; where there is no hub the person is signed in, else they sign in there."""
    token, full_name = _secret(visit), " ".join(visit.form.get("full_name", "").split())[:200]
    password = visit.form.get("password", "")[:1024]
    people, label = visit.platform.people, visit.label
    by_hub = visit.pages.render.hub is not None

    def begin(session: ScopedSession, user: User, tenant: Tenant) -> PageSession | None:
        return None if by_hub else people.page_sessions.begin(session, user, label=label)

    try:
        found = await run(people.invitations.preview, token)
        if not full_name or not full_name.isprintable():
            raise BadInput("pages.name_missing")
        begun = await people.work.run(people.invitations.begin, begin, token, full_name=full_name, password=password)
    except LinkInvalid as error:
        return visit.page("link.html", status=404, kind="invitation", problem=error.message)
    except PlatformUnavailable:
        raise
    except BadInput as error:
        return visit.page(
            "invitation.html",
            status=status_of(error),
            found=found,
            token=token,
            full_name=full_name,
            problem=error.message,
        )
    if begun is None:
        return visit.page("done.html", title=text("pages.invitation.done"), message=text("pages.invitation.done_lead"))
    return await entered(visit, begun)


async def password(visit: Visit) -> Response:
    """Take the secret from behind the ``#``."""
    return visit.page("link.html", kind="password", problem=None)


async def show_password(visit: Visit) -> Response:
    """Ask for the new password. Whether the link is good shows when it is used: looking would tell as much."""
    token = _secret(visit)
    if not token:
        return visit.page("link.html", status=404, kind="password", problem=text("people.link_invalid"))
    return visit.page("password.html", token=token, problem=None)


async def reset(visit: Visit) -> Response:
    """Set the new password."""
    token = _secret(visit)
    people = visit.platform.people
    try:
        await people.work.run(people.resets.reset, token, password=visit.form.get("password", "")[:1024])
    except LinkInvalid as error:
        return visit.page("link.html", status=404, kind="password", problem=error.message)
    except BadInput as error:
        return visit.page("password.html", status=status_of(error), token=token, problem=error.message)
    return visit.page("done.html", title=text("pages.password.done"), message=text("pages.password.done_lead"))


async def forgotten(visit: Visit) -> Response:
    """Ask for the address."""
    return visit.page("forgotten.html", problem=None)


async def send_link(visit: Visit) -> Response:
    """Send a link to whoever has this address; the answer is always the same."""
    people, email = visit.platform.people, visit.form.get("email", "")[:320]
    try:
        people.resets.count_request(visit.client)
    except DataPilotError as error:
        return visit.page("forgotten.html", status=status_of(error), problem=error.message)
    people.mailing.later(lambda: people.resets.forgotten(email))
    mails = visit.pages.settings.smtp_host is not None
    message = text("people.forgotten_by_mail" if mails else "people.forgotten_by_administrator")
    return visit.page("done.html", title=text("pages.forgotten.done"), message=message)
