"""A standard error says how far the truth is: tried where the truth is known."""

import numpy as np
import pytest
from scipy.stats import binom

from sgdnotes.experiment import Estimate, UpperBound
from sgdnotes.experiment.estimate import (
    covariance,
    density,
    event_rate,
    jackknife,
    mean,
    slope,
    variance,
)

REPETITIONS = 1_000


def coverage(measure, draw, truth, seed=1):
    """In how many repetitions the truth lies within two standard errors."""
    rng = np.random.default_rng(seed)
    hits = [np.abs(measure(draw(rng)).z(truth)) < 2 for _ in range(REPETITIONS)]
    return np.mean(hits, axis=0)


def nominal(share):
    """Two standard errors hold 95.4 %; small samples and skew cost a little of it."""
    return bool(np.all((share > 0.925) & (share < 0.975)))


def test_mean_is_the_textbook_formula():
    got = mean([1.0, 2.0, 4.0, 9.0])
    assert got.value == 4.0
    assert got.standard_error == pytest.approx(np.sqrt((9 + 4 + 0 + 25) / 3 / 4))
    assert isinstance(got.value, float)


def test_variance_is_unbiased_with_the_fourth_moment_in_its_error():
    samples = np.random.default_rng(1).exponential(size=200_000)
    got = variance(samples)
    assert got.value == pytest.approx(samples.var(ddof=1))
    # An exponential has variance 1 and fourth central moment 9.
    assert got.standard_error == pytest.approx(np.sqrt((9 - 1) / 200_000), rel=0.1)
    assert abs(got.z(1.0)) < 4


def test_covariance_agrees_with_numpy_and_with_variance_on_its_diagonal():
    samples = np.random.default_rng(2).normal(size=(500, 3)) @ np.triu(np.ones((3, 3)))
    got = covariance(samples)
    assert np.allclose(got.value, np.cov(samples.T))
    assert np.allclose(np.diag(got.standard_error), variance(samples).standard_error)
    assert np.array_equal(got.value, got.value.T)


@pytest.mark.parametrize(
    ("measure", "truth"), [(mean, [3.0, 0.0]), (variance, [4.0, 1 / 3])], ids=["mean", "variance"]
)
def test_the_standard_error_covers_the_truth_as_often_as_it_says(measure, truth):
    def draw(rng):
        return np.stack([rng.normal(3.0, 2.0, 400), rng.uniform(-1, 1, 400)], axis=-1)

    assert nominal(coverage(measure, draw, truth))


def test_the_error_of_a_covariance_covers_the_truth_as_often_as_it_says():
    root = np.array([[1.0, 0.0], [0.6, 0.8]])
    share = coverage(covariance, lambda rng: rng.normal(size=(400, 2)) @ root.T, root @ root.T)
    assert nominal(share)


def test_the_error_of_a_density_covers_the_bin_average_as_often_as_it_says():
    edges = np.array([-1.0, 0.0, 0.5, 2.0])

    def draw(rng):
        return rng.triangular(-1, 0, 2, 1_000)

    # The triangle's cumulative probability at the edges: 0, 1/3, 5/8, 1.
    truth = np.diff([0, 1 / 3, 1 - 1.5**2 / 6, 1]) / np.diff(edges)
    assert nominal(coverage(lambda s: density(s, edges), draw, truth))


def test_the_error_of_a_slope_covers_the_truth_as_often_as_it_says():
    x, errors = np.array([1.0, 2.0, 5.0, 7.0]), np.array([0.1, 0.3, 0.2, 0.5])

    def draw(rng):
        return Estimate(2 - 0.7 * x + errors * rng.normal(size=4), errors)

    assert nominal(coverage(lambda y: slope(x, y), draw, -0.7))


def test_the_jackknife_covers_a_nonlinear_truth_as_often_as_it_says():
    def ratio(samples):
        return samples[:, 0].mean() / samples[:, 1].mean()

    share = coverage(
        lambda s: jackknife(ratio, s, groups=40),
        lambda rng: rng.exponential([2.0, 1.0], (400, 2)),
        2.0,
    )
    assert nominal(share)


def test_the_jackknife_of_a_mean_with_one_sample_a_group_is_the_textbook_error():
    samples = np.random.default_rng(3).normal(size=30)
    got, expected = jackknife(np.mean, samples, groups=30), mean(samples)
    assert got.value == pytest.approx(expected.value)
    assert got.standard_error == pytest.approx(expected.standard_error)


def test_the_jackknife_takes_statistics_of_several_numbers():
    samples = np.random.default_rng(4).normal(size=(200, 2))
    got = jackknife(lambda s: s.mean(0), samples, groups=200)
    assert np.allclose(got.standard_error, mean(samples).standard_error)


