"""Shopify's discount function: equal to the reference to the minor unit, and deaf to whatever is forged or broken."""

import json
import random
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from graphql import FieldNode, OperationDefinitionNode, SelectionSetNode, validate

from app.commerce.checkout import offer_to_config
from app.commerce.offers import Component, Discount, DiscountKind, Piece, Terms, in_currency, reckon
from app.core.money import to_major
from app.pricing.quotes import Refusal, issue, read, saving, window_at, window_key
from connectors.shopify import discount_documents, function_offers
from tests.widgets.discount_function import (
    EXTENSION,
    NOW,
    ROOT,
    CartLine,
    Function,
    ShopCart,
    discounts_of,
    input_of,
    input_query,
    schema,
)

VECTORS = json.loads((ROOT / "tests" / "payloads" / "quotes.json").read_text(encoding="utf-8"))
STARTS = datetime(2026, 1, 1, tzinfo=UTC)
PRODUCTS = [str(7_890_123_400_000 + place) for place in range(9)]
VARIANTS = {product: [f"{product}1", f"{product}2"] for product in PRODUCTS}
ROOT_SECRET = b"\x07" * 32
WINDOW = window_at(NOW)
KEYS = [window_key(ROOT_SECRET, WINDOW + ahead) for ahead in range(4)]
# What a unit of the shop's currency, EUR, is worth in carts of others.
RATES = {"EUR": "1.0", "USD": "1.0842", "JPY": "163.27", "KWD": "0.3301"}
MOST_OUTPUT = 20_000  # bytes, of carts with up to 200 lines: https://shopify.dev/docs/api/functions/latest
MOST_QUERY = 3_000  # bytes
MOST_COST = 30

QUOTED = CartLine("gid://shopify/CartLine/0", PRODUCTS[0], VARIANTS[PRODUCTS[0]][0], 2, 5000)
PAIR = (
    CartLine("gid://shopify/CartLine/0", PRODUCTS[0], VARIANTS[PRODUCTS[0]][0], 1, 1995),
    CartLine("gid://shopify/CartLine/1", PRODUCTS[1], VARIANTS[PRODUCTS[1]][0], 1, 995),
)
ADD_ON = Terms(
    "o1",
    "Together 10 % off",
    (Component(PRODUCTS[0]), Component(PRODUCTS[1])),
    (PRODUCTS[1],),
    Discount(DiscountKind.PERCENT, 1000),
    "EUR",
    STARTS,
)


@pytest.fixture(scope="module")
def function() -> Iterator[Function]:
    started = Function()
    yield started
    started.close()


# --- generated carts ------------------------------------------------------------------------------------


def a_price(chance: random.Random) -> int:
    return chance.choice([0, 1, 5, 995, 1990, 4999, 10**9, chance.randrange(1, 20_000)])


def an_offer(chance: random.Random, key: str, products: list[str]) -> Terms:
    members = chance.sample(products, min(chance.choice([2, 2, 2, 3, 4]), len(products)))
    components = tuple(
        Component(
            product,
            chance.choice([1, 1, 1, 2]),
            tuple(chance.sample(VARIANTS[product], chance.randint(1, 2))) if chance.random() < 0.3 else None,
        )
        for product in members
    )
    discounted = members if chance.random() < 0.5 else chance.sample(members, chance.randint(1, len(members)))
    discount = (
        Discount(DiscountKind.PERCENT, chance.choice([1, 333, 1000, 1500, 2500, 10_000]))
        if chance.random() < 0.6
        else Discount(DiscountKind.AMOUNT, chance.choice([1, 99, 250, 5000]))
    )
    return Terms(key, f"Set {key}", components, tuple(discounted), discount, "EUR", STARTS)


