"""What a model costs beside speed: rows `name value unit ceiling`, exit 1 above a ceiling.

    python benchmarks/footprint.py [--minutes 60] [--models dmf,linear]

For each model a run with a 250 Hz dipole tap in a file and a 10 Hz rate tap in memory, 100 regions, in a process of its own with a
compiled kernel: peak of its memory above what it held after the imports and the making of the subject. And the seconds from the
start of Python to the first result, and to that of the default model when nothing was compiled before.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time

from fakeimaging.activity.models import MODELS

CEILING_MB, CEILING_FIRST, CEILING_COMPILE = 300.0, 3.0, 30.0
"""Issue 4."""
TINY = 'fi.simulate_activity(fi.make_subject("01", seed=1, anatomy="tiny"), duration=2.0)'
RUN = """
import resource, sys, tempfile, time
import numba, scipy.linalg, fakeimaging as fi
from fakeimaging.activity import engine
from fakeimaging.structure.subject import forget_template
subject = fi.make_subject("01", seed=1)
forget_template()
model, seconds = sys.argv[1], float(sys.argv[2])
taps = {name: rate for name, rate in (("dipole", 250.0), ("rate", 10.0)) if name in fi.MODELS.get(model).observables}

def held():
    with open("/proc/self/status") as status:
        return {line.split(":")[0]: float(line.split()[1]) / 1024 for line in status if line.startswith("Vm")}["VmRSS"]

with open("/proc/self/clear_refs", "w") as peak:
    peak.write("5")
before = held()
fi.simulate_activity(subject, model=model, duration=1.0, taps=taps)
start = time.process_time()
with tempfile.TemporaryDirectory() as folder:
    activity = fi.simulate_activity(subject, model=model, duration=seconds, taps=taps, store=folder)
    with open("/proc/self/status") as status:
        highest = [float(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")][0]
    print(highest - before, seconds / (time.process_time() - start))
"""
MISSED: list[str] = []


def row(name: str, value: float, unit: str, ceiling: float | None = None) -> None:
    """Print a row; a value above its ceiling is a miss."""
    missed = ceiling is not None and value > ceiling
    MISSED.extend([name] if missed else [])
    shown = "" if ceiling is None else f"at most {ceiling:g}"
    print(f"{name:<44} {value:10.2f} {unit:<4} {shown}{'  MISSED' * missed}", flush=True)


def first_result(cache: str) -> float:
    """Return the seconds from the start of Python to a first result, with kernels in this folder."""
    start = time.perf_counter()
    command = [sys.executable, "-c", f"import fakeimaging as fi; {TINY}"]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "FAKEIMAGING_CACHE": cache})
    return time.perf_counter() - start


def main() -> int:
    """Print all rows."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=60.0)
    arguments.add_argument("--models", default=",".join(MODELS.names()))
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        row("first result, nothing compiled before", first_result(cache), "s", CEILING_COMPILE)
        row("first result, kernels on disk", min(first_result(cache) for _ in range(3)), "s", CEILING_FIRST)
    for model in options.models.split(","):
        warm = [sys.executable, "-c", RUN, model, "1"]
        subprocess.run(warm, check=True, capture_output=True)
        command = [sys.executable, "-c", RUN, model, str(60 * options.minutes)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        megabytes, speed = (float(word) for word in done.stdout.split())
        row(f"{model}: {options.minutes:g} min, memory above the imports", megabytes, "MB", CEILING_MB)
        row(f"{model}: 100 regions, x real time", speed, "1")
    return int(bool(MISSED))


if __name__ == "__main__":
    sys.exit(main())
