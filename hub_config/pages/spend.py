"""Quotas and spend."""

from __future__ import annotations

from hub_config.pages.serving import Page

PAGES: tuple[Page, ...] = ()
