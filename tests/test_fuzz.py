"""Every public function, each argument in turn replaced by what it must not be.

The answer is right, or it is a ValueError or a TypeError that names the argument: no
nan, no warning, no other exception and no wait. Every public name of the package needs
a row in `CASES`, with arguments that are right; a new function without one fails.

Points at which a loss or a density is evaluated are the exception: what is nan there
comes back as nan, and overflow is told by NumPy, as with NumPy's own functions.
"""

import dataclasses
import inspect
import re
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from matplotlib.figure import Figure

from sgdnotes import checks, claims, experiment, figures, losses, network, symbolic, theory
from sgdnotes.claims import claim
from sgdnotes.experiment import alignment, estimate, training
from sgdnotes.losses import DataLoss, Loss
from sgdnotes.network import Network

pytestmark = pytest.mark.timeout(60)

x, y, u, v = sp.symbols("x y u v", real=True)
LINE = Loss(x**2 / 2, x)
WELL = Loss((x**2 - 1) ** 2 / 4, x)
CIRCLE = Loss(sp.cos(sp.pi * x), x)
BOWL = Loss(x**2 / 2 + y**2, (x, y))
SADDLE = Loss((x**2 - 1) ** 2 / 4 + y**2 / 2, (x, y))
DATA = np.array([[0.0, 0.25], [1.0, 0.5], [2.0, 1.5], [3.0, 1.0]])
FIT = DataLoss((x * u + y - v) ** 2 / 2, (x, y), (u, v), DATA)
INPUTS = np.arange(12.0).reshape(6, 2) / 8 - 0.5
NET = Network(INPUTS, [0, 1, 0, 1, 1, 0], (2,), 0.25)
HERE = np.linspace(-0.5, 0.5, NET.dimension)
START = np.stack([HERE, HERE / 2, -HERE])
AXES = np.eye(NET.dimension)[:, :2]
LONG = np.sin(np.arange(400.0) ** 2)
MANY = np.arange(16.0) ** 2 / 8
SEEN = estimate.Estimate([1.0, 2.0, 4.0], [0.5, 0.25, 0.25])
ROUGHLY = estimate.Estimate(1.0, 0.03125)
SAID = claim("S1.1", "a value is as expected, twice that is not")
GAUSS = theory.Density(lambda p: -(p**2) / 2, 1)
BOX = theory.Plane(SADDLE, 0.25, ((-1.5, 1.5), (-1.0, 1.0)), 8)
EYE, ASKEW = np.eye(2), np.array([[2.0, 0.5], [0.5, 1.0]])


def right(p):
    """A region: where the first coordinate is above ½."""
    return p[:, 0] > 0.5


def left(p):
    """A region that does not meet the other."""
    return p[:, 0] < -0.5


class Case(NamedTuple):
    """A function, and arguments that are right."""

    call: Callable
    told: dict[str, Any]


