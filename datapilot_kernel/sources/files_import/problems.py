"""A file that cannot be read, and why: a key of the catalogue with its placeholders."""

from __future__ import annotations

from datapilot_kernel.sources.files_import.report import Note


class Unreadable(Exception):
    """One file cannot be read; ``note`` is the sentence."""

    def __init__(self, key: str, **values: object) -> None:
        self.note = Note(key=f"sources.{key}", values=values)
        super().__init__(key)
