"""Rates over saddles: closed forms, one dimension, a grid, and each other."""

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import root

from sgdnotes.losses import Loss
from sgdnotes.theory import (
    Plane,
    escape_rate,
    eyring_kramers_rate,
    inertial_rate,
    kramers_rate,
    minimum_action,
    sde_covariance,
)
from sgdnotes.theory.plane import _bernoulli

X, Y, Z = sp.symbols("x y z", real=True)
LINE = Loss((X**2 - 1) ** 2 / 4, X)
TROUGH = Loss((X**2 - 1) ** 2 / 4 + sp.Rational(3, 2) * Y**2, (X, Y))
# A saddle that is narrower than the minimum, and turned.
NARROW = Loss((X**2 - 1) ** 2 / 4 + (1 + 3 * sp.exp(-4 * X**2)) * (Y - X / 2) ** 2 / 2, (X, Y))
BOX = ((-2.2, 1.8), (-2.5, 2.5))
T = 0.05


def beyond(x):
    return x[:, 0] > 0


def far(x):
    return x[:, 0] > 0.5


def around_left(x):
    return (x[:, 0] + 1) ** 2 + (x[:, 1]) ** 2 < 0.1


# Eyring and Kramers.


def test_in_one_dimension_it_is_kramers_rate():
    assert eyring_kramers_rate(LINE, -1.0, 0.0, T) == pytest.approx(
        kramers_rate(LINE, -1.0, 0.0, T), rel=1e-12
    )


def test_a_direction_of_the_same_curvature_at_both_places_changes_nothing():
    assert eyring_kramers_rate(TROUGH, (-1, 0), (0, 0), T) == pytest.approx(
        kramers_rate(LINE, -1.0, 0.0, T), rel=1e-12
    )


def test_the_prefactor_is_that_of_the_determinants():
    a, b = (-1.0, -0.5), (0.0, 0.0)
    below, top = NARROW.hessian(a), NARROW.hessian(b)
    down = np.linalg.eigvalsh(top)[0]
    expected = -down / (2 * np.pi) * np.sqrt(np.linalg.det(below) / -np.linalg.det(top))
    assert eyring_kramers_rate(NARROW, a, b, T) == pytest.approx(expected * np.exp(-0.25 / T))
    # 1-D Kramers along x knows nothing of the narrowness, and is far off.
    assert eyring_kramers_rate(NARROW, a, b, T) < 0.7 * kramers_rate(LINE, -1.0, 0.0, T)


def test_the_rate_on_a_grid_tends_to_eyring_and_kramers_as_the_noise_falls():
    gaps = []
    for barrier in (5, 10):
        heat = 0.25 / barrier
        exact, _ = Plane(NARROW, heat, BOX, (160, 160)).escape(far)
        gaps.append(exact / eyring_kramers_rate(NARROW, (-1, -0.5), (0, 0), heat) - 1)
    assert abs(gaps[1]) < 0.1
    assert abs(gaps[1]) < 0.75 * abs(gaps[0])


def test_the_mobility_turns_the_way_down_and_an_identity_does_nothing():
    a, b = (-1.0, -0.5), (0.0, 0.0)
    plain = eyring_kramers_rate(NARROW, a, b, T)
    assert eyring_kramers_rate(NARROW, a, b, T, np.eye(2)) == pytest.approx(plain)
    assert eyring_kramers_rate(NARROW, a, b, T, 2 * np.eye(2)) == pytest.approx(2 * plain)
    for twist in (0.5, -2.0):
        stirred = np.eye(2) + twist * np.array([[0, 1], [-1, 0]])
        rate = eyring_kramers_rate(NARROW, a, b, T, stirred)
        # The positive root of λ² + λ tr H + (1 + s²) det H = 0.
        trace, det = np.trace(NARROW.hessian(b)), np.linalg.det(NARROW.hessian(b))
        root = (-trace + np.sqrt(trace**2 - 4 * (1 + twist**2) * det)) / 2
        down = -np.linalg.eigvalsh(NARROW.hessian(b))[0]
        assert rate == pytest.approx(plain * root / down)
        assert rate > 1.02 * plain


