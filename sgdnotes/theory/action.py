"""Theory: the quasi-potential and the path of least action, for noise that has directions."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from sgdnotes.checks import loss_of, shaped, symmetric, whole

__all__ = ["minimum_action"]

_MOST = 10_000  # points
_EVEN = 1.0  # weight, in units of the action, of uneven distances between the points
_ROUNDS = 12  # of descent at full length, with the points spread evenly again after each


def minimum_action(
    loss, start, end, diffusion, points: int = 100, path=None
) -> tuple[float, np.ndarray]:
    """The quasi-potential ψ(end) seen from a minimum, and the path of least action to it.

    For dΦ = −∇L dt + √(2εD) dW with a small ε, the settled density at `end` is
    exp(−ψ/ε) to leading order, and those that get there do it along the path. ψ is
    the least ½∫(‖∇L‖‖φ′‖ + ∇L·D⁻¹φ′) ds, with ‖v‖² = v·D⁻¹v, over all paths. If D is
    the identity, ψ = L(end) − L(start). In a bowl ψ = ½Φᵀ S⁻¹Φ with
    HS + SH = 2D. SGD has εD = ηΣ/(2B).

    Parameters
    ----------
    loss : Loss
        Of d ≥ 2 parameters.
    start : (d,) array
        A minimum.
    end : (d,) array
        In its basin, or on the basin's edge, as a saddle is.
    diffusion : (d, d) array
        D, positive definite.
    points : int
        Of the path, both ends included; the error falls as points⁻².
    path : (m, d) array, optional
        A first guess from start to end, instead of the straight line. The method
        finds the nearest path that no small change improves.

    Returns
    -------
    action : float
        ψ.
    path : (points, d) array

    Raises
    ------
    ValueError
        If an argument is not as above, or the descent does not end.

    Notes
    -----
    Freidlin and Wentzell (1984), chapter 4; the geometric action and its minimum:
    Heymann and Vanden-Eijnden (2008).
    """
    d, points = loss_of(loss).dimension, whole("points", points, 5, _MOST)
    if d < 2:
        raise ValueError("loss must have 2 parameters or more; in one ψ is ∫L′/D")
    ends = [shaped(name, at, (d,)) for name, at in (("start", start), ("end", end))]
    diffusion = shaped("diffusion", diffusion, (d, d))
    symmetric("diffusion", diffusion)
    if np.linalg.eigvalsh(diffusion)[0] <= 0:
        raise ValueError("diffusion must be positive definite")
    with np.errstate(all="ignore"):  # far out, where all overflow
        bend, slope = loss.hessian(ends[0]), np.linalg.norm(loss.gradient(ends[0]))
        softest = np.linalg.eigvalsh(bend)[0] if np.isfinite(bend).all() else np.nan
        steep = 1e-4 * softest * np.linalg.norm(ends[1] - ends[0])
    if not (softest > 0 and slope <= steep < np.inf):
        raise ValueError(f"start must be a minimum of the loss, got {ends[0].tolist()}")
    path = np.stack(ends) if path is None else shaped("path", path, (None, d))
    if not np.allclose(path[[0, -1]], ends, atol=1e-8):
        raise ValueError("path must be (m, d) and lead from start to end")
    # In the coordinates Ψ = D^(−½)Φ the length is the usual one.
    root = np.linalg.cholesky(diffusion)
    turn = np.linalg.inv(root)
    path, last = path @ turn.T, np.inf
    # From few points to many: a short path is soon nearly right.
    fewer = [points >> k for k in range(points.bit_length() - 4, 0, -1)]
    for count in [*fewer, *[points] * _ROUNDS]:
        path = _even(path, count)
        inner, fixed = path[1:-1], path[[0, -1]]
        given = loss, root, turn, fixed
        unit = _action(inner.ravel(), *given)[0] or 1.0  # the descent stops at sizes near 1
        found = minimize(
            _weighed, inner.ravel(), (unit, given), "L-BFGS-B", jac=True,
            options={"maxiter": 1000, "maxfun": 2000, "ftol": 1e-10, "gtol": 1e-8},
        )  # fmt: skip
        path = _even(np.vstack([fixed[:1], found.x.reshape(inner.shape), fixed[1:]]), count)
        value = _action(path[1:-1].ravel(), *given)[0]
        if count == points and abs(value - last) <= 1e-5 * abs(value):
            return float(value), path @ root.T
        last = value if count == points else np.inf
    raise ValueError(
        f"path must start nearer to the least action: after {_ROUNDS} rounds it still falls, "
        f"to {last:.6g}"
    )


def _weighed(inner, unit, given):
    """The action in units, and a weight on uneven distances: they would gain only by error."""
    value, gradient = _action(inner, *given)
    fixed = given[-1]
    step = np.diff(np.vstack([fixed[:1], inner.reshape(-1, fixed.shape[1]), fixed[1:]]), axis=0)
    long = np.maximum(np.linalg.norm(step, axis=1), 1e-300)
    uneven = long / long.mean() - 1
    by_long = 2 * (uneven - np.mean(uneven * (uneven + 1))) / long.sum()
    by_step = step * (by_long / long)[:, None]
    gradient = gradient / unit + _EVEN * (by_step[:-1] - by_step[1:]).ravel()
    return value / unit + _EVEN * np.mean(uneven**2), gradient


def _even(path, points):
    """The same path with points at equal distances."""
    length = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))]
    at = np.linspace(0.0, length[-1], points)
    return np.stack([np.interp(at, length, column) for column in path.T], axis=1)


def _action(inner, loss, root, turn, fixed):
    """The action of a path in Ψ by the midpoint rule, and its gradient."""
    path = np.vstack([fixed[:1], inner.reshape(-1, fixed.shape[1]), fixed[1:]])
    step, middle = np.diff(path, axis=0), (path[1:] + path[:-1]) / 2 @ root.T
    # The drift of Ψ is −f, with f = D^(−½)∇L.
    f = loss.gradient(middle) @ turn.T
    bend = turn @ loss.hessian(middle) @ root  # ∂f/∂Ψ
    size = np.linalg.norm(f, axis=1, keepdims=True)
    long = np.linalg.norm(step, axis=1, keepdims=True)
    value = ((size * long).sum() + (f * step).sum()) / 2
    size, long = np.maximum(size, 1e-300), np.maximum(long, 1e-300)
    by_f = f / size * long + step
    by_middle = np.einsum("ni,nij->nj", by_f, bend) / 2
    by_step = step / long * size + f
    total = np.zeros_like(path)
    total[1:] += (by_middle + by_step) / 2
    total[:-1] += (by_middle - by_step) / 2
    return value, total[1:-1].ravel()
