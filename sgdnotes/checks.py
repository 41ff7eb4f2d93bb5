"""What a caller can get wrong, said in one way."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

__all__ = ["fraction", "per_point", "positive", "symmetric", "whole"]


def whole(name: str, value, least: int) -> int:
    """`value` as an int, or ValueError if it is not one or below `least`."""
    if not math.isfinite(value) or value != int(value) or value < least:
        raise ValueError(f"{name} must be a whole number, {least} or more, got {value!r}")
    return int(value)


def positive(name: str, value, axes: int = 0) -> None:
    """ValueError unless `value`, an array of so many axes at most, is positive and finite."""
    if np.ndim(value) > axes:
        raise ValueError(f"{name} must be a number, got an array of shape {np.shape(value)}")
    if not (np.all(np.asarray(value) > 0) and np.all(np.isfinite(value))):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")


def symmetric(name: str, matrix: np.ndarray) -> None:
    """ValueError unless `matrix`, or each of (…, d, d), is finite and symmetric up to rounding."""
    shown = matrix.tolist() if matrix.ndim == 2 else f"{len(matrix)} matrices that are not all so"
    if not np.isfinite(matrix).all() or matrix.shape[-2] != matrix.shape[-1]:
        raise ValueError(f"{name} must be square and finite, got {shown}")
    if np.abs(matrix - matrix.swapaxes(-2, -1)).max() > 1e-10 * np.abs(matrix).max():
        raise ValueError(f"{name} must be symmetric, got {shown}")


def per_point(name: str, function: Callable, points: np.ndarray, kinds: str = "biuf"):
    """function(points), or ValueError unless it is real and has one row a point.

    With `kinds` "b" it must be bool, one a point.
    """
    told = np.asarray(function(points))
    one_each = told.shape[: None if kinds == "b" else 1] == (len(points),)
    if not one_each or told.dtype.kind not in kinds:
        raise ValueError(
            f"{name} must return {'bool' if kinds == 'b' else 'real numbers'}, one row a point, "
            f"got {told.dtype} of shape {told.shape} for {len(points)} points"
        )
    return told


def fraction(name: str, value: float) -> None:
    """ValueError unless 0 ≤ `value` < 1."""
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be at least 0 and below 1, got {value!r}")
