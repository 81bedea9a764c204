"""No price breaks a guard, whatever is wanted."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pricing.guards import (
    CEILING,
    COOLING,
    ENDING,
    FLOOR,
    LEAST_STEP,
    MARGIN,
    STEP,
    WHOLE,
    Bounded,
    Ending,
    Guards,
    bounded,
    lowest_with_margin,
)

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
WIDE = Guards(step=5_000)


def bound(
    current: int, wanted: int, guards: Guards, cost: int | None = None, currency: str = "EUR"
) -> Bounded:
    return bounded(current, wanted, guards, cost, [], currency, NOW)


@pytest.mark.parametrize(
    ("text", "currency", "ending"),
    [
        pytest.param(".99", "EUR", Ending(100, 99), id="cents"),
        pytest.param("9.95", "EUR", Ending(1000, 995), id="the last digit before the point too"),
        pytest.param("9", "EUR", Ending(1000, 900), id="no decimals written"),
        pytest.param(".9", "EUR", Ending(100, 90), id="one decimal of two"),
        pytest.param("80", "JPY", Ending(100, 80), id="yen"),
        pytest.param("0", "JPY", Ending(10, 0), id="any ten yen"),
        pytest.param(".990", "BHD", Ending(1000, 990), id="three decimals"),
        pytest.param(".95", "BHD", Ending(1000, 950), id="two of three"),
    ],
)
def test_an_ending_is_read_in_the_decimals_of_its_currency(text: str, currency: str, ending: Ending) -> None:
    assert Ending.of(text, currency) == ending


@pytest.mark.parametrize(
    ("text", "currency", "reason"),
    [
        pytest.param(".99", "JPY", "Prices in JPY have 0 decimals.", id="yen have no decimals"),
        pytest.param(".999", "EUR", "Prices in EUR have 2 decimals.", id="too many"),
        pytest.param("", "EUR", "'' is not how a price ends, such as .99 or 80.", id="nothing"),
        pytest.param("9.", "EUR", "'9.' is not how a price ends, such as .99 or 80.", id="nothing follows"),
        pytest.param("-1", "EUR", "'-1' is not how a price ends, such as .99 or 80.", id="a sign"),
        pytest.param("٩", "JPY", "'٩' is not how a price ends, such as .99 or 80.", id="other digits"),
    ],
)
def test_what_no_price_ends_with_is_refused(text: str, currency: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace(".", r"\.")):
        Ending.of(text, currency)


@pytest.mark.parametrize(
    ("guards", "wanted", "cost", "expected"),
    [
        pytest.param(WIDE, 1100, None, Bounded(1100), id="nothing binds"),
        pytest.param(WIDE, 1000, None, Bounded(None), id="nothing is wanted"),
        pytest.param(Guards(step=500), 1500, None, Bounded(1050, (STEP,)), id="upwards by a step"),
        pytest.param(Guards(step=500), 500, None, Bounded(950, (STEP,)), id="downwards by a step"),
        pytest.param(Guards(step=5_000, floor=900), 700, None, Bounded(900, (FLOOR,)), id="floor"),
        pytest.param(Guards(step=5_000, ceiling=1200), 1400, None, Bounded(1200, (CEILING,)), id="ceiling"),
        pytest.param(Guards(step=5_000, margin=4_000), 700, 500, Bounded(834, (MARGIN,)), id="margin"),
        pytest.param(
            Guards(step=5_000, margin=4_000, tax=1_500), 700, 500, Bounded(959, (MARGIN,)), id="margin and tax"
        ),
        pytest.param(WIDE, 400, 700, Bounded(700, (MARGIN,)), id="never below the cost"),
        pytest.param(
            Guards(step=1_000, floor=900), 100, None, Bounded(900, (FLOOR, STEP)), id="two bind at once"
        ),
        pytest.param(
            Guards(step=1_000, floor=1_200), 1100, None, Bounded(None, (FLOOR, STEP)), id="floor out of reach"
        ),
        pytest.param(
            Guards(step=1_000, ceiling=800), 1100, None, Bounded(None, (STEP, CEILING)), id="ceiling too far below"
        ),
        pytest.param(
            Guards(step=5_000, floor=1_200), 1000, None, Bounded(1200, (FLOOR,)), id="what stands is below the floor"
        ),
        pytest.param(
            Guards(step=5_000, floor=900, ceiling=800), 850, None, Bounded(None, (FLOOR, CEILING)), id="none between"
        ),
        pytest.param(
            Guards(step=5_000, endings=(".99", ".49")), 1130, None, Bounded(1149, (ENDING,)), id="the nearest ending"
        ),
        pytest.param(
            Guards(step=5_000, ceiling=1190, endings=(".99",)),
            1190,
            None,
            Bounded(1099, (ENDING,)),
            id="an ending beyond the ceiling is none",
        ),
        pytest.param(
            Guards(step=500, endings=("9.99",)), 1040, None, Bounded(None, (ENDING,)), id="rounding would turn about"
        ),
        pytest.param(
            Guards(step=100, endings=("5.55",)), 1005, None, Bounded(None, (ENDING,)), id="no ending within reach"
        ),
        pytest.param(
            Guards(step=5_000, least_step=300), 1020, None, Bounded(None, (LEAST_STEP,)), id="not worth the unrest"
        ),
        pytest.param(Guards(step=WHOLE), 0, None, Bounded(1, (STEP,)), id="never a gift"),
        pytest.param(Guards(step=0), 1100, None, Bounded(None, (STEP,)), id="no step at all"),
    ],
)  # fmt: skip
def test_the_wanted_price_is_brought_within_the_guards(
    guards: Guards, wanted: int, cost: int | None, expected: Bounded
) -> None:
    assert bound(1000, wanted, guards, cost) == expected


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        pytest.param(timedelta(hours=23, minutes=59), Bounded(None, (COOLING,)), id="a minute too early"),
        pytest.param(timedelta(hours=24), Bounded(1100), id="just over"),
        pytest.param(timedelta(hours=-1), Bounded(None, (COOLING,)), id="a clock that is ahead"),
    ],
)
def test_a_price_stands_for_the_cooling_time(ago: timedelta, expected: Bounded) -> None:
    guards = Guards(step=5_000, cooling=timedelta(days=1))

    assert bounded(1000, 1100, guards, None, [NOW - timedelta(days=9), NOW - ago], "EUR", NOW) == expected


@pytest.mark.parametrize(
    ("currency", "endings", "current", "wanted", "price"),
    [
        pytest.param("JPY", ("80", "00"), 1980, 2130, 2100, id="no decimals"),
        pytest.param("EUR", (".99", ".95", ".00"), 1999, 2196, 2195, id="two"),
        pytest.param("BHD", (".990", ".500"), 12_500, 13_300, 13_500, id="three"),
    ],
)
def test_prices_end_as_the_merchant_wants_in_every_currency(
    currency: str, endings: tuple[str, ...], current: int, wanted: int, price: int
) -> None:
    guards = Guards(step=5_000, endings=endings)

    assert bound(current, wanted, guards, None, currency) == Bounded(price, (ENDING,))


def test_a_price_of_nothing_does_not_move() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        bound(0, 100, WIDE)


def keeps_margin(price: int, cost: int, margin: int, tax: int) -> bool:
    return price * (WHOLE - margin) >= cost * (WHOLE + tax)


def test_a_margin_of_everything_is_none() -> None:
    with pytest.raises(ValueError, match="margin"):
        lowest_with_margin(100, WHOLE, 0)


@given(st.integers(0, 10**9), st.integers(0, WHOLE - 1), st.integers(0, 3_000))
def test_the_lowest_price_with_the_margin_keeps_it_and_one_unit_less_does_not(
    cost: int, margin: int, tax: int
) -> None:
    lowest = lowest_with_margin(cost, margin, tax)

    assert keeps_margin(lowest, cost, margin, tax)
    assert not keeps_margin(lowest - 1, cost, margin, tax)


@st.composite
def any_guards(draw: st.DrawFn, currency: str) -> Guards:
    """Return guards as merchants write them, contradictions included."""
    price = st.none() | st.integers(1, 200_000)
    endings = {"JPY": ("80", "00", "8"), "EUR": (".99", ".95", ".00", "9"), "BHD": (".990", ".500", ".000")}
    return Guards(
        floor=draw(price),
        ceiling=draw(price),
        margin=draw(st.integers(0, 9_000)),
        tax=draw(st.integers(0, 2_500)),
        step=draw(st.integers(0, 5_000)),
        least_step=draw(st.integers(0, 500)),
        cooling=timedelta(hours=draw(st.integers(0, 72))),
        endings=tuple(draw(st.lists(st.sampled_from(endings[currency]), unique=True, max_size=3))),
    )


@given(
    st.data(),
    st.sampled_from(("JPY", "EUR", "BHD")),
    st.integers(1, 200_000),
    st.integers(0, 400_000),
    st.none() | st.integers(0, 100_000),
    st.lists(st.integers(0, 200), max_size=3),
)
def test_no_guard_is_ever_broken(
    data: st.DataObject, currency: str, current: int, wanted: int, cost: int | None, hours: list[int]
) -> None:
    guards = data.draw(any_guards(currency))

    found = bounded(
        current, wanted, guards, cost, [NOW - timedelta(hours=ago) for ago in hours], currency, NOW
    )

    price = found.price
    if price is None:
        return
    assert type(price) is int
    assert price > 0
    assert price != current
    assert guards.floor is None or price >= guards.floor
    assert guards.ceiling is None or price <= guards.ceiling
    assert cost is None or keeps_margin(price, cost, guards.margin, guards.tax)
    assert abs(price - current) * WHOLE <= guards.step * current
    assert abs(price - current) * WHOLE >= guards.least_step * current
    assert all(timedelta(hours=ago) >= guards.cooling for ago in hours)
    assert not guards.endings or any(
        price % ending.modulus == ending.remainder
        for ending in (Ending.of(text, currency) for text in guards.endings)
    )


@given(st.integers(1, 200_000), st.integers(1, 400_000), st.integers(0, 5_000))
def test_without_other_guards_the_price_comes_as_near_as_a_step_leads(
    current: int, wanted: int, step: int
) -> None:
    found = bound(current, wanted, Guards(step=step))

    nearest = min(max(wanted, current - current * step // WHOLE), current + current * step // WHOLE)
    assert found.price == (None if nearest == current else nearest)
