"""Theory: how often the parameters leave a well."""

from __future__ import annotations

import numpy as np

from sgdnotes.checks import choice, finite, flag, loss_of, numbers, positive
from sgdnotes.theory.logarithm import told
from sgdnotes.theory.passage import Interval
from sgdnotes.theory.walls import Energy, Unconfined, is_level, refuse_uphill, wall

__all__ = [
    "escape_rate",
    "kramers_rate",
    "mean_first_passage_time",
    "two_temperature_rate",
]

_CALCULUS = {"ito": 0.0, "stratonovich": 0.5, "anti-ito": 1.0}


def kramers_rate(
    loss, minimum: float, barrier: float, temperature: float, *, log: bool = False
) -> float:
    """Kramers' rate √(H_a|H_b|)/(2π) exp(−(L(b) − L(a))/T), for small T.

    Parameters
    ----------
    loss : Loss
        Of one parameter.
    minimum, barrier : float
        a, the bottom of the well, and b, the top beside it, to four digits of
        their distance.
    temperature : float
        T, in the units of the loss: the diffusivity of a noise √(2T) dW.
    log : bool
        Whether to return the natural logarithm of the rate.

    Returns
    -------
    float
        Escapes per unit of SDE time; its inverse is the mean time.

    Raises
    ------
    ValueError
        If a is not a minimum, b not a maximum beside it, T not positive, or
        the rate beyond what a float holds.

    Notes
    -----
    Kramers (1940); Ibayashi, "Kramer's escape problem with SGLD and SGD".
    """
    minimum, barrier = finite("minimum", minimum), finite("barrier", barrier)
    temperature = positive("temperature", temperature)
    attempt, height = _well(loss, minimum, barrier)
    return told(np.log(attempt) - height / temperature, log, "rate", temperature)


def two_temperature_rate(
    loss,
    minimum: float,
    split: float,
    barrier: float,
    temperature_minimum: float,
    temperature_barrier: float,
    calculus: str = "ito",
    *,
    log: bool = False,
) -> float:
    """Kramers' rate with one temperature on each side of a point.

    √(H_a|H_b|)/(2π) (T_b/T_a)^(α−½) exp(−(L(s)−L(a))/T_a − (L(b)−L(s))/T_b),
    with α = 0 for Itô, ½ for Stratonovich and 1 for anti-Itô.

    Parameters
    ----------
    loss : Loss
    minimum, split, barrier : float
        a, s and b; s lies between the others.
    temperature_minimum, temperature_barrier : float
        T_a, from s on the side of a, and T_b, on the side of b.
    calculus : "ito", "stratonovich" or "anti-ito"
        Whether a step reads its noise at its start, half-way or at its end:
        the flux is −L′P − T^α (T^(1−α) P)′.
    log : bool
        Whether to return the natural logarithm of the rate.

    Returns
    -------
    float
        Escapes per unit of SDE time.

    Raises
    ------
    ValueError
        As `kramers_rate`, for each temperature; or if s is not between a and
        b, or the calculus is none of these.
    """
    minimum, split, barrier = (
        finite(name, at)
        for name, at in (("minimum", minimum), ("split", split), ("barrier", barrier))
    )
    temperature_minimum = positive("temperature_minimum", temperature_minimum)
    temperature_barrier = positive("temperature_barrier", temperature_barrier)
    attempt, _ = _well(loss, minimum, barrier)
    if not min(minimum, barrier) < split < max(minimum, barrier):
        raise ValueError(f"split must lie between {minimum!r} and {barrier!r}, got {split!r}")
    choice("calculus", calculus, list(_CALCULUS))
    low, middle, high = (float(loss.value(at)) for at in (minimum, split, barrier))
    climb = (middle - low) / temperature_minimum + (high - middle) / temperature_barrier
    jump = (_CALCULUS[calculus] - 0.5) * np.log(temperature_barrier / temperature_minimum)
    coldest = min(temperature_minimum, temperature_barrier)
    return told(np.log(attempt) + jump - climb, log, "rate", coldest)


