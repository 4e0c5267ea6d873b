"""Implants: what devices are, where they come to lie, what is there, and what sources make at their contacts."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError, ParameterError, UnknownNameError
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro import contacts_field
from fakeimaging.modalities.electro.contacts_field import (
    BALL,
    FOLD,
    contact_field,
    field_inside,
    recombined,
    surface_points,
)
from fakeimaging.modalities.electro.envelope import brain_depth, envelope
from fakeimaging.modalities.electro.implants import Implant, check_names, devices_of, plans
from fakeimaging.modalities.electro.lead_field import electric, to_native
from fakeimaging.modalities.electro.placement import Contacts, place, shares_around, whereabouts
from fakeimaging.modalities.electro.sources import OPEN, patch_moments
from fakeimaging.structure.head import template_head
from fakeimaging.structure.surfaces import cortex

SIGMA = 0.3


@lru_cache(maxsize=1)
def person():
    return fi.make_subject("01", seed=1)


@lru_cache(maxsize=4)
def placed(plan):
    return place(plans()[plan], person())


def space():
    return electric().field.space


def grid(**changes):
    return Implant(**{"name": "G", "kind": "grid", "rows": 4, "columns": 5, "target": (-66.0, -20.0, 2.0), **changes})


def shaft(**changes):
    return Implant(**{"name": "A", "kind": "shaft", "contacts": 10, "target": (-22.0, -4.0, -19.0), **changes})


def contact_at(point, *, axis=(0.0, 0.0, 1.0), radius=0.01, length=0.02):
    kind = "SEEG" if length else "ECOG"
    points, axes = np.array([point], dtype=float), np.array([axis], dtype=float)
    return Contacts(("a",), (kind,), ("a",), points, axes, np.array([radius]), np.array([length]))


def native_distances(device, subject):
    """Distances of neighbours in a row and of rows, in the head's own mm."""
    points = apply_affine(to_native(subject), place([device], subject).points).reshape(*device.shape, 3)
    return [np.linalg.norm(np.diff(points, axis=axis), axis=2).ravel() for axis in (1, 0)]


# Devices


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"rows": 0}, r"`rows`: 0 is outside \[1, 16\]"),
        ({"columns": None}, "`columns`: missing; a grid has rows and columns"),
        ({"contacts": 4}, "`contacts`: a grid has none"),
        ({"entry": (1.0, 2.0, 3.0)}, "`entry`: only a shaft has one"),
        ({"hemisphere": "L"}, "`hemisphere`: the target is a place"),
        ({"name": "1G"}, "`name`: '1G' is not letters and digits"),
        ({"spacing": 2.0}, "`spacing`: 2 mm leaves no gap"),
    ],
)
def test_a_device_that_makes_no_sense_is_refused(values, problem):
    with pytest.raises(ParameterError, match=problem):
        grid(**values)


def test_places_in_metres_are_refused():
    with pytest.raises(ParameterError, match=r"`target`: .* did you mean \(-30, -20, -20\) mm"):
        shaft(target=(-0.03, -0.02, -0.02))


def test_names_of_contacts_are_unique():
    check_names([shaft(), grid()])
    with pytest.raises(ValueError, match="contact A11 of 'A1' is there of 'A' too"):
        check_names([shaft(contacts=11), shaft(name="A1", contacts=2)])
    for devices in plans().values():
        check_names(devices)


def test_an_unknown_plan_is_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'temporal'"):
        devices_of("temporl")


def test_neighbours_never_leave_a_row():
    assert grid(rows=2, columns=3).neighbours == ((0, 1), (1, 2), (3, 4), (4, 5))


# Places


@pytest.mark.parametrize("target", [(-66.0, -20.0, 10.0), (-45.0, 30.0, 30.0), (45.0, -55.0, 45.0), (55.0, 0.0, 30.0)])
def test_a_sheet_bends_but_does_not_stretch(target):
    subject = fi.make_subject("02", seed=5)
    for distances in native_distances(grid(rows=8, columns=8, target=target), subject):
        np.testing.assert_allclose(distances, 10.0, rtol=0.05)


