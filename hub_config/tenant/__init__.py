"""A tenant as a whole: its name and quotas, the export of its own data, and its deletion, proved."""

from __future__ import annotations

from hub_config.tenant.departure import Certificate, Departure
from hub_config.tenant.office import Office, QuotaView

__all__ = ["Certificate", "Departure", "Office", "QuotaView"]
