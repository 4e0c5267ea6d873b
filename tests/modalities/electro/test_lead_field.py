from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, distance_transform_edt

import fakeimaging as fi
from fakeimaging.core.errors import UnknownNameError
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro import lead_field as lf
from fakeimaging.modalities.electro.electrodes import MONTAGES, electrode_names, electrode_tables, native_to_captrak
from fakeimaging.modalities.electro.montages import montage_of
from fakeimaging.modalities.electro.projection import gains_of, region_gain
from fakeimaging.modalities.electro.sources import patch_moments, vertex_labels
from fakeimaging.structure.head import template_head
from fakeimaging.structure.parcellation import Parcellation
from fakeimaging.testing.fixtures import tiny_subject
from tests.reference.spheres import homogeneous, shells

BIOSEMI = MONTAGES["biosemi64"]


class Potentials:
    """The shipped potentials with what their sources are, by short names."""

    def __init__(self):
        self.shipped = lf.electric()
        space = self.shipped.field.space
        self.space, self.points, self.areas, self.cortex = space, space.points, space.areas, space.cortex
        self.normals, self.channels, self.electrodes = space.normals, self.shipped.channels, self.shipped.electrodes
        self.rows = self.shipped.rows

    def of(self, names):
        """Of the vertices."""
        return self.shipped.at(names).columns()[:, : self.space.n_vertices]

    def summed(self, names, weights):
        moments = np.zeros((len(weights), self.space.n_columns))
        moments[:, : self.space.n_vertices] = 1e-9 * self.areas * weights
        return self.shipped.at(names).project(moments)


@pytest.fixture(scope="module")
def field():
    return Potentials()


@pytest.fixture(scope="module")
def subject():
    return fi.make_subject("01", seed=1)


def patch(field, position, radius):
    """Vertices of the same hemisphere around a place, as densities, shape (1, n_vertices)."""
    same = (np.arange(len(field.points)) < lf.N_LEFT) == (position[0] < 0)
    away = np.where(same, np.linalg.norm(field.points - np.array(position), axis=1), np.inf)
    around = np.linalg.norm(field.points - field.points[away.argmin()], axis=1)
    return (same & (around < radius)).astype(float)[None]


def referenced(potentials):
    return potentials - potentials.mean(axis=0)


def difference(a, b):
    """Relative difference measure of columns: 0 the same topography, 2 the opposite one."""
    return np.linalg.norm(a / np.linalg.norm(a, axis=0) - b / np.linalg.norm(b, axis=0), axis=0)


def test_the_shipped_field_has_every_electrode_once_and_is_relative_to_their_mean(field):
    assert len(set(field.channels)) == len(field.channels) == 335
    whole = field.of(field.channels)
    assert whole.shape == (335, 20484)
    assert np.isfinite(whole).all()
    assert np.abs(whole.mean(axis=0)).max() < 1e-3 * np.abs(whole).max()
    np.testing.assert_allclose(np.linalg.norm(field.normals.astype(float), axis=1), 1, atol=2e-3)


def test_montages_are_electrodes_of_the_field(field):
    for names in (MONTAGES["biosemi64"], MONTAGES["standard_1020"], electrode_names("all")):
        assert len(set(names)) == len(names) == len(field.rows(names))


def test_an_unknown_electrode_is_named_with_the_nearest_one(field):
    with pytest.raises(UnknownNameError, match="no electrode 'OZ'; did you mean 'Oz'"):
        field.rows(["Cz", "OZ"])


def test_the_reference_series_of_shells_is_the_closed_form_where_conductivities_are_equal():
    rng = np.random.Generator(np.random.SFC64(1))
    electrodes = rng.standard_normal((20, 3))
    electrodes /= np.linalg.norm(electrodes, axis=1, keepdims=True)
    position, moment = np.array([0.2, -0.3, 0.4]), np.array([0.5, 0.1, -0.7])
    series = shells(electrodes, position, moment, [0.87, 0.92, 1.0], [0.3, 0.3, 0.3])
    np.testing.assert_allclose(series, homogeneous(electrodes, position, moment, 0.3), rtol=1e-9)


def test_the_boundary_element_field_is_near_that_of_spherical_shells(field):
    """Measured on fsaverage: a fitted sphere differs from the boundary elements by RDM 0.10 to 0.24, median 0.13."""
    upper = field.electrodes[field.rows([name for name in BIOSEMI if name not in ("Iz", "P9", "P10")])].astype(float)
    solution = np.linalg.lstsq(np.c_[2 * upper, np.ones(len(upper))], (upper**2).sum(axis=1), rcond=None)[0]
    centre, radius = solution[:3], np.sqrt(solution[3] + solution[:3] @ solution[:3])
    electrodes = field.electrodes[field.rows(BIOSEMI)] - centre
    electrodes /= np.linalg.norm(electrodes, axis=1, keepdims=True)
    places = (field.points.astype(float) - centre) / radius
    kept = np.flatnonzero((np.linalg.norm(places, axis=1) < 0.75) & field.cortex & (field.points[:, 2] > 0))[::60]
    spherical = np.stack(
        [
            shells(electrodes, places[v], field.normals[v].astype(float), [0.87, 0.92, 1.0], [0.3, 0.006, 0.3], 50)
            for v in kept
        ],
        axis=1,
    )
    spherical /= (radius * 1e-3) ** 2
    measured, expected = referenced(field.of(BIOSEMI)[:, kept]), referenced(spherical)
    assert len(kept) > 80
    assert np.median(difference(measured, expected)) < 0.2
    ratio = np.linalg.norm(measured, axis=0) / np.linalg.norm(expected, axis=0)
    assert 0.8 < np.median(ratio) < 1.3