def test_a_wider_spacing_and_a_strip_keep_theirs():
    rows, _ = native_distances(
        Implant(name="S", kind="strip", contacts=6, target=(-45.0, -30.0, -30.0), angle=-90.0), person()
    )
    np.testing.assert_allclose(rows, 10.0, rtol=0.09)
    assert np.allclose(native_distances(grid(spacing=15.0), person())[0], 15.0, rtol=0.06)


@pytest.mark.parametrize("plan", ["temporal", "temporal_grid"])
def test_discs_lie_on_the_brain_below_the_skull(plan):
    contacts = placed(plan)
    discs = np.array(contacts.kinds) == "ECOG"
    assert np.abs(brain_depth(contacts.points[discs])).max() < 0.2
    assert template_head().depth(contacts.points[discs])["inner_skull"].min() > 1.0
    side = envelope("L")
    assert (np.einsum("ij,ij->i", contacts.axes[discs], side.normals(contacts.points[discs])) > 0.99).all()


def test_the_outer_surface_rests_on_the_gyri_and_bridges_the_sulci():
    for side in ("L", "R"):
        depth = envelope(side).depth(cortex(side).pial)
        assert depth.min() > -2.5
        assert np.median(depth) > 3.0
        assert (depth < 2.0).mean() > 0.2


@pytest.mark.parametrize("plan", ["temporal", "hippocampal_shafts", "bilateral_shafts"])
def test_shafts_are_straight_evenly_spaced_and_inside_the_skull(plan):
    contacts, devices = placed(plan), plans()[plan]
    assert template_head().depth(contacts.points)["inner_skull"].min() > 0
    for device in (device for device in devices if device.kind == "shaft"):
        points = contacts.points[[group == device.name for group in contacts.groups]]
        steps = np.diff(points, axis=0)
        assert np.allclose(steps, steps[0], atol=1e-9)
        assert np.allclose(points[0], device.target)
        native = np.linalg.norm(np.diff(apply_affine(to_native(person()), points), axis=0), axis=1)
        np.testing.assert_allclose(native, 3.5, rtol=1e-9)
        assert abs(steps[0, 0]) / np.linalg.norm(steps[0]) > np.cos(np.radians(26))
        assert np.sign(steps[0, 0]) == np.sign(device.target[0])


@pytest.mark.parametrize("plan", list(plans()))
def test_no_contact_lies_in_anothers_place(plan):
    points = placed(plan).points
    away = np.linalg.norm(points[:, None] - points, axis=2) + 1e3 * np.eye(len(points))
    assert away.min() > 2.0


@pytest.mark.parametrize("label", ["05", "31"])
def test_plans_fit_heads_of_any_size(label):
    subject = fi.make_subject(label, seed=11)
    for devices in plans().values():
        assert len(place(devices, subject).names) == sum(device.n_contacts for device in devices)


def test_the_way_in_can_be_given():
    contacts = place([shaft(entry=(-30.0, 60.0, 40.0), contacts=4)], person())
    direction = (contacts.points[-1] - contacts.points[0]) / np.linalg.norm(contacts.points[-1] - contacts.points[0])
    wanted = np.array([-30.0, 60.0, 40.0]) - [-22.0, -4.0, -19.0]
    assert np.allclose(direction, wanted / np.linalg.norm(wanted))


@pytest.mark.parametrize(
    ("words", "side"), [("L_Hippocampus_01", "L"), ("kind:amygdala", "R"), ("network:Visual", "L")]
)
def test_a_region_is_a_target(words, side):
    subject = person()
    device = shaft(target=words, hemisphere=side, contacts=3)
    around = whereabouts(place([device], subject), subject)
    region = subject.regions[around["region"][0] - 1]
    assert around["distance"][0] == 0
    assert region.hemisphere == side
    assert words in (region.name, f"kind:{region.kind}", f"network:{region.network}")


