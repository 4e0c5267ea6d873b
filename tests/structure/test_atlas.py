import gzip
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.errors import FakeImagingError, InputError, ParameterError
from fakeimaging.core.spaces import centred_grid
from fakeimaging.structure.parcellation import centroids_of

GRID = centred_grid((30, 36, 30), 6.0, (0.0, -17.0, 5.0))
N = 4


def blocks():
    """Four boxes: left and right, front and back of the middle of the brain."""
    labels = np.zeros(GRID.shape, dtype=np.int16)
    for label, (x, y) in enumerate([(0, 18), (15, 18), (0, 0), (15, 0)], start=1):
        labels[x + 2 : x + 13, y + 2 : y + 16, 8:24] = label
    return labels


def save(path, labels, affine=GRID.affine):
    nib.save(nib.Nifti1Image(labels, affine), path)
    return str(path)


@pytest.fixture
def atlas(tmp_path):
    return save(tmp_path / "mine.nii.gz", blocks())


def test_regions_are_those_of_the_image(atlas):
    subject = fi.make_subject("01", seed=1, atlas=atlas)
    assert [region.name for region in subject.regions] == [
        "L_Region_001",
        "R_Region_002",
        "L_Region_003",
        "R_Region_004",
    ]
    assert [region.hemisphere for region in subject.regions] == ["L", "R", "L", "R"]
    assert {region.kind for region in subject.regions} == {"cortex"}
    assert subject.regions[0].volume == pytest.approx(11 * 14 * 16 * 216)
    np.testing.assert_allclose(
        subject.parcellation.centroids, centroids_of(blocks().astype(np.uint16), GRID, N), atol=0.01
    )
    assert subject.connectome.n_regions == N
    native = subject.labels(centred_grid((64, 80, 64), 3.0))
    assert set(np.unique(native)) == set(range(N + 1))


def test_deep_structures_are_known_from_the_default_regions(tmp_path):
    default = fi.make_subject("01", seed=1)
    thalamus = [i + 1 for i, region in enumerate(default.regions) if region.kind == "thalamus"]
    labels = np.where(np.isin(default.parcellation.labels, thalamus), default.parcellation.labels, 0)
    labels = np.searchsorted([0, *thalamus], labels).astype(np.int16)
    path = save(tmp_path / "thalamus.nii.gz", labels, default.parcellation.grid.affine)
    assert {region.kind for region in fi.make_subject("01", seed=1, atlas=path).regions} == {"thalamus"}


def test_the_table_says_more(tmp_path, atlas):
    table = tmp_path / "mine.tsv"
    table.write_text(
        "index\tname\themisphere\tnetwork\n2\tlh-b\tR\tB\n1\tlh-a\tleft\tA\n4\tx\tn/a\tA\n3\ty\tL\tB\n0\tout\t\t\n"
    )
    regions = fi.make_subject("01", seed=1, atlas=atlas, atlas_table=str(table)).regions
    assert [(r.name, r.hemisphere, r.network) for r in regions] == [
        ("lh-a", "L", "A"), ("lh-b", "R", "B"), ("y", "L", "B"), ("x", "R", "A")
    ]  # fmt: skip


def test_mirror_regions_are_found_by_place_where_names_do_not_say(tmp_path, atlas):
    names = tmp_path / "mine.csv"
    names.write_text("index,name\n1,ctx-lh-front\n2,ctx-rh-front\n3,ctx-lh-back\n4,ctx-rh-back\n")
    rule = {"density": 1.0, "log_sd": 0.0, "network_factor": 1.0}
    strong, weak = (
        fi.make_subject(
            "01", seed=1, atlas=atlas, atlas_table=str(names), distance_rule=rule | {"homotopic_factor": f}
        ).connectome.weights
        for f in (4.0, 2.0)
    )
    ratio = strong / np.where(np.eye(N), 1, weak)
    assert ratio[0, 1] == ratio[2, 3] == pytest.approx(2)
    assert ratio[0, 2] == ratio[0, 3] == pytest.approx(1)


