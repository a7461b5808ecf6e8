"""Sources: « Connectez vos données » in three steps, and each source's own page."""

from __future__ import annotations

from hub_config.pages.serving import Page

PAGES: tuple[Page, ...] = ()
