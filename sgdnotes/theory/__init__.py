"""What theory says: exact laws, densities and rates, no random number anywhere."""

from sgdnotes.theory.action import minimum_action
from sgdnotes.theory.chain import chain_escape_rate, stationary_masses, step_matrix
from sgdnotes.theory.density import Density
from sgdnotes.theory.epochs import epoch_covariance
from sgdnotes.theory.escape import (
    escape_rate,
    kramers_rate,
    mean_first_passage_time,
    two_temperature_rate,
)
from sgdnotes.theory.inertia import inertial_relaxation_rate
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
from sgdnotes.theory.tails import Edges, stability_edges, tail_index
from sgdnotes.theory.walls import Unconfined

__all__ = [
    "Density",
    "Edges",
    "Plane",
    "Unconfined",
    "UnstableLearningRate",
    "chain_escape_rate",
    "circulation",
    "epoch_covariance",
    "escape_rate",
    "eyring_kramers_rate",
    "gibbs_density",
    "inertial_rate",
    "inertial_relaxation_rate",
    "kramers_rate",
    "mean_first_passage_time",
    "minibatch_covariance",
    "minimum_action",
    "sde_covariance",
    "sgd_covariance",
    "stability_edges",
    "stationary_masses",
    "step_matrix",
    "tail_index",
    "two_temperature_rate",
]
