"""The composition root: the one place that knows every blueprint."""

from typing import Final

from flask import Flask, Response, request
from sqlalchemy import Engine, make_url, select
from sqlalchemy.exc import ArgumentError

from app.bundles import jobs as bundle_jobs
from app.bundles import routes as offers
from app.commerce import carts
from app.commerce.store import AccessCache, Store
from app.connections import connection
from app.connections import routes as install
from app.core import embedded, health
from app.core.api import ProblemApi, register_errors, security_headers
from app.core.config import ConfigurationError, Settings, load_settings
from app.core.crypto import keys_on_disk, open_vault
from app.core.db import db, init_db
from app.core.documentation import init_documentation
from app.core.errors import NotFound
from app.core.limits import init_limits
from app.core.logging import configure_logging
from app.core.queues import DELIVERIES, LEARNING, HintSender, enqueue
from app.core.redis import init_redis
from app.decisions import attribution_routes as attribution
from app.decisions import routes as decisions
from app.decisions.log import DecisionLog
from app.decisions.rooms import DecisionsRoom
from app.events import identity_routes as identity
from app.events import routes as events
from app.events.identity import person_of
from app.events.intake import EventIntake
from app.events.links import LinksRoom
from app.events.personal import EventsRoom
from app.experiments import report_routes as experiment_reports
from app.experiments import routes as experiments
from app.experiments.exposures import ExposuresRoom
from app.monitoring import alerts
from app.monitoring import jobs as monitoring_jobs
from app.monitoring import routes as monitoring
from app.monitoring import slot_routes as slots
from app.pricing import jobs as price_jobs
from app.pricing import ledger_routes as ledger
from app.pricing import quote_routes as quotes
from app.pricing import routes as prices
from app.pricing.quote_rooms import QuotesRoom
from app.privacy import choices, suppression
from app.privacy import jobs as privacy_jobs
from app.privacy import routes as privacy
from app.privacy.commerce_room import CommerceRoom
from app.privacy.consent_room import ConsentRoom, ExportsRoom
from app.recommendations import evidence, learning, replay, reports, serving, widget
from app.recommendations import guard_routes as guard
from app.recommendations import routes as recommendations
from app.recommendations.jobs import PUBLISH
from app.recommendations.personal import PersonalRoom
from app.recommendations.ready_bytes import ReadyBytes, ReadyLane
from app.recommendations.strategies import SLOTS, STRATEGIES
from app.rules import routes as rules
from app.rules.schemas import checked
from app.segments import routes as segments
from app.segments.rooms import SegmentsRoom
from webhooks import deliveries
from webhooks import routes as webhooks
from webhooks.express import ExpressLane
from webhooks.intake import Intake
from webhooks.jobs import DRAIN, measure
from webhooks.personal import DeliveriesRoom

_DRIVER: Final = "postgresql+psycopg"
# analytics.js sends its write key as Authorization, and how often it tried; RudderStack's whose event it is.
_ALLOWED_HEADERS: Final = (
    "AnonymousId, Authorization, Content-Type, X-Pannier-Key, X-Pannier-Visitor, X-Pannier-Customer, X-Retry-Count,"
    " Idempotency-Key"
)
_SECURITY_SCHEMES = {
    "publishableKey": {"type": "apiKey", "in": "header", "name": "X-Pannier-Key"},
    "publishableKeyInQuery": {"type": "apiKey", "in": "query", "name": "key"},
    "secretKey": {"type": "http", "scheme": "bearer"},
    "writeKey": {"type": "http", "scheme": "basic"},
}

