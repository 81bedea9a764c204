"""Events, identity, consent, privacy, segments and imports.

Events are partitioned by week of receipt. The migration makes the partition that takes what has no other; the clock
makes the weeks.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_TEXTS = postgresql.ARRAY(sa.Text)
_JSON = postgresql.JSONB


def upgrade() -> None:
    """Apply."""
    _events()
    _privacy()
    _segments()
    op.create_table(
        "order_import",
        sa.Column("id", sa.BigInteger, nullable=False),
        _store(),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("collected_by", sa.String),
        sa.Column("done_rows", sa.BigInteger, nullable=False),
        sa.Column("orders", sa.BigInteger, nullable=False),
        sa.Column("rejected_rows", sa.BigInteger, nullable=False),
        sa.Column("started_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("finished_at", _TIME),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_import")),
        _of_store("order_import"),
        sa.UniqueConstraint("store_id", "digest", name=op.f("uq_order_import_store_id_digest")),
    )


def _store() -> sa.Column:
    return sa.Column("store_id", sa.BigInteger, nullable=False)


def _of_store(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["store_id"], ["store.id"], name=op.f(f"fk_{table}_store_id_store"), ondelete="CASCADE"
    )


def _events() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("event_id_seq")))
    op.create_table(
        "event",
        _store(),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column(
            "id", sa.BigInteger, server_default=sa.text("nextval('event_id_seq'::regclass)"), nullable=False
        ),
        sa.Column("occurred_at", _TIME, nullable=False),
        sa.Column("subject", sa.LargeBinary, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("name", sa.String),
        sa.Column("products", _TEXTS, nullable=False),
        sa.Column("properties", _JSON, nullable=False),
        sa.Column("purposes", sa.SmallInteger, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("message", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("store_id", "received_at", "id", name=op.f("pk_event")),
        postgresql_partition_by="RANGE (received_at)",
    )
    op.create_index(
        op.f("ix_event_store_id_subject_received_at"), "event", ["store_id", "subject", "received_at"]
    )
    op.execute("CREATE TABLE event_default PARTITION OF event DEFAULT")
    op.create_table(
        "event_receipt",
        _store(),
        sa.Column("message", sa.LargeBinary, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("store_id", "message", name=op.f("pk_event_receipt")),
    )
    op.create_index("ix_event_receipt_received_at", "event_receipt", ["received_at"], postgresql_using="brin")
    op.create_table(
        "event_tally",
        _store(),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("store_id", "day", "outcome", "reason", name=op.f("pk_event_tally")),
    )
    op.create_table(
        "identity_link",
        _store(),
        sa.Column("left_node", sa.String, nullable=False),
        sa.Column("right_node", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME),
        sa.PrimaryKeyConstraint("store_id", "left_node", "right_node", name=op.f("pk_identity_link")),
        sa.CheckConstraint("left_node < right_node", name=op.f("ck_identity_link_sorted")),
    )
    op.create_index(op.f("ix_identity_link_store_id_right_node"), "identity_link", ["store_id", "right_node"])
    op.create_table(
        "product_activity",
        _store(),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("product", sa.String, nullable=False),
        sa.Column("people", sa.BigInteger, nullable=False),
        sa.Column("views", sa.BigInteger, nullable=False),
        sa.Column("adds", sa.BigInteger, nullable=False),
        sa.Column("removes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("store_id", "day", "product", name=op.f("pk_product_activity")),
    )


def _privacy() -> None:
    op.create_table(
        "consent_choice",
        sa.Column("id", sa.BigInteger, nullable=False),
        _store(),
        sa.Column("subject", sa.LargeBinary, nullable=False),
        sa.Column("purposes", sa.SmallInteger, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("basis", sa.String, nullable=False),
        sa.Column("region", sa.String),
        sa.Column("chosen_at", _TIME, nullable=False),
        sa.Column("recorded_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_choice")),
    )
    op.create_index(
        op.f("ix_consent_choice_store_id_subject_id"), "consent_choice", ["store_id", "subject", "id"]
    )
    op.create_table(
        "consent_state",
        _store(),
        sa.Column("subject", sa.LargeBinary, nullable=False),
        sa.Column("purposes", sa.SmallInteger, nullable=False),
        sa.Column("chosen_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("store_id", "subject", name=op.f("pk_consent_state")),
    )
    op.create_table(
        "suppression",
        _store(),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "digest", name=op.f("pk_suppression")),
    )
    op.create_table(
        "privacy_export",
        sa.Column("id", sa.BigInteger, nullable=False),
        _store(),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_privacy_export")),
        _of_store("privacy_export"),
        sa.UniqueConstraint("store_id", "request_id", name=op.f("uq_privacy_export_store_id_request_id")),
    )
    op.add_column("privacy_request", sa.Column("visitors", _TEXTS, server_default="{}", nullable=False))
    op.add_column("privacy_request", sa.Column("attempts", sa.BigInteger, server_default="0", nullable=False))
    op.add_column("privacy_request", sa.Column("failure", sa.String))
    op.add_column("privacy_request", sa.Column("receipt", _JSON))


def _segments() -> None:
    op.create_table(
        "segment",
        sa.Column("id", sa.BigInteger, nullable=False),
        _store(),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("definition", _JSON, nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment")),
        _of_store("segment"),
        sa.UniqueConstraint("store_id", "key", name=op.f("uq_segment_store_id_key")),
    )
    op.create_table(
        "segment_membership",
        _store(),
        sa.Column("segment", sa.String, nullable=False),
        sa.Column("customer_id", sa.BigInteger, nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("as_of", _TIME, nullable=False),
        sa.Column("reason", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("store_id", "segment", "customer_id", name=op.f("pk_segment_membership")),
        _of_store("segment_membership"),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_segment_membership_customer_id_customer"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        op.f("ix_segment_membership_store_id_customer_id"), "segment_membership", ["store_id", "customer_id"]
    )
    op.create_table(
        "segment_run",
        sa.Column("store_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("as_of", _TIME, nullable=False),
        sa.Column("customers", sa.BigInteger, nullable=False),
        sa.Column("cuts", _JSON, nullable=False),
        sa.Column("sizes", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_segment_run")),
        _of_store("segment_run"),
    )


def downgrade() -> None:
    """Take back."""
    for table in ("segment_run", "segment_membership", "segment", "order_import"):
        op.drop_table(table)
    for column in ("receipt", "failure", "attempts", "visitors"):
        op.drop_column("privacy_request", column)
    for table in ("privacy_export", "suppression", "consent_state", "consent_choice"):
        op.drop_table(table)
    for table in ("product_activity", "identity_link", "event_tally", "event_receipt", "event"):
        op.drop_table(table)
    op.execute(sa.schema.DropSequence(sa.Sequence("event_id_seq")))
