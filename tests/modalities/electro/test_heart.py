import numpy as np
import pytest

from fakeimaging.modalities.electro.heart import HEART_FIELD, NUDGES, PULSE, pulse_courses, turning_potential
from fakeimaging.modalities.electro.lead_field import electric
from tests.modalities.electro.bodies import agreement, body, cap, helmet, in_blocks, recipe, row, series


def test_the_head_sees_an_even_gradient_of_the_size_asked_for():
    forward, parameters = cap(montage="all", heart_amplitude=8e-6)
    made, electrodes = recipe(HEART_FIELD, forward, parameters)["map"], forward.clean.rows("EEG")
    at, places = made[electrodes], electric().electrodes
    assert np.abs(at).max() == pytest.approx(8e-6)
    assert at.mean() == pytest.approx(0, abs=1e-12)
    fit = np.c_[places, np.ones(len(places))]
    rest = at - fit @ np.linalg.lstsq(fit, at, rcond=None)[0]
    assert rest.std() < 0.25 * at.std()
    assert made[row(forward, "T7")] > made[row(forward, "T8")]
    assert made[row(forward, "Cz")] > made[row(forward, "Iz")]
    assert made[row(forward, "ECG")] == parameters.ecg_amplitude


def test_the_ecg_beats_with_the_body():
    forward, parameters = cap()
    layer, made = series(HEART_FIELD, forward, parameters), forward.context["physiology"]
    ecg = layer[row(forward, "ECG")]
    np.testing.assert_allclose(ecg, 1e-3 * made.ecg(forward.clean.clock.times), rtol=1e-5, atol=1e-9)
    beats = made.beats[(made.beats > 1) & (made.beats < 119)]
    assert ecg[np.round(beats * 250).astype(int)].min() > 0.8e-3
    lag = np.fft.irfft(np.abs(np.fft.rfft(ecg - ecg.mean(), 2 * len(ecg))) ** 2)[125:375].argmax() + 125
    assert lag / 250 == pytest.approx(np.diff(beats).mean(), rel=0.05)
    assert np.linalg.matrix_rank(layer.astype(float), tol=1e-10) == 1


def test_coils_see_the_same_heart_weaker_the_farther_off():
    (eeg, parameters), (meg, _) = cap(), helmet()
    field = recipe(HEART_FIELD, meg, parameters)["map"]
    magnetometers, gradiometers = (np.abs(field[meg.clean.rows(kind)]) for kind in ("MEGMAG", "MEGGRADPLANAR"))
    assert 1e-12 < magnetometers.max() < 5e-12
    # 130 fT/cm on average over people (Jousmaki and Hari 1996).
    assert 50e-13 < gradiometers.max() < 300e-13
    beats = [series(HEART_FIELD, made, parameters) for made in (eeg, meg)]
    np.testing.assert_array_equal(*(layer[row(made, "ECG")] for layer, made in zip(beats, (eeg, meg), strict=True)))
    assert abs(np.corrcoef(beats[0][0], beats[1][0])[0, 1]) == pytest.approx(1)


