"""The magnetic field of a spherical head: mne's sphere on a helmet, and the laws of a field without sources."""

import numpy as np
import pytest

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.electro import sarvas
from fakeimaging.modalities.electro.sarvas import coil_field, magnetic_field
from tests.modalities.electro.test_sphere import CENTRE, RADIUS, dipoles, directions, error, turn


def sensors(n=30, *, farthest=140.0, centre=CENTRE):
    distance = np.linspace(100, farthest, n)[:, None]
    return centre + distance * directions(n, 11)


def cartesian(points):
    """Three columns of a field, shape (3 n_sensors, n_sources), for comparison source by source."""
    return points.reshape(-1, points.shape[-1])


def helmet(mne):
    """Integration points of mne's 306 channels in head coordinates: points and weighted directions in mm, owner, info."""
    from mne.forward._make_forward import _create_meg_coils

    info = mne.channels.read_meg_canonical_info("neuromag")
    with info._unlock():
        info["dev_head_t"] = mne.Transform("meg", "head", mne.transforms.translation(z=0.04))
    chs = [info["chs"][i] for i in mne.pick_types(info, meg=True)]
    coils = _create_meg_coils(chs, "accurate", info["dev_head_t"])
    owner = np.repeat(np.arange(len(coils)), [len(coil["w"]) for coil in coils])
    points = 1e3 * np.concatenate([coil["rmag"] for coil in coils])
    weighted = np.concatenate([coil["cosmag"] * coil["w"][:, None] for coil in coils])
    return points, weighted, owner, info


def test_it_is_the_field_of_mne_in_306_channels():
    mne = pytest.importorskip("mne")
    points, weighted, owner, info = helmet(mne)
    centre = np.array([2.0, -4.0, 45.0])
    places = centre + 75 * np.linspace(0.1, 1, 30)[:, None] * directions(30, 12)
    upwards = np.tile([0.0, 0.0, 1.0], (30, 1))
    ball = mne.make_sphere_model(1e-3 * centre, 0.09, verbose="error")
    space = mne.setup_volume_source_space(pos={"rr": 1e-3 * places, "nn": upwards}, sphere=ball, verbose="error")
    forward = mne.make_forward_solution(info, None, space, ball, eeg=False, mindist=0.0, verbose="error")
    theirs = forward["sol"]["data"].reshape(306, -1)
    ours = coil_field(centre, points, weighted, owner, places).reshape(306, -1)
    for kind in ("mag", "grad"):
        rows = mne.pick_types(forward["info"], meg=kind)
        assert error(ours[rows], theirs[rows]) <= 1e-10
    assert len(owner) > 4 * 306


def test_a_radial_dipole_makes_no_field():
    places, _ = dipoles()
    outward = (places - CENTRE) / np.linalg.norm(places - CENTRE, axis=1, keepdims=True)
    across = np.cross(outward, directions(len(places), 13))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    radial, tangential = (magnetic_field(CENTRE, sensors(), places, q) for q in (outward, across))
    assert (np.abs(radial).max(axis=(0, 1)) <= 1e-12 * np.abs(tangential).max(axis=(0, 1))).all()
    free = magnetic_field(CENTRE, sensors(), places)
    left = np.abs((free * outward).sum(axis=3)).max(axis=(0, 1))
    assert (left <= 1e-12 * np.abs(tangential).max(axis=(0, 1))).all()


def test_a_dipole_at_the_centre_makes_no_field():
    assert (magnetic_field(CENTRE, sensors(), [CENTRE], [[0, 0, 1]]) == 0).all()


def test_the_radial_part_is_that_of_the_dipole_alone():
    """Currents in the sphere make no radial field outside it: what is left is mu0 / 4 pi q x (r - r0) / |r - r0|^3."""
    places, moments = dipoles()
    field = magnetic_field(CENTRE, sensors(), places, moments)
    outward = (sensors() - CENTRE) / np.linalg.norm(sensors() - CENTRE, axis=1, keepdims=True)
    away = 1e-3 * (sensors()[:, None] - places)
    alone = 1e-7 * np.cross(moments, away) / np.linalg.norm(away, axis=2, keepdims=True) ** 3
    expected = np.einsum("rsk,rk->rs", alone, outward)
    assert error(np.einsum("rks,rk->rs", field, outward), expected) <= 1e-12
    assert error(cartesian(field), alone.transpose(0, 2, 1).reshape(-1, len(places))) > 0.1


def test_the_field_outside_has_neither_sources_nor_currents():
    places, moments = dipoles()
    step = 0.05
    ends = [sensors() + sign * step * axis for axis in np.eye(3) for sign in (1, -1)]
    found = [magnetic_field(CENTRE, at, places, moments) for at in ends]
    slope = np.stack([(found[2 * k] - found[2 * k + 1]) / (2 * step) for k in range(3)])
    scale = np.abs(slope).max(axis=(0, 2))
    assert (np.abs(sum(slope[k][:, k] for k in range(3))) < 1e-5 * scale).all()
    for i, j in ((0, 1), (1, 2), (2, 0)):
        assert (np.abs(slope[i][:, j] - slope[j][:, i]) < 1e-5 * scale).all()


