import numpy as np
import pytest

from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError
from fakeimaging.core.files import sha256_of
from fakeimaging.dataset import eeglab
from fakeimaging.dataset.eeglab import read_samples, write_set
from fakeimaging.modalities.layers import Channel, Series

CHANNELS = (
    Channel("Fp1", "EEG"),
    Channel("Cz", "EEG"),
    Channel("O2", "EEG"),
    Channel("VEOG", "VEOG"),
    Channel("Belt", "RESP", "n/a"),
    Channel("Trigger", "TRIG", "n/a"),
)
POSITIONS = np.array([[-29.0, 84, -7], [0.4, -9, 100], [30, -112, 9], *[[np.nan] * 3] * 3])
EVENTS = [(4.0, 1.0, "go, left"), (1.001, 0.0, "stop"), (400.0, 1.0, "after the end")]


def series(n=5000, channels=CHANNELS):
    scales = np.array([[5e-5], [5e-5], [5e-5], [2e-4], [1000.0], [1.0]])[: len(channels)]
    samples = (scales * np.random.Generator(np.random.SFC64(1)).standard_normal((len(channels), n))).astype(np.float32)
    return Series(channels, Clock(0.0, 1 / 250, n), lambda v: samples[:, v * 1024 :][:, :1024], 1e-7, 1024)


def read(path):
    mne = pytest.importorskip("mne")
    # MNE-Python warns of every channel that is no electrode, wherever its file has positions.
    return mne.io.read_raw_eeglab(path, preload=True, verbose="error")


def test_mne_reads_samples_names_kinds_and_rate(tmp_path):
    files = write_set(tmp_path / "a" / "x_eeg.set", series(), positions=POSITIONS)
    raw = read(tmp_path / "a" / "x_eeg.set")
    np.testing.assert_allclose(raw.get_data(), series().to_array(), rtol=2e-7)
    np.testing.assert_allclose(read_samples(tmp_path / "a" / "x_eeg.set"), raw.get_data(), rtol=1e-6)
    assert raw.ch_names == [channel.name for channel in CHANNELS]
    assert raw.get_channel_types() == ["eeg", "eeg", "eeg", "eog", "resp", "stim"]
    assert raw.info["sfreq"] == 250
    assert raw.info["meas_date"] is None
    assert [path.name for path in (tmp_path / "a").iterdir()] == list(files) == ["x_eeg.set"]
    assert files["x_eeg.set"].sha256 == sha256_of(tmp_path / "a" / "x_eeg.set")


def test_mne_reads_the_places_of_the_electrodes(tmp_path):
    write_set(tmp_path / "x.set", series(), positions=POSITIONS)
    raw = read(tmp_path / "x.set")
    places = np.array([channel["loc"][:3] for channel in raw.info["chs"]])
    np.testing.assert_allclose(1e3 * places[:3], POSITIONS[:3], atol=1e-4)
    write_set(tmp_path / "y.set", series())
    assert read(tmp_path / "y.set").get_montage() is None


def test_marks_are_read_as_annotations(tmp_path):
    write_set(tmp_path / "x.set", series(), EVENTS, volumes=[2.0], bad_segments=[(18.0, 9.0, "muscle")])
    found = read(tmp_path / "x.set").annotations
    assert list(found.description) == ["stop", "R128", "go, left", "BAD_muscle"]
    np.testing.assert_allclose(found.onset, [1.001, 2.0, 4.0, 18.0], atol=1e-9)
    np.testing.assert_allclose(found.duration, [0, 0, 1, 2], atol=1e-9)


def test_one_event_is_read_as_one_annotation(tmp_path):
    write_set(tmp_path / "x.set", series(), EVENTS[:1])
    found = read(tmp_path / "x.set").annotations
    assert (list(found.onset), list(found.description)) == ([4.0], ["go, left"])


def test_the_same_series_gives_the_same_bytes_whatever_the_time(tmp_path, monkeypatch):
    import time

    first = write_set(tmp_path / "a" / "x.set", series(), EVENTS, positions=POSITIONS)
    monkeypatch.setattr(time, "asctime", lambda *when: "Thu Jan  1 00:00:00 1970")
    assert write_set(tmp_path / "b" / "x.set", series(), EVENTS, positions=POSITIONS) == first
    content = (tmp_path / "a" / "x.set").read_bytes()
    assert content[:116] == eeglab.TITLE
    assert content[124:128] == b"\x00\x01IM"
    assert str(tmp_path).encode() not in content


def test_what_cannot_be_stored_is_refused_by_name(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="0 samples; a .set file holds something"):
        write_set(tmp_path / "x.set", series(0))
    with pytest.raises(InputError, match=r"`positions`: shape \(2, 3\), not \(6, 3\)"):
        write_set(tmp_path / "x.set", series(), positions=POSITIONS[:2])
    with pytest.raises(InputError, match="channel Fp1 has values that are not finite"):
        write_set(tmp_path / "x.set", series().made_by(lambda v: np.nan * series().make(v)))
    monkeypatch.setattr(eeglab, "LARGEST", 1000)
    with pytest.raises(InputError, match="less than 2 GiB"):
        write_set(tmp_path / "x.set", series())
    assert list(tmp_path.iterdir()) == []


def test_mne_bids_reads_the_file(tmp_path):
    mne_bids = pytest.importorskip("mne_bids")
    folder = tmp_path / "sub-01" / "eeg"
    write_set(folder / "sub-01_task-rest_eeg.set", series(), [(1.0, 0.5, "go")], positions=POSITIONS)
    (tmp_path / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')
    rows = [f"{c.name}\t{c.kind}\t{'bad' if c.name == 'Cz' else 'good'}" for c in CHANNELS]
    (folder / "sub-01_task-rest_channels.tsv").write_text("\n".join(["name\ttype\tstatus", *rows]) + "\n")
    path = mne_bids.BIDSPath(root=tmp_path, subject="01", task="rest", datatype="eeg")
    raw = mne_bids.read_raw_bids(path, verbose="error")
    np.testing.assert_allclose(raw.get_data(), series().to_array(), rtol=2e-7)
    assert raw.info["bads"] == ["Cz"]
    assert list(raw.annotations.description) == ["go"]
