"""Chains that leave the numbers are noticed, and the cause that is told is the cause."""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import sympy as sp

from sgdnotes.experiment import (
    SGD,
    Adam,
    Diverged,
    Epochs,
    Gaussian,
    Langevin,
    LeftDomain,
    MiniBatch,
    RMSProp,
    simulate,
)
from sgdnotes.losses import DataLoss, Loss

x, y, u = sp.symbols("x y u", real=True)
PARABOLA = Loss(x**2 / 2, x)
WELL = Loss(x**4 / 4 - x**2 / 2, x)
GAMMA = Loss(x - 2 * sp.log(x), x)  # exp(−L) is the Gamma law of shape 3, on x > 0 alone
TOLD = {"start": 1.0, "chains": 6, "steps": 200, "rng": 1}


class Given:
    """A loss of which only what is asked for is told."""

    def __init__(self, value, gradient, dimension=1):
        self.value, self.gradient, self.dimension = value, gradient, dimension


def first_of(path, bad):
    """The first step after which some chain of a path is bad."""
    return int(np.flatnonzero(bad(path).any(axis=1))[0])


# The loss is no number, though its gradient is.


@pytest.mark.parametrize("threads", [1, 2])
def test_a_chain_beyond_the_end_of_a_logarithm_is_noticed_with_the_point_and_the_step(threads):
    told = {"start": 2.0, "chains": 4000, "steps": 2000, "rng": 0, "block": 2000}
    with pytest.raises(LeftDomain, match="left the domain of the loss by step") as caught:
        simulate(Langevin(1.0, 0.01), GAMMA, threads=threads, **told)
    found = caught.value
    # The same chains on a loss that is everywhere: nobody looks, and the walk is seen.
    blind = Given(np.zeros_like, GAMMA.gradient)
    early = {**told, "steps": 100, "record_every": 1, "chains": 2000}
    path = simulate(Langevin(1.0, 0.01), blind, **early).path
    if threads == 1:
        step = first_of(path, lambda p: p < 0)
        chain = int(np.argmax(path[step] < 0))
        end, start = (f"{path[t, chain]:.6g}" for t in (step, step - 1))
        assert found.cause == f"the loss is nan at {end}, where step {step} led from {start}"
        assert step <= found.step < step + 32
        assert found.count == (path[found.step] < 0).sum()
    assert "smaller" not in str(found)


def test_a_chain_behind_an_infinite_wall_is_noticed():
    wall = Loss(sp.Piecewise((sp.oo, x < 0), (x, True)), x)
    with pytest.raises(LeftDomain, match=r"the loss is inf at -0\.\d+, where step \d+ led from 0"):
        simulate(Langevin(1.0, 0.01), wall, **TOLD)


def test_absorption_at_the_end_of_the_domain_is_no_fault():
    run = simulate(Langevin(1.0, 0.01), GAMMA, absorb=lambda p: p < 0.02, **TOLD | {"chains": 500})
    ended = run.exit_step > 0
    assert ended.any()
    assert (run.samples[ended] < 0.02).all()
    with pytest.raises(LeftDomain, match="the loss is nan"):
        simulate(Langevin(1.0, 0.01), GAMMA, absorb=lambda p: p > 9.0, **TOLD | {"chains": 500})


@pytest.mark.parametrize("noise", [MiniBatch(), Epochs(), Gaussian(1.0)])
def test_a_loss_of_data_is_looked_at_too(noise):
    # Waiting times whose rate x is fitted: log x has an end, its derivative has none.
    data = np.random.default_rng(1).exponential(size=40)
    loss = DataLoss(u * x - 2 * sp.log(x), x, u, data)
    told = {"start": 1.0, "chains": 50, "steps": 300, "rng": 1}
    with pytest.raises(LeftDomain, match=r"the loss is nan at -\d"):
        simulate(SGD(0.9), loss, noise, **told)


@pytest.mark.parametrize("steps", [5, 300])
def test_a_single_example_out_of_its_domain_is_found_in_time(steps):
    # x + u > 0 is broken for one example of forty, at a point where the chains stay.
    data = np.linspace(1.0, 2.0, 40)
    data[17] = -1.0
    loss = DataLoss(sp.log(x + u) / 1000, x, u, data)
    told = {"start": 0.5, "chains": 5, "steps": steps, "rng": 1}
    with pytest.raises(LeftDomain, match=r"the loss is nan at 0\.(5|49\d*), where step"):
        simulate(SGD(1e-3, batch_size=40 if steps < 32 else 4), loss, Epochs(), **told)


def test_the_looks_at_a_loss_of_data_go_round_all_examples_and_stay_small(monkeypatch):
    data, seen = np.arange(100.0), []
    loss = DataLoss((x - u) ** 2 / 2, x, u, data)
    value = DataLoss.value
    monkeypatch.setattr(
        DataLoss, "value", lambda self, p: seen.append(self.data[:, 0]) or value(self, p)
    )
    run = {"start": 0.0, "chains": 3, "steps": 32 * 60, "rng": 1}
    simulate(SGD(0.01, batch_size=8), loss, MiniBatch(), **run)
    assert [len(part) for part in seen] == [2] * 59 + [100]
    assert set(np.concatenate(seen[:50])) == set(data)


# The gradient is no number.


def test_a_gradient_that_is_nan_at_the_start_is_called_so():
    kink = Given(lambda p: np.abs(p), lambda p: p / np.sqrt(p * p))
    with pytest.raises(LeftDomain) as caught:
        simulate(SGD(0.01), kink, Gaussian(1.0), **TOLD | {"start": 0.0})
    assert "the gradient of the loss is nan at 0, where step 1 began" in caught.value.cause
    assert caught.value.count == 6
    assert "overflow" not in str(caught.value)
    assert "smaller" not in str(caught.value)


