"""NIfTI files written volume by volume: int16 with a fixed slope, crash-safe, flat in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
from isal import igzip

from fakeimaging.core.errors import InputError
from fakeimaging.core.files import Receipt, Written, writing
from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.layers import Image

SCANNER, MNI = 1, 4
"""NIfTI codes of a scanner's own space and of the template's."""


HEADER, SLOPE_AT = 352, 112
"""Bytes before the voxels of a NIfTI-1 file, and where among them the slope stands."""


def header(grid: Grid, n_volumes: int | None, step: float, dtype: str, slope: float, *, code: int = SCANNER) -> bytes:
    """Return the 352 bytes before the voxels of a NIfTI-1 file.

    Parameters
    ----------
    grid : Grid
    n_volumes : int or None
        None for a 3-D file.
    step : float
        Seconds between volumes.
    dtype : str
        ``"int16"``, ``"uint16"``, ``"float32"`` or ``"float64"``, stored little-endian.
    slope : float
        Stored value times slope is the signal.
    code : int
        What the millimetres are: `SCANNER` or `MNI`.
    """
    import nibabel as nib

    head = nib.Nifti1Header(endianness="<")
    head.set_data_dtype(np.dtype(dtype))
    head.set_data_shape(grid.shape if n_volumes is None else (*grid.shape, n_volumes))
    head.set_zooms(tuple(grid.voxel_size) if n_volumes is None else (*grid.voxel_size, step))
    head.set_xyzt_units("mm", "sec")
    head.set_sform(grid.affine, code=code)
    head.set_qform(grid.affine, code=code)
    head.set_slope_inter(slope, 0.0)
    head["vox_offset"] = HEADER
    head["magic"] = b"n+1"
    return bytes(head.binaryblock) + b"\0\0\0\0"


@contextmanager
def volumes_to(
    path: Path, image: Image, receipt: Receipt, *, code: int = SCANNER
) -> Iterator[Callable[[npt.NDArray], None]]:
    """Open ``.nii.gz`` for an image like this one; what is yielded appends a volume as int16 steps of its slope."""
    n_volumes, step = (image.clock.n, image.clock.step) if image.clock is not None else (None, 0.0)
    with writing(path, receipt) as file:
        file.write(header(image.grid, n_volumes, step, "int16", image.slope, code=code))

        def append(volume: npt.NDArray) -> None:
            file.write(_steps(volume, image.slope, path).tobytes(order="F"))

        yield append


def write_image(path: Path, image: Image, *, code: int = SCANNER) -> Written:
    """Write an image to ``.nii.gz`` as int16 steps of its slope, one volume in memory at a time.

    Parameters
    ----------
    path : Path
    image : Image
    code : int
        What its millimetres are: `SCANNER` or `MNI`.

    Raises
    ------
    InputError
        If a volume is complex or does not fit int16 at this slope.
    """
    receipt = Receipt()
    with volumes_to(path, image, receipt, code=code) as append:
        for volume in image.volumes():
            append(volume)
    return receipt.result


def stored_volumes(path: Path, shape: tuple[int, int, int], n_volumes: int) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the volumes of a file that `volumes_to` wrote, one in memory at a time."""
    with igzip.open(path, "rb") as file:
        slope = np.frombuffer(file.read(HEADER), dtype="<f4", count=1, offset=SLOPE_AT)[0]
        for _ in range(n_volumes):
            steps = np.frombuffer(file.read(2 * math.prod(shape)), dtype="<i2")
            yield steps.reshape(shape, order="F") * slope


def _steps(volume: npt.NDArray, slope: float, path: Path) -> npt.NDArray[np.int16]:
    if np.iscomplexobj(volume):
        raise InputError(f"{path.name}: a complex image cannot be written; take its magnitude first", value=path)
    steps = np.rint(volume / np.float32(slope))
    if not np.abs(steps).max() <= np.iinfo(np.int16).max:
        raise InputError(f"{path.name}: values do not fit int16 in steps of {slope:g}", value=path)
    return steps.astype("<i2")


def write_labels(path: Path, labels: npt.NDArray, grid: Grid, *, code: int = SCANNER) -> Written:
    """Write a label image or a mask."""
    receipt = Receipt()
    with writing(path, receipt) as file:
        file.write(header(grid, None, 0.0, "uint16", 1.0, code=code))
        file.write(labels.astype("<u2").tobytes(order="F"))
    return receipt.result


def write_floats(
    path: Path, grid: Grid, volumes: Iterable[npt.NDArray], n_volumes: int | None, *, code: int = SCANNER
) -> Written:
    """Write volumes that must stay exact, float32 where the first one is and else float64; their order is no time.

    Parameters
    ----------
    path : Path
    grid : Grid
    volumes : iterable of ndarray, shape grid.shape
    n_volumes : int or None
        How many there are; None for a 3-D file of one.
    code : int
        What the millimetres are: `SCANNER` or `MNI`.
    """
    receipt, volumes = Receipt(), iter(volumes)
    first = next(volumes)
    dtype = "float32" if first.dtype == np.float32 else "float64"
    with writing(path, receipt) as file:
        file.write(header(grid, n_volumes, 1.0, dtype, 1.0, code=code))
        for volume in chain([first], volumes):
            file.write(volume.astype(np.dtype(dtype).newbyteorder("<")).tobytes(order="F"))
    return receipt.result


def write_array(path: Path, array: npt.NDArray) -> Written:
    """Write an array to ``.npy`` (C order), in blocks of its first axis."""
    receipt = Receipt()
    with writing(path, receipt) as file:
        description = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
        np.lib.format.write_array_header_1_0(file, description)
        for first in range(0, len(array), 4096):
            file.write(np.ascontiguousarray(array[first : first + 4096]).tobytes())
    return receipt.result
