"""Shopping carts of the demo storefronts: in memory, one per browser session."""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from demo.catalogue import Product
from demo.orders import Line

MOST_CARTS = 2000
MOST_LINES = 100
MOST_PIECES = 999


@dataclass
class Cart:
    """One shopper's cart: lines by their key, in the order in which they were put in."""

    token: str
    created_at: datetime
    lines: dict[str, Line] = field(default_factory=dict)
    coupons: list[str] = field(default_factory=list)  # codes that the shopper entered
    announced: bool = False  # whether the platform has told its apps of it

    @property
    def count(self) -> int:
        """Pieces of all lines."""
        return sum(line.quantity for line in self.lines.values())

    @property
    def total(self) -> int:
        """The price of all lines in pence."""
        return sum(line.total for line in self.lines.values())

    def pieces_of(self, product_number: int) -> int:
        """Return how many pieces of one product the cart holds, over all lines."""
        return sum(line.quantity for line in self.lines.values() if line.product.number == product_number)

    def add(self, line: Line, key: str) -> None:
        """Put ``line`` in; equal lines become one."""
        held = self.lines.get(key)
        quantity = line.quantity + (held.quantity if held else 0)
        self.lines[key] = Line(line.product, quantity, line.properties)

    def set_quantity(self, key: str, quantity: int) -> None:
        """Set how many pieces the line ``key`` holds; 0 takes it out. An unknown key changes nothing."""
        line = self.lines.get(key)
        if line is None:
            return
        if quantity <= 0:
            del self.lines[key]
        else:
            self.lines[key] = Line(line.product, quantity, line.properties)


class Carts:
    """All open carts; the longest unused one goes when there are too many."""

    def __init__(self) -> None:
        """Start with none."""
        self._carts: OrderedDict[str, Cart] = OrderedDict()
        self.lock = threading.RLock()

    def open(self, token: str | None) -> Cart:
        """Return the cart called ``token``, or a new one under a new random name if there is none."""
        with self.lock:
            if token is not None and token in self._carts:
                self._carts.move_to_end(token)
                return self._carts[token]
            cart = Cart(secrets.token_hex(16), datetime.now(UTC))
            self._carts[cart.token] = cart
            while len(self._carts) > MOST_CARTS:
                self._carts.popitem(last=False)
            return cart

    def replace(self, product: Product) -> None:
        """Have all carts hold ``product`` as it is now: carts know no old prices."""
        with self.lock:
            for cart in self._carts.values():
                for key, line in list(cart.lines.items()):
                    if line.product.number == product.number:
                        cart.lines[key] = Line(product, line.quantity, line.properties)

    def close(self, cart: Cart) -> None:
        """Forget ``cart``: it became an order."""
        with self.lock:
            self._carts.pop(cart.token, None)
