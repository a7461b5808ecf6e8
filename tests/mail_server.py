"""A mail server on this machine (aiosmtpd): with or without TLS, with or without an account, recording what it gets."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.servers import free_port


@dataclass
class MailServer:
    """What was received, and how."""

    port: int
    ca: Path
    mails: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)
    refuse: bool = False

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuse:
            return "554 5.7.1 no mail for anna@secret.example today"
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))  # type: ignore[arg-type]
        self.encrypted.append(session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None)
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.passwords.append(data.password.decode())
        return AuthResult(success=data.password == b"mail-secret-9-battery")


@contextmanager
def mail_server(folder: Path, *, tls: str = "starttls", host: str = "127.0.0.1") -> Iterator[MailServer]:
    """Run a server; ``tls``: ``none``, ``starttls`` or ``tls``. Its certificate is for ``host``, by an authority in ``ca``."""
    server = MailServer(free_port(), folder / "ca.pem")
    context = _context(folder, host)
    options: dict[str, Any] = {"authenticator": server.authenticate, "auth_require_tls": False}
    if tls == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    controller = Controller(
        server, hostname="127.0.0.1", port=server.port, ssl_context=context if tls == "tls" else None,
        server_hostname="mail.test", **options,
    )  # fmt: skip

    # Over implicit TLS its own probe would have to trust the test's authority: a connection is enough.
    def knock() -> None:
        socket.create_connection(("127.0.0.1", server.port), 5).close()

    controller._trigger_server = knock  # type: ignore[method-assign]
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def _context(folder: Path, host: str) -> ssl.SSLContext:
    now = datetime.now(UTC)

    def built(subject: str, issuer: str, key: Any, signer: Any, *extensions: tuple[Any, bool]) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=2))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(signer, hashes.SHA256())

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    ca = built(
        "Autorité",
        "Autorité",
        ca_key,
        ca_key,
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (usage, True),
        (ca_id, False),
    )
    name: Any = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    leaf = built(
        host, "Autorité", key, ca_key, (x509.SubjectAlternativeName([name]), False), (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id), False),
    )  # fmt: skip
    (folder / "ca.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    (folder / "mail.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + leaf.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "mail.pem")
    return context
