import os
from dataclasses import replace

import numpy as np
import pytest

from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError
from fakeimaging.core.files import sha256_of
from fakeimaging.dataset.fif import Digitised, FifInfo, numbers, read_samples, write_fif
from fakeimaging.modalities.layers import Channel, Series

mne = pytest.importorskip("mne")

RATE, BLOCK = 200.0, 512
KINDS = [("MEG0111", "MEGMAG", "T", 1e-13), ("MEG0112", "MEGGRADPLANAR", "T/m", 1e-12), ("EEG001", "EEG", "V", 5e-6)]
KINDS += [("EEG:2", "EEG", "V", 5e-6), ("EOG061", "VEOG", "V", 5e-5), ("ECG063", "ECG", "V", 3e-4)]
KINDS += [("RESP", "RESP", "n/a", 1.0)]
CHANNELS = tuple(Channel(name, kind, unit, scale / 500) for name, kind, unit, scale in KINDS)
CHANNELS += (Channel("STI101", "TRIG", "n/a", 1.0),)
PULSES = [(300, 1), (1200, 2), (2000, 1)]


def samples(n=3000):
    scales = np.array([[scale] for *_, scale in KINDS])
    rows = scales * np.random.Generator(np.random.SFC64(1)).standard_normal((len(KINDS), n))
    triggers = np.zeros((1, n))
    for first, code in PULSES:
        triggers[0, first : first + 5] = code
    return np.concatenate([rows, triggers]).astype(np.float32)


def series(array=None, block=BLOCK, rate=RATE, channels=CHANNELS):
    array = samples() if array is None else array

    def make(v):
        return array[:, v * (block or 0) :][:, : block or array.shape[1]]

    return Series(channels, Clock(0.0, 1 / rate, array.shape[1]), make, 1e-7, block)


def info():
    rng = np.random.Generator(np.random.SFC64(2))
    locations = np.full((len(CHANNELS), 12), np.nan)
    for row in (0, 1):
        frame, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        locations[row] = np.concatenate([[0.1 * row, 0.02, 0.1], frame.T.ravel()])
    locations[2:4] = np.concatenate([[0.03, 0.02, 0.1], np.zeros(9)])
    moved = np.eye(4)
    moved[:3] = [[0, -1, 0, 0.01], [1, 0, 0, -0.02], [0, 0, 1, 0.04]]
    return FifInfo(
        locations=locations,
        coil_types=(3024, 3012, 0, 0, 0, 0, 0, 0),
        device_to_head=moved,
        digitised=Digitised(
            fiducials=[[-0.07, 0, 0], [0, 0.1, 0], [0.07, 0, 0]],
            hpi=0.1 * rng.random((4, 3)),
            electrodes=0.1 * rng.random((2, 3)),
            head=0.1 * rng.random((30, 3)),
        ),
        line_frequency=50.0,
        highpass=0.1,
        lowpass=66.0,
        bads=("MEG0112", "EEG:2"),
        annotations=((12.0, 1.5, "BAD_muscle"), (3.1234567, 0.0, "go: left")),
        description="simulated; ½ µV",
        device="a helmet",
        subject="sub-01",
        custom_reference=True,
    )


def read(path, **options):
    return mne.io.read_raw_fif(path, verbose="warning", **options)


def write(folder, name="sub-01_task-rest_meg.fif", written=None, **options):
    return write_fif(folder / name, written or series(), info(), **options)


def test_the_numbers_are_those_of_mne():
    ours = {name: value for name, value in vars(numbers).items() if name.startswith("FIFF")}
    assert len(ours) > 80
    assert ours == {name: getattr(mne.io.constants.FIFF, name) for name in ours}


