"""Exact rates against power series in fifty digits, and what must be refused."""

from functools import lru_cache

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from sgdnotes import estimate
from sgdnotes.chain import chain_escape_rate
from sgdnotes.dynamics import Langevin
from sgdnotes.escape import (
    escape_rate,
    kramers_rate,
    mean_first_passage_time,
    two_temperature_rate,
)
from sgdnotes.losses import Loss
from sgdnotes.simulate import simulate

x = sp.Symbol("x", real=True)
# name: loss, bottom, top, finish, wall, depth
WELLS = {
    "quartic": (x**4 / 4 - x**2 / 2, -1, 0, sp.Rational(1, 2), sp.Rational(-11, 4), 0.25),
    "cubic": (x**2 / 2 - x**3 / 3, 0, 1, sp.Rational(3, 2), sp.Rational(-9, 4), 1 / 6),
}
RATIOS = (3, 5, 8, 20)


def series(expr, T, start, stops, rate, source):
    """u at the stops, where T u'' − L' u' + rate·u = −source and u(start) = u0, u' = 0.

    The Taylor coefficients of u about a point follow from each other; the
    steps are short and the digits many. u0 is 1 for a mode and 0 for a time.
    """
    # L' about a point is Σ p_j (x − point)^j: each p_j is a polynomial there.
    shifts = [
        [mp.mpf(int(c.p)) / int(c.q) for c in sp.Poly(expr.diff(x, j + 1), x).all_coeffs()]
        for j in range(sp.degree(expr, x))
    ]
    values, at = [], _mpf(start)
    u, du = mp.mpf(0 if source else 1), mp.mpf(0)
    for stop in map(_mpf, stops):
        count = int(mp.ceil((stop - at) / min(mp.mpf("0.02"), T / 2)))
        step = (stop - at) / count
        for _ in range(count):
            p = [mp.polyval(c, at) / mp.factorial(j) for j, c in enumerate(shifts)]
            c = [u, du]
            for n in range(32):
                pull = sum(p[j] * (n + 1 - j) * c[n + 1 - j] for j in range(min(len(p), n + 1)))
                known = pull - rate * c[n] - (source if n == 0 else 0)
                c.append(known / (T * (n + 2) * (n + 1)))
            u = mp.polyval(c[::-1], step)
            du = mp.polyval([k * a for k, a in enumerate(c)][:0:-1], step)
            at += step
        values.append(u)
    return values


def _mpf(number):
    number = sp.Rational(number)
    return mp.mpf(int(number.p)) / int(number.q)


def _temperature(name, ratio):
    return _mpf(sp.Rational({"quartic": 4, "cubic": 6}[name] * ratio) ** -1)


def precise(function):
    @lru_cache
    def wrapped(*arguments):
        with mp.workdps(50):
            return float(function(*arguments))

    return wrapped


@precise
def precise_time(name, ratio):
    expr, bottom, _, finish, wall, _ = WELLS[name]
    T = _temperature(name, ratio)
    at_bottom, at_finish = series(expr, T, wall, (bottom, finish), 0, 1)
    return at_bottom - at_finish


@precise
def precise_rate(name, ratio):
    expr, _, _, finish, wall, _ = WELLS[name]

    def left_over(rate):
        return series(expr, _temperature(name, ratio), wall, (finish,), rate, 0)[0]

    # The leftover is nearly straight in the rate: three secants give 1e-9.
    low = 1 / mp.mpf(precise_time(name, ratio))
    high, was = low * mp.mpf("1.01"), left_over(low)
    for _ in range(3):
        now = left_over(high)
        low, high, was = high, high - now * (high - low) / (now - was), now
    return high


