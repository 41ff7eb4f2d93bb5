"""Theory: how often a discrete chain leaves a well."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.integrate import cumulative_trapezoid
from scipy.linalg import lu_factor, lu_solve

from sgdnotes.checks import finite, loss_of, numbers, positive

__all__ = ["chain_escape_rate"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_PANEL = 4.0  # kicks that share 16 nodes: an error of 1e-12
_SLOPE = 0.25  # how fast panels may widen, in widths per width
_LONGEST = 1e10  # steps: rounding errors of 1e-15 a step matter beyond
_MOST = 150  # panels: a matrix of 50 megabytes
_ROUNDS = 200  # of the iteration for the slowest mode
_CLOSE = 1e-6  # how near its bounds must come to each other
_TOO_RARE = (
    f"variance must be larger: an escape takes more than {_LONGEST:.0e} steps, and rounding "
    "hides it"
)


def chain_escape_rate(
    loss,
    absorb: float,
    wall: float,
    learning_rate: float,
    variance: float | Callable,
    breaks: Sequence[float] = (),
) -> float:
    """Exact rate of escape of the chain x ← x − η(L′(x) + ξ), at any η.

    ξ is normal; its variance may depend on the point where the step starts.
    With η = Δt and a variance of 2T/Δt the chain is `Langevin`.

    Parameters
    ----------
    loss : Loss
        Of one parameter.
    absorb : float
        A chain that steps to this point or beyond is removed.
    wall : float
        A point on the other side of the well, which chains do not reach.
    learning_rate : float
        η.
    variance : float, or callable
        Of one step's gradient noise; a callable takes (m,) points.
    breaks : sequence of float
        Points where the variance or L′ is not smooth.

    Returns
    -------
    float
        Per unit of SDE time. Times η it is the chance that a chain which has
        lived for long leaves in its next step.

    Raises
    ------
    ValueError
        If η or a variance is not positive, `wall` is not between absorb and
        infinity on the side of the well, the kicks are too small, or an
        escape takes more than 10¹⁰ steps.

    Notes
    -----
    The step becomes a matrix K on Gauss-Legendre points. The largest
    eigenvalue of (1 − K)⁻¹ is the mean number of steps of a settled chain.
    """
    loss_of(loss, 1)
    learning_rate = positive("learning_rate", learning_rate)
    wall, absorb = finite("wall", wall), finite("absorb", absorb)
    if wall == absorb:
        raise ValueError(f"wall and absorb must be two finite points, got {wall!r}, {absorb!r}")

    def kick(at):
        values = numbers("variance", variance(at) if callable(variance) else variance)
        if values.shape not in ((), at.shape):
            raise ValueError(
                f"variance must be one number, or one a point, {at.shape}, got shape {values.shape}"
            )
        values = np.broadcast_to(values, at.shape)
        if not (values > 0).all() or not np.isfinite(values).all():
            worst = np.argmin(np.where(np.isfinite(values), values, -np.inf))
            raise ValueError(
                f"variance must be positive and finite, got {values[worst]:.6g} "
                f"at x = {at[worst]:.6g}"
            )
        return learning_rate * np.sqrt(values)

    breaks = numbers("breaks", breaks)
    if breaks.ndim != 1 or not np.isfinite(breaks).all():
        raise ValueError(f"breaks must be a sequence of finite points, got {breaks.tolist()}")
    x, weights = _grid(min(absorb, wall), max(absorb, wall), breaks, kick)
    spread = kick(x)[:, None]
    gap = (x - (x - learning_rate * loss.gradient(x))[:, None]) / spread
    stay = np.exp(-(gap**2) / 2) / (np.sqrt(2 * np.pi) * spread) * weights
    factors = lu_factor(np.eye(len(x)) - stay, overwrite_a=True, check_finite=False)
    hope, crowd = np.ones(len(x)), weights / weights.sum()
    for _ in range(_ROUNDS):
        more, moved = lu_solve(factors, hope), lu_solve(factors, crowd, trans=1)
        # For any positive hope the mean number of steps lies between these two.
        low, high = (more / hope).min(), (more / hope).max()
        if not low > 0:
            raise ValueError(_TOO_RARE)
        steps = float(moved @ more / (moved @ hope))  # between them, and much nearer
        change = np.abs(moved / moved.sum() - crowd).sum()
        hope, crowd = more / more.max(), moved / moved.sum()
        if change <= 1e-7 and high - low <= _CLOSE * high:
            break
    else:
        raise ValueError(
            "wall and absorb must have one well between them that is left slowest, got "
            f"{wall!r} and {absorb!r}: the mean number of steps lies between {low:.6g} and "
            f"{high:.6g}, and {_ROUNDS} rounds do not tell more"
        )
    beside_the_wall = crowd[np.argsort(np.abs(x - wall))[: len(_NODES)]].sum()
    if not beside_the_wall < 1e-6:
        raise ValueError(f"wall must be where no chain comes, got {wall!r}: move it away")
    if not steps < _LONGEST:
        raise ValueError(_TOO_RARE)
    return 1.0 / (steps * learning_rate)


def _grid(low: float, high: float, breaks: Sequence[float], kick: Callable):
    """Nodes and weights, so dense that a kick is resolved where it happens."""
    at = np.linspace(low, high, 4001)
    width = _PANEL * kick(at)
    # Next to a place of small kicks the panels must be small already.
    gap = _SLOPE * (at[1] - at[0]) * np.arange(len(at))
    width = np.minimum.accumulate(width - gap) + gap
    width = (np.minimum.accumulate((width - gap[::-1])[::-1]) + gap)[::-1]
    with np.errstate(divide="ignore"):  # a width beyond rounding is none
        panels = cumulative_trapezoid(1 / width, at, initial=0)
    if not 0 <= panels[-1] <= _MOST:
        raise ValueError(
            f"variance must be larger, or wall nearer: kicks as small as "
            f"{max(width.min(), 0) / _PANEL:.3g} ask for {panels[-1]:.0f} > {_MOST} panels"
        )
    edges = np.interp(np.linspace(0, panels[-1], int(panels[-1]) + 2), panels, at)
    edges = np.unique([low, high, *edges, *(b for b in breaks if low < b < high)])
    half = np.diff(edges)[:, None] / 2
    middle = (edges[:-1, None] + edges[1:, None]) / 2
    return (middle + half * _NODES).ravel(), (half * _WEIGHTS).ravel()