def test_the_point_of_several_parameters_is_told_in_full():
    def gradient(p):
        return np.where(p.sum(axis=1, keepdims=True) > 2.9, np.nan, -np.ones_like(p))

    loss = Given(lambda p: p.sum(1), gradient, 2)
    told = TOLD | {"start": [1.0, 0.5], "steps": 40}
    with pytest.raises(LeftDomain, match=r"nan at \(1\.75, 1\.25\), where step 4 began"):
        simulate(SGD(0.25), loss, Gaussian(0.0), **told)


def test_a_gradient_that_is_infinite_is_called_so():
    with pytest.raises(LeftDomain, match=r"the gradient of the loss is infinite at 0,"):
        simulate(SGD(0.1), Given(np.abs, lambda p: 1 / p), Gaussian(1.0), **TOLD | {"start": 0.0})


def test_a_noise_that_is_nan_is_not_blamed_on_the_loss():
    class Broken:
        def gradient(self, loss, points, rng, batch_size):
            return loss.gradient(points) + np.nan

        def draw(self, points, rng, batch_size=1):
            return points + np.nan

    for dynamics in (SGD(0.1), Langevin(1.0, 0.1)):
        with pytest.raises(LeftDomain, match=r"gradient there, 1, is finite, but the noise"):
            simulate(dynamics, PARABOLA, Broken(), **TOLD)


def test_a_division_by_nothing_is_not_called_an_overflow():
    with pytest.raises(LeftDomain, match="or what the update divides by"):
        simulate(Adam(0.1, epsilon=0.0), Loss(0 * x, x), Gaussian(0.0), **TOLD)


# Overflow stays overflow.


def test_a_chain_that_runs_away_is_told_where_from_and_what_helps():
    with pytest.raises(Diverged, match="smaller steps, or a loss that confines") as caught:
        simulate(SGD(2.5), PARABOLA, Gaussian(1.0), **TOLD | {"steps": 5_000})
    # |1 − 2.5|ᵗ passes the largest number between steps 1,700 and 1,800.
    assert 1_700 <= caught.value.step <= 1_800
    assert "e+30" in caught.value.cause


def test_a_quartic_overflows_and_is_not_called_undefined():
    # inf − inf is nan, but the chain had run away before.
    with pytest.raises(
        Diverged, match=r"6 chains overflowed by step 32: .* step \d began; smaller"
    ):
        simulate(SGD(0.5), WELL, Gaussian(0.01), **TOLD | {"start": 50.0})


def test_a_start_too_far_out_for_the_gradient_is_told_without_advice():
    steep = Loss(sp.exp(x), x)
    with pytest.raises(Diverged, match=r"gradient of the loss overflows at 800, .* 1 began$"):
        simulate(SGD(0.1), steep, Gaussian(1.0), **TOLD | {"start": 800.0})


def test_a_loss_that_overflows_where_a_chain_is_finite_is_called_so():
    cliff = Given(np.exp, lambda p: -np.ones_like(p))
    with pytest.raises(Diverged, match=r"the loss overflows at 709\.8, where step 1 led$"):
        simulate(SGD(0.1), cliff, Gaussian(0.0), **TOLD | {"start": 709.7})


@pytest.mark.parametrize("dynamics", [RMSProp(0.1), Adam(0.1)])
def test_a_mean_square_that_overflows_does_not_stand_still_unnoticed(dynamics):
    steep = Loss(1e160 * x**2, x)
    told = r"6 chains overflowed by step 32: `squares`, .* overflows in step 1, from 1$"
    with pytest.raises(Diverged, match=told):
        simulate(dynamics, steep, Gaussian(0.0), **TOLD)


def test_a_point_that_is_far_out_but_finite_is_returned():
    told = TOLD | {"start": 1.0, "steps": 1}
    assert (simulate(SGD(1e200), PARABOLA, Gaussian(0.0), **told).samples == -1e200).all()


def test_only_the_lost_chains_are_counted_and_the_singular_is_singular():
    with pytest.raises(Diverged, match=r"^1 chain overflowed by step 32") as caught:
        simulate(
            SGD(0.1),
            WELL,
            Gaussian(0.01),
            **TOLD | {"start": [0.1, 50.0], "chains": 2, "steps": 96},
        )
    assert caught.value.count == 1


@pytest.mark.parametrize("kind", [Diverged, LeftDomain])
def test_both_are_value_errors_and_cross_process_borders(kind):
    again = pickle.loads(pickle.dumps(kind(32, 5, "because")))
    assert isinstance(again, ValueError)
    assert (again.step, again.count, again.cause) == (32, 5, "because")
    assert str(again).endswith("by step 32: because")
    assert str(again).startswith("5 chains ")


def test_the_cause_is_the_same_from_every_executor():
    told = {"start": 2.0, "chains": 60, "steps": 2000, "rng": 0}
    with pytest.raises(LeftDomain) as here:
        simulate(Langevin(1.0, 0.01), GAMMA, **told)
    spawn = multiprocessing.get_context("spawn")
    for pool in (ThreadPoolExecutor(2), ProcessPoolExecutor(1, mp_context=spawn)):
        with pool, pytest.raises(LeftDomain) as there:
            simulate(Langevin(1.0, 0.01), GAMMA, executor=pool, **told)
        assert str(there.value) == str(here.value)
