"""Theory: Langevin walkers on an interval, from the logarithms of integrals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.polynomial import legendre

from sgdnotes.theory.bounds import bounds

__all__ = ["Interval"]

_CELLS = 100  # at least so many between two marks
_MOST_CELLS = 200_000
_RISE = 2.0  # of L/T in a cell, where A e^(−L/T) u may change by e^6
_ROUNDS = 500  # of the iteration for the slowest mode
_CLOSE = 1e-10  # how near its bounds must come to each other
_NODES, _WEIGHTS = legendre.leggauss(16)
# Row k integrates the polynomial through the nodes from -1 to node k.
_PARTIAL = legendre.legvander(_NODES, 16) @ legendre.legint(
    np.linalg.inv(legendre.legvander(_NODES, 15)), lbnd=-1
)
# Columns take values at the nodes to those of their polynomial at -1 and 1.
_TO_ENDS = np.linalg.solve(
    legendre.legvander(_NODES, 15).T, legendre.legvander(np.array([-1.0, 1.0]), 15).T
)


class Interval:
    """Walkers dx = −L′dt + √(2T) dW between two ends, one of which removes them.

    Parameters
    ----------
    energy : Energy
        L/T.
    marks : sequence of float
        The two ends, and points between them, in increasing order.
    absorbs : (bool, bool)
        Whether the lower and the upper end remove walkers; an end that does
        not turns them back.

    Raises
    ------
    ValueError
        If L/T is not continuous on the interval, or too rough for the cells.

    Notes
    -----
    The mean time u solves Tu″ − L′u′ = −1, so u = K1 with a positive kernel:
    T·Ku(x) = B(x) ∫_x₋^x A e^(−L/T) u dz + A(x) ∫_x^x₊ B e^(−L/T) u dz. At an
    end that turns back A or B is 1; at one that removes they are ∫ e^(L/T)
    from x to that end, in proportion to it if both remove.
    """

    def __init__(self, energy, marks, absorbs):
        self._temperature = energy.temperature
        self.edges, self.energies = _cells(energy, marks)
        self._half = np.diff(self.edges)[:, None] / 2
        below, above = self._from_below(self.energies), self._from_above(self.energies)
        nothing = np.zeros_like(self.energies), np.zeros_like(self.edges)
        self._below = below if absorbs[0] else nothing
        self._above = above if absorbs[1] else nothing
        if all(absorbs):
            self._below = tuple(part - below[1][-1] for part in below)

    def log_mean_time(self, start: float) -> float:
        """Log of the mean time from `start`, one of the marks, to an end that removes."""
        _, at_edges = self._applied(0.0)
        return float(at_edges[np.searchsorted(self.edges, start)])

    def log_slowest_time(self) -> float:
        """Log of 1/λ₁, the mean time of those who have been here for long.

        Raises
        ------
        ValueError
            If the bounds do not meet: the slowest ways out are too alike.
        """
        # For any positive u, min Ku/u ≤ 1/λ₁ ≤ max Ku/u (Collatz, Wielandt).
        mode, rounding = self._stays(), 1e-13 * np.abs(self.energies).max()
        for _ in range(_ROUNDS):
            after, _ = self._applied(mode)
            low, high = (after - mode).min(), (after - mode).max()
            if high - low <= _CLOSE + rounding:
                return float((low + high) / 2)
            mode = after - after.max()
        raise ValueError(
            f"loss must have one slowest way out: 1/λ₁ lies between e^{low:.6g} and "
            f"e^{high:.6g}, and {_ROUNDS} rounds do not tell more"
        )

    def _stays(self):
        """Log of the chance to see the bottom of the well again: near to the slowest mode."""
        down = self.energies.ravel()
        above, below = self._above[0].ravel(), self._below[0].ravel()
        stays = above - above[_bottom(down)] if above.any() else above
        mirrored = below - below[-1 - _bottom(down[::-1])] if below.any() else below
        return (np.minimum(stays, 0) + np.minimum(mirrored, 0)).reshape(self.energies.shape)

    def _applied(self, log_u):
        """Log of Ku at the nodes and at the edges."""
        weight = log_u - self.energies
        inner, inner_edges = self._from_below(self._below[0] + weight)
        outer, outer_edges = self._from_above(self._above[0] + weight)
        shift = np.log(self._temperature)
        nodes = np.logaddexp(self._above[0] + inner, self._below[0] + outer) - shift
        edges = np.logaddexp(self._above[1] + inner_edges, self._below[1] + outer_edges)
        return nodes, edges - shift

    def _from_below(self, logs):
        """Log of ∫ e^logs from the lower end to each node and each edge."""
        return _cumulated(logs, self._half)

    def _from_above(self, logs):
        """Log of ∫ e^logs from each node and each edge to the upper end."""
        nodes, edges = _cumulated(logs[::-1, ::-1], self._half[::-1])
        return nodes[::-1, ::-1], edges[::-1]


def _bottom(energies) -> int:
    """Where the longest climb begins, on the way through."""
    top = np.argmax(energies - np.minimum.accumulate(energies))
    return int(np.argmin(energies[: top + 1]))


def _cumulated(logs, half):
    """Log of the integral of e^logs from the first edge to each node and edge."""
    top = logs.max(1, keepdims=True)
    values = np.exp(logs - top) * half
    cells = top[:, 0] + np.log(values @ _WEIGHTS)
    edges = np.concatenate([[-np.inf], np.logaddexp.accumulate(cells)])
    return np.logaddexp(edges[:-1, None], top + np.log(values @ _PARTIAL.T)), edges


def _cells(energy, marks):
    """Edges through the marks, and L/T at the nodes of each cell.

    In a cell L/T is smooth and changes by 2 at most, and what bounds of the
    loss are known leave no room for a pit or a spike between the nodes.
    """
    edges = np.concatenate([np.linspace(a, b, _CELLS + 1) for a, b in pairwise(marks)])
    reach = marks[-1] - marks[0]
    if not min(b - a for a, b in pairwise(marks)) > 1e-250:
        raise ValueError(f"absorb, start and reflect must lie further apart, got {list(marks)}")
    while True:
        edges = np.unique(edges)
        width, middles = np.diff(edges), (edges[:-1] + edges[1:]) / 2
        inside = energy(middles[:, None] + width[:, None] / 2 * _NODES)
        ends = energy(edges)
        ends = np.stack([ends[:-1], ends[1:]], axis=1)
        all_of_it = np.concatenate([inside, ends], axis=1)
        lowest, highest = all_of_it.min(1), all_of_it.max(1)
        steep = ~(highest - lowest <= _RISE)
        # Is it the polynomial that its nodes take it for? A kink never is.
        off = np.abs(inside @ _TO_ENDS - ends).max(1)
        rough = off > 1e-8 + 1e-11 * np.abs(all_of_it).max(1)
        rough &= width > 1e-9 * reach
        hidden = _hidden(energy, edges, lowest, highest) & (width > 1e-9 * reach)
        if not (steep | rough | hidden).any():
            return edges, inside
        climb = (highest - lowest).sum() / _RISE  # as many cells will be needed
        jumps = width <= np.maximum(4 * np.spacing(np.abs(middles)), 1e-30 * reach)
        if max(len(edges), climb) > _MOST_CELLS or (steep & jumps).any():
            raise ValueError("loss must be continuous, and temperature not so small")
        edges = np.append(edges, middles[steep | rough | hidden])


def _hidden(energy, edges, lowest, highest):
    """Cells in which L/T might be lower or higher by 1 than at any of its nodes."""
    found = bounds(energy.loss, edges[:-1], edges[1:])
    if found is None:
        return np.zeros(len(lowest), dtype=bool)
    least, most = (part / energy.temperature for part in found)
    slack = 1 + 1e-12 * np.abs(highest)
    return (lowest - least > slack) | (most - highest > slack)
