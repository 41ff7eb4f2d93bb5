"""A network's gradients, Hessian and noise, each by a second route."""

import pickle

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from sgdnotes.experiment import SGD, MiniBatch, simulate
from sgdnotes.network import Network, digits

RNG = np.random.default_rng(5)
INPUTS, LABELS = RNG.standard_normal((23, 4)), np.arange(23) % 3


@pytest.fixture
def net():
    return Network(INPUTS, LABELS, (6, 5), 0.02)


def test_the_digits_are_scaled_and_pooling_keeps_their_mean():
    full, labels = digits()
    few, same = digits(pooled=True)
    assert full.shape == (1797, 64)
    assert few.shape == (1797, 16)
    assert full.min() == -1
    assert full.max() == 1
    assert np.allclose(full.mean(1), few.mean(1))
    assert np.array_equal(labels, same)
    square = full[7].reshape(8, 8)[2:4, 4:6]  # the second row and third column of squares
    assert few[7, 4 + 2] == pytest.approx(square.mean())


def test_the_dimension_counts_weights_and_biases(net):
    assert net.dimension == 5 * 6 + 7 * 5 + 6 * 3
    assert Network(*digits(), (32,)).dimension == 2410
    assert net.examples == 23


def test_random_weights_have_the_variance_of_one_over_the_inputs_of_their_layer(net):
    x = net.start(4000, np.random.default_rng(6))
    assert x[:, : 4 * 6].var() == pytest.approx(1 / 4, rel=0.05)
    assert x[:, 30 : 30 + 6 * 5].var() == pytest.approx(1 / 6, rel=0.05)
    assert not x[:, 24:30].any()


def test_the_value_is_cross_entropy_of_a_loop_over_the_layers(net):
    x = net.start(1, RNG)[0] + 0.1
    at, a = 0, INPUTS
    for k, h in ((4, 6), (6, 5), (5, 3)):
        weights, bias = x[at : at + h * k].reshape(h, k), x[at + h * k : at + h * (k + 1)]
        z = a @ weights.T + bias
        a, at = np.tanh(z), at + h * (k + 1)
    expected = -log_softmax(z, axis=1)[np.arange(23), LABELS].mean() + 0.01 * x @ x
    assert net.value(x) == pytest.approx(expected, rel=1e-12)
    assert np.allclose(net.outputs(x), z)
    assert net.accuracy(x) == np.mean(z.argmax(1) == LABELS)
    assert net.accuracy(x, INPUTS[:9], LABELS[:9]) == np.mean(z.argmax(1)[:9] == LABELS[:9])


def test_the_gradient_is_that_of_finite_differences(net):
    x = net.start(2, RNG)
    step = 1e-5 * np.eye(net.dimension)
    differences = (net.value(x[:, None] + step) - net.value(x[:, None] - step)) / 2e-5
    assert np.allclose(net.gradient(x), differences, rtol=0, atol=1e-9)


def test_the_mean_of_the_examples_gradients_is_the_gradient(net):
    x = net.start(6, RNG).reshape(2, 3, -1)
    each = net.example_gradients(x)
    assert each.shape == (2, 3, 23, net.dimension)
    assert np.allclose(each.mean(-2), net.gradient(x), atol=1e-13)


def test_a_batch_averages_the_gradients_of_its_examples(net):
    x, index = net.start(4, RNG), RNG.integers(23, size=(4, 7))
    each = net.example_gradients(x)
    expected = np.stack([each[c, index[c]].mean(0) for c in range(4)])
    assert np.allclose(net.batch_gradient(x, index), expected, atol=1e-13)


def test_many_points_are_done_in_parts_that_agree(net, monkeypatch):
    x = net.start(9, RNG)
    whole = net.value(x), net.outputs(x), net.gradient(x), *net.gradient_moments(x)
    monkeypatch.setattr("sgdnotes.network._ROOM", 2 * 2**18)
    monkeypatch.setattr("sgdnotes.network._SMALL", 30 * 5)
    parts = net.value(x), net.outputs(x), net.gradient(x), *net.gradient_moments(x)
    for one, two in zip(whole, parts, strict=True):
        assert np.allclose(one, two, rtol=1e-12)


def test_gradient_moments_are_those_of_the_examples_gradients(net):
    x = net.start(3, RNG)
    each = net.example_gradients(x)
    square, spread = net.gradient_moments(x)
    assert np.allclose(square, (each.mean(1) ** 2).sum(-1))
    assert np.allclose(spread, each.var(1).sum(-1))