# What stands in the OpenAPI document, in this order.
_DESCRIBED: Final = (
    recommendations.blueprint,
    carts.blueprint,
    deliveries.blueprint,
    connection.blueprint,
    reports.blueprint,
    choices.blueprint,
    privacy.blueprint,
    events.blueprint,
    identity.blueprint,
    events.reports,
    decisions.blueprint,
    decisions.reports,
    segments.blueprint,
    guard.blueprint,
    slots.blueprint,
    rules.blueprint,
    experiments.blueprint,
    experiment_reports.blueprint,
    attribution.blueprint,
    offers.blueprint,
    prices.blueprint,
    quotes.blueprint,
    ledger.blueprint,
    monitoring.freshness_blueprint,
    monitoring.drift_blueprint,
    monitoring.blueprint,
)


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application: the HTTP service, and the context that jobs and commands run in.

    Without ``settings`` they come from the environment. Where no database is named, the embedded services
    that another command of this checkout started are used.

    Raises:
        ConfigurationError: if a setting is wrong or no database is there. One sentence.
    """
    settings = settings or load_settings()
    configure_logging(settings.log_level, settings.log_format)
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config.update(
        MAX_CONTENT_LENGTH=settings.request_max_bytes,
        API_TITLE="Pannier",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {"description": "What goes into the basket together."},
            "components": {"securitySchemes": _SECURITY_SCHEMES},
        },
    )
    database_url, redis_url = _service_urls(settings)
    open_vault(settings.secret_keys or _development_keys(settings))
    init_db(app, database_url)
    try:
        init_redis(app, redis_url)
    except ValueError as error:
        raise ConfigurationError("REDIS_URL is no address such as redis://:password@host:6379/0.") from error
    init_limits(app, settings.failures_per_minute)
    _furnish(app, settings)
    register_errors(app)
    app.after_request(security_headers)
    app.before_request(_refuse_nul)
    app.before_request(_preflight)
    api = ProblemApi(app)
    for described in _DESCRIBED:
        api.register_blueprint(described)
    for blueprint in (health.blueprint, widget.blueprint, webhooks.blueprint, install.blueprint):
        app.register_blueprint(blueprint)
    init_documentation(app, api.spec)
    lane = ExpressLane(app.wsgi_app, app.extensions["pannier_intake"], settings.webhook_max_bytes)
    app.wsgi_app = ReadyLane(  # type: ignore[method-assign]
        events.ShortAddresses(lane),
        app.extensions["pannier_ready_bytes"],
        app.extensions["pannier_decisions"],
    )
    return app


def _furnish(app: Flask, settings: Settings) -> None:
    """Put into the application what its rooms hold for the process, and what a lower room needs of a higher one."""
    app.extensions["pannier_settings"] = settings
    app.extensions["pannier_access"] = AccessCache()
    app.extensions["pannier_ready_bytes"] = ReadyBytes(settings.ready_bytes_ms)
    engine: Engine = app.extensions["pannier_engine"]
    hints = HintSender(app, DELIVERIES, DRAIN)
    app.extensions["pannier_intake"] = Intake(engine, settings.shopify_secrets, hints)
    app.extensions["pannier_events"] = EventIntake(engine, settings.event_retention_days)
    app.extensions["pannier_decisions"] = DecisionLog(engine)
    app.extensions["pannier_replay"] = replay.replay
    app.extensions["pannier_redecide"] = replay.redecide
    app.extensions["pannier_preview"] = serving.preview
    app.extensions["pannier_evidence"] = evidence.together
    app.extensions["pannier_measures"] = (
        measure,
        privacy_jobs.measure,
        monitoring_jobs.measure,
        bundle_jobs.measure,
        price_jobs.measure,
    )
    # Whatever keeps personal data: asked for it, and told to remove it, by app.privacy.
    app.extensions["pannier_rooms"] = (
        EventsRoom(),
        PersonalRoom(),
        LinksRoom(),
        DecisionsRoom(),
        ExposuresRoom(),
        ConsentRoom(),
        ExportsRoom(),
        DeliveriesRoom(),
        SegmentsRoom(),
        QuotesRoom(),
        CommerceRoom(learning.learn, lambda store_id: enqueue(LEARNING, PUBLISH, store_id)),
    )
    app.extensions["pannier_nodes_of"] = person_of
    app.extensions["pannier_admission"] = suppression.without
    # Whom to tell of what, for the rooms below monitoring.
    app.extensions["pannier_raise_alert"] = alerts.raise_alert
    app.extensions["pannier_clear_alert"] = alerts.clear_alert
    # What experiments may name, and know nothing of.
    app.extensions["pannier_slots"] = frozenset(SLOTS)
    app.extensions["pannier_strategies"] = frozenset(STRATEGIES)
    app.extensions["pannier_check_rules"] = checked


def _service_urls(settings: Settings) -> tuple[str, str]:
    running = None
    if not (settings.database_url and settings.redis_url):
        running = embedded.status(settings.var_dir)
    database_url = settings.database_url or (running and running.database_url)
    redis_url = settings.redis_url or (running and running.redis_url)
    if not database_url or not redis_url:
        missing = "DATABASE_URL" if not database_url else "REDIS_URL"
        raise ConfigurationError(
            f"{missing} is not set and no embedded service runs; set it, or start one with `pannier services`."
        )
    return _database_url(database_url), redis_url


def _database_url(address: str) -> str:
    """Return ``address`` with the driver that is here: hosting platforms hand out plain postgresql:// ones."""
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise ConfigurationError(
            "DATABASE_URL is no address such as postgresql://user:password@host/name."
        ) from error
    if url.drivername not in ("postgres", "postgresql", _DRIVER):
        raise ConfigurationError("DATABASE_URL must name a PostgreSQL database (postgresql://…).")
    return url.set(drivername=_DRIVER).render_as_string(hide_password=False)


def _development_keys(settings: Settings) -> tuple[str, ...]:
    """Return keys kept beside the embedded database; a database of one's own needs keys of one's own."""
    if settings.database_url:
        raise ConfigurationError(
            "PANNIER_SECRET_KEYS is not set; make a key with `pannier new-secret-key` and keep it safe."
        )
    return keys_on_disk(settings.var_dir / "secret.key")


def _refuse_nul() -> None:
    """Refuse what no name in an address of the API holds, and no text of PostgreSQL."""
    path: str = request.environ["PATH_INFO"]
    if "\0" in path and path.startswith("/v1/"):
        raise NotFound("Nothing is at this address.")


def _preflight() -> Response | None:
    """Answer a browser's CORS preflight for pages of known shops. It carries no key yet."""
    if request.method != "OPTIONS" or not request.path.startswith("/v1/"):
        return None
    origin = request.headers.get("Origin", "")
    response = Response(status=204)
    response.vary.add("Origin")
    known = select(Store.id).where(Store.origins.contains([origin]), Store.uninstalled_at.is_(None)).limit(1)
    if origin.isprintable() and db.session.scalar(known) is not None:
        response.headers.update(
            {
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Allow-Methods": "GET, POST, PUT",
                "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
                "Access-Control-Max-Age": "86400",
            }
        )
    return response
