"""What must never make an answer personal: products and searches that tell of health, belief or the bedroom.

A product is sensitive where its category, one of its tags or its title has one of the words of ``sensitive_words``, or
of the merchant's own. Such a product

- says nothing of a shopper: it counts in no session's interests, no history, no list of things looked at or to buy
  again;
- is put before nobody because of what they, or others, did, but on the page of a product of its own category;
  the merchant's own choice stands.

What a shopper bought or threw out still hides it from them. All is pure but ``words_of``.
"""

import re
import unicodedata
from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import Final, Protocol

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.db import db
from app.core.held import Held
from app.events.session import Session
from app.recommendations.models import SensitiveWords
from app.recommendations.personal import Shopper
from app.recommendations.sensitive_words import BUILT_IN

# What every word that begins so is written with.
BEGINNING: Final = "*"
_TOKENS: Final = re.compile(r"[^\W_]+")

_held: "Held[int, Words]" = Held(most=10_000)


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """Words, compiled for comparison. Equal only to itself, so that what was found by it can be remembered.

    Attributes:
        whole: words that stand alone.
        beginnings: how words may begin, by the length of the beginning.
        phrases: several words in a row, by the first of them.
    """

    whole: frozenset[str]
    beginnings: tuple[tuple[int, frozenset[str]], ...]
    phrases: dict[str, tuple[tuple[str, ...], ...]]


class Described(Protocol):
    """What of a product is looked at."""

    @property
    def product_id(self) -> str:
        """The platform's id."""

    @property
    def category(self) -> str | None:
        """The category, with those above it where the shop names them."""

    @property
    def tags(self) -> Collection[str]:
        """The shop's own words."""

    @property
    def title(self) -> str:
        """What the shop calls it."""


@lru_cache(maxsize=512)
def compiled(own: tuple[str, ...]) -> Words:
    """Return the built-in words and a merchant's own, ready for comparison."""
    whole: set[str] = set()
    beginnings: dict[int, set[str]] = {}
    phrases: dict[str, set[tuple[str, ...]]] = {}
    for word in chain.from_iterable((*BUILT_IN.values(), own)):
        tokens = _tokens(word)
        if not tokens:
            continue
        if word.endswith(BEGINNING) and len(tokens) == 1:
            beginnings.setdefault(len(tokens[0]), set()).add(tokens[0])
        elif word.endswith(BEGINNING):
            phrases.setdefault(tokens[0], set()).add((*tokens, BEGINNING))
        elif len(tokens) == 1:
            whole.add(tokens[0])
        else:
            phrases.setdefault(tokens[0], set()).add(tokens)
    return Words(
        frozenset(whole),
        tuple((length, frozenset(found)) for length, found in sorted(beginnings.items())),
        {first: tuple(sorted(found)) for first, found in phrases.items()},
    )


@lru_cache(maxsize=50_000)
def mentions(text: str, words: Words) -> bool:
    """Return whether a text has one of the words."""
    tokens = _tokens(text)
    if not words.whole.isdisjoint(tokens):
        return True
    if any(token[:length] in found for token in tokens for length, found in words.beginnings):
        return True
    return any(
        _stands_at(tokens, place, phrase)
        for place, token in enumerate(tokens)
        for phrase in words.phrases.get(token, ())
    )


def is_sensitive(category: str | None, tags: Iterable[str], title: str, words: Words) -> bool:
    """Return whether a product is sensitive, by what the shop says of it."""
    return (
        (category is not None and mentions(category, words))
        or mentions(title, words)
        or any(mentions(tag, words) for tag in tags)
    )


def among(products: Iterable[Described], words: Words) -> frozenset[str]:
    """Return the platform ids of those products that are sensitive."""
    return frozenset(
        product.product_id
        for product in products
        if is_sensitive(product.category, product.tags, product.title, words)
    )


def out_of_place(product: Described, page: Described | None, words: Words) -> bool:
    """Return whether a product is sensitive and must not be put before anybody here.

    It may stand on the page of a product of its own category: whoever looks at that is no further revealed.
    """
    if not is_sensitive(product.category, product.tags, product.title, words):
        return False
    return page is None or product.category is None or product.category != page.category


def filter_session(session: Session, sensitive: Container[str], words: Words) -> Session:
    """Return a session that knows nothing of sensitive products and searches.

    What was taken out of the cart or bought stays: it only ever hides. To hide what stands in the cart, and to tell
    what the cart is, use the session as it was.
    """
    if not session:
        return session

    def others(products: Iterable[str]) -> tuple[str, ...]:
        return tuple(product for product in products if product not in sensitive)

    return replace(
        session,
        viewed=others(session.viewed),
        looks=others(session.looks),
        looks_since_cart=len(others(session.looks[: session.looks_since_cart])),
        added=others(session.added),
        cart=others(session.cart),
        searched=tuple(query for query in session.searched if not mentions(query, words)),
    )


def filter_shopper(shopper: Shopper, sensitive: Container[str]) -> Shopper:
    """Return a customer without what they bought of sensitive products; those that rest go on to be hidden."""
    return replace(
        shopper,
        weights={product: weight for product, weight in shopper.weights.items() if product not in sensitive},
        due=tuple(candidate for candidate in shopper.due if candidate["id"] not in sensitive),
        bought=tuple(bought for bought in shopper.bought if bought.product not in sensitive),
    )


def words_of(store_id: int) -> Words:
    """Return the words of a store, as this process has known them for five seconds at most.

    Where the database does not answer, what was known last holds on; the built-in words always count.
    """

    def read(before: Words | None) -> Words:
        try:
            return compiled(tuple(own_words(store_id)))
        except (OperationalError, PoolTimeout):
            db.session.rollback()
            return before or compiled(())

    return _held.get(store_id, read)


def own_words(store_id: int) -> list[str]:
    """Return the merchant's own words, in their order."""
    found = db.session.execute(
        select(SensitiveWords.words).where(SensitiveWords.store_id == store_id)
    ).scalar_one_or_none()
    return list(found or ())


def forget() -> None:
    """Forget the words of every store: the next question asks the database."""
    _held.forget_all()


def _tokens(text: str) -> tuple[str, ...]:
    """Return the words of a text, in small letters and without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return tuple(
        _TOKENS.findall("".join(c for c in decomposed if not unicodedata.combining(c)).replace("_", " "))
    )


def _stands_at(tokens: tuple[str, ...], place: int, phrase: tuple[str, ...]) -> bool:
    """Return whether a phrase begins at a place; after its last word ``*`` lets that word go on."""
    if phrase[-1] != BEGINNING:
        return tokens[place : place + len(phrase)] == phrase
    length = len(phrase) - 1
    found = tokens[place : place + length]
    return len(found) == length and found[:-1] == phrase[:-2] and found[-1].startswith(phrase[-2])