def test_inertia_is_the_mobility_of_position_and_velocity():
    mass = 0.7
    phase = Loss((X**2 - 1) ** 2 / 4 + Y**2 / (2 * sp.Rational(7, 10)), (X, Y))  # y is momentum
    # Ẋ = y/m, ẏ = −L′ − y/m: friction 1; M is singular up to a speck.
    turn = np.array([[1e-9, -1.0], [1.0, 1.0]])
    assert inertial_rate(LINE, -1.0, 0.0, T, mass) == pytest.approx(
        eyring_kramers_rate(phase, (-1, 0), (0, 0), T, turn), rel=1e-6
    )


def test_inertia_has_the_limits_that_kramers_found():
    plain = kramers_rate(LINE, -1.0, 0.0, T)
    assert inertial_rate(LINE, -1.0, 0.0, T, 1e-9) == pytest.approx(plain, rel=1e-6)
    # λ₊ is the root of mλ² + λ = |H_b|.
    for mass in (0.1, 1.0, 30.0):
        growth = inertial_rate(LINE, -1.0, 0.0, T, mass) / plain
        assert mass * growth**2 + growth == pytest.approx(1.0)
    # Transition state theory: √(H_a/m)/(2π) exp(−ΔL/T).
    heavy = inertial_rate(LINE, -1.0, 0.0, T, 1e8)
    assert heavy == pytest.approx(np.sqrt(2 / 1e8) / (2 * np.pi) * np.exp(-5), rel=1e-3)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ((-1, 0), (1, 0), "saddle must have 1 negative"),
        ((0, 0), (0, 0), "minimum must have 0 negative"),
        ((-1, 0), (0.2, 0), "saddle must be a critical point"),
        ((-0.9, 0), (0, 0), "minimum must be a critical point"),
        ((-1,), (0, 0), "minimum must be finite and of shape"),
        ((-1, 0), (0, np.nan), "saddle must be finite and of shape"),
    ],
)
def test_what_is_no_minimum_or_no_saddle_is_refused(a, b, message):
    for call in (
        lambda: eyring_kramers_rate(TROUGH, a, b, T),
        lambda: inertial_rate(TROUGH, a, b, T, 1.0),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_top_a_low_saddle_and_flat_places_are_refused():
    hill = Loss(-((X**2 - 1) ** 2) / 4 - Y**2 + X**2 * Y**2 + Y**4, (X, Y))
    with pytest.raises(ValueError, match="must have"):
        eyring_kramers_rate(hill, (0, 0), (-1, 0), T)
    flat = Loss((X**2 - 1) ** 2 / 4 + Y**4, (X, Y))
    with pytest.raises(ValueError, match="critical point"):
        eyring_kramers_rate(flat, (-1, 0), (0, 0), T)
    deep = Loss((X**2 - 1) ** 2 / 4 + Y**2 * (Y**2 - 1) ** 2 + Y**4, (X, Y))
    with pytest.raises(ValueError, match="positive and finite"):
        inertial_rate(deep, (-1, 0), (0, 0), T, 0.0)


@pytest.mark.parametrize("mobility", [np.eye(3), -np.eye(2), np.array([[0, 1], [-1, 0]])])
def test_a_mobility_that_is_none_is_refused(mobility):
    with pytest.raises(ValueError, match="mobility must"):
        eyring_kramers_rate(TROUGH, (-1, 0), (0, 0), T, mobility)


# The grid.


def at_the_top(x):
    return x[:, 0] > -1e-9


def test_the_rate_in_a_trough_is_that_of_the_line_and_its_error_is_of_second_order():
    exact = escape_rate(LINE, 0.0, T)
    # A row of centres lies at the top.
    box = ((-2.02, 1.98), (-1.5, 1.5))
    gaps = [Plane(TROUGH, T, box, (n, 40)).escape(at_the_top)[0] / exact - 1 for n in (100, 300)]
    assert abs(gaps[0]) < 0.01
    assert gaps[0] / gaps[1] == pytest.approx(9, rel=0.15)


def test_the_committor_of_a_trough_is_the_lines_integral():
    plane = Plane(TROUGH, T, BOX, (200, 60))
    q = plane.committor(lambda x: x[:, 0] < -0.8, far)
    assert np.ptp(q, axis=1).max() < 1e-9
    fine = np.linspace(-0.8, 0.5, 4001)
    weight = np.exp(LINE.value(fine) / T)
    exact = np.cumsum(weight) / weight.sum()
    inside = (plane.axes[0] > -0.7) & (plane.axes[0] < 0.4)
    assert np.abs(np.interp(plane.axes[0], fine, exact) - q[:, 30])[inside].max() < 0.01


def test_two_temperatures_in_a_trough_do_not_disturb_each_other():
    plane = Plane(TROUGH, (T, 0.2), ((-2.02, 1.98), (-1.5, 1.5)), (100, 60))
    rate, settled = plane.escape(at_the_top)
    assert rate == pytest.approx(escape_rate(LINE, 0.0, T), rel=0.01)
    across = settled.sum(0) / settled.sum()
    assert across @ plane.axes[1] ** 2 == pytest.approx(0.2 / 3, rel=0.02)


def test_exits_crowd_at_the_saddle_as_the_loss_there_says():
    plane = Plane(TROUGH, T, BOX, (110, 60))
    exits = plane.exits(beyond)
    assert exits.sum() == pytest.approx(1)
    spread = (exits.sum(0) * plane.axes[1] ** 2).sum()
    assert spread == pytest.approx(T / 3, rel=0.02)
    column = np.searchsorted(plane.axes[0], 0.0)
    assert exits[column].sum() == pytest.approx(1)


def test_a_stirred_grid_keeps_gibbs_and_tends_to_the_formula_of_the_turned_way_down():
    box = ((-1.9, 1.2), (-1.8, 1.5))
    turn = np.eye(2) + 1.5 * np.array([[0, 1], [-1, 0]])
    for barrier, most in ((5, 0.025), (10, 0.015)):
        heat = 0.25 / barrier
        plane = Plane(NARROW, heat, box, 120, stirring=1.5)
        weight = np.exp(-NARROW.value(plane.points) / heat)
        lost = np.abs(weight @ plane._jumps).max()
        assert lost < 1e-12 * np.abs(weight * plane._jumps.diagonal()).max()
        found, _ = plane.escape(far)
        law = eyring_kramers_rate(NARROW, (-1, -0.5), (0, 0), heat, turn)
        calm, _ = Plane(NARROW, heat, box, 120).escape(far)
        assert abs(found / law - 1) < most
        assert found > 2.2 * calm


def test_a_stirred_bowl_turns_as_its_drift_says():
    bowl = Loss(X**2 / 2 + 2 * Y**2, (X, Y))
    plane = Plane(bowl, 1.0, ((-4.5, 4.5), (-2.5, 2.5)), (90, 90), stirring=0.3)
    pulled = plane._jumps @ plane.points
    inner = (np.abs(plane.points) < (1.5, 1.0)).all(1)
    drift = -bowl.gradient(plane.points) @ np.array([[1, 0.3], [-0.3, 1]]).T
    assert np.abs(pulled - drift)[inner].max() < 0.03
    other = -bowl.gradient(plane.points) @ np.array([[1, -0.3], [0.3, 1]]).T
    assert np.abs(pulled - other)[inner].max() > 0.5


def test_what_the_grid_cannot_do_is_refused():
    plane = Plane(TROUGH, T, BOX, 20)
    with pytest.raises(ValueError, match="absorb must hold some"):
        plane.escape(lambda x: x[:, 0] > 9)
    with pytest.raises(ValueError, match="must not overlap"):
        plane.committor(beyond, far)
    with pytest.raises(ValueError, match="rounding hides it"):
        Plane(TROUGH, 0.25 / 40, BOX, 60).escape(far)
    for arguments, message in [
        ((LINE, T, BOX), "2 parameters"),
        ((TROUGH, -T, BOX), "temperature must be"),
        ((TROUGH, T, ((1, 0), (0, 1))), "box must be"),
        ((TROUGH, T, BOX, 2), "cells must be"),
        ((TROUGH, (T, 2 * T), BOX, 20, 1.0), "stirring must be 0"),
        ((TROUGH, T, BOX, 20, np.inf), "stirring must be finite"),
    ]:
        with pytest.raises(ValueError, match=message):
            Plane(*arguments)


# The quasi-potential.


def test_without_directions_the_action_is_the_climb():
    value, path = minimum_action(NARROW, (-1, -0.5), (0, 0), np.eye(2), points=200)
    assert value == pytest.approx(0.25, rel=1e-3)
    slope = NARROW.gradient((path[1:] + path[:-1])[20:-20] / 2)
    step = np.diff(path, axis=0)[20:-20]
    cosine = (slope * step).sum(1) / np.linalg.norm(slope, axis=1) / np.linalg.norm(step, axis=1)
    assert cosine.min() > 0.99


@pytest.mark.parametrize("end", [(1.0, 0.5), (-0.3, 2.0), (0.7, -0.7)])
def test_in_a_bowl_the_action_is_that_of_the_stationary_covariance(end):
    hessian, diffusion = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.0, -0.6], [-0.6, 0.8]])
    bowl = Loss(X**2 + X * Y / 2 + Y**2 / 2, (X, Y))
    covariance = sde_covariance(hessian, 2 * diffusion, 1.0)
    end = np.array(end)
    exact = end @ np.linalg.solve(covariance, end) / 2
    value, _ = minimum_action(bowl, (0, 0), end, diffusion, points=200)
    assert value == pytest.approx(exact, rel=2e-3)
    # Neither the climb nor the climb over a mean temperature.
    assert abs(bowl.value(end) / exact - 1) > 0.03
    # Second order in the number of points.
    rough, _ = minimum_action(bowl, (0, 0), end, diffusion, points=50)
    assert abs(rough / exact - 1) < 0.03


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e8])
def test_the_action_is_found_in_any_unit_and_with_few_points(unit):
    bent = Loss(unit * ((X**2 - 1) ** 2 / 4 + (Y - X**2) ** 2), (X, Y))
    value, path = minimum_action(bent, (-1, 1), (0, 0), np.diag([1, 0.2]))
    few, _ = minimum_action(bent, (-1, 1), (0, 0), np.diag([1, 0.2]), points=25)
    assert value / unit == pytest.approx(0.42894, rel=2e-4)  # Richardson's, of 50 and 100
    assert few == pytest.approx(value, rel=2e-3)
    long = np.linalg.norm(np.diff(path, axis=0) / np.sqrt([1, 0.2]), axis=1)
    assert np.ptp(long) < 1e-3 * long.mean()


