"""A forward solution of one's own as head model: what it gives, where its sources are taken to lie, what is refused, how it travels."""

import json
from functools import lru_cache

import mne
import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError, ParameterError, UnknownNameError
from fakeimaging.core.spaces import apply_affine
from fakeimaging.dataset.verify import verify
from fakeimaging.modalities.electro.electrodes import native_to_captrak
from fakeimaging.modalities.electro.lead_field import electric
from fakeimaging.modalities.electro.own_forward import field_of, read_forward
from fakeimaging.modalities.electro.sources import vertex_labels
from fakeimaging.testing.fixtures import short_activity, tiny_subject

pytestmark = pytest.mark.slow

NAMES = ("Fp1", "Fp2", "C3", "Cz", "C4", "Pz", "O1", "O2", "T7", "T8")
OPTIONS = {"eeg": {"montage": NAMES}, "meg": {"head_rotation_sd": 0.0, "head_shift_sd": 0.0}}
each = pytest.mark.parametrize("modality", ["eeg", "meg"])


@lru_cache(maxsize=8)
def recording(modality, head_model="bem"):
    return fi.acquire(
        modality, tiny_subject(), short_activity(duration=2.0), head_model=head_model, **OPTIONS[modality]
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The shipped field, written by mne for each modality."""
    folder = tmp_path_factory.mktemp("forward")
    for modality in OPTIONS:
        mne.write_forward_solution(
            folder / f"{modality}-fwd.fif", recording(modality).to_mne_forward(), verbose="error"
        )
    return {modality: str(folder / f"{modality}-fwd.fif") for modality in OPTIONS}


@lru_cache(maxsize=2)
def computed():
    """What mne computes for our electrodes with concentric spheres: 642 sources of the subject's cortex, free orientations."""
    scan = recording("eeg")
    sources = scan.to_mne_forward()["src"]
    kept = [np.flatnonzero(side)[::32] for side in np.split(electric().field.space.cortex, 2)]
    for source, mine in zip(sources, kept, strict=True):
        source["vertno"], source["nuse"] = mine, len(mine)
        source["inuse"] = np.isin(np.arange(source["np"]), mine).astype(int)
        source["use_tris"], source["nuse_tri"] = None, 0
    sphere = mne.make_sphere_model("auto", "auto", scan.to_mne().info, verbose="error")
    return mne.make_forward_solution(scan.to_mne().info, None, sources, sphere, mindist=0.0, verbose="error")


@pytest.fixture(scope="module")
def sphere(tmp_path_factory):
    path = tmp_path_factory.mktemp("sphere") / "sphere-fwd.fif"
    mne.write_forward_solution(path, computed(), verbose="error")
    return str(path)


@each
def test_the_shipped_field_written_and_read_makes_the_same_recording(modality, files):
    """Up to areas: the head's own there, the template's times one factor here [EEG 1.8 %, MEG 3.3 % of the largest value]."""
    shipped, own = recording(modality), recording(modality, files[modality])
    difference = own.clean.to_array() - shipped.clean.to_array()
    assert np.abs(difference).max() < 0.05 * np.abs(shipped.clean.to_array()).max()
    gains = [scan.truth["region_gain"] for scan in (shipped, own)]
    likeness = [np.corrcoef(a, b)[0, 1] for a, b in zip(*gains, strict=True)]
    assert np.median(likeness) > 0.999
    assert min(likeness) > 0.99
    assert np.isfinite(own.observed.to_array()).all()


@each
def test_the_field_itself_is_that_of_the_file(modality, files):
    shipped, own = recording(modality).to_mne_forward(), recording(modality, files[modality]).to_mne_forward()
    size = np.abs(shipped["sol"]["data"]).max()
    np.testing.assert_allclose(own["sol"]["data"], shipped["sol"]["data"], atol=1e-6 * size)
    assert own["sol"]["row_names"] == shipped["sol"]["row_names"]


def test_sources_lie_where_the_shipped_ones_do(files):
    found, shipped = read_forward(files["eeg"], tiny_subject()).space, electric().field.space
    np.testing.assert_allclose(found.points, shipped.points, atol=1e-3)
    np.testing.assert_allclose(found.normals, shipped.normals, atol=1e-3)
    np.testing.assert_array_equal(found.cortex, shipped.cortex)
    np.testing.assert_array_equal(found.left, shipped.left)
    scale = np.abs(np.linalg.det(tiny_subject().anatomy.to_template[:3, :3])) ** (-2 / 3)
    assert found.areas.sum() == pytest.approx(scale * shipped.areas.sum(), rel=0.01)
    labels = [vertex_labels(tiny_subject().parcellation, space) for space in (found, shipped)]
    assert (labels[0] == labels[1]).mean() > 0.999


@each
def test_true_sources_times_the_file_are_the_clean_recording(modality, files):
    scan = recording(modality, files[modality])
    product = scan.to_mne_forward()["sol"]["data"] @ scan.to_mne_sources(0.5, 1.0).data
    clean = scan.clean.to_array()[: len(product), 125:250]
    np.testing.assert_allclose(product, clean, atol=3e-6 * np.abs(clean).max())


def test_sources_of_ones_own_have_the_normals_areas_and_regions_of_their_surface(sphere):
    """642 sources with three orientations each, from a file: what counts is along the normals."""
    scan, free = recording("eeg", sphere), computed()
    space, shipped = scan.forward.context["field"].space, electric().field.space
    kept = np.concatenate([s["vertno"] + offset for s, offset in zip(free["src"], (0, 10242), strict=True)])
    np.testing.assert_allclose(space.points, shipped.points[kept], atol=1e-3)
    np.testing.assert_allclose(space.normals, shipped.normals[kept], atol=1e-3)
    assert (space.left == shipped.left[kept]).all()
    labels = [vertex_labels(tiny_subject().parcellation, s) for s in (space, shipped)]
    assert (labels[0] == labels[1][kept]).mean() > 0.99
    native = np.concatenate([source["nn"][source["vertno"]] for source in free["src"]])
    along = np.einsum("csk,sk->cs", free["sol"]["data"].reshape(len(NAMES), -1, 3), native)
    moments = 1e-9 * space.areas * (labels[0] == np.arange(1, 11)[:, None])
    expected = along @ moments.T
    np.testing.assert_allclose(scan.truth["region_gain"].T, expected, atol=1e-5 * np.abs(expected).max())


def test_areas_of_sources_cover_the_whole_surface(sphere):
    space = read_forward(sphere, tiny_subject()).space
    whole = 0.0
    for source in computed()["src"]:
        corners = 1e3 * source["rr"][source["tris"]]
        whole += (
            np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
        )
    assert space.areas.sum() == pytest.approx(whole, rel=1e-5)
    assert space.areas.min() > 0


def test_true_sources_of_ones_own_are_on_its_vertices(sphere):
    scan = recording("eeg", sphere)
    sources, solution = scan.to_mne_sources(), scan.to_mne_forward()
    for mine, space in zip(sources.vertices, solution["src"], strict=True):
        np.testing.assert_array_equal(mine, space["vertno"])
    product = mne.apply_forward_raw(solution, sources, recording("eeg").to_mne().pick("eeg").info, verbose="error")
    clean = scan.clean.to_array()[: len(NAMES)]
    np.testing.assert_allclose(product.get_data(), clean, atol=3e-6 * np.abs(clean).max())


def test_the_background_is_the_same_whatever_the_head_model_is(sphere):
    """So that instruments of one run see the same sources, each with a forward solution of its own or with none."""
    recipes = [recording("eeg", model).recipe("background") for model in ("bem", "sphere", sphere)]
    for other in recipes[1:]:
        np.testing.assert_array_equal(other["places"], recipes[0]["places"])
    likeness = [np.corrcoef(a, b)[0, 1] for a, b in zip(recipes[1]["maps"].T, recipes[2]["maps"].T, strict=True)]
    assert np.median(likeness) > 0.5


def test_spheres_of_mne_and_ours_are_alike(sphere):
    """Other conductivities, and mne's own middle and radius: the topographies of regions, not their sizes, agree."""
    theirs, ours = (recording("eeg", model).truth["region_gain"] for model in (sphere, "sphere"))
    likeness = [np.corrcoef(a, b)[0, 1] for a, b in zip(theirs, ours, strict=True)]
    assert np.median(likeness) > 0.9
    assert 0.5 < np.linalg.norm(theirs) / np.linalg.norm(ours) < 2.0


def discrete(keep=slice(None, None, 64)):
    """Sources that belong to no surface, each with a direction."""
    space = electric().field.space
    to_head = native_to_captrak(tiny_subject()) @ np.linalg.inv(tiny_subject().anatomy.to_template)
    points = 1e-3 * apply_affine(to_head, space.points[keep])
    normals = space.normals[keep].astype(float) @ np.linalg.inv(to_head[:3, :3])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    sources = mne.setup_volume_source_space(pos={"rr": points, "nn": normals}, verbose="error")
    sphere = mne.make_sphere_model("auto", "auto", recording("eeg").to_mne().info, verbose="error")
    info = recording("eeg").to_mne().info
    return mne.make_forward_solution(info, None, sources, sphere, mindist=0.0, verbose="error")


def test_discrete_sources_share_the_cortex(tmp_path):
    mne.write_forward_solution(tmp_path / "d-fwd.fif", discrete(), verbose="error")
    scan = recording("eeg", str(tmp_path / "d-fwd.fif"))
    space = scan.forward.context["field"].space
    np.testing.assert_allclose(space.points, electric().field.space.points[::64], atol=1e-3)
    assert space.areas.sum() == pytest.approx(142_000, rel=1e-5)
    assert (space.left == electric().field.space.left[::64]).mean() > 0.99
    product = scan.to_mne_forward()["sol"]["data"] @ scan.to_mne_sources().data
    np.testing.assert_allclose(product, scan.clean.to_array()[: len(NAMES)], atol=3e-6 * np.abs(product).max())


def test_a_channel_that_the_file_lacks_is_named(files):
    with pytest.raises(UnknownNameError, match="the forward solution has no channel 'Oz'; did you mean"):
        fi.acquire("eeg", tiny_subject(), short_activity(duration=2.0), head_model=files["eeg"], montage=("Cz", "Oz"))
    with pytest.raises(UnknownNameError, match="has no channel 'MEG 0113'"):
        recording("meg", files["eeg"])


def test_sources_of_a_volume_are_refused(tmp_path):
    info = recording("eeg").to_mne().info
    sphere = mne.make_sphere_model("auto", "auto", info, verbose="error")
    sources = mne.setup_volume_source_space(pos=40.0, sphere=sphere, verbose="error")
    volume = mne.make_forward_solution(info, None, sources, sphere, verbose="error")
    mne.write_forward_solution(tmp_path / "v-fwd.fif", volume, verbose="error")
    with pytest.raises(InputError, match=r"v-fwd\.fif: sources of a volume have no normals"):
        recording("eeg", str(tmp_path / "v-fwd.fif"))


def test_what_is_no_forward_solution_is_refused(tmp_path):
    recording("eeg").to_mne().save(tmp_path / "raw-fwd.fif", verbose="error")
    (tmp_path / "text-fwd.fif").write_text("no FIF at all")
    for name in ("raw-fwd.fif", "text-fwd.fif", "missing-fwd.fif"):
        with pytest.raises(InputError, match=f"{name} is no forward solution of MNE-Python"):
            recording("eeg", str(tmp_path / name))


def test_a_forward_solution_travels_with_the_study(files, tmp_path):
    study = {
        "name": "own head", "seed": 7, "subjects": 1, "subject": {"anatomy": "tiny"},
        "sessions": [{
            "runs": [{"task": "rest", "duration": 3.0, "model": "linear"}],
            "acquisitions": [{"modality": "eeg", "task": "rest", "montage": list(NAMES), "head_model": files["eeg"]}],
        }],
    }  # fmt: skip
    dataset = fi.simulate_study(study, tmp_path / "out")
    assert [p.name for p in (dataset.root / "sourcedata/fakeimaging/inputs").iterdir()] == ["eeg-fwd.fif"]
    written = [p for p in dataset.root.rglob("*") if p.suffix in (".json", ".tsv", ".vhdr", ".vmrk") and p.is_file()]
    assert any('"head_model": "eeg-fwd.fif"' in path.read_text() for path in written)
    assert not [path for path in written if str(tmp_path.parent) in path.read_text()]
    assert verify(dataset.root, "01").problems == ()
    missing = json.loads(json.dumps(study).replace("eeg-fwd.fif", "other-fwd.fif"))
    with pytest.raises(ParameterError, match=r"cannot read .*other-fwd\.fif: no such file"):
        fi.simulate_study(missing, tmp_path / "none")


def test_a_file_that_is_written_anew_is_read_anew(tmp_path):
    path, solution = tmp_path / "x-fwd.fif", recording("eeg").to_mne_forward()
    found = []
    for factor in (1.0, 3.0):
        for data in (solution["sol"]["data"], solution["_orig_sol"]):
            data *= factor
        mne.write_forward_solution(path, solution, overwrite=True, verbose="error")
        found.append(read_forward(str(path), tiny_subject()).at(["Cz"]).columns())
    np.testing.assert_allclose(found[1], 3 * found[0], rtol=1e-5, atol=1e-3)


def test_a_forward_in_memory_is_a_field_too():
    fixed = mne.convert_forward_solution(computed(), surf_ori=True, force_fixed=True, use_cps=False, verbose="error")
    found = field_of(fixed, tiny_subject()).at(["Cz", "Pz"])
    rows = [NAMES.index(name) for name in ("Cz", "Pz")]
    np.testing.assert_allclose(found.columns(), fixed["sol"]["data"][rows])
