"""Offers, their limits and what happened to them; price rules, changes, the ledger, competitors' prices and quotes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_TEXTS = postgresql.ARRAY(sa.Text)
_JSON = postgresql.JSONB


def upgrade() -> None:
    """Apply."""
    _offers()
    _prices()
    _quotes()


def _store() -> sa.Column:
    return sa.Column("store_id", sa.BigInteger, autoincrement=False, nullable=False)


def _of_store(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["store_id"], ["store.id"], name=op.f(f"fk_{table}_store_id_store"), ondelete="CASCADE"
    )


def _offers() -> None:
    op.create_table(
        "offer",
        sa.Column("id", sa.BigInteger, nullable=False),
        _store(),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("reason_code", sa.String),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("components", _JSON, nullable=False),
        sa.Column("discounted", _TEXTS, nullable=False),
        sa.Column("discount_kind", sa.String, nullable=False),
        sa.Column("discount_value", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("starts_at", _TIME, nullable=False),
        sa.Column("ends_at", _TIME),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("rule_id", sa.String),
        sa.Column("evidence", _JSON, nullable=False),
        sa.Column("profit", _JSON),
        sa.Column("prices", _JSON, nullable=False),
        sa.Column("platform", _JSON),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("approved_at", _TIME),
        sa.Column("approved_by", sa.String),
        sa.Column("live_at", _TIME),
        sa.Column("ended_at", _TIME),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("retry_at", _TIME),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer")),
        _of_store("offer"),
        sa.UniqueConstraint("store_id", "key", name=op.f("uq_offer_store_id_key")),
    )
    op.create_index(op.f("ix_offer_store_id_state"), "offer", ["store_id", "state"])
    op.create_table(
        "offer_event",
        sa.Column("id", sa.BigInteger, nullable=False),
        _store(),
        sa.Column("offer_key", sa.String, nullable=False),
        sa.Column("at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("detail", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer_event")),
        _of_store("offer_event"),
    )
    op.create_index(
        op.f("ix_offer_event_store_id_offer_key_id"), "offer_event", ["store_id", "offer_key", "id"]
    )
    op.create_table(
        "offer_limits",
        _store(),
        sa.Column("limits", _JSON, nullable=False),
        sa.Column("updated_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_offer_limits")),
        _of_store("offer_limits"),
    )


def _prices() -> None:
    op.create_table(
        "price_rule",
        sa.Column("id", sa.BigInteger, nullable=False),
        _store(),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("mode", sa.String, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("definition", _JSON, nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_rule")),
        _of_store("price_rule"),
        sa.UniqueConstraint("store_id", "key", name=op.f("uq_price_rule_store_id_key")),
    )
    op.create_table(
        "price_change",
        sa.Column("id", sa.BigInteger, nullable=False),
        _store(),
        sa.Column("rule_key", sa.String),
        sa.Column("product_id", sa.String, nullable=False),
        sa.Column("variant_id", sa.String, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("old_price", sa.BigInteger, nullable=False),
        sa.Column("new_price", sa.BigInteger, nullable=False),
        sa.Column("old_compare_at_price", sa.BigInteger),
        sa.Column("new_compare_at_price", sa.BigInteger),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("signals", _JSON, nullable=False),
        sa.Column("experiment", sa.String),
        sa.Column("arm", sa.String),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("problem", sa.String),
        sa.Column("undo_of", sa.BigInteger),
        sa.Column("proposed_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("decided_at", _TIME),
        sa.Column("written_at", _TIME),
        sa.Column("undone_at", _TIME),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_change")),
        _of_store("price_change"),
    )
    op.create_index(op.f("ix_price_change_store_id_state"), "price_change", ["store_id", "state"])
    op.create_index(
        op.f("ix_price_change_store_id_variant_id_proposed_at"),
        "price_change",
        ["store_id", "variant_id", "proposed_at"],
    )
    op.create_table(
        "price_period",
        sa.Column("id", sa.BigInteger, nullable=False),
        _store(),
        sa.Column("product_id", sa.String, nullable=False),
        sa.Column("variant_id", sa.String, nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("compare_at_price", sa.BigInteger),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("from_at", _TIME, nullable=False),
        sa.Column("until_at", _TIME),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("change_id", sa.BigInteger),
        sa.Column("reason", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_period")),
        _of_store("price_period"),
    )
    op.create_index(op.f("ix_price_period_store_id_product_id"), "price_period", ["store_id", "product_id"])
    op.create_index(
        op.f("ix_price_period_store_id_variant_id_from_at"),
        "price_period",
        ["store_id", "variant_id", "from_at"],
    )
    op.create_index(
        op.f("uq_price_period_open"),
        "price_period",
        ["store_id", "variant_id"],
        unique=True,
        postgresql_where=sa.text("until_at IS NULL"),
    )
    op.create_table(
        "competitor_price",
        _store(),
        sa.Column("product_id", sa.String, nullable=False),
        sa.Column("competitor", sa.String, nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("store_id", "product_id", "competitor", name=op.f("pk_competitor_price")),
        _of_store("competitor_price"),
    )


def _quotes() -> None:
    op.create_table(
        "price_quote",
        _store(),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("product_id", sa.String, nullable=False),
        sa.Column("variant_id", sa.String, nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("list_price", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("customer", sa.LargeBinary),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("issued_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("redeemed_at", _TIME),
        sa.PrimaryKeyConstraint("store_id", "id", name=op.f("pk_price_quote")),
        _of_store("price_quote"),
    )
    op.create_index(op.f("ix_price_quote_store_id_customer"), "price_quote", ["store_id", "customer"])
    op.create_index(op.f("ix_price_quote_store_id_expires_at"), "price_quote", ["store_id", "expires_at"])
    op.create_table(
        "quote_secret",
        _store(),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "id", name=op.f("pk_quote_secret")),
        _of_store("quote_secret"),
    )


def downgrade() -> None:
    """Take back."""
    for table in (
        "quote_secret",
        "price_quote",
        "competitor_price",
        "price_period",
        "price_change",
        "price_rule",
    ):
        op.drop_table(table)
    for table in ("offer_limits", "offer_event", "offer"):
        op.drop_table(table)
