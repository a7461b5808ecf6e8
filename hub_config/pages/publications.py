"""From a request to a page: what will be seen by whom, versions, rights, publishing, way back."""

from __future__ import annotations

from hub_config.pages.serving import Page

PAGES: tuple[Page, ...] = ()
