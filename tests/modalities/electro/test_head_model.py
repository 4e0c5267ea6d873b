"""Heads: their size and pose act on fields as physics says; which model makes the field is one parameter of EEG and of MEG."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import ParameterError
from fakeimaging.core.spaces import apply_affine, pose
from fakeimaging.modalities.electro.electrodes import electrode_tables, native_to_captrak
from fakeimaging.modalities.electro.head_model import electric_field, field_at_coils, scalp_shells
from fakeimaging.modalities.electro.lead_field import electric
from fakeimaging.modalities.electro.montages import montage_of
from fakeimaging.modalities.electro.sensors import Sensors
from fakeimaging.testing.fixtures import short_activity, tiny_subject
from tests.reference.inverses import centring

BIOSEMI = montage_of("biosemi64")
SIZE = 1.12


def lying(scale=1.0, angles=(0.0, 0.0, 0.0), shift=(0.0, 0.0, 0.0)):
    """The tiny subject with a head of some size and pose; the streams of its draws stay its own."""
    return _lying(scale, angles, shift)


@lru_cache(maxsize=8)
def _lying(scale, angles, shift):
    subject = tiny_subject()
    to_template = np.linalg.inv(pose(angles, np.full(3, scale), shift))
    return replace(subject, anatomy=replace(subject.anatomy, to_template=to_template))


def still():
    """What does not move the head in the helmet between subjects."""
    return {"head_rotation_sd": 0.0, "head_shift_sd": 0.0}


@lru_cache(maxsize=8)
def recording(modality, scale=1.0, angles=(0.0, 0.0, 0.0), shift=(0.0, 0.0, 0.0)):
    return fi.acquire(
        modality, lying(scale, angles, shift), short_activity(duration=2.0), **(still() if modality == "meg" else {})
    )


def relative(found, expected):
    """Largest difference over the largest value."""
    return np.abs(found - expected).max() / np.abs(expected).max()


def test_a_larger_head_has_the_same_potentials_for_the_same_density():
    small, large = (recording("eeg", scale).clean.to_array() for scale in (1.0, SIZE))
    assert relative(large, small) < 1e-6


def test_a_larger_head_has_potentials_that_fall_as_the_square_for_the_same_moment():
    small, large = (recording("eeg", scale).to_mne_forward()["sol"]["data"] for scale in (1.0, SIZE))
    np.testing.assert_allclose(large, small / SIZE**2, rtol=1e-9)
    moments = [recording("eeg", scale).to_mne_sources(0.0, 0.1).data for scale in (1.0, SIZE)]
    np.testing.assert_allclose(moments[1], moments[0] * SIZE**2, rtol=1e-5)


def test_so_do_shells_in_their_closed_form():
    """The rule by the series itself: electrodes, shells and sources all 1.12 times as far from the middle."""
    from fakeimaging.modalities.electro.sphere import potential, within

    shells = scalp_shells()
    larger = replace(shells, radii=tuple(SIZE * np.array(shells.radii)))
    space, names = electric().field.space, electric().rows(BIOSEMI.names)
    inside = within(space.points[::400], shells.centre, 0.8 * shells.radii[0])
    electrodes = electric().electrodes[names]
    around = [shells.centre + SIZE * (points - shells.centre) for points in (electrodes, inside)]
    small = potential(shells, electrodes, inside, space.normals[::400])
    np.testing.assert_allclose(potential(larger, *around, space.normals[::400]), small / SIZE**2, rtol=1e-6, atol=1e-9)


def test_the_files_of_electrodes_say_how_large_the_head_is():
    small, large = (
        np.array([row[1:4] for row in electrode_tables(lying(scale), BIOSEMI)[0].rows]) for scale in (1.0, SIZE)
    )
    np.testing.assert_allclose(large, SIZE * small, atol=2e-3)
    marks = [electrode_tables(lying(scale), BIOSEMI)[1].about["AnatomicalLandmarkCoordinates"] for scale in (1.0, SIZE)]
    np.testing.assert_allclose(marks[1]["NAS"], SIZE * np.array(marks[0]["NAS"]), atol=2e-3)


POSE = {"angles": (0.1, -0.2, 0.3), "shift": (5.0, -8.0, 12.0)}


@pytest.mark.parametrize("modality", ["eeg", "meg"])
def test_where_the_head_lies_in_the_scanner_changes_no_field(modality):
    """The helmet of MEG goes with the head: where that lies in another machine is another matter."""
    upright, turned = (recording(modality, **changes) for changes in ({}, POSE))
    assert relative(turned.clean.to_array(), upright.clean.to_array()) < 1e-5
    native = [BIOSEMI.native(lying(**changes)) for changes in ({}, POSE)]
    assert np.linalg.norm(native[1] - native[0], axis=1).min() > 5
    heads = [
        apply_affine(native_to_captrak(lying(**changes)), places)
        for changes, places in zip(({}, POSE), native, strict=True)
    ]
    np.testing.assert_allclose(*heads, atol=1e-6)


def test_where_the_head_lies_in_the_helmet_changes_the_field():
    """And the file says where: the coils' places in the head follow from it."""
    subject, activity = lying(), short_activity(duration=2.0)
    first, second = (fi.acquire("meg", subject, activity, gap=gap, **still()) for gap in (8.0, 15.0))
    weaker = second.clean.to_array()[:306].std(axis=1) / first.clean.to_array()[:306].std(axis=1)
    assert 0.7 < np.median(weaker) < 0.95
    moved = second.forward.context["dev_head_t"][:3, 3] - first.forward.context["dev_head_t"][:3, 3]
    assert 0.003 < np.linalg.norm(moved) < 0.03


