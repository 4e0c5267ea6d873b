"""Positron emission tomography: the curve of each tissue, frame by frame, blurred, with noise that follows the counts.

Frames hold decay-weighted means, corrected to injection. A frame of w = exp(-lambda ts) (1 - exp(-lambda d)) / lambda effective seconds
counts decays in proportion to C w, so that its noise has variance kappa C / w (Chen et al. 1991, Varga and Szabo 2002). kappa comes from
the rms error of a uniform cylinder, 1.2 cells^(3/4) / counts^(1/2) (Budinger et al. 1977, assumed), with `GAIN` times the counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import field_validator

from fakeimaging.activity.activity import Activity
from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Frames
from fakeimaging.core.errors import FakeImagingError, InputError
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.spaces import Grid, centred_grid
from fakeimaging.modalities.kinetics import Array, curve_means, decayed_time, frame_means, parent_fraction
from fakeimaging.modalities.layers import Companion, Forward, Image, Recipe, Stage
from fakeimaging.modalities.modality import Modality
from fakeimaging.modalities.resolution import Painted, blurred, transfer, unit_noise
from fakeimaging.modalities.stages import QUANTISATION, slope_for
from fakeimaging.modalities.tracers import BEYOND, MINUTE, TRACERS, Tracer
from fakeimaging.modalities.uptake import Firing, Uptake, firing, uptake
from fakeimaging.structure.anatomy import resample
from fakeimaging.structure.subject import Subject

FIELD_OF_VIEW = (192.0, 240.0, 192.0)
"""mm, centred on the isocentre."""
CYLINDER = 200.0
"""mm, diameter of the uniform cylinder that sets the noise (NEMA)."""
SURVIVAL = 0.209
"""Mean share of photon pairs that leave it, at 0.096 /cm in water: over all its lines, each weighted by its length."""
GAIN = 4.5
"""What counts are worth beyond filtered back projection: 2.2 by time of flight (200 mm over 1.6 x 56 mm, of 375 ps), 2 by iterative
reconstruction after what scatter and randoms cost (assumed)."""
SAMPLES = (*range(5, 125, 5), 150, 180, 240, 300, 420, 600, 900, 1200, 1800, 2400, 3000, 3600, 4800, 5400)
"""Seconds at which blood is drawn by hand."""
LATE_STEP = 900.0
"""Seconds between the samples after these (assumed)."""


class PetParameters(Parameters):
    """Parameters of the scan."""

    tracer: str = parameter("fdg", unit="-", description="name of a tracer, or a .toml file with a table of one's own")
    duration: float = parameter(3600.0, unit="s", bounds=(15, 14_400), description="length of the scan from injection")
    voxel_size: float = parameter(3.0, unit="mm", bounds=(1, 20), description="edge of the cubic voxel")
    injected_activity: float | None = parameter(
        None, unit="MBq", bounds=(1, 2000), description="the tracer's own when left out"
    )
    body_weight: float = parameter(70.0, unit="kg", bounds=(2, 300), description="of the subject")
    psf_fwhm: float = parameter(
        4.5, unit="mm", bounds=(0, 20), symbol="FWHM", source="Discovery MI 4.0-4.5 mm", description="point spread"
    )
    sensitivity: float = parameter(
        13.7, unit="1/s/kBq", bounds=(0.01, 1000), source="Discovery MI, NEMA", description="counts per decay"
    )
    noise_level: float = parameter(1.0, unit="1", bounds=(0, 100), description="factor on the SD of the noise")
    follow: bool = parameter(
        False, unit="-", description="follow the run's course (it must be as long) rather than take its mean"
    )
    baseline_rate: float | None = parameter(
        None, unit="Hz", bounds=(0.001, 1000), description="firing at rest; the run's mean over regions when left out"
    )
    release_gain: float | None = parameter(
        None, unit="1", bounds=(0, 100), description="dopamine change over firing change; the tracer's when left out"
    )

    @field_validator("tracer")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            TRACERS.get(value)
        except FakeImagingError as error:
            raise ValueError(str(error).replace("\n", "; ")) from None
        return value


def geometry(parameters: PetParameters, duration: float) -> tuple[Grid, Frames]:
    """Return the native grid and the frames that fit the scan; the run does not set its length.

    Raises
    ------
    InputError
        If not one frame fits.
    """
    nx, ny, nz = (round(length / parameters.voxel_size) for length in FIELD_OF_VIEW)
    lengths = TRACERS.get(parameters.tracer).frames.durations
    more = max(0, math.ceil((parameters.duration - sum(lengths)) / lengths[-1]))
    lengths = [*lengths, *[lengths[-1]] * more]
    n = int(np.searchsorted(np.cumsum(lengths), parameters.duration + 1e-6))
    if n == 0:
        raise InputError(
            f"`pet.duration`: {parameters.duration:g} s is shorter than the first frame of {lengths[0]:g} s"
        )
    return centred_grid((nx, ny, nz), parameters.voxel_size), Frames(np.array(lengths[:n]))


def forward(subject: Subject, activity: Activity | None, parameters: PetParameters) -> Forward:
    """Return the noise-free frames before the blur, and the truth: curves, constants, transfer of signal between regions."""
    if activity is None:
        raise InputError("pet images activity")
    p, tracer = parameters, TRACERS.get(parameters.tracer)
    grid, frames = geometry(p, activity.duration)
    fired = firing(activity, baseline=p.baseline_rate, seconds=float(frames.ends[-1]) if p.follow else None)
    taken = uptake(subject, tracer, fired, suv(p), p.release_gain)
    curves = measured(taken, tracer, frames)
    painted = _paint(subject, grid)
    matrix = transfer(painted, _masks(subject, grid), subject.n_regions, p.psf_fwhm)
    truth = _truth(subject, taken, curves, matrix)
    brightest = float(curves.max())
    clean = Image(grid, frames, partial(_volume, painted, curves.astype(np.float32)), slope_for(brightest))
    companions = (_blood(tracer, taken, frames), *_curves(subject, frames, truth, _window(activity, fired, p)))
    return Forward(clean, brightest, None, truth, companions)


def _volume(painted: Painted, curves: npt.NDArray[np.float32], v: int) -> npt.NDArray[np.float32]:
    """Give each region's curve to its grey matter, and the other tissues theirs."""
    n_regions = len(curves) - len(BEYOND)
    unlabelled, *outer = curves[n_regions:, v]
    image = painted.grey * np.concatenate([[unlabelled], curves[:n_regions, v]])[painted.labels]
    for fraction, value in zip(painted.others[1:], outer, strict=True):
        image += fraction * value
    return image


