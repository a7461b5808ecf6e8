"""The links that people get, and the mails that bring them."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from datapilot_kernel.messages import text
from hub_config.people.ground import Ground
from hub_config.people.problems import MailProblem
from hub_config.people.secrets import Secret

log = logging.getLogger(__name__)

Page = Literal["invitation", "password"]


def shown_moment(moment: datetime) -> str:
    """Return a moment as it is shown in a mail, in Paris.

    >>> from datetime import UTC
    >>> shown_moment(datetime(2026, 7, 1, 16, 5, tzinfo=UTC))
    '01/07/2026 18:05'
    """
    return f"{moment.astimezone(ZoneInfo('Europe/Paris')):%d/%m/%Y %H:%M}"


class Letters:
    """Writes links and mails."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def link(self, page: Page, secret: Secret) -> str:
        """Return the link; the secret stands behind ``#``, which no browser sends to a server."""
        return f"{self._ground.settings.public_url.rstrip('/')}/{page}#{secret.text}"

    def invite(self, email: str, tenant_name: str, url: str, expires_at: datetime) -> bool:
        """Send an invitation; False: it was not sent (no mail server, or it does not take it)."""
        return self._send("people.mail.invitation", email, tenant_name, url, expires_at)

    def password(self, email: str, tenant_name: str, url: str, expires_at: datetime) -> bool:
        """Send a password link; False: it was not sent."""
        return self._send("people.mail.password", email, tenant_name, url, expires_at)

    def _send(self, key: str, email: str, tenant_name: str, url: str, expires_at: datetime) -> bool:
        if not self._ground.mailer.configured:
            return False
        # A tenant's name is what somebody typed: on one line, and not long, it cannot pass for the mail's own text.
        name = " ".join(tenant_name.split())[:80]
        body = text(f"{key}_body", tenant=name, link=url, until=shown_moment(expires_at))
        try:
            self._ground.mailer.send(to=email, subject=text(f"{key}_subject", tenant=name), body=body)
        except MailProblem as problem:
            log.warning("%s", problem.log)
            return False
        return True
