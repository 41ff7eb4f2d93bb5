"""The page of the package: its examples run, and it names every public thing."""

import re
from pathlib import Path

import numpy as np

from sgdnotes import experiment, theory

PAGE = (Path(__file__).parents[1] / "book" / "api.md").read_text("utf8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_examples_run_in_order_and_give_what_they_say():
    known = {}
    for block in BLOCKS:
        if "A cluster of your own" not in block:
            exec(compile(block, "api.md", "exec"), known)
    # Variance 1/36 with 4,000 chains: a standard error of 2.2 per cent.
    exact = theory.sgd_covariance(2.0, 1.0, 0.1)
    bowl = experiment.simulate(
        experiment.SGD(0.1), known["bowl"], experiment.Gaussian(1.0),
        start=3.0, chains=4000, steps=500, rng=1,
    )  # fmt: skip
    for samples in (bowl.samples, known["at"]):
        assert abs(np.var(samples) / exact - 1) < 0.1
    assert np.isfinite(known["run"].samples).all()


def test_every_keyword_of_simulate_is_explained():
    words = experiment.simulate.__kwdefaults__.keys() | {"start", "chains", "steps", "rng"}
    told = PAGE[PAGE.index("## What the keywords mean") : PAGE.index("## Bring your own loss")]
    assert {word for word in words if f"`{word}`" not in told} == {"block"}
