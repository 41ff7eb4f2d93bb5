"""Theory: cells so small that a density is a polynomial in each."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.polynomial import legendre

__all__ = ["Cells"]

_NODES = {1: 20, 2: 10}  # Gauss-Legendre, along each side of a cell
_FINE = {1: 1e-11, 2: 1e-7}  # the last terms of the polynomials, as a part of the mass
_ROUGH = {1: 1e-6, 2: 1e-3}  # more than that is refused
_MOST = {1: 1_000_000, 2: 4_000_000}  # points
_BLOCK = 2**19  # points at once


class Cells:
    """Gauss-Legendre cells in u = arsinh x, halved until a density is smooth in each.

    Parameters
    ----------
    exponent : callable
        The logarithm of the density, of points (m,) or (m, d).
    low, high : (m, d) arrays
        The first cells, in u.
    seen : (k, d) array
        Places, in u, where the density is not small: in each cell some node
        must come as high as these.

    Attributes
    ----------
    low, high : (m, d) arrays
    points : (p,) or (p, d) array
        All nodes, in x.
    mass : (p,) array
        What each carries, divided by e^top.
    top : float

    Raises
    ------
    ValueError
        If the cells become too many.
    """

    def __init__(self, exponent: Callable, low, high, seen):
        self._exponent, self._d = exponent, low.shape[1]
        if not (low < high).all():
            raise ValueError("exponent must be wider at its highest than rounding")
        rule = legendre.leggauss(_NODES[self._d])
        self._nodes = np.array(list(itertools.product(rule[0], repeat=self._d)))
        self._weights = np.prod(list(itertools.product(rule[1] / 2, repeat=self._d)), axis=1)
        n = len(rule[0])
        # The last two coefficients of the polynomial through the nodes.
        ends = legendre.legvander(rule[0], n - 1)[:, -2:]
        self._last = ends * rule[1][:, None] * (2 * np.arange(n - 2, n) + 1) / 2
        # A hair to each side: a place on the edge of two cells belongs to both.
        hairs = np.array(list(itertools.product((-1e-9, 1e-9), repeat=self._d)))
        seen = np.concatenate([seen + hair * (1 + np.abs(seen)) for hair in hairs])
        home = _homes(low, high, seen)
        seen, home = seen[home >= 0], home[home >= 0]
        seen_logs = self._logs(seen)
        logs = self._in_cells(low, high)
        while True:
            top = max(logs.max(), seen_logs.max(initial=-np.inf))
            values = np.exp(np.maximum(logs - top, -700))
            volume = np.prod(high - low, axis=1)
            masses = values @ self._weights * volume
            tails = self._tails(values) * volume[:, None]
            # Rounding of the exponent, and of u where the density is steep.
            steps = 8 * np.spacing(np.abs(low).max(1) + 1e-8) / (high - low).min(1)
            noise = 4e-15 * (1 + np.abs(np.maximum(logs.max(1), top - 700))) + steps
            error = np.where(tails.sum(1) > noise * values.max(1) * volume, tails.sum(1), 0)
            highest = np.full(len(low), -np.inf)
            np.maximum.at(highest, home, seen_logs)
            unseen = (highest > logs.max(1) + 1) & (steps < 1)
            split = (error > _FINE[self._d] * masses.sum() / len(low)) | unseen
            if logs.size + split.sum() * len(self._weights) > _MOST[self._d]:
                split = unseen  # a few, without which mass would be missing
            if not split.any() or logs.size > 1.25 * _MOST[self._d]:
                break
            axis = np.where(unseen[:, None], high - low, tails)[split].argmax(1)
            rows = np.flatnonzero(split)
            middle = (low + high)[rows, axis] / 2
            home = _moved(home, split, seen, middle, axis)
            halves = _halves(low[rows], high[rows], middle, axis)
            logs = np.concatenate([logs[~split], self._in_cells(*halves)])
            low = np.concatenate([low[~split], halves[0]])
            high = np.concatenate([high[~split], halves[1]])
        if unseen.any() or not error.sum() <= _ROUGH[self._d] * masses.sum():
            raise ValueError(
                f"exponent must be smoother or wider: {logs.size} points leave an error of "
                f"{error.sum() / masses.sum():.1g} of Z; better scaled parameters or another "
                "temperature may do"
            )
        self.low, self.high, self.top = low, high, float(top)
        self.points = self._x(self._places(low, high))
        self.mass = (values * self._weights * volume[:, None]).ravel()

    def _places(self, low, high):
        middle, half = (low + high) / 2, (high - low) / 2
        return (middle[:, None] + half[:, None] * self._nodes).reshape(-1, self._d)

    def _x(self, places):
        return np.sinh(places[:, 0] if self._d == 1 else places)

    def _logs(self, places):
        """Of the density in u, at places (m, d)."""
        return self._exponent(self._x(places)) + np.log(np.cosh(places)).sum(1)

    def _in_cells(self, low, high):
        parts = -(-len(low) * len(self._weights) // _BLOCK)
        pairs = zip(np.array_split(low, parts), np.array_split(high, parts), strict=True)
        return np.concatenate(
            [self._logs(self._places(*pair)).reshape(-1, len(self._weights)) for pair in pairs]
        )

    def _tails(self, values):
        """The last terms along each axis: (m, d)."""
        cube = values.reshape(-1, *[_NODES[self._d]] * self._d)
        tails = []
        for axis in range(1, self._d + 1):
            terms = np.abs(np.moveaxis(cube, axis, -1) @ self._last).sum(-1)
            tails.append(terms.reshape(len(values), -1).mean(1))
        return np.stack(tails, axis=1)


def _homes(low, high, seen):
    """The cell in which each place lies, or −1; the cells are those of a grid, in its order."""
    home = np.zeros(len(seen), dtype=int)
    for axis in range(low.shape[1]):
        edges = np.unique(low[:, axis])
        at = np.searchsorted(edges, seen[:, axis], side="right") - 1
        home = home * len(edges) + np.maximum(at, 0)
    inside = ((low[home] <= seen) & (seen <= high[home])).all(1)
    return np.where(inside, home, -1)


def _moved(home, split, seen, middle, axis):
    """The new cells of the places, when cells are cut: kept ones, lower and upper halves."""
    rank = np.cumsum(split) - 1
    cut = split[home]
    which = rank[home[cut]]
    upper = seen[cut, axis[which]] > middle[which]
    moved = (np.cumsum(~split) - 1)[home]
    moved[cut] = (~split).sum() + which + upper * split.sum()
    return moved


def _halves(low, high, middle, axis):
    """Each cell cut in two along its axis."""
    rows = np.arange(len(low))
    below, above = high.copy(), low.copy()
    below[rows, axis] = above[rows, axis] = middle
    return np.concatenate([low, above]), np.concatenate([below, high])
