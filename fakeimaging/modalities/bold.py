"""Functional MRI: the BOLD signal of each region at 3 T, painted on grey matter and sampled at each slice's own time.

Region level (Stephan et al. 2007), v and q from the Balloon-Windkessel model:

    dS/S = V0 [k1 (1 - q) + k2 (1 - q/v) + k3 (1 - v)],  k1 = 4.3 nu0 E0 TE,  k2 = eps r0 E0 TE,  k3 = 1 - eps

Voxel level: S = sum over tissues of fraction * steady-state signal; only the grey part carries dS/S of its region.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fakeimaging.activity import hemodynamics
from fakeimaging.activity.activity import Activity
from fakeimaging.activity.hemodynamics import BloodFlow, Hemodynamics, blood_flow
from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.spaces import Grid, centred_grid
from fakeimaging.modalities.layers import Forward, Image, Recipe, Stage
from fakeimaging.modalities.modality import Modality
from fakeimaging.modalities.relaxation import (
    GREY_SIGNAL,
    REFERENCE,
    Relaxation,
    mixed,
    relaxation_at_3t,
    spoiled_gradient_echo,
)
from fakeimaging.modalities.stages import MAGNITUDE, QUANTISATION, THERMAL, slope_for
from fakeimaging.structure.subject import Subject

FIELD_OF_VIEW = (224.0, 224.0, 161.0)
"""mm, centred on the isocentre."""
DRIFT_PERIOD = 128.0
"""Shortest period of scanner drift in s: what the usual high-pass filter removes."""
DRIFT_GRADIENT = 0.5
"""Change of drift from the middle of the field of view to its edge, relative to its mean (assumed)."""
STEPHAN = "Stephan et al. 2007, doi:10.1016/j.neuroimage.2007.07.040"


class BoldParameters(Parameters):
    """Parameters of the scan and of the BOLD signal at 3 T."""

    tr: float = parameter(2.0, unit="s", bounds=(0.05, 20), symbol="TR", description="repetition time")
    voxel_size: float = parameter(3.5, unit="mm", bounds=(1, 20), description="edge of the cubic voxel")
    echo_time: float = parameter(0.03, unit="s", bounds=(0.005, 0.1), symbol="TE", description="echo time")
    flip_angle: float = parameter(
        73.0, unit="deg", bounds=(1, 90), description="near the Ernst angle of grey matter at 2 s"
    )
    slice_order: Literal["interleaved", "ascending"] = parameter(
        "interleaved", unit="-", description="order of the slices"
    )
    V0: float = parameter(
        0.02,
        unit="1",
        bounds=(0.001, 0.2),
        symbol="V_0",
        source=hemodynamics.FRISTON,
        description="blood volume at rest",
    )
    nu0: float = parameter(
        80.6, unit="1/s", bounds=(10, 400), symbol="nu_0", source=f"{STEPHAN}, 40.3 at 1.5 T, linear in field"
    )
    r0: float = parameter(
        110.0, unit="1/s", bounds=(10, 500), symbol="r_0", source="3 T value of published DCM scripts; 100 in others"
    )
    epsilon: float = parameter(
        0.47, unit="1", bounds=(0.01, 2), symbol="eps", source="3 T value of published DCM scripts"
    )
    hemodynamics: Hemodynamics = Hemodynamics()
    snr: float = parameter(
        100.0, unit="1", bounds=(1, 1e6), description="grey matter over thermal noise with the default sequence"
    )
    drift_percent: float = parameter(
        0.5, unit="%", bounds=(0, 10), description="expected SD of scanner drift over brain and time"
    )


def bold_change(flow: BloodFlow, parameters: BoldParameters) -> npt.NDArray[np.float64]:
    """Return the relative BOLD signal change of each region, shape (n_samples, n_regions)."""
    p = parameters
    v, q = flow.volume.astype(np.float64), flow.deoxyhemoglobin.astype(np.float64)
    k1 = 4.3 * p.nu0 * p.hemodynamics.E0 * p.echo_time
    k2 = p.epsilon * p.r0 * p.hemodynamics.E0 * p.echo_time
    k3 = 1 - p.epsilon
    return np.asarray(p.V0 * (k1 * (1 - q) + k2 * (1 - q / v) + k3 * (1 - v)))


def slice_times(n_slices: int, tr: float, order: str) -> npt.NDArray[np.float64]:
    """Return the time of each slice after the start of its volume in s, bottom slice first.

    Examples
    --------
    >>> slice_times(4, 2.0, "interleaved")
    array([0. , 1. , 0.5, 1.5])
    """
    rank = np.arange(n_slices)
    if order == "interleaved":
        rank[np.concatenate([rank[0::2], rank[1::2]])] = np.arange(n_slices)
    return rank * tr / n_slices


@dataclass(frozen=True, eq=False)
class Painting:
    """Where the regions' signal lies: one entry for each voxel with grey matter of a region.

    Parameters
    ----------
    voxel : ndarray of int, shape (n,)
        Index into the flattened (C order) volume.
    region, slice : ndarray of int, shape (n,)
    grey : ndarray of float32, shape (n,)
        Signal of the grey matter in the voxel at rest.
    """

    voxel: npt.NDArray[np.intp]
    region: npt.NDArray[np.intp]
    slice: npt.NDArray[np.intp]
    grey: npt.NDArray[np.float32]


def geometry(parameters: BoldParameters, duration: float) -> tuple[Grid, Clock]:
    """Return the native grid and the start of each volume; volumes that do not fit the run are left out.

    Raises
    ------
    InputError
        If not one volume fits.
    """
    nx, ny, nz = (round(length / parameters.voxel_size) for length in FIELD_OF_VIEW)
    n_volumes = int(duration / parameters.tr + 1e-9)
    if n_volumes < 1:
        raise InputError(
            f"`bold.tr`: {parameters.tr:g} s is longer than the run of {duration:g} s", value=parameters.tr
        )
    return centred_grid((nx, ny, nz), parameters.voxel_size), Clock(0.0, parameters.tr, n_volumes)


def forward(subject: Subject, activity: Activity | None, parameters: BoldParameters) -> Forward:
    """Return the noise-free series and the truth: regional BOLD and blood flow at the middle of each volume."""
    if activity is None:
        raise InputError("bold images activity")
    p = parameters
    grid, clock = geometry(p, activity.duration)
    signals = _tissue_signals(p)
    baseline, painting = _paint(subject, grid, signals)
    flow = blood_flow(activity, p.hemodynamics)
    change = bold_change(flow, p)
    offsets = slice_times(grid.shape[2], p.tr, p.slice_order)

    def volume(v: int) -> npt.NDArray[np.float32]:
        """Paint each region's signal, at the time of each slice, on its grey matter."""
        at_slices = sample(change, flow.clock, clock.times[v] + offsets).astype(np.float32)
        image = baseline.copy()
        image.reshape(-1)[painting.voxel] += painting.grey * at_slices[painting.slice, painting.region]
        return image

    middle = clock.times + p.tr / 2
    truth = {
        "regional_bold": sample(change, flow.clock, middle).T,
        "regional_flow": sample(flow.flow, flow.clock, middle).T,
    }
    clean = Image(grid, clock, volume, slope_for(max(signals.values())))
    return Forward(clean, GREY_SIGNAL, baseline, truth)


