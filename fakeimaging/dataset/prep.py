"""The preprocessed derivative of a BOLD scan, as fMRIPrep names it: series in one or more spaces, masks, transforms, confounds.

Each observed volume is resampled once, by the true pose of the head at that volume, the true transform to the template and, where
the scan is distorted, the true shift along its phase-encoding axis, with the brightness that the shift took or gave.
There is no slice-time correction: a volume stands for the middle of its repetition time, and the sidecar says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology import SPHERE
from fakeimaging.core.files import Receipt
from fakeimaging.core.spaces import Affine, Grid, centred_grid
from fakeimaging.dataset.confounds import MOTION, Voxels, confounds
from fakeimaging.dataset.images import MNI, SCANNER, volumes_to, write_image, write_labels
from fakeimaging.dataset.job import Job
from fakeimaging.dataset.relations import regional_means, write_relations
from fakeimaging.dataset.surfaces import surface_files
from fakeimaging.dataset.transforms import write_transform
from fakeimaging.modalities.layers import Image
from fakeimaging.modalities.motion import rigid
from fakeimaging.modalities.recording import Recording
from fakeimaging.modalities.spline import Shift, resample_volume
from fakeimaging.structure.anatomy import Anatomy, Tissue, brain_centre
from fakeimaging.structure.subject import Subject

PURE = 0.9
"""Fraction of a tissue from which a voxel gives that tissue's confounds (assumed; fMRIPrep erodes its masks instead)."""
FEWEST = 20
"""Voxels that give a tissue's confounds at least: the purest ones, where coarse voxels leave no more (assumed)."""
IN_BRAIN = 0.5
"""Fraction of grey, white matter and fluid from which a voxel lies in the brain mask."""
N_REFERENCE = 10
"""Volumes, spread over the scan, whose mean in one pose is the reference image."""
Take = Callable[[int, npt.NDArray], None]


@dataclass(frozen=True, eq=False)
class Undone:
    """What a series still has in it and is undone when it is resampled.

    Parameters
    ----------
    poses : ndarray, shape (n_volumes, 4, 4)
        Native mm of the head at t = 0 to where it was in each volume.
    shift : Shift or None
        Distortion along the phase-encoding axis.
    """

    poses: npt.NDArray[np.float64]
    shift: Shift | None = None

    def resampled(
        self, job: Job, v: int, volume: npt.NDArray, grid: Grid, to_native: Affine
    ) -> npt.NDArray[np.float32]:
        """Return volume ``v`` on a grid; ``to_native`` takes the grid's millimetres to native ones at t = 0."""
        place = self.poses[v] @ to_native
        moved = resample_volume(volume, job.recording.clean.grid, grid, place, self.shift)
        return moved if job.recording.parameters.noise == "gaussian" else moved.clip(0)


@contextmanager
def derivatives(
    job: Job, motion: npt.NDArray[np.float64], undone: Undone, clean: Image | None = None
) -> Iterator[Take]:
    """Open every file that is made from one series; ``motion`` is what confounds tell, ``clean`` the noise-free twin of the series."""
    p, clean = job.recording.parameters, clean or job.recording.clean
    with ExitStack() as stack:
        takes = [stack.enter_context(template_series(job, motion, undone)), stack.enter_context(reference(job, undone))]
        takes += [stack.enter_context(native_series(job, undone, "space-T1w_"))] if "T1w" in p.output_spaces else []
        grid, _ = template_tissue(job.subject, job.recording)
        takes += [stack.enter_context(surface_files(job, undone, grid, clean))] if p.surfaces else []

        def take(v: int, volume: npt.NDArray) -> None:
            for each in takes:
                each(v, volume)

        yield take
    _write_transforms(job, motion)


