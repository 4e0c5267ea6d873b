import numpy as np
import pytest
from scipy.integrate import quad

from fakeimaging.core.clocks import Frames
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.modalities import pet
from fakeimaging.modalities.pet.frames import effective_seconds, frames_of


def frames(**parameters):
    return frames_of(pet.PetParameters.parse(parameters))


def test_frames_fill_the_duration():
    assert frames().durations.sum() == 3600
    np.testing.assert_array_equal(frames(duration=70.0).durations, [15.0] * 4)
    assert frames(duration=4500.0).durations.sum() == 4500
    short = pet.PetParameters.parse({}).model_copy(update={"duration": 14.0})
    with pytest.raises(InputError, match="14 s is shorter than the first frame of 15 s"):
        pet.geometry(short, 20.0)


def test_frames_of_ones_own():
    own = frames(frames=[[1, 60.0], [2, 120.0], [1, 300.0]])
    np.testing.assert_array_equal(own.durations, [60, 120, 120, 300])
    np.testing.assert_array_equal(own.starts, [0, 60, 180, 300])
    challenge = frames(frames=[[4, 15], [4, 60], [2, 150], [10, 300], [3, 600]])  # of NRM2018
    assert (challenge.n, challenge.ends[-1]) == (23, 5400.0)
    assert frames(frames=[[2, 60.0]], duration=120.0).n == 2
    with pytest.raises(ParameterError, match="they last 120 s and `duration` says 90 s; leave one out"):
        frames(frames=[[2, 60.0]], duration=90.0)
    with pytest.raises(ParameterError, match=r"`frames`: pairs of how many frames \(at least 1\)"):
        frames(frames=[[0, 60.0]])


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (
            {"suv_window": [3000, 3600]},
            "no frame lies within 3000 to 3600 min after injection; the scan lasts from 0 to 60",
        ),
        (
            {"challenges": [{"onset": 3600.0, "size": 1.0}]},
            r"`pet.challenges\[0\].onset`: at 3600 s .* the scan is over",
        ),
        (
            {"displaced": [{"near": [0, 0, 0], "volume": 9.0, "reduction": 0.5, "onset": 4000.0}]},
            r"`pet.displaced\[0\].onset`: at 4000 s",
        ),
    ],
)
def test_what_no_frame_would_show_is_refused_before_anything_runs(asked, line):
    p = pet.PetParameters.parse({"tracer": "raclopride"} | asked)
    with pytest.raises(InputError, match=line):
        pet.geometry(p, 20.0)
    pet.geometry(pet.PetParameters.parse({"tracer": "raclopride", "suv_window": [40, 60]}), 20.0)


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"kbol": 60.0}, "`pet.kbol`: only a bolus with an infusion has one"),
        ({"administration": "infusion", "bolus_duration": 60.0}, "`pet.bolus_duration`: an infusion has no bolus"),
        ({"tier": "projection", "noise_level": 0.0}, "`pet.noise_level`: counts have the noise of their number"),
    ],
)
def test_what_would_not_be_heeded_is_refused(asked, line):
    with pytest.raises(ParameterError, match=line):
        pet.PetParameters.parse(asked, where="pet")


def test_a_late_scan_starts_with_the_frame_that_would_run():
    late = frames(scan_start=3000.0, duration=1200.0)
    np.testing.assert_array_equal(late.starts, [3000, 3300, 3600, 3900])
    assert late.start == 3000.0
    # Four frames of 15 s, eight of 30 s: at 100 s one of 30 s runs.
    np.testing.assert_array_equal(frames(scan_start=100.0, duration=60.0).durations, [30, 30])
    # Long after the tracer's own frames its last ones go on.
    np.testing.assert_array_equal(frames(scan_start=9000.0, duration=600.0).durations, [300, 300])
    np.testing.assert_array_equal(frames(scan_start=9000.0, frames=[[2, 60.0]]).starts, [9000, 9060])


def test_two_windows_join_to_one_scan():
    whole, first = frames(duration=3600.0), frames(duration=1800.0)
    second = frames(scan_start=1800.0, duration=1800.0)
    np.testing.assert_array_equal(np.append(first.starts, second.starts), whole.starts)
    both = [effective_seconds(part, 0.0063) for part in (first, second)]
    np.testing.assert_allclose(np.concatenate(both), effective_seconds(whole, 0.0063), rtol=1e-12)


def test_effective_seconds_are_the_integral_of_decay():
    some = Frames(np.array([60.0, 300.0]), 400.0)
    np.testing.assert_allclose(effective_seconds(some, 0.0), [60.0, 300.0])
    decay = 0.034  # 1/min, carbon-11
    by_hand = [quad(lambda t: np.exp(-decay * t / 60), a, b)[0] for a, b in ((400, 460), (460, 760))]
    np.testing.assert_allclose(effective_seconds(some, decay), by_hand, rtol=1e-10)


def test_voxels_and_the_field_of_view_may_have_three_sizes():
    grid = pet.geometry(pet.PetParameters.parse({"voxel_size": [2, 2, 4], "field_of_view": [256, 256, 120]}), 0.0)[0]
    assert grid.shape == (128, 128, 30)
    np.testing.assert_allclose(grid.voxel_size, [2, 2, 4])
    np.testing.assert_allclose(grid.affine[:3, :3] @ ((np.array(grid.shape) - 1) / 2) + grid.affine[:3, 3], 0)
    for wrong, message in (
        ({"voxel_size": [2, 2]}, "give one number or three"),
        ({"voxel_size": 0.5}, r"0.5 mm is outside \[1, 20\]"),
        ({"psf_fwhm": [4, 4, 30]}, r"outside \[0, 20\]"),
        ({"field_of_view": [10, 240, 240]}, r"outside \[20, 600\]"),
    ):
        with pytest.raises(ParameterError, match=message):
            pet.PetParameters.parse(wrong)
