"""What a loss's expression must be, and how its derivatives stay exact at any scale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import sympy as sp

__all__ = [
    "FlatPower",
    "LogCosh",
    "LogSumExp",
    "Share",
    "as_real",
    "as_symbols",
    "derivatives",
    "refuse_unknown",
    "stable",
]

# What is refused.


def as_symbols(name: str, symbols) -> tuple[sp.Symbol, ...]:
    """The symbols as a tuple, or ValueError unless they are some, and all different."""
    one = isinstance(symbols, sp.Basic) or not isinstance(symbols, Iterable)
    symbols = (symbols,) if one else tuple(symbols)
    if not symbols or not all(isinstance(s, sp.Symbol) for s in symbols):
        raise ValueError(f"{name} must be one SymPy symbol or several, got {symbols!r}")
    if len(set(symbols)) != len(symbols):
        raise ValueError(f"{name} names a symbol twice: {symbols!r}")
    return symbols


def refuse_unknown(expr, symbols: Sequence[sp.Symbol]) -> sp.Expr:
    """`expr` as SymPy has it, or ValueError unless it is real and of `symbols` alone."""
    number = isinstance(expr, int | float | np.number) and not isinstance(expr, bool)
    sympified = sp.sympify(expr) if number else expr
    if not isinstance(sympified, sp.Expr) or sympified.has(sp.nan, sp.zoo) or sympified.is_infinite:
        raise ValueError(f"expr must be a SymPy expression, got {expr!r}")
    symbols = as_symbols("symbols", symbols)
    everything = {*symbols, *sympified.free_symbols}
    names = [s.name for s in everything]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"expr and symbols hold two different symbols of the name {twice[0]!r}, one perhaps "
            "with real=True and the other without: make it once and use it everywhere"
        )
    unknown = sympified.free_symbols - set(symbols)
    if unknown:
        raise ValueError(
            f"expr has symbols without a value: {sorted(map(str, unknown))}; "
            f"substitute numbers for all but {list(map(str, symbols))}"
        )
    for part in sympified.atoms(sp.Abs, sp.sign):
        if not part.args[0].is_extended_real:
            name = min(s.name for s in part.free_symbols if not s.is_extended_real)
            raise ValueError(
                f"expr holds {part}, whose symbol SymPy takes for complex: make it with "
                f"sp.Symbol({name!r}, real=True)"
            )
    parts = sp.preorder_traversal(sympified.xreplace(as_real(symbols)))
    imaginary = any(
        isinstance(part, sp.Expr) and part.is_extended_real is False and not part.is_Piecewise
        for part in parts
    )
    if sympified.atoms(sp.core.function.AppliedUndef) or sympified.has(sp.I) or imaginary:
        raise ValueError(f"expr must be real, of functions that are known, got {sympified}")
    return sympified


# Sums of exponentials, whose logarithm does not overflow where they do.


class LogSumExp(sp.Function):
    """log(e^a + e^b + …), which is at least the largest of a, b, …"""

    def _eval_is_extended_real(self):
        return True

    def _eval_derivative(self, s):
        parts = []
        for i, a in enumerate(self.args):
            parts.append(Share(a, *self.args[:i], *self.args[i + 1 :]) * a.diff(s))
        return sp.Add(*parts)


class Share(sp.Function):
    """e^a/(e^a + e^b + …): the first one's share of the sum."""

    def _eval_is_extended_real(self):
        return True

    def _eval_derivative(self, s):
        a, *others = self.args
        parts = []
        for i, b in enumerate(others):
            # The product of two shares, never 1 minus a share: no digit is lost.
            other = Share(b, a, *others[:i], *others[i + 1 :])
            parts.append(self * other * (a.diff(s) - b.diff(s)))
        return sp.Add(*parts)


class LogCosh(sp.Function):
    """log cosh z, about |z| − log 2 far from 0."""

    def _eval_is_extended_real(self):
        return True

    def fdiff(self, argindex=1):
        """tanh z, which never overflows."""
        return sp.tanh(self.args[0])


class FlatPower(sp.Function):
    """base^exponent, and 0 where the base is 0: the slope at a removable kink."""


