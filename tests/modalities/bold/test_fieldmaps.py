import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.modalities import susceptibility
from fakeimaging.modalities.bold import BoldParameters, slice_times
from fakeimaging.modalities.bold.distortion import distort, make_warp
from fakeimaging.modalities.bold.fieldmaps import direction_of
from fakeimaging.modalities.bold.maps import make_maps
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject

GRID = {"voxel_size": 5.0, "echo_spacing": 0.0005}


def acquired(**parameters):
    return fi.acquire("bold", tiny_subject(), constant_activity(short_activity()), **GRID, **parameters)


def extras(scan, suffix):
    return [extra for extra in scan.extras if extra.suffix == suffix]


def one(scan, suffix):
    (extra,) = extras(scan, suffix)
    return extra.image.make(0)


def test_a_pair_is_distorted_both_ways_from_one_image():
    scan = acquired(fieldmap="epi", off=["thermal"])
    pair = {extra.entities["dir"]: extra for extra in extras(scan, "epi")}
    assert list(pair) == ["AP", "PA"]
    frequency = scan.forward.context["maps"].frequency
    still = extras(acquired(fieldmap="epi", off=["thermal", "distortion"]), "epi")[0].image.make(0)
    n = frequency.shape[1]
    for label, encoding, sign in (("AP", "j-", -1), ("PA", "j", 1)):
        expected = distort(still, make_warp(sign * 0.0005 * n * frequency, 1))
        np.testing.assert_allclose(pair[label].image.make(0), np.abs(expected), atol=1e-2)
        keys = pair[label].sidecar
        assert keys["PhaseEncodingDirection"] == encoding
        assert keys["TotalReadoutTime"] == pytest.approx(0.0005 * (n - 1))
        assert keys["EffectiveEchoSpacing"] == 0.0005
    assert np.abs(pair["AP"].image.make(0) - pair["PA"].image.make(0)).max() > 100


def test_a_spin_echo_keeps_what_a_gradient_echo_loses():
    scan = acquired(fieldmap="epi", off=["thermal", "distortion"])
    spin, gradient = extras(scan, "epi")[0].image.make(0), scan.forward.baseline
    still = acquired(fieldmap="epi", off=["thermal", "distortion"], susceptibility=1e-9)
    kept = spin / np.maximum(extras(still, "epi")[0].image.make(0), 1)
    left = gradient / np.maximum(still.forward.baseline, 1)
    tissue = scan.forward.context["tissue"]
    lost = (left < 0.5) & (tissue.grey + tissue.white > 0.5)
    assert lost.sum() > 3
    np.testing.assert_allclose(kept[lost], 1, atol=1e-4)


@pytest.mark.parametrize("strength", [1.5, 3.0, 7.0])
def test_the_phase_difference_tells_the_field_within_noise(strength):
    scan = acquired(fieldmap="phasediff", field_strength=strength)
    (extra,) = extras(scan, "phasediff")
    keys, steps = extra.sidecar, extra.image.make(0).astype(float)
    assert steps.min() >= -4096
    assert steps.max() <= 4095
    assert extra.image.slope == 1
    assert keys["Units"] == "arbitrary"
    found = steps / 8192 / (keys["EchoTime2"] - keys["EchoTime1"])
    truth = scan.forward.context["maps"].frequency
    magnitudes = [one(scan, f"magnitude{e}").astype(float) for e in (1, 2)]
    bright = np.minimum(*magnitudes) > 300
    sigma = scan.recipe("thermal")["sigma"]
    spread = sigma * np.hypot(1 / magnitudes[0], 1 / magnitudes[1])[bright]
    spread = np.hypot(spread, np.pi / 4096 / np.sqrt(12)) / (2 * np.pi * (keys["EchoTime2"] - keys["EchoTime1"]))
    errors = (found - truth)[bright] / spread
    # Phases wrap where the field is far off: only in air and right beside it.
    near = np.abs(truth[bright]) < 0.4 / (keys["EchoTime2"] - keys["EchoTime1"])
    assert near.mean() > 0.99
    n = near.sum()
    assert errors[near].std() == pytest.approx(1, abs=3 / np.sqrt(2 * n) + 0.02)
    assert abs(errors[near].mean()) < 3 / np.sqrt(n) + 0.02


