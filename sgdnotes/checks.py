"""What a caller can get wrong, said in one way."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import numpy as np

__all__ = ["fraction", "per_point", "positive", "real", "symmetric", "whole"]


def _numbers(value) -> np.ndarray | None:
    """`value` as an array of floats of its own, or None if it is not of real numbers."""
    # What is ragged, or no number at all, NumPy refuses in words of its own.
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        array = np.array(value)
        if array.dtype.kind in "biuf" or (
            array.dtype.kind == "O" and all(hasattr(entry, "__float__") for entry in array.flat)
        ):
            return array.astype(float)
    return None


def real(name: str, value, axes: int = 0):
    """`value` as a float or, with so many axes at most, as an array of its own.

    SymPy's numbers are numbers. ValueError for all that is not real, and for a
    masked array: arithmetic would forget the mask.
    """
    if np.ma.isMaskedArray(value):
        raise ValueError(f"{name} must not be masked: take what counts, as .compressed() does")
    array = _numbers(value)
    if array is None or array.ndim > axes:
        shown = repr(value) if array is None else f"an array of shape {array.shape}"
        wanted = "a number" if array is not None and axes == 0 else "real"
        raise ValueError(f"{name} must be {wanted}, got {shown}")
    return array if array.ndim else float(array)


def whole(name: str, value, least: int) -> int:
    """`value` as an int, or ValueError if it is not one or below `least`."""
    number = real(name, value)
    if not math.isfinite(number) or value != int(value) or value < least:
        raise ValueError(f"{name} must be a whole number, {least} or more, got {value!r}")
    return int(value)


def positive(name: str, value, axes: int = 0) -> None:
    """ValueError unless `value`, an array of so many axes at most, is positive and finite."""
    number = real(name, value, axes)
    if not (np.all(number > 0) and np.all(np.isfinite(number))):
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

    With `kinds` "b" it must be bool, one a point. The points cannot be changed by it.
    """
    points = points.view()
    points.flags.writeable = False
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
    if not 0 <= real(name, value) < 1:
        raise ValueError(f"{name} must be at least 0 and below 1, got {value!r}")
