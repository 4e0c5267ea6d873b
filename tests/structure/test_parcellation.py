"""Regions: every structure on each side at any count, each of one piece, together all grey matter but the brainstem."""

import numpy as np
import pytest
from scipy import ndimage

import fakeimaging as fi
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import centred_grid
from fakeimaging.structure.anatomy import blocks_of, ellipsoid_maps
from fakeimaging.structure.growth import grow_regions
from fakeimaging.structure.parcellation import (
    KINDS,
    _most_frequent,
    _without_crumbs,
    grow_template_parcellation,
    shell_parcellation,
    spilled,
    template_parcellation,
    unlabelled_grey,
)
from fakeimaging.structure.template import STRUCTURES, template_maps, template_structures
from tests.structure.test_template import PUBLISHED

COUNTS = [20, 21, 100, 137, 300]


def pieces(labels):
    """Number of pieces of each label, voxels joined by faces."""
    return [ndimage.label(labels[box] == i + 1)[1] for i, box in enumerate(ndimage.find_objects(labels))]


@pytest.fixture(scope="module")
def subject():
    return fi.make_subject("01", seed=1)


@pytest.mark.parametrize("n_regions", COUNTS)
def test_any_count_has_every_structure_on_each_side_in_one_piece(n_regions):
    parcellation = template_parcellation(n_regions)
    assert set(np.unique(parcellation.labels)) == set(range(n_regions + 1))
    assert pieces(parcellation.labels) == [1] * n_regions
    for side in "LR":
        assert {region.kind for region in parcellation.regions if region.hemisphere == side} == set(KINDS)
    assert len({region.name for region in parcellation.regions}) == n_regions
    volumes = np.bincount(parcellation.labels.ravel())[1:]
    assert [region.volume for region in parcellation.regions] == pytest.approx(volumes)
    structures = template_structures()
    for region, label in zip(parcellation.regions[::7], range(1, n_regions + 1, 7), strict=True):
        assert (structures[parcellation.labels == label] == STRUCTURES.index(region.kind)).all()


@pytest.mark.parametrize("n_regions", COUNTS)
def test_regions_cover_all_grey_matter_but_the_brainstem(n_regions):
    parcellation, maps = template_parcellation(n_regions), template_maps()
    missed = maps.grey * unlabelled_grey(parcellation, maps)
    stem = template_structures() == STRUCTURES.index("brainstem")
    assert missed[~stem].sum(dtype=float) < 0.001 * maps.grey.sum(dtype=float)
    assert not (parcellation.labels[stem] > 0).any()


@pytest.mark.parametrize("voxel_size", [1.0, 3.5])
def test_native_labels_cover_all_grey_matter_but_the_brainstem(subject, voxel_size):
    grid = centred_grid(tuple(round(length / voxel_size) for length in (170, 210, 180)), voxel_size)
    labels, grey = subject.labels(grid), subject.anatomy.tissue(grid).grey
    maps, stem = template_maps(), STRUCTURES.index("brainstem")
    own = maps.grey * (template_structures() != stem)
    size = np.linalg.det(subject.anatomy.to_template[:3, :3])
    labelled = grey[labels > 0].sum(dtype=float) * voxel_size**3 * size
    # The grey matter of the subject apart from its brainstem is that of the template, moved.
    assert labelled > 0.99 * own.sum(dtype=float) / 255


@pytest.mark.parametrize("voxel_size", [1.5, 3.5])
def test_regions_of_a_subject_are_of_one_piece(subject, voxel_size):
    labels = subject.labels(centred_grid(tuple(round(length / voxel_size) for length in (170, 210, 180)), voxel_size))
    for i, box in enumerate(ndimage.find_objects(labels)):
        assert ndimage.label(labels[box] == i + 1, np.ones((3, 3, 3)))[1] == 1, subject.regions[i].name


def test_crumbs_are_swept_away_and_halves_are_kept():
    labels = np.zeros((60, 3, 3), dtype=np.uint16)
    labels[:40], labels[50:] = 4, 4
    labels[45, 1, 1] = 4
    swept = _without_crumbs(labels)
    assert swept[45, 1, 1] == 0
    labels[45, 1, 1] = 0
    assert (swept == labels).all()


def test_the_right_half_is_the_mirror_image_of_the_left(subject):
    labels = subject.parcellation.labels
    left, right = labels[:98], labels[:98:-1]
    assert ((left == 0) == (right == 0)).all()
    assert (left[left > 0] % 2 == 1).all()
    assert (right[left > 0] == left[left > 0] + 1).all()


