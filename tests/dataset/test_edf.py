from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError
from fakeimaging.core.files import sha256_of
from fakeimaging.dataset.edf import data_record, read_samples, rounded_up, write_edf
from fakeimaging.modalities.layers import Channel, Series

CHANNELS = (
    Channel("Fp1", "EEG", "V"),
    Channel("Cz", "EEG", "V", 48.828125e-9),
    Channel("EDA", "GSR", "S", 2e-9),
    Channel("Temp", "TEMP", "°C", 0.01),
    Channel("Belt", "RESP", "n/a", 1.0),
)
SCALES = np.array([[5e-5], [5e-5], [1e-5], [37.0], [100.0]])


def series(n=5000, rate=250.0, block=1024, channels=CHANNELS, scale=1.0):
    noise = np.random.Generator(np.random.SFC64(1)).standard_normal((len(channels), n))
    samples = (scale * SCALES[: len(channels)] * noise).astype(np.float32)
    return Series(channels, Clock(0.0, 1 / rate, n), lambda v: samples[:, v * block :][:, :block], 1e-7, block)


def read(path):
    mne = pytest.importorskip("mne")
    return mne.io.read_raw_edf(path, preload=True, verbose="warning")


def test_mne_reads_samples_names_rate_and_date(tmp_path):
    written = series()
    files = write_edf(tmp_path / "x_eeg.edf", written)
    raw, header = read(tmp_path / "x_eeg.edf"), (tmp_path / "x_eeg.edf").read_bytes()[:256]
    micro = np.array([1, 1, 1e-6, 1, 1])[:, None]
    off = np.abs(raw.get_data() * micro - written.to_array()) / written.steps[:, None]
    assert off.max() <= 0.51
    assert (off.max(axis=1) > 0.45).all()
    assert raw.ch_names == [channel.name for channel in CHANNELS]
    assert raw.info["sfreq"] == 250
    assert raw.info["meas_date"].isoformat() == "1985-01-01T00:00:00+00:00"
    assert b"Startdate X X X X" in header
    assert b"01.01.8500.00.00" in header
    assert files["x_eeg.edf"].sha256 == sha256_of(tmp_path / "x_eeg.edf")


def test_values_on_the_grid_of_the_resolution_come_back_exactly(tmp_path):
    written = series(channels=CHANNELS[:1])
    steps = np.rint(written.to_array() / 1e-7)
    write_edf(tmp_path / "x.edf", written.made_by(lambda v: (1e-7 * steps[:, v * 1024 :][:, :1024]).astype(np.float32)))
    np.testing.assert_array_equal(np.rint(read(tmp_path / "x.edf").get_data() / 1e-7), steps)


def test_nothing_clips_where_the_resolution_is_too_fine(tmp_path):
    written = series(channels=CHANNELS[:2], scale=300)
    write_edf(tmp_path / "x.edf", written)
    whole = written.to_array()
    step = np.abs(whole).max(axis=1, keepdims=True) / 32767
    assert np.abs((read(tmp_path / "x.edf").get_data() - whole) / step).max() <= 0.51


@pytest.mark.parametrize("scale", [1.0, 7.0, 300.0])
def test_the_range_is_symmetric_and_that_of_the_resolution_where_it_can(tmp_path, scale):
    edfio = pytest.importorskip("edfio")
    write_edf(tmp_path / "x.edf", series(scale=scale))
    for signal in edfio.read_edf(tmp_path / "x.edf").signals:
        assert signal.physical_range.min == -signal.physical_range.max
        assert signal.digital_range == (-32767, 32767)
        assert np.abs(signal.digital.astype(int)).max() <= 32767
        if scale == 1:
            limits = {"Fp1": 3276.7, "Cz": 1599.96, "EDA": 65.534, "Temp": 327.67, "Belt": 32767}
            assert signal.physical_max == limits[signal.label]


def test_marks_are_read_as_annotations(tmp_path):
    events = [(4.0, 1.0, "go, left"), (1.5, 0.0, "stop"), (400.0, 1.0, "after the end")]
    write_edf(tmp_path / "x.edf", series(), events, volumes=[2.0], bad_segments=[(18.0, 9.0, "muscle")])
    found = read(tmp_path / "x.edf").annotations
    assert list(found.description) == ["stop", "R128", "go, left", "BAD_muscle"]
    np.testing.assert_allclose(found.onset, [1.5, 2.0, 4.0, 18.0])
    np.testing.assert_allclose(found.duration, [0, 0, 1, 2])


def test_the_same_series_gives_the_same_bytes(tmp_path):
    first, second = (write_edf(tmp_path / folder / "x.edf", series(), [(1.0, 0, "go")]) for folder in ("a", "b"))
    assert first == second


