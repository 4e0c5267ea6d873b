"""Who sees where a seizure starts? One run of the Epileptor, recorded by shafts in both temporal lobes, on the scalp and by BOLD.

One region is epileptogenic, and its seizure spreads. A seizure of the hippocampus is plain to the shafts and to BOLD, while the scalp is
too far away to tell it from the rest of the brain; one of the side of the temporal lobe (--region L_DefaultMode_07) all three see.
Knob: --region, the epileptogenic zone.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.signal import butter, sosfiltfilt

import fakeimaging as fi
from fakeimaging.plotting import electrode_map
from fakeimaging.plotting.canvas import BLUE, GREY, OBSERVED, TRUTH, bar, blank, hidden, note, styled
from fakeimaging.plotting.topography import draw_topography

SEIZING = {"K": 4.0, "tau0": 15000.0}
"""Coupling with which one region takes others along, and a slow variable with which a seizure lasts 18 s."""
BEFORE, DURATION = 55.0, 76.0
"""s left out, in which the zone seizes once before, and s of the run, in which it does so once more."""
ICTAL = 15.0
"""Hz: firing rate above which a region seizes."""
BAND, WINDOW, RISE = (2.0, 40.0), 1.0, 10.0
"""Hz in which power is measured, s over which it is smoothed, and how many times it grows at an onset."""
DELAY, MARGIN = 5.0, 3.0
"""s by which blood lags behind, and s before the onset that count neither as before nor as during."""


def main() -> None:
    """Simulate, record, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--region", default="L_Hippocampus_01", help="the epileptogenic zone")
    parser.add_argument("--small", action="store_true", help="fewer electrodes and larger voxels")
    parser.add_argument("--figure", default="seizure.png", help="where to save the figure")
    options = parser.parse_args()

    subject = fi.make_subject("01", seed=1)
    run = {"duration": DURATION, "transient": BEFORE, "taps": ("dipole", "rate")}
    zone = {"x0": {options.region: -1.6}}
    activity = fi.simulate_activity(subject, model="epileptor", parameters=SEIZING, regional=zone, **run)
    seizures = true_seizures(subject, activity)
    start, stop = seizures[options.region]
    print("truth:", "; ".join(f"{name} from {a:.1f} to {b:.1f} s" for name, (a, b) in seizures.items()))

    ieeg = fi.acquire("ieeg", subject, activity, implants="hippocampal_shafts")
    eeg = fi.acquire("eeg", subject, activity, montage="standard_1020" if options.small else "biosemi64")
    bold = fi.acquire("bold", subject, activity, voxel_size=6.0 if options.small else 4.0)
    seen = {"sEEG": Electric(ieeg, "SEEG", start, stop), "EEG": Electric(eeg, "EEG", start, stop)}
    shafts, scalp = seen.values()
    onset, found = shafts.first()
    first = f"first grows at {found}, {onset:.1f} s; that contact lies in {region_at(ieeg, found)}"
    print(f"sEEG: power {first if np.isfinite(onset) else f'grows {RISE:g} times nowhere'}")
    print(
        f"      and most at {shafts.best}, by {shafts.rise.max():.0f} dB to {shafts.level[shafts.rise.argmax()]:.0f} uV rms"
    )
    own = zone_on_scalp(eeg, subject, activity, options.region, start, stop)
    print(
        f"EEG:  power grows most at {scalp.best}, by {scalp.rise.max():.1f} dB; of the zone the scalp sees {own:.1f} uV rms at most"
    )
    images = bold.observed.to_array().astype(float)
    change, regions = percent_change(images, bold, subject, start, stop)
    order = np.argsort(-regions)
    rank = 1 + [subject.regions[i].name for i in order].index(options.region)
    best, size = subject.regions[order[0]].name, regions[order[0]]
    print(f"BOLD: the signal grows most in {best}, by {size:.1f} %; the zone is number {rank} of {len(order)}")
    draw(subject, options.region, seizures, seen, bold, images, change).savefig(options.figure, dpi=130)


def true_seizures(subject, activity):
    """Return when each region that seizes does so for the first time: start and end in s, first come first."""
    tap = activity.tap("rate").from_start()
    high = smoothed(tap.by_region, tap.clock.rate) > ICTAL
    found = {}
    for region, row in zip(subject.regions, high, strict=True):
        edges = tap.clock.times[1:][np.diff(row.astype(int)) != 0]
        if len(edges) >= 2:
            found[region.name] = tuple(edges[:2])
    return dict(sorted(found.items(), key=lambda item: item[1]))


def smoothed(rows, rate):
    """Return rows averaged over `WINDOW`."""
    from scipy.ndimage import uniform_filter1d

    return uniform_filter1d(rows, round(WINDOW * rate), axis=1)


class Electric:
    """What contacts or electrodes saw: series in uV, power during the seizure over that before in dB, level during it in uV."""

    def __init__(self, recording, kind, start, stop):
        clock, rows = recording.clean.clock, recording.clean.rows(kind)
        series = 1e6 * recording.observed.to_array()[rows].astype(float)
        rows, self.series = rows[series.any(axis=1)], series[series.any(axis=1)]
        self.names, self.times = [recording.clean.channels[i].name for i in rows], clock.times
        sos = butter(4, BAND, "bandpass", fs=clock.rate, output="sos")
        self.power = smoothed(sosfiltfilt(sos, self.series, axis=1) ** 2, clock.rate)
        self.base = np.median(self.power[:, (self.times > MARGIN) & (self.times < start - MARGIN)], axis=1)
        during = self.power[:, (self.times > start) & (self.times < stop)]
        self.rise, self.level = 10 * np.log10(np.median(during, axis=1) / self.base), np.sqrt(during.mean(axis=1))

    @property
    def best(self):
        """The channel whose power grows most."""
        return self.names[self.rise.argmax()]

    def first(self):
        """Return when and where power first is `RISE` times that before, for a second at least."""
        high = (
            smoothed((self.power > RISE * self.base[:, None]).astype(float), 1 / (self.times[1] - self.times[0])) > 0.99
        )
        onsets = np.where(high.any(axis=1), self.times[high.argmax(axis=1)], np.inf)
        return onsets.min(), self.names[onsets.argmin()]


