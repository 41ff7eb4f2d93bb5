"""The same numbers whatever runs them, and the law that theory predicts."""

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
    Gaussian,
    Langevin,
    MiniBatch,
    RMSProp,
    TorchSGD,
    TwoPoint,
    Uniform,
    estimate,
    simulate,
)
from sgdnotes.losses import DataLoss, Loss
from sgdnotes.theory import sde_covariance, sgd_covariance

x, y, u = sp.symbols("x y u", real=True)
WELL = Loss(x**4 / 4 - x**2 / 2, x)
BOWL = Loss(x**2 + x * y / 2 + y**2 / 4, (x, y))
H = np.array([[2.0, 0.5], [0.5, 0.5]])
SIGMA = np.array([[1.0, -0.3], [-0.3, 0.4]])


def quadratic(curvature=1.0):
    return Loss(sp.Float(curvature) * x**2 / 2, x)


def small(**options):
    """Five blocks of a short run that uses every part of a step."""
    told = {"start": 0.5, "chains": 300, "steps": 40, "rng": 7, "block": 64} | options
    return simulate(SGD(0.05, momentum=0.5), WELL, Gaussian(0.3), **told)


def squares(points):
    return points**2


def right_of_one(points):
    return points > 1.0


# The same bits.


@pytest.mark.parametrize("threads", [2, 4])
def test_any_number_of_threads_gives_the_same_bits(threads):
    told = {"observe": squares, "burn_in": 5, "record_every": 10}
    one, many = small(threads=1, **told), small(threads=threads, **told)
    for name in ("samples", "average", "path"):
        assert np.array_equal(getattr(one, name), getattr(many, name))


def test_a_thread_pool_gives_the_same_bits():
    with ThreadPoolExecutor(3) as pool:
        assert np.array_equal(small(executor=pool).samples, small(threads=1).samples)


def test_a_process_pool_gives_the_same_bits():
    told = {"observe": squares, "burn_in": 5}
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        far, near = small(executor=pool, **told), small(threads=1, **told)
    assert np.array_equal(far.samples, near.samples)
    assert np.array_equal(far.average, near.average)


def test_absorption_gives_the_same_bits_on_any_number_of_threads():
    one = small(threads=1, absorb=right_of_one)
    two = small(threads=2, absorb=right_of_one)
    assert np.array_equal(one.samples, two.samples)
    assert np.array_equal(one.exit_step, two.exit_step)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    assert np.array_equal(small().samples, small().samples)
    assert not np.array_equal(small().samples, small(rng=8).samples)


def test_a_generator_stands_for_its_seed_and_moves_on_from_call_to_call():
    rng = np.random.default_rng(7)
    first, second = small(rng=rng), small(rng=rng)
    assert np.array_equal(first.samples, small(rng=7).samples)
    assert not np.array_equal(first.samples, second.samples)


def test_the_global_random_state_is_not_touched():
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    small()
    assert pickle.dumps(np.random.get_state()) == before  # noqa: NPY002


def test_no_two_chains_share_their_noise():
    assert len(np.unique(small().samples)) == 300


def test_the_number_of_chains_in_the_last_block_does_not_change_the_first_blocks():
    assert np.array_equal(small().samples[:256], small(chains=256).samples)


# What a run keeps, against a loop written by hand.


def by_hand(chains, steps, start=0.5, rng=7):
    """Every point of one block, the start included: (steps + 1, chains)."""
    stream = np.random.Generator(np.random.SFC64(np.random.SeedSequence(rng).spawn(1)[0]))
    path, velocity = [np.full(chains, start)], np.zeros(chains)
    for _ in range(steps):
        now = path[-1]
        noisy = now**3 - now + np.sqrt(0.3) * stream.standard_normal(chains)
        velocity = 0.5 * velocity + 0.05 * noisy
        path.append(now - velocity)
    return np.array(path)


def test_samples_are_where_the_hand_written_loop_ends():
    run = small(chains=10)
    assert np.allclose(run.samples, by_hand(10, 40)[-1], rtol=1e-12)
    assert run.steps == 40
    assert run.average is run.path is run.path_steps is run.exit_step is None


def test_record_every_keeps_the_start_and_each_so_many_steps():
    run = small(chains=10, steps=40, record_every=15)
    assert run.path_steps.tolist() == [0, 15, 30]
    assert np.allclose(run.path, by_hand(10, 40)[[0, 15, 30]], rtol=1e-12)


def test_recording_every_step_keeps_the_whole_path():
    run = small(chains=4, record_every=1)
    assert np.allclose(run.path, by_hand(4, 40), rtol=1e-12)
    assert np.array_equal(run.path[-1], run.samples)


