import csv
import json

import nibabel as nib
import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.core.spaces import apply_affine, centred_grid
from fakeimaging.dataset.export import edge_table, export_grid, full_labels, painted, strengths, write_structural_export
from fakeimaging.dataset.manifest import Manifest, damaged
from fakeimaging.structure.subject import Subject

GRID = centred_grid((32, 32, 23), 7.0)
SPACES = ("", "space-tiny_")


def directed(n_regions=10, **rule) -> Subject:
    """A tiny subject whose tracts differ by direction."""
    rule = {"asymmetry": 0.5, "density": 0.4} | rule
    return fi.make_subject("01", seed=1, anatomy="tiny", n_regions=n_regions, distance_rule=rule)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    subject, root = directed(), tmp_path_factory.mktemp("export")
    manifest = Manifest("01", "digest")
    write_structural_export(subject, GRID, root, manifest)
    return subject, root, manifest


def image_path(root, space, ending, folder="sub-01/anat/sub-01"):
    return root / f"derivatives/fakeimaging-connectome/{folder}_{space}seg-fakeimaging_{ending}"


@pytest.mark.parametrize("space", SPACES)
def test_a_masker_with_the_label_image_returns_the_weights(exported, space):
    from nilearn.maskers import NiftiLabelsMasker

    subject, root, _ = exported
    labels, table = (image_path(root, space, ending) for ending in ("dseg.nii.gz", "dseg.tsv"))
    masker = NiftiLabelsMasker(str(labels), lut=str(table), standardize=None)
    found = masker.fit_transform(str(image_path(root, space, "desc-weights_probseg.nii.gz")))
    assert np.abs(found.T - subject.connectome.weights).max() < 1e-6
    assert not np.allclose(found, subject.connectome.weights)
    named = [masker.region_names_[column] for column in range(subject.n_regions)]
    assert named == [region.name for region in subject.regions]


@pytest.mark.parametrize("space", SPACES)
def test_strengths_are_sums_of_rows_and_columns_on_grey_matter(exported, space):
    subject, root, _ = exported
    labels = np.asarray(nib.load(image_path(root, space, "dseg.nii.gz")).dataobj)
    for name, axis in (("instrength", 1), ("outstrength", 0)):
        image = nib.load(image_path(root, space, f"desc-{name}_probseg.nii.gz"))
        sums = subject.connectome.weights.sum(axis=axis)
        values = np.asarray(image.dataobj)
        assert (values[labels == 0] == 0).all()
        for i in range(subject.n_regions):
            assert np.unique(values[labels == i + 1]) == pytest.approx([sums[i]], rel=1e-12)
    assert not np.allclose(*strengths(subject.connectome).values())


def test_native_and_template_images_show_the_same_places(exported):
    subject, root, _ = exported
    middles = []
    for space in SPACES:
        image = nib.load(image_path(root, space, "dseg.nii.gz"))
        labels = np.asarray(image.dataobj)
        middles.append([apply_affine(image.affine, np.argwhere(labels == i + 1).mean(axis=0)) for i in range(10)])
    moved = apply_affine(subject.anatomy.to_template, middles[0])
    assert np.linalg.norm(moved - middles[1], axis=1).max() < 7
    assert np.linalg.norm(middles[1] - subject.parcellation.centroids, axis=1).max() < 7
    codes = [nib.load(image_path(root, space, "desc-weights_probseg.nii.gz")).header["sform_code"] for space in SPACES]
    assert codes == [1, 4]


