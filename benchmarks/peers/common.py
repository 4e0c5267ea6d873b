"""What the scripts of this folder share: the cases in numbers, one core and one thread, the clock, the line that is printed.

    BENCHMARK_CORE=0 python benchmarks/peers/run_<name>.py CASE SECONDS --inputs FILE.npz [--check] [--precision float32]

Import it before anything else: core and thread limits must be set before numpy and jax load and start threads. It needs numpy only, since
each simulator runs in an environment of its own. Times in ms, rates in Hz, tract lengths in mm.

``deco2014`` and ``deco2014_1000``: dynamic mean field with excitation and inhibition (Deco et al. 2014,
doi:10.1523/JNEUROSCI.5068-13.2014), J = 1, no delays, Euler-Maruyama, white noise on S_E and S_I, with BOLD where there is one:

    I_E = I0 + w+ J_N S_E + G J_N sum_j C_ij S_E,j - S_I         I_I = .7 I0 + J_N S_E - S_I
    dS_E = (-S_E / 100 + (1 - S_E) .000641 r(I_E)) dt + s dW     dS_I = (-S_I / 10 + .001 r(I_I)) dt + s dW

``hopf_delays``: Stuart-Landau oscillators (Deco et al. 2017, doi:10.1038/s41598-017-03073-5), coupled through x alone:

    dx = ((a - x^2 - y^2) x - w y + K sum_j C_ij (x_j(t - d_ij) - x_i)) dt + s dW     dy = ((a - x^2 - y^2) y + w x) dt + s dW
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"
os.sched_setaffinity(0, {int(os.environ.get("BENCHMARK_CORE", min(os.sched_getaffinity(0))))})

import argparse  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import dataclass, replace  # noqa: E402

import numpy as np  # noqa: E402

STEP = 0.1
"""ms"""
TR = 2000.0
"""ms between two volumes of BOLD."""
SPEED = 10.0
"""Conduction speed in m/s, which is mm/ms."""
TAU_E, GAMMA_E = 100.0, 0.641e-3
"""ms and per (ms Hz): Deco et al. 2014."""
S_E, S_I = 0.164757, 0.039219
"""Working point without coupling; every run starts there."""
START_X = 0.1
"""First value of x of every oscillator; y starts at 0."""
WARM_UP = 1.0
"""Seconds simulated before the clock starts."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be simulated.

    Parameters
    ----------
    case : str
    weights, tract_lengths : ndarray, shape (n_regions, n_regions)
        Row receives; mm.
    seconds : float
    coupling : float
        G, or K per ms.
    sigma : float
        Amplitude of the noise per square root of ms.
    growth, frequency : float
        a and w of the oscillators, per ms.
    record : bool
        Whether ``run`` returns S_E or x each ms instead of what is usual.
    precision : str
        ``"float32"`` or ``"float64"``, where there is a choice.
    hold : float
        Seconds between two refreshments of the coupling, where there is a choice; 0 is each step.
    together : int
        Simulations of the same network in one call, where there is a choice.
    """

    case: str
    weights: np.ndarray
    tract_lengths: np.ndarray
    seconds: float
    coupling: float
    sigma: float
    growth: float = -0.02
    frequency: float = 2 * math.pi * 0.010
    record: bool = False
    precision: str = ""
    hold: float = 0.0
    together: int = 1

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.weights)

    @property
    def n_steps(self) -> int:
        """Steps of the run."""
        return round(1000 * self.seconds / STEP)

    @property
    def delays(self) -> np.ndarray:
        """Steps, shape (n_regions, n_regions)."""
        return np.rint(self.tract_lengths / SPEED / STEP).astype(int)


Run = Callable[[], np.ndarray]
"""Simulates once; returns S_E or x, shape (n_ms, n_regions), where the task says ``record``, anything else otherwise."""


class NotThereError(Exception):
    """The simulator has no such model."""


def task_of(case: str, inputs: str, seconds: float) -> Task:
    """Return the timed task of a case."""
    with np.load(inputs) as file:
        wiring = file["weights"], file["tract_lengths"]
    if case == "hopf_delays":
        return Task(case, *wiring, seconds, coupling=0.05, sigma=0.002)
    return Task(case, *wiring, seconds, coupling=0.2, sigma=0.001)


def timed(prepare: Callable[[Task], Run], task: Task) -> dict[str, float]:
    """Return CPU and wall seconds of one run; a short one of another task goes before it, and ``prepare`` is not counted."""
    prepare(replace(task, seconds=min(WARM_UP, task.seconds)))()
    run = prepare(task)
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    return {"cpu_seconds": time.process_time() - cpu, "wall_seconds": time.perf_counter() - wall}


def checked(prepare: Callable[[Task], Run], task: Task) -> dict[str, float]:
    """Return what shows that the equations are the same: `truths.py` has the values it should have."""
    if task.case == "hopf_delays":
        free, bound = (prepare(orbit(task, coupling))() for coupling in (0.0, task.coupling))
        return {**orbit_measures(free, "uncoupled"), **orbit_measures(bound, "coupled"), "sd_x": _sd(prepare, task)}
    still = replace(task, seconds=3.0, sigma=0.0, record=True)
    rates = [_rate(prepare(replace(still, coupling=g))()[-1]) for g in (0.0, task.coupling)]
    return {
        "rate_uncoupled": float(rates[0].mean()),
        "rate_coupled": float(rates[1].mean()),
        "sd_S_E": _sd(prepare, task),
    }


def orbit(task: Task, coupling: float) -> Task:
    """Return the task on a limit cycle, without noise: delays change its frequency."""
    return replace(task, seconds=2.0, sigma=0.0, coupling=coupling, growth=0.02, record=True)


def orbit_measures(x: np.ndarray, name: str) -> dict[str, float]:
    """Return amplitude and frequency in Hz of the last second of x, shape (n_ms, n_regions), mean over the regions."""
    last = x[-1000:]
    crossings = [_crossings(last[:, k]) for k in range(last.shape[1])]
    frequency = np.mean([1000 * (len(t) - 1) / (t[-1] - t[0]) for t in crossings])
    return {f"amplitude_{name}": float(np.abs(last).max(axis=0).mean()), f"frequency_{name}": float(frequency)}


def _crossings(x: np.ndarray) -> np.ndarray:
    """When x rises through 0, in samples."""
    before = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    return before + x[before] / (x[before] - x[before + 1])


def _rate(gating: np.ndarray) -> np.ndarray:
    """Firing rate in Hz that holds S_E where it is."""
    return gating / (TAU_E * (1 - gating) * GAMMA_E)


def _sd(prepare: Callable[[Task], Run], task: Task) -> float:
    """SD in time after the first second, root of the mean square over the regions."""
    samples = prepare(replace(task, seconds=5.0, record=True))()[1000:]
    return float(np.sqrt(samples.var(axis=0).mean()))


def main(version: str, prepare: Callable[[Task], Run]) -> None:
    """Do what the command line says and print one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("case")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--inputs", required=True, help=".npz with weights and tract_lengths")
    parser.add_argument("--check", action="store_true", help="print what shows that the equations are the same instead")
    parser.add_argument("--precision", default="")
    parser.add_argument("--together", type=int, default=1, help="simulations of the same network in one call")
    parser.add_argument("--hold", type=float, default=0.0, help="seconds between two refreshments of the coupling")
    options = parser.parse_args()
    task = replace(
        task_of(options.case, options.inputs, options.seconds),
        precision=options.precision,
        hold=options.hold,
        together=options.together,
    )
    found: dict[str, object] = {"case": options.case, "version": version}
    try:
        measures = checked(prepare, task) if options.check else timed(prepare, task)
        found |= measures if options.check else {"simulated_seconds": task.seconds * task.together, **measures}
    except NotThereError as reason:
        found["skipped"] = str(reason)
    print(json.dumps(found))