def test_a_slope_is_that_of_a_weighted_least_squares_line():
    x, value = np.array([0.0, 1.0, 3.0, 4.0]), np.array([1.0, 2.5, 4.0, 7.0])
    errors = np.array([0.5, 0.1, 0.2, 1.0])
    line, spread = np.polyfit(x, value, 1, w=1 / errors, cov="unscaled")
    got = slope(x, Estimate(value, errors))
    assert got.value == pytest.approx(line[0])
    assert got.standard_error == pytest.approx(np.sqrt(spread[0, 0]))


def test_a_density_sums_to_the_share_inside_its_edges():
    samples = np.array([0.1, 0.2, 0.6, 1.7, 5.0])
    got = density(samples, [0.0, 0.5, 1.0, 2.0])
    assert np.allclose(got.value, [0.8, 0.4, 0.2])
    assert got.standard_error[0] == pytest.approx(np.sqrt(10 / 21 * 11 / 21 / 5) / 0.5)


def test_an_empty_bin_and_a_full_bin_have_the_same_error():
    got = density(np.full(100, 0.5), [0.0, 1.0, 2.0])
    assert got.value.tolist() == [1.0, 0.0]
    assert got.standard_error == pytest.approx(np.sqrt(8 * 108) / 116 / 10)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.02, 0.04, 0.1, 0.5, 0.97])
def test_a_true_density_is_seldom_refused_however_few_samples_a_bin_holds(share):
    n, edges = 500, [0.0, 1.0]
    refused = 0.0
    for k in range(n + 1):
        chance = binom.pmf(k, n, share)
        if chance > 1e-9:
            samples = np.repeat([0.5, 1.5], [k, n - k])
            refused += chance * (abs(density(samples, edges).z([share])[0]) > 4)
    assert refused < 2e-4  # a normal law: 6e-5; with the binomial error it is 0.7 %


def test_the_error_of_a_well_filled_bin_is_the_binomial_one():
    got = density(np.repeat([0.5, 1.5], [4_000, 6_000]), [0.0, 1.0])
    assert got.standard_error == pytest.approx(np.sqrt(0.4 * 0.6 / 10_000), rel=1e-3)


def test_z_is_signed_and_counts_standard_errors():
    got = Estimate(1.0, 0.5)
    assert got.z(0.0) == 2.0
    assert got.z(3.0) == -4.0
    assert isinstance(got.z(0.0), float)
    assert Estimate(np.ones(2), np.array([1.0, 2.0])).z([0.0, 2.0]).tolist() == [1.0, -0.5]


def test_a_bias_is_taken_off_the_distance_on_both_sides_and_never_turns_its_sign():
    got = Estimate(1.0, 0.5)
    assert got.z(0.0, bias=0.5) == 1.0
    assert got.z(2.0, bias=0.5) == -1.0
    assert got.z(1.2, bias=0.5) == 0.0


def test_scaling_keeps_z_and_a_negative_factor_turns_it():
    got = Estimate(1.0, 0.5)
    assert got.scaled(4.0) == Estimate(4.0, 2.0)
    assert got.scaled(-4.0) == Estimate(-4.0, 2.0)
    assert got.scaled(-4.0).z(0.0) == -got.z(0.0)


def test_an_estimate_is_a_copy_that_nobody_can_change():
    value, error = np.ones(2), np.ones(2)
    held = Estimate(value, error)
    error *= 100
    assert held.standard_error.tolist() == [1, 1]
    with pytest.raises(ValueError, match="read-only"):
        held.standard_error[0] = np.inf
    assert Estimate([1.0, 2.0], [0.1, 0.2]).scaled(2).value.tolist() == [2, 4]


def test_the_variance_of_coins_has_an_error_though_their_squares_have_no_spread():
    # Var(s²) = 2σ⁴/(n(n − 1)) for signs: their fourth moment is σ⁴.
    coins = np.repeat([-1.0, 1.0], 500)
    found = variance(coins)
    assert found.standard_error == pytest.approx(np.sqrt(2 / 1000 / 999) * found.value, rel=1e-6)
    flips = np.random.default_rng(1).choice([-1.0, 1.0], (1000, 2000))
    assert np.sqrt(np.mean(variance(flips).z(1.0) ** 2)) < 2
    assert covariance(coins[:, None]).standard_error[0, 0] == pytest.approx(found.standard_error)


# What is asked of an estimate and of a bound alike.


