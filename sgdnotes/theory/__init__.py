"""What theory says: exact laws, densities and rates, no random number anywhere."""

from sgdnotes.theory.chain import chain_escape_rate
from sgdnotes.theory.density import Density
from sgdnotes.theory.escape import (
    escape_rate,
    kramers_rate,
    mean_first_passage_time,
    two_temperature_rate,
)
from sgdnotes.theory.stationary import (
    UnstableLearningRate,
    circulation,
    gibbs_density,
    minibatch_covariance,
    sde_covariance,
    sgd_covariance,
)
from sgdnotes.theory.walls import Unconfined

__all__ = [
    "Density",
    "Unconfined",
    "UnstableLearningRate",
    "chain_escape_rate",
    "circulation",
    "escape_rate",
    "gibbs_density",
    "kramers_rate",
    "mean_first_passage_time",
    "minibatch_covariance",
    "sde_covariance",
    "sgd_covariance",
    "two_temperature_rate",
]
