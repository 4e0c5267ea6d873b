"""Contacts inside the head: the point dipole's potential, its decay and its laws, and the insulating plane above the pia."""

import numpy as np
import pytest

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.electro import medium
from fakeimaging.modalities.electro.medium import half_space_potential, infinite_potential
from fakeimaging.modalities.electro.sphere import Shells, homogeneous_potential
from tests.modalities.electro.test_sphere import directions, generator, turn


def scene(n_contacts=15, n_sources=25):
    rng = generator()
    return rng.uniform(-60, 60, (n_contacts, 3)), rng.uniform(-60, 60, (n_sources, 3)), directions(n_sources, 3)


def test_a_dipole_is_two_currents_side_by_side():
    """The formula is the limit of a source and a sink, each I / (4 pi sigma r)."""
    contacts, points, moments = scene()
    apart = 0.01

    def pole(at):
        return 1e3 / (4 * np.pi * 0.3 * np.linalg.norm(contacts[:, None] - at, axis=2))

    two = (pole(points + apart / 2 * moments) - pole(points - apart / 2 * moments)) / (1e-3 * apart)
    np.testing.assert_allclose(
        infinite_potential(contacts, points, moments), two, rtol=1e-5, atol=1e-8 * np.abs(two).max()
    )


def test_it_falls_with_the_square_of_the_distance_and_with_the_conductivity():
    _, points, moments = scene()
    sides = directions(10, 8)
    sizes = [
        np.linalg.norm(infinite_potential(points[:1] + far * sides, points[:1], moments[:1])) for far in (20, 200, 2e4)
    ]
    np.testing.assert_allclose(np.array(sizes) / sizes[0], [1, 1e-2, 1e-6], rtol=1e-9)
    contacts = scene()[0]
    usual, better = (infinite_potential(contacts, points, conductivity=sigma) for sigma in (0.3, 1.2))
    np.testing.assert_allclose(better, usual / 4, rtol=1e-12)


def test_a_patch_seen_from_afar_is_one_dipole():
    """1 / r^2 holds for the sum of many dipoles too, once the distance is much more than their spread."""
    _, points, _ = scene()
    together = 0.1 * points
    sides = directions(10, 8)
    ratios = []
    for far in (1e4, 1e5):
        many = infinite_potential(far * sides, together, np.tile([0, 0, 1.0], (25, 1))).sum(axis=1)
        one = 25 * infinite_potential(far * sides, [[0, 0, 0]], [[0, 0, 1.0]])[:, 0]
        ratios.append(np.abs(many - one).max() / np.abs(one).max())
    assert ratios[0] < 2e-3
    assert ratios[1] == pytest.approx(ratios[0] / 10, rel=0.05)


def test_near_the_source_the_distance_is_held_and_the_potential_goes_to_zero():
    along = np.array([0.0, 0.25, 0.5, 1.0, 1.5, 2.0])
    found = infinite_potential(along[:, None] * [0, 0, 1.0], [[0, 0, 0]], [[0, 0, 1.0]])[:, 0]
    at_one = 1e6 / (4 * np.pi * 0.3)
    np.testing.assert_allclose(found / at_one, [0, 0.25, 0.5, 1, 1 / 2.25, 0.25], rtol=1e-12)
    wider = infinite_potential([[0, 0, 1.0]], [[0, 0, 0]], [[0, 0, 1.0]], nearest=2.0)[0, 0]
    assert wider == pytest.approx(at_one / 8)


def test_current_arises_only_at_the_source():
    contacts, points, moments = scene()
    contacts = contacts + 150
    h = 0.5
    about = sum(infinite_potential(contacts + h * side, points, moments) for side in (*np.eye(3), *-np.eye(3)))
    here = infinite_potential(contacts, points, moments)
    along_x = (
        sum(infinite_potential(contacts + h * sign * np.eye(3)[0], points, moments) for sign in (1, -1)) - 2 * here
    )
    assert np.abs(about - 6 * here).max() < 1e-3 * np.abs(along_x).max()


def test_two_dipoles_feel_each_other_alike():
    _, points, moments = scene()
    step = 1e-2

    def along(i, j):
        ends = points[j] + step * np.array([moments[j], -moments[j]])
        return -np.diff(infinite_potential(ends, points[i : i + 1], moments[i : i + 1])[:, 0])[0]

    for i, j in ((0, 1), (2, 3), (4, 9)):
        assert along(i, j) == pytest.approx(along(j, i), rel=1e-5)


@pytest.mark.parametrize("depth", [None, 0.0, 1.3])
def test_a_scene_that_is_turned_or_moved_has_the_same_potential(depth):
    contacts, points, moments = scene()
    normals = directions(len(contacts), 9)
    matrix, shift = turn(), np.array([120.0, -80.0, 33.0])

    def read(contacts, normals, points, moments):
        if depth is None:
            return infinite_potential(contacts, points, moments)
        return half_space_potential(contacts, normals, points, moments, depth=depth)

    here = read(contacts, normals, points, moments)
    there = read(contacts @ matrix.T + shift, normals @ matrix.T, points @ matrix.T + shift, moments @ matrix.T)
    np.testing.assert_allclose(there, here, atol=1e-11 * np.abs(here).max())