CASES = {
    "theory.kramers_rate": Case(
        theory.kramers_rate,
        {"loss": WELL, "minimum": -1.0, "barrier": 0.0, "temperature": 0.25, "log": False}),
    "theory.two_temperature_rate": Case(
        theory.two_temperature_rate,
        {
            "loss": WELL, "minimum": -1.0, "split": -0.5, "barrier": 0.0,
            "temperature_minimum": 0.25, "temperature_barrier": 0.5, "calculus": "ito",
            "log": False,
        }),
    "theory.mean_first_passage_time": Case(
        theory.mean_first_passage_time,
        {
            "loss": WELL, "start": -1.0, "absorb": 0.0, "temperature": 0.25, "reflect": -2.0,
            "uphill": False, "log": False,
        }),
    "theory.escape_rate": Case(
        theory.escape_rate,
        {
            "loss": WELL, "absorb": 0.0, "temperature": 0.25, "reflect": -2.0, "uphill": False,
            "log": False,
        }),
    "theory.chain_escape_rate": Case(
        theory.chain_escape_rate,
        {
            "loss": LINE, "absorb": 1.0, "wall": -8.0, "learning_rate": 0.5, "variance": 1.0,
            "breaks": [0.0],
        }),
    "theory.step_matrix": Case(
        theory.step_matrix,
        {
            "loss": LINE, "points": [-1.0, -0.5, 0.0, 0.5, 1.0], "learning_rate": 0.5,
            "variance": 1.0,
        }),
    "theory.stationary_masses": Case(
        theory.stationary_masses,
        {"matrix": theory.step_matrix(LINE, np.linspace(-4.0, 4.0, 17), 0.5, 1.0)}),
    "theory.inertial_relaxation_rate": Case(
        theory.inertial_relaxation_rate,
        {"loss": WELL, "box": [-2.0, 2.0], "temperature": 0.25, "mass": 0.5, "cells": 20}),
    "theory.Density": Case(
        theory.Density,
        {"exponent": lambda p: np.cos(np.pi * p), "dimension": 1, "period": [2.0]}),
    "theory.Density.__call__": Case(GAUSS, {"x": [0.5, 1.0]}),
    "theory.Density.expectation": Case(GAUSS.expectation, {"function": np.square}),
    "theory.Density.bin_averages": Case(GAUSS.bin_averages, {"edges": [0.0, 0.5, 2.0]}),
    "theory.gibbs_density": Case(
        theory.gibbs_density, {"loss": CIRCLE, "temperature": 0.5, "period": 2.0}),
    "theory.Plane": Case(
        theory.Plane,
        {
            "loss": SADDLE, "temperature": [0.25, 0.5], "box": [[-1.5, 1.5], [-1.0, 1.0]],
            "cells": 6, "stirring": 0.0,
        }),
    "theory.Plane.committor": Case(BOX.committor, {"basin": left, "target": right}),
    "theory.Plane.escape": Case(BOX.escape, {"absorb": right}),
    "theory.Plane.exits": Case(BOX.exits, {"absorb": right}),
    "theory.minimum_action": Case(
        theory.minimum_action,
        {
            "loss": BOWL, "start": [0.0, 0.0], "end": [1.0, 0.0], "diffusion": EYE, "points": 5,
            "path": [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]],
        }),
    "theory.epoch_covariance": Case(
        theory.epoch_covariance,
        {
            "hessian": ASKEW, "noise_covariance": EYE, "learning_rate": 0.25, "examples": 8,
            "batch_size": 2, "momentum": 0.5, "order": "reshuffled",
        }),
    "theory.eyring_kramers_rate": Case(
        theory.eyring_kramers_rate,
        {
            "loss": SADDLE, "minimum": [-1.0, 0.0], "saddle": [0.0, 0.0], "temperature": 0.25,
            "mobility": ASKEW, "log": False,
        }),
    "theory.inertial_rate": Case(
        theory.inertial_rate,
        {
            "loss": SADDLE, "minimum": [-1.0, 0.0], "saddle": [0.0, 0.0], "temperature": 0.25,
            "mass": 0.5, "log": False,
        }),
    "theory.sde_covariance": Case(
        theory.sde_covariance,
        {"hessian": ASKEW, "noise_covariance": EYE, "learning_rate": 0.25}),
    "theory.sgd_covariance": Case(
        theory.sgd_covariance,
        {
            "hessian": ASKEW, "noise_covariance": EYE, "learning_rate": 0.25, "batch_size": 2,
            "momentum": 0.5,
        }),
    "theory.minibatch_covariance": Case(
        theory.minibatch_covariance,
        {
            "example_hessians": [1.0, 2.0, 1.5], "example_gradients": [1.0, -0.5, -0.5],
            "learning_rate": 0.25, "batch_size": 2, "momentum": 0.5,
        }),
    "theory.circulation": Case(
        theory.circulation,
        {"hessian": ASKEW, "noise_covariance": np.diag([1.0, 2.0]), "learning_rate": 0.25}),
    "theory.tail_index": Case(
        theory.tail_index,
        {"curvatures": [0.5, 1.0, 5.0], "learning_rate": 0.5, "batch_size": 1}),
    "theory.stability_edges": Case(
        theory.stability_edges, {"curvatures": [0.5, 1.0, 5.0], "batch_size": 2}),
    "experiment.SGD": Case(
        experiment.SGD, {"learning_rate": 0.25, "momentum": 0.5, "batch_size": 2}),
    "experiment.TorchSGD": Case(
        experiment.TorchSGD,
        {
            "learning_rate": 0.25, "momentum": 0.5, "dampening": 0.25, "weight_decay": 0.5,
            "nesterov": False, "batch_size": 2,
        }),
    "experiment.RMSProp": Case(
        experiment.RMSProp,
        {
            "learning_rate": 0.25, "window": 8.0, "epsilon": 0.5, "batch_size": 2,
            "epsilon_inside": True, "per_example": False, "power": 0.5,
        }),
    "experiment.Adam": Case(
        experiment.Adam,
        {
            "learning_rate": 0.25, "gradient_window": 8.0, "square_window": 16.0, "epsilon": 0.5,
            "batch_size": 2, "simplified": False,
        }),
    "experiment.Langevin": Case(
        experiment.Langevin, {"temperature": 0.25, "time_step": 0.5, "batch_size": 2}),
    "experiment.UnderdampedLangevin": Case(
        experiment.UnderdampedLangevin,
        {"temperature": 0.25, "time_step": 0.5, "friction": 2.0, "batch_size": 2}),
    "experiment.Epochs": Case(
        experiment.Epochs, {"order": "shuffled once", "drop_last": False}),
    "experiment.Gaussian": Case(experiment.Gaussian, {"covariance": ASKEW}),
    "experiment.MiniBatch": Case(experiment.MiniBatch, {"replace": False}),
    "experiment.StateDependent": Case(experiment.StateDependent, {"variance": np.square}),
    "experiment.TwoPoint": Case(experiment.TwoPoint, {"standard_deviation": 0.5}),
    "experiment.Uniform": Case(experiment.Uniform, {"standard_deviation": 0.5}),
    "experiment.simulate": Case(
        experiment.simulate,
        {
            "dynamics": experiment.SGD(0.25, batch_size=2), "loss": LINE,
            "noise": experiment.Gaussian(0.5), "start": 0.5, "chains": 3, "steps": 4, "rng": 1,
            "burn_in": 1, "observe": np.square, "observe_every": 2, "record_every": 2,
            "threads": 1, "block": 2,
        }),
    "experiment.simulate, absorbed": Case(
        experiment.simulate,
        {
            "dynamics": experiment.SGD(0.25), "loss": BOWL, "noise": experiment.TwoPoint(0.5),
            "start": [0.5, 0.25], "chains": 3, "steps": 4, "rng": 1, "absorb": right,
        }),
    "experiment.autocorrelation_time": Case(
        experiment.autocorrelation_time, {"series": LONG}),
    "experiment.time_average": Case(experiment.time_average, {"series": LONG}),
    "experiment.Estimate": Case(
        experiment.Estimate, {"value": [1.0, 2.0], "standard_error": [0.5, 0.25]}),
    "experiment.Estimate.z": Case(SEEN.z, {"expected": [1.0, 2.0, 3.0], "bias": 0.25}),
    "experiment.Estimate.excludes": Case(SEEN.excludes, {"expected": [1.0, 2.0, 3.0]}),
    "experiment.Estimate.scaled": Case(SEEN.scaled, {"factor": 0.5}),
    "experiment.UpperBound": Case(
        experiment.UpperBound, {"value": 0.5, "confidence": 0.875}),
    "experiment.UpperBound.z": Case(
        experiment.UpperBound(0.5, 0.875).z, {"expected": 0.25, "bias": 0.125}),
    "experiment.UpperBound.excludes": Case(
        experiment.UpperBound(0.5, 0.875).excludes, {"expected": 0.25}),
    "experiment.UpperBound.scaled": Case(
        experiment.UpperBound(0.5, 0.875).scaled, {"factor": 0.25}),
    "experiment.hill": Case(experiment.hill, {"samples": MANY, "top": 4}),
    "experiment.lyapunov_exponent": Case(
        experiment.lyapunov_exponent,
        {
            "hessians": [0.5, 1.0, 1.5], "learning_rate": 0.25, "batch_size": 2, "momentum": 0.5,
            "steps": 4, "chains": 3, "rng": 1, "burn_in": 2,
        }),
    "experiment.rare_event_rate": Case(
        experiment.rare_event_rate,
        {
            "dynamics": experiment.SGD(0.25), "loss": LINE, "noise": experiment.Gaussian(1.0),
            "start": 0.0, "progress": np.positive, "absorb": 1.0, "walkers": 20, "burn_in": 10,
            "steps": 30, "rng": 1, "repetitions": 3, "levels": [0.25, 0.5, 1.0], "time_step": 0.25,
            "threads": 1,
        }),
    "estimate.mean": Case(estimate.mean, {"samples": MANY}),
    "estimate.variance": Case(estimate.variance, {"samples": MANY}),
    "estimate.covariance": Case(estimate.covariance, {"samples": DATA}),
    "estimate.jackknife": Case(
        estimate.jackknife, {"statistic": np.mean, "samples": MANY, "groups": 4}),
    "estimate.density": Case(
        estimate.density, {"samples": MANY, "edges": [0.0, 1.0, 4.0, 32.0]}),
    "estimate.stack": Case(estimate.stack, {"estimates": [ROUGHLY, ROUGHLY]}),
    "estimate.slope": Case(estimate.slope, {"x": [0.0, 1.0, 3.0], "y": SEEN}),
    "estimate.event_rate": Case(
        estimate.event_rate,
        {
            "exit_step": [3, 5, -1, 2], "steps": 8, "time_step": 0.25, "burn_in": 1,
            "confidence": 0.875,
        }),
    "training.descend": Case(
        training.descend, {"loss": NET, "start": START, "learning_rate": 0.25, "steps": 3}),
    "training.follow": Case(
        training.follow,
        {
            "loss": NET, "start": START, "learning_rate": 0.25, "batch_size": 2, "steps": 4,
            "every": 2, "rng": 1,
        }),
    "training.plateau": Case(
        training.plateau,
        {
            "dynamics": experiment.SGD(0.25), "loss": NET, "start": START, "steps": 6, "burn_in": 2,
            "rng": 1, "noise": experiment.MiniBatch(), "looks": 2,
        }),
    "training.stationary_thermometer": Case(
        training.stationary_thermometer,
        {
            "loss": NET, "start": START, "learning_rate": 0.25, "batch_size": 2, "steps": 6,
            "burn_in": 2, "rng": 1, "looks": 2,
        }),
    "training.staircase": Case(
        training.staircase,
        {
            "loss": NET, "start": START, "learning_rates": [0.5, 0.25], "batch_size": 2,
            "times": 4.0, "every": 4, "rng": 1,
        }),
    "training.equal_time": Case(
        training.equal_time,
        {
            "loss": NET, "start": START, "pairs": [(0.5, 2), (0.25, 1)], "times": [1.0, 2.0],
            "rng": 1,
        }),
    "alignment.top_curvatures": Case(
        alignment.top_curvatures, {"loss": NET, "x": HERE, "count": 2}),
    "alignment.noise_matrix": Case(
        alignment.noise_matrix, {"loss": NET, "x": HERE, "vectors": AXES}),
    "alignment.noise_kurtosis": Case(
        alignment.noise_kurtosis,
        {"loss": NET, "x": HERE, "vectors": AXES, "batch_sizes": [1, 2], "draws": 100, "rng": 1}),
    "alignment.current": Case(
        alignment.current,
        {
            "loss": NET, "centre": HERE, "vectors": AXES, "learning_rate": 0.25, "batch_size": 2,
            "chains": 4, "burn_in": 1, "looks": 2, "stride": 1, "rng": 1,
        }),
    "losses.Loss": Case(Loss, {"expr": x**2 + y, "symbols": (x, y)}),
    "losses.DataLoss": Case(
        DataLoss,
        {"expr": (x - u) ** 2, "symbols": x, "data_symbols": u, "data": [1.0, 2.0]}),
    "claims.claim": Case(claim, {"id": "S1.1", "says": "a statement in words"}),
    "claims.agreement": Case(claims.agreement, {"n": 3}),
    "claims.Claim.exact": Case(
        SAID.exact,
        {"lhs": x + x, "rhs": 2 * x, "printed": 3 * x, "rival": x}),
    "claims.Claim.measured": Case(
        SAID.measured,
        {
            "estimate": ROUGHLY, "expected": 1.0, "printed": 2.0, "rival": 0.5, "bias": 0.0625,
            "independent": True,
        }),
    "figures.text_color": Case(figures.text_color, {"color": "#123456"}),
    "figures.use_style": Case(figures.use_style, {"formats": "svg"}),
    "figures.errorbars": Case(
        figures.errorbars, {"ax": "fresh", "x": [0.0, 1.0, 2.0], "estimate": SEEN}),
    "figures.histogram": Case(
        figures.histogram,
        {"ax": "fresh", "edges": [0.0, 1.0, 2.0, 3.0], "estimate": SEEN, "color": "red"}),
    "figures.label": Case(
        figures.label,
        {"ax": "fresh", "x": 0.5, "y": 0.25, "text": "here", "color": "red"}),
    "figures.landscape": Case(
        figures.landscape,
        {
            "ax": "fresh", "loss": WELL, "minimum": -1.0, "split": -0.5, "barrier": 0.0,
            "absorb": 0.25,
        }),
    "network.digits": Case(network.digits, {"pooled": True}),
    "network.Network": Case(
        Network,
        {"inputs": INPUTS, "labels": [0, 1, 0, 1, 1, 0], "hidden": [2, 3], "weight_decay": 0.25}),
    "network.Network.part": Case(NET.part, {"index": [0, 2]}),
    "network.Network.start": Case(
        lambda chains, rng: NET.start(chains, rng), {"chains": 2, "rng": 1}),
    "network.Network.outputs": Case(NET.outputs, {"x": HERE, "inputs": INPUTS[:2]}),
    "network.Network.batch_gradient": Case(
        NET.batch_gradient, {"x": START[:2], "index": [[0, 1], [2, 3]]}),
    "network.Network.hessian_product": Case(
        NET.hessian_product, {"x": HERE, "directions": AXES.T, "step": 2.0**-12}),
    "network.Network.accuracy": Case(
        NET.accuracy, {"x": HERE, "inputs": INPUTS[:2], "labels": [0, 1]}),
    "losses.DataLoss.part": Case(FIT.part, {"index": [0, 2]}),
    "losses.DataLoss.batch_gradient": Case(
        FIT.batch_gradient, {"x": [[0.5, 1.0], [1.0, 2.0]], "index": [[0, 1], [2, 3]]}),
    "symbolic.refuse_unknown": Case(
        symbolic.refuse_unknown, {"expr": x**2, "symbols": (x,)}),
    "symbolic.stable": Case(symbolic.stable, {"expression": sp.log(1 + sp.exp(x))}),
    "symbolic.as_real": Case(symbolic.as_real, {"symbols": (sp.Symbol("q"), x)}),
    "symbolic.derivatives": Case(
        symbolic.derivatives, {"expression": x**3, "symbols": (x,)}),
}  # fmt: skip
POINTED = {
    "losses.Loss": (BOWL, ["value", "gradient", "hessian"], [[0.5, 1.0], [1.0, 2.0]]),
    "losses.DataLoss": (
        FIT,
        ["value", "gradient", "hessian", "example_gradients", "example_hessians"],
        [[0.5, 1.0], [1.0, 2.0]],
    ),
    "network.Network": (
        NET,
        ["value", "gradient", "hessian", "example_values", "example_gradients", "gradient_moments"],
        HERE,
    ),
}
for owner, (thing, methods, at) in POINTED.items():
    for method in methods:
        CASES[f"{owner}.{method}"] = Case(getattr(thing, method), {"x": at})
