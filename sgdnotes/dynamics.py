"""One step of each algorithm, for many chains at once, in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sgdnotes.noise import Gaussian

__all__ = ["SGD", "Langevin"]


def _positive(name: str, value) -> None:
    if not (np.all(np.asarray(value) > 0) and np.all(np.isfinite(value))):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")


def _fraction(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be at least 0 and below 1, got {value!r}")


def _batch(value: int) -> None:
    if value != int(value) or value < 1:
        raise ValueError(f"batch_size must be a whole number, 1 or more, got {value!r}")


def _rate_at(learning_rate, t: int):
    return learning_rate(t) if callable(learning_rate) else learning_rate


@dataclass(frozen=True, eq=False)
class SGD:
    """Stochastic gradient descent: v ← μv + ηĝ, Φ ← Φ − v.

    Parameters
    ----------
    learning_rate : float, (d,) array, (d, d) array, or callable
        η. An array holds one rate a parameter; a matrix preconditions the
        gradient (Φ ← Φ − Pĝ); a callable is given the number of the step,
        1, 2, 3, …, and returns a float.
    momentum : float
        μ = 1 − 1/N_g, from 0 up to but not including 1.
    batch_size : int
        B, the number of examples that are averaged in ĝ.

    Raises
    ------
    ValueError
        If a rate is not positive (or a matrix not finite), μ is outside
        [0, 1), or B is not a whole number ≥ 1.
    """

    learning_rate: float | np.ndarray | Callable[[int], float]
    momentum: float = 0.0
    batch_size: int = 1

    def __post_init__(self):
        if np.ndim(self.learning_rate) == 2:
            if not np.isfinite(self.learning_rate).all():
                raise ValueError(f"learning_rate must be finite, got {self.learning_rate!r}")
        elif not callable(self.learning_rate):
            _positive("learning_rate", self.learning_rate)
        _fraction("momentum", self.momentum)
        _batch(self.batch_size)

    def start(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What the algorithm remembers besides Φ: the velocity, if μ > 0."""
        return {"velocity": np.zeros_like(x)} if self.momentum else {}

    def step(self, x, memory, loss, noise, rng, t) -> None:
        """Move every chain in `x` by one update, in place."""
        move = noise.gradient(loss, x, rng, self.batch_size)
        rate = _rate_at(self.learning_rate, t)
        if np.ndim(rate) == 2:
            move = move @ np.asarray(rate).T
        else:
            move *= rate
        if self.momentum:
            velocity = memory["velocity"]
            velocity *= self.momentum
            velocity += move
            move = velocity
        x -= move


@dataclass(frozen=True)
class Langevin:
    """Overdamped Langevin: x ← x − L′(x) Δt + √(2TΔt) ξ (Euler–Maruyama).

    Its diffusivity is T, and its stationary density tends to exp(−L/T)/Z
    as Δt → 0. ξ is standard normal unless `simulate` is given a noise of unit
    variance.

    Parameters
    ----------
    temperature : float
        T, in the units of the loss.
    time_step : float
        Δt, in SDE time.

    Raises
    ------
    ValueError
        If either is not positive and finite.
    """

    temperature: float
    time_step: float

    def __post_init__(self):
        _positive("temperature", self.temperature)
        _positive("time_step", self.time_step)

    def start(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Langevin remembers nothing but where it is."""
        return {}

    def step(self, x, memory, loss, noise, rng, t) -> None:
        """Move every chain in `x` by one time step, in place."""
        kick = (noise or _STANDARD).draw(x, rng)
        kick *= np.sqrt(2.0 * self.temperature * self.time_step)
        drift = loss.gradient(x)
        drift *= self.time_step
        x -= drift
        x += kick


_STANDARD = Gaussian(1.0)
