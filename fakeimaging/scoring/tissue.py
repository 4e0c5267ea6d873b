"""Scores of a T1w: three classes of brightness inside the brain mask, as a plain segmentation finds them, against the true tissue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.streams import Streams
from fakeimaging.dataset import names
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import PREP, Scan
from fakeimaging.scoring.activation import area_under_curve
from fakeimaging.scoring.table import Row

CLASSES = ("CSF", "GM", "WM")
N_SHIFTS = 200
STRIDE = 3
"""Every third voxel along each axis enters chance, and the order of brightness: neighbours say the same."""


def score_t1w(dataset: Dataset, scan: Scan) -> Iterator[Row]:
    """Yield how well brightness orders the tissues, and the overlap of grey and white matter with the truth.

    Nothing for a scan on another grid than the truth, which lies on that of the study's first T1w.
    """
    image = _read(dataset.root / scan.raw)
    truth = _true_classes(dataset, scan)
    inside = _read(dataset.root / PREP / scan.beside("desc-brain_mask.nii.gz")) > 0
    if truth.shape != image.shape:
        return
    found = np.zeros(image.shape, dtype=np.uint8)
    found[inside] = 1 + segmented(image[inside])
    rng = Streams(dataset.study.seed or 0).at("score", scan.recording).rng()
    snr = float("nan")
    every = (slice(None, None, STRIDE),) * 3
    few = truth[every]

    order = brightness_order(image[every], few)
    by_chance = _chance(lambda turned: brightness_order(turned, few), image[every], rng)
    yield Row(
        scan.subject, scan.recording, "tissue_order", order, 1.0, order - 1.0, by_chance, int(inside.sum()), snr, "AUC"
    )
    for name, k in (("dice_grey", 2), ("dice_white", 3)):
        overlap = dice(found == k, truth == k)
        by_chance = _chance(lambda turned, k=k: dice(turned == k, few == k), found[every], rng)
        yield Row(
            scan.subject,
            scan.recording,
            name,
            overlap,
            1.0,
            overlap - 1.0,
            by_chance,
            int((truth == k).sum()),
            snr,
            "Dice",
        )


def _read(path: Path) -> npt.NDArray[np.float32]:
    import nibabel as nib

    image: Any = nib.load(path)
    return np.asarray(image.dataobj, dtype=np.float32)


def _true_classes(dataset: Dataset, scan: Scan) -> npt.NDArray[np.uint8]:
    """Return 1 in fluid, 2 in grey and 3 in white matter, 0 where no tissue has more than half of the voxel."""
    session = dataset.study.sessions[0].label
    classes: npt.NDArray[np.uint8] | None = None
    for k, label in enumerate(CLASSES):
        fraction = _read(dataset.root / names.truth_anat(scan.subject, session, f"label-{label}_probseg.nii.gz"))
        classes = np.zeros(fraction.shape, dtype=np.uint8) if classes is None else classes
        classes[fraction > 0.5] = k + 1
    return np.asarray(classes)


def segmented(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return the class of each value, 0 darkest to 2: the three means that leave the least variance (Otsu 1979, by k-means)."""
    from sklearn.cluster import KMeans

    sample = values[:: max(1, len(values) // 20_000)].reshape(-1, 1)
    fitted: Any = KMeans(3, n_init=4, random_state=0).fit(sample)
    centres = np.sort(np.ravel(fitted.cluster_centers_))
    return np.asarray(np.searchsorted((centres[1:] + centres[:-1]) / 2, values), dtype=np.uint8)


def dice(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    """Return the overlap of two masks, 1 where they agree.

    Examples
    --------
    >>> import numpy as np
    >>> round(dice(np.array([True, True, False]), np.array([True, False, False])), 3)
    0.667
    """
    both, sizes = int(np.count_nonzero(a & b)), int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2 * both / max(1, sizes)


def brightness_order(image: npt.NDArray, truth: npt.NDArray[np.uint8]) -> float:
    """Return the mean probability that grey matter is brighter than fluid and white matter brighter than grey."""
    pairs = []
    for k in (1, 2):
        both = (truth == k) | (truth == k + 1)
        pairs.append(area_under_curve(image[both], truth[both] == k + 1))
    return float(np.mean(pairs))


def _chance(measure: Any, image: npt.NDArray, rng: np.random.Generator) -> float:
    """95th percentile of a measure when the image is turned by a random shift in space, which keeps its smoothness."""
    shifts = rng.integers(0, image.shape, (N_SHIFTS, 3))
    return float(np.quantile([measure(np.roll(image, shift, axis=(0, 1, 2))) for shift in shifts], 0.95))
