"""Products, variants and stock levels."""

from datetime import datetime
from typing import Final

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model


class Product(Model):
    """A product of a store. One that only an order has named yet has status ``unknown`` and no title."""

    __tablename__ = "product"
    __table_args__ = (UniqueConstraint("store_id", "platform_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    platform_id: Mapped[str]
    status: Mapped[str]
    visible: Mapped[bool]
    # The shop's own word on whether it can be bought now (WooCommerce), None where it gives none (Shopify).
    stated_available: Mapped[bool | None]
    # That word, else whether the stock of any variant allows it.
    available: Mapped[bool]
    title: Mapped[str]
    url: Mapped[str | None]
    image_url: Mapped[str | None]
    category: Mapped[str | None]
    vendor: Mapped[str | None]
    tags: Mapped[list[str]]
    gift_card: Mapped[bool]
    # The platform ids of its variants by its newest state; None where that state names none. A variant that is not
    # among them is no longer sold.
    variant_ids: Mapped[list[str] | None]
    # What the merchant chose to show beside it, as platform ids: things that go with it, and better ones of its kind.
    cross_sell_ids: Mapped[list[str] | None]
    upsell_ids: Mapped[list[str] | None]
    # Lowest price, and what it was compared to, in minor units of ``currency``.
    price: Mapped[int | None]
    compare_at_price: Mapped[int | None]
    currency: Mapped[str | None]
    cost: Mapped[int | None]  # what a piece costs the merchant where its variant's cost is unknown
    source_updated_at: Mapped[datetime | None]
    # SHA-256 of the state: settles ties between states of the same second.
    state_digest: Mapped[bytes | None]
    # A state that is newer than the deletion (taken out of the bin) makes it void.
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


# Whether product ``p`` may be shown to shoppers now. The one definition, for every path.
ELIGIBLE_SQL: Final = """(p.status = 'active' AND p.visible AND p.available AND NOT p.gift_card AND p.title <> ''
    AND (p.deleted_at IS NULL OR p.deleted_at < p.source_updated_at))"""


class Variant(Model):
    """A buyable variant of a product. ``stock`` is None where the shop does not count it."""

    __tablename__ = "variant"
    __table_args__ = (
        UniqueConstraint("store_id", "platform_id"),
        Index(None, "store_id", "product_id"),
        Index(None, "store_id", "inventory_item_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"))
    platform_id: Mapped[str]
    title: Mapped[str]
    sku: Mapped[str | None]
    price: Mapped[int]
    compare_at_price: Mapped[int | None]
    cost: Mapped[int | None]  # what a piece costs the merchant, where the shop tells
    stock: Mapped[int | None]
    sells_when_out: Mapped[bool]
    # What the shop said of this variant alone (WooCommerce variations); None: stock decides.
    stated_available: Mapped[bool | None]
    inventory_item_id: Mapped[str | None]
    position: Mapped[int]
    image_url: Mapped[str | None]
    source_updated_at: Mapped[datetime]
    state_digest: Mapped[bytes]


# Whether variant ``v`` is one of product ``p`` by its newest state. Variants' rows are never deleted: a list that lacks
# one may arrive before the news of it, and a later list may name it again.
LISTED_SQL: Final = "(p.variant_ids IS NULL OR v.platform_id = ANY(p.variant_ids))"


# Whether variant ``v`` can be bought now: by the shop's word, else by stock. Its stock is what its product's message
# stated, until a location's level is newer: then the sum of the known levels. That is wrong in a shop
# whose other locations have not reported since, until the product's own message follows.
BUYABLE_SQL: Final = """COALESCE(v.stated_available, v.sells_when_out OR v.stock IS NULL OR COALESCE(
    (SELECT sum(l.available) FROM inventory_level l
        WHERE l.store_id = v.store_id AND l.inventory_item_id = v.inventory_item_id
        HAVING max(l.source_updated_at) > v.source_updated_at),
    v.stock) > 0)"""


class InventoryLevel(Model):
    """How many of an inventory item one location has to sell (Shopify)."""

    __tablename__ = "inventory_level"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    inventory_item_id: Mapped[str] = mapped_column(primary_key=True)
    location_id: Mapped[str] = mapped_column(primary_key=True)
    available: Mapped[int]
    source_updated_at: Mapped[datetime]
