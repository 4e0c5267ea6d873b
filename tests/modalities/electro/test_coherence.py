"""Ghost coupling: volume conduction makes sensors coherent though their sources are not; the imaginary part of coherency tells.

Cross-spectra of n = 150 segments of 1 s, five frequencies from 8 to 12 Hz, three seeds. Coherence of independent signals stays
below sqrt(1 - p^(1 / (n - 1))) with probability 1 - p (Carter 1987, doi:10.1109/PROC.1987.13723); the imaginary part of a real
coherency C has an SD of sqrt((1 - C^2) / 2n) (Nolte et al. 2004, doi:10.1016/j.clinph.2004.04.029).
"""

from functools import lru_cache

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.testing.fixtures import constant_activity, tiny_subject

N = 150
SEEDS = [21, 22, 23]
HERE, THERE = (-38.0, -20.0, 58.0), (-35.0, -62.0, 48.0)
"""Template mm; motor and parietal cortex, 43 mm apart."""
LAG = np.pi / 3
CASES = [*(("eeg", seed) for seed in SEEDS), ("meg", SEEDS[0])]
"""Instruments see the same sources: seeds are told apart by one of them."""
each_case = pytest.mark.parametrize(("modality", "seed"), CASES)


@lru_cache(maxsize=8)
def recording(modality, seed, lagged):
    """Two rhythms and nothing else in the brain."""
    place = {"density": 0.2, "extent": 10.0, "waveform": "rhythm"}
    second = {"name": "second", "near": THERE, **place}
    second |= {"follows": "first", "phase_lag": LAG, "coupling": 0.8} if lagged else {}
    subject = tiny_subject(seed=seed)
    run = fi.simulate_activity(
        subject, model="linear", duration=float(N), sources=[{"name": "first", "near": HERE, **place}, second]
    )
    options = {"montage": "standard_1020"} if modality == "eeg" else {"triggers": False}
    return fi.acquire(modality, subject, constant_activity(run), **options)


def coherency(modality, seed, *, lagged=False):
    """Of every pair of sensors at 8 to 12 Hz, shape (5, n_pairs)."""
    scan = recording(modality, seed, lagged)
    rows = scan.clean.rows("EEG") if modality == "eeg" else scan.clean.rows("MEGMAG")[::5]
    signal = scan.clean.to_array()[rows].astype(float)
    signal = signal - signal.mean(axis=0) if modality == "eeg" else signal / signal.std()
    pieces = np.fft.rfft(signal.reshape(len(rows), N, 250) * np.hanning(250), axis=2)[:, :, 8:13]
    cross = np.einsum("inf,jnf->fij", pieces, pieces.conj())
    power = np.sqrt(np.einsum("fii->fi", cross).real)
    first, second = np.triu_indices(len(rows), 1)
    return (cross / power[:, :, None] / power[:, None, :])[:, first, second]


def chance(p):
    """Coherence that independent signals exceed with probability p."""
    return np.sqrt(1 - p ** (1 / (N - 1)))


def score(found):
    """Imaginary part in standard errors of a real coherency."""
    return np.abs(found.imag) * np.sqrt(2 * N / (1 - found.real**2))


@each_case
def test_sensors_of_independent_sources_are_coherent(modality, seed):
    """By volume conduction alone: the sources themselves are not."""
    first, second = recording(modality, seed, False).source[1].sources
    assert (np.abs(first.coherence(second, np.arange(8.0, 13.0))) == 0).all()
    beyond = np.abs(coherency(modality, seed)) > chance(1e-4)
    assert beyond.mean(axis=1).min() > 0.5


@each_case
def test_their_imaginary_coherency_is_chance(modality, seed):
    """All pairs share one number at each frequency, the sources' own: fifteen of EEG, none beyond 4 standard errors."""
    z = score(coherency(modality, seed))
    assert z.max() < 4
    assert np.sqrt((z**2).mean()) < 2


@each_case
def test_imaginary_coherency_finds_a_lagged_pair(modality, seed):
    found = coherency(modality, seed, lagged=True)
    assert (score(found) > 4).mean(axis=1).min() > 0.5
    assert np.abs(found.imag).max() > 0.5


@pytest.mark.parametrize("modality", ["eeg", "meg"])
def test_the_field_delays_nothing(modality):
    """Quasi-static: what one source makes has the same phase in every sensor."""
    scan = recording(modality, SEEDS[0], False)
    maps, part = scan.forward.context["gains"].sources, slice(5000, 7000)
    signal = scan.clean.to_array()[: len(maps), part].astype(float)
    courses, rest, *_ = np.linalg.lstsq(maps, signal, rcond=None)
    assert rest.sum() < 1e-6 * (signal**2).sum()
    times = np.arange(5000, 7000) / 250
    for course, source in zip(courses, scan.source[1].sources, strict=True):
        assert np.corrcoef(course, source.course(times))[0, 1] > 0.9999
