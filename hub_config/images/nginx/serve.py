"""The web server's process: writes nginx's configuration, runs it, and lets it read a renewed certificate.

Standard library alone: the image holds nothing of ours. The environment (``.env`` of the installation)::

    DATAPILOT_DOMAIN          the hub's host
    DATAPILOT_API_DOMAIN      the host of the API and its pages; the same as DATAPILOT_DOMAIN: below /services/datapilot/
    DATAPILOT_WILDCARD        yes: *.DATAPILOT_DOMAIN are people's servers; no: one origin for all of them
    DATAPILOT_CERTIFICATE     letsencrypt-dns, letsencrypt-http, own, self-signed
    DATAPILOT_UPLOAD_MAX_BYTES, DATAPILOT_HSTS_SECONDS

Until certbot has brought a certificate, a self-signed one stands in for it, so that nginx runs and can answer the
authority's question by HTTP.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("web")
CERTIFICATES = Path("/certificates")
CONFIGURATION = Path("/tmp/nginx.conf")  # noqa: S108 - the container's own
LOOK_EVERY_S = 30.0
_HOST = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MODES = ("letsencrypt-dns", "letsencrypt-http", "own", "self-signed")

_API = """            set $api http://@API@;
            proxy_pass $api;
            # Answers stream as they are made (server-sent events, Arrow).
            proxy_buffering off;
            proxy_read_timeout 600s;
            proxy_send_timeout 600s;
"""
_API_SERVER = """
    # The API and its pages: an origin that no notebook shares.
    server {
        listen 8443 ssl http2;
        server_name @API_NAME@;
        add_header Strict-Transport-Security "@HSTS@" always;
        client_max_body_size @UPLOAD@;
        # Only inside: the hub's own routes, and what is measured.
        location ~ ^/api/v[0-9]+/(hub/|metrics) {
            return 404;
        }
        location / {
@API_LOCATION@        }
    }"""
_API_BELOW_HUB = """        location ~ ^/services/datapilot/api/v[0-9]+/(hub/|metrics) {
            return 404;
        }
        location /services/datapilot/ {
            client_max_body_size @UPLOAD@;
@API_LOCATION@        }"""


class BadConfiguration(Exception):
    """The environment does not say what it must."""


@dataclass(frozen=True)
class Site:
    """What is served. Names are hosts; ``hsts_seconds`` 0: browsers are told nothing to remember; ``url_port`` "": 443."""

    domain: str
    api_domain: str
    wildcard: bool
    certificate: str
    upload_bytes: int
    hsts_seconds: int
    url_port: str = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Site:
        """Read the environment.

        Raises
        ------
        BadConfiguration
            A name or a mode is missing or is none; says which.
        """
        domain = environment.get("DATAPILOT_DOMAIN", "").strip().lower()
        api_domain = environment.get("DATAPILOT_API_DOMAIN", "").strip().lower() or f"api.{domain}"
        for name, value in (("DATAPILOT_DOMAIN", domain), ("DATAPILOT_API_DOMAIN", api_domain)):
            if not _HOST.fullmatch(value):
                raise BadConfiguration(f"{name} is not a host name")
        mode = environment.get("DATAPILOT_CERTIFICATE", "").strip() or "self-signed"
        if mode not in _MODES:
            raise BadConfiguration(f"DATAPILOT_CERTIFICATE is one of {', '.join(_MODES)}")
        wildcard = environment.get("DATAPILOT_WILDCARD", "yes").strip().lower() in ("yes", "true", "1", "oui")
        if wildcard and mode == "letsencrypt-http":
            raise BadConfiguration("a wildcard's certificate needs letsencrypt-dns (or own); or set DATAPILOT_WILDCARD=no")
        try:
            upload = int(environment.get("DATAPILOT_UPLOAD_MAX_BYTES", "").strip() or 200 * 1024**2)
            hsts = int(environment.get("DATAPILOT_HSTS_SECONDS", "").strip() or 31_536_000)
        except ValueError:
            raise BadConfiguration("DATAPILOT_UPLOAD_MAX_BYTES and DATAPILOT_HSTS_SECONDS are whole numbers") from None
        port = environment.get("DATAPILOT_URL_PORT", "").strip()
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise BadConfiguration("DATAPILOT_URL_PORT is a port, or empty for 443")
        # A browser that remembers « only https » cannot be let past a self-signed certificate any more.
        return cls(domain, api_domain, wildcard, mode, upload, 0 if mode == "self-signed" else hsts, port)

    @property
    def hub_names(self) -> tuple[str, ...]:
        """Return the names of the hub's server."""
        return (self.domain, f"*.{self.domain}") if self.wildcard else (self.domain,)

    @property
    def all_names(self) -> tuple[str, ...]:
        """Return every name that the certificate must hold, each once."""
        covered = self.wildcard and self.api_domain.removesuffix(f".{self.domain}").count(".") == 0
        inside = self.api_domain == self.domain or (covered and self.api_domain.endswith(f".{self.domain}"))
        return self.hub_names if inside else (*self.hub_names, self.api_domain)

    def certificate_files(self, folder: Path = CERTIFICATES) -> tuple[Path, Path]:
        """Return where the chain and the key are, or will be."""
        if self.certificate == "own":
            return folder / "own" / "fullchain.pem", folder / "own" / "privkey.pem"
        if self.certificate == "self-signed":
            return folder / "self-signed" / "fullchain.pem", folder / "self-signed" / "privkey.pem"
        live = folder / "live" / "datapilot"
        return live / "fullchain.pem", live / "privkey.pem"


