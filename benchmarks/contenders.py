"""The same work, done by each who could do it.

A contender is a function that is given a number of threads and returns another
that does the whole work once and hands back where the chains ended. What is
compiled is compiled before the clock starts. All is float64.

    python contenders.py WORK WHO THREADS STEPS

reads lines, does the work once a line, and answers each with a line of JSON.

    python contenders.py grow CHAINS STEPS

does the double well once with sgdnotes, on all cores.
"""

import json
import math
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

CHAINS = 2**14
STEPS = 1000  # for each work, or the number given on the command line
BLOCK = 2**13

START, TEMPERATURE, TIME_STEP = -1.0, 0.25, 0.01  # double well
KICK = math.sqrt(2 * TEMPERATURE * TIME_STEP)
RATE, MOMENTUM, SIGMA = 0.01, 0.9, 1.0  # heavy ball
CURVATURE = np.array([[2.0, 0.5], [0.5, 0.5]])  # quadratic
COVARIANCE = np.array([[1.0, -0.3], [-0.3, 0.4]])
ROOT = np.linalg.cholesky(COVARIANCE)
BATCH, DATA = 32, np.random.default_rng(1).normal(size=1000)  # mini-batches

LOOPS = ("double well", "quadratic", "mini-batches", "heavy ball")
WORKS = ("increments", *LOOPS)
CONTENDERS = {work: {} for work in WORKS}


def contender(*works):
    """Register a function under its name, for each of `works` that it can do."""

    def register(function):
        for work in works:
            name = function.__name__.replace("_", " ")
            CONTENDERS[work][name] = partial(function, work)
        return function

    return register


