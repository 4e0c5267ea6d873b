import numpy as np
import pytest
from scipy import ndimage

import fakeimaging as fi
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.core.spaces import apply_affine, centred_grid
from fakeimaging.structure.anatomy import blocks_of
from fakeimaging.structure.parcellation import (
    _most_frequent,
    centroids_of,
    grow_template_parcellation,
    template_parcellation,
)

COARSE = centred_grid((64, 80, 64), 3.0)


@pytest.fixture(scope="module")
def subject():
    return fi.make_subject("01", seed=1)


def test_the_same_seed_and_label_give_the_same_subject(subject):
    again, other = fi.make_subject("01", seed=1), fi.make_subject("02", seed=1)
    assert (again.connectome.weights == subject.connectome.weights).all()
    assert (again.anatomy.to_template == subject.anatomy.to_template).all()
    assert (other.anatomy.to_template != subject.anatomy.to_template).any()


def test_no_seed_draws_one_and_keeps_it():
    first = fi.make_subject("01", anatomy="tiny")
    again = fi.make_subject("01", anatomy="tiny", seed=first.streams.seed)
    assert (again.connectome.weights == first.connectome.weights).all()
    assert fi.make_subject("01", anatomy="tiny").streams.seed != first.streams.seed


def test_tissue_fractions_add_to_at_most_one_and_volumes_are_a_brain(subject):
    tissue = subject.anatomy.tissue(COARSE)
    total = tissue.grey + tissue.white + tissue.csf
    assert tissue.grey.min() >= 0
    assert total.max() <= 1 + 1e-5
    size = np.linalg.det(subject.anatomy.to_template[:3, :3])
    grey, white = tissue.grey.sum() * 0.027 * size, tissue.white.sum() * 0.027 * size
    # The template's own maps hold 1008 mL of grey and 670 mL of white matter.
    assert grey == pytest.approx(1008, rel=0.01)
    assert white == pytest.approx(670, rel=0.01)


def test_a_coarse_voxel_holds_the_mean_of_what_is_inside(subject):
    fine, coarse = centred_grid((60, 60, 60), 1.0), centred_grid((12, 12, 12), 5.0)
    averaged = subject.anatomy.tissue(fine).grey.reshape(12, 5, 12, 5, 12, 5).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(subject.anatomy.tissue(coarse).grey, averaged, atol=0.02)


def test_regions_cover_grey_matter_and_each_is_there(subject):
    labels, grey = subject.parcellation.labels, subject.anatomy.maps.grey
    assert grey[labels > 0].sum(dtype=float) > 0.95 * grey.sum(dtype=float)
    assert set(np.unique(labels)) == set(range(101))
    volumes = np.bincount(labels.ravel())[1:]
    assert [region.volume for region in subject.regions] == pytest.approx(volumes)


def test_most_of_each_region_is_one_piece(subject):
    labels = subject.parcellation.labels
    for i, box in enumerate(ndimage.find_objects(labels)):
        pieces, n = ndimage.label(labels[box] == i + 1, np.ones((3, 3, 3)))
        assert np.bincount(pieces.ravel())[1:].max() > 0.95 * (pieces > 0).sum(), subject.regions[i].name


def test_left_is_left_and_every_region_has_a_mirror_image(subject):
    by_name = {region.name: region for region in subject.regions}
    for name, region in by_name.items():
        assert region.hemisphere == name[0] == ("L" if region.centroid[0] < 0 else "R")
        mirror = by_name[{"L": "R", "R": "L"}[name[0]] + name[1:]]
        assert (
            np.linalg.norm(np.array(region.centroid) * [-1, 1, 1] - mirror.centroid) < 1
        )  # the midline is the right half's


def test_the_right_half_is_the_mirror_image_of_the_left(subject):
    labels = subject.parcellation.labels
    left, right = labels[:98], labels[:98:-1]
    assert ((left == 0) == (right == 0)).all()
    assert (left[left > 0] % 2 == 1).all()
    assert (right[left > 0] == left[left > 0] + 1).all()


def test_front_is_front_and_up_is_up(subject):
    visual = [r.centroid for r in subject.regions if r.network == "Visual" and r.kind == "cortex"]
    motor = [r.centroid for r in subject.regions if r.network == "SomatomotorDorsal"]
    cerebellum = [r.centroid for r in subject.regions if r.kind == "cerebellum"]
    assert np.mean(visual, axis=0)[1] < -60
    assert np.mean(motor, axis=0)[2] > 30
    assert np.mean(cerebellum, axis=0)[2] < -20


