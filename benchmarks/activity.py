"""What the default activity does, on clean signals: rows `name value unit target`, exit 1 when a target is missed.

    python benchmarks/activity.py [--regions 100] [--seeds 5] [--subjects 2] [--duration 600] [--long]

Subjects and runs here were not used to choose any constant. Functional connectivity is the Pearson correlation of clean
regional BOLD, sampled each 2 s; alpha is read off the cortical dipoles of the most posterior regions (the scalp is
`scoring/eeg`'s); locking is the mean Kuramoto order of 8-12 Hz phases over the cortex.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

import fakeimaging as fi
from fakeimaging.activity.activity import Activity
from fakeimaging.activity.hemodynamics import Hemodynamics, blood_flow, respond
from fakeimaging.modalities.bold import BoldParameters, bold_change
from fakeimaging.structure.subject import Subject

TR = 2.0
FIRST_SEED = 911
"""Seeds from here on were not used in tuning."""
Row = tuple[str, float, str, tuple[float, float] | None]


def simulate(subject: Subject, run: int, duration: float) -> Activity:
    """Simulate one rest run with default parameters."""
    return fi.simulate_activity(subject, duration=duration, run=run)


def clean_bold(activity: Activity) -> npt.NDArray[np.float64]:
    """Return the regional BOLD change each `TR` from t = 0, shape (n_volumes, n_regions)."""
    parameters = BoldParameters()
    flow = blood_flow(activity, parameters.hemodynamics)
    change = bold_change(flow, parameters)
    every = round(TR * flow.clock.rate)
    return change[flow.clock.index(0.0) :: every][: int(activity.duration / TR)]


def connectivity_rows(subject: Subject, bold: npt.NDArray[np.float64], judged: bool) -> Iterator[Row]:
    """Rows of functional connectivity and its relation to the wiring."""
    fc = np.corrcoef(bold.T)
    upper = np.triu_indices(len(fc), 1)
    weights = (subject.connectome.weights + subject.connectome.weights.T)[upper] / 2
    network = np.array([region.network for region in subject.regions])
    named = ~np.isin(network, ["unassigned"])
    within = ((network[:, None] == network[None]) & named[:, None] & named[None])[upper]
    yield "FC mean", fc[upper].mean(), "1", (0.1, 0.4)
    r = np.corrcoef(fc[upper][weights > 0], np.log(weights[weights > 0]))[0, 1]
    yield "FC against log weights, existing edges", r, "1", (0.4, 0.7) if judged else None
    floor = np.where(weights > 0, np.log(np.where(weights > 0, weights, 1)), np.log(weights[weights > 0].min()) - 1)
    yield "FC against log weights, all pairs", np.corrcoef(fc[upper], floor)[0, 1], "1", None
    yield "FC within - between networks", fc[upper][within].mean() - fc[upper][~within].mean(), "1", (0.02, 1)


def bold_rows(bold: npt.NDArray[np.float64]) -> Iterator[Row]:
    """Rows of size and spectrum of the regional BOLD signal."""
    spread = 100 * bold.std(axis=0)
    power = np.abs(np.fft.rfft(bold - bold.mean(axis=0), axis=0)) ** 2
    slow = power[np.fft.rfftfreq(len(bold), TR) < 0.1].sum(axis=0) / power.sum(axis=0)
    yield "BOLD SD, median region", float(np.median(spread)), "%", (0.3, 1.5)
    yield "BOLD SD, share of regions in 0.3-1.5 %", float(((spread > 0.3) & (spread < 1.5)).mean()), "1", (0.9, 1)
    yield "BOLD power below 0.1 Hz", float(slow.mean()), "1", (0.5, 1)


def rate_rows(activity: Activity) -> Iterator[Row]:
    """Rows of the firing rates against their targets."""
    rates = activity.tap("rate").from_start().samples
    mean, target = rates.mean(axis=0, dtype=float), activity.truth["target_rate"]
    yield "rate, mean", float(mean.mean()), "Hz", (2, 10)
    yield "rate, lowest region", float(mean.min()), "Hz", (1, 10)
    yield "rate, highest region", float(mean.max()), "Hz", (1, 20)
    yield "rate, SD of log over regions", float(np.log(mean).std()), "1", (0.05, 0.4)
    yield "rate, delivered over target", float(np.mean(mean / target)), "1", (0.8, 1.1)
    yield "rate, correlation with target", float(np.corrcoef(mean, target)[0, 1]), "1", (0.8, 1)
    yield "rate, largest sample", float(rates.max()), "Hz", (0, 60)


def spectrum(series: npt.NDArray[np.float64], rate: float) -> tuple[npt.NDArray, npt.NDArray]:
    """Return frequencies and power spectral density (Welch, 4 s)."""
    from scipy.signal import welch

    frequency, density = welch(series, rate, nperseg=round(4 * rate), axis=0)
    return np.asarray(frequency), np.asarray(density)


def dipole_rows(subject: Subject, activity: Activity) -> Iterator[Row]:
    """Rows of rhythm, background, size and synchrony of the cortical dipoles, in the last ten minutes."""
    cortex = np.array([region.kind == "cortex" for region in subject.regions])
    tap = activity.tap("dipole").from_start()
    last = round(600 * tap.clock.rate)  # ten minutes: 90 at this rate would fill the memory
    dipoles = np.asarray(tap.samples[-last:])[:, cortex].astype(float)
    back = subject.parcellation.centroids[cortex, 1] < -70
    frequency, density = spectrum(dipoles, tap.clock.rate)
    posterior = density[:, back].mean(axis=1)
    band = (frequency >= 2) & (frequency <= 40)
    line = band & ((frequency < 6) | (frequency > 14))
    slope, level = np.polyfit(np.log(frequency[line]), np.log(posterior[line]), 1)
    above = np.log(posterior[band]) - slope * np.log(frequency[band]) - level
    yield "alpha peak, posterior dipoles", float(frequency[band][above.argmax()]), "Hz", (8, 12)
    yield "alpha peak over background", float(10 * above.max() / np.log(10)), "dB", (3, 20)
    yield "aperiodic exponent, 2-40 Hz", float(-slope), "1", (0.8, 2)
    fast = (frequency >= 1) & (frequency <= 45)
    rms = np.sqrt(density[fast].sum(axis=0) * frequency[1])
    yield "dipole rms 1-45 Hz, median of cortex", float(np.median(rms)), "nAm/mm2", None
    yield "Kuramoto order of alpha", kuramoto(dipoles, tap.clock.rate), "1", (0, 0.3)


def kuramoto(series: npt.NDArray[np.float64], rate: float) -> float:
    """Return the mean length of the mean phase vector at 8-12 Hz over the columns."""
    from scipy.signal import butter, hilbert, sosfiltfilt

    filtered = sosfiltfilt(butter(3, [8, 12], "bandpass", fs=rate, output="sos"), series, axis=0)
    phase = hilbert(filtered, axis=0)
    return float(np.abs((phase / np.abs(phase)).mean(axis=1)).mean())


def mode_rows(activity: Activity, bold: npt.NDArray[np.float64]) -> Iterator[Row]:
    """Rows of the share that sub-regional modes have of the BOLD variance of grey matter."""
    modes = activity.modes("rate")
    if modes is None:
        return
    parameters, n = BoldParameters(), bold.shape[1]
    mean = np.tile(activity.tap("rate").from_start().samples.mean(axis=0, dtype=float), modes.samples.shape[1] // n)
    scale = Hemodynamics().efficacy / mean
    flow = respond(lambda part: modes.samples[part].astype(float) * scale, modes.clock, Hemodynamics())
    change = bold_change(flow, parameters)[flow.clock.index(0.0) :: round(TR * flow.clock.rate)]
    inside = change.var(axis=0).reshape(-1, n).sum(axis=0)
    share = inside / (inside + bold.var(axis=0))
    yield "share of modes in BOLD variance, mean", float(share.mean()), "1", (0.2, 0.4)
    dipole = activity.modes("dipole")
    assert dipole is not None
    yield (
        "dipole of modes over dipole of region, rms",
        float(np.asarray(dipole.samples[:25_000]).std() / activity.tap("dipole").samples[:25_000].std()),
        "1",
        None,
    )


def evoked_rows(subject: Subject, duration: float = 306.0) -> Iterator[Row]:
    """Rows of the response to a 100 ms pulse on one visual region: there, in its strongest targets, elsewhere."""
    weights = subject.connectome.row_normalised()
    cortex = np.array([region.kind == "cortex" for region in subject.regions])
    visual = [i for i, region in enumerate(subject.regions) if region.network == "Visual"]
    source = visual[0]
    pulse = {"trial_type": "pulse", "regions": [subject.regions[source].name], "onset": 1.0, "duration": 0.1}
    pulse |= {"period": 2.5, "amplitude": 0.05}
    runs = [
        fi.simulate_activity(subject, duration=duration, conditions=conditions, task="pulse")
        for conditions in ([pulse], [])
    ]
    targets = np.argsort(-weights[:, source] * cortex)[:5]
    for name, unit in (("dipole", "nAm/mm2"), ("rate", "Hz")):
        tap = runs[0].tap(name).from_start()
        difference = np.asarray(tap.samples, dtype=float) - runs[1].tap(name).from_start().samples
        onsets = [tap.clock.index(event.onset) for event in runs[0].events]
        length = round(1.0 * tap.clock.rate)
        response = np.mean([difference[k : k + length] for k in onsets], axis=0)
        here, there = response[:, source], response[:, targets].mean(axis=1)
        start = tap.clock.times[onsets[0]] - 1.0
        yield f"evoked {name}: peak at its region", float(here.max()), unit, None
        yield f"evoked {name}: targets over region", float(there.max() / here.max()), "1", (0, 0.7)
        rises = [1e3 * (start + np.argmax(x > x.max() / 2) * tap.clock.step) for x in (here, there)]
        yield f"evoked {name}: half-rise at its region", rises[0], "ms", None
        yield f"evoked {name}: half-rise in targets, later by", rises[1] - rises[0], "ms", (1, 200)


def run_rows(subject: Subject, activity: Activity, judged: bool) -> list[Row]:
    """All rows of one rest run."""
    bold = clean_bold(activity)
    rows = [*connectivity_rows(subject, bold, judged), *bold_rows(bold), *rate_rows(activity)]
    return [*rows, *dipole_rows(subject, activity), *mode_rows(activity, bold)]


def summary(title: str, runs: list[list[Row]]) -> int:
    """Print mean, minimum and maximum of each row over the runs; return how many runs miss a target."""
    print(f"\n{title} ({len(runs)} runs)\n{'':<46} {'mean':>8} {'min':>8} {'max':>8}  unit      target")
    missed = 0
    for rows in zip(*runs, strict=True):
        name, _, unit, target = rows[0]
        values = np.array([row[1] for row in rows])
        outside = 0 if target is None else int(((values < target[0]) | (values > target[1])).sum())
        missed += outside
        wanted = "" if target is None else f"{target[0]:g}-{target[1]:g}"
        found = f"{values.mean():>8.3f} {values.min():>8.3f} {values.max():>8.3f}  {unit:<8}"
        print(f"{name:<46} {found}  {wanted}{f'  MISSED in {outside}' * bool(outside)}", flush=True)
    return missed


def main() -> int:
    """Simulate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regions", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5, help="runs of each subject")
    parser.add_argument("--subjects", type=int, default=2, help="connectomes")
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="seed of the first subject")
    parser.add_argument("--duration", type=float, default=600.0, help="seconds")
    parser.add_argument("--long", action="store_true", help="90 minutes as well")
    options = parser.parse_args()
    missed, runs, evoked = 0, [], []
    for seed in range(options.first, options.first + options.subjects):
        subject = fi.make_subject("01", seed=seed, n_regions=options.regions)
        for run in range(1, options.seeds + 1):
            start = time.process_time()
            activity = simulate(subject, run, options.duration)
            speed = (options.duration + 40) / (time.process_time() - start)
            speed_row: Row = ("speed, simulated over processor time", speed, "1", None)
            runs.append([*run_rows(subject, activity, options.regions == 100), speed_row])
        evoked.append(list(evoked_rows(subject)))
    missed += summary(f"rest, {options.regions} regions, {options.duration:g} s", runs)
    missed += summary("100 ms pulses of 0.05 nA on one visual region, same noise without them", evoked)
    if options.long:
        missed += summary("90 minutes", [run_rows(subject, simulate(subject, 99, 5400.0), False)])
    return bool(missed)


if __name__ == "__main__":
    raise SystemExit(main())
