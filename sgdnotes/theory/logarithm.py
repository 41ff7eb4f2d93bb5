"""Theory: a rate or a time, which a float may be too small to hold."""

from __future__ import annotations

import numpy as np

from sgdnotes.checks import flag

__all__ = ["told"]


def told(log_value: float, as_log: bool, what: str, temperature: float) -> float:
    """The value itself, or its logarithm where that is asked for."""
    if flag("log", as_log):
        return float(log_value)
    if not abs(log_value) <= 690:
        what, size = ("mean time", -log_value) if what == "rate" else (what, log_value)
        raise ValueError(
            f"temperature must be larger, got {temperature!r}: the {what} is e^{size:.0f}, "
            "beyond what a float holds; log=True returns its logarithm"
        )
    return float(np.exp(log_value))
