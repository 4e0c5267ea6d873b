import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fakeimaging as fi
from fakeimaging.core.errors import FakeImagingError, InputError
from fakeimaging.structure.formats import ENDINGS, lengths_path
from fakeimaging.structure.formats.graphml import graphml_bytes
from fakeimaging.structure.formats.tvb import tvb_bytes

DATA = Path(__file__).parents[2] / "data"
WEIGHTS = np.array([[0, 2.5, 0], [1e-3, 0, 1 / 3], [0, 7, 0]])
LENGTHS = np.array([[0, 80.25, 0], [75.5, 0, 20.1], [0, 20.1, 0]])
NETWORKX = """<?xml version='1.0' encoding='utf-8'?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <key id="d2" for="edge" attr.name="length" attr.type="double" />
  <key id="d1" for="edge" attr.name="weight" attr.type="double" />
  <key id="d0" for="node" attr.name="x" attr.type="double" />
  <graph edgedefault="undirected">
    <node id="front"><data key="d0">1.5</data></node>
    <node id="middle" />
    <node id="back" />
    <edge source="front" target="back"><data key="d1">2.0</data><data key="d2">90.0</data></edge>
    <edge source="middle" target="back"><data key="d1">0.5</data><data key="d2">40.0</data></edge>
  </graph>
</graphml>
"""
"""As networkx 3 writes it."""


def mine(**more):
    return fi.Connectome(WEIGHTS, LENGTHS, names=("front", "left side", "back"), centres=np.eye(3) * 50, **more)


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_is_read_back_bit_for_bit(tmp_path, ending):
    path = tmp_path / f"mine{ending}"
    fi.write_connectome(path, mine())
    again = fi.read_connectome(path)
    assert (again.weights == WEIGHTS).all()
    assert (again.tract_lengths == LENGTHS).all()
    named = {".npy": None, ".txt": None, ".zip": ("front", "left_side", "back")}
    assert again.names == named.get(ending, ("front", "left side", "back"))
    if ending in {".zip", ".graphml"}:
        assert (again.centres == np.eye(3) * 50).all()


