"""Making the sample: names, returns, and what is left out."""

import csv
import gzip
from pathlib import Path

import pytest

from demo import extract

HEADER = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")


@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", "White Hanging Heart T-Light Holder"),
        ("SET/6 RED SPOTTY PAPER PLATES", "Set of 6 Red Spotty Paper Plates"),
        ("S/4 PISTACHIO LOVEBIRD COASTERS", "Set of 4 Pistachio Lovebird Coasters"),
        ("PACK OF 72 RETROSPOT CAKE CASES", "Pack of 72 Retro Spot Cake Cases"),
        ("FOLK ART GREETING CARD,pack/12", "Folk Art Greeting Card, Pack of 12"),
        ("CHARLIE+LOLA RED HOT WATER BOTTLE ", "Charlie and Lola Red Hot Water Bottle"),
        ("POLYESTER FILLER PAD 45x45cm", "Polyester Filler Pad 45 x 45 cm"),
        ("THE KING GIFT BAG 25x24x12cm", "The King Gift Bag 25 x 24 x 12 cm"),
        ("PAPER CHAIN KIT 50'S CHRISTMAS ", "Paper Chain Kit 50s Christmas"),
        ("POPPY'S PLAYHOUSE BEDROOM ", "Poppy's Playhouse Bedroom"),
        ("3D VINTAGE CHRISTMAS STICKERS ", "3D Vintage Christmas Stickers"),
        ("ASSTD DESIGN BUBBLE GUM RING", "Assorted Design Bubble Gum Ring"),
        ("BLACK/BLUE DOTS RUFFLED UMBRELLA", "Black/Blue Dots Ruffled Umbrella"),
        ("*BOOMBOX IPOD CLASSIC", "Boombox IPOD Classic"),
    ],
)
def test_names_become_readable(name: str, readable: str) -> None:
    assert extract.readable(name) == readable


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the script on some rows and return the products and orders that it wrote."""
    monkeypatch.setattr(extract, "DATA", tmp_path)
    monkeypatch.setattr(extract, "WINDOWS", {"tiny": ("2011-05-01", "2011-06-01")})

    def run(*rows: tuple[object, ...]) -> tuple[list[list[str]], list[list[str]]]:
        source = tmp_path / "in.csv"
        with source.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADER, *rows])
        assert extract.main([str(source)]) == 0
        tables = []
        for table in ("products", "orders"):
            with gzip.open(tmp_path / f"tiny-{table}.csv.gz", "rt", encoding="utf-8", newline="") as file:
                tables.append(list(csv.reader(file))[1:])
        return tables[0], tables[1]

    return run


def row(invoice: str, code: str, quantity: int, at: str, customer: str = "17850", price: float = 1.25):
    return (invoice, code, f"THING {code}", quantity, f"{at}:00", price, customer, "United Kingdom")


def test_only_goods_of_the_window_are_kept(make) -> None:
    products, orders = make(
        row("1", "20001", 2, "2011-05-02 10:00"),
        row("1", "20001", 1, "2011-05-02 10:00"),
        row("1", "20002a", 1, "2011-05-02 10:00"),
        row("1", "POST", 1, "2011-05-02 10:00"),
        row("1", "20003", 5, "2011-05-02 10:00", price=0),
        row("2", "20004", 1, "2011-06-01 00:00"),
        row("3", "20005", 1, "2011-04-30 23:59"),
    )

    assert [product[0] for product in products] == ["20001", "20002A"]
    assert orders == [["2011-05-02T10:00", "1", "20001:3 20002A:1", "", ""]]


def test_wholesale_baskets_are_left_out(make) -> None:
    products, orders = make(
        *(row("1", str(30000 + n), 1, "2011-05-02 10:00") for n in range(61)),
        *(row("2", str(30000 + n), 1, "2011-05-03 10:00") for n in range(60)),
    )

    assert [order[0] for order in orders] == ["2011-05-03T10:00"]
    assert len(products) == 60


def test_a_return_goes_to_the_latest_earlier_order_that_holds_so_many(make) -> None:
    _, orders = make(
        row("1", "20001", 5, "2011-05-02 10:00"),
        row("2", "20001", 2, "2011-05-04 10:00"),
        row("2", "20002", 2, "2011-05-04 10:00"),
        row("3", "20001", 9, "2011-05-05 10:00", customer="99999"),
        row("C4", "20001", -3, "2011-05-06 10:00"),
        row("C5", "20001", -2, "2011-05-07 10:00"),
        row("C6", "20001", -1, "2011-05-01 10:00"),
    )

    assert [order[3] for order in orders] == ["2011-05-06T10:00 20001:3", "2011-05-07T10:00 20001:2", ""]


def test_an_order_that_came_back_whole_and_soon_is_cancelled(make) -> None:
    _, orders = make(
        row("1", "20001", 5, "2011-05-02 10:00"),
        row("C2", "20001", -5, "2011-05-02 11:00"),
        row("3", "20001", 5, "2011-05-10 10:00"),
        row("C4", "20001", -5, "2011-05-14 10:00"),
    )

    assert [(order[3], order[4]) for order in orders] == [
        ("", "2011-05-02T11:00"),
        ("2011-05-14T10:00 20001:5", ""),
    ]


def test_customers_are_counted_anew_and_guests_stay_guests(make) -> None:
    _, orders = make(
        row("1", "20001", 1, "2011-05-02 10:00", customer="18000"),
        row("2", "20001", 1, "2011-05-03 10:00", customer=""),
        row("3", "20001", 1, "2011-05-04 10:00", customer="12000"),
        row("4", "20001", 1, "2011-05-05 10:00", customer="18000"),
    )

    assert [order[1] for order in orders] == ["1", "", "2", "1"]


def test_a_product_costs_the_median_and_is_called_what_it_is_called_most(make) -> None:
    products, _ = make(
        ("1", "20001", "RED MUG", 1, "2011-05-02 10:00:00", 1.25, "1", "UK"),
        ("2", "20001", "RED MUG", 1, "2011-05-03 10:00:00", 2.55, "1", "UK"),
        ("3", "20001", "mug, damaged", 1, "2011-05-04 10:00:00", 9.99, "1", "UK"),
    )

    assert products == [["20001", "Red Mug", "255"]]


def test_wrong_use_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert extract.main([]) == 2
    assert "usage" in capsys.readouterr().err
