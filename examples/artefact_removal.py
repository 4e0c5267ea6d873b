"""How much of blinks, saccades, heart beats and muscles does ICA take out of an EEG, and how much of the brain goes with them?

Somebody looks around and tenses jaw and forehead now and then. ICA is used as on real data: from 1 to 90 Hz, components found by their
likeness to the EOG and the ECG and by the spectrum of muscles. What it does is linear, so that each true layer of the recording can be
sent through it, which no real recording allows.
Knob: --components. With few of them artefacts share components with the brain.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

import fakeimaging as fi
from fakeimaging.modalities.electro.to_mne import series_to_mne
from fakeimaging.plotting import electrode_map
from fakeimaging.plotting.canvas import GREY, OBSERVED, TRUTH, blank, styled
from fakeimaging.plotting.topography import draw_topography

ARTEFACTS = ("blinks", "saccades", "heart", "muscle")
RESTLESS = {"saccade_rate": 2.0, "saccade_amplitude": 6.0, "clench_rate": 4.0, "frown_rate": 4.0}
"""Saccades per second, their mean size in degrees, contractions per minute."""
BAND, MAINS = (1.0, 90.0), 50.0
"""Hz: what ICA gets, and the mains that are taken out before."""
FROM, SECONDS, SHOWN = 10.0, 8.0, ("Fp1", "F8", "T7", "Cz", "O2")
"""s from which and for how long traces are drawn, and of which electrodes."""
MICRO = 1e6


def main() -> None:
    """Simulate, clean, score, draw."""
    import mne

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--components", type=int, help="of the decomposition: 40, and 20 when small")
    parser.add_argument("--small", action="store_true", help="fewer electrodes and a short run")
    parser.add_argument("--figure", default="artefact_removal.png", help="where to save the figure")
    options = parser.parse_args()

    mne.set_log_level("error")
    subject = fi.make_subject("01", seed=1)
    duration = 60.0 if options.small else 120.0
    activity = fi.simulate_activity(subject, duration=duration, taps=("dipole",), physiology=RESTLESS)
    montage = "standard_1020" if options.small else "biosemi64"
    # The amplifier's low-pass delays all it passes by some milliseconds, which would count as an error here.
    eeg = fi.acquire("eeg", subject, activity, montage=montage, low_pass="none")

    raw = prepared(eeg, eeg.observed)
    layers = {name: prepared(eeg, eeg.layer(name)) for name in ARTEFACTS}
    layers["brain"] = added(prepared(eeg, eeg.clean), prepared(eeg, eeg.layer("background")))
    ica, found = fitted(raw, options.components or (20 if options.small else 40))
    print(
        "components:", ", ".join(f"{kind} {len(chosen)}" for kind, chosen in found.items()), f"of {ica.n_components_}"
    )
    for name, layer in layers.items():
        before, after = potentials(layer), potentials(ica.apply(layer.copy()))
        share = np.square(before - after if name == "brain" else after).sum() / np.square(before).sum()
        word = "goes with them" if name == "brain" else "is left"
        print(f"{name:9}{MICRO * before.std():5.1f} uV rms, {share:4.0%} of its variance {word}")
    cleaned = ica.apply(raw.copy())
    worst = int(np.square(potentials(layers["blinks"])).sum(axis=1).argmax())
    before, after = (
        np.corrcoef(*(potentials(x)[worst] for x in (layers["brain"], one)))[0, 1] for one in (raw, cleaned)
    )
    print(
        f"{raw.ch_names[worst]}, where blinks are largest, against the true brain: r = {before:.2f} before, {after:.2f} after"
    )
    flat = electrode_map(subject, raw.copy().pick("eeg").ch_names)
    draw(raw, ica, layers, flat).savefig(options.figure, dpi=130)


def prepared(eeg, series):
    """Return a layer of the recording as ICA gets it: against the mean of the electrodes, without drift and mains."""
    raw = series_to_mne(eeg, series).set_eeg_reference("average")
    return raw.filter(*BAND, picks="all").notch_filter(MAINS, picks="all")


def added(one, other):
    """Return the sum of two layers."""
    one._data += other._data
    return one


def fitted(raw, n_components):
    """Return the decomposition, what is to go marked in it, and the components that tools hold for eyes, heart and muscles."""
    import mne

    ica = mne.preprocessing.ICA(n_components, random_state=1, max_iter=150, fit_params={"tol": 1e-3})
    with warnings.catch_warnings():
        # Where sources are nearly Gaussian, as alpha is, the last ones never settle.
        warnings.simplefilter("ignore")
        ica.fit(raw, decim=2)
    found = {"eyes": ica.find_bads_eog(raw), "heart": ica.find_bads_ecg(raw), "muscles": ica.find_bads_muscle(raw)}
    found = {kind: [int(k) for k in chosen] for kind, (chosen, _) in found.items()}
    ica.exclude = sorted(set().union(*found.values()))
    return ica, found


def potentials(raw):
    """Return the series of the electrodes of the scalp in V."""
    return raw.get_data(picks="eeg")


@styled
def draw(raw, ica, layers, flat):
    """Draw traces before and after over the true brain, and maps of the true artefacts and of what is left of them."""
    figure = blank(11.0, 3.6)
    left, right = figure.subfigures(1, 2, width_ratios=[1.1, 1])
    draw_traces(left.subplots(), raw, ica.apply(raw.copy()), layers["brain"])
    panels = right.subplots(2, len(ARTEFACTS))
    for column, name in zip(panels.T, ARTEFACTS, strict=True):
        both = (layers[name], ica.apply(layers[name].copy()))
        maps = [MICRO * potentials(layer).std(axis=1) for layer in both]
        for ax, values in zip(column, maps, strict=True):
            shown = draw_topography(ax, flat, values, vmin=0, vmax=maps[0].max(), cmap="viridis")
        column[0].set_title(name)
        made = right.colorbar(shown, ax=list(column), location="bottom", shrink=0.8, pad=0.02, aspect=14)
        made.set_label("\N{MICRO SIGN}V rms")
        made.outline.set_visible(False)
    for ax, word in zip(panels[:, 0], ("before", "after ICA"), strict=True):
        ax.text(-1.4, 0, word, rotation=90, ha="center", va="center")
    return figure


def draw_traces(ax, before, after, brain):
    """Draw some electrodes for some seconds."""
    first, apart = int(before.time_as_index(FROM)[0]), 220.0
    kept = slice(first, first + round(SECONDS * before.info["sfreq"]))
    lines = {"true brain": (brain, TRUTH, 2.0), "before": (before, GREY, 0.8), "after ICA": (after, OBSERVED, 0.6)}
    for k, name in enumerate(SHOWN):
        for word, (raw, colour, width) in lines.items():
            series = MICRO * raw.get_data([name])[0, kept] - apart * k
            ax.plot(before.times[kept], series, color=colour, lw=width, label=word if k == 0 else None)
    ax.set_yticks(-apart * np.arange(len(SHOWN)), SHOWN)
    ax.set(xlabel=f"s; {apart:g} \N{MICRO SIGN}V from trace to trace", ylim=(-apart * (len(SHOWN) - 0.4), None))
    ax.margins(x=0)
    ax.legend(loc="upper right", ncols=3)


if __name__ == "__main__":
    main()