@pytest.mark.parametrize(
    ("burn_in", "every", "looks"),
    [(0, 1, range(1, 41)), (30, 1, range(31, 41)), (10, 7, [17, 24, 31, 38]), (0, 40, [40])],
)
def test_observe_averages_over_the_steps_after_the_burn_in(burn_in, every, looks):
    run = small(chains=10, observe=squares, burn_in=burn_in, observe_every=every)
    expected = (by_hand(10, 40)[list(looks)] ** 2).mean(0)
    assert np.allclose(run.average, expected, rtol=1e-12)


def test_observe_may_return_several_numbers_a_chain():
    def both(points):
        return np.stack([points, points**2], axis=-1)

    run = small(chains=10, observe=both)
    path = by_hand(10, 40)[1:]
    assert np.allclose(run.average, np.stack([path.mean(0), (path**2).mean(0)], -1), rtol=1e-12)


def test_absorbed_chains_stop_where_and_when_the_hand_written_walk_meets_the_wall():
    walk = Loss(0 * x, x)
    told = {"start": 0.0, "chains": 200, "steps": 60, "rng": 3}
    run = simulate(SGD(1.0), walk, TwoPoint(1.0), absorb=lambda p: p >= 4, **told)
    stopped = run.exit_step >= 0
    assert 20 < stopped.sum() < 180
    assert (run.samples[stopped] == 4).all()
    assert (run.samples[~stopped] < 4).all()
    # A walk of ±1 meets 4 after an even number of steps, and not before the fourth.
    assert run.exit_step[stopped].min() >= 4
    assert (run.exit_step[stopped] % 2 == 0).all()


def test_absorption_looks_after_each_step_and_sets_the_velocity_aside_too():
    # Without noise, each chain can be followed alone.
    start = np.array([0.2, 3.0, -3.0, 1.5])
    told = {"start": start, "chains": 4, "steps": 12, "rng": 1}
    run = simulate(
        SGD(0.1, momentum=0.5), quadratic(), Gaussian(0.0), absorb=lambda p: np.abs(p) < 1, **told
    )
    for k, point in enumerate(start):
        velocity, exit_step = 0.0, -1
        for t in range(1, 13):
            velocity = 0.5 * velocity + 0.1 * point
            point -= velocity
            if abs(point) < 1:
                exit_step = t
                break
        assert run.exit_step[k] == exit_step
        assert run.samples[k] == pytest.approx(point, rel=1e-12)


def test_the_exit_of_a_random_walk_has_the_gamblers_probability():
    told = {"start": 0.0, "chains": 20_000, "steps": 800, "rng": 5}
    run = simulate(
        SGD(1.0), Loss(0 * x, x), TwoPoint(1.0), absorb=lambda p: (p >= 3) | (p <= -7), **told
    )
    assert (run.exit_step > 0).all()
    assert abs(estimate.mean((run.samples == 3) * 1.0).z(0.7)) < 4
    assert abs(estimate.mean(run.exit_step).z(3 * 7)) < 4


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (1.0, [[1.0, 1.0]] * 3),
        ([1.0, 2.0], [[1.0, 2.0]] * 3),
        ([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
    ],
)
def test_start_is_one_number_one_point_or_one_point_a_chain(start, expected):
    told = {"start": start, "chains": 3, "steps": 1, "rng": 1, "record_every": 1}
    run = simulate(SGD(0.1), BOWL, Gaussian(0.1), **told)
    assert run.path[0].tolist() == expected
    assert run.samples.shape == (3, 2)


def test_the_callers_start_is_left_alone():
    start = np.ones(5)
    simulate(SGD(0.1), quadratic(), Gaussian(1.0), start=start, chains=5, steps=3, rng=1)
    assert (start == 1.0).all()


# Overflow.


@pytest.mark.parametrize("threads", [1, 2])
def test_sgd_beyond_the_edge_of_stability_raises_with_the_step_and_the_count(threads):
    told = {"start": 1.0, "chains": 6, "steps": 5_000, "rng": 1, "block": 3}
    with pytest.raises(Diverged, match="overflowed by step") as caught:
        simulate(SGD(2.5), quadratic(), Gaussian(1.0), threads=threads, **told)
    # |1 - 2.5| = 1.5, and 1.5^t passes 1.8e308 between 1,700 and 1,800 steps.
    assert 1_700 <= caught.value.step <= 1_800
    assert caught.value.count == 3


def test_only_the_chains_that_overflow_are_counted():
    told = {"start": [0.1, 50.0, 0.1, 60.0], "chains": 4, "steps": 100, "rng": 1}
    with pytest.raises(Diverged) as caught:
        simulate(SGD(0.1), WELL, Gaussian(0.01), **told)
    assert caught.value.count == 2


def test_an_overflow_in_the_last_steps_is_noticed():
    with pytest.raises(Diverged) as caught:
        simulate(SGD(1e200), quadratic(), Gaussian(1.0), start=1.0, chains=2, steps=3, rng=1)
    assert caught.value.step == 3


