"""What is measured of a network in training, on losses whose answers are known."""

import json
from itertools import product
from types import SimpleNamespace

import network as command
import numpy as np
import pytest
import sympy as sp

from sgdnotes.experiment import SGD, MiniBatch, estimate, simulate
from sgdnotes.experiment import alignment as al
from sgdnotes.experiment import training as tr
from sgdnotes.losses import DataLoss
from sgdnotes.network import Network
from sgdnotes.theory import sgd_covariance

RNG = np.random.default_rng(8)
INPUTS, LABELS = RNG.standard_normal((40, 3)), RNG.integers(2, size=40)
LABELS[:2] = 0, 1
STORED = json.loads(command.RESULTS.read_text("utf8"))

X, Y, A, B = sp.symbols("x y a b", real=True)
H = np.array([[1.0, 0.0], [0.0, 0.25]])
NOISE = np.array([[1.0, 0.6], [0.6, 1.0]])
# Four examples whose gradients at 0 have the covariance NOISE.
CORNERS = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) @ np.linalg.cholesky(NOISE).T
BOWL = DataLoss(X**2 / 2 + Y**2 / 8 + A * X + B * Y, (X, Y), (A, B), CORNERS)


@pytest.fixture(scope="module")
def logistic():
    return Network(INPUTS, LABELS, (), 0.1)


@pytest.fixture(scope="module")
def settled(logistic):
    return tr.descend(logistic, logistic.start(16, RNG), 0.5, 400)


# Training.


def test_descent_ends_at_the_minimum(logistic, settled):
    assert np.abs(logistic.gradient(settled)).max() < 1e-6
    assert np.ptp(settled, axis=0).max() < 1e-6


def test_the_thermometer_agrees_once_settled_and_rejects_the_rule_without_a_half(logistic, settled):
    told = tr.stationary_thermometer(logistic, settled, 0.4, 2, 4000, 400, 1, looks=200)
    assert abs(told["gap"].z(0)) < 4
    assert abs(told["ratio"].z(1)) < 4
    assert abs(told["ratio"].z(2)) > 8
    assert abs(told["ratio"].z(0.5)) > 8
    assert told["left"].value == pytest.approx(told["right"].value, rel=0.2)


def test_what_is_followed_is_what_simulate_does(logistic):
    start = logistic.start(8, RNG)
    told = tr.follow(logistic, start, 0.2, 4, 60, 20, 3)
    run = simulate(
        SGD(0.2, batch_size=4), logistic, MiniBatch(), start=start, chains=8, steps=60, rng=3,
        block=8,
    )  # fmt: skip
    assert told["steps"].tolist() == [0, 20, 40, 60]
    assert told["loss"].value[-1] == pytest.approx(logistic.value(run.samples).mean())
    each = logistic.example_gradients(run.samples)
    square, spread = (each.mean(1) ** 2).sum(1), each.var(1).sum(1)
    assert told["right"].value[-1] == pytest.approx(0.1 * (square + spread / 4).mean())
    assert told["noise_scale"].value[-1] == pytest.approx(spread.mean() / square.mean())
    assert told["gap"].value == pytest.approx(told["left"].value - told["right"].value)
    assert told["gap"].value[0] > 4 * told["gap"].standard_error[0]  # not settled yet


def test_a_plateau_in_a_bowl_is_that_of_the_exact_covariance():
    exact = np.trace(H @ sgd_covariance(H, NOISE, 0.3, 2, 0.5)) / 2
    told = tr.plateau(SGD(0.3, 0.5, 2), BOWL, np.zeros((64, 2)), 2000, 200, 4, looks=300)
    assert abs(told.z(exact)) < 4
    assert abs(told.z(exact * 1.2)) > 4
    far = tr.plateau(SGD(0.3, 0.5, 2), BOWL, np.full((64, 2), 30.0), 2000, 200, 4, looks=300)
    assert abs(far.z(exact)) < 4  # what is before the burn-in is not looked at


