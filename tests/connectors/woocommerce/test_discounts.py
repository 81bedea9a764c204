"""Offers published to the stand-in: by the plugin, by coupons, and not at all."""

import hmac
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from app.commerce.checkout import digest, offer_to_config
from app.commerce.offers import Component, Piece, Terms, reckon
from connectors.discounts import COUPON, PLUGIN, LiveOffer, Published, QuoteKey
from connectors.errors import ReconnectNeeded, Rejected, Unreachable
from connectors.woocommerce import discounts as module
from connectors.woocommerce.discounts import RENEWED_AFTER, VALID_FOR, WooCommerceDiscounts
from connectors.woocommerce.plugin import payload, sign, signing_key
from demo.peers.woocommerce import WooState
from demo.peers.woocommerce.plugin import PannierPlugin
from demo.peers.woocommerce.virtual_coupons import CartLine, granted
from tests.connectors.woocommerce.peered import NOW, SECRET, Peer, peered, terms
from tests.connectors.woocommerce.shop import product

CONFIGURATION = ("PUT", "wc-pannier/v1/configuration")
KEYS = ("PUT", "wc-pannier/v1/keys")


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    """A shop with four products and the plugin."""
    with peered() as found:
        monkeypatch.setattr("woocommerce.api.time", lambda: found.clock().timestamp())
        for number in (12, 13, 14, 15):
            found.state.add_product(product(number))
        found.state.install_plugin()
        yield found


def discounts(peer: Peer, **changes: Any) -> WooCommerceDiscounts:
    settings: dict[str, Any] = {"plugin_secret": lambda: SECRET, "clock": peer.clock, **changes}
    return WooCommerceDiscounts(peer.client, "EUR", **settings)


def known(published: Published) -> dict[str, LiveOffer]:
    return {offer.key: offer for offer in published.live}


def in_cart(state: WooState, *products: str) -> dict[str, int]:
    """Return what the shop's cart takes off for each of ours, one piece of each product at 10.00."""
    assert state.plugin is not None
    lines = [CartLine(f"line-{id_}", id_, None, 1, 1000) for id_ in products]
    return {c.code: c.total for c in granted(lines, state.plugin.offers(), "EUR", state.site.now())}


def refusals(published: Published) -> dict[str, tuple[str, bool]]:
    return {offer.key: (offer.code, offer.again) for offer in published.refused}


# -- by the plugin --


def test_an_offer_comes_into_the_cart_and_goes_when_it_ends(peer: Peer) -> None:
    ours, wanted = discounts(peer), terms("a", percent=1050)

    published = ours.publish([wanted], {})

    serial = str(int(NOW.timestamp() * 1000))
    assert published == Published((LiveOffer("a", PLUGIN, digest(wanted), handle=serial),))
    promised = reckon([Piece(f"line-{id_}", id_, None, 1, 1000) for id_ in ("12", "13")], [wanted])
    assert in_cart(peer.state, "12", "13") == {"pannier-a": promised[0].amount} == {"pannier-a": 210}
    assert in_cart(peer.state, "12", "14") == {}
    assert ours.granted(known(published)) == {"a"}

    assert ours.publish([], known(published)) == Published()
    assert in_cart(peer.state, "12", "13") == {}
    assert ours.granted(known(published)) == frozenset()


def test_what_is_published_is_signed_for_this_shop_and_ends(peer: Peer) -> None:
    discounts(peer).publish([terms("a")], {})

    assert peer.state.plugin is not None
    kept = peer.state.plugin.kept()
    body = orjson.loads(kept["configuration"])
    assert body == {
        "serial": int(NOW.timestamp() * 1000),
        "store": peer.state.site.url,
        "valid_until": int((NOW + VALID_FOR).timestamp()),
        "offers": [offer_to_config(terms("a"))],
    }
    assert kept["configuration"].isascii()
    assert [key["id"] for key in kept["keys"]] == [signing_key(SECRET).id]
    peer.clock.now += VALID_FOR
    assert in_cart(peer.state, "12", "13") == {}