@contextmanager
def template_series(job: Job, motion: npt.NDArray[np.float64], undone: Undone) -> Iterator[Take]:
    """Open the series in template space; its mask, mean, confounds and correlations follow."""
    from scipy.ndimage import binary_dilation

    grid, tissue = template_tissue(job.subject, job.recording)
    mask = tissue.brain > IN_BRAIN
    edge = binary_dilation(mask) & ~mask
    to_native = np.asarray(np.linalg.inv(job.subject.anatomy.to_template), dtype=np.float64)
    brain = np.empty((len(motion), int(mask.sum())), dtype=np.float32)
    rim = np.empty((len(motion), int(edge.sum())), dtype=np.float32)
    mean = np.zeros(grid.shape, dtype=np.float64)
    with series_file(job, grid, f"space-{job.space}_", MNI) as append:

        def take(v: int, volume: npt.NDArray) -> None:
            moved = undone.resampled(job, v, volume, grid, to_native)
            brain[v], rim[v] = moved[mask], moved[edge]
            mean[...] += moved / len(motion)
            append(moved)

        yield take
    _write_mask(job, mask, grid, f"space-{job.space}_", MNI)
    _write_reference(job, mean, grid, f"space-{job.space}_", MNI)
    tissues = {"csf": purest(tissue.csf[mask]), "white_matter": purest(tissue.white[mask])}
    _write_confounds(job, Voxels(brain, tissues, rim), motion)
    labels = job.subject.parcellation.on(grid, np.eye(4), grey=tissue.grey)[mask]
    write_relations(job, regional_means(brain, labels.astype(np.intp), job.subject.n_regions))


