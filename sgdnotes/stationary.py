"""Theory: the law that the parameters settle into."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import solve_continuous_lyapunov, solve_discrete_lyapunov

__all__ = [
    "Density",
    "UnstableLearningRate",
    "circulation",
    "gibbs_density",
    "sde_covariance",
    "sgd_covariance",
]

_TAIL = 80.0  # a domain ends where the density has fallen by e^-80
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_CELLS = 400  # Gauss-Legendre cells along each axis of a 1-D domain
_CELLS_2D = 60


class UnstableLearningRate(ValueError):
    """The learning rate is at or above the edge of stability.

    Attributes
    ----------
    learning_rate, limit : float
    """

    def __init__(self, learning_rate: float, limit: float):
        super().__init__(learning_rate, limit)
        self.learning_rate, self.limit = learning_rate, limit

    def __str__(self):
        return (
            f"learning_rate must be below {self.limit:.6g}, the edge of stability, "
            f"got {self.learning_rate:.6g}"
        )


class Density:
    """A normalised density on a box outside of which it is negligible.

    Call it at points (…,) or (…, d); it returns (…,) values.

    Attributes
    ----------
    normalisation : float
        Z = ∫ exp(−L/T). It overflows to inf if L/T is very negative;
        `log_normalisation` does not.
    log_normalisation : float
    support : list of d pairs (low, high)
    """

    def __init__(self, exponent: Callable, support, dimension: int):
        self._exponent = exponent
        self.dimension = dimension
        self.support = support
        self._points, weights = _grid(support)
        logs = exponent(self._points)
        top = logs.max()
        mass = weights * np.exp(logs - top)
        self._mass = mass / mass.sum()
        self.log_normalisation = float(top + np.log(mass.sum()))
        with np.errstate(over="ignore"):
            self.normalisation = float(np.exp(self.log_normalisation))

    def __call__(self, x) -> np.ndarray:
        return np.exp(self._exponent(np.asarray(x, dtype=float)) - self.log_normalisation)

    def expectation(self, function: Callable) -> float:
        """∫ f p, for a function of points that returns one value a point."""
        return float((self._mass * function(self._points)).sum())

    def bin_averages(self, edges) -> np.ndarray:
        """The 1-D density averaged over each bin: what a histogram estimates."""
        edges = np.asarray(edges, dtype=float)
        half = np.diff(edges)[:, None] / 2
        middle = (edges[:-1, None] + edges[1:, None]) / 2
        return (self(middle + half * _NODES) * _WEIGHTS).sum(1) / 2


def _grid(support):
    axes = []
    for low, high in support:
        edges = np.linspace(low, high, (_CELLS if len(support) == 1 else _CELLS_2D) + 1)
        half = np.diff(edges)[:, None] / 2
        middle = (edges[:-1, None] + edges[1:, None]) / 2
        axes.append(((middle + half * _NODES).ravel(), (half * _WEIGHTS).ravel()))
    if len(axes) == 1:
        return axes[0]
    (x, wx), (y, wy) = axes
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    return points, wx[:, None] * wy


def _scan(dimension: int, low, high, size: int):
    axes = [np.linspace(a, b, size) for a, b in zip(low, high, strict=True)]
    if dimension == 1:
        return axes, axes[0]
    return axes, np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def _support(exponent: Callable, dimension: int):
    """The box around the mass: grow until the walls are low, then shrink."""
    size = 4001 if dimension == 1 else 401
    reach = 1.0
    while True:
        low, high = [-reach] * dimension, [reach] * dimension
        axes, points = _scan(dimension, low, high, size)
        logs = exponent(points)
        if not np.isfinite(logs).all():
            raise ValueError(f"loss must be finite, got nan or inf within {reach:g} of the origin")
        inside = logs > logs.max() - _TAIL
        walls = [np.take(inside, k, axis=i).any() for i in range(dimension) for k in (0, -1)]
        if not any(walls):
            break
        reach *= 2
        if reach > 1e9:
            raise ValueError(
                "loss must confine: exp(-loss/temperature) does not fall off within 1e9 "
                "of the origin, so it has no normalisation"
            )
    for _ in range(6):
        for i in range(dimension):
            used = np.flatnonzero(inside.any(axis=tuple(j for j in range(dimension) if j != i)))
            low[i] = axes[i][max(used[0] - 1, 0)]
            high[i] = axes[i][min(used[-1] + 1, size - 1)]
        axes, points = _scan(dimension, low, high, size)
        logs = exponent(points)
        inside = logs > logs.max() - _TAIL
    return list(zip(low, high, strict=True))


def gibbs_density(loss, temperature: float) -> Density:
    """The normalised Gibbs density exp(−L/T)/Z in one or two dimensions.

    Parameters
    ----------
    loss : Loss
        It must confine: exp(−L/T) must fall off in every direction.
    temperature : float
        T, in the units of the loss. SGD in one dimension has T = ησ²/2.

    Returns
    -------
    Density

    Raises
    ------
    ValueError
        If T is not positive, d > 2, or the loss does not confine.

    Notes
    -----
    TTIC 31230 (2020), "Stationary distributions of SDEs and temperature".
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature must be positive and finite, got {temperature!r}")
    if loss.dimension > 2:
        raise ValueError(f"loss must have 1 or 2 parameters, got {loss.dimension}")

    def exponent(x):
        return -loss.value(x) / temperature

    return Density(exponent, _support(exponent, loss.dimension), loss.dimension)


