"""What stock, demand, conversion, earlier prices and competitors say of a price."""

import math
from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pricing import signals
from app.pricing.signals import PRIOR_DEVIATION, PRIOR_ELASTICITY, PricePoint

# A fortnight's pattern of a product that sells more on Saturdays (day 5) and Sundays.
WEEK = (4, 4, 4, 4, 4, 12, 10)


def days(count: int, week: tuple[int, ...] = WEEK) -> list[float]:
    return [float(pieces) for pieces in islice(cycle(week), count)]


@pytest.mark.parametrize(
    ("stock", "pressure"),
    [
        pytest.param(14, 0.8602, id="hardly any left"),
        pytest.param(71, 0.2906, id="a little short"),
        pytest.param(200, 0.0, id="as wanted"),
        pytest.param(451, -0.502, id="half as much again"),
        pytest.param(5_000, -1.0, id="far too much"),
    ],
)
def test_stock_presses_where_it_lasts_too_short_or_too_long(stock: int, pressure: float) -> None:
    found = signals.stock_cover(stock, [10.0] * 56, 10, 30)

    assert found is not None
    assert found.pressure == pytest.approx(pressure, abs=1e-4)
    assert found.value == pytest.approx(stock / (10 + 0.5 / 56), abs=1e-4)


def test_a_product_that_never_sold_lasts_long_and_not_for_ever() -> None:
    found = signals.stock_cover(10, [0.0] * 50, 14, 90)

    assert found is not None
    assert (found.value, found.pressure) == (1000.0, -1.0)
    assert (
        found.sentence == "stock lasts more than 1000 days at the present demand (wanted are 14 to 90 days)"
    )


@pytest.mark.parametrize(
    ("stock", "known"), [pytest.param(0, 60, id="nothing to sell"), pytest.param(9, 13, id="too new")]
)
def test_stock_says_nothing(stock: int, known: int) -> None:
    assert signals.stock_cover(stock, [1.0] * known, 14, 90) is None


def test_demand_knows_the_week() -> None:
    found = signals.demand(days(84), 0)

    assert found.level == pytest.approx(6, abs=0.01)
    assert found.weekdays[5] > found.weekdays[6] > 1 > found.weekdays[0]
    assert sum(found.weekdays) == pytest.approx(7)


def test_one_large_order_is_no_demand() -> None:
    pieces = days(84)
    pieces[40] += 300

    assert signals.demand(pieces, 0).level == pytest.approx(6, abs=0.2)


def test_an_ordinary_week_presses_nothing() -> None:
    found = signals.demand_against_forecast(days(63), 0)

    assert found is not None
    assert found.pressure == 0
    assert found.value == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("recent", "least", "most"),
    [
        pytest.param([12, 12, 12, 12, 12, 20, 20], 0.5, 1.0, id="twice as much"),
        pytest.param([0, 1, 0, 1, 0, 2, 1], -1.0, -0.5, id="next to nothing"),
        pytest.param([4, 4, 4, 4, 4, 12, 310], 0.0, 0.0, id="one large order"),
    ],
)
def test_demand_presses_where_the_week_differs_from_its_forecast(
    recent: list[int], least: float, most: float
) -> None:
    found = signals.demand_against_forecast([*days(56), *map(float, recent)], 0)

    assert found is not None
    assert least <= found.pressure <= most


def test_a_weekend_at_the_end_is_expected() -> None:
    # The same days counted from another weekday on: the last seven hold every weekday once.
    pieces = days(70)[2:]

    found = signals.demand_against_forecast(pieces, 2)

    assert found is not None
    assert found.value == pytest.approx(1, abs=0.02)


def test_demand_says_nothing_of_what_is_new() -> None:
    assert signals.demand_against_forecast([5.0] * 34, 0) is None
    assert signals.demand_against_forecast([0.0] * 60, 0) is None


@pytest.mark.parametrize(
    ("views", "pieces", "pressure"),
    [
        pytest.param(1_000, 50, 0.0, id="as usual"),
        pytest.param(1_000, 15, -1.0, id="seldom"),
        pytest.param(1_000, 95, 0.5, id="often"),
        pytest.param(100, 9, 0.0, id="often, perhaps by chance"),
    ],
)
def test_conversion_presses_where_it_is_unusual(views: int, pieces: int, pressure: float) -> None:
    found = signals.conversion(views, pieces, 100_000, 5_000)

    assert found is not None
    assert found.pressure == pytest.approx(pressure, abs=0.1)
    assert (found.pressure == 0) is (pressure == 0)


def test_conversion_says_nothing_of_few_views() -> None:
    assert signals.conversion(99, 9, 100_000, 5_000) is None
    assert signals.conversion(1_000, 9, 0, 0) is None


