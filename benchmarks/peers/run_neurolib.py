"""neurolib: `WWModel` with its Balloon model at every step, `HopfModel`; float64, numba.

Its noise is an Ornstein-Uhlenbeck process; with a time constant of one step it is white. `WWModel` reads ``tau_exc`` where it
should read ``tau_inh`` (0.6.2, ww/timeIntegration.py), so the right value is put into the compiled loop's arguments here.
It keeps every step of every state in memory, so BOLD is run in chunks of 2 s, as its documentation advises for long runs.
"""

from __future__ import annotations

from common import S_E, S_I, SPEED, START_X, STEP, TR, Run, Task, main  # isort: skip
import inspect
from importlib.metadata import version
from typing import Any

import numpy as np
from neurolib.models.hopf import HopfModel
from neurolib.models.ww import WWModel
from neurolib.models.ww import timeIntegration as ww


def _with_tau_inh(loop: Any, value: float = 10.0) -> Any:
    place = list(inspect.signature(loop.py_func).parameters).index("tau_inh")
    return lambda *arguments: loop(*arguments[:place], value, *arguments[place + 1 :])


ww.timeIntegration_njit_elementwise = _with_tau_inh(ww.timeIntegration_njit_elementwise)


def prepare(task: Task) -> Run:
    """Build the model of a task."""
    if task.case == "hopf_delays":
        return _hopf(task)
    return _deco(task)


def _common(model: Any, task: Task) -> None:
    model.params["duration"] = 1000 * task.seconds
    model.params["dt"] = STEP
    model.params["signalV"] = SPEED
    model.params["K_gl"] = task.coupling
    model.params["tau_ou"] = STEP
    model.params["sigma_ou"] = task.sigma / STEP


def _deco(task: Task) -> Run:
    model = WWModel(Cmat=task.weights, Dmat=np.zeros_like(task.weights), seed=1)
    _common(model, task)
    ones = np.ones((task.n_regions, 1))
    model.params["ses_init"], model.params["sis_init"] = S_E * ones, S_I * ones

    def run() -> np.ndarray:
        if task.record or task.seconds < TR / 1000:
            model.run()
            return np.asarray(model.se).T[round(1 / STEP) - 1 :: round(1 / STEP)]
        model.run(chunkwise=True, chunksize=round(TR / STEP), bold=task.case == "deco2014")
        return np.asarray(model.outputs["se"])

    return run


def _hopf(task: Task) -> Run:
    model = HopfModel(Cmat=task.weights, Dmat=task.tract_lengths, seed=1)
    _common(model, task)
    model.params["a"], model.params["w"] = task.growth, task.frequency
    shape = (task.n_regions, 1)
    model.params["xs_init"], model.params["ys_init"] = np.full(shape, START_X), np.zeros(shape)

    def run() -> np.ndarray:
        model.run()
        return np.asarray(model.x).T[round(1 / STEP) - 1 :: round(1 / STEP)]

    return run


if __name__ == "__main__":
    main(version("neurolib"), prepare)
