"""Each law of the gradient noise has the variance that its name promises."""

import itertools

import numpy as np
import pytest
import sympy as sp

from sgdnotes.experiment import Gaussian, MiniBatch, StateDependent, TwoPoint, Uniform, estimate
from sgdnotes.losses import DataLoss, Loss

x, y, u = sp.symbols("x y u", real=True)
CHAINS = 40_000
SIGMA = np.array([[2.0, 0.7], [0.7, 0.5]])
DATA = np.array([0.3, -1.0, 2.5, 0.0, 4.0, -0.7])
MEAN_SQUARE = DataLoss((x - u) ** 2 / 2, x, u, DATA)


def within(measured, expected, limit=4.0):
    return np.abs(measured.z(expected)).max() < limit


@pytest.mark.parametrize("batch_size", [1, 5])
def test_gaussian_noise_has_covariance_sigma_over_b(batch_size):
    draws = Gaussian(SIGMA).draw(np.zeros((CHAINS, 2)), np.random.default_rng(2), batch_size)
    assert within(estimate.covariance(draws), SIGMA / batch_size)
    assert within(estimate.mean(draws), 0.0)


@pytest.mark.parametrize("batch_size", [1, 5])
def test_a_number_means_that_number_times_the_identity(batch_size):
    draws = Gaussian(3.0).draw(np.zeros((CHAINS, 2)), np.random.default_rng(3), batch_size)
    assert within(estimate.covariance(draws), 3.0 * np.eye(2) / batch_size)


def test_singular_gaussian_noise_stays_on_its_line():
    line = np.array([3.0, -4.0])
    draws = Gaussian(np.outer(line, line)).draw(np.zeros((500, 2)), np.random.default_rng(4))
    assert np.allclose(draws @ [4.0, 3.0], 0.0)
    assert np.abs(draws).max() > 1.0


def test_zero_gaussian_noise_leaves_the_gradient():
    loss, points = Loss(x**3, x), np.linspace(-1, 1, 5)
    got = Gaussian(0.0).gradient(loss, points, np.random.default_rng(1), 1)
    assert np.array_equal(got, 3 * points * points)


def test_additive_noise_does_not_move_the_points():
    loss, points = Loss(x**2 / 2, x), np.linspace(-1, 1, 5)
    before = points.copy()
    Gaussian(1.0).gradient(loss, points, np.random.default_rng(1), 1)
    assert np.array_equal(points, before)


def test_one_coin_takes_two_values_and_a_batch_is_the_mean_of_coins():
    rng = np.random.default_rng(5)
    one = TwoPoint(0.5).draw(np.zeros(CHAINS), rng)
    assert set(np.unique(one)) == {-0.5, 0.5}
    assert within(estimate.mean(one), 0.0)
    four = TwoPoint(0.5).draw(np.zeros(CHAINS), rng, 4)
    assert np.allclose(np.unique(four), [-0.5, -0.25, 0.0, 0.25, 0.5])
    assert within(estimate.variance(four), 0.25 / 4)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
@pytest.mark.parametrize(("law", "fourth"), [(TwoPoint(0.7), 1.0), (Uniform(0.7), 9 / 5)])
def test_weak_noise_has_three_moments_of_the_gaussian_and_a_fourth_of_its_own(
    law, fourth, batch_size
):
    draws = law.draw(np.zeros((CHAINS, 3)), np.random.default_rng(15), batch_size).ravel()
    variance = 0.7**2 / batch_size
    # The mean of B independent draws keeps a Bth part of the excess, fourth − 3.
    moments = [0.0, variance, 0.0, (3 + (fourth - 3) / batch_size) * variance**2]
    for power, expected in enumerate(moments, start=1):
        # The even powers of a coin are one number; rounding alone gives them a spread.
        values = draws**power
        assert np.allclose(values, expected) or within(estimate.mean(values), expected)
    fourths = draws**4
    assert np.ptp(fourths) < 1e-9 or not within(estimate.mean(fourths), 3 * variance**2)
    assert not np.isclose(fourths.mean(), 3 * variance**2, rtol=0.05)


