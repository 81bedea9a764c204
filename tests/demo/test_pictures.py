"""Product pictures: proper SVG, made of nothing from elsewhere."""

import re
from xml.etree import ElementTree

from demo.catalogue import Product
from demo.pictures import motifs, picture
from demo.shops import Shop


def product(name: str, code: str = "20001") -> Product:
    return Product(0, code, name, 125, 0)


def test_every_product_of_both_shops_has_a_proper_picture(shop: Shop) -> None:
    for item in shop.products[::7]:
        root = ElementTree.fromstring(picture(item))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.findtext("{http://www.w3.org/2000/svg}title") == item.name


def test_every_kind_has_a_drawing_and_every_drawing_a_kind(shop: Shop) -> None:
    assert {item.motif for item in shop.products} <= set(motifs())


def test_every_drawing_is_proper_and_all_its_colours_are_filled_in() -> None:
    for name in motifs():
        svg = picture(product(f"{name} red gingham"))
        assert "$" not in svg
        ElementTree.fromstring(svg)


def test_pictures_load_nothing() -> None:
    svg = picture(product("Jumbo Bag Red Retro Spot"))

    assert re.findall(r"(?:https?:)?//[^\"']+", svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"href|<script|<image|@import|\bon\w+=", svg)


def test_words_decide_colour_and_pattern() -> None:
    red, blue = picture(product("Red Polka Dot Mug")), picture(product("Blue Polka Dot Mug"))

    assert "#c8423f" in red
    assert "#5b8fb9" in blue
    assert '<pattern id="p"' in red
    assert '<pattern id="p"' not in picture(product("Red Mug"))


def test_without_a_colour_word_the_code_decides_and_always_alike() -> None:
    one = picture(product("Alarm Clock", "20001"))

    assert one == picture(Product(7, "20001", "Alarm Clock", 999, 5))
    assert len({picture(product("Alarm Clock", str(20000 + n))) for n in range(30)}) > 3


def test_a_name_cannot_break_out_of_the_picture() -> None:
    svg = picture(product("</title><script>alert(1)</script> & Mug"))

    assert "<script" not in svg
    assert ElementTree.fromstring(svg) is not None
