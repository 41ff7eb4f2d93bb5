"""Gradient noise beside curvature, at points and in the planes between eigenvectors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from sgdnotes.checks import generator, loss_of, positive, shaped, whole
from sgdnotes.experiment import estimate
from sgdnotes.experiment.dynamics import SGD
from sgdnotes.experiment.estimate import Estimate
from sgdnotes.experiment.noise import ONE_BY_ONE, MiniBatch
from sgdnotes.experiment.simulate import simulate

__all__ = ["current", "noise_kurtosis", "noise_matrix", "top_curvatures"]


def top_curvatures(loss, x, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues of the Hessian and their eigenvectors, by Lanczos's method.

    Parameters
    ----------
    loss : Network
        It must know `hessian_product`.
    x : (d,) array
    count : int
        Below d.

    Returns
    -------
    values : (count,) array, falling
    vectors : (d, count) array, orthonormal columns
    """
    d = loss_of(loss, knows=["hessian_product"]).dimension
    x, count = shaped("x", x, (d,)), whole("count", count, 1)
    if not count < d:
        raise ValueError(f"count must be below the dimension {d}, got {count}")
    product = LinearOperator((d, d), matvec=lambda v: loss.hessian_product(x, v.ravel()))
    begin = np.random.default_rng(0).standard_normal(d)
    values, vectors = eigsh(product, count, which="LA", v0=begin, tol=1e-7)
    return values[::-1].copy(), vectors[:, ::-1].copy()


def _along(loss, x, vectors) -> np.ndarray:
    """How far each example's gradient at `x` is from the mean, along the vectors: (n, k)."""
    d = loss_of(loss, knows=["example_gradients"]).dimension
    along = loss.example_gradients(shaped("x", x, (d,))) @ shaped("vectors", vectors, (d, None))
    return along - along.mean(0)


def noise_matrix(loss, x, vectors) -> np.ndarray:
    """VᵀΣV, Σ the covariance of one example's gradient at `x`: a (k, k) array.

    Parameters
    ----------
    loss : Network or DataLoss of d > 1 parameters
    x : (d,) array
    vectors : (d, k) array
        The columns of V.
    """
    along = _along(loss, x, vectors)
    return along.T @ along / len(along)


def noise_kurtosis(
    loss, x, vectors, batch_sizes: Sequence[int], draws: int, rng
) -> tuple[np.ndarray, Estimate]:
    """Excess kurtosis of a batch's gradient along directions.

    Parameters
    ----------
    loss, x, vectors
        As in `noise_matrix`.
    batch_sizes : sequence of int
        B; drawn with replacement.
    draws : int
        Batches that are drawn for each B, at least 100.
    rng : int or numpy.random.Generator

    Returns
    -------
    one : (k,) array
        The excess kurtosis of one example's gradient, over all examples: exact.
        For B it is this over B, since cumulants of independent draws add.
    drawn : Estimate of (len(batch_sizes), k) arrays
        Measured, without bias, and with its exact standard error.

    Raises
    ------
    ValueError
        If an argument is not as above, or a batch's gradient has only one size, or two,
        as of up to three fair coins: the kurtosis then has no error.

    Notes
    -----
    All moments m_j of a batch's gradient are known from those of one example, in units
    of its standard deviation. So nothing is divided by a variance from the same draws,
    which is small whenever the fourth moment is, and whose error is then too small. The
    mean of u⁴ − b(u² − 1), with b = (m₆ − m₄)/(m₄ − 1), has the expectation m₄ whatever b
    is; this b makes its variance the least, m₈ − m₄² − b²(m₄ − 1): a quarter of that of u⁴
    for a normal law.
    """
    draws, rng = whole("draws", draws, 100), generator("rng", rng)
    along = _along(loss, x, vectors)
    along = along / along.std(0)
    found = []
    for batch_size in shaped("batch_sizes", batch_sizes, (None,)):
        sums = np.zeros((draws, along.shape[1]))
        for _ in range(whole("batch_sizes", batch_size, 1, ONE_BY_ONE)):
            sums += along[rng.integers(len(along), size=draws)]
        square = sums**2 / batch_size
        m4, m6, m8 = _moments_of_a_mean(along, batch_size)[4::2]
        slope = (m6 - m4) / np.where(m4 > 1, m4 - 1, np.inf)
        variance = m8 - m4**2 - slope**2 * (m4 - 1)
        value = (square**2 - slope * (square - 1)).mean(0) - 3.0
        found.append(Estimate(value, np.sqrt(variance.clip(min=0.0) / draws)))
    return (along**4).mean(0) - 3.0, estimate.stack(found)


