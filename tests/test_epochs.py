"""Epochs: each example once, and what the noise of a whole epoch is."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pytest
import sympy as sp

from sgdnotes.experiment import SGD, Epochs, MiniBatch, RMSProp, estimate, simulate
from sgdnotes.losses import DataLoss, Loss

x, y, u = sp.symbols("x y u", real=True)
DATA = np.random.default_rng(3).normal(size=12)
# The gradient at 0 of example i is −u_i: its name, so to speak.
NAMED = DataLoss(-u * x, x, u, np.arange(1.0, 8.0))
MEAN_SQUARE = DataLoss((x - u) ** 2 / 2, x, u, DATA)


def batches(law, batch_size, count, chains=5, loss=NAMED, seed=1):
    """What each of `count` batches adds to each chain: (count, chains)."""
    points, rng = np.zeros(chains), np.random.default_rng(seed)
    noise = law.for_chains(loss, chains)
    return np.array([-noise.gradient(loss, points, rng, batch_size) for _ in range(count)])


@pytest.mark.parametrize("order", ["reshuffled", "shuffled once", "as given"])
def test_in_an_epoch_each_example_comes_once(order):
    seen = batches(Epochs(order), 1, 21).reshape(3, 7, 5)
    assert np.array_equal(np.sort(seen, axis=1), np.tile(np.arange(1.0, 8.0)[:, None], (3, 1, 5)))


def test_the_three_orders_differ_in_what_they_draw_afresh():
    fresh, once, given = (
        batches(Epochs(order), 1, 21, chains=50).reshape(3, 7, 50)
        for order in ("reshuffled", "shuffled once", "as given")
    )
    assert not np.array_equal(fresh[0], fresh[1])
    assert np.array_equal(once[0], once[1])
    assert np.array_equal(once[0], once[2])
    assert len(np.unique(once[0], axis=1).T) > 40  # but each chain has its own
    assert np.array_equal(given, np.tile(np.arange(1.0, 8.0)[:, None], (3, 1, 50)))


def test_a_batch_that_is_left_over_is_smaller_or_dropped_as_in_a_dataloader():
    kept = batches(Epochs("as given"), 3, 6, chains=1)[:, 0]
    assert kept.tolist() == [2.0, 5.0, 7.0] * 2
    dropped = batches(Epochs("as given", drop_last=True), 3, 4, chains=1)[:, 0]
    assert dropped.tolist() == [2.0, 5.0] * 2


def test_every_order_of_the_examples_is_as_likely_as_another():
    loss = DataLoss(-u * x, x, u, [1.0, 10.0, 100.0])
    seen = batches(Epochs(), 1, 6, chains=30_000, loss=loss).reshape(2, 3, -1)
    for epoch in seen:
        orders, counts = np.unique(epoch, axis=1, return_counts=True)
        assert orders.shape == (3, 6)
        assert np.abs(counts / 5_000 - 1).max() < 4 * np.sqrt(5 / 6 / 5_000)
    # A new epoch does not remember the old one.
    same = (seen[0] == seen[1]).all(axis=0).mean()
    assert abs(same - 1 / 6) < 4 * np.sqrt(5 / 36 / 30_000)


def test_the_covariances_of_the_batches_of_an_epoch_are_those_of_the_docstring():
    n, size = 12, 3
    first, second, *_ = seen = batches(Epochs(), size, 4, chains=40_000, loss=MEAN_SQUARE)
    sigma = DATA.var()
    alone = sigma * (n - size) / (size * (n - 1))
    assert abs(estimate.variance(first).z(alone)) < 4
    assert abs(estimate.variance(first).z(sigma / size)) > 8
    both = (first - DATA.mean()) * (second - DATA.mean())
    assert abs(estimate.mean(both).z(-sigma / (n - 1))) < 4
    assert abs(estimate.mean(both).z(0.0)) > 8
    assert np.allclose(seen.sum(0) / 4, DATA.mean())


def test_a_batch_of_all_examples_has_no_noise():
    told = {"start": 0.0, "chains": 50, "steps": 40, "rng": 1}
    run = simulate(SGD(0.1, batch_size=12), MEAN_SQUARE, Epochs(), **told)
    assert np.ptp(run.samples) < 1e-15
    assert run.samples[0] == pytest.approx(DATA.mean() * (1 - 0.9**40), rel=1e-12)


def epoch_noise(rate, size):
    """Variance of what one epoch adds to x, for the mean square of DATA.

    Of m batches of the variance c, two have the covariance −c/(m − 1), and the
    j-th last is multiplied by aʲ, a = 1 − η.
    """
    m, a = len(DATA) // size, 1 - rate
    c = DATA.var() * (len(DATA) - size) / (size * (len(DATA) - 1))
    weights = a ** np.arange(m)
    squares, square = (weights**2).sum(), weights.sum() ** 2
    return rate**2 * c * (squares - (square - squares) / (m - 1)), a**m


@pytest.mark.parametrize("size", [1, 2, 4])
def test_reshuffled_sgd_on_a_quadratic_reaches_the_exact_variance(size):
    rate, m = 0.3, 12 // size
    told = {"start": DATA.mean(), "chains": 20_000, "steps": 20 * m, "rng": 4}
    run = simulate(SGD(rate, batch_size=size), MEAN_SQUARE, Epochs(), **told)
    noise, keep = epoch_noise(rate, size)
    measured = estimate.variance(run.samples)
    assert abs(measured.z(noise / (1 - keep**2))) < 4
    # Independent batches, even without replacement, are far off.
    c = DATA.var() * (12 - size) / (size * 11)
    assert abs(measured.z(rate**2 * c / (1 - (1 - rate) ** 2))) > 8


def test_one_order_for_ever_ends_in_a_cycle_of_its_own():
    rate, m = 0.3, 6
    told = {"start": 0.0, "chains": 20_000, "steps": 30 * m, "rng": 5, "record_every": m}
    run = simulate(SGD(rate, batch_size=2), MEAN_SQUARE, Epochs("shuffled once"), **told)
    assert np.allclose(run.path[-1], run.path[-2], atol=1e-12)
    noise, keep = epoch_noise(rate, 2)
    measured = estimate.variance(run.samples)
    assert abs(measured.z(noise / (1 - keep) ** 2)) < 4
    assert abs(measured.z(noise / (1 - keep**2))) > 8


@pytest.mark.parametrize("order", ["reshuffled", "shuffled once", "as given"])
def test_epochs_give_the_same_bits_on_threads_and_processes(order):
    loss = DataLoss((x - u) ** 4 / 4 + y**2 * u**2, (x, y), u, DATA)
    run = partial(
        simulate, SGD(0.01, momentum=0.5, batch_size=5), loss, Epochs(order),
        start=0.5, chains=300, steps=40, rng=7, block=64,
    )  # fmt: skip
    one = run(threads=1).samples
    assert np.array_equal(one, run(threads=3).samples)
    assert np.array_equal(one[:256], run(chains=256).samples)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert np.array_equal(one, run(executor=pool).samples)


def test_a_law_of_epochs_remembers_nothing_between_runs():
    law = Epochs()
    told = {"start": 0.0, "chains": 20, "steps": 17, "rng": 1}
    first = simulate(SGD(0.1, batch_size=5), MEAN_SQUARE, law, **told).samples
    assert np.array_equal(first, simulate(SGD(0.1, batch_size=5), MEAN_SQUARE, law, **told).samples)


@pytest.mark.parametrize("order", ["shuffled once", "as given"])
def test_chains_that_end_leave_the_others_in_their_own_orders(order):
    told = {"start": 0.0, "chains": 400, "steps": 36, "rng": 2}
    free = simulate(SGD(0.3), MEAN_SQUARE, Epochs(order), record_every=1, **told)
    ended = simulate(SGD(0.3), MEAN_SQUARE, Epochs(order), absorb=lambda p: p > 0.5, **told)
    for chain, (step, end) in enumerate(zip(ended.exit_step, ended.samples, strict=True)):
        met = np.flatnonzero(free.path[:, chain] > 0.5)
        assert step == (met[0] if len(met) else -1)
        assert end == free.path[met[0] if len(met) else -1, chain]


def test_reshuffled_chains_that_end_leave_the_others_an_epoch_each():
    steps = 24
    told = {"start": 0.0, "chains": 3_000, "steps": steps, "rng": 2}
    line = DataLoss(-u * x, x, u, DATA)
    run = simulate(SGD(1.0), line, Epochs(), absorb=lambda p: p > 2.5, **told)
    left = run.samples[run.exit_step < 0]
    assert 100 < len(left) < 2_900
    # Two whole epochs of a constant gradient add twice the sum of the data.
    assert np.allclose(left, 2 * DATA.sum())


def test_what_is_no_order_and_what_has_no_examples_is_refused():
    with pytest.raises(ValueError, match="order must be one of"):
        Epochs("random")
    told = {"start": 0.0, "chains": 2, "steps": 2, "rng": 1}
    with pytest.raises(ValueError, match="Epochs needs a DataLoss"):
        simulate(SGD(0.1), Loss(x**2, x), Epochs(), **told)
    with pytest.raises(ValueError, match=r"batch_size must be at most .* 12, .* got 13"):
        simulate(SGD(0.1, batch_size=13), MEAN_SQUARE, Epochs(), **told)
    with pytest.raises(ValueError, match="with replacement"):
        simulate(RMSProp(0.1, per_example=True, batch_size=2), MEAN_SQUARE, Epochs(), **told)


def test_epochs_and_batches_without_replacement_agree_on_the_first_step():
    told = {"start": 0.0, "chains": 20_000, "steps": 1}
    for law, rng in ((Epochs(), 1), (MiniBatch(replace=False), 2)):
        run = simulate(SGD(1.0, batch_size=5), MEAN_SQUARE, law, rng=rng, **told)
        assert abs(estimate.variance(run.samples).z(DATA.var() * 7 / (5 * 11))) < 4
