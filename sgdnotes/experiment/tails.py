"""How heavy a tail is, and whether products of random matrices shrink: measured."""

from __future__ import annotations

import numpy as np

from sgdnotes.checks import fraction, generator, positive, shaped, whole
from sgdnotes.experiment import estimate
from sgdnotes.experiment.estimate import Estimate
from sgdnotes.experiment.noise import ONE_BY_ONE

__all__ = ["hill", "lyapunov_exponent"]


def hill(samples, top: int) -> Estimate:
    """Hill's estimate of κ in P(abs(x) > u) ∝ u^−κ, from the largest abs(x).

    Parameters
    ----------
    samples : (n,) array of independent samples
    top : int
        How many of the largest are used, k, from 2 to n − 1.

    Returns
    -------
    Estimate
        1/mean of log(abs(x)/u), u being the next smaller one, and κ/√k.

    Notes
    -----
    Hill (1975). Where the tail is not yet a power law, it is biased, and the error does
    not know: for P ∝ u^−κ(1 + cu^−δ) by a fraction that grows with k as (k/n)^(δ/κ).
    Look at several k: the estimate holds where it no longer drifts. On a
    normal law it drifts for ever.
    """
    size = np.abs(shaped("samples", samples, (None,)))
    top = whole("top", top, 2)
    if top >= len(size):
        raise ValueError(f"top must be below the number of samples, {len(size)}, got {top}")
    largest = np.sort(np.partition(size, len(size) - top - 1)[len(size) - top - 1 :])
    if not largest[0] > 0 or largest[0] == largest[-1]:
        raise ValueError("samples must have `top` + 1 different positive sizes at the top")
    index = 1.0 / (np.log(largest[1:]) - np.log(largest[0])).mean()
    return Estimate(float(index), float(index / np.sqrt(top)))


def lyapunov_exponent(
    hessians,
    learning_rate: float,
    batch_size: int = 1,
    momentum: float = 0.0,
    *,
    steps: int,
    chains: int,
    rng: int | np.random.Generator,
    burn_in: int = 100,
) -> Estimate:
    """Mean growth of log‖Δ‖ a step under Δ ← (I − ηĤ)Δ, Ĥ the mean of B drawn examples.

    Negative: runs forget where they started, and there is one stationary law. Positive:
    there is none.

    Parameters
    ----------
    hessians : (n,) or (n, d, d) array
        H_i; draws are with replacement.
    learning_rate : float
    batch_size : int
    momentum : float
        μ; Δ then is the velocity and the distance together.
    steps, chains : int
        Chains are independent, at least 2; they give the error.
    rng : int or numpy.random.Generator
    burn_in : int
        Steps until the direction is forgotten.

    Returns
    -------
    Estimate
        The top Lyapunov exponent, per step (Furstenberg and Kesten, 1960).
    """
    hessians = shaped("hessians", hessians, (None,), (None, None, None))
    hessians = hessians.reshape(-1, 1, 1) if hessians.ndim == 1 else hessians
    if hessians.shape[1] != hessians.shape[2]:
        raise ValueError(f"hessians must be (n,) or (n, d, d), got shape {hessians.shape}")
    learning_rate, momentum = (
        positive("learning_rate", learning_rate),
        fraction("momentum", momentum),
    )
    if not np.abs(hessians).max() < 1e100 / learning_rate:
        raise ValueError(f"hessians times learning_rate must be below 1e100, got {learning_rate!r}")
    batch_size, steps = whole("batch_size", batch_size, 1, ONE_BY_ONE), whole("steps", steps, 1)
    chains, burn_in = whole("chains", chains, 2), whole("burn_in", burn_in, 0)
    rng = generator("rng", rng)
    delta = rng.standard_normal((chains, hessians.shape[1]))
    velocity, grown = np.zeros_like(delta), np.zeros(chains)
    for t in range(burn_in + steps):
        force = 0.0
        for _ in range(batch_size):
            drawn = hessians[rng.integers(len(hessians), size=chains)]
            force = force + np.einsum("cij,cj->ci", drawn, delta)
        velocity = momentum * velocity + learning_rate / batch_size * force
        delta = delta - velocity
        size = np.sqrt((delta**2).sum(1) + (momentum > 0) * (velocity**2).sum(1))
        if not (size > 0).all():
            raise ValueError("hessians must not take a step to exactly 0, whose logarithm is −∞")
        delta /= size[:, None]
        velocity /= size[:, None]
        if t >= burn_in:
            grown += np.log(size)
    return estimate.mean(grown / steps)
