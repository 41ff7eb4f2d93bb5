"""What theory says: exact laws, densities and rates, no random number anywhere."""

from sgdnotes.theory.action import minimum_action
from sgdnotes.theory.chain import chain_escape_rate
from sgdnotes.theory.density import Density
from sgdnotes.theory.escape import (
    escape_rate,
    kramers_rate,
    mean_first_passage_time,
    two_temperature_rate,
)
from sgdnotes.theory.passage import Unconfined
from sgdnotes.theory.plane import Plane
from sgdnotes.theory.saddles import eyring_kramers_rate, inertial_rate
from sgdnotes.theory.stationary import (
    UnstableLearningRate,
    circulation,
    gibbs_density,
    minibatch_covariance,
    sde_covariance,
    sgd_covariance,
)

__all__ = [
    "Density",
    "Plane",
    "Unconfined",
    "UnstableLearningRate",
    "chain_escape_rate",
    "circulation",
    "escape_rate",
    "eyring_kramers_rate",
    "gibbs_density",
    "inertial_rate",
    "kramers_rate",
    "mean_first_passage_time",
    "minibatch_covariance",
    "minimum_action",
    "sde_covariance",
    "sgd_covariance",
    "two_temperature_rate",
]
