import json
import sys

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import InputError, ParameterError, UnknownNameError
from fakeimaging.dataset.inputs import own_files
from fakeimaging.modalities.eeg import EegParameters
from fakeimaging.modalities.electro import montage_files
from fakeimaging.modalities.electro.head_model import electric_field
from fakeimaging.modalities.electro.lead_field import electric
from fakeimaging.modalities.electro.montage_files import read_montage
from fakeimaging.modalities.electro.montages import MONTAGES, Montage, fitted, head_frame, montage_of, on_scalp
from fakeimaging.structure.head import template_head
from fakeimaging.testing.fixtures import tiny_subject
from tests.modalities.test_eeg import noise, run_of

SIZES = {
    "standard_1020": 21, "standard_1010": 70, "standard_1005": 335, "all": 335, "biosemi16": 16, "biosemi32": 32,
    "biosemi64": 64, "biosemi128": 128, "biosemi160": 160, "biosemi256": 256, "easycap-M1": 74, "easycap-M10": 61,
    "GSN-HydroCel-32": 33, "GSN-HydroCel-64_1.0": 64, "GSN-HydroCel-128": 128, "GSN-HydroCel-256": 256, "EGI_256": 256,
    "brainproducts-RNP-BA-128": 130, "mgh70": 70,
}  # fmt: skip


def place(montage, name):
    found = MONTAGES.get_montage(montage)
    return found.points[found.names.index(name)]


def ten_five(*names):
    return electric().electrodes[electric().rows(names)].astype(float)


def some_head(scale=(1.1, 0.9, 1.05), turn=0.3, unit=0.001):
    """The 10-10 set and the landmarks of another head in other coordinates: names, places, landmarks."""
    names = MONTAGES["standard_1010"]
    frame = head_frame(*electric().fiducials)
    cos, sin = np.cos(turn), np.sin(turn)
    rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])

    def moved(points):
        inside = (np.asarray(points, dtype=float) @ frame[:3, :3].T + frame[:3, 3]) * scale
        return unit * (inside @ rotation.T + [5.0, -7.0, 20.0])

    return names, moved(ten_five(*names)), moved(electric().fiducials)


def test_every_montage_lies_on_the_scalp_with_each_name_once():
    for name in MONTAGES:
        montage = MONTAGES.get_montage(name)
        assert len(set(montage.names)) == len(montage.names) == len(montage.points)
        nodes, weights = template_head().on_scalp(montage.points)
        assert weights.min() > -1e-3
        placed = np.einsum("nk,nkc->nc", weights, template_head().vertices["scalp"][nodes])
        np.testing.assert_allclose(placed, montage.points, atol=0.3)
    assert {name: len(MONTAGES[name]) for name in SIZES} == SIZES


def test_names_of_the_ten_five_system_have_its_places():
    for name in ("biosemi64", "easycap-M1", "brainproducts-RNP-BA-128", "standard_1010"):
        known = [channel for channel in MONTAGES[name] if channel in electric().channels]
        assert len(known) >= len(MONTAGES[name]) - 2
        np.testing.assert_allclose([place(name, channel) for channel in known], ten_five(*known), atol=1e-3)


@pytest.mark.parametrize(
    ("montage", "theirs", "ours", "within"),
    [
        ("biosemi128", "A1", "Cz", 0.1), ("biosemi160", "A1", "Cz", 0.1), ("biosemi256", "A1", "Cz", 0.1),
        ("biosemi128", "A19", "Pz", 5), ("biosemi128", "A23", "Oz", 5), ("biosemi128", "C17", "Fpz", 5),
        ("biosemi128", "C21", "Fz", 5), ("biosemi128", "D23", "T7", 5), ("biosemi128", "B26", "T8", 5),
        ("GSN-HydroCel-129", "Cz", "Cz", 6), ("GSN-HydroCel-257", "Cz", "Cz", 10), ("GSN-HydroCel-129", "E75", "Oz", 6),
        ("GSN-HydroCel-129", "E22", "Fp1", 6), ("GSN-HydroCel-129", "E9", "Fp2", 6), ("GSN-HydroCel-129", "E36", "C3", 10),
        ("GSN-HydroCel-129", "E104", "C4", 10),
    ],
)  # fmt: skip
def test_other_names_lie_where_makers_put_them(montage, theirs, ours, within):
    assert np.linalg.norm(place(montage, theirs) - ten_five(ours)[0]) < within


