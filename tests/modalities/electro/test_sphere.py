"""Spherical heads: the series against closed form, textbook and mne; laws of potentials; the sphere that fits a head."""

import inspect
from dataclasses import replace

import numpy as np
import pytest

from fakeimaging.core.errors import InputError, UnknownNameError
from fakeimaging.modalities.electro import medium, sphere
from fakeimaging.modalities.electro.sphere import Shells, homogeneous_potential, potential, preset_shells
from tests.reference.spheres import shells as textbook

CENTRE = (3.0, -12.0, 41.0)
RADIUS = 92.0


def generator(seed=1):
    return np.random.Generator(np.random.SFC64(seed))


def directions(n, seed=1):
    found = generator(seed).standard_normal((n, 3))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def scalp(n=60, *, radius=RADIUS, centre=CENTRE):
    return radius * directions(n, 2) + centre


def dipoles(n=40, *, farthest=0.85, radius=RADIUS, centre=CENTRE):
    """Points at eccentricities up to ``farthest`` of the head, and moments of unit length."""
    depth = np.linspace(0.02, farthest, n)[:, None]
    return radius * depth * directions(n, 3) + centre, directions(n, 4)


def turn(seed=5):
    q, r = np.linalg.qr(generator(seed).standard_normal((3, 3)))
    return q * np.sign(np.diag(r)) * np.sign(np.linalg.det(q * np.sign(np.diag(r))))


def error(found, expected):
    """Largest error relative to the largest value of the same source."""
    return (np.abs(found - expected).max(axis=0) / np.abs(expected).max(axis=0)).max()


def referenced(potentials):
    return potentials - potentials.mean(axis=0)


def rdm(found, expected):
    a, b = referenced(found), referenced(expected)
    return np.linalg.norm(a / np.linalg.norm(a, axis=0) - b / np.linalg.norm(b, axis=0), axis=0)


@pytest.mark.parametrize("parts", [(1.0,), (0.9, 1.0), (0.87, 0.92, 1.0), (0.86, 0.9, 0.92, 0.97, 1.0)])
def test_the_series_is_the_closed_form_where_conductivities_are_equal(parts):
    points, moments = dipoles()
    shells = Shells(tuple(RADIUS * part for part in parts), (0.3,) * len(parts), CENTRE)
    closed = homogeneous_potential(Shells((RADIUS,), (0.3,), CENTRE), scalp(), points, moments)
    assert error(potential(shells, scalp(), points, moments), closed) <= 1e-12


@pytest.mark.parametrize("preset", sphere.PRESETS)
def test_the_series_is_that_of_the_textbook(preset):
    shells = preset_shells(preset, radius=RADIUS, centre=CENTRE)
    points, moments = dipoles(12, farthest=0.8)
    relative = np.array(shells.radii) / RADIUS
    places, outward = (points - CENTRE) / RADIUS, (scalp() - CENTRE) / RADIUS
    one_by_one = [
        textbook(outward, p, q, relative, shells.conductivities, 160) for p, q in zip(places, moments, strict=True)
    ]
    expected = np.stack(one_by_one, axis=1) / (1e-3 * RADIUS) ** 2
    assert error(potential(shells, scalp(), points, moments), expected) <= 1e-10


def test_no_more_terms_are_needed(monkeypatch):
    """Also at an electrode right above a source at 0.98 of the brain's radius, where the series converges slowest."""
    shells = preset_shells("mne", radius=RADIUS, centre=CENTRE)
    points, moments = dipoles(farthest=0.98 * 0.9)
    electrodes = np.concatenate([scalp(), points[-5:]])
    found = potential(shells, electrodes, points, moments)
    n = sphere._n_terms(0.98 * 0.9)
    monkeypatch.setattr(sphere, "TOLERANCE", 1e-40)
    assert sphere._n_terms(0.98 * 0.9) > 1.8 * n
    assert error(potential(shells, electrodes, points, moments), found) <= 1e-14
    monkeypatch.setattr(sphere, "TOLERANCE", 1e-6)
    assert error(potential(shells, electrodes, points, moments), found) > 1e-10


def test_a_source_does_not_depend_on_the_others_nor_on_how_they_are_blocked(monkeypatch):
    shells = preset_shells(radius=RADIUS, centre=CENTRE)
    points, moments = dipoles()
    points, moments = points[::-1], moments[::-1]
    together = potential(shells, scalp(), points, moments)
    monkeypatch.setattr(sphere, "BLOCK", 60 * 7)
    np.testing.assert_allclose(potential(shells, scalp(), points, moments), together, rtol=1e-10)
    alone = [potential(shells, scalp(), p[None], q[None])[:, 0] for p, q in zip(points, moments, strict=True)]
    assert error(np.stack(alone, axis=1), together) <= 1e-13


