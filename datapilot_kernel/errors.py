"""Errors, by whose fault it is.

::

    DataPilotError
    ├── BadInput          the person's, or their data's: one sentence says what was wrong and what to do (4xx, exit 2)
    │   ├── SourceProblem     the source cannot be reached, refuses, or holds what cannot be read
    │   └── LayerProblem      the semantic layer says something that is not so (carries lines)
    ├── Refused           not a fault: understood, and not allowed or not possible (exit 1)
    ├── Cancelled         the person stopped it
    └── Fault             ours: carries an incident id; the log has the rest (5xx, exit 3)

``str(error)`` is the text for the person, from the catalogues. ``error.log`` is the text for the log: never a secret, a
connection string, a literal of a statement or a value of a row. ``error.reason`` is a code from a closed set.
"""

from __future__ import annotations

import logging
import secrets
from typing import Any

from datapilot_kernel.messages import text


class DataPilotError(Exception):
    """Base of every error this package raises on purpose.

    Parameters
    ----------
    key
        The message's key in the catalogues; its last part is the ``reason``.
    log
        Text for the log; None: the key.
    values
        The message's placeholders.
    """

    def __init__(self, key: str, /, *, log: str | None = None, **values: Any) -> None:
        self.key = key
        self.values = values
        self.reason = key.rpartition(".")[2]
        self.log = log or key
        super().__init__(text(key, **values))

    @property
    def message(self) -> str:
        """The sentence for the person, in the language in force when it is read."""
        return text(self.key, **self.values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key!r})"


class BadInput(DataPilotError):
    """What came in cannot be used; the message says why and what to do."""


class SourceProblem(BadInput):
    """A source cannot be reached, refuses, or holds what cannot be read."""


class LayerProblem(BadInput):
    """A semantic layer says something that is not so."""


class Refused(DataPilotError):
    """Understood, and not allowed or not possible. Not a fault."""


class Cancelled(DataPilotError):
    """The person stopped it.

    Attributes
    ----------
    model
        What a language model had done and cost by then (``nl2sql.claude.cost.ModelUse``); None: nothing.
    """

    def __init__(self) -> None:
        super().__init__("errors.cancelled")
        self.model: Any = None


def new_incident() -> str:
    """Return a fresh incident id, short enough to be read out on the telephone (``"3F9A-C21B"``)."""
    raw = secrets.token_hex(4).upper()
    return f"{raw[:4]}-{raw[4:]}"


class Fault(DataPilotError):
    """A fault of ours; the person gets an incident id, the log gets the rest."""

    def __init__(self, *, log: str) -> None:
        self.incident = new_incident()
        super().__init__("errors.fault", log=log, incident=self.incident)


def logged_fault(error: BaseException, where: str, log: logging.Logger) -> Fault:
    """Log whatever broke and return the fault that the person is told of.

    The log has the type and where it was raised, never the text: a foreign exception may quote values or a secret.
    """
    fault = Fault(log=f"{type(error).__name__} in {where}")
    without_text = RuntimeError(type(error).__name__).with_traceback(error.__traceback__)
    log.error("incident %s: %s", fault.incident, fault.log, exc_info=without_text)
    return fault