def _as_matrices(hessian, noise_covariance):
    """Both as (d, d) arrays, whether the answer is a scalar, and H's eigenvalues."""
    h = np.asarray(hessian, dtype=float)
    sigma = np.asarray(noise_covariance, dtype=float)
    if h.shape != sigma.shape or h.ndim not in (0, 2):
        raise ValueError(
            "hessian and noise_covariance must both be numbers or both (d, d), "
            f"got shapes {h.shape} and {sigma.shape}"
        )
    scalar = h.ndim == 0
    h, sigma = np.atleast_2d(h), np.atleast_2d(sigma)
    for name, matrix in (("hessian", h), ("noise_covariance", sigma)):
        if not np.isfinite(matrix).all() or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"{name} must be square and finite, got {matrix.tolist()}")
        if not np.allclose(matrix, matrix.T):
            raise ValueError(f"{name} must be symmetric, got {matrix.tolist()}")
    curvatures = np.linalg.eigvalsh(h)
    if curvatures[0] <= 0:
        raise ValueError(
            f"hessian must be positive definite, its smallest eigenvalue is {curvatures[0]:.6g}"
        )
    spread = np.linalg.eigvalsh(sigma)
    if spread[0] < -1e-12 * max(spread[-1], 1e-300):
        raise ValueError(
            "noise_covariance must be positive semidefinite, "
            f"its smallest eigenvalue is {spread[0]:.6g}"
        )
    return h, sigma, scalar, curvatures


def _positive_rate(learning_rate: float) -> None:
    if not 0 < learning_rate < np.inf:
        raise ValueError(f"learning_rate must be positive and finite, got {learning_rate!r}")


def _shaped(matrix, scalar: bool):
    return float(matrix[0, 0]) if scalar else (matrix + matrix.T) / 2


def sde_covariance(hessian, noise_covariance, learning_rate: float):
    """Stationary covariance of dΦ = −HΦ dt + √(ηΣ) dW: HS + SH = ηΣ.

    Parameters
    ----------
    hessian, noise_covariance : float or (d, d) array
        H (positive definite) and Σ (positive semidefinite).
    learning_rate : float
        η.

    Returns
    -------
    float or (d, d) array
        S, in the units of Φ squared.

    Raises
    ------
    ValueError
        If a matrix is not as above, or η is not positive.
    """
    h, sigma, scalar, _ = _as_matrices(hessian, noise_covariance)
    _positive_rate(learning_rate)
    return _shaped(solve_continuous_lyapunov(h, learning_rate * sigma), scalar)


def sgd_covariance(
    hessian, noise_covariance, learning_rate: float, batch_size: int = 1, momentum: float = 0.0
):
    """Exact stationary covariance of discrete SGD on a quadratic.

    The chain is v ← μv + η(HΦ + ξ), Φ ← Φ − v, with Cov ξ = Σ/B. Without
    momentum this solves HS + SH − ηHSH = ηΣ/B.

    Parameters
    ----------
    hessian, noise_covariance : float or (d, d) array
    learning_rate : float
        η, below 2(1 + μ)/λ_max(H).
    batch_size : int
    momentum : float
        μ, in [0, 1).

    Returns
    -------
    float or (d, d) array

    Raises
    ------
    UnstableLearningRate
        If η is at or above the edge of stability; it carries the edge.
    ValueError
        If another argument is not as above.

    Notes
    -----
    Without momentum: Liu, Ziyin and Ueda (2021).
    """
    h, sigma, scalar, curvatures = _as_matrices(hessian, noise_covariance)
    _positive_rate(learning_rate)
    if batch_size != int(batch_size) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number, 1 or more, got {batch_size!r}")
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must be at least 0 and below 1, got {momentum!r}")
    limit = 2 * (1 + momentum) / curvatures[-1]
    if learning_rate >= limit:
        raise UnstableLearningRate(learning_rate, limit)
    d = len(h)
    eye = np.eye(d)
    if momentum == 0:
        kick = learning_rate**2 * sigma / batch_size
        return _shaped(solve_discrete_lyapunov(eye - learning_rate * h, kick), scalar)
    drift = learning_rate * h
    move = np.block([[momentum * eye, drift], [-momentum * eye, eye - drift]])
    kick = np.kron([[1.0, -1.0], [-1.0, 1.0]], learning_rate**2 * sigma / batch_size)
    return _shaped(solve_discrete_lyapunov(move, kick)[d:, d:], scalar)


def circulation(hessian, noise_covariance, learning_rate: float):
    """The antisymmetric Q of the stationary flux J = Q∇p of SGD's SDE.

    Q = (HS − SH)/2, where S solves HS + SH = ηΣ. It vanishes if and only if
    H and Σ commute.

    Parameters
    ----------
    hessian, noise_covariance : float or (d, d) array
    learning_rate : float

    Returns
    -------
    float or (d, d) array
        0.0 in one dimension.

    Raises
    ------
    ValueError
        As `sde_covariance`.
    """
    s = sde_covariance(hessian, noise_covariance, learning_rate)
    if np.ndim(s) == 0:
        return 0.0
    h = np.asarray(hessian, dtype=float)
    return (h @ s - s @ h) / 2
