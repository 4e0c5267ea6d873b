"""The clean BOLD series: the change of each region and of its modes, painted on grey matter, sampled at each slice's own time.

    S(x, t) = S_rest(x) [1 + g(x) ((1 + w(x)) b_r(t) + sum over modes m of pattern_m(x) b_mr(t))]

g: share of the voxel's signal that is grey matter's; b_r: change of its region (`changes`); w: smooth variation of the response
within the region, mean 0, SD ``within_region``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Grid, apply_affine
from fakeimaging.modalities.bold import task
from fakeimaging.modalities.bold.changes import Changes, regional_changes, sample
from fakeimaging.modalities.bold.field import fields
from fakeimaging.modalities.bold.maps import make_maps, tissue_signals
from fakeimaging.modalities.bold.parameters import BoldParameters
from fakeimaging.modalities.bold.sequence import geometry, slice_times
from fakeimaging.modalities.bold.steady_state import excess
from fakeimaging.modalities.layers import Companion, Forward, Image
from fakeimaging.modalities.relaxation import GREY_SIGNAL
from fakeimaging.modalities.stages import slope_for
from fakeimaging.structure.subject import Subject


@dataclass(frozen=True, eq=False)
class Painting:
    """Where the regions' signal lies: one entry for each voxel with grey matter of a region.

    Parameters
    ----------
    voxel : ndarray of int, shape (n,)
        Index into the flattened (C order) volume.
    region, slice : ndarray of int, shape (n,)
    amounts : ndarray of float32, shape (1 + n_modes, n)
        Signal of the grey matter in the voxel at rest times 1 + w, and times each spatial pattern.
    """

    voxel: npt.NDArray[np.intp]
    region: npt.NDArray[np.intp]
    slice: npt.NDArray[np.intp]
    amounts: npt.NDArray[np.float32]

    def painted(self, baseline: npt.NDArray[np.float32], at_slices: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the image whose slices show these changes, shape (n_slices, 1 + n_modes, n_regions)."""
        n_series, n_regions = at_slices.shape[1:]
        place, changes = self.slice * (n_series * n_regions) + self.region, at_slices.reshape(-1)
        image = baseline.copy()
        change = self.amounts[0] * changes.take(place)
        for m in range(1, n_series):
            change += self.amounts[m] * changes.take(place + m * n_regions)
        image.reshape(-1)[self.voxel] += change
        return image


def forward(subject: Subject, activity: Activity | None, parameters: BoldParameters) -> Forward:
    """Return the noise-free series and the truth: regional BOLD and blood flow at the middle of each volume."""
    if activity is None:
        raise InputError("bold images activity")
    p = parameters
    grid, clock = geometry(p, activity.duration)
    signals, offsets = tissue_signals(p), slice_times(grid.shape[2], p.tr, p.slice_order, p.multiband)
    tissue = subject.anatomy.tissue(grid)
    maps = make_maps(subject, tissue, p)
    baseline = maps.baseline(p.echo_time)
    changes = regional_changes(subject, activity, p)
    painting = _paint(subject, grid, baseline * maps.grey, changes.n_series > 1, p.within_region)

    def volume(v: int) -> npt.NDArray[np.float32]:
        """Paint each region's signal, at the time of each slice, on its grey matter."""
        return painting.painted(baseline, changes.at(clock.times[v] + offsets))

    context: Mapping[str, Any] = {
        "physiology": activity.physiology,
        "slice_times": offsets,
        "tissue": tissue,
        "signals": signals,
        "maps": maps,
        "to_template": subject.anatomy.to_template,
        "parameters": p,
    }
    clean = Image(grid, clock, volume, slope_for(_brightest(p, signals)))
    truth = _truth(changes, clock.times + p.tr / 2)
    truth |= _decay_truth(subject, activity, p, truth["regional_bold"], clock.times + p.tr / 2) if p.echo_times else {}
    companions, images = _task_truth(subject, activity, p, truth["regional_bold"], painting, baseline, grid)
    return Forward(clean, GREY_SIGNAL, baseline, truth, companions, context, images)


