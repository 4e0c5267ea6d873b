"""A simulated NetSim case, and the published file layout of one."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.netsim.cases import Case
from fakeimaging.core.arrays import frozen
from fakeimaging.core.errors import InputError
from fakeimaging.core.files import write_bytes

Array = npt.NDArray[np.float64]
Inputs = Literal["on_off", "gaussian"]
FIELDS = ("Nsubjects", "Nnodes", "Ntimepoints", "ts", "net")
HEADER = 116
"""Bytes of a .mat file's header that hold text; scipy writes the clock there."""


@dataclass(frozen=True, eq=False, repr=False)
class NetSim:
    """Series of many subjects and the networks they come from.

    Parameters
    ----------
    ts : ndarray, shape (n_subjects, n_timepoints, n_nodes), percent BOLD
        With noise, filtered, mean 0; volume k is taken at (k + 1) tr.
    net : ndarray, shape (n_subjects, n_nodes, n_nodes)
        True weights, ``net[subject, target, source]``, 0 on the diagonal. The published files hold them the other way round, net(i, j)
        from i to j, and -1 on the diagonal; reader and writer translate.
    tr : float
        Repetition time in s.
    clean : ndarray, shape as ts, optional
        BOLD without noise, filter and what the case does to it afterwards.
    input_weights : ndarray, shape (n_subjects, n_nodes, n_inputs), 1/s, optional
        C; row receives.
    hemodynamics : mapping of str to ndarray, shape (n_subjects, n_nodes)
        kappa and gamma in 1/s, tau in s, alpha, E0.
    truth : mapping of str to ndarray
        ``confound`` (n_subjects, n_timepoints) in percent; ``partner``: node, or subject by subject and node, that is mixed in.
    case : Case, optional
        None for a file.
    inputs : {"on_off", "gaussian"}
    """

    ts: Array
    net: Array
    tr: float
    clean: Array | None = None
    input_weights: Array | None = None
    hemodynamics: Mapping[str, Array] = field(default_factory=dict)
    truth: Mapping[str, npt.NDArray] = field(default_factory=dict)
    case: Case | None = None
    inputs: Inputs = "on_off"

    def __repr__(self) -> str:
        n_subjects, n_volumes, n_nodes = self.ts.shape
        made = f"from case {self.case.number}, {self.inputs} inputs" if self.case is not None else "from a file"
        return f"NetSim({n_subjects} subjects, {n_volumes} volumes of {self.tr:g} s, {n_nodes} nodes; {made})"


def write_netsim(path: str | Path, simulated: NetSim) -> None:
    """Write a .mat file in the published layout, which loaders of the original files read.

    Parameters
    ----------
    path : str or Path
    simulated : NetSim
    """
    from scipy.io import savemat

    n_subjects, n_timepoints, n_nodes = simulated.ts.shape
    content = {
        "Nsubjects": float(n_subjects),
        "Nnodes": float(n_nodes),
        "Ntimepoints": float(n_timepoints),
        "ts": simulated.ts.reshape(-1, n_nodes),
        "net": simulated.net.transpose(0, 2, 1) - np.eye(n_nodes),
    }
    buffer = io.BytesIO()
    savemat(buffer, content, do_compression=True)
    data = bytearray(buffer.getvalue())
    data[:HEADER] = b"MATLAB 5.0 MAT-file, fakeimaging".ljust(HEADER)
    write_bytes(Path(path), bytes(data))


def read_netsim(path: str | Path, *, tr: float) -> NetSim:
    """Read a .mat file in the published layout.

    Parameters
    ----------
    path : str or Path
        A file of Smith et al. (2011), ``sim1.mat`` to ``sim28.mat``, or of `write_netsim`.
    tr : float
        Repetition time in s: the files do not say; 3, and 0.25 in cases 19 and 20.

    Returns
    -------
    NetSim

    Raises
    ------
    InputError
        If a field is missing or their sizes disagree.
    """
    from scipy.io import loadmat

    content = loadmat(str(path))
    if absent := [name for name in FIELDS if name not in content]:
        raise InputError(f"{path}: no {', '.join(absent)}; a NetSim file holds {', '.join(FIELDS)}", value=absent)
    n_subjects, n_nodes, n_timepoints = (int(np.squeeze(content[name])) for name in FIELDS[:3])
    ts, net = np.asarray(content["ts"], dtype=float), np.asarray(content["net"], dtype=float)
    net = net.reshape(-1, *net.shape[-2:])
    expected = ((n_subjects * n_timepoints, n_nodes), (n_subjects, n_nodes, n_nodes))
    if (ts.shape, net.shape) != expected:
        raise InputError(f"{path}: ts {ts.shape} and net {net.shape} should be {expected[0]} and {expected[1]}")
    weights = net.transpose(0, 2, 1) * ~np.eye(n_nodes, dtype=bool)
    return NetSim(frozen(ts.reshape(n_subjects, n_timepoints, n_nodes)), frozen(weights), tr)
