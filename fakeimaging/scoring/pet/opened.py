"""What an analysis of a PET scan starts from: curves of regions as seen, without noise, partial volume undone, and of the tissue itself.

All of them and the blood are brought to minutes after injection and corrected for decay to it, whatever the files count from.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Grid
from fakeimaging.dataset import names
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.modalities.pet import PSF
from fakeimaging.modalities.pet.blood import MANUAL, PARENT, PLASMA, TRUE, WHOLE
from fakeimaging.modalities.pet.resolution import PointSpread, point_spread
from fakeimaging.modalities.pet.signal import paint
from fakeimaging.modalities.pet.tracers import BEYOND, MINUTE, TRACERS, Tracer, half_life
from fakeimaging.scoring.kinetics import Array, Input, Known, Plasma, Timing
from fakeimaging.scoring.partial_volume import PartialVolume, partial_volume
from fakeimaging.structure.selection import chosen
from fakeimaging.structure.subject import Subject

UNITS_OF_ACTIVITY = {"Bq/mL": 1.0, "kBq/mL": 1e3, "MBq/mL": 1e6}
SHARPEST = PointSpread((0.0, 0.0, 0.0))
SHARP = 2.0
"""Minutes within which the true curve of blood turns quickly: there each of its points is a kink, later it is smooth."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Curves and what an analysis relates them to.

    Parameters
    ----------
    timing : Timing
        min after injection.
    curves : ndarray, shape (n_regions, n_frames)
        Bq/mL; NaN for a region without a voxel.
    reference : ndarray, shape (n_frames,), or None
        Curve of the tracer's reference region; None where the subject has none.
    plasma, blood : Input or None
        Unchanged tracer in plasma, and whole blood, in Bq/mL.
    """

    timing: Timing
    curves: Array
    reference: Array | None
    plasma: Input | None
    blood: Input | None


@dataclass(frozen=True, eq=False)
class Opened:
    """A scan ready to be analysed.

    Parameters
    ----------
    timing : Timing
        min after injection, as the raw file's sidecar has it.
    tracer : Tracer
    kinds : list of str
        Of the regions.
    is_reference : ndarray of bool, shape (n_regions,)
        Whether a region is of the tracer's reference.
    observed : Measured
        Means over the regions of the raw image, and the blood that was drawn.
    behind : Measured
        Of the clean image behind the point spread over the same voxels, and the true blood.
    corrected : Measured
        As `observed`, partial volume undone by the geometric transfer matrix.
    tissue : Measured
        Of the tissue itself.
    undo : PartialVolume
        On the grid of the scan.
    factor : ndarray, shape (n_frames,)
        By what the frames of the raw file are multiplied to be in Bq/mL, corrected for decay to injection.
    """

    timing: Timing
    tracer: Tracer
    kinds: list[str]
    is_reference: npt.NDArray[np.bool_]
    observed: Measured
    behind: Measured
    corrected: Measured
    tissue: Measured
    undo: PartialVolume
    factor: Array


def opened(dataset: Dataset, scan: Scan) -> Opened:
    """Read what an analysis of a scan starts from.

    Raises
    ------
    InputError
        If the sidecar says nothing that an analysis could go by: a scan may be wrong on purpose.
    """
    raw, clean = (_image(dataset.root / path) for path in (scan.raw, scan.clean))
    about, true_about = (_sidecar(dataset.root / path, image) for path, image in ((scan.raw, raw), (scan.clean, clean)))
    subject, tracer = dataset.subject(scan.subject), tracer_of(scan)
    grid, spread = Grid(raw.shape[:3], raw.affine), spread_of(scan)
    labels, painted = on_grid(dataset.root / labels_of(dataset, scan), raw), paint(subject, grid)
    undo, unmix = (partial_volume(painted, labels, subject.n_regions, one) for one in (spread, SHARPEST))
    timing, known, factor = timing_of(about), timing_of(true_about), to_injection(about)
    seen = factor * undo.means(each_frame(dataset.root / scan.raw))
    where = _reference(subject, tracer)
    drawn = read_blood(dataset.root / scan.beside(f"{MANUAL}.tsv"), about)
    artery = true_blood(dataset.root / names.TRUTH / scan.beside(f"{TRUE}.tsv"), true_about)

    def measured(timing: Timing, curves: Array, blood: Mapping[str, Input]) -> Measured:
        reference = np.nanmean(curves[where], axis=0) if where.any() else None
        return Measured(timing, curves[: subject.n_regions], reference, blood.get("plasma"), blood.get("blood"))

    return Opened(
        timing,
        tracer,
        [region.kind for region in subject.regions],
        where[: subject.n_regions],
        measured(timing, seen, drawn),
        measured(
            known, undo.means(spread.applied(frame, grid) for frame in each_frame(dataset.root / scan.clean)), artery
        ),
        measured(timing, undo.corrected(seen), drawn),
        measured(known, unmix.corrected(unmix.means(each_frame(dataset.root / scan.clean))), artery),
        undo,
        factor,
    )


def tracer_of(scan: Scan) -> Tracer:
    """Return the tracer of a scan."""
    parameters: Any = scan.parameters
    return TRACERS.get(parameters.tracer)


def timing_of(about: Mapping[str, Any]) -> Timing:
    """Return the frames of a sidecar in min after injection, which may be long before the zero of its clock."""
    starts = (np.array(about["FrameTimesStart"], dtype=float) - about["InjectionStart"]) / MINUTE
    return Timing(starts, starts + np.array(about["FrameDuration"]) / MINUTE, decay_of(about))


def decay_of(about: Mapping[str, Any]) -> float:
    """Return the decay constant of the nuclide of a sidecar in 1/min."""
    return float(np.log(2) / (half_life(about["TracerRadionuclide"]) / MINUTE))


def to_injection(about: Mapping[str, Any]) -> Array:
    """Return by what each frame is multiplied to be in Bq/mL, corrected for decay to injection; shape (n_frames,)."""
    timing, unit = timing_of(about), UNITS_OF_ACTIVITY.get(about.get("Units", "Bq/mL"), 1.0)
    if not about["ImageDecayCorrected"]:
        return np.asarray(unit * (timing.ends - timing.starts) / timing.weights)
    reference = (about["ImageDecayCorrectionTime"] - about["InjectionStart"]) / MINUTE
    return np.full(len(timing.starts), unit * np.exp(timing.decay * reference))


def read_blood(path: Path, about: Mapping[str, Any]) -> dict[str, Plasma]:
    """Return the curves of a PET-BIDS blood file: ``plasma`` (unchanged tracer: all times the share that it is) and whole ``blood``.

    Empty where there is no file; a curve is left out where its column is. Blood is corrected for decay to the zero of its clock.
    """
    if not path.exists():
        return {}
    table = read_table(path)
    times = (table["time"] - about["InjectionStart"]) / MINUTE
    factor = np.exp(-decay_of(about) * about["InjectionStart"] / MINUTE)
    found = {}
    if PLASMA in table:
        parent = table.get(PARENT, np.ones_like(times))
        known, share = np.isfinite(table[PLASMA]), np.isfinite(parent)
        parent = np.interp(times[known], times[share], parent[share])
        found["plasma"] = Plasma(times[known], factor * table[PLASMA][known] * parent)
    if WHOLE in table:
        known = np.isfinite(table[WHOLE])
        found["blood"] = Plasma(times[known], factor * table[WHOLE][known])
    return found


def true_blood(path: Path, about: Mapping[str, Any]) -> dict[str, Input]:
    """Return plasma and whole blood as they were, from their fine table in the truth."""
    read = read_blood(path, about)
    return {name: Known(one.at, [time for time in one.breaks if time < SHARP]) for name, one in read.items()}


def spread_of(scan: Scan) -> PointSpread:
    """Return the point spread of a scan; none where it is off."""
    parameters: Any = scan.parameters
    return SHARPEST if PSF.name in scan.acquisition.off else point_spread(parameters)


def labels_of(dataset: Dataset, scan: Scan) -> Path:
    """Return the label image of a scan's subject, below the root of the dataset."""
    return Path(names.dseg(scan.subject, dataset.study.sessions[0].label))


