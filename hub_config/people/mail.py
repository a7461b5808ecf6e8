"""Mail: the one module that speaks to a mail server.

Certificates are verified, always, against the system's authorities and the company's own; the account's password is
never sent over a connection in clear, but to this very machine. What the server answers may quote an address: only its
code is logged.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import urlsplit

from hub_config.people.problems import MailProblem
from hub_config.settings import Settings

TIMEOUT_S = 10
_LOCAL = {"127.0.0.1", "::1", "localhost"}


class Mailer:
    """Sends by the settings' mail server, if there is one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def configured(self) -> bool:
        """Tell whether mails can be sent at all."""
        return self._settings.smtp_host is not None

    def send(self, *, to: str, subject: str, body: str) -> None:
        """Send one mail of plain text; takes as long as the mail server does.

        Raises
        ------
        MailProblem
            The server is away, refuses, or its certificate is not good.
        """
        message = EmailMessage()
        try:
            message["From"], message["To"], message["Subject"] = self._settings.smtp_from, to, subject
        except ValueError:
            raise MailProblem(log="mail: an address that no header takes") from None
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=self._own_name())
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(body, cte="quoted-printable")
        try:
            with self._server() as server:
                server.send_message(message)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            code = getattr(error, "smtp_code", "")
            raise MailProblem(log=f"mail: {type(error).__name__} {code}".rstrip()) from None

    def probe(self) -> None:
        """Greet the server and sign in as for a mail, and leave.

        Raises
        ------
        MailProblem
            As for sending.
        """
        try:
            with self._server() as server:
                server.noop()
        except (smtplib.SMTPException, OSError, ValueError) as error:
            code = getattr(error, "smtp_code", "")
            raise MailProblem(log=f"mail: {type(error).__name__} {code}".rstrip()) from None

    @contextmanager
    def _server(self) -> Iterator[smtplib.SMTP]:
        settings, host = self._settings, self._settings.smtp_host
        if host is None:
            raise MailProblem(log="mail: no server is set")
        name, port = self._own_name(), settings.smtp_port
        server = (
            smtplib.SMTP_SSL(host, port, local_hostname=name, timeout=TIMEOUT_S, context=self._tls())
            if settings.smtp_security == "tls"
            else smtplib.SMTP(host, port, local_hostname=name, timeout=TIMEOUT_S)
        )
        with server:
            if settings.smtp_security == "starttls":
                server.starttls(context=self._tls())
            if settings.smtp_user is not None:
                if settings.smtp_security == "none" and host not in _LOCAL:
                    raise MailProblem(log="mail: a password is not sent over a connection in clear")
                password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
                try:
                    server.login(settings.smtp_user, password)
                except smtplib.SMTPServerDisconnected:
                    # Some hang up on whom they do not know.
                    raise smtplib.SMTPAuthenticationError(535, "hung up") from None
            yield server

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._settings.ca_bundle_file is not None:
            context.load_verify_locations(self._settings.ca_bundle_file)
        return context

    def _own_name(self) -> str:
        return urlsplit(self._settings.public_url).hostname or "localhost"
