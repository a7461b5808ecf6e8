"""What can go wrong with people, each with its words; the statuses are those of :mod:`hub_config.errors`."""

from __future__ import annotations

from typing import Any

from datapilot_kernel.errors import BadInput
from hub_config.errors import Conflict, NotFound, Unauthenticated


class WrongCredentials(Unauthenticated):
    """Address or password wrong, account disabled, no such account: always these words."""

    def __init__(self, *, log: str | None = None) -> None:
        BadInput.__init__(self, "people.wrong_credentials", log=log)


class ChooseTenant(Conflict):
    """The password is right in several tenants: which one?

    Attributes
    ----------
    details
        ``{"tenants": [{"id", "name"}]}``, only those where the password was right.
    """

    def __init__(self, tenants: list[dict[str, str]]) -> None:
        super().__init__("people.choose_tenant", log=f"{len(tenants)} tenants fit")
        self.details: dict[str, Any] = {"tenants": tenants}


class LinkInvalid(NotFound):
    """A link that is unknown, expired, used or revoked: nobody can tell which."""

    def __init__(self, *, log: str | None = None) -> None:
        super(NotFound, self).__init__("people.link_invalid", log=log)


class MailProblem(BadInput):
    """The mail server is away or refuses. Never leaves this package but as « not sent »."""

    def __init__(self, *, log: str) -> None:
        super().__init__("people.mail_not_sent", log=log)
