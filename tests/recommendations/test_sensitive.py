"""What never makes an answer personal: found by whole words, and kept out of sessions and histories."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import insert
from sqlalchemy.exc import OperationalError

from app.core.db import db
from app.core.held import Held
from app.events.session import NO_SESSION, Session
from app.recommendations import sensitive
from app.recommendations.cache import Card
from app.recommendations.models import SensitiveWords
from app.recommendations.personal import Shopper
from app.recommendations.sensitive import (
    Words,
    among,
    compiled,
    filter_session,
    filter_shopper,
    is_sensitive,
    mentions,
    out_of_place,
)
from app.recommendations.sensitive_words import BUILT_IN
from app.recommendations.strategies import GOES_WITH_VIEWED, STRATEGIES
from app.recommendations.whole_carts import Bought
from tests.factories import new_store

BUILT: Words = compiled(())
WIDGET = Path(__file__).parents[2] / "widgets" / "src" / "strings.ts"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def card(product: str, title: str, category: str | None = None, tags: tuple[str, ...] = ()) -> Card:
    return Card(product, None, title, None, None, 100, "USD", eligible=True, category=category, tags=tags)


# --- words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Pregnancy test, 2 pieces", "Schwangerschaftstest", "Test de GROSSESSE", "Prueba de embarazo",
        "Condoms 12 pack", "Kondome gefühlsecht", "Préservatifs fins", "Preservativos",
        "Morning-after pill", "Die Pille danach", "Pilule du lendemain", "Píldora del día después",
        "Health > Diabetes care", "Rezeptpflichtige Arzneimittel", "Médicaments sans ordonnance", "Medicamentos",
        "Living with depression", "Psychische Gesundheit", "Santé mentale", "Salud mental",
        "Quit smoking patch", "Rauchentwöhnung", "Sevrage tabagique", "Dejar de fumar",
        "Sex toys", "Sexspielzeug", "Jouets sexuels", "Juguetes sexuales",
        "Holy Bible, leather", "Gebetskette", "Chapelet en bois", "Rosario de plata",
        "Political campaign button", "Gewerkschaftsfahne", "Syndicat", "Campaña electoral",
        "Head lice comb", "Läusekamm", "Shampooing anti-poux", "Champú antipiojos",
        "Funeral wreath", "Trauerkarte", "Articles funéraires", "Ataúd",
        "WEIGHT_LOSS shake", "Diätpillen", "Brûle-graisses", "Pérdida de peso",
        "Lesbian pride flag", "DNA test kit", "Pfefferspray", "Payday loans",
    ],
)  # fmt: skip
def test_sensitive_things_are_found_in_four_languages(text: str) -> None:
    assert mentions(text, BUILT)


@pytest.mark.parametrize(
    "text",
    [
        "Blue mug", "Pillow case", "Sextant, brass", "Medium tee", "Stomach-friendly tea", "Grab bag", "Grape juice",
        "Party hats", "Christian Dior", "Urnfield replica", "Glue gun", "Condominium plan", "Vitamin C",
        "18+ months puzzle", "Cold-pressed oil", "Therapie-Ball" , "Kratzbaum", "Lapidary wheel", "", "!!!", "_",
    ],
)  # fmt: skip
def test_harmless_things_that_sound_alike_are_not(text: str) -> None:
    assert not mentions(text, BUILT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("knit hat", True), ("knitwear", False), ("yarns", True), ("spun-yarn", True), ("homeyarn", False),
        ("Baby-Steps", True), ("baby big steps", False), ("steps baby", False), ("Big Bangs", True), ("big", False),
        ("Big Ben", False),
    ],
)  # fmt: skip
def test_words_are_whole_and_beginnings_are_marked(text: str, expected: bool) -> None:
    assert mentions(text, compiled(("knit", "yarn*", "baby steps", "big bang*"))) is expected


@pytest.mark.parametrize(
    ("category", "tags", "title", "expected"),
    [
        ("Sexual wellness", (), "Gift box", True),
        ("Gifts", ("new", "maternity"), "Gift box", True),
        ("Gifts", ("new",), "Condom box", True),
        ("Gifts", ("new",), "Gift box", False),
        (None, (), "Gift box", False),
    ],
    ids=["by category", "by tag", "by title", "not", "nothing known"],
)
def test_a_product_is_judged_by_category_tags_and_title(
    category: str | None, tags: tuple[str, ...], title: str, expected: bool
) -> None:
    assert is_sensitive(category, tags, title, BUILT) is expected
    assert among([card("1", title, category, tags)], BUILT) == (frozenset({"1"}) if expected else frozenset())


def test_every_built_in_word_finds_itself() -> None:
    words = [word for found in BUILT_IN.values() for word in found]

    assert [word for word in words if not mentions(f"a {word.rstrip('*').upper()} b", BUILT)] == []
    assert all(len(word.rstrip("*")) >= 3 for word in words)


# --- where it may stand ---------------------------------------------------------------------------------

TEST = card("1", "Pregnancy test", "Pregnancy")
MUG = card("2", "Mug", "Kitchen")


@pytest.mark.parametrize(
    ("product", "page", "expected"),
    [
        (TEST, None, True),
        (TEST, MUG, True),
        (TEST, card("3", "Prenatal vitamins", "Pregnancy"), False),
        (card("1", "Pregnancy test"), card("3", "Prenatal vitamins"), True),
        (MUG, None, False),
        (MUG, TEST, False),
    ],
    ids=["no page", "another category", "its own category", "no category", "harmless", "harmless there"],
)
def test_a_sensitive_product_stands_on_pages_of_its_category_only(
    product: Card, page: Card | None, expected: bool
) -> None:
    assert out_of_place(product, page, BUILT) is expected


# --- sessions and histories -----------------------------------------------------------------------------


def test_a_session_knows_nothing_of_sensitive_products_and_searches() -> None:
    session = Session(
        viewed=("1", "2"),
        added=("1", "3"),
        removed=("1",),
        searched=("pregnancy test", "red mug"),
        cart=("1", "3"),
        bought=("1", "4"),
        looks=("1", "2", "1", "2"),
        looks_since_cart=3,
        first=NOW,
        last=NOW,
    )

    found = filter_session(session, frozenset({"1"}), BUILT)

    assert found == Session(
        viewed=("2",),
        added=("3",),
        removed=("1",),  # hides only
        searched=("red mug",),
        cart=("3",),
        bought=("1", "4"),  # hides only
        looks=("2", "2"),
        looks_since_cart=1,
        first=NOW,
        last=NOW,
    )


def test_no_session_stays_none() -> None:
    assert filter_session(NO_SESSION, frozenset({"1"}), BUILT) is NO_SESSION


def test_a_history_knows_nothing_of_sensitive_purchases_but_goes_on_hiding_them() -> None:
    shopper = Shopper(
        weights={"1": 1.0, "2": 0.5},
        due=({"id": "1", "times": 2}, {"id": "2", "times": 3}),
        resting=frozenset({"1", "3"}),
        bought=(Bought("1", 2, 3), Bought("2", 1, 40)),
        orders=5,
    )

    assert filter_shopper(shopper, frozenset({"1"})) == Shopper(
        weights={"2": 0.5},
        due=({"id": "2", "times": 3},),
        resting=frozenset({"1", "3"}),
        bought=(Bought("2", 1, 40),),
        orders=5,
    )


# --- the merchant's own ---------------------------------------------------------------------------------


def _says(store_id: int, *words: str) -> None:
    db.session.execute(insert(SensitiveWords).values(store_id=store_id, words=list(words)))
    db.session.commit()
    sensitive.forget()


def test_a_merchants_words_are_of_that_store_alone(shared_app: Flask) -> None:
    with shared_app.app_context():
        mine, other = new_store().id, new_store().id
        _says(mine, "wig*", "hair loss")

        found = {
            store: [text for text in ("Wigs", "Hair-loss shampoo", "Condom", "Mug") if mentions(text, words)]
            for store in (mine, other)
            for words in (sensitive.words_of(store),)
        }

        assert found == {mine: ["Wigs", "Hair-loss shampoo", "Condom"], other: ["Condom"]}


def test_words_are_held_and_outlast_the_database(shared_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with shared_app.app_context():
        store = new_store()
        store_id = store.id
        _says(store_id, "wig*")
        held = sensitive.words_of(store_id)

        def down(_: int) -> list[str]:
            raise OperationalError("SELECT", {}, Exception("down"))

        monkeypatch.setattr(sensitive, "own_words", down)
        assert sensitive.words_of(store_id) is held  # not asked again within its time
        monkeypatch.setattr(sensitive, "_held", expired := Held(ttl_s=0.0))
        expired.get(store_id, lambda _: held)
        assert sensitive.words_of(store_id) is held
        sensitive.forget()
        assert mentions("Condom", sensitive.words_of(store_id))  # the built-in ones always count
        sensitive.forget()


# --- what shoppers are told -----------------------------------------------------------------------------

# Words in which somebody's own doing is told back to them, in the languages of the widget.
_TELLING = re.compile(
    r"because|you (?:viewed|bought|looked|searched)|your (?:history|recent)|recently viewed|inspired by|"
    r"weil sie|angesehen|ihre(?:r|n|m)? (?:suche|käufe|verlauf)|zuletzt|"
    r"parce que|vous avez (?:vu|consulté|acheté)|récemment|votre historique",
    re.IGNORECASE,
)


def test_no_string_of_the_widget_tells_a_shopper_what_they_did() -> None:
    strings = re.findall(r'^  (?:en|de|fr): "([^"]+)"', WIDGET.read_text(), re.MULTILINE)

    assert len(strings) == 3
    assert [text for text in strings if _TELLING.search(text)] == []


def test_no_reason_code_says_because_or_names_anybody() -> None:
    codes = {reason for strategy in STRATEGIES.values() for reason in strategy.reasons}

    assert {GOES_WITH_VIEWED, "bought_together", "merchant_choice"} <= codes
    assert [code for code in codes if re.search(r"because|you|your|history|device", code)] == []


def test_the_widget_has_headings_for_three_claims_and_none_is_personal() -> None:
    claims = re.search(r"const CLAIMS = \[(.*?)\]", WIDGET.read_text())

    assert claims
    assert claims[1] == 'TOGETHER, "similar", "best_sellers"'
