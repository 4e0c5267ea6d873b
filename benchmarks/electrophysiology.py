"""What EEG and MEG cost: our product and our whole recording against `mne.simulation.simulate_raw` on the same field and courses, and an
hour of MEG to disk.

Rows `name value floor`, exit 1 when a floor is missed. Times are CPU time of one thread; kernels are compiled before. simulate_raw has the
very same 100 sources (our regions, each as one source with the summed field) and the very same courses; it adds no noise. The
largest product a machine can do, numpy's own in float32, stands beside ours.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import fakeimaging as fi

N_CHANNELS, SECONDS, RATE = 64, 60.0, 1000.0
FLOOR_CLEAN, FLOOR_WHOLE, CEILING_MEMORY = 30.0, 5.0, 500.0
MISSED: list[str] = []


def row(name: str, value: float, floor: float | None = None, ceiling: float | None = None, note: str = "") -> None:
    """Print a row; a value beyond its bound is a miss."""
    missed = (floor is not None and value < floor) or (ceiling is not None and value > ceiling)
    MISSED.extend([name] if missed else [])
    bound = "" if floor is None else f"at least {floor:g}"
    bound = bound if ceiling is None else f"at most {ceiling:g}"
    print(f"{name:<52} {value:9.3f} {bound:<13} {'MISSED ' * missed}{note}", flush=True)


def cpu(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest CPU time of a few runs in s."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def activity_of(subject: fi.Subject, seconds: float, rate: float) -> fi.Activity:
    """Return a run whose dipoles come at a rate; the linear model has no sub-regional modes, as simulate_raw has none."""
    return fi.simulate_activity(subject, model="linear", duration=seconds, taps={"dipole": rate})


def simulated_by_mne(scan: fi.Recording, subject: fi.Subject) -> tuple[Callable[[], object], np.ndarray]:
    """Return what calls simulate_raw for the regions of a scan, and the field of those."""
    import mne
    from mne.simulation import simulate_raw

    gains, tap = scan.truth["region_gain"].T.astype(np.float64), scan.source[1].tap("dipole")
    names = [channel.name for channel in scan.clean.channels if channel.kind == "EEG"]
    forward = mne.pick_channels_forward(scan.to_mne_forward(), names, ordered=True, verbose="error")
    n, regions = len(forward["source_rr"]), gains.shape[1]
    chosen = np.linspace(0, n // 2 - 1, regions // 2).astype(int)
    vertices = [chosen, chosen]
    empty = mne.SourceEstimate(np.zeros((regions, 1)), vertices, 0.0, 1.0)
    small = mne.forward.restrict_forward_to_stc(forward, empty)
    small["sol"]["data"][:] = gains
    small["_orig_sol"] = gains.copy()
    moments = np.ascontiguousarray(tap.from_start().by_region, dtype=np.float64)
    courses = mne.SourceEstimate(moments, vertices, 0.0, 1 / RATE)
    info = mne.pick_info(scan.to_mne().info, mne.pick_channels(scan.to_mne().ch_names, names), verbose="error")
    return lambda: simulate_raw(info, courses, forward=small, verbose="error"), gains


def products(subject: fi.Subject) -> None:
    """Time the clean product and the whole recording against simulate_raw."""
    activity = activity_of(subject, SECONDS, RATE)
    settings = {"montage": "biosemi64", "sampling_frequency": RATE}
    scan = fi.acquire("eeg", subject, activity, **settings)
    peer, gains = simulated_by_mne(scan, subject)
    theirs = cpu(peer, 2)
    array = activity.tap("dipole").from_start().by_region
    columns, small = np.ascontiguousarray(array), gains.astype(np.float32)
    row(f"simulate_raw, {N_CHANNELS} x {gains.shape[1]} x {SECONDS:g} s at 1 kHz (s)", theirs)
    row("numpy's float32 product of the same (s)", cpu(lambda: small @ columns))
    ours = cpu(lambda: fresh(subject, activity, settings).clean.to_array())
    row("clean recording, its field included (s)", ours)
    row("simulate_raw / clean product", theirs / cpu(lambda: again(scan)), FLOOR_CLEAN)
    acquired = cpu(lambda: fresh(subject, activity, settings))
    row("field and gains of a recording, which simulate_raw is given (s)", acquired)
    observed = cpu(lambda: fresh(subject, activity, settings).observed.to_array()) - acquired
    row("observed, default stages (s)", observed, note=", ".join(scan.stages))
    row("simulate_raw / observed", theirs / observed, FLOOR_WHOLE)
    for name in scan.stages:
        stage = next(stage for stage in scan.modality.observe if stage.name == name)
        if stage.kind == "additive":
            seconds = cpu(lambda name=name: scan.layer(name).to_array(), 2)
            row(f"  {name} (ns per sample and channel)", 1e9 * seconds / np.prod(scan.clean.shape))


def fresh(subject: fi.Subject, activity: fi.Activity, settings: dict) -> fi.Recording:
    """Return a recording of which nothing is kept."""
    return fi.acquire("eeg", subject, activity, **settings)


def again(scan: fi.Recording) -> None:
    """Make the clean signal anew, part by part."""
    from fakeimaging.modalities.electro.projection import Courses

    courses = Courses(scan.source[1], scan.clean.clock, "eeg.sampling_frequency")
    gains = scan.forward.context["gains"]
    for v in range(scan.clean.n_parts):
        courses.projected(gains, scan.clean.part(v))


def hour(subject: fi.Subject, minutes: float) -> None:
    """Write a long MEG recording in its splits and watch the memory."""
    from fakeimaging.dataset.electro import write_series

    activity = activity_of(subject, 60 * minutes, RATE)
    scan = fi.acquire("meg", subject, activity, sampling_frequency=RATE)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        files = write_series(scan, Path(folder) / "sub-01_task-rest_meg.fif")
        seconds, size = time.process_time() - start, sum(path.stat().st_size for path in Path(folder).iterdir())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    row(f"MEG, {minutes:g} min of {scan.clean.shape[0]} channels: MB", size / 1e6, note=f"{len(files)} files")
    row("  CPU s per minute of recording", seconds / minutes)
    row("  peak memory of the process (MB)", peak, ceiling=CEILING_MEMORY, note=f"{before:.0f} before writing")


def main() -> int:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the MEG recording")
    parser.add_argument("--only", choices=["products", "hour"], help="one part alone")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        subject = fi.make_subject("01", seed=1)
        # Memory is the highest of the process so far: the long recording comes before anything imports mne.
        if options.only != "products":
            hour(subject, options.minutes)
        if options.only != "hour":
            try:
                products(subject)
            except ModuleNotFoundError as error:
                print(f"simulate_raw: skipped, {error.name} is not installed")
    return 1 if MISSED else 0


if __name__ == "__main__":
    sys.exit(main())
