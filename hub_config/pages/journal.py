"""The record of what was done, searched and exported."""

from __future__ import annotations

from hub_config.pages.serving import Page

PAGES: tuple[Page, ...] = ()
