"""What a PET scan costs: a frame of the image tier against two Gaussian blurs and a normal per voxel, a frame of the projection tier
(OSEM with the point spread in the model) against one of the image tier, 25 frames on two cores, memory by number of frames.

Rows `name value floor`, exit 1 when a floor is missed. Times are CPU time of one thread in one process, kernels compiled before; the row
of 25 frames is wall time. Peers that could be timed beside ours (dynamicpet, PETPAL, STIR) print `skipped` where they are absent.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import fakeimaging as fi

SHAPE, VOXEL, FWHM = (128, 128, 60), 2.0, 4.3
CEILING_IMAGE, CEILING_PROJECTION, CEILING_SCAN, CEILING_GROWTH = 2.0, 45.0, 60.0, 30.0
SIGMA = FWHM / 2.3548 / VOXEL
MISSED: list[str] = []


def row(name: str, value: float, ceiling: float | None = None, note: str = "") -> None:
    """Print a row; a value above its ceiling is a miss."""
    missed = ceiling is not None and value > ceiling
    MISSED.extend([name] if missed else [])
    bound = "" if ceiling is None else f"at most {ceiling:g}"
    print(f"{name:<52} {value:9.3f} {bound:<13} {'MISSED ' * missed}{note}", flush=True)


def cpu(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest CPU time of a few runs in s."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def unit() -> float:
    """Return the CPU time of two blurs of 4.3 mm and one float32 normal per voxel of a frame, in s."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(1)
    image = rng.random(SHAPE, dtype=np.float32)

    def work() -> None:
        gaussian_filter(image, SIGMA)
        gaussian_filter(image, SIGMA)
        rng.standard_normal(SHAPE, dtype=np.float32)

    return cpu(work, 7)


def scan_of(n_frames: int, tier: str = "image", **parameters: object) -> fi.Recording:
    """Return an FDG scan of the default subject, 128 x 128 x 60 voxels of 2 mm."""
    subject = fi.make_subject("01", seed=1)
    activity = fi.simulate_activity(subject, model="linear", duration=20.0)
    return fi.acquire(
        "pet", subject, activity, tier=tier, frames=((n_frames, 3600.0 / n_frames),), duration=3600.0, voxel_size=VOXEL,
        field_of_view=tuple(size * VOXEL for size in SHAPE), psf_fwhm=FWHM, **parameters,
    )  # fmt: skip


def frames(n_frames: int) -> None:
    """Time a frame of either tier, and its stages."""
    base = unit()
    row("unit: two blurs and a normal per voxel (s)", base)
    scan = scan_of(n_frames)
    print(f"{'x'.join(map(str, scan.observed.shape))}; stages: {', '.join(scan.stages)}")
    scan.observed.make(0)
    last = range(1, n_frames, max(1, n_frames // 5))
    each = cpu(lambda: [scan.observed.make(v) for v in last]) / len(last)
    row("image tier, a frame (units)", each / base, CEILING_IMAGE)
    for stage in scan.stages:
        before, after = scan.before(stage), scan.after(stage)
        first, then = (cpu(lambda part=part: [part.make(v) for v in last]) / len(last) for part in (before, after))
        row(f"  {stage} (units)", (then - first) / base)
    row("  clean (units)", cpu(lambda: [scan.clean.make(v) for v in last]) / len(last) / base)
    projected = scan_of(n_frames, "projection", psf_model=True)
    projected.observed.make(0)
    slow = cpu(lambda: [projected.observed.make(v) for v in last[:2]], 1) / 2
    row("projection tier with PSF, a frame (s)", slow)
    row("projection tier with PSF / image tier", slow / each, CEILING_PROJECTION)
    without = scan_of(n_frames, "projection", psf_model=False)
    without.observed.make(0)
    row(
        "projection tier without PSF / image tier",
        cpu(lambda: [without.observed.make(v) for v in last[:2]], 1) / 2 / each,
    )


WHOLE = """
import sys
sys.path.insert(0, {folder!r})
import pet
scan = pet.scan_of({n}, "projection", psf_model=True)
for v in range({part}, {n}, 2):
    scan.observed.make(v)
"""


def whole(n_frames: int) -> None:
    """Time all frames of a scan of the projection tier on two cores: two processes, every second frame each."""
    codes = [WHOLE.format(folder=str(Path(__file__).parent), n=n_frames, part=part) for part in (0, 1)]
    start = time.perf_counter()
    running = [subprocess.Popen([sys.executable, "-c", code]) for code in codes]
    if any(process.wait() for process in running):
        raise RuntimeError("a scan of the projection tier failed")
    row(f"{n_frames} frames, two processes, start to end (s)", time.perf_counter() - start, CEILING_SCAN)


MEMORY = """
import resource, sys, threading
from pathlib import Path
sys.path.insert(0, {folder!r})
import pet
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
scan = pet.scan_of({n}, {tier!r})
scan.observed.make(0)
scan.observed.make(1)
before, peak, done = resident(), [0.0], threading.Event()
def look():
    while not done.wait(0.005):
        peak[0] = max(peak[0], resident())
watcher = threading.Thread(target=look); watcher.start()
for v in range(0, {n}, {step}):
    scan.observed.make(v)
done.set(); watcher.join()
print(before, peak[0])
"""


def memory() -> None:
    """Watch the resident memory of a short and a long scan, in processes of their own."""
    for tier, few, many in (("image", 10, 100), ("projection", 5, 20)):
        peaks = []
        for n in (few, many):
            code = MEMORY.format(folder=str(Path(__file__).parent), n=n, tier=tier, step=1)
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            peaks.append(float(done.stdout.split()[-1]))
        row(f"{tier} tier: peak memory of {few} frames (MB)", peaks[0])
        row(f"{tier} tier: what {many} frames take more (MB)", peaks[1] - peaks[0], CEILING_GROWTH)


def peers() -> None:
    """Name the peers that are not there to be timed."""
    for peer in ("dynamicpet", "petpal", "parallelproj", "stir"):
        if importlib.util.find_spec(peer) is None:
            print(f"{peer:<52} skipped")
        else:
            print(f"{peer:<52} is installed; its reconstruction or fits are not timed here")


def main() -> int:
    """Print all rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="skip the whole scan and the memory")
    options = parser.parse_args()
    with threadpool_limits(1):
        frames(25)
    if not options.small:
        whole(25)
        memory()
    peers()
    print(f"missed: {', '.join(MISSED) or 'nothing'}")
    return 1 if MISSED else 0


if __name__ == "__main__":
    sys.exit(main())