def _log_of(positive):
    """The logarithm of a product of exponentials and of sums of them, or None."""
    if isinstance(positive, sp.exp):
        return positive.args[0]
    if isinstance(positive, sp.cosh):
        return LogCosh(positive.args[0])
    if positive.is_Mul:
        logs = [_log_of(factor) for factor in positive.args]
        return None if None in logs else sp.Add(*logs)
    if positive.is_Pow and (positive.exp.is_number or positive.base.is_number):
        log = _log_of(positive.base)
        return None if log is None else positive.exp * log
    if positive.is_Add:
        opened = positive.replace(sp.cosh, lambda z: (sp.exp(z) + sp.exp(-z)) / 2)
        logs = [_log_of(term) for term in sp.Add.make_args(sp.expand_mul(opened))]
        grows = None not in logs and any(log.free_symbols for log in logs)
        return LogSumExp(*logs) if grows and len(logs) > 1 else None
    return sp.log(positive) if positive.is_number and positive.is_positive else None


def stable(expression):
    """The same expression, with log Σ c·eᶻ, log cosh z and powers of them kept from overflow."""
    if not isinstance(expression, sp.Basic):
        raise ValueError(f"expression must be one of SymPy's, got {expression!r}")
    if not expression.args:
        return expression
    parts = [stable(part) for part in expression.args]
    if any(new is not old for new, old in zip(parts, expression.args, strict=True)):
        expression = expression.func(*parts)
    if isinstance(expression, sp.log):
        log = _log_of(expression.args[0])
        return expression if log is None or not log.has(LogSumExp, LogCosh) else log
    if expression.is_Pow and expression.exp.is_number and not expression.exp.is_positive:
        log = _log_of(expression.base)
        if log is not None and log.has(LogSumExp, LogCosh):
            return sp.exp(expression.exp * log)
    return expression


def as_real(symbols: Sequence[sp.Symbol]) -> dict[sp.Symbol, sp.Symbol]:
    """For each symbol that SymPy takes for complex one of the same name that is real."""
    some = as_symbols("symbols", symbols)
    return {s: sp.Symbol(s.name, real=True) for s in some if not s.is_extended_real}


# Derivatives.


def _smooth_part(derivative):
    """Steps written out, and no delta functions at kinks, which no sampled point meets."""
    derivative = derivative.replace(sp.DiracDelta, lambda *arguments: sp.S.Zero)
    return derivative.replace(
        sp.Heaviside, lambda at, *_: sp.Piecewise((0, at < 0), (1, True), evaluate=False)
    )


def _kinks(expression):
    """Bases of roots, as of √(x² + y²), that touch 0 from above: there the slope is 0."""
    real = {s: sp.Dummy(real=True) for s in expression.free_symbols}
    powers = expression.atoms(sp.Pow)
    poles = {power.base for power in powers if power.exp.is_negative}
    roots = {
        power.base
        for power in powers
        if power.exp.is_Rational and not power.exp.is_integer and power.exp >= sp.S.Half
    }
    return {base for base in roots - poles if base.xreplace(real).is_nonnegative}


def derivatives(expression, symbols):
    """The gradient, and the rows of the Hessian, of an expression made stable."""
    if not isinstance(expression, sp.Expr):
        raise ValueError(f"expression must be one of SymPy's, got {expression!r}")
    symbols, kinks = as_symbols("symbols", symbols), _kinks(expression)

    def flat(derivative):
        return derivative.replace(
            lambda e: e.is_Pow and e.exp.is_negative and e.base in kinks,
            lambda e: FlatPower(e.base, e.exp),
        )

    gradient = [_smooth_part(expression.diff(s)) for s in symbols]
    hessian = [[flat(_smooth_part(g.diff(s))) for s in symbols] for g in gradient]
    gradient = [flat(g) for g in gradient]
    if any(part.has(sp.Derivative, sp.Subs) for row in (gradient, *hessian) for part in row):
        raise ValueError(
            f"expr must have derivatives that SymPy knows, got the expression {expression}"
        )
    return gradient, hessian
