"""Where time, memory and bytes of a simulated dataset go: rows `name value unit ceiling`, exit 1 above a ceiling.

First the stages of one subject, one after the other in this process, kernels warm, one thread; then the whole study with two workers in
processes of its own. The machine's own speed stands in the first row: drawing ten million float32 normals; it stretches the
ceilings in seconds when it is slower than where they were set (0.1 s).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import fakeimaging as fi
from fakeimaging.activity.activity import compile_model
from fakeimaging.core.streams import Streams
from fakeimaging.dataset.export import export_grid, write_structural_export
from fakeimaging.dataset.manifest import Manifest
from fakeimaging.dataset.names import scans
from fakeimaging.dataset.recordings import write_recording
from fakeimaging.dataset.structure import write_structure
from fakeimaging.dataset.write import activity_of, recording_of, subject_of

INTERVAL = 0.25
"""Seconds between two looks at the memory of the processes."""


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


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that descend from it."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from family(int(child))


def proportional_memory(pid: int) -> float:
    """Memory of a process and its descendants in MB, shared pages counted once (PSS)."""
    total = 0.0
    for member in family(pid):
        lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
        total += sum(float(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))
    return total


def simulate(arguments: list[str]) -> tuple[float, float]:
    """Run `fakeimaging simulate` and return its seconds and the largest memory of all its processes in MB."""
    call = "import sys; from fakeimaging.dataset.cohort import simulate_study; from fakeimaging.dataset.study import read_study; "
    call += "simulate_study(read_study(None, [], small=sys.argv[1] == 'small'), sys.argv[2], jobs=2)"
    start, peak = time.perf_counter(), 0.0
    with subprocess.Popen([sys.executable, "-c", call, *arguments]) as process:
        while process.poll() is None:
            try:
                peak = max(peak, proportional_memory(process.pid))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            time.sleep(INTERVAL)
    if process.returncode:
        raise SystemExit(process.returncode)
    return time.perf_counter() - start, peak


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
    stages(study)
    whole(study, "small" if options.small else "full")
    print("above the ceiling: " + ", ".join(MISSED) if MISSED else "all below their ceilings")
    return bool(MISSED)


def stages(study: fi.Study) -> None:
    """Time each stage of the first subject."""
    label = study.labels[0]
    subject = timed("subject", lambda: subject_of(study, label))
    session = study.sessions[0]
    activities: dict[Any, Any] = {(None, None): None}
    for run in session.runs:
        timed(f"kernel {run.model} (cached or new)", lambda run=run: compile_model(run.model, subject))
        activities[run.task, run.run] = timed(
            f"activity {run.task} {run.run}, {run.duration:g} s", lambda run=run: activity_of(subject, session, run)
        )
    with tempfile.TemporaryDirectory() as folder:
        root, manifest = Path(folder), Manifest(label, study.digest())
        timed("structure and truth of tissue", lambda: write_structure(subject, study, root, manifest))
        grid = export_grid(study)
        timed("structural export", lambda: write_structural_export(subject, grid, root, manifest))
        for scan in scans(study, label):
            activity, before = activities[scan.task, scan.run], sum(w.bytes for w in manifest.files.values())
            name = scan.raw.name.split(".")[0].removeprefix(f"sub-{label}_")
            recording = timed(
                f"{name}: forward", lambda scan=scan, activity=activity: recording_of(scan, subject, activity)
            )
            timed(
                f"{name}: write",
                lambda scan=scan, activity=activity, recording=recording: write_recording(
                    recording, scan, subject, activity, root, manifest
                ),
            )
            row(f"{name}: size", (sum(w.bytes for w in manifest.files.values()) - before) / 1e6, "MB")


def whole(study: fi.Study, size: str) -> None:
    """Time the whole study with two workers, score it, and look at memory and bytes."""
    ceilings = {"full": (70.0, 600.0), "small": (15.0, 30.0)}[size]
    with tempfile.TemporaryDirectory() as folder:
        out, n = Path(folder) / "out", len(study.labels)
        seconds, peak = simulate([size, str(out)])
        row("a subject, two workers", seconds / n, "s", ceilings[0] * SLOWNESS[-1])
        row("memory, all processes (PSS)", peak, "MB", 1500)
        written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        row("a subject on disk", written / 1e6 / n, "MB", ceilings[1])
        start = time.perf_counter()
        fi.score.score_dataset(out)
        row("score of a subject", (time.perf_counter() - start) / n, "s", 30 * SLOWNESS[-1])


if __name__ == "__main__":
    raise SystemExit(main())
