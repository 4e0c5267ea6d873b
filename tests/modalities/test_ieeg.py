"""Intracranial EEG: channels, references, what the contacts see, and the tables and files."""

import warnings
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from scipy.signal import sosfilt, sosfilt_zi

import fakeimaging as fi
from fakeimaging.core.errors import ParameterError, RateError
from fakeimaging.core.spaces import apply_affine
from fakeimaging.dataset.brainvision import write_brainvision
from fakeimaging.modalities.electro.filters import sections
from fakeimaging.modalities.electro.implants import plans
from fakeimaging.modalities.electro.lead_field import electric, to_native
from fakeimaging.modalities.electro.sources import OPEN, field_scale
from fakeimaging.modalities.ieeg import MODALITY, IeegParameters, channels_of, weights_of
from fakeimaging.testing.contract import check_modality

SMALL = (
    {"name": "LH", "kind": "shaft", "contacts": 10, "target": (-26.0, -21.0, -14.0)},
    {"name": "LG", "kind": "grid", "rows": 2, "columns": 4, "target": (-66.0, -20.0, 2.0)},
)
OFF = ("background", "sensor", "line", "drift", "pops", "bad", "filter", "quantisation")


@lru_cache(maxsize=1)
def person():
    return fi.make_subject("01", seed=1)


@lru_cache(maxsize=1)
def rest():
    return fi.simulate_activity(person(), model="linear", duration=8.0)


def driven(**courses):
    """The run with dipoles of our own making: samples of regions by name, all others silent."""
    run = rest()
    tap = run.tap("dipole")
    samples = np.zeros((tap.clock.n, person().n_regions), dtype=np.float32)
    for name, course in courses.items():
        samples[:, [region.name for region in person().regions].index(name)] = course(tap.clock.times)
    return replace(run, taps={**run.taps, "dipole": replace(tap, samples=samples)}, differences=None)


def record(activity=None, **parameters):
    return fi.acquire("ieeg", person(), activity or rest(), **{"implants": SMALL, **parameters})


def spike(times):
    """An interictal spike of 70 ms at 4 s, nAm/mm2."""
    return 0.5 * np.exp(-0.5 * ((times - 4.0) / 0.02) ** 2)


@pytest.mark.parametrize("reference", ["white_matter", "bipolar"])
def test_it_holds_the_contract(reference):
    check_modality("ieeg", reference=reference, implants=SMALL)


# Parameters


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"implants": "temporl"}, "`ieeg.implants`: no plan 'temporl'; did you mean 'temporal'?"),
        ({"implants": []}, "`ieeg.implants`: at least one device"),
        ({"implants": 3}, "`ieeg.implants`: 3 is not text in quotes, nor a list"),
        ({"reference": "LA99"}, "`ieeg.reference`: 'LA99' is no contact; did you mean 'LA9'?"),
        ({"bad_channels": {"LA99": "flat"}}, "`ieeg.bad_channels`: no channel 'LA99'; did you mean 'LA9'?"),
        ({"reference": "scalp:cz"}, "`ieeg.reference`: no electrode 'cz'; did you mean 'Cz'?"),
        (
            {"implants": [{"name": "G", "kind": "grid", "rows": 0, "columns": 3, "target": [1, 2, 3]}]},
            "`ieeg.implants[0].rows`: 0 is outside [1, 16] (rows of a grid)",
        ),
        (
            {"implants": [{"name": "G", "kind": "shft", "contacts": 3, "target": "x"}]},
            "`ieeg.implants[0].kind`: 'shft' is not 'grid', 'strip' or 'shaft'; did you mean 'shaft'?",
        ),
        (
            {"implants": [{"name": "A", "kind": "shaft", "contacts": 1, "target": "x"}], "reference": "bipolar"},
            "`ieeg.reference`: bipolar needs two contacts in a row of a device",
        ),
    ],
)
def test_parameters_that_make_no_sense_are_refused_in_one_line(values, problem):
    with pytest.raises(ParameterError) as error:
        IeegParameters.parse(values, where="ieeg")
    assert str(error.value) == problem


def test_devices_survive_json():
    given = IeegParameters(implants=SMALL, reference="LH3")
    assert IeegParameters.model_validate_json(given.model_dump_json()) == given