@pytest.mark.parametrize("name", WELLS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_the_mean_time_agrees_with_fifty_digits(name, ratio):
    expr, bottom, _, finish, _, depth = WELLS[name]
    time = mean_first_passage_time(Loss(expr, x), bottom, float(finish), depth / ratio)
    assert time == pytest.approx(precise_time(name, ratio), rel=1e-6)


@pytest.mark.parametrize("name", WELLS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_the_rate_agrees_with_fifty_digits(name, ratio):
    expr, _, _, finish, _, depth = WELLS[name]
    rate = escape_rate(Loss(expr, x), float(finish), depth / ratio)
    assert rate == pytest.approx(precise_rate(name, ratio), rel=1e-6)


@pytest.mark.parametrize("name", WELLS)
def test_kramers_is_approached_in_proportion_to_the_temperature(name):
    expr, bottom, top, _, _, depth = WELLS[name]
    loss, beyond = Loss(expr, x), {"quartic": 1.0, "cubic": 2.0}[name]
    off = [
        kramers_rate(loss, bottom, top, depth / r) / escape_rate(loss, beyond, depth / r) - 1
        for r in (40, 80)
    ]
    assert off[0] / off[1] == pytest.approx(2.0, rel=0.05)


def test_a_mirror_changes_neither_time_nor_rate():
    loss, mirrored = (Loss(WELLS["cubic"][0].subs(x, s * x), x) for s in (1, -1))
    assert mean_first_passage_time(mirrored, 0.0, -1.5, 0.05) == pytest.approx(
        mean_first_passage_time(loss, 0.0, 1.5, 0.05), rel=1e-9
    )
    assert escape_rate(mirrored, -1.5, 0.05) == pytest.approx(
        escape_rate(loss, 1.5, 0.05), rel=1e-9
    )


def test_equal_temperatures_give_kramers_back_in_every_calculus():
    loss = Loss(WELLS["quartic"][0], x)
    for calculus in ("ito", "stratonovich", "anti-ito"):
        rate = two_temperature_rate(loss, -1.0, -0.5, 0.0, 0.05, 0.05, calculus)
        assert rate == pytest.approx(kramers_rate(loss, -1.0, 0.0, 0.05))


def test_the_calculus_enters_as_a_power_of_the_ratio_of_temperatures():
    loss = Loss(WELLS["quartic"][0], x)
    ito, middle, anti = (
        two_temperature_rate(loss, -1.0, -0.5, 0.0, 0.05, 0.02, c)
        for c in ("ito", "stratonovich", "anti-ito")
    )
    assert middle / ito == pytest.approx((0.02 / 0.05) ** 0.5)
    assert anti / ito == pytest.approx(0.02 / 0.05)


def test_the_chain_tends_to_the_rate_in_proportion_to_the_root_of_the_step_or_faster():
    loss, T = Loss(WELLS["quartic"][0], x), 0.05
    exact = escape_rate(loss, 1.0, T)
    off = [chain_escape_rate(loss, 1.0, -2.5, dt, 2 * T / dt) / exact - 1 for dt in (0.02, 0.005)]
    assert abs(off[1]) < abs(off[0]) / 2
    assert abs(off[1]) < 0.01


def test_simulated_escapes_have_the_rate_of_the_chain():
    loss, T, dt = Loss(WELLS["quartic"][0], x), 0.08, 0.02
    settled = simulate(
        Langevin(T, dt), loss, start=-1.0, chains=8000, steps=1000, rng=1,
        absorb=lambda at: at >= 1.0,
    )  # fmt: skip
    rate = estimate.event_rate(settled.exit_step, settled.steps, dt, 250)
    assert abs(rate.z(chain_escape_rate(loss, 1.0, -2.5, dt, 2 * T / dt))) < 4


def test_when_nothing_escaped_the_answer_is_a_bound_with_its_confidence():
    nobody = np.full(1000, -1)
    bound = estimate.event_rate(nobody, 500, 0.01, 0)
    assert isinstance(bound, estimate.UpperBound)
    assert 0 < bound.confidence < 1
    # No event in a time τ at the rate v has the probability e^(−vτ).
    assert np.exp(-bound.value * 1000 * 500 * 0.01) == pytest.approx(1 - bound.confidence)


QUARTIC = Loss(WELLS["quartic"][0], x)
REFUSED = {
    "minimum": lambda: kramers_rate(QUARTIC, -0.3, 0.0, 0.1),
    "barrier": lambda: kramers_rate(QUARTIC, -1.0, 0.3, 0.1),
    "temperature": lambda: kramers_rate(QUARTIC, -1.0, 0.0, 0.0),
    "split": lambda: two_temperature_rate(QUARTIC, -1.0, 0.5, 0.0, 0.1, 0.1),
    "temperature_minimum": lambda: two_temperature_rate(QUARTIC, -1.0, -0.5, 0.0, -1.0, 0.1),
    "temperature_barrier": lambda: two_temperature_rate(QUARTIC, -1.0, -0.5, 0.0, 0.1, np.nan),
    "calculus": lambda: two_temperature_rate(QUARTIC, -1.0, -0.5, 0.0, 0.1, 0.1, "euler"),
    "absorb": lambda: mean_first_passage_time(QUARTIC, -1.0, -0.5, 0.1),
    "loss": lambda: mean_first_passage_time(Loss(-(x**2), x), -1.0, 1.0, 0.1),
    "wall": lambda: chain_escape_rate(QUARTIC, 1.0, 1.0, 0.02, 1.0),
    "variance": lambda: chain_escape_rate(QUARTIC, 1.0, -2.5, 0.02, -1.0),
    "learning_rate": lambda: chain_escape_rate(QUARTIC, 1.0, -2.5, 0.0, 1.0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_escape_is_refused_by_name(name):
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        REFUSED[name]()
