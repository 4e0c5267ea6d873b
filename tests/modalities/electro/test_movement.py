"""MEG head movement: derivatives against moved coils, the linear term against a direct evaluation, head positions as mne reads them."""

import mne
import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.files import write_tsv
from fakeimaging.modalities.electro.helmet import dev_head_t, head_in_helmet, meg_array, sensors_in
from fakeimaging.modalities.electro.magnetic import magnetic_field
from fakeimaging.modalities.electro.movement import LEFT_OUT, head_positions, moved, pose_derivatives, quaternion
from fakeimaging.modalities.electro.projection import gains_of
from fakeimaging.modalities.electro.sensors import Sensors
from fakeimaging.modalities.motion import rigid
from fakeimaging.testing.fixtures import short_activity, tiny_subject

UNITS = np.array([1.0] * 3 + [1 / 90] * 3)
"""About 1 mm at the scalp."""


def field_at(subject, sensors):
    return magnetic_field(*sensors.coils_in(subject.anatomy.to_template), sensors.owner, len(sensors.names))


def some_of(sensors, rows):
    """Some of the coils."""
    chosen = np.isin(sensors.owner, list(rows))
    owner = np.searchsorted(list(rows), sensors.owner[chosen])
    names, kinds = (tuple(each[i] for i in rows) for each in (sensors.names, sensors.kinds))
    points, directions = sensors.points[chosen], sensors.directions[chosen]
    return Sensors(names, kinds, sensors.positions[list(rows)], points, directions, owner)


@pytest.fixture(scope="module")
def recording():
    return fi.acquire("meg", tiny_subject(), short_activity(), array="ctf151")


@pytest.fixture(scope="module")
def movement(recording):
    return recording.forward.context["movement"]


@pytest.fixture(scope="module")
def activity_part(recording, movement):
    part = recording.clean.part(0)
    return part, movement.courses.at(part)


def true_change(movement, pose):
    """What a pose changes in the gains, from the field at the moved coils."""
    subject, activity = movement.subject, movement.courses.activity
    there = gains_of(subject, activity, field_at(subject, moved(movement.sensors, pose)))
    return there.of_taps - gains_of(subject, activity, movement.field).of_taps


