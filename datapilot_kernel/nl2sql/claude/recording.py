"""The model's traffic, kept and played again: a bench runs a second time without a network, and to the letter.

One JSON file per request, named by the digest of what was sent: the request's body (there is no key in it) and the reply,
or the kind of problem. The same request gives the same file, so a bench that asks a question twice keeps one.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datapilot_kernel.errors import BadInput, Cancelled
from datapilot_kernel.nl2sql.claude.cost import Usage
from datapilot_kernel.nl2sql.claude.wire import Meter, Model, ModelProblem, ModelReply, ModelRequest, ToolCall
from datapilot_kernel.sources.model import CancelToken


class RecordingModel:
    """Passes requests on to a model and keeps each with its reply.

    Raises
    ------
    BadInput
        The folder cannot be written.
    """

    def __init__(self, inner: Model, folder: Path) -> None:
        self._inner, self._folder = inner, folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".probe").touch()
            (folder / ".probe").unlink()
        except OSError as error:
            raise BadInput("claude.unwritable_recording", path=folder.name) from error

    def send(self, request: ModelRequest, *, meter: Meter, deadline: float, cancel: CancelToken | None = None) -> ModelReply:
        """Send, and keep what came."""
        try:
            reply = self._inner.send(request, meter=meter, deadline=deadline, cancel=cancel)
        except ModelProblem as problem:
            self._keep(request, {"problem": problem.kind, "usage": asdict(meter.usage)})
            raise
        self._keep(request, {"reply": asdict(reply)})
        return reply

    def warm(self) -> None:
        """Warm the model."""
        self._inner.warm()

    def close(self) -> None:
        """Close the model."""
        self._inner.close()

    def _keep(self, request: ModelRequest, came: dict[str, Any]) -> None:
        kept = {"request": request.body(), **came}
        path = self._folder / f"{request.key()}.json"
        path.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


class ReplayModel:
    """Answers from a recording, and from nothing else.

    Raises
    ------
    BadInput
        The folder is none, or holds no recording.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not folder.is_dir() or not any(folder.glob("*.json")):
            raise BadInput("claude.bad_recording", path=folder.name)

    def send(self, request: ModelRequest, *, meter: Meter, deadline: float, cancel: CancelToken | None = None) -> ModelReply:
        """Return the recorded reply, or raise the recorded problem."""
        del deadline
        if cancel is not None and cancel.cancelled:
            raise Cancelled
        path = self._folder / f"{request.key()}.json"
        if not path.is_file():
            raise ModelProblem("not_recorded", log=f"no recording {path.name}")
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if "problem" in kept:
                meter.usage = Usage(**kept["usage"])
                raise ModelProblem(kept["problem"])
            reply = kept["reply"]
            meter.usage = Usage(**reply["usage"])
            calls = tuple(ToolCall(**call) for call in reply["calls"])
            return ModelReply(
                reply["text"], calls, reply["stop_reason"], meter.usage, reply["first_token_ms"], reply["total_ms"]
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput("claude.bad_recording", path=self._folder.name) from error

    def warm(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        """Nothing to give back."""
