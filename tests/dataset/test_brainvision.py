import json

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError
from fakeimaging.core.files import HIDDEN, sha256_of, write_json, write_tsv
from fakeimaging.dataset import brainvision, names
from fakeimaging.dataset.brainvision import write_brainvision
from fakeimaging.dataset.sidecars import raw_sidecar
from fakeimaging.dataset.study import Acquisition
from fakeimaging.modalities.layers import Channel, Series
from fakeimaging.testing.fixtures import tiny_subject
from tests.modalities.test_eeg import noise, run_of

EVENTS = [(4.0, 1.0, "go, left"), (1.0, 0.0, "stop"), (400.0, 1.0, "after the end")]


def series(n=5000, scale=5e-5, unit="V", resolution=1e-7):
    samples = (scale * np.random.Generator(np.random.SFC64(1)).standard_normal((3, n))).astype(np.float32)
    channels = tuple(Channel(name, "EEG", unit) for name in ("Fp1", "Cz", "O,z"))
    return Series(channels, Clock(0.0, 1 / 250, n), lambda v: samples, resolution)


def read(header):
    import mne

    return mne.io.read_raw_brainvision(header, preload=True, verbose="error")


def test_mne_reads_samples_channels_rate_and_events(tmp_path):
    header, written = tmp_path / "a" / "sub-01_eeg.vhdr", series()
    files = write_brainvision(header, written, EVENTS)
    raw = read(header)
    np.testing.assert_allclose(raw.get_data(), written.to_array(), atol=0.501e-7)
    assert raw.ch_names == ["Fp1", "Cz", "O,z"]
    assert raw.info["sfreq"] == 250
    assert raw.info["meas_date"] is None
    events = [
        (a["onset"], a["duration"], a["description"]) for a in raw.annotations if "Segment" not in a["description"]
    ]
    assert events == [(1.0, 0.004, "Stimulus/stop"), (4.0, 1.0, "Stimulus/go, left")]
    assert set(files) == {"sub-01_eeg.eeg", "sub-01_eeg.vmrk", "sub-01_eeg.vhdr"}
    for name, entry in files.items():
        assert entry.sha256 == sha256_of(header.with_name(name))
        assert entry.bytes == header.with_name(name).stat().st_size


def test_the_same_series_gives_the_same_bytes(tmp_path):
    first, second = (write_brainvision(tmp_path / d / "x_eeg.vhdr", series(), EVENTS) for d in ("a", "b"))
    assert first == second
    text = (tmp_path / "a" / "x_eeg.vhdr").read_text() + (tmp_path / "a" / "x_eeg.vmrk").read_text()
    assert str(tmp_path) not in text


def test_samples_that_do_not_fit_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(InputError, match="do not fit int16 in steps of 1e-07 V"):
        write_brainvision(tmp_path / "x_eeg.vhdr", series(scale=1e-2))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="Fp1 is in T, which the format does not have"):
        write_brainvision(tmp_path / "x_eeg.vhdr", series(unit="T"))


def test_values_that_are_no_numbers_and_unknown_formats_are_refused(tmp_path):
    for binary_format in ("INT_16", "IEEE_FLOAT_32"):
        with pytest.raises(InputError, match="values of channel Fp1"):
            write_brainvision(tmp_path / "x_eeg.vhdr", series(scale=np.nan), binary_format=binary_format)
    with pytest.raises(InputError, match="`binary_format`: one of INT_16, IEEE_FLOAT_32, not 'FLOAT'"):
        write_brainvision(tmp_path / "x_eeg.vhdr", series(), binary_format="FLOAT")
    assert list(tmp_path.iterdir()) == []


def mixed(n=5000, block=1024):
    """Return a series of channels with units and steps of their own, in parts."""
    channels = (
        Channel("Cz", "EEG", "V"),
        Channel("ECG", "ECG", "V", 1e-6),
        Channel("EDA", "GSR", "S", 2e-9),
        Channel("Temp", "TEMP", "°C", 0.01),
        Channel("Belt", "RESP", "n/a", 0.5),
    )
    scales = np.array([[5e-5], [1e-3], [1e-5], [37.0], [1000.0]])
    samples = (scales * np.random.Generator(np.random.SFC64(1)).standard_normal((5, n))).astype(np.float32)

    def make(v):
        return samples[:, v * block :][:, :block]

    return Series(channels, Clock(0.0, 1 / 250, n), make, 1e-7, block)


def test_channels_have_units_and_steps_of_their_own(tmp_path):
    written = mixed()
    write_brainvision(tmp_path / "x_eeg.vhdr", written, reference="FCz")
    raw, whole = read(tmp_path / "x_eeg.vhdr"), written.to_array()
    off = np.abs(raw.get_data() - whole) / written.steps[:, None]
    assert 0.49 < off.max() <= 0.51
    lines = (tmp_path / "x_eeg.vhdr").read_text("utf-8").splitlines()
    assert lines[-5:] == [
        "Ch1=Cz,FCz,0.1,µV",
        "Ch2=ECG,,1,µV",
        "Ch3=EDA,,0.002,µS",
        "Ch4=Temp,,0.01,°C",
        "Ch5=Belt,,0.5,n/a",
    ]
    np.testing.assert_allclose(brainvision.read_samples(tmp_path / "x_eeg.vhdr", written), raw.get_data(), rtol=1e-6)