def test_a_dipole_at_the_centre_is_a_cosine():
    shells = Shells((RADIUS,), (0.3,))
    found = potential(shells, scalp(centre=(0, 0, 0)), [[0, 0, 0]], [[0, 0, 1]])[:, 0]
    expected = 3 * directions(60, 2)[:, 2] / (4 * np.pi * 0.3 * (1e-3 * RADIUS) ** 2)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_three_columns_are_the_field_of_any_direction():
    shells = preset_shells(radius=RADIUS, centre=CENTRE)
    points, moments = dipoles()
    free = potential(shells, scalp(), points)
    assert free.shape == (60, 40, 3)
    assert error((free * moments).sum(axis=2), potential(shells, scalp(), points, moments)) <= 1e-12


def test_a_head_that_is_turned_or_moved_takes_its_potential_with_it():
    shells, matrix, shift = preset_shells(radius=RADIUS, centre=CENTRE), turn(), np.array([120.0, -80.0, 33.0])
    points, moments = dipoles()
    moved = replace(shells, centre=tuple(matrix @ CENTRE + shift))
    found = potential(moved, scalp() @ matrix.T + shift, points @ matrix.T + shift, moments @ matrix.T)
    assert error(found, potential(shells, scalp(), points, moments)) <= 1e-12


def test_a_larger_head_and_better_conductors_have_smaller_potentials():
    points, moments = dipoles(centre=(0, 0, 0))
    shells = preset_shells(radius=RADIUS)
    small = potential(shells, scalp(centre=(0, 0, 0)), points, moments)
    large = potential(preset_shells(radius=2 * RADIUS), scalp(centre=(0, 0, 0)), 2 * points, moments)
    assert error(large, small / 4) <= 1e-12
    better = replace(shells, conductivities=tuple(3 * each for each in shells.conductivities))
    assert error(potential(better, scalp(centre=(0, 0, 0)), points, moments), small / 3) <= 1e-12


def test_electrodes_are_taken_to_the_scalp():
    shells = preset_shells(radius=RADIUS, centre=CENTRE)
    points, moments = dipoles()
    off = CENTRE + (scalp() - CENTRE) * generator().uniform(0.8, 1.2, (60, 1))
    assert error(potential(shells, off, points, moments), potential(shells, scalp(), points, moments)) <= 1e-12


def test_the_mean_over_the_scalp_is_zero():
    """Gauss points along z and equal steps around it integrate every order up to 160 exactly."""
    z, weights = np.polynomial.legendre.leggauss(81)
    around = 2 * np.pi * np.arange(162) / 162
    flat = np.sqrt(1 - z**2)[:, None]
    grid = np.stack(np.broadcast_arrays(flat * np.cos(around), flat * np.sin(around), z[:, None]), axis=-1)
    points, moments = dipoles(10, farthest=0.7, centre=(0, 0, 0))
    found = potential(preset_shells(radius=RADIUS), grid.reshape(-1, 3), points, moments)
    mean = np.repeat(weights / 2 / 162, 162) @ found
    assert (np.abs(mean) < 1e-12 * np.abs(found).max(axis=0)).all()


def test_a_shell_cut_in_two_changes_nothing_and_neither_does_fluid_that_is_brain():
    points, moments = dipoles(farthest=0.8)
    whole = potential(preset_shells("mne", radius=RADIUS, centre=CENTRE), scalp(), points, moments)
    cut = Shells(
        tuple(RADIUS * part for part in (0.85, 0.9, 0.92, 0.95, 0.97, 1)), (0.33, 0.33, 1, 0.004, 0.004, 0.33), CENTRE
    )
    assert error(potential(cut, scalp(), points, moments), whole) <= 1e-12
    brain = Shells(tuple(RADIUS * part for part in (0.9, 0.92, 0.97, 1)), (0.33, 0.33, 0.004, 0.33), CENTRE)
    three = Shells(tuple(RADIUS * part for part in (0.92, 0.97, 1)), (0.33, 0.004, 0.33), CENTRE)
    assert error(potential(brain, scalp(), points, moments), potential(three, scalp(), points, moments)) <= 1e-12
    assert error(potential(brain, scalp(), points, moments), whole) > 0.1


