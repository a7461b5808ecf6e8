"""The language model: whether there is one, and until when its vendor keeps it. Nothing is sent to it."""

from __future__ import annotations

from collections.abc import Iterator

from hub_config.doctor import Finding, Installation, ok, problem


def look(installation: Installation) -> Iterator[Finding]:
    """Look at the model's settings."""
    from datapilot_kernel.nl2sql.claude.wire import ModelProblem

    settings = installation.settings
    if settings.model_key is None or not settings.model_key.get_secret_value():
        yield ok("model", "model_none")
        return
    try:
        from datapilot_kernel.nl2sql.claude.adapter import retirement
        from datapilot_kernel.nl2sql.claude.settings import DEFAULT_MODEL

        name = settings.model_name or DEFAULT_MODEL
        until = retirement(name)
    except (ModelProblem, ImportError):
        yield problem("model", "model_not_installed")
        return
    yield ok("model", "model", name=name) if until is None else problem("model", "model_retired", name=name, date=until)
