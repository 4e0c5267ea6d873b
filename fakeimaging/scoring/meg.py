"""Scores of an MEG: the alpha peak at the back of the helmet, the regions' dipoles by whitened minimum norm, and what detectors find.

The field is that of the head as it lay when the run began.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fakeimaging.core.streams import Streams
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.scoring.eeg import SHORTEST
from fakeimaging.scoring.electro.alpha import peak_row
from fakeimaging.scoring.electro.detection import detection_rows
from fakeimaging.scoring.electro.files import MEG, read_channels, read_raw, some, table_rows
from fakeimaging.scoring.electro.sources import (
    band_passed,
    source_agreement,
    true_dipoles,
    true_gains,
    whitened_minimum_norm,
)
from fakeimaging.scoring.table import Row

NOISE = {"MEGMAG": 20e-15, "MEGGRADAXIAL": 20e-15, "MEGGRADPLANAR": 5e-13}
"""T, T/m: SD of the noise of each kind of sensor, as `mne.make_ad_hoc_cov` has it."""
BACK = 0.2
"""Share of the sensors that lie farthest back: where alpha is looked for (assumed)."""


def score_meg(dataset: Dataset, scan: Scan) -> Iterator[Row]:
    """Yield how well the alpha peak (where the recording is fast enough to hold it), the regions' dipoles and artefacts are found."""
    observed = read_channels(dataset.root, scan, MEG)
    if observed.seconds < SHORTEST:
        return
    stream = Streams(dataset.study.seed or 0).at("score", scan.recording)
    where = posterior(read_raw(dataset.root / scan.raw), observed.names, observed.kinds)
    clean = read_channels(dataset.root, scan, MEG, clean=True)
    yield from peak_row(scan, some(observed, where), some(clean, where), rng=stream.at("alpha_peak").rng())
    del clean
    subject, rate = dataset.subject(scan.subject), observed.rate
    seen = [i for i, region in enumerate(subject.regions) if region.kind == "cortex"]
    gains = true_gains(dataset, scan, table_rows(dataset.root, scan, observed.names))[:, seen]
    noise = np.array([NOISE[kind] for kind in observed.kinds])
    estimate = band_passed(whitened_minimum_norm(gains, observed.samples, noise), rate)
    truth = band_passed(true_dipoles(dataset, scan, rate, observed.samples.shape[1])[seen], rate)
    found, chance = source_agreement(estimate, truth, rate, rng=stream.at("sources").rng())
    yield Row(scan.subject, scan.recording, "sources", found, 1.0, found - 1.0, chance, len(seen), np.nan, "r")
    yield from detection_rows(dataset, scan, MEG)


def posterior(raw: object, names: tuple[str, ...], kinds: tuple[str, ...]) -> list[int]:
    """Return the rows of the sensors at the back of the helmet: planar gradiometers where there are any, which see what is below them."""
    mine = [row for row, kind in enumerate(kinds) if kind == "MEGGRADPLANAR"] or list(range(len(kinds)))
    front = coil_positions(raw, names)[mine, 1]
    return [mine[k] for k in np.flatnonzero(front <= np.quantile(front, BACK))]


def coil_positions(raw: object, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Return where coils lie in the helmet's own coordinates, m: to the right, to the front, up, shape (n, 3)."""
    places = {channel["ch_name"]: channel["loc"][:3] for channel in raw.info["chs"]}  # type: ignore[attr-defined]
    return np.array([places[name] for name in names], dtype=np.float64)