def test_an_estimate_and_a_bound_answer_the_same_questions():
    seen, unseen = event_rate(np.array([3, -1, -1, 5]), 10), event_rate(np.full(4, -1), 10)
    assert isinstance(seen, Estimate)
    assert isinstance(unseen, UpperBound)
    for rate in (seen, unseen):
        assert rate.excludes(10.0)
        assert not rate.excludes(0.06)
        assert rate.z(0.08) <= 0 < rate.value
        assert rate.scaled(2.0).value == 2 * rate.value
        assert rate.z(0.5, bias=0.4) > rate.z(0.5)
    assert unseen.scaled(2.0) == UpperBound(2 * unseen.value, unseen.confidence)


def test_an_estimate_excludes_what_is_more_than_four_errors_away():
    both = Estimate([1.0, 1.0], [0.1, 0.3])
    assert both.excludes(1.5).tolist() == [True, False]
    assert not Estimate(1.0, 0.1).excludes(1.39)
    assert Estimate(1.0, 0.1).excludes(0.59)


def test_the_z_of_a_bound_is_the_signed_root_of_the_deviance_of_no_events():
    bound = event_rate(np.full(4, -1), 10)  # nothing in the time 40
    for rate in (0.0, 0.01, 0.3):
        # 2 ln of the chance of nothing at the best rate, 0, over that at this one.
        assert bound.z(rate) == pytest.approx(-np.sqrt(2 * 40 * rate))
        assert bound.scaled(3.0).z(3 * rate) == pytest.approx(bound.z(rate))
    assert bound.z(0.3, bias=0.1) == pytest.approx(bound.z(0.2))
    assert bound.z(0.3, bias=0.4) == 0.0


def test_estimates_are_equal_if_their_numbers_are_and_can_stand_in_a_set():
    one, same, other = (Estimate([1.0, 2.0], [0.1, error]) for error in (0.1, 0.1, 0.2))
    assert one == same
    assert one != other
    assert one != 1.0
    assert len({one, same, other, Estimate(1.0, 0.1), Estimate(1, 0.1)}) == 3
    assert Estimate([1.0], [0.1]) != Estimate(1.0, 0.1)
    assert Estimate(0.0, 0.1) == Estimate(-0.0, 0.1)
    assert hash(Estimate(0.0, 0.1)) == hash(Estimate(-0.0, 0.1))


@pytest.mark.parametrize("size", [1e-160, 1.0, 1e160])
def test_a_slope_has_the_scale_of_its_values(size):
    y = Estimate(size * np.array([1.0, 3.0, 5.0]), size * np.array([0.1, 0.2, 0.1]))
    found = slope([0.0, 1.0, 2.0], y)
    assert found.value / size == pytest.approx(2.0, rel=1e-12)
    assert found.standard_error / size == pytest.approx(0.1 / np.sqrt(2), rel=1e-12)


def test_exactly_four_errors_away_is_not_excluded_and_exactly_the_bound_neither():
    assert not Estimate(4.0, 1.0).excludes(0.0)
    assert Estimate(4.0 + 1e-9, 1.0).excludes(0.0)
    assert not UpperBound(2.0, 0.95).excludes(2.0)


def test_a_bias_may_be_given_value_by_value():
    z = Estimate([3.0, 3.0], [1.0, 1.0]).z(np.zeros(2), bias=np.array([1.0, 0.0]))
    assert z.tolist() == [2.0, 3.0]


def test_errors_too_small_to_be_added_to_one_still_tell_estimates_apart():
    one, other = Estimate(0.0, 1e-20), Estimate(0.0, 2e-20)
    assert one != other
    assert len({hash(one), hash(other)}) == 2


@pytest.mark.parametrize("confidence", [0.0, 1.0, 1.5, -0.5])
def test_a_bound_without_a_confidence_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
        UpperBound(1.0, confidence)


def test_what_a_bound_is_asked_must_be_a_rate():
    bound = UpperBound(1.0, 0.95)
    for bad in (np.inf, -1.0):
        with pytest.raises(ValueError, match="expected must be a rate, at least 0 and finite"):
            bound.z(bad)
    with pytest.raises(ValueError, match="bias must be at least 0"):
        bound.z(1.0, bias=-1.0)
    with pytest.raises(ValueError, match="factor must be positive"):
        bound.scaled(-1.0)


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.uint16, np.uint32, np.uint64])
def test_a_rate_does_not_depend_on_the_type_that_holds_the_steps(kind):
    exits = [5, 10, 100] if kind(0).dtype.kind == "u" else [-1, 10, 100]
    seen, told = np.array(exits, dtype=kind), {"steps": 1000, "time_step": 1.0, "burn_in": 7}
    assert event_rate(seen, **told) == event_rate(np.array(exits), **told)
