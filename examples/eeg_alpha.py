"""Where on the scalp is alpha? The map of its amplitude in the noisy recording against that of the noise-free potentials.

Knob: --reference, average or an electrode: the same potentials against Cz make another map.
"""

from __future__ import annotations

import argparse

import numpy as np

import fakeimaging as fi
from fakeimaging.plotting import band_amplitude, electrode_map, plot_topographies
from fakeimaging.scoring.eeg import OCCIPITAL, alpha_peak


def main() -> None:
    """Simulate, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", default="average", help="average, or an electrode such as Cz")
    parser.add_argument("--small", action="store_true", help="fewer electrodes and a short run")
    parser.add_argument("--figure", default="eeg_alpha.png", help="where to save the figure")
    options = parser.parse_args()

    subject = fi.make_subject("01", seed=1)
    activity = fi.simulate_activity(subject, duration=30.0 if options.small else 120.0)
    montage = "standard_1020" if options.small else "biosemi64"
    eeg = fi.acquire("eeg", subject, activity, montage=montage, reference=options.reference)

    scalp, rate = list(eeg.clean.rows("EEG")), eeg.clean.clock.rate
    names = [eeg.clean.channels[i].name for i in scalp]
    observed, clean = (series.to_array()[scalp] for series in (eeg.observed, eeg.clean))
    clean = clean - clean.mean(axis=0)
    maps = {
        "observed": 1e6 * band_amplitude(observed, rate),
        "truth, average reference": 1e6 * band_amplitude(clean, rate),
    }
    r = np.corrcoef(*maps.values())[0, 1]
    back = [names.index(name) for name in OCCIPITAL]
    found, true = (alpha_peak(series[back], rate) for series in (observed, clean))
    print(f"map of alpha, observed against true: r = {r:.2f} over {len(names)} electrodes")
    print(f"alpha peak at the back of the head: {found:.2f} Hz observed, {true:.2f} Hz in truth")
    plot_topographies(electrode_map(subject, names), maps, "uV rms").savefig(options.figure)


if __name__ == "__main__":
    main()
