"""What independent samples say of a number, with its standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from sgdnotes.checks import duration, function, numbers, real, whole
from sgdnotes.experiment.measurement import Estimate, UpperBound

__all__ = [
    "Estimate",
    "UpperBound",
    "covariance",
    "density",
    "event_rate",
    "jackknife",
    "mean",
    "slope",
    "stack",
    "variance",
]

_LARGEST = 1e70


def _samples(samples, least: int, name: str = "samples") -> np.ndarray:
    array = np.asarray(real(name, samples, axes=np.inf))
    if array.ndim == 0 or len(array) < least or not array.size:
        raise ValueError(
            f"{name} must hold at least {least} independent values, got shape {array.shape}"
        )
    # Beyond, squares of squares overflow.
    if not (np.abs(array) < _LARGEST).all():
        raise ValueError(f"{name} must be finite and below {_LARGEST:g} in size, got {array}")
    return array


def _result(value, error) -> Estimate:
    if np.ndim(value) == 0:
        return Estimate(float(value), float(error))
    return Estimate(value, error)


def mean(samples) -> Estimate:
    """Mean over the first axis of independent samples.

    Parameters
    ----------
    samples : (n,) or (n, …) array, n ≥ 2
    """
    samples = _samples(samples, 2)
    return _result(samples.mean(0), samples.std(0, ddof=1) / np.sqrt(len(samples)))


def variance(samples) -> Estimate:
    """Variance over the first axis, with its error from the fourth moment.

    Parameters
    ----------
    samples : (n,) or (n, …) array of independent samples, n ≥ 4
    """
    samples = _samples(samples, 4)
    squares = (samples - samples.mean(0)) ** 2
    n = len(samples)
    found = squares.sum(0) / (n - 1)
    # The second term is all that a fair coin has.
    error = np.sqrt(squares.var(0, ddof=1) / n + 2 * found**2 / (n * (n - 1)))
    return _result(found, error)


def covariance(samples) -> Estimate:
    """Covariance matrix of independent samples, entry by entry.

    Parameters
    ----------
    samples : (n, d) array, n ≥ 4

    Returns
    -------
    Estimate with (d, d) arrays
    """
    samples = _samples(samples, 4)
    if samples.ndim != 2:
        raise ValueError(f"samples must be (n, d), got shape {samples.shape}")
    centred = samples - samples.mean(0)
    products = centred[:, :, None] * centred[:, None, :]
    n = len(samples)
    found = products.sum(0) / (n - 1)
    variances = np.diag(found)
    pairs = np.outer(variances, variances) + found**2
    return Estimate(found, np.sqrt(products.var(0, ddof=1) / n + pairs / (n * (n - 1))))


def jackknife(statistic: Callable, samples, groups: int = 50) -> Estimate:
    """A smooth statistic of independent samples, its error by leaving groups out.

    For a median or a maximum that error means nothing.

    Parameters
    ----------
    statistic : callable
        Takes an array shaped like `samples` with fewer rows, returns a float
        or an array.
    samples : (n, …) array, n ≥ groups
    groups : int
    """
    groups, statistic = whole("groups", groups, 2), function("statistic", statistic)
    samples = _samples(samples, groups)
    parts = np.array_split(samples, groups)

    def told(some):
        found = np.asarray(real("statistic", statistic(some), axes=np.inf))
        if not np.isfinite(found).all():
            raise ValueError(f"statistic must return finite numbers, got {found.tolist()}")
        return found

    left_out = [told(np.concatenate(parts[:k] + parts[k + 1 :])) for k in range(groups)]
    whole_ = told(samples)
    if any(one.shape != whole_.shape for one in left_out):
        raise ValueError("statistic must return the same shape for any number of samples")
    left_out = np.array(left_out)
    spread = ((left_out - left_out.mean(0)) ** 2).sum(0)
    return _result(whole_, np.sqrt((groups - 1) / groups * spread))


def density(samples, edges) -> Estimate:
    """Histogram density in each bin, with its error.

    Parameters
    ----------
    samples : (n,) array of independent samples
    edges : (m + 1,) increasing array

    Returns
    -------
    Estimate with (m,) arrays, in units of 1/x.

    Notes
    -----
    A bin that holds too few samples by chance has too small a binomial error √(s(1 − s)/n),
    and the truth then seems many errors away. So the share s is counted with eight
    samples more inside and eight more outside: those of Agresti and Coull (1998)
    for four standard errors, half of 4² each. Where a bin holds hundreds it is no matter.
    """
    samples = _samples(samples, 2)
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise ValueError(f"samples must be (n,) and finite, got shape {samples.shape}")
    edges = numbers("edges", edges)
    rises = edges.ndim == 1 and len(edges) > 1 and (np.diff(edges) > 0).all()
    if not rises or not np.isfinite(edges).all():
        raise ValueError("edges must be a 1-D increasing array of at least 2 finite values")
    n = len(samples)
    counts, _ = np.histogram(samples, edges)
    share, width = (counts + 8) / (n + 16), np.diff(edges)
    return Estimate(counts / n / width, np.sqrt(share * (1 - share) / n) / width)


def stack(estimates: Iterable[Estimate]) -> Estimate:
    """Several estimates as one, along a new first axis."""
    estimates = list(estimates) if isinstance(estimates, Iterable) else [estimates]
    if not estimates or not all(isinstance(one, Estimate) for one in estimates):
        raise ValueError(f"estimates must hold Estimates, and at least one, got {estimates}")
    return Estimate(
        np.array([one.value for one in estimates]),
        np.array([one.standard_error for one in estimates]),
    )


def slope(x, y: Estimate) -> Estimate:
    """Slope of the straight line through (x, y), weighted by 1/error².

    Parameters
    ----------
    x : (n,) array, n ≥ 3
    y : Estimate of n values, independent of each other
    """
    x = _samples(x, 3, "x")
    if not np.isfinite(x).all():
        raise ValueError(f"x must be finite, got {x}")
    if not isinstance(y, Estimate):
        raise ValueError(f"y must be an Estimate, got {y!r}")
    if np.shape(y.value) != x.shape:
        raise ValueError(f"y must hold one value for each x, {x.shape}, got {np.shape(y.value)}")
    if np.ptp(x) == 0:
        raise ValueError("x must hold at least two different values")
    # In units of the smallest error, so that no square overflows or vanishes.
    unit = float(np.min(y.standard_error))
    weight = (unit / np.asarray(y.standard_error)) ** 2
    centred = x - (weight * x).sum() / weight.sum()
    spread = (weight * centred**2).sum()
    if not 0 < spread < np.inf:
        raise ValueError(f"x must differ where y is known best, got {x} with {y.standard_error}")
    return Estimate(
        float((weight * centred * y.value).sum() / spread), float(unit / np.sqrt(spread))
    )


def event_rate(
    exit_step,
    steps: int,
    time_step: float = 1.0,
    burn_in: int = 0,
    confidence: float = 0.95,
) -> Estimate | UpperBound:
    """Events per time that chains were there for them, with the Poisson error.

    Parameters
    ----------
    exit_step : (chains,) array of int
        The step that ended each chain, or −1: `Run.exit_step`.
    steps : int
        How many steps there were: `Run.steps`.
    time_step : float
        The time of one step; for SGD the learning rate.
    burn_in : int
        Steps, and the chains that they end, that do not count: until the
        others have forgotten where they started.
    confidence : float
        Of the bound, if there were no events.

    Returns
    -------
    Estimate or UpperBound
        k/t ± √k/t after k events in the time t, or, after none, the bound
        −ln(1 − confidence)/t.

    Raises
    ------
    ValueError
        If an argument is not as above, or no chain outlives the burn-in.
    """
    steps, burn_in = whole("steps", steps, 1), whole("burn_in", burn_in, 0)
    numbers("exit_step", exit_step)
    exit_step = np.asarray(exit_step)
    if exit_step.ndim != 1 or not len(exit_step) or exit_step.dtype.kind not in "iu":
        raise ValueError(
            f"exit_step must be a (chains,) array of int, got {exit_step.dtype} of shape "
            f"{exit_step.shape}"
        )
    exit_step = exit_step.astype(np.int64)  # a short type would wrap
    if not ((exit_step == -1) | ((exit_step >= 1) & (exit_step <= steps))).all():
        raise ValueError(
            f"exit_step must be -1 or from 1 to steps = {steps}, "
            f"got {exit_step.min()} to {exit_step.max()}"
        )
    time_step, confidence = duration("time_step", time_step), real("confidence", confidence)
    if not 0 <= burn_in < steps:
        raise ValueError(f"burn_in must be at least 0 and below steps = {steps}, got {burn_in!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence!r}")
    last = np.where(exit_step < 0, steps, exit_step)
    time = float(np.maximum(last - burn_in, 0).sum() * time_step)
    if not time:
        raise ValueError(f"burn_in must leave some chains, got {burn_in!r}: all ended before it")
    events = int((exit_step > burn_in).sum())
    if not events:
        return UpperBound(float(-np.log1p(-confidence)) / time, confidence)
    return Estimate(events / time, float(np.sqrt(events)) / time)
