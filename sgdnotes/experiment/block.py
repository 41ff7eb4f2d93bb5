"""One block of chains, from its first step to its last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from sgdnotes.checks import per_point
from sgdnotes.experiment.domain import CHECK, Diverged, LeftDomain, Watch, WatchedStep, overflowed

__all__ = ["Cancelled", "Plan", "run_block"]


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
    watch: Watch


@dataclass
class _Block:
    """One block's chains as they move; absorbed ones are set aside."""

    x: np.ndarray
    memory: dict
    total: np.ndarray | None = None
    seen: int = 0
    path: list = field(default_factory=list)


def _chosen(x: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Some chains of `x`, each parameter's column still contiguous."""
    return x.T[..., which].T


class Cancelled(Exception):
    """The run was told to stop: nobody wants what this block would return."""


def _explained(plan: Plan, x, seed, said: Diverged, stop):
    """The error that the first bad step deserves: the block is run again, watched at each."""
    if isinstance(plan.dynamics, WatchedStep):
        return said
    watched = WatchedStep(plan.dynamics, plan.watch, plan.absorb, said)
    again = replace(plan, dynamics=watched, observe=None, record_every=None)
    try:
        run_block(again, x, seed, stop=stop)
    except (Diverged, LeftDomain) as found:
        return found
    return said


def run_block(plan: Plan, x: np.ndarray, seed: np.random.SeedSequence, tick=None, stop=None):
    """Run the chains that begin at `x`: where they end, averages, path, exit steps.

    tick(t) is told now and then how far they are. When the event `stop` is set, they end.
    """
    # A block changes nothing that it is given, so it can be run again elsewhere.
    rng = np.random.Generator(np.random.SFC64(seed))
    # glibc gives freed memory back, and each page of the next array faults, until
    # it has seen a large block freed.
    np.empty(2**20)
    begun, x = x, x.copy(order="F")  # each parameter's column contiguous
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
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for t in range(1, plan.steps + 1):
            if stop and stop.is_set():
                raise Cancelled
            plan.dynamics.step(block.x, block.memory, plan.loss, noise, rng, t)
            if plan.absorb is not None:
                gone = per_point("absorb", plan.absorb, block.x, "b") & ~overflowed(block.x)
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
            if t % CHECK == 0 or t == plan.steps:
                lost = plan.watch.lost(block.x, t)
                for kept in block.memory.values():  # a mean square that overflowed stands still
                    lost |= overflowed(kept)
                if lost.any():
                    raise _explained(plan, begun, seed, Diverged(t, int(lost.sum())), stop)
                if tick and (t % (8 * CHECK) == 0 or t == plan.steps):
                    tick(t)
    if plan.absorb is not None:
        final[alive] = block.x
        block.x = final
    average = None if block.total is None else block.total / block.seen
    if average is not None and not np.isfinite(average).all():
        raise ValueError("observe must return finite numbers, got nan or inf")
    path = np.stack(block.path) if block.path else None
    return block.x, average, path, exit_step
