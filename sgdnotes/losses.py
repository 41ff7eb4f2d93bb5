"""A loss is written once, as a SymPy expression, and made callable."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import sympy as sp
from sympy.codegen.rewriting import create_expand_pow_optimization, optimize
from sympy.printing.numpy import NumPyPrinter

__all__ = ["DataLoss", "Loss"]

# NumPy's x**3 costs eight times x*x*x, more than the rest of a step.
_POWERS = [create_expand_pow_optimization(8)]


def _unrolled(expression):
    try:
        return optimize(expression, _POWERS)
    except TypeError:  # SymPy cannot tell whether x*x, unevaluated, may be compared with 0
        return expression


def _common_parts(expressions):
    """Common subexpressions first, then products for powers: never the reverse.

    The products are unevaluated, and SymPy's cse mistakes them for others.
    """
    # Real, as the symbols that they stand for: no Heaviside of a complex number.
    names = sp.numbered_symbols(cls=sp.Dummy, real=True)
    parts, rest = sp.cse(expressions, symbols=names, list=False)
    return [(name, _unrolled(part)) for name, part in parts], _map(_unrolled, rest)


def _map(function, expressions):
    if isinstance(expressions, list | tuple):
        return [_map(function, e) for e in expressions]
    return function(expressions)


class _Printer(NumPyPrinter):
    """Prints x − u where SymPy prints −u + x, which costs NumPy another array."""

    def _as_ordered_terms(self, expr, order=None):
        terms = super()._as_ordered_terms(expr, order)
        return sorted(terms, key=lambda term: term.could_extract_minus_sign())


def _smooth_part(derivative):
    """Steps written out, and no delta functions at kinks, which no sampled point meets."""
    derivative = derivative.replace(sp.DiracDelta, lambda *arguments: sp.S.Zero)
    return derivative.replace(
        sp.Heaviside, lambda at, *_: sp.Piecewise((0, at < 0), (1, True), evaluate=False)
    )


def _derivatives(expression, symbols):
    """The gradient, and the rows of the Hessian."""
    gradient = [_smooth_part(expression.diff(s)) for s in symbols]
    hessian = [[_smooth_part(g.diff(s)) for s in symbols] for g in gradient]
    if any(part.has(sp.Derivative, sp.Subs) for row in (gradient, *hessian) for part in row):
        raise ValueError(f"expr must have derivatives that SymPy knows, got {expression}")
    return gradient, hessian


def _compile(arguments, expression):
    told = {"fully_qualified_modules": False, "inline": True, "allow_unknown_functions": True}
    return sp.lambdify(arguments, expression, "numpy", printer=_Printer(told), cse=_common_parts)


def _as_symbols(name: str, symbols) -> tuple[sp.Symbol, ...]:
    symbols = (symbols,) if isinstance(symbols, sp.Symbol) else tuple(symbols)
    if not symbols or not all(isinstance(s, sp.Symbol) for s in symbols):
        raise ValueError(f"{name} must be one SymPy symbol or several, got {symbols!r}")
    if len(set(symbols)) != len(symbols):
        raise ValueError(f"{name} names a symbol twice: {symbols!r}")
    return symbols


def _refuse_unknown(expression: sp.Expr, known: Sequence[sp.Symbol]) -> None:
    if expression.atoms(sp.core.function.AppliedUndef) or expression.has(sp.I):
        raise ValueError(f"expr must be real, of functions that are known, got {expression}")
    unknown = expression.free_symbols - set(known)
    if unknown:
        raise ValueError(
            f"expr has symbols without a value: {sorted(map(str, unknown))}; "
            f"substitute numbers for all but {list(map(str, known))}"
        )


class _Symbolic:
    """What a loss of parameters alone and a loss of parameters and data share."""

    symbols: tuple[sp.Symbol, ...]

    @cached_property
    def dimension(self) -> int:
        """Number of parameters d; points are (…,) if d = 1 and (…, d) otherwise."""
        return len(self.symbols)

    def _make_callable(self, arguments) -> None:
        gradient, hessian = _derivatives(self.expr, self.symbols)
        self._value = _compile(arguments, self.expr)
        self._gradient = _compile(arguments, gradient)
        self._hessian = _compile(arguments, hessian)

    def _columns(self, x) -> list[np.ndarray]:
        x = np.asarray(x, dtype=float)
        if self.dimension == 1:
            return [x]
        if x.ndim == 0 or x.shape[-1] != self.dimension:
            raise ValueError(
                f"x must have {self.dimension} entries along its last axis "
                f"({', '.join(map(str, self.symbols))}), got shape {x.shape}"
            )
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
        If `expr` holds another symbol, or a symbol is named twice.

    Notes
    -----
    Points are (…,) arrays if d = 1 and (…, d) arrays otherwise.
    """

    def __init__(self, expr, symbols):
        self.symbols = _as_symbols("symbols", symbols)
        self.expr = sp.sympify(expr)
        _refuse_unknown(self.expr, self.symbols)
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
        self.symbols = _as_symbols("symbols", symbols)
        self.data_symbols = _as_symbols("data_symbols", data_symbols)
        self.expr = sp.sympify(expr)
        everything = (*self.symbols, *self.data_symbols)
        _refuse_unknown(self.expr, everything)
        data = np.array(data, dtype=float)
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

    def _arguments(self, x):
        # Points gain a last axis, over which the examples are laid out.
        return [column[..., None] for column in self._columns(x)], list(self.data.T)

    def value(self, x) -> np.ndarray:
        """The training loss at points `x`: (…,) or (…, d) in, (…,) out."""
        columns, data = self._arguments(x)
        shape = (*columns[0].shape[:-1], self.examples)
        return np.broadcast_to(self._value(*columns, *data), shape).mean(-1)

    def gradient(self, x) -> np.ndarray:
        """The mean gradient g at points `x`, an array of the shape of `x`."""
        return self.example_gradients(x).mean(-1 if self.dimension == 1 else -2)

    def hessian(self, x) -> np.ndarray:
        """The mean second derivative: (…,) in 1-D, (…, d, d) otherwise."""
        return self.example_hessians(x).mean(-1 if self.dimension == 1 else -3)

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
        index = np.asarray(index, dtype=np.intp).T
        data = [column.take(index) for column in self.data.T]
        values = self._gradient(*columns, *data)
        # What no example enters is its own mean.
        means = [v.mean(0) if np.ndim(v) == 2 else v for v in values]
        return self._stack(means, columns[0].shape, columns)
