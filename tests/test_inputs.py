"""What a caller can get wrong raises ValueError, naming the argument and what is wrong."""

import re

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sgdnotes.experiment import (
    SGD,
    Adam,
    Gaussian,
    Langevin,
    MiniBatch,
    RMSProp,
    StateDependent,
    TorchSGD,
    TwoPoint,
    Uniform,
    estimate,
    simulate,
)
from sgdnotes.losses import DataLoss, Loss
from sgdnotes.theory import (
    UnstableLearningRate,
    circulation,
    gibbs_density,
    minibatch_covariance,
    sde_covariance,
    sgd_covariance,
)

settings.register_profile("inputs", max_examples=30, deadline=None, derandomize=True)
settings.load_profile("inputs")

x, y, u, v = sp.symbols("x y u v", real=True)
BOWL = Loss(x**2 / 2 + y**2, (x, y))
PARABOLA = Loss(x**2 / 2, x)
MEAN_SQUARE = DataLoss((x - u) ** 2 / 2, x, u, [1.0, 2.0, 4.0])

POSITIVE = st.floats(1e-3, 1e3)
NOT_POSITIVE = st.one_of(st.floats(max_value=0), st.sampled_from([np.nan, np.inf]))
NOT_A_FRACTION = st.one_of(st.floats(max_value=-1e-9), st.floats(min_value=1), st.just(np.nan))
NOT_A_COUNT = st.one_of(
    st.integers(max_value=0),
    st.floats(0.01, 50).filter(lambda b: b != int(b)),
    st.sampled_from([np.nan, np.inf, -np.inf]),
)
ANGLE = st.floats(0, np.pi)


def refused(name, *shown):
    """Expect a ValueError that begins with the argument's name and shows the values."""
    parts = [rf"(?s)\b(?:{name})\b", *(re.escape(str(s)) for s in shown)]
    return pytest.raises(ValueError, match=".*".join(parts))


def turned(angle, first, second):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([first, second]) @ turn.T
    return (matrix + matrix.T) / 2


def run(**options):
    told = {"start": 0.0, "chains": 4, "steps": 3, "rng": 1} | options
    dynamics, loss = told.pop("dynamics", SGD(0.1)), told.pop("loss", PARABOLA)
    return simulate(dynamics, loss, told.pop("noise", Gaussian(1.0)), **told)


# Matrices.


@given(ANGLE, POSITIVE, POSITIVE)
def test_a_covariance_with_a_negative_eigenvalue_is_refused_with_that_eigenvalue(angle, up, down):
    assume(down > 1e-9 * up)
    sigma = turned(angle, up, -down)
    smallest = f"{np.linalg.eigvalsh(sigma)[0]:.6g}"
    with refused("covariance", "positive semidefinite", smallest):
        Gaussian(sigma)
    for theory in (sde_covariance, sgd_covariance, circulation):
        with refused("noise_covariance", "positive semidefinite", smallest):
            theory(np.eye(2), sigma, 0.1)


@given(ANGLE, POSITIVE)
def test_a_singular_covariance_is_accepted(angle, size):
    sigma = turned(angle, size, 0.0)
    Gaussian(sigma)
    assert np.allclose(sde_covariance(np.eye(2), sigma, 0.1), 0.05 * sigma)


@given(ANGLE, POSITIVE, st.floats(0, 1e3))
def test_a_hessian_that_is_not_positive_definite_is_refused_with_its_eigenvalue(angle, up, down):
    hessian = turned(angle, up, -down)
    smallest = np.linalg.eigvalsh(hessian)[0]
    assume(smallest <= 0)
    for theory in (sde_covariance, sgd_covariance, circulation):
        with refused("hessian", "positive definite", f"{smallest:.6g}"):
            theory(hessian, np.eye(2), 0.1)


