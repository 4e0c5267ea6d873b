"""One subject of a NetSim case, from rest to the end of the session, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import kernels
from fakeimaging.activity.models.netsim import NOISE_STEP
from fakeimaging.activity.netsim.cases import Case
from fakeimaging.activity.netsim.inputs import mean_and_sd, stepped, switches
from fakeimaging.activity.netsim.kernel import advance_netsim
from fakeimaging.activity.netsim.networks import CONSTANTS, Network
from fakeimaging.core.streams import Streams

Array = npt.NDArray[np.float64]
BLOOD_STEP = 0.05
"""s: BOLD is within 0.3 % of its peak of an adaptive solver's (tests/activity/netsim; 0.06 % at half of it)."""
BLOCK = 4096
"""Steps whose normals are in memory at once."""


@lru_cache(maxsize=1)
def kernel() -> Callable[..., None]:
    """Return the compiled loop."""
    return kernels.compiled(advance_netsim)


def bold(network: Network, case: Case, streams: Streams, *, gaussian: bool) -> Array:
    """Simulate the BOLD of one subject.

    Parameters
    ----------
    network : Network
    case : Case
    streams : Streams
        Of this subject and kind of inputs.
    gaussian : bool
        Kind of inputs.

    Returns
    -------
    ndarray, shape (n_timepoints, n_nodes), percent
        At the end of each repetition time.
    """
    # Gates multiply states, and take the published Euler step with all else; without them a step of any length is exact.
    n_parts = 1 if len(network.gates) else round(BLOOD_STEP / NOISE_STEP)
    n_steps = round(case.n_timepoints * case.tr / NOISE_STEP)
    network_part = _network_part(network, case, streams, n_steps, n_parts, gaussian)
    result = np.empty((case.n_timepoints, case.n_nodes))
    blood_part = (*_blood_part(network, case), result)
    run, place = kernel(), np.zeros(2, dtype=np.int64)
    n_normals = len(network_part[2]) + len(network.gates)
    for normals in _normals(n_steps // n_parts, n_normals, streams):
        run(normals, place, *network_part, *blood_part)
    return result


def _network_part(network: Network, case: Case, streams: Streams, n_steps: int, n_parts: int, gaussian: bool) -> tuple:  # type: ignore[type-arg]
    """Return switches to noise of gates, as the kernel takes them."""
    steps, rng = stepped(network, case.sigma, n_parts, gaussian=gaussian), streams.at("inputs").rng()
    mean, sd = mean_and_sd(network.rates)
    state, levels, table = np.zeros(len(steps.transition)), np.zeros(len(mean)), np.zeros((0, 3), dtype=np.int64)
    if gaussian:
        state[case.n_nodes :], levels = sd * rng.standard_normal(len(sd)), mean.copy()
    else:
        table = switches(network.rates, n_steps, rng=rng)
    held = steps.jumps[0] @ levels
    turned = [np.ascontiguousarray(array.swapaxes(-1, -2)) for array in (steps.transition, steps.spread, steps.jumps)]
    gate = NOISE_STEP * case.sigma * case.gate * network.inputs[0, 0]
    return (table, n_parts, state, held, levels, *turned, network.gates, gate, network.input_noise)


def _blood_part(network: Network, case: Case) -> tuple:  # type: ignore[type-arg]
    """Return last drive to volumes, as the kernel takes them: everything at rest."""
    n, n_parts = case.n_nodes, 1 if len(network.gates) else round(BLOOD_STEP / NOISE_STEP)
    blood = np.vstack([np.zeros(n), np.ones((5, n))])
    constants = np.stack([network.constants[name] for name in CONSTANTS])
    every = round(BLOOD_STEP / NOISE_STEP / n_parts)
    return (np.zeros(n), blood, constants, every, BLOOD_STEP, round(case.tr / BLOOD_STEP))


def _normals(n_steps: int, n: int, streams: Streams) -> Iterator[npt.NDArray[np.float32]]:
    rng = streams.at("neural").rng()
    for first in range(0, n_steps, BLOCK):
        yield rng.standard_normal((min(BLOCK, n_steps - first), n), dtype=np.float32)
