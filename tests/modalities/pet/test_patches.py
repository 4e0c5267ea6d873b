"""Places of displaced binding: where they lie, what they do, what the truth says of them."""

import numpy as np
import pytest
from scipy.ndimage import label

import fakeimaging as fi
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.pet.imposed import Displaced
from fakeimaging.modalities.pet.patches import places_of
from fakeimaging.structure.growth import grow_place
from fakeimaging.testing.fixtures import tiny_subject
from tests.modalities.pet.test_pet import firing_at, scan, subject_of_kinds

FINE = {"voxel_size": 4.0, "duration": 1800.0}


def near(region):
    """The middle of a region, in the template's space."""
    atlas = tiny_subject().parcellation
    inside = np.argwhere(atlas.labels == region + 1)
    middle = inside[np.abs(inside - inside.mean(axis=0)).sum(axis=1).argmin()]
    return (atlas.grid.affine @ [*middle, 1])[:3].tolist()


def at(region, **words):
    return {"near": near(region), "volume": 4000.0, "reduction": 0.27} | words


def between(one, other):
    """A point where two regions meet."""
    atlas = tiny_subject().parcellation
    here, there = (np.argwhere(atlas.labels == region + 1) for region in (one, other))
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(there).query(here)
    return (atlas.grid.affine @ [*here[distance.argmin()], 1])[:3].tolist()


def test_a_place_has_its_volume_in_one_piece_of_grey_matter():
    person = tiny_subject()
    atlas = person.parcellation
    voxel = np.prod(atlas.grid.voxel_size)
    wanted = [Displaced.parse(at(0)), Displaced.parse(at(0, volume=2000.0)), Displaced.parse(at(5, volume=900.0))]
    places = places_of(person, wanted)
    for k, place in enumerate(wanted):
        inside = places.image == k + 1
        assert inside.sum() * voxel == pytest.approx(place.volume, abs=voxel / 2)
        assert label(inside)[1] == 1
        assert (atlas.labels[inside] > 0).all()
    np.testing.assert_array_equal(np.unique(places.which), [0, 1, 2])
    assert set(places.hosts[places.which == 2]) == set(np.unique(atlas.labels[places.image == 3]) - 1)


def test_a_place_follows_the_folds_it_grows_in():
    # A U of grey matter: the far arm is near as the crow flies, and the last to be reached.
    inside = np.zeros((11, 9, 1), dtype=bool)
    inside[:, :3], inside[:, 6:], inside[8:] = True, True, True
    grown = grow_place(inside, Grid(inside.shape, np.eye(4)), [0, 2, 0], 20)
    assert grown.sum() == 20
    assert not grown[:, 6:].any()
    assert grow_place(inside, Grid(inside.shape, np.eye(4)), [0, 0, 0], 10_000).sum() == inside.sum()


def test_binding_is_lost_in_the_place_and_nowhere_else():
    person = subject_of_kinds()
    run = firing_at(np.full(10, 5.0))
    rest, less = scan("raclopride", person, run, **FINE), scan("raclopride", person, run, displaced=[at(1)], **FINE)
    np.testing.assert_allclose(less.truth["tacs"], rest.truth["tacs"], rtol=1e-12)
    painted, curves = (less.forward.context[name] for name in ("painted", "curves"))
    (column,) = np.flatnonzero(less.forward.context["classes"].hosts == 1)
    assert curves[10 + column, -1] < 0.95 * curves[1, -1]
    # Exact: the place is a region of its own kind with 0.73 of the binding.
    alone = scan("raclopride", person, run, challenges=[{"shape": "step", "occupancy": 0.27}], **FINE)
    np.testing.assert_allclose(curves[10 + column], alone.truth["tacs"][1], rtol=1e-9)
    inside = painted.labels > 10
    before, after = rest.clean.make(rest.clean.n_volumes - 1), less.clean.make(less.clean.n_volumes - 1)
    np.testing.assert_array_equal(before[~inside], after[~inside])
    assert (after[inside & (painted.grey > 0.5)] < before[inside & (painted.grey > 0.5)]).all()


