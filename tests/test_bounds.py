"""Rates that are right or refused: random losses, closed forms, walls, pits."""

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from scipy.linalg import eigh_tridiagonal

from sgdnotes.losses import DataLoss, Loss
from sgdnotes.theory import (
    escape_rate,
    gibbs_density,
    kramers_rate,
    mean_first_passage_time,
    two_temperature_rate,
)
from sgdnotes.theory.bounds import bounds

x = sp.Symbol("x", real=True)
QUARTIC, BOWL, FLAT = (Loss(e, x) for e in (x**4 / 4 - x**2 / 2, x**2 / 2, 0 * x))
WALLED = Loss(sp.Piecewise((sp.oo, x < -2), ((x**2 - 1) ** 2, True)), x)


def random_loss(rng):
    """A confining loss: one well or several, tilted, rippled, stiff or nearly flat."""
    a, b, c, k = (sp.Float(v) for v in rng.uniform([0.1, -1, 0, 1], [1, 1, 2, 6]))
    bowl = [x**2 / 2, x**4 / 4 - x**2, sp.sqrt(1 + x**2), x**6 / 20 - x**4 / 4][rng.integers(4)]
    size = sp.Float(rng.choice([0.3, 1.0, 4.0]))
    return Loss(size * (a * bowl + b * x / 3 + c * sp.cos(k * x)), x)


def finite_volumes(loss, low, high, temperature, cells):
    """λ₁ of the generator on cells, turned back at `low` and removed at `high`.

    Jump rates (T/w²) e^(±ΔL/2T) between the middles of neighbours satisfy
    detailed balance; with e^(−L/2T) on both sides the matrix is symmetric.
    """
    edges = np.linspace(low, high, cells + 1)
    width = edges[1] - edges[0]
    energy = loss.value((edges[1:] + edges[:-1]) / 2) / temperature
    at_edges = loss.value(edges) / temperature
    # Through an edge: T/w² e^(E_i − E_edge), with the edge's energy halfway.
    right = np.exp(energy[:-1] - at_edges[1:-1])
    left = np.exp(energy[1:] - at_edges[1:-1])
    out = np.zeros(cells)
    out[:-1] += right
    out[1:] += left
    out[-1] += 2 * np.exp(energy[-1] - at_edges[-1])
    off = -np.sqrt(right * left)
    smallest = eigh_tridiagonal(out, off, select="i", select_range=(0, 0), eigvals_only=True)[0]
    return smallest * temperature / width**2


@pytest.mark.parametrize("seed", range(8))
def test_rates_of_random_losses_are_those_of_a_generator_matrix_or_refused(seed):
    rng, seen = np.random.default_rng(seed), 0
    for _ in range(25):
        loss, absorb, temperature = random_loss(rng), rng.uniform(-1, 2), 10 ** rng.uniform(-0.7, 1)
        low = -3.5
        rate = escape_rate(loss, absorb, temperature, reflect=low, uphill=True)
        # Richardson: the matrix errs in proportion to the square of its cells.
        coarse, fine = (finite_volumes(loss, low, absorb, temperature, n) for n in (1000, 2000))
        want = (4 * fine - coarse) / 3
        # The eigenvalue solver is right to 1e-15 of the largest rate.
        rounding = 1e-13 * temperature * (2000 / (absorb - low)) ** 2
        if rounding < 1e-5 * want and abs(fine / coarse - 1) < 1e-2:
            assert rate == pytest.approx(want, rel=1e-4)
            seen += 1
    assert seen >= 12


@pytest.mark.parametrize(
    ("expr", "absorb", "temperature", "want"),
    [
        # Finite differences; the quotient of Rayleigh alone stops at 9.73, 42.7 and 1.8.
        (x**2 / 4 + 5 * sp.cos(3 * x), 0.0, 1.0, 6.3698e-4),
        (x**2 + 10 * (1 - sp.cos(2 * sp.pi * x)), 0.52, 1.0, 9.504e-8),
    ],
)
def test_several_wells_behind_each_other_do_not_stop_the_iteration_early(
    expr, absorb, temperature, want
):
    assert escape_rate(Loss(expr, x), absorb, temperature) == pytest.approx(want, rel=1e-4)


