"""The rate with inertia: closed forms, both limits of the mass, and a grid of velocities."""

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from scipy.sparse import coo_array
from scipy.sparse.linalg import eigs

from sgdnotes.losses import Loss
from sgdnotes.theory import (
    escape_rate,
    inertial_rate,
    inertial_relaxation_rate,
    kramers_rate,
)

X = sp.symbols("x", real=True)
LINE = Loss((X**2 - 1) ** 2 / 4, X)
TILTED = Loss((X**2 - 1) ** 2 / 4 + sp.Rational(1, 50) * X, X)
BOX = (-2.1, 2.1)
T = 0.25 / 4


@pytest.mark.parametrize("mass", [0.01, 0.1, 0.18])
def test_in_a_bowl_it_is_the_slow_root_of_the_damped_oscillator(mass):
    h = 1.3
    bowl = Loss(h * X**2 / 2, X)
    exact = (1 - np.sqrt(1 - 4 * mass * h)) / (2 * mass)  # mλ² − λ + h = 0
    off = [inertial_relaxation_rate(bowl, (-4, 4), 0.5, mass, n) / exact - 1 for n in (100, 200)]
    assert abs(off[1]) < 2e-3
    assert off[0] / off[1] == pytest.approx(4, rel=0.1)  # of second order
    assert abs(exact / h - 1) > 5 * abs(off[1])  # without inertia


def test_without_mass_it_is_the_rate_to_the_top_of_two_valleys_that_are_alike():
    # The odd mode is 0 at the top, as if walkers were removed there.
    exact = escape_rate(LINE, 0.0, T)
    off = [inertial_relaxation_rate(LINE, BOX, T, m, 800) / exact - 1 for m in (4e-3, 2e-3)]
    assert -5e-3 < off[0] < off[1] < 0
    assert abs(2 * off[1] - off[0]) < 2e-4  # linear in m, towards the exact rate


def test_kramers_formula_is_its_limit_for_high_barriers():
    gaps = [
        1 - inertial_relaxation_rate(LINE, BOX, 0.25 / r, 1.0) / 2
        / inertial_rate(LINE, -1.0, 0.0, 0.25 / r, 1.0)
        for r in (5, 10, 20)
    ]  # fmt: skip
    assert 0 < gaps[2] < 0.013
    assert gaps[0] > 1.8 * gaps[1] > 3.2 * gaps[2]  # of the order of T
    # Kramers' rate without inertia is not.
    plain = kramers_rate(LINE, -1.0, 0.0, 0.25 / 20)
    assert inertial_relaxation_rate(LINE, BOX, 0.25 / 20, 1.0) / 2 < 0.65 * plain


def test_between_unlike_valleys_it_is_the_sum_of_both_ways():
    left, top, right = sorted(np.roots([1, 0, -1, 1 / 50]).real)
    cold = 0.25 / 15
    both = [inertial_rate(TILTED, a, top, cold, 0.5) for a in (left, right)]
    exact = inertial_relaxation_rate(TILTED, BOX, cold, 0.5)
    assert max(both) > 5 * min(both)
    assert exact == pytest.approx(sum(both), rel=0.02)
    assert abs(exact / max(both) - 1) > 0.06