def test_diverged_is_a_value_error_and_crosses_process_borders():
    again = pickle.loads(pickle.dumps(Diverged(32, 5)))
    assert isinstance(again, ValueError)
    assert (again.step, again.count) == (32, 5)
    assert "5 chains overflowed by step 32" in str(again)


# The law that theory predicts.


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_sgd_on_a_quadratic_reaches_the_exact_discrete_covariance(momentum):
    told = {"start": 0.0, "chains": 20_000, "steps": 150, "rng": 2}
    run = simulate(SGD(0.3, momentum, batch_size=2), BOWL, Gaussian(SIGMA), **told)
    exact = sgd_covariance(H, SIGMA, 0.3, batch_size=2, momentum=momentum)
    measured = estimate.covariance(run.samples)
    assert np.abs(measured.z(exact)).max() < 4
    assert np.abs(measured.z(sde_covariance(H, SIGMA, 0.3) / 2)).max() > 8


@pytest.mark.parametrize("law", [Gaussian(0.5), TwoPoint(np.sqrt(0.5)), Uniform(np.sqrt(0.5))])
def test_the_variance_of_sgd_on_a_quadratic_asks_only_for_the_noise_variance(law):
    told = {"start": 0.0, "chains": 20_000, "steps": 60, "rng": 4}
    run = simulate(SGD(0.4), quadratic(), law, **told)
    assert abs(estimate.variance(run.samples).z(sgd_covariance(1.0, 0.5, 0.4))) < 4


def test_minibatch_sgd_on_data_reaches_the_exact_discrete_variance():
    data = np.array([0.3, -1.0, 2.5, 0.0, 4.0, -0.7])
    loss = DataLoss((x - u) ** 2 / 2, x, u, data)
    told = {"start": data.mean(), "chains": 20_000, "steps": 60, "rng": 4}
    run = simulate(SGD(0.4, batch_size=3), loss, MiniBatch(replace=False), **told)
    exact = sgd_covariance(1.0, data.var() * 3 / 5, 0.4, batch_size=3)
    assert abs(estimate.variance(run.samples).z(exact)) < 4
    assert abs(estimate.mean(run.samples).z(data.mean())) < 4


def stationary_variance(dynamics, noise, rng):
    told = {"start": 0.0, "chains": 8_000, "steps": 1_000, "burn_in": 200, "rng": rng}
    run = simulate(dynamics, quadratic(), noise, observe=squares, observe_every=2, **told)
    return estimate.mean(run.average)


def order(steps, gaps):
    return np.polyfit(np.log(steps), np.log(gaps), 1)[0]


def test_langevin_approaches_the_sde_variance_with_weak_order_one():
    steps, gaps = [0.1, 0.2, 0.4], []
    for k, dt in enumerate(steps):
        variance = stationary_variance(Langevin(0.5, dt), None, k)
        # Exactly 2TΔt/(1 − (1 − hΔt)²), against T/h.
        assert abs(variance.z(2 * 0.5 * dt / (1 - (1 - dt) ** 2))) < 4
        gaps.append(variance.value / 0.5 - 1)
    assert order(steps, gaps) == pytest.approx(1.0, abs=0.3)


def test_sgd_approaches_the_sde_variance_with_weak_order_one():
    rates, gaps = [0.1, 0.2, 0.4], []
    for k, rate in enumerate(rates):
        variance = stationary_variance(SGD(rate), Gaussian(0.7), k)
        assert abs(variance.z(sgd_covariance(1.0, 0.7, rate))) < 4
        gaps.append(variance.value / sde_covariance(1.0, 0.7, rate) - 1)
    assert order(rates, gaps) == pytest.approx(1.0, abs=0.3)


WEAK = [(TwoPoint(1.0), 1.0), (Uniform(1.0), 9 / 5), (None, 3.0)]


@pytest.mark.parametrize(("law", "fourth"), WEAK)
def test_weak_noise_has_the_fourth_power_of_its_own_chain(law, fourth):
    told = {"start": 0.0, "chains": 40_000, "steps": 20, "rng": 6}
    run = simulate(Langevin(0.5, 0.6), quadratic(), law, **told)
    measured = estimate.mean(run.samples**4)
    assert abs(measured.z(fourth_power(0.6, fourth))) < 4
    assert abs(measured.z(fourth_power(0.6, fourth + 1))) > 8


def fourth_power(step, fourth, temperature=0.5):
    """Stationary E x⁴ of x ← (1 − Δt) x + √(2TΔt) ξ, with E ξ⁴ = `fourth`."""
    keep, kick = (1 - step) ** 2, 2 * temperature * step
    square = kick / (1 - keep)
    return (6 * keep * kick * square + kick**2 * fourth) / (1 - keep**2)


