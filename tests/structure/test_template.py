"""The sharpened template: volumes, edges, the structures of its grey matter."""

import numpy as np
import pytest
from scipy import ndimage

from fakeimaging.structure.template import STRUCTURES, data_folder, template_maps, template_structures

PUBLISHED = {
    "caudate": 3.7,
    "putamen": 4.8,
    "ventral striatum": 0.55,
    "thalamus": 7.0,
    "hippocampus": 3.8,
    "amygdala": 1.65,
}
"""mL a side: usual means of healthy adults in segmented T1w (assumed; compare Potvin et al. 2016, doi:10.1016/j.neuroimage.2016.05.016)."""


@pytest.fixture(scope="module")
def maps():
    return template_maps()


def edge_width(white, grey, n=4000):
    """Median distance in mm along the normal of the grey-white boundary over which white matter falls from 90 to 10 %.

    ``white`` and ``grey`` are shares on a 1 mm grid; the boundary is where white is half, beside voxels that are mostly grey.
    """
    smooth = ndimage.gaussian_filter(white, 1.0)
    normal = np.stack(np.gradient(smooth), axis=-1)
    at = np.argwhere((np.abs(white - 0.5) < 0.1) & (ndimage.maximum_filter(grey, 5) > 0.9))
    at = at[:: max(1, len(at) // n)]
    normal = normal[tuple(at.T)]
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    steps = np.arange(-5, 5.01, 0.1)
    points = at[:, None] + steps[None, :, None] * normal[:, None]
    profile = ndimage.map_coordinates(white, points.reshape(-1, 3).T, order=1).reshape(len(at), -1)
    middle = len(steps) // 2
    up = np.where(profile[:, middle:] >= 0.9, steps[middle:], np.inf).min(axis=1)
    down = np.where(profile[:, : middle + 1] <= 0.1, steps[: middle + 1], -np.inf).max(axis=1)
    return float(np.median(up - down))


def test_shares_fill_the_skull_and_never_more_than_a_voxel(maps):
    total = maps.grey.astype(int) + maps.white + maps.csf
    assert total.max() == 255
    inside = ndimage.binary_erosion(total > 0, iterations=2)
    assert (total[inside] == 255).mean() > 0.99
    head = maps.bone.astype(int) + maps.scalp
    assert head.max() <= 255
    assert (maps.fat <= maps.scalp).all()
    corner = np.round(maps.grid.affine[:3, 3] - maps.head_grid.affine[:3, 3]).astype(int)
    box = tuple(slice(c, c + size) for c, size in zip(corner, maps.grid.shape, strict=True))
    assert (head[box] + total).max() <= 255


def test_volumes_are_those_of_a_brain(maps):
    structures = template_structures()
    grey = {name: maps.grey[structures == i].sum(dtype=float) / 255e3 for i, name in enumerate(STRUCTURES)}
    assert 450 < grey["cortex"] < 560
    assert 90 < grey["cerebellum"] < 150
    assert 550 < maps.white.sum(dtype=float) / 255e3 < 700
    assert grey[""] < 0.005 * maps.grey.sum(dtype=float) / 255e3


def test_an_edge_is_at_most_two_millimetres_wide(maps):
    assert edge_width(maps.white / 255, maps.grey / 255) <= 2.0


def test_the_edge_of_the_mean_of_many_brains_is_wider():
    import nibabel as nib

    grey, white = (
        nib.load(data_folder() / f"mni_icbm152_{t}_tal_nlin_sym_09a_converted.nii.gz").get_fdata() / 255
        for t in ("gm", "wm")
    )
    assert edge_width(white, grey) > 2.5


def test_deep_nuclei_have_published_volumes_and_lie_where_they_should(maps):
    structures = template_structures()
    left = structures[: len(structures) // 2]
    for name, volume in PUBLISHED.items():
        found = np.argwhere(left == STRUCTURES.index(name))
        assert len(found) / 1000 == pytest.approx(volume, rel=0.15), name
        assert maps.grey[: len(left)][left == STRUCTURES.index(name)].sum() / 255e3 == pytest.approx(volume, rel=0.2)
        assert ndimage.label(left == STRUCTURES.index(name))[1] == 1
    # Maximum-probability peaks of the Harvard-Oxford atlas.
    peaks = {"caudate": (-12.6, 14.7, 11.6), "putamen": (-23.1, 8.4, -1), "amygdala": (-25.2, -2.1, -20)}
    peaks |= {"hippocampus": (-29.4, -16.8, -17.9), "ventral striatum": (-10.5, 12.6, -5.3), "thalamus": (-10, -18, 8)}
    for name, peak in peaks.items():
        index = tuple(np.round(np.array(peak) - maps.grid.affine[:3, 3]).astype(int))
        assert STRUCTURES[structures[index]] == name


def test_the_template_is_symmetric(maps):
    for array in (maps.grey, maps.white, template_structures()):
        assert (array == array[::-1]).all()


def test_the_hemispheres_of_cortex_hardly_touch():
    structures = template_structures()
    middle = structures[len(structures) // 2]
    assert (middle == STRUCTURES.index("cortex")).sum() < 100
