"""The one error of the hub's pages that carries a sentence of ours. Anything else is shown by its status alone.

The hub's own messages are English and name users, scopes and addresses: they go to the log.
"""

from __future__ import annotations

from typing import Any

from tornado import web

from datapilot_kernel.messages import Language, text


class Said(web.HTTPError):
    """A problem with a catalogue's sentence, shown as it is.

    Attributes
    ----------
    said
        The sentence.
    headers
        Headers of the answer.
    """

    def __init__(
        self,
        key: str,
        /,
        *,
        status: int,
        language: Language = "fr",
        retry_after: int | None = None,
        log: str | None = None,
        **values: Any,
    ) -> None:
        super().__init__(status, (log or key).replace("%", "%%"))
        self.said = text(key, language=language, count=values.get("minutes", 0), **values)
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}


def sentence_for(status: int, problem: object, language: Language = "fr") -> str:
    """Return what a person reads of an error: ours as said, the hub's by its status."""
    if isinstance(problem, Said):
        return problem.said
    from hub_config.hub.spawning.base import StartFailed

    if isinstance(problem, StartFailed):
        return problem.message
    known = {400, 401, 403, 404, 405, 424, 429, 503}
    return text(f"hub_pages.error_{status}" if status in known else "hub_pages.error_500", language=language)


def title_for(status: int, language: Language = "fr") -> str:
    """Return the heading of an error's page."""
    known = {403, 404, 429, 503}
    return text(f"hub_pages.title_{status}" if status in known else "hub_pages.title_other", language=language)
