"""Bodies of deliveries are bytes, compressed before they are written; a delivery's store is not looked up.

What is there stays readable as it is: readers tell compressed bodies by their first bytes.
"""

import sqlalchemy as sa
import zstandard
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_MAGIC = b"\x28\xb5\x2f\xfd"
_BATCH = 1_000
_STORE = "fk_webhook_delivery_store_id_store"


def upgrade() -> None:
    """Apply."""
    op.drop_constraint(_STORE, "webhook_delivery", type_="foreignkey")
    op.execute("ALTER TABLE webhook_delivery ALTER COLUMN body TYPE bytea USING convert_to(body, 'UTF8')")
    # They are compressed already: PostgreSQL need not try.
    op.execute("ALTER TABLE webhook_delivery ALTER COLUMN body SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Take back. Deliveries of stores that are gone go too: the foreign key would refuse them."""
    op.execute(
        "DELETE FROM webhook_delivery d WHERE NOT EXISTS (SELECT FROM store s WHERE s.id = d.store_id)"
    )
    _unpack_bodies(op.get_bind())
    op.execute("ALTER TABLE webhook_delivery ALTER COLUMN body TYPE varchar USING convert_from(body, 'UTF8')")
    op.create_foreign_key(_STORE, "webhook_delivery", "store", ["store_id"], ["id"], ondelete="CASCADE")


def _unpack_bodies(connection: sa.Connection) -> None:
    """Replace compressed bodies by their JSON, some at a time, so that not all are held in memory."""
    unzip = zstandard.ZstdDecompressor()
    select = sa.text(
        "SELECT id, body FROM webhook_delivery WHERE id > :after AND substring(body FOR 4) = :magic"
        " ORDER BY id LIMIT :batch"
    )
    update = sa.text("UPDATE webhook_delivery SET body = :body WHERE id = :id")
    after = 0
    while rows := connection.execute(select, {"after": after, "magic": _MAGIC, "batch": _BATCH}).all():
        connection.execute(update, [{"id": id_, "body": unzip.decompress(body)} for id_, body in rows])
        after = rows[-1].id