for check, good in {
    "finite": 0.5, "fraction": 0.5, "positive": 0.5, "duration": 0.5,
}.items():  # fmt: skip
    CASES[f"checks.{check}"] = Case(partial(getattr(checks, check), "value"), {"value": good})
CASES["checks.whole"] = Case(partial(checks.whole, "value", least=1), {"value": 3})

# What must be refused, by what an argument is.

NO_NUMBER = [
    "text", b"1", object(), {}, {1.0}, np.square, 1 + 2j, np.ma.array([1.0], mask=[True]),
    np.datetime64("2020-01-01"), sp.Symbol("q"), sp.I, float, [1.0, "a"], [[1.0], [1.0, 2.0]],
    np.array([1j]), [None], Decimal("NaN"), np.nan, [np.nan], [[np.nan, 1.0]],
]  # fmt: skip
NO_LOSS = [1.0, "text", x**2, Loss, np.square, {}, 2j, [LINE]]
WRONG = {
    "number": [*NO_NUMBER, np.ones(2), [1.0, 2.0], np.ones((2, 2))],
    "count": [*NO_NUMBER, 1.5, -2, -(2**70), 2**70, np.inf, 1e300, np.ones((2, 2, 2))],
    "array": NO_NUMBER,
    "points": [value for value in NO_NUMBER if "nan" not in str(value).lower()],
    "rate": [value for value in NO_NUMBER if not callable(value)],
    "function": [1.0, "text", [np.square], {}, np.ones(3), 2j],
    "loss": NO_LOSS,
    "dynamics": [1.0, "text", experiment.SGD, np.square, {}, 2j, LINE],
    "noise": [1.0, "text", experiment.Gaussian, np.square, {}, 2j],
    "rng": ["text", 1.5, -1, 2j, np.nan, np.random.RandomState(1), [1.5], {}],
    "word": ["no such word", 1, 2j, ["ito"], np.ones(2), {}, b"svg"],
    "flag": ["text", 2, np.nan, np.ones(2, bool), 0.5, [], 2j, {}],
    "symbols": ["x", 1, [], [x, "y"], [x, x], x + 1, 2j, np.ones(2)],
    "expression": ["x**2", [x, 1.5], {}, np.square, object(), float, b"x"],
    "estimate": [1.0, "text", [1.0, 2.0], np.ones(3), {}, 2j],
    "ax": [1.0, "text", [1.0], {}, 2j, Figure()],
    "color": ["no colour", 1.0, [1.0], {}, 2j, np.nan],
    "text": [1.0, b"text", ["text"], {}, 2j],
}  # fmt: skip
# What may be refused or answered.
ODD = {
    "number": [
        np.inf, -np.inf, 1e300, -1e300, 1e-300, 5e-324, 0, -0.0, -1.0, True, 2**70, -(2**70),
        10**400, [], np.zeros((0, 3)), [[1.0]],
    ],
    "count": [0, 1, True, 5.0, [], [3]],
    "array": [
        np.inf, -np.inf, 1e300, -1e300, 1e-300, 0, -1.0, True, 2**70, 10**400, 0.5, [], [0.5],
        np.zeros(3), np.ones(3), np.zeros((0, 3)), np.ones((3, 1)), np.ones((3, 3)),
        np.ones((2, 2, 2)), np.ones((1, 1, 1, 1)), [True, False], [np.inf, 0.0], [1e300, 1e-300],
    ],
    "points": [[0.5], [], 0.5, np.ones((3, 3)), np.ones((2, 2, 2)), True],
    "loss": [LINE, BOWL, Loss(x**2 + y**2 + u**2, (x, y, u)), Loss(0 * x, x), FIT],
    "function": [
        lambda p: None, lambda p: "text", lambda p: np.full_like(p, np.nan),
        lambda p: np.full_like(p, np.inf),
        lambda p: 1j * p, lambda p: p[:0], lambda p: np.ones((len(p), 2)), lambda p: 1.0,
        lambda p: p < np.inf, lambda p: p > np.inf, lambda p: {}, lambda p: [None] * len(p),
        lambda p: 1e300 * p, np.ma.masked_array,
    ],
    "expression": [0, 1.5, sp.nan, sp.oo, sp.I, u, sp.Function("f")(x), sp.Float(2), True, 2j],
    "text": ["", "<b>", "$x$ is a dollar", "S1.1\n"],
    "symbols": [(), (x,), (u, v)],
    "color": ["#12", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5), "none"],
}  # fmt: skip
ODD["rate"] = ODD["array"]
BY_NAME = {
    "rng": "rng", "ax": "ax", "color": "color", "symbols": "symbols", "data_symbols": "symbols",
    "says": "text", "id": "text", "text": "text", "estimates": "estimate", "dynamics": "dynamics",
    "noise": "noise",
}  # fmt: skip
BY_TYPE = {
    bool: "flag", int: "count", float: "number", str: "word", list: "array", tuple: "array",
    np.ndarray: "array", estimate.Estimate: "estimate",
}  # fmt: skip