def test_left_is_left():
    assert place("biosemi128", "D23")[0] < -60
    assert place("GSN-HydroCel-128", "E36")[0] < -40
    for name in ("biosemi256", "GSN-HydroCel-256", "EGI_256"):
        points = MONTAGES.get_montage(name).points
        mirrored = points * [-1, 1, 1]
        nearest = np.linalg.norm(points[:, None] - mirrored[None], axis=2).min(axis=1)
        assert np.median(nearest) < 8


def test_the_field_between_nodes_is_linear_and_at_nodes_that_of_the_node():
    shipped, head = electric(), template_head()
    nodes = head.triangles[100]
    corners = head.vertices["scalp"][nodes]
    np.testing.assert_allclose(shipped.on(corners).maps, shipped.scalp.maps[nodes], atol=1e-9)
    middle = shipped.on([corners.mean(axis=0)]).maps[0]
    np.testing.assert_allclose(middle, shipped.scalp.maps[nodes].mean(axis=0), atol=1e-9)


def test_the_clean_signal_is_against_the_mean_of_335():
    whole = electric().field.columns()
    assert np.abs(whole.mean(axis=0)).max() < 1e-3 * np.abs(whole).max()


def test_electrodes_near_each_other_see_nearly_the_same():
    """A dense cap's field, seen at the nearest 10-05 places, differs as little as the distance says."""
    points = MONTAGES.get_montage("GSN-HydroCel-256").points
    distance = np.linalg.norm(points[:, None] - electric().electrodes[None], axis=2)
    near = np.flatnonzero(distance.min(axis=1) < 4)
    twin = distance[near].argmin(axis=1)
    columns = slice(0, 20_000, 20)
    here, there = (field.columns()[:, columns] for field in (electric().on(points[near]), electric().field))
    difference = np.linalg.norm(here - there[twin], axis=0) / np.linalg.norm(here, axis=0)
    assert len(near) > 10
    assert np.median(difference) < 0.2


def test_fits_know_any_unit_pose_and_size():
    names, places, marks = some_head()
    found = fitted(places, *marks)
    assert np.linalg.norm(found - ten_five(*names), axis=1).max() < 4
    again = fitted(1e3 * places, *(1e3 * marks))
    np.testing.assert_allclose(found, again, atol=1e-3)
    plain = on_scalp(ten_five("Cz") + [[0, 0, 30.0]])
    assert abs(template_head().depth(plain)["scalp"][0]) < 1e-6


def write_tables(folder, landmarks=True, rows=None, unit=1.0):
    names, places, marks = some_head(unit=unit)
    lines = [
        "name\tx\ty\tz",
        *(f"{n}\t{x}\t{y}\t{z}" for n, (x, y, z) in zip(names, places, strict=True)),
        "REF\tn/a\tn/a\tn/a",
    ]
    path = folder / "sub-9_space-CapTrak_electrodes.tsv"
    path.write_text("\n".join(lines if rows is None else rows) + "\n")
    if landmarks:
        about = dict(zip(("NAS", "LPA", "RPA"), marks.tolist(), strict=True))
        (folder / "sub-9_space-CapTrak_coordsystem.json").write_text(
            json.dumps({"AnatomicalLandmarkCoordinates": about})
        )
    return path


def test_a_bids_table_is_read_with_the_landmarks_beside_it(tmp_path):
    found = read_montage(str(write_tables(tmp_path)))
    assert found.names == MONTAGES["standard_1010"]
    assert np.linalg.norm(found.points - ten_five(*found.names), axis=1).max() < 4


def test_names_stand_in_for_landmarks(tmp_path):
    found = read_montage(str(write_tables(tmp_path, landmarks=False)))
    assert np.linalg.norm(found.points - ten_five(*found.names), axis=1).max() < 1
    rows = ["name\tx\ty\tz", *(f"E{i}\t{i}\t{i}\t0" for i in range(20))]
    with pytest.raises(
        InputError, match="no landmarks .*, and 0 electrodes with names of the 10-05 system; 8 would do"
    ):
        read_montage(str(write_tables(tmp_path, landmarks=False, rows=rows)))