def test_mne_reads_every_bit_of_the_samples(tmp_path):
    files = write(tmp_path)
    raw = read(tmp_path / "sub-01_task-rest_meg.fif")
    np.testing.assert_array_equal(raw.get_data().astype(np.float32), samples())
    assert raw.get_data(start=500, stop=530).shape == (8, 30)
    assert raw.ch_names == [channel.name for channel in CHANNELS]
    assert raw.get_channel_types() == ["mag", "grad", "eeg", "eeg", "eog", "ecg", "resp", "stim"]
    assert raw.info["sfreq"] == RATE
    assert raw.first_samp == 0
    (name, entry), *others = files.items()
    assert not others
    assert entry.sha256 == sha256_of(tmp_path / name)
    assert entry.bytes == (tmp_path / name).stat().st_size


def test_mne_reads_all_that_is_said_of_the_recording(tmp_path):
    write(tmp_path, "x_raw.fif")
    given, raw = info(), read(tmp_path / "x_raw.fif")
    single = [np.float32(row) for row in given.locations]
    for channel, location, coil in zip(raw.info["chs"], single, (3024, 3012, 1, 1, 0, 0, 0, 0), strict=True):
        np.testing.assert_array_equal(np.float32(channel["loc"]), location)
        assert channel["coil_type"] == coil
        assert channel["cal"] == channel["range"] == 1
    assert [channel["unit"] for channel in raw.info["chs"]] == [112, 201, 107, 107, 107, 107, -1, -1]
    np.testing.assert_allclose(raw.info["dev_head_t"]["trans"], given.device_to_head, atol=1e-9)
    assert (raw.info["dev_head_t"]["from"], raw.info["dev_head_t"]["to"]) == (1, 4)
    assert (raw.info["highpass"], raw.info["lowpass"], raw.info["line_freq"]) == (np.float32(0.1), 66, 50)
    assert raw.info["bads"] == ["MEG0112", "EEG:2"]
    assert raw.info["description"] == given.description
    assert raw.info["device_info"]["type"] == "a helmet"
    assert raw.info["subject_info"]["his_id"] == "sub-01"
    assert raw.info["custom_ref_applied"] == 1
    assert raw.info["meas_date"] is None
    assert raw.info["meas_id"]["machid"].tolist() == [0, 0]
    assert list(raw.annotations.description) == ["go: left", "BAD_muscle"]
    np.testing.assert_allclose(raw.annotations.onset, [3.1234567, 12.0], atol=1e-9)
    np.testing.assert_allclose(raw.annotations.duration, [0, 1.5], atol=1e-9)


def test_annotations_are_counted_from_the_first_sample(tmp_path):
    later = replace(series(), clock=Clock(2.0, 1 / RATE, samples().shape[1]))
    write_fif(tmp_path / "x_raw.fif", later, info())
    np.testing.assert_allclose(read(tmp_path / "x_raw.fif").annotations.onset, [1.1234567, 10.0], atol=1e-6)


def test_mne_reads_the_digitised_points(tmp_path):
    write(tmp_path, "x_raw.fif")
    given, points = info().digitised, read(tmp_path / "x_raw.fif").info["dig"]
    for kind, expected in enumerate((given.fiducials, given.hpi, given.electrodes, given.head), 1):
        found = [point for point in points if point["kind"] == kind]
        np.testing.assert_array_equal([point["r"] for point in found], expected.astype(np.float32))
        assert [point["ident"] for point in found] == list(range(1, len(expected) + 1))
        assert all(point["coord_frame"] == 4 for point in found)


def test_mne_finds_the_triggers(tmp_path):
    write(tmp_path, "x_raw.fif")
    events = mne.find_events(read(tmp_path / "x_raw.fif"), stim_channel="STI101", verbose="error")
    assert events[:, [0, 2]].tolist() == [list(pulse) for pulse in PULSES]


def test_a_recording_without_anything_but_samples_is_read(tmp_path):
    channels = tuple(Channel(name, "SEEG", "V") for name in ("A1", "A2"))
    array = samples()[2:4]
    write_fif(tmp_path / "x_ieeg.fif", series(array, None, channels=channels), FifInfo())
    raw = read(tmp_path / "x_ieeg.fif")
    np.testing.assert_array_equal(raw.get_data().astype(np.float32), array)
    assert raw.info["dig"] is None or not len(raw.info["dig"])
    assert (raw.info["highpass"], raw.info["lowpass"], raw.info["line_freq"]) == (0, 100, None)
    assert raw.info["dev_head_t"] is None
    assert not len(raw.annotations)


