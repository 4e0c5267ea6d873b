"""What only the simulator knows of a scan: constants and curves of each region, their courses, and what a design displaced where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Frames
from fakeimaging.modalities.layers import Companion, Image
from fakeimaging.modalities.pet.patches import Places
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.resolution import Painted
from fakeimaging.modalities.pet.uptake import Uptake
from fakeimaging.structure.subject import Subject


def regional(subject: Subject, taken: Uptake, curves: Array, matrix: Array) -> dict[str, npt.NDArray]:
    """Return what is known of each region: constants, curves with and without the point spread, transfer of signal between regions."""
    n = subject.n_regions
    return {
        **taken.truth,
        "tacs": curves[:n],
        "tacs_psf": matrix @ curves,
        "transfer": matrix,
        "recovery": np.diag(matrix[:, :n]).copy(),
    }


def curve_tables(
    subject: Subject, frames: Frames, truth: Mapping[str, npt.NDArray], driven: Mapping[str, Any]
) -> tuple[Companion, ...]:
    """Return the tables of true curves, of the tissue itself and behind the point spread."""
    columns = ("frame_start", "frame_end", *(region.name for region in subject.regions))
    times = {"frame_start": {"Units": "s"}, "frame_end": {"Units": "s"}}
    made = []
    for name, key, what in (
        ("desc-clean_tacs", "tacs", "each region's own tissue"),
        ("desc-psf_tacs", "tacs_psf", "the mean over each region after the point spread"),
    ):
        rows = [
            [float(start), float(end), *np.round(values, 3).tolist()]
            for start, end, values in zip(frames.starts, frames.ends, truth[key].T, strict=True)
        ]
        about = {"Description": f"true curves of {what}, Bq/mL, decay-corrected", "Activity": dict(driven), **times}
        made.append(Companion(name, columns, rows, about, truth=True, named=False))
    return tuple(made)


FOLLOWED = {
    "flow": ("blood flow", "mL/cm3/min"),
    "cmrglc": ("glucose metabolism", "umol/100 mL/min"),
    "bpnd": ("binding potential", "1"),
    "ki": ("net uptake", "mL/cm3/min"),
}
"""Quantities whose course makes a table, the first that a scan has; what they are, and their unit."""


def course_table(subject: Subject, taken: Uptake) -> tuple[Companion, ...]:
    """Return the table of what changes during the scan, region by region; none where nothing does."""
    name = next((name for name in FOLLOWED if f"{name}_course" in taken.truth), None)
    if name is None:
        return ()
    what, unit = FOLLOWED[name]
    columns = ("start", "end", *(region.name for region in subject.regions))
    course = taken.truth[f"{name}_course"].T.tolist()
    ends = zip(taken.edges[:-1].tolist(), taken.edges[1:].tolist(), strict=True)
    rows = [[round(start, 3), round(end, 3), *values] for (start, end), values in zip(ends, course, strict=True)]
    about = {"Description": f"true {what} in each step of the scan, {unit}", "Activity": dict(taken.about)}
    about |= {key: {"Units": "s", "Description": "after injection"} for key in ("start", "end")}
    return (Companion(f"desc-{name}_course", columns, rows, about, truth=True, named=False),)


def places_table(subject: Subject, places: Places, painted: Painted) -> tuple[Companion, ...]:
    """Return the table of displaced places, one row for each region that one reaches into; none where there are none."""
    if not places.n:
        return ()
    columns = ("place", "region", "volume", "reduction", "onset")
    voxel = float(np.prod(painted.grid.voxel_size))
    grey = np.bincount(painted.labels.ravel(), weights=painted.grey.ravel(), minlength=subject.n_regions + places.n + 1)
    rows = [
        [
            int(k) + 1,
            subject.regions[host].name,
            round(float(volume) * voxel, 3),
            places.wanted[k].reduction,
            places.wanted[k].onset,
        ]
        for k, host, volume in zip(places.which, places.hosts, grey[subject.n_regions + 1 :], strict=True)
    ]
    about = {
        "Description": "places in which binding is displaced; what regional truth says of a region is of the rest of it",
        "volume": {"Units": "mm3", "Description": "of grey matter in this image"},
        "reduction": {"Units": "1", "Description": "share of binding (k3, BPND) that is lost: the occupancy"},
        "onset": {"Units": "s", "Description": "after injection"},
    }
    return (Companion("desc-displaced_places", columns, rows, about, truth=True, named=False),)


def places_map(subject: Subject, places: Places, painted: Painted) -> tuple[dict[str, Image], tuple[Companion, ...]]:
    """Return which place each voxel belongs to, and what is said of it; nothing where there are none."""
    if not places.n:
        return {}, ()
    number = np.concatenate([np.zeros(subject.n_regions + 1), places.which + 1]).astype(np.float32)
    values = number[painted.labels]
    said = {
        "SkullStripped": False,
        "Description": "number of the displaced place in whose grey matter a voxel lies, as in the table; 0 in none",
    }
    name = "desc-place_pet"
    return {name: Image(painted.grid, None, lambda v: values, 1.0)}, (Companion(name, about=said, truth=True),)
