"""Batches that go through the examples epoch by epoch, each example once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sgdnotes.checks import choice, flag
from sgdnotes.experiment.noise import batch_gradients, examples_of

__all__ = ["Epochs"]

_ORDERS = ("reshuffled", "shuffled once", "as given")
_LAID_OUT = 2**18  # examples laid out at a time


@dataclass(frozen=True)
class Epochs:
    """Batches cut from an order of the examples: in an epoch, each comes once.

    At a fixed point a batch of B of n examples has the mean g and, from a
    random order, the covariance Σ(n − B)/(B(n − 1)), where Σ is the covariance
    of the examples' gradients; but the batches of an epoch are not independent.
    If B divides n, two of them have the covariance −Σ/(n − 1), and the noise of
    all n/B together is exactly 0.

    Parameters
    ----------
    order : str
        "reshuffled": each chain draws a new order for every epoch (random
        reshuffling). "shuffled once": each chain draws one order and keeps it.
        "as given": the order of the data, the same for all chains, so that
        nothing is random.
    drop_last : bool
        If B does not divide n, an epoch ends with a smaller batch, whose
        gradient is the mean over what it holds; or, with `drop_last`, the rest
        is left out of this epoch. Both are as in PyTorch's DataLoader.

    Raises
    ------
    ValueError
        If `order` is none of the three, or, in a run, B is above n.

    Notes
    -----
    Every chain is at the same place of its own epoch, so that T epochs are
    T·⌈n/B⌉ steps, or T·⌊n/B⌋ with `drop_last`. A block of chains keeps its
    orders in chains × n small integers.
    """

    order: str = "reshuffled"
    drop_last: bool = False

    def __post_init__(self):
        choice("order", self.order, _ORDERS)
        flag("drop_last", self.drop_last)

    def for_chains(self, loss, chains: int) -> _Pass:
        """The same law for the chains of one block: it remembers where they are."""
        return _Pass(self, examples_of(loss, self), chains)


class _Pass:
    """Where the chains of one block are in their orders."""

    replace = False

    def __init__(self, law: Epochs, examples: int, chains: int):
        self._law, self._examples = law, examples
        rows = 1 if law.order == "as given" else chains
        first = np.arange(examples, dtype=np.min_scalar_type(examples - 1))
        self._orders = np.tile(first, (rows, 1))
        self._rows = np.arange(chains) if rows == chains else np.zeros(chains, dtype=int)
        self._at, self._epoch = examples, 0

    def keep(self, which: np.ndarray) -> None:
        """Go on with the chains `which` of those that were left: (m,) bool."""
        self._rows = self._rows[which]

    def gradient(self, loss, x, rng, batch_size):
        """The gradient of each chain's next batch: a new array shaped like `x`."""
        examples_of(loss, self._law, batch_size)
        left = self._examples - self._at
        if not left or (self._law.drop_last and left < batch_size):
            self._begin(rng)
        here = slice(self._at, self._at + batch_size)
        self._at = min(here.stop, self._examples)

        def draw(a, chains):
            rows = self._rows[a : a + chains]
            return np.ascontiguousarray(self._orders[:, here][rows].T)

        return batch_gradients(loss, x, draw, max(1, _LAID_OUT // batch_size))

    def _begin(self, rng):
        """Begin the next epoch."""
        law, self._at, self._epoch = self._law, 0, self._epoch + 1
        if law.order == "as given" or (law.order == "shuffled once" and self._epoch > 1):
            return
        if len(self._rows) < len(self._orders):  # some chains have ended
            self._orders = self._orders[self._rows]
            self._rows = np.arange(len(self._rows))
        rng.permuted(self._orders, axis=1, out=self._orders)
