"""Splitting finds the rates that exact theory and brute force find."""

import json

import numpy as np
import pytest
import rare as command
import sympy as sp

from sgdnotes.experiment import (
    SGD,
    Epochs,
    Gaussian,
    Langevin,
    MiniBatch,
    TwoPoint,
    estimate,
    rare_event_rate,
    simulate,
)
from sgdnotes.experiment.splitting import Splitting, Walkers
from sgdnotes.losses import DataLoss, Loss
from sgdnotes.theory import chain_escape_rate, escape_rate

STORED = json.loads(command.RESULTS.read_text("utf8"))
X, Y, A = sp.symbols("x y a", real=True)
WELLS = Loss((X**2 - 1) ** 2 / 4, X)  # a barrier of 1/4
TOP = 0.3
MU, RATE = 0.8, 0.05


def place(x):
    return x


def past_the_top(x):
    return x >= TOP


def first(x):
    return x[:, 0]


def langevin(barrier, step, walkers, rng, **told):
    return rare_event_rate(
        Langevin(0.25 / barrier, step), WELLS, start=-1.0, progress=place, absorb=TOP,
        walkers=walkers, burn_in=round(5 / step), steps=round(5 / step), rng=rng,
        time_step=step, **told,
    )  # fmt: skip


@pytest.mark.parametrize(("barrier", "step"), [(5, 0.1), (10, 0.1), (15, 0.1), (18, 0.1)])
def test_the_rate_is_that_of_the_discrete_chain(barrier, step):
    exact = chain_escape_rate(WELLS, TOP, -2.5, step, 0.5 / barrier / step)
    found = langevin(barrier, step, 1500, barrier)
    assert abs(found.rate.z(exact)) < 4
    assert abs(found.rate.z(2 * exact)) > 4
    assert abs(found.rate.z(exact / 2)) > 4
    assert found.rate.standard_error < 0.15 * exact


def test_where_brute_force_would_take_ten_billion_steps_the_rate_is_that_of_the_sde():
    exact = escape_rate(WELLS, TOP, 0.25 / 20)
    found = langevin(20, 0.05, 1500, 20)
    # At 15 the chain of this step is 1.2 % quicker than the SDE.
    assert abs(found.rate.z(exact, bias=0.02 * exact)) < 4
    assert abs(found.rate.z(2 * exact)) > 4
    assert abs(found.rate.z(exact / 2)) > 4


def test_the_rate_is_the_flux_times_the_chances():
    found = langevin(8, 0.1, 400, 3, repetitions=4)
    assert len(found.chances) == len(found.levels) - 1
    assert found.rate.value == pytest.approx(found.repetitions.mean())
    assert found.flux * np.prod(found.chances) == pytest.approx(found.rate.value, rel=0.3)
    assert found.levels[-1] == TOP
    assert found.chain_steps > 400 * 4 * 100


def test_the_levels_do_not_change_what_is_found():
    exact = chain_escape_rate(WELLS, TOP, -2.5, 0.1, 0.5)
    for levels in ([-0.95, -0.75, -0.5, -0.2, TOP], [-0.7, -0.6, -0.45, -0.3, 0.0, 0.2, TOP]):
        found = langevin(10, 0.1, 2000, 5, levels=levels)
        assert abs(found.rate.z(exact)) < 4
        assert abs(found.rate.z(1.5 * exact)) > 4


def with_momentum(rng, **told):
    """Momentum at ΔL/T = 5: T = ησ²/(2B(1 − μ))."""
    noise = Gaussian(0.05 * 2 * (1 - MU) / RATE)
    dynamics = SGD(RATE, momentum=MU)
    split = rare_event_rate(
        dynamics, WELLS, noise, start=-1.0, progress=place, absorb=TOP, walkers=1500,
        burn_in=100, steps=100, rng=rng, **told,
    )  # fmt: skip
    return split, dynamics, noise


def test_momentum_is_carried_along_and_brute_force_agrees():
    split, dynamics, noise = with_momentum(1)
    run = simulate(
        dynamics, WELLS, noise, start=-1.0, chains=20000, steps=1500, rng=2, absorb=past_the_top
    )
    brute = estimate.event_rate(run.exit_step, run.steps, burn_in=300)
    gap = split.rate.value - brute.value
    assert abs(gap) < 4 * np.hypot(split.rate.standard_error, brute.standard_error)
    assert brute.standard_error < 0.03 * brute.value


def test_without_its_momentum_a_copy_would_climb_less_often(monkeypatch):
    held = with_momentum(1)[0].rate
    take = Walkers.take

    def forget(self, which):
        taken = take(self, which)
        if np.asarray(which).dtype != bool:  # as walkers are copied at a level
            taken.memory = {k: 0 * v for k, v in taken.memory.items()}
        return taken

    monkeypatch.setattr(Walkers, "take", forget)
    lost = with_momentum(1)[0].rate
    assert lost.value + 6 * lost.standard_error < held.value


def test_in_two_dimensions_a_bystander_changes_nothing():
    loss = Loss((X**2 - 1) ** 2 / 4 + Y**2, (X, Y))
    exact = chain_escape_rate(WELLS, TOP, -2.5, 0.1, 0.5)
    found = rare_event_rate(
        Langevin(0.025, 0.1), loss, start=(-1.0, 0.0), progress=first, absorb=TOP,
        walkers=1000, burn_in=50, steps=50, rng=4, time_step=0.1,
    )  # fmt: skip
    assert abs(found.rate.z(exact)) < 4
    assert abs(found.rate.z(1.5 * exact)) > 4