@pytest.mark.parametrize(
    ("device", "problem"),
    [
        ({"target": "L_Hipocampus_01"}, "did you mean 'L_Hippocampus_01'"),
        ({"target": "kind:amygdala"}, "on both sides; say which one with `hemisphere`"),
        ({"target": "L_Amygdala_01", "hemisphere": "R"}, "is not in hemisphere R"),
        ({"target": (-200.0, 0.0, 0.0)}, r"\(-200, 0, 0\) mm is outside the inner skull"),
        ({"contacts": 24}, "contact 15 of 'A' would be in the skull; 14 fit"),
        ({"entry": (-22.0, -4.0, -19.0)}, "goes in where its tip is to be"),
    ],
)
def test_a_place_that_cannot_be_is_refused(device, problem):
    with pytest.raises(ParameterError, match=problem) as error:
        place([grid(), shaft(**device)], person(), where="ieeg.implants")
    assert "`ieeg.implants[1]." in str(error.value)


def test_a_sheet_that_would_stretch_is_refused():
    with pytest.raises(ParameterError, match="'G' would stretch by .* move or split it"):
        place([grid(rows=8, columns=8, target=(20.0, -98.0, 0.0))], person())


def test_devices_do_not_run_through_each_other():
    with pytest.raises(InputError, match="contacts A1 and B1 would be 1.0 mm apart"):
        place([shaft(), shaft(name="B", target=(-22.0, -4.0, -20.0))], person())


# What is there


def test_regions_of_contacts_are_those_of_the_label_image():
    subject, contacts = person(), placed("bilateral_shafts")
    around = whereabouts(contacts, subject)
    grid_, labels = subject.parcellation.grid, subject.parcellation.labels
    every = apply_affine(grid_.affine, np.argwhere(labels > 0))
    values = labels[labels > 0]
    for i in range(0, len(contacts.points), 25):
        beyond = np.linalg.norm(np.maximum(np.abs(every - contacts.points[i]) - 0.5, 0), axis=1)
        best = beyond.min()
        if best > 3.0:
            assert around["region"][i] == 0
            assert np.isnan(around["distance"][i])
        else:
            assert around["distance"][i] == pytest.approx(best, abs=1e-6)
            assert around["region"][i] in values[beyond <= best + 1e-6]


def test_tips_are_where_they_aim_and_the_way_leads_through_white_matter():
    subject, contacts = person(), placed("temporal")
    around = whereabouts(contacts, subject)
    first = {name: i for i, name in enumerate(contacts.names)}
    assert subject.regions[around["region"][first["LA1"]] - 1].kind == "amygdala"
    assert subject.regions[around["region"][first["LAH1"]] - 1].kind == "hippocampus"
    assert subject.regions[around["region"][first["LPH1"]] - 1].kind == "hippocampus"
    assert around["tissue"][first["LAH7"]] == "white"
    assert (around["depth"][[first["LA1"], first["LAH1"]]] > 5).all()


def test_shares_around_a_point_fill_a_ball():
    subject = person()
    middle = np.array([subject.regions[0].centroid, (0.0, 0.0, 150.0)])
    shares = shares_around(middle, 2.0, subject)
    assert shares.shape == (2, subject.n_regions)
    assert 0.2 < shares[0].sum() <= 1 + 1e-12
    assert shares[1].sum() == 0


# What they feel


def test_contacts_have_their_surfaces():
    disc = contact_at((1.0, 2.0, 3.0), radius=1.15, length=0.0)
    points = surface_points(disc, 0) - [1.0, 2.0, 3.0]
    assert np.allclose(points[:, 2], 0)
    assert np.allclose(points.mean(axis=0), 0)
    # The mean square distance from the middle of a disc is half its radius squared.
    assert (points**2).sum(axis=1).mean() == pytest.approx(1.15**2 / 2, rel=0.05)
    ring = surface_points(contact_at((0.0, 0.0, 0.0), radius=0.4, length=2.0), 0)
    assert np.allclose(np.linalg.norm(ring[:, :2], axis=1), 0.4)
    assert ring[:, 2].max() < 1.0


