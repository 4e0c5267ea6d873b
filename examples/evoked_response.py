"""How many trials does an evoked response need? A stimulus to primary visual cortex spreads through the wiring, and EEG sees it in noise.

Trials are cut and averaged with MNE-Python. The truth is exact: a second run with the same noise and without the stimulus is taken from the
first, so that what is left is the response alone, trial by trial.
Knob: --trials. Signal over noise grows as the square root of their number.
"""

from __future__ import annotations

import argparse

import numpy as np

import fakeimaging as fi
from fakeimaging.plotting import electrode_map
from fakeimaging.plotting.canvas import GREY, OBSERVED, TRUTH, bar, blank, styled
from fakeimaging.plotting.topography import draw_topography

LOOK = {
    "trial_type": "look",
    "near": [(-9, -83, 15), (9, -83, 15)],
    "shape": "pulses",
    "pulse_rate": 10.0,
    "pulse_width": 0.04,
    "duration": 0.08,
    "onset": 1.0,
    "period": 0.9,
    "jitter": 0.2,
}
"""A smooth pulse of current every 0.9 to 1.1 s, to primary visual cortex of both sides, that begins 40 ms after the event."""
CURRENT = 0.08
"""nA in the regions that the stimulus reaches."""
STEP = 4.0
"""ms from sample to sample of the dipoles."""
MICROVOLT = "\N{MICRO SIGN}V"
FROM, TO, BAND = -0.1, 0.4, (1.0, 30.0)
"""s about an event, and Hz of the filter."""
BLINK = 0.3
"""s about the peak of a blink in which no epoch may lie."""
FEWEST = 10
SHOWN = (60, 80, 112, 180)
"""ms at which the scalp is drawn."""
LEAST = 0.02
"""Of the largest response of a region: those with more are shown, the others hardly take part."""


