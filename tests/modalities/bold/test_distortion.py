import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.spaces import centred_grid
from fakeimaging.modalities.bold import MODALITY, BoldParameters
from fakeimaging.modalities.bold.distortion import (
    axis_of,
    distort,
    make_warp,
    readout,
    unwarping,
    voxels_per_hz,
)  # fmt: skip
from fakeimaging.modalities.bold.fieldmaps import direction_of
from fakeimaging.modalities.motion import rigid
from fakeimaging.modalities.spline import resample_volume
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject
from tests.reference import pushes

SHAPE = (6, 40, 5)
QUIET = [stage.name for stage in MODALITY.observe if stage.name != "distortion"]


def lines(seed=1, edge=8):
    """Random lines, empty towards their ends."""
    volume = np.zeros(SHAPE, dtype=np.float32)
    inner = volume[:, edge:-edge]
    inner[:] = np.random.default_rng(seed).random(inner.shape)
    return volume


def hill(height, width=4.0, seed=2):
    """A smooth shift in voxels, another one in each line."""
    middle = np.random.default_rng(seed).uniform(14, 26, (SHAPE[0], 1, SHAPE[2]))
    return (height * np.exp(-(((np.arange(SHAPE[1])[:, None] - middle) / width) ** 2) / 2)).astype(np.float32)


def acquired(**parameters):
    parameters = {"voxel_size": 5.0, "off": QUIET, **parameters}
    return fi.acquire("bold", tiny_subject(), constant_activity(short_activity()), **parameters)


@pytest.mark.parametrize("height", [0.7, 3.0, -2.5, 12.0, -12.0])
def test_each_line_is_what_lands_in_its_voxels(height):
    volume, shift = lines(), hill(height)
    found = distort(volume, make_warp(shift, 1))
    for i, k in np.ndindex(SHAPE[0], SHAPE[2]):
        np.testing.assert_allclose(found[i, :, k], pushes.push(volume[i, :, k], shift[i, :, k]), atol=0.02)
    folded = (np.diff(np.arange(SHAPE[1])[:, None] + shift, axis=1) < 0).any()
    assert folded == (abs(height) > 10)


