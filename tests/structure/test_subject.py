import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.core.spaces import apply_affine, centred_grid
from fakeimaging.structure.anatomy import TISSUES
from fakeimaging.structure.parcellation import centroids_of

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
    total = tissue.brain + tissue.bone + tissue.scalp
    assert tissue.grey.min() >= 0
    assert total.max() <= 1 + 1e-5
    assert (tissue.fat <= tissue.scalp).all()
    size = np.linalg.det(subject.anatomy.to_template[:3, :3])
    grey, white = tissue.grey.sum() * 0.027 * size, tissue.white.sum() * 0.027 * size
    # The template's sharpened maps hold 725 mL of grey (cortex 536, cerebellum 127, brainstem 22) and 640 mL of white matter.
    assert grey == pytest.approx(725, rel=0.01)
    assert white == pytest.approx(639, rel=0.01)


@pytest.mark.parametrize(("factor", "worst"), [(3, 0.06), (5, 0.12)])
def test_a_coarse_voxel_holds_the_mean_of_what_is_inside(subject, factor, worst):
    n = 60 // factor
    fine, coarse = centred_grid((60, 60, 60), 1.0), centred_grid((n, n, n), float(factor))
    averaged = subject.anatomy.tissue(fine).grey.reshape(n, factor, n, factor, n, factor).mean(axis=(1, 3, 5))
    found = subject.anatomy.tissue(coarse).grey
    assert np.abs(found - averaged).max() < worst
    assert np.sqrt(np.mean((found - averaged) ** 2)) < 0.03
    assert found.mean() == pytest.approx(averaged.mean(), rel=0.005)


def test_a_grid_gets_the_same_tissue_whatever_else_it_holds(subject):
    grid = centred_grid((40, 50, 40), 4.0)
    part = grid.part((7, 20, 11), (20, 12, 18))
    whole, piece = subject.anatomy.tissue(grid), subject.anatomy.tissue(part)
    for name in TISSUES:
        np.testing.assert_allclose(getattr(piece, name), getattr(whole, name)[7:27, 20:32, 11:29], atol=1e-5)


def test_a_grid_outside_the_head_holds_air(subject):
    tissue = subject.anatomy.tissue(centred_grid((4, 4, 4), 2.0, (500.0, 0.0, 0.0)))
    assert all(not getattr(tissue, name).any() for name in TISSUES)


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


def test_the_tiny_anatomy_needs_no_image(monkeypatch):
    from fakeimaging.structure import template

    monkeypatch.setattr(template, "data_folder", None)
    monkeypatch.setattr(template, "read_image", None)
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
    with pytest.raises(ParameterError, match=r"`subject.n_regions`: 19 is not a number from 20 to 300"):
        fi.make_subject("01", seed=1, n_regions=19)
    with pytest.raises(ParameterError, match=r"`subject.n_regions`: 62 is not a number from 2 to 60"):
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