@pytest.mark.parametrize("block", [250, 777])
def test_parts_of_any_length_make_the_same(block):
    forward, parameters = cap(scanner=3.0)
    for stage in (HEART_FIELD, PULSE):
        whole, pieces = (series(stage, made, parameters) for made in (forward, in_blocks(forward, block)))
        np.testing.assert_allclose(pieces, whole, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_mne_finds_the_beats(seed):
    import mne

    made = body(seed)
    forward, parameters = cap(made)
    noise = 1e-5 * np.random.Generator(np.random.SFC64(seed)).standard_normal((1, 30_000))
    signal = series(HEART_FIELD, forward, parameters)[[row(forward, "ECG")]] + noise
    raw = mne.io.RawArray(signal, mne.create_info(["ECG"], 250.0, "ecg", verbose="error"), verbose="error")
    found = mne.preprocessing.find_ecg_events(raw, ch_name="ECG", verbose="error")[0][:, 0] / 250
    beats = made.beats[(made.beats > 0.5) & (made.beats < 119.5)]
    precision, recall = agreement(found[(found > 0.5) & (found < 119.5)], beats, within=0.05)
    assert precision >= 0.9
    assert recall >= 0.9


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_mne_finds_the_beats_in_magnetometers(seed):
    import mne

    made = body(seed)
    forward, parameters = helmet(made)
    rows = forward.clean.rows("MEGMAG")
    noise = 5e-14 * np.random.Generator(np.random.SFC64(seed)).standard_normal((len(rows), 30_000))
    signal = series(HEART_FIELD, forward, parameters)[rows] + noise
    info = mne.create_info([f"MEG{i:04}" for i in rows], 250.0, "mag", verbose="error")
    raw = mne.io.RawArray(signal, info, verbose="error")
    found = mne.preprocessing.find_ecg_events(raw, verbose="error")[0][:, 0] / 250
    beats = made.beats[(made.beats > 0.5) & (made.beats < 119.5)]
    precision, recall = agreement(found[(found > 0.5) & (found < 119.5)], beats, within=0.05)
    assert precision >= 0.9
    assert recall >= 0.9


def test_a_turning_sphere_balances_the_induced_field():
    """At its surface no current leaves: the slope of the potential outward is that of (w x r) x B; inside it has no more curl than E."""
    rng = np.random.Generator(np.random.SFC64(1))
    turn, field, middle, pivot = rng.standard_normal((4, 3))
    out = rng.standard_normal((50, 3))
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    surface, step = middle + 80 * out, 1e-3

    def phi(places):
        return turning_potential(places, turn, field, middle=middle, pivot=pivot)

    slope = (phi(surface + step * out) - phi(surface - step * out)) / (2e-3 * step)
    induced = np.cross(np.cross(turn, 1e-3 * (surface - pivot)), field)
    np.testing.assert_allclose(slope, (induced * out).sum(axis=1), atol=1e-9)
    assert phi(middle[None])[0] == pytest.approx(0)


def test_outside_a_scanner_there_is_no_pulse_artefact():
    forward, parameters = cap()
    assert (series(PULSE, forward, parameters) == 0).all()


def test_the_pulse_comes_a_fifth_of_a_second_after_each_beat_and_grows_with_the_field():
    forward, parameters = cap(scanner=3.0)
    stronger = parameters.model_copy(update={"scanner": 7.0})
    layer = series(PULSE, forward, parameters)
    np.testing.assert_allclose(series(PULSE, forward, stronger), layer * 7 / 3, rtol=1e-4, atol=1e-9)
    eeg = layer[:64] - layer[:64].mean(axis=0)
    made = forward.context["physiology"]
    beats = made.beats[(made.beats > 1) & (made.beats < 118)]
    window = (np.round(beats * 250)[:, None] + np.arange(200)).astype(int)
    average = eeg[:, window].mean(axis=1)
    assert 50e-6 < np.abs(average).max() < 150e-6
    loudest = np.abs(average).max(axis=1).argmax()
    assert np.abs(average[loudest]).argmax() / 250 == pytest.approx(0.21, abs=0.03)
    # Each beat differs from their mean, by about a fifth.
    assert 0.1 < (eeg[loudest, window] - average[loudest]).std() / average[loudest].std() < 0.5
    assert np.linalg.matrix_rank(layer.astype(float), tol=1e-9) == 3
    # Nodding makes the sides of the head unlike.
    assert average[row(forward, "T7"), 52] * average[row(forward, "T8"), 52] < 0
    assert layer[row(forward, "ECG")].max() == 0
    # Half a degree per second makes 100 uV and more (Yan et al. 2010).
    assert 0.2 < np.degrees(recipe(PULSE, forward, parameters)["speed"]) < 2


def test_nudges_are_in_the_order_of_turns():
    courses = pulse_courses(np.arange(0, 1, 0.001), np.array([0.0]), np.array([[1.0, 2.0, 3.0]]), np.array([0.05]))
    for course, size, (_, delay, _) in zip(courses, (1, 2, 3), (nudge[0] for nudge in NUDGES.values()), strict=True):
        assert 1e-3 * course.argmax() == pytest.approx(delay + 0.05, abs=0.015)
        assert course.max() == pytest.approx(size, rel=0.15)
