"""Theory: escape in a plane, exact up to the grid: rate, committor, place of exit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import splu

from sgdnotes.checks import finite, function, loss_of, numbers, per_point, positive, shaped, whole

__all__ = ["Plane"]

_MOST = 2000  # cells along an axis
_ROUNDS = 10_000  # of the iteration for the slowest mode


@dataclass(frozen=True, eq=False)
class Plane:
    """dΦ = −(1 + sR)∇L dt + √(2T_i) dW_i in a box of the plane, on a grid of cells.

    Parameters
    ----------
    loss : Loss
        Of two parameters.
    temperature : float or (2,) sequence
        T, or one T along each axis. If they differ there is a current, and
        exp(−L/T) is not the stationary law.
    box : ((low, high), (low, high))
        No walker leaves it: put the walls where the loss is many T.
    cells : int or (int, int)
        Along each axis. Errors fall as the square of a cell's width, if the edge of a
        region lies at the centres of its outermost cells, or where it does not matter;
        else as the width.
    stirring : float
        s, of a current along the level lines, where R = ((0, 1), (−1, 0)); with one T only.
        exp(−L/T) stays the stationary law.

    Raises
    ------
    ValueError
        If an argument is not as above.

    Notes
    -----
    Finite volumes with exponential fitting (Scharfetter and Gummel, 1969): a walker
    jumps to the next cell along axis i at the rate T_i/h² u/(eᵘ − 1), u = ΔL/T_i.
    With one T the Gibbs law is exactly stationary on the grid. The current through a side
    of a cell is the difference of its stream function sT exp(−L/T) at the side's ends,
    so that none is lost, and central in the density.
    """

    loss: object
    temperature: float | Sequence[float]
    box: Sequence[Sequence[float]]
    cells: int | Sequence[int] = 200
    stirring: float = 0.0

    def __post_init__(self):
        loss_of(self.loss, 2)
        heat = shaped("temperature", positive("temperature", self.temperature, axes=1), (), (2,))
        heat = np.broadcast_to(heat, (2,))
        object.__setattr__(self, "stirring", finite("stirring", self.stirring))
        if self.stirring and heat[0] != heat[1]:
            raise ValueError(f"stirring must be 0 with two temperatures, got {self.stirring!r}")
        box = shaped("box", self.box, (2, 2))
        if not (box[:, 0] < box[:, 1]).all():
            raise ValueError(f"box must be ((low, high), (low, high)), got {self.box!r}")
        cells = numbers("cells", self.cells)
        if cells.shape not in ((), (2,)):
            raise ValueError(f"cells must be one number or two, got {self.cells!r}")
        shape = tuple(whole("cells", n, 3, _MOST) for n in np.broadcast_to(cells, (2,)))
        width = (box[:, 1] - box[:, 0]) / shape
        axes = [
            low + h * (np.arange(n) + 0.5) for (low, _), h, n in zip(box, width, shape, strict=True)
        ]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        for name, value in (("axes", axes), ("points", points), ("shape", shape)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_jumps", self._rates(heat, width))

    def _rates(self, heat, width):
        """The generator as a sparse matrix: row i holds the rates of jumps from cell i."""
        number = np.arange(len(self.points)).reshape(self.shape)
        # Between cells, and for no current through a wall as high as can be at the box.
        corners = np.full(np.add(self.shape, 1), np.inf)
        between = [(axis[1:] + axis[:-1]) / 2 for axis in self.axes]
        inner = np.stack(np.meshgrid(*between, indexing="ij"), axis=-1)
        with np.errstate(all="ignore"):
            loss = self.loss.value(self.points).reshape(self.shape)
            corners[1:-1, 1:-1] = self.loss.value(inner)
            if not np.isfinite(loss / heat.min()).all():
                raise ValueError(
                    "loss/temperature must be finite in all of the box, got inf or nan"
                )
        rows, columns, rates = [], [], []
        for axis, (T, h) in enumerate(zip(heat, width, strict=True)):
            low = np.delete(number, -1, axis).ravel()
            high = np.delete(number, 0, axis).ravel()
            climb = np.diff(loss, axis=axis).ravel() / T
            ends = np.delete(corners, (0, -1), axis)  # of the sides between cells
            left, right = (np.delete(ends, k, 1 - axis).ravel() for k in (-1, 0))
            turn = (1 - 2 * axis) * self.stirring * T / (2 * np.prod(width))
            for a, b, u, sign in ((low, high, climb, turn), (high, low, -climb, -turn)):
                rate = T / h**2 * _bernoulli(u)
                if sign:
                    with np.errstate(all="ignore"):
                        here = loss.ravel()[a]
                        rate += sign * (np.exp((here - right) / T) - np.exp((here - left) / T))
                    if not np.isfinite(rate).all():
                        raise ValueError(
                            f"stirring must be smaller: its rates overflow, got {self.stirring!r}"
                        )
                rows.append(a)
                columns.append(b)
                rates.append(rate)
        rows, columns, rates = (np.concatenate(part) for part in (rows, columns, rates))
        jumps = coo_array((rates, (rows, columns)), shape=2 * (len(self.points),)).tocsr()
        return (jumps - diags_array(jumps.sum(axis=1))).tocsr()

    def _cells_of(self, name: str, region: Callable) -> np.ndarray:
        inside = per_point(name, function(name, region), self.points, "b")
        if not inside.any() or inside.all():
            raise ValueError(f"{name} must hold some of the cells' centres and not all")
        return inside

    def _seen(self, rate, jumps):
        """Refuse a rate that rounding hides beside the largest of the jumps."""
        if not rate > 1e3 * np.finfo(float).eps * abs(jumps.diagonal()).max():
            raise ValueError(
                f"temperature must be higher: the rate is of the order of {rate:.1g}, "
                "and rounding hides it"
            )

    def committor(self, basin: Callable, target: Callable) -> np.ndarray:
        """The chance to reach `target` before `basin`, from each cell.

        Parameters
        ----------
        basin, target : callable
            Take (m, 2) points, return (m,) bool; they must not overlap.

        Returns
        -------
        array of the shape `shape`, along `axes`

        Raises
        ------
        ValueError
            If walkers stay so long in between that rounding hides the chance.
        """
        first, last = self._cells_of("basin", basin), self._cells_of("target", target)
        if (first & last).any():
            raise ValueError("basin and target must not overlap")
        q, free = last.astype(float), ~(first | last)
        between = self._jumps[free][:, free].tocsc()
        factors = splu(-between)
        longest = np.abs(factors.solve(np.ones(len(q[free])))).max()
        self._seen(1 / longest, between)
        q[free] = factors.solve(self._jumps[free][:, last].sum(axis=1))
        return q.reshape(self.shape)

    def escape(self, absorb: Callable) -> tuple[float, np.ndarray]:
        """The rate at which settled walkers are absorbed, and where they are before.

        Parameters
        ----------
        absorb : callable
            Takes (m, 2) points, returns (m,) bool: where walkers are removed.

        Returns
        -------
        rate : float
            Per unit of time: the smallest eigenvalue of the generator.
        settled : array of the shape `shape`
            The density of walkers that have lived for long, 0 where they are absorbed.

        Raises
        ------
        ValueError
            If an escape takes so long that rounding hides it.
        """
        gone = self._cells_of("absorb", absorb)
        free = self._jumps[~gone][:, ~gone].tocsc()
        factors = splu(-free)
        crowd, rate, change = np.full(len(free.indptr) - 1, 1.0), np.inf, 1.0
        crowd /= crowd.sum()
        for _ in range(_ROUNDS):
            if not change > 1e-10:
                break
            moved = factors.solve(crowd, trans="T")
            new, moved = 1.0 / moved.sum(), moved / moved.sum()
            change = abs(new / rate - 1) if np.isfinite(rate) else 1.0
            rate, crowd = new, moved
        else:
            raise ValueError(
                f"absorb must leave one region that is left slowest: {_ROUNDS} rounds do not tell "
                "which it is"
            )
        self._seen(rate, free)
        cell = np.prod([axis[1] - axis[0] for axis in self.axes])
        settled = np.zeros(len(self.points))
        settled[~gone] = crowd / cell
        return float(rate), settled.reshape(self.shape)

    def exits(self, absorb: Callable) -> np.ndarray:
        """The share of settled walkers that each absorbing cell receives: sums to 1."""
        gone = self._cells_of("absorb", absorb)
        _, settled = self.escape(absorb)
        share = np.zeros(len(self.points))
        share[gone] = settled.ravel()[~gone] @ self._jumps[~gone][:, gone]
        return (share / share.sum()).reshape(self.shape)


def _bernoulli(u):
    """u/(eᵘ − 1), without loss of digits near 0 and without overflow far from it."""
    small = np.abs(u) < 1e-6
    safe = np.where(small, 1.0, np.minimum(u, 700.0))
    return np.where(small, 1.0 - u / 2, safe / np.expm1(safe))
