"""The network engine against five other simulators, one core, one run: rows `name value floor`, exit 1 when a floor is missed.

    python benchmarks/network.py [--peers DIR] [--cases deco2014,...] [--core N] [--repeats 2] [--no-checks]

DIR holds one environment for each simulator that is there: `DIR/tvb/bin/python` with tvb-library, `DIR/neurolib` with neurolib,
`DIR/cubnm` with cubnm, `DIR/tvboptim` with tvboptim, `DIR/vbjax` with vbjax and tqdm. The equations, the same for all, stand in
`peers/common.py`; what each simulator makes of them, and which of its settings were tried, in `peers/run_<name>.py`.

Speeds are simulated seconds over CPU seconds, the best of the repeats, compilation and a warm-up not counted. The order
turns round with each repeat. Every simulator also has to find the values of `truths.py`. `share of the limit` is ours in float32 over
what coupling, normal numbers and node update of a step would allow by themselves (`limits.py`).
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "peers")]

from common import task_of  # noqa: E402  (first: it sets core and threads)  # isort: skip
import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from typing import Any  # noqa: E402

import limits  # noqa: E402
from connectomes import SIZES, write_connectomes  # noqa: E402
from truths import TOLERANCES, truths  # noqa: E402

SECONDS = {
    "deco2014": {"ours": 120, "tvb": 4, "neurolib": 20, "cubnm": 30, "tvboptim": 60, "vbjax": 30},
    "hopf_delays": {"ours": 120, "tvb": 4, "neurolib": 20, "cubnm": 1, "tvboptim": 20, "vbjax": 5},
    "deco2014_1000": {"ours": 21, "tvb": 0.1, "neurolib": 1, "cubnm": 2, "tvboptim": 5, "vbjax": 5},
}
"""Simulated seconds of one timed run: some CPU seconds each, where the simulator's speed allows it."""
PEERS = ("tvb", "neurolib", "cubnm", "tvboptim", "vbjax")
FLOORS = {"deco2014": 60.0, "hopf_delays": 30.0, "deco2014_1000": 0.9}
"""x real time in float32: issue 4."""
AHEAD = {"deco2014": 3.5}
"""Times the fastest peer."""
TIMEOUT = 900.0
"""Seconds of one process."""


@dataclass(frozen=True)
class Contestant:
    """A simulator: its row's name, its script, the interpreter of its environment, and more arguments."""

    name: str
    script: str
    python: Path
    arguments: tuple[str, ...] = ()

    def run(self, case: str, inputs: Path, seconds: float, *more: str) -> dict[str, Any]:
        """Run the script once and return what it printed last; ``skipped`` says why there is nothing."""
        if not self.python.exists():
            return {"skipped": "no environment"}
        script = str(HERE / "peers" / f"run_{self.script}.py")
        command = [str(self.python), script, case, f"{seconds:g}", "--inputs", str(inputs), *self.arguments, *more]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
        if done.returncode:
            return {"skipped": "failed: " + (done.stderr.strip().splitlines() or ["no message"])[-1]}
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return found


def contestants(case: str, peers: Path | None) -> list[Contestant]:
    """Ours in both precisions and every peer, there or not; where coupling is slow, also held, and 16 simulations side by side."""
    folder = peers or Path("/nowhere")
    variants: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("ours f32", ("--precision", "float32")),
        ("ours f64", ("--precision", "float64")),
    )
    if case != "hopf_delays":
        variants += (("ours f32, coupling each 1 ms", ("--precision", "float32", "--hold", "0.001")),)
        variants += (("ours f32, each of 16 together", ("--precision", "float32", "--together", "16")),)
    ours = [Contestant(name, "fakeimaging", Path(sys.executable), arguments) for name, arguments in variants]
    return [*ours, *(Contestant(name, name, folder / name / "bin" / "python") for name in PEERS)]


MISSED: list[str] = []


def row(name: str, value: float | str, floor: float | None = None) -> None:
    """Print a row; a value below its floor is a miss."""
    missed = floor is not None and (isinstance(value, str) or value < floor)
    MISSED.extend([name] if missed else [])
    shown = value if isinstance(value, str) else f"{value:.3f}"
    print(f"{name:<52} {shown:>10} {'' if floor is None else f'{floor:g}':>6}{'  MISSED' * missed}", flush=True)


