"""The tenants' sources: connections behind the wall of networks, uploaded files, catalogs, semantic layers."""

from __future__ import annotations

from hub_config.data_sources.manager import DataSources, Opened

__all__ = ["DataSources", "Opened"]