def _paint(subject: Subject, grid: Grid) -> Painted:
    """Return the regions' grey matter, and beyond it, as `BEYOND` has it: grey matter without a label, and the other tissues."""
    tissue, labels = subject.anatomy.tissue(grid), subject.labels(grid)
    unlabelled = np.where(labels == 0, tissue.grey, np.float32(0))
    return Painted(grid, labels, tissue.grey, (unlabelled, tissue.white, tissue.csf, tissue.bone, tissue.scalp))


def _masks(subject: Subject, grid: Grid) -> npt.NDArray:
    """Return the labels at the middle of each voxel: where an analyst averages with the label image brought to this grid."""
    atlas = subject.parcellation
    return resample(atlas.labels, atlas.grid, grid, subject.anatomy.to_template, order=0).astype(np.uint16)


def injected(parameters: PetParameters) -> float:
    """Return the injected activity in MBq."""
    own = TRACERS.get(parameters.tracer).injected_activity.value
    return own if parameters.injected_activity is None else parameters.injected_activity


def suv(parameters: PetParameters) -> float:
    """Return injected activity over body weight in Bq/g: the unit of a plasma curve."""
    return injected(parameters) * 1e6 / (parameters.body_weight * 1e3)


def measured(taken: Uptake, tracer: Tracer, frames: Frames) -> Array:
    """Return what frames measure of each class, blood in its vessels included, in Bq/mL, shape (n_classes, n_frames)."""
    starts, ends = frames.starts / MINUTE, frames.ends / MINUTE
    tissue = frame_means(taken.plasma, taken.schedule, starts, ends, tracer.decay)
    breaks = [piece.start for piece in taken.plasma.pieces]
    blood = curve_means(lambda t: whole_blood(taken, tracer, t), breaks, starts, ends, tracer.decay)
    share = taken.blood_volume[:, None]
    return np.asarray((1 - share) * tissue + share * blood)


def total_plasma(taken: Uptake, tracer: Tracer, times: Array) -> Array:
    """Return tracer and metabolites in plasma in Bq/mL at ``times`` (min)."""
    return taken.plasma.at(times) / parent_fraction(times, tracer.parent_fraction.value)


def whole_blood(taken: Uptake, tracer: Tracer, times: Array) -> Array:
    """Return the activity of whole blood in Bq/mL at ``times`` (min)."""
    return tracer.whole_blood.value * total_plasma(taken, tracer, times)


