"""Theory: mean times to a point, from the logarithms of integrals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.polynomial import legendre
from scipy.special import logsumexp

__all__ = ["HalfLine", "Unconfined"]

_TAIL = 80.0  # the wall is cut where its weight is e^-80 of that of any peak
_CELLS = 100  # at least so many between two marks
_NODES, _WEIGHTS = legendre.leggauss(16)
# Row k integrates the polynomial through the nodes from -1 to node k.
_PARTIAL = legendre.legvander(_NODES, 16) @ legendre.legint(
    np.linalg.inv(legendre.legvander(_NODES, 15)), lbnd=-1
)


# Columns take values at the nodes to those of their polynomial at -1 and 1.
_TO_ENDS = np.linalg.solve(
    legendre.legvander(_NODES, 15).T, legendre.legvander(np.array([-1.0, 1.0]), 15).T
)


class Unconfined(ValueError):
    """The loss has no wall that keeps the walkers from drifting away."""


class HalfLine:
    """Langevin walkers between a wall of the loss and a point that removes them.

    Parameters
    ----------
    loss : Loss
        Of one parameter.
    temperature : float
    marks : floats
        The point that removes them, and others on the way to it.
    leftward : bool
        The walkers leave to the left, and the wall is on the right.

    Raises
    ------
    Unconfined
        If the loss has no wall behind a well on the other side.
    ValueError
        If the loss still rises at the point.
    """

    def __init__(self, loss, temperature: float, *marks: float, leftward: bool = False):
        self._loss, self._temperature, self._sign = loss, temperature, -1 if leftward else 1
        marks = sorted(self._sign * mark for mark in marks)
        self._edges, self._energies = self._cells(self._wall(marks), *marks)
        self._start = np.searchsorted(self._edges, marks[0]) if marks[1:] else 0
        self._refuse_short(marks[-1])
        self._half = np.diff(self._edges)[:, None] / 2

    def mean_time(self) -> float:
        """Mean time from the first mark to the last."""
        _, at_edges = self._to_the_end(self._from_the_wall(0.0))
        return self._exponential(at_edges[self._start] - np.log(self._temperature))

    def slowest_time(self) -> float:
        """Mean time of those who have been here for long: 1/λ₁."""
        before, _ = self._to_the_end(0.0)  # to begin with: who does not leave at once
        weights = np.log(self._half * _WEIGHTS) - self._energies
        rounding = 1e-11 + 1e-14 * np.ptp(self._energies)
        log_time, last = 0.0, np.inf
        while abs(log_time - last) > rounding:
            after, _ = self._to_the_end(self._from_the_wall(before))
            # The operator is symmetric in these weights: Rayleigh's quotient.
            last = log_time
            log_time = logsumexp(weights + before + after) - logsumexp(weights + 2 * before)
            before = after - after.max()
        return self._exponential(log_time - np.log(self._temperature))

    def _from_the_wall(self, log_u):
        """Log of ∫ e^(−L/T) u from the wall to each node."""
        return _cumulated(log_u - self._energies, self._half)[0]

    def _to_the_end(self, log_u):
        """Log of ∫ e^(L/T) u from each node, and each edge, to the end."""
        outer = (self._energies + log_u)[::-1, ::-1]
        nodes, edges = _cumulated(outer, self._half[::-1])
        return nodes[::-1, ::-1], edges[::-1]

    def _energy(self, x):
        with np.errstate(over="ignore"):
            energy = self._loss.value(self._sign * x) / self._temperature
        if np.isnan(energy).any():
            raise ValueError("loss must be a number at every point, got nan")
        return energy

    def _wall(self, marks) -> float:
        """A place beyond a well and the marks that walkers do not reach."""
        end, reach = marks[-1], 1e-6
        while reach < 1e9:
            x = end - np.linspace(0, reach, 8001)
            energy = self._energy(x)
            rising = np.diff(energy) > 0
            peaks = energy[1:-1][rising[:-1] & ~rising[1:]]
            highest = max([*peaks, *self._energy(np.array(marks))])
            last = np.flatnonzero(energy <= highest + _TAIL)[-1]
            well = marks[1:] or (~rising[:-1] & rising[1:]).any()
            # Look eight times as far: there may be another well.
            if well and last < 1000 and x[last + 1] < marks[0]:
                return x[last + 1]
            reach *= 2
        raise Unconfined(
            f"loss must confine on the {'left' if self._sign > 0 else 'right'} of "
            f"{self._sign * end:.6g}, behind a well: exp(-loss/temperature) has no wall "
            "within 1e9"
        )

    def _cells(self, *marks):
        """Edges through the marks, and L/T at the nodes of each cell.

        In a cell L/T is smooth and changes by 4 at most.
        """
        edges = np.concatenate([np.linspace(a, b, _CELLS + 1) for a, b in pairwise(marks)])
        reach = marks[-1] - marks[0]
        while True:
            edges = np.unique(edges)
            width, middles = np.diff(edges), (edges[:-1] + edges[1:]) / 2
            inside = self._energy(middles[:, None] + width[:, None] / 2 * _NODES)
            ends = self._energy(edges)
            ends = np.stack([ends[:-1], ends[1:]], axis=1)
            all_of_it = np.concatenate([inside, ends], axis=1)
            steep = ~(np.ptp(all_of_it, axis=1) <= 4)
            # Is it the polynomial that its nodes take it for? A kink never is.
            off = np.abs(inside @ _TO_ENDS - ends).max(1)
            rough = off > 1e-8 + 1e-11 * np.abs(all_of_it).max(1)
            rough &= width > 1e-9 * reach
            if not (steep | rough).any():
                return edges, inside
            if len(edges) > 200_000 or (width[steep] < 1e-12 * reach).any():
                raise ValueError("loss must be continuous, and temperature not so small")
            edges = np.append(edges, middles[steep | rough])

    def _refuse_short(self, end) -> None:
        """No escape: a walker is removed while it still climbs."""
        rising = np.diff(self._energy(self._edges[self._start :])) > 0
        point = self._sign * end
        slope, bend = float(self._loss.gradient(point)), float(self._loss.hessian(point))
        on_top = bend < 0 and slope**2 <= 1e-9 * self._temperature * -bend
        climbs = rising.any() and rising[rising.argmax() :].all()
        if climbs and self._sign * slope > 0 and not on_top:
            raise ValueError(
                f"absorb must lie at the top of the barrier or beyond, got {point!r}, where "
                f"the loss still rises, with slope {slope:.3g}"
            )

    def _exponential(self, log: float) -> float:
        if not abs(log) <= 690:
            raise ValueError(
                f"temperature must be larger, got {self._temperature!r}: the mean time is "
                f"e^{log:.0f}, beyond what a float holds"
            )
        return float(np.exp(log))


def _cumulated(logs, half):
    """Log of the integral of e^logs, from the first edge to each node and edge."""
    top = logs.max(1, keepdims=True)
    values = np.exp(logs - top) * half
    edges = np.logaddexp.accumulate(top[:, 0] + np.log(values @ _WEIGHTS))
    before = np.concatenate([[-np.inf], edges[:-1]])[:, None]
    return np.logaddexp(before, top + np.log(values @ _PARTIAL.T)), edges