def test_without_prices_of_its_own_the_response_is_what_is_known_of_others() -> None:
    assert signals.response([]) == signals.Response(PRIOR_ELASTICITY, PRIOR_DEVIATION)
    assert signals.response([PricePoint(1000, 50, 5_000.0)]).elasticity == PRIOR_ELASTICITY


@pytest.mark.parametrize("elasticity", [-0.5, -1.5, -4.0])
def test_a_planted_response_is_found(elasticity: float) -> None:
    points = [
        PricePoint(price, round(400 * (price / 1000) ** elasticity), 10_000.0)
        for price in (800, 900, 1000, 1100, 1250)
    ]

    found = signals.response(points)

    assert found.elasticity == pytest.approx(elasticity, abs=0.1)
    assert found.deviation < 0.2


def test_few_sales_hardly_move_what_is_known() -> None:
    found = signals.response([PricePoint(1000, 1, 100.0), PricePoint(1050, 2, 100.0)])

    assert found.elasticity == pytest.approx(PRIOR_ELASTICITY, abs=0.2)


def test_the_best_price_follows_from_cost_and_elasticity() -> None:
    assert signals.best_price(500, -2) == 1000
    assert signals.best_price(500, -1) == math.inf


@pytest.mark.parametrize(
    ("price", "cost", "pressure"),
    [
        pytest.param(1000, 300, -1.0, id="far above"),
        pytest.param(1000, 900, 1.0, id="far below"),
        pytest.param(1000, 661, 0.0, id="within what is likely"),
    ],
)
def test_the_price_is_pressed_towards_the_best_one(price: int, cost: int, pressure: float) -> None:
    points = [PricePoint(p, round(900 * (p / 1000) ** -3.0), 10_000.0) for p in (800, 1000, 1200)]

    found = signals.price_response(points, price, cost)

    assert found is not None
    assert found.pressure == pressure


@pytest.mark.parametrize(
    ("price", "end"), [pytest.param(1000, -1, id="up"), pytest.param(1150, 1, id="down")]
)
def test_the_nearer_end_of_what_is_likely_counts(price: int, end: int) -> None:
    points = [PricePoint(p, round(900 * (p / 1000) ** -3.0), 10_000.0) for p in (800, 1000, 1200)]
    known = signals.response(points)
    nearer = signals.best_price(700, known.elasticity + end * known.deviation)

    found = signals.price_response(points, price, 700)

    assert found is not None
    assert abs(found.pressure) < 0.5
    assert found.pressure == pytest.approx(math.log(nearer / price) / math.log(1.25), abs=1e-4)
    assert math.copysign(1, found.pressure) == -end


def test_the_response_needs_a_cost_and_prices_of_its_own() -> None:
    points = [PricePoint(p, round(900 * (p / 1000) ** -3.0), 10_000.0) for p in (800, 1000, 1200)]

    assert signals.price_response(points, 1000, None) is None
    assert signals.price_response(points[:1], 1000, 500) is None


@pytest.mark.parametrize(
    ("others", "to", "position", "pressure"),
    [
        pytest.param([1000, 1005, 1020], signals.MEDIAN, 0, 0.0, id="level"),
        pytest.param([950, 900, 2000], signals.MEDIAN, 0, -0.5382, id="above the middle one"),
        pytest.param([950, 900, 2000], signals.LOWEST, 0, -1.0, id="above the lowest"),
        pytest.param([1100], signals.MEDIAN, 0, 1.0, id="below"),
        pytest.param([1000], signals.MEDIAN, -500, -0.5382, id="wanted five per cent below"),
    ],
)
def test_competitors_press_towards_the_wanted_place(
    others: list[int], to: str, position: int, pressure: float
) -> None:
    found = signals.competitor(1000, others, to, position)

    assert found is not None
    assert found.pressure == pytest.approx(pressure, abs=1e-3)


def test_without_competitors_there_is_no_signal() -> None:
    assert signals.competitor(1000, []) is None


@given(
    st.lists(st.integers(0, 400).map(float), min_size=1, max_size=100),
    st.integers(0, 6),
    st.integers(0, 10_000),
    st.lists(
        st.builds(PricePoint, st.integers(1, 9_999), st.integers(0, 999), st.floats(1, 1e6)), max_size=6
    ),
)
def test_whatever_is_measured_pressure_stays_between_minus_one_and_one(
    pieces: list[float], weekday: int, stock: int, points: list[PricePoint]
) -> None:
    found = [
        signals.stock_cover(stock, pieces, 14, 90),
        signals.demand_against_forecast(pieces, weekday),
        signals.conversion(stock, int(pieces[0]), 9_000, 100),
        signals.price_response(points, 1000, 500, 1_500),
        signals.competitor(1000, [point.price for point in points]),
    ]

    assert all(-1 <= each.pressure <= 1 and math.isfinite(each.value) for each in found if each is not None)
