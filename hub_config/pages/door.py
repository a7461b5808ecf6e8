"""Signing in and out.

With a hub (``DATAPILOT_HUB_PUBLIC_URL``): its OAuth, authorization code with PKCE. The state and the verifier stand in a
cookie of this browser: a code that was meant for another browser signs nobody in here. The hub says a name, and the name is
the person (:mod:`hub_config.hub_names`); what they may do is read here. Only a browser that is signed in to the hub gets a
code: the token of a notebook's server does not (the hub's authorize page takes its own cookie and nothing else; a test with
a real hub holds it to that).

Without a hub: an own form, with the limits of every sign-in. Where the password is right in several tenants the person
chooses; the password comes back sealed for two minutes, so that it need not be typed twice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import re
import secrets
from functools import cache
from urllib.parse import quote, unquote, urlencode

from cryptography.fernet import Fernet, InvalidToken
from starlette.responses import RedirectResponse, Response

from datapilot_kernel.errors import BadInput
from hub_config.database import ScopedSession, Tenant, User
from hub_config.errors import NotFound, TooMany, Unauthenticated, status_of
from hub_config.hub_names import person_of
from hub_config.pages.cookies import OAUTH_SECONDS, given
from hub_config.pages.forms import safe_next
from hub_config.pages.serving import Visit, run
from hub_config.people.page_sessions import PageSession
from hub_config.people.problems import ChooseTenant

log = logging.getLogger(__name__)

_SEALED_SECONDS = 120
_CODE = re.compile(r"[\x21-\x7e]{16,512}")


@cache
def _seal() -> Fernet:
    """Return the key that seals a password between two forms: this process's, for as long as it lives."""
    return Fernet(Fernet.generate_key())


def _sealed(visit: Visit, password: str) -> str:
    return _seal().encrypt(json.dumps([visit.secret, password]).encode()).decode()


def _unsealed(visit: Visit, sealed: str) -> str | None:
    """Return the password; None: not sealed here, for another browser, or too long ago."""
    try:
        secret, password = json.loads(_seal().decrypt(sealed.encode(), ttl=_SEALED_SECONDS))
    except (InvalidToken, ValueError):
        return None
    return password if secret == visit.secret and isinstance(password, str) else None


# ── in ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def sign_in(visit: Visit) -> Response:
    """Show the form, or go to the hub's."""
    wanted = safe_next(visit.request.query_params.get("next", "/"))
    if visit.visitor is not None:
        return visit.go(wanted)
    if visit.pages.render.hub is not None:
        return _to_the_hub(visit, wanted)
    return visit.page("sign_in.html", next=wanted, email="", problem=None, tenants=None, sealed="")


async def sign_in_by_form(visit: Visit) -> Response:
    """Verify an address and a password, where there is no hub to do it."""
    if visit.pages.render.hub is not None:
        raise NotFound(log="the own form, where there is a hub")
    wanted, email = safe_next(visit.form.get("next", "/")), visit.form.get("email", "")[:320]
    sealed = visit.form.get("sealed", "")
    password = visit.form.get("password", "") or (_unsealed(visit, sealed) if sealed else None)
    tenant_id = visit.form.get("tenant_id") or None
    if not password:
        return visit.page("sign_in.html", next=wanted, email=email, problem=None, tenants=None, sealed="")
    page_sessions, label = visit.platform.people.page_sessions, visit.label

    def begin(session: ScopedSession, user: User, tenant: Tenant) -> PageSession:
        return page_sessions.begin(session, user, label=label)

    try:
        begun = await visit.platform.people.work.run(
            visit.platform.people.signing_in.begin,
            begin,
            email=email,
            password=password[:1024],
            tenant_id=tenant_id,
            client=visit.client,
        )
    except ChooseTenant as choice:
        tenants: list[dict[str, str]] = choice.details["tenants"]
        sealed = _sealed(visit, password)
        return visit.page("sign_in.html", next=wanted, email=email, problem=None, tenants=tenants, sealed=sealed)
    except (Unauthenticated, TooMany, BadInput) as error:
        answer = visit.page(
            "sign_in.html", status=status_of(error), next=wanted, email=email, problem=error.message, tenants=None, sealed=""
        )
        if isinstance(error, TooMany) and error.retry_after_s is not None:
            answer.headers["Retry-After"] = str(error.retry_after_s)
        return answer
    return await entered(visit, begun, wanted)


