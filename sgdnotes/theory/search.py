"""Theory: where a density has its mass."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

__all__ = ["boxes_of_mass", "number"]

# All grids are even in u, with x = sinh(u): fine near the origin, wide at the
# ends, and a tail that falls off like a power of x is smooth in u.
_REACH = 21.0  # sinh(21) is 6.6e8
_SCAN = {1: 200_001, 2: 801}  # points along each axis
_TAIL = 80.0  # a box ends where the density has fallen by e^-80
_CLIMBERS = 500  # local maxima of the scan from which a search climbs on
_HALVINGS = 44


def number(exponent: Callable, x) -> np.ndarray:
    """The exponent at points in x, or ValueError if it is nan or +inf at one.

    0·∞ at a single point is taken from a point beside it.
    """
    with np.errstate(all="ignore"):
        logs = np.array(exponent(x))
        lost = np.isnan(logs)
        if lost.any():
            logs[lost] = exponent(x[lost] + 1e-9 * (1 + np.abs(x[lost])))
    wrong = np.isnan(logs) | (logs == np.inf)
    if wrong.any():
        at = x[tuple(np.argwhere(wrong)[0])]
        raise ValueError(f"loss must be finite, or +inf, at every point, got nan or -inf at {at}")
    return logs


def boxes_of_mass(exponent: Callable, dimension: int, period=None):
    """Where the mass is: one box in the plane, or one for each well on a line.

    Parameters
    ----------
    exponent : callable
        Of points in x.
    dimension : int
    period : sequence of d numbers or None, optional
        The period along each axis that has one.

    Returns
    -------
    boxes : list of lists of d pairs (low, high), in u
    peaks : (k, d) array
        Local maxima, in u.

    Raises
    ------
    ValueError
        If the density does not fall off, or grows without end at a point.
    """
    period = period or [None] * dimension
    whole = [
        (-_REACH, _REACH) if p is None else (-np.arcsinh(p / 2), np.arcsinh(p / 2)) for p in period
    ]
    axes, logs = _scan(exponent, whole, _SCAN[dimension])
    peaks, heights = _climbed(exponent, axes, logs)
    top = max(logs.max(), heights.max(initial=-np.inf))
    near = heights >= top - _TAIL
    peaks = peaks[near]
    inside = _marked(axes, logs >= top - _TAIL, peaks)
    open_ends = [i for i in range(dimension) if period[i] is None]
    if any(np.take(inside, k, axis=i).any() for i in open_ends for k in (0, -1)):
        raise ValueError(
            "loss must confine: exp(-loss/temperature) does not fall off within 6e8 of "
            "the origin, so it has no normalisation"
        )
    if dimension == 2:
        boxes = [_hull(axes, inside)]
    else:
        at = np.flatnonzero(inside)
        runs = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1)
        last = len(axes[0]) - 1
        boxes = [[(axes[0][max(r[0] - 1, 0)], axes[0][min(r[-1] + 1, last)])] for r in runs]
    for _ in range(4):
        closer = []
        for box in boxes:
            axes, logs = _scan(exponent, box, 801)
            top = max(top, logs.max())
            seen = _marked(axes, logs >= top - _TAIL, peaks)
            if seen.any():
                closer.append(_hull(axes, seen))
        boxes = closer
    return _apart(boxes) if dimension == 1 else boxes, peaks


def _scan(exponent, box, size):
    """The exponent on an even grid in u: its axes and its values."""
    axes = [np.linspace(low, high, size) for low, high in box]
    x = np.sinh(axes[0])
    if len(box) == 2:
        x = np.stack(np.meshgrid(x, np.sinh(axes[1]), indexing="ij"), axis=-1)
    return axes, number(exponent, x)


def _climbed(exponent, axes, logs):
    """Where a search by ever smaller steps ends that starts at local maxima of the scan."""
    d = len(axes)
    inner = logs[(slice(1, -1),) * d]
    summit = np.isfinite(inner)
    steps = [s for s in itertools.product((-1, 0, 1), repeat=d) if any(s)]
    for s in steps:
        summit &= inner >= logs[tuple(slice(1 + k, len(logs) - 1 + k) for k in s)]
    index = np.argwhere(summit) + 1
    index = index[np.argsort(-logs[tuple(index.T)], kind="stable")[:_CLIMBERS]]
    at = np.stack([axis[i] for axis, i in zip(axes, index.T, strict=True)], axis=1)
    high = logs[tuple(index.T)]
    if not len(at):
        return at, high
    size = np.array([axis[1] - axis[0] for axis in axes])
    late = high
    for halving in range(1, _HALVINGS + 1):
        for _ in range(2):
            tried = np.sinh(at[:, None] + size * 0.5**halving * np.array(steps))
            values = number(exponent, tried[..., 0] if d == 1 else tried)
            best = values.argmax(1)
            better = values.max(1) > high
            at = np.where(better[:, None], at + size * 0.5**halving * np.array(steps)[best], at)
            high = np.where(better, values.max(1), high)
        if halving == _HALVINGS // 2:
            late = high
    # At a maximum each closer look finds less that is new; at a pole, more.
    if (high - late)[high >= high.max() - _TAIL].max() > 0.1:
        raise ValueError("loss must be finite below: it falls without end at some point")
    return at, high


def _marked(axes, inside, peaks):
    """The grid points inside, and those nearest to a peak in the grid's box."""
    inside = inside.copy()
    for peak in peaks:
        if all(axis[0] <= p <= axis[-1] for axis, p in zip(axes, peak, strict=True)):
            inside[tuple(np.abs(a - p).argmin() for a, p in zip(axes, peak, strict=True))] = True
    return inside


def _hull(axes, inside):
    """The smallest box of grid points around those inside, one step wider."""
    box = []
    for i, axis in enumerate(axes):
        used = np.flatnonzero(inside.any(axis=tuple(j for j in range(len(axes)) if j != i)))
        box.append((axis[max(used[0] - 1, 0)], axis[min(used[-1] + 1, len(axis) - 1)]))
    return box


def _apart(boxes):
    """Intervals in order, those that overlap made one."""
    joined = []
    for ((low, high),) in sorted(boxes):
        if joined and low < joined[-1][0][1]:
            joined[-1] = [(joined[-1][0][0], max(high, joined[-1][0][1]))]
        else:
            joined.append([(low, high)])
    return joined
