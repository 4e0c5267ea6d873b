"""Score of the structural export: a masker with the label image beside it gives the weights back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fakeimaging.core.streams import Streams
from fakeimaging.dataset import names
from fakeimaging.dataset.load import Dataset
from fakeimaging.scoring.connectivity import regional_series
from fakeimaging.scoring.table import Row

N_PERMUTATIONS = 200


def score_structure(dataset: Dataset, subject: str) -> Iterator[Row]:
    """Yield the correlation of the weights in the image with those of the table; its error is the largest relative deviation.

    Chance: the same with the sending regions in another order.
    """
    session = dataset.study.sessions[0].label
    image, labels = (
        dataset.root / names.connectome_image(subject, session, ending)
        for ending in ("desc-weights_probseg.nii.gz", "dseg.nii.gz")
    )
    truth = np.loadtxt(dataset.root / names.table(subject, "weights"), skiprows=1, delimiter="\t")
    found = regional_series(image, labels, len(truth))
    rng = Streams(dataset.study.seed or 0).at("score", image.name).rng()
    shuffled = [correlation(found[:, rng.permutation(len(truth))], truth) for _ in range(N_PERMUTATIONS)]
    deviation = float(np.abs(found - truth).max() / np.abs(truth).max())
    agreement = correlation(found, truth)
    yield Row(
        subject, image.name.removesuffix(".nii.gz"), "structure", agreement, 1.0, -deviation,
        float(np.quantile(shuffled, 0.95)), truth.size, float("nan"), "r",
    )  # fmt: skip


def correlation(a: npt.NDArray, b: npt.NDArray) -> float:
    """Return the Pearson correlation over all entries of two matrices."""
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
