"""Chains that leave the numbers: how it is noticed, and what was the cause."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sgdnotes.experiment.noise import draws_batches

__all__ = ["CHECK", "Diverged", "LeftDomain", "Watch", "WatchedStep", "overflowed"]

CHECK = 32  # steps between two looks
_FEW = 2**20  # values of a DataLoss that are laid out at a time
_FAR = 1e6  # a chain that overflows from beyond had run away
_LOST = 1e100  # so far out a loss overflows before the point does: one waits for the point


class _Stopped(ValueError):
    what = ""

    def __init__(self, step: int, count: int, cause: str = ""):
        super().__init__(step, count, cause)
        self.step, self.count, self.cause = step, count, cause

    def __str__(self):
        chains = "1 chain" if self.count == 1 else f"{self.count} chains"
        return f"{chains} {self.what} by step {self.step}" + (self.cause and f": {self.cause}")


class Diverged(_Stopped):
    """Some chains overflowed.

    Attributes
    ----------
    step : int
        The step by which it was noticed.
    count : int
        How many chains of the block had left the finite numbers.
    cause : str
        Which step it was that first overflowed, and from where.
    """

    what = "overflowed"


class LeftDomain(_Stopped):
    """Some chains met a point where the loss, its gradient or a step is no number.

    Attributes
    ----------
    step : int
        The step by which it was noticed.
    count : int
        How many chains of the block were there.
    cause : str
        What is nan or infinite, and at which point.
    """

    what = "left the domain of the loss"


def _rows(mask: np.ndarray) -> np.ndarray:
    return mask if mask.ndim == 1 else mask.any(axis=1)


def overflowed(x: np.ndarray) -> np.ndarray:
    """Which chains have left the finite numbers: (m,) bool."""
    return _rows(~np.isfinite(x))


def _undefined(value: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Where a loss is no number, and the point is not so far out that this is overflow."""
    bad = ~np.isfinite(value)
    if bad.any():
        bad &= ~_rows(np.abs(x) > _LOST)
    return bad


class Watch:
    """Looks at the points of a block, and at the loss there.

    The loss of many examples costs more than a step of small batches. There,
    a look takes a quarter of a batch, each time the next examples, and the
    last look a batch, or as many as all the looks before it: so the looks
    cost a small share of a run.
    """

    def __init__(self, dynamics, loss, noise, steps: int):
        self._loss, self._steps, self._batch = loss, steps, None
        if draws_batches(noise) and hasattr(loss, "examples"):
            self._batch = getattr(dynamics, "batch_size", 1)

    def lost(self, x: np.ndarray, t: int) -> np.ndarray:
        """Which chains are not at a point where the loss is a number: (m,) bool."""
        lost = overflowed(x)
        if self._batch is None:
            return lost | _undefined(self._loss.value(x), x)
        looks = -(-self._steps // CHECK)
        each = max(1, self._batch // 4)
        count = max(self._batch, each * looks) if t == self._steps else each
        count = min(count, self._loss.examples)
        first, few = each * (t // CHECK), max(1, _FEW // len(x))
        for a in range(0, count, few):
            here = np.arange(first + a, first + min(a + few, count)) % self._loss.examples
            lost |= _undefined(self._loss.part(here).value(x), x)
        return lost


@dataclass(frozen=True)
class WatchedStep:
    """A dynamics that looks after every step, and raises what it finds with the cause.

    To look at each step of a run would cost as much as the run. So a run that
    fails is run again, with this in place of its dynamics.
    """

    dynamics: object
    watch: Watch
    absorb: object
    said: _Stopped

    def start(self, x):
        """What the dynamics itself remembers."""
        return self.dynamics.start(x)

    def step(self, x, memory, loss, noise, rng, t) -> None:
        """One step of the dynamics itself, and a look at where it led."""
        before = x.copy()
        self.dynamics.step(x, memory, loss, noise, rng, t)
        lost = self.watch.lost(x, t)
        if lost.any() and self.absorb is not None:
            lost &= overflowed(x) | ~self.absorb(x)
        if lost.any():
            k = int(np.argmax(lost))
            kind, cause = _cause(loss, before[k : k + 1], x[k : k + 1], t)
            raise kind(self.said.step, self.said.count, cause)
        for name, kept in memory.items():
            if (lost := overflowed(kept)).any() and not overflowed(x[lost]).any():
                k = int(np.argmax(lost))
                cause = f"`{name}`, which the dynamics remembers, overflows in step {t}, "
                cause += f"from {_at(before[k : k + 1])}"
                raise Diverged(self.said.step, self.said.count, cause)


def _at(point: np.ndarray) -> str:
    if point.ndim == 1:
        return f"{point[0]:.6g}"
    shown = [f"{entry:.6g}" for entry in point[0, :6]]
    return f"({', '.join(shown)}{', …' if point.shape[1] > 6 else ''})"


def _evaluated(function, point):
    """function(point), and whether numbers too large were met on the way."""
    with np.errstate(all="ignore"):
        value = function(point)
    try:
        with np.errstate(divide="ignore", invalid="ignore", under="ignore", over="raise"):
            function(point)
    except FloatingPointError:
        return value, True
    return value, False


def _cause(loss, before, after, t: int) -> tuple[type[_Stopped], str]:
    """Why a chain that step t took from `before` is lost at `after`."""
    start, end = _at(before), _at(after)
    if not overflowed(after).any():
        value, large = _evaluated(loss.value, after)
        if large:
            return Diverged, f"the loss overflows at {end}, where step {t} led"
        return LeftDomain, f"the loss is {value[0]:g} at {end}, where step {t} led from {start}"
    gradient, large = _evaluated(loss.gradient, before)
    away = np.abs(before).max() > _FAR
    advice = "; smaller steps, or a loss that confines, would keep it finite" if away else ""
    if large:
        cause = f"the gradient of the loss overflows at {start}, where step {t} began{advice}"
        return Diverged, cause
    if not np.isfinite(gradient).all():
        wrong = "nan" if np.isnan(gradient).any() else "infinite"
        cause = f"the gradient of the loss is {wrong} at {start}, where step {t} began"
        return LeftDomain, cause
    if np.isnan(after).any() and not away:
        return LeftDomain, (
            f"step {t} led from {start} to {end}; the gradient there, {_at(gradient)}, is finite, "
            "but the noise, or what the update divides by, is not"
        )
    return Diverged, f"step {t} led one from {start} to {end}{advice}"