def test_far_away_it_is_a_magnetic_dipole():
    places, moments = dipoles()
    far = CENTRE + 1e5 * directions(20, 14)
    m = 0.5 * np.cross(1e-3 * (places - CENTRE), moments)
    outward = directions(20, 14)
    expected = 1e-7 * (3 * (outward @ m.T)[:, None] * outward[:, :, None] - m.T) / 100.0**3
    assert error(cartesian(magnetic_field(CENTRE, far, places, moments)), cartesian(expected)) < 5e-3


def test_a_head_that_is_turned_or_moved_takes_its_field_with_it():
    matrix, shift = turn(), np.array([120.0, -80.0, 33.0])
    places, moments = dipoles()
    here = magnetic_field(CENTRE, sensors(), places, moments)
    there = magnetic_field(
        matrix @ CENTRE + shift, sensors() @ matrix.T + shift, places @ matrix.T + shift, moments @ matrix.T
    )
    assert error(cartesian(there), cartesian(np.einsum("kl,rls->rks", matrix, here))) <= 1e-11


def test_twice_the_lengths_have_a_quarter_of_the_field():
    places, moments = dipoles(centre=(0, 0, 0))
    here = magnetic_field((0, 0, 0), sensors(centre=(0, 0, 0)), places, moments)
    twice = magnetic_field((0, 0, 0), 2 * sensors(centre=(0, 0, 0)), 2 * places, moments)
    assert error(cartesian(twice), cartesian(here) / 4) <= 1e-12


def test_three_columns_are_the_field_of_any_direction_and_blocks_do_not_show(monkeypatch):
    places, moments = dipoles()
    fixed, free = (magnetic_field(CENTRE, sensors(), places, q) for q in (moments, None))
    assert (fixed.shape, free.shape) == ((30, 3, 40), (30, 3, 40, 3))
    assert error(cartesian((free * moments).sum(axis=3)), cartesian(fixed)) <= 1e-12
    monkeypatch.setattr(sarvas, "BLOCK", 90 * 7)
    assert error(cartesian(magnetic_field(CENTRE, sensors(), places, moments)), cartesian(fixed)) <= 1e-13


def test_a_coil_sums_its_own_points_in_whatever_order_they_come():
    """A gradiometer of two points 17 mm apart reads the difference of the fields there over that distance."""
    places, moments = dipoles()
    left, right = sensors(), sensors() + (17.0, 0, 0)
    z = np.array([0, 0, 1.0])
    points, weights = np.concatenate([left, right]), np.repeat([-1 / 0.017, 1 / 0.017], 30)[:, None]
    owner, order = np.tile(np.arange(30), 2), np.random.Generator(np.random.SFC64(1)).permutation(60)
    read = coil_field(CENTRE, points[order], (weights * z)[order], owner[order], places, moments)
    fields = [magnetic_field(CENTRE, at, places, moments)[:, 2] for at in (left, right)]
    assert error(read, (fields[1] - fields[0]) / 0.017) <= 1e-11
    more = coil_field(CENTRE, points, weights * z, owner + 2, places, moments, n_coils=40)
    np.testing.assert_allclose(more[2:32], read, atol=1e-12 * np.abs(read).max())
    assert (more[[0, 1, *range(32, 40)]] == 0).all()


def test_the_size_of_the_field_is_that_of_real_ones():
    """10 nAm, 15 mm below the brain's surface, tangential: 100 to 1000 fT 30 mm outside it."""
    grid = CENTRE + 115 * directions(2000, 15)
    field = magnetic_field(CENTRE, grid, [[CENTRE[0], CENTRE[1], CENTRE[2] + RADIUS - 25]], [[1e-8, 0, 0]])
    assert 1e-13 < np.abs(field).max() < 1e-12


def test_coils_that_cannot_be_are_refused():
    place, z = [[0, 0, 70.0]], np.array([[0, 0, 1.0]])
    with pytest.raises(InputError, match="a source 70 mm from the centre, a coil 60 mm: no sphere between them"):
        magnetic_field((0, 0, 0), [[0, 0, 100], [60, 0, 0]], place)
    for owner in ([0.0], [-1], [0, 1]):
        with pytest.raises(InputError, match="an integer from 0"):
            coil_field((0, 0, 0), 100 * z, z, owner, place)
    with pytest.raises(InputError, match="each of 1 coil points"):
        coil_field((0, 0, 0), 100 * z, np.concatenate([z, z]), [0], place)
    with pytest.raises(InputError, match="2 coils, but points of 4"):
        coil_field((0, 0, 0), 100 * z, z, [3], place, n_coils=2)
    with pytest.raises(InputError, match="coil points have the shape"):
        coil_field((0, 0, 0), [[np.nan, 0, 1]], z, [0], place)