def purest(shares: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return the voxels whose share of a tissue is above `PURE`, or the `FEWEST` with the largest share."""
    if len(shares) <= FEWEST:
        return np.asarray(shares > 0)
    return np.asarray(shares > min(PURE, float(np.partition(shares, -FEWEST - 1)[-FEWEST - 1])))


@contextmanager
def native_series(job: Job, undone: Undone, where: str = "", desc: str = "preproc") -> Iterator[Take]:
    """Open a series on the raw grid with the head where it was at t = 0: the spaces ``boldref`` and T1w, which are one here."""
    grid = job.recording.clean.grid
    with series_file(job, grid, where, SCANNER, desc) as append:
        yield lambda v, volume: append(undone.resampled(job, v, volume, grid, np.eye(4)))
    if where:
        _write_mask(job, job.subject.anatomy.tissue(grid).brain > IN_BRAIN, grid, where, SCANNER)


@contextmanager
def series_file(job: Job, grid: Grid, where: str, code: int, desc: str = "preproc") -> Iterator[Callable[..., None]]:
    """Open one series with its sidecar; what is yielded appends a volume."""
    image, receipt = replace(job.recording.clean, grid=grid), Receipt()
    one_echo = bool(job.scan.part) and desc == "preproc" and not where
    path = job.prepared(f"{where}desc-{desc}_bold.nii.gz", part=one_echo)
    with volumes_to(job.root / path, image, receipt, code=code) as append:
        yield append
    job.note(path, receipt.result)
    job.describe(path, series_keys(job, one_echo=one_echo) | space_keys(job, where, code))


@contextmanager
def reference(job: Job, undone: Undone) -> Iterator[Take]:
    """Gather the reference image on the raw grid: the mean of some volumes in one pose; its mask follows."""
    grid, n = job.recording.clean.grid, len(undone.poses)
    chosen = set(np.linspace(0, n - 1, min(n, N_REFERENCE)).round().astype(int).tolist())
    total = np.zeros(grid.shape)

    def take(v: int, volume: npt.NDArray) -> None:
        if v in chosen:
            total[...] += undone.resampled(job, v, volume, grid, np.eye(4))

    yield take
    _write_reference(job, total / len(chosen), grid, "desc-coreg_", SCANNER)
    _write_mask(job, job.subject.anatomy.tissue(grid).brain > IN_BRAIN, grid, "", SCANNER)


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


def template_tissue(subject: Subject, recording: Recording) -> tuple[Grid, Tissue]:
    """Return the derivative's grid, as fine and large as the raw one and centred on the template's brain, with its tissue."""
    return _template_tissue(subject.anatomy, template_grid(subject.anatomy, recording.clean.grid))


@lru_cache(maxsize=1)
def _template_tissue(anatomy: Anatomy, grid: Grid) -> tuple[Grid, Tissue]:
    return grid, replace(anatomy, to_template=np.eye(4)).tissue(grid)


def template_grid(anatomy: Anatomy, raw: Grid) -> Grid:
    """Return the grid in template space that is as large as a raw one and as fine as it is along its first axis.

    It is centred on the template's brain for everybody, and its voxels are cubes.
    """
    edges = raw.voxel_size.round(6)
    x, y, z = np.round(brain_centre(anatomy.healthy)).tolist()
    nx, ny, nz = np.maximum(np.rint(np.array(raw.shape) * edges / edges[0]), 1).astype(int).tolist()
    return centred_grid((nx, ny, nz), float(edges[0]), (x, y, z))


def series_keys(job: Job, *, one_echo: bool = False) -> dict[str, Any]:
    """Return the sidecar of a series."""
    tr = job.recording.clean.clock.step
    keys = {
        "TaskName": job.scan.task,
        "RepetitionTime": tr,
        "StartTime": tr / 2,
        "SliceTimingCorrected": False,
        "SkullStripped": False,
        "Description": "observed series, each volume resampled once by true head pose, unwarping and transform; no slice-time correction",
        "Sources": [f"bids:raw:{job.scan.raw}"] if one_echo else job.sources,
    }
    if one_echo:
        return keys | {"EchoTime": job.recording.parameters.echo_time}
    return keys | ({"Description": COMBINED} if job.scan.part else {})


COMBINED = (
    "echoes in the pose of t = 0, combined with weights TE exp(-TE / T2*) (Posse et al. 1999), then resampled by the true transform; "
    "no slice-time correction"
)


def space_keys(job: Job, where: str, code: int) -> dict[str, str]:
    """Return what BIDS asks for beside a file in a space that is no template of its list; ``where`` is the entity in its name."""
    if code == MNI:
        return job.reference
    return {"SpatialReference": "native millimetres of the subject, as its T1w has them"} if where else {}


def _write_mask(job: Job, mask: npt.NDArray[np.bool_], grid: Grid, where: str, code: int) -> None:
    path = job.prepared(f"{where}desc-brain_mask.nii.gz")
    job.note(path, write_labels(job.root / path, mask, grid, code=code))
    words = {"Type": "Brain", "RawSources": job.sources, "Description": "true tissue fractions above one half"}
    job.describe(path, words | space_keys(job, where, code))


def _write_reference(job: Job, image: npt.NDArray, grid: Grid, where: str, code: int) -> None:
    path = job.prepared(f"{where}boldref.nii.gz")
    volume = image.astype(np.float32)
    still = Image(grid, None, lambda v: volume, job.recording.clean.slope)
    job.note(path, write_image(job.root / path, still, code=code))
    words = {"Sources": job.sources, "Description": "mean of volumes in one pose"}
    job.describe(path, words | (job.reference if code == MNI else {}))


def _write_confounds(job: Job, voxels: Voxels, motion: npt.NDArray[np.float64]) -> None:
    columns, about = confounds(voxels, motion, job.recording.clean.clock.step)
    error = {
        "Description": "true head motion plus an estimation error",
        "EstimationErrorSD": job.recording.parameters.motion_error,
    }
    job.table(job.prepared("desc-confounds_timeseries.tsv"), columns, about | dict.fromkeys(MOTION, error))


def _write_transforms(job: Job, motion: npt.NDArray[np.float64]) -> None:
    """Write how each volume lies to the reference, and the reference to the T1w: native millimetres are the same in both."""
    path = job.prepared("from-orig_to-boldref_mode-image_desc-hmc_xfm.txt")
    write_transform(job, path, *(rigid(row) for row in motion))
    write_transform(job, job.prepared("from-boldref_to-T1w_mode-image_desc-coreg_xfm.txt"), np.eye(4))
