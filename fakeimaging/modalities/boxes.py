"""The box of an image that is not empty."""

from __future__ import annotations

import numpy.typing as npt

Box = tuple[slice, slice, slice]


def box_of(image: npt.NDArray, margin: int = 0) -> Box:
    """Return the box around what is not zero, ``margin`` voxels wider where there is room; the whole image when all is zero."""
    filled = image != 0
    along_x, along_y = filled.any(axis=2), filled.any(axis=0)
    lines = (along_x.any(axis=1), along_x.any(axis=0), along_y.any(axis=0))
    edges = [(int(line.argmax()), len(line) - int(line[::-1].argmax())) for line in lines]
    x, y, z = (
        slice(max(0, first - margin), min(size, last + margin))
        for (first, last), size in zip(edges, image.shape, strict=True)
    )
    return x, y, z
