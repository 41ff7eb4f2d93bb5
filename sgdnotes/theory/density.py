"""Theory: a density, normalised by quadrature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sgdnotes.checks import function as function_of
from sgdnotes.checks import numbers, per_point, points_of, whole
from sgdnotes.theory.cubature import Cells
from sgdnotes.theory.search import as_periods, boxes_of_mass, number

__all__ = ["Density"]

_CELLS = {1: 400, 2: 40}  # along each side of a box, to begin with
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


class Density:
    """exp(exponent), normalised on boxes outside of which it is negligible.

    Call it at points (…,) or (…, d); it returns (…,) values.

    Parameters
    ----------
    exponent : callable
        Takes points (…,) or (…, d), returns (…,) values, finite or −inf; it
        must fall off in every direction that has no period.
    dimension : int
        1 or 2.
    period : sequence of d numbers or None, optional
        The period along each axis that has one: the density lives on a circle
        there, from −period/2 to period/2.

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
    Cells are halved until the density is a polynomial in each, or there are
    four million points. Their estimate of the error, the last terms of the
    polynomials, is brought to 10⁻¹¹ of Z on a line, jumps and hard walls
    included, and to 10⁻⁷ in the plane; where the points do not suffice for
    that, as for a jump along a curve in the plane, up to 10⁻³ is accepted, and
    more is refused. In the plane it is an estimate and no bound. A cell whose
    corner alone is crossed by a narrow valley does not know of it: of
    Rosenbrock's valley at T = 20 (Z = 2π), 1.4·10⁻⁶ is missed. Jumps, where
    errors cancel, were met to 4·10⁻⁷: disks with a hard wall, a step along a
    slanting line.

    The mass is looked for on a grid of step 2·10⁻⁴ near the origin in one
    dimension and 0.05 in two, growing in proportion to the distance, and from
    the 500 highest local maxima of that grid a search climbs on. So a well of
    any depth is missed if, and only if, it is so narrow that no point of the
    grid in it is a local maximum of the grid.
    """

    def __init__(self, exponent: Callable, dimension: int, period=None):
        dimension = whole("dimension", dimension, 1)
        if dimension not in _CELLS:
            raise ValueError(f"dimension must be 1 or 2, got {dimension!r}")
        self._exponent = function_of("exponent", exponent)
        self.dimension = dimension
        boxes, seen = boxes_of_mass(exponent, dimension, as_periods(period, dimension))
        corners = [_split(box, _CELLS[dimension]) for box in boxes]
        low, high = (np.concatenate(part) for part in zip(*corners, strict=True))
        cells = Cells(lambda x: number(exponent, x), low, high, seen)
        total = cells.mass.sum()
        self._points, self._mass = cells.points, cells.mass / total
        self._cuts = np.sinh(np.unique([cells.low, cells.high]))
        self.log_normalisation = float(cells.top + np.log(total))
        with np.errstate(over="ignore"):
            self.normalisation = float(np.exp(self.log_normalisation))
        ends = np.sinh(np.array(boxes))
        self.support = list(zip(ends[..., 0].min(0), ends[..., 1].max(0), strict=True))

    def __call__(self, x) -> np.ndarray:
        with np.errstate(over="ignore"):  # far out the loss overflows, and the density is 0
            return np.exp(
                self._exponent(points_of("x", x, self.dimension)) - self.log_normalisation
            )

    def expectation(self, function: Callable) -> float:
        """∫ f p, for a function of points that returns one value a point."""
        values = per_point("function", function_of("function", function), self._points)
        if values.shape != self._mass.shape:
            raise ValueError(f"function must return one number a point, got shape {values.shape}")
        values = np.where(self._mass > 0, values, 0.0)
        if not np.isfinite(values).all():
            at = self._points[np.argmin(np.isfinite(values))]
            raise ValueError(f"function must be finite where the density is not 0, not so at {at}")
        return float(self._mass @ values)

    def bin_averages(self, edges) -> np.ndarray:
        """The 1-D density averaged over each bin: what a histogram estimates."""
        edges = numbers("edges", edges)
        rises = edges.ndim == 1 and len(edges) > 1 and (np.diff(edges) > 0).all()
        if self.dimension != 1 or not rises or not np.isfinite(edges).all():
            raise ValueError(
                "edges must be two or more that increase, of a density in one dimension, got "
                f"shape {edges.shape}"
            )
        fine = np.unique(np.concatenate([edges, self._cuts]))
        fine = fine[(fine >= edges[0]) & (fine <= edges[-1])]
        half = np.diff(fine)[:, None] / 2
        points = (fine[:-1, None] + fine[1:, None]) / 2 + half * _NODES
        mass = (self(points) * half * _WEIGHTS).sum(1)
        return np.add.reduceat(mass, np.searchsorted(fine, edges[:-1])) / np.diff(edges)


def _split(box, count: int):
    """The lower and the upper corners of count^d cells of a box."""
    edges = [np.linspace(low, high, count + 1) for low, high in box]
    low = np.stack(np.meshgrid(*(e[:-1] for e in edges), indexing="ij"), axis=-1)
    high = np.stack(np.meshgrid(*(e[1:] for e in edges), indexing="ij"), axis=-1)
    return low.reshape(-1, len(box)), high.reshape(-1, len(box))