@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=20)
@given(
    upper=hnp.arrays(np.float64, 6, elements=st.floats(0, 1e6, allow_subnormal=False)),
    lower=hnp.arrays(np.float64, 6, elements=st.floats(0, 1e6)),
)
def test_any_numbers_make_the_round_trip(tmp_path_factory, ending, upper, lower):
    weights = np.zeros((4, 4))
    weights[np.triu_indices(4, 1)], weights[np.tril_indices(4, -1)] = upper + 1e-9, lower
    path = tmp_path_factory.mktemp("any") / f"any{ending}"
    lengths = np.where(weights > 0, weights[::-1, ::-1], 0)
    fi.write_connectome(path, fi.Connectome(weights, lengths))
    again = fi.read_connectome(path)
    assert (again.weights == weights).all()
    assert (again.tract_lengths == lengths).all()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain.csv", "0,2.5\n1,0\n"),
        ("semicolons.csv", "0;2.5\n1;0\n"),
        ("header.csv", "front,back\n0,2.5\n1,0\n"),
        ("both.csv", ",front,back\nfront,0,2.5\nback,1,0\n"),
        ("index.tsv", "front\t0\t2.5\nback\t1\t0\n"),
        ("short_header.tsv", "front\tback\nfront\t0\t2.5\nback\t1\t0\n"),
        ("pandas.csv", ",0,1\n0,0.0,2.5\n1,1.0,0.0\n"),
        ("pandas_without_index.csv", "0,1\n0.0,2.5\n1.0,0.0\n"),
        ("blanks.txt", "# weights\n 0   2.5\n 1.0e+00 0\n\n"),
        ("marked.csv", "\ufefffront,back\n0,2.5\n1,0\n"),
    ],
)
def test_text_with_and_without_names_is_understood(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = fi.read_connectome(tmp_path / name, tract_lengths=_lengths(tmp_path))
    assert found.weights.tolist() == [[0, 2.5], [1, 0]]
    assert found.names == (("front", "back") if "front" in text else None)


def _lengths(folder, text="0 80\n80 0\n"):
    path = folder / "lengths.txt"
    path.write_text(text)
    return path


def test_lengths_follow_from_centres_and_that_is_said(tmp_path):
    np.save(tmp_path / "mine.npy", WEIGHTS)
    centres = np.array([[0, 0, 0], [0, 30, 40], [0, 0, 10.0]])
    with pytest.warns(UserWarning, match=r"mine.npy: no tract lengths; took 1.3 times"):
        found = fi.read_connectome(tmp_path / "mine.npy", centres=centres)
    assert found.tract_lengths[0, 1] == pytest.approx(1.3 * 50)
    assert found.tract_lengths[0, 2] == 0
    with pytest.raises(InputError, match="no tract lengths, and no centres"):
        fi.read_connectome(tmp_path / "mine.npy")


def test_a_diagonal_is_dropped_with_a_warning(tmp_path):
    np.save(tmp_path / "mine.npy", WEIGHTS + np.diag([1, 0, 2]))
    np.save(tmp_path / "mine_lengths.npy", LENGTHS)
    with pytest.warns(UserWarning, match="weights of regions with themselves are no tracts"):
        assert (fi.read_connectome(tmp_path / "mine.npy").weights == WEIGHTS).all()


def test_an_undirected_graph_as_networkx_writes_it(tmp_path):
    (tmp_path / "graph.graphml").write_text(NETWORKX)
    found = fi.read_connectome(tmp_path / "graph.graphml")
    assert found.names == ("front", "middle", "back")
    assert found.weights.tolist() == [[0, 0, 2], [0, 0, 0.5], [2, 0.5, 0]]
    assert found.tract_lengths[2, 0] == 90


def test_an_edge_of_a_graph_leads_from_the_sender_to_the_receiver():
    text = graphml_bytes(mine()).decode()
    assert 'edgedefault="directed"' in text
    after = text[text.index('<edge source="2" target="1">') :]
    assert "2.5" in after[: after.index("</edge>")]


def test_the_zip_of_the_virtual_brain_has_its_files_and_no_time_stamps():
    subject = fi.make_subject("01", seed=1, anatomy="tiny", distance_rule={"asymmetry": 0.5})
    data = tvb_bytes(subject.connectome, subject.regions)
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        assert set(packed.namelist()) == {
            "weights.txt", "tract_lengths.txt", "centres.txt", "hemispheres.txt", "cortical.txt"
        }  # fmt: skip
        assert all(entry.date_time[0] == 1980 for entry in packed.infolist())
        right = np.loadtxt(io.BytesIO(packed.read("hemispheres.txt")))
        weights = np.loadtxt(io.BytesIO(packed.read("weights.txt")))
        first = packed.read("centres.txt").decode().split()[0]
    assert right.tolist() == [float(region.hemisphere == "R") for region in subject.regions]
    assert first == subject.regions[0].name
    assert (weights == subject.connectome.weights).all()
    assert (weights != weights.T).any()
    assert data == tvb_bytes(subject.connectome, subject.regions)


def _zip(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, text in files.items():
            packed.writestr(f"folder/{name}.txt", text)
    return buffer.getvalue()


def _npz():
    buffer = io.BytesIO()
    np.savez(buffer, weights=WEIGHTS, lengths=LENGTHS)
    return buffer.getvalue()


def _absurd():
    """An NPY file whose header promises more than any memory holds."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": (3_000_000_000, 3_000_000)}
    )
    return buffer.getvalue()


def _rotten(method):
    """A zip whose compressed data are overwritten in the middle."""
    buffer, text = io.BytesIO(), "\n".join(" ".join(map(str, row)) for row in np.random.default_rng(1).random((30, 30)))
    with zipfile.ZipFile(buffer, "w", method) as packed:
        packed.writestr("weights.txt", text)
        start = len(buffer.getvalue()) // 3
    data = bytearray(buffer.getvalue())
    data[start : start + 200] = b"\xff" * 200
    return bytes(data)


def test_a_zip_in_a_folder_with_the_old_name_of_the_centres_is_read(tmp_path):
    (tmp_path / "old.zip").write_bytes(_zip(weights="0 1\n2 0\n", position="lV1 0 0 0\nrV1 0 30 40\n"))
    with pytest.warns(UserWarning, match="no tract lengths"):
        found = fi.read_connectome(tmp_path / "old.zip")
    assert found.names == ("lV1", "rV1")
    assert found.tract_lengths[0, 1] == pytest.approx(65)


GRAPH = '<graphml><key id="w" for="edge" attr.name="weight"/><graph><node id="a"/><node id="b"/>{}</graph></graphml>'
EDGE = '<edge source="{}" target="{}"><data key="w">{}</data></edge>'
BAD = {
    "missing.csv": (None, "cannot read .*missing.csv: No such file"),
    "mine.mat": (b"", r"no format of a connectome ends in '.mat'"),
    "empty.csv": (b"", "empty.csv: it is empty"),
    "ragged.csv": (b"0,1,2\n1,0\n2,1,0\n", "ragged.csv: line 2 has 2 numbers, the first one 3"),
    "words.csv": (b"0,1,2\n1,0,many\n2,1,0\n", "words.csv: line 2: 'many' is not a number"),
    "names.csv": (b",a,b\na,0,1\nc,1,0\n", "names.csv: the names of its rows are not those of its columns"),
    "wide.csv": (b"0,1,2\n1,0,2\n", r"wide.csv: `weights`: a square matrix is needed, not \(2, 3\)"),
    "nan.csv": (b"0,nan\n1,0\n", "nan.csv: `weights`: nan in row 1, column 2"),
    "inf.tsv": (b"0\t1\ninf\t0\n", "inf.tsv: `weights`: inf in row 2, column 1"),
    "negative.csv": (b"0,-1\n1,0\n", "negative.csv: `weights`: negative value -1 in row 1, column 2; .* signed=True"),
    "zero.csv": (b"0,0\n0,0\n", "zero.csv: `weights`: all zero"),
    "latin.csv": ("a,\xe4\n0,1\n1,0\n".encode("latin-1"), "cannot read .*latin.csv: 'utf-8' codec"),
    "torn.npy": (b"\x93NUMPY\x01\x00v\x00", "cannot read .*torn.npy"),
    "torn.zip": (b"PK\x03\x04", "torn.zip: it is no zip file"),
    "other.zip": (_zip(centres="a 0 0 0\n"), "other.zip: it holds no weights.txt; it holds centres"),
    "words.zip": (_zip(weights="0 x\n1 0\n"), "words.zip: weights.txt: could not convert"),
    "places.zip": (
        _zip(weights="0 1\n1 0\n", centres="a 0 0\nb 1 1 1\n"),
        "centres.txt: each line is a name and three",
    ),
    "torn.graphml": (b"<graphml><graph>", "torn.graphml: it is no XML"),
    "no.graphml": (b"<html/>", "no.graphml: it holds no graph"),
    "ends.graphml": (GRAPH.format(EDGE.format("a", "c", 1)).encode(), "edge a to c: there is no such node"),
    "twice.graphml": (
        GRAPH.format(EDGE.format("a", "b", 1) + EDGE.format("b", "a", 2)).encode(),
        "b to a is there twice",
    ),
    "encoding.graphml": (b'<?xml version="1.0" encoding="klingon"?><graphml/>', "encoding.graphml: it is no XML"),
    "quote.csv": (b'0,"1\n' + b"1,0\n" * 60_000, "cannot read .*quote.csv: field larger than field limit"),
    "several.npy": (_npz(), "several.npy: it holds several arrays"),
    "absurd.npy": (_absurd(), "cannot read .*absurd.npy"),
    "deflate.zip": (_rotten(zipfile.ZIP_DEFLATED), "cannot read .*deflate.zip"),
    "lzma.zip": (_rotten(zipfile.ZIP_LZMA), "cannot read .*lzma.zip"),
    "weightless.graphml": (GRAPH.format('<edge source="a" target="b"/>').encode(), "edge a to b: weight is None"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_in_one_line(tmp_path, name):
    content, message = BAD[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FakeImagingError, match=message) as caught:
        fi.read_connectome(tmp_path / name, tract_lengths=_lengths(tmp_path))
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_lengths_must_fit_and_be_lengths(tmp_path):
    np.save(tmp_path / "mine.npy", WEIGHTS)
    with pytest.raises(InputError, match=r"lengths.txt: lengths of shape \(2, 2\) for weights of shape \(3, 3\)"):
        fi.read_connectome(tmp_path / "mine.npy", tract_lengths=_lengths(tmp_path))
    for text in ("0 -1 1\n1 0 1\n1 1 0\n", "0 nan 1\n1 0 1\n1 1 0\n"):
        with pytest.raises(
            InputError, match=r"lengths.txt: `tract_lengths`: (negative value -1|nan) in row 1, column 2"
        ):
            fi.read_connectome(tmp_path / "mine.npy", tract_lengths=_lengths(tmp_path, text))
    fi.write_connectome(tmp_path / "mine.zip", mine())
    with pytest.raises(InputError, match="holds tract lengths of its own"):
        fi.read_connectome(tmp_path / "mine.zip", tract_lengths=_lengths(tmp_path))


def test_a_signed_connectome_is_read_when_asked_for(tmp_path):
    weights = WEIGHTS * [[1, -1, 1]]
    for ending in ENDINGS:
        fi.write_connectome(tmp_path / f"signed{ending}", fi.Connectome(weights, LENGTHS, signed=True))
        assert (fi.read_connectome(tmp_path / f"signed{ending}", signed=True).weights == weights).all()


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_small_inputs_for_people_are_one_connectome(ending):
    reference = fi.read_connectome(DATA / "connectome24.graphml")
    found = fi.read_connectome(DATA / f"connectome24{ending}")
    assert found.n_regions == 24
    assert (found.weights == reference.weights).all()
    assert (found.tract_lengths == reference.tract_lengths).all()
    assert f"`connectome24{ending}`" in (text := (DATA / "README.md").read_text()) or f"`{ending}`" in text


def test_the_small_atlas_and_connectome_make_a_subject():
    subject = fi.make_subject(
        "01", seed=1, connectome=DATA / "connectome24.csv", atlas=str(DATA / "atlas24.nii.gz"),
        atlas_table=str(DATA / "atlas24.tsv"),
    )  # fmt: skip
    assert subject.n_regions == 24
    assert subject.connectome.names == tuple(region.name for region in subject.regions)


def test_lengths_lie_beside_weights():
    assert lengths_path(Path("folder/mine.csv")) == Path("folder/mine_lengths.csv")
