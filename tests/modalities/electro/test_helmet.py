"""Arrays of coils against MNE-Python's own, and where a head lies in the helmet."""

from dataclasses import replace

import mne
import numpy as np
import pytest
from scipy.spatial import cKDTree

from fakeimaging.core.errors import InputError, UnknownNameError
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.electrodes import native_to_captrak
from fakeimaging.modalities.electro.helmet import (
    ARRAYS,
    dev_head_t,
    digitised,
    head_in_helmet,
    head_table,
    meg_array,
    sensors_in,
)
from fakeimaging.modalities.electro.lead_field import to_native
from fakeimaging.structure.head import template_head
from fakeimaging.testing.fixtures import tiny_subject

THEIRS = {"neuromag306": "neuromag", "ctf151": "ctf151", "ctf275": "ctf275"}
GAP = 15.0


def scaled(subject, factor):
    """The same head, some times as large, about its own middle."""
    larger = subject.anatomy.to_template @ np.diag([1 / factor, 1 / factor, 1 / factor, 1])
    return replace(subject, anatomy=replace(subject.anatomy, to_template=larger))


def distances(subject, sensors):
    scalp = apply_affine(to_native(subject), template_head().vertices["scalp"])
    return cKDTree(scalp).query(sensors.positions)[0]


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_is_the_one_that_mne_ships(name):
    from mne.forward._make_forward import _create_meg_coils

    ours, info = meg_array(name), mne.channels.read_meg_canonical_info(THEIRS[name])
    assert list(ours.names) == info["ch_names"]
    np.testing.assert_array_equal(ours.loc, [channel["loc"] for channel in info["chs"]])
    assert ours.coil_types.tolist() == [channel["coil_type"] for channel in info["chs"]]
    units = {112: "T", 201: "T/m"}
    assert list(ours.units) == [units[int(channel["unit"])] for channel in info["chs"]]
    coils = _create_meg_coils(info["chs"], "accurate")
    np.testing.assert_allclose(ours.points, 1e3 * np.concatenate([coil["rmag"] for coil in coils]), atol=1e-9)
    weighted = np.concatenate([coil["cosmag"] * coil["w"][:, None] for coil in coils])
    np.testing.assert_allclose(ours.directions, weighted, atol=1e-12)
    np.testing.assert_array_equal(ours.owner, np.repeat(np.arange(len(coils)), [len(coil["w"]) for coil in coils]))


def test_an_unknown_array_is_named_with_the_nearest_one():
    with pytest.raises(UnknownNameError, match="no MEG array 'neuromag'; did you mean 'neuromag306'"):
        meg_array("neuromag")