def test_two_temperatures_make_another_barrier_and_the_grid_agrees():
    heat = np.array([1.0, 0.3])
    barrier, _ = minimum_action(NARROW, (-1, -0.5), (0, 0), np.diag(heat), points=200)
    assert barrier > 1.05 * 0.25
    noises = np.array([0.03, 0.02])
    rates = [Plane(NARROW, e * heat, BOX, (160, 200)).escape(far)[0] for e in noises]
    slope = np.log(rates[0] / rates[1]) / (1 / noises[1] - 1 / noises[0])
    assert slope == pytest.approx(barrier, rel=0.05)
    assert abs(slope / 0.25 - 1) > 0.1


def test_a_first_guess_may_be_given_and_must_fit():
    guess = [(-1, -0.5), (-0.5, 0.2), (0, 0)]
    value, _ = minimum_action(NARROW, (-1, -0.5), (0, 0), np.eye(2), path=guess)
    assert value == pytest.approx(0.25, rel=5e-3)
    for arguments, message in [
        (((0, 0), (-1, -0.5), np.eye(2)), "start must be a minimum"),
        (((-1, -0.5), (0, 0), -np.eye(2)), "diffusion must be positive definite"),
        (((-1, -0.5), (0, 0), np.eye(3)), "diffusion must be"),
        (((-1, -0.5), (0,), np.eye(2)), "end must be finite and of shape"),
        (((-1, -0.5), (0, 0), np.eye(2), 3), "points must be"),
        (((-1, -0.5), (0, 0), np.eye(2), 9, [(0, 0), (1, 1)]), "path must be"),
    ]:
        with pytest.raises(ValueError, match=message):
            minimum_action(NARROW, *arguments)
    with pytest.raises(ValueError, match="2 parameters or more"):
        minimum_action(LINE, -1.0, 0.0, [[1.0]])


