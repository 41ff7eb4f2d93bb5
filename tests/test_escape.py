"""Exact rates against power series in fifty digits, and what must be refused."""

import re
from functools import lru_cache

import matplotlib.pyplot as plt
import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import cumulative_trapezoid
from scipy.stats import norm

from sgdnotes import figures
from sgdnotes.experiment import (
    SGD,
    Estimate,
    Langevin,
    StateDependent,
    UpperBound,
    estimate,
    simulate,
)
from sgdnotes.experiment.estimate import event_rate
from sgdnotes.losses import Loss
from sgdnotes.theory import (
    Unconfined,
    chain_escape_rate,
    escape_rate,
    kramers_rate,
    mean_first_passage_time,
    two_temperature_rate,
)

x, y = sp.symbols("x y", real=True)
# name: loss, bottom, top, finish, wall, depth
WELLS = {
    "quartic": (x**4 / 4 - x**2 / 2, -1, 0, sp.Rational(1, 2), sp.Rational(-11, 4), 0.25),
    "cubic": (x**2 / 2 - x**3 / 3, 0, 1, sp.Rational(3, 2), sp.Rational(-9, 4), 1 / 6),
}
RATIOS = (3, 5, 8, 20)
QUARTIC, CUBIC = (Loss(WELLS[name][0], x) for name in ("quartic", "cubic"))
BOWL = Loss(x**2 / 2, x)


def refused(name, *shown):
    """Expect a ValueError that names the argument and shows the values."""
    parts = [rf"(?s)\b(?:{name})\b", *(re.escape(str(s)) for s in shown)]
    return pytest.raises(ValueError, match=".*".join(parts))


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


# Properties that hold exactly.


@pytest.mark.parametrize("ratio", RATIOS)
def test_times_add_up_on_the_way(ratio):
    temperature = 0.25 / ratio
    whole = mean_first_passage_time(QUARTIC, -1, 1, temperature)
    parts = [mean_first_passage_time(QUARTIC, *leg, temperature) for leg in ((-1, 0), (0, 1))]
    assert whole == pytest.approx(sum(parts), rel=1e-12)


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_mirrored_well_is_left_at_the_same_rate(ratio):
    mirrored, temperature = Loss(CUBIC.expr.subs(x, -x), x), 1 / 6 / ratio
    assert mean_first_passage_time(mirrored, 0, -2, temperature) == pytest.approx(
        mean_first_passage_time(CUBIC, 0, 2, temperature), rel=1e-12
    )
    assert escape_rate(mirrored, -2, temperature) == pytest.approx(
        escape_rate(CUBIC, 2, temperature), rel=1e-10
    )


@pytest.mark.parametrize("size", [1e-5, 1e4])
def test_a_stretched_well_is_left_more_slowly_by_the_square(size):
    wide = Loss(QUARTIC.expr.subs(x, x / size), x)
    assert escape_rate(wide, size, 0.05) * size**2 == pytest.approx(
        escape_rate(QUARTIC, 1, 0.05), rel=1e-9
    )
    assert mean_first_passage_time(wide, -size, size, 0.05) / size**2 == pytest.approx(
        mean_first_passage_time(QUARTIC, -1, 1, 0.05), rel=1e-9
    )


def test_a_raised_loss_is_left_at_the_same_rate():
    raised = Loss(QUARTIC.expr + 1000, x)
    assert escape_rate(raised, 1, 0.05) == pytest.approx(escape_rate(QUARTIC, 1, 0.05), rel=1e-8)
    assert kramers_rate(raised, -1, 0, 0.05) == pytest.approx(kramers_rate(QUARTIC, -1, 0, 0.05))


def test_the_rate_and_the_time_become_inverse_to_each_other():
    delays = [
        escape_rate(QUARTIC, 1, 0.25 / ratio)
        * mean_first_passage_time(QUARTIC, -1, 1, 0.25 / ratio)
        for ratio in (2, 5, 10, 20)
    ]
    assert delays[0] > 1.05
    assert np.all(np.diff(delays) < 0)
    assert delays[-1] == pytest.approx(1, abs=1e-8)


def test_a_finish_line_on_the_top_doubles_the_rate():
    pair = [escape_rate(QUARTIC, at, 0.25 / 30) for at in (0, 1)]
    assert pair[0] / pair[1] == pytest.approx(2, rel=1e-6)