@pytest.mark.parametrize("sample_format", ["int16", "int32"])
def test_integers_are_within_half_a_step(tmp_path, sample_format):
    write(tmp_path, "x_raw.fif", sample_format=sample_format)
    raw = read(tmp_path / "x_raw.fif")
    off = np.abs(raw.get_data() - samples()) / series().steps[:, None]
    assert off.max() <= 0.501
    assert off[:-1].max() > 0.49
    assert raw.orig_format == {"int16": "short", "int32": "int"}[sample_format]


def test_split_files_are_read_as_one(tmp_path):
    (tmp_path / "whole").mkdir()
    write(tmp_path / "whole", "x_task-rest_desc-clean_meg.fif")
    files = write(tmp_path, "x_task-rest_desc-clean_meg.fif", split_size=40_000)
    assert list(files) == [f"x_task-rest_split-0{k}_desc-clean_meg.fif" for k in range(1, len(files) + 1)]
    assert len(files) >= 3
    assert sorted(files) == sorted(path.name for path in tmp_path.glob("*.fif"))
    assert max(entry.bytes for entry in files.values()) <= 40_000
    raw, whole = read(tmp_path / next(iter(files))), read(tmp_path / "whole" / "x_task-rest_desc-clean_meg.fif")
    np.testing.assert_array_equal(raw.get_data(), whole.get_data())
    assert mne.utils.object_diff(raw.info, whole.info) == ""
    assert raw.annotations == whole.annotations
    assert len(raw.filenames) == len(files)
    last = read(tmp_path / list(files)[-1])
    assert last.last_samp == 2999
    assert last.first_samp == 3000 - last.n_times


def test_files_are_as_long_as_they_may_be(tmp_path):
    for split_size in (23_000, 31_000, 44_000, 58_000):
        sizes = [entry.bytes for entry in write(tmp_path, split_size=split_size).values()]
        buffer = 16 + 4 * len(CHANNELS) * BLOCK
        assert max(sizes) <= split_size < min(sizes[:-1]) + buffer
        exact = write(tmp_path, split_size=max(sizes))
        assert [entry.bytes for entry in exact.values()] == sizes
    (whole,) = write(tmp_path).values()
    assert len(write(tmp_path, split_size=whole.bytes)) == 1
    assert len(write(tmp_path, split_size=whole.bytes - 1)) == 2


def test_no_buffer_is_longer_than_ten_seconds(tmp_path):
    array = samples(30_000)
    write(tmp_path, "x_raw.fif", series(array, None))
    raw = read(tmp_path / "x_raw.fif")
    assert np.diff(raw._raw_extras[0]["bounds"]).max() <= 10 * RATE
    np.testing.assert_array_equal(raw.get_data().astype(np.float32), array)


def test_the_same_series_gives_the_same_bytes_and_no_path(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    first, second = (write(tmp_path / folder, split_size=60_000) for folder in ("a", "b"))
    assert first == second
    for name in first:
        content = (tmp_path / "a" / name).read_bytes()
        assert str(tmp_path).encode() not in content


def test_an_interrupted_recording_leaves_nothing(tmp_path):
    whole = series()

    def broken(v):
        if v == whole.n_parts - 1:
            raise RuntimeError("no power")
        return whole.make(v)

    with pytest.raises(RuntimeError, match="no power"):
        write(tmp_path, written=whole.made_by(broken), split_size=40_000)
    assert list(tmp_path.iterdir()) == []


def test_the_first_file_gets_its_name_last(tmp_path, monkeypatch):
    renamed = []
    replaced = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: (renamed.append(new.name), replaced(old, new)))
    files = write(tmp_path, split_size=40_000)
    assert renamed == list(files)[::-1]


def test_only_one_part_is_made_at_a_time_and_once(tmp_path):
    made = []
    whole = series()
    write(tmp_path, written=whole.made_by(lambda v: (made.append(v), whole.make(v))[1]), split_size=40_000)
    assert made == list(range(whole.n_parts))


