"""Publishing what can be shown beside a product that nobody has bought yet.

Four kinds of ready lists: products that are similar by what the shop says of them, best sellers of categories that are
bought together with a product's category, and what the merchant chose, of two kinds. Each is claimed as what it is.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np
import structlog
from sqlalchemy import Connection

from app.recommendations import cache, categories, content
from app.recommendations.cache import Candidate
from app.recommendations.counts import gates_of, read_head
from app.recommendations.publishing import forget_lists, replace_lists, store_lists
from app.recommendations.ready_lists import (
    CATEGORY_PAIRS,
    MERCHANT_CROSS_SELLS,
    MERCHANT_UPSELLS,
    SIMILAR,
    category_subject,
)

log = structlog.get_logger()

# An answer shows at most 24 products; some of a list are sold out.
LIST_LENGTH: Final = 30
_SELLERS_OF_A_CATEGORY: Final = 12
_WRITTEN_AT_ONCE: Final = 1_000

Lists = dict[str, list[Candidate]]


@dataclass(frozen=True, slots=True)
class _Products:
    """A store's products in the order of their internal ids.

    ``rows`` have ``id``, ``platform_id``, the fields of a description, ``listed`` (it may be shown once it is in
    stock), ``there`` (it has a page that may ask), ``popularity``, and what the merchant chose.
    """

    rows: Sequence[Any]

    @classmethod
    def read(cls, connection: Connection, store_id: int) -> "_Products":
        rows = connection.exec_driver_sql(
            """
            SELECT p.id, p.platform_id, p.title, p.category, p.vendor, p.tags, p.price, p.currency,
                p.cross_sell_ids, p.upsell_ids, COALESCE(c.popularity, 0) AS popularity,
                t.there, t.there AND p.status = 'active' AND p.visible AS listed
            FROM product p
            CROSS JOIN LATERAL (SELECT p.title <> '' AND NOT p.gift_card
                AND (p.deleted_at IS NULL OR p.deleted_at < p.source_updated_at) AS there) t
            LEFT JOIN product_count c ON c.store_id = p.store_id AND c.product_id = p.id
            WHERE p.store_id = %(store)s ORDER BY p.id
            """,
            {"store": store_id},
        )
        return cls(rows.all())

    def catalogue(self) -> content.Catalogue:
        """Return all of them, to be compared."""
        return content.Catalogue(
            [
                content.Description(
                    row.title, row.category, row.vendor, tuple(row.tags), row.price, row.currency
                )
                for row in self.rows
            ]
        )

    @property
    def listed(self) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """Which of them may be shown once they are in stock."""
        return np.array([row.listed for row in self.rows], bool)


def refresh(connection: Connection, store_id: int) -> None:
    """Work out all four kinds of a store anew and publish them. The caller commits."""
    products = _Products.read(connection, store_id)
    _publish_similar(connection, store_id, products)
    replace_lists(connection, store_id, CATEGORY_PAIRS, _category_pairs(connection, store_id, products))
    known = {row.platform_id for row in products.rows}
    for kind, column in ((MERCHANT_CROSS_SELLS, "cross_sell_ids"), (MERCHANT_UPSELLS, "upsell_ids")):
        chosen = _chosen(products.rows, column, known)
        replace_lists(
            connection, store_id, kind, {subject: items for subject, items in chosen.items() if items}
        )
    log.info("cold_start_published", store_id=store_id, products=len(products.rows))


def refresh_products(connection: Connection, store_id: int, platform_ids: Iterable[str]) -> None:
    """Publish what changes when products are new or described otherwise. The caller commits.

    That is what is similar to them and what the merchant chose for them; and the lists of products that are like them
    now or were before. Words weigh as they do in the whole catalogue, which is read for it: some seconds for 50,000
    products.
    """
    asked = set(platform_ids)
    products = _Products.read(connection, store_id)
    known = {row.platform_id for row in products.rows}
    changed = [place for place, row in enumerate(products.rows) if row.platform_id in asked]
    if not changed:
        return
    catalogue, listed = products.catalogue(), products.listed
    there = [place for place in changed if products.rows[place].there]
    similar = _lists(products.rows, catalogue.similar(there, listed, LIST_LENGTH))
    near = {candidate["id"] for items in similar.values() for candidate in items}
    near |= _listing(connection, store_id, asked)
    others = [
        place for place, row in enumerate(products.rows) if row.platform_id in near - asked and row.there
    ]
    lists: Lists = {products.rows[place].platform_id: [] for place in changed}
    lists |= similar
    lists |= _lists(products.rows, catalogue.similar(others, listed, LIST_LENGTH))
    store_lists(connection, store_id, SIMILAR, lists)
    rows = [row for row in products.rows if row.platform_id in asked or _names(row, asked)]
    store_lists(connection, store_id, MERCHANT_CROSS_SELLS, _chosen(rows, "cross_sell_ids", known))
    store_lists(connection, store_id, MERCHANT_UPSELLS, _chosen(rows, "upsell_ids", known))
    log.info("cold_start_products_published", store_id=store_id, products=len(changed), lists=len(lists))


# --- similar --------------------------------------------------------------------------------------------


def _publish_similar(connection: Connection, store_id: int, products: _Products) -> None:
    """Replace all lists, a part of them in memory at a time."""
    gone = forget_lists(connection, store_id, SIMILAR)
    subjects = [place for place, row in enumerate(products.rows) if row.there]
    for block in products.catalogue().similar(subjects, products.listed, LIST_LENGTH):
        lists = iter(_lists(products.rows, [block]).items())
        while part := dict(islice(lists, _WRITTEN_AT_ONCE)):
            store_lists(connection, store_id, SIMILAR, part)
            gone -= part.keys()
    cache.put_lists(store_id, SIMILAR, {subject: [] for subject in gone})


def _lists(rows: Sequence[Any], blocks: Iterable[content.Similar]) -> Lists:
    return {subject: items for block in blocks for subject, items in _entries(rows, block)}


def _entries(rows: Sequence[Any], block: content.Similar) -> Iterator[tuple[str, list[Candidate]]]:
    others, similarity = block.others.tolist(), block.similarity.tolist()
    starts = block.indptr.tolist()
    for place, row in enumerate(block.rows.tolist()):
        span = slice(starts[place], starts[place + 1])
        yield (
            rows[row].platform_id,
            [
                {"id": rows[other].platform_id, "similarity": value, "score": value}
                for other, value in zip(others[span], similarity[span], strict=True)
            ],
        )


def _listing(connection: Connection, store_id: int, platform_ids: set[str]) -> set[str]:
    """Return the products in whose lists any of ``platform_ids`` stands."""
    rows = connection.exec_driver_sql(
        "SELECT DISTINCT l.subject FROM published_list l CROSS JOIN jsonb_array_elements(l.items) i"
        " WHERE l.store_id = %(store)s AND l.strategy = %(kind)s AND i->>'id' = ANY(%(ids)s::text[])",
        {"store": store_id, "kind": SIMILAR, "ids": sorted(platform_ids)},
    )
    return {row[0] for row in rows}


# --- categories -----------------------------------------------------------------------------------------


def _category_pairs(connection: Connection, store_id: int, products: _Products) -> Lists:
    """Return for each category the best sellers of those that are bought together with it."""
    head = read_head(connection, store_id)
    names = sorted({row.category for row in products.rows if row.category})
    if head is None or len(names) < 2:
        return {}
    number = {name: place for place, name in enumerate(names)}
    counted = categories.count(
        _baskets(connection, store_id, products, number), len(names), int(head.basket_cap)
    )
    sellers = _best_sellers(products, number)
    return {
        category_subject(names[category]): [
            {
                "id": product,
                "category": names[other.category],
                "orders": other.orders,
                "lift": round(other.lift, 2),
                "score": float(f"{other.score:.6g}"),
            }
            for product, other in categories.interleave(others, sellers, LIST_LENGTH)
        ]
        for category, others in categories.companions(counted, gates_of(store_id)).items()
    }


def _baskets(
    connection: Connection, store_id: int, products: _Products, number: dict[str, int]
) -> Iterator[tuple[categories.Ints, categories.Ints]]:
    """Yield the store's baskets with the category of each product, a part at a time."""
    from app.recommendations.rebuilding import basket_batches

    ids = np.array([row.id for row in products.rows], np.int64)
    of_product = np.array([number.get(row.category, -1) for row in products.rows], np.int64)
    for batch in basket_batches(connection, store_id):
        # Orders may name products that came after these were read, too.
        category = np.full(batch.products.size, -1, np.int64)
        known = np.isin(batch.products, ids)
        category[known] = of_product[np.searchsorted(ids, batch.products[known])]
        yield batch.indptr, category


def _best_sellers(products: _Products, number: dict[str, int]) -> dict[int, list[str]]:
    """Return the listed products of each category that were bought at all, the most popular first."""
    sold = [row for row in products.rows if row.listed and row.category and row.popularity > 0]
    sellers: dict[int, list[str]] = {}
    for row in sorted(sold, key=lambda row: (-row.popularity, row.id)):
        of_category = sellers.setdefault(number[row.category], [])
        if len(of_category) < _SELLERS_OF_A_CATEGORY:
            of_category.append(row.platform_id)
    return sellers


# --- the merchant's choice ------------------------------------------------------------------------------


def _names(row: Any, asked: set[str]) -> bool:
    """Return whether the merchant chose any of ``asked`` for a product: it may not have been known before."""
    return not asked.isdisjoint((*(row.cross_sell_ids or ()), *(row.upsell_ids or ())))


def _chosen(rows: Sequence[Any], column: str, known: set[str]) -> Lists:
    """Return what merchants chose for products, in their order, as far as the store has it."""
    return {
        row.platform_id: [{"id": chosen} for chosen in getattr(row, column) or () if chosen in known]
        for row in rows
    }
