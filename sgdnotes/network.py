"""A multilayer perceptron as a training loss: `DataLoss` for a network, many chains at once."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from sgdnotes.checks import (
    at_least,
    flag,
    generator,
    indices,
    numbers,
    points_of,
    positive,
    shaped,
    taken,
    whole,
)

__all__ = ["Network", "digits"]

_ROOM = 2**21  # numbers that an array between two layers may hold
_SMALLEST = 1e-9  # step of a difference, over the length of the point: rounding is 1e-16 of it
_SMALL = 2**18  # multiplications of a matrix product that BLAS does on one thread


def digits(pooled: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The 1797 handwritten digits that come with scikit-learn, each pixel from -1 to 1.

    Parameters
    ----------
    pooled : bool
        Average squares of 2 × 2 pixels: 16 inputs instead of 64.

    Returns
    -------
    inputs : (1797, 64) or (1797, 16) array
    labels : (1797,) array of int, 0 to 9
    """
    from sklearn.datasets import load_digits  # slow to import, and only needed here

    pixels, labels = load_digits(return_X_y=True)
    if flag("pooled", pooled):
        pixels = pixels.reshape(-1, 4, 2, 4, 2).mean((2, 4)).reshape(-1, 16)
    return pixels / 8.0 - 1.0, labels


