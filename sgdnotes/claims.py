"""A statement, said in words, and whether it holds."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

import numpy as np
import sympy as sp
from scipy.special import ndtr, ndtri

from sgdnotes.checks import flag, numbers, real, whole
from sgdnotes.experiment.estimate import Estimate

__all__ = ["AGREE", "REJECT", "Claim", "ClaimFailed", "Verdict", "agreement", "claim"]

AGREE = 4.0  # a true statement about one number is within so many standard errors
REJECT = 8.0  # a wrong rival is off by at least so many
_POINTS = 5  # random points at which an exact claim is tried in numbers
_DIGITS = 30
_ID = re.compile(r"[SEB]\d+(\.\d+)?")
_WORDS = 140  # characters: a verdict is one line


class ClaimFailed(AssertionError):
    """A claim does not hold, or its check could not have told."""


@dataclass(frozen=True)
class Verdict:
    """A claim that held: one line of words, and the details behind it."""

    id: str
    says: str
    kind: str
    text: str
    formula: str = ""
    corrected: bool = False

    @property
    def label(self) -> str:
        """The ledger's id; where the printed form was rejected, it says so."""
        return f"{self.id}, corrected" if self.corrected else self.id

    def __repr__(self):
        return f"{self.says} ({self.label}, {self.kind}): {self.text}"

    def _repr_markdown_(self):
        formula = rf"$\displaystyle {self.formula}$, " if self.formula else ""
        return (
            f'<details class="verdict"><summary>✓ {self.says} '
            f"<small>{self.label} · {self.kind}</small></summary>\n\n"
            f"{formula}{self.text}.\n\n</details>"
        )