def test_a_finish_far_down_the_slope_changes_nothing_but_the_time_to_get_there():
    near, far = (escape_rate(CUBIC, at, 1 / 120) for at in (2, 8))
    assert near == pytest.approx(far, rel=1e-6)


def test_a_very_high_barrier_is_no_trouble_and_an_impossible_one_is_named():
    assert escape_rate(QUARTIC, 1, 0.25 / 400) == pytest.approx(
        1 / mean_first_passage_time(QUARTIC, -1, 1, 0.25 / 400), rel=1e-9
    )
    for impossible in (escape_rate, lambda *a: mean_first_passage_time(a[0], -1, *a[1:])):
        with refused("temperature", 1e-4, "e^250"):
            impossible(QUARTIC, 1, 1e-4)


def test_the_wells_behind_the_first_one_count_too():
    # Started on the right, the walker visits the left well on its way back: more time.
    alone = mean_first_passage_time(CUBIC, 0, 2, 0.03)
    other = Loss(
        sp.Piecewise((CUBIC.expr, x > -1), (5 * (x + 2) ** 2 - sp.Rational(25, 6), True)), x
    )
    assert float(other.value(-1.0)) == pytest.approx(float(CUBIC.value(-1.0)), abs=1e-9)
    assert mean_first_passage_time(other, 0, 2, 0.03) > 1e6 * alone


# Kramers.


@pytest.mark.parametrize(("name", "correction"), [("quartic", 3 / 2), ("cubic", 5 / 3)])
def test_kramers_is_the_exact_rate_up_to_its_first_correction(name, correction):
    expr, bottom, top, _, _, _ = WELLS[name]
    loss, finish = Loss(expr, x), {"quartic": 1.0, "cubic": 2.0}[name]
    for temperature in (0.004, 0.001):
        ratio = escape_rate(loss, finish, temperature) / kramers_rate(
            loss, bottom, top, temperature
        )
        assert ratio == pytest.approx(1 - correction * temperature, abs=10 * temperature**2)


def test_kramers_by_hand():
    assert kramers_rate(CUBIC, 0, 1, 1 / 24) == pytest.approx(np.exp(-4) / (2 * np.pi))
    assert kramers_rate(QUARTIC, 1, 0, 0.05) == pytest.approx(np.sqrt(2) / (2 * np.pi) * np.exp(-5))


def test_the_default_is_ito():
    told = (QUARTIC, -1, -0.5, 0, 0.05, 0.2)
    assert two_temperature_rate(*told) == two_temperature_rate(*told, "ito")
    assert two_temperature_rate(*told, "anti-ito") == pytest.approx(4 * two_temperature_rate(*told))


@pytest.mark.parametrize(
    ("calculus", "alpha"), [("ito", 0.0), ("stratonovich", 0.5), ("anti-ito", 1.0)]
)
def test_two_temperatures_are_the_limit_of_the_exact_mean_time(calculus, alpha):
    split, errors = -0.5, []
    at = np.unique(np.r_[np.linspace(-2, 1, 30_001), split - 1e-9, split + 1e-9])
    for cold in (0.01, 0.005):
        diffusivity = np.where(at < split, cold, 4 * cold)
        psi = cumulative_trapezoid(QUARTIC.gradient(at) / diffusivity, at, initial=0)
        psi = np.minimum(psi - psi.min(), 250)
        inner = cumulative_trapezoid(diffusivity ** (alpha - 1) * np.exp(-psi), at, initial=0)
        outer = diffusivity**-alpha * np.exp(psi) * inner
        time = np.trapezoid(outer[at >= -1], at[at >= -1])
        rate = two_temperature_rate(QUARTIC, -1, split, 0, cold, 4 * cold, calculus)
        errors.append(rate * time - 1)
    assert abs(errors[1]) < 0.025
    assert abs(errors[1]) < 0.6 * abs(errors[0])


# What is refused.


@pytest.mark.parametrize("temperature", [0.0, -0.1, np.nan, np.inf])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    for call in (
        lambda: kramers_rate(QUARTIC, -1, 0, temperature),
        lambda: mean_first_passage_time(QUARTIC, -1, 1, temperature),
        lambda: escape_rate(QUARTIC, 1, temperature),
    ):
        with refused("temperature", temperature):
            call()
    with refused("temperature_minimum", temperature):
        two_temperature_rate(QUARTIC, -1, -0.5, 0, temperature, 0.1)
    with refused("temperature_barrier", temperature):
        two_temperature_rate(QUARTIC, -1, -0.5, 0, 0.1, temperature)


