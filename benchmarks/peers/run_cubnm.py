"""cuBNM on the CPU: `rWWSimGroup` with its Balloon model at 1 ms; float64, C++. It has no Stuart-Landau oscillator.

Its noise is drawn once for at most 30 s and used again after shuffling, its default; a run up to that long uses each number
once. Drawing is part of the time here because the warm-up run has another length.
"""

from __future__ import annotations

from common import TR, NotThereError, Run, Task, main  # isort: skip
from importlib.metadata import version

import numpy as np
from cubnm.sim import rWWSimGroup


def prepare(task: Task) -> Run:
    """Build a group of one simulation."""
    if task.case == "hopf_delays":
        raise NotThereError("cubnm has no Stuart-Landau model")
    group = rWWSimGroup(
        duration=task.seconds,
        TR=min(TR / 1000, task.seconds),
        sc=np.ascontiguousarray(task.weights.T),  # its rows send
        dt="0.1",
        bw_dt="1.0",
        do_fic=False,
        do_fc=False,
        do_fcd=False,
        gof_terms=[],
        force_cpu=True,
        sim_seed=1,
        bold_remove_s=0,
        noise_segment_length=min(30, task.seconds),
        states_ts=task.record,
        states_sampling=0.001 if task.record else None,
    )
    group.N = 1
    group.param_lists["G"] = np.array([task.coupling])
    group.param_lists["sigma"] = np.full((1, task.n_regions), task.sigma)
    group._set_default_params(missing=True)

    def run() -> np.ndarray:
        group.run()
        return np.asarray(group.sim_states["S_E"])[0] if task.record else np.asarray(group.sim_bold)

    return run


if __name__ == "__main__":
    main(version("cubnm"), prepare)
