"""One symbolic source: what SymPy differentiates is what the arrays get."""

import inspect
import pickle

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdnotes import losses
from sgdnotes.losses import DataLoss, Loss

x, y, u, v = sp.symbols("x y u v", real=True)
RNG = np.random.default_rng(1)
POINTS = RNG.normal(size=7)
PLANE = RNG.normal(size=(4, 3, 2))
DATA = RNG.normal(size=(11, 2))


def test_double_well_matches_its_hand_written_derivatives():
    loss = Loss(x**4 / 4 - x**2 / 2 + x / 5, x)
    assert np.allclose(loss.value(POINTS), POINTS**4 / 4 - POINTS**2 / 2 + POINTS / 5)
    assert np.allclose(loss.gradient(POINTS), POINTS**3 - POINTS + 0.2)
    assert np.allclose(loss.hessian(POINTS), 3 * POINTS**2 - 1)


def test_coupled_plane_matches_its_hand_written_derivatives():
    loss = Loss(x**2 * y + y**2 / 2 + sp.exp(x), (x, y))
    a, b = PLANE[..., 0], PLANE[..., 1]
    assert np.allclose(loss.value(PLANE), a**2 * b + b**2 / 2 + np.exp(a))
    gradient = np.stack([2 * a * b + np.exp(a), a**2 + b], axis=-1)
    assert np.allclose(loss.gradient(PLANE), gradient)
    hessian = np.empty((4, 3, 2, 2))
    hessian[..., 0, 0], hessian[..., 1, 1] = 2 * b + np.exp(a), 1.0
    hessian[..., 0, 1] = hessian[..., 1, 0] = 2 * a
    assert np.allclose(loss.hessian(PLANE), hessian)


TERMS = st.tuples(st.integers(-3, 3), st.integers(0, 4), st.integers(0, 4))


@given(st.lists(TERMS, min_size=1, max_size=4))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_polynomial_matches_its_derivatives_term_by_term(terms):
    loss = Loss(sum(c * x**i * y**j for c, i, j in terms), (x, y))
    a, b = point = np.array([1.3, -0.7])

    def derivative(k, m):
        """The sum of d^k/dx^k d^m/dy^m of the terms, by the power rule."""
        falling = [(c * np.prod(range(i - k + 1, i + 1)), i - k, j, m) for c, i, j in terms]
        falling = [(c * np.prod(range(j - m + 1, j + 1)), i, j - m) for c, i, j, m in falling]
        return sum(c * a**i * b**j for c, i, j in falling if c)

    assert np.isclose(loss.value(point), derivative(0, 0))
    assert np.allclose(loss.gradient(point), [derivative(1, 0), derivative(0, 1)])
    mixed = derivative(1, 1)
    hessian = [[derivative(2, 0), mixed], [mixed, derivative(0, 2)]]
    assert np.allclose(loss.hessian(point), hessian)


def test_the_order_of_the_symbols_is_the_order_of_the_last_axis():
    loss = Loss(x + 10 * y, (y, x))
    assert loss.value(np.array([1.0, 2.0])) == 12.0
    assert loss.gradient(np.array([1.0, 2.0])).tolist() == [10.0, 1.0]


def test_constant_derivatives_take_the_shape_of_the_points():
    line, bowl = Loss(3 * x, x), Loss(x**2 + y**2, (x, y))
    assert line.gradient(POINTS).tolist() == [3.0] * 7
    assert line.hessian(POINTS).tolist() == [0.0] * 7
    assert line.gradient(2.0).shape == ()
    assert bowl.hessian(PLANE).shape == (4, 3, 2, 2)
    assert np.array_equal(bowl.hessian(PLANE)[2, 1], 2 * np.eye(2))


@pytest.mark.parametrize("expr", [x**2 / 2, x, x**3])
def test_a_gradient_may_be_changed_in_place_without_moving_the_points(expr):
    points = POINTS.copy()
    for answer in (Loss(expr, x).gradient(points), Loss(expr, x).value(points)):
        answer += 1.0
        answer *= 2.0
    hessian = Loss(x**3 / 6, x).hessian(points)
    hessian += 1.0
    assert np.array_equal(points, POINTS)


def test_powers_are_compiled_to_products():
    loss = Loss(x**4 + x**3 * y**2, (x, y))
    for function in (loss._value, loss._gradient, loss._hessian):
        assert "**" not in inspect.getsource(function)


