"""Theory: the settled covariance of SGD whose batches come from a shuffled list."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from sgdnotes.checks import choice, numbers, whole
from sgdnotes.theory.stationary import sgd_covariance

__all__ = ["epoch_covariance"]

_ORDERS = ("reshuffled", "fixed")
_MOST = 10**6  # batches of an epoch


def epoch_covariance(
    hessian,
    noise_covariance,
    learning_rate: float,
    examples: int,
    batch_size: int = 1,
    momentum: float = 0.0,
    order: str = "reshuffled",
) -> np.ndarray:
    """Exact covariance of Φ at each step of an epoch, on a quadratic.

    n examples, each with the gradient HΦ + ξ_i, ∑ξ_i = 0, are dealt out in
    m = n/B batches, each example once. Two batches of one epoch are then correlated, as
    −1/(m − 1), and over an epoch the noise cancels to leading order.

    Parameters
    ----------
    hessian, noise_covariance : float or (d, d) array
        H, and Σ = ∑ξ_iξ_iᵀ/n.
    learning_rate : float
    examples : int
        n, a multiple of B, at least 2B.
    batch_size : int
    momentum : float
        μ, as in `sgd_covariance`; the velocity lives on from epoch to epoch.
    order : "reshuffled" or "fixed"
        Shuffled afresh for every epoch; or drawn once, at random: Φ then settles
        into a cycle, and the covariance is over the orders that might have been
        drawn, the same at each step.

    Returns
    -------
    (m + 1,) or (m + 1, d, d) array
        After 0, 1, … m steps of an epoch; the first and the last are equal.

    Raises
    ------
    UnstableLearningRate, ValueError
        As `sgd_covariance`; or if n is not as above, or the order is none of these.

    Notes
    -----
    A Lyapunov equation over an epoch. In a direction of curvature h with ηhn/B ≪ 1
    the variance after k of m steps is that of a bridge, η²σ²k(m − k)/(m − 1) with
    σ² that of one batch, where drawing with replacement leaves ησ²/(2h): shuffling cools
    flat directions (Kühn and Rosenow, 2023). With Hessians that differ from example to
    example it is an approximation.
    """
    examples, batch_size = whole("examples", examples, 2), whole("batch_size", batch_size, 1)
    if examples % batch_size or examples < 2 * batch_size:
        raise ValueError(
            f"examples must be a multiple of batch_size = {batch_size}, two batches or more, "
            f"got {examples}"
        )
    if examples // batch_size > _MOST:
        raise ValueError(f"examples must make at most {_MOST} batches, got {examples}")
    choice("order", order, _ORDERS)
    # The same refusals as with replacement.
    sgd_covariance(hessian, noise_covariance, learning_rate, batch_size, momentum)
    scalar = np.ndim(hessian) == 0
    h = np.atleast_2d(numbers("hessian", hessian))
    sigma = np.atleast_2d(numbers("noise_covariance", noise_covariance))
    learning_rate, momentum = float(learning_rate), float(momentum)
    d, steps, eye = len(h), examples // batch_size, np.eye(len(h))
    one = sigma / batch_size * (examples - batch_size) / (examples - 1)
    drift = learning_rate * h
    move = np.block([[momentum * eye, drift], [-momentum * eye, eye - drift]])
    push = learning_rate * np.vstack([eye, -eye])
    # Of the sum of what the batches so far have done: its covariance, and how far the
    # next batch is correlated with it.
    spread, tied = np.zeros((2 * d, 2 * d)), np.zeros((2 * d, d))
    spreads, powers = [spread], [np.eye(2 * d)]
    for _ in range(steps):
        cross = move @ tied @ push.T
        spread = move @ spread @ move.T + cross + cross.T + push @ one @ push.T
        tied = move @ tied - push @ one / (steps - 1)
        spreads.append(spread)
        powers.append(move @ powers[-1])
    # At the end the noise has added to nothing: its common part is taken off before
    # squares are, where those above cancel.
    each = np.stack([power @ push for power in powers[:-1]])
    each -= each.mean(axis=0)
    spread = np.einsum("kia,kja->ij", each @ one, each) * steps / (steps - 1)
    spreads[-1] = spread
    if order == "fixed":
        back = np.linalg.inv(np.eye(2 * d) - powers[-1])
        settled = np.broadcast_to(back @ spread @ back.T, (steps + 1, 2 * d, 2 * d))
    else:
        if not np.abs(np.linalg.eigvals(powers[-1])).max() < 1 - 1e-10:
            raise ValueError(
                f"learning_rate must be larger, got {learning_rate!r}: what an epoch forgets is "
                "hidden by rounding"
            )
        begin = solve_discrete_lyapunov(powers[-1], spread)
        settled = np.stack([p @ begin @ p.T + s for p, s in zip(powers, spreads, strict=True)])
    found = settled[:, d:, d:]
    found = (found + found.swapaxes(1, 2)) / 2
    return found[:, 0, 0] if scalar else found
