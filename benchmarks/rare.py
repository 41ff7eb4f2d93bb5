"""How well splitting measures an escape, and what brute force would cost: chapter 19's table.

    python3 make.py rare            all of it, some minutes
    python3 make.py rare --quick    the same code with fewer walkers, not stored

The results are kept in notebooks/data/rare.json with their seed: what a run found, what
it cost in seconds of computing, and how often its 95 % interval holds the exact rate.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import sympy as sp
from scipy.stats import t as student

from sgdnotes.experiment import Langevin, estimate, rare_event_rate, simulate
from sgdnotes.losses import Loss
from sgdnotes.theory import chain_escape_rate, escape_rate

RESULTS = Path(__file__).parents[1] / "notebooks" / "data" / "rare.json"
SEED = 19
BARRIERS = (5, 10, 15, 20)  # in temperatures
STEP, TOP, FAR = 0.1, 0.3, -2.5
WALKERS, REPETITIONS = 2500, 16
X = sp.symbols("x", real=True)
LINE = Loss((X**2 - 1) ** 2 / 4, X)


def of_chain(barrier):
    """The chain's exact rate, per unit of time, up to barriers of 19 temperatures."""
    return chain_escape_rate(LINE, TOP, FAR, STEP, 0.5 / barrier / STEP)


def exact_rate(barrier):
    """The same at any barrier.

    Beyond 19 the chain's matrix is lost in rounding. The rate of the SDE is not, and the
    ratio of the two is so smooth that a parabola through its values at 16, 17 and 18
    gives the one at 19 to 3e-5: from 17, 18 and 19 it is taken to the barrier.
    """
    if barrier <= 19:
        return of_chain(barrier)
    near = np.array([17, 18, 19])
    ratio = [of_chain(b) / escape_rate(LINE, TOP, 0.25 / b) for b in near]
    return np.polyval(np.polyfit(near, ratio, 2), barrier) * escape_rate(LINE, TOP, 0.25 / barrier)


def split(barrier, walkers, rng):
    """One run of splitting, as the chapter does it, and its seconds of computing."""
    begun = time.process_time()
    found = rare_event_rate(
        Langevin(0.25 / barrier, STEP), LINE, start=-1.0, progress=lambda x: x, absorb=TOP,
        walkers=walkers, burn_in=50, steps=50, rng=rng, repetitions=REPETITIONS, time_step=STEP,
    )  # fmt: skip
    return found, time.process_time() - begun


def holds(rate, exact):
    """Whether Student's 95 % interval holds the exact rate."""
    return bool(abs(rate.z(exact)) < student.ppf(0.975, REPETITIONS - 1))


def measure(quick=False):
    """A row for each barrier, with its own stream."""
    walkers, runs, most = (250, 4, 200) if quick else (WALKERS, 100, 10_000)
    rows = []
    seeds = np.random.SeedSequence(SEED).spawn(len(BARRIERS))
    for barrier, seed in zip(BARRIERS, seeds, strict=True):
        exact, rng = exact_rate(barrier), np.random.default_rng(seed)
        told = [split(barrier, walkers, rng) for _ in range(runs)]
        z = [run.rate.z(exact) for run, _ in told]
        errors = [run.rate.standard_error / exact for run, _ in told]
        # Brute force, until it has seen a thousand events or has taken too long.
        chains = 2**15
        steps = min(most, 100 + round(1000 / (chains * exact * STEP)))
        begun = time.process_time()
        brute = simulate(
            Langevin(0.25 / barrier, STEP), LINE, start=-1.0, chains=chains, steps=steps,
            rng=rng, absorb=lambda x: x >= TOP,
        )  # fmt: skip
        per_step = (time.process_time() - begun) / (chains * steps)
        seen = estimate.event_rate(brute.exit_step, steps, STEP, 100)
        error = float(np.median(errors))
        rows.append({
            "barrier": barrier,
            "exact": exact,
            "first": {"value": told[0][0].rate.value, "error": told[0][0].rate.standard_error},
            "relative_error": error,
            "spread": float(np.std([run.rate.value for run, _ in told], ddof=1) / exact),
            "bias": float(np.mean([run.rate.value for run, _ in told]) / exact - 1),
            "worst_z": float(np.abs(z).max()),
            "runs": runs,
            "held": sum(holds(run.rate, exact) for run, _ in told),
            "seconds": float(np.median([cost for _, cost in told])),
            "chain_steps": int(np.median([run.chain_steps for run, _ in told])),
            "brute_events": int((brute.exit_step > 100).sum()),
            "brute_z": float(seen.z(exact)),
            # 1/error² events, one in 1/(exact STEP) steps.
            "brute_seconds": per_step / (error**2 * exact * STEP),
        })  # fmt: skip
        print("== " + ", ".join(f"{k} {v}" for k, v in rows[-1].items()), flush=True)
    return {"seed": SEED, "walkers": walkers, "repetitions": REPETITIONS, "rows": rows}


def main(options):
    quick = "--quick" in options
    told = measure(quick)
    if not quick:
        RESULTS.write_text(json.dumps(told) + "\n", "utf8")
        print(f"== stored in {RESULTS.relative_to(RESULTS.parents[2])}")


if __name__ == "__main__":
    main(sys.argv[1:])
