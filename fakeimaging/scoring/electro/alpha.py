"""The alpha peak over the 1/f background."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fakeimaging.dataset.names import Scan
from fakeimaging.scoring.electro.files import Recorded
from fakeimaging.scoring.table import Row

Floats = npt.NDArray[np.float64]

ALPHA, BACKGROUND = (7.0, 14.0), (2.0, 40.0)
"""Hz: where the peak is looked for, and where the background is fitted, without the former."""
WINDOW = 4.0
"""s of each of Welch's windows."""
N_DRAWS = 200
"""Recordings without a peak that chance is computed from."""


def holds_alpha(rate: float) -> bool:
    """Return whether a recording at ``rate`` (Hz) holds the band of the alpha peak and one frequency more."""
    return rate / 2 >= ALPHA[1] + 1 / WINDOW


def spectrum(series: Floats, rate: float) -> tuple[Floats, Floats]:
    """Return frequencies in Hz and the mean over channels of Welch's power density."""
    from scipy.signal import welch

    frequencies, power = welch(series, rate, nperseg=min(round(WINDOW * rate), series.shape[1]), axis=1)
    return frequencies, power.mean(axis=0)


def background(frequencies: Floats, power: Floats) -> Floats:
    """Return the power law a f^-b fitted to log power without the alpha band, at every frequency above 0 (infinite at 0)."""
    inside = (frequencies >= BACKGROUND[0]) & (frequencies <= min(BACKGROUND[1], 0.8 * frequencies[-1]))
    fitted = inside & ~((frequencies >= ALPHA[0]) & (frequencies <= ALPHA[1]))
    slope, level = np.polyfit(np.log(frequencies[fitted]), np.log(power[fitted]), 1)
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(level + slope * np.log(frequencies)))


def alpha_peak(series: Floats, rate: float) -> float:
    """Return the frequency in Hz at which power exceeds the background most, from 7 to 14 Hz, by a parabola through three points."""
    frequencies, power = spectrum(series, rate)
    excess = np.log(power[1:] / background(frequencies, power)[1:])
    frequencies = frequencies[1:]
    band = np.flatnonzero((frequencies >= ALPHA[0]) & (frequencies <= ALPHA[1]))
    top = band[excess[band].argmax()]
    before, here, after = excess[top - 1 : top + 2]
    curvature = before - 2 * here + after
    shift = 0.5 * (before - after) / curvature if curvature < 0 else 0.0
    return float(frequencies[top] + np.clip(shift, -0.5, 0.5) * (frequencies[1] - frequencies[0]))


def peak_chance(series: Floats, rate: float, truth: float, *, rng: np.random.Generator) -> float:
    """Return the 5th percentile of the error of the peak in noise that has the background's spectrum and no peak."""
    frequencies, power = spectrum(series, rate)
    n = series.shape[1]
    fine = np.fft.rfftfreq(n, 1 / rate)
    amplitude = np.sqrt(np.interp(fine, frequencies[1:], background(frequencies, power)[1:]))
    errors = []
    for _ in range(N_DRAWS):
        noise = rng.standard_normal((len(fine), 2)).view(np.complex128)[:, 0] * amplitude
        errors.append(abs(alpha_peak(np.fft.irfft(noise, n)[None], rate) - truth))
    return float(np.quantile(errors, 0.05))


def peak_row(scan: Scan, observed: Recorded, clean: Recorded, *, rng: np.random.Generator) -> Iterator[Row]:
    """Yield how well the peak of the mean spectrum of some channels is found; none where the recording is too slow or has no channel."""
    if not observed.names or not holds_alpha(observed.rate):
        return
    found, truth = (alpha_peak(one.samples, one.rate) for one in (observed, clean))
    chance = peak_chance(observed.samples, observed.rate, truth, rng=rng)
    yield Row(
        scan.subject, scan.recording, "alpha_peak", found, truth, found - truth, chance, len(observed.names), np.nan, "Hz",
        "closer",
    )  # fmt: skip