def _tissue_signals(p: BoldParameters) -> dict[str, float]:
    """Signal of each pure tissue at rest, in image units."""
    gain = GREY_SIGNAL / _signal(relaxation_at_3t()["grey"], BoldParameters())
    return {name: gain * _signal(tissue, p) for name, tissue in relaxation_at_3t().items()}


def _signal(tissue: Relaxation, p: BoldParameters) -> float:
    return spoiled_gradient_echo(tissue, p.tr, p.flip_angle, p.echo_time)


def _paint(subject: Subject, grid: Grid, signals: dict[str, float]) -> tuple[npt.NDArray[np.float32], Painting]:
    tissue = subject.anatomy.tissue(grid)
    baseline = mixed(tissue, signals)
    labels = subject.labels(grid)
    x, y, z = np.nonzero((labels > 0) & (tissue.grey > 0))
    grey = np.float32(signals["grey"]) * tissue.grey[x, y, z]
    voxel = np.ravel_multi_index((x, y, z), grid.shape)
    return baseline, Painting(voxel, labels[x, y, z].astype(np.intp) - 1, z, grey)


def sample(series: npt.NDArray, clock: Clock, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Interpolate a series of shape (clock.n, n_regions) linearly at ``times`` (s); beyond its ends the last value holds."""
    position = np.clip((times - clock.start) / clock.step, 0, clock.n - 1)
    below = np.minimum(position.astype(int), clock.n - 2)
    share = (position - below)[:, None]
    return np.asarray((1 - share) * series[below] + share * series[below + 1])


def _draw_drift(forward: Forward, parameters: BoldParameters, *, rng: np.random.Generator) -> Recipe:
    """Cosines slower than `DRIFT_PERIOD` (at least one), each with its own gentle gradient over space."""
    clock = forward.clean.clock
    n_cosines = max(1, int(2 * clock.n * clock.step / DRIFT_PERIOD)) if clock is not None else 1
    brain = np.nonzero(forward.baseline)
    squares = [np.mean(np.linspace(-1, 1, n)[i] ** 2) for n, i in zip(forward.baseline.shape, brain, strict=True)]
    variance = n_cosines * (1 + DRIFT_GRADIENT**2 * sum(squares))
    coefficients = rng.standard_normal((n_cosines, 4)) * np.array([1.0, *[DRIFT_GRADIENT] * 3])
    return {"coefficients": coefficients * parameters.drift_percent / 100 / np.sqrt(variance)}


def drift_courses(recipe: Recipe, n_volumes: int) -> npt.NDArray[np.float64]:
    """Return the time courses that belong to the maps 1, x, y, z (each from -1 to 1 over the grid), shape (n_volumes, 4)."""
    k = np.arange(1, len(recipe["coefficients"]) + 1)
    cosines = np.sqrt(2) * np.cos(np.pi * np.outer(np.arange(n_volumes) + 0.5, k) / n_volumes)
    return np.asarray(cosines @ recipe["coefficients"])


def _drift(forward: Forward, recipe: Recipe, v: int, *, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    constant, *gradient = drift_courses(recipe, forward.clean.n_volumes)[v].astype(np.float32)
    field = np.float32(constant)
    for axis, (size, slope) in enumerate(zip(forward.baseline.shape, gradient, strict=True)):
        field = field + slope * np.expand_dims(
            np.linspace(-1, 1, size, dtype=np.float32), [a for a in range(3) if a != axis]
        )
    return forward.baseline * field


DRIFT = Stage("drift", "additive", _draw_drift, _drift)
"""Slow scanner drift: low-rank, maps 1, x, y, z times cosines, in proportion to the baseline."""


def sidecar(parameters: BoldParameters, forward: Forward) -> dict[str, Any]:
    """Return the BIDS keys of the scan."""
    times = slice_times(forward.clean.grid.shape[2], parameters.tr, parameters.slice_order)
    return {
        "MagneticFieldStrength": 3.0,
        "MRAcquisitionType": "2D",
        "ScanningSequence": "EP",
        "PulseSequenceType": "gradient echo EPI",
        "RepetitionTime": parameters.tr,
        "EchoTime": parameters.echo_time,
        "FlipAngle": parameters.flip_angle,
        "SliceTiming": np.round(times, 6).tolist(),
    }


MODALITY = Modality(
    name="bold",
    parameters=BoldParameters,
    images="function",
    geometry=geometry,
    forward=forward,
    observe=(DRIFT, THERMAL, MAGNITUDE, QUANTISATION),
    datatype="func",
    suffix="bold",
    sidecar=sidecar,
    small={"voxel_size": 7.0},
    references=(
        *hemodynamics.REFERENCES,
        Reference("Stephan et al.", 2007, "10.1016/j.neuroimage.2007.07.040", "BOLD output equation"),
        REFERENCE,
    ),
)
