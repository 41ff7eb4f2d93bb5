"""Theory: cells so small that a density is a polynomial in each."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.polynomial import legendre

__all__ = ["Cells"]

_NODES = {1: 20, 2: 10}  # Gauss-Legendre, along each side of a cell
_FINE = {1: 1e-11, 2: 1e-7}  # the last terms of the polynomials, as a part of the mass
_ROUGH = {1: 1e-6, 2: 1e-4}  # more than that is refused
_MOST = {1: 2_000_000, 2: 5_000_000}  # points
_BLOCK = 2**19  # points at once


class Cells:
    """Gauss-Legendre cells in u = arsinh x, halved until a density is smooth in each.

    Parameters
    ----------
    exponent : callable
        The logarithm of the density, of points (m,) or (m, d).
    low, high : (m, d) arrays
        The first cells, in u.
    peaks : (k, d) array
        Places, in u, whose height some node must reach.

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

    def __init__(self, exponent: Callable, low, high, peaks):
        self._exponent, self._d = exponent, low.shape[1]
        rule = legendre.leggauss(_NODES[self._d])
        self._nodes = np.array(list(itertools.product(rule[0], repeat=self._d)))
        self._weights = np.prod(list(itertools.product(rule[1] / 2, repeat=self._d)), axis=1)
        n = len(rule[0])
        # The last two coefficients of the polynomial through the nodes.
        ends = legendre.legvander(rule[0], n - 1)[:, -2:]
        self._last = ends * rule[1][:, None] * (2 * np.arange(n - 2, n) + 1) / 2
        peak_logs = self._logs(peaks)
        logs = self._in_cells(low, high)
        while True:
            top = max(logs.max(), peak_logs.max(initial=-np.inf))
            tails = self._tails(np.exp(logs - top), low, high)
            mass = (np.exp(logs - top) @ self._weights * np.prod(high - low, axis=1)).sum()
            unseen = self._unseen(low, high, logs, peaks, peak_logs)
            narrow = (high - low).max(1) <= 8 * np.spacing(np.abs(low).max(1) + 1e-8)
            error = tails.sum(1) * ~narrow
            split = (error > _FINE[self._d] * mass / len(low)) | unseen & ~narrow
            if not split.any() or logs.size + split.sum() * len(self._weights) > _MOST[self._d]:
                break
            axis = np.where(unseen[:, None], high - low, tails)[split].argmax(1)
            halves = _halves(low[split], high[split], axis)
            logs = np.concatenate([logs[~split], self._in_cells(*halves)])
            low = np.concatenate([low[~split], halves[0]])
            high = np.concatenate([high[~split], halves[1]])
        if unseen.any() or not error.sum() <= _ROUGH[self._d] * mass:
            raise ValueError(
                f"exponent must be smoother or wider: {logs.size} points leave an error of "
                f"{error.sum() / mass:.1g} of Z; better scaled parameters or another temperature "
                "may do"
            )
        self.low, self.high, self.top = low, high, float(top)
        self.points = self._x(self._places(low, high))
        volume = np.prod(high - low, axis=1)[:, None]
        self.mass = (np.exp(logs - top) * self._weights * volume).ravel()

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

    def _tails(self, values, low, high):
        """The last terms along each axis, times the volume: (m, d)."""
        cube = values.reshape(-1, *[_NODES[self._d]] * self._d)
        tails = []
        for axis in range(1, self._d + 1):
            terms = np.abs(np.moveaxis(cube, axis, -1) @ self._last).sum(-1)
            tails.append(terms.reshape(len(values), -1).mean(1))
        return np.stack(tails, axis=1) * np.prod(high - low, axis=1)[:, None]

    def _unseen(self, low, high, logs, peaks, heights):
        """Cells with a peak that stands more than 1 above all their nodes."""
        found, highest = np.zeros(len(low), dtype=bool), logs.max(1)
        for peak, height in zip(peaks, heights, strict=True):
            found |= ((low <= peak) & (peak <= high)).all(1) & (height > highest + 1)
        return found


def _halves(low, high, axis):
    """Each cell cut in two along its axis."""
    rows = np.arange(len(low))
    middle = (low + high)[rows, axis] / 2
    below, above = high.copy(), low.copy()
    below[rows, axis] = above[rows, axis] = middle
    return np.concatenate([low, above]), np.concatenate([below, high])
