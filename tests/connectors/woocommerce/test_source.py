"""Asking a WooCommerce store: nothing skipped, nothing twice, in the words of its webhooks."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.commerce.changes import OrderDeletion, ProductDeletion, VariantChange, VariantState
from connectors.base import DeliveryContext
from connectors.errors import (
    CursorLost,
    ReconnectNeeded,
    Rejected,
    Throttled,
    Unreachable,
)
from connectors.source import Fetched, Listed, StoreFacts
from connectors.woocommerce.connector import WOOCOMMERCE
from connectors.woocommerce.source import WooCommerceSource
from tests.connectors.woocommerce.shop import (
    Answer,
    Shop,
    nothing,
    order,
    product,
    refund,
    silent_above,
    variation,
)

SINCE = datetime(2026, 11, 22, 7, 0, 0, 500_000, tzinfo=UTC)
AT_FIVE = {"size": 5, "place": [0, 0], "lone": False, "parents": [], "within": [0, 0], "nested": True}
BEFORE, AFTER = "2026-11-22T06:59:00", "2026-11-22T07:01:00"


def asking(shop):
    return WooCommerceSource(
        shop, "https://pannier.example/webhooks/woocommerce/t0", "s" * 32, "https://shop.example"
    )


def walked(step):
    """Return all pages of a walk, each cursor sent through JSON as a database does."""
    pages, cursor = [], None
    while True:
        page = step(cursor)
        pages.append(page)
        assert len(pages) < 1000
        if page.cursor is None:
            return pages
        cursor = json.loads(json.dumps(page.cursor))


def ids(pages):
    return [item.body["id"] for page in pages for item in page.items]


def meaning(fetched):
    """Return the changes that a fetched resource means, after redaction."""
    context = DeliveryContext(fetched.topic, "EUR", None, SINCE)
    return WOOCOMMERCE.translate(WOOCOMMERCE.redact(fetched.body, lambda _: "00" * 32), context).changes


def sizes(shop, path):
    return [params["per_page"] for asked, params in shop.requests if asked == path]


# Paging


@pytest.mark.parametrize("resource", ["orders", "products"])
@pytest.mark.parametrize("number", [0, 1, 99, 100, 101, 195, 196, 250])
def test_history_is_everything_once_and_oldest_first(resource, number):
    shop = Shop()
    make = order if resource == "orders" else product
    shop.add(resource, *(make(id_ * 3) for id_ in range(1, number + 1)))

    pages = walked(lambda cursor: asking(shop).history(resource, cursor))

    assert ids(pages) == [id_ * 3 for id_ in range(1, number + 1)]
    assert [page.total for page in pages] == [number] + [None] * (len(pages) - 1)


def test_history_needs_no_request_more_than_pages():
    shop = Shop()
    shop.add("orders", *(order(id_) for id_ in range(1, 251)))

    walked(lambda cursor: asking(shop).history("orders", cursor))

    assert [params["offset"] for path, params in shop.requests if path == "orders"] == [0, 95, 190]


def test_history_survives_more_deletions_than_a_page_holds():
    shop = Shop()
    shop.add("orders", *(order(id_) for id_ in range(1, 401)))
    source = asking(shop)
    first = source.history("orders", None)
    second = source.history("orders", first.cursor)

    # when nearly everything that was read is deleted for good
    for id_ in range(2, 190):
        del shop.orders[id_]
    rest = []
    cursor = second.cursor
    while cursor is not None:
        rest.append(source.history("orders", cursor))
        cursor = rest[-1].cursor

    assert ids([first, second, *rest]) == list(range(1, 401))


@pytest.mark.parametrize("at_any_time", [False, True], ids=["between-pages", "between-requests"])
@settings(max_examples=40)
@given(data=st.data())
def test_whatever_stays_comes_exactly_once(at_any_time, data):
    # given a store of which products are deleted, put back and added while it is read
    shop = Shop()
    numbers = data.draw(st.sets(st.integers(1, 150), min_size=1, max_size=60), label="products")
    shop.add("products", *(product(id_) for id_ in numbers))
    staying = set(numbers)
    events = iter(data.draw(st.lists(st.sets(st.integers(1, 170), max_size=20), max_size=25), label="events"))

    def happens(*_):
        for id_ in next(events, ()):
            if shop.products.pop(id_, None) is None:
                shop.add("products", product(id_))
            staying.discard(id_)

    shop.before = happens if at_any_time else nothing
    cursor, found = AT_FIVE, []
    while cursor is not None:
        # when it is read a few at a time, from the beginning again if the place was lost
        try:
            page = asking(shop).history("products", {**cursor, "size": 5})
        except CursorLost:
            assert at_any_time
            cursor, found = AT_FIVE, []
            continue
        found += [item.body["id"] for item in page.items]
        cursor = page.cursor
        if not at_any_time:
            happens()

    # then
    assert found == sorted(set(found))
    assert staying <= set(found)


def test_history_goes_on_from_a_cursor_in_another_process():
    shop = Shop()
    shop.add("orders", *(order(id_) for id_ in range(1, 151)))
    cursor = asking(shop).history("orders", None).cursor

    again = [asking(shop).history("orders", cursor) for _ in range(2)]

    assert again[0] == again[1]
    assert ids(again[:1]) == list(range(101, 151))


def test_history_without_totals_ends_at_a_short_page():
    class Untold(Shop):
        def get(self, path, params=None):
            return Answer(super().get(path, params).body)

    shop = Untold()
    shop.add("orders", *(order(id_) for id_ in range(1, 121)))

    assert ids(walked(lambda cursor: asking(shop).history("orders", cursor))) == list(range(1, 121))


def test_a_list_that_hides_its_rows_is_given_up():
    # given a store that counts 300 orders, and a plug-in that shows none of those behind the first page
    class Hiding(Shop):
        def get(self, path, params=None):
            answer = super().get(path, params)
            if path != "orders":
                return answer
            return Answer([row for row in answer.body if row["id"] <= 100], 300)

    shop = Hiding()
    shop.add("orders", *(order(id_) for id_ in range(1, 301)))
    source = asking(shop)
    cursor = source.history("orders", None).cursor
    cursor = source.history("orders", cursor).cursor

    with pytest.raises(CursorLost, match="changed too fast"):
        source.history("orders", cursor)


@pytest.mark.parametrize(
    "cursor", [{}, {"page": 2}, {"size": "x", "place": None}], ids=["empty", "other", "wrong"]
)
def test_an_unknown_cursor_is_lost(cursor):
    with pytest.raises(CursorLost):
        asking(Shop()).history("orders", cursor)


# Slow stores


def test_pages_are_halved_where_the_store_is_silent_and_grow_again():
    shop = Shop()
    shop.add("orders", *(order(id_) for id_ in range(1, 61)))
    shop.before = silent_above(12)

    pages = walked(lambda cursor: asking(shop).history("orders", cursor))

    assert ids(pages) == list(range(1, 61))
    assert sizes(shop, "orders")[:8] == [100, 50, 25, 12, 15, 7, 8, 10]
    assert [len(page.items) for page in pages][:5] == [0, 0, 0, 12, 0]


def test_a_store_that_is_silent_at_five_is_unreachable():
    shop = Shop()
    shop.add("products", product(1))
    shop.before = silent_above(4)

    with pytest.raises(Unreachable):
        walked(lambda cursor: asking(shop).history("products", cursor))

    assert sizes(shop, "products") == [100, 50, 25, 12, 6, 5]


def test_patience_that_is_asked_for_is_not_answered_with_smaller_pages():
    shop = Shop()

    def busy(path, params):
        raise Throttled("The shop asks for patience.", 30.0)

    shop.before = busy

    with pytest.raises(Throttled):
        asking(shop).history("products", None)
    assert sizes(shop, "products") == [100]


@pytest.mark.parametrize("body", [{"code": "x"}, None, [1], [{"name": "no id"}]])
def test_what_is_no_list_of_resources_is_no_answer(body):
    shop = Shop()
    shop.pages["products"] = body

    with pytest.raises(Unreachable, match="not with the list"):
        asking(shop).history("products", AT_FIVE)


# Orders


def test_orders_of_every_status_come_but_unfinished_ones_and_the_bin():
    shop = Shop(custom_statuses=["wc-packed", "in_transit"])
    states = [*shop.statuses, "packed", "trash", "checkout-draft", "auto-draft"]
    shop.add("orders", *(order(id_, status) for id_, status in enumerate(states, start=1)))

    source = asking(shop)
    bodies = [item.body["status"] for item in source.history("orders", None).items]

    wanted = sorted([
        "cancelled", "completed", "failed", "in_transit", "on-hold", "packed", "pending", "processing", "refunded"
    ])  # fmt: skip
    assert sorted(bodies) == wanted
    assert {tuple(params["status"]) for path, params in shop.requests if path == "orders"} == {tuple(wanted)}
    assert source.count("orders") == 9
    assert [path for path, _ in shop.requests].count("orders/statuses") == 1


def test_statuses_of_a_store_without_a_list_of_them_come_from_its_report():
    shop = Shop(missing=["orders/statuses"])
    shop.pages["reports/orders/totals"] = [
        {"slug": "completed", "name": "Completed", "total": 1}, {"slug": "packed", "name": "Packed", "total": 1},
        {"slug": "checkout-draft", "name": "Draft", "total": 4},
    ]  # fmt: skip
    shop.add("orders", order(1, "packed"), order(2, "checkout-draft"))

    assert ids([asking(shop).history("orders", None)]) == [1]


@pytest.mark.parametrize("error", [Rejected("No."), ReconnectNeeded("No.")], ids=["missing", "forbidden"])
def test_statuses_are_woocommerces_own_where_nothing_tells_them(error):
    shop = Shop()

    def refuse(path, params):
        if path in ("orders/statuses", "reports/orders/totals"):
            raise error

    shop.before = refuse
    asking(shop).history("orders", None)

    assert sorted(shop.requests[-1][1]["status"]) == [
        "cancelled", "completed", "failed", "on-hold", "pending", "processing", "refunded"
    ]  # fmt: skip


def test_an_order_has_the_fields_that_are_read_and_no_more():
    shop = Shop()
    shop.add("orders", order(1))

    (item,) = asking(shop).history("orders", None).items

    assert item.topic == "order.updated"
    assert item.body == {k: v for k, v in order(1).items() if k not in ("parent_id", "order_key")}


def test_a_recorded_order_means_the_same_fetched_and_delivered(recording):
    shop = Shop()
    delivered = recording("0016-order_created").body
    shop.add("orders", delivered)

    fetched = asking(shop).one("orders", "24")

    assert meaning(fetched) == meaning(Fetched("order.restored", delivered))


# Refunds


def refunding(shop):
    """Put three orders into ``shop``: two beans of the first and filters of the third came back."""
    named = [{"id": id_, "reason": "damaged", "total": "-20.00"} for id_ in (71, 72, 73)]
    shop.add("orders", order(1, refunds=named[:2]), order(2), order(3, refunds=named[2:]))
    shop.add("refunds", refund(71, 1, (11, 1)), refund(72, 1, (11, 1), (12, 0)), refund(73, 3))
    return asking(shop)


def test_refunds_bring_their_lines_and_pieces_leave_the_basket():
    shop = Shop()

    first, second, third = refunding(shop).history("orders", None).items

    assert [r["line_items"] for r in first.body["refunds"]] == [
        [{"refunded_item_id": 11, "quantity": -1}],
        [{"refunded_item_id": 11, "quantity": -1}, {"refunded_item_id": 12, "quantity": 0}],
    ]
    assert [[line.current_quantity for line in meaning(o)[0].lines] for o in (first, second, third)] == [
        [0, 1], [2, 1], [2, 1]
    ]  # fmt: skip
    assert [params["include"] for path, params in shop.requests if path == "refunds"] == [[71, 72, 73]]
    assert not [path for path, _ in shop.requests if path.endswith("/refunds")]


def test_refunds_of_an_old_store_are_read_order_by_order():
    shop, modern = Shop(missing=["refunds"]), Shop()

    items = refunding(shop).history("orders", None).items

    assert items == refunding(modern).history("orders", None).items
    assert [path for path, _ in shop.requests if "refunds" in path] == [
        "refunds", "orders/1/refunds", "orders/3/refunds"
    ]  # fmt: skip


def test_a_store_without_a_list_of_refunds_is_asked_for_it_once():
    shop = Shop(missing=["refunds"])
    source = refunding(shop)

    source.history("orders", None)
    source.one("orders", "1")

    assert [path for path, _ in shop.requests].count("refunds") == 1


def test_a_refund_that_is_gone_meanwhile_stays_without_lines():
    shop = Shop()
    source = refunding(shop)
    del shop.refunds[72]

    body = source.one("orders", "1").body

    assert [refund.get("line_items") for refund in body["refunds"]] == [
        [{"refunded_item_id": 11, "quantity": -1}],
        None,
    ]


def test_an_order_that_is_gone_meanwhile_keeps_its_refunds_without_lines():
    shop = Shop(missing=["refunds"])
    source = refunding(shop)

    def gone(path, params):
        if path == "orders/3/refunds":
            del shop.orders[3]

    shop.before = gone
    items = source.history("orders", None).items

    assert [item.body["id"] for item in items] == [1, 2, 3]
    assert items[2].body["refunds"] == [{"id": 73, "reason": "damaged", "total": "-20.00"}]


def test_the_state_that_knows_the_refunds_lines_is_the_newer_one():
    shop = Shop()
    source = refunding(shop)

    (fetched,) = meaning(source.one("orders", "1"))
    (delivered,) = meaning(Fetched("order.updated", shop.orders[1]))

    assert [line.current_quantity for line in delivered.lines] == [2, 1]
    assert 0 < (fetched.updated_at - delivered.updated_at).total_seconds() < 1


# Products and their variations


def shirts(shop):
    shop.add("products", product(12), product(21, type="variable", variations=[22, 23]), product(30))
    shop.add("variations", variation(22, 21), variation(23, 21, stock_status="outofstock"))
    return asking(shop)


def test_variations_follow_the_page_of_their_product():
    shop = Shop()
    source = shirts(shop)

    pages = walked(lambda cursor: source.history("products", cursor))

    assert [ids([page]) for page in pages] == [[12, 21, 30], [22, 23]]
    assert {item.topic for page in pages for item in page.items} == {"product.updated"}


def test_a_variation_means_a_variant_of_its_product():
    source = shirts(Shop())
    pages = walked(lambda cursor: source.history("products", cursor))

    changes = [change for item in pages[1].items for change in meaning(item)]

    image = "https://shop.example/m.png"
    assert changes == [
        VariantChange(
            "21",
            datetime(2026, 11, 22, 6, 38, 6, tzinfo=UTC),
            "EUR",
            VariantState(platform_id, "M", 500, image_url=image),
            available=available,
        )
        for platform_id, available in (("22", True), ("23", False))
    ]


def test_variations_beyond_a_page_come_too():
    shop = Shop()
    many = list(range(1001, 1231))
    shop.add("products", product(1, variations=many), product(2, variations=[2000]))
    shop.add("variations", *(variation(id_, 1) for id_ in many), variation(2000, 2))

    assert ids(walked(lambda cursor: asking(shop).history("products", cursor))) == [1, 2, *many, 2000]


def test_variations_of_a_product_that_is_gone_meanwhile_are_passed_over():
    shop = Shop()
    source = shirts(shop)
    first = source.history("products", None)
    del shop.products[21]

    second = source.history("products", first.cursor)

    assert (second.items, second.cursor) == ((), None)


def test_a_product_has_no_fields_that_differ_from_answer_to_answer():
    shop = Shop()
    shop.add("products", product(1, vendor_plugin="x"))

    (item,) = asking(shop).history("products", None).items

    assert item.body == {k: v for k, v in product(1).items() if k != "related_ids"}


@pytest.mark.parametrize(
    "name", ["0018-product_updated", "0020-product_updated"], ids=["simple", "variation"]
)
def test_a_recorded_product_means_the_same_fetched_and_delivered(recording, name):
    shop = Shop()
    delivered = recording(name).body
    shop.add("products", delivered)

    assert meaning(asking(shop).one("products", str(delivered["id"]))) == meaning(
        Fetched("product.restored", delivered)
    )


# Changes


def test_changed_orders_are_those_modified_after():
    shop = Shop()
    at = ["2026-11-22T07:00:00", "2026-11-22T07:00:01", BEFORE, AFTER]
    shop.add("orders", *(order(id_, modified=moment) for id_, moment in enumerate(at, start=1)))

    page = asking(shop).changes("orders", SINCE, None)

    assert (ids([page]), page.cursor, page.total) == ([2, 4], None, 2)
    (query,) = [params for path, params in shop.requests if path == "orders"]
    assert (query["modified_after"], query["dates_are_gmt"]) == ("2026-11-22T07:00:00", True)


def test_changed_variations_come_without_their_products():
    shop = Shop()
    shop.add("products", product(20, AFTER), product(21, BEFORE, variations=[22, 23]))
    shop.add("variations", variation(22, 21, BEFORE), variation(23, 21, AFTER))

    pages = walked(lambda cursor: asking(shop).changes("products", SINCE, cursor))

    assert [ids([page]) for page in pages] == [[23], [20]]
    assert pages[0].items[0].body["type"] == "variation"
    assert [page.total for page in pages] == [None, 1]


def test_variations_of_an_old_store_come_with_their_changed_products():
    shop = Shop(missing=["variations"])
    shop.add("products", product(20, AFTER, variations=[24]), product(21, BEFORE, variations=[22]))
    shop.add("variations", variation(22, 21, AFTER), variation(24, 20, BEFORE))

    pages = walked(lambda cursor: asking(shop).changes("products", SINCE, cursor))

    assert [ids([page]) for page in pages] == [[], [20], [24]]


def test_orders_that_change_while_changes_are_read_push_none_out():
    shop = Shop()
    shop.add("orders", *(order(id_, modified=AFTER) for id_ in range(1, 201)))
    source = asking(shop)
    first = source.changes("orders", SINCE, None)

    # when the first ones change once more, and one is put into the bin
    for id_ in range(1, 50):
        shop.orders[id_]["date_modified_gmt"] = "2026-11-22T07:05:00"
    shop.orders[60]["status"] = "trash"
    pages = [first, source.changes("orders", SINCE, first.cursor)]

    assert ids(pages)[:195] == list(range(1, 196))


# Lists, single resources, deletions


@pytest.mark.parametrize("resource", ["orders", "products"])
def test_listing_tells_state_and_time_of_all_but_the_bin(resource):
    shop = Shop()
    make = order if resource == "orders" else product
    shop.add(resource, *(make(id_) for id_ in range(1, 103)))
    shop.add(resource, make(50, status="trash"), make(102, date_modified_gmt=None))

    pages = walked(lambda cursor: asking(shop).listing(resource, cursor))

    found = [item for page in pages for item in page.items]
    state = "processing" if resource == "orders" else "publish"
    moment = datetime(2026, 11, 22, 6, 38, 6, tzinfo=UTC)
    assert found[:-1] == [Listed(str(id_), state, moment) for id_ in range(1, 102) if id_ != 50]
    assert found[-1] == Listed("102", state, datetime(1970, 1, 1, tzinfo=UTC))
    assert asking(shop).count(resource) == len(found) == 101
    assert shop.requests[-3][1]["_fields"] == ["id", "status", "date_modified_gmt"]


@pytest.mark.parametrize("resource", ["orders", "products"])
@pytest.mark.parametrize("state", ["missing", "trash"])
def test_what_is_gone_or_in_the_bin_is_not_there(resource, state):
    shop = Shop()
    if state == "trash":
        shop.add(resource, (order if resource == "orders" else product)(7, status="trash"))

    assert asking(shop).one(resource, "7") is None


def test_a_deletion_is_told_like_the_platform_tells_it():
    source = asking(Shop())

    assert source.gone("orders", "7") == Fetched("order.deleted", {"id": 7})
    assert meaning(source.gone("orders", "7")) == (OrderDeletion("7", SINCE),)
    assert meaning(source.gone("products", "8")) == (ProductDeletion("8", SINCE),)


# Facts


def status(currency="EUR", home="https://shop.example"):
    return {
        "environment": {"home_url": home, "default_timezone": "UTC"},
        "settings": {"currency": currency, "currency_symbol": "&euro;"},
    }


class IndexedShop(Shop):
    def __init__(self, index):
        super().__init__()
        self.pages["system_status"] = status()
        self.index = index

    def site_index(self):
        if isinstance(self.index, Exception):
            raise self.index
        return Answer(self.index)


def test_facts_of_a_store():
    shop = IndexedShop(
        {"name": " Teacup Lane ", "home": "https://SHOP.example:443/cafe", "timezone_string": "Europe/Berlin"}
    )
    shop.pages["system_status"] = status(home="https://www.shop.example:8443/")

    assert asking(shop).facts() == StoreFacts(
        "Teacup Lane", "EUR", "Europe/Berlin", ("https://shop.example", "https://www.shop.example:8443")
    )


@pytest.mark.parametrize(
    ("zone", "expected", "note"),
    [
        ({"timezone_string": "", "gmt_offset": 1}, "Etc/GMT-1", "without daylight saving"),
        ({"timezone_string": "", "gmt_offset": "-5"}, "Etc/GMT+5", "without daylight saving"),
        ({"timezone_string": "", "gmt_offset": 5.5}, "UTC", "could not be read"),
        ({"timezone_string": "", "gmt_offset": 99}, "UTC", "could not be read"),
        ({"timezone_string": "", "gmt_offset": 0}, "UTC", None),
        ({"timezone_string": "", "gmt_offset": ""}, "UTC", "could not be read"),
        ({"timezone_string": "", "gmt_offset": "nan"}, "UTC", "could not be read"),
        ({"timezone_string": "Mars/Crater", "gmt_offset": 2}, "Etc/GMT-2", "without daylight saving"),
        ({"timezone_string": "../etc", "gmt_offset": 0}, "UTC", None),
        ({"timezone_string": "Europe", "gmt_offset": 0}, "UTC", None),
        ({}, "UTC", "could not be read"),
    ],
)
def test_time_zone(zone, expected, note):
    facts = asking(IndexedShop(zone)).facts()

    assert facts.timezone == expected
    assert [note in text for text in facts.notes] == ([True] if note else [])


@pytest.mark.parametrize(
    "index",
    [Unreachable("Silent."), ReconnectNeeded("Shut."), [], {"name": ""}],
    ids=["silent", "shut", "list", "empty"],
)
def test_a_store_whose_index_is_shut_goes_by_its_address(index):
    facts = asking(IndexedShop(index)).facts()

    assert (facts.name, facts.timezone, facts.origins) == ("shop.example", "UTC", ("https://shop.example",))


def test_a_client_that_reads_no_index_is_enough():
    shop = Shop()
    shop.pages["system_status"] = status()

    assert asking(shop).facts().name == "shop.example"


@pytest.mark.parametrize("body", [[], {}, status(currency=""), status(currency="euro")])
def test_a_store_without_a_currency_is_refused(body):
    shop = Shop()
    shop.pages["system_status"] = body

    with pytest.raises(Rejected, match="which currency"):
        asking(shop).facts()


@pytest.mark.parametrize(
    "home", ["http://[::1]:8081/", "https://shop.example:99999", "ftp://shop.example", None]
)
def test_origins_are_web_addresses(home):
    shop = Shop()
    shop.pages["system_status"] = status(home=home)

    more = ("http://[::1]:8081",) if home and "::1" in home else ()
    assert asking(shop).facts().origins == ("https://shop.example", *more)