def test_floats_keep_their_bits_but_the_last(tmp_path):
    written = mixed()
    write_brainvision(tmp_path / "x_eeg.vhdr", written, binary_format="IEEE_FLOAT_32")
    np.testing.assert_allclose(read(tmp_path / "x_eeg.vhdr").get_data(), written.to_array(), rtol=2e-7)
    np.testing.assert_allclose(
        brainvision.read_samples(tmp_path / "x_eeg.vhdr", written), written.to_array(), rtol=2e-7
    )


def test_parts_are_made_once_in_order_and_read_one_by_one(tmp_path):
    made, written = [], mixed()
    traced = written.made_by(lambda v: (made.append(v), written.make(v))[1])
    files = write_brainvision(tmp_path / "x_eeg.vhdr", traced)
    assert made == list(range(5))
    whole = brainvision.read_samples(tmp_path / "x_eeg.vhdr", written)
    pieces = [brainvision.read_samples(tmp_path / "x_eeg.vhdr", written, v) for v in range(written.n_parts)]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)
    one = Series(written.channels, written.clock, lambda v: written.to_array(), written.resolution)
    assert write_brainvision(tmp_path / "one" / "x_eeg.vhdr", one) == files


def test_volumes_and_bad_segments_are_marked(tmp_path):
    volumes, bad = [-2.0, 0.0, 2.0, 20.0], [(-1.0, 1.5, "muscle"), (19.0, 4.0, "movement")]
    write_brainvision(tmp_path / "x_eeg.vhdr", series(), [(3.0, 0.5, "go")], volumes=volumes, bad_segments=bad)
    found = [
        (a["onset"], a["duration"], a["description"])
        for a in read(tmp_path / "x_eeg.vhdr").annotations
        if "Segment" not in a["description"]
    ]
    assert found == [
        (0.0, 0.004, "Response/R128"),
        (0.0, 0.5, "Bad Interval/muscle"),
        (2.0, 0.004, "Response/R128"),
        (3.0, 0.5, "Stimulus/go"),
        (19.0, 1.0, "Bad Interval/movement"),
    ]
    raw = read(tmp_path / "x_eeg.vhdr")
    assert raw.get_data(reject_by_annotation="omit").shape[1] == raw.n_times - 125 - 250


def test_the_header_comes_last(tmp_path, monkeypatch):
    def broken(path, text):
        raise OSError("no room")

    monkeypatch.setattr(brainvision, "write_text", broken)
    with pytest.raises(OSError, match="no room"):
        write_brainvision(tmp_path / "x_eeg.vhdr", series())
    assert {path.name for path in tmp_path.iterdir()} == {"x_eeg.eeg"}
    assert not list(tmp_path.glob(HIDDEN + "*"))


def test_mne_bids_reads_recording_montage_and_events(tmp_path):
    mne_bids = pytest.importorskip("mne_bids")
    subject = tiny_subject()
    scan = fi.acquire("eeg", subject, run_of(subject, 0.1 * noise(7500, 10)))
    folder, stem = tmp_path / "sub-01" / "eeg", "sub-01_task-rest_run-1"
    write_brainvision(folder / f"{stem}_eeg.vhdr", scan.observed, [(2.0, 1.0, "go")])
    write_json(
        folder / f"{stem}_eeg.json", {"TaskName": "rest", **scan.modality.sidecar(scan.parameters, scan.forward)}
    )
    write_tsv(folder / f"{stem}_events.tsv", ["onset", "duration", "trial_type"], [[2.0, 1.0, "go"]])
    for table in scan.forward.companions:
        start = "sub-01" if table.shared else stem
        if table.columns:
            write_tsv(folder / f"{start}_{table.name}.tsv", list(table.columns), [list(row) for row in table.rows])
        if table.about:
            write_json(folder / f"{start}_{table.name}.json", dict(table.about))
    write_json(tmp_path / "dataset_description.json", {"Name": "x", "BIDSVersion": "1.10.0"})
    path = mne_bids.BIDSPath(root=tmp_path, subject="01", task="rest", run="1", datatype="eeg")
    raw = mne_bids.read_raw_bids(path, verbose="error")
    np.testing.assert_allclose(raw.get_data(), scan.observed.to_array(), atol=0.501e-7)
    places = raw.get_montage().get_positions()["ch_pos"]
    electrodes = json.loads((folder / "sub-01_space-CapTrak_coordsystem.json").read_text())
    rows = scan.forward.companions[1].rows
    np.testing.assert_allclose(1e3 * places["Cz"], next(row[1:4] for row in rows if row[0] == "Cz"), atol=1e-3)
    assert electrodes["EEGCoordinateUnits"] == "mm"
    assert list(raw.annotations.description) == ["go"]
    assert raw.info["line_freq"] == 50


def test_the_unit_of_a_series_is_told_channel_by_channel_alone():
    subject = tiny_subject()
    eeg = fi.acquire("eeg", subject, run_of(subject, 0.1 * noise(6000, 10)))
    scan = names.Scan("01", None, "eeg", "rest", 1, Acquisition.parse({"modality": "eeg", "task": "rest"}))
    assert "Units" not in raw_sidecar(eeg, scan)
    anatomy = fi.acquire("t1w", subject, voxel_size=8.0)
    scan = names.Scan("01", None, "t1w", None, None, Acquisition.parse({"modality": "t1w"}))
    assert raw_sidecar(anatomy, scan)["Units"] == "arbitrary"
