"""What makes a gradient stochastic: the law of ĝ − g."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sgdnotes.checks import at_least, flag, function, real, symmetric

__all__ = [
    "ONE_BY_ONE",
    "Gaussian",
    "MiniBatch",
    "StateDependent",
    "TwoPoint",
    "Uniform",
    "batch_gradients",
    "draws_batches",
    "drift_of",
    "examples_of",
    "standard_normal",
    "thermal_kick",
]

# What the eight bits of each octet say, heads as 1 and tails as −1.
_EIGHT_COINS = 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) - 1.0
_CHUNK = 2**16  # examples drawn at a time
_LARGEST = 2**24  # examples of a batch
ONE_BY_ONE = 2**16  # numbers of a batch, where each takes a round of Python


def standard_normal(x, rng):
    """Standard normal numbers shaped like `x`, each parameter's contiguous."""
    return rng.standard_normal(x.shape[::-1]).T


def draws_batches(noise) -> bool:
    """Whether a noise is that of batches, and not one that is added to a gradient."""
    return noise is not None and not hasattr(noise, "draw")


def thermal_kick(noise, x, rng):
    """The ξ of a Langevin step: drawn from an additive noise, or standard normal."""
    if noise is None or draws_batches(noise):
        return standard_normal(x, rng)
    return noise.draw(x, rng)


def drift_of(noise, loss, x, rng, batch_size):
    """The gradient of a Langevin step: a batch's, or that of the whole loss."""
    if draws_batches(noise):
        return noise.gradient(loss, x, rng, batch_size)
    return loss.gradient(x)


def examples_of(loss, law, batch_size: int | None = None) -> int:
    """How many examples there are to draw, a batch of them at least if none may come twice."""
    if not hasattr(loss, "batch_gradient"):
        name = type(law).__name__
        raise ValueError(f"{name} needs a DataLoss to draw examples from, got {loss!r}")
    if batch_size is not None and batch_size > loss.examples:
        raise ValueError(
            f"batch_size must be at most the number of examples, {loss.examples}, "
            f"when drawn without replacement, got {batch_size}"
        )
    return loss.examples


def batch_gradients(loss, x, draw: Callable, many: int):
    """A batch gradient at each point, laid out for so many chains at a time.

    draw(a, m) is the (B, m) array of the examples that chains a to a + m − 1 meet.
    """
    g = np.empty_like(x)
    for a in range(0, len(x), many):
        some = x[a : a + many]
        g[a : a + many] = loss.batch_gradient(some, draw(a, len(some)).T)
    return g


class _Additive:
    """Noise that is added to the gradient of a loss."""

    def gradient(self, loss, x, rng, batch_size):
        """A stochastic gradient ĝ at each point: a new array shaped like `x`."""
        g = loss.gradient(x)
        g += self.draw(x, rng, batch_size)
        return g


@dataclass(frozen=True, eq=False)
class Gaussian(_Additive):
    """Normal noise, the same at every point.

    Parameters
    ----------
    covariance : float or (d, d) array
        Of one example's gradient (B = 1), in units of gradient squared.
        A batch of B divides it by B. A number means that number times
        the identity.

    Raises
    ------
    ValueError
        If `covariance` is not symmetric and positive semidefinite.
    """

    covariance: float | np.ndarray = 1.0

    def __post_init__(self):
        covariance = np.asarray(real("covariance", self.covariance, axes=np.inf))
        if covariance.ndim not in (0, 2) or not np.isfinite(covariance).all():
            raise ValueError(
                f"covariance must be a finite number or a (d, d) array, got {self.covariance!r}"
            )
        if covariance.ndim == 0:
            if covariance < 0:
                raise ValueError(f"covariance must be at least 0, got {self.covariance}")
            root = math.sqrt(covariance)
        else:
            symmetric("covariance", covariance)
            values, vectors = np.linalg.eigh(covariance)
            if values[0] < -1e-12 * max(values[-1], 1e-300):
                raise ValueError(
                    f"covariance must be positive semidefinite, its smallest eigenvalue "
                    f"is {values[0]:.6g}"
                )
            root = vectors * np.sqrt(values.clip(min=0.0))
        object.__setattr__(self, "_root", root)

    def draw(self, x, rng, batch_size=1):
        """The noise of a batch at each point: an array shaped like `x`."""
        xi = standard_normal(x, rng)
        if isinstance(self._root, np.ndarray):
            if x.ndim < 2 or x.shape[-1] != len(self._root):
                raise ValueError(
                    f"covariance is {self._root.shape}, but points have shape {x.shape}"
                )
            return (self._root / math.sqrt(batch_size) @ xi.T).T
        scale = self._root / math.sqrt(batch_size)
        if scale != 1.0:
            xi *= scale
        return xi


@dataclass(frozen=True)
class _Weak(_Additive):
    """Noise with the mean, variance and third moment of a Gaussian, but quicker."""

    standard_deviation: float = 1.0

    # So quickly drawn that with short blocks Python itself would be the cost.
    block = 2**16

    def __post_init__(self):
        spread = at_least("standard_deviation", self.standard_deviation, 0)
        object.__setattr__(self, "standard_deviation", spread)