def test_a_skull_weakens_and_blurs_and_so_does_fluid():
    """A radial dipole 20 mm below the scalp: the angle at which the potential is half of its peak, and the peak."""
    angle = np.linspace(0, np.pi / 2, 200)
    electrodes = 90 * np.stack([np.sin(angle), 0 * angle, np.cos(angle)], axis=1)
    found = {}
    for name, skull, fluid in (("none", 0.3, 0.3), ("skull", 0.006, 0.3), ("poor", 0.003, 0.3), ("fluid", 0.006, 1.5)):
        shells = Shells((79, 80, 85, 90), (0.3, fluid, skull, 0.3))
        v = potential(shells, electrodes, [[0, 0, 70]], [[0, 0, 1e-8]])[:, 0]
        found[name] = v[0], angle[(v > v[0] / 2).argmin()]
    for less, more in (("none", "skull"), ("skull", "poor"), ("skull", "fluid")):
        assert found[more][0] < 0.9 * found[less][0]
        assert found[more][1] > 1.02 * found[less][1]
    assert 1e-6 < found["skull"][0] < 6e-6


def test_the_closed_form_lets_no_current_through_the_surface_and_makes_none_elsewhere():
    ball = Shells((RADIUS,), (0.3,), CENTRE)
    points, moments = dipoles(8, farthest=0.6)
    at, step = scalp(20), 1e-3
    inwards = (CENTRE - at) / RADIUS

    def below(steps):
        return homogeneous_potential(ball, at + steps * step * inwards, points, moments)

    slope = (3 * below(0) - 4 * below(1) + below(2)) / (2 * step)
    middle = homogeneous_potential(ball, at + 5 * inwards, points, moments) - below(0)
    assert np.abs(slope).max() < 1e-6 * np.abs(middle / 5).max()
    inside, h = CENTRE + 0.75 * (at - CENTRE), 0.3
    about = [homogeneous_potential(ball, inside + h * side, points, moments) for side in (*np.eye(3), *-np.eye(3))]
    curved = np.abs(
        [about[k] + about[k + 3] - 2 * homogeneous_potential(ball, inside, points, moments) for k in range(3)]
    )
    assert (
        np.abs(sum(about) - 6 * homogeneous_potential(ball, inside, points, moments)) < 0.01 * curved.max(axis=0)
    ).all()


def test_near_the_source_one_sphere_is_an_endless_medium():
    ball = Shells((RADIUS,), (0.3,), CENTRE)
    points, moments = dipoles(10, farthest=0.5)
    for point, moment, side in zip(points, moments, directions(10, 6), strict=True):
        contact = [point + 2 * side]
        near = homogeneous_potential(ball, contact, [point], [moment])
        free = medium.infinite_potential(contact, [point], [moment])
        assert abs(near - free)[0, 0] < 1e-3 * np.linalg.norm(medium.infinite_potential(contact, [point]))


def test_two_dipoles_feel_each_other_alike():
    """Reciprocity: the potential of the first along the second is that of the second along the first."""
    ball, step = Shells((RADIUS,), (0.3,), CENTRE), 1e-2
    points, moments = dipoles(6, farthest=0.7)

    def along(i, j):
        ends = points[j] + step * np.array([moments[j], -moments[j]])
        v = homogeneous_potential(ball, ends, points[i : i + 1], moments[i : i + 1])
        return v[0, 0] - v[1, 0]

    for i, j in ((0, 1), (2, 5), (3, 4)):
        assert along(i, j) == pytest.approx(along(j, i), rel=1e-5)


def mne_potential(shells, electrodes, points):
    """Free-orientation potentials by mne's spherical model (three dipoles fitted to the series: Berg and Scherg 1994)."""
    mne = pytest.importorskip("mne")
    names = [f"E{i}" for i in range(len(electrodes))]
    info = mne.create_info(names, 1000.0, "eeg")
    places = dict(zip(names, 1e-3 * electrodes, strict=True))
    info.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"))
    ball = mne.make_sphere_model(
        1e-3 * np.array(shells.centre),
        1e-3 * shells.radius,
        relative_radii=np.array(shells.radii) / shells.radius,
        sigmas=shells.conductivities,
        verbose="error",
    )
    upwards = np.tile([0.0, 0.0, 1.0], (len(points), 1))
    space = mne.setup_volume_source_space(pos={"rr": 1e-3 * points, "nn": upwards}, sphere=ball, verbose="error")
    forward = mne.make_forward_solution(info, None, space, ball, meg=False, mindist=0.0, verbose="error")
    assert forward["nsource"] == len(points)
    return forward["sol"]["data"].reshape(len(electrodes), len(points), 3)


