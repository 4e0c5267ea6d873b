from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from fakeimaging.activity.physiology import Saccades
from fakeimaging.core.clocks import Clock
from fakeimaging.modalities.electro.eyes import BLINKS, SACCADES, blink_course, spike_course
from tests.modalities.electro.bodies import agreement, body, cap, helmet, in_blocks, recipe, row, series


def test_a_blink_falls_from_the_eyes_backward():
    forward, parameters = cap()
    made = recipe(BLINKS, forward, parameters)["map"] / parameters.blink_amplitude
    at = {channel.name: made[i] for i, channel in enumerate(forward.clean.channels)}
    electrodes = {name: value for name, value in at.items() if not name.startswith(("V", "H", "E"))}
    assert max(electrodes, key=electrodes.get) in {"Fp1", "Fp2"}
    rows = [["Fp1", "Fp2"], ["AF3", "AF4"], ["F1", "F2"], ["FC1", "FC2"], ["C1", "C2"], ["P1", "P2"]]
    levels = [np.mean([at[name] for name in names]) for names in rows]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == pytest.approx(1)
    assert 0.3 < levels[1] < 0.7
    assert 0.02 < levels[4] < 0.15
    assert at["Fp1"] == pytest.approx(at["Fp2"], rel=0.05)
    assert max(abs(at[name]) for name in ("Pz", "Oz", "O1", "O2")) < 0.1
    assert 200e-6 < parameters.blink_amplitude * at["VEOG"] < 700e-6
    assert abs(at["HEOG"]) < 0.1
    assert at["ECG"] == 0


def test_blinks_come_when_the_body_blinks():
    blinks = {"onsets": [3.0, 7.0], "durations": [0.25, 0.3], "strengths": [1.0, 1.2]}
    made = replace(body(), **{f"blink_{name}": np.array(values) for name, values in blinks.items()})
    forward, parameters = cap(made)
    layer = series(BLINKS, forward, parameters)
    fp1, times = layer[row(forward, "Fp1")], forward.clean.clock.times
    blinking = ((times >= 3) & (times <= 3.25)) | ((times >= 7) & (times <= 7.3))
    assert (fp1[~blinking] == 0).all()
    assert fp1.max() == pytest.approx(1.2 * parameters.blink_amplitude, rel=0.05)
    assert times[fp1[:1000].argmax()] == pytest.approx(3 + 0.4 * 0.25, abs=1.5 / 250)
    assert np.linalg.matrix_rank(layer.astype(float), tol=1e-9) == 1


def test_a_blink_cut_by_the_end_of_the_run_is_cut():
    course = blink_course(Clock(0.0, 0.004, 250), [-0.1, 0.95], [0.25, 0.25], [1.0, 1.0])
    assert course[0] > 0.5
    assert course[-1] > 0
    assert course[50:230].max() == 0


def looking(*targets, onset=1.0, duration=0.05):
    """Someone who looks straight ahead, then elsewhere each second."""
    n = len(targets)
    saccades = Saccades(onset + np.arange(n), np.full(n, duration), np.array([(0.0, 0.0), *targets]))
    return replace(body(duration=10.0), saccades=saccades, blink_onsets=np.zeros(0))


def test_electrodes_on_the_side_looked_to_become_positive():
    forward, parameters = cap(looking((10.0, 0.0), (-10.0, 0.0), (0.0, 10.0), (0.0, -10.0)))
    layer = series(SACCADES, forward, parameters)
    names = ("F7", "F8", "Fp1", "Fp2", "VEOG", "HEOG", "Oz")
    at = {name: layer[row(forward, name), [375, 625, 875, 1125]] for name in names}
    right, left, up, down = 0, 1, 2, 3
    assert at["F8"][right] > 5e-6
    assert at["F7"][right] < -5e-6
    np.testing.assert_allclose(at["F8"][[left, down]], -at["F8"][[right, up]], rtol=1e-5)
    assert at["Fp1"][up] > 10e-6
    assert at["Fp1"][up] == pytest.approx(at["Fp2"][up], rel=0.05)
    assert at["HEOG"][right] == pytest.approx(10 * 16e-6, rel=0.01)
    assert 50e-6 < at["VEOG"][up] < 200e-6
    assert abs(at["VEOG"][right]) < 0.1 * at["VEOG"][up]
    assert np.abs(at["Oz"]).max() < 3e-6
    assert layer[row(forward, "ECG")].max() == 0


def test_the_dipole_turns_with_the_sine_of_gaze():
    forward, parameters = cap(looking((10.0, 0.0), (40.0, 0.0)), spike_amplitude=0.0)
    heog = series(SACCADES, forward, parameters)[row(forward, "HEOG")]
    assert heog[625] / heog[375] == pytest.approx(np.sin(np.radians(40)) / np.sin(np.radians(10)), rel=1e-5)
    np.testing.assert_array_equal(heog[:250], 0)


