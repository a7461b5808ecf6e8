"""How a connection to a database server is encrypted, and whose certificate is believed.

Three words, the same for both servers: ``verify`` (the certificate must be signed by a known authority and carry the
*name* the person gave, whatever address it was found at), ``require`` (encrypted, whoever answers: safe from listening,
not from an impostor), ``disable``. There is no ``prefer``: a connection that silently falls back to plain text tells
nobody that it did.

Authorities are the given certificate's, else the machine's: ``SSL_CERT_FILE`` when set (a company's own bundle), else the
system's file. libpq reads authorities from files only: a certificate given as text is written once per process, into a
folder of its own. What was rejected: libpq's ``sslrootcert=system``, because the wheel's OpenSSL was built elsewhere and
looks in folders that this machine does not have.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import ssl
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from datapilot_kernel.errors import SourceProblem

TlsMode = Literal["verify", "require", "disable"]

# Where Debian, Red Hat, Alpine and SUSE keep the system's authorities.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)


@dataclass(frozen=True)
class Tls:
    """What a connection demands of the server.

    Attributes
    ----------
    mode
        See the module.
    ca_pem
        Certificates of the authorities to believe, as PEM text; None: the machine's. Only ``verify`` reads it.
    """

    mode: TlsMode = "verify"
    ca_pem: str | None = field(default=None, repr=False)


def authorities_file(tls: Tls) -> str:
    """Return the path of a file with the authorities' certificates; ``"system"`` when this machine has none we know."""
    if tls.ca_pem is not None:
        checked_pem(tls.ca_pem)
        return str(_written(tls.ca_pem))
    for found in (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_BUNDLES):
        if found and Path(found).is_file():
            return found
    return "system"


def context(tls: Tls) -> ssl.SSLContext:
    """Return the context of a connection that Python makes itself.

    Raises
    ------
    SourceProblem
        ``ca_pem`` holds no certificate.
    """
    if tls.mode != "verify":
        # What "require" means: encrypted, whoever answers. The person chose it, and the form says what it gives up.
        made = ssl.create_default_context()
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
        return made
    if tls.ca_pem is not None:
        checked_pem(tls.ca_pem)
    made = ssl.create_default_context(cadata=tls.ca_pem)
    # The authorities that MySQL makes for itself lack an extension that Python 3.13 began to ask for.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return made


def checked_pem(pem: str) -> None:
    """Raise SourceProblem (``certificate_unreadable``) unless ``pem`` holds certificates and nothing secret."""
    readable = "PRIVATE KEY" not in pem
    if readable:
        try:
            probe = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            probe.load_verify_locations(cadata=pem)
            readable = bool(probe.get_ca_certs() or probe.cert_store_stats()["x509"])
        except (ssl.SSLError, ValueError):
            readable = False
    if not readable:
        raise SourceProblem("sources.certificate_unreadable")


_lock = threading.Lock()
_folder: Path | None = None


def _written(pem: str) -> Path:
    global _folder
    name = hashlib.sha256(pem.encode()).hexdigest() + ".pem"
    with _lock:
        if _folder is None or not _folder.is_dir():
            _folder = Path(tempfile.mkdtemp(prefix="datapilot-ca-"))
            atexit.register(shutil.rmtree, _folder, ignore_errors=True)
        path = _folder / name
        if not path.exists():
            half = path.with_suffix(".tmp")
            half.write_text(pem, encoding="ascii")
            half.replace(path)
        return path