@pytest.mark.parametrize(
    ("preset", "most"), [("rush_driscoll", (0.001, 0.006, 0.011)), ("mne", (0.0005, 0.0025, 0.006))]
)
def test_mne_fits_the_same_potential(preset, most):
    """Three dipoles stand for the shells there; how well they do was measured at eccentricities .2, .8 and .98 of the brain."""
    shells = preset_shells(preset, radius=90.0, centre=(0.0, 0.0, 40.0))
    electrodes = scalp(64, radius=90.0, centre=shells.centre)
    for part, bound in zip((0.2, 0.8, 0.98), most, strict=True):
        points = shells.centre + part * shells.radii[0] * directions(20, 7)
        theirs, ours = mne_potential(shells, electrodes, points), potential(shells, electrodes, points)
        theirs, ours = theirs.reshape(64, -1), ours.reshape(64, -1)
        assert rdm(theirs, ours).mean() < bound
        ratio = np.linalg.norm(referenced(theirs), axis=0) / np.linalg.norm(referenced(ours), axis=0)
        np.testing.assert_allclose(np.median(ratio), 1, atol=5e-3)


def test_lfpykit_has_the_same_four_spheres():
    lfpykit = pytest.importorskip("lfpykit.eegmegcalc")
    shells = preset_shells("naess", radius=90.0)
    electrodes = scalp(radius=90.0 * (1 - 1e-9), centre=(0, 0, 0))
    points, _ = dipoles(8, farthest=0.7, radius=90.0, centre=(0, 0, 0))
    head = lfpykit.FourSphereVolumeConductor(
        1e3 * electrodes, [1e3 * each for each in shells.radii], list(shells.conductivities)
    )
    # mV per nA um there, V per A m here.
    theirs = np.stack([head.get_transformation_matrix(1e3 * point) for point in points], axis=1) * 1e12
    assert error(potential(shells, electrodes, points).reshape(60, -1), theirs.reshape(60, -1)) < 1e-5


@pytest.mark.slow
def test_boundary_elements_on_spheres_are_near_the_series(tmp_path):
    """1926 nodes, sources of 8 mm below the skull and deeper: RDM 0.05 in the mean at every depth, 0.9 to 1 in size."""
    mne = pytest.importorskip("mne")
    from mne.surface import _get_ico_surface

    shells, surface = preset_shells("rush_driscoll", radius=90.0), _get_ico_surface(3)
    (tmp_path / "ball" / "bem").mkdir(parents=True)
    for name, radius in zip(("inner_skull", "outer_skull", "outer_skin"), shells.radii, strict=True):
        mne.write_surface(tmp_path / "ball" / "bem" / f"{name}.surf", radius * surface["rr"], surface["tris"])
    model = mne.make_bem_model(
        "ball", ico=None, conductivity=shells.conductivities, subjects_dir=tmp_path, verbose="error"
    )
    solution = mne.make_bem_solution(model, verbose="error")
    names = [f"E{i}" for i in range(64)]
    info = mne.create_info(names, 1000.0, "eeg")
    electrodes = scalp(64, radius=90.0, centre=(0, 0, 0))
    info.set_montage(
        mne.channels.make_dig_montage(dict(zip(names, 1e-3 * electrodes, strict=True)), coord_frame="head")
    )
    depths = (8.0, 16.0, 32.0, 64.0)
    points = np.concatenate([(shells.radii[0] - depth) * directions(40, 8) for depth in depths])
    upwards = np.tile([0.0, 0.0, 1.0], (len(points), 1))
    space = mne.setup_volume_source_space(pos={"rr": 1e-3 * points, "nn": upwards}, bem=solution, verbose="error")
    forward = mne.make_forward_solution(info, None, space, solution, meg=False, mindist=0.0, verbose="error")
    theirs, ours = forward["sol"]["data"].reshape(64, 4, 120), potential(shells, electrodes, points).reshape(64, 4, 120)
    for k in range(4):
        assert rdm(theirs[:, k], ours[:, k]).mean() <= 0.05
        ratio = np.linalg.norm(referenced(theirs[:, k]), axis=0) / np.linalg.norm(referenced(ours[:, k]), axis=0)
        assert 0.88 < np.median(ratio) < 1.02


def test_a_sphere_is_found_from_its_points_and_from_a_cap_of_them():
    for points in (scalp(), scalp()[scalp()[:, 2] > 60]):
        centre, radius = sphere.fit_sphere(points)
        np.testing.assert_allclose(centre, CENTRE, atol=1e-6)
        assert radius == pytest.approx(RADIUS, rel=1e-8)


