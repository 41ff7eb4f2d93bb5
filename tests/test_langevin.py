"""Langevin dynamics with batches and with inertia, against exact laws of their steps."""

import numpy as np
import pytest
import sympy as sp
from scipy.linalg import solve_discrete_lyapunov

from sgdnotes.experiment import (
    Epochs,
    Gaussian,
    Langevin,
    MiniBatch,
    TwoPoint,
    UnderdampedLangevin,
    estimate,
    simulate,
)
from sgdnotes.losses import DataLoss, Loss

x, y, u = sp.symbols("x y u", real=True)
DATA = np.random.default_rng(3).normal(size=20)
MEAN_SQUARE = DataLoss((x - u) ** 2 / 2, x, u, DATA)
WELL = Loss(x**4 / 4 - x**2 / 2, x)


def within(measured, expected, limit=4.0):
    return np.abs(measured.z(expected)).max() < limit


# Stochastic-gradient Langevin dynamics.


def test_sgld_follows_the_hand_written_loop():
    told = {"start": 0.3, "chains": 9, "steps": 25, "rng": 5}
    run = simulate(Langevin(0.2, 0.1, batch_size=3), MEAN_SQUARE, MiniBatch(), **told)
    stream = np.random.Generator(np.random.SFC64(np.random.SeedSequence(5).spawn(1)[0]))
    points = np.full(9, 0.3)
    for _ in range(25):
        xi = stream.standard_normal(9)
        drawn = DATA[stream.integers(20, size=(3, 9), dtype=np.uint8)]
        points = points - 0.1 * (points - drawn.mean(0)) + np.sqrt(2 * 0.2 * 0.1) * xi
    assert np.allclose(run.samples, points, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 4])
def test_sgld_on_a_quadratic_reaches_its_exact_variance_and_not_that_of_a_wrong_factor(size):
    temperature, step = 0.15, 0.3
    told = {"start": DATA.mean(), "chains": 20_000, "steps": 60, "rng": 6}
    dynamics = Langevin(temperature, step, batch_size=size)
    measured = estimate.variance(simulate(dynamics, MEAN_SQUARE, MiniBatch(), **told).samples)

    def variance(kick):
        return (kick + step**2 * DATA.var() / size) / (1 - (1 - step) ** 2)

    assert within(measured, variance(2 * temperature * step))
    # What people write for the variance of the kick: no T, or no 2.
    for wrong in (step, 2 * step, temperature * step):
        assert not within(measured, variance(wrong), 8.0)


def test_sgld_samples_the_posterior_of_a_mean_as_the_step_shrinks():
    # Normal data of variance 1, a flat prior: the mean has the variance 1/n.
    told = {"start": DATA.mean(), "chains": 20_000, "steps": 300, "rng": 7}
    dynamics = Langevin(1 / 20, 0.02, batch_size=10)
    measured = estimate.variance(simulate(dynamics, MEAN_SQUARE, MiniBatch(), **told).samples)
    heated = 1 / 20 + 0.02 * DATA.var() / 20  # T + Δtσ²/(2B)
    exact = (2 * 0.02 / 20 + 0.02**2 * DATA.var() / 10) / (1 - 0.98**2)
    assert abs(heated / exact - 1) < 0.011  # order Δt/2 beyond
    assert within(measured, exact)


def test_langevin_with_a_full_batch_is_langevin():
    told = {"start": 0.3, "chains": 50, "steps": 20, "rng": 1}
    full = simulate(Langevin(0.2, 0.1), MEAN_SQUARE, **told).samples
    epochs = simulate(Langevin(0.2, 0.1, batch_size=20), MEAN_SQUARE, Epochs("as given"), **told)
    assert np.allclose(epochs.samples, full, rtol=1e-12)


def test_langevin_without_batches_has_no_batch_size_and_with_them_needs_data():
    told = {"start": 0.0, "chains": 2, "steps": 2, "rng": 1}
    for dynamics in (Langevin(0.1, 0.1, batch_size=2), UnderdampedLangevin(0.1, 0.1, 1.0, 2)):
        for noise in (None, TwoPoint()):
            with pytest.raises(ValueError, match="batch_size must be 1"):
                simulate(dynamics, WELL, noise, **told)
        with pytest.raises(ValueError, match="MiniBatch needs a DataLoss"):
            simulate(dynamics, WELL, MiniBatch(), **told)


# Inertia.


def baoab(h, temperature, step, friction, batch_variance=0.0):
    """One step on hx²/2 as z ← Mz + noise, z = (x, v, g): M and the noise's covariance."""
    b, c = step / 2, np.exp(-friction * step)
    # v is kicked by the stored gradient, x drifts, v forgets, x drifts: then a new gradient.
    kick = np.array([[1, 0, 0], [0, 1, -b], [0, 0, 1]])
    drift = np.array([[1, b, 0], [0, 1, 0], [0, 0, 1]])
    forget = np.diag([1, c, 1])
    renew = np.array([[1, 0, 0], [0, 1, 0], [h, 0, 0]])
    matrix = kick @ renew @ drift @ forget @ drift @ kick
    thermal = kick @ renew @ drift @ np.array([0, 1, 0]) * np.sqrt(temperature * (1 - c**2))
    drawn = kick @ np.array([0, 0, 1]) * np.sqrt(batch_variance)
    return matrix, np.outer(thermal, thermal) + np.outer(drawn, drawn)