@pytest.mark.parametrize("law", [TwoPoint(1.0), Uniform(1.0)])
@pytest.mark.parametrize("shape", [(CHAINS + 3,), (CHAINS + 3, 3)])
def test_weak_noise_is_independent_from_place_to_place(law, shape):
    draws = law.draw(np.zeros(shape), np.random.default_rng(16))
    assert draws.shape == shape
    columns = draws.reshape(len(draws), -1)
    for lag in (1, 2, 7, 8, 64):
        for a in columns.T:
            for b in columns.T:
                assert within(estimate.mean(a[lag:] * b[:-lag]), 0.0)


def test_uniform_noise_stays_within_root_three_deviations():
    draws = Uniform(0.5).draw(np.zeros(CHAINS), np.random.default_rng(17))
    assert 0.999 < np.abs(draws).max() / (0.5 * np.sqrt(3)) <= 1.0


def test_state_dependent_noise_has_the_variance_of_where_it_stands():
    law = StateDependent(lambda points: 1 + points**2)
    points = np.repeat([0.0, 2.0], CHAINS)
    draws = law.draw(points, np.random.default_rng(6), 2)
    assert within(estimate.variance(draws[:CHAINS]), 1 / 2)
    assert within(estimate.variance(draws[CHAINS:]), 5 / 2)


@pytest.mark.parametrize("batch_size", [1, 3, 6])
def test_a_batch_with_replacement_has_variance_sigma2_over_b(batch_size):
    got = MiniBatch().gradient(MEAN_SQUARE, np.full(CHAINS, 0.4), np.random.default_rng(7), 1)
    assert set(np.round(got, 12)) == set(np.round(0.4 - DATA, 12))
    rng = np.random.default_rng(8)
    got = MiniBatch().gradient(MEAN_SQUARE, np.full(CHAINS, 0.4), rng, batch_size)
    assert within(estimate.mean(got), 0.4 - DATA.mean())
    assert within(estimate.variance(got), DATA.var() / batch_size)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_a_batch_without_replacement_has_the_finite_population_factor(batch_size):
    n, rng = len(DATA), np.random.default_rng(9)
    got = MiniBatch(replace=False).gradient(MEAN_SQUARE, np.full(CHAINS, 0.4), rng, batch_size)
    expected = DATA.var() / batch_size * (n - batch_size) / (n - 1)
    assert within(estimate.mean(got), 0.4 - DATA.mean())
    assert within(estimate.variance(got), expected)
    assert not within(estimate.variance(got), DATA.var() / batch_size) or batch_size == 1


def test_the_whole_data_without_replacement_is_the_exact_gradient():
    points = np.linspace(-2, 2, 9)
    got = MiniBatch(replace=False).gradient(MEAN_SQUARE, points, np.random.default_rng(1), 6)
    assert np.allclose(got, MEAN_SQUARE.gradient(points), rtol=0, atol=1e-14)


def test_without_replacement_every_set_of_distinct_examples_turns_up_and_no_other():
    powers = DataLoss(x * u, x, u, 2.0 ** np.arange(5))
    law, rng = MiniBatch(replace=False), np.random.default_rng(10)
    sums = 2 * law.gradient(powers, np.zeros(2_000), rng, 2)
    assert set(sums) == {2.0**a + 2.0**b for a, b in itertools.combinations(range(5), 2)}


def test_a_batch_may_hold_an_example_twice_with_replacement():
    powers = DataLoss(x * u, x, u, 2.0 ** np.arange(5))
    sums = 2 * MiniBatch().gradient(powers, np.zeros(2_000), np.random.default_rng(11), 2)
    assert set(sums) == {2.0**a + 2.0**b for a in range(5) for b in range(5)}


def test_batches_of_two_parameters_keep_the_parameters_of_one_example_together():
    both = DataLoss(x * u + 2 * y * u, (x, y), u, DATA)
    got = MiniBatch().gradient(both, np.zeros((50, 2)), np.random.default_rng(12), 1)
    assert np.allclose(got[:, 1], 2 * got[:, 0])
