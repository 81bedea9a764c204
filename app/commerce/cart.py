"""Carts: what shoppers are about to buy."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Model


class Cart(Model):
    """A cart in its newest known state, under the hash of its token: the token itself is a credential."""

    __tablename__ = "cart"
    __table_args__ = (
        UniqueConstraint("store_id", "token_hash"),
        Index(None, "store_id", "source_updated_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes]
    currency: Mapped[str | None]
    source_updated_at: Mapped[datetime]
    state_digest: Mapped[bytes]
    # ``bought`` or ``abandoned``; None while it is open.
    outcome: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CartLine(Model):
    """One line of a cart, in the cart's own order."""

    __tablename__ = "cart_line"

    store_id: Mapped[int] = mapped_column(ForeignKey("store.id", ondelete="CASCADE"), primary_key=True)
    cart_id: Mapped[int] = mapped_column(ForeignKey("cart.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    variant_platform_id: Mapped[str | None]
    quantity: Mapped[int]
    price: Mapped[int]