def test_on_the_surface_of_muller_and_brown_the_grid_tends_to_the_closed_form():
    # Müller and Brown (1979), in units of 100.
    sizes, centres = (-200, -100, -170, 15), ((1, 0), (0, 0.5), (-0.5, 1.5), (-1, 1))
    bends = ((-1, 0, -10), (-1, 0, -10), (-6.5, 11, -6.5), (0.7, 0.6, 0.7))
    loss = Loss(
        sum(
            s / 100 * sp.exp(a * (X - u) ** 2 + b * (X - u) * (Y - v) + c * (Y - v) ** 2)
            for s, (u, v), (a, b, c) in zip(sizes, centres, bends, strict=True)
        ),
        (X, Y),
    )
    start, saddle, end = (
        root(loss.gradient, near, jac=loss.hessian, tol=1e-13).x
        for near in ((-0.558, 1.442), (-0.822, 0.624), (0.623, 0.028))
    )
    assert loss.value(saddle) - loss.value(start) == pytest.approx(1.0603, abs=1e-4)
    gaps = []
    for heat in (0.1, 0.07):
        plane = Plane(loss, heat, ((-1.6, 1.2), (-0.4, 2.1)), 160)
        rate, _ = plane.escape(lambda x: ((x - end) ** 2).sum(1) < 0.15**2)
        gaps.append(1 - rate / eyring_kramers_rate(loss, start, saddle, heat))
    # The gap is of the order of T, with a shallow third minimum on the way.
    assert 0.1 < gaps[1] < 0.13
    assert gaps[1] / gaps[0] == pytest.approx(0.6, abs=0.1)


def test_a_chance_that_waits_for_ever_in_between_is_refused():
    wells = Loss(Y**2 / 2 + X / 20 - sp.cos(sp.pi * X) / 2, (X, Y))  # at -2, 0 and 2
    box = ((-2.8, 2.8), (-1.0, 1.0))
    ends = (lambda x: x[:, 0] < -1.8), (lambda x: x[:, 0] > 1.8)
    warm = Plane(wells, 0.1, box, (80, 20))
    middle = warm.committor(*ends)[40, 10]
    # The tops, at -1 and 1, differ by the tilt alone: by a tenth.
    assert middle == pytest.approx(1 / (1 + np.exp(0.1 / 0.1)), rel=1e-3)
    with pytest.raises(ValueError, match="temperature must be higher"):
        Plane(wells, 0.02, box, (80, 20)).committor(*ends)


def test_a_steep_descent_is_as_fast_as_it_is():
    assert _bernoulli(np.array([-1e4, 1e4, 0.0])).tolist() == [1e4, pytest.approx(0, abs=1e-300), 1]