def test_the_hessian_of_a_network_without_hidden_layers_is_that_of_logistic_regression():
    net = Network(INPUTS, LABELS, (), 0.3)
    x = net.start(1, RNG)[0]
    p = softmax(net.outputs(x), axis=1)
    a = np.c_[INPUTS, np.ones(23)]
    blocks = p[:, :, None] * np.eye(3) - p[:, :, None] * p[:, None, :]
    expected = np.einsum("nij,nk,nl->ikjl", blocks, a, a) / 23
    # Ours has all weights first, then the biases.
    order = [i * 5 + k for i in range(3) for k in range(4)] + [i * 5 + 4 for i in range(3)]
    expected = expected.reshape(15, 15)[np.ix_(order, order)] + 0.3 * np.eye(15)
    assert np.allclose(net.hessian(x), expected, rtol=0, atol=1e-8)


def test_a_hessian_product_is_linear_and_does_not_depend_on_the_length(net):
    x = net.start(1, RNG)[0]
    hessian, v = net.hessian(x), RNG.standard_normal((2, net.dimension))
    assert np.allclose(hessian, hessian.T)
    for scale in (1e-6, 1.0, 1e6):
        assert np.allclose(net.hessian_product(x, scale * v) / scale, v @ hessian, atol=1e-6)
    assert not net.hessian_product(x, 0 * v[0]).any()


def test_simulate_moves_a_network_by_the_gradient_of_the_drawn_examples(net):
    x = net.start(5, RNG)
    run = simulate(SGD(0.1, batch_size=4000), net, MiniBatch(), start=x, chains=5, steps=1, rng=2)
    moved = (x - run.samples) / 0.1 - net.gradient(x)
    _, spread = net.gradient_moments(x)
    assert np.all((moved**2).sum(-1) < 3 * spread / 4000)
    again = simulate(
        SGD(0.1, batch_size=8), net, MiniBatch(replace=False), start=x, chains=5, steps=20, rng=2
    )
    assert np.all(net.value(again.samples) < net.value(x))


def test_a_network_goes_to_another_process_and_comes_back(net):
    twin = pickle.loads(pickle.dumps(net))
    x = net.start(1, RNG)
    assert np.array_equal(twin.gradient(x), net.gradient(x))


def test_gradient_and_curvature_are_pytorchs(net):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    x = net.start(1, RNG)[0]
    layers = [torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 5), torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(5, 3)).double()
    shapes = {name: p.shape for name, p in model.named_parameters()}

    def loss(vector):
        parts = vector.split([int(np.prod(s)) for s in shapes.values()])
        named = {n: p.reshape(s) for (n, s), p in zip(shapes.items(), parts, strict=True)}
        found = torch.func.functional_call(model, named, torch.tensor(INPUTS))
        entropy = torch.nn.functional.cross_entropy(found, torch.tensor(LABELS))
        return entropy + 0.01 * (vector**2).sum()

    at = torch.tensor(x)
    assert net.value(x) == pytest.approx(loss(at).item(), rel=1e-12)
    assert np.allclose(net.gradient(x), torch.func.grad(loss)(at).numpy(), atol=1e-13)
    assert np.allclose(net.hessian(x), torch.func.hessian(loss)(at).numpy(), atol=1e-7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((INPUTS[0], LABELS), "inputs must be"),
        ((INPUTS * np.nan, LABELS), "inputs must be"),
        ((INPUTS, LABELS[1:]), "labels must be"),
        ((INPUTS, LABELS * 1.0), "labels must be"),
        ((INPUTS, LABELS * 2), "labels must be 0 to C"),
        ((INPUTS, LABELS, (0,)), "hidden must be"),
        ((INPUTS, LABELS, (3,), -1.0), "weight_decay must be"),
    ],
)
def test_what_is_no_network_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Network(*arguments)


def test_points_and_inputs_of_another_size_are_refused(net):
    x = net.start(1, RNG)[0]
    with pytest.raises(ValueError, match=r"x must have 83 entries"):
        net.value(x[1:])
    with pytest.raises(ValueError, match=r"inputs must be finite and of shape \(n, 4\)"):
        net.outputs(x, INPUTS[:, 1:])
    with pytest.raises(ValueError, match="step must be positive"):
        net.hessian_product(x, x, step=0)
    with pytest.raises(ValueError, match="step must be larger: 1e-12 is lost in the rounding"):
        net.hessian_product(x, x, step=1e-12)
    with pytest.raises(ValueError, match="together"):
        net.accuracy(x, INPUTS)


def test_a_part_is_the_loss_over_its_examples_and_a_long_run_looks_at_parts(net):
    x, index = net.start(3, RNG), np.array([4, 9, 9, 0])
    part = net.part(index)
    assert part.examples == 4
    assert np.allclose(part.value(x), net.example_values(x)[:, index].mean(1))
    assert np.allclose(part.gradient(x), net.example_gradients(x)[:, index].mean(1))
    assert net.examples == 23
    run = simulate(SGD(0.1, batch_size=2), net, MiniBatch(), start=x, chains=3, steps=70, rng=2)
    assert (net.value(run.samples) < net.value(x)).all()