def test_a_deep_cold_ladder_of_wells_is_left_as_slowly_as_its_highest_step_says():
    loss, temperature = Loss(x**2 / 4 + 5 * sp.cos(3 * x), x), 0.05
    bottom = float(sp.nsolve(loss.expr.diff(x), -1.05))
    # From the deepest well over the top at 0: half of Kramers' rate lies beyond.
    kramers = kramers_rate(loss, bottom, 0.0, temperature)
    assert escape_rate(loss, 0.0, temperature) == pytest.approx(2 * kramers, rel=0.02)


# Closed forms for every kind of end.


def test_the_first_passage_of_an_ornstein_uhlenbeck_process_has_the_published_rate():
    # OEIS A249451: the smallest λ with D_λ(−1) = 0.
    assert escape_rate(BOWL, 1, 1, uphill=True) == pytest.approx(0.3882382974, abs=3e-8)
    with pytest.raises(ValueError, match="uphill=True"):
        escape_rate(BOWL, 1, 1)


def test_the_first_passage_time_of_an_ornstein_uhlenbeck_process_is_its_double_integral():
    # dX = −3X dt + dW from −0.5 to 1.35.
    inner = lambda y: quad(lambda z: np.exp(-3 * z**2), -np.inf, y)[0]  # noqa: E731
    want = 2 * quad(lambda y: np.exp(3 * y**2) * inner(y), -0.5, 1.35, epsrel=1e-10)[0]
    got = mean_first_passage_time(Loss(3 * x**2 / 2, x), -0.5, 1.35, 0.5, uphill=True)
    assert got == pytest.approx(want, rel=1e-9)
    assert got == pytest.approx(67.9054, rel=1e-6)


def test_a_bowl_with_its_bottom_removed_is_left_at_the_rate_one():
    # The first odd Hermite polynomial is the slowest mode that is 0 at 0.
    assert escape_rate(BOWL, 0, 1) == pytest.approx(1, rel=1e-9)
    # H₂ is 0 at both of ±1: 2.
    assert escape_rate(BOWL, (-1, 1), 1, uphill=True) == pytest.approx(2, rel=1e-9)


def test_a_free_walker_leaves_as_heat_leaves_a_rod():
    T, length = 0.7, 2.0
    one = T * np.pi**2 / (4 * length**2)
    assert escape_rate(FLAT, 1, T, reflect=-1) == pytest.approx(one, rel=1e-9)
    assert escape_rate(FLAT, -1, T, reflect=1) == pytest.approx(one, rel=1e-9)
    assert escape_rate(FLAT, (0, 2), T) == pytest.approx(4 * one, rel=1e-9)
    time = mean_first_passage_time(FLAT, 0.5, (2, 0), T)
    assert time == pytest.approx(0.5 * 1.5 / (2 * T), rel=1e-12)
    time = mean_first_passage_time(FLAT, 0, -2, T, reflect=1)
    assert time == pytest.approx((3**2 - 1**2) / (2 * T), rel=1e-12)
    time = mean_first_passage_time(FLAT, 1, -2, T, reflect=1)
    assert time == pytest.approx(3**2 / (2 * T), rel=1e-12)


def test_an_infinite_loss_is_a_wall_that_turns_back():
    soft = Loss((x**2 - 1) ** 2, x)
    for call in (
        lambda loss, **k: mean_first_passage_time(loss, -1, 0, 3.0, **k),
        lambda loss, **k: escape_rate(loss, 0, 3.0, **k),
    ):
        assert call(WALLED) == pytest.approx(call(soft, reflect=-2), rel=1e-9)
        assert call(WALLED) != pytest.approx(call(soft), rel=1e-3)
    box = Loss(sp.Piecewise((sp.oo, x < -sp.Rational(3, 10)), (0, True)), x)
    assert mean_first_passage_time(box, 0, 1, 1) == pytest.approx((1.3**2 - 0.3**2) / 2, rel=1e-9)
    assert escape_rate(box, 1, 1) == pytest.approx(np.pi**2 / 4 / 1.3**2, rel=1e-9)
    gamma = Loss(sp.Piecewise((x - 2 * sp.log(x), x > 0), (sp.oo, True)), x)
    want = quad(lambda y: np.exp(y) / y**2 * (2 - np.exp(-y) * (y * (y + 2) + 2)), 2, 5)[0]
    assert mean_first_passage_time(gamma, 2, 5, 1, uphill=True) == pytest.approx(want, rel=1e-9)


