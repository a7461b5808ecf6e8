"""What is wrong with a layer, and where: one finding is one sentence and one place in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class Finding:
    """One thing to put right.

    Attributes
    ----------
    line, column
        Counted from 1, of the key or value concerned.
    severity
        ``error``: the layer cannot be used as it is. ``warning``: it can, and will surprise somebody.
    message
        The sentence for the person.
    path
        Where in the tree: ``("entities", "commande", "measures", "ca", "expression")``.
    code
        From a closed set, the key of the message without its room.
    """

    line: int
    column: int
    severity: Severity
    message: str
    path: tuple[str, ...]
    code: str

    def to_json(self) -> dict[str, object]:
        """Return it as plain data."""
        return {
            "line": self.line,
            "column": self.column,
            "severity": self.severity,
            "code": self.code,
            "path": ".".join(self.path),
            "message": self.message,
        }
