"""The clean frames: the curve of each class of tissue, blood in its vessels included, painted on the tissue of the subject.

Frames hold decay-weighted means, corrected to injection.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.activity import Activity
from fakeimaging.core.clocks import Frames
from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.layers import Forward, Image
from fakeimaging.modalities.pet.blood import blood_tables, whole_blood
from fakeimaging.modalities.pet.classes import classes_of
from fakeimaging.modalities.pet.counts import count_table
from fakeimaging.modalities.pet.frames import geometry
from fakeimaging.modalities.pet.kinetics import curve_means, frame_means
from fakeimaging.modalities.pet.maps import known_constants
from fakeimaging.modalities.pet.modulation import Imaged
from fakeimaging.modalities.pet.once import Once
from fakeimaging.modalities.pet.parameters import PetParameters
from fakeimaging.modalities.pet.patches import Places, places_of
from fakeimaging.modalities.pet.plasma import Array
from fakeimaging.modalities.pet.resolution import Painted, point_spread, transfer
from fakeimaging.modalities.pet.scan import scan_context
from fakeimaging.modalities.pet.tracers import BEYOND, MINUTE, TRACERS, Tracer
from fakeimaging.modalities.pet.truth import course_table, curve_tables, places_map, places_table, regional
from fakeimaging.modalities.pet.uptake import Uptake, uptake
from fakeimaging.modalities.stages import slope_for
from fakeimaging.structure.anatomy import resample
from fakeimaging.structure.subject import Subject


def forward(subject: Subject, activity: Activity | None, parameters: PetParameters) -> Forward:
    """Return the noise-free frames before the blur, and the truth: curves, constants, transfer of signal between regions."""
    p, tracer = parameters, TRACERS.get(parameters.tracer)
    grid, frames = geometry(p, 0.0)
    places = places_of(subject, p.displaced)
    classes = classes_of(subject, places)
    taken = uptake(Imaged(subject, activity, tracer, p, classes, frames, places))
    curves = measured(taken, tracer, frames)
    painted = paint(subject, grid, places)
    matrix = transfer(painted, masks(subject, grid), subject.n_regions, point_spread(p), len(classes.hosts))
    truth = regional(subject, taken, curves, matrix)
    brightest = float(curves.max())
    clean = Image(grid, frames, Once(partial(_volume, painted, curves.astype(np.float32))), slope_for(brightest))
    context = {
        "activity": activity,
        "anatomy": subject.anatomy,
        "painted": painted,
        "curves": curves,
        "classes": classes,
        "uptake": taken,
        **scan_context(p, subject.anatomy, painted, curves, clean),
    }
    constants, maps = known_constants(subject, painted, tracer, taken, p)
    displaced, said = places_map(subject, places, painted)
    companions = (
        *blood_tables(p, tracer, taken, frames),
        *curve_tables(subject, frames, truth, taken.about),
        *constants,
        *course_table(subject, taken),
        *places_table(subject, places, painted),
        *said,
        count_table(context["counts"], frames),
    )
    return Forward(clean, brightest, None, truth, companions, context, {**maps, **displaced})


def _volume(painted: Painted, curves: npt.NDArray[np.float32], v: int) -> npt.NDArray[np.float32]:
    """Give each class's curve to its grey matter, and the other tissues theirs."""
    n_grey = len(curves) - len(BEYOND)
    unlabelled, *outer = curves[n_grey:, v]
    image = painted.grey * np.concatenate([[unlabelled], curves[:n_grey, v]])[painted.labels]
    for fraction, value in zip(painted.others[1:], outer, strict=True):
        image += fraction * value
    return image


def paint(subject: Subject, grid: Grid, places: Places | None = None) -> Painted:
    """Return the grey matter of regions and places, and beyond it, as `BEYOND` has it: grey matter without a label, other tissues."""
    tissue = subject.anatomy.tissue(grid)
    labels = (places or Places()).on(subject, grid, subject.labels(grid))
    unlabelled = np.where(labels == 0, tissue.grey, np.float32(0))
    return Painted(grid, labels, tissue.grey, (unlabelled, tissue.white, tissue.csf, tissue.bone, tissue.scalp))


def masks(subject: Subject, grid: Grid) -> npt.NDArray:
    """Return the labels at the middle of each voxel: where an analyst averages with the label image brought to this grid."""
    atlas = subject.parcellation
    return resample(atlas.labels, atlas.grid, grid, subject.anatomy.to_template, order=0).astype(np.uint16)


def measured(taken: Uptake, tracer: Tracer, frames: Frames) -> Array:
    """Return what frames measure of each class, blood in its vessels included, in Bq/mL, shape (n_classes, n_frames)."""
    starts, ends = frames.starts / MINUTE, frames.ends / MINUTE
    tissue = frame_means(taken.plasma, taken.schedule, starts, ends, tracer.decay)
    breaks = [piece.start for piece in taken.plasma.pieces]
    blood = curve_means(lambda t: whole_blood(taken, tracer, t), breaks, starts, ends, tracer.decay)
    share = taken.blood_volume[:, None]
    return np.asarray((1 - share) * tissue + share * blood)
