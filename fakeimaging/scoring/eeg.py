"""Scores of an EEG recording: the alpha peak over the 1/f background, and the regions' dipoles estimated by minimum norm.

Estimates read the raw file, its sidecar and the head model; the clean recording and the dipoles themselves are what they are
compared with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.taps import Tap
from fakeimaging.core.clocks import Clock
from fakeimaging.core.streams import Streams
from fakeimaging.dataset import names
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.modalities.electro.auxiliary import RESOLUTION
from fakeimaging.modalities.electro.lead_field import electric
from fakeimaging.modalities.electro.montages import montage_of
from fakeimaging.modalities.electro.projection import region_gain
from fakeimaging.modalities.electro.sampling import ratio_of, resampled, span, stretch
from fakeimaging.scoring.table import Row

OCCIPITAL = ("O1", "Oz", "O2")
ALPHA, BACKGROUND = (7.0, 14.0), (2.0, 40.0)
"""Hz: where the peak is looked for, and where the background is fitted, without the former."""
WINDOW = 4.0
"""s of each of Welch's windows."""
BAND = (2.0, 40.0)
"""Hz of the sources that are compared."""
SNR_SQUARED = 9.0
"""Power of signal over noise that the minimum norm assumes (the usual 3 squared; Hamalainen and Ilmoniemi 1994)."""
SHORTEST = 20.0
"""s below which nothing is said: no row then."""
N_PERMUTATIONS = 200
LEAST_LAG = 1.0
"""s by which a series is turned at least."""

Floats = npt.NDArray[np.float64]


def score_eeg(dataset: Dataset, scan: Scan) -> Iterator[Row]:
    """Yield how well the alpha peak (where the recording is fast enough to hold it) and the regions' dipoles are recovered."""
    about = json.loads((dataset.root / scan.sidecar).read_text())
    rate = float(about["SamplingFrequency"])
    channels, observed = read_series(dataset.root / scan.raw)
    if observed.shape[1] < SHORTEST * rate:
        return
    stream = Streams(dataset.study.seed or 0).at("score", scan.recording)
    where = [channels.index(name) for name in OCCIPITAL if name in channels]
    if where and holds_alpha(rate):
        _, clean = read_series(dataset.root / scan.clean)
        clean -= clean.mean(axis=0)
        found, truth = (alpha_peak(series[where], rate) for series in (observed, clean))
        by_chance = peak_chance(observed[where], rate, truth, rng=stream.at("alpha_peak").rng())
        yield Row(
            scan.subject, scan.recording, "alpha_peak", found, truth, found - truth, by_chance, len(where), np.nan, "Hz", "closer"
        )  # fmt: skip
    subject = dataset.subject(scan.subject)
    dipole = _dipoles(dataset, scan, rate, observed.shape[1])
    seen = [i for i, region in enumerate(subject.regions) if region.kind == "cortex"]
    montage = montage_of(scan.parameters.model_dump()["montage"])
    places = dict(zip(montage.names, montage.points, strict=True))
    gains = region_gain(subject, electric().on([places[name] for name in channels]))[:, seen]
    estimate = minimum_norm(gains, band_passed(observed, rate))
    truth_series = band_passed(dipole[seen], rate)
    found, by_chance = source_agreement(estimate, truth_series, rate, rng=stream.at("sources").rng())
    yield Row(scan.subject, scan.recording, "sources", found, 1.0, found - 1.0, by_chance, len(seen), np.nan, "r")


def read_series(header: Path) -> tuple[list[str], Floats]:
    """Return names of the electrodes (not of eye and heart) and samples in V, shape (n_channels, n_samples), of a BrainVision recording."""
    import mne

    raw: Any = mne.io.read_raw_brainvision(header, preload=True, verbose="error")
    kept = [i for i, name in enumerate(raw.ch_names) if name not in RESOLUTION]
    return [raw.ch_names[i] for i in kept], np.asarray(raw.get_data()[kept])


def _dipoles(dataset: Dataset, scan: Scan, rate: float, n: int) -> Floats:
    """Return the true dipole densities at the samples of the recording, shape (n_regions, n)."""
    session = next(session for session in dataset.study.sessions if session.label == scan.session)
    path = dataset.root / names.tap_file(scan.subject, session, str(scan.task), scan.run or 1, "dipole")
    clock = json.loads(path.with_suffix(".json").read_text())["clock_s"]
    tap = Tap("dipole", "nAm/mm2", Clock(**clock), np.load(path, mmap_mode="r"))
    ratio = ratio_of(tap.clock.rate, rate, name="SamplingFrequency")
    low, high = span(ratio, 0, n)
    return resampled(stretch(tap, low, high), low, ratio, 0, n).astype(np.float64)


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
    for _ in range(N_PERMUTATIONS):
        noise = rng.standard_normal((len(fine), 2)).view(np.complex128)[:, 0] * amplitude
        errors.append(abs(alpha_peak(np.fft.irfft(noise, n)[None], rate) - truth))
    return float(np.quantile(errors, 0.05))


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
    centred = gains - gains.mean(axis=0)
    gram = centred @ centred.T
    ridge = np.trace(gram) / (len(gram) - 1) / SNR_SQUARED
    return np.asarray(
        centred.T @ np.linalg.solve(gram + ridge * np.eye(len(gram)), potentials - potentials.mean(axis=0))
    )


def source_agreement(estimate: Floats, truth: Floats, rate: float, *, rng: np.random.Generator) -> tuple[float, float]:
    """Return the median over regions of the correlation with the truth, and its 95th percentile when each truth is turned in time."""
    spectra = [np.fft.rfft(_unit(series), axis=1) for series in (estimate, truth)]
    n = truth.shape[1]
    by_lag = np.fft.irfft(spectra[0] * np.conj(spectra[1]), n, axis=1)
    least = round(LEAST_LAG * rate)
    lags = rng.integers(least, n - least, (N_PERMUTATIONS, len(truth)))
    turned = np.median(by_lag[np.arange(len(truth)), lags], axis=1)
    return float(np.median(by_lag[:, 0])), float(np.quantile(turned, 0.95))


def _unit(series: Floats) -> Floats:
    centred = series - series.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), np.finfo(float).tiny))