def test_a_loss_survives_pickling():
    for loss in (Loss(x**4 - x, x), DataLoss((x * u - v) ** 2, x, (u, v), DATA)):
        again = pickle.loads(pickle.dumps(loss))
        assert np.array_equal(again.gradient(POINTS), loss.gradient(POINTS))
        assert repr(again) == repr(loss)


def test_the_repr_shows_the_expression_and_the_number_of_examples():
    assert "x**2" in repr(Loss(x**2, x))
    assert "11 examples" in repr(DataLoss((x * u - v) ** 2, x, (u, v), DATA))


def test_line_fit_matches_its_hand_written_examples():
    loss = DataLoss((x * u - v) ** 2 / 2, x, (u, v), DATA)
    s, t = DATA.T
    residual = POINTS[:, None] * s - t
    assert np.allclose(loss.value(POINTS), (residual**2).mean(1) / 2)
    assert np.allclose(loss.example_gradients(POINTS), residual * s)
    assert np.allclose(loss.gradient(POINTS), (residual * s).mean(1))
    assert np.allclose(loss.example_hessians(POINTS), s**2)
    assert loss.example_hessians(POINTS).shape == (7, 11)
    assert np.allclose(loss.hessian(POINTS), (s**2).mean())


def test_logistic_regression_matches_its_hand_written_examples():
    loss = DataLoss(sp.log(1 + sp.exp(-(x * u + y * v))), (x, y), (u, v), DATA)
    score = PLANE @ DATA.T
    sigmoid = 1 / (1 + np.exp(score))
    gradients = -sigmoid[..., None] * DATA
    curvature = (sigmoid * (1 - sigmoid))[..., None, None]
    hessians = curvature * DATA[:, :, None] * DATA[:, None, :]
    assert np.allclose(loss.value(PLANE), np.log1p(np.exp(-score)).mean(-1))
    assert np.allclose(loss.example_gradients(PLANE), gradients)
    assert np.allclose(loss.gradient(PLANE), gradients.mean(-2))
    assert np.allclose(loss.example_hessians(PLANE), hessians)
    assert np.allclose(loss.hessian(PLANE), hessians.mean(-3))


def test_a_training_loss_equals_the_symbolic_mean_of_its_examples():
    training = DataLoss(sp.cos(x - u) * y + v * x**2, (x, y), (u, v), DATA)
    mean = sum(training.expr.subs({u: a, v: b}) for a, b in DATA.tolist()) / len(DATA)
    loss = Loss(mean, (x, y))
    for name in ("value", "gradient", "hessian"):
        assert np.allclose(getattr(training, name)(PLANE), getattr(loss, name)(PLANE))


@pytest.mark.parametrize("replace", [True, False])
def test_a_batch_gradient_is_the_mean_over_the_rows_named(replace):
    points = RNG.normal(size=(5, 2))
    loss = DataLoss((x * u + y - v) ** 2 / 2, (x, y), (u, v), DATA)
    index = np.stack([RNG.choice(11, size=4, replace=replace) for _ in points])
    by_hand = [
        loss.example_gradients(p)[rows].mean(0) for p, rows in zip(points, index, strict=True)
    ]
    assert np.allclose(loss.batch_gradient(points, index), by_hand)


def test_one_column_of_data_may_be_flat():
    flat = DataLoss((x - u) ** 2, x, u, [1.0, 2.0])
    tall = DataLoss((x - u) ** 2, x, u, [[1.0], [2.0]])
    assert flat.examples == 2
    assert np.array_equal(flat.value(POINTS), tall.value(POINTS))


# Kinks, and whose arrays they are.


@pytest.mark.parametrize(
    ("expr", "values", "slopes", "bends"),
    [
        (sp.Abs(x), [2.0, 0.5, 3.0], [-1, 1, 1], [0, 0, 0]),
        (sp.Max(x, 0), [0.0, 0.5, 3.0], [0, 1, 1], [0, 0, 0]),
        (sp.Min(x**2, (x - 2) ** 2), [4.0, 0.25, 1.0], [-4, 1, 2], [2, 2, 2]),
        (
            sp.Piecewise((x**2 / 2, sp.Abs(x) < 1), (sp.Abs(x) - sp.Rational(1, 2), True)),
            [1.5, 0.125, 2.5], [-1, 0.5, 1], [0, 1, 0],
        ),
    ],
)  # fmt: skip
def test_a_loss_with_a_kink_has_derivatives_on_both_sides_of_it(expr, values, slopes, bends):
    loss, at = Loss(expr, x), np.array([-2.0, 0.5, 3.0])
    np.testing.assert_allclose(loss.value(at), values)
    np.testing.assert_allclose(loss.gradient(at), slopes)
    np.testing.assert_allclose(loss.hessian(at), bends)


