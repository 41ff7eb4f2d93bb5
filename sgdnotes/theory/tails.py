"""Theory: noise that multiplies, the power law that it leaves, and three edges of stability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from scipy.optimize import brentq

from sgdnotes.checks import positive, shaped, whole

__all__ = ["Edges", "stability_edges", "tail_index"]

_MOST = 2_000_000  # batches that are enumerated
_GRID = 4000  # learning rates between the first edge and the last that are tried


@dataclass(frozen=True)
class Edges:
    """Learning rates at which something of one parameter's law ends.

    Attributes
    ----------
    variance : float
        Above it, the stationary law has an infinite variance: E(1 − ηā)² = 1.
    law : float
        Above it, there is no stationary law: E log abs(1 − ηā) = 0, the Lyapunov exponent.
    mean : float
        Above it, the mean, averaged over runs, grows: abs(1 − ηE a) = 1.
    """

    variance: float
    law: float
    mean: float


def _batches(curvatures, batch_size: int):
    """Every mean of B draws with replacement, and its chance."""
    a = shaped("curvatures", curvatures, (None,))
    if not a.mean() > 0:
        raise ValueError(f"curvatures must have a positive mean, got {a.mean():.6g}")
    batch_size = whole("batch_size", batch_size, 1)
    if batch_size == 1:
        return a, np.full(len(a), 1 / len(a))
    values, counts = np.unique(a, return_counts=True)
    if math.comb(len(values) + batch_size - 1, batch_size) * batch_size > _MOST:
        raise ValueError(
            f"batch_size = {batch_size} of {len(values)} curvatures makes too many batches: "
            "give the means of many drawn batches as curvatures"
        )
    index = np.array(list(combinations_with_replacement(range(len(values)), batch_size)))
    log_share = np.log(counts / len(a))
    # B!/∏(how often each)!, from the lengths of runs: the index is sorted.
    run, log_ways = np.ones(len(index)), np.full(len(index), math.lgamma(batch_size + 1))
    for k in range(1, batch_size):
        run = np.where(index[:, k] == index[:, k - 1], run + 1, 1)
        log_ways -= np.log(run)
    return values[index].mean(1), np.exp(log_ways + log_share[index].sum(1))


def _log_size(a, rate):
    """log|1 − ηa|, with all digits also where ηa is small."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.log1p(np.maximum(-rate * a, rate * a - 2))


def _lyapunov(a, chance, rate):
    return float(chance @ _log_size(a, rate))


def tail_index(curvatures, learning_rate: float, batch_size: int = 1) -> float:
    """Kesten's κ > 0 with E abs(1 − ηā)^κ = 1: P(abs(x) > u) falls as u^−κ.

    For x ← x − η(āx + b̄), ā and b̄ the means over a batch drawn afresh, with
    replacement. Moments below κ are finite; with κ ≤ 2 the variance is not.

    Parameters
    ----------
    curvatures : (n,) array
        a_i of each example; their mean must be positive.
    learning_rate : float
    batch_size : int

    Returns
    -------
    float
        inf, if no batch makes abs(1 − ηā) > 1: the law then has no power tail.

    Raises
    ------
    ValueError
        If an argument is not as above, there is no stationary law at this learning
        rate, or the batches are too many to be enumerated.

    Notes
    -----
    Kesten (1973); Goldie (1991); for SGD, Gürbüzbalaban, Şimşekli and Zhu (2021). A
    power law needs b̄ that is not always a multiple of ā.
    """
    learning_rate = positive("learning_rate", learning_rate)
    a, chance = _batches(curvatures, batch_size)
    exponent = _lyapunov(a, chance, learning_rate)
    if not exponent < 0:
        raise ValueError(
            f"learning_rate must be smaller: at {learning_rate!r} there is no stationary law, "
            f"E log|1 − ηa| = {exponent:.3g}"
        )
    size = _log_size(a, learning_rate)
    if not size.max() > 0:
        return math.inf

    def gap(kappa):
        # log E exp(κ·size), divided by κ: −|E size| near 0, rising.
        shift = size.max() if kappa * size.max() > 1 else 0.0  # no power overflows
        return shift + np.log1p(chance @ np.expm1(kappa * (size - shift))) / kappa

    high = 1.0
    while gap(high) < 0:
        high *= 2
    low = high
    while gap(low) > 0:
        low /= 2
        if low < 1e-12:
            raise ValueError(f"learning_rate must be smaller: at {learning_rate!r}, κ is 0")
    return float(brentq(gap, low, high, xtol=1e-14, rtol=1e-12)) if low < high else low


def stability_edges(curvatures, batch_size: int = 1) -> Edges:
    """Where the variance, the law and the mean of one parameter end, as η grows.

    Parameters
    ----------
    curvatures, batch_size
        As in `tail_index`.

    Returns
    -------
    Edges
        `law` is the first η above `variance` at which the Lyapunov exponent turns
        positive, up to a fine grid; a finite sample has narrow dips near 1/a_i beyond.

    Raises
    ------
    ValueError
        As `tail_index`.
    """
    a, chance = _batches(curvatures, batch_size)
    unit = np.abs(a).max()  # no square of it overflows
    a = a / unit
    first, second = float(chance @ a), float(chance @ a**2)
    variance, mean = 2 * first / second, 2 / first
    far = 4 / np.abs(a[a != 0]).min()  # |1 − ηa| > 1 for all but a = 0
    grid = np.geomspace(variance, max(far, mean), _GRID)[1:]
    below = variance
    for rate in grid:
        if _lyapunov(a, chance, rate) > 0:
            break
        below = rate
    if below == variance and abs(_lyapunov(a, chance, below)) < 1e-12:
        return Edges(variance / unit, variance / unit, mean / unit)
    law = brentq(lambda r: max(_lyapunov(a, chance, r), -1e3), below, rate, xtol=1e-14)
    return Edges(variance / unit, float(law) / unit, mean / unit)
