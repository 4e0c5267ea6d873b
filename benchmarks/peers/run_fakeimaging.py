"""fakeimaging itself, by the same clock: model `deco2014` with blood flow and BOLD, and `oscillators.py`.

`simulate` is the only place that calls the engine. A run records `LEAD` seconds before t = 0, which count as simulated. The
kernel is compiled before the clock starts.
"""

from __future__ import annotations

from common import SPEED, START_X, NotThereError, Run, Task, main  # isort: skip
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import fakeimaging as fi
from fakeimaging.activity.activity import LEAD, Activity
from fakeimaging.activity.hemodynamics import blood_flow
from fakeimaging.activity.models import MODELS
from fakeimaging.core.streams import Streams
from fakeimaging.modalities.bold import BoldParameters, bold_change
from fakeimaging.structure.connectome import Connectome

OSCILLATORS = Path(__file__).parent / "oscillators.py"


@dataclass(frozen=True)
class Wired:
    """As much of a subject as a simulation reads; the number of regions has no limit."""

    connectome: Connectome
    streams: Streams = Streams(1).at("sub-01")

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return self.connectome.n_regions

    @property
    def regions(self) -> tuple[Any, ...]:
        """All cortical."""
        return tuple(SimpleNamespace(kind="cortex", name=f"{i + 1}") for i in range(self.n_regions))


def simulate(
    task: Task, duration: float, *, model: str | Path, parameters: Mapping[str, Any], taps: Mapping[str, float]
) -> Activity:
    """Simulate a task in the precision and with the hold of the coupling it asks for."""
    lengths = task.tract_lengths if task.case == "hopf_delays" else np.zeros_like(task.tract_lengths)
    subject: Any = Wired(Connectome(task.weights, lengths))
    timing = {"duration": duration, "step": 1e-4, "transient": 0.0, "speed": SPEED}
    method = {"scheme": "euler", "precision": task.precision or "float64", "coupling_interval": task.hold or None}
    given = {"model": model, "taps": taps, **timing, **method}
    if task.together == 1:
        return fi.simulate_activity(subject, parameters=parameters, **given)
    runs = [{"parameters": parameters, "run": k + 1} for k in range(task.together)]
    return fi.simulate_activities([subject], runs, **given, delays=False, jobs=1)[0]


def prepare(task: Task) -> Run:
    """Compile by a run of one second of a few regions."""
    settings = _hopf(task) if task.case == "hopf_delays" else _deco(task)
    few = replace(task, weights=task.weights[:40, :40], tract_lengths=task.tract_lengths[:40, :40])
    bold = task.case == "deco2014" and not task.record and task.together == 1
    first = simulate(few, 1.0, **settings)
    if bold:
        _bold(first)

    def run() -> np.ndarray:
        activity = simulate(task, max(1.0, task.seconds - LEAD), **settings)
        if bold:
            return _bold(activity)
        (tap,) = activity.taps.values()
        return np.asarray(tap.samples)

    return run


def _bold(activity: Activity) -> np.ndarray:
    parameters = BoldParameters()
    return bold_change(blood_flow(activity, parameters.hemodynamics), parameters)


def _deco(task: Task) -> dict[str, Any]:
    if "deco2014" not in MODELS.names():
        raise NotThereError("no model deco2014")
    parameters = {"G": task.coupling, "sigma": task.sigma, "feedback_inhibition": False, "J": 1.0}
    taps = {"synaptic": 1000.0} if task.record else {"rate": 50.0}
    return {"model": "deco2014", "parameters": parameters, "taps": taps}


def _hopf(task: Task) -> dict[str, Any]:
    parameters = {"a": 1000 * task.growth, "omega": 1000 * task.frequency, "K": 1000 * task.coupling}
    parameters |= {"sigma": task.sigma * 1000**0.5, "start": START_X}
    return {"model": OSCILLATORS, "parameters": parameters, "taps": {"x": 1000.0 if task.record else 50.0}}


if __name__ == "__main__":
    main(fi.__version__, prepare)