@pytest.mark.parametrize("minimum", [-0.3, 0.5, -0.9, -2.0])
def test_a_minimum_that_is_none_is_refused(minimum):
    with refused("minimum", minimum):
        kramers_rate(QUARTIC, minimum, 0.0, 0.1)
    with refused("minimum", minimum):
        two_temperature_rate(QUARTIC, minimum, minimum / 2, 0, 0.1, 0.1)


@pytest.mark.parametrize("barrier", [1.0, -0.5, 0.1])
def test_a_barrier_that_is_no_maximum_is_refused(barrier):
    with refused("barrier", "maximum", barrier):
        kramers_rate(QUARTIC, -1, barrier, 0.1)


def test_a_barrier_that_is_lower_than_the_minimum_is_refused():
    slope = Loss(sp.sin(2 * x) - x, x)
    bottom = float(sp.nsolve(slope.expr.diff(x), 2.6))
    top = float(sp.nsolve(slope.expr.diff(x), 0.5))
    far_top = top + 2 * np.pi
    with refused("barrier", "higher", far_top):
        kramers_rate(slope, bottom, far_top, 0.1)
    assert kramers_rate(slope, bottom, top + np.pi, 0.1) > 0


@pytest.mark.parametrize("split", [-1.0, 0.0, -1.2, 0.3, np.nan])
def test_a_split_that_is_not_between_is_refused(split):
    with refused("split", split):
        two_temperature_rate(QUARTIC, -1.0, split, 0.0, 0.1, 0.1)


@pytest.mark.parametrize("calculus", ["Ito", "itô", "", None, 0.5])
def test_an_unknown_calculus_is_refused(calculus):
    with refused("calculus", repr(calculus)):
        two_temperature_rate(QUARTIC, -1, -0.5, 0, 0.1, 0.1, calculus)


@pytest.mark.parametrize("absorb", [-0.9, -0.5, -0.01])
def test_a_finish_short_of_the_barrier_is_refused(absorb):
    with refused("absorb", "barrier", absorb):
        mean_first_passage_time(QUARTIC, -1, absorb, 0.05)
    with refused("absorb", "barrier", absorb):
        escape_rate(QUARTIC, absorb, 0.05)
    with refused("absorb", "barrier", -absorb):
        mean_first_passage_time(QUARTIC, 1, -absorb, 0.05)


def test_a_finish_on_the_top_found_in_numbers_is_accepted():
    tilted = Loss(QUARTIC.expr + x / 10, x)
    top = float(sp.nsolve(tilted.expr.diff(x), 0.1))
    for shift in (-1e-9, 0, 1e-9):
        assert escape_rate(tilted, top + shift, 0.05) > 0


def test_a_loss_without_a_wall_is_refused():
    with refused("loss", "confine", "left"):
        mean_first_passage_time(Loss(-(x**2), x), 0, 2, 0.1)
    with refused("loss", "confine", "right"):
        mean_first_passage_time(CUBIC, 1.5, -1, 0.1)
    with refused("loss", "confine", 1.5):
        escape_rate(Loss(sp.cos(x), x), 1.5, 0.1)
    with pytest.raises(Unconfined):
        escape_rate(Loss(-(x**2), x), 1, 0.1)


