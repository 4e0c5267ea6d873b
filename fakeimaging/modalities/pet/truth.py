"""What only the simulator knows of a scan: constants and curves of each region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.clocks import Frames
from fakeimaging.modalities.layers import Companion
from fakeimaging.modalities.pet.plasma import Array
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