def test_what_a_caller_does_to_the_arrays_does_not_change_the_data():
    data = np.array([1.0, 2.0, 4.0])
    line, bowl = DataLoss(x * u, x, u, data), DataLoss(x**2 * u / 2, x, u, data)
    gradients, hessians = line.example_gradients(0.0), bowl.example_hessians(0.0)
    gradients *= 10
    hessians *= 10
    data[0] = 99
    for loss in (line, bowl):
        np.testing.assert_array_equal(loss.data.ravel(), [1, 2, 4])


# What SymPy writes down and NumPy alone cannot compute.

FAR = np.array([-1e4, -800.0, -40.0, 0.0, 40.0, 800.0, 1e4])


@pytest.mark.parametrize(
    ("expr", "value", "slope", "bend"),
    [
        (sp.log(1 + sp.exp(x)), np.maximum(FAR, 0) + np.log1p(np.exp(-np.abs(FAR))),
         np.exp(np.minimum(FAR, 0)) / (1 + np.exp(-np.abs(FAR))),
         np.exp(-np.abs(FAR)) / (1 + np.exp(-np.abs(FAR))) ** 2),
        (sp.log(2 * sp.cosh(x)), np.abs(FAR) + np.log1p(np.exp(-2 * np.abs(FAR))), np.tanh(FAR),
         1 - np.tanh(FAR) ** 2),
        (-sp.log(sp.exp(-((x - 1) ** 2) / 2) + sp.exp(-((x + 1) ** 2) / 2)),
         (np.abs(FAR) - 1) ** 2 / 2 - np.log1p(np.exp(-2 * np.abs(FAR))), FAR - np.tanh(FAR),
         np.tanh(FAR) ** 2),
        (1 / (1 + sp.exp(-x)), np.exp(np.minimum(FAR, 0)) / (1 + np.exp(-np.abs(FAR))),
         np.exp(-np.abs(FAR)) / (1 + np.exp(-np.abs(FAR))) ** 2,
         -np.tanh(FAR / 2) * np.exp(-np.abs(FAR)) / (1 + np.exp(-np.abs(FAR))) ** 2),
    ],
)  # fmt: skip
def test_sums_of_exponentials_do_not_overflow(expr, value, slope, bend):
    loss = Loss(expr, x)
    for got, want in ((loss.value(FAR), value), (loss.gradient(FAR), slope),
                      (loss.hessian(FAR), bend)):  # fmt: skip
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-300)


def test_the_softmax_of_three_has_its_hessian_far_out():
    loss = Loss(sp.log(1 + sp.exp(x) + sp.exp(y)), (x, y))
    p = 1 / (1 + np.e)
    np.testing.assert_allclose(loss.gradient([800.0, 801.0]), [p, 1 - p])
    want = p * (1 - p) * np.array([[1, -1], [-1, 1]])
    np.testing.assert_allclose(loss.hessian([800.0, 801.0]), want)


NAMES = "pi e I E nan inf euler_gamma exp sqrt log tanh sign abs less select maximum erf lambda x0"


@pytest.mark.parametrize("name", NAMES.split())
def test_a_symbol_may_be_called_like_a_constant_or_a_function(name):
    def written(s):
        return sp.pi * s**2 + sp.E * sp.exp(s) * sp.tanh(s) + sp.sqrt(1 + s**2) * sp.Max(s, 0)

    named = sp.Symbol(name, real=True)
    odd, plain = Loss(written(named), named), Loss(written(x), x)
    for method in ("value", "gradient", "hessian"):
        want = getattr(plain, method)(POINTS)
        np.testing.assert_allclose(getattr(odd, method)(POINTS), want, rtol=1e-12)


@pytest.mark.parametrize(
    "expr",
    [sp.erf(x) ** 2, sp.loggamma(x), sp.gamma(x), sp.besseli(0, x), sp.besselj(1, x), sp.Ei(x),
     sp.LambertW(x), sp.factorial(x), sp.airyai(x), sp.Si(x), x * (1 + sp.erf(x / sp.sqrt(2))) / 2],
)  # fmt: skip
def test_functions_that_numpy_lacks_come_from_scipy(expr):
    loss, at = Loss(expr, x), np.array([0.7, 1.3])
    for k, method in enumerate((loss.value, loss.gradient, loss.hessian)):
        want = [float(expr.diff(x, k).subs(x, sp.Rational(p, 10)).evalf(30)) for p in (7, 13)]
        np.testing.assert_allclose(method(at), want, rtol=1e-9)


