"""The demo's folder: what is where, and the keys, made at the first start and readable by their owner alone.

::

    DIR/maison-lumiere, DIR/atelier-roche    the data as files, made anew each month
    DIR/comptes.json                         the people's first passwords (0600)
    DIR/plateforme                           the API's data: database, vault, uploaded files
    DIR/hub                                  the hub's: database, people's folders, JupyterLab's defaults
    DIR/secrets                              the keys that hub and API share (0700, 0600 each)
    DIR/journaux                             what hub, proxy and API log
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datapilot_kernel.errors import BadInput

KEYS = ("DATAPILOT_HUB_KEY", "DATAPILOT_HUB_API_TOKEN")
"""What hub and API share, each in a file of its name, as settings read them from ``DATAPILOT_SECRETS_DIR``."""


class Folder:
    """The folder and its places. Made by :meth:`prepare`."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.platform = self.root / "plateforme"
        self.hub = self.root / "hub"
        self.secrets = self.root / "secrets"
        self.logs = self.root / "journaux"
        self.log = self.logs / "plateforme.log"
        self.accounts = self.root / "comptes.json"

    def data(self, slug: str) -> Path:
        """Return the folder of a tenant's data files."""
        return self.root / slug

    def made(self, slug: str) -> Path:
        """Return the file that says for which day a tenant's data were made."""
        return self.root / f".{slug}.complete"

    def prepare(self) -> None:
        """Make what is missing.

        Raises
        ------
        BadInput
            The folder cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for place in (self.platform, self.hub, self.secrets, self.logs):
                place.mkdir(exist_ok=True, mode=0o700)
                place.chmod(0o700)
            for name in KEYS:
                if not (self.secrets / name).exists():
                    write_private(self.secrets / name, secrets.token_hex(32))
        except OSError as error:
            raise BadInput("local.folder", folder=str(self.root), why=error.strerror or type(error).__name__) from None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Keep a second demo from the same folder: two hubs over one database would undo each other's work.

        Raises
        ------
        BadInput
            One runs already.
        """
        handle = os.open(self.root / ".verrou", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BadInput("local.already_running", folder=str(self.root)) from None
            yield
        finally:
            os.close(handle)


def write_private(path: Path, content: str) -> None:
    """Write a file that its owner alone reads, at once or not at all."""
    half = path.with_name(f".{path.name}.half")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(content)
    half.replace(path)
