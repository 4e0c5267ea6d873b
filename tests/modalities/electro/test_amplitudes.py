"""One calibration in three instruments: a density of dipoles in nAm/mm2 gives the amplitudes that textbooks state.

Murakami and Okada 2015 (doi:10.1016/j.neuroimage.2015.02.003): 0.16 to 0.77 nAm/mm2 in living cortex, 1 to 2 at most.
"""

from functools import lru_cache

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

import fakeimaging as fi
from fakeimaging.testing.fixtures import constant_activity

DENSITY = 0.2
"""nAm/mm2, the middle of the calibrated range of 0.1 to 0.3."""
PATCHES = {
    "occipital": ((-12.0, -95.0, 8.0), 19.0),
    "parietal": ((-35.0, -60.0, 50.0), 19.0),
    "motor": ((-38.0, -20.0, 58.0), 16.0),
    "temporal": ((-62.0, -25.0, -5.0), 18.0),
}
"""Middle (template mm) and radius in mm of patches of 20 to 30 cm2 of folded cortex."""
RANGES = {"EEG": (15e-6, 60e-6), "ECOG": (50e-6, 500e-6), "MEGMAG": (0.2e-12, 2e-12)}
"""V and T, of the largest channel."""


@lru_cache(maxsize=1)
def person():
    return fi.make_subject("01", seed=1)


def rows(series, kind):
    """The channels of a kind; potentials of the scalp against their mean."""
    found = series.to_array()[series.rows(kind)].astype(float)
    return found - found.mean(axis=0) if kind == "EEG" else found


@lru_cache(maxsize=1)
def one_after_the_other():
    """Half a second of each patch, a bell of 20 ms that peaks in its middle, in a brain that is silent otherwise."""
    sources = [
        {"name": name, "near": place, "extent": extent, "density": DENSITY, "onsets": [0.5 * k + 0.15]}
        for k, (name, (place, extent)) in enumerate(PATCHES.items())
    ]
    return constant_activity(fi.simulate_activity(person(), model="linear", duration=2.0, sources=sources))


@lru_cache(maxsize=3)
def instrument(kind):
    """EEG, MEG, or a grid of nine contacts above each patch."""
    grids = [
        {"name": name, "kind": "grid", "target": place, "rows": 3, "columns": 3} for name, (place, _) in PATCHES.items()
    ]
    options = {"implants": grids, "reference": "average"} if kind == "ECOG" else {}
    modality = {"EEG": "eeg", "MEGMAG": "meg", "ECOG": "ieeg"}[kind]
    return fi.acquire(modality, person(), one_after_the_other(), **options)


def area(k):
    """Of patch k in cm2, from the moment of its vertices at its peak."""
    moments = instrument("EEG").to_mne_sources(0.5 * k + 0.248, 0.5 * k + 0.252).data[:, 0]
    to_template = np.abs(np.linalg.det(person().anatomy.to_template[:3, :3])) ** (2 / 3)
    bell = one_after_the_other().sources[k].course(np.array([0.5 * k + 0.248]))[0]
    return to_template * moments.sum() / (bell * 1e-9) / 100


@pytest.mark.parametrize("name", PATCHES)
def test_a_coherent_patch_has_the_amplitude_of_textbooks_in_eeg_ecog_and_meg(name):
    """The same patch and course in all three [EEG 27 to 41 uV, ECoG 240 to 330 uV, magnetometers 0.26 to 1.2 pT]."""
    k = list(PATCHES).index(name)
    assert 20 < area(k) < 30
    for kind, (low, high) in RANGES.items():
        found = rows(instrument(kind).clean, kind)[:, 125 * k : 125 * (k + 1)]
        assert low < np.abs(found).max() < high, kind


def band(series, kind, low, high):
    """Rms of each channel of a kind in a band of frequencies."""
    passed = butter(4, (low, high), "bandpass", fs=series.clock.rate, output="sos")
    return sosfiltfilt(passed, rows(series, kind), axis=1)[:, 250:-250].std(axis=1)


RESTING = {
    ("eeg", "EEG"): (8e-6, 35e-6),
    ("meg", "MEGMAG"): (0.2e-12, 1.5e-12),
    ("meg", "MEGGRADPLANAR"): (4e-12, 40e-12),
    ("ieeg", "ECOG"): (30e-6, 200e-6),
    ("ieeg", "SEEG"): (20e-6, 200e-6),
}
"""V, T and T/m: rms from 1 to 45 Hz of a typical channel with strong alpha (assumed from textbooks' 20 to 100 uV peak to peak,
1 pT and 200 fT/cm, and 50 to 500 uV)."""


@lru_cache(maxsize=3)
def resting(modality):
    return fi.acquire(modality, person(), rest())


@lru_cache(maxsize=1)
def rest():
    return fi.simulate_activity(person(), duration=30.0)


@pytest.mark.parametrize(("modality", "kind"), RESTING)
def test_the_default_model_at_rest_has_the_amplitudes_of_textbooks(modality, kind):
    """Of the same run [medians: EEG 19 uV, 10 of them alpha; magnetometers 0.75 pT; gradiometers 13 pT/m; ECoG 70 uV]."""
    low, high = RESTING[modality, kind]
    series = resting(modality).clean
    whole, alpha = band(series, kind, 1, 45), band(series, kind, 8, 13)
    assert low < np.median(whole) < high
    assert whole.max() < 3 * high
    assert 0.3 < np.median(alpha / whole) < 0.9


def test_the_scalp_sees_a_fraction_of_what_the_pia_does():
    """Skull and distance take it [a third to a sixth of the typical channel at rest]."""
    scalp, pia = (np.median(band(resting(m).clean, k, 1, 45)) for m, k in (("eeg", "EEG"), ("ieeg", "ECOG")))
    assert 2 < pia / scalp < 10
