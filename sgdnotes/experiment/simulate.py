"""Many chains, many steps: the same numbers whatever runs them."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from sgdnotes.checks import function, generator, loss_of, real, whole
from sgdnotes.experiment.block import Plan, run_block
from sgdnotes.experiment.domain import Watch
from sgdnotes.experiment.noise import draws_batches
from sgdnotes.experiment.rate import shape_of_rate

__all__ = ["Run", "fit", "simulate"]

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
    LeftDomain
        If the loss, its gradient or a step is no number where a chain is. As
        for overflow, a look is taken every 32 steps and at the end.
    """
    chains = whole("chains", chains, 1)
    steps = whole("steps", steps, 1)
    block = whole("block", getattr(noise, "block", BLOCK) if block is None else block, 1)
    burn_in = whole("burn_in", burn_in, 0)
    observe_every = whole("observe_every", observe_every, 1)
    if record_every is not None:
        record_every = whole("record_every", record_every, 1)
    threads = whole("threads", _cores() if threads is None else threads, 1)
    for name, told in (("observe", observe), ("absorb", absorb)):
        if told is not None:
            function(name, told)
    if executor is not None and not hasattr(executor, "submit"):
        raise ValueError(f"executor must be a concurrent.futures.Executor, got {executor!r}")
    if observe and burn_in + observe_every > steps:
        raise ValueError(
            f"steps must exceed burn_in + observe_every = {burn_in + observe_every} "
            f"for `observe` to be looked at, got {steps}"
        )
    if burn_in and not observe:
        raise ValueError(f"burn_in must come with observe, got burn_in={burn_in} without it")
    if absorb and (observe or record_every):
        raise ValueError("absorb cannot be combined with observe or record_every")
    fit(dynamics, loss, noise)

    x = _starting_points(start, chains, loss.dimension)
    cuts = range(0, chains, block)
    seeds = generator("rng", rng).bit_generator.seed_seq.spawn(len(cuts))
    watch = Watch(dynamics, loss, noise, steps)
    plan = Plan(
        dynamics, loss, noise, steps, burn_in, observe, observe_every, record_every, absorb, watch
    )
    work = [(plan, x[a : a + block], seed) for a, seed in zip(cuts, seeds, strict=True)]
    with _bar(steps * len(work)) as bar:
        if executor is not None:
            parts = _gather(executor, work, bar)
        elif threads == 1 or len(work) == 1:
            parts = [run_block(*w, tick=_ticker(bar)) for w in work]
        else:
            with ThreadPoolExecutor(threads) as pool:
                parts = _gather(pool, work, bar)
    samples, averages, paths, exits = zip(*parts, strict=True)
    return Run(
        samples=np.concatenate(samples),
        steps=steps,
        average=None if observe is None else np.concatenate(averages),
        path=np.concatenate(paths, axis=1) if record_every else None,
        path_steps=np.arange(0, steps + 1, record_every) if record_every else None,
        exit_step=None if absorb is None else np.concatenate(exits),
    )


def fit(dynamics, loss, noise) -> None:
    """ValueError unless the three are what they are called, and go together."""
    if isinstance(dynamics, type) or not hasattr(dynamics, "step"):
        raise ValueError(f"dynamics must be one with its numbers, as SGD(0.1), got {dynamics!r}")
    loss_of(loss)
    law = any(hasattr(noise, name) for name in ("gradient", "for_chains"))
    if noise is not None and (isinstance(noise, type) or not law):
        raise ValueError(f"noise must be a law with its numbers, as Gaussian(1.0), got {noise!r}")
    if hasattr(dynamics, "temperature"):
        if dynamics.batch_size > 1 and not draws_batches(noise):
            raise ValueError(
                f"batch_size must be 1 for a noise that draws no batches, got {dynamics.batch_size}"
            )
    elif noise is None:
        raise ValueError(f"noise must be given: {type(dynamics).__name__} has none of its own")
    shape_of_rate(getattr(dynamics, "learning_rate", 0.0), loss.dimension)


def _starting_points(start, chains: int, dimension: int) -> np.ndarray:
    if chains * dimension > 2**45:
        raise ValueError(f"chains must fit into memory, got {chains}")
    shape = (chains,) if dimension == 1 else (chains, dimension)
    start = np.asarray(real("start", start, 2))
    if not np.isfinite(start).all():
        raise ValueError("start must be finite, got nan or inf")
    try:
        return np.broadcast_to(start, shape).copy()
    except MemoryError:
        raise ValueError(f"chains must fit into memory, got {chains}") from None
    except ValueError:
        raise ValueError(
            f"start must be one point or one a chain, shape {shape}, got {start.shape}"
        ) from None


def _cores() -> int:
    # In a browser Python has one thread, whatever the machine has.
    return 1 if sys.platform == "emscripten" else os.cpu_count() or 1


class _NoBar:
    """What stands for a progress bar where there is no terminal to draw it in."""

    def update(self, steps: int) -> None:
        """Nothing is shown."""


def _bar(total: int):
    # tqdm would start a thread to watch itself, which a browser has not.
    if sys.platform == "emscripten":
        return contextlib.nullcontext(_NoBar())
    # A bar only for a person at a terminal, and only after two seconds.
    hidden = False if os.environ.get("SGDNOTES_PROGRESS") else None
    return tqdm(total=total, delay=2, leave=False, disable=hidden)


def _ticker(bar):
    done = 0

    def tick(t):
        nonlocal done
        bar.update(t - done)
        done = t

    return tick


def _gather(executor, work: list, bar) -> list:
    """What the blocks return, in order. An error, or Ctrl-C, ends them all."""
    # An event goes to threads only; other processes are told to begin no new block.
    stop = threading.Event() if isinstance(executor, ThreadPoolExecutor) else None
    told = {} if stop is None else {"stop": stop}
    futures = []
    try:
        for w in work:
            futures.append(executor.submit(run_block, *w, **told))
        waiting = set(futures)
        while waiting:
            # Not without end: Windows cannot interrupt that.
            done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=futures.index):
                future.result()
                bar.update(work[0][0].steps)
    except BaseException:
        if stop is not None:
            stop.set()
        for future in futures:
            future.cancel()
        raise
    return [future.result() for future in futures]