class Network:
    """Mean cross-entropy of a tanh network over n examples, with weight decay.

    Example i adds −log softmax(output)[label], averaged over the examples; the
    decay adds ½λ‖Φ‖², to each example alike, so that it moves no noise. The
    class is used where a `DataLoss` is: by `simulate` with `MiniBatch`.

    Parameters
    ----------
    inputs : (n, k) array
    labels : (n,) array of int
        Classes 0 to C − 1; each must occur.
    hidden : sequence of int
        The widths of the hidden layers.
    weight_decay : float
        λ ≥ 0.

    Raises
    ------
    ValueError
        If an argument is not as above.

    Notes
    -----
    The d parameters stand in the order of PyTorch's `parameters_to_vector`: for
    each layer the weights, a row an output, then the biases. Gradients are exact
    (back-propagation: Rumelhart, Hinton and Williams, 1986). Matrix products are
    BLAS's, so their last bits may depend on the machine; none is so large that
    OpenBLAS would share it among threads.
    """

    def __init__(self, inputs, labels, hidden: Sequence[int] = (32,), weight_decay: float = 0.0):
        inputs = shaped("inputs", inputs, (None, None))
        labels = np.array(labels if numbers("labels", labels).ndim else [])
        if labels.shape != inputs.shape[:1] or labels.dtype.kind not in "iu":
            raise ValueError(
                f"labels must be ({len(inputs)},) integers, got {labels.dtype} {labels.shape}"
            )
        classes = np.unique(labels)
        if len(classes) < 2 or not np.array_equal(classes, np.arange(len(classes))):
            raise ValueError(f"labels must be 0 to C - 1, each at least once, got {classes}")
        self.inputs, self.labels = inputs, labels
        hidden = numbers("hidden", hidden)
        if hidden.ndim != 1:
            raise ValueError(f"hidden must be a sequence of widths, got {hidden.tolist()}")
        self.hidden = tuple(whole("hidden", h, 1, 10**6) for h in hidden)
        self.weight_decay = at_least("weight_decay", weight_decay, 0)
        self.widths = (inputs.shape[1], *self.hidden, len(classes))
        self._targets = np.eye(len(classes))[labels]

    def __repr__(self):
        return f"Network({'-'.join(map(str, self.widths))}, {self.examples} examples)"

    @property
    def examples(self) -> int:
        """The number n of examples."""
        return len(self.inputs)

    @property
    def dimension(self) -> int:
        """The number d of weights and biases; points are (…, d)."""
        return sum((k + 1) * h for k, h in zip(self.widths, self.widths[1:], strict=False))

    def part(self, index) -> Network:
        """The same network over the examples `index` alone, an array of int."""
        part, index = copy.copy(self), indices("index", index, ())
        part.inputs, part.labels = taken("index", self.inputs, index), self.labels[index]
        part._targets = self._targets[index]
        return part

    def start(self, chains: int, rng: int | np.random.Generator) -> np.ndarray:
        """Random weights of variance 1/(inputs of the layer), biases 0: (chains, d)."""
        chains, rng = whole("chains", chains, 1), generator("rng", rng)
        parts = []
        for k, h in zip(self.widths, self.widths[1:], strict=False):
            parts += [rng.standard_normal((chains, h * k)) / np.sqrt(k), np.zeros((chains, h))]
        return np.concatenate(parts, axis=1)

    def _points(self, x, name: str = "x"):
        """The points as rows (m, d), and the shape in which they came."""
        x = points_of(name, x, self.dimension)
        return np.ascontiguousarray(x.reshape(-1, self.dimension)), x.shape[:-1]

    def _layers(self, rows):
        """Views of the weights (m, h, k) and of the biases (m, 1, h), layer by layer."""
        at, layers = 0, []
        for k, h in zip(self.widths, self.widths[1:], strict=False):
            weights = rows[:, at : at + h * k].reshape(-1, h, k)
            layers.append((weights, rows[:, None, at + h * k : at + h * (k + 1)]))
            at += h * (k + 1)
        return layers

    def _forward(self, rows, inputs):
        """What each layer is given, and the outputs (m, B, C)."""
        given, layers = [inputs], self._layers(rows)
        for weights, bias in layers[:-1]:
            z = given[-1] @ weights.swapaxes(1, 2)
            z += bias
            given.append(np.tanh(z, out=z))
        weights, bias = layers[-1]
        return given, given[-1] @ weights.swapaxes(1, 2) + bias

    def _outputs(self, rows, inputs):
        slabs = [self._forward(rows, slab)[1] for (slab,) in self._slabs(inputs)]
        return np.concatenate(slabs, axis=1)

    def _errors(self, rows, inputs, targets):
        """What each layer is given, and ∂(one example's loss)/∂(its sums)."""
        given, outputs = self._forward(rows, inputs)
        outputs -= outputs.max(-1, keepdims=True)
        error = np.exp(outputs, out=outputs)
        error /= error.sum(-1, keepdims=True)
        error -= targets
        errors = [error]
        for (weights, _), a in zip(self._layers(rows)[:0:-1], given[:0:-1], strict=True):
            errors.append((errors[-1] @ weights) * (1.0 - a * a))
        return given, errors[::-1]

    def _slabs(self, *arrays):
        """Some examples at a time: slices of (…, B, k) arrays along their axis of examples."""
        pairs = zip(self.widths, self.widths[1:], strict=False)
        most = max(1, _SMALL // max(k * h for k, h in pairs))
        for a in range(0, arrays[0].shape[-2], most):
            yield [array[..., a : a + most, :] for array in arrays]

    def _mean_gradient(self, rows, inputs, targets):
        gradient = np.zeros_like(rows)
        for slab in self._slabs(inputs, targets):
            at = 0
            for a, error in zip(*self._errors(rows, *slab), strict=True):
                product = (error.swapaxes(1, 2) @ a).reshape(len(rows), -1)
                gradient[:, at : at + product.shape[1]] += product
                at += product.shape[1]
                gradient[:, at : at + error.shape[2]] += error.sum(1)
                at += error.shape[2]
        gradient /= inputs.shape[-2]
        gradient += self.weight_decay * rows
        return gradient

    def _few(self, rows, function, room: int = _SMALL):
        """function(some rows), for so few at a time that the arrays stay small."""
        few = max(1, _ROOM // room)
        parts = [function(rows[a : a + few]) for a in range(0, len(rows), few)]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def outputs(self, x, inputs=None) -> np.ndarray:
        """The network's C outputs before softmax, (…, n, C), on its own inputs or others."""
        rows, shape = self._points(x)
        given = self.inputs if inputs is None else inputs
        inputs = shaped("inputs", given, (None, self.widths[0]))
        found = self._few(rows, lambda some: self._outputs(some, inputs))
        return found.reshape(*shape, *found.shape[1:])

    def value(self, x) -> np.ndarray:
        """The training loss at points `x`, decay included: (…, d) in, (…,) out."""
        return self.example_values(x).mean(-1)

    def example_values(self, x) -> np.ndarray:
        """Every example's loss, decay included: (…, d) in, (…, n) out."""
        rows, shape = self._points(x)

        def losses(some):
            outputs = self._outputs(some, self.inputs)
            outputs -= outputs.max(-1, keepdims=True)
            return np.log(np.exp(outputs).sum(-1)) - (outputs * self._targets).sum(-1)

        found = self._few(rows, losses) + self.weight_decay / 2 * (rows**2).sum(-1)[:, None]
        return found.reshape(*shape, self.examples)

    def gradient(self, x) -> np.ndarray:
        """The mean gradient g at points `x`, an array of the shape of `x`."""
        rows, shape = self._points(x)
        found = self._few(rows, lambda r: self._mean_gradient(r, self.inputs, self._targets))
        return found.reshape(*shape, self.dimension)

    def batch_gradient(self, x, index) -> np.ndarray:
        """The mean gradient over one batch of examples a point: (chains, d) in and out.

        `index`, (chains, B) of int, names the batches' rows of `inputs`.
        """
        rows, _ = self._points(x)
        index = np.ascontiguousarray(indices("index", index, (len(rows),)))
        drawn = (taken("index", some, index) for some in (self.inputs, self._targets))
        return self._mean_gradient(rows, *drawn)

    def example_gradients(self, x) -> np.ndarray:
        """Every example's gradient g_i, decay included: (…, d) in, (…, n, d) out."""
        rows, shape = self._points(x)

        def each(some):
            given, errors = self._errors(some, self.inputs, self._targets)
            found = np.empty((len(some), self.examples, self.dimension))
            at = 0
            for a, error in zip(given, errors, strict=True):
                h, k = error.shape[-1], a.shape[-1]
                product = error[..., :, None] * a[..., None, :]
                found[..., at : at + h * k] = product.reshape(*found.shape[:2], h * k)
                found[..., at + h * k : at + h * (k + 1)] = error
                at += h * (k + 1)
            found += self.weight_decay * some[:, None]
            return found

        room = self.examples * self.dimension
        return self._few(rows, each, room).reshape(*shape, self.examples, self.dimension)

    def gradient_moments(self, x) -> tuple[np.ndarray, np.ndarray]:
        """‖g‖² and tr Σ, Σ the covariance of one example's gradient: two (…,) arrays.

        A batch of B drawn with replacement has E‖ĝ‖² = ‖g‖² + tr Σ/B. No array of
        (n, d) is made: a layer's part of ‖g_i‖² is the product of two squared
        lengths (Goodfellow, 2015).
        """
        rows, shape = self._points(x)

        def squares(some):
            total = np.zeros(len(some))
            for slab in self._slabs(self.inputs, self._targets):
                for a, error in zip(*self._errors(some, *slab), strict=True):
                    total += ((error**2).sum(-1) * ((a**2).sum(-1) + 1.0)).sum(-1)
            return total / self.examples

        gradient = self.gradient(rows)
        data_part = gradient - self.weight_decay * rows
        spread = self._few(rows, squares) - (data_part**2).sum(-1)
        return (gradient**2).sum(-1).reshape(shape), spread.reshape(shape)

    def hessian_product(self, x, directions, step: float = 1e-4) -> np.ndarray:
        """The Hessian at one point times directions, by central differences of the gradient.

        Parameters
        ----------
        x : (d,) array
        directions : (d,) or (m, d) array
        step : float
            How far each of the two gradients is from `x`, as a length in Φ. The
            error is of order step² and of rounding over step: near 1e-8 of the
            result.

        Returns
        -------
        array of the shape of `directions`
        """
        step = positive("step", step)
        if not 1e-30 < step < 1e30:
            raise ValueError(f"step must be between 1e-30 and 1e30, got {step!r}")
        row = shaped("x", x, (self.dimension,))
        along, shape = self._points(directions, "directions")
        length = np.linalg.norm(along, axis=1, keepdims=True)
        unit = along / np.where(length > 0, length, 1.0) * step
        if not step > _SMALLEST * np.linalg.norm(row):
            raise ValueError(
                f"step must be larger: {step!r} is lost in the rounding of x, whose length is "
                f"{np.linalg.norm(row):.6g}"
            )
        difference = self.gradient(row + unit) - self.gradient(row - unit)
        return (difference * (length / (2 * step))).reshape(*shape, self.dimension)

    def hessian(self, x) -> np.ndarray:
        """The symmetric (d, d) second derivative at one point: `hessian_product`, d times."""
        found = self.hessian_product(x, np.eye(self.dimension))
        return (found + found.T) / 2

    def accuracy(self, x, inputs=None, labels=None) -> np.ndarray:
        """The share of examples whose largest output is their label: (…, d) in, (…,) out."""
        if (inputs is None) != (labels is None):
            raise ValueError("inputs and labels must be given together, or neither")
        outputs = self.outputs(x, inputs)
        labels = self.labels if labels is None else shaped("labels", labels, outputs.shape[-2:-1])
        return (outputs.argmax(-1) == labels).mean(-1)