def test_a_region_nobody_has_is_named_with_the_nearest():
    lost = ({"name": "A", "kind": "shaft", "contacts": 4, "target": "L_Hipocampus_01"},)
    with pytest.raises(ParameterError, match=r"`ieeg.implants\[0\].target`.*did you mean 'L_Hippocampus_01'"):
        record(implants=lost)


def test_faster_than_the_dipoles_is_refused_with_the_way_to_get_it():
    with pytest.raises(RateError, match=r"say how fast: \{dipole = 2000.0, rate = 50.0\}"):
        record(sampling_frequency=2000.0)


# Channels and references


@pytest.mark.parametrize("plan", list(plans()))
def test_channels_have_names_of_their_own(plan):
    for reference in ("average", "bipolar"):
        names = [channel.name for channel in channels_of(IeegParameters(implants=plan, reference=reference))]
        assert len(set(names)) == len(names)
        assert all(("-" in name) == (reference == "bipolar") for name in names)


def test_bipolar_weights_ignore_what_is_common():
    weights = weights_of(IeegParameters(implants=SMALL, reference="bipolar"))
    assert weights.shape == (9 + 2 * 3, 18)
    assert not (weights @ np.ones(18)).any()
    assert (np.abs(weights).sum(axis=1) == 2).all()


def test_bipolar_channels_are_differences_of_neighbours():
    single, pairs = record(off=OFF), record(off=OFF, reference="bipolar")
    clean, names = single.clean.to_array(), [channel.name for channel in single.clean.channels]
    for row, channel in zip(pairs.observed.to_array(), pairs.clean.channels, strict=True):
        a, b = (names.index(part) for part in channel.name.split("-"))
        np.testing.assert_allclose(row, clean[a] - clean[b], atol=1e-4 * np.abs(clean).max())


@pytest.mark.parametrize("reference", ["white_matter", "average", "LH10", "scalp:Cz"])
def test_references_take_one_signal_from_all(reference):
    recording = record(off=OFF, reference=reference)
    taken = recording.clean.to_array() - recording.observed.to_array()
    assert np.ptp(taken, axis=0).max() < 1e-4 * np.abs(recording.clean.to_array()).max()
    assert taken[0].std() > 0
    observed = recording.observed.to_array()
    if reference == "average":
        assert np.abs(observed.mean(axis=0)).max() < 1e-4 * np.abs(observed).max()
    elif reference == "LH10":
        assert not observed[9].any()


def test_the_white_matter_contact_lies_in_white_matter():
    recording = fi.acquire("ieeg", person(), rest())
    name = recording.forward.context["reference"]
    table = next(c for c in recording.forward.companions if c.name == "contacts")
    row = dict(zip(table.columns, next(row for row in table.rows if row[0] == name), strict=True))
    assert row["tissue"] == "white"
    assert row["distance"] is None or row["distance"] > 2


def test_a_scalp_reference_is_what_that_electrode_of_the_eeg_sees():
    recording = record(off=OFF, reference="scalp:Cz")
    eeg = fi.acquire("eeg", person(), rest(), montage=("Cz", "Pz"))
    taken = recording.clean.to_array() - recording.observed.to_array()
    np.testing.assert_allclose(taken[0], eeg.clean.to_array()[0], atol=1e-3 * np.abs(taken).max())


def test_the_amplifier_filters_a_scalp_reference_with_the_contacts():
    recording = record(
        off=[name for name in OFF if name != "filter"], reference="scalp:Cz", high_pass=2.0, low_pass=40.0
    )
    taken = fi.acquire("eeg", person(), rest(), montage=("Cz", "Pz")).clean.to_array()[0].astype(np.float64)
    filters = np.array(sections(2.0, 40.0, recording.clean.clock.rate))
    expected = recording.clean.to_array() - taken
    start = sosfilt_zi(filters)[:, None, :] * expected[None, :, :1]
    expected, _ = sosfilt(filters, expected, axis=1, zi=start)
    np.testing.assert_allclose(recording.observed.to_array(), expected, atol=1e-3 * taken.std())


def test_a_bad_contact_is_told():
    recording = record(bad_channels={"LH4": "flat"}, reference="average")
    table = next(c for c in recording.companions if c.name == "channels")
    status = {row[0]: row[table.columns.index("status")] for row in table.rows}
    assert [name for name, word in status.items() if word == "bad"] == ["LH4"]
    before = recording.before("reference").to_array().std(axis=1)
    assert before[3] < 0.05 * np.median(before)