def test_native_labels_lie_where_the_true_transform_says(subject):
    grid = centred_grid((128, 160, 128), 1.5)
    found = centroids_of(subject.labels(grid), grid, subject.n_regions)
    assert np.median(np.linalg.norm(found - subject.native_centroids(), axis=1)) < 0.5
    back = apply_affine(subject.anatomy.to_template, found)
    assert np.median(np.linalg.norm(back - subject.parcellation.centroids, axis=1)) < 0.5


def test_poses_have_the_spread_asked_for():
    n = 400
    poses = [np.linalg.inv(fi.make_subject(f"{i}", seed=5, anatomy="tiny").anatomy.to_template) for i in range(n)]
    sizes = np.array([np.linalg.norm(p[:3, :3], axis=0) for p in poses])
    turns = np.array([p[:3, :3] / np.linalg.norm(p[:3, :3], axis=0) for p in poses])
    # Small rotations: the entries below and above the diagonal are the angles, to second order.
    angles = np.rad2deg((turns[:, [2, 0, 1], [1, 2, 0]] - turns[:, [1, 2, 0], [2, 0, 1]]) / 2)
    shifts = np.array([p[:3, 3] for p in poses])
    allowed = 3 / np.sqrt(2 * 3 * n)
    assert np.log(sizes).std() == pytest.approx(0.03, rel=allowed)
    assert angles.std() == pytest.approx(3.0, rel=allowed + 0.01)
    assert shifts.std() == pytest.approx(3.0, rel=allowed + 0.02)


def test_a_coarse_voxel_takes_the_most_frequent_label():
    labels = np.zeros((4, 2, 2), dtype=np.uint16)
    labels[0:2] = [[[3, 3], [1, 0]], [[3, 0], [1, 2]]]
    labels[2:4, 0, 0] = 2
    assert _most_frequent(blocks_of(labels, 2), 3).ravel().tolist() == [3, 2]


def test_the_shipped_parcellation_is_what_its_script_makes():
    grown, shipped = grow_template_parcellation(100), template_parcellation(100)
    assert (grown.labels == shipped.labels).all()
    assert grown.regions == shipped.regions


@pytest.mark.parametrize("n_regions", [20, 50])
def test_other_numbers_of_regions_grow_on_demand(n_regions):
    subject = fi.make_subject("01", seed=1, n_regions=n_regions)
    assert subject.connectome.n_regions == subject.n_regions == subject.parcellation.labels.max() == n_regions


def test_the_tiny_anatomy_needs_no_image(monkeypatch):
    from fakeimaging.structure import template

    monkeypatch.setattr(template, "_data_folder", None)
    subject = fi.make_subject("quick", seed=3, anatomy="tiny", n_regions=8)
    labels = subject.labels(COARSE)
    assert set(np.unique(labels)) == set(range(9))


@pytest.mark.parametrize("label", ["", "a b", "../x", "a-b", "ä", 1, "x" * 65])
def test_labels_are_bids_labels(label):
    with pytest.raises(InputError, match="BIDS labels"):
        fi.make_subject(label, seed=1, anatomy="tiny")


def test_bad_parameters_name_their_key():
    with pytest.raises(ParameterError, match=r"`subject.anatomie`: no such key; did you mean 'anatomy'"):
        fi.make_subject("01", seed=1, anatomie="tiny")
    with pytest.raises(ParameterError, match=r"`subject.n_regions`: 99 is not an even number from 20 to 300"):
        fi.make_subject("01", seed=1, n_regions=99)
    with pytest.raises(ParameterError, match=r"`subject.n_regions`: 62 is not an even number from 2 to 60"):
        fi.make_subject("01", seed=1, anatomy="tiny", n_regions=62)
    with pytest.raises(InputError, match="did you mean '01'"):
        fi.make_subject("sub-01", seed=1, anatomy="tiny")
    with pytest.raises(InputError, match="Connectome.weights, tract_lengths. is needed, not ndarray"):
        fi.make_subject("01", seed=1, anatomy="tiny", connectome=np.ones((10, 10)))


def test_an_own_connectome_must_fit():
    weights = np.ones((4, 4)) - np.eye(4)
    with pytest.raises(InputError, match="4 regions, the parcellation 10"):
        fi.make_subject("01", seed=1, anatomy="tiny", connectome=fi.Connectome(weights, weights))
    own = fi.make_subject("01", seed=1, anatomy="tiny", n_regions=4, connectome=fi.Connectome(weights, weights))
    assert (own.connectome.weights == weights).all()