def test_a_file_that_changes_is_read_again(tmp_path, atlas):
    fi.make_subject("01", seed=1, atlas=atlas)
    labels = blocks()
    labels[labels == 4] = 3
    save(Path(atlas), labels)
    assert fi.make_subject("01", seed=1, atlas=atlas).n_regions == 3


def gaps(labels):
    labels[labels == 3] = 7
    return labels


def far(labels):
    return np.where(np.indices(labels.shape)[2] < 2, labels[:, :, 8:9], 0).astype(np.int16)


def empty_region(labels):
    labels[0, 0, 0] = 5
    return labels


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (gaps, "labels are 1 to 7 without gaps, and there is no 3, 5, 6"),
        (lambda labels: labels.astype(np.float32), "its labels are float32 .* save them as whole numbers"),
        (lambda labels: labels.astype(np.float32) / 2, "whole numbers"),
        (lambda labels: -labels, r"labels from -4 to 0 are outside"),
        (lambda labels: labels * 0, "it has 0 labels above 0"),
        (far, "no label lies on grey matter; is it in the space of the template"),
        (empty_region, "no grey matter in region 5"),
        (lambda labels: np.stack([labels, labels], axis=-1), "an atlas has three dimensions, not 4"),
    ],
)
def test_a_bad_image_is_named_in_one_line(tmp_path, change, message):
    path = save(tmp_path / "bad.nii.gz", change(blocks()))
    with pytest.raises(InputError, match=message) as caught:
        fi.make_subject("01", seed=1, atlas=path)
    assert "bad.nii.gz" in str(caught.value)
    assert "\n" not in str(caught.value)


def _damaged(path, change):
    save(path, blocks())
    with gzip.open(path) as file:
        raw = bytearray(file.read())
    with gzip.open(path, "wb") as file:
        file.write(bytes(change(raw)))
    return str(path)


def _singular(raw):
    raw[280:328] = bytes(48)  # srow_x, srow_y, srow_z
    raw[254:256] = (2).to_bytes(2, "little")  # sform_code
    return raw


def _oversized(raw):
    raw[42:48] = b"\xff\x7f" * 3  # dim[1:4] = 32767
    return raw


def _negative(raw):
    raw[42:44] = (-30).to_bytes(2, "little", signed=True)  # dim[1]
    return raw


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw[:2000], "bad.nii.gz"),
        (lambda raw: raw[:100], "it is no NIfTI image that can be read"),
        (_singular, "the affine of a grid is a finite, invertible 4 x 4 matrix"),
        (_oversized, "voxels are more than the"),
        (_negative, r"it is no NIfTI image that can be read \(its header says \(-30, 36, 30\) voxels\)"),
    ],
)
def test_a_damaged_image_is_named_in_one_line(tmp_path, change, message):
    path = _damaged(tmp_path / "bad.nii.gz", change)
    with pytest.raises(FakeImagingError, match=message) as caught:
        fi.make_subject("01", seed=1, atlas=path)
    assert "bad.nii.gz" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_torn_gzip_or_no_file_is_named(tmp_path, atlas):
    torn = tmp_path / "torn.nii.gz"
    torn.write_bytes(Path(atlas).read_bytes()[:-300])
    with pytest.raises(InputError, match="torn.nii.gz"):
        fi.make_subject("01", seed=1, atlas=str(torn))
    with pytest.raises(InputError, match="cannot read .*none.nii.gz: No such file"):
        fi.make_subject("01", seed=1, atlas=str(tmp_path / "none.nii.gz"))


def test_rotten_compression_is_named(tmp_path, atlas):
    rotten, raw = tmp_path / "rotten.nii.gz", gzip.decompress(Path(atlas).read_bytes())
    packer = zlib.compressobj(wbits=31)
    sound = packer.compress(raw[:20_000]) + packer.flush(zlib.Z_FULL_FLUSH)
    rotten.write_bytes(sound + b"\xff" * 1000)
    with pytest.raises(InputError, match="cannot read .*rotten.nii.gz") as caught:
        fi.make_subject("01", seed=1, atlas=str(rotten))
    assert "\n" not in str(caught.value)


