"""One block of chains, from its first step to its last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sgdnotes.checks import per_point

__all__ = ["Diverged", "Plan", "run_block"]

_CHECK = 32  # steps between two looks for overflow


class Diverged(ValueError):
    """Some chains overflowed.

    Attributes
    ----------
    step : int
        The step by which it was noticed.
    count : int
        How many chains of the block had left the finite numbers.
    """

    def __init__(self, step: int, count: int):
        super().__init__(step, count)
        self.step, self.count = step, count

    def __str__(self):
        return (
            f"{self.count} chains overflowed by step {self.step}: a smaller learning_rate, "
            "a start nearer to the minimum, or a loss that confines would keep them finite"
        )


@dataclass
class Plan:
    """What every block of one simulation is told."""

    dynamics: object
    loss: object
    noise: object
    steps: int
    burn_in: int
    observe: Callable | None
    observe_every: int
    record_every: int | None
    absorb: Callable | None


@dataclass
class _Block:
    """One block's chains as they move; absorbed ones are set aside."""

    x: np.ndarray
    memory: dict
    total: np.ndarray | None = None
    seen: int = 0
    path: list = field(default_factory=list)


def _overflowed(x: np.ndarray) -> np.ndarray:
    """Which chains have left the finite numbers: (m,) bool."""
    lost = ~np.isfinite(x)
    return lost if x.ndim == 1 else lost.any(axis=1)


def _chosen(x: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Some chains of `x`, each parameter's column still contiguous."""
    return x.T[..., which].T


def _refuse_overflow(x: np.ndarray, t: int) -> None:
    lost = _overflowed(x)
    if lost.any():
        raise Diverged(t, int(lost.sum()))


def run_block(plan: Plan, x: np.ndarray, seed: np.random.SeedSequence, tick=None):
    """Run the chains that begin at `x`: where they end, averages, path, exit steps."""
    # A block changes nothing that it is given, so it can be run again elsewhere.
    rng = np.random.Generator(np.random.SFC64(seed))
    # glibc gives freed memory back, and each page of the next array faults, until
    # it has seen a large block freed.
    np.empty(2**20)
    x = x.copy(order="F")  # each parameter's column contiguous
    block = _Block(x, plan.dynamics.start(x))
    noise = plan.noise
    if hasattr(noise, "for_chains"):
        noise = noise.for_chains(plan.loss, len(x))
    final, exit_step, alive = None, None, None
    if plan.absorb is not None:
        final, exit_step = x.copy(), np.full(len(x), -1)
        alive = np.arange(len(x))
    if plan.record_every:
        block.path.append(x.copy())
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(1, plan.steps + 1):
            plan.dynamics.step(block.x, block.memory, plan.loss, noise, rng, t)
            if plan.absorb is not None:
                gone = per_point("absorb", plan.absorb, block.x, "b") & ~_overflowed(block.x)
                if gone.any():
                    exit_step[alive[gone]] = t
                    final[alive[gone]] = block.x[gone]
                    alive = alive[~gone]
                    block.x = _chosen(block.x, ~gone)
                    block.memory = {k: _chosen(v, ~gone) for k, v in block.memory.items()}
                    if noise is not plan.noise:
                        noise.keep(~gone)
                    if not len(alive):
                        break
            if plan.observe and t > plan.burn_in and (t - plan.burn_in) % plan.observe_every == 0:
                seen = per_point("observe", plan.observe, block.x)
                block.total = seen.astype(float) if block.total is None else block.total + seen
                block.seen += 1
            if plan.record_every and t % plan.record_every == 0:
                block.path.append(block.x.copy())
            if t % _CHECK == 0 or t == plan.steps:
                _refuse_overflow(block.x, t)
                if tick and (t % (8 * _CHECK) == 0 or t == plan.steps):
                    tick(t)
    if plan.absorb is not None:
        final[alive] = block.x
        block.x = final
    average = None if block.total is None else block.total / block.seen
    if average is not None and not np.isfinite(average).all():
        raise ValueError("observe must return finite numbers, got nan or inf")
    path = np.stack(block.path) if block.path else None
    return block.x, average, path, exit_step
