"""What a look brings: a name, how bad it is, a sentence, and what to do. Texts: the catalogue ``doctor``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from datapilot_kernel.messages import has_text, text

Level = Literal["ok", "warning", "problem", "skipped"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name
        Of the thing, the same in every language: for programs that read ``--json``.
    key
        In the catalogue: ``doctor.KEY`` is the sentence, ``doctor.KEY_do``, where there is one, what to do.
    """

    name: str
    level: Level
    key: str
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """What is there, or what is not."""
        return text(f"doctor.{self.key}", **self.values)

    @property
    def action(self) -> str | None:
        """What to do about it; None: nothing."""
        key = f"doctor.{self.key}_do"
        return text(key, **self.values) if has_text(key) else None


def ok(name: str, key: str, /, **values: Any) -> Finding:
    """Return a finding that all is well."""
    return Finding(name, "ok", key, values)


def warning(name: str, key: str, /, **values: Any) -> Finding:
    """Return a finding of what works, and will not always."""
    return Finding(name, "warning", key, values)


def problem(name: str, key: str, /, **values: Any) -> Finding:
    """Return a finding of what does not work, or is not safe."""
    return Finding(name, "problem", key, values)


def skipped(name: str, key: str, /, **values: Any) -> Finding:
    """Return that this process cannot see it, and who can."""
    return Finding(name, "skipped", key, values)