def test_an_unchanged_configuration_is_not_sent_again_before_it_grows_old(peer: Peer) -> None:
    ours, wanted = discounts(peer), [terms("a"), terms("b", ("13", "14"))]
    before = known(ours.publish(wanted, {}))
    assert peer.writes() == [KEYS, CONFIGURATION]

    peer.clock.now += RENEWED_AFTER - timedelta(seconds=1)
    assert known(ours.publish(wanted, before)) == before
    assert peer.writes() == []

    peer.clock.now += timedelta(seconds=1)
    renewed = known(ours.publish(wanted, before))
    assert peer.writes() == [CONFIGURATION]
    assert {offer.handle for offer in renewed.values()} == {str(int(peer.clock.now.timestamp() * 1000))}
    assert ours.granted(before) == frozenset()
    assert ours.granted(renewed) == {"a", "b"}


@pytest.mark.parametrize(
    "changed",
    [
        replace(terms("a"), title="Another title"),
        terms("a", percent=2000),
        replace(terms("a"), ends_at=NOW + timedelta(days=3)),
    ],
    ids=["title", "discount", "end"],
)
def test_a_changed_offer_is_sent_and_an_unchanged_one_stays(peer: Peer, changed: Terms) -> None:
    ours, first, other = discounts(peer), terms("a"), terms("b", ("13", "14"))
    before = known(ours.publish([first, other], {}))
    peer.asked()

    after = known(ours.publish([changed, other], before))

    assert peer.writes() == [CONFIGURATION]
    assert after["a"].digest == digest(changed) != before["a"].digest
    assert after["b"].digest == before["b"].digest
    # The clock stands still: the serial grows all the same.
    assert {offer.handle for offer in after.values()} == {str(int(NOW.timestamp() * 1000) + 1)}