def on_grid(labels: Path, image: Any) -> npt.NDArray[np.intp]:
    """Return a label image brought to another's grid, nearest neighbour, as nilearn's masker brings it."""
    import nibabel as nib
    from nilearn.image import resample_to_img

    one: Any = nib.Nifti1Image(np.zeros(image.shape[:3], dtype=np.uint8), image.affine)
    return np.asarray(resample_to_img(str(labels), one, interpolation="nearest").dataobj).astype(np.intp)


def _image(path: Path) -> Any:
    import nibabel as nib

    return nib.load(path)


def _sidecar(path: Path, image: Any) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(path.with_suffix("").with_suffix(".json").read_text())
    lengths = {len(about[name]) for name in ("FrameTimesStart", "FrameDuration")} | {image.shape[3]}
    if len(lengths) > 1:
        raise InputError(
            f"{path.name}: its image has {image.shape[3]} frames, and its sidecar says otherwise", value=path
        )
    return about


def each_frame(path: Path) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the frames of an image, one in memory at a time."""
    import nibabel as nib

    image: Any = nib.load(path, keep_file_open=True)  # An open file is read on from where it is.
    for v in range(image.shape[3]):
        yield np.asarray(image.dataobj[..., v], dtype=np.float32)


def _reference(subject: Subject, tracer: Tracer) -> npt.NDArray[np.bool_]:
    """Return which classes, regions and those of `BEYOND`, are the tracer's reference."""
    beyond = np.array([name == tracer.reference for name in BEYOND])
    selector = tracer.reference_selector
    inside = chosen([selector] if selector is not None else [], subject.regions)
    return np.concatenate([inside, beyond])


def read_table(path: Path) -> dict[str, Array]:
    """Return the columns of a table of numbers; NaN for n/a."""
    rows = list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))
    return {name: np.array([_number(row[name]) for row in rows]) for name in rows[0]}


def _number(cell: str) -> float:
    return float("nan") if cell in ("", "n/a") else float(cell)
