"""Rows of a PET scan: level, recovery, pattern and correction of each constant that its analyses find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.core.streams import Streams
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.modalities.pet.constants import to_ki
from fakeimaging.scoring import kinetics
from fakeimaging.scoring.kinetics import Array
from fakeimaging.scoring.pet.analyses import Recovered, recovered
from fakeimaging.scoring.pet.opened import Measured, Opened, labels_of, on_grid, opened
from fakeimaging.scoring.table import Row

Mask = npt.NDArray[np.bool_]


def score_pet(dataset: Dataset, scan: Scan) -> Iterator[Row]:
    """Yield how well the constants of a tracer are recovered: their level, their bias, their pattern, and what correction leaves.

    Nothing of a scan whose sidecar contradicts its image, as one may that is wrong on purpose.
    """
    try:
        seen = opened(dataset, scan)
    except InputError:
        return
    snr = late_snr(dataset.root / scan.raw, dataset.root / labels_of(dataset, scan))
    for found in recovered(dataset, scan, seen):
        stream = Streams(dataset.study.seed or 0).at("score", scan.recording, found.name)
        yield from _rows(scan, seen, found, snr, stream)


def late_snr(image: Path, labels: Path) -> float:
    """Return mean over noise of the labelled voxels in the last frame; noise from its difference to the frame before."""
    import nibabel as nib

    series: Any = nib.load(image)
    if series.ndim < 4 or series.shape[3] < 2:
        return float("nan")
    before, after = np.asarray(series.dataobj[..., -2:], dtype=float)[on_grid(labels, series) > 0].T
    return float(after.mean() / max(np.std(after - before) / np.sqrt(2), 1e-9))


def _rows(scan: Scan, seen: Opened, found: Recovered, snr: float, stream: Streams) -> Iterator[Row]:
    """Yield level (against the truth behind the point spread), recovery, pattern and correction (against the tissue itself)."""
    every = (found.found, found.reachable, found.corrected, found.truth)
    known = np.asarray(np.isfinite(every).all(axis=0))
    known = known if found.everywhere else known & ~seen.is_reference
    where = level_regions(found, known, seen.kinds)
    if not where.any():
        return

    def row(name: str, estimate: float, truth: float, chance: float, n: int, unit: str) -> Row:
        return Row(scan.subject, scan.recording, name, estimate, truth, estimate - truth, chance, n, snr, unit)

    name, n = found.name, int(where.sum())
    mean, reachable, corrected, own = (float(values[where].mean()) for values in every)
    lucky = kinetics.highest(_by_luck(seen.observed, found.found, found, known, where, stream.at("level")))
    yield row(name, mean, reachable, lucky, n, found.unit)
    if name == "ki" and "lumped_constant" in seen.tracer.constants:
        to = 1 / to_ki(seen.tracer)
        yield row("cmrglc", to * mean, to * reachable, to * lucky, n, "umol/100 mL/min")
    if own:  # A subject may have none of what a tracer binds to.
        yield row(f"{name}_recovery", mean / own, reachable / own, lucky / own, n, "1")
    undone = _by_luck(seen.corrected, found.corrected, found, known, where, stream.at("corrected"))
    level = row(f"{name}_gtm", corrected, own, kinetics.nearest(undone, own), n, found.unit)
    yield replace(level, better="closer")
    over = pattern_regions(found, known, seen.kinds)
    if np.ptp(found.truth[over]) > 0:
        yield row(f"{name}_regions", *_pattern(found, over, stream.at("regions")), int(over.sum()), "r")


def level_regions(found: Recovered, known: Mask, kinds: list[str]) -> Mask:
    """Return the regions whose mean is the level: all of a tracer that is trapped everywhere, else the kinds where it binds.

    These are the upper half of the range over kinds, as they would be without noise: noise does not choose what it is measured by.
    """
    if found.everywhere or not known.any():
        return known
    names = np.array(kinds)
    means = {kind: float(found.reachable[known & (names == kind)].mean()) for kind in set(names[known].tolist())}
    middle = (min(means.values()) + max(means.values())) / 2
    return known & np.array([means.get(kind, -np.inf) >= middle for kind in kinds])


def pattern_regions(found: Recovered, known: Mask, kinds: list[str]) -> Mask:
    """Return the regions over which the pattern is compared.

    Of a tracer that is trapped everywhere, cortex alone: it is of one thickness, so that the pattern is metabolism and not partial volume.
    """
    cortex = known & np.array([kind == "cortex" for kind in kinds])
    return cortex if found.everywhere and cortex.sum() > 2 else known


def _pattern(found: Recovered, over: Mask, stream: Streams) -> tuple[float, float, float]:
    """Return the correlation with the truth of the estimate, that of the noise-free one, and what chance gives."""
    truth = found.truth[over]
    r, most = (float(np.corrcoef(values[over], truth)[0, 1]) for values in (found.found, found.reachable))
    return r, most, kinetics.correlation_by_chance(found.found[over], truth, rng=stream.rng())


def _by_luck(seen: Measured, values: Array, found: Recovered, known: Mask, where: Mask, stream: Streams) -> Array:
    """Return levels with late frames in any order, or else of regions drawn at random."""
    if found.everywhere and seen.plasma is not None:
        x, y = kinetics.patlak_plot(seen.curves, seen.timing, seen.plasma)
        return kinetics.shuffled_slopes(x, y[known], rng=stream.rng())
    return kinetics.drawn_means(values[known], int(where.sum()), rng=stream.rng())
