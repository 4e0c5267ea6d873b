"""The preprocessed derivative of a T1w, as fMRIPrep names it: without its bias field, true tissues, the way to the template."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.files import Receipt, write_tsv
from fakeimaging.core.spaces import Grid
from fakeimaging.dataset.images import volumes_to, write_image, write_labels
from fakeimaging.dataset.job import Job
from fakeimaging.dataset.transforms import write_transform
from fakeimaging.modalities.layers import Image
from fakeimaging.modalities.recording import Recording
from fakeimaging.modalities.stages import polynomial_field
from fakeimaging.structure.anatomy import Tissue

IN_BRAIN = 0.5
"""Fraction of grey, white matter and fluid from which a voxel lies in the brain mask."""
FRACTION_STEP = 0.01
"""Step of the stored fractions of tissue."""
CLASSES = ("GM", "WM", "CSF")
"""Label 1, 2, 3 of the segmentation (the common labels of BIDS)."""


@contextmanager
def anatomical(job: Job) -> Iterator[Callable[[int, npt.NDArray], None]]:
    """Open the derivative of a T1w in its own space; what is yielded takes the observed volume."""
    image, receipt = job.recording.observed, Receipt()
    path = job.prepared("desc-preproc_T1w.nii.gz", part=True)
    bias = bias_field(job.recording)
    with volumes_to(job.root / path, image, receipt) as append:
        yield lambda v, volume: append((volume / bias).astype(np.float32).clip(None, _largest(image)))
    job.note(path, receipt.result)
    job.describe(path, {"SkullStripped": False, "Sources": job.sources, "Description": "over the true bias field"})
    _write_tissue(job, job.subject.anatomy.tissue(image.grid), image.grid)
    to_template = job.subject.anatomy.to_template
    for ending, matrix in (
        (f"from-T1w_to-{job.space}", np.linalg.inv(to_template)),
        (f"from-{job.space}_to-T1w", to_template),
    ):
        write_transform(job, job.prepared(f"{ending}_mode-image_xfm.txt"), np.asarray(matrix))


def _largest(image: Image) -> float:
    return float(np.iinfo(np.int16).max * np.float32(image.slope))


def bias_field(recording: Recording) -> npt.NDArray[np.float32] | float:
    """Return the field that multiplies the image, or 1."""
    if "bias" not in recording.stages:
        return 1.0
    recipe = recording.recipe("bias")
    field = polynomial_field(recording.clean.grid.shape, recipe["coefficients"])
    return np.asarray(np.exp(field - np.float32(recipe["log_mean"])))


def _write_tissue(job: Job, tissue: Tissue, grid: Grid) -> None:
    """Write the brain mask, the tissue that each of its voxels has most of, and the share of each."""
    shares = (tissue.grey, tissue.white, tissue.csf)
    mask = tissue.brain > IN_BRAIN
    words: dict[str, Any] = {"Type": "Brain", "RawSources": job.sources}
    _write_labels(
        job, mask, grid, "desc-brain_mask.nii.gz", words | {"Description": "true tissue fractions above one half"}
    )
    most = np.where(tissue.white > tissue.grey, np.uint8(2), np.uint8(1))
    most[tissue.csf > np.maximum(tissue.grey, tissue.white)] = 3
    most[~mask] = 0
    _write_labels(
        job, most, grid, "dseg.nii.gz", {"SkullStripped": True, "Description": "what a voxel truly has most of"}
    )
    path = job.prepared("dseg.tsv")
    job.note(path, write_tsv(job.root / path, ["index", "name"], [[k + 1, name] for k, name in enumerate(CLASSES)]))
    for name, share in zip(CLASSES, shares, strict=True):
        path = job.prepared(f"label-{name}_probseg.nii.gz")
        image = Image(grid, None, lambda v, share=share: share, FRACTION_STEP)  # type: ignore[misc]
        job.note(path, write_image(job.root / path, image))
        job.describe(path, {"SkullStripped": True, "Description": f"true fraction of {name} in each voxel"})


def _write_labels(job: Job, labels: npt.NDArray, grid: Grid, ending: str, about: dict[str, Any]) -> None:
    path = job.prepared(ending)
    job.note(path, write_labels(job.root / path, labels, grid))
    job.describe(path, about)
