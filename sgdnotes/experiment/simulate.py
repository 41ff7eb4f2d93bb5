"""Many chains, many steps: the same numbers whatever runs them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from sgdnotes.checks import whole
from sgdnotes.experiment.block import Plan, run_block
from sgdnotes.experiment.noise import draws_batches

__all__ = ["Run", "simulate"]

BLOCK = 2**13  # chains that share a stream; their arrays fit in cache


@dataclass(frozen=True, eq=False)
class Run:
    """What a simulation returns; d = 1 has no last axis.

    Attributes
    ----------
    samples : (chains,) or (chains, d) array
        Where each chain ended.
    average : (chains, …) array or None
        Each chain's time average of `observe`, after the burn-in.
    path : (k, chains) or (k, chains, d) array or None
        Snapshots at the steps `path_steps`, if `record_every` was given. Time
        comes first: independent are the chains, along the second axis.
    path_steps : (k,) array of int or None
    exit_step : (chains,) array of int or None
        The step that met `absorb`, or −1; absorbed chains stay there.
    steps : int
    """

    samples: np.ndarray
    steps: int
    average: np.ndarray | None = None
    path: np.ndarray | None = None
    path_steps: np.ndarray | None = None
    exit_step: np.ndarray | None = None


def _starting_points(start, chains: int, dimension: int) -> np.ndarray:
    shape = (chains,) if dimension == 1 else (chains, dimension)
    start = np.asarray(start, dtype=float)
    if not np.isfinite(start).all():
        raise ValueError("start must be finite, got nan or inf")
    try:
        return np.broadcast_to(start, shape).copy()
    except ValueError:
        raise ValueError(
            f"start must be one point or one a chain, shape {shape}, got {start.shape}"
        ) from None


def simulate(
    dynamics,
    loss,
    noise=None,
    *,
    start,
    chains: int,
    steps: int,
    rng: int | np.random.Generator,
    burn_in: int = 0,
    observe: Callable | None = None,
    observe_every: int = 1,
    record_every: int | None = None,
    absorb: Callable | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    block: int | None = None,
) -> Run:
    """Run `chains` independent copies of `dynamics` on `loss` for `steps` steps.

    Chains run in blocks of fixed size, each with a random stream of its own,
    so the result has the same bits for any number of threads and any
    executor. The streams are SFC64 generators seeded by children of the seed
    sequence of `rng`, whatever bit generator `rng` itself is.

    Parameters
    ----------
    dynamics : SGD, Langevin, … of `sgdnotes.experiment.dynamics`
    loss : Loss or DataLoss
    noise : a law of `sgdnotes.experiment.noise`
        The gradient noise. Langevin may go without: standard normal kicks.
    start : float, (d,), (chains,) or (chains, d) array
        Where the chains begin.
    rng : int or numpy.random.Generator
    burn_in : int
        Steps before `observe` is looked at.
    observe : callable, optional
        Takes the points (m,) or (m, d), returns an (m, …) array; each chain's
        time average is kept in `Run.average`.
    observe_every : int
        Steps between two looks.
    record_every : int, optional
        Keep a snapshot of every chain each so many steps, the start included.
    absorb : callable, optional
        Takes the points after a step, returns (m,) bool; a chain stops where it
        is true. What lies between two steps is not seen.
        It excludes `observe` and `record_every`.
    threads : int, optional
        Threads to share the blocks among; all cores by default.
    executor : concurrent.futures.Executor, optional
        Runs the blocks instead of threads. What it sends to other processes
        must pickle: functions of a module, not lambdas.
    block : int, optional
        Chains a block: 2**13, or what the noise prefers. Another size is
        another set of random streams.

    Returns
    -------
    Run

    Raises
    ------
    ValueError
        If an argument is not as above.
    Diverged
        If a chain overflows.
    """
    chains = whole("chains", chains, 1)
    steps = whole("steps", steps, 1)
    block = whole("block", getattr(noise, "block", BLOCK) if block is None else block, 1)
    burn_in = whole("burn_in", burn_in, 0)
    observe_every = whole("observe_every", observe_every, 1)
    if record_every is not None:
        record_every = whole("record_every", record_every, 1)
    threads = whole("threads", (os.cpu_count() or 1) if threads is None else threads, 1)
    if observe and burn_in + observe_every > steps:
        raise ValueError(
            f"steps must exceed burn_in + observe_every = {burn_in + observe_every} "
            f"for `observe` to be looked at, got {steps}"
        )
    if not isinstance(rng, np.random.Generator | int | np.integer):
        raise ValueError(f"rng must be an int or a numpy.random.Generator, got {rng!r}")
    if burn_in and not observe:
        raise ValueError(f"burn_in must come with observe, got burn_in={burn_in} without it")
    if absorb and (observe or record_every):
        raise ValueError("absorb cannot be combined with observe or record_every")
    if hasattr(dynamics, "temperature"):
        if dynamics.batch_size > 1 and not draws_batches(noise):
            raise ValueError(
                f"batch_size must be 1 for a noise that draws no batches, got {dynamics.batch_size}"
            )
    elif noise is None:
        raise ValueError(f"noise must be given: {type(dynamics).__name__} has none of its own")
    rate = getattr(dynamics, "learning_rate", 0.0)
    d = loss.dimension
    if np.shape(rate) not in ([(), (d,), (d, d)] if d > 1 else [(), (1,)]):
        raise ValueError(
            f"learning_rate must hold one rate for each of {d} parameters, or be {(d, d)}, "
            f"got shape {np.shape(rate)}"
        )

    x = _starting_points(start, chains, d)
    cuts = range(0, chains, block)
    seeds = np.random.default_rng(rng).bit_generator.seed_seq.spawn(len(cuts))
    plan = Plan(dynamics, loss, noise, steps, burn_in, observe, observe_every, record_every, absorb)
    work = [(plan, x[a : a + block], seed) for a, seed in zip(cuts, seeds, strict=True)]
    # A bar only for a person at a terminal, and only after two seconds.
    hidden = False if os.environ.get("SGDNOTES_PROGRESS") else None
    with tqdm(total=steps * len(work), delay=2, leave=False, disable=hidden) as bar:
        if executor is not None:
            parts = _gather([executor.submit(run_block, *w) for w in work], steps, bar)
        elif threads == 1 or len(work) == 1:
            parts = [run_block(*w, tick=_ticker(bar)) for w in work]
        else:
            with ThreadPoolExecutor(threads) as pool:
                parts = _gather([pool.submit(run_block, *w) for w in work], steps, bar)
    samples, averages, paths, exits = zip(*parts, strict=True)
    return Run(
        samples=np.concatenate(samples),
        steps=steps,
        average=None if observe is None else np.concatenate(averages),
        path=np.concatenate(paths, axis=1) if record_every else None,
        path_steps=np.arange(0, steps + 1, record_every) if record_every else None,
        exit_step=None if absorb is None else np.concatenate(exits),
    )


def _ticker(bar):
    done = 0

    def tick(t):
        nonlocal done
        bar.update(t - done)
        done = t

    return tick


def _gather(futures, steps: int, bar) -> list:
    for future in as_completed(futures):
        if future.exception():
            for other in futures:
                other.cancel()
            raise future.exception()
        bar.update(steps)
    return [future.result() for future in futures]
