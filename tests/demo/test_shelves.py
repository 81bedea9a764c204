"""Stock and order numbers of a running shop."""

import threading
from pathlib import Path

import pytest

from demo.orders import Line
from demo.shelves import Shelves, SoldOutError
from demo.shops import Shop


def in_stock(shop: Shop, count: int) -> list[int]:
    return [listing.product.number for listing in shop.listings if listing.on_show and listing.stock > 30][
        :count
    ]


def test_an_order_takes_its_pieces_and_the_next_number(shop: Shop) -> None:
    shelves = Shelves(shop)
    a, b = in_stock(shop, 2)
    before = shelves[a].stock

    number, changed = shelves.take(
        [Line(shop.products[a], 3), Line(shop.products[b], 1), Line(shop.products[a], 2)]
    )

    assert number == max(order.number for order in shop.orders) + 1
    assert [listing.product.number for listing in changed] == [a, b]
    assert shelves[a].stock == before - 5 == changed[0].stock
    assert shelves.take([Line(shop.products[b], 1)])[0] == number + 1


def test_an_order_that_cannot_be_met_takes_nothing(shop: Shop) -> None:
    shelves = Shelves(shop)
    a, b = in_stock(shop, 2)
    before = shelves[a].stock

    with pytest.raises(SoldOutError) as refusal:
        shelves.take([Line(shop.products[a], 1), Line(shop.products[b], 10_000)])

    assert refusal.value.listing.product.number == b
    assert shelves[a].stock == before
    assert shelves.take([Line(shop.products[a], 1)])[0] == max(order.number for order in shop.orders) + 1


@pytest.mark.parametrize("change", [{"status": "draft"}, {"stock": 0}], ids=["draft", "sold out"])
def test_what_is_not_for_sale_cannot_be_ordered(shop: Shop, change: dict[str, object]) -> None:
    shelves = Shelves(shop)
    (a,) = in_stock(shop, 1)
    shelves.change(a, **change)

    with pytest.raises(SoldOutError):
        shelves.take([Line(shop.products[a], 1)])


def test_two_states_of_a_product_never_carry_the_same_second(shop: Shop) -> None:
    shelves = Shelves(shop)
    (a,) = in_stock(shop, 1)

    moments = [shelves.change(a, stock=stock).updated_at for stock in (5, 4, 3)]

    assert (moments[1] - moments[0]).total_seconds() >= 1
    assert (moments[2] - moments[1]).total_seconds() >= 1


def test_a_restart_finds_everything_as_it_was(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "var" / "state.json"
    a, b, c = in_stock(shop, 3)
    shelves = Shelves(shop, path)
    number, _ = shelves.take([Line(shop.products[a], 2)])
    shelves.change(b, visible=False)
    shelves.change(c, status="draft", stock=0)

    again = Shelves(shop, path)

    assert [again[n] for n in (a, b, c)] == [shelves[n] for n in (a, b, c)]
    assert again.all() == shelves.all()
    assert again.take([Line(shop.products[a], 1)])[0] == number + 1


def test_without_a_file_nothing_is_written(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    Shelves(shop).change(0, stock=1)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [-1, 1_000_000])
def test_there_is_no_such_product(shop: Shop, number: int) -> None:
    with pytest.raises(IndexError):
        Shelves(shop)[number]


def test_many_shoppers_at_once_never_get_more_than_there_is(shop: Shop) -> None:
    shelves = Shelves(shop)
    (a,) = in_stock(shop, 1)
    shelves.change(a, stock=10)
    sold: list[int] = []

    def buy() -> None:
        for _ in range(5):
            try:
                sold.append(shelves.take([Line(shop.products[a], 1)])[0])
            except SoldOutError:
                return

    threads = [threading.Thread(target=buy) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(sold) == len(set(sold)) == 10
    assert shelves[a].stock == 0