@pytest.mark.parametrize("count", [26, 1000])
def test_many_offers_are_one_configuration(
    peer: Peer, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = range(1000, 1000 + count + 1)
    for number in numbers:
        peer.state.add_product(product(number))
    wanted = [terms(f"o{n:04}", (str(n), str(n + 1)), percent=500 + n % 50) for n in numbers[:-1]]

    published = discounts(peer).publish(wanted, {})

    assert [offer.key for offer in published.live] == [offer.key for offer in wanted]
    assert published.refused == published.left == ()
    assert peer.writes() == [KEYS, CONFIGURATION]
    assert in_cart(peer.state, "1003", "1004") == {"pannier-o1003": reckon_both(wanted, "1003", "1004")}
    assert in_cart(peer.state, "1003", "1005") == {}
    assert peer.state.plugin is not None
    size = len(peer.state.plugin.kept()["configuration"])
    with capsys.disabled():
        print(f"\n{count:,} offers are a configuration of {size:,} bytes.")
    assert size < 160 * count + 200


def reckon_both(wanted: list[Terms], *products: str) -> int:
    (grant,) = reckon([Piece(id_, id_, None, 1, 1000) for id_ in products], wanted)
    return grant.amount


def test_what_does_not_fit_is_refused_the_least_valuable_first(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = len(payload(0, "", NOW, [offer_to_config(terms("a"))]))
    monkeypatch.setattr(module, "MOST_BYTES", 2 * one + 10)

    published = discounts(peer).publish([terms(key) for key in "abc"], {})

    assert [offer.key for offer in published.live] == ["a", "b"]
    assert refusals(published) == {"c": ("limit_reached", True)}


@pytest.mark.parametrize(
    ("wanted", "code", "reason"),
    [
        (terms("x", ("12", "99")), "product_gone", "The shop does not have product 99 any more."),
        (terms("x", ("12", "gid/9")), "product_gone", "The shop does not have product gid/9 any more."),
        (terms("x", currency="USD"), "rejected", "The offer is in USD, the shop sells in EUR: make it anew."),
        (terms("x", title="t" * 1001), "rejected", module._TOO_LARGE),
        (terms("x", components=(Component("12", 1001), Component("13"))), "rejected", module._TOO_LARGE),
    ],
    ids=["product gone", "no product's id", "other currency", "long title", "many pieces"],
)
def test_an_offer_that_the_plugin_cannot_have_keeps_no_other_from_it(
    peer: Peer, wanted: Terms, code: str, reason: str
) -> None:
    published = discounts(peer).publish([wanted, terms("good")], {})

    assert [(offer.key, offer.code, offer.reason, offer.again) for offer in published.refused] == [
        ("x", code, reason, False)
    ]
    assert set(known(published)) == {"good"}
    assert in_cart(peer.state, "12", "13") == {"pannier-good": 200}


def test_nothing_is_granted_while_coupons_are_off(peer: Peer) -> None:
    ours = discounts(peer)
    before = known(ours.publish([terms("a")], {}))
    peer.state.site.coupons_enabled = False

    assert ours.granted(before) == frozenset()
    published = ours.publish([terms("a")], before)

    assert refusals(published) == {"a": ("not_allowed", True)}
    assert "WooCommerce, Settings, General" in published.refused[0].reason
    peer.state.site.coupons_enabled = True
    assert in_cart(peer.state, "12", "13") == {}
    assert known(ours.publish([terms("a")], before)).keys() == {"a"}
    assert in_cart(peer.state, "12", "13") == {"pannier-a": 200}


def test_a_shop_that_the_merchant_disconnected_grants_nothing(peer: Peer) -> None:
    ours = discounts(peer)
    before = known(ours.publish([terms("a")], {}))
    assert peer.state.plugin is not None
    peer.state.plugin.connected = False

    assert ours.granted(before) == frozenset()
    published = ours.publish([terms("a")], before)

    assert refusals(published) == {"a": ("not_allowed", True)}
    assert "under WooCommerce, Pannier" in published.refused[0].reason
    assert in_cart(peer.state, "12", "13") == {}


# -- what may not be believed --


@pytest.mark.parametrize(
    ("serial", "secret", "store", "status", "code"),
    [
        (1, b"x" * 32, None, 401, "pannier_wrong_signature"),
        (-1, SECRET, None, 409, "pannier_old_configuration"),
        (0, SECRET, None, 409, "pannier_old_configuration"),
        (1, SECRET, "https://other.example", 400, "pannier_other_store"),
    ],
    ids=["another secret", "older", "the same again", "another shop's"],
)
def test_a_forged_or_old_configuration_is_refused(
    peer: Peer, serial: int, secret: bytes, store: str | None, status: int, code: str
) -> None:
    before = known(discounts(peer).publish([terms("a")], {}))
    number = int(before["a"].handle or 0) + serial
    text = payload(number, store or peer.client.store_url, NOW + VALID_FOR, [])
    signature = hmac.new(secret, text.encode(), "sha256").hexdigest()

    with pytest.raises(Rejected) as caught:
        peer.client.beside("wc-pannier/v1").put("configuration", {"payload": text, "signature": signature})

    assert (caught.value.status, caught.value.code) == (status, code)
    assert in_cart(peer.state, "12", "13") == {"pannier-a": 200}


def test_a_changed_byte_is_refused(peer: Peer) -> None:
    discounts(peer).publish([terms("a")], {})
    text = payload(2**42, peer.client.store_url, NOW + VALID_FOR, [])
    body = {"payload": text.replace("[]", "[ ]"), "signature": sign(text, signing_key(SECRET))}

    with pytest.raises(Rejected) as caught:
        peer.client.beside("wc-pannier/v1").put("configuration", body)

    assert caught.value.code == "pannier_wrong_signature"
    assert in_cart(peer.state, "12", "13") == {"pannier-a": 200}


def test_a_plugin_that_has_other_keys_is_given_ours(peer: Peer) -> None:
    before = known(discounts(peer).publish([terms("a")], {}))
    peer.asked()

    after = known(
        discounts(peer, plugin_secret=lambda: b"y" * 32).publish([terms("a", percent=2000)], before)
    )

    assert peer.writes() == [KEYS, CONFIGURATION]
    assert after.keys() == {"a"}
    assert in_cart(peer.state, "12", "13") == {"pannier-a": 400}


def test_a_serial_from_the_future_is_overtaken(peer: Peer) -> None:
    peer.clock.now += timedelta(minutes=10)
    before = known(discounts(peer).publish([terms("a")], {}))
    peer.clock.now -= timedelta(minutes=10)

    after = known(discounts(peer).publish([terms("a", percent=2000)], before))

    assert int(after["a"].handle or 0) == int(before["a"].handle or 0) + 1


def publish_elsewhere(plugin: PannierPlugin) -> None:
    """Another process publishes nothing, a second later."""
    serial = plugin.status()["configuration"] + 1000
    text = payload(serial, plugin._site.url, NOW + VALID_FOR, [])
    plugin.put_configuration(text, sign(text, signing_key(SECRET)))


@pytest.mark.parametrize(
    ("since", "sent"),
    [
        (lambda plugin: plugin.put_keys([]), [CONFIGURATION, KEYS, CONFIGURATION]),
        (publish_elsewhere, [CONFIGURATION, CONFIGURATION]),
    ],
    ids=["its keys", "its configuration"],
)
def test_what_changed_in_the_plugin_since_it_was_asked_is_noticed(
    peer: Peer, since: Any, sent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = discounts(peer)
    before = known(ours.publish([terms("a")], {}))
    old = ours._plugin.status()
    since(peer.state.plugin)
    answers = iter([old])
    ask = ours._plugin.status
    monkeypatch.setattr(ours._plugin, "status", lambda: next(answers, None) or ask())
    peer.asked()

    after = known(ours.publish([terms("a", percent=2000)], before))

    assert peer.writes() == sent
    assert in_cart(peer.state, "12", "13") == {"pannier-a": 400}
    assert int(after["a"].handle or 0) > int(before["a"].handle or 0)


# -- keys of quotes --


def test_keys_of_quotes_are_published_beside_the_one_that_signs(peer: Peer) -> None:
    ours, own = discounts(peer), signing_key(SECRET)
    quote = QuoteKey("window1", b"k" * 16, NOW + timedelta(minutes=5))
    before = known(ours.publish([terms("a")], {}))

    ours.publish_keys([quote])

    assert peer.state.plugin is not None
    assert peer.state.plugin.status()["keys"] == ["window1", own.id]
    assert peer.state.plugin.kept()["keys"][0] == {
        "id": "window1",
        "secret": "a2tra2tra2tra2tra2traw",
        "not_after": int(NOW.timestamp()) + 300,
    }
    assert known(ours.publish([terms("b")], before)).keys() == {"b"}
    ours.publish_keys([])
    assert peer.state.plugin.status()["keys"] == [own.id]


def test_quotes_need_the_plugin(peer: Peer) -> None:
    peer.state.remove_plugin()

    with pytest.raises(Rejected, match="Only the Pannier plugin can accept quoted prices"):
        discounts(peer).publish_keys([QuoteKey("window1", b"k" * 16, NOW)])
    discounts(peer).publish_keys([])


# -- without the plugin --


def test_without_the_plugin_an_offer_is_refused_as_inexact(peer: Peer) -> None:
    peer.state.remove_plugin()

    published = discounts(peer).publish([terms("a")], {})

    assert refusals(published) == {"a": ("inexact", False)}
    assert "Install or update the plugin" in published.refused[0].reason
    assert peer.state.records("coupon") == []


def test_a_plugin_that_was_removed_later_grants_nothing_any_more(peer: Peer) -> None:
    ours = discounts(peer)
    before = known(ours.publish([terms("a")], {}))
    peer.state.remove_plugin()

    assert ours.granted(before) == frozenset()
    assert refusals(ours.publish([terms("a")], before)) == {"a": ("inexact", False)}

    peer.state.install_plugin()
    assert ours.granted(before) == frozenset()
    assert known(ours.publish([terms("a")], before)).keys() == {"a"}
    assert in_cart(peer.state, "12", "13") == {"pannier-a": 200}


def test_a_merchant_may_accept_coupons_with_their_limits(peer: Peer) -> None:
    peer.state.remove_plugin()
    ours = discounts(peer, inexact_coupons=True)
    ends = NOW + timedelta(days=2)
    variants = (Component("12"), Component("13", 2, ("131", "132")))
    wanted = [
        terms("p", components=variants, discounted=("13",), percent=1250, ends_at=ends),
        terms("m", amount=250),
    ]

    published = ours.publish(wanted, {})

    percent, amount = published.live
    assert (percent.mechanism, percent.code, percent.limits) == (
        COUPON,
        "pannier-p",
        (
            "The shopper has to enter the code.",
            "The shop gives the discount as soon as one discounted product is in the cart, whatever else is.",
            "It cannot be combined with other coupons.",
        ),
    )
    assert amount.limits == (*percent.limits, "The amount is spread over everything in the cart.")
    bodies = {row.body["code"]: row.body for row in peer.state.records("coupon")}
    fields = (
        *("discount_type", "amount", "product_ids", "limit_usage_to_x_items", "individual_use"),
        "date_expires_gmt",
    )
    assert [bodies["pannier-p"][name] for name in fields] == [
        *("percent", "12.50", [131, 132], 2, True),
        "2026-11-24T12:00:00",
    ]
    assert [bodies["pannier-m"][name] for name in fields] == [
        *("fixed_cart", "2.50", [12, 13], None, True),
        None,
    ]
    assert ours.granted(known(published)) == {"p", "m"}


def test_coupons_are_kept_made_anew_and_deleted_as_offers_are(peer: Peer) -> None:
    peer.state.remove_plugin()
    ours = discounts(peer, inexact_coupons=True)
    before = known(ours.publish([terms(key) for key in ("kept", "changed", "ended")], {}))
    foreign = {"id": 9000, "code": "pannier-of-the-merchant", "status": "publish", "meta_data": []}
    peer.state.add_coupon(foreign)
    peer.asked()

    published = ours.publish([terms("kept"), terms("changed", percent=2000)], before)
    after = known(published)

    assert after["kept"] == before["kept"]
    assert after["changed"].handle != before["changed"].handle
    assert published.left == published.refused == ()
    codes = sorted(row.body["code"] for row in peer.state.records("coupon"))
    assert codes == ["pannier-changed", "pannier-kept", "pannier-of-the-merchant"]
    peer.asked()
    assert known(ours.publish([terms("kept"), terms("changed", percent=2000)], after)) == after
    assert peer.writes() == []


def test_a_coupon_that_somebody_deleted_or_emptied_is_not_granted(peer: Peer) -> None:
    peer.state.remove_plugin()
    ours = discounts(peer, inexact_coupons=True)
    before = known(ours.publish([terms(key) for key in "abc"], {}))

    peer.state.delete_coupon(int(before["a"].handle or 0))
    peer.state.changed_coupon(int(before["b"].handle or 0), status="draft")

    assert ours.granted(before) == {"c"}
    assert known(ours.publish([terms(key) for key in "abc"], before)).keys() == {"a", "b", "c"}


def test_coupons_go_once_the_plugin_is_there(peer: Peer) -> None:
    peer.state.remove_plugin()
    ours = discounts(peer, inexact_coupons=True)
    before = known(ours.publish([terms("a")], {}))
    peer.state.install_plugin()

    published = ours.publish([terms("a")], before)

    assert [offer.mechanism for offer in published.live] == [PLUGIN]
    assert published.left == ()
    assert peer.state.records("coupon") == []


def test_coupons_go_once_the_merchant_no_longer_accepts_them(peer: Peer) -> None:
    peer.state.remove_plugin()
    before = known(discounts(peer, inexact_coupons=True).publish([terms("a")], {}))

    published = discounts(peer).publish([terms("a")], before)

    assert (refusals(published), published.left) == ({"a": ("inexact", False)}, ())
    assert peer.state.records("coupon") == []


@pytest.mark.parametrize(
    ("wanted", "code", "again"),
    [
        (terms("x", starts_at=NOW + timedelta(hours=1)), "not_allowed", True),
        (terms("x", currency="USD"), "rejected", False),
    ],
    ids=["begins later", "other currency"],
)
def test_what_no_coupon_can_be_is_refused(peer: Peer, wanted: Terms, code: str, again: bool) -> None:
    peer.state.remove_plugin()

    published = discounts(peer, inexact_coupons=True).publish([wanted, terms("good")], {})

    assert refusals(published) == {"x": (code, again)}
    assert set(known(published)) == {"good"}


def test_a_code_that_is_taken_is_told(peer: Peer) -> None:
    peer.state.remove_plugin()
    peer.state.add_coupon({"id": 9000, "code": "pannier-a", "status": "publish", "meta_data": []})

    published = discounts(peer, inexact_coupons=True).publish([terms("a"), terms("b")], {})

    assert refusals(published) == {"a": ("rejected", False)}
    assert published.refused[0].reason == (
        "The shop refuses the coupon (woocommerce_rest_coupon_code_already_exists)."
    )
    assert set(known(published)) == {"b"}


def test_coupons_that_are_off_are_none(peer: Peer) -> None:
    peer.state.remove_plugin()
    peer.state.site.coupons_enabled = False

    published = discounts(peer, inexact_coupons=True).publish([terms("a")], {})

    assert refusals(published) == {"a": ("not_allowed", True)}
    assert peer.state.records("coupon") == []


# -- what goes wrong --


def test_what_was_live_stays_known_where_a_coupon_cannot_be_deleted(peer: Peer) -> None:
    peer.state.remove_plugin()
    ours = discounts(peer, inexact_coupons=True)
    before = known(ours.publish([terms("a"), terms("b")], {}))
    peer.state.fault("503", path_prefix="/wp-json/wc/v3/coupons/batch", times=1)

    published = ours.publish([terms("b", percent=2000)], before)

    assert refusals(published) == {"b": ("unreachable", True)}
    assert {offer.key: offer.handle for offer in published.left} == {
        key: offer.handle for key, offer in before.items()
    }
    assert known(ours.publish([terms("b", percent=2000)], before)).keys() == {"b"}
    assert [row.body["code"] for row in peer.state.records("coupon")] == ["pannier-b"]


def test_coupons_that_could_not_be_made_are_tried_again(peer: Peer) -> None:
    peer.state.remove_plugin()
    ours = discounts(peer, inexact_coupons=True)
    peer.state.fault("503", path_prefix="/wp-json/wc/v3/coupons/batch", times=1)

    assert refusals(ours.publish([terms("a")], {})) == {"a": ("unreachable", True)}
    assert known(ours.publish([terms("a")], {})).keys() == {"a"}


@pytest.mark.parametrize(
    ("outage", "error"),
    [("503", Unreachable), ("html", Unreachable), ("redirect", Rejected)],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_what_goes_wrong_is_raised_and_what_was_live_still_is(
    peer: Peer, outage: Any, error: type[Exception], method: str
) -> None:
    ours = discounts(peer)
    before = known(ours.publish([terms("a")], {}))
    peer.state.fault(outage, path_prefix="/wp-json/wc-pannier", times=10, method=method)

    with pytest.raises(error):
        ours.publish([terms("a", percent=2000)], before)

    assert in_cart(peer.state, "12", "13") == {"pannier-a": 200}
    peer.state.outages.clear()
    assert ours.granted(before) == {"a"}


def test_a_shop_that_is_not_there_is_unreachable(peer: Peer) -> None:
    ours = discounts(peer)
    with peered() as gone:
        nowhere = WooCommerceDiscounts(gone.client, "EUR", plugin_secret=lambda: SECRET)

    with pytest.raises(Unreachable):
        nowhere.publish([terms("a")], {})
    with pytest.raises(Unreachable):
        nowhere.granted({"a": LiveOffer("a", PLUGIN, "", handle="1")})
    assert ours.granted({}) == frozenset()
    assert peer.asked() == []


def test_dead_keys_need_a_reconnection(peer: Peer) -> None:
    peer.state.keys.delete(peer.key.id)

    with pytest.raises(ReconnectNeeded):
        discounts(peer).publish([terms("a")], {})


@pytest.mark.parametrize(
    "body",
    [[], {"version": 1}, {"version": "1", "configuration": "x", "keys": [], "currency": "EUR"}],
    ids=["a list", "a number", "fields missing"],
)
def test_a_plugin_that_answers_oddly_is_rejected(
    peer: Peer, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert peer.state.plugin is not None
    monkeypatch.setattr(peer.state.plugin, "status", lambda: body)

    with pytest.raises(Rejected, match="update it"):
        discounts(peer).publish([terms("a")], {})


def test_a_plugin_that_took_less_than_all_is_rejected(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = discounts(peer)
    put = ours._plugin.put_configuration
    monkeypatch.setattr(ours._plugin, "put_configuration", lambda *args: put(*args) - 1)

    with pytest.raises(Rejected, match="does not understand all offers"):
        ours.publish([terms("a")], {})
