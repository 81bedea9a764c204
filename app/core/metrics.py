"""Counters and timings for ``/metrics``, in Prometheus' format.

Each web process counts for itself; gauges are read from the database at each scrape, since drains run in processes
that nobody scrapes. Label values are fixed words, never ids or addresses.
"""

from prometheus_client import Counter, Gauge

WEBHOOKS = Counter("pannier_webhooks_total", "Webhook requests by outcome.", ["platform", "outcome"])
PENDING = Gauge("pannier_deliveries_pending", "Deliveries that wait to be processed.")
OLDEST_PENDING = Gauge("pannier_oldest_pending_seconds", "How long the oldest of them has waited.")
STALE = Gauge("pannier_lists_stale", "Products whose published list is older than their counts.")
ANSWERS = Counter("pannier_answers_total", "Recommendation answers by source.", ["source"])
EVENTS = Counter("pannier_events_total", "Events by what became of them.", ["outcome", "reason"])
DECISIONS = Counter("pannier_decisions_total", "Answers for the log of decisions by outcome.", ["outcome"])
PRIVACY_REQUESTS = Gauge(
    "pannier_privacy_requests_open", "Privacy requests of people that are not carried out."
)
PRIVACY_OVERDUE = Gauge("pannier_privacy_requests_overdue", "Those of them whose due date has passed.")
FRESHNESS = Gauge(
    "pannier_freshness_seconds", "Age of the newest news, of the store where it is oldest.", ["source"]
)
FRESHNESS_STORES = Gauge("pannier_freshness_stores", "Stores by how a source stands.", ["source", "level"])
ALERTS = Gauge("pannier_alerts_open", "Alerts that are not over.", ["source", "level"])
OFFERS = Gauge("pannier_offers", "Offers by state.", ["state"])
OFFERS_FAILING = Gauge(
    "pannier_offers_failing",
    "Offers that their shop does not grant or let go as it should, by why.",
    ["reason"],
)
PRICE_CHANGES = Gauge("pannier_price_changes_open", "Price changes that are not over.", ["state"])