@pytest.mark.parametrize(("h", "step", "friction"), [(1.0, 0.5, 1.0), (2.0, 1.2, 0.3)])
def test_underdamped_langevin_on_a_quadratic_is_exact_in_x(h, step, friction):
    temperature = 0.7
    covariance = solve_discrete_lyapunov(*baoab(h, temperature, step, friction))
    assert covariance[0, 0] == pytest.approx(temperature / h, rel=1e-12)
    assert covariance[1, 1] == pytest.approx(temperature * (1 - h * step**2 / 4), rel=1e-12)
    told = {"start": 0.0, "chains": 20_000, "steps": 120, "rng": 2}
    run = simulate(UnderdampedLangevin(temperature, step, friction), Loss(h * x**2 / 2, x), **told)
    measured = estimate.variance(run.samples)
    assert within(measured, temperature / h)
    # Euler's variance of v in its place, or a kick of √(2γTΔt), would be seen.
    assert not within(measured, temperature / h * (1 + h * step**2 / 4), 5.0)
    kick = 2 * friction * step / (1 - np.exp(-2 * friction * step))
    assert not within(measured, temperature / h * kick, 8.0)


def test_underdamped_langevin_keeps_the_exact_second_moments_of_each_step():
    h, temperature, step, friction = 1.5, 0.4, 0.3, 0.8
    told = {"start": 1.0, "chains": 20_000, "steps": 8, "rng": 3, "record_every": 1}
    run = simulate(UnderdampedLangevin(temperature, step, friction), Loss(h * x**2 / 2, x), **told)
    matrix, noise = baoab(h, temperature, step, friction)
    mean, covariance = np.array([1.0, 0.0, h]), np.zeros((3, 3))
    for t in range(1, 9):
        mean, covariance = matrix @ mean, matrix @ covariance @ matrix.T + noise
        assert within(estimate.mean(run.path[t]), mean[0])
        assert within(estimate.variance(run.path[t]), covariance[0, 0])


def test_a_batch_heats_underdamped_langevin_as_its_own_chain_says():
    temperature, step, friction, size = 0.05, 0.3, 0.5, 2
    told = {"start": DATA.mean(), "chains": 20_000, "steps": 150, "rng": 4}
    dynamics = UnderdampedLangevin(temperature, step, friction, batch_size=size)
    measured = estimate.variance(simulate(dynamics, MEAN_SQUARE, MiniBatch(), **told).samples)
    law = baoab(1.0, temperature, step, friction, DATA.var() / size)
    exact = solve_discrete_lyapunov(*law)[0, 0]
    assert within(measured, exact)
    assert not within(measured, temperature, 8.0)
    # T + Δtσ²/(2γB) in the limit of small steps.
    small = solve_discrete_lyapunov(*baoab(1.0, temperature, 1e-3, friction, DATA.var() / size))
    heat = 1e-3 * DATA.var() / (2 * friction * size)
    assert (small[0, 0] - temperature) / heat == pytest.approx(1.0, rel=2e-3)


def test_underdamped_langevin_samples_the_density_of_a_double_well():
    grid = np.linspace(-4, 4, 4001)
    weight = np.exp(-(grid**4 / 4 - grid**2 / 2) / 0.5)
    told = {"start": [1.0, -1.0] * 10_000, "chains": 20_000, "steps": 200, "rng": 8}
    run = simulate(UnderdampedLangevin(0.5, 0.15, 1.0), WELL, **told)
    for power in (2, 4):
        exact = (weight * grid**power).sum() / weight.sum()
        assert within(estimate.mean(run.samples**power), exact)


def test_underdamped_langevin_in_the_plane_moves_each_parameter_by_its_own_gradient():
    loss = Loss(x**2 / 2 + 2 * y**2, (x, y))
    told = {"start": 0.0, "chains": 20_000, "steps": 100, "rng": 9}
    run = simulate(UnderdampedLangevin(0.3, 0.4, 1.0), loss, **told)
    assert within(estimate.covariance(run.samples), np.diag([0.3, 0.075]))


def test_inertia_gives_the_same_bits_on_threads_and_survives_absorption():
    told = {"start": 0.5, "chains": 300, "steps": 40, "rng": 7, "block": 64}
    dynamics = UnderdampedLangevin(0.2, 0.1, 0.5)
    one = simulate(dynamics, WELL, threads=1, **told).samples
    assert np.array_equal(one, simulate(dynamics, WELL, threads=2, **told).samples)
    # Without noise to speak of, each chain can be followed alone.
    start = np.array([0.2, 1.0, -2.0, 1.5])
    told = {"chains": 4, "steps": 60, "rng": 1}
    quiet = UnderdampedLangevin(1e-30, 0.1, 0.5)
    free = simulate(quiet, WELL, start=start, record_every=1, **told).path
    ended = simulate(quiet, WELL, start=start, absorb=lambda p: p > 1.1, **told)
    for chain in range(4):
        met = np.flatnonzero(free[1:, chain] > 1.1)
        assert ended.exit_step[chain] == (met[0] + 1 if len(met) else -1)
        assert ended.samples[chain] == pytest.approx(free[ended.exit_step[chain], chain])


@pytest.mark.parametrize("name", ["temperature", "time_step", "friction"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, 1j, None, "1"])
def test_a_number_of_the_underdamped_that_is_not_positive_is_refused_by_name(name, value):
    told = {"temperature": 1.0, "time_step": 0.1, "friction": 1.0} | {name: value}
    with pytest.raises(ValueError, match=rf"{name} must be"):
        UnderdampedLangevin(**told)


def test_additive_noise_is_the_law_of_the_kick_with_inertia_too():
    told = {"start": 0.0, "chains": 20_000, "steps": 100, "rng": 9}
    run = simulate(UnderdampedLangevin(0.3, 0.4, 1.0), Loss(x**2 / 2, x), TwoPoint(), **told)
    assert within(estimate.variance(run.samples), 0.3)
    half = simulate(UnderdampedLangevin(0.3, 0.4, 1.0), Loss(x**2 / 2, x), Gaussian(0.5), **told)
    assert within(estimate.variance(half.samples), 0.15)
