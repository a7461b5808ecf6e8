"""How the model is reached and what it may cost: settings, each with its default, its unit and its meaning of none.

The environment is read by :func:`settings_from_environment` alone, when it is called (command line, a laptop); the platform
makes :class:`ModelSettings` from its own settings and the tenant's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from datapilot_kernel.errors import BadInput
from datapilot_kernel.nl2sql.claude.cost import DEFAULT_PRICES, PriceTable

DEFAULT_MODEL = "claude-sonnet-4-6"

Openness = Literal["metadata", "values"]
"""``metadata``: no stored value leaves, but those that an accepted layer itself names. ``values``: also values of columns
that are not personal, as far as this person may see them."""


class ModelSettings(BaseModel):
    """A configured model.

    Attributes
    ----------
    key
        The vendor's key; never logged, never in a recording.
    base_url
        None: the vendor's own address. A gateway, a proxy in the company, a scripted server in tests.
    ca_file
        PEM file of authorities to trust besides the system's (``SSL_CERT_FILE``, ``SSL_CERT_DIR`` where set); None: those
        alone. Proxies come from ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``.
    max_output_tokens
        Of one reply.
    context_tokens
        What the part of the prompt that depends on the source may take, estimated.
    connect_timeout_ms, first_token_timeout_ms, idle_timeout_ms, whole_timeout_ms
        For the connection, until something of the reply has come, between two pieces of it, and for a whole question with
        its repairs and retries.
    max_retries
        Of a request that was turned away (429, 500, 529) before anything of a reply came; 0: none.
    strict_tools
        Ask the service to hold the small tools' arguments to their schema. What it gives is validated here in any case.
    prices
        Euros per million tokens, by model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    key: SecretStr
    base_url: str | None = None
    model: str = Field(default=DEFAULT_MODEL, min_length=1)
    openness: Openness = "metadata"
    ca_file: str | None = None
    max_output_tokens: int = Field(default=3_000, ge=256, le=64_000)
    context_tokens: int = Field(default=14_000, ge=1_000, le=150_000)
    connect_timeout_ms: int = Field(default=5_000, ge=1)
    first_token_timeout_ms: int = Field(default=20_000, ge=1)
    idle_timeout_ms: int = Field(default=15_000, ge=1)
    whole_timeout_ms: int = Field(default=60_000, ge=1)
    max_retries: int = Field(default=2, ge=0, le=5)
    strict_tools: bool = True
    prices: PriceTable = DEFAULT_PRICES


_VARIABLES = {
    "ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": "base_url", "DATAPILOT_MODEL": "model",
    "DATAPILOT_MODEL_OPENNESS": "openness", "DATAPILOT_MODEL_CA_FILE": "ca_file",
    "DATAPILOT_MODEL_CONTEXT_TOKENS": "context_tokens", "DATAPILOT_MODEL_MAX_OUTPUT_TOKENS": "max_output_tokens",
    "DATAPILOT_MODEL_TIMEOUT_MS": "whole_timeout_ms", "DATAPILOT_MODEL_FIRST_TOKEN_TIMEOUT_MS": "first_token_timeout_ms",
    "DATAPILOT_MODEL_CONNECT_TIMEOUT_MS": "connect_timeout_ms", "DATAPILOT_MODEL_MAX_RETRIES": "max_retries",
}  # fmt: skip
"""Which variable sets what; an empty one counts as not set."""

ENVIRONMENT: tuple[str, ...] = tuple(_VARIABLES)


def settings_from_environment(environment: Mapping[str, str]) -> ModelSettings | None:
    """Return the settings that these variables make; None without a key.

    Raises
    ------
    BadInput
        A variable holds what its setting does not take; the message names the variable, never its value.
    """
    given = {field: environment[name] for name, field in _VARIABLES.items() if environment.get(name)}
    if "key" not in given:
        return None
    try:
        return ModelSettings.model_validate(given)
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        name = next(n for n, f in _VARIABLES.items() if f == field)
        raise BadInput("claude.bad_setting", name=name) from None
