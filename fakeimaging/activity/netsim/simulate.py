"""Run a NetSim case: each subject through network, blood, measurement and the published filter, subjects in threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.hemodynamics_parameters import CONSTANTS
from fakeimaging.activity.netsim.cases import Case, case_of
from fakeimaging.activity.netsim.networks import Network, draw_network
from fakeimaging.activity.netsim.result import Inputs, NetSim
from fakeimaging.activity.netsim.session import bold, kernel
from fakeimaging.activity.together import threads_of
from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError
from fakeimaging.core.streams import Streams

Array = npt.NDArray[np.float64]
CUTOFF = 1 / 200
"""Hz, of the Butterworth high-pass of order 4 (the cases' script)."""
ORDER = 4
MIXED = 0.2
"""Share of another series in the cases of bad regions (the cases' script)."""


def netsim(case: int, n_subjects: int = 50, *, seed: int, inputs: Inputs = "on_off", jobs: int | None = None) -> NetSim:
    """Simulate one of the 28 cases of Smith et al. (2011), for tests of methods that find networks.

    Parameters
    ----------
    case : int
        1 to 28; `CASES` in `fakeimaging.activity.netsim.cases` says what each is.
    n_subjects : int
        50 as published. A subject is the same whatever their number, except where subjects are mixed (12) or paired (21).
    seed : int
        Root of the random streams. Weights, hemodynamic constants and measurement noise do not depend on ``inputs``.
    inputs : {"on_off", "gaussian"}
        As published, or their twin with the same mean, variance and autocovariance, whose higher orders tell nothing of directions:
        z is Gaussian. BOLD is not, as blood saturates: its skew is -1.1 in case 5, where on/off inputs give 0.3 to 1.0.
    jobs : int, optional
        Threads; as many as there are processors when left out. The bits do not depend on it.

    Returns
    -------
    NetSim

    Raises
    ------
    InputError
        If the case, the number of subjects or the kind of inputs cannot be.

    References
    ----------
    Smith et al. (2011), https://doi.org/10.1016/j.neuroimage.2010.08.063

    Examples
    --------
    >>> simulated = netsim(26, n_subjects=2, seed=1)
    >>> simulated.ts.shape, simulated.net.shape
    ((2, 50, 5), (2, 5, 5))
    """
    chosen, threads = case_of(case), threads_of(jobs)
    _check(chosen, n_subjects, inputs)
    root = Streams(seed).at("netsim", f"case-{case}")
    networks = [_network(chosen, root, k, n_subjects) for k in range(n_subjects)]
    clean = _clean(chosen, networks, root, inputs, threads)
    observed = [measured(course, chosen, rng=_of(root, k).at("noise").rng()) for k, course in enumerate(clean)]
    ts, truth = _confounded(np.stack(observed), chosen, root)
    return NetSim(
        ts=frozen(ts),
        net=frozen(np.stack([network.weights for network in networks])),
        tr=chosen.tr,
        clean=frozen(clean),
        input_weights=frozen(np.stack([network.inputs for network in networks])),
        hemodynamics={name: frozen(np.stack([one.constants[name] for one in networks])) for name in CONSTANTS},
        truth=truth,
        case=chosen,
        inputs=inputs,
    )


def _check(case: Case, n_subjects: int, inputs: str) -> None:
    if isinstance(n_subjects, bool) or not isinstance(n_subjects, int) or n_subjects < 1:
        raise InputError(f"`n_subjects`: {n_subjects!r} is not a whole number of at least 1", value=n_subjects)
    if inputs not in ("on_off", "gaussian"):
        raise InputError(f"`inputs`: {inputs!r} is neither 'on_off' nor 'gaussian'", value=inputs)
    if case.two_groups and n_subjects % 2:
        raise InputError(f"`n_subjects`: case {case.number} has two groups, {n_subjects} is odd", value=n_subjects)
    if case.mixed_with == "subjects" and n_subjects < 2:
        raise InputError(f"`n_subjects`: case {case.number} mixes subjects and needs at least 2", value=n_subjects)


def _of(root: Streams, subject: int) -> Streams:
    return root.at(f"sub-{subject + 1:02d}")


def _network(case: Case, root: Streams, subject: int, n_subjects: int) -> Network:
    halved = case.two_groups and subject >= n_subjects // 2
    own = draw_network(case, _of(root, subject))
    if not halved:
        return own
    first = draw_network(case, _of(root, subject - n_subjects // 2), halved=True)
    return replace(own, weights=first.weights, inputs=first.inputs)


def _clean(case: Case, networks: list[Network], root: Streams, inputs: str, threads: int) -> Array:
    """Simulate the BOLD of every subject, shape (n_subjects, n_timepoints, n_nodes)."""
    from threadpoolctl import threadpool_limits

    found = np.empty((len(networks), case.n_timepoints, case.n_nodes))
    kernel()

    def run(k: int) -> None:
        found[k] = bold(networks[k], case, _of(root, k).at(inputs), gaussian=inputs == "gaussian")

    # Linear algebra keeps to one thread: its bits depend on their number.
    with threadpool_limits(1), ThreadPoolExecutor(min(threads, len(networks))) as pool:
        list(pool.map(run, range(len(networks))))
    return found


def measured(clean: Array, case: Case, *, rng: np.random.Generator) -> Array:
    """Return what an analysis is given of one subject: noise added, slow courses filtered out, mean 0.

    The mean is also taken out before the filter, which starts from 0, as the authors' program does.

    Parameters
    ----------
    clean : ndarray, shape (n_timepoints, n_nodes), percent
    case : Case
    rng : numpy.random.Generator
    """
    from scipy.signal import butter, sosfilt

    noisy = clean - clean.mean(axis=0) + case.noise * rng.standard_normal(clean.shape)
    filtered = sosfilt(butter(ORDER, CUTOFF, "highpass", fs=1 / case.tr, output="sos"), noisy, axis=0)
    return np.asarray(filtered - filtered.mean(axis=0))


def _confounded(ts: Array, case: Case, root: Streams) -> tuple[Array, dict[str, npt.NDArray]]:
    """Return series with what the case does to them after the filter, and the truth of it."""
    n_subjects, n_timepoints, n_nodes = ts.shape
    if case.confound:
        courses = [_of(root, k).at("confound").rng().standard_normal(n_timepoints) for k in range(n_subjects)]
        # The authors' add_confound is not public: white, in proportion to the mean SD of the nodes (assumed).
        shared = case.confound * ts.std(axis=1).mean(axis=1)[:, None] * np.array(courses)
        return ts + shared[:, :, None], {"confound": frozen(shared)}
    if case.mixed_with == "nodes":
        partner = root.at("partners").rng().permutation(n_nodes)
        return (1 - MIXED) * ts + MIXED * ts[:, :, partner], {"partner": frozen(partner)}
    if case.mixed_with == "subjects":
        nodes, subjects = np.arange(n_nodes), np.arange(n_subjects)[:, None]
        other = (subjects + 1 + nodes % (n_subjects - 1)) % n_subjects
        mixed = (1 - MIXED) * ts + MIXED * ts[other, :, nodes].transpose(0, 2, 1)
        return mixed, {"partner": frozen(other)}
    return ts, {}
