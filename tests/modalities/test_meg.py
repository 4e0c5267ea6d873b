"""MEG: sizes, geometry, the field against mne's sphere, triggers, what the files say."""

from dataclasses import replace

import mne
import numpy as np
import pytest
from scipy.signal import welch

import fakeimaging as fi
from fakeimaging.activity.stimuli import Event
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import ParameterError, RateError
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.electrodes import native_to_captrak
from fakeimaging.modalities.electro.helmet import dev_head_t, head_in_helmet, meg_array, sensors_in
from fakeimaging.modalities.electro.lead_field import to_native
from fakeimaging.modalities.electro.magnetic import magnetic_field
from fakeimaging.modalities.electro.sources import patch_moments
from fakeimaging.modalities.layers import Channel, Series
from fakeimaging.modalities.meg import MODALITY, TRIGGER, MegParameters, trigger_codes, with_triggers
from fakeimaging.testing.fixtures import short_activity, tiny_subject
from tests.modalities.electro.bodies import agreement

FEMTO, NANO = 1e-15, 1e-9


def helmet_field(subject, *, gap=15.0, array="neuromag306"):
    coils = meg_array(array)
    sensors = sensors_in(subject, coils, head_in_helmet(subject, coils, gap))
    return magnetic_field(*sensors.coils_in(subject.anatomy.to_template), sensors.owner, len(sensors.names)), sensors


@pytest.fixture(scope="module")
def helmet():
    return helmet_field(tiny_subject(seed=2))


@pytest.fixture(scope="module")
def recording():
    return fi.acquire("meg", tiny_subject(), short_activity(), array="ctf151")


@pytest.mark.parametrize(
    "place",
    [(-12, -95, 8), (-35, -60, 50), (-38, -20, 58), (-52, -20, 8)],
    ids=["occipital", "parietal", "motor", "auditory"],
)
def test_a_coherent_patch_makes_the_field_that_is_measured(helmet, place):
    """0.1 to 0.3 nAm/mm2 over 20 to 40 cm2: 0.2 to 2 pT in the largest magnetometer, tens to hundreds of fT/cm."""
    field, sensors = helmet
    moments = patch_moments(field.space, place, 20.0, total=False)
    assert 2000 < moments.sum() / NANO < 4500
    made = field.project(moments)[:, 0]
    mags, grads = (np.abs(made[sensors.rows(kind)]).max() for kind in ("MEGMAG", "MEGGRADPLANAR"))
    assert 0.1 * mags > 0.15e-12
    assert 0.2 * mags > 0.2e-12
    assert 0.3 * mags < 2e-12
    assert 20 * FEMTO * 100 < 0.1 * grads < 400 * FEMTO * 100


def test_a_tangential_source_is_seen_better_than_a_radial_one(helmet):
    """Of a sphere's radial sources nothing is seen; in this head a tenth to a third of the tangential ones at the same depth."""
    field, sensors = helmet
    space = field.space
    centre = np.array([0.0, -18.0, 10.0])
    out = space.points - centre
    distance = np.linalg.norm(out, axis=1)
    radial = np.abs(np.einsum("ij,ij->i", out / distance[:, None], space.normals.astype(float)))
    shallow = space.cortex & (distance > 65) & (space.points[:, 2] > 0)
    size = np.linalg.norm(field.columns()[sensors.rows("MEGMAG")][:, : len(radial)], axis=0)
    crowns, walls = (np.median(size[shallow & chosen]) for chosen in (radial > 0.98, radial < 0.3))
    assert crowns < walls / 3


def test_farther_coils_see_less():
    (near, sensors), (far, _) = (helmet_field(tiny_subject(seed=3), gap=gap) for gap in (12.0, 22.0))
    moments = patch_moments(near.space, (-12, -95, 8), 20.0, total=False)
    rows = sensors.rows("MEGMAG")
    sizes = [np.abs(field.project(moments)[rows]).max() for field in (near, far)]
    assert sizes[1] < 0.8 * sizes[0]


def test_a_larger_head_makes_a_larger_field_in_the_same_helmet():
    """What a density makes at the same relative place does not depend on size; a larger head fills the helmet."""
    subject, found = tiny_subject(seed=3), []
    for factor in (0.95, 1.05):
        larger = subject.anatomy.to_template @ np.diag([1 / factor, 1 / factor, 1 / factor, 1])
        head = replace(subject, anatomy=replace(subject.anatomy, to_template=larger))
        field, sensors = helmet_field(head)
        gain = field.columns()[sensors.rows("MEGMAG")][:, np.flatnonzero(field.space.cortex)]
        found.append(np.linalg.norm(gain))
    assert found[1] > 1.1 * found[0]