@given(st.floats(0.01, 1e3), st.floats(-10, 10))
def test_a_matrix_that_is_not_symmetric_is_refused(gap, entry):
    matrix = np.array([[5.0, entry], [entry + gap, 5.0]])
    assume(not np.allclose(matrix, matrix.T))
    with refused("covariance", "symmetric", matrix.tolist()):
        Gaussian(matrix)
    with refused("hessian", "symmetric", matrix.tolist()):
        sde_covariance(matrix, np.eye(2), 0.1)
    with refused("noise_covariance", "symmetric", matrix.tolist()):
        sde_covariance(np.eye(2), matrix, 0.1)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_matrices_of_different_shapes_are_refused_with_the_shapes(d, rows, columns):
    assume((rows, columns) != (d, d))
    for theory in (sde_covariance, sgd_covariance, circulation):
        with refused("noise_covariance", (d, d), (rows, columns)):
            theory(np.eye(d), np.ones((rows, columns)), 0.1)
        with refused("hessian", (d, d), ()):
            theory(np.eye(d), 1.0, 0.1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_matrix_with_nan_or_inf_is_refused(bad):
    matrix = np.array([[1.0, 0.0], [0.0, bad]])
    with refused("hessian", "finite"):
        sde_covariance(matrix, np.eye(2), 0.1)
    with refused("noise_covariance", "finite"):
        sgd_covariance(np.eye(2), matrix, 0.1)
    with refused("covariance", "finite"):
        Gaussian(matrix)


@pytest.mark.parametrize("bad", [np.ones(3), np.ones((2, 3)), np.ones((2, 2, 2))])
def test_a_covariance_that_is_neither_number_nor_square_is_refused(bad):
    with refused("covariance"):
        Gaussian(bad)


def test_a_covariance_of_another_dimension_than_the_points_is_refused():
    with refused("covariance", (3, 3)):
        run(loss=BOWL, noise=Gaussian(np.eye(3)))


# Learning rates, momentum, batches.


@given(POSITIVE, st.floats(0, 0.99), st.floats(1, 50))
def test_a_rate_at_or_above_the_edge_of_stability_is_refused_with_the_edge(h, momentum, times):
    edge = 2 * (1 + momentum) / h
    with pytest.raises(UnstableLearningRate) as caught:
        sgd_covariance(h, 1.0, edge * times * (1 + 1e-12), momentum=momentum)
    assert caught.value.limit == pytest.approx(edge)
    assert caught.value.learning_rate == pytest.approx(edge * times)
    assert isinstance(caught.value, ValueError)
    for shown in ("learning_rate", f"{caught.value.limit:.6g}"):
        assert shown in str(caught.value)
    assert sgd_covariance(h, 1.0, edge * 0.999, momentum=momentum) > 0


@given(ANGLE, POSITIVE, POSITIVE)
def test_the_edge_of_stability_is_that_of_the_largest_curvature(angle, first, second):
    with pytest.raises(UnstableLearningRate) as caught:
        sgd_covariance(turned(angle, first, second), np.eye(2), 2.1 / max(first, second))
    assert caught.value.limit == pytest.approx(2 / max(first, second))


@given(NOT_POSITIVE)
def test_a_rate_that_is_not_positive_is_refused_with_its_value(rate):
    for wrong in (
        lambda: SGD(rate),
        lambda: sde_covariance(1.0, 1.0, rate),
        lambda: sgd_covariance(1.0, 1.0, rate),
        lambda: circulation(1.0, 1.0, rate),
    ):
        with refused("learning_rate", "positive", repr(rate)):
            wrong()


@given(st.lists(POSITIVE, min_size=1, max_size=3), NOT_POSITIVE)
def test_one_bad_rate_among_several_is_refused(good, bad):
    with refused("learning_rate", "positive"):
        SGD(np.array([*good, bad]))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_matrix_of_rates_with_nan_or_inf_is_refused(bad):
    with refused("learning_rate", "finite"):
        SGD(np.array([[1.0, 0.0], [0.0, bad]]))


@given(NOT_A_FRACTION)
def test_a_momentum_outside_zero_to_one_is_refused_with_its_value(momentum):
    for wrong in (
        lambda: SGD(0.1, momentum=momentum),
        lambda: sgd_covariance(1.0, 1.0, 0.1, momentum=momentum),
    ):
        with refused("momentum", "at least 0 and below 1", repr(momentum)):
            wrong()


@given(NOT_A_COUNT)
def test_a_batch_size_that_is_no_count_is_refused_with_its_value(batch_size):
    for wrong in (
        lambda: SGD(0.1, batch_size=batch_size),
        lambda: sgd_covariance(1.0, 1.0, 0.1, batch_size=batch_size),
    ):
        with refused("batch_size", "whole number", repr(batch_size)):
            wrong()


@given(st.integers(1, 100))
def test_a_batch_size_written_as_a_whole_float_gives_the_same_bits(size):
    laws = ((MiniBatch(), MEAN_SQUARE), (TwoPoint(1.0), PARABOLA), (Uniform(1.0), PARABOLA))
    for law, loss in laws:
        whole = run(dynamics=SGD(0.1, batch_size=size), loss=loss, noise=law)
        written = run(dynamics=SGD(0.1, batch_size=float(size)), loss=loss, noise=law)
        assert np.array_equal(whole.samples, written.samples)


@given(st.integers(4, 1000))
def test_a_batch_larger_than_the_data_is_refused_without_replacement_alone(size):
    dynamics = SGD(0.1, batch_size=size)
    with refused("batch_size", 3, "without replacement", size):
        run(dynamics=dynamics, loss=MEAN_SQUARE, noise=MiniBatch(replace=False))
    run(dynamics=dynamics, loss=MEAN_SQUARE, noise=MiniBatch())


def test_batches_of_a_loss_without_data_are_refused():
    with refused("MiniBatch", "DataLoss"):
        run(noise=MiniBatch())


@given(NOT_POSITIVE)
def test_langevin_refuses_a_temperature_or_time_step_that_is_not_positive(value):
    with refused("temperature", "positive", repr(value)):
        Langevin(value, 0.1)
    with refused("time_step", "positive", repr(value)):
        Langevin(0.1, value)


# Noise.


@given(st.one_of(st.floats(max_value=-1e-9), st.sampled_from([np.nan, np.inf])))
def test_a_spread_below_zero_is_refused(value):
    for law in (TwoPoint, Uniform):
        with refused("standard_deviation", value):
            law(value)
    with refused("covariance"):
        Gaussian(value)


@given(st.floats(-5, -0.1))
def test_a_variance_that_is_negative_somewhere_is_refused_with_where_it_is(where):
    with refused("variance", "at least 0", f"x = {where:.6g}"):
        run(noise=StateDependent(lambda p: p), start=where)


def test_a_variance_that_is_nan_somewhere_is_refused_with_where_it_is():
    law = StateDependent(lambda p: np.where(p > 2, np.nan, 1.0))
    with refused("variance", "nan", "x = 3"):
        run(noise=law, start=[0.0, 3.0, 0.0, 0.0])


# Gibbs.


@given(NOT_POSITIVE)
def test_gibbs_refuses_a_temperature_that_is_not_positive(temperature):
    with refused("temperature", "positive", repr(temperature)):
        gibbs_density(PARABOLA, temperature)


@pytest.mark.parametrize(
    "expr", [x, -(x**2), x**3, sp.sin(x), 0 * x, -(x**4) + x**2, sp.exp(-(x**2))]
)
def test_gibbs_refuses_a_loss_that_does_not_confine(expr):
    with refused("loss"):
        gibbs_density(Loss(expr, x), 1.0)


@pytest.mark.parametrize("expr", [x**2, x**2 - y**2, x * y, (x - y) ** 2])
def test_gibbs_refuses_a_plane_that_does_not_confine_in_every_direction(expr):
    with refused("loss"):
        gibbs_density(Loss(expr, (x, y)), 1.0)


def test_gibbs_refuses_a_loss_with_no_value_somewhere():
    with np.errstate(all="ignore"), refused("loss", "finite"):
        gibbs_density(Loss(x**2 + 1 / x, x), 1.0)


def test_gibbs_refuses_three_parameters():
    with refused("loss", "1 or 2", 3):
        gibbs_density(Loss(x**2 + y**2 + u**2, (x, y, u)), 1.0)


# Losses.


@given(st.sets(st.sampled_from("abcde"), min_size=1))
def test_symbols_without_a_value_are_refused_by_name(names):
    extra = sum(sp.Symbol(name) for name in names)
    with refused("expr", "symbols without a value", sorted(names)):
        Loss(x**2 + extra, x)
    with refused("expr", "symbols without a value", sorted(names)):
        DataLoss((x - u) ** 2 + extra, x, u, [1.0])


@pytest.mark.parametrize("symbols", ["x", (), (x, "y"), (x, x)])
def test_what_is_not_a_set_of_symbols_is_refused(symbols):
    with refused("symbols"):
        Loss(x**2, symbols)


@given(st.integers(1, 5), st.integers(1, 5))
def test_points_of_another_dimension_are_refused_with_their_shape(rows, columns):
    assume(columns != 2)
    for method in (BOWL.value, BOWL.gradient, BOWL.hessian):
        with refused("x", 2, (rows, columns)):
            method(np.ones((rows, columns)))
        with refused("x", 2, ()):
            method(1.0)


@given(st.integers(0, 4), st.integers(1, 4))
def test_data_of_another_shape_are_refused_with_their_shape(rows, columns):
    assume(rows == 0 or columns != 2)
    with refused("data", "(n, 2)", (rows, columns)):
        DataLoss((x * u - v) ** 2, x, (u, v), np.ones((rows, columns)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_data_with_nan_or_inf_are_refused(bad):
    with refused("data", "finite"):
        DataLoss((x - u) ** 2, x, u, [1.0, bad])


# Simulations.


@given(st.sampled_from(["chains", "steps", "block", "observe_every", "record_every"]), NOT_A_COUNT)
def test_a_count_of_a_run_that_is_no_count_is_refused_by_name(name, value):
    with refused(name, "whole number", repr(value)):
        run(**{name: value})


@given(st.one_of(st.integers(max_value=0), st.sampled_from([0.5, np.nan, np.inf])))
def test_a_number_of_threads_that_is_no_count_is_refused(threads):
    with refused("threads", "whole number", repr(threads)):
        run(threads=threads)


@given(st.one_of(st.integers(max_value=-1), st.sampled_from([0.5, np.nan, np.inf])))
def test_a_burn_in_that_is_no_count_is_refused(burn_in):
    with refused("burn_in", "whole number", repr(burn_in)):
        run(burn_in=burn_in)


@pytest.mark.parametrize("start", [np.nan, np.inf, [0.0, 0.0, np.nan, 0.0]])
def test_a_start_with_nan_or_inf_is_refused(start):
    with refused("start", "finite"):
        run(start=start)


@given(st.integers(2, 9))
def test_a_start_of_another_shape_is_refused_with_both_shapes(count):
    assume(count != 4)
    with refused("start", (4,), (count,)):
        run(start=np.zeros(count))
    with refused("start", (4, 2), (count, 2)):
        run(loss=BOWL, start=np.zeros((count, 2)))


@given(st.integers(1, 20), st.integers(0, 20), st.integers(1, 20))
def test_a_burn_in_that_leaves_nothing_to_observe_is_refused(steps, burn_in, every):
    told = {"observe": np.square, "burn_in": burn_in, "observe_every": every, "steps": steps}
    if burn_in + every <= steps:
        assert run(**told).average.shape == (4,)
    else:
        with refused("steps", burn_in + every, steps):
            run(**told)


@pytest.mark.parametrize("other", [{"observe": np.square}, {"record_every": 1}])
def test_absorption_with_averages_or_snapshots_is_refused(other):
    with refused("absorb", "cannot be combined"):
        run(absorb=lambda p: p > 1, **other)


def test_sgd_without_noise_is_refused_and_langevin_is_not():
    with refused("noise", "must be given", "SGD"):
        run(noise=None)
    run(dynamics=Langevin(1.0, 0.1), noise=None)


# Estimates.


@given(NOT_POSITIVE)
def test_a_standard_error_that_is_not_positive_is_refused_with_its_value(error):
    with refused("standard_error", "positive and finite", error):
        estimate.Estimate(1.0, error)


@pytest.mark.parametrize("value", [np.nan, np.inf, np.array([1.0, np.nan])])
def test_a_value_with_nan_or_inf_is_refused(value):
    with refused("value", "finite"):
        estimate.Estimate(value, np.ones(np.shape(value)))


def test_a_value_and_an_error_of_different_shapes_are_refused_with_the_shapes():
    with refused("standard_error", (2,), (3,)):
        estimate.Estimate(np.ones(2), np.ones(3))


@given(st.floats(max_value=-1e-9))
def test_a_negative_bias_is_refused_with_its_value(bias):
    with refused("bias", bias):
        estimate.Estimate(1.0, 1.0).z(0.0, bias=bias)


@pytest.mark.parametrize(
    ("measure", "least"),
    [(estimate.mean, 2), (estimate.variance, 4), (estimate.covariance, 4)],
)
def test_too_few_samples_are_refused_with_how_many_are_needed(measure, least):
    for count in range(least):
        with refused("samples", least, (count, 2)):
            measure(np.zeros((count, 2)))
    with refused("samples", "()"):
        measure(1.0)


def test_samples_of_wrong_shape_are_refused():
    with refused("samples", "(n, d)"):
        estimate.covariance(np.zeros(10))


def test_samples_without_spread_are_refused_as_exact():
    for measure in (estimate.mean, estimate.variance):
        with refused("standard_error", "compare it exactly"):
            measure(np.ones(10))


@given(st.one_of(st.integers(max_value=1), st.integers(11, 99)))
def test_the_jackknife_refuses_too_few_or_too_many_groups(groups):
    with refused("groups|samples"):
        estimate.jackknife(np.mean, np.arange(10.0), groups=groups)


@pytest.mark.parametrize("edges", [[1.0], [0.0, 0.0], [1.0, 0.0], [[0.0, 1.0]], [0.0, np.nan]])
def test_edges_that_do_not_increase_are_refused(edges):
    with refused("edges", "increasing"):
        estimate.density(np.arange(10.0), edges)


def test_a_slope_through_one_point_is_refused():
    y = estimate.Estimate(np.ones(3), np.ones(3))
    with refused("x", "different values"):
        estimate.slope([2.0, 2.0, 2.0], y)
    with refused("samples|x", 3):
        estimate.slope([1.0, 2.0], estimate.Estimate(np.ones(2), np.ones(2)))
    with refused("x|y"):
        estimate.slope([1.0, 2.0, 3.0, 4.0], y)


def test_samples_of_two_columns_or_with_nan_have_no_histogram():
    for samples in (np.zeros((5, 2)), [0.5, np.nan]):
        with refused("samples", "finite"):
            estimate.density(samples, [0.0, 1.0])


def test_what_is_complex_or_not_finite_is_no_measurement():
    with refused("Estimate", "real"):
        estimate.Estimate(1 + 5j, 0.1)
    with refused("samples", "real"):
        estimate.mean([1j, 2j])
    with refused("expected", "nan"):
        estimate.Estimate(1.0, 0.1).z(np.nan)


# What is returned by a function of the caller's.


@pytest.mark.parametrize(
    "met", [lambda p: (p > 1).astype(int), lambda p: p[:2] > 1, lambda p: True]
)
def test_absorb_must_say_true_or_false_for_each_point(met):
    with refused("absorb", "bool"):
        run(absorb=met)


@pytest.mark.parametrize("see", [lambda p: p[:2], lambda p: p.mean(), lambda p: 1j * p])
def test_observe_must_return_one_row_a_point(see):
    with refused("observe", "row"):
        run(observe=see)


def test_an_average_that_is_not_a_number_is_refused():
    with np.errstate(invalid="ignore"), refused("observe", "nan"):
        run(observe=np.sqrt, start=-1.0)


@pytest.mark.parametrize("rng", [None, np.random.RandomState(1), 1.5, "1"])
def test_what_cannot_repeat_a_simulation_is_no_rng(rng):
    with refused("rng"):
        run(rng=rng)


# Numbers where an array makes no sense, and matrices near the edge of what is allowed.


def test_an_array_is_no_rate_for_a_covariance_and_no_temperature():
    with refused("learning_rate", (2,)):
        sde_covariance(np.eye(2), np.eye(2), np.array([0.1, 0.2]))
    with refused("temperature", (2,)):
        Langevin(np.array([1.0, 2.0]), 0.1)


@pytest.mark.parametrize("rate", [np.array([[0.1]]), np.ones(2)])
def test_rates_of_another_dimension_are_refused_with_their_shape(rate):
    with refused("learning_rate", rate.shape):
        run(dynamics=SGD(rate))
    with refused("learning_rate", (3, 2)):
        run(dynamics=SGD(np.ones((3, 2))), loss=BOWL)


def test_small_matrices_are_held_to_the_same_symmetry():
    askew = np.array([[1e-9, 5e-9], [0.0, 1e-9]])
    with refused("noise_covariance", "symmetric"):
        sde_covariance(np.eye(2), askew, 0.1)
    with refused("covariance", "symmetric"):
        Gaussian(askew)


def test_a_hessian_that_is_singular_up_to_rounding_is_refused():
    with refused("hessian", "positive definite"):
        sde_covariance(np.array([[1.0, 3.0], [3.0, 9.0]]), np.eye(2), 0.1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_gradients_that_are_not_finite_have_no_covariance(bad):
    with refused("example_gradients", "finite"):
        minibatch_covariance([1.0, 1.0], [bad, 1.0], 0.1)
    with refused("example_hessians", "finite"):
        minibatch_covariance([bad, 1.0], [-1.0, 1.0], 0.1)


def test_noise_that_depends_on_the_place_has_one_parameter():
    with refused("StateDependent", "1 parameter"):
        run(loss=BOWL, noise=StateDependent(lambda p: np.ones(len(p))))


@pytest.mark.parametrize("expr", [sp.Function("f")(x), sp.I * x, x + sp.Function("g")(x) ** 2])
def test_a_loss_that_is_unknown_or_complex_is_refused(expr):
    with refused("expr", "real"):
        Loss(expr, x)


def test_bins_must_increase():
    density = gibbs_density(PARABOLA, 1.0)
    for edges in ([1.0, 0.0], [[0.0, 1.0]]):
        with refused("edges", "increase"):
            density.bin_averages(edges)


# What is no number, no loss, no noise.

NO_NUMBERS = [None, "1", 1 + 2j, sp.I, sp.Symbol("z"), [1.0, "a"], np.ma.array([0.1], mask=[1])]
NUMBERS = [
    ("learning_rate", lambda v: SGD(v)),
    ("momentum", lambda v: SGD(0.1, momentum=v)),
    ("batch_size", lambda v: SGD(0.1, batch_size=v)),
    ("weight_decay", lambda v: TorchSGD(0.1, weight_decay=v)),
    ("window", lambda v: RMSProp(0.1, window=v)),
    ("epsilon", lambda v: Adam(0.1, epsilon=v)),
    ("temperature", lambda v: Langevin(v, 0.1)),
    ("time_step", lambda v: Langevin(0.1, v)),
    ("covariance", lambda v: Gaussian(v)),
    ("standard_deviation", lambda v: TwoPoint(v)),
    ("variance", lambda v: run(noise=StateDependent(lambda p: v))),
    ("start", lambda v: run(start=v)),
    ("chains", lambda v: run(chains=v)),
    ("steps", lambda v: run(steps=v)),
    ("value", lambda v: estimate.Estimate(v, 1.0)),
    ("standard_error", lambda v: estimate.Estimate(1.0, v)),
    ("expected", lambda v: estimate.Estimate(1.0, 1.0).z(v)),
    ("samples", lambda v: estimate.mean(v)),
    ("x", lambda v: estimate.slope(v, estimate.Estimate(np.ones(3), np.ones(3)))),
    ("value", lambda v: estimate.UpperBound(v, 0.95)),
    ("confidence", lambda v: estimate.UpperBound(1.0, v)),
    ("time_step", lambda v: estimate.event_rate(np.array([1]), 1, time_step=v)),
]


@pytest.mark.parametrize("bad", NO_NUMBERS, ids=str)
@pytest.mark.parametrize(("name", "use"), NUMBERS)
def test_what_is_not_of_real_numbers_is_refused_by_the_arguments_name(name, use, bad):
    with refused(name, ""):
        use(bad)


@pytest.mark.parametrize(("name", "use"), NUMBERS[:14])
def test_a_number_of_sympy_is_a_number(name, use):
    use(sp.Integer(1) if name in ("batch_size", "window", "chains", "steps") else sp.Rational(1, 3))


def test_a_rate_of_sympy_gives_the_bits_of_its_float():
    one, other = run(dynamics=SGD(sp.Rational(1, 10))), run(dynamics=SGD(0.1))
    assert np.array_equal(one.samples, other.samples)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("dynamics", {"dynamics": SGD}),
        ("dynamics", {"dynamics": 0.1}),
        ("loss", {"loss": x**2}),
        ("loss", {"loss": np.square}),
        ("noise", {"noise": 1.0}),
        ("noise", {"noise": Gaussian}),
        ("observe", {"observe": 1.0}),
        ("absorb", {"absorb": True}),
        ("rng", {"rng": -1}),
        ("rng", {"rng": np.random.Generator(np.random.RandomState(1)._bit_generator)}),
        ("chains", {"chains": 10**30}),
    ],
)
def test_what_is_something_else_than_its_argument_is_refused_by_name(name, told):
    with refused(name, ""):
        run(**told)


@pytest.mark.parametrize("name", ["observe", "absorb"])
def test_a_function_of_the_points_cannot_move_the_chains(name):
    def push(points):
        points += 1.0
        return points > 5

    with pytest.raises(ValueError, match="read-only"):
        run(**{name: push})
    with pytest.raises(ValueError, match="read-only"):
        run(noise=StateDependent(push))


@pytest.mark.parametrize(("value", "confidence"), [(np.nan, 0.9), (-1.0, 0.9), (1.0, 1.0)])
def test_a_bound_that_bounds_nothing_is_refused(value, confidence):
    with refused("value|confidence", ""):
        estimate.UpperBound(value, confidence)


def test_a_slope_or_a_stack_of_what_is_no_estimate_is_refused_by_name():
    with refused("y", "Estimate"):
        estimate.slope([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    with refused("x", "finite"):
        estimate.slope([1.0, 2.0, np.nan], estimate.Estimate(np.ones(3), np.ones(3)))
    with refused("estimates", "Estimates"):
        estimate.stack([1.0, 2.0])


# What would take for ever, and what had poor words.


@pytest.mark.parametrize("batch_size", [2**16 + 1, 2**50])
def test_a_batch_that_would_take_for_ever_is_refused_by_name(batch_size):
    with refused("batch_size", batch_size):
        run(dynamics=SGD(0.1, batch_size=batch_size), noise=Uniform(1.0))
    with refused("batch_size", batch_size):
        one_by_one = RMSProp(0.1, batch_size=batch_size, per_example=True)
        run(dynamics=one_by_one, loss=MEAN_SQUARE, noise=MiniBatch())


def test_a_batch_too_large_for_the_memory_is_refused_by_name():
    with refused("batch_size", 2**50):
        run(dynamics=SGD(0.1, batch_size=2**50), loss=MEAN_SQUARE, noise=MiniBatch())


def test_a_count_that_no_float_can_hold_is_refused_by_name():
    with refused("batch_size", "at most", 2**70):
        SGD(0.1, batch_size=2**70)
    with refused("steps", "at most", 2**70):
        run(steps=2**70)


def test_a_function_of_a_density_must_be_finite_where_the_density_is_not_zero():
    density = gibbs_density(PARABOLA, 1.0)
    for function in (lambda p: np.full_like(p, np.nan), lambda p: 1j * p, lambda p: p[:3]):
        with refused("function", ""):
            density.expectation(function)
    below = density.expectation(lambda p: np.where(np.abs(p) < 1e9, p**2, np.inf))
    assert below == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("edges", [[], [0.0], [0.0, np.nan, 1.0]])
def test_no_bins_are_refused_by_name(edges):
    with refused("edges", "increase"):
        gibbs_density(PARABOLA, 1.0).bin_averages(edges)
