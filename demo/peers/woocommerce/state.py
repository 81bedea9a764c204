"""The store itself: what it holds, and what happens in it.

``add_…`` fill the store without a word. Everything else is an event: it changes the store and queues what the
webhooks are told, by the table of what WooCommerce 10.5 really sends (and does not send).
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from demo.peers.woocommerce.hooks import Hooks
from demo.peers.woocommerce.keys import Key, KeyRing, Permissions
from demo.peers.woocommerce.outages import Outage, Outages
from demo.peers.woocommerce.plugin import PannierPlugin
from demo.peers.woocommerce.problems import REFUSALS, missing
from demo.peers.woocommerce.records import KINDS, Kind, Record, largest_id, record
from demo.peers.woocommerce.refunds import refund_body
from demo.peers.woocommerce.site import Site

_COLLECTIONS = {
    "product": "products",
    "order": "orders",
    "coupon": "coupons",
    "customer": "customers",
    "webhook": "webhooks",
}
# What a variation has over REST when it is asked for as a variation, and not as a product.
_VARIATION_ONLY = ("image",)
_NOT_OF_VARIATIONS: dict[str, Any] = {
    "short_description": "",
    "total_sales": "0",
    "reviews_allowed": False,
    "categories": [],
    "brands": [],
    "tags": [],
    "images": [],
    "default_attributes": [],
    "variations": [],
    "related_ids": [],
    "upsell_ids": [],
    "cross_sell_ids": [],
    "has_options": False,
}
_OWNER = 1


class WooState:
    """One store in memory. Safe to use from several threads."""

    def __init__(self, site: Site | None = None, *, seed: int = 0) -> None:
        """Open an empty store.

        Args:
            site: its settings; the defaults are those of ``Site``.
            seed: decides the samples of related products.
        """
        self.site = site or Site()
        self.keys = KeyRing()
        self.hooks = Hooks(self.site)
        self.outages = Outages()
        self.plugin: PannierPlugin | None = None
        # Told of a product whose price was written, with its body.
        self.when_priced: Callable[[Mapping[str, Any]], None] = lambda _: None
        self.lock = threading.RLock()
        self._random = Random(seed)
        self._shelves: dict[Kind, dict[int, Record]] = {kind: {} for kind in KINDS}
        self._gone_users: set[int] = set()
        self._gone_products: set[int] = set()
        self._trashed: dict[int, str] = {}
        self._last_id = 0

    # -- filling --

    def add_product(self, body: Mapping[str, Any], variations: Sequence[Mapping[str, Any]] = ()) -> None:
        """Put a product on the shelf, in place of one with its id; ``body`` is as REST shows it.

        Args:
            body: the product.
            variations: its variations, each as ``products/N/variations`` shows it.
        """
        with self.lock:
            full = {**body, "variations": [part["id"] for part in variations] or body.get("variations", [])}
            self._gone_products.discard(int(body["id"]))
            self._keep("product", full)
            for part in variations:
                self._keep("variation", {**part, "parent_id": body["id"], "type": "variation"})

    def add_order(self, body: Mapping[str, Any]) -> None:
        """Enter an order, in place of one with its id; ``body`` is as REST shows it.

        The refunds that it lists have no objects until ``add_refund`` makes them.
        """
        with self.lock:
            self._keep("order", body)
            self._last_id = max(self._last_id, largest_id(body))

    def add_refund(
        self,
        order_id: int,
        pieces: Mapping[int, int] | None,
        *,
        at: str | None = None,
        refund_id: int | None = None,
        amount: str | None = None,
        reason: str = "",
    ) -> int:
        """Make a refund object and list it in its order; nothing else about the order changes.

        Args:
            order_id: the order.
            pieces: how many came back by the line's id; None is a full refund, which has no lines.
            at: when, UTC without a zone; None is now.
            refund_id: the id it has in the order's list, None for a new one.
            amount: what was paid back, None to reckon it; a refund that the order lists keeps its sum.
            reason: what the merchant wrote.

        Returns:
            The refund's id.

        Raises:
            KeyError: if there is no such order or line.
        """
        with self.lock:
            order = self._shelves["order"][order_id]
            body = order.body
            listed = {entry["id"]: entry for entry in body["refunds"]}
            number = refund_id or self.next_id()
            if number in listed:
                amount = amount or listed[number]["total"].lstrip("-")
                reason = reason or listed[number]["reason"]
            self._last_id = max(self._last_id, number)
            refund = refund_body(
                body,
                refund_id=number,
                first_line_id=self.next_id(),
                at=at or self.site.stamp(),
                pieces=pieces,
                amount=amount,
                reason=reason,
            )
            self._last_id += len(refund["line_items"]) + 1
            self._keep("refund", refund)
            if number not in listed:
                # The newest refund comes first.
                entry = {"id": number, "reason": reason, "total": f"-{refund['amount']}"}
                self._keep("order", {**body, "refunds": [entry, *body["refunds"]]})
            return number

    def add_customer(self, body: Mapping[str, Any]) -> None:
        """Enter a customer; ``body`` is as REST shows it."""
        with self.lock:
            self._keep("customer", body)

    def add_coupon(self, body: Mapping[str, Any]) -> None:
        """Enter a coupon; ``body`` is as REST shows it."""
        with self.lock:
            self._keep("coupon", body)

    # -- reading --

    def next_id(self) -> int:
        """Return a new id: posts of all kinds share one sequence."""
        with self.lock:
            self._last_id += 1
            return self._last_id

    def records(self, kind: Kind) -> list[Record]:
        """Return the rows of a kind, in the order they were entered."""
        with self.lock:
            return list(self._shelves[kind].values())

    def find(self, kind: Kind, identifier: int) -> Record | None:
        """Return a row."""
        with self.lock:
            return self._shelves[kind].get(identifier)

    def show(self, row: Record) -> dict[str, Any]:
        """Return a row's body as REST shows it now."""
        body = row.body
        if row.kind in ("order", "refund"):
            self._forget_products(body)
        if row.kind == "product":
            self._random.shuffle(body.get("related_ids", []))
        if row.kind == "variation":
            path, parent = f"products/{row.parent_id}/variations", f"products/{row.parent_id}"
        elif row.kind == "refund":
            path, parent = f"orders/{row.parent_id}/refunds", f"orders/{row.parent_id}"
        else:
            path, parent = _COLLECTIONS[row.kind], ""
        body["_links"] = self.links(path, row.id, parent=parent, readonly=row.kind == "refund")
        if row.kind == "order":
            mail = self.site.rest(f"orders/{row.id}/actions/email_templates")
            body["_links"]["email_templates"] = [{"embeddable": True, "href": mail}]
        return body

    def show_as_product(self, identifier: int) -> dict[str, Any] | None:
        """Return what ``products/N`` answers: a product, or a variation with the fields of a product."""
        with self.lock:
            row = self._shelves["product"].get(identifier)
            if row is not None:
                return self.show(row)
            variation = self._shelves["variation"].get(identifier)
            parent = variation and self._shelves["product"].get(variation.parent_id)
            if variation is None or parent is None:
                return None
            own = {name: value for name, value in variation.body.items() if name not in _VARIATION_ONLY}
            full = parent.body
            name = f"{full['name']} - {own.get('name') or own['id']}"
            slug = "-".join(name.lower().replace("-", " ").split())
            body = {**full, **_NOT_OF_VARIATIONS, "slug": slug, **own, "name": name}
            body["price_html"] = self.site.price_html(str(body["price"]))
            body["_links"] = self.links("products", identifier, parent=f"products/{parent.id}")
            return body

    def links(
        self, path: str, identifier: int, *, parent: str = "", readonly: bool = False
    ) -> dict[str, Any]:
        """Return the ``_links`` of a resource in the collection at ``path``."""
        allow = ["GET", "DELETE"] if readonly else ["GET", "POST", "PUT", "PATCH", "DELETE"]
        links: dict[str, Any] = {
            "self": [{"href": self.site.rest(f"{path}/{identifier}"), "targetHints": {"allow": allow}}],
            "collection": [{"href": self.site.rest(path)}],
        }
        if parent:
            links["up"] = [{"href": self.site.rest(parent)}]
        return links

    def truth(self, kind: Kind) -> Iterator[dict[str, Any]]:
        """Yield the bodies of everything of a kind that is not in the trash, as REST shows them."""
        for row in self.records(kind):
            if row.status != "trash":
                yield self.show(row)

    def payload(self, topic: str, resource_id: int, user_id: int) -> dict[str, Any]:
        """Return the body of a delivery as it is now; it may be an error object."""
        resource, event = topic.split(".", 1)
        if event == "deleted":
            return {"id": resource_id}
        if resource == "action":
            return {"action": event, "arg": resource_id}
        if user_id in self._gone_users:
            code, message = REFUSALS["view"]
            return {"code": code, "message": message, "data": {"status": 401}}
        if resource == "product":
            body = self.show_as_product(resource_id)
        else:
            kind: Kind = "order" if resource == "order" else "coupon" if resource == "coupon" else "customer"
            row = self.find(kind, resource_id)
            body = None if row is None else self.show(row)
        return missing(resource).body if body is None else body

    # -- keys and users --

    def create_key(
        self, permissions: Permissions = "read_write", *, user_id: int = _OWNER, name: str = ""
    ) -> Key:
        """Return a new key, as the merchant makes it under WooCommerce's settings."""
        return self.keys.create(permissions, user_id=user_id, name=name)

    def find_key(self, consumer_key: str) -> Key | None:
        """Return a key whose user still exists."""
        key = self.keys.find(consumer_key)
        return None if key is None or key.user_id in self._gone_users else key

    def delete_user(self, user_id: int = _OWNER) -> None:
        """Delete the user who made keys and webhooks: keys die, deliveries carry error objects."""
        with self.lock:
            self._gone_users.add(user_id)

    def install_plugin(self) -> PannierPlugin:
        """Have the merchant install Pannier's plugin, without what an earlier one was told; return it."""
        self.plugin = PannierPlugin(self.site)
        return self.plugin

    def remove_plugin(self) -> None:
        """Have the merchant delete Pannier's plugin, and with it what it was told."""
        self.plugin = None

    def fault(self, outage: Outage, **details: Any) -> None:
        """Have requests fail; the arguments are those of ``Outages.plan``."""
        self.outages.plan(outage, **details)

    # -- events: products --

    def changed_product(self, product_id: int, **fields: Any) -> None:
        """Change a product or a variation; ``date_modified_gmt`` is now unless it is among ``fields``.

        Raises:
            KeyError: if there is none.
        """
        with self.lock:
            kind: Kind = "product" if product_id in self._shelves["product"] else "variation"
            self._change(kind, product_id, fields)
        self.hooks.announce("product.updated", product_id)

    def trash_product(self, product_id: int) -> None:
        """Move a product to the trash. The webhooks of coupons hear of it, too: so does WooCommerce.

        Raises:
            KeyError: if there is none.
        """
        self._trash("product", product_id)
        self.trash_post(product_id)

    def trash_post(self, post_id: int) -> None:
        """Any post is trashed, be it a page: products' and coupons' webhooks are told of its id."""
        self.hooks.announce("coupon.deleted", post_id)
        self.hooks.announce("product.deleted", post_id)

    def restore_product(self, product_id: int) -> None:
        """Take a product out of the trash with the status that it had.

        Raises:
            KeyError: if there is none.
        """
        self._untrash("product", product_id)
        self.hooks.announce("product.restored", product_id)

    def delete_product(self, product_id: int) -> None:
        """Delete a product for good, with its variations: nobody is told, and old orders forget its id."""
        with self.lock:
            self._shelves["product"].pop(product_id, None)
            self._gone_products.add(product_id)
            for row in self.records("variation"):
                if row.parent_id == product_id:
                    del self._shelves["variation"][row.id]

    def delete_variation(self, variation_id: int) -> None:
        """Delete a variation: nobody is told.

        Raises:
            KeyError: if there is none.
        """
        with self.lock:
            row = self._shelves["variation"].pop(variation_id)
            parent = self._shelves["product"][row.parent_id].body
            left = [identifier for identifier in parent["variations"] if identifier != variation_id]
            self._change("product", row.parent_id, {"variations": left})

    # -- events: orders --

    def place_order(self, body: Mapping[str, Any], *, take_stock: bool = True) -> None:
        """A shopper orders. Where stock is counted it goes down, and each such product is reported.

        The block checkout (``created_via`` is ``store-api``) reports the update before the creation.
        """
        identifier = int(body["id"])
        topics = ["order.created", "order.updated"]
        self.add_order(body)
        for topic in reversed(topics) if body.get("created_via") == "store-api" else topics:
            self.hooks.announce(topic, identifier)
        if take_stock:
            for line in body["line_items"]:
                self._move_stock(line, -line["quantity"])

    def open_checkout(self, body: Mapping[str, Any]) -> None:
        """A shopper opens the block checkout: a draft order, reported as an update."""
        self.add_order({**body, "status": "checkout-draft"})
        self.hooks.announce("order.updated", int(body["id"]))

    def changed_order(self, order_id: int, **fields: Any) -> None:
        """Change an order; ``date_modified_gmt`` is now unless it is among ``fields``.

        A status that is set into or out of the trash is not reported.

        Raises:
            KeyError: if there is none.
        """
        with self.lock:
            before = self._shelves["order"][order_id].status
            self._change("order", order_id, fields)
            after = self._shelves["order"][order_id].status
        if "trash" not in (before, after):
            self.hooks.announce("order.updated", order_id)

    def refund_order(
        self,
        order_id: int,
        pieces: Mapping[int, int] | None = None,
        *,
        reason: str = "",
        restock: bool = False,
    ) -> int:
        """Pay back some lines, or the whole order when ``pieces`` is None; return the refund's id.

        A partial refund leaves the status as it is. With ``restock`` the pieces' products are reported.

        Raises:
            KeyError: if there is no such order or line.
        """
        with self.lock:
            refund = self.add_refund(order_id, pieces, reason=reason)
            self._change("order", order_id, {"status": "refunded"} if pieces is None else {})
            lines = {line["id"]: line for line in self._shelves["order"][order_id].body["line_items"]}
        self.hooks.announce("order.updated", order_id)
        if restock:
            for line_id, count in (pieces or {}).items():
                self._move_stock(lines[line_id], count)
        return refund

    def trash_order(self, order_id: int) -> None:
        """Move an order to the trash.

        Raises:
            KeyError: if there is none.
        """
        self._trash("order", order_id)
        self.hooks.announce("order.deleted", order_id)

    def restore_order(self, order_id: int) -> None:
        """Take an order out of the trash with the status that it had.

        Raises:
            KeyError: if there is none.
        """
        self._untrash("order", order_id)
        self.hooks.announce("order.restored", order_id)

    def delete_order(self, order_id: int) -> None:
        """Delete an order for good, with its refunds: nobody is told."""
        with self.lock:
            self._shelves["order"].pop(order_id, None)
            for row in self.records("refund"):
                if row.parent_id == order_id:
                    del self._shelves["refund"][row.id]

    # -- events: customers and coupons --

    def register_customer(self, body: Mapping[str, Any]) -> None:
        """Somebody registers."""
        self.add_customer(body)
        self.hooks.announce("customer.created", int(body["id"]))
        self.hooks.announce("customer.updated", int(body["id"]))

    def delete_customer(self, customer_id: int) -> None:
        """Delete a customer."""
        with self.lock:
            self._shelves["customer"].pop(customer_id, None)
        self.hooks.announce("customer.deleted", customer_id)

    def create_coupon(self, body: Mapping[str, Any]) -> None:
        """Somebody makes a coupon."""
        self.add_coupon(body)
        self.hooks.announce("coupon.created", int(body["id"]))
        self.hooks.announce("coupon.updated", int(body["id"]))

    def changed_coupon(self, coupon_id: int, **fields: Any) -> None:
        """Change a coupon.

        Raises:
            KeyError: if there is none.
        """
        with self.lock:
            self._change("coupon", coupon_id, fields)
        self.hooks.announce("coupon.updated", coupon_id)

    def trash_coupon(self, coupon_id: int) -> None:
        """Move a coupon to the trash.

        Raises:
            KeyError: if there is none.
        """
        self._trash("coupon", coupon_id)
        self.trash_post(coupon_id)

    def delete_coupon(self, coupon_id: int) -> None:
        """Delete a coupon for good: nobody is told."""
        with self.lock:
            self._shelves["coupon"].pop(coupon_id, None)

    # -- inside --

    def _keep(self, kind: Kind, body: Mapping[str, Any]) -> None:
        row = record(kind, body, self.site)
        self._shelves[kind][row.id] = row
        if kind != "customer":
            self._last_id = max(self._last_id, row.id)

    def _change(self, kind: Kind, identifier: int, fields: Mapping[str, Any]) -> None:
        body = {**self._shelves[kind][identifier].body, "date_modified_gmt": self.site.stamp(), **fields}
        self._keep(kind, body)

    def _trash(self, kind: Kind, identifier: int) -> None:
        with self.lock:
            self._trashed[identifier] = self._shelves[kind][identifier].status
            self._change(kind, identifier, {"status": "trash"})

    def _untrash(self, kind: Kind, identifier: int) -> None:
        with self.lock:
            self._change(kind, identifier, {"status": self._trashed.pop(identifier, "publish")})

    def _move_stock(self, line: Mapping[str, Any], count: int) -> None:
        identifier = int(line["variation_id"] or line["product_id"])
        with self.lock:
            kind: Kind = "variation" if line["variation_id"] else "product"
            row = self._shelves[kind].get(identifier)
            body = {} if row is None else row.body
            if body.get("manage_stock") is not True:
                return
            stock = (body["stock_quantity"] or 0) + count
            self._change(
                kind,
                identifier,
                {"stock_quantity": stock, "stock_status": "instock" if stock > 0 else "outofstock"},
            )
        self.hooks.announce("product.updated", identifier)

    def _forget_products(self, body: dict[str, Any]) -> None:
        """Take the ids out of lines whose product was deleted: only the name stays."""
        for line in body["line_items"]:
            if line["product_id"] in self._gone_products:
                line.update(product_id=0, variation_id=0, sku=None)
