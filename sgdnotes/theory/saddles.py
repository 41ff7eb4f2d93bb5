"""Theory: how often the parameters cross a saddle, in any number of dimensions."""

from __future__ import annotations

import numpy as np

from sgdnotes.checks import loss_of, positive, shaped
from sgdnotes.theory.logarithm import told

__all__ = ["eyring_kramers_rate", "inertial_rate"]


def eyring_kramers_rate(
    loss, minimum, saddle, temperature: float, mobility=None, *, log: bool = False
) -> float:
    """Rate of escape over a saddle, λ₊/(2π) √(det H_a/−det H_b) exp(−ΔL/T), for small T.

    H_a and H_b are the Hessians at the minimum and at the saddle, and λ₊ is the
    growth rate of the one direction in which the drift leaves the saddle: −λ₋, the
    size of the negative eigenvalue of H_b, unless there is a mobility.

    Parameters
    ----------
    loss : Loss
        Of d ≥ 1 parameters.
    minimum, saddle : float or (d,) array
        a, and b, whose Hessian has exactly one negative eigenvalue.
    temperature : float
        T, in the units of the loss.
    mobility : (d, d) array, optional
        M of dΦ = −M∇L dt + √(2T) M_s^½ dW, with a positive definite symmetric part
        M_s. Then exp(−L/T) is still stationary, and λ₊ is the positive eigenvalue
        of −M H_b. An antisymmetric part stirs along the level lines, and the
        rate can only rise.
    log : bool
        Whether to return the natural logarithm of the rate.

    Returns
    -------
    float
        Escapes over this saddle per unit of SDE time. Over several, the rates add.

    Raises
    ------
    ValueError
        If a is not a minimum, b not a saddle of index 1 above it, T is not positive,
        M_s is not positive definite, or the rate is beyond what a float holds.

    Notes
    -----
    Eyring (1935), Kramers (1940), Langer (1969); proved by Bovier, Eckhoff, Gayrard and
    Klein (2004), with an antisymmetric part by Landim, Mariani and Seo (2019), as a
    case of Bouchet and Reygner (2016).
    """
    temperature = positive("temperature", temperature)
    bowl, top, height = _pass(loss, minimum, saddle)
    if mobility is None:
        growth = -np.linalg.eigvalsh(top)[0]
    else:
        mobility = shaped("mobility", mobility, top.shape)
        if np.linalg.eigvalsh(mobility + mobility.T)[0] <= 0:
            raise ValueError(f"mobility must have a positive definite symmetric part: {mobility!r}")
        growth = np.linalg.eigvals(-mobility @ top).real.max()
    log_rate = np.log(growth) + _log_shape(bowl, top) - height / temperature
    return told(log_rate, log, "rate", temperature)


def inertial_rate(
    loss, minimum, saddle, temperature: float, mass: float, *, log: bool = False
) -> float:
    """Rate of escape over a saddle of mΦ̈ + Φ̇ = −∇L + √(2T) Ẇ: Kramers's law with inertia.

    λ₊/(2π) √(det H_a/−det H_b) exp(−ΔL/T), with λ₊ = (√(1 − 4mλ₋) − 1)/(2m) and λ₋ the
    negative eigenvalue of H_b. SGD with momentum μ and learning rate η has the mass
    m = η/(1 − μ)², in the time of steps of η/(1 − μ).

    Parameters
    ----------
    loss, minimum, saddle, temperature
        As in `eyring_kramers_rate`.
    mass : float
        m, in units of time; as m → 0 the rate is that without inertia.
    log : bool
        Whether to return the natural logarithm of the rate.

    Returns
    -------
    float
        Escapes per unit of SDE time.

    Raises
    ------
    ValueError
        As `eyring_kramers_rate`, or if m is not positive.

    Notes
    -----
    Kramers (1940), equation 25; Langer (1969). For ΔL ≫ T, and a mass so small
    that friction acts within one swing: far beyond, the rate is that of
    gaining energy and falls as 1/m (the turnover).
    """
    temperature, mass = positive("temperature", temperature), positive("mass", mass)
    bowl, top, height = _pass(loss, minimum, saddle)
    down = -np.linalg.eigvalsh(top)[0]
    growth = 2 * down / (np.sqrt(1 + 4 * mass * down) + 1)  # stable as m → 0
    log_rate = np.log(growth) + _log_shape(bowl, top) - height / temperature
    return told(log_rate, log, "rate", temperature)


def _log_shape(bowl, top) -> float:
    """Log of √(det H_a/|det H_b|)/(2π)."""
    (_, low), (_, high) = np.linalg.slogdet(bowl), np.linalg.slogdet(top)
    return (low - high) / 2 - np.log(2 * np.pi)


def _pass(loss, minimum, saddle):
    """Both Hessians as matrices, and ΔL, if they are what they are called."""
    d = loss_of(loss).dimension
    shape = (d,) if d > 1 else ()
    points = [shaped(name, at, shape) for name, at in (("minimum", minimum), ("saddle", saddle))]
    with np.errstate(over="ignore"):
        distance = np.linalg.norm(points[1] - points[0])
    bends = []
    for name, at, index in zip(("minimum", "saddle"), points, (0, 1), strict=True):
        with np.errstate(all="ignore"):  # far out, where both overflow
            bend = np.reshape(loss.hessian(at), (d, d))
            slope = np.linalg.norm(loss.gradient(at))
        if not np.isfinite(bend).all():
            raise ValueError(f"{name} must be where the curvature is finite, got {at.tolist()}")
        curvatures = np.linalg.eigvalsh(bend)
        flat = np.abs(curvatures).min() <= 1e-10 * np.abs(curvatures).max()
        if not slope <= 1e-4 * np.abs(curvatures).min() * distance < np.inf or flat:
            raise ValueError(
                f"{name} must be a critical point, got {at.tolist()}, where the slope is "
                f"{slope:.3g} and the curvatures are {curvatures}"
            )
        if (found := int((curvatures < 0).sum())) != index:
            raise ValueError(
                f"{name} must have {index} negative curvatures, got {found} at {at.tolist()}"
            )
        bends.append(bend)
    height = float(loss.value(points[1]) - loss.value(points[0]))
    if not height > 0:
        raise ValueError(f"saddle must be higher than the minimum, got {points[1].tolist()}")
    return *bends, height