def test_tables_and_files_beside_the_images_hold_the_same_connectome(exported):
    subject, root, manifest = exported
    source = root / "sourcedata/fakeimaging/sub-01"
    for name in ("sub-01_connectome.graphml", "sub-01_tvb.zip"):
        again = fi.read_connectome(source / name)
        assert (again.weights == subject.connectome.weights).all()
        assert (again.tract_lengths == subject.connectome.tract_lengths).all()
        assert again.names == tuple(region.name for region in subject.regions)
        assert (again.centres == subject.parcellation.centroids).all()
    rows = list(csv.DictReader((source / "sub-01_edges.tsv").read_text().splitlines(), delimiter="\t"))
    weights = np.zeros((10, 10))
    for row in rows:
        weights[int(row["target"]) - 1, int(row["source"]) - 1] = float(row["weight"])
        assert row["source_name"] == subject.regions[int(row["source"]) - 1].name
    assert (weights == subject.connectome.weights).all()
    assert damaged(root, manifest) == []
    assert len(manifest.files) == sum(path.is_file() for path in root.rglob("*"))


def test_the_sidecars_say_that_weights_are_no_probabilities(exported):
    _, root, _ = exported
    about = json.loads(image_path(root, "", "desc-weights_probseg.json").read_text())
    assert "volume j holds the weight of the tract from region j" in about["Description"]
    assert "not probabilities" in about["Description"]


def test_a_session_has_its_folder(tmp_path):
    write_structural_export(directed(), GRID, tmp_path, Manifest("01", "x"), session="pre")
    assert image_path(tmp_path, "", "dseg.nii.gz", "sub-01/ses-pre/anat/sub-01_ses-pre").is_file()


def test_every_region_keeps_a_voxel_on_a_coarse_grid():
    subject = directed(density=1.0, n_regions=60)
    coarse = centred_grid((8, 8, 8), 30.0)
    plain = subject.labels(coarse)
    full = full_labels(subject, coarse, subject.anatomy.to_template)
    assert len(np.unique(plain)) - 1 < subject.n_regions
    assert set(np.unique(full)) >= set(range(1, subject.n_regions + 1))
    assert (full != plain).sum() <= subject.n_regions
    whole = directed()
    assert (full_labels(whole, GRID, whole.anatomy.to_template) == whole.labels(GRID)).all()


def test_negative_weights_stay_negative():
    subject = directed(inhibitory=0.3)
    labels = full_labels(subject, GRID, subject.anatomy.to_template)
    column = subject.connectome.weights[:, 0]
    assert painted(labels, column).min() == min(0, column.min())
    assert min(row[4] for row in edge_table(subject)[1]) < 0


def test_the_grid_is_that_of_the_studys_bold(tiny_study):
    assert export_grid(fi.Study.check(tiny_study)).voxel_size.tolist() == [7, 7, 7]
    tiny_study["sessions"][0]["acquisitions"].pop()
    assert export_grid(fi.Study.check(tiny_study)).voxel_size.tolist() == [3.5, 3.5, 3.5]


def test_a_dataset_holds_the_export_and_new_weights_change_it_alone(tmp_path, tiny_study, tiny_dataset):
    from tests.conftest import tree

    tiny_study["subjects"], tiny_study["subject"]["distance_rule"] = 1, {"log_sd": 1.5}
    fi.simulate_study(tiny_study, tmp_path / "other")
    before, after = tree(tiny_dataset), tree(tmp_path / "other")
    changed = {path for path in before if path in after and before[path] != after[path]}
    image = "derivatives/fakeimaging-connectome/sub-01/anat/sub-01_seg-fakeimaging_desc-weights_probseg.nii.gz"
    assert image in changed
    assert image.replace("desc-weights_probseg", "dseg") in after
    assert image.replace("desc-weights_probseg", "dseg") not in changed
    assert "sub-01/anat/sub-01_T1w.nii.gz" not in changed


def test_nilearn_draws_the_connectome_from_the_tables(tiny_dataset, tmp_path):
    import pandas as pd
    from nilearn.plotting import plot_connectome

    source = tiny_dataset / "sourcedata/fakeimaging/sub-01"
    weights = pd.read_csv(source / "sub-01_weights.tsv", sep="\t").to_numpy()
    regions = pd.read_csv(source / "sub-01_regions.tsv", sep="\t")
    plot_connectome(weights, regions[["x", "y", "z"]].to_numpy(), output_file=tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").stat().st_size > 10_000
