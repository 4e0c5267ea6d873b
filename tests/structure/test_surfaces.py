import numpy as np
import pytest

from fakeimaging.core.spaces import apply_affine
from fakeimaging.structure.surfaces import HEMISPHERES, MNI305_TO_MNI152, cortex
from fakeimaging.structure.template import template_maps


def test_the_affine_is_freesurfers_worked_example():
    np.testing.assert_allclose(apply_affine(MNI305_TO_MNI152, [10, -20, 35]), [10.695, -18.409, 36.137], atol=0.003)


@pytest.mark.parametrize("side", HEMISPHERES)
def test_each_hemisphere_lies_on_its_side_and_is_a_closed_mesh(side):
    surface = cortex(side)
    assert np.sign(surface.at(0.5)[:, 0].mean()) == (-1 if side == "L" else 1)
    edges = np.sort(np.concatenate([surface.triangles[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    thickness = np.linalg.norm(surface.pial - surface.white, axis=1)[surface.inside]
    assert 1.5 < np.median(thickness) < 4
    np.testing.assert_allclose(surface.at(0.25), 0.75 * surface.white + 0.25 * surface.pial)


@pytest.mark.parametrize("side", HEMISPHERES)
def test_the_medial_wall_is_a_patch_beside_the_midline(side):
    wall = cortex(side).white[~cortex(side).inside]
    assert 400 < len(wall) < 900
    assert np.median(np.abs(wall[:, 0])) < 15
    assert np.abs(wall - wall.mean(axis=0)).max() < 60


def test_the_ribbon_holds_more_grey_matter_than_what_lies_beside_it():
    maps = template_maps()
    share = []
    for depth in (-1.5, 0.5, 2.5):
        points = np.concatenate([cortex(side).at(depth)[cortex(side).inside] for side in HEMISPHERES])
        index = np.rint(apply_affine(np.linalg.inv(maps.grid.affine), points)).astype(int)
        share.append(maps.grey[tuple(np.clip(index.T, 0, np.array(maps.grid.shape)[:, None] - 1))].mean() / 255)
    assert share[1] > 0.55
    assert share[1] > 1.3 * max(share[0], share[2])