def test_no_way_leads_through_an_infinite_loss():
    wall = Loss(sp.Piecewise((sp.oo, sp.Abs(x) < sp.Rational(1, 10)), (x**2, True)), x)
    with pytest.raises(ValueError, match="loss must be finite between"):
        mean_first_passage_time(wall, -1, 1, 1)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"absorb": (1, 1)}, "absorb"),
        ({"absorb": (1, 2, 3)}, "absorb"),
        ({"absorb": (-2, 2), "reflect": -3}, "reflect"),
        ({"reflect": 1.0}, "reflect"),
        ({"absorb": 1 + 2j}, "absorb"),
        ({"temperature": 1j}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"temperature": None}, "temperature"),
        ({"temperature": x}, "temperature"),
    ],
)
def test_ends_that_make_no_sense_are_refused_by_name(change, name):
    told = {"loss": QUARTIC, "absorb": 1.0, "temperature": 0.1} | change
    with pytest.raises(ValueError, match=name):
        escape_rate(**told)
    with pytest.raises(ValueError, match=name):
        mean_first_passage_time(start=0.5, **told)


def test_a_start_outside_of_the_ends_is_refused():
    with pytest.raises(ValueError, match="start"):
        mean_first_passage_time(FLAT, 3, (0, 2), 1)


def test_numbers_of_sympy_are_numbers():
    half, one = sp.Rational(1, 2), sp.Integer(1)
    assert escape_rate(QUARTIC, one, half) == escape_rate(QUARTIC, 1.0, 0.5)
    assert kramers_rate(QUARTIC, -one, sp.Integer(0), half) == kramers_rate(QUARTIC, -1, 0, 0.5)
    assert gibbs_density(BOWL, half).normalisation == gibbs_density(BOWL, 0.5).normalisation


# One tolerance, one way to say that a number is too small.


def test_a_top_given_to_four_digits_is_a_top_for_every_function():
    wells = [(x**8, 0)] + [(sp.Float(h), c) for h, c in ((0.8, 0), (0.2, 0.5), (0.5, -0.5))]
    prinz = 4 * (x**8 + sum(h * sp.exp(-(80 if c != -0.5 else 40) * (x - c) ** 2)
                            for h, c in wells[1:]))  # fmt: skip
    loss = Loss(prinz, x)
    top = float(sp.nsolve(prinz.diff(x), -0.5016))
    bottom = float(sp.nsolve(prinz.diff(x), (-0.9, -0.6), solver="bisect"))
    for given in (top, round(top, 4)):
        for call in (
            lambda b: kramers_rate(loss, bottom, b, 0.3),
            lambda b: escape_rate(loss, b, 0.3),
            lambda b: 1 / mean_first_passage_time(loss, bottom, b, 0.3),
        ):
            assert call(given) == pytest.approx(call(top), rel=1e-3)


@pytest.mark.parametrize(
    "call",
    [
        lambda **k: kramers_rate(QUARTIC, -1, 0, 1e-4, **k),
        lambda **k: two_temperature_rate(QUARTIC, -1, -0.5, 0, 1e-4, 1e-4, **k),
        lambda **k: escape_rate(QUARTIC, 1, 1e-4, **k),
        lambda **k: -mean_first_passage_time(QUARTIC, -1, 1, 1e-4, **k),
    ],
)
def test_what_no_float_holds_is_refused_or_told_as_a_logarithm(call):
    with pytest.raises(ValueError, match=r"e\^2501, .* log=True"):
        call()
    # Kramers with his first correction, 1 − 3T/2.
    want = -2500 + np.log(np.sqrt(2) / (2 * np.pi))
    assert call(log=True) == pytest.approx(want, abs=3e-4)


def test_the_logarithm_is_that_of_the_number():
    for call in (
        lambda **k: kramers_rate(QUARTIC, -1, 0, 0.1, **k),
        lambda **k: two_temperature_rate(QUARTIC, -1, -0.5, 0, 0.1, 0.2, "anti-ito", **k),
        lambda **k: escape_rate(QUARTIC, 1, 0.1, **k),
        lambda **k: mean_first_passage_time(QUARTIC, -1, 1, 0.1, **k),
    ):
        assert np.exp(call(log=True)) == pytest.approx(call(), rel=1e-12)


def test_a_top_behind_a_deeper_well_is_not_beside_the_minimum():
    # Minima at 0 and, lower, near 2π; tops near π and 3π, the second one higher.
    waves = Loss(-sp.cos(x) * (1 + x / 40), x)
    at = {k: float(sp.nsolve(waves.expr.diff(x), k * np.pi)) for k in (0, 1, 3)}
    assert kramers_rate(waves, at[0], at[1], 0.1) > 0
    with pytest.raises(ValueError, match="beside"):
        kramers_rate(waves, at[0], at[3], 0.1)