def mean_first_passage_time(
    loss,
    start: float,
    absorb,
    temperature: float,
    *,
    reflect: float | None = None,
    uphill: bool = False,
    log: bool = False,
) -> float:
    """Exact mean time of Langevin dynamics from `start` to `absorb`.

    (1/T) ∫ dy e^(L(y)/T) ∫ dz e^(−L(z)/T), with y from `start` to `absorb`
    and z from infinity, on the far side of `start`, to y. The quadrature works
    with logarithms, so no barrier is too high for it.

    Parameters
    ----------
    loss : Loss
        Of one parameter; on the side of `start` away from `absorb` it must
        confine, or be +∞ from some point on.
    start : float
    absorb : float or (float, float)
        Where walkers are removed, at the top of the barrier or beyond; or two
        such places, one on each side of `start`.
    temperature : float
    reflect : float, optional
        A wall on the far side of `start` that turns walkers back.
    uphill : bool
        Whether `absorb` may lie short of the top: a first passage to a level,
        and no escape.
    log : bool
        Whether to return the natural logarithm of the time.

    Returns
    -------
    float
        In units of SDE time.

    Raises
    ------
    ValueError
        If an argument is not as above, or the time exceeds what a float holds.

    Notes
    -----
    Gardiner, "Stochastic Methods", first passage times in one dimension.

    No pit or spike is too narrow if the loss is a `Loss` of powers, exp, log,
    sin, cos, tanh, sinh, cosh, atan, asinh, abs, sign, Max, Min and Piecewise:
    bounds of it on each cell say where to look closer. Of any other, a
    `DataLoss` or a class of your own, only values are known, at 1600 nodes or
    more between two of the points above: a pit between nodes is missed unsaid.
    """
    start, temperature = finite("start", start), positive("temperature", temperature)
    reflect = None if reflect is None else finite("reflect", reflect)
    one, two = _ends(loss, absorb, reflect)
    if start in (one, two):
        raise ValueError(f"absorb must differ from start, got {start!r} for both")
    stops = (one,) if two is None else (one, two)
    energy = _energy(loss, temperature, start=start, absorb=absorb, reflect=reflect)
    if two is None and reflect is None:
        two = wall(energy, (start, one), side=1 if one < start else -1, behind_a_well=False)
    low, high = sorted((one, reflect if two is None else two))
    if not low <= start <= high:
        raise ValueError(f"start must lie between {low!r} and {high!r}, got {start!r}")
    interval = Interval(energy, sorted({low, start, high}), (low in stops, high in stops))
    if not flag("uphill", uphill):
        for stop in stops:
            at = interval.edges[:: -1 if stop == low else 1]
            refuse_uphill(energy, at[np.flatnonzero(at == start)[0] :], stop)
    return told(interval.log_mean_time(start), log, "mean time", temperature)


def escape_rate(
    loss,
    absorb,
    temperature: float,
    *,
    reflect: float | None = None,
    uphill: bool = False,
    log: bool = False,
) -> float:
    """Exact rate of escape: the smallest eigenvalue λ₁ of the generator.

    Walkers live to the left of `absorb`, where they are removed (to its right,
    if only there the loss has a well and a wall). Those that have survived
    for long leave at the rate λ₁, wherever they started.

    Parameters
    ----------
    loss : Loss
        Of one parameter.
    absorb : float or (float, float)
        c, at the top of the barrier or beyond; or two such places, and
        walkers live between them.
    temperature : float
    reflect : float, optional
        A wall that turns walkers back; they live between it and c.
    uphill : bool
        Whether c may lie short of the top: a first passage to a level, and no
        escape.
    log : bool
        Whether to return the natural logarithm of the rate.

    Returns
    -------
    float
        Per unit of SDE time.

    Raises
    ------
    ValueError
        If an argument is not as above, the rate is beyond what a float holds,
        or the bounds of 1/λ₁ do not meet.

    Notes
    -----
    1/λ₁ is the largest eigenvalue of the operator K that takes u to
    (1/T) ∫_x^c dy e^(L(y)/T) ∫_(−∞)^y dz e^(−L(z)/T) u(z), and so 1 to the
    mean time. Applied again and again it leaves the slowest mode. It stops
    when the least and the largest value of Ku/u, between which 1/λ₁ lies for
    any positive u, agree to ten digits.
    Narrow pits are found or missed as for `mean_first_passage_time`.
    """
    temperature = positive("temperature", temperature)
    reflect = None if reflect is None else finite("reflect", reflect)
    one, two = _ends(loss, absorb, reflect)
    stops = (one,) if two is None else (one, two)
    energy = _energy(loss, temperature, absorb=absorb, reflect=reflect)
    if two is None and reflect is None:
        two = _some_wall(energy, one)
    low, high = sorted((one, reflect if two is None else two))
    interval = Interval(energy, (low, high), (low in stops, high in stops))
    if not flag("uphill", uphill):
        for stop in stops:
            refuse_uphill(energy, interval.edges[:: -1 if stop == low else 1], stop)
    return told(-interval.log_slowest_time(), log, "rate", temperature)


