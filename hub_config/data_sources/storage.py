"""A tenant's files on disk, and how many bytes they are.

::

    DATA/tenants/TENANT/
        uploads/ID/            one upload, whole: the file and meta.json. Kept a day, or until it becomes part of a source
        uploads/ID.part/       one upload on its way; whatever of these a start finds is removed
        sources/SOURCE/REV/    the files of one revision of a source (hard links: a change is a new folder)
        cache/                 databases made of files, which can be made again

A folder appears by one rename once everything in it is on disk, so a crash leaves either the whole or a ``.part``. The
ledger counts what is kept and what is on its way, so that uploads side by side cannot pass the tenant's limit together. One
process writes here (the API); replicas would need the ledger in the database.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from datapilot_kernel.errors import BadInput
from datapilot_kernel.sources.files_import.cache import PLACE_LENGTH, place_of
from hub_config.errors import NotFound, PlatformUnavailable, TooLarge

KINDS = frozenset({".csv", ".tsv", ".txt", ".tab", ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".parquet"})
UPLOAD_KEPT_S = 24 * 3600.0
_LONGEST_NAME_BYTES = 120
_HEX = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Upload:
    """A file that came in and belongs to no source yet. Only the person who sent it sees it."""

    id: str
    name: str
    size_bytes: int
    sha256: str
    user_id: str
    created_at: float


def safe_name(given: str) -> str:
    r"""Return a file name that is only a name: no folder, no control or invisible character, of a kind that can be read.

    >>> safe_name(r"C:\données\Ventes 2026.CSV"), safe_name("../../etc/x.csv")
    ('Ventes 2026.CSV', 'x.csv')

    Raises
    ------
    BadInput
        Nothing is left of it, or it is of a kind that cannot be read.
    """
    name = unicodedata.normalize("NFC", given).replace("\\", "/").rpartition("/")[2]
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C" and c not in '<>:"|?*').strip().lstrip(".~$")
    stem, dot, suffix = name.rpartition(".")
    if not stem.strip() or f"{dot}{suffix}".lower() not in KINDS:
        raise BadInput("data_sources.file_kind", kinds=", ".join(sorted(kind[1:] for kind in KINDS)))
    while len(f"{stem}.{suffix}".encode()) > _LONGEST_NAME_BYTES:
        stem = stem[:-1]
    return f"{stem}.{suffix}"


@contextmanager
def disk_problems() -> Iterator[None]:
    """Turn a full or failing disk into one clear sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise PlatformUnavailable("data_sources.disk_full", log="disk full") from None
        raise