def test_coils_show_the_field_its_gradient_and_the_difference_of_loops():
    """A field that grows by 2 T/m along z and points along z, in an array's own coordinates (m)."""
    for name in ("neuromag306", "ctf151"):
        array = meg_array(name)
        field = np.zeros_like(array.points)
        field[:, 2] = 5 + 2e-3 * array.points[:, 2]
        felt = np.bincount(array.owner, (field * array.directions).sum(axis=1))
        middle, axes = array.loc[:, :3], array.loc[:, 3:].reshape(-1, 3, 3)
        along = axes[:, 2, 2]
        expected = {
            # 0.3 mm: the height of the loops over the middle of the chip.
            "MEGMAG": along * (5 + 2 * (middle[:, 2] + 3e-4 * along)),
            "MEGGRADPLANAR": along * 2 * axes[:, 0, 2],
            "MEGGRADAXIAL": -along * 2 * 0.05 * along,
        }
        for kind in set(array.kinds):
            rows = np.array(array.kinds) == kind
            np.testing.assert_allclose(felt[rows], expected[kind][rows], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("seed", [2, 3, 5])
def test_a_head_rests_with_its_nearest_coil_at_the_gap(name, seed):
    subject, array = tiny_subject(seed=seed), meg_array(name)
    sensors = sensors_in(subject, array, head_in_helmet(subject, array, GAP))
    away = distances(subject, sensors)
    assert away.min() == pytest.approx(GAP, abs=0.01)
    assert np.median(away) < 30
    sides = apply_affine(native_to_captrak(subject), sensors.positions)[:, 0]
    assert abs(away[sides < -60].min() - away[sides > 60].min()) < 4


def test_a_drawn_position_is_never_nearer_than_the_gap():
    subject, array = tiny_subject(seed=3), meg_array("neuromag306")
    rest = dev_head_t(subject, head_in_helmet(subject, array, GAP))
    rng = np.random.Generator(np.random.SFC64(1))
    for _ in range(5):
        turn, (right, front, down) = 0.05 * rng.standard_normal(3), 6 * rng.standard_normal(3)
        place = head_in_helmet(subject, array, GAP, turn, (right, abs(front), abs(down)))
        assert distances(subject, sensors_in(subject, array, place)).min() > GAP - 0.01
    moved = dev_head_t(subject, head_in_helmet(subject, array, GAP, (0, 0, 0), (2.0, 4.0, 3.0)))
    np.testing.assert_allclose(rest[:3, 3] - moved[:3, 3], [0.002, 0.004, -0.003], atol=1e-9)


def test_a_larger_head_is_nearer_to_the_coils():
    subject, array = tiny_subject(seed=3), meg_array("neuromag306")
    heads = [scaled(subject, factor) for factor in (0.95, 1.0, 1.05)]
    away = [np.mean(distances(head, sensors_in(head, array, head_in_helmet(head, array, GAP)))) for head in heads]
    assert away[0] > away[1] + 1
    assert away[1] > away[2] + 1


def test_a_head_that_fits_tightly_turns_less():
    array, turn = meg_array("ctf151"), (0.0, 0.0, 0.15)
    found = []
    for factor in (0.95, 1.06):
        head = scaled(tiny_subject(seed=3), factor)
        upright, turned = (dev_head_t(head, head_in_helmet(head, array, GAP, angles)) for angles in ((0, 0, 0), turn))
        found.append(np.arccos((np.trace(upright[:3, :3].T @ turned[:3, :3]) - 1) / 2))
        assert turned[2, 3] < upright[2, 3] + 0.012
    assert found[0] == pytest.approx(0.15, abs=1e-6)
    assert found[1] < 0.08


def test_a_head_that_is_too_wide_is_told():
    head = scaled(tiny_subject(seed=3), 1.2)
    with pytest.warns(UserWarning, match="head of 01 is too wide to go all the way into the helmet at a gap of 15 mm"):
        head_in_helmet(head, meg_array("ctf275"), GAP)


def test_coils_inside_the_head_are_refused_by_number_and_name():
    subject, array = tiny_subject(), meg_array("neuromag306")
    place = head_in_helmet(subject, array, GAP)
    place[2, 3] -= 40
    with pytest.raises(
        InputError, match=r"\d+ of 306 coils are inside the head of 01: MEG \d{4}, .*, \.\.\."
    ) as caught:
        sensors_in(subject, array, place)
    assert 3 < len(caught.value.value) < 306


def test_the_transform_in_files_takes_coils_to_where_they_are_about_the_head():
    subject, array = tiny_subject(), meg_array("neuromag306")
    place = head_in_helmet(subject, array, GAP, (0.05, -0.03, 0.02), (2, 3, 4))
    matrix = dev_head_t(subject, place)
    np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-12)
    there = 1e-3 * apply_affine(native_to_captrak(subject), sensors_in(subject, array, place).positions)
    np.testing.assert_allclose(apply_affine(matrix, array.loc[:, :3]), there, atol=1e-9)
    assert 0.02 < matrix[2, 3] < 0.08


def test_what_is_digitised_lies_on_the_head():
    subject = tiny_subject()
    points = digitised(subject)
    assert {name: len(places) for name, places in points.items()}["fiducials"] == 3
    left, nasion, right = points["fiducials"]
    assert left[0] < -0.06
    assert nasion[1] > 0.09
    assert right[0] > 0.06
    to_template = subject.anatomy.to_template @ np.linalg.inv(native_to_captrak(subject))
    for name in ("hpi", "head"):
        assert np.abs(template_head().depth(apply_affine(to_template, 1e3 * points[name]))["scalp"]).max() < 1.0
    assert len(points["head"]) > 60
    about = head_table(subject).about
    assert about["MEGCoordinateUnits"] == "m"
    assert set(about["AnatomicalLandmarkCoordinates"]) == {"NAS", "LPA", "RPA"}
    assert all(len(place) == 3 for place in about["HeadCoilCoordinates"].values())