def kind_of(row, name):
    """What an argument is: from its name, or from its value that is right."""
    value = CASES[row].told[name]
    if name in BY_NAME:
        return BY_NAME[name]
    if (name == "learning_rate" and hasattr(CASES[row].call, "step")) or name == "variance":
        return "function" if callable(value) else "rate"
    if name == "x" and row.startswith(("losses.", "network.", "theory.Density.")):
        return "points"
    if isinstance(value, sp.Basic):
        return "expression"
    if hasattr(value, "hessian"):
        return "loss"
    return BY_TYPE.get(type(value), "function")


def parameters(call):
    return inspect.signature(call).parameters


def flat(answer):
    """All numbers in an answer, one after another."""
    if isinstance(answer, theory.Density):
        return [answer.log_normalisation, *np.ravel(answer.support)]
    if isinstance(answer, Loss | DataLoss):
        with np.errstate(all="ignore"):
            return flat(
                answer.value([0.3] if answer.dimension == 1 else [[0.3] * answer.dimension])
            )
    if dataclasses.is_dataclass(answer):
        return flat([getattr(answer, field.name) for field in dataclasses.fields(answer)])
    if isinstance(answer, dict):
        return flat(list(answer.values()))
    if isinstance(answer, list | tuple):
        return [number for part in answer for number in flat(part)]
    if isinstance(answer, np.ndarray):
        return np.ravel(answer).tolist()
    if isinstance(answer, sp.Basic) and not isinstance(answer, sp.Rational):
        return []
    if isinstance(answer, complex | np.complexfloating):
        return [complex(answer)]
    if isinstance(answer, np.generic | Number | Decimal | sp.Rational):
        return [float(answer)]
    return []


