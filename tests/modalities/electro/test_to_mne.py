"""What MNE-Python is handed is what was recorded, and works in its pipelines: raw data, forward solution, true sources, events."""

from dataclasses import replace
from functools import lru_cache
from types import SimpleNamespace

import mne
import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import apply_affine
from fakeimaging.modalities.electro.electrodes import native_to_captrak
from fakeimaging.modalities.electro.lead_field import native_electrodes, native_fiducials, to_native
from fakeimaging.modalities.electro.medium import infinite_potential
from fakeimaging.modalities.electro.montages import MONTAGES
from fakeimaging.modalities.electro.sources import field_scale, imposed_moments
from fakeimaging.modalities.electro.to_mne import KINDS, series_to_mne, true_sources
from fakeimaging.structure.surfaces import HEMISPHERES, cortex
from fakeimaging.testing.fixtures import short_activity, tiny_subject

MOTOR, VISUAL = (-38.0, -20.0, 58.0), (12.0, -90.0, 5.0)
CONDITIONS = (
    {"trial_type": "face", "onsets": [2.0, 6.0, 10.0], "duration": 0.5, "modulation": [1.0, 2.0, 3.0]},
    {"trial_type": "house", "onsets": [4.0, 8.0], "duration": 0.25},
)
SOURCES = (
    {"name": "first", "near": MOTOR, "moment": 20.0, "trial_type": "face", "latency_jitter": 0.02, "amplitude_jitter": 0.3},
    {"name": "second", "near": VISUAL, "moment": 20.0, "follows": "first", "lag": 0.05},
    {"name": "own", "near": VISUAL, "moment": 1.0, "onsets": [1.0]},
    {"name": "alpha", "near": VISUAL, "density": 0.1, "extent": 10.0, "waveform": "rhythm"},
)  # fmt: skip
MODALITIES = ["eeg", "meg"]
each = pytest.mark.parametrize("modality", MODALITIES)


@lru_cache(maxsize=1)
def run():
    conditions = [{"regions": ["all"], "amplitude": 0.0, **condition} for condition in CONDITIONS]
    return fi.simulate_activity(
        tiny_subject(), model="linear", duration=12.0, conditions=conditions, sources=list(SOURCES)
    )


@lru_cache(maxsize=4)
def recording(modality):
    return fi.acquire(modality, tiny_subject(), run())


@lru_cache(maxsize=4)
def raw(modality):
    return recording(modality).to_mne()


@lru_cache(maxsize=4)
def forward(modality):
    return recording(modality).to_mne_forward()


def in_head(points):
    """Native mm to head coordinates in m."""
    return 1e-3 * apply_affine(native_to_captrak(tiny_subject()), points)


@each
def test_raw_data_are_what_was_observed_in_volts_and_tesla(modality):
    scan, found = recording(modality), raw(modality)
    np.testing.assert_array_equal(found.get_data().astype(np.float32), scan.observed.to_array())
    assert found.get_channel_types() == [KINDS[channel.kind] for channel in scan.clean.channels]
    units = {"V": mne.io.constants.FIFF.FIFF_UNIT_V, "T": mne.io.constants.FIFF.FIFF_UNIT_T}
    units["T/m"] = mne.io.constants.FIFF.FIFF_UNIT_T_M
    assert [int(c["unit"]) for c in found.info["chs"]] == [units[channel.unit] for channel in scan.clean.channels]
    assert found.info["sfreq"] == 250
    assert found.info["line_freq"] == 50
    assert found.info["highpass"] == scan.parameters.high_pass
    assert found.times[-1] == pytest.approx(12 - 1 / 250)
    assert len(series_to_mne(scan, scan.clean).ch_names) == len(found.ch_names)


def test_electrodes_and_fiducials_are_the_heads_own():
    places = raw("eeg").get_montage().get_positions()
    names = list(places["ch_pos"])
    native = native_electrodes(tiny_subject(), MONTAGES["biosemi64"])
    assert names == list(MONTAGES["biosemi64"])
    np.testing.assert_allclose([places["ch_pos"][name] for name in names], in_head(native), atol=1e-6)
    for key, name in (("nasion", "NAS"), ("lpa", "LPA"), ("rpa", "RPA")):
        np.testing.assert_allclose(places[key], in_head(native_fiducials(tiny_subject())[name]), atol=1e-6)


