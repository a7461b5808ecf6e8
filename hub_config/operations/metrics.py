"""Prometheus metrics of one service, in a registry of their own (several applications may live in one test process).

No label ever holds a tenant, a person, a path as typed or a value: routes are their templates.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class Metrics:
    """The metrics, by name as attributes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "datapilot_http_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.request_seconds = Histogram(
            "datapilot_http_request_seconds",
            "Time to the last byte",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.queries = Counter(
            "datapilot_queries",
            "Questions, plans and statements by outcome",
            ["kind", "outcome", "engine"],
            registry=self.registry,
        )
        self.query_seconds = Histogram(
            "datapilot_query_seconds",
            "From asking to outcome, waiting included",
            ["kind"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.waiting_seconds = Histogram(
            "datapilot_query_waiting_seconds", "Waiting for a turn", buckets=_SECONDS, registry=self.registry
        )
        self.running = Gauge("datapilot_queries_running", "Queries running", registry=self.registry)
        self.waiting = Gauge("datapilot_queries_waiting", "Queries waiting for a turn", registry=self.registry)
        self.cache = Counter("datapilot_result_cache", "Look-ups of the result cache", ["result"], registry=self.registry)
        self.refused = Counter("datapilot_refused", "Requests turned away", ["reason"], registry=self.registry)
        self.model_microeuros = Counter("datapilot_model_microeuros", "Spent on the language model", registry=self.registry)
        self.jobs = Counter("datapilot_jobs", "Background jobs ended", ["kind", "status"], registry=self.registry)

    def exposition(self) -> bytes:
        """Return the text that Prometheus reads."""
        return generate_latest(self.registry)
