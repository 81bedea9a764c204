"""Money in minor units: exact, and rounded as on an invoice."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import exponent, to_major, to_minor

LIMIT = 2**63 - 1
CURRENCIES = st.sampled_from(["EUR", "USD", "JPY", "KRW", "KWD", "TND", "XXX"])
MINOR = st.integers(-LIMIT, LIMIT)


@pytest.mark.parametrize(
    ("currency", "digits"),
    [
        ("EUR", 2),
        ("eur", 2),
        ("JPY", 0),
        ("jpy", 0),
        ("CLP", 0),
        ("KWD", 3),
        ("BHD", 3),
        ("HUF", 2),
        ("XXX", 2),
    ],
)
def test_exponent(currency, digits):
    assert exponent(currency) == digits


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("19.90", "EUR", 1990),
        ("1990", "JPY", 1990),
        ("1.990", "KWD", 1990),
        ("0.005", "EUR", 1),
        ("-0.005", "EUR", -1),
        ("1.005", "EUR", 101),
        (1.005, "EUR", 101),
        (16.722689, "EUR", 1672),
        ("2.5", "JPY", 3),
        ("3.5", "JPY", 4),
        (7, "EUR", 700),
        (Decimal("0.1") + Decimal("0.2"), "EUR", 30),
        ("-0", "EUR", 0),
        ("1e3", "EUR", 100_000),
        ("92233720368547758.07", "EUR", LIMIT),
    ],
)
def test_amount_in_minor_units(amount, currency, minor):
    assert to_minor(amount, currency) == minor


@pytest.mark.parametrize(
    "amount",
    ["", "abc", "1,50", "NaN", "sNaN", "Infinity", "-Infinity", True, None, "1e400", "1" * 400, float("inf")],
)
def test_what_is_no_amount_is_refused(amount):
    with pytest.raises(ValueError, match="amount of money"):
        to_minor(amount, "EUR")


@pytest.mark.parametrize("amount", ["92233720368547758.08", "-92233720368547758.08", Decimal(10**20)])
def test_amount_beyond_63_bits_is_refused(amount):
    with pytest.raises(ValueError, match="out of range"):
        to_minor(amount, "EUR")


@pytest.mark.parametrize(
    ("minor", "currency", "major"),
    [
        (1990, "EUR", "19.90"),
        (1990, "JPY", "1990"),
        (1990, "KWD", "1.990"),
        (5, "EUR", "0.05"),
        (-5, "EUR", "-0.05"),
        (0, "EUR", "0.00"),
    ],
)
def test_amount_in_major_units(minor, currency, major):
    assert to_major(minor, currency) == major


@given(minor=MINOR, currency=CURRENCIES)
def test_minor_units_survive_the_way_to_major_ones_and_back(minor, currency):
    assert to_minor(to_major(minor, currency), currency) == minor


@given(
    units=st.integers(-(10**15), 10**15),
    places=st.integers(0, 9),
    currency=CURRENCIES,
)
def test_rounding_is_half_away_from_zero_and_symmetric(units, places, currency):
    # given an amount with more digits than the currency has
    amount = Decimal(units).scaleb(-places)

    minor = to_minor(str(amount), currency)

    assert minor == int((amount * 10 ** exponent(currency)).to_integral_value(ROUND_HALF_UP))
    assert to_minor(str(-amount), currency) == -minor
    assert abs(Decimal(minor).scaleb(-exponent(currency)) - amount) <= Decimal(5).scaleb(
        -exponent(currency) - 1
    )


@given(amounts=st.lists(st.integers(-(10**9), 10**9), max_size=50), currency=CURRENCIES)
def test_sums_are_exact(amounts, currency):
    majors = [to_major(amount, currency) for amount in amounts]

    assert sum(to_minor(major, currency) for major in majors) == sum(amounts)
    assert to_minor(sum((Decimal(major) for major in majors), Decimal()), currency) == sum(amounts)


@given(first=MINOR, second=MINOR, currency=CURRENCIES)
def test_order_is_kept(first, second, currency):
    lower, higher = sorted((first, second))

    assert Decimal(to_major(lower, currency)) <= Decimal(to_major(higher, currency))