class TenantStorage:
    """The folders of one tenant, and their ledger. Thread-safe."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._kept_bytes: int | None = None
        self._coming_bytes = 0
        self._removed = False

    @property
    def cache(self) -> Path:
        """Where databases made of files are."""
        return self.root / "cache"

    def source_folder(self, source_id: str, revision: int | str) -> Path:
        """Return the folder of one revision of a source of files."""
        return self.root / "sources" / source_id / str(revision)

    # ── the ledger ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def kept_bytes(self) -> int:
        """How much the tenant keeps."""
        with self._lock:
            return self._kept()

    def _kept(self) -> int:
        if self._kept_bytes is None:
            self._kept_bytes = _bytes_under(self.root / "uploads") + _bytes_under(self.root / "sources")
        return self._kept_bytes

    def reserve(self, more_bytes: int, limit_bytes: int) -> None:
        """Count bytes that are about to be written.

        Raises
        ------
        TooLarge
            The tenant would keep more than it may.
        """
        with self._lock:
            if self._kept() + self._coming_bytes + more_bytes > limit_bytes:
                raise TooLarge("data_sources.storage_full", limit=_mebibytes(limit_bytes))
            self._coming_bytes += more_bytes

    def release(self, reserved_bytes: int) -> None:
        """Take back what was reserved: written, or given up."""
        with self._lock:
            self._coming_bytes -= reserved_bytes
            self._kept_bytes = None

    # ── uploads ───────────────────────────────────────────────────────────────────────────────────────────────────

    def part(self, upload_id: str) -> Path:
        """Make and return the folder of an upload on its way. Raises NotFound when the tenant was removed meanwhile."""
        if self._removed:
            raise NotFound(log="an upload of a removed tenant")
        folder = self.root / "uploads" / f"{upload_id}.part"
        folder.mkdir(parents=True, mode=0o700)
        return folder

    def finish(self, upload: Upload) -> None:
        """Make an upload visible, whole."""
        part = self.root / "uploads" / f"{upload.id}.part"
        with (part / "meta.json").open("w", encoding="utf-8") as file:
            json.dump(asdict(upload), file)
            file.flush()
            os.fsync(file.fileno())
        _sync(part)
        part.rename(part.with_suffix(""))
        _sync(part.parent)

    def give_up(self, upload_id: str) -> None:
        """Remove what came of an upload that failed."""
        shutil.rmtree(self.root / "uploads" / f"{upload_id}.part", ignore_errors=True)

    def upload(self, upload_id: str, user_id: str) -> tuple[Upload, Path]:
        """Return an upload and its file.

        Raises
        ------
        NotFound
            There is none, or it is somebody else's.
        """
        folder = self.root / "uploads" / upload_id
        if not _HEX.fullmatch(upload_id):
            raise NotFound(log="upload id")
        try:
            upload = Upload(**json.loads((folder / "meta.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise NotFound(log="upload") from None
        if upload.user_id != user_id:
            raise NotFound(log="somebody else's upload")
        return upload, folder / "files" / upload.name

    def forget_upload(self, upload_id: str) -> None:
        """Remove an upload, and what was read of it."""
        shutil.rmtree(self.root / "uploads" / upload_id, ignore_errors=True)
        self.forget_unused()
        with self._lock:
            self._kept_bytes = None

    # ── sources ───────────────────────────────────────────────────────────────────────────────────────────────────

    def make_revision(self, source_id: str, revision: int, files: dict[str, Path]) -> None:
        """Make the folder of a revision out of files that are already here (hard links), at once or not at all."""
        folder = self.source_folder(source_id, revision)
        shutil.rmtree(folder, ignore_errors=True)
        part = folder.with_name(f"{revision}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True, mode=0o700)
        for name, path in files.items():
            os.link(path, part / name)
        _sync(part)
        part.rename(folder)
        _sync(folder.parent)
        with self._lock:
            self._kept_bytes = None

    def keep_revision(self, source_id: str, revision: int | None) -> None:
        """Remove every other revision of a source; None: the source altogether."""
        folder = self.root / "sources" / source_id
        if revision is None:
            shutil.rmtree(folder, ignore_errors=True)
        elif folder.is_dir():
            for other in folder.iterdir():
                if other.name != str(revision):
                    shutil.rmtree(other, ignore_errors=True)
        self.forget_unused()
        with self._lock:
            self._kept_bytes = None

    def forget_older(self, source_id: str, revision: int) -> None:
        """Remove the revisions of a source before this one: what was replaced in them is not kept."""
        folder = self.root / "sources" / source_id
        for other in list(folder.iterdir()) if folder.is_dir() else ():
            if other.name.isdigit() and int(other.name) < revision:
                shutil.rmtree(other, ignore_errors=True)
        self.forget_unused()
        with self._lock:
            self._kept_bytes = None

    def forget_unused(self) -> None:
        """Remove databases made of files that are no longer here: they hold the same rows. An open one stays readable."""
        if not self.cache.is_dir():
            return
        here = [*self.root.glob("uploads/*/files/*"), *self.root.glob("sources/*/*")]
        places = {place_of(path) for path in here}
        for entry in list(self.cache.iterdir()):
            if entry.is_file() and entry.name[:PLACE_LENGTH] not in places:
                entry.unlink(missing_ok=True)

    # ── tidying ───────────────────────────────────────────────────────────────────────────────────────────────────

    def sweep(self, sources: dict[str, int], *, starting: bool) -> None:
        """Remove what nobody needs: old uploads, sources that no row names and, at a start, what was left half-way.

        Parameters
        ----------
        sources
            The revision in force of every source of files of this tenant.
        """
        uploads, folder = self.root / "uploads", self.root / "sources"
        for entry in list(uploads.iterdir()) if uploads.is_dir() else ():
            half = entry.suffix == ".part"
            if (half and starting) or (not half and time.time() - entry.stat().st_mtime > UPLOAD_KEPT_S):
                shutil.rmtree(entry, ignore_errors=True)
        if starting and folder.is_dir():
            for entry in list(folder.iterdir()):
                self.keep_revision(entry.name, sources.get(entry.name))
        if starting:
            self._forget_half_made()
        self.forget_unused()
        with self._lock:
            self._kept_bytes = None

    def _forget_half_made(self) -> None:
        for entry in list(self.cache.glob(".import-*")) if self.cache.is_dir() else ():
            shutil.rmtree(entry, ignore_errors=True)

    def remove(self) -> None:
        """Remove everything of the tenant, for good: nothing comes in any more."""
        self._removed = True
        shutil.rmtree(self.root, ignore_errors=True)
        with self._lock:
            self._kept_bytes = None


def _bytes_under(folder: Path) -> int:
    """Return the bytes of the files in a folder, each counted once however many links it has; what is on its way is not."""
    seen: dict[tuple[int, int], int] = {}
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.endswith(".part")]
        for name in files:
            try:
                stat = os.stat(os.path.join(path, name))
            except FileNotFoundError:
                continue
            seen[(stat.st_dev, stat.st_ino)] = stat.st_size
    return sum(seen.values())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / (1024 * 1024):.0f} Mio"
