"""The shared commerce model, the inbox, the counts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "neighbour_segment",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_neighbour_segment")),
    )
    op.create_index(
        op.f("ix_neighbour_segment_store_id_product_id"),
        "neighbour_segment",
        ["store_id", "product_id"],
        unique=False,
    )
    op.create_table(
        "store",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("origins", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("webhook_token", sa.String(), nullable=True),
        sa.Column("credentials", sa.LargeBinary(), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("connection_problem", sa.String(), nullable=True),
        sa.Column("installed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("uninstalled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store")),
        sa.UniqueConstraint("platform", "domain", name=op.f("uq_store_platform_domain")),
        sa.UniqueConstraint("webhook_token", name=op.f("uq_store_webhook_token")),
    )
    op.create_table(
        "cart",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("source_updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state_digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_cart_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cart")),
        sa.UniqueConstraint("store_id", "token_hash", name=op.f("uq_cart_store_id_token_hash")),
    )
    op.create_index(
        op.f("ix_cart_store_id_source_updated_at"), "cart", ["store_id", "source_updated_at"], unique=False
    )
    op.create_table(
        "customer",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("platform_id", sa.String(), nullable=True),
        sa.Column("identity_hash", sa.LargeBinary(), nullable=True),
        sa.Column("source_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "platform_id IS NOT NULL OR identity_hash IS NOT NULL", name=op.f("ck_customer_known")
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_customer_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("store_id", "platform_id", name=op.f("uq_customer_store_id_platform_id")),
    )
    op.create_index(
        "ix_customer_store_id_identity_hash", "customer", ["store_id", "identity_hash"], unique=False
    )
    op.create_index(
        "uq_customer_guest",
        "customer",
        ["store_id", "identity_hash"],
        unique=True,
        postgresql_where=sa.text("platform_id IS NULL"),
    )
    op.create_table(
        "inventory_level",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("inventory_item_id", sa.String(), nullable=False),
        sa.Column("location_id", sa.String(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("source_updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_inventory_level_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "store_id", "inventory_item_id", "location_id", name=op.f("pk_inventory_level")
        ),
    )
    op.create_table(
        "learned_model",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Date(), nullable=False),
        sa.Column("half_life_days", sa.Double(), nullable=False),
        sa.Column("basket_cap", sa.Integer(), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rebuilt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("learned_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_learned_model_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_learned_model")),
    )
    op.create_table(
        "order_adjustment",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("order_platform_id", sa.String(), nullable=False),
        sa.Column("adjustment_id", sa.String(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_order_adjustment_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_adjustment")),
        sa.UniqueConstraint(
            "store_id", "adjustment_id", name=op.f("uq_order_adjustment_store_id_adjustment_id")
        ),
    )
    op.create_index(
        op.f("ix_order_adjustment_store_id_order_platform_id"),
        "order_adjustment",
        ["store_id", "order_platform_id"],
        unique=False,
    )
    op.create_table(
        "order_tombstone",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("platform_id", sa.String(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_order_tombstone_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("store_id", "platform_id", name=op.f("pk_order_tombstone")),
    )
    op.create_table(
        "privacy_request",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("customer_platform_id", sa.String(), nullable=True),
        sa.Column("identity_hash", sa.LargeBinary(), nullable=True),
        sa.Column("orders", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_privacy_request_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_privacy_request")),
        sa.UniqueConstraint("store_id", "request_id", name=op.f("uq_privacy_request_store_id_request_id")),
    )
    op.create_index(
        op.f("ix_privacy_request_store_id_requested_at"),
        "privacy_request",
        ["store_id", "requested_at"],
        unique=False,
    )
    op.create_table(
        "product",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("platform_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("visible", sa.Boolean(), nullable=False),
        sa.Column("stated_available", sa.Boolean(), nullable=True),
        sa.Column("available", sa.Boolean(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("image_url", sa.String(), nullable=True),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("vendor", sa.String(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("gift_card", sa.Boolean(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=True),
        sa.Column("compare_at_price", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("source_updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state_digest", sa.LargeBinary(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_product_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sa.UniqueConstraint("store_id", "platform_id", name=op.f("uq_product_store_id_platform_id")),
    )
    op.create_table(
        "product_count",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.Column("popularity", sa.BigInteger(), nullable=False),
        sa.Column("stale", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_product_count_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("store_id", "product_id", name=op.f("pk_product_count")),
    )
    op.create_index(
        "ix_product_count_popularity",
        "product_count",
        ["store_id", sa.literal_column("popularity DESC")],
        unique=False,
    )
    op.create_index(
        "ix_product_count_stale",
        "product_count",
        ["store_id", "product_id"],
        unique=False,
        postgresql_where=sa.text("stale"),
    )
    op.create_table(
        "published_list",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("strategy", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("items", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_published_list_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("store_id", "strategy", "subject", name=op.f("pk_published_list")),
    )
    op.create_table(
        "store_key",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("shown", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_store_key_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_store_key_digest")),
    )
    op.create_index(op.f("ix_store_key_store_id_kind"), "store_key", ["store_id", "kind"], unique=False)
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("dedupe_key", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=True),
        sa.Column("api_version", sa.String(), nullable=True),
        sa.Column("triggered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("body_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.String(), server_default="pending", nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_webhook_delivery_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint("store_id", "dedupe_key", name=op.f("uq_webhook_delivery_store_id_dedupe_key")),
    )
    op.create_index(
        "ix_webhook_delivery_pending",
        "webhook_delivery",
        ["store_id", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        op.f("ix_webhook_delivery_store_id_received_at"),
        "webhook_delivery",
        ["store_id", "received_at"],
        unique=False,
    )
    op.create_table(
        "cart_line",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("cart_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("variant_platform_id", sa.String(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cart_id"], ["cart.id"], name=op.f("fk_cart_line_cart_id_cart"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_cart_line_product_id_product")),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_cart_line_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("store_id", "cart_id", "position", name=op.f("pk_cart_line")),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("platform_id", sa.String(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("cart_token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state_digest", sa.LargeBinary(), nullable=False),
        sa.Column("adjustment_ids", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("basket", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_orders_customer_id_customer"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_orders_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("store_id", "platform_id", name=op.f("uq_orders_store_id_platform_id")),
    )
    op.create_index(
        op.f("ix_orders_store_id_customer_id"), "orders", ["store_id", "customer_id"], unique=False
    )
    op.create_index(op.f("ix_orders_store_id_placed_at"), "orders", ["store_id", "placed_at"], unique=False)
    op.create_table(
        "variant",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("platform_id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("sku", sa.String(), nullable=True),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("compare_at_price", sa.BigInteger(), nullable=True),
        sa.Column("stock", sa.BigInteger(), nullable=True),
        sa.Column("sells_when_out", sa.Boolean(), nullable=False),
        sa.Column("stated_available", sa.Boolean(), nullable=True),
        sa.Column("inventory_item_id", sa.String(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("image_url", sa.String(), nullable=True),
        sa.Column("source_updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state_digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_variant_product_id_product"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_variant_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variant")),
        sa.UniqueConstraint("store_id", "platform_id", name=op.f("uq_variant_store_id_platform_id")),
    )
    op.create_index(
        op.f("ix_variant_store_id_inventory_item_id"),
        "variant",
        ["store_id", "inventory_item_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_variant_store_id_product_id"), "variant", ["store_id", "product_id"], unique=False
    )
    op.create_table(
        "order_line",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("platform_id", sa.String(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=True),
        sa.Column("variant_platform_id", sa.String(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("stated_quantity", sa.BigInteger(), nullable=False),
        sa.Column("current_quantity", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("discount", sa.BigInteger(), nullable=False),
        sa.Column("gift_card", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_order_line_order_id_orders"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_order_line_product_id_product")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_line")),
        sa.UniqueConstraint(
            "store_id", "order_id", "platform_id", name=op.f("uq_order_line_store_id_order_id_platform_id")
        ),
    )
    op.create_index(
        op.f("ix_order_line_store_id_product_id"), "order_line", ["store_id", "product_id"], unique=False
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index(op.f("ix_order_line_store_id_product_id"), table_name="order_line")
    op.drop_table("order_line")
    op.drop_index(op.f("ix_variant_store_id_product_id"), table_name="variant")
    op.drop_index(op.f("ix_variant_store_id_inventory_item_id"), table_name="variant")
    op.drop_table("variant")
    op.drop_index(op.f("ix_orders_store_id_placed_at"), table_name="orders")
    op.drop_index(op.f("ix_orders_store_id_customer_id"), table_name="orders")
    op.drop_table("orders")
    op.drop_table("cart_line")
    op.drop_index(op.f("ix_webhook_delivery_store_id_received_at"), table_name="webhook_delivery")
    op.drop_index(
        "ix_webhook_delivery_pending",
        table_name="webhook_delivery",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.drop_table("webhook_delivery")
    op.drop_index(op.f("ix_store_key_store_id_kind"), table_name="store_key")
    op.drop_table("store_key")
    op.drop_table("published_list")
    op.drop_index("ix_product_count_stale", table_name="product_count", postgresql_where=sa.text("stale"))
    op.drop_index("ix_product_count_popularity", table_name="product_count")
    op.drop_table("product_count")
    op.drop_table("product")
    op.drop_index(op.f("ix_privacy_request_store_id_requested_at"), table_name="privacy_request")
    op.drop_table("privacy_request")
    op.drop_table("order_tombstone")
    op.drop_index(op.f("ix_order_adjustment_store_id_order_platform_id"), table_name="order_adjustment")
    op.drop_table("order_adjustment")
    op.drop_table("learned_model")
    op.drop_table("inventory_level")
    op.drop_index("uq_customer_guest", table_name="customer", postgresql_where=sa.text("platform_id IS NULL"))
    op.drop_index("ix_customer_store_id_identity_hash", table_name="customer")
    op.drop_table("customer")
    op.drop_index(op.f("ix_cart_store_id_source_updated_at"), table_name="cart")
    op.drop_table("cart")
    op.drop_table("store")
    op.drop_index(op.f("ix_neighbour_segment_store_id_product_id"), table_name="neighbour_segment")
    op.drop_table("neighbour_segment")