def test_the_field_is_roughly_that_of_mnes_sphere(helmet):
    """A sphere fitted to the inner skull differs from boundary elements by a median RDM of 0.17 (reference: 0.08 to 0.7)."""
    field, sensors = helmet
    subject, space = tiny_subject(seed=2), field.space
    to_head = native_to_captrak(subject) @ to_native(subject)
    kept = np.flatnonzero(space.cortex & (space.points[:, 2] > 10))[::80]
    points = 1e-3 * apply_affine(to_head, space.points[kept])
    normals = space.normals[kept].astype(float) @ np.linalg.inv(to_head[:3, :3])
    array = meg_array("neuromag306")
    types = ["mag" if kind == "MEGMAG" else "grad" for kind in array.kinds]
    info = mne.create_info(list(array.names), 250.0, types)
    place = dev_head_t(subject, head_in_helmet(subject, array, 15.0))
    with info._unlock():
        info["dev_head_t"] = mne.transforms.Transform("meg", "head", place)
        for channel, coil, loc in zip(info["chs"], array.coil_types, array.loc, strict=True):
            channel["coil_type"], channel["loc"] = int(coil), loc.copy()
    sources = mne.setup_volume_source_space(pos={"rr": points, "nn": normals}, verbose="error")
    middle = 1e-3 * apply_affine(to_head, [-1.0, -10.0, 8.0])
    sphere = mne.make_sphere_model(tuple(middle), None, verbose="error")
    forward = mne.make_forward_solution(
        info, mne.transforms.Transform("mri", "head"), sources, sphere, eeg=False, mindist=0.0, verbose="error"
    )
    free = forward["sol"]["data"].reshape(len(array.names), -1, 3)
    unit = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    size = np.abs(np.linalg.det(to_head[:3, :3])) ** (-2 / 3)
    for kind in ("MEGMAG", "MEGGRADPLANAR"):
        rows = sensors.rows(kind)
        theirs = np.einsum("csk,sk->cs", free, unit)[rows]
        ours = size * field.columns()[rows][:, kept]
        length = [np.linalg.norm(each, axis=0) for each in (theirs, ours)]
        apart = np.linalg.norm(theirs / length[0] - ours / length[1], axis=0)
        tangential = length[0] > np.median(length[0])
        assert np.median(apart[tangential]) < 0.3
        assert 0.75 < np.median((length[1] / length[0])[tangential]) < 1.3


def test_the_clean_signal_is_gain_times_course(recording):
    context = recording.forward.context
    part = recording.clean.part(0)
    courses = context["movement"].courses.at(part)
    clean = recording.clean.make(0)
    expected = context["gains"].of_taps.astype(float) @ courses
    np.testing.assert_allclose(clean[:151], expected, atol=1e-5 * np.abs(expected).max())
    assert not clean[151:].any()
    assert recording.truth["region_gain"].shape == (10, 151)


def test_channels_have_names_kinds_units_and_steps():
    recording = fi.acquire("meg", tiny_subject(), short_activity())
    channels = recording.clean.channels
    assert [channel.kind for channel in channels].count("MEGMAG") == 102
    assert [channel.kind for channel in channels].count("MEGGRADPLANAR") == 204
    assert channels[-1] == Channel(TRIGGER, "TRIG", "V", 1.0)
    units = {channel.kind: (channel.unit, channel.resolution) for channel in channels}
    assert units["MEGMAG"] == ("T", 1e-15)
    assert units["MEGGRADPLANAR"] == ("T/m", pytest.approx(1e-13))
    sensors = recording.forward.context["sensors"]
    assert sensors.names == tuple(channel.name for channel in channels)
    assert [channel.kind for channel in channels[306:]] == ["VEOG", "HEOG", "ECG", "TRIG"]
    assert np.isnan(sensors.positions[306:]).all()
    table = next(table for table in recording.forward.companions if table.name == "channels")
    assert table.columns[:3] == ("name", "type", "units")
    assert [row[0] for row in table.rows] == [channel.name for channel in channels]
    observed = recording.observed.make(0)
    steps = observed[:-1] / recording.clean.steps[:-1, None]
    assert np.abs(steps - np.rint(steps)).max() < 0.01
    assert np.abs(steps).max() < 32_767
    assert recording.clean.shape == MODALITY.shape(recording.parameters, 20.0)


