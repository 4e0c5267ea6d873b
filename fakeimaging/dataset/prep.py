"""The preprocessed derivative of a BOLD scan, as fMRIPrep names it: the observed series in template space, brain mask, confounds.

Each observed volume is resampled once, by the true pose of the head at that volume, the true transform to the template and, where
the scan is distorted, the true shift along its phase-encoding axis, with the brightness that the shift took or gave.
There is no slice-time correction: a volume stands for the middle of its repetition time, and the sidecar says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology import SPHERE
from fakeimaging.core.files import Receipt, write_json, write_tsv
from fakeimaging.core.spaces import Grid, centred_grid
from fakeimaging.dataset.confounds import MOTION, confounds
from fakeimaging.dataset.images import MNI, SCANNER, volumes_to, write_labels
from fakeimaging.dataset.manifest import Manifest
from fakeimaging.dataset.names import PREP, Scan
from fakeimaging.dataset.sidecars import reference_of, write_sidecar
from fakeimaging.modalities.bold import distortion
from fakeimaging.modalities.motion import rigid
from fakeimaging.modalities.recording import Recording
from fakeimaging.modalities.spline import Shift, resample_volume
from fakeimaging.structure.anatomy import Anatomy, Tissue, brain_centre
from fakeimaging.structure.subject import Subject

PURE = 0.9
"""Fraction of a tissue from which a voxel gives that tissue's confounds (assumed; fMRIPrep erodes its masks instead)."""
IN_BRAIN = 0.5
"""Fraction of grey, white matter and fluid from which a voxel lies in the brain mask."""


@contextmanager
def preprocessing(
    recording: Recording, scan: Scan, subject: Subject, root: Path, manifest: Manifest
) -> Iterator[Callable[[int, npt.NDArray], None]]:
    """Open the derivative of a scan; what is yielded takes each observed volume in turn, and the end writes the rest."""
    grid, tissue = template_tissue(subject, recording)
    mask = tissue.brain > IN_BRAIN
    motion = estimated_motion(recording)
    to_native = np.asarray(np.linalg.inv(subject.anatomy.to_template), dtype=np.float64)
    shift = true_unwarping(recording)
    brain = np.empty((len(motion), int(mask.sum())), dtype=np.float32)
    image, receipt = replace(recording.clean, grid=grid), Receipt()
    path = named(scan, subject, "desc-preproc_bold.nii.gz")
    with volumes_to(root / path, image, receipt, code=MNI) as append:

        def take(v: int, volume: npt.NDArray) -> None:
            place = rigid(motion[v]) @ to_native
            moved = resample_volume(volume, recording.clean.grid, grid, place, shift).clip(0)
            brain[v] = moved[mask]
            append(moved)

        yield take
    manifest.add(path, receipt.result)
    about = reference_of(subject.anatomy.maps.space)
    _write_mask(mask, grid, MNI, named(scan, subject, "desc-brain_mask.nii.gz"), scan, about, root, manifest)
    write_sidecar(path, _series_keys(recording, scan) | about, root, manifest)
    inside = {"csf": tissue.csf[mask] > PURE, "white_matter": tissue.white[mask] > PURE}
    columns, components = confounds(brain, inside, motion, recording.clean.clock.step)
    error = {
        "Description": "true head motion plus an estimation error",
        "EstimationErrorSD": recording.parameters.motion_error,
    }
    _write_confounds(columns, components | dict.fromkeys(MOTION, error), scan, root, manifest)


@contextmanager
def brain_masking(
    recording: Recording, scan: Scan, subject: Subject, root: Path, manifest: Manifest
) -> Iterator[Callable[[int, npt.NDArray], None]]:
    """Write the brain mask of an anatomical scan in its own space; the volumes are not looked at."""
    yield lambda v, volume: None
    grid = recording.clean.grid
    mask = subject.anatomy.tissue(grid).brain > IN_BRAIN
    _write_mask(mask, grid, SCANNER, PREP / scan.beside("desc-brain_mask.nii.gz"), scan, {}, root, manifest)


