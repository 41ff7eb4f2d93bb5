"""A loss is written once, as a SymPy expression, and made callable."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache

import numpy as np
import sympy as sp

from sgdnotes.checks import indices, numbers, points_of, taken
from sgdnotes.compiled import compiled, refuse_uncomputable
from sgdnotes.symbolic import as_real, as_symbols, derivatives, refuse_unknown, stable

__all__ = ["DataLoss", "Loss"]

_BLOCK = 2**21  # points times examples at once: 16 MB an array


@lru_cache(maxsize=64)  # a process that is sent the same loss again compiles it once
def _functions(expr, symbols, arguments):
    """The value, the gradient and the Hessian, of arrays."""
    real = as_real(arguments)
    expression = stable(expr.xreplace(real))
    gradient, hessian = derivatives(expression, [real.get(s, s) for s in symbols])
    arguments = [real.get(s, s) for s in arguments]
    functions = [compiled(arguments, part) for part in (expression, gradient, hessian)]
    refuse_uncomputable(expr, functions, np.full((len(arguments), 2), [0.3, 0.7]))
    return functions


class _Symbolic:
    """What a loss of parameters alone and a loss of parameters and data share."""

    symbols: tuple[sp.Symbol, ...]

    @cached_property
    def dimension(self) -> int:
        """Number of parameters d; points are (…,) if d = 1 and (…, d) otherwise."""
        return len(self.symbols)

    def _make_callable(self, arguments) -> None:
        functions = _functions(self.expr, self.symbols, tuple(arguments))
        self._value, self._gradient, self._hessian = functions

    def _columns(self, x) -> list[np.ndarray]:
        x = points_of("x", x, self.dimension)
        if self.dimension == 1:
            return [x]
        return [x[..., i] for i in range(self.dimension)]

    def _stack(self, values, shape, arguments=()) -> np.ndarray:
        if self.dimension == 1:
            value = np.asarray(values[0], dtype=float)
            # The gradient of x**2/2 is the array x itself: never hand that out.
            if value.shape == shape and not any(value is a for a in arguments):
                return value
            return np.broadcast_to(value, shape).copy()
        # Each parameter's column is contiguous: arithmetic on it is quicker.
        out = np.empty((self.dimension, *shape))
        for i, value in enumerate(values):
            out[i] = value
        return out.transpose((*range(1, out.ndim), 0))


class Loss(_Symbolic):
    """A loss of its parameters alone.

    Parameters
    ----------
    expr : sympy.Expr
        The loss; it may hold no symbol but `symbols`.
    symbols : sympy.Symbol or sequence of d symbols
        The parameters, in the order of the last axis of every point.

    Raises
    ------
    ValueError
        If `expr` holds another symbol, is not real, or holds a function that
        neither NumPy nor SciPy has; or if a symbol is named twice.

    Notes
    -----
    Points are (…,) arrays if d = 1 and (…, d) arrays otherwise.

    log(1 + eᶻ), log cosh z, log Σeᶻ and negative powers of such sums do not
    overflow, nor do their derivatives. At a kink the derivatives hold no delta
    function; where √(x² + y²) or its like touches 0 they are 0.
    """

    def __init__(self, expr, symbols):
        self.symbols = as_symbols("symbols", symbols)
        self.expr = refuse_unknown(expr, self.symbols)
        self._make_callable(self.symbols)

    def __reduce__(self):
        return type(self), (self.expr, self.symbols)

    def __repr__(self):
        return f"Loss({self.expr}, {self.symbols})"

    def value(self, x) -> np.ndarray:
        """The loss at points `x`: (…,) or (…, d) in, (…,) out."""
        columns = self._columns(x)
        return np.broadcast_to(self._value(*columns), columns[0].shape).astype(float)

    def gradient(self, x) -> np.ndarray:
        """The gradient at points `x`, an array of the shape of `x`."""
        columns = self._columns(x)
        return self._stack(self._gradient(*columns), columns[0].shape, columns)

    def hessian(self, x) -> np.ndarray:
        """The second derivative: (…,) in 1-D, (…, d, d) otherwise."""
        columns = self._columns(x)
        rows = self._hessian(*columns)
        if self.dimension == 1:
            return self._stack(rows[0], columns[0].shape, columns)
        return np.stack([self._stack(row, columns[0].shape) for row in rows], axis=-2)


class DataLoss(_Symbolic):
    """The mean over n examples of one per-example loss: a training loss.

    Parameters
    ----------
    expr : sympy.Expr
        The loss of one example, of `symbols` and `data_symbols` alone.
    symbols : sympy.Symbol or sequence of d symbols
        The parameters.
    data_symbols : sympy.Symbol or sequence of k symbols
        What an example consists of, in the order of the columns of `data`.
    data : (n,) or (n, k) array
        One row an example.

    Raises
    ------
    ValueError
        If `expr` holds another symbol, or `data` is not (n, k) and finite.
    """

    def __init__(self, expr, symbols, data_symbols, data):
        self.symbols = as_symbols("symbols", symbols)
        self.data_symbols = as_symbols("data_symbols", data_symbols)
        everything = (*self.symbols, *self.data_symbols)
        self.expr = refuse_unknown(expr, everything)
        data = numbers("data", data)
        data = data[:, None] if data.ndim == 1 else data
        if data.ndim != 2 or data.shape[1] != len(self.data_symbols) or not len(data):
            raise ValueError(
                f"data must be (n, {len(self.data_symbols)}), one column for each of "
                f"{list(map(str, self.data_symbols))}, got shape {data.shape}"
            )
        if not np.isfinite(data).all():
            raise ValueError("data must be finite, got nan or inf")
        self.data = data
        self._make_callable(everything)

    def __reduce__(self):
        return type(self), (self.expr, self.symbols, self.data_symbols, self.data)

    def __repr__(self):
        return f"DataLoss({self.expr}, {self.symbols}, {len(self.data)} examples)"

    @property
    def examples(self) -> int:
        """The number n of examples."""
        return len(self.data)

    def part(self, index) -> DataLoss:
        """The same loss over the examples `index` alone, an array of int."""
        # Not copy.copy, which would check the data again.
        part = object.__new__(type(self))
        vars(part).update(vars(self))
        part.data = taken("index", self.data, indices("index", index, ()))
        return part

    def _arguments(self, x):
        # Points gain a last axis, over which the examples are laid out.
        return [column[..., None] for column in self._columns(x)], list(self.data.T)

    def _mean(self, function, axis: int, x) -> np.ndarray:
        """The mean over the examples; many points are taken in blocks, to save memory."""
        x = points_of("x", x, self.dimension)
        apart = 0 if self.dimension == 1 else 1
        shape = x.shape[: x.ndim - apart]
        blocks = -(-math.prod(shape) * self.examples // _BLOCK)
        if blocks <= 1 or x.ndim <= apart:
            return function(x).mean(axis)
        rows = np.array_split(x.reshape(-1, *x.shape[x.ndim - apart :]), blocks)
        means = np.concatenate([function(row).mean(axis) for row in rows])
        return means.reshape(*shape, *means.shape[1:])

    def value(self, x) -> np.ndarray:
        """The training loss at points `x`: (…,) or (…, d) in, (…,) out."""
        return self._mean(self._example_values, -1, x)

    def gradient(self, x) -> np.ndarray:
        """The mean gradient g at points `x`, an array of the shape of `x`."""
        return self._mean(self.example_gradients, -1 if self.dimension == 1 else -2, x)

    def hessian(self, x) -> np.ndarray:
        """The mean second derivative: (…,) in 1-D, (…, d, d) otherwise."""
        return self._mean(self.example_hessians, -1 if self.dimension == 1 else -3, x)

    def _example_values(self, x) -> np.ndarray:
        columns, data = self._arguments(x)
        shape = (*columns[0].shape[:-1], self.examples)
        return np.broadcast_to(self._value(*columns, *data), shape)

    def example_gradients(self, x) -> np.ndarray:
        """Every example's gradient g_i: (…, n) in 1-D, (…, n, d) otherwise."""
        columns, data = self._arguments(x)
        shape = (*columns[0].shape[:-1], self.examples)
        return self._stack(self._gradient(*columns, *data), shape, (*columns, *data))

    def example_hessians(self, x) -> np.ndarray:
        """Every example's second derivative H_i: (…, n) or (…, n, d, d)."""
        columns, data = self._arguments(x)
        shape = (*columns[0].shape[:-1], self.examples)
        rows = self._hessian(*columns, *data)
        if self.dimension == 1:
            return self._stack(rows[0], shape, (*columns, *data))
        return np.stack([self._stack(row, shape) for row in rows], axis=-2)

    def batch_gradient(self, x, index) -> np.ndarray:
        """The mean gradient over the examples `index`, one batch a point.

        Parameters
        ----------
        x : (chains,) or (chains, d) array
        index : (chains, B) array of int, rows of `data`

        Returns
        -------
        array of the shape of `x`
        """
        columns = self._columns(x)
        # A row an example, a column a chain: sums over rows run along the memory.
        index = indices("index", index, columns[0].shape).T
        data = [taken("index", column, index) for column in self.data.T]
        values = self._gradient(*columns, *data)
        # What no example enters is its own mean.
        means = [v.mean(0) if np.ndim(v) == 2 else v for v in values]
        return self._stack(means, columns[0].shape, columns)
