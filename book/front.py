"""Draws the picture of the front page and of the README: python3 book/front.py"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sympy as sp

from sgdnotes import figures
from sgdnotes.experiment import SGD, Gaussian, simulate
from sgdnotes.losses import Loss
from sgdnotes.theory import gibbs_density

x = sp.Symbol("x", real=True)
valleys = Loss(x**4 / 4 - x**2 / 2 + x / 20, x)
rate, variance = 0.05, 4.0
figures.use_style()
plt.rcParams["svg.hashsalt"] = "front"
run = simulate(
    SGD(rate), valleys, Gaussian(variance),
    start=-1.0, chains=400, steps=6000, rng=3, record_every=2,
)  # fmt: skip
gibbs = gibbs_density(valleys, rate * variance / 2)
fig, (path, law) = plt.subplots(
    1, 2, figsize=(8.4, 3.0), sharey=True, width_ratios=[3, 1], gridspec_kw={"wspace": 0.03}
)
path.plot(run.path_steps[:2400], run.path[:2400, 4], color=figures.BLUE, lw=0.6)
path.set(xlabel="step", ylabel="weight $x$", ylim=(-2.1, 2.1))
law.hist(
    run.path[600:].ravel(), np.linspace(-2.1, 2.1, 80), density=True, orientation="horizontal",
    color=figures.BLUE, alpha=0.45,
)  # fmt: skip
at = np.linspace(-2.1, 2.1, 400)
law.plot(gibbs(at), at, color=figures.VERMILION)
figures.label(law, 0.42, -0.1, "$e^{-L/kT}/Z$", figures.VERMILION)
law.set(xlabel="density", xticks=[])
target = Path(__file__).parent / "static" / "front.svg"
fig.savefig(target, metadata={"Date": None})
