"""The discrete chain as a matrix, against closed forms and the rate of escape."""

import re

import numpy as np
import pytest
import sympy as sp

from sgdnotes.losses import Loss
from sgdnotes.theory import (
    chain_escape_rate,
    gibbs_density,
    sgd_covariance,
    stationary_masses,
    step_matrix,
)

x, y = sp.symbols("x y", real=True)
BOWL, QUARTIC = Loss(2 * x**2, x), Loss(x**4 / 4 - x**2 / 2 + x / 10, x)


def test_one_step_has_the_mean_and_the_square_of_one_step_from_each_point():
    points = np.linspace(-2, 2, 401)
    matrix = step_matrix(BOWL, points, 0.1, lambda at: 0.25 + at**2 / 16)
    inner = np.abs(points) < 1
    drifted = 0.6 * points
    assert (points @ matrix)[inner] == pytest.approx(drifted[inner], abs=1e-9)
    want = drifted**2 + 0.01 * (0.25 + points**2 / 16)
    assert (points**2 @ matrix)[inner] == pytest.approx(want[inner], abs=1e-9)
    assert matrix.sum(0) == pytest.approx(np.ones(401))


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.4])
def test_in_a_bowl_the_law_that_stays_is_the_bell_of_sgd(rate):
    points = np.linspace(-5, 5, 2001)
    masses = stationary_masses(step_matrix(BOWL, points, rate, 1.0))
    variance = sgd_covariance(4.0, 1.0, rate)
    assert masses @ points**2 == pytest.approx(variance, rel=1e-8)
    assert masses @ points**4 == pytest.approx(3 * variance**2, rel=1e-8)


def test_noise_is_read_where_the_step_starts():
    points, rate = np.linspace(-3, 3, 1201), 0.05
    masses = stationary_masses(
        step_matrix(Loss(x**2 / 2, x), points, rate, lambda at: 1 + 4 * at**2)
    )
    # V = (1 − η)² V + η² (1 + 4V)
    want = rate**2 / (1 - (1 - rate) ** 2 - 4 * rate**2)
    assert masses @ points**2 == pytest.approx(want, rel=1e-6)


def test_in_two_valleys_the_law_is_gibbs_times_its_first_correction():
    points, temperature, rates = np.linspace(-3, 3, 401), 0.3, (0.02, 0.01)
    gibbs = gibbs_density(QUARTIC, temperature)(points)
    gibbs /= gibbs.sum()
    slope, bend = QUARTIC.gradient(points), QUARTIC.hessian(points)
    first = slope**2 / (4 * temperature) - bend / 2
    first -= gibbs @ first
    plain, corrected = (
        [
            np.abs(
                stationary_masses(step_matrix(QUARTIC, points, rate, 2 * temperature / rate))
                - gibbs * (1 + rate * f)
            ).sum()
            for rate in rates
        ]
        for f in (0, first)
    )
    assert plain[0] / plain[1] == pytest.approx(2, abs=0.1)
    assert corrected[0] / corrected[1] == pytest.approx(4, abs=0.2)


def test_with_a_finish_struck_out_the_matrix_leaks_at_the_rate_of_escape():
    points = np.linspace(-2.605, 1.995, 461)  # the finish half-way between two
    matrix = step_matrix(QUARTIC, points, 0.02, 5.0)
    inside = points < 1
    alive = matrix[np.ix_(inside, inside)]
    survive = np.abs(np.linalg.eigvals(alive)).max()
    want = chain_escape_rate(QUARTIC, 1, -2.6, 0.02, 5.0)
    assert (1 - survive) / 0.02 == pytest.approx(want, rel=1e-3)


def refused(name, *shown):
    parts = [rf"(?s)\b{name}\b", *(re.escape(str(s)) for s in shown)]
    return pytest.raises(ValueError, match=".*".join(parts))


def test_what_is_no_grid_and_no_chain_is_refused_by_name():
    points = np.linspace(-3, 3, 301)
    told = {"loss": QUARTIC, "points": points, "learning_rate": 0.02, "variance": 5.0}
    with refused("loss", 2):
        step_matrix(**told | {"loss": Loss(x**2 + y**2, (x, y))})
    for bad in (points[::-1], points**3, points[:2], points[None], points + np.nan):
        with refused("points"):
            step_matrix(**told | {"points": bad})
    with refused("points", "one kick apart", 0.02):
        step_matrix(**told | {"variance": 0.5})
    with refused("points", "come back"):
        step_matrix(**told | {"learning_rate": 0.5, "variance": 0.01})
    with refused("learning_rate", -1):
        step_matrix(**told | {"learning_rate": -1})
    with refused("variance", "x = -3"):
        step_matrix(**told | {"variance": lambda at: at})


def test_what_is_no_matrix_of_one_chain_is_refused():
    with refused("matrix", (2, 3)):
        stationary_masses(np.ones((2, 3)) / 2)
    with refused("matrix", 1):
        stationary_masses(np.ones((4, 4)) / 2)
    level = Loss(sp.Integer(0), x)  # nothing holds the walk: the ends cut it off
    with refused("matrix", "cut off"):
        stationary_masses(step_matrix(level, np.linspace(-3, 3, 301), 0.1, 1.0))
    for several in (np.eye(4), np.kron(np.eye(2), [[0.5, 0.2], [0.5, 0.8]])):
        with refused("matrix", "one stationary law"):
            stationary_masses(several)


def test_wells_so_deep_that_rounding_shares_the_chains_are_refused():
    points = np.linspace(-1.9, 1.8, 301)
    deep, shallow = (step_matrix(QUARTIC, points, 0.02, 100 * T) for T in (0.005, 0.02))
    with refused("matrix", "rounding hides"):
        stationary_masses(deep)
    masses, gibbs = stationary_masses(shallow), gibbs_density(QUARTIC, 0.02)(points)
    right = points > 0.1
    assert masses[right].sum() == pytest.approx(gibbs[right].sum() / gibbs.sum(), rel=0.01)
