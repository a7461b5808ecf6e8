"""The semantic layer's pages: a form for the common, YAML with its check, draft, history, a question to try."""

from __future__ import annotations

from hub_config.pages.serving import Page

PAGES: tuple[Page, ...] = ()
