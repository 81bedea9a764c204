"""What the stand-in tells, how it signs it, and what may become of it on the way."""

from collections.abc import Callable

import pytest
from woocommerce import API

from connectors.woocommerce.signature import read_headers, verify
from demo.peers.woocommerce import Deliverer, WooState
from tests.demo.peers.woocommerce.store import (
    BEANS,
    FILTERS,
    ORDER,
    SECRET,
    SHIRT_M,
    many_orders,
    recorded,
    subscribe,
)
from tests.demo.sink import Sink, listening

EVERYTHING = (
    *("order.created", "order.updated", "order.deleted", "order.restored"),
    *("product.created", "product.updated", "product.deleted", "product.restored"),
    *("coupon.created", "coupon.updated", "coupon.deleted"),
    *("customer.created", "customer.updated", "customer.deleted"),
)


def test_delivery_is_signed_and_says_where_it_comes_from(state: WooState, peer: str, sink: Sink) -> None:
    subscribe(state, sink.url, "order.updated", "product.updated")
    state.changed_order(ORDER, customer_note="à bientôt")
    state.changed_order(ORDER)
    state.changed_product(BEANS)
    state.changed_product(FILTERS)
    assert [sent.status for sent in Deliverer(state).deliver()] == [200, 200, 200]
    order, beans, filters = sink.received
    assert verify(order.raw, order.headers, [SECRET.encode()])
    said = read_headers(order.headers)
    assert said is not None
    assert (said.topic, said.source, said.webhook_id) == ("order.updated", f"{peer}/", "1")
    assert order.headers["X-WC-Webhook-Resource"] == "order"
    assert order.headers["X-WC-Webhook-Event"] == "updated"
    assert b'"customer_note":"\\u00e0 bient\\u00f4t"' in order.raw
    assert set(order.body) == set(recorded("0016"))
    # One id for all deliveries of a webhook within a second.
    delivery_ids = [request.headers["X-WC-Webhook-Delivery-ID"] for request in (order, beans, filters)]
    assert delivery_ids[0] != delivery_ids[1] == delivery_ids[2]


def happened(state: WooState, act: Callable[[WooState], object]) -> list[tuple[str, int]]:
    with listening() as sink:
        subscribe(state, sink.url, *EVERYTHING)
        act(state)
        return [(sent.topic, sent.resource_id) for sent in Deliverer(state).deliver()]


def block_checkout(state: WooState) -> None:
    state.place_order({**recorded("0047"), "id": 30})


def trash_and_set_status(state: WooState) -> None:
    state.trash_order(ORDER)
    state.changed_order(ORDER, status="processing")


def trash_and_restore_product(state: WooState) -> None:
    state.trash_product(BEANS)
    state.restore_product(BEANS)


CUSTOMER = {"id": 2, "email": "bea@shop.example", "role": "customer"}


@pytest.mark.parametrize(
    ("act", "told"),
    [
        pytest.param(
            lambda s: s.place_order({**recorded("0016"), "id": 30}),
            [
                *(("order.created", 30), ("order.updated", 30)),
                *(("product.updated", BEANS), ("product.updated", FILTERS), ("product.updated", SHIRT_M)),
            ],
            id="order_placed",
        ),
        pytest.param(
            block_checkout,
            [
                *(("order.updated", 30), ("order.created", 30)),
                *(("product.updated", BEANS), ("product.updated", FILTERS)),
            ],
            id="order_placed_in_block_checkout",
        ),
        pytest.param(
            lambda s: s.open_checkout(recorded("0047")), [("order.updated", 30)], id="checkout_opened"
        ),
        pytest.param(lambda s: s.trash_order(ORDER), [("order.deleted", ORDER)], id="order_trashed"),
        pytest.param(trash_and_set_status, [("order.deleted", ORDER)], id="order_out_of_trash_by_status"),
        pytest.param(lambda s: s.delete_order(ORDER), [], id="order_deleted"),
        pytest.param(
            lambda s: (s.trash_order(ORDER), s.restore_order(ORDER)),
            [("order.deleted", ORDER), ("order.restored", ORDER)],
            id="order_restored",
        ),
        pytest.param(
            lambda s: s.refund_order(ORDER, {1: 1}, restock=True),
            [("order.updated", ORDER), ("product.updated", BEANS)],
            id="partial_refund_restocked",
        ),
        pytest.param(lambda s: s.refund_order(ORDER), [("order.updated", ORDER)], id="full_refund"),
        pytest.param(
            lambda s: s.trash_product(BEANS),
            [("coupon.deleted", BEANS), ("product.deleted", BEANS)],
            id="product_trashed",
        ),
        pytest.param(
            trash_and_restore_product,
            [("coupon.deleted", BEANS), ("product.deleted", BEANS), ("product.restored", BEANS)],
            id="product_restored",
        ),
        pytest.param(
            lambda s: s.trash_post(999),
            [("coupon.deleted", 999), ("product.deleted", 999)],
            id="page_trashed",
        ),
        pytest.param(lambda s: s.delete_product(BEANS), [], id="product_deleted"),
        pytest.param(lambda s: s.delete_variation(SHIRT_M), [], id="variation_deleted"),
        pytest.param(
            lambda s: s.changed_product(SHIRT_M, stock_quantity=1), [("product.updated", 22)], id="variation"
        ),
        pytest.param(
            lambda s: (s.register_customer(CUSTOMER), s.delete_customer(2)),
            [("customer.created", 2), ("customer.updated", 2), ("customer.deleted", 2)],
            id="customer",
        ),
    ],
)
def test_webhooks_tell_what_woocommerce_tells(
    state: WooState, act: Callable[[WooState], object], told: list[tuple[str, int]]
) -> None:
    assert happened(state, act) == told