def test_a_loss_with_a_step_or_with_nan_is_refused():
    step = sp.Piecewise((x**2, x < -1), (x**2 / 2 - 9, True)) - x**3 / 3
    with refused("loss", "continuous"):
        escape_rate(Loss(step, x), 2, 0.1)

    class Broken:
        dimension = 1

        def value(self, at):
            return np.full(np.shape(at), np.nan)

    with refused("loss", "nan"):
        escape_rate(Broken(), 2, 0.1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_points_that_are_not_finite_are_refused(bad):
    with refused("minimum", bad):
        kramers_rate(QUARTIC, bad, 0, 0.1)
    with refused("barrier", bad):
        kramers_rate(QUARTIC, -1, bad, 0.1)
    with refused("start", bad):
        mean_first_passage_time(QUARTIC, bad, 1, 0.1)
    for call in (lambda: mean_first_passage_time(QUARTIC, -1, bad, 0.1),
                 lambda: escape_rate(QUARTIC, bad, 0.1)):  # fmt: skip
        with refused("absorb", bad):
            call()


def test_a_start_at_the_finish_is_refused():
    with refused("absorb", "start", 1.0):
        mean_first_passage_time(QUARTIC, 1.0, 1.0, 0.1)


def test_two_parameters_are_refused():
    plane = Loss(x**2 + y**2, (x, y))
    for call in (
        lambda: kramers_rate(plane, 0, 1, 0.1),
        lambda: mean_first_passage_time(plane, 0, 1, 0.1),
        lambda: escape_rate(plane, 1, 0.1),
        lambda: chain_escape_rate(plane, 1, -1, 0.1, 1.0),
    ):
        with refused("loss", 2):
            call()


# The chain of finite steps.


@pytest.mark.parametrize("finish", [1.0, 2.5, 4.0])
def test_a_chain_without_memory_leaves_by_the_normal_tail(finish):
    # η = 1 in a unit bowl: the next point is the noise alone.
    want = norm.sf(finish / 1.5)
    assert chain_escape_rate(BOWL, finish, -16, 1.0, 1.5**2) == pytest.approx(want, rel=1e-9)
    assert chain_escape_rate(BOWL, -finish, 16, 1.0, 1.5**2) == pytest.approx(want, rel=1e-9)


def test_the_chain_tends_to_the_equation_at_first_order():
    temperature, exact = 0.05, escape_rate(QUARTIC, 1, 0.05)
    gaps = [
        chain_escape_rate(QUARTIC, 1, -2.6, dt, 2 * temperature / dt) / exact - 1
        for dt in (0.02, 0.01, 0.005)
    ]
    assert 0 < gaps[2] < 0.002
    orders = np.diff(np.log(gaps)) / np.log(0.5)
    assert orders == pytest.approx(1, abs=0.1)


def test_the_chain_on_the_top_tends_to_it_like_the_root_of_the_step():
    temperature, exact = 0.05, escape_rate(QUARTIC, 0, 0.05)
    gaps = [
        1 - chain_escape_rate(QUARTIC, 0, -2.2, dt, 2 * temperature / dt) / exact
        for dt in (0.02, 0.01, 0.005)
    ]
    orders = np.diff(np.log(gaps)) / np.log(0.5)
    assert 0.4 < orders[0] < orders[1] < 0.5


def test_a_variance_may_be_a_number_or_a_function_of_the_point():
    number = chain_escape_rate(QUARTIC, 1, -2.6, 0.02, 5.0)
    function = chain_escape_rate(QUARTIC, 1, -2.6, 0.02, lambda at: 5.0 + 0 * at, breaks=[0.3, 9])
    assert function == pytest.approx(number, rel=1e-8)


@pytest.mark.parametrize("jump", [False, True])
def test_simulated_chains_leave_at_the_rate_of_the_chain(jump):
    rate = 0.05

    def variance(at):
        return np.where(at < -0.5, 3.0, 7.0) if jump else 4.0 / (1 + at**2)

    run = simulate(
        SGD(rate), QUARTIC, StateDependent(variance), start=-1.0, chains=2**13, steps=1000, rng=3,
        absorb=lambda at: at >= 1,
    )  # fmt: skip
    seen = event_rate(run.exit_step, run.steps, rate, burn_in=120)
    want = chain_escape_rate(QUARTIC, 1, -3.2, rate, variance, [-0.5] if jump else ())
    assert seen.standard_error < 0.04 * want
    assert abs(seen.z(want)) < 4


def test_what_a_chain_cannot_do_is_refused():
    told = {"loss": QUARTIC, "absorb": 1.0, "wall": -2.6, "learning_rate": 0.02, "variance": 5.0}
    for name, bad in (("learning_rate", 0.0), ("learning_rate", np.nan), ("variance", 0)):
        with refused(name, bad):
            chain_escape_rate(**told | {name: bad})
    with refused("variance", "x = -2.6"):
        chain_escape_rate(**told | {"variance": lambda at: np.maximum(at + 0.5, 0)})
    with refused("variance", "panels"):
        chain_escape_rate(**told | {"variance": 1e-3})
    for bad in (1.0, np.inf, np.nan):
        with refused("wall", bad):
            chain_escape_rate(**told | {"wall": bad})
    with refused("wall", -1.2, "away"):
        chain_escape_rate(**told | {"wall": -1.2})


# Measured rates.


def test_events_are_counted_over_the_time_alive():
    exits = np.array([3, -1, 10, 5])
    seen = event_rate(exits, steps=10, time_step=0.5)
    assert seen.value == pytest.approx(3 / (0.5 * (3 + 10 + 10 + 5)))
    assert seen.standard_error == pytest.approx(seen.value / np.sqrt(3))
    later = event_rate(exits, steps=10, burn_in=4)
    assert later.value == pytest.approx(2 / (6 + 6 + 1))


def test_the_error_of_a_rate_covers_the_truth_as_often_as_it_says():
    rng, hits = np.random.default_rng(5), []
    for _ in range(1000):
        exits = rng.geometric(0.004, size=400)
        exits = np.where(exits > 200, -1, exits)
        hits.append(abs(event_rate(exits, 200, burn_in=20).z(0.004)) < 2)
    assert 0.93 < np.mean(hits) < 0.98


def test_no_events_give_an_upper_bound_and_not_zero():
    bound = event_rate(np.full(50, -1), steps=40, time_step=0.1)
    assert isinstance(bound, UpperBound)
    assert (bound.value, bound.confidence) == (pytest.approx(-np.log(0.05) / 200), 0.95)
    assert bound.excludes(0.02)
    assert not bound.excludes(0.01)
    assert event_rate(np.full(50, -1), 40, 0.1, confidence=0.5).value == pytest.approx(
        np.log(2) / 200
    )
    # Events of the burn-in are none.
    assert isinstance(event_rate(np.array([2, -1]), 10, burn_in=5), UpperBound)
    assert isinstance(event_rate(np.array([7, -1]), 10, burn_in=5), Estimate)


def test_a_rate_at_the_bound_shows_itself_as_often_as_the_confidence_says():
    bound = event_rate(np.full(50, -1), steps=40)
    silent = np.random.default_rng(6).poisson(bound.value * 2000, size=20_000) == 0
    assert silent.mean() == pytest.approx(1 - bound.confidence, abs=0.01)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("exit_step", {"exit_step": np.array([0, -1])}),
        ("exit_step", {"exit_step": np.array([11, -1])}),
        ("exit_step", {"exit_step": np.array([1.5])}),
        ("exit_step", {"exit_step": np.zeros((2, 2), int)}),
        ("exit_step", {"exit_step": np.zeros(0, int)}),
        ("time_step", {"time_step": 0.0}),
        ("burn_in", {"burn_in": 10}),
        ("burn_in", {"burn_in": -1}),
        ("burn_in", {"exit_step": np.array([2, 3]), "burn_in": 5}),
        ("confidence", {"confidence": 1.0}),
    ],
)
def test_exits_that_make_no_sense_are_refused(name, change):
    with refused(name):
        event_rate(**{"exit_step": np.array([3, -1]), "steps": 10} | change)


