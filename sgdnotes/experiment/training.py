"""What a loss of many parameters does while SGD trains it: thermometer, plateaus, clocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sgdnotes.checks import generator, loss_of, positive, shaped, whole
from sgdnotes.experiment import estimate
from sgdnotes.experiment.dynamics import SGD
from sgdnotes.experiment.estimate import Estimate
from sgdnotes.experiment.noise import Gaussian, MiniBatch
from sgdnotes.experiment.rate import batch_of
from sgdnotes.experiment.simulate import simulate

__all__ = ["descend", "equal_time", "follow", "plateau", "staircase", "stationary_thermometer"]

_LONGEST = 1e9  # steps
_FAR = 1e15  # a chain that gets there has run away
_BLOCK = 8  # chains that share a stream, if a quarter of them are not more


def _points(loss, start, *knows: str) -> np.ndarray:
    """The chains' starts (chains, d), if the loss is one that has these methods."""
    return shaped("start", start, (None, loss_of(loss, knows=knows).dimension))


def _go(dynamics, loss, start, steps, rng, noise=None, **told):
    noise = MiniBatch() if noise is None else noise
    run = simulate(
        dynamics, loss, noise, start=start, chains=len(start), steps=steps, rng=rng,
        block=max(_BLOCK, len(start) // 4), **told,
    )  # fmt: skip
    if not np.abs(run.samples).max() < _FAR:
        raise ValueError("learning_rate must be smaller: chains run away beyond 1e15")
    return run


def descend(loss, start, learning_rate: float, steps: int) -> np.ndarray:
    """Where gradient descent without noise is after so many steps.

    Parameters
    ----------
    loss : Network or DataLoss of d > 1 parameters
    start : (chains, d) array
    learning_rate : float
    steps : int

    Returns
    -------
    (chains, d) array
    """
    still = Gaussian(0.0)
    learning_rate = positive("learning_rate", learning_rate)
    return _go(SGD(learning_rate), loss, _points(loss, start), steps, 0, noise=still).samples


def _squares(loss, x, batch_size):
    """At each point Φ·∇L, E‖ĝ‖² for batches drawn with replacement, ‖g‖² and tr Σ."""
    left = (x * loss.gradient(x)).sum(-1)
    square, spread = loss.gradient_moments(x)
    return left, square + spread / batch_size, square, spread


def follow(
    loss, start, learning_rate: float, batch_size: int, steps: int, every: int, rng
) -> dict[str, np.ndarray | Estimate]:
    """Training by plain SGD, looked at every so many steps.

    Parameters
    ----------
    loss : Network
    start : (chains, d) array, chains ≥ 2
    learning_rate : float
        η.
    batch_size : int
        B; batches are drawn with replacement.
    steps, every : int
    rng : int or numpy.random.Generator

    Returns
    -------
    dict
        "steps", an array, and Estimates of one value a look, with errors over the
        chains: "loss"; "left" Φ·∇L and "right" ηE‖ĝ‖²/2, whose means agree once
        the chains are stationary (Yaida, 2019), for whatever loss, and their
        "gap" left − right; "noise_scale" tr Σ/‖g‖² as a ratio of means (McCandlish
        and others, 2018: the batch at which noise and gradient are equal).

    Notes
    -----
    E‖ĝ‖² = ‖g‖² + tr Σ/B is computed at each point from all examples, not drawn:
    that leaves the spread over Φ as the only one.
    """
    start, every = _points(loss, start, "gradient_moments"), whole("every", every, 1)
    learning_rate = positive("learning_rate", learning_rate)
    batch_size = batch_of(batch_size)
    run = _go(
        SGD(learning_rate, batch_size=batch_size), loss, start, steps, rng, record_every=every
    )
    rows = {"loss": [], "left": [], "right": [], "gap": [], "noise_scale": []}
    for x in run.path:
        left, second, square, spread = _squares(loss, x, batch_size)
        right = learning_rate / 2 * second
        for name, seen in zip(rows, (loss.value(x), left, right, left - right, None), strict=True):
            rows[name].append(estimate.mean(seen) if seen is not None else _ratio(spread, square))
    return {"steps": run.path_steps} | {k: estimate.stack(v) for k, v in rows.items()}


def _ratio(top, bottom) -> Estimate:
    """Of two means over the same chains, the error by leaving each out."""
    both = np.stack([top, bottom], axis=1)
    return estimate.jackknife(lambda s: s[:, 0].mean() / s[:, 1].mean(), both, len(both))


def _every(steps: int, burn_in: int, looks: int) -> int:
    """Steps between two of so many looks after the burn-in."""
    left = whole("steps", steps, 1) - whole("burn_in", burn_in, 0)
    return max(1, left // whole("looks", looks, 1))


def plateau(
    dynamics, loss, start, steps: int, burn_in: int, rng, noise=None, looks: int = 40
) -> Estimate:
    """The mean training loss of settled chains, the error over the chains.

    Parameters
    ----------
    dynamics : of `sgdnotes.experiment`
    loss : Network or DataLoss
    start : (chains, d) array, chains ≥ 2
    steps, burn_in : int
        Steps in all, and those before the loss is looked at.
    rng : int or numpy.random.Generator
    noise : of `sgdnotes.experiment`, optional
        Batches drawn with replacement, if none is given.
    looks : int
        At the loss, evenly over what follows the burn-in.
    """
    start, every = _points(loss, start), _every(steps, burn_in, looks)
    run = _go(
        dynamics, loss, start, steps, rng, noise,
        burn_in=burn_in, observe=loss.value, observe_every=every,
    )  # fmt: skip
    return estimate.mean(run.average)


def stationary_thermometer(
    loss, start, learning_rate: float, batch_size: int, steps: int, burn_in: int, rng, looks=40
) -> dict[str, Estimate]:
    """Both sides of E[Φ·∇L] = ηE‖ĝ‖²/2, over time and chains, for plain SGD.

    Parameters
    ----------
    As in `follow` and `plateau`.

    Returns
    -------
    dict of Estimates
        "left", "right", their "gap", and "ratio" left/right.
    """
    start, every = _points(loss, start, "gradient_moments"), _every(steps, burn_in, looks)
    learning_rate = positive("learning_rate", learning_rate)
    batch_size = batch_of(batch_size)

    def sides(x):
        left, second, *_ = _squares(loss, x, batch_size)
        return np.stack([left, learning_rate / 2 * second], axis=1)

    run = _go(
        SGD(learning_rate, batch_size=batch_size), loss, start, steps, rng,
        burn_in=burn_in, observe=sides, observe_every=every,
    )  # fmt: skip
    left, right = run.average.T
    return {
        "left": estimate.mean(left),
        "right": estimate.mean(right),
        "gap": estimate.mean(left - right),
        "ratio": _ratio(left, right),
    }


def staircase(
    loss, start, learning_rates: Sequence[float], batch_size: int, times: float, every: int, rng
) -> dict[str, np.ndarray | Estimate]:
    """The loss while the learning rate drops, one stair after the other.

    Parameters
    ----------
    loss, start, batch_size, rng
        As in `follow`.
    learning_rates : sequence of float
    times : float
        SDE time on each stair: times/η steps.
    every : int
        Looks at the loss on each stair.

    Returns
    -------
    dict
        "time", "loss" (Estimate) at every look, and for each stair "plateau", the mean
        loss over its second half, above that which gradient descent finds from its
        end, and "quarter", ¼η tr Σ/B there, what a bowl would have: Estimates.
    """
    rng = generator("rng", rng)  # one stream for all stairs
    x, now, clock, seen = _points(loss, start, "gradient_moments"), 0.0, [], []
    tall, quarter = [], []
    batch_size = batch_of(batch_size)
    times, every = positive("times", times), whole("every", every, 4)
    learning_rates = shaped("learning_rates", learning_rates, (None,))
    positive("learning_rates", learning_rates, axes=1)
    if not times / learning_rates.min() <= _LONGEST:
        raise ValueError(f"times must be at most {_LONGEST:g} steps of each learning_rates")
    for rate in learning_rates:
        stride = max(1, round(times / rate / every))
        run = _go(
            SGD(rate, batch_size=batch_size), loss, x, stride * every, rng, record_every=stride
        )
        losses = np.stack([loss.value(x) for x in run.path[1:]])
        clock += list(now + rate * run.path_steps[1:])
        seen += [estimate.mean(row) for row in losses]
        now, x = clock[-1], run.samples
        still = max(1, round(times / learning_rates[0]))
        floor = loss.value(descend(loss, x, learning_rates[0], still))
        spreads = [loss.gradient_moments(p)[1] for p in run.path[every // 2 + 1 :: 4]]
        tall.append(estimate.mean(losses[every // 2 :].mean(0) - floor))
        quarter.append(estimate.mean(rate / (4 * batch_size) * np.mean(spreads, axis=0)))
    return {
        "time": np.array(clock),
        "loss": estimate.stack(seen),
        "plateau": estimate.stack(tall),
        "quarter": estimate.stack(quarter),
    }


def equal_time(
    loss, start, pairs: Sequence[tuple[float, int]], times: Sequence[float], rng
) -> Estimate:
    """The mean loss of plain SGD at the same SDE times for several (η, B).

    Parameters
    ----------
    loss, start, rng
        As in `follow`; all begin at `start`.
    pairs : sequence of (η, B)
        With one ratio η/B they are steps of one SDE.
    times : increasing sequence of float
        Each a multiple of every η.

    Returns
    -------
    Estimate of (pairs, times) arrays
    """
    rng = generator("rng", rng)  # one stream for all pairs and times
    rows, start = [], _points(loss, start)
    pairs, times = shaped("pairs", pairs, (None, 2)), shaped("times", times, (None,))
    positive("pairs", pairs, axes=2)
    if not times.max() / pairs[:, 0].min() <= _LONGEST:
        raise ValueError(f"times must be at most {_LONGEST:g} steps of each of pairs")
    for rate, batch_size in pairs:
        x, before, row = start, 0, []
        for time in times:
            steps = round(time / rate)
            if abs(steps * rate - time) > 1e-9 * time or steps <= before:
                raise ValueError(
                    f"times must be increasing multiples of each learning rate, got "
                    f"{times.tolist()} for {rate}"
                )
            x = _go(SGD(rate, batch_size=batch_size), loss, x, steps - before, rng).samples
            before = steps
            row.append(estimate.mean(loss.value(x)))
        rows.append(estimate.stack(row))
    return estimate.stack(rows)
