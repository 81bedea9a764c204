"""What the shop has of the products of offers now: prices, costs, stock."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from app.commerce.catalog import BUYABLE_SQL, ELIGIBLE_SQL, LISTED_SQL
from app.commerce.offers import Component
from app.commerce.store import SETTINGS

WHOLE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Kind:
    """One variant of a product.

    Attributes:
        variant_id: the platform's id.
        price: in minor units of the product's currency.
        cost: what a piece costs the merchant, in the same, without tax; None where nobody has told.
        stock: pieces to sell; None where the shop does not count, or sells below zero.
        buyable: it can be bought now.
    """

    variant_id: str
    price: int
    cost: int | None
    stock: int | None
    buyable: bool


@dataclass(frozen=True, slots=True)
class Ware:
    """One product.

    Attributes:
        product_id: the platform's id.
        title: as the shop writes it.
        category: as the shop writes it, if it does.
        tags: likewise.
        sold: shoppers can find it, whether or not it is in stock.
        available: by the shop's own word on the product as a whole.
        currency: of its prices; None where it is not known.
        kinds: the variants that it has now, in the shop's order.
    """

    product_id: str
    title: str
    category: str | None
    tags: frozenset[str]
    sold: bool
    available: bool
    currency: str | None
    kinds: tuple[Kind, ...]

    def counting(self, component: Component) -> tuple[Kind, ...]:
        """Return the variants that count for a component."""
        if component.variant_ids is None:
            return self.kinds
        return tuple(kind for kind in self.kinds if kind.variant_id in component.variant_ids)

    def stock(self, component: Component) -> int | None:
        """Return how many pieces can be sold of what counts for a component; None: as many as anybody wants."""
        if not self.available:
            return 0
        total = 0
        for kind in self.counting(component):
            if kind.buyable and kind.stock is None:
                return None
            total += kind.stock or 0 if kind.buyable else 0
        return total


# A product without variants of its own (WooCommerce) is its own variant.
_READ: Final = f"""
    SELECT p.platform_id, p.title, p.category, p.tags,
        ({ELIGIBLE_SQL.replace("p.available", "TRUE")}) AS sold, p.available, p.currency, p.price, p.cost,
        v.platform_id, v.price, COALESCE(v.cost, p.cost),
        CASE WHEN NOT v.sells_when_out THEN COALESCE(
            (SELECT sum(l.available) FROM inventory_level l
                WHERE l.store_id = v.store_id AND l.inventory_item_id = v.inventory_item_id
                HAVING max(l.source_updated_at) > v.source_updated_at), v.stock) END,
        {BUYABLE_SQL}
    FROM product p LEFT JOIN variant v ON v.store_id = p.store_id AND v.product_id = p.id AND {LISTED_SQL}
    WHERE p.store_id = %(store)s AND p.platform_id = ANY(%(ids)s)
    ORDER BY p.platform_id, v.position, v.id
"""
_MARGIN: Final = "SELECT settings->>'margin_percent' FROM store WHERE id = %(store)s"


def read(
    connection: Connection, store_id: int, product_ids: Collection[str], included_tax: int = 0
) -> dict[str, Ware]:
    """Return what the shop has, by product id; products that it never had are missing.

    Where the cost of a piece is unknown it follows from the store's ``margin_percent``, if that is set: rounded up.

    Args:
        connection: the store's rows are read in.
        store_id: the store.
        product_ids: the platform's ids.
        included_tax: tax that prices contain, in hundredths of a percent of the price without it.
    """
    margin = float(
        connection.exec_driver_sql(_MARGIN, {"store": store_id}).scalar() or SETTINGS["margin_percent"][0]
    )
    share = round(margin * 100)
    found: dict[str, Ware] = {}
    rows = connection.exec_driver_sql(_READ, {"store": store_id, "ids": sorted(product_ids)})
    for product_id, title, category, tags, sold, available, currency, *of_kind in rows:
        own_price, own_cost, variant_id, price, cost, stock, buyable = of_kind
        kinds = found[product_id].kinds if product_id in found else ()
        if variant_id is not None:
            cost = usual_cost(price, share, included_tax) if cost is None else int(cost)
            pieces = None if stock is None else max(int(stock), 0)
            kinds = (*kinds, Kind(variant_id, price, cost, pieces, buyable))
        elif own_price is not None:
            cost = usual_cost(own_price, share, included_tax) if own_cost is None else own_cost
            kinds = (Kind(product_id, own_price, cost, None, available),)
        found[product_id] = Ware(
            product_id, title, category, frozenset(tags), sold, available, currency, kinds
        )
    return found


def usual_cost(price: int, margin: int, included_tax: int) -> int | None:
    """Return what a piece costs by a usual margin, rounded up; None where no margin is told.

    Args:
        price: in minor units, with the tax that it contains.
        margin: of the price without tax, in hundredths of a percent; 0: not told.
        included_tax: in hundredths of a percent of the price without it.
    """
    if margin <= 0:
        return None
    return -(-price * (WHOLE - margin) // (WHOLE + included_tax))


def prices_of(components: Collection[Component], wares: Mapping[str, Ware]) -> dict[str, dict[str, int]]:
    """Return the prices of what counts for components, by product and variant: what an offer remembers."""
    return {
        component.product_id: {
            kind.variant_id: kind.price for kind in wares[component.product_id].counting(component)
        }
        for component in components
        if component.product_id in wares
    }