def a_quote(chance: random.Random, line: CartLine, currency: str, customer_id: str | None) -> str:
    """Return a quote for a line: mostly a good one."""
    key = chance.choice([*KEYS, window_key(b"\x08" * 32, WINDOW + 1), window_key(ROOT_SECRET, WINDOW - 1)])
    price = chance.choice([line.price + 100, max(line.price - 1, 1), max(line.price // 2, 1)])
    whose = chance.choice([None, customer_id, customer_id, "999"])
    token = issue(key, line.variant_id, price, currency, whose, f"nonce{chance.randrange(10**7):07d}")
    return token if chance.random() < 0.8 else token.replace(f".{price}.", ".1.")


def a_cart(seed: int) -> tuple[ShopCart, list[Terms]]:
    chance = random.Random(seed)
    currency = chance.choice(list(RATES))
    timezone = chance.choice(["UTC", "Pacific/Auckland", "America/St_Johns"])
    customer_id = chance.choice([None, "7012345678901"])
    products = chance.sample(PRODUCTS, chance.randint(2, 7))
    offers = [an_offer(chance, f"o{place}", PRODUCTS) for place in range(chance.randint(0, 14))]
    offers += [an_offer(chance, f"p{place}", products) for place in range(chance.randint(0, 6))]
    lines = []
    for place in range(chance.randint(1, 9)):
        product = chance.choice(products)
        variant = chance.choice(VARIANTS[product])
        line = CartLine(
            f"gid://shopify/CartLine/{place}", product, variant, chance.randint(1, 4), a_price(chance)
        )
        if chance.random() < 0.2:
            line = replace(line, quote=a_quote(chance, line, currency, customer_id))
        lines.append(line)
    arranged = function_offers.arrange(offers)
    assert arranged.crowded == ()
    cart = ShopCart(
        lines=lines,
        offers={product: json.loads(value) for product, value in arranged.values.items()},
        settings=function_offers.settings(KEYS, timezone),
        currency=currency,
        rate=RATES[currency],
        customer_id=customer_id,
        timezone=timezone,
    )
    return cart, offers


def saved_by_quote(line: CartLine, cart: ShopCart) -> int:
    """Return what a line's quote takes off, by the reference."""
    if line.quote is None:
        return 0
    quote = read(
        line.quote,
        KEYS,
        cart.at,
        variant_id=line.variant_id,
        currency=cart.currency,
        customer_id=cart.customer_id,
    )
    return 0 if isinstance(quote, Refusal) else saving(quote, line.price, line.quantity)


def expected(cart: ShopCart, offers: list[Terms]) -> tuple[dict[str, int], int]:
    """Return what each line gets by the reference, and how many offers are granted."""
    got = {line.id: saved_by_quote(line, cart) for line in cart.lines}
    pieces = [
        Piece(line.id, line.product_id, line.variant_id, line.quantity, line.price)
        for line in cart.lines
        if not got[line.id]
    ]
    held = [in_currency(offer, cart.currency, Decimal(cart.rate)) for offer in offers]
    grants = reckon(pieces, [offer for offer in held if offer is not None])
    for grant in grants:
        for line_id, _, share in grant.lines:
            got[line_id] += share
    return {line_id: amount for line_id, amount in got.items() if amount}, len(grants)


def test_the_function_equals_the_reference_to_the_minor_unit_in_300_carts(function: Function) -> None:
    seen: Counter[str] = Counter()
    for seed in range(300):
        cart, offers = a_cart(seed)
        wanted, grants = expected(cart, offers)

        quotes = [line for line in cart.lines if line.quote]
        # Quotes in carts that hold several take more effort than Shopify allows; they are tested beside.
        assert function.discounts(cart, 1000 if quotes else None) == wanted, seed

        seen[cart.currency] += bool(wanted)
        seen["several offers"] += grants > 1
        seen["no discount"] += not wanted
        seen["quotes believed"] += sum(saved_by_quote(line, cart) > 0 for line in quotes)
        seen["quotes refused"] += sum(not saved_by_quote(line, cart) for line in quotes)

    assert (
        min(seen[kind] for kind in [*RATES, "several offers", "quotes believed", "quotes refused"]) >= 20
    ), seen
    assert seen["no discount"] >= 5


def test_amounts_beyond_what_a_float_holds_are_shared_out_exactly(function: Function) -> None:
    chance = random.Random(7)
    bundle = replace(ADD_ON, discounted=tuple(PRODUCTS[:2]), currency="JPY")
    for _ in range(20):
        lines = [replace(line, price=chance.randrange(10**11, 4 * 10**11)) for line in PAIR]
        offer = replace(bundle, discount=Discount(DiscountKind.PERCENT, chance.randrange(1, 10_000)))
        cart = ShopCart(lines, {PRODUCTS[0]: [offer_to_config(offer)]}, currency="JPY")

        assert function.discounts(cart) == expected(cart, [offer])[0]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(PAIR[:1], id="component missing"),
        pytest.param(PAIR[1:], id="carrier missing"),
        pytest.param([PAIR[0], replace(PAIR[1], product_id=PRODUCTS[2])], id="another product instead"),
    ],
)
def test_without_all_components_nothing_is_granted(function: Function, lines: list[CartLine]) -> None:
    cart = ShopCart(lines, {PRODUCTS[0]: [offer_to_config(ADD_ON)]})

    assert function.run(input_of(cart)) == {"operations": []}


def test_a_discount_of_another_class_grants_nothing(function: Function) -> None:
    cart = ShopCart(PAIR, {PRODUCTS[0]: [offer_to_config(ADD_ON)]}, classes=["ORDER", "SHIPPING"])

    assert function.run(input_of(cart)) == {"operations": []}


def test_a_line_shows_the_title_of_its_offer(function: Function) -> None:
    cart = ShopCart(PAIR, {PRODUCTS[0]: [offer_to_config(ADD_ON)]})

    (operation,) = function.run(input_of(cart))["operations"]

    assert operation["productDiscountsAdd"]["candidates"] == [
        {
            "targets": [{"cartLine": {"id": "gid://shopify/CartLine/1"}}],
            "value": {"fixedAmount": {"amount": "1.00"}},
            "message": "Together 10 % off",
        }
    ]


# Of ISO 4217: no decimals, three decimals, two decimals.
CURRENCIES = (
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "
    "BHD IQD JOD KWD LYD OMR TND EUR NZD USD HUF"
)


@pytest.mark.parametrize("currency", CURRENCIES.split())
def test_every_currency_has_the_decimals_of_the_service(function: Function, currency: str) -> None:
    given = input_of(ShopCart(PAIR, {PRODUCTS[0]: [offer_to_config(ADD_ON)]}))
    for line, cart_line in zip(given["cart"]["lines"], PAIR, strict=True):
        line["cost"]["amountPerQuantity"] = {
            "amount": to_major(cart_line.price, currency),
            "currencyCode": currency,
        }

    assert discounts_of(function.run(given), currency) == {"gid://shopify/CartLine/1": 100}


@pytest.mark.parametrize(
    ("amount", "off"),
    [
        pytest.param("9.9", "0.99", id="one digit behind the point"),
        pytest.param("10", "1.00", id="no point"),
        pytest.param("9.950000", "1.00", id="noughts at the end"),
        pytest.param("9.945", "1.00", id="half a cent rounds up"),
        pytest.param("9.944999", "0.99", id="less rounds down"),
        pytest.param(".5", None, id="nothing before the point"),
        pytest.param("9.9.5", None, id="two points"),
        pytest.param("9,95", None, id="comma"),
        pytest.param("-9.95", None, id="negative"),
        pytest.param("1e3", None, id="exponent"),
        pytest.param("", None, id="empty"),
        pytest.param("99999999999999999999", None, id="beyond what is counted exactly"),
        pytest.param(9.95, None, id="a float"),
        pytest.param(None, None, id="null"),
    ],
)
def test_prices_are_read_exactly_or_not_at_all(function: Function, amount: Any, off: str | None) -> None:
    given = input_of(ShopCart(PAIR, {PRODUCTS[0]: [offer_to_config(ADD_ON)]}))
    given["cart"]["lines"][1]["cost"]["amountPerQuantity"]["amount"] = amount

    operations = function.run(given)["operations"]

    amounts = [
        candidate["value"]["fixedAmount"]["amount"]
        for operation in operations
        for candidate in operation["productDiscountsAdd"]["candidates"]
    ]
    assert amounts == ([] if off is None else [off])


# --- quotes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_quotes_count_or_not_as_the_reference_says(function: Function, case: dict[str, Any]) -> None:
    at = datetime.fromtimestamp(case["unix"], UTC)
    price = (case["price"] or 10**9) + 250
    line = replace(QUOTED, variant_id=case["variant_id"], quote=case["token"], price=price)
    # The checkout holds four keys; those of the last four windows, or the one that is over.
    keys = VECTORS["keys"][:4] if ".3k9vb." in case["token"] else VECTORS["keys"][1:]
    settings = {
        "v": 1,
        "keys": [{"id": key["id"], "secret": key["secret"]} for key in keys],
        **{
            f"until{place}": f"{datetime.fromtimestamp(key['not_after'], UTC):%Y-%m-%dT%H:%M:%S}"
            for place, key in enumerate(keys)
        },
    }
    given = input_of(ShopCart([line], {}, settings, customer_id=case["customer_id"], at=at))
    given["cart"]["lines"][0]["cost"]["amountPerQuantity"] = {
        "amount": to_major(price, case["currency"]),
        "currencyCode": case["currency"],
    }

    got = discounts_of(function.run(given), case["currency"])

    assert got == ({line.id: 250 * 2} if case["word"] == "valid" else {})


def quoted_cart(quote: str, **changes: Any) -> ShopCart:
    """Return a cart with one quoted line of 50.00 and the shop's four keys."""
    settings = function_offers.settings(KEYS, "UTC")
    return replace(ShopCart([replace(QUOTED, quote=quote)], {}, settings), **changes)


def token(price: int, customer_id: str | None = None, key: int = 1) -> str:
    return issue(KEYS[key], QUOTED.variant_id, price, "EUR", customer_id, "nonce0000000")


@pytest.mark.parametrize(
    ("price", "off"),
    [(4999, 2), (1990, 6020), (1, 9998), (5000, 0), (5001, 0), (10**12, 0)],
    ids=["a cent less", "less", "almost nothing", "the same", "a cent more", "far more"],
)
def test_a_quote_lowers_the_price_of_every_piece_and_never_raises_one(
    function: Function, price: int, off: int
) -> None:
    assert function.discounts(quoted_cart(token(price))) == ({QUOTED.id: off} if off else {})


@pytest.mark.parametrize("timezone", ["UTC", "Pacific/Auckland", "America/St_Johns"])
@pytest.mark.parametrize(("seconds", "off"), [(-1, 20), (0, 0)], ids=["last second", "over"])
def test_a_quote_ends_with_its_window_in_the_shops_local_time(
    function: Function, timezone: str, seconds: int, off: int
) -> None:
    cart = quoted_cart(
        token(4990, key=0),
        settings=function_offers.settings(KEYS, timezone),
        timezone=timezone,
        at=KEYS[0].not_after + timedelta(seconds=seconds),
    )

    assert function.discounts(cart) == ({QUOTED.id: off} if off else {})


@pytest.mark.parametrize(
    ("quoted_for", "buyer", "off"),
    [
        pytest.param("7012345678901", "7012345678901", 20, id="the customer it is for"),
        pytest.param("7012345678901", "7012345678902", 0, id="another customer"),
        pytest.param("7012345678901", None, 0, id="nobody logged in"),
        pytest.param(None, None, 20, id="a guest's"),
        pytest.param(None, "7012345678901", 20, id="a guest's, with somebody logged in"),
    ],
)
def test_a_quote_is_its_customers(
    function: Function, quoted_for: str | None, buyer: str | None, off: int
) -> None:
    cart = quoted_cart(token(4990, quoted_for), customer_id=buyer)

    assert function.discounts(cart) == ({QUOTED.id: off} if off else {})


def test_a_quote_of_another_store_counts_for_nothing(function: Function) -> None:
    others = window_key(b"\x08" * 32, WINDOW + 1)
    foreign = issue(others, QUOTED.variant_id, 4990, "EUR", None, "nonce0000000")

    assert others.id == KEYS[1].id
    assert function.discounts(quoted_cart(foreign)) == {}


def test_every_single_changed_character_makes_a_quote_void(function: Function) -> None:
    good = token(4990)
    given = input_of(quoted_cart(good))

    for place, letter in enumerate(good):
        given["cart"]["lines"][0]["quote"]["value"] = (
            good[:place] + ("B" if letter != "B" else "C") + good[place + 1 :]
        )
        assert function.run(given) == {"operations": []}, place


def test_quoted_pieces_take_no_part_in_offers_and_void_quotes_change_nothing(function: Function) -> None:
    offers = {PRODUCTS[0]: [offer_to_config(ADD_ON)]}
    settings = function_offers.settings(KEYS, "UTC")
    good = issue(KEYS[1], PAIR[0].variant_id, 1990, "EUR", None, "nonce0000000")
    for quote, wanted in (
        (good, {PAIR[0].id: 5}),
        (good[:-1] + "!", {PAIR[1].id: 100}),
        ("", {PAIR[1].id: 100}),
    ):
        cart = ShopCart([replace(PAIR[0], quote=quote), PAIR[1]], offers, settings)

        assert function.discounts(cart) == wanted


@pytest.mark.parametrize(
    ("customer_id", "different_keys", "looked_at"),
    [
        pytest.param(None, False, [0, 1, 2], id="guest, one key"),
        pytest.param(None, True, [0, 1], id="guest, different keys"),
        pytest.param("7012345678901", False, [0, 1], id="customer, one key"),
        pytest.param("7012345678901", True, [0, 3], id="customer, different keys"),
    ],
)
def test_only_so_many_quotes_are_looked_at_as_shopify_gives_time(
    function: Function, customer_id: str | None, different_keys: bool, looked_at: list[int]
) -> None:
    lines = [
        replace(
            QUOTED,
            id=f"gid://shopify/CartLine/{place}",
            quote=token(4990, customer_id, key=1 + place % 3 if different_keys else 1),
        )
        for place in range(6)
    ]

    got = function.discounts(replace(quoted_cart("", customer_id=customer_id), lines=lines))

    assert got == {f"gid://shopify/CartLine/{place}": 20 for place in looked_at}


@pytest.mark.parametrize(("size", "looked_at"), [(20, 10), (40, 11), (60, 4), (120, 0)], ids=str)
def test_only_so_many_offers_are_looked_at_as_reading_the_cart_left_time(
    function: Function, size: int, looked_at: int
) -> None:
    cart, offers = crowd(size)

    got = function.discounts(cart)

    assert got == expected(cart, offers[:looked_at])[0]
    assert len(got) == 2 * looked_at


# --- what is broken -------------------------------------------------------------------------------------

GARBAGE = [None, True, 0, -1, 1.5, "", "text", [], [[]], [None], {}, {"c": 1}, {"constructor": 1}]


@pytest.mark.parametrize("broken", GARBAGE, ids=json.dumps)
def test_a_broken_metafield_grants_nothing_and_takes_nothing_from_others(
    function: Function, broken: Any
) -> None:
    other = replace(ADD_ON, key="o2", components=ADD_ON.components[::-1])
    settings = {**function_offers.settings([], "UTC"), "keys": broken}
    offers = {PRODUCTS[0]: [], PRODUCTS[1]: [broken, offer_to_config(other), broken]}
    given = input_of(ShopCart(PAIR, offers, settings))
    given["cart"]["lines"][0]["merchandise"]["product"]["offers"]["jsonValue"] = broken

    assert discounts_of(function.run(given), "EUR") == {PAIR[1].id: 100}


def broken_offers() -> list[Any]:
    """Return configurations of which one field is missing or of another kind."""
    config = offer_to_config(ADD_ON)
    first, second = config["c"]
    fields = {
        "k": GARBAGE[:6] + GARBAGE[7:],
        "t": GARBAGE[:5] + GARBAGE[7:],
        "c": [*GARBAGE, [first], [first, first], [first, first, second], [first, second] * 3,
              [first, [PRODUCTS[1], 0, None]],
              [first, [PRODUCTS[1], 1]], [first, [PRODUCTS[1], "1", None]], [first, [PRODUCTS[1], 1, [7]]],
              [first, [PRODUCTS[1], 1, "text"]], [first, [{}, 1, None]]],
        "d": [*GARBAGE, [PRODUCTS[2]], PRODUCTS[1:3], [PRODUCTS[1]] * 2, PRODUCTS[1]],
        "p": [value for value in GARBAGE if value is not None] + [10_001, 10**400, "1000"],
    }  # fmt: skip
    missing = [{name: value for name, value in config.items() if name != gone} for gone in fields]
    wrong = [{**config, name: value} for name, values in fields.items() for value in values]
    amounts = [{**config, "a": 100}, {**missing[4], "a": 0}, {**missing[4], "a": "5"}]
    currencies = [
        {**missing[4], "a": 100, "u": value} for value in ["", "eur", "EURO", "constructor", None, 7]
    ]
    return [*missing, *wrong, *amounts, *currencies]


def test_what_is_no_offer_is_granted_to_nobody(function: Function) -> None:
    given = input_of(ShopCart([replace(line, quantity=9) for line in PAIR], {PRODUCTS[0]: []}))

    for config in broken_offers():
        given["cart"]["lines"][0]["merchandise"]["product"]["offers"]["jsonValue"] = [config]
        assert function.run(given) == {"operations": []}, config


def test_a_good_rate_is_needed_only_where_an_amount_is_exchanged(function: Function) -> None:
    amount = replace(ADD_ON, key="o2", discounted=(PRODUCTS[0],), discount=Discount(DiscountKind.AMOUNT, 50))
    for rate in ["", "0", "-1", "1e1", "NaN", "1.2.3"]:
        for offer, wanted in ((amount, {}), (ADD_ON, {PAIR[1].id: 100})):
            offers = {PRODUCTS[0]: [offer_to_config(offer)]}
            assert function.discounts(ShopCart(PAIR, offers, currency="USD", rate=rate)) == wanted


@pytest.mark.parametrize("secret", [*GARBAGE, "AA", "!" * 22, "A" * 200], ids=json.dumps)
def test_a_broken_key_makes_no_quote_valid(function: Function, secret: Any) -> None:
    settings = function_offers.settings(KEYS, "UTC")
    settings["keys"][1]["secret"] = secret

    assert function.discounts(quoted_cart(token(4990), settings=settings)) == {}


@pytest.mark.parametrize("size", [0, 1, 15, 65], ids=lambda size: f"{size} bytes")
def test_a_key_of_another_size_signs_nothing(function: Function, size: int) -> None:
    key = replace(KEYS[1], secret=b"\x01" * size)
    signed = issue(key, QUOTED.variant_id, 4990, "EUR", None, "nonce0000000")

    assert function.discounts(quoted_cart(signed, settings=function_offers.settings([key], "UTC"))) == {}


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything inside a tree of JSON."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, value in inner:
        yield (*path, name)
        yield from places(value, (*path, name))


def test_whatever_is_broken_the_function_answers_and_gives_no_more(function: Function) -> None:
    cart = quoted_cart(token(4990), offers={PRODUCTS[0]: [offer_to_config(ADD_ON)]})
    text = json.dumps(input_of(replace(cart, lines=[*cart.lines, *PAIR])))
    whole = discounts_of(function.run(json.loads(text)), "EUR")
    assert whole == {QUOTED.id: 20, PAIR[1].id: 100}

    for path in places(json.loads(text)):
        if path[-1] in {"amount", "quantity", "p"}:
            continue  # a number there is another cart, or another offer
        for value in (None, 7, "x", [], {}):
            given = json.loads(text)
            inner = given
            for name in path[:-1]:
                inner = inner[name]
            inner[path[-1]] = value
            output = function.run(given)
            candidates = [c for o in output["operations"] for c in o["productDiscountsAdd"]["candidates"]]
            amounts = [c["value"]["fixedAmount"]["amount"] for c in candidates]
            assert set(amounts) <= {"0.20", "1.00"}, (path, value)
    for given in (None, 7, "x", [], {}, {"cart": {}}):
        assert function.run(given) == {"operations": []}


# --- Shopify's limits -----------------------------------------------------------------------------------


def crowd(size: int) -> tuple[ShopCart, list[Terms]]:
    """Return a cart of ``size`` lines that all get something, by offers with long titles."""
    lines = [
        CartLine(f"gid://shopify/CartLine/{place}", str(10**12 + place), str(place), 1, 1000 + 20 * place)
        for place in range(size)
    ]
    pairs = [(lines[place].product_id, lines[place + 1].product_id) for place in range(0, size, 2)]
    offers = [
        replace(
            ADD_ON,
            key=f"o{place}",
            title='"Ganz' + "ä" * 200,
            components=tuple(Component(product) for product in pair),
            discounted=pair,
        )
        for place, pair in enumerate(pairs)
    ]
    values = function_offers.arrange(offers).values
    return ShopCart(lines, {product: json.loads(value) for product, value in values.items()}), offers


@pytest.mark.parametrize(
    ("size", "told", "all_fit"),
    [
        pytest.param(60, True, True, id="60 lines with their titles"),
        pytest.param(140, False, True, id="140 lines without"),
        pytest.param(200, False, False, id="200 lines, the largest discounts"),
        pytest.param(500, False, False, id="500 lines, in more room"),
    ],
)
def test_the_output_keeps_within_shopifys_limit(
    function: Function, size: int, told: bool, all_fit: bool
) -> None:
    cart, offers = crowd(size)
    wanted, _ = expected(cart, offers)

    output = function.run(input_of(cart), 1000)

    got = discounts_of(output, "EUR")
    (operation,) = output["operations"]
    written = json.dumps(output, ensure_ascii=False, separators=(",", ":")).encode()
    assert len(written) <= MOST_OUTPUT * max(1, size / 200)
    assert {"message" in candidate for candidate in operation["productDiscountsAdd"]["candidates"]} == {told}
    left_out = {line_id: amount for line_id, amount in wanted.items() if line_id not in got}
    assert got == {line_id: wanted[line_id] for line_id in got}
    assert len(got) > 0.75 * size
    assert bool(left_out) is not all_fit
    assert min(got.values()) >= max(left_out.values(), default=0)


def test_the_input_query_fits_the_schema_and_the_limits() -> None:
    text = (EXTENSION / "src" / "run.graphql").read_text(encoding="utf-8")
    (operation,) = input_query().definitions
    assert isinstance(operation, OperationDefinitionNode)

    assert validate(schema(), input_query()) == []
    assert len(text.encode()) <= MOST_QUERY
    assert cost_of(operation.selection_set) <= MOST_COST


def cost_of(selections: SelectionSetNode) -> int:
    """Return what a query costs: a metafield three, every other field at the end of a path one."""
    cost = 0
    for node in selections.selections:
        inner = getattr(node, "selection_set", None)
        if isinstance(node, FieldNode) and node.name.value == "metafield":
            cost += 3
        elif inner is not None:
            cost += cost_of(inner)
        else:
            cost += 1
    return cost


# --- what is deployed -----------------------------------------------------------------------------------


def test_the_manifest_names_what_the_connector_writes() -> None:
    manifest = tomllib.loads((EXTENSION / "shopify.extension.toml").read_text(encoding="utf-8"))
    (extension,) = manifest["extensions"]
    (target,) = extension["targeting"]

    assert manifest["api_version"] == "2026-10"
    assert (extension["type"], extension["handle"]) == ("function", function_offers.HANDLE)
    assert target["target"] == "cart.lines.discounts.generate.run"
    assert (EXTENSION / target["input_query"]).is_file()
    assert target["export"] == "cart-lines-discounts-generate-run"
    assert extension["input"]["variables"] == {
        "namespace": discount_documents.NAMESPACE,
        "key": discount_documents.SETTINGS,
    }


def test_every_variable_of_the_query_is_written_even_without_keys() -> None:
    (operation,) = input_query().definitions
    assert isinstance(operation, OperationDefinitionNode)
    names = {entry.variable.name.value for entry in operation.variable_definitions}

    assert names <= function_offers.settings([], "UTC").keys()
    assert names == {f"until{place}" for place in range(len(KEYS))}


def test_both_languages_name_the_function() -> None:
    locales = sorted((EXTENSION / "locales").glob("*.json"))

    assert [path.name for path in locales] == ["de.json", "en.default.json"]
    for path in locales:
        assert json.loads(path.read_text(encoding="utf-8")).keys() == {"name", "description"}
