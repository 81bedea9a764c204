"""Signatures are those of Standard Webhooks, by its own published example."""

import base64

import pytest

from app.monitoring.signatures import headers, new_secret, signature

# The test vector of the standard's reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_example_comes_out() -> None:
    assert signature(SECRET, *MESSAGE) == SIGNATURE


def test_a_secret_is_taken_without_its_prefix() -> None:
    assert signature(SECRET.removeprefix("whsec_"), *MESSAGE) == SIGNATURE


def test_the_headers_are_the_standards_with_one_signature_for_each_secret() -> None:
    other = new_secret()

    assert headers([SECRET, other], *MESSAGE) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": f"{SIGNATURE} {signature(other, *MESSAGE)}",
    }


@pytest.mark.parametrize("place", [0, 1, 2], ids=["id", "timestamp", "body"])
def test_everything_that_is_sent_is_signed(place: int) -> None:
    changed = (("msg_other", 1614265331, b'{"test": 2432232315}')[place],)

    assert signature(SECRET, *(MESSAGE[:place] + changed + MESSAGE[place + 1 :])) != SIGNATURE


def test_new_secrets_are_256_bits_and_never_the_same() -> None:
    first, second = new_secret(), new_secret()

    assert first != second
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32


def test_a_secret_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="base64"):
        signature("whsec_***", *MESSAGE)
