"""Stationary laws, each found by a second route."""

import itertools

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from sgdnotes.losses import Loss
from sgdnotes.theory import circulation, gibbs_density, sde_covariance, sgd_covariance

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
