"""One subject of a NetSim case, from rest to the end of the session, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import kernels
from fakeimaging.activity.hemodynamics_parameters import CONSTANTS
from fakeimaging.activity.models.netsim import NOISE_STEP
from fakeimaging.activity.netsim.cases import Case
from fakeimaging.activity.netsim.inputs import mean_and_sd, stepped, switches
from fakeimaging.activity.netsim.kernel import advance_netsim
from fakeimaging.activity.netsim.networks import Network
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
    n_parts, result = parts_of(network), np.empty((case.n_timepoints, case.n_nodes))
    n_steps = round(case.n_timepoints * case.tr / NOISE_STEP)
    neural = network_part(network, case, streams, n_steps, gaussian=gaussian)
    blood, place, run = blood_part(network, case), np.zeros(2, dtype=np.int64), kernel()
    for normals in _normals(n_steps // n_parts, len(neural[2]) + len(network.gates), streams):
        run(normals, place, *neural, *blood, result)
    return result


def parts_of(network: Network) -> int:
    """Return how many times 5 ms a step of the network takes."""
    # Gates multiply states, and take the published Euler step with all else; without them a step of any length is exact.
    return 1 if len(network.gates) else round(BLOOD_STEP / NOISE_STEP)


def network_part(network: Network, case: Case, streams: Streams, n_steps: int, *, gaussian: bool) -> tuple:
    """Return what the kernel takes from switches to the noise of gates, for ``n_steps`` of 5 ms."""
    n_parts, rng = parts_of(network), streams.at("inputs").rng()
    steps, (mean, sd) = stepped(network, case.sigma, n_parts, gaussian=gaussian), mean_and_sd(network.rates)
    state, levels, table = np.zeros(len(steps.transition)), np.zeros(len(mean)), np.zeros((0, 3), dtype=np.int64)
    if gaussian:
        state[case.n_nodes :], levels = sd * rng.standard_normal(len(sd)), mean.copy()
    else:
        table = switches(network.rates, n_steps, rng=rng)
    held = steps.jumps[0] @ levels
    turned = [np.ascontiguousarray(array.swapaxes(-1, -2)) for array in (steps.transition, steps.spread, steps.jumps)]
    gate = NOISE_STEP * case.sigma * case.gate * network.inputs[0, 0]
    return (table, n_parts, state, held, levels, *turned, network.gates, gate, network.input_noise)


def blood_part(network: Network, case: Case) -> tuple:
    """Return what the kernel takes from the last drive to the steps of a volume: everything at rest."""
    n, every = case.n_nodes, round(BLOOD_STEP / NOISE_STEP / parts_of(network))
    blood = np.vstack([np.zeros(n), np.ones((5, n))])
    constants = np.stack([*(network.constants[name] for name in CONSTANTS), np.log1p(-network.constants["E0"])])
    return (np.zeros(n), blood, constants, every, BLOOD_STEP, round(case.tr / BLOOD_STEP))


def _normals(n_steps: int, n: int, streams: Streams) -> Iterator[npt.NDArray[np.float32]]:
    rng = streams.at("neural").rng()
    for first in range(0, n_steps, BLOCK):
        yield rng.standard_normal((min(BLOCK, n_steps - first), n), dtype=np.float32)