@pytest.mark.parametrize(
    "place", [(-12, -95, 8), (-35, -60, 50), (-38, -20, 58)], ids=["occipital", "parietal", "motor"]
)
def test_a_patch_of_20_mm_at_a_tenth_of_a_nanoampere_metre_makes_the_measured_potential(field, place):
    """14 to 18 uV in 64 channels were measured with mne on the same surfaces; the exact patch makes the rest."""
    weights = patch(field, place, 20.0)
    peak = np.abs(referenced(field.summed(BIOSEMI, 0.1 * weights))).max()
    assert 10e-6 < peak < 25e-6
    assert 20 < (field.areas * weights).sum() / 100 < 40


def test_a_field_at_other_electrodes_differs_by_the_reference_alone(field):
    few, many = (referenced(field.of(names)[:, :50]) for names in (BIOSEMI[:10], BIOSEMI))
    np.testing.assert_allclose(few, referenced(many[:10]), rtol=1e-6, atol=1e-6)


def test_a_closed_sheet_cancels(field):
    """Walls of sulci and opposite banks cancel: a whole hemisphere in phase has hardly a net moment."""
    left = np.arange(20484) < lf.N_LEFT
    moment = (field.areas[left, None] * field.normals[left].astype(float)).sum(axis=0)
    assert np.linalg.norm(moment) < 0.02 * field.areas[left].sum()


def test_regions_sum_their_own_vertices_signed_and_by_area(field, subject):
    labels = vertex_labels(subject.parcellation, field.space)
    gains = region_gain(subject, lf.electric().at(["Cz", "Oz"]))
    rows = field.of(["Cz", "Oz"])
    for i in (0, 17, 63):
        mine = np.flatnonzero(labels == i + 1)
        slow = sum(rows[:, v] * field.areas[v] * 1e-9 for v in mine) if len(mine) else np.zeros(2)
        np.testing.assert_allclose(gains[:, i], slow, rtol=1e-5, atol=1e-12)


def test_vertices_count_for_cortex_of_their_own_hemisphere_nearby(field, subject):
    labels = vertex_labels(subject.parcellation, field.space)
    assert (labels[field.cortex] > 0).mean() > 0.95
    assert (labels[~field.cortex] == 0).all()
    regions = subject.regions
    for v in np.flatnonzero(labels)[::97]:
        region = regions[labels[v] - 1]
        assert region.kind == "cortex"
        assert region.hemisphere == ("L" if v < lf.N_LEFT else "R")
        assert np.linalg.norm(field.points[v] - region.centroid) < 60
    gains = region_gain(subject, lf.electric().at(BIOSEMI))
    size = np.abs(gains).max(axis=0)
    deep = np.array([region.kind != "cortex" for region in regions])
    assert size.min() > 0
    assert np.median(size[deep]) < 0.1 * np.median(size[~deep])


def test_a_vertex_with_no_region_nearby_counts_for_none(field, subject):
    parcellation = subject.parcellation
    y = apply_affine(
        parcellation.grid.affine, np.stack(np.meshgrid([0], np.arange(parcellation.grid.shape[1]), [0]), -1)
    )[..., 1]
    posterior = np.where(y.reshape(1, -1, 1) < 0, parcellation.labels, 0).astype(np.uint16)
    labels = vertex_labels(
        Parcellation(parcellation.space, parcellation.grid, posterior, parcellation.regions), field.space
    )
    assert (labels[field.points[:, 1] > 8] == 0).all()
    assert (labels[field.cortex & (field.points[:, 1] < -2)] > 0).mean() > 0.95


def test_a_region_with_too_few_vertices_is_named_in_a_warning(subject):
    labels = subject.parcellation.labels.copy()
    first = next(i for i, region in enumerate(subject.regions) if region.kind == "cortex")
    mine = np.argwhere(labels == first + 1)
    labels[labels == first + 1] = 0
    labels[tuple(mine[0])] = first + 1
    parcellation = Parcellation(subject.parcellation.space, subject.parcellation.grid, labels, subject.regions)
    poor = replace(subject, parcellation=parcellation)
    activity = fi.simulate_activity(poor, model="linear", duration=1.0)
    with pytest.warns(UserWarning, match=subject.regions[first].name):
        gains_of(poor, activity, lf.electric().at(["Cz", "Oz"]))


