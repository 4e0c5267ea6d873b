"""Affine transforms as files of ITK (ANTs, fMRIPrep): text, millimetres in LPS+, x and y turned against our RAS+.

A file ``from-A_to-B_mode-image`` moves an image from A to B. To do so it maps points the other way, from B to A: each voxel of
the new image asks where in the old one it lies.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

import numpy as np

from fakeimaging.core.files import write_text
from fakeimaging.core.spaces import Affine
from fakeimaging.dataset.job import Job

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""RAS+ to LPS+, and back."""


def itk_text(to_old: Iterable[Affine]) -> str:
    """Return the content of a file of one or more transforms.

    Parameters
    ----------
    to_old : iterable of ndarray, shape (4, 4)
        Millimetres (RAS+) of the new image to those of the old one.

    Examples
    --------
    >>> shift = np.eye(4)
    >>> shift[:3, 3] = 1, 2, 3
    >>> print(itk_text([shift]).splitlines()[3])
    Parameters: 1 0 0 0 1 0 0 0 1 -1 -2 3
    """
    lines = ["#Insight Transform File V1.0"]
    for number, matrix in enumerate(to_old):
        turned = LPS @ matrix @ LPS + 0.0
        values = [*turned[:3, :3].ravel().tolist(), *turned[:3, 3].tolist()]
        lines += [
            f"#Transform {number}",
            "Transform: MatrixOffsetTransformBase_double_3_3",
            "Parameters: " + " ".join(f"{value:.12g}" for value in values),
            "FixedParameters: 0 0 0",
        ]
    return "\n".join(lines) + "\n"


def write_transform(job: Job, path: PurePosixPath, *to_old: Affine) -> None:
    """Write one or more transforms, RAS+ millimetres of the new image to those of the old one."""
    job.note(path, write_text(job.root / path, itk_text(to_old)))
