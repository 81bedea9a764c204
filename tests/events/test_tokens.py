"""A customer token proves who is logged in, to one shop and for a quarter of an hour; nothing else does."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from app.commerce.store import Store
from app.core.crypto import vault
from app.core.db import db
from app.events import tokens
from app.events.tokens import AUDIENCE, LIFETIME, make, read, shop_key

NOW = datetime(2026, 11, 2, 10, tzinfo=UTC)
CUSTOMER = "7012345678901"


def _claims(**changed: Any) -> dict[str, Any]:
    issued = int(NOW.timestamp())
    claims = {"iss": "shop", "aud": AUDIENCE, "sub": "7", "iat": issued, "exp": issued + 900}
    return {name: value for name, value in (claims | changed).items() if value is not None}


def _shop_token(store: Store, secret: bytes | None = None, **changed: Any) -> str:
    key = shop_key(secret or store.webhook_secrets[0], store.webhook_token or "")
    return jwt.encode(_claims(**changed), key, algorithm="HS256")


@pytest.mark.parametrize("later", [timedelta(0), LIFETIME - timedelta(seconds=1)])
def test_our_token_names_the_customer(shopify: Store, later: timedelta) -> None:
    assert read(shopify.id, make(shopify.id, CUSTOMER, NOW), NOW + later) == CUSTOMER


@pytest.mark.parametrize(
    "shift", [pytest.param(LIFETIME, id="expired"), pytest.param(-timedelta(minutes=2), id="of the future")]
)
def test_our_token_is_good_for_its_time_only(shopify: Store, shift: timedelta) -> None:
    assert read(shopify.id, make(shopify.id, CUSTOMER, NOW), NOW + shift) is None


def test_token_of_another_store_proves_nothing(shopify: Store, woocommerce: Store) -> None:
    assert read(woocommerce.id, make(shopify.id, CUSTOMER, NOW), NOW) is None


@pytest.mark.parametrize("customer", ["", " ", "a b", "ü", "1" * 65, "1\n"])
def test_no_token_for_what_is_no_id(shopify: Store, customer: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        make(shopify.id, customer, NOW)


@pytest.mark.parametrize("place", [0, 1, 2], ids=["header", "claims", "signature"])
def test_changed_token_proves_nothing(shopify: Store, place: int) -> None:
    mine, other = (make(shopify.id, customer, NOW).split(".") for customer in (CUSTOMER, "9"))
    other[0] = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWS"}').rstrip(b"=").decode()
    mine[place] = other[place]

    assert read(shopify.id, ".".join(mine), NOW) is None


@pytest.mark.parametrize("issuer", ["pannier", "shop"])
@pytest.mark.parametrize("algorithm", ["none", "None", "HS512"])
def test_only_our_algorithm_counts(woocommerce: Store, issuer: str, algorithm: str) -> None:
    key = tokens._our_key(woocommerce.id) if issuer == "pannier" else tokens._shop_keys(woocommerce.id)[0]
    if algorithm == "HS512":
        token = jwt.encode(_claims(iss=issuer), key * 2, algorithm="HS512")
    else:
        parts = (json.dumps(part).encode() for part in ({"alg": algorithm}, _claims(iss=issuer)))
        token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."

    assert read(woocommerce.id, token, NOW) is None


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b.c", "é.é.é", "x" * 2000, "e30.e30.e30", "bnVsbA.bnVsbA."]
)
def test_what_is_no_token_proves_nothing(woocommerce: Store, text: str) -> None:
    assert read(woocommerce.id, text, NOW) is None


def test_shop_signs_for_its_own_customers(woocommerce: Store, shopify: Store) -> None:
    token = _shop_token(woocommerce)

    assert read(woocommerce.id, token, NOW) == "7"
    assert read(shopify.id, token, NOW) is None


def test_shop_s_token_counts_under_the_secret_before(woocommerce: Store) -> None:
    token = _shop_token(woocommerce)
    before = woocommerce.credentials["webhook_secret"]
    woocommerce.credentials = {"webhook_secret": "new", "webhook_secret_previous": before}
    db.session.commit()

    assert read(woocommerce.id, token, NOW) == "7"
    woocommerce.credentials = {"webhook_secret": "new"}
    db.session.commit()
    assert read(woocommerce.id, token, NOW) is None


def test_shop_with_the_same_secret_is_another_shop(woocommerce: Store) -> None:
    token = _shop_token(woocommerce)
    woocommerce.webhook_token = "another"
    db.session.commit()

    assert read(woocommerce.id, token, NOW) is None


def test_shop_that_left_signs_for_nobody(woocommerce: Store) -> None:
    token = _shop_token(woocommerce)
    woocommerce.uninstalled_at = NOW
    db.session.commit()

    assert read(woocommerce.id, token, NOW) is None


def test_a_signed_webhook_key_is_no_token_key(woocommerce: Store) -> None:
    secret = woocommerce.webhook_secrets[0]

    assert read(woocommerce.id, jwt.encode(_claims(), secret.ljust(32), algorithm="HS256"), NOW) is None
    assert vault().store_key(woocommerce.id) != tokens._our_key(woocommerce.id)


def test_neither_issuer_can_speak_for_the_other(woocommerce: Store) -> None:
    ours = jwt.encode(_claims(iss="pannier"), tokens._shop_keys(woocommerce.id)[0], algorithm="HS256")
    theirs = jwt.encode(_claims(iss="shop"), tokens._our_key(woocommerce.id), algorithm="HS256")

    assert [read(woocommerce.id, token, NOW) for token in (ours, theirs)] == [None, None]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"exp": None}, id="for ever"),
        pytest.param({"exp": int(NOW.timestamp()) + 86_400}, id="for a day"),
        pytest.param({"exp": "later"}, id="until no time"),
        pytest.param({"exp": True}, id="until a truth value"),
        pytest.param({"iat": None}, id="since no time"),
        pytest.param({"iat": float("1e300")}, id="since a fraction"),
        pytest.param({"iat": int(NOW.timestamp()) - 2000, "exp": int(NOW.timestamp()) - 1100}, id="expired"),
        pytest.param({"iat": int(NOW.timestamp()) + 61}, id="of the future"),
        pytest.param({"aud": "pannier"}, id="for another audience"),
        pytest.param({"aud": None}, id="for no audience"),
        pytest.param({"iss": "other"}, id="of another issuer"),
        pytest.param({"iss": None}, id="of no issuer"),
        pytest.param({"sub": None}, id="for nobody"),
        pytest.param({"sub": ""}, id="for an empty id"),
        pytest.param({"sub": 'a" b'}, id="for no id"),
        pytest.param({"sub": "1" * 65}, id="for a long id"),
    ],
)
def test_shop_s_token_that_says_too_little_or_too_much(woocommerce: Store, changed: dict[str, Any]) -> None:
    assert read(woocommerce.id, _shop_token(woocommerce, **changed), NOW) is None


def test_shop_s_clock_may_be_a_minute_off(woocommerce: Store) -> None:
    issued = int(NOW.timestamp())

    assert read(woocommerce.id, _shop_token(woocommerce, iat=issued + 60, exp=issued + 960), NOW) == "7"
    assert read(woocommerce.id, _shop_token(woocommerce, iat=issued - 950, exp=issued - 50), NOW) == "7"
