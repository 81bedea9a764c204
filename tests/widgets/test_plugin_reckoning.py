"""What the WordPress plugin takes off a cart equals the reference, to the minor unit of every line."""

import json
import random
import shutil
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from app.commerce.checkout import offer_to_config
from app.commerce.offers import Component, Discount, DiscountKind, Piece, Terms, reckon

_SCRIPT: Final = Path(__file__).parents[2] / "widgets" / "wordpress" / "tests" / "reckon.php"
_CARTS: Final = 400
_PRODUCTS: Final = ("11", "12", "13", "14", "15", "16")
# From nothing over prices that repeat, so that offers and lines are often equal, to sums whose products exceed 64 bits.
_PRICES: Final = (0, 1, 3, 99, 100, 100, 850, 1999, 1999, 129_900, 10**11 + 7, 10**12)


def _variants(product_id: str) -> list[str]:
    return [f"{product_id}{place}" for place in range(1, 4)]


def _component(random_: random.Random, product_id: str) -> Component:
    narrow = random_.random() < 0.15
    variant_ids = tuple(random_.sample(_variants(product_id), random_.randint(0, 3))) if narrow else None
    return Component(product_id, random_.choice((1, 1, 1, 1, 2, 3)), variant_ids)


def _discount(random_: random.Random) -> Discount:
    if random_.random() < 0.6:
        return Discount(DiscountKind.PERCENT, random_.choice((1, 500, 1000, 1000, 1250, 3333, 9999, 10_000)))
    return Discount(DiscountKind.AMOUNT, random_.choice((1, 2, 100, 100, 777, 5000, 10**11, 10**12)))


def _offer(random_: random.Random, key: str) -> Terms:
    products = random_.sample(_PRODUCTS, random_.choice((2, 2, 3, 4)))
    discounted = random_.sample(products, random_.randint(1, len(products)))
    components = tuple(_component(random_, product_id) for product_id in products)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return Terms(key, "Together", components, tuple(discounted), _discount(random_), "EUR", start)


def _line(random_: random.Random, place: int) -> Piece:
    product_id = random_.choice(_PRODUCTS)
    variant_id = random_.choice([None, *_variants(product_id)])
    quantity = random_.choice((1, 1, 1, 2, 3, 7))
    return Piece(f"line{place}", product_id, variant_id, quantity, random_.choice(_PRICES))


def _cases() -> list[tuple[list[Piece], list[Terms]]]:
    random_ = random.Random(7)
    keys = ["b", "a", "B", "a-1", "a1", "10", "9"]
    return [
        (
            [_line(random_, place) for place in range(random_.randint(0, 16))],
            [_offer(random_, key) for key in random_.sample(keys, random_.randint(1, len(keys)))],
        )
        for _ in range(_CARTS)
    ]


def _body(cart: list[Piece], offers: list[Terms]) -> dict[str, Any]:
    names = {"line_id": "line", "product_id": "product", "variant_id": "variant"}
    lines = [{names.get(name, name): value for name, value in asdict(line).items()} for line in cart]
    return {"cart": lines, "offers": [offer_to_config(offer) for offer in offers]}


def test_plugin_grants_what_the_reference_grants() -> None:
    php = shutil.which("php")
    if php is None:
        pytest.fail("the WordPress plugin's tests need php on the PATH: run scripts/php")
    cases = _cases()
    expected = [
        [{"key": g.key, "amount": g.amount, "lines": [list(line) for line in g.lines]} for g in reckon(*case)]
        for case in cases
    ]

    done = subprocess.run(
        [php, str(_SCRIPT)],
        input=json.dumps([_body(*case) for case in cases]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == expected
    # The carts would prove little if most of them got nothing.
    assert sum(bool(grants) for grants in expected) >= 200
    assert sum(len(grants) > 1 for grants in expected) >= 50