def test_the_sidecar_has_what_bids_requires(recording):
    told = MODALITY.sidecar(recording.parameters, recording.forward)
    for key in (
        "SamplingFrequency", "PowerLineFrequency", "DewarPosition", "SoftwareFilters", "DigitizedLandmarks",
        "DigitizedHeadPoints",
    ):  # fmt: skip
        assert key in told
    assert told["MEGChannelCount"] == 151
    assert told["MEGREFChannelCount"] == 0
    assert told["TriggerChannelCount"] == told["ECGChannelCount"] == 1
    assert told["EOGChannelCount"] == 0  # of the generic type: these are VEOG and HEOG
    assert told["RecordingDuration"] == pytest.approx(20.0)


@pytest.mark.slow
def test_equal_recordings_have_equal_bits_and_runs_their_own_position(recording):
    again = fi.acquire("meg", tiny_subject(), short_activity(), array="ctf151")
    np.testing.assert_array_equal(recording.observed.make(0), again.observed.make(0))
    repeated = fi.acquire("meg", tiny_subject(), short_activity(), array="ctf151", repeat=2)
    position = [each.forward.context["dev_head_t"] for each in (recording, repeated)]
    np.testing.assert_array_equal(*position)
    other = fi.acquire("meg", tiny_subject(), short_activity(run=2), array="ctf151").forward.context["dev_head_t"]
    assert 1e-4 < np.abs(other - position[0]).max() < 0.1


def test_without_spread_every_run_has_the_head_where_it_fits_best():
    for run in (1, 2):
        recording = fi.acquire(
            "meg", tiny_subject(), short_activity(run=run), array="ctf151", head_rotation_sd=0.0, head_shift_sd=0.0
        )
        place = head_in_helmet(tiny_subject(), meg_array("ctf151"), 15.0)
        expected = sensors_in(tiny_subject(), meg_array("ctf151"), place).positions
        np.testing.assert_allclose(recording.forward.context["sensors"].positions[:151], expected, atol=1e-9)


def test_noise_has_the_density_that_is_asked_for():
    recording = fi.acquire("meg", tiny_subject(), short_activity(), noise_corner=0.0)
    noise = recording.layer("sensor").make(0)
    for kind, density in (("MEGMAG", 3e-15), ("MEGGRADPLANAR", 3e-13)):
        rows = recording.clean.rows(kind)
        _, power = welch(noise[rows], 250.0, nperseg=500)
        assert np.sqrt(power[:, 5:-5].mean()) == pytest.approx(density, rel=0.05)
    assert not noise[-1].any()


def test_a_bad_coil_is_flat_or_noisy_and_told():
    bad = {"MLC11-606": "flat", "MLF12-606": "noisy"}
    recording = fi.acquire("meg", tiny_subject(), short_activity(), array="ctf151", bad_channels=bad)
    names = [channel.name for channel in recording.clean.channels]
    sizes = recording.observed.make(0)[:151].std(axis=1)
    assert sizes[names.index("MLC11-606")] < 0.01 * np.median(sizes)
    assert sizes[names.index("MLF12-606")] > 3e-12
    table = next(table for table in recording.companions if table.name == "channels")
    status = table.columns.index("status")
    assert [row[0] for row in table.rows if row[status] == "bad"] == list(bad)


def test_heart_and_blinks_are_seen_by_coils_and_their_own_channels():
    recording = fi.acquire("meg", tiny_subject(), short_activity())
    mags = recording.clean.rows("MEGMAG")
    for stage, kind, least, most in (("heart", "ECG", 2e-13, 5e-12), ("blinks", "VEOG", 2e-13, 5e-12)):
        term = recording.layer(stage).make(0)
        assert np.abs(term[recording.clean.rows(kind)]).max() > 1e-4
        assert least < np.abs(term[mags]).max() < most
        assert not term[-1].any()


EVENTS = (
    Event(0.5, 0.1, "tone"), Event(1.0, 0.1, "tone"), Event(1.012, 0.1, "face"), Event(2.0, 0.1, "face"),
    Event(2.0, 0.1, "tone"), Event(32.76, 0.1, "word"), Event(900.0, 0.1, "face"),
)  # fmt: skip


