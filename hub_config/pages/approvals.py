"""What waits for an administrator: verified questions, publication requests."""

from __future__ import annotations

from hub_config.pages.serving import Page

PAGES: tuple[Page, ...] = ()