@pytest.mark.parametrize("noise", [TwoPoint(1.2), MiniBatch()], ids=["coins", "batches"])
def test_any_noise_escapes_as_brute_force_says(noise):
    loss, batch = WELLS, 2
    if isinstance(noise, MiniBatch):
        data = np.array([-2.0, -0.5, 0.5, 2.0])
        loss = DataLoss((X**2 - 1) ** 2 / 4 + 0.8 * A * X, X, A, data)
    dynamics = SGD(0.12, batch_size=batch)
    split = rare_event_rate(
        dynamics, loss, noise, start=-1.0, progress=place, absorb=TOP, walkers=1000,
        burn_in=60, steps=60, rng=5,
    )  # fmt: skip
    run = simulate(
        dynamics, loss, noise, start=-1.0, chains=20000, steps=1000, rng=6, absorb=past_the_top
    )
    brute = estimate.event_rate(run.exit_step, run.steps, burn_in=60)
    gap = split.rate.value - brute.value
    assert abs(gap) < 4 * np.hypot(split.rate.standard_error, brute.standard_error)
    assert brute.standard_error < 0.06 * brute.value


def test_any_number_of_threads_finds_the_same():
    one, two = (langevin(8, 0.1, 100, 7, repetitions=5, threads=n) for n in (1, 2))
    assert np.array_equal(one.repetitions, two.repetitions)
    assert one.chain_steps == two.chain_steps


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"walkers": 5}, "walkers must be"),
        ({"repetitions": 1}, "repetitions must be"),
        ({"levels": [0.2, 0.1, 0.3]}, "levels must increase"),
        ({"levels": [0.5, 0.7]}, "levels must increase"),
        ({"levels": [0.2999, 0.3]}, "steps must let every repetition leave"),
        ({"start": 0.5}, "start must"),
        ({"progress": lambda x: x * np.nan}, "progress must return one finite"),
        ({"progress": lambda x: x[:3]}, "progress must return"),
        ({"time_step": 0}, "time_step must be positive"),
        ({"noise": Epochs()}, "noise must not remember"),
        ({"dynamics": SGD(lambda t: 0.1), "noise": TwoPoint()}, "must not change with time"),
    ],
)
def test_what_cannot_be_split_is_refused(changed, message):
    told = {
        "dynamics": Langevin(0.01, 0.1), "loss": WELLS, "noise": None, "start": -1.0,
        "progress": place, "absorb": 0.3, "walkers": 20, "burn_in": 5, "steps": 5, "rng": 0,
    } | changed  # fmt: skip
    with pytest.raises(ValueError, match=message):
        rare_event_rate(**told)


def test_who_leaves_while_settling_is_replaced_by_one_of_its_own_repetition():
    work = Splitting(Langevin(0.125, 0.1), WELLS, None, place, np.random.default_rng(12))
    settled, progress = work.settle(work.start(-1.0, 300, 2), 200, TOP)
    assert np.array_equal(settled.x, progress)
    assert progress.max() < TOP  # two in five would have passed it by then
    assert np.array_equal(settled.group, np.repeat([0, 1], 300))


def test_walkers_that_never_arrive_are_reported():
    with pytest.raises(ValueError, match="no walker arrived"):
        langevin(20, 0.1, 20, 0, levels=[-0.95, TOP])


# What is stored.


def test_a_smaller_run_of_the_command_has_the_form_of_what_is_stored(capsys, monkeypatch):
    monkeypatch.setattr(command, "BARRIERS", (5,))
    told = command.measure(quick=True)
    capsys.readouterr()
    assert set(told) == set(STORED)
    assert set(told["rows"][0]) == set(STORED["rows"][0])
    assert told["rows"][0]["exact"] == pytest.approx(STORED["rows"][0]["exact"])
    assert told["rows"][0]["worst_z"] < 8
    assert told["seed"] == STORED["seed"]


def test_the_reference_beyond_the_chains_matrix_is_right_where_the_matrix_still_is(monkeypatch):
    near = np.array([16, 17, 18])
    ratio = [command.of_chain(b) / escape_rate(WELLS, TOP, 0.25 / b) for b in near]
    there = np.polyval(np.polyfit(near, ratio, 2), 19) * escape_rate(WELLS, TOP, 0.25 / 19)
    assert there == pytest.approx(command.of_chain(19), rel=1e-4)
    for row in STORED["rows"]:
        assert row["exact"] == pytest.approx(command.exact_rate(row["barrier"]), rel=1e-6)
    # Without the step of the chain it would be 4 % lower.
    assert STORED["rows"][-1]["exact"] > 1.03 * escape_rate(WELLS, TOP, 0.25 / 20)


def test_the_stored_error_is_small_honest_and_cheap():
    for row in STORED["rows"]:
        assert row["runs"] == 100
        assert row["held"] >= 87  # of 100, 95 ± 4 · 2.2
        assert row["relative_error"] == pytest.approx(row["spread"], rel=0.3)
        assert abs(row["bias"]) < 4 * row["spread"] / 10
        assert row["relative_error"] < 0.055
        assert row["seconds"] < 10
        assert abs(row["brute_z"]) < 4
    assert STORED["rows"][1]["brute_events"] > 100
    assert STORED["rows"][-1]["brute_seconds"] > 1e4 * STORED["rows"][-1]["seconds"]
