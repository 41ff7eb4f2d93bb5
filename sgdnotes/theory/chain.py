"""Theory: a discrete chain on a line, where it settles and how often it leaves a well."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.integrate import cumulative_trapezoid
from scipy.linalg import lu_factor, lu_solve

from sgdnotes.checks import finite, loss_of, numbers, positive, shaped

__all__ = ["chain_escape_rate", "stationary_masses", "step_matrix"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_PANEL = 4.0  # kicks that share 16 nodes: an error of 1e-12
_SLOPE = 0.25  # how fast panels may widen, in widths per width
_LONGEST = 1e10  # steps: rounding errors of 1e-15 a step matter beyond
_MOST = 150  # panels: a matrix of 50 megabytes
_ROUNDS = 200  # of the iteration for the slowest mode
_CLOSE = 1e-6  # how near its bounds must come to each other
_LOST = 1e-7  # mass that the first or the last point of a grid may hold
_TELL = 1e-6  # by how much the masses may depend on how they are solved
_TOO_RARE = (
    f"variance must be larger: an escape takes more than {_LONGEST:.0e} steps, and rounding "
    "hides it"
)


def step_matrix(loss, points, learning_rate: float, variance: float | Callable) -> np.ndarray:
    """One step of the chain x ← x − η(L′(x) + ξ) on a grid, as a matrix.

    ξ is normal; its variance may depend on the point where the step starts.
    With η = Δt and a variance of 2T/Δt the chain is `Langevin`.

    Parameters
    ----------
    loss : Loss
        Of one parameter.
    points : (n,) array
        Rising, at equal distances, no farther apart than the smallest kick.
    learning_rate : float
        η.
    variance : float, or callable
        Of one step's gradient noise; a callable takes (n,) points.

    Returns
    -------
    (n, n) array
        Column j: with what chance a step from points[j] ends at each point.
        So `matrix @ masses` is the law one step later, and `values @ matrix`
        the mean of a function one step later, by the point of the start.

    Raises
    ------
    ValueError
        If η or a variance is not positive, or the points are no such grid.

    Notes
    -----
    Sums over equal distances d are integrals of a bell of width s up to
    2 exp(−2π²s²/d²), 5·10⁻⁹ where s = d. A step off the end of the grid is
    drawn again: take points so far out that no chain comes there.
    """
    loss_of(loss, 1)
    learning_rate = positive("learning_rate", learning_rate)
    points = shaped("points", points, (None,))
    if len(points) < 3:
        raise ValueError(f"points must be at least 3, got {len(points)}")
    gaps = np.diff(points)
    apart = (points[-1] - points[0]) / (len(points) - 1)
    if not (apart > 0 and np.abs(gaps - apart).max() < 1e-6 * apart):
        raise ValueError(
            f"points must rise at equal distances, got {gaps.min():.6g} to {gaps.max():.6g}"
        )
    spread = _kick(learning_rate, variance)(points)
    if not apart <= 1.000001 * spread.min():
        raise ValueError(
            f"points must be at most one kick apart, got {apart:.6g} > {spread.min():.6g}"
        )
    aim = points - learning_rate * loss.gradient(points)
    outside = np.maximum(points[0] - aim, aim - points[-1]) / spread
    if not outside.max() < 6:
        worst = np.argmax(outside)
        raise ValueError(
            "points must reach so far that steps come back to them, got a step from "
            f"{points[worst]:.6g} to {aim[worst]:.6g}"
        )
    matrix = np.exp(-(((points[:, None] - aim) / spread) ** 2) / 2)
    return matrix / matrix.sum(0)


def stationary_masses(matrix) -> np.ndarray:
    """The law that one more step of `step_matrix` leaves as it is.

    Parameters
    ----------
    matrix : (n, n) array
        Columns that sum to 1.

    Returns
    -------
    (n,) array
        Masses that sum to 1. Divided by the distance of the points they are
        the density.

    Raises
    ------
    ValueError
        If a column does not sum to 1, if more than one law stays, up to rounding, or
        if the first or the last point holds so much that the grid cuts the law off.
    """
    matrix = shaped("matrix", matrix, (None, None))
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"matrix must be square, got shape {matrix.shape}")
    off = np.abs(matrix.sum(0) - 1).max()
    if not off < 1e-9:
        raise ValueError(
            f"matrix must have columns that sum to 1, got one that is off by {off:.6g}"
        )
    masses, again = (_settled(matrix, k) for k in (0, -1))
    apart = np.abs(again - masses).sum()
    if not apart < _TELL:
        raise ValueError(
            "matrix must have wells that chains leave before rounding hides how they share "
            f"the chains: solved in two ways, the laws differ by {apart:.3g}"
        )
    ends = max(abs(masses[0]), abs(masses[-1]))
    if not (masses.min() > -1e-9 and ends < _LOST):
        raise ValueError(
            "matrix must have one stationary law that its ends do not cut off, "
            f"got masses from {masses.min():.3g} and {ends:.3g} at an end"
        )
    return masses


def _settled(matrix, k: int) -> np.ndarray:
    """The masses that a step leaves as they are, with the sum in place of equation k."""
    system = matrix - np.eye(len(matrix))
    system[k] = 1.0  # the equations sum to zero: one of them says nothing
    try:
        return np.linalg.solve(system, np.eye(len(matrix))[k])
    except np.linalg.LinAlgError:
        raise ValueError("matrix must have one stationary law, got several") from None


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

    kick = _kick(learning_rate, variance)
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


def _kick(learning_rate: float, variance) -> Callable:
    """Standard deviation of one step's kick, as a function of (m,) points."""

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

    return kick


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
