"""Scores of a PET scan: net uptake by Patlak's plot from the blood file, binding potential by the reference tissue model.

Estimates read the raw image, its sidecar, the blood samples and the label image. Truth comes twice: as the same fit gives it from the
clean image behind the point spread (what a perfect scan of this resolution shows in the same voxels), and that of the tissue itself; the
ratio of the two is the partial-volume bias.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import Grid
from fakeimaging.core.streams import Streams
from fakeimaging.dataset import names
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.modalities.pet import PSF
from fakeimaging.modalities.resolution import blurred
from fakeimaging.scoring import kinetics
from fakeimaging.scoring.connectivity import regional_series
from fakeimaging.scoring.kinetics import Array, Plasma, Timing
from fakeimaging.scoring.table import Row

HALF_LIVES = {"C11": 1221.8, "F18": 6586.2, "O15": 122.24, "N13": 597.9, "Ga68": 4057.7}
"""Seconds (ENSDF-like, assumed); another nuclide is weighted as if it did not decay."""
TARGET = {"caudate", "putamen", "ventral striatum", "basal ganglia"}
"""Kinds of region whose mean binding potential is scored."""
REFERENCE = "cerebellum"
SHORTEST = 30.0
"""Minutes a scan must last to be analysed."""


@dataclass(frozen=True, eq=False)
class _Scan:
    """What the estimate reads: curves of the raw image, their timing, and the kind of each region."""

    curves: Array
    timing: Timing
    kinds: list[str]
    snr: float


def score_pet(dataset: Dataset, scan: Scan) -> Iterator[Row]:
    """Yield how well net uptake, or else the binding potential, is recovered: its level, its pattern over regions, its bias."""
    about = json.loads((dataset.root / scan.sidecar).read_text())
    kinds = [row["kind"] for row in _table(dataset.root / _labels(dataset, scan).with_suffix("").with_suffix(".tsv"))]
    seen = _open(dataset, scan, about, kinds)
    if seen.timing.ends[-1] < SHORTEST:
        return
    stream = Streams(dataset.study.seed or 0).at("score", scan.recording)
    behind = curves_behind_psf(dataset, scan, len(kinds))
    if (dataset.root / scan.regional("ki")).exists():
        plasma = read_plasma(dataset.root / scan.beside("recording-manual_blood.tsv"))
        yield from _uptake_rows(scan, seen, plasma, behind, np.load(dataset.root / scan.regional("ki")), stream)
    elif REFERENCE in kinds:
        yield from _binding_rows(scan, seen, behind, np.load(dataset.root / scan.regional("bpnd")), stream)


def _open(dataset: Dataset, scan: Scan, about: dict[str, Any], kinds: list[str]) -> _Scan:
    starts = np.array(about["FrameTimesStart"]) / 60
    ends = starts + np.array(about["FrameDuration"]) / 60
    half_life = HALF_LIVES.get(about["TracerRadionuclide"], np.inf) / 60
    labels = dataset.root / _labels(dataset, scan)
    curves = regional_series(dataset.root / scan.raw, labels, len(kinds))
    return _Scan(curves, Timing(starts, ends, np.log(2) / half_life), kinds, late_snr(dataset.root / scan.raw, labels))


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
    fwhm = 0.0 if PSF.name in scan.acquisition.off else parameters.psf_fwhm
    grid = Grid(image.shape[:3], image.affine)
    frames = np.moveaxis(np.asarray(image.dataobj, dtype=np.float32), -1, 0)
    sums = [
        np.bincount(labels.ravel(), blurred(f, grid, fwhm).ravel(), n_regions + 1)[1 : n_regions + 1] for f in frames
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


def _uptake_rows(
    scan: Scan, seen: _Scan, plasma: Plasma, behind: Array, truth: npt.NDArray, stream: Streams
) -> Iterator[Row]:
    x, y = kinetics.patlak_plot(seen.curves, seen.timing, plasma)
    found, reachable = kinetics.slopes(x, y), kinetics.patlak(behind, seen.timing, plasma)
    known = np.isfinite(found) & np.isfinite(reachable)
    by_chance = kinetics.slope_by_chance(x, y[known], rng=stream.at("ki").rng())
    # Over cortex alone: it is of one thickness, so that the pattern is metabolism and not partial volume.
    cortex = known & np.array([kind == "cortex" for kind in seen.kinds])
    three, over = (found, reachable, truth), cortex if cortex.sum() > 2 else known
    yield from _rows(scan, seen, "ki", "mL/cm3/min", three, known, by_chance, stream, over)


def _binding_rows(scan: Scan, seen: _Scan, behind: Array, truth: npt.NDArray, stream: Streams) -> Iterator[Row]:
    where = np.array([kind == REFERENCE for kind in seen.kinds])
    found, reachable = (
        kinetics.reference_tissue_fit(curves, np.nanmean(curves[where], axis=0), seen.timing)[0]
        for curves in (seen.curves, behind)
    )
    known = np.isfinite(found) & np.isfinite(reachable) & ~where
    striatum = known & np.array([kind in TARGET for kind in seen.kinds])
    if not striatum.any():
        return
    by_chance = kinetics.mean_by_chance(found[known], int(striatum.sum()), rng=stream.at("bpnd").rng())
    three = (found, reachable, truth)
    yield from _rows(scan, seen, "bpnd", "1", three, striatum, by_chance, stream, known)


def _rows(
    scan: Scan,
    seen: _Scan,
    name: str,
    unit: str,
    three: tuple[Array, Array, npt.NDArray],
    where: npt.NDArray[np.bool_],
    by_chance: float,
    stream: Streams,
    over: npt.NDArray[np.bool_],
) -> Iterator[Row]:
    """Yield level (against the truth behind the point spread), recovery and pattern (against the tissue itself)."""
    mean, reachable, own = (float(values[where].mean()) for values in three)
    n = int(where.sum())
    yield Row(scan.subject, scan.recording, name, mean, reachable, mean - reachable, by_chance, n, seen.snr, unit)
    ratio, expected = mean / own, reachable / own
    lucky = by_chance / own
    yield Row(
        scan.subject, scan.recording, f"{name}_recovery", ratio, expected, ratio - expected, lucky, n, seen.snr, "1"
    )
    found, best, truth = (values[over] for values in three)
    r, most = (float(np.corrcoef(values, truth)[0, 1]) for values in (found, best))
    lucky = kinetics.correlation_by_chance(found, truth, rng=stream.at(f"{name}_regions").rng())
    n = int(over.sum())
    yield Row(scan.subject, scan.recording, f"{name}_regions", r, most, r - most, lucky, n, seen.snr, "r")