def test_a_staircase_falls_with_the_rate_and_a_small_stair_is_a_quarter(logistic, settled):
    told = tr.staircase(logistic, settled, [0.2, 0.05], 1, 200.0, 100, 5)
    assert told["time"][-1] == pytest.approx(400, rel=0.01)
    assert len(told["loss"].value) == 200
    tall, quarter = told["plateau"], told["quarter"]
    ratio = tall.value / quarter.value
    assert abs(ratio[1] - 1) < 0.1 + 4 * tall.standard_error[1] / quarter.value[1]
    assert tall.value[0] / tall.value[1] == pytest.approx(4, rel=0.4)


def test_at_equal_times_equal_ratios_agree_and_equal_batches_do_not():
    start = np.tile([3.0, 2.0], (400, 1))
    pairs = [(0.02, 1), (0.08, 4), (0.08, 1)]
    told = tr.equal_time(BOWL, start, pairs, [4.0, 40.0], 6)
    assert told.value.shape == (3, 2)
    late, error = told.value[:, 1], told.standard_error[:, 1]
    assert abs(late[0] - late[1]) < 4 * np.hypot(error[0], error[1]) + 0.05 * late[0]
    assert late[2] > 3 * late[0]
    with pytest.raises(ValueError, match="increasing multiples"):
        tr.equal_time(BOWL, start, pairs, [4.02], 6)
    with pytest.raises(ValueError, match="increasing multiples"):
        tr.equal_time(BOWL, start, pairs, [4.0, 4.0], 6)


def test_a_seed_is_one_stream_through_all_stairs_and_times(logistic):
    start = logistic.start(8, np.random.default_rng(1))
    for told in (
        lambda rng: tr.staircase(logistic, start, [0.2, 0.1], 4, 4.0, 4, rng)["loss"],
        lambda rng: tr.equal_time(logistic, start, [(0.2, 4), (0.1, 4)], [2.0, 4.0], rng),
    ):
        assert (told(5).value == told(np.random.default_rng(5)).value).all()


# Noise beside curvature.


def test_the_top_curvatures_are_those_of_the_whole_hessian():
    net = Network(INPUTS, LABELS, (4,), 0.01)
    x = net.start(1, RNG)[0]
    values, vectors = al.top_curvatures(net, x, 5)
    all_ = np.linalg.eigvalsh(net.hessian(x))[::-1]
    assert np.allclose(values, all_[:5], atol=1e-6)
    assert np.allclose(vectors.T @ vectors, np.eye(5), atol=1e-8)
    assert np.allclose(net.hessian_product(x, vectors.T).T, vectors * values, atol=1e-5)
    with pytest.raises(ValueError, match="count must be below"):
        al.top_curvatures(net, x, net.dimension)


def test_the_noise_matrix_is_the_covariance_in_other_coordinates():
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    assert np.allclose(al.noise_matrix(BOWL, np.ones(2), turn), turn.T @ NOISE @ turn)


def test_the_kurtosis_of_a_batch_falls_as_one_over_its_size():
    # Along x the four examples are a fair coin, whose excess kurtosis is −2.
    one, drawn = al.noise_kurtosis(BOWL, np.zeros(2), np.eye(2)[:, :1], [5, 8], 40000, 7)
    assert one == pytest.approx([-2.0])
    expected = -2 / np.array([[5], [8]])
    z = (drawn.value - expected) / drawn.standard_error
    assert np.abs(z).max() < 4
    assert np.abs((drawn.value + 2) / drawn.standard_error).min() > 20
    # Two or three coins have two squares, so that their mean tells the fourth moment too.
    with pytest.raises(ValueError, match="standard_error must be positive"):
        al.noise_kurtosis(BOWL, np.zeros(2), np.eye(2)[:, :1], [2], 100, 7)


def test_the_moments_of_a_batch_are_those_of_all_batches():
    samples = np.array([[-2.0, 1.0], [-1.0, 1.0], [0.5, -3.0], [2.5, 1.0]])
    batches = np.array(list(product(samples[:, 0], repeat=3))).sum(1) / np.sqrt(3)
    found = al._moments_of_a_mean(samples, 3)
    assert found[:, 0] == pytest.approx([(batches**j).mean() for j in range(9)], abs=1e-9)
    assert found[:, 1] == pytest.approx(al._moments_of_a_mean(samples[:, 1:], 3)[:, 0])


