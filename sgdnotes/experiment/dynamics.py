"""One step of each algorithm, for many chains at once, in place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sgdnotes.checks import fraction, positive, whole
from sgdnotes.experiment.noise import standard_normal

__all__ = ["SGD", "Adam", "Langevin", "RMSProp"]


def _at_least(least: int, name: str, value: float) -> None:
    if not least <= value < np.inf:
        raise ValueError(f"{name} must be finite and at least {least}, got {value!r}")


def _vector_rate(rate) -> None:
    if not callable(rate):
        if np.ndim(rate) > 1:
            raise ValueError(f"learning_rate must not be a matrix here, got shape {np.shape(rate)}")
        positive("learning_rate", rate, axes=1)


def _rate_at(learning_rate, t: int):
    """The rate of step t; a schedule is checked at every step it is asked for."""
    if not callable(learning_rate):
        return learning_rate
    rate = learning_rate(t)
    positive(f"learning_rate({t})", rate, axes=1)
    return rate


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
            positive("learning_rate", self.learning_rate, axes=1)
        if np.ndim(self.learning_rate):
            object.__setattr__(self, "learning_rate", np.asarray(self.learning_rate, dtype=float))
        fraction("momentum", self.momentum)
        object.__setattr__(self, "batch_size", whole("batch_size", self.batch_size, 1))

    def start(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What the algorithm remembers besides Φ: the velocity, if μ > 0."""
        return {"velocity": np.zeros_like(x)} if self.momentum else {}

    def step(self, x, memory, loss, noise, rng, t) -> None:
        """Move every chain in `x` by one update, in place."""
        move = noise.gradient(loss, x, rng, self.batch_size)
        rate = _rate_at(self.learning_rate, t)
        if getattr(rate, "ndim", 0) == 2:
            # Not a matrix product: its bits may depend on the threads of BLAS.
            move = np.einsum("ij,jm->im", rate, move.T).T
        else:
            move *= rate
        if self.momentum:
            velocity = memory["velocity"]
            velocity *= self.momentum
            velocity += move
            move = velocity
        x -= move


@dataclass(frozen=True, eq=False)
class RMSProp:
    """RMSProp: s ← (1 − 1/N_s) s + ĝ²/N_s, Φ ← Φ − ηĝ/√(s + ε).

    All is done parameter by parameter. s starts from 0, and its bias is not
    corrected (Tieleman and Hinton, 2012; TTIC 31230, 2018).

    Parameters
    ----------
    learning_rate : float, (d,) array, or callable
        η, as in `SGD`, but not a matrix.
    window : float
        N_s ≥ 1, the number of steps that s remembers.
    epsilon : float
        ε ≥ 0; with 0, no gradient may vanish on the first step.
    batch_size : int
        B.
    epsilon_inside : bool
        √(s + ε), as in the lecture, or √s + ε.
    per_example : bool
        Average the squares of the B examples' own gradients, not the square
        of their mean. Examples are drawn one by one, with replacement.
    power : float
        s is raised to it: ½ is RMSProp, 1 divides by the mean square itself.

    Raises
    ------
    ValueError
        If a number is not as above, or `per_example` meets batches drawn
        without replacement.
    """

    learning_rate: float | np.ndarray | Callable[[int], float]
    window: float = 100.0
    epsilon: float = 1e-8
    batch_size: int = 1
    epsilon_inside: bool = True
    per_example: bool = False
    power: float = 0.5

    def __post_init__(self):
        _vector_rate(self.learning_rate)
        _at_least(1, "window", self.window)
        _at_least(0, "epsilon", self.epsilon)
        object.__setattr__(self, "batch_size", whole("batch_size", self.batch_size, 1))
        positive("power", self.power)

    def start(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What the algorithm remembers besides Φ: s, shaped like `x`."""
        return {"squares": np.zeros_like(x)}

    def step(self, x, memory, loss, noise, rng, t) -> None:
        """Move every chain in `x` by one update, in place."""
        move, squared = self._gradient(x, loss, noise, rng)
        squares = memory["squares"]
        squares += (squared - squares) / self.window
        inside, outside = (self.epsilon, 0) if self.epsilon_inside else (0, self.epsilon)
        move *= _rate_at(self.learning_rate, t)
        x -= move / ((squares + inside) ** self.power + outside)

    def _gradient(self, x, loss, noise, rng):
        """ĝ, and the squares that s averages."""
        if not self.per_example:
            g = noise.gradient(loss, x, rng, self.batch_size)
            return g, g**2
        if not getattr(noise, "replace", True):
            raise ValueError("per_example needs a noise that draws with replacement")
        each = np.array([noise.gradient(loss, x, rng, 1) for _ in range(int(self.batch_size))])
        return each.mean(0), (each**2).mean(0)


@dataclass(frozen=True, eq=False)
class Adam:
    """Adam: Φ ← Φ − ηm/(√s + ε), with running averages m of ĝ and s of ĝ².

    Both start from 0 and are corrected for it. As published (Kingma and Ba,
    2015, algorithm 1), a new value has the weight 1/N, and the step uses
    m/(1 − (1 − 1/N)^t). Simplified (TTIC 31230, 2018), it has the weight
    1/min(t, N), and the step uses m.

    Parameters
    ----------
    learning_rate : float, (d,) array, or callable
        η, as in `SGD`, but not a matrix.
    gradient_window, square_window : float
        N_g, N_s ≥ 1, in steps; the paper's β are 1 − 1/N.
    epsilon : float
        ε ≥ 0; with 0, no gradient may vanish on the first step.
    batch_size : int
        B.
    simplified : bool
        The lecture's correction of the averages, or the published one.

    Raises
    ------
    ValueError
        If a number is not as above.
    """

    learning_rate: float | np.ndarray | Callable[[int], float] = 0.001
    gradient_window: float = 10.0
    square_window: float = 1000.0
    epsilon: float = 1e-8
    batch_size: int = 1
    simplified: bool = False

    def __post_init__(self):
        _vector_rate(self.learning_rate)
        _at_least(1, "gradient_window", self.gradient_window)
        _at_least(1, "square_window", self.square_window)
        _at_least(0, "epsilon", self.epsilon)
        object.__setattr__(self, "batch_size", whole("batch_size", self.batch_size, 1))

    def start(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What the algorithm remembers besides Φ: m and s, shaped like `x`."""
        return {"mean": np.zeros_like(x), "squares": np.zeros_like(x)}

    def step(self, x, memory, loss, noise, rng, t) -> None:
        """Move every chain in `x` by one update, in place."""
        g = noise.gradient(loss, x, rng, self.batch_size)
        mean = self._average(memory["mean"], g, self.gradient_window, t)
        squares = self._average(memory["squares"], g**2, self.square_window, t)
        x -= _rate_at(self.learning_rate, t) * mean / (np.sqrt(squares) + self.epsilon)

    def _average(self, held, new, window, t):
        """Update an average in place, and return it corrected."""
        held += (new - held) / (min(t, window) if self.simplified else window)
        return held if self.simplified else held / (1 - (1 - 1 / window) ** t)


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
        positive("temperature", self.temperature)
        positive("time_step", self.time_step)

    def start(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Langevin remembers nothing but where it is."""
        return {}

    def step(self, x, memory, loss, noise, rng, t) -> None:
        """Move every chain in `x` by one time step, in place."""
        kick = standard_normal(x, rng) if noise is None else noise.draw(x, rng)
        kick *= math.sqrt(2.0 * self.temperature * self.time_step)
        drift = loss.gradient(x)
        drift *= self.time_step
        x -= drift
        x += kick
