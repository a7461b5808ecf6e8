"""The certificates that browsers are shown: for these names, signed by somebody they know, and for how long still."""

from __future__ import annotations

import secrets
import socket
import ssl
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from hub_config.doctor import Finding, Installation, ok, problem, skipped, warning
from hub_config.doctor.names import places, wildcard_of

_WAIT_S = 8.0
RENEWED_DAYS = 30
"""How long before its end a certificate is renewed by itself."""
_WARN_DAYS, _LATE_DAYS = 21, 5

# What OpenSSL calls why a certificate is not believed.
_WHY = {
    10: "expired",
    9: "not_yet",
    62: "name",
    64: "name",
    18: "untrusted",
    19: "untrusted",
    20: "untrusted",
    21: "untrusted",
}


def look(installation: Installation) -> Iterator[Finding]:
    """Look at the certificate of each public name."""
    urls = (installation.settings.public_url, installation.settings.hub_public_url or "")
    if not any(urlsplit(url).scheme == "https" for url in urls):
        yield skipped("certificate", "certificate_plain")
        return
    domain = wildcard_of(installation)
    for host, port in places(installation):
        yield certificate(installation, host, host, port)
        if host == domain:
            # The name of a person's server that was never there: only a wildcard carries it.
            yield certificate(installation, f"dp-{secrets.token_hex(6)}.{domain}", host, port, shown=f"*.{domain}")


def certificate(installation: Installation, name: str, host: str, port: int, *, shown: str | None = None) -> Finding:
    """Ask the server at ``host`` for its certificate for ``name``, and hold it to what a browser would."""
    context = ssl.create_default_context()
    bundle = installation.settings.ca_bundle_file
    if bundle is not None:
        context.load_verify_locations(bundle)
    shown = shown or name
    try:
        with (
            socket.create_connection((host, port), _WAIT_S) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            told = connection.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return problem("certificate", f"certificate_{_WHY.get(error.verify_code, 'untrusted')}", name=shown)
    except (OSError, ValueError):
        return problem("certificate", "certificate_away", name=shown, port=port)
    until = ssl.cert_time_to_seconds(str(told["notAfter"]))
    days = int((until - time.time()) // 86_400)
    values = {"name": shown, "days": days}
    if days < _LATE_DAYS:
        return problem("certificate", "certificate_ends", **values)
    return (warning if days < _WARN_DAYS else ok)(
        "certificate", "certificate_soon" if days < _WARN_DAYS else "certificate", **values
    )
