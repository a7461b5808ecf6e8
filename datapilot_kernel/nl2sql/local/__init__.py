"""The local engine: French (and English) questions to plans, deterministic and offline."""

from datapilot_kernel.nl2sql.local.engine import LocalEngine

__all__ = ["LocalEngine"]
