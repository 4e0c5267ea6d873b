"""The structural export: the connectome as static images, and beside them tables and files that other programs read.

Volume j of the 4-D image holds, in each voxel of region i, the weight of the tract from region j to region i, so that a masker
with the label image beside it returns ``weights``. BIDS has no suffix for such an image; ``probseg`` (one volume a region) is the
nearest legal one, and the sidecar says that the values are no probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.files import write_bytes, write_tsv
from fakeimaging.core.spaces import Affine, Grid, apply_affine
from fakeimaging.dataset import names
from fakeimaging.dataset.images import MNI, SCANNER, write_floats, write_labels
from fakeimaging.dataset.manifest import Manifest
from fakeimaging.dataset.prep import template_grid
from fakeimaging.dataset.sidecars import reference_of, write_sidecar
from fakeimaging.dataset.study import Study
from fakeimaging.modalities import bold
from fakeimaging.structure.connectome import Connectome
from fakeimaging.structure.formats.graphml import graphml_bytes
from fakeimaging.structure.formats.tvb import tvb_bytes
from fakeimaging.structure.subject import Subject

_WORDS = {
    "weights": "volume j holds the weight of the tract from region j (label j + 1) to the region of each voxel",
    "instrength": "sum of the weights of the tracts that reach the region of each voxel",
    "outstrength": "sum of the weights of the tracts that leave the region of each voxel",
}
_NO_PROBABILITY = "connection weights, dimensionless, not probabilities: BIDS has no suffix for them"


def write_structural_export(
    subject: Subject, bold_grid: Grid, root: Path, manifest: Manifest, session: str | None = None
) -> None:
    """Write the connectome of a subject as images in native and template space, as tables, GraphML and a zip for TVB.

    Parameters
    ----------
    subject : Subject
    bold_grid : Grid
        Native grid of the images; those in template space have voxels of the same size.
    root : Path
        Folder of the dataset.
    manifest : Manifest
    session : str, optional
        Session whose folder they go to.
    """
    template = template_grid(subject.anatomy, bold_grid)
    for grid, to_template, space in (
        (bold_grid, subject.anatomy.to_template, None),
        (template, np.eye(4), subject.anatomy.maps.space),
    ):
        labels = full_labels(subject, grid, to_template)
        _write_labels(subject, labels, grid, session, space, root, manifest)
        _write_maps(subject, labels, grid, session, space, root, manifest)
    _write_tables(subject, root, manifest)


def export_grid(study: Study) -> Grid:
    """Return the native grid of the export: that of the study's first BOLD scan, else of a default one."""
    scans = [scan for session in study.sessions for scan in session.acquisitions if scan.modality == "bold"]
    parameters = bold.BoldParameters.parse(scans[0].parameters if scans else {})
    grid, _ = bold.geometry(parameters, parameters.tr)
    return grid


def full_labels(subject: Subject, grid: Grid, to_template: Affine) -> npt.NDArray[np.uint16]:
    """Return the labels on a grid with at least one voxel a region: one too small for it gets the voxel nearest its centre.

    Parameters
    ----------
    subject : Subject
    grid : Grid
    to_template : ndarray, shape (4, 4)
        Millimetres of the grid's space to those of the template.
    """
    grey = replace(subject.anatomy, to_template=to_template).tissue(grid).grey
    labels = np.array(subject.parcellation.on(grid, to_template, grey=grey))
    counts = np.bincount(labels.ravel(), minlength=subject.n_regions + 1)
    to_voxel = np.asarray(np.linalg.inv(to_template @ grid.affine), dtype=np.float64)
    for label in (np.flatnonzero(counts[1:] == 0) + 1).tolist():
        middle = apply_affine(to_voxel, subject.parcellation.centroids[label - 1])
        free = counts[labels] > 1
        free |= labels == 0
        away = sum(
            (np.square(axis - m) for axis, m in zip(np.indices(grid.shape, sparse=True), middle, strict=True)), 0.0
        )
        voxel = np.unravel_index(np.where(free, away, np.inf).argmin(), grid.shape)
        counts[labels[voxel]] -= 1
        counts[label] += 1
        labels[voxel] = label
    return labels


