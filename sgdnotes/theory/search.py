"""Theory: where a density has its mass."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from sgdnotes.checks import numbers, positive

__all__ = ["as_periods", "boxes_of_mass", "number", "periods_of"]

# All grids are even in u, with x = sinh(u): fine near the origin, wide at the
# ends, and a tail that falls off like a power of x is smooth in u.
_REACH = 21.0  # sinh(21) is 6.6e8
_SCAN = {1: 200_001, 2: 801}  # points along each axis
_CLOSER = {1: 801, 2: 201}
_SEEN = 30.0  # how far below the top a point of the grid still counts
_TAIL = 80.0  # a box ends where the density has fallen by e^-80
_CLIMBERS = 500  # local maxima of the scan from which a search climbs on
_HALVINGS = 22


def number(exponent: Callable, x) -> np.ndarray:
    """The exponent at points in x, or ValueError if it is nan or +inf at one.

    0·∞ at a single point is taken from a point beside it.
    """
    with np.errstate(all="ignore"):
        logs = numbers("exponent", exponent(x))
        if logs.shape != x.shape and (x.ndim == 1 or logs.shape != x.shape[:-1]):
            raise ValueError(
                f"exponent must return one number a point, got shape {logs.shape} for points "
                f"{x.shape}"
            )
        lost = np.isnan(logs)
        if lost.any():
            logs[lost] = exponent(x[lost] + 1e-9 * (1 + np.abs(x[lost])))
    wrong = np.isnan(logs) | (logs == np.inf)
    if wrong.any():
        at = x[tuple(np.argwhere(wrong)[0])]
        raise ValueError(
            "loss must be finite, or +inf, at every point, and an exponent finite or -inf: "
            f"it is not at {at}"
        )
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
    seen : (k, d) array
        The local maxima, and all points of the last grid where the density is
        not small, in u.

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
            "loss must confine, and an exponent fall off: exp(-loss/temperature) does not "
            "fall off within 6e8 of the origin, so it has no normalisation"
        )
    if dimension == 2:
        boxes = [_hull(axes, inside)]
    else:
        at = np.flatnonzero(inside)
        runs = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1)
        last = len(axes[0]) - 1
        boxes = [[(axes[0][max(r[0] - 1, 0)], axes[0][min(r[-1] + 1, last)])] for r in runs]
    for _ in range(4):
        closer, seen = [], [peaks]
        for box in boxes:
            axes, logs = _scan(exponent, box, _CLOSER[dimension])
            top = max(top, logs.max())
            inside = _marked(axes, logs >= top - _TAIL, peaks)
            if inside.any():
                closer.append(_hull(axes, inside))
            index = np.argwhere(logs >= top - _SEEN)
            seen.append(_places(axes, index))
        boxes = closer
    if dimension == 2:
        seen += [ridge[tall >= top - _SEEN] for ridge, tall in _ridges(exponent, axes, logs)]
    return _apart(boxes) if dimension == 1 else boxes, np.concatenate(seen)


def as_periods(period, dimension: int):
    """One period or None for each coordinate; None if there is none at all."""
    if period is None:
        return None
    several = isinstance(period, list | tuple) or getattr(period, "ndim", 0)
    periods = list(period) if several else [period]
    if len(periods) != dimension:
        raise ValueError(f"period must have {dimension} entries, got {period!r}")
    return [p if p is None else positive("period", p) for p in periods]


def periods_of(loss, period):
    """The periods, checked at a thousand points to be those of a loss."""
    periods = as_periods(period, loss.dimension)
    if periods is None:
        return None
    steps = np.array([0.0 if p is None else p for p in periods])
    # A sequence that fills the square evenly, and is no multiple of a period.
    at = (np.outer(np.arange(1, 1001), np.sqrt([2.0, 3.0])[: loss.dimension]) % 1 - 0.5) * 4
    at = np.where(steps > 0, at * steps / 4, at)
    for i, p in enumerate(periods):
        there = at + np.where(np.arange(loss.dimension) == i, steps, 0.0)
        with np.errstate(all="ignore"):  # far out, where the loss overflows
            here, moved = (loss.value(a[:, 0] if loss.dimension == 1 else a) for a in (at, there))
            width = np.ptp(here)
        if not np.isfinite(width) or not np.allclose(here, moved, rtol=1e-9, atol=1e-9 * width):
            raise ValueError(f"period must be one of the loss along axis {i}, got {p!r}")
    return periods


def _scan(exponent, box, size):
    """The exponent on an even grid in u: its axes and its values."""
    if not all(low < high for low, high in box):
        raise ValueError(
            "loss must be wider at its lowest than rounding, and so must an exponent at its "
            "highest, and a period"
        )
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
    at, high = _places(axes, index), logs[tuple(index.T)]
    if not len(at):
        return at, high
    size = np.array([axis[1] - axis[0] for axis in axes])
    at, late = _climb(exponent, at, high, size, steps)
    at, high = _climb(exponent, at, late, size * 0.5**_HALVINGS, steps)
    # At a maximum each closer look finds less that is new; at a pole, more.
    if (high - late)[high >= high.max() - _TAIL].max() > 0.1:
        raise ValueError("loss must be finite below: it falls without end at some point")
    return at, high


def _ridges(exponent, axes, logs):
    """The highest place on each line of the grid, along each of its axes in turn."""
    for axis, step in enumerate(((1, 0), (0, 1))):
        best = logs.argmax(axis)
        index = np.stack([best, np.arange(len(best))][:: 1 if axis == 0 else -1], axis=1)
        size = np.array([a[1] - a[0] for a in axes])
        at, high = _places(axes, index), logs.max(axis)
        yield _climb(exponent, at, high, size, [step, (-step[0], -step[1])])


def _climb(exponent, at, high, size, steps):
    """Up from each place, by steps that are halved where none leads up."""
    for halving in range(1, _HALVINGS + 1):
        moves = size * 0.5**halving * np.array(steps)
        for _ in range(2):
            tried = np.sinh(at[:, None] + moves)
            values = number(exponent, tried[..., 0] if at.shape[1] == 1 else tried)
            better = (values.max(1) > high)[:, None]
            at = np.where(better, at + moves[values.argmax(1)], at)
            high = np.maximum(high, values.max(1))
    return at, high


def _places(axes, index):
    return np.stack([axis[i] for axis, i in zip(axes, index.T, strict=True)], axis=1)


def _marked(axes, inside, peaks):
    """The grid points inside, and those nearest to a peak in the grid's box."""
    inside = inside.copy()
    low, high = (np.array([axis[end] for axis in axes]) for end in (0, -1))
    within = peaks[((low <= peaks) & (peaks <= high)).all(1)]
    index = np.rint((within - low) / (high - low) * (np.array(inside.shape) - 1)).astype(int)
    inside[tuple(index.T)] = True
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
