"""Scores of a PET scan: net uptake by Patlak's plot from the blood file, binding potential by the reference tissue model.

Estimates read the raw image, its sidecar, the blood samples and the label image. Truth comes twice: as the same fit gives it from the
clean image behind the point spread and the true plasma curve (what a perfect scan of this resolution shows in the same voxels), and that
of the tissue itself; the ratio of the two is the partial-volume bias.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import Grid
from fakeimaging.core.streams import Streams
from fakeimaging.dataset import names
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.modalities.pet import PSF, suv
from fakeimaging.modalities.pet.resolution import PointSpread, point_spread
from fakeimaging.modalities.pet.tracers import TRACERS, half_life
from fakeimaging.scoring import kinetics
from fakeimaging.scoring.connectivity import regional_series
from fakeimaging.scoring.kinetics import Array, Plasma, Timing
from fakeimaging.scoring.table import Row

TARGET = {"caudate", "putamen", "ventral striatum", "basal ganglia"}
"""Kinds of region whose mean binding potential is scored."""
REFERENCE = "cerebellum"
SHORTEST = 30.0
"""Minutes a scan must last to be analysed."""
BLOOD = "recording-manual_blood.tsv"
FINE = 1 / 60
"""Minutes between the points of the true plasma curve."""


@dataclass(frozen=True, eq=False)
class Opened:
    """What an analysis of a scan starts from.

    Parameters
    ----------
    timing : Timing
        min.
    curves, behind : ndarray, shape (n_regions, n_frames)
        Mean over each region of the raw image, and of the clean one behind the point spread; Bq/mL.
    kinds : list of str
        Of the regions.
    """

    timing: Timing
    curves: Array
    behind: Array
    kinds: list[str]


@dataclass(frozen=True, eq=False)
class Recovered:
    """A constant of each region.

    Parameters
    ----------
    name : {"ki", "bpnd"}
        Net uptake in mL/cm3/min, or binding potential.
    found, reachable, truth : ndarray, shape (n_regions,)
        From the raw image; from the clean one behind the point spread, with the true plasma; of the tissue itself.
    """

    name: Literal["ki", "bpnd"]
    found: Array
    reachable: Array
    truth: Array


def score_pet(dataset: Dataset, scan: Scan) -> Iterator[Row]:
    """Yield how well net uptake, or else the binding potential, is recovered: its level, its pattern over regions, its bias."""
    seen = opened(dataset, scan)
    recovered = constants(dataset, scan, seen)
    if recovered is None:
        return
    stream = Streams(dataset.study.seed or 0).at("score", scan.recording)
    snr = late_snr(dataset.root / scan.raw, dataset.root / _labels(dataset, scan))
    if recovered.name == "ki":
        plasma = read_plasma(dataset.root / scan.beside(BLOOD))
        yield from _uptake_rows(scan, seen, recovered, plasma, snr, stream)
    else:
        yield from _binding_rows(scan, seen, recovered, snr, stream)


def opened(dataset: Dataset, scan: Scan) -> Opened:
    """Read what an analysis of a scan starts from: raw image, sidecar, label image with its table; and the clean image."""
    about = json.loads((dataset.root / scan.sidecar).read_text())
    labels = dataset.root / _labels(dataset, scan)
    kinds = [row["kind"] for row in _table(labels.with_suffix("").with_suffix(".tsv"))]
    starts = np.array(about["FrameTimesStart"]) / 60
    decay = np.log(2) / (half_life(about["TracerRadionuclide"]) / 60)
    timing = Timing(starts, starts + np.array(about["FrameDuration"]) / 60, decay)
    curves = regional_series(dataset.root / scan.raw, labels, len(kinds))
    return Opened(timing, curves, curves_behind_psf(dataset, scan, len(kinds)), kinds)


def constants(dataset: Dataset, scan: Scan, seen: Opened) -> Recovered | None:
    """Return net uptake by Patlak's plot where the tracer is trapped, else the binding potential; None where a scan allows neither.

    A scan allows neither if it is too short, has too few late frames, or too little beside the reference region.
    """
    if seen.timing.ends[-1] < SHORTEST:
        return None
    if (path := dataset.root / scan.regional("ki")).exists():
        if seen.timing.late().sum() < kinetics.LEAST_LATE:
            return None
        drawn = read_plasma(dataset.root / scan.beside(BLOOD))
        found = kinetics.patlak(seen.curves, seen.timing, drawn)
        reachable = kinetics.patlak(seen.behind, seen.timing, true_plasma(scan, seen.timing.ends[-1]))
        return Recovered("ki", found, reachable, np.load(path).astype(float))
    where = np.array([kind == REFERENCE for kind in seen.kinds])
    if not where.any():
        return None
    found, reachable = (
        kinetics.reference_tissue_fit(curves, np.nanmean(curves[where], axis=0), seen.timing)[0]
        for curves in (seen.curves, seen.behind)
    )
    return Recovered("bpnd", found, reachable, np.load(dataset.root / scan.regional("bpnd")).astype(float))


def true_plasma(scan: Scan, end: float) -> Plasma:
    """Return the unchanged tracer in plasma as it was, every second up to ``end`` (min), in Bq/mL."""
    parameters: Any = scan.instrument.parameters.parse(scan.acquisition.parameters)
    curve = TRACERS.get(parameters.tracer).input.curve().scaled(suv(parameters))
    times = np.append(np.arange(0.0, end, FINE), end)
    return Plasma(times, curve.at(times))


def _labels(dataset: Dataset, scan: Scan) -> Path:
    return Path(names.dseg(scan.subject, dataset.study.sessions[0].label))


def _table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


def read_plasma(path: Path) -> Plasma:
    """Return the unchanged tracer in plasma from a PET-BIDS blood file: plasma times the share that is still the tracer."""
    rows = _table(path)
    columns = (
        np.array([float(row[name]) for row in rows])
        for name in ("time", "plasma_radioactivity", "metabolite_parent_fraction")
    )
    times, plasma, parent = columns
    return Plasma(times / 60, plasma * parent)


def curves_behind_psf(dataset: Dataset, scan: Scan, n_regions: int) -> Array:
    """Return the curves of a scan without noise: of the clean image after the point spread, over the voxels the estimate takes."""
    import nibabel as nib

    image: Any = nib.load(dataset.root / scan.clean)
    labels = _on_grid(dataset.root / _labels(dataset, scan), image)
    parameters: Any = scan.instrument.parameters.parse(scan.acquisition.parameters)
    spread = PointSpread((0.0, 0.0, 0.0)) if PSF.name in scan.acquisition.off else point_spread(parameters)
    grid = Grid(image.shape[:3], image.affine)
    frames = np.moveaxis(np.asarray(image.dataobj, dtype=np.float32), -1, 0)
    sums = [
        np.bincount(labels.ravel(), spread.applied(f, grid).ravel(), n_regions + 1)[1 : n_regions + 1] for f in frames
    ]
    counts = np.bincount(labels.ravel(), minlength=n_regions + 1)[1 : n_regions + 1]
    return np.asarray(np.stack(sums, axis=1) / np.where(counts, counts, np.nan)[:, None])


def late_snr(image: Path, labels: Path) -> float:
    """Return mean over noise of the labelled voxels in the last frame; noise from its difference to the frame before."""
    import nibabel as nib

    series: Any = nib.load(image)
    if series.shape[3] < 2:
        return float("nan")
    before, after = np.asarray(series.dataobj[..., -2:], dtype=float)[_on_grid(labels, series) > 0].T
    return float(after.mean() / max(np.std(after - before) / np.sqrt(2), 1e-9))


def _on_grid(labels: Path, image: Any) -> npt.NDArray[np.intp]:
    """Return a label image brought to another's grid, nearest neighbour, as nilearn's masker brings it."""
    import nibabel as nib
    from nilearn.image import resample_to_img

    one: Any = nib.Nifti1Image(np.zeros(image.shape[:3], dtype=np.uint8), image.affine)
    return np.asarray(resample_to_img(str(labels), one, interpolation="nearest").dataobj).astype(np.intp)


def _uptake_rows(scan: Scan, seen: Opened, ki: Recovered, plasma: Plasma, snr: float, stream: Streams) -> Iterator[Row]:
    x, y = kinetics.patlak_plot(seen.curves, seen.timing, plasma)
    known = np.isfinite(ki.found) & np.isfinite(ki.reachable)
    by_chance = kinetics.slope_by_chance(x, y[known], rng=stream.at("ki").rng())
    # Over cortex alone: it is of one thickness, so that the pattern is metabolism and not partial volume.
    cortex = known & np.array([kind == "cortex" for kind in seen.kinds])
    yield from _rows(scan, ki, snr, known, by_chance, stream, cortex if cortex.sum() > 2 else known)


def _binding_rows(scan: Scan, seen: Opened, bpnd: Recovered, snr: float, stream: Streams) -> Iterator[Row]:
    elsewhere = np.array([kind != REFERENCE for kind in seen.kinds])
    known = np.isfinite(bpnd.found) & np.isfinite(bpnd.reachable) & elsewhere
    striatum = known & np.array([kind in TARGET for kind in seen.kinds])
    if not striatum.any():
        return
    by_chance = kinetics.mean_by_chance(bpnd.found[known], int(striatum.sum()), rng=stream.at("bpnd").rng())
    yield from _rows(scan, bpnd, snr, striatum, by_chance, stream, known)


def _rows(
    scan: Scan,
    recovered: Recovered,
    snr: float,
    where: npt.NDArray[np.bool_],
    by_chance: float,
    stream: Streams,
    over: npt.NDArray[np.bool_],
) -> Iterator[Row]:
    """Yield level (against the truth behind the point spread), recovery and pattern (against the tissue itself)."""
    name, unit = recovered.name, {"ki": "mL/cm3/min", "bpnd": "1"}[recovered.name]
    three = recovered.found, recovered.reachable, recovered.truth
    mean, reachable, own = (float(values[where].mean()) for values in three)
    n = int(where.sum())
    yield Row(scan.subject, scan.recording, name, mean, reachable, mean - reachable, by_chance, n, snr, unit)
    ratio, expected = mean / own, reachable / own
    lucky = by_chance / own
    yield Row(scan.subject, scan.recording, f"{name}_recovery", ratio, expected, ratio - expected, lucky, n, snr, "1")
    found, best, truth = (values[over] for values in three)
    r, most = (float(np.corrcoef(values, truth)[0, 1]) for values in (found, best))
    lucky = kinetics.correlation_by_chance(found, truth, rng=stream.at(f"{name}_regions").rng())
    n = int(over.sum())
    yield Row(scan.subject, scan.recording, f"{name}_regions", r, most, r - most, lucky, n, snr, "r")
