"""What a caller can get wrong, said in one way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["finite", "fraction", "numbers", "per_point", "positive", "real", "symmetric", "whole"]


def numbers(name: str, value) -> np.ndarray:
    """`value`, a number or nested sequences of them, as an array of floats of its own.

    What SymPy, fractions or decimals take for a real number is one; nothing
    complex, no text and no None is, and no masked array: arithmetic would
    forget the mask.
    """
    if np.ma.isMaskedArray(value):
        raise ValueError(f"{name} must not be masked: take what counts, as .compressed() does")
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O" and not any(item is None for item in array.flat):
            array = np.array([float(item) for item in array.flat]).reshape(array.shape)
    except (TypeError, ValueError, OverflowError):
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be made of real numbers, got {value!r}")
    return array.astype(float)


def real(name: str, value, axes: int = 0):
    """`value` as a float or, with so many axes at most, as an array of floats."""
    array = numbers(name, value)
    if array.ndim > axes:
        wanted = "a number" if axes == 0 else f"an array of at most {axes} axes"
        raise ValueError(f"{name} must be {wanted}, got an array of shape {array.shape}")
    return array if array.ndim else float(array)


def finite(name: str, value) -> float:
    """`value` as a float, or ValueError if it is not one finite real number."""
    number = real(name, value)
    if not np.isfinite(number):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return number


def whole(name: str, value, least: int) -> int:
    """`value` as an int, or ValueError if it is not one or below `least`."""
    number = numbers(name, value)
    if number.ndim or not np.isfinite(number) or number != np.floor(number) or number < least:
        raise ValueError(f"{name} must be a whole number, {least} or more, got {value!r}")
    return int(value)


def positive(name: str, value, axes: int = 0):
    """`value`, an array of so many axes at most, as floats; ValueError unless > 0 and finite."""
    number = numbers(name, value)
    if number.ndim > axes:
        raise ValueError(f"{name} must be a number, got an array of shape {number.shape}")
    if not (np.all(number > 0) and np.all(np.isfinite(number))):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")
    return number if number.ndim else float(number)


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


def fraction(name: str, value) -> float:
    """`value` as a float, or ValueError unless 0 ≤ `value` < 1."""
    number = numbers(name, value)
    if number.ndim or not 0 <= number < 1:
        raise ValueError(f"{name} must be at least 0 and below 1, got {value!r}")
    return float(number)
