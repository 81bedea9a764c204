"""What a product's newest state says of its variants and its companions; how a store's scores are blended."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LISTS = ("variant_ids", "cross_sell_ids", "upsell_ids")


def upgrade() -> None:
    """Apply."""
    for name in _LISTS:
        op.add_column("product", sa.Column(name, postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column(
        "learned_model", sa.Column("ranking", postgresql.JSONB(astext_type=sa.Text()), nullable=True)
    )


def downgrade() -> None:
    """Take back."""
    op.drop_column("learned_model", "ranking")
    for name in _LISTS:
        op.drop_column("product", name)
