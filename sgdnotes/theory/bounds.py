"""Theory: bounds of a loss on intervals, which no pit between two points escapes."""

from __future__ import annotations

from functools import reduce

import numpy as np
import sympy as sp

__all__ = ["bounds"]

_RISING = {
    sp.exp: np.exp,
    sp.log: np.log,
    sp.tanh: np.tanh,
    sp.sinh: np.sinh,
    sp.atan: np.arctan,
    sp.asinh: np.arcsinh,
}


def bounds(loss, low, high):
    """A lower and an upper bound of a loss of one parameter on each interval.

    Parameters
    ----------
    loss : Loss
    low, high : (m,) arrays
        The ends of the intervals.

    Returns
    -------
    two (m,) arrays, or None
        None if the loss is no expression, or holds a function that is not
        among those known here. The bounds hold up to rounding.

    Notes
    -----
    Interval arithmetic (Moore, 1966): each operation takes intervals to an
    interval that holds all its values. The bounds tend to the least and the
    largest value as the intervals shrink, one order faster if L(middle) ±
    |L′| · half the width is narrower.
    """
    expr = getattr(loss, "expr", None)
    if not isinstance(expr, sp.Expr) or hasattr(loss, "data"):
        return None
    known = {loss.symbols[0]: (np.asarray(low, dtype=float), np.asarray(high, dtype=float))}
    with np.errstate(all="ignore"):
        found = _enclosed(expr, known)
        if found is None:
            return None
        least, most = (np.broadcast_to(part, np.shape(low)) for part in found)
        # A jump has no derivative that would tell of it.
        if not expr.has(sp.Piecewise, sp.Heaviside, sp.sign, sp.floor, sp.ceiling):
            slope = _enclosed(expr.diff(loss.symbols[0]), known)
            if slope is not None:
                middle = loss.value((low + high) / 2)
                reach = np.maximum(-slope[0], slope[1]) * (high - low) / 2
                least = np.fmax(least, middle - np.where(reach >= 0, reach, np.inf))
                most = np.fmin(most, middle + np.where(reach >= 0, reach, np.inf))
    return np.where(np.isnan(least), -np.inf, least), np.where(np.isnan(most), np.inf, most)


def _enclosed(e, known):
    """The lower and the upper bound of an expression, or None."""
    if e in known:
        return known[e]
    if e.is_number:
        value = float(e) if e.is_extended_real else np.nan
        found = (value, value)
    elif e.is_Pow and e.exp.is_Rational:
        base = _enclosed(e.base, known)
        found = base and _power(*base, e.exp)
    elif isinstance(e, sp.Piecewise):
        found = _branched(e, known)
    else:
        parts = [_enclosed(part, known) for part in e.args]
        found = None if None in parts else _combined(e, parts)
    known[e] = found
    return found


def _combined(e, parts):
    lows, highs = zip(*parts, strict=True)
    if e.is_Add:
        return sum(lows), sum(highs)
    if e.is_Mul:
        return reduce(_product, parts)
    if isinstance(e, sp.Max):
        return reduce(np.maximum, lows), reduce(np.maximum, highs)
    if isinstance(e, sp.Min):
        return reduce(np.minimum, lows), reduce(np.minimum, highs)
    if e.func in _RISING:
        return _RISING[e.func](lows[0]), _RISING[e.func](highs[0])
    if isinstance(e, sp.Abs):
        return _power(*parts[0], sp.S(1), even=True)
    if isinstance(e, sp.sign):
        return np.sign(lows[0]), np.sign(highs[0])
    if isinstance(e, sp.cosh):
        least, most = _power(*parts[0], sp.S(1), even=True)
        return np.cosh(least), np.cosh(most)
    if isinstance(e, sp.sin):
        return _wave(*parts[0])
    if isinstance(e, sp.cos):
        return _wave(lows[0] + np.pi / 2, highs[0] + np.pi / 2)
    return None


def _branched(e, known):
    """From the first branch that must hold backwards: all those that may."""
    least, most, open_ = np.inf, -np.inf, True
    for part, condition in e.args:
        found, may, must = _enclosed(part, known), *_holds(condition, known)
        if found is None:
            return None
        here = open_ & may
        least = np.where(here, np.fmin(least, found[0]), least)
        most = np.where(here, np.fmax(most, found[1]), most)
        open_ = open_ & ~must
    return least, most


def _holds(condition, known):
    """Whether a condition may hold somewhere on each interval, and must everywhere."""
    always, never = np.True_, np.False_
    if condition in (sp.true, sp.false):
        return (always, always) if condition == sp.true else (never, never)
    if isinstance(condition, sp.And | sp.Or):
        parts = [_holds(part, known) for part in condition.args]
        join = np.logical_and if isinstance(condition, sp.And) else np.logical_or
        return tuple(reduce(join, part) for part in zip(*parts, strict=True))
    order = isinstance(condition, sp.StrictLessThan | sp.LessThan)
    if order or isinstance(condition, sp.StrictGreaterThan | sp.GreaterThan):
        gap = _enclosed(condition.gts - condition.lts, known)
        if gap is not None:
            strict = isinstance(condition, sp.StrictLessThan | sp.StrictGreaterThan)
            return (gap[1] > 0, gap[0] > 0) if strict else (gap[1] >= 0, gap[0] >= 0)
    return always, never


def _product(one, other):
    corners = [a * b for a in one for b in other]
    lost = reduce(np.logical_or, [np.isnan(corner) for corner in corners])
    least, most = reduce(np.fmin, corners), reduce(np.fmax, corners)
    return np.where(lost, -np.inf, least), np.where(lost, np.inf, most)


def _power(low, high, exponent, even=False):
    even = even or (exponent.is_integer and exponent.is_even)
    k = float(exponent)
    through = (low <= 0) & (high >= 0)
    if even:
        ends = np.abs(low) ** k, np.abs(high) ** k
        least, most = np.minimum(*ends), np.maximum(*ends)
        return (np.where(through, 0.0, least), most) if k > 0 else (
            least, np.where(through, np.inf, most)
        )  # fmt: skip
    if k > 0:
        return (low**k, high**k) if exponent.is_integer else (np.maximum(low, 0) ** k, high**k)
    return np.where(through, -np.inf, high**k), np.where(through, np.inf, low**k)


def _wave(low, high):
    """sin on an interval: ±1 where it holds a crest or a trough."""
    turns = 2 * np.pi
    crest = np.floor((high - np.pi / 2) / turns) >= np.ceil((low - np.pi / 2) / turns)
    trough = np.floor((high + np.pi / 2) / turns) >= np.ceil((low + np.pi / 2) / turns)
    ends = np.sin(low), np.sin(high)
    return np.where(trough, -1.0, np.minimum(*ends)), np.where(crest, 1.0, np.maximum(*ends))
