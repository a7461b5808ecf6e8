"""The mail server: it answers, encrypted, and takes the account. No mail is sent."""

from __future__ import annotations

from collections.abc import Iterator

from hub_config.doctor import Finding, Installation, ok, problem, warning
from hub_config.people.mail import Mailer
from hub_config.people.problems import MailProblem

# What the log of a MailProblem names, and what it means.
_WHY = {
    "SSLCertVerificationError": "mail_certificate",
    "SSLError": "mail_certificate",
    "SMTPAuthenticationError": "mail_account",
    "SMTPNotSupportedError": "mail_plain",
}


def look(installation: Installation) -> Iterator[Finding]:
    """Look at the mail server."""
    settings = installation.settings
    if settings.smtp_host is None:
        yield warning("mail", "mail_none")
        return
    values = {"host": settings.smtp_host, "port": settings.smtp_port}
    try:
        Mailer(settings).probe()
    except MailProblem as error:
        named = next((key for word, key in _WHY.items() if word in error.log), "mail_away")
        yield problem("mail", named, **values)
        return
    yield ok("mail", "mail", **values)
    if settings.smtp_security == "none":
        yield warning("mail_tls", "mail_unencrypted", **values)
    if "localhost" in settings.smtp_from:
        yield warning("mail_sender", "mail_sender", sender=settings.smtp_from)
