"""Stationary laws, each found by a second route."""

import itertools
import pickle
import tracemalloc

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from scipy.special import iv, ndtr
from scipy.stats import multivariate_normal, norm

from sgdnotes.losses import DataLoss, Loss
from sgdnotes.theory import (
    Density,
    circulation,
    gibbs_density,
    minibatch_covariance,
    sde_covariance,
    sgd_covariance,
)

x, y = sp.symbols("x y", real=True)
H = np.array([[2.0, 0.5], [0.5, 1.0]])
SIGMA = np.array([[1.0, -0.3], [-0.3, 0.4]])


def random_pair(d, seed):
    """A positive definite H and a positive semidefinite Σ of rank d − 1."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(d, d)), rng.normal(size=(d, max(d - 1, 1)))
    return a @ a.T + 0.1 * np.eye(d), b @ b.T


# Covariances on a quadratic.


@pytest.mark.parametrize(("d", "seed"), [(2, 1), (2, 2), (4, 3)])
def test_sde_covariance_is_eta_sigma_over_the_sum_of_curvatures_in_the_eigenbasis(d, seed):
    h, sigma = random_pair(d, seed)
    curvatures, basis = np.linalg.eigh(h)
    in_basis = basis.T @ sigma @ basis
    expected = basis @ (0.05 * in_basis / (curvatures[:, None] + curvatures)) @ basis.T
    assert np.allclose(sde_covariance(h, sigma, 0.05), expected)


def test_sde_covariance_of_numbers_is_eta_sigma2_over_2h():
    assert sde_covariance(3.0, 2.0, 0.1) == pytest.approx(0.1 * 2.0 / (2 * 3.0))
    assert isinstance(sde_covariance(3.0, 2.0, 0.1), float)


@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("rate", [0.01, 0.5, 0.66])
def test_sgd_covariance_of_numbers_is_the_closed_form(momentum, batch_size, rate):
    h, sigma2 = 3.0, 2.0
    below = h * (1 - momentum) * (2 * (1 + momentum) - rate * h)
    expected = rate * sigma2 / batch_size * (1 + momentum) / below
    assert sgd_covariance(h, sigma2, rate, batch_size, momentum) == pytest.approx(expected)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_sgd_covariance_is_where_the_moment_recursion_settles(momentum):
    rate, batch_size = 0.3, 4
    # Moments of (Φ, v) carried forward step by step: v ← μv + η(HΦ + ξ), Φ ← Φ − v.
    push = np.block([[np.eye(2), np.zeros((2, 2))], [rate * H, momentum * np.eye(2)]])
    drag = np.block([[np.eye(2), -np.eye(2)], [np.zeros((2, 2)), np.eye(2)]])
    kick = np.zeros((4, 4))
    kick[2:, 2:] = rate**2 * SIGMA / batch_size
    moments = np.zeros((4, 4))
    for _ in range(3_000):
        moments = drag @ (push @ moments @ push.T + kick) @ drag.T
    got = sgd_covariance(H, SIGMA, rate, batch_size, momentum)
    assert np.allclose(got, moments[:2, :2], rtol=1e-10)


def test_sgd_covariance_without_momentum_solves_its_matrix_equation():
    s = sgd_covariance(H, SIGMA, 0.4)
    assert np.allclose(H @ s + s @ H - 0.4 * H @ s @ H, 0.4 * SIGMA)


def test_sgd_covariance_in_three_dimensions_solves_the_same_equation():
    # In two, the eigenvectors that LAPACK gives are a symmetric matrix, its own transpose.
    h, sigma = random_pair(3, seed=1)
    rate = 0.5 / np.linalg.eigvalsh(h)[-1]
    s = sgd_covariance(h, sigma, rate)
    assert np.allclose(h @ s + s @ h - rate * h @ s @ h, rate * sigma)


def test_sgd_covariance_is_continuous_as_momentum_goes_to_zero():
    gap = sgd_covariance(H, SIGMA, 0.4, momentum=1e-9) - sgd_covariance(H, SIGMA, 0.4)
    assert np.abs(gap).max() < 1e-8


def test_sgd_covariance_tends_to_the_sde_and_lies_above_it():
    for rate, gap in ((1e-2, 1.02), (1e-3, 1.002)):
        ratio = sgd_covariance(H, SIGMA, rate)[0, 0] / sde_covariance(H, SIGMA, rate)[0, 0]
        assert 1 < ratio < gap


def test_a_batch_of_b_divides_the_covariance_by_b():
    one, five = sgd_covariance(H, SIGMA, 0.4), sgd_covariance(H, SIGMA, 0.4, batch_size=5)
    assert np.allclose(one, 5 * five)


def test_a_one_by_one_matrix_gives_a_matrix_and_the_number():
    got = sgd_covariance([[3.0]], [[2.0]], 0.1)
    assert got.shape == (1, 1)
    assert got[0, 0] == pytest.approx(sgd_covariance(3.0, 2.0, 0.1))


def test_covariances_are_symmetric_and_positive_semidefinite():
    for seed in range(5):
        h, sigma = random_pair(3, seed)
        rate = 0.5 / np.linalg.eigvalsh(h)[-1]
        for s in (sde_covariance(h, sigma, rate), sgd_covariance(h, sigma, rate, momentum=0.5)):
            assert np.array_equal(s, s.T)
            assert np.linalg.eigvalsh(s)[0] > -1e-12


# The current.


def test_circulation_is_antisymmetric():
    for seed in range(5):
        q = circulation(*random_pair(3, seed), 0.1)
        assert np.allclose(q, -q.T)
        assert np.abs(q).max() > 1e-3


def test_circulation_is_zero_if_hessian_and_noise_commute():
    _, basis = np.linalg.eigh(random_pair(3, 1)[0])
    h = basis @ np.diag([1.0, 2.0, 3.0]) @ basis.T
    sigma = basis @ np.diag([5.0, 0.0, 1.0]) @ basis.T
    assert np.abs(circulation(h, sigma, 0.1)).max() < 1e-14


@pytest.mark.parametrize("angle", [0.0, 0.1, 0.7, np.pi / 2])
def test_circulation_vanishes_only_where_the_commutator_does(angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    h, sigma = np.diag([1.0, 3.0]), turn @ np.diag([2.0, 0.5]) @ turn.T
    commutator, q = h @ sigma - sigma @ h, circulation(h, sigma, 0.2)
    assert (np.abs(commutator).max() < 1e-12) == (np.abs(q).max() < 1e-12)
    # In H's eigenbasis Q_12 = ηΣ_12 (h_1 − h_2)/(2(h_1 + h_2)).
    assert q[0, 1] == pytest.approx(0.2 * sigma[0, 1] * (1 - 3) / (2 * (1 + 3)), abs=1e-14)


def test_circulation_carries_the_flux_of_the_fokker_planck_equation():
    s, q = sde_covariance(H, SIGMA, 0.1), circulation(H, SIGMA, 0.1)
    law = multivariate_normal([0, 0], s)
    point, step = np.array([0.2, -0.1]), 1e-6
    gradient = np.array(
        [(law.pdf(point + e) - law.pdf(point - e)) / (2 * step) for e in step * np.eye(2)]
    )
    flux = -H @ point * law.pdf(point) - 0.1 / 2 * SIGMA @ gradient
    assert np.allclose(flux, q @ gradient, rtol=1e-6)


def test_circulation_of_numbers_is_zero():
    assert circulation(2.0, 1.0, 0.1) == 0.0


# Gibbs.


@pytest.mark.parametrize(("centre", "curvature"), [(0.0, 1.0), (50.0, 4.0), (-1e3, 0.01)])
@pytest.mark.parametrize("temperature", [0.01, 1.0])
def test_gibbs_of_a_quadratic_is_gaussian_wherever_its_minimum_lies(centre, curvature, temperature):
    loss = Loss(sp.Float(curvature) * (x - centre) ** 2 / 2 - 3, x)
    density = gibbs_density(loss, temperature)
    spread = np.sqrt(temperature / curvature)
    points = centre + spread * np.linspace(-6, 6, 25)
    assert np.allclose(density(points), norm.pdf(points, centre, spread), rtol=1e-8)
    log_z = 3 / temperature + np.log(spread * np.sqrt(2 * np.pi))
    assert density.log_normalisation == pytest.approx(log_z, rel=1e-10)


@pytest.mark.parametrize("temperature", [0.01, 0.1, 2.0])
@pytest.mark.parametrize("tilt", [0, sp.Rational(1, 10)])
def test_gibbs_of_a_double_well_is_exp_of_minus_l_over_t_over_an_adaptive_integral(
    temperature, tilt
):
    loss = Loss(x**4 / 4 - x**2 / 2 + tilt * x, x)
    density = gibbs_density(loss, temperature)

    def weight(p):
        return np.exp(-(p**4 / 4 - p**2 / 2 + float(tilt) * p) / temperature)

    z, _ = quad(weight, -6, 6, points=[-1, 0, 1], epsabs=0, epsrel=1e-11, limit=400)
    points = np.linspace(-2, 2, 41)
    assert density.normalisation == pytest.approx(z, rel=1e-9)
    assert np.allclose(density(points), weight(points) / z, rtol=1e-9)
    right, _ = quad(weight, 0, 6, points=[1], epsabs=0, epsrel=1e-11, limit=400)
    assert density.expectation(lambda p: p > 0) == pytest.approx(right / z, rel=1e-3)


def test_gibbs_of_two_wells_far_apart_sees_both_of_them():
    # The barrier between 0 and 5 is 390 temperatures high.
    loss = Loss(x**2 * (x - 5) ** 2 / 10, x)
    density = gibbs_density(loss, 0.01)
    assert density(0.0) == pytest.approx(density(5.0))
    assert density.expectation(lambda p: p) == pytest.approx(2.5, rel=1e-6)


def test_gibbs_of_a_loss_that_confines_slowly_is_still_normalised():
    # exp(−L/T) = (1 + x²)⁻³, whose integral is 3π/8.
    density = gibbs_density(Loss(3 * sp.log(1 + x**2), x), 1.0)
    assert density.normalisation == pytest.approx(3 * np.pi / 8, rel=1e-6)


def test_gibbs_in_the_plane_is_gaussian_wherever_its_minimum_lies():
    a, b = x - 20, y + 3
    loss = Loss(a**2 + a * b / 2 + b**2 / 2, (x, y))
    law = multivariate_normal([20, -3], 0.2 * np.linalg.inv([[2.0, 0.5], [0.5, 1.0]]))
    density = gibbs_density(loss, 0.2)
    points = np.array([20.0, -3.0]) + np.random.default_rng(1).normal(size=(5, 4, 2))
    assert density(points).shape == (5, 4)
    assert np.allclose(density(points), law.pdf(points), rtol=1e-7)
    assert density.expectation(lambda p: p[..., 0]) == pytest.approx(20.0, rel=1e-9)


def test_gibbs_of_a_separable_plane_is_the_product_of_two_lines():
    along, across = x**4 / 4 - x**2 / 2, (y - 2) ** 2 * 5
    plane = gibbs_density(Loss(along + across, (x, y)), 0.3)
    one, two = gibbs_density(Loss(along, x), 0.3), gibbs_density(Loss(across, y), 0.3)
    points = np.random.default_rng(2).normal([0, 2], [1, 0.3], size=(50, 2))
    assert np.allclose(plane(points), one(points[:, 0]) * two(points[:, 1]), rtol=1e-8)


def test_a_normalisation_beyond_the_floats_leaves_the_density_right():
    density = gibbs_density(Loss(x**2 / 2 - 1000, x), 1.0)
    assert density.normalisation == np.inf
    assert density.log_normalisation == pytest.approx(1000 + np.log(2 * np.pi) / 2)
    assert density(0.0) == pytest.approx(1 / np.sqrt(2 * np.pi))


def test_outside_its_support_the_density_is_negligible():
    density = gibbs_density(Loss(x**4 / 4 - x**2 / 2, x), 0.2)
    ((low, high),) = density.support
    assert low < -1 < 1 < high
    assert density(np.array([low, high])).max() < 1e-30


def test_bin_averages_are_integrals_of_the_density_over_the_width():
    density = gibbs_density(Loss(x**4 / 4 - x**2 / 2, x), 0.1)
    edges = np.array([-2.0, -1.0, -0.5, 0.0, 3.0])
    expected = [
        quad(density, a, b, epsrel=1e-10, limit=200)[0] / (b - a)
        for a, b in itertools.pairwise(edges)
    ]
    assert np.allclose(density.bin_averages(edges), expected, rtol=1e-4)


def test_a_bin_far_wider_than_the_density_holds_all_of_it():
    density = gibbs_density(Loss(x**2 / 2, x), 1e-4)
    np.testing.assert_allclose(density.bin_averages([-5, 5]), [0.1], rtol=1e-9)
    np.testing.assert_allclose(density.bin_averages([-10, 0, 10]), [0.05, 0.05], rtol=1e-9)


# Any scale.


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("rate", [1e-15, 1e-8, 0.1])
def test_covariances_keep_their_digits_at_any_scale(momentum, rate):
    def law(h):
        below = h * (1 - momentum) * (2 - rate * h / (1 + momentum))
        return rate * (1.0 / below)

    assert sgd_covariance(1.0, 1.0, rate, 1, momentum) == pytest.approx(law(1.0), rel=1e-12)
    flat = sgd_covariance(np.diag([1.0, 1e-12]), np.eye(2), rate, 1, momentum)
    assert flat[1, 1] == pytest.approx(law(1e-12), rel=1e-12)
    # Two examples with the same curvature: the noise does not depend on the place.
    same = minibatch_covariance([1.0, 1.0], [1.0, -1.0], rate, 1, momentum)
    assert same == pytest.approx(law(1.0), rel=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_minibatch_covariance_of_three_examples_is_the_fixed_point(momentum):
    rng = np.random.default_rng(3)
    a, g = rng.normal(size=(3, 2, 2)), rng.normal(size=(3, 2))
    bends, pulls, rate, batch = a @ a.swapaxes(1, 2) + np.eye(2), g - g.mean(0), 0.05, 2
    moments = np.zeros((4, 4))
    # Every one of the nine batches of two, one step each, over and over.
    pairs = list(itertools.product(range(3), repeat=batch))
    moves, kicks = [], []
    for pair in pairs:
        h, pull = bends[list(pair)].mean(0), pulls[list(pair)].mean(0)
        moves.append(np.block([[np.eye(2) - rate * h, -momentum * np.eye(2)],
                               [rate * h, momentum * np.eye(2)]]))  # fmt: skip
        kicks.append(rate * np.concatenate([-pull, pull]))
    mean = np.zeros(4)
    for _ in range(3000):
        after = sum(m @ moments @ m.T + np.outer(m @ mean, k) + np.outer(k, m @ mean)
                    + np.outer(k, k) for m, k in zip(moves, kicks, strict=True))  # fmt: skip
        mean = sum(m @ mean + k for m, k in zip(moves, kicks, strict=True)) / 9
        moments = after / 9
    got = minibatch_covariance(bends, pulls, rate, batch, momentum)
    np.testing.assert_allclose(got, moments[:2, :2], rtol=1e-9)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_minibatches_settle_up_to_the_rate_at_which_the_second_moment_grows(momentum):
    bends, pulls = np.array([0.5, 1.5]), np.array([1.0, -1.0])

    def growth(rate):
        moves = [np.array([[1 - rate * h, -momentum], [rate * h, momentum]]) for h in bends]
        return np.abs(np.linalg.eigvals(sum(np.kron(m, m) for m in moves) / 2)).max()

    low, high = 0.01, 2 * (1 + momentum)
    for _ in range(60):
        low, high = (
            ((low + high) / 2, high) if growth((low + high) / 2) < 1 else (low, (low + high) / 2)
        )
    assert minibatch_covariance(bends, pulls, 0.999 * low, 1, momentum) > 0
    with pytest.raises(ValueError, match="grows without bound"):
        minibatch_covariance(bends, pulls, 1.001 * low, 1, momentum)


@pytest.mark.parametrize("bad", [1j, "1", None, x])
def test_what_is_no_real_number_is_refused_by_name(bad):
    with pytest.raises(ValueError, match="learning_rate"):
        sde_covariance(H, SIGMA, bad)
    with pytest.raises(ValueError, match="hessian"):
        sgd_covariance(bad, 1.0, 0.1)
    with pytest.raises(ValueError, match="temperature"):
        gibbs_density(Loss(x**2, x), bad)


# Jumps, walls, funnels, valleys, circles.


@pytest.mark.parametrize("at", [0.0, 0.3137, -7.5, 1e3])
def test_a_hard_wall_is_met_to_the_accuracy_of_the_rest(at):
    density = gibbs_density(Loss(sp.Piecewise((x - at, x > at), (sp.oo, True)), x), 1.0)
    assert density.normalisation == pytest.approx(1, rel=1e-9)
    assert density.expectation(lambda p: p) == pytest.approx(at + 1, rel=1e-9)


def test_a_step_of_the_loss_is_met_to_the_accuracy_of_the_rest():
    loss = Loss(x**2 / 2 + sp.Piecewise((3, x > sp.Rational(2, 5)), (0, True)), x)
    want = np.sqrt(2 * np.pi) * (norm.cdf(0.4) + np.exp(-3) * norm.sf(0.4))
    assert gibbs_density(loss, 1.0).normalisation == pytest.approx(want, rel=1e-9)


def test_a_funnel_is_integrated_and_its_zero_times_infinity_is_no_nan():
    for wide in (1, 3):
        funnel = Loss(x**2 / (2 * wide**2) + y**2 * sp.exp(-x) / 2 + x / 2, (x, y))
        z = gibbs_density(funnel, 1.0).normalisation
        assert z == pytest.approx(2 * np.pi * wide, rel=1e-7)


@pytest.mark.parametrize(("temperature", "rel"), [(1.0, 1e-9), (20.0, 3e-6)])
def test_rosenbrocks_valley_has_its_volume(temperature, rel):
    loss = Loss((1 - x) ** 2 + 100 * (y - x**2) ** 2, (x, y))
    z = gibbs_density(loss, temperature).normalisation
    assert z == pytest.approx(np.pi * temperature / 10, rel=rel)


def test_a_valley_three_hundred_times_longer_than_wide_has_its_volume():
    loss = Loss((x + y) ** 2 * 25_000 + (x - y) ** 2 / 4, (x, y))
    assert gibbs_density(loss, 1.0).normalisation == pytest.approx(
        np.pi / np.sqrt(25_000), rel=1e-6
    )


def test_the_deepest_well_is_found_where_a_search_from_the_grid_leads_to_it():
    far = sp.exp(30) * sp.exp(-((x - 3) ** 2 + (y - 1) ** 2) / 2 * 10_000)
    loss = Loss(-sp.log(sp.exp(-(x**2 + y**2) / 2) + far), (x, y))
    want = np.log(2 * np.pi * (1 + np.exp(30) * 1e-4))
    assert gibbs_density(loss, 1.0).log_normalisation == pytest.approx(want, rel=1e-9)


def test_a_periodic_coordinate_lives_on_a_circle():
    bessel = 2 * np.pi * iv(0, 2)
    one = gibbs_density(Loss(sp.cos(x), x), 0.5, period=2 * np.pi)
    assert one.normalisation == pytest.approx(bessel, rel=1e-12)
    assert one(0.3) == pytest.approx(one(0.3 + 2 * np.pi))
    tube = gibbs_density(Loss(sp.cos(x) + y**2 / 2, (x, y)), 0.5, period=(2 * np.pi, None))
    assert tube.normalisation == pytest.approx(bessel * np.sqrt(np.pi), rel=1e-9)
    for bad in (3.0, (2 * np.pi, None), -1.0):
        with pytest.raises(ValueError, match="period"):
            gibbs_density(Loss(sp.cos(x), x), 0.5, period=bad)


def test_a_posterior_of_hundreds_of_data_in_the_plane_fits_in_half_a_gigabyte():
    rng, (u, v) = np.random.default_rng(0), sp.symbols("u v", real=True)
    data = rng.normal(size=(200, 2))
    loss = DataLoss((x * u + y - v) ** 2 / 2, (x, y), (u, v), data)
    tracemalloc.start()
    z = gibbs_density(loss, 0.1).normalisation
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    design = np.c_[data[:, 0], np.ones(200)]
    _, rest, *_ = np.linalg.lstsq(design, data[:, 1])
    curved = design.T @ design / 200
    want = 2 * np.pi * 0.1 / np.sqrt(np.linalg.det(curved)) * np.exp(-rest[0] / 400 / 0.1)
    assert z == pytest.approx(want, rel=1e-8)
    assert peak < 500e6


def test_a_density_survives_pickling():
    density = gibbs_density(Loss(x**4 - x, x), 0.3)
    again = pickle.loads(pickle.dumps(density))
    assert again(0.2) == density(0.2)
    assert again.normalisation == density.normalisation


def test_a_density_has_one_dimension_or_two():
    with pytest.raises(ValueError, match="dimension"):
        Density(lambda p: -(p**2), 3)


def test_a_disk_with_a_hard_wall_has_its_volume():
    radius, inside = sp.Rational(3, 2), x**2 + y**2
    disk = Loss(sp.Piecewise((sp.oo, inside > radius**2), (inside / 2, True)), (x, y))
    exact = 2 * np.pi * (1 - np.exp(-9 / 8))
    assert gibbs_density(disk, 1.0).normalisation == pytest.approx(exact, rel=2e-6)


def test_a_step_along_a_slanting_line_is_met():
    step = Loss((x**2 + y**2) / 2 + 3 * sp.Heaviside(x + y - sp.Rational(3, 10)), (x, y))
    below = ndtr(0.3 / np.sqrt(2))
    exact = 2 * np.pi * (below + np.exp(-3) * (1 - below))
    assert gibbs_density(step, 1.0).normalisation == pytest.approx(exact, rel=2e-6)