def test_coils_lie_about_the_head_as_its_position_in_the_helmet_says():
    info, sensors = raw("meg").info, recording("meg").forward.context["sensors"]
    coils = mne.pick_types(info, meg=True)
    device = np.array([info["chs"][i]["loc"][:3] for i in coils])
    where = apply_affine(info["dev_head_t"]["trans"], device)
    np.testing.assert_allclose(where, in_head(sensors.positions[: len(coils)]), atol=1e-6)
    assert len(coils) == 306


def test_the_shape_of_the_head_is_digitised_with_the_coils_that_are_stuck_on_it():
    places, context = raw("meg").get_montage().get_positions(), recording("meg").forward.context
    np.testing.assert_allclose(places["hsp"], context["head_shape"], atol=1e-6)
    np.testing.assert_allclose(places["hpi"], context["head_coils"], atol=1e-6)
    assert len(places["hpi"]) == 4
    assert 50 < len(places["hsp"]) < 200


@each
def test_events_are_annotations(modality):
    found = raw(modality).annotations
    np.testing.assert_allclose(found.onset, [2, 4, 6, 8, 10])
    np.testing.assert_allclose(found.duration, [0.5, 0.25, 0.5, 0.25, 0.5])
    assert list(found.description) == ["face", "house"] * 2 + ["face"]


def test_channels_that_the_table_calls_bad_are_bad():
    scan = recording("eeg")
    tables = scan.forward.companions
    table = next(table for table in tables if table.name == "channels")
    column = table.columns.index("status")
    rows = [[*row[:column], "bad" if row[0] in ("Cz", "O1") else row[column], *row[column + 1 :]] for row in table.rows]
    marked = tuple(replace(table, rows=rows) if table.name == "channels" else table for table in tables)
    spoilt = replace(scan, forward=replace(scan.forward, companions=marked))
    assert spoilt.to_mne().info["bads"] == ["O1", "Cz"]
    assert len(mne.pick_types(spoilt.to_mne().info, eeg=True)) == 62
    assert spoilt.to_mne_forward()["nchan"] == 64


@each
def test_raw_data_are_saved_and_read_back(modality, tmp_path):
    before = raw(modality)
    before.save(tmp_path / "x_raw.fif", verbose="error")
    after = mne.io.read_raw_fif(tmp_path / "x_raw.fif", preload=True, verbose="error")
    np.testing.assert_allclose(after.get_data(), before.get_data(), rtol=1e-6, atol=1e-20)
    assert after.ch_names == before.ch_names
    np.testing.assert_allclose(after.annotations.onset, before.annotations.onset)
    for one, other in zip(after.info["chs"], before.info["chs"], strict=True):
        np.testing.assert_allclose(one["loc"], other["loc"], atol=1e-6)
        assert one["coil_type"] == other["coil_type"]
    if modality == "meg":
        np.testing.assert_allclose(after.info["dev_head_t"]["trans"], before.info["dev_head_t"]["trans"], atol=1e-6)


@each
def test_true_sources_times_the_forward_solution_are_the_clean_recording(modality):
    """By mne's own product, to float precision."""
    scan, solution = recording(modality), forward(modality)
    found = mne.apply_forward_raw(
        solution, scan.to_mne_sources(5.0, 7.0), raw(modality).copy().pick(["eeg", "meg"]).info, verbose="error"
    )
    clean = scan.clean.to_array()[: solution["nchan"], 1250:1750]
    product = found.get_data()
    for rows in ([0], range(solution["nchan"])):
        np.testing.assert_allclose(product[rows], clean[rows], atol=2e-6 * np.abs(clean[rows]).max())
    assert found.ch_names == [c.name for c in scan.clean.channels if c.kind == "EEG" or c.kind.startswith("MEG")]


@each
def test_what_a_whole_brain_adds_is_its_nuclei(modality):
    """Forward solution and true sources are of the cortex alone [deep dipoles make 1.5 % of EEG's SD, 3 % of MEG's]."""
    subject = fi.make_subject("01", seed=1)
    scan = fi.acquire(modality, subject, fi.simulate_activity(subject, model="linear", duration=1.0))
    field, n = scan.forward.context["field"], scan.forward.context["field"].space.n_vertices
    moments = true_sources(scan) * field_scale(subject, field.space)
    cortical = scan.to_mne_forward()["sol"]["data"] @ scan.to_mne_sources().data
    clean = scan.clean.to_array()[: len(cortical)]
    deep = field.columns()[:, n:] @ moments[n:]
    np.testing.assert_allclose(cortical + deep, clean, atol=2e-6 * np.abs(clean).max())
    assert 0.001 < deep.std() / clean.std() < 0.1


