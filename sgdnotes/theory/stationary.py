"""Theory: the law that the parameters settle into."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.linalg import solve_continuous_lyapunov

from sgdnotes.checks import fraction, loss_of, numbers, positive, shaped, symmetric, whole
from sgdnotes.theory.density import Density
from sgdnotes.theory.search import periods_of

__all__ = [
    "UnstableLearningRate",
    "circulation",
    "gibbs_density",
    "minibatch_covariance",
    "sde_covariance",
    "sgd_covariance",
]


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


def gibbs_density(loss, temperature: float, *, period=None) -> Density:
    """The normalised Gibbs density exp(−L/T)/Z in one or two dimensions.

    Parameters
    ----------
    loss : Loss
        It must confine: exp(−L/T) must fall off in every direction that has
        no period. It may be +∞: a wall.
    temperature : float
        T, in the units of the loss. SGD in one dimension has T = ησ²/2.
    period : float, or sequence of d floats or None, optional
        The period of each coordinate that lives on a circle.

    Returns
    -------
    Density

    Raises
    ------
    ValueError
        If T is not positive, d > 2, the loss does not confine, or it does not
        have the period.

    Notes
    -----
    TTIC 31230 (2020), "Stationary distributions of SDEs and temperature".
    """
    temperature = positive("temperature", temperature)
    loss_of(loss, 1, 2)
    periods = periods_of(loss, period)
    return Density(partial(_minus_energy, loss, temperature), loss.dimension, periods)


def _minus_energy(loss, temperature: float, x):
    return -loss.value(x) / temperature


def _as_matrices(hessian, noise_covariance):
    """Both as (d, d) arrays, whether the answer is a scalar, H's eigenvalues and -vectors."""
    h, sigma = numbers("hessian", hessian), numbers("noise_covariance", noise_covariance)
    if h.shape != sigma.shape or h.ndim not in (0, 2):
        raise ValueError(
            "hessian and noise_covariance must both be numbers or both (d, d), "
            f"got shapes {h.shape} and {sigma.shape}"
        )
    scalar = h.ndim == 0
    h, sigma = np.atleast_2d(h), np.atleast_2d(sigma)
    for name, matrix in (("hessian", h), ("noise_covariance", sigma)):
        symmetric(name, matrix)
    curvatures, basis = np.linalg.eigh(h)
    if curvatures[0] <= 1e-13 * curvatures[-1]:
        raise ValueError(
            f"hessian must be positive definite, its smallest eigenvalue is {curvatures[0]:.6g}"
        )
    spread = np.linalg.eigvalsh(sigma)
    if spread[0] < -1e-12 * max(spread[-1], 1e-300):
        raise ValueError(
            "noise_covariance must be positive semidefinite, "
            f"its smallest eigenvalue is {spread[0]:.6g}"
        )
    return h, sigma, scalar, curvatures, basis


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
    h, sigma, scalar, *_ = _as_matrices(hessian, noise_covariance)
    learning_rate = positive("learning_rate", learning_rate)
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
    Where H is diag(h_i), the three second moments of Φ and v leave

    S_ij = (η/B) Σ_ij / [(1−μ)(h_i + h_j − η h_i h_j/(1+μ)) + μη (h_i − h_j)²/(1−μ²)],

    in which nothing cancels, however small η and h are. Without momentum:
    Liu, Ziyin and Ueda (2021).
    """
    _, sigma, scalar, curvatures, basis = _as_matrices(hessian, noise_covariance)
    learning_rate = positive("learning_rate", learning_rate)
    batch_size = whole("batch_size", batch_size, 1)
    momentum = fraction("momentum", momentum)
    limit = 2 * (1 + momentum) / curvatures[-1]
    if learning_rate >= limit:
        raise UnstableLearningRate(learning_rate, limit)
    one, other = curvatures[:, None], curvatures
    pull = (1 - momentum) * (one + other - learning_rate * one * other / (1 + momentum))
    pull += momentum * learning_rate * (one - other) ** 2 / (1 - momentum**2)
    kick = learning_rate * (basis.T @ sigma @ basis) / batch_size
    return _shaped(basis @ (kick / pull) @ basis.T, scalar)


def minibatch_covariance(
    example_hessians,
    example_gradients,
    learning_rate: float,
    batch_size: int = 1,
    momentum: float = 0.0,
):
    """Exact stationary covariance of SGD on a mean of quadratics.

    Example i has gradient g_i + H_i Δ at a distance Δ from the minimum; a
    batch averages B examples drawn with replacement. The noise then grows
    with the distance, which `sgd_covariance` leaves out.

    Parameters
    ----------
    example_hessians : (n,) or (n, d, d) array
        H_i.
    example_gradients : (n,) or (n, d) array
        g_i at the minimum, so their mean is 0.
    learning_rate, batch_size, momentum
        As in `sgd_covariance`.

    Returns
    -------
    float or (d, d) array

    Raises
    ------
    ValueError
        If shapes differ, the mean gradient is not 0, or the second moment
        grows without bound at this learning rate.

    Notes
    -----
    S solves, with Ĥ the Hessian of a batch,

    (1−μ)(SH + HS) + μη/(1−μ²) (SH² + H²S − 2μ HSH) − η E[Ĥ S Ĥ] = η E[g_i g_iᵀ]/B.
    """
    curvature = numbers("example_hessians", example_hessians)
    gradient = shaped("example_gradients", example_gradients, (None,), (None, None))
    scalar = gradient.ndim == 1
    if scalar:
        curvature, gradient = curvature.reshape(curvature.size, 1, 1), gradient[:, None]
    n, d = gradient.shape
    if curvature.shape != (n, d, d):
        raise ValueError(
            f"example_hessians must be {(n, d, d)} to match example_gradients, "
            f"got {np.shape(example_hessians)}"
        )
    symmetric("example_hessians", curvature)
    drift = np.abs(gradient.mean(0)).max()
    if drift > 1e-8 * np.abs(gradient).max():
        raise ValueError(
            f"example_gradients must have mean 0, as at a minimum, their mean is {drift:.3g}"
        )
    h = curvature.mean(0)
    if not np.linalg.eigvalsh(h)[0] > 0:
        raise ValueError(
            "example_hessians must have a positive definite mean, its smallest eigenvalue is "
            f"{np.linalg.eigvalsh(h)[0]:.6g}"
        )
    # The same refusals as for constant noise: rates, sizes, curvature, the edge.
    sgd_covariance(h, np.eye(d), learning_rate, batch_size, momentum)
    learning_rate, momentum = float(learning_rate), float(momentum)
    batch_size = whole("batch_size", batch_size, 1)
    alone = np.einsum("nij,nkl->ikjl", curvature, curvature).reshape(d * d, d * d) / n
    together, square, eye = np.kron(h, h), h @ h, np.eye(d)
    pull = (1 - momentum) * (np.kron(h, eye) + np.kron(eye, h))
    bend = np.kron(square, eye) + np.kron(eye, square) - 2 * momentum * together
    pull += momentum * learning_rate / (1 - momentum**2) * bend
    pull -= learning_rate * (together + (alone - together) / batch_size)

    def settled(kick):
        return np.linalg.solve(pull, learning_rate * kick.ravel()).reshape(d, d)

    try:
        settles = _is_second_moment(settled(eye), h, learning_rate, momentum)
    except np.linalg.LinAlgError:  # exactly at the edge
        settles = False
    if not settles:
        raise ValueError(
            f"learning_rate must be smaller than {learning_rate:.6g}: with batches of "
            f"{batch_size} the second moment grows without bound"
        )
    return _shaped(settled(gradient.T @ gradient / n / batch_size), scalar)


def _is_second_moment(s, h, learning_rate, momentum) -> bool:
    """Is `s`, with the velocity's moments that go with it, positive definite?

    The second moments of a chain that noise pushes everywhere have a positive
    fixed point if they settle, and none if they grow.
    """
    cross = (momentum * s @ h - h @ s) / (1 - momentum**2)  # E[Φ vᵀ]/η
    velocity = (s @ h + h @ s) / (1 + momentum)  # E[v vᵀ]/η
    given_place = velocity - learning_rate * cross.T @ np.linalg.solve(s, cross)
    return min(np.linalg.eigvalsh(s)[0], np.linalg.eigvalsh(given_place)[0]) > 0


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
