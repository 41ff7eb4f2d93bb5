"""Theory: a density, normalised by quadrature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["Density"]

_TAIL = 80.0  # a domain ends where the density has fallen by e^-80
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_CELLS = 400  # Gauss-Legendre cells along each axis of a 1-D domain
_CELLS_2D = 60


class Density:
    """exp(exponent), normalised on a box outside of which it is negligible.

    Parameters
    ----------
    exponent : callable
        Takes points (…,) or (…, d), returns (…,) values; it must fall off in
        every direction, or ValueError is raised.
    dimension : int
        1 or 2.

    Call it at points (…,) or (…, d); it returns (…,) values.

    Attributes
    ----------
    normalisation : float
        Z = ∫ exp(−L/T). It overflows to inf if L/T is very negative;
        `log_normalisation` does not.
    log_normalisation : float
    support : list of d pairs (low, high)
    """

    def __init__(self, exponent: Callable, dimension: int):
        self._exponent = exponent
        self.dimension = dimension
        self.support = support = _support(exponent, dimension)
        self._points, weights = _grid(support)
        logs = exponent(self._points)
        top = logs.max()
        mass = weights * np.exp(logs - top)
        self._mass = mass / mass.sum()
        self.log_normalisation = float(top + np.log(mass.sum()))
        with np.errstate(over="ignore"):
            self.normalisation = float(np.exp(self.log_normalisation))

    def __call__(self, x) -> np.ndarray:
        return np.exp(self._exponent(np.asarray(x, dtype=float)) - self.log_normalisation)

    def expectation(self, function: Callable) -> float:
        """∫ f p, for a function of points that returns one value a point."""
        return float((self._mass * function(self._points)).sum())

    def bin_averages(self, edges) -> np.ndarray:
        """The 1-D density averaged over each bin: what a histogram estimates."""
        edges = np.asarray(edges, dtype=float)
        half = np.diff(edges)[:, None] / 2
        middle = (edges[:-1, None] + edges[1:, None]) / 2
        return (self(middle + half * _NODES) * _WEIGHTS).sum(1) / 2


def _grid(support):
    axes = []
    for low, high in support:
        edges = np.linspace(low, high, (_CELLS if len(support) == 1 else _CELLS_2D) + 1)
        half = np.diff(edges)[:, None] / 2
        middle = (edges[:-1, None] + edges[1:, None]) / 2
        axes.append(((middle + half * _NODES).ravel(), (half * _WEIGHTS).ravel()))
    if len(axes) == 1:
        return axes[0]
    (x, wx), (y, wy) = axes
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    return points, wx[:, None] * wy


def _scan(dimension: int, low, high, size: int):
    axes = [np.linspace(a, b, size) for a, b in zip(low, high, strict=True)]
    if dimension == 1:
        return axes, axes[0]
    return axes, np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def _support(exponent: Callable, dimension: int):
    """The box around the mass: grow until the walls are low, then shrink."""
    size = 4001 if dimension == 1 else 401
    reach = 1.0
    while True:
        low, high = [-reach] * dimension, [reach] * dimension
        axes, points = _scan(dimension, low, high, size)
        logs = exponent(points)
        if not np.isfinite(logs).all():
            raise ValueError(f"loss must be finite, got nan or inf within {reach:g} of the origin")
        inside = logs > logs.max() - _TAIL
        walls = [np.take(inside, k, axis=i).any() for i in range(dimension) for k in (0, -1)]
        if not any(walls):
            break
        reach *= 2
        if reach > 1e9:
            raise ValueError(
                "loss must confine: exp(-loss/temperature) does not fall off within 1e9 "
                "of the origin, so it has no normalisation"
            )
    for _ in range(6):
        for i in range(dimension):
            used = np.flatnonzero(inside.any(axis=tuple(j for j in range(dimension) if j != i)))
            low[i] = axes[i][max(used[0] - 1, 0)]
            high[i] = axes[i][min(used[-1] + 1, size - 1)]
        axes, points = _scan(dimension, low, high, size)
        logs = exponent(points)
        inside = logs > logs.max() - _TAIL
    return list(zip(low, high, strict=True))
