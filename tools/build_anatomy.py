"""Build the shipped anatomy: template_tissue, template_structures, head_tissue (.nii.gz) and head.npz in fakeimaging/data.

From the files in the nilearn and mne wheels alone. Run: PYTHONPATH=tools python tools/build_anatomy.py (about 3 minutes, 3 GB).
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import nibabel as nib
import numpy as np
from anatomy_maps import averaged, both_sides, coarse_kinds, fine_template, sharpen
from head_surfaces import build_head, depths
from scipy import ndimage

from fakeimaging.core.files import write_bytes
from fakeimaging.core.spaces import Grid
from fakeimaging.structure.head import SURFACES, Head
from fakeimaging.structure.template import STRUCTURES

DATA = Path(__file__).parents[1] / "fakeimaging" / "data"
HEAD_SHAPE, HEAD_ORIGIN = (197, 243, 243), (-98.0, -134.0, -126.0)
"""1 mm grid of the head: to the tip of the nose, and down to where no T1w reaches."""

SKIN, FAT, FAT_SHARE = 1.5, 4.0, 0.6
"""mm of skin and of the fat under it, and how much of that layer is fat (assumed; muscle fills the rest of the soft tissue)."""


def main() -> None:
    """Sharpen the tissue, fit the head around it and write both."""
    grey, white, structures, grid = tissue()
    fine_brain = ndimage.binary_closing(grey + white > 0.5, iterations=2)
    head = build_head(fine_brain, grid)
    affine = np.eye(4)
    affine[:3, 3] = HEAD_ORIGIN
    head_grid = Grid(HEAD_SHAPE, affine)
    depth = depths(head, head_grid)
    within = {name: np.clip(d + 0.5, 0, 1) for name, d in depth.items()}
    corner = np.round(grid.affine[:3, 3] - affine[:3, 3]).astype(int)
    brain_box = tuple(slice(c, c + size) for c, size in zip(corner, grid.shape, strict=True))
    filled = within["inner_skull"].copy()
    filled[brain_box] = np.maximum(filled[brain_box], ndimage.binary_dilation(grey + white > 0.02))
    whole, solid = np.rint(255 * filled[brain_box]).astype(int), [codes(grey), codes(white)]
    fluid = np.maximum(whole - solid[0].astype(int) - solid[1], 0).astype(np.uint8)
    bone = np.clip(within["outer_skull"] - filled, 0, 1)
    scalp = np.clip(within["scalp"] - np.maximum(within["outer_skull"], filled), 0, 1)
    fat = (
        FAT_SHARE
        * scalp
        * np.clip(depth["scalp"] - SKIN + 0.5, 0, 1)
        * np.clip(SKIN + FAT - depth["scalp"] + 0.5, 0, 1)
    )
    write_image("template_tissue.nii.gz", np.stack([*solid, fluid], axis=-1), grid)
    write_image("template_structures.nii.gz", structures, grid)
    write_image("head_tissue.nii.gz", np.stack([codes(bone), codes(scalp), codes(fat)], axis=-1), head_grid)
    write_head(head)


def codes(shares: np.ndarray) -> np.ndarray:
    """Shares in 255ths, rounded down so that they never add to more than the whole."""
    return np.floor(255 * shares + 1e-3).astype(np.uint8)


def tissue() -> tuple[np.ndarray, np.ndarray, np.ndarray, Grid]:
    """Grey and white fractions and structures of the whole brain at 1 mm; scraps of grey apart from their structure become fluid."""
    fine, grid = fine_template()
    grey, white, kinds = sharpen(fine)
    structures = coarse_kinds(grey, kinds)
    grey, white = averaged(grey), averaged(white)
    scraps = np.zeros(structures.shape, bool)
    for code in range(1, len(STRUCTURES)):
        scraps |= apart(structures == code)
    neighbour = ndimage.maximum_filter(
        np.where(scraps | (structures == STRUCTURES.index("brainstem")), 0, structures), 3
    )
    structures[scraps] = np.where(neighbour[scraps] == STRUCTURES.index("cortex"), neighbour[scraps], 0)
    scraps = apart(structures == STRUCTURES.index("cortex")) | (scraps & (structures == 0))
    structures[scraps] = 0
    grey[scraps & (white < 0.5)] = 0
    return both_sides(grey), both_sides(white), both_sides(structures), grid


def apart(mask: np.ndarray) -> np.ndarray:
    """What of a mask does not hang together with its largest piece by faces."""
    pieces, n = ndimage.label(mask)
    return mask & (pieces != np.bincount(pieces.ravel())[1:].argmax() + 1) if n else mask


def write_image(name: str, image: np.ndarray, grid: Grid) -> None:
    """Write codes as they are (uint8), packed as tightly as gzip can."""
    nifti = nib.Nifti1Image(image, grid.affine)
    nifti.header.set_xyzt_units("mm")
    nifti.set_sform(grid.affine, code=4)
    (DATA / name).write_bytes(gzip.compress(nifti.to_bytes(), 9, mtime=0))


def write_head(head: Head) -> None:
    """Write vertices to 1 micrometre, and triangles."""
    buffer = io.BytesIO()
    arrays = {name: np.round(head.vertices[name], 3).astype(np.float32) for name in SURFACES}
    np.savez_compressed(buffer, centre=np.round(head.centre, 6), triangles=head.triangles.astype(np.uint16), **arrays)
    write_bytes(DATA / "head.npz", buffer.getvalue())


if __name__ == "__main__":
    main()
