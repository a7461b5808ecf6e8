"""A tenant's logo: a small PNG, JPEG or WebP, known by its content and never by its name.

What is kept is the bytes that were sent, if their beginning is one of these formats', with a size that a page can show. It
is served under the type that was found here, with ``nosniff`` and a policy by which nothing in it could run.
SVG is a document that can hold script, and is not taken. Remaining risk: a broken image shows as broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from datapilot_kernel.errors import BadInput
from hub_config.database import Database, Tenant
from hub_config.errors import TooLarge
from hub_config.principal import Principal

if TYPE_CHECKING:
    from hub_config.audit import Audit

MOST_BYTES = 200 * 1024
MOST_PIXELS = 4096
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})


HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
    "Cache-Control": "private, max-age=300",
    "Vary": "Cookie, Authorization",  # whoever signs in next in this browser may be somebody of another tenant
}
"""What it is served with, besides its own type."""


@dataclass(frozen=True)
class Logo:
    """An image."""

    body: bytes = field(repr=False)
    media_type: str


class Logos:
    """The manager."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    def logo(self, tenant_id: str) -> Logo | None:
        """Return a tenant's logo, or None."""
        with self._database.tenant(tenant_id, read_only=True) as session:
            row = session.execute(select(Tenant.logo, Tenant.logo_type)).one_or_none()
        if row is None or row.logo is None or row.logo_type is None:
            return None
        return Logo(bytes(row.logo), row.logo_type)

    def set_logo(self, principal: Principal, body: bytes | None) -> None:
        """Take an image as the tenant's logo; None: there is none any more.

        Raises
        ------
        TooLarge
            It has more than 200 KiB.
        BadInput
            It is no PNG, JPEG or WebP, or too many pixels wide or high.
        """
        media_type = None if body is None else checked(body)
        with self._database.tenant(principal.tenant_id) as session:
            changed = update(Tenant).values(logo=body, logo_type=media_type)
            session.execute(changed.execution_options(synchronize_session=False))
            self._audit.record(
                session, principal, action="tenant.logo", object_type="tenant", object_id=principal.tenant_id,
                details={"type": media_type, "bytes": len(body or b"")},
            )  # fmt: skip


def checked(body: bytes) -> str:
    """Return the media type of an image that may be a logo. Raises TooLarge, BadInput."""
    if len(body) > MOST_BYTES:
        raise TooLarge("snapshots.logo_too_large", limit=f"{MOST_BYTES // 1024} Kio")
    for media_type, size_of in (("image/png", _png), ("image/jpeg", _jpeg), ("image/webp", _webp)):
        size = size_of(body)
        if size is None:
            continue
        if not all(0 < side <= MOST_PIXELS for side in size):
            raise BadInput("snapshots.logo_too_wide", limit=MOST_PIXELS)
        return media_type
    raise BadInput("snapshots.logo_not_an_image")


def _png(body: bytes) -> tuple[int, int] | None:
    if not body.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR") or len(body) < 33 or b"IDAT" not in body:
        return None
    return int.from_bytes(body[16:20], "big"), int.from_bytes(body[20:24], "big")


def _jpeg(body: bytes) -> tuple[int, int] | None:
    if not body.startswith(b"\xff\xd8\xff"):
        return None
    at = 2
    while at + 9 <= len(body) and body[at] == 0xFF:
        marker, length = body[at + 1], int.from_bytes(body[at + 2 : at + 4], "big")
        if marker in _FRAMES:
            return int.from_bytes(body[at + 7 : at + 9], "big"), int.from_bytes(body[at + 5 : at + 7], "big")
        at += 1 if marker == 0xFF else 2 + length
    return None


def _webp(body: bytes) -> tuple[int, int] | None:
    if body[:4] != b"RIFF" or body[8:12] != b"WEBP" or len(body) < 30:
        return None
    kind, found = body[12:16], body[20:]
    if kind == b"VP8 " and found[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(found[6:8], "little") & 0x3FFF, int.from_bytes(found[8:10], "little") & 0x3FFF
    if kind == b"VP8L" and found[0] == 0x2F:
        bits = int.from_bytes(found[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(found[4:7], "little") + 1, int.from_bytes(found[7:10], "little") + 1
    return None
