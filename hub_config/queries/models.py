"""The language model of the platform: one for all tenants (its connections are shared), each tenant with its own budget.

Without a key in the settings there is none, and outcomes say so. While the model works, its query holds no turn at the gate.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from hub_config.queries import cache

if TYPE_CHECKING:
    from datapilot_kernel.nl2sql.claude.adapter import ClaudeModel
    from datapilot_kernel.nl2sql.claude.settings import ModelSettings
    from hub_config.queries.cache import Scope
    from hub_config.queries.quotas import Quotas
    from hub_config.queries.verified import VerifiedStore
    from hub_config.settings import Settings


class ModelParts:
    """What engines are given besides their source: approved questions, model, transport, budget."""

    def __init__(self, settings: Settings, quotas: Quotas, verified: VerifiedStore) -> None:
        self._settings = settings
        self._quotas = quotas
        self._verified = verified
        self._lock = threading.Lock()
        self._model: tuple[ModelSettings, ClaudeModel] | None = None

    def options(self, scope: Scope, model_values: bool) -> dict[str, Any]:
        """Return the engine's further arguments for a scope; ``model_values``: the tenant opened the source's values."""
        found: dict[str, Any] = {"verified": self._verified.of(scope.tenant_id, scope.source_id)}
        model = self._configured()
        if model is not None:
            settings, transport = model
            found |= {
                "model": settings.model_copy(update={"openness": "values"}) if model_values else settings,
                "transport": _OutsideTheGate(transport),
                "budget": self._quotas.budget(scope.tenant_id),
            }
        return found

    @property
    def configured(self) -> bool:
        """Whether there is a model."""
        key = self._settings.model_key
        return key is not None and bool(key.get_secret_value())

    def _configured(self) -> tuple[ModelSettings, ClaudeModel] | None:
        key = self._settings.model_key
        if key is None or not key.get_secret_value():
            return None
        with self._lock:
            if self._model is None:
                from datapilot_kernel.nl2sql.claude.adapter import ClaudeModel
                from datapilot_kernel.nl2sql.claude.settings import DEFAULT_MODEL, ModelSettings

                settings = ModelSettings(
                    key=key,
                    base_url=self._settings.model_base_url,
                    model=self._settings.model_name or DEFAULT_MODEL,
                    ca_file=str(self._settings.ca_bundle_file) if self._settings.ca_bundle_file else None,
                )
                self._model = (settings, ClaudeModel(settings))
            return self._model

    def close(self) -> None:
        """Close the model's connections."""
        with self._lock:
            model, self._model = self._model, None
        if model is not None:
            model[1].close()


class _OutsideTheGate:
    """A model whose queries hold no turn while it works; the protocol ``nl2sql.claude.wire.Model``."""

    def __init__(self, inner: ClaudeModel) -> None:
        self._inner = inner

    def send(self, *args: Any, **options: Any) -> Any:
        query = cache.current.get()
        if query is None:
            return self._inner.send(*args, **options)
        with query.turn.away():
            return self._inner.send(*args, **options)

    def warm(self) -> None:
        self._inner.warm()

    def close(self) -> None:
        """Do nothing: the model is everybody's."""