def test_a_head_that_moves_right_sees_the_coils_move_left(movement):
    sensors = movement.sensors
    after = moved(sensors, [3.0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(
        after.points - sensors.points, np.tile([-3.0, 0, 0], (len(sensors.points), 1)), atol=1e-9
    )
    np.testing.assert_allclose(after.directions, sensors.directions, atol=1e-12)
    turned = moved(sensors, [0, 0, 0, 0, 0, 0.1])
    np.testing.assert_allclose(
        np.linalg.norm(turned.positions - turned.positions[0], axis=1),
        np.linalg.norm(sensors.positions - sensors.positions[0], axis=1),
        atol=1e-9,
    )
    assert (
        turned.positions[np.argmax(sensors.positions[:, 1]), 0]
        > sensors.positions[np.argmax(sensors.positions[:, 1]), 0]
    )


def test_derivatives_are_those_of_the_field_at_moved_coils(movement):
    subject, sensors = movement.subject, some_of(movement.sensors, range(0, 151, 10))
    found = pose_derivatives(sensors, subject.anatomy.to_template)
    for k in range(6):
        step = np.zeros(6)
        step[k] = 1e-3 * UNITS[k]
        there, back = (field_at(subject, moved(sensors, sign * step)).maps for sign in (1, -1))
        numeric = (there - back) / (2 * step[k])
        np.testing.assert_allclose(found[k], numeric, atol=1e-6 * np.abs(numeric).max())


@pytest.mark.slow
@pytest.mark.parametrize(("size", "of_itself", "of_signal"), [(1.0, 0.08, 0.004), (3.0, 0.15, 0.02), (5.0, 0.25, 0.06)])
def test_the_first_order_is_this_far_from_a_direct_evaluation(
    movement, recording, activity_part, size, of_itself, of_signal
):
    """Measured on 306 channels and 100 regions: at most 4, 9 and 15 % of the term, 0.2, 1.5 and 3 % of the signal."""
    part, courses = activity_part
    signal = np.linalg.norm(recording.clean.make(0)[:151])
    for seed in (1, 2, 3):
        direction = np.random.Generator(np.random.SFC64(seed)).standard_normal(6)
        pose = size * UNITS * direction / np.linalg.norm(direction)
        true = true_change(movement, pose) @ courses
        error = np.linalg.norm(movement.term(part, np.tile(pose, (part.n, 1))).dense() - true)
        assert error < of_itself * np.linalg.norm(true)
        assert error < of_signal * signal


def test_the_term_is_the_sum_over_the_pose_but_for_what_is_left_out(recording, movement, activity_part):
    part, courses = activity_part
    poses = recording.forward.context["physiology"].motion(part.times)
    gains = movement.gains.of_taps.reshape(6, len(movement.sensors.names), -1)
    whole = sum((gain @ courses) * poses[:, k] for k, gain in enumerate(gains))
    assert np.linalg.norm(movement.term(part, poses).dense() - whole) < 6 * LEFT_OUT * np.linalg.norm(whole)
    np.testing.assert_allclose(
        movement.term(part, 2 * poses).dense(), 2 * movement.term(part, poses).dense(), rtol=1e-3, atol=1e-19
    )


def test_no_movement_adds_nothing():
    still = fi.acquire("meg", tiny_subject(), short_activity(), array="ctf151", movement=0.0)
    assert not still.layer("movement").make(0).any()


def test_movement_is_small_beside_the_signal_and_leaves_triggers_alone(recording):
    term, clean = recording.layer("movement").make(0), recording.clean.make(0)
    assert 1e-4 < np.linalg.norm(term) / np.linalg.norm(clean) < 0.05
    assert not term[151:].any()


@pytest.mark.slow
def test_imposed_sources_move_with_the_head():
    """The term of a run with a source, less that of the same run without it, is the source's own, whole."""
    spot = {"name": "spot", "near": (-38.0, -20.0, 58.0), "moment": 50.0, "waveform": "sinusoid", "frequency": 5.0}
    runs = [
        fi.simulate_activity(tiny_subject(), model="linear", duration=5.0, sources=sources) for sources in ((), [spot])
    ]
    without, recording = (fi.acquire("meg", tiny_subject(), run, array="ctf151") for run in runs)
    own = recording.layer("movement").make(0) - without.layer("movement").make(0)
    part = recording.clean.part(0)
    poses = recording.forward.context["physiology"].motion(part.times)
    gains = recording.forward.context["movement"].gains.sources.reshape(6, -1)
    expected = (poses @ gains).T * runs[1].sources[0].course(part.times)
    assert np.linalg.norm(expected) > 0
    assert np.linalg.norm(own[:151] - expected) < 3 * LEFT_OUT * np.linalg.norm(expected)


def test_mne_reads_the_head_positions(tmp_path):
    subject, body, array = tiny_subject(), short_activity().physiology, meg_array("neuromag306")
    place = head_in_helmet(subject, array, 15.0)
    table = head_positions(subject, body, place, 20.0)
    write_tsv(tmp_path / "head.pos", list(table.columns), [list(row) for row in table.rows])
    trans, turns, times = mne.chpi.head_pos_to_trans_rot_t(mne.chpi.read_head_pos(tmp_path / "head.pos"))
    assert times[0] == 0
    assert times[-1] == pytest.approx(body.duration)
    for i in (0, 7, len(times) - 1):
        pose = 20.0 * body.motion(times[[i]])[0]
        expected = dev_head_t(subject, np.linalg.inv(rigid(pose)) @ place)
        np.testing.assert_allclose(trans[i], expected[:3, 3], atol=1e-6)
        np.testing.assert_allclose(turns[i], expected[:3, :3], atol=1e-5)
        # The same as coils that move about a still head.
        coils = moved(sensors_in(subject, array, place), pose).positions
        np.testing.assert_allclose(
            coils, sensors_in(subject, array, np.linalg.inv(rigid(pose)) @ place).positions, atol=1e-9
        )


def test_quaternions_are_mnes():
    for seed in (1, 2, 3):
        angles = 0.5 * np.random.Generator(np.random.SFC64(seed)).standard_normal(3)
        turn = rigid([0, 0, 0, *angles])[:3, :3]
        np.testing.assert_allclose(quaternion(turn), mne.transforms.rot_to_quat(turn), atol=1e-12)


def recording_stages():
    return [stage.name for stage in fi.MODALITIES.get("meg").observe]


@pytest.mark.slow
def test_maxwell_filtering_with_the_true_positions_undoes_movement(tmp_path):
    """Measured over 20 s: what is left falls from 5.3 % to 0.5 % of the signal, and rises to 10 % with positions of the wrong sign."""
    activity = fi.simulate_activity(tiny_subject(seed=3), model="linear", duration=6.0)
    off = [stage for stage in recording_stages() if stage != "movement"]
    recording = fi.acquire("meg", tiny_subject(seed=3), activity, movement=20.0, off=off)
    moving = recording.to_mne()
    clean = mne.io.RawArray(recording.clean.to_array().astype(float), moving.info, verbose="error")
    table = next(each for each in recording.companions if each.name == "headpositions")
    write_tsv(tmp_path / "head.pos", list(table.columns), [list(row) for row in table.rows])
    options = {"origin": (0.0, 0.0, 0.04), "regularize": None, "ext_order": 1, "verbose": "error"}
    positions = mne.chpi.read_head_pos(tmp_path / "head.pos")
    still, left, undone = (
        mne.preprocessing.maxwell_filter(raw, head_pos=where, **options).get_data("mag")
        for raw, where in ((clean, None), (moving, None), (moving, positions))
    )
    assert np.linalg.norm(undone - still) < 0.25 * np.linalg.norm(left - still)