@pytest.mark.parametrize("n", [5000, 5125, 5007])
def test_any_duration_is_stored_and_what_was_added_is_told(tmp_path, n):
    written = series(n)
    write_edf(tmp_path / "x.edf", written)
    raw = read(tmp_path / "x.edf")
    missing = {5000: 0, 5125: 0, 5007: 243}[n]
    assert raw.n_times == n + missing
    np.testing.assert_allclose(raw.get_data()[0, :n], written.to_array()[0], atol=0.51e-7)
    assert (raw.get_data()[:, n:] == raw.get_data()[:, n - 1 : n]).all()
    assert list(raw.annotations.description) == ["BAD_ACQ_SKIP"] * bool(missing)
    assert raw.get_data(reject_by_annotation="omit").shape[1] == n
    off = np.abs(read_samples(tmp_path / "x.edf", written) - written.to_array()) / written.steps[:, None]
    assert 0.45 < off.max() <= 0.51


@given(st.fractions(1, 5000, max_denominator=9), st.integers(1, 100_000))
def test_records_are_as_long_as_the_header_can_tell(rate, n):
    size, missing = data_record(Clock(0.0, float(1 / rate), n))
    assert (n + missing) % size == 0
    assert 0 <= missing < size
    duration = Fraction(size) / rate
    assert 0 < duration <= 10
    assert (duration * 10**6).denominator == 1
    assert len(str(float(duration))) <= 8


@pytest.mark.parametrize("rate", [1000 / 3, 128.5, 2048.0])
def test_rates_that_are_no_whole_numbers_are_stored(tmp_path, rate):
    write_edf(tmp_path / "x.edf", series(6000, rate))
    raw = read(tmp_path / "x.edf")
    assert raw.info["sfreq"] == pytest.approx(rate, rel=1e-9)
    np.testing.assert_allclose(raw.get_data()[0, :6000], series(6000, rate).to_array()[0], atol=0.51e-7)


@given(st.floats(1e-5, 9e6))
def test_a_limit_is_rounded_up_to_seven_characters(limit):
    rounded = rounded_up(limit)
    text = f"{rounded:f}".rstrip("0").rstrip(".")
    assert rounded >= limit * (1 - 1e-12)
    assert len(text) <= 7
    assert rounded - limit <= 10.0 ** -(6 - len(str(int(limit)))) * (1 + 1e-6)


@pytest.mark.parametrize(
    ("channel", "message"),
    [
        (Channel("MEG0111", "MEGMAG", "T"), "x.edf: channel MEG0111 is in T, which EDF files do not have"),
        (Channel("C" * 17, "EEG", "V"), "a label has 1 to 16 ASCII letters"),
        (Channel("Ωz", "EEG", "V"), "a label has 1 to 16 ASCII letters"),
    ],
)
def test_channels_that_edf_does_not_know_are_refused_by_name(tmp_path, channel, message):
    with pytest.raises(InputError, match=message):
        write_edf(tmp_path / "x.edf", series(channels=(channel,)))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_stored_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match="channel Fp1 has values that are not finite"):
        write_edf(tmp_path / "x.edf", series(scale=np.nan))
    with pytest.raises(InputError, match="too large for the header"):
        write_edf(tmp_path / "x.edf", series(channels=CHANNELS[:1], scale=1e6))
    with pytest.raises(InputError, match="no whole number of samples in 1 to 10 s"):
        write_edf(tmp_path / "x.edf", series(rate=250 / 13))
    with pytest.raises(InputError, match="a series without samples"):
        write_edf(tmp_path / "x.edf", series(0))
    assert list(tmp_path.iterdir()) == []


def test_mne_bids_reads_the_file(tmp_path):
    mne_bids = pytest.importorskip("mne_bids")
    folder = tmp_path / "sub-01" / "eeg"
    write_edf(folder / "sub-01_task-rest_eeg.edf", series(), [(1.0, 0.5, "go")])
    (tmp_path / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')
    rows = [f"{c.name}\t{c.kind}\t{'bad' if c.name == 'Cz' else 'good'}" for c in CHANNELS]
    (folder / "sub-01_task-rest_channels.tsv").write_text("\n".join(["name\ttype\tstatus", *rows]) + "\n")
    path = mne_bids.BIDSPath(root=tmp_path, subject="01", task="rest", datatype="eeg")
    raw = mne_bids.read_raw_bids(path, verbose="error")
    np.testing.assert_allclose(raw.get_data()[0], series().to_array()[0], atol=0.51e-7)
    assert raw.info["bads"] == ["Cz"]
    assert list(raw.annotations.description) == ["go"]
