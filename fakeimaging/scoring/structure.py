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
    """Yield the correlation of the weights in the image with those of the table, and their largest deviation over the largest weight.

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
    shuffled = [found[:, rng.permutation(len(truth))] for _ in range(N_PERMUTATIONS)]
    name, n, snr = image.name.removesuffix(".nii.gz"), truth.size, float("nan")

    r = correlation(found, truth)
    by_chance = float(np.quantile([correlation(other, truth) for other in shuffled], 0.95))
    yield Row(subject, name, "structure", r, 1.0, r - 1.0, by_chance, n, snr, "r")
    away = deviation(found, truth)
    by_chance = float(np.quantile([deviation(other, truth) for other in shuffled], 0.05))
    yield Row(subject, name, "structure_deviation", away, 0.0, away, by_chance, n, snr, "1", "closer")


def deviation(found: npt.NDArray, truth: npt.NDArray) -> float:
    """Return the largest difference of two matrices over the largest entry of the second."""
    return float(np.abs(found - truth).max() / np.abs(truth).max())


def correlation(a: npt.NDArray, b: npt.NDArray) -> float:
    """Return the Pearson correlation over all entries of two matrices."""
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
