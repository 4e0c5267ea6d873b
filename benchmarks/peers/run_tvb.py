"""The Virtual Brain: `ReducedWongWangExcInh` with its BOLD monitor (response function, S_E averaged over 4 ms), `SupHopf`.

Float64, numpy and numba. Its `SupHopf` always gathers x and y of the senders; only the part of x is let through, so that the
equations are those of the others: it does twice the reading. `Additive` noise has an amplitude of sqrt(2 nsig).
"""

from __future__ import annotations

from common import S_E, S_I, SPEED, START_X, STEP, TR, Run, Task, main  # isort: skip
import logging
from importlib.metadata import version

import numpy as np
from tvb.datatypes.connectivity import Connectivity
from tvb.simulator import coupling, integrators, monitors, noise, simulator
from tvb.simulator.models.oscillator import SupHopf
from tvb.simulator.models.wong_wang_exc_inh import ReducedWongWangExcInh

logging.disable(logging.INFO)


class DifferenceOfX(coupling.Difference):
    """Diffusive coupling of the first state alone."""

    def post(self, gx: np.ndarray) -> np.ndarray:
        """Drop what y would receive."""
        return super().post(gx) * np.array([1.0, 0.0])[:, None, None]


def prepare(task: Task) -> Run:
    """Configure a simulator for a task."""
    sim = simulator.Simulator(
        connectivity=_connectivity(task),
        conduction_speed=SPEED,
        integrator=_integrator(task),
        monitors=(_monitor(task),),
        simulation_length=1000 * task.seconds,
        **_local(task),
    ).configure()

    def run() -> np.ndarray:
        ((_, data),) = sim.run()
        return np.asarray(data)[:, 0, :, 0]

    return run


def _connectivity(task: Task) -> Connectivity:
    n = task.n_regions
    found = Connectivity(
        weights=task.weights,
        tract_lengths=task.tract_lengths if task.case == "hopf_delays" else np.zeros_like(task.weights),
        region_labels=np.array([f"{i}" for i in range(n)]),
        centres=np.zeros((n, 3)),
        speed=np.array([SPEED]),
    )
    found.configure()
    return found


def _integrator(task: Task) -> integrators.Integrator:
    if task.sigma == 0:
        return integrators.EulerDeterministic(dt=STEP)
    return integrators.EulerStochastic(dt=STEP, noise=noise.Additive(nsig=np.array([task.sigma**2 / 2])))


def _local(task: Task) -> dict[str, object]:
    """Model, coupling and first values."""
    length = task.delays.max() + 1 if task.case == "hopf_delays" else 1
    start = np.ones((length, 2, task.n_regions, 1))
    if task.case == "hopf_delays":
        model = SupHopf(a=np.array([task.growth]), omega=np.array([task.frequency]))
        link, values = DifferenceOfX(a=np.array([task.coupling])), (START_X, 0.0)
    else:
        model = ReducedWongWangExcInh(G=np.array([task.coupling]))
        link, values = coupling.Linear(a=np.array([1.0])), (S_E, S_I)
    return {"model": model, "coupling": link, "initial_conditions": start * np.array(values)[:, None, None]}


def _monitor(task: Task) -> monitors.Monitor:
    if task.record:
        return monitors.SubSample(period=1.0)
    if task.case == "deco2014" and task.seconds >= TR / 1000:
        return monitors.Bold(period=TR)
    return monitors.TemporalAverage(period=10.0)


if __name__ == "__main__":
    main(version("tvb-library"), prepare)