def test_restoring_gives_back_the_status(api: API, state: WooState) -> None:
    state.changed_order(ORDER, status="completed")
    state.trash_order(ORDER)
    state.restore_order(ORDER)
    assert api.get(f"orders/{ORDER}").json()["status"] == "completed"


def test_stock_goes_down_with_an_order_and_up_with_a_restocked_refund(api: API, state: WooState) -> None:
    state.changed_product(BEANS, stock_quantity=2)
    state.place_order({**recorded("0047"), "id": 30})
    sold_out = api.get(f"products/{BEANS}").json()
    assert (sold_out["stock_quantity"], sold_out["stock_status"]) == (0, "outofstock")
    state.refund_order(30, {13: 1}, restock=True)
    back = api.get(f"products/{BEANS}").json()
    assert (back["stock_quantity"], back["stock_status"]) == (1, "instock")


def test_body_is_built_when_it_is_sent(state: WooState, sink: Sink) -> None:
    subscribe(state, sink.url, "order.created", "order.updated")
    state.place_order({**recorded("0016"), "id": 30, "status": "pending"}, take_stock=False)
    state.changed_order(30, status="processing")
    state.changed_order(30, status="completed")
    Deliverer(state).deliver()
    assert [(item.topic, item.body["status"]) for item in sink.received] == [
        ("order.created", "completed"),
        ("order.updated", "completed"),
    ]


@pytest.mark.parametrize(
    ("spoil", "recording"),
    [
        pytest.param(lambda s: s.delete_order(ORDER), "0036", id="order_gone"),
        pytest.param(lambda s: s.delete_user(), "0091", id="owner_gone"),
    ],
)
def test_body_may_be_a_signed_error(
    state: WooState, sink: Sink, spoil: Callable[[WooState], object], recording: str
) -> None:
    subscribe(state, sink.url, "order.updated")
    state.changed_order(ORDER)
    spoil(state)
    Deliverer(state).deliver()
    [item] = sink.received
    assert item.body == recorded(recording)
    assert verify(item.raw, item.headers, [SECRET.encode()])


def test_seventh_failure_in_a_row_disables_and_activating_does_not_forgive(
    api: API, state: WooState, sink: Sink
) -> None:
    subscribe(state, sink.url, "order.updated")
    seen = []
    sink.statuses = [500] * 8
    for _ in range(7):
        state.changed_order(ORDER)
        Deliverer(state).deliver()
        seen.append(state.hooks.all()[0].status)
    assert seen == ["active"] * 6 + ["disabled"]
    state.changed_order(ORDER)
    assert Deliverer(state).deliver() == []
    api.put("webhooks/1", {"status": "active"})
    state.changed_order(ORDER)
    Deliverer(state).deliver()
    assert (state.hooks.all()[0].status, len(sink.received)) == ("disabled", 8)


@pytest.mark.parametrize(
    ("status", "failures"),
    [
        pytest.param(204, 0, id="no_content"),
        pytest.param(302, 0, id="redirect_counts_as_delivered"),
        pytest.param(307, 1, id="temporary_redirect"),
        pytest.param(404, 1, id="not_found"),
    ],
)
def test_success_ends_at_302_and_nothing_is_tried_again(
    state: WooState, sink: Sink, status: int, failures: int
) -> None:
    subscribe(state, sink.url, "order.updated")
    sink.statuses = [status]
    state.changed_order(ORDER)
    assert [sent.status for sent in Deliverer(state).deliver()] == [status]
    assert Deliverer(state).deliver() == []
    assert (state.hooks.all()[0].failure_count, len(sink.received)) == (failures, 1)


def test_deliveries_are_lost_doubled_and_shuffled_by_the_seed(state: WooState, sink: Sink) -> None:
    subscribe(state, sink.url, "order.updated")
    many_orders(state, 60)

    def send(seed: int) -> tuple[list[int], Deliverer]:
        for place in range(60):
            state.changed_order(1000 + place)
        deliverer = Deliverer(state, drop=0.1, duplicate=0.1, shuffle=True, seed=seed)
        return [sent.resource_id for sent in deliverer.deliver()], deliverer

    first, deliverer = send(7)
    assert deliverer.dropped > 0
    assert deliverer.duplicated > 0
    assert len(first) == 60 - deliverer.dropped + deliverer.duplicated
    assert len(set(first)) == 60 - deliverer.dropped
    assert first != sorted(first)
    assert send(7)[0] == first
    assert send(8)[0] != first


def test_deliverer_sends_in_the_background_until_it_is_stopped(state: WooState, sink: Sink) -> None:
    subscribe(state, sink.url, "order.updated")
    deliverer = Deliverer(state)
    deliverer.start()
    try:
        state.changed_order(ORDER)
        assert sink.wait_for(1)[0].body["id"] == ORDER
    finally:
        deliverer.stop()
    state.changed_order(ORDER)
    assert (state.hooks.pending(), len(sink.received)) == (1, 1)
