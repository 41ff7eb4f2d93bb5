"""Theory: how far walkers get, and whether they are removed where they escape."""

from __future__ import annotations

import numpy as np

__all__ = ["Energy", "Unconfined", "is_level", "refuse_uphill", "wall"]

_TAIL = 80.0  # the wall is cut where its weight is e^-80 of that of any peak
_SCAN = 8001


class Unconfined(ValueError):
    """The loss has no wall that keeps the walkers from drifting away."""


class Energy:
    """L/T of a loss of one parameter, with nan refused.

    Parameters
    ----------
    loss : Loss
    temperature : float
    """

    def __init__(self, loss, temperature: float):
        self.loss, self.temperature = loss, temperature

    def __call__(self, x) -> np.ndarray:
        with np.errstate(all="ignore"):
            energy = self.loss.value(x) / self.temperature
        if np.isnan(energy).any() or (energy == -np.inf).any():
            at = np.ravel(x)[np.flatnonzero(~(np.ravel(energy) > -np.inf))[0]]
            raise ValueError(
                f"loss must be a number at every point, or +inf, got {float(self.loss.value(at))} "
                f"at {at:.6g}"
            )
        return energy


def wall(energy: Energy, marks, side: int, behind_a_well: bool) -> float:
    """A place beyond all marks, on one side of them, that walkers do not reach.

    Parameters
    ----------
    energy : Energy
    marks : sequence of float
        Places where walkers start or are removed.
    side : −1 or 1
        Where to look: below the marks or above them.
    behind_a_well : bool
        Whether the loss must have a minimum on the way.

    Raises
    ------
    Unconfined
        If there is none within 10⁹.
    ValueError
        If the loss is infinite at or between the marks.
    """
    end, far = (max(marks), min(marks)) if side < 0 else (min(marks), max(marks))
    reach = 1e-6
    while reach < 1e9:
        x = end + side * np.linspace(0, reach, _SCAN)
        values = energy(x)
        finite = np.isfinite(values)
        stop = len(x) if finite.all() else int(np.argmin(finite))  # walkers are before it
        if stop < len(x) and side * (x[stop] - far) <= 0:
            raise ValueError(f"loss must be finite between the points, got inf at {x[stop]:.6g}")
        rising = np.diff(values[:stop]) > 0
        peaks = values[1 : stop - 1][rising[:-1] & ~rising[1:]]
        highest = max([*peaks, *energy(np.array(marks))])
        last = np.flatnonzero(values[:stop] <= highest + _TAIL)[-1]
        well = (
            not behind_a_well
            or (~rising[:-1] & rising[1:]).any()
            or (
                stop < len(x) and not rising[-1:].any()  # down to the foot of a hard wall
            )
        )
        beyond = last + 1 < len(x) and side * (x[last + 1] - far) > 0
        # Look eight times as far, or to a hard wall: there may be another well.
        if well and beyond and (last < (_SCAN - 1) // 8 or stop < len(x)):
            if last + 1 < stop:
                return float(x[last + 1])
            return _brink(energy, x[last], x[last + 1])
        reach *= 2
    where = "left" if side < 0 else "right"
    raise Unconfined(
        f"loss must confine on the {where} of {end:.6g}"
        f"{', behind a well' if behind_a_well else ''}: exp(-loss/temperature) has no wall "
        "within 1e9"
    )


def _brink(energy: Energy, inside: float, outside: float) -> float:
    """The last place before a hard wall that is not e^-80 below the first one."""
    level = energy(np.array(inside)) + _TAIL
    while True:
        middle = (inside + outside) / 2
        if middle in (inside, outside):
            return float(inside)
        if energy(np.array(middle)) <= level:
            inside = middle
        else:
            outside = middle


def is_level(slope: float, bend: float, width: float, kind: int) -> bool:
    """Is this the bottom (kind 1) or the top (−1) of a well so wide, given to four digits?"""
    with np.errstate(over="ignore"):
        return kind * bend > 0 and abs(slope) <= 1e-4 * abs(bend * width) < np.inf


def refuse_uphill(energy: Energy, way, point: float) -> None:
    """ValueError if walkers on this way to a point that removes them still climb there."""
    rising = np.diff(energy(way)) > 0
    first = rising.argmax()
    with np.errstate(all="ignore"):  # far out, where both overflow
        slope, bend = float(energy.loss.gradient(point)), float(energy.loss.hessian(point))
    climbs = rising[first:].all() and slope * (way[-1] - way[0]) > 0
    if climbs and not is_level(slope, bend, point - way[first], -1):
        raise ValueError(
            f"absorb must lie at the top of the barrier or beyond, got {point!r}, where the loss "
            f"still rises, with slope {slope:.3g}; uphill=True takes it all the same"
        )
