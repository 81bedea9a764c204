"""What a connector may say: changes of the shared commerce model.

A connector translates a platform's message into these values and touches no database;
``app.commerce.ingest`` writes them. Every value is plain and immutable. Ids are the platform's own,
as strings. Money is in minor units of the stated currency. Times are timezone-aware UTC.

``updated_at`` is the platform's own clock for the state that a change carries. It decides which of
two changes is newer, never the order of arrival. Ties are settled by content, so that any order of
arrival ends in the same rows.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum


class ProductStatus(StrEnum):
    """Where a product stands in its shop. Only ``ACTIVE`` products may ever be recommended."""

    UNKNOWN = "unknown"  # seen in an order only; the shop has not described it yet
    DRAFT = "draft"
    ACTIVE = "active"
    ARCHIVED = "archived"
    DELETED = "deleted"


class OrderStatus(IntEnum):
    """The stages of an order. The number orders two states that carry the same time stamp."""

    DRAFT = 10  # a checkout that somebody opened: no sale
    PENDING = 20  # placed, not paid: no sale yet
    FAILED = 30  # payment failed: no sale
    PLACED = 40  # a sale: paid, authorised, on account or in work
    COMPLETED = 50  # a sale: delivered
    CANCELLED = 60
    REFUNDED = 70  # refunded whole


SALES = frozenset({OrderStatus.PLACED, OrderStatus.COMPLETED})


class Channel(StrEnum):
    """Where an order was placed."""

    ONLINE = "online"
    POS = "pos"
    STAFF = "staff"  # entered by the merchant: draft orders, admin, REST
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class VariantState:
    """One buyable variant of a product.

    ``stock`` is None where the shop does not count it. ``sells_when_out`` says that the shop sells
    it below zero (backorders). ``cost`` is what a piece costs the merchant, None where the message does not tell (then
    a stored one stays); it is no part of what decides between two states.
    """

    platform_id: str
    title: str
    price: int
    compare_at_price: int | None = None
    sku: str | None = None
    stock: int | None = None
    sells_when_out: bool = False
    inventory_item_id: str | None = None
    position: int = 0
    image_url: str | None = None
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class ProductChange:
    """The whole state of one product.

    ``visible`` is False for a product that shoppers cannot find in the shop (unlisted, hidden from
    catalogue, unpublished). ``available`` is the shop's own word on whether it can be bought now, or None
    where that follows from the variants' stock. ``variants`` is None where the message does not list
    them whole (then stored ones stay). ``variant_ids`` are the platform ids of all its variants, sorted,
    or None where the message does not say which are all; a variant that is not among them is not sold.
    ``price`` is the lowest price of the product.

    ``cross_sell_ids`` and ``upsell_ids`` are the products that the merchant chose to show beside it: things that go
    with it, and better ones of its kind, in the merchant's order. None where the message says nothing of them (then
    stored ones stay), empty where the merchant chose none.

    ``cost`` is what a piece costs the merchant where a variant has no cost of its own; otherwise as a variant's.
    """

    platform_id: str
    updated_at: datetime
    title: str
    status: ProductStatus
    visible: bool
    currency: str
    price: int | None
    url: str | None = None
    image_url: str | None = None
    category: str | None = None
    vendor: str | None = None
    tags: tuple[str, ...] = ()
    gift_card: bool = False
    available: bool | None = None
    compare_at_price: int | None = None
    variants: tuple[VariantState, ...] | None = None
    variant_ids: tuple[str, ...] | None = None
    revives: bool = False  # taken back out of the bin: overrides an earlier deletion
    cross_sell_ids: tuple[str, ...] | None = None
    upsell_ids: tuple[str, ...] | None = None
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class VariantChange:
    """The state of one variant that arrived on its own (WooCommerce sends variations so)."""

    product_platform_id: str
    updated_at: datetime
    currency: str
    variant: VariantState
    available: bool


@dataclass(frozen=True, slots=True)
class ProductDeletion:
    """A product left the shop's catalogue (deleted, or put into the bin). Its counts stay."""

    platform_id: str
    deleted_at: datetime


@dataclass(frozen=True, slots=True)
class InventoryChange:
    """How many of an inventory item one location has to sell."""

    inventory_item_id: str
    location_id: str
    available: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class CustomerRef:
    """Who bought: the platform's customer id (None for a guest) and the keyed hash of the identity.

    ``identity_hash`` is 32 bytes: HMAC-SHA256, keyed per store, of the normalised e-mail address. The
    address itself never gets this far.
    """

    platform_id: str | None
    identity_hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class CustomerChange:
    """A customer exists or changed."""

    customer: CustomerRef
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class CustomerDeletion:
    """A customer was deleted in the shop: forget the identity, keep the orders without it."""

    platform_id: str
    deleted_at: datetime


