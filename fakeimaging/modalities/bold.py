"""Functional MRI: the BOLD signal of each region and of its modes, painted on grey matter, sampled at each slice's own time.

Voxel level: S = sum over tissues of fraction * steady-state signal; only the grey part carries the signal change

    dS/S (x, t) = b_r(t) + sum over modes m of pattern_m(x) b_mr(t)

of its region r (see `bold_field` for b). Stages follow the way of the signal: what changes in the brain, how the head lies, what the
receiver adds, how it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from fakeimaging.activity import hemodynamics, physiology
from fakeimaging.activity.activity import Activity
from fakeimaging.activity.hemodynamics import BloodFlow, Hemodynamics, blood_flow, mode_flow
from fakeimaging.core.citations import Reference
from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.core.spaces import Grid, apply_affine, centred_grid
from fakeimaging.modalities import bold_field, motion, physio, physio_noise
from fakeimaging.modalities.bold_drift import DRIFT
from fakeimaging.modalities.bold_field import bold_change
from fakeimaging.modalities.layers import Forward, Image
from fakeimaging.modalities.modality import Modality
from fakeimaging.modalities.motion import MOTION
from fakeimaging.modalities.physio import CARDIAC, RESPIRATORY
from fakeimaging.modalities.physio_noise import PHYSIOLOGICAL
from fakeimaging.modalities.relaxation import GREY_SIGNAL, REFERENCE, Relaxation, mixed, spoiled_gradient_echo
from fakeimaging.modalities.stages import MAGNITUDE, QUANTISATION, THERMAL, slope_for
from fakeimaging.structure.subject import Subject

FIELD_OF_VIEW = (224.0, 224.0, 161.0)
"""mm, centred on the isocentre."""
STEPHAN = "Stephan et al. 2007, doi:10.1016/j.neuroimage.2007.07.040"
LAMBDA = "share of the ceilings of Triantafyllou et al. 2005, doi:10.1016/j.neuroimage.2005.01.007; see bold.toml"


class BoldParameters(Parameters):
    """Parameters of the scan and of the BOLD signal. Those that depend on the field take its value when they are left out."""

    tr: float = parameter(2.0, unit="s", bounds=(0.05, 20), symbol="TR", description="repetition time")
    voxel_size: float = parameter(3.5, unit="mm", bounds=(1, 20), description="edge of the cubic voxel")
    field_strength: float = parameter(3.0, unit="T", bounds=(1.5, 7), symbol="B_0", description="1.5, 3 or 7")
    echo_time: float = parameter(
        0.03, unit="s", bounds=(0.005, 0.1), symbol="TE", description="echo time; 40 ms at 1.5 T, 25 ms at 7 T"
    )
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
        110.0, unit="1/s", bounds=(10, 500), symbol="r_0", source="3 T value of published DCM scripts; see bold.toml"
    )
    epsilon: float = parameter(
        0.47, unit="1", bounds=(0.01, 2), symbol="eps", source="3 T value of published DCM scripts; see bold.toml"
    )
    hemodynamics: Hemodynamics = Hemodynamics()
    snr: float = parameter(
        150.0, unit="1", bounds=(1, 1e6), description="grey matter over thermal noise with the default sequence"
    )
    motion_error: float = parameter(
        0.0,
        unit="mm",
        bounds=(0, 5),
        description="SD of the error of the motion columns of the preprocessed derivative",
    )
    lambda_grey: float = parameter(
        0.0085, unit="1", bounds=(0, 0.1), symbol="lambda", source=LAMBDA, description="physiological noise over signal"
    )
    lambda_white: float = parameter(0.0043, unit="1", bounds=(0, 0.1), description="the same in white matter")
    lambda_csf: float = parameter(0.0085, unit="1", bounds=(0, 0.1), description="the same in fluid")
    cardiac_percent: float = parameter(
        0.15, unit="%", bounds=(0, 10), description="root mean square of the pulse over grey matter"
    )
    respiratory_percent: float = parameter(
        0.25, unit="%", bounds=(0, 10), description="root mean square of breathing over grey matter"
    )
    drift_percent: float = parameter(
        0.5, unit="%", bounds=(0, 10), description="expected SD of scanner drift over brain and time"
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_field(cls, values: Any) -> Any:
        field = values.get("field_strength", bold_field.DEFAULT) if isinstance(values, Mapping) else None
        known = bold_field.fields().get(field) if isinstance(field, float | int) else None
        return {**known.defaults, **values} if known is not None else values

    @model_validator(mode="after")
    def _field_is_known(self) -> Self:
        if self.field_strength not in bold_field.fields():
            allowed = ", ".join(f"{field:g}" for field in sorted(bold_field.fields()))
            raise ValueError(f"`field_strength`: {self.field_strength:g} T has no constants; there are {allowed}")
        return self


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
    amounts : ndarray of float32, shape (1 + n_modes, n)
        Signal of the grey matter in the voxel at rest, and that times each spatial pattern.
    """

    voxel: npt.NDArray[np.intp]
    region: npt.NDArray[np.intp]
    slice: npt.NDArray[np.intp]
    amounts: npt.NDArray[np.float32]

    def painted(self, baseline: npt.NDArray[np.float32], at_slices: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the image whose slices show these changes, shape (n_slices, 1 + n_modes, n_regions)."""
        n_series, n_regions = at_slices.shape[1:]
        place, changes = self.slice * (n_series * n_regions) + self.region, at_slices.reshape(-1)
        image = baseline.copy()
        change = self.amounts[0] * changes.take(place)
        for m in range(1, n_series):
            change += self.amounts[m] * changes.take(place + m * n_regions)
        image.reshape(-1)[self.voxel] += change
        return image


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
    signals, offsets = _tissue_signals(p), slice_times(grid.shape[2], p.tr, p.slice_order)
    tissue = subject.anatomy.tissue(grid)
    baseline = mixed(tissue, signals)
    flow, modes = blood_flow(activity, p.hemodynamics), mode_flow(activity, p.hemodynamics)
    changes = _changes(flow, modes, p)
    painting = _paint(subject, grid, tissue.grey * np.float32(signals["grey"]), changes.shape[1] > 1)

    def volume(v: int) -> npt.NDArray[np.float32]:
        """Paint each region's signal, at the time of each slice, on its grey matter."""
        return painting.painted(baseline, sample(changes, flow.clock, clock.times[v] + offsets))

    truth = _truth(flow, changes, clock.times + p.tr / 2)
    context = {
        "physiology": activity.physiology,
        "slice_times": offsets,
        "tissue": tissue,
        "signals": signals,
        "to_template": subject.anatomy.to_template,
    }
    clean = Image(grid, clock, volume, slope_for(max(signals.values())))
    return Forward(clean, GREY_SIGNAL, baseline, truth, context=context)


def _changes(flow: BloodFlow, modes: BloodFlow | None, p: BoldParameters) -> npt.NDArray[np.float32]:
    """Relative signal change of the regions and of their modes, shape (n_samples, 1 + n_modes, n_regions)."""
    parts = [bold_change(flow, p)] if modes is None else [bold_change(flow, p), bold_change(modes, p)]
    n_samples, n_regions = parts[0].shape
    return np.concatenate(parts, axis=1, dtype=np.float32).reshape(n_samples, -1, n_regions)


def _truth(
    flow: BloodFlow, changes: npt.NDArray[np.float32], middle: npt.NDArray[np.float64]
) -> dict[str, npt.NDArray]:
    """Series at the middle of each volume, one row a region; those of the modes (n_regions, n_modes, n_volumes)."""
    series = np.moveaxis(sample(changes, flow.clock, middle), 0, -1)
    truth = {"regional_bold": series[0], "regional_flow": sample(flow.flow, flow.clock, middle).T}
    return truth | ({"mode_bold": np.ascontiguousarray(series[1:].swapaxes(0, 1))} if len(series) > 1 else {})


def _tissue_signals(p: BoldParameters) -> dict[str, float]:
    """Signal of each pure tissue at rest, in image units; grey matter has `GREY_SIGNAL` with the default sequence of its field."""
    tissues = bold_field.fields()[p.field_strength].tissues
    usual = BoldParameters.parse({"field_strength": p.field_strength})
    gain = GREY_SIGNAL / _signal(tissues["grey"], usual)
    return {name: gain * _signal(tissue, p) for name, tissue in tissues.items()}


def _signal(tissue: Relaxation, p: BoldParameters) -> float:
    return spoiled_gradient_echo(tissue, p.tr, p.flip_angle, p.echo_time)


def _paint(subject: Subject, grid: Grid, grey: npt.NDArray[np.float32], with_modes: bool) -> Painting:
    labels = subject.labels(grid)
    x, y, z = np.nonzero((labels > 0) & (grey > 0))
    amounts = grey[x, y, z][None]
    label = labels[x, y, z].astype(np.intp)
    if with_modes:
        points = apply_affine(subject.anatomy.to_template @ grid.affine, np.stack([x, y, z], axis=1))
        amounts = np.concatenate([amounts, amounts * subject.patterns_at(points, label)])
    voxel = np.ravel_multi_index((x, y, z), grid.shape)
    return Painting(voxel, label - 1, z, amounts)


def sample(series: npt.NDArray, clock: Clock, times: npt.NDArray[np.float64]) -> npt.NDArray:
    """Interpolate a series of shape (clock.n, ...) linearly at ``times`` (s); beyond its ends the last value holds."""
    position = np.clip((times - clock.start) / clock.step, 0, clock.n - 1)
    below = np.minimum(position.astype(int), clock.n - 2)
    share = (position - below).astype(series.dtype).reshape(-1, *[1] * (series.ndim - 1))
    return np.asarray((1 - share) * series[below] + share * series[below + 1])


def sidecar(parameters: BoldParameters, forward: Forward) -> dict[str, Any]:
    """Return the BIDS keys of the scan."""
    times = slice_times(forward.clean.grid.shape[2], parameters.tr, parameters.slice_order)
    return {
        "MagneticFieldStrength": parameters.field_strength,
        "MRAcquisitionType": "2D",
        "ScanningSequence": "EP",
        "PulseSequenceType": "gradient echo EPI",
        "RepetitionTime": parameters.tr,
        "EchoTime": parameters.echo_time,
        "FlipAngle": parameters.flip_angle,
        # No distortion by the gradients is simulated: the image has the geometry of a corrected one.
        "NonlinearGradientCorrection": True,
        "SliceTiming": np.round(times, 6).tolist(),
    }


MODALITY = Modality(
    name="bold",
    parameters=BoldParameters,
    images="function",
    reads=("rate",),
    geometry=geometry,
    forward=forward,
    observe=(PHYSIOLOGICAL, DRIFT, CARDIAC, RESPIRATORY, MOTION, THERMAL, MAGNITUDE, QUANTISATION),
    datatype="func",
    suffix="bold",
    sidecar=sidecar,
    small={"voxel_size": 7.0},
    references=(
        *hemodynamics.REFERENCES,
        Reference("Stephan et al.", 2007, "10.1016/j.neuroimage.2007.07.040", "BOLD output equation"),
        Reference("Heinzle et al.", 2016, "10.1016/j.neuroimage.2015.10.025", "output coefficients at 7 T"),
        REFERENCE,
        physio_noise.REFERENCE,
        *physio.REFERENCES,
        *physiology.REFERENCES,
        *motion.REFERENCES,
    ),
)