# Signals


def test_amplitudes_are_those_of_intracranial_eeg():
    recording = fi.acquire("ieeg", person(), rest(), off=OFF)
    level = 1e6 * recording.clean.to_array().std(axis=1)
    assert 20 < np.median(level) < 300
    scalp = 1e6 * fi.acquire("eeg", person(), rest(), montage="standard_1020").clean.to_array().std(axis=1)
    assert np.median(level) > 3 * np.median(scalp)


def test_an_imposed_source_in_a_nucleus_makes_what_the_network_makes_there():
    spike = {"name": "whole", "region": "L_Hippocampus_01", "density": 0.5, "waveform": "sinusoid"}
    specs = [spike, {**spike, "name": "sum", "density": None, "moment": 2.0}]
    run = fi.simulate_activity(person(), model="linear", duration=2.0, sources=specs)
    number, region = next((i, r) for i, r in enumerate(person().regions) if r.name == spike["region"])
    for reference in ("average", "bipolar"):
        gains = fi.acquire("ieeg", person(), run, implants=SMALL, reference=reference).forward.context["gains"]
        network = gains.regions[:, number]
        assert np.abs(network).max() > 1e-4
        np.testing.assert_allclose(gains.sources[:, 0], network, rtol=1e-9)
        # A total moment is that of the field outside, which is a tenth of a sheet's.
        area = OPEN * region.volume ** (2 / 3) / field_scale(person(), electric().scalp.space)
        np.testing.assert_allclose(gains.sources[:, 1], network / area, rtol=1e-6)


def test_a_hippocampal_spike_is_seen_by_the_hippocampal_shaft():
    run = driven(L_Hippocampus_01=spike)
    clean = fi.acquire("ieeg", person(), run, implants="temporal").clean
    peak, names = 1e6 * np.abs(clean.to_array()).max(axis=1), [channel.name for channel in clean.channels]
    loudest = [names[i] for i in np.argsort(peak)[-4:]]
    assert all(name.startswith(("LAH", "LPH")) for name in loudest)
    assert 200 < peak.max() < 2000
    assert peak[names.index("LAH12")] < 0.02 * peak.max()
    assert max(peak[i] for i, name in enumerate(names) if name.startswith("LG")) < 0.03 * peak.max()


def test_far_from_a_nucleus_its_spike_falls_with_the_square_of_the_distance():
    """Along a line through the nucleus in the direction in which it points, so that its angle stays the same."""
    from fakeimaging.modalities.electro.contacts_field import contact_field
    from fakeimaging.modalities.electro.projection import region_gain
    from fakeimaging.modalities.electro.sources import deep_directions
    from tests.modalities.electro.test_implants import contact_at

    number = [region.name for region in person().regions].index("L_Thalamus_01")
    middle, direction = np.array(person().regions[number].centroid), deep_directions(person())[number]
    gain = [
        region_gain(
            person(), contact_field(contact_at(middle + r * direction), electric().field.space, conductivity=0.3)
        )
        for r in (30.0, 40.0, 60.0)
    ]
    felt = np.array([each[0, number] for each in gain])
    np.testing.assert_allclose(felt[:-1] / felt[-1], [(60 / 30) ** 2, (60 / 40) ** 2], rtol=0.1)


def test_cortex_below_the_grid_is_loudest_where_it_lies():
    run = driven(L_Auditory_01=lambda times: 0.1 * np.sin(2 * np.pi * 10 * times))
    recording = fi.acquire("ieeg", person(), run, implants="temporal_grid")
    level = 1e6 * recording.clean.to_array().std(axis=1) * np.sqrt(2)
    table = next(c for c in recording.forward.companions if c.name == "contacts")
    above = np.array([row[table.columns.index("region")] == "L_Auditory_01" for row in table.rows])
    assert above[np.argsort(level)[-2:]].all()
    assert 30 < level.max() < 500
    assert np.median(level[above]) > 1.5 * np.median(level[~above])
    assert level.max() > 2.5 * np.median(level[~above])


# Tables