def shared(threads, part):
    """Run part(chains, seed) on each of `threads` threads, and join what they return."""
    seeds = np.random.SeedSequence(1).spawn(threads)
    pool = ThreadPoolExecutor(threads)

    def run():
        return np.concatenate(list(pool.map(lambda s: part(CHAINS // threads, s), seeds)))

    return run


def sfc64(seed):
    return np.random.Generator(np.random.SFC64(seed))


# What any of them must do at least.


def least(work, threads, generator, kind):
    """The random numbers alone, in blocks that fit in cache, and for batches the gather."""

    def gaussians(chains, seed):
        rng = generator(seed)
        xi = np.empty((2 if work == "quadratic" else 1, min(BLOCK, chains)))
        for _ in range(STEPS * chains // xi.shape[1]):
            rng.standard_normal(out=xi)
        return xi[0, :0]

    def batches(chains, seed):
        rng, some = generator(seed), 2**16 // BATCH
        for _ in range(STEPS * chains // some):
            DATA.take(rng.integers(len(DATA), size=(BATCH, some), dtype=kind))
        return DATA[:0]

    return shared(threads, batches if work == "mini-batches" else gaussians)


@contender(*WORKS)
def floor(work, threads):
    """As sgdnotes draws them: SFC64, and indices of 16 bits."""
    return least(work, threads, sfc64, np.uint16)


@contender(*WORKS)
def default_floor(work, threads):
    """As NumPy draws them unless told otherwise: PCG64, and indices of 64 bits."""
    return least(work, threads, np.random.default_rng, np.int64)


# sgdnotes.


def ours(work, threads, weak=None):
    import sympy as sp

    from sgdnotes.experiment.dynamics import SGD, Langevin
    from sgdnotes.experiment.noise import Gaussian, MiniBatch
    from sgdnotes.experiment.simulate import simulate
    from sgdnotes.losses import DataLoss, Loss

    x, y, u = sp.symbols("x y u", real=True)
    well = Loss(x**4 / 4 - x**2 / 2, x)
    bowl = Loss(x**2 + x * y / 2 + y**2 / 4, (x, y))
    told = {
        "double well": (Langevin(TEMPERATURE, TIME_STEP), well, weak),
        "quadratic": (SGD(RATE), bowl, weak or Gaussian(COVARIANCE)),
        "mini-batches": (SGD(RATE, batch_size=BATCH), DataLoss((x - u) ** 2 / 2, x, u, DATA),
                         MiniBatch()),
        "heavy ball": (SGD(RATE, MOMENTUM), well, weak or Gaussian(SIGMA**2)),
    }[work]  # fmt: skip

    def run(chains=CHAINS, steps=None):
        return simulate(
            *told, start=START, chains=chains, steps=steps or STEPS, rng=1, threads=threads
        ).samples

    return run


@contender(*LOOPS)
def sgdnotes(work, threads):
    return ours(work, threads)


@contender("double well", "heavy ball")
def TwoPoint_noise(work, threads):
    from sgdnotes.experiment.noise import TwoPoint

    return ours(work, threads, TwoPoint(1.0))


@contender("double well", "heavy ball")
def Uniform_noise(work, threads):
    from sgdnotes.experiment.noise import Uniform

    return ours(work, threads, Uniform(1.0))


@contender("increments")
def TwoPoint_draw(work, threads):
    return drawn("TwoPoint", threads)


@contender("increments")
def Uniform_draw(work, threads):
    return drawn("Uniform", threads)


def drawn(name, threads):
    from sgdnotes import noise

    def part(chains, seed):
        law, rng = getattr(noise, name)(1.0), sfc64(seed)
        x = np.empty(law.block)
        for _ in range(STEPS * chains // len(x)):
            law.draw(x, rng)
        return x[:0]

    return shared(threads, part)


@contender("increments")
def Numba_draw(work, threads):
    """NumPy's generator and NumPy's algorithm, compiled by Numba: the same bits."""
    import numba

    @numba.njit(nogil=True)
    def fill(rng, xi):
        for i in range(len(xi)):
            xi[i] = rng.standard_normal()

    def part(chains, seed):
        rng, xi = sfc64(seed), np.empty(min(BLOCK, chains))
        for _ in range(STEPS * chains // len(xi)):
            fill(rng, xi)
        return xi[:0]

    return shared(threads, part)


# Loops written by hand.


@contender(*LOOPS)
def NumPy_loop(work, threads):
    def double_well(chains, rng):
        x = np.full(chains, START)
        for _ in range(STEPS):
            x += -TIME_STEP * (x * x * x - x) + KICK * rng.standard_normal(chains)
        return x

    def quadratic(chains, rng):
        x = np.full((chains, 2), START)
        for _ in range(STEPS):
            x -= RATE * (x @ CURVATURE + rng.standard_normal((chains, 2)) @ ROOT.T)
        return x

    def batches(chains, rng):
        x = np.full(chains, START)
        for _ in range(STEPS):
            drawn = DATA[rng.integers(len(DATA), size=(chains, BATCH))]
            x -= RATE * (x[:, None] - drawn).mean(axis=1)
        return x

    def heavy_ball(chains, rng):
        x, v = np.full(chains, START), np.zeros(chains)
        for _ in range(STEPS):
            v = MOMENTUM * v + RATE * (x * x * x - x + SIGMA * rng.standard_normal(chains))
            x -= v
        return x

    loop = dict(zip(LOOPS, (double_well, quadratic, batches, heavy_ball), strict=True))[work]
    return shared(threads, lambda chains, seed: loop(chains, np.random.default_rng(seed)))


@contender(*LOOPS)
def Numba_loop(work, threads):
    import numba

    @numba.njit(nogil=True)
    def double_well(rng, x, steps):
        for i in range(len(x)):
            a = x[i, 0]
            for _ in range(steps):
                a += -TIME_STEP * (a * a * a - a) + KICK * rng.standard_normal()
            x[i, 0] = a

    h, root = CURVATURE, ROOT

    @numba.njit(nogil=True)
    def quadratic(rng, x, steps):
        for i in range(len(x)):
            a, b = x[i, 0], x[i, 1]
            for _ in range(steps):
                p, q = rng.standard_normal(), rng.standard_normal()
                g = h[0, 0] * a + h[0, 1] * b + root[0, 0] * p
                k = h[1, 0] * a + h[1, 1] * b + root[1, 0] * p + root[1, 1] * q
                a, b = a - RATE * g, b - RATE * k
            x[i, 0], x[i, 1] = a, b

    data = DATA

    @numba.njit(nogil=True)
    def batches(rng, x, steps):
        n = len(data)
        for i in range(len(x)):
            a = x[i, 0]
            for _ in range(steps):
                g = 0.0
                for _ in range(BATCH):
                    g += a - data[int(n * rng.random())]
                a -= RATE * g / BATCH
            x[i, 0] = a

    @numba.njit(nogil=True)
    def heavy_ball(rng, x, steps):
        for i in range(len(x)):
            a, v = x[i, 0], 0.0
            for _ in range(steps):
                v = MOMENTUM * v + RATE * (a * a * a - a + SIGMA * rng.standard_normal())
                a -= v
            x[i, 0] = a

    loop = dict(zip(LOOPS, (double_well, quadratic, batches, heavy_ball), strict=True))[work]

    def part(chains, seed):
        x = np.full((chains, 2 if work == "quadratic" else 1), START)
        loop(sfc64(seed), x, STEPS)
        return x if work == "quadratic" else x[:, 0]

    return shared(threads, part)


def jax64():
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax, jax.numpy


@contender(*LOOPS)
def JAX_loop(work, threads):
    jax, jnp = jax64()
    h, root, data = jnp.asarray(CURVATURE), jnp.asarray(ROOT), jnp.asarray(DATA)

    def double_well(key, x, v):
        xi = jax.random.normal(key, x.shape)
        return x - TIME_STEP * (x * x * x - x) + KICK * xi, v

    def quadratic(key, x, v):
        return x - RATE * (x @ h + jax.random.normal(key, x.shape) @ root.T), v

    def batches(key, x, v):
        drawn = data[jax.random.randint(key, (CHAINS, BATCH), 0, len(DATA), dtype=jnp.int32)]
        return x - RATE * (x[:, None] - drawn).mean(axis=1), v

    def heavy_ball(key, x, v):
        v = MOMENTUM * v + RATE * (x * x * x - x + SIGMA * jax.random.normal(key, x.shape))
        return x - v, v

    step = dict(zip(LOOPS, (double_well, quadratic, batches, heavy_ball), strict=True))[work]
    shape = (CHAINS, 2) if work == "quadratic" else (CHAINS,)

    @jax.jit
    def loop(key):
        def body(t, state):
            return step(jax.random.fold_in(key, t), *state)

        return jax.lax.fori_loop(0, STEPS, body, (jnp.full(shape, START), jnp.zeros(shape)))[0]

    return lambda: np.asarray(loop(jax.random.key(1)))


@contender(*LOOPS)
def PyTorch_loop(work, threads):
    import torch

    torch.set_num_threads(threads)
    torch.set_default_dtype(torch.float64)
    h, root, data = map(torch.from_numpy, (CURVATURE, ROOT, DATA))
    shape = (CHAINS, 2) if work == "quadratic" else (CHAINS,)

    def double_well(x, v, xi):
        x += KICK * torch.randn(shape, out=xi) - TIME_STEP * (x * x * x - x)

    def quadratic(x, v, xi):
        x -= RATE * (x @ h + torch.randn(shape, out=xi) @ root.T)

    def batches(x, v, xi):
        drawn = data[torch.randint(len(data), (CHAINS, BATCH))]
        x -= RATE * (x[:, None] - drawn).mean(1)

    def heavy_ball(x, v, xi):
        v *= MOMENTUM
        v += RATE * (x * x * x - x + SIGMA * torch.randn(shape, out=xi))
        x -= v

    step = dict(zip(LOOPS, (double_well, quadratic, batches, heavy_ball), strict=True))[work]

    def run():
        torch.manual_seed(1)
        x, v, xi = torch.full(shape, START), torch.zeros(shape), torch.empty(shape)
        for _ in range(STEPS):
            step(x, v, xi)
        return x.numpy()

    return run


# Libraries for stochastic differential equations. SGD on the quadratic is the
# Euler scheme of dx = −Hx dt + √η R dW with steps of η.

SDES = ("double well", "quadratic")
SPREAD = math.sqrt(2 * TEMPERATURE), math.sqrt(RATE) * ROOT


@contender(*SDES)
def torchsde(work, threads):
    import torch
    from torchsde import BrownianInterval, sdeint

    torch.set_num_threads(threads)
    h, root = torch.from_numpy(CURVATURE), torch.from_numpy(SPREAD[1])

    class DoubleWell:
        noise_type, sde_type, dimension, step = "diagonal", "ito", 1, TIME_STEP

        def f(self, t, x):
            return x - x * x * x

        def g(self, t, x):
            return torch.full_like(x, SPREAD[0])

    class Quadratic:
        noise_type, sde_type, dimension, step = "general", "ito", 2, RATE

        def f(self, t, x):
            return -(x @ h)

        def g(self, t, x):
            return root.expand(len(x), 2, 2)

    sde = {"double well": DoubleWell, "quadratic": Quadratic}[work]()

    @torch.no_grad()
    def run():
        torch.manual_seed(1)
        start = torch.full((CHAINS, sde.dimension), START, dtype=torch.float64)
        span = torch.tensor([0.0, STEPS * sde.step], dtype=torch.float64)
        # Told the step in advance, it searches its tree of increments four times less.
        path = BrownianInterval(
            0.0, (STEPS + 1) * sde.step, start.shape, dtype=torch.float64, dt=sde.step
        )
        ends = sdeint(sde, start, span, method="euler", dt=sde.step, bm=path)[-1]
        return ends.numpy().squeeze()

    return run


@contender(*SDES)
def diffrax(work, threads):
    jax, jnp = jax64()
    import diffrax as dfx
    import lineax

    shape = (CHAINS, 2) if work == "quadratic" else (CHAINS,)
    step = RATE if work == "quadratic" else TIME_STEP
    h, root = jnp.asarray(CURVATURE), jnp.asarray(SPREAD[1])

    def drift(t, x, _):
        return -(x @ h) if work == "quadratic" else x - x * x * x

    def diffusion(t, x, _):
        if work == "double well":
            return lineax.DiagonalLinearOperator(jnp.full(shape, SPREAD[0]))
        out = jax.ShapeDtypeStruct(shape, jnp.float64)
        return lineax.FunctionLinearOperator(lambda dw: dw @ root.T, out)

    @jax.jit
    def solve(key):
        # The quickest path of Brownian motion that it has; steps are fixed anyway.
        path = dfx.UnsafeBrownianPath(shape=shape, key=key)
        terms = dfx.MultiTerm(dfx.ODETerm(drift), dfx.ControlTerm(diffusion, path))
        return dfx.diffeqsolve(
            terms, dfx.Euler(), 0.0, STEPS * step, step, jnp.full(shape, START),
            saveat=dfx.SaveAt(t1=True), adjoint=dfx.ForwardMode(), max_steps=STEPS + 1,
        ).ys[-1]  # fmt: skip

    return lambda: np.asarray(solve(jax.random.key(1)))


@contender(*SDES)
def sdeint(work, threads):
    from sdeint import itoEuler

    step = RATE if work == "quadratic" else TIME_STEP
    span = step * np.arange(STEPS + 1)
    if work == "quadratic":
        told = (lambda x, t: -CURVATURE @ x, lambda x, t: SPREAD[1], np.full(2, START))
    else:
        told = (lambda x, t: x - x * x * x, lambda x, t: SPREAD[0], START)

    def run():
        # One chain after the other: it has no batches and no threads.
        return np.array([itoEuler(*told, span)[-1] for _ in range(8)]).squeeze()

    return run


def main(work, who, threads, steps):
    global STEPS
    STEPS = int(steps)
    try:
        run = CONTENDERS[work][who](int(threads))
        run()
    except ImportError as missing:
        print(json.dumps({"missing": missing.name or str(missing)}), flush=True)
        return
    print(json.dumps({}), flush=True)
    for _ in sys.stdin:
        ends, seconds = timed(run)
        chains = len(ends) or CHAINS
        square = (ends.reshape(chains, -1)[:, -1] ** 2) if len(ends) else np.zeros(2)
        told = {
            "ns": 1e9 * seconds / (chains * STEPS),
            "square": square.mean(),
            "error": square.std() / math.sqrt(len(square)),
            "peak": peak(),
        }
        print(json.dumps(told), flush=True)


def grow(chains, steps):
    run = ours("double well", os.cpu_count())
    run(1, 1)
    _, seconds = timed(lambda: run(int(chains), int(steps)))
    print(json.dumps({"seconds": seconds, "peak": peak()}))


def timed(run):
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start


def peak():
    """The most memory that this process has held, in bytes; 0 where nobody says."""
    try:
        import resource
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


if __name__ == "__main__":
    grow(*sys.argv[2:]) if sys.argv[1] == "grow" else main(*sys.argv[1:])