def region_at(ieeg, name):
    """Return the region in which a contact lies."""
    table = next(table for table in ieeg.companions if table.name == "contacts")
    return next(row[table.columns.index("region")] for row in table.rows if row[0] == name)


def zone_on_scalp(eeg, subject, activity, name, start, stop):
    """Return what the zone alone makes where the scalp sees most of it during the seizure, uV rms within the band."""
    k = [region.name for region in subject.regions].index(name)
    tap = activity.tap("dipole").from_start()
    sos = butter(4, BAND, "bandpass", fs=tap.clock.rate, output="sos")
    course = sosfiltfilt(sos, tap.by_region[k].astype(float))
    ictal = (tap.clock.times > start) & (tap.clock.times < stop)
    gain = eeg.truth["region_gain"][k]
    return 1e6 * np.abs(gain).max() * course[ictal].std()


def percent_change(images, bold, subject, start, stop):
    """Return the change during the seizure in percent, of each voxel and, as a mean, of each region."""
    times = bold.parameters.tr * (np.arange(images.shape[-1]) + 0.5) - DELAY
    before = images[..., (times > 0) & (times < start - MARGIN)].mean(axis=-1)
    during = images[..., (times > start) & (times < stop)].mean(axis=-1)
    labels = subject.labels(bold.clean.grid)
    change = np.where(labels > 0, 100 * (during / np.maximum(before, 1) - 1), np.nan)
    return change, np.array(
        [np.nanmean(change[labels == i + 1]) if (labels == i + 1).any() else -np.inf for i in range(subject.n_regions)]
    )


@styled
def draw(subject, name, seizures, seen, bold, images, change):
    """Draw what each instrument saw of the seizure in time, and where."""
    figure = blank(11.0, 4.6)
    left, right = figure.subfigures(1, 2, width_ratios=[1.5, 1])
    traces = left.subplots(3, 1, sharex=True)
    labels, regions = subject.labels(bold.clean.grid), [region.name for region in subject.regions]
    for ax, (word, one) in zip(traces, seen.items(), strict=False):
        ax.plot(one.times, one.series[one.names.index(one.best)], color=OBSERVED, lw=0.4)
        ax.set(ylabel="\N{MICRO SIGN}V", title=f"{word}, {one.best}")
    note(traces[0], "red: the zone seizes\ngrey: where it spreads to")
    series = images[labels == regions.index(name) + 1].mean(axis=0)
    times = bold.parameters.tr * (np.arange(len(series)) + 0.5)
    traces[2].plot(times, 100 * (series / series.mean() - 1), "o-", ms=2.5, color=OBSERVED)
    traces[2].set(ylabel="%", title=f"BOLD, mean of {name}", xlabel="s", xlim=(0, DURATION))
    for ax in traces:
        for span, colour in zip(seizures.values(), (TRUTH, *[GREY] * len(seizures)), strict=False):
            ax.axvspan(*span, color=colour, alpha=0.2, lw=0)
    top, bottom = right.subfigures(2, 1, height_ratios=[1, 1.1])
    draw_shafts(top.subplots(), seen["sEEG"])
    below = bottom.subplots(1, 2)
    scalp = seen["EEG"]
    limit = max(3.0, np.abs(scalp.rise).max())
    shown = draw_topography(
        below[0], electrode_map(subject, scalp.names), scalp.rise, vmin=-limit, vmax=limit, cmap="RdBu_r"
    )
    below[0].set_title("EEG")
    bar(bottom, below[0], shown, "dB")
    draw_slice(bottom, below[1], images[..., 0], bold.clean.grid, labels == regions.index(name) + 1, change)
    return figure


def draw_shafts(ax, shafts):
    """Draw how much power grows at each contact: a row for each shaft, tips on the left."""
    devices = list(dict.fromkeys(name.rstrip("0123456789") for name in shafts.names))
    for name, rise in zip(shafts.names, shafts.rise, strict=True):
        device = name.rstrip("0123456789")
        place = int(name.removeprefix(device)), devices.index(device)
        shown = ax.scatter(*place, c=[rise], vmin=0, vmax=shafts.rise.max(), cmap="viridis", s=45, marker="s")
    ax.set_yticks(range(len(devices)), devices)
    ax.set(
        ylim=(len(devices) - 0.5, -0.5),
        xlabel="contact, from the tip",
        title="sEEG: power during the seizure over before",
    )
    bar(ax.figure, ax, shown, "dB")


def draw_slice(figure, ax, image, grid, zone, change):
    """Draw the change of the signal in the slice that has most of the zone, seen from above, left is left."""
    k = int(zone.sum(axis=(0, 1)).argmax())
    flip = -1 if grid.affine[0, 0] < 0 else 1
    ax.imshow(image[::flip, :, k].T, origin="lower", cmap="gray")
    shown = ax.imshow(change[::flip, :, k].T, origin="lower", vmin=-5, vmax=5, cmap="RdBu_r")
    ax.contour(zone[::flip, :, k].T, [0.5], colors=[BLUE], linewidths=0.8)
    ax.set_title("BOLD; the zone in blue")
    hidden(ax)
    bar(figure, ax, shown, "%")


if __name__ == "__main__":
    main()
