"""Checks a dataset against its own record.

On the same class of machine everything is made again and compared byte for byte (decompressed). Elsewhere chaotic dynamics
need not agree, so the instruments are replayed from the stored activity, and what they saw, observed and clean, may differ by one
step of its int16; derivatives and tables are then only checked against the manifest.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fakeimaging.core.files import UNREADABLE
from fakeimaging.core.provenance import fingerprint
from fakeimaging.dataset.cohort import one_subject
from fakeimaging.dataset.electro import read_part
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.manifest import Manifest, damaged, read_manifest, strangers
from fakeimaging.dataset.participants import row_problems
from fakeimaging.modalities.layers import Image, Series


@dataclass(frozen=True)
class Verdict:
    """What was found for one subject.

    Parameters
    ----------
    subject : str
    how : str
        ``"same machine class"``, ``"replayed"``, or ``"not compared"``.
    n_files : int
        Files the manifest lists.
    problems : tuple of str
    """

    subject: str
    how: str
    n_files: int
    problems: tuple[str, ...]


def verify(root: str | Path, subject: str) -> Verdict:
    """Compare one subject of a dataset with what its record makes.

    Parameters
    ----------
    root : path
    subject : str

    Returns
    -------
    Verdict
    """
    dataset = Dataset(Path(root))
    manifest = read_manifest(dataset.root, dataset.known(subject))
    if manifest is None:
        return Verdict(subject, "not compared", 0, ("it has no manifest: it was not finished",))
    how = "same machine class" if manifest.machine == fingerprint() else "replayed"
    problems = damaged(dataset.root, manifest)
    problems += [
        f"{path.relative_to(dataset.root)}: the manifest does not list it" for path in strangers(dataset.root, manifest)
    ]
    if manifest.study != dataset.study_of(subject).digest():
        problems.append("its manifest belongs to another study than the record")
    problems += row_problems(dataset.study, subject, dataset.root)
    compare = _made_again if how == "same machine class" else _replayed
    return Verdict(subject, how, len(manifest.files), (*problems, *compare(dataset, manifest)))


def _made_again(dataset: Dataset, manifest: Manifest) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="fakeimaging-verify-") as folder:
        one_subject(dataset.study.content(), manifest.subject, folder)
        again = read_manifest(Path(folder), manifest.subject)
    made = again.files if again is not None else {}
    different = [p for p in manifest.files if p in made and made[p].sha256 != manifest.files[p].sha256]
    lost = [f"{path}: the record does not make it" for path in set(manifest.files) - set(made)]
    new = [f"{path}: the record makes it, and it is not there" for path in set(made) - set(manifest.files)]
    return sorted([f"{path}: comes out different" for path in different] + lost + new)


def _replayed(dataset: Dataset, manifest: Manifest) -> list[str]:
    problems = []
    for scan in dataset.scans(manifest.subject):
        recording = dataset.reacquire(scan)
        for path, image in ((scan.raw, recording.observed), (scan.clean, recording.clean)):
            if not _within_a_step(dataset.root / path, image):
                problems.append(f"{path}: differs from its replay by more than one step of its int16")
    return problems


def _within_a_step(path: Path, signal: Image | Series) -> bool:
    try:
        return _series_agrees(path, signal) if isinstance(signal, Series) else _image_agrees(path, signal)
    except UNREADABLE:
        return False


def _series_agrees(path: Path, series: Series) -> bool:
    steps = 1.6 * series.steps[:, None]
    for v, part in enumerate(series.parts()):
        stored = read_part(path, series, v)
        if stored.shape != part.shape or not (np.abs(stored - part) <= steps).all():
            return False
    return True


def _image_agrees(path: Path, image: Image) -> bool:
    import nibabel as nib

    try:
        image_file: Any = nib.load(path)
    except nib.filebasedimages.ImageFileError:
        return False
    stored = image_file.dataobj
    if stored.shape != image.shape:
        return False
    volumes = (stored,) if image.clock is None else (stored[..., v] for v in range(image.n_volumes))
    pairs = zip(volumes, image.volumes(), strict=True)
    return all(np.abs(np.asarray(file) - made).max() <= 1.6 * image.slope for file, made in pairs)
