"""Truth of a task: the response of each region to each type of trial in percent, and its map in the voxels.

An imposed response is known exactly. That of a current through the network is what ordinary least squares finds in the noise-free
series of the region, with the canonical response, a constant and the cosines slower than 128 s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.core.clocks import Clock
from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.bold.drift import DRIFT_PERIOD
from fakeimaging.modalities.bold.imposed import at_echo, decay_ratio, event_course, frame_times
from fakeimaging.modalities.bold.parameters import BoldParameters
from fakeimaging.modalities.layers import Companion, Image
from fakeimaging.structure.parcellation import Region

Array = npt.NDArray[np.float64]
ACTIVE = 0.1
"""Share of the largest response from which a region counts as active where nothing is imposed (assumed)."""
FAINT = 0.05
"""Percent of BOLD below which a response counts as invisible, and is not scored (assumed; thermal noise alone is about 0.7 %)."""
COLUMNS = ("trial_type", "region", "beta", "active", "origin")
ABOUT = {
    "beta": {"Description": "response at full strength, share of the signal at rest of grey matter", "Units": "%"},
    "active": {"Description": "1 where the response is imposed, or above a tenth of the condition's largest"},
    "origin": {
        "Description": "where beta comes from",
        "Levels": {
            "imposed": "the design: exact at the usual echo time of the field",
            "network": "a linear model of the noise-free regional series with the canonical response",
        },
    },
}


def responses(activity: Activity, series: Array, p: BoldParameters) -> dict[str, tuple[str, Array]]:
    """Return origin and response of each type of trial in percent.

    Parameters
    ----------
    activity : Activity
    series : ndarray, shape (n_volumes, n_regions)
        Noise-free relative changes at the middle of each volume.
    p : BoldParameters

    Returns
    -------
    dict of str to (str, ndarray of shape (n_regions,))
    """
    found = {one.trial_type: ("imposed", 100 * at_echo(one.percent / 100, decay_ratio(p))) for one in activity.imposed}
    names = sorted({event.trial_type for event in activity.events})
    if set(names) <= set(found):
        return found
    beta = _fitted(activity, names, series, p)
    return {name: found.get(name, ("network", 100 * beta[k])) for k, name in enumerate(names)}


def _fitted(activity: Activity, names: Sequence[str], series: Array, p: BoldParameters) -> Array:
    n = len(series)
    frames = frame_times(p.tr, n)
    own = [[event for event in activity.events if event.trial_type == name] for name in names]
    task = [event_course(p, events, frames)[:n] for events in own]
    slow = np.cos(np.pi * np.outer(np.arange(int(2 * n * p.tr / DRIFT_PERIOD) + 1), np.arange(n) + 0.5) / n)
    return np.asarray(np.linalg.pinv(np.stack([*task, *slow], axis=1)) @ series)[: len(names)]


def active(origin: str, beta: Array) -> npt.NDArray[np.bool_]:
    """Return which regions count as active."""
    return np.asarray(beta != 0 if origin == "imposed" else np.abs(beta) > ACTIVE * np.abs(beta).max())


def table(found: Mapping[str, tuple[str, Array]], regions: Sequence[Region]) -> Companion:
    """Return the responses as a table, one row a type of trial and region."""
    rows = [
        [name, region.name, round(float(beta[r]), 9), int(active(origin, beta)[r]), origin]
        for name, (origin, beta) in found.items()
        for r, region in enumerate(regions)
    ]
    return Companion("betas", COLUMNS, rows, ABOUT, named=False)


def maps(
    imposed: Mapping[str, Array], grid: Grid, voxel: npt.NDArray[np.intp], region: npt.NDArray[np.intp], share: Array
) -> tuple[dict[str, Image], tuple[Companion, ...]]:
    """Return the true response of each voxel to what is imposed, which voxels have one, and what is said of both.

    Parameters
    ----------
    imposed : mapping of str to ndarray of shape (n_regions,)
        Percent of each type of trial.
    grid : Grid
    voxel, region : ndarray of int, shape (n,)
        Index into the flattened volume, and region there.
    share : ndarray, shape (n,)
        Of the voxel's signal at rest that responds.
    """
    images, words = {}, []
    for (name, beta), label in zip(imposed.items(), labels(list(imposed)), strict=True):
        values = np.zeros(grid.shape)
        values.reshape(-1)[voxel] = share * beta[region]
        effect, mask = f"contrast-{label}_stat-effect_statmap", f"desc-{label}_mask"
        images[effect] = _still(grid, values)
        images[mask] = _still(grid, values != 0)
        words.append(_said(effect, name, "response at full strength, share of the voxel's signal at rest", Units="%"))
        words.append(_said(mask, name, "voxels with a response", Type="ROI"))
    return images, tuple(words)


def _still(grid: Grid, values: npt.NDArray) -> Image:
    values.flags.writeable = False
    clock: Clock | None = None
    return Image(grid, clock, lambda v: values, 1.0)


def _said(image: str, name: str, what: str, **more: str) -> Companion:
    about = {
        "Description": f"imposed by '{name}': {what}; exact at the usual echo time of the field",
        "Contrast": name,
        **more,
    }
    return Companion(image, about=about, truth=True)


def labels(names: Sequence[str]) -> list[str]:
    """Return a BIDS label for each name: its letters and digits, with a number where two are the same.

    Examples
    --------
    >>> labels(["left hand", "left_hand", "foot"])
    ['lefthand1', 'lefthand2', 'foot']
    """
    plain = [re.sub(r"[^a-zA-Z0-9]", "", name) or "condition" for name in names]
    return [
        f"{label}{plain[: k + 1].count(label)}" if plain.count(label) > 1 else label for k, label in enumerate(plain)
    ]
