"""Error bars of samples that follow one another: the points of one long chain."""

from __future__ import annotations

import numpy as np

from sgdnotes.checks import real
from sgdnotes.experiment.measurement import Estimate

__all__ = ["autocorrelation_time", "time_average"]

_WINDOW = 5.0  # Sokal's c: lags are summed up to so many times the memory
_LENGTH = 100.0  # and the series must be so many times longer than it


def autocorrelation_time(series) -> Estimate:
    """The integrated autocorrelation time τ of a stationary series, in its steps.

    τ = 1 + 2 Σ ρ(k), where ρ(k) is the correlation of two points k steps
    apart. A mean over n points in a row has the variance σ²τ/n: they are worth
    n/τ independent ones.

    Parameters
    ----------
    series : (n,) or (n, chains) array
        Time comes first, as in `Run.path`; several chains are independent of
        each other, and have one mean.

    Returns
    -------
    Estimate
        For x′ = ax + ξ it is (1 + a)/(1 − a).

    Raises
    ------
    ValueError
        If the series is constant, or not longer than 100 times the memory that
        it shows, which is τ unless the chain alternates. A series much
        shorter than its memory cannot know how long that is.

    Notes
    -----
    Sokal's window (1997, "Monte Carlo methods in statistical mechanics",
    section 3): the sum ends at the first lag M ≥ 5τ(M), and the relative
    error of τ is √(2(2M + 1)/n). To find M, lags are added in pairs, as Geyer
    does (1992, "Practical Markov chain Monte Carlo"), and in units of the
    first pair: so it holds for a chain that alternates, down to a = −½ or so.
    What is missed of the tail is e⁻¹⁰ if correlations fall like e^(−2k/τ), but
    more if they have a small and slow part, such as rare jumps between two
    wells: chains that begin in both show it.
    """
    return _analysed(series)[0]


def time_average(series) -> Estimate:
    """Mean over the points of one long chain, or several, that are not independent.

    The burn-in must be gone. For another moment, give its series: the variance
    is the time average of (x − x̄)².

    Parameters
    ----------
    series : (n,) or (n, chains) array
        As for `autocorrelation_time`.

    Returns
    -------
    Estimate
        x̄ ± √(σ²τ/n), n the number of all points.

    Raises
    ------
    ValueError
        As for `autocorrelation_time`.
    """
    time, mean, variance, n = _analysed(series)
    return Estimate(mean, float(np.sqrt(variance * time.value / n)))


def _analysed(series) -> tuple[Estimate, float, float, int]:
    """τ, the mean, the variance σ² and the number of points."""
    series = np.asarray(real("series", series, axes=2))
    if series.ndim == 0 or len(series) < 2 or not series.size:
        raise ValueError(f"series must be (n,) or (n, chains), got shape {series.shape}")
    if not (np.abs(series) < 1e150).all():  # beyond, squares overflow
        raise ValueError("series must be finite and below 1e150, got nan, inf or more")
    chains = series.reshape(len(series), -1)
    n, mean = chains.size, float(chains.mean())
    covariance = _autocovariance(chains - mean)
    if not covariance[0] > 1e-28 * mean**2:
        raise ValueError("series must vary: what is constant has no correlation time")
    correlation = covariance / covariance[0]
    # Two lags at a time: those of a chain that alternates add up to little, and slowly.
    pairs = correlation[: len(correlation) // 2 * 2].reshape(-1, 2).sum(axis=1)
    first = pairs[0] if pairs[0] > 0 else np.inf
    memory = 2 * (2 * np.cumsum(pairs / first) - 1)  # in steps
    beyond = 2 * np.arange(len(pairs)) >= _WINDOW * memory
    window = 2 * int(np.argmax(beyond)) + 1
    if not beyond.any() or pairs[0] <= 0 or n < _LENGTH * max(memory[window // 2], 1):
        raise ValueError(
            f"series must be longer than {_LENGTH:g} times its memory: {n} points show one of "
            f"{max(memory.max(), 1):.3g} steps or more"
        )
    tau = 2 * correlation[: window + 1].sum() - 1
    # The mean was fitted: each lag lacks the variance of the mean, σ²τ/n.
    lost = tau / n
    tau = (tau + (2 * window + 1) * lost) / (1 + lost)
    if not tau > 0:  # alternating correlations, and too few points to see what they leave
        raise ValueError(f"series must be longer: its correlations add up to {tau:.3g}")
    error = tau * np.sqrt(2 * (2 * window + 1) / n)
    return Estimate(float(tau), float(error)), mean, float(covariance[0] * (1 + lost)), n


def _autocovariance(centred: np.ndarray) -> np.ndarray:
    """Of every lag, the mean of all pairs of points that are so far apart: (n,)."""
    n = len(centred)
    padded = np.fft.rfft(centred, 2 * n, axis=0)
    sums = np.fft.irfft((padded * padded.conj()).real, 2 * n, axis=0)[:n].sum(axis=1)
    return sums / (centred.shape[1] * np.arange(n, 0, -1))
