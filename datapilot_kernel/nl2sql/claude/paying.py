"""A model whose every call is paid for: its worst cost set aside first, its use counted and settled whatever happens.

What asks a model anything (a question's loop, the drafting of a layer) asks through this.
"""

from __future__ import annotations

import time
from typing import Any

from datapilot_kernel.nl2sql.claude.cost import Budget, ModelUse
from datapilot_kernel.nl2sql.claude.settings import ModelSettings
from datapilot_kernel.nl2sql.claude.wire import Meter, Model, ModelReply, ModelRequest
from datapilot_kernel.sources.model import CancelToken


class PaidModel:
    """A model, its settings and the budget that pays.

    Parameters
    ----------
    budget
        None: no limit.
    keep_requests
        Keep what is sent in ``use.requests``.
    """

    def __init__(
        self, model: Model, settings: ModelSettings, *, budget: Budget | None = None, keep_requests: bool = False
    ) -> None:
        self.model, self.settings, self.budget, self.keep_requests = model, settings, budget, keep_requests

    def send(
        self, request: ModelRequest, *, use: ModelUse, within_s: float, cancel: CancelToken | None = None
    ) -> ModelReply:
        """Send one request.

        Parameters
        ----------
        use
            What this call used is added, also when it fails or is stopped.
        within_s
            Seconds from now that it may take, retries included.

        Raises
        ------
        OverBudget
            It could pass the budget; nothing was sent.
        ModelProblem
            The model could not be had.
        Cancelled
            The token was cancelled.
        """
        price = self.settings.prices.price(request.model)
        worst = price.most(request.most_tokens(), request.max_tokens)
        held = self.budget.reserve(worst) if self.budget is not None else None
        use.model = request.model
        if self.keep_requests:
            use.requests.append(request.body())
        meter = Meter()
        began = time.monotonic()
        try:
            return self.model.send(request, meter=meter, deadline=began + within_s, cancel=cancel)
        finally:
            cost = price.microeuros(meter.usage)
            use.calls += 1
            use.usage.add(meter.usage)
            use.cost_microeuros += cost
            use.model_ms += (time.monotonic() - began) * 1000
            if held is not None:
                held.settle(cost)


def followed(request: ModelRequest, reply: ModelReply, said: str) -> ModelRequest:
    """Return the next request of the same talk: the reply as it came, and what is wrong with it."""
    content: list[dict[str, Any]] = []
    if reply.text.strip():
        content.append({"type": "text", "text": reply.text.rstrip()})
    for call in reply.calls:
        content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments or {}})
    answer: list[dict[str, Any]] = [
        {"type": "tool_result", "tool_use_id": call.id, "is_error": True, "content": said} for call in reply.calls
    ]
    if not reply.calls:
        answer.append({"type": "text", "text": said})
    if not content:
        content.append({"type": "text", "text": "(nothing)"})
    messages = (*request.messages, {"role": "assistant", "content": content}, {"role": "user", "content": answer})
    return ModelRequest(request.model, request.system, request.tools, messages, request.max_tokens)