def named(scan: Scan, subject: Subject, ending: str) -> PurePosixPath:
    """Return a file of the derivative in template space."""
    return PREP / scan.beside(f"space-{subject.anatomy.maps.space}_{ending}")


def estimated_motion(recording: Recording) -> npt.NDArray[np.float64]:
    """Return the motion a preprocessing would have estimated: the true parameters plus the error that the scan's parameters state.

    The truth is 0 where the head was held still.

    Returns
    -------
    ndarray, shape (n_volumes, 6)
        Translations in mm, rotations in rad.
    """
    still = np.zeros((recording.clean.n_volumes, 6))
    truth = np.asarray(recording.recipe("motion")["parameters"]) if "motion" in recording.stages else still
    error = recording.streams.at("prep", "motion").rng().standard_normal(truth.shape)
    return np.asarray(truth + recording.parameters.motion_error * error / ([1.0] * 3 + [SPHERE] * 3))


def true_unwarping(recording: Recording) -> Shift | None:
    """Return what undoes the scan's distortion, nothing where it has none."""
    if "distortion" not in recording.stages:
        return None
    recipe = recording.recipe("distortion")
    shift = distortion.shift_of(recording.forward, recipe["voxels_per_hz"])
    return distortion.unwarping(shift, recipe["axis"]) if shift.any() else None


def template_tissue(subject: Subject, recording: Recording) -> tuple[Grid, Tissue]:
    """Return the derivative's grid, as fine and large as the raw one and centred on the template's brain, with its tissue."""
    raw = recording.clean.grid
    return _template_tissue(subject.anatomy, raw.shape, float(raw.voxel_size[0]))


@lru_cache(maxsize=1)
def _template_tissue(anatomy: Anatomy, shape: tuple[int, int, int], voxel_size: float) -> tuple[Grid, Tissue]:
    grid = template_grid(anatomy, centred_grid(shape, voxel_size))
    return grid, replace(anatomy, to_template=np.eye(4)).tissue(grid)


def template_grid(anatomy: Anatomy, raw: Grid) -> Grid:
    """Return the grid in template space that is as fine and large as a raw one, centred on the template's brain for everybody."""
    x, y, z = np.round(brain_centre(anatomy.maps)).tolist()
    return centred_grid(raw.shape, float(raw.voxel_size[0]), (x, y, z))


def _series_keys(recording: Recording, scan: Scan) -> dict[str, Any]:
    tr = recording.clean.clock.step
    return {
        "TaskName": scan.task,
        "RepetitionTime": tr,
        "StartTime": tr / 2,
        "SliceTimingCorrected": False,
        "SkullStripped": False,
        "Description": "observed series, each volume resampled once by true head pose, unwarping and transform; no slice-time correction",
        "Sources": [f"bids:raw:{scan.raw}"],
    }


def _write_mask(
    mask: npt.NDArray[np.bool_], grid: Grid, code: int, path: PurePosixPath, scan: Scan, about: dict[str, str],
    root: Path, manifest: Manifest,
) -> None:  # fmt: skip
    manifest.add(path, write_labels(root / path, mask, grid, code=code))
    keys = {
        "Type": "Brain",
        "RawSources": [f"bids:raw:{scan.raw}"],
        "Description": "true tissue fractions above one half",
    }
    write_sidecar(path, keys | about, root, manifest)


def _write_confounds(
    columns: dict[str, npt.NDArray[np.float64]], about: dict[str, Any], scan: Scan, root: Path, manifest: Manifest
) -> None:
    path = PREP / scan.beside("desc-confounds_timeseries.tsv")
    table = np.stack(list(columns.values()), axis=1)
    rows = [[None if cell != cell else float(f"{cell:.9g}") for cell in row] for row in table.tolist()]
    manifest.add(path, write_tsv(root / path, list(columns), rows))
    about_path = path.with_suffix(".json")
    manifest.add(about_path, write_json(root / about_path, about))
