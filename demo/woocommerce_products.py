"""Products as WooCommerce's REST API and webhooks show them."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any

from demo.catalogue import CATEGORIES, Listing, Product, slug
from demo.companions import Companions
from demo.money import decimal
from demo.woocommerce_format import (
    FIRST_PRODUCT_ID,
    SYMBOLS,
    gmt,
    image_id,
    links,
    local,
    price_html,
    product_id,
)

FIRST_CATEGORY_ID = 16
_NONE_CHOSEN = Companions(goes_with=(), better=())


class ProductBodies:
    """Builds the bodies of one shop's products."""

    def __init__(self, base_url: str, currency: str, companions: Mapping[int, Companions]) -> None:
        """Build them for a shop.

        Args:
            base_url: where it can be reached, without trailing slash.
            currency: ISO 4217, one of ``SYMBOLS``.
            companions: what the merchant chose to show beside products, by their numbers.
        """
        self._base_url = base_url
        self._currency = currency
        self._companions = companions

    def permalink(self, product: Product) -> str:
        """Return the address of a product's page."""
        return f"{self._base_url}/product/{product.handle}/"

    def product(self, listing: Listing) -> dict[str, Any]:
        """Return a product as REST answers it."""
        product = listing.product
        identifier = product_id(product)
        was = product.compare_at_price
        chosen = self._companions.get(product.number, _NONE_CHOSEN)
        status = {"active": "publish", "draft": "draft", "archived": "private"}[listing.status]
        return {
            "id": identifier,
            "name": escape(product.name, quote=False),
            "slug": product.handle,
            "permalink": self.permalink(product),
            "date_created": local(listing.added_at),
            "date_created_gmt": gmt(listing.added_at),
            "date_modified": local(listing.updated_at),
            "date_modified_gmt": gmt(listing.updated_at),
            "type": "simple",
            "status": status,
            "featured": False,
            "catalog_visibility": "visible" if listing.visible else "hidden",
            "description": "",
            "short_description": "",
            "sku": product.code,
            "price": decimal(product.price),
            "regular_price": decimal(was or product.price),
            "sale_price": decimal(product.price) if was else "",
            "date_on_sale_from": None,
            "date_on_sale_from_gmt": None,
            "date_on_sale_to": None,
            "date_on_sale_to_gmt": None,
            "on_sale": was is not None,
            "purchasable": True,
            "total_sales": 0,
            "virtual": False,
            "downloadable": False,
            "downloads": [],
            "download_limit": -1,
            "download_expiry": -1,
            "external_url": "",
            "button_text": "",
            "tax_status": "taxable",
            "tax_class": "",
            "manage_stock": True,
            "stock_quantity": listing.stock,
            "backorders": "no",
            "backorders_allowed": False,
            "backordered": False,
            "low_stock_amount": None,
            "sold_individually": False,
            "weight": "",
            "dimensions": {"length": "", "width": "", "height": ""},
            "shipping_required": True,
            "shipping_taxable": True,
            "shipping_class": "",
            "shipping_class_id": 0,
            "reviews_allowed": True,
            "average_rating": "0.00",
            "rating_count": 0,
            "upsell_ids": [FIRST_PRODUCT_ID + number for number in chosen.better],
            "cross_sell_ids": [FIRST_PRODUCT_ID + number for number in chosen.goes_with],
            "parent_id": 0,
            "purchase_note": "",
            "categories": [_category(product)],
            "brands": [],
            "tags": [_term(tag) for tag in product.tags],
            "images": [self._image(product, listing.added_at)],
            "attributes": [],
            "default_attributes": [],
            "variations": [],
            "grouped_products": [],
            "menu_order": 0,
            "price_html": self._price_html(product),
            "related_ids": [identifier + step for step in (3, 1, 7, 4, 2)],
            "meta_data": [],
            "stock_status": "instock" if listing.stock > 0 else "outofstock",
            "has_options": False,
            "post_password": "",
            "global_unique_id": "",
            "_links": links(self._base_url, "products", identifier),
        }

    def _image(self, product: Product, created_at: datetime) -> dict[str, Any]:
        return {
            "id": image_id(product),
            "date_created": local(created_at),
            "date_created_gmt": gmt(created_at),
            "date_modified": local(created_at),
            "date_modified_gmt": gmt(created_at),
            "src": picture_url(self._base_url, product),
            "name": product.handle,
            "alt": "",
        }

    def _price_html(self, product: Product) -> str:
        symbol = SYMBOLS[self._currency][1]
        price, was = price_html(decimal(product.price), symbol), product.compare_at_price
        if was is None:
            return price
        return f'<del aria-hidden="true">{price_html(decimal(was), symbol)}</del> <ins>{price}</ins>'


def picture_url(base_url: str, product: Product) -> str:
    """Return the address of a product's picture in the shop at ``base_url``."""
    return f"{base_url}/wp-content/uploads/{product.handle}.svg"


def _category(product: Product) -> dict[str, Any]:
    term = _term(product.category)
    return {**term, "id": FIRST_CATEGORY_ID + CATEGORIES.index(product.category)}


def _term(name: str) -> dict[str, Any]:
    address = slug(name)
    identifier = 1000 + int(hashlib.md5(address.encode(), usedforsecurity=False).hexdigest()[:4], 16)
    return {"id": identifier, "name": escape(name, quote=False), "slug": address}