def test_the_error_of_the_kurtosis_is_that_of_many_repetitions_with_a_heavy_tail():
    draw = np.random.default_rng(3)
    pulls = draw.standard_normal(200) * np.exp(0.8 * draw.standard_normal(200))
    net = SimpleNamespace(
        value=None, gradient=None, dimension=1, example_gradients=lambda x: pulls[:, None]
    )
    one, z, ratio = None, [], []
    for _ in range(400):
        one, drawn = al.noise_kurtosis(net, [0.0], np.eye(1), [4, 16], 500, draw)
        z.append(drawn.z(one / np.array([[4], [16]]))[:, 0])
        batch = pulls[draw.integers(200, size=(500, 16))].mean(1) - pulls.mean()
        ratio.append(estimate.jackknife(lambda m: np.mean(m**4) / np.mean(m**2) ** 2 - 3, batch))
    z = np.array(z)
    assert one[0] > 5
    assert np.abs(z.mean(0)).max() < 4 / np.sqrt(400)
    assert z.std(0) == pytest.approx([1, 1], abs=0.15)
    assert (np.abs(z) < 1.96).mean(0).min() > 0.93
    # Divided by the variance of the same draws it is too low, and its error too small.
    of_ratio = np.array([r.z(one[0] / 16) for r in ratio])
    assert of_ratio.mean() < -0.3
    assert (np.abs(of_ratio) < 1.96).mean() < 0.92


def test_the_current_in_a_bowl_is_the_exact_one_and_not_its_mirror_image():
    rate, batch = 0.3, 2
    told = al.current(
        BOWL, np.zeros(2), np.eye(2), rate, batch,
        chains=600, burn_in=100, looks=60, stride=20, rng=9,
    )  # fmt: skip
    covariance = sgd_covariance(H, NOISE, rate, batch)
    exact = -rate * (H @ covariance - (H @ covariance).T)[0, 1]
    assert told["pairs"] == [(0, 1)]
    for name in ("moved", "expected_move"):
        assert abs(told[name].z([exact])[0]) < 4
        assert abs(told[name].z([-exact])[0]) > 8
    assert told["expected_move"].standard_error[0] < 0.6 * told["moved"].standard_error[0]


# What is stored.


def test_a_smaller_run_of_the_command_has_the_form_of_what_is_stored(capsys):
    def form(told):
        if isinstance(told, dict):
            return {k: form(v) for k, v in told.items()}
        return [form(told[0])] if isinstance(told, list) and told else type(told).__name__

    assert set(command.measure(quick=True)) == set(STORED)
    capsys.readouterr()
    assert STORED["seed"] == command.SEED
    assert STORED["network"]["dimension"] == 2410
    assert form(STORED["thermometer"])["settled"][0].keys() >= {"left", "right", "gap", "ratio"}


def test_the_stored_thermometer_agrees_and_its_rivals_are_rejected():
    for row in STORED["thermometer"]["settled"]:
        gap, ratio = row["gap"], row["ratio"]
        assert abs(gap["value"]) < 4 * gap["error"]
        for rival in (0.5, 2.0):
            assert abs(ratio["value"] - rival) > 4 * ratio["error"]
    beginning = {k: v[0] for k, v in STORED["thermometer"]["gap"].items()}
    assert beginning["value"] > 4 * beginning["error"]


@pytest.mark.parametrize("run", STORED["current"]["runs"], ids=["small", "large"])
def test_the_stored_current_is_that_of_the_bowl_and_its_mirror_image_is_rejected(run):
    values, noise = np.array(STORED["current"]["curvatures"]), np.array(STORED["current"]["noise"])
    i, j = np.array(run["pairs"]).T
    rate = run["learning_rate"]
    sums = values[i] + values[j] - rate * values[i] * values[j]
    predicted = -(rate**2) * (values[i] - values[j]) * noise[i, j] / run["batch_size"] / sums
    for name in ("moved", "expected_move"):
        value, error = (np.array(run[name][k]) for k in ("value", "error"))
        size = (predicted**2 / error**2).sum()
        slope, slope_error = (predicted * value / error**2).sum() / size, size**-0.5
        assert abs(slope - 1) < 4 * slope_error
        assert slope + 1 > 4 * slope_error
