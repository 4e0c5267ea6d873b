"""Grey matter that is lost: as much as asked, from the side of the fluid, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

import fakeimaging as fi
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.core.spaces import centred_grid
from fakeimaging.dataset.prep import template_grid
from fakeimaging.structure.anatomy import brain_centre
from fakeimaging.structure.atlas import read_atlas
from fakeimaging.structure.atrophy import atrophied, grey_volumes, region_labels, thinned
from fakeimaging.structure.parcellation import Parcellation, Region, template_parcellation
from fakeimaging.structure.template import TissueMaps, template_maps
from fakeimaging.testing.fixtures import tiny_subject
from tests.structure.test_parcellation import pieces

LOST = {"cortex": 0.1, "hippocampus": 0.3, "caudate": 0.25, "putamen": 0.2, "thalamus": 0.1, "ventral striatum": 0.6}
ONE = np.uint8(255)


@pytest.fixture(scope="module")
def template():
    """Maps and parcellation of the template, losses of its regions, and the maps after them."""
    maps, parcellation = template_maps(), template_parcellation()
    losses = np.array([LOST.get(region.kind, 0.0) for region in parcellation.regions])
    return maps, parcellation, losses, atrophied(maps, parcellation, losses)


def phantom(grey, white, kind="cortex"):
    """Return maps and one region from shares of grey and white matter; the rest is fluid."""
    grey, white = (np.rint(255 * np.asarray(share)).astype(np.uint8) for share in (grey, white))
    grid = centred_grid(grey.shape, 1.0)
    none = np.zeros_like(grey)
    maps = TissueMaps("phantom", grid, grey, white, 255 - grey - white, grid, none, none, none)
    region = Region("R_Only_01", "R", "own", kind, (0.0, 0.0, 0.0), float((grey > 63).sum()))
    return maps, Parcellation("phantom", grid, (grey > 63).astype(np.uint16), (region,))


def layers(shares):
    """Return layers along x of the given shares, 12 x 12 voxels wide."""
    return np.broadcast_to(np.asarray(shares, dtype=float)[:, None, None], (len(shares), 12, 12)).copy()


def test_each_region_loses_what_it_should_and_no_other_voxel_changes(template):
    maps, parcellation, losses, after = template
    labels = region_labels(maps, parcellation)
    before, left = grey_volumes(maps, labels), grey_volumes(after, labels)
    np.testing.assert_allclose(1 - left / before, losses, atol=1 / 255 / before.min())
    untouched = np.append(True, losses == 0)[labels]
    for name in ("grey", "white", "csf"):
        np.testing.assert_array_equal(getattr(after, name)[untouched], getattr(maps, name)[untouched])
    assert all(getattr(after, name) is getattr(maps, name) for name in ("bone", "scalp", "fat", "grid"))


def test_shares_of_each_voxel_keep_their_sum(template):
    maps, _, _, after = template
    sums = [one.grey.astype(int) + one.white + one.csf for one in (maps, after)]
    np.testing.assert_array_equal(*sums)
    assert (after.grey <= maps.grey).all()


def test_cortex_turns_to_fluid_and_the_outermost_goes_first(template):
    maps, parcellation, _, after = template
    cortex = np.array([False, *(region.kind == "cortex" for region in parcellation.regions)])[parcellation.labels]
    np.testing.assert_array_equal(after.white[cortex], maps.white[cortex])
    assert (after.csf[cortex] >= maps.csf[cortex]).all()
    depth = ndimage.distance_transform_edt(maps.csf < 25)
    gone = maps.grey.astype(float) - after.grey
    lost, kept = (np.average(depth[cortex], weights=share[cortex]) for share in (gone, after.grey.astype(float)))
    assert lost < 1.5 < kept


@pytest.mark.parametrize(
    ("loss", "left"),
    [(0.25, [0, 1, 1, 1]), (0.375, [0, 0.5, 1, 1]), (0.1, [0.6, 1, 1, 1])],
)
def test_a_sheet_recedes_by_its_share_of_the_thickness(loss, left):
    grey, white = layers([0] * 6 + [1] * 4 + [0] * 8), layers([0] * 10 + [1] * 8)
    maps, parcellation = phantom(grey, white)
    after = atrophied(maps, parcellation, [loss])
    np.testing.assert_allclose(after.grey[6:10].mean(axis=(1, 2)) / 255, left, atol=0.01)
    np.testing.assert_array_equal(after.white, maps.white)


def test_a_voxel_that_holds_fluid_lies_half_outside():
    grey, white = layers([0] * 5 + [0.4] + [1] * 4 + [0] * 8), layers([0] * 10 + [1] * 8)
    after = atrophied(*phantom(grey, white), [0.9 / 4.4])
    np.testing.assert_allclose(after.grey[5:10].mean(axis=(1, 2)) / 255, [0, 0.5, 1, 1, 1], atol=0.01)


def test_a_nucleus_recedes_from_fluid_three_times_faster_than_from_white_matter():
    grey, white = layers([0] * 6 + [1] * 8 + [0] * 8), layers([0] * 14 + [1] * 8)
    after = atrophied(*phantom(grey, white, "caudate"), [0.5])
    np.testing.assert_allclose(after.grey[6:14].mean(axis=(1, 2)) / 255, [0, 0, 0, 1, 1, 1, 1, 0], atol=0.01)
    np.testing.assert_allclose(after.csf[6:9].mean() / 255, 1, atol=0.01)
    np.testing.assert_allclose(after.white[13].mean() / 255, 1, atol=0.01)


def test_a_nucleus_far_from_fluid_gives_way_to_white_matter_on_all_sides():
    radius = np.linalg.norm(np.indices((40, 40, 40)) - 19.5, axis=0)
    grey = np.clip(8.5 - radius, 0, 1)
    white = np.where(radius < 18, 1 - grey, 0.0)
    maps, parcellation = phantom(0.7 * grey, white + 0.3 * grey, "putamen")
    after = atrophied(maps, parcellation, [1 - (6 / 8) ** 3])
    np.testing.assert_allclose(after.csf.astype(int), maps.csf, atol=1)
    left = after.grey / 255 / 0.7
    assert ndimage.center_of_mass(left) == pytest.approx((19.5, 19.5, 19.5), abs=0.05)
    assert left[radius < 5].min() == pytest.approx(1, abs=0.02)
    assert left[radius > 7.5].max() < 0.1 / 0.7  # what is too little to belong to the region


def test_regions_stay_in_one_piece_and_where_they_were(template):
    maps, parcellation, _, after = template
    found = thinned(parcellation, maps, after)
    assert pieces(found.labels) == [1] * len(parcellation.regions)
    assert found.regions == parcellation.regions
    kept = found.labels > 0
    np.testing.assert_array_equal(found.labels[kept], parcellation.labels[kept])
    emptied = (parcellation.labels > 0) & (maps.grey > 0) & (after.grey == 0)
    assert (found.labels[emptied] > 0).mean() < 0.01
    assert (found.labels[(parcellation.labels > 0) & (after.grey > 0)] > 0).all()


def test_a_region_that_would_come_apart_keeps_a_bridge():
    grey = layers([0] * 4 + [1] * 4 + [0] * 4)
    grey[:, :4] = grey[:, 8:] = 0
    grey[6:8, :, :4] = 1
    maps, parcellation = phantom(grey, np.zeros_like(grey))
    apart = replace(maps, grey=np.where(np.indices(grey.shape)[1] == 5, np.uint8(0), maps.grey))
    assert ndimage.label((parcellation.labels > 0) & (apart.grey > 0))[1] == 2
    assert pieces(thinned(parcellation, maps, apart).labels) == [1]


def test_nothing_lost_is_the_same_object_and_the_same_bits():
    plain = fi.make_subject("01", seed=1, anatomy="tiny")
    maps, parcellation = plain.anatomy.maps, plain.parcellation
    assert atrophied(maps, parcellation, np.zeros(10)) is maps
    zero = fi.make_subject("01", seed=1, anatomy="tiny", atrophy={"all": 0.0})
    assert zero.anatomy.maps is maps
    assert zero.parcellation is parcellation
    assert zero.atrophy is None
    assert zero.densities == {}


def test_every_image_shows_it_and_wiring_and_head_stay():
    sick, well = fi.make_subject("01", seed=1, anatomy="tiny", atrophy={"hemisphere:L": 0.3}), tiny_subject()
    grid = centred_grid((80, 96, 80), 2.0)
    labels = [person.labels(grid) for person in (well, sick)]
    volumes = [
        np.bincount(label.ravel(), weights=person.anatomy.tissue(grid).grey.ravel())[1:]
        for label, person in zip(labels, (well, sick), strict=True)
    ]
    left = np.array([region.hemisphere == "L" for region in well.regions])
    np.testing.assert_allclose(volumes[1] / volumes[0], np.where(left, 0.7, 1.0), atol=0.02)
    one, other = (fi.acquire("t1w", person, voxel_size=4.0).clean.to_array() for person in (well, sick))
    assert one.sum() > other.sum()
    np.testing.assert_array_equal(sick.connectome.weights, well.connectome.weights)
    gone = fi.make_subject("01", seed=1, anatomy="tiny", atrophy={"hemisphere:L": 0.9})
    assert brain_centre(gone.anatomy.maps) != brain_centre(well.anatomy.maps)
    np.testing.assert_array_equal(gone.anatomy.to_template, well.anatomy.to_template)
    assert template_grid(gone.anatomy, grid) == template_grid(well.anatomy, grid)


def test_what_is_left_is_told():
    subject = fi.make_subject("01", seed=1, anatomy="tiny", atrophy={"network:NetA": 0.1, "L_NetA_01": 0.25})
    truth = subject.atrophy
    assert truth.losses[:3] == pytest.approx([0.25, 0.1, 0.1])
    assert truth.losses[[region.network == "NetB" for region in subject.regions]].max() == 0
    np.testing.assert_allclose(1 - truth.after / truth.before, truth.losses, atol=1e-5)
    np.testing.assert_array_equal(subject.anatomy.healthy.grey, tiny_subject().anatomy.maps.grey)


def test_an_atlas_on_another_grid_loses_as_much(tmp_path):
    import nibabel as nib

    maps, shell = tiny_subject().anatomy.maps, tiny_subject().parcellation
    fine = np.repeat(np.repeat(np.repeat(shell.labels, 2, 0), 2, 1), 2, 2).astype(np.int16)
    nib.save(nib.Nifti1Image(fine, maps.grid.finer(2).affine), tmp_path / "fine.nii.gz")
    own = read_atlas(tmp_path / "fine.nii.gz", maps)
    after = atrophied(maps, own, np.full(10, 0.2))
    np.testing.assert_array_equal(after.grey, atrophied(maps, shell, np.full(10, 0.2)).grey)
    labels = thinned(own, maps, after).labels
    assert 0 < (labels > 0).sum() < (own.labels > 0).sum()


def test_a_sheet_without_fluid_cannot_recede():
    with pytest.raises(InputError, match="there is no fluid that could widen"):
        atrophied(*phantom(layers([0] * 4 + [1] * 4), layers([1] * 4 + [0] * 4)), [0.1])


@pytest.mark.parametrize("losses", [np.zeros(9), np.full(10, -0.1), np.full(10, 0.95), np.full(10, np.nan)])
def test_losses_that_cannot_be_are_refused(losses):
    with pytest.raises(InputError, match="`losses`"):
        atrophied(tiny_subject().anatomy.maps, tiny_subject().parcellation, losses)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind:cortx": 0.1}, "`subject.atrophy`: .* no such kind as 'cortx'; did you mean 'cortex'"),
        ({"all": 0.95}, r"`subject.atrophy`: 0.95 for 'all' is outside \[0, 0.9\]"),
        ({"all": -0.1}, "-0.1 for 'all' is outside"),
        ({"kind:cortex": 0.1, "network:NetA": 0.2}, "both reach 'L_NetA_01', with different values"),
        ({"all": "much"}, "is not a number"),
    ],
)
def test_words_that_cannot_be_are_refused(given, message):
    with pytest.raises(ParameterError, match=message):
        fi.make_subject("01", seed=1, anatomy="tiny", atrophy=given)
