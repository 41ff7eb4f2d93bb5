"""What experiment measures: noise, dynamics, simulated chains, estimates with errors."""

from sgdnotes.experiment import estimate
from sgdnotes.experiment.adaptive import Adam, RMSProp
from sgdnotes.experiment.block import Diverged
from sgdnotes.experiment.dynamics import SGD, Langevin, TorchSGD
from sgdnotes.experiment.epochs import Epochs
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
from sgdnotes.experiment.simulate import Run, simulate
from sgdnotes.experiment.tails import hill, lyapunov_exponent
from sgdnotes.experiment.underdamped import UnderdampedLangevin

__all__ = [
    "SGD",
    "Adam",
    "Diverged",
    "Epochs",
    "Estimate",
    "Gaussian",
    "Langevin",
    "MiniBatch",
    "RMSProp",
    "RareEvents",
    "Run",
    "StateDependent",
    "TorchSGD",
    "TwoPoint",
    "UnderdampedLangevin",
    "Uniform",
    "UpperBound",
    "estimate",
    "hill",
    "lyapunov_exponent",
    "rare_event_rate",
    "simulate",
    "standard_normal",
]
