"""What experiment measures: noise, dynamics, simulated chains, estimates with errors."""

from sgdnotes.experiment import estimate
from sgdnotes.experiment.dynamics import SGD, Adam, Langevin, RMSProp
from sgdnotes.experiment.estimate import Estimate, UpperBound
from sgdnotes.experiment.noise import (
    Gaussian,
    MiniBatch,
    StateDependent,
    TwoPoint,
    Uniform,
    standard_normal,
)
from sgdnotes.experiment.rare import RareEvents, rare_event_rate
from sgdnotes.experiment.simulate import Diverged, Run, simulate
from sgdnotes.experiment.tails import hill, lyapunov_exponent

__all__ = [
    "SGD",
    "Adam",
    "Diverged",
    "Estimate",
    "Gaussian",
    "Langevin",
    "MiniBatch",
    "RMSProp",
    "RareEvents",
    "Run",
    "StateDependent",
    "TwoPoint",
    "Uniform",
    "UpperBound",
    "estimate",
    "hill",
    "lyapunov_exponent",
    "rare_event_rate",
    "simulate",
    "standard_normal",
]
