"""Shuffled batches: every order, one by one, against the Lyapunov equation."""

from itertools import permutations

import numpy as np
import pytest

from sgdnotes.theory import UnstableLearningRate, epoch_covariance, sgd_covariance

RNG = np.random.default_rng(3)
H2 = np.array([[1.0, 0.3], [0.3, 0.6]])
XI2 = RNG.standard_normal((4, 2))
XI2 -= XI2.mean(0)


def walk(state, h, noises, rate, momentum):
    """(velocity, distance) after one epoch, and the distance after each step."""
    v, x = state
    seen = [x]
    for xi in noises:
        v = momentum * v + rate * (h @ x + xi)
        x = x - v
        seen.append(x)
    return (v, x), np.array(seen)


def orders(batch_size):
    for order in permutations(range(4)):
        yield XI2[list(order)].reshape(-1, batch_size, 2).mean(1)


@pytest.mark.parametrize("momentum", [0.0, 0.6])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_every_order_of_an_epoch_one_by_one(batch_size, momentum):
    found = epoch_covariance(H2, XI2.T @ XI2 / 4, 0.4, 4, batch_size, momentum)
    # The settled state of an epoch's end has a covariance; let it be any first, then iterate.
    zero = np.zeros(2)
    rows = [walk((zero, zero), H2, n, 0.4, momentum) for n in orders(batch_size)]
    kicks = np.array([np.concatenate(end) for end, _ in rows])
    kick = kicks.T @ kicks / len(kicks)
    basis = [walk((e[:2], e[2:]), H2, 0 * XI2[: 4 // batch_size], 0.4, momentum)
             for e in np.eye(4)]  # fmt: skip
    turn = np.array([np.concatenate(end) for end, _ in basis]).T
    state = np.zeros((4, 4))
    for _ in range(400):
        state = turn @ state @ turn.T + kick
    assert np.allclose(found[-1], state[2:, 2:], rtol=1e-9)
    assert np.allclose(found[0], found[-1])
    for k in range(1, 4 // batch_size):
        part = np.array([seen[k] for _, seen in basis]).T
        own = np.array([seen[k] for _, seen in rows])
        assert np.allclose(found[k], part @ state @ part.T + own.T @ own / len(own))


@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_a_fixed_order_settles_into_the_cycle_that_is_its_own(momentum):
    found = epoch_covariance(H2, XI2.T @ XI2 / 4, 0.4, 4, 1, momentum, order="fixed")
    ends, inside = [], []
    for noises in orders(1):
        state = (np.zeros(2), np.zeros(2))
        for _ in range(200):
            state, seen = walk(state, H2, noises, 0.4, momentum)
        ends.append(state[1])
        inside.append(seen[2])
    for k, points in ((0, ends), (2, inside), (4, ends)):
        points = np.array(points)
        assert np.allclose(found[k], points.T @ points / len(points), rtol=1e-8)


def test_one_number_is_a_matrix_of_one():
    one = epoch_covariance(0.7, 2.0, 0.3, 6, 2, 0.5)
    assert one.shape == (4,)
    assert np.allclose(one, epoch_covariance([[0.7]], [[2.0]], 0.3, 6, 2, 0.5)[:, 0, 0])


def test_along_a_flat_direction_the_temperature_is_not_that_of_drawing_with_replacement():
    with_replacement = sgd_covariance(1e-4, 1.0, 0.1)
    shuffled = epoch_covariance(1e-4, 1.0, 0.1, 50)
    assert shuffled.max() < 0.01 * with_replacement
    # At an epoch's end the noise has cancelled; half-way it has not: a bridge, ¼nη²σ².
    assert shuffled[25] == pytest.approx(0.1**2 * 25 * 25 / 49, rel=0.01)
    assert shuffled[0] < 1e-4 * shuffled[25]


def test_in_a_long_epoch_the_steep_directions_do_not_notice():
    with_replacement = sgd_covariance(1.0, 1.0, 0.5)
    assert epoch_covariance(1.0, 1.0, 0.5, 3000)[1500] == pytest.approx(with_replacement, rel=2e-3)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"examples": 7, "batch_size": 2}, "examples must be a multiple"),
        ({"examples": 4, "batch_size": 4}, "two batches or more"),
        ({"examples": 4, "order": "sorted"}, "order must be one of"),
        ({"examples": 1}, "examples must be a whole number"),
        ({"examples": 4, "momentum": 1.0}, "momentum must be"),
    ],
)
def test_what_is_no_epoch_is_refused(told, message):
    with pytest.raises(ValueError, match=message):
        epoch_covariance(1.0, 1.0, 0.1, **told)
    with pytest.raises(UnstableLearningRate):
        epoch_covariance(1.0, 1.0, 2.0, 4)


def test_a_flat_direction_keeps_its_digits():
    # To leading order: the start of an epoch has ηhm/4 of the bridge's mean variance
    # where batches are dealt anew, and the bridge's mean offset squared where they are not.
    h, rate, m = 1e-7, 0.01, 10
    bridge = rate**2 * (m + 1) / 6
    assert epoch_covariance(h, 1.0, rate, m)[0] == pytest.approx(bridge * rate * h * m / 4, 1e-6)
    fixed = epoch_covariance(h, 1.0, rate, m, order="fixed")[0]
    assert fixed == pytest.approx(rate**2 * (m + 1) / 12, 1e-6)
