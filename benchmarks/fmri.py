"""What a BOLD file costs: simulating and writing 64 x 64 x 36 x 200 voxels with the default stages, against drawing as many normals.

Rows `name value floor`, exit 1 when a floor is missed. The unit is the CPU time of numpy's float32 normals in this process: for the
same number of samples fmrisim's noise is timed too where `--peer` names a Python that has brainiak. One thread; kernels are compiled
before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

CEILING, CEILING_WHOLE, CEILING_MEMORY, CEILING_IMPORT = 8.0, 12.0, 300.0, 3.0
MISSED: list[str] = []
SHAPE = (64, 64, 36, 200)


def row(name: str, value: float, ceiling: float | None = None, note: str = "") -> None:
    """Print a row; a value above its ceiling is a miss."""
    missed = ceiling is not None and value > ceiling
    MISSED.extend([name] if missed else [])
    bound = "" if ceiling is None else f"at most {ceiling:g}"
    print(f"{name:<44} {value:9.3f} {bound:<12} {'MISSED ' * missed}{note}", flush=True)


def cpu(work: Callable[[], object], repeats: int = 1) -> float:
    """Return the shortest CPU time of a few runs in s."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def drawing(n_volumes: int) -> float:
    """Return the CPU time of as many float32 normals, volume by volume, in s."""
    rng = np.random.default_rng(1)
    return cpu(lambda: [rng.standard_normal(SHAPE[:3], dtype=np.float32) for _ in range(n_volumes)], 3)


def scan_of(n_volumes: int, off: tuple[str, ...] = (), **parameters: object):  # noqa: ANN201
    """Return a scan of the default subject."""
    import fakeimaging as fi

    subject = fi.make_subject("01", seed=1)
    activity = fi.simulate_activity(subject, model="linear", duration=2.0 * n_volumes)
    return fi.acquire(
        "bold", subject, activity, voxel_size=3.5, field_of_view=(224.0, 224.0, 126.0), off=off, **parameters
    )


def chain(n_volumes: int) -> None:
    """Time the whole chain and its parts."""
    from fakeimaging.dataset.images import write_image

    scan = scan_of(n_volumes)
    print(f"{'x'.join(map(str, scan.observed.shape))}, stages: {', '.join(scan.stages)}; motion by cubic B-splines")
    scan.observed.make(0)
    unit = drawing(n_volumes)
    row("unit: float32 normals (s)", unit)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bold.nii.gz"
        whole = cpu(lambda: write_image(path, scan.observed), 2) / unit
        size = path.stat().st_size / 1e6
        still = scan_of(n_volumes, off=("motion",))
        still.observed.make(0)
        apart = cpu(lambda: write_image(path, still.observed), 2) / unit
        row("observed to .nii.gz, motion apart (units)", apart, CEILING)
        row("  motion, cubic B-splines (units)", whole - apart)
        row("  with motion (units)", whole, CEILING_WHOLE)
        row("  size of the file (MB)", size)
        row("clean to .nii.gz (units)", cpu(lambda: write_image(path, scan.clean)) / unit)


def parts(n_volumes: int) -> None:
    """Time what each stage adds, without writing."""
    scan = scan_of(n_volumes)
    unit = drawing(n_volumes)
    for stage in scan.stages:
        before, after = scan.before(stage), scan.after(stage)
        after.make(0)
        first = cpu(lambda before=before: [before.make(v) for v in range(0, n_volumes, 4)])
        then = cpu(lambda after=after: [after.make(v) for v in range(0, n_volumes, 4)])
        row(f"  stage {stage} (units)", 4 * (then - first) / unit)


MEMORY = """
import resource, sys, tempfile, threading, time
from pathlib import Path
import fakeimaging as fi
from fakeimaging.dataset.images import write_image
sys.path.insert(0, {folder!r})
import fmri
scan = fmri.scan_of(8)
with tempfile.TemporaryDirectory() as place:
    write_image(Path(place) / "warm.nii.gz", scan.observed)
del scan
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
import importlib
before, peak, done = {imports}, [0.0], threading.Event()
def look():
    while not done.wait(0.02):
        peak[0] = max(peak[0], resident())
watcher = threading.Thread(target=look); watcher.start()
scan = fmri.scan_of({n})
with tempfile.TemporaryDirectory() as place:
    write_image(Path(place) / "bold.nii.gz", scan.observed)
done.set(); watcher.join()
print(peak[0] - before)
"""
IMPORTS = """
import resource
from pathlib import Path
import numpy, scipy.ndimage, scipy.stats, nibabel, numba, pydantic, isal
import fakeimaging as fi
fi.make_subject, fi.simulate_activity, fi.acquire
import fakeimaging.dataset.images
print(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6)
"""


def run(code: str) -> str:
    """Return what a fresh process prints last."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def memory(n_volumes: int) -> None:
    """Peak of resident memory above the imports while subject, activity and file are made."""
    imports = float(run(IMPORTS))
    code = MEMORY.format(folder=str(Path(__file__).parent), imports=imports, n=n_volumes)
    row("peak memory above the imports (MB)", float(run(code)), CEILING_MEMORY)


def phantom() -> None:
    """From import to image, labels and truth in a fresh process."""
    code = "import time; t = time.perf_counter(); import fakeimaging as fi; p = fi.phantom(seed=1); print(time.perf_counter() - t)"
    run(code)
    row("phantom, from import (s)", float(run(code)), CEILING_IMPORT)


PEER = """
import json, time
import numpy as np
from brainiak.utils import fmrisim
rng = np.random.default_rng(1)
unit = time.process_time()
for _ in range(200):
    rng.standard_normal((64, 64, 36), dtype=np.float32)
unit = time.process_time() - unit
dimensions = np.array([64, 64, 36])
mask, template = fmrisim.mask_brain(volume=dimensions, mask_self=False)
noise = {"snr": 30, "sfnr": 70, "max_activity": 1000, "matched": 0}
start = time.process_time()
made = fmrisim.generate_noise(
    dimensions=dimensions, stimfunction_tr=np.zeros((200, 1)), tr_duration=2, template=template, mask=mask, noise_dict=noise,
    iterations=[0, 0],
)
assert made.shape == (64, 64, 36, 200)
print(json.dumps((time.process_time() - start) / unit))
"""


def peer(python: str | None) -> None:
    """Time fmrisim's unfitted noise with the interpreter of an environment that has brainiak."""
    if python is None:
        print(f"{'fmrisim':<44} skipped: --peer is the Python of an environment with brainiak")
        return
    done = subprocess.run([python, "-c", PEER], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{'fmrisim':<44} skipped: {done.stderr.strip().splitlines()[-1]}")
        return
    row("fmrisim, noise alone, not written (units)", float(json.loads(done.stdout.strip().splitlines()[-1])))


def main() -> int:
    """Run everything; exit 1 when a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="40 volumes")
    parser.add_argument(
        "--peer", metavar="PYTHON", help="interpreter of an environment with brainiak: fmrisim is timed too"
    )
    arguments = parser.parse_args()
    n_volumes = 40 if arguments.small else SHAPE[3]
    with threadpool_limits(limits=1):
        chain(n_volumes)
        parts(min(n_volumes, 80))
    memory(n_volumes)
    phantom()
    peer(arguments.peer)
    if MISSED:
        print(f"missed: {', '.join(MISSED)}")
    return 1 if MISSED else 0


if __name__ == "__main__":
    sys.exit(main())
