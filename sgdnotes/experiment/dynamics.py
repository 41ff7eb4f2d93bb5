"""One step of each algorithm, for many chains at once, in place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sgdnotes.checks import at_least, flag, fraction, real
from sgdnotes.experiment.noise import drift_of, thermal_kick
from sgdnotes.experiment.rate import keep, rate_at, rate_of

__all__ = ["SGD", "Langevin", "TorchSGD"]


def _scaled(gradient: np.ndarray, rate) -> np.ndarray:
    """The gradient times the rate, in place unless the rate is a matrix."""
    if np.ndim(rate) == 2:
        # Not a matrix product: its bits may depend on the threads of BLAS.
        return np.einsum("ij,jm->im", rate, gradient.T).T
    gradient *= rate
    return gradient


@dataclass(frozen=True, eq=False)
class SGD:
    """Stochastic gradient descent: v ← μv + ηĝ, Φ ← Φ − v.

    Parameters
    ----------
    learning_rate : float, (d,) array, (d, d) array, or callable
        η. An array holds one rate a parameter; a matrix preconditions the
        gradient (Φ ← Φ − Pĝ); a callable is given the number of the step,
        1, 2, 3, …, and returns a float or a (d,) array, at least 0.
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
        fraction("momentum", self.momentum)
        keep(
            self,
            learning_rate=rate_of(self.learning_rate, axes=2),
            momentum=real("momentum", self.momentum),
        )

    def start(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What the algorithm remembers besides Φ: the velocity, if μ > 0."""
        return {"velocity": np.zeros_like(x)} if self.momentum else {}

    def step(self, x, memory, loss, noise, rng, t) -> None:
        """Move every chain in `x` by one update, in place."""
        move = noise.gradient(loss, x, rng, self.batch_size)
        move = _scaled(move, rate_at(self.learning_rate, t, x))
        if self.momentum:
            velocity = memory["velocity"]
            velocity *= self.momentum
            velocity += move
            move = velocity
        x -= move


@dataclass(frozen=True, eq=False)
class TorchSGD:
    """SGD as PyTorch's `torch.optim.SGD` takes its steps, keyword by keyword.

    With the weight decay λ, the dampening τ and the momentum μ, step t is

    - g ← ĝ + λΦ
    - b ← g at t = 1, and b ← μb + (1 − τ) g later
    - Φ ← Φ − ηb, or Φ ← Φ − η(g + μb) for Nesterov

    η stands outside the average b, where `SGD` has it inside: a schedule is
    felt by old gradients too. Without a schedule, without τ and Nesterov, the
    two are one. The first gradient is not dampened, and without momentum
    none is.

    Parameters
    ----------
    learning_rate : float, (d,) array, (d, d) array, or callable
        η, as in `SGD`.
    momentum : float
        μ, from 0 up to but not including 1.
    dampening : float
        τ, from 0 up to but not including 1: an average that is not blown up
        has τ = μ.
    weight_decay : float
        λ ≥ 0: the loss with λ|Φ|²/2 added.
    nesterov : bool
        Look ahead; with momentum and without dampening only, as in PyTorch.
    batch_size : int
        B, the number of examples that are averaged in ĝ.

    Raises
    ------
    ValueError
        If a number is not as above.
    """

    learning_rate: float | np.ndarray | Callable[[int], float]
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False
    batch_size: int = 1

    def __post_init__(self):
        fraction("momentum", self.momentum)
        fraction("dampening", self.dampening)
        numbers = {
            name: at_least(name, getattr(self, name), 0)
            for name in ("momentum", "dampening", "weight_decay")
        }
        if flag("nesterov", self.nesterov) and (not self.momentum or self.dampening):
            raise ValueError(
                "nesterov must come with momentum and without dampening, got "
                f"momentum={self.momentum}, dampening={self.dampening}"
            )
        keep(self, learning_rate=rate_of(self.learning_rate, axes=2), **numbers)

    def start(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What the algorithm remembers besides Φ: the average b, if μ > 0."""
        return {"average": np.zeros_like(x)} if self.momentum else {}

    def step(self, x, memory, loss, noise, rng, t) -> None:
        """Move every chain in `x` by one update, in place."""
        g = noise.gradient(loss, x, rng, self.batch_size)
        if self.weight_decay:
            g += self.weight_decay * x
        if self.momentum:
            average = memory["average"]
            average *= self.momentum
            average += g if t == 1 else (1 - self.dampening) * g
            g = g + self.momentum * average if self.nesterov else average.copy()
        x -= _scaled(g, rate_at(self.learning_rate, t, x))


@dataclass(frozen=True)
class Langevin:
    """Overdamped Langevin: x ← x − ĝ(x) Δt + √(2TΔt) ξ (Euler–Maruyama).

    Its diffusivity is T. With the full gradient ĝ = L′, its stationary density
    tends to exp(−L/T)/Z as Δt → 0.

    With a noise that draws batches, `MiniBatch` or `Epochs`, ĝ is the batch's
    gradient and ξ standard normal: stochastic-gradient Langevin dynamics
    (Welling and Teh, 2011). The batch heats: where one example's gradient has
    the variance σ², T becomes T + Δtσ²/(2B), and T again as Δt → 0. For a
    `DataLoss`, a mean over n examples that each lose −ln p, T = 1/n samples
    the posterior, and Welling and Teh's step ε is 2Δt/n.

    With any other noise ĝ = L′, and ξ is drawn from it: of unit variance. With
    none, ξ is standard normal.

    Parameters
    ----------
    temperature : float
        T, in the units of the loss.
    time_step : float
        Δt, in SDE time.
    batch_size : int
        B, if batches are drawn.

    Raises
    ------
    ValueError
        If a number is not positive and finite, or B not whole.
    """

    temperature: float
    time_step: float
    batch_size: int = 1

    def __post_init__(self):
        keep(self, "temperature", "time_step")

    def start(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Langevin remembers nothing but where it is."""
        return {}

    def step(self, x, memory, loss, noise, rng, t) -> None:
        """Move every chain in `x` by one time step, in place."""
        kick = thermal_kick(noise, x, rng)
        kick *= math.sqrt(2.0 * self.temperature * self.time_step)
        drift = drift_of(noise, loss, x, rng, self.batch_size)
        drift *= self.time_step
        x -= drift
        x += kick