def test_a_far_dipole_falls_with_the_square_of_the_distance():
    deep = int(np.argmin(np.linalg.norm(space().deep - np.array([-26.0, -20.0, -14.0]), axis=1)))
    start, column = space().deep[deep].astype(float), space().n_vertices + 3 * deep
    away = np.array([5.0, 10.0, 20.0, 40.0])
    felt = [contact_field(contact_at(start - [r, 0, 0]), space(), conductivity=SIGMA).gain[0, column] for r in away]
    exact = -1 / (4 * np.pi * SIGMA * (away * 1e-3) ** 2)
    np.testing.assert_allclose(felt, exact, rtol=1e-4)


def test_inside_a_deep_point_the_potential_is_linear():
    start = space().deep[0].astype(float)
    felt = [
        contact_field(contact_at(start + [0, 0, r]), space(), conductivity=SIGMA).gain[0, space().n_vertices + 2]
        for r in (1.0, 2.0, 3.0)
    ]
    np.testing.assert_allclose(
        felt, np.array([1.0, 2.0, 3.0]) * 1e-3 / (4 * np.pi * SIGMA * (BALL * 1e-3) ** 3), rtol=1e-3
    )


def test_an_insulator_above_doubles_what_a_disc_feels():
    point = placed("temporal_grid").points[20]
    disc = contact_at(point, axis=placed("temporal_grid").axes[20], radius=0.01, length=0.0)
    ring = contact_at(point, axis=placed("temporal_grid").axes[20], radius=0.01, length=0.02)
    one, two = (contact_field(contact, space(), conductivity=SIGMA).gain[0] for contact in (ring, disc))
    loud = np.abs(one) > 1e-3 * np.abs(one).max()
    np.testing.assert_allclose(two[loud], 2 * one[loud], rtol=0.02)


def test_a_closed_sheet_has_the_step_of_a_double_layer():
    """Within a closed layer of density q the potential is -q / sigma (its solid angle is 4 pi), and 0 outside."""
    moments = np.zeros(space().n_columns)
    moments[: space().n_vertices] = 1e-9 * space().areas
    closed = contact_field(contact_at((-35.0, -20.0, 38.0)), space(), conductivity=SIGMA)
    outside = contact_field(contact_at((-35.0, -20.0, 160.0)), space(), conductivity=SIGMA)
    assert closed.gain[0] @ moments == pytest.approx(-1e-3 / SIGMA, rel=0.15)
    assert abs(outside.gain[0] @ moments) < 0.05e-3 / SIGMA


def test_spreading_the_vertices_takes_the_grains_away(monkeypatch):
    contacts = placed("temporal")
    rows = list(range(0, len(contacts.names), 4))
    some = Contacts(*(tuple(np.array(part)[rows]) for part in (contacts.names, contacts.kinds, contacts.groups)),
                    contacts.points[rows], contacts.axes[rows], contacts.radii[rows], contacts.lengths[rows])  # fmt: skip
    patches = [patch_moments(space(), point, 20.0, total=False) for point in some.points]

    def felt():
        gain = contact_field(some, space(), conductivity=SIGMA).gain
        return np.array([(patch @ row)[0] for patch, row in zip(patches, gain, strict=True)])

    usual = felt()
    monkeypatch.setattr(contacts_field, "PARTS", 12)
    fine = felt()
    monkeypatch.setattr(contacts_field, "NEAR", 0.0)
    grains = np.abs(felt() - fine)
    assert np.abs(usual - fine).max() < 0.01 * np.median(np.abs(fine))
    assert grains.max() > 0.1 * np.median(np.abs(fine))


