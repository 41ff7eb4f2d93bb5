"""RMSProp and Adam, against the loops that their papers would write."""

import numpy as np
import pytest
import sympy as sp

from sgdnotes.experiment import Adam, Gaussian, LeftDomain, MiniBatch, RMSProp, TwoPoint, simulate
from sgdnotes.losses import DataLoss, Loss

x, y, u = sp.symbols("x y u", real=True)
WELL = Loss(x**4 / 4 - x**2 / 2, x)
PARABOLA = Loss(x**2 / 2, x)
BOWL = Loss(x**2 + x * y / 2 + y**2 / 4, (x, y))
H = np.array([[2.0, 0.5], [0.5, 0.5]])
OF_ONE_STEP = [RMSProp(0.1, 1, 0.0), Adam(0.1, 1, 1, 0.0), Adam(0.1, 1, 1, 0.0, 1, True)]
START = np.array([[1.0, 2.0], [-1.0, 0.5], [0.3, -0.2]])


def run(dynamics, loss, noise, start, steps, seed=1):
    """Drive `dynamics` as `simulate` does, for one block."""
    points = np.array(start, dtype=float)
    memory, rng = dynamics.start(points), np.random.default_rng(seed)
    for t in range(1, steps + 1):
        assert dynamics.step(points, memory, loss, noise, rng, t) is None
    return points


def gradients(points, rng, variance):
    return points @ H + np.sqrt(variance) * rng.standard_normal(points.shape[::-1]).T


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("power", [0.5, 1.0])
def test_rmsprop_follows_the_hand_written_loop(inside, power):
    dynamics = RMSProp(0.01, 20, 0.3, batch_size=4, epsilon_inside=inside, power=power)
    got = run(dynamics, BOWL, Gaussian(0.8), START, 60)
    points, s, rng = START.copy(), np.zeros((3, 2)), np.random.default_rng(1)
    for _ in range(60):
        g = gradients(points, rng, 0.8 / 4)
        s = (1 - 1 / 20) * s + g**2 / 20
        scale = (s + 0.3) ** power if inside else s**power + 0.3
        points = points - 0.01 * g / scale
    assert np.allclose(got, points, rtol=1e-12)


def test_rmsprop_with_squares_of_examples_follows_the_hand_written_loop():
    dynamics = RMSProp(0.01, 20, 0.0, batch_size=3, per_example=True)
    got = run(dynamics, WELL, Gaussian(0.8), [0.5, -0.2], 40)
    points, s, rng = np.array([0.5, -0.2]), np.zeros(2), np.random.default_rng(1)
    for _ in range(40):
        drift = points**3 - points
        g = np.array([drift + np.sqrt(0.8) * rng.standard_normal(2) for _ in range(3)])
        s = (1 - 1 / 20) * s + (g**2).mean(0) / 20
        points = points - 0.01 * g.mean(0) / np.sqrt(s)
    assert np.allclose(got, points, rtol=1e-12)


def test_one_example_is_its_own_batch():
    given = {"loss": WELL, "noise": Gaussian(1.0), "start": [0.5, -0.2], "steps": 30}
    whole, one = RMSProp(0.1), RMSProp(0.1, per_example=True)
    assert (run(whole, **given) == run(one, **given)).all()


def test_the_squares_of_examples_keep_their_size_whatever_the_batch():
    flat = Loss(0 * x, x)
    for batch_size, per_example, expected in [(1, False, 1), (16, True, 1), (16, False, 1 / 16)]:
        dynamics = RMSProp(1e-9, 50, batch_size=batch_size, per_example=per_example)
        points = np.zeros(4000)
        memory, rng = dynamics.start(points), np.random.default_rng(2)
        for t in range(1, 401):
            dynamics.step(points, memory, flat, Gaussian(1.0), rng, t)
        # One chain's s has a relative variance of 2/(2·50 − 1) at most.
        error = expected * np.sqrt(2 / 99 / 4000)
        assert memory["squares"].mean() == pytest.approx(expected, abs=4 * error)


def test_examples_drawn_without_replacement_have_no_squares_one_by_one():
    loss = DataLoss((x - u) ** 2 / 2, x, u, [1.0, 2.0, 6.0])
    dynamics = RMSProp(0.1, batch_size=2, per_example=True)
    run(dynamics, loss, MiniBatch(), [0.0, 1.0], 5)
    with pytest.raises(ValueError, match=r"per_example.*with replacement"):
        run(dynamics, loss, MiniBatch(replace=False), [0.0, 1.0], 5)


def test_the_first_step_of_rmsprop_is_root_n_rates_long():
    got = run(RMSProp(0.01, 25, 0.0), PARABOLA, Gaussian(0.0), [3.0, -7.0], 1)
    assert np.allclose(got, [3.0 - 0.05, -7.0 + 0.05])


def textbook_adam(start, steps, alpha, beta1, beta2, epsilon, variance):
    """Algorithm 1 of Kingma and Ba, in its own letters."""
    rng, theta = np.random.default_rng(1), start.copy()
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t in range(1, steps + 1):
        g = gradients(theta, rng, variance)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        theta = theta - alpha * m_hat / (np.sqrt(v_hat) + epsilon)
    return theta