@pytest.mark.parametrize("split_size", [10**9, 30_000])
@pytest.mark.parametrize("sample_format", ["float32", "int16", "int32"])
def test_samples_are_read_as_mne_reads_them_whole_and_by_parts(tmp_path, sample_format, split_size):
    path = tmp_path / "x_meg.fif"
    files = write(tmp_path, path.name, sample_format=sample_format, split_size=split_size)
    assert len(files) > 1 or split_size == 10**9
    whole = read_samples(path, series())
    np.testing.assert_allclose(whole, read(tmp_path / next(iter(files))).get_data(), rtol=1e-6)
    parts = [read_samples(path, series(), v) for v in range(series().n_parts)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    for n in (2900, 3100):
        with pytest.raises(InputError, match=f"x_meg.fif: 3000 samples, not {n}"):
            read_samples(path, series(samples(n)))


@pytest.mark.parametrize("system", ["neuromag", "ctf275"])
def test_a_whole_helmet_is_read_as_mne_itself_would_write_it(tmp_path, system):
    helmet = mne.channels.read_meg_canonical_info(system)
    helmet = mne.pick_info(helmet, mne.pick_types(helmet, meg=True, ref_meg=False))
    array = (1e-12 * np.random.Generator(np.random.SFC64(3)).standard_normal((helmet["nchan"], 400))).astype(np.float32)
    raw = mne.io.RawArray(array.astype(float), helmet, verbose="error")
    with raw.info._unlock():
        raw.info.update(
            sfreq=RATE, lowpass=RATE / 2, dev_head_t=mne.transforms.Transform("meg", "head", info().device_to_head)
        )
        raw.info["line_freq"] = 50.0
    raw.save(tmp_path / "theirs_raw.fif", verbose="error")
    chs = raw.info["chs"]
    channels = tuple(
        Channel(ch["ch_name"], "MEGMAG" if ch["unit"] == 112 else "MEGGRADPLANAR", "T" if ch["unit"] == 112 else "T/m")
        for ch in chs
    )
    said = FifInfo(
        locations=np.array([ch["loc"] for ch in chs]),
        coil_types=tuple(int(ch["coil_type"]) for ch in chs),
        device_to_head=info().device_to_head,
        line_frequency=50.0,
    )
    write_fif(tmp_path / "ours_raw.fif", series(array, None, channels=channels), said)
    ours, theirs = read(tmp_path / "ours_raw.fif"), read(tmp_path / "theirs_raw.fif")
    for each in (ours.info, theirs.info):
        with each._unlock():
            for key in ("file_id", "meas_id", "description", "subject_info", "device_info", "dig", "meas_date"):
                each[key] = None
            for ch in each["chs"]:
                ch["logno"] = 0
    assert mne.utils.object_diff(ours.info, theirs.info) == ""
    np.testing.assert_array_equal(ours.get_data(), theirs.get_data())


def test_mne_saves_what_it_read(tmp_path):
    write(tmp_path, "x_raw.fif", sample_format="int16")
    raw = read(tmp_path / "x_raw.fif")
    raw.save(tmp_path / "y_raw.fif", verbose="warning")
    again = read(tmp_path / "y_raw.fif")
    np.testing.assert_allclose(again.get_data(), raw.get_data(), rtol=1e-6)
    assert again.info["bads"] == raw.info["bads"]


def test_mne_bids_reads_a_split_recording(tmp_path):
    mne_bids = pytest.importorskip("mne_bids")
    folder = tmp_path / "sub-01" / "meg"
    folder.mkdir(parents=True)
    write(folder, split_size=60_000)
    (tmp_path / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')
    rows = ["name\ttype\tunits\tstatus"]
    rows += [f"{c.name}\t{c.kind}\t{c.unit}\t{'bad' if c.name in info().bads else 'good'}" for c in CHANNELS]
    (folder / "sub-01_task-rest_channels.tsv").write_text("\n".join(rows) + "\n")
    path = mne_bids.BIDSPath(root=tmp_path, subject="01", task="rest", datatype="meg", suffix="meg")
    raw = mne_bids.read_raw_bids(path, verbose="error")
    np.testing.assert_array_equal(raw.get_data().astype(np.float32), samples())
    assert raw.info["bads"] == list(info().bads)
    assert raw.get_channel_types() == ["mag", "grad", "eeg", "eeg", "eog", "ecg", "resp", "stim"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"locations": np.zeros((3, 12))}, "`locations`: 3 of them for 8 channels"),
        ({"coil_types": (3024,)}, "`coil_types`: 1 of them for 8 channels"),
        ({"coil_types": None}, "MEG0111: a sensor of MEG needs its place"),
        ({"bads": ("MEG0113",)}, "`bads`: no channel is called 'MEG0113'; did you mean 'MEG011"),
        ({"lowpass": 200.0}, "`lowpass`: 0.1 and 200 Hz are not in order between 0 and half of 200 Hz"),
        ({"description": "微"}, "no letters beyond Latin-1"),
        ({"annotations": ((1.0, 0.0, ""),)}, "`annotations`: '' at 1.0 s for 0.0 s is no annotation"),
        ({"annotations": ((1.0, -1.0, "go"),)}, "`annotations`: 'go' at 1.0 s for -1.0 s is no annotation"),
    ],
)
def test_info_that_does_not_fit_is_refused_by_name(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        write_fif(tmp_path / "x_raw.fif", series(), replace(info(), **change))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FifInfo(locations=np.zeros(12)), r"`locations`: shape \(12,\), not \(n, 12\)"),
        (lambda: FifInfo(device_to_head=np.zeros((4, 4))), "`device_to_head`: not a rotation"),
        (lambda: FifInfo(device_to_head=np.eye(3)), r"`device_to_head`: shape \(3, 3\), not \(4, 4\)"),
        (lambda: Digitised(fiducials=np.zeros((2, 3))), "left ear, nasion and right ear, not 2 points"),
        (lambda: Digitised(head=[[0, 0, np.nan]]), "`head`: digitised points are numbers"),
    ],
)
def test_what_is_no_info_is_refused_by_name(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("channel", "message"),
    [
        (Channel("A1", "SEEG2", "V"), "channel A1: FIF has no kind 'SEEG2'; did you mean 'SEEG'"),
        (Channel("A1", "SEEG", "v"), "channel A1: FIF has no unit 'v'; did you mean 'V'"),
        (Channel("MEG1", "MEGMAG", "V"), "channel MEG1: MEG is in T or T/m, not in V"),
        (Channel("A" * 16, "SEEG", "V"), "1 to 15 ASCII letters"),
        (Channel("EOG061", "EOG", "V"), "two channels have one name"),
    ],
)
def test_channels_that_fif_does_not_know_are_refused_by_name(tmp_path, channel, message):
    channels = (*CHANNELS[:2], channel, *CHANNELS[3:])
    with pytest.raises(InputError, match=message):
        write_fif(tmp_path / "x_raw.fif", series(channels=channels), info())


def test_samples_that_cannot_be_stored_are_refused_by_name(tmp_path):
    array = samples()
    array[2, 2900] = np.nan
    with pytest.raises(InputError, match="x_meg.fif: channel EEG001 has values that are not finite"):
        write(tmp_path, "x_meg.fif", series(array))
    with pytest.raises(InputError, match="channel EEG001 has values that do not fit int16"):
        write(tmp_path, "x_meg.fif", series(array), sample_format="int16")
    with pytest.raises(InputError, match="`split_size`: 5000 bytes; one buffer takes"):
        write(tmp_path, split_size=5000)
    with pytest.raises(InputError, match="`sample_format`: one of float32, int16, int32, not 'double'"):
        write(tmp_path, sample_format="double")
    with pytest.raises(InputError, match="a series without samples"):
        write(tmp_path, written=series(samples(0), None))
    assert list(tmp_path.iterdir()) == []