def _truth(subject: Subject, taken: Uptake, curves: Array, matrix: Array) -> dict[str, npt.NDArray]:
    n = subject.n_regions
    return {
        **taken.truth,
        "tacs": curves[:n],
        "tacs_psf": matrix @ curves,
        "transfer": matrix,
        "recovery": np.diag(matrix[:, :n]).copy(),
    }


def _window(activity: Activity, fired: Firing, p: PetParameters) -> dict[str, Any]:
    """Say what of the activity drove the scan."""
    words = (
        "its course, 30 s steps" if p.follow else f"the mean of its {activity.duration:g} s, held for the whole scan"
    )
    return {"Run": f"task-{activity.task} run-{activity.run}", "DrivenBy": words, "BaselineRate": fired.baseline}


def _curves(
    subject: Subject, frames: Frames, truth: Mapping[str, npt.NDArray], window: dict[str, Any]
) -> tuple[Companion, ...]:
    columns = ("frame_start", "frame_end", *(region.name for region in subject.regions))
    times = {"frame_start": {"Units": "s"}, "frame_end": {"Units": "s"}}
    made = []
    for name, key, what in (
        ("desc-clean_tacs", "tacs", "each region's own tissue"),
        ("desc-psf_tacs", "tacs_psf", "the mean over each region after the point spread"),
    ):
        rows = [
            [float(start), float(end), *np.round(values, 3).tolist()]
            for start, end, values in zip(frames.starts, frames.ends, truth[key].T, strict=True)
        ]
        about = {"Description": f"true curves of {what}, Bq/mL, decay-corrected", "Activity": window, **times}
        made.append(Companion(name, columns, rows, about, truth=True, named=False))
    return tuple(made)


def drawn(end: float) -> Array:
    """Return when blood is drawn during a scan that ends at ``end``, in s: from injection to that end, so that analyses need not guess.

    Examples
    --------
    >>> drawn(7000.0)[-4:]
    array([4800., 5400., 6300., 7000.])
    """
    every = np.array([0.0, *SAMPLES, *np.arange(SAMPLES[-1] + LATE_STEP, end, LATE_STEP)])
    return np.append(every[every < end - 1e-6], end)


def _blood(tracer: Tracer, taken: Uptake, frames: Frames) -> Companion:
    seconds = drawn(float(frames.ends[-1]))
    t = seconds / MINUTE
    columns = ("time", "plasma_radioactivity", "whole_blood_radioactivity", "metabolite_parent_fraction")
    table = [seconds, total_plasma(taken, tracer, t), whole_blood(taken, tracer, t)]
    table.append(parent_fraction(t, tracer.parent_fraction.value))
    about = {
        "PlasmaAvail": True,
        "WholeBloodAvail": True,
        "MetaboliteAvail": True,
        "MetaboliteMethod": "simulated",
        "MetaboliteRecoveryCorrectionApplied": False,
        "DispersionCorrected": False,
        "time": {"Description": "time after injection", "Units": "s"},
        "plasma_radioactivity": {"Description": "plasma, decay-corrected to TimeZero", "Units": "Bq/mL"},
        "whole_blood_radioactivity": {"Description": "whole blood, decay-corrected to TimeZero", "Units": "Bq/mL"},
        "metabolite_parent_fraction": {"Description": "share of plasma that is still the tracer", "Units": "arbitrary"},
    }
    rows = [[round(float(cell), 6) for cell in row] for row in np.stack(table, axis=1)]
    return Companion("recording-manual_blood", columns, rows, about)


def _draw_psf(forward: Forward, parameters: PetParameters, *, rng: np.random.Generator) -> Recipe:
    return {"fwhm": parameters.psf_fwhm}


