"""The head: nested closed surfaces, and maps that show what lies between them."""

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.spaces import apply_affine
from fakeimaging.structure.head import SURFACES, template_head
from fakeimaging.structure.template import template_maps


@pytest.fixture(scope="module")
def head():
    return template_head()


def volume(vertices, triangles):
    """mm3 inside a closed surface, by the divergence theorem; positive if its triangles turn outward."""
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    return np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6


def test_surfaces_are_closed_and_turn_outward(head):
    edges = head.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    assert len({tuple(edge) for edge in edges.tolist()}) == len(edges)
    assert {tuple(edge) for edge in edges.tolist()} == {tuple(edge) for edge in edges[:, ::-1].tolist()}
    volumes = [volume(head.vertices[name], head.triangles) / 1e6 for name in SURFACES]
    assert volumes == sorted(volumes)
    assert 1.9 < volumes[0] < 2.4


def test_surfaces_are_nested_with_bounded_thickness(head):
    radii = {name: np.linalg.norm(head.vertices[name] - head.centre, axis=1) for name in SURFACES}
    skull = radii["outer_skull"] - radii["inner_skull"]
    assert skull.min() > 2.99
    assert skull.max() < 8.01
    assert (radii["scalp"] - radii["outer_skull"]).min() > 2.4


def test_depth_is_zero_on_the_surface_and_the_distance_near_it(head):
    middle = head.vertices["scalp"][head.triangles].mean(axis=1)
    assert np.abs(head.depth(middle)["scalp"]).max() < 1e-6
    # On a flat triangle the depth of a point moved inward along the normal is how far it moved.
    a, b, c = head.vertices["scalp"][head.triangles].transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    assert (np.abs(head.depth(middle - 0.1 * normal)["scalp"] - 0.1) < 1e-6).mean() > 0.99


def test_the_maps_show_what_lies_between_the_surfaces(head):
    maps = template_maps()
    rng = np.random.Generator(np.random.SFC64(1))
    index = rng.integers(0, maps.head_grid.shape, (20000, 3))
    depth = head.depth(apply_affine(maps.head_grid.affine, index))
    scalp, bone = maps.scalp[tuple(index.T)] / 255, maps.bone[tuple(index.T)] / 255
    outside_skull = (depth["outer_skull"] < -1) & (depth["scalp"] > 1)
    within_bone = (depth["outer_skull"] > 1) & (depth["inner_skull"] < -1)
    assert (scalp[outside_skull] > 0.99).mean() > 0.995
    assert (bone[within_bone] > 0.99).mean() > 0.98
    assert not scalp[depth["scalp"] < -1].any()
    assert not bone[depth["inner_skull"] > 1].any()


def test_the_brain_lies_inside_the_skull(head):
    maps = template_maps()
    brain = np.argwhere((maps.grey > 127) | (maps.white > 127))[::50]
    depth = head.depth(apply_affine(maps.grid.affine, brain))["inner_skull"]
    assert (depth > 0).mean() > 0.999


@pytest.mark.parametrize("anatomy", ["template", "tiny"])
def test_surfaces_of_a_subject_lie_on_the_edge_of_its_tissue(anatomy):
    subject = fi.make_subject("01", seed=4, anatomy=anatomy)
    vertices, triangles = subject.anatomy.head_surface("scalp")
    assert triangles.max() == len(vertices) - 1
    top = vertices[vertices[:, 2] > 0]
    centre = vertices.mean(axis=0)
    outward = (top - centre) / np.linalg.norm(top - centre, axis=1, keepdims=True)
    step = 6.0 if anatomy == "tiny" else 2.0
    assert (share(subject, top + step * outward) < 0.2).mean() > 0.98
    assert (share(subject, top - step * outward) > 0.5).mean() > 0.95


def share(subject, points):
    """Share of bone and soft tissue at native points, by the nearest voxel of the template's head."""
    maps = subject.anatomy.maps
    index = np.rint(apply_affine(np.linalg.inv(maps.head_grid.affine) @ subject.anatomy.to_template, points))
    index = tuple(np.clip(index.astype(int), 0, np.array(maps.head_grid.shape) - 1).T)
    return (maps.bone[index].astype(float) + maps.scalp[index]) / 255