# The figure.


@pytest.mark.parametrize("name", WELLS)
def test_the_landscape_names_what_an_escape_depends_on(name):
    expr, bottom, top, _, _, _ = WELLS[name]
    loss = Loss(expr, x)
    fig, ax = plt.subplots()
    figures.landscape(ax, loss, bottom, (bottom + top) / 2, top, top + 0.4)
    ticks = [tick.get_text() for tick in ax.get_xticklabels()]
    assert ticks == ["$a$", "$s$", "$b$", "$c$"]
    texts = {text.get_text() for text in ax.texts}
    assert {"$H_a$", "$H_b$", r"$\Delta L$", "$J$"} <= texts
    plt.close(fig)


# Ripples and rare events.


@pytest.mark.parametrize("waves", [150, 250])
def test_ripples_between_two_edges_are_seen(waves):
    # The same double integral, by the trapezoid rule on a million points.
    T, loss = 0.05, Loss(x**2 / 2 - x**3 / 3 + sp.cos(waves * x) / 10, x)
    at = np.linspace(-1.5, 1.4, 1_000_001)
    energy = loss.value(at) / T
    well = cumulative_trapezoid(np.exp(-energy), at, initial=0)
    outer = np.where(at >= 0, np.exp(energy) * well, 0.0)
    expected = np.trapezoid(outer, at) / T
    assert mean_first_passage_time(loss, 0.0, 1.4, T) == pytest.approx(expected, rel=1e-6)
    assert 0.9 < escape_rate(loss, 1.4, T) * expected < 1.3


def test_an_escape_too_rare_for_the_matrix_is_refused():
    well = Loss(x**4 / 4 - x**2 / 2, x)
    with pytest.raises(ValueError, match="variance must be larger"):
        chain_escape_rate(well, 0.0, -1.6, 0.05, 0.2)