@dataclass(frozen=True)
class Claim:
    """A statement, waiting for a check. Made by `claim`."""

    id: str
    says: str

    def exact(self, lhs, rhs, printed=None, rival=None) -> Verdict:
        """`lhs` equals `rhs`: symbolically, and in numbers at random points.

        Parameters
        ----------
        lhs, rhs : SymPy expressions or matrices of one shape
        printed : expression, optional
            The form that the source prints and that is wrong: it must differ.
        rival : expression, optional
            Another wrong form, where the source is right: it must differ too.

        Raises
        ------
        ClaimFailed
            If simplify(lhs − rhs) is not 0, if the two differ at a random
            point in 30 digits, or if `printed` or `rival` equals `lhs`.
        """
        lhs, rhs = _side("lhs", lhs), _side("rhs", rhs)
        left, right = _entries(lhs), _entries(rhs)
        if _shape(lhs) != _shape(rhs):
            raise ValueError(f"lhs and rhs must have one shape, got {_shape(lhs)}, {_shape(rhs)}")
        if not left:
            raise ValueError("lhs and rhs must not be empty")
        if any(entry.has(sp.Float) for entry in left + right):
            raise ValueError("lhs and rhs must hold no floats: write sp.Rational, or use measured")
        for a, b in zip(left, right, strict=True):
            residual = sp.simplify((a - b).doit())
            if residual != 0:
                raise ClaimFailed(f"{self.id}: lhs - rhs simplifies to {residual}, not to 0")
            worst = max(abs(v) for v in _numbers(a - b))
            if worst > 10.0 ** (10 - _DIGITS):
                raise ClaimFailed(f"{self.id}: lhs and rhs differ by {worst} at a random point")
        text = f"residual 0, and 0 in {_DIGITS} digits"
        if any(entry.free_symbols for entry in left + right):
            text += f" at {_POINTS} random points"
        for name, value in (("printed form", printed), ("rival", rival)):
            if value is None:
                continue
            value = _side(name, value)
            wrong = _entries(value)
            if _shape(value) != _shape(lhs):
                raise ValueError(f"the {name} must have the shape of lhs, got {_shape(value)}")
            gap = max(
                max(abs(v) for v in _numbers(a - b)) for a, b in zip(left, wrong, strict=True)
            )
            if gap < 1e-6:
                raise ClaimFailed(f"{self.id}: the {name} is not rejected, it differs by 0")
            text += f"; the {name} is rejected"
        return Verdict(self.id, self.says, "exact", text, _formula(rhs), printed is not None)

    def measured(
        self,
        estimate: Estimate,
        expected,
        printed=None,
        rival=None,
        bias=0.0,
        independent: bool = True,
    ) -> Verdict:
        """`estimate` agrees with `expected` and rejects a wrong rival.

        Parameters
        ----------
        estimate : Estimate
        expected : float or array
            From theory, never from the run itself.
        printed : float or array, optional
            The value that the source's wrong form gives.
        rival : float or array, optional
            Another wrong value, where the source is right. Without either,
            twice and half of `expected` must both be rejected.
        bias : float or array
            A stated bound on the systematic error of the experiment.
        independent : bool
            False where the values share randomness (one run seen at many
            times, one stream of batches for all): then their root mean square
            has no known law, and only the largest distance is looked at.

        Raises
        ------
        ClaimFailed
            If some value is off by more than `agreement(n)` standard errors, 4
            for a single value; if, of n independent values, the root mean
            square of z is above 1 + 3/√n, as when all are off the same way; or
            if a rival is nowhere off by 8: then the standard error is too
            large for the check to mean anything.
        """
        if not isinstance(estimate, Estimate):
            raise ValueError(f"estimate must be an Estimate, got {estimate!r}")
        expected, bias = numbers("expected", expected), numbers("bias", bias)
        if np.shape(bias) not in ((), expected.shape):
            raise ValueError(
                f"bias must be a number or shaped {expected.shape}, got shape {np.shape(bias)}"
            )
        if expected.shape != np.shape(estimate.value) or not np.isfinite(expected).all():
            raise ValueError(
                f"expected must be finite and shaped {np.shape(estimate.value)}, got {expected}"
            )
        distances = np.abs(np.asarray(estimate.z(expected, bias)))
        z, most = distances.max(), agreement(distances.size)
        shown = _shown(estimate, expected)
        if not z <= most:
            raise ClaimFailed(f"{self.id}: {shown}: |z| = {z:.1f} > {most:.3g}")
        together, limit = np.sqrt(np.mean(distances**2)), 1 + (AGREE - 1) / np.sqrt(distances.size)
        if flag("independent", independent) and not together <= limit:
            raise ClaimFailed(
                f"{self.id}: {shown}: the root mean square of z is {together:.2f} > {limit:.2f}"
            )
        if printed is None and rival is None:
            if not expected.any():
                raise ValueError("expected is 0, so twice it is no rival: name one in rival=")
            rivals = [("twice that", 2 * expected), ("half of it", expected / 2)]
        else:
            rivals = [("the printed form", printed), ("the rival", rival)]
        rejected = []
        for name, value in rivals:
            if value is None:
                continue
            value = np.asarray(real(name, value, axes=np.inf))
            if np.shape(value) != expected.shape or not np.isfinite(value).all():
                raise ValueError(
                    f"{name} must be finite and shaped {expected.shape}, got {value!r}"
                )
            off = np.abs(estimate.z(value, bias)).max()
            if not off >= REJECT:
                raise ClaimFailed(
                    f"{self.id}: {shown}: {name} is not rejected, |z| = {off:.1f} < {REJECT:g}"
                )
            rejected.append(f"{name}{_number(value)} is rejected at |z| = {_rounded(off)}")
        text = f"{shown}, |z| = {z:.1f}; {'; '.join(rejected)}"
        if np.any(bias):
            text += f"; allowed bias {np.max(bias):.2g}"
        return Verdict(self.id, self.says, "measured", text, corrected=printed is not None)


def agreement(n: int) -> float:
    """How many standard errors the worst of n true values may be off: 4 for one value.

    A true value is beyond 4 once in 16,000; the bound grows with n so that a
    set of n independent ones is refused as rarely (Šidák 1967).
    """
    tail = 2 * ndtr(-AGREE)
    return float(-ndtri(-np.expm1(np.log1p(-tail) / whole("n", n, 1)) / 2))


