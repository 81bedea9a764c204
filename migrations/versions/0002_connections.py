"""Walks through the platforms, subscriptions, installations under way; what became of carts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("store", sa.Column("connection_problem_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("store", sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("cart", sa.Column("outcome", sa.String(), nullable=True))
    op.create_table(
        "walk",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("cursor", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("restarts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("notes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("platform_count", sa.BigInteger(), nullable=True),
        sa.Column("stored_count", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_walk_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("store_id", "kind", "resource", name=op.f("pk_walk")),
    )
    op.create_table(
        "subscriptions",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("active", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("mended", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("problems", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_subscriptions_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_subscriptions")),
    )
    op.create_table(
        "install_state",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("return_url", sa.String(), nullable=True),
        sa.Column("outcome", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["store_id"], ["store.id"], name=op.f("fk_install_state_store_id_store"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_install_state")),
    )


def downgrade() -> None:
    """Take back."""
    for table in ("install_state", "subscriptions", "walk"):
        op.drop_table(table)
    op.drop_column("cart", "outcome")
    op.drop_column("store", "connected_at")
    op.drop_column("store", "connection_problem_at")