@each
def test_true_sources_live_on_fsaverage5(modality):
    scan = recording(modality)
    sources = scan.to_mne_sources(3.0, 5.0)
    assert [len(part) for part in sources.vertices] == [10242, 10242]
    assert sources.lh_data.shape == sources.rh_data.shape == (10242, 500)
    assert (sources.tmin, sources.tstep, sources.subject) == (3.0, 1 / 250, "fsaverage")
    np.testing.assert_allclose(sources.times[[0, -1]], [3.0, 5.0 - 1 / 250])
    np.testing.assert_allclose(sources.data, scan.to_mne_sources(2.0, 6.0).data[:, 250:750], rtol=1e-5, atol=1e-14)
    surfaces = forward(modality)["src"]
    for mine, side, ours in zip(sources.vertices, HEMISPHERES, surfaces, strict=True):
        np.testing.assert_array_equal(mine, ours["vertno"])
        native = apply_affine(to_native(tiny_subject()), cortex(side).at(0.5))
        np.testing.assert_allclose(ours["rr"], in_head(native), atol=2e-5)
        np.testing.assert_array_equal(ours["tris"], cortex(side).triangles)


def test_normals_of_the_forward_solution_are_those_of_its_surfaces():
    for surface in forward("eeg")["src"]:
        corners = surface["rr"][surface["tris"]]
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals = np.zeros_like(surface["rr"])
        for corner in range(3):
            np.add.at(normals, surface["tris"][:, corner], across)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        assert (normals * surface["nn"]).sum(axis=1).min() > 0.999


def test_a_single_dipole_is_where_and_as_large_as_it_was_imposed():
    scan = recording("eeg")
    trial = run().sources[0].trials
    peak = float(trial.begins[1]) + run().sources[0].spec.peak
    found = scan.to_mne_sources(peak, peak + 0.008).data[:, 0]
    rest = scan.to_mne_sources(11.5, 11.508).data[:, 0]
    points = scan.forward.context["field"].space.points
    vertex = np.abs(found - rest).argmax()
    assert np.linalg.norm(points[vertex] - MOTOR) < 6
    assert found[vertex] == pytest.approx(20e-9 * trial.amplitude[1], rel=0.1)