@pytest.mark.parametrize(
    ("expr", "shown"),
    [
        (sp.li(x), "li"), (sp.hyper((1,), (2,), x), "hyper"), (sp.elliptic_k(x), "elliptic_k"),
        (sp.Integral(sp.exp(-(y**2)), (y, 0, x)), "Integral"), (sp.DiracDelta(x), "DiracDelta"),
        (sp.Product(x, (y, 1, 3)), "Product"), (sp.floor(x), "floor"), (sp.zeta(x), "zeta"),
        (sp.asin(2) * x**2, "real"), (sp.sqrt(-1 - x**2), "real"), ("x**2", "x\\*\\*2"),
        (None, "None"), (sp.Eq(x, 1), "Eq"), (sp.oo * 1, "oo"), (x > 0, "x > 0"),
        (sp.Abs(sp.Symbol("x")), "real=True"),
        (sp.Symbol("x") * x, "two different symbols of the name 'x'"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_is_refused_by_name_when_it_is_written(expr, shown):
    plain = isinstance(expr, sp.Abs)
    with pytest.raises(ValueError, match=f"(?s)expr.*{shown}"):
        Loss(expr, sp.Symbol("x") if plain else x)


def test_complex_numbers_are_no_points_and_no_data():
    for bad in (1j, np.array([1.0 + 0j])):
        with pytest.raises(ValueError, match="x must be made of real"):
            Loss(x**2, x).gradient(bad)
    with pytest.raises(ValueError, match="data must be made of real"):
        DataLoss(x * u, x, u, [1j])


def test_where_a_root_touches_zero_its_slope_is_zero():
    cone = Loss(sp.sqrt(x**2 + y**2), (x, y))
    # Zeros are compared exactly: the tolerance is relative.
    slopes = cone.gradient([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(slopes, [[0, 0], [0.6, 0.8]], rtol=1e-15)
    np.testing.assert_array_equal(cone.hessian([0.0, 0.0]), np.zeros((2, 2)))
    plain = sp.Symbol("z")
    np.testing.assert_array_equal(Loss(sp.sqrt(plain**2), plain).gradient([0.0, -2.0]), [0, -1])
    # A pole is none: 1/√(x² + y²) has no slope at 0.
    with np.errstate(all="ignore"):
        assert not np.isfinite(Loss(1 / sp.sqrt(x**2 + y**2), (x, y)).gradient([0.0, 0.0])).any()


def test_a_mean_over_many_points_taken_in_blocks_has_the_same_bits(monkeypatch):
    loss = DataLoss((x * u + y - v) ** 2 / 2 + x**3, (x, y), (u, v), DATA)
    line = DataLoss((x * u - v) ** 2, x, (u, v), DATA)
    want = [f(PLANE) for f in (loss.value, loss.gradient, loss.hessian)] + [line.gradient(POINTS)]
    monkeypatch.setattr("sgdnotes.losses._BLOCK", 30)
    got = [f(PLANE) for f in (loss.value, loss.gradient, loss.hessian)] + [line.gradient(POINTS)]
    for a, b in zip(want, got, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_loss_that_was_sent_is_compiled_once_however_often_it_comes(monkeypatch):
    sent = pickle.dumps(DataLoss((x - u) ** 4, x, u, [1.0, 2.0]))
    first = pickle.loads(sent)
    monkeypatch.setattr(losses, "compiled", None)
    again = pickle.loads(sent)
    assert again.gradient(0.5) == first.gradient(0.5) == np.mean([4 * -(0.5**3), 4 * -(1.5**3)])


def test_log_cosh_is_right_between_its_two_ends():
    at = np.array([1e-6, 1e-3, 0.1, 0.5, 0.9, 1.1, 2.0, 5.0, 20.0])
    expected = [float(sp.log(sp.cosh(sp.Rational(place))).evalf(30)) for place in at]
    assert Loss(sp.log(sp.cosh(x)), x).value(at) == pytest.approx(expected, rel=1e-13)


def test_a_power_in_a_logarithm_of_a_sum_keeps_its_exponent():
    loss = Loss(sp.log(sp.exp(2 * x) + sp.cosh(x) ** 3), x)
    expected = [np.log(np.exp(2) + np.cosh(1) ** 3), 900 - 3 * np.log(2)]
    assert loss.value(np.array([1.0, 300.0])) == pytest.approx(expected, rel=1e-13)