def test_tables_are_those_of_bids():
    recording = record()
    tables = {(c.name, c.truth): c for c in recording.forward.companions}
    channels = tables["channels", False]
    assert channels.columns[:5] == ("name", "type", "units", "low_cutoff", "high_cutoff")
    assert [row[0] for row in channels.rows] == [channel.name for channel in recording.clean.channels]
    assert {row[1] for row in channels.rows} == {"SEEG", "ECOG"}
    electrodes = tables["space-ScanRAS_electrodes", False]
    assert electrodes.columns[:5] == ("name", "x", "y", "z", "size")
    assert {row[electrodes.columns.index("group")] for row in electrodes.rows} == {"LH", "LG"}
    assert {row[electrodes.columns.index("dimension")] for row in electrodes.rows} == {"[1x10]", "[2x4]"}
    size = {row[7]: row[4] for row in electrodes.rows}
    assert size["LH"] == pytest.approx(np.pi * 0.8 * 2, abs=1e-3)
    assert size["LG"] == pytest.approx(np.pi * 2.3**2 / 4, abs=1e-3)
    assert tables["space-ScanRAS_coordsystem", False].about["iEEGCoordinateSystem"] == "ScanRAS"
    assert ("space-ScanRAS_electrodes", True) in tables


def test_electrodes_are_where_the_contacts_are_in_the_head():
    recording = record()
    table = next(c for c in recording.forward.companions if c.name == "space-ScanRAS_electrodes")
    native = np.array([row[1:4] for row in table.rows])
    template = np.array([row[-3:] for row in table.rows])
    np.testing.assert_allclose(apply_affine(to_native(person()), template), native, atol=3e-3)
    np.testing.assert_allclose(recording.forward.context["sensors"].positions, native, atol=1e-3)


@pytest.mark.parametrize("reference", ["white_matter", "bipolar", "scalp:Cz"])
def test_the_sidecar_says_all_that_bids_wants(reference):
    recording = record(reference=reference)
    keys = MODALITY.sidecar(recording.parameters, recording.forward)
    required = {"iEEGReference", "SamplingFrequency", "PowerLineFrequency", "SoftwareFilters", "iEEGGround"}
    assert required <= set(keys)
    assert keys["ECOGChannelCount"] + keys["SEEGChannelCount"] == len(recording.clean.channels)
    assert keys["ElectricalStimulation"] is False
    assert keys["iEEGElectrodeGroups"] == "LH: shaft of 10; LG: grid of 2x4"


def test_mne_bids_reads_signal_types_and_places_without_a_warning(tmp_path):
    import json

    mne_bids = pytest.importorskip("mne_bids")
    recording = record()
    folder = tmp_path / "sub-01" / "ieeg"
    folder.mkdir(parents=True)
    (tmp_path / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    start = folder / "sub-01_task-rest_run-1_ieeg.vhdr"
    write_brainvision(start, recording.observed)
    keys = {"TaskName": "rest", **MODALITY.sidecar(recording.parameters, recording.forward)}
    start.with_suffix(".json").write_text(json.dumps(keys))
    for table in (table for table in recording.forward.companions if table.named and not table.truth):
        stem = folder / f"sub-01_{table.name if table.shared else f'task-rest_run-1_{table.name}'}"
        if table.columns:
            lines = [table.columns, *(["n/a" if cell is None else str(cell) for cell in row] for row in table.rows)]
            stem.with_suffix(".tsv").write_text("".join("\t".join(line) + "\n" for line in lines))
        if table.about:
            stem.with_suffix(".json").write_text(json.dumps(table.about))
    path = mne_bids.BIDSPath(root=tmp_path, subject="01", task="rest", run="1", datatype="ieeg", extension=".vhdr")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        raw = mne_bids.read_raw_bids(path, verbose="error")
    assert raw.get_channel_types() == ["seeg"] * 10 + ["ecog"] * 8
    np.testing.assert_allclose(
        raw.get_data(), recording.observed.to_array(), atol=0.6 * recording.parameters.resolution
    )
    places = raw.get_montage().get_positions()
    assert places["coord_frame"] == "ras"
    wanted = 1e-3 * recording.forward.context["sensors"].positions
    np.testing.assert_allclose(np.array(list(places["ch_pos"].values())), wanted, atol=1e-6)


def test_mne_gets_the_contacts_in_head_coordinates():
    pytest.importorskip("mne")
    raw = record().to_mne()
    assert raw.get_channel_types() == ["seeg"] * 10 + ["ecog"] * 8
    assert len(raw.get_montage().get_positions()["ch_pos"]) == 18