def test_a_spike_is_one_cycle_of_22_ms():
    fine = spike_course(Clock(0.0, 1e-4, 1000), [0.03], [5.0])
    times = 1e-4 * np.arange(1000)
    inside = (times > 0.0299) & (times < 0.0521)
    assert (fine[~inside] == 0).all()
    assert fine.max() == pytest.approx(1, abs=1e-3)
    assert times[fine.argmax()] == pytest.approx(0.03 + 0.0055, abs=2e-4)
    assert times[fine.argmin()] == pytest.approx(0.03 + 0.0165, abs=2e-4)
    # Each sample is the mean over its interval.
    coarse = spike_course(Clock(0.0, 4e-3, 25), [0.03], [5.0])
    np.testing.assert_allclose(coarse, fine.reshape(25, 40).mean(axis=1), atol=1e-6)
    assert spike_course(Clock(0.0, 4e-3, 25), [0.03], [20.0]).max() == pytest.approx(2 * coarse.max())


@pytest.mark.parametrize("stage", [BLINKS, SACCADES])
@pytest.mark.parametrize("block", [250, 777])
def test_parts_of_any_length_make_the_same(stage, block):
    forward, parameters = cap(body(duration=60.0, saccade_rate=3.0))
    whole, pieces = (series(stage, made, parameters) for made in (forward, in_blocks(forward, block)))
    np.testing.assert_allclose(pieces, whole, atol=1e-5 * np.abs(whole).max())


def test_a_large_head_has_blinks_of_the_size_asked_for():
    """Amplitudes are those of the recording; the map follows the head."""
    forward, parameters = cap(blink_amplitude=1e-4)
    made = recipe(BLINKS, forward, parameters)["map"]
    assert made[[row(forward, "Fp1"), row(forward, "Fp2")]].mean() == pytest.approx(1e-4, rel=1e-9)


def test_coils_see_the_same_eyes():
    (eeg, parameters), (meg, _) = cap(), helmet()
    field = recipe(BLINKS, meg, parameters)["map"]
    magnetometers, gradiometers = (np.abs(field[meg.clean.rows(kind)]) for kind in ("MEGMAG", "MEGGRADPLANAR"))
    assert 0.5e-12 < magnetometers.max() < 4e-12
    assert 0.5e-12 < magnetometers[[row(meg, "MAF7"), row(meg, "MAF8")]].max() < 2e-12
    assert 50e-13 / 1e-2 * 1e-2 < gradiometers.max() < 1e-10
    names = [meg.clean.channels[i].name for i in meg.clean.rows("MEGMAG")]
    assert names[magnetometers.argmax()].startswith(("MFp", "MAF", "MF"))
    for name in ("VEOG", "HEOG"):
        assert field[row(meg, name)] == recipe(BLINKS, eeg, parameters)["map"][row(eeg, name)]
    electric, magnetic = series(BLINKS, eeg, parameters)[row(eeg, "Fp1")], series(BLINKS, meg, parameters)[0]
    np.testing.assert_allclose(
        magnetic / field[0], electric / electric.max() * (magnetic / field[0]).max(), rtol=1e-5, atol=1e-7
    )


def test_gaze_and_blinks_have_moments_in_one_ratio_for_electrodes_and_coils():
    """A gaze of twice the potentials has twice the field, which a blink does not share."""
    meg, parameters = helmet()
    louder = parameters.model_copy(update={"gaze_amplitude": 2 * parameters.gaze_amplitude})
    one, two = (recipe(SACCADES, meg, chosen)["maps"] for chosen in (parameters, louder))
    np.testing.assert_allclose(two[:, :2], 2 * one[:, :2], rtol=1e-12)
    np.testing.assert_array_equal(two[:, 2], one[:, 2])


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_mne_finds_the_blinks(seed):
    """On Fp1 above a brain of 10 uV between 1 and 10 Hz, and in the eye channel."""
    import mne

    made = body(seed, duration=180.0)
    forward, parameters = cap(made)
    signal = series(BLINKS, forward, parameters).astype(float) + series(SACCADES, forward, parameters)
    brain = np.random.Generator(np.random.SFC64(seed)).standard_normal(signal.shape)
    brain = sosfiltfilt(butter(1, (0.5, 12), "bandpass", fs=250.0, output="sos"), brain, axis=1)
    level = sosfiltfilt(butter(4, (1, 10), "bandpass", fs=250.0, output="sos"), brain, axis=1).std()
    signal[:64] += 10e-6 * brain[:64] / level
    signal[:64] -= signal[:64].mean(axis=0)
    names = [channel.name for channel in forward.clean.channels]
    info = mne.create_info(names, 250.0, ["eeg"] * 64 + ["eog", "eog", "ecg"], verbose="error")
    raw = mne.io.RawArray(signal, info, verbose="error")
    peaks = made.blink_onsets + 0.4 * made.blink_durations
    peaks = peaks[(peaks > 0.2) & (peaks < 179.8)]
    for channel in ("Fp1", "VEOG"):
        found = mne.preprocessing.find_eog_events(raw, ch_name=channel, verbose="error")[:, 0] / 250
        precision, recall = agreement(found, peaks, within=0.15)
        assert min(precision, recall) >= 0.9, (channel, precision, recall)