@each
def test_a_moment_is_of_the_subjects_own_head(modality):
    scan = recording(modality)
    context, source = scan.forward.context, run().sources[0]
    vertex = int(imposed_moments(tiny_subject(), context["field"].space, source).indices[0])
    expected = 1e-9 * forward(modality)["sol"]["data"][:, vertex]
    np.testing.assert_allclose(context["gains"].sources[:, 0], expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
    assert abs(field_scale(tiny_subject(), context["field"].space) - 1) > 1e-3


def test_a_moment_makes_less_in_a_larger_head_as_in_a_medium():
    larger = SimpleNamespace(anatomy=SimpleNamespace(to_template=np.diag([1 / 1.1] * 3 + [1.0])))
    place, moment, contact = np.array([[10.0, 0, 50]]), [[0, 0.6, 0.8]], np.array([[20.0, 10, 90]])
    made, scaled = (infinite_potential(s * contact, s * place, moment) for s in (1.0, 1.1))
    scale = field_scale(larger, recording("eeg").forward.context["field"].space)
    assert scale == pytest.approx(float((scaled / made)[0, 0]), rel=1e-9)


def test_a_stretch_that_does_not_fit_into_memory_is_refused():
    long = fi.acquire("eeg", tiny_subject(), short_activity(duration=120.0))
    with pytest.raises(InputError, match=r"120 s of every source do not fit; ask for 90\.9 s at most"):
        long.to_mne_sources()
    assert long.to_mne_sources(119.0).data.shape == (20484, 250)
    with pytest.raises(InputError, match="no sample lies from 5 s to 5"):
        long.to_mne_sources(5.0, 5.0)


@each
def test_events_with_metadata_make_epochs(modality):
    events, codes, metadata = recording(modality).to_mne_events()
    epochs = mne.Epochs(raw(modality), events, codes, -0.2, 0.5, metadata=metadata, preload=True, verbose="error")
    assert len(epochs) == 5
    assert codes == {"face": 1, "house": 2}
    np.testing.assert_array_equal(events[:, 0], [500, 1000, 1500, 2000, 2500])
    assert list(epochs["modulation > 1"].metadata["onset"]) == [6.0, 10.0]
    if modality == "meg":
        np.testing.assert_array_equal(mne.find_events(raw("meg"), verbose="error"), events)


def test_metadata_hold_the_trials_of_the_sources_that_answer():
    _, _, metadata = recording("eeg").to_mne_events()
    first, second, *_ = (source.trials for source in run().sources)
    faces = metadata["trial_type"] == "face"
    for name, trials in (("first", first), ("second", second)):
        np.testing.assert_allclose(metadata.loc[faces, f"{name}_amplitude"], trials.amplitude)
        np.testing.assert_allclose(metadata.loc[faces, f"{name}_latency"], trials.latency)
        assert metadata.loc[~faces, f"{name}_amplitude"].isna().all()
    np.testing.assert_allclose(metadata.loc[faces, "second_latency"] - metadata.loc[faces, "first_latency"], 0.05)
    assert not {"own_amplitude", "alpha_amplitude"} & set(metadata)
    assert len(first.amplitude) == 3


def test_a_run_without_events_has_none():
    scan = fi.acquire("eeg", tiny_subject(), short_activity(duration=2.0))
    events, codes, metadata = scan.to_mne_events()
    assert (events.shape, codes, len(metadata)) == ((0, 3), {}, 0)
    assert len(scan.to_mne().annotations) == 0


@lru_cache(maxsize=4)
def coarse(modality):
    """The forward solution at one vertex in eight."""
    vertices = [np.arange(0, 10242, 8)] * 2
    return mne.forward.restrict_forward_to_stc(
        forward(modality), mne.SourceEstimate(np.zeros((2562, 1)), vertices, 0, 1, verbose="error")
    )


@lru_cache(maxsize=4)
def evoked(modality, vertex):
    """What a dipole of 20 nAm at one vertex makes, as mne's own product says; potentials against their mean."""
    solution = forward(modality)
    info = mne.pick_info(raw(modality).info, mne.pick_channels(raw(modality).ch_names, solution["sol"]["row_names"]))
    data = np.outer(solution["sol"]["data"][:, vertex], 20e-9 * np.hanning(52)[1:-1])
    found = mne.EvokedArray(data, info, verbose="error")
    return found.set_eeg_reference(projection=True, verbose="error") if modality == "eeg" else found


@each
def test_the_forward_solution_goes_into_mnes_inverse(modality):
    shown = evoked(modality, 3000)
    operator = mne.minimum_norm.make_inverse_operator(
        shown.info, coarse(modality), mne.make_ad_hoc_cov(shown.info, verbose="error"), fixed=True, loose=0.0,
        depth=None, verbose="error",
    )  # fmt: skip
    found = mne.minimum_norm.apply_inverse(shown, operator, 1 / 9, "sLORETA", verbose="error")
    assert np.abs(found.data[:, 25]).argmax() == 3000 // 8


@each
def test_the_forward_solution_goes_into_mnes_beamformer(modality):
    """A dipole in white noise, and the unit-noise-gain beamformer's power, whose peak is unbiased."""
    rng = np.random.Generator(np.random.SFC64(1))
    shown = evoked(modality, 3000).copy()
    sd = mne.make_ad_hoc_cov(shown.info, verbose="error")["data"] ** 0.5
    n = 2000
    course = 20e-9 * np.sin(np.arange(n) / 8)
    signal = np.outer(forward(modality)["sol"]["data"][:, 3000], course)
    data = mne.io.RawArray(signal + 0.3 * sd[:, None] * rng.standard_normal((len(sd), n)), shown.info, verbose="error")
    covariance = mne.compute_raw_covariance(data, rank="info", verbose="error")
    filters = mne.beamformer.make_lcmv(
        data.info, coarse(modality), covariance, reg=0.01, noise_cov=mne.make_ad_hoc_cov(shown.info, verbose="error"),
        weight_norm="unit-noise-gain", rank="info", verbose="error",
    )  # fmt: skip
    power = mne.beamformer.apply_lcmv_cov(covariance, filters, verbose="error").data[:, 0]
    points = recording(modality).forward.context["field"].space.points
    assert (
        np.linalg.norm(
            points[np.concatenate([np.arange(0, 10242, 8), 10242 + np.arange(0, 10242, 8)])[power.argmax()]]
            - points[3000]
        )
        < 8
    )
