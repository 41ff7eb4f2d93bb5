"""What a dynamics is told: learning rates, constant or scheduled, and other numbers."""

from __future__ import annotations

import numpy as np

from sgdnotes.checks import positive, real, whole

__all__ = ["batch_of", "keep", "rate_at", "rate_of", "shape_of_rate"]


def rate_of(rate, axes: int):
    """A learning rate as a dynamics keeps it: a copy, or the schedule itself.

    Raises
    ------
    ValueError
        If a number or a vector is not positive, a matrix is not finite, or an
        array has more axes than `axes`.
    """
    if callable(rate):
        return rate
    rate = real("learning_rate", rate, axes)
    if np.ndim(rate) < 2:
        positive("learning_rate", rate, axes=1)
    elif not np.isfinite(rate).all():
        raise ValueError(f"learning_rate must be finite, got {rate!r}")
    if np.ndim(rate):
        rate.flags.writeable = False
    return rate


def shape_of_rate(rate, dimension: int, name: str = "learning_rate") -> None:
    """ValueError unless a rate is one number, one a parameter, or a matrix."""
    d = dimension
    if np.shape(rate) not in ([(), (d,), (d, d)] if d > 1 else [(), (1,)]):
        raise ValueError(
            f"{name} must hold one rate for each of {d} parameters, or be {(d, d)}, "
            f"got shape {np.shape(rate)}"
        )


def rate_at(learning_rate, t: int, x: np.ndarray):
    """The rate of step t. A schedule is checked at every step; it may start or end at 0."""
    if not callable(learning_rate):
        return learning_rate
    name = f"learning_rate({t})"
    rate = real(name, learning_rate(t), axes=1)
    if not (np.all(rate >= 0) and np.all(np.isfinite(rate))):
        raise ValueError(f"{name} must be finite and at least 0, got {rate!r}")
    shape_of_rate(rate, 1 if x.ndim == 1 else x.shape[1], name)
    return rate


def batch_of(batch_size) -> int:
    """B as an int, or ValueError if it is not a whole number ≥ 1."""
    return whole("batch_size", batch_size, 1)


def keep(dynamics, *positives: str, **checked) -> None:
    """Put numbers that were checked into a frozen dynamics, in the place of what it was told.

    Those named in `positives` are checked here, to be positive and finite, and its batch size.
    """
    checked |= {name: positive(name, getattr(dynamics, name)) for name in positives}
    checked["batch_size"] = batch_of(dynamics.batch_size)
    for name, number in checked.items():
        object.__setattr__(dynamics, name, number)