def test_amplitudes_above_a_patch_are_those_of_the_reference():
    """Measured with another program at a parietal patch: 0.1 nAm/mm2, radius 20 mm (21.7 cm2) and 10 mm (3.6 cm2), at 3 to 20 mm."""
    vertex, heights = 2076, (3.0, 5.0, 10.0, 20.0)
    start, out = space().points[vertex].astype(float), space().normals[vertex].astype(float)
    fields = [contact_field(contact_at(start + h * out), space(), conductivity=SIGMA) for h in heights]
    for radius, area, wanted in ((20.0, 21.7, (96, 91, 81, 44)), (10.0, 3.6, (105, 82, 43, 15))):
        patch = patch_moments(space(), start, radius, total=False)
        assert space().areas[patch.indices].sum() / 100 == pytest.approx(area, rel=0.03)
        felt = [1e6 * 0.1 * field.project(patch)[0, 0] for field in fields]
        np.testing.assert_allclose(felt, wanted, rtol=0.06)


def test_a_coherent_patch_makes_50_to_500_microvolts_in_ecog():
    contacts = placed("temporal_grid")
    gain = contact_field(contacts, space(), conductivity=SIGMA)
    for i in (9, 20, 27, 36, 45, 54):
        patch = patch_moments(space(), contacts.points[i], 20.0, total=False)
        area = space().areas[patch.indices].sum() / 100
        assert 15 < area < 40
        felt = 1e6 * (patch @ gain.gain[i])[0]
        assert 0.1 * felt > 50
        assert 0.25 * felt < 500


def test_a_nucleus_is_loud_inside_and_quiet_outside():
    subject, contacts = person(), placed("bilateral_shafts")
    inside = 0.1 * field_inside(contacts, subject, conductivity=SIGMA)
    around = whereabouts(contacts, subject)
    kinds = np.array(["", *(region.kind for region in subject.regions)])[around["region"]]
    amid = np.isin(kinds, ("hippocampus", "amygdala")) & (around["distance"] == 0)
    felt = np.abs(inside).max(axis=1)
    assert amid.sum() > 10
    assert 50e-6 < np.sqrt(np.mean(felt[amid] ** 2)) < 300e-6
    assert felt.max() < 500e-6
    assert not felt[(kinds == "") | (around["distance"] > 2.0)].any()
    assert not inside[:, [region.kind == "cortex" for region in subject.regions]].any()


def test_a_nucleus_is_felt_inside_as_half_a_layer_on_average_over_its_folds(monkeypatch):
    monkeypatch.setattr(contacts_field, "shares_around", lambda points, view, subject: np.ones((len(points), 1)))
    steps = np.arange(8) * FOLD / 8
    points = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    contacts = replace(contact_at((0.0, 0.0, 0.0)), points=points)
    felt = field_inside(contacts, person(), conductivity=SIGMA)
    deep = [region.kind != "cortex" for region in person().regions]
    # 1 nAm/mm2 is 1e-3 Am/m2; a tenth of the field is that of the dipole that is seen from outside too.
    half = 0.5 * 1e-3 / SIGMA
    np.testing.assert_allclose(np.sqrt((felt[:, deep] ** 2).mean(axis=0)), (1 - OPEN) * half, rtol=1e-9)


def test_neighbours_in_a_nucleus_differ():
    subject = person()
    contacts = place([shaft(target=(-26.0, -21.0, -14.0), contacts=2)], subject)
    inside = 0.1 * field_inside(contacts, subject, conductivity=SIGMA)
    number = [region.name for region in subject.regions].index("L_Hippocampus_01")
    assert abs(inside[0, number] - inside[1, number]) > 10e-6


def test_a_bipolar_pair_feels_the_difference():
    contacts = place([shaft(contacts=3)], person())
    field = contact_field(contacts, space(), conductivity=SIGMA)
    pairs = recombined(field, [[1, -1, 0], [0, 1, -1]])
    assert np.allclose(pairs.gain, field.gain[:-1] - field.gain[1:])
