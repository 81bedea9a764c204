"""Stores, their keys and settings."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.commerce.store import (
    KEY_GRACE,
    AccessCache,
    StoreError,
    StoreKey,
    add_store,
    checked_settings,
    find_store,
    normalise_domain,
    normalise_origin,
    publishable_key,
    rotate_keys,
)
from app.core.crypto import key_digest
from app.core.db import db, now


def test_a_store_gets_two_keys_kept_as_digests(app: Flask) -> None:
    store, keys = add_store("shopify", "Mugs.myshopify.com", currency="EUR")
    db.session.commit()

    kept = {key.kind: key for key in db.session.scalars(select(StoreKey))}
    assert store.domain == "mugs.myshopify.com"
    assert keys.publishable.startswith("pk_")
    assert keys.secret.startswith("sk_")
    assert {kind: key.digest for kind, key in kept.items()} == {
        "publishable": key_digest(keys.publishable),
        "secret": key_digest(keys.secret),
    }
    assert kept["secret"].shown == f"{keys.secret[:6]}…"
    assert publishable_key(store.id) == keys.publishable


def test_a_woocommerce_store_gets_an_address_and_a_secret(app: Flask) -> None:
    store, _ = add_store("woocommerce", "https://Example.com/Shop/")

    assert store.domain == "https://example.com/Shop"
    assert store.origins == ["https://example.com"]
    assert len(store.webhook_token or "") == 32
    (secret,) = store.webhook_secrets
    assert secret.isalnum()


@pytest.mark.parametrize(
    ("platform", "domain", "options", "sentence"),
    [
        ("shopify", "example.com", {}, "'example.com' is no Shopify domain such as example.myshopify.com."),
        (
            "shopify",
            "a.myshopify.com.evil.com",
            {},
            "'a.myshopify.com.evil.com' is no Shopify domain such as ",
        ),
        ("woocommerce", "example.com", {}, "'example.com' is no site address such as https://example.com."),
        ("woocommerce", "https://u:p@example.com", {}, "is no site address such as https://example.com."),
        ("magento", "example.com", {}, "There is no platform 'magento'; known are shopify and woocommerce."),
        ("shopify", "a.myshopify.com", {"currency": "usd"}, "'usd' is no ISO 4217 currency code."),
        (
            "shopify",
            "a.myshopify.com",
            {"origins": ["https://a.b/c"]},
            "'https://a.b/c' is no origin such as ",
        ),
        ("shopify", "a.myshopify.com", {"settings": {"min_lift": 0.5}}, "min_lift must be from 1 to 100."),
    ],
    ids=["domain", "other host", "no scheme", "user", "platform", "currency", "origin", "setting"],
)
def test_what_cannot_be_a_store(
    app: Flask, platform: str, domain: str, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(StoreError) as raised:
        add_store(platform, domain, **options)  # type: ignore[arg-type]

    assert sentence in str(raised.value)


def test_a_store_is_added_once(app: Flask) -> None:
    add_store("shopify", "a.myshopify.com")

    with pytest.raises(StoreError, match=r"^The shopify store a\.myshopify\.com exists already\.$"):
        add_store("shopify", "A.myshopify.com")


@pytest.mark.parametrize(
    "settings",
    [{"nonsense": 1}, {"half_life_days": 6}, {"basket_cap": 501}, {"min_llr": float("nan")}],
    ids=["unknown", "too low", "too high", "not a number"],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(StoreError, match=next(iter(settings))):
        checked_settings(settings)


def test_a_setting_has_a_default_until_it_is_set(app: Flask) -> None:
    store, _ = add_store("shopify", "a.myshopify.com", settings={"half_life_days": 30})

    assert store.setting("half_life_days") == 30.0
    assert store.setting("min_orders") == 3.0


@pytest.mark.parametrize(
    "reference",
    ["{id}", "https://example.com/Shop", "https://EXAMPLE.com/shop/", " https://example.com/Shop "],
    ids=["id", "address", "other capitals", "spaces"],
)
def test_a_store_is_found(app: Flask, reference: str) -> None:
    add_store("shopify", "other.myshopify.com")
    store, _ = add_store("woocommerce", "https://example.com/Shop")

    assert find_store(reference.format(id=store.id)).id == store.id


@pytest.mark.parametrize("reference", ["99", "9" * 30, "²", "", "nobody.myshopify.com"])
def test_a_store_that_is_not_there_is_a_sentence(app: Flask, reference: str) -> None:
    with pytest.raises(StoreError, match=r"^There is no store .*; `pannier store list` shows them\.$"):
        find_store(reference)


def test_rotated_keys_open_for_a_day_and_no_longer(app: Flask) -> None:
    store, old = add_store("shopify", "a.myshopify.com")
    new = rotate_keys(store)
    db.session.commit()

    for keys in (old, new):
        for key, kind in ((keys.publishable, "publishable"), (keys.secret, "secret")):
            access = AccessCache().get(key)
            assert access is not None
            assert (access.store_id, access.kind) == (store.id, kind)
    assert publishable_key(store.id) == new.publishable

    db.session.execute(
        update(StoreKey)
        .where(StoreKey.expires_at.is_not(None))
        .values(expires_at=StoreKey.expires_at - KEY_GRACE)
    )
    assert AccessCache().get(old.publishable) is None
    assert AccessCache().get(old.secret) is None
    assert AccessCache().get(new.secret) is not None


def test_a_second_rotation_does_not_prolong_the_first_keys(app: Flask) -> None:
    store, old = add_store("shopify", "a.myshopify.com")
    rotate_keys(store)
    before = db.session.scalar(select(StoreKey.expires_at).where(StoreKey.digest == key_digest(old.secret)))

    rotate_keys(store)

    after = db.session.scalar(select(StoreKey.expires_at).where(StoreKey.digest == key_digest(old.secret)))
    assert before == after


@pytest.mark.parametrize("key", ["pk_nothing", "", "sk_" + "x" * 40])
def test_an_unknown_key_opens_nothing(app: Flask, key: str) -> None:
    add_store("shopify", "a.myshopify.com")

    assert AccessCache().get(key) is None


def test_a_removed_store_opens_to_nobody(app: Flask) -> None:
    store, keys = add_store("shopify", "a.myshopify.com")
    store.uninstalled_at = now() - timedelta(seconds=1)
    db.session.commit()

    assert AccessCache().get(keys.secret) is None


@pytest.mark.parametrize(
    ("platform", "given", "kept"),
    [
        ("shopify", " Mugs.MyShopify.com ", "mugs.myshopify.com"),
        ("woocommerce", "HTTPS://Example.com/", "https://example.com"),
        ("woocommerce", "http://127.0.0.1:8081/shop/", "http://127.0.0.1:8081/shop"),
    ],
    ids=["shopify", "root", "port and path"],
)
def test_names_of_stores(platform: str, given: str, kept: str) -> None:
    assert normalise_domain(platform, given) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [("https://Example.com", "https://example.com"), ("http://127.0.0.1:81/", "http://127.0.0.1:81")],
    ids=["capitals", "slash"],
)
def test_origins_as_browsers_send_them(given: str, kept: str) -> None:
    assert normalise_origin(given) == kept
