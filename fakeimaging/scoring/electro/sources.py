"""The regions' dipoles by minimum norm with the true field of a recording, and how well courses agree with the truth."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.taps import Tap
from fakeimaging.core.clocks import Clock
from fakeimaging.dataset import names
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.modalities.electro.sampling import ratio_of, resampled, span, stretch

Floats = npt.NDArray[np.float64]

BAND = (2.0, 40.0)
"""Hz of the courses that are compared."""
SNR_SQUARED = 9.0
"""Power of signal over noise that the minimum norm assumes (the usual 3 squared; Hamalainen and Ilmoniemi 1994)."""
N_PERMUTATIONS = 200
LEAST_LAG = 1.0
"""s by which a series is turned at least."""


def true_dipoles(dataset: Dataset, scan: Scan, rate: float, n: int) -> Floats:
    """Return the dipole densities of the first n samples of a recording, nAm/mm2, shape (n_regions, n)."""
    session = next(session for session in dataset.study.sessions if session.label == scan.session)
    path = dataset.root / names.tap_file(scan.subject, session, str(scan.task), scan.run or 1, "dipole")
    clock = json.loads(path.with_suffix(".json").read_text())["clock_s"]
    tap = Tap("dipole", "nAm/mm2", Clock(**clock), np.load(path, mmap_mode="r"))
    ratio = ratio_of(tap.clock.rate, rate, name="SamplingFrequency")
    low, high = span(ratio, 0, n)
    return resampled(stretch(tap, low, high), low, ratio, 0, n).astype(np.float64)


def true_gains(dataset: Dataset, scan: Scan, rows: Sequence[int]) -> Floats:
    """Return what 1 nAm/mm2 in each region makes in the sensors in these rows of the table of channels, shape (n_rows, n_regions)."""
    stored = np.load(dataset.root / scan.regional("region_gain"))
    return np.asarray(stored.T[list(rows)], dtype=np.float64)


def band_passed(series: Floats, rate: float, *, band: tuple[float, float] = BAND, order: int = 4) -> Floats:
    """Return series (n, n_samples) within a band (Hz, at most 0.4 of the rate) of a Butterworth filter, without a shift in time."""
    from scipy.signal import butter, sosfiltfilt

    edges = (band[0], min(band[1], 0.4 * rate))
    return np.asarray(sosfiltfilt(butter(order, edges, "bandpass", fs=rate, output="sos"), series, axis=1))


def minimum_norm(gains: Floats, potentials: Floats) -> Floats:
    """Return the regions' dipole densities by minimum norm, both sides in average reference.

    Scaling a region's estimate, as dSPM and sLORETA do, leaves its correlation with the truth alone.

    Parameters
    ----------
    gains : ndarray, shape (n_channels, n_regions)
        V per (nAm/mm2).
    potentials : ndarray, shape (n_channels, n_samples)
        V.

    Returns
    -------
    ndarray, shape (n_regions, n_samples)
        nAm/mm2.
    """
    return _inverse(gains - gains.mean(axis=0), len(gains) - 1) @ (potentials - potentials.mean(axis=0))


def whitened_minimum_norm(gains: Floats, fields: Floats, noise: Floats) -> Floats:
    """Return the same for sensors without a reference, each over the SD of its noise.

    Parameters
    ----------
    gains : ndarray, shape (n_channels, n_regions)
    fields : ndarray, shape (n_channels, n_samples)
    noise : ndarray, shape (n_channels,)
        In the channels' units.
    """
    return _inverse(gains / noise[:, None], len(gains)) @ (fields / noise[:, None])


def _inverse(gains: Floats, rank: int) -> Floats:
    gram = gains @ gains.T
    ridge = np.trace(gram) / rank / SNR_SQUARED
    return np.asarray(np.linalg.solve(gram + ridge * np.eye(len(gram)), gains).T)


def source_agreement(
    estimate: Floats, truth: Floats, rate: float, *, rng: np.random.Generator, signed: bool = True
) -> tuple[float, float]:
    """Return the median over rows of the correlation with the truth, and its 95th percentile when each truth is turned in time.

    Parameters
    ----------
    estimate, truth : ndarray, shape (n, n_samples)
    rate : float
        Hz.
    rng : Generator
    signed : bool
        Whether a course that is upside down agrees less than none.
    """
    spectra = [np.fft.rfft(_unit(series), axis=1) for series in (estimate, truth)]
    n = truth.shape[1]
    by_lag = np.fft.irfft(spectra[0] * np.conj(spectra[1]), n, axis=1)
    by_lag = by_lag if signed else np.abs(by_lag)
    least = round(LEAST_LAG * rate)
    lags = rng.integers(least, n - least, (N_PERMUTATIONS, len(truth)))
    turned = np.median(by_lag[np.arange(len(truth)), lags], axis=1)
    return float(np.median(by_lag[:, 0])), float(np.quantile(turned, 0.95))


def _unit(series: Floats) -> Floats:
    centred = series - series.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), np.finfo(float).tiny))