def test_three_columns_are_the_potential_of_any_direction_and_blocks_do_not_show(monkeypatch):
    contacts, points, moments = scene()
    normals = directions(len(contacts), 9)
    for read in (
        lambda q: infinite_potential(contacts, points, q),
        lambda q: half_space_potential(contacts, normals, points, q),
    ):
        free, fixed = read(None), read(moments)
        assert (free.shape, fixed.shape) == ((15, 25, 3), (15, 25))
        np.testing.assert_allclose((free * moments).sum(axis=2), fixed, atol=1e-12 * np.abs(fixed).max())
        with monkeypatch.context() as patched:
            patched.setattr(medium.blocks, "__defaults__", (15 * 4,))
            np.testing.assert_array_equal(read(moments), fixed)


def test_a_contact_on_the_plane_reads_twice_as_much():
    contacts, points, moments = scene()
    alone = infinite_potential(contacts, points, moments)
    np.testing.assert_array_equal(half_space_potential(contacts, directions(15, 9), points, moments), 2 * alone)


def test_the_image_has_the_conductivity_and_the_distance_of_the_source():
    contacts, points, moments = scene()
    normals = directions(15, 9)
    usual, other = (
        half_space_potential(contacts, normals, points, moments, depth=2.0, conductivity=s) for s in (0.3, 0.9)
    )
    np.testing.assert_allclose(other, usual / 3, rtol=1e-9, atol=1e-12 * np.abs(usual).max())
    near = [[0, 0, 3.0]], [[0, 0, 1.0]], [[0, 0, 0.0]], [[0, 0, 1.0]]
    held = half_space_potential(*near, depth=0.5, nearest=10.0)[0, 0]
    assert held == pytest.approx(1e6 * (3.0 + 4.0) / 1e3 / (4 * np.pi * 0.3))


def test_no_current_crosses_the_plane():
    """At the plane the slope along its normal vanishes, as the depth below it does, while in the endless medium it stays."""
    contacts, points, moments = scene()
    contacts[:, 2], points[:, 2] = 0.0, -20 - np.abs(points[:, 2])
    up = np.array([0, 0, 1.0])

    def bounded(depth):
        return half_space_potential(contacts - depth * up, np.tile(up, (15, 1)), points, moments, depth=depth)

    endless = infinite_potential(contacts, points, moments) - infinite_potential(contacts - 1e-2 * up, points, moments)
    slopes = [np.abs(bounded(0.0) - bounded(depth)).max() / depth for depth in (1e-2, 1e-1)]
    assert slopes[0] < 1e-3 * np.abs(endless).max() / 1e-2
    assert slopes[1] == pytest.approx(10 * slopes[0], rel=0.05)


def test_far_below_the_plane_there_is_hardly_an_image():
    contacts, points, moments = scene()
    deep = half_space_potential(contacts, directions(15, 9), points, moments, depth=1e5)
    alone = infinite_potential(contacts, points, moments)
    assert np.abs(deep - alone).max() < 1e-6 * np.abs(alone).max()


def test_a_large_insulated_ball_is_a_half_space():
    """Closed form of another kind, in a ball of 1 km: contacts at and below its surface, sources below them."""
    radius = 1e6
    ball = Shells((radius,), (0.3,), (0.0, 0.0, -radius))
    _, points, moments = scene()
    points[:, 2] = -10 - np.abs(points[:, 2])
    depth = np.array([0.0, 0.0, 2.0, 5.0])
    contacts = np.c_[generator(6).uniform(-30, 30, (4, 2)), -depth]
    contacts[:2, 2] -= (contacts[:2, :2] ** 2).sum(axis=1) / (2 * radius) + 1e-6
    expected = homogeneous_potential(ball, contacts, points, moments)
    found = half_space_potential(contacts, [[0, 0, 2.0]] * 4, points, moments, depth=depth)
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


def test_what_cannot_be_is_refused():
    contacts, points, moments = scene()
    normals = directions(15, 9)
    with pytest.raises(InputError, match="contacts have the shape"):
        infinite_potential(contacts[:, :2], points)
    with pytest.raises(InputError, match="points have the shape .n, 3. and are finite"):
        infinite_potential(contacts, points * np.inf)
    with pytest.raises(InputError, match="25 sources but 24 moments"):
        infinite_potential(contacts, points, moments[1:])
    with pytest.raises(InputError, match="conductivity is a positive number of S/m, not 0"):
        infinite_potential(contacts, points, conductivity=0)
    with pytest.raises(InputError, match="nearest is a positive number of mm"):
        infinite_potential(contacts, points, nearest=-1.0)
    with pytest.raises(InputError, match="15 contacts but 14 normals"):
        half_space_potential(contacts, normals[1:], points)
    with pytest.raises(InputError, match="normals: row 3 has no direction"):
        half_space_potential(contacts, normals * (np.arange(15) != 3)[:, None], points)
    for depth in (-1.0, np.zeros(14), np.nan):
        with pytest.raises(InputError, match="the depth of a contact"):
            half_space_potential(contacts, normals, points, depth=depth)
