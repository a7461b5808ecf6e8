"""Questions: the one road to the data plus tenant, rights, quota, cache, cancel and audit.

::

    service        QueryService: from a person and a request to an ended query
    scheduler      lines of tenants, fair; the gate of those that compute
    engines        prepared engines by rights
    cache          results kept for equal rights; one execution for equal questions at once
    quotas         what a tenant may use, counted atomically
    record         history and audit of each query, in one transaction
    results        results kept for a while, on disk
    renderings     results as pages, Arrow, CSV, XLSX, Parquet
    frames         whole results, streamed from the source
    conversations  turns: questions and plans, never results
    history        what a person asked, feedback
"""

from __future__ import annotations

from hub_config.queries.model import Asked, Ended
from hub_config.queries.service import QueryService, Running

__all__ = ["Asked", "Ended", "QueryService", "Running"]
