"""Kesten's index and the edges, by closed forms, by hand and by simulation."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.special import digamma

from sgdnotes.experiment import hill, lyapunov_exponent
from sgdnotes.theory import stability_edges, tail_index

RNG = np.random.default_rng(11)
SPREAD = np.array([0.1, 0.4, 1.0, 2.5])


# Theory.


def test_the_index_solves_its_equation():
    for rate in (0.85, 1.1, 1.5):
        kappa = tail_index(SPREAD, rate)
        assert (np.abs(1 - rate * SPREAD) ** kappa).mean() == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("rate", [1e-3, 1e-6, 1e-12])
def test_the_index_keeps_its_digits_where_the_rate_is_small(rate):
    down, up = math.log1p(-3 * rate), math.log1p(rate)  # curvatures 3 and −1
    kappa = tail_index([3.0, -1.0], rate)
    # e^(−3z) + e^z = 2 at z = 0.609…, and z is ηκ up to O(η).
    assert kappa * rate == pytest.approx(0.6093778634, rel=2 * rate + 1e-9)
    left = math.expm1(kappa * down) + math.expm1(kappa * up)
    assert abs(left) < 1e-12


def test_two_curvatures_have_an_index_by_hand():
    # |1 − ηa| is ½ or 2: ½(2^−κ + 2^κ) = 1 has the root 0 only; with ½ twice as likely,
    # 2·2^−κ + 2^κ = 3, so 2^κ = 2.
    assert tail_index([0.5, 0.5, 3.0], 1.0) == pytest.approx(1.0)
    assert tail_index([0.5] * 4 + [3.0], 1.0) == pytest.approx(2.0)


def test_batches_are_all_batches():
    means = np.array([np.mean(b) for b in product(SPREAD, repeat=3)])
    assert tail_index(SPREAD, 1.1, 3) == pytest.approx(tail_index(means, 1.1))
    twice = np.repeat(SPREAD, [1, 2, 1, 1])
    means = np.array([np.mean(b) for b in product(twice, repeat=2)])
    assert tail_index(twice, 0.95, 2) == pytest.approx(tail_index(means, 0.95))
    assert tail_index(SPREAD, 0.9, 2) > tail_index(SPREAD, 0.9)


def test_the_index_is_2_at_the_edge_of_the_variance_and_0_at_that_of_the_law():
    for batch_size in (1, 3):
        edges = stability_edges(SPREAD, batch_size)
        assert tail_index(SPREAD, edges.variance, batch_size) == pytest.approx(2)
        assert tail_index(SPREAD, edges.law * (1 - 1e-6), batch_size) < 1e-4
        with pytest.raises(ValueError, match="no stationary law"):
            tail_index(SPREAD, edges.law * (1 + 1e-6), batch_size)


def test_the_edges_are_those_of_their_definitions():
    edges = stability_edges(SPREAD)
    assert ((1 - edges.variance * SPREAD) ** 2).mean() == pytest.approx(1)
    assert np.log(np.abs(1 - edges.law * SPREAD)).mean() == pytest.approx(0, abs=1e-9)
    assert abs(1 - edges.mean * SPREAD.mean()) == pytest.approx(1)
    # Each run settles although the mean over runs grows; and the other way round.
    assert edges.variance < edges.mean < edges.law
    other = stability_edges([0.1, 0.1, 3.0])
    assert other.variance < other.law < other.mean
    two = stability_edges(SPREAD, 2)
    assert two.variance == pytest.approx(
        2 * SPREAD.mean() / (SPREAD.mean() ** 2 + SPREAD.var() / 2)
    )


def test_without_spread_the_edges_are_one_and_there_is_no_tail():
    edges = stability_edges([2.0, 2.0])
    assert edges.variance == edges.mean == pytest.approx(1.0)
    assert edges.law == pytest.approx(1.0)
    assert tail_index([2.0, 2.0], 0.7) == np.inf


@pytest.mark.parametrize(
    ("curvatures", "told", "message"),
    [
        ([[1.0]], {}, "curvatures must be"),
        ([np.nan], {}, "curvatures must be"),
        ([-1.0, 0.5], {}, "positive mean"),
        (np.arange(1.0, 400), {"batch_size": 5}, "too many batches"),
        ([1.0], {"learning_rate": 0.0}, "learning_rate must be"),
        ([1.0], {"batch_size": 0}, "batch_size must be"),
    ],
)
def test_what_has_no_index_is_refused(curvatures, told, message):
    with pytest.raises(ValueError, match=message):
        tail_index(curvatures, **({"learning_rate": 0.1} | told))


# Experiment.


def test_hill_finds_the_index_of_a_pareto_law_with_its_error():
    z = []
    for index in (0.8, 2.0, 3.5):
        for _ in range(40):
            z.append(hill(RNG.pareto(index, 4000) + 1, 1000).z(index))
    assert abs(np.mean(z)) < 4 / np.sqrt(120)
    assert np.std(z) == pytest.approx(1, abs=0.25)


def test_hill_is_biased_where_the_tail_is_not_yet_a_power_law():
    samples = np.abs(RNG.standard_t(2.0, 200_000))
    assert hill(samples, 100_000).value < 1.7
    assert abs(hill(samples, 1000).z(2.0)) < 4
    normal = RNG.standard_normal(200_000)
    assert hill(normal, 200).value > 1.3 * hill(normal, 5000).value


@pytest.mark.parametrize("rate", [1.2, 1.5])
def test_sgd_has_the_tail_that_kesten_says(rate):
    x = np.zeros(100_000)
    for _ in range(400):
        a, b = SPREAD[RNG.integers(4, size=len(x))], RNG.standard_normal(len(x))
        x -= rate * (a * x + b)
    found = hill(x, 1000)
    kappa = tail_index(SPREAD, rate)
    assert abs(found.z(kappa)) < 4
    assert abs(found.z(1.3 * kappa)) > 4
    assert abs(found.z(kappa / 1.3)) > 4


def test_in_one_dimension_the_exponent_is_the_mean_logarithm():
    exact = np.log(np.abs(1 - 0.9 * SPREAD)).mean()
    found = lyapunov_exponent(SPREAD, 0.9, steps=400, chains=200, rng=1)
    assert abs(found.z(exact)) < 4
    means = (SPREAD[:, None] + SPREAD) / 2
    exact = np.log(np.abs(1 - 0.9 * means)).mean()
    found = lyapunov_exponent(SPREAD, 0.9, 2, steps=400, chains=200, rng=1)
    assert abs(found.z(exact)) < 4
    assert abs(found.z(np.log(np.abs(1 - 0.9 * SPREAD)).mean())) > 4


def test_the_exponent_of_gaussian_matrices_is_that_of_newman():
    # Products of d × d matrices of normal numbers: (log 2 + ψ(d/2))/2 (Newman, 1986).
    for d in (2, 3):
        normal = RNG.standard_normal((40_000, d, d))
        found = lyapunov_exponent((np.eye(d) - normal), 1.0, steps=400, chains=200, rng=2)
        assert abs(found.z((np.log(2) + digamma(d / 2)) / 2, bias=0.01)) < 4


def test_with_momentum_the_exponent_is_that_of_the_companion_matrix():
    found = lyapunov_exponent([0.1, 0.1 + 1e-10], 0.5, 1, 0.3, steps=300, chains=3, rng=3)
    move = np.array([[0.3, 0.05], [-0.3, 0.95]])
    exact = np.log(np.abs(np.linalg.eigvals(move)).max())
    assert found.value == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hill([1.0, 2.0], 2), "top must be below"),
        (lambda: hill([1.0, 2.0, 3.0], 1), "top must be"),
        (lambda: hill([1.0, np.inf, 3.0], 2), "samples must be"),
        (lambda: hill([0.0, 1.0, 1.0], 2), "different positive"),
        (lambda: lyapunov_exponent([[1.0]], 0.1, steps=1, chains=2, rng=0), "hessians must be"),
        (lambda: lyapunov_exponent([np.nan], 0.1, steps=1, chains=2, rng=0), "must be finite"),
        (lambda: lyapunov_exponent([1.0], 1.0, steps=1, chains=2, rng=0), "exactly 0"),
        (lambda: lyapunov_exponent([1.0], 0.1, steps=1, chains=1, rng=0), "chains must be"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
