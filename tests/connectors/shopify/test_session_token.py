"""Session tokens, genuine and forged."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from connectors.shopify.session_token import InvalidSessionToken, SessionToken, verify

CLIENT_ID = "3f1c8a9e5b7d4260a1c3e5f708192a3b"
SECRET = b"shpss_0123456789abcdef0123456789abcdef"
OLD_SECRET = b"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"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SHOP = "pannier-test.myshopify.com"
SECONDS = int(NOW.timestamp())
CLAIMS: dict[str, Any] = {
    "iss": f"https://{SHOP}/admin",
    "dest": f"https://{SHOP}",
    "aud": CLIENT_ID,
    "sub": "42",
    "exp": SECONDS + 55,
    "nbf": SECONDS - 5,
    "iat": SECONDS - 5,
    "jti": "f8912129-1af6-4cad-9ca3-76b0f7621087",
    "sid": "aaea182f2732d44c23057c0fea584021a4485b2bd25d3eb7fd349313ad24c685",
}


def token(secret: bytes = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    """Return a token with these claims changed; one that is None is left out."""
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    # The library refuses to issue some of the nonsense that it must refuse to read.
    signer = jwt.PyJWS()
    return signer.encode(json.dumps(claims).encode(), secret, algorithm=algorithm)


def refused(candidate: str, *secrets: bytes, now: datetime = NOW) -> str:
    """Return why ``candidate`` is refused."""
    with pytest.raises(InvalidSessionToken) as caught:
        verify(candidate, CLIENT_ID, secrets or [SECRET], now)
    return str(caught.value)


def test_genuine_token_tells_shop_and_user():
    assert verify(token(), CLIENT_ID, [SECRET], NOW) == SessionToken(
        shop=SHOP, user_id="42", jti=CLAIMS["jti"], expires_at=NOW + timedelta(seconds=55)
    )


@pytest.mark.parametrize("secrets", [[SECRET, OLD_SECRET], [OLD_SECRET, SECRET], [b"", SECRET]])
def test_either_secret_counts_during_a_rotation(secrets):
    assert verify(token(), CLIENT_ID, secrets, NOW).shop == SHOP


@pytest.mark.parametrize("secrets", [[OLD_SECRET], []], ids=["another", "none"])
def test_token_of_another_key_is_refused(secrets):
    with pytest.raises(InvalidSessionToken, match=r"^The token's signature is not Shopify's\.$"):
        verify(token(), CLIENT_ID, secrets, NOW)


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_token_signed_with_nothing_is_refused_where_no_secret_is_set():
    assert refused(forged_with_empty_key(), b"") == "The token's signature is not Shopify's."


def forged_with_empty_key() -> str:
    import hmac

    head = encoded({"alg": "HS256", "typ": "JWT"}) + "." + encoded(CLAIMS)
    return f"{head}.{unpadded(hmac.digest(b'', head.encode(), 'sha256'))}"


def unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def encoded(part: Any) -> str:
    return unpadded(json.dumps(part).encode())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "another-app"}, "The token is meant for another app."),
        ({"aud": [CLIENT_ID]}, "The token's aud is missing or no text."),
        ({"aud": None}, "The token's aud is missing or no text."),
        ({"dest": "https://evil.example"}, "The token's destination is no shop."),
        ({"dest": f"http://{SHOP}"}, "The token's destination is no shop."),
        ({"dest": SHOP}, "The token's destination is no shop."),
        ({"dest": f"https://{SHOP}/"}, "The token's destination is no shop."),
        ({"dest": f"https://{SHOP}:443"}, "The token's destination is no shop."),
        ({"dest": f"https://user@{SHOP}"}, "The token's destination is no shop."),
        ({"dest": f"https://{SHOP}.evil.example"}, "The token's destination is no shop."),
        ({"dest": f"https://{SHOP}\n"}, "The token's destination is no shop."),
        ({"dest": "https://\u212aelvin.myshopify.com"}, "The token's destination is no shop."),
        ({"dest": "https://Pannier-Test.myshopify.com"}, "The token's destination is no shop."),
        ({"dest": None}, "The token's dest is missing or no text."),
        ({"dest": 7}, "The token's dest is missing or no text."),
        (
            {"iss": "https://other.myshopify.com/admin"},
            "The token's issuer is not the shop it is meant for.",
        ),
        ({"iss": f"http://{SHOP}/admin"}, "The token's issuer is not the shop it is meant for."),
        ({"iss": f"https://{SHOP}@evil.example/"}, "The token's issuer is not the shop it is meant for."),
        ({"iss": "https://[/admin"}, "The token's issuer is no address."),
        ({"iss": None}, "The token's iss is missing or no text."),
        ({"sub": 42}, "The token's sub is missing or no text."),
        ({"sub": None}, "The token's sub is missing or no text."),
        ({"jti": {"a": 1}}, "The token's jti is missing or no text."),
        ({"jti": ""}, "The token's jti is missing or no text."),
        ({"exp": None}, "The token's exp is missing or no time."),
        ({"exp": "9999999999"}, "The token's exp is missing or no time."),
        ({"exp": True}, "The token's exp is missing or no time."),
        ({"exp": 1e300}, "The token's exp is missing or no time."),
        ({"exp": 1 << 60}, "The token's exp is missing or no time."),
        ({"nbf": None}, "The token's nbf is missing or no time."),
        ({"nbf": [1]}, "The token's nbf is missing or no time."),
        ({"iat": None}, "The token's iat is missing or no time."),
        ({"iat": -1}, "The token's iat is missing or no time."),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else "",
)
def test_signed_token_with_wrong_claims_is_refused(changes, reason):
    assert refused(token(**changes)) == reason


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({"exp": SECONDS - 9}, True),
        ({"exp": SECONDS - 10}, False),
        ({"nbf": SECONDS + 10}, True),
        ({"nbf": SECONDS + 11}, False),
        ({"iat": SECONDS + 10}, True),
        ({"iat": SECONDS + 11}, False),
    ],
    ids=repr,
)
def test_clocks_may_differ_by_ten_seconds(changes, valid):
    if valid:
        assert verify(token(**changes), CLIENT_ID, [SECRET], NOW).shop == SHOP
    else:
        assert refused(token(**changes)) in {"The token has expired.", "The token is not valid yet."}


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE"])
def test_unsigned_token_is_refused(algorithm):
    head = encoded({"alg": algorithm, "typ": "JWT"}) + "." + encoded(CLAIMS)

    assert refused(f"{head}.") == "The token has no usable form."


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_token_of_another_algorithm_is_refused_although_the_key_is_right(algorithm):
    assert refused(token(algorithm=algorithm)) == "The token has no usable form."


def test_token_that_names_a_public_key_algorithm_is_refused():
    # given a key pair whose public half somebody might have configured as the secret
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = jwt.encode(CLAIMS, key, algorithm="RS256")

    # then neither the genuine RS256 token nor one HMAC-signed with the public half passes
    assert refused(signed) == "The token has no usable form."
    assert refused(signed, public) == "The token has no usable form."


@pytest.mark.parametrize(
    "candidate",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "ä.ö.ü",
        "\ud800",
        "A" * 1_000_000,
        encoded([]) + "." + encoded({}) + "." + "AAAA",
        encoded({"alg": "HS256"}) + "." + encoded([1]) + ".AAAA",
        encoded({"alg": "HS256", "crit": ["x"]}) + "." + encoded(CLAIMS) + ".AAAA",
        encoded({"alg": ["HS256"]}) + "." + encoded(CLAIMS) + ".AAAA",
    ],
    ids=[
        "empty", "dot", "dots", "short", "umlauts", "surrogate", "long", "list-head", "list-body", "crit",
        "list-alg",
    ],
)  # fmt: skip
def test_garbage_is_refused(candidate):
    assert refused(candidate).startswith("The token")


def test_signed_list_is_refused():
    signed = jwt.PyJWS().encode(b"[1]", SECRET, algorithm="HS256")

    assert refused(signed) == "The token has no usable form."


def test_reason_holds_no_part_of_the_token():
    reason = refused(token(dest="https://secret-word.example"))

    assert "secret-word" not in reason


@given(st.text(max_size=200))
def test_no_text_raises_anything_else(candidate):
    refused(candidate)


@given(position=st.integers(0), letter=st.sampled_from("ABCxyz019-_."))
def test_changing_any_letter_breaks_the_token(position, letter):
    # given
    genuine = token()
    at = position % (len(genuine) - 1)  # the last letter carries bits that mean nothing

    # when
    changed = genuine[:at] + letter + genuine[at + 1 :]

    # then
    if changed != genuine:
        refused(changed)