@pytest.mark.parametrize("landmarks", [True, False])
def test_an_own_table_is_recorded_with_its_landmarks(tmp_path, landmarks):
    path = write_tables(tmp_path, landmarks=landmarks)
    content = {"sessions": [{"acquisitions": [{"modality": "eeg", "parameters": {"montage": str(path)}}]}]}
    beside = [tmp_path / "sub-9_space-CapTrak_coordsystem.json"] if landmarks else []
    assert own_files(content) == sorted([path, *beside])


def test_other_formats_are_read_by_mne_once(tmp_path, monkeypatch):
    monkeypatch.setenv("FAKEIMAGING_CACHE", str(tmp_path))
    monkeypatch.setattr(montage_files, "cache_folder", lambda: tmp_path)
    names, places, marks = some_head(unit=0.1)
    rows = zip((*names, "nz", "lpa", "rpa"), [*places, *marks], strict=True)
    path = tmp_path / "mine.sfp"
    path.write_text(
        "".join(
            f"{'FidNz' if n == 'nz' else {'lpa': 'FidT9', 'rpa': 'FidT10'}.get(n, n)} {x} {y} {z}\n"
            for n, (x, y, z) in rows
        )
    )
    first = read_montage(str(path))
    assert first.names == names
    assert np.linalg.norm(first.points - ten_five(*names), axis=1).max() < 4
    montage_files._read.cache_clear()
    monkeypatch.setitem(sys.modules, "mne", None)  # as in a worker
    np.testing.assert_array_equal(read_montage(str(path)).points, first.points)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["label\tx\ty\tz", "Cz\t0\t0\t1"], "no column 'name'"),
        (["name\tx\ty\tz", "Cz\t0\tup\t1"], "line 2: .*no numbers"),
        (["name\tx\ty\tz"], "0 electrodes with finite places"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path, rows, words):
    path = write_tables(tmp_path, rows=rows)
    with pytest.raises(InputError, match=words) as error:
        read_montage(str(path))
    assert str(path) in str(error.value)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(UnknownNameError, match="no montage 'biosemi65'; did you mean 'biosemi64'"):
        montage_of("biosemi65")
    with pytest.raises(InputError, match="cannot read the montage .*none.sfp"):
        montage_of(str(tmp_path / "none.sfp"))
    broken = tmp_path / "broken.elc"
    broken.write_text("nothing\n")
    with pytest.raises(InputError, match="cannot use the montage .*broken.elc"):
        montage_of(str(broken))
    with pytest.raises(ParameterError, match="`eeg.montage`: no montage 'biosemi65'; did you mean 'biosemi64'"):
        EegParameters.parse({"montage": "biosemi65"}, where="eeg")


@pytest.mark.parametrize("montage", ["biosemi128", "GSN-HydroCel-65_1.0"])
def test_a_recording_has_the_electrodes_of_its_montage(montage):
    subject = tiny_subject()
    scan = fi.acquire("eeg", subject, run_of(subject, 0.1 * noise(5250, 10)), montage=montage)
    placed = MONTAGES.get_montage(montage)
    assert tuple(channel.name for channel in scan.clean.channels if channel.kind == "EEG") == placed.names
    positions = scan.forward.context["sensors"].positions[scan.clean.rows("EEG")]
    np.testing.assert_allclose(positions, placed.native(subject))
    (table,) = (c for c in scan.companions if c.name.endswith("electrodes"))
    native = np.array([row[4:7] for row in table.rows[: len(placed.names)]], dtype=float)
    np.testing.assert_allclose(native, placed.native(subject), atol=1e-3)
    assert scan.modality.sidecar(scan.parameters, scan.forward)["EEGPlacementScheme"] == montage
    assert 1e-6 < np.median(scan.observed.to_array().std(axis=1)) < 1e-4


def test_spheres_take_any_montage():
    montage = Montage(("A", "B", "C", "D", "E", "F"), MONTAGES.get_montage("biosemi128").points[::22])
    sphere, elements = (electric_field(name, tiny_subject(), montage) for name in ("sphere", "bem"))
    moment = np.zeros((1, sphere.space.n_columns))
    moment[0, 4000] = 1e-9
    made = [field.project(moment)[:, 0] for field in (sphere, elements)]
    a, b = ((v - v.mean()) / np.linalg.norm(v - v.mean()) for v in made)
    assert np.linalg.norm(a - b) < 0.5
