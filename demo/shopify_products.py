"""Products as a Shopify shop's webhooks show them, with their one variant, and their stock."""

from html import escape
from typing import Any

from demo.catalogue import Listing, Product
from demo.money import decimal
from demo.pictures import SIZE
from demo.shopify_format import LOCATION_ID, gid, platform_id, stamp


class ProductBodies:
    """Builds the bodies of one shop's products."""

    def __init__(self, base_url: str, vendor: str) -> None:
        """Build them for the shop at ``base_url`` (without trailing slash), whose brand is ``vendor``."""
        self._base_url = base_url
        self._vendor = vendor

    def picture_url(self, product: Product) -> str:
        """Return the address of a product's picture."""
        return f"{self._base_url}/cdn/shop/files/{product.handle}.svg"

    def product(self, listing: Listing) -> dict[str, Any]:
        """Return a product as its webhooks and the stand-in's books hold it."""
        product = listing.product
        created, updated = stamp(listing.added_at), stamp(listing.updated_at)
        shown = listing.on_show
        image = self._image(product, created)
        variant_id = platform_id("ProductVariant", product.number)
        return {
            "admin_graphql_api_id": gid("Product", product.number),
            "body_html": f"<p>{escape(product.name)}.</p>",
            "created_at": created,
            "handle": product.handle,
            "id": platform_id("Product", product.number),
            "product_type": product.category,
            "published_at": created if shown else None,
            "template_suffix": None,
            "title": product.name,
            "updated_at": updated,
            "vendor": self._vendor,
            "status": listing.status,
            "published_scope": "web",
            "tags": ", ".join(product.tags),
            "variants": [self._variant(listing, created)],
            "options": [
                {
                    "name": "Title",
                    "id": platform_id("ProductOption", product.number),
                    "product_id": platform_id("Product", product.number),
                    "position": 1,
                    "values": ["Default Title"],
                }
            ],
            "images": [image],
            "image": image,
            "media": [self._media(product, created)],
            "variant_gids": [
                {"admin_graphql_api_id": f"gid://shopify/ProductVariant/{variant_id}", "updated_at": updated}
            ],
            "has_variants_that_requires_components": False,
            "category": None,
        }

    def _variant(self, listing: Listing, created: str) -> dict[str, Any]:
        product = listing.product
        was = product.compare_at_price
        return {
            "admin_graphql_api_id": gid("ProductVariant", product.number),
            "barcode": None,
            "compare_at_price": decimal(was) if was else None,
            "created_at": created,
            "id": platform_id("ProductVariant", product.number),
            "inventory_policy": "deny",
            "position": 1,
            "price": decimal(product.price),
            "product_id": platform_id("Product", product.number),
            "sku": product.code,
            "taxable": True,
            "title": "Default Title",
            "updated_at": stamp(listing.updated_at),
            "option1": "Default Title",
            "option2": None,
            "option3": None,
            "image_id": None,
            "inventory_item_id": platform_id("InventoryItem", product.number),
            "inventory_quantity": listing.stock,
            "old_inventory_quantity": listing.stock,
        }

    def _image(self, product: Product, created: str) -> dict[str, Any]:
        return {
            "id": platform_id("ProductImage", product.number),
            "alt": None,
            "position": 1,
            "product_id": platform_id("Product", product.number),
            "created_at": created,
            "updated_at": created,
            "admin_graphql_api_id": gid("ProductImage", product.number),
            "width": SIZE,
            "height": SIZE,
            "src": self.picture_url(product),
            "variant_ids": [],
        }

    def _media(self, product: Product, created: str) -> dict[str, Any]:
        return {
            "id": platform_id("MediaImage", product.number),
            "product_id": platform_id("Product", product.number),
            "position": 1,
            "created_at": created,
            "updated_at": created,
            "alt": "",
            "status": "READY",
            "media_content_type": "IMAGE",
            "preview_image": {
                "width": SIZE,
                "height": SIZE,
                "src": self.picture_url(product),
                "status": "READY",
            },
            "variant_ids": [],
            "admin_graphql_api_id": gid("MediaImage", product.number),
        }


def inventory_level(listing: Listing) -> dict[str, Any]:
    """Return how many pieces of a product there are."""
    item = platform_id("InventoryItem", listing.product.number)
    return {
        "inventory_item_id": item,
        "location_id": LOCATION_ID,
        "available": listing.stock,
        "updated_at": stamp(listing.updated_at),
        "admin_graphql_api_id": f"gid://shopify/InventoryLevel/{LOCATION_ID}?inventory_item_id={item}",
    }
