"""Which bytes a text file is made of, and a copy of it as UTF-8.

French files come as UTF-8 (with and without mark), as UTF-16 (Excel's « Texte Unicode »), as Windows' cp1252, and, from
older accounting programs, as DOS's cp850 or the old Mac's encoding. UTF-8 proves itself; the others are told apart by how
many of the characters they would mean are ones that French text has. A file that is UTF-8 but for a few bytes (two
sources glued together) is read as UTF-8 with those bytes taken from cp1252, and the report says so.

The file is streamed: memory holds a block.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from datapilot_kernel.sources.files_import.problems import Unreadable
from datapilot_kernel.sources.files_import.report import Note

BLOCK_BYTES = 1 << 20
_FRENCH = frozenset("éèêëàâäçùûüîïôöœæÉÈÊËÀÂÇÙÛÎÏÔŒ€°«»’–…²³ñ\u00a0")
_CANDIDATES = ("cp1252", "cp850", "mac_roman")
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_MARKUP = re.compile(rb"\s*(?:<(?:!doctype|html|\?xml|table|body)|\[\s*\{|\{\s*\")", re.IGNORECASE)
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "looks_like_excel"),
    (b"\xd0\xcf\x11\xe0", "looks_like_excel"),
    (b"PAR1", "looks_like_parquet"),
    (b"%PDF", "looks_like_pdf"),
    (b"\x1f\x8b", "looks_binary"),
)


@dataclass(frozen=True)
class Encoding:
    """A decision: Python's name of the encoding, the bytes of the mark, and whether strays come from cp1252."""

    name: str
    mark_bytes: int = 0
    mended: bool = False
    notes: tuple[Note, ...] = ()

    @property
    def direct(self) -> bool:
        """True when the file's own bytes are good UTF-8 as they are."""
        return self.name == "utf-8" and not self.mended


def _stray_from_cp1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    stray = error.object[error.start : error.start + 1]
    return stray.decode("cp1252", "replace"), error.start + 1


codecs.register_error("datapilot_cp1252", _stray_from_cp1252)


def detect_encoding(path: Path, chosen: str | None = None) -> Encoding:
    """Decide a file's encoding.

    Raises
    ------
    Unreadable
        The file is empty, is not text, or the chosen encoding does not exist.
    """
    with path.open("rb") as stream:
        head = stream.read(BLOCK_BYTES)
    if not head.strip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n;,"):
        raise Unreadable("file_empty", file=path.name)
    if chosen is not None:
        try:
            name = codecs.lookup(chosen).name
        except LookupError:
            raise Unreadable("encoding_unknown", file=path.name, encoding=chosen) from None
        mark = 3 if name in {"utf-8", "utf-8-sig"} and head.startswith(codecs.BOM_UTF8) else 0
        return Encoding("utf-8" if name == "utf-8-sig" else name, mark)
    for signature, key in _SIGNATURES:
        if head.startswith(signature):
            raise Unreadable(key, file=path.name)
    for bom, name in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if head.startswith(bom):
            return _checked(path, Encoding(name, len(bom)))
    if head[1:400:2].count(0) > len(head[1:400:2]) * 0.6:
        return Encoding("utf-16-le")
    if _MARKUP.match(head):
        raise Unreadable("looks_like_markup", file=path.name)
    control = sum(head.count(bytes([code])) for code in (*range(9), *range(14, 27), 28, 29, 30, 31, 127))
    if b"\x00" in head or control > len(head) // 200:
        raise Unreadable("looks_binary", file=path.name)
    return _checked(path, Encoding("utf-8"))


def _checked(path: Path, believed: Encoding) -> Encoding:
    """Return ``believed`` if the whole file is UTF-8, else the best of the others."""
    if believed.name != "utf-8":
        return believed
    decoder = codecs.getincrementaldecoder("utf-8")()
    valid = 0
    with path.open("rb") as stream:
        try:
            while block := stream.read(BLOCK_BYTES):
                decoder.decode(block)
                valid += 0 if block.isascii() else len(_MULTIBYTE.findall(block))
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            pass
        else:
            return believed
        # The block that failed tells which it is.
        valid = len(_MULTIBYTE.findall(block)) + valid
        strays = len(re.findall(rb"[\x80-\xff]", _MULTIBYTE.sub(b"", block)))
    if valid >= 4 and valid > 3 * strays:
        return Encoding("utf-8", believed.mark_bytes, True, (Note(key="sources.note_mixed_encoding"),))
    return Encoding(_best_of_eight_bits(path))


def _best_of_eight_bits(path: Path) -> str:
    sample = bytearray()
    for block in _blocks(path):
        sample += bytes(byte for byte in block if byte > 127) if len(block) < 4096 else re.sub(rb"[\x00-\x7f]+", b"", block)
        if len(sample) > 20_000:
            break
    scores = {}
    for name in _CANDIDATES:
        text = bytes(sample).decode(name, "replace")
        scores[name] = sum(1 if c in _FRENCH else -1 for c in text)
    best = max(_CANDIDATES, key=lambda name: scores[name])
    if best != "cp1252" and scores[best] <= scores["cp1252"] + len(sample) // 10:
        best = "cp1252"
    if best == "cp1252" and re.search(rb"[\x81\x8d\x8f\x90\x9d]", bytes(sample)):
        return "latin-1"
    return best


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block


def decode(data: bytes, encoding: Encoding) -> str:
    """Decode a piece of a file (its ends may cut a character)."""
    decoder = codecs.getincrementaldecoder(encoding.name)("datapilot_cp1252" if encoding.mended else "replace")
    return decoder.decode(data[encoding.mark_bytes :])


def utf8_copy(source: Path, target: BinaryIO, encoding: Encoding, end: int | None = None) -> None:
    """Write the file as UTF-8 without mark; ``end``: stop before this byte.

    A lone NUL becomes a space: DuckDB would take it for an end.
    """
    errors = "datapilot_cp1252" if encoding.mended else "replace"
    decoder = codecs.getincrementaldecoder(encoding.name)(errors)
    left = (source.stat().st_size if end is None else end) - encoding.mark_bytes
    with source.open("rb") as stream:
        stream.seek(encoding.mark_bytes)
        while left > 0 and (block := stream.read(min(BLOCK_BYTES, left))):
            left -= len(block)
            text = decoder.decode(block)
            target.write((text.replace("\x00", " ") if "\x00" in text else text).encode())
    target.write(decoder.decode(b"", final=True).encode())