@pytest.mark.parametrize("fourth", [1.0, 9 / 5])
def test_weak_noise_approaches_the_gaussian_average_with_weak_order_one(fourth):
    steps = np.array([0.02, 0.01, 0.005])
    gaps = fourth_power(steps, 3.0) - fourth_power(steps, fourth)
    assert order(steps, gaps) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("law", [TwoPoint(1.0), Uniform(1.0)])
def test_weak_noise_gives_the_averages_of_gaussian_noise_in_a_double_well(law):
    told = {"start": 0.3, "chains": 40_000, "steps": 100}
    weak = simulate(Langevin(0.2, 0.01), WELL, law, rng=7, **told).samples
    gaussian = simulate(Langevin(0.2, 0.01), WELL, rng=8, **told).samples
    for power in (1, 2, 3, 4):
        a, b = estimate.mean(weak**power), estimate.mean(gaussian**power)
        assert abs(a.value - b.value) < 4 * np.hypot(a.standard_error, b.standard_error)


@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_the_exact_discrete_covariance_tends_to_the_sde_with_order_one(momentum):
    rates = np.array([0.01, 0.005, 0.0025])
    gaps = [
        # At rate η(1 − μ) momentum SGD has the SDE of plain SGD at η.
        sgd_covariance(1.3, 0.7, rate * (1 - momentum), momentum=momentum)
        / sde_covariance(1.3, 0.7, rate)
        - 1
        for rate in rates
    ]
    assert order(rates, np.abs(gaps)) == pytest.approx(1.0, abs=0.02)


def test_a_chain_that_overflows_past_the_absorbing_point_is_not_counted_as_absorbed():
    with pytest.raises(Diverged):
        simulate(
            SGD(3.0), Loss(x**2 / 2, x), Gaussian(1.0), start=1.0, chains=4, steps=4000, rng=1,
            absorb=lambda p: np.abs(p) > 1e308,
        )  # fmt: skip


def test_a_matrix_of_noise_is_refused_on_points_of_one_dimension():
    with pytest.raises(ValueError, match="covariance"):
        simulate(
            SGD(0.1), Loss(x**2 / 2, x), Gaussian(np.eye(3)), start=0.0, chains=3, steps=2, rng=1
        )


def test_one_rate_a_chain_is_not_mistaken_for_one_rate_a_parameter():
    with pytest.raises(ValueError, match="learning_rate"):
        simulate(
            SGD(np.full(3, 0.1)), Loss(x**2 / 2, x), Gaussian(1.0), start=0.0, chains=3, steps=2,
            rng=1,
        )  # fmt: skip


def test_a_schedule_that_is_negative_is_refused_with_its_step():
    with pytest.raises(ValueError, match=r"learning_rate\(4\) must be finite and at least 0"):
        simulate(
            SGD(lambda t: 0.1 * (3 - t)), Loss(x**2 / 2, x), Gaussian(1.0), start=0.0, chains=2,
            steps=5, rng=1,
        )  # fmt: skip


@pytest.mark.parametrize("dynamics", [SGD, RMSProp, Adam, TorchSGD])
def test_a_schedule_may_begin_and_end_at_zero_and_does_not_move_there(dynamics):
    warm = np.array([0.0, 0.1, 0.05, 0.0])
    told = {"start": 1.0, "chains": 3, "steps": 4, "rng": 1, "record_every": 1}
    run = simulate(dynamics(lambda t: warm[t - 1]), quadratic(), Gaussian(0.1), **told)
    assert (run.path[1] == 1.0).all()
    assert (run.path[2] != run.path[1]).all()
    assert np.array_equal(run.path[4], run.path[3])
    with pytest.raises(ValueError, match="learning_rate must be positive"):
        dynamics(0.0)


def test_a_schedule_may_give_one_rate_a_parameter_but_not_one_a_chain():
    told = {"start": 1.0, "chains": 4, "steps": 2, "rng": 1}
    both = simulate(SGD(lambda t: np.array([0.1, 0.2])), BOWL, Gaussian(0.1), **told)
    assert np.array_equal(
        both.samples, simulate(SGD(np.array([0.1, 0.2])), BOWL, Gaussian(0.1), **told).samples
    )
    for loss, count in ((quadratic(), 4), (BOWL, 4), (quadratic(), 3)):
        with pytest.raises(ValueError, match=rf"learning_rate\(1\) .* got shape \({count},\)"):
            simulate(SGD(lambda t, n=count: np.full(n, 0.1)), loss, Gaussian(0.1), **told)


def test_a_later_change_of_the_callers_array_does_not_change_the_rate():
    rates = np.array([0.1, 0.2])
    dynamics = SGD(rates)
    rates[0] = -5.0
    assert dynamics.learning_rate.tolist() == [0.1, 0.2]
    with pytest.raises(ValueError, match="read-only"):
        dynamics.learning_rate[0] = -5.0