def called(row, told):
    """The answer, and what a warning would be is an error."""
    if isinstance(told.get("ax"), str) and told["ax"] == "fresh":
        told = told | {"ax": Figure().subplots()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return CASES[row].call(**told)


def answered_or_refused(row, name, value, must_refuse):
    """ "", or what is wrong with how the function takes this value."""
    shown = f"{row}({name}={str(value)[:40]!r})"
    try:
        answer = called(row, CASES[row].told | {name: value})
    except (ValueError, TypeError, AssertionError) as error:
        if isinstance(error, AssertionError) and not isinstance(error, claims.ClaimFailed):
            return f"{shown}: {error!r}"
        names = [name] if must_refuse else [*parameters(CASES[row].call), "standard_error"]
        named = isinstance(error, claims.ClaimFailed) or any(
            re.search(rf"\b{re.escape(one)}\b", str(error)) for one in names
        )
        return "" if named else f"{shown} is not named: {error!r}"
    except Exception as error:
        return f"{shown}: {error!r}"
    if must_refuse:
        return f"{shown} is answered: {str(answer)[:80]}"
    if any(number != number or isinstance(number, complex) for number in flat(answer)):
        return f"{shown} gives {str(answer)[:80]}"
    return ""


# Who must have a row.

# The other checks of `checks` are tried through those that call them.
MODULES = [losses, claims, figures, network, symbolic, estimate, training, alignment]
# What only the package itself makes, and what only its engine calls.
RESULTS = {"Edges", "RareEvents", "Run", "Verdict", "Claim"}
HELPERS = {"LogSumExp", "LogCosh", "Share", "FlatPower", "as_symbols", "standard_normal"}
ENGINE = {"start", "step", "draw", "gradient", "for_chains"}


def public():
    """(where, name, thing) of all that is called from outside."""
    for wing in (theory, experiment):
        yield from ((wing.__name__, name, getattr(wing, name)) for name in wing.__all__)
    for module in MODULES:
        yield from ((module.__name__, name, getattr(module, name)) for name in module.__all__)


def needed():
    for where, name, thing in public():
        if name in RESULTS | HELPERS or not callable(thing):
            continue
        if inspect.isclass(thing) and issubclass(thing, Exception):
            continue
        where = where.rpartition(".")[2] if name not in ("Estimate", "UpperBound") else "experiment"
        yield f"{where}.{name}"
        if not inspect.isclass(thing):
            continue
        own = {k for c in thing.__mro__[:-1] for k, v in vars(c).items() if inspect.isfunction(v)}
        skipped = ENGINE if hasattr(thing, "step") or hasattr(thing, "for_chains") else set()
        if where == "experiment" and hasattr(thing, "gradient"):
            skipped = ENGINE
        for method in own - skipped:
            if not method.startswith("_"):
                yield f"{where}.{name}.{method}"


def test_every_public_function_and_method_has_a_row():
    assert set(needed()) - set(CASES) == set()


@pytest.mark.parametrize("row", [row for row in CASES if "," not in row])
def test_every_argument_has_been_named(row):
    told, wanted = CASES[row].told, parameters(CASES[row].call)
    skipped = {"value", "name", "kinds", "axes", "least", "most", "style", "executor", "absorb"}
    assert {name for name in wanted if name not in told} <= skipped


# What is equal must give the same.


def equals(kind, value):
    """The same value as other types have it, or other memory."""
    if kind in ("number", "rate") and isinstance(value, float):
        exact = Fraction(value)
        yield from (np.float32(value), np.float64(value), np.array(value), exact, Decimal(value))
        yield sp.Rational(exact.numerator, exact.denominator)
        if value == int(value):
            yield from (int(value), np.int8(value))
    if kind == "count":
        yield from (float(value), np.uint8(value), np.array(value), sp.Integer(value))
    if kind in ("array", "points") and not isinstance(value, float | int):
        array = np.array(value)
        yield from (array, array.tolist(), np.asfortranarray(array), np.repeat(array, 2, 0)[::2])
        yield from (np.flip(np.flip(array).copy()), array.astype(array.dtype.newbyteorder(">")))
        fixed = array.copy()
        fixed.flags.writeable = False
        yield fixed
        if array.dtype.kind == "f":
            yield from (array.astype(object), array.astype(np.longdouble))
            if (array.astype(np.float32) == array).all():
                yield array.astype(np.float32)
        else:
            yield array.astype(np.int8)
    if kind == "flag":
        yield np.bool_(value)


@pytest.mark.parametrize("row", CASES)
def test_what_is_equal_gives_the_same_answer(row):
    told = CASES[row].told
    right_one = flat(called(row, told))
    assert not any(number != number for number in right_one)
    for name, value in told.items():
        for other in equals(kind_of(row, name), value):
            got = flat(called(row, told | {name: other}))
            assert np.allclose(got, right_one, rtol=1e-9, atol=1e-12), (name, other)


# What must be refused, and what may be.


@pytest.mark.parametrize("row", CASES)
def test_what_an_argument_must_not_be_is_refused_by_name_and_what_is_odd_is_no_nan(row):
    faults = []
    for name in CASES[row].told:
        kind, parameter = kind_of(row, name), parameters(CASES[row].call)[name]
        nothing = [] if parameter.default is None else [None]
        for value in [*WRONG[kind], *nothing]:
            if name == "period" and str(value) == "[None]":  # no period along an axis
                continue
            faults.append(answered_or_refused(row, name, value, must_refuse=True))
        for value in ODD.get(kind, []):
            faults.append(answered_or_refused(row, name, value, must_refuse=False))
    assert not any(faults), "\n".join(filter(None, faults))


ANY_ARRAY = arrays.arrays(
    st.sampled_from([np.float64, np.float32, np.int16, np.bool_, np.complex128, object, "U1"]),
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
ANYTHING = {
    "number": st.floats() | st.integers(-(2**80), 2**80) | ANY_ARRAY,
    "count": st.integers(-9, 20) | st.integers(2**53 + 2, 2**80) | st.floats(max_value=9),
    "array": st.floats() | ANY_ARRAY,
}
ANYTHING["rate"] = ANYTHING["number"]
DRAWN = {
    row: [name for name in case.told if kind_of(row, name) in ANYTHING]
    for row, case in CASES.items()
}


@pytest.mark.parametrize("row", [row for row, names in DRAWN.items() if names])
def test_whatever_numbers_are_given_there_is_an_answer_or_a_refusal(row):
    @settings(max_examples=25, deadline=None, derandomize=True, database=None)
    @given(st.data())
    def holds(data):
        name = data.draw(st.sampled_from(DRAWN[row]))
        value = data.draw(ANYTHING[kind_of(row, name)])
        assert not answered_or_refused(row, name, value, must_refuse=False)

    holds()