def test_mne_finds_the_events_in_the_trigger_channel():
    """One that begins within the pulse of another is found too, the larger code of two at once, one across two parts once."""
    clock = Clock(0.0, 1 / 250, 10_000)
    channels = (Channel("MEG0111", "MEGMAG", "T"), Channel(TRIGGER, "TRIG", "V", 1.0))
    still = Series(channels, clock, lambda v: np.zeros((2, 8192 if v == 0 else 1808), dtype=np.float32), 1e-15, 8192)
    assert trigger_codes(EVENTS) == {"face": 1, "tone": 2, "word": 3}
    series = with_triggers(still, EVENTS)
    info = mne.create_info(["MEG0111", TRIGGER], 250.0, ["mag", "stim"])
    raw = mne.io.RawArray(series.to_array(), info, verbose="error")
    found = mne.find_events(raw, shortest_event=1, verbose="error")
    assert found[:, [0, 2]].tolist() == [[125, 2], [250, 2], [253, 1], [500, 2], [8190, 3]]
    assert not series.make(0)[0].any()


def test_events_of_a_run_are_pulses_in_the_recording():
    activity = replace(short_activity(), events=EVENTS[1:3])
    recording = fi.acquire("meg", tiny_subject(), activity, array="ctf151")
    observed = recording.observed.make(0)[-1]
    assert sorted(set(observed.tolist())) == [0.0, 1.0, 2.0]
    assert np.flatnonzero(np.diff(observed) > 0).tolist() == [249, 252]
    assert MODALITY.sidecar(recording.parameters, recording.forward)["TriggerCodes"] == {"face": 1, "tone": 2}
    without = fi.acquire("meg", tiny_subject(), activity, array="ctf151", triggers=False)
    assert len(without.clean.channels) == 154
    np.testing.assert_array_equal(without.clean.make(0), recording.clean.make(0)[:-1])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"array": "neuromag"}, "neuromag306"),
        ({"gap": 0.0}, r"`meg.gap`: 0 mm is outside \[5, 60\]"),
        ({"low_pass": 200.0}, "low_pass"),
        ({"bad_channels": {"MEG 0112x": "flat"}}, "no channel 'MEG 0112x'; did you mean 'MEG 0112'"),
        ({"bad_channels": {"MEG 0112": "bridged"}}, "bad_channels"),
        ({"sampling_rate": 100.0}, "sampling_frequency"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        MegParameters.parse(wrong, where="meg")


def test_a_rate_above_the_activitys_is_refused():
    with pytest.raises(RateError, match=r"meg.sampling_frequency"):
        fi.acquire("meg", tiny_subject(), short_activity(), sampling_frequency=10_000.0)


@pytest.mark.parametrize("seed", [11, 12])
def test_eye_and_heart_are_those_of_the_run_as_in_eeg(seed):
    """mne finds the beats in the ECG channel and in magnetometers without a brain, and blinks in VEOG."""
    run = fi.simulate_activity(tiny_subject(seed=seed), model="linear", duration=60.0)
    body, subject = run.physiology, tiny_subject(seed=seed)
    meg, eeg = fi.acquire("meg", subject, run), fi.acquire("eeg", subject, run)
    artefacts = sum(meg.layer(name).to_array().astype(float) for name in ("blinks", "saccades", "heart"))
    for channel in ("VEOG", "HEOG", "ECG"):
        rows = [[c.name for c in made.clean.channels].index(channel) for made in (meg, eeg)]
        np.testing.assert_array_equal(
            meg.layer("saccades").to_array()[rows[0]], eeg.layer("saccades").to_array()[rows[1]]
        )
        np.testing.assert_array_equal(meg.layer("heart").to_array()[rows[0]], eeg.layer("heart").to_array()[rows[1]])
    raw = mne.io.RawArray(artefacts, meg.to_mne().info, verbose="error")
    beats = body.beats[(body.beats > 0.5) & (body.beats < 59.5)]
    for found in (
        mne.preprocessing.find_ecg_events(raw, ch_name="ECG", verbose="error")[0][:, 0] / 250,
        mne.preprocessing.find_ecg_events(raw.copy().pick("mag"), verbose="error")[0][:, 0] / 250,
    ):
        inside = found[(found > 0.5) & (found < 59.5)]
        assert min(agreement(inside, beats, within=0.05)) >= 0.9
    peaks = body.blink_onsets + 0.4 * body.blink_durations
    peaks = peaks[(peaks > 0.2) & (peaks < 59.8)]
    found = mne.preprocessing.find_eog_events(raw, ch_name="VEOG", verbose="error")[:, 0] / 250
    assert min(agreement(found, peaks, within=0.15)) >= 0.9
    blink = np.abs(meg.recipe("blinks")["map"][meg.clean.rows("MEGMAG")])
    assert 0.5e-12 < blink.max() < 2.5e-12
