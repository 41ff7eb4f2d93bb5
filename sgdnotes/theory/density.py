"""Theory: a density, normalised by quadrature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["Density"]

# All grids are even in u, with x = sinh(u): fine near the origin, wide at the
# ends, and a tail that falls off like a power of x is smooth in u.
_REACH = 21.0  # sinh(21) is 6.6e8
_SCAN = {1: 200_001, 2: 801}  # points along each axis in the search for the mass
_CELLS = {1: 400, 2: 60}  # Gauss-Legendre cells along each side of a box
_TAIL = 80.0  # a box ends where the density has fallen by e^-80
_ROUGH = 1e-3  # halving the cells may change the mass by so much, and no more
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


class Density:
    """exp(exponent), normalised on boxes outside of which it is negligible.

    Call it at points (…,) or (…, d); it returns (…,) values.

    Parameters
    ----------
    exponent : callable
        Takes points (…,) or (…, d), returns (…,) values; it must fall off in
        every direction.
    dimension : int
        1 or 2.

    Attributes
    ----------
    normalisation : float
        Z = ∫ exp(exponent). It overflows to inf if the exponent is large;
        `log_normalisation` does not.
    log_normalisation : float
    support : list of d pairs (low, high)
        The smallest box that holds the mass.

    Raises
    ------
    ValueError
        If the exponent is nan or +inf somewhere, does not fall off, or is too
        narrow or too rough for the grid.

    Notes
    -----
    The mass is looked for on a grid of step 2·10⁻⁴ near the origin in one
    dimension and 0.05 in two, growing in proportion to the distance. A well
    narrower than that, and far from the deepest one, can be missed.
    """

    def __init__(self, exponent: Callable, dimension: int):
        self._exponent = exponent
        self.dimension = dimension
        boxes = _boxes(exponent, dimension)
        self._points, mass, top = _masses(exponent, boxes, _CELLS[dimension])
        _, coarse, other_top = _masses(exponent, boxes, _CELLS[dimension] // 2)
        change = abs(coarse.sum() * np.exp(other_top - top) / mass.sum() - 1)
        if not change < _ROUGH:
            raise ValueError(
                f"exponent must be smoother or wider: halving the grid changes Z by {change:.1g} "
                "of itself; a higher temperature or better scaled parameters may do"
            )
        self._mass = mass / mass.sum()
        self._boxes = boxes
        self.log_normalisation = float(top + np.log(mass.sum()))
        with np.errstate(over="ignore"):
            self.normalisation = float(np.exp(self.log_normalisation))
        ends = np.sinh(np.array(boxes))
        self.support = list(zip(ends[..., 0].min(0), ends[..., 1].max(0), strict=True))

    def __call__(self, x) -> np.ndarray:
        return np.exp(self._exponent(np.asarray(x, dtype=float)) - self.log_normalisation)

    def expectation(self, function: Callable) -> float:
        """∫ f p, for a function of points that returns one value a point."""
        return float((self._mass * function(self._points)).sum())

    def bin_averages(self, edges) -> np.ndarray:
        """The 1-D density averaged over each bin: what a histogram estimates."""
        edges = np.asarray(edges, dtype=float)
        if self.dimension != 1 or edges.ndim != 1 or not (np.diff(edges) > 0).all():
            raise ValueError(f"edges must increase, in one dimension, got shape {edges.shape}")
        cuts = [np.sinh(np.linspace(*box[0], _CELLS[1] + 1)) for box in self._boxes]
        fine = np.unique(np.concatenate([edges, *cuts]))
        fine = fine[(fine >= edges[0]) & (fine <= edges[-1])]
        points, weights = _cells(fine)
        mass = (self(points) * weights).sum(1)
        return np.add.reduceat(mass, np.searchsorted(fine, edges[:-1])) / np.diff(edges)


def _cells(edges):
    """Gauss-Legendre nodes and weights in each cell, (cells, nodes)."""
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + edges[1:, None]) / 2 + half * _NODES, half * _WEIGHTS


def _masses(exponent, boxes, cells):
    """Points of all boxes, the mass e^(exponent − top) at each, and top."""
    grids = [_quadrature(box, cells) for box in boxes]
    points = np.concatenate([points for points, _ in grids])
    logs = exponent(points)
    top = logs.max()
    return points, np.concatenate([weights for _, weights in grids]) * np.exp(logs - top), top


def _quadrature(box, cells):
    """Points (m,) or (m, 2) in x and their weights (m,) over a box in u."""
    axes = []
    for low, high in box:
        u, weights = _cells(np.linspace(low, high, cells + 1))
        axes.append((np.sinh(u).ravel(), (weights * np.cosh(u)).ravel()))
    if len(axes) == 1:
        return axes[0]
    (x, wx), (y, wy) = axes
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    return points.reshape(-1, 2), (wx[:, None] * wy).ravel()


def _scan(exponent, box, size):
    """The exponent on an even grid in u: its axes and its values."""
    axes = [np.linspace(low, high, size) for low, high in box]
    x = np.sinh(axes[0])
    if len(box) == 2:
        x = np.stack(np.meshgrid(x, np.sinh(axes[1]), indexing="ij"), axis=-1)
    with np.errstate(over="ignore"):
        logs = exponent(x)
    if np.isnan(logs).any() or logs.max() == np.inf:
        raise ValueError("loss must be finite, or +inf, at every point, got nan or -inf")
    return axes, logs


def _hull(axes, inside):
    """The smallest box of grid points around those inside, one step wider."""
    box = []
    for i, axis in enumerate(axes):
        used = np.flatnonzero(inside.any(axis=tuple(j for j in range(len(axes)) if j != i)))
        box.append((axis[max(used[0] - 1, 0)], axis[min(used[-1] + 1, len(axis) - 1)]))
    return box


def _boxes(exponent, dimension):
    """Where the mass is: one box in the plane, or one for each well on a line."""
    reach = [(-_REACH, _REACH)] * dimension
    axes, logs = _scan(exponent, reach, _SCAN[dimension])
    top = logs.max()
    inside = logs >= top - _TAIL
    if any(np.take(inside, k, axis=i).any() for i in range(dimension) for k in (0, -1)):
        raise ValueError(
            "loss must confine: exp(-loss/temperature) does not fall off within 6e8 of "
            "the origin, so it has no normalisation"
        )
    if dimension == 2:
        boxes = [_hull(axes, inside)]
    else:
        runs = np.split(
            np.flatnonzero(inside), np.flatnonzero(np.diff(np.flatnonzero(inside)) > 1) + 1
        )
        boxes = [[(axes[0][run[0] - 1], axes[0][run[-1] + 1])] for run in runs]
    for _ in range(4):
        before = top
        scans = [_scan(exponent, box, 801) for box in boxes]
        top = max(logs.max() for _, logs in scans)
        boxes = [
            _hull(axes, logs >= top - _TAIL) for axes, logs in scans if logs.max() >= top - _TAIL
        ]
    # At a minimum each closer look finds less that is new; at a pole, more.
    if top - before > 0.1:
        raise ValueError("loss must be finite below: it falls without end at some point")
    return boxes
