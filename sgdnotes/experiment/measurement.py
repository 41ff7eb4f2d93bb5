"""A measured number and its standard error, or the bound that is known of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sgdnotes.checks import finite, positive, real

__all__ = ["Estimate", "UpperBound"]

_CLOSE = 4.0  # standard errors within which a true value is


@dataclass(frozen=True, eq=False)
class Estimate:
    """A measured value, or several, with the standard error of each.

    Two are equal if all their numbers are.

    Parameters
    ----------
    value, standard_error : float or arrays of one shape

    Raises
    ------
    ValueError
        If a value is not finite or a standard error is not positive.
    """

    value: float | np.ndarray
    standard_error: float | np.ndarray

    def __post_init__(self):
        value, error = (_own(name, getattr(self, name)) for name in ("value", "standard_error"))
        if value.shape != error.shape:
            raise ValueError(
                f"value and standard_error must have one shape, got {value.shape} and {error.shape}"
            )
        if not np.isfinite(value).all():
            raise ValueError(f"value must be finite, got {self.value}")
        if not (np.isfinite(error).all() and (error > 0).all()):
            raise ValueError(
                f"standard_error must be positive and finite, got {self.standard_error}; "
                "a quantity without spread is exact: compare it exactly"
            )
        for name, array in (("value", value), ("standard_error", error)):
            object.__setattr__(self, name, array if array.ndim else float(array))

    def _numbers(self) -> tuple:
        both = (np.asarray(self.value), np.asarray(self.standard_error) + 0.0)
        return (both[0].shape, *(tuple(array.ravel().tolist()) for array in both))

    def __eq__(self, other) -> bool:
        if not isinstance(other, Estimate):
            return NotImplemented
        return self._numbers() == other._numbers()

    def __hash__(self) -> int:
        return hash(self._numbers())

    def z(self, expected, bias=0.0):
        """Signed distance from `expected` in standard errors, beyond `bias`.

        Parameters
        ----------
        expected : float or array
        bias : float or array
            A stated bound on the systematic error, at least 0, taken off the
            distance before it is divided by the standard error.
        """
        bias = real("bias", bias, axes=np.inf)
        if not np.all(bias >= 0):
            raise ValueError(f"bias must be at least 0, got {bias}")
        expected = real("expected", expected, axes=np.inf)
        if not np.isfinite(expected).all():
            raise ValueError(f"expected must be finite, got {expected}")
        try:
            np.broadcast_shapes(np.shape(self.value), np.shape(expected), np.shape(bias))
        except ValueError:
            raise ValueError(
                f"expected and bias must go with {np.shape(self.value)} values, got shapes "
                f"{np.shape(expected)} and {np.shape(bias)}"
            ) from None
        gap = self.value - np.asarray(expected)
        z = np.sign(gap) * np.maximum(np.abs(gap) - bias, 0.0) / self.standard_error
        return float(z) if z.ndim == 0 else z

    def excludes(self, expected):
        """Whether `expected` is more than 4 standard errors away, as no true value is."""
        return np.abs(self.z(expected)) > _CLOSE

    def scaled(self, factor: float) -> Estimate:
        """The same measurement in other units."""
        factor = finite("factor", factor)
        with np.errstate(over="ignore"):
            value, error = self.value * factor, self.standard_error * abs(factor)
        if not (np.all(error > 0) and np.isfinite(value).all() and np.isfinite(error).all()):
            raise ValueError(f"factor must leave numbers that a float holds, got {factor!r}")
        return Estimate(value, error)


def _own(name: str, numbers) -> np.ndarray:
    """A copy in real numbers that nobody can change."""
    try:
        array = np.array(real(name, numbers, axes=np.inf))
    except ValueError as error:
        raise ValueError(f"an Estimate must be real: {error}") from None
    array.flags.writeable = False
    return array


@dataclass(frozen=True)
class UpperBound:
    """What is known of a rate when nothing was seen: it is below `value`.

    It answers `z`, `excludes` and `scaled` as an `Estimate` does, but has no
    standard error.

    Parameters
    ----------
    value : float
        In events per unit of time.
    confidence : float
        The chance that a rate as large as `value` would have shown itself.

    Raises
    ------
    ValueError
        If `value` is not positive and finite, or `confidence` not between 0
        and 1.
    """

    value: float
    confidence: float

    def __post_init__(self):
        value, confidence = positive("value", self.value), real("confidence", self.confidence)
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must be between 0 and 1, got {self.confidence!r}")
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "confidence", confidence)

    def excludes(self, expected) -> bool:
        """Whether a rate is too large to have stayed unseen."""
        return finite("expected", expected) > self.value

    def z(self, expected, bias=0.0) -> float:
        """How surprising it is to see nothing where `expected` is the rate, as if in errors.

        At a rate r one expects rt events in the time t that was watched. That
        none came has the chance exp(−rt), which −√(2rt) standard errors of a
        normal law have as the ratio of their density to its maximum: the
        signed root of the deviance.

        Parameters
        ----------
        expected : float
        bias : float
            A stated bound on the systematic error of the rate, at least 0.
        """
        bias, rate = real("bias", bias), real("expected", expected)
        if not bias >= 0:
            raise ValueError(f"bias must be at least 0, got {bias}")
        if not 0 <= rate < np.inf:
            raise ValueError(f"expected must be a rate, at least 0 and finite, got {rate}")
        time = -np.log1p(-self.confidence) / self.value
        return -float(np.sqrt(2 * max(rate - bias, 0.0) * time))

    def scaled(self, factor: float) -> UpperBound:
        """The same bound in other units."""
        value = self.value * positive("factor", factor)
        if not 0 < value < np.inf:
            raise ValueError(f"factor must leave a number that a float holds, got {factor!r}")
        return UpperBound(value, self.confidence)