def on_a_grid(mass, nx, nv):
    """λ₁ on cells of place and velocity, no Hermite function anywhere: of second order.

    Over the square root w of the Gibbs density the flow is antisymmetric, from a stream
    function at the corners, and the friction symmetric; w is stationary exactly.
    """
    sigma = np.sqrt(T / mass)
    corners = [np.linspace(-1.9, 1.9, nx + 1), np.linspace(-5 * sigma, 5 * sigma, nv + 1)]
    dx, dv = (c[1] - c[0] for c in corners)
    x, v = ((c[1:] + c[:-1]) / 2 for c in corners)

    def gibbs(x, v):
        return np.exp(-(LINE.value(x)[:, None] + mass * v**2 / 2) / T)

    root, stream = np.sqrt(gibbs(x, v)), T / mass * gibbs(*corners)
    stream[[0, -1]] = stream[:, [0, -1]] = 0
    number = np.arange(nx * nv).reshape(nx, nv)
    matrix = coo_array((nx * nv, nx * nv)).tocsc()
    along_x = number[:-1], number[1:], -np.diff(stream[1:-1], axis=1) / dv / dx, 0.0
    along_v = number[:, :-1], number[:, 1:], np.diff(stream[:, 1:-1], axis=0) / dx / dv, 1.0
    for a, b, flow, rub in (along_x, along_v):
        a, b, rub = a.ravel(), b.ravel(), rub * T / mass**2 / dv**2
        ratio = root.ravel()[b] / root.ravel()[a]
        flow = flow.ravel() / (2 * root.ravel()[a] * root.ravel()[b])
        values = [rub + flow, rub - flow, -rub * ratio, -rub / ratio]
        ends = np.r_[a, b, a, b], np.r_[b, a, a, b]
        matrix = matrix + coo_array((np.concatenate(values), ends), shape=matrix.shape)
    assert np.abs(matrix @ root.ravel()).max() < 1e-12
    values, modes = eigs(matrix.tocsc(), k=4, sigma=1e-4)
    # Differences over two cells have a second, jagged copy of each mode.
    smooth = (np.sign(x)[:, None] * root).ravel()
    return -values[np.abs(smooth @ modes).argmax()].real


@pytest.mark.parametrize("mass", [0.5, 2.0])
def test_a_grid_of_places_and_velocities_finds_the_same(mass):
    expected = inertial_relaxation_rate(LINE, BOX, T, mass)
    assert on_a_grid(mass, 120, 80) == pytest.approx(expected, rel=2e-3)
    assert abs(kramers_rate(LINE, -1.0, 0.0, T) * 2 / expected - 1) > 0.3


def test_a_heavy_body_climbs_in_energy_as_melnikov_and_meshkov_say():
    # Mel'nikov and Meshkov (1986): Kramers' rate times A(δ)²/A(2δ), δ = what friction takes
    # in one round at the height of the top, in temperatures; a round of p dx is 4/3 here.
    friction, cold = 0.1, 0.25 / 8
    mass = 1 / friction**2

    def depopulation(delta):
        def integrand(s):
            return np.log(-np.expm1(-delta * (s * s + 0.25))) / (s * s + 0.25)

        return np.exp(quad(integrand, -np.inf, np.inf)[0] / (2 * np.pi))

    delta = friction * (4 / 3) / cold
    turned = depopulation(delta) ** 2 / depopulation(2 * delta)
    formula = turned * inertial_rate(LINE, -1.0, 0.0, cold, mass)
    exact = inertial_relaxation_rate(LINE, BOX, cold, mass, 100) / 2
    assert exact == pytest.approx(formula, rel=0.1)
    assert turned < 0.8


def test_the_rate_per_swing_has_a_maximum():
    # Of a unit mass in its own time, √m of the rate; friction is 1/√m.
    rates = [np.sqrt(m) * inertial_relaxation_rate(LINE, BOX, T, m, 60) for m in (100, 8, 0.05)]
    assert rates[0] < 0.7 * rates[1]
    assert rates[2] < 0.7 * rates[1]


def test_a_mass_that_asks_for_too_many_functions_is_refused(monkeypatch):
    monkeypatch.setattr("sgdnotes.theory.inertia._MOST", 16)
    with pytest.raises(ValueError, match="mass must be smaller"):
        inertial_relaxation_rate(LINE, BOX, T, 100.0, 60)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"loss": Loss(X**2 + sp.Symbol("y", real=True) ** 2, (X, sp.Symbol("y", real=True)))},
         "1 parameter"),
        ({"box": (2, -2)}, "box must be"),
        ({"box": 2}, "box must be"),
        ({"temperature": 0}, "temperature must be"),
        ({"mass": -1}, "mass must be"),
        ({"cells": 3}, "cells must be"),
        ({"temperature": 0.25 / 40}, "rounding hides it"),
    ],
)  # fmt: skip
def test_what_has_no_such_rate_is_refused(changed, message):
    told = {"loss": LINE, "box": BOX, "temperature": T, "mass": 1.0, "cells": 60} | changed
    with pytest.raises(ValueError, match=message):
        inertial_relaxation_rate(**told)