def _task_truth(
    subject: Subject, activity: Activity, p: BoldParameters, regional: npt.NDArray, painting: Painting,
    baseline: npt.NDArray[np.float32], grid: Grid,
) -> tuple[tuple[Companion, ...], dict[str, Image]]:  # fmt: skip
    """Return the table of responses to the run's events, and the maps of those that are imposed; nothing where there are no events."""
    if not activity.events:
        return (), {}
    found = task.responses(activity, regional.T.astype(np.float64), p)
    imposed = {name: beta for name, (origin, beta) in found.items() if origin == "imposed"}
    share = painting.amounts[0].astype(np.float64) / baseline.reshape(-1)[painting.voxel]
    images, words = task.maps(imposed, grid, painting.voxel, painting.region, share)
    return (task.table(found, subject.regions), *words), images


def _brightest(p: BoldParameters, signals: Mapping[str, float]) -> float:
    """Return the largest signal of a pure tissue, in the first volume where that is brighter."""
    tissues = fields()[p.field_strength].tissues
    return max(signal * (1 + excess(tissues[name].t1, p, 0)) for name, signal in signals.items())


def _truth(changes: Changes, middle: npt.NDArray[np.float64]) -> dict[str, npt.NDArray]:
    """Series at the middle of each volume, one row a region; those of the modes (n_regions, n_modes, n_volumes).

    ``regional_hemodynamics`` has a row a region too, with its constants in the order of `hemodynamics_parameters.CONSTANTS`.
    """
    series, flow = np.moveaxis(changes.at(middle), 0, -1), changes.flow
    blood = {
        "regional_flow": flow.flow,
        "regional_volume": flow.volume,
        "regional_deoxyhemoglobin": flow.deoxyhemoglobin,
        "regional_oxygen_metabolism": flow.oxygen_metabolism,
    }
    truth = {"regional_bold": series[0]} | {name: sample(of, flow.clock, middle).T for name, of in blood.items()}
    truth |= {"regional_hemodynamics": flow.constants.stacked.T}
    return truth | ({"mode_bold": np.ascontiguousarray(series[1:].swapaxes(0, 1))} if len(series) > 1 else {})


def _decay_truth(
    subject: Subject, activity: Activity, p: BoldParameters, regional: npt.NDArray, middle: npt.NDArray[np.float64]
) -> dict[str, npt.NDArray]:
    """Split the change of each region in its two parts: of R2* in 1/s, and of S0 as a share, both shape (n_regions, n_volumes).

    At echo time 0 nothing has decayed: what is left of the change is that of S0.
    """
    s0 = regional_changes(subject, activity, p.model_copy(update={"echo_time": 0.0})).at(middle)[:, 0].T
    return {"regional_r2": -np.log1p(regional - s0) / np.float32(p.echo_time), "regional_s0": s0}


def _paint(
    subject: Subject, grid: Grid, grey: npt.NDArray[np.float32], with_modes: bool, within_region: float
) -> Painting:
    """Lay out the signal of the grey matter, ``grey`` in image units, by region."""
    labels = subject.labels(grid)
    x, y, z = np.nonzero((labels > 0) & (grey > 0))
    amounts = grey[x, y, z][None]
    label = labels[x, y, z].astype(np.intp)
    points = apply_affine(subject.anatomy.to_template @ grid.affine, np.stack([x, y, z], axis=1))
    if with_modes:
        amounts = np.concatenate([amounts, amounts * subject.patterns_at(points, label)])
    if within_region > 0:
        amounts[0] *= 1 + np.float32(within_region) * subject.response_pattern_at(points, label)
    voxel = np.ravel_multi_index((x, y, z), grid.shape)
    return Painting(voxel, label - 1, z, amounts)
