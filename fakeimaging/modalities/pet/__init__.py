"""Positron emission tomography: tracer kinetics of each class of tissue, frame by frame, and the scanner that counts its decays.

`signal` makes the clean frames, `parameters` says what can be chosen, and the stages follow the way of the signal.
"""

from __future__ import annotations

from fakeimaging.core.citations import Reference
from fakeimaging.modalities.modality import Modality, Sight
from fakeimaging.modalities.pet import counts, motion, mu_map, osem, projector
from fakeimaging.modalities.pet.blood import BLOOD
from fakeimaging.modalities.pet.decay import DECAY, FAULT
from fakeimaging.modalities.pet.drives.course import follows
from fakeimaging.modalities.pet.frames import geometry
from fakeimaging.modalities.pet.motion import MOTION
from fakeimaging.modalities.pet.noise import NOISE
from fakeimaging.modalities.pet.parameters import PetParameters, suv
from fakeimaging.modalities.pet.psf import PSF
from fakeimaging.modalities.pet.reconstruction import RECONSTRUCTION
from fakeimaging.modalities.pet.sidecar import sidecar
from fakeimaging.modalities.pet.signal import forward
from fakeimaging.modalities.pet.time_base import run_second, time_base, to_injection
from fakeimaging.modalities.pet.tracers import SIGHT, TRACERS
from fakeimaging.modalities.stages import QUANTISATION

__all__ = [
    "BLOOD",
    "DECAY",
    "FAULT",
    "MODALITY",
    "MOTION",
    "NOISE",
    "PSF",
    "PetParameters",
    "forward",
    "geometry",
    "run_second",
    "sidecar",
    "suv",
    "time_base",
    "to_injection",
]


TRACING, PROJECTING, PASS = 4.0, 0.3, 0.25
"""Seconds on one core at the default number of views, rounded up: the lines of a grid, then for a million voxels their projection and each
pass through all subsets with the point spread (measured: 0.97 with 4 passes, 1.7 with 8)."""


MAPS, UPTAKE, BEHIND = 8.0, 3.7, 1.0
"""Compressed bytes a voxel, rounded up: of all maps of a tracer (PiB 7.5), of standardized uptake, of a frame behind the point spread."""


def entities(parameters: PetParameters) -> dict[str, str]:
    """Return the BIDS entities of tracer and reconstruction."""
    rec = {"rec": parameters.rec} if parameters.rec is not None else {}
    return {"trc": TRACERS.get(parameters.tracer).label, **rec}


def names_task(parameters: PetParameters) -> bool:
    """Tell whether task and events belong to a scan: where it follows the course of a run."""
    return follows(parameters, TRACERS.get(parameters.tracer))


def images_of(parameters: PetParameters) -> Sight:
    """Return what a tracer shows: function where activity drives it, else receptors of the tissue, or what follows the wiring."""
    return SIGHT[TRACERS.get(parameters.tracer).drive]


def covers(parameters: PetParameters) -> float:
    """Return how long the run must last: to the end of a scan that follows it."""
    if not follows(parameters, TRACERS.get(parameters.tracer)):
        return 0.0
    return parameters.run_time + float(geometry(parameters, 0.0)[1].ends[-1])


def extra_seconds(parameters: PetParameters) -> tuple[float, float]:
    """Return how much longer than another image a scan takes: to trace its lines, and to reconstruct a million voxels."""
    p = parameters
    if p.tier == "image":
        return 0.0, 0.0
    share = p.views / PetParameters.model_fields["views"].default
    return TRACING * share, (PROJECTING + PASS * p.iterations) * share


def extra_bytes(parameters: PetParameters) -> tuple[float, float]:
    """Return what maps and the image of standardized uptake take for each voxel, and frames behind the point spread in each volume."""
    p = parameters
    return MAPS * p.maps + UPTAKE * (p.suv_window is not None), BEHIND * p.psf_frames


def more_references(parameters: PetParameters) -> tuple[Reference, ...]:
    """Return the papers behind lines and their reconstruction, and behind motion, where a scan has them."""
    reconstructed = (projector.REFERENCE, *osem.REFERENCES) if parameters.tier == "projection" else ()
    return (*reconstructed, *((motion.REFERENCE,) if parameters.motion else ()))


MODALITY = Modality(
    name="pet",
    parameters=PetParameters,
    images="function",
    images_of=images_of,
    reads=("rate",),
    geometry=geometry,
    forward=forward,
    observe=(MOTION, PSF, RECONSTRUCTION, NOISE, BLOOD, DECAY, FAULT, QUANTISATION),
    datatype="pet",
    suffix="pet",
    sidecar=sidecar,
    small={"voxel_size": 8.0},
    entities=entities,
    covers=covers,
    extra_seconds=extra_seconds,
    extra_bytes=extra_bytes,
    names_run=False,
    names_task=names_task,
    numbered=True,
    unit="Bq/mL",
    references=(
        Reference("Innis et al.", 2007, "10.1038/sj.jcbfm.9600493", "names and units of kinetic constants"),
        Reference("Lammertsma and Hume", 1996, "10.1006/nimg.1996.0066", "simplified reference tissue model"),
        Reference("Rousset et al.", 1998, "pubmed:9591599", "transfer of signal between regions"),
        *counts.REFERENCES,
        mu_map.REFERENCE,
    ),
    more_references=more_references,
)
