"""Error bars of correlated samples, on AR(1) chains, whose correlation time is (1 + a)/(1 − a)."""

import numpy as np
import pytest
import sympy as sp
from scipy.signal import lfilter

from sgdnotes.experiment import (
    SGD,
    Gaussian,
    autocorrelation_time,
    estimate,
    simulate,
    time_average,
)
from sgdnotes.experiment.autocorrelation import _autocovariance
from sgdnotes.losses import Loss

x = sp.Symbol("x", real=True)


def chains(a, n, count, seed=1):
    """Stationary x′ = ax + ξ: (n, count)."""
    xi = np.random.default_rng(seed).standard_normal((n + 2000, count))
    return lfilter([1.0], [1.0, -a], xi, axis=0)[2000:]


def spread(scores):
    return float(np.sqrt(np.mean(np.square(scores))))


@pytest.mark.parametrize(("a", "n"), [(0.9, 20_000), (0.98, 40_000), (0.0, 5_000), (-0.5, 5_000)])
def test_the_correlation_time_and_the_mean_of_an_ar1_chain_are_within_their_errors(a, n):
    paths, tau = chains(a, n, 200), (1 + a) / (1 - a)
    times = [autocorrelation_time(path) for path in paths.T]
    means = [time_average(path) for path in paths.T]
    assert spread([time.z(tau) for time in times]) == pytest.approx(1.0, abs=0.35)
    assert spread([mean.z(0.0) for mean in means]) == pytest.approx(1.0, abs=0.2)
    assert np.mean([time.value for time in times]) == pytest.approx(tau, rel=0.05)
    errors = np.mean([mean.standard_error for mean in means])
    assert errors == pytest.approx(np.sqrt(tau / (1 - a**2) / n), rel=0.05)
    # As if the points were independent: off by √τ, one way or the other.
    if a:
        naive = spread([estimate.mean(path).z(0.0) for path in paths.T])
        assert naive == pytest.approx(np.sqrt(tau), rel=0.2)


def test_several_chains_share_one_time_and_one_mean():
    paths = chains(0.9, 4_000, 50)
    time, mean = autocorrelation_time(paths), time_average(paths)
    assert abs(time.z(19.0)) < 4
    assert time.standard_error < 1.0
    assert abs(mean.z(0.0)) < 4
    assert mean.standard_error == pytest.approx(np.sqrt(19 / 0.19 / 200_000), rel=0.1)


def test_one_chain_of_sgd_knows_its_variance():
    # Case by case, x ← (1 − ηh)x + noise is AR(1) with a = 1 − ηh.
    told = {"start": 0.0, "chains": 20, "steps": 60_000, "rng": 2, "record_every": 1}
    path = simulate(SGD(0.05), Loss(x**2 / 2, x), Gaussian(1.0), **told).path[1_000:]
    exact = 0.05 / (2 - 0.05)
    right = [time_average((one - one.mean()) ** 2).z(exact) for one in path.T]
    assert spread(right) == pytest.approx(1.0, abs=0.5)
    assert spread([estimate.variance(one).z(exact) for one in path.T]) > 3
    assert abs(autocorrelation_time(path[:, 0]).z((2 - 0.05) / 0.05)) < 4


@pytest.mark.parametrize("n", [20, 200, 1_000])
def test_a_chain_that_is_short_beside_its_memory_is_refused(n):
    refused = 0
    for path in chains(0.98, n, 40).T:
        try:
            time_average(path)
        except ValueError as error:
            refused += "must be longer" in str(error)
    assert refused >= 36


def test_chains_stuck_in_different_wells_are_refused():
    wells = chains(0.5, 5_000, 4) + np.array([-9.0, 9.0, -9.0, 9.0])
    with pytest.raises(ValueError, match="series must be longer"):
        time_average(wells)


@pytest.mark.parametrize("series", [3.0, [1.0], np.zeros((4, 2, 2)), [1.0, np.nan], [1j, 2.0]])
def test_what_is_no_series_is_refused(series):
    with pytest.raises(ValueError, match="series must"):
        autocorrelation_time(series)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e9])
def test_a_constant_series_is_refused(value):
    with pytest.raises(ValueError, match="series must vary"):
        time_average(np.full(1000, value))


def test_the_time_has_no_unit_and_the_mean_has_that_of_the_series():
    path = chains(0.5, 4_000, 1)[:, 0]
    time, mean = autocorrelation_time(path), time_average(path)
    assert autocorrelation_time(1e6 * path + 5e6).value == pytest.approx(time.value, rel=1e-9)
    assert time_average(1e6 * path).value == pytest.approx(1e6 * mean.value, rel=1e-12)
    assert time_average(path + 5.0).standard_error == pytest.approx(mean.standard_error, rel=1e-9)


def test_each_lag_is_the_mean_over_its_own_pairs():
    series = np.random.default_rng(7).normal(size=(30, 3))
    by_hand = [np.mean(series[lag:] * series[: 30 - lag]) for lag in range(30)]
    assert _autocovariance(series) == pytest.approx(by_hand, abs=1e-12)
