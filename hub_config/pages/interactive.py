"""A published notebook with a kernel of its own for its viewer."""

from __future__ import annotations

from hub_config.pages.serving import Page

PAGES: tuple[Page, ...] = ()