@pytest.mark.parametrize("height", [2.0, -3.0, 12.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_no_signal_is_made_or_lost(height, axis):
    volume, shift = lines(), hill(height)
    turned, moved = (volume, shift) if axis == 1 else (volume.swapaxes(0, 1), shift.swapaxes(0, 1))
    found = distort(np.ascontiguousarray(turned), make_warp(np.ascontiguousarray(moved), axis))
    np.testing.assert_allclose(found.sum(axis=axis), turned.sum(axis=axis), rtol=1e-5)
    assert np.abs(found - turned).max() > 0.1


def test_what_leaves_the_field_of_view_is_lost():
    volume = lines(edge=1)
    found = distort(volume, make_warp(np.full(SHAPE, 10.0, np.float32), 1))
    np.testing.assert_allclose(found[:, 10:], volume[:, :-10], atol=1e-5)
    np.testing.assert_allclose(found[:, :10], 0, atol=1e-5)


def test_no_shift_leaves_lines_as_they_are_to_their_ends():
    volume = np.random.default_rng(3).random(SHAPE).astype(np.float32)
    np.testing.assert_allclose(distort(volume, make_warp(np.zeros(SHAPE, np.float32), 1)), volume, atol=1e-5)


def test_compressed_signal_piles_up():
    """x to x / 2 in the middle: twice as bright, half as long."""
    volume = np.zeros((1, 41, 1), dtype=np.float32)
    volume[0, 10:31] = 1
    shift = (-(np.arange(41) - 20) / 2).astype(np.float32)[None, :, None]
    found = distort(volume, make_warp(shift, 1))[0, :, 0]
    np.testing.assert_allclose(found[17:24], 2, atol=5e-3)
    np.testing.assert_allclose(found[:13], 0, atol=5e-3)


@pytest.mark.parametrize(("encoding", "axis", "sign"), [("j", 1, 1), ("j-", 1, -1), ("i", 0, 1), ("i-", 0, -1)])
def test_the_sign_and_size_of_the_shift(encoding, axis, sign):
    """50 Hz, 0.5 ms from line to line, 40 lines: 50 Hz x 20 ms = 1 voxel, to higher indices without a minus, as topup has it."""
    p = BoldParameters(phase_encoding=encoding, echo_spacing=0.0005)
    assert axis_of(p) == axis
    assert 50 * voxels_per_hz(p, 40) == pytest.approx(sign * 1.0)
    keys = readout(p, 40)
    assert keys == {"PhaseEncodingDirection": encoding, "EffectiveEchoSpacing": 0.0005, "TotalReadoutTime": 0.0195}
    # A tool that goes by TotalReadoutTime moves voxels by an N-th less.
    assert 50 * keys["TotalReadoutTime"] == pytest.approx(abs(50 * voxels_per_hz(p, 40)) * 39 / 40)
    one = np.zeros((40, 40, 1), dtype=np.float32)
    one[20, 20] = 1
    found = distort(one, make_warp(np.full(one.shape, 50 * voxels_per_hz(p, 40), np.float32), axis))
    expected = [20, 20]
    expected[axis] += sign
    assert np.unravel_index(found.argmax(), found.shape)[:2] == tuple(expected)


def test_front_to_back_presses_the_forehead_in():
    """Orbitofrontal frequencies are positive; with j- (A to P) they move backwards, as in every such scan."""
    assert voxels_per_hz(BoldParameters(phase_encoding="j-"), 64) < 0
    assert direction_of(BoldParameters(phase_encoding="j-")) == "AP"
    assert direction_of(BoldParameters(phase_encoding="i", orientation="LAS")) == "RL"
    assert direction_of(BoldParameters(phase_encoding="i")) == "LR"


def test_a_clean_image_is_distorted_by_its_own_field():
    scan = acquired(echo_spacing=0.0005)
    before, after = scan.before("distortion").make(2), scan.after("distortion").make(2)
    recipe = scan.recipe("distortion")
    assert recipe == {"axis": 1, "voxels_per_hz": -0.0005 * scan.clean.grid.shape[1]}
    shift = recipe["voxels_per_hz"] * scan.forward.context["maps"].frequency
    i, _, k = np.unravel_index(np.abs(np.where(before > 500, shift, 0)).argmax(), shift.shape)
    np.testing.assert_allclose(after[i, :, k], pushes.push(before[i, :, k], shift[i, :, k]), atol=0.02 * before.max())
    assert np.abs(after - before).max() > 50


@pytest.mark.parametrize("nothing", [{"echo_spacing": 0.0}, {"susceptibility": 0.0}, {"off": [*QUIET, "distortion"]}])
def test_without_field_or_readout_nothing_happens(nothing):
    scan = acquired(**nothing)
    assert (scan.observed.make(1) == scan.clean.make(1)).all()


def test_opposite_encodings_shift_to_opposite_sides():
    """Their mean is the true image up to second order: half the field, a quarter of the error."""
    x = np.arange(SHAPE[1])[:, None] - 19.5
    volume = (np.exp(-((x / 6) ** 2) / 2) * np.ones(SHAPE)).astype(np.float32)
    errors = []
    for height in (0.8, 0.4):
        shift = hill(height, width=6.0)
        forth, back = (distort(volume, make_warp(sign * shift, 1)) for sign in (1, -1))
        errors.append(np.abs((forth + back) / 2 - volume).max())
        assert np.abs(forth - volume).max() > 4 * errors[-1]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("encoding", ["j-", "i"])
def test_unwarping_with_the_truth_restores_a_moved_and_distorted_head(encoding):
    """One interpolation of a moved and distorted image; the static one is restored to 3 % of its RMS inside the head."""
    scan = acquired(echo_spacing=0.0006, phase_encoding=encoding, voxel_size=4.0)
    grid, rest = scan.clean.grid, scan.forward.baseline
    place = rigid([1.2, -0.8, 0.6, 0.02, -0.01, 0.015])
    shift = scan.recipe("distortion")["voxels_per_hz"] * scan.forward.context["maps"].frequency
    axis = scan.recipe("distortion")["axis"]
    moved = resample_volume(rest, grid, grid, np.linalg.inv(place))
    seen = distort(moved, make_warp(shift, axis))
    inside = (rest > 600) & (np.abs(np.gradient(shift, axis=axis)) < 0.5)
    assert np.abs(shift[inside]).max() > 0.7

    def error(found):
        return np.sqrt(np.mean((found - rest)[inside] ** 2) / np.mean(rest[inside] ** 2))

    once = error(resample_volume(seen, grid, grid, place, unwarping(shift, axis)))
    twice = error(resample_volume(moved, grid, grid, place))
    assert once < 0.03
    assert once < 1.5 * twice
    affected = inside & (np.abs(shift) > 0.3)
    restored = resample_volume(seen, grid, grid, place, unwarping(shift, axis))
    left = resample_volume(seen, grid, grid, place)
    wrong = resample_volume(seen, grid, grid, place, unwarping(-shift, axis))
    spread = [np.sqrt(np.mean((image - rest)[affected] ** 2)) for image in (restored, left, wrong)]
    assert spread[0] < 0.6 * spread[1] < 0.6 * spread[2]


def test_unwarping_by_nothing_is_plain_resampling():
    volume = np.random.default_rng(1).random((9, 8, 7)).astype(np.float32)
    grid = centred_grid(volume.shape, 3.0)
    place = rigid([0.5, -0.4, 0.3, 0.02, 0.01, 0.03])
    plain = resample_volume(volume, grid, grid, place)
    none = unwarping(np.zeros(volume.shape, np.float32), 1)
    np.testing.assert_array_equal(resample_volume(volume, grid, grid, place, none), plain)
    # A linear shift is met exactly between voxels: y to y + 0.1 y, a tenth fainter.
    y = np.arange(8, dtype=np.float32)[:, None]
    stretched = unwarping((0.1 * y * np.ones(volume.shape)).astype(np.float32), 1)
    ramp = (y * np.ones(volume.shape)).astype(np.float32)
    found = resample_volume(ramp, grid, grid, np.eye(4), stretched)[4, 2:5, 3]
    np.testing.assert_allclose(found, 1.1 * 1.1 * np.arange(2, 5), rtol=0.01)
