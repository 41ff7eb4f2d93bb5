"""The optimisers beside PyTorch's own, step by step, on one mini-batch after another.

PyTorch is no dependency: without it these tests are skipped, and say so. The weekly
workflow installs it.
"""

import numpy as np
import pytest
import sympy as sp

from sgdnotes.experiment import SGD, Adam, Epochs, RMSProp, TorchSGD, simulate
from sgdnotes.losses import DataLoss

torch = pytest.importorskip(
    "torch", reason="PyTorch is not installed: its optimisers have nothing to be compared with"
)

a, b, u, v = sp.symbols("a b u v", real=True)
RNG = np.random.default_rng(8)
INPUTS = RNG.normal(size=20)
DATA = np.stack([INPUTS, 0.7 * INPUTS + 0.3 + 0.1 * RNG.normal(size=20)], axis=1)
LINE = DataLoss((a * u + b - v) ** 2 / 2, (a, b), (u, v), DATA)
START = np.array([1.5, -2.0])
STEPS = 50


def trained_by_torch(optimiser, batch_size=6, drop_last=False, schedule=None, **options):
    """The parameters after each of fifty steps: (50, 2)."""
    weight = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    rows = torch.utils.data.TensorDataset(torch.tensor(DATA, dtype=torch.float64))
    loader = torch.utils.data.DataLoader(rows, batch_size=batch_size, drop_last=drop_last)
    algorithm, path = optimiser([weight], **options), []
    while len(path) < STEPS:
        for (batch,) in loader:
            if schedule:
                algorithm.param_groups[0]["lr"] = schedule(len(path) + 1)
            algorithm.zero_grad()
            error = weight[0] * batch[:, 0] + weight[1] - batch[:, 1]
            (error**2 / 2).mean().backward()
            algorithm.step()
            path.append(weight.detach().numpy().copy())
    return np.array(path[:STEPS])


def trained_here(dynamics, drop_last=False):
    law = Epochs("as given", drop_last=drop_last)
    told = {"start": START, "chains": 1, "steps": STEPS, "rng": 1, "record_every": 1}
    return simulate(dynamics, LINE, law, **told).path[1:, 0]


def to_the_last_digits(got, expected):
    """Sums of six numbers in another order, over fifty steps: some 1e-16 each."""
    return np.abs(got - expected).max() < 2e-14


FORMS = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "dampening": 0.9},
    {"momentum": 0.5, "dampening": 0.2, "weight_decay": 0.1},
    {"weight_decay": 0.3},
    {"momentum": 0.8, "nesterov": True},
    {"momentum": 0.8, "nesterov": True, "weight_decay": 0.05},
]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("drop_last", [False, True])
def test_torch_sgd_takes_the_steps_of_torch_optim_sgd(form, drop_last):
    expected = trained_by_torch(torch.optim.SGD, drop_last=drop_last, lr=0.05, **form)
    got = trained_here(TorchSGD(0.05, batch_size=6, **form), drop_last)
    assert to_the_last_digits(got, expected)
    other_end = trained_here(TorchSGD(0.05, batch_size=6, **form), not drop_last)
    assert np.abs(other_end - expected).max() > 1e-4


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_torch_sgd_follows_a_schedule_as_torch_optim_sgd_does(form):
    def schedule(t):
        return 0.1 * (1 - t / STEPS) if t > 1 else 0.0

    expected = trained_by_torch(torch.optim.SGD, schedule=schedule, lr=1.0, **form)
    assert to_the_last_digits(trained_here(TorchSGD(schedule, batch_size=6, **form)), expected)


def test_the_velocity_form_is_torch_optim_sgd_at_a_constant_rate_alone():
    def schedule(t):
        return 0.1 / t

    constant = trained_by_torch(torch.optim.SGD, lr=0.05, momentum=0.9)
    assert to_the_last_digits(trained_here(SGD(0.05, 0.9, batch_size=6)), constant)
    falling = trained_by_torch(torch.optim.SGD, schedule=schedule, lr=1.0, momentum=0.9)
    assert np.abs(trained_here(SGD(schedule, 0.9, batch_size=6)) - falling).max() > 0.1


def test_adam_takes_the_steps_of_torch_optim_adam():
    expected = trained_by_torch(torch.optim.Adam, lr=0.1, betas=(0.9, 0.99), eps=1e-8)
    got = trained_here(Adam(0.1, gradient_window=10.0, square_window=100.0, batch_size=6))
    assert np.abs(got - expected).max() < 1e-12  # the paper's β are 1 − 1/N, rounded


def test_rmsprop_with_epsilon_outside_takes_the_steps_of_torch_optim_rmsprop():
    expected = trained_by_torch(torch.optim.RMSprop, lr=0.01, alpha=0.99, eps=1e-3)
    told = {"window": 100.0, "epsilon": 1e-3, "batch_size": 6}
    assert (
        np.abs(trained_here(RMSProp(0.01, epsilon_inside=False, **told)) - expected).max() < 1e-12
    )
    assert np.abs(trained_here(RMSProp(0.01, **told)) - expected).max() > 1e-4
