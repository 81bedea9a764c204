"""What the merchant of a demo shop chose."""

from demo.catalogue import Product
from demo.companions import Companions, companions


def product(number, name, price, rank):
    return Product(number, f"C{number}", name, price, rank)


def test_themes_go_together_and_better_costs_more_of_the_same_kind():
    shop = [
        product(0, "RED MUG", 200, 1),
        product(1, "RED TEAPOT", 900, 0),
        product(2, "BLUE MUG", 500, 3),
        product(3, "GOLD MUG", 601, 2),
        product(4, "PINK MUG", 150, 4),
    ]
    assert companions(shop)[0] == Companions(goes_with=(1,), better=(2,))
    assert companions(shop)[1] == Companions(goes_with=(0,), better=())


def test_only_best_sellers_are_cared_for():
    shop = [product(number, "RED MUG", 200, number) for number in range(30)]
    assert sorted(companions(shop)) == list(range(24))
