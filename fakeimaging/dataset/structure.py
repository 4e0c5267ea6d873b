"""Files of a subject's structure: regions, connectome, tissue fractions, transform to the template."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fakeimaging.core.files import write_json, write_tsv
from fakeimaging.core.spaces import Grid
from fakeimaging.dataset import names
from fakeimaging.dataset.images import MNI, SCANNER, write_image, write_labels
from fakeimaging.dataset.manifest import Manifest
from fakeimaging.dataset.names import SOURCE
from fakeimaging.dataset.sidecars import reference_of, write_sidecar
from fakeimaging.dataset.study import Study
from fakeimaging.modalities import t1w
from fakeimaging.modalities.layers import Image
from fakeimaging.structure.subject import Subject

TRUTH_VOXEL = 2.0
"""mm, of the anatomical truth of a study without a T1w."""
FRACTION_STEP = 1e-4
"""Step of the stored tissue fractions."""


def write_structure(subject: Subject, study: Study, root: Path, manifest: Manifest) -> None:
    """Write regions, connectome, tissue fractions and the transform to the template."""
    session = study.sessions[0].label
    grid = anatomy_grid(study)
    _write_dseg(subject, session, subject.labels(grid), grid, None, root, manifest)
    labels, atlas = subject.parcellation.labels, subject.parcellation.grid
    _write_dseg(subject, session, labels, atlas, subject.anatomy.maps.space, root, manifest)
    tissue = subject.anatomy.tissue(grid)
    for label, fraction in (("GM", tissue.grey), ("WM", tissue.white), ("CSF", tissue.csf)):
        path = names.truth_anat(subject.label, session, f"label-{label}_probseg.nii.gz")
        image = Image(grid, None, lambda v, fraction=fraction: fraction, FRACTION_STEP)  # type: ignore[misc]
        manifest.add(path, write_image(root / path, image))
        write_sidecar(
            path, {"SkullStripped": True, "Description": f"true fraction of {label} in each voxel"}, root, manifest
        )
    _write_source(subject, root, manifest)


def anatomy_grid(study: Study) -> Grid:
    """Return the native grid of the anatomical truth: that of the study's first T1w, else `TRUTH_VOXEL`."""
    scans = [scan for session in study.sessions for scan in session.acquisitions if scan.modality == "t1w"]
    wanted = scans[0].parameters if scans else {"voxel_size": TRUTH_VOXEL}
    grid, _ = t1w.geometry(t1w.T1wParameters.parse(wanted), 0.0)
    return grid


def _write_dseg(
    subject: Subject,
    session: str | None,
    labels: npt.NDArray[np.uint16],
    grid: Grid,
    space: str | None,
    root: Path,
    manifest: Manifest,
) -> None:
    path = names.dseg(subject.label, session, space=space)
    manifest.add(path, write_labels(root / path, labels, grid, code=MNI if space is not None else SCANNER))
    description = {
        "SkullStripped": True,
        "Description": "true regions; label i + 1 is row i of every matrix",
        "hemisphere": {"Description": "L or R"},
        "network": {"Description": "functional network, or the structure of a subcortical region"},
        "kind": {
            "Description": "cortex, caudate, putamen, ventral striatum, thalamus, hippocampus, amygdala or cerebellum"
        },
    }
    write_sidecar(path, description | reference_of(space), root, manifest)
    rows = [
        [i + 1, region.name, region.hemisphere, region.network, region.kind] for i, region in enumerate(subject.regions)
    ]
    table = path.with_name(path.name.replace(".nii.gz", ".tsv"))
    manifest.add(table, write_tsv(root / table, ["index", "name", "hemisphere", "network", "kind"], rows))


def _write_source(subject: Subject, root: Path, manifest: Manifest) -> None:
    folder, stem = SOURCE / f"sub-{subject.label}", f"sub-{subject.label}"
    for name, matrix in (("weights", subject.connectome.weights), ("lengths", subject.connectome.tract_lengths)):
        path = names.table(subject.label, name)
        columns = [region.name for region in subject.regions]
        manifest.add(path, write_tsv(root / path, columns, matrix.tolist()))
    columns = [
        "index",
        "name",
        "hemisphere",
        "network",
        "kind",
        "x",
        "y",
        "z",
        "x_native",
        "y_native",
        "z_native",
        "volume",
    ]
    rows = [
        [i + 1, region.name, region.hemisphere, region.network, region.kind, *region.centroid, *native, region.volume]
        for i, (region, native) in enumerate(
            zip(subject.regions, subject.native_centroids().round(3).tolist(), strict=True)
        )
    ]
    path = names.table(subject.label, "regions")
    manifest.add(path, write_tsv(root / path, columns, rows))
    _write_condition(subject, root, manifest)
    path = folder / f"{stem}_transform.json"
    transform = {"from": "native", "to": subject.anatomy.maps.space, "mm": subject.anatomy.to_template.tolist()}
    manifest.add(path, write_json(root / path, transform))


def _write_condition(subject: Subject, root: Path, manifest: Manifest) -> None:
    """Write densities and loss of grey matter of each region, where the subject differs in them from a healthy one of 30 years."""
    named = [[i + 1, region.name] for i, region in enumerate(subject.regions)]
    columns = {"densities": dict(subject.densities)}
    if subject.atrophy is not None:
        size = abs(np.linalg.det(np.linalg.inv(subject.anatomy.to_template)))
        truth = subject.atrophy
        columns["atrophy"] = {"loss": truth.losses, "grey_before": size * truth.before, "grey": size * truth.after}
    for name, values in columns.items():
        if values:
            rows = [
                [*row, *numbers]
                for row, numbers in zip(named, np.stack(list(values.values()), axis=1).tolist(), strict=True)
            ]
            path = names.table(subject.label, name)
            manifest.add(path, write_tsv(root / path, ["index", "name", *values], rows))
