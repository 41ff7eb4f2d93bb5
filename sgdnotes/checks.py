"""What a caller can get wrong, said in one way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

__all__ = [
    "at_least",
    "choice",
    "duration",
    "finite",
    "flag",
    "fraction",
    "function",
    "generator",
    "indices",
    "loss_of",
    "numbers",
    "per_point",
    "points_of",
    "positive",
    "real",
    "shaped",
    "symmetric",
    "taken",
    "whole",
]

_MOST = 2**53  # up to here a float knows every whole number


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
    with np.errstate(over="ignore"):  # a long double may be more than a float holds
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


def shaped(name: str, value, *shapes: tuple) -> np.ndarray:
    """`value` as an array of finite floats of one of the shapes; None stands for any length."""
    array = numbers(name, value)
    fits = any(
        array.ndim == len(shape)
        and all(n in (length, None) for n, length in zip(shape, array.shape, strict=True))
        for shape in shapes
    )
    if not fits or not np.isfinite(array).all() or not array.size:
        wanted = " or ".join(str(shape).replace("None", "n") for shape in shapes)
        got = f"an array of shape {array.shape}" if array.size > 9 else repr(value)
        raise ValueError(f"{name} must be finite and of shape {wanted}, got {got}")
    return array


def whole(name: str, value, least: int, most: int = _MOST) -> int:
    """`value` as an int, or ValueError if it is not one, or beyond `least` or `most`."""
    number = numbers(name, value)
    if number.ndim or not np.isfinite(number) or number != np.floor(number):
        raise ValueError(f"{name} must be a whole number, {least} or more, got {value!r}")
    if not least <= number <= most:
        limit = f"{least} or more" if number < least else f"at most {most}"
        raise ValueError(f"{name} must be a whole number, {limit}, got {value!r}")
    return int(value)


def flag(name: str, value) -> bool:
    """`value`, or ValueError if it is neither True nor False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def choice(name: str, value, options: Sequence[str]) -> str:
    """`value`, or ValueError if it is none of these words."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} must be one of {list(options)}, got {value!r}")
    return value


def function(name: str, value) -> Callable:
    """`value`, or ValueError if it is no function."""
    if not callable(value):
        raise ValueError(f"{name} must be a function, got {value!r}")
    return value


def loss_of(loss, *dimensions: int, knows: Sequence[str] = ()):
    """`loss`, or ValueError unless it is one, of so many parameters, and has these methods."""
    parts = ("value", "gradient", "dimension", *knows)
    if isinstance(loss, type) or not all(hasattr(loss, part) for part in parts):
        kind = f"one that knows {', '.join(knows)}" if knows else "a Loss or a DataLoss"
        raise ValueError(f"loss must be {kind}, got {loss!r}")
    if dimensions and loss.dimension not in dimensions:
        some = " or ".join(map(str, dimensions))
        plural = "" if dimensions == (1,) else "s"
        raise ValueError(f"loss must have {some} parameter{plural}, got {loss.dimension}")
    return loss


def points_of(name: str, x, dimension: int) -> np.ndarray:
    """`x` as floats, nan among them, or ValueError unless it is (…,) or (…, d) for d > 1."""
    if type(x) is not np.ndarray or x.dtype != float:
        x = numbers(name, x)
    if dimension > 1 and (x.ndim == 0 or x.shape[-1] != dimension):
        raise ValueError(
            f"{name} must have {dimension} entries along its last axis, one a parameter, "
            f"got shape {x.shape}"
        )
    return x


def indices(name: str, index, shape: tuple) -> np.ndarray:
    """`index` as an array of int of one axis more than `shape`, or ValueError."""
    found = index if isinstance(index, np.ndarray) else np.asarray(numbers(name, index))
    if found.dtype.kind == "f" and not isinstance(index, np.ndarray):
        near = (np.abs(found) < _MOST).all() and (found == np.floor(found)).all()
        found = found.astype(np.intp) if near else found
    if found.dtype.kind not in "iu" or found.shape[:-1] != shape or not found.size:
        raise ValueError(
            f"{name} must be a {(*shape, 'B')} array of int, got {found.dtype} of shape "
            f"{found.shape}"
        )
    return found


def taken(name: str, rows: np.ndarray, index) -> np.ndarray:
    """The rows of these numbers, or ValueError if one is not there."""
    try:
        return rows.take(index, 0)
    except IndexError:
        raise ValueError(f"{name} must be below {len(rows)}, got {np.max(index)}") from None


def generator(name: str, rng) -> np.random.Generator:
    """A generator that can be repeated, from a seed or one that knows its seed."""
    if isinstance(rng, np.random.Generator):
        if not hasattr(rng.bit_generator.seed_seq, "spawn"):
            raise ValueError(f"{name} must know its seed, as default_rng(1) does, got {rng!r}")
        return rng
    if not isinstance(rng, int | np.integer) or rng < 0:
        raise ValueError(
            f"{name} must be an int of at least 0 or a numpy.random.Generator, got {rng!r}"
        )
    return np.random.default_rng(rng)


def positive(name: str, value, axes: int = 0):
    """`value`, an array of so many axes at most, as floats; ValueError unless > 0 and finite."""
    number = numbers(name, value)
    if number.ndim > axes:
        raise ValueError(f"{name} must be a number, got an array of shape {number.shape}")
    if not (np.all(number > 0) and np.all(np.isfinite(number))):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")
    return number if number.ndim else float(number)


def at_least(name: str, value, least: float) -> float:
    """`value` as a float, or ValueError unless it is finite and not below `least`."""
    number = real(name, value)
    if not least <= number < np.inf:
        raise ValueError(f"{name} must be finite and at least {least:g}, got {value!r}")
    return number


def duration(name: str, value) -> float:
    """`value` as a float, or ValueError unless it is positive and rates per it are floats."""
    number = positive(name, value)
    if not 1e-100 < number < 1e100:
        raise ValueError(f"{name} must be between 1e-100 and 1e100, got {value!r}")
    return number


def symmetric(name: str, matrix: np.ndarray) -> None:
    """ValueError unless `matrix`, or each of (…, d, d), is finite and symmetric up to rounding."""
    shown = matrix.tolist() if matrix.ndim == 2 else f"{len(matrix)} matrices that are not all so"
    square = matrix.size and matrix.shape[-2] == matrix.shape[-1]
    if not square or not np.isfinite(matrix).all():
        raise ValueError(f"{name} must be square and finite, got {shown}")
    if np.abs(matrix - matrix.swapaxes(-2, -1)).max() > 1e-10 * np.abs(matrix).max():
        raise ValueError(f"{name} must be symmetric, got {shown}")


def per_point(name: str, function: Callable, points: np.ndarray, kinds: str = "biuf"):
    """function(points), or ValueError unless it is real and has one row a point.

    With `kinds` "b" it must be bool, one a point. The points cannot be changed by it.
    """
    points = points.view()
    points.flags.writeable = False
    told = function(points)
    exact = isinstance(told, np.ndarray) and not np.ma.isMaskedArray(told)
    told = told if exact or kinds == "b" else numbers(name, told)
    told = np.asarray(told)
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
