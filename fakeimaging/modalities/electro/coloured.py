"""Stationary Gaussian noise of any spectrum, part by part in any order, without seams.

    x = h * w,   |H(f)|^2 = S(sqrt(f^2 + f0^2)) rate / 2,   f0 = rate / len(h)

w: white noise, each part from a generator of its own; h: the filter of minimum phase (through the cepstrum; Oppenheim and Schafer
2010, chapter 13), no longer than a part, so that a part needs its own white noise and that of the part before (overlap-save).
S: one-sided density of power. Slower than f0 the spectrum is flat: no part remembers more than one part.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fakeimaging.modalities.layers import Series
from fakeimaging.modalities.normals import normals

Floats = npt.NDArray[np.float64]
Signal = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex64]

FINE = 8
"""Points of the cepstrum over those of the filter: what folds over is then below 1e-4."""
TAPER = 8
"""The last 1/8 of the filter falls to 0: a step would show as white noise where a spectrum is steep."""
TINY = 1e-9
"""Smallest density relative to the largest: a filter of minimum phase has no zeros."""
ROWS = 16
"""Rows transformed at a time, which bounds memory."""


def impulse(density: Callable[[Floats], npt.ArrayLike], rate: float, n: int) -> Floats:
    """Return the filter that gives white noise of unit variance a spectrum.

    Parameters
    ----------
    density : callable
        ``density(frequencies)``, Hz above 0, returns the square root of the one-sided density, in unit/sqrt(Hz).
    rate : float
        Hz.
    n : int
        Length.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> impulse(lambda f: np.full(len(f), 0.1), rate=200.0, n=4).round(6) + 0.0
    array([1., 0., 0., 0.])
    """
    from scipy.fft import irfft, rfft

    m = FINE * n
    wanted = np.asarray(density(np.hypot(np.fft.rfftfreq(m, 1 / rate), rate / n)), dtype=np.float64)
    if not wanted.max() > 0:
        return np.zeros(n)
    amplitude = np.maximum(wanted, TINY * wanted.max()) * np.sqrt(rate / 2)
    cepstrum = irfft(np.log(amplitude), m)
    cepstrum[1 : m // 2] *= 2
    cepstrum[m // 2 + 1 :] = 0
    response = irfft(np.exp(rfft(cepstrum)), m)[:n]
    end = n // TAPER
    response[n - end :] *= np.cos(np.pi / 2 * (np.arange(end) + 0.5) / end) ** 2
    return np.asarray(response)


def transfer(response: Floats, part: int | None = None) -> Spectrum:
    """Return the transform of a filter for `coloured`, for parts of so many samples (as long as the filter when left out)."""
    from scipy.fft import rfft

    return np.asarray(rfft(response, len(response) + (part or len(response))), dtype=np.complex64)


def part_length(series: Series) -> int:
    """Return the samples of every part but the last, which the noise of the last one has as well."""
    return series.block or series.clock.n


def coloured(
    filtered: Spectrum,
    n_rows: int,
    v: int,
    *,
    rng: Callable[[int], np.random.Generator],
    part: int | None = None,
) -> Signal:
    """Return part v of independent noises.

    Parameters
    ----------
    filtered : ndarray, shape ((n_taps + part) / 2 + 1,)
        Of `transfer`.
    n_rows : int
    v : int
        Any integer: the first part needs white noise from before it.
    rng : callable
        ``rng(w)`` gives the generator of the white noise of part w, always at its start.
    part : int, optional
        Samples of a part; as many as the filter has when left out, never fewer.

    Returns
    -------
    ndarray, shape (n_rows, part), float32
    """
    whole = 2 * (len(filtered) - 1)
    n = part or whole // 2
    taps = whole - n
    white = np.empty((n_rows, whole), dtype=np.float32)
    white[:, :taps] = normals((n_rows, n), rng=rng(v - 1))[:, n - taps :]
    white[:, taps:] = normals((n_rows, n), rng=rng(v))
    result = np.empty((n_rows, n), dtype=np.float32)
    for first in range(0, n_rows, ROWS):
        rows = slice(first, first + ROWS)
        result[rows] = filtered_rows(white[rows], filtered)[:, taps:]
    return result


def filtered_rows(white: Signal, filtered: Spectrum, length: int | None = None) -> Signal:
    """Return rows convolved in a circle, shape (n_rows, length): fewer samples than there were keep the lowest frequencies alone."""
    from scipy.fft import irfft, rfft

    n = length or white.shape[1]
    spectrum = rfft(white, axis=1)[:, : n // 2 + 1]
    spectrum *= filtered[: n // 2 + 1]
    result = irfft(spectrum, n, axis=1)
    if n != white.shape[1]:
        result *= np.float32(n / white.shape[1])
    return np.asarray(result)