def _psf(image: npt.NDArray, forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray:
    return blurred(image, forward.clean.grid, recipe["fwhm"])


PSF = Stage("psf", "operator", _draw_psf, _psf)
"""Gaussian point spread of scanner and reconstruction."""


def effective_seconds(frames: Frames, decay: float) -> Array:
    """Return how long each frame would be if nothing had decayed since injection, in s; ``decay`` in 1/min."""
    weighted = np.exp(-decay * frames.starts / MINUTE) * decayed_time(frames.durations / MINUTE, decay)
    return np.asarray(weighted * MINUTE)


def noise_constant(parameters: PetParameters) -> float:
    """Return kappa in Bq s/mL: variance of a voxel over its activity, times effective seconds.

    Noise is as smooth as the point spread, at least a voxel: that is the cell of the cylinder, and the thickness of its slice.
    """
    cell = max(parameters.psf_fwhm, parameters.voxel_size)
    disk = math.pi * CYLINDER**2 / 4
    counts = disk * cell / 1e3 * parameters.sensitivity / 1e3 * SURVIVAL * GAIN
    return parameters.noise_level**2 * 1.2**2 * (disk / cell**2) ** 1.5 / counts


def _draw_noise(forward: Forward, parameters: PetParameters, *, rng: np.random.Generator) -> Recipe:
    decay = TRACERS.get(parameters.tracer).decay
    scale = np.sqrt(noise_constant(parameters) / effective_seconds(forward.clean.clock, decay))
    return {"fwhm": max(parameters.psf_fwhm, parameters.voxel_size), "psf": parameters.psf_fwhm, "sd_over_root": scale}


def _noise(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """SD follows the blurred activity itself, whether or not the blur is on."""
    grid = forward.clean.grid
    activity = blurred(forward.clean.make(v), grid, recipe["psf"])
    return np.sqrt(activity) * np.float32(recipe["sd_over_root"][v]) * unit_noise(grid, recipe["fwhm"], rng=rng)


NOISE = Stage("noise", "additive", _draw_noise, _noise)
"""Noise of the counts: variance in proportion to activity over effective seconds, correlated over the point spread, unbiased."""


def sidecar(parameters: PetParameters, forward: Forward) -> dict[str, Any]:
    """Return the BIDS keys of the scan."""
    p, tracer, frames = parameters, TRACERS.get(parameters.tracer), forward.clean.clock
    factors = frames.durations / effective_seconds(frames, tracer.decay)
    return {
        "TracerName": tracer.tracer_name,
        "TracerRadionuclide": tracer.radionuclide,
        "InjectedRadioactivity": injected(p),
        "InjectedRadioactivityUnits": "MBq",
        **_mass(p, tracer),
        "ModeOfAdministration": "bolus",
        "BodyPart": "BRAIN",
        "TimeZero": "12:00:00",
        "ScanStart": 0,
        "InjectionStart": 0,
        "FrameTimesStart": frames.starts.tolist(),
        "FrameDuration": frames.durations.tolist(),
        "AcquisitionMode": "list mode",
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": 0,
        "DecayCorrectionFactor": np.round(factors, 6).tolist(),
        "ReconMethodName": "simulated in image space",
        "ReconMethodParameterLabels": ["point_spread_fwhm"],
        "ReconMethodParameterUnits": ["mm"],
        "ReconMethodParameterValues": [p.psf_fwhm],
        "ReconFilterType": "none",
        "AttenuationCorrection": "none needed: simulated after correction for attenuation, scatter and randoms",
    }


def _mass(p: PetParameters, tracer: Tracer) -> dict[str, Any]:
    if tracer.injected_mass is None:
        keys = ("InjectedMass", "InjectedMassUnits", "SpecificRadioactivity", "SpecificRadioactivityUnits")
        return dict.fromkeys(keys, "n/a")
    specific = tracer.injected_activity.value / tracer.injected_mass.value
    mass = injected(p) / specific
    return {
        "InjectedMass": round(mass, 6),
        "InjectedMassUnits": tracer.injected_mass.unit,
        "SpecificRadioactivity": specific,
        "SpecificRadioactivityUnits": f"MBq/{tracer.injected_mass.unit}",
        "InjectedMassPerWeight": round(mass / p.body_weight, 9),
        "InjectedMassPerWeightUnits": f"{tracer.injected_mass.unit}/kg",
    }


def entities(parameters: PetParameters) -> dict[str, str]:
    """Return the BIDS entity of the tracer."""
    return {"trc": TRACERS.get(parameters.tracer).label}


MODALITY = Modality(
    name="pet",
    parameters=PetParameters,
    images="function",
    reads=("rate",),
    geometry=geometry,
    forward=forward,
    observe=(PSF, NOISE, QUANTISATION),
    datatype="pet",
    suffix="pet",
    sidecar=sidecar,
    small={"voxel_size": 8.0},
    entities=entities,
    names_run=False,
    unit="Bq/mL",
    references=(
        Reference("Innis et al.", 2007, "10.1038/sj.jcbfm.9600493", "names and units of kinetic constants"),
        Reference("Lammertsma and Hume", 1996, "10.1006/nimg.1996.0066", "simplified reference tissue model"),
        Reference("Rousset et al.", 1998, "pubmed:9591599", "transfer of signal between regions"),
    ),
)