def test_a_surface_is_no_atlas(tmp_path):
    path = tmp_path / "surface.gii"
    nib.save(nib.gifti.GiftiImage(), path)
    with pytest.raises(InputError, match=r"surface.gii: it is no NIfTI image that can be read \(GiftiImage\)"):
        fi.make_subject("01", seed=1, atlas=str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\na\n", "a column `index` and one of name"),
        ('index\tname\n1\t"a\n' + "2\tb\n" * 40_000, "cannot read .*bad.tsv: field larger than field limit"),
        ("index\tname\n1\ta\n2\tb\n3\tc\n", "label 4 is not in both"),
        ("index\tname\n1\ta\n1\tb\n3\tc\n4\td\n", "line 3: label 1 is there twice"),
        ("index\tname\none\ta\n", "line 2: 'one' is no label"),
        ("index\tname\n1\ta\n2\ta\n3\tc\n4\td\n", "the name 'a' is there twice"),
        ("index\themisphere\n1\tR\n2\tR\n3\tL\n4\tR\n", "are left and right swapped"),
        ("index\themisphere\n1\tQ\n2\tR\n3\tL\n4\tR\n", "hemisphere 'Q' is neither L nor R"),
        ("index\tkind\n1\tcortex\n2\tcorte\n3\tcortex\n4\tcortex\n", "kind 'corte' is none of"),
    ],
)
def test_a_bad_table_is_named_in_one_line(tmp_path, atlas, text, message):
    table = tmp_path / "bad.tsv"
    table.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        fi.make_subject("01", seed=1, atlas=atlas, atlas_table=str(table))
    assert "bad.tsv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_do_not_go_together_are_refused(tmp_path, atlas):
    with pytest.raises(ParameterError, match="`subject.n_regions`: the atlas says how many"):
        fi.make_subject("01", seed=1, atlas=atlas, n_regions=50)
    with pytest.raises(ParameterError, match="`subject.atlas_table`: there is no `atlas`"):
        fi.make_subject("01", seed=1, atlas_table=atlas)
    with pytest.raises(ParameterError, match="`subject.tract_lengths`: there is no `connectome`"):
        fi.make_subject("01", seed=1, tract_lengths="x.csv")


def test_a_connectome_must_fit_the_regions(tmp_path, atlas):
    weights = np.ones((N, N)) - np.eye(N)
    np.save(tmp_path / "mine.npy", weights)
    with pytest.warns(UserWarning, match="mine.npy: no tract lengths; took 1.3 times"):
        subject = fi.make_subject("01", seed=1, atlas=atlas, connectome=tmp_path / "mine.npy")
    away = np.linalg.norm(np.diff(subject.parcellation.centroids[:2], axis=0))
    assert subject.connectome.tract_lengths[0, 1] == pytest.approx(1.3 * away)
    assert subject.connectome.references == ()
    with pytest.raises(
        InputError, match=r"mine.npy: the connectome has 4 regions, the parcellation 10; give n_regions=4"
    ):
        fi.make_subject("01", seed=1, anatomy="tiny", connectome=str(tmp_path / "mine.npy"))
    with pytest.raises(InputError, match="4 regions, the parcellation 100; give the atlas it belongs to"):
        fi.make_subject("01", seed=1, connectome=str(tmp_path / "mine.npy"))


def test_names_in_another_order_are_refused(atlas):
    weights = np.ones((N, N)) - np.eye(N)
    names = tuple(region.name for region in fi.make_subject("01", seed=1, atlas=atlas).regions)
    swapped = fi.Connectome(weights, weights, names=(*names[:2], names[3], names[2]))
    with pytest.raises(InputError, match="row 3 of the connectome is 'R_Region_004', label 3 is 'L_Region_003'"):
        fi.make_subject("01", seed=1, atlas=atlas, connectome=swapped)


def test_an_unconnected_region_is_named_in_a_warning(tmp_path, atlas):
    weights = np.ones((N, N)) - np.eye(N)
    weights[2] = weights[:, 2] = 0
    np.save(tmp_path / "mine.npy", weights)
    np.save(tmp_path / "mine_lengths.npy", weights)
    with pytest.warns(UserWarning, match=r"regions without any tract: 3 \(L_Region_003\)"):
        fi.make_subject("01", seed=1, atlas=atlas, connectome=tmp_path / "mine.npy")
