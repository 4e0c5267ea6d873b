import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.dataset.artefacts import COLUMNS, NAME, WORDS, artefact_table, with_artefacts
from fakeimaging.testing.fixtures import tiny_subject
from tests.modalities.test_eeg import noise, run_of


@pytest.fixture(scope="module")
def activity():
    return run_of(tiny_subject(), 0.1 * noise(15_000, 10))


def acquired(activity, modality="eeg", **parameters):
    return fi.acquire(modality, tiny_subject(), activity, **parameters)


def rows(recording, *kinds):
    (table,) = (table for table in with_artefacts(recording) if table.name == NAME)
    assert table.columns == COLUMNS
    assert table.truth
    return [dict(zip(COLUMNS, row, strict=True)) for row in table.rows if not kinds or row[2] in kinds]


def test_what_the_body_does_in_the_run_is_listed_in_order(activity):
    recording, body = acquired(activity, montage="standard_1020"), activity.physiology
    stop = recording.clean.clock.stop
    inside = (body.blink_onsets >= 0) & (body.blink_onsets < stop)
    blinks, beats = rows(recording, "blink"), rows(recording, "heartbeat")
    np.testing.assert_allclose([row["onset"] for row in blinks], body.blink_onsets[inside], atol=1e-6)
    np.testing.assert_allclose([row["duration"] for row in blinks], body.blink_durations[inside], atol=1e-6)
    assert len(beats) == ((body.beats >= 0) & (body.beats < stop)).sum()
    every = [row["onset"] for row in rows(recording)]
    assert every == sorted(every)
    assert {row["trial_type"] for row in rows(recording)} <= set(WORDS)


def test_a_blink_is_as_large_as_its_layer_shows(activity):
    recording = acquired(activity, montage="standard_1020")
    layer, names = recording.layer("blinks").to_array(), [channel.name for channel in recording.clean.channels]
    clock, (first, *_) = recording.clean.clock, rows(recording, "blink")
    assert first["channel"] in {"Fp1", "Fp2", "Fpz"}
    span = slice(clock.index(first["onset"]), clock.index(first["onset"] + first["duration"]))
    assert layer[names.index(first["channel"]), span].max() == pytest.approx(first["amplitude"], rel=0.03)


def test_a_stage_that_is_off_makes_no_artefacts(activity):
    found = {row["trial_type"] for row in rows(acquired(activity, off=["blinks", "muscle", "saccades"]))}
    assert "heartbeat" in found
    assert not found & {"blink", "saccade", "temporalis", "frontalis", "neck"}


def test_bad_channels_pops_and_volumes_are_there_once(activity):
    recording = acquired(
        activity,
        montage="standard_1020",
        bad_channels={"T7": "flat", "O1": "loose"},
        pop_rate=1.0,
        scanner=3.0,
    )
    (flat,) = rows(recording, "flat")
    assert (flat["channel"], flat["onset"], flat["duration"]) == ("T7", 0.0, recording.clean.clock.stop)
    losses = rows(recording, "loose")
    assert {row["channel"] for row in losses} == {"O1"}
    assert len(losses) == len(recording.recipe("bad")["loss_onset"])
    assert len(rows(recording, "pop")) == len(recording.recipe("pops")["onset"])
    assert len(rows(recording, "volume")) == recording.recipe("gradient")["n_volumes"]
    names = [table.name for table in with_artefacts(recording)]
    assert [name for name in names if name.endswith("_events")] == [NAME]


def test_coils_and_contacts_have_a_table_too(activity):
    meg = rows(acquired(activity, "meg", array="ctf151", sampling_frequency=125.0))
    assert {"blink", "heartbeat"} <= {row["trial_type"] for row in meg}
    assert all(abs(row["amplitude"]) < 1e-10 for row in meg if row["trial_type"] == "blink")
    ieeg = acquired(activity, "ieeg", implants="hippocampal_shafts", bad_channels=1, bad_kinds=["noisy"])
    assert [row["trial_type"] for row in rows(ieeg)] == ["noisy"]


def test_every_kind_is_described(activity):
    table = artefact_table(acquired(activity), [])
    kinds = {row[2] for row in table.rows}
    assert set(table.about["trial_type"]["Levels"]) == kinds


def test_an_image_has_no_such_table():
    recording = fi.acquire("t1w", tiny_subject(), voxel_size=8.0)
    assert with_artefacts(recording) == recording.companions
