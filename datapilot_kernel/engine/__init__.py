"""One object, ``Engine``: ``ask(question) -> outcome``."""

from __future__ import annotations

from datapilot_kernel.engine.engine import Engine, today
from datapilot_kernel.engine.outcome import Answer, Clarification, Failure, Outcome, Refusal, Timings

__all__ = ["Answer", "Clarification", "Engine", "Failure", "Outcome", "Refusal", "Timings", "today"]
