"""What a caller can get wrong, said in one way."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["fraction", "positive", "whole"]


def whole(name: str, value, least: int) -> int:
    """`value` as an int, or ValueError if it is not one or below `least`."""
    if not math.isfinite(value) or value != int(value) or value < least:
        raise ValueError(f"{name} must be a whole number, {least} or more, got {value!r}")
    return int(value)


def positive(name: str, value) -> None:
    """ValueError unless every entry of `value` is positive and finite."""
    if not (np.all(np.asarray(value) > 0) and np.all(np.isfinite(value))):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")


def fraction(name: str, value: float) -> None:
    """ValueError unless 0 ≤ `value` < 1."""
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be at least 0 and below 1, got {value!r}")