def _ends(loss, absorb, reflect):
    """The places that remove walkers, two or one and None; all of them checked."""
    loss_of(loss, 1)
    points = numbers("absorb", absorb)
    if points.shape not in ((), (2,)) or not np.isfinite(points).all():
        raise ValueError(f"absorb must be one finite point or two, got {absorb!r}")
    if points.ndim == 0:
        if reflect is not None and reflect == points:
            raise ValueError(f"reflect must differ from absorb, got {reflect!r} for both")
        return float(points), None
    if reflect is not None:
        raise ValueError(f"reflect must be None where absorb has two points, got {reflect!r}")
    if points[0] == points[1]:
        raise ValueError(f"absorb must be two different points, got {absorb!r}")
    return tuple(points.tolist())


def _energy(loss, temperature: float, **points) -> Energy:
    """L/T, if it is finite at these points: elsewhere it may be +∞."""
    energy = Energy(loss, temperature)
    for name, at in points.items():
        if at is not None and not np.isfinite(energy(numbers(name, at))).all():
            raise ValueError(f"{name} must be where loss/temperature is finite, got {at!r}")
    return energy


def _some_wall(energy: Energy, absorb: float) -> float:
    """To the left if there is a well, or else to the right; or where there is a wall at all."""
    for behind_a_well in (True, False):
        for side in (-1, 1):
            try:
                return wall(energy, (absorb,), side, behind_a_well)
            except Unconfined:
                continue
    raise Unconfined(f"loss must confine on one side of absorb = {absorb!r}; it does on neither")


def _well(loss, minimum: float, barrier: float) -> tuple[float, float]:
    """√(H_a|H_b|)/(2π) and L(b) − L(a), if a is a minimum and b a maximum beside it."""
    loss_of(loss, 1)
    bends = []
    names = (("minimum", "minimum", minimum, 1), ("barrier", "maximum", barrier, -1))
    for name, kind, at, sign in names:
        with np.errstate(all="ignore"):  # far out, where both overflow
            slope, bend = float(loss.gradient(at)), float(loss.hessian(at))
        if not is_level(slope, bend, barrier - minimum, sign):
            raise ValueError(
                f"{name} must be a {kind} of the loss, got {at!r}, where the slope is "
                f"{slope:.3g} and the curvature {bend:.3g}"
            )
        bends.append(abs(bend))
    low, high = float(loss.value(minimum)), float(loss.value(barrier))
    if not high > low:
        raise ValueError(f"barrier must be higher than the minimum, got {barrier!r}")
    between = loss.value(np.linspace(minimum, barrier, 2001))
    slack = 1e-6 * (high - low)
    if between.min() < low - slack or between.max() > high + slack:
        raise ValueError(
            f"barrier must be the top beside the minimum, got {barrier!r}: between it and "
            f"{minimum!r} the loss falls to {between.min():.6g} and rises to {between.max():.6g}, "
            f"beyond {low:.6g} and {high:.6g}"
        )
    return np.sqrt(bends[0] * bends[1]) / (2 * np.pi), high - low
