"""Where time, memory and bytes of a simulated subject go: rows `name value unit ceiling`, exit 1 above a ceiling.

Stages run one after the other in this process, kernels warm, one thread. The machine's own speed stands in the first row:
drawing ten million float32 normals; it stretches the ceilings in seconds when it is slower than where they were set (0.1 s).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fakeimaging as fi
from fakeimaging.activity.activity import compile_model
from fakeimaging.core.streams import Streams
from fakeimaging.dataset.images import write_image
from fakeimaging.dataset.names import scans
from fakeimaging.dataset.write import activity_of, recording_of, subject_of


def timed(name: str, work: Callable[[], Any], ceiling: float | None = None) -> Any:
    """Run, print a row, and remember a missed ceiling."""
    start = time.perf_counter()
    result = work()
    row(name, time.perf_counter() - start, "s", None if ceiling is None else ceiling * SLOWNESS[-1])
    return result


MISSED: list[str] = []
SLOWNESS = [1.0]


def row(name: str, value: float, unit: str, ceiling: float | None = None) -> None:
    """Print a row; a value above its ceiling is a miss."""
    missed = ceiling is not None and value > ceiling
    MISSED.extend([name] if missed else [])
    print(
        f"{name:<34} {value:10.3f} {unit:<3} {'' if ceiling is None else f'at most {ceiling:g}'}{'  MISSED' * missed}"
    )


def memory() -> float:
    """Peak of this process so far in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def outside(code: str) -> Callable[[], Any]:
    """Run Python code in a fresh process."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def main() -> int:
    """Time each stage of the first subject of the built-in study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="the small study")
    options = parser.parse_args()
    study = fi.read_study().small() if options.small else fi.read_study()

    start = time.perf_counter()
    timed("10 M normals (machine)", lambda: Streams(1).rng().standard_normal(10_000_000, dtype=np.float32))
    SLOWNESS.append(max(1.0, (time.perf_counter() - start) / 0.1))
    help_code = "import sys; sys.argv = ['x', '--help']; from fakeimaging.cli import app; app(standalone_mode=False)"
    timed("fakeimaging --help", outside(help_code), 0.5)
    timed(
        "tiny subject, with imports",
        outside("import fakeimaging as f; f.make_subject('01', seed=1, anatomy='tiny')"),
        1.0,
    )
    subject = timed("subject", lambda: subject_of(study, study.labels[0]))
    session = study.sessions[0]
    for run in session.runs:
        timed(f"kernel {run.model} (cached or new)", lambda run=run: compile_model(run.model, subject))
        activity = timed(f"activity {run.task}, {run.duration:g} s", lambda run=run: activity_of(subject, session, run))
    with tempfile.TemporaryDirectory() as folder:
        for scan in scans(study, study.labels[0]):
            recording = timed(
                f"{scan.modality}: forward",
                lambda scan=scan: recording_of(scan, subject, activity if scan.task else None),
            )
            for what in ("observed", "clean"):
                path = Path(folder) / f"{what}.nii.gz"
                image = getattr(recording, what)
                timed(f"{scan.modality}: write {what}", lambda path=path, image=image: write_image(path, image))
                row(f"{scan.modality}: size of {what}", path.stat().st_size / 1e6, "MB")
        row("peak memory", memory(), "MB", 1500)
        whole = study.content() | {"subjects": 1}
        timed("one subject, all of it", lambda: fi.simulate_study(whole, Path(folder) / "out"), 60.0)
        size = sum(path.stat().st_size for path in (Path(folder) / "out").rglob("*") if path.is_file())
        row("one subject on disk", size / 1e6, "MB", 500)
    print("above the ceiling: " + ", ".join(MISSED) if MISSED else "all below their ceilings")
    return bool(MISSED)


if __name__ == "__main__":
    raise SystemExit(main())
