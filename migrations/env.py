"""Alembic's entry: runs the migrations on the connection that the caller passes in.

``pannier migrate`` and the tests pass one. A lock keeps two processes that start together from migrating at once;
``lock_timeout`` keeps a migration from queueing behind a long transaction and blocking everybody.
"""

from alembic import context
from sqlalchemy import Connection, text

import app.bundles.models
import app.commerce.cart
import app.commerce.catalog
import app.commerce.customer
import app.commerce.order
import app.commerce.store
import app.connections.models
import app.decisions.models
import app.events.models
import app.experiments.models
import app.imports.models
import app.monitoring.models
import app.pricing.models
import app.privacy.models
import app.recommendations.models
import app.rules.models
import app.segments.models
import webhooks.models
from app.core.db import Model

_LOCK = 7_402_101

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Model.metadata, compare_type=True)
with context.begin_transaction():
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    connection.execute(text("SET LOCAL lock_timeout = '10s'"))
    context.run_migrations()