def test_no_other_sphere_is_nearer_to_points_that_are_on_none():
    points = scalp(200) * (1.0, 1.2, 0.9) + generator().normal(0, 3, (200, 3))

    def misfit(centre, radius):
        return ((np.linalg.norm(points - centre, axis=1) - radius) ** 2).sum()

    centre, radius = sphere.fit_sphere(points)
    best = misfit(centre, radius)
    for step in 0.05 * np.concatenate([np.eye(3), -np.eye(3)]):
        assert misfit(centre + step, radius) > best
    assert misfit(centre, radius + 0.02) > best < misfit(centre, radius - 0.02)


@pytest.mark.parametrize(
    "points", [np.zeros((0, 3)), np.eye(3), np.c_[directions(9)[:, :2], np.ones(9)], np.ones((5, 3)), np.ones((5, 2))]
)
def test_a_sphere_needs_four_points_that_are_not_in_a_plane(points):
    with pytest.raises(InputError):
        sphere.fit_sphere(points)


def test_points_outside_are_moved_in_along_their_radius_and_the_others_not_at_all():
    points = np.concatenate([scalp(), dipoles()[0]])
    moved = sphere.within(points, CENTRE, 80.0)
    distance = np.linalg.norm(points - CENTRE, axis=1)
    np.testing.assert_allclose(np.linalg.norm(moved - CENTRE, axis=1), np.minimum(distance, 80.0), rtol=1e-12)
    np.testing.assert_allclose(moved[distance <= 80.0], points[distance <= 80.0], rtol=1e-14)
    assert np.abs(np.cross(moved - CENTRE, points - CENTRE)).max() < 1e-9
    potential(preset_shells(radius=RADIUS, centre=CENTRE), scalp(), moved)


@pytest.mark.parametrize(
    ("radii", "conductivities"),
    [
        ((), ()),
        ((80.0,), (0.3, 0.3)),
        ((80.0, 79.0), (0.3, 0.3)),
        ((0.0, 79.0), (0.3, 0.3)),
        ((80.0,), (0.0,)),
        ((np.inf,), (1,)),
    ],
)
def test_shells_that_cannot_be_are_refused(radii, conductivities):
    with pytest.raises(InputError):
        Shells(radii, conductivities)


def test_presets_are_those_of_their_sources():
    mne = pytest.importorskip("mne")
    defaults = inspect.signature(mne.make_sphere_model).parameters
    assert sphere.PRESETS["mne"] == (defaults["relative_radii"].default, defaults["sigmas"].default)
    conductivities = inspect.signature(mne.make_bem_model).parameters["conductivity"].default
    assert sphere.PRESETS["bem"][1] == conductivities
    naess = preset_shells("naess", radius=90.0)
    np.testing.assert_allclose(naess.radii, (79, 80, 85, 90))
    assert naess.conductivities == (0.3, 1.5, 0.015, 0.3)
    assert sphere.PRESETS["rush_driscoll"] == ((0.87, 0.92, 1.0), (0.33, 0.0042, 0.33))


def test_a_preset_that_is_unknown_is_named_with_the_nearest_one():
    with pytest.raises(UnknownNameError, match="no spherical head 'mnee'; did you mean 'mne'"):
        preset_shells("mnee", radius=90.0)


def test_sources_outside_the_brain_and_other_bad_arrays_are_refused():
    shells = preset_shells(radius=100.0)
    with pytest.raises(
        InputError, match="1 of 2 sources are not inside the innermost shell of 87 mm .the farthest 90 mm"
    ):
        potential(shells, [[0, 0, 100]], [[0, 0, 90], [0, 0, 80]])
    with pytest.raises(InputError, match="row 1 has no direction"):
        potential(shells, [[0, 0, 100], [0, 0, 0]], [[0, 0, 80]])
    with pytest.raises(InputError, match="2 sources but 1 moments"):
        potential(shells, [[0, 0, 100]], [[0, 0, 80], [0, 0, 70]], [[0, 0, 1]])
    with pytest.raises(InputError, match="one shell, not 3"):
        homogeneous_potential(shells, [[0, 0, 100]], [[0, 0, 80]])
    with pytest.raises(InputError, match="outside the sphere"):
        homogeneous_potential(Shells((100,), (0.3,)), [[0, 0, 101]], [[0, 0, 80]])


def test_no_sources_and_no_electrodes_give_empty_fields():
    shells = preset_shells(radius=100.0)
    assert potential(shells, scalp(), np.zeros((0, 3))).shape == (60, 0, 3)
    assert potential(shells, np.zeros((0, 3)), [[0, 0, 80]], [[0, 0, 1]]).shape == (0, 1)
