"""Counters and timings for ``/metrics``, in Prometheus' format.

Each process counts for itself; label values are fixed words, never ids or addresses.
"""

from prometheus_client import Counter, Histogram

WEBHOOKS = Counter("pannier_webhooks_total", "Webhook requests by outcome.", ["platform", "outcome"])
DELIVERIES = Counter("pannier_deliveries_total", "Drained deliveries by outcome.", ["platform", "outcome"])
DRAIN_SECONDS = Histogram("pannier_drain_batch_seconds", "Time of one drained batch.")
ANSWERS = Counter("pannier_answers_total", "Recommendation answers by source.", ["source"])