def _moments_of_a_mean(samples, count: int) -> np.ndarray:
    """Moments 0 to 8 of √count times a mean of so many draws from samples of mean 0.

    Cumulants of independent draws add: κ_j becomes κ_j/count^(j/2 − 1).
    """
    one = np.array([(samples**j).mean(0) for j in range(9)])
    cumulants, moments = np.zeros_like(one), np.zeros_like(one)
    moments[0] = 1.0
    for n in range(1, 9):
        below = sum(comb(n - 1, k - 1) * cumulants[k] * one[n - k] for k in range(1, n))
        cumulants[n] = one[n] - below
        moments[n] = sum(
            comb(n - 1, k - 1) * cumulants[k] * float(count) ** (1 - k / 2) * moments[n - k]
            for k in range(1, n + 1)
        )
    return moments


def current(
    loss, centre, vectors, learning_rate: float, batch_size: int, *,
    chains: int, burn_in: int, looks: int, stride: int, rng,
) -> dict[str, list | Estimate]:  # fmt: skip
    """How plain SGD turns in the planes of directions: E[ΔΦ ∧ Φ], settled.

    In the plane (i, j) it is E[ΔΦ_i Φ_j − ΔΦ_j Φ_i], which is 0 for every pair
    where there is detailed balance.

    Parameters
    ----------
    loss : Network or DataLoss of d > 1 parameters
    centre : (d,) array
        Where the chains begin, and from where Φ is counted.
    vectors : (d, k) array, orthonormal columns
    learning_rate, batch_size
        η and B.
    chains : int, at least 2
    burn_in, looks, stride : int
        Steps before the first look, looks, and steps between two.
    rng : int or numpy.random.Generator

    Returns
    -------
    dict
        "pairs", a list of (i, j); and Estimates of one value a pair, errors over the
        chains: "moved", with the step that the chain took, and "expected_move", with
        its mean −η∇L given Φ, which has less noise and the same expectation.
    """
    d = loss_of(loss).dimension
    centre, vectors = shaped("centre", centre, (d,)), shaped("vectors", vectors, (d, None))
    if vectors.shape[1] < 2:
        raise ValueError(f"vectors must be two columns or more, got shape {vectors.shape}")
    chains, rng = whole("chains", chains, 2), generator("rng", rng)
    learning_rate = positive("learning_rate", learning_rate)
    pairs = list(combinations(range(vectors.shape[1]), 2))
    dynamics = SGD(learning_rate, batch_size=batch_size)
    first, second = np.array(pairs).T

    def wedge(move, place):
        return move[:, first] * place[:, second] - move[:, second] * place[:, first]

    def go(start, steps):
        return simulate(
            dynamics, loss, MiniBatch(), start=start, chains=chains, steps=steps, rng=rng,
            block=max(1, chains // 4),
        ).samples  # fmt: skip

    x = go(centre, whole("burn_in", burn_in, 1))
    moved, expected = 0.0, 0.0
    for _ in range(whole("looks", looks, 1)):
        place = (x - centre) @ vectors
        after = go(x, 1)
        moved = moved + wedge((after - x) @ vectors, place) / looks
        expected = expected + wedge(-learning_rate * loss.gradient(x) @ vectors, place) / looks
        x = go(after, whole("stride", stride, 1))
    return {
        "pairs": pairs,
        "moved": estimate.mean(moved),
        "expected_move": estimate.mean(expected),
    }