def test_electrodes_lie_on_the_scalp_of_the_template(field):
    away = template_head().depth(field.electrodes)["scalp"]
    assert np.abs(away).max() < 1.0


@pytest.mark.slow
def test_electrodes_lie_on_the_scalp_that_the_t1w_shows(field, subject):
    """Within 2 mm, and half a voxel's diagonal, of the border between air and tissue in the clean image."""
    image = fi.acquire("t1w", subject, voxel_size=2.0).clean
    tissue = image.to_array() > 0.1 * image.to_array().max()
    border = tissue ^ binary_erosion(tissue)
    away = distance_transform_edt(~border, sampling=2.0)
    voxels = apply_affine(np.linalg.inv(image.grid.affine), lf.native_electrodes(subject, BIOSEMI))
    inside = ((voxels >= 0) & (voxels < np.array(tissue.shape) - 1)).all(axis=1)
    assert inside.sum() > 55
    assert away[tuple(np.rint(voxels[inside]).astype(int).T)].max() <= 2 + np.sqrt(3)


def test_electrodes_move_with_the_head(field):
    subject = tiny_subject()
    native = lf.native_electrodes(subject, BIOSEMI)
    np.testing.assert_allclose(
        apply_affine(subject.anatomy.to_template, native), field.electrodes[field.rows(BIOSEMI)], atol=1e-4
    )


def test_captrak_has_its_landmarks_on_its_axes_and_is_rigid():
    subject = tiny_subject()
    matrix = native_to_captrak(subject)
    np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1)
    nasion, left, right = (apply_affine(matrix, lf.native_fiducials(subject)[name]) for name in ("NAS", "LPA", "RPA"))
    assert nasion[1] > 90
    np.testing.assert_allclose([*nasion[[0, 2]], *left[1:], *right[1:]], 0, atol=1e-9)
    assert left[0] < -60
    assert right[0] > 60


def test_the_electrode_table_holds_both_spaces():
    subject = tiny_subject()
    electrodes, coordinates = electrode_tables(subject, montage_of(BIOSEMI))
    rows = np.array([row[1:] for row in electrodes.rows])
    np.testing.assert_allclose(apply_affine(native_to_captrak(subject), rows[:, 3:]), rows[:, :3], atol=2e-3)
    assert coordinates.about["EEGCoordinateSystem"] == "CapTrak"
    assert set(coordinates.about["AnatomicalLandmarkCoordinates"]) == {"NAS", "LPA", "RPA"}


def test_the_landmarks_of_the_two_files_tie_the_electrodes_to_the_t1w():
    """A rigid fit of CapTrak's landmarks to those of the T1w takes the electrodes to where they lie in it."""
    subject = tiny_subject()
    scan = fi.acquire("t1w", subject, voxel_size=4.0)
    voxels = scan.modality.sidecar(scan.parameters, scan.forward)["AnatomicalLandmarkCoordinates"]
    electrodes, coordinates = electrode_tables(subject, montage_of(BIOSEMI))
    names = ("NAS", "LPA", "RPA")
    there = apply_affine(scan.clean.grid.affine, np.array([voxels[name] for name in names]))
    here = np.array([coordinates.about["AnatomicalLandmarkCoordinates"][name] for name in names])
    u, _, vt = np.linalg.svd((there - there.mean(axis=0)).T @ (here - here.mean(axis=0)))
    turn = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    rows = np.array([row[1:] for row in electrodes.rows])
    moved = (rows[:, :3] - here.mean(axis=0)) @ turn.T + there.mean(axis=0)
    np.testing.assert_allclose(moved, rows[:, 3:], atol=0.02)


def test_sloreta_finds_a_single_source_where_it_is(field):
    """Zero localisation error (Pascual-Marqui 2002): exact without noise, for any regularisation, when signs and reference agree."""
    kept = np.flatnonzero(field.cortex)[::16]
    gains = referenced(field.of(BIOSEMI)[:, kept])
    gram = gains @ gains.T
    inverse = np.linalg.pinv(gram + np.trace(gram) / 63 / 9 * (np.eye(64) - 1 / 64))
    operator = gains.T @ inverse
    resolution = np.einsum("ij,ji->i", operator, gains)
    estimate = np.abs(operator @ gains) / np.sqrt(resolution)[:, None]
    assert (estimate.argmax(axis=0) == np.arange(len(kept))).mean() > 0.999


def test_the_notice_of_the_surfaces_carries_its_terms():
    text = lf.attribution()
    assert "have been obtained under license from The General" in text
    assert "MODIFIED" in text


def test_a_patch_keeps_to_its_hemisphere():
    space = lf.electric().scalp.space
    middles = np.flatnonzero(space.cortex & space.left)
    middle = space.points[middles[space.points[middles, 0].argmax()]]
    own = patch_moments(space, middle, 20.0, total=False).indices
    within = space.cortex & (np.linalg.norm(space.points - middle, axis=1) <= 19.9)
    assert (within & ~space.left).any()
    assert space.left[own].all()
    assert set(np.flatnonzero(within & space.left)) <= set(own)
