"""Langevin dynamics with inertia."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sgdnotes.experiment.noise import drift_of, thermal_kick
from sgdnotes.experiment.rate import keep

__all__ = ["UnderdampedLangevin"]


@dataclass(frozen=True)
class UnderdampedLangevin:
    """Langevin dynamics of a unit mass: dx = v dt, dv = −L′ dt − γv dt + √(2γT) dW.

    Its stationary density is exp(−(L + v²/2)/T)/Z: that of x is the density of
    `Langevin`, whatever γ is. A step is BAOAB (Leimkuhler and Matthews, 2013,
    "Rational construction of stochastic numerical methods for molecular
    sampling"), with one new gradient ĝ:

    - B: v ← v − ĝ Δt/2
    - A: x ← x + v Δt/2
    - O: v ← cv + √(T(1 − c²)) ξ, with c = exp(−γΔt)
    - A, and B again, with the gradient at the new x

    On L = hx²/2 with hΔt² < 4 the variance of x is exactly T/h, and that of v
    is T(1 − hΔt²/4). On other losses the error is of order Δt².

    Noise means what it means for `Langevin`: one that draws batches makes ĝ a
    batch's gradient, which then heats: with a variance σ²/B the temperature
    is higher by about Δtσ²/(2γB). Any other is the law of ξ.

    Parameters
    ----------
    temperature : float
        T, in the units of the loss.
    time_step : float
        Δt, in SDE time.
    friction : float
        γ, in 1/time. Where it is large, x follows `Langevin` in the time t/γ.
    batch_size : int
        B, if batches are drawn.

    Raises
    ------
    ValueError
        If a number is not positive and finite, or B not whole.

    Notes
    -----
    The chains start at rest, and forget it in a time of a few 1/γ.
    """

    temperature: float
    time_step: float
    friction: float
    batch_size: int = 1

    def __post_init__(self):
        keep(self, "temperature", "time_step", "friction")

    def start(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """The velocity, and the gradient where the chains are: it serves two steps."""
        return {"velocity": np.zeros_like(x), "gradient": np.zeros_like(x)}

    def step(self, x, memory, loss, noise, rng, t) -> None:
        """Move every chain in `x` by one time step, in place."""
        half = self.time_step / 2
        velocity, gradient = memory["velocity"], memory["gradient"]
        if t == 1:
            gradient[:] = drift_of(noise, loss, x, rng, self.batch_size)
        velocity -= half * gradient
        x += half * velocity
        keep = math.exp(-self.friction * self.time_step)
        kick = thermal_kick(noise, x, rng)
        kick *= math.sqrt(-self.temperature * math.expm1(-2 * self.friction * self.time_step))
        velocity *= keep
        velocity += kick
        x += half * velocity
        gradient[:] = drift_of(noise, loss, x, rng, self.batch_size)
        velocity -= half * gradient
