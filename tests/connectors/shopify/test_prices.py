"""List prices on the Shopify peer: read before they are written, and exact in every currency."""

from collections.abc import Iterator

import pytest

from connectors.errors import NotFound, Unreachable
from connectors.prices import ListPrice, PriceWrite
from connectors.shopify.prices import ShopifyPrices
from demo.peers.shopify.app import DEFAULT_SCOPES, Served
from demo.peers.shopify.state import Event, ShopifyState
from tests.connectors.shopify.peer import Clock, Market, market, peer

Peer = tuple[Served, ShopifyState, Clock]


@pytest.fixture(scope="module")
def served() -> Iterator[Peer]:
    with peer() as running:
        yield running


@pytest.fixture
def shop(served: Peer) -> Market:
    """A shop with product 1 in two variants and product 2 in one."""
    opened = market(*served)
    opened.stock(1, "12.50", "15.00", compare_at="20.00")
    opened.stock(2, "3.00")
    return opened


def prices(opened: Market) -> ShopifyPrices:
    return ShopifyPrices(opened.client, opened.shop.currency)


def write(product: int, variant: int, price: int, expected: int, compare_at: int | None = None) -> PriceWrite:
    return PriceWrite(str(product), str(variant), price, compare_at, expected, "GBP")


def told(opened: Market) -> list[Event]:
    heard: list[Event] = []
    opened.shop.listeners.append(heard.append)
    return heard


def test_the_prices_of_every_variant_are_read(shop: Market) -> None:
    assert prices(shop).read("1") == {"10": ListPrice("10", 1250, 2000), "11": ListPrice("11", 1500, 2000)}
    with pytest.raises(NotFound):
        prices(shop).read("3")


def test_more_variants_than_fit_on_a_page_are_all_read_and_written(shop: Market) -> None:
    # given
    shop.stock(7, *["1.00"] * 260)

    # when
    outcomes = prices(shop).write([write(7, 70 + place, 150, 100) for place in range(260)])

    # then
    assert len(prices(shop).read("7")) == 260
    assert {outcome.problem for outcome in outcomes} == {None}
    assert {each.price for each in prices(shop).read("7").values()} == {150}
    assert shop.client.taken()["WritePrices"] == 2


def test_a_price_is_written_and_the_shop_tells_of_it(shop: Market) -> None:
    # given
    heard = told(shop)

    # when
    [outcome] = prices(shop).write([write(1, 10, 1199, 1250, 1250)])

    # then
    assert (outcome.problem, outcome.code) == (None, None)
    assert prices(shop).read("1") == {"10": ListPrice("10", 1199, 1250), "11": ListPrice("11", 1500, 2000)}
    [event] = heard
    assert event.topic == "products/update"
    assert [variant["price"] for variant in event.body["variants"]] == ["11.99", "15.00"]


def test_writes_of_many_products_are_answered_in_their_order(shop: Market) -> None:
    # when
    outcomes = prices(shop).write(
        [
            write(1, 11, 1400, 1500),
            write(2, 20, 250, 300),
            write(9, 90, 1, 2),
            write(1, 10, 1300, 1250),
            write(2, 29, 1, 2),
        ]
    )

    # then
    assert [outcome.code for outcome in outcomes] == [None, None, "product_gone", None, "product_gone"]
    assert prices(shop).read("1") == {"10": ListPrice("10", 1300, None), "11": ListPrice("11", 1400, None)}
    assert shop.client.taken()["WritePrices"] == 2


def test_what_somebody_changed_meanwhile_is_left_alone(shop: Market) -> None:
    # given
    heard = told(shop)

    # when
    changed, other = prices(shop).write([write(1, 10, 1100, 1200), write(1, 11, 1100, 1500)])

    # then
    assert (changed.code, other.code) == ("changed_meanwhile", None)
    assert changed.problem == "Somebody changed the price in Shopify meanwhile: it was left as it is."
    assert prices(shop).read("1")["10"] == ListPrice("10", 1250, 2000)
    assert len(heard) == 1