class TwoPoint(_Weak):
    """A fair coin: plus or minus `standard_deviation`, in units of the gradient.

    A batch of B is the mean of B coins. Three moments are those of Gaussian
    noise of the same variance: enough for every average to tend to the same
    limit as the steps shrink, with weak order 1 (Kloeden and Platen, 1992,
    section 14.1). A coin costs a fraction of a normal number.

    Raises
    ------
    ValueError
        If `standard_deviation` is negative or not finite.
    """

    def draw(self, x, rng, batch_size=1):
        """The noise of a batch at each point: an array shaped like `x`."""
        if batch_size == 1:
            octets = np.frombuffer(rng.bytes(-(-x.size // 8)), np.uint8)
            coins = _EIGHT_COINS.take(octets, axis=0).reshape(-1)[: x.size]
        else:
            coins = 2.0 * rng.binomial(batch_size, 0.5, x.size) - batch_size
        coins *= self.standard_deviation / batch_size
        return coins.reshape(x.shape[::-1]).T


class Uniform(_Weak):
    """Noise spread evenly over an interval, of mean 0 and a standard deviation.

    A batch of B is the mean of B draws. As for `TwoPoint`, three moments are
    the Gaussian's, and averages agree to weak order 1.

    Raises
    ------
    ValueError
        If `standard_deviation` is negative or not finite, or, in a run, B is
        above 2¹⁶: one adds up B numbers.
    """

    def draw(self, x, rng, batch_size=1):
        """The noise of a batch at each point: an array shaped like `x`."""
        if batch_size > ONE_BY_ONE:
            raise ValueError(
                f"batch_size must be at most {ONE_BY_ONE} for Uniform, which draws one by one, got "
                f"{batch_size}; the mean of so many is Gaussian"
            )
        total = rng.random(x.shape[::-1]).T
        for _ in range(batch_size - 1):
            total += rng.random(x.shape[::-1]).T
        half_width = math.sqrt(3.0) * self.standard_deviation
        total *= 2.0 * half_width / batch_size
        total -= half_width
        return total


@dataclass(frozen=True)
class StateDependent(_Additive):
    """Normal noise in one dimension whose variance depends on the point.

    Parameters
    ----------
    variance : callable
        σ²(x) of one example's gradient: (m,) points in, (m,) values out. The
        step uses its value where the step starts.

    Raises
    ------
    ValueError
        During a run, if the variance is negative or nan somewhere.
    """

    variance: Callable

    def __post_init__(self):
        function("variance", self.variance)

    def draw(self, x, rng, batch_size=1):
        """The noise of a batch at each point: an array shaped like `x`."""
        if x.ndim > 1:
            raise ValueError(f"StateDependent noise is for 1 parameter, got points {x.shape}")
        points = x.view()
        points.flags.writeable = False
        variance = real("variance", self.variance(points), axes=1)
        if np.shape(variance) not in ((), x.shape):
            raise ValueError(
                f"variance must return one number a point, {x.shape}, got {variance.shape}"
            )
        variance = np.broadcast_to(variance, x.shape)
        if not (variance >= 0).all():
            where = int(np.argmin(np.where(np.isnan(variance), -np.inf, variance)))
            raise ValueError(
                f"variance must be at least 0 at every point, got {variance[where]:.6g} "
                f"at x = {x[where]:.6g}"
            )
        return rng.standard_normal(x.shape) * np.sqrt(variance / batch_size)


@dataclass(frozen=True)
class MiniBatch:
    """Batches of examples drawn from a `DataLoss`, afresh at every step.

    Parameters
    ----------
    replace : bool
        Whether one batch may hold the same example twice.
    """

    replace: bool = True

    def __post_init__(self):
        flag("replace", self.replace)

    def gradient(self, loss, x, rng, batch_size):
        """A batch gradient ĝ at each point: a new array shaped like `x`."""
        examples = examples_of(loss, self, None if self.replace else batch_size)
        if batch_size > _LARGEST:
            raise ValueError(f"batch_size must be at most {_LARGEST}, got {batch_size}")
        # Examples are drawn for `few` chains at a time: the fewer the calls, the less
        # threads wait for each other.
        few = max(1, _CHUNK // (batch_size if self.replace else examples))

        def draw(a, chains):
            # Small integers take fewer random bits.
            index = np.empty((batch_size, chains), np.min_scalar_type(examples - 1))
            for b in range(0, chains, few):
                self._draw(index[:, b : b + few], examples, rng)
            return index

        return batch_gradients(loss, x, draw, 4 * few)

    def _draw(self, index, examples, rng):
        """Fill (B, chains) with the examples that each chain draws."""
        if self.replace:
            index[:] = rng.integers(examples, size=index.shape, dtype=index.dtype)
        else:
            batch_size, chains = index.shape
            keys = rng.random((chains, examples))
            index[:] = np.argpartition(keys, batch_size - 1, axis=1)[:, :batch_size].T
