"""Theory: how fast a body with inertia forgets in which valley it began."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import block_array, csc_array, diags_array, eye_array
from scipy.sparse.linalg import splu

from sgdnotes.checks import loss_of, positive, shaped, whole

__all__ = ["inertial_relaxation_rate"]

_FIRST, _MOST = 8, 1024  # Hermite functions of the velocity
_SAME = 1e-4  # relative change of the rate at twice as many; of the next it is far less
_ROUNDS = 200
_CELLS = 10_000


def inertial_relaxation_rate(
    loss, box: Sequence[float], temperature: float, mass: float, cells: int = 200
) -> float:
    """The slowest rate at which mΦ̈ + Φ̇ = −L′ + √(2T) Ẇ settles.

    It is the eigenvalue of the Klein-Kramers equation next to 0. Between two valleys it
    is the sum of the rates there and back, at any height of the barrier and for any
    mass; where the valleys are alike each rate is half of it.

    Parameters
    ----------
    loss : Loss
        Of one parameter.
    box : (low, high)
        No body leaves it: put the walls where the loss is many T.
    temperature : float
        T, in the units of the loss.
    mass : float
        m, in units of time, the friction being 1. SGD with learning rate η and momentum
        μ has ½(1 + μ)η/(1 − μ)², in the time of steps of η/(1 − μ).
    cells : int
        Of the grid in Φ; the error falls as their number squared.

    Returns
    -------
    float
        Per unit of SDE time.

    Raises
    ------
    ValueError
        If an argument is not as above, the mass so large that 1024 Hermite functions do
        not suffice, or the barrier so high that rounding hides the rate.

    Notes
    -----
    The density, over the square root of the Gibbs density, is expanded in Hermite
    functions of the velocity: a chain of functions of Φ, each coupled to its neighbours
    (Risken, 1996, section 10.3). Those of even order live at the centres of cells, those
    of odd order between them; differences are fitted exponentially, so that the Gibbs
    density is stationary on the grid. The number of functions is doubled until the
    rate changes by less than 10⁻⁴; it converges faster than any power.
    """
    loss_of(loss, 1)
    temperature, mass = positive("temperature", temperature), positive("mass", mass)
    cells = whole("cells", cells, 10, _CELLS)
    low, high = shaped("box", box, (2,))
    if not low < high:
        raise ValueError(f"box must be (low, high), got {box!r}")
    width = (high - low) / cells
    centres = low + width * (np.arange(cells) + 0.5)
    walls = low + width * np.arange(1, cells)  # between two cells
    with np.errstate(all="ignore"):
        loss_there = loss.value(centres)
        gibbs = np.exp(-(loss_there - loss_there.min()) / (2 * temperature))
        gibbs /= np.linalg.norm(gibbs)
        slopes = [
            _slope(loss_there, temperature, width, inner=True),
            _slope(loss.value(np.r_[low, walls, high]), temperature, width, inner=False),
        ]
        speed = np.sqrt(temperature / mass)
        steepest = max(abs(slope.data).max() for slope in slopes) * speed
    if not (np.isfinite(gibbs).all() and np.isfinite(steepest)):
        raise ValueError(
            "temperature must be so high, mass neither so small nor so large, and box where the "
            f"loss is such, that all rates are numbers, got {temperature!r}, {mass!r}, {box!r}"
        )
    orders, before = _FIRST, np.inf
    while orders <= _MOST:
        with np.errstate(all="ignore"):
            rate = _slowest(slopes, gibbs, speed, mass, orders)
        if abs(rate - before) <= _SAME * rate:
            return rate
        orders, before = 2 * orders, rate
    raise ValueError(
        f"mass must be smaller: {_MOST} Hermite functions of the velocity do not suffice "
        f"for {mass!r}"
    )


def _slope(values, temperature, width, inner):
    """∂ + L′/(2T): from the centres to the walls between them, or from these back."""
    u = np.diff(values) / (4 * temperature)
    n = len(u)
    if inner:
        parts, at, shape = [-np.exp(-u), np.exp(u)], [0, 1], (n, n + 1)
    else:
        parts, at, shape = [np.exp(u[:-1]), -np.exp(-u[1:])], [0, -1], (n, n - 1)
    return diags_array(parts, offsets=at, shape=shape) / width


def _slowest(slopes, gibbs, speed, mass, orders):
    """The eigenvalue nearest to 0 of all that is orthogonal to the Gibbs density."""
    rows = [[None] * orders for _ in range(orders)]
    for k in range(orders):
        rows[k][k] = -k / mass * eye_array(len(gibbs) - k % 2)
        if k + 1 < orders:
            up = np.sqrt(k + 1) * speed * slopes[k % 2]
            rows[k + 1][k], rows[k][k + 1] = -up, up.T
    chain = csc_array(block_array(rows))
    if not np.isfinite(chain.data).all():
        raise ValueError(f"mass must be larger: its rates overflow at {mass!r}")
    size = chain.shape[0]
    # Away from the eigenvalue 0, and by little beside all others.
    shift = 1e-9 * min(1 / mass, speed)
    solve = splu(csc_array(chain - shift * eye_array(size))).solve
    rest = np.zeros(size)
    rest[: len(gibbs)] = gibbs
    mode = rest * np.r_[np.linspace(-1, 1, len(gibbs)), np.zeros(size - len(gibbs))]
    decay = np.inf
    for _ in range(_ROUNDS):
        mode -= rest * (rest @ mode)
        mode /= np.linalg.norm(mode)
        new, before = solve(mode), decay
        decay = -1 / (mode @ new) - shift
        if abs(decay - before) <= 1e-9 * abs(decay):
            break
        mode = new
    else:
        raise ValueError("loss must have two valleys: no single mode is the slowest")
    if not decay > 1e3 * np.finfo(float).eps * abs(chain.data).max():
        raise ValueError(
            f"temperature must be higher: the rate is of the order of {abs(decay):.1g}, "
            "and rounding hides it"
        )
    return float(decay)
