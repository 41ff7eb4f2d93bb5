"""Rates that adapt to the gradients that were seen: RMSProp and Adam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sgdnotes.checks import at_least, flag, positive
from sgdnotes.experiment.noise import ONE_BY_ONE
from sgdnotes.experiment.rate import batch_of, rate_at, rate_of

__all__ = ["Adam", "RMSProp"]


def _mix(held, new, window):
    """Give `new` the weight 1/window in the average `held`, in place.

    No difference is taken: it would lose a new square far below the old one.
    """
    held *= 1 - 1 / window
    held += new / window


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
        flag("epsilon_inside", self.epsilon_inside)
        flag("per_example", self.per_example)
        for name, own in (
            ("learning_rate", rate_of(self.learning_rate, axes=1)),
            ("window", at_least("window", self.window, 1)),
            ("epsilon", at_least("epsilon", self.epsilon, 0)),
            ("batch_size", batch_of(self.batch_size)),
            ("power", positive("power", self.power)),
        ):
            object.__setattr__(self, name, own)

    def start(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What the algorithm remembers besides Φ: s, shaped like `x`."""
        return {"squares": np.zeros_like(x)}

    def step(self, x, memory, loss, noise, rng, t) -> None:
        """Move every chain in `x` by one update, in place."""
        move, squared = self._gradient(x, loss, noise, rng)
        squares = memory["squares"]
        _mix(squares, squared, self.window)
        inside, outside = (self.epsilon, 0) if self.epsilon_inside else (0, self.epsilon)
        move *= rate_at(self.learning_rate, t, x)
        x -= move / ((squares + inside) ** self.power + outside)

    def _gradient(self, x, loss, noise, rng):
        """ĝ, and the squares that s averages."""
        if not self.per_example:
            g = noise.gradient(loss, x, rng, self.batch_size)
            return g, g**2
        if not getattr(noise, "replace", True):
            raise ValueError("per_example needs a noise that draws with replacement")
        if self.batch_size > ONE_BY_ONE:
            raise ValueError(
                f"batch_size must be at most {ONE_BY_ONE} with per_example, which takes gradients "
                f"one by one, got {self.batch_size}"
            )
        each = np.array([noise.gradient(loss, x, rng, 1) for _ in range(self.batch_size)])
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
        flag("simplified", self.simplified)
        for name, own in (
            ("learning_rate", rate_of(self.learning_rate, axes=1)),
            ("gradient_window", at_least("gradient_window", self.gradient_window, 1)),
            ("square_window", at_least("square_window", self.square_window, 1)),
            ("epsilon", at_least("epsilon", self.epsilon, 0)),
            ("batch_size", batch_of(self.batch_size)),
        ):
            object.__setattr__(self, name, own)

    def start(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What the algorithm remembers besides Φ: m and s, shaped like `x`."""
        return {"mean": np.zeros_like(x), "squares": np.zeros_like(x)}

    def step(self, x, memory, loss, noise, rng, t) -> None:
        """Move every chain in `x` by one update, in place."""
        g = noise.gradient(loss, x, rng, self.batch_size)
        mean = self._average(memory["mean"], g, self.gradient_window, t)
        squares = self._average(memory["squares"], g**2, self.square_window, t)
        x -= rate_at(self.learning_rate, t, x) * mean / (np.sqrt(squares) + self.epsilon)

    def _average(self, held, new, window, t):
        """Update an average in place, and return it corrected."""
        _mix(held, new, min(t, window) if self.simplified else window)
        return held if self.simplified else held / (1 - (1 - 1 / window) ** t)
