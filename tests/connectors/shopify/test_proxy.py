"""The app proxy's signature. The known ones are those of Shopify's documentation."""

import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.shopify.proxy import ProxyCall, proxied

SECRETS = [b"hush"]
DOCUMENTED = (
    "extra=1&extra=2&shop=shop-name.myshopify.com&logged_in_customer_id=1"
    "&path_prefix=%2Fapps%2Fawesome_reviews&timestamp=1317327555"
    "&signature=4c68c8624d737112c91818c11017d24d334b524cb5c2b8ba08daa056f7395ddb"
)
SENT = datetime.fromtimestamp(1317327555, UTC)
CALL = ProxyCall("shop-name.myshopify.com", "1", "/apps/awesome_reviews", SENT)


def signed(*pairs: tuple[str, str], secret: bytes = b"hush") -> str:
    """Return a query as Shopify would send it."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    message = "".join(sorted(f"{name}={','.join(found)}" for name, found in values.items()))
    signature = hmac.digest(secret, message.encode("utf-8", "surrogateescape"), "sha256").hex()
    return urlencode([*pairs, ("signature", signature)], errors="surrogateescape")


def parameters(**changes: str | None) -> list[tuple[str, str]]:
    usual: dict[str, str | None] = {
        "shop": "shop-name.myshopify.com",
        "logged_in_customer_id": "1",
        "path_prefix": "/apps/awesome_reviews",
        "timestamp": "1317327555",
    }
    return [(name, value) for name, value in (usual | changes).items() if value is not None]


@pytest.mark.parametrize("query", [DOCUMENTED, DOCUMENTED.encode()], ids=["text", "bytes"])
def test_documented_call_is_known(query):
    assert proxied(query, SECRETS, SENT) == CALL


def test_documented_call_without_a_customer_is_a_visitor():
    query = (
        "extra=1&extra=2&shop=shop-name.myshopify.com&logged_in_customer_id="
        "&path_prefix=%2Fapps%2Fawesome_reviews&timestamp=1317327555"
        "&signature=e072b6d7e6622d85912a5214b860d3100dc1e73d9bc29f43796ac8c9ff8093cb"
    )

    assert proxied(query, SECRETS, SENT) == ProxyCall(CALL.shop, None, CALL.path_prefix, SENT)


@pytest.mark.parametrize(
    ("secrets", "known"),
    [([b"new", b"hush"], True), ([b"hush", b"old"], True), ([b"new"], False), ([], False), ([b""], False)],
    ids=["previous", "current", "another", "none", "empty"],
)
def test_any_configured_secret_counts(secrets, known):
    assert (proxied(DOCUMENTED, secrets, SENT) is not None) is known


def test_empty_secret_signs_nothing():
    assert proxied(signed(*parameters(), secret=b""), [b""], SENT) is None


@pytest.mark.parametrize(("off_s", "known"), [(-91, False), (-90, True), (90, True), (91, False)], ids=str)
def test_time_may_differ_by_ninety_seconds(off_s, known):
    assert (proxied(DOCUMENTED, SECRETS, SENT + timedelta(seconds=off_s)) is not None) is known


@pytest.mark.parametrize("name", ["shop", "logged_in_customer_id", "path_prefix", "timestamp"])
def test_parameter_of_shopifys_own_that_comes_twice_is_refused_although_signed(name):
    query = signed(*parameters(), (name, dict(parameters())[name]))

    assert proxied(query, SECRETS, SENT) is None


def test_second_signature_is_refused():
    assert proxied(f"{DOCUMENTED}&signature={'0' * 64}", SECRETS, SENT) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"shop": "evil.example"},
        {"shop": "Shop-Name.myshopify.com"},
        {"shop": None},
        {"path_prefix": ""},
        {"path_prefix": None},
        {"timestamp": None},
        {"timestamp": "1317327555.0"},
        {"timestamp": "١٣١٧٣٢٧٥٥٥"},
        {"logged_in_customer_id": "1 OR 1=1"},
        {"logged_in_customer_id": "1" * 21},
    ],
    ids=repr,
)
def test_signed_nonsense_is_refused(changes):
    assert proxied(signed(*parameters(**changes)), SECRETS, SENT) is None


@pytest.mark.parametrize(
    "query",
    [
        "",
        "signature=",
        "%",
        DOCUMENTED.replace("extra=2", "extra=3"),
        DOCUMENTED.replace("shop-name", "shop-nam"),
        DOCUMENTED[:-1],
        DOCUMENTED.replace("4c68c8", "4C68C8"),
        DOCUMENTED.partition("&signature")[0] + "&signature=" + "ä" * 64,
        DOCUMENTED.partition("&signature")[0],
        DOCUMENTED + "&x=" + "y" * 9000,
        DOCUMENTED + "&x=1" * 200,
        "\ud800&" + DOCUMENTED,
        b"\xff\xfe=1&" + DOCUMENTED.encode(),
    ],
    ids=[
        "empty", "no-value", "percent", "value", "shop", "short", "upper-case", "umlauts", "unsigned",
        "long", "many", "surrogate", "bytes",
    ],
)  # fmt: skip
def test_unsigned_query_is_refused_without_an_exception(query):
    assert proxied(query, SECRETS, SENT) is None


@pytest.mark.parametrize("value", ["Käse & Brot=1", "", "a,b", "%", "\udcff", "日本"])
def test_own_parameter_of_any_text_is_covered(value):
    query = signed(*parameters(), ("q", value))

    assert proxied(query, SECRETS, SENT) == CALL
    assert proxied(query.replace("q=", "q=x", 1), SECRETS, SENT) is None


@given(st.one_of(st.text(), st.binary()))
def test_no_query_raises_and_none_is_believed(query):
    assert proxied(query, SECRETS, SENT) is None


@given(value=st.text(st.characters(exclude_categories=["Cs"]), max_size=50), flip=st.integers(0, 255))
def test_every_signature_but_the_right_one_is_refused(value, flip):
    # given
    query = signed(*parameters(), ("q", value))
    head, _, signature = query.rpartition("signature=")
    other = f"{int(signature, 16) ^ (1 << flip):064x}"

    # then
    assert proxied(query, SECRETS, SENT) == CALL
    assert proxied(f"{head}signature={quote(other)}", SECRETS, SENT) is None