def test_coils_do_not_grow_with_the_head():
    """A head that is larger comes nearer to some coils, and its sources are farther apart: the field is another, of the same order."""
    small, large = (recording("meg", scale) for scale in (1.0, 1.06))
    change = relative(large.clean.to_array()[:306], small.clean.to_array()[:306])
    assert 0.02 < change < 1.0
    for scan in (small, large):
        points = scan.forward.context["sensors"]
        assert np.ptp(points.positions[:306], axis=0) == pytest.approx(
            np.ptp(small.forward.context["sensors"].positions[:306], axis=0), rel=1e-6
        )


def gradiometer(baseline, place=(0.0, 0.0, 130.0)):
    """Two points, ``baseline`` mm apart along x, of the field along z; signal in T/m."""
    points = np.array(place) + np.array([[-0.5, 0, 0], [0.5, 0, 0]]) * baseline
    directions = np.array([[0, 0, -1.0], [0, 0, 1.0]]) / (baseline * 1e-3)
    return points, directions


@pytest.mark.parametrize("model", ["bem", "sphere"])
def test_magnetic_fields_scale_with_the_head_when_coils_do(model):
    """Per density: a magnetometer sees the same, a gradiometer 1/s of it, since its gradient is over s times the distance."""
    found = {}
    for scale in (1.0, SIZE):
        points, directions = gradiometer(scale * 16.8, (0.0, 0.0, scale * 130.0))
        sensors = Sensors(
            ("M", "G"), ("MEGMAG", "MEGGRADPLANAR"), np.zeros((2, 3)), np.concatenate([points[:1], points]),
            np.concatenate([[[0, 0, 1.0]], directions]), np.array([0, 1, 1]),
        )  # fmt: skip
        found[scale] = field_at_coils(model, lying(scale), sensors).columns()[:, :2000]
    magnetometer, grad = found[SIZE] / found[1.0]
    np.testing.assert_allclose(magnetometer, 1.0, rtol=1e-5)
    np.testing.assert_allclose(grad, 1 / SIZE, rtol=1e-3)


def test_the_models_are_alike_but_not_the_same():
    """Measured: 0.13 of relative difference in the median cortex, 0.09 to 0.23 from 5 to 95 %."""
    cortex = np.flatnonzero(electric().field.space.cortex)[::20]
    bem, sphere = (
        centring(64) @ electric_field(model, lying(), BIOSEMI).columns()[:, cortex] for model in ("bem", "sphere")
    )
    size = np.linalg.norm(sphere, axis=0) / np.linalg.norm(bem, axis=0)
    difference = np.linalg.norm(bem / np.linalg.norm(bem, axis=0) - sphere / np.linalg.norm(sphere, axis=0), axis=0)
    assert 0.10 < np.median(difference) < 0.17
    assert np.quantile(difference, 0.95) < 0.3
    assert 0.9 < np.median(size) < 1.15


@pytest.mark.parametrize("modality", ["eeg", "meg"])
def test_a_recording_is_made_with_the_head_model_that_was_asked_for(modality):
    subject, activity = lying(), short_activity(duration=2.0)
    smaller = {"array": "ctf151"} if modality == "meg" else {}
    made = {model: fi.acquire(modality, subject, activity, head_model=model, **smaller) for model in ("bem", "sphere")}
    gains = {model: scan.truth["region_gain"] for model, scan in made.items()}
    likeness = [np.corrcoef(a, b)[0, 1] for a, b in zip(gains["bem"], gains["sphere"], strict=True)]
    assert 0.7 < np.median(likeness) < 0.999
    default = fi.acquire(modality, subject, activity, **smaller)
    assert relative(made["bem"].clean.to_array(), default.clean.to_array()) < 1e-6
    product = made["sphere"].to_mne_forward()["sol"]["data"] @ made["sphere"].to_mne_sources().data
    clean = made["sphere"].clean.to_array()[: len(product)]
    np.testing.assert_allclose(product, clean, atol=3e-6 * np.abs(clean).max())
    assert np.isfinite(made["sphere"].observed.to_array()).all()


def test_what_clean_potentials_are_relative_to_is_said():
    about = [
        fi.acquire("eeg", lying(), short_activity(duration=2.0), head_model=model).forward.context["about_clean"]
        for model in ("bem", "sphere")
    ]
    assert [words["EEGReference"] for words in about] == [
        "mean of the 335 electrodes of the lead field",
        "mean of the sphere's surface",
    ]


@pytest.mark.parametrize("modality", ["eeg", "meg"])
@pytest.mark.parametrize(("wrong", "hint"), [("shere", "did you mean 'sphere'"), ("mine.npy", "ends in -fwd.fif")])
def test_a_head_model_that_does_not_exist_is_refused(modality, wrong, hint):
    with pytest.raises(ParameterError, match=f"head_model.*no head model '{wrong}'.*{hint}"):
        fi.acquire(modality, lying(), short_activity(duration=2.0), head_model=wrong)
