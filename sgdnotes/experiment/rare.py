"""Rare escapes by multilevel splitting: any dynamics, any noise, an honest error."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from sgdnotes.checks import duration, finite, function, generator, numbers, shaped, whole
from sgdnotes.experiment import estimate
from sgdnotes.experiment.estimate import Estimate
from sgdnotes.experiment.simulate import fit
from sgdnotes.experiment.splitting import Splitting

__all__ = ["RareEvents", "rare_event_rate"]

_SHARE = 0.3  # of the walkers that the pilot lets reach the next level
_MOST_LEVELS = 500


@dataclass(frozen=True, eq=False)
class RareEvents:
    """What splitting returns.

    Attributes
    ----------
    rate : Estimate
        Events per unit of time, its error from the independent repetitions.
    repetitions : (r,) array
        The rate that each repetition found.
    levels : (k,) array
        From the edge of the basin to the event.
    flux : float
        Exits from the basin per unit of time.
    chances : (k − 1,) array
        Of reaching the next level before the basin, from each level.
    chain_steps : int
        All steps of all walkers, the pilot's included.
    """

    rate: Estimate
    repetitions: np.ndarray
    levels: np.ndarray
    flux: float
    chances: np.ndarray
    chain_steps: int


def _pilot(split, start, walkers, burn_in, steps, absorb):
    """Levels that about the same share of walkers passes."""
    chains = split.start(start, walkers, 1)
    chains, now = split.settle(chains, burn_in, absorb)
    if (split.score(split.start(start, 1, 1).x) >= absorb).any():
        raise ValueError("start must have a progress below absorb")
    levels = [float(np.median(now))]
    pool, _ = split.exits(chains, steps, levels[0], absorb)
    while len(levels) < _MOST_LEVELS:
        pool = split.resample(pool, walkers, 1)
        best = split.highest(pool, levels[0], absorb)
        level = float(np.quantile(best, 1 - _SHARE))
        if level >= absorb:
            return [*levels, float(absorb)]
        if not level > levels[-1]:
            level = float(best[best > levels[-1]].min(initial=absorb))
        levels.append(level)
        if level >= absorb:
            return levels
        pool = split.climb(pool, levels[0], level)
    raise ValueError(f"absorb must be reachable: {_MOST_LEVELS} levels end at {levels[-1]:.6g}")


def _repetitions(split, start, walkers, groups, burn_in, steps, levels):
    """The rate a step that each repetition finds, the flux, and the chances."""
    edge, absorb = levels[0], levels[-1]
    chains, _ = split.settle(split.start(start, walkers, groups), burn_in, absorb)
    pool, flux = split.exits(chains, steps, edge, absorb)
    rate, chances = flux.copy(), []
    for level in levels[1:]:
        tried = split.resample(pool, walkers, groups)
        pool = split.climb(tried, edge, level)
        won = np.zeros(groups)
        if pool is not None:
            won = np.bincount(pool.group, minlength=groups) / walkers
        rate *= won
        chances.append(won)
        if pool is None:
            break
    return rate, flux, chances


def rare_event_rate(
    dynamics,
    loss,
    noise=None,
    *,
    start,
    progress: Callable,
    absorb: float,
    walkers: int,
    burn_in: int,
    steps: int,
    rng: int | np.random.Generator,
    repetitions: int = 16,
    levels: Sequence[float] | None = None,
    time_step: float = 1.0,
    threads: int | None = None,
) -> RareEvents:
    """How often settled chains get to where `progress` is `absorb` or more.

    The rate is the flux out of a basin, {progress < levels[0]}, times the chances
    to reach each level before the basin, given the one below. Chains are copied
    at the levels with all that they remember, so that momentum is carried over.
    Given the levels, a repetition's expectation is the rate, for any number of
    walkers, once the chains are settled; the pilot that finds the levels has a
    stream of its own.

    Parameters
    ----------
    dynamics, loss, noise
        As in `simulate`; a dynamics that does not change with time, and a noise that
        is drawn afresh at each step, as `Epochs` is not.
    start : float or (d,) array
        In the basin; all chains start there.
    progress : callable
        Takes (m,) or (m, d) points, returns (m,) numbers. Any function will do; a
        good one rises along the path of escape.
    absorb : float
        The event: progress ≥ absorb after a step.
    walkers : int
        Chains, and walkers on each level, of each repetition.
    burn_in : int
        Steps until the chains are settled. Those that reach `absorb` are replaced
        by a copy of another (Fleming and Viot): settled means given survival.
    steps : int
        Steps in which exits from the basin are counted.
    rng : int or numpy.random.Generator
    repetitions : int
        Independent ones, at least 2; the error has repetitions − 1 degrees of freedom.
    levels : increasing sequence of float, optional
        Found by a pilot run if not given. The last is replaced by `absorb`.
    time_step : float
        The time of one step; for SGD the learning rate.
    threads : int, optional
        The repetitions are shared among them; the result is the same for any number.

    Returns
    -------
    RareEvents

    Raises
    ------
    ValueError
        If an argument is not as above, no walker arrives, or no level is found.

    Notes
    -----
    Splitting: Kahn and Harris (1951); forward flux sampling: Allen, Frenkel and ten
    Wolde (2006). After a step a chain may be beyond several levels: it then passes
    them all. Against the settled chain's own rate there is a bias of relative order
    of the chance to leave on one excursion, small where the event is rare.
    """
    walkers, steps = whole("walkers", walkers, 10), whole("steps", steps, 1)
    burn_in, repetitions = whole("burn_in", burn_in, 1), whole("repetitions", repetitions, 2)
    time_step, absorb = duration("time_step", time_step), finite("absorb", absorb)
    fit(dynamics, loss, noise)
    function("progress", progress)
    start = shaped("start", start, (), *([(loss.dimension,)] if loss.dimension > 1 else []))
    threads = whole("threads", os.cpu_count() or 1 if threads is None else threads, 1)
    if callable(getattr(dynamics, "learning_rate", None)):
        raise ValueError("dynamics must not change with time, got a schedule of learning rates")
    if hasattr(noise, "for_chains"):
        raise ValueError(f"noise must not remember its chains, or they cannot be copied: {noise!r}")
    parts = min(4, repetitions)
    seeds = generator("rng", rng).bit_generator.seed_seq.spawn(parts + 1)
    splits = [
        Splitting(dynamics, loss, noise, progress, np.random.Generator(np.random.SFC64(s)))
        for s in seeds
    ]
    if levels is None:
        levels = _pilot(splits[-1], start, 4 * walkers, burn_in, steps, absorb)
    levels = numbers("levels", levels)
    if levels.ndim != 1:
        raise ValueError(f"levels must be a sequence of numbers, got shape {levels.shape}")
    levels = np.array([*levels[:-1], absorb])
    if len(levels) < 2 or not (np.diff(levels) > 0).all():
        raise ValueError(f"levels must increase up to absorb, got {levels.tolist()}")
    shares = [len(s) for s in np.array_split(np.arange(repetitions), parts)]

    def one(split, groups):
        return _repetitions(split, start, walkers, groups, burn_in, steps, levels)

    with ThreadPoolExecutor(threads) as pool:
        told = list(pool.map(one, splits, shares))
    found = np.concatenate([rate for rate, _, _ in told]) / time_step
    if not found.any():
        raise ValueError("walkers must be more, or the levels closer: no walker arrived")
    full = [t for t in told if len(t[2]) == len(levels) - 1]
    chances = np.mean([np.mean(c, axis=1) for _, _, c in full], axis=0)
    return RareEvents(
        rate=estimate.mean(found),
        repetitions=found,
        levels=levels,
        flux=float(np.concatenate([flux for _, flux, _ in told]).mean() / time_step),
        chances=chances,
        chain_steps=sum(s.chain_steps for s in splits),
    )