def main() -> None:
    """Simulate, average, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, help="number of stimuli; 400, and 300 when small")
    parser.add_argument("--small", action="store_true", help="fewer trials and electrodes")
    parser.add_argument("--figure", default="evoked_response.png", help="where to save the figure")
    options = parser.parse_args()

    if options.trials is not None and options.trials < FEWEST:
        parser.error(f"--trials: {options.trials} are too few, a third is lost to blinks; at least {FEWEST}")
    n = options.trials or (300 if options.small else 400)
    subject = fi.make_subject("01", seed=1)
    seen, silent = (run(subject, n, current) for current in (CURRENT, 0.0))
    montage = "standard_1020" if options.small else "biosemi64"
    eeg, without = (fi.acquire("eeg", subject, activity, montage=montage) for activity in (seen, silent))
    observed, truth = epochs(eeg, without)
    times, found, true = observed.times, 1e6 * observed.get_data().mean(axis=0), 1e6 * truth.get_data().mean(axis=0)
    sizes, ratios = signal_to_noise(observed.get_data(), truth.get_data())
    growth = np.polyfit(np.log(sizes), np.log(ratios), 1)[0]
    regions = responses(subject, seen, silent)
    first, later = (half_time(courses) for courses in regions)
    names, r = observed.ch_names, np.corrcoef(found.ravel(), true.ravel())[0, 1]
    best = np.abs(true).max(axis=1).argmax()
    peaks = [
        f"{series[k]:.1f} uV at {1e3 * times[k]:.0f} ms"
        for series in (found[best], true[best])
        for k in [np.abs(series).argmax()]
    ]
    print(
        f"average of {len(observed)} trials ({n - len(observed)} have a blink) against the true response: r = {r:.2f}"
    )
    print(f"peak at {names[best]}, where the response is largest: {peaks[0]} (true: {peaks[1]})")
    print(
        f"peak over noise: {ratios[0]:.2f} in one trial, {ratios[-1]:.1f} in {sizes[-1]}; grows as trials^{growth:.2f} (square root: 0.50)"
    )
    print(
        f"half of the response is there after {first:.0f} ms in the stimulated regions, {later:.0f} ms in those it spreads to"
    )
    draw(electrode_map(subject, names), 1e3 * times, found, true, (sizes, ratios), regions).savefig(
        options.figure, dpi=130
    )


def run(subject, n, current):
    """Return a run with n stimuli of a current in nA."""
    look = fi.Condition(**LOOK, amplitude=current, count=n)
    return fi.simulate_activity(
        subject, task="look", duration=LOOK["period"] * n + 2.0, conditions=[look], taps=("dipole",)
    )


def epochs(eeg, without):
    """Return the trials of a recording without blinks, and the true response in each of them."""
    import mne

    mne.set_log_level("error")
    events, codes, metadata = eeg.to_mne_events()
    raw = eeg.to_mne()
    blinks = mne.preprocessing.find_eog_events(raw, ch_name="VEOG")[:, 0] / raw.info["sfreq"]
    raw.set_annotations(raw.annotations + mne.Annotations(blinks - BLINK, 2 * BLINK, "bad blink")).pick("eeg")
    response = (eeg.clean.to_array() - without.clean.to_array())[list(eeg.clean.rows("EEG"))]
    true = mne.io.RawArray(response - response.mean(axis=0), raw.info)
    options = {"tmin": FROM, "tmax": TO, "baseline": (FROM, 0), "metadata": metadata, "preload": True}
    observed = mne.Epochs(raw.filter(*BAND), events, codes, **options)
    return observed, mne.Epochs(true.filter(*BAND), events, codes, **options)[observed.selection]


def signal_to_noise(observed, true):
    """Return numbers of trials, and for each the largest true response over the rms of what else averages of so many hold."""
    noise, size = observed - true, np.abs(true.mean(axis=0)).max()
    sizes = 2 ** np.arange(int(np.log2(len(noise))) + 1)
    left = [
        np.mean([block.mean(axis=0) ** 2 for block in np.split(noise[: len(noise) // n * n], len(noise) // n)])
        for n in sizes
    ]
    return sizes, size / np.sqrt(left)


def responses(subject, seen, silent):
    """Return the mean response of regions, largest 1: of those that are stimulated, and of those it spreads to; shape (n, n_times)."""
    dipoles = [activity.tap("dipole").from_start() for activity in (seen, silent)]
    rate, response = dipoles[0].clock.rate, dipoles[0].by_region - dipoles[1].by_region
    onsets = [round(event.onset * rate) for event in seen.events]
    mean = np.mean([response[:, k : k + round(TO * rate)] for k in onsets], axis=0)
    mean -= mean[:, :1]
    largest = np.abs(mean).max(axis=1)
    middles = np.array([region.centroid for region in subject.regions])
    stimulated = np.isin(
        np.arange(len(middles)), [np.linalg.norm(middles - place, axis=1).argmin() for place in LOOK["near"]]
    )
    scaled = mean / largest[:, None]
    return scaled[stimulated], scaled[(largest > LEAST * largest.max()) & ~stimulated]


def half_time(courses):
    """Return the median ms after which half of a response is there; a sample is the mean over the interval from its time on."""
    return STEP * np.median((np.abs(courses) > 0.5).argmax(axis=1))


@styled
def draw(flat, times, found, true, growth, regions):
    """Draw all electrodes over time, signal over noise, the scalp at some latencies, observed and true, and the regions."""
    from matplotlib.ticker import NullLocator

    figure = blank(10.0, 6.0)
    upper, lower = figure.subfigures(2, 1, height_ratios=[1, 1.35])
    traces, rest = upper.subplots(1, 3), lower.add_gridspec(2, 6)
    largest = 1.1 * np.abs([found, true]).max()
    for ax, series, colour, title in zip(
        traces, (found, true), (OBSERVED, TRUTH), ("average of all trials", "true response"), strict=False
    ):
        ax.plot(times, series.T, color=colour, lw=0.5, alpha=0.7)
        ax.set(
            xlim=(times[0], times[-1]),
            ylim=(-largest, largest),
            title=title,
            xlabel="ms after the stimulus",
            ylabel=MICROVOLT,
        )
    traces[2].loglog(*growth, "o-", color=OBSERVED, ms=3.5)
    traces[2].loglog(growth[0], growth[1][0] * np.sqrt(growth[0]), color=GREY, ls="--", lw=0.8, label="square root")
    traces[2].set(xlabel="trials averaged", ylabel="peak over rms noise")
    for axis, ticks in ((traces[2].xaxis, (1, 10, 100)), (traces[2].yaxis, (0.5, 1, 2, 5, 10))):
        axis.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        axis.set_minor_locator(NullLocator())
    traces[2].legend()
    maps = [lower.add_subplot(rest[k, j]) for k in range(2) for j in range(len(SHOWN))]
    for ax, (series, ms) in zip(maps, [(series, ms) for series in (found, true) for ms in SHOWN], strict=True):
        here = series[:, np.abs(times - ms).argmin()]
        shown = draw_topography(ax, flat, here, vmin=-largest, vmax=largest, cmap="RdBu_r")
        ax.set_title(f"{'average' if series is found else 'truth'}, {ms} ms")
    bar(lower, maps, shown, MICROVOLT)
    draw_regions(lower.add_subplot(rest[:, len(SHOWN) :]), *regions)
    return figure


def draw_regions(ax, stimulated, followers):
    """Draw the responses of regions, each over its largest value."""
    for courses, colour, label in (
        (followers, GREY, "regions it spreads to"),
        (stimulated, TRUTH, "stimulated regions"),
    ):
        lines = ax.plot(STEP * np.arange(courses.shape[1]), courses.T, color=colour, lw=0.8)
        lines[0].set_label(label)
    ax.set(xlim=(0, 250), xlabel="ms after the stimulus", ylabel="true dipole, largest 1")
    ax.set_ylim(-0.3, 1.35)
    ax.legend(loc="upper right")


if __name__ == "__main__":
    main()
