"""From a SymPy expression to a function of NumPy arrays."""

from __future__ import annotations

import builtins
import keyword
import math
from collections.abc import Sequence
from functools import reduce

import numpy as np
import scipy.special
import sympy as sp
from sympy.codegen.rewriting import create_expand_pow_optimization, optimize
from sympy.printing.codeprinter import PrintMethodNotImplementedError
from sympy.printing.numpy import SciPyPrinter

__all__ = ["compiled", "refuse_uncomputable"]

# NumPy's x**3 costs eight times x*x*x, more than the rest of a step.
_POWERS = [create_expand_pow_optimization(8)]


# The functions of `symbolic`, which neither NumPy nor SciPy has.


def _log_sum_exp(*exponents):
    return reduce(np.logaddexp, exponents)


def _share(first, *others):
    return scipy.special.expit(first - reduce(np.logaddexp, others))


def _log_cosh(z):
    z = np.abs(z)
    near = np.log1p(2 * np.sinh(np.minimum(z, 1) / 2) ** 2)
    return np.where(z < 1, near, z + np.log1p(np.exp(-2 * z)) - np.log(2))


def _flat_power(base, exponent):
    at_zero = np.equal(base, 0)
    return np.where(at_zero, 0.0, (base + at_zero) ** float(exponent))


def _real_lambertw(x, branch=0):
    value = scipy.special.lambertw(x, int(branch))
    return np.where(value.imag == 0, value.real, np.nan)


_HELPERS = {
    function.__name__: function
    for function in (_log_sum_exp, _share, _log_cosh, _flat_power, _real_lambertw)
}
# What a parameter must not be called in the generated code.
_TAKEN = {*dir(np), *dir(scipy.special), *dir(math), *dir(builtins), *keyword.kwlist}


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


class _Printer(SciPyPrinter):
    """Prints x − u where SymPy prints −u + x, which costs NumPy another array."""

    def _as_ordered_terms(self, expr, order=None):
        terms = super()._as_ordered_terms(expr, order)
        return sorted(terms, key=lambda term: term.could_extract_minus_sign())

    def _helper(self, name, expr):
        return f"{name}({', '.join(map(self._print, expr.args))})"

    def _print_LogSumExp(self, expr):
        return self._helper("_log_sum_exp", expr)

    def _print_Share(self, expr):
        return self._helper("_share", expr)

    def _print_LogCosh(self, expr):
        return self._helper("_log_cosh", expr)

    def _print_FlatPower(self, expr):
        return self._helper("_flat_power", expr)

    def _print_LambertW(self, expr):
        return self._helper("_real_lambertw", expr)


def compiled(arguments: Sequence[sp.Symbol], expression):
    """A function of arrays, one for each argument, from an expression or lists of them."""
    named = {s: sp.Dummy(s.name, **s.assumptions0) for s in arguments if s.name in _TAKEN}
    told = {"fully_qualified_modules": False, "inline": True, "allow_unknown_functions": True}
    try:
        return sp.lambdify(
            [named.get(s, s) for s in arguments],
            _map(lambda e: e.xreplace(named), expression) if named else expression,
            [_HELPERS, "scipy", "numpy"],
            printer=_Printer(told),
            cse=_common_parts,
        )
    except PrintMethodNotImplementedError as error:
        what = str(error).splitlines()[0].rpartition(".")[2].rstrip("'>")
        raise ValueError(
            f"expr must be computable by NumPy and SciPy, which have no {what}"
        ) from error


def refuse_uncomputable(expr, functions, columns) -> None:
    """ValueError, with the name, if a function of `expr` is none that NumPy or SciPy has."""
    try:
        with np.errstate(all="ignore"):
            values = [np.asarray(v) for f in functions for v in _leaves(f(*columns))]
    except (NameError, TypeError, ValueError, AttributeError) as error:
        whole = expr.atoms(sp.Integral) or expr.atoms(sp.Function)
        named = ", ".join(sorted({part.func.__name__ for part in whole}))
        lacking = getattr(error, "name", None) or named
        raise ValueError(
            f"expr must be computable by NumPy and SciPy, which fail at {lacking}: {expr}"
        ) from error
    if any(value.dtype.kind not in "biuf" for value in values):
        raise ValueError(f"expr must be real, got {expr}")


def _leaves(values):
    if isinstance(values, list | tuple):
        return [leaf for value in values for leaf in _leaves(value)]
    return [values]
