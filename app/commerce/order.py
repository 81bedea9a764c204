"""Orders, their lines, and the refunds and edits that arrive on their own."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ForeignKey, Index, SmallInteger, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model


class Order(Model):
    """An order of a store in its newest known state.

    ``basket`` is what the co-purchase counts contain of this order now: the ids of its distinct products,
    sorted; empty for everything that is no sale. It lets a change take back exactly what it gave.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("store_id", "platform_id"),
        Index(None, "store_id", "placed_at"),
        Index(None, "store_id", "customer_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    platform_id: Mapped[str]
    status: Mapped[int] = mapped_column(SmallInteger)
    channel: Mapped[str]
    test: Mapped[bool]
    currency: Mapped[str]
    total: Mapped[int]
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id", ondelete="SET NULL"))
    cart_token_hash: Mapped[bytes | None]
    placed_at: Mapped[datetime]
    source_updated_at: Mapped[datetime]
    state_digest: Mapped[bytes]
    # The refunds and edits that the lines' current quantities already contain.
    adjustment_ids: Mapped[list[str]]
    deleted_at: Mapped[datetime | None]
    basket: Mapped[list[int]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OrderLine(Model):
    """One line of an order. ``current_quantity`` is what refunds and edits left of it."""

    __tablename__ = "order_line"
    __table_args__ = (
        UniqueConstraint("store_id", "order_id", "platform_id"),
        Index(None, "store_id", "product_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int]  # no foreign key: the order's is enough, and this is the hottest table
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    platform_id: Mapped[str]
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"))
    variant_platform_id: Mapped[str | None]
    quantity: Mapped[int]
    # As the newest state of the order said, and with the adjustments that it did not know.
    stated_quantity: Mapped[int]
    current_quantity: Mapped[int]
    price: Mapped[int]
    discount: Mapped[int]
    # The tax that the line's price after its discount contains, for ``quantity`` pieces.
    tax_included: Mapped[int] = mapped_column(server_default=text("0"))
    gift_card: Mapped[bool]


class OrderAdjustment(Model):
    """A refund or an edit that arrived on its own, perhaps before its order.

    ``lines`` is a list of ``[line platform id, change of quantity]``.
    """

    __tablename__ = "order_adjustment"
    __table_args__ = (
        UniqueConstraint("store_id", "adjustment_id"),
        Index(None, "store_id", "order_platform_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    order_platform_id: Mapped[str]
    adjustment_id: Mapped[str]
    happened_at: Mapped[datetime]
    lines: Mapped[Any] = mapped_column(JSONB)


class OrderTombstone(Model):
    """An order that was deleted, so that a late message cannot bring it back."""

    __tablename__ = "order_tombstone"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    platform_id: Mapped[str] = mapped_column(primary_key=True)
    deleted_at: Mapped[datetime]


# Whether order ``o`` is a sale that counts in reports. Needs ``%(sales)s``.
SALE_SQL: Final = "(o.deleted_at IS NULL AND NOT o.test AND o.status = ANY(%(sales)s))"

# What line ``l`` brought: after discounts, without tax and shipping, for the pieces that refunds and edits left of it.
# Gift cards are money taken in advance, so they bring nothing. The one definition, for every report: over the lines of
# an order of ``SALE_SQL`` this is the order's net revenue, in minor units of its currency, not rounded.
NET_SQL: Final = """(CASE WHEN l.gift_card OR l.quantity <= 0 THEN 0 ELSE
    GREATEST(l.price::numeric * l.quantity - l.discount - l.tax_included, 0) * l.current_quantity / l.quantity END)"""