@pytest.mark.parametrize(
    ("loss", "absorb", "wall", "rate", "variance"),
    [(BOWL, 3, 9, 0.1, 0.4), (QUARTIC, 2, 5, 0.02, 0.2)],
)
def test_a_chain_without_a_well_before_the_wall_is_refused_after_some_rounds(
    loss, absorb, wall, rate, variance
):
    with refused("wall", "well"):
        chain_escape_rate(loss, absorb, wall, rate, variance)


def test_random_chains_are_answered_or_refused_by_name():
    rng = np.random.default_rng(3)
    for _ in range(60):
        loss = (BOWL, QUARTIC, CUBIC)[rng.integers(3)]
        absorb, wall = rng.uniform(-4, 4, 2)
        try:
            told = chain_escape_rate(
                loss, absorb, wall, 10 ** rng.uniform(-2, 0.6), 10 ** rng.uniform(-1, 2)
            )
        except ValueError as error:
            assert str(error).startswith(("wall ", "variance "))  # noqa: PT017
        else:
            assert told > 0


def test_the_chain_resolves_a_step_of_the_variance():
    # The same chain with the step inside a panel, on four times as many panels: by the matrix
    # itself, where 1/λ is the mean number of steps from the settled crowd.
    def variance(at):
        return np.where(at < -0.5, 3.0, 7.0)

    at = np.linspace(-3.2, 1.0, 4201)
    middle = (at[1:] + at[:-1]) / 2
    spread = 0.1 * np.sqrt(variance(middle))[:, None]
    goes = (middle - 0.1 * QUARTIC.gradient(middle))[:, None]
    stay = np.diff(norm.cdf((at - goes) / spread), axis=1)
    crowd = np.exp(-QUARTIC.value(middle) / 0.2)
    for _ in range(400):
        crowd = crowd @ stay
        kept, crowd = crowd.sum(), crowd / crowd.sum()
    want = (1 - kept) / 0.1
    told = chain_escape_rate(QUARTIC, 1, -3.2, 0.1, variance, [-0.5])
    assert told == pytest.approx(want, rel=1e-4)


def test_a_chain_takes_a_variance_that_is_the_same_everywhere():
    well = Loss(x**4 / 4 - x**2 / 2, x)
    told = chain_escape_rate(well, 0.0, -3.0, 0.05, lambda at: 4.0)
    assert told == chain_escape_rate(well, 0.0, -3.0, 0.05, 4.0)


def test_the_chain_rate_needs_its_break_where_the_variance_jumps():
    # The chain's own kernel by the midpoint rule, with the jump on an edge of
    # the cells, on two grids, their error of second order taken out.
    eta, jump = 0.1, -0.5

    def variance(at):
        return np.where(at < jump, 1.0, 4.0)

    def slow(cells):
        at = -2.6 + 3.6 * (np.arange(cells) + 0.5) / cells
        spread = eta * np.sqrt(variance(at))[:, None]
        gap = (at - (at - eta * QUARTIC.gradient(at))[:, None]) / spread
        stay = np.exp(-(gap**2) / 2) / (np.sqrt(2 * np.pi) * spread) * 3.6 / cells
        steps, hope = np.linalg.inv(np.eye(cells) - stay), np.ones(cells)
        for _ in range(20):
            more = steps @ hope
            hope = more / more.max()
        return 1 / (more.max() * eta)

    expected = (4 * slow(480) - slow(240)) / 3
    found = chain_escape_rate(QUARTIC, 1.0, -2.6, eta, variance, [jump])
    assert found == pytest.approx(expected, rel=1e-4)
    unbroken = chain_escape_rate(QUARTIC, 1.0, -2.6, eta, variance)
    assert unbroken != pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("kink", [1 / 3, np.pi / 20])
def test_a_kink_between_the_nodes_is_found(kink):
    # τ = (1/T) ∫ e^{L/T} ∫ e^{−L/T}, by hand for L = |x − kink|.
    T, up = 0.1, 1 - kink
    expected = kink + 2 * T * np.expm1(up / T) - up
    loss = Loss(sp.Abs(x - sp.Float(kink)), x)
    assert mean_first_passage_time(loss, 0.0, 1.0, T, uphill=True) == pytest.approx(
        expected, rel=1e-9
    )