def test_the_plane_between_goes_to_both_sides_alike(subject):
    middle = subject.parcellation.labels[98]
    left, right = np.count_nonzero(middle % 2), np.count_nonzero((middle > 0) & (middle % 2 == 0))
    assert left + right > 300
    assert abs(left - right) < 0.1 * (left + right)


def test_left_is_left_and_every_region_has_a_mirror_image(subject):
    by_name = {region.name: region for region in subject.regions}
    for name, region in by_name.items():
        assert region.hemisphere == name[0] == ("L" if region.centroid[0] < 0 else "R")
        mirror = by_name[{"L": "R", "R": "L"}[name[0]] + name[1:]]
        assert np.linalg.norm(np.array(region.centroid) * [-1, 1, 1] - mirror.centroid) < 0.1


def test_an_odd_count_splits_one_region_of_the_left_side():
    odd, even = template_parcellation(21), template_parcellation(20)
    stems = [region.name[1:] for region in odd.regions]
    alone = [region for region in odd.regions if stems.count(region.name[1:]) == 1]
    assert len(alone) == 1
    assert (alone[0].hemisphere, alone[0].kind) == ("L", "cortex")
    changed = odd.labels != even.labels
    assert set(np.unique(odd.labels[changed])) == {21}
    assert len(np.unique(even.labels[changed])) == 1


def test_deep_regions_of_a_subject_keep_their_size(subject):
    labels = subject.labels(centred_grid((140, 150, 110), 1.0))
    size = np.linalg.det(subject.anatomy.to_template[:3, :3])
    for i, region in enumerate(subject.regions):
        if region.kind in PUBLISHED:
            assert (labels == i + 1).sum() * size / 1000 == pytest.approx(PUBLISHED[region.kind], rel=0.3), region.name


def test_deep_regions_are_bounded(subject):
    for region in subject.regions:
        if region.kind not in ("cortex", "cerebellum"):
            found = np.argwhere(subject.parcellation.labels == subject.regions.index(region) + 1)
            assert np.ptp(found, axis=0).max() <= 46, region.name


def test_cortical_regions_are_of_like_size(subject):
    volumes = np.array([region.volume for region in subject.regions if region.kind == "cortex"])
    assert volumes.max() / volumes.min() < 5


def test_the_shipped_parcellation_is_what_its_script_makes():
    grown, shipped = grow_template_parcellation(100), template_parcellation(100)
    assert (grown.labels == shipped.labels).all()
    assert grown.regions == shipped.regions


@pytest.mark.parametrize("n_regions", [2, 3, 10, 31, 60])
def test_the_tiny_anatomy_has_any_count(n_regions):
    maps = ellipsoid_maps()
    parcellation = shell_parcellation(maps, n_regions)
    assert set(np.unique(parcellation.labels)) == set(range(n_regions + 1))
    assert pieces(parcellation.labels) == [1] * n_regions
    assert not unlabelled_grey(parcellation, maps).any()


def test_other_grids_are_refused():
    with pytest.raises(InputError, match="different grids"):
        unlabelled_grey(template_parcellation(), ellipsoid_maps())


def test_growth_follows_the_path_and_not_the_straight_line():
    # A horseshoe: the two ends are close, but far apart along it.
    inside = np.zeros((9, 5, 1), dtype=bool)
    inside[0], inside[:, 4], inside[8] = True, True, True
    grid = centred_grid(inside.shape, 1.0)
    labels = grow_regions(inside, np.ones(inside.shape), grid, np.array([[-4.0, -2, 0], [-4.0, 2, 0]]))
    assert (labels[8, inside[8, :, 0], 0] == 2).all()
    assert labels[0, 0, 0] == 1


def test_a_coarse_voxel_takes_the_most_frequent_label():
    labels = np.zeros((4, 2, 2), dtype=np.uint16)
    labels[0:2] = [[[3, 3], [1, 0]], [[3, 0], [1, 2]]]
    labels[2:4, 0, 0] = 2
    assert _most_frequent(blocks_of(labels, 2), 3).ravel().tolist() == [3, 2]


def test_labels_spill_over_faces_into_grey_matter_only():
    labels = np.zeros((5, 1, 1), dtype=np.uint16)
    labels[2] = 7
    grey = np.array([0.9, 0.9, 1.0, 0.04, 0.9], dtype=np.float32)[:, None, None]
    assert spilled(labels, grey).ravel().tolist() == [0, 7, 7, 0, 0]
