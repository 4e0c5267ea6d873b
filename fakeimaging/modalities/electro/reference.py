"""References: every recorded potential is one against a weighted mean of potentials, V_i - sum_j w_j V_j.

Average: w_j = 1 / n. One electrode, or several that are linked: equal weights on them. REST (Yao 2001, doi:10.1088/0967-3334/22/4/305):
the lead field tells what constant the average reference lacks,

    V + mean(G pinv(C G) C V),   C = I - 1 1' / n

which is such a mean as well. It aims at the reference of the lead field: here the mean over the whole head (335 electrodes), as the
clean signal has it. What was subtracted is ``weights @ before`` (`subtracted`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import did_you_mean
from fakeimaging.modalities.layers import Forward, Recipe, Stage

Floats = npt.NDArray[np.float64]

KINDS = ("EEG", "ECOG", "SEEG", "DBS")
"""Kinds of channels that share a reference; bipolar ones (eye, heart, muscle) have their own."""
WORDS = ("average", "REST", "none")
TOLERANCE = 1e-3
"""Share of the largest singular value of the lead field below which REST takes a value for 0 (assumed)."""


def reference_electrodes(reference: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the electrodes of a reference, none for `WORDS`.

    Raises
    ------
    ValueError
        If one is not among the names.

    Examples
    --------
    >>> reference_electrodes("TP9, TP10", ["Cz", "TP9", "TP10"])
    ('TP9', 'TP10')
    """
    if reference in WORDS:
        return ()
    chosen = tuple(name.strip() for name in reference.split(","))
    for name in chosen:
        if name not in names:
            hint = did_you_mean(name, (*WORDS, *names))
            raise ValueError(f"`reference`: '{name}' is no electrode of the montage{hint}")
    return chosen


def reference_weights(reference: str, names: Sequence[str], gain: Any = None) -> Floats:
    """Return the weight of each potential in the reference, shape (n,): their sum is 1, or 0 for ``"none"``.

    Parameters
    ----------
    reference : str
        ``"average"``, ``"REST"``, ``"none"``, or electrodes with commas between them.
    names : sequence of str
    gain : callable, optional
        Returns the lead field of the same electrodes, shape (n, n_sources); REST asks for it.
    """
    n = len(names)
    if reference == "none":
        return np.zeros(n)
    if reference == "average":
        return np.full(n, 1 / n)
    if reference == "REST":
        return 1 / n - rest_correction(gain())
    chosen = reference_electrodes(reference, names)
    return np.asarray(np.isin(list(names), chosen) / len(set(chosen)))


def rest_correction(gain: Floats) -> Floats:
    """Return the weights of the constant that REST adds to the average reference, shape (n,); their sum is 0."""
    mean = gain.mean(axis=0)
    centred = gain - mean
    inverse = np.linalg.pinv(centred @ centred.T, rcond=TOLERANCE**2, hermitian=True)
    weights = mean @ centred.T @ inverse
    return np.asarray(weights - weights.mean())


def subtracted(signal: npt.NDArray, recipe: Recipe) -> npt.NDArray[np.float32]:
    """Return the reference of a part: what is taken from every channel that shares it, shape (n,)."""
    weights = np.asarray(recipe["weights"], dtype=np.float32)
    return np.asarray(weights @ np.asarray(signal, dtype=np.float32))


def _draw(forward: Forward, parameters: Any, *, rng: np.random.Generator) -> Recipe:
    channels = forward.clean.channels
    rows = forward.clean.rows(*KINDS)
    names = [channels[i].name for i in rows]
    weights = np.zeros(len(channels))
    if len(rows):
        # The field has the rows of the sensors, which are the first channels.
        weights[rows] = reference_weights(parameters.reference, names, lambda: forward.context["field"].columns()[rows])
    return {"reference": parameters.reference, "weights": weights}


def _act(
    signal: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    if not np.any(recipe["weights"]):
        return signal
    rows = forward.clean.rows(*KINDS)
    shared = np.zeros((len(signal), 1), dtype=np.float32)
    shared[rows] = 1
    return np.asarray(signal - shared * subtracted(signal, recipe), dtype=np.float32)


REFERENCE_ELECTRODE = Stage("reference", "operator", _draw, _act, noisy=False)
"""The recipe has the weights; ``weights @ before`` is what is subtracted. Needs ``parameters.reference``; REST the context ``field``."""