def strengths(connectome: Connectome) -> dict[str, npt.NDArray[np.float64]]:
    """Return the sum of what reaches and of what leaves each region, shape (n_regions,) each."""
    return {"instrength": connectome.weights.sum(axis=1), "outstrength": connectome.weights.sum(axis=0)}


def painted(labels: npt.NDArray[np.uint16], values: npt.NDArray) -> npt.NDArray[np.float64]:
    """Return an image with one value for each region, shape labels.shape; 0 outside every region."""
    return np.concatenate([[0.0], values]).astype(np.float64)[labels]


def _write_maps(
    subject: Subject, labels: npt.NDArray[np.uint16], grid: Grid, session: str | None, space: str | None,
    root: Path, manifest: Manifest,
) -> None:  # fmt: skip
    connectome, code = subject.connectome, MNI if space is not None else SCANNER

    def volumes() -> Iterator[npt.NDArray[np.float64]]:
        return (painted(labels, column) for column in connectome.weights.T)

    images: dict[str, tuple[Iterator[npt.NDArray[np.float64]], int | None]] = {
        "weights": (volumes(), connectome.n_regions)
    }
    images |= {name: (iter([painted(labels, sums)]), None) for name, sums in strengths(connectome).items()}
    for name, (content, n_volumes) in images.items():
        path = names.connectome_image(subject.label, session, f"desc-{name}_probseg.nii.gz", space=space)
        manifest.add(path, write_floats(root / path, grid, content, n_volumes, code=code))
        keys = {"SkullStripped": True, "Description": f"{_WORDS[name]}; {_NO_PROBABILITY}"}
        write_sidecar(path, keys | reference_of(space), root, manifest)


def _write_labels(
    subject: Subject, labels: npt.NDArray[np.uint16], grid: Grid, session: str | None, space: str | None,
    root: Path, manifest: Manifest,
) -> None:  # fmt: skip
    path = names.connectome_image(subject.label, session, "dseg.nii.gz", space=space)
    manifest.add(path, write_labels(root / path, labels, grid, code=MNI if space is not None else SCANNER))
    keys: dict[str, Any] = {"SkullStripped": True, "Description": "regions; label i + 1 is row i of the weights"}
    write_sidecar(path, keys | reference_of(space), root, manifest)
    rows = [[i + 1, region.name] for i, region in enumerate(subject.regions)]
    table = path.with_name(path.name.replace(".nii.gz", ".tsv"))
    manifest.add(table, write_tsv(root / table, ["index", "name"], rows))


def edge_table(subject: Subject) -> tuple[list[str], list[list[Any]]]:
    """Return columns and rows of the list of tracts, from the sending to the receiving region, strongest first in each target."""
    weights, lengths = subject.connectome.weights, subject.connectome.tract_lengths
    pairs = np.argwhere(weights).tolist()
    called = [region.name for region in subject.regions]
    rows = [
        [source + 1, target + 1, called[source], called[target], weights[target, source], lengths[target, source]]
        for target, source in sorted(pairs, key=lambda pair: (pair[0], -weights[tuple(pair)]))
    ]
    return ["source", "target", "source_name", "target_name", "weight", "length"], rows


def _write_tables(subject: Subject, root: Path, manifest: Manifest) -> None:
    edges = names.table(subject.label, "edges")
    manifest.add(edges, write_tsv(root / edges, *edge_table(subject)))
    content: dict[PurePosixPath, bytes] = {
        names.table(subject.label, "connectome", ".graphml"): graphml_bytes(subject.connectome, subject.regions),
        names.table(subject.label, "tvb", ".zip"): tvb_bytes(subject.connectome, subject.regions),
    }
    for path, data in content.items():
        manifest.add(path, write_bytes(root / path, data))
