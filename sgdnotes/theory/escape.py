"""Theory: how often the parameters leave a well."""

from __future__ import annotations

import numpy as np

from sgdnotes.checks import positive
from sgdnotes.theory.passage import HalfLine, Unconfined

__all__ = [
    "escape_rate",
    "kramers_rate",
    "mean_first_passage_time",
    "two_temperature_rate",
]

_CALCULUS = {"ito": 0.0, "stratonovich": 0.5, "anti-ito": 1.0}


def kramers_rate(loss, minimum: float, barrier: float, temperature: float) -> float:
    """Kramers' rate √(H_a|H_b|)/(2π) exp(−(L(b) − L(a))/T), for small T.

    Parameters
    ----------
    loss : Loss
        Of one parameter.
    minimum, barrier : float
        a, the bottom of the well, and b, the top beside it.
    temperature : float
        T, in the units of the loss: the diffusivity of a noise √(2T) dW.

    Returns
    -------
    float
        Escapes per unit of SDE time; its inverse is the mean time.

    Raises
    ------
    ValueError
        If a is not a minimum, b not a maximum, or T not positive.

    Notes
    -----
    Kramers (1940); Ibayashi, "Kramer's escape problem with SGLD and SGD".
    """
    attempt, height = _well(loss, minimum, barrier)
    positive("temperature", temperature)
    return float(attempt * np.exp(-height / temperature))


def two_temperature_rate(
    loss,
    minimum: float,
    split: float,
    barrier: float,
    temperature_minimum: float,
    temperature_barrier: float,
    calculus: str = "ito",
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
    attempt, _ = _well(loss, minimum, barrier)
    if not min(minimum, barrier) < split < max(minimum, barrier):
        raise ValueError(f"split must lie between {minimum!r} and {barrier!r}, got {split!r}")
    positive("temperature_minimum", temperature_minimum)
    positive("temperature_barrier", temperature_barrier)
    if calculus not in _CALCULUS:
        raise ValueError(f"calculus must be one of {list(_CALCULUS)}, got {calculus!r}")
    low, middle, high = (float(loss.value(at)) for at in (minimum, split, barrier))
    climb = (middle - low) / temperature_minimum + (high - middle) / temperature_barrier
    jump = (temperature_barrier / temperature_minimum) ** (_CALCULUS[calculus] - 0.5)
    return float(attempt * jump * np.exp(-climb))


def mean_first_passage_time(loss, start: float, absorb: float, temperature: float) -> float:
    """Exact mean time of Langevin dynamics from `start` to `absorb`.

    (1/T) ∫ dy e^(L(y)/T) ∫ dz e^(−L(z)/T), with y from `start` to `absorb`
    and z from infinity, on the far side of `start`, to y. The quadrature works
    with logarithms, so no barrier is too high for it.

    Parameters
    ----------
    loss : Loss
        Of one parameter; it must confine on the side away from `absorb`.
    start, absorb : float
        `absorb` lies at the top of the barrier or beyond.
    temperature : float

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
    """
    positive("temperature", temperature)
    _one_parameter(loss, start=start, absorb=absorb)
    if start == absorb:
        raise ValueError(f"absorb must differ from start, got {absorb!r} for both")
    return HalfLine(loss, temperature, start, absorb, leftward=absorb < start).mean_time()


def escape_rate(loss, absorb: float, temperature: float) -> float:
    """Exact rate of escape: the smallest eigenvalue λ₁ of the generator.

    Walkers live to the left of `absorb`, where they are removed (to its right,
    if only there the loss has a well and a wall). Those that have survived
    for long leave at the rate λ₁, wherever they started.

    Parameters
    ----------
    loss : Loss
        Of one parameter.
    absorb : float
        c, at the top of the barrier or beyond.
    temperature : float

    Returns
    -------
    float
        Per unit of SDE time.

    Raises
    ------
    ValueError
        If an argument is not as above.

    Notes
    -----
    1/λ₁ is the largest eigenvalue of the operator that takes u to
    (1/T) ∫_x^c dy e^(L(y)/T) ∫_(−∞)^y dz e^(−L(z)/T) u(z), and so 1 to the
    mean time. Applied again and again it leaves the slowest mode.
    """
    positive("temperature", temperature)
    _one_parameter(loss, absorb=absorb)
    for leftward in (False, True):
        try:
            return 1.0 / HalfLine(loss, temperature, absorb, leftward=leftward).slowest_time()
        except Unconfined:
            continue
    raise Unconfined(
        f"loss must confine on one side of absorb = {absorb!r}, behind a well; it does on neither"
    )


def _one_parameter(loss, **points: float) -> None:
    if loss.dimension != 1:
        raise ValueError(f"loss must have 1 parameter, got {loss.dimension}")
    for name, value in points.items():
        if not np.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value!r}")


def _well(loss, minimum: float, barrier: float) -> tuple[float, float]:
    """√(H_a|H_b|)/(2π) and L(b) − L(a), if a is a minimum and b a maximum."""
    _one_parameter(loss, minimum=minimum, barrier=barrier)
    bends = []
    names = (("minimum", "minimum", minimum, 1), ("barrier", "maximum", barrier, -1))
    for name, kind, at, sign in names:
        slope, bend = float(loss.gradient(at)), float(loss.hessian(at))
        if not (sign * bend > 0 and abs(slope) <= 1e-4 * abs(bend * (barrier - minimum))):
            raise ValueError(
                f"{name} must be a {kind} of the loss, got {at!r}, where the slope is "
                f"{slope:.3g} and the curvature {bend:.3g}"
            )
        bends.append(abs(bend))
    height = float(loss.value(barrier) - loss.value(minimum))
    if not height > 0:
        raise ValueError(f"barrier must be higher than the minimum, got {barrier!r}")
    return np.sqrt(bends[0] * bends[1]) / (2 * np.pi), height