# What hides between two points.


@pytest.mark.parametrize("width", [1e-3, 1e-4, 1e-6])
def test_a_pit_too_narrow_for_any_grid_is_found(width):
    w = sp.Rational(str(width))
    loss = Loss(x**4 / 4 - x**2 / 2 - 3 * sp.exp(-(((x + sp.Rational(13, 10)) / w) ** 2)), x)
    T, at = 0.1, -1.3
    plain = mean_first_passage_time(QUARTIC, -1, 1, T)
    # The pit adds its own mass to the inner integral, for all y above it.
    more = quad(lambda z: np.exp(30 * np.exp(-(z**2))) - 1, -6, 6, epsrel=1e-11)[0] * width
    more *= np.exp(-(at**4 / 4 - at**2 / 2) / T)
    climb = quad(lambda y: np.exp((y**4 / 4 - y**2 / 2) / T), -1, 1, epsrel=1e-11)[0]
    got = mean_first_passage_time(loss, -1, 1, T)
    # L changes by 0.9·width across the pit.
    assert got == pytest.approx(plain + more * climb / T, rel=1e-6 + (10 * width) ** 2)


@pytest.mark.parametrize(
    "expr",
    [
        x**4 / 4 - x**2 / 2, x**2 / 4 + 5 * sp.cos(3 * x), sp.Abs(x) ** 3 - sp.exp(-(x**2)),
        sp.log(1 + x**2), sp.sqrt(1 + x**2) * sp.sin(x), sp.Max(x, 0) ** 2 - sp.Min(x, 1),
        1 / (1 + x**2), sp.Piecewise((x**2, x < 1), (2 * x - 1, True)),
        sp.Piecewise((x**2, (x < 1) & (x > -2)), (sp.Abs(x), x >= 1), (-5 * x, True)),
        sp.log(1 + sp.exp(3 * x)), sp.tanh(x) * x + sp.cosh(x) / 9, x**3 - 1 / x, x**-2,
        x**4 / 4 - 3 * sp.exp(-(((x + 1) * 100) ** 2)), sp.asinh(x) - sp.atan(x) + sp.sinh(x),
        sp.sign(x) * x**2,
    ],
)  # fmt: skip
def test_bounds_hold_all_values_and_tend_to_them(expr):
    loss, rng = Loss(expr, x), np.random.default_rng(0)
    low = rng.uniform(-4, 4, 3000)
    width = 10 ** rng.uniform(-6, 0.5, 3000)
    values = loss.value(low[:, None] + width[:, None] * np.linspace(0, 1, 201))
    least, most = bounds(loss, low, low + width)
    slack = 1e-9 * (1 + np.abs(values).max(1))
    assert (least <= values.min(1) + slack).all()
    assert (most >= values.max(1) - slack).all()
    narrow = width < 1e-4
    assert np.median(((most - least) / (np.ptp(values, axis=1) + 1e-12))[narrow]) < 2


def test_what_has_no_bounds_is_not_bounded():
    assert bounds(Loss(sp.besselj(0, x), x), np.array([0.0]), np.array([1.0])) is None


def test_a_narrow_pit_is_found_in_a_formula_and_missed_where_only_values_are_known():
    u = sp.Symbol("u", real=True)
    well = (x**2 - 1) ** 2 / 4
    pitted = well - 3 * sp.exp(-((x + sp.Rational(123, 100)) ** 2) * 10**8)
    smooth, formula, data = Loss(well, x), Loss(pitted, x), DataLoss(pitted * u, x, u, [1.0, 1.0])
    # The pit weighs seven times as much as the rest of the well.
    near, everywhere = np.linspace(-1.231, -1.229, 20_001), np.linspace(-4, 0, 20_001)
    more = np.exp(-4 * formula.value(near)) - np.exp(-4 * smooth.value(near))
    rest = np.trapezoid(np.exp(-4 * smooth.value(everywhere)), everywhere)
    assert np.trapezoid(more, near) / rest == pytest.approx(6.7, abs=0.1)
    rate = escape_rate(smooth, 0.0, 0.25)
    assert rate / escape_rate(formula, 0.0, 0.25) > 6
    assert escape_rate(data, 0.0, 0.25) == pytest.approx(rate, rel=1e-6)
