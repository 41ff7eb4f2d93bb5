"""A step of each algorithm, against the loop that a textbook would write."""

import numpy as np
import pytest
import sympy as sp

from sgdnotes.experiment import SGD, Gaussian, Langevin, MiniBatch, TorchSGD, TwoPoint
from sgdnotes.losses import DataLoss, Loss

x, y, u = sp.symbols("x y u", real=True)
WELL = Loss(x**4 / 4 - x**2 / 2, x)
BOWL = Loss(x**2 + x * y / 2 + y**2 / 4, (x, y))
H = np.array([[2.0, 0.5], [0.5, 0.5]])


def run(dynamics, loss, noise, start, steps, seed=1):
    """Drive `dynamics` as `simulate` does, for one block."""
    points = np.array(start, dtype=float)
    memory, rng = dynamics.start(points), np.random.default_rng(seed)
    for t in range(1, steps + 1):
        dynamics.step(points, memory, loss, noise, rng, t)
    return points


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_sgd_follows_the_hand_written_loop(momentum):
    start = np.linspace(-1, 1, 6)
    got = run(SGD(0.05, momentum, batch_size=4), WELL, Gaussian(0.3), start, 20)
    rng, points, velocity = np.random.default_rng(1), start.copy(), np.zeros(6)
    for _ in range(20):
        noisy = points**3 - points + np.sqrt(0.3 / 4) * rng.standard_normal(6)
        velocity = momentum * velocity + 0.05 * noisy
        points = points - velocity
    assert np.allclose(got, points, rtol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_sgd_in_the_plane_follows_the_hand_written_loop(momentum):
    sigma = np.diag([1.0, 0.25])
    start = np.array([[1.0, 2.0], [-1.0, 0.5], [0.0, 0.0]])
    got = run(SGD(0.1, momentum), BOWL, Gaussian(sigma), start, 15)
    rng, points, velocity = np.random.default_rng(1), start.copy(), np.zeros((3, 2))
    values, vectors = np.linalg.eigh(sigma)
    for _ in range(15):
        kick = ((vectors * np.sqrt(values)) @ rng.standard_normal((2, 3))).T
        velocity = momentum * velocity + 0.1 * (points @ H + kick)
        points = points - velocity
    assert np.allclose(got, points, rtol=1e-12)


def test_momentum_without_noise_is_the_heavy_ball():
    got = run(SGD(0.1, momentum=0.6), Loss(3 * x**2 / 2, x), Gaussian(0.0), [1.0], 30)
    now, before = 1.0, 1.0
    for _ in range(30):
        now, before = now - 0.3 * now + 0.6 * (now - before), now
    assert got[0] == pytest.approx(now, rel=1e-10)


def test_an_array_of_rates_gives_each_parameter_its_own():
    start = np.array([[1.0, 1.0]])
    got = run(SGD(np.array([0.1, 0.2])), BOWL, Gaussian(0.0), start, 1)
    assert np.allclose(got, start - start @ H * [0.1, 0.2])


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_matrix_of_rates_preconditions_the_gradient(momentum):
    p = np.array([[0.1, 0.05], [0.0, 0.2]])
    start = np.array([[1.0, -1.0], [2.0, 0.3]])
    got = run(SGD(p, momentum), BOWL, Gaussian(0.0), start, 2)
    velocity = np.zeros((2, 2))
    points = start.copy()
    for _ in range(2):
        velocity = momentum * velocity + np.array([p @ H @ point for point in points])
        points = points - velocity
    assert np.allclose(got, points)


def test_a_schedule_is_asked_for_steps_one_two_three():
    asked = []

    def schedule(t):
        asked.append(t)
        return 1 / (t + 1)

    got = run(SGD(schedule), Loss(x**2 / 2, x), Gaussian(0.0), [1.0], 3)
    assert asked == [1, 2, 3]
    assert got[0] == pytest.approx((1 - 1 / 2) * (1 - 1 / 3) * (1 - 1 / 4))


def test_the_batch_size_reaches_the_noise():
    got = run(SGD(0.1, batch_size=2), Loss(0 * x, x), TwoPoint(1.0), np.zeros(200), 1)
    assert np.allclose(np.unique(got), [-0.1, 0.0, 0.1])


def test_a_full_batch_without_replacement_is_gradient_descent():
    loss = DataLoss((x - u) ** 2 / 2, x, u, [1.0, 2.0, 6.0])
    got = run(SGD(0.5, batch_size=3), loss, MiniBatch(replace=False), [0.0, 9.0], 4)
    assert np.allclose(got, 3 + (np.array([0.0, 9.0]) - 3) * 0.5**4)


@pytest.mark.parametrize("loss", [WELL, Loss(x**2 / 2, x)], ids=["quartic", "quadratic"])
def test_langevin_follows_the_hand_written_loop(loss):
    start = np.linspace(-1, 1, 6)
    got = run(Langevin(0.2, 0.01), loss, None, start, 20)
    rng, points = np.random.default_rng(1), start.copy()
    for _ in range(20):
        kick = np.sqrt(2 * 0.2 * 0.01) * rng.standard_normal(6)
        drift = points**3 - points if loss is WELL else points
        points = points - 0.01 * drift + kick
    assert np.allclose(got, points, rtol=1e-12)


def test_langevin_takes_any_noise_of_unit_variance():
    got = run(Langevin(0.5, 0.01), Loss(0 * x, x), TwoPoint(1.0), np.zeros(50), 1)
    assert np.allclose(np.abs(got), 0.1)


@pytest.mark.parametrize("dynamics", [SGD(0.1), SGD(0.1, 0.5), Langevin(1.0, 0.1)])
def test_a_step_changes_the_points_in_place(dynamics):
    points = np.ones(3)
    memory = dynamics.start(points)
    answer = dynamics.step(points, memory, WELL, Gaussian(1.0), np.random.default_rng(1), 1)
    assert answer is None
    assert not (points == 1.0).any()
    assert set(memory) == ({"velocity"} if getattr(dynamics, "momentum", 0) else set())


# SGD in PyTorch's form.


@pytest.mark.parametrize(
    ("momentum", "dampening", "decay", "nesterov"),
    [(0.0, 0.0, 0.2, False), (0.7, 0.4, 0.0, False), (0.7, 0.4, 0.2, False), (0.7, 0.0, 0.2, True)],
)
def test_torch_sgd_follows_the_loop_of_its_docstring(momentum, dampening, decay, nesterov):
    def schedule(t):
        return 0.1 / t

    start = np.linspace(-1, 1, 6)
    dynamics = TorchSGD(schedule, momentum, dampening, decay, nesterov, batch_size=4)
    got = run(dynamics, WELL, Gaussian(0.3), start, 20)
    rng, points, average = np.random.default_rng(1), start.copy(), None
    for t in range(1, 21):
        g = points**3 - points + np.sqrt(0.3 / 4) * rng.standard_normal(6) + decay * points
        average = g if average is None else momentum * average + (1 - dampening) * g
        move = g + momentum * average if nesterov else average if momentum else g
        points = points - schedule(t) * move
    assert np.allclose(got, points, rtol=1e-12)


def test_a_schedule_is_felt_by_old_gradients_in_pytorchs_form_alone():
    told = {"loss": Loss(x, x), "noise": Gaussian(0.0), "start": [0.0], "steps": 2}
    rates = {1: 0.1, 2: 0.01}
    # b = 1, then 1.9: −0.1 − 0.01·1.9; v = 0.1, then 0.9·0.1 + 0.01: −0.1 − 0.1.
    assert run(TorchSGD(rates.get, 0.9), **told)[0] == pytest.approx(-0.119, rel=1e-12)
    assert run(SGD(rates.get, 0.9), **told)[0] == pytest.approx(-0.2, rel=1e-12)


def test_at_a_constant_rate_pytorchs_form_is_the_velocity_form():
    start = np.linspace(-1, 1, 6)
    got = run(TorchSGD(0.05, 0.9), WELL, Gaussian(0.3), start, 20)
    assert np.allclose(got, run(SGD(0.05, 0.9), WELL, Gaussian(0.3), start, 20), rtol=1e-12)
    assert not np.allclose(got, run(TorchSGD(0.05, 0.9, 0.9), WELL, Gaussian(0.3), start, 20))


def test_weight_decay_is_a_parabola_added_to_the_loss():
    start = np.array([[1.0, 2.0], [-1.0, 0.5]])
    decayed = Loss(BOWL.expr + sp.Rational(3, 20) * (x**2 + y**2), (x, y))
    matrix = np.array([[0.1, 0.02], [0.0, 0.1]])
    got = run(TorchSGD(matrix, 0.5, weight_decay=0.3), BOWL, Gaussian(0.2), start, 10)
    assert np.allclose(got, run(SGD(matrix, 0.5), decayed, Gaussian(0.2), start, 10), rtol=1e-12)


def test_nesterov_without_noise_is_gradient_descent_with_a_look_ahead():
    # Sutskever's form: θ ← θ + μv, then a step; PyTorch's parameter is the one looked from.
    got = run(TorchSGD(0.1, 0.6, nesterov=True), Loss(3 * x**2 / 2, x), Gaussian(0.0), [1.0], 30)
    looked_from, velocity = 1.0, 0.0
    for _ in range(30):
        theta = looked_from - 0.6 * velocity  # where Sutskever's parameter is
        velocity = 0.6 * velocity - 0.1 * 3 * looked_from
        looked_from = theta + velocity + 0.6 * velocity
    assert got[0] == pytest.approx(looked_from, rel=1e-10)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("momentum", {"momentum": 1.0}),
        ("dampening", {"momentum": 0.5, "dampening": -0.1}),
        ("dampening", {"momentum": 0.5, "dampening": 1.0}),
        ("weight_decay", {"weight_decay": -1e-3}),
        ("weight_decay", {"weight_decay": np.nan}),
        ("nesterov", {"nesterov": True}),
        ("nesterov", {"nesterov": True, "momentum": 0.5, "dampening": 0.5}),
        ("batch_size", {"batch_size": 0}),
    ],
)
def test_a_keyword_of_torch_sgd_that_makes_no_sense_is_refused_by_name(name, told):
    with pytest.raises(ValueError, match=rf"^{name} must"):
        TorchSGD(0.1, **told)