def claim(id: str, says: str) -> Claim:
    """The statement `says`, filed in the ledger under `id`.

    Parameters
    ----------
    id : str
        S for a source's statement, E for an erratum, B for what goes beyond.
    says : str
        What is confirmed and what is rejected, in words, without markup, in
        one line of at most 140 characters.

    Raises
    ------
    ValueError
        If `id` is not of the form S0.21, E4 or B2, or `says` is no such line.
    """
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise ValueError(f"id must look like 'S0.21', 'E4' or 'B2', got {id!r}")
    if not isinstance(says, str) or not 10 <= len(says.strip()) == len(says) <= _WORDS:
        raise ValueError(f"says must be one line of 10 to {_WORDS} characters, got {says!r}")
    if re.search(r"[\n$`<>&]", says):
        raise ValueError(f"says must be plain words: no $, `, <, > or &, got {says!r}")
    return Claim(id, says)


def _side(name: str, value) -> sp.Expr | sp.MatrixBase:
    """`value` as SymPy has it, or ValueError: text is not evaluated."""
    try:
        made = sp.sympify(value, strict=True)
    except (sp.SympifyError, TypeError):
        made = None
    if not isinstance(made, sp.Expr | sp.MatrixBase) or made is sp.nan:
        raise ValueError(f"{name} must be a SymPy expression or matrix, got {value!r}")
    return made


def _shape(value: sp.Expr | sp.MatrixBase) -> tuple[int, ...]:
    return getattr(value, "shape", ())


def _entries(value: sp.Expr | sp.MatrixBase) -> list[sp.Expr]:
    return list(value) if isinstance(value, sp.MatrixBase) else [value]


def _numbers(expression: sp.Expr) -> list[sp.Expr]:
    """The expression in high precision at points that respect its assumptions."""
    draw = random.Random(20)
    for function in sorted(expression.atoms(sp.core.function.AppliedUndef), key=str):
        weights = [sp.Rational(draw.randint(2, 9), 20) for _ in function.args]
        probe = [sp.Dummy() for _ in function.args]
        smooth = sp.exp(-sum(w * p**2 for w, p in zip(weights, probe, strict=True)))
        smooth *= 2 + sum(w * sp.sin(p) for w, p in zip(weights, probe, strict=True))
        expression = expression.replace(function.func, sp.Lambda(tuple(probe), smooth))
    if expression.has(sp.Derivative, sp.Subs):
        expression = expression.doit()
    symbols = sorted(expression.free_symbols, key=str)
    values = []
    for _ in range(_POINTS if symbols else 1):
        point = {s: _value(s, draw) for s in symbols}
        value = sp.N(expression.xreplace(point), _DIGITS)
        if not value.is_number or value.has(sp.nan, sp.zoo, sp.oo):
            raise ClaimFailed(f"no number at {point}: {value}")
        values.append(value)
    return values


def _value(symbol: sp.Symbol, draw: random.Random) -> sp.Expr:
    """A random value that the symbol's assumptions allow."""
    if symbol.is_integer:
        size = sp.Integer(draw.randint(2, 9))
        size += symbol.is_odd is True and size % 2 == 0
        size += symbol.is_even is True and size % 2 == 1
    else:
        size = sp.Rational(draw.randint(20, 220), 97)
    if symbol.is_nonnegative:  # a positive one is
        return size
    if symbol.is_nonpositive:
        return -size
    return size if symbol.is_integer else size * draw.choice((1, -1))


def _formula(value) -> str:
    tex = sp.latex(value)
    return tex if len(tex) <= 160 else ""


def _number(value) -> str:
    return "" if np.ndim(value) else f", {float(value):.6g},"


def _rounded(z: float) -> str:
    """Two digits are enough for a rejection."""
    return f"{float(f'{z:.2g}'):g}"


def _shown(estimate: Estimate, expected) -> str:
    if np.ndim(estimate.value):
        return f"at {np.size(estimate.value)} points, the largest gap"
    # Two digits of the error, and the value to the same place.
    places = max(0, 1 - int(np.floor(np.log10(estimate.standard_error))))
    return (
        f"{estimate.value:.{places}f} ± {estimate.standard_error:.{places}f}, "
        f"expected {float(expected):.6g}"
    )
