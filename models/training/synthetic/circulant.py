"""Stationary Gaussian series from their covariances, by the fast Fourier transform.

Shapes: N series, L steps, K steps of half a ring, L or more.
"""

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats

HALF_RING = 4
"""lengths of a series in half of a tapered ring. Measured with the kernels of `kernels`: with 2, 3 and 4 the covariance
of a wave of 24 steps is wrong by 0.37, 0.25 and 0.16 at most, without a taper by 0.5, and most of that is then noise"""


def draw_circulant(rng: np.random.Generator, covariance: Floats, length: int) -> Floats:
    """Draw Gaussian series (N, L) from covariances (N, K + 1) at lags 0 to K, by circulant embedding (Davies and Harte
    1987, Wood and Chan 1994).

    It is exact where the embedding has no negative eigenvalue. Others are set to zero, and the variance is kept.
    """
    count = len(covariance)
    half = covariance.shape[1] - 1
    assert 0 < length <= half
    ring = np.concatenate([covariance, covariance[:, half - 1 : 0 : -1]], 1)  # (N, 2K)
    eigenvalues = np.maximum(np.fft.rfft(ring).real, 0.0)  # (N, K + 1)
    # the real transform holds each eigenvalue but the first and the last once, the ring twice
    total = 2 * eigenvalues.sum(1) - eigenvalues[:, 0] - eigenvalues[:, -1]
    kept = 2 * half * covariance[:, 0] / np.maximum(total, np.finfo(np.float64).tiny)
    spectrum = _draw_white_spectrum(rng, count, half) * np.sqrt(eigenvalues * kept[:, None])
    return np.fft.irfft(spectrum, 2 * half)[:, :length]


def list_lags(length: int) -> Floats:
    """Return the lags at which `draw_tapered` wants covariances of series of L steps: (K + 1,)."""
    return np.arange(HALF_RING * length + 1.0)


def draw_tapered(rng: np.random.Generator, covariance: Floats, length: int) -> Floats:
    """Draw Gaussian series (N, L) from covariances (N, K + 1) that do not fade in time, which a ring would break off.

    From lag L on they are brought to zero by a polynomial with two smooth derivatives. Its negative eigenvalues are all
    of slow waves: smooth series stay smooth, and what should be constant drifts.
    """
    lags = list_lags(length)
    gone = np.clip((lags - length) / (lags[-1] - length), 0, 1)
    taper = 1 - gone**3 * (10 - 15 * gone + 6 * gone**2)
    return draw_circulant(rng, covariance * taper, length)


def _draw_white_spectrum(rng: np.random.Generator, count: int, half: int) -> NDArray[np.complex128]:
    """Draw the real transform (N, K + 1) of 2K steps of white noise of variance one."""
    spectrum = rng.standard_normal((count, 2 * (half + 1))).view(np.complex128)
    spectrum *= np.sqrt(half)
    ends = rng.standard_normal((count, 2)) * np.sqrt(2 * half)
    spectrum[:, 0] = ends[:, 0]
    spectrum[:, -1] = ends[:, 1]
    return spectrum