def configuration(
    site: Site, template: str, *, chain: Path, key: Path, resolver: str = "127.0.0.11", proxy: str = "proxy:8000",
    api: str = "api:8000",
) -> str:  # fmt: skip
    """Return nginx's configuration."""
    below = site.api_domain == site.domain
    names = site.all_names if site.api_domain in site.all_names or below else (*site.all_names, site.api_domain)
    fields = {
        "API_BELOW_HUB": _API_BELOW_HUB if below else "",
        "API_SERVER": "" if below else _API_SERVER,
        "API_LOCATION": _API,
        "API_NAME": site.api_domain,
        "API": api,
        "PROXY": proxy,
        "ALL_NAMES": " ".join(names),
        "HUB_NAMES": " ".join(site.hub_names),
        "URL_PORT": f":{site.url_port}" if site.url_port else "",
        "HSTS": f"max-age={site.hsts_seconds}",
        "UPLOAD": str(site.upload_bytes + 1024**2),
        "RESOLVER": resolver,
        "CERTIFICATE": str(chain),
        "KEY": str(key),
    }
    for name, value in fields.items():
        template = template.replace(f"@{name}@", value)
    return template


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - nginx and openssl, by our own words


def self_signed(site: Site, chain: Path, key: Path) -> None:
    """Make a certificate for all names, of two years; an old one of other names is replaced."""
    subject = ",".join(f"DNS:{name}" for name in site.all_names)
    marker = chain.with_name("names")
    if chain.exists() and key.exists() and marker.exists() and marker.read_text() == subject:
        return
    chain.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "730",
        "-subj", f"/CN={site.domain[:64]}", "-addext", f"subjectAltName={subject}", "-keyout", str(key), "-out", str(chain),
    ).check_returncode()  # fmt: skip
    key.chmod(0o600)
    marker.write_text(subject)


def _seen(*paths: Path) -> tuple[float, ...]:
    return tuple(path.stat().st_mtime if path.exists() else 0.0 for path in paths)


class Web:
    """nginx, and whoever looks after its certificate."""

    def __init__(self, site: Site, template: str) -> None:
        self._site = site
        self._template = template
        self._stop = threading.Event()

    def _write(self) -> tuple[Path, Path]:
        chain, key = self._site.certificate_files()
        if self._site.certificate == "self-signed":
            self_signed(self._site, chain, key)
        elif not (chain.exists() and key.exists()):
            log.warning("no certificate yet in %s: a self-signed one stands in for it", chain.parent)
            stand_in = CERTIFICATES / "stand-in"
            chain, key = stand_in / "fullchain.pem", stand_in / "privkey.pem"
            self_signed(self._site, chain, key)
        CONFIGURATION.write_text(configuration(self._site, self._template, chain=chain, key=key), encoding="utf-8")
        return chain, key

    def run(self) -> int:
        """Serve until stopped; return nginx's exit code."""
        self._write()
        process = subprocess.Popen(["nginx", "-c", str(CONFIGURATION), "-g", "daemon off;"])  # noqa: S603, S607

        def stop(*_: object) -> None:
            self._stop.set()
            process.send_signal(signal.SIGQUIT)  # what is under way is answered first

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        threading.Thread(target=self._look, args=(process,), name="certificate", daemon=True).start()
        return process.wait()

    def _look(self, process: subprocess.Popen[bytes]) -> None:
        wanted = self._site.certificate_files()
        seen = _seen(*wanted)
        while not self._stop.wait(LOOK_EVERY_S):
            now = _seen(*wanted)
            if now == seen:
                continue
            self._write()
            checked = _run("nginx", "-t", "-q", "-c", str(CONFIGURATION))
            if checked.returncode:  # the old one goes on; looked at again
                log.error("the new certificate cannot be used: %s", checked.stderr.strip())
                continue
            seen = now
            log.warning("the certificate is new: read again")
            process.send_signal(signal.SIGHUP)


def main() -> int:
    """Run."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    os.umask(0o077)
    try:
        site = Site.of(os.environ)
    except BadConfiguration as error:
        log.error("%s", error)
        return 2
    return Web(site, Path(__file__).with_name("site.conf").read_text(encoding="utf-8")).run()


if __name__ == "__main__":
    sys.exit(main())