@dataclass(frozen=True, slots=True)
class CustomerMerge:
    """The platform made one customer of two; ``kept_platform_id`` lives on, ``merged_platform_id`` is gone.

    Customers and orders stay as the platform named them, so that orders which arrive late count whichever of the two
    they name, and a merge can be taken back: who is who is worked out elsewhere (``Applied.merges``).
    """

    kept_platform_id: str
    merged_platform_id: str
    merged_at: datetime


@dataclass(frozen=True, slots=True)
class OrderLineState:
    """One line of an order. ``product_platform_id`` is None for tips, fees and deleted products.

    ``current_quantity`` is what is left after refunds and edits that the message knows of.
    ``price`` is for one piece before discounts, ``discount`` for the whole line. ``tax_included`` is the tax that the
    line's price after its discount contains, for ``quantity`` pieces; 0 where prices are without tax.
    """

    platform_id: str
    product_platform_id: str | None
    variant_platform_id: str | None
    quantity: int
    current_quantity: int
    price: int
    discount: int = 0
    gift_card: bool = False
    tax_included: int = 0


@dataclass(frozen=True, slots=True)
class OrderChange:
    """The whole state of one order.

    ``adjustment_ids`` names the refunds (``refund:<id>``) and edits that ``current_quantity`` of the
    lines already contains, so that their own messages change nothing more.
    ``total`` includes tax and shipping, after discounts. ``cart_token_hash`` joins the order to its cart.
    ``customer_known`` False says that the message could not have named a guest: a stored customer then stays.
    """

    platform_id: str
    updated_at: datetime
    placed_at: datetime
    status: OrderStatus
    channel: Channel
    test: bool
    currency: str
    total: int
    lines: tuple[OrderLineState, ...]
    customer: CustomerRef | None = None
    customer_known: bool = True
    cart_token_hash: bytes | None = None
    adjustment_ids: tuple[str, ...] = ()
    revives: bool = False  # taken back out of the bin: overrides an earlier deletion


@dataclass(frozen=True, slots=True)
class OrderAdjustment:
    """Pieces taken out of (or put back into) existing lines by a refund or an edit.

    ``adjustment_id`` is unique within the store (``refund:<id>`` or ``edit:<id>``). ``lines`` pairs a line's
    platform id with the change of its quantity: negative for pieces taken out. It may arrive before the order.
    """

    order_platform_id: str
    adjustment_id: str
    happened_at: datetime
    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class OrderDeletion:
    """An order was deleted, or put into the bin."""

    platform_id: str
    deleted_at: datetime


@dataclass(frozen=True, slots=True)
class CartLineState:
    """One line of a cart."""

    product_platform_id: str
    variant_platform_id: str | None
    quantity: int
    price: int


@dataclass(frozen=True, slots=True)
class CartChange:
    """The whole state of one cart. ``token_hash`` is SHA-256 of its token: the token is a credential."""

    token_hash: bytes
    updated_at: datetime
    currency: str | None
    lines: tuple[CartLineState, ...]


@dataclass(frozen=True, slots=True)
class StoreUninstalled:
    """The merchant removed Pannier. Late and repeated news: older than the install means nothing."""

    uninstalled_at: datetime


@dataclass(frozen=True, slots=True)
class ConnectionProblem:
    """The platform says that Pannier's access is broken; the merchant must act. ``detail`` is one sentence."""

    noticed_at: datetime
    detail: str


class PrivacyRequestKind(StrEnum):
    """What is asked for."""

    DATA_REQUEST = "data_request"
    REDACT_CUSTOMER = "redact_customer"
    REDACT_STORE = "redact_store"


@dataclass(frozen=True, slots=True)
class PrivacyRequest:
    """Work for the privacy room: give out or erase what is held about a customer or a store.

    ``request_id`` makes a repeated message one request. ``orders`` are platform ids.
    """

    kind: PrivacyRequestKind
    request_id: str
    requested_at: datetime
    customer: CustomerRef | None = None
    orders: tuple[str, ...] = ()


CommerceChange = (
    ProductChange
    | VariantChange
    | ProductDeletion
    | InventoryChange
    | CustomerChange
    | CustomerDeletion
    | CustomerMerge
    | OrderChange
    | OrderAdjustment
    | OrderDeletion
    | CartChange
    | StoreUninstalled
    | ConnectionProblem
)
Change = CommerceChange | PrivacyRequest