def speeds(case: str, inputs: Path, field: list[Contestant], repeats: int) -> dict[str, float | str]:
    """Return simulated over CPU seconds of each contestant, its best, or why there is none."""
    best: dict[str, float | str] = {}
    for turn in range(repeats):
        for one in field[:: -1 if turn % 2 else 1]:
            if isinstance(best.get(one.name), str):
                continue
            found = one.run(case, inputs, SECONDS[case]["ours" if one.script == "fakeimaging" else one.name])
            if "skipped" in found:
                best[one.name] = str(found["skipped"])
                continue
            speed = found["simulated_seconds"] / found["cpu_seconds"]
            best[one.name] = max(speed, float(best.get(one.name, 0.0)))
    return best


def speed_rows(case: str, inputs: Path, field: list[Contestant], repeats: int) -> None:
    """Print speeds, the ratio to the fastest peer, and the share of the machine's limit."""
    found = speeds(case, inputs, field, repeats)
    for one in field:
        value = found[one.name]
        if isinstance(value, str):
            print(f"{one.name}, {case}: {value}", file=sys.stderr)
        row(f"{case}: {one.name}, x real time", "skipped" if isinstance(value, str) else value, _floor(case, one.name))
    there = {name: found[name] for name in PEERS if not isinstance(found[name], str)}
    fastest = max(there, key=lambda name: there[name], default=None)
    for name in ("ours f32", "ours f64"):
        mine = found[name]
        if fastest is not None and not isinstance(mine, str):
            floor = AHEAD.get(case) if name == "ours f32" else None
            row(f"{case}: {name} over the fastest peer ({fastest})", mine / float(there[fastest]), floor)
    limit_rows(case, inputs, found["ours f32"])


def _floor(case: str, name: str) -> float | None:
    return FLOORS[case] if name == "ours f32" else None


def limit_rows(case: str, inputs: Path, mine: float | str) -> None:
    """Print the parts of the shortest step in microseconds, the speed they allow, and the share of it reached."""
    task = task_of(case, str(inputs), 1.0)
    parts = limits.parts(case, task.weights, task.delays)
    for name, seconds in parts.items():
        row(f"{case}: limit, {name}, us a step", 1e6 * seconds)
    limit = limits.STEP / sum(parts.values())
    row(f"{case}: limit of this core, x real time", limit)
    if not isinstance(mine, str):
        row(f"{case}: ours f32, share of the limit", mine / limit)


def check_rows(case: str, inputs: Path, field: list[Contestant]) -> None:
    """Print what each contestant finds over what it should find; outside the tolerance is a miss."""
    expected = truths(task_of(case, str(inputs), 1.0))
    for one in field:
        found = one.run(case, inputs, 1.0, "--check")
        for name, truth in ({} if "skipped" in found else expected).items():
            apart = abs(found[name] / truth - 1)
            missed = not apart <= TOLERANCES[name]
            MISSED.extend([f"{case}: {one.name}, {name}"] if missed else [])
            value = f"{found[name]:10.5g} truth {truth:.5g}, apart {apart:.1e} of at most {TOLERANCES[name]:g}"
            print(f"{f'{case}: {one.name}, {name}':<52} {value}{'  MISSED' * missed}", flush=True)


def pace(inputs: Path) -> float:
    """Seconds of a fixed piece of work: a step of the first case without its update."""
    return limits.matvec(task_of("deco2014", str(inputs), 1.0).weights) + limits.normals(168)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="folder with one environment a simulator")
    parser.add_argument("--cases", default=",".join(SIZES))
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--no-checks", action="store_true", help="times alone")
    options = parser.parse_args()
    os.environ["BENCHMARK_CORE"] = str(options.core)
    os.sched_setaffinity(0, {options.core})
    with tempfile.TemporaryDirectory() as folder:
        inputs = write_connectomes(Path(folder))
        start = pace(inputs["deco2014"])
        for case in options.cases.split(","):
            field = contestants(case, options.peers)
            speed_rows(case, inputs[case], field, options.repeats)
            if case != "deco2014_1000" and not options.no_checks:
                check_rows(case, inputs[case], field)
        row("drift of this core, end over start", pace(inputs["deco2014"]) / start)
    row("load of the machine, last minute", os.getloadavg()[0])
    print("missed: " + "; ".join(MISSED) if MISSED else "all floors held")
    return bool(MISSED)


if __name__ == "__main__":
    raise SystemExit(main())