async def entered(visit: Visit, begun: PageSession, wanted: str = "/") -> Response:
    """Put a session that has just begun into the browser, and go on. One that it had before ends."""
    cookies = visit.pages.cookies
    before = given(visit.request, cookies.session)
    if before:
        await run(visit.platform.people.page_sessions.end, before)
    response = visit.go(wanted)
    cookies.put(response, cookies.session, begun.text, seconds=begun.seconds)
    cookies.drop(response, cookies.door)
    return response


# ── by the hub ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _to_the_hub(visit: Visit, wanted: str) -> Response:
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code",
        "client_id": f"service-{visit.pages.settings.hub_service}",
        "redirect_uri": _callback_url(visit),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    response = RedirectResponse(f"{visit.pages.render.hub}/api/oauth2/authorize?{urlencode(asked)}", 303)
    kept = f"{state}.{verifier}.{quote(wanted, safe='')}"
    visit.pages.cookies.put(response, visit.pages.cookies.oauth(state), kept, seconds=OAUTH_SECONDS)
    return response


async def callback(visit: Visit) -> Response:
    """Take the browser back from the hub."""
    if visit.pages.render.hub is None:
        raise NotFound(log="a callback without a hub")
    said = visit.request.query_params
    state, code = said.get("state", ""), said.get("code", "")
    name = visit.pages.cookies.oauth(state)
    kept, _, rest = given(visit.request, name).partition(".")
    verifier, _, wanted = rest.partition(".")
    if not kept or not hmac.compare_digest(kept.encode(), state.encode()):
        # Another browser's sign-in, an old one, or somebody else's idea.
        return visit.page("sign_in_again.html", status=403)
    if _CODE.fullmatch(code) is None:
        # Refused at the hub, or none of its codes: what its database cannot even look for would read as « the hub is away ».
        answer = visit.page("sign_in_again.html", status=403)
        visit.pages.cookies.drop(answer, name)
        return answer
    try:
        begun = await _begun_by_hub(visit, code, verifier)
    except Unauthenticated as error:
        log.info("sign-in by the hub refused: %s", error.log)
        answer = visit.page("sign_in_again.html", status=401)
        visit.pages.cookies.drop(answer, name)
        return answer
    response = await entered(visit, begun, safe_next(unquote(wanted)))
    visit.pages.cookies.drop(response, name)
    return response


async def _begun_by_hub(visit: Visit, code: str, verifier: str) -> PageSession:
    people = visit.platform.people
    name = await people.outside.run(people.hub.name_behind_code, code, verifier=verifier, redirect_uri=_callback_url(visit))
    person = person_of(name)
    if person is None:
        raise Unauthenticated(log="none of ours")
    begun: PageSession = await run(people.page_sessions.begin_by_hub, *person, label=visit.label)
    return begun


def _callback_url(visit: Visit) -> str:
    return f"{visit.pages.settings.public_url.rstrip('/')}/oauth_callback"


# ── out ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def sign_out(visit: Visit) -> Response:
    """End the session, here and then at the hub."""
    hub = visit.pages.render.hub
    return await _left(visit, RedirectResponse(f"{hub}/logout", 303) if hub is not None else visit.go("/sign-out"))


async def signed_out(visit: Visit) -> Response:
    """End the session of a browser that the hub's own sign-out sends here, and say that one is out.

    A link on another site does not sign anybody out: it gets a button to press.
    """
    if visit.visitor is not None and visit.request.headers.get("sec-fetch-site") not in ("same-origin", "same-site", "none"):
        return visit.page("signed_out.html", asked=True)
    visit.visitor = None
    return await _left(visit, visit.page("signed_out.html", asked=False))


async def _left(visit: Visit, response: Response) -> Response:
    cookies = visit.pages.cookies
    session = given(visit.request, cookies.session)
    if session:
        await run(visit.platform.people.page_sessions.end, session)
    cookies.drop(response, cookies.session)
    return response