def test_adam_is_algorithm_1_of_its_paper():
    got = run(Adam(0.02, 10, 1000, 0.1, batch_size=5), BOWL, Gaussian(2.0), START, 300)
    wanted = textbook_adam(START, 300, 0.02, 0.9, 0.999, 0.1, 2.0 / 5)
    assert np.allclose(got, wanted, rtol=1e-9)


def test_adams_defaults_are_those_of_its_paper():
    got = run(Adam(), BOWL, Gaussian(1.0), START, 50)
    assert np.allclose(got, textbook_adam(START, 50, 1e-3, 0.9, 0.999, 1e-8, 1.0), rtol=1e-9)


def test_simplified_adam_follows_the_lectures_loop():
    got = run(Adam(0.02, 7, 30, 0.1, simplified=True), BOWL, Gaussian(0.5), START, 100)
    points, rng = START.copy(), np.random.default_rng(1)
    m, s = np.zeros((3, 2)), np.zeros((3, 2))
    for t in range(1, 101):
        g = gradients(points, rng, 0.5)
        n_g, n_s = min(t, 7), min(t, 30)
        m = (1 - 1 / n_g) * m + g / n_g
        s = (1 - 1 / n_s) * s + g**2 / n_s
        points = points - 0.02 * m / (np.sqrt(s) + 0.1)
    assert np.allclose(got, points, rtol=1e-11)


@pytest.mark.parametrize("simplified", [True, False])
def test_the_first_step_of_adam_is_one_rate_long(simplified):
    dynamics = Adam(0.01, epsilon=0.0, simplified=simplified)
    got = run(dynamics, PARABOLA, Gaussian(0.0), [3.0, -7.0], 1)
    assert np.allclose(got, [3.0 - 0.01, -7.0 + 0.01])


def test_windows_of_one_step_follow_the_sign_of_the_gradient():
    for dynamics in OF_ONE_STEP:
        got = run(dynamics, PARABOLA, TwoPoint(1.0), [5.0, -5.0], 10)
        assert np.allclose(got, [4.0, -4.0])


@pytest.mark.parametrize("dynamics", OF_ONE_STEP)
def test_a_small_gradient_after_a_large_one_keeps_its_square(dynamics):
    points = np.array([1.0])
    memory, rng = dynamics.start(points), np.random.default_rng(1)
    for t, here in enumerate((1.0, 1e-12), 1):
        points[:] = here
        dynamics.step(points, memory, PARABOLA, Gaussian(0.0), rng, t)
        assert np.allclose(points, here - 0.1, rtol=1e-12)


@pytest.mark.parametrize("kind", [RMSProp, Adam])
def test_rates_may_be_one_a_parameter_or_a_schedule(kind):
    each = run(kind(np.array([0.1, 0.2])), BOWL, Gaussian(0.0), START, 1)
    one, two = (run(kind(rate), BOWL, Gaussian(0.0), START, 1) for rate in (0.1, 0.2))
    assert np.allclose(each, np.column_stack([one[:, 0], two[:, 1]]))
    scheduled = run(kind(lambda t: 0.1 if t == 1 else 1e-12), BOWL, Gaussian(0.0), START, 3)
    assert np.allclose(scheduled, one)


@pytest.mark.parametrize("kind", [RMSProp, Adam])
def test_absorbed_chains_take_their_memory_with_them(kind):
    told = {"chains": 40, "steps": 60, "rng": 3, "start": np.linspace(-1, 1, 40)}
    free = simulate(kind(0.02), PARABOLA, Gaussian(0.0), record_every=1, **told)
    caught = simulate(kind(0.02), PARABOLA, Gaussian(0.0), absorb=lambda p: np.abs(p) < 0.3, **told)
    inside = np.abs(free.path[1:]) < 0.3
    assert (caught.exit_step == np.where(inside.any(0), inside.argmax(0) + 1, -1)).all()


def test_a_gradient_that_vanishes_needs_an_epsilon():
    told = {"start": 0.0, "chains": 4, "steps": 3, "rng": 1}
    assert (simulate(Adam(), PARABOLA, Gaussian(0.0), **told).samples == 0).all()
    with pytest.raises(LeftDomain, match="what the update divides by"):
        simulate(Adam(epsilon=0.0), PARABOLA, Gaussian(0.0), **told)


NOT_POSITIVE = [0.0, -0.1, np.nan, np.inf]
REFUSED = [
    *[("learning_rate", bad) for bad in [*NOT_POSITIVE, np.array([0.1, 0.0])]],
    ("learning_rate", np.eye(2)),
    *[("epsilon", bad) for bad in (-1e-9, np.nan, np.inf)],
    *[("batch_size", bad) for bad in (0, 1.5, -2)],
]


@pytest.mark.parametrize(
    ("kind", "name", "bad"),
    [
        *[(kind, *row) for kind in (RMSProp, Adam) for row in REFUSED],
        *[(RMSProp, "window", bad) for bad in (0, 0.5, np.nan, np.inf)],
        *[(RMSProp, "power", bad) for bad in NOT_POSITIVE],
        *[(Adam, "gradient_window", bad) for bad in (0, 0.5, np.nan, np.inf)],
        *[(Adam, "square_window", bad) for bad in (0, 0.5, np.nan, np.inf)],
    ],
)
def test_what_a_caller_can_get_wrong_is_refused_by_name(kind, name, bad):
    with pytest.raises(ValueError, match=rf"^{name} must "):
        kind(**{"learning_rate": 0.1, name: bad})