def test_the_truth_has_the_place_its_occupancy_and_its_table():
    made = scan("raclopride", displaced=[at(1), at(2, reduction=0.5, onset=600.0)], **FINE)
    maps, painted = made.forward.maps, made.forward.context["painted"]
    share, number = maps["desc-occupancy_pet"].make(0), maps["desc-place_pet"].make(0)
    mask = number > 0
    np.testing.assert_array_equal(mask, painted.labels > 10)
    np.testing.assert_allclose(
        share[mask & (painted.grey > 0.5)],
        np.array([0.27, 0.5])[number[mask & (painted.grey > 0.5)].astype(int) - 1],
        rtol=1e-6,
    )
    np.testing.assert_allclose(np.unique(share), [0, 0.27, 0.5], rtol=1e-6)
    (table,) = (c for c in made.forward.companions if c.name == "desc-displaced_places")
    assert table.columns == ("place", "region", "volume", "reduction", "onset")
    volume = sum(row[2] for row in table.rows)
    assert volume == pytest.approx(painted.grey[mask].sum(dtype=float) * 64, rel=1e-4)
    # Half of the volume that was asked for, at least: some of its voxels hold other tissue.
    assert 0.5 * 8000 < volume < 1.4 * 8000
    about = {c.name for c in made.forward.companions}
    assert {"desc-occupancy_pet", "desc-place_pet"} < about
    # Before anything competes the place binds as its region does, and after it by its share less.
    known, host = made.forward.context["uptake"].known, made.forward.context["classes"].hosts[0]
    assert known["density"][10] == known["density"][host]
    assert known["bpnd"][10] == pytest.approx((1 - known["occupancy"][10]) * known["bpnd"][host])
    assert not {"desc-occupancy_pet", "desc-place_pet"} & set(scan("raclopride").forward.maps)


def test_a_place_can_lose_its_binding_during_the_scan():
    late = scan("raclopride", displaced=[at(1, onset=1200.0)], **FINE)
    rest = scan("raclopride", **FINE).truth["tacs"]
    curves, ends = late.forward.context["curves"], late.clean.clock.ends
    (column,) = np.flatnonzero(late.forward.context["classes"].hosts == 1) + 10
    np.testing.assert_allclose(curves[column, ends <= 1200], rest[1, ends <= 1200], rtol=1e-9)
    assert (np.diff(curves[column, ends > 1200] / rest[1, ends > 1200]) < 0).all()


def test_a_place_on_a_border_is_a_class_of_its_own_in_each_region():
    person = tiny_subject()
    other = next(j for j in range(1, 10) if np.linalg.norm(np.subtract(between(0, j), between(j, 0))) < 12)
    places = places_of(person, [Displaced.parse(at(0, near=between(0, other)))])
    assert {0, other} <= set(places.hosts.tolist())
    assert (np.diff(places.which) >= 0).all()
    made = fi.acquire(
        "pet",
        person,
        firing_at(np.full(10, 5.0)),
        tracer="raclopride",
        displaced=[at(0, near=between(0, other))],
        **FINE,
    )
    painted = made.forward.context["painted"]
    own = person.labels(painted.grid)
    for j, host in enumerate(places.hosts):
        assert (own[painted.labels == 11 + j] == host + 1).all()


def test_a_place_can_be_kept_within_regions_said_in_words():
    person = subject_of_kinds()
    labels = person.parcellation.labels
    other = next(j for j in range(1, 10) if np.linalg.norm(np.subtract(between(0, j), between(j, 0))) < 12)
    middle = between(0, other)
    places = places_of(person, [Displaced.parse(at(0, near=middle, where=person.regions[0].name))])
    assert set(places.hosts.tolist()) == {0}
    assert set(np.unique(labels[places.image > 0])) == {1}
    with pytest.raises(ParameterError, match=r"`pet.displaced\[0\].where`: the subject has no such kind as 'putame'"):
        places_of(person, [Displaced.parse(at(0, where="kind:putame"))])


def test_places_that_cannot_be_are_refused():
    with pytest.raises(
        InputError,
        match=r"`pet.displaced\[0\].near`: there is no grey matter to grow in within 10 mm of \[0.0, 0.0, 500.0\]",
    ):
        scan("raclopride", displaced=[at(1, near=[0.0, 0.0, 500.0])])
    with pytest.raises(InputError, match=r"`pet.displaced\[1\].volume`: 1e\+06 mm3 is more than the grey matter"):
        scan("raclopride", displaced=[at(1), at(2, volume=1e6)])
    with pytest.raises(ParameterError, match=r"displaced\[0\].reduction`: 1.5 .*outside \[0, 1\]"):
        scan("raclopride", displaced=[at(1, reduction=1.5)])
