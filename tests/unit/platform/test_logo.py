"""A tenant's logo: known by its content, bounded, served as an image and nothing else, each tenant its own."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any

import pytest

from tests.platform_support import World
from tests.unit.platform.test_content import _call


def png(width: int = 2, height: int = 2, *, more: bytes = b"") -> bytes:
    """A whole PNG, grey."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(b"\x00" * height + b"\x80" * width * height) if width * height < 10_000 else b"x"
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"") + more


JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    b"\xff\xc0\x00\x11\x08\x00\x10\x00\x20\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xd9"
)
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8L\x18\x00\x00\x00\x2f\x1f\xc0\x03\x00" + b"\x00" * 20


def _put(world: World, body: bytes, role: str = "administrator", name: str = "logo.png", tenant: str = "t1") -> Any:
    return _call(world, "PUT", "/tenant/logo", role, files={"file": (name, body, "image/png")}, tenant=tenant)


@pytest.mark.parametrize(("body", "media_type"), [(png(), "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")])
def test_an_image_is_served_as_what_it_is(world: World, body: bytes, media_type: str) -> None:
    assert _call(world, "GET", "/tenant/logo").status_code == 404
    assert _put(world, body, name="logo.svg").status_code == 204
    for role in ("viewer", "analyst", "administrator"):
        shown = _call(world, "GET", "/tenant/logo", role)
        assert (shown.content, shown.headers["content-type"]) == (body, media_type)
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in shown.headers["content-security-policy"]
        assert "cookie" in shown.headers["vary"].lower(), "kept by a browser for this session alone"
    assert _call(world, "GET", "/tenant/logo", tenant="t2").status_code == 404
    assert _call(world, "DELETE", "/tenant/logo").status_code == 204
    assert _call(world, "GET", "/tenant/logo").status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>', "logo_not_an_image"),
        (b"<html><script>1</script></html>", "logo_not_an_image"),
        (b"GIF89a\x01\x00\x01\x00", "logo_not_an_image"),
        (b"", "logo_not_an_image"),
        (b"\x89PNG\r\n\x1a\n", "logo_not_an_image"),
        (b"\xff\xd8\xff", "logo_not_an_image"),
        (JPEG[:22], "logo_not_an_image"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "logo_not_an_image"),
        (png(5000, 10), "logo_too_wide"),
        (png(0, 10), "logo_too_wide"),
        (png(more=b"\x00" * 200 * 1024), "logo_too_large"),
    ],
)
def test_what_is_no_such_image_is_not_taken(world: World, body: bytes, code: str) -> None:
    answer = _put(world, body)
    assert answer.status_code in (413, 422), answer.text
    assert answer.json()["error"]["code"] == code
    assert _call(world, "GET", "/tenant/logo").status_code == 404


def test_only_administrators_set_it_and_it_is_recorded(world: World) -> None:
    for role in ("analyst", "viewer"):
        assert _put(world, png(), role).status_code == 403
        assert _call(world, "DELETE", "/tenant/logo", role).status_code == 403
    assert _put(world, png()).status_code == 204
    events = _call(world, "GET", "/audit", params={"action": "tenant.logo"}).json()["items"]
    assert len(events) == 1


def test_the_tenants_export_has_it(world: World) -> None:
    _put(world, png())
    archive = zipfile.ZipFile(io.BytesIO(_call(world, "GET", "/tenant/export").content))
    (name,) = [name for name in archive.namelist() if name.startswith("tables/tenants/")]
    assert "iVBORw0KGgo" in archive.read(name).decode()