def test_noise_is_the_maps_own_and_of_the_scan_s_size():
    scan, again = acquired(fieldmap="epi"), acquired(fieldmap="epi")
    first, second = (extra.image.make(0) for extra in extras(scan, "epi"))
    assert (extras(again, "epi")[0].image.make(0) == first).all()
    air = scan.forward.context["tissue"]
    air = (air.brain + air.scalp + air.bone + scan.forward.context["maps"].s0) == 0
    air &= np.abs(scan.forward.context["maps"].frequency) < 5
    assert np.corrcoef(first[air], second[air])[0, 1] == pytest.approx(0, abs=4 / np.sqrt(air.sum()))
    sigma = scan.recipe("thermal")["sigma"]
    assert first[air].mean() / sigma == pytest.approx(np.sqrt(np.pi / 2), rel=0.03)
    other = fi.acquire("bold", tiny_subject(), constant_activity(short_activity()), fieldmap="epi", repeat=2, **GRID)
    assert (extras(other, "epi")[0].image.make(0) != first).any()


def test_the_truth_holds_the_field_in_hz_and_the_shift_in_mm():
    scan = acquired()
    field, shift = one(scan, "desc-truth_fieldmap"), one(scan, "desc-shift_fieldmap")
    np.testing.assert_array_equal(field, scan.forward.context["maps"].frequency)
    np.testing.assert_allclose(shift, -field * 0.0005 * field.shape[1] * 5.0, rtol=1e-5)
    assert all(extra.truth for extra in scan.extras)
    assert not [extra for extra in acquired(susceptibility=0.0).extras if extra.folder == "fmap"]
    assert not extras(acquired(off=["distortion"]), "desc-shift_fieldmap")
    assert extras(acquired(off=["distortion"]), "desc-truth_fieldmap")


def test_the_sidecar_tells_the_readout():
    scan = acquired(phase_encoding="i-")
    keys = scan.modality.sidecar(scan.parameters, scan.forward)
    n = scan.clean.grid.shape[0]
    assert keys["PhaseEncodingDirection"] == "i-"
    assert keys["TotalReadoutTime"] == pytest.approx(0.0005 * (n - 1))
    still = fi.acquire("bold", tiny_subject(), short_activity(), voxel_size=8.0, echo_spacing=0.0)
    assert "EffectiveEchoSpacing" not in still.modality.sidecar(still.parameters, still.forward)


@pytest.mark.parametrize("orientation", ["RAS", "LAS"])
@pytest.mark.parametrize("encoding", ["j-", "j", "i-", "i"])
def test_the_label_of_a_phase_encoding_is_the_way_it_goes_in_the_head(orientation, encoding):
    scan = acquired(orientation=orientation, phase_encoding=encoding)
    step = scan.clean.grid.affine[:3, "ij".index(encoding[0])] * (-1 if encoding.endswith("-") else 1)
    axis = int(np.abs(step).argmax())
    ends = ("LR", "PA")[axis] if step[axis] > 0 else ("RL", "AP")[axis]
    assert direction_of(scan.parameters) == ends


def test_air_gives_no_signal():
    subject, p = tiny_subject(), BoldParameters(voxel_size=5.0)
    tissue = subject.anatomy.tissue(acquired().clean.grid)
    with_air, without = (
        make_maps(subject, tissue, p),
        make_maps(subject, tissue, p.model_copy(update={"susceptibility": 0.0})),
    )
    share = susceptibility.air(subject.anatomy, tissue.grid)
    assert (share * without.s0).max() > 0
    np.testing.assert_allclose(with_air.s0, (1 - share) * without.s0, rtol=1e-5)


def test_a_single_band_reference_takes_its_slices_one_by_one_and_has_draws_of_its_own():
    scan = acquired(tr=1.0, multiband=4, sbref=True)
    (extra,) = extras(scan, "sbref")
    assert extra.sidecar["RepetitionTime"] == 4.0
    n = scan.clean.grid.shape[2]
    np.testing.assert_allclose(extra.sidecar["SliceTiming"], slice_times(n, 4.0, "interleaved"), atol=1e-6)
    slow = acquired(tr=4.0, off=["thermal"]).forward.baseline
    grey = scan.forward.context["tissue"].grey > 0.5
    rest = scan.forward.baseline[grey].mean()
    assert slow[grey].mean() > 1.3 * rest
    assert extra.image.make(0)[grey].mean() == pytest.approx(slow[grey].mean(), rel=0.05)
    one_band = acquired(
        sbref=True, off=["ghost", "distortion", "quantisation", "physiological", "cardiac", "respiratory"]
    )
    noise = [v.make(0)[~grey] for v in (extras(one_band, "sbref")[0].image, one_band.observed)]
    air = [values[one_band.forward.baseline[~grey] == 0] for values in noise]
    assert abs(np.corrcoef(*air)[0, 1]) < 4 / np.sqrt(len(air[0]))
