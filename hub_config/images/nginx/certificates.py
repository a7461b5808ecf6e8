"""Asks Let's Encrypt for the certificate and renews it: by DNS at OVH for a wildcard, by HTTP without one.

Runs beside the web server, from its image, only in the modes ``letsencrypt-…``; what it gets lies in the shared volume
``/certificates``, where the web server sees it (:mod:`serve`). A failure is logged and tried again in an hour: certificates
are renewed thirty days before their end. ``DATAPILOT_CERTIFICATE_TEST=yes`` asks the authority's test service.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from serve import CERTIFICATES, BadConfiguration, Site  # type: ignore[import-not-found, unused-ignore]  # beside it in the image

log = logging.getLogger("certificates")
CREDENTIALS = Path("/run/secrets/ovh.ini")
_TWELVE_HOURS_S, _HOUR_S = 43_200.0, 3_600.0


def arguments(site: Site, environment: Mapping[str, str]) -> list[str]:
    """Return what certbot is asked; the same for the first time, for other names and for a renewal.

    Raises
    ------
    BadConfiguration
        The mode needs no certbot, or the address for the authority's warnings is missing.
    """
    if not site.certificate.startswith("letsencrypt-"):
        raise BadConfiguration(f"DATAPILOT_CERTIFICATE={site.certificate} needs no certbot")
    email = environment.get("DATAPILOT_CERTIFICATE_EMAIL", "").strip()
    if "@" not in email:
        raise BadConfiguration("DATAPILOT_CERTIFICATE_EMAIL is missing: the authority warns there")
    asked = ["certonly", "--non-interactive", "--agree-tos", "--keep-until-expiring", "--expand", "--cert-name", "datapilot"]
    asked += ["--email", email, "--no-eff-email", "--key-type", "ecdsa", "--config-dir", str(CERTIFICATES)]
    asked += ["--work-dir", "/tmp/certbot", "--logs-dir", "/tmp/certbot"]  # noqa: S108 - the container's own
    if site.certificate == "letsencrypt-dns":
        wait = environment.get("DATAPILOT_DNS_WAIT_SECONDS", "").strip() or "120"
        asked += ["--dns-ovh", "--dns-ovh-credentials", str(CREDENTIALS), "--dns-ovh-propagation-seconds", wait]
    else:
        asked += ["--webroot", "--webroot-path", str(CERTIFICATES / "challenges")]
    if environment.get("DATAPILOT_CERTIFICATE_TEST", "").strip().lower() in ("yes", "true", "1", "oui"):
        asked.append("--test-cert")
    for name in site.all_names:
        asked += ["--domain", name]
    return asked


def main() -> int:
    """Ask, wait, ask again, until stopped."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    os.umask(0o077)
    try:
        asked = arguments(Site.of(os.environ), os.environ)
    except BadConfiguration as error:
        log.error("%s", error)
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    (CERTIFICATES / "challenges").mkdir(parents=True, exist_ok=True)
    while True:
        done = subprocess.run(["certbot", *asked]).returncode == 0  # noqa: S603, S607
        if not done:
            log.error("no certificate this time: tried again in an hour")
        if stop.wait(_TWELVE_HOURS_S + random.uniform(0, _HOUR_S) if done else _HOUR_S):  # noqa: S311 - spreads the load
            return 0


if __name__ == "__main__":
    sys.exit(main())