def test_a_price_that_stands_already_is_not_written_again(shop: Market) -> None:
    # given
    heard = told(shop)

    # when
    [outcome] = prices(shop).write([write(1, 10, 1250, 1300, 2000)])

    # then
    assert outcome.problem is None
    assert heard == []
    assert "WritePrices" not in shop.client.taken()


def test_a_product_that_goes_after_it_was_read_is_told_to_be_gone(shop: Market) -> None:
    # given
    shop.client.before["WritePrices"] = lambda: shop.shop.apply("products/delete", {"id": 1})

    # when
    [outcome] = prices(shop).write([write(1, 10, 1199, 1250)])

    # then
    assert outcome.code == "product_gone"


def test_a_variant_that_shopify_refuses_keeps_no_other_from_its_price(shop: Market) -> None:
    # when
    bad, good = prices(shop).write([write(1, 10, -1, 1250), write(1, 11, 1400, 1500)])

    # then
    assert (bad.code, bad.problem) == ("rejected", "Shopify refused the price: price must be at least 0")
    assert good.problem is None
    assert {each.price for each in prices(shop).read("1").values()} == {1250, 1400}


def test_a_way_that_breaks_off_leaves_open_whether_the_price_stands(shop: Market) -> None:
    # given
    def broken() -> None:
        raise Unreachable("Shopify did not answer.")

    shop.client.before["WritePrices"] = broken

    # when
    outcomes = prices(shop).write([write(1, 10, 1199, 1250), write(2, 20, 250, 300)])

    # then
    assert [outcome.code for outcome in outcomes] == ["unreachable", "unreachable"]
    assert shop.client.taken()["PricesOfProduct"] == 1

    # when
    shop.client.before["AccessScopes"] = broken

    # then
    with pytest.raises(Unreachable):
        prices(shop).write([write(1, 10, 1199, 1250)])


def test_without_the_permission_nothing_is_written(served: Peer, shop: Market) -> None:
    # given
    shop.shop.install(set(DEFAULT_SCOPES) - {"write_products"})

    # when
    [outcome] = prices(shop).write([write(1, 10, 1199, 1250)])

    # then
    assert outcome.code == "not_allowed"
    assert outcome.problem is not None
    assert "grant write_products (to write prices" in outcome.problem
    assert prices(shop).read("1")["10"].price == 1250
    assert prices(shop).write([]) == []


@pytest.mark.parametrize(
    ("currency", "before", "price", "compare_at", "said"),
    [
        pytest.param("JPY", "1250", 1199, 1250, ("1199", "1250"), id="no decimals"),
        pytest.param("EUR", "12.50", 1, 10**11 + 7, ("0.01", "1000000000.07"), id="two decimals"),
        pytest.param("KWD", "12.500", 12_499, 12_500, ("12.499", "12.500"), id="three decimals"),
        pytest.param("KWD", "0.001", 0, None, ("0.000", None), id="nothing"),
    ],
)
def test_minor_units_are_exact(
    served: Peer, currency: str, before: str, price: int, compare_at: int | None, said: tuple[str, str | None]
) -> None:
    # given
    opened = market(*served, currency=currency)
    opened.stock(1, before)
    stands = prices(opened).read("1")["10"]
    heard = told(opened)

    # when
    there = PriceWrite("1", "10", price, compare_at, stands.price, currency)
    back = PriceWrite("1", "10", stands.price, stands.compare_at_price, price, currency)
    foreign = PriceWrite("1", "10", price, compare_at, stands.price, "AUD")
    codes = [outcome.code for each in (foreign, there, back) for outcome in prices(opened).write([each])]

    # then
    assert codes == ["rejected", None, None]
    [first, second] = [event.body["variants"][0] for event in heard]
    assert (first["price"], first["compare_at_price"]) == said
    assert (second["price"], second["compare_at_price"]) == (before, None)
    assert prices(opened).read("1")["10"] == stands
